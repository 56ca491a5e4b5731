"""One message whole: who speaks and for whom, what it says, how far it came, what can be done, what proves it.

``/m/US-2026-000001`` is a message, ``/r/US:12`` a record that is none. What is not here is said with a page of its own.
The acts of a message page are in ``receipts.py``; this page shows them, and what was typed again where one failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from msgspec import UNSET

from channel.client import record_view, unlocking
from channel.client.answering import answer_format
from channel.client.client import Ill
from channel.client.gist import told
from channel.client.present import Names, as_item, author, earlier, header_view, payload_of
from channel.client.procedures import read_procedures
from channel.client.receipts import CORRECTIONS, OWN_WORDS, signed_before
from channel.client.seats import by_name
from channel.desk import receipt_states, referring
from channel.desk.lines import as_html
from channel.desk.own_procedures import procedure_lines
from channel.desk.proofs import proofs
from channel.desk.showing import DESK, LANG, go, page, texts
from channel.i18n import LANGUAGES
from channel.protocol.people import Ack, Confirm, Watch
from keys.errors import Malformed, Refused, Unverified, WrongUse
from keys.plain import short
from keys.words import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from channel.client.client import Client
    from channel.desk.posting import Form
    from channel.i18n import Texts
    from channel.protocol.header import Payload
    from channel.protocol.verdicts import MessageView
    from keys.errors import Problem

ACTS = "ack|readback|match|translate|confirm"
QUICK = ("YES", "NO", "NOI", "CHK", "NOT", "CNC", "REF")
STEPS = ("read", "engaged", "informed", "no-comment")
KEY_FIELDS = ("what", "where", "when", "action")
STANDARD = ("X3", "X4")
"""What a renderer says beside a body; of a body that does not open nobody knows it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An act that was not done: which, what was typed, and why."""

    act: str
    form: Form
    problem: Problem | None = None
    fault: str = ""
    """Id of a text, where no problem says it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What of a message this person can read. ``why``: "" it opens; not_addressed, missing, or what its opening failed with."""

    body: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    ill: Refused | None = None


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [
        web.get("/m/{number}", thread),
        web.get(f"/m/{{number}}/{{act:{ACTS}}}", thread),
        web.get("/r/{ref}", record),
    ]


async def thread(request: web.Request) -> web.Response:
    """The page of a message; ``Refused`` NOT_FOUND."""
    async with request.app[DESK].working() as client:
        return show(request, client, message_of(client, request.match_info["number"]))


def message_of(client: Client, number: str) -> MessageView:
    """The message of a number; ``Refused`` NOT_FOUND."""
    found = client.index.numbered(number.upper())
    if found is None:
        raise Refused("NOT_FOUND")
    return found


def show(request: web.Request, client: Client, message: MessageView, failed: Failed | None = None) -> web.Response:
    """The page of a message, with an act that failed where there was one."""
    desk, lang = request.app[DESK], request[LANG]
    said, payload = texts(lang), payload_of(message)
    opened = open_for(client, message)
    own = message.verdict.letter == client.view.letter
    values: dict[str, Any] = {
        "m": message, "number": message.verdict.number, "payload": payload, "own": own, "opened": opened,
        "signers": _signers(client, message, said),
        "shown": _shown(client, message, opened),
        "states": receipt_states.states(client, message, said),
        "procedure": _procedure(client, message, said),
        "asked": receipt_states.asks_read_back(client, message),
        "corrections": _corrections(client, message.ph),
        "translations": _translations(client, message, said),
        "readbacks": referring.readbacks(client, message),
        "difference": referring.difference(client, message),
        "links": _links(client, message, said),
        "proofs": proofs(client, message.verdict),
        "failed": failed, "typed": failed.form if failed else None,
        "stale": desk.silent() > 0,
        "key_fields": KEY_FIELDS, "quick": QUICK, "languages": LANGUAGES,
    }  # fmt: skip
    values |= _acts(client, message, opened)
    return page(request, "thread.html", title="desk.thread.title", status=400 if failed else 200, **values)


def open_for(client: Client, message: MessageView) -> Opened:
    """What this person can read of a message."""
    try:
        return Opened(client.open(message).body)
    except Ill as e:
        return Opened(e.opened.body, ill=e)
    except (Refused, Unverified, Malformed) as e:
        missing = e.code == "UNOPENED" and e.values.get("why") == "BLOB"
        why = (
            "not_addressed" if e.code == "NOT_ADDRESSED" else "missing" if missing else str(e.values.get("why", e.code))
        )
        return Opened(why=why)


def _shown(client: Client, message: MessageView, opened: Opened) -> list[tuple[str, Any]]:
    """The message as its book renders it, in its own language first, then in the other one, which has the same words."""
    payload, book = payload_of(message), client.book(message)
    before = {} if opened.why else earlier(client, message)
    found = []
    for each in sorted(LANGUAGES, key=lambda x: x != payload.lang):
        header = header_view(client, message, texts(each), opened.ill)
        lines = book.render(payload.fmt, header, opened.body, each, before=before)
        if opened.why:
            said = {texts(each).say(no) for no in STANDARD}
            lines = [line for line in lines if line not in said]
        found.append((each, as_html(lines, each)))
    return found


def _signers(client: Client, message: MessageView, said: Texts) -> list[dict[str, Any]]:
    names, letter = Names(client, said), message.verdict.letter
    first = author(message)
    signers = sorted(message.verdict.signers, key=lambda s: s.kid != first.kid)
    return [
        {
            "who": names.speaker(letter, s), "party": client.view.fold.party(letter).code,
            "role": f"code.role.{s.role}", "words": words(s.kid), "author": s.kid == first.kid,
        }
        for s in signers
    ]  # fmt: skip


def _procedure(client: Client, message: MessageView, said: Texts) -> list[str]:
    """The own party's procedure beside what waits for this side, at the level that the case has now."""
    if message.verdict.letter == client.view.letter or not receipt_states.waiting(client, message):
        return []
    level = None if message.case is None else client.view.fold.case_level(message.case)
    return procedure_lines(read_procedures(client.home.path), level or payload_of(message).level, said)


