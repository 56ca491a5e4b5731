"""What becomes of a draft, found by making drafts at two real nodes and asking ``channel.client.drafts.state``."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from channel.client import drafts
from channel.client.client import Client, SeatKeys
from channel.client.composing import Draft
from channel.client.home import DeskHome
from channel.node.app import serving
from keys.documents import Revoke
from keys.envelope import sign
from keys.errors import Refused
from tests.node.conftest import Pair
from tests.node.parties import CLOCK, Parties, Steered

ACTS = ("nothing", "signed", "withdraw", "reject", "time", "newer", "revoke")
"""What happens to a draft that one signer has still to sign."""


class Room:
    """US's desk, its people taking turns, and CN's node on the other side."""

    def __init__(self, parties, client, clock):
        self.parties, self.client, self.clock = parties, client, clock

    async def be(self, seat):
        """Sit down in a seat."""
        member = self.parties.keys["US"][seat]
        await self.client.switch(SeatKeys(seat, member.sign, member.seal))
        await self.client.sync()

    async def draft(self, case=None):
        """A draft of the first expert that waits for the duty officer; its id."""
        duty = self.parties.keys["US"]["duty"].sign.kid
        fmt, body = ("F04", {"line": "x"}) if case else ("F03", first(self.client))
        draft = Draft(
            fmt=fmt, body=body, lang="en", level="serious", case=case, refs=(case,) if case else (), cosign=(duty,)
        )
        return (await drafts.propose(self.client, draft)).did

    async def state(self, did):
        """What became of it."""
        await self.client.sync()
        return drafts.state(self.client, await drafts.find(self.client, did.hex()))

    async def act(self, name):
        """What a draft is after something happened, and whether it may still be signed: (state, refusal)."""
        await self.be("expert-1")
        case = None
        if name == "newer":
            case = (await self.client.send(Draft(fmt="F03", body=first(self.client), lang="en"))).ph
        did = await self.draft(case)
        match name:
            case "signed":
                await self.be("duty")
                await drafts.approve(self.client, await drafts.find(self.client, did.hex()))
            case "withdraw":
                await drafts.end(self.client, await drafts.find(self.client, did.hex()), drafts.WITHDRAWN)
            case "reject":
                await self.be("duty")
                await drafts.end(self.client, await drafts.find(self.client, did.hex()), drafts.REJECTED)
            case "time":
                ttl = self.client.view.fold.policy("b").limits.draft_ttl
                self.clock.skip(ttl - 60)
                assert await self.state(did) == "waiting"
                self.clock.skip(61)
            case "newer":
                await self.be("expert-2")
                await self.client.send(Draft(fmt="F04", body={"line": "y"}, lang="en", case=case, refs=(case,)))
            case "revoke":
                await self.be("operator")
                kids = (self.parties.keys["US"]["duty"].sign.kid,)
                paper = Revoke(mode=2, party="US", kids=kids, reason="compromise", ts=CLOCK.now())
                await self.client.submit("revoke", sign("revoke", paper, [self.client.keys.sign]), (), ())
        await self.be("expert-1")  # of others' drafts a desk that is no signer's knows only that they are there
        found = await self.state(did), await self._refusal(did)
        self.clock.ahead = 0.0
        return found

    async def _refusal(self, did):
        """How the desk refuses to sign it; "" where it would let it be signed."""
        try:
            drafts.check_open(self.client, await drafts.find(self.client, did.hex()))
        except Refused as e:
            return e.code
        return ""


def first(client):
    """The least that an initial notification says."""
    return {
        "category": "UNX",
        "origin": "UNK",
        "intent": ["UNK"],
        "control": "K9",
        "line": "x",
        "since": client.clock.now(),
    }


async def ends():
    """{what happened: (state, refusal)}."""
    clock = Steered()
    with tempfile.TemporaryDirectory(prefix="channel-drafts-") as folder:
        parties = Parties(Path(folder) / "trial")
        async with AsyncExitStack() as stack:
            nodes = [
                await stack.enter_async_context(serving(parties.nodes[code], CLOCK, out=io.StringIO()))
                for code in ("CN", "US")
            ]
            pair = Pair(parties, nodes, [])
            await pair.until(lambda: pair.a.opened and pair.b.opened)
            home = DeskHome(next(side.desk for side in parties.sides if side.code == "US"))
            stack.callback(home.close)
            member = parties.keys["US"]["expert-1"]
            keys = SeatKeys("expert-1", member.sign, member.seal)
            client = Client(home, keys, parties.url("US"), clock=clock, random=os.urandom)
            room = Room(parties, await stack.enter_async_context(client), clock)
            return {name: await room.act(name) for name in ACTS}
