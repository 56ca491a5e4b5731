"""The thirty rules of the desk (reference/desk.md C2), each with a test that names it. Longer stories stand in the tests of the pages."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from channel.client import drafts
from channel.client.composing import Draft
from channel.client.seats import by_name
from channel.client.unlocking import kept_passphrase
from channel.protocol.charter import ORDER
from keys.errors import Refused
from tests.desk.conftest import holds
from tests.desk.pages import FACTS, furnish
from tests.desk.writings import messages, write

pytestmark = pytest.mark.timeout(300)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(room):
    """The pages of a furnished room, by name."""
    return dict(await furnish(room))


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def as_before(room):
    """Each test begins at an open desk with the right clock, and leaves no page behind."""
    yield
    room.clock.ahead = 0.0
    for context in room.browser.contexts:
        await context.close()
    for party in ("us", "cn"):
        if room.desk(party).locked or room.desk(party).client.keys.seat != "expert-1":
            await room.sit(party, "expert-1")
    room.console.clear()


async def at(room, page, path, party="us"):
    """Go to a page of a desk."""
    await page.goto(room.origin(party) + path)
    await expect(page.locator("main h1")).to_be_visible()


async def signed(room, party, *seats, level="serious", line="Several sign."):
    """A message that several persons of a side sign, one after the other, without the page; its number."""
    desk = room.desk(party)
    async with desk.working() as client:
        named = by_name(client.view.fold.party(client.view.letter))
        draft = Draft(fmt="F03", body=FACTS | {"line": line}, lang="en", level=level, cosign=tuple(named[seat].kid for seat in seats))  # fmt: skip
        did = (await drafts.propose(client, draft)).did.hex()
    sent = None
    for seat in seats:
        async with desk.as_second(seat, kept_passphrase(desk.home)) as client:
            sent = await drafts.approve(client, await drafts.find(client, did))
    return sent.verdict.number


async def unsent(room, page, act):
    """What somebody does sends nothing."""
    before = messages(room.desk("us"))
    await act
    await page.wait_for_timeout(300)
    assert messages(room.desk("us")) == before


# Rule 1, with hostile envelopes in both directions: test_modes.py.
async def test_rule_01_the_mode_is_in_key_home_cookie_and_title(room):
    """Mode 2 in the channel, the keys and the cookie's name; the other mode's keys are refused by the home."""
    page = await room.page("us")
    client = room.desk("us").client
    assert (client.view.charter.mode, client.keys.sign.mode) == (2, 2)
    (cookie,) = await page.context.cookies()
    assert cookie["name"].startswith("dcx-2-")
    await expect(page).to_have_title(re.compile("EXERCISE / 演练"))


async def test_rule_02_the_exercise_banner_stands_above_and_below_and_in_every_message(room, places):
    """Full width, stripes, X12, on screen and paper; each rendered message opens with the mark that nobody can edit out."""
    page = await room.page("us")
    await at(room, page, places["thread"])
    for media in ("screen", "print"):
        await page.emulate_media(media=media)
        for banner in await page.locator("[data-banner]").all():
            await expect(banner).to_contain_text("演练 EXERCISE")
            await expect(banner).to_contain_text("this message is part of exercise")
    for path in (places["thread"], places["review"]):
        await at(room, page, path)
        for message in (await page.locator(".message:has(.mark)").all())[:2]:
            assert re.match(r"\W*EXERCISE\W+演练", await message.inner_text())


async def test_rule_03_actual_has_a_thin_bar_and_tests_say_test(room, places):
    """No form chooses a mode; a test of the line says TEST 测试 in both languages."""
    page = await room.page("us")
    for path in ("/compose", places["compose-F03"], "/settings", "/link"):
        await at(room, page, path)
        assert await page.locator("[name=mode]").count() == 0
    id_ = await write(room.desk("us"), test=True)
    await at(room, page, f"/review/{id_}")
    for word in ("TEST", "测试"):
        await expect(page.locator(".pair")).to_contain_text(word)


async def test_rule_04_the_break_in_is_one_click_on_every_page(room, places):
    """The button REAL WORLD 真实情况 is on every page of an exercise, also locked; its page says what to do. No question first."""
    page = await room.page("us")
    for name in ("watch", "compose-F03", "review", "thread", "log", "settings", "lock"):
        await at(room, page, places[name])
        await expect(page.locator(".break-in")).to_have_text("真实情况 REAL WORLD")
    await page.locator(".break-in").click()
    await expect(page).to_have_url(room.origin("us") + "/real-world")


async def test_rule_05_enter_never_sends(room, places):
    """Enter in any field of a form, on a button that sends, during an input method: nothing is sent. Ctrl+Enter opens the review."""
    page = await room.page("us")
    await at(room, page, places["compose-F03"])
    line = page.locator("[name='b.line']")
    await line.focus()
    await unsent(room, page, page.keyboard.press("Enter"))
    assert "/compose/" in page.url
    await line.fill("One line.")
    await line.focus()
    await unsent(room, page, page.keyboard.press("Control+Enter"))
    await expect(page).to_have_url(re.compile("/review/"))
    button = page.locator("#send-form [data-sends]")
    await button.focus()
    await unsent(room, page, page.keyboard.press("Enter"))
    await expect(button).to_be_visible()


async def test_rule_06_the_review_is_made_from_the_bytes_and_the_button_says_the_consequence(room, places):
    """Both languages, level in word, shape and bars, precedence, readers, signers; the level, minutes, party and mode on the button."""
    page = await room.page("us")
    await at(room, page, places["review"])
    await expect(page.locator("#send-form [data-sends]")).to_contain_text(
        "Send at Attention (read within 3 h) to CN, EXERCISE 演练"
    )
    for said in ("◇", "▮▮▯▯▯▯", "Precedence", "Expert 1", "expert"):
        await expect(page.locator("table.facts")).to_contain_text(said)
    assert await page.locator(".pair > [lang=en], .pair > [lang=zh-Hans]").count() == 2


async def test_rule_07_no_default_level_on_a_ladder_of_six(room, places):
    """Six rungs, the highest on top, none chosen; a lowering is one step and no level is set by the desk."""
    page = await room.page("us")
    id_ = await write(room.desk("us"), level=None)
    await at(room, page, f"/compose/{id_}")
    rungs = page.locator("#level [name=level]")
    assert await rungs.evaluate_all("all => all.map(e => e.value)") == list(reversed(ORDER))
    assert await page.locator("#level [name=level]:checked").count() == 0
    tops = await rungs.evaluate_all("all => all.map(e => e.getBoundingClientRect().top)")
    assert tops == sorted(tops)


async def test_rule_08_friction_where_it_is_due_and_none_elsewhere(room, places):
    """One signature at attention, two at consultation, three at crisis; five seconds for a single F13 alone; nothing is retyped."""
    page = await room.page("us")
    for level, need in (("attention", "#send-form"), ("consultation", None), ("crisis", None)):
        id_ = await write(room.desk("us"), level=level)
        await at(room, page, f"/review/{id_}")
        if need:
            await expect(page.locator("#send-form [data-sends]")).to_contain_text("Send at")
        else:
            await unsent(room, page, page.locator("#send-form [data-sends]").click())
            await expect(page.locator("#problem")).to_contain_text("SIGNERS_NEEDED")
    await at(room, page, places["review-single"])
    await page.locator("#send-form [data-sends]").click()
    await expect(page.locator("#cancel")).to_be_visible()
    await expect(page.locator("#send-now")).to_be_disabled()
    await page.locator("#cancel").click()
    await at(room, page, places["review"])
    assert await page.locator("#send-form input[type=text], #send-form input:not([type])").count() == 0
    await at(room, page, "/")
    async with page.expect_navigation():  # received and read: one click, nothing asked
        await page.locator("#owed button[value=read]").first.click()


async def test_rule_09_the_second_signer_sees_it_fresh_and_is_another_person(room, places):
    """Rendered from its bytes, with how long it has waited; the author can't sign again; there is no button for several at once."""
    page = await room.page("us")
    await at(room, page, places["approval"])
    await expect(page.locator(".pair")).to_contain_text("Two sign.")
    await expect(page.locator("#state")).to_contain_text(re.compile("waits|for "))
    await expect(page.locator("#sign-form")).to_have_count(0)
    assert "expert-1" not in await page.locator("#second-form #seat option").evaluate_all(
        "all => all.map(e => e.value)"
    )
    await at(room, page, "/approvals")
    assert await page.locator("main button[data-sends], main input[type=checkbox]").count() == 0


