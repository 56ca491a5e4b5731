"""The ``.dcx`` file: docs/protocol.md section 16.1, and what its sections say of trees and keys.

``Unreadable`` is exit code 3, ``Wrong`` is 5; both say the part and the offset of the section.
"""

from __future__ import annotations

import itertools

from second_bytes import Bad, Envelope, leaf_hash, media, pack, pae, prefix_roots, root_by_path, sha, unpack
from second_notes import ED, ML, TIMED, Note, lawful_keys, origin, witnessed
from second_shapes import B16, COUNT, HASH, PARTY, doc, one, read, read_record, row, shape, some, text

MAGIC = b"DCXARCH1"
HEAD, RECORDS, NOTE, BLOB, PROOF, REVEAL, EVIDENCE = range(1, 8)
PARTS = {
    HEAD: "head",
    RECORDS: "records",
    NOTE: "note",
    BLOB: "blob",
    PROOF: "proof",
    REVEAL: "reveal",
    EVIDENCE: "evidence",
}
TOP = doc(form=one("full", "proof"), chan=HASH, cut=row(row(COUNT, COUNT, HASH), row(COUNT, COUNT, HASH)))
WHY = one("dispute", "law", "public", "report", "review")
BY = text("[A-Z]{2,8}:[a-z0-9][a-z0-9._-]{0,63}")
SHOWN = shape(name=text("", 1, 64), salt=B16, value=lambda v: True)
FULL = shape(party=PARTY, mid=B16, cek=HASH, why=WHY, by=BY)
REDACTED = shape(party=PARTY, mid=B16, digests=some(HASH, 1, 64), fields=some(SHOWN, 0, 64), why=WHY, by=BY)
ANY = lambda v: True  # noqa: E731
RAW = lambda v: isinstance(v, bytes)  # noqa: E731
LETTER = one("a", "b")
FORMS = {
    HEAD: row(ANY, TOP), RECORDS: row(ANY, LETTER, COUNT, COUNT, some(RAW, 1, 256)), NOTE: row(ANY, LETTER, COUNT, RAW), BLOB: row(ANY, RAW),
    PROOF: row(ANY, LETTER, COUNT, COUNT, RAW, some(HASH)), REVEAL: row(ANY, lambda v: FULL(v) or (REDACTED(v) and _sorted(v))),
    EVIDENCE: row(ANY, lambda v: isinstance(v, dict)),
}  # fmt: skip
OTHER = {"a": "b", "b": "a"}


class Unreadable(Exception):
    """Exit code 3."""


class Wrong(Exception):
    """Exit code 5."""


def _sorted(v):
    names = [x["name"] for x in v["fields"]]
    return all(x < y for x, y in zip(v["digests"], v["digests"][1:], strict=False)) and all(
        x < y for x, y in itertools.pairwise(names)
    )


def sections(data):
    """[(kind, array, offset)] of a file, and whether its last 32 bytes are right."""
    if data[:8] != MAGIC:
        raise Unreadable("magic", 0)
    at, end, found = 8, len(data) - 32, []
    while at < end:
        if at + 4 > end:
            raise Unreadable("framing", at)
        length = int.from_bytes(data[at : at + 4], "big")
        if length > 32 * 1024 * 1024 or at + 4 + length > end:
            raise Unreadable("framing", at)
        try:
            array = unpack(data[at + 4 : at + 4 + length])
        except Bad as e:
            raise Unreadable("section", at + 4) from e
        kind = array[0] if isinstance(array, list) and array else None
        if type(kind) is not int or kind not in FORMS or not FORMS[kind](array):
            raise Unreadable(PARTS.get(kind, "section") if type(kind) is int else "section", at + 4)
        if found and not _rises(found[-1], (kind, array)):
            raise Unreadable(PARTS[kind], at)
        found.append((kind, array, at + 4))
        at += 4 + length
    if at != end or not found or found[0][0] != HEAD or sum(k == HEAD for k, _, _ in found) != 1:
        raise Unreadable("framing" if at != end or not found else "head", min(at, len(data)))
    return found, sha(data[:end]) == data[end:]


def _rises(before, now):
    """Order of sections; blobs among themselves are looked at after what they hold."""
    if before[0] == now[0] == BLOB:
        return True
    return (before[0], _key(before[0], before[1])) < (now[0], _key(*now))


def _key(kind, array):
    if kind in (RECORDS, PROOF):
        return tuple(array[1:4])
    if kind == NOTE:
        return tuple(array[1:3])
    if kind == BLOB:
        return (sha(array[1]),)
    if kind == REVEAL:
        return (array[1]["party"], array[1]["mid"])
    return (sha(pack(array[1])),) if kind == EVIDENCE else ()


class Log:
    """One log number of a party."""

    def __init__(self, letter, number):
        self.letter, self.number = letter, number
        self.records = {}
        self.size = self.start = 0
        self.root, self.note, self.raw_note, self.succeed = None, None, None, None


