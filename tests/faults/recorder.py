"""A recorder on the line between two nodes: it ends TLS on both sides with the parties' own keys and keeps each note.

Possible here alone, where one test holds both parties' keys. It changes nothing: an end that is not there is not there
for the caller either. A note counts as let out as soon as its last byte left its node, whether the other end got it
or not.
"""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from io import BytesIO

import aiohttp
from aiohttp import web
from yarl import URL

from channel.cli.trial import free_port
from channel.node import tls
from channel.node.station import origins_of
from channel.protocol import append
from channel.protocol import note as notes
from keys.codec import unpack

TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)


class Recorder:
    """Stands before both nodes' peer listeners. Use as an async context, before the nodes start."""

    def __init__(self, parties, book):
        self._parties, self._book = parties, book
        self._runners, self._sessions = [], {}
        self.fault, self.carried = asyncio.get_running_loop().create_future(), 0

    async def __aenter__(self):
        codes = sorted(self._parties.nodes)
        for target, caller in zip(codes, reversed(codes), strict=True):
            to, by = self._parties.nodes[target], self._parties.nodes[caller]
            certs = [tls.read_certificate(home / "tls-cert.pem") for home in (to, by)]
            context = tls.peer_client_context(by / "tls-cert.pem", by / "tls-key.pem", certs[0])
            # A connection each: one that is kept would break with its node and fail a request of the next life.
            connector = aiohttp.TCPConnector(ssl=context, force_close=True)
            self._sessions[target] = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, trust_env=False)
            port = await self._listen(target, to, certs[1])
            config = by / "node.toml"
            config.write_text(config.read_text().replace(self._parties.peer_url(target), f"https://127.0.0.1:{port}"))
        return self

    async def __aexit__(self, *_):
        for session in self._sessions.values():
            await session.close()
        for runner in self._runners:
            await runner.cleanup()

    async def ask_status(self, target):
        """What a node says to its peer of both logs, kept like all else."""
        caller = next(code for code in self._parties.nodes if code != target)
        origin = origins_of(self._parties.chan, self._parties.letter(caller)).own
        status, raw = await self._ask(target, "GET", f"/dcx/v1/status/{hashlib.sha256(origin.encode()).hexdigest()}")
        assert status == 200
        self._keep("status/", status, b"", raw)

    async def _listen(self, target, home, caller):
        app = web.Application(client_max_size=append.MAX_REQUEST + 1)
        app.router.add_route("*", "/{path:.*}", partial(self._carry, target))
        runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        context = tls.peer_server_context(home / "tls-cert.pem", home / "tls-key.pem", [caller])
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        return port

    async def _carry(self, target, request):
        body = await request.read()
        path = request.raw_path
        try:
            if path.endswith("/append"):
                self._book.add(append.read_request(body).note, "link: asked")
            status, raw = await self._ask(target, request.method, path, body)
            self._keep(path, status, body, raw)
            self.carried += 1
            return web.Response(status=status, body=raw)
        except (aiohttp.ClientError, TimeoutError, OSError):  # nobody is there: so it is for the caller too
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)
        except Exception as e:  # of the recorder or of what was sent: the test fails on it
            if not self.fault.done():
                self.fault.set_exception(e)
            raise

    async def _ask(self, target, method, path, body=b""):
        url = URL(self._parties.peer_url(target) + path, encoded=True)
        async with self._sessions[target].request(method, url, data=BytesIO(body) if body else None) as answer:
            return answer.status, await answer.read()

    def _keep(self, path, status, body, raw):
        if status != 200:
            return
        if path.endswith("/append"):
            note = notes.parse(append.read_request(body).note)
            merged = append.check_answer(note, raw, self._book.logs[note.origin].cosigner)
            self._book.add(merged.encode(), "link: answered")
        elif "status/" in path:
            said = unpack(raw, dict)
            self._book.add(said["yours"], "status")
            self._book.add(said["mine"], "status")
        elif path.endswith("/checkpoint"):
            self._book.add(raw, "link: answered")
