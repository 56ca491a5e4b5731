"""Which window of the browser writes which text: the same text open in two is read-only in the second.

A window holds a text while it is heard of, and lets it go when it leaves; one that has fallen silent is forgotten after
five minutes. "Take it over" hands it to another window at once. Locking the desk forgets all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from channel.clock import Clock

HOLD_SECONDS = 300.0


class Windows:
    """Texts by id, each with the window that writes it and when that was last heard of."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, tuple[str, float]] = {}

    def free(self, id_: str) -> bool:
        """Whether no window writes it."""
        _, heard = self._held.get(id_, ("", float("-inf")))
        return self._clock.monotonic() - heard > HOLD_SECONDS

    def hold(self, id_: str, window: str, *, over: bool = False) -> bool:
        """Whether this window may write; it holds the text from now on. ``over``: whoever had it."""
        if not window or not (over or self.free(id_) or self._held[id_][0] == window):
            return False
        self._held[id_] = window, self._clock.monotonic()
        return True

    def heard(self, id_: str, window: str) -> bool:
        """Whether this window may still write; if it holds the text, it goes on doing so. It takes nothing."""
        return self.free(id_) or (self._held[id_][0] == window and self.hold(id_, window))

    def leave(self, id_: str, window: str) -> None:
        """The window is gone, or shows something else."""
        if self._held.get(id_, ("", 0.0))[0] == window:
            del self._held[id_]

    def forget(self) -> None:
        """Nobody writes anything."""
        self._held.clear()
