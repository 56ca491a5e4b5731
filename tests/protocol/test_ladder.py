"""Levels, moves and signatures: the tables of section 4.2 cell by cell, and the indexed code against the written one."""

from __future__ import annotations

import random
from itertools import combinations_with_replacement

import pytest
from msgspec import UNSET

from channel.protocol.charter import ORDER
from channel.protocol.defaults import default_policy
from channel.protocol.header import Header, Move
from channel.protocol.ladder import Ladder, enough
from channel.protocol.verdicts import Entry, Signer
from keys.envelope import Envelope
from tests.protocol import ladder_oracle as oracle

POLICY = default_policy(1, bytes(32), bytes(32))
ROLES = ("expert", "official", "principal", "duty", "operator")
SETS = [s for n in (1, 2, 3, 4) for s in combinations_with_replacement(ROLES, n)]


def signers(roles: tuple[str, ...], *, person: str | None = None) -> tuple[Signer, ...]:
    return tuple(
        Signer(bytes([i]) * 32, person or f"p{i}", "official" if r == "principal" else r, r, "government", False)
        for i, r in enumerate(roles)
    )


def entry(p: int, i: int, seen: int, who: tuple[Signer, ...], ph: bytes = bytes(32), **fields) -> Entry:
    """A message as the ladder sees it; its payload hash is that of the bytes ``ph``."""
    level = fields.pop("level", "attention")
    header = Header(
        chan=bytes(32), from_=bytes(32), mid=bytes(16), ts=0, prev=bytes(32), suite=0x0101, to=(bytes(32),), lang="en",
        **{"fmt": "F03", "level": level, "prec": POLICY.level(level).prec, "status": "message", **fields},
    )  # fmt: skip
    return Entry(p, i, 0, b"", None, seen, 0, envelope=Envelope("", ph, ()), doc=header, signers=who)


def two(n: dict[str, int]) -> bool:
    return n["expert"] >= 1 and n["expert"] + n["duty"] + n["official"] >= 2


ENTER = {
    "routine": lambda n: n["expert"] + n["duty"] + n["operator"] >= 1,
    "attention": lambda n: n["expert"] >= 1,
    "consultation": two,
    "serious": two,
    "crisis": lambda n: n["expert"] >= 2 and n["official"] >= 1,
    "principals": lambda n: n["expert"] >= 2 and n["principal"] >= 1,
}
LOWER = {
    "routine": lambda n: n["expert"] >= 1,
    "attention": lambda n: n["expert"] >= 1,
    "consultation": lambda n: n["expert"] >= 1,
    "serious": two,
    "crisis": ENTER["crisis"],
    "principals": lambda n: n["principal"] >= 1,
}


def count(roles: tuple[str, ...]) -> dict[str, int]:
    n = {r: roles.count(r) for r in ROLES}
    n["official"] += n["principal"]  # the official in seat principal is an official too
    return n


@pytest.mark.parametrize("level", ORDER)
def test_opening_and_raising_need_the_signatures_of_the_level(level: str) -> None:
    """Each set of one to four roles opens a case at a level, or raises to it, exactly where the table says so."""
    for roles in SETS:
        ladder = Ladder()
        opening = entry(0, 9, 9, signers(roles), level=level)
        assert (ladder.check(opening, POLICY) == "") == ENTER[level](count(roles)), roles
        if level == "routine":
            continue
        ladder.add(entry(1, 0, 0, signers(("expert",)), b"case", level="routine"))
        case = ladder_case(ladder)
        raising = entry(
            0, 9, 9, signers(roles), fmt="F12", level=level, case=case, move=Move(op="raise", from_="routine", to=level)
        )
        assert (ladder.check(raising, POLICY) == "") == ENTER[level](count(roles)), roles


def ladder_case(ladder: Ladder) -> bytes:
    return next(iter(ladder.cases))


