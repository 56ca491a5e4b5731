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
from collections.abc import Iterator
from dataclasses import dataclass
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
        found = ALL
    elif op(e) in ("lower", "close"):
        found = ("stored", "read", "reply")
    elif op(e) == "raise":
        found = SEEN_AND_ENGAGED
    else:
        found = ("stored", "read")
    return found if h.reply_by is UNSET or "reply" in found else (*found, "reply")


def _answers_f11(t: Tables, h: Payload) -> bool:
    first = t.messages.get(h.refs[0]) if isinstance(h.refs, tuple) and h.refs else None
    return first is not None and first.doc.fmt == "F11"


class Awaiting:
    """Follows one party's own messages in a fold; what can bring no further step is let go."""

    def __init__(self, fold: Fold, letter: str) -> None:
        self._fold, self._p = fold, "ab".index(letter)
        self._tables: Tables | None = None
        self._open: dict[bytes, tuple[Entry, dict[str, int]]] = {}
        self._at = self._copied = 0
        self.next: int | None = None

    def due(self, now: int, seen: int) -> list[Step]:
        """The steps to write now, each with the reason that a record which has seen so much has to give."""
        t, found, after = self._learn(), list[Step](), list[int]()
        if t is None or len(t.sides[1 - self._p].entries) < seen:
            self.next = None
            return []
        as_next = Entry(self._p, len(t.sides[self._p].entries), 0, b"", None, seen=seen)
        for ph in list(self._open):
            more = False
            for awaited in self._awaited(t, *self._open[ph], seen):
                more |= not awaited.met and awaited.written < STEPS[-1]
                for step, at in _times(t, awaited):
                    if at > now:
                        after.append(at)
                        break
                    found.append(Step(of=ph, receipt=_any(awaited.receipt), step=step, reason=_any(
                        reason(t, as_next, awaited.of))))  # fmt: skip
            if not more:
                del self._open[ph]
        self.next = min(after, default=None)
        return found

    def copies(self, seen: int) -> list[Step]:
        """The other side's steps that the own log has no copy of, as far as the next record has seen them."""
        t = self._learn()
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
        """Every receipt that is waited for, oldest message first."""
        t = self._learn()
        return [] if t is None else [a for e, secs in self._open.values() for a in self._awaited(t, e, secs, seen)]

    def _learn(self) -> Tables | None:
        """Take in the own messages that were judged since; the fold's memory, once there is one."""
        t = self._fold.known()
        if t is not self._tables:  # a succession began the fold anew
            self._tables, self._open, self._at, self._copied = t, {}, 0, 0
        if t is None:
            return None
        own = t.sides[self._p].entries
        for e in own[self._at :]:
            if e.t == "msg" and not e.reason:
                wanted = receipts_of(t, e)
                given = seconds(t, e)
                self._open[e.ph] = (e, {name: s for name in wanted if (s := given[name]) is not None})
        self._at = len(own)
        return t

    def _awaited(self, t: Tables, e: Entry, secs: dict[str, int], seen: int) -> Iterator[Awaited]:
        own = t.sides[self._p]
        receipt = t.receipt_index(e.p, e.i)
        stored = receipt is not None and receipt < seen
        counted = None
        if receipt is not None and stored:
            first = bisect_right(own.seen, receipt)
            counted = own.entries[first].ts if first < len(own.entries) else None
        acks = {a.doc.step for a in t.acks.get(e.ph, ()) if a.i < seen}
        closed = (case := case_of(e)) is not None and t.ladder.level(case, self._cut(t)) < 0
        for name, after in secs.items():
            met = stored if name == "stored" else self._met(t, e, name, acks, seen)
            met |= closed and name in ENDS
            written = max((n for n in STEPS if (e.ph, name, n) in own.steps), default=0)
            yield Awaited(e, name, after, e.ts if name == "stored" else counted, met, written)

    def _cut(self, t: Tables) -> tuple[int, int]:
        return len(t.sides[0].entries), len(t.sides[1].entries)

    @staticmethod
    def _met(t: Tables, e: Entry, name: str, acks: set[str], seen: int) -> bool:
        if name == "read":
            return bool(acks - {"undecryptable"})
        replied = name == "reply" and any(r.p != e.p and r.i < seen for r in t.replies.get(e.ph, ()))
        return replied or bool(acks & ENDS[name])


def _times(t: Tables, awaited: Awaited) -> Iterator[tuple[int, int]]:
    """The steps that are still to be written, with the ms at which each is due."""
    if awaited.met or awaited.since is None:
        return
    percents = t.policy_at(awaited.of.at).policy.timers.steps
    for step, percent in zip(STEPS, percents, strict=True):
        if step > awaited.written:
            yield step, awaited.since + awaited.seconds * 10 * percent


def _any(value: Any) -> Any:
    return value
