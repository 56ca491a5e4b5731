"""What a judged record leaves in the fold's memory. A refused one leaves its place, its number and evidence alone."""

from __future__ import annotations

from msgspec import UNSET

from channel.protocol.charter import Contacts, Policy
from channel.protocol.header import Payload
from channel.protocol.judge_keys import next_kem, next_roster
from channel.protocol.judge_people import CLOCK_OPS
from channel.protocol.people import Exercise, Watch
from channel.protocol.tables import PolicyAt, Tables
from channel.protocol.verdicts import Entry
from keys.documents import Revoke, Root
from keys.roster import key_objects

# ms; a year of 365.2425 days is exact over 400 of them
_DAY, _ERA, _EPOCH = 86_400_000, 146_097, 719_468


def year(ts: int) -> int:
    """The UTC year of a time in ms, by integers alone: any u64 has one."""
    day = ts // _DAY + _EPOCH
    era, of_era = divmod(day, _ERA)
    y = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * y + y // 4 - y // 100)
    return era * 400 + y + (1 if (5 * of_year + 2) // 153 >= 10 else 0)


def number_of(t: Tables, e: Entry) -> str:
    """PARTY-YYYY-NNNNNN of a ``msg`` record; empty for others. Never reset, refused ones count."""
    if e.record is None or e.t != "msg":
        return ""
    return f"{t.codes[e.p]}-{year(e.record.ts)}-{t.sides[e.p].messages + 1:06d}"


def apply(t: Tables, e: Entry) -> None:
    """Take a judged record in."""
    side = t.sides[e.p]
    e.name = number_of(t, e)
    e.expired = _expired(t, e)
    side.messages += e.t == "msg"
    if e.record is not None and e.t != "msg":  # whoever judges need not hold the bodies of messages
        side.named.update(e.record.blobs)
    side.entries.append(e)
    side.seen.append(e.seen)
    if e.false_seen:
        t.evidence.append(("E5", [t.letter(e), e.i], []))
    if e.signed:
        _watch_mids(t, e)
    if e.t == "succeed" and e.number > 0 and e.reason:
        side.closed_numbers.add(e.number)
    if e.reason or e.record is None or e.i < 4:
        return
    if e.envelope is not None:
        side.payloads.add(e.ph)
    _valid(t, e)


def _valid(t: Tables, e: Entry) -> None:  # noqa: C901
    side = t.sides[e.p]
    match e.t:
        case "msg":
            _message(t, e)
        case "ack":
            t.acks.setdefault(e.doc.ph, []).append(e)
            t.receipts[e.ph] = e
        case "confirm":
            t.confirms.setdefault(e.doc.ph, e)
            t.receipts[e.ph] = e
        case "watch":
            _post(t, e, e.doc)
            t.receipts[e.ph] = e
        case "exercise":
            _clock(t, e, e.doc)
        case "root" | "roster" | "kem" | "revoke":
            _members(t, e)
        case "contacts":
            d: Contacts = e.doc
            side.contacts = (d.ver, e.ph)
        case "policy":
            p: Policy = e.doc
            side.policies.append(PolicyAt(e.i, e.ph, p))
        case "node.step":
            side.steps[e.doc.of, e.doc.receipt, e.doc.step] = e
        case "node.evidence":
            t.evidence.append((e.doc["k"], [t.letter(e), e.i], []))


def _message(t: Tables, e: Entry) -> None:
    h: Payload = e.doc
    t.sides[e.p].mids[h.mid] = e
    t.messages[e.ph] = e
    t.ladder.add(e)
    for ph in () if h.refs is UNSET else h.refs:
        t.replies.setdefault(ph, []).append(e)


def _watch_mids(t: Tables, e: Entry) -> None:
    """E4: one key, one ``mid``, two payloads, both validly signed."""
    h: Payload = e.doc
    payloads = t.authored.setdefault((e.p, h.from_, h.mid), set())
    payloads.add(e.ph)


def _members(t: Tables, e: Entry) -> None:
    history = t.sides[e.p].history
    own, d = history.before(e.i), e.doc
    if isinstance(d, Root):
        history.add(own.with_root(e.i, d, key_objects(d.keys, t.blobs_of(e))))
    elif isinstance(d, Revoke):
        history.add(own.with_revoked(e.i, d.kids))
    else:
        history.add(own.with_members(e.i, next_roster(t, e) if e.t == "roster" else next_kem(t, e)))


def _post(t: Tables, e: Entry, d: Watch) -> None:
    posts = t.sides[e.p].posts
    held = {seat: kid for seat, kid in posts[-1][1].items() if seat != d.seat}
    posts.append((e.i, {**held, d.seat: d.on} if isinstance(d.on, bytes) else held))


def _clock(t: Tables, e: Entry, d: Exercise) -> None:
    if d.op not in CLOCK_OPS:
        return
    clock = t.clock
    clock.state = {"startex": "running", "resume": "running", "pause": "paused", "endex": "ended"}.get(
        d.op, clock.state
    )
    clock.rate = clock.rate if d.rate is UNSET else d.rate
    clock.x, clock.ts = d.x, e.ts
    if d.op == "endex":
        t.sides[e.p].ended = e.i


def _expired(t: Tables, e: Entry) -> bool:
    """Whether the record is later, by its own ``ts``, than its party's root or roster in force may stand."""
    if e.record is None:
        return False
    own, _ = t.standings(e)
    return e.record.ts > min(own.root.hard_exp, own.admitted.roster.hard_exp)
