"""Drafts of the own side that wait for signatures: who is missing, the message fresh from its bytes, sign or send back.

Each is looked at by itself; there is nothing that signs several. The person at the desk signs, or another signer whose
key is in this home, by that person's passphrase. The last signature releases the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from channel.client import drafts, unlocking
from channel.client.drafts import REJECTED, WITHDRAWN, state
from channel.client.present import Names, proposal_view, worded
from channel.client.seats import by_name
from channel.client.typed import sayable
from channel.desk import outgoing, writing
from channel.desk.posting import Form, read_post
from channel.desk.showing import DESK, LANG, go, page, texts
from channel.desk.watch_words import length
from keys.errors import Problem, Refused, WrongUse

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.client.drafts import State, Waiting
    from channel.desk.open_desk import OpenDesk
    from channel.i18n import Texts
    from channel.protocol.verdicts import MessageView

DID = "{did:[0-9a-f]{32}}"
PAGE = 50
"""Ended drafts that one page shows."""


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [
        web.get("/approvals", show, name="approvals"),
        web.get(f"/approvals/{DID}", show_one, name="approval"),
        web.get(f"/approvals/{DID}/{{act:sign|second|end}}", show_one),  # where a form that failed is looked at again
        web.post(f"/approvals/{DID}/sign", sign),
        web.post(f"/approvals/{DID}/second", second),
        web.post(f"/approvals/{DID}/end", end),
    ]


@dataclass(frozen=True, slots=True)
class Row:
    """One draft as a list shows it. ``asks``: it waits for the person at the desk; ``mine``: who wrote it."""

    did: str
    name: str
    level: str
    author: str
    since: int
    age: str
    until: int
    signed: str
    missing: str
    asks: bool
    mine: bool
    state: State
    ended_by: str
    comments: list[tuple[str, str]]
    number: str


# --- the list ---------------------------------------------------------------------------------------------------------


async def show(request: web.Request) -> web.Response:
    """What waits, first what waits for the person at the desk; what has ended behind it."""
    desk, said = request.app[DESK], texts(request[LANG])
    every = "all" in request.query
    async with desk.working() as client:
        await desk.count_to_sign()
        found = [w for w in await drafts.drafts(client, recent=not every) if w.said is not None]
        _tidy(desk, client, found)
        waiting = [w for w in found if state(client, w) == "waiting"]
        ended = [w for w in found if state(client, w) != "waiting"][::-1]
        first = _number(request.query.get("from", "0"))
        rows = sorted((row_of(desk, client, w, said) for w in waiting), key=lambda row: not row.asks)
        return page(
            request,
            "approvals.html",
            title="desk.approvals.title",
            waiting=rows,
            ended=[row_of(desk, client, w, said) for w in ended[first : first + PAGE]],
            more=first + PAGE if len(ended) > first + PAGE else None,
            every=every,
        )


def _number(given: str) -> int:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 9 else 0


def row_of(desk: OpenDesk, client: Client, waiting: Waiting, said: Texts) -> Row:
    """A draft in words; it has to be sealed to whoever is at the desk."""
    assert waiting.said is not None
    payload, letter, names = waiting.said.payload, client.view.letter, Names(client, said)
    now, own = state(client, waiting), client.keys.sign.kid
    message = None if waiting.ph is None else client.view.fold.find(waiting.ph)
    ttl = client.view.fold.policy(letter).limits.draft_ttl
    return Row(
        did=waiting.did.hex(),
        name=f"{payload.fmt} {client.book().files.formats[payload.fmt].text(said.lang)}",
        level=payload.level,
        author=names.place(letter, waiting.author),
        since=waiting.record.ts,
        age=length(said, max(0, desk.now() - waiting.record.ts) // 1000),
        until=waiting.record.ts + ttl * 1000,
        signed=names.signers(waiting.signatures.keys()),
        missing=names.signers(waiting.missing),
        asks=own in waiting.missing and now == "waiting",
        mine=waiting.document.from_ == own,
        state=now,
        ended_by=names.seat(letter, waiting.ended_by) if waiting.ended_by else "",
        comments=[(names.seat(letter, seat), text) for seat, text in waiting.comments],
        number="" if message is None else message.verdict.number,
    )


def _tidy(desk: OpenDesk, client: Client, found: list[Waiting]) -> None:
    """What its author was writing is kept until it has gone out."""
    released = {w.did.hex() for w in found if state(client, w) == "released"}
    for written in writing.mine(desk) if released else ():
        if written.did in released:
            writing.drop(desk, written.id)


# --- one draft --------------------------------------------------------------------------------------------------------


async def show_one(request: web.Request) -> web.Response:
    """A draft fresh from its bytes, with what the person at the desk can do about it."""
    async with request.app[DESK].working() as client:
        return await _one(request, client)


async def _one(
    request: web.Request, client: Client, problem: Problem | None = None, form: Form | None = None, act: str = ""
) -> web.Response:
    desk, said = request.app[DESK], texts(request[LANG])
    waiting = await drafts.find(client, request.match_info["did"])
    if waiting.said is None:
        raise Refused("NOT_A_SIGNER", did=waiting.did)
    _tidy(desk, client, [waiting])
    payload, body = waiting.said.payload, waiting.said.opened.body
    out = outgoing.outgoing(client, payload, body, lambda t: proposal_view(client, waiting, t), said.lang)
    row = row_of(desk, client, waiting, said)
    before = await outgoing.earlier_draft(client, payload, waiting.did)
    return page(
        request,
        "approval.html",
        title="desk.approvals.one",
        row=row,
        out=out,
        stale=outgoing.stale_age(desk, said),
        can_sign=row.asks or (row.state == "waiting" and not waiting.missing),
        last=not set(waiting.missing) - {client.keys.sign.kid},
        seconds=_seconds(client, waiting, said) if row.state == "waiting" else [],
        kept=unlocking.kept_passphrase(desk.home) is not None,
        again=_again(desk, waiting),
        typed=form,
        act=act,
        problem=problem,
        before=None if before is None else row_of(desk, client, before, said),
        changes=[] if before is None else outgoing.changes_since(client, before, out, said.lang),
    )


def _seconds(client: Client, waiting: Waiting, said: Texts) -> list[tuple[str, str, bool]]:
    """Seats of missing signers whose keys are in this home, without the person at the desk; is it the last signature."""
    party, own = client.view.fold.party(client.view.letter), client.keys.sign.kid
    kept = client.home.seats()
    here = [(name, m) for name, m in by_name(party).items() if name in kept and m.kid in waiting.missing]
    person = party.members[own].person if own in party.members else ""
    names = Names(client, said)
    others = [(name, m) for name, m in here if m.kid != own and m.person != person]
    return [(name, names.place(party.letter, m), set(waiting.missing) == {m.kid}) for name, m in others]


def _again(desk: OpenDesk, waiting: Waiting) -> str:
    """The author's own text of which this draft was made, where it is still kept."""
    return next((w.id for w in writing.mine(desk) if w.did == waiting.did.hex()), "")


