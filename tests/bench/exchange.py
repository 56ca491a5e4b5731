"""Our own path: two nodes as processes, each with its store and journal, TLS between them, every signature made and checked.

Messages and acknowledgements are sealed and signed before the run, so the figures are the nodes'; what a desk spends on
one message stands beside them. A round trip begins when A's desk hands a message in and ends when A's desk is told of
the acknowledgement in B's log, under a note that A's node cosigned.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from msgspec import structs

from channel.cli.processes import Nodes
from channel.protocol.defaults import default_policy
from channel.protocol.header import Payload
from channel.protocol.people import Ack
from channel.protocol.record import try_read
from keys.envelope import read_envelope, sign
from keys.errors import Problem
from tests.bench.relay import until_done
from tests.node.parties import CLOCK, Desk, Parties

SESSIONS = 16  # of one member, the node's limit
LIMITS = structs.replace(default_policy(2, bytes(32), bytes(32)).limits, rate_msg=0, rate_peer=0, link_window=8_388_608)


class Bench:
    """Both parties, their nodes running."""

    def __init__(self, parties):
        self.parties = parties

    def prepare(self, count):
        """``count`` messages of CN's experts with the acknowledgement of US's for each; what a desk spent on one."""
        writers = [Desk(self.parties, "CN", self.parties.keys["CN"][f"expert-{i}"], None) for i in (1, 2)]
        readers = [self.parties.keys["US"][f"expert-{i}"] for i in (1, 2)]
        start = time.perf_counter()
        messages = [
            writers[i % 2].message(f"message {i}, of a length that lines have in earnest") for i in range(count)
        ]
        sealed = time.perf_counter()
        acks = {}
        for i, (env, _, ph) in enumerate(messages):
            reader = readers[i % 2]
            mid = _mid(env)
            ack = Ack(chan=self.parties.chan, from_=reader.sign.kid, mid=mid, ph=ph, step="read", ts=CLOCK.now())
            acks[ph] = i % 2, sign("ack", ack, [reader.sign]).encode()
        signed = time.perf_counter()
        return messages, acks, {"seal and sign": (sealed - start) / count, "acknowledge": (signed - sealed) / count}

    async def run(self, messages, acks, in_flight):
        """Seconds of each round trip, seconds of each until logged, and round trips a second."""
        async with AsyncExitStack() as stack:
            senders = await self._wires(stack, "CN", in_flight)
            answerers = await self._wires(stack, "US", in_flight)
            told, started, logged, done = {}, {}, [], []
            sizes = (await self._sizes(stack, "CN"), await self._sizes(stack, "US"))
            tasks = [
                asyncio.ensure_future(self._answer(stack, sizes[1], acks, answerers)),
                asyncio.ensure_future(self._take(stack, sizes[0], told)),
            ]

            async def exchange(i):
                env, blob, ph = messages[i]
                wires = senders[i % 2]
                wire = await wires.get()
                started[ph] = time.perf_counter()
                told[ph] = event = asyncio.Event()
                await wire.submit("msg", env, [blob])
                logged.append(time.perf_counter() - started[ph])
                wires.put_nowait(wire)
                await event.wait()
                done.append(time.perf_counter() - started[ph])

            gate = asyncio.Semaphore(in_flight)

            async def one(i):
                async with gate:
                    await exchange(i)

            start = time.perf_counter()
            await until_done(asyncio.gather(*map(one, range(len(messages)))), tasks)
            return done, logged, len(messages) / (time.perf_counter() - start)

    async def _wires(self, stack, code, in_flight):
        """Sessions of the two experts of a party, enough for all that is in flight."""
        pools = (asyncio.Queue(), asyncio.Queue())
        for i in range(min(max(2, in_flight), 2 * SESSIONS)):
            desk = await stack.enter_async_context(self.parties.desk(code, f"expert-{1 + i % 2}"))
            pools[i % 2].put_nowait(desk.wire)
        return pools

    async def _sizes(self, stack, code):
        desk = await stack.enter_async_context(self.parties.desk(code, "duty"))
        return desk.wire, [len(await desk.all_records(letter)) for letter in "ab"]

    async def _grown(self, wire, sizes, letter):
        """Records of a log as the node tells of them."""
        sizes = list(sizes)
        at = "ab".index(letter)
        async for name, data in wire.feed(tuple(sizes), records=True):
            if name == "grown" and data["log"] == letter:
                if sizes[at] + len(data.get("records", ())) == data["size"]:
                    sizes[at] = data["size"]
                    for raw in data["records"]:
                        yield b64decode(raw)
                while sizes[at] < data["size"]:
                    records = await wire.records(letter, sizes[at], data["size"])
                    sizes[at] += len(records)
                    for raw in records:
                        yield raw

    async def _answer(self, stack, start, acks, answerers):
        wire, sizes = start
        running = set()
        async for raw in self._grown(wire, sizes, "a"):
            ph = _payload(raw, "msg")
            if ph in acks:
                who, env = acks[ph]
                task = asyncio.ensure_future(self._hand_in(answerers[who], env))
                running.add(task)
                task.add_done_callback(running.discard)

    async def _hand_in(self, wires, env):
        wire = await wires.get()
        await wire.submit("ack", env)
        wires.put_nowait(wire)

    async def _take(self, stack, start, told):
        wire, sizes = start
        async for raw in self._grown(wire, sizes, "b"):
            ph = _acknowledged(raw)
            if ph in told:
                told.pop(ph).set()


def _payload(raw, t):
    record = try_read(raw)
    return read_envelope(record.env).hash if record is not None and record.t == t else b""


def _acknowledged(raw):
    record = try_read(raw)
    return read_envelope(record.env).read("ack", Ack).ph if record is not None and record.t == "ack" else b""


def _mid(env):
    return read_envelope(env).read("msg", Payload).mid


@asynccontextmanager
async def running(folder):
    """Both nodes, opened; without the policy's rates, which are far below what is measured here."""
    parties = Parties(folder / "trial", limits=LIMITS)
    async with Nodes() as nodes:
        await nodes.start(parties.nodes.values())
        await _opened(parties)
        yield Bench(parties), nodes


async def _opened(parties):
    async with asyncio.timeout(30):
        for code in parties.nodes:
            while True:
                with suppress(Problem):
                    async with parties.desk(code, "duty") as desk:
                        if min([len(await desk.all_records(x)) for x in "ab"]) >= 4:
                            break
                await asyncio.sleep(0.1)
