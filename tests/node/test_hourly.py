"""What comes due with the hours, on two real nodes whose clock the test steers: commitments, heartbeats, dropped notes."""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import asynccontextmanager
from hashlib import sha256

import pytest

from channel.log.notes import NoteKey
from channel.node.app import serving
from channel.protocol import note as notes
from channel.protocol.fold import Fold
from channel.protocol.note import NotePublic
from channel.protocol.record import NodeAck, SideAck, try_read
from keys.codec import unpack
from tests.node.parties import Parties, Steered, until

HOUR = 3600.0


class Pair:
    """Two running nodes with one clock, b that of US."""

    def __init__(self, parties, clock, nodes):
        self.parties, self.clock, self.nodes = parties, clock, nodes
        self.a, self.b = (node.station for node in nodes)

    async def until(self, true, seconds=25.0):
        """Wait until something holds, or a node has ended by an error."""
        await until(true, *self.nodes, seconds=seconds)

    def skip(self, seconds):
        """Let the clock of both nodes run ahead; their loops look at once."""
        self.clock.skip(seconds)
        for station in (self.a, self.b):
            station.wake()

    async def quiet(self):
        """Wait until both have cosigned and anchored all of the other, and neither owes an acknowledgement."""
        async with asyncio.timeout(25):
            while not await self._is_quiet():  # noqa: ASYNC110 - what is waited for is in the store
                await asyncio.sleep(0.05)

    async def _is_quiet(self):
        both = (self.a, self.b)
        if any(s.owes_ack or s.delivered != s.sizes[s.letter] or s.delivered < 5 for s in both):
            return False
        found = [await s.newest_pair() for s in both]
        return self.a.sizes == self.b.sizes and all(
            pair is not None and {"a": pair[0].size, "b": pair[1].size} == s.sizes
            for pair, s in zip(found, both, strict=True)
        )


@asynccontextmanager
async def running(folder):
    parties, clock = Parties(folder), Steered()
    async with (
        serving(parties.nodes["CN"], clock, out=io.StringIO()) as cn,
        serving(parties.nodes["US"], clock, out=io.StringIO()) as us,
    ):
        pair = Pair(parties, clock, (cn, us))
        await pair.until(lambda: pair.a.opened and pair.b.opened)
        await pair.quiet()
        yield pair


@pytest.fixture
async def pair(tmp_path, need):
    """Both nodes, opened and quiet."""
    need("embedded-valkey")
    async with running(tmp_path / "trial") as pair:
        yield pair


async def read(log, size):
    """The records of a log that can be read, with their places."""
    return [(at, r) for at, raw in enumerate(await log.records(0, size)) if (r := try_read(raw)) is not None]


async def commitments(station):
    """The hourly acks of a station's own shared log: place, record, body."""
    found = [(at, r, unpack(r.env, NodeAck)) for at, r in await read(station.own, 9999) if r.t == "node.ack"]
    return [(at, r, body) for at, r, body in found if isinstance(body.side, bytes)]


async def side_acks(station):
    """The salts and notes that the side log keeps of them."""
    return [unpack(r.env, SideAck) for _, r in await read(station.side, 9999) if r.t == "node.ack"]


async def hour(pair, count):
    """Steer on until there are so many commitments, and all is delivered."""
    pair.skip(HOUR)
    async with asyncio.timeout(25):
        while len(await commitments(pair.b)) < count:  # noqa: ASYNC110 - what is waited for is in the store
            await asyncio.sleep(0.05)
    await pair.quiet()


