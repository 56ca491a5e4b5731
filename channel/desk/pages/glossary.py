"""The agreed words in both languages, out of the books of the channel and the text files; a proposal is a side note.

No word is typed again here: a changed text changes this page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp import web

from channel.client import drafts
from channel.client.typed import sayable
from channel.desk.ambiguous import listed
from channel.desk.posting import read_post
from channel.desk.showing import DESK, LANG, go, page, texts
from channel.i18n import LANGUAGES
from channel.protocol.formats import Book
from keys.errors import Problem, WrongUse

PLAIN = (
    "show.product", "show.channel", "show.party", "party.own", "party.other", "show.authority", "show.person", "show.seat",
    "show.role", "show.standing", "show.message", "show.format", "show.case", "show.level", "show.precedence",
    "show.deadline", "show.receipt", "show.log", "show.side_log", "show.record", "record.charter", "record.policy",
    "record.root", "record.roster", "record.contacts", "record.revoke", "record.kem", "record.watch", "record.confirm",
    "record.node.test", "record.node.evidence", "banner.actual", "banner.exercise", "banner.test", "banner.replay",
    "banner.real_world",
)  # fmt: skip
STATES = (
    "state.draft", "state.queued", "state.logged", "state.delivered", "state.anchored", "step.stored", "state.read",
    "state.engaged", "state.informed", "state.not_engaging", "state.no_comment", "state.undecryptable",
    "state.unanswered", "state.await2", "state.confirmed", "state.confirmed_late", "channel.limited", "channel.alternate",
    "channel.suspended", "channel.frozen",
)  # fmt: skip
RULES = ("numbers", "dates", "times", "units", "percent", "places")
TYPED = ("en", "zh", "why")
FIRST_LISTS = ("prec", "role", "standing", "answer", "correction")
LEFT_OUT = frozenset({"header", "unit"})
"""Lists of the book that are labels of the page, no words of their own."""


@dataclass(frozen=True, slots=True)
class Term:
    """One agreed pair. ``code``: as it is signed, "" where there is none."""

    code: str
    en: str
    zh: str

    def says(self, asked: str) -> bool:
        """Whether it fits what is looked for."""
        return asked.casefold() in f"{self.code}\n{self.en}\n{self.zh}".casefold()


@dataclass(frozen=True, slots=True)
class Section:
    """Terms under a heading in both languages."""

    id: str
    title: Term
    terms: tuple[Term, ...]


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [web.get("/glossary", show, name="glossary"), web.post("/glossary", propose)]


async def show(
    request: web.Request, typed: dict[str, str] | None = None, problem: Problem | None = None
) -> web.Response:
    """All of it, or what says the words of ``?q=``."""
    desk, asked = request.app[DESK], request.query.get("q", "").strip()
    async with desk.working() as client:
        found = tuple(_fitting(section, asked) for section in sections(client.book()))
        return page(
            request,
            "glossary.html",
            title="desk.glossary.title",
            status=400 if problem else 200,
            asked=asked,
            sections=[section for section in found if section.terms],
            typed=typed or dict.fromkeys(TYPED, ""),
            problem=problem,
        )


async def propose(request: web.Request) -> web.Response:
    """A proposal, as a note of the own side, where everybody who reads messages finds it."""
    form, desk, said = await read_post(request), request.app[DESK], texts(request[LANG]).say
    typed = {name: form.text(name) for name in TYPED}
    try:
        if not typed["en"] and not typed["zh"]:
            raise WrongUse("NOTHING_TO_SEE")
        for value in typed.values():
            sayable(value)
        async with desk.working() as client:
            await drafts.note(client, said("desk.glossary.proposal", **{k: v or "-" for k, v in typed.items()}))
    except Problem as e:
        return await show(request, typed, e)
    desk.say_next("desk.glossary.proposed")
    return go("/glossary")


def sections(book: Book) -> Iterator[Section]:
    """Every part of the page, in order."""
    files = book.files
    yield _of_texts("terms", PLAIN)
    yield _section("levels", [Term(code, each.en, each.zh) for code, each in files.levels.items()])
    yield _of_texts("states", STATES)
    yield _section("sentences", [Term(code, each.en, each.zh) for code, each in files.sentences.items()])
    yield _section("formats", [Term(code, each.en, each.zh) for code, each in files.formats.items()])
    yield _section("coded", [Term(code, each.en, each.zh) for code, each in book.coded.items()])
    order = [*FIRST_LISTS, *(name for name in files.lists if name not in FIRST_LISTS)]
    for name in (name for name in order if name not in LEFT_OUT):
        codes = files.lists[name]
        terms = tuple(Term(code, each.en, each.zh) for code, each in codes.codes.items())
        yield Section(f"list-{name}", Term("", codes.en, codes.zh), terms)
    yield _section("instead", [Term(each.word, *_both(each.instead)) for each in listed()])
    yield _section("rules", [Term("", *_both(f"desk.glossary.rule_{name}")) for name in RULES])


def _fitting(section: Section, asked: str) -> Section:
    if not asked or section.title.says(asked):
        return section
    return Section(section.id, section.title, tuple(term for term in section.terms if term.says(asked)))


def _section(id_: str, terms: list[Term]) -> Section:
    return Section(id_, Term("", *_both(f"desk.glossary.section_{id_}")), tuple(terms))


def _of_texts(id_: str, ids: tuple[str, ...]) -> Section:
    return _section(id_, [Term("", *_both(text)) for text in ids])


def _both(id_: str) -> tuple[str, str]:
    en, zh = (texts(lang).say(id_) for lang in LANGUAGES)
    return en, zh