async def test_rule_10_correct_and_withdraw_are_one_click_from_what_was_sent(room, places):
    """From an own message, and from an own receipt, watch act and the like (their records): pre-filled, at its level, in its case."""
    page = await room.page("us")
    await at(room, page, places["thread-own"])
    number = places["thread-own"].rpartition("/")[2]
    await page.locator("form[action='/compose/new']:has([name=cor][value=WDR]) button").click()
    await expect(page).to_have_url(re.compile("/compose/"))
    assert await page.locator("[name='b.text']").input_value()
    await expect(page.locator("[name=refs]")).to_have_value(number)
    async with room.desk("us").working() as client:
        message = next(m for m in client.messages() if m.verdict.letter != client.view.letter)
        await client.ack(message, "read")
        own = client.view.fold.display()
        index = max(v.index for v in own if v.letter == client.view.letter and v.record and v.record.t == "ack")
    await at(room, page, f"/r/US:{index}")
    await expect(page.locator("form[action='/compose/new']:has([name=fmt][value=F14]) button").first).to_be_visible()


async def test_rule_11_received_is_not_agreed(room):
    """The button claims no agreement; states stand apart; the words acknowledge and 确认 are on no button."""
    number = await room.send("cn", line="A new one.")
    await room.seen("us", number)
    for lang, words in (("en", "Received and read"), ("zh", "已收阅（不代表同意其内容）")):
        page = await room.page("us", lang=lang)
        for path in ("/", f"/m/{number}"):
            await at(room, page, path)
            await expect(page.locator("button[value=read]").first).to_contain_text(words)
            said = " ".join(await page.locator("button, [type=submit]").all_inner_texts())
            assert not re.search("acknowledge|confirm|确认", said, re.IGNORECASE), said
        names = await page.locator("[data-state-name]").evaluate_all("all => all.map(e => e.dataset.stateName)")
        assert {"logged", "delivered", "read", "engaged"} <= set(names), names


