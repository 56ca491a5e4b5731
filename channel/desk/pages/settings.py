"""Settings of this desk: language, time zones, sound and its test, keys, contrast. They hold for everybody at it."""

from __future__ import annotations

from aiohttp import web

from channel.desk.clockwork import zone
from channel.desk.posting import read_post
from channel.desk.showing import DESK, go, page
from keys.errors import WrongUse

CHOICES = {"lang": ("en", "zh"), "sound": ("on", "off"), "shortcuts": ("on", "off"), "contrast": ("normal", "more")}
ZONES = ("zone_own", "zone_other")
OFFERED = (
    "UTC", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "Pacific/Honolulu",
    "Europe/London", "Europe/Zurich", "Asia/Shanghai", "Asia/Singapore", "Australia/Sydney",
)  # fmt: skip
"""Suggestions beside the field; any other name of the machine's list is taken too."""


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [web.get("/settings", show, name="settings"), web.post("/settings", keep)]


async def show(
    request: web.Request, typed: dict[str, str] | None = None, fault: WrongUse | None = None
) -> web.Response:
    """The form with what holds now, or with what was typed and does not fit."""
    desk = request.app[DESK]
    kept = {name: desk.setting(name) for name in (*CHOICES, *ZONES)} | (typed or {})
    return page(
        request,
        "settings.html",
        title="desk.settings.title",
        status=400 if fault else 200,
        kept=kept,
        choices=CHOICES,
        zones=OFFERED,
        fault=fault,
    )


async def keep(request: web.Request) -> web.Response:
    """Keep what was chosen; nothing of it where a time zone is not known here."""
    form, desk = await read_post(request), request.app[DESK]
    for name in ZONES:
        if form.text(name) and zone(form.text(name)) is None:
            typed = {known: form.text(known) for known in (*CHOICES, *ZONES)}
            return await show(request, typed, WrongUse("ZONE", name=form.text(name)))
    for name, known in CHOICES.items():
        if form.text(name) in known:
            desk.home.set(name, form.text(name))
    for name in ZONES:
        desk.home.set(name, form.text(name))
    desk.say_next("desk.settings.kept")
    return go("/settings")
