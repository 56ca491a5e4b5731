"""How pages are made: templates in one language, every word from the text files, every foreign word made safe.

    page(request, "watch.html", title="desk.watch.title", posts=…)      # one whole page

In templates: ``say(id, …)`` a text in the reader's language, ``both(id)`` in both side by side, ``level(code)`` a level as
shape, word and bars, ``when(ms)`` a time, ``countdown(due)`` the time that is left, ``foreign(text)`` what somebody wrote,
with what an eye does not see made visible. Each piece of text carries its language (``lang``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import jinja2
from aiohttp import web
from markupsafe import Markup, escape

from channel.desk.bar import Bar
from channel.desk.clockwork import local_times
from channel.desk.entry import Entry, headed
from channel.desk.open_desk import OpenDesk
from channel.i18n import LANGUAGES, Texts
from channel.protocol.charter import ORDER
from keys.errors import Problem
from keys.plain import plain, utc

DESK = web.AppKey("desk", OpenDesk)
ENTRY = web.AppKey("entry", Entry)
LANG = web.RequestKey("lang", str)
TAGS = {"en": "en", "zh": "zh-Hans"}
SHAPES: Mapping[str, str] = dict(zip(ORDER, "○◇△▲■★", strict=True))
HAN = re.compile("[\u3400-\u9fff]")
HAN_RUN = re.compile("[\u3400-\u9fff]+")
MODES = {1: "actual", 2: "exercise"}


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("channel.desk", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def texts(lang: str) -> Texts:
    """All texts of a language."""
    return Texts(lang)


def tag(lang: str) -> str:
    """A language as HTML names it."""
    return TAGS.get(lang, "en")


def language_of(text: str) -> str:
    """Which glyphs a text needs: that of its writing."""
    return "zh" if HAN.search(text) else "en"


def foreign(text: str, lang: str | None = None) -> Markup:
    """What a person wrote, isolated in its direction, with invisible characters shown."""
    shown = escape(plain(text))
    marked = re.sub(r"U\+[0-9A-F]{4,6}", lambda m: f'<span class="unseen">{m[0]}</span>', str(shown))
    return Markup(f'<bdi lang="{tag(lang or language_of(text))}">{marked}</bdi>')  # noqa: S704  escaped above


def tagged(text: str) -> Markup:
    """A text of ours in which Chinese words stand, each run of them with its language."""
    return Markup(HAN_RUN.sub(r'<span lang="zh-Hans">\g<0></span>', str(escape(text))))  # noqa: S704  escaped


def both(id_: str, /, **values: Any) -> Markup:
    """A text in both languages side by side, Chinese first: banners. A value may be a function of the language."""
    said = (
        (lang, texts(lang).say(id_, **{k: v(lang) if callable(v) else v for k, v in values.items()}))
        for lang in LANGUAGES[::-1]
    )
    parts = (f'<span lang="{tag(lang)}">{escape(text)}</span>' for lang, text in said)
    return Markup(" ".join(parts))  # noqa: S704  escaped above


def level(lang: str, code: str, *, small: bool = False) -> Markup:
    """A level as shape, word and bars; never as a number. ``small`` leaves out the bars beside a picture."""
    bars = ORDER.index(code) + 1
    drawn = '<span class="full">▮</span>' * bars + "<span>▯</span>" * (len(ORDER) - bars)
    told = f'<span class="bars" aria-hidden="true">{drawn}</span>'
    word = escape(texts(lang).say(f"level.{code}"))
    shape = f'<span aria-hidden="true">{SHAPES[code]}</span>'
    return Markup(f'<span class="level level-{code}">{shape} {word}{"" if small else " " + told}</span>')  # noqa: S704


def when(ms: int | None, zones: tuple[str, ...] = ()) -> Markup:
    """A time: ISO date and UTC, with the local times of both sides beside it where their zones are known."""
    if ms is None:
        return Markup("–")
    said, local = utc(ms), local_times(ms, zones)
    title = f' title="{escape(" · ".join(local))}"' if local else ""
    return Markup(f'<time datetime="{said[:10]}T{said[11:19]}Z"{title} class="when">{said}</time>')  # noqa: S704


def countdown(lang: str, now: int, due: int | None, since: int | None = None, zones: tuple[str, ...] = ()) -> Markup:
    """How long is left until ``due``, with a bar from ``since`` on; counted on by the page, whole without it."""
    if due is None:
        return Markup(f'<span class="countdown">{escape(texts(lang).say("desk.frame.uncounted"))}</span>')  # noqa: S704
    begun = since if since is not None and since < due else due - 1
    part = min(1.0, max(0.0, (now - begun) / (due - begun)))
    state = "over" if due <= now else "last" if part >= 0.8 else "half" if part >= 0.5 else "early"
    said = escape(left(lang, due - now))
    bar = f'<progress max="100" value="{int(part * 100)}" aria-hidden="true"></progress>'
    return Markup(  # noqa: S704  numbers, and a text escaped above
        f'<span class="countdown" role="timer" aria-live="off" data-due="{due}" data-since="{begun}" '
        f'data-state="{state}">{bar} <b>{said}</b> {when(due, zones)}</span>'
    )


def left(lang: str, ms: int) -> str:
    """How long is left, or past, as a clock shows it: 0:12:05."""
    seconds = abs(ms) // 1000
    clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return texts(lang).say("desk.frame.left" if ms > 0 else "desk.frame.over", clock=clock)


def both_languages(problem: Problem) -> list[tuple[str, tuple[str, str]]]:
    """What happened and what to do, in each language, with its tag."""
    return [(tag(lang), texts(lang).problem(problem)) for lang in LANGUAGES]


def outside(problem: Problem) -> web.Response:
    """The answer to somebody who has not come by the link: nothing of the desk is shown."""
    text = (
        _environment()
        .get_template("outside.html")
        .render(problem=problem, both=both, both_languages=both_languages, texts=texts("en"))
    )
    response = web.Response(text=text, status=403, content_type="text/html", charset="utf-8")
    headed(response)
    return response


def page(request: web.Request, template: str, *, title: str, status: int = 200, **values: Any) -> web.Response:
    """One whole page. ``title``: the id of its title."""
    desk, lang = request.app[DESK], request.get(LANG, "en")
    now = desk.now()
    shown: Mapping[str, Any] = {
        "desk": desk,
        "bar": Bar(desk, lang),
        "lang": lang,
        "html_lang": tag(lang),
        "mode": MODES[desk.client.view.charter.mode],
        "title": title,
        "path": request.rel_url.raw_path,
        "token": Entry.token(request),
        "now": now,
        "say": texts(lang).say,
        "texts": texts(lang),
        "both": both,
        "tag": tag,
        "foreign": foreign,
        "tagged": tagged,
        "level": partial(level, lang),
        "when": partial(when, zones=zones_of(desk)),
        "countdown": partial(countdown, lang, now, zones=zones_of(desk)),
        "left": partial(left, lang),
        "flash": [] if "part" in request.query else desk.take_flash(),  # a notice waits for a whole page
        **values,
    }
    text = _environment().get_template(template).render(shown)
    response = web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
    headed(response)
    return response


def zones_of(desk: OpenDesk) -> tuple[str, ...]:
    """The time zones of both sides, as the settings of this desk name them."""
    return tuple(zone for zone in (desk.setting("zone_own"), desk.setting("zone_other")) if zone)


def go(path: str) -> web.Response:
    """The answer to a form that did something: look there."""
    return web.Response(status=303, headers={"Location": path})
