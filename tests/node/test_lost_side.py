"""A side log that the store lost some of: nobody else has it, so the places stay and the log says which are empty."""

from __future__ import annotations

import asyncio
import io
import shutil
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from channel.log.embedded import EmbeddedServer
from channel.log.journal import Journal
from channel.log.redis import RedisServer
from channel.node.app import serving
from channel.node.state import State
from channel.node.station import origins_of
from channel.protocol.merkle import leaf_hash, root_from_inclusion, root_of
from channel.protocol.people import SideNote
from channel.protocol.record import Gap, read_record, try_read
from keys.codec import unpack
from keys.envelope import sign
from keys.errors import Problem
from tests.node.parties import CLOCK, Parties, digest


@pytest.fixture
async def parties(tmp_path, need):
    """The homes, with the node of CN running."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial")
    async with serving(parties.nodes["CN"], CLOCK, out=io.StringIO()) as cn:
        parties.cn = cn.station
        yield parties


@asynccontextmanager
async def us(parties, out=None):
    """The node of US, ready for work; inside, its station. It ends when the shared logs are delivered."""
    async with serving(parties.nodes["US"], CLOCK, out=out or io.StringIO()) as node:
        async with asyncio.timeout(30):
            while not (node.station.opened and node.station.state is State.ACTIVE):
                if node.ended.done():
                    node.ended.result()
                await asyncio.sleep(0.02)
        yield node.station
        both = (node.station, parties.cn)
        async with asyncio.timeout(30):
            while any(s.owes_ack or s.delivered != s.sizes[s.letter] for s in both) or both[0].sizes != both[1].sizes:
                await both[0].changed(0.1)


async def log_in(parties, times):
    """So many logins, each a record of the side log."""
    for _ in range(times):
        async with parties.desk("US"):
            pass


@asynccontextmanager
async def stopped_store(parties):
    """The store of the stopped node of US."""
    server = EmbeddedServer(parties.nodes["US"] / "store")
    await server.start()
    redis = await RedisServer.connect(server.url)
    store = redis.store(parties.chan)
    await store.take_fence([parties.letter("US") + "0s"])
    yield store
    await store.close()
    await redis.close()
    await server.stop()


def journal_of(parties):
    """Size, root and leaf hashes of the side log as the journal of the stopped node has them."""
    with Journal.open(parties.nodes["US"] / "journal.sqlite") as journal:
        origin = origins_of(parties.chan, parties.letter("US")).side
        head = journal.head(origin)
        return head.size, head.root, journal.leaves(origin, 0, head.size)


def gaps(records):
    """What the log says of its lost places."""
    read = [(at, try_read(raw)) for at, raw in enumerate(records)]
    return [(at, unpack(r.env, Gap)) for at, r in read if r is not None and r.t == "node.gap"]


async def check_side(parties, size, leaves, lo, hi):
    """Below ``size`` the side log has the leaves that were signed, is empty in [lo, hi) and names that once."""
    async with us(parties) as station, parties.desk("US") as desk:
        records = await desk.all_records("side")
        stored = await station.side.leaf_hashes(0, len(records))
        assert stored[:size] == leaves
        assert [at for at, raw in enumerate(records) if not raw] == list(range(lo, hi))
        assert all(leaf_hash(raw) == leaf for raw, leaf in zip(records, stored, strict=True) if raw)
        assert [(g.lo, g.hi, g.hashes) for _, g in gaps(records)] == [(lo, hi, tuple(leaves[lo:hi]))]
        head = station.signer.head(station.origins.side)
        assert head.root == root_of(stored[: head.size])
        for at in (0, lo, hi - 1, size - 1):
            said = await desk.wire._signed("GET", f"/dcx/v1/proof/side/{at}?size={head.size}")
            path = unpack(said, dict)["path"]
            assert root_from_inclusion(stored[at], at, head.size, path) == head.root
        return records


async def test_lost_side_tail_becomes_a_gap(parties, tmp_path):
    """An older store: what it lacks of the side log stays as empty places, said once, and the node goes on for good."""
    async with us(parties):
        await log_in(parties, 2)
    store = parties.nodes["US"] / "store"
    shutil.copytree(store, tmp_path / "older", ignore=shutil.ignore_patterns("s", "lock"))
    kept = journal_of(parties)[0]
    async with us(parties):
        await log_in(parties, 3)
    size, _, leaves = journal_of(parties)
    assert (kept, size) == (2, 5)
    shutil.rmtree(store)
    shutil.copytree(tmp_path / "older", store)
    said = io.StringIO()
    async with us(parties, said) as station:
        assert station.signer.head(station.origins.side).size == size + 1
    assert "lost places" in said.getvalue()
    for _ in range(2):
        records = await check_side(parties, size, leaves, kept, size)
    assert [read_record(raw).t for raw in records[size : size + 2]] == ["node.gap", "session"]
    async with us(parties) as station, parties.desk("US") as desk:
        index, _ = await desk.send("the line works")
        async with asyncio.timeout(20):
            while station.delivered <= index:
                await station.changed(1.0)


async def test_everything_lost_but_the_journal(parties):
    """Without its store the node has both shared logs from the peer and an empty side log of the same size."""
    async with us(parties) as station:
        await log_in(parties, 2)
        async with parties.desk("US") as desk:
            index, _ = await desk.send("before")
            async with asyncio.timeout(20):
                while station.delivered < station.sizes[station.letter]:
                    await station.changed(1.0)
            before = await desk.all_records(station.letter)
    size, _, leaves = journal_of(parties)
    shutil.rmtree(parties.nodes["US"] / "store")
    async with us(parties) as station:
        assert (await station.own.records(0, 9999))[: index + 1] == before[: index + 1]
    await check_side(parties, size, leaves, 0, size)


async def test_a_crash_between_the_places_and_the_gap(parties, tmp_path):
    """Places that were kept and not yet named are named at the next start, and only those."""
    async with us(parties):
        await log_in(parties, 1)
    store = parties.nodes["US"] / "store"
    shutil.copytree(store, tmp_path / "older", ignore=shutil.ignore_patterns("s", "lock"))
    async with us(parties):
        await log_in(parties, 4)
    size, _, leaves = journal_of(parties)
    shutil.rmtree(store)
    shutil.copytree(tmp_path / "older", store)
    async with stopped_store(parties) as opened:
        log = opened.log(parties.letter("US") + "0s")
        await log.append_lost(1, leaves[1:3])  # and here the process ended
    await check_side(parties, size, leaves, 1, size)


@pytest.mark.parametrize("where", ["side", "own"])
async def test_an_empty_place_that_the_journal_does_not_cover_is_damage(parties, where):
    """An empty place beyond the journal, or in a shared log, is none that recovery made: nothing is signed."""
    async with us(parties):
        await log_in(parties, 1)
    letter = parties.letter("US")
    server = EmbeddedServer(parties.nodes["US"] / "store")
    await server.start()
    client = Redis.from_url(server.url, protocol=2)
    name = f"{letter}0s" if where == "side" else f"{letter}0"
    start = "{" + parties.chan[:8].hex() + "}:"
    size = int(await client.hget(f"{start}meta:{name}", "size"))
    fence = await client.hget(f"{start}meta:{name}", "fence")
    keys = [f"{start}{part}:{name}" for part in ("log", "l0", "meta")]
    await client.fcall("dcx_lost", 3, *keys, fence, size, leaf_hash(b"x"))
    await client.aclose()
    await server.stop()
    async with serving(parties.nodes["US"], CLOCK, out=io.StringIO()) as node:
        async with asyncio.timeout(20):
            with pytest.raises(Problem, match="STORE_DAMAGED"):
                await node.ended


async def test_a_lost_blob_of_the_side_log_is_said(parties):
    """A blob that the store lost while its record of the side log stands is told, and the node works without it."""
    blob = b"a sealed note"
    async with us(parties), parties.desk("US") as desk:
        key = desk.member.sign
        document = SideNote(
            chan=parties.chan, from_=key.kid, to=(desk.member.seal.kid,), suite=desk.member.seal.public.suite,
            kc=bytes(32), blob=digest(blob), blen=len(blob), ts=CLOCK.now(),
        )  # fmt: skip
        placed = await desk.wire.submit("note", sign("note", document, [key]).encode(), [blob])
        assert await desk.wire.blob(digest(blob)) == blob
    server = EmbeddedServer(parties.nodes["US"] / "store")
    await server.start()
    client = Redis.from_url(server.url, protocol=2)
    name = "{" + parties.chan[:8].hex() + "}:blob:" + parties.letter("US") + "0s:" + digest(blob).hex()
    assert await client.set(name, b"other bytes")
    await client.aclose()
    await server.stop()
    said = io.StringIO()
    async with us(parties, said), parties.desk("US") as desk:
        records = await desk.all_records("side")
        assert read_record(records[placed["index"]]).t == "note"
        assert gaps(records) == []
        await desk.send("the line works")
    assert "a blob of the side log is lost" in said.getvalue()
