"""Every byte, every record and every cut of a small archive (docs/protocol.md 16.2): 3 or 5, and where.

The archive is of the smallest lawful channel with one message, read by the other side. An everyday run changes every
32nd byte from an offset that goes with the run's seed; ``--campaign 32`` changes all of them, twice, and makes every cut.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from typing import Any

import pytest

from channel.protocol.archive import HEAD, NOTE, RECORDS, framed, read
from channel.protocol.audit import audit
from channel.protocol.formats import Book
from channel.protocol.merkle import leaf_hash, root_of
from channel.protocol.note import parse
from keys.codec import pack
from tests.archives import archive, change_places, cut_off, outcome, sealed, spans
from tests.world import World, small_books

PROCESSES = 2
WORLD = World(small=True)
SENT = sealed(WORLD, "a", "expert1", {"text": "small"})
WORLD.ack("b", "expert1", SENT)
WORLD.sync("a")
DATA = archive(WORLD)
ARCHIVE = read(DATA)
CHAN = WORLD.chan
PIECE = 2000


@pytest.fixture(scope="module")
def step(campaign: Any) -> int:
    """How many bytes lie between two that are changed: 32, in a campaign of N rounds as many times fewer, at least 1."""
    return max(1, 32 // campaign.rounds)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as made:
        yield made


def spread(
    pool: ProcessPoolExecutor, work: Callable[..., list[Any]], places: list[int], seed: int, **how: bool
) -> list[Any]:
    """What ``work`` says of all places, done by the pool a piece at a time."""
    pieces = [places[i : i + PIECE] for i in range(0, len(places), PIECE)]
    waiting = [pool.submit(work, DATA, CHAN, piece, seed, **how) for piece in pieces]
    return [one for each in waiting for one in each.result()]


def tally(outcomes: list[Any]) -> str:
    """How many ended with which exit code and part."""
    found = Counter(f"{code} {part}" for _, code, part, _, _ in outcomes)
    return ", ".join(f"{what}: {found[what]}" for what in sorted(found))


def test_the_archive_is_as_small_as_the_rules_allow_and_holds():
    """Two authority keys and two members a side, a book that can be read; 0 with its channel, else 6."""
    report = audit(DATA, CHAN)
    assert report.exit_code == 0
    assert audit(DATA).exit_code == 6
    assert [(m.number, m.ref, m.acks) for m in report.messages] == [("CN-2026-000001", "CN:4", ("read",))]
    assert len(DATA) < 180_000
    assert Book.read(small_books()[0]).defaults("F03")["tlp"] == "RED"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("flip", [False, True], ids=["any value", "one bit"])
def test_every_byte(pool: ProcessPoolExecutor, campaign: Any, step: int, flip: bool):
    """No byte can be changed, and the place that is named is the section, mostly the record, that it stands in."""
    seed = random.randrange(1 << 30)
    places = list(range(seed % step, len(DATA), step))
    outcomes = spread(pool, change_places, places, seed, flip=flip)
    assert [(at, seed) for at, code, *_ in outcomes if code not in (3, 5)] == []
    assert [(at, seed, rest) for at, *rest in outcomes if not named_rightly(at, *rest)] == []
    campaign.report(
        f"archive: {len(places)} of {len(DATA)} bytes changed, {'one bit' if flip else 'any value'}: {tally(outcomes)}"
    )
    in_records = sum(any(low <= at < high for low, high in RECORD_SPANS) for at in places)
    assert sum(part == "record" for _, _, part, _, _ in outcomes) > 0.98 * in_records


SPANS = spans(DATA)
RECORD_SPANS = [
    (at, at + len(pack(raw)))
    for _, high, section in SPANS
    if section.kind == RECORDS
    for i, raw in enumerate(section.fields[3])
    for at in [high - sum(len(pack(r)) for r in section.fields[3][i:])]
]


def named_rightly(at: int, code: int, part: str, offset: int, why: str) -> bool:
    """Whether the failure names the record or section that holds byte ``at``, or for a kind or key the next one."""
    home = next((i for i, (low, high, _) in enumerate(SPANS) if low <= at < high), None)
    if home is None:
        return part in ("magic", "hash")
    if part == "record":
        return any(low == offset and low <= at < high for low, high in RECORD_SPANS)
    low, high, _ = SPANS[home]
    follows = part != "record" and code == 3 and offset in (high, high + 4) and at - low < 16
    return offset in (low, low + 4) or follows


@pytest.mark.timeout(3600)
def test_every_cut(pool: ProcessPoolExecutor, campaign: Any, step: int):
    """No length but the whole passes, with the old end or with a SHA-256 made for what is left."""
    seed = random.randrange(1 << 30)
    lengths = sorted(
        {*range(seed % step, len(DATA), step), *(x for low, high, _ in SPANS for x in (low, low + 4, high - 1))}
    )
    outcomes = spread(pool, cut_off, lengths, seed)
    assert [(n, seed) for n, code, *_ in outcomes if code not in (3, 5)] == []
    assert all(part and 0 <= offset <= len(DATA) for _, _, part, offset, _ in outcomes)
    campaign.report(f"archive: {len(lengths)} of {len(DATA)} cuts: {tally(outcomes)}")


# --- records --------------------------------------------------------------------------------------------------------------


def drop(records: list[bytes], i: int) -> None:
    del records[i]


def double(records: list[bytes], i: int) -> None:
    records.insert(i, records[i])


def swap(records: list[bytes], i: int) -> None:
    """With the next one; the last with the one before."""
    j = i + 1 if i + 1 < len(records) else i - 1
    records[i], records[j] = records[j], records[i]


@cache
def strange(letter: str) -> tuple[bytes, ...]:
    """What could be added: a record of the other log, a copy, and two fresh ones that would have stood there lawfully."""
    world = World(small=True, opening=False)
    for x in "ab":
        for raw in WORLD.logs[x]:
            world.raw(x, raw)
    world.ts = dict(WORLD.ts)
    fresh = [sealed(world, letter, "expert1", {"text": "another"}, mid=bytes(16)), world.sync(letter)]
    fold = world.fold()
    assert [world.reason(sent, fold) for sent in fresh] == ["", ""]
    return WORLD.logs["b" if letter == "a" else "a"][-1], WORLD.logs[letter][-1], *(sent.raw for sent in fresh)


def add(made: bytes) -> Callable[[list[bytes], int], None]:
    def change(records: list[bytes], i: int) -> None:
        records.insert(i + 1, made)

    return change


def remade(letter: str, change: Callable[[list[bytes], int], None], i: int, how: str) -> bytes:
    """The archive with changed records and, by ``how``, the end, the head's cut and the note's text made anew."""
    sections = [[s.kind, *s.fields] for s in ARCHIVE.sections]
    of = next(s for s in sections if s[0] == RECORDS and s[1] == letter)
    of[4] = list(of[4])
    change(of[4], i)
    if how in ("head", "note"):
        root = root_of([leaf_hash(raw) for raw in of[4]])
        head = dict(sections[0][1])
        head["cut"] = [list(each) for each in head["cut"]]
        head["cut"]["ab".index(letter)] = [0, len(of[4]), root]
        sections[0] = [HEAD, head]
        if how == "note":
            of = next(s for s in sections if s[0] == NOTE and s[1] == letter)
            old = parse(of[3])
            of[3] = replace(old, size=head["cut"]["ab".index(letter)][1], root=root).encode()
    data = framed(pack(s) for s in sections)
    return data[:-32] + DATA[-32:] if how == "old end" else data


ARCHIVE_RECORDS = {s.fields[0]: s.fields[3] for s in ARCHIVE.of(RECORDS)}


@pytest.mark.parametrize("how", ["old end", "new end", "head", "note"])
@pytest.mark.parametrize("letter", ["a", "b"])
def test_no_record_dropped_doubled_swapped_or_added(letter: str, how: str):
    """Every record of both logs; with the SHA-256, then the head's cut, then the note's text made to fit."""
    changes = [drop, double, swap, *(add(raw) for raw in strange(letter))]
    for change in changes:
        for i in range(len(ARCHIVE_RECORDS[letter])):
            data = remade(letter, change, i, how)
            code, part, offset, _ = outcome(data, CHAN)
            assert code in (3, 5), (change, i)
            assert part
            assert 0 < offset < len(data)
            if how == "head":
                assert part == "note"  # the one that differs from the other two