def _corrections(client: Client, ph: bytes) -> list[tuple[str, str]]:
    """(number, code) of the corrections of a payload."""
    found = [m for m in referring.referring(client, ph) if payload_of(m).fmt == "F14"]
    return [(m.verdict.number, _code(payload_of(m).cor)) for m in found]


def _code(value: Any) -> str:
    return "" if value is UNSET else str(value)


def _translations(client: Client, message: MessageView, said: Texts) -> list[dict[str, Any]]:
    """The marked additions: who translated what, and by what means."""
    names, book, own = Names(client, said), client.book(message), payload_of(message)
    found = []
    for m in referring.about_first(client, message, "F02"):
        rows = referring.body_of(client, m).get("translation")
        if isinstance(rows, list | tuple):
            labels = [(book.field(book.files.formats[own.fmt], str(row.get("of"))), row) for row in rows]
            found.append({
                "number": m.verdict.number, "lang": payload_of(m).lang,
                "who": names.speaker(m.verdict.letter, author(m)),
                "by": str(referring.body_of(client, m).get("translator", "H")),
                "rows": [(str(row["of"]) if rule is None else rule.text(said.lang), str(row["text"])) for rule, row in labels],
            })  # fmt: skip
    return found


def _links(client: Client, message: MessageView, said: Texts) -> dict[str, Any]:
    """What the message refers to, what refers to it, and its case, each as (address, name, words)."""
    payload = payload_of(message)
    case = None if message.case is None else client.find(message.case).verdict.number
    to = [_link(client, ph) for ph in (payload.refs if isinstance(payload.refs, tuple) else ())]
    back = []
    for m in referring.referring(client, message.ph):
        item, book = as_item(client, m), client.book(m)
        fmt = f"{item['format']} {book.files.formats[item['format']].text(said.lang)}"
        back.append({"number": m.verdict.number, "fmt": fmt, "gist": told(book, item, said)})
    return {"case": case, "to": to, "back": back}


def _link(client: Client, ph: bytes) -> tuple[str, str]:
    """The address and the name of what a payload hash stands for; no address where it is not here."""
    known = client.view.fold.known()
    if known is not None and ph in known.messages:
        number = known.messages[ph].name
        return f"/m/{number}", number
    if known is not None and ph in known.receipts:
        e = known.receipts[ph]
        place = f"{client.view.fold.party('ab'[e.p]).code}:{e.i}"
        return f"/r/{place}", place
    return "", short(ph)


def _acts(client: Client, message: MessageView, opened: Opened) -> dict[str, Any]:
    """Which acts this person has here."""
    payload = payload_of(message)
    own = message.verdict.letter == client.view.letter
    broken = bool(opened.why) and opened.why != "not_addressed"
    steps: tuple[str, ...] = () if own or opened.why or opened.ill else STEPS
    if not own and (broken or opened.ill):
        steps = ("undecryptable",)
    codes = CORRECTIONS if own else [c for c in CORRECTIONS if c not in OWN_WORDS]
    first = referring.first_ref(message)
    about = None if first is None or payload.fmt != "F02" else client.view.fold.find(first)
    readback = (
        not own and about is not None and about.verdict.letter != message.verdict.letter and "readback" in opened.body
    )
    return {
        "steps": [(step, signed_before(client, message, step)) for step in steps],
        "reply": "" if own or opened.why else _reply(payload, message.case),
        "answer": "" if own or opened.why or payload.fmt in ("F01", "F02", "F14") else _quick(payload.fmt),
        "move": "" if own or payload.move is UNSET or payload.move.op not in ("lower", "close") else payload.move.op,
        "corrections_open": codes,
        "may_read_back": not own and not opened.why and opened.ill is None and payload.fmt not in receipt_states.NO_READ_BACK,
        "answers_readback": about.verdict.number if readback and about is not None else "",
        "fields": [] if opened.why or opened.ill else _text_fields(client, message, opened),
        "other_lang": "zh" if payload.lang == "en" else "en",
        "confirm": _confirm(client, message),
    }  # fmt: skip


