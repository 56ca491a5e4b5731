"""The watch in words, from logs made record by record: steps of the no-answer procedure, fall-back lists, the plan."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from channel.client import watch
from channel.client.index import Index
from channel.desk.plan import HOUR, ended, next_one, on_now
from channel.desk.watch_words import Shown, length
from channel.i18n import Texts
from channel.node.duty_config import Shift, WatchConfig
from channel.protocol.awaiting import Awaiting
from channel.protocol.charter import Contact, Contacts
from channel.protocol.fold import Fold
from tests.world import World

MINUTE = 60_000


class Desk:
    """The desk of party a over logs that a test writes."""

    def __init__(self):
        self.world = World(mode=2)
        self.fold = Fold(self.world.chan, self.world.blobs.get)
        self.index = Index(self.fold)
        self.given = {"a": 0, "b": 0}
        self.now = 0
        self.take()

    def take(self):
        for x in "ab":
            self.fold.add(x, self.world.logs[x][self.given[x] :])
            self.given[x] = len(self.world.logs[x])

    def client(self):
        view = SimpleNamespace(fold=self.fold, letter="a", peer="b")
        return SimpleNamespace(
            view=view, index=self.index, find=self.fold.find, clock=SimpleNamespace(now=lambda: self.now)
        )

    def shown(self, lang="en", plan=None, procedures=None):
        self.take()
        return Shown(self.client(), Texts(lang), plan or WatchConfig(), procedures or {})

    def steps_until(self, at):
        """Write every step that is due, as the node of party a would."""
        self.take()
        awaiting = Awaiting(self.fold, "a")
        for step in awaiting.due(at, len(self.world.logs["b"])):
            self.world.node("a", "node.step", step, ts=max(at, self.world.ts["a"]))
        self.take()
        self.now = at


def sent_and_received(desk):
    sent = desk.world.send("a", "expert1")
    desk.world.sync("b", ts=desk.world.ts["b"] + 1000)
    desk.world.sync("a", ts=desk.world.ts["b"] + 1000)
    desk.take()
    return sent, desk.world.ts["a"]


def test_a_step_stands_with_its_reason_and_nothing_is_concluded():
    """Before any step only the time that is left; from step 3 on the standard sentences; the fall-back lists at step 4."""
    desk = Desk()
    _, since = sent_and_received(desk)
    number = desk.fold.messages()[0].verdict.number
    (first,) = watch.awaited(desk.client())
    read = next(r for r in first.receipts if r.name == "read")
    whole = 3 * 3_600_000  # to read at attention
    assert (
        0 < since + whole - read.due <= 2000
    )  # shown is the receiving side's time: from the receipt, not from knowing it
    desk.now = since
    lines = desk.shown().open_lines()
    assert any("received and read: " in line and " left (until " in line for line in lines)
    assert [line for line in lines if "step" in line or "conclusion" in line] == []
    for share, step in ((50, 1), (100, 2), (150, 3), (200, 4)):
        desk.steps_until(since + whole * share // 100)
        lines = desk.shown().open_lines()
        (row,) = [line for line in lines if line.strip().startswith("received and read:")]
        assert row.endswith(
            f"step {step}: {Texts('en').say(f'step.act_{step}')} · received by system, not yet read by a person"
        )
        assert ("ended" in row) == (share >= 100)
        assert any(f"for message {number}. We draw no conclusion" in line for line in lines) == (step >= 3)
        assert ("Fall-back list:" in lines) == (step == 4)
    chinese = desk.shown("zh").open_lines()
    assert any("系统已接收、尚无人员收阅" in line for line in chinese)
    assert any(f"{number}号电文的收阅回执。我方不据此作出任何推断。" in line for line in chinese)


def test_a_reply_that_was_not_seen_is_said_with_the_general_sentence():
    """Once read, a late reply is "no reply seen yet", and no conclusion is drawn from it."""
    desk = Desk()
    sent, since = sent_and_received(desk)
    desk.world.ack("b", "expert1", sent, "engaged")
    desk.world.sync("a", ts=desk.world.ts["b"] + 1)
    desk.take()
    (waits,) = watch.awaited(desk.client())
    reply = next(r for r in waits.receipts if r.name == "reply")
    desk.steps_until(since + (reply.due - since) * 2)
    lines = desk.shown().open_lines()
    assert any(line.strip() == "no reply seen yet. We draw no conclusion from this." for line in lines)
    assert not any("receipt by your duty officer" in line for line in lines)


def test_the_fall_back_lists_of_both_parties_are_shown_in_their_order():
    """At step 4 each party's newest list, with hours; a party without one is said to have none in the log."""
    desk = Desk()
    prev = bytes(32)
    for ver, names in ((1, ("Old",)), (2, ("Embassy", "Ministry"))):
        rows = tuple(Contact(kind="phone", en=n, zh=f"联络点{ver}", addr="+1 555 0100", hours="24 h") for n in names)
        party, ts = desk.fold.party("b").code, desk.world.ts["b"]
        doc = Contacts(mode=2, party=party, ver=ver, prev=prev, list=rows, ts=ts)
        prev = desk.world.append("b", "contacts", doc, ["operator"]).ph
    _, since = sent_and_received(desk)
    (waits,) = watch.awaited(desk.client())
    due = max(r.due for r in waits.receipts)
    desk.steps_until(since + 2 * (due - since))
    lines = desk.shown().open_lines()
    own, other = (desk.fold.party(x).code for x in "ab")
    at = lines.index("Fall-back list:")
    assert lines[at + 1 :][:1] == [f"  {own}: no list in the log"]
    assert [line for line in lines[at:] if line.startswith(f"  {other}  ")] == [
        f"  {other}  {name}  +1 555 0100  (24 h)" for name in ("Embassy", "Ministry")
    ]
    assert [i["en"] for i in desk.shown().items() if i["kind"] == "contact"] == ["Embassy", "Ministry"]


