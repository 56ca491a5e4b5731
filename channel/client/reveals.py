"""What an archive shows of sealed messages, never wider than they may be shared (docs/protocol.md 11.7).

    shown = reveal(client, message, ("line",), "review", "AMBER")     # some fields; all of them without a name
    data = await export(client, [shown.body])

A message's sharing limit (TLP) is the one in its header; a field with rows that carry limits of their own (F10) counts
with the strictest of them. A file is made for one limit, and shows nothing that is limited more narrowly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from channel.client.client import Client
from channel.protocol.header import Payload
from channel.protocol.reveal import WhyCode, full, redacted
from channel.protocol.verdicts import MessageView
from keys.errors import Refused

TLP = ("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR")
PAP = ("RED", "AMBER", "GREEN", "CLEAR")


@dataclass(frozen=True, slots=True)
class Shown:
    """A reveal with the limits that hold for what it shows."""

    body: Mapping[str, Any]
    number: str
    tlp: str
    pap: str


def reveal(client: Client, message: MessageView, fields: Collection[str], why: WhyCode, widest: str) -> Shown:
    """A message as the archive will show it: whole, or the ``fields`` alone, for readers within ``widest``.

    ``Refused`` SHARING where its limit is narrower, REVEAL_FIELD for a field that it lacks, and as ``Client.open`` does
    where it is not sealed to this person.
    """
    payload: Payload = message.verdict.doc
    opened = client.open(message)
    party = client.view.fold.party(message.verdict.letter).code
    own = client.view.fold.party(client.view.letter)
    by = f"{own.code}:{client.keys.post}"
    shown = {name: opened.body[name] for name in fields if name in opened.body} if fields else opened.body
    limits = client.book(message).defaults(payload.fmt)
    tlp = strictest(TLP, [_named(payload.tlp, limits["tlp"]), *_in_rows(shown, "tlp")])
    pap = strictest(PAP, [_named(payload.pap, limits["pap"]), *_in_rows(shown, "pap")])
    if TLP.index(tlp) < TLP.index(widest):
        raise Refused("SHARING", number=message.verdict.number, limit=tlp, widest=widest)
    body = (
        redacted(payload, party, opened, fields, why=why, by=by)
        if fields
        else full(payload, party, opened.cek, why=why, by=by)
    )
    return Shown(body, message.verdict.number, tlp, pap)


def strictest(scale: tuple[str, ...], limits: Iterable[str]) -> str:
    """The narrowest of some limits; the widest there is where nothing limits."""
    return min(limits, key=scale.index, default=scale[-1])


def _named(limit: Any, default: str) -> str:
    return limit if isinstance(limit, str) else default


def _in_rows(body: Mapping[str, Any], name: str) -> list[str]:
    """The limits that single rows of a body carry."""
    rows = [row for value in body.values() if isinstance(value, list | tuple) for row in value if isinstance(row, dict)]
    return [row[name] for row in rows if name in row]
