"""The keys of each log number, and the notes that they signed: anchors of the cut and of ended numbers (6, 9, 16).

Number 0 has the charter's keys, each later one those that its ``succeed`` names. The authority's signatures on a
``succeed`` are judged with all other records, by the fold or in a proof; here its keys are taken as they stand.
"""

from __future__ import annotations

from itertools import pairwise

from channel.protocol.charter import Charter, NoteKeys, Policy
from channel.protocol.evidence import Known
from channel.protocol.note import (
    Note,
    NotePublic,
    Standing,
    check,
    cosigner_name,
    origin,
    parse,
    parse_vkey,
    verify_line,
)
from channel.protocol.report import LETTERS, Letter, fail
from channel.protocol.trees import ArchivedLog, Trees
from keys.errors import Malformed, Unverified

OTHER: dict[Letter, Letter] = {"a": "b", "b": "a"}


class Succession:
    """The keys of every log number in an archive. ``Failed`` where one can't be a key."""

    def __init__(self, trees: Trees, charter: Charter) -> None:
        self.trees, self.charter = trees, charter
        self.logs: dict[str, NotePublic] = {}
        self.cosigners: dict[str, NotePublic] = {}
        for log in trees.logs.values():
            of = log.succeed or charter.party(log.letter)
            name = origin(trees.head.chan, log.letter, log.number)
            self.logs[name] = self._public(log, of.log)
            self.cosigners[cosigner_name(name)] = self._public(log, of.cos)

    def known(self) -> Known:
        """The channel's keys, as evidence is checked with."""
        return Known(self.trees.head.chan, self.charter.mode, self.logs, self.cosigners)

    def check_anchors(self) -> int:
        """All four lines under both anchors of the cut; the older of their two times, in seconds."""
        times = []
        for letter in LETTERS:
            log = self.trees.cut(letter)
            assert log.note is not None and log.note_section is not None  # noqa: PT018
            standing = self._standing(log.note, self.trees.cut(OTHER[letter]))
            if standing is None:
                fail(log.note_section, "NOTE_SIG", "a line does not verify")
            if not (standing.log_anchor and standing.cosigned_anchor):
                fail(log.note_section, "NOTE_SIG", "not all four lines of an anchor")
            times.append(standing.cosigned_at or 0)
        return min(times)

    def check_ended(self) -> tuple[str, ...]:
        """The last note of each ended number; those that are no anchor, as PARTY/number."""
        attested = []
        for letter in LETTERS:
            for log, after in pairwise(self.trees.of(letter)):
                if not self._anchored(log, after):
                    attested.append(f"{self.charter.party(letter).code}/{log.number}")
        return tuple(attested)

    def check_witnesses(self, policy: Policy) -> None:
        """At least ``quorum`` of the policy's witnesses under each anchor of the cut."""
        for letter in LETTERS:
            log = self.trees.cut(letter)
            assert log.note is not None and log.note_section is not None  # noqa: PT018
            if sum(_witnessed(log.note, witness.vkey) for witness in policy.witnesses) < policy.quorum:
                fail(log.note_section, "QUORUM", "fewer witnesses than the policy asks for")

    def _anchored(self, log: ArchivedLog, after: ArchivedLog) -> bool:
        """Whether the note in a ``succeed`` is an anchor; else it must at least be the log's own."""
        assert after.succeed is not None
        final, raw = after.succeed.final, after.succeed.note
        try:
            note = parse(raw)
        except Malformed:
            after.fail(0, "SUCCEED", "its note can't be read")
        name = origin(self.trees.head.chan, log.letter, log.number)
        if (note.origin, note.size, note.root) != (name, final.size, final.root):
            after.fail(0, "SUCCEED", "its note is not of what it ends")
        anchored = False
        for cosigner in self.trees.of(OTHER[log.letter]):
            standing = self._standing(note, cosigner)
            if standing is None or not standing.log:
                after.fail(0, "SUCCEED", "a line of its note does not verify")
            anchored = anchored or (standing.log_anchor and standing.cosigned_anchor)
        if anchored and (log.note_section is None or log.note_section.fields[2] != raw):
            fail(log.note_section or self.trees.top, "NOTE", "not the note of its succession")
        if not anchored and log.note_section is not None:
            fail(log.note_section, "NOTE", "no anchor")
        return anchored

    def _standing(self, note: Note, cosigner: ArchivedLog) -> Standing | None:
        """What log and cosigner say of a note; None where a line of theirs does not verify."""
        name = cosigner_name(origin(self.trees.head.chan, cosigner.letter, cosigner.number))
        try:
            return check(note, self.logs[note.origin], (name, self.cosigners[name]))
        except Unverified:
            return None

    def _public(self, log: ArchivedLog, keys: NoteKeys) -> NotePublic:
        try:
            return NotePublic(keys.ed, keys.ml)
        except Malformed as e:
            log.fail(0, e.code, "a key of notes that can't be one")


def _witnessed(note: Note, vkey: str) -> bool:
    """Whether a witness has a timed line under a note; one that fails counts as none."""
    try:
        name, kind, public = parse_vkey(vkey)
    except Malformed:
        return False
    for line in note.lines:
        if line.name == name:
            try:
                return verify_line(line, kind, public, note) > 0
            except Unverified:
                continue
    return False
