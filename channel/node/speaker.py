"""What a node says by itself: ``node.boot``, ``node.ack`` and ``node.alarm`` (docs/protocol.md sections 5 and 5.1).

``node.ack`` carries ``seen`` to the other side soon after cosigning something new there, unless an own record did;
never for acks alone, or two nodes would answer each other for ever. Once an hour it carries a salted hash of the side
log's note and the hash of the folded state. Machine records have no person's signature and no free text.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from msgspec import UNSET, UnsetType

from channel import __version__
from channel.node.state import WRITING
from channel.node.writer import Pending
from channel.protocol.record import Alarm, Boot, NodeAck, SideAck
from keys.codec import pack

if TYPE_CHECKING:
    from collections.abc import Callable

    from channel.clock import Clock
    from channel.node.station import Station
    from channel.node.writer import Writer

ACK_SECONDS = 1.0  # at most; ``cosign_s`` of the policy is the outer limit
MINUTE = 60.0
SLICE = 5.0


class Speaker:
    """Speaks for the node of one channel."""

    def __init__(
        self, station: Station, shared: Writer, side: Writer, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        self._station, self._shared, self._side = station, shared, side
        self._clock, self._random = clock, random
        self._ack_due: float | None = None
        self._alarm_from = clock.monotonic()

    async def boot(self, why: Literal["start", "jump", "confirmed"]) -> None:
        """Say that the node began to write, or that its clock was set."""
        boot = Boot(impl=f"deconfliction-channel {__version__}", wall=self._clock.now(), why=why)
        await self._shared.append(Pending("node.boot", pack(boot)))

    async def run(self) -> None:
        """Speak when something is due, for ever."""
        while True:
            if self._station.state in WRITING:
                await self._speak()
            await self._station.changed(self._pause())

    async def _speak(self) -> None:
        now = self._clock.monotonic()
        if moved := self._station.stamps.jumped():
            self._station.telemetry.say("clock was set", by_ms=moved)
            self._station.alarms.add("CLOCK_JUMP")
            await self.boot("jump")
        if self._station.alarms.counts and now >= self._alarm_from:
            self._alarm_from = now + MINUTE
            for code, count, ref in self._station.alarms.take():
                alarm = Alarm(code=code, count=count, ref=UNSET if ref is None else ref)
                await self._shared.append(Pending("node.alarm", pack(alarm)))
        if self._station.stamps.now() >= self._station.hourly_due():
            await self._hourly_ack()
        if not self._station.owes_ack:
            self._ack_due = None
        elif self._ack_due is None:
            self._ack_due = now + min(ACK_SECONDS, self._station.policy().timers.cosign_s / 2)
        elif now >= self._ack_due:
            await self._shared.append(Pending("node.ack", pack(NodeAck())))

    async def _hourly_ack(self) -> None:
        """Commit to the side log: its salt stays there, so the other side learns neither size nor content."""
        station = self._station
        side: bytes | UnsetType = UNSET
        size = station.signer.head(station.origins.side).size
        if size:
            note = (await station.anchor_side()).encode()
            salt, text = self._random(16), note.partition(b"\n\n")[0] + b"\n"
            await self._side.append(Pending("node.ack", pack(SideAck(salt=salt, note=note))))
            side = hashlib.sha256(salt + text).digest()
        body = NodeAck(side=side, state=station.fold.state_hash(), at=station.fold.cut)
        await self._shared.append(Pending("node.ack", pack(body)))
        station.side_committed = size

    def _pause(self) -> float:
        now = self._clock.monotonic()
        due = [now + SLICE, now + (self._station.hourly_due() - self._station.stamps.now()) / 1000]
        if self._ack_due is not None:
            due.append(self._ack_due)
        if self._station.alarms.counts:
            due.append(self._alarm_from)
        return max(0.01, min(due) - now)
