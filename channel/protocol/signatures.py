"""MODE, CHAN, SIGNER and SIG: the checks that every record of a person passes, in this order (12.2)."""

from __future__ import annotations

from collections.abc import Collection

from channel.protocol.tables import Tables, verifies
from channel.protocol.verdicts import Entry, Signer
from keys import suites
from keys.documents import Member
from keys.errors import Malformed
from keys.identity import CONTEXT, PublicKey, read_key


def check_people(
    t: Tables, e: Entry, kids: tuple[bytes, ...], roles: Collection[str], *, here: bool, mode: int | None = None
) -> str:
    """Empty if exactly the members of ``kids`` signed, each valid at this index and in one of ``roles``.

    ``here``: the document names this channel (and party, where it does). ``mode``: the document's own, where it says.
    Fills in the entry's signers once all signatures verify. All signers must be different persons (11.3).
    """
    assert e.envelope is not None
    signed = _verified(t, e)
    if (mode is not None and mode != t.mode) or (fault := _crossing(t, e, signed)):
        return "MODE"
    if not here:
        return "CHAN"
    own, _ = t.standings(e)
    members: list[Member] = []
    for kid in {*kids, *e.envelope.kids}:
        member = own.signer(kid)
        if member is None or t.is_void(e, kid) or member.role not in roles:
            return "SIGNER"
    members = [own.admitted.members[kid] for kid in kids]
    exact = 0 < len(set(kids)) == len(kids) and set(e.envelope.kids) == set(kids) == signed
    if fault or not exact or len({m.person for m in members}) < len(members):
        return "SIG"
    e.signers = tuple(as_signer(m) for m in members)
    return ""


def as_signer(m: Member) -> Signer:
    """A member as a signer."""
    return Signer(m.kid, m.person, m.role, m.seat, m.standing, m.played is True)


def _verified(t: Tables, e: Entry) -> set[bytes]:
    assert e.envelope is not None
    known, message = t.standings(e)[0].admitted.known, e.envelope.message()
    return {kid for kid, sig in e.envelope.signatures if kid in known and verifies(t.mode, known[kid], message, sig)}


def _crossing(t: Tables, e: Entry, signed: Collection[bytes]) -> bool:
    """Whether a signer's key is of the other mode, or a signature verifies only under the other mode's context."""
    assert e.envelope is not None and e.record is not None  # noqa: PT018
    known, message = t.standings(e)[0].admitted.known, e.envelope.message()
    for kid, sig in e.envelope.signatures:
        if kid in signed:
            continue
        if kid in known:
            key = known[kid]
            if suites.verify(key.suite, key.raw, message, sig, CONTEXT[3 - t.mode]):
                return True
        elif kid in t.twins or _other_mode(t, e, kid):
            return True
    return False


def _other_mode(t: Tables, e: Entry, kid: bytes) -> bool:
    assert e.record is not None
    if kid not in e.record.blobs:
        return False
    try:
        key: PublicKey = read_key(t.blobs_of(e)(kid) or b"")
    except Malformed:
        return False
    return key.mode != t.mode
