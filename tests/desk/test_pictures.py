"""Pictures: what they say to those who see them, and to those who don't. No browser."""

from __future__ import annotations

import re
from itertools import pairwise
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from channel.desk.pictures import OUTLINES, ladder, strip, timeline
from channel.desk.showing import SHAPES, texts
from channel.protocol.charter import ORDER
from tests.i18n.visible import TOP

SVG = "{http://www.w3.org/2000/svg}"
HOUR = 3_600_000
START = 1_790_000_000_000
CSS = (TOP / "channel/desk/static/desk.css").read_text("utf-8")
WORDS = {"en": {"up": "line up", "limited": "limited operation", "down": "line down"},
         "zh": {"up": "线路正常", "limited": "受限运行", "down": "线路中断"}}  # fmt: skip
SEGMENTS = [(START, START + HOUR, "up"), (START + HOUR, START + 2 * HOUR, "limited"), (START + 2 * HOUR, START + 3 * HOUR, "down")]  # fmt: skip


def step(n, op, level, ts):
    verdict = SimpleNamespace(number=f"US-2026-{n:06}", record=SimpleNamespace(ts=ts))
    return SimpleNamespace(message=SimpleNamespace(verdict=verdict), op=op, level=level)


HISTORY = [
    step(1, "open", "attention", START),
    step(2, "raise", "crisis", START + HOUR),
    step(3, "lower", "crisis", START + 2 * HOUR),
    step(4, "concur", "serious", START + 30 * HOUR),
]
CLOSED = [step(1, "open", "routine", START), step(2, "close", "routine", START), step(3, "concur", None, START + 1)]
PICTURES = {
    "ladder": lambda lang: ladder(ORDER, "serious", lang),
    "timeline": lambda lang: timeline(HISTORY, lang, START + 31 * HOUR),
    "closed": lambda lang: timeline(CLOSED, lang, START + HOUR),
    "strip": lambda lang: strip(SEGMENTS, lang, WORDS[lang]),
}
EACH = pytest.mark.parametrize("name", PICTURES)
LANGS = pytest.mark.parametrize("lang", ["en", "zh"])


