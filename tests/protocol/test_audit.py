"""The archive and its audit (docs/protocol.md 16): no change of any kind passes, and the place is named."""

from __future__ import annotations

import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from channel.protocol.archive import BLOB, MAGIC, NOTE, RECORDS, TAIL, framed, read
from channel.protocol.audit import audit
from channel.protocol.merkle import leaf_hash, root_of
from channel.protocol.note import Note, parse
from keys.codec import pack
from keys.errors import Malformed
from tests.archives import spans

DATA = (Path(__file__).parents[2] / "examples" / "incident.dcx").read_bytes()
ARCHIVE = read(DATA)
CHAN = ARCHIVE.sections[0].fields[0]["chan"]
RNG = random.Random(20261123)


def arrays() -> list[list[Any]]:
    return [[s.kind, *s.fields] for s in ARCHIVE.sections]


def rebuilt(sections: list[list[Any]]) -> bytes:
    """The sections framed anew, with a right SHA-256: what an attacker would hand over."""
    return framed(pack(section) for section in sections)


def fails(data: bytes) -> None:
    report = audit(data, CHAN)
    assert report.exit_code in (3, 5)
    assert report.failure is not None
    assert report.failure.part
    assert 0 <= report.failure.offset <= len(data)


def flip(at: int) -> bytes:
    return DATA[:at] + bytes([DATA[at] ^ (1 << RNG.randrange(8))]) + DATA[at + 1 :]


def test_the_example_holds():
    """Both parties' messages count; it is good where the channel is known, good with warnings where not."""
    report = audit(DATA, CHAN)
    assert report.exit_code == 0
    assert audit(DATA).exit_code == 6
    assert {m.number[:2] for m in report.messages} == {"US", "CN"}
    assert all("read" in m.acks for m in report.messages)
    assert report.state_hash == audit(DATA).state_hash
    assert rebuilt(arrays()) == DATA


def test_every_byte_outside_the_blobs():
    """Magic, framing, head, records, notes and the hash at the end: no byte can be changed."""
    blobs = [(s.offset, s.offset + len(pack([s.kind, *s.fields]))) for s in ARCHIVE.of(BLOB)]
    inside = {at for lo, hi in blobs for at in range(lo + 6, hi)}
    outside = [at for at in range(len(DATA)) if at not in inside]
    some = outside[:600] + RNG.sample(outside, 1500) + outside[-TAIL:]
    for at in some:
        fails(flip(at))


def test_two_thousand_seeded_places():
    """Any changed place is caught, in the record or section that it stands in."""
    held = spans(DATA)
    for at in RNG.sample(range(len(DATA)), 2000):
        report = audit(flip(at), CHAN)
        assert report.exit_code in (3, 5)
        assert report.failure is not None
        low, high = next(((low, high) for low, high, _ in held if low <= at < high), (0, 0))
        assert report.failure.part in ("magic", "hash") or low <= report.failure.offset < high + 5, (at, report)


def test_a_changed_blob_is_named_itself():
    """The failure stands at the section whose byte was changed."""
    for section in RNG.sample(ARCHIVE.of(BLOB), 20):
        report = audit(flip(section.offset + 40), CHAN)
        assert (report.failure.part, report.failure.offset) == ("blob", section.offset)


def drop(x: list[Any], i: int) -> None:
    del x[i]


def double(x: list[Any], i: int) -> None:
    x.insert(i, x[i])


def swap(x: list[Any], i: int) -> None:
    x[i], x[i - 1] = x[i - 1], x[i]


@pytest.mark.parametrize("change", [drop, double, swap])
def test_no_section_can_be_dropped_doubled_or_swapped(change: Callable[[list[Any], int], None]):
    """Not even with the hash at the end made anew."""
    for i in {*range(6), *RNG.sample(range(1, len(ARCHIVE.sections)), 25)} - ({0} if change is swap else set()):
        sections = arrays()
        change(sections, i)
        fails(rebuilt(sections))


