"""The node's part of the watch: steps of the no-answer procedure, call-outs, and the alarm of an empty post.

It follows both logs and the node's own time, and nothing else: a restart, a steered clock and an exercise are one code
path. A step stands in the log once (docs/protocol.md 12.6); the machine writes, alarms and calls, and never signs for a
person, raises a level or sends a message.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from channel.node.callout import Call
from channel.node.ringing import Ringing
from channel.node.state import WRITING
from channel.node.writer import Pending
from channel.protocol.awaiting import Awaiting
from keys.codec import pack
from keys.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from pathlib import Path

    from channel.node.duty_config import WatchConfig
    from channel.node.ringing import Ring
    from channel.node.station import Station
    from channel.node.writer import Placed
    from channel.protocol.record import Step
    from channel.protocol.verdicts import Entry

SLICE, SOON = 5.0, 0.05
GAP = "WATCH_GAP"
AGAIN_MS = 60_000
_POSTS = frozenset({"watch", "roster", "revoke"})  # records that fill or empty a post


class Callers(Protocol):
    """Whoever calls people out."""

    def seats(self) -> tuple[str, ...]:
        """In the order in which they are called."""
        ...

    def heads(self) -> tuple[str, ...]:
        """The heads of watch among them."""
        ...

    async def call(self, seat: str, call: Call) -> bool:
        """Whether a target took it."""
        ...


class Appends(Protocol):
    """The writer of the own shared log."""

    async def append(self, pending: Pending) -> Placed:
        """Return once the record is released."""
        ...


class Watch:
    """Watches one channel of this node. ``kept``: the file that remembers who was called for what."""

    def __init__(self, station: Station, shared: Appends, config: WatchConfig, callers: Callers, kept: Path) -> None:
        self._station, self._shared, self._config, self._callers = station, shared, config, callers
        self._awaiting = Awaiting(station.fold, station.letter)
        self._ringing = Ringing(station.fold, station.letter, kept)
        self._calls: set[asyncio.Task[object]] = set()
        self._posts_at = -1  # own records looked at for posts; -1 before the first look
        self._gap = Gap(station, config.seats)
        self._soon = False  # a step could not be written just now

    async def run(self) -> None:
        """Look whenever something changed or falls due, for ever."""
        try:
            while True:
                if self._station.state in WRITING and self._station.opened:
                    await self.look()
                await self._station.changed(self._pause())
        finally:
            for task in self._calls:
                task.cancel()

    async def look(self) -> None:
        """Write and call what is due now."""
        now, seen, fold = self._station.stamps.now(), self._station.seen()[1], self._station.fold
        if fold.cut != fold.held:  # a blob is on its way: what is not judged yet may stand in the log already
            return
        self._soon = False
        steps = [*self._awaiting.copies(seen), *self._awaiting.due(now, seen)]
        written = await asyncio.gather(*(self._write(step, seen) for step in steps))
        for step, done in zip(steps, written, strict=True):
            if done:
                self._after(step)
        if self._callers.seats():  # nobody to call is nobody called: whoever is named later is called then
            for ring in self._ringing.due(now):
                self._ringing.rung(ring)
                self._ring(ring)
        self._posts()
        if self._gap.begins(now, self._config.gap * 1000):
            self._station.telemetry.say("watch gap", seats=",".join(self._config.seats))
            self._station.alarms.add(GAP)
            self._station.wake()
            self.call(self._callers.heads() or self._callers.seats(), Call("gap", "", "", None))

    def waiting(self) -> int:
        """How many receipts are waited for now."""
        return sum(not a.met for a in self._awaiting.open(self._station.seen()[1]))

    # --- the procedure

    async def _write(self, step: Step, seen: int) -> bool:
        """Whether the step stands in the log now. Where more was seen meanwhile, its reason may be another: look again."""
        try:
            await self._shared.append(Pending("node.step", pack(step), seen_size=seen))
        except Unavailable as e:
            self._station.telemetry.say_problem("step not written", e)
            self._soon = True
            return False
        return True

    def _after(self, step: Step) -> None:
        """What the waiting side does when a step of its own is written: 2 calls those on duty, 3 the heads of watch."""
        e = self._entry(step)
        if e is None or e.p != "ab".index(self._station.letter) or step.step not in (2, 3):
            return
        seats = self._callers.seats() if step.step == 2 else self._callers.heads()
        self.call(seats, Call("step", e.doc.level, e.name, None, step.step))

    def _ring(self, ring: Ring) -> None:
        order = self._callers.seats()
        seats = (order[ring.stage : ring.stage + 1] or order[-1:]) if ring.stage < 2 else order
        if ring.stage == 3:
            seats = self._callers.heads()
        why: Any = "test" if ring.of.doc.status == "test" else "message"
        self._begin(self._all(ring, seats, Call(why, ring.of.doc.level, ring.of.name, ring.read_by)))

    async def _all(self, ring: Ring, seats: tuple[str, ...], call: Call) -> None:
        """Call all seats of a stage; where nobody could be reached, again in a minute."""
        reached = await asyncio.gather(*(self._callers.call(seat, call) for seat in seats))
        if seats and not any(reached):
            self._ringing.again(ring, self._station.stamps.now() + AGAIN_MS)
            self._station.wake()

    def _entry(self, step: Step) -> Entry | None:
        known = self._station.fold.known()
        return None if known is None else known.messages.get(step.of)

    # --- posts

    def _posts(self) -> None:
        """A seat that somebody takes over has its call-out tested at once."""
        known = self._station.fold.known()
        if known is None:
            return
        own = known.sides["ab".index(self._station.letter)].entries
        if self._posts_at >= 0:
            for e in own[self._posts_at :]:
                if e.t == "watch" and not e.reason and e.doc.op != "leave":
                    self.call((e.doc.seat,), Call("test", "", "", None))
        self._posts_at = len(own)

    def call(self, seats: Iterable[str], call: Call) -> None:
        """Call seats at the same time, beside everything else: nothing waits for a pager."""
        for seat in seats:
            self._begin(self._callers.call(seat, call))

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.ensure_future(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def quiet(self) -> None:
        """Return when every call under way has ended."""
        while self._calls:
            await asyncio.gather(*self._calls, return_exceptions=True)

    def _pause(self) -> float:
        if self._soon:
            return SOON
        now = self._station.stamps.now()
        return max(0.01, min([SLICE, *((at - now) / 1000 for at in self.due_times())]))

    def due_times(self) -> list[int]:
        """When each part of the watch has something to do next, ms of this node's time."""
        times = (self._awaiting.next, self._ringing.next, self._gap.next(self._config.gap * 1000))
        return [at for at in times if at is not None]


