"""A node that lies to its own desks: the real node's answers, changed on the way by what a test puts in ``lies``.

It shows the node's own certificate, since it holds the node's key; what a desk believes it has to find out by itself.
"""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
from aiohttp import web
from yarl import URL

from channel.cli.trial import free_port
from channel.client.wire import pinned_context
from keys.codec import pack, unpack


class Liar:
    """``lies``: word of a path to a function of (path, body) that gives the body, (status, body) or an awaitable of it."""

    def __init__(self, parties, code):
        self._parties, self._code = parties, code
        self.lies, self.asked = {}, []
        self.url = f"https://127.0.0.1:{free_port()}"

    async def __aenter__(self):
        home = self._parties.nodes[self._code]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(home / "tls-cert.pem", home / "tls-key.pem")
        connector = aiohttp.TCPConnector(ssl=pinned_context(self._parties.cert(self._code)))
        self._http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        app = web.Application(client_max_size=1 << 25)
        app.router.add_route("*", "/{path:.*}", self._carry)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", URL(self.url).port, ssl_context=context).start()
        return self

    async def __aexit__(self, *_):
        await self._http.close()
        await self._runner.cleanup()

    async def _carry(self, request):
        path, body = request.raw_path, await request.read()
        self.asked.append((request.method, path, body))
        url = URL(self._parties.url(self._code) + path, encoded=True)
        headers = {k: v for k, v in request.headers.items() if k == "DCX-Session"}
        if "/feed" in path:
            return await self._stream(request, url, headers)
        async with self._http.request(request.method, url, data=body or None, headers=headers) as answer:
            status, raw = answer.status, await answer.read()
        for word, lie in self.lies.items():
            if word in path and status == 200:
                said = lie(path, raw)
                said = await said if asyncio.iscoroutine(said) else said
                status, raw = said if isinstance(said, tuple) else (status, said)
        return web.Response(status=status, body=raw)

    async def _stream(self, request, url, headers):
        """The feed, piece by piece, each as its lie makes it."""
        async with self._http.get(url, headers=headers) as answer:
            response = web.StreamResponse(status=answer.status)
            await response.prepare(request)
            async for some in answer.content.iter_any():
                await response.write(self.lies.get("/feed", lambda _, raw: raw)(request.raw_path, some))
        return response


def changed(change):
    """A lie that changes the decoded answer: ``change`` gives the new value, or changes the one it gets."""

    def lie(_path, raw):
        value = unpack(raw)
        return pack(change(value) or value)

    return lie
