"""What the files of a format book can say: their shapes, read narrowly (docs/protocol.md 4.2, channel/formats).

A book is agreed by both parties and travels in archives, so it is read as any bytes from outside: one error, no field
that is not known here, and no reference that leads nowhere. Nothing in a book is executed; its texts have
{placeholders} that are replaced, not formatted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from keys.codec import unpack
from keys.errors import Malformed
from keys.plain import LAST_TIME

Language = Literal["en", "zh"]
Text = Annotated[str, Meta(min_length=1, max_length=1000)]
Name = Annotated[str, Meta(pattern=r"\A[a-z_]{2,16}\Z")]
CodeName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_+ -]{0,31}\Z")]
FieldType = Literal["code", "codes", "text", "time", "keys", "refs", "material"]
T = TypeVar("T")

MAX_ITEMS = 20
MATERIAL = {"name": 200, "how": 500}  # texts of a material and their longest length
MAX_SIZE = 1 << 53

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
    ]
)
NEEDED_SENTENCES = frozenset({"X3", "X4", "X12"})
NEEDED = frozenset({"header", "unit", "mode", "status", "prec", "tlp", "pap", "lang", "role", "standing", "caveat"})


class Said(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One text in both languages."""

    en: Text
    zh: Text

    def text(self, lang: str, /, **values: str) -> str:
        """The text in one language with its {placeholders} replaced."""
        said = self.zh if lang == "zh" else self.en
        for name, value in values.items():
            said = said.replace("{" + name + "}", value)
        return said


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
    """A body field. ``max`` in characters; ``lines``: more than one; ``beside``: not part of the form itself."""

    type: FieldType
    letter: Annotated[str, Meta(pattern=r"\A[A-Z]\Z")] | None = None
    list: str | None = None
    max: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    lines: bool = False
    beside: bool = False


class Defaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds where a message says nothing."""

    tlp: str
    pap: str
    basis: str
    caveat: tuple[str, ...]


class Format(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One format file. ``minimum``: the fields without which it can't go out."""

    code: Annotated[str, Meta(pattern=r"\A[FA][0-9]{2}\Z")]
    version: Annotated[int, Meta(ge=1)]
    status: tuple[Literal["message", "test", "system"], ...]
    minimum: tuple[Name, ...]
    preliminary: bool
    defaults: Defaults
    fields: dict[Name, Field]


class Files(Struct, frozen=True, kw_only=True):
    """A whole format book, read."""

    formats: dict[str, Format]
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
    formats = {
        name.removesuffix(".toml"): _read(raw, name, Format)
        for name in raw
        if name not in ("codes.toml", "levels.toml", "sentences.toml")
    }
    files = Files(formats=formats, lists=lists, levels=levels, sentences=sentences)
    if (fault := _fault(files)) is not None:
        raise Malformed("BOOK", file=fault[0], why=fault[1])
    return files


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
    for name, form in files.formats.items():
        if name != form.code:
            return f"{name}.toml", "another format's code"
        if (why := _form_fault(form, files)) is not None:
            return f"{name}.toml", why
    return None


def _form_fault(form: Format, files: Files) -> str | None:
    if not set(form.minimum) <= form.fields.keys():
        return "minimum names an unknown field"
    for name, field in form.fields.items():
        if field.list is None and field.type in ("code", "codes"):
            return f"{name} has no list"
        if field.list is not None and (field.type not in ("code", "codes", "text") or field.list not in files.lists):
            return f"{name} has an unknown list"
        if (field.max is None) == (field.type == "text"):
            return f"{name}: texts and no other fields have a longest length"
    defaults = form.defaults
    fits = (
        defaults.tlp in files.lists["tlp"].codes
        and defaults.pap in files.lists["pap"].codes
        and set(defaults.caveat) <= files.lists["caveat"].codes.keys()
    )
    return None if fits else "an unknown default"


def value_fault(files: Files, rule: Field | None, value: Any) -> str | None:
    """Why ``value`` does not fit the field, or None."""
    if rule is None:
        return "unknown field"
    codes = files.lists[rule.list].codes if rule.list is not None else {}
    match rule.type:
        case "code":
            return None if isinstance(value, str) and value in codes else "unknown code"
        case "codes":
            return _items_fault(value, lambda v: isinstance(v, str) and v in codes, "unknown code")
        case "text":
            return _text_fault(value, rule.max or 0, lines=rule.lines)
        case "time":
            return None if type(value) is int and 0 < value < LAST_TIME else "no time"
        case "keys" | "refs":
            return _items_fault(value, lambda v: isinstance(v, bytes) and len(v) == 32, "no id")
    return _items_fault(value, _is_material, "no material")


def _items_fault(value: Any, fits: Callable[[Any], bool], why: str) -> str | None:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ITEMS:
        return "no list"
    if not all(fits(item) for item in value):
        return why
    return "twice" if any(item in value[:at] for at, item in enumerate(value)) else None


def _text_fault(value: Any, longest: int, *, lines: bool) -> str | None:
    if not isinstance(value, str):
        return "no text"
    if not value.strip():
        return "empty"
    if len(value) > longest:
        return "too long"
    return "one line" if not lines and ("\n" in value or "\r" in value) else None


def _is_material(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"name", "size", "sha256", "how"}
        and all(_text_fault(value[name], longest, lines=False) is None for name, longest in MATERIAL.items())
        and type(value["size"]) is int
        and 0 <= value["size"] <= MAX_SIZE
        and isinstance(value["sha256"], bytes)
        and len(value["sha256"]) == 32
    )
