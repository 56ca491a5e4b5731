"""First run: from a fresh home to a person who can work here, in steps that can be left and taken up again.

Works while the desk is locked: nobody has a key yet. A passphrase is read from its form and used at once; it stands in
no page, no file but the key file itself, and no log. What each file says is told in ``channel.client.joining``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, get_args

from aiohttp import web

from channel.client import joining
from channel.desk.open_desk import OpenDesk
from channel.desk.posting import Form, read_post
from channel.desk.showing import DESK, go, page
from keys.documents import Member
from keys.errors import Malformed, Problem, WrongUse
from keys.identity import PublicKey
from keys.keyring import Passphrase
from keys.shapes import Role
from keys.words import Words, words

ROLES: tuple[Role, ...] = get_args(Role)
EXERCISE_ROLES = ("control", "evaluator")
FILES = ("request", "answer")
STEPS = ("language", "key", "words", "request", "admitted", "sound", "test")


@dataclass(frozen=True, slots=True)
class OwnKey:
    """One key file of this home, as its public half says it."""

    name: str
    keys: tuple[tuple[str, PublicKey, Words], ...]
    request: joining.KeyRequest | None
    answered: bool
    member: Member | None
    counts: bool


@dataclass(frozen=True, slots=True)
class Typed:
    """What a form that was not taken had, but for passphrases, and why."""

    step: str = ""
    values: dict[str, str] = field(default_factory=dict)
    problem: Problem | None = None


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [
        web.get("/start", show, name="start"),
        web.post("/start", act, name="start"),
        web.get("/start/file", file, name="start_file"),
    ]


async def show(request: web.Request, typed: Typed | None = None) -> web.Response:
    """All steps, with what is done and what comes next."""
    desk, typed = request.app[DESK], typed or Typed()
    names = desk.home.seats()
    own = [key for name in names if (key := _own(desk, name)) is not None]
    asked = request.query.get("seat", "") or typed.values.get("seat", "")
    waiting = next((key for key in own if key.member is None), None)
    chosen = next((key for key in own if key.name == asked), None) or waiting
    done = _done(desk, chosen)
    mode = desk.client.view.charter.mode
    values: dict[str, Any] = {
        "own": own,
        "chosen": chosen,
        "typed": typed,
        "done": done,
        "steps": STEPS,
        "here": next((step for step in STEPS if step not in done), "test"),
        "roles": [role for role in ROLES if mode == 2 or role not in EXERCISE_ROLES],
        "seats": _seats(desk),
        "cooling": _cooling_hours(desk),
    }
    return page(request, "start.html", title="desk.start.title", status=400 if typed.problem else 200, **values)


async def act(request: web.Request) -> web.Response:
    """One step's form. What does not fit is said at that step, with what was typed."""
    form, desk = await read_post(request), request.app[DESK]
    step = form.text("step")
    try:
        if step not in ACTS:
            raise Malformed("REQUEST")
        await ACTS[step](desk, form)
    except Problem as e:
        kept = {name: form.text(name) for name in ("seat", "person", "role")}
        return await show(request, Typed(step, kept, e))
    if step == "key":
        desk.say_next("desk.start.key_made", seat=form.text("seat"))
    desk.tell()
    return go(f"/start?seat={form.text('seat')}")


async def file(request: web.Request) -> web.Response:
    """A file for the operator, to be kept under a name that says what it is."""
    desk, name, what = request.app[DESK], request.query.get("seat", ""), request.query.get("what", "")
    paths = {"request": joining.request_path, "answer": joining.answer_path}
    if name not in desk.home.seats() or what not in FILES or not paths[what](desk.home, name).exists():
        raise web.HTTPNotFound
    return web.Response(
        body=paths[what](desk.home, name).read_bytes(),
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{desk.home.config.party}-{name}.{what}"'},
    )


async def _language(_: OpenDesk, __: Form) -> None:
    """Chosen at /language; here only to go on."""


async def _key(desk: OpenDesk, form: Form) -> None:
    """Make a key and, at once, the request for it: the passphrase is here now."""
    name, person, role = form.text("seat"), form.text("person"), _role(form.text("role"))
    joining.check_id(name, "seat")
    joining.check_id(person, "person")
    passphrase = _passphrase(form, twice=True)
    await asyncio.to_thread(joining.new_key, desk.home, name, passphrase)
    await asyncio.to_thread(joining.request, desk.home, name, person, role, passphrase, desk.random)


async def _request(desk: OpenDesk, form: Form) -> None:
    """The request again, for a key that has none."""
    name, person, role = form.text("seat"), form.text("person"), _role(form.text("role"))
    joining.check_id(person, "person")
    await asyncio.to_thread(joining.request, desk.home, name, person, role, _passphrase(form), desk.random)


async def _answer(desk: OpenDesk, form: Form) -> None:
    """The answer to the operator's challenge."""
    given = form.files.get("challenge", ())
    if not given:
        raise WrongUse("NO_CHALLENGE")
    raw = given[0].file.read(joining.MOST)
    await asyncio.to_thread(joining.answer, desk.home, form.text("seat"), _passphrase(form), raw, desk.random)


async def _sound(desk: OpenDesk, _: Form) -> None:
    """Somebody heard it."""
    desk.home.set("sound_heard", "yes")


ACTS: dict[str, Callable[[OpenDesk, Form], Awaitable[None]]] = {
    "language": _language, "key": _key, "request": _request, "answer": _answer, "sound": _sound,
}  # fmt: skip


def _passphrase(form: Form, *, twice: bool = False) -> Passphrase:
    typed = form.text("passphrase")
    if twice and typed != form.text("again"):
        raise WrongUse("PASSPHRASE_TWICE")
    return Passphrase(typed)


def _role(text: str) -> Role:
    if text not in ROLES:
        raise Malformed("REQUEST")
    return text


def _own(desk: OpenDesk, name: str) -> OwnKey | None:
    """A key of this home; None for a file that is no seat's key."""
    try:
        sign, seal = joining.public_keys(desk.home, name)
    except Problem:
        return None
    fold, letter = desk.client.view.fold, desk.client.view.letter
    known = fold.charter is not None
    return OwnKey(
        name=name,
        keys=tuple((kind, key, words(key.kid)) for kind, key in (("sign", sign), ("seal", seal))),
        request=joining.kept_request(desk.home, name),
        answered=joining.answer_path(desk.home, name).exists(),
        member=fold.party(letter).members.get(sign.kid) if known else None,
        counts=known and fold.current_signer(letter, sign.kid) is not None,
    )


def _done(desk: OpenDesk, chosen: OwnKey | None) -> set[str]:
    found = {"language"} if desk.home.setting("lang") is not None else set()
    if chosen is not None:
        found |= {"key", "words"}
        found |= {"request"} if chosen.answered or chosen.member is not None else set()
        found |= {"admitted"} if chosen.counts else set()
    elif desk.home.seats():
        found |= {"key", "words", "request", "admitted"}
    return found | ({"sound"} if desk.home.setting("sound_heard") == "yes" else set())


def _seats(desk: OpenDesk) -> dict[str, tuple[str, str]]:
    """The seats that the own roster names, with their names."""
    view = desk.client.view
    return {} if view.fold.charter is None else dict(view.fold.party(view.letter).seats)


def _cooling_hours(desk: OpenDesk) -> int:
    view = desk.client.view
    return 0 if view.fold.charter is None else view.fold.policy(view.letter).cooling // 3_600_000
