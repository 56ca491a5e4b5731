"""What rows, coded messages and their slots take (channel/protocol/values.py): each fault has its one word."""

from __future__ import annotations

from typing import Any

import pytest

from channel.formats import code_book, format_book
from channel.protocol.book import CodedText
from channel.protocol.formats import Book
from channel.protocol.values import coded_fault, slot_fault, value_fault

FILES = Book.read(format_book(), code_book()).files
ROW = {"no": 1, "ans": "CHK", "text": "In the morning."}
YEAR_10000 = 253_402_300_800_000  # its first ms
TWO = CodedText(en="{time} {case}", zh="{time} {case}", slots={"time": "time", "case": "case"})


def fault(field: str, value: Any, fmt: str = "F07") -> str | None:
    return value_fault(FILES, FILES.formats[fmt].fields[field], value)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([ROW], None), ([ROW] * 20, None), ([{"no": 0, "ans": "CHK"}], None),
        (ROW, "no list"), ("rows", "no list"), ([], "no list"), ([ROW] * 21, "no list"),
        ([ROW, 1], "unknown column"), ([ROW, []], "unknown column"), ([ROW | {"more": 1}], "unknown column"),
        ([{}], "column missing"), ([ROW, {"no": 1}], "column missing"), ([{"ans": "CHK"}], "column missing"),
        ([ROW | {"no": -1}], "no number"), ([ROW | {"no": True}], "no number"), ([ROW | {"ans": "ZZZ"}], "unknown code"),
        ([ROW, ROW | {"text": "a\nb"}], "one line"), ([ROW | {"text": "x" * 1001}], "too long"),
    ],
)  # fmt: skip
def test_rows(rows: Any, why: str | None) -> None:
    """One to twenty maps, each with the columns that are needed and no other, each cell as its column says."""
    assert fault("answers", rows) == why


@pytest.mark.parametrize(
    ("value", "why"),
    [(1, None), (YEAR_10000 - 1, None), (YEAR_10000, "no time"), (0, "no time"), (-1, "no time"), (True, "no time")],
)
def test_times(value: Any, why: str | None) -> None:
    """A time is a whole number of milliseconds after 1970 and before the year 10000."""
    assert fault("rest_by", value) == why


@pytest.mark.parametrize(
    ("slots", "found"),
    [
        ({"time": 1, "case": "US-2026-000003"}, None),
        ({"time": 1}, ("slots", "missing")),
        ({}, ("slots", "missing")),
        ({"time": 1, "case": "x", "more": 1}, ("slots", "unknown field")),
        ({"time": 1, "more": 1}, ("slots", "unknown field")),
        ([1, "x"], ("slots", "unknown field")),
        ({"time": 0, "case": "x"}, ("slots", "no time")),
        ({"time": 1, "case": ""}, ("slots", "empty")),
        ({"time": 1, "case": 3}, ("slots", "no text")),
        ({"time": 1, "case": "a\nb"}, ("slots", "one line")),
        ({"time": 1, "case": "x" * 100}, None),
        ({"time": 1, "case": "x" * 101}, ("slots", "too long")),
    ],
)
def test_the_values_of_a_coded_message(slots: Any, found: tuple[str, str] | None) -> None:
    """Each slot of the text has a fitting value, and there is no other; else the field and why."""
    assert coded_fault(FILES, TWO, slots) == found


def test_a_coded_message_that_is_in_no_code_book() -> None:
    """The code word is unknown, whatever its values are."""
    assert coded_fault(FILES, None, {}) == ("entry", "unknown code")


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("category", "LOC", None), ("category", "ZZZ", "unknown code"), ("category", 1, "unknown code"),
        ("count", 0, None), ("count", 2**53, None), ("count", 2**53 + 1, "no number"),
        ("count", -1, "no number"), ("count", False, "no number"), ("count", "3", "no number"),
    ],
)  # fmt: skip
def test_slots(kind: str, value: Any, why: str | None) -> None:
    """A category is one of the book's codes, a count a whole number up to 2^53."""
    assert slot_fault(FILES, kind, value) == why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None), ({"name": "x" * 200, "how": "x" * 500, "size": 0}, None), ({"size": 2**53}, None),
        ({"name": "x" * 201}, "no material"), ({"how": "x" * 501}, "no material"), ({"name": "a\nb"}, "no material"),
        ({"size": 2**53 + 1}, "no material"), ({"size": True}, "no material"), ({"sha256": bytes(31)}, "no material"),
        ({"sha256": "02" * 16}, "no material"), ({"more": 1}, "no material"),
    ],
)  # fmt: skip
def test_material(changes: dict[str, Any], why: str | None) -> None:
    """A name of 200 characters, a way of 500, a size up to 2^53 and 32 bytes of hash; nothing more or fewer."""
    item = {"name": "log.txt", "size": 12, "sha256": bytes(32), "how": "by the embassy"}
    assert value_fault(FILES, FILES.beside["material"], [item | changes]) == why
