"""Messages as a person sees them: who speaks and for whom, how far it came, what is open."""

from __future__ import annotations

from typing import Any

from channel.client.client import Client
from channel.protocol.formats import HeaderView
from channel.protocol.header import Payload
from channel.protocol.people import Ack
from channel.protocol.verdicts import MessageView
from keys.errors import Malformed, Refused, Unverified, WrongUse


def header_view(client: Client, message: MessageView) -> HeaderView:
    """The header with its names resolved from the roster at the message's place."""
    payload = payload_of(message)
    signer = next(s for s in message.verdict.signers if s.kid == payload.from_)
    party = client.view.fold.party(message.verdict.letter)
    case = client.view.fold.find(payload.case) if isinstance(payload.case, bytes) else None
    return HeaderView(
        number=message.verdict.number,
        party=party.code,
        seat=signer.seat,
        person=signer.person,
        role=signer.role,
        standing=signer.standing,
        level=payload.level,
        prec=payload.prec,
        ts=payload.ts,
        lang=payload.lang,
        mode="actual" if client.view.charter.mode == 1 else "exercise",
        case=case.verdict.number if case else None,
        status=payload.status,
        tlp=payload.tlp if isinstance(payload.tlp, str) else None,
        pap=payload.pap if isinstance(payload.pap, str) else None,
        played=signer.played,
        logged=message.verdict.record.ts if message.verdict.record else None,
        received=message.receipt_time,
    )


def payload_of(message: MessageView) -> Payload:
    """The signed payload of a message."""
    doc = message.verdict.doc
    if not isinstance(doc, Payload):
        raise WrongUse("NO_MESSAGE", ref=message.ph)
    return doc


def as_item(client: Client, message: MessageView) -> dict[str, Any]:
    """A message as one JSON object; its text where this person may read it."""
    view = header_view(client, message)
    item: dict[str, Any] = {
        "number": view.number,
        "record": f"{view.party}:{message.verdict.index}",
        "person": view.person,
        "seat": view.seat,
        "standing": view.standing,
        "format": payload_of(message).fmt,
        "level": view.level,
        "ts": view.ts,
        "state": client.view.state(message.verdict.letter, message.verdict.index),
        "acks": [a.doc.step for a in message.acks if isinstance(a.doc, Ack)],
        "ph": message.ph,
    }
    try:
        item["body"] = client.open(message).body
    except (Refused, Unverified, Malformed) as e:
        item["body"], item["unopened"] = None, e.code
    return item


def find(client: Client, ref: str) -> MessageView:
    """The message of a REF: ``last``, a number, a record (``US:12``), or the beginning of its payload hash."""
    messages = client.messages()
    if ref == "last":
        chosen = messages[-1:]
    elif ":" in ref:
        code, _, index = ref.partition(":")
        letters = {client.view.fold.party(x).code: x for x in ("a", "b")}
        chosen = [
            m for m in messages if m.verdict.letter == letters.get(code.upper()) and str(m.verdict.index) == index
        ]
    else:
        chosen = [m for m in messages if m.verdict.number == ref.upper()]
        chosen = chosen or [m for m in messages if len(ref) >= 4 and m.ph.hex().startswith(ref.lower())]
    if len(chosen) != 1:
        raise WrongUse("NO_MESSAGE", ref=ref)
    return chosen[0]
