"""Verifies an archive offline: the file, and if known the channel, and nothing else (docs/protocol.md section 16.2).

    audit(data, chan) -> Report        exit_code 0 good · 3 unreadable · 5 does not hold · 6 good, with warnings

Every check is tied to a place: the first failure names the part, its index and the byte where it begins, as narrowly as
a hash, a signature or the encoding can tell. A wrong SHA-256 at the end alone counts only if nothing narrower is wrong.
The steps stand in ``trees`` (records, roots), ``succession`` (keys, anchors), the fold or ``proof`` (who signed what),
``reveal`` and ``evidence``; here is their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from channel.protocol.archive import BLOB, EVIDENCE, HEAD, REVEAL, TAIL, Archive, Head, framed, read
from channel.protocol.charter import Charter, channel_id
from channel.protocol.evidence import FREEZES, Known, check
from channel.protocol.fold import Fold
from channel.protocol.header import Payload
from channel.protocol.members import Standing
from channel.protocol.merkle import Frontier, leaf_hash
from channel.protocol.note import Note, origin
from channel.protocol.people import Ack
from channel.protocol.proof import Proved, Span, Unproved, judge_proof
from channel.protocol.record import try_read
from channel.protocol.report import LETTERS, AuditedMessage, Failed, Failure, Letter, Report, fail
from channel.protocol.reveal import Full, Redacted, Revealed, check_reveal, read_reveal
from channel.protocol.state import confirm_state
from channel.protocol.succession import Succession
from channel.protocol.trees import ArchivedLog, Trees
from channel.protocol.verdicts import Entry, Signer, Verdict
from keys.codec import pack, unpack
from keys.envelope import read_envelope
from keys.errors import Malformed, Problem

__all__ = ["AuditedMessage", "Failure", "Report", "audit"]
Progress = Callable[[int, int], None]
STEPS = 6


def audit(
    data: bytes, chan: bytes | None = None, at_least: Note | None = None, progress: Progress | None = None
) -> Report:
    """Check an archive. ``chan``: the known channel id; ``at_least``: a note of either log that it must cover."""
    try:
        archive = read(data)
        head, reveals = _read_head(archive), _read_reveals(archive)
    except Malformed as e:
        v = e.values
        return Report(exit_code=3, failure=Failure(
            str(v.get("part", "head")), int(str(v.get("index", 0))), int(str(v.get("offset", 12))), e.code, str(v["why"])
        ))  # fmt: skip
    try:
        report = _Audit(archive, head, reveals).run(chan, at_least, progress or (lambda _done, _all: None))
    except Failed as e:
        return Report(exit_code=5, form=head.form, failure=e.failure, chan=head.chan)
    if not archive.intact or data != _rebuilt(archive):
        where = Failure("hash", len(archive.sections), len(data) - TAIL, "ARCHIVE_HASH", "SHA-256")
        return Report(exit_code=5, form=head.form, failure=where, chan=head.chan)
    return report


def _read_head(archive: Archive) -> Head:
    first = archive.sections[0]
    if first.kind != HEAD or len(archive.of(HEAD)) != 1:
        raise Malformed("ARCHIVE", part="head", index=0, offset=first.offset, why="no one head")
    return unpack(pack(first.fields[0]), Head)


def _read_reveals(archive: Archive) -> list[Full | Redacted]:
    reveals = []
    for section in archive.of(REVEAL):
        try:
            reveals.append(read_reveal(section.fields[0]))
        except Malformed as e:
            why = str(e.values["why"])
            raise Malformed("ARCHIVE", part=section.part, index=section.index, offset=section.offset, why=why) from e
    return reveals


def _rebuilt(archive: Archive) -> bytes:
    return framed(pack([s.kind, *s.fields]) for s in archive.sections)


@dataclass(slots=True)
class _Judged:
    """What fold or proof said, in one form. ``payloads`` by (party code, mid), with the number that a reader knows."""

    messages: list[AuditedMessage] = field(default_factory=list)
    payloads: dict[tuple[str, bytes], tuple[str, Payload]] = field(default_factory=dict)
    refused: list[tuple[str, int, str]] = field(default_factory=list)
    flags: list[tuple[str, int, str]] = field(default_factory=list)
    seats: dict[str, tuple[str, str]] = field(default_factory=dict)
    """PARTY:seat of every seat of the newest rosters, with its names in English and Chinese."""
    persons: dict[str, tuple[str, str]] = field(default_factory=dict)
    state_hash: bytes | None = None


class _Audit:
    def __init__(self, archive: Archive, head: Head, reveals: list[Full | Redacted]) -> None:
        self.archive, self.head, self.reveals = archive, head, reveals
        self.trees: Trees
        self.codes: dict[str, str] = {}

    def run(self, chan: bytes | None, at_least: Note | None, progress: Progress) -> Report:
        self.trees = Trees(self.archive, self.head)
        progress(1, STEPS)
        self._check_blobs()
        charter = self._charter(chan)
        self.codes = {x: charter.party(x).code for x in LETTERS}
        progress(2, STEPS)
        keys = Succession(self.trees, charter)
        at, attested = keys.check_anchors(), keys.check_ended()
        progress(3, STEPS)
        judged = self._judge_all(keys) if self.head.form == "full" else self._judge_given(keys)
        progress(4, STEPS)
        revealed = tuple(self._check_reveals(judged))
        evidence, claimed = self._check_evidence(keys.known())
        progress(5, STEPS)
        if at_least is not None:
            self._check_covers(at_least)
        progress(STEPS, STEPS)
        warnings = (() if chan is not None else ("CHANNEL_UNKNOWN",)) + tuple(sorted(FREEZES & set(evidence)))
        return Report(
            exit_code=6 if warnings else 0,
            form=self.head.form,
            chan=self.head.chan,
            complete_to={self.codes[x]: self.trees.size(x) for x in LETTERS},
            cosigned_at=at,
            state_hash=judged.state_hash,
            messages=tuple(judged.messages),
            persons=judged.persons,
            seats=judged.seats,
            refused=tuple(judged.refused),
            flags=tuple(judged.flags),
            reveals=revealed,
            attested=attested,
            evidence=evidence,
            claimed=claimed,
            warnings=warnings,
        )

    # --- before the records are judged ----------------------------------------------------------------------------------

    def _check_blobs(self) -> None:
        """Exactly those that the records name. A changed one moves its own key, so order is checked after names."""
        named = {
            h for log in self.trees.logs.values() for _, raw in log.records() if (r := try_read(raw)) for h in r.blobs
        }
        for section in self.archive.of(BLOB):
            if section.key[0] not in named:
                fail(section, "BLOB", "no record names it")
        for before, section in pairwise(self.archive.of(BLOB)):
            if before.key >= section.key:
                fail(section, "BLOB", "out of order, or one twice")
        if named - self.trees.blobs.keys():
            sections = self.archive.of(BLOB)
            fail(sections[-1] if sections else self.trees.top, "BLOB", "one that a record names is missing")

    def _charter(self, chan: bytes | None) -> Charter:
        first, raw = self.trees.logs["a", 0], self.trees.logs["a", 0].record(0)
        record = None if raw is None else try_read(raw)
        if record is None:
            fail(first.sections[0] if first.sections else self.trees.top, "CHARTER", "record 0 is no charter")
        try:
            envelope = read_envelope(record.env)
            charter = envelope.read("charter", Charter)
        except Malformed:
            first.fail(0, "CHARTER", "record 0 is no charter")
        if channel_id(envelope.payload) != self.head.chan:
            fail(self.trees.top, "CHAN", "not the charter's channel")
        if chan is not None and chan != self.head.chan:
            fail(self.trees.top, "CHANNEL_OTHER", "another channel than the one named")
        return charter

    # --- the records --------------------------------------------------------------------------------------------------

    def _judge_all(self, keys: Succession) -> _Judged:
        """Form full: both logs folded."""
        fold = Fold(self.head.chan, self._blob)
        for log in self.trees.logs.values():
            try:
                fold.add(log.letter, [raw for _, raw in log.records()], log.number)
            except Problem as e:
                fail(log.sections[0] if log.sections else self.trees.top, e.code, "the logs can't be judged")
        if fold.charter is None:
            first = self.trees.logs["a", 0].sections
            fail(first[0] if first else self.trees.top, "OPEN", fold.open_fault or "the opening")
        for log in self.trees.logs.values():
            if log.number and (reason := fold.verdict(log.letter, log.start).reason):
                log.fail(0, "SUCCEED", reason)
        if fold.cut != (self.trees.size("a"), self.trees.size("b")):
            fail(self.trees.top, "CUT", "a record has seen more than the cut holds")
        keys.check_witnesses(fold.policy("a"))
        judged = _Judged(state_hash=fold.state_hash())
        for x in LETTERS:
            party, code = fold.party(x), self.codes[x]
            judged.seats |= {f"{code}:{seat}": names for seat, names in party.seats.items()}
            judged.persons |= {f"{code}:{person}": names for person, names in party.persons.items()}
        shown = fold.display()
        judged.refused = [(v.letter, v.index, v.reason) for v in shown if v.reason not in ("", "OPAQUE")]
        judged.flags = [(v.letter, v.index, flag) for v in shown for flag in sorted(v.flags)]
        for m in fold.messages():
            acks = tuple(a.doc.step for a in m.acks if isinstance(a.doc, Ack))
            self._add(judged, m.verdict, m.verdict.number, m.ph, m.receipt_time, acks, m.confirm)
        return judged

    def _judge_given(self, keys: Succession) -> _Judged:
        """Form proof: the records that are there, by themselves."""
        records = [
            [(log.start + i, log.number, raw) for log in self.trees.of(x) for i, raw in log.records()] for x in LETTERS
        ]
        spans = [[Span(log.start, log.size, log.root) for log in self.trees.of(x)] for x in LETTERS]
        try:
            proved = judge_proof(self.head.chan, records, spans, self._blob)
        except Unproved as e:
            if e.place is None:
                fail(self.trees.top, e.code, e.why)
            log, i = self._found("a" if e.place[0] == "a" else "b", e.place[1])
            log.fail(i, "SUCCEED" if log.number and i == 0 else e.code, e.why)
        sizes = self.trees.size("a"), self.trees.size("b")
        keys.check_witnesses(proved.policy(sizes))
        return self._proved(proved, sizes)

    def _proved(self, proved: Proved, sizes: tuple[int, int]) -> _Judged:
        judged = _Judged()
        for p, x in enumerate(LETTERS):
            newest: Standing = proved.tables.sides[p].history.before(sizes[p])
            roster, code = newest.admitted.roster, self.codes[x]
            judged.seats |= {f"{code}:{seat.id}": (seat.en, seat.zh) for seat in roster.seats}
            judged.persons |= {f"{code}:{person.id}": (person.en, person.zh) for person in roster.persons}
        judged.refused = [(LETTERS[e.p], e.i, e.reason) for e in proved.refused]
        for ph, e in proved.messages.items():
            acks = tuple(a.doc.step for a in proved.acks.get(ph, ()) if isinstance(a.doc, Ack))
            ref = f"{self.codes[LETTERS[e.p]]}:{e.i}"
            self._add(judged, e, ref, ph, proved.receipt_time(e), acks, confirm_state(proved.tables, e))
        return judged

    def _add(
        self,
        judged: _Judged,
        m: Verdict | Entry,
        number: str,
        ph: bytes,
        receipt: int | None,
        acks: tuple[str, ...],
        confirm: str,
    ) -> None:
        letter, i = (m.letter, m.index) if isinstance(m, Verdict) else (LETTERS[m.p], m.i)
        author: Signer = next(s for s in m.signers if s.kid == m.doc.from_)
        judged.payloads[self.codes[letter], m.doc.mid] = (number, m.doc)
        judged.messages.append(
            AuditedMessage(
                number=number,
                ref=f"{self.codes[letter]}:{i}",
                ph=ph,
                person=author.person,
                seat=author.seat,
                role=author.role,
                standing=author.standing,
                authored=m.doc.ts,
                logged=m.record.ts if m.record else 0,
                receipt_time=receipt,
                acks=acks,
                signers=m.signers,
                confirm=confirm,
            )
        )

    def _blob(self, address: bytes) -> bytes | None:
        section = self.trees.blobs.get(address)
        return None if section is None else section.fields[0]

    def _found(self, letter: Letter, position: int) -> tuple[ArchivedLog, int]:
        """The log number of a joined position, and the index in it."""
        log = next(log for log in reversed(self.trees.of(letter)) if log.start <= position)
        return log, position - log.start

    # --- what stands beside them --------------------------------------------------------------------------------------

    def _check_reveals(self, judged: _Judged) -> Iterator[Revealed]:
        for section, reveal in zip(self.archive.of(REVEAL), self.reveals, strict=True):
            found = judged.payloads.get((reveal.party, reveal.mid))
            if found is None:
                fail(section, "REVEAL", "of no message that counts here")
            if reveal.by not in judged.seats:
                fail(section, "REVEAL", "by a seat that no roster has")
            number, payload = found
            try:
                yield check_reveal(reveal, payload, self._blob(payload.blob) or b"", number)
            except Problem as e:
                fail(section, "REVEAL", str(e.values.get("why", e.code)))

    def _check_evidence(self, known: Known) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Kinds proved by sections and by records, and the records that prove nothing."""
        proved, claimed, held = list[str](), list[str](), set[bytes]()
        for log in self.trees.logs.values():
            for i, raw in log.records():
                record = try_read(raw)
                if record is not None and record.t == "node.evidence":
                    held.add(record.env)
                    if kind := _proves(record.env, known):
                        proved.append(kind)
                    else:
                        claimed.append(f"{self.codes[log.letter]}:{log.start + i}")
        for section in self.archive.of(EVIDENCE):
            body = pack(section.fields[0])
            if body in held:
                fail(section, "EVIDENCE", "a record holds it")
            if not (kind := _proves(body, known)):
                fail(section, "EVIDENCE", "proves nothing")
            proved.append(kind)
        return tuple(proved), tuple(claimed)

    def _check_covers(self, newest: Note) -> None:
        """The note's log number must be here, at least as long, and with the note's root at its size."""
        known = {origin(self.head.chan, x, k): log for (x, k), log in self.trees.logs.items()}
        log = known.get(newest.origin)
        if log is None:
            fail(self.trees.top, "AT_LEAST", "the note is of another log, or the archive is older")
        if newest.size > log.size:
            fail(self.trees.top, "AT_LEAST", "the archive is older")
        if self.head.form == "proof":
            if (newest.size, newest.root) != (log.size, log.root):
                fail(self.trees.top, "AT_LEAST", "a proof covers the notes at its ends alone")
            return
        leaves = (leaf_hash(raw) for i, raw in log.records() if i < newest.size)
        if Frontier.empty().extend(leaves).root() != newest.root:
            fail(self.trees.top, "AT_LEAST", "the note is of another history")


def _proves(raw: bytes, known: Known) -> str:
    """The kind that a body of evidence proves; "" for none."""
    try:
        body = unpack(raw)
        return check(body, known).k if isinstance(body, Mapping) else ""
    except Problem:
        return ""