def _reply(payload: Payload, case: bytes | None) -> str:
    """The format of a reply in words; "" where none stands: a follow-up needs a case."""
    fmt = answer_format(payload.fmt, parts=False, code=False)
    return fmt if fmt != "F04" or (case is not None and payload.fmt != "F01") else ""


def _quick(fmt: str) -> str:
    """The format of an answer by a code alone; "" for one that has a code of its own for each part."""
    return "" if fmt == "F11" else answer_format(fmt, parts=False, code=True)


def _text_fields(client: Client, message: MessageView, opened: Opened) -> list[tuple[str, tuple[str, str], str]]:
    """(name, label in both languages, text) of what a person wrote in words and can be translated."""
    book, form, found = client.book(message), payload_of(message).fmt, []
    for name, value in opened.body.items():
        rule = book.field(book.files.formats[form], name)
        if rule is None or rule.type != "text" or not isinstance(value, str):
            continue
        if rule.list is None or value not in book.files.lists[rule.list].codes:
            found.append((name, (rule.text("en"), rule.text("zh")), value))
    return found


def _confirm(client: Client, message: MessageView) -> dict[str, Any] | None:
    """What stands about the second signature of an emergency release, and who of this home may give it."""
    if not message.confirm or message.verdict.record is None:
        return None
    policy = client.view.fold.policy_of(message.verdict.letter, message.verdict.index)
    since = message.verdict.record.ts
    person, party = author(message).person, client.view.fold.party(client.view.letter)
    named = by_name(party)
    seats = [s for s in client.home.seats() if s in named and named[s].person != person]
    return {
        "state": message.confirm, "since": since, "due": since + 1000 * policy.limits.confirm_s,
        "seats": seats if message.verdict.letter == client.view.letter and message.confirm == "awaiting" else [],
        "kept": unlocking.kept_passphrase(client.home) is not None, "here": client.keys.seat,
    }  # fmt: skip


# --- records that are no messages -------------------------------------------------------------------------------------


async def record(request: web.Request) -> web.Response:
    """The page of a record that is no message; a message's goes to the message. ``Refused`` NOT_FOUND."""
    lang, ref = request[LANG], request.match_info["ref"]
    said = texts(lang)
    async with request.app[DESK].working() as client:
        try:
            verdict = record_view.find_record(client, ref)
            if verdict is None and ":" not in ref:
                raise Refused("NOT_FOUND")
        except WrongUse:
            raise Refused("NOT_FOUND") from None
        if verdict is None:
            return go(f"/m/{_number(client, ref)}")
        doc, rendered = verdict.doc, record_view.rendered(client, verdict, said)
        about = client.view.fold.find(doc.ph) if isinstance(doc, Ack | Confirm) else None
        counts = isinstance(doc, Ack | Confirm | Watch) and not verdict.reason and verdict.envelope is not None
        own = verdict.letter == client.view.letter
        return page(
            request, "record.html", title="desk.thread.record", v=verdict,
            place=record_view.record_number(client, verdict),
            lines=as_html(rendered, lang),
            rendered=bool(rendered),
            plain=record_view.unrendered(client, verdict, said),
            standing=record_view.standing(client, verdict, said),
            who=[Names(client, said).speaker(verdict.letter, s) for s in verdict.signers],
            at=None if verdict.record is None else verdict.record.ts,
            about=None if about is None else about.verdict.number,
            codes=() if not counts else CORRECTIONS if own else [c for c in CORRECTIONS if c not in OWN_WORDS],
            corrections=_corrections(client, verdict.envelope.hash) if verdict.envelope else [],
            proofs=proofs(client, verdict),
        )  # fmt: skip


def _number(client: Client, ref: str) -> str:
    """The number of the message that stands at a place such as US:12."""
    code, _, index = ref.upper().partition(":")
    letters = {client.view.fold.party(x).code: x for x in ("a", "b")}
    return client.view.fold.verdict(letters[code], int(index)).number