class Gap:
    """Since when no valid key holds any of the posts that are to be held, and whether that was told already."""

    def __init__(self, station: Station, seats: tuple[str, ...]) -> None:
        self._station, self._seats = station, set(seats)
        self._since: int | None = None
        self._told = False
        self._at = 0

    def begins(self, now: int, after_ms: int) -> bool:
        """Whether a gap has lasted long enough now and nobody was told of it yet."""
        self._learn()
        if not self._seats or self._told or self._since is None or now < self._since + after_ms:
            return False
        self._told = True
        return True

    def next(self, after_ms: int) -> int | None:
        """When a gap that goes on will have lasted long enough; None without one."""
        return None if self._told or self._since is None or not self._seats else self._since + after_ms

    def _learn(self) -> None:
        """Posts change only in own records; an alarm of before a restart stands in the log."""
        known = self._station.fold.known()
        if known is None:
            return
        side = known.sides["ab".index(self._station.letter)]
        for e in side.entries[self._at :]:
            if e.t == "node.alarm" and not e.reason and e.doc.code == GAP:
                self._told = True
            if self._since is not None and e.t not in _POSTS:
                continue
            standing = side.history.before(e.i + 1)
            held = any(standing.signer(kid) for seat, kid in side.posts_at(e.i + 1).items() if seat in self._seats)
            if held:
                self._since, self._told = None, False
            elif self._since is None:
                self._since = e.ts
        self._at = len(side.entries)
