"""What the files of a format book can say: their shapes, read narrowly (docs/protocol.md 4.2, channel/formats).

A book is agreed by both parties and travels in archives, so it is read as any bytes from outside: one error, no field
that is not known here, and no reference that leads nowhere. Nothing in a book is executed; its texts have
{placeholders} that are replaced, not formatted.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from keys.codec import unpack
from keys.errors import Malformed

Language = Literal["en", "zh"]
Text = Annotated[str, Meta(min_length=1, max_length=1000)]
Name = Annotated[str, Meta(pattern=r"\A[a-z_]{2,16}\Z")]
CodeName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_+ -]{0,31}\Z")]
FieldType = Literal["code", "codes", "text", "time", "count", "keys", "refs", "material", "rows", "entry", "slots"]
SlotKind = Literal["time", "case", "count", "category"]
T = TypeVar("T")

IN_ROWS = frozenset({"code", "codes", "text", "time", "count"})
SHARED_FILES = frozenset({"codes.toml", "levels.toml", "sentences.toml", "beside.toml"})
MAX_SLOTS = 4
SLOT = re.compile(r"\{([a-z_]+)\}")
PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")

# The labels without which nothing can be rendered.
NEEDED_LABELS = frozenset(
    [
        "number",
        "end",
        "from",
        "to",
        "composed",
        "logged",
        "received",
        "case",
        "refs",
        "level",
        "ack_by",
        "reply_by",
        "within",
        "cosign",
        "single",
        "played",
        "changed",
        "version",
        "material",
        "authentic",
        "unknown_code",
        "unread_field",
        "from_to",
        "at",
        "no_text",
        "invalid",
    ]
)
NEEDED_SENTENCES = frozenset({"X2", "X3", "X4", "X5", "X7", "X8", "X12"})
NEEDED = frozenset({"header", "unit", "mode", "status", "prec", "tlp", "pap", "lang", "role", "standing", "caveat"}) | {
    "move",
    "answer",
    "correction",
    "confirm",
    "category",
}


class Said(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One text in both languages."""

    en: Text
    zh: Text

    def text(self, lang: str, /, **values: str) -> str:
        """The text in one language with its {placeholders} replaced, each once: values may hold braces of their own."""
        return PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), self.zh if lang == "zh" else self.en)


