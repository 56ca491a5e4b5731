"""Which receipts a message waits for and when each step is due: the no-answer procedure as a function of two logs."""

from __future__ import annotations

from typing import Any

import pytest

from channel.protocol.awaiting import Awaiting
from channel.protocol.fold import Fold
from channel.protocol.record import Step
from tests.world import OTHER, Sent, World

HOUR = 3_600_000
READ = {"attention": 3 * HOUR, "serious": HOUR // 2}
TWO = ("expert1", "duty")


class Pair:
    """A channel with one side's watch over its own messages."""

    def __init__(self, letter: str = "a") -> None:
        self.world, self.letter = World(), letter
        self.fold = Fold(self.world.chan, self.world.blobs.get)
        self.given = {"a": 0, "b": 0}
        self.awaiting = Awaiting(self.fold, letter)

    def look(self, now: int, seen: int | None = None) -> list[tuple[str, int, str]]:
        """(receipt, step, reason) of what is due; each is written as the node would."""
        self.take()
        other = len(self.world.logs[OTHER[self.letter]])
        steps = self.awaiting.due(now, other if seen is None else seen)
        for step in steps:
            self.write(step, now, seen)
        return [(s.receipt, s.step, s.reason) for s in steps]

    def take(self) -> None:
        for x in "ab":
            self.fold.add(x, self.world.logs[x][self.given[x] :])
            self.given[x] = len(self.world.logs[x])

    def write(self, step: Step, now: int, seen: int | None = None) -> None:
        sent = self.world.node(self.letter, "node.step", step, ts=max(now, self.world.ts[self.letter]), seen=seen)
        self.take()
        assert self.fold.verdict(self.letter, sent.index).reason == ""

    def receive(self, after: int = 1000) -> int:
        """The other side has everything, and this side knows: the time from which it counts."""
        other = OTHER[self.letter]
        self.world.sync(other, ts=self.world.ts[self.letter] + after)
        self.world.sync(self.letter, ts=self.world.ts[other] + after)
        return self.world.ts[self.letter]

    def at(self, sent: Sent) -> int:
        return self.world.ts[sent.letter]


def kinds(found: list[tuple[str, int, str]]) -> set[str]:
    return {receipt for receipt, _, _ in found}


def test_nothing_is_due_before_the_opening_is_judged() -> None:
    """A fold without an opening has no messages, and no time at which anything falls due."""
    world = World(opening=False)
    awaiting = Awaiting(world.fold(), "a")
    assert (awaiting.due(10**15, 0), awaiting.copies(0), awaiting.open(0), awaiting.next) == ([], [], [], None)


def test_each_step_of_each_receipt_comes_once_and_in_order() -> None:
    """A message that nobody stores: four steps at 50, 100, 150 and 200 per cent of the time to read, reason LINK."""
    pair = Pair()
    sent = pair.world.send("a", "expert1")
    start = pair.at(sent)
    assert pair.look(start + 90 * 60_000 - 1) == []
    assert pair.awaiting.next == start + 90 * 60_000
    assert pair.look(start + 90 * 60_000) == [("stored", 1, "LINK")]
    assert pair.look(start + 90 * 60_000) == []
    assert pair.look(start + 3 * HOUR) == [("stored", 2, "LINK")]
    assert pair.look(start + 100 * HOUR) == [("stored", 3, "LINK"), ("stored", 4, "LINK")]
    assert pair.look(start + 200 * HOUR) == []


def test_a_node_that_was_away_writes_each_missed_step_once() -> None:
    """After a restart the log alone says which steps stand already."""
    pair = Pair()
    start = pair.at(pair.world.send("a", "expert1"))
    assert pair.look(start + 2 * HOUR) == [("stored", 1, "LINK")]
    pair.awaiting = Awaiting(pair.fold, "a")
    assert [s for _, s, _ in pair.look(start + 100 * HOUR)] == [2, 3, 4]


def test_receipts_count_from_when_the_receipt_is_known() -> None:
    """Read, engaged and reply are not counted before; then each from there, with its own seconds."""
    pair = Pair()
    pair.world.send("a", "expert1")
    pair.world.sync("b", ts=pair.world.ts["a"] + 1000)
    pair.take()
    (stored, *others) = pair.awaiting.open(len(pair.world.logs["b"]))
    assert (stored.receipt, stored.met) == ("stored", True)
    assert [(a.receipt, a.since, a.met) for a in others] == [
        ("read", None, False), ("engaged", None, False), ("reply", None, False),
    ]  # fmt: skip
    start = pair.world.ts["b"] + 700
    assert pair.look(start) == []
    assert pair.awaiting.next == start + READ["attention"] // 2
    assert pair.look(start + READ["attention"] // 2 - 1) == []
    assert pair.look(start + READ["attention"] // 2) == [("read", 1, "POST")]
    assert pair.look(start + 6 * HOUR) == [
        ("read", 2, "POST"), ("read", 3, "POST"), ("read", 4, "POST"), ("engaged", 1, "POST"),
    ]  # fmt: skip


@pytest.mark.parametrize("asked", [True, False])
def test_a_time_that_has_moved_brings_nothing(asked: bool) -> None:
    """A message was stored before its first time came: that time passes without a step, asked for or not."""
    pair = Pair()
    first = pair.at(pair.world.send("a", "expert1"))
    assert pair.look(first) == []
    assert pair.awaiting.next == first + 90 * 60_000
    since = pair.receive(after=40 * 60_000)
    assert since < first + 90 * 60_000
    assert pair.look(since) == []
    if asked:
        assert pair.awaiting.next == since + READ["attention"] // 2
    assert pair.look(first + 90 * 60_000) == []
    assert pair.look(since + READ["attention"] // 2) == [("read", 1, "POST")]


def test_a_node_that_was_started_again_counts_from_what_its_log_says() -> None:
    """What it knew before is gone; its first own record that has seen the receipt is there, and an earlier knowledge stays."""
    pair = Pair()
    pair.world.send("a", "expert1")
    start = pair.receive()
    assert pair.look(start + 900) == []
    assert pair.awaiting.next == start + READ["attention"] // 2
    pair.world.sync("a", ts=start + 50_000)
    pair.awaiting = Awaiting(pair.fold, "a")
    assert pair.look(start + 60_000) == []
    assert pair.awaiting.next == start + READ["attention"] // 2
    late = Pair()
    late.world.send("a", "expert1")
    late.world.sync("b", ts=late.world.ts["a"] + 1000)
    known = late.world.ts["b"]
    assert late.look(known) == []
    late.world.sync("a", ts=known + 50_000)
    assert late.look(known + 60_000) == []
    assert late.awaiting.next == known + READ["attention"] // 2


@pytest.mark.parametrize(
    ("acks", "on", "reason"),
    [
        ((), False, "POST"), ((), True, "UNK"), (("read",), True, "READ"), (("not-engaging",), True, "NEN"),
        (("undecryptable",), True, "UNK"), (("read", "informed"), False, "UNK"),
    ],
)  # fmt: skip
def test_the_reason_is_what_the_record_has_seen(acks: tuple[str, ...], on: bool, reason: str) -> None:
    """Each reason of the procedure, and every step that is written is valid in the fold."""
    pair = Pair()
    sent = pair.world.send("a", "expert1")
    if on:
        pair.world.watch("b", "take", "duty", on="duty")
    for step in acks:
        pair.world.ack("b", "expert1", sent, step)
    start = pair.receive()
    found = pair.look(start + 144 * HOUR)
    assert {r for _, _, r in found} == {reason}
    want = {"reply"} if "informed" in acks else {"engaged", "reply"}
    assert kinds(found) == (want if {"read", "not-engaging", "informed"} & set(acks) else want | {"read"})


def test_each_receipt_is_met_by_what_the_protocol_names() -> None:
    """read by any step but undecryptable, engaged by engaged or informed, reply by a message that refers to it."""
    pair = Pair()
    world = pair.world
    sent = world.send("a", "expert1", level="serious", cosign=("duty",))
    met = lambda: {a.receipt for a in pair.awaiting.open(len(world.logs["b"])) if a.met}  # noqa: E731
    pair.receive()
    pair.take()
    assert met() == {"stored"}
    for step, more in (
        ("undecryptable", set()),
        ("read", {"read"}),
        ("engaged", {"engaged"}),
        ("informed", {"informed"}),
    ):
        before = met()
        world.ack("b", "official", sent, step)
        pair.take()
        assert met() == before | more, step
    own = world.send("a", "expert1", "F04", ("duty",), case=sent.ph, refs=(sent.ph,), level="serious")
    pair.take()
    assert "reply" not in {a.receipt for a in pair.awaiting.open(len(world.logs["b"])) if a.met and a.of.ph == sent.ph}
    world.send("b", "expert1", "F04", ("duty",), case=sent.ph, refs=(sent.ph, own.ph), level="serious")
    pair.take()
    assert met() >= {"stored", "read", "engaged", "informed", "reply"}
    start = pair.receive()  # only the own follow-up still waits, to be read
    assert pair.look(start + 900 * HOUR) == [("read", n, "POST") for n in (1, 2, 3, 4)]


def test_no_comment_is_a_reply_and_not_engaging_is_none() -> None:
    """The first ends the wait for a reply; the second ends no wait but being read, and gives the reason."""
    for step, ended in (("no-comment", True), ("not-engaging", False)):
        pair = Pair()
        sent = pair.world.send("a", "expert1")
        pair.world.ack("b", "expert1", sent, step)
        start = pair.receive()
        found = pair.look(start + 900 * HOUR)
        assert ("reply" in kinds(found)) is not ended
        assert "read" not in kinds(found)


def awaited(pair: Pair, sent: Sent) -> list[str]:
    pair.take()
    return [a.receipt for a in pair.awaiting.open(len(pair.world.logs["b"])) if a.of.ph == sent.ph]


def test_each_format_waits_for_what_it_asks() -> None:
    """What opens or asks waits for a reply; a raise for engagement; a lowering for its answer; all else to be read."""
    pair = Pair()
    world = pair.world
    first = world.send("a", "expert1", level="serious", cosign=("duty",))
    theirs = world.send("b", "expert1", "F11", ("duty",), case=first.ph, level="serious")
    full = ["stored", "read", "engaged", "informed", "reply"]
    sent: dict[str, tuple[Any, list[str]]] = {
        "F03": (first, full),
        "F06": (world.send("a", "expert1", "F06", level="serious", cosign=("duty",)), full),
        "F13": (world.send("a", "expert1", "F13", ("duty",), level="serious"), full),
        "ask": (world.send("a", "expert1", "F11", ("duty",), case=first.ph, level="serious"), full),
        "answer": (world.send("a", "expert1", "F11", ("duty",), case=first.ph, refs=(theirs.ph,), level="serious"),
                   ["stored", "read"]),
        "F04": (world.send("a", "expert1", "F04", ("duty",), case=first.ph, level="serious"), ["stored", "read"]),
        "asked": (world.send("a", "expert1", "F04", ("duty",), case=first.ph, level="serious", reply_by=15_000),
                  ["stored", "read", "reply"]),
        "F02": (world.send("a", "expert1", "F02", case=first.ph, refs=(theirs.ph,), level="serious"), ["stored", "read"]),
        "raise": (world.move("a", ("expert1", "expert2", "official"), "raise", first.ph, "serious", "crisis"), full[:4]),
        "lower": (world.move("a", TWO, "lower", first.ph, "serious", "consultation",
                             (len(world.logs["a"]) - 1, len(world.logs["b"]))), ["stored", "read", "reply"]),
        "test": (world.send("a", "duty", "F01", status="test", level="routine"), ["stored", "read", "reply"]),
        "tested": (world.send("a", "expert1", "F03", status="test", level="routine"), ["stored"]),
    }  # fmt: skip
    fold = world.fold()
    for name, (each, want) in sent.items():
        assert world.reason(each, fold) == "", name
        assert awaited(pair, each) == want, name


def test_levels_without_a_time_to_engage_have_none() -> None:
    """At routine nobody waits for engagement; at attention nobody for a report."""
    for level, want in (
        ("routine", ["stored", "read", "reply"]),
        ("attention", ["stored", "read", "engaged", "reply"]),
    ):
        pair = Pair()
        assert awaited(pair, pair.world.send("a", "expert1", level=level)) == want


def test_a_case_that_was_closed_waits_no_longer_for_answers() -> None:
    """Closing by agreement ends the wait for engagement and reply, not the one for being read."""
    pair = Pair()
    world = pair.world
    first = world.send("a", "expert1")
    close = world.move("a", ("expert1",), "close", first.ph, "attention")
    world.move("b", ("expert1",), "concur", first.ph, "attention", at=close.doc.move.at, refs=(close.ph,))
    start = pair.receive()
    found = pair.look(start + 900 * HOUR)
    assert kinds(found) == {"read"}


def test_nothing_is_written_on_what_is_not_judged_yet() -> None:
    """A record that will have seen more than the fold knows could give a wrong reason: it waits."""
    pair = Pair()
    start = pair.at(pair.world.send("a", "expert1"))
    pair.take()
    assert pair.awaiting.due(start + 900 * HOUR, len(pair.world.logs["b"]) + 1) == []
    assert pair.awaiting.next is None


def test_the_other_side_writes_a_copy_of_each_step_once() -> None:
    """What the waiting side wrote is copied when it was seen, body for body; copies are copied by nobody."""
    pair = Pair()
    world = pair.world
    start = pair.at(world.send("a", "expert1"))
    assert len(pair.look(start + 900 * HOUR)) == 4
    other = Awaiting(pair.fold, "b")
    own = len(world.logs["a"])
    assert other.copies(own - 4) == []
    assert len(other.copies(own - 1)) == 3
    for step in other.copies(own):
        world.node("b", "node.step", step)
    pair.take()
    assert [pair.fold.verdict("b", i).reason for i in range(4, len(world.logs["b"]))] == [""] * 4
    assert other.copies(len(world.logs["a"])) == []
    assert pair.awaiting.copies(len(world.logs["b"])) == []
    world.send("b", "expert1")
    back = Awaiting(pair.fold, "b")
    pair.take()
    assert back.copies(len(world.logs["a"])) == []


def test_steps_of_both_sides_do_not_hide_each_other() -> None:
    """Each copies what the other side's own messages wait for, in the order in which it was written."""
    pair = Pair()
    world = pair.world
    ours, theirs = world.send("a", "expert1"), world.send("b", "expert1", seen=4)
    mine, other = pair.awaiting, Awaiting(pair.fold, "b")
    pair.take()
    now = world.ts["a"] + 2 * HOUR
    for step in mine.due(now, 4):
        world.node("a", "node.step", step, ts=now, seen=4)
    for step in other.due(now, 4):
        world.node("b", "node.step", step, ts=now, seen=4)
    pair.take()
    assert [s.of for s in mine.copies(len(world.logs["b"]))] == [theirs.ph]
    assert [s.of for s in other.copies(len(world.logs["a"]))] == [ours.ph]


def test_a_succession_begins_anew_and_forgets_nothing() -> None:
    """Where the fold starts again, what is waited for is taken in again."""
    pair = Pair()
    world = pair.world
    sent = world.send("a", "expert1")
    world.sync("a")
    pair.take()
    assert awaited(pair, sent)
    world.succeed("a", final=len(world.logs["a"]) - 1)
    pair.fold.add("a", world.number("a", 1), 1)
    assert [a.of.ph for a in pair.awaiting.open(4)][:1] == [sent.ph]
