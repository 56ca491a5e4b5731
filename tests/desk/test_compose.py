"""Composing: forms of the formats, kept as they are typed, looked at while they are written, reviewed and never sent here."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from hashlib import sha256

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from channel.client.composing import Draft
from channel.client.moves import move_of
from channel.desk import checking, writing
from channel.desk.windows import HOLD_SECONDS
from channel.i18n import Texts
from channel.protocol.header import Move

FACTS = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": 1_790_000_000_000, "control": "K9"}
ID = re.compile(r"/compose/([0-9a-f]{16})")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def pages_end(room):
    """No page of one test looks at the desk while the next one runs; the clock is right again."""
    yield
    for context in room.browser.contexts:
        await context.close()
    room.clock.ahead = 0.0
    room.console.clear()


def at(room, path, party="us"):
    return f"http://{room.served[party].host}{path}"


async def begun(room, page, fmt, party="us"):
    """The form of a format, from the page that lists them; the id of the text."""
    await page.goto(at(room, "/compose", party))
    await page.locator(f"button[value={fmt}]").click()
    await expect(page.locator("#writing")).to_be_visible()
    return ID.search(page.url)[1]


async def made(room, page, **fields):
    """The form of a text that a button elsewhere asks for."""
    await page.goto(at(room, "/compose"))
    await page.evaluate(
        """fields => {
          const form = document.querySelector("form[action='/compose/new']").cloneNode(false);
          const token = document.querySelector("input[name=token]").value;
          for (const [name, value] of Object.entries({ token, ...fields })) {
            const input = document.createElement("input");
            Object.assign(input, { name, value });
            form.append(input);
          }
          document.body.append(form);
          form.submit();
        }""",
        fields,
    )
    await expect(page.locator("#writing")).to_be_visible()
    return ID.search(page.url)[1]


async def sent(room, party="us", **more):
    async with room.desk(party).working() as client:
        body = FACTS | {"line": "One line."} if more.get("fmt", "F03") == "F03" else more.pop("body")
        message = await client.send(Draft(**{"fmt": "F03", "body": body, "lang": "en", **more}))
    for other in ("us", "cn"):
        await room.seen(other, message.verdict.number)
    return message


async def fill_f03(page, line="Weights were copied."):
    await page.locator("[name=level][value=attention]").check()
    await page.locator("[name='b.category']").select_option("UNX")
    await page.locator("[name='b.origin'][value=UNK]").check()
    await page.locator("[name='b.intent'][value=UNK]").check()
    await page.locator("[name='b.since']").fill("2026-11-24 08:30")
    await page.locator("[name='b.control'][value=K9]").check()
    await page.locator("[name='b.line']").fill(line)


async def kept(room, id_, field, value, party="us"):
    """Wait until the desk has kept a field as typed."""
    await until(lambda: writing.load(room.desk(party), id_).values.get(field) == (value,))


async def until(true, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  another program is looked at
            await asyncio.sleep(0.05)


# --- the form ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_filled_form_is_the_message(room, script):
    """With scripts and without: what is filled in is what would be sent, and the review opens."""
    context = await room.context(java_script_enabled=script)
    page = await room.page("us", context=context)
    id_ = await begun(room, page, "F03")
    await fill_f03(page)
    await page.locator("[data-review]").click()
    await expect(page).to_have_url(re.compile(f"/review/{id_}"))
    desk = room.desk("us")
    async with desk.working() as client:
        draft = writing.to_draft(client, writing.load(desk, id_))
        assert (draft.fmt, draft.level, draft.case, draft.lang) == ("F03", "attention", None, "en")
        assert draft.body == FACTS | {"since": 1_795_509_000_000, "line": "Weights were copied."}
        assert checking.faults(client, writing.load(desk, id_), room.desk("us").random) == {}
    room.console.clear()  # the review page is tested elsewhere


async def test_no_level_is_chosen_beforehand(room):
    """Six levels, the highest on top, none chosen; without one there is no review, and the fault stands at the ladder."""
    page = await room.page("us")
    await begun(room, page, "F03")
    ladder = page.locator("[name=level]")
    assert [await ladder.nth(n).get_attribute("value") for n in range(await ladder.count())] == [
        "principals", "crisis", "serious", "consultation", "attention", "routine",
    ]  # fmt: skip
    await expect(page.locator("[name=level]:checked")).to_have_count(0)
    await fill_f03(page)
    await page.evaluate("document.querySelector('[name=level]:checked').checked = false")
    await page.locator("[data-review]").click()
    await expect(page.locator("#level .why")).to_contain_text("filled in")
    await expect(page.locator("#wrong a")).to_have_attribute("href", "#level")
    assert room.console == []


async def test_rows_grow_without_scripts(room):
    """One more row, one less: by buttons of the form, and what was typed stays."""
    page = await room.page("us", context=await room.context(java_script_enabled=False))
    id_ = await begun(room, page, "F06")
    await page.locator("[name='b.questions.0.ask.code']").select_option("Q1")
    await page.locator("button[value='more.questions']").click()
    await page.locator("[name='b.questions.1.ask']").fill("Since when?")
    await page.locator("button[value='more.questions']").click()
    await expect(page.locator("[name='b.questions.2.ask']")).to_be_visible()
    await page.locator("button[value='drop.questions.0']").click()
    await expect(page.locator("[name='b.questions.0.ask']")).to_have_count(0)
    async with room.desk("us").working() as client:
        draft_body = checking.forms.read_body(client, "F06", writing.load(room.desk("us"), id_).values)[0]
    assert draft_body == {"questions": [{"ask": "Since when?"}]}
    assert room.console == []


async def test_a_coded_message_shows_its_text_in_both_languages(room):
    """F13: the entries of the code book with their words; the values of the chosen one; told beside in the other language."""
    page = await room.page("us")
    id_ = await begun(room, page, "F13")
    entry = page.locator(".entry", has=page.locator("[value='COPPER 03']"))
    await expect(entry).to_contain_text("assessed as probably false")
    await expect(entry).to_contain_text("很可能为误报")
    await expect(entry.locator(".slots")).to_be_hidden()
    await entry.locator("input[type=radio]").first.check()
    await entry.locator("[name='b.slots.COPPER 03.time']").fill("2026-11-24 08:30")
    await expect(page.locator("#beside .message")).to_contain_text("将于2026-11-24 08:30:00 UTC前再次通报")
    await kept(room, id_, "entry", "COPPER 03")
    assert room.console == []


async def test_of_a_file_only_name_size_and_hash_are_taken(room):
    """The content is in no file of the home, and not in the message; larger than any form may be."""
    page = await room.page("us")
    id_ = await begun(room, page, "F03")
    content = b"THE CONTENT OF THE FILE " * 400_000
    await page.locator("[name='b.line']").fill("Typed before.")
    await page.locator("summary", has_text="material").click()
    await page.locator("#files").set_input_files({"name": "trace.log", "mimeType": "text/plain", "buffer": content})
    await page.locator("[formaction$='/material']").click()
    await expect(page.locator("#f-material")).to_contain_text(sha256(content).hexdigest())
    await expect(page.locator("[name='b.line']")).to_have_value("Typed before.")
    await page.locator("[name='b.material.0.how']").fill("by courier")
    await kept(room, id_, "material.0.how", "by courier")
    async with room.desk("us").working() as client:
        body, faults = checking.forms.read_body(client, "F03", writing.load(room.desk("us"), id_).values)
    told = {"name": "trace.log", "size": len(content), "sha256": sha256(content).digest(), "how": "by courier"}
    assert (body["material"], faults) == ([told], {})
    assert on_disk(room, b"THE CONTENT") == []
    assert room.console == []


async def test_the_page_in_chinese(room):
    """The same form in Chinese; codes are told in English beside it."""
    page = await room.page("us", lang="zh")
    await begun(room, page, "F03")
    await expect(page.locator("h1")).to_have_text("拟稿")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    await page.locator("[name='b.category']").select_option("LOC")
    await expect(page.locator("#beside .message")).to_contain_text("LOC loss of control")
    assert room.console == []


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_every_form_is_accessible_and_fits_a_narrow_window(room, lang):
    """axe finds nothing on the choice and on the form of every format, filled badly; nothing is wider than 320 px."""
    page = await room.page("us", lang=lang)
    found = []
    for fmt in ("", "F03", "F04", "F05", "F06", "F07", "F08", "F09", "F10", "F11", "F13"):
        if fmt:
            await begun(room, page, fmt)
            await page.locator("[data-review]").click()
            await expect(page.locator("#wrong")).to_be_visible()
            await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        else:
            await page.goto(at(room, "/compose"))
        results = await Axe().run(page, context={"exclude": [["[data-banner]"]]})
        found += [(fmt, each["id"], n["html"][:200]) for each in results.response["violations"] for n in each["nodes"]]
        await page.set_viewport_size({"width": 320, "height": 700})
        if fmt in ("", "F06"):
            await page.screenshot(path=f"/tmp/shots/narrow-{fmt}-{lang}.png")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        found += [(fmt, "wide", wide)] if wide > 320 else []
        await page.set_viewport_size({"width": 1280, "height": 900})
    assert found == [], "\n".join(map(str, found))
    assert room.console == []


async def test_script_in_a_field_is_text(room):
    """What is typed is shown as it is, in the form, beside it and in the list; nothing of it runs."""
    page = await room.page("us")
    id_ = await begun(room, page, "F03")
    evil = '"><script>document.title="x"</script><img src=x onerror=alert(1)>\u202e</textarea>'
    for name in ("line", "place", "own_number", "case_name"):
        await page.locator(f"[name='b.{name}']").evaluate("e => e.closest('details')?.setAttribute('open', '')")
        await page.locator(f"[name='b.{name}']").fill(evil)
    await expect(page.locator("#beside .message")).to_contain_text("<script>")
    await expect(page.locator("#beside .unseen").first).to_have_text("U+202E")
    await page.locator("button[value=keep]").click()
    await expect(page.locator("[name='b.line']")).to_have_value(evil)
    await page.locator("button[value=leave]").click()
    await expect(page.locator(f"[data-item='{id_}']")).to_contain_text("<script>")
    await expect(page).not_to_have_title("x")
    assert room.console == []


# --- what is typed stays ----------------------------------------------------------------------------------------------


def on_disk(room, words, party="us"):
    """The files of a home in which some bytes stand."""
    room.desk(party).home._db.execute("PRAGMA wal_checkpoint(FULL)")
    return [p.name for p in room.machine.desk(party).rglob("*") if p.is_file() and words in p.read_bytes()]


async def test_what_is_typed_survives_reload_lock_and_restart(room):
    """A moment after it was typed it is kept; then a reload, a locked desk and a desk that was started again have it."""
    page = await room.page("us")
    id_ = await begun(room, page, "F03")
    await page.locator("[name='b.line']").fill("QUIET RIVER 静河")
    await expect(page.locator("#kept")).to_contain_text("kept at")
    await kept(room, id_, "line", "QUIET RIVER 静河")
    await page.reload()
    await expect(page.locator("[name='b.line']")).to_have_value("QUIET RIVER 静河")
    await page.locator("[name='b.line']").fill("QUIET RIVER LATER")
    home, kid = room.desk("us").home, room.desk("us").client.keys.sign.kid
    before = {each: ts for each, ts, _ in home.autosaved(kid)}[id_]
    room.desk("us").lock()
    await expect(page).to_have_url(re.compile("/lock"))
    await until(lambda: {each: ts for each, ts, _ in home.autosaved(kid)}[id_] > before)
    await room.sit("us", "expert-1")
    await expect(page).to_have_url(re.compile(f"/compose/{id_}"))  # unlocked, the page goes back by itself
    await expect(page.locator("[name='b.line']")).to_have_value("QUIET RIVER LATER")
    assert on_disk(room, b"QUIET RIVER") == []
    await room.close()
    await room.open("us", "cn")
    for party in ("us", "cn"):
        await room.sit(party, "expert-1")
    page = await room.page("us", context=page.context)
    await page.goto(at(room, f"/compose/{id_}"))
    await expect(page.locator("[name='b.line']")).to_have_value("QUIET RIVER LATER")
    room.console.clear()  # the page of the desk that ended could not reach it


async def test_a_locked_desk_keeps_what_a_form_brings_and_opens_nothing(room):
    """Without scripts a button at a desk that was locked meanwhile keeps the text, sealed to whoever began it."""
    page = await room.page("us", context=await room.context(java_script_enabled=False))
    id_ = await begun(room, page, "F03")
    await page.locator("[name='b.line']").fill("typed while it locked")
    room.desk("us").lock()
    await page.locator("button[value=keep]").click()
    await expect(page).to_have_url(re.compile("/lock"))
    assert on_disk(room, b"typed while it locked") == []
    await room.sit("us", "expert-2")
    with pytest.raises(Exception, match="NO_DRAFT"):
        writing.load(room.desk("us"), id_)
    await room.sit("us", "expert-1")
    assert writing.load(room.desk("us"), id_).values["line"] == ("typed while it locked",)
    room.console.clear()


async def test_one_text_can_not_take_anothers_place(room):
    """Bytes that were sealed for one id do not open under another."""
    page = await room.page("us")
    one, other = await begun(room, page, "F03"), await begun(room, page, "F06")
    home = room.desk("us").home
    kid = room.desk("us").client.keys.sign.kid
    sealed = {id_: raw for id_, _, raw in home.autosaved(kid)}
    home.autosave(other, kid, 1, sealed[one])
    with pytest.raises(Exception, match="UNOPENED"):
        writing.load(room.desk("us"), other)
    assert other not in {each.id for each in writing.mine(room.desk("us"))}
    writing.drop(room.desk("us"), other)
    assert room.console == []


async def test_throwing_away_asks_first(room):
    """A page of its own asks; what is listed goes when it is thrown away, and not before."""
    page = await room.page("us")
    id_ = await begun(room, page, "F08")
    await page.locator("button[value=throw]").click()
    await expect(page.locator("main")).to_contain_text("can't be brought back")
    await page.locator("main a.main").click()
    await expect(page.locator("#writing")).to_be_visible()
    await page.locator("button[value=leave]").click()
    await expect(page.locator(f"[data-item='{id_}']")).to_contain_text("F08")
    await page.locator(f"a[href='/compose/{id_}/throw']").click()
    await page.locator("main form button").click()
    await expect(page.locator(".notice.done")).to_contain_text("Thrown away")
    await expect(page.locator(f"[data-item='{id_}']")).to_have_count(0)
    assert room.console == []


# --- rule 28: two windows ---------------------------------------------------------------------------------------------


async def test_rule_28_the_second_window_is_read_only(room):
    """The same text open twice: the second can only be read, and says so; taken over, the first one stops."""
    context = await room.context()
    first = await room.page("us", context=context)
    id_ = await begun(room, first, "F03")
    second = await context.new_page()
    await second.goto(at(room, f"/compose/{id_}"))
    await expect(second.locator("#held")).to_contain_text("another window")
    await expect(second.locator("[name='b.line']")).to_be_disabled()
    await expect(second.locator("[data-review]")).to_have_count(0)
    await second.get_by_role("button", name="Take it over").click()
    await expect(second.locator("[name='b.line']")).to_be_editable()
    await expect(first.locator("#held")).to_contain_text("another window")
    await expect(first.locator("[name='b.line']")).not_to_be_editable()
    assert writing.load(room.desk("us"), id_).values.get("line", ("",)) == ("",)
    assert room.console == []


async def test_a_window_that_left_holds_nothing(room):
    """Left by a link or silent for five minutes: another window may write at once."""
    context = await room.context()
    first = await room.page("us", context=context)
    id_ = await begun(room, first, "F03")
    await first.locator("[name='b.line']").fill("left by a link")
    await first.goto(at(room, "/settings"))
    await kept(room, id_, "line", "left by a link")
    await first.goto(at(room, f"/compose/{id_}"))
    await expect(first.locator("[name='b.line']")).to_be_editable()
    quiet = await room.page("us", context=await room.context(java_script_enabled=False))
    await quiet.goto(at(room, f"/compose/{id_}"))
    await expect(quiet.locator("[name='b.line']")).to_be_disabled()
    await first.close()
    room.clock.ahead += HOLD_SECONDS + 1
    await quiet.goto(at(room, f"/compose/{id_}"))
    await expect(quiet.locator("[name='b.line']")).to_be_enabled()
    assert room.console == []


async def test_what_a_late_window_sends_is_kept_apart(room):
    """Without scripts a window that was overtaken can still press its button: its words become a text of their own."""
    page = await room.page("us", context=await room.context(java_script_enabled=False))
    id_ = await begun(room, page, "F03")
    room.desk("us").windows.hold(id_, "another", over=True)
    await page.locator("[name='b.line']").fill("the other words")
    await page.locator("button[value=keep]").click()
    await expect(page.locator(".notice.done")).to_contain_text("text of its own")
    other = ID.search(page.url)[1]
    assert other != id_
    assert writing.load(room.desk("us"), other).values["line"] == ("the other words",)
    assert room.console == []


async def test_what_is_typed_last_in_a_window_that_was_overtaken_is_kept(room):
    """A window that closes with changes after another one took the text: they become a text of their own."""
    page = await room.page("us")
    id_ = await begun(room, page, "F03")
    await page.locator("[name='b.line']").fill("typed at the last moment")
    room.desk("us").windows.hold(id_, "another", over=True)
    await page.goto(at(room, "/settings"))
    await until(lambda: ("typed at the last moment",) in [w.values.get("line") for w in writing.mine(room.desk("us"))])
    assert writing.load(room.desk("us"), id_).values.get("line", ("",)) == ("",)


# --- rule 5: Enter ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_rule_5_enter_does_nothing_but_keep(room, script):
    """Enter in a field never leads on: with scripts it does nothing, without them it presses "Keep"."""
    page = await room.page("us", context=await room.context(java_script_enabled=script))
    id_ = await begun(room, page, "F03")
    await fill_f03(page)
    await page.locator("[name='b.since']").press("Enter")
    await expect(page.locator("#writing")).to_be_visible()
    assert f"/compose/{id_}" in page.url
    if script:
        await page.locator("[name='b.line']").press("Control+Enter")
        await expect(page).to_have_url(re.compile(f"/review/{id_}"))
    room.console.clear()


async def test_rule_5_enter_of_an_input_method_does_nothing(room):
    """Enter while characters are composed, the one that ends it (229), and the one right after."""
    page = await room.page("us")
    id_ = await begun(room, page, "F03")
    await fill_f03(page)
    await page.evaluate(
        """() => {
          const field = document.querySelector("[name='b.since']");
          const press = (more) => field.dispatchEvent(new KeyboardEvent("keydown",
            { key: "Enter", bubbles: true, cancelable: true, ctrlKey: true, ...more }));
          field.focus();
          field.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
          press({ isComposing: true });
          press({ keyCode: 229 });
          field.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }));
          press({});
        }"""
    )
    await page.locator("[name='b.place']").first.evaluate("e => e.form.checkValidity()")
    await expect(page).to_have_url(re.compile(f"/compose/{id_}"))
    assert room.console == []


# --- rules 18, 19, 23, 24: hints --------------------------------------------------------------------------------------


async def test_rule_18_ambiguous_words_and_rule_19_units(room):
    """A word that is heard in two ways and a number of nothing are hinted at while they are typed; the review opens all the same."""
    page = await room.page("us")
    id_ = await begun(room, page, "F03")
    await fill_f03(page, "We deny control of 1200, and 控制 in 2026.")
    hints = page.locator("#beside .hints")
    for said in ("“deny”", "“control”", "“控制”", "“1200” has no unit"):
        await expect(hints).to_contain_text(said)
    await expect(hints).not_to_contain_text("2026")
    await page.locator("[data-review]").click()
    await expect(page).to_have_url(re.compile(f"/review/{id_}"))
    room.console.clear()


async def test_rule_24_outside_the_case_that_was_looked_at(room):
    """From the page of a case its number is chosen; whoever writes outside it is told."""
    case = await sent(room)
    number = case.verdict.number
    page = await room.page("us")
    await page.goto(at(room, f"/compose?case={number}"))
    await expect(page.locator("#case")).to_have_value(number)
    await page.locator("#case").select_option("")
    await page.locator("button[value=F03]").click()
    await expect(page.locator("#beside .hints")).to_contain_text(f"looking at case {number}")
    assert room.console == []


async def test_rule_24_answering_what_was_corrected_and_what_is_newer(room):
    """A correction, a withdrawal and whatever has come in the case since stand beside the form, by themselves."""
    case = await sent(room, "cn")
    number = case.verdict.number
    page = await room.page("us")
    id_ = await made(room, page, ref=number, fmt="F04")
    hints = page.locator("#beside")
    await expect(hints).to_contain_text("Nothing to look at")
    cor = await sent(room, "cn", fmt="F14", body={"text": "x"}, case=case.ph, refs=(case.ph,), cor="COR")
    await expect(hints).to_contain_text(f"{number} was corrected by {cor.verdict.number}")
    await expect(hints).to_contain_text(f"Since you began, {cor.verdict.number} has come")
    wdr = await sent(room, "cn", fmt="F14", body={"text": "x"}, case=case.ph, refs=(case.ph,), cor="WDR")
    await expect(hints).to_contain_text(f"{number} was withdrawn by {wdr.verdict.number}")
    await page.locator("[name='b.line']").fill("Seen.")
    await page.locator("[data-review]").click()  # below urgent consultation they are hints alone
    await expect(page).to_have_url(re.compile(f"/review/{id_}"))
    room.console.clear()


async def test_rule_24_from_serious_what_is_newer_is_opened_first(room):
    """The review waits until the newer message was shown whole; then it opens."""
    desk = room.desk("us")
    case = await signed_case(room, "serious")
    page = await room.page("us")
    id_ = await made(room, page, case=case.verdict.number, fmt="F08")
    newer = await sent(room, "cn", fmt="F02", body={"text": "What came meanwhile."}, case=case.ph, refs=(case.ph,))
    await page.locator("[name='b.kind'][value=EVL]").check()
    await page.locator("[name='b.from_time']").fill("2026-12-01 08:00")
    await page.locator("[name='b.until_time']").fill("2026-12-02 08:00")
    await page.locator("[data-review]").click()
    await expect(page.locator("[aria-labelledby=first-head]")).to_contain_text("What came meanwhile.")
    await page.locator("[data-review]").click()
    await expect(page).to_have_url(re.compile(f"/review/{id_}"))
    async with desk.working() as client:
        assert checking.newer(client, writing.load(desk, id_)) == []
    assert newer.verdict.number in {m.verdict.number for m in desk.client.messages()}
    room.console.clear()


async def signed_case(room, level):
    """A case that two people of the own side have opened."""
    from channel.client import drafts
    from channel.client.seats import by_name

    desk = room.desk("us")
    async with desk.working() as client:
        second = by_name(client.view.fold.party(client.view.letter))["expert-2"].kid
        draft = Draft(fmt="F03", body=FACTS | {"line": "Grave."}, lang="en", level=level, cosign=(second,))
        waiting = await drafts.propose(client, draft)
    await room.sit("us", "expert-2")
    async with desk.working() as client:
        message = await drafts.approve(client, waiting)
    await room.sit("us", "expert-1")
    await room.seen("cn", message.verdict.number)
    return message


async def test_hints_of_a_closed_case_suspension_and_a_stale_line(room):
    """What stays open is said with a suspension."""
    desk, said = room.desk("us"), Texts("en")
    case = await sent(room)
    async with desk.working() as client:
        written = writing.Written(id="0" * 16, fmt="F04", lang="en", case=case.verdict.number)
        late = client.view.stale_after() + 60
        assert "desk.compose.hint_stale" in [h.id for h in checking.hints(client, written, said, late)]
        closing = move_close(client, case)
    await sent(room, fmt="F05", body={"outcome": "Over."}, case=case.ph, move=closing)
    async with room.desk("cn").working() as client:
        move, refs = move_of(client, client.find(case.ph), "concur")
    await sent(room, "cn", fmt="F12", body={}, case=case.ph, refs=refs, move=move)
    async with desk.working() as client:
        found = {h.id: h.values for h in checking.hints(client, written, said, desk.silent())}
    assert "desk.compose.hint_closed" in found
    await room.sit("cn", "official")
    for op in ("suspend", "resume"):
        await sent(room, "cn", fmt="F12", body={}, move=Move(op=op))
        async with desk.working() as client:
            found = {h.id: h.values for h in checking.hints(client, written, said, desk.silent())}
        assert ("desk.compose.hint_suspended" in found) == (op == "suspend")
        if op == "suspend":
            assert "line tests, receipts, coded messages" in found["desk.compose.hint_suspended"]["open"]
    await room.sit("cn", "expert-1")


def move_close(client, case):
    from channel.client.composing import closing

    return closing(client.view, "F05", case)


# --- how a text begins ------------------------------------------------------------------------------------------------


async def test_an_answer_has_one_block_for_each_question(room):
    """F07 from the request: its questions in words, an answer code and a note for each; unanswered ones stay out."""
    asked = await sent(
        room,
        "cn",
        fmt="F06",
        body={"observed": "Traffic.", "questions": [{"ask": "Q1"}, {"ask": "何时开始？"}]},
        level="attention",
    )
    page = await room.page("us")
    id_ = await made(room, page, ref=asked.verdict.number)
    await expect(page.locator("#row-answers-0")).to_contain_text("Is this known to you?")
    await expect(page.locator("#row-answers-1")).to_contain_text("何时开始？")
    await page.locator("[name='b.answers.1.ans'][value=CHK], [name='b.answers.1.ans']").first.evaluate(
        "e => { if (e.tagName === 'SELECT') e.value = 'CHK'; else document.querySelector(\"[name='b.answers.1.ans'][value=CHK]\").checked = true; }"
    )
    await page.locator("button[value=keep]").click()
    async with room.desk("us").working() as client:
        draft = writing.to_draft(client, writing.load(room.desk("us"), id_))
    assert (draft.fmt, draft.case, draft.refs) == ("F07", asked.case, (asked.ph,))
    assert draft.body == {"answers": [{"no": 2, "ans": "CHK"}]}
    assert room.console == []


async def test_a_correction_begins_in_both_languages(room):
    """F14 from a message: its kind, its text in both languages, its case, its level."""
    case = await sent(room)
    page = await room.page("us")
    id_ = await made(room, page, ref=case.verdict.number, cor="ERR")
    text = await page.locator("[name='b.text']").input_value()
    assert "was sent in error" in text
    assert "系误发" in text
    async with room.desk("us").working() as client:
        draft = writing.to_draft(client, writing.load(room.desk("us"), id_))
    assert (draft.fmt, draft.cor, draft.refs, draft.case) == ("F14", "ERR", (case.ph,), case.ph)
    assert room.console == []


async def test_rule_7_a_raise_of_more_than_one_step_asks_for_a_reason(room):
    """Only higher levels are offered; two steps up without a reason are no review, with one they lack signatures alone."""
    case = await sent(room)
    page = await room.page("us")
    await made(room, page, case=case.verdict.number, op="raise")
    ladder = page.locator("[name=to_level]")
    assert [await ladder.nth(n).get_attribute("value") for n in range(await ladder.count())] == [
        "principals", "crisis", "serious", "consultation",
    ]  # fmt: skip
    await expect(page.locator("[name=to_level]:checked")).to_have_count(0)
    await page.locator("[name=to_level][value=serious]").check()
    await expect(page.locator("#needed")).to_contain_text("designated expert")
    await page.locator("[data-review]").click()
    await expect(page.locator("#f-reason .why")).to_contain_text("filled in")
    await page.locator("[name='b.reason'][value=FAC]").check()
    await page.locator("[data-review]").click()
    await expect(page.locator("#cosign .why")).to_contain_text("Other signatures are needed")
    await page.locator("[name=cosign][value=expert-2]").check()
    await page.locator("[data-review]").click()
    await expect(page).to_have_url(re.compile("/review/"))
    room.console.clear()


async def test_nothing_is_sent_from_here(room):
    """No button of the pages sends, and the tables of the home hold no envelope after all of this."""
    page = await room.page("us")
    await begun(room, page, "F03")
    await expect(page.locator("[data-sends]")).to_have_count(0)
    with sqlite3.connect(room.machine.desk("us") / "desk.sqlite") as db:
        assert db.execute("SELECT count(*) FROM autosave").fetchone()[0] > 0
    assert room.console == []
