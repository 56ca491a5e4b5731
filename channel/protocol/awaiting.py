"""Which receipts own messages wait for, and which steps of the no-answer procedure are due (docs/protocol.md 12.6).

    awaiting = Awaiting(fold, "a")
    awaiting.due(now, seen)      # the node.step bodies to write, oldest message first; ``now`` in the node's own ms
    awaiting.copies(seen)        # the other side's steps that the own log does not hold yet
    awaiting.next                # when the next one falls due, as far as nothing new is read; None if none will

``seen`` = how much of the other log the records that are written next will have seen. Which receipts a message waits
for is fixed by its format (docs/protocol.md 12.6): a read-back waits for no reply. A case that was closed by agreement
waits for no engagement, report or reply any more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from channel.protocol.header import Payload
from channel.protocol.ladder import case_of, op
from channel.protocol.procedure import reason, seconds
from channel.protocol.record import Step
from channel.protocol.tables import Tables
from channel.protocol.verdicts import Entry

if TYPE_CHECKING:
    from channel.protocol.fold import Fold

STEPS = (1, 2, 3, 4)
ENDS: dict[str, frozenset[str]] = {
    "engaged": frozenset({"engaged", "informed"}),
    "informed": frozenset({"informed"}),
    "reply": frozenset({"no-comment"}),
}
"""The acknowledgement steps that meet a receipt; ``read`` is met by any but undecryptable."""
ALL = ("stored", "read", "engaged", "informed", "reply")
SEEN_AND_ENGAGED = ALL[:4]
ASKS = frozenset({"F03", "F06", "F13"})


@dataclass(frozen=True, slots=True)
class Awaited:
    """One receipt of one own message. ``since``: from when its sender counts, ms; None while it is not counted yet."""

    of: Entry
    receipt: str
    seconds: int
    since: int | None
    met: bool
    written: int
    """The highest step that stands in the own log, 0 for none."""


def receipts_of(t: Tables, e: Entry) -> tuple[str, ...]:
    """The receipts that a message waits for, in order."""
    h: Payload = e.doc
    if h.status != "message":
        return ("stored", "read", "reply") if h.fmt == "F01" else ("stored",)
    if h.fmt in ASKS or (h.fmt == "F11" and not _answers_f11(t, h)):
        found: tuple[str, ...] = ALL
    elif op(e) in ("lower", "close"):
        found = ("stored", "read", "reply")
    elif op(e) == "raise":
        found = SEEN_AND_ENGAGED
    else:
        found = ("stored", "read")
    return found if h.reply_by is UNSET or "reply" in found else (*found, "reply")


def counted(t: Tables, e: Entry) -> dict[str, int]:
    """The same with the seconds after which each is due."""
    given = seconds(t, e)
    return {name: s for name in receipts_of(t, e) if (s := given[name]) is not None}


def awaited(t: Tables, e: Entry, after: Mapping[str, int], seen: int, learned: int | None = None) -> Iterator[Awaited]:
    """How far each receipt of a message has come, as far as so much of the other log was seen. ``after``: ``counted``.

    ``learned``: when the receipt time was first known here, ms, if that was noted.
    """
    own = t.sides[e.p]
    receipt = t.receipt_index(e.p, e.i)
    stored = receipt is not None and receipt < seen
    known = [] if learned is None else [learned]
    if receipt is not None and stored:
        told_by = bisect_right(own.seen, receipt)
        known += [first.ts for first in own.entries[told_by : told_by + 1]]
    acks = {a.doc.step for a in t.acks.get(e.ph, ()) if a.i < seen}
    replied = any(r.p != e.p and r.i < seen for r in t.replies.get(e.ph, ()))
    closed = (case := case_of(e)) is not None and t.ladder.level(case, _cut(t)) < 0
    percents = t.policy_at(e.at).policy.timers.steps
    for name, secs in after.items():
        met = stored if name == "stored" else _met(name, acks) or (name == "reply" and replied)
        met |= closed and name in ENDS
        steps = [step for n in STEPS if (step := own.steps.get((e.ph, name, n))) is not None]
        told = [step.ts - secs * 10 * percents[step.doc.step - 1] for step in steps]  # it was due when it was written
        since = e.ts if name == "stored" else min([*known, *told], default=None)
        yield Awaited(e, name, secs, since, met, steps[-1].doc.step if steps else 0)


def _cut(t: Tables) -> tuple[int, int]:
    return len(t.sides[0].entries), len(t.sides[1].entries)


def _answers_f11(t: Tables, h: Payload) -> bool:
    first = t.messages.get(h.refs[0]) if isinstance(h.refs, tuple) and h.refs else None
    return first is not None and first.doc.fmt == "F11"


@dataclass(slots=True)
class _Open:
    """An own message that may bring further steps. ``next``: when the next one is due; None while none is counted.

    ``learned``: when the receipt time was first known here, ms.
    """

    of: Entry
    seconds: dict[str, int]
    next: int | None = None
    learned: int | None = None


class Awaiting:
    """Follows one party's own messages in a fold; what can bring no further step is let go.

    A message is looked at again when something that it waits for was read, or its time has come: hundreds of open
    messages cost nothing while nothing happens.
    """

    def __init__(self, fold: Fold, letter: str) -> None:
        self._fold, self._p = fold, "ab".index(letter)
        self._tables: Tables | None = None
        self._begin()

    def _begin(self) -> None:
        self._open: dict[bytes, _Open] = {}
        self._again: set[bytes] = set()
        """To be looked at again: something that they wait for was read, or what was found for them is not written yet."""
        self._unstored: deque[tuple[int, bytes]] = deque()
        """(index, message) of those whose receipt is not known, in order: the other log covers them in that order too."""
        self._heap: list[tuple[int, bytes]] = []
        """(when a step is due, message); one whose time has moved since is passed over."""
        self._at = [0, 0]
        self._copied = 0

    @property
    def next(self) -> int | None:
        """When the next step is due, ms, as far as nothing new is read; None if nothing is counted."""
        while self._heap and not self._stands(*self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _stands(self, at: int, ph: bytes) -> bool:
        return ph in self._open and self._open[ph].next == at

    def due(self, now: int, seen: int) -> list[Step]:
        """The steps to write now, each with the reason that a record which has seen so much has to give."""
        t, found = self._learn(seen), list[Step]()
        if t is None or len(t.sides[1 - self._p].entries) < seen:
            return []
        as_next = Entry(self._p, len(t.sides[self._p].entries), 0, b"", None, seen=seen)
        for ph in self._candidates(now):
            each = self._open[ph]
            if each.learned is None and t.receipt_time(each.of.p, each.of.i, seen) is not None:
                each.learned = now
            receipts = awaited(t, each.of, each.seconds, seen, each.learned)
            waits = [a for a in receipts if not a.met and a.written < STEPS[-1]]
            if not waits:
                del self._open[ph]
                continue
            times = [(a.receipt, step, at) for a in waits for step, at in _times(t, a)]
            after = min((at for _, _, at in times if at > now), default=None)
            if after is not None and after != each.next:
                heappush(self._heap, (after, ph))
            each.next = after
            due = [(name, step) for name, step, at in times if at <= now]
            why = reason(t, as_next, each.of) if due else ""
            found += [Step(of=ph, receipt=_any(name), step=step, reason=_any(why)) for name, step in due]
        self._again = {s.of for s in found}  # until they stand in the log
        return found

    def _candidates(self, now: int) -> list[bytes]:
        """The messages that may have a step to write, oldest first; those that nothing has happened to are not touched."""
        found = self._again & self._open.keys()
        while self._heap and self._heap[0][0] <= now:
            at, ph = heappop(self._heap)
            if self._stands(at, ph):
                found.add(ph)
        return sorted(found, key=lambda ph: self._open[ph].of.i)

    def copies(self, seen: int) -> list[Step]:
        """The other side's steps that the own log has no copy of, as far as the next record has seen them."""
        t = self._learn(seen)
        if t is None:
            return []
        own, other = t.sides[self._p].steps, t.sides[1 - self._p].steps
        missing = list[Step]()
        for key, entry in islice(other.items(), self._copied, None):
            if key in own or t.messages[key[0]].p == self._p:
                self._copied += not missing
            elif entry.i < seen:
                missing.append(entry.doc)
        return missing

    def open(self, seen: int) -> list[Awaited]:
        """Every receipt of the messages that may bring further steps, oldest message first."""
        t = self._learn(seen)
        if t is None:
            return []
        return [a for each in self._open.values() for a in awaited(t, each.of, each.seconds, seen, each.learned)]

    def _learn(self, seen: int) -> Tables | None:
        """Take in what was judged since, of the other log as far as ``seen``; the fold's memory, once there is one."""
        t = self._fold.known()
        if t is not self._tables:  # a succession began the fold anew
            self._tables = t
            self._begin()
        if t is None:
            return None
        own, other = t.sides[self._p].entries, t.sides[1 - self._p].entries
        for e in own[self._at[0] :]:
            if e.t == "msg" and not e.reason:
                self._open[e.ph] = _Open(e, counted(t, e))
                self._unstored.append((e.i, e.ph))
                self._again.add(e.ph)
            self._touch(e)
        for e in other[self._at[1] : seen]:
            self._touch(e)
        self._at = [len(own), max(self._at[1], min(seen, len(other)))]
        covered = t.sides[1 - self._p].seen[self._at[1] - 1] if self._at[1] else 0
        while self._unstored and self._unstored[0][0] < covered:
            self._again.add(self._unstored.popleft()[1])
        return t

    def _touch(self, e: Entry) -> None:
        """Mark the messages that a record may change something for: its own subject, or all where a level moved."""
        if e.reason:
            return
        if e.t == "node.step":
            self._again.add(e.doc.of)
        elif e.t == "ack":
            self._again.add(e.doc.ph)
        elif e.t == "msg":
            refs = e.doc.refs
            self._again.update(refs if isinstance(refs, tuple) else ())
            if op(e):
                self._again.update(self._open)


def _met(name: str, acks: set[str]) -> bool:
    return bool(acks - {"undecryptable"}) if name == "read" else bool(acks & ENDS[name])


def _times(t: Tables, awaited: Awaited) -> Iterator[tuple[int, int]]:
    """The steps that are still to be written, with the ms at which each is due."""
    if awaited.since is None:
        return
    percents = t.policy_at(awaited.of.at).policy.timers.steps
    for step, percent in zip(STEPS, percents, strict=True):
        if step > awaited.written:
            yield step, awaited.since + awaited.seconds * 10 * percent


def _any(value: Any) -> Any:
    return value