class File:
    """A file's contents, its trees and anchors checked."""

    def __init__(self, data):
        self.sections, self.intact = sections(data)
        self.head = self.sections[0][1][1]
        self.chan, self.full = self.head["chan"], self.head["form"] == "full"
        self.logs = {
            x: [Log(x, n) for n in range(min(cut[0], len(self.sections)) + 1)]
            for x, cut in zip("ab", self.head["cut"], strict=False)
        }
        for x, cut in zip("ab", self.head["cut"], strict=False):
            demand(len(self.logs[x]) == cut[0] + 1, "head")
        self._records()
        self._notes()
        for x in "ab":
            self._roots(x)
        self._blobs()
        self._charter()

    def all(self, kind):
        """The arrays of one kind."""
        return [array for k, array, _ in self.sections if k == kind]

    def _log(self, letter, number, part):
        demand(number < len(self.logs[letter]), part)
        return self.logs[letter][number]

    def _records(self):
        demand(not self.all(PROOF if self.full else RECORDS), "proof" if self.full else "records")
        for _, letter, number, first, raws in self.all(RECORDS):
            log = self._log(letter, number, "records")
            demand(first == len(log.records) and first % 256 == 0, "records")
            log.records.update(enumerate(raws, first))
        self.paths = {}
        for _, letter, number, index, raw, path in self.all(PROOF):
            self._log(letter, number, "proof").records[index] = raw
            self.paths[letter, number, index] = path

    def _notes(self):
        for _, letter, number, raw in self.all(NOTE):
            log = self._log(letter, number, "note")
            try:
                log.note, log.raw_note = Note(raw), raw
            except Bad as e:
                raise Wrong("note") from e
            demand(log.note.origin == origin(self.chan, letter, number), "note")
        demand(all(self.logs[x][-1].note for x in "ab"), "head")

    def _roots(self, x):
        _, size, root = self.head["cut"]["ab".index(x)]
        for log in reversed(self.logs[x]):
            log.size, log.root = size, root
            if self.full:
                demand(
                    len(log.records) == size and prefix_roots([leaf_hash(r) for r in log.records.values()])[-1] == root,
                    "records",
                )
            for index, raw in () if self.full else log.records.items():
                try:
                    demand(root_by_path(leaf_hash(raw), index, size, self.paths[x, log.number, index]) == root, "proof")
                except Bad as e:
                    raise Wrong("proof") from e
            demand(log.note is None or (log.note.size, log.note.root) == (size, root), "note")
            if log.number:
                log.succeed = self._succeed(log)
                size, root = log.succeed["final"]["size"], log.succeed["final"]["root"]
        for before, log in zip(self.logs[x], self.logs[x][1:], strict=False):
            log.start = before.start + before.size

    def _succeed(self, log):
        demand(0 in log.records, "head")
        try:
            record = read_record(log.records[0])
            env = Envelope(record["env"])
            demand(record["t"] == "succeed" and env.kind == media("succeed"), "record")
            return read("succeed", env.payload)
        except Bad as e:
            raise Wrong("record") from e

    def _blobs(self):
        self.blobs = {sha(raw): raw for _, raw in self.all(BLOB)}
        order = [sha(raw) for _, raw in self.all(BLOB)]
        demand(all(a < b for a, b in itertools.pairwise(order)), "blob")
        named = set()
        for x in "ab":
            for log in self.logs[x]:
                for raw in log.records.values():
                    try:
                        named |= set(read_record(raw)["blobs"])
                    except Bad:
                        continue
        demand(named == set(self.blobs), "blob")

    def _charter(self):
        try:
            env = Envelope(read_record(self.logs["a"][0].records[0])["env"])
            demand(env.kind == media("charter"), "record")
            self.charter = read("charter", env.payload)
        except (Bad, KeyError) as e:
            raise Wrong("record") from e
        demand(sha(b"dcx/v1/channel\0", pae(env.kind, env.payload)) == self.chan, "head")

    # --- anchors ---------------------------------------------------------------------------------------------------------------

    def keys(self):
        """{origin: note keys} and {cosigner name: note keys} of every log number."""
        logs, cosigners = {}, {}
        for p, x in enumerate("ab"):
            for log in self.logs[x]:
                of = log.succeed or self.charter["parties"][p]
                demand(lawful_keys(of["log"]) and lawful_keys(of["cos"]), "record")
                name = origin(self.chan, x, log.number)
                logs[name], cosigners[f"{name}/c"] = of["log"], of["cos"]
        return logs, cosigners

    def check_anchors(self):
        """Anchors of the cut with all four lines, and how each ended number was ended."""
        logs, cosigners = self.keys()
        for x in "ab":
            cut, by = self.logs[x][-1], f"{origin(self.chan, OTHER[x], self.logs[OTHER[x]][-1].number)}/c"
            try:
                said, cosigned = cut.note.of_log(logs[cut.note.origin]), cut.note.of_cosigner(by, cosigners[by])
            except Bad as e:
                raise Wrong("note") from e
            demand({ED, ML} <= said.keys() and {TIMED, ML} <= cosigned.keys(), "note")
            for log, after in zip(self.logs[x], self.logs[x][1:], strict=False):
                self._ended(log, after, logs, cosigners)

    def _ended(self, log, after, logs, cosigners):
        name, final, raw = origin(self.chan, log.letter, log.number), after.succeed["final"], after.succeed["note"]
        anchored = False
        try:
            note = Note(raw)
            demand((note.origin, note.size, note.root) == (name, final["size"], final["root"]), "record")
            said = note.of_log(logs[name])
            for other in self.logs[OTHER[log.letter]]:
                by = f"{origin(self.chan, other.letter, other.number)}/c"
                cosigned = note.of_cosigner(by, cosigners[by])
                anchored = anchored or ({ED, ML} <= said.keys() and {TIMED, ML} <= cosigned.keys())
        except Bad as e:
            raise Wrong("record") from e
        demand(ED in said, "record")
        demand(log.raw_note == (raw if anchored else None), "note")

    def check_witnesses(self, policy):
        """Enough witnesses of the policy under each anchor of the cut."""
        for x in "ab":
            note = self.logs[x][-1].note
            demand(sum(witnessed(note, w["vkey"]) for w in policy["witnesses"]) >= policy["quorum"], "note")


def demand(holds, part):
    """A check of an archive."""
    if not holds:
        raise Wrong(part)
