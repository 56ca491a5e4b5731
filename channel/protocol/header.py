"""The message header: clear to both nodes, signed, its fields fixed (docs/protocol.md section 11.1).

The payload of a ``msg`` is the header and four more fields: ``kc`` commits to the content key, ``bd`` to the body's
fields, ``blob`` and ``blen`` to the sealed bytes.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from channel.protocol.charter import AnswerCode, LevelCode, Precedence, Seconds
from keys.codec import pack
from keys.shapes import Bytes16, Count, Document, Hash, Language, Shape, Time

FormatCode = Literal[
    "F01", "F02", "F03", "F04", "F05", "F06", "F07", "F08", "F09", "F10", "F11", "F12", "F13", "F14"
]  # fmt: skip
Tlp = Literal["RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR"]
Pap = Literal["RED", "AMBER", "GREEN", "CLEAR"]
MoveOp = Literal["raise", "lower", "concur", "object", "suspend", "resume", "close"]
_BEYOND_HEADER = ("kc", "bd", "blob", "blen")


class Move(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The clear part of F12 and F05: what happens to a case's level. ``at`` = sizes of logs a and b it covers."""

    op: MoveOp
    from_: LevelCode | UnsetType = field(default=UNSET, name="from")
    to: LevelCode | UnsetType = UNSET
    at: tuple[Count, Count] | UnsetType = UNSET


class Header(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything about a message that both nodes may read."""

    chan: Hash
    from_: Hash = field(name="from")
    mid: Bytes16
    ts: Time
    prev: Hash
    suite: Annotated[int, Meta(ge=1, le=0xFFFF)]
    to: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=20)]
    fmt: FormatCode
    case: Hash | UnsetType = UNSET
    level: LevelCode
    prec: Precedence
    status: Literal["message", "test", "system"]
    refs: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=16)] | UnsetType = UNSET
    lang: Language
    ack_by: Seconds | UnsetType = UNSET
    reply_by: Seconds | UnsetType = UNSET
    tlp: Tlp | UnsetType = UNSET
    pap: Pap | UnsetType = UNSET
    cosign: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=3)] | UnsetType = UNSET
    single: bool | UnsetType = UNSET
    move: Move | UnsetType = UNSET
    ans: AnswerCode | UnsetType = UNSET
    cor: Literal["COR", "WDR", "DUP", "ERR", "MIX", "CMP", "DUR"] | UnsetType = UNSET


class Payload(Header, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The signed payload of a ``msg``."""

    kc: Hash
    bd: Hash
    blob: Hash
    blen: Annotated[int, Meta(ge=1)]

    def header_bytes(self) -> bytes:
        """The DCM bytes of the header alone."""
        return pack({k: v for k, v in _fields(self).items() if k not in _BEYOND_HEADER})

    def header_hash(self) -> bytes:
        """``hh``, which binds the sealed body to this header."""
        return header_hash(self.header_bytes())


def header_hash(header_bytes: bytes) -> bytes:
    """SHA-256("dcx/v1/hdr\\0" ‖ header)."""
    return sha256(b"dcx/v1/hdr\0" + header_bytes).digest()


def payload_of(header: Header, *, kc: bytes, bd: bytes, blob: bytes, blen: int) -> Payload:
    """The payload of a header and its sealed blob."""
    return msgspec.convert(
        {**_fields(header), "kc": kc, "bd": bd, "blob": blob, "blen": blen}, Payload, builtin_types=(bytes,)
    )


def _fields(document: Header) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(document, builtin_types=(bytes,))
    return plain
