"""What refers to a message or a record: corrections, read-backs and the words on them, translations, answers.

Everything is looked up from the message itself, never searched for in a log.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channel.client.client import Ill
from channel.client.present import payload_of
from keys.errors import Malformed, Refused, Unverified

if TYPE_CHECKING:
    from collections.abc import Mapping

    from channel.client.client import Client
    from channel.protocol.verdicts import MessageView


@dataclass(frozen=True, slots=True)
class ReadBack:
    """One side's words for what the other side's message says. ``answers``: the author's words on it, oldest first.

    ``match`` of each answer is OK or DIF; ``said`` is None where it is not sealed to this person.
    """

    message: MessageView
    said: str | None
    answers: tuple[Answer, ...]

    @property
    def match(self) -> str:
        """The newest answer; "" while there is none."""
        return self.answers[-1].match if self.answers else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the author of a message says of a read-back: OK it matches, DIF it differs, and in what."""

    message: MessageView
    match: str
    differs: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A message that the other side has understood differently, and nobody has said that it matches since."""

    message: MessageView
    readback: MessageView
    answer: Answer


def referring(client: Client, ph: bytes) -> list[MessageView]:
    """The valid messages that name a payload in their references, in the order in which they came."""
    known = client.view.fold.known()
    found = [] if known is None else sorted(known.replies.get(ph, ()), key=lambda e: (e.ts, e.p, e.i))
    return [client.find(e.ph) for e in found]


def body_of(client: Client, message: MessageView) -> Mapping[str, Any]:
    """What a message says, valid or not; nothing where it does not open for this person."""
    try:
        return client.open(message).body
    except Ill as e:
        return e.opened.body
    except (Refused, Unverified, Malformed):
        return {}


def about_first(client: Client, message: MessageView, fmt: str) -> list[MessageView]:
    """The messages of a format whose first reference is this one."""
    return [m for m in referring(client, message.ph) if payload_of(m).fmt == fmt and first_ref(m) == message.ph]


def first_ref(message: MessageView) -> bytes | None:
    """The first reference of a message."""
    refs = payload_of(message).refs
    return refs[0] if isinstance(refs, tuple) else None


def readbacks(client: Client, message: MessageView) -> list[ReadBack]:
    """The read-backs of a message by the other party than its author's, oldest first."""
    found = []
    for m in about_first(client, message, "F02"):
        if m.verdict.letter != message.verdict.letter:
            said = body_of(client, m)
            if "readback" in said:
                found.append(ReadBack(m, str(said["readback"]), tuple(answers(client, m))))
    return found


def answers(client: Client, readback: MessageView) -> list[Answer]:
    """What the other side has said of a read-back."""
    found = []
    for m in about_first(client, readback, "F02"):
        body = body_of(client, m)
        if m.verdict.letter != readback.verdict.letter and body.get("match") in ("OK", "DIF"):
            found.append(Answer(m, str(body["match"]), str(body.get("differs", ""))))
    return found


def difference(client: Client, message: MessageView) -> Difference | None:
    """How a message was understood differently, where the newest word on its read-backs says so."""
    said = [(a.message.verdict, r, a) for r in readbacks(client, message) for a in r.answers]
    said.sort(key=lambda each: (each[0].record.ts if each[0].record else 0, each[0].index))
    if not said or said[-1][2].match != "DIF":
        return None
    return Difference(message, said[-1][1].message, said[-1][2])


def differing(client: Client) -> list[Difference]:
    """The open differences in open cases, oldest message first."""
    known = client.view.fold.known()
    if known is None:
        return []
    open_ = {ph for ph in known.ladder.cases if client.view.fold.case_level(ph) is not None}
    found: dict[bytes, Difference] = {}
    for e in list(known.messages.values()):
        if e.doc.fmt != "F02" or e.doc.case not in open_:
            continue
        asked = known.messages.get(e.doc.refs[0]) if isinstance(e.doc.refs, tuple) else None
        about = None if asked is None or asked.doc.fmt != "F02" else asked.doc.refs[0]  # only a word on a read-back
        if about in known.messages and about not in found:
            with suppress(Refused, Unverified, Malformed):
                each = difference(client, client.find(about))
                if each is not None:
                    found[about] = each
    return list(found.values())
