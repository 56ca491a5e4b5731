"""From which records on a policy and a fall-back list count: the places are read off the logs, the same in any order."""

from __future__ import annotations

from msgspec.structs import replace

from channel.protocol.charter import Contacts
from channel.protocol.fold import Fold
from keys.shapes import ZERO
from tests.world import CODES, World


def test_a_policy_is_in_force_from_the_first_record_that_stands_on_it_in_both_logs() -> None:
    """In one log alone it is nowhere in force; then from each party's first record that has it below and seen."""
    world = World(2)
    policy = world.next_policy(limits=replace(world.policy.limits, confirm_s=60))
    in_a = world.put_policy("a", policy)
    assert world.fold().in_force(in_a.ph) == ((4, None), (None, None))
    in_b = world.put_policy("b", policy, seen=4)
    unseen = world.sync("b", seen=4)
    assert world.fold().in_force(in_b.ph) == ((4, 4), (None, None))
    first = {x: world.sync(x) for x in "ab"}
    fold = world.fold()
    assert unseen.index < first["b"].index
    assert fold.in_force(in_a.ph) == ((4, 4), (first["a"].index, first["b"].index))
    other = Fold(world.chan, world.blobs.get)
    for x in "ba":
        other.add(x, world.logs[x])
    assert other.in_force(in_a.ph) == fold.in_force(in_a.ph)


def test_the_first_policy_is_in_force_from_the_opening_on() -> None:
    """Version 1 holds for every record after the opening, whatever that has seen."""
    world = World(2)
    world.sync("a", seen=0)
    fold = world.fold()
    assert fold.in_force(fold.policy_payload("a")) == ((3, 3), (4, 4))


def test_the_next_record_is_named_where_it_can_only_be_in_force_there() -> None:
    """Who has seen the other log's policy before the own one: from the next record on, and no other when it comes."""
    world = World(2)
    policy = world.next_policy()
    sent = world.put_policy("a", policy)
    world.put_policy("b", policy)
    assert world.fold().in_force(sent.ph) == ((4, 4), (None, 5))
    assert world.fold().policy_payload("b") == sent.ph
    assert world.sync("b").index == 5
    assert world.fold().in_force(sent.ph) == ((4, 4), (None, 5))


def test_what_does_not_count_is_in_force_nowhere() -> None:
    """A policy that one party's threshold signed is refused and has no place; nor has what stands in no log."""
    world = World(2)
    sent = world.put_policy("a", world.next_policy(), world.authority("a")[:2])
    world.sync("b")
    assert world.reason(sent) == "SIG"
    for payload in (sent.ph, bytes(32)):
        assert world.fold().in_force(payload) == ((None, None), (None, None))


def test_contacts_count_in_their_own_log_and_for_the_other_side_once_seen() -> None:
    """One party's list: from its next record on, though that is not there yet, and from the other's first record that has seen it."""
    world = World(2)
    doc = Contacts(mode=2, party=CODES["a"], ver=1, prev=ZERO, list=(), ts=world.ts["a"])
    sent = world.append("a", "contacts", doc, ["operator"])
    assert world.fold().in_force(sent.ph) == ((4, None), (5, None))
    world.sync("b", seen=4)
    seen = world.sync("b")
    assert world.fold().in_force(sent.ph) == ((4, None), (5, seen.index))


def test_the_policy_of_a_record_is_the_one_that_it_stands_on():
    """A message keeps the policy of its own place, whatever both parties put in force later."""
    world = World(2)
    before = world.send("a", "expert1")
    policy = world.next_policy(categories=("LOC",))
    for letter in "ab":
        world.put_policy(letter, policy)
    world.sync("a")
    after = world.send("a", "expert1")
    fold = world.fold()
    assert fold.policy_of("a", before.index) == world.policy
    assert fold.policy_of("a", after.index) == policy
