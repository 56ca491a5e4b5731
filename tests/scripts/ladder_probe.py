"""What the rules of levels say, found by asking them: generated messages in, verdicts out. No rule is written down here.

Levels are asked of ``Ladder.check`` and the roles that may sign at all; emergency releases and receipts of a whole fold
over really signed logs (``tests.world``). What comes out is plain data for docs/ladder.md and its pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import get_args

from msgspec import UNSET

from channel.protocol.awaiting import Awaiting
from channel.protocol.charter import ORDER
from channel.protocol.defaults import default_policy
from channel.protocol.header import FormatCode, Header, Move, MoveOp
from channel.protocol.judge_message import SENDERS
from channel.protocol.ladder import HEAVY, Ladder
from channel.protocol.people import AckStep
from channel.protocol.verdicts import Entry, Signer
from keys.envelope import Envelope
from tests.world import START, World

POLICY = default_policy(1, bytes(32), bytes(32))
ROLES = ("expert", "official", "principal", "duty", "operator", "records", "observer")
ONE = (("expert",),)
PRINCIPAL = "principal"  # the seat; its role is official
FORMATS = tuple(code for code in get_args(FormatCode) if code not in ("F05", "F12"))
SEATS = {"expert": "expert1", "official": "official", "principal": "principal", "duty": "duty", "operator": "operator", "records": "records"}  # fmt: skip


def signers(roles, *, person=None):
    """Signers in these roles, each another person unless one is named."""
    return tuple(
        Signer(bytes([i]) * 32, person or f"p{i}", "official" if r == PRINCIPAL else r, r, "government", False)
        for i, r in enumerate(roles)
    )


def entry(p, i, seen, roles, ph=bytes(32), *, person=None, **fields):
    """A message as the ladder sees it."""
    level = fields.pop("level", "attention")
    header = Header(
        chan=bytes(32), from_=bytes(32), mid=bytes(16), ts=0, prev=bytes(32), suite=0x0101, to=(bytes(32),), lang="en",
        **{"fmt": "F03", "level": level, "prec": POLICY.level(level).prec, "status": "message", **fields},
    )  # fmt: skip
    return Entry(
        p, i, 0, b"", None, seen, 0, envelope=Envelope("", ph, ()), doc=header, signers=signers(roles, person=person)
    )


def case_at(level):
    """A ladder with one case that CN opened at a level; the case."""
    ladder = Ladder()
    ladder.add(entry(0, 0, 0, ("expert",), b"case", level=level))
    return ladder, next(iter(ladder.cases))


def below(level):
    """The level one step down."""
    return ORDER[ORDER.index(level) - 1]


# --- the acts: each gives, for roles, the reason of the message ("" is valid) --------------------------------------------


def opening(level, fmt="F03", **more):
    """Open a case at a level."""
    return lambda roles, **who: Ladder().check(entry(1, 9, 9, roles, fmt=fmt, level=level, **more, **who), POLICY)


def raising(source, level):
    """Raise a case from one level (None: closed) to another."""
    ladder, case = case_at(source or "attention")
    if source is None:
        close(ladder, case)
    move = Move(op="raise", from_=source or ORDER[0], to=level)
    return lambda roles, **who: ladder.check(
        entry(1, 9, 9, roles, fmt="F12", level=level, case=case, move=move, **who), POLICY
    )


def lowering(level, to=None):
    """Propose to lower a case from a level, one step unless said otherwise."""
    ladder, case = case_at(level)
    move = Move(op="lower", from_=level, to=to or below(level), at=(1, 0))
    return lambda roles, **who: ladder.check(
        entry(1, 0, 1, roles, fmt="F12", level=level, case=case, move=move, **who), POLICY
    )


def answering(level, op="concur", what="lower"):
    """Concur with, or object to, a lowering (or closing) that the other party proposed."""
    ladder, case = case_at(level)
    asked = Move(op=what, from_=level, to=below(level) if what == "lower" else UNSET, at=(1, 0))
    fmt = "F12" if what == "lower" else "F05"
    ladder.add(entry(1, 0, 1, (), fmt=fmt, level=level, case=case, move=asked))
    move = Move(op=op, from_=asked.from_, to=asked.to, at=asked.at)
    return lambda roles, **who: ladder.check(
        entry(0, 1, 1, roles, fmt="F12", level=level, case=case, move=move, **who), POLICY
    )


def closing(level):
    """Propose to close a case."""
    ladder, case = case_at(level)
    move = Move(op="close", from_=level, at=(1, 0))
    return lambda roles, **who: ladder.check(
        entry(1, 0, 1, roles, fmt="F05", level=level, case=case, move=move, **who), POLICY
    )


def inside(level, fmt="F04", **more):
    """A message inside a case."""
    ladder, case = case_at(level)
    return lambda roles, **who: ladder.check(
        entry(1, 0, 1, roles, fmt=fmt, level=level, case=case, **more, **who), POLICY
    )


def channel_move(op):
    """Suspend or resume."""
    return lambda roles, **who: Ladder().check(
        entry(1, 9, 9, roles, fmt="F12", level="routine", move=Move(op=op), **who), POLICY
    )


def close(ladder, case, level="attention"):
    """An agreed closing, as two entries of the ladder."""
    at = (1, 0)
    ladder.add(entry(1, 0, 1, (), fmt="F05", level=level, case=case, move=Move(op="close", from_=level, at=at)))
    ladder.add(entry(0, 1, 1, (), fmt="F12", level=level, case=case, move=Move(op="concur", from_=level, at=at)))
    assert ladder.level(case, (9, 9)) < 0


# --- who is enough ------------------------------------------------------------------------------------------------------


def enough_for(act):
    """The smallest sets of roles that are enough, up to three; none where the act itself is refused."""
    found = []
    for n in (1, 2, 3):
        for roles in combinations_with_replacement(ROLES, n):
            known = any(all(roles.count(r) >= some.count(r) for r in some) for some in found)
            if (
                not known
                and all((("official" if r == PRINCIPAL else r) in SENDERS) for r in roles)
                and act(roles) == ""
            ):
                found.append(roles)
    return tuple(found)


def fits(act, slots):
    """Whether exactly the sets that fill these slots are enough: the table that is shown is the rule that holds."""
    wanted = [
        roles
        for roles in combinations_with_replacement(ROLES, len(slots))
        if _fills([("official", "official@principal") if r == PRINCIPAL else (r,) for r in roles], list(slots))
    ]
    return sorted(enough_for(act)) == sorted(wanted)


def _fills(roles, slots):
    if not slots:
        return not roles
    return any(
        set(role) & set(slots[0]) and _fills(roles[:i] + roles[i + 1 :], slots[1:]) for i, role in enumerate(roles)
    )


def share(act, role):
    """What a role's signature is: 1 alone enough, 2 or 3 one of so many, 0 nothing."""
    return min((len(some) for some in enough_for(act) if role in some), default=0)


