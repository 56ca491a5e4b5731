"""A case as its desk sees it: what both sides call it, how its level went, what is asked and not yet answered.

Level is attention, severity is the event: they stand apart, and severity is each party's own word. Everything here is
read from the logs and the bodies that this person may open; nothing is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from channel.client.client import Client
from channel.protocol.header import Payload
from channel.protocol.verdicts import MessageView
from keys.errors import Malformed, Refused, Unverified


@dataclass(frozen=True, slots=True)
class LevelStep:
    """One thing that happened to a level: "open" or the move, and the level of the case just after it (None closed)."""

    message: MessageView
    op: str
    level: str | None


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """An F06 with the numbers of its questions that have no answer yet, and when a reply is due (ms), if it is."""

    message: MessageView
    open: tuple[int, ...]
    due: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """One case. ``numbers`` and ``severity`` by party code, each its newest; ``closing``: proposed and not answered.

    ``proposals``: of each side the newest lowering or closing, while the other side has not answered it.
    """

    opening: MessageView
    level: str | None
    name: str
    numbers: Mapping[str, str]
    severity: Mapping[str, str]
    history: tuple[LevelStep, ...]
    questions: tuple[OpenQuestion, ...]
    closing: MessageView | None
    proposals: tuple[MessageView, ...]
    messages: tuple[MessageView, ...]

    @property
    def number(self) -> str:
        """The number of the message that opened it."""
        return self.opening.verdict.number


def cases(client: Client) -> list[Case]:
    """Every case, oldest first."""
    return [read_case(client, client.find(ph)) for ph in openings(client)]


def openings(client: Client, *, closed: bool | None = None) -> list[bytes]:
    """The payload hashes of all cases, oldest first; of open or of closed ones where it is given.

    Told from what the fold knows of levels: no message is looked at.
    """
    return client.index.openings(closed=closed)


def read_case(client: Client, opening: MessageView) -> Case:
    """The case that a message opened."""
    messages = tuple(client.index.case(opening.ph))
    bodies = {m.ph: _body(client, m) for m in messages}
    return Case(
        opening=opening,
        level=client.view.fold.case_level(opening.ph),
        name=next(
            (str(b["case_name"]) for m in messages if "case_name" in (b := bodies[m.ph])), _line(bodies[opening.ph])
        ),
        numbers=_newest(client, messages, bodies, "own_number"),
        severity=_newest(client, messages, bodies, "severity"),
        history=tuple(_history(client, opening.ph, messages)),
        questions=tuple(_questions(messages, bodies)),
        closing=_closing(messages),
        proposals=_proposals(messages),
        messages=messages,
    )


def _body(client: Client, message: MessageView) -> Mapping[str, Any]:
    try:
        return client.open(message).body
    except (Refused, Unverified, Malformed):
        return {}


def _line(body: Mapping[str, Any]) -> str:
    said = body.get("line") or body.get("entry") or body.get("observed") or ""
    return str(said).split("\n", 1)[0]


def _newest(
    client: Client, messages: tuple[MessageView, ...], bodies: Mapping[bytes, Mapping[str, Any]], name: str
) -> dict[str, str]:
    said = {}
    for m in messages:
        if name in bodies[m.ph]:
            said[client.view.fold.party(m.verdict.letter).code] = str(bodies[m.ph][name])
    return said


def _history(client: Client, ph: bytes, messages: tuple[MessageView, ...]) -> list[LevelStep]:
    steps = []
    sizes = [0, 0]
    for m in messages:
        sizes["ab".index(m.verdict.letter)] = m.verdict.index + 1
        seen = _seen(m)
        at = [max(sizes[0], seen[0]), max(sizes[1], seen[1])]
        sizes = at
        op = "open" if m.ph == ph else _op(m)
        if op:
            steps.append(LevelStep(m, op, client.view.fold.level_at(ph, (at[0], at[1]))))
    return steps


def _seen(m: MessageView) -> tuple[int, int]:
    """The sizes of (a, b) that a message's record covers, itself included."""
    seen = 0 if m.verdict.record is None or m.verdict.record.seen[0] else m.verdict.record.seen[1]
    return (m.verdict.index + 1, seen) if m.verdict.letter == "a" else (seen, m.verdict.index + 1)


def _op(m: MessageView) -> str:
    doc = m.verdict.doc
    return "" if not isinstance(doc, Payload) or doc.move is UNSET else doc.move.op


def _questions(messages: tuple[MessageView, ...], bodies: Mapping[bytes, Mapping[str, Any]]) -> list[OpenQuestion]:
    found = []
    for m in messages:
        doc = m.verdict.doc
        if not isinstance(doc, Payload) or doc.fmt != "F06":
            continue
        asked = range(1, len(bodies[m.ph].get("questions", ())) + 1)
        answered = {n for reply in messages if _answers(reply, m) for n in _numbers(bodies[reply.ph])}
        still = tuple(n for n in asked if n not in answered)
        whole = any(_answers(reply, m) and not _numbers(bodies[reply.ph]) and not _holds(reply) for reply in messages)
        if still and not whole:
            found.append(OpenQuestion(m, still, m.deadlines.get("reply")))
    return found


def _answers(reply: MessageView, request: MessageView) -> bool:
    doc = reply.verdict.doc
    refers = isinstance(doc, Payload) and isinstance(doc.refs, tuple) and doc.refs[0] == request.ph
    return refers and reply.verdict.letter != request.verdict.letter and doc.fmt == "F07"


def _numbers(body: Mapping[str, Any]) -> list[int]:
    """The questions that a reply answers for good: "verifying" and the other holding answers leave one open."""
    return [row["no"] for row in body.get("answers", ()) if row["ans"] not in ("CHK", "NEN")]


def _holds(reply: MessageView) -> bool:
    doc = reply.verdict.doc
    return isinstance(doc, Payload) and doc.ans in ("CHK", "NEN", "NOI", "REF", UNSET)


def _closing(messages: tuple[MessageView, ...]) -> MessageView | None:
    asked = next((m for m in reversed(messages) if _op(m) == "close"), None)
    return None if asked is None or any(_is_answer(m, asked) for m in messages) else asked


def _proposals(messages: tuple[MessageView, ...]) -> tuple[MessageView, ...]:
    newest = {m.verdict.letter: m for m in messages if _op(m) in ("lower", "close")}
    return tuple(asked for asked in newest.values() if not any(_is_answer(m, asked) for m in messages))


def _is_answer(m: MessageView, asked: MessageView) -> bool:
    if m.verdict.letter == asked.verdict.letter or _op(m) not in ("concur", "object"):
        return False
    said, about = m.verdict.doc.move, asked.verdict.doc.move
    return (said.from_, said.to, said.at) == (about.from_, about.to, about.at)
