"""The locked desk: it keeps ringing, says nothing of what a message says, and goes on where it was left."""

from __future__ import annotations

import asyncio
import json
import re
import signal

import aiohttp
import pytest_asyncio
from playwright.async_api import expect

from channel.desk.open_desk import WARN_SECONDS
from tests.desk.conftest import holds

SECRET = "SECRET-WORDS-OF-A-BODY"
HOURS = 3600.0


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def as_before(room):
    """Each test begins with an hour's idle time, the right clock and an open desk."""
    room.clock.ahead = 0.0
    room.desk("us").idle_seconds = 36_000.0
    if room.desk("us").locked:
        await room.sit("us", "expert-1")
    room.desk("us").touch()
    yield


async def locked(room, page):
    """Lock the desk of US, as its clock does; the page shows it by itself."""
    room.desk("us").lock()
    await expect(page.locator("body")).to_have_attribute("data-locked", "yes")


async def state(room, page):
    """What the page is told now, as it is told it."""
    (cookie,) = await page.context.cookies(room.origin("us"))
    headers = {"Cookie": f"{cookie['name']}={cookie['value']}"}
    async with aiohttp.ClientSession() as http, http.get(room.origin("us") + "/events", headers=headers) as events:
        await events.content.readline()
        return json.loads((await events.content.readline()).removeprefix(b"data: "))


async def test_it_locks_after_idle_and_warns_before(room):
    """Nobody did anything for so long: the page says so five minutes before, and then the desk is locked."""
    page = await room.page("us")
    desk = room.desk("us")
    desk.touch()
    desk.idle_seconds = 900.0
    room.clock.ahead = 900.0 - WARN_SECONDS + 5
    told = await state(room, page)
    assert (told["warn"], told["locked"], told["idle"] <= WARN_SECONDS) == (True, False, True)
    await expect(page.locator("#idle")).to_be_visible()
    room.clock.ahead = 905.0
    await expect(page.locator("body")).to_have_attribute("data-locked", "yes")
    assert desk.locked
    assert room.console == []


async def test_looking_does_not_count_as_working(room):
    """A page that fetches itself again does not keep the desk open; a person who goes to a page does."""
    page = await room.page("us")
    desk = room.desk("us")
    desk.touch()
    room.clock.ahead = 100.0
    before = desk.idle_left()
    await page.evaluate("fetch('/?part=live').then(a => a.text())")
    assert desk.idle_left() <= before
    await page.goto(room.origin("us") + "/settings")
    assert desk.idle_left() > before + 90


async def test_a_locked_desk_shows_headers_alone(room):
    """No body, no case name, no person's text: in no page, no event, under no address; all lead to the lock."""
    number = await room.send("cn", line=SECRET)
    await room.seen("us", number)
    page = await room.page("us")
    await expect(page.locator("#owed")).to_contain_text(SECRET)
    await locked(room, page)
    await expect(page.locator("#rings")).to_contain_text(number)
    assert SECRET not in await page.content()
    assert SECRET not in json.dumps(await state(room, page))
    for path in (
        f"/m/{number}",
        "/",
        "/?part=live",
        "/settings",
        "/cases",
        "/log",
        "/search?q=SECRET",
        "/compose/1",
        f"/cases/{number}",
    ):
        await page.goto(room.origin("us") + path)
        assert "/lock" in page.url, path
        assert SECRET not in await page.content(), path
    await page.goto(room.origin("us") + "/settings?x=1&y=2")
    await page.get_by_role("button", name="Unlock").click()
    await expect(page).to_have_url(room.origin("us") + "/settings?x=1&y=2")
    room.console[:] = [said for said in room.console if "redirect" not in said and "Failed to fetch" not in said]


async def test_a_form_that_comes_too_late_does_nothing(room):
    """What was sent after the desk had locked is refused and says why; the notices of before are forgotten."""
    page = await room.page("us", java_script_enabled=False)
    await page.goto(room.origin("us") + "/settings")
    room.desk("us").say_next("desk.settings.kept")
    room.desk("us").lock()
    await page.locator("input[name=lang][value=zh]").check()
    await page.locator("form[action='/settings'] button.main").click()
    await expect(page.locator("main")).to_contain_text("LOCKED")
    assert room.desk("us").setting("lang") == "en"
    assert room.desk("us").take_flash() == []
    room.console.clear()  # the browser itself notes the 403


