"""The rules of root, roster, kem, revoke, contacts, policy and succeed after the opening (docs/protocol.md 4, 12.2)."""

from __future__ import annotations

from collections.abc import Callable

from channel.protocol.charter import Contacts, Policy, Succeed
from channel.protocol.note import origin
from channel.protocol.opening import foreign
from channel.protocol.people import Kem
from channel.protocol.signatures import check_people
from channel.protocol.tables import Tables
from channel.protocol.verdicts import Entry
from keys.documents import Revoke, Root, Roster
from keys.errors import Refused, Unavailable
from keys.roster import Admitted, admit_kem, check_root, check_roster, check_threshold, key_objects

_OF_CODE = {"CHAIN": "CHAIN", "THRESHOLD": "SIG"}  # every other refusal of keys.roster is KEYS
_OPERATOR = frozenset({"operator"})
_MEMBERS = frozenset({"expert", "official", "duty", "operator", "records", "observer", "control", "evaluator"})


def judge_root(t: Tables, e: Entry) -> str:
    """The next root: signed by both thresholds, announced keys only."""
    d: Root = e.doc
    if reason := _of_this(t, e, d):
        return reason
    assert e.envelope is not None
    envelope, (own, _) = e.envelope, t.standings(e)
    return _reason(lambda: check_root(envelope, key_objects(d.keys, t.blobs_of(e)), own.root, own.root_keys))


def judge_roster(t: Tables, e: Entry) -> str:
    """The next roster; refused whole if one key fails."""
    d: Roster = e.doc
    return _of_this(t, e, d) or _reason(lambda: next_roster(t, e))


def next_roster(t: Tables, e: Entry) -> Admitted:
    """What a roster record admits, or ``Refused`` as ``keys.roster.check_roster``."""
    assert e.envelope is not None
    own, other = t.standings(e)
    others = foreign(other, e.envelope)
    root_hash = t.opening.root_hashes[e.p]
    return check_roster(e.envelope, own.root, root_hash, own.root_keys, own.admitted, t.blobs_of(e), others)


def judge_kem(t: Tables, e: Entry) -> str:
    """A member's new seal key in place of the one it has now."""
    d: Kem = e.doc
    if reason := check_people(t, e, (d.from_,), _MEMBERS, here=d.chan == t.chan):
        return reason
    if e.ph in t.sides[e.p].payloads:
        return "DUP"
    own, _ = t.standings(e)
    if own.admitted.members[d.from_].kem != (d.kid_old,) or own.ended(d.kid_new):
        return "KEYS"
    return _reason(lambda: next_kem(t, e))


def next_kem(t: Tables, e: Entry) -> Admitted:
    """What a kem record admits, or ``Refused`` as ``keys.roster.admit_kem``."""
    d: Kem = e.doc
    own, other = t.standings(e)
    others = [key for kid, key in other.admitted.known.items() if kid != d.kid_new]
    others.extend(own.root_keys.values())
    return admit_kem(own.admitted, d.from_, d.kid_new, d.pop, t.blobs_of(e), others)


def judge_revoke(t: Tables, e: Entry) -> str:
    """Keys that end here; one operator or one authority key signs."""
    d: Revoke = e.doc
    own, _ = t.standings(e)
    assert e.envelope is not None
    if e.envelope.kids and all(kid in own.root.keys for kid in e.envelope.kids):
        if reason := _of_this(t, e, d):
            return reason
        if len(e.envelope.kids) != 1 or not e.envelope.verified(t.mode, own.root_keys):
            return "SIG"
    elif reason := check_people(t, e, e.envelope.kids[:1], _OPERATOR, here=d.party == t.codes[e.p], mode=d.mode):
        return reason
    return "DUP" if e.ph in t.sides[e.p].payloads else "" if len(set(d.kids)) == len(d.kids) else "FMT"


def judge_contacts(t: Tables, e: Entry) -> str:
    """The next fall-back list, signed by one operator."""
    d: Contacts = e.doc
    assert e.envelope is not None
    kids = e.envelope.kids[:1]
    if reason := check_people(t, e, kids, _OPERATOR, here=d.party == t.codes[e.p], mode=d.mode):
        return reason
    ver, prev = t.sides[e.p].contacts
    return "" if d.ver == ver + 1 and d.prev == prev else "CHAIN"


def judge_policy(t: Tables, e: Entry) -> str:
    """The next policy, by both parties' thresholds: own root below the record, the other's as ``seen``."""
    d: Policy = e.doc
    assert e.envelope is not None and e.record is not None  # noqa: PT018
    if d.mode != t.mode:
        return "MODE"
    if d.chan != t.chan:
        return "CHAN"
    before = t.sides[e.p].policies[-1:]
    ver, prev = (before[0].policy.ver, before[0].hash) if before else (1, t.opening.policy_hash)
    if d.ver != ver + 1 or d.prev != prev:
        return "CHAIN"
    try:
        for standing in t.standings(e):
            check_threshold(e.envelope, standing.root, standing.root_keys)
    except Refused:
        return "SIG"
    return "" if d.fold == 1 and {d.formats, d.codes} <= set(e.record.blobs) | t.sides[e.p].named else "FMT"


def judge_succeed(t: Tables, e: Entry) -> str:
    """Record 0 of the next log number; sizes and roots were compared when the log was joined."""
    d: Succeed = e.doc
    assert e.envelope is not None
    if d.chan != t.chan or d.party != t.codes[e.p]:
        return "CHAN"
    follows = e.number > 0 and d.log_no == e.number
    joined = follows and d.old_origin == origin(t.chan, "a" if e.p == 0 else "b", e.number - 1)
    if not joined or e.ph in t.sides[e.p].payloads:
        return "CHAIN"
    envelope, (own, _) = e.envelope, t.standings(e)
    return _reason(lambda: check_threshold(envelope, own.root, own.root_keys))


def _of_this(t: Tables, e: Entry, d: Root | Roster | Revoke) -> str:
    if d.mode != t.mode:
        return "MODE"
    return "" if d.party == t.codes[e.p] else "CHAN"


def _reason(rule: Callable[[], object]) -> str:
    """The reason in the words of the fold of what ``keys.roster`` refuses."""
    try:
        rule()
    except Unavailable:
        raise
    except Refused as refusal:
        return _OF_CODE.get(refusal.code, "KEYS")
    return ""
