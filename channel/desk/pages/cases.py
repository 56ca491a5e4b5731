"""Cases: the board of the open ones, and one whole, with the level's history as a picture and as a table.

``/cases`` and ``/cases/NUMBER``. Level is attention and has a colour; severity is each side's own word and plain text.
Every act leads to the form of a message; nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from channel.client.cases import Case, LevelStep, OpenQuestion, openings, read_case
from channel.client.client import Client
from channel.client.gist import told
from channel.client.present import Corrected, Names, as_item, author, corrections, find_case, need, payload_of, status
from channel.desk.pictures import timeline
from channel.desk.showing import DESK, LANG, page, texts
from channel.i18n import Texts
from channel.protocol.charter import ORDER
from channel.protocol.verdicts import MessageView
from keys.errors import Refused, WrongUse

A_PAGE = 20
CLOSED_A_PAGE = 8
"""Cases on one page of the board, open and closed apart; the closed ones are folded away, and few are looked for."""
MESSAGES = 50
"""Messages of a case on one page, the newest first shown."""
CLOSE_FROM = ORDER[:2]


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [web.get("/cases", board, name="cases"), web.get("/cases/{number}", one, name="case")]


# --- the board --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposed:
    """A lowering or closing that waits for an answer: ``own`` when the other side has to give it."""

    number: str
    own: bool
    op: str
    to: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """A case as the board shows it. ``severity``: party, code and word."""

    case: Case
    severity: tuple[tuple[str, str, str], ...]
    proposed: tuple[Proposed, ...]
    opened: str
    newest: str
    newest_ts: int


async def board(request: web.Request) -> web.Response:
    """The open cases, highest level first; the closed ones folded away."""
    desk, said = request.app[DESK], texts(request[LANG])
    async with desk.working() as client:
        fold = client.view.fold
        opened, closed = openings(client, closed=False)[::-1], openings(client, closed=True)[::-1]
        opened.sort(key=lambda ph: -ORDER.index(fold.case_level(ph) or ORDER[0]))
        at, closed_at = _number(request, "page"), _number(request, "closed")
        own, other = _suspensions(client)
        return page(
            request,
            "cases.html",
            title="desk.cases.title",
            rows=[_row_of(client, ph, said) for ph in _part(opened, at, A_PAGE)],
            closed_rows=[_row_of(client, ph, said) for ph in _part(closed, closed_at, CLOSED_A_PAGE)],
            opened=_Pages(at, len(opened), A_PAGE),
            closed=_Pages(closed_at, len(closed), CLOSED_A_PAGE),
            own_suspended=own,
            other_suspended=other,
            official=need(said, client.view.fold.policy(client.view.letter).sign.official),
            formats=_formats(client, said),
        )


@dataclass(frozen=True, slots=True)
class _Pages:
    """Which page of how many things is shown."""

    at: int
    count: int
    size: int

    @property
    def last(self) -> int:
        """The last page's number, from 0."""
        return max(0, (self.count - 1) // self.size)


def _formats(client: Client, said: Texts) -> dict[str, str]:
    """The formats by their code, in the reader's language."""
    return {code: form.text(said.lang) for code, form in client.book().files.formats.items()}


def _part(phs: Sequence[bytes], at: int, size: int) -> Sequence[bytes]:
    return phs[at * size : (at + 1) * size]


def _number(request: web.Request, name: str) -> int:
    """A page number of the address; the first for anything else."""
    given = request.query.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 6 else 0


def _suspensions(client: Client) -> tuple[bool, bool]:
    """Whether the own and the other side have suspended exchanges."""
    fold, known = client.view.fold, client.view.fold.known()
    if known is None:
        return False, False
    a, b = known.ladder.suspended(fold.cut)
    return (a, b) if client.view.letter == "a" else (b, a)


def _row_of(client: Client, ph: bytes, said: Texts) -> Row:
    case = read_case(client, client.find(ph))
    newest = case.messages[-1]
    return Row(
        case=case,
        severity=_severity(client, case, said),
        proposed=_proposed(client, case),
        opened=_speaker(client, case.opening, said),
        newest=f"{newest.verdict.number} {_form(client, newest, said)}",
        newest_ts=_ts(newest),
    )


def _severity(client: Client, case: Case, said: Texts) -> tuple[tuple[str, str, str], ...]:
    book = client.book(case.opening)
    return tuple((party, code, book.word("severity", code, said.lang)) for party, code in case.severity.items())


def _proposed(client: Client, case: Case) -> tuple[Proposed, ...]:
    if case.level is None:
        return ()
    found = []
    for m in case.proposals:
        move = payload_of(m).move
        own = m.verdict.letter == client.view.letter
        to = str(getattr(move, "to", "")) if getattr(move, "op", "") == "lower" else None
        found.append(Proposed(m.verdict.number, own, str(getattr(move, "op", "")), to))
    return tuple(found)


def _speaker(client: Client, message: MessageView, said: Texts) -> str:
    code = client.view.fold.party(message.verdict.letter).code
    return f"{code} · {Names(client, said).speaker(message.verdict.letter, author(message))}"


def _form(client: Client, message: MessageView, said: Texts) -> str:
    fmt = payload_of(message).fmt
    return f"{fmt} {client.book(message).files.formats[fmt].text(said.lang)}"


def _ts(message: MessageView) -> int:
    record = message.verdict.record
    return 0 if record is None else record.ts


# --- one case ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the level's history, as the table shows it."""

    step: LevelStep
    ts: int
    who: str


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the case."""

    message: MessageView
    form: str
    ts: int
    who: str
    gist: str
    state: str
    corrections: list[str]


@dataclass(frozen=True, slots=True)
class Question:
    """An open request: its unanswered questions by number and code, where this person may read them."""

    open: OpenQuestion
    form: str
    asked: tuple[tuple[int, str], ...]
    own: bool


@dataclass(frozen=True, slots=True)
class Raise:
    """A level above: ``steps`` how many it is, ``sign`` who signs for it."""

    level: str
    steps: int
    sign: str


@dataclass(frozen=True, slots=True)
class Acts:
    """What this side can say of the level now. ``lower``: the level just below and who signs for it, if there is one."""

    raises: tuple[Raise, ...]
    lower: tuple[str, str] | None
    closes: bool
    answers: tuple[Proposed, ...]


async def one(request: web.Request) -> web.Response:
    """A case whole. A number of any message in it leads here too; ``NOT_FOUND`` for one that stands in no case."""
    desk, said = request.app[DESK], texts(request[LANG])
    async with desk.working() as client:
        try:
            opening = find_case(client, request.match_info["number"])
        except WrongUse as e:
            raise Refused("NOT_FOUND") from e
        case = read_case(client, opening)
        last = max(0, (len(case.messages) - 1) // MESSAGES)
        at = min(last, _number(request, "earlier"))
        end = len(case.messages) - at * MESSAGES
        return page(
            request,
            "case.html",
            title="desk.cases.one",
            case=case,
            severity=_severity(client, case, said),
            proposed=_proposed(client, case),
            opened=_speaker(client, opening, said),
            picture=timeline(case.history, said.lang, desk.now()),
            steps=[Step(step, _ts(step.message), _speaker(client, step.message, said)) for step in case.history],
            questions=[_question(client, each, said) for each in case.questions],
            lines=_lines(client, case, case.messages[max(0, end - MESSAGES) : end], said),
            at=at,
            last=last,
            acts=_acts(client, case, said),
            suspended=client.view.fold.suspended(),
            formats=_formats(client, said),
        )


def _question(client: Client, each: OpenQuestion, said: Texts) -> Question:
    item = as_item(client, each.message)
    rows = (item["body"] or {}).get("questions", ())
    known = client.book(each.message).files.lists["question"].codes
    words = {n: str(rows[n - 1]["ask"]) for n in each.open}
    asked = tuple((n, f"{ask} {known[ask].text(said.lang)}" if ask in known else ask) for n, ask in words.items())
    own = each.message.verdict.letter == client.view.letter
    return Question(each, _form(client, each.message, said), asked, own)


def _lines(client: Client, case: Case, messages: Sequence[MessageView], said: Texts) -> list[Line]:
    by = _corrected(case)
    return [
        Line(
            message=m,
            form=_form(client, m, said),
            ts=_ts(m),
            who=_speaker(client, m, said),
            gist=told(client.book(m), as_item(client, m), said),
            state=status(client, m, said, by),
            corrections=corrections(by, m.ph, said),
        )
        for m in messages
    ]


def _corrected(case: Case) -> Corrected:
    """The corrections of what stands in this case: they stand in it themselves."""
    found: dict[bytes, list[MessageView]] = {}
    for m in case.messages:
        payload = payload_of(m)
        if payload.fmt == "F14" and isinstance(payload.refs, tuple):
            for ph in payload.refs:
                found.setdefault(ph, []).append(m)
    return found


def _acts(client: Client, case: Case, said: Texts) -> Acts:
    policy, level = client.view.fold.policy(client.view.letter), case.level
    rank = ORDER.index(level) if level else 0
    raises = tuple(
        Raise(code, ORDER.index(code) - rank, need(said, policy.level(code).enter))
        for code in reversed(ORDER[rank + 1 :])
    )
    if level is None or client.view.fold.suspended():
        return Acts(raises, None, closes=False, answers=())
    lower = (ORDER[rank - 1], need(said, policy.level(level).lower)) if rank else None
    answers = tuple(each for each in _proposed(client, case) if not each.own)
    return Acts(raises, lower, closes=level in CLOSE_FROM, answers=answers)