async def test_rule_12_a_read_back_is_asked_for_from_serious(room):
    """Own words or the four key points; below urgent consultation it is offered and not asked for."""
    number = await signed(room, "cn", "duty", line="Read this back.")
    await room.seen("us", number)
    page = await room.page("us")
    await at(room, page, f"/m/{number}")
    await expect(page.locator("#readbacks")).to_contain_text("in own words what was understood")
    for field in ("text", "what", "where", "when", "action"):
        await expect(page.locator(f"#readback [name={field}]")).to_be_visible()


async def test_rule_13_each_item_not_read_counts_down(room):
    """Absolute time, what is left, bar and number; other words at half, at a fifth, at the time; overdue stays; nothing is blocked."""
    number = await room.send("cn", line="Counts down.")
    await room.seen("us", number)
    page = await room.page("us")
    item = page.locator(f"#owed [data-item='{number}']")
    count = item.locator(".countdown[data-due]").first
    await expect(count.locator("b")).to_contain_text("left")
    await expect(count.locator("time")).to_contain_text("UTC")
    await expect(count.locator("progress")).to_be_visible()
    due, since = [int(await count.get_attribute(f"data-{name}")) for name in ("due", "since")]
    desk, offset = room.desk("us"), room.desk("us").offset
    for part, state in ((0.55, "half"), (0.85, "last"), (1.05, "over")):
        desk.offset = int(since + part * (due - since)) - desk.clock.now()
        desk.tell()
        await expect(count).to_have_attribute("data-state", state)
    await expect(count.locator("b")).to_contain_text("past the time")
    await expect(item.locator("button[value=read]")).to_be_enabled()
    desk.offset = offset


async def test_rule_14_the_sound_can_be_tested_and_the_title_tells_without_it(room):
    """A test for each precedence; while something waits the title changes; silence is not received and read; no body in a notification."""
    number = await room.send("cn", line="SECRET BODY")
    await room.seen("us", number)
    page = await room.page("us")
    await expect(page).to_have_title(re.compile(r"^● \d"))
    await at(room, page, "/settings")
    assert await page.locator("[data-sound-test]").count() == 4
    await expect(page.locator("main")).to_contain_text("Silence does not mean received and read.")
    context = await room.context()
    await context.add_init_script(
        "window.noted = []; window.Notification = class { static permission = 'granted'; constructor(title, o) { window.noted.push(title + ' ' + o.body); } };"
    )
    other = await room.page("us", context=context)
    await holds(other, "window.noted.length > 0")
    for said in await other.evaluate("window.noted"):
        assert "EXERCISE" in said and "SECRET" not in said
    assert any(number in said for said in await other.evaluate("window.noted"))


