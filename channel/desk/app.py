"""The page of one desk: which address leads where, and what goes before and after each answer.

    async with serving(desk, port) as served: print(served.entry.link())

Everything is served on loopback, to whoever holds the one-time link, and works without JavaScript; scripts only count
down, ring, save drafts, and fetch the page again when something changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from errno import ENAMETOOLONG
from importlib import import_module
from importlib.resources import as_file, files
from urllib.parse import quote

from aiohttp import web

from channel.desk import control, feed
from channel.desk.entry import Entry, headed
from channel.desk.open_desk import OpenDesk
from channel.desk.showing import DESK, ENTRY, LANG, outside, page
from keys.errors import Problem, Refused, SecurityAlarm, Unavailable
from keys.faults import place_of

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGES = (
    "lock", "watch", "settings", "compose", "handover",
    "thread", "receipts", "cases", "ladder",
    "log", "search", "glossary", "help", "start",
    "review", "approvals", "link", "directory", "real_world",
)  # fmt: skip
"""Modules of ``channel.desk.pages``, each with ``routes()``."""
OUTSIDE = frozenset({"DESK_LINK", "DESK_HOST", "DESK_ORIGIN"})
STATUS = {"NOT_FOUND": 404, "METHOD": 405, "TOO_BIG": 413, "FAULT": 500}
MAX_FORM = 4 * 1024 * 1024
LOCKED_TOO = frozenset(
    {
        "real-world",
        "say-real-world",
        "lock",
        "unlock",
        "static",
        "events",
        "enter",
        "language",
        "autosave",
        "start",
        "start_file",
    }
)
"""Routes that a locked desk answers."""


@dataclass(frozen=True, slots=True)
class Served:
    """A desk that is being served."""

    app: web.Application
    entry: Entry
    host: str


def make_app(desk: OpenDesk, entry: Entry) -> web.Application:
    """The application of a desk."""
    app = web.Application(middlewares=[_guarded], client_max_size=MAX_FORM)
    app[DESK], app[ENTRY] = desk, entry
    app.on_response_prepare.append(_headed)
    app.router.add_get("/enter/{token}", entry.enter, name="enter")
    app.router.add_get("/events", _events, name="events")
    with as_file(files("channel.desk").joinpath("static")) as folder:
        app.router.add_static("/static", folder, name="static")
    for name in PAGES:
        app.router.add_routes(import_module(f"channel.desk.pages.{name}").routes())
    return app


@asynccontextmanager
async def serving(desk: OpenDesk, port: int = 0) -> AsyncIterator[Served]:
    """Serve the desk on loopback until the end; ``port`` 0: any that is free."""
    view, party = desk.client.view, desk.home.config.party.lower()
    cookie = f"dcx-{view.charter.mode}-{view.chan.hex()[:8]}-{party}"  # a browser keeps cookies by name, not by port
    entry = Entry("", cookie, desk.clock, desk.random)
    app = make_app(desk, entry)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        entry.host = f"127.0.0.1:{runner.addresses[0][1]}"
        async with control.listening(desk.home.path, entry):
            yield Served(app, entry, entry.host)
    finally:
        await runner.cleanup()


@web.middleware
async def _guarded(request: web.Request, handler: Answer) -> web.StreamResponse:
    """Check who asks, and turn every problem into a page that says what happened and what to do."""
    desk = request.app[DESK]
    request[LANG] = desk.setting("lang")
    try:
        return await _answered(request, desk, handler)
    except ConnectionError:
        raise  # nobody is there to be told
    except Exception as e:
        if isinstance(e, web.HTTPException) and e.status < 400:
            raise
        if isinstance(e, SecurityAlarm):
            desk.alarm = e
            desk.tell()
        return problem_page(request, _problem_of(e))


async def _answered(request: web.Request, desk: OpenDesk, handler: Answer) -> web.StreamResponse:
    request.app[ENTRY].check(request)
    name = request.match_info.route.name or ""
    if request.method == "POST" or not (name in LOCKED_TOO or "part" in request.query):
        desk.touch()
    if desk.locked and name not in LOCKED_TOO:
        return _to_lock(request)
    response = await handler(request)
    if request.method == "POST":
        desk.tell()
    return response


def _problem_of(e: Exception) -> Problem:
    """What went wrong as a person is told it; the last wall names the class, never what was typed."""
    if isinstance(e, Problem):
        return e
    if isinstance(e, web.HTTPException):
        return Refused("NOT_FOUND" if e.status == 404 else "METHOD")
    if isinstance(e, OSError) and e.errno == ENAMETOOLONG:
        return Refused("NOT_FOUND")
    return Problem("FAULT", kind=type(e).__name__, where=place_of(e))


def _to_lock(request: web.Request) -> web.Response:
    if request.method == "GET":
        back = str(request.rel_url)
        return web.Response(status=303, headers={"Location": f"/lock?next={quote(back)}" if back != "/" else "/lock"})
    return problem_page(request, Refused("LOCKED"))


def problem_page(request: web.Request, problem: Problem) -> web.Response:
    """What happened and what to do. Somebody without the link is shown nothing of the desk."""
    if problem.code in OUTSIDE:
        return outside(problem)
    kind = 503 if isinstance(problem, Unavailable) else 403 if isinstance(problem, Refused) else 400
    status = STATUS.get(problem.code, kind)
    return page(request, "problem.html", title="desk.frame.problem", status=status, problem=problem)


async def _headed(_: web.Request, response: web.StreamResponse) -> None:
    headed(response)


async def _events(request: web.Request) -> web.StreamResponse:
    return await feed.events(request, request.app[DESK])