class CodeList(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list of codes; ``prints`` = the standard sentence that goes with every use of it."""

    codes: dict[CodeName, Said]
    prints: str | None = None


class LevelWord(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a level is shown."""

    shape: Annotated[str, Meta(min_length=1, max_length=1)]
    bars: Annotated[int, Meta(ge=1, le=6)]
    colour: Annotated[str, Meta(pattern=r"\A#[0-9A-F]{6}\Z")]
    border: Literal["double"] | None = None


class Field(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body field. ``max`` in characters; ``lines``: more than one line.

    ``columns``, ``need``: of ``rows``, whose items are maps; the columns that every item has. ``derived``: shown from
    a record, and in no body.
    """

    type: FieldType
    letter: Annotated[str, Meta(pattern=r"\A[A-Z]\Z")] | None = None
    list: str | None = None
    max: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    lines: bool = False
    derived: bool = False
    columns: dict[Name, Field] | None = None
    need: tuple[Name, ...] = ()


class Defaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds where a message says nothing."""

    tlp: str
    pap: str
    basis: str
    caveat: tuple[str, ...]


class Format(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One format file. ``minimum``: the fields without which it can't go out; ``empty``: it may say nothing.

    ``after``: what the first reference of such a message is; where ``after_if`` says so, of those bodies alone.
    """

    code: Annotated[str, Meta(pattern=r"\A[FA][0-9]{2}\Z")]
    version: Annotated[int, Meta(ge=1)]
    status: tuple[Literal["message", "test", "system"], ...]
    minimum: tuple[Name, ...]
    preliminary: bool
    empty: bool = False
    after: tuple[str, ...] = ()
    after_if: dict[Name, str] = {}
    defaults: Defaults
    fields: dict[Name, Field]


class CodedText(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message of the code book: its text with {slots}, and what each of them takes."""

    slots: dict[Name, SlotKind]


class Files(Struct, frozen=True, kw_only=True):
    """A whole format book, read. ``beside``: the fields that any body can carry."""

    formats: dict[str, Format]
    beside: dict[str, Field]
    lists: dict[str, CodeList]
    levels: dict[str, LevelWord]
    sentences: dict[str, Said]


@lru_cache(maxsize=8)  # a reader opens many messages under one book
def read_files(book: bytes) -> Files:
    """The files of a format book (DCM {file name: bytes}), or ``Malformed`` BOOK."""
    raw = _map_of_bytes(book)
    lists = _read(raw, "codes.toml", dict[Name, CodeList])
    levels = _read(raw, "levels.toml", dict[Name, LevelWord])
    sentences = _read(raw, "sentences.toml", dict[str, Said])
    beside = _read(raw, "beside.toml", dict[Name, Field])
    formats = {name.removesuffix(".toml"): _read(raw, name, Format) for name in raw if name not in SHARED_FILES}
    files = Files(formats=formats, beside=beside, lists=lists, levels=levels, sentences=sentences)
    if (fault := _fault(files)) is not None:
        raise Malformed("BOOK", file=fault[0], why=fault[1])
    return files


@lru_cache(maxsize=8)
def read_code_book(book: bytes) -> dict[str, CodedText]:
    """The messages of a code book (DCM {file name: bytes}), or ``Malformed`` BOOK."""
    name = "codebook.toml"
    found = _read(_map_of_bytes(book), name, dict[CodeName, CodedText])
    for text in found.values():
        if len(text.slots) > MAX_SLOTS or any(
            set(SLOT.findall(said)) != text.slots.keys() for said in (text.en, text.zh)
        ):
            raise Malformed("BOOK", file=name, why="the texts do not have these slots")
    return found


def _map_of_bytes(book: bytes) -> dict[str, bytes]:
    try:
        raw = unpack(book)
    except Malformed as e:
        raise Malformed("BOOK", file="", why=str(e)) from e
    if not isinstance(raw, dict) or not all(isinstance(v, bytes) for v in raw.values()):
        raise Malformed("BOOK", file="", why="no map of files")
    return raw


def _read(raw: dict[str, bytes], name: str, type_: type[T]) -> T:
    if name not in raw:
        raise Malformed("BOOK", file=name, why="missing")
    try:
        plain: dict[str, Any] = tomllib.loads(raw[name].decode())
        return msgspec.convert(plain, type_)
    except (ValueError, RecursionError) as e:  # TOML, UTF-8 and msgspec errors are ValueErrors
        raise Malformed("BOOK", file=name, why=str(e) or e.__class__.__name__) from e


def _fault(files: Files) -> tuple[str, str] | None:
    """The first reference that leads nowhere: (file, what), or None."""
    if missing := NEEDED - files.lists.keys():
        return "codes.toml", f"no list {min(missing)}"
    if (
        missing := NEEDED_LABELS - files.lists["header"].codes.keys()
        | {"s", "min", "h", "d"} - files.lists["unit"].codes.keys()
    ):
        return "codes.toml", f"no label {min(missing)}"
    if missing := NEEDED_SENTENCES - files.sentences.keys():
        return "sentences.toml", f"no {min(missing)}"
    for name, codes in files.lists.items():
        if codes.prints is not None and codes.prints not in files.sentences:
            return "codes.toml", f"{name} prints an unknown sentence"
    if (why := _fields_fault(files.beside, files)) is not None:
        return "beside.toml", why
    for name, form in files.formats.items():
        if name != form.code:
            return f"{name}.toml", "another format's code"
        if (why := _form_fault(form, files)) is not None:
            return f"{name}.toml", why
    return None


def _form_fault(form: Format, files: Files) -> str | None:
    if not set(form.minimum) <= form.fields.keys():
        return "minimum names an unknown field"
    if form.fields.keys() & files.beside.keys():
        return "a field of its own with the name of one beside"
    if not set(form.after) <= files.formats.keys():
        return "after names an unknown format"
    if not form.after_if.keys() <= form.fields.keys():
        return "after_if names an unknown field"
    if (why := _fields_fault(form.fields, files)) is not None:
        return why
    defaults = form.defaults
    fits = (
        defaults.tlp in files.lists["tlp"].codes
        and defaults.pap in files.lists["pap"].codes
        and set(defaults.caveat) <= files.lists["caveat"].codes.keys()
    )
    return None if fits else "an unknown default"


def _fields_fault(fields: dict[str, Field], files: Files) -> str | None:
    for name, field in fields.items():
        if field.list is None and field.type in ("code", "codes"):
            return f"{name} has no list"
        if field.list is not None and (field.type not in ("code", "codes", "text") or field.list not in files.lists):
            return f"{name} has an unknown list"
        if (field.max is None) == (field.type == "text"):
            return f"{name}: texts and no other fields have a longest length"
        if (field.columns is None) == (field.type == "rows"):
            return f"{name}: rows and no other fields have columns"
        columns = field.columns or {}
        if not set(field.need) <= columns.keys():
            return f"{name} needs an unknown column"
        if any(column.type not in IN_ROWS for column in columns.values()):
            return f"{name} has rows within rows"
        if (why := _fields_fault(columns, files)) is not None:
            return why
    return None
