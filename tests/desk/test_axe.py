"""Every page, in both languages and both modes: no fault that axe knows; narrow, enlarged, in forced colours, without motion."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from channel.protocol.charter import ORDER
from tests.desk.pages import furnish

CSS_RULES = {"resultTypes": ["violations"]}
pytestmark = pytest.mark.timeout(600)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(room):
    """The pages of the exercise room."""
    return await furnish(room)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def actual_places(actual_room):
    """The pages of the actual room."""
    return await furnish(actual_room)


async def visit(room, page, path):
    """Go to a page of US's desk; it is there as a whole."""
    await page.goto(room.origin("us") + path)
    await expect(page.locator("main h1")).to_be_visible()
    assert await page.locator(".problem").count() == (path == "/nowhere"), (
        path,
        await page.locator("main").inner_text(),
    )


async def faults(room, places, lang):
    """What axe finds on all pages, one line each."""
    page = await room.page("us", lang=lang)
    found = []
    for name, path in places:
        await visit(room, page, path)
        results = await Axe().run(page, options=CSS_RULES)
        found += [
            f"{name} {lang}: {each['impact']} {each['id']} {node['target']} {node['html'][:160]}"
            for each in results.response["violations"]
            for node in each["nodes"]
        ]
    await page.context.close()
    return found


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_no_fault_in_an_exercise(room, places, lang):
    """Axe finds nothing at all on any page of an exercise's desk."""
    found = await faults(room, places, lang)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_no_fault_in_actual_mode(actual_room, actual_places, lang):
    """Nor on any page of an actual one."""
    found = await faults(actual_room, actual_places, lang)
    assert not found, "\n".join(found)


WIDER = """() => {
  const wide = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > wide) for (const e of document.querySelectorAll("body *")) {
    const box = e.getBoundingClientRect();
    if (box.right > wide + 1 && !e.closest(".wide, svg, .skip, .unseen-text") && getComputedStyle(e).position !== "absolute") found.push(e.tagName + "." + e.className + " " + Math.round(box.right));
  }
  return document.documentElement.scrollWidth > wide ? [document.documentElement.scrollWidth, ...found.slice(0, 4)] : [];
}"""


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_narrow_and_enlarged(room, places, lang):
    """At 320 px, and at 200 % of a 1280 px window, nothing has to be scrolled sideways (WCAG 1.4.10, 1.4.4)."""
    page = await room.page("us", lang=lang)
    found = []
    for name, path in places:
        for width in (320, 640):
            await page.set_viewport_size({"width": width, "height": 800})
            await visit(room, page, path)
            if wide := await page.evaluate(WIDER):
                found.append((name, width, *wide))
    await page.context.close()
    assert not found, found


async def test_forced_colours_and_no_motion_hide_nothing(room, places):
    """With the reader's own colours and without motion: the same words are visible, levels keep shape and word, nothing moves."""
    page = await room.page("us")
    plain, other = {}, {}
    for seen, media in ((plain, {}), (other, {"forced_colors": "active", "reduced_motion": "reduce"})):
        await page.emulate_media(**media)
        for name, path in places:
            await visit(room, page, path)
            seen[name] = sorted(set(re.sub(r"[\d:]+", "", await page.locator("main").inner_text()).split()))
            if media:
                moving = await page.evaluate("document.getAnimations().length")
                assert moving == 0, name
                for shown in await page.locator("main .level:visible").all_inner_texts():
                    assert shown.strip()[0] in "○◇△▲■★", (name, shown)
    for name, words in plain.items():
        assert set(words) <= set(other[name]), name
    await page.context.close()


# --- the palette (rule 16): computed, not believed ----------------------------------------------------------------------


def linear(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def contrast(one, two):
    """The contrast ratio of WCAG 2."""
    light = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(two)))
    return (light[1] + 0.05) / (light[0] + 0.05)


# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
SIGHTS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def lab(colour, sight):
    """CIELAB (D65) of a colour as an eye of a kind sees it."""
    rgb = linear(colour)
    r, g, b = (min(1.0, max(0.0, sum(w * c for w, c in zip(row, rgb, strict=True)))) for row in SIGHTS[sight])
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def apart(one, two, sight):
    """How far two colours are apart (CIE76)."""
    return sum((a - b) ** 2 for a, b in zip(lab(one, sight), lab(two, sight), strict=True)) ** 0.5


async def colours(page):
    """(background, text) of each level as the browser computes it."""
    found = await page.evaluate(
        """codes => codes.map(code => {
          const e = document.createElement("span"); e.className = "level level-" + code; document.body.append(e);
          const s = getComputedStyle(e); const got = [s.backgroundColor, s.color]; e.remove(); return got; })""",
        list(ORDER),
    )
    return {code: tuple("#" + "".join(f"{int(n):02x}" for n in re.findall(r"\d+", c)[:3]) for c in pair) for code, pair in zip(ORDER, found, strict=True)}  # fmt: skip


async def test_the_palette(room):
    """Levels differ by at least ΔE 30 in every kind of sight, and their words have a contrast of 4.5:1 at least."""
    page = await room.page("us")
    seen = await colours(page)
    assert all(contrast(*pair) >= 4.5 for pair in seen.values()), {k: contrast(*v) for k, v in seen.items()}
    one_each = {
        code: pair[0] for code, pair in seen.items() if code != "principals"
    }  # it is told from crisis by its border
    assert seen["crisis"][0] == seen["principals"][0]
    near = [
        (a, b, sight, round(apart(one_each[a], one_each[b], sight)))
        for sight in SIGHTS
        for i, a in enumerate(one_each)
        for b in list(one_each)[i + 1 :]
        if round(apart(one_each[a], one_each[b], sight)) < 30
    ]
    assert near == []
