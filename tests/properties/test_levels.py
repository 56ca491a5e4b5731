"""Levels under crossing moves: both sides end at one level, and no raise at or after an agreed lowering's ``at`` is lost.

The properties are stated on what was said, without the product's ladder; the code written in docs/protocol.md 12.5 is the
second judge (tests/protocol/ladder_oracle.py).
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from functools import cache
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from channel.protocol.charter import ORDER
from channel.protocol.defaults import default_policy
from channel.protocol.fold import Fold
from tests.properties.crossings import DOWN, OPS, STEPS, History, Told, random_steps
from tests.protocol import ladder_oracle as oracle

KINDS = sorted(
    {" × ".join(sorted(pair)) for pair in product(("raise", "lower", "close", "concur", "object"), repeat=2)}
    | {" × ".join(sorted(pair)) for pair in product(("suspend", "resume"), repeat=2)}
)
LADDER = {"", "LEVEL", "SUSP", "CASE", "MOVE", "SIGS"}


def rank(level: str | None) -> int:
    return -1 if level is None else ORDER.index(level)


def folded(history: History, order: str) -> Fold:
    """A fold that was given the records in this order of letters; what is left comes at the end."""
    world = history.world
    fold, at = Fold(world.chan, world.blobs.get), {"a": 0, "b": 0}
    for x in order:
        fold.add(x, world.logs[x][at[x] : at[x] + 1])
        at[x] += 1
    for x in "ba":
        fold.add(x, world.logs[x][at[x] :])
    return fold


def both(history: History, dice: random.Random) -> tuple[Fold, Fold]:
    """Each side's fold: the own records as they are written, the other's as they come in."""
    a, b = history.sizes
    mixed = list("a" * a + "b" * b)
    dice.shuffle(mixed)
    return folded(history, "a" * a + "b" * b), folded(history, "".join(mixed))


def valid(history: History, fold: Fold) -> list[Told]:
    return [t for t in history.told if not fold.verdict("ab"[t.p], t.i).reason]


def agreed(downs: list[Told], said: list[Told]) -> list[Told]:
    """The lowerings and closings to which the other side's first answer, after having seen them, is to concur."""
    found = []
    for d in downs:
        answers = [t for t in said if t.op in ("concur", "object") and t.p != d.p and t.seen > d.i and t.key == d.key]
        first = min(answers, key=lambda t: t.i, default=None)
        if first is not None and first.op == "concur":
            found.append(d)
    return found


@settings(max_examples=40)
@given(STEPS.map(History), st.randoms(use_true_random=False))
def test_both_sides_end_at_one_level(history: History, dice: random.Random) -> None:
    """Whatever crosses, and in whichever order each side reads it, every case and the channel have one level."""
    mine, theirs = both(history, dice)
    assert mine.cut == theirs.cut == history.sizes
    for case in history.cases:
        assert mine.case_level(case) == theirs.case_level(case)
    assert (mine.level(), mine.suspended(), mine.state_hash()) == (
        theirs.level(),
        theirs.suspended(),
        theirs.state_hash(),
    )
    assert rank(mine.level()) == max(0, *(rank(mine.case_level(case)) for case in history.cases))
    for t in history.told:
        assert mine.verdict("ab"[t.p], t.i).reason == theirs.verdict("ab"[t.p], t.i).reason


@settings(max_examples=40)
@given(STEPS.map(History))
def test_no_raise_is_lost(history: History) -> None:
    """A raise counts, holds at once, and goes below its level only by an agreed lowering or closing that covers it."""
    fold = history.world.fold()
    said = valid(history, fold)
    for t in history.told:
        if t.op not in ("raise", "open"):
            continue
        assert t in said or t.op == "open"  # an opening may be refused while exchanges are suspended
        if t not in said:
            continue
        here = (t.i + 1, t.seen) if t.p == 0 else (t.seen, t.i + 1)
        assert rank(fold.level_at(t.case, here)) >= rank(t.level)
        downs = agreed([d for d in said if d.op in DOWN and d.case == t.case], said)
        covers = [rank(d.to or None) for d in downs if t.i < d.at[t.p]]
        final = rank(fold.case_level(t.case))
        assert final >= min([rank(t.level), *covers])
        if not covers:
            assert final >= rank(t.level)
    for case in history.cases:
        ups = [rank(t.level) for t in said if t.case == case and t.op in ("raise", "open")]
        assert rank(fold.case_level(case)) <= max(ups, default=-1)