ACTS = ("open", "raise", "lower", "concur", "inside", "second")


def who_may():
    """{level: {role: shares of ACTS}}; None where there is no such act at a level."""
    found = {}
    for level in ORDER:
        lowest = level == ORDER[0]
        acts = {
            "open": opening(level),
            "raise": None if lowest else raising(below(level), level),
            "lower": None if lowest else lowering(level),
            "concur": None if lowest else answering(level),
            "inside": inside(level),
        }
        for fmt in HEAVY:
            if enough_for(inside(level, fmt)) != enough_for(acts["inside"]):
                raise AssertionError(f"{fmt} asks for others than F04 at {level}")
        found[level] = {
            role: (
                *(None if act is None else share(act, role) for act in acts.values()),
                _second(acts["inside"], role),
            )
            for role in ROLES
        }
    return found


def _second(act, role):
    """Beside an expert: 2 where the role makes it enough, 0 where not, None where an expert alone is enough."""
    if act(("expert",)) == "":
        return None
    return 2 * (("expert", role) in enough_for(act) or (role, "expert") in enough_for(act))


# --- suspension -----------------------------------------------------------------------------------------------------------

HELD = ((False, False), (True, False), (False, True), (True, True))  # which of CN and US has suspended


def suspended(held):
    """A ladder in which these parties have suspended, with one open case."""
    ladder, case = case_at("attention")
    for p, so in enumerate(held):
        if so:
            ladder.add(entry(p, 1, 0, (), fmt="F12", level="routine", move=Move(op="suspend")))
    return ladder, case


def suspension():
    """{(from, party, op): to} for every state, party and word; words that change nothing are left out."""
    found = {}
    for held in HELD:
        for p in (0, 1):
            for op in ("suspend", "resume"):
                ladder, _ = suspended(held)
                word = entry(p, 2, 2, ("official",), fmt="F12", level="routine", move=Move(op=op))
                assert ladder.check(word, POLICY) == ""
                ladder.add(word)
                after = ladder.suspended((9, 9))
                if after != held:
                    found[held, p, op] = after
    return found


def open_while_suspended():
    """The formats and the moves that stay valid while a party has suspended."""
    ladder, case = suspended((True, False))
    everyone = ("expert", "expert", "principal")
    formats = [f for f in FORMATS if ladder.check(entry(1, 0, 2, everyone, fmt=f, case=case), POLICY) == ""]
    moves = []
    for op in get_args(MoveOp):
        of_case = {} if op in ("suspend", "resume") else {"case": case}
        fields = {
            "raise": {"from_": "attention", "to": "crisis"},
            "suspend": {},
            "resume": {},
            "close": {"from_": "attention", "at": (1, 0)},
        }.get(op, {"from_": "attention", "to": "routine", "at": (1, 0)})
        level = {"raise": "crisis", "suspend": "routine", "resume": "routine"}.get(op, "attention")
        move = entry(
            1, 0, 2, everyone, fmt="F05" if op == "close" else "F12", level=level, move=Move(op=op, **fields), **of_case
        )
        if op in ("concur", "object"):
            ladder.add(entry(0, 5, 0, (), fmt="F12", level="attention", case=case, move=Move(op="lower", **fields)))
            move.seen = 9
        reason = ladder.check(move, POLICY)
        assert reason in ("", "SUSP"), (op, reason)
        if reason == "":
            moves.append(op)
    return tuple(formats), tuple(moves)