async def test_the_side_log_is_committed_to_once_an_hour(pair):
    """After an hour, not before: a salted hash of a side anchor that the side log keeps, and the hash of the state."""
    async with pair.parties.desk("US"):
        pass
    pair.skip(HOUR / 2)
    await asyncio.sleep(0.3)
    await pair.quiet()
    assert await commitments(pair.b) == []
    size = await pair.b.side.size()
    pair.skip(HOUR / 2 - 60)
    await asyncio.sleep(0.3)
    await pair.quiet()
    assert await commitments(pair.b) == []
    await hour(pair, 1)
    ((at, _, body),) = await commitments(pair.b)
    (kept,) = await side_acks(pair.b)
    note = notes.parse(kept.note)
    text = kept.note.partition(b"\n\n")[0] + b"\n"
    assert body.side == sha256(kept.salt + text).digest()
    key = pair.b.own_party.side
    assert notes.check(note, NotePublic(key.ed, key.ml), None).log_anchor
    assert (note.origin, note.size) == (pair.b.origins.side, size)
    fold = Fold(pair.b.chan, pair.b._blob)
    for x, n in zip("ab", body.at, strict=True):
        fold.add(x, await pair.a.log(x).records(0, n))
    assert (fold.cut, fold.state_hash()) == (body.at, body.state)
    assert pair.b.delivered > at
    assert pair.a.fold.verdict("b", at).reason == ""
    await hour(pair, 2)
    assert len({ack.salt for ack in await side_acks(pair.b)}) == 2


async def test_an_empty_side_log_is_not_committed_to(pair):
    """While nothing stands in the side log, the hourly ack holds the hash of the state alone."""
    assert await pair.a.side.size() == 0
    pair.skip(HOUR)
    bodies = []
    async with asyncio.timeout(25):
        while not any(isinstance(body.state, bytes) for body in bodies):
            await asyncio.sleep(0.05)
            bodies = [unpack(r.env, NodeAck) for _, r in await read(pair.a.own, 9999) if r.t == "node.ack"]
    assert all(not isinstance(body.side, bytes) for body in bodies)
    assert await pair.a.side.size() == 0


async def test_side_notes_are_dropped_once_committed(pair):
    """Before the hourly commitment every side note stays; after it the last anchor of the day and the newest note do."""
    for _ in range(4):
        async with pair.parties.desk("US"):
            pass
    side = pair.b.side
    await pair.b.drop_old_notes()
    quick = [NoteKey(n, anchor=False) for n in range(1, 5)]
    assert sorted(await side.kept_notes()) == quick
    await hour(pair, 1)
    assert set(quick) < set(await side.kept_notes())
    await pair.b.drop_old_notes()
    kept = sorted(await side.kept_notes())
    assert [(key.size, key.anchor) for key in kept] == [(4, True), (5, False)]
    assert await side.newest_note() == await side.kept_note(kept[-1])


async def test_an_idle_day_keeps_little(pair):
    """After hours of heartbeats few anchors of the shared logs stay, and the newest pair is among them."""
    for _ in range(3):
        newest = [half.at for half in await pair.b.newest_pair()]
        pair.skip(31)
        async with asyncio.timeout(25):
            for side in (pair.a, pair.b):
                while any(half.at <= at for half, at in zip(await side.newest_pair(), newest, strict=True)):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        await asyncio.sleep(
            0.3
        )  # an anchor whose answer is still on its way would be dated by the clock after the next skip
    before = {x: len(await pair.b.log(x).kept_notes()) for x in "ab"}
    await pair.b.drop_old_notes()
    pair_kept = await pair.b.newest_pair()
    for x, half in zip("ab", pair_kept, strict=True):
        kept = await pair.b.log(x).kept_notes()
        assert half in kept
        assert len(kept) < before[x]
        assert len(kept) <= 6


async def test_a_heartbeat_is_due_by_the_nodes_own_clock(pair):
    """Half a minute of silence gives a new anchor over the same size with the new time; a second before gives none."""
    size = pair.b.sizes["b"]

    async def newest():
        keys = [key for key, marks in (await pair.b.own.kept_notes()).items() if key.anchor and "cosigned" in marks]
        return max(keys)

    first = await newest()
    pair.skip(28)
    await asyncio.sleep(0.5)
    assert await newest() == first
    pair.skip(3)
    async with asyncio.timeout(20):
        while await newest() == first:  # noqa: ASYNC110 - what is waited for is in the store
            await asyncio.sleep(0.05)
    assert ((await newest()).size, pair.b.sizes["b"]) == (size, size)
    assert (await newest()).at - first.at in range(25, 45)
    assert time.time() < (await newest()).at
