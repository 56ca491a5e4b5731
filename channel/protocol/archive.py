"""The ``.dcx`` archive: one framed stream of DCM sections, no clock, no compression (docs/protocol.md section 16.1).

    "DCXARCH1" ‖ (u32 length ‖ DCM array) … ‖ SHA-256 of all before

Sections stand in strictly rising order of (kind, key), so the same contents give the same bytes:

    1 head      [1, {v, form, chan, cut: [[log_no, size, root] of a, of b]}]
    2 records   [2, letter, log_no, first, [record …]]        256 records each, the last of a log number fewer
    3 note      [3, letter, log_no, note]                     the anchor of the cut, and of each number before it
    4 blob      [4, blob]                                     exactly those that the records name, by hash
    5 proof     [5, letter, log_no, index, record, [path …]]  in place of 2 where the form is proof
    6 reveal    [6, {party, mid, …}]                          section 11.7
    7 evidence  [7, {k, …}]                                   what the records do not hold

Here the bytes are made and read; what they say is judged by ``channel.protocol.audit``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal

from msgspec import Meta

from channel.protocol.merkle import HASH
from channel.protocol.record import Seen
from keys.codec import pack, unpack
from keys.errors import Malformed
from keys.shapes import Document, Hash

MAGIC = b"DCXARCH1"
TAIL = 32
MAX_SECTION = 32 * 1024 * 1024
RECORDS_EACH = 256
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


class Head(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the archive is of. ``cut`` = (log number, size, root) of logs a and b."""

    form: Literal["full", "proof"]
    chan: Hash
    cut: Annotated[tuple[Seen, ...], Meta(min_length=2, max_length=2)]


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its kind, its key within the kind, its fields after the kind, and where its DCM bytes begin."""

    kind: int
    key: tuple[Any, ...]
    fields: tuple[Any, ...]
    offset: int
    index: int

    @property
    def part(self) -> str:
        """Its name, for people."""
        return PARTS[self.kind]


@dataclass(frozen=True, slots=True)
class Archive:
    """The sections of a file, and whether its last 32 bytes are the hash of the rest."""

    sections: tuple[Section, ...]
    intact: bool

    def of(self, kind: int) -> list[Section]:
        """The sections of one kind, in order."""
        return [s for s in self.sections if s.kind == kind]


@dataclass(frozen=True, slots=True)
class LogPart:
    """One log number of a party up to the cut, or up to its ``final``. ``note``: its anchor, None where there is none."""

    letter: str
    number: int
    records: Sequence[bytes]
    note: bytes | None


def write(head: Head, logs: Iterable[LogPart], blobs: Iterable[bytes], *, reveals: Iterable[dict[str, Any]] = (),
          evidence: Iterable[dict[str, Any]] = ()) -> bytes:  # fmt: skip
    """The bytes of an archive of form full. ``logs``: every log number of both parties."""
    parts = list(logs)
    arrays: list[list[Any]] = [
        [RECORDS, part.letter, part.number, first, list(part.records[first : first + RECORDS_EACH])]
        for part in parts
        for first in range(0, len(part.records), RECORDS_EACH)
    ]
    return joined(head, arrays, parts, blobs, reveals, evidence)


def joined(head: Head, arrays: list[list[Any]], logs: Iterable[LogPart], blobs: Iterable[bytes],
           reveals: Iterable[dict[str, Any]], evidence: Iterable[dict[str, Any]]) -> bytes:  # fmt: skip
    """The bytes of sections of records or proofs, and of all that stands beside them, in their one order."""
    arrays = [[HEAD, head], *arrays]
    arrays += [[NOTE, part.letter, part.number, part.note] for part in logs if part.note is not None]
    arrays += [[BLOB, blob] for blob in {sha256(b).digest(): b for b in blobs}.values()]
    arrays += [[REVEAL, body] for body in reveals]
    arrays += [[EVIDENCE, body] for body in evidence]
    arrays.sort(key=lambda a: (a[0], _key(a[0], a[1:])))
    return framed(pack(array) for array in arrays)


def framed(sections: Iterable[bytes]) -> bytes:
    """Magic, length-prefixed sections, and the SHA-256 of all before."""
    body = MAGIC + b"".join(len(raw).to_bytes(4, "big") + raw for raw in sections)
    return body + sha256(body).digest()


def read(data: bytes) -> Archive:
    """The sections, or ``Malformed`` ARCHIVE {part, index, offset, why}. A wrong hash at the end is left to the audit."""
    if data[: len(MAGIC)] != MAGIC:
        raise _fault("magic", 0, 0, "no archive of this version")
    end, at = len(data) - TAIL, len(MAGIC)
    sections: list[Section] = []
    while at < end:
        index = len(sections)
        if at + 4 > end:
            raise _fault("framing", index, at, "cut off")
        length = int.from_bytes(data[at : at + 4], "big")
        if length > MAX_SECTION or at + 4 + length > end:
            raise _fault("framing", index, at, "a length beyond the end")
        section = _section(data[at + 4 : at + 4 + length], at + 4, index)
        if sections and not _rises(sections[-1], section):
            raise _fault(section.part, index, at, "out of order, or one twice")
        sections.append(section)
        at += 4 + length
    if at != end or not sections:
        raise _fault("framing", len(sections), min(at, len(data)), "cut off")
    return Archive(tuple(sections), sha256(data[:end]).digest() == data[end:])


def _rises(before: Section, section: Section) -> bool:
    """Whether a section may follow. Blobs are compared by the audit: their key is a hash, and a changed one moves it."""
    if before.kind == section.kind == BLOB:
        return True
    return (before.kind, before.key) < (section.kind, section.key)


def _section(raw: bytes, offset: int, index: int) -> Section:
    try:
        array = unpack(raw, list)
    except Malformed as e:
        raise _fault("section", index, offset, str(e.values["why"])) from e
    kind, fields = (array[0], tuple(array[1:])) if array else (0, ())
    if type(kind) is not int or kind not in PARTS:
        raise _fault("section", index, offset, "not the form of its kind")
    if not _fits(kind, fields):
        raise _fault(PARTS[kind], index, offset, "not the form of its kind")
    return Section(kind, _key(kind, fields), fields, offset, index)


def _fits(kind: int, fields: tuple[Any, ...]) -> bool:
    if any(type(x) is bool for x in fields):  # which Python takes for a number
        return False
    match kind, fields:
        case (1 | 7, (dict(),)) | (6, ({"party": str(), "mid": bytes()},)):
            return True
        case 2, ("a" | "b", int(), int(), list(records)):
            return 0 < len(records) <= RECORDS_EACH and all(isinstance(r, bytes) for r in records)
        case 3, ("a" | "b", int(), bytes()):
            return True
        case 4, (bytes(),):
            return True
        case 5, ("a" | "b", int(), int(), bytes(), list(path)):
            return all(isinstance(h, bytes) and len(h) == HASH for h in path)
    return False


def _key(kind: int, fields: Any) -> tuple[Any, ...]:
    match kind:
        case 2 | 5:
            return tuple(fields[:3])
        case 3:
            return tuple(fields[:2])
        case 4:
            return (sha256(fields[0]).digest(),)
        case 6:
            return fields[0]["party"], fields[0]["mid"]
        case 7:
            return (sha256(pack(fields[0])).digest(),)
    return ()


def _fault(part: str, index: int, offset: int, why: str) -> Malformed:
    return Malformed("ARCHIVE", part=part, index=index, offset=offset, why=why)
