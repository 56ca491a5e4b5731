"""What both logs say of line tests, read with a cursor: each record is looked at once (docs/protocol.md 5.1).

A restart reads both logs from the start and knows what it knew: which own test of a path is open, which of the other
side's tests have an echo, when people tested last. Own records are read first: an echo is about a test that stands.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from channel.protocol.header import Payload
from channel.protocol.record import Alarm, Echo, Test

if TYPE_CHECKING:
    from channel.node.station import Station
    from channel.protocol.verdicts import Entry

ALARM = "LINE_TEST"
PATHS = 16
AT_ONCE = 512  # records read before others have their turn


@dataclass(slots=True)
class Asked:
    """The newest own test of a path. ``echo``: the other node's answer, and when it was seen here (ms)."""

    index: int
    test: Test
    echo: Echo | None = None
    echoed_at: int = 0
    done: bool = False
    """Closed, or counted as unanswered."""


class TestsRead:
    """The line tests of one channel as this node has read them. Times in ms."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._at = {"a": 0, "b": 0}
        self.asked: dict[str, Asked] = {}
        """By path."""
        self.open: dict[str, tuple[Test, int]] = {}
        """The other side's newest test of each path that has no echo here, and when it was seen."""
        self.answered: set[bytes] = set()
        """Ids of the other side's tests that have one."""
        self.down: set[str] = set()
        """Own paths whose newest finished test is unanswered."""
        self.first = 0
        """``ts`` of the first own record; of the newest own F01; of the newest own alarm about line tests."""
        self.human = 0
        self.alarmed = 0

    async def follow(self) -> None:
        """Take in what was judged since the last time."""
        known = self._station.fold.known()
        if known is None:
            return
        for letter in (self._station.letter, self._station.other):
            entries = known.sides["ab".index(letter)].entries
            take = self._take_own if letter == self._station.letter else self._take_other
            while self._at[letter] < len(entries):
                if self._at[letter] % AT_ONCE == 0:
                    await asyncio.sleep(0)
                e = entries[self._at[letter]]
                if not e.reason:
                    take(e)
                self._at[letter] += 1

    def _take_own(self, e: Entry) -> None:
        self.first = self.first or e.ts
        match e.doc:
            case Test(path=path):
                if (before := self.asked.get(path)) is not None and not before.done:
                    self.down.add(path)  # a later one was asked: it stayed unanswered
                self.asked[path] = Asked(e.i, e.doc)
            case Echo(id=id_, t4=int()):
                for path, asked in self.asked.items():
                    if asked.test.id == id_:
                        asked.done = True
                        self.down.discard(path)
            case Echo(id=id_):
                self.answered.add(id_)
                self.open = {path: test for path, test in self.open.items() if test[0].id != id_}
            case Alarm(code=code) if code == ALARM:
                self.alarmed = e.ts
            case Payload(fmt="F01"):
                self.human = e.ts

    def _take_other(self, e: Entry) -> None:
        now = self._station.stamps.now()
        match e.doc:
            case Test(id=id_, path=path):
                self.open.pop(path, None)  # of a path the newest alone is answered
                if id_ not in self.answered:
                    self.open[path] = e.doc, now
                    while len(self.open) > PATHS:  # a peer has few addresses to ask by: the oldest are let go
                        del self.open[next(iter(self.open))]
            case Echo(id=id_, t1=t1, t4=t4) if not isinstance(t4, int):
                for asked in self.asked.values():
                    if (asked.test.id, asked.test.t1) == (id_, t1) and asked.echo is None:
                        asked.echo, asked.echoed_at = e.doc, now
