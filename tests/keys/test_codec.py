"""DCM: one byte string for each value, and nothing else is read."""

from __future__ import annotations

from typing import Annotated, Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from keys.codec import DEPTH, ITEMS, KEYS, pack, unpack
from keys.errors import Malformed
from keys.shapes import Document, Id, TwoNames, check_sorted

SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(max_size=40), st.binary(max_size=300)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6), st.dictionaries(st.text(max_size=12), inner, max_size=6)
    ),
    max_leaves=20,
)  # fmt: skip


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((depth(v) for v in value.values()), default=0)
    return 1 + max((depth(v) for v in value), default=0) if isinstance(value, list) else 0


def in_order(value: Any) -> Any:
    """The value with its maps in the order of their keys' bytes."""
    if isinstance(value, dict):
        return {k: in_order(value[k]) for k in sorted(value, key=str.encode)}
    return [in_order(v) for v in value] if isinstance(value, list) else value


def refused(raw: bytes, type_: Any = None) -> str:
    with pytest.raises(Malformed) as caught:
        unpack(raw) if type_ is None else unpack(raw, type_)
    assert caught.value.code == "PARSE"
    return str(caught.value.values["why"])


@given(VALUES.filter(lambda v: depth(v) <= DEPTH))
def test_every_value_has_one_form_and_an_independent_encoder_gives_it_too(value):
    """Packed by us and, with sorted keys, by msgpack: the same bytes; read back: the same value."""
    raw = pack(value)
    assert raw == msgpack.packb(in_order(value), use_bin_type=True)
    assert unpack(raw) == value


@given(st.binary(max_size=200))
def test_whatever_is_read_has_no_other_form(raw):
    """Any bytes: refused, or exactly the form of their value."""
    try:
        value = unpack(raw)
    except Malformed as e:
        assert e.code == "PARSE"
    else:
        assert pack(value) == raw


@given(VALUES.filter(lambda v: depth(v) <= DEPTH), st.data())
def test_a_changed_byte_never_gives_the_same_value(value, data):
    """What is one byte away is refused or is another value."""
    raw = pack(value)
    place = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:place] + bytes([raw[place] ^ data.draw(st.integers(1, 255))]) + raw[place + 1 :]
    try:
        read = unpack(changed)
    except Malformed:
        return
    assert pack(read) == changed
    assert pack(read) != raw


def longer(raw: bytes) -> list[bytes]:
    """The same first value with each longer header that msgpack knows for it."""
    head, rest = raw[0], raw[1:]
    if head <= 0x7F:
        return [b"\xcc" + raw, b"\xcd\0" + raw, b"\xce\0\0\0" + raw, b"\xcf" + bytes(7) + raw, b"\xd0" + raw]
    if head >= 0xE0:
        return [b"\xd0" + raw, b"\xd1\xff" + raw, b"\xd2\xff\xff\xff" + raw, b"\xd3" + b"\xff" * 7 + raw]
    if 0xA0 <= head <= 0xBF:
        n = bytes([head & 31])
        return [b"\xd9" + n + rest, b"\xda\0" + n + rest, b"\xdb\0\0\0" + n + rest]
    if 0x90 <= head <= 0x9F:
        n = bytes([head & 15])
        return [b"\xdc\0" + n + rest, b"\xdd\0\0\0" + n + rest]
    if 0x80 <= head <= 0x8F:
        n = bytes([head & 15])
        return [b"\xde\0" + n + rest, b"\xdf\0\0\0" + n + rest]
    if head == 0xC4:
        return [b"\xc5\0" + rest, b"\xc6\0\0\0" + rest]
    return []


@given(VALUES.filter(lambda v: depth(v) < DEPTH))
def test_longer_headers_are_refused(value):
    """Long ints, strings, bytes, arrays and maps, at the top and inside an array and a map."""
    for raw in longer(pack(value)):
        assert msgpack.unpackb(raw, strict_map_key=False) == value  # msgpack itself reads them
        for outer in (raw, b"\x91" + raw, b"\x81\xa1a" + raw):
            refused(outer)


