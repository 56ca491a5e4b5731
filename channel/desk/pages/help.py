"""Help: every key and what it does, states and marks in words, and what to do when something is wrong."""

from __future__ import annotations

from aiohttp import web

from channel.client.procedures import read_procedures
from channel.desk.own_procedures import procedure_lines
from channel.desk.pages.glossary import STATES
from channel.desk.showing import DESK, LANG, page, texts
from channel.protocol.charter import ORDER

KEYS = ("j", "k", "o", "a", "r", "c", "Ctrl+Enter", "e", "x", "n", "f", "q", "[", "]", "g x", "Enter")
"""Keys beside those that lead to a page; each has a text ``desk.help.key_…``."""
NAMES = {"Ctrl+Enter": "review", "[": "older", "]": "newer", "g x": "lock", "Enter": "enter"}
TROUBLE = ("line_down", "line_limited", "locked", "alarm", "stale", "suspended", "late", "fork", "clock", "no_news")


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [web.get("/help", show, name="help")]


async def show(request: web.Request) -> web.Response:
    """The page; the own procedures of each level, where the home has them."""
    desk, said = request.app[DESK], texts(request[LANG])
    procedures = read_procedures(desk.home.path)
    return page(
        request,
        "help.html",
        title="desk.help.title",
        keys=[(key, f"desk.help.key_{NAMES.get(key, key)}") for key in KEYS],
        states=STATES,
        trouble=TROUBLE,
        levels=[(code, procedure_lines(procedures, code, said)) for code in reversed(ORDER)],
    )