@pytest.mark.parametrize("level", ORDER[1:])
def test_lowering_needs_the_signatures_of_the_level_it_leaves(level: str) -> None:
    """Each set of roles may propose a lowering, or concur to one, exactly where the table says so."""
    for roles in SETS:
        ladder = Ladder()
        ladder.add(entry(1, 0, 0, (), b"case", level=level))
        move = Move(op="lower", from_=level, to=ORDER[ORDER.index(level) - 1], at=(0, 1))
        lower = entry(0, 0, 1, signers(roles), fmt="F12", level=level, case=ladder_case(ladder), move=move)
        assert (ladder.check(lower, POLICY) == "") == LOWER[level](count(roles)), roles
        ladder.add(lower)
        answer = Move(op="concur", from_=move.from_, to=move.to, at=move.at)
        concur = entry(1, 1, 1, signers(roles), fmt="F12", level=level, case=ladder_case(ladder), move=answer)
        assert (ladder.check(concur, POLICY) == "") == LOWER[level](count(roles)), roles


@pytest.mark.parametrize("level", ORDER)
@pytest.mark.parametrize("fmt", ["F01", "F02", "F03", "F04", "F07", "F08", "F09", "F10", "F11", "F14"])
def test_inside_a_case_some_formats_need_two_from_serious_on(level: str, fmt: str) -> None:
    """F03, F04, F09 and F11 need two members at serious or above; all else one, of the roles of its row."""
    for roles in SETS:
        ladder, n = Ladder(), count(roles)
        ladder.add(entry(1, 0, 0, (), b"case", level=level))
        message = entry(0, 0, 1, signers(roles), fmt=fmt, level=level, case=ladder_case(ladder))
        person = n["expert"] + n["duty"] + n["official"] >= 1
        wanted = {"F01": person or n["operator"] >= 1, "F02": person, "F14": person}.get(fmt, n["expert"] >= 1)
        if fmt in ("F03", "F04", "F09", "F11") and ORDER.index(level) >= 3:
            wanted = two(n)
        assert (ladder.check(message, POLICY) == "") == wanted, roles


def test_a_coded_message_needs_two_and_an_emergency_release_one() -> None:
    """F13 needs two members or what its level asks; with ``single`` one person, and opens at attention at most."""
    ladder = Ladder()
    for level in ORDER:
        assert ladder.check(entry(0, 0, 0, signers(("expert",)), fmt="F13", level=level), POLICY) == "SIGS"
        pair = ladder.check(entry(0, 0, 0, signers(("expert", "duty")), fmt="F13", level=level), POLICY)
        assert pair == ("" if level not in ("crisis", "principals") else "SIGS")
        alone = ladder.check(entry(0, 0, 0, signers(("duty",)), fmt="F13", level=level, single=True), POLICY)
        assert alone == ("" if level in ("routine", "attention") else "LEVEL")


def test_one_person_with_two_seats_is_never_enough() -> None:
    """Two signatures of one person fill no two slots."""
    both = signers(("expert", "official"), person="one")
    assert not enough(both, POLICY.sign.two)
    assert enough(signers(("expert", "official")), POLICY.sign.two)


# --- crossing moves ---------------------------------------------------------------------------------------------------

EVERYONE = signers(("expert", "expert", "principal", "duty"))


def moved(p: int, i: int, seen: int, op: str, case: bytes, from_=UNSET, to=UNSET, at=UNSET) -> Entry:
    level = {"raise": to, "suspend": "routine", "resume": "routine"}.get(op, from_)
    move = Move(op=op, from_=from_, to=to, at=at)
    return entry(p, i, seen, EVERYONE, fmt="F05" if op == "close" else "F12", level=level, case=case, move=move)


