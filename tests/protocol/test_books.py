"""Broken books (docs/protocol.md 4.2): every way in which the files do not fit together is told with the file and why."""

from __future__ import annotations

import tomllib

import pytest

from channel.formats import code_book, format_book
from channel.protocol.book import Said
from channel.protocol.formats import Book
from keys.codec import pack, unpack
from keys.errors import Malformed

FILES = unpack(format_book())
CODES = unpack(code_book())["codebook.toml"]
FORMATS = {name.removesuffix(".toml") for name in FILES if name[0] in "AF"}
CAVEATS = set(tomllib.loads(FILES["codes.toml"].decode())["caveat"]["codes"])


def fault(book: bytes, codes: bytes | None = None) -> tuple[str, str]:
    """The file that is named and why, of a book that can't be read."""
    with pytest.raises(Malformed) as caught:
        Book.read(book, codes)
    assert caught.value.code == "BOOK"
    return str(caught.value.values["file"]), str(caught.value.values["why"])


def changed(file: str, was: str, becomes: str) -> bytes:
    """The format book with one place of one file changed."""
    text = FILES[file].decode()
    assert was in text
    return pack(FILES | {file: text.replace(was, becomes, 1).encode()})


def coded(**text: object) -> bytes:
    """A code book with one message."""
    lines = [f"{name} = {value}" for name, value in text.items()]
    return pack({"codebook.toml": "\n".join(['["MEADOW 01"]', *lines]).encode()})


