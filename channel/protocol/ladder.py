"""Levels of cases, suspension, and which signatures are enough (docs/protocol.md section 12.5).

The given code of 12.5, indexed by case: ``level``, ``agreed`` and ``suspended`` are functions of a pair of prefixes,
so any order of adding that respects index and ``seen`` gives the same answers. A case's level changes only at its
moves, so it is kept per number of moves within the prefixes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

from msgspec import UNSET

from channel.protocol.charter import ORDER, Policy, Slot
from channel.protocol.header import Header, Move
from channel.protocol.verdicts import Entry, Signer
from keys.documents import Member

CORE = frozenset({"F01", "F02", "F13", "F14"})
HEAVY = frozenset({"F03", "F04", "F09", "F11"})
OPENING = frozenset({"F03", "F06", "F13"})
Prefixes = tuple[int, int]


def rank(level: Any) -> int:
    """The place of a level code, lowest 0."""
    return ORDER.index(level)


def opens(header: Header) -> bool:
    """Whether a message opens a case."""
    return header.fmt in OPENING and header.case is UNSET and header.status == "message"


def case_of(entry: Entry) -> bytes | None:
    """The case that a message belongs to, by the payload hash of its opening; None outside cases."""
    if opens(entry.doc):
        return entry.ph
    return None if entry.doc.case is UNSET else entry.doc.case


def op(entry: Entry) -> str:
    """The operation of a move; empty without one."""
    return "" if entry.doc.move is UNSET else entry.doc.move.op


def stays_open(header: Header) -> bool:
    """Whether a message is of the core that can be said while exchanges are suspended."""
    moves = header.move is not UNSET and header.move.op in ("raise", "suspend", "resume")
    return moves or header.fmt in CORE


def enough(signers: Sequence[Signer | Member], need: Iterable[Slot]) -> bool:
    """Whether different persons fill every slot."""
    slots = tuple(need)
    if len({s.person for s in signers}) < len(signers):
        return False
    return any(
        all(s.role in slot or f"{s.role}@{s.seat}" in slot for s, slot in zip(some, slots, strict=True))
        for some in permutations(signers, len(slots))
    )


def _key(entry: Entry) -> tuple[Any, ...]:
    move: Move = entry.doc.move
    return (entry.doc.case, move.from_, move.to, move.at)


@dataclass(slots=True)
class _Case:
    """The openings, raises, lowerings, closings and answers of one case."""

    opened: Entry | None = None
    ups: list[Entry] = field(default_factory=list)
    downs: list[Entry] = field(default_factory=list)
    answers: dict[tuple[Any, ...], tuple[list[Entry], list[Entry]]] = field(default_factory=dict)
    moved: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    levels: dict[Prefixes, int] = field(default_factory=dict)


class Ladder:
    """The valid messages so far, as far as levels need them."""

    def __init__(self) -> None:
        self._cases: dict[bytes, _Case] = {}
        self._holds: tuple[list[Entry], list[Entry]] = ([], [])

    @property
    def cases(self) -> dict[bytes, Entry]:
        """The opening messages by case."""
        return {ph: case.opened for ph, case in self._cases.items() if case.opened is not None}

    def add(self, entry: Entry) -> None:
        """Take in a valid message; each party's come in order of index."""
        what = op(entry)
        if what in ("suspend", "resume"):
            self._holds[entry.p].append(entry)
            return
        ph = case_of(entry)
        if ph is None or not (what or opens(entry.doc)):
            return
        case = self._cases.setdefault(ph, _Case())
        case.moved[entry.p].append(entry.i)
        if opens(entry.doc):
            case.opened = entry
        if opens(entry.doc) or what == "raise":
            case.ups.append(entry)
        elif what in ("lower", "close"):
            case.downs.append(entry)
        else:
            case.answers.setdefault(_key(entry), ([], []))[entry.p].append(entry)

    def level(self, ph: bytes, at: Prefixes) -> int:
        """The rank of a case on the prefixes ``at``; -1 if it is not open there."""
        case = self._cases.get(ph)
        if case is None:
            return -1
        moves = (bisect_left(case.moved[0], at[0]), bisect_left(case.moved[1], at[1]))
        if moves not in case.levels:
            case.levels[moves] = self._level(case, at)
        return case.levels[moves]

    def _level(self, case: _Case, at: Prefixes) -> int:
        down = [d for d in case.downs if self._agreed(case, d, at)]
        best = -1
        for up in case.ups:
            if not up.below(at):
                continue
            n = rank(up.doc.level)
            for d in down:
                if up.i < d.doc.move.at[up.p]:  # covered by it; at or after ``at`` it stands
                    n = min(n, rank(d.doc.move.to) if op(d) == "lower" else -1)
            best = max(best, n)
        return best

    @staticmethod
    def _agreed(case: _Case, down: Entry, at: Prefixes) -> bool:
        """Both logs hold it; the first answer of the other party counts."""
        if not down.below(at):
            return False
        for answer in case.answers.get(_key(down), ((), ()))[1 - down.p]:
            if answer.seen > down.i:
                return op(answer) == "concur" and answer.below(at)
        return False

    def suspended(self, at: Prefixes) -> tuple[bool, bool]:
        """For each party whether its own last word within ``at`` is ``suspend``."""
        lasts = (self._holds[p][: bisect_left(self._holds[p], at[p], key=lambda e: e.i)] for p in (0, 1))
        a, b = (bool(held) and op(held[-1]) == "suspend" for held in lasts)
        return a, b

    def need(self, entry: Entry, policy: Policy) -> tuple[Slot, ...]:
        """The slots that a message's signers must fill."""
        h: Header = entry.doc
        if h.move is not UNSET:
            return _move_need(h.move, policy)
        if h.fmt == "F13":
            if h.single is not UNSET:
                return policy.sign.person
            enter = policy.level(h.level).enter if opens(h) else ()
            return enter if len(enter) > 1 else policy.sign.two
        if opens(h):
            return policy.level(h.level).enter
        if h.fmt == "F01":
            return policy.sign.line
        if h.fmt in ("F02", "F14") or (h.fmt == "F07" and h.ans in policy.holding):
            return policy.sign.person
        ph = case_of(entry)
        if h.fmt in HEAVY and ph is not None and self.level(ph, entry.at) >= rank("serious"):
            return policy.sign.two
        return policy.sign.expert

    def check(self, entry: Entry, policy: Policy) -> str:
        """The level part of a message's validity: "", LEVEL, SUSP, CASE, MOVE or SIGS."""
        h: Header = entry.doc
        if opens(h) and h.fmt == "F13" and h.single is not UNSET and rank(h.level) > rank("attention"):
            return "LEVEL"
        if any(self.suspended(entry.at)) and not stays_open(h):
            return "SUSP"
        if h.case is not UNSET:
            opening = self._cases[h.case].opened if h.case in self._cases else None
            if opening is None or not opening.below(entry.at):
                return "CASE"
        if h.move is not UNSET and not self._move_ok(entry, h.move):
            return "MOVE"
        return "" if enough(entry.signers, self.need(entry, policy)) else "SIGS"

    def _move_ok(self, entry: Entry, m: Move) -> bool:
        h: Header = entry.doc
        if m.op in ("suspend", "resume"):
            return m.from_ is UNSET and m.to is UNSET and m.at is UNSET and h.case is UNSET
        if h.case is UNSET:
            return False
        if m.op == "raise":
            return m.at is UNSET and rank(m.to) > rank(m.from_) and h.level == m.to
        if h.level != m.from_:
            return False
        if m.op in ("concur", "object"):  # answers a valid lowering of the other party that it has seen
            downs = self._cases[h.case].downs
            return any(d.p != entry.p and d.i < entry.seen and _key(d) == _key(entry) for d in downs)
        return self._may_lower(entry, m)

    def _may_lower(self, entry: Entry, m: Move) -> bool:
        if m.at is UNSET or m.at[0] > entry.at[0] or m.at[1] > entry.at[1]:
            return False
        if self.level(entry.doc.case, m.at) != rank(m.from_):
            return False
        if m.op == "lower":
            return m.to is not UNSET and rank(m.to) == rank(m.from_) - 1
        return m.to is UNSET and rank(m.from_) <= rank("attention")


def _move_need(m: Move, policy: Policy) -> tuple[Slot, ...]:
    if m.op == "raise" and m.to is not UNSET:
        return policy.level(m.to).enter
    if m.op in ("lower", "concur") and m.from_ is not UNSET:
        return policy.level(m.from_).lower
    return policy.sign.expert if m.op in ("object", "close") else policy.sign.official
