"""What the authorities of one party sign: root, roster, revocation, proof of possession (docs/protocol.md section 4).

Shapes only; the rules of their chains stand in ``keys.roster``.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from keys.shapes import (
    Bytes16,
    Document,
    Hash,
    Id,
    Language,
    Mode,
    Name,
    PartyCode,
    Role,
    Shape,
    Standing,
    Time,
    Version,
    check_name,
)

REASON = r"\A[a-z][a-z0-9-]{0,31}\Z"


class Root(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party's authority: which keys, how many must sign, which may come next."""

    mode: Mode
    party: PartyCode
    ver: Version
    prev: Hash
    keys: tuple[Hash, ...]
    threshold: Annotated[int, Meta(ge=2)]
    next: tuple[Hash, ...]
    soft_exp: Time
    hard_exp: Time


class Named(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person or a seat of a roster: its id and its name in both languages."""

    id: Id
    en: Name
    zh: Name

    def __post_init__(self) -> None:
        check_name(self.en)
        check_name(self.zh)


class Member(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person in one seat, with the keys and the hashes of the proofs of possession (blobs)."""

    person: Id
    seat: Id
    role: Role
    standing: Standing
    sig: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=1)]
    kem: Annotated[tuple[Hash, ...], Meta(max_length=1)]
    langs: Annotated[tuple[Language, ...], Meta(min_length=1, max_length=2)]
    pop: tuple[Hash, ...]
    played: bool | UnsetType = UNSET

    @property
    def kid(self) -> bytes:
        """The signing key id."""
        return self.sig[0]


class Roster(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party's persons, seats and members, signed by the threshold of its current root."""

    mode: Mode
    party: PartyCode
    ver: Version
    prev: Hash
    root_ver: Version
    persons: tuple[Named, ...]
    seats: tuple[Named, ...]
    members: tuple[Member, ...]
    revoked: tuple[Hash, ...]
    soft_exp: Time
    hard_exp: Time


class Revoke(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys that end by log position; one operator or one authority key of the party signs."""

    mode: Mode
    party: PartyCode
    kids: Annotated[tuple[Hash, ...], Meta(min_length=1)]
    reason: Annotated[str, Meta(pattern=REASON)]
    ts: Time


class Pop(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Proof of possession of ``kid``. For a seal key the member's signing key signs and ``opened`` is the challenge."""

    mode: Mode
    party: PartyCode
    root: Hash
    kid: Hash
    person: Id
    seat: Id
    role: Role
    nonce: Bytes16
    opened: Hash | UnsetType = UNSET
