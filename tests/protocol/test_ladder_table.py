"""Who may do what at which level: the table that docs/ladder.md shows, against one written out by hand from DESIGN 5."""

from __future__ import annotations

import pytest

from channel.protocol.charter import ORDER
from tests.scripts.ladder_probe import (
    ACTS,
    POLICY,
    ROLES,
    answering,
    channel_move,
    closing,
    enough_for,
    fits,
    inside,
    lowering,
    opening,
    raising,
    who_may,
)
from tests.world import World

# Each cell: 1 = alone enough, 2 or 3 = one of so many, 0 = nothing, "." = no such act or nobody asked for.
# Columns: open, raise to, lower from, concur, sign inside (F04), be second beside an expert.
BY_HAND = {
    "routine": {
        "expert": "1...1.",
        "official": "0...0.",
        "principal": "0...0.",
        "duty": "1...0.",
        "operator": "1...0.",
        "records": "0...0.",
        "observer": "0...0.",
    },
    "attention": {
        "expert": "11111.",
        "official": "00000.",
        "principal": "00000.",
        "duty": "00000.",
        "operator": "00000.",
        "records": "00000.",
        "observer": "00000.",
    },
    "consultation": {
        "expert": "22111.",
        "official": "22000.",
        "principal": "22000.",
        "duty": "22000.",
        "operator": "00000.",
        "records": "00000.",
        "observer": "00000.",
    },
    "serious": {
        "expert": "222222",
        "official": "222222",
        "principal": "222222",
        "duty": "222222",
        "operator": "000000",
        "records": "000000",
        "observer": "000000",
    },
    "crisis": {
        "expert": "333322",
        "official": "333322",
        "principal": "333322",
        "duty": "000022",
        "operator": "000000",
        "records": "000000",
        "observer": "000000",
    },
    "principals": {
        "expert": "330022",
        "official": "000022",
        "principal": "331122",
        "duty": "000022",
        "operator": "000000",
        "records": "000000",
        "observer": "000000",
    },
}
E = "expert"
PAIRS = ((E, E), (E, "official"), (E, "principal"), (E, "duty"))
THREE = ((E, E, "official"), (E, E, "principal"))
# level: the smallest sets of roles that are enough to open or raise, and to lower or concur
SETS = {
    "routine": (((E,), ("duty",), ("operator",)), ()),
    "attention": (((E,),), ((E,),)),
    "consultation": (PAIRS, ((E,),)),
    "serious": (PAIRS, PAIRS),
    "crisis": (THREE, THREE),
    "principals": (((E, E, "principal"),), (("principal",),)),
}


@pytest.fixture(scope="module")
def asked():
    """The table as the rules give it."""
    return who_may()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("level", ORDER)
def test_who_may_do_what_at_which_level(
    level: str, role: str, asked: dict[str, dict[str, tuple[int | None, ...]]]
) -> None:
    """Every cell of level, role and act is as DESIGN 5 has it."""
    wanted = [(act, None if c == "." else int(c)) for act, c in zip(ACTS, BY_HAND[level][role], strict=True)]
    assert list(zip(ACTS, asked[level][role], strict=True)) == wanted


@pytest.mark.parametrize("level", ORDER)
def test_which_signers_together_are_enough(level: str) -> None:
    """No other roles than those of DESIGN 5 are enough; what the policy's table says is what the rules do."""
    enter, lower = SETS[level]
    table = POLICY.level(level)
    up = [opening(level)] + [
        raising(source, level) for source in (None, *ORDER) if source != level and _under(source, level)
    ]
    for act in up:
        assert sorted(enough_for(act)) == sorted(enter)
        assert fits(act, table.enter)
    for act in [lowering(level), answering(level)] if level != "routine" else []:
        assert sorted(enough_for(act)) == sorted(lower)
        assert fits(act, table.lower)


def _under(source: str | None, level: str) -> bool:
    """Whether a raise leads from there: from a lower level, or from closed to any above the lowest."""
    return ORDER.index(level) > (0 if source is None else ORDER.index(source))


def test_a_lowering_is_one_step_and_a_closing_begins_at_attention_or_below() -> None:
    """Lowering by more than a step is refused whoever signs; from consultation on nobody may close; closing needs one expert."""
    everyone = (E, E, "principal")
    for n, level in enumerate(ORDER):
        ways = [to for to in ORDER if level != "routine" and lowering(level, to)(everyone) == ""]
        assert ways == list(ORDER[n - 1 : n]) * (n > 0)
        assert enough_for(closing(level)) == (((E,),) if level in ("routine", "attention") else ())
    assert enough_for(answering("attention", "concur", "close")) == ((E,),)


def test_what_needs_one_signature_at_every_level() -> None:
    """Read-backs, holding answers and corrections: expert, duty or official; line tests the operator too; an objection one expert."""
    persons = [(E,), ("official",), ("principal",), ("duty",)]
    for level in ORDER:
        for fmt, more in (("F02", {}), ("F14", {}), *(("F07", {"ans": a}) for a in ("NOI", "CHK", "NEN", "REF"))):
            assert sorted(enough_for(inside(level, fmt, **more))) == sorted(persons), (level, fmt)
        assert sorted(enough_for(inside(level, "F01"))) == sorted([*persons, ("operator",)])
        assert enough_for(inside(level, "F07", ans="YES")) == ((E,),)
        if level != "routine":
            assert enough_for(answering(level, "object")) == ((E,),)


def test_an_official_suspends_and_resumes() -> None:
    """Suspending and resuming need one official, in whichever seat, and nobody else's signature is enough."""
    for op in ("suspend", "resume"):
        assert enough_for(channel_move(op)) == (("official",), ("principal",))


@pytest.mark.parametrize("level", ORDER[2:])
def test_one_person_in_two_seats_is_never_enough(level: str) -> None:
    """Signers who would be enough as different persons are refused where they are one, for every act that needs several."""
    acts = [opening(level), raising("attention", level), lowering(level), answering(level), inside(level)]
    for act in acts:
        for roles in enough_for(act):
            assert act(roles, person="one") == ("" if len(roles) == 1 else "SIGS")


def test_nobody_approves_their_own_message() -> None:
    """Own key as the second, an own second seat, and the confirmation of an own emergency release are each refused."""
    world = World(cooling=0)
    twice = world.send("a", "expert1", cosign=["expert1"], level="serious")
    assert world.reason(twice) == "SIG"
    alone = world.send("a", "expert1", "F13", single=True)
    assert world.reason(world.confirm("a", "expert1", alone)) == "SIGS"
    seats = [*world.rosters["a"].members, world.sides["a"].member("second", "duty", "expert1-person")]
    assert world.reason(world.next_roster("a", seats)) == ""
    world.sync("b")
    world.sync("a")
    second_seat = world.send("a", "expert1", cosign=["second"], level="serious")
    other_person = world.send("a", "expert2", cosign=["second"], level="serious")
    assert (world.reason(second_seat), world.reason(other_person)) == ("SIG", "")
    again = world.send("a", "expert1", "F13", single=True)
    assert world.reason(world.confirm("a", "second", again)) == "SIGS"