def read(picture):
    return ET.fromstring(str(picture).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def words(svg):
    return [text.text or "" for text in svg.iter(f"{SVG}text")]


@EACH
@LANGS
def test_a_picture_is_named_and_described(name, lang):
    """Each is an image with a title and a description that its ids lead to, in the language of the page."""
    svg = read(PICTURES[name](lang))
    title, desc = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert (svg.get("role"), svg.get("lang")) == ("img", {"en": "en", "zh": "zh-Hans"}[lang])
    assert (svg.get("aria-labelledby"), svg.get("aria-describedby")) == (title.get("id"), desc.get("id"))
    assert len(title.text) > 5
    assert len(desc.text) > 30
    assert bool(re.search("[\u4e00-\u9fff]", title.text)) == (lang == "zh")
    assert svg.get("class") == "picture"


@EACH
@LANGS
def test_a_picture_has_no_style_and_no_colour_of_its_own(name, lang):
    """No style attribute, no colour written into it: only classes, of which each stands in the style sheet."""
    svg = read(PICTURES[name](lang))
    for part in svg.iter():
        assert part.get("style") is None
        assert not re.search("#[0-9a-f]{3}|rgb", part.get("fill") or "") or part.get("fill").startswith("url(#")
        assert part.get("stroke") is None
        for class_ in (part.get("class") or "").split():
            assert class_ in ("picture", "point") or re.search(rf"\.{class_}\b", CSS), class_


@EACH
@LANGS
def test_no_words_leave_a_picture(name, lang):
    """Every text begins and ends inside; Chinese counts as wide."""
    svg = read(PICTURES[name](lang))
    whole = int(svg.get("width"))
    for text in svg.iter(f"{SVG}text"):
        wide = sum(13 if c > "\u2e80" else 7.2 for c in text.text or "")
        x = float(text.get("x"))
        left = x - {"middle": wide / 2, "end": wide}.get(text.get("text-anchor"), 0)
        assert left >= 0, text.text
        assert left + wide <= whole, text.text


@LANGS
def test_the_ladder_has_six_steps_with_the_highest_on_top(lang):
    """Shape, word in both languages and bars on each; the level that holds is told by mark and word."""
    svg = read(ladder(ORDER, "serious", lang))
    steps = [g for g in svg.iter(f"{SVG}g") if g.get("data-level")]
    assert [g.get("data-level") for g in steps] == [*reversed(ORDER)]
    for n, g in enumerate(reversed(steps), start=1):
        code = g.get("data-level")
        said = words(g)
        assert {texts(each).say(f"level.{code}") for each in ("en", "zh")} <= set(said)
        full = [r for r in g.iter(f"{SVG}rect") if (r.get("class") or "").startswith("full-")]
        assert len(full) == n
        assert OUTLINES[code] in [p.get("d") for p in g.iter(f"{SVG}path")]
    here = [g for g in steps if "data-here" in g.attrib]
    assert [g.get("data-level") for g in here] == ["serious"]
    assert any(text.startswith("◀ ") for text in words(here[0]))
    assert SHAPES["serious"] in svg.find(f"{SVG}desc").text


def test_a_ladder_without_a_level_marks_none():
    """Where nothing holds, nothing is marked."""
    assert "data-here" not in str(ladder(ORDER, None, "en"))


@pytest.mark.parametrize("history", [HISTORY, CLOSED])
def test_a_timeline_has_every_step_in_order(history):
    """A point for each, with number, what it was, level after it and time; further right means later."""
    svg = read(timeline(history, "en", START + 31 * HOUR))
    points = [g for g in svg.iter(f"{SVG}g") if g.get("class") == "point"]
    told = [(s.message.verdict.number, s.op, s.level or "closed", str(s.message.verdict.record.ts)) for s in history]
    assert [tuple(g.get(f"data-{n}") for n in ("number", "op", "level", "ts")) for g in points] == told
    xs = [float(g.find(f"{SVG}text").get("x")) for g in points]
    assert xs == sorted(xs)
    assert min(b - a for a, b in pairwise(xs)) >= 60
    desc = svg.find(f"{SVG}desc").text
    assert [n for n, *_ in told if n in desc] == [n for n, *_ in told]


def test_higher_levels_stand_higher():
    """Up is higher: the points' heights follow the levels, and the times on the axis are in UTC."""
    svg = read(timeline(HISTORY, "en", START + 31 * HOUR))
    tops = {
        g.get("data-level"): float(g.find(f"{SVG}text").get("y"))
        for g in svg.iter(f"{SVG}g")
        if g.get("class") == "point"
    }
    assert tops["crisis"] < tops["serious"] < tops["attention"]
    assert "UTC" in words(svg)
    assert any(re.fullmatch(r"\d{4}-\d{2}-\d{2}", word) for word in words(svg))


def test_an_open_case_goes_on_until_now_and_a_closed_one_ends():
    """The line of an open case reaches the present; that of a closed one ends at its closing, on a row of its own."""
    assert "now" in words(read(timeline(HISTORY, "en", START + 31 * HOUR)))
    closed = words(read(timeline(CLOSED, "en", START + HOUR)))
    assert "now" not in closed
    assert "closed" in closed


def test_nothing_to_show_draws_nothing():
    """No history, no segments: no picture."""
    assert timeline([], "en", START) == ""
    assert strip([], "en", {}) == ""


@LANGS
def test_a_strip_tells_its_states_by_texture_and_word(lang):
    """Up is full, limited hatched, down empty with a cross; each state is named once below, each part in the description."""
    svg = read(strip(SEGMENTS, lang, WORDS[lang]))
    parts = [g for g in svg.iter(f"{SVG}g") if g.get("data-state")]
    assert [(int(g.get("data-from")), int(g.get("data-to")), g.get("data-state")) for g in parts] == SEGMENTS
    fills = [g.find(f"{SVG}rect").get("fill") for g in parts]
    assert fills == [None, "url(#hatched)", None]
    assert [g.find(f"{SVG}path") is not None for g in parts] == [False, False, True]
    assert set(WORDS[lang].values()) <= set(words(svg))
    assert all(word in svg.find(f"{SVG}desc").text for word in WORDS[lang].values())


def test_what_a_label_says_is_escaped():
    """A word from outside stays a word."""
    svg = str(strip([(START, START + 1, "<b>")], "en", {"<b>": "<script>"}))
    assert "<script>" not in svg
    assert "<b>" not in svg


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_words_on_a_level_can_be_read():
    """The text on each level's colour has a contrast of 4.5 at least; the colours are those of the glossary's levels."""
    for code in ORDER:
        rule = next(
            r for r in re.findall(r"[^{}]+{[^}]*}", CSS) if f".fill-{code}" in r.split("{")[0] and "fill: #" in r
        )
        back = re.search(r"fill: (#[0-9a-f]{6})", rule)[1]
        on = next(r for r in re.findall(r"[^{}]+{[^}]*}", CSS) if f".on-{code}" in r.split("{")[0])
        fore = {"#fff": "#ffffff", "#000": "#000000"}[re.search(r"fill: (#\w+)", on)[1]]
        a, b = sorted((luminance(back), luminance(fore)), reverse=True)
        assert (a + 0.05) / (b + 0.05) >= 4.5, code
