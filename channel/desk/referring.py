"""What refers to a message or a record: corrections, read-backs and the words on them, translations, answers.

Everything is looked up from the message itself, never searched for in a log.
"""

from __future__ import annotations

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
    """The open differences in open cases, as far as this person may read them."""
    found = client.index.once(f"differing {client.keys.seal.kid.hex()}", lambda: _read_back_again(client))
    return [each for ph in found if (each := difference(client, client.find(ph))) is not None]


def _read_back_again(client: Client) -> list[bytes]:
    """The payload hashes of messages in open cases that were understood differently; no text is kept."""
    known, index = client.view.fold.known(), client.index
    found: dict[bytes, None] = {}
    if known is None:
        return []
    for e in (e for ph in index.openings(closed=False) for e in index.entries(ph) if e.doc.fmt == "F02"):
        read = known.messages.get(e.doc.refs[0])
        if read is not None and read.doc.fmt == "F02" and read.doc.refs[0] in known.messages:  # a word on a read-back
            found[read.doc.refs[0]] = None
    return [ph for ph in found if difference(client, client.find(ph)) is not None]
