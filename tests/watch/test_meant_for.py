"""A record whose words hold for what was seen just then is not written once more was seen."""

from __future__ import annotations

import asyncio

import pytest

from channel.log.journal import Journal
from channel.node.committer import Committer
from channel.protocol.record import read_record
from keys.errors import Unavailable
from tests.node.channels import Channel


async def test_a_record_meant_for_less_is_given_back_and_its_neighbours_are_written(tmp_path):
    """Of one batch only the record that was meant for another size is given back; the next try with the new size is taken."""
    seen = [(0, 7, bytes(32))]
    with Journal.create(tmp_path / "journal.sqlite") as journal:
        channel = Channel(journal, Committer(journal), seen=lambda: seen[0])
        running = asyncio.ensure_future(channel.writer.run())
        try:
            seen[0] = (0, 8, bytes(32))
            stale = channel.append(1, seen_size=7)
            others = channel.append(2), channel.append(3, seen_size=8)
            given, *placed = await asyncio.gather(stale, *others, return_exceptions=True)
            assert isinstance(given, Unavailable)
            assert given.code == "BUSY"
            assert [p.index for p in placed] == [0, 1]
            assert (await channel.append(1, seen_size=8)).index == 2
            with pytest.raises(Unavailable):
                await channel.append(1, seen_size=9)
            records = [read_record(raw) for raw in await channel.log.records(0, 3)]
            assert [(r.env, r.seen[1]) for r in records] == [(b"2", 8), (b"3", 8), (b"1", 8)]
        finally:
            running.cancel()
