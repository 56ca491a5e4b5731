"""Two logs over a line that drops, repeats, delays and reorders requests end equal, and every note agrees.

The protocol's two ends as pure functions over logs in memory: what a node's courier and receiver do, without its sockets.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from channel.log.log import Appended, Entry
from channel.log.memory import MemoryServer
from channel.protocol import append, note
from channel.protocol.merkle import Frontier, leaf_hash
from channel.protocol.note import NotePrivate
from channel.protocol.record import NOTHING_SEEN, Record, try_read

CHAN = bytes(range(32))
KEY, COS = NotePrivate(b"\x01" * 64), NotePrivate(b"\x02" * 64)
ORIGIN = note.origin(CHAN, "a", 0)
COSIGNER = note.cosigner_name(note.origin(CHAN, "b", 0))

# What the line does with the next request: how often it arrives, and behind how many later ones.
LINE = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=40)
BATCHES = st.lists(st.integers(1, 4), min_size=1, max_size=8)


def record(i):
    blob = b"blob %d" % i
    raw = Record(t="msg", ts=i, seen=NOTHING_SEEN, blobs=(sha256(blob).digest(),), env=b"%d" % i).encode()
    return raw, blob


class Sender:
    """A log with a note for each batch, and a cursor that only answers move."""

    def __init__(self, batches):
        self.records, self.blobs, self.notes = [], {}, {}
        frontier = Frontier.empty()
        for count in batches:
            for _ in range(count):
                raw, blob = record(len(self.records))
                self.records.append(raw)
                self.blobs[sha256(blob).digest()] = blob
                frontier = frontier.extend([leaf_hash(raw)])
            self.notes[frontier.size] = note.sign_quick(KEY, ORIGIN, frontier.size, frontier.root())
        self.cursor, self.missing = 0, ()
        self.delivered = []

    def request(self, *, with_blobs):
        """The next request, or a refresh of the newest note."""
        size = min((n for n in self.notes if n > self.cursor), default=max(self.notes))
        recs = tuple(self.records[self.cursor : size])
        named = {h for raw in recs for h in try_read(raw).blobs}
        want = named if with_blobs else named & set(self.missing)
        blobs = tuple(self.blobs[h] for h in sorted(want))
        return size, append.Request(
            old=min(self.cursor, size), note=self.notes[size].encode(), recs=recs, blobs=blobs
        ).encode()

    def answered(self, size, status, body):
        if status == 200:
            merged = append.check_answer(self.notes[size], body, (COSIGNER, COS.public))
            assert note.check(merged, KEY.public, (COSIGNER, COS.public)).cosigned
            self.delivered.append(size)
            self.cursor = max(self.cursor, size)
        elif status == 409:
            self.cursor = append.read_size(body)
        else:
            assert status == 424, body
            self.missing = append.read_missing(body)


class Receiver:
    """A mirror in memory that acts on what ``receive`` says, in the order of the protocol."""

    def __init__(self):
        store = MemoryServer().store(CHAN)
        self.store, self.log = store, store.log("a0")
        self.frontier, self.note, self.released = Frontier.empty(), None, []

    async def receive(self, raw):
        request = append.read_request(raw)
        named = {h for r in request.recs for h in try_read(r).blobs}
        stored = {h for h in named if await self.log.blob(h) is not None}
        outcome = append.receive(raw, ORIGIN, KEY.public, self.frontier, self.note, stored.__contains__)
        if isinstance(outcome, append.Accept):
            entries = [Entry(r, leaf) for r, leaf in zip(outcome.records, outcome.leaf_hashes, strict=True)]
            written = await self.log.append(self.frontier.size, entries, outcome.blobs)
            assert isinstance(written, Appended)
            self.frontier = outcome.frontier
        if isinstance(outcome, (append.Accept, append.Refresh)):
            assert outcome.note.root == self.frontier.root()
            lines = note.cosign(COS, COSIGNER, outcome.note, 1, anchor=False)
            self.note = note.merge(outcome.note, lines)
            self.released.append(self.note)
            return outcome.status, outcome.body(lines)
        return outcome.status, outcome.body()


async def play(batches, line):
    sender, receiver = Sender(batches), Receiver()
    await receiver.store.take_fence(["a0"])
    waiting = []  # requests that are late: (how many turns yet, size, bytes)
    for copies, late, with_blobs in line:
        size, raw = sender.request(with_blobs=with_blobs)
        waiting += [[late + c, size, raw] for c in range(copies)]
        for turn in waiting:
            turn[0] -= 1
        for turn in [t for t in waiting if t[0] < 0]:
            waiting.remove(turn)
            status, body = await receiver.receive(turn[2])
            if copies != 2:  # else the answer is lost on the way back
                sender.answered(turn[1], status, body)
    while sender.cursor < len(sender.records) or not sender.delivered:  # the line is whole again
        size, raw = sender.request(with_blobs=True)
        sender.answered(size, *await receiver.receive(raw))
    for _, _, raw in waiting:  # and what was stuck in it comes last
        status, _ = await receiver.receive(raw)
        assert status in (200, 409)
    return sender, receiver


@settings(max_examples=60)
@given(batches=BATCHES, line=LINE)
def test_two_ends_end_equal(batches, line):
    """Whatever the line does, the mirror ends as the log, blobs too, and nothing was cosigned that is not a prefix."""
    sender, receiver = asyncio.run(play(batches, line))

    async def held():
        size = await receiver.log.size()
        records = await receiver.log.records(0, size)
        return records, [await receiver.log.blob(h) for h in sender.blobs]

    records, blobs = asyncio.run(held())
    assert records == sender.records
    assert blobs == list(sender.blobs.values())
    frontiers = {0: Frontier.empty()}
    for i, raw in enumerate(sender.records):
        frontiers[i + 1] = frontiers[i].extend([leaf_hash(raw)])
    for released in receiver.released:
        assert released.root == frontiers[released.size].root()
