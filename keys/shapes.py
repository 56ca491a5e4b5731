"""The shapes that documents are made of: exact lengths, codes and names (docs/protocol.md sections 2 and 4).

A document is a frozen Struct that refuses unknown fields. An absent field is left out, never nil: ``UNSET`` here.
"""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from keys.errors import Malformed

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Bytes16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Ed = Annotated[bytes, Meta(min_length=32, max_length=32)]
MlDsa44 = Annotated[bytes, Meta(min_length=1312, max_length=1312)]
Time = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Version = Annotated[int, Meta(ge=1)]
Mode = Literal[1, 2]
PartyCode = Annotated[str, Meta(pattern=r"\A[A-Z]{2,8}\Z")]
Id = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{0,63}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Language = Literal["en", "zh"]
Role = Literal["expert", "official", "duty", "operator", "records", "observer", "control", "evaluator"]
Standing = Literal["government", "designated expert", "informal"]
ZERO = bytes(32)


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signed document of version 1."""

    v: Literal[1] = 1


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A map inside a document."""


class TwoNames(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name in both languages."""

    en: Name
    zh: Name

    def __post_init__(self) -> None:
        check_name(self.en)
        check_name(self.zh)


def check_name(text: str) -> None:
    """A name is NFC and has no control or format characters, or ``ValueError`` (``Malformed`` PARSE once decoded)."""
    if not unicodedata.is_normalized("NFC", text) or any(unicodedata.category(c) in ("Cc", "Cf") for c in text):
        raise ValueError("a name that is not NFC or has control characters")


def check_sorted(what: str, items: tuple[bytes, ...] | tuple[str, ...]) -> None:
    """Strictly rising order, so no doubles, or ``Malformed`` PARSE."""
    if any(a >= b for a, b in pairwise(items)):  # type: ignore[operator]
        raise Malformed("PARSE", what=what, why="not sorted, or one twice")
