"""The levels: what each asks of both sides, by the policy in force, in both languages; the own procedures beside them.

``/ladder``, one card to print. A desk may propose a level; only a person sets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from msgspec import UNSET

from channel.client.present import need
from channel.client.procedures import read_procedures
from channel.desk.pictures import ladder
from channel.desk.showing import DESK, LANG, level, page, texts
from channel.i18n import LANGUAGES, Texts
from channel.protocol.charter import ORDER, Level, Policy, Slots

DEADLINES = ("read", "engaged", "informed", "reply", "update")


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    return [web.get("/ladder", show, name="ladder")]


@dataclass(frozen=True, slots=True)
class Step:
    """A level in words. ``times`` by deadline, "–" where the policy asks for none."""

    code: str
    means: str
    prec: str
    enter: str
    lower: str
    times: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Card:
    """The whole ladder in one language, highest first."""

    lang: str
    steps: tuple[Step, ...]


async def show(request: web.Request) -> web.Response:
    """The page, by the policy that holds now; the reader's language first."""
    desk, lang = request.app[DESK], request[LANG]
    async with desk.working() as client:
        fold = client.view.fold
        policy = fold.policy(client.view.letter)
        procedures = read_procedures(client.home.path)
        return page(
            request,
            "ladder.html",
            title="desk.ladder.title",
            picture=ladder(ORDER, client.index.level(), lang),
            cards=[_card(policy, texts(each)) for each in sorted(LANGUAGES, key=lambda each: each != lang)],
            deadlines=DEADLINES,
            procedures=[(code, procedures[code][lang]) for code in reversed(ORDER) if code in procedures],
            texts_of=texts,
            level_in=level,
        )


def _card(policy: Policy, said: Texts) -> Card:
    return Card(said.lang, tuple(_step(policy.level(code), said) for code in reversed(ORDER)))


def _step(rule: Level, said: Texts) -> Step:
    given = {name: getattr(rule, name) for name in DEADLINES}
    return Step(
        code=rule.code,
        means=said.say(f"desk.ladder.means_{rule.code}"),
        prec=_precedence(rule, said),
        enter=_who(said, rule.enter),
        lower="–" if rule.code == ORDER[0] else _who(said, rule.lower),
        times={name: "–" if value is UNSET else said.duration(value) for name, value in given.items()},
    )


def _who(said: Texts, slots: Slots) -> str:
    """Who signs; the one signature of a level needs no brackets around its choices."""
    words = need(said, slots)
    return words.removeprefix("(").removesuffix(")") if len(slots) == 1 < len(slots[0]) else words


def _precedence(rule: Level, said: Texts) -> str:
    """The word of the precedence with this level's own time to read, not the general one (DESIGN 5)."""
    word = said.say(f"code.prec.{rule.prec}").replace("（", "(").partition("(")[0].strip()
    return f"{rule.prec} {word} · {said.duration(rule.read)}"
