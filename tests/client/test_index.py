"""What a desk looks up is what a walk through both logs would find, after each record, in whatever order they come."""

from __future__ import annotations

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from channel.client.called import Called
from channel.client.index import ACTS, Index
from channel.client.unmet import Unmet
from channel.protocol.awaiting import Awaiting
from channel.protocol.fold import Fold
from channel.protocol.people import Ack, Confirm, Watch
from tests.properties.test_fold import Story
from tests.world import World


@cache
def story(seed: int) -> World:
    """A random pair of logs: moves, answers, receipts, posts and faults; then corrections, a translation and steps."""
    made, dice = Story(seed, 34), random.Random(seed)
    world, sent = made.world, made.sent
    for x in "abab":
        about = dice.choice(sent)
        sent.append(world.send(x, "expert1", "F14", refs=(about.ph,), cor="COR", case=about.doc.case))
        world.send(x, "expert1", "F02", refs=(about.ph,))
        world.watch(x, "take", "duty", on="duty")
        made.step(x)
    return world


def pieces(world: World, dice: random.Random):
    """The fold as both logs come in, in pieces of any size and order."""
    fold, left = Fold(world.chan, world.blobs.get), {x: list(world.logs[x]) for x in "ab"}
    yield fold
    while any(left.values()):
        x = dice.choice([x for x in "ab" if left[x]])
        n = dice.choice((1, 2, 5, 30))
        fold.add(x, left[x][:n])
        del left[x][:n]
        yield fold


def walked(fold: Fold):
    """(messages, records) as a walk finds them."""
    return (fold.messages(), fold.display()) if fold.known() else ([], [])


def refs(message):
    return () if message.verdict.doc.refs is UNSET else message.verdict.doc.refs


def check_messages(index: Index, fold: Fold) -> None:
    messages, _ = walked(fold)
    for case in {m.case for m in messages}:
        assert index.case(case) == [m for m in messages if m.case == case]
        assert {e.ph for e in index.entries(case)} == {m.ph for m in messages if m.case == case}
    openings = [m.ph for m in messages if m.case == m.ph]
    assert index.openings() == openings
    assert index.openings(closed=True) == [ph for ph in openings if fold.case_level(ph) is None]
    assert index.openings(closed=False) == [ph for ph in openings if fold.case_level(ph) is not None]
    assert index.level() == (fold.level() if fold.known() else "routine")
    for ph in {ref for m in messages for ref in refs(m)}:
        assert index.corrections(ph) == [m for m in messages if m.verdict.doc.fmt == "F14" and ph in refs(m)]
        assert index.translations(ph) == [m for m in messages if m.verdict.doc.fmt == "F02" and refs(m)[:1] == (ph,)]
    assert set(index.corrected()) == {ph for m in messages if m.verdict.doc.fmt == "F14" for ph in refs(m)}
    for m in messages:
        assert index.numbered(m.verdict.number) == m
        assert index.at(m.verdict.letter, m.verdict.index) == m
        assert index.beginning(m.ph.hex()[:4].upper()) == [
            other for other in messages if other.ph.hex().startswith(m.ph.hex()[:4])
        ]
    assert index.newest_messages(3) == messages[-3:]
    assert (
        index.newest_messages(2, "F04", "a")
        == [m for m in messages if m.verdict.doc.fmt == "F04" and m.verdict.letter == "a"][-2:]
    )
    for author in {m.verdict.doc.from_ for m in messages}:
        own = [m for m in messages if m.verdict.doc.from_ == author]
        assert index.previous(author) == max(own, key=lambda m: m.verdict.index).ph
    assert index.previous(bytes(32)) is None


def check_records(index: Index, fold: Fold) -> None:
    _, records = walked(fold)
    valid = [v for v in records if not v.reason]
    for letter in "ab":
        own = [v for v in records if v.letter == letter]
        assert index.last_ts(letter) == max((v.record.ts for v in own if v.record), default=0)
        for v in own:
            if v.envelope is not None:
                first = next(o.index for o in own if o.envelope is not None and o.envelope.hash == v.envelope.hash)
                assert index.place(letter, v.envelope.hash) == first
            if v.record is None or v.record.t != "msg" or v.reason:
                assert index.at(letter, v.index) is None
        assert index.place(letter, bytes(32)) is None
        acts = [v for v in valid if v.letter == letter and v.record.t in ACTS]
        for seat in ("duty", "expert", "official", "nobody"):
            turns = [v.index for v in acts if isinstance(v.doc, Watch) and v.doc.seat == seat]
            signed = [v.index for v in acts if any(s.seat == seat for s in v.signers)]
            found = index.turn(letter, seat), index.act(letter, seat)
            assert [None if e is None else e.i for e in found] == [max(x, default=None) for x in (turns, signed)]
        known = fold.known()
        held = [] if known is None else [seat for _, posts in known.sides["ab".index(letter)].posts for seat in posts]
        assert index.posts(letter) == list(dict.fromkeys(held))
    acked = [v for v in valid if v.record.t in ("ack", "watch")]
    assert index.newest(("ack", "watch"), 5) == acked[-5:]


