"""The line: its state, line tests by machine and by people, the documents it stands on, the fall-back card, carrying by hand.

A line test by a person leaves with one click; the answer to one is typed. What can't go over the line is carried as a
file or as printed lines, with the same checks and cosignatures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from aiohttp import web

from channel.client import linetests, printed, watch
from channel.client.composing import Draft
from channel.client.typed import sayable
from channel.desk import line_tests
from channel.desk.key_table import documents
from channel.desk.pictures import strip
from channel.desk.posting import Form, read_post
from channel.desk.showing import DESK, LANG, go, page, texts
from channel.protocol.append import MAX_REQUEST, carry_unpack, read_request
from channel.protocol.note import parse
from channel.protocol.verdicts import LETTERS
from keys.errors import Problem, Refused, WrongUse

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.desk.open_desk import OpenDesk

KINDS = ("HUM", "ALT", "SIT")
NOTHING_TYPED = Form({}, {})
ANSWERS: WeakKeyDictionary[OpenDesk, bytes] = WeakKeyDictionary()
"""Of each desk the answer to the file that was taken last, until it is closed."""


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [
        web.get("/link", show, name="link"),
        web.get("/link/answer", show),  # where a refused form stands: it is live too
        web.get("/link/carry/in", show),
        web.post("/link/test", test),
        web.post("/link/answer", answer),
        web.get("/link/card", card, name="link-card"),
        web.get("/link/carry/out", carry_out, name="carry-out"),
        web.get("/link/carry/lines", carry_lines, name="carry-lines"),
        web.post("/link/carry/in", carry_in),
        web.get("/link/carry/answer", carry_answer, name="carry-answer"),
    ]


async def show(request: web.Request, problem: Problem | None = None, typed: Form = NOTHING_TYPED) -> web.Response:
    """The page. ``?answer=NUMBER`` opens the form for the answer to a test of the other side."""
    desk, lang = request.app[DESK], request[LANG]
    async with desk.working() as client:
        now = desk.now()
        tests = line_tests.automatic(client, now)
        people = line_tests.by_people(client)
        number = typed.text("number") or request.query.get("answer", "")
        asked = next((p for p in people if p.test.number == number and not p.ours and not p.test.answer), None)
        labels = {state: texts(lang).say(f"desk.link.strip_{state}") for state in line_tests.STATES.values()}
        values: dict[str, Any] = {
            "line": desk.link,
            "offset": desk.offset,
            "heard": now - 1000 * client.view.age(now),
            "tests": tests[: -line_tests.SHOWN - 1 : -1],
            "newest": linetests.newest(tests),
            "picture": strip(line_tests.strip(tests, client.view.letter, now), lang, labels),
            "codes": {letter: client.view.fold.party(letter).code for letter in LETTERS},
            "people": people,
            "asked": asked,
            "kinds": KINDS,
            "documents": documents(client),
            "contacts": _contacts(client),
        }
    return page(
        request,
        "link.html",
        title="desk.link.title",
        status=200 if problem is None else 403,
        problem=problem,
        typed=typed,
        **values,
    )


def _contacts(client: Client) -> list[tuple[str, list[Any]]]:
    """The fall-back list of each party, the own side first."""
    found = watch.contacts(client)
    order = (client.view.letter, client.view.peer)
    return [(client.view.fold.party(x).code, [line for letter, line in found if letter == x]) for x in order]


async def card(request: web.Request) -> web.Response:
    """The fall-back lists alone, to be printed."""
    async with request.app[DESK].working() as client:
        return page(
            request, "card.html", title="desk.link.card", contacts=_contacts(client), documents=documents(client)[:1]
        )


# --- line tests by people ---------------------------------------------------------------------------------------------


async def test(request: web.Request) -> web.Response:
    """Send a random neutral text for a person of the other side to answer."""
    form, desk = await read_post(request), request.app[DESK]
    kind = form.text("kind") if form.text("kind") in KINDS else KINDS[0]
    async with desk.working() as client:
        sent = await client.send(await _draft(client, linetests.new_test(client, kind), ()))
        desk.say_next("desk.link.sent", number=sent.verdict.number)
    return go("/link")


async def answer(request: web.Request) -> web.Response:
    """Answer a test of the other side; one that was answered meanwhile is not answered twice."""
    form, desk = await read_post(request), request.app[DESK]
    try:
        text = sayable(form.text("text"))
        if not text:
            raise WrongUse("NOTHING_TO_SEE")
        async with desk.working() as client:
            asked = linetests.asked_test(client, form.text("number"))
            known = {p.test.number: p.test.answer for p in line_tests.by_people(client)}
            if not known.get(asked.verdict.number):
                body = linetests.answer_body(client, asked, text)
                sent = await client.send(await _draft(client, body, (asked.ph,)))
                desk.say_next("desk.link.answer_sent", number=sent.verdict.number, asked=asked.verdict.number)
    except Problem as e:
        return await show(request, e, form)
    return go("/link")


async def _draft(client: Client, body: dict[str, Any], refs: tuple[bytes, ...]) -> Draft:
    line = await client.wire.link()
    own = client.view.charter.party(client.view.letter).lang
    return Draft(
        fmt="F01", body=body | {"path": f"{line['address']}/{line['addresses']}"}, lang=own, level="routine",
        refs=refs, status="test",
    )  # fmt: skip


# --- carried by hand --------------------------------------------------------------------------------------------------


async def carry_out(request: web.Request) -> web.Response:
    """The file for the other side; ``Refused`` NOTHING_TO_CARRY, CARRY_ROLE."""
    async with request.app[DESK].working() as client:
        raw = await client.wire.carry_out(MAX_REQUEST)
        code, until = client.view.fold.party(client.view.letter).code, _until(raw)
    return _file(raw, f"{code.lower()}-{until}.dcxcarry")


async def carry_lines(request: web.Request) -> web.Response:
    """The same as lines to print, at most as many as can be typed in again."""
    desk = request.app[DESK]
    async with desk.working() as client:
        raw = await client.wire.carry_out(printed.MAX_BYTES)
        left = max(0, (await client.wire.link())["size"] - _until(raw))
    return page(
        request, "carry.html", title="desk.link.lines", step="lines", lines=printed.to_lines(raw), left=left, taken=None
    )


def _until(raw: bytes) -> int:
    """Up to which record a file reaches."""
    return parse(read_request(carry_unpack(raw)[-1]).note).size


async def carry_in(request: web.Request) -> web.Response:
    """Take a carried file, or the lines of a printed one; offer its answer. A problem shows the form with what was typed."""
    form, desk = await read_post(request.clone(client_max_size=2 * MAX_REQUEST)), request.app[DESK]
    try:
        raw = _given(form)
        as_lines = printed.is_printed(raw)
        if as_lines:
            raw = printed.from_lines(raw.decode("utf-8", "replace"))
        async with desk.working() as client:
            taken = await client.wire.carry_in(raw, again="again" in form)
            await client.sync()
            code = client.view.fold.party(taken["log"]).code
    except Problem as e:
        return await show(request, e, form)
    ANSWERS[desk] = taken["answers"]
    short = as_lines and len(taken["answers"]) <= printed.MAX_BYTES
    lines = printed.to_lines(taken["answers"]) if taken["kind"] == "requests" and short else []
    return page(
        request, "carry.html", title="desk.link.carry_title", step="taken", lines=lines, left=0, taken=taken, code=code
    )


def _given(form: Form) -> bytes:
    """The file, or else the lines. ``WrongUse`` CARRY_NONE for neither, ``Refused`` TOO_BIG."""
    uploads = form.files.get("file", ())
    raw = uploads[0].file.read(MAX_REQUEST + 1) if uploads else b""
    for upload in uploads:
        upload.file.close()
    if len(raw) > MAX_REQUEST:
        raise Refused("TOO_BIG", limit=MAX_REQUEST)
    raw = raw or form.text("lines").encode()
    if not raw:
        raise WrongUse("CARRY_NONE")
    return raw


async def carry_answer(request: web.Request) -> web.Response:
    """The answer to the file that was taken last; ``Refused`` NOT_FOUND where there is none."""
    desk = request.app[DESK]
    raw = ANSWERS.get(desk, b"")
    if not raw:
        raise Refused("NOT_FOUND")
    return _file(raw, f"{desk.home.config.party.lower()}.dcxcarry.answer")


def _file(raw: bytes, name: str) -> web.Response:
    return web.Response(
        body=raw,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
