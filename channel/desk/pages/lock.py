"""The locked desk: who may unlock it, and what rings meanwhile, by number, level and time alone. Language for everybody."""

from __future__ import annotations

from aiohttp import web

from channel.client import unlocking
from channel.client.present import Names
from channel.client.seats import by_name
from channel.desk.open_desk import OpenDesk
from channel.desk.posting import inside, read_post
from channel.desk.ringing import rings
from channel.desk.showing import DESK, LANG, go, page, texts
from channel.i18n import LANGUAGES
from keys.errors import Problem
from keys.plain import plain

WRITING = ("/compose/", "/review/")


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [
        web.get("/lock", show, name="lock"),
        web.post("/lock", lock),
        web.post("/unlock", unlock, name="unlock"),
        web.post("/language", language, name="language"),
    ]


async def show(request: web.Request) -> web.Response:
    """The page of a locked desk. Whoever is let in goes on to ``next``."""
    return _locked(request, request.query.get("next", "/"), request.app[DESK].last_seat)


def _locked(request: web.Request, next_: str, seat: str = "", problem: Problem | None = None) -> web.Response:
    desk = request.app[DESK]
    return page(
        request,
        "lock.html",
        title="desk.lock.title",
        status=200 if problem is None else 403,
        seats=[(seat, _named(desk, seat, request.get(LANG, "en"))) for seat in desk.home.seats()],
        kept=unlocking.kept_passphrase(desk.home) is not None,
        seat=seat,
        next=inside(next_),
        problem=problem,
    )


async def lock(request: web.Request) -> web.Response:
    """Lock now."""
    await read_post(request)
    request.app[DESK].lock()
    return go("/lock")


async def unlock(request: web.Request) -> web.Response:
    """Let a person in, with their passphrase; a trial home keeps one beside its keys."""
    form = await read_post(request)
    desk = request.app[DESK]
    seat = form.text("seat")
    try:
        await desk.unlock(seat, unlocking.passphrase_of(desk.home, seat, form.text("passphrase")))
    except Problem as e:
        return _locked(request, form.text("next"), seat, e)
    return go(_first(desk, inside(form.text("next"))))


async def language(request: web.Request) -> web.Response:
    """The language of the page, kept in the home."""
    form = await read_post(request)
    if form.text("lang") in LANGUAGES:
        request.app[DESK].home.set("lang", form.text("lang"))
        request[LANG] = form.text("lang")
    return go(inside(form.text("back")))


def _first(desk: OpenDesk, next_: str) -> str:
    """Where an unlocked person goes on: a flash message that rings comes before all but what they were writing."""
    flash = next((ring for ring in rings(desk) if ring.prec == "Z"), None)
    return next_ if flash is None or next_.startswith(WRITING) else f"/m/{flash.number}"


def _named(desk: OpenDesk, seat: str, lang: str) -> str:
    """A seat as people call it, beside the name of its keys; that name alone where no roster has it."""
    view = desk.client.view
    member = None if view.fold.charter is None else by_name(view.fold.party(view.letter)).get(seat)
    return seat if member is None else f"{plain(Names(desk.client, texts(lang)).place(view.letter, member))} · {seat}"
