"""A line that loses, repeats, delays, reorders and cuts what two nodes say to each other, by a plan drawn from a seed.

It stands where the recorder stands and keeps the same book of notes, and the bytes of every request and answer as they
are inside TLS. Made ``whole``, it carries everything and what was stuck in it comes last.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import aiohttp
from aiohttp import web

from tests.faults.recorder import Recorder

ACTS = {
    "pass": 10,
    "drop": 2,  # the request never arrives
    "deaf": 2,  # it arrives, the answer is lost
    "delay": 2,
    "repeat": 2,  # it arrives twice, one after the other
    "twins": 1,  # it arrives twice at once
    "late": 2,  # the caller gives up; it arrives after later ones
    "cut": 1,  # half of it arrives
    "cut answer": 1,
    "replay": 2,  # an old one arrives before it
}
GONE = (aiohttp.ClientError, TimeoutError, OSError)


class BadLine(Recorder):
    """``rng`` draws the plan; without one the line is whole. ``acts`` counts what was done.

    ``bytes`` keeps what was said in both directions.
    """

    def __init__(self, parties, book, rng):
        super().__init__(parties, book)
        self._rng, self.whole = rng, rng is None
        self.acts, self.bytes = Counter(), []
        self._old, self._late = [], set()

    async def _ask(self, target, method, path, body=b""):
        status, raw = await super()._ask(target, method, path, body)
        self.bytes += [path.encode(), body, raw]
        return status, raw

    async def _carry(self, target, request):
        if self.whole:
            return await super()._carry(target, request)
        call = target, request.method, request.raw_path, await request.read()
        act = self._rng.choices(list(ACTS), ACTS.values())[0]
        self.acts[act] += 1
        try:
            answer = await self._do(act, call)
        except GONE:
            answer = None
        except Exception as e:
            if not self.fault.done():
                self.fault.set_exception(e)
            raise
        self._old = [*self._old[-20:], call]
        if answer is not None:
            return answer
        request.transport.abort()
        return web.Response(status=502)

    async def _do(self, act, call):
        """The answer for the caller; None: it gets none."""
        if act == "drop":
            return None
        if act == "late":
            self._send_late(call, self._rng.uniform(0.1, 1.0))
            return None
        if act == "cut":
            await self._ask(*call[:3], call[3][: len(call[3]) // 2])
            return None
        if act == "delay":
            await asyncio.sleep(self._rng.uniform(0.05, 0.4))
        if act == "replay" and self._old:
            await self._say(self._rng.choice(self._old))
        if act == "repeat":
            await self._say(call)
        if act == "twins":
            self._send_late(call, 0.0)
        status, raw = await self._say(call)
        if act == "deaf":
            return None
        return web.Response(status=status, body=raw[: len(raw) // 2] if act == "cut answer" else raw)

    async def _say(self, call):
        status, raw = await self._ask(*call)
        self._keep(call[2], status, call[3], raw)
        return status, raw

    def _send_late(self, call, after):
        async def later():
            await asyncio.sleep(after)
            with suppress(GONE):
                await self._say(call)

        task = asyncio.ensure_future(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def make_whole(self):
        """Carry everything from here on, first what was stuck."""
        self.whole = True
        await asyncio.gather(*self._late)
