"""What messages of one party still wait for: kept as the fold grows, for pages that are looked at all day.

    unmet = Unmet(fold, "a")
    unmet.now()               # every receipt that is not met, oldest message first

What waits for nothing any more costs nothing. In a case that was closed and is opened again, messages wait again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from channel.protocol.awaiting import Awaited, awaited, counted
from channel.protocol.ladder import case_of, op
from channel.protocol.verdicts import LETTERS, Entry

if TYPE_CHECKING:
    from channel.protocol.fold import Fold
    from channel.protocol.tables import Tables


class Unmet:
    """Follows one party's messages in a fold."""

    def __init__(self, fold: Fold, letter: str) -> None:
        self._fold, self._p = fold, LETTERS.index(letter)
        self._known: Tables | None = None
        self._begin()

    def _begin(self) -> None:
        self._at = [0, 0]
        self._open: dict[int, tuple[Entry, dict[str, int]]] = {}
        """Messages that wait for something, by index, each with the seconds of its receipts."""
        self._resting: dict[bytes, dict[int, tuple[Entry, dict[str, int]]]] = {}
        """Those of cases that wait for nothing, until a level moves."""

    def now(self) -> list[Awaited]:
        """Every receipt that is not met, as of all that was judged; oldest message first."""
        t = self._fold.known()
        if t is not self._known:  # a succession began the fold anew
            self._known = t
            self._begin()
        if t is None:
            return []
        for p, side in enumerate(t.sides):
            for e in side.entries[self._at[p] :]:
                if e.t == "msg" and not e.reason:
                    self._message(t, e)
            self._at[p] = len(side.entries)
        seen, found = len(t.sides[1 - self._p].entries), list[Awaited]()
        for i in sorted(self._open):
            e, after = self._open[i]
            waits = [each for each in awaited(t, e, after, seen) if not each.met]
            found += waits
            if not waits:
                self._rest(i)
        return found

    def _message(self, t: Tables, e: Entry) -> None:
        if e.p == self._p:
            self._open[e.i] = e, counted(t, e)
        case = case_of(e)
        if case is not None and op(e):
            self._open |= self._resting.pop(case, {})

    def _rest(self, i: int) -> None:
        each = self._open.pop(i)
        case = case_of(each[0])
        if case is not None:
            self._resting.setdefault(case, {})[i] = each
