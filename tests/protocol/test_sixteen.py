"""The sixteen formats: their final fields, every one of them in both languages from the same bytes, and every refusal."""

import re

import pytest

from channel.formats import code_book, format_book
from channel.protocol.formats import Book, HeaderView
from keys.codec import pack, unpack
from keys.errors import Refused
from keys.plain import utc

BOOK = Book.read(format_book(), code_book())
FILES = BOOK.files
MESSAGES = sorted(code for code, form in FILES.formats.items() if form.status)
RECORDS = ["A01", "A02"]
TIME = 1_795_470_000_000
TEXT = "Words sent."
ONCE = {"F13": {"entry": "MEADOW 03", "slots": {"time": TIME}}, "F11": {"kind": "ANS"}}

# Hashed into every message's "bd": a change here is another protocol. "*": a column that every row has.
FINAL = {
    "A01": {
        "kind": "code record derived",
        "version": "count derived",
        "members": "rows derived (*seat text 200, person text 200, role code role, standing code standing, keys text 200)",
        "ended": "text 8000 lines derived",
        "contacts": "rows derived (*name text 200, *addr text 200, hours text 200)",
        "words": "text 1000 derived",
        "waiting": "text 100 derived",
        "reason": "text 200 derived",
    },
    "A02": {
        "op": "code exercise derived",
        "clock": "time derived",
        "rate": "count derived",
        "item": "text 64 derived",
    },
    "F01": {
        "test": "code test",
        "text_en": "text 500 lines",
        "text_zh": "text 500 lines",
        "answer": "text 300",
        "path": "text 200",
        "service": "code service",
        "text": "text 1000 lines",
    },
    "F02": {
        "step": "code step derived",
        "why": "text 32 derived",
        "readback": "text 1500 lines",
        "match": "code match",
        "differs": "text 4000 lines",
        "text": "text 4000 lines",
        "next_contact": "time",
        "translation": "rows (*of text 16, *text text 8000)",
        "translator": "code translator",
    },
    "F05": {
        "outcome": "text 4000 lines",
        "events": "text 8000 lines",
        "cause": "codes cause",
        "harm": "rows (*kind code harm, number count, text text 300)",
        "failed": "text 4000 lines",
        "held": "text 4000 lines",
        "pattern": "text 4000 lines",
        "changes": "text 4000 lines",
        "public": "code yes_no",
        "public_text": "text 4000 lines",
    },
    "F06": {
        "observed": "text 8000 lines",
        "inference": "text 4000 lines",
        "assessment": "text 4000 lines",
        "certainty": "code certainty",
        "questions": "rows (*ask text question 500)",
        "refrain": "text 4000 lines",
        "refrain_until": "time",
        "next_step": "code next_step",
        "reply_until": "time",
    },
    "F07": {
        "answers": "rows (*no count, *ans code answer, text text 1000)",
        "text": "text 8000 lines",
        "support": "code support",
        "rest_by": "time",
    },
    "F08": {
        "kind": "code activity",
        "from_time": "time",
        "until_time": "time",
        "observables": "text 4000 lines",
        "safeguards": "text 4000 lines",
        "stop_contact": "text 300",
        "place": "text 300",
    },
    "F09": {
        "about": "text 4000 lines",
        "about_time": "time",
        "technical": "refs",
        "stance": "code stance",
        "ground": "text 4000 lines",
        "confidence": "code confidence",
        "valid_until": "time",
    },
    "F10": {
        "items": "rows (*kind code trait, *value text 2000, first_seen time, last_seen time, tlp code tlp, pap code pap, confidence code confidence, note text 500, expiry time)",
        "text": "text 4000 lines",
    },
    "F11": {
        "kind": "code assist",
        "actions": "codes action",
        "text": "text 4000 lines",
        "limits": "text 4000 lines",
        "liaison": "text 300",
        "accept": "code accept",
        "reason": "code unable",
        "done": "time",
    },
    "F12": {
        "reason": "codes move_reason",
        "text": "text 4000 lines",
        "conditions": "codes lowering",
        "review": "time",
        "next_contact": "time",
    },
    "F13": {
        "entry": "entry",
        "slots": "slots",
    },
    "F14": {
        "text": "text 8000 lines",
        "replacement": "refs",
        "actions": "codes after_correction",
    },
    "beside": {
        "info": "keys",
        "basis": "text basis 200",
        "caveat": "codes caveat",
        "own_number": "text 100",
        "case_name": "text 100",
        "material": "material",
    },
}  # fmt: skip


def said(field):
    """A field's type in words."""
    parts = (field.type, field.list, field.max, "lines" if field.lines else None, "derived" if field.derived else None)
    told = " ".join(str(part) for part in parts if part is not None)
    if field.columns is None:
        return told
    columns = ("*" * (name in field.need) + f"{name} {said(column)}" for name, column in field.columns.items())
    return f"{told} ({', '.join(columns)})"