def check_chosen(index: Index, fold: Fold) -> None:
    _, records = walked(fold)
    found = index.chosen("refused", lambda e: bool(e.reason))
    for letter, entries in zip("ab", found, strict=True):
        refused = [v.index for v in records if v.letter == letter and (v.reason not in ("", "OPAQUE"))]
        assert [e.i for e in entries if e.record is not None] == refused
    for v in records:
        if v.number:
            assert index.named(v.number).i == v.index
    assert index.named("US-1999-000001") is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 7), st.randoms(use_true_random=False))
def test_an_index_that_follows_finds_what_a_walk_finds(seed: int, dice: random.Random) -> None:
    """Messages by case, number, hash and author; corrections, translations, levels; places, posts and acts."""
    index = None
    for fold in pieces(story(seed), dice):
        index = index or Index(fold)
        if dice.random() < 0.4:
            check_chosen(index, fold)
            check_messages(index, fold)
            check_records(index, fold)
    check_messages(index, fold)
    check_records(index, fold)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 7), st.randoms(use_true_random=False))
def test_what_waits_is_what_a_new_look_at_everything_says(seed: int, dice: random.Random) -> None:
    """Receipts that are not met, of both parties, asked for now and then; also in cases that were closed and opened again."""
    found = None
    for fold in pieces(story(seed), dice):
        found = found or {x: Unmet(fold, x) for x in "ab"}
        for x in "ab":
            if dice.random() < 0.5:
                known = fold.known()
                seen = 0 if known is None else len(known.sides[1 - "ab".index(x)].entries)
                assert found[x].now() == [each for each in Awaiting(fold, x).open(seen) if not each.met]


def test_a_message_of_a_case_that_is_opened_again_waits_again() -> None:
    """Closed by agreement it waits for no reply; a raise afterwards brings that back, beside what is new."""
    world, two = World(), ("expert1", "duty")
    first = world.send("a", "expert1", "F03")
    world.ack("b", "expert1", first)
    fold = world.fold()
    unmet, given_ = Unmet(fold, "a"), {x: len(world.logs[x]) for x in "ab"}

    def waits():
        for x in "ab":
            fold.add(x, world.logs[x][given_[x] :])
            given_[x] = len(world.logs[x])
        return [each.receipt for each in unmet.now() if each.of.ph == first.ph]

    assert waits() == ["engaged", "reply"]
    at = (len(world.logs["a"]), len(world.logs["b"]))
    close = world.move("a", ("expert1",), "close", first.ph, "attention", None, at)
    world.move("b", ("expert1",), "concur", first.ph, "attention", None, at, refs=(close.ph,))
    assert waits() == []
    assert fold.case_level(first.ph) is None
    world.move("a", two, "raise", first.ph, "routine", "consultation")
    assert waits() == ["engaged", "reply"]


def test_an_index_begins_anew_with_its_fold() -> None:
    """A succession that cuts a log makes the fold judge from the start: nothing of what was cut off is found."""
    world = story(0)
    fold = world.fold()
    index, unmet = Index(fold), Unmet(fold, "a")
    before, waits = index.newest_messages(10**6), unmet.now()
    fold._forget()
    fold._advance()
    assert index.newest_messages(10**6) == before == fold.messages()
    assert unmet.now() == waits


def test_what_is_kept_until_a_log_grows() -> None:
    """``once`` asks again when something was judged, and not before."""
    world = World()
    world.send("a", "expert1")
    fold, asked = Fold(world.chan, world.blobs.get), []
    index = Index(fold)
    for x in "ab":
        fold.add(x, world.logs[x])

    def ask():
        return index.once("asked", lambda: asked.append(1) or len(asked))

    assert [ask(), ask()] == [1, 1]
    world.send("b", "expert1")
    fold.add("b", world.logs["b"][-1:])
    assert [ask(), ask()] == [2, 2]


@pytest.mark.parametrize("digits", ["", "9f", "xyz1", "不是哈希", "9f3a 9f3a", "ffffffff"])
def test_a_beginning_that_is_none_finds_nothing(digits: str) -> None:
    """Too short, no hexadecimal digits, or of no message."""
    world = World()
    world.send("a", "expert1")
    assert Index(world.fold()).beginning(digits) == []


def test_names_are_looked_up_in_the_fold_and_beside_it() -> None:
    """Messages by number, receipts and watch records by place, anything else by the names that are given."""
    fold = story(0).fold()
    called = Called(fold, {b"key": "US Expert 1"})
    expected = {m.ph: m.verdict.number for m in fold.messages()} | {b"key": "US Expert 1"}
    for v in fold.display():
        if isinstance(v.doc, Ack | Confirm | Watch) and not v.reason:
            expected[v.envelope.hash] = f"{fold.party(v.letter).code}:{v.index}"
    assert dict(called) == expected
    assert len(called) == len(expected)
    assert called.get(bytes(32), "?") == "?"
    assert dict(Called(Fold(bytes(32), {}.get), {b"key": "x"})) == {b"key": "x"}
