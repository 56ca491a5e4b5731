"""A party as others see it, and who a message goes to by default (docs/protocol.md 11.1)."""

from __future__ import annotations

from itertools import zip_longest

from channel.protocol.members import Standing, void
from channel.protocol.tables import Tables
from channel.protocol.verdicts import LETTERS, PartyView
from keys.documents import Member

READERS = frozenset({"expert", "official", "duty"})
Ends = tuple[int, int]


def party_view(t: Tables, p: int, size: int) -> PartyView:
    """A party on the first ``size`` records of its log."""
    s = t.sides[p].history.before(size)
    roster = s.admitted.roster
    return PartyView(
        letter=LETTERS[p],
        code=t.codes[p],
        roster=roster,
        root=s.root,
        members=s.admitted.members,
        keys=s.admitted.keys,
        persons={n.id: (n.en, n.zh) for n in roster.persons},
        seats={n.id: (n.en, n.zh) for n in roster.seats},
    )


def seal_key(t: Tables, p: int, kid: bytes, ends: Ends) -> bytes | None:
    """The seal key of the current member with signing key ``kid``, if both hold."""
    own, other = (t.sides[x].history.before(ends[x]) for x in (p, 1 - p))
    member = own.signer(kid)
    return None if member is None else _seal(member, own, other)


def default_recipients(t: Tables, ends: Ends) -> tuple[bytes, ...]:
    """Both records keys, then experts, officials and duty officers of both parties in turn, up to ``max_to``."""
    a, b = (side.history.before(size) for side, size in zip(t.sides, ends, strict=True))
    lists = [_readers(a, b), _readers(b, a)]
    chosen = [kid for found in lists for role, kid in found if role == "records"]
    rest = [kid for pair in zip_longest(*([k for r, k in x if r != "records"] for x in lists)) for kid in pair if kid]
    return tuple(sorted((chosen + rest)[: t.policy_at(ends).policy.limits.max_to]))


def _readers(own: Standing, other: Standing) -> list[tuple[str, bytes]]:
    members = {m.kid: m for m in own.admitted.members.values()}
    return [
        (m.role, kid)
        for m in members.values()
        if (m.role in READERS or m.role == "records") and own.signer(m.kid) and (kid := _seal(m, own, other))
    ]


def _seal(m: Member, own: Standing, other: Standing) -> bytes | None:
    if not m.kem or own.ended(m.kem[0]) or void(m.kem[0], own, other) or void(m.kid, own, other):
        return None
    return m.kem[0]