@settings(max_examples=25)
@given(STEPS.map(History))
def test_an_agreed_lowering_takes_what_lies_before_it(history: History) -> None:
    """Where no opening or raise of a case stands at or after an agreed ``at``, its level is at most what was agreed."""
    fold = history.world.fold()
    said = valid(history, fold)
    for d in agreed([d for d in said if d.op in DOWN], said):
        ups = [t for t in said if t.case == d.case and t.op in ("raise", "open")]
        if all(t.i < d.at[t.p] for t in ups):
            assert rank(fold.case_level(d.case)) <= rank(d.to or None)


@settings(max_examples=25)
@given(STEPS.map(History))
def test_the_written_ladder_says_the_same(history: History) -> None:
    """Every verdict of the ladder, and every case's level on every pair of prefixes, are those of the code of 12.5."""
    fold = history.world.fold()
    pol, plain = oracle.Pol(default_policy(2, bytes(32), bytes(32))), []
    for v in fold.display():
        if v.record is None or v.record.t != "msg" or v.reason not in LADDER:
            continue
        entry = next(e for e in fold._entries["ab".index(v.letter)] if e.i == v.index)
        r = oracle.rec(entry)
        assert (oracle.check_level(r, plain, pol) or "") == v.reason
        if not v.reason:
            plain.append(r)
    for at in product(*(range(4, size + 1, 3) for size in history.sizes)):
        for case in history.cases:
            assert rank(fold.level_at(case, at)) == oracle.level(case, at, plain)
    assert fold.suspended() == oracle.suspended(history.sizes, plain)


def test_a_raise_that_crosses_a_closing_reopens_the_case() -> None:
    """Close and concurrence on one side of a crossing, a raise on the other: the case stands open at the raise's level."""
    history = History([])
    world, (case, _) = history.world, history.cases
    here = history.sizes
    world.move("a", ("expert1",), "close", case, "attention", None, here)
    world.move("b", ("expert1",), "concur", case, "attention", None, here)
    world.move("a", ("expert1", "duty"), "raise", case, "attention", "serious", seen=here[1])
    assert [folded(history, order).case_level(case) for order in ("aaaaaaaaaabbbbbbbbbb", "bbbbbbbbbbaaaaaaaaaa")] == [
        "serious", "serious",
    ]  # fmt: skip


@cache
def histories() -> list[History]:
    """The same histories in every run, as long as those that are drawn may be and longer."""
    return [History(random_steps(random.Random(seed), 28)) for seed in range(50)]


def test_the_histories_reach_crossings_of_each_kind() -> None:
    """Of every two kinds of move some cross, most moves count, and agreed lowerings are among them with raises beyond."""
    crossed, counted, refused, records, beyond, final = Counter(), Counter(), Counter(), 0, 0, Counter()
    for history in histories():
        fold = history.world.fold()
        said = valid(history, fold)
        records += sum(history.sizes) - 8
        crossed += history.crossings(said)
        counted.update(t.op for t in said)
        refused.update(fold.verdict("ab"[t.p], t.i).reason for t in history.told if t not in said)
        final.update(fold.case_level(case) or "closed" for case in history.cases)
        downs = agreed([d for d in said if d.op in DOWN], said)
        counted["agreed"] += len(downs)
        beyond += sum(t.op == "raise" and t.case == d.case and t.i >= d.at[t.p] for d in downs for t in said)
    sys.stdout.write(
        f"{len(histories())} histories, {records} records, counted {dict(counted)}, refused {dict(refused)}, "
        f"{sum(crossed.values())} crossings {dict(crossed)}, {beyond} raises at or after an agreed `at`, "
        f"levels at the end {dict(final)}\n"
    )
    assert {kind: crossed[kind] for kind in KINDS if crossed[kind] < 3} == {}
    assert {op: counted[op] for op in {*OPS, "agreed"} - {"look"} if counted[op] < 20} == {}
    assert {"MOVE", "SUSP"} <= set(refused)
    assert beyond >= 50
    assert set(final) >= {"closed", "routine", "attention", "serious", "crisis"}
