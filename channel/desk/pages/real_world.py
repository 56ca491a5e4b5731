"""REAL WORLD: one button on every page of an exercise, without a question. It tells both sides, and what to do now.

The record is signed by whoever is at the desk, in any role. A locked desk signs nothing; its page says what to do too.
There is no such page on an actual channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from channel.client import watch
from channel.desk.break_in import lasting, say_real_world
from channel.desk.posting import read_post
from channel.desk.showing import DESK, go, page
from keys.errors import Problem, Refused

if TYPE_CHECKING:
    from channel.desk.open_desk import OpenDesk


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [
        web.get("/real-world", show, name="real-world"),
        web.post("/real-world", break_in, name="say-real-world"),
    ]


async def show(request: web.Request, problem: Problem | None = None) -> web.Response:
    """What to do now. ``Refused`` NOT_FOUND on an actual channel."""
    desk = request.app[DESK]
    _check_exercise(desk)
    client = desk.client
    contacts = [] if desk.locked else watch.contacts(client)
    order = (client.view.letter, client.view.peer)
    return page(
        request,
        "real_world.html",
        title="desk.real_world.title",
        status=200 if problem is None else 400,
        problem=problem,
        said=bool(lasting(client)),
        contacts=[(client.view.fold.party(x).code, [line for letter, line in contacts if letter == x]) for x in order],
    )


async def break_in(request: web.Request) -> web.Response:
    """Say it; the page that follows says what to do, also where it could not be signed."""
    await read_post(request)
    desk = request.app[DESK]
    _check_exercise(desk)
    try:
        async with desk.working() as client:
            await say_real_world(client)
    except Problem as e:
        return await show(request, e)
    return go("/real-world")


def _check_exercise(desk: OpenDesk) -> None:
    if desk.client.view.charter.mode != 2:
        raise Refused("NOT_FOUND")