@pytest.mark.parametrize(
    ("file", "was", "becomes", "why"),
    [
        ("codes.toml", "[prec]", "[prek]", "no list prec"),
        ("codes.toml", "\nmin = {", "\nminn = {", "no label min"),
        ("codes.toml", "\nno_text = {", "\nno_texts = {", "no label no_text"),
        ("codes.toml", 'prints = "X11"', 'prints = "X99"', "severity prints an unknown sentence"),
        ("sentences.toml", "[X4]", "[Y4]", "no X4"),
        ("beside.toml", 'list = "caveat"', "", "caveat has no list"),
        ("beside.toml", 'list = "caveat"', 'list = "nothing"', "caveat has an unknown list"),
        ("beside.toml", "max = 200\n", "", "basis: texts and no other fields have a longest length"),
        ("F03.toml", 'code = "F03"', 'code = "F09"', "another format's code"),
        ("F03.toml", "minimum = [", 'minimum = ["nowhere", ', "minimum names an unknown field"),
        ("F03.toml", 'tlp = "AMBER"', 'tlp = "BROWN"', "an unknown default"),
        ("F03.toml", 'pap = "AMBER"', 'pap = "BROWN"', "an unknown default"),
        ("F03.toml", 'caveat = ["WP"]', 'caveat = ["WP", "WQ"]', "an unknown default"),
        ("F03.toml", "[fields.since]", "[fields.basis]", "minimum names an unknown field"),
        ("F04.toml", "[fields.trend]", "[fields.basis]", "a field of its own with the name of one beside"),
        ("F07.toml", 'after = ["F06"]', 'after = ["F06", "F99"]', "after names an unknown format"),
        ("F11.toml", 'after_if = { kind = "ANS" }', 'after_if = { sort = "ANS" }', "after_if names an unknown field"),
        ("F07.toml", 'type = "time"', 'type = "time"\nmax = 9', "rest_by: texts and no other fields have a longest length"),
        ("F07.toml", 'type = "time"', 'type = "rows"', "rest_by: rows and no other fields have columns"),
        ("F07.toml", 'type = "rows"\nneed = ["no", "ans"]', 'type = "refs"', "answers: rows and no other fields have columns"),
        ("F07.toml", 'need = ["no", "ans"]', 'need = ["no", "nowhere"]', "answers needs an unknown column"),
        ("F07.toml", 'type = "time"', 'type = "time"\nneed = ["no"]', "rest_by needs an unknown column"),
        ("F07.toml", 'type = "count"', 'type = "refs"', "answers has rows within rows"),
        ("F07.toml", 'list = "answer"', 'list = "nothing"', "ans has an unknown list"),
        ("F07.toml", 'list = "answer"', "", "ans has no list"),
        ("F07.toml", "max = 1000\n", "", "text: texts and no other fields have a longest length"),
        ("F07.toml", 'type = "count"', 'type = "count"\nlist = "answer"', "no has an unknown list"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_together(file: str, was: str, becomes: str, why: str) -> None:
    """A reference that leads nowhere, or a field whose parts do not go together, names the file and the place."""
    text = changed(file, was, becomes)
    if "prek" in becomes:
        text = text.replace(b"[prec.codes]", b"[prek.codes]")
    assert fault(text) == (file, why)


def test_a_file_that_is_missing_or_none() -> None:
    """A file that the book has to have is named; bytes that are no map of files name none."""
    fewer = {name: data for name, data in FILES.items() if name != "levels.toml"}
    assert fault(pack(fewer)) == ("levels.toml", "missing")
    assert fault(pack({"F03.toml": 1})) == ("", "no map of files")
    assert fault(pack([b"F03.toml"])) == ("", "no map of files")
    assert fault(b"\x81")[0] == ""
    assert fault(pack(FILES | {"F03.toml": b"\xff"}))[0] == "F03.toml"
    assert fault(pack(FILES | {"F15.toml": FILES["F03.toml"]})) == ("F15.toml", "another format's code")
    assert "line 1" in fault(pack(FILES | {"F03.toml": b"= ="}))[1]


def test_references_may_name_all_that_there_is() -> None:
    """A minimum of every field, an order after any format, a condition on every field, every caveat: still a book."""
    small = (
        'code = "F03"\nen = "N"\nzh = "文"\nversion = 1\nstatus = ["message"]\nminimum = ["text"]\n'
        f"preliminary = false\nafter = {sorted(FORMATS)}\n"
        'after_if = { text = "x" }\n[defaults]\ntlp = "RED"\npap = "RED"\nbasis = "VOL"\n'
        f"caveat = {sorted(CAVEATS)}\n"
        '[fields.text]\nen = "T"\nzh = "文"\ntype = "text"\nmax = 9\n'
    )
    form = Book.read(pack(FILES | {"F03.toml": small.encode()})).files.formats["F03"]
    assert (form.minimum, set(form.after), set(form.defaults.caveat)) == (("text",), FORMATS, CAVEATS)


@pytest.mark.parametrize("length", [1000, 1001])
def test_a_text_of_a_book_has_1000_characters_at_most(length: int) -> None:
    """The thousandth is read, one more is not."""
    text = "x" * length
    book = coded(slots="{}", en=f'"{text}"', zh='"句"')
    if length == 1000:
        assert Book.read(format_book(), book).coded["MEADOW 01"].en == text
    else:
        assert fault(format_book(), book)[0] == "codebook.toml"


def test_a_coded_message_has_the_slots_of_both_its_texts() -> None:
    """A slot too many or too few in either language, or more than four, and the code book is not read."""
    why = ("codebook.toml", "the texts do not have these slots")
    good = {"slots": '{ time = "time" }', "en": '"By {time}."', "zh": '"{time}前。"'}
    assert set(Book.read(format_book(), coded(**good)).coded) == {"MEADOW 01"}
    assert fault(format_book(), coded(**good | {"en": '"Soon."'})) == why
    assert fault(format_book(), coded(**good | {"zh": '"{time}前，{case}。"'})) == why
    assert fault(format_book(), coded(**good | {"slots": "{}"})) == why
    names = [f"slot_{letter}" for letter in "abcde"]
    for many in (4, 5):
        slots = ", ".join(f'{name} = "count"' for name in names[:many])
        said = '"' + " ".join(f"{{{name}}}" for name in names[:many]) + '"'
        book = coded(slots=f"{{ {slots} }}", en=said, zh=said)
        if many == 4:
            assert len(Book.read(format_book(), book).coded["MEADOW 01"].slots) == 4
        else:
            assert fault(format_book(), book) == why


def test_a_code_book_that_can_not_be_read() -> None:
    """No file of that name, no TOML, an unknown kind of slot, or a field more: the code book's file is named."""
    assert fault(format_book(), pack({"codes.toml": CODES})) == ("codebook.toml", "missing")
    assert fault(format_book(), pack({"codebook.toml": b"= ="}))[0] == "codebook.toml"
    good = {"slots": '{ time = "time" }', "en": '"By {time}."', "zh": '"{time}前。"'}
    assert fault(format_book(), coded(**good | {"slots": '{ time = "name" }'}))[0] == "codebook.toml"
    assert fault(format_book(), coded(**good, more=1))[0] == "codebook.toml"


def test_a_value_that_looks_like_a_placeholder_stays_as_it_is() -> None:
    """Placeholders are replaced once: what stands in one value is not taken for another's place."""
    said = Said(en="{name} ({how}), {sha256} {other}", zh="{how}：{name}")
    values = {"name": "{how}{sha256}", "how": "{name}", "sha256": "00"}
    assert said.text("en", **values) == "{how}{sha256} ({name}), 00 {other}"
    assert said.text("zh", **values) == "{name}：{how}{sha256}"


def test_the_shipped_code_book_reads_as_its_file() -> None:
    """Every message of the file is there with its slots and both texts."""
    read = Book.read(format_book(), code_book()).coded
    written = tomllib.loads(CODES.decode())
    assert {name: {"slots": m.slots, "en": m.en, "zh": m.zh} for name, m in read.items()} == written
