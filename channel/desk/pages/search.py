"""Search over what the unlocked key has opened since it was unlocked: in memory alone, gone when the desk is locked.

The words that are looked for come with a form, not in the address: a browser keeps addresses, and they may be secret.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from channel.desk.opened import MORE, Found
from channel.desk.posting import read_post
from channel.desk.showing import DESK, page
from keys.plain import plain

MOST = 100
AT_ONCE = 20
"""Messages that are opened before others at this desk get their turn."""


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [web.get("/search", show, name="search"), web.post("/search", look)]


async def show(request: web.Request) -> web.Response:
    """The field, and how much is searched."""
    return await _answer(request, request.query.get("q", "").strip(), 0)


async def look(request: web.Request) -> web.Response:
    """What fits; with ``older`` more is opened before."""
    form = await read_post(request)
    return await _answer(request, form.text("q"), MORE if "older" in form else 0)


async def _answer(request: web.Request, asked: str, older: int) -> web.Response:
    desk = request.app[DESK]
    async with desk.working():
        for _ in range(0, older, AT_ONCE):
            if not desk.opened.older(AT_ONCE):
                break
            await asyncio.sleep(0)  # the feed and other pages go on
        found: list[Found] = desk.opened.find(plain(asked).split())
        opened, closed, total = desk.opened.count()
        return page(
            request,
            "search.html",
            title="desk.search.title",
            asked=asked,
            found=found[:MOST],
            count=len(found),
            opened=opened,
            closed=closed,
            total=total,
            left=total - opened - closed,
            more=MORE,
        )
