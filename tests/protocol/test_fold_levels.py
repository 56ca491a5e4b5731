"""What a desk asks the fold about a case: its level on any prefixes, and who has to sign the next message."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from channel.protocol.header import Header, Move
from keys import suites
from keys.errors import Unavailable, WrongUse
from keys.shapes import ZERO
from tests.world import World, digest

EXPERT, ANY = ("expert",), ("expert", "duty", "official")


@pytest.fixture
def world() -> World:
    return World(mode=2)


def header(world: World, fmt: str = "F04", **fields: Any) -> Header:
    """The header of a message that party b could send next."""
    plain: dict[str, Any] = {
        "chan": world.chan, "from_": world.signer("b", "expert1").kid, "mid": world.mid(), "ts": 0, "prev": ZERO,
        "suite": suites.SEAL, "to": world.recipients(), "fmt": fmt, "level": "routine", "prec": "R",
        "status": "message", "lang": "en",
    }  # fmt: skip
    return Header(**plain | fields)


def test_the_level_of_a_case_at_each_point_of_its_history(world: World) -> None:
    """Opened at attention, raised by the other party, lowered once both agree: each prefix has the level it had."""
    case = world.send("a", "expert1")
    raised = world.move("b", ["expert1", "duty"], "raise", case.ph, "attention", "serious")
    at = (len(world.logs["a"]), len(world.logs["b"]))
    lowered = world.move("a", ["expert1", "duty"], "lower", case.ph, "serious", "consultation", at)
    agreed = world.move("b", ["expert1", "duty"], "concur", case.ph, "serious", "consultation", at)
    fold = world.fold()
    assert [world.reason(sent, fold) for sent in (case, raised, lowered, agreed)] == [""] * 4
    points = {
        (case.index, raised.index): None,
        (case.index + 1, raised.index): "attention",
        (case.index + 1, raised.index + 1): "serious",
        (lowered.index + 1, raised.index + 1): "serious",
        (lowered.index + 1, agreed.index + 1): "consultation",
        (lowered.index, agreed.index + 1): "serious",
        (0, 0): None,
    }
    assert {point: fold.level_at(case.ph, point) for point in points} == points
    assert fold.level_at(case.ph, (len(world.logs["a"]), len(world.logs["b"]))) == fold.case_level(case.ph)


def test_a_case_that_is_closed_or_unknown_has_no_level(world: World) -> None:
    """None before the opening, after the closing that both agreed on, and for what opened no case."""
    case = world.send("a", "expert1")
    at = (len(world.logs["a"]), len(world.logs["b"]))
    world.move("a", ["expert1"], "close", case.ph, "attention", at=at)
    closed = world.move("b", ["expert1"], "concur", case.ph, "attention", at=at)
    fold = world.fold()
    assert world.reason(closed, fold) == ""
    assert fold.level_at(case.ph, at) == "attention"
    assert fold.level_at(case.ph, (len(world.logs["a"]), len(world.logs["b"]))) is None
    assert fold.level_at(digest(b"no case"), at) is None


def test_who_has_to_sign_what_stands_next(world: World) -> None:
    """The policy's slots by format, level and move, as of all that is judged."""
    case = world.send("a", "expert1")
    fold = world.fold()
    both = (EXPERT, ANY)
    asked = {
        "follow-up": (header(world, case=case.ph), (EXPERT,)),
        "opening": (header(world, "F03", level="serious"), both),
        "receipt": (header(world, "F02", case=case.ph), (ANY,)),
        "line test": (header(world, "F01"), (("expert", "duty", "official", "operator"),)),
        "suspend": (header(world, "F12", move=Move(op="suspend")), (("official",),)),
        "raise": (
            header(world, "F12", case=case.ph, move=Move(op="raise", from_="attention", to="crisis")),
            (EXPERT, EXPERT, ("official",)),
        ),
        "emergency release": (header(world, "F13", case=UNSET, level="attention", single=True), (ANY,)),
    }
    assert {name: fold.slots("b", h) for name, (h, _) in asked.items()} == {n: need for n, (_, need) in asked.items()}


def test_a_raise_asks_for_a_second_signature_under_the_next_follow_up(world: World) -> None:
    """From serious on a follow-up needs two signers, for the party that has the raise in its log and the other alike."""
    case = world.send("a", "expert1")
    before = world.fold()
    world.move("b", ["expert1", "duty"], "raise", case.ph, "attention", "serious")
    after = world.fold()
    follow_up = header(world, case=case.ph)
    assert [before.slots(x, follow_up) for x in "ab"] == [(EXPERT,), (EXPERT,)]
    assert [after.slots(x, follow_up) for x in "ab"] == [(EXPERT, ANY), (EXPERT, ANY)]


def test_nothing_is_asked_before_the_opening_or_of_a_third_log(world: World) -> None:
    """Without a judged opening it is too early; a letter that is no log is wrong use."""
    early = World(mode=2, opening=False).fold()
    with pytest.raises(Unavailable):
        early.level_at(bytes(32), (0, 0))
    with pytest.raises(Unavailable):
        early.slots("a", header(world))
    with pytest.raises(WrongUse):
        world.fold().slots("c", header(world))
