"""What one channel at a node remembers of the records it learned: what it owes the other side, what is due."""

from __future__ import annotations

import io

import pytest

from channel.clock import ManualClock
from channel.node.stamps import Stamps
from channel.node.station import Station
from channel.node.telemetry import Telemetry
from tests.world import START, World

HOUR = 3_600_000


class Learning:
    """A station of party b that learns the world's records as they come; it has no logs and signs nothing."""

    def __init__(self):
        self.world = World()
        clock = ManualClock(START)
        self.station = Station(
            self.world.charter, self.world.chan, "b", own=None, side=None, mirror=None, signer=None,
            stamps=Stamps(clock), telemetry=Telemetry(clock, "US", io.StringIO()), policy=self.world.policy,
        )  # fmt: skip
        for letter in "ba":
            self.catch_up(letter)

    def catch_up(self, letter):
        """Learn what the world's log has more."""
        have = self.station.sizes[letter]
        self.station.learn(letter, have, self.world.logs[letter][have:], self.world.blobs)


@pytest.fixture
def learning():
    return Learning()


def test_an_own_record_that_saw_it_is_the_receipt(learning):
    """New records of the other side are owed an acknowledgement until an own record has seen them."""
    world, station = learning.world, learning.station
    world.sync("b")
    learning.catch_up("b")
    assert not station.owes_ack
    world.send("a", "expert1")
    learning.catch_up("a")
    assert station.owes_ack
    world.sync("b")
    learning.catch_up("b")
    assert not station.owes_ack


def test_an_own_record_that_crossed_it_is_none(learning):
    """An own record that was made before the other side's came, and released after it, acknowledges nothing."""
    world, station = learning.world, learning.station
    world.sync("b")
    learning.catch_up("b")
    world.send("a", "expert1")
    world.sync("b", seen=4)
    learning.catch_up("a")
    learning.catch_up("b")
    assert station.owes_ack


def test_acks_are_not_acknowledged(learning):
    """A ``node.ack`` of the other side is owed nothing: two nodes would answer each other for ever."""
    world, station = learning.world, learning.station
    world.sync("b")
    learning.catch_up("b")
    world.sync("a")
    learning.catch_up("a")
    assert not station.owes_ack


def test_the_hour_counts_from_the_newest_commitment_in_the_log(learning):
    """Due an hour after the first own record, then after each own ack with the state; plain acks change nothing."""
    world, station = learning.world, learning.station
    assert station.hourly_due() == START + HOUR
    world.sync("b", ts=START + HOUR // 2)
    learning.catch_up("b")
    assert station.hourly_due() == START + HOUR
    world.node("b", "node.ack", {"state": bytes(32), "at": [4, 4]}, ts=START + HOUR)
    learning.catch_up("b")
    assert station.hourly_due() == START + 2 * HOUR
    world.node("a", "node.ack", {"state": bytes(32), "at": [4, 4]}, ts=START + 2 * HOUR)
    learning.catch_up("a")
    assert station.hourly_due() == START + 2 * HOUR
    world.node("b", "node.ack", {"side": bytes(32)}, ts=START + 3 * HOUR)
    learning.catch_up("b")
    assert station.hourly_due() == START + 4 * HOUR
