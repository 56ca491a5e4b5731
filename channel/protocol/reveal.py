"""Reveals: what a party shows of a sealed message to the reader of an archive (docs/protocol.md section 11.7).

    full      {party, mid, cek, why, by}                             the content key: the whole body can be read
    redacted  {party, mid, digests, fields: [{name, salt, value}…], why, by}    the disclosed fields alone

Both are proved against the signed payload: the key by ``kc`` and the body by ``bd``, a field by its digest in ``bd``.
``why`` and ``by`` are the word of whoever made the archive; nothing signs them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from channel.protocol.header import Payload
from channel.protocol.message import Opened, digest_of, field_digest, open_with_cek
from keys.codec import pack, unpack
from keys.errors import Malformed, Refused, Unverified
from keys.shapes import Bytes16, Hash, PartyCode, Shape

WhyCode = Literal["dispute", "law", "public", "report", "review"]
By = Annotated[str, Meta(pattern=r"\A[A-Z]{2,8}:[a-z0-9][a-z0-9._-]{0,63}\Z")]
FieldName = Annotated[str, Meta(min_length=1, max_length=64)]


class Disclosed(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field of the body with its salt."""

    name: FieldName
    salt: Bytes16
    value: Any


class _Reveal(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    party: PartyCode
    mid: Bytes16
    why: WhyCode
    by: By


class Full(_Reveal, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content key of a message. ``party`` = its sender's code; ``by`` = party code and seat, ``US:records``."""

    cek: Hash


class Redacted(_Reveal, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All digests of a body's fields, sorted, and the fields that are shown, sorted by name."""

    digests: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=64)]
    fields: Annotated[tuple[Disclosed, ...], Meta(max_length=64)]


@dataclass(frozen=True, slots=True)
class Revealed:
    """What a reveal proved. ``hidden``: how many fields of the body it does not show.

    ``tlp``, ``pap``: the limits that the message's header names; "" where its format's hold.
    """

    number: str
    party: str
    mid: bytes
    full: bool
    body: Mapping[str, Any] = field(repr=False)
    hidden: int
    why: str
    by: str
    tlp: str
    pap: str


def full(payload: Payload, party: str, cek: bytes, *, why: WhyCode, by: str) -> dict[str, Any]:
    """The body of a reveal that opens the whole message. ``party``: code of the message's sender; ``cek`` 32 bytes."""
    return _plain(Full(party=party, mid=payload.mid, cek=cek, why=why, by=by))


def redacted(
    payload: Payload, party: str, opened: Opened, names: Collection[str], *, why: WhyCode, by: str
) -> dict[str, Any]:
    """The body of a reveal that shows the fields ``names`` alone; ``Refused`` REVEAL_FIELD for a name the body lacks."""
    if missing := sorted(set(names) - opened.body.keys()):
        raise Refused("REVEAL_FIELD", field=missing[0])
    digests = sorted(field_digest(name, value, opened.salts[name]) for name, value in opened.body.items())
    shown = [Disclosed(name=n, salt=opened.salts[n], value=opened.body[n]) for n in sorted(set(names))]
    made = Redacted(party=party, mid=payload.mid, digests=tuple(digests), fields=tuple(shown), why=why, by=by)
    return _plain(made)


def read_reveal(body: Mapping[str, Any]) -> Full | Redacted:
    """The reveal of a section's map, or ``Malformed``."""
    if "cek" in body:
        return unpack(pack(dict(body)), Full)
    reveal = unpack(pack(dict(body)), Redacted)
    rising = all(a < b for a, b in pairwise(reveal.digests))
    if not rising or any(a.name >= b.name for a, b in pairwise(reveal.fields)):
        raise Malformed("PARSE", what="Redacted", why="not sorted, or one twice")
    return reveal


def check_reveal(reveal: Full | Redacted, payload: Payload, blob: bytes, number: str) -> Revealed:
    """What a reveal shows of the message ``number`` with this payload; ``Unverified`` REVEAL where it proves nothing."""
    if isinstance(reveal, Full):
        try:
            opened = open_with_cek(payload, blob, reveal.cek)
        except Unverified as e:
            raise Unverified("REVEAL", why=str(e.values.get("why", e.code))) from e
        return _revealed(reveal, payload, number, opened.body, 0)
    if digest_of(reveal.digests) != payload.bd:
        raise Unverified("REVEAL", why="BD")
    for each in reveal.fields:
        if field_digest(each.name, each.value, each.salt) not in reveal.digests:
            raise Unverified("REVEAL", why="FIELD")
    body = {each.name: each.value for each in reveal.fields}
    return _revealed(reveal, payload, number, body, len(reveal.digests) - len(body))


def _revealed(reveal: Full | Redacted, payload: Payload, number: str, body: Mapping[str, Any], hidden: int) -> Revealed:
    tlp, pap = (limit if isinstance(limit, str) else "" for limit in (payload.tlp, payload.pap))
    whole = isinstance(reveal, Full)
    return Revealed(number, reveal.party, reveal.mid, whole, body, hidden, reveal.why, reveal.by, tlp, pap)


def _plain(reveal: Full | Redacted) -> dict[str, Any]:
    """The section's map, with the same checks that its reader makes."""
    plain: dict[str, Any] = msgspec.to_builtins(reveal, builtin_types=(bytes,))
    read_reveal(plain)
    return plain
