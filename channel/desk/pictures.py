"""Pictures drawn by hand as SVG: the ladder, how a case's level went, how the line was. Small functions, no library.

    ladder(ORDER, "serious", "en")                   # six steps, the highest on top
    timeline(case.history, "zh", now)                # levels over time, each point named
    strip([(from_ms, to_ms, "up"), …], "en", {"up": "line up", …})

Colour is for levels alone, and never the only sign: each has its shape, word and bars, each state of the line its texture
and its mark. Every picture has a title and a description; whoever places one puts a table of the same data below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from channel.desk.showing import tag, texts
from channel.i18n import LANGUAGES
from channel.protocol.charter import ORDER
from keys.plain import utc

if TYPE_CHECKING:
    from channel.client.cases import LevelStep

HOLLOW = frozenset({"routine", "attention", "consultation"})
OUTLINES: Mapping[str, str] = {
    "routine": "M0 -5.5A5.5 5.5 0 1 1 0 5.5A5.5 5.5 0 1 1 0 -5.5Z",
    "attention": "M0 -6.5L6.5 0L0 6.5L-6.5 0Z",
    "consultation": "M0 -6L6.5 5.5H-6.5Z",
    "serious": "M0 -6L6.5 5.5H-6.5Z",
    "crisis": "M-5.5 -5.5H5.5V5.5H-5.5Z",
    "principals": "M0 -7L1.9 -2.3L6.7 -2.2L2.9 .9L4.2 5.7L0 2.9L-4.2 5.7L-2.9 .9L-6.7 -2.2L-1.9 -2.3Z",
}
"""The shape of each level around its middle, as the words of the glossary show them."""
STEP_HEIGHT, STEP_WIDTH = 48, 296
GUTTER, ROW, HEAD, FOOT = 118, 40, 30, 52
GAP, SHARE = 62, 12
"""Between two points of a timeline: so much at least, and so much more to be shared out by time."""
STRIP_WIDTH = 296


def ladder(levels: Sequence[str], here: str | None, lang: str) -> Markup:
    """The levels, given lowest first, as steps with the highest on top; ``here``: the one that holds now, or none."""
    say, other = texts(lang).say, texts(next(each for each in LANGUAGES if each != lang))
    height = STEP_HEIGHT * len(levels)
    parts = []
    for at, code in enumerate(reversed(levels)):
        y = at * STEP_HEIGHT
        here_mark = ' data-here=""' if code == here else ""
        mark = _here(code, y, say("desk.pictures.here")) if code == here else ""
        parts.append(
            f'<g data-level="{code}"{here_mark}>'
            f'<rect class="fill-{code}" x="2" y="{y + 2}" width="{STEP_WIDTH - 4}" height="{STEP_HEIGHT - 4}" rx="4"/>'
            f"{_double(2, y + 2, STEP_WIDTH - 4, STEP_HEIGHT - 4) if code == 'principals' else ''}"
            f"{_shape(code, 20, y + 17)}"
            f'<text class="on-{code} strong" x="36" y="{y + 22}">{escape(say(f"level.{code}"))}</text>'
            f"{_bars(code, STEP_WIDTH - 12, y + 9)}"
            f'<g lang="{tag(other.lang)}"><text class="on-{code}" x="36" y="{y + 39}">{escape(other.say(f"level.{code}"))}</text></g>'
            f"{mark}</g>"
        )
    said = (", " if lang == "en" else "、").join(texts(lang).level(code) for code in reversed(levels))
    now = "" if here is None else say("desk.pictures.here_desc", level=texts(lang).level(here))
    about = say("desk.pictures.ladder_desc", levels=said, here=now)
    return _picture("ladder", lang, (STEP_WIDTH, height), (say("desk.pictures.ladder"), about), parts)


def timeline(history: Sequence[LevelStep], lang: str, now: int) -> Markup:
    """The level of one case after each step of its history, from its opening to ``now`` (ms) or to its closing."""
    say = texts(lang).say
    if not history:
        return Markup("")
    times = [_ts(step) for step in history]
    ended = history[-1].level is None
    xs = _places(times if ended else [*times, max(now, times[-1])])
    rows: list[str | None] = [*reversed(ORDER), *([None] if any(step.level is None for step in history) else [])]
    ys = {code: HEAD + at * ROW for at, code in enumerate(rows)}
    width, foot = xs[-1] + 40, HEAD + len(rows) * ROW
    parts = [_row(code, y, width, lang) for code, y in ys.items()]
    parts += [f'<line class="faint" x1="{GUTTER}" y1="{foot - 12}" x2="{width}" y2="{foot - 12}"/>']
    parts += [
        f'<line class="drop" x1="{x}" y1="{ys[step.level] + 10}" x2="{x}" y2="{foot - 8}"/>'
        for x, step in zip(xs, history, strict=False)
    ]
    parts += [f'<path class="way" d="{_way(history, xs, ys)}"/>']
    parts += [
        _point(step, at, (xs[at], ys[step.level]), (foot, times[at - 1] if at else None), lang)
        for at, step in enumerate(history)
    ]
    if not ended:
        parts.append(
            f'<text x="{xs[-1]}" y="{foot + 6}" text-anchor="middle">{escape(say("desk.pictures.now"))}</text>'
        )
        parts.append(f'<text x="{xs[-1]}" y="{foot + 23}" text-anchor="middle">{utc(now)[11:16]}</text>')
    parts.append(f'<text x="4" y="{foot + 23}">UTC</text>')
    steps = ("; " if lang == "en" else "；").join(_told(step, at, lang) for at, step in enumerate(history))
    number = history[0].message.verdict.number
    words = say("desk.pictures.timeline", number=number), say("desk.pictures.timeline_desc", steps=steps)
    return _picture(f"timeline-{number}", lang, (width, foot + FOOT - 6), words, parts)


def strip(segments: Sequence[tuple[int, int, str]], lang: str, labels: Mapping[str, str]) -> Markup:
    """How the line was: ``segments`` of (from ms, to ms, state), ``labels`` from each state to its word.

    States "up" (full), "limited" (hatched) and "down" (empty, with a cross); any other is dotted. Shown to scale.
    """
    say = texts(lang).say
    if not segments:
        return Markup("")
    start, end = segments[0][0], max(segments[-1][1], segments[0][0] + 1)

    def x(ms: int) -> float:
        return round(8 + (STRIP_WIDTH - 16) * (ms - start) / (end - start), 1)

    parts = [_textures()]
    for begun, over, state in segments:
        wide = max(1.0, round(x(over) - x(begun), 1))
        word = escape(say("desk.pictures.strip_part", state=labels.get(state, state), start=utc(begun), end=utc(over)))
        parts.append(
            f'<g data-state="{escape(state)}" data-from="{begun}" data-to="{over}"><title>{word}</title>'
            f'<rect class="state-{_state(state)}" x="{x(begun)}" y="6" width="{wide}" height="26"{_fill(state)}/>'
            f"{_cross(x(begun) + wide / 2, 19) if state == 'down' and wide > 14 else ''}</g>"
        )
    parts.append(f'<text x="8" y="50">{utc(start)[11:16]}</text>')
    parts.append(f'<text x="{STRIP_WIDTH - 8}" y="50" text-anchor="end">{utc(end)[11:16]} UTC</text>')
    for at, state in enumerate(dict.fromkeys(state for _, _, state in segments)):
        y = 62 + at * 20
        parts.append(
            f'<rect class="state-{_state(state)}" x="8" y="{y}" width="24" height="13"{_fill(state)}/>'
            f"{_cross(20, y + 6.5) if state == 'down' else ''}"
            f'<text x="40" y="{y + 12}">{escape(labels.get(state, state))}</text>'
        )
    kinds = len({state for _, _, state in segments})
    told = ("; " if lang == "en" else "；").join(
        say("desk.pictures.strip_part", state=labels.get(state, state), start=utc(begun), end=utc(over))
        for begun, over, state in segments
    )
    title = say("desk.pictures.strip", start=utc(start), end=utc(end))
    return _picture("strip", lang, (STRIP_WIDTH, 62 + 20 * kinds), (title, told), parts)


# --- parts ------------------------------------------------------------------------------------------------------------


def _picture(id_: str, lang: str, size: tuple[int, int], words: tuple[str, str], parts: Sequence[str]) -> Markup:
    width, height = size
    title, about = map(escape, words)
    return Markup(  # noqa: S704  every text above was escaped where it came in
        f'<svg class="picture" role="img" lang="{tag(lang)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" aria-labelledby="{id_}-title" aria-describedby="{id_}-desc">'
        f'<title id="{id_}-title">{title}</title><desc id="{id_}-desc">{about}</desc>{"".join(parts)}</svg>'
    )


def _shape(code: str, x: float, y: float) -> str:
    """A level's shape, hollow or full, in the colour of text upon it."""
    kind = "hollow" if code in HOLLOW else "full"
    return f'<path class="{kind}-{code}" transform="translate({x} {y})" d="{OUTLINES[code]}"/>'


