"""Whom to call for a message of the other side that nobody here has read yet (DESIGN 5, no-answer procedure).

    0 %    the first seat            50 %   the next one
    100 %  every seat                150 %  the heads of watch

in per cent of the time to read, from the receipt time. What was called is kept in a small file, so that a node which is
started again calls nobody twice. Call-outs are this party's own affair: nothing of them stands in a log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from channel.protocol.procedure import seconds
from keys.keyring import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from channel.protocol.fold import Fold
    from channel.protocol.tables import Tables
    from channel.protocol.verdicts import Entry

STAGES = (0, 50, 100, 150)


@dataclass(frozen=True, slots=True)
class Ring:
    """One call that is due: for which message, which stage, and until when it is to be read (ms; None: not counted)."""

    of: Entry
    stage: int
    read_by: int | None


class Ringing:
    """Follows the other side's messages in a fold. ``kept``: the file of what was called."""

    def __init__(self, fold: Fold, letter: str, kept: Path) -> None:
        self._fold, self._p, self._kept = fold, "ab".index(letter), kept
        self._rung: dict[str, int] = _read(kept)
        self._open: dict[bytes, tuple[Entry, int]] = {}
        self._later: dict[bytes, int] = {}
        """Not before these times, ms: nobody could be reached."""
        self._at = 0
        self._tables: Tables | None = None
        self.next: int | None = None

    def due(self, now: int) -> list[Ring]:
        """The calls to make now, one a message: the newest stage alone, where several fell due meanwhile."""
        t, found, after = self._learn(), list[Ring](), list[int]()
        if t is None:
            return []
        for ph, (e, secs) in list(self._open.items()):
            if any(a.doc.step != "undecryptable" for a in t.acks.get(ph, ())):
                del self._open[ph]
                self._rung.pop(ph.hex(), None)
                self._later.pop(ph, None)
                continue
            since = t.receipt_time(e.p, e.i)
            times = [now] if since is None else [since + secs * 10 * percent for percent in STAGES]
            stage = max(0, sum(at <= now for at in times) - 1)  # a clock that was set back calls all the same
            after += [at for at in times if at > now][:1]
            if (later := self._later.get(ph, 0)) > now:
                after.append(later)
            elif stage > self._rung.get(ph.hex(), -1):
                found.append(Ring(e, stage, None if since is None else since + secs * 1000))
        self.next = min(after, default=None)
        return found

    def rung(self, ring: Ring) -> None:
        """Remember a call before it is made: one that a crash cuts off is made up for by the next stage."""
        self._rung[ring.of.ph.hex()] = ring.stage
        write_file(self._kept, json.dumps(self._rung).encode(), 0o600, over=True)

    def again(self, ring: Ring, at: int) -> None:
        """Nobody could be reached: the same stage is due once more at ``at``."""
        self._rung[ring.of.ph.hex()] = min(ring.stage - 1, self._rung.get(ring.of.ph.hex(), ring.stage))
        self._later[ring.of.ph] = at

    def _learn(self) -> Tables | None:
        t = self._fold.known()
        if t is not self._tables:
            self._tables, self._open, self._at = t, {}, 0
        if t is None:
            return None
        other = t.sides[1 - self._p].entries
        for e in _messages(other[self._at :]):
            read = seconds(t, e)["read"]
            if read is not None:
                self._open[e.ph] = (e, read)
        self._at = len(other)
        return t


def _messages(entries: list[Entry]) -> Iterator[Entry]:
    return (e for e in entries if e.t == "msg" and not e.reason and e.doc.status != "system")


def _read(path: Path) -> dict[str, int]:
    try:
        held = json.loads(path.read_text())
        return {str(ph): int(stage) for ph, stage in held.items()}
    except (OSError, ValueError, AttributeError):
        return {}  # nothing was called yet; a broken file costs one call too many, never one too few
