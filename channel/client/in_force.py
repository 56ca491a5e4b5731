"""From which records on a policy or a party's points of contact count (docs/protocol.md section 4.2).

A policy is in force for a record that stands on it in both logs; points of contact are their party's own, and the other
side has them from its first record that has seen them. Both sides read the same places off the same logs.
"""

from __future__ import annotations

from typing import Any

from channel.client.client import Client
from channel.i18n import Texts
from channel.protocol.charter import Contacts, Policy
from channel.protocol.verdicts import LETTERS, Verdict


def in_force(client: Client, verdict: Verdict) -> dict[str, Any]:
    """``stands``: the record in each party's log; ``from``: the first record that it holds for; None: not yet.

    Empty for any other record, and for one that is not counted.
    """
    if verdict.reason or verdict.envelope is None or not isinstance(verdict.doc, Policy | Contacts):
        return {}
    stands, starts = client.view.fold.in_force(verdict.envelope.hash)
    codes = [client.view.fold.party(letter).code for letter in LETTERS]

    def places(found: tuple[int | None, int | None]) -> dict[str, str | None]:
        pairs = zip(codes, found, strict=True)
        return {code: None if index is None else f"{code}:{index}" for code, index in pairs}

    return {"stands": places(stands), "from": places(starts)}


def lines(texts: Texts, verdict: Verdict, found: dict[str, Any]) -> list[str]:
    """The same in words."""
    if not found:
        return []
    stands = [place for place in found["stands"].values() if place is not None]
    said = []
    if isinstance(verdict.doc, Policy):
        name = "both_logs" if len(stands) == len(LETTERS) else "one_log"
        said.append(texts.say(f"in_force.{name}", places=" · ".join(stands)))
    for party, place in found["from"].items():
        name = "not_yet" if place is None else "since"
        said.append(texts.say(f"in_force.{name}", party=party, place=place or ""))
    return said
