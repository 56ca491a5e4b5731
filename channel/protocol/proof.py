"""Form ``proof`` of an archive: some messages with what it takes to see who signed them (docs/protocol.md 16.3).

It holds the records that say who may sign (opening, roots, rosters, seal keys, revocations, policies, successions) and
the chosen messages with their acknowledgements and confirmations, each with its inclusion proof. It is judged from them
alone: key records as by the fold, so that one that is refused is a failure; a message by decoding, ``seen``, mode,
channel, signers and signatures. What needs all other records (doubles, references, levels, deadlines) it does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from channel.protocol.archive import PROOF, Head, LogPart, joined
from channel.protocol.charter import Policy
from channel.protocol.effects import apply
from channel.protocol.fold import OPENING_SIZE, Fold
from channel.protocol.header import Payload
from channel.protocol.judge import judge, read_body
from channel.protocol.judge_message import SENDERS
from channel.protocol.judge_people import RECEIVERS
from channel.protocol.merkle import EMPTY, inclusion_proof, leaf_hash
from channel.protocol.opening import judge_opening
from channel.protocol.people import Ack
from channel.protocol.record import try_read
from channel.protocol.report import LETTERS
from channel.protocol.signatures import check_people
from channel.protocol.tables import Tables, fetch
from channel.protocol.verdicts import Entry
from keys.errors import Malformed, Refused

KEY_TYPES = frozenset({"charter", "root", "roster", "policy", "revoke", "kem", "succeed"})
PROVED = KEY_TYPES | {"msg", "ack", "confirm"}
Blobs = Callable[[bytes], bytes | None]
Place = tuple[str, int]
"""A letter and a joined position."""


@dataclass(frozen=True, slots=True)
class Span:
    """A log number: where it begins in joined positions, its size and root."""

    start: int
    size: int
    root: bytes


class Unproved(Exception):
    """A record that a proof can't hold as it does: its place, None for the opening as a whole, and why."""

    def __init__(self, place: Place | None, code: str, why: str) -> None:
        super().__init__(place, code, why)
        self.place, self.code, self.why = place, code, why


@dataclass(slots=True)
class Proved:
    """What the records of a proof say. Entries by joined position; ``acks`` by the payload hash of their message."""

    tables: Tables
    messages: dict[bytes, Entry] = field(default_factory=dict)
    acks: dict[bytes, list[Entry]] = field(default_factory=dict)
    refused: list[Entry] = field(default_factory=list)
    entries: tuple[list[Entry], list[Entry]] = field(default_factory=lambda: ([], []))

    def policy(self, sizes: tuple[int, int]) -> Policy:
        """The policy in force at the cut, as far as the records given tell."""
        return self.tables.policy_at(sizes).policy

    def receipt_time(self, e: Entry) -> int | None:
        """The ``ts`` of the first record given of the other side that has seen ``e``: it was received by then."""
        return next((o.ts for o in self.entries[1 - e.p] if o.seen > e.i and not o.astray), None)


def judge_proof(
    chan: bytes, records: Sequence[Iterable[tuple[int, int, bytes]]], spans: Sequence[Sequence[Span]], blob: Blobs
) -> Proved:
    """Judge the records of a proof; ``records`` of logs a and b: (joined position, log number, bytes), rising.

    ``Unproved`` where the opening is not there or does not hold, a record is of a type that no proof holds, a key
    record is refused, or a record has seen more than the cut holds.
    """
    logs = tuple(_entries(p, records[p], spans[1 - p]) for p in (0, 1))
    proved = _open(chan, logs, blob)
    at = [OPENING_SIZE, OPENING_SIZE]
    while at[0] < len(logs[0]) or at[1] < len(logs[1]):
        p = next((p for p in (0, 1) if _ready(logs, at, p)), None)
        if p is None:
            e = next(logs[p][at[p]] for p in (0, 1) if at[p] < len(logs[p]))
            raise Unproved((LETTERS[e.p], e.i), "SEEN", "two records that have seen each other")
        _take(proved, logs[p][at[p]])
        at[p] += 1
    return proved


def _entries(p: int, records: Iterable[tuple[int, int, bytes]], other: Sequence[Span]) -> list[Entry]:
    """The records with what they count with. A false ``seen`` or ``ts`` leaves a record with its predecessor's."""
    entries, before, ts = list[Entry](), 0, 0
    for i, number, raw in records:
        record = try_read(raw)
        if record is None or record.t not in PROVED:
            raise Unproved((LETTERS[p], i), "TYPE", "no record of a proof")
        seen = _joined(record.seen, other)
        if seen is not None and seen > other[-1].start + other[-1].size:
            raise Unproved((LETTERS[p], i), "CUT", "it has seen more than the cut holds")
        false = seen is None or seen < before
        astray = false or record.ts < ts
        e = Entry(p, i, number, raw, record, before, ts, astray, false)
        if seen is not None and not astray:
            e.seen, e.ts = seen, record.ts
        before, ts = e.seen, e.ts
        entries.append(e)
    return entries


def _joined(seen: tuple[int, int, bytes], spans: Sequence[Span]) -> int | None:
    """The joined position of a ``seen``, as far as the roots given tell; None for one that can't be right."""
    number, size, root = seen
    if number >= len(spans):
        return spans[-1].start + spans[-1].size + 1
    span = spans[number]
    ended = number < len(spans) - 1
    if (ended and size > span.size) or (size == span.size and root != span.root) or (size == 0 and root != EMPTY):
        return None
    return span.start + size