def _here(code: str, y: int, word: str) -> str:
    """The mark at the step that holds now."""
    return f'<text class="on-{code}" x="{STEP_WIDTH - 12}" y="{y + 39}" text-anchor="end">◀ {escape(word)}</text>'


def _double(x: float, y: float, width: float, height: float) -> str:
    """The second border of the highest level."""
    return f'<rect class="inner" x="{x + 3}" y="{y + 3}" width="{width - 6}" height="{height - 6}" rx="2"/>'


def _bars(code: str, right: int, y: int) -> str:
    """As many of six bars full as the level is high."""
    full = ORDER.index(code) + 1
    return "".join(
        f'<rect class="{"full" if n < full else "hollow"}-{code}" x="{right - 62 + n * 11}" y="{y}" width="7" height="13"/>'
        for n in range(len(ORDER))
    )


def _row(code: str | None, y: int, width: int, lang: str) -> str:
    """One level's line across a timeline, with its shape and word at the left."""
    word = texts(lang).say("desk.pictures.closed" if code is None else f"level.{code}")
    lines = word.split(" ") if code else [word]
    at = y + 4 - 7 * (len(lines) - 1)
    said = "".join(f'<text x="28" y="{at + 14 * n}">{escape(line)}</text>' for n, line in enumerate(lines))
    return f'<line class="faint" x1="{GUTTER}" y1="{y}" x2="{width}" y2="{y}"/>{_chip(code, 13, y)}{said}'


