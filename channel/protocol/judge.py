"""The checks of one record, in the order of docs/protocol.md 12.2; the first that fails is its reason.

    PARSE SEEN MODE CHAN SIGNER SIG then by type: COOLING KEM DUP FMT REF LEVEL SUSP CASE MOVE SIGS, KEYS, CHAIN, …

``judge`` fills in what it decodes and who signed, and returns the reason; it changes nothing else. Each type's own
rules stand in ``judge_message``, ``judge_people``, ``judge_keys`` and ``procedure``; docs/state.md lists the reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channel.protocol.charter import Contacts, Policy, Succeed
from channel.protocol.header import Payload
from channel.protocol.judge_keys import (
    judge_contacts,
    judge_kem,
    judge_policy,
    judge_revoke,
    judge_root,
    judge_roster,
    judge_succeed,
)
from channel.protocol.judge_message import judge_message
from channel.protocol.judge_people import judge_ack, judge_confirm, judge_exercise, judge_watch
from channel.protocol.people import Ack, Confirm, Exercise, Kem, Watch
from channel.protocol.procedure import judge_step
from channel.protocol.record import Alarm, Boot, Echo, Gap, NodeAck, Pin, Step, Test
from channel.protocol.tables import Tables
from channel.protocol.verdicts import Entry
from keys.codec import unpack
from keys.documents import Revoke, Root, Roster
from keys.envelope import read_envelope
from keys.errors import Malformed

Rule = Callable[[Tables, Entry], str]
EVIDENCE_KINDS = frozenset(f"E{n}" for n in range(1, 8))

_SIGNED: dict[str, tuple[Any, Rule]] = {
    "msg": (Payload, judge_message),
    "ack": (Ack, judge_ack),
    "confirm": (Confirm, judge_confirm),
    "watch": (Watch, judge_watch),
    "exercise": (Exercise, judge_exercise),
    "kem": (Kem, judge_kem),
    "root": (Root, judge_root),
    "roster": (Roster, judge_roster),
    "contacts": (Contacts, judge_contacts),
    "revoke": (Revoke, judge_revoke),
    "policy": (Policy, judge_policy),
    "succeed": (Succeed, judge_succeed),
}
_NODE: dict[str, Any] = {
    "node.boot": Boot,
    "node.ack": NodeAck,
    "node.gap": Gap,
    "node.pin": Pin,
    "node.test": Test,
    "node.echo": Echo,
    "node.step": Step,
    "node.alarm": Alarm,
}


def judge(t: Tables, e: Entry) -> str:
    """The reason for which a record after the opening is refused; "" for a valid one."""
    assert e.record is not None
    try:
        read_body(e)
    except Malformed:
        return "PARSE"
    if e.astray:
        return "SEEN"
    if e.number in t.sides[e.p].closed_numbers:
        return "CHAIN"
    if e.t == "charter":
        return "OPEN"  # it stands in the opening and nowhere else
    if e.t in _SIGNED:
        return _SIGNED[e.t][1](t, e)
    return _judge_node(t, e)


def read_body(e: Entry) -> None:
    """Decode the body into the entry, or ``Malformed``."""
    record = e.record
    assert record is not None
    if e.t == "node.evidence":
        e.doc = unpack(record.env)
        if not isinstance(e.doc, dict) or e.doc.get("k") not in EVIDENCE_KINDS:
            raise Malformed("PARSE", what="Evidence", why="kind")
    elif e.t in _NODE:
        e.doc = unpack(record.env, _NODE[e.t])
    else:
        e.envelope = read_envelope(record.env)
        if e.t in _SIGNED:
            e.doc = e.envelope.read(e.t, _SIGNED[e.t][0])


def _judge_node(t: Tables, e: Entry) -> str:
    match e.doc:
        case Step():
            return judge_step(t, e)
        case Pin(cert=cert):
            return "" if e.record is not None and cert in e.record.blobs else "FMT"
        case Gap(lo=lo, hi=hi, hashes=hashes):
            return "" if lo < hi <= e.i and len(hashes) == hi - lo else "FMT"
        case NodeAck(state=state, at=at):
            return "" if isinstance(state, bytes) == isinstance(at, tuple) else "FMT"
    return ""