def sample(field):
    """A value that fits."""
    codes = list(FILES.lists[field.list].codes) if field.list else [TEXT]
    return {
        "code": codes[0], "codes": codes[:2], "text": codes[0], "time": TIME, "count": 1, "keys": [b"\x01" * 32],
        "refs": [b"\x02" * 32], "rows": [{name: sample(column) for name, column in (field.columns or {}).items()}],
        "material": [{"name": "log.txt", "size": 12, "sha256": b"\x02" * 32, "how": "by the embassy"}],
        "entry": "MEADOW 03", "slots": {"time": TIME},
    }[field.type]  # fmt: skip


def full(fmt, *, derived=False):
    """A body with every field of the form and every one beside it."""
    fields = {**FILES.formats[fmt].fields, **FILES.beside}
    return {name: sample(f) for name, f in fields.items() if f.derived == derived or not f.derived} | ONCE.get(fmt, {})


def view(**changes):
    header = {
        "number": "US-2026-000012", "party": "US", "seat": "Expert 1", "person": "US Expert 1", "role": "expert",
        "standing": "designated expert", "level": "serious", "prec": "O", "ts": TIME, "lang": "en", "mode": "actual",
    }  # fmt: skip
    return HeaderView(**header | changes)


def refusal(fmt, body, **more):
    with pytest.raises(Refused) as e:
        BOOK.check(fmt, body, status=FILES.formats[fmt].status[0], **more)
    assert e.value.code == "FMT"
    assert e.value.values["fmt"] == fmt
    return e.value.values["field"], e.value.values["why"]


@pytest.mark.parametrize("fmt", [f for f in [*MESSAGES, *RECORDS] if f not in ("F03", "F04")])
def test_fields_are_final(fmt):
    """Each format has exactly the fields with the types and columns that messages are hashed with."""
    assert {name: said(field) for name, field in FILES.formats[fmt].fields.items()} == FINAL[fmt]
    assert all(re.fullmatch("[a-z_]{2,16}", name) for name in FILES.formats[fmt].fields)


def test_fields_beside_are_final():
    """The same fields beside the form in every format."""
    assert {name: said(field) for name, field in FILES.beside.items()} == FINAL["beside"]


@pytest.mark.parametrize("fmt", MESSAGES)
def test_every_field_is_shown_in_both_languages_from_the_same_bytes(fmt):
    """A full body, through its bytes, has each label and each code's words in the reader's language."""
    body = unpack(pack(full(fmt)))
    BOOK.check(fmt, body, status=FILES.formats[fmt].status[0], to=[b"\x01" * 32], after=fmt if fmt == "F11" else "F06")
    pages = {lang: "\n".join(BOOK.render(fmt, view(), body, lang)) for lang in ("en", "zh")}
    for lang, text in pages.items():
        assert FILES.formats[fmt].text(lang) in text
        fields = {n: f for n, f in [*FILES.formats[fmt].fields.items(), *FILES.beside.items()] if n in body}
        for name, field in fields.items():
            assert (field.text(lang) in text) or field.type == "slots"  # the values stand in the coded text
            for value, rule in _codes(body[name], field):
                assert f"{value} {FILES.lists[rule.list].codes[value].text(lang)}" in text
            for column in (field.columns or {}).values():
                assert column.text(lang) in text
    assert pages["en"] != pages["zh"]
    assert "field not in the format book" not in pages["en"]


def _codes(value, field):
    if field.type == "rows":
        return [found for row in value for name, cell in row.items() for found in _codes(cell, field.columns[name])]
    if field.list is None:
        return []
    return [(code, field) for code in (value if isinstance(value, list) else [value])]


@pytest.mark.parametrize("fmt", MESSAGES)
def test_every_missing_field_and_unknown_code_is_refused_by_its_name(fmt):
    """What the form asks for and is not said, and any code that no list has, is refused with the field named."""
    body = full(fmt)
    for name in FILES.formats[fmt].minimum:
        assert refusal(fmt, {k: v for k, v in body.items() if k != name}) == (name, "missing")
    for name, field in {**FILES.formats[fmt].fields, **FILES.beside}.items():
        if field.type in ("code", "codes") and not field.derived:
            bad = "ZZZ" if field.type == "code" else ["ZZZ"]
            assert refusal(fmt, body | {name: bad}) == (name, "unknown code")
        if field.derived:
            assert refusal(fmt, body | {name: sample(field)}) == (name, "derived")
        for column, rule in (field.columns or {}).items():
            row = sample(field)[0]
            if rule.type == "code":
                assert refusal(fmt, body | {name: [row | {column: "ZZZ"}]}) == (name, "unknown code")
            if column in field.need:
                assert refusal(fmt, body | {name: [{k: v for k, v in row.items() if k != column}]})[0] == name
    assert refusal(fmt, body | {"nothing_known": 1}) == ("nothing_known", "unknown field")


@pytest.mark.parametrize("fmt", ["F01", "F04"])
def test_a_form_that_says_nothing_is_refused(fmt):
    """Fields beside the form alone say nothing."""
    assert refusal(fmt, {"own_number": "A-17"}) == ("", "nothing said")


