"""Which notes there are and which must stay for ever (docs/protocol.md section 6).

A quick note of a size exists once: its text and its log line never change, only cosigner lines come to it. Anchors carry
the time of their log line, so there may be many of one size (heartbeats), each a note of its own:

    12/quick/0          12/anchor/1790000000          12/anchor/1790000030
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.errors import Malformed, WrongUse

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = 86_400
EVERY = 65_536  # the first anchor of at least each multiple of this size stays

COSIGNED = "cosigned"  # carries the other party's lines of its kind
EXPORTED = "exported"  # an export used it
MARKS = frozenset({COSIGNED, EXPORTED})

_FIELD = re.compile(r"(0|[1-9][0-9]{0,18})/(quick|anchor)/(0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True, order=True)
class NoteKey:
    """What tells one note of a log from another: size, kind, and for an anchor the time (s) of its log line.

    The order is that of "newest": by size, then anchor over quick, then time.
    """

    size: int
    anchor: bool
    at: int = 0

    def __post_init__(self) -> None:
        if self.size < 0 or (self.at > 0) != self.anchor:
            raise WrongUse("NOTE_KEY", size=self.size, at=self.at)

    def field(self) -> str:
        """As it stands in the store."""
        return f"{self.size}/{'anchor' if self.anchor else 'quick'}/{self.at}"

    def as_newest(self, *, cosigned: bool) -> str:
        """How the store remembers which note is its newest."""
        return f"{self.field()}/{COSIGNED}" if cosigned else self.field()

    def may_follow(self, newest: bytes | None, *, cosigned: bool) -> bool:
        """Tell whether this note is at least as new as the one remembered by ``as_newest``."""
        if newest is None:
            return True
        field, mark, _ = newest.decode().partition(f"/{COSIGNED}")
        return (self, cosigned) >= (NoteKey.read(field), bool(mark))

    @classmethod
    def read(cls, field: str) -> NoteKey:
        """The key of a stored field; ``Malformed`` NOTE_KEY."""
        match = _FIELD.fullmatch(field)
        if match is None or (match[2] == "quick") != (match[3] == "0"):
            raise Malformed("NOTE_KEY", field=field[:64])
        return cls(int(match[1]), match[2] == "anchor", int(match[3]))


def may_go(kept: Mapping[NoteKey, frozenset[str]], peer_cosigned: int, pair: NoteKey | None) -> set[NoteKey]:
    """Return the kept notes that no rule holds.

    ``peer_cosigned`` is the newest size of this log that the other party has cosigned. ``pair`` is this log's half of
    the newest closed pair of cosigned anchors; None while there is none, and then every cosigned anchor stays. Beyond
    the rules of section 6 the newest cosigned note of each kind stays, so that a desk is always told what is delivered
    and what is anchored.
    """
    anchors = sorted(key for key in kept if key.anchor)
    stays = {key for key, marks in kept.items() if key.size > peer_cosigned or EXPORTED in marks}
    stays |= {max(kept)} if kept else set()
    stays |= set({key.at // DAY: key for key in sorted(anchors, key=lambda key: (key.at, key.size))}.values())
    stays |= set({key.size // EVERY: key for key in reversed(anchors) if key.size >= EVERY}.values())
    cosigned = sorted(key for key in kept if COSIGNED in kept[key])
    stays |= set({key.anchor: key for key in cosigned}.values())
    stays |= {key for key in cosigned if key.anchor and (pair is None or key >= pair)}
    return set(kept) - stays


def check_marks(marks: frozenset[str]) -> frozenset[str]:
    """The marks, if all are known."""
    if not marks <= MARKS:
        raise WrongUse("NOTE_MARK", marks=sorted(marks - MARKS))
    return marks
