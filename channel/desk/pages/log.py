"""The log: every record of both logs in display order, the newest page last; also those that do not count, with why.

A page is found by the records that stand in it, so a link to it leads to the same ones later. What is not shown is not
converted: a page costs the same with three hundred records and with ten thousand.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from msgspec import UNSET

from channel.client import watch_record
from channel.client.client import Client
from channel.client.gist import told
from channel.client.machine import detail
from channel.client.present import Names, as_item
from channel.client.typed import moment
from channel.desk.showing import DESK, LANG, page, texts
from channel.i18n import Texts
from channel.protocol.header import Payload
from channel.protocol.people import Ack, Confirm
from channel.protocol.verdicts import LETTERS, Entry, Verdict
from keys.errors import WrongUse

SIZE = 50
LEVEL_FORMATS = frozenset({"F05", "F12"})
KINDS: dict[str, Callable[[Entry], bool]] = {
    "messages": lambda e: e.t == "msg",
    "receipts": lambda e: e.t in ("ack", "confirm"),
    "watch": lambda e: e.t == "watch",
    "levels": lambda e: e.t == "msg" and getattr(e.doc, "fmt", "") in LEVEL_FORMATS,
    "people": lambda e: e.t in ("root", "roster", "revoke", "kem", "contacts", "policy", "charter", "succeed"),
    "exercise": lambda e: e.t == "exercise",
    "machine": lambda e: e.t.startswith("node."),
    "uncounted": lambda e: bool(e.reason),
}
"""Which records a choice shows."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for. ``before``, ``after``, ``upto``: a record's place, "" for the newest page."""

    party: str
    kind: str
    ref: str
    since: str
    before: str
    after: str
    upto: str

    def address(self, **other: str) -> dict[str, str]:
        """The values of the address of another page of the same choice."""
        kept = {"party": self.party, "kind": self.kind, "since": self.since}
        return {name: value for name, value in {**kept, **other}.items() if value}


@dataclass(frozen=True, slots=True)
class Cut:
    """The records of one page, and the places from which the older and the newer ones follow; "" where none do."""

    entries: list[Entry]
    older: str
    newer: str


@dataclass(frozen=True, slots=True)
class Row:
    """One record as the table shows it. ``state``: logged, delivered, anchored or refused."""

    place: str
    link: str
    ts: int | None
    number: str
    kind: str
    who: str
    said: str
    state: str
    why: str
    flags: tuple[str, ...]


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [web.get("/log", show, name="log")]


async def show(request: web.Request) -> web.Response:
    """One page of it. What can't be found is said beside what was typed."""
    desk, lang, query = request.app[DESK], request[LANG], request.query
    asked = Asked(
        *(query.get(name, "").strip() for name in ("party", "kind", "ref", "since", "before", "after", "upto"))
    )
    async with desk.working() as client:
        fault: WrongUse | None = None
        try:
            cut = cut_of(client, asked, desk.now())
        except WrongUse as e:
            fault, cut = e, Cut([], "", "")
        values: dict[str, Any] = {
            "rows": rows(client, cut.entries, texts(lang)),
            "asked": asked,
            "cut": cut,
            "here": place_of_ref(client, asked.ref) if asked.ref and fault is None else asked.upto,
            "kinds": tuple(KINDS),
            "parties": [client.view.fold.party(letter).code for letter in LETTERS],
            "count": len(client.view.fold.ordered()),
            "fault": fault,
        }
        return page(request, "log.html", title="desk.log.title", status=400 if fault else 200, **values)


def cut_of(client: Client, asked: Asked, now: int) -> Cut:
    """The records of the page that is asked for. ``WrongUse`` NO_MESSAGE, MOMENT."""
    chosen, count = _Chosen(client, asked, now), len(client.view.fold.ordered())
    ref = asked.ref or asked.upto
    if asked.after:
        found = chosen.after(_position(client, asked.after) + 1)
        shown, more = found[:SIZE], len(found) > SIZE
        older = asked.after if not shown else place(client, shown[0])
        return Cut(shown, older, place(client, shown[-1]) if more else "")
    end = count
    if asked.before:
        end = _position(client, asked.before)
    elif ref:
        end = _position(client, place_of_ref(client, ref)) + 1
    found = chosen.before(end)
    shown, more = found[-SIZE:], len(found) > SIZE
    newer = place(client, shown[-1]) if shown and end < count else ""
    return Cut(shown, place(client, shown[0]) if more else "", newer)


