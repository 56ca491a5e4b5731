"""Taking, handing over and leaving a post, by people at this desk: who is on, what is open, and the signatures.

Whoever signs has been shown what is open on both sides; the form carries a mark of that list, and where something was
added meanwhile nothing is signed before it has been read. The list is kept with the record. Further signers give their
passphrases here, one after the other; after a handover the desk goes on as the incoming officer.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from aiohttp import web

from channel.client import drafts, unlocking
from channel.client.procedures import read_procedures
from channel.client.seats import by_name
from channel.client.typed import sayable
from channel.desk.plan import read_plan
from channel.desk.posting import Form, read_post
from channel.desk.posts import RELIEVERS, AtPost, Signing
from channel.desk.showing import DESK, LANG, go, page, texts
from channel.desk.watch_words import Shown
from keys.errors import Problem, Refused

if TYPE_CHECKING:
    from channel.client.client import Client, SeatKeys
    from channel.client.watch import Open, Post
    from channel.desk.open_desk import OpenDesk
    from keys.documents import Member

NOTHING_TYPED = Form({}, {})


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [
        web.get("/handover", show, name="handover"),
        web.get("/handover/leave", show_leave, name="handover-leave"),
        *(web.get(f"/handover/{act}", show) for act in ("take", "hand")),  # where a refused form stands: it is live too
        web.post("/handover/take", take),
        web.post("/handover/hand", hand),
        web.post("/handover/leave", leave),
    ]


@dataclass(frozen=True, slots=True)
class Row:
    """One post as the table shows it. ``record``: its newest watch record, which the own side can correct."""

    name: str
    who: str
    since: int | None
    record: str
    own: bool
    act: str
    act_at: int | None
    planned: list[str]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person at the desk can do with the own post: ``kind`` none, take, held or hand; ``post``: its name."""

    kind: str
    post: str = ""
    others: tuple[str, ...] = ()
    """Who can sign too: incoming officers for hand, officials and operators for held."""
    officials: tuple[str, ...] = ()


async def show(request: web.Request, problem: Problem | None = None, typed: Form = NOTHING_TYPED) -> web.Response:
    """The page: posts, the list of what is open, and what this person can sign."""
    return await _page(request, "handover", problem, typed)


async def show_leave(request: web.Request, problem: Problem | None = None, typed: Form = NOTHING_TYPED) -> web.Response:
    """The page that says what leaving a post empty means, with the list."""
    return await _page(request, "leave", problem, typed)


async def _page(request: web.Request, step: str, problem: Problem | None, typed: Form) -> web.Response:
    desk = request.app[DESK]
    async with desk.working() as client:
        at = _at_post(client, request[LANG])
        shown = at.shown
        waiting: list[drafts.Waiting] | None = None
        with suppress(Problem):  # the node is not there: the page says so, and that the drafts are not known
            waiting = [w for w in await drafts.drafts(client) if drafts.state(client, w) == "waiting"]
        return page(
            request,
            "handover.html",
            title="desk.handover.title" if step == "handover" else "desk.handover.leave_title",
            status=200 if problem is None else 403,
            step=step,
            problem=problem,
            typed=typed,
            rows=[_row(client, shown, post, request[LANG]) for post in shown.posts],
            owed=shown.owed,
            awaited=shown.awaited,
            mark=_mark(shown),
            unread=at.unread(),
            choice=_choice(desk, client, at),
            posts=", ".join(shown.post_name(p) for p in shown.posts if p.letter == client.view.letter),
            waiting=None if waiting is None else [w for w in waiting if w.said is not None],
            sealed=0 if waiting is None else sum(w.said is None for w in waiting),
            formats={code: form.text(request[LANG]) for code, form in client.book().files.formats.items()},
            kept=unlocking.kept_passphrase(desk.home) is not None,
        )


def _at_post(client: Client, lang: str) -> AtPost:
    said = texts(lang)
    shown = Shown(client, said, read_plan(client.home), read_procedures(client.home.path))
    return AtPost(client, said, shown)


def _row(client: Client, shown: Shown, post: Post, lang: str) -> Row:
    return Row(
        name=shown.post_name(post),
        who="" if post.holder is None else shown.who(post),
        since=post.since,
        record="" if post.index is None else f"{client.view.fold.party(post.letter).code}:{post.index}",
        own=post.letter == client.view.letter,
        act=texts(lang).say(f"record.{post.act}") if post.act else "",
        act_at=post.act_at,
        planned=shown.planned_lines(post),
    )


