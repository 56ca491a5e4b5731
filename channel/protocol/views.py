"""Judged records as others read them: verdicts with their flags, messages with their receipts, the order of display."""

from __future__ import annotations

from collections.abc import Sequence

from channel.protocol.ladder import case_of
from channel.protocol.procedure import seconds
from channel.protocol.state import confirm_state
from channel.protocol.tables import Tables
from channel.protocol.verdicts import LETTERS, Entry, MessageView, Verdict

AHEAD, BEHIND = 600_000, 86_400_000
"""ms that a record's ``ts`` may be ahead of or behind its receipt time without a flag (docs/protocol.md 12.2)."""


def as_verdict(t: Tables | None, e: Entry) -> Verdict:
    """The verdict on a judged record. Flags of time need the receipt, so they may come later; they change nothing."""
    flags = {"EXPIRED"} if e.expired else set()
    receipt = t.receipt_time(e.p, e.i) if t is not None and e.record is not None else None
    if e.record is not None and receipt is not None:
        if e.record.ts > receipt + AHEAD:
            flags.add("SKEW_AHEAD")
        if e.record.ts < receipt - BEHIND:
            flags.add("SKEW_BEHIND")
    return Verdict(
        letter=LETTERS[e.p],
        index=e.i,
        raw=e.raw,
        record=e.record,
        envelope=e.envelope,
        doc=e.doc,
        reason=e.reason if e.record is not None else "OPAQUE",
        signers=e.signers,
        flags=frozenset(flags),
        number=e.name,
    )


def message_view(t: Tables, e: Entry) -> MessageView:
    """A valid message with its acknowledgements, confirmation and deadlines."""
    receipt = t.receipt_time(e.p, e.i)
    due = {
        name: None if receipt is None or after is None else receipt + 1000 * after
        for name, after in seconds(t, e).items()
    }
    return MessageView(
        verdict=as_verdict(t, e),
        ph=e.ph,
        mid=e.doc.mid,
        case=case_of(e),
        acks=tuple(as_verdict(t, a) for a in t.acks.get(e.ph, ())),
        confirm=confirm_state(t, e),
        receipt_time=receipt,
        deadlines=due,
    )


class Display:
    """Both logs as one list: what a record has seen stands before it; ties by (ts, letter). Grows with the logs.

    As long as both logs have a record without a place, the next place is decided for good. Once one is exhausted, what the
    other has left stands at the end, and is looked at again when the first one brings more.
    """

    def __init__(self, logs: Sequence[Sequence[Entry]]) -> None:
        self._logs = logs
        self._entries = list[Entry]()
        self._places: tuple[list[int], list[int]] = ([], [])
        self._decided = [0, 0]
        """Records of each log whose place stays."""

    def entries(self) -> list[Entry]:
        """All records in order."""
        if all(len(self._logs[p]) > self._decided[p] for p in (0, 1)):
            self._decide()
        for p in (0, 1):
            for e in self._logs[p][len(self._places[p]) :]:
                self._put(e)
        return self._entries

    def place(self, p: int, i: int) -> int:
        """Where a record stands in the list."""
        self.entries()
        return self._places[p][i]

    def _decide(self) -> None:
        done = self._decided
        del self._entries[sum(done) :]
        for p in (0, 1):
            del self._places[p][done[p] :]
        while done[0] < len(self._logs[0]) and done[1] < len(self._logs[1]):
            heads = [self._logs[p][done[p]] for p in (0, 1)]
            free = [e for e in heads if e.seen <= done[1 - e.p]] or heads
            first = min(free, key=lambda e: (e.ts, e.p))
            self._put(first)
            done[first.p] += 1

    def _put(self, e: Entry) -> None:
        self._places[e.p].append(len(self._entries))
        self._entries.append(e)