def test_what_is_urgent_is_what_stands_at_crisis_and_is_not_read():
    """The case's level now counts, and an emergency release at any level; a receipt by any person ends it."""
    desk = Desk()
    calm = desk.world.send("b", "expert1")
    single = desk.world.send("b", "duty", "F13", single=True)
    desk.take()

    def urgent():
        desk.take()
        return {each.message.ph for each in watch.owed(desk.client()) if each.urgent}

    assert urgent() == {single.ph}
    raised = desk.world.move("b", ["expert1", "expert2", "official"], "raise", calm.ph, "attention", "crisis")
    assert urgent() == {calm.ph, single.ph, raised.ph}
    desk.world.ack("a", "duty", single, "undecryptable", why="SEALED")
    assert single.ph in urgent()
    for sent in (calm, single, raised):
        desk.world.ack("a", "duty", sent)
    assert urgent() == set()
    assert {each.message.ph for each in watch.owed(desk.client())} == {calm.ph, single.ph, raised.ph}


def test_a_post_whose_holders_key_ended_is_not_taken():
    """A revoked key leaves the post empty; status says what the log shows and names no reason."""
    desk = Desk()
    desk.world.watch("b", "take", "duty", on="duty")
    desk.take()
    name = desk.fold.party("b").code
    theirs = [p for p in watch.posts(desk.client()) if p.letter == "b"]
    assert [p.holder is not None for p in theirs] == [True]
    desk.world.revoke("b", [desk.world.signer("b", "duty").kid])
    lines = desk.shown().post_lines()
    (line,) = [line for line in lines if line.startswith(name)]
    assert "no post is taken since" in line
    assert "as far as the log shows" in line


@pytest.mark.parametrize(("seconds", "en", "zh"), [
    (0, "0 s", "0秒"), (59, "59 s", "59秒"), (60, "1 min", "1分钟"), (3599, "59 min", "59分钟"), (3600, "1 h", "1小时"),
    (12_000, "3 h 20 min", "3小时20分钟"), (100_000, "27 h 46 min", "27小时46分钟"), (200_000, "2 days 7 h", "2天7小时"),
    (172_800, "2 days", "2天"),
])  # fmt: skip
def test_lengths_of_time_have_at_most_two_units(seconds, en, zh):
    """The largest unit and the next one, rounded down; hours up to two days."""
    assert (length(Texts("en"), seconds), length(Texts("zh"), seconds)) == (en, zh)


def test_the_plan_says_who_is_on_who_is_next_and_whose_shift_is_over():
    """A shift that comes again, one that comes once, other seats, and times before the first shift."""
    start = 1_000_000 * HOUR
    plan = WatchConfig(("duty", "head"), 300, (
        Shift("duty", "us-duty", start, 8, 24), Shift("duty", "us-duty-2", start + 8 * HOUR, 8, 24),
        Shift("head", "us-head", start, 1, 0),
    ))  # fmt: skip

    def told(hours, seat="duty", person="us-duty"):
        now = start + hours * HOUR
        found = (on_now(plan, seat, now), next_one(plan, seat, now), ended(plan, seat, person, now))
        return tuple(None if turn is None else (turn.person, (turn.start - start) // HOUR) for turn in found)

    assert told(-1) == (None, ("us-duty", 0), None)
    assert told(0) == (("us-duty", 0), ("us-duty-2", 8), None)
    assert told(9) == (("us-duty-2", 8), ("us-duty", 24), ("us-duty", 0))
    assert told(17) == (None, ("us-duty", 24), ("us-duty", 0))
    assert told(24 * 30 + 3) == (("us-duty", 720), ("us-duty-2", 728), None)
    assert told(0, "head", "us-head") == (("us-head", 0), None, None)
    assert told(5, "head", "us-head") == (None, None, ("us-head", 0))
    assert told(5, "nowhere", "us-head") == (None, None, None)
