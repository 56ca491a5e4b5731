"""Actual, exercise and replay can't be taken for each other, and what belongs to one is never shown in another (rules 1 to 3)."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from channel.client.composing import Draft, compose
from channel.desk import showing
from keys.envelope import join, media_type, pae
from keys.errors import Refused
from tests.desk.pages import FACTS

EVERY = (
    "/",
    "/settings",
    "/compose",
    "/cases",
    "/log",
    "/handover",
    "/ladder",
    "/directory",
    "/lock",
    "/nowhere",
    "/start",
)
WORDS = {1: "实际 ACTUAL", 2: "演练 EXERCISE"}
TITLES = {1: "(ACTUAL / 实际|实际 / ACTUAL)", 2: "(EXERCISE / 演练|演练 / EXERCISE)"}
pytestmark = pytest.mark.timeout(300)


async def test_each_page_says_its_mode_in_both_languages(room, actual_room):
    """Title, banner, icon, edges: on every page, in either language of the reader, Chinese and English side by side."""
    for side in (room, actual_room):
        mine, other = WORDS[side.mode], WORDS[3 - side.mode]
        for lang in ("en", "zh"):
            page = await side.page("us", lang=lang)
            for path in EVERY:
                await page.goto(side.origin("us") + path)
                await expect(page).to_have_title(re.compile("^(● \\d+ · )?" + TITLES[side.mode]))
                banners = page.locator("[data-banner]")
                assert await banners.count() == side.mode, path  # an exercise: above and below
                for at in range(side.mode):
                    said = await banners.nth(at).inner_text()
                    assert mine in said and other not in said, path
                    assert await banners.nth(at).locator(":lang(zh-Hans)").count() >= 1
                    assert await banners.nth(at).locator(":lang(en)").count() >= 1
                icon = await page.locator("link[rel=icon]").get_attribute("href")
                assert icon == f"/static/{'exercise' if side.mode == 2 else 'actual'}.svg"
                if side.mode == 2:
                    assert "演练：本电文属" in said and "EXERCISE: this message is part of exercise" in said
            await page.context.close()
    assert room.console == [] or all("404" in said for said in room.console)


async def test_the_look_differs(room, actual_room):
    """Stripes and coloured edges in an exercise, a plain dark bar and none in actual mode; printed too."""
    page, actual = await room.page("us"), await actual_room.page("us")
    look = "() => { const s = getComputedStyle(document.querySelector('[data-banner]')), b = getComputedStyle(document.body); return [s.backgroundImage, b.borderLeftWidth]; }"
    assert "repeating-linear-gradient" in (await page.evaluate(look))[0]
    assert (await page.evaluate(look))[1] != "0px"
    assert (await actual.evaluate(look)) == ["none", "0px"]
    wide = (
        "() => [...document.querySelectorAll('[data-banner]')].map(b => b.getBoundingClientRect().width / innerWidth)"
    )
    assert all(part > 0.98 for part in await page.evaluate(wide))
    for media in ("print", "screen"):
        await page.emulate_media(media=media)
        for at in (0, 1):
            await expect(page.locator("[data-banner]").nth(at)).to_be_visible()
    await page.emulate_media(media="print")
    assert "repeating-linear-gradient" in (await page.evaluate(look))[0]
    await page.context.close()
    await actual.context.close()


async def test_names_of_cookies_and_origins_differ(room, actual_room):
    """Another port, another name, nothing shared: a session of one mode is none in the other."""
    context = await room.context()
    await room.page("us", context=context)
    await actual_room.page("us", context=context)
    names = {cookie["name"].split("-")[1] for cookie in await context.cookies()}
    assert names == {"1", "2"}
    assert len({cookie["name"] for cookie in await context.cookies()}) == 2
    assert room.origin("us") != actual_room.origin("us")
    await context.close()


SOUNDS = """window.tones = [];
window.AudioContext = class { constructor() { this.state = "running"; this.currentTime = 0; this.destination = {}; } resume() { return Promise.resolve(); } };
window.OscillatorNode = class { constructor(_, o) { window.tones.push(o.type + " " + o.frequency); } connect(x) { return x; } start() {} stop() {} };
window.GainNode = class { constructor() { this.gain = { setTargetAtTime() {} }; } connect(x) { return x; } };"""


async def tones(room):
    """What the sound test of each precedence plays."""
    context = await room.context()
    await context.add_init_script(SOUNDS)
    page = await room.page("us", context=context)
    await page.goto(room.origin("us") + "/settings")
    found = {}
    for prec in "RPOZ":
        await page.evaluate("window.tones.length = 0")
        await page.locator(f"[data-sound-test={prec}]").click()
        await expect(page.locator(f"[data-sound-test={prec}]")).to_be_focused()
        found[prec] = await page.evaluate("window.tones")
    await context.close()
    return found


async def test_the_sound_differs_by_precedence_and_by_mode(room, actual_room):
    """R one tone, P two, O three, Z more; an exercise has another timbre at every one of them."""
    exercise, actual = await tones(room), await tones(actual_room)
    for heard in (exercise, actual):
        assert [len(heard[prec]) for prec in "RPO"] == [1, 2, 3]
        assert len(heard["Z"]) > 3
    assert not {tone for some in exercise.values() for tone in some} & {
        tone for some in actual.values() for tone in some
    }


async def crossed(from_room, to_room, words):
    """A message that a person of one mode signed, as bytes, handed to the node of the other by its own desk's session."""
    async with from_room.desk("us").working() as theirs:
        draft = Draft(fmt="F03", body=FACTS | {"line": words}, lang="en")
        composed = compose(
            theirs.view, theirs.keys.sign, theirs.keys.seal.public.suite, draft, theirs.clock.now(), theirs.random
        )
        raw, key = composed.sealed.payload_bytes, theirs.keys.sign
        signed = join(media_type("msg"), raw, {key.kid: key.sign(pae(media_type("msg"), raw))}).encode()
        public = key.public.encode()
    async with to_room.desk("us").working() as client:
        with pytest.raises(Refused) as e:
            await client.wire.submit("msg", signed, [composed.sealed.blob])
        with pytest.raises(Refused) as mode:
            await client.wire.submit("msg", signed, [public, composed.sealed.blob])
    return e.value.code, mode.value.code