def test_a_raise_that_crosses_an_agreed_lowering_wins() -> None:
    """A raise at or after ``at`` stands, in whichever order it is read."""
    ladder = Ladder()
    ladder.add(entry(0, 0, 0, EVERYONE, b"x", level="serious"))
    case = ladder_case(ladder)
    ladder.add(moved(0, 1, 0, "lower", case, "serious", "consultation", (1, 0)))
    ladder.add(moved(1, 0, 1, "raise", case, "serious", "crisis"))
    ladder.add(moved(1, 1, 2, "concur", case, "serious", "consultation", (1, 0)))
    assert ladder.level(case, (2, 0)) == 3
    assert ladder.level(case, (2, 1)) == 4
    assert ladder.level(case, (2, 2)) == 4


def test_the_first_answer_to_a_lowering_counts() -> None:
    """After an objection a later concurrence to the same lowering changes nothing."""
    ladder = Ladder()
    ladder.add(entry(0, 0, 0, EVERYONE, b"x", level="serious"))
    case = ladder_case(ladder)
    ladder.add(moved(0, 1, 0, "lower", case, "serious", "consultation", (1, 0)))
    ladder.add(moved(1, 0, 2, "object", case, "serious", "consultation", (1, 0)))
    ladder.add(moved(1, 1, 2, "concur", case, "serious", "consultation", (1, 0)))
    assert ladder.level(case, (9, 9)) == 3


def test_a_raise_after_a_close_opens_the_case_again() -> None:
    """An agreed close ends what lies before ``at``; a raise at or after it re-opens."""
    ladder = Ladder()
    ladder.add(entry(0, 0, 0, EVERYONE, b"x"))
    case = ladder_case(ladder)
    ladder.add(moved(0, 1, 0, "close", case, "attention", at=(1, 0)))
    ladder.add(moved(1, 0, 2, "concur", case, "attention", at=(1, 0)))
    assert ladder.level(case, (2, 1)) == -1
    ladder.add(moved(0, 2, 1, "raise", case, "attention", "serious"))
    assert ladder.level(case, (3, 1)) == 3


def test_a_channel_is_suspended_until_both_have_resumed() -> None:
    """Each party's own last word counts; core formats, raises and the word itself stay open."""
    ladder = Ladder()
    ladder.add(entry(0, 0, 0, EVERYONE, b"x"))
    case = ladder_case(ladder)
    ladder.add(moved(0, 1, 0, "suspend", UNSET))
    ladder.add(moved(1, 0, 2, "suspend", UNSET))
    ladder.add(moved(0, 2, 1, "resume", UNSET))
    at = {"p": 0, "i": 3, "seen": 1, "who": EVERYONE, "case": case}
    assert ladder.suspended((3, 1)) == (False, True)
    assert [ladder.check(entry(**at, fmt=f), POLICY) for f in ("F01", "F02", "F13", "F14")] == [""] * 4
    assert [ladder.check(entry(**at, fmt=f), POLICY) for f in ("F03", "F04", "F06", "F08")] == ["SUSP"] * 4
    assert ladder.check(moved(0, 3, 1, "raise", case, "attention", "crisis"), POLICY) == ""
    assert ladder.check(moved(0, 3, 1, "lower", case, "attention", "routine", (1, 0)), POLICY) == "SUSP"
    ladder.add(moved(1, 1, 2, "resume", UNSET))
    assert ladder.suspended((3, 2)) == (False, False)


# --- the indexed code against the written one ---------------------------------------------------------------------------


