"""The order of display grows with the logs: at every step it is what all of both logs at once would give."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel.protocol.fold import Fold
from channel.protocol.verdicts import Entry
from channel.protocol.views import Display
from tests.world import World


def whole_order(logs: tuple[list[Entry], list[Entry]]) -> list[Entry]:
    """The rule of docs/protocol.md 12.1, over all that there is: the free head with the least (ts, letter) first."""
    done, order = [0, 0], list[Entry]()
    while done[0] < len(logs[0]) or done[1] < len(logs[1]):
        heads = [logs[p][done[p]] for p in (0, 1) if done[p] < len(logs[p])]
        free = [e for e in heads if e.seen <= done[1 - e.p]] or heads
        first = min(free, key=lambda e: (e.ts, e.p))
        order.append(first)
        done[first.p] += 1
    return order


def entry(p: int, i: int, seen: int, ts: int) -> Entry:
    return Entry(p, i, 0, b"", None, seen=seen, ts=ts)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=40))
def test_the_order_after_each_record_is_that_of_everything(steps: list[tuple[int, int, int, bool]]) -> None:
    """Whatever each record has seen and whenever it was written; looked at after each record, or only now and then."""
    logs: tuple[list[Entry], list[Entry]] = ([], [])
    display = Display(logs)
    for p, more, later, look in steps:
        before = logs[p][-1] if logs[p] else entry(p, -1, 0, 0)
        logs[p].append(entry(p, len(logs[p]), before.seen + more, before.ts + later))
        if look:
            assert display.entries() == whole_order(logs)
    assert display.entries() == whole_order(logs)
    assert [display.place(e.p, e.i) for e in display.entries()] == list(range(sum(map(len, logs))))


@cache
def talk() -> World:
    """Both sides speak in turn and at once, with clocks that differ."""
    world = World(2)
    for n in range(8):
        world.send("a", "expert1", seen=4 + n)
        world.send("b", "expert1", seen=4 + max(0, n - 2))
    return world


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 4)), max_size=20))
def test_a_fold_that_is_looked_at_while_it_grows_shows_the_same(pieces: list[tuple[str, int]]) -> None:
    """``display``, its slices and ``place`` after each piece are those of a fold that was never looked at."""
    world = talk()
    looked, given_ = Fold(world.chan, world.blobs.get), {"a": 0, "b": 0}
    assert looked.display() == []
    for x, n in pieces:
        looked.add(x, world.logs[x][given_[x] : given_[x] + n])
        given_[x] += n
        fresh = Fold(world.chan, world.blobs.get)
        for y in "ab":
            fresh.add(y, world.logs[y][: given_[y]])
        shown = looked.display()
        assert shown == fresh.display()
        assert looked.display(-3) == shown[-3:]
        assert looked.display(2, 5) == shown[2:5]
        assert [looked.place(v.letter, v.index) for v in shown] == list(range(len(shown)))


def test_no_place_without_a_record() -> None:
    """A record that was not judged has no place."""
    world = talk()
    fold = Fold(world.chan, world.blobs.get)
    with pytest.raises(IndexError):
        fold.place("a", 0)
