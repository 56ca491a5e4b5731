"""The documents and certificates that a channel stands on now, each with its words and the time it holds: for comparing.

A document is named by its payload hash, a certificate by its own hash: eight words of it, equal on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from channel.protocol.record import Pin
from channel.protocol.verdicts import LETTERS
from keys.words import Words, words

if TYPE_CHECKING:
    from channel.client.client import Client

PINS = 64
"""Newest certificate records that are looked at."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One of them. ``kind`` channel, policy, root, roster or cert; ``version`` 0 where there is none. Times ms UTC."""

    kind: str
    party: str
    version: int
    words: Words
    start: int | None = None
    soft: int | None = None
    hard: int | None = None


def documents(client: Client) -> list[Kept]:
    """Channel and policy, then authority, roster and certificates of each party, the own side first."""
    fold, view = client.view.fold, client.view
    known = fold.known()
    if known is None:
        return []
    found = [
        Kept("channel", "", 0, words(view.chan)),
        Kept("policy", "", fold.policy(view.letter).ver, words(fold.policy_payload(view.letter))),
    ]
    for letter in (view.letter, view.peer):
        party = fold.party(letter)
        side = known.sides[LETTERS.index(letter)]
        standing = side.history.before(len(side.entries))
        root, roster = party.root, party.roster
        found += [
            Kept("root", party.code, root.ver, words(_root(client, letter)), None, root.soft_exp, root.hard_exp),
            Kept(
                "roster", party.code, roster.ver, words(standing.admitted.hash), None, roster.soft_exp, roster.hard_exp
            ),
        ]
        found += [Kept("cert", party.code, 0, words(cert), start) for cert, start in _certificates(client, letter)]
    return found


def _root(client: Client, letter: str) -> bytes:
    """The payload hash of the authority document in force: the charter names the first one."""
    newer = [v for v in client.index.newest(("root",), PINS) if v.letter == letter and v.envelope is not None]
    at = 0 if letter == "a" else 1
    return newer[-1].envelope.hash if newer and newer[-1].envelope else client.view.charter.parties[at].root


def _certificates(client: Client, letter: str) -> list[tuple[bytes, int | None]]:
    """The certificate of a node that counts now, and those that are announced."""
    at = 0 if letter == "a" else 1
    pins: list[tuple[bytes, int | None]] = [(client.view.charter.parties[at].cert, None)]
    newest = client.index.newest(("node.pin",), PINS)
    pins += [(v.doc.cert, v.doc.from_) for v in newest if v.letter == letter and isinstance(v.doc, Pin)]
    now = client.clock.now()
    counts = max(i for i, (_, start) in enumerate(pins) if start is None or start <= now)
    return pins[counts:]
