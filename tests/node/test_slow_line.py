"""A line of few bytes a second: a request has the time that it needs, a dead one no more than before, and lines are paced."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web

from channel.clock import SystemClock
from channel.node.line import ANSWER_BYTES, Line
from channel.node.requests import problems_answered, read_body
from channel.node.telemetry import Telemetry
from channel.node.tls import desk_context, make_certificate
from keys.errors import Unavailable
from tests.node.parties import CLOCK

FLOOR = 2000


@asynccontextmanager
async def served(folder, handle):
    """A server of its own on loopback; its address, its certificate and a context that trusts nobody else."""
    pem, key, der = make_certificate("a peer", datetime.now(UTC).replace(hour=0))
    (folder / "c.pem").write_bytes(pem)
    (folder / "k.pem").write_bytes(key)
    app = web.Application(middlewares=[problems_answered(Telemetry(CLOCK, "US"))], client_max_size=0)
    app.router.add_post("/x", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=desk_context(folder / "c.pem", folder / "k.pem"))
    await site.start()
    port = runner.addresses[0][1]
    trust = ssl.create_default_context(cadata=pem.decode())
    trust.check_hostname = False
    try:
        yield f"https://127.0.0.1:{port}", der, trust
    finally:
        await runner.cleanup()


@asynccontextmanager
async def sent(url, pieces, trust):
    """The answer to a body that is sent piece by piece."""
    async with aiohttp.ClientSession() as http, http.post(f"{url}/x", data=pieces, ssl=trust) as reply:
        yield reply


@pytest.mark.parametrize(("rate", "answered"), [(0, False), (50_000, True)])
async def test_an_answer_may_take_as_long_as_the_line_needs(tmp_path, rate, answered):
    """The same late answer: given up where the line is not known to be slow, waited for where it is."""

    async def late(request):
        await request.read()
        await asyncio.sleep(0.6)
        return web.Response(body=b"ok")

    async with served(tmp_path, late) as (url, der, trust):
        line = Line([url], trust, der, rate, SystemClock(), seconds=0.4)
        try:
            if answered:
                assert (await line.ask("POST", "/x", bytes(10_000))).body == b"ok"
            else:
                with pytest.raises(Unavailable):
                    await line.ask("POST", "/x", bytes(10_000))
        finally:
            await line.close()


async def test_time_grows_with_the_bytes_and_with_nothing_else():
    """What a request is given: its seconds, and twice what its bytes and an answer's take at the rate."""
    slow = Line(["https://127.0.0.1:1"], ssl.create_default_context(), b"x", 100, SystemClock())
    fast = Line(["https://127.0.0.1:1"], ssl.create_default_context(), b"x", 0, SystemClock())
    assert round(slow.patience(0) - 30, 6) == 2 * ANSWER_BYTES / 100
    assert round(slow.patience(10_000) - slow.patience(0), 6) == 200
    assert fast.patience(16_000_000) == 30


async def test_requests_are_paced_and_no_answer_is_held_back(tmp_path):
    """The answer comes at once; the next request waits until the line has carried the one before."""

    async def at_once(request):
        return web.Response(body=b"%d" % len(await request.read()))

    async with served(tmp_path, at_once) as (url, der, trust):
        line = Line([url], trust, der, 20_000, SystemClock())
        try:
            start = time.monotonic()
            assert (await line.ask("POST", "/x", bytes(10_000))).body == b"10000"
            first = time.monotonic() - start
            await line.ask("POST", "/x", bytes(10))
            second = time.monotonic() - start
            assert second >= 0.5 > 0 < first < second
        finally:
            await line.close()


@pytest.mark.parametrize(("floor", "status"), [(0, 408), (FLOOR, 200)])
async def test_a_body_that_goes_on_coming_is_read_whole(tmp_path, floor, status):
    """Sent in small pieces over longer than the first seconds: refused as slow, or taken where so little is enough."""

    async def take(request):
        return web.Response(body=b"%d" % len(await read_body(request, 100_000, floor=floor, seconds=0.3)))

    async def pieces():
        for _ in range(8):
            yield bytes(400)
            await asyncio.sleep(0.1)

    async with served(tmp_path, take) as (url, _, trust), sent(url, pieces(), trust) as reply:
        assert reply.status == status
        assert status == 408 or await reply.read() == b"3200"


async def test_a_body_that_stops_is_refused_at_any_floor(tmp_path):
    """Whoever stops sending is not waited for: the time grows with what came, not with what was announced."""

    async def take(request):
        return web.Response(body=b"%d" % len(await read_body(request, 100_000, floor=FLOOR, seconds=0.2)))

    async def pieces():
        yield bytes(400)
        await asyncio.sleep(3)
        yield bytes(400)

    async with served(tmp_path, take) as (url, _, trust), sent(url, pieces(), trust) as reply:
        assert reply.status == 408
