"""Proofs of possession: that the holder of a key asked to be this member of this party (docs/protocol.md section 3).

A proof is an envelope of type ``pop`` over {mode, party, root, kid, person, seat, role, nonce}, a blob of the record
that first names the key. A signing key signs its own. A seal key can't sign: the member's signing key does, and the
proof carries ``opened``, the challenge that the admitting operator sealed to the new key and its holder opened.
A proof binds to the party's root version 1, not to a channel: the roster must exist before the charter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import UNSET

from keys.documents import Pop
from keys.envelope import Envelope, read_envelope, sign
from keys.errors import Malformed, Refused, Unverified, WrongUse
from keys.identity import PrivateKey, PublicKey
from keys.shapes import Role

CHALLENGE_LENGTH = 32
_CHALLENGE = b"dcx/v1/challenge\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a proof says of its key: whose it is to be. ``root`` is the payload hash of the party's root version 1."""

    party: str
    root: bytes
    person: str
    seat: str
    role: Role


def make_pop(claim: Claim, key: PrivateKey, nonce: bytes) -> Envelope:
    """The proof of a signing key, signed with it. ``nonce`` is 16 fresh random bytes."""
    return sign("pop", _document(claim, key.mode, key.kid, nonce), [key])


def make_kem_pop(claim: Claim, signer: PrivateKey, kid: bytes, opened: bytes, nonce: bytes) -> Envelope:
    """The proof of a seal key ``kid``: ``signer`` is the member's signing key, ``opened`` the challenge as opened."""
    return sign("pop", _document(claim, signer.mode, kid, nonce, opened), [signer])


def challenge(key: PublicKey, secret: bytes) -> bytes:
    """``secret`` (32 fresh random bytes, kept by the admitting operator) sealed to a seal key."""
    if len(secret) != CHALLENGE_LENGTH:
        raise WrongUse("CHALLENGE_LENGTH", length=len(secret), need=CHALLENGE_LENGTH)
    return key.seal(key.mode, _CHALLENGE + key.kid, secret)


def open_challenge(key: PrivateKey, sealed: bytes) -> bytes:
    """The secret of a challenge made for this seal key, or ``Unverified`` CHALLENGE."""
    secret = key.unwrap(_CHALLENGE + key.kid, sealed, CHALLENGE_LENGTH)
    if secret is None:
        raise Unverified("CHALLENGE", kid=key.kid)
    return secret


def check_pop(blob: bytes, claim: Claim, keys: Mapping[bytes, PublicKey], signer: PublicKey) -> Pop:
    """The proof in ``blob`` that one of ``keys`` is ``claim``'s, signed by ``signer`` alone; else ``Refused`` POP.

    ``keys`` are the member's keys by id, ``signer`` the signing one of them.
    """
    try:
        envelope = read_envelope(blob)
        pop = envelope.read("pop", Pop)
    except Malformed as e:
        raise Refused("POP", why="unreadable") from e
    if not says(pop, claim, keys, signer):
        raise Refused("POP", why="not for this member")
    if envelope.kids != (signer.kid,) or not envelope.verified(signer.mode, {signer.kid: signer}):
        raise Refused("POP", why="signature")
    return pop


def says(pop: Pop, claim: Claim, keys: Mapping[bytes, PublicKey], signer: PublicKey) -> bool:
    """Whether a proof's fields are exactly this claim to one of ``keys``. Says nothing about its signature."""
    said = Claim(party=pop.party, root=pop.root, person=pop.person, seat=pop.seat, role=pop.role)
    key = keys.get(pop.kid)
    if key is None or said != claim or pop.mode != key.mode or key.mode != signer.mode:
        return False
    return (pop.opened is UNSET) == (pop.kid == signer.kid)


def _document(claim: Claim, mode: int, kid: bytes, nonce: bytes, opened: bytes | None = None) -> Pop:
    return Pop(
        mode=1 if mode == 1 else 2,
        party=claim.party,
        root=claim.root,
        kid=kid,
        person=claim.person,
        seat=claim.seat,
        role=claim.role,
        nonce=nonce,
        opened=UNSET if opened is None else opened,
    )
