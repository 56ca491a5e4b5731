"""Whom a side calls for what it was sent and nobody has read: in stages, each once, over a restart too."""

from __future__ import annotations

import pytest

from channel.node.ringing import Ringing
from tests.world import World

HOUR = 3_600_000
READ = 3 * HOUR


class Bell:
    """What side b rings for messages of side a."""

    def __init__(self, path):
        self.world, self.path = World(), path
        self.again()

    def again(self):
        self.fold = self.world.fold()
        self.given = {x: len(self.world.logs[x]) for x in "ab"}
        self.ringing = Ringing(self.fold, "b", self.path)

    def due(self, now):
        for x in "ab":
            self.fold.add(x, self.world.logs[x][self.given[x] :])
            self.given[x] = len(self.world.logs[x])
        found = self.ringing.due(now)
        for ring in found:
            self.ringing.rung(ring)
        return [(ring.stage, ring.read_by) for ring in found]

    def received(self):
        self.world.sync("b", ts=self.world.ts["a"] + 1000)
        return self.world.ts["b"]


@pytest.fixture
def bell(tmp_path):
    return Bell(tmp_path / "called.json")


def test_stages_come_at_their_times_and_once(bell):
    """At once, at half the time to read, at its end, and half as long after; with the time until which to read."""
    bell.world.send("a", "expert1")
    assert bell.due(bell.world.ts["a"]) == [(0, None)]
    start = bell.received()
    by = start + READ
    assert bell.due(start) == []
    assert bell.ringing.next == start + READ // 2
    assert bell.due(start + READ // 2 - 1) == []
    assert bell.due(start + READ // 2) == [(1, by)]
    assert bell.due(start + READ // 2) == []
    assert bell.due(start + READ) == [(2, by)]
    assert bell.due(start + 3 * READ) == [(3, by)]
    assert bell.due(start + 30 * READ) == []
    assert bell.ringing.next is None


def test_after_a_restart_only_the_newest_stage_is_rung(bell):
    """What was called is kept beside the node; of several stages that fell due while it was away one call is made."""
    bell.world.send("a", "expert1")
    start = bell.received()
    assert [stage for stage, _ in bell.due(start)] == [0]
    bell.again()
    assert bell.due(start) == []
    assert [stage for stage, _ in bell.due(start + READ)] == [2]
    bell.again()
    assert bell.due(start + READ) == []


@pytest.mark.parametrize("step", ["read", "engaged", "not-engaging", "no-comment"])
def test_a_person_who_has_read_ends_it(bell, step):
    """Any receipt by a person ends the ringing; that it can't be opened does not."""
    sent = bell.world.send("a", "expert1")
    start = bell.received()
    bell.due(start)
    bell.world.ack("b", "duty", sent, "undecryptable")
    assert bell.due(start + READ // 2) != []
    bell.world.ack("b", "duty", sent, step)
    assert bell.due(start + 9 * READ) == []
    assert bell.path.read_text() == '{"' + sent.ph.hex() + '": 1}'
    bell.again()
    assert bell.due(start + 9 * READ) == []


@pytest.mark.parametrize("broken", ["", "{", "[1]", '{"x": "y"}'])
def test_a_broken_file_costs_a_call_and_never_one_too_few(bell, broken):
    """What can't be read counts as nothing called."""
    bell.world.send("a", "expert1")
    start = bell.received()
    bell.due(start)
    bell.path.write_text(broken)
    bell.again()
    assert [stage for stage, _ in bell.due(start)] == [0]


def test_a_clock_that_was_set_back_calls_all_the_same(bell):
    """Before the receipt time, by a clock that stands behind it, the first stage is due."""
    bell.world.send("a", "expert1")
    start = bell.received()
    assert [stage for stage, _ in bell.due(start - HOUR)] == [0]


def test_own_messages_and_refused_ones_ring_nobody(bell):
    """A side rings for what the other side validly said; a test by a person rings, a message of the system does not."""
    bell.world.send("b", "expert1")
    bell.world.send("a", "expert1", level="serious")
    assert bell.due(bell.received()) == []
    bell.world.send("a", "duty", "F01", status="test", level="routine")
    assert [stage for stage, _ in bell.due(bell.received())] == [0]


def test_a_message_that_is_let_go_leaves_the_file(bell):
    """The file holds open messages alone."""
    first, second = bell.world.send("a", "expert1"), bell.world.send("a", "expert1")
    start = bell.received()
    assert len(bell.due(start)) == 2
    bell.world.ack("b", "duty", first)
    bell.due(start + READ // 2)
    assert first.ph.hex() not in bell.path.read_text()
    assert second.ph.hex() in bell.path.read_text()


def test_where_nobody_could_be_reached_the_stage_comes_again(bell):
    """A minute later the same stage is due once more; a later stage takes its place when its time has come."""
    bell.world.send("a", "expert1")
    start = bell.received()
    bell.fold.add("a", bell.world.logs["a"][bell.given["a"] :])
    bell.fold.add("b", bell.world.logs["b"][bell.given["b"] :])
    bell.given = {x: len(bell.world.logs[x]) for x in "ab"}
    (ring,) = bell.ringing.due(start)
    bell.ringing.rung(ring)
    bell.ringing.again(ring, start + 60_000)
    assert bell.due(start + 59_999) == []
    assert bell.ringing.next == start + 60_000
    assert [stage for stage, _ in bell.due(start + 60_000)] == [0]
    assert bell.due(start + 60_001) == []
    assert [stage for stage, _ in bell.due(start + READ)] == [2]
