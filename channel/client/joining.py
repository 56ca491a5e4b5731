"""A new key for a seat: the file that asks for its admission, and the answer to the operator's challenge.

    new_key(home, "expert-3", Passphrase("…"))
    request(home, "expert-3", "e.green", "expert", passphrase, random)   # keys/expert-3.request: goes to the operator
    answer(home, "expert-3", passphrase, challenge, random)              # keys/expert-3.answer: goes back

    SEAT.request   DCM {v, mode, party, person, seat, role, sign, seal, pop}: both key objects, and the proof that the
                   signing key's holder asks to be this member (docs/protocol.md section 3)
    challenge      what ``keys.pop.challenge`` makes for the seal key; the operator keeps its secret
    SEAT.answer    the envelope of the seal key's proof, with the challenge as opened

All of it is public but the key file itself. Nothing here admits anybody: a roster does, signed by the authority.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from channel.client.home import DeskHome
from channel.client.seats import seat_of
from channel.client.unlocking import check_kept, unlock
from keys.codec import pack, unpack
from keys.documents import Pop
from keys.envelope import read_envelope
from keys.errors import Malformed, Refused, Unverified, WrongUse
from keys.identity import PublicKey, check_key, read_key
from keys.keyring import AT_REST, Cost, Passphrase, show_keys, write_file, write_keys
from keys.keyring import new_key as fresh
from keys.pop import Claim, check_pop, make_kem_pop, make_pop, open_challenge
from keys.shapes import Document, Id, Mode, PartyCode, Role
from keys.suites import SEAL, SIGN

MOST = 65_536
"""Bytes of a file that is read here."""


class KeyRequest(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator needs to admit a key. ``sign`` and ``seal`` are key objects, ``pop`` an envelope."""

    mode: Mode
    party: PartyCode
    person: Id
    seat: Id
    role: Role
    sign: bytes
    seal: bytes
    pop: bytes


def new_key(home: DeskHome, name: str, passphrase: Passphrase, cost: Cost = AT_REST) -> None:
    """A key to sign and one to open, of the channel's mode, in ``keys/NAME.key``. ``WrongUse`` NO_ID; ``Refused`` EXISTS."""
    check_id(name, "seat")
    mode = home.founding.read_charter().mode
    folder = home.path / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    write_keys(folder / f"{name}.key", [fresh(mode, SIGN), fresh(mode, SEAL)], passphrase, name, cost)


def request(
    home: DeskHome, name: str, person: str, role: Role, passphrase: Passphrase, random: Callable[[int], bytes]
) -> KeyRequest:
    """Write ``keys/NAME.request`` for a key of this home, over an earlier one. ``WrongUse`` NO_ID, NO_SEAT; ``Refused`` PASSPHRASE."""
    check_id(name, "seat")
    check_id(person, "person")
    keys = unlock(home, name, passphrase)
    claim = Claim(party=home.config.party, root=_root(home), person=person, seat=seat_of(name), role=role)
    made = KeyRequest(
        mode=home.founding.read_charter().mode,
        party=claim.party,
        person=person,
        seat=claim.seat,
        role=role,
        sign=keys.sign.public.encode(),
        seal=keys.seal.public.encode(),
        pop=make_pop(claim, keys.sign, random(16)).encode(),
    )
    write_file(request_path(home, name), pack(made), 0o644, over=True)
    return made


def read_request(raw: bytes, root: bytes) -> KeyRequest:
    """A request whose proof holds, for a party whose root version 1 has this payload hash. ``Malformed`` PARSE, ``Refused`` POP."""
    found = unpack(raw, KeyRequest)
    signer, seal = read_key(found.sign), read_key(found.seal)
    if (signer.suite, seal.suite) != (SIGN, SEAL):
        raise Refused("POP", why="not for this member")
    for key in (signer, seal):
        check_key(key, found.mode)
    claim = Claim(party=found.party, root=root, person=found.person, seat=found.seat, role=found.role)
    check_pop(found.pop, claim, {signer.kid: signer, seal.kid: seal}, signer)
    return found


def kept_request(home: DeskHome, name: str) -> KeyRequest | None:
    """The request of a key of this home; None where none was made, or it is another key's."""
    try:
        found = unpack(request_path(home, name).read_bytes()[:MOST], KeyRequest)
    except (OSError, Malformed):
        return None
    sign, _ = public_keys(home, name)
    return found if found.sign == sign.encode() else None


def answer(
    home: DeskHome, name: str, passphrase: Passphrase, challenge: bytes, random: Callable[[int], bytes]
) -> bytes:
    """Write ``keys/NAME.answer``: the seal key's proof for the operator. ``Unverified`` CHALLENGE; ``WrongUse`` NO_REQUEST."""
    asked = kept_request(home, name)
    if asked is None:
        raise WrongUse("NO_REQUEST", seat=name)
    keys = unlock(home, name, passphrase)
    try:
        opened = open_challenge(keys.seal, challenge)
    except (Malformed, Refused) as e:
        raise Unverified("CHALLENGE", kid=keys.seal.kid) from e
    pop = read_envelope(asked.pop).read("pop", Pop)
    claim = Claim(party=pop.party, root=pop.root, person=pop.person, seat=pop.seat, role=pop.role)
    made = make_kem_pop(claim, keys.sign, keys.seal.kid, opened, random(16)).encode()
    write_file(answer_path(home, name), made, 0o644, over=True)
    return made


def public_keys(home: DeskHome, name: str) -> tuple[PublicKey, PublicKey]:
    """The key to sign with and the key to seal to, of a key file of this home; no passphrase is needed."""
    check_kept(home, name)
    path = home.path / "keys" / f"{name}.key"
    by_suite = {key.suite: key for key in show_keys(path).keys}
    if set(by_suite) != {SIGN, SEAL}:
        raise WrongUse("SEAT_KEYS", path=path)
    return by_suite[SIGN], by_suite[SEAL]


def request_path(home: DeskHome, name: str) -> Path:
    """Where the request of a key lies."""
    return home.path / "keys" / f"{name}.request"


def answer_path(home: DeskHome, name: str) -> Path:
    """Where the answer to the challenge lies."""
    return home.path / "keys" / f"{name}.answer"


def check_id(text: str, field: str) -> None:
    """``WrongUse`` NO_ID for what can't name a seat or a person."""
    try:
        msgspec.convert(text, Id)
    except msgspec.ValidationError as e:
        raise WrongUse("NO_ID", field=field, text=text) from e


def _root(home: DeskHome) -> bytes:
    """The payload hash of the own party's root version 1."""
    founding = home.founding
    party = founding.a if founding.read_charter().letter(home.config.party) == "a" else founding.b
    return read_envelope(party.root).hash
