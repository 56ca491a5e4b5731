"""What a desk holds to be true: both logs under notes that it has verified, and their fold (docs/protocol.md 13).

The node may answer anything. Records enter only when a log-valid note over exactly these bytes has come with them and
it agrees with every note pinned before; the peer's records only under a note that the own node has cosigned, the own
ones are *delivered* only under a note with the peer's lines. Two log-valid notes that disagree are a log fork.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from channel.client.home import DeskHome
from channel.client.index import Index
from channel.protocol.charter import Charter, NoteKeys
from channel.protocol.fold import Fold
from channel.protocol.formats import Book
from channel.protocol.merkle import Frontier, leaf_hash
from channel.protocol.note import Note, NotePublic, Standing, check, cosigner_name, origin, parse
from channel.protocol.record import try_read
from keys.errors import SecurityAlarm, Unavailable, Unverified

Letter = Literal["a", "b"]
LETTERS: tuple[Letter, Letter] = ("a", "b")


@dataclass(slots=True)
class Copy:
    """One log as this desk has verified it: leaf roots by size, and how far each kind of note reaches."""

    roots: list[bytes]
    frontier: Frontier
    records: list[bytes] = field(default_factory=list)
    logged: int = 0
    delivered: int = 0
    anchored: int = 0
    timed: int = 0
    """Newest time of the *other* party's timed lines seen in this log's notes, in seconds."""
    told: tuple[bytes, ...] = ()
    """The notes that came with what is held, byte by byte: when they come again with nothing new, all was checked."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One verified note with what it is worth."""

    note: Note
    standing: Standing


