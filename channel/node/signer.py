"""The only holder of private log and cosigner keys, behind the signing journal (docs/protocol.md section 7).

It never takes a root from outside: it takes leaf hashes, lets the journal extend its own frontier, and signs what the
journal has committed. Never a size below the journal's, never another (size, root), never before the commit is durable.
A signature blocks for some milliseconds; nothing else may run between it and its checks anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from channel.log.journal import Step
from channel.node.state import Fatal
from channel.protocol import note as notes
from channel.protocol.note import NotePrivate, NotePublic
from keys.errors import Unverified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from channel.log.journal import Head, Journal
    from channel.node.committer import Committer
    from channel.protocol.note import Line, Note


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins of one channel's three logs at this node, and the two cosigner names."""

    own: str
    side: str
    peer: str

    @property
    def cosigner(self) -> str:
        """The name under which this node cosigns the peer's log."""
        return notes.cosigner_name(self.own)

    @property
    def peer_cosigner(self) -> str:
        """The name under which the peer cosigns the own log."""
        return notes.cosigner_name(self.peer)


class Signer:
    """Signs for one channel. ``log``, ``side`` and ``cos`` are 64-byte seeds."""

    def __init__(
        self, journal: Journal, committer: Committer, origins: Origins, log: bytes, side: bytes, cos: bytes
    ) -> None:
        self._journal, self._committer = journal, committer
        self._origins = origins
        self._keys = {origins.own: NotePrivate(log), origins.side: NotePrivate(side)}
        self._cos = NotePrivate(cos)

    def publics(self) -> tuple[NotePublic, NotePublic, NotePublic]:
        """The public keys of log, side log and cosigner."""
        return self._keys[self._origins.own].public, self._keys[self._origins.side].public, self._cos.public

    def head(self, origin: str) -> Head:
        """What the journal last committed for an own log, or for the peer's log as cosigned."""
        return self._journal.head(origin)

    async def extend(self, origin: str, first: int, leaves: Sequence[bytes], ts: int) -> Head:
        """Step c for one log: commit leaf hashes that follow ``first`` records; durable on return. ``Fatal`` if not."""
        head = self._journal.head(origin)
        if head.size != first:
            raise Fatal("JOURNAL", origin=origin, found=head.size, need=first)
        return await self._committer.extend(Step(head, leaves, ts))

    def quick(self, origin: str) -> Note:
        """A quick note over what is committed of an own log."""
        head = self._journal.head(origin)
        return notes.sign_quick(self._keys[origin], origin, head.size, head.root)

    def anchor(self, origin: str, at: int) -> Note:
        """An anchor over what is committed of an own log, with the time ``at`` in seconds."""
        head = self._journal.head(origin)
        return notes.sign_anchor(self._keys[origin], origin, head.size, head.root, at)

    def cosign(self, note: Note, at: int, *, anchor: bool) -> tuple[Line, ...]:
        """The cosigner lines for a note of the peer's log; only over what is committed of it."""
        head = self._journal.head(self._origins.peer)
        if (note.origin, note.size, note.root) != (self._origins.peer, head.size, head.root):
            raise Fatal("JOURNAL", origin=note.origin, found=note.size, need=head.size)
        lines = notes.cosign(self._cos, self._origins.cosigner, note, at, anchor=anchor)
        self._check(notes.merge(note, lines), cosigned=True)
        return lines

    def check_own(self, note: Note) -> None:
        """Verify an own note with the public key before it is released: a bit may have flipped while it was made."""
        self._check(note, cosigned=False)

    def _check(self, note: Note, *, cosigned: bool) -> None:
        try:
            if cosigned:
                good = bool(notes.cosigner_lines(note, self._origins.cosigner, self._cos.public))
            else:
                good = notes.check(note, self._keys[note.origin].public, None).log
        except Unverified:
            good = False
        if not good:
            raise Fatal("OWN_SIGNATURE", origin=note.origin, size=note.size)