async def test_rule_15_only_what_is_not_read_moves(room):
    """Every animation of a page belongs to an item that waits for this side; under three changes a second; alarms are a list."""
    number = await room.send("cn", line="Moves.")
    await room.seen("us", number)
    page = await room.page("us")
    await expect(page.locator(f"[data-item='{number}']")).to_be_visible()
    moving = await page.evaluate(
        "document.getAnimations().map(a => [a.effect.target.matches('.item.unread'), a.effect.getTiming().duration])"
    )
    assert moving
    assert all(ours and duration >= 1000 for ours, duration in moving)
    assert await page.locator("dialog[open], [aria-modal=true]").count() == 0


# Rule 16, computed: test_axe.py, test_the_palette.
async def test_rule_16_a_level_is_word_shape_and_bars(room):
    """On the page of the levels each has its shape, its word and one to six bars; other things have no such colour."""
    page = await room.page("us")
    await at(room, page, "/ladder")
    for place, (code, shape) in enumerate(zip(ORDER, "○◇△▲■★", strict=True), 1):
        shown = (await page.locator(f"main .level-{code}", has_text="▮").first.inner_text()).replace("\n", "")
        assert shown.count("▮") == place and shown.startswith(shape), shown


async def test_rule_17_words_not_numbers(room):
    """The agreed words of both languages; nowhere a level as a number; 上调 and 下调, never 升级 and 降级."""
    page = await room.page("us", lang="zh")
    for path in ("/ladder", "/cases", "/compose", "/"):
        await at(room, page, path)
        text = await page.locator("main").inner_text()
        assert not re.search("升级|降级", text.replace("“升级”", "")) or path == "/ladder", path
    await at(room, page, "/ladder")
    for word in ("常态联络", "情况关注", "专家磋商", "紧急磋商", "危机管控", "高层沟通", "上调", "下调"):
        assert word in await page.locator("main").inner_text(), word


async def test_rule_18_the_language_of_the_page_is_not_that_of_the_message(room):
    """The signed language of a message comes first, whatever the reader's; the page says 本方 and 对方."""
    number = await room.send("cn", lang="zh", line="作准语言在前。")
    await room.seen("us", number)
    for lang in ("en", "zh"):
        page = await room.page("us", lang=lang)
        await at(room, page, f"/m/{number}")
        await expect(page.locator(".message").first).to_contain_text("电文编号")
        await expect(page.locator("main")).to_contain_text("Authentic language" if lang == "en" else "作准语言")
    await page.locator("form[action='/language'] button").click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page).to_have_url(f"{room.origin('us')}/m/{number}")


async def test_rule_19_times_are_iso_and_utc_with_both_local_times(room):
    """No twelve-hour clock; the local times of both sides beside UTC where the zones are named."""
    room.desk("us").home.set("zone_own", "America/New_York")
    room.desk("us").home.set("zone_other", "Asia/Shanghai")
    try:
        page = await room.page("us")
        shown = page.locator("main time.when").first
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", await shown.inner_text())
        title = await shown.get_attribute("title")
        assert "New_York" in title and "Shanghai" in title, title
        assert not re.search(r"\d\s?[AP]M\b", await page.locator("body").inner_text())
    finally:
        for name in ("zone_own", "zone_other"):
            room.desk("us").home.set(name, "")


async def test_rule_20_each_text_has_its_language(room, places):
    """Han characters stand under zh-Hans, so that glyphs and voices are right; 16 px at least; no direction is fixed."""
    wrong = """() => { const found = []; const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) { const e = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
        if (!text || e.closest("script, noscript, textarea") || !e.checkVisibility()) continue;
        const lang = e.closest("[lang]").getAttribute("lang");
        if (/[\\u3400-\\u9fff]{2}/.test(text) && !/zh/.test(lang)) found.push(lang + ": " + text.slice(0, 60)); }
      return found; }"""
    page = await room.page("us", lang="en")
    found = {}
    for name, path in places.items():
        await at(room, page, path)
        if bad := await page.evaluate(wrong):
            found[name] = bad[:4]
        assert await page.locator("[dir]:not([dir=auto])").count() == 0, name
    assert not found, found
    sizes = await page.evaluate("[...document.querySelectorAll('main p, main td, main li, main label')].map(e => parseFloat(getComputedStyle(e).fontSize))")  # fmt: skip
    assert all(size >= 14 for size in sizes)


