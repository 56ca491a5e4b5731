"""Automatic line tests: ``node.test``, its echo by the other node, and the closing echo (docs/protocol.md 5.1).

    asking node   node.test {id, path, t1} ............ closing node.echo {…, t4}: the test is answered
    other node    ............ node.echo {t1, t2, t3}

Path "1" is tested by the first address of ``peer_urls``, "2" by the second, and so on: a test is closed only if it went
by its address. What was asked and answered stands in the logs, so a restart asks and answers nothing twice. The machine
makes no human test: when the own side made none for long, it has people called out to make one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from channel.node.asked import ALARM, Asked, TestsRead
from channel.node.state import State
from channel.node.writer import Pending
from channel.protocol.record import Echo, Test
from keys.codec import pack
from keys.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from channel.clock import Clock
    from channel.node.courier import Courier
    from channel.node.duty_config import LineTestConfig
    from channel.node.line import Line
    from channel.node.station import Station
    from channel.node.writer import Placed

SLICE = 5.0
MINUTE_MS = 60_000
ANSWERS = 60  # echoes a minute, at most, whatever the other side asks
SETTLED = 60.0  # seconds that a node has run before it calls people out: one that starts over and over calls nobody


class Appends(Protocol):
    """The writer of the own shared log."""

    async def append(self, pending: Pending) -> Placed:
        """Return once the record is released."""
        ...


class LineTest:
    """Tests the line of one channel. ``ask`` has people called out to make a human test."""

    def __init__(
        self, station: Station, shared: Appends, courier: Courier, line: Line, schedule: LineTestConfig, clock: Clock,
        random: Callable[[int], bytes], ask: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._station, self._shared, self._courier, self._line = station, shared, courier, line
        self._schedule, self._clock, self._random = schedule, clock, random
        self._read = TestsRead(station)
        self._echoes: deque[int] = deque()
        self._people = HumanTest(self._read, schedule, clock, ask)

    async def run(self) -> None:
        """Test, answer and call out when something is due, for ever."""
        self._people.start()
        try:
            while True:
                if self._active():
                    await self.look()
                await self._station.changed(self._pause())
        finally:
            self._line.prefer(None)
            await self._people.stop()

    def _active(self) -> bool:
        return self._station.opened and self._station.state in (State.ACTIVE, State.DEGRADED)

    async def look(self) -> None:
        """Answer, close and ask what is due now."""
        await self._read.follow()
        try:
            await self._answer()
            for asked in list(self._read.asked.values()):
                await self._finish(asked)
            self._line.prefer(self._carrying())
            await self._test()
        except Unavailable as e:  # the writer has too much to do: what was not written is due at the next look
            self._station.telemetry.say_problem("line test waits", e)
            await self._clock.sleep(1.0)
        self._people.look(self._station.stamps.now())

    async def _answer(self) -> None:
        """Echo the other side's newest test of each path, once."""
        for path, (test, seen) in list(self._read.open.items()):
            now = self._station.stamps.now()
            while self._echoes and self._echoes[0] <= now - MINUTE_MS:
                self._echoes.popleft()
            if len(self._echoes) >= ANSWERS:
                return
            echo = Echo(id=test.id, t1=test.t1, t2=seen, t3=max(seen, now))
            await self._shared.append(Pending("node.echo", pack(echo)))
            self._echoes.append(now)
            self._read.open.pop(path, None)
            self._read.answered.add(test.id)

    async def _finish(self, asked: Asked) -> None:
        """Close an own test whose echo came in time and that went by its address, or count it as unanswered."""
        if asked.done:
            return
        in_time, path = asked.test.t1 + self._patience(), asked.test.path
        if asked.echo is not None and asked.echoed_at <= in_time and self._went(asked):
            echo = asked.echo
            closing = Echo(id=echo.id, t1=echo.t1, t2=echo.t2, t3=echo.t3, t4=asked.echoed_at)
            await self._shared.append(Pending("node.echo", pack(closing)))
            asked.done = True
        elif self._station.stamps.now() > in_time:
            asked.done = True
            self._station.telemetry.say("line test unanswered", channel=self._station.chan, path=path)
            if path not in self._read.down and self._read.alarmed <= in_time:
                self._station.alarms.add(ALARM)
                self._station.wake()
            self._read.down.add(path)

    def _went(self, asked: Asked) -> bool:
        way = self._courier.way_of(asked.index)
        return way is not None and str(way + 1) == asked.test.path

    def _carrying(self) -> int | None:
        """The address whose test has not reached the other side yet."""
        for number in range(self._line.addresses):
            asked = self._read.asked.get(str(number + 1))
            if asked is not None and not asked.done and self._station.delivered <= asked.index:
                return number
        return None

    async def _test(self) -> None:
        """Ask on the path that has been due for longest, unless a test is still on its way."""
        due = min(self._due().items(), key=lambda item: item[1], default=None)
        if due is None or due[1] > self._station.stamps.now():
            return
        self._line.prefer(due[0])
        test = Test(id=self._random(16), path=str(due[0] + 1), t1=self._station.stamps.now())
        await self._shared.append(Pending("node.test", pack(test)))

    def _due(self) -> dict[int, int]:
        """When each address is to be tested next, ms; none while a test is on its way, or in flight on its path."""
        now, found = self._station.stamps.now(), dict[int, int]()
        for number in range(self._line.addresses) if self._carrying() is None else ():
            period = 1000 * (self._schedule.alternate if number else self._schedule.every)
            asked = self._read.asked.get(str(number + 1))
            if period and (asked is None or asked.done):
                found[number] = min(self._read.first if asked is None else asked.test.t1, now) + period
        return found

    def _patience(self) -> int:
        return 1000 * self._station.policy().timers.test_s

    def _pause(self) -> float:
        if not self._active():
            return SLICE
        now = self._station.stamps.now()
        return min(SLICE, max(0.01, (min(self.due_times(), default=now + 1_000_000) - now) / 1000))

    def due_times(self) -> list[int]:
        """When tests are to be asked next, and when those on their way count as unanswered; ms of this node's time."""
        patience = self._patience()
        return [*self._due().values(), *(a.test.t1 + patience + 1 for a in self._read.asked.values() if not a.done)]


class HumanTest:
    """Has people called out when the own side made no human test for long: once in each window without one."""

    def __init__(
        self, read: TestsRead, schedule: LineTestConfig, clock: Clock, ask: Callable[[], Awaitable[None]]
    ) -> None:
        self._read, self._window, self._clock, self._ask = read, 1000 * schedule.human, clock, ask
        self._since = clock.monotonic()
        self._asked = 0  # ms of the last call-out
        self._asking: asyncio.Future[None] | None = None

    def start(self) -> None:
        """The node has begun to write."""
        self._since = self._clock.monotonic()

    def look(self, now: int) -> None:
        """Call out, beside everything else, if it is due. ``now`` in ms of the log's time."""
        if self._asking is not None and self._asking.done():
            self._asking.result()
            self._asking = None
        since = max(self._read.human or self._read.first, self._asked)
        due = self._window and now >= since + self._window and self._clock.monotonic() - self._since >= SETTLED
        if due and self._asking is None:
            self._asked = now
            self._asking = asyncio.ensure_future(self._ask())

    async def stop(self) -> None:
        """End a call-out that still goes on."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking
