"""The acts of a message page: receipts, read-backs and the word on them, translations, the second signature.

Each is signed by the person at the desk, or by a second one with their own passphrase. What was signed before is not
signed again; what fails is shown with what was typed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from channel.client import receipts, unlocking
from channel.client.composing import Draft
from channel.client.present import payload_of
from channel.client.typed import moment, sayable
from channel.desk.pages.thread import KEY_FIELDS, Failed, message_of, show
from channel.desk.posting import Form, inside, read_post
from channel.desk.referring import about_first, body_of, first_ref
from channel.desk.showing import DESK, LANG, go, texts
from channel.i18n import LANGUAGES
from keys.errors import Problem, Refused

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.desk.open_desk import OpenDesk
    from channel.protocol.verdicts import MessageView

STEPS = ("read", "engaged", "informed", "not-engaging", "no-comment", "undecryptable")
COLON = {"en": ": ", "zh": "："}
Act = Callable[[web.Request, "Client", "MessageView", Form], Awaitable[web.Response]]


class Unsaid(Exception):
    """A form that lacks something. The text of its id says what."""


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [
        web.post("/m/{number}/ack", _acting("ack", ack)),
        web.post("/m/{number}/readback", _acting("readback", readback)),
        web.post("/m/{number}/match", _acting("match", match)),
        web.post("/m/{number}/translate", _acting("translate", translate)),
        web.post("/m/{number}/confirm", confirm),
    ]


def _acting(name: str, act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
    """An act as the person at the desk; where it fails, the page again with what was typed."""

    async def answer(request: web.Request) -> web.Response:
        form = await read_post(request)
        async with request.app[DESK].working() as client:
            message = message_of(client, request.match_info["number"])
            try:
                return await act(request, client, message, form)
            except Unsaid as e:
                return show(request, client, message, Failed(name, form, fault=str(e)))
            except Problem as e:
                return show(request, client, client.find(message.ph), Failed(name, form, e))

    return answer


async def ack(request: web.Request, client: Client, message: MessageView, form: Form) -> web.Response:
    """Sign one step of receipt, once."""
    step: Any = form.text("step")
    number, desk = message.verdict.number, request.app[DESK]
    if step not in STEPS:
        raise Unsaid("desk.thread.fault_step")
    if message.verdict.letter == client.view.letter:
        raise Refused("OWN_MESSAGE", number=number)
    if step == "not-engaging" and not form.text("next"):
        raise Unsaid("desk.thread.fault_next")
    at = moment(form.text("next"), desk.now()) if step == "not-engaging" else None
    why = receipts.why_unopened(client, message, step)
    said = texts(request[LANG]).say(f"state.{step.replace('-', '_')}")
    if receipts.signed_before(client, message, step) and (at is None or _same_time(client, message, at)):
        desk.say_next("desk.thread.acked_before", number=number, step=said)
    else:
        await client.ack(message, step, why, at)
        desk.say_next("desk.thread.acked", number=number, step=said)
    return go(inside(form.text("back"), f"/m/{number}"))


def _same_time(client: Client, message: MessageView, at: int) -> bool:
    mine = (a for a in message.acks if any(s.kid == client.keys.sign.kid for s in a.signers))
    return any(a.doc.step == "not-engaging" and a.doc.next == at for a in mine)


async def readback(request: web.Request, client: Client, message: MessageView, form: Form) -> web.Response:
    """Send what the other side's message says, in own words or by the four key fields."""
    if message.verdict.letter == client.view.letter:
        raise Refused("OWN_MESSAGE", number=message.verdict.number)
    client.open(message)
    lang = _lang(form, request[LANG])
    parts = {name: form.text(name) for name in KEY_FIELDS}
    said = [form.text("text")] if form.text("text") else []
    if any(parts.values()) or not said:
        if not all(parts.values()):
            raise Unsaid("desk.thread.fault_readback")
        said += [f"{texts(lang).say(f'desk.thread.{name}')}{COLON[lang]}{part}" for name, part in parts.items()]
    return await _send(request, client, message, form, {"readback": sayable("\n".join(said))}, lang)


