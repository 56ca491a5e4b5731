"""The watch: what waits for this side and for the other, who is on and who is next, the line, alarms. The first page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from channel.client import watch
from channel.client.cases import openings, read_case
from channel.client.client import Client
from channel.client.gist import told
from channel.client.present import Names, as_item, author, corrected, corrections
from channel.client.procedures import read_procedures
from channel.desk.open_desk import OpenDesk
from channel.desk.plan import read_plan
from channel.desk.referring import differing
from channel.desk.showing import DESK, LANG, page, texts
from channel.desk.watch_words import FALL_BACK, Shown
from channel.i18n import Texts
from channel.protocol.charter import ORDER

if TYPE_CHECKING:
    from channel.client.watch import Open

SPOKEN_AT_ONCE = ORDER.index("serious")


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [web.get("/", show, name="watch")]


@dataclass(frozen=True, slots=True)
class Item:
    """One message that waits, as the list shows it."""

    open: Open
    who: str
    fmt: str
    gist: str
    corrections: list[str]
    since: int
    urgent: bool
    procedure: list[str]


async def show(request: web.Request) -> web.Response:
    """The page, as of now."""
    desk, lang = request.app[DESK], request[LANG]
    async with desk.working() as client:
        said = texts(lang)
        shown = Shown(client, said, read_plan(client.home), read_procedures(client.home.path))
        values: dict[str, Any] = {
            "owed": [_item(desk, client, shown, each, said) for each in sorted(shown.owed, key=_first)],
            "awaited": [_item(desk, client, shown, each, said) for each in sorted(shown.awaited, key=_first)],
            "posts": shown.post_lines(),
            "cases": [read_case(client, client.find(ph)) for ph in openings(client, closed=False)],
            "contacts": shown.contact_lines() if _unanswered(shown) else [],
            "procedures": shown,
            "differing": differing(client),
        }
        return page(request, "watch.html", title="desk.watch.title", **values)


def _first(each: watch.Open) -> tuple[int, float]:
    """What comes first: the highest level, then what is due soonest."""
    due = (receipt.due for receipt in each.receipts if receipt.due is not None)
    return -ORDER.index(each.level), min(due, default=float("inf"))


def _unanswered(shown: Shown) -> bool:
    return any(r.step >= FALL_BACK for each in shown.awaited for r in each.receipts)


def _item(desk: OpenDesk, client: Client, shown: Shown, each: watch.Open, said: Texts) -> Item:
    message = each.message
    item = as_item(client, message)
    record = message.verdict.record
    return Item(
        open=each,
        who=Names(client, said).speaker(message.verdict.letter, author(message)),
        fmt=f"{item['format']} {client.book(message).files.formats[item['format']].text(said.lang)}",
        gist=told(client.book(message), item, said),
        corrections=corrections(corrected(client), message.ph, said),
        since=message.receipt_time or (record.ts if record else desk.now()),
        urgent=ORDER.index(each.level) >= SPOKEN_AT_ONCE,
        procedure=shown.procedure_lines(each),
    )
