"""The review: what is shown before it goes, sent once, held and cancelled."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from channel.client import drafts
from channel.desk import outgoing
from channel.desk.bar import Bar
from channel.desk.posting import Form
from channel.i18n import Texts
from keys.errors import Refused
from tests.desk.writings import close_pages, messages, write

CODED = {"entry": "MAPLE 00"}


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def closed(room):
    """Each test looks at pages of its own."""
    yield
    await close_pages(room)


async def open_review(room, page, id_, party="us"):
    await page.goto(f"{room.served[party].entry.origin}/review/{id_}")
    return page.locator("#send-form button.main")


async def test_the_review_shows_what_goes_and_the_button_says_it(room):
    """Both languages with their own tags, level in word, shape and bars, minutes, readers, signers, X13; nothing chosen."""
    page = await room.page("us")
    id_ = await write(room.desk("us"), values={"line": "A line to be read."})
    button = await open_review(room, page, id_)
    await expect(button).to_contain_text("Send at Attention (read within 3 h) to CN, EXERCISE 演练")
    facts = page.locator("table.facts")
    await expect(facts).to_contain_text("◇ Attention ▮▮▯▯▯▯")
    await expect(facts).to_contain_text("Expert 1")
    await expect(facts).to_contain_text("expert")
    for lang, word in (("en", "Initial Incident Notification"), ("zh-Hans", "事件初次通报")):
        side = page.locator(f".pair > [lang='{lang}']")
        await expect(side).to_contain_text(word)
        await expect(side).to_contain_text("A line to be read.")
    await expect(page.locator("main")).to_contain_text("Do not send state secrets")
    assert await page.evaluate("document.activeElement === document.body")
    await page.screenshot(path="/tmp/shots/review-en.png", full_page=True)
    assert room.console == []


async def test_a_mouse_sends_and_two_clicks_send_once(room):
    """A double click, a reload and going back lead to the one message that was sent."""
    page, desk = await room.page("us"), room.desk("us")
    before = messages(desk)
    id_ = await write(desk, values={"line": "Sent once."})
    button = await open_review(room, page, id_)
    await button.dblclick()
    await expect(page).to_have_url(re.compile(r"/m/US-\d{4}-\d+$"))
    await page.reload()
    number = page.url.rpartition("/")[2]
    await page.go_back()
    await page.goto(f"{room.served['us'].entry.origin}/review/{id_}")
    await expect(page).to_have_url(re.compile(f"/m/{number}$"))
    assert messages(desk) == before + 1
    await room.seen("cn", number)
    assert room.console == []


async def test_the_same_form_posted_again_sends_nothing(room):
    """A second POST of the very form, as a browser repeats it, answers with the message that was sent."""
    page, desk = await room.page("us"), room.desk("us")
    id_ = await write(desk, values={"line": "Posted twice."})
    await open_review(room, page, id_)
    token = await page.locator("#send-form [name=token]").get_attribute("value")
    before, places = messages(desk), []
    for _ in range(3):
        answer = await page.request.post(
            f"{room.served['us'].entry.origin}/review/{id_}/send", form={"token": token}, max_redirects=0,
            headers={"Origin": room.served["us"].entry.origin},
        )  # fmt: skip
        places.append((answer.status, answer.headers["location"]))
    assert len(set(places)) == 1
    assert places[0][0] == 303
    assert messages(desk) == before + 1


async def test_space_sends_and_enter_does_not(room):
    """By keyboard alone: Enter on the button or in the form does nothing, Space sends."""
    page, desk = await room.page("us"), room.desk("us")
    before = messages(desk)
    id_ = await write(desk, values={"line": "By keyboard."})
    button = await open_review(room, page, id_)
    for _ in range(80):
        if await button.evaluate("each => each === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await expect(button).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#clock")).to_be_visible()
    assert messages(desk) == before
    await page.keyboard.press("Space")
    await expect(page).to_have_url(re.compile(r"/m/US-"))
    assert messages(desk) == before + 1
    assert room.console == []


async def test_it_is_sent_without_scripts(room):
    """Where scripts are off, the same form sends."""
    context = await room.context(java_script_enabled=False)
    page, desk = await room.page("us", context=context), room.desk("us")
    before = messages(desk)
    await (await open_review(room, page, await write(desk))).click()
    await expect(page).to_have_url(re.compile(r"/m/US-"))
    assert messages(desk) == before + 1


async def test_what_does_not_fit_is_said_and_kept(room):
    """A text that the book refuses is shown with why, no button that sends, and the way back to the form."""
    page, desk = await room.page("us"), room.desk("us")
    id_ = await write(desk, values={"line": "x", "category": "NOPE"})
    await open_review(room, page, id_)
    await expect(page.locator("#problem")).to_be_visible()
    await expect(page.locator("#send-form")).to_have_count(0)
    await expect(page.locator(f"main a[href='/compose/{id_}']")).to_be_visible()


async def test_old_news_of_the_other_side_asks_first(room):
    """STALE: the box has to be ticked before anything is sealed, in the page and by the server."""
    page, desk = await room.page("us"), room.desk("us")
    before = messages(desk)
    id_ = await write(desk)
    stale = desk.client.view.stale_after
    desk.client.view.stale_after = lambda: -1
    try:
        button = await open_review(room, page, id_)
        await button.click()
        assert await page.locator("#stale-ok").evaluate("box => !box.validity.valid")
        await page.locator("#stale-ok").evaluate("box => box.required = false")
        await button.click()
        await expect(page.locator("#problem")).to_contain_text("STALE_LINK")
        assert messages(desk) == before
        await page.locator("#stale-ok").check()
        await button.click()
        await expect(page).to_have_url(re.compile(r"/m/US-"))
    finally:
        desk.client.view.stale_after = stale
    assert room.console == []


async def test_when_the_line_is_down_the_button_says_so(room):
    """Log now, deliver later; the fall-back lists and the way to carry it stand beside, and it comes live."""
    page, desk = await room.page("us"), room.desk("us")
    id_ = await write(desk)
    button = await open_review(room, page, id_)
    up = desk.link
    try:
        desk.link = up | {"state": "RECONNECTING"}
        desk.tell()
        await expect(button).to_contain_text("Log now, deliver later: other side not reachable")
        await expect(page.locator("#line a[href='/link']")).to_be_visible()
        await expect(page.locator("#line")).to_contain_text("Fall-back")
    finally:
        desk.link = up
        desk.tell()
    await expect(button).not_to_contain_text("deliver later")
    assert room.console == []


# --- the five seconds -------------------------------------------------------------------------------------------------


async def test_a_release_by_one_person_is_held_and_goes_by_itself(room):
    """F13 single: five seconds in sight, nothing sent meanwhile, then sent once."""
    page, desk = await room.page("us"), room.desk("us")
    before = messages(desk)
    id_ = await write(desk, fmt="F13", values=CODED, single=True)
    await (await open_review(room, page, id_)).click()
    await expect(page).to_have_url(re.compile("/hold$"))
    await expect(page.locator("#holding")).to_contain_text(re.compile(r"[345] seconds"))
    await expect(page.locator("#send-now")).to_be_disabled()
    await page.screenshot(path="/tmp/shots/hold-en.png", full_page=True)
    assert messages(desk) == before
    await expect(page).to_have_url(re.compile(r"/m/US-"))
    assert messages(desk) == before + 1
    assert room.console == []


async def test_it_is_cancelled_within_the_five_seconds(room):
    """Cancel, by mouse or by Enter on it, leads back; nothing is sent, then or later."""
    page, desk = await room.page("us"), room.desk("us")
    before = messages(desk)
    id_ = await write(desk, fmt="F13", values=CODED, single=True)
    await (await open_review(room, page, id_)).click()
    await page.locator("#cancel").click()
    await expect(page.locator(".notice.done")).to_contain_text("Cancelled")
    await page.locator("#send-form button.main").click()
    await expect(page.locator("#cancel")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"/review/{id_}$"))
    room.clock.ahead += 10
    await page.goto(f"{room.served['us'].entry.origin}/review/{id_}/hold")
    await expect(page).to_have_url(re.compile(f"/review/{id_}$"))
    assert messages(desk) == before
    assert room.console == []


async def test_a_hold_that_was_left_does_not_go_by_itself(room):
    """Who comes back after the five seconds, from a locked desk or another page, presses the button or cancels."""
    page, desk = await room.page("us"), room.desk("us")
    before = messages(desk)
    id_ = await write(desk, fmt="F13", values=CODED, single=True)
    await (await open_review(room, page, id_)).click()
    await page.goto(f"{room.served['us'].entry.origin}/settings")
    room.clock.ahead += 60
    await page.goto(f"{room.served['us'].entry.origin}/review/{id_}/hold")
    await expect(page.locator("#send-now")).to_be_enabled()
    await expect(page.locator("#holding")).to_contain_text("0")
    assert messages(desk) == before
    await page.locator("#send-now").click()
    await expect(page).to_have_url(re.compile(r"/m/US-"))
    assert messages(desk) == before + 1
    assert room.console == []


async def test_the_hold_without_scripts(room):
    """The server counts the five seconds: pressed early nothing is sent, afterwards it is; Cancel is a link."""
    context = await room.context(java_script_enabled=False)
    page, desk = await room.page("us", context=context), room.desk("us")
    before = messages(desk)
    id_ = await write(desk, fmt="F13", values=CODED, single=True)
    await (await open_review(room, page, id_)).click()
    await page.locator("#send-now").click()
    await expect(page).to_have_url(re.compile("/hold$"))
    assert messages(desk) == before
    await page.locator("#cancel").click()
    await expect(page).to_have_url(re.compile(f"/review/{id_}$"))
    await page.locator("#send-form button.main").click()
    room.clock.ahead += 6
    await page.locator("#send-now").click()
    await expect(page).to_have_url(re.compile(r"/m/US-"))
    assert messages(desk) == before + 1


# --- more signers -----------------------------------------------------------------------------------------------------


async def test_more_signers_make_a_draft_once(room):
    """At urgent consultation the button puts it up for signature; twice pressed it is one draft, and nothing is sent."""
    page, desk = await room.page("us", lang="zh"), room.desk("us")
    before = messages(desk)
    id_ = await write(desk, level="serious", cosign=("duty",))
    button = await open_review(room, page, id_)
    await expect(button).to_contain_text("签署并提交会签")
    await page.screenshot(path="/tmp/shots/review-zh.png", full_page=True)
    await button.dblclick()
    await expect(page).to_have_url(re.compile(r"/approvals/[0-9a-f]{32}$"))
    await page.goto(f"{room.served['us'].entry.origin}/review/{id_}")
    await expect(page.locator("main a[href^='/approvals/']")).to_be_visible()
    await expect(page.locator("#send-form")).to_have_count(0)
    async with desk.working() as client:
        found = [w for w in await drafts.drafts(client) if drafts.state(client, w) == "waiting"]
    assert len(found) == 1
    assert messages(desk) == before
    assert room.console == []


async def test_a_node_that_tells_an_old_time_does_not_save_the_question_before_sealing(room):
    """How old the other side's newest sign is counts by the later clock, wherever it is asked: bar, hints, review."""
    desk, said = room.desk("us"), Texts("en")
    room.clock.ahead += 300
    told, desk.offset = desk.offset, -300_000
    try:
        assert outgoing.stale_age(desk, said) != ""
        with pytest.raises(Refused, match="STALE_LINK"):
            outgoing.check_fresh(desk, Form({}, {}))
        assert Bar(desk, "en").stale != ""
    finally:
        room.clock.ahead -= 300
        desk.offset = told
