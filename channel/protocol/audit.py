"""Verifies an archive offline: the file, and if known the channel, and nothing else (docs/protocol.md section 16.2).

    audit(data, chan) -> Report        exit_code 0 good · 3 unreadable · 5 does not hold · 6 good, with warnings

Every check is tied to a place: the first failure names the part, its index and the byte where it begins, as narrowly as
a hash, a signature or the encoding can tell. A wrong SHA-256 at the end alone counts only if nothing narrower is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from typing import Literal, NoReturn

from channel.protocol.archive import BLOB, EVIDENCE, HEAD, NOTE, RECORDS, TAIL, Archive, Head, Section, framed, read
from channel.protocol.charter import Charter, NoteKeys, channel_id
from channel.protocol.fold import Fold
from channel.protocol.merkle import Frontier, leaf_hash
from channel.protocol.note import Note, NotePublic, check, cosigner_name, origin, parse
from channel.protocol.people import Ack
from channel.protocol.record import read_record, try_read
from keys.codec import pack, unpack
from keys.envelope import read_envelope
from keys.errors import Malformed, Problem, Unverified

Letter = Literal["a", "b"]
LETTERS: tuple[Letter, Letter] = ("a", "b")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """The first thing that does not hold, and where in the file."""

    part: str
    index: int
    offset: int
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class AuditedMessage:
    """One message that counts: who, for whom, and how far it came."""

    number: str
    ph: bytes
    person: str
    seat: str
    role: str
    standing: str
    logged: int
    receipt_time: int | None
    acks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the audit found. ``complete_to`` by party code; ``cosigned_at`` in seconds, the older of both anchors."""

    exit_code: int
    failure: Failure | None = None
    chan: bytes | None = None
    complete_to: dict[str, int] = field(default_factory=dict)
    cosigned_at: int | None = None
    state_hash: bytes | None = None
    messages: tuple[AuditedMessage, ...] = ()
    refused: tuple[tuple[str, int, str], ...] = ()
    """Letter, index and reason of records that do not count."""
    evidence: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def audit(
    data: bytes, chan: bytes | None = None, at_least: Note | None = None, progress: Progress | None = None
) -> Report:
    """Check an archive. ``chan``: the known channel id; ``at_least``: a note of either log that it must cover."""
    try:
        archive = read(data)
        head = unpack(pack(archive.sections[0].fields[0]), Head) if archive.sections[0].kind == HEAD else None
        if head is None or len(archive.of(HEAD)) != 1:
            raise Malformed("ARCHIVE", part="head", index=0, offset=archive.sections[0].offset, why="no one head")
    except Malformed as e:
        v = e.values
        return Report(exit_code=3, failure=Failure(
            str(v.get("part", "head")), int(str(v.get("index", 0))), int(str(v.get("offset", 12))), e.code, str(v["why"])
        ))  # fmt: skip
    try:
        report = _Audit(archive, head).run(chan, at_least, progress or (lambda _done, _all: None))
    except _Failed as e:
        return Report(exit_code=5, failure=e.failure, chan=head.chan)
    if not archive.intact or data != _rebuilt(archive):
        where = Failure("hash", len(archive.sections), len(data) - TAIL, "ARCHIVE_HASH", "SHA-256")
        return Report(exit_code=5, failure=where, chan=head.chan)
    return report


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class _Audit:
    def __init__(self, archive: Archive, head: Head) -> None:
        self.archive, self.head = archive, head
        self.records: dict[str, list[bytes]] = {"a": [], "b": []}
        self.roots: dict[str, bytes] = {}
        self.notes: dict[str, Note] = {}
        self.blobs = {sha256(s.fields[0]).digest(): s for s in archive.of(BLOB)}

    def run(self, chan: bytes | None, at_least: Note | None, progress: Progress) -> Report:
        steps = (self._lay_out, self._read_notes, self._check_roots, self._check_blobs)
        for i, step in enumerate(steps):
            step()
            progress(i + 1, len(steps) + 2)
        charter = self._charter(chan)
        at = self._check_anchors(charter)
        progress(len(steps) + 1, len(steps) + 2)
        fold = self._fold()
        if at_least is not None:
            self._check_covers(at_least)
        progress(len(steps) + 2, len(steps) + 2)
        return self._report(charter, fold, at, known=chan is not None)

    def _lay_out(self) -> None:
        """Records gapless from 0, 256 each, up to the cut."""
        for section in self.archive.of(RECORDS):
            letter, number, first, records = section.fields
            held = self.records[letter]
            if number != self.head.cut["ab".index(letter)][0]:
                _fail(section, "LOG_NUMBER", "another log number than the cut's")
            if first != len(held) or first % 256:
                _fail(section, "RECORDS", "a gap")
            held += records
        for i, letter in enumerate(LETTERS):
            if len(self.records[letter]) != self.head.cut[i][1]:
                sections = [s for s in self.archive.of(RECORDS) if s.fields[0] == letter]
                _fail(sections[-1] if sections else self.archive.sections[0], "RECORDS", "not as many as the cut says")

    def _read_notes(self) -> None:
        for section in self.archive.of(NOTE):
            letter, number, raw = section.fields
            try:
                note = parse(raw)
            except Malformed as e:
                _fail(section, e.code, "unreadable")
            if number != self.head.cut["ab".index(letter)][0] or letter in self.notes:
                _fail(section, "NOTE_ORIGIN", "not the cut's")
            if note.origin != origin(self.head.chan, "a" if letter == "a" else "b", number):
                _fail(section, "NOTE_ORIGIN", "another log's")
            self.notes[letter] = note
        for letter in LETTERS:
            if letter not in self.notes:
                _fail(self.archive.sections[0], "NOTE", "no anchor of the cut")

    def _check_roots(self) -> None:
        """Head, note and records must say one root. Where two agree, the third is the one that was changed."""
        for i, letter in enumerate(LETTERS):
            frontier = Frontier.empty().extend(leaf_hash(raw) for raw in self.records[letter])
            said, note = self.head.cut[i], self.notes[letter]
            root = frontier.root()
            section = next(s for s in self.archive.of(NOTE) if s.fields[0] == letter)
            if (note.size, note.root) != (said[1], said[2]):
                where = self.archive.sections[0] if (note.size, note.root) == (frontier.size, root) else section
                _fail(where, "ROOT", "head and note differ")
            if root != said[2]:
                self._fail_records(letter)
            self.roots[letter] = root

    def _fail_records(self, letter: str) -> NoReturn:
        """A record that can't be read, or names a blob that is not here, is pinned; else their section."""
        sections = [s for s in self.archive.of(RECORDS) if s.fields[0] == letter]
        for section in sections:
            for i, raw in enumerate(section.fields[3]):
                try:
                    record = read_record(raw)
                    if not record.t.startswith("node."):
                        read_envelope(record.env)
                except Malformed:
                    at = _record_offset(section, i)
                    raise _Failed(Failure("record", section.fields[2] + i, at, "ROOT", "unreadable")) from None
        first = sections[0] if sections else self.archive.sections[0]
        _fail(first, "ROOT", "the records are not those that were signed")

    def _check_blobs(self) -> None:
        named = {h for raws in self.records.values() for raw in raws if (r := try_read(raw)) for h in r.blobs}
        for section in self.archive.of(BLOB):
            if section.key[0] not in named:
                _fail(section, "BLOB", "no record names it")
        for before, section in pairwise(self.archive.of(BLOB)):
            if before.key >= section.key:
                _fail(section, "BLOB", "out of order, or one twice")
        if named - self.blobs.keys():
            sections = self.archive.of(BLOB)
            _fail(sections[-1] if sections else self.archive.sections[0], "BLOB", "one that a record names is missing")

    def _charter(self, chan: bytes | None) -> Charter:
        section = next((s for s in self.archive.of(RECORDS) if s.fields[:3] == ("a", 0, 0)), self.archive.sections[0])
        try:
            envelope = read_envelope(read_record(self.records["a"][0]).env)
            charter = envelope.read("charter", Charter)
        except (Malformed, IndexError):
            _fail(section, "CHARTER", "record 0 is no charter")
        if channel_id(envelope.payload) != self.head.chan:
            _fail(self.archive.sections[0], "CHAN", "not the charter's channel")
        if chan is not None and chan != self.head.chan:
            _fail(self.archive.sections[0], "CHANNEL_OTHER", "another channel than the one named")
        return charter

    def _check_anchors(self, charter: Charter) -> int | None:
        """Both log lines and both cosigner lines of each anchor; the older of the two times."""
        times = []
        for letter, other in (LETTERS, LETTERS[::-1]):
            section = next(s for s in self.archive.of(NOTE) if s.fields[0] == letter)
            number = self.head.cut["ab".index(other)][0]
            cosigner = cosigner_name(origin(self.head.chan, other, number))
            keys = charter.party(letter).log, charter.party(other).cos
            try:
                standing = check(self.notes[letter], _public(keys[0]), (cosigner, _public(keys[1])))
            except Unverified as e:
                _fail(section, e.code, "a line does not verify")
            if not (standing.log_anchor and standing.cosigned_anchor):
                _fail(section, "NOTE_SIG", "not all four lines of an anchor")
            times.append(standing.cosigned_at or 0)
        return min(times)

    def _fold(self) -> Fold:
        records = next(iter(self.archive.of(RECORDS)), self.archive.sections[0])
        fold = Fold(self.head.chan, lambda h: self.blobs[h].fields[0] if h in self.blobs else None)
        try:
            for letter in LETTERS:
                fold.add(letter, self.records[letter])
        except Problem as e:
            _fail(records, e.code, "the logs can't be judged")
        if fold.charter is None:
            _fail(records, "OPEN", fold.open_fault or "the opening")
        if fold.cut != (self.head.cut[0][1], self.head.cut[1][1]):
            _fail(self.archive.sections[0], "CUT", "a record has seen more than the cut holds")
        return fold

    def _check_covers(self, newest: Note) -> None:
        for i, letter in enumerate(LETTERS):
            if newest.origin == origin(self.head.chan, letter, self.head.cut[i][0]):
                if newest.size > len(self.records[letter]):
                    _fail(self.archive.sections[0], "AT_LEAST", "the archive is older")
                leaves = (leaf_hash(raw) for raw in self.records[letter][: newest.size])
                if Frontier.empty().extend(leaves).root() != newest.root:
                    _fail(self.archive.sections[0], "AT_LEAST", "the note is of another history")
                return
        _fail(self.archive.sections[0], "AT_LEAST", "the note is of another log")

    def _report(self, charter: Charter, fold: Fold, at: int | None, *, known: bool) -> Report:
        kinds = [str(s.fields[0].get("k", "")) for s in self.archive.of(EVIDENCE)]
        judged = fold.display()
        messages = []
        for m in fold.messages():
            author = next(s for s in m.verdict.signers if s.kid == m.verdict.doc.from_)
            acks = tuple(a.doc.step for a in m.acks if isinstance(a.doc, Ack))
            logged = m.verdict.record.ts if m.verdict.record else 0
            messages.append(AuditedMessage(m.verdict.number, m.ph, author.person, author.seat, author.role,
                                           author.standing, logged, m.receipt_time, acks))  # fmt: skip
        forks = tuple(k for k in kinds if k in ("E1", "E2", "E6"))
        return Report(
            exit_code=0 if known and not forks else 6,
            chan=self.head.chan,
            complete_to={p.code: self.head.cut[i][1] for i, p in enumerate(charter.parties)},
            cosigned_at=at,
            state_hash=fold.state_hash(),
            messages=tuple(messages),
            refused=tuple((v.letter, v.index, v.reason) for v in judged if v.reason not in ("", "OPAQUE")),
            evidence=tuple(kinds),
            warnings=(() if known else ("CHANNEL_UNKNOWN",)) + forks,
        )


def _rebuilt(archive: Archive) -> bytes:
    return framed(pack([s.kind, *s.fields]) for s in archive.sections)


def _fail(section: Section, code: str, why: str) -> NoReturn:
    raise _Failed(Failure(section.part, section.index, section.offset, code, why))


def _record_offset(section: Section, i: int) -> int:
    """Where record ``i`` of a records section begins in the file."""
    before = replace(section, fields=(*section.fields[:3], section.fields[3][:i]))
    return section.offset + len(pack([before.kind, *before.fields]))


def _public(keys: NoteKeys) -> NotePublic:
    return NotePublic(keys.ed, keys.ml)
