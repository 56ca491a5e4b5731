"""The logs inside an archive, by log number, and their roots against head, notes and successions (16.1, 16.2).

Where head, note and records do not agree, the one that differs from the other two was changed. Numbers are checked from
the newest down, so each ``final`` is read from a ``succeed`` whose own root held. A failure is pinned to one record
where its encoding, its signatures or its ``seen`` tell it from all others of its log, else to its section.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NoReturn

from channel.protocol.archive import BLOB, HEAD, NOTE, PROOF, RECORDS, RECORDS_EACH, Archive, Head, Section
from channel.protocol.charter import Succeed
from channel.protocol.merkle import EMPTY, Frontier, leaf_hash, root_from_inclusion
from channel.protocol.note import Note, origin, origin_parts, parse
from channel.protocol.record import Record, read_record, try_read
from channel.protocol.report import LETTERS, Failed, Failure, Letter, fail
from channel.protocol.tables import verifies
from keys.codec import pack
from keys.envelope import read_envelope
from keys.errors import Malformed, Unverified
from keys.identity import read_key


@dataclass(slots=True)
class ArchivedLog:
    """One log number as the archive holds it. ``start`` = joined position of its first record."""

    letter: Letter
    number: int
    sections: list[Section] = field(default_factory=list)
    note: Note | None = None
    note_section: Section | None = None
    start: int = 0
    size: int = 0
    root: bytes = EMPTY
    succeed: Succeed | None = None
    """Its record 0, where the number is above 0."""

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of what is held, rising."""
        for section in self.sections:
            if section.kind == PROOF:
                yield section.fields[2], section.fields[3]
            else:
                yield from enumerate(section.fields[3], section.fields[2])

    def record(self, index: int) -> bytes | None:
        """The record at an index of this number, if it is held."""
        return next((raw for i, raw in self.records() if i == index), None)

    def place(self, index: int) -> tuple[str, int, int]:
        """Part, index and offset of a record that is held."""
        if self.sections[0].kind == PROOF:
            section = next(s for s in self.sections if s.fields[2] == index)
            return section.part, section.index, section.offset
        section = next(s for s in reversed(self.sections) if s.fields[2] <= index)
        return "record", index, _record_offset(section, index - section.fields[2])

    def fail(self, index: int, code: str, why: str) -> NoReturn:
        """End at a record."""
        raise Failed(Failure(*self.place(index), code, why))