@pytest.mark.parametrize("change", [drop, double, swap])
def test_no_record_can_be_dropped_doubled_or_swapped(change: Callable[[list[Any], int], None]):
    """Every record of both logs, with all else made to fit as far as an attacker can."""
    for n, section in enumerate(ARCHIVE.sections):
        for i in range(1 if change is swap else 0, len(section.fields[3]) if section.kind == RECORDS else 0):
            sections = arrays()
            records = list(section.fields[3])
            change(records, i)
            sections[n][4] = records
            fails(rebuilt(sections))


def test_nothing_can_be_added():
    """A record, a blob that no record names, a second note."""
    for n, section in enumerate(ARCHIVE.sections):
        sections = arrays()
        if section.kind == RECORDS:
            sections[n][4] = [*section.fields[3], section.fields[3][-1]]
            fails(rebuilt(sections))
    for extra in ([BLOB, b"x"], [NOTE, "b", 1, ARCHIVE.of(NOTE)[1].fields[2]]):
        sections = [*arrays(), extra]
        sections.sort(key=lambda s: (s[0], sha256(s[1]).digest() if s[0] == BLOB else b""))
        fails(rebuilt(sections))


def test_no_cut_passes():
    """At every section's edge, in its middle, and at seeded lengths."""
    for section in RNG.sample(list(ARCHIVE.sections), 40):
        fails(DATA[: section.offset - 4])
        fails(DATA[: section.offset + 1])
    for length in [0, 1, len(MAGIC), len(DATA) - 1, *RNG.sample(range(len(DATA)), 200)]:
        fails(DATA[:length])
    fails(DATA + b"\0")


def test_another_channel_is_refused():
    """An archive of another channel than the one named does not verify."""
    report = audit(DATA, bytes(32))
    assert report.exit_code == 5
    assert report.failure.code == "CHANNEL_OTHER"


def test_at_least():
    """A note of either log within the cut is covered; a newer one and one of another history or log are not."""
    for which in (0, 1):
        note = parse(ARCHIVE.of(NOTE)[which].fields[2])
        assert audit(DATA, CHAN, note).exit_code == 0
        assert audit(DATA, None, note).exit_code == 6
        leaves = [leaf_hash(raw) for s in ARCHIVE.of(RECORDS) if s.fields[0] == "ab"[which] for raw in s.fields[3]]
        for size in range(1, len(leaves)):
            assert audit(DATA, CHAN, Note(note.origin, size, root_of(leaves[:size]))).exit_code == 0
        for other in (
            Note(note.origin, note.size + 1, note.root),
            Note(note.origin, note.size, bytes(32)),
            Note(note.origin, note.size - 1, note.root),
            Note("dcx1/other", note.size, note.root),
            Note(note.origin[:-1] + "1", 1, note.root),
        ):
            report = audit(DATA, CHAN, other)
            assert (report.exit_code, report.failure and report.failure.code) == (5, "AT_LEAST")


def test_what_it_is_complete_to():
    """Sizes by party code, the older time of both cosignatures; nothing of it where the archive does not hold."""
    report = audit(DATA, CHAN)
    assert report.complete_to == {
        "CN": parse(ARCHIVE.of(NOTE)[0].fields[2]).size,
        "US": parse(ARCHIVE.of(NOTE)[1].fields[2]).size,
    }
    times = [
        max(int.from_bytes(line.sig[:8]) for line in note.lines if line.name.endswith("/c"))
        for note in (parse(s.fields[2]) for s in ARCHIVE.of(NOTE))
    ]
    assert report.cosigned_at == min(times)
    assert audit(DATA[:-1] + bytes([DATA[-1] ^ 1]), CHAN).complete_to == {}


def test_what_is_no_archive_is_unreadable():
    """Empty, another file, a wrong magic: 3, and never an exception."""
    for data in (b"", b"PK\x03\x04" * 20, b"DCXARCH2" + DATA[8:], RNG.randbytes(5000), MAGIC + bytes(40)):
        assert audit(data).exit_code == 3
        with pytest.raises(Malformed):
            read(data)