@given(st.sets(st.text(max_size=6), min_size=2, max_size=6), st.integers(1, 5))
def test_maps_in_another_order_are_refused(names, turn):
    """Keys stand in the order of their bytes: turned or reversed they are refused."""
    keys = sorted(names, key=str.encode)
    turn = 1 + turn % (len(keys) - 1) if len(keys) > 2 else 1
    for other in (keys[turn:] + keys[:turn], keys[::-1]):
        refused(msgpack.packb(dict.fromkeys(other, 7)))


@given(st.text(max_size=6), SCALARS, SCALARS)
def test_a_doubled_key_is_refused(key, one, two):
    """Also when both values are the same."""
    refused(b"\x82" + pack(key) + pack(one) + pack(key) + pack(two))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc0",  # nil
        b"\x91\xc0",
        b"\x81\xa1a\xc0",
        b"\xc1",  # never used
        msgpack.packb(1.0),
        msgpack.packb([1.5], use_single_float=True),
        b"\xca\x7f\xc0\0\0",  # NaN
        msgpack.packb(msgpack.ExtType(5, b"x")),
        b"\xd6\xff\0\0\0\1",  # a timestamp
        msgpack.packb({1: 2}),
        msgpack.packb({b"a": 2}),
        b"\x81\x90\x01",  # an array as a key
        b"\x81\x80\x01",  # a map as a key
        b"\x81\xc0\x01",
        b"\xa1\xff",  # bad UTF-8
        b"\xa3\xed\xa0\x80",  # a surrogate
        b"\xa2\xc0\x80",  # a longer form of NUL
        b"\x81\xa1\xff\x01",
        b"\xc4\x05abc",  # cut
        b"\x92\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x01\x02",  # goes on
        b"\x80\x80",
    ],
)
def test_what_dcm_does_not_have_is_refused(raw):
    """Nil, floats, extensions, other keys, broken text, cuts and more than one value."""
    refused(raw)


def test_limits_hold_at_their_edge():
    """Depth 8, 64 keys, 4,096 items: read; one more: refused."""
    nested: Any = 1
    for _ in range(DEPTH):
        nested = [nested]
    assert unpack(pack(nested)) == nested
    assert "deeper" in refused(pack([nested]))
    assert "deeper" in refused(pack({"a": nested}))
    keys = {f"{n:02}": n for n in range(KEYS)}
    assert unpack(pack(keys)) == keys
    assert "keys" in refused(pack(keys | {"x": 1}))
    items = [0] * ITEMS
    assert unpack(pack(items)) == items
    assert "items" in refused(pack([*items, 0]))


@pytest.mark.parametrize("unit", [b"\x91", b"\x81\xa1a"])
def test_bottomless_nesting_is_refused(unit):
    """As an error of the bytes, not of the machine."""
    refused(unit * 100_000 + b"\x01")


class _Paper(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Id
    count: Annotated[int, Meta(ge=0)]
    note: str | UnsetType = UNSET


def test_a_document_is_read_whole_or_not_at_all():
    """Its fields and no others, with their types; its version must be there."""
    good = {"v": 1, "id": "a", "count": 2}
    assert unpack(pack(good), _Paper) == _Paper(id="a", count=2)
    assert pack(_Paper(id="a", count=2)) == pack(good)
    assert unpack(pack(good | {"note": "x"}), _Paper).note == "x"
    for wrong in (
        good | {"more": 1}, {"id": "a", "count": 2}, {"v": 1, "id": "a"}, good | {"v": 2}, good | {"count": True},
        good | {"count": -1}, good | {"id": b"a"}, good | {"id": "A b"}, good | {"note": b""}, [1, "a", 2],
    ):  # fmt: skip
        refused(pack(wrong), _Paper)


def test_names_are_composed_and_without_what_the_eye_does_not_see():
    """NFC only; no control, bidi or zero-width characters."""
    assert unpack(pack({"en": "Watch é", "zh": "值班台"}), TwoNames)
    for bad in ("e\u0301", "a\nb", "a\u202eb", "a\u200bb", "", "x" * 201):
        refused(pack({"en": bad, "zh": "值班台"}), TwoNames)


def test_sorted_lists_rise_strictly():
    """One twice, or out of order, is refused."""
    check_sorted("to", (b"a", b"b"))
    for wrong in ((b"b", b"a"), (b"a", b"a")):
        with pytest.raises(Malformed):
            check_sorted("to", wrong)
