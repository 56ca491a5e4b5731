"""Two nodes in this process, each with its own embedded store, on loopback TLS."""

from __future__ import annotations

import io

import pytest_asyncio

from channel.node.app import serving
from tests.node.parties import CLOCK, Parties, until


class Pair:
    def __init__(self, parties, nodes, logs):
        self.parties, self.nodes, self.logs = parties, nodes, logs
        self.a, self.b = (next(iter(node.stations.values())) for node in nodes)

    async def until(self, true, seconds=20.0):
        """Wait until something holds; the failure says what the nodes were at."""
        await until(true, *self.nodes, seconds=seconds)


@pytest_asyncio.fixture
async def pair(tmp_path, need):
    """Both nodes, opened and quiet."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial")
    logs = [io.StringIO(), io.StringIO()]
    a, b = parties.nodes["CN"], parties.nodes["US"]
    async with serving(a, CLOCK, out=logs[0]) as one, serving(b, CLOCK, out=logs[1]) as two:
        pair = Pair(parties, (one, two), logs)
        await pair.until(lambda: pair.a.opened and pair.b.opened)
        yield pair
