"""What a log weighs in its store: the memory of all its keys against the bytes of its records and blobs.

``python -m tests.bench.memory``: records and blobs of the sizes that the exchange makes, with their idempotency keys,
a note for every batch, and retention as a node does it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from hashlib import sha256
from pathlib import Path

from redis.asyncio import Redis
from rich.console import Console
from rich.progress import track

from channel.log.embedded import EmbeddedServer
from channel.log.log import Entry
from channel.log.notes import COSIGNED, NoteKey, may_go
from channel.log.redis import RedisServer
from tests.bench.exchange import Bench
from tests.node.parties import Parties

BATCH = 8
NOTE_BYTES = 420


async def measure(folder, messages):
    """(bytes in memory, bytes of records and blobs) of ``messages`` messages and as many acknowledgements."""
    [(env, blob, _)], acks, _ = Bench(Parties(folder / "trial")).prepare(1)
    [(_, ack)] = acks.values()
    server = EmbeddedServer(folder / "store")
    await server.start()
    client = Redis.from_url(server.url, protocol=2)
    try:
        store = (await RedisServer.connect(server.url)).store(os.urandom(32))
        await store.take_fence(["a0"])
        log = store.log("a0")
        before, plain, size = (await client.info("memory"))["used_memory"], 0, 0
        for at in track(range(0, messages, BATCH), "writing", console=Console(stderr=True)):
            entries, blobs = [], {}
            for _ in range(min(BATCH, messages - at)):
                sealed = os.urandom(len(blob))
                blobs[sha256(sealed).digest()] = sealed
                # the sizes of records in earnest, other content each time
                entries += [Entry.of(os.urandom(len(raw) + 180), os.urandom(32)) for raw in (env, ack)]
            await log.append(size, entries, blobs)
            size += len(entries)
            plain += sum(len(entry.record) for entry in entries) + sum(map(len, blobs.values()))
            await log.put_note(NoteKey(size, anchor=False), os.urandom(NOTE_BYTES), {COSIGNED})
            if at % 1024 == 0:
                await log.drop_notes(may_go(await log.kept_notes(), size, None))
        return (await client.info("memory"))["used_memory"] - before, plain
    finally:
        await client.aclose()
        await server.stop()


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.bench.memory")
    parser.add_argument("--messages", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="channel-bench-") as folder:
        used, plain = asyncio.run(measure(Path(folder), options.messages))
    ratio = used / plain
    Console().print(
        f"{options.messages} messages with acknowledgements: {used / 1e6:.1f} MB in memory, {plain / 1e6:.1f} MB of records and blobs"
    )
    Console().print(f"ratio: memory to records and blobs (aim ≤ 1.25)  {ratio:.3f}")


if __name__ == "__main__":
    main()
