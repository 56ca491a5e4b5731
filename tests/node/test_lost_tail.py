"""An older copy put back: of the store, and the peer gives the lost records back; of the journal, and nothing is signed."""

from __future__ import annotations

import asyncio
import io
import shutil
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from channel.log.embedded import EmbeddedServer
from channel.node.app import serving
from channel.node.state import State
from channel.protocol import note as notes
from keys.errors import Problem
from tests.node.parties import CLOCK, Parties


async def until(true, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for is state of a node
            await asyncio.sleep(0.02)


def station(node):
    return next(iter(node.stations.values()))


def open_for_work(node):
    return station(node).opened and station(node).state is State.ACTIVE


@pytest.fixture
async def cn(tmp_path, need):
    """The parties, and the running node of CN."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial")
    async with serving(parties.nodes["CN"], CLOCK, out=io.StringIO()) as node:
        yield parties, station(node)


async def test_lost_tail_comes_from_the_peer(cn, tmp_path):
    """Own records and copies of the peer's that an older store lacks are fetched, at the same places, and work goes on."""
    parties, other = cn
    home = parties.nodes["US"]
    async with serving(home, CLOCK, out=io.StringIO()) as node:
        us = station(node)
        await until(lambda: us.opened and other.opened)
        async with parties.desk("US") as desk:
            index, _ = await desk.send("before the copy was made")
            await until(lambda: us.delivered > index)
    shutil.copytree(home / "store", tmp_path / "copy", ignore=shutil.ignore_patterns("s"))
    async with serving(home, CLOCK, out=io.StringIO()) as node:
        us = station(node)
        async with parties.desk("CN") as desk:
            _, ph = await desk.send("after it")
            await desk.send("and another")
            await until(lambda: other.fold.find(ph).receipt_time is not None)
            await until(lambda: not us.owes_ack and us.delivered == us.sizes["b"] and us.sizes == other.sizes)
            sizes = dict(us.sizes)
    shutil.rmtree(home / "store")
    shutil.copytree(tmp_path / "copy", home / "store")
    said = io.StringIO()
    async with serving(home, CLOCK, out=said) as node, AsyncExitStack() as desks:
        us = station(node)
        await until(lambda: us.state is State.ACTIVE)
        noted = notes.parse(us.newest["a"]).size  # a desk pins it: it may not be the older copy's
        await until(lambda: open_for_work(node))
        assert noted >= sizes["a"]
        ours, theirs = [await desks.enter_async_context(parties.desk(code)) for code in ("US", "CN")]
        for letter in "ab":
            held = await ours.all_records(letter)
            assert held[: sizes[letter]] == (await theirs.all_records(letter))[: sizes[letter]]
            assert len(held) >= sizes[letter]
        assert us.fold.find(ph).ph == ph
        index, _ = await ours.send("the line works again")
        await until(lambda: us.delivered > index)
    for log in ("b0", "a0"):
        assert any("fetching a lost tail" in line and log in line for line in said.getvalue().splitlines())


async def test_older_journal_never_signs(cn, tmp_path):
    """With an older copy of its journal the node ends before it signs anything, and so at every later start."""
    parties, other = cn
    home = parties.nodes["US"]
    async with serving(home, CLOCK, out=io.StringIO()) as node:
        await until(lambda: open_for_work(node))
    assert not (home / "journal.sqlite-wal").exists()
    shutil.copy(home / "journal.sqlite", tmp_path / "older")
    async with serving(home, CLOCK, out=io.StringIO()) as node:
        await until(lambda: open_for_work(node))
        async with parties.desk("US") as desk:
            index, _ = await desk.send()
            await until(lambda: station(node).delivered > index)
    size = other.sizes["b"]
    shutil.copy(tmp_path / "older", home / "journal.sqlite")
    for code in ("JOURNAL_LOST", "KEY_RETIRED"):
        async with serving(home, CLOCK, out=io.StringIO()) as node:
            async with asyncio.timeout(20):
                with pytest.raises(Problem, match=code):
                    await node.ended
            assert station(node).newest["b"] == b""
    await asyncio.sleep(0.2)
    assert other.sizes["b"] == size


async def test_damaged_store_is_not_signed(cn):
    """A store that differs from the journal below its size is refused and left as it is."""
    parties, _ = cn
    home = parties.nodes["US"]
    async with serving(home, CLOCK, out=io.StringIO()) as node:
        await until(lambda: open_for_work(node))
        chan = station(node).chan
    server = EmbeddedServer(home / "store")
    await server.start()
    client = Redis.from_url(server.url, protocol=2)
    await client.setrange("{" + chan[:8].hex() + "}:l0:b0", 33, b"!")
    await client.aclose()
    await server.stop()
    async with serving(home, CLOCK, out=io.StringIO()) as node:
        async with asyncio.timeout(20):
            with pytest.raises(Problem, match="STORE_DAMAGED"):
                await node.ended