@pytest.mark.parametrize("way", ["exercise to actual", "actual to exercise"])
async def test_what_was_signed_for_the_other_mode_is_refused_with_an_alarm_and_never_shown(room, actual_room, way):
    """Rule 1: refused by the node, noted in the log as an alarm, and nowhere on any page; also where the log itself held it."""
    here, there = (room, actual_room) if way.startswith("exercise") else (actual_room, room)
    words = f"CROSSED {way}"
    before = len(there.desk("us").client.messages())
    codes = await crossed(here, there, words)
    assert "MODE" in codes, codes
    page = await there.page("us")
    await page.goto(there.origin("us") + "/log")
    await expect(page.locator("main")).to_contain_text("something of the other mode was not accepted", timeout=40_000)
    assert len(there.desk("us").client.messages()) == before
    for path in EVERY:
        await page.goto(there.origin("us") + path)
        assert words not in await page.content()
    await page.context.close()


async def test_a_home_of_one_mode_takes_no_keys_of_the_other(room, actual_room):
    """The mode is in the key: a key file of the other mode unlocks nothing, and the page says so."""
    target = room.desk("us").home.path / "keys" / "crossed.key"
    target.write_bytes((actual_room.desk("us").home.path / "keys" / "expert-1.key").read_bytes())
    (room.desk("us").home.path / "keys" / "crossed.key").chmod(0o600)
    beside = (actual_room.desk("us").home.path / "passphrase").read_text().strip()
    page = await room.page("us")
    room.desk("us").lock()
    await page.goto(room.origin("us") + "/lock")
    await page.locator("#seat").select_option("crossed")
    await page.locator("#passphrase").fill(beside)
    await page.locator("form[action='/unlock'] button").click()
    await expect(page.locator("#problem")).to_contain_text("MODE")
    assert room.desk("us").locked
    target.unlink()
    await room.sit("us", "expert-1")
    await page.context.close()


async def test_replay_has_a_look_of_its_own_and_no_form_chooses_a_mode(room):
    """The third banner exists with its pattern and words; no field of any page is called mode."""
    text = showing._environment().get_template("banner.html").render(mode="replay", both=showing.both)
    assert "回放" in text and "REPLAY" in text and "banner replay" in text
    page = await room.page("us")
    for path in EVERY:
        await page.goto(room.origin("us") + path)
        assert await page.locator("[name=mode]").count() == 0
    await page.goto(room.origin("us") + "/static/replay.svg")
    await page.context.close()