def _choice(desk: OpenDesk, client: Client, at: AtPost) -> Choice:
    """What can be signed now; none where this person's seat is no post."""
    try:
        post, own = at.post(), at.own
    except Refused:
        return Choice("none")
    named = {
        seat: m for seat, m in by_name(client.view.fold.party(client.view.letter)).items() if seat in desk.home.seats()
    }
    name = at.shown.post_name(post)
    if post.holder is None:
        return Choice("take", name)
    if post.holder.kid != own.kid:
        return Choice("held", name, _of(named, own, *RELIEVERS))
    incoming = tuple(seat for seat, m in named.items() if m.seat == post.seat and m.person != own.person)
    return Choice("hand", name, incoming, _of(named, own, "official"))


def _of(named: dict[str, Member], own: Member, *roles: str) -> tuple[str, ...]:
    return tuple(name for name, m in named.items() if m.role in roles and m.person != own.person)


def _mark(shown: Shown) -> str:
    """Which list was shown: it changes when something comes, is read, or is answered, and not with the time."""

    def listed(opens: list[Open]) -> list[Any]:
        return [(each.message.verdict.number, each.level, [r.name for r in each.receipts]) for each in opens]

    return sha256(repr((listed(shown.owed), listed(shown.awaited))).encode()).hexdigest()[:24]


# --- signing ----------------------------------------------------------------------------------------------------------


async def take(request: web.Request) -> web.Response:
    """Take the own seat's post: alone where it is empty, else with an official or operator."""
    form, desk = await read_post(request), request.app[DESK]
    try:
        other = await _keys(desk, form, "with") if form.text("with") else None
        async with desk.working() as client:
            at = await _ready(client, form, request[LANG])
            post = at.free_post(relieved=other is not None)
            off = None if other is None else at.second(other, RELIEVERS)
            await _sign(desk, at, Signing("take", post, at.person(), off, sayable(form.text("note"))))
    except Problem as e:
        return await show(request, e, form)
    return go("/handover")


async def hand(request: web.Request) -> web.Response:
    """Hand the own post over to the incoming officer; ``override``: an official signs while something is unread."""
    form, desk = await read_post(request), request.app[DESK]
    try:
        incoming = await _keys(desk, form, "to")
        official = await _keys(desk, form, "official") if "override" in form else None
        async with desk.working() as client:
            at = await _ready(client, form, request[LANG])
            await _sign(desk, at, _handing(at, incoming, official, sayable(form.text("note"))))
            client.take(incoming)
            with suppress(Problem):  # the feed opens the session again as soon as the node is there
                await client.switch(incoming)
    except Problem as e:
        return await show(request, e, form)
    desk.tell()
    return go("/handover")


def _handing(at: AtPost, incoming: SeatKeys, official: SeatKeys | None, note: str) -> Signing:
    post, on = at.held_post(), at.incoming(incoming)
    if official is None:
        at.check_read()
        return Signing("handover", post, on, at.person(), note)
    unread = at.passed_over()
    return Signing("take", post, on, at.overriding(official, on), note, unread)


async def leave(request: web.Request) -> web.Response:
    """Leave the own post with nobody to take it."""
    form, desk = await read_post(request), request.app[DESK]
    try:
        async with desk.working() as client:
            at = await _ready(client, form, request[LANG])
            post = at.held_post()
            at.check_read()
            await _sign(desk, at, Signing("leave", post, off=at.person(), note=sayable(form.text("note"))))
    except Problem as e:
        return await show_leave(request, e, form)
    return go("/handover")


async def _ready(client: Client, form: Form, lang: str) -> AtPost:
    """The posts as of now; ``Refused`` LIST_CHANGED where the list is not the one that this person was shown."""
    await client.sync()
    at = _at_post(client, lang)
    if form.text("mark") != _mark(at.shown):
        raise Refused("LIST_CHANGED")
    return at


async def _sign(desk: OpenDesk, at: AtPost, signing: Signing) -> None:
    signed = await at.sign(signing, at.shown.open_lines())
    desk.say_next(f"watch.done_{signing.kind}", **at.named(signing, signed.record))


async def _keys(desk: OpenDesk, form: Form, name: str) -> SeatKeys:
    """The keys of the person whose seat and passphrase the form names; a trial home keeps the passphrase."""
    seat, typed = form.text(name), form.text(f"{name}_passphrase")
    unlocking.check_kept(desk.home, seat)
    return await asyncio.to_thread(unlocking.unlock, desk.home, seat, unlocking.passphrase_of(desk.home, seat, typed))
