"""Level changes and receipts on a page (channel/protocol/rendering.py): what is not said is not shown."""

from __future__ import annotations

from typing import Any

import pytest

from channel.formats import code_book, format_book
from channel.protocol.formats import Book, HeaderView
from keys.plain import utc

BOOK = Book.read(format_book(), code_book())
TIME = 1_795_470_000_000


def page(lang: str, fmt: str, body: dict[str, Any], **changes: Any) -> list[str]:
    header: dict[str, Any] = {
        "number": "US-2026-000012", "party": "US", "seat": "Official", "person": "US Official", "role": "official",
        "standing": "government", "level": "routine", "prec": "R", "ts": TIME, "lang": "en", "mode": "actual",
    }  # fmt: skip
    return BOOK.render(fmt, HeaderView(**header | changes), body, lang)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("op", ["suspend", "resume"])
def test_a_move_without_levels_shows_its_word_alone(op: str, lang: str) -> None:
    """Suspending and resuming name no levels: the line has the word of the move and nothing more."""
    label = BOOK.files.lists["move"].text(lang)
    [line] = [line for line in page(lang, "F12", {}, move=op) if line.startswith(label)]
    assert line == f"{label}{'：' if lang == 'zh' else ': '}{BOOK.word('move', op, lang)}"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_move_shows_from_where_to_where_and_what_it_covers(lang: str) -> None:
    """A lowering shows both levels and the sizes of both logs; a closing has one level and shows only the sizes."""
    label = BOOK.files.lists["move"].text(lang)
    at = BOOK.files.lists["header"].codes["at"].text(lang, a="9", b="7")
    whole = page(lang, "F12", {}, move="lower", move_from="serious", move_to="consultation", move_at=(9, 7))
    [line] = [line for line in whole if line.startswith(label)]
    both = (BOOK.level("serious", lang), BOOK.level("consultation", lang))
    assert [line.index(part) for part in (*both, at)] == sorted(line.index(part) for part in (*both, at))
    closing = page(lang, "F05", {}, move="close", move_from="attention", move_at=(9, 7))
    [line] = [line for line in closing if line.startswith(label)]
    assert line.endswith(f"{BOOK.word('move', 'close', lang)} · {at}")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_receipt_of_not_engaging_has_its_sentence_with_its_time(lang: str) -> None:
    """X5 stands under the record's step as it does under an answer; without a time it is not said."""
    said = BOOK.files.sentences["X5"].text(lang, time=utc(TIME))
    assert said in page(lang, "F02", {"step": "not-engaging", "next_contact": TIME})
    assert said in page(lang, "F02", {"next_contact": TIME}, ans="NEN")
    start = said.split(utc(TIME))[0]
    assert not any(line.startswith(start) for line in page(lang, "F02", {"step": "not-engaging"}))
    assert said not in page(lang, "F02", {"step": "engaged", "next_contact": TIME})


def test_material_with_braces_in_its_texts_is_shown_as_it_is() -> None:
    """A name that looks like a placeholder of the line takes no other value's place."""
    item = {"name": "{sha256}.txt", "size": 12, "sha256": b"\x02" * 32, "how": "{name}"}
    text = "\n".join(page("en", "F12", {"material": [item]}))
    assert "{sha256}.txt" in text
    assert "{name}" in text
    assert text.count("02" * 32) == 1