class _Chosen:
    """The records that are asked for, of each log in its order: no page walks through a log."""

    def __init__(self, client: Client, asked: Asked, now: int) -> None:
        codes = [party.code for party in client.view.charter.parties]
        start = moment(asked.since, now) if asked.since else 0
        sides, kind = [0, 1], ""
        if asked.ref and not (
            asked.before or asked.after
        ):  # what was asked for by name is shown among all that is there
            start = 0
        else:
            sides = [codes.index(asked.party)] if asked.party in codes else sides
            kind = asked.kind if asked.kind in KINDS else kind
        whole = client.index.chosen(f"log {kind}", KINDS.get(kind, _all))
        self._fold = client.view.fold
        self._lists = [(whole[p], bisect_left(whole[p], start, key=lambda e: e.ts)) for p in sides]

    def before(self, end: int) -> list[Entry]:
        """The last ones of those below a place, as many as one page has and one more if there is one."""
        found = list[Entry]()
        for each, start in self._lists:
            until = bisect_left(each, end, key=self._place)
            found += each[max(start, until - SIZE - 1) : until]
        return sorted(found, key=self._place)[-SIZE - 1 :]

    def after(self, begin: int) -> list[Entry]:
        """The first ones from a place on."""
        found = list[Entry]()
        for each, start in self._lists:
            first = max(start, bisect_left(each, begin, key=self._place))
            found += each[first : first + SIZE + 1]
        return sorted(found, key=self._place)[: SIZE + 1]

    def _place(self, e: Entry) -> int:
        return self._fold.place(LETTERS[e.p], e.i)


def place(client: Client, e: Entry) -> str:
    """Where a record stands: "US:12"."""
    return f"{client.view.charter.parties[e.p].code}:{e.i}"


def place_of_ref(client: Client, ref: str) -> str:
    """The place of a message number, or of a place itself as people type it; ``WrongUse`` NO_MESSAGE."""
    said = ref.upper()
    if ":" in said:
        return said
    found = client.index.named(said)
    if found is None:
        raise WrongUse("NO_MESSAGE", ref=ref)
    return place(client, found)


def rows(client: Client, entries: Iterable[Entry], said: Texts) -> list[Row]:
    """The records as rows; only these are converted."""
    return [_row(client, client.view.fold.verdict(LETTERS[e.p], e.i), place(client, e), said) for e in entries]


def _all(_: Entry) -> bool:
    return True


def _position(client: Client, where: str) -> int:
    code, _, index = where.upper().partition(":")
    codes = [party.code for party in client.view.charter.parties]
    if code in codes and index.isascii() and index.isdigit() and len(index) < 16:
        p = codes.index(code)
        if int(index) < client.view.fold.cut[p]:
            return client.view.fold.place(LETTERS[p], int(index))
    raise WrongUse("NO_MESSAGE", ref=where)


def _row(client: Client, v: Verdict, where: str, said: Texts) -> Row:
    t = v.record.t if v.record else "leaf"
    message = isinstance(v.doc, Payload) and not v.reason
    return Row(
        place=where,
        link=f"/m/{v.number}" if message else f"/r/{where}",
        ts=v.record.ts if v.record else None,
        number=v.number,
        kind=said.say(f"record.{t}") if f"record.{t}" in said else t,
        who=_who(client, v, t, said),
        said="" if v.reason else _said(client, v, said),
        state="refused" if v.reason else client.view.state(v.letter, v.index),
        why=said.say(f"refused.{v.reason}") if v.reason else "",
        flags=tuple(said.say(f"flag.{flag}") for flag in sorted(v.flags)),
    )


def _who(client: Client, v: Verdict, t: str, said: Texts) -> str:
    names = Names(client, said)
    people = [f"{names.person(v.letter, s.person)} · {names.post(v.letter, s.seat)}" for s in v.signers]
    if people:
        return ("；" if said.lang == "zh" else "; ").join(people)
    if t.startswith("node."):
        return said.say("desk.log.node", party=client.view.fold.party(v.letter).code)
    return "" if v.reason else said.say("show.authority")


def _said(client: Client, v: Verdict, said: Texts) -> str:
    """What the record says, on one line."""
    match v.doc:
        case Payload(fmt=fmt):
            message = client.find(v.envelope.hash if v.envelope else b"")
            book = client.book(message)
            return f"{fmt} {book.files.formats[fmt].text(said.lang)} · {told(book, as_item(client, message), said)}"
        case Ack(step=step, ph=ph):
            word = said.say(f"state.{step.replace('-', '_')}")
            return f"{word} · {_number(client, ph)}"
        case Confirm(ph=ph):
            return _number(client, ph)
    if v.record is not None and v.record.t == "exercise" and f"code.exercise.{v.doc.op}" in said:
        return said.say(f"code.exercise.{v.doc.op}")
    version = getattr(v.doc, "ver", UNSET)
    if isinstance(version, int):
        return said.say("desk.log.version", version=version)
    return detail(client, v, said) or watch_record.told(client, v, said)


def _number(client: Client, ph: bytes) -> str:
    message = client.view.fold.find(ph)
    return "" if message is None else message.verdict.number