def _ready(logs: Sequence[Sequence[Entry]], at: Sequence[int], p: int) -> bool:
    """Whether all that is given of what the next record of a log has seen is judged."""
    if at[p] >= len(logs[p]):
        return False
    other = logs[1 - p][at[1 - p] :]
    return not other or other[0].i >= logs[p][at[p]].seen


def _open(chan: bytes, logs: Sequence[Sequence[Entry]], blob: Blobs) -> Proved:
    opening = [log[:OPENING_SIZE] for log in logs]
    if any([e.i for e in log] != list(range(OPENING_SIZE)) or any(e.astray for e in log) for log in opening):
        raise Unproved(None, "OPEN", "not all opening records")
    try:
        named = [[e.record for e in log if e.record is not None] for log in opening]
        proved = Proved(Tables(chan, judge_opening(chan, named, lambda h: fetch(blob, h)), blob))
    except Refused as refusal:
        raise Unproved(None, "OPEN", str(refusal.values.get("why", refusal.code))) from refusal
    for e in (*opening[0], *opening[1]):
        read_body(e)
        apply(proved.tables, e)
        proved.entries[e.p].append(e)
    return proved


def _take(proved: Proved, e: Entry) -> None:
    """Judge one record and keep what it brings."""
    proved.entries[e.p].append(e)
    if e.t in KEY_TYPES:
        e.reason = judge(proved.tables, e)
        if e.reason:
            raise Unproved((LETTERS[e.p], e.i), e.reason, "a record of keys that does not follow from those given")
        apply(proved.tables, e)
        return
    e.reason = _judge_people(proved, e)
    if e.reason:
        proved.refused.append(e)
    elif e.t == "msg":
        proved.messages[e.ph] = e
    elif e.t == "confirm":
        proved.tables.confirms.setdefault(e.doc.ph, e)
    else:
        proved.acks.setdefault(e.doc.ph, []).append(e)


def _judge_people(proved: Proved, e: Entry) -> str:
    """The checks of a message, an acknowledgement or a confirmation that need no other records (12.2)."""
    try:
        read_body(e)
    except Malformed:
        return "PARSE"
    if e.astray:
        return "SEEN"
    t, d = proved.tables, e.doc
    match d:
        case Payload():
            kids = (d.from_, *(() if d.cosign is UNSET else d.cosign))
            return check_people(t, e, kids, SENDERS, here=d.chan == t.chan) or _message(proved, e, d)
        case Ack():
            return check_people(t, e, (d.from_,), RECEIVERS, here=d.chan == t.chan) or _answers(proved, e, own=False)
    roles = RECEIVERS | {"operator"}  # a confirmation: nothing else is given
    return check_people(t, e, (d.from_,), roles, here=d.chan == t.chan) or _answers(proved, e, own=True)


def _message(proved: Proved, e: Entry, d: Payload) -> str:
    assert e.record is not None
    if any(o.p == e.p and o.doc.mid == d.mid for o in proved.messages.values()):
        return "DUP"
    return "" if e.record.blobs == (d.blob,) else "FMT"


def _answers(proved: Proved, e: Entry, *, own: bool) -> str:
    """REF unless the message that the record names is given, of the right side and before it; SIGS for one person."""
    of = proved.messages.get(e.doc.ph)
    if of is None or (of.p == e.p) != own or of.doc.mid != e.doc.mid or not of.below(e.at):
        return "REF"
    if own and of.doc.single is not True:
        return "REF"
    return "SIGS" if own and of.signers[0].person == e.signers[0].person else ""


# --- making one -----------------------------------------------------------------------------------------------------------


def write_proof(head: Head, logs: Iterable[LogPart], blobs: Mapping[bytes, bytes], messages: Collection[bytes], *,
                reveals: Iterable[dict[str, Any]] = (), evidence: Iterable[dict[str, Any]] = ()) -> bytes:  # fmt: skip
    """The bytes of an archive of form proof of these messages, by payload hash.

    ``logs``: every log number of both parties, whole up to the cut, a's first and rising; ``blobs`` by hash, at least
    those that the records chosen name. ``Refused`` NO_PROOF for a payload that is no valid message of these logs.
    """
    parts = list(logs)
    fold = Fold(head.chan, blobs.get)
    for part in parts:
        fold.add(part.letter, part.records, part.number)
    chosen = _chosen(fold, messages)
    arrays, names, at = list[list[Any]](), set[bytes](), {"a": 0, "b": 0}
    for part in parts:
        leaves, size = [leaf_hash(raw) for raw in part.records], len(part.records)
        for i, raw in enumerate(part.records):
            if (part.letter, at[part.letter] + i) in chosen:
                path = inclusion_proof(leaves, i, size)
                arrays.append([PROOF, part.letter, part.number, i, raw, path])
                record = try_read(raw)
                names.update(() if record is None else record.blobs)
        at[part.letter] += size
    return joined(head, arrays, parts, [blobs[h] for h in sorted(names)], reveals, evidence)


def _chosen(fold: Fold, messages: Collection[bytes]) -> set[Place]:
    """The places of all valid records of keys, of the messages, and of what acknowledges or confirms them."""
    for ph in messages:
        if fold.find(ph) is None or len(ph) != 32:
            raise Refused("NO_PROOF", ph=ph)
    judged = [v for v in fold.display() if not v.reason and v.record is not None]
    return {
        (v.letter, v.index)
        for v in judged
        if v.record is not None
        and (
            v.record.t in KEY_TYPES
            or (v.record.t == "msg" and v.envelope is not None and v.envelope.hash in messages)
            or (v.record.t in ("ack", "confirm") and v.doc.ph in messages)
        )
    }
