"""Every page can be seen: not blank, no character without a glyph, nothing sideways, its mode plain; and that is checked.

Exercise in Chinese and actual in English: each page in both modes and both languages. ``make screenshots`` takes all four
and keeps the pictures, to be looked at.
"""

from __future__ import annotations

import pytest
import pytest_asyncio

from tests.desk.seeing import faults, look
from tests.scripts.screenshots import ACTS, SLIM, Camera, photograph, places, sheet, visit

pytestmark = pytest.mark.timeout(600)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def eye(browser):
    """An empty page that reads pictures."""
    page = await browser.new_page()
    yield page
    await page.close()


async def photographed(room, eye, lang):
    """Every page of a room in a language, with all acts; what the machine has seen."""
    camera, wanted = Camera(eye), await places(room)
    await photograph(room, camera, wanted, lang)
    names = {label.split("-", 2)[2] for label in camera.taken}
    assert {*wanted, *ACTS} <= names
    assert any(name.endswith(str(SLIM)) for name in names)
    return camera


async def test_every_page_of_an_exercise_can_be_seen(room, eye):
    """In Chinese."""
    assert (await photographed(room, eye, "zh")).faults == []
    assert [said for said in room.console if "404" not in said] == []


async def test_every_page_in_actual_mode_can_be_seen(actual_room, eye):
    """In English."""
    assert (await photographed(actual_room, eye, "en")).faults == []
    assert [said for said in actual_room.console if "404" not in said] == []


async def seen(page, eye):
    return await look(eye, await page.screenshot(full_page=True, animations="disabled"))


async def test_a_character_without_a_glyph_is_found(room, eye):
    """A message with a character that no font has: its page is at fault for that character and for nothing else."""
    number = await room.send("cn", line="Eleven accesses, none \u0378 since.")
    await room.seen("us", number)
    page = await room.page("us")
    await visit(room, page, f"/m/{number}")
    found = await faults(page, await seen(page, eye), room.mode)
    assert found
    assert all(fault.startswith("no glyph: U+0378 in ") for fault in found), found
    await visit(room, page, "/settings")
    assert await faults(page, await seen(page, eye), room.mode) == []
    await page.context.close()


async def test_a_blank_page_a_wide_one_and_one_of_another_mode_are_found(room, eye):
    """Each fault that is looked for is seen where it is made."""
    page = await room.page("us")
    await visit(room, page, "/settings")
    picture = await seen(page, eye)
    assert await faults(page, picture, 2) == []
    (fault,) = await faults(page, picture, 1)
    assert fault.startswith("not marked as actual")
    await page.evaluate("document.querySelector('main h1').style.width = '2000px'")
    (fault,) = await faults(page, picture, 2)
    assert fault.startswith("scrolls sideways: 20")
    await page.evaluate("document.body.replaceChildren()")
    found = await faults(page, await seen(page, eye), 2)
    assert [fault.split(":")[0] for fault in found] == ["blank", "not marked as an exercise"]
    await page.context.close()


def test_the_sheet_names_every_picture():
    """Page, mode and language stand over each; where there is no picture of a page, a dash."""
    told = sheet(["actual-en-watch", "exercise-zh-watch", "exercise-zh-real-world"])
    for said in ("watch · actual · en", "watch · exercise · zh", "real-world · exercise · zh"):
        assert f"<figcaption>{said}</figcaption>" in told
    assert told.count("<img ") == 3
    assert told.count("–") == 5
