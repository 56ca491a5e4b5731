"""The break-in: whether somebody has said REAL WORLD in an exercise, and control has not gone on since.

It lasts until a clock record of control that has seen it: resume, a new start, or the end of the exercise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from channel.protocol.people import Exercise
from keys.envelope import sign

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.protocol.verdicts import Signer, Verdict

RECORDS = 400
"""Newest exercise records that are looked at."""
GOES_ON = frozenset({"startex", "resume", "endex"})


@dataclass(frozen=True, slots=True)
class BreakIn:
    """Who said it, and when: ms UTC as their log has it."""

    letter: str
    index: int
    ts: int
    signer: Signer


def lasting(client: Client) -> list[BreakIn]:
    """Every break-in that lasts, in display order; empty on an actual channel."""
    if client.view.charter.mode != 2 or client.view.fold.charter is None:
        return []
    return list(client.index.once("break-in", lambda: _lasting(client.index.newest(("exercise",), RECORDS))))


def _lasting(records: list[Verdict]) -> list[BreakIn]:
    found: list[BreakIn] = []
    for v in records:
        if not isinstance(v.doc, Exercise) or v.record is None:
            continue
        if v.doc.op == "real-world":
            found.append(BreakIn(v.letter, v.index, v.record.ts, v.signers[0]))
        elif v.doc.op in GOES_ON:
            found = [each for each in found if not _seen(v, each)]
    return found


def _seen(v: Verdict, each: BreakIn) -> bool:
    """Whether a record stands on a break-in: it is below it in its own log, or within what it has seen of the other."""
    assert v.record is not None
    return each.index < (v.index if v.letter == each.letter else v.record.seen[1])


async def say_real_world(client: Client) -> None:
    """Sign and submit it as this person, once as long as their own lasts. ``Refused`` MODE on an actual channel."""
    kid = client.keys.sign.kid
    if any(each.signer.kid == kid for each in lasting(client)):
        return
    now = client.clock.now()
    document = Exercise(chan=client.view.chan, from_=kid, op="real-world", x=exercise_time(client, now), ts=now)
    await client.submit("exercise", sign("exercise", document, [client.keys.sign]), (), ())


def exercise_time(client: Client, now: int) -> int:
    """Exercise time in ms; 0 before the start."""
    known = client.view.fold.known()
    if known is None:
        return 0
    clock = known.clock
    return clock.x + (max(0, now - clock.ts) * clock.rate if clock.state == "running" else 0)