async def match(request: web.Request, client: Client, message: MessageView, form: Form) -> web.Response:
    """Say of the other side's read-back that it matches, or differs and in what."""
    first = first_ref(message)
    about = None if first is None or payload_of(message).fmt != "F02" else client.view.fold.find(first)
    if message.verdict.letter == client.view.letter or about is None or about.verdict.letter != client.view.letter:
        raise Refused("NO_READBACK", number=message.verdict.number)
    if "readback" not in client.open(message).body:
        raise Refused("NO_READBACK", number=message.verdict.number)
    said = form.text("match")
    if said not in ("OK", "DIF"):
        raise Unsaid("desk.thread.fault_match")
    body = {"match": said}
    if said == "DIF":
        if not form.text("text"):
            raise Unsaid("desk.thread.fault_differs")
        body["differs"] = sayable(form.text("text"))
    return await _send(request, client, message, form, body, _lang(form, request[LANG]))


async def translate(request: web.Request, client: Client, message: MessageView, form: Form) -> web.Response:
    """Add a translation of what a person wrote: a marked message of its own, into the other language."""
    typed = {
        name.removeprefix("t."): form.text(name) for name in form.fields if name.startswith("t.") and form.text(name)
    }
    if not typed:
        raise Unsaid("desk.thread.fault_translation")
    if form.text("translator") not in ("H", "M", "B"):
        raise Unsaid("desk.thread.fault_translator")
    rows = [receipts.translated(client, message, name, text) for name, text in typed.items()]
    body = {"translation": rows, "translator": form.text("translator")}
    lang = "zh" if payload_of(message).lang == "en" else "en"
    return await _send(request, client, message, form, body, lang)


async def _send(
    request: web.Request, client: Client, message: MessageView, form: Form, body: dict[str, Any], lang: Any
) -> web.Response:
    """Send an F02 about a message, unless the very same was sent before; one person's signature is enough for it."""
    desk = request.app[DESK]
    if desk.silent() and not form.text("stale_ok"):
        raise Unsaid("desk.thread.fault_stale")
    draft = Draft(fmt="F02", body=body, lang=lang, case=message.case, refs=(message.ph,))
    before = _sent_before(client, message, body)
    if before:
        desk.say_next("desk.thread.sent_before", number=before)
    else:
        sent = await client.send(draft)
        desk.say_next("desk.thread.sent", number=sent.verdict.number)
    return go(inside(form.text("back"), f"/m/{message.verdict.number}"))


def _sent_before(client: Client, message: MessageView, body: dict[str, Any]) -> str:
    """The number of the same words of this person about this message: a form that is sent twice sends once."""
    mine = (m for m in about_first(client, message, "F02") if payload_of(m).from_ == client.keys.sign.kid)
    return next((m.verdict.number for m in mine if body_of(client, m) == body), "")


async def confirm(request: web.Request) -> web.Response:
    """The second signature under an own emergency release, by another person than its author."""
    form, desk = await read_post(request), request.app[DESK]
    number = request.match_info["number"]
    try:
        async with _person(desk, form) as client:
            message = await receipts.confirm(client, message_of(client, number))
            said = texts(request[LANG]).say(f"code.confirm.{message.confirm}")
            desk.say_next("desk.thread.acked", number=message.verdict.number, step=said)
    except Problem as e:
        if e.code in ("NOT_FOUND", "LOCKED"):
            raise
        async with desk.working() as client:
            return show(request, client, message_of(client, number), Failed("confirm", form, e))
    return go(inside(form.text("back"), f"/m/{number.upper()}"))


def _person(desk: OpenDesk, form: Form) -> AbstractAsyncContextManager[Client]:
    """The client as who is to sign: the person at the desk, or a second one by their passphrase."""
    seat, typed = form.text("seat"), form.text("passphrase")
    if not desk.locked and seat == desk.client.keys.seat:
        return desk.working()
    return desk.as_second(seat, unlocking.passphrase_of(desk.home, seat, typed))


def _lang(form: Form, reader: str) -> Any:
    """The language that the words are in, as the form says; else the reader's."""
    return form.text("lang") if form.text("lang") in LANGUAGES else reader
