"""A message that has not gone out yet, as the other side will see it: rendered from its payload, in both languages.

    out = outgoing(client, payload, body, view_of, lang)

Also what a person has to know before signing: who reads it, within what time, who has to sign, how old the newest sign of
the other side is, and what differs from an earlier draft that ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from channel.client import drafts
from channel.client.composing import seal_keys
from channel.client.present import Names, need, proposal_view
from channel.client.procedures import read_procedures
from channel.desk.lines import as_html
from channel.desk.plan import read_plan
from channel.desk.watch_words import Shown, length
from channel.i18n import LANGUAGES, Texts
from channel.protocol.charter import ORDER
from channel.protocol.ladder import opens
from keys.errors import Refused

if TYPE_CHECKING:
    from markupsafe import Markup

    from channel.client.client import Client
    from channel.client.drafts import Waiting
    from channel.desk.open_desk import OpenDesk
    from channel.desk.posting import Form
    from channel.protocol.formats import HeaderView
    from channel.protocol.header import Header

ViewOf = Callable[[Texts], "HeaderView"]
MODES = {1: "actual", 2: "exercise"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """``sides``: each language with the rendered message, the authentic one first. ``read``: seconds to read it in."""

    payload: Header
    sides: list[tuple[str, Markup]]
    name: str
    read: int
    readers: list[tuple[str, list[str]]]
    need: str
    slots: int
    peer: str
    banner: str
    lines: list[str]


def outgoing(client: Client, payload: Header, body: Mapping[str, Any], view_of: ViewOf, lang: str) -> Outgoing:
    """What there is to be said about a message before it is signed, for a reader of ``lang``."""
    texts, view, book = Texts(lang), client.view, client.book()
    rendered = {each: book.render(payload.fmt, view_of(Texts(each)), body, each) for each in LANGUAGES}
    slots = view.fold.slots(view.letter, payload)
    mode = "test" if payload.status == "test" else MODES[view.charter.mode]
    return Outgoing(
        payload=payload,
        sides=[(each, as_html(rendered[each], each)) for each in sorted(LANGUAGES, key=lambda x: x != payload.lang)],
        name=f"{payload.fmt} {book.files.formats[payload.fmt].text(lang)}",
        read=read_seconds(client, payload),
        readers=readers(client, payload, texts),
        need=need(texts, slots),
        slots=len(slots),
        peer=view.fold.party(view.peer).code,
        banner=" ".join(Texts(each).say(f"banner.{mode}") for each in LANGUAGES),
        lines=_comparable(client, payload, body, view_of, lang),
    )


def read_seconds(client: Client, payload: Header) -> int:
    """How soon the other side is asked to have read it: its own limit, else that of the level that counts for it."""
    fold = client.view.fold
    policy = fold.policy(client.view.letter)
    if payload.fmt == "F01":
        return policy.timers.test_s
    if payload.ack_by is not UNSET:
        return int(payload.ack_by)
    level: Any = payload.level
    if payload.single is True:
        level = "crisis"
    elif not opens(payload) and (payload.move is UNSET or payload.move.op != "raise"):
        now = None if payload.case is UNSET else fold.case_level(payload.case)
        level = "routine" if now is None else min(level, now, key=ORDER.index)
    return policy.level(level).read


def readers(client: Client, payload: Header, texts: Texts) -> list[tuple[str, list[str]]]:
    """Who can open it: each party's code and the seats, the other side first."""
    view, names = client.view, Names(client, texts)
    held = seal_keys(view)
    found = []
    for letter in (view.peer, view.letter):
        code = view.fold.party(letter).code
        seats = [names.place(letter, m) for kid, (party, m) in held.items() if party == code and kid in payload.to]
        found.append((code, seats))
    return found


# --- what changed since -----------------------------------------------------------------------------------------------


async def earlier_draft(client: Client, payload: Header, this: bytes = b"") -> Waiting | None:
    """The newest draft of this author, case and format, before ``this`` one, that ended without being released."""
    found = await drafts.drafts(client, recent=True)
    until = next((i for i, waiting in enumerate(found) if waiting.did == this), len(found))
    for waiting in reversed(found[:until]):
        said = waiting.said
        if said is None or _same(said.payload) != _same(payload):
            continue
        if drafts.state(client, waiting) not in ("waiting", "released"):
            return waiting
    return None


def _same(payload: Header) -> tuple[Any, ...]:
    return payload.from_, payload.case, payload.fmt


def changes_since(client: Client, before: Waiting, out: Outgoing, lang: str) -> list[tuple[str, str]]:
    """What stood in an earlier draft and what stands there now, piece by piece."""
    assert before.said is not None
    payload, body = before.said.payload, before.said.opened.body
    old = _comparable(client, payload, body, lambda texts: proposal_view(client, before, texts), lang)
    return [
        ("\n".join(old[a:b]), "\n".join(out.lines[c:d]))
        for op, a, b, c, d in SequenceMatcher(None, old, out.lines, autojunk=False).get_opcodes()
        if op != "equal"
    ]


def _comparable(client: Client, payload: Header, body: Mapping[str, Any], view_of: ViewOf, lang: str) -> list[str]:
    """The rendered lines without what differs each time: number and time of writing."""
    view = replace(view_of(Texts(lang)), number="", ts=0, status="message")
    return [line.strip() for line in client.book().render(payload.fmt, view, body, lang)]


# --- before it is sealed ----------------------------------------------------------------------------------------------


def stale_age(desk: OpenDesk, texts: Texts) -> str:
    """How old the newest signed time of the other side is, in words, where that is too old; else ""."""
    age = desk.silent()
    return length(texts, age) if age else ""


def check_fresh(desk: OpenDesk, form: Form) -> None:
    """``Refused`` STALE_LINK unless the other side was heard of lately, or a person says to go on all the same."""
    age = desk.silent()
    if age and "stale_ok" not in form:
        raise Refused("STALE_LINK", age=f"{age} s")


def fall_back(client: Client, texts: Texts) -> list[str]:
    """The fall-back lists of both parties, for when the line is down."""
    return Shown(client, texts, read_plan(client.home), read_procedures(client.home.path)).contact_lines()


def line_down(line: str) -> bool:
    """Whether what is sent now only waits here."""
    return line in ("down", "frozen")
