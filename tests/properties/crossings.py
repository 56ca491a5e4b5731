"""Histories of levels on two logs: people of both sides raise, lower, close, answer, suspend and resume, crossing at will.

    history = History(steps)            # steps: drawn by a test, or ``random_steps(dice)``
    history.world, history.told         # both logs, really signed; what was said, record by record

A step says who acts, what, how much of the other log its record has not seen, and which case and level it is about. Signers
are always enough and ``from`` is the level of the prefixes that ``at`` names, so what is refused is refused for its place.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from channel.protocol.charter import ORDER
from channel.protocol.fold import Fold
from tests.world import OTHER, World

OPS = (
    *("raise",) * 6, *("lower",) * 9, *("close",) * 4, *("concur",) * 9, *("object",) * 5, "open", "look",
    *("suspend",) * 2, "resume",
)  # fmt: skip
LEVELS = (0, 1, 1, 1, 2, 2, 3, 4, 5)
WHO = {
    "routine": ("expert1",), "attention": ("expert1",), "consultation": ("expert1", "duty"),
    "serious": ("expert1", "duty"), "crisis": ("expert1", "expert2", "official"),
    "principals": ("expert1", "expert2", "principal"),
}  # fmt: skip
DOWN = ("lower", "close")
Prefixes = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """``unseen``: records of the other log that the actor has not got; ``back``: how far ``at`` lies before that."""

    letter: str
    op: str
    unseen: int
    level: int
    case: int
    back: int


def at_once(one: Step, other: Step) -> tuple[Step, Step]:
    """Two steps of which neither side sees the other's, about one case."""
    y = OTHER[one.letter]
    return replace(one, unseen=0), replace(other, letter=y, unseen=1, case=one.case)


_UNSEEN, _BACK = (0, 0, 1, 2, 4), (0, 0, 0, 1, 2)
_STEP = st.builds(Step, st.sampled_from("ab"), st.sampled_from(OPS), st.sampled_from(_UNSEEN),
                  st.sampled_from(LEVELS), st.integers(0, 1), st.sampled_from(_BACK))  # fmt: skip
STEPS = st.lists(_STEP | st.builds(at_once, _STEP, _STEP), min_size=5, max_size=18).map(
    lambda steps: [each for step in steps for each in (step if isinstance(step, tuple) else (step,))]
)


def random_steps(dice: random.Random, length: int) -> Iterator[Step]:
    """Steps without a draw, singly and two at once: the same of the same dice."""

    def one() -> Step:
        return Step(dice.choice("ab"), dice.choice(OPS), dice.choice(_UNSEEN), dice.choice(LEVELS), dice.randrange(2),
                    dice.choice(_BACK))  # fmt: skip

    for _ in range(length):
        yield from at_once(one(), one()) if dice.random() < 0.5 else (one(),)


@dataclass(frozen=True)
class Told:
    """One move or opening: where it stands, what it has seen, what it says. ``level``: of a raise or opening."""

    p: int
    i: int
    seen: int
    op: str
    case: bytes
    level: str = ""
    from_: str = ""
    to: str = ""
    at: Prefixes = (0, 0)

    @property
    def key(self) -> tuple[object, ...]:
        """What an answer repeats."""
        return (self.case, self.from_, self.to, self.at)

    def crosses(self, other: Told) -> bool:
        """Neither has seen the other."""
        return self.p != other.p and self.seen <= other.i and other.seen <= self.i


class History:
    """Both logs as the steps make them."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.world = World(2)
        self.told: list[Told] = []
        self._seen = {"a": 4, "b": 4}
        self._fold = Fold(self.world.chan, self.world.blobs.get)  # for the level that a person would read off
        self._given = {"a": 0, "b": 0}
        for letter in "ab":
            self._open(letter, 4, 1)
        for step in steps:
            self._act(step)
        for letter in "abab":  # at the end both have all that was said
            self.world.sync(letter)

    @property
    def sizes(self) -> Prefixes:
        return len(self.world.logs["a"]), len(self.world.logs["b"])

    @property
    def cases(self) -> list[bytes]:
        return [t.case for t in self.told if t.op == "open"]

    def _act(self, step: Step) -> None:
        x = step.letter
        size = len(self.world.logs[OTHER[x]])
        self._seen[x] = seen = max(self._seen[x], size - step.unseen)
        p = "ab".index(x)
        holds = [t.op for t in self.told if t.p == p and t.op in ("suspend", "resume")]
        if holds[-1:] == ["suspend"] and step.back:  # who has suspended resumes before long
            step = replace(step, op="resume")
        known = [t.case for t in self.told if t.op == "open" and (t.p == p or t.i < seen)]
        downs = [t for t in self.told if t.op in DOWN and t.p != p and t.i < seen]
        if step.op == "open" and len(self.cases) < 4:
            self._open(x, seen, step.level)
        elif step.op in ("suspend", "resume"):
            self._put(x, Told(p, 0, seen, step.op, b""), ("official",))
        elif step.op in ("concur", "object") and downs:
            d = downs[-1 - step.case % len(downs)]
            self._put(x, Told(p, 0, seen, step.op, d.case, "", *d.key[1:]), WHO[d.from_])
        elif step.op == "raise":
            start = max(step.level, 1) - 1
            level = ORDER[start + 1]
            case = known[step.case % len(known)]
            self._put(x, Told(p, 0, seen, "raise", case, level, ORDER[start], level), WHO[level])
        elif step.op in DOWN:
            self._down(step, seen, known[step.case % len(known)])
        else:
            self.world.sync(x, seen=seen)

    def _down(self, step: Step, seen: int, case: bytes) -> None:
        x, own = step.letter, len(self.world.logs[step.letter])
        here = (own, seen) if x == "a" else (seen, own)
        at = (max(4, here[0] - step.back), max(4, here[1] - step.back))
        for letter in "ab":
            self._fold.add(letter, self.world.logs[letter][self._given[letter] :])
            self._given[letter] = len(self.world.logs[letter])
        now = self._fold.level_at(case, at) or "routine"
        op = "lower" if ORDER.index(now) >= 2 or (step.op == "lower" and now != "routine") else "close"
        to = ORDER[ORDER.index(now) - 1] if op == "lower" else ""
        self._put(x, Told("ab".index(x), 0, seen, op, case, "", now, to, at), WHO[now])

    def _open(self, x: str, seen: int, level: int) -> None:
        sent = self.world.send(x, *_author(WHO[ORDER[level]]), level=ORDER[level], seen=seen)
        self.told.append(Told("ab".index(x), sent.index, seen, "open", sent.ph, ORDER[level]))

    def _put(self, x: str, t: Told, who: tuple[str, ...]) -> None:
        at = t.at if t.at != (0, 0) else None
        sent = self.world.move(x, who, t.op, t.case or None, t.from_ or None, t.to or None, at, seen=t.seen)
        self.told.append(Told(t.p, sent.index, t.seen, t.op, t.case, t.level, t.from_, t.to, t.at))

    @staticmethod
    def crossings(said: list[Told]) -> Counter[str]:
        """Pairs of moves of one case, or of suspensions, of which neither has seen the other, by kind."""
        a, b = ([t for t in said if t.p == p and t.op != "open"] for p in (0, 1))
        pairs = [(x, y) for x in a for y in b if x.case == y.case and x.crosses(y)]
        return Counter(" × ".join(sorted((x.op, y.op))) for x, y in pairs)


def _author(who: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
    return who[0], "F03", who[1:]
