"""Settings of this desk: language, time zones, sound and its test, keys, contrast. They hold for everybody at it."""

from __future__ import annotations

from aiohttp import web

from channel.desk.clockwork import zone
from channel.desk.posting import read_post
from channel.desk.showing import DESK, go, page
from keys.errors import WrongUse

CHOICES = {"lang": ("en", "zh"), "sound": ("on", "off"), "shortcuts": ("on", "off"), "contrast": ("normal", "more")}
ZONES = ("zone_own", "zone_other")


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [web.get("/settings", show, name="settings"), web.post("/settings", keep)]


async def show(request: web.Request) -> web.Response:
    """The form with what holds now."""
    desk = request.app[DESK]
    kept = {name: desk.setting(name) for name in (*CHOICES, *ZONES)}
    return page(request, "settings.html", title="desk.settings.title", kept=kept, choices=CHOICES)


async def keep(request: web.Request) -> web.Response:
    """Keep what was chosen; ``WrongUse`` ZONE for a time zone that is not known here."""
    form, desk = await read_post(request), request.app[DESK]
    for name in ZONES:
        if form.text(name) and zone(form.text(name)) is None:
            raise WrongUse("ZONE", name=form.text(name))
    for name, known in CHOICES.items():
        if form.text(name) in known:
            desk.home.set(name, form.text(name))
    for name in ZONES:
        desk.home.set(name, form.text(name))
    desk.say_next("desk.settings.kept")
    return go("/settings")