class Story:
    """Random pairs of logs, grown in an order that respects index and ``seen``."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.sizes, self.seen = [0, 0], [0, 0]
        self.valid: list[Entry] = []

    def next(self) -> Entry:
        dice, p = self.dice, self.dice.randrange(2)
        self.seen[p] = dice.randint(self.seen[p], self.sizes[1 - p])
        i, seen = self.sizes[p], self.seen[p]
        self.sizes[p] += 1
        who = signers(
            tuple(dice.choices(ROLES, k=dice.choice((1, 2, 3))))
            if dice.random() < 0.3
            else ("expert", "expert", "principal")
        )
        ph = dice.randbytes(8)
        opened = [e.ph for e in self.valid if e.doc.case is UNSET and e.doc.fmt in ("F03", "F06", "F13")]
        if not opened or dice.random() < 0.12:
            extra = (
                {"fmt": "F13", "single": True} if dice.random() < 0.3 else {"fmt": dice.choice(("F03", "F06", "F13"))}
            )
            return entry(p, i, seen, who, ph, level=dice.choice(ORDER), **extra)
        case = dice.choice(opened[-3:]) if dice.random() < 0.95 else bytes(32)
        kind = dice.random()
        if kind < 0.25:
            fmt = dice.choice(("F01", "F02", "F03", "F04", "F07", "F08", "F11", "F13", "F14"))
            return entry(p, i, seen, who, ph, fmt=fmt, case=case, level=dice.choice(ORDER))
        return self.move(p, i, seen, who, ph, case)

    def move(self, p, i, seen, who, ph, case) -> Entry:
        dice = self.dice
        downs = [e for e in self.valid if e.p != p and e.doc.move is not UNSET and e.doc.move.op in ("lower", "close")]
        if downs and dice.random() < 0.4:
            down = dice.choice(downs[-3:])
            m = down.doc.move
            move = Move(op=dice.choice(("concur", "concur", "object")), from_=m.from_, to=m.to, at=m.at)
            return entry(p, i, seen, who, ph, fmt="F12", case=down.doc.case, level=m.from_, move=move)
        if dice.random() < 0.1:
            op = dice.choice(("suspend", "resume", "resume"))
            return entry(p, i, seen, who, ph, fmt="F12", level="routine", move=Move(op=op))
        here = (i, seen) if p == 0 else (seen, i)
        at = tuple(max(0, n - dice.choice((0, 0, 0, 1, 2))) for n in here)
        now = oracle.level(case, at, [oracle.rec(e) for e in self.valid])
        level = ORDER[max(0, now)] if dice.random() < 0.85 else dice.choice(ORDER)
        n = ORDER.index(level)
        op = dice.choice(("raise", "lower", "lower", "close" if n < 2 else "lower"))
        if op == "raise":
            to = dice.choice(ORDER[n:])
            return entry(p, i, seen, who, ph, fmt="F12", case=case, level=to, move=Move(op=op, from_=level, to=to))
        to = UNSET if op == "close" else ORDER[max(0, n - 1)]
        fmt = "F05" if op == "close" else "F12"
        return entry(p, i, seen, who, ph, fmt=fmt, case=case, level=level, move=Move(op=op, from_=level, to=to, at=at))


@pytest.mark.parametrize("block", range(4))
def test_the_indexed_ladder_and_the_written_one_agree(block: int) -> None:
    """Over random pairs of logs every message has the same reason, and every case the same level on any prefixes."""
    pol, reasons = oracle.Pol(POLICY), set()
    for seed in range(block * 100, block * 100 + 100):
        story, ladder, plain = Story(seed), Ladder(), []
        for _ in range(55):
            e = story.next()
            r = oracle.rec(e)
            wanted = oracle.check_level(r, plain, pol) or ""
            assert ladder.check(e, POLICY) == wanted, (seed, e)
            reasons.add((wanted, e.doc.move.op if e.doc.move is not UNSET else ""))
            if not wanted:
                ladder.add(e)
                plain.append(r)
                story.valid.append(e)
        for _ in range(20):
            at = (story.dice.randint(0, story.sizes[0]), story.dice.randint(0, story.sizes[1]))
            assert any(ladder.suspended(at)) == oracle.suspended(at, plain)
            for case in ladder.cases:
                assert ladder.level(case, at) == oracle.level(case, at, plain), (seed, at)
    assert {("", "concur"), ("", "close"), ("MOVE", "lower"), ("SUSP", ""), ("SIGS", "")} <= reasons
