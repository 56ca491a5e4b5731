"""Who belongs to both sides: seats, persons, roles, standing, and the words of their keys, to be compared by voice.

Words that were heard are typed in and compared here; a page with one word a cell is there to be read aloud.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from channel.client import watch
from channel.client.present import Names
from channel.client.seats import by_name
from channel.desk.key_table import documents
from channel.desk.posting import Form, read_post
from channel.desk.showing import DESK, LANG, page, texts
from channel.protocol.members import void
from channel.protocol.verdicts import LETTERS
from keys.errors import Problem, Refused
from keys.plain import plain, utc
from keys.words import Words, matches, words

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.i18n import Texts
    from keys.documents import Member

NOTHING_TYPED = Form({}, {})
CHANNEL = "channel"


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [
        web.get("/directory", show, name="directory"),
        web.get("/directory/compare", show),  # what a comparison gave is looked at there: it is live too
        web.post("/directory/compare", compare),
        web.get("/directory/aloud/{key}", aloud, name="aloud"),
    ]


@dataclass(frozen=True, slots=True)
class Row:
    """One member. ``state`` holds, waits, waits_unseen, void or ended; ``until`` when a waiting time is over."""

    member: Member
    person: str
    place: str
    sign: Words
    seal: Words | None
    state: str
    until: str


@dataclass(frozen=True, slots=True)
class Side:
    """The roster of one party in force."""

    letter: str
    code: str
    version: int
    rows: list[Row]
    revoked: list[Words]


@dataclass(frozen=True, slots=True)
class Named:
    """What can be compared: its address, its name, its id."""

    key: str
    name: str
    id: bytes


async def show(
    request: web.Request, problem: Problem | None = None, typed: Form = NOTHING_TYPED, *, same: bool | None = None
) -> web.Response:
    """The page. ``same``: what a comparison gave, of the thing that ``typed`` names."""
    async with request.app[DESK].working() as client:
        said = texts(request[LANG])
        found = _comparable(client, said)
        order = (client.view.letter, client.view.peer)
        contacts = watch.contacts(client)
        return page(
            request,
            "directory.html",
            title="desk.directory.title",
            status=200 if problem is None else 400,
            problem=problem,
            typed=typed,
            same=same,
            compared=next((each.name for each in found if each.key == typed.text("key")), ""),
            sides=[_side(client, letter, said) for letter in order],
            comparable=found,
            documents=documents(client),
            contacts=[
                (client.view.fold.party(x).code, [line for letter, line in contacts if letter == x]) for x in order
            ],
        )


async def compare(request: web.Request) -> web.Response:
    """Whether the words that were heard are those of the chosen key, or of the channel."""
    form = await read_post(request)
    try:
        async with request.app[DESK].working() as client:
            same = matches(_find(client, form.text("key"), texts(request[LANG])).id, form.text("heard"))
    except Problem as e:
        return await show(request, e, form)
    return await show(request, None, form, same=same)


async def aloud(request: web.Request) -> web.Response:
    """The words of one key, or of the channel, large, one a cell."""
    async with request.app[DESK].working() as client:
        chosen = _find(client, request.match_info["key"], texts(request[LANG]))
        return page(request, "aloud.html", title="desk.directory.aloud_title", chosen=chosen, words=words(chosen.id))


def _find(client: Client, key: str, said: Texts) -> Named:
    found = next((each for each in _comparable(client, said) if each.key == key), None)
    if found is None:
        raise Refused("NOT_FOUND")
    return found


def _comparable(client: Client, said: Texts) -> list[Named]:
    """The channel, then every key of both rosters by its holder; a key's address is its id."""
    names, found = Names(client, said), [Named(CHANNEL, said.say("desk.directory.kind_channel"), client.view.chan)]
    for letter in (client.view.peer, client.view.letter):
        party = client.view.fold.party(letter)
        for member in by_name(party).values():
            held = ("sign", member.sig), ("seal", member.kem)
            for kind, kids in held:
                name = f"{party.code} {names.place(letter, member)} · {said.say(f'desk.directory.{kind}_key')}"
                found += [Named(kid.hex(), plain(name), kid) for kid in kids]
    return found


def _side(client: Client, letter: str, said: Texts) -> Side:
    party, names = client.view.fold.party(letter), Names(client, said)
    known = client.view.fold.known()
    rows = []
    for member in by_name(party).values():
        state, until = _state(client, letter, member)
        seal = words(member.kem[0]) if member.kem else None
        person, place = names.person(letter, member.person), plain(names.place(letter, member))
        rows.append(Row(member, person, place, words(member.kid), seal, state, "" if until is None else utc(until)))
    revoked: set[bytes] = set()
    if known is not None:
        side = known.sides[LETTERS.index(letter)]
        standing = side.history.before(len(side.entries))
        revoked = {*standing.revoked, *standing.admitted.revoked}
    return Side(letter, party.code, party.roster.ver, rows, [words(kid) for kid in sorted(revoked)])


def _state(client: Client, letter: str, member: Member) -> tuple[str, int | None]:
    """Whether a signing key may sign now: revoked, void, or in its waiting time, in the other side's clock (12.4)."""
    fold, p = client.view.fold, LETTERS.index(letter)
    known = fold.known()
    if known is None:
        return "holds", None
    own, other = (known.sides[x].history.before(len(known.sides[x].entries)) for x in (p, 1 - p))
    if own.ended(member.kid):
        return "ended", None
    if void(member.kid, own, other):
        return "void", None
    since, cooling = own.since.get(member.kid, -1), fold.policy(letter).cooling
    if since < 0 or not cooling:
        return "holds", None
    started = known.receipt_time(p, since, len(known.sides[1 - p].entries))
    if started is None:
        return "waits_unseen", None
    until = started + cooling
    return ("waits", until) if client.clock.now() < until else ("holds", None)