def _chip(code: str | None, x: int, y: int) -> str:
    if code is None:
        return f'<rect class="closed" x="{x - 10}" y="{y - 10}" width="20" height="20" rx="3"/>{_cross(x, y)}'
    inner = _double(x - 11, y - 11, 22, 22) if code == "principals" else ""
    return f'<rect class="fill-{code}" x="{x - 10}" y="{y - 10}" width="20" height="20" rx="3"/>{inner}{_shape(code, x, y)}'


def _cross(x: float, y: float) -> str:
    return f'<path class="cross" transform="translate({x} {y})" d="M-4 -4L4 4M4 -4L-4 4"/>'


def _places(times: Sequence[int]) -> list[int]:
    """Where each time stands: in order, never too near for its words, the rest shared out by how long it took."""
    gaps = len(times) - 1
    whole = max(1, times[-1] - times[0])
    xs = [GUTTER + 34]
    for at in range(gaps):
        part = max(0, times[at + 1] - times[at]) / whole
        xs.append(xs[-1] + GAP + round(SHARE * gaps * part))
    return xs


def _way(history: Sequence[LevelStep], xs: Sequence[int], ys: Mapping[str | None, int]) -> str:
    """The line through all levels: across until something happens, then up or down."""
    said = [f"M{xs[0]} {ys[history[0].level]}"]
    said += [f"H{xs[at]}V{ys[step.level]}" for at, step in enumerate(history) if at]
    return "".join([*said, f"H{xs[-1]}"])


def _point(step: LevelStep, at: int, place: tuple[int, int], foot: tuple[int, int | None], lang: str) -> str:
    """One thing that happened: its shape on its level, its word above, its number and time on the axis."""
    (x, y), (axis, before), ts = place, foot, _ts(step)
    day = "" if before is not None and utc(before)[:10] == utc(ts)[:10] else utc(ts)[:10]
    word = escape(texts(lang).say(f"desk.pictures.op_{step.op}"))
    return (
        f'<g class="point" data-number="{escape(step.message.verdict.number)}" data-op="{escape(step.op)}" '
        f'data-level="{step.level or "closed"}" data-ts="{ts}"><title>{escape(_told(step, at, lang))}</title>'
        f"{_chip(step.level, x, y)}"
        f'<text class="halo" x="{x}" y="{y - 15}" text-anchor="middle">{word}</text>'
        f'<text class="strong" x="{x}" y="{axis + 6}" text-anchor="middle">{at + 1}</text>'
        f'<text x="{x}" y="{axis + 23}" text-anchor="middle">{utc(ts)[11:16]}</text>'
        f'<text x="{x}" y="{axis + 39}" text-anchor="middle">{day}</text></g>'
    )


def _told(step: LevelStep, at: int, lang: str) -> str:
    """A point in words, as the table has it."""
    said = texts(lang)
    op = said.say("case.opened") if step.op == "open" else said.say(f"code.move.{step.op}")
    level = said.say("case.closed") if step.level is None else said.level(step.level)
    number = step.message.verdict.number
    return said.say("desk.pictures.point", no=at + 1, time=utc(_ts(step)), number=number, op=op, level=level)


def _ts(step: LevelStep) -> int:
    record = step.message.verdict.record
    return 0 if record is None else record.ts


def _state(state: str) -> str:
    return state if state in ("up", "limited", "down") else "other"


def _fill(state: str) -> str:
    texture = {"limited": "hatched", "other": "dotted"}.get(_state(state))
    return f' fill="url(#{texture})"' if texture else ""


def _textures() -> str:
    return (
        '<defs><pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse"><path class="thread" d="M-1 7L7 -1"/>'
        '</pattern><pattern id="dotted" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<circle class="dot" cx="3" cy="3" r="1.2"/></pattern></defs>'
    )
