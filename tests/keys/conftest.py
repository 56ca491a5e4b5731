"""A small party with seeded keys: three authority keys, four members, all proofs; and what tests change in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256, shake_256
from typing import Any

import pytest
from msgspec.structs import replace

from keys import suites
from keys.codec import pack
from keys.documents import Member, Named, Root, Roster
from keys.envelope import Envelope, sign
from keys.identity import PrivateKey
from keys.pop import Claim, make_kem_pop, make_pop
from keys.roster import Admitted, check_root, check_roster
from keys.shapes import ZERO


@cache
def key(label: str, suite: int = suites.SIGN, mode: int = 2) -> PrivateKey:
    """The key of a label: always the same, so that failures repeat."""
    return PrivateKey(mode, suite, shake_256(label.encode()).digest(suites.SEED_LENGTH[suite]))


class Party:
    """One party's documents in the making, with the blobs that belong to them."""

    def __init__(self, code: str = "US", mode: int = 2) -> None:
        self.code, self.mode = code, mode
        self.blobs: dict[bytes, bytes] = {}
        self.authority = [self.key(f"authority {n}") for n in range(3)]
        self.root = self.make_root(self.authority)
        self.root_hash = sha256(pack(self.root)).digest()

    def key(self, label: str, suite: int = suites.SIGN) -> PrivateKey:
        made = key(f"{self.code} {label}", suite, self.mode)
        self.blobs[made.kid] = made.public.encode()
        return made

    def make_root(self, keys: list[PrivateKey], **other: Any) -> Root:
        fields = {
            "mode": self.mode, "party": self.code, "ver": 1, "prev": ZERO, "keys": tuple(k.kid for k in keys),
            "threshold": 2, "next": (), "soft_exp": 1, "hard_exp": 2,
        }  # fmt: skip
        return Root(**fields | other)

    def claim(self, member: Member) -> Claim:
        return Claim(
            party=self.code, root=self.root_hash, person=member.person, seat=member.seat, role=member.role
        )  # fmt: skip

    def keep(self, envelope: Envelope) -> bytes:
        """The address of a proof, now among the blobs."""
        raw = envelope.encode()
        self.blobs[sha256(raw).digest()] = raw
        return sha256(raw).digest()

    def member(self, person: str, seat: str, role: str, *, kem: bool = True, label: str = "", **other: Any) -> Member:
        signer = self.key(f"{label or person}@{seat} sign")
        seal = self.key(f"{label or person}@{seat} seal", suites.SEAL)
        member = Member(
            person=person, seat=seat, role=role, standing="government", sig=(signer.kid,),
            kem=(seal.kid,) if kem else (), langs=("en",), pop=(), **other,
        )  # fmt: skip
        return self.prove(member, signer)

    def prove(self, member: Member, signer: PrivateKey) -> Member:
        pops = [make_pop(self.claim(member), signer, bytes(16))]
        pops += [make_kem_pop(self.claim(member), signer, kid, bytes(32), bytes(16)) for kid in member.kem]
        return replace(member, pop=tuple(self.keep(p) for p in pops))

    def make_roster(self, members: list[Member], **other: Any) -> Roster:
        named = lambda ids: tuple(Named(id=i, en=i, zh=i) for i in sorted(set(ids)))  # noqa: E731
        fields = {
            "mode": self.mode, "party": self.code, "ver": 1, "prev": ZERO, "root_ver": 1,
            "persons": named(m.person for m in members), "seats": named(m.seat for m in members),
            "members": tuple(members), "revoked": (), "soft_exp": 1, "hard_exp": 2,
        }  # fmt: skip
        return Roster(**fields | other)

    def sign(self, doc: str, document: object) -> Envelope:
        return sign(doc, document, self.authority[:2])

    def keys_of(self, *keys: PrivateKey) -> dict[bytes, Any]:
        return {k.kid: k.public for k in keys}

    def check(self, roster: Roster, before: Admitted | None = None, **other: Any) -> Admitted:
        """``check_roster`` of a roster that two authority keys sign."""
        keys = self.keys_of(*self.authority)
        return check_roster(
            self.sign("roster", roster), self.root, self.root_hash, keys, before, self.blobs.get, **other
        )  # fmt: skip

    def members(self) -> list[Member]:
        return [
            self.member("expert-1", "expert", "expert"),
            self.member("duty-1", "watch", "duty"),
            self.member("operator-1", "operations", "operator", kem=False),
            self.member("records-1", "records", "records"),
        ]


@pytest.fixture
def party() -> Party:
    return Party()


@pytest.fixture
def make_party() -> Callable[..., Party]:
    return Party


@pytest.fixture
def make_key() -> Callable[..., PrivateKey]:
    return key


@pytest.fixture
def first(party: Party) -> Admitted:
    """Version 1 of the party's roster, admitted."""
    check_root(party.sign("root", party.root), party.keys_of(*party.authority))
    return party.check(party.make_roster(party.members()))
