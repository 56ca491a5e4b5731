"""Composing: the format is chosen, the form of the format is filled in and kept as it is typed, then it is reviewed.

Every button of the form keeps what was typed before it does anything else; nothing here sends. A locked desk keeps it
too: sealing to whoever began it needs no secret.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import web

from channel.client.composing import MAIN
from channel.client.present import Names, earlier, find_case, header_view, need
from channel.client.receipts import CORRECTIONS
from channel.client.seats import by_name
from channel.desk import checking, forms, receiving, writing
from channel.desk.begin import Asked, begin, questions
from channel.desk.lines import as_html
from channel.desk.posting import read_post
from channel.desk.showing import DESK, LANG, go, page, texts
from channel.i18n import LANGUAGES, Texts
from channel.protocol.charter import ORDER
from keys.errors import Malformed, Refused, Unverified, WrongUse
from keys.plain import utc

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.desk.open_desk import OpenDesk
    from channel.desk.posting import Form
    from channel.desk.writing import Written
    from channel.protocol.verdicts import MessageView

CHOICE = ("F03", "F04", "F05", "F06", "F07", "F08", "F09", "F10", "F11", "F13")
"""The formats that can be chosen; the others are made from messages and cases."""
ANSWERING = ("F02", "F07")
"""Formats whose header may carry an answer to the message as a whole."""
HEADER = {
    "level": "level", "cosign": "signers", "refs": "refers", "to": "readers", "single": "single", "cor": "correction",
    "ack_by": "ack_by", "reply_by": "reply_by",
}  # fmt: skip
"""Fields of the header that a fault can be at, and what they are called."""
ID = "{id:[0-9a-f]{16}}"


def routes() -> list[web.RouteDef]:
    """The addresses of this module. ``autosave`` is answered by a locked desk too."""
    return [
        web.get("/compose", choose, name="compose"),
        web.post("/compose/new", new),
        web.get(f"/compose/{ID}", show),
        web.post(f"/compose/{ID}{{save:(?:/save)?}}", posted, name="autosave"),
        web.post(f"/compose/{ID}/preview", preview),
        web.post(f"/compose/{ID}/material", material),
        web.post(f"/compose/{ID}/take", take),
        web.get(f"/compose/{ID}/throw", ask_throw),
        web.post(f"/compose/{ID}/throw", throw),
    ]


# --- choosing ---------------------------------------------------------------------------------------------------------


async def choose(request: web.Request) -> web.Response:
    """Which format, in which case; and what is being written already."""
    desk = request.app[DESK]
    async with desk.working() as client:
        book, said = client.book(), texts(request[LANG])
        viewed = _viewed(client, request)
        values: dict[str, Any] = {
            "formats": [(code, book.files.formats[code].en, book.files.formats[code].zh) for code in CHOICE],
            "cases": _open_cases(client, viewed),
            "viewed": viewed,
            "going_on": [_told(client, each, said) for each in reversed(writing.mine(desk))],
        }
        return page(request, "choose.html", title="desk.compose.title", **values)


def _viewed(client: Client, request: web.Request) -> str:
    """The number of the case that was being looked at: named in the address, else by the page that led here."""
    kind, _, number = urlsplit(request.headers.get("Referer", "")).path.strip("/").partition("/")
    ref = request.query.get("case") or (number if kind in ("m", "cases") else "")
    try:
        return find_case(client, ref).verdict.number if ref else ""
    except WrongUse:
        return ""


def _open_cases(client: Client, viewed: str) -> list[tuple[str, str, str]]:
    """(number, level, what it is called) of the open cases, the newest first, and of the one that was looked at."""
    found = []
    for ph in reversed(client.index.openings(closed=False)):
        opening, level = client.find(ph), client.view.fold.case_level(ph)
        found.append((opening.verdict.number, level or "", _line(client, opening)))
    if viewed and all(number != viewed for number, _, _ in found):
        found.insert(0, (viewed, "", ""))
    return found


def _line(client: Client, message: MessageView) -> str:
    try:
        body = client.open(message).body
    except (Refused, Unverified, Malformed):
        return ""
    said = body.get("case_name") or body.get("line") or body.get("entry") or body.get("observed") or ""
    return str(said).split("\n", 1)[0][:80]


@dataclass(frozen=True, slots=True)
class GoingOn:
    """One of the own texts in the list."""

    written: Written
    fmt: str
    gist: str


def _told(client: Client, written: Written, said: Texts) -> GoingOn:
    form = client.book().files.formats.get(written.fmt)
    name = written.fmt if form is None else f"{written.fmt} {form.text(said.lang)}"
    main = written.values.get(MAIN.get(written.fmt, "text")) or written.values.get("text") or ("",)
    return GoingOn(written, name, main[0].split("\n", 1)[0][:80])


async def new(request: web.Request) -> web.Response:
    """Begin a text, filled in as far as what it is about says; then its form."""
    form, desk = await read_post(request), request.app[DESK]
    asked = Asked(**{each.name: form.text(each.name) for each in fields(Asked)})
    async with desk.working() as client:
        written = begin(client, asked, desk.random(8).hex())
        await writing.keep(desk, written)
    return go(f"/compose/{written.id}")


# --- the form ---------------------------------------------------------------------------------------------------------


async def show(request: web.Request) -> web.Response:
    """The form as it was left; read-only where another window writes it."""
    desk, id_ = request.app[DESK], request.match_info["id"]
    window = request.query.get("w", "")
    async with desk.working() as client:
        written = writing.load(desk, id_)
        if not window and desk.windows.free(id_):
            window = desk.random(8).hex()
            desk.windows.hold(id_, window)
            return go(f"/compose/{id_}?w={window}")
        # a look of the page itself may come after the window was left: it must not take the text again
        held = (desk.windows.heard if "part" in request.query else desk.windows.hold)(id_, window)
        found = checking.faults(client, written, desk.random) if "check" in request.query else {}
        first = checking.to_open_first(client, written) if "check" in request.query and not found else []
        values = _form(client, written, texts(request[LANG]), desk)
        values |= {
            "window": window,
            "held": held,
            "faults": {name: checking.in_words(e, texts(request[LANG])) for name, e in found.items()},
            "places": _places(values["groups"], texts(request[LANG])),
            "to_open": [(m.verdict.number, _rendered(client, m, texts(request[LANG]))) for m in first],
            "seen": client.view.fold.cut if first else written.case_seen,
        }
        return page(request, "compose.html", title="desk.compose.title", **values)


def _places(groups: list[forms.Group], said: Texts) -> dict[str, tuple[str, str]]:
    """Where in the page each field is, and what it is called."""
    found = {input_.name: (input_.id, input_.label) for group in groups for input_ in group.inputs}
    found |= {name: (name, said.say(f"desk.compose.{id_}")) for name, id_ in HEADER.items()}
    if "entry" in found:
        found["slots"] = found["entry"]
    return {"to_level": ("level", said.say("desk.compose.level_new")), **found}


def _form(client: Client, written: Written, said: Texts, desk: OpenDesk) -> dict[str, Any]:
    """What the page shows of a text, filled in as it is."""
    form, policy = client.book().files.formats[written.fmt], client.view.fold.policy(client.view.letter)
    at = client.view.fold.case_level(find_case(client, written.case).ph) if written.case else None
    words, rungs = forms.seat_words(client, said), [policy.level(code) for code in reversed(ORDER)]
    if written.op == "raise":
        rungs = [rung for rung in rungs if at is None or ORDER.index(rung.code) > ORDER.index(at)]
    return {
        "written": written,
        "format": form,
        "case_level": at,
        "groups": forms.form_groups(client, written.fmt, written.values, said),
        "rungs": [(rung, need(said, rung.enter)) for rung in rungs],
        "steps_up": checking.steps_up(client, written),
        "seats": _own_seats(client, said),
        "readers": [(seat, words[seat]) for seat in forms.seats(client)],
        "answers": client.book().files.lists["answer"].codes if written.fmt in ANSWERING else {},
        "corrections": CORRECTIONS if written.fmt == "F14" else (),
        "tlp": client.book().files.lists["tlp"].codes,
        "pap": client.book().files.lists["pap"].codes,
        "defaults": client.book().defaults(written.fmt),
        "questions": [_asked(client, each, said) for each in questions(client, written)],
        **_beside(client, written, said, desk),
    }


def _beside(client: Client, written: Written, said: Texts, desk: OpenDesk) -> dict[str, Any]:
    """What stands beside the form and changes as it is filled in."""
    other = Texts(LANGUAGES[1 - LANGUAGES.index(said.lang)])
    body, _ = forms.read_body(client, written.fmt, written.values)
    coded = client.book().coded_text(str(body.get("entry", "")), body.get("slots", {}), other.lang)
    return {
        "hints": checking.hints(client, written, said, desk.silent()),
        "needed": checking.signers_needed(client, written, said),
        "other": other,
        "other_groups": forms.form_groups(client, written.fmt, written.values, other),
        "coded": coded,
    }


def _own_seats(client: Client, said: Texts) -> list[tuple[str, str]]:
    """(name, words) of the own seats that another person than the author holds, of those who may sign a message."""
    party, names = client.view.fold.party(client.view.letter), Names(client, said)
    own = party.members.get(client.keys.sign.kid)
    roles = {role.partition("@")[0] for slot in _slots(client) for role in slot}
    return [
        (name, f"{names.place(party.letter, m)} – {names.person(party.letter, m.person)}")
        for name, m in by_name(party).items()
        if m.role in roles and own is not None and m.person != own.person
    ]


def _slots(client: Client) -> list[tuple[str, ...]]:
    """Every slot of the policy: whose signature a message can need at all."""
    policy = client.view.fold.policy(client.view.letter)
    sign = policy.sign
    tables = [sign.line, sign.person, sign.expert, sign.two, sign.official]
    tables += [slots for code in ORDER for slots in (policy.level(code).enter, policy.level(code).lower)]
    return [slot for slots in tables for slot in slots]


def _asked(client: Client, ask: str, said: Texts) -> str:
    codes = client.book().files.lists["question"].codes
    return f"{ask} {codes[ask].text(said.lang)}" if ask in codes else ask


def _rendered(client: Client, message: MessageView, said: Texts) -> Any:
    """A message whole, as it is opened here."""
    book, payload = client.book(message), message.verdict.doc
    body = client.open(message).body
    view = header_view(client, message, said)
    return as_html(book.render(payload.fmt, view, body, said.lang, before=earlier(client, message)), said.lang)


# --- what the form does -----------------------------------------------------------------------------------------------


async def posted(request: web.Request) -> web.Response:
    """Keep what was typed, then do what the button says. Also at a locked desk, and by the page itself (``/save``)."""
    form, desk = await read_post(request), request.app[DESK]
    written, window = receiving.written_of(form, request.match_info["id"]), form.text("w")
    if written.fmt not in desk.client.book().files.formats:
        raise Refused("FMT", fmt=written.fmt, field="fmt", why="no such format")
    by_itself = bool(request.match_info["save"])
    known = desk.home.autosaver(written.id) is not None
    if not desk.windows.hold(written.id, window) or (by_itself and not known):
        return await _elsewhere(request, form, written, by_itself=by_itself)
    await writing.keep(desk, written)
    if by_itself:
        if form.text("leaving"):
            desk.windows.leave(written.id, window)
        return web.json_response({"kept": utc(written.saved)[11:19]})
    if desk.locked:
        desk.windows.leave(written.id, window)
        return go(f"/lock?next=/compose/{written.id}")
    return await _go_on(request, form, written, window)


async def _go_on(request: web.Request, form: Form, written: Written, window: str) -> web.Response:
    desk, back = request.app[DESK], f"/compose/{written.id}?w={window}"
    what, _, which = form.text("go").partition(".")
    if what in ("more", "drop"):
        at = receiving.more(written, which) if what == "more" else receiving.less(written, which)
        await writing.keep(desk, written)
        return go(f"{back}#{at}")
    if what == "review":
        async with desk.working() as client:
            wrong = checking.faults(client, written, desk.random) or checking.to_open_first(client, written)
        if wrong:
            return go(f"{back}&check=1")
    if what in ("review", "leave", "throw"):
        desk.windows.leave(written.id, window)
        if what == "leave":
            desk.say_next("desk.compose.kept_left", time=utc(written.saved))
        addresses = {"review": f"/review/{written.id}", "leave": "/compose", "throw": f"/compose/{written.id}/throw"}
        return go(addresses[what])
    return go(back)


async def _elsewhere(request: web.Request, form: Form, written: Written, *, by_itself: bool) -> web.Response:
    """The text is written in another window, or is gone: what was typed here becomes a text of its own."""
    desk, author = request.app[DESK], request.app[DESK].home.autosaver(written.id)
    if by_itself and not form.text("changed"):
        return web.json_response({"held": author is not None})
    written.id = desk.random(8).hex()
    await writing.keep(desk, written, author)
    if by_itself:
        return web.json_response({"held": author is not None, "apart": True})
    desk.say_next("desk.compose.kept_apart")
    return go(f"/compose/{written.id}")


async def preview(request: web.Request) -> web.Response:
    """What stands beside the form, for what is typed at this moment; nothing is kept."""
    form, desk = await read_post(request), request.app[DESK]
    written = receiving.written_of(form, request.match_info["id"])
    async with desk.working() as client:
        values = {"written": written, **_beside(client, written, texts(request[LANG]), desk)}
        return page(request, "preview.html", title="desk.compose.title", **values)


async def material(request: web.Request) -> web.Response:
    """Name, size and SHA-256 of files that are delivered beside the channel; their content goes nowhere."""
    form, found = await receiving.read_upload(request)
    desk, id_ = request.app[DESK], request.match_info["id"]
    written, window = receiving.written_of(form, id_), form.text("w")
    if not desk.windows.hold(id_, window):
        return await _elsewhere(request, form, written, by_itself=False)
    for each in found:
        receiving.add_material(written, each)
    await writing.keep(desk, written)
    return go(f"/compose/{id_}?w={window}#f-material")


async def take(request: web.Request) -> web.Response:
    """Write on here; the other window becomes the read-only one."""
    await read_post(request)
    desk, id_, window = request.app[DESK], request.match_info["id"], request.app[DESK].random(8).hex()
    desk.windows.hold(id_, window, over=True)
    return go(f"/compose/{id_}?w={window}")


async def ask_throw(request: web.Request) -> web.Response:
    """Whether a text is to be thrown away."""
    desk = request.app[DESK]
    async with desk.working() as client:
        told = _told(client, writing.load(desk, request.match_info["id"]), texts(request[LANG]))
        return page(request, "throw.html", title="desk.compose.throw", told=told)


async def throw(request: web.Request) -> web.Response:
    """Throw a text away."""
    await read_post(request)
    desk = request.app[DESK]
    async with desk.working():
        written = writing.load(desk, request.match_info["id"])
        writing.drop(desk, written.id)
    desk.say_next("desk.compose.thrown")
    return go("/compose")
