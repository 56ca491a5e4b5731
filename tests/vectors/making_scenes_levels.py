"""Scenarios of levels: raises, lowerings that cross them, closing and opening again, suspension, emergency releases."""

from __future__ import annotations

from making_scene import scene
from making_signing import digest
from making_world import Sent, World

E, TWO, THREE = ["expert1"], ["expert1", "expert2"], ["expert1", "expert2", "official"]
HEAD = ["expert1", "expert2", "principal"]


def opened(w: World, letter: str = "a", level: str = "attention", signers: list[str] | None = None) -> Sent:
    """A case that stays at the level it opens at, unless the scenario says otherwise later."""
    sent = w.msg(letter, signers or E, level=level)
    w.facts.case(sent, level)
    return sent


@scene("One side raises step by step; each level's own signatures", "Raise", "SIGS", "MOVE")
def _raise(w: World) -> None:
    case = opened(w)
    go = {"frm": "attention", "case": case.ph}
    w.move("a", E, "raise", to="consultation", **go, expect="SIGS")
    w.move("a", TWO, "raise", to="attention", **go, expect="MOVE")
    w.move("a", E, "raise", to="routine", **go, expect="MOVE")
    w.move("a", TWO, "raise", to="consultation", **go, covers=[5, 4], expect="MOVE")
    w.move("a", TWO, "raise", to="consultation", **go, level="attention", expect="MOVE")
    w.move("a", TWO, "raise", to="consultation", frm="attention", expect="MOVE")  # no case
    w.move("a", TWO, "raise", digest(b"no case"), frm="attention", to="consultation", expect="CASE")
    w.move("b", TWO, "raise", case.ph, frm="attention", to="consultation", seen=case.index, expect="CASE")
    w.move("b", ["expert1", "duty"], "raise", to="consultation", **go)
    w.move("a", TWO, "raise", to="crisis", **go, expect="SIGS")
    w.move("a", THREE, "raise", to="crisis", **go)  # from = what its author saw; it may skip levels
    w.move("b", THREE, "raise", to="principals", frm="crisis", case=case.ph, expect="SIGS")
    w.move("b", HEAD, "raise", to="principals", frm="crisis", case=case.ph)
    w.facts.case(case, "principals")


@scene("A lowering is agreed when both logs hold it, one step at a time", "Lower", "MOVE")
def _lower(w: World) -> None:
    case = opened(w, level="serious", signers=TWO)
    down = {"case": case.ph, "frm": "serious", "to": "consultation"}
    w.sync("b")
    w.move("a", E, "lower", **down, expect="SIGS")
    w.move("a", TWO, "lower", case.ph, frm="serious", to="attention", expect="MOVE")
    w.move("a", TWO, "lower", case.ph, frm="crisis", to="serious", expect="MOVE")
    w.move("a", TWO, "lower", case.ph, frm="serious", to="serious", expect="MOVE")
    w.move("a", TWO, "lower", **down, covers=[w.size("a") + 1, w.size("b")], expect="MOVE")
    w.move("a", TWO, "lower", **down, covers=[w.size("a"), w.size("b") + 1], expect="MOVE")
    w.move("a", TWO, "lower", **down, covers=[4, 4], expect="MOVE")  # the case was not open there
    w.move("a", TWO, "lower", **down, level="attention", expect="MOVE")
    at = [w.size("a"), w.size("b")]
    w.move("a", TWO, "lower", **down, covers=at)
    w.msg("a", E, "F09", case=case.ph, expect="SIGS")  # not agreed yet: the case is still serious
    w.move("b", TWO, "concur", **down, covers=[at[0], at[1] - 1], expect="MOVE")
    w.move("a", TWO, "concur", **down, covers=at, expect="MOVE")  # one's own
    w.move("b", E, "concur", **down, covers=at, expect="SIGS")
    w.move("b", ["expert1", "duty"], "concur", **down, covers=at)
    w.msg("a", E, "F09", case=case.ph)
    w.facts.case(case, "consultation")


@scene("A raise on its way wins over a lowering: what `at` does not cover stands", "RaiseCrossesLower")
def _crossing(w: World) -> None:
    case = opened(w, level="consultation", signers=TWO)
    down = {"case": case.ph, "frm": "consultation", "to": "attention"}
    w.sync("b")
    at = [w.size("a"), w.size("b")]
    w.move("a", E, "lower", **down, covers=at)
    w.move("b", TWO, "raise", case.ph, frm="consultation", to="serious", seen=at[0])  # has not seen the lowering
    w.move("b", E, "concur", **down, covers=at)
    w.facts.case(case, "serious")
    other = opened(w, "b", "consultation", TWO)
    w.sync("a")
    at = [w.size("a"), w.size("b")]
    down |= {"case": other.ph}
    w.move("b", TWO, "raise", other.ph, frm="consultation", to="crisis", expect="SIGS")  # refused: crosses nothing
    w.move("a", E, "lower", **down, covers=at)
    w.move("b", E, "concur", **down, covers=at)
    w.facts.case(other, "attention")


@scene("The first answer of the other party counts; a new try needs a new lowering", "Object")
def _object(w: World) -> None:
    case = opened(w, level="consultation", signers=TWO)
    down = {"case": case.ph, "frm": "consultation", "to": "attention"}
    w.sync("b")
    at = [w.size("a"), w.size("b")]
    w.move("a", E, "lower", **down, covers=at)
    w.move("b", E, "object", **down, covers=at)
    w.move("b", E, "concur", **down, covers=at)  # valid, and no longer the first answer
    w.sync("a")
    w.facts.case(case, "consultation")
    third = opened(w, level="consultation", signers=TWO)
    down |= {"case": third.ph}
    w.sync("b")
    at = [w.size("a"), w.size("b")]
    w.move("b", E, "lower", **down, covers=at)
    w.sync("a")
    again = [w.size("a"), w.size("b")]
    w.move("a", E, "object", **down, covers=at)
    w.move("b", E, "lower", **down, covers=again)
    w.move("a", E, "concur", **down, covers=again)
    w.facts.case(third, "attention")


