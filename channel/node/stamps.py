"""The ``ts`` of own records: wall clock at start, then a monotonic clock, never below the previous (protocol 12.4).

A wall clock that is set while the node runs does not move ``ts``; ``jumped`` says so once for each setting, and the
node raises an alarm. After a restart the new anchor is the wall clock of then, but not less than the last record's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from channel.clock import Clock

JUMP_MS = 5_000  # more than any slewing between two looks, less than what matters to a deadline


class Stamps:
    """Times in milliseconds UTC for one process: one instance serves all logs of a channel."""

    def __init__(self, clock: Clock, floor: int = 0) -> None:
        self._clock = clock
        self._wall, self._start = clock.now(), clock.monotonic()
        self._last = floor
        self._drift = 0

    def now(self) -> int:
        """The instant in the node's own time, which the wall clock can't move."""
        return self._wall + int((self._clock.monotonic() - self._start) * 1000)

    def next(self) -> int:
        """The ``ts`` of the next record."""
        self._last = max(self._last, self.now())
        return self._last

    def seconds(self) -> int:
        """POSIX seconds for timed note lines."""
        return max(1, self.now() // 1000)

    @property
    def last(self) -> int:
        """The newest ``ts`` that was given."""
        return self._last

    def raise_floor(self, ts: int) -> None:
        """No later ``ts`` is below this one: the newest record that the log already has."""
        self._last = max(self._last, ts)

    def jumped(self) -> int:
        """Milliseconds by which the wall clock was set since the last look; 0 when it was not."""
        drift = self._clock.now() - self.now()
        moved = drift - self._drift
        if abs(moved) < JUMP_MS:
            return 0
        self._drift = drift
        return moved
