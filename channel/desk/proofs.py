"""Where a record stands and what holds it there, as this desk has verified it: its place, its hashes, the note over it.

Nothing here is believed of a node: what stands in a desk's copy was checked before it was written (channel/client/view.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from channel.client.view import Letter
from channel.protocol.header import Payload
from channel.protocol.note import check, parse
from keys.words import words

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.protocol.verdicts import Verdict
    from keys.words import Words

KINDS = ("anchor", "cosigned", "log")
"""Notes, the one that says most first."""


@dataclass(frozen=True, slots=True)
class SignedBy:
    """A signature that verified: the key's id in hex and as words in both languages."""

    person: str
    seat: str
    kid: str
    words: Words


@dataclass(frozen=True, slots=True)
class NoteOver:
    """The note that a record stands under. ``kind``: anchor, cosigned or log; ``at``: the other side's time, ms."""

    kind: str
    size: int
    root: str
    at: int | None


@dataclass(frozen=True, slots=True)
class Proofs:
    """Everything that another desk can compare. Hashes in hex; those of a message only are "" for any other record."""

    place: str
    state: str
    payload: str
    blob: str
    key: str
    mid: str
    suite: str
    mode: str
    note: NoteOver | None
    signers: tuple[SignedBy, ...]


def proofs(client: Client, verdict: Verdict) -> Proofs:
    """The proofs of a record that this desk holds."""
    doc = verdict.doc if isinstance(verdict.doc, Payload) else None
    return Proofs(
        place=f"{client.view.fold.party(verdict.letter).code}:{verdict.index}",
        state=client.view.state(verdict.letter, verdict.index),
        payload="" if verdict.envelope is None else verdict.envelope.hash.hex(),
        blob="" if doc is None else doc.blob.hex(),
        key="" if doc is None else doc.kc.hex(),
        mid="" if doc is None else doc.mid.hex(),
        suite="" if doc is None else f"0x{doc.suite:04x}",
        mode="actual" if client.view.charter.mode == 1 else "exercise",
        note=_note_over(client, verdict),
        signers=tuple(SignedBy(s.person, s.seat, s.kid.hex(), words(s.kid)) for s in verdict.signers),
    )


def _note_over(client: Client, verdict: Verdict) -> NoteOver | None:
    """The note over a record that says most. Its root is compared once more with the one computed from this copy."""
    letter: Letter = "a" if verdict.letter == "a" else "b"
    for kind in KINDS:
        raw = client.home.note_over(letter, kind, verdict.index)
        if raw is None:
            continue
        note = parse(raw)
        roots = client.view.copies[letter].roots
        if note.size < len(roots) and roots[note.size] == note.root:
            at = check(note, *client.view.note_keys(letter)).cosigned_at
            return NoteOver(kind, note.size, note.root.hex(), None if at is None else at * 1000)
    return None
