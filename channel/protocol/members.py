"""Who belongs to a party at each position of its log: root, roster, seal keys, revocations (docs/protocol.md 12.2).

Each record that changes them makes a new frozen ``Standing``; ``History`` finds the one in force before a position.
Version 1 stands from the start, so it has index -1.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from keys.documents import Member, Root
from keys.identity import PublicKey
from keys.roster import Admitted

START = -1


@dataclass(frozen=True, slots=True)
class Standing:
    """A party's authority and members after one record."""

    index: int
    root: Root
    root_keys: Mapping[bytes, PublicKey] = field(repr=False)
    admitted: Admitted = field(repr=False)
    first: Mapping[bytes, int] = field(repr=False)
    """Every key ever admitted: the index of the record that first did."""
    since: Mapping[bytes, int] = field(repr=False)
    """Every key admitted now: the index of the record that admitted it without a break."""
    revoked: Mapping[bytes, int] = field(repr=False)
    """Keys ended by a ``revoke`` record, with its index."""
    replaced: Mapping[bytes, tuple[int, bytes]] = field(repr=False)
    """Seal keys with a successor: the index of the record that replaced it, and the member's signing key."""

    @classmethod
    def start(cls, root: Root, root_keys: Mapping[bytes, PublicKey], admitted: Admitted) -> Standing:
        """Version 1 of root and roster."""
        at = dict.fromkeys(admitted.members, START)
        return cls(START, root, root_keys, admitted, at, at, {}, {})

    def ended(self, kid: bytes) -> bool:
        """Whether a key was revoked, by a roster or by a record."""
        return kid in self.revoked or kid in self.admitted.revoked

    def signer(self, kid: bytes) -> Member | None:
        """The member of a signing key that holds here, apart from the void rule."""
        member = self.admitted.members.get(kid)
        return member if member is not None and member.kid == kid and not self.ended(kid) else None

    def with_root(self, index: int, root: Root, keys: Mapping[bytes, PublicKey]) -> Standing:
        """After a new root."""
        return replace(self, index=index, root=root, root_keys=keys)

    def with_members(self, index: int, admitted: Admitted) -> Standing:
        """After a new roster or a new seal key."""
        new, old = admitted.members, self.admitted.members
        replaced = {kid: at for kid, at in self.replaced.items() if kid not in new}
        for kid, member in old.items():
            if kid in member.kem and kid not in new and member.kid in new:
                replaced[kid] = (index, member.kid)
        return replace(
            self,
            index=index,
            admitted=admitted,
            first={**dict.fromkeys(new, index), **self.first},
            since={kid: self.since.get(kid, index) if kid in old else index for kid in new},
            replaced=replaced,
        )

    def with_revoked(self, index: int, kids: tuple[bytes, ...]) -> Standing:
        """After a revocation."""
        return replace(self, index=index, revoked={**dict.fromkeys(kids, index), **self.revoked})


class History:
    """A party's standings in order of index."""

    def __init__(self, start: Standing) -> None:
        self._all = [start]

    def add(self, standing: Standing) -> None:
        """The standing after a record."""
        self._all.append(standing)

    def before(self, size: int) -> Standing:
        """The standing on the first ``size`` records."""
        return self._all[max(0, bisect_left(self._all, size, key=lambda s: s.index) - 1)]


def void(kid: bytes, own: Standing, other: Standing) -> bool:
    """Whether both parties have admitted a key with valid proofs: then it holds for neither."""
    return kid in own.first and kid in other.first
