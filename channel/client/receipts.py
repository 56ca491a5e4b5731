"""What people sign about messages that stand in the log: what has to hold before it, and the second release signature.

A receipt says that a person has read, never that anybody agrees. Nothing is edited or removed: a correction is a message
of its own, and the corrected text stays readable.
"""

from __future__ import annotations

from msgspec import UNSET

from channel.client.client import Client
from channel.client.present import author, find, payload_of, steps
from channel.client.record_view import find_record
from channel.client.typed import sayable
from channel.protocol.people import Ack, Confirm, Watch
from channel.protocol.verdicts import MessageView
from keys.envelope import sign
from keys.errors import Malformed, Refused, Unverified, WrongUse

CORRECTIONS = ["COR", "WDR", "DUP", "ERR", "MIX", "CMP", "DUR"]
OWN_WORDS = ("COR", "WDR", "DUP", "ERR")
"""What only the side that spoke can say of its words; the others are notices that may concern either side's."""


def why_unopened(client: Client, message: MessageView, step: str) -> str | None:
    """What the opening fails with where that is what is to be signed; a person acknowledges only what opens."""
    try:
        client.open(message)
    except (Refused, Unverified, Malformed) as e:
        if step != "undecryptable":
            raise
        return str(e.values["why"]) if e.code == "UNOPENED" else e.code
    if step == "undecryptable":
        raise WrongUse("OPENS", number=message.verdict.number)
    return None


def signed_before(client: Client, message: MessageView, step: str) -> bool:
    """Whether this very key has signed the step, and it counts."""
    mine = (a for a in message.acks if any(s.kid == client.keys.sign.kid for s in a.signers))
    return any(a.doc.step == step for a in mine) and step in steps(message)


def translated(client: Client, message: MessageView, name: str, text: str | None) -> dict[str, str]:
    """A row of a translation. ``WrongUse`` FIELD with the fields that the message has, for any other or without a text."""
    said = client.open(message).body
    if text is None or not isinstance(said.get(name.strip()), str):
        raise WrongUse("FIELD", fmt=payload_of(message).fmt, field=name, fields=", ".join(said))
    return {"of": name.strip(), "text": sayable(text.strip())}


def correction_about(client: Client, ref: str, code: str) -> tuple[bytes, bytes | None]:
    """The payload that a correction of a REF concerns, and its case. ``Refused`` NOT_CORRECTABLE, OTHERS_WORDS."""
    record = find_record(client, ref)
    if record is None:
        message = find(client, ref)
        letter, concerned, case = message.verdict.letter, message.ph, message.case
    elif record.envelope is None or not isinstance(record.doc, Ack | Confirm | Watch):
        raise Refused("NOT_CORRECTABLE", ref=ref)
    else:
        about = None if isinstance(record.doc, Watch) else client.view.fold.find(record.doc.ph)
        letter, concerned, case = record.letter, record.envelope.hash, None if about is None else about.case
    if code in OWN_WORDS and letter != client.view.letter:
        raise Refused("OTHERS_WORDS", ref=ref, codes=", ".join(c for c in CORRECTIONS if c not in OWN_WORDS))
    return concerned, case


async def confirm(client: Client, message: MessageView) -> MessageView:
    """Sign, as the second person, an own side's message that one person released in an emergency.

    ``Refused`` NOTHING_TO_CONFIRM, CONFIRMED, SELF_APPROVAL; the message as it stands then.
    """
    payload, number = payload_of(message), message.verdict.number
    if message.verdict.letter != client.view.letter or payload.single is UNSET:
        raise Refused("NOTHING_TO_CONFIRM", number=number)
    if message.confirm != "awaiting":
        raise Refused("CONFIRMED", number=number)
    own = client.view.fold.party(client.view.letter).members.get(client.keys.sign.kid)
    if own is not None and own.person == author(message).person:
        raise Refused("SELF_APPROVAL", seat=client.keys.seat)
    client.open(message)
    document = Confirm(
        chan=client.view.chan,
        from_=client.keys.sign.kid,
        mid=message.mid,
        ph=message.ph,
        ts=client.clock.now(),
    )
    await client.submit("confirm", sign("confirm", document, [client.keys.sign]), (), ())
    return client.find(message.ph)
