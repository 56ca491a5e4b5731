"""Two nodes, and before US's node another that may lie: it holds the node's own TLS key, as a dishonest node would."""

from __future__ import annotations

import io
import os
from contextlib import asynccontextmanager

import pytest_asyncio

from channel.client.client import Client, SeatKeys
from channel.client.home import DeskHome
from channel.node.app import serving
from tests.client.liar import Liar
from tests.node.conftest import Pair
from tests.node.parties import CLOCK, Parties


class Side(Pair):
    """The pair with desks of US: real clients on the real desk home, through the liar."""

    def __init__(self, parties, nodes, logs, liar):
        super().__init__(parties, nodes, logs)
        self.liar = liar
        self.folder = parties.nodes["US"].parent / "desk"

    @asynccontextmanager
    async def client(self, seat="expert-1", code="US", clock=CLOCK):
        """A client on a party's desk home; US's goes through the liar."""
        member = self.parties.keys[code][seat]
        keys = SeatKeys(seat, member.sign, member.seal)
        home = DeskHome(self.parties.nodes[code].parent / "desk")
        url = self.liar.url if code == "US" else self.parties.url(code)
        try:
            async with Client(home, keys, url, clock=clock, random=os.urandom) as client:
                yield client
        finally:
            home.close()


@pytest_asyncio.fixture
async def side(tmp_path, need):
    """Both nodes, opened; nobody lies yet."""
    need("embedded-valkey")
    parties, logs = Parties(tmp_path / "trial"), [io.StringIO(), io.StringIO()]
    async with (
        serving(parties.nodes["CN"], CLOCK, out=logs[0]) as cn,
        serving(parties.nodes["US"], CLOCK, out=logs[1]) as us,
        Liar(parties, "US") as liar,
    ):
        side = Side(parties, (cn, us), logs, liar)
        await side.until(lambda: side.a.opened and side.b.opened)
        yield side
