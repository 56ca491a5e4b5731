"""A channel whose log has been in use: real messages in cases, receipts, closings and what the nodes write themselves.

    async with filled(folder, 10_000) as machine: …       # both nodes running, both desk homes up to date

Everything goes through both nodes: sealed to every default reader, signed, judged, cosigned. Cases are opened by either
side in turn, answered, received and read, and closed by agreement; whatever the length, the same few stay open at the
end. The policy's rates are off.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from channel.client.client import Client, SeatKeys
from channel.client.composing import Draft, compose
from channel.client.home import DeskHome
from channel.client.unlocking import node_url
from channel.client.wire import Wire
from channel.clock import SystemClock
from channel.protocol.header import Move
from channel.protocol.people import Ack
from keys.envelope import join, media_type, pae, sign
from keys.errors import Unavailable
from tests.cli.running import Machine

CLOCK = SystemClock()
WIRES = 8
AT_ONCE = 50
"""Cases that run beside each other."""
OPEN = 4
"""Cases that stay open; the newest message of each is not received and read."""
IN_CASE = 8
"""Records of a case that is closed."""
FACTS = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": 1_795_478_400_000, "control": "K9"}


class Person:
    """An expert of a side: composes on the real desk home, and submits on several sessions at once."""

    def __init__(self, machine, code):
        party = next(p for p in machine.trial.parties if p.code.lower() == code)
        member = next(m for m in party.members if m.seat == "expert-1")
        self.keys = SeatKeys(member.seat, member.sign, member.seal)
        self._path = machine.desk(code)
        self._stack = AsyncExitStack()
        self._free = asyncio.Queue()

    async def __aenter__(self):
        home = DeskHome(self._path)
        self._stack.callback(home.close)
        url = node_url(home)
        self.client = await self._stack.enter_async_context(
            Client(home, self.keys, url, clock=CLOCK, random=os.urandom)
        )
        await self.opened()
        for _ in range(WIRES):
            wire = await self._stack.enter_async_context(Wire(url, home.node_cert, self.client.view.chan))
            await wire.login(self.keys.sign, os.urandom(32), CLOCK.now())
            self._free.put_nowait(wire)
        return self

    async def __aexit__(self, *_):
        await self._stack.aclose()

    async def opened(self):
        """Until the opening of both logs is here."""
        async with asyncio.timeout(30):
            while self.client.view.fold.known() is None:
                with suppress(Unavailable):
                    await self.client.sync()
                await asyncio.sleep(0.05)

    async def say(self, *drafts):
        """Send messages; as logged."""
        sealed = [
            compose(
                self.client.view, self.keys.sign, self.keys.seal.public.suite, draft, CLOCK.now(), os.urandom
            ).sealed
            for draft in drafts
        ]
        envelopes = [
            join(media_type("msg"), s.payload_bytes, {
                self.keys.sign.kid: self.keys.sign.sign(pae(media_type("msg"), s.payload_bytes))
            })
            for s in sealed
        ]  # fmt: skip
        pairs = zip(envelopes, sealed, strict=True)
        await asyncio.gather(*(self._submit("msg", e, [s.blob]) for e, s in pairs))
        await self.client.sync()
        return [self.client.find(e.hash) for e in envelopes]

    async def ack(self, messages, *steps):
        """Sign steps of receipt of messages, once they are here."""
        await self.take(messages)
        for step in steps:
            await asyncio.gather(*(self._submit("ack", self._ack(m, step), []) for m in messages))

    async def take(self, messages):
        """Until these are here."""
        async with asyncio.timeout(60):
            while any(self.client.view.fold.find(m.ph) is None for m in messages):
                await self.client.sync()
                await asyncio.sleep(0.02)

    def _ack(self, message, step):
        kid, chan = self.keys.sign.kid, self.client.view.chan
        document = Ack(chan=chan, from_=kid, mid=message.mid, ph=message.ph, step=step, ts=CLOCK.now())
        return sign("ack", document, [self.keys.sign])

    async def _submit(self, t, envelope, blobs):
        wire = await self._free.get()
        await wire.submit(t, envelope.encode(), blobs)
        self._free.put_nowait(wire)


def first(n):
    """The opening of a case."""
    return Draft(
        fmt="F03", body=FACTS | {"line": f"Observation {n}, of a length that lines have in earnest."}, lang="en"
    )


def more(case, n):
    """What is new in a case."""
    body = {"line": f"What is known in addition, note {n} in this case."}
    return Draft(fmt="F04", body=body, lang="en", case=case.ph)


async def closed_cases(one, other, count):
    """Cases that one side opens and both close: ``IN_CASE`` records each."""
    cases = await one.say(*(first(n) for n in range(count)))
    await other.ack(cases, "read")
    await one.ack(await other.say(*(more(case, 1) for case in cases)), "read")
    move = Move(op="close", from_="attention", at=one.client.view.fold.cut)
    ends = await one.say(*(
        Draft(fmt="F05", body={"outcome": "Nothing more was observed."}, lang="en", case=case.ph, move=move) for case in cases
    ))  # fmt: skip
    await other.ack(ends, "read")
    agreed = Move(op="concur", from_="attention", at=move.at)
    await one.ack(
        await other.say(*(
            Draft(fmt="F12", body={}, lang="zh", case=end.case, refs=(end.ph,), move=agreed) for end in ends
        )),
        "read",
    )  # fmt: skip


async def fill(machine, records, tell=lambda _: None):
    """Until both logs together hold about so many records."""
    async with Person(machine, "us") as us, Person(machine, "cn") as cn:
        turn, size = 0, sum(us.client.view.sizes())
        while (left := (records - size - 4 * OPEN) // IN_CASE) > 0:
            await closed_cases(*((us, cn) if turn % 2 == 0 else (cn, us)), min(left, AT_ONCE))
            await us.client.sync()
            turn, size = turn + 1, sum(us.client.view.sizes())
            tell(size)
        cases = await us.say(*(first(n) for n in range(OPEN)))
        await cn.ack(cases, "read")
        news = await us.say(*(more(case, 1) for case in cases))
        asked = await cn.say(*(more(case, 2) for case in cases))
        await us.take(asked)
        await cn.take(news)
        assert us.client.view.fold.known().ladder.cases
        assert len(us.client.index.openings(closed=False)) == OPEN


@asynccontextmanager
async def filled(folder, records, tell=lambda _: None):
    """Both nodes of a channel with so many records in its logs."""
    machine = await asyncio.to_thread(Machine, folder)
    try:
        await asyncio.to_thread(machine.start, "us", "cn")
        await fill(machine, records, tell)
        yield machine
    finally:
        await asyncio.to_thread(machine.end, *list(machine.running))