async def test_a_wrong_passphrase_lets_nobody_in(room):
    """The page says so, keeps the seat that was chosen and the place to go on to, and shows no passphrase again."""
    page = await room.page("us")
    await locked(room, page)
    await page.goto(room.origin("us") + "/lock?next=/settings")
    await page.get_by_label("Person").select_option("duty")
    await page.get_by_label("Passphrase").fill("not the passphrase")
    await page.get_by_role("button", name="Unlock").click()
    await expect(page.locator("#problem")).to_contain_text("PASSPHRASE")
    assert room.desk("us").locked
    assert "not the passphrase" not in await page.content()
    await expect(page.get_by_label("Person")).to_have_value("duty")
    await page.get_by_role("button", name="Unlock").click()
    await expect(page).to_have_url(room.origin("us") + "/settings")
    await expect(page.locator("#who")).to_contain_text("Duty")
    room.console.clear()
    await room.sit("us", "expert-1")


async def test_eight_hours_locked_then_a_flash_message(room):
    """Issue 6, "it must show" 4: it rings as a flash message does, shows number, level and countdown, and opens when unlocked."""
    page = await room.page("us")
    await page.mouse.click(1, 1)  # a person has been here: the browser allows sound
    await page.evaluate("document.addEventListener('desk-rang', e => { (window.rang ??= []).push(e.detail); })")
    await locked(room, page)
    room.clock.ahead = 8 * HOURS
    number = await room.flash("cn")
    ring = page.locator(f"#rings [data-item='{number}']")
    await expect(ring).to_contain_text(number)
    await expect(ring.locator(".level")).to_be_visible()
    await expect(ring.locator(".countdown b")).to_contain_text("left")
    await holds(page, "(window.rang ?? []).includes('Z')")
    await expect(page).to_have_title(re.compile(r"^● \d"))
    assert "MAPLE" not in await page.content()
    await page.get_by_role("button", name="Unlock").click()
    await expect(page).to_have_url(f"{room.origin('us')}/m/{number}")
    room.clock.ahead = 0.0
    await page.locator("button[name=step][value=read]").first.click()
    await expect(page.locator(f"#rings [data-item='{number}']")).to_have_count(0)
    assert number not in [ring["number"] for ring in (await state(room, page))["rings"]]


async def test_while_the_node_is_gone_the_page_says_so_and_goes_on_by_itself(room):
    """A killed node: nothing new is coming in, and why. When it runs again the page goes on without anybody's doing."""
    page = await room.page("us")
    await asyncio.to_thread(room.machine.end, "us", how=signal.SIGKILL)
    await expect(page.locator("#alarms")).to_contain_text("Nothing new is coming in.")
    await expect(page.locator(".link-unknown")).to_be_visible()
    await page.goto(room.origin("us") + "/settings")
    await expect(page.locator("#alarms")).to_contain_text("NODE_UNREACHABLE")
    await asyncio.to_thread(room.machine.start, "us")
    await page.goto(room.origin("us") + "/")
    await expect(page.locator("#alarms")).not_to_contain_text("Nothing new", timeout=40_000)
    number = await room.send("cn", line="after the node came back")
    await expect(page.locator(f"[data-item='{number}']")).to_be_visible(timeout=40_000)


async def test_a_session_that_ended_while_locked_is_said_and_opened_again(room):
    """The node knows the locked desk's session no longer: the page says what that means and what to do; unlocking goes on."""
    page = await room.page("us")
    await locked(room, page)
    await asyncio.to_thread(room.machine.end, "us", how=signal.SIGKILL)
    await asyncio.to_thread(room.machine.start, "us")
    await expect(page.locator("#alarms")).to_contain_text("SESSION_OVER", timeout=40_000)
    await expect(page.locator("#alarms")).to_contain_text("Unlock the desk")
    await page.get_by_role("button", name="Unlock").click()
    await expect(page.locator("body")).to_have_attribute("data-locked", "no")
    await expect(page.locator("#alarms")).not_to_contain_text("Nothing new", timeout=40_000)
    number = await room.send("cn", line="after the session was opened again")
    await room.seen("us", number, 40)


async def test_unlocking_without_the_node_still_lets_in(room):
    """A node that can't be reached keeps nobody from reading what is here."""
    page = await room.page("us")
    await locked(room, page)
    await asyncio.to_thread(room.machine.end, "us", how=signal.SIGKILL)
    await page.get_by_role("button", name="Unlock").click()
    await expect(page.locator("body")).to_have_attribute("data-locked", "no")
    await expect(page.locator("#alarms")).to_contain_text("Nothing new is coming in.")
    await asyncio.to_thread(room.machine.start, "us")
    await expect(page.locator("#alarms")).not_to_contain_text("Nothing new", timeout=40_000)