class View:
    """Both logs of one channel, verified, with the fold over them."""

    def __init__(self, home: DeskHome) -> None:
        self.home = home
        self.chan = home.founding.chan
        self.charter: Charter = home.founding.read_charter()
        self.letter: Letter = "a" if self.charter.letter(home.config.party) == "a" else "b"
        self.peer: Letter = "b" if self.letter == "a" else "a"
        self._lent: Mapping[bytes, bytes] = {}
        self.books: dict[tuple[bytes, bytes], Book] = {}
        """Format book and code book as read, by their hashes: content that can't change."""
        self.fold = Fold(self.chan, self.blob)
        self.index = Index(self.fold)
        self.copies: dict[Letter, Copy] = {}
        for letter in LETTERS:
            self.copies[letter] = Copy(roots=[Frontier.empty().root()], frontier=Frontier.empty())
            self._grow(letter, home.records(letter))
            for kind in ("log", "cosigned", "anchor"):
                for raw in home.notes(letter, kind):
                    self._credit(letter, self._offer(letter, raw))
        self._fold()

    def sizes(self) -> tuple[int, int]:
        """How many records of a and b this desk holds."""
        return len(self.copies["a"].records), len(self.copies["b"].records)

    def blob(self, hash_: bytes) -> bytes | None:
        """A blob of this desk's copy, or of what is about to be handed in."""
        return self._lent.get(hash_) or self.home.blob(hash_)

    @contextmanager
    def lending(self, blobs: Mapping[bytes, bytes]) -> Iterator[None]:
        """Judge with blobs that are not in the copy yet: keys, proofs and books that come with a document."""
        self._lent = blobs
        try:
            yield
        finally:
            self._lent = {}

    def absorb(
        self, letter: Letter, records: list[bytes], blobs: Mapping[bytes, bytes], notes: Mapping[str, Any]
    ) -> None:
        """Take new records with the notes that came with them, after verification; writes before it believes.

        ``SecurityAlarm`` LOG_FORK when a log-valid note disagrees with what was verified before or with the records:
        the note is kept, and nothing is sent from here any more;
        ``Unavailable`` NODE_BEHIND when the node's newest note ends before the pinned one.
        """
        copy = self.copies[letter]
        raws = tuple(raw for raw in (notes["newest"], notes["cosigned"], *notes["anchors"]) if raw)
        if not raws or (raws == copy.told and not records):
            return
        copy.told = ()
        offers = [self._offer(letter, raw) for raw in raws]
        if max(o.note.size for o in offers) < copy.logged:
            raise Unavailable("NODE_BEHIND", log=letter, have=copy.logged)
        first, start = len(copy.records), copy.frontier
        limit = max((o.note.size for o in offers if letter == self.letter or o.standing.cosigned), default=0)
        records = records[: max(0, limit - first)]
        self._grow(letter, records)
        try:
            self._agree(letter, first, [offer.note for offer in offers])
            self.home.keep(letter, first, records, blobs.items(), self._kinds(offers, limit))
        except BaseException:
            del copy.records[first:], copy.roots[first + 1 :]
            copy.frontier = start
            raise
        for offer in offers:
            self._credit(letter, offer)
        self._fold()
        copy.told = raws

    def age(self, now: int) -> int:
        """Seconds since the newest time that the other party has signed. ``now`` in ms."""
        return max(0, now // 1000 - max(copy.timed for copy in self.copies.values()))

    def stale_after(self) -> int:
        """The age in seconds from which on the other side counts as STALE."""
        return self.fold.policy(self.letter).timers.stale_s

    def state(self, letter: str, index: int) -> str:
        """logged, delivered or anchored: how far a record of a log has come."""
        copy = self.copies["a" if letter == "a" else "b"]
        if index < copy.anchored:
            return "anchored"
        return "delivered" if index < copy.delivered else "logged"

    def note_keys(self, letter: Letter) -> tuple[NotePublic, tuple[str, NotePublic]]:
        """The public keys of a log, and the name and keys of its cosigner."""
        other: Letter = "b" if letter == "a" else "a"
        log, cos = self.charter.party(letter).log, self.charter.party(other).cos
        return _public(log), (cosigner_name(origin(self.chan, other, 0)), _public(cos))

    def _offer(self, letter: Letter, raw: bytes) -> Offer:
        note = parse(raw)
        if note.origin != origin(self.chan, letter, 0):
            raise Unverified("NOTE_ORIGIN", log=letter)
        standing = check(note, *self.note_keys(letter))
        if not standing.log:
            raise Unverified("NOTE_SIG", log=letter)
        return Offer(note, standing)

    def _agree(self, letter: Letter, first: int, notes: list[Note]) -> None:
        """Every note has the root of this copy, whose records from ``first`` on have only these notes to stand on."""
        roots = self.copies[letter].roots
        held = [note for note in notes if note.size < len(roots)]
        proven = max([first, *(note.size for note in held if roots[note.size] == note.root)])
        told: dict[int, bytes] = {}
        for note in sorted(notes, key=lambda note: note.size):
            root = roots[note.size] if note.size <= proven else told.setdefault(note.size, note.root)
            if root != note.root:
                self.home.keep_fork(letter, note.encode())
                raise SecurityAlarm("LOG_FORK", log=letter, size=note.size)
        if proven < len(roots) - 1:
            raise Unverified("NODE_RECORDS", log=letter, size=len(roots) - 1)

    def check_no_fork(self) -> None:
        """``SecurityAlarm`` LOG_FORK if this desk ever held proof of two histories: only a new charter ends that."""
        for letter, raw in self.home.forks():
            raise SecurityAlarm("LOG_FORK", log=letter, size=parse(raw).size)

    def _kinds(self, offers: Iterable[Offer], limit: int) -> list[tuple[str, int, bytes]]:
        held = sorted((o for o in offers if o.note.size <= limit), key=lambda o: o.note.size)
        kinds = [("log", o.note.size, o.note.encode()) for o in held[-1:]]
        kinds += [("cosigned", o.note.size, o.note.encode()) for o in held if o.standing.cosigned][-1:]
        return kinds + [("anchor", o.note.size, o.note.encode()) for o in held if _anchor(o.standing)]

    def _grow(self, letter: Letter, records: Iterable[bytes]) -> None:
        copy = self.copies[letter]
        for raw in records:
            copy.frontier = copy.frontier.append(leaf_hash(raw))
            copy.records.append(raw)
            copy.roots.append(copy.frontier.root())

    def _credit(self, letter: Letter, offer: Offer) -> None:
        copy, note, standing = self.copies[letter], offer.note, offer.standing
        if note.size >= len(copy.roots):
            return  # beyond what this desk may hold yet
        copy.logged = max(copy.logged, note.size)
        if standing.cosigned:
            copy.delivered = max(copy.delivered, note.size)
        if _anchor(standing):
            copy.anchored = max(copy.anchored, note.size)
        at = standing.cosigned_at if letter == self.letter else standing.log_at
        copy.timed = max(copy.timed, at or 0)

    def _fold(self) -> None:
        held = self.fold.held
        for i, letter in enumerate(LETTERS):
            self.fold.add(letter, self.copies[letter].records[held[i] :])


def blobs_named(records: Iterable[bytes]) -> set[bytes]:
    """The hashes of every blob that the records name."""
    return {h for raw in records if (record := try_read(raw)) for h in record.blobs}


def _anchor(standing: Standing) -> bool:
    return standing.log_anchor and standing.cosigned_anchor


def _public(keys: NoteKeys) -> NotePublic:
    return NotePublic(keys.ed, keys.ml)
