"""The only reader of the time.

``Clock`` is what everything else is given: ``now()`` in u64 milliseconds UTC, ``monotonic()`` in seconds, ``sleep``.
Protocol code never takes a clock: it takes the instant.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """The time as one process sees it."""

    def now(self) -> int:
        """Wall clock, milliseconds since 1970 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that stands still until it is moved: for tests, exercises and replay."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, milliseconds: int) -> None:
        """Move both clocks forward."""
        self._now += milliseconds
        self._monotonic += milliseconds / 1000

    def jump(self, milliseconds: int) -> None:
        """Move the wall clock alone, as a wrong setting does."""
        self._now += milliseconds

    async def sleep(self, seconds: float) -> None:
        self.advance(int(seconds * 1000))
        await asyncio.sleep(0)
