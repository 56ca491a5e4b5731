"""How far a message has come, step by step, each with who and when; what is still open, and until when.

Received is not agreed, and each step is another person's act: logged, delivered, anchored, received and read, assessment
begun, reported to the principal, the read-back. What the other side's screen showed is theirs to say: no state of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET

from channel.client import watch
from channel.client.present import Names, payload_of
from channel.desk.referring import readbacks, referring
from channel.desk.watch_words import UNANSWERED
from channel.protocol.awaiting import receipts_of
from channel.protocol.charter import ORDER

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.client.watch import Receipt
    from channel.i18n import Texts
    from channel.protocol.verdicts import MessageView, Verdict

MACHINE = ("logged", "delivered", "anchored")
PEOPLE = ("read", "engaged", "informed")
OTHERWISE = ("not-engaging", "no-comment", "undecryptable")
READ_BACK_FROM = ORDER.index("serious")
NO_READ_BACK = frozenset({"F01", "F02", "F14"})


@dataclass(frozen=True, slots=True)
class Done:
    """One act that reached a state. ``who`` "" for a node; ``record`` its place; ``corrected``: (number, what) of F14s."""

    who: str
    at: int | None
    record: str = ""
    next: int | None = None
    why: str = ""
    corrected: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """One state in the order of states. ``words``: id of its text; ``waits``: where it is still awaited."""

    name: str
    words: str
    done: tuple[Done, ...]
    waits: Receipt | None = None
    sentence: str = ""
    """X1 or X6, where the no-answer procedure has come so far."""


def states(client: Client, message: MessageView, texts: Texts) -> list[State]:
    """Every state of a message, reached or open, in order."""
    waits = {receipt.name: receipt for receipt in waiting(client, message)}
    known = client.view.fold.known()
    entry = None if known is None else known.messages.get(message.ph)
    asked = receipts_of(known, entry) if known is not None and entry is not None else ()
    found = _machine(client, message, waits)
    for step in PEOPLE:
        done = _acks(client, message, step, texts)
        if done or step == "read" or step in asked:
            found.append(
                State(step, f"state.{step}", done, waits.get(step), _sentence(message, client, waits.get(step)))
            )
    for step in OTHERWISE:
        if done := _acks(client, message, step, texts):
            found.append(State(step, f"state.{step.replace('-', '_')}", done))
    if "reply" in asked:
        reply = tuple(
            _by(client, m.verdict, texts) for m in referring(client, message.ph) if m.verdict.letter != message.verdict.letter
            and payload_of(m).fmt != "F14" and not _reads_back(m)
        )  # fmt: skip
        found.append(
            State("reply", "step.reply", reply, waits.get("reply"), _sentence(message, client, waits.get("reply")))
        )
    return [*found, *_read_back(client, message, texts)]


def waiting(client: Client, message: MessageView) -> tuple[Receipt, ...]:
    """The receipts that are still awaited: of an own message from the other side, of theirs from this one."""
    own = message.verdict.letter == client.view.letter
    open_ = watch.awaited(client) if own else watch.owed(client)
    return next((each.receipts for each in open_ if each.message.ph == message.ph), ())


def asks_read_back(client: Client, message: MessageView) -> bool:
    """Whether this side is asked to say in own words what a message says, and has not: from ``serious``, and coded alone."""
    payload = payload_of(message)
    high = ORDER.index(payload.level) >= READ_BACK_FROM or payload.single is True
    theirs = message.verdict.letter != client.view.letter
    return theirs and high and payload.fmt not in NO_READ_BACK and not readbacks(client, message)


def _reads_back(message: MessageView) -> bool:
    return payload_of(message).fmt == "F02" and payload_of(message).ans is UNSET


def _machine(client: Client, message: MessageView, waits: dict[str, Receipt]) -> list[State]:
    verdict = message.verdict
    came = MACHINE.index(client.view.state(verdict.letter, verdict.index))
    own = verdict.letter == client.view.letter
    times = (verdict.record.ts if verdict.record else None, message.receipt_time, None)
    found = []
    for at, name in enumerate(MACHINE):
        words = f"desk.thread.{name}" + (("_own" if own else "_other") if name == "logged" else "")
        done = (Done("", times[at]),) if at <= came else ()
        waited = waits.get("stored") if name == "delivered" and not done else None
        found.append(State(name, words, done, waited))
    return found


def _acks(client: Client, message: MessageView, step: str, texts: Texts) -> tuple[Done, ...]:
    return tuple(_by(client, a, texts) for a in message.acks if a.doc.step == step)


def _by(client: Client, verdict: Verdict, texts: Texts) -> Done:
    """Who signed a record, and when; of several signers the first."""
    names, doc = Names(client, texts), verdict.doc
    corrected = referring(client, verdict.envelope.hash) if verdict.envelope is not None and not verdict.number else []
    next_, why = getattr(doc, "next", UNSET), getattr(doc, "why", UNSET)
    return Done(
        who=names.speaker(verdict.letter, verdict.signers[0]) if verdict.signers else "",
        at=verdict.record.ts if verdict.record else None,
        record=verdict.number or f"{client.view.fold.party(verdict.letter).code}:{verdict.index}",
        next=next_ if isinstance(next_, int) else None,
        why=why if isinstance(why, str) else "",
        corrected=tuple(
            (m.verdict.number, str(payload_of(m).cor)) for m in corrected if payload_of(m).cor is not UNSET
        ),
    )


def _read_back(client: Client, message: MessageView, texts: Texts) -> list[State]:
    """The read-back and the author's word on it, where one was sent or is asked for."""
    found = readbacks(client, message)
    payload = payload_of(message)
    high = ORDER.index(payload.level) >= READ_BACK_FROM or payload.single is True
    if not found and (not high or payload.fmt in NO_READ_BACK):
        return []
    said = [State("readback", "desk.thread.read_back", tuple(_by(client, r.message.verdict, texts) for r in found))]
    for match in ("OK", "DIF"):
        done = tuple(_by(client, a.message.verdict, texts) for r in found for a in r.answers if a.match == match)
        if done or match == "OK":
            said.append(State(match, f"desk.thread.match_{match}", done))
    return said


def _sentence(message: MessageView, client: Client, waits: Receipt | None) -> str:
    if waits is None or waits.step < UNANSWERED or message.verdict.letter != client.view.letter:
        return ""
    return "X6" if waits.name == "read" else "X1"