# --- what is done about it --------------------------------------------------------------------------------------------


async def sign(request: web.Request) -> web.Response:
    """The signature of the person at the desk."""
    form, desk = await read_post(request), request.app[DESK]
    async with desk.working() as client:
        try:
            sent = await _signed(desk, client, request, form)
        except (Refused, WrongUse) as e:
            return await _one(request, client, _in_words(e, request), form, "sign")
        await desk.count_to_sign()
    return _told(desk, request, sent)


async def second(request: web.Request) -> web.Response:
    """Another signer's, with that person's own passphrase; then the first person is at the desk again."""
    form, desk = await read_post(request), request.app[DESK]
    seat, typed = form.text("seat"), form.text("passphrase")
    try:
        _check_other(desk, seat)
        async with desk.as_second(seat, unlocking.passphrase_of(desk.home, seat, typed)) as client:
            sent = await _signed(desk, client, request, form)
    except (Refused, WrongUse) as e:
        async with desk.working() as client:
            return await _one(request, client, _in_words(e, request), form, "second")
    return _told(desk, request, sent)


def _check_other(desk: OpenDesk, seat: str) -> None:
    """``WrongUse`` NO_SEAT; ``Refused`` SELF_APPROVAL for a seat of whoever is at the desk."""
    unlocking.check_kept(desk.home, seat)
    member = by_name(desk.client.view.fold.party(desk.client.view.letter)).get(seat)
    if member is not None and desk.person is not None and member.person == desk.person.person:
        raise Refused("SELF_APPROVAL", seat=seat)


async def _signed(desk: OpenDesk, client: Client, request: web.Request, form: Form) -> MessageView | None:
    waiting = await drafts.find(client, request.match_info["did"])
    drafts.check_open(client, waiting)
    outgoing.check_fresh(desk, form)
    return await drafts.approve(client, waiting)


def _told(desk: OpenDesk, request: web.Request, sent: MessageView | None) -> web.Response:
    desk.tell()
    if sent is None:
        desk.say_next("desk.approvals.signed")
        return go(f"/approvals/{request.match_info['did']}")
    for written in writing.mine(desk):
        if written.did == request.match_info["did"]:
            writing.drop(desk, written.id)
    desk.say_next("desk.review.sent", number=sent.verdict.number)
    return go(f"/m/{sent.verdict.number}")


async def end(request: web.Request) -> web.Response:
    """Its author takes it back, with or without a comment; another signer sends it back, with one."""
    form, desk = await read_post(request), request.app[DESK]
    async with desk.working() as client:
        try:
            waiting = await drafts.find(client, request.match_info["did"])
            word = WITHDRAWN if waiting.document.from_ == client.keys.sign.kid else REJECTED
            comment = sayable(form.text("comment"))
            if word == REJECTED and not comment:
                raise WrongUse("COMMENT_NEEDED", did=waiting.did)
            await drafts.end(client, waiting, word, comment)
        except Problem as e:
            return await _one(request, client, _in_words(e, request), form, "end")
        await desk.count_to_sign()
    desk.tell()
    desk.say_next(f"desk.approvals.{word}")
    return go(f"/approvals/{request.match_info['did']}")


def _in_words(e: Problem, request: web.Request) -> Problem:
    return worded(e, texts(request[LANG])) if isinstance(e, Refused) else e