# Rule 21 in full: test_keyboard.py.
async def test_rule_21_single_keys_are_told_on_the_help_page(room):
    """Every key that a page takes stands on the help page; the settings switch them off."""
    page = await room.page("us")
    await at(room, page, "/help")
    text = await page.locator("main").inner_text()
    for key in ("j", "k", "a", "r", "c", "g w", "g l", "/", "?"):
        assert re.search(rf"(^|\s){re.escape(key)}(\s|$)", text), key
    await at(room, page, "/settings")
    await expect(page.locator("[name=shortcuts][value=off]")).to_be_attached()


async def test_rule_22_what_comes_moves_no_focus_and_is_spoken_by_its_urgency(room):
    """Below urgent consultation politely, from there on at once; whoever types keeps the field and what is in it."""
    page = await room.page("us")
    await expect(page.locator("#spoken")).to_have_attribute("aria-live", "polite")
    await expect(page.locator("#spoken-now")).to_have_attribute("aria-live", "assertive")
    link = page.locator("nav a[href='/log']")
    await link.focus()
    low = await room.send("cn", line="Quiet.")
    await expect(page.locator("#spoken")).to_contain_text(low)
    await expect(link).to_be_focused()
    high = await signed(room, "cn", "duty", line="Urgent.")
    await expect(page.locator("#spoken-now")).to_contain_text(high)
    await expect(link).to_be_focused()
    id_ = await write(room.desk("us"))
    await at(room, page, f"/compose/{id_}")
    field = page.locator("[name='b.line']")
    await field.fill("half a sent")
    place = await field.bounding_box()
    number = await room.send("cn", line="While somebody types.")
    await room.seen("us", number)
    await expect(page.locator("nav .count").first).to_be_visible()
    await page.keyboard.type("ence")
    await expect(field).to_have_value("half a sentence")
    assert (await field.bounding_box())["y"] == pytest.approx(place["y"], abs=40)


async def test_rule_23_who_speaks_is_shown_whole_and_the_bar_names_who_is_here(room, places):
    """Party, seat, person, role, standing and key words with a message; person and seat in the bar; STALE asks before sealing."""
    page = await room.page("us")
    await at(room, page, places["thread"])
    for said in ("CN", "Expert 1", "designated expert"):
        await expect(page.locator("main .item").first).to_contain_text(said)
    await expect(page.locator("#who")).to_contain_text("US Expert 1")
    view = room.desk("us").client.view
    stale, view.stale_after = view.stale_after, lambda: -1
    try:
        await at(room, page, places["review"])
        await expect(page.locator("#alarms")).to_contain_text("STALE")
        await expect(page.locator("#stale-ok")).to_be_visible()
    finally:
        view.stale_after = stale


async def test_rule_24_the_form_warns_of_what_is_newer(room, places):
    """A newer message in the case since one began stands beside the form by itself. The rest: test_compose.py."""
    page = await room.page("us")
    number = places["thread-own"].rpartition("/")[2]
    id_ = await write(room.desk("us"), "F08", case=number)
    await at(room, page, f"/compose/{id_}")
    async with room.desk("cn").working() as client:
        case = next(m for m in client.messages() if m.verdict.number == number)
        sent = await client.send(
            Draft(fmt="F04", body={"line": "newer", "control": "K2"}, lang="en", case=case.ph, refs=(case.ph,))
        )
    await expect(page.locator("#beside .hints")).to_contain_text(sent.verdict.number)


