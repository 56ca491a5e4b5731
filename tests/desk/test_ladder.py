"""The page of the levels: what the policy says, in both languages, and never a level as a number."""

from __future__ import annotations

from playwright.async_api import expect

from channel.client.present import need
from channel.desk.showing import texts
from channel.protocol.charter import ORDER
from tests.desk.test_cases import OVERFLOW, looked_at, opened

DEADLINES = ("read", "engaged", "informed", "reply", "update")


def who(said, slots):
    """Who signs, without brackets around the choices of a single signature."""
    words = need(said, slots)
    return words[1:-1] if len(slots) == 1 and words.startswith("(") else words


async def test_both_tables_say_what_the_policy_says(room):
    """Each level in each language, highest first: who signs to enter and to lower, every time, its own minutes."""
    page = await looked_at(room, "/ladder")
    policy = room.desk("us").client.view.fold.policy("a")
    for lang, tag in (("en", "en"), ("zh", "zh-Hans")):
        said = texts(lang)
        rows = page.locator(f"section[lang='{tag}'] table.levels tbody tr")
        assert await rows.evaluate_all("all => all.map(e => e.dataset.level)") == [*reversed(ORDER)]
        for at, code in enumerate(reversed(ORDER)):
            rule, cells = policy.level(code), await rows.nth(at).locator("th, td").all_text_contents()
            given = [getattr(rule, name) for name in DEADLINES]
            times = [said.duration(value) if isinstance(value, int) else "–" for value in given]
            assert said.say(f"level.{code}") in cells[0]
            assert cells[2].startswith(f"{rule.prec} ")
            assert cells[2].endswith(said.duration(rule.read))
            assert cells[3] == who(said, rule.enter)
            assert cells[4] == ("–" if code == "routine" else who(said, rule.lower))
            assert cells[5:] == times
    assert room.console == []


async def test_the_picture_marks_the_level_that_holds(room):
    """The channel's level is marked in the picture, and follows it by itself."""
    page = await looked_at(room, "/ladder")
    await opened(room)
    here = page.locator("svg.picture g[data-here]")
    await expect(here).to_have_count(1)
    await expect(here).to_have_attribute("data-level", "attention")
    await expect(here).to_contain_text("level now")
    assert room.console == []


async def test_own_procedures_stand_beside_it(room):
    """What this side has written for its people, in the reader's language; the desk says that it never sets a level."""
    page = await looked_at(room, "/ladder", "cn", "zh")
    await expect(page.locator("main")).to_contain_text("从不设定级别")
    await expect(page.locator("#procedures-head")).to_be_visible()
    file = room.desk("cn").home.path / "procedures.toml"
    before = file.read_text("utf-8") if file.exists() else None
    file.write_text('[crisis]\nen = "Wake the official."\nzh = "叫醒主管官员。"\n', "utf-8")
    try:
        await page.reload()
        await expect(page.locator(".card", has=page.locator("#procedures-head"))).to_contain_text("叫醒主管官员。")
    finally:
        file.unlink() if before is None else file.write_text(before, "utf-8")


async def test_no_level_is_a_number_and_no_colour_stands_alone(room):
    """Each shown level has its shape, its word and its bars; a colour that is not grey is a level's or the exercise's."""
    page = await looked_at(room, "/ladder")
    shown = await page.locator(".level").all_text_contents()
    assert len(shown) >= 13
    for said in shown:
        assert any(shape in said for shape in "○◇△▲■★")
        assert "▮" in said
        assert not any(c.isdigit() for c in said)


async def test_narrow_and_printed(room):
    """At 320 px nothing but the tables scrolls sideways; on paper the buttons are gone and the card is there."""
    page = await looked_at(room, "/ladder", viewport={"width": 320, "height": 800})
    assert await page.evaluate(OVERFLOW) <= 0
    await page.emulate_media(media="print")
    await expect(page.locator("nav")).to_be_hidden()
    await expect(page.locator("table.levels").first).to_be_visible()
    await expect(page.locator(".banner.exercise").first).to_be_visible()


async def test_forced_colours_keep_the_signs(room):
    """Where a reader forces colours, words and shapes are in those; nothing is told by colour."""
    page = await looked_at(room, "/ladder")
    await page.emulate_media(forced_colors="active")
    script = "e => getComputedStyle(e).fill"
    fills = {
        await g.locator("rect").first.evaluate(script) for g in await page.locator("svg.picture g[data-level]").all()
    }
    assert len(fills) == 1
    ink = {await t.evaluate(script) for t in await page.locator("svg.picture text").all()}
    assert len(ink) == 1
    assert ink != fills
