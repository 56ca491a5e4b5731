"""The bare relay: two stores, a message written to A and copied to B, an acknowledgement written to B and copied to A.

No signature, no tree, no proof, no encryption, no second program between the store and its user: what streams alone can
do with ``appendfsync always`` on both sides. Acknowledgements are stored on both sides, as ours are.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from redis.asyncio import Redis

from channel.log.embedded import EmbeddedServer


async def run(folder, value, times, in_flight):
    """Seconds of each round trip, and round trips a second, with so many in flight."""
    async with AsyncExitStack() as stack:
        urls = []
        for name in "ab":
            server = EmbeddedServer(folder / f"relay-{name}")
            await server.start()
            stack.push_async_callback(server.stop)
            urls.append(server.url)

        def connect(url):
            client = Redis.from_url(url, protocol=2)
            stack.push_async_callback(client.aclose)
            return client

        a, b = connect(urls[0]), connect(urls[1])
        waiting, done = {}, []
        tasks = [
            asyncio.ensure_future(copy(connect(urls[0]), connect(urls[1]), "messages")),
            asyncio.ensure_future(copy(connect(urls[1]), connect(urls[0]), "acks")),
            asyncio.ensure_future(answer(connect(urls[1]), b)),
            asyncio.ensure_future(take(connect(urls[0]), waiting)),
        ]
        gate = asyncio.Semaphore(in_flight)

        async def exchange(i):
            async with gate:
                start = time.perf_counter()
                waiting[b"%d" % i] = event = asyncio.Event()
                await a.xadd("messages", {"id": i, "r": value})
                await event.wait()
                done.append(time.perf_counter() - start)

        start = time.perf_counter()
        await until_done(asyncio.gather(*(exchange(i) for i in range(times))), tasks)
        return done, times / (time.perf_counter() - start)


async def until_done(work, beside, seconds=300):
    """Wait for the work; what runs beside it ends with it, and its fault is the work's fault."""
    work = asyncio.ensure_future(asyncio.wait_for(work, seconds))
    ended, _ = await asyncio.wait([work, *beside], return_when=asyncio.FIRST_COMPLETED)
    for task in (*beside, work):
        if task not in ended:
            task.cancel()
    await asyncio.gather(*beside, work, return_exceptions=True)
    for task in ended:
        task.result()


async def follow(client, stream):
    """Entries of a stream, as they come."""
    last = "0-0"
    while True:
        for _, rows in await client.xread({stream: last}, block=1000, count=256) or ():
            for at, fields in rows:
                last = at
                yield fields


async def copy(source, target, stream):
    async for fields in follow(source, stream):
        await target.xadd(stream, fields)


async def answer(reader, writer):
    async for fields in follow(reader, "messages"):
        await writer.xadd("acks", {"id": fields[b"id"]})


async def take(reader, waiting):
    async for fields in follow(reader, "acks"):
        waiting.pop(fields[b"id"]).set()
