"""Two logs over a line that drops, repeats, delays, reorders and cuts what is said end equal, and every note agrees.

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
from keys.errors import Malformed

CHAN = bytes(range(32))
KEY, COS = NotePrivate(b"\x01" * 64), NotePrivate(b"\x02" * 64)

# What happens at one turn: whose request, how often it arrives and behind how many later turns, the same of its answer,
# whether it brings its blobs, whether its note is an anchor, whether half of it arrives.
TURN = st.tuples(
    st.sampled_from("ab"), st.integers(0, 2), st.integers(0, 3), st.integers(0, 2), st.integers(0, 3),
    st.booleans(), st.booleans(), st.sampled_from([False, False, False, True]),
)  # fmt: skip
LINE = st.lists(TURN, min_size=10, max_size=60)
BATCHES = st.lists(st.integers(1, 4), min_size=1, max_size=8)


def record(i):
    blob = b"blob %d" % i
    raw = Record(t="msg", ts=i, seen=NOTHING_SEEN, blobs=(sha256(blob).digest(),), env=b"%d" % i).encode()
    return raw, blob


class Sender:
    """A log with a note for each batch, and a cursor that only answers move."""

    def __init__(self, letter, batches):
        self.origin = note.origin(CHAN, letter, 0)
        self.cosigner = note.cosigner_name(note.origin(CHAN, "ba"["ab".index(letter)], 0))
        self.records, self.blobs, self.notes = [], {}, {}
        frontier = Frontier.empty()
        for count in batches:
            for _ in range(count):
                raw, blob = record(len(self.records))
                self.records.append(raw)
                self.blobs[sha256(blob).digest()] = blob
                frontier = frontier.extend([leaf_hash(raw)])
            self.notes[frontier.size] = note.sign_quick(KEY, self.origin, frontier.size, frontier.root())
        self.cursor, self.missing = 0, ()
        self.delivered = []

    def request(self, *, with_blobs, anchor=False):
        """The next request, or a refresh of the newest note."""
        size = min((n for n in self.notes if n > self.cursor), default=max(self.notes))
        recs = tuple(self.records[self.cursor : size])
        named = {h for raw in recs for h in try_read(raw).blobs}
        want = named if with_blobs else named & set(self.missing)
        blobs = tuple(self.blobs[h] for h in sorted(want))
        signed = self.notes[size]
        if anchor:
            signed = note.sign_anchor(KEY, self.origin, size, signed.root, 1 + len(self.delivered))
        return signed, append.Request(old=min(self.cursor, size), note=signed.encode(), recs=recs, blobs=blobs).encode()

    def answered(self, signed, status, body):
        """An answer, be it the second one or of long ago."""
        if status == 200:
            merged = append.check_answer(signed, body, (self.cosigner, COS.public))
            standing = note.check(merged, KEY.public, (self.cosigner, COS.public))
            assert standing.cosigned
            assert standing.cosigned_anchor == standing.log_anchor
            self.delivered.append(signed.size)
            self.cursor = max(self.cursor, signed.size)
        elif status == 409:
            self.cursor = append.read_size(body)
        elif status == 424:
            self.missing = append.read_missing(body)
        else:
            assert status == 400, body


class Receiver:
    """A mirror in memory that acts on what ``receive`` says, in the order of the protocol."""

    def __init__(self, sender):
        self.origin, self.cosigner = sender.origin, sender.cosigner
        self.store = MemoryServer().store(CHAN)
        self.log = self.store.log("a0")
        self.frontier, self.note, self.released = Frontier.empty(), None, []

    async def receive(self, raw):
        before = self.frontier.size
        try:
            request = append.read_request(raw)
        except Malformed:
            return 400, b""
        named = {h for r in request.recs for h in try_read(r).blobs}
        stored = {h for h in named if await self.log.blob(h) is not None}
        outcome = append.receive(raw, self.origin, KEY.public, self.frontier, self.note, stored.__contains__)
        if isinstance(outcome, append.Accept):
            entries = [Entry(r, leaf) for r, leaf in zip(outcome.records, outcome.leaf_hashes, strict=True)]
            written = await self.log.append(self.frontier.size, entries, outcome.blobs)
            assert isinstance(written, Appended)
            self.frontier = outcome.frontier
        assert self.frontier.size >= before
        if isinstance(outcome, (append.Accept, append.Refresh)):
            assert outcome.note.root == self.frontier.root()
            lines = note.cosign(COS, self.cosigner, outcome.note, 1, anchor=outcome.anchor)
            self.note = note.merge(outcome.note, lines)
            self.released.append(self.note)
            return outcome.status, outcome.body(lines)
        assert self.frontier.size == before
        return outcome.status, outcome.body()


class Line:
    """One direction: requests and answers under way, each with the turns that it still takes."""

    def __init__(self, letter, batches):
        self.sender = Sender(letter, batches)
        self.receiver = Receiver(self.sender)
        self.requests, self.answers = [], []

    async def turn(self):
        """Time goes on by one: what is due arrives."""
        for waiting in (self.requests, self.answers):
            for item in waiting:
                item[0] -= 1
        for item in [r for r in self.requests if r[0] < 0]:
            self.requests.remove(item)
            _, signed, raw, copies, late = item
            answer = await self.receiver.receive(raw)
            self.answers += [[late + c, signed, *answer] for c in range(copies)]
        for item in [a for a in self.answers if a[0] < 0]:
            self.answers.remove(item)
            self.sender.answered(*item[1:])

    async def finish(self):
        """The line is whole again; what was stuck in it comes last."""
        while self.sender.cursor < len(self.sender.records) or not self.sender.delivered:
            signed, raw = self.sender.request(with_blobs=True)
            self.sender.answered(signed, *await self.receiver.receive(raw))
        for _, _, raw, *_ in self.requests:
            assert (await self.receiver.receive(raw))[0] in (200, 400, 409)
        for _, signed, status, body in self.answers:
            self.sender.answered(signed, status, body)


async def play(batches, turns):
    lines = {letter: Line(letter, some) for letter, some in zip("ab", batches, strict=True)}
    for line in lines.values():
        await line.receiver.store.take_fence(["a0"])
    for letter, copies, late, answers, answer_late, with_blobs, anchor, cut in turns:
        line = lines[letter]
        signed, raw = line.sender.request(with_blobs=with_blobs, anchor=anchor)
        raw = raw[: len(raw) // 2] if cut else raw
        line.requests += [[late + c, signed, raw, answers, answer_late] for c in range(copies)]
        for one in lines.values():
            await one.turn()
    for line in lines.values():
        await line.finish()
    return lines.values()


@settings(max_examples=150)
@given(batches=st.tuples(BATCHES, BATCHES), turns=LINE)
def test_two_ends_end_equal(batches, turns):
    """Whatever the line does, each mirror ends as its log, blobs too; nothing was cosigned that is no prefix or shorter."""
    for line in asyncio.run(play(batches, turns)):
        sender, receiver = line.sender, line.receiver

        async def held(sender=sender, receiver=receiver):
            records = await receiver.log.records(0, await receiver.log.size())
            return records, [await receiver.log.blob(h) for h in sender.blobs]

        records, blobs = asyncio.run(held())
        assert records == sender.records
        assert blobs == list(sender.blobs.values())
        roots = [Frontier.empty()]
        for raw in sender.records:
            roots.append(roots[-1].extend([leaf_hash(raw)]))
        assert all(released.root == roots[released.size].root() for released in receiver.released)
        sizes = [released.size for released in receiver.released]
        assert sizes == sorted(sizes)
