"""The rules of acknowledgements, confirmations, the watch and exercise control (docs/protocol.md 11.5, docs/state.md)."""

from __future__ import annotations

from msgspec import UNSET

from channel.protocol.judge_message import SENDERS, check_cooling
from channel.protocol.ladder import enough
from channel.protocol.people import EXERCISE_FIELDS, Ack, Confirm, Exercise, Watch
from channel.protocol.signatures import check_people
from channel.protocol.tables import Tables
from channel.protocol.verdicts import Entry

RECEIVERS = frozenset({"expert", "official", "duty"})
ANY_ROLE = frozenset({"expert", "official", "duty", "operator", "records", "observer", "control", "evaluator"})
CLOCK_OPS = frozenset({"startex", "pause", "resume", "rate", "jump", "endex"})
_OP_ROLES = {
    "note": frozenset({"control", "evaluator"}),
    "reveal": frozenset({"control", "records"}),
    "real-world": ANY_ROLE,
}
_OPTIONAL = ("rate", "scenario", "salt", "id", "to", "suite", "kc", "blob", "blen", "mid", "cek", "list")


def judge_ack(t: Tables, e: Entry) -> str:
    """One expert, official or duty officer of the party that did not send the message."""
    d: Ack = e.doc
    if reason := check_people(t, e, (d.from_,), RECEIVERS, here=d.chan == t.chan):
        return reason
    if e.ph in t.sides[e.p].payloads:
        return "DUP"
    if (d.next is not UNSET and d.step != "not-engaging") or (d.why is not UNSET and d.step != "undecryptable"):
        return "FMT"
    message = t.messages.get(d.ph)
    if message is None or message.p == e.p or message.doc.mid != d.mid or not t.stands_on(e, message):
        return "REF"
    return ""


def judge_confirm(t: Tables, e: Entry) -> str:
    """Another person of the party that sent an F13 by emergency release."""
    d: Confirm = e.doc
    if reason := check_people(t, e, (d.from_,), RECEIVERS | {"operator"}, here=d.chan == t.chan):
        return reason
    policy = t.policy_at(e.at).policy
    if reason := check_cooling(t, e, policy):
        return reason
    if e.ph in t.sides[e.p].payloads:
        return "DUP"
    message = t.messages.get(d.ph)
    if message is None or message.p != e.p or message.doc.mid != d.mid or message.doc.single is not True:
        return "REF"
    same = message.signers[0].person == e.signers[0].person
    return "SIGS" if same or not enough(e.signers, policy.sign.person) else ""


def judge_watch(t: Tables, e: Entry) -> str:
    """Who takes, hands over or leaves a post; the envelope carries exactly ``on`` and ``off``."""
    d: Watch = e.doc
    kids = tuple(kid for kid in (d.on, d.off) if isinstance(kid, bytes))
    if reason := check_people(t, e, kids, SENDERS, here=d.chan == t.chan):
        return reason
    if e.ph in t.sides[e.p].payloads:
        return "DUP"
    if (d.on is UNSET) != (d.op == "leave") or (d.off is UNSET and d.op != "take"):
        return "FMT"
    own, _ = t.standings(e)
    if d.seat not in {s.id for s in own.admitted.roster.seats}:
        return "REF"
    holder = t.sides[e.p].posts_at(e.i).get(d.seat)
    if holder is not None and (own.signer(holder) is None or t.is_void(e, holder)):
        holder = None  # a key that no longer holds leaves the post empty
    if isinstance(d.on, bytes) and own.admitted.members[d.on].seat != d.seat:
        return "WATCH"
    if d.op == "take":
        second = own.admitted.members[d.off].role if isinstance(d.off, bytes) else ""
        fits = second in ("official", "operator") if second else holder is None
    else:
        fits = d.off == holder
    return "" if fits else "WATCH"


def judge_exercise(t: Tables, e: Entry) -> str:
    """Exercise control: mode 2 only; clock and ``open`` in the host's log, each at its time."""
    d: Exercise = e.doc
    if t.mode != 2:
        return "MODE"
    roles = _OP_ROLES.get(d.op, frozenset({"control"}))
    if reason := check_people(t, e, (d.from_,), roles, here=d.chan == t.chan):
        return reason
    if e.ph in t.sides[e.p].payloads:
        return "DUP"
    assert e.record is not None
    present = {name for name in _OPTIONAL if getattr(d, name) is not UNSET}
    blob = d.scenario if d.op == "open" else d.blob
    if present != EXERCISE_FIELDS[d.op] or (isinstance(blob, bytes) and blob not in e.record.blobs):
        return "FMT"
    return "" if _at_its_time(t, e, d) else "CLOCK"


def _at_its_time(t: Tables, e: Entry, d: Exercise) -> bool:
    host = t.opening.charter.host
    own = t.codes[e.p] == host
    if d.op in CLOCK_OPS:
        before = {"startex": {""}, "pause": {"running"}, "resume": {"paused"}}.get(d.op, {"running", "paused"})
        return own and t.clock.state in before
    if d.op == "open":
        return own and t.clock.state == "ended"
    if d.op in ("reveal", "shown"):
        if own:
            return t.clock.state == "ended"
        ended = t.sides[1 - e.p].ended
        return ended is not None and ended < e.seen
    return True
