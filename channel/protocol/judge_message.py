"""The rules of ``msg``: cooling, recipients, doubles, header, references, level (docs/protocol.md 11.1, 11.3, 12.2)."""

from __future__ import annotations

from itertools import pairwise

from msgspec import UNSET

from channel.protocol.charter import Policy
from channel.protocol.header import Payload
from channel.protocol.ladder import op
from channel.protocol.members import void
from channel.protocol.record import MAX_BLOBS
from channel.protocol.signatures import check_people
from channel.protocol.tables import Tables
from channel.protocol.verdicts import Entry
from keys import suites

SENDERS = frozenset({"expert", "official", "duty", "operator"})
# the fields of ``move`` that must be there; what may not be there, and all else, is MOVE (12.5)
_MOVE_FIELDS: dict[str, tuple[str, ...]] = {
    "raise": ("from_", "to"),
    "lower": ("from_", "at"),
    "close": ("from_", "at"),
    "concur": ("from_", "at"),
    "object": ("from_", "at"),
    "suspend": (),
    "resume": (),
}


def judge_message(t: Tables, e: Entry) -> str:
    """The reason for which a message is refused, or ""."""
    h: Payload = e.doc
    kids = (h.from_, *(() if h.cosign is UNSET else h.cosign))
    if reason := check_people(t, e, kids, SENDERS, here=h.chan == t.chan):
        return reason
    e.signed = True
    policy = t.policy_at(e.at).policy
    if reason := check_cooling(t, e, policy):
        return reason
    if not recipients_ok(t, e, h.to, policy):
        return "KEM"
    side = t.sides[e.p]
    if h.mid in side.mids or e.ph in side.payloads:
        return "DUP"
    if not _header_ok(t, e, h, policy):
        return "FMT"
    if not _refs_ok(t, e, h):
        return "REF"
    return t.ladder.check(e, policy)


def check_cooling(t: Tables, e: Entry, policy: Policy) -> str:
    """COOLING if a signer's key was admitted too short a time ago, in the other party's clock (12.4)."""
    since = t.standings(e)[0].since
    return "" if all(t.cooled(since[s.kid], e, policy) for s in e.signers) else "COOLING"


def recipients_ok(t: Tables, e: Entry, to: tuple[bytes, ...], policy: Policy) -> bool:
    """Whether every key of ``to`` is a current member's (or just replaced), and both records keys are among them."""
    own, other = t.standings(e)
    escrow: set[int] = set()
    for kid in to:
        role = None
        for p in (0, 1):
            found = _seal_role(t, e, kid, p, policy)
            if found is not None:
                role = found
                if found == "records":
                    escrow.add(p)
        if role is None or void(kid, own, other):
            return False
    return escrow == {0, 1}


def _seal_role(t: Tables, e: Entry, kid: bytes, p: int, policy: Policy) -> str | None:
    """The role of the member of party ``p`` that a seal key belongs to, if it may be named."""
    s = t.standings(e)[0 if p == e.p else 1]
    member = s.admitted.members.get(kid)
    if member is None and kid in s.replaced:
        index, signer = s.replaced[kid]
        member = s.admitted.members.get(signer)
        if not t.kem_ok(index, p, e, policy):
            return None
    elif member is not None and kid not in member.kem:
        return None
    if member is None or s.ended(kid) or s.signer(member.kid) is None:
        return None
    return None if t.is_void(e, member.kid) else member.role


def _header_ok(t: Tables, e: Entry, h: Payload, policy: Policy) -> bool:
    assert e.record is not None
    level = policy.level(h.level)
    pace = policy.level("crisis") if h.single is True else level
    move = h.move
    return all(
        (
            e.record.blobs == (h.blob,),
            h.blen <= MAX_BLOBS,
            h.suite == suites.SEAL and h.suite in t.opening.charter.suites,
            len(h.to) <= policy.limits.max_to and all(a < b for a, b in pairwise(h.to)),
            h.prec == level.prec,
            h.cosign is UNSET or (all(a < b for a, b in pairwise(h.cosign)) and h.from_ not in h.cosign),
            h.refs is UNSET or len(set(h.refs)) == len(h.refs),
            h.single is UNSET or (h.single is True and h.fmt == "F13" and h.cosign is UNSET),
            h.ans is UNSET or h.fmt in ("F02", "F07"),
            h.cor is UNSET or h.fmt == "F14",
            h.ack_by is UNSET or h.ack_by >= pace.read,
            h.reply_by is UNSET or h.reply_by >= pace.reply,
            (move is not UNSET) == (h.fmt in ("F05", "F12")),
            move is UNSET or (move.op == "close") == (h.fmt == "F05"),
            move is UNSET or all(getattr(move, name) is not UNSET for name in _MOVE_FIELDS[move.op]),
            op(e) not in ("suspend", "resume") or h.level == "routine",
        )
    )


def _refs_ok(t: Tables, e: Entry, h: Payload) -> bool:
    refs = () if h.refs is UNSET else h.refs
    if (h.fmt == "F04" and h.case is UNSET) or (h.fmt in ("F02", "F07", "F14") and not refs):
        return False
    for ph in refs:
        found = t.messages.get(ph) or (t.receipts.get(ph) if h.fmt == "F14" else None)
        if found is None or not t.stands_on(e, found):
            return False
    return h.fmt != "F07" or t.messages[refs[0]].doc.fmt == "F06"
