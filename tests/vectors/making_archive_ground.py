"""What the archives of archives.json are made from: a small channel, a case, and what is said of a good archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from making_archive_bytes import Arch, full, sealed
from making_signing import Kept
from making_world import World

BODY = {"text": "A question.", "unit": "s", "list": [1, 2]}


@dataclass
class Case:
    """An archive and what verify says of it. ``chan`` None: it is not told which channel to expect."""

    comment: str
    flag: str
    exit: int
    part: str
    arch: Arch | bytes
    chan: bytes | None
    at_least: bytes = b""
    says: dict[str, Any] = field(default_factory=dict)


class Ground:
    """A small channel with a sealed message that was read, and one that is refused."""

    def __init__(self, kept: Kept, kind: str = "small") -> None:
        self.w = w = World(kept, kind)
        self.first = sealed(w, "a", "expert1", BODY)
        w.facts.case(self.first, "attention")
        w.ack("b", "expert1", self.first)
        self.second = sealed(w, "b", "expert1", {"text": "An answer."}, fmt="F02", refs=[self.first.ph])
        self.odd = w.msg("a", ["expert1"], "F04", expect="REF")
        w.sync("b")

    @property
    def arch(self) -> Arch:
        """Form full of it."""
        return full(self.w)


def said(w: World, **more: Any) -> dict[str, Any]:
    """What is said of a good archive of form full."""
    cut = w.size("a"), w.size("b")
    lines = [(x, i, line) for x in "ab" for i, line in enumerate(w.logs[x])]
    return {
        "complete": list(cut), "state": w.facts.state(cut).hex(), "evidence": [],
        "refused": [[x, i, line.expect] for x, i, line in lines if line.expect not in ("", "OPAQUE")],
        "messages": sum(line.t == "msg" and not line.expect for _, _, line in lines), **more,
    }  # fmt: skip
