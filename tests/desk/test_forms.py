"""Forms of the formats: a filled form says what the same fields say on the command line."""

from __future__ import annotations

import pytest

from channel.cli.entering import read_body
from channel.client.composing import Draft
from channel.desk import forms
from channel.i18n import Texts
from keys.errors import Problem

FORMATS = [f"F{n:02d}" for n in range(1, 15)]
FACTS = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": 1_790_000_000_000, "control": "K9"}


async def known(room):
    """A message that others can refer to."""
    async with room.desk("us").working() as client:
        sent = await client.send(Draft(fmt="F03", body=FACTS | {"line": "One line."}, lang="en"))
    return sent.verdict.number


def filled(book, name, rule, number):
    """(what a form has, what is typed at a prompt) for one field with every kind of value that it takes."""
    codes = [] if rule.list is None else list(book.files.lists[rule.list].codes)
    match rule.type:
        case "code":
            return {name: (codes[0],)}, [f"{name}={codes[0]}"]
        case "codes":
            return {name: tuple(codes[:2])}, [f"{name}={','.join(codes[:2])}"]
        case "text" if codes:
            return {name: ("",), f"{name}.code": (codes[0],)}, [f"{name}={codes[0]}"]
        case "text" if rule.lines:
            return {name: ("  first\nsecond ",)}, [f"{name}=first\\nsecond"]
        case "text":
            return {name: ("In one line, 一行",)}, [f"{name}=In one line, 一行"]
        case "time":
            return {name: ("2026-11-24 08:30",)}, [f"{name}=2026-11-24 08:30"]
        case "count":
            return {name: ("12",)}, [f"{name}=12"]
        case "refs":
            return {name: (f" {number} ",)}, [f"{name}={number}"]
        case "keys":
            return {name: ("us:expert-1", "cn:duty")}, [f"{name}=us:expert-1,cn:duty"]
        case "entry":
            return {name: ("MEADOW 03",)}, [f"{name}=MEADOW 03"]
        case "slots":
            return {"slots.MEADOW 03.time": ("2026-11-24 08:30",)}, [f"{name}=time=2026-11-24 08:30"]
    return {}, []


def rows(book, name, rule, number):
    values, given = {}, []
    for at in (0, 2):  # the row between was taken away
        cells = []
        for column, r in rule.columns.items():
            typed, said = filled(book, column, r, number)
            values |= {f"{name}.{at}.{key}": value for key, value in typed.items()}
            cells += said
        given.append(f"{name}={'; '.join(cells)}")
    return values, given


@pytest.mark.parametrize("fmt", FORMATS)
async def test_a_filled_form_is_the_body_of_the_command_line(room, fmt):
    """Every field of every format, filled in: the same body, to the byte, as from ``channel send --set``."""
    number = await known(room)
    async with room.desk("us").working() as client:
        book = client.book()
        values, given = {}, []
        for name, rule in forms.fields_of(book, fmt).items():
            typed, said = (rows if rule.type == "rows" else filled)(book, name, rule, number)
            values |= typed
            given += said
        body, faults = forms.read_body(client, fmt, values)
        assert faults == {}
        assert body == read_body(client, fmt, given, None)
        assert body


@pytest.mark.parametrize("fmt", FORMATS)
async def test_every_field_of_a_format_is_in_its_form_once(room, fmt):
    """What the book has is in a group, in both languages; the needed fields stand in the first, marked."""
    async with room.desk("us").working() as client:
        for lang in ("en", "zh"):
            groups = forms.form_groups(client, fmt, {}, Texts(lang))
            shown = [each.name for group in groups for each in group.inputs]
            assert sorted(shown) == sorted(set(forms.fields_of(client.book(), fmt)) - {"slots"})
            minimum = set(client.book().files.formats[fmt].minimum)
            assert minimum <= {each.name for each in groups[0].inputs}
            assert {each.name for group in groups for each in group.inputs if each.needed} == minimum
            rule = client.book().files.beside["material"]
            assert next(each for each in groups[-1].inputs if each.name == "material").label == rule.text(lang)


async def test_an_empty_form_says_nothing(room):
    """Empty fields, empty rows and unticked boxes stand in no body; nothing is chosen beforehand."""
    async with room.desk("us").working() as client:
        for fmt in FORMATS:
            values = dict.fromkeys(forms.fields_of(client.book(), fmt), ("",))
            assert forms.read_body(client, fmt, values) == ({}, {})
            groups = forms.form_groups(client, fmt, {}, Texts("en"))
            assert [each.name for group in groups for each in group.inputs if each.said] == []
        assert forms.read_body(client, "F07", {"answers.0.no": ("1",), "answers.0.ans": ("",)}) == ({}, {})


@pytest.mark.parametrize(
    ("fmt", "name", "typed", "why"),
    [
        ("F03", "since", "tomorrow", "no time"),
        ("F03", "since", "+2h", "no time"),
        ("F06", "reply_until", "2026-13-01 00:00", "no time"),
        ("F03", "line", "\x1b[31m", "CONTROL_CHARACTERS"),
        ("F04", "technical", "US-2026-999999", "NO_MESSAGE"),
    ],
)
async def test_what_does_not_fit_is_a_fault_at_its_field(room, fmt, name, typed, why):
    """The field is named, the rest of the body is read all the same."""
    async with room.desk("us").working() as client:
        body, faults = forms.read_body(
            client, fmt, {name: (typed,), "place": ("here",)} if fmt != "F06" else {name: (typed,)}
        )
        assert list(faults) == [name]
        assert why in (faults[name].code, faults[name].values.get("why"))
        assert body == ({"place": "here"} if fmt != "F06" else {})
        with pytest.raises(Problem):
            forms.body_of(client, fmt, {name: (typed,)})


async def test_a_code_and_own_words_in_one_field_are_one_too_many(room):
    """Neither is dropped in silence."""
    async with room.desk("us").working() as client:
        values = {"questions.0.ask": ("Why?",), "questions.0.ask.code": ("Q1",)}
        _, faults = forms.read_body(client, "F06", values)
        assert faults["questions"].values["why"] == "twice"


async def test_what_is_told_of_a_file(room):
    """Name, size, SHA-256 and the way of delivery; nothing else of it is in the body."""
    async with room.desk("us").working() as client:
        values = {
            "material.0.name": ("log.txt",), "material.0.size": ("3",), "material.0.sha256": ("ab" * 32,),
            "material.0.how": ("by courier",),
        }  # fmt: skip
        body, faults = forms.read_body(client, "F03", values)
        assert faults == {}
        assert body == {"material": [{"name": "log.txt", "size": 3, "sha256": b"\xab" * 32, "how": "by courier"}]}
