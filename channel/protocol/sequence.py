"""A party's log numbers joined to one sequence of records, and what each record counts with (docs/protocol.md 12.1).

Sizes and positions are joined ones: log number k begins where number k-1 ends, at the ``final.size`` of its ``succeed``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from channel.protocol.charter import Succeed
from channel.protocol.merkle import EMPTY, Frontier, leaf_hash
from channel.protocol.record import SHARED_TYPES, Record, try_read
from keys.envelope import read_envelope
from keys.errors import Malformed, Refused, WrongUse


@dataclass(frozen=True, slots=True)
class Leaf:
    """A record's bytes; ``record`` is None for an opaque leaf."""

    number: int
    raw: bytes = field(repr=False)
    record: Record | None = field(repr=False)


@dataclass(slots=True)
class LogNumber:
    """One log number: where it begins, and its root at each size."""

    start: int
    roots: list[bytes] = field(default_factory=lambda: [EMPTY])
    frontier: Frontier = field(default_factory=Frontier.empty)

    @property
    def size(self) -> int:
        """Records of this number."""
        return len(self.roots) - 1


class Sequence:
    """The records of one party, as given."""

    def __init__(self) -> None:
        self.leaves: list[Leaf] = []
        self.numbers = [LogNumber(0)]

    def add(self, records: Iterable[bytes], log_no: int) -> int | None:
        """Take records in. The joined size that a succession cut the log at, where records beyond it went; else None.

        ``WrongUse`` LOG_NUMBER for a number that is not the current or the next one; ``Refused`` SUCCEED for a next
        one whose record 0 does not continue this log.
        """
        cut = None
        for raw in records:
            if log_no == len(self.numbers):
                cut = self._succeed(raw, log_no)
            if log_no != len(self.numbers) - 1:
                raise WrongUse("LOG_NUMBER", number=log_no, current=len(self.numbers) - 1)
            self._grow(raw, log_no)
        return cut

    def _grow(self, raw: bytes, log_no: int) -> None:
        number = self.numbers[-1]
        number.frontier = number.frontier.append(leaf_hash(raw))
        number.roots.append(number.frontier.root())
        self.leaves.append(read_leaf(raw, log_no))

    def _succeed(self, raw: bytes, log_no: int) -> int | None:
        record, last = try_read(raw), self.numbers[-1]
        try:
            if record is None or record.t != "succeed":
                raise Refused("SUCCEED", number=log_no, why="type")
            final = read_envelope(record.env).read("succeed", Succeed).final
        except Malformed as e:
            raise Refused("SUCCEED", number=log_no, why="unreadable") from e
        if final.size > last.size or last.roots[final.size] != final.root:
            raise Refused("SUCCEED", number=log_no, why="final")
        end, beyond = last.start + final.size, len(self.leaves)
        del self.leaves[end:], last.roots[final.size + 1 :]
        self.numbers.append(LogNumber(end))
        return end if end < beyond else None

    def root(self, size: int) -> bytes:
        """The root at a joined size, of the newest log number that has it."""
        number = next(n for n in reversed(self.numbers) if n.start <= size)
        if not 0 <= size - number.start <= number.size:
            raise WrongUse("RANGE", lo=0, hi=size, size=len(self.leaves))
        return number.roots[size - number.start]

    def joined(self, seen: tuple[int, int, bytes]) -> tuple[int | None, bool]:
        """The joined position of a ``seen``, and whether its root is right; None if it lies beyond what is held."""
        log_no, size, root = seen
        if log_no >= len(self.numbers):
            return None, True
        number = self.numbers[log_no]
        if size > number.size:
            last = log_no == len(self.numbers) - 1
            return (None, True) if last else (0, False)  # a number that has ended has no more
        return number.start + size, number.roots[size] == root


def read_leaf(raw: bytes, number: int) -> Leaf:
    """A record's bytes as a leaf; of an unknown type or undecodable, it is opaque."""
    record = try_read(raw)
    return Leaf(number, raw, record if record is not None and record.t in SHARED_TYPES else None)
