"""Moves of a level as a person makes them: what is named in a raise, a lowering and its answer (docs/protocol.md 12.5).

One side may raise; a lowering or closing holds when the other side concurs. What was seen is named by the sizes of both
logs, so that a raise which crosses a lowering stands.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from channel.client.client import Client
from channel.client.present import payload_of
from channel.protocol.charter import ORDER
from channel.protocol.header import Move
from channel.protocol.verdicts import MessageView
from keys.errors import Refused, WrongUse


def move_of(client: Client, case: MessageView, op: str, to: str = "") -> tuple[Move, tuple[bytes, ...]]:
    """The move of a command and the message that it answers. ``Refused`` LEVEL_NOW, NOTHING_TO_ANSWER."""
    fold = client.view.fold
    level: Any = fold.case_level(case.ph)
    if op == "raise":
        if level is not None and ORDER.index(_any(to)) <= ORDER.index(level):
            raise Refused("LEVEL_NOW", level=level)
        return Move(op="raise", from_=level or "routine", to=_any(to)), ()
    if op == "lower":
        if level in (None, "routine"):
            raise Refused("LEVEL_NOW", level=level or "-")
        below: Any = ORDER[ORDER.index(level) - 1]
        return Move(op="lower", from_=level, to=below, at=fold.cut), ()
    asked = open_lowering(client, case)
    if asked is None:
        raise Refused("NOTHING_TO_ANSWER", number=case.verdict.number)
    said = payload_of(asked).move
    if said is UNSET:
        raise WrongUse("NO_MESSAGE", ref=asked.ph)
    return Move(op=_any(op), from_=said.from_, to=said.to, at=said.at), (asked.ph,)


def open_lowering(client: Client, case: MessageView) -> MessageView | None:
    """The newest lowering or closing of the other side in a case that the own side has not answered."""
    answered: set[Any] = set()
    found = None
    for message in client.index.case(case.ph):
        move = payload_of(message).move
        if move is UNSET:
            continue
        own = message.verdict.letter == client.view.letter
        if move.op in ("lower", "close") and not own:
            found = message
        elif move.op in ("concur", "object") and own:
            answered.add((move.from_, move.to, move.at))
    if found is None:
        return None
    asked: Any = payload_of(found).move
    return None if (asked.from_, asked.to, asked.at) in answered else found


def _any(value: Any) -> Any:
    return value