async def test_rule_25_the_line_is_always_shown(room, places):
    """Up, down since when, frozen, on another path: with a mark and words in the bar of every page; down, the button says so."""
    page, desk = await room.page("us"), room.desk("us")
    await expect(page.locator(".link-up")).to_contain_text("last contact")
    up = desk.link
    try:
        for change, state in (
            ({"state": "RECONNECTING"}, "down"),
            ({"state": "FROZEN_PEER"}, "frozen"),
            ({"address": 2}, "alternate"),
        ):
            desk.link = up | change
            desk.tell()
            await expect(page.locator(f".link-{state}")).to_be_visible()
        desk.link = up | {"state": "RECONNECTING"}
        await at(room, page, places["review"])
        await expect(page.locator("#send-form [data-sends]")).to_contain_text(
            "Log now, deliver later: other side not reachable"
        )
        await expect(page.locator("#line a[href='/link']")).to_be_visible()
    finally:
        desk.link = up
        desk.tell()


async def test_rule_26_locked_after_idle_without_losing_a_word(room):
    """Warned before, locked, unlocked: what was being typed is there again; the session's key signs for nobody."""
    page, desk = await room.page("us"), room.desk("us")
    id_ = await write(desk)
    await at(room, page, f"/compose/{id_}")
    await page.locator("[name='b.line']").fill("typed before it locked")
    await expect(page.locator("#kept")).to_contain_text("UTC")
    await page.locator("[name='b.line']").blur()
    await page.wait_for_timeout(2500)
    desk.idle_seconds = 1.0
    try:
        room.clock.ahead = 30.0
        await expect(page.locator("body")).to_have_attribute("data-locked", "yes")
    finally:
        desk.idle_seconds = 36_000.0
    room.clock.ahead = 0.0
    await page.locator("form[action='/unlock'] button").click()
    await expect(page).to_have_url(re.compile(f"/compose/{id_}"))
    await expect(page.locator("[name='b.line']")).to_have_value("typed before it locked")


async def test_rule_27_everything_needed_works_without_scripts(room):
    """Read, received and read, write, review, send: server-rendered forms."""
    number = await room.send("cn", line="Read without scripts.")
    await room.seen("us", number)
    context = await room.context(java_script_enabled=False)
    page = await room.page("us", context=context)
    await page.locator(f"#owed [data-item='{number}'] a.number").click()
    await expect(page.locator("main")).to_contain_text("Read without scripts.")
    await page.locator("#acts button[value=read]").click()
    await expect(page.locator("[data-state-name=read].done")).to_be_visible()
    id_ = await write(room.desk("us"), values={"line": "Sent without scripts."})
    await at(room, page, f"/review/{id_}")
    await page.locator("#send-form [data-sends]").click()
    await expect(page).to_have_url(re.compile("/m/US-"))


async def test_rule_28_one_text_one_window_one_home_one_process(room):
    """The second window of a text can only be read; a second process does not get the home."""
    from channel.client.home import DeskHome

    context = await room.context()
    first = await room.page("us", context=context)
    id_ = await write(room.desk("us"))
    await at(room, first, f"/compose/{id_}")
    await expect(first.locator("[name='b.line']")).to_be_enabled()
    second = await context.new_page()
    await at(room, second, f"/compose/{id_}")
    await expect(second.locator("[data-held=no]")).to_be_visible()
    await expect(second.locator("[name='b.line']")).to_be_disabled()
    with pytest.raises(Refused, match="HOME_HELD"):
        DeskHome(room.machine.desk("us"))


async def test_rule_29_times_are_the_nodes(room):
    """A clock of this machine that is wrong changes no deadline: the offset is taken off, and ◷ is shown."""
    number = await room.send("cn", line="By the node's clock.")
    await room.seen("us", number)
    page, desk = await room.page("us"), room.desk("us")
    before = desk.now()
    room.clock.ahead = 3600.0
    async with desk.working():
        await desk._ask_line()
    assert abs(desk.now() - before) < 60_000
    await at(room, page, "/")
    await expect(page.locator(".skew")).to_contain_text("◷")
    left = await page.locator(f"#owed [data-item='{number}'] .countdown[data-due] b").first.inner_text()
    assert left.startswith("2:"), left  # of three hours
    room.clock.ahead = 0.0
    async with desk.working():
        await desk._ask_line()


# Rule 30 in full: test_axe.py, test_keyboard.py, and the contact sheet.
async def test_rule_30_the_tools_are_there(room):
    """Axe 4 runs in Debian's Chromium under the page's own policy."""
    page = await room.page("us")
    results = await Axe().run(page)
    assert results.response["testEngine"]["version"].startswith("4.")
    with suppress(KeyError):
        assert results.response["violations"] == []
