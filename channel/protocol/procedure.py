"""Deadlines and the no-answer procedure (docs/protocol.md sections 12.4 and 12.6).

Pure functions of what a record holds and has seen. When a step falls due is the node's own reckoning; here is only
what a step must say to be valid.
"""

from __future__ import annotations

from msgspec import UNSET

from channel.protocol.charter import ORDER, Level, Policy
from channel.protocol.header import Payload
from channel.protocol.ladder import case_of, op, opens, rank
from channel.protocol.record import Step
from channel.protocol.tables import Tables
from channel.protocol.verdicts import Entry

RECEIPTS = ("stored", "read", "engaged", "informed", "reply")


def judge_step(t: Tables, e: Entry) -> str:
    """STEP unless the record is the first of its key and says what the function says, or copies one that it has seen."""
    d: Step = e.doc
    key = (d.of, d.receipt, d.step)
    message = t.messages.get(d.of)
    if message is None or not t.stands_on(e, message) or key in t.sides[e.p].steps:
        return "STEP"
    if message.p == e.p:
        return "" if d.reason == reason(t, e, message) else "STEP"
    first = t.sides[1 - e.p].steps.get(key)
    return "" if first is not None and first.i < e.seen and first.doc == d else "STEP"


def reason(t: Tables, e: Entry, of: Entry) -> str:
    """Why a receipt of message ``of`` has not been seen, as far as record ``e`` of the sender's log stands on it."""
    if t.receipt_time(of.p, of.i, e.seen) is None:
        return "LINK"
    steps = {a.doc.step for a in t.acks.get(of.ph, ()) if a.i < e.seen}
    if "not-engaging" in steps:
        return "NEN"
    if "read" in steps and not steps & {"engaged", "informed"}:
        return "READ"
    if not steps and not t.on_watch(1 - of.p, e.seen):
        return "POST"
    return "UNK"


def seconds(t: Tables, e: Entry) -> dict[str, int | None]:
    """Seconds from receipt time for each receipt of a message; None where none is asked."""
    h: Payload = e.doc
    policy = t.policy_at(e.at).policy
    if h.fmt == "F01":
        test = policy.timers.test_s
        return {"stored": test, "read": test, "engaged": None, "informed": None, "reply": test}
    level = policy.level("crisis") if h.single is True else _pace(t, e, policy)
    read = level.read if h.ack_by is UNSET else h.ack_by
    return {
        "stored": read,
        "read": read,
        "engaged": None if level.engaged is UNSET else level.engaged,
        "informed": None if level.informed is UNSET else level.informed,
        "reply": level.reply if h.reply_by is UNSET else h.reply_by,
    }


def _pace(t: Tables, e: Entry, policy: Policy) -> Level:
    """The level whose deadlines a message has: the lower of its own and its case's, on what it stands on."""
    h: Payload = e.doc
    if opens(h) or op(e) == "raise":
        return policy.level(h.level)  # of a raise, the header's level is where it goes
    case = case_of(e)
    if case is None:
        return policy.level("routine")
    return policy.level(ORDER[max(0, min(rank(h.level), t.ladder.level(case, e.at)))])