class Trees:
    """Every log number of both parties; ``Failed`` where they do not fit together."""

    def __init__(self, archive: Archive, head: Head) -> None:
        self.archive, self.head = archive, head
        self.top = archive.of(HEAD)[0]
        self.blobs = {s.key[0]: s for s in archive.of(BLOB)}
        if any(number > len(archive.sections) for number, _, _ in head.cut):
            fail(self.top, "LOG_NUMBER", "more log numbers than sections")
        self.logs: dict[tuple[Letter, int], ArchivedLog] = {
            (x, k): ArchivedLog(x, k) for i, x in enumerate(LETTERS) for k in range(head.cut[i][0] + 1)
        }
        self._lay_out()
        self._read_notes()
        for letter in LETTERS:
            self._check_roots(letter)

    def of(self, letter: Letter) -> list[ArchivedLog]:
        """The log numbers of a party, rising."""
        return [log for (x, _), log in self.logs.items() if x == letter]

    def cut(self, letter: Letter) -> ArchivedLog:
        """The log number that the cut goes through."""
        return self.of(letter)[-1]

    def size(self, letter: Letter) -> int:
        """The joined size of the cut."""
        return self.cut(letter).start + self.cut(letter).size

    # --- what stands where ----------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Records gapless from 0, 256 each; proofs as they come."""
        kind, other = (RECORDS, PROOF) if self.head.form == "full" else (PROOF, RECORDS)
        for section in self.archive.of(other):
            fail(section, "FORM", "a section of the other form")
        for section in self.archive.of(kind):
            letter, number, first = section.fields[:3]
            log = self.logs.get((letter, number))
            if log is None:
                fail(section, "LOG_NUMBER", "another log number than the cut's")
            held = sum(len(s.fields[3]) for s in log.sections) if kind == RECORDS else 0
            if kind == RECORDS and (first != held or first % RECORDS_EACH):
                fail(section, "RECORDS", "a gap")
            log.sections.append(section)

    def _read_notes(self) -> None:
        sections, notes = self.archive.of(NOTE), list[Note]()
        for section in sections:
            try:
                notes.append(parse(section.fields[2]))
            except Malformed as e:
                fail(section, e.code, "unreadable")
        if len(notes) > 1 and len(chans := {_chan(note) for note in notes}) == 1 and self.head.chan not in chans:
            fail(self.top, "CHAN", "not the notes' channel")
        for section, note in zip(sections, notes, strict=True):
            letter, number, _ = section.fields
            log = self.logs.get((letter, number))
            if log is None or note.origin != origin(self.head.chan, letter, number):
                fail(section, "NOTE_ORIGIN", "another log's")
            log.note, log.note_section = note, section
        if any(self.cut(letter).note is None for letter in LETTERS):
            fail(self.top, "NOTE", "no anchor of the cut")

    # --- roots --------------------------------------------------------------------------------------------------------

    def _check_roots(self, letter: Letter) -> None:
        """From the cut down to number 0, then where each begins."""
        said = (self.top.part, self.top.index, self.top.offset)
        _, size, root = self.head.cut[LETTERS.index(letter)]
        for log in reversed(self.of(letter)):
            log.size, log.root = size, root
            if self.head.form == "full":
                self._check_records(log, said)
            else:
                self._check_proofs(log, said)
            if log.number:
                log.succeed = self._succeed(log)
                size, root, said = log.succeed.final.size, log.succeed.final.root, log.place(0)
        for before, log in pairwise(self.of(letter)):
            log.start = before.start + before.size

    def _check_records(self, log: ArchivedLog, said: tuple[str, int, int]) -> None:
        frontier = Frontier.empty().extend(leaf_hash(raw) for _, raw in log.records())
        found, want, note = (frontier.size, frontier.root()), (log.size, log.root), log.note
        if note is not None and (note.size, note.root) == found != want:
            raise Failed(Failure(*said, "ROOT", "not what note and records say"))
        if frontier.size != log.size:
            fail(log.sections[-1] if log.sections else self.top, "RECORDS", "not as many as must be")
        if found != want:
            self._pin(log)
        if note is not None and log.note_section is not None and (note.size, note.root) != want:
            fail(log.note_section, "ROOT", "not what the records say")

    def _check_proofs(self, log: ArchivedLog, said: tuple[str, int, int]) -> None:
        note = log.note
        if note is not None and log.note_section is not None and (note.size, note.root) != (log.size, log.root):
            if log.sections and all(_leads(s, note.size, note.root) for s in log.sections):
                raise Failed(Failure(*said, "ROOT", "not what note and proofs say"))
            fail(log.note_section, "ROOT", "not the root that must be")
        for section in log.sections:
            if not _leads(section, log.size, log.root):
                fail(section, "PROOF", "does not lead to the anchor")

    def _succeed(self, log: ArchivedLog) -> Succeed:
        raw = log.record(0)
        if raw is None:
            fail(self.top, "SUCCEED", "a log number does not begin with record 0")
        record = try_read(raw)
        if record is None or record.t != "succeed":
            log.fail(0, "SUCCEED", "another type of record")
        try:
            return read_envelope(record.env).read("succeed", Succeed)
        except Malformed:
            log.fail(0, "SUCCEED", "unreadable")

    # --- where a log was changed --------------------------------------------------------------------------------------

    def _pin(self, log: ArchivedLog) -> NoReturn:
        """The one record that can't stand as it does, or the section that holds the log's records."""
        doubtful = [i for i, raw in log.records() if self._doubtful(raw)]
        if len(doubtful) == 1:
            log.fail(doubtful[0], "ROOT", "not the record that was signed")
        hold = [s for s in log.sections if any(s.fields[2] <= i < s.fields[2] + RECORDS_EACH for i in doubtful)]
        where = (hold or log.sections)[0]
        fail(where, "ROOT", "the records are not those that were signed")

    def _doubtful(self, raw: bytes) -> bool:
        """Whether a record can't be read, names a blob that is not here, or has a signature that fails."""
        try:
            record = read_record(raw)
            if any(h not in self.blobs for h in record.blobs):
                return True
            return not record.t.startswith("node.") and not self._signed(record)
        except Malformed:
            return True

    def _signed(self, record: Record) -> bool:
        """Whether every signature verifies whose key the archive holds."""
        envelope = read_envelope(record.env)
        message = envelope.message()
        for kid, signature in envelope.signatures:
            if kid not in self.blobs:
                return False
            key = read_key(self.blobs[kid].fields[0])
            if not verifies(key.mode, key, message, signature):
                return False
        return True


def _leads(section: Section, size: int, root: bytes) -> bool:
    try:
        return root_from_inclusion(leaf_hash(section.fields[3]), section.fields[2], size, section.fields[4]) == root
    except Unverified:
        return False


def _chan(note: Note) -> bytes:
    try:
        return origin_parts(note.origin)[0]
    except Malformed:
        return b""


def _record_offset(section: Section, i: int) -> int:
    """Where record ``i`` of a records section begins in the file."""
    whole = len(pack([section.kind, *section.fields]))
    return section.offset + whole - sum(len(pack(raw)) for raw in section.fields[3][i:])