@scene("Closing by both, and a raise that opens a closed case again", "Close", "Reopen", "MOVE")
def _close(w: World) -> None:
    case = opened(w, level="consultation", signers=TWO)
    w.sync("b")
    w.move("a", E, "close", case.ph, frm="consultation", expect="MOVE")  # from attention or routine alone
    at = [w.size("a"), w.size("b")]
    w.move("a", E, "lower", case.ph, frm="consultation", to="attention", covers=at)
    w.move("b", E, "concur", case.ph, frm="consultation", to="attention", covers=at)
    w.sync("a")
    at = [w.size("a"), w.size("b")]
    w.move("a", E, "close", case.ph, frm="attention", to="routine", covers=at, expect="MOVE")
    w.move("a", ["duty"], "close", case.ph, frm="attention", covers=at, expect="SIGS")
    w.move("a", E, "close", case.ph, frm="attention", covers=at)
    w.move("b", TWO, "raise", case.ph, frm="attention", to="serious", seen=at[0])  # crosses the close, and wins
    w.move("b", E, "concur", case.ph, frm="attention", covers=at)
    w.facts.case(case, "serious")
    second = opened(w)
    w.sync("b")
    at = [w.size("a"), w.size("b")]
    w.move("b", E, "close", second.ph, frm="attention", covers=at)
    w.move("a", E, "concur", second.ph, frm="attention", covers=at)
    w.facts.case(second, "closed")
    w.msg("b", E, "F08", case=second.ph)  # words may still be said in a closed case
    third = opened(w)
    w.sync("b")
    at = [w.size("a"), w.size("b")]
    w.move("b", E, "close", third.ph, frm="attention", covers=at)
    w.move("a", E, "concur", third.ph, frm="attention", covers=at)
    w.move("a", TWO, "raise", third.ph, frm="attention", to="consultation")
    w.facts.case(third, "consultation")


@scene("Suspension by either side, lifted only by whoever suspended", "Suspend", "SUSP")
def _suspend(w: World) -> None:
    case = opened(w)
    w.move("a", E, "suspend", expect="SIGS")
    w.move("a", ["official"], "suspend", case.ph, expect="MOVE")
    w.move("a", ["official"], "suspend", frm="routine", expect="MOVE")
    w.move("b", ["official"], "suspend")
    w.msg("a", E, case=case.ph, seen=4)  # has not seen it
    w.msg("a", E, expect="SUSP")
    w.msg("b", E, "F06", expect="SUSP")
    w.msg("b", E, "F08", case=case.ph, expect="SUSP")
    w.move("b", E, "close", case.ph, frm="attention", expect="SUSP")
    w.msg("a", ["operator"], "F01", level="routine")
    w.msg("b", ["duty"], "F02", refs=[case.ph])
    w.msg("b", E, "F14", refs=[case.ph], cor="DUP")
    w.facts.case(w.msg("a", TWO, "F13", level="attention"), "attention")
    w.move("a", TWO, "raise", case.ph, frm="attention", to="serious")
    w.facts.case(case, "serious")
    w.ack("b", "expert1", case)
    w.move("a", ["principal"], "suspend")
    w.move("b", ["principal"], "resume")
    w.msg("b", E, "F08", case=case.ph, expect="SUSP")  # the other side's stands
    w.move("a", ["official"], "resume")
    w.msg("b", E, "F08", case=case.ph)
    w.move("a", ["official"], "suspend")
    w.facts.suspended.add("a")


@scene("The emergency release: one person, attention at most, a second within 900 seconds", "Single", "LEVEL")
def _single(w: World) -> None:
    w.msg("a", E, "F13", single=True, level="serious", expect="LEVEL")
    w.msg("a", ["duty"], "F13", level="attention", expect="SIGS")  # without `single` two must sign
    w.msg("a", ["operator"], "F13", single=True, expect="SIGS")
    first = w.msg("a", ["duty"], "F13", single=True)
    late = w.msg("a", E, "F13", single=True, level="routine")
    lone = w.msg("b", ["official"], "F13", single=True)
    for each, level in ((first, "attention"), (late, "routine"), (lone, "attention")):
        w.facts.case(each, level)
    w.confirm("a", "duty", first, expect="SIGS")  # the same person
    w.confirm("a", "operator", first, expect="SIGS")
    w.confirm("b", "expert1", first, expect="REF")  # the other party's
    start = w.logs["a"][first.index].ts
    w.confirm("a", "expert1", first, ts=start + 900_000)
    w.facts.confirms[first.ph] = "in time"
    w.confirm("a", "expert2", first)  # later ones change nothing
    w.confirm("a", "official", late, ts=w.logs["a"][late.index].ts + 900_001)
    w.facts.confirms[late.ph] = "late"
    whole = w.msg("a", ["expert1", "duty"], "F13", level="consultation")
    w.facts.case(whole, "consultation")
    w.confirm("a", "official", whole, expect="REF")  # nothing to confirm
    inside = w.msg("b", E, "F13", single=True, case=whole.ph, level="crisis", reply_by=3600)  # within a case: any level
    w.msg("b", E, "F13", single=True, reply_by=3599, expect="FMT")  # below the pace of a crisis
    w.move("b", ["duty"], "raise", whole.ph, frm="consultation", to="serious", single=True, expect="FMT")
    w.confirm("b", "duty", inside, mid=bytes(16), expect="REF")