@pytest.mark.parametrize("fmt", ["F02", "F07", "F12", "F14"])
def test_what_the_header_says_needs_no_body(fmt):
    """An answer code, a level change and a correction may be said by the header alone."""
    BOOK.check(fmt, {}, status="message")


def test_a_reply_follows_a_request():
    """F07 refers to an F06, the answer to a request for assistance to an F11; others are free."""
    assert refusal("F07", full("F07"), after="F03") == ("refs", "order")
    assert refusal("F11", full("F11"), after="") == ("refs", "order")
    BOOK.check("F11", full("F11") | {"kind": "ASK"}, status="message", after="")


@pytest.mark.parametrize("fmt", RECORDS)
def test_renderings_of_records_are_in_no_message(fmt):
    """A01 and A02 show records: no status fits, and every field is derived."""
    form = FILES.formats[fmt]
    assert form.status == ()
    assert all(field.derived for field in form.fields.values())
    for lang in ("en", "zh"):
        text = "\n".join(BOOK.render(fmt, view(), full(fmt, derived=True), lang))
        assert all(field.text(lang) in text for field in form.fields.values())


@pytest.mark.parametrize("entry", sorted(BOOK.coded))
def test_every_coded_message_is_read_in_both_languages(entry):
    """The code words stay; the text is the code book's with the values in the reader's language."""
    slots = {n: {"time": TIME, "category": "LOC", "case": "US-2026-000003", "count": 3}[k]
             for n, k in BOOK.coded[entry].slots.items()}  # fmt: skip
    body = {"entry": entry, "slots": slots} if slots else {"entry": entry}
    BOOK.check("F13", body, status="message")
    for lang in ("en", "zh"):
        text = "\n".join(BOOK.render("F13", view(), body, lang))
        assert entry in text
        assert BOOK.coded_text(entry, slots, lang) in text
        assert "{" not in text
        if "time" in slots:
            assert utc(TIME) in text
        if "code" in slots:
            assert FILES.lists["category"].codes["LOC"].text(lang) in text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"entry": "BIRCH 01"}, "entry"),
        ({"entry": "MEADOW 01"}, "slots"),
        ({"entry": "MEADOW 01", "slots": {"time": "now"}}, "slots"),
        ({"entry": "MEADOW 02", "slots": {"time": TIME}}, "slots"),
        ({"entry": "MEADOW 04", "slots": {"code": "ZZZ"}}, "slots"),
        ({"entry": "LARCH 01", "slots": {"case": "x" * 101}}, "slots"),
        ({"entry": 1}, "entry"),
    ],
)
def test_a_coded_message_that_is_not_in_the_book_is_refused_and_shown_as_such(body, field):
    """An unknown code word, or values that its text does not take, name the field; a reader sees that it has no text."""
    assert refusal("F13", body)[0] == field
    shown = "\n".join(BOOK.render("F13", view(invalid=(field, "x")), body, "en"))
    assert "NOT VALID" in shown


@pytest.mark.parametrize(
    ("changes", "en", "zh"),
    [
        ({"move": "raise", "move_from": "attention", "move_to": "serious"}, "implies no accusation", "不含指责之意"),
        (
            {"move": "lower", "move_from": "serious", "move_to": "consultation", "move_at": (9, 7)},
            "up to 9 and 7",
            "至9与7",
        ),
        ({"ans": "NEN"}, "NEN received; not engaging at this time", "NEN 已收悉，现阶段暂不接洽"),
        ({"cor": "ERR"}, "ERR sent in error", "ERR 误发"),
        ({"single": True, "confirm": "awaiting"}, "AWAITING SECOND SIGNATURE", "待第二人签署"),
    ],
)
def test_what_the_header_moves_answers_and_corrects_is_in_words(changes, en, zh):
    """Level change, answer, correction and the missing second signature are shown in the reader's language."""
    fmt = {"move": "F12", "ans": "F07", "cor": "F14", "single": "F13"}[next(iter(changes))]
    body = {"next_contact": TIME} if fmt == "F12" else full(fmt)
    assert en in "\n".join(BOOK.render(fmt, view(**changes), body, "en"))
    assert zh in "\n".join(BOOK.render(fmt, view(**changes), body, "zh"))


def test_the_standard_sentences_are_said_word_for_word():
    """X2 with a person's receipt, X5 with "not engaging", X7 with "verifying", each with its time."""
    x2, x5, x7 = (FILES.sentences[no] for no in ("X2", "X5", "X7"))
    for lang in ("en", "zh"):
        assert x2.text(lang) in BOOK.render("F02", view(), {"step": "read"}, lang)
        assert x5.text(lang, time=utc(TIME)) in BOOK.render("F02", view(ans="NEN"), {"next_contact": TIME}, lang)
        assert x7.text(lang, time=utc(TIME)) in BOOK.render("F07", view(ans="CHK"), {"rest_by": TIME}, lang)