# --- emergency release ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Release:
    """What is known of a coded message that one person released."""

    roles: tuple[str, ...]
    """Who may release alone."""
    opens_at: tuple[str, ...]
    raises: bool
    confirms: dict[str, str]
    """Role of a second person of the party: the reason of the confirmation ("" is valid)."""
    same_person: str
    other_party: str
    states: dict[int, str]
    """Seconds from the message to the confirmation: the state then; -1 without one."""
    seconds: int
    pace: str
    """The level whose deadlines it has, written at routine."""


def release():
    """The emergency release, asked of a fold."""
    world = World(cooling=0)
    sent = world.send("a", "duty", "F13", single=True, at=START, level="routine")
    states = {-1: world.fold().find(sent.ph).confirm}
    world.sync("b")
    view = world.fold().find(sent.ph)
    due = {name: (at - view.receipt_time) // 1000 for name, at in view.deadlines.items()}
    [pace] = [x.code for x in POLICY.levels if {"read": x.read, "reply": x.reply}.items() <= due.items()]
    limit = POLICY.limits.confirm_s
    confirms = {}
    for role, seat in SEATS.items():
        again = World(cooling=0)
        author = "expert2" if seat == "duty" else "duty"
        first = again.send("a", author, "F13", single=True, at=START)
        confirms[role] = again.reason(again.confirm("a", seat, first))
    for seconds in (limit, limit + 1):
        again = World(cooling=0)
        first = again.send("a", "duty", "F13", single=True, at=START)
        again.confirm("a", "expert1", first, ts=START + 1000 * seconds)
        states[seconds] = again.fold().find(first.ph).confirm
    at = {level: opening(level, "F13", single=True)(("duty",)) for level in ORDER}
    ladder, case = case_at("routine")
    up = Move(op="raise", from_="routine", to="attention")
    raised = ladder.check(
        entry(1, 9, 9, ("duty",), fmt="F12", level="attention", single=True, case=case, move=up), POLICY
    )
    own, foreign = world.confirm("a", "duty", sent), world.confirm("b", "expert1", sent)
    return Release(
        roles=tuple(r for r in ROLES if share(opening("attention", "F13", single=True), r) == 1),
        opens_at=tuple(level for level, reason in at.items() if not reason),
        raises=raised == "",
        confirms=confirms,
        same_person=world.reason(own),
        other_party=world.reason(foreign),
        states=states,
        seconds=limit,
        pace=pace,
    )


# --- receipts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Receipt:
    """What one step of receipt does. ``ends``: receipts that its sender no longer waits for; ``reason``: what is said of the rest."""

    step: str
    roles: tuple[str, ...]
    ends: tuple[str, ...]
    reason: str
    after: tuple[str, ...]
    """The steps after which another person may still sign it."""


def receipts():
    """What stands after each step of receipt, for a message that waits for all five: the first two without a person."""
    rows = []
    for step in ("", "stored", *get_args(AckStep)):
        world = World(cooling=0)
        sent = world.send("a", "expert1", cosign=["duty"], level="serious")
        if step == "stored":
            world.sync("b")
        elif step:
            world.ack("b", "duty", sent, step)
        world.sync("a")
        fold, seen = world.fold(), len(world.logs["b"])
        assert all(fold.verdict("b", i).reason == "" for i in range(seen))
        met = tuple(a.receipt for a in Awaiting(fold, "a").open(seen) if a.met)
        [said] = {s.reason for s in Awaiting(fold, "a").due(START + 10**9, seen)}
        rows.append(Receipt(step, _roles_of(step), met, said, _before(step)))
    return rows


def _roles_of(step):
    """Who may sign a step."""
    if step not in get_args(AckStep):
        return ()
    world = World(cooling=0)
    sent = world.send("a", "expert1")
    acks = {role: world.ack("b", seat, sent, step) for role, seat in SEATS.items()}
    fold = world.fold()
    return tuple(role for role, ack in acks.items() if world.reason(ack, fold) == "")


def _before(step):
    """The steps after which a step may be signed."""
    if step not in get_args(AckStep):
        return ()
    world = World(cooling=0)
    acks = {}
    for first in get_args(AckStep):
        sent = world.send("a", "expert1")
        world.ack("b", "duty", sent, first)
        acks[first] = world.ack("b", "expert1", sent, step)
    fold = world.fold()
    return tuple(first for first, ack in acks.items() if world.reason(ack, fold) == "")
