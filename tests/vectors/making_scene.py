"""The list of scenarios of histories: a comment, flags, and a function that writes a world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from making_signing import Kept
from making_world import World

Write = Callable[[World], Any]


@dataclass(frozen=True)
class Scene:
    """A scenario. What ``write`` returns, a map, says what else is expected: ``cut``, ``error``, ``withheld``."""

    comment: str
    flags: tuple[str, ...]
    write: Write
    with_: dict[str, Any] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """What its module is about: keys, levels, logs, messages, opening, people."""
        return self.write.__module__.removeprefix("making_scenes_")

    def play(self, kept: Kept) -> tuple[World, dict[str, Any]]:
        """The world as written, and what is said of it beside its records."""
        world = World(kept, **self.with_)
        return world, self.write(world) or {}


SCENES: list[Scene] = []


def scene(comment: str, *flags: str, **with_: Any) -> Callable[[Write], Write]:
    """Adds a scenario to the list, in order of the text."""

    def add(write: Write) -> Write:
        SCENES.append(Scene(comment, flags, write, with_))
        return write

    return add
