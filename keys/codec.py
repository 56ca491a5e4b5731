"""DCM: deterministic msgpack, one byte string for each value (docs/protocol.md section 2).

Maps have ``str`` keys sorted bytewise; ints are minimal; there is no nil, float, ext or timestamp; depth at most 8,
maps at most 64 keys, arrays at most 4,096 items. ``unpack`` refuses whatever ``pack`` would not have written:
duplicate keys, long ints, other orders, trailing bytes, bad UTF-8.

    >>> pack({"b": 1, "a": b"\\x00"}).hex()
    '82a161c40100a16201'
"""

from __future__ import annotations

from typing import Any, TypeVar, overload

import msgspec

from keys.errors import Malformed

DEPTH, KEYS, ITEMS = 8, 64, 4096

T = TypeVar("T")
_encoder = msgspec.msgpack.Encoder(order="sorted")
_decoder = msgspec.msgpack.Decoder()
_typed: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def pack(value: Any) -> bytes:
    """The DCM bytes of a value or of a ``msgspec.Struct``. The value's own limits are the caller's to keep."""
    return _encoder.encode(value)


@overload
def unpack(data: bytes) -> Any: ...
@overload
def unpack(data: bytes, type: type[T]) -> T: ...
def unpack(data: bytes, type: Any = None) -> Any:  # noqa: A002  the word that msgspec uses, too
    """The value of DCM bytes, or ``Malformed`` PARSE. With ``type`` (a Struct) it has those fields and no others."""
    try:
        plain = _decoder.decode(data)
        fault = _fault(plain, DEPTH)
        if fault is None and _encoder.encode(plain) != data:
            fault = "not the one DCM form of its value"
        if fault is None and type is None:
            return plain
        if fault is None:
            typed = _typed_decoder(type).decode(data)
            if _encoder.encode(typed) == data:
                return typed
            fault = "a field is missing"  # one that has a default in the Struct
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError, ValueError, TypeError) as e:
        fault = str(e) or e.__class__.__name__
    raise Malformed("PARSE", what=_name(type), why=fault)


def _typed_decoder(type_: Any) -> msgspec.msgpack.Decoder[Any]:
    if type_ not in _typed:
        _typed[type_] = msgspec.msgpack.Decoder(type_)
    return _typed[type_]


def _fault(value: Any, depth: int) -> str | None:
    """What in a decoded value DCM does not allow, or None."""
    match value:
        case bool() | int() | str() | bytes():
            return None
        case dict():
            if depth == 0:
                return f"deeper than {DEPTH}"
            if len(value) > KEYS:
                return f"more than {KEYS} keys in a map"
            if not all(isinstance(k, str) for k in value):
                return "a map key that is no string"
            return next((f for v in value.values() if (f := _fault(v, depth - 1))), None)
        case list():
            if depth == 0:
                return f"deeper than {DEPTH}"
            if len(value) > ITEMS:
                return f"more than {ITEMS} items in an array"
            return next((f for v in value if (f := _fault(v, depth - 1))), None)
    return f"a value of type {value.__class__.__name__}"


def _name(type_: Any) -> str:
    return getattr(type_, "__name__", "DCM")
