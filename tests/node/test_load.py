"""Under load: anchors come although records never stop coming, and the peer has nothing to refuse."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

from channel.log.notes import COSIGNED

MESSAGES = 25  # of each of two sessions; the policy allows 60 a minute to a member


async def test_anchors_and_records_at_once(pair):
    """While records and anchors are made at once, each request is one that the peer takes, and anchors are cosigned."""
    before = [len(log.getvalue()) for log in pair.logs]
    async with AsyncExitStack() as stack:
        desks = [await stack.enter_async_context(pair.parties.desk("CN", seat)) for seat in ("expert-1", "expert-2")]
        asking = await stack.enter_async_context(pair.parties.desk("CN", "duty"))
        sending = asyncio.gather(*(_send(desk) for desk in desks))
        while not sending.done():
            await asking.wire.anchor()
        places = [at for some in await sending for at in some]
    first, last = min(places), max(places)
    await pair.until(lambda: pair.a.delivered > last)
    said = [
        json.loads(line) for log, at in zip(pair.logs, before, strict=True) for line in log.getvalue()[at:].splitlines()
    ]
    assert [line for line in said if line["event"] == "link"] == []
    kept = await pair.a.own.kept_notes()  # of anchors that were overtaken meanwhile only the newest stay
    assert [key for key, marks in kept.items() if key.anchor and COSIGNED in marks and first < key.size]


async def _send(desk):
    return [(await desk.send(f"line {i}"))[0] for i in range(MESSAGES)]
