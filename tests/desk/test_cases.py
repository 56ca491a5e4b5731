"""The board of cases and one case whole: built by both desks, looked at in a browser."""

from __future__ import annotations

import re

import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from channel.client import drafts
from channel.client.cases import read_case
from channel.client.composing import Draft
from channel.client.moves import move_of
from channel.client.present import find_case
from channel.client.unlocking import kept_passphrase
from channel.desk.pages.cases import CLOSED_A_PAGE
from channel.protocol.header import Move

FACTS = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": 1_790_000_000_000, "control": "K9"}
POINTS = "elements => elements.map(e => ({...e.dataset}))"
OVERFLOW = "() => document.scrollingElement.scrollWidth - document.documentElement.clientWidth"


async def send(room, party, **draft):
    """A message by the expert of a side; its number, once the other side has it."""
    if room.desk(party).client.keys.seat != "expert-1":
        await room.sit(party, "expert-1")
    async with room.desk(party).working() as client:
        sent = await client.send(Draft(**{"lang": "en", "body": {}} | draft))
    for each in ("us", "cn"):
        await room.seen(each, sent.verdict.number)
    return sent.verdict.number


async def opened(room, party="us", level="attention", **body):
    return await send(room, party, fmt="F03", level=level, body=FACTS | {"line": "one line"} | body)


def ph_of(room, party, number):
    return find_case(room.desk(party).client, number).ph


async def inside(room, party, number, fmt, **body):
    return await send(room, party, fmt=fmt, case=ph_of(room, party, number), body=body)


async def moved(room, party, number, op, to="", fmt="F12", **body):
    """A change of the level with one signature."""
    client = room.desk(party).client
    move, refs = move_of(client, find_case(client, number), op, to)
    return await send(room, party, fmt=fmt, case=ph_of(room, party, number), move=move, refs=refs, body=body)


async def raised_by_two(room, party, number, to, second="duty"):
    """A raise that a second person of the same desk signs."""
    desk = room.desk(party)
    async with desk.working() as client:
        move, _ = move_of(client, find_case(client, number), "raise", to)
        member = next(m for m in client.view.fold.party(client.view.letter).members.values() if m.seat == second)
        draft = Draft(fmt="F12", body={}, lang="en", case=ph_of(room, party, number), move=move, cosign=(member.kid,))
        waiting = await drafts.propose(client, draft)
    async with desk.as_second(second, kept_passphrase(desk.home)) as client:
        sent = await drafts.approve(client, await drafts.find(client, waiting.did.hex()))
    for each in ("us", "cn"):
        await room.seen(each, sent.verdict.number)
    return sent.verdict.number


async def closing(room, party, number):
    """A proposal to close."""
    client = room.desk(party).client
    move = Move(op="close", from_=client.view.fold.case_level(ph_of(room, party, number)), at=client.view.fold.cut)
    case = ph_of(room, party, number)
    return await send(room, party, fmt="F05", case=case, move=move, body={"outcome": "Over."})


async def looked_at(room, path, party="us", lang="en", **more):
    page = await room.page(party, lang=lang, **more)
    await page.goto(f"http://{room.served[party].entry.host}{path}")
    return page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(room):
    """A case with everything: numbers and severity of both sides, a raise by two, a lowering that waits for an answer."""
    number = await opened(
        room, own_number="US-17", case_name="Quiet River", severity="S1", line="Copies appear in two networks"
    )
    await inside(room, "cn", number, "F04", own_number="中-4", severity="S2", line="Seen here too")
    await inside(
        room, "us", number, "F06", observed="A third network.", questions=[{"ask": "Q5"}, {"ask": "Which hosts?"}]
    )
    await raised_by_two(room, "cn", number, "consultation")
    await moved(room, "cn", number, "lower")
    return number


# --- the board ----------------------------------------------------------------------------------------------------------


async def test_the_board_shows_a_case_with_both_sides_words(room, played):
    """Both numbers, name, level as word and shape, severity of each side apart as plain text, who opened, what is open."""
    page = await looked_at(room, "/cases")
    item = page.locator(f"#board [data-item='{played}']")
    for text in ("Quiet River", "US-17", "中-4", "S1 Extraordinary", "S2 Major", "△ Expert consultation", "US · "):
        await expect(item).to_contain_text(text)
    await expect(item).to_contain_text("Channel code only; does not replace either party's domestic classification.")
    await expect(item).to_contain_text("asked by this side, open questions: 1, 2")
    await expect(item.locator(".countdown").first).to_be_visible()
    proposed = item.locator(".proposed")
    await expect(proposed).to_contain_text("lowering proposed to")
    await expect(proposed).to_contain_text("◇ Attention")
    await expect(proposed).to_contain_text("waits for the answer of this side")
    other = await looked_at(room, "/cases", "cn", "zh")
    await expect(other.locator(f"[data-item='{played}'] .proposed")).to_contain_text("等待对方答复")
    severity = item.locator("dd", has_text="S1 Extraordinary")
    assert await severity.evaluate("e => getComputedStyle(e).backgroundColor") == "rgba(0, 0, 0, 0)"
    assert room.console == []


async def test_a_new_case_appears_on_the_board_by_itself(room):
    """Who looks at the board sees what the other side opens, and is told of it."""
    page = await looked_at(room, "/cases")
    number = await opened(room, "cn", line="appears by itself")
    await expect(page.locator(f"#board [data-item='{number}']")).to_contain_text("appears by itself")
    await expect(page.locator("#spoken")).to_contain_text(number)
    assert room.console == []


async def test_a_closed_case_is_folded_away(room):
    """Agreed to by both it leaves the open ones and is found under the closed ones; its page says so."""
    number = await opened(room, level="routine")
    await closing(room, "us", number)
    page = await looked_at(room, "/cases")
    waits = page.locator(f"#board [data-item='{number}'] .proposed")
    await expect(waits).to_contain_text("closing proposed")
    await expect(waits).to_contain_text("waits for the answer of the other side")
    await moved(room, "cn", number, "concur")
    await expect(page.locator(f"#board [data-item='{number}']")).to_have_count(0)
    await page.reload()
    await page.locator("details summary", has_text="Closed cases").click()
    await expect(page.locator("details .item", has_text=number)).to_contain_text("closed")
    await page.goto(f"http://{room.served['us'].entry.host}/cases/{number}")
    await expect(page.locator("#facts")).to_contain_text("closed")
    await expect(page.locator(".point[data-level='closed']")).to_have_count(1)
    await expect(page.locator("#acts button[value='lower']")).to_have_count(0)
    assert room.console == []


# --- one case -----------------------------------------------------------------------------------------------------------


async def test_picture_and_table_say_what_the_logs_say(room, played):
    """The points of the timeline, the rows of the table and the history that the logs give are the same, in order."""
    page = await looked_at(room, f"/cases/{played}")
    points = await page.locator("svg.picture .point").evaluate_all(POINTS)
    rows = await page.locator("table.history tbody tr").evaluate_all(POINTS)
    case = read_case(room.desk("us").client, find_case(room.desk("us").client, played))
    told = [
        {
            "number": s.message.verdict.number,
            "op": s.op,
            "level": s.level or "closed",
            "ts": str(s.message.verdict.record.ts),
        }
        for s in case.history
    ]
    assert [t["op"] for t in told] == ["open", "raise", "lower"]
    assert points == told
    assert rows == told
    desc = await page.locator("svg.picture desc").text_content()
    assert all(t["number"] in desc for t in told)


async def test_the_page_of_a_case_has_all_of_it(room, played):
    """Questions with their numbers and words, messages in order with format, person, gist and receipts."""
    page = await looked_at(room, f"/cases/{played}")
    questions = page.locator("#questions")
    await expect(questions.locator("li[value='1']")).to_contain_text("Is its origin established?")
    await expect(questions.locator("li[value='2']")).to_contain_text("Which hosts?")
    case = read_case(room.desk("us").client, find_case(room.desk("us").client, played))
    shown = await page.locator("#messages .item").evaluate_all("all => all.map(e => e.dataset.item)")
    assert shown == [m.verdict.number for m in case.messages]
    first = page.locator("#messages .item").first
    for text in ("F03 Initial Incident Notification", "Copies appear in two networks", "US · "):
        await expect(first).to_contain_text(text)
    await expect(first).to_contain_text(re.compile("delivered|anchored"))


async def fields(button):
    """What a button would post, without the token."""
    script = "b => Object.fromEntries([...new FormData(b.form, b)].filter(([k]) => k !== 'token'))"
    return await button.evaluate(script)


async def test_every_act_leads_to_the_form_of_a_message(room, played):
    """Each button posts to the page that makes drafts, with the format, the case and the move; nothing is sent here."""
    page = await looked_at(room, f"/cases/{played}")
    forms = page.locator("main form")
    assert set(await forms.evaluate_all("all => all.map(f => f.getAttribute('action'))")) == {"/compose/new"}
    assert set(await forms.evaluate_all("all => all.map(f => f.method)")) == {"post"}
    acts = page.locator("#acts")
    for label, fmt in (("Follow-up (F04)", "F04"), ("Question (F06)", "F06"), ("Assistance (F11)", "F11")):
        assert await fields(acts.get_by_role("button", name=label)) == {"fmt": fmt, "case": played}
    raises = acts.locator(".raises button")
    assert await raises.evaluate_all("all => all.map(b => b.value)") == ["principals", "crisis", "serious"]
    assert await fields(raises.last) == {"fmt": "F12", "case": played, "op": "raise", "to": "serious"}
    await expect(raises.first).to_contain_text("3 steps: a reason is asked for")
    await expect(raises.last).not_to_contain_text("reason")
    await expect(acts).to_contain_text("Raising the level asks for attention; it implies no accusation.")
    lower = acts.locator("button[value='lower']")
    assert await fields(lower) == {"fmt": "F12", "case": played, "op": "lower"}
    await expect(lower).to_contain_text("◇ Attention")
    await expect(acts).to_contain_text("lower it first")
    await expect(acts.get_by_role("button", name="Propose closing")).to_have_count(0)
    answers = page.locator("#answers")
    for label, op in (("Concur", "concur"), ("Object", "object")):
        assert await fields(answers.get_by_role("button", name=label)) == {"fmt": "F12", "case": played, "op": op}


async def test_an_act_arrives_at_its_form(room, played):
    """Pressed, a button leads to the form with what it stands for; nothing has been sent."""
    before = len(read_case(room.desk("us").client, find_case(room.desk("us").client, played)).messages)
    page = await looked_at(room, f"/cases/{played}")
    for button in (
        "#acts [data-key='f']",
        ".raises button[value='serious']",
        "button[value='lower']",
        "#answers button",
    ):
        await page.goto(f"http://{room.served['us'].entry.host}/cases/{played}")
        await page.locator(button).first.click()
        await expect(page).to_have_url(re.compile("/compose/"))
        await expect(page.locator("main")).to_contain_text(played)
    assert len(read_case(room.desk("us").client, find_case(room.desk("us").client, played)).messages) == before
    assert room.console == []


async def test_closing_is_offered_from_attention(room):
    """At attention or below a closing can be proposed, by the form that carries it."""
    number = await opened(room)
    page = await looked_at(room, f"/cases/{number}")
    close = page.get_by_role("button", name="Propose closing (F05)")
    assert await fields(close) == {"fmt": "F05", "case": number, "op": "close"}
    await expect(page.locator("#answers button")).to_have_count(0)


async def test_a_case_that_is_looked_at_follows_its_level(room):
    """A raise by the other side appears on the page, in picture and table, without being asked for."""
    number = await opened(room, level="routine")
    page = await looked_at(room, f"/cases/{number}")
    await expect(page.locator("svg.picture .point")).to_have_count(1)
    await moved(room, "cn", number, "raise", "attention")
    await expect(page.locator("svg.picture .point")).to_have_count(2)
    await expect(page.locator("table.history tbody tr")).to_have_count(2)
    await expect(page.locator("#facts .level")).to_contain_text("◇ Attention")
    assert room.console == []


async def test_a_number_that_is_no_case_is_said(room):
    """An address that leads nowhere says so."""
    page = await looked_at(room, "/cases/US-2026-999999")
    await expect(page.locator(".problem")).to_contain_text("NOT_FOUND")
    await page.close()
    room.console.clear()


# --- both languages, both widths ----------------------------------------------------------------------------------------


async def test_chinese_says_the_same(room, played):
    """Board and case in Chinese: the words of the glossary, tagged as Chinese."""
    page = await looked_at(room, f"/cases/{played}", "cn", "zh")
    for text in (
        "△ 专家磋商",
        "S1 特别重大",
        "仅为本渠道代码，不替代任何一方的国内定级。",
        "上调级别仅为提请关注，不含指责之意。",
    ):
        await expect(page.locator("main")).to_contain_text(text)
    picture = page.locator("svg.picture")
    assert await picture.get_attribute("lang") == "zh-Hans"
    await expect(picture.locator("text", has_text="专家磋商")).to_have_count(1)
    await page.goto(f"http://{room.served['cn'].entry.host}/cases")
    await expect(page.locator("main")).to_contain_text("未办结事件")


async def test_a_narrow_page_does_not_scroll_sideways(room, played):
    """At 320 px board and case fit; what is wider scrolls in a part of its own, which a keyboard reaches."""
    page = await looked_at(room, "/cases", viewport={"width": 320, "height": 800})
    assert await page.evaluate(OVERFLOW) <= 0
    await page.goto(f"http://{room.served['us'].entry.host}/cases/{played}")
    assert await page.evaluate(OVERFLOW) <= 0
    wide = page.locator("#history .wide")
    assert set(await wide.evaluate_all("all => all.map(e => e.tabIndex)")) == {0}
    size = await page.locator("svg.picture text").first.evaluate(
        "e => parseFloat(getComputedStyle(e).fontSize) * e.ownerSVGElement.getBoundingClientRect().width / e.ownerSVGElement.viewBox.baseVal.width"
    )
    assert size >= 12


async def test_nothing_keeps_anybody_out(room, played):
    """axe finds no serious violation on board, case and levels, in either language."""
    for lang in ("en", "zh"):
        page = await looked_at(room, "/cases", lang=lang)
        for path in ("/cases", f"/cases/{played}", "/ladder"):
            await page.goto(f"http://{room.served['us'].entry.host}{path}")
            found = (await Axe().run(page)).response["violations"]
            bad = [(v["id"], [n["html"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]
            assert bad == [], path


async def test_no_level_is_a_number(room, played):
    """Wherever a level is shown, it is a word with its shape."""
    page = await looked_at(room, f"/cases/{played}")
    for said in await page.locator(".level").all_text_contents():
        assert any(shape in said for shape in "○◇△▲■★")
        assert not any(c.isdigit() for c in said)
        assert any(c.isalpha() for c in said)


async def test_suspended_the_pages_say_what_stays_open(room, played):
    """Suspended by an official of the other side: said on both pages, and only what stays open is offered."""
    await room.sit("cn", "official")
    async with room.desk("cn").working() as client:
        sent = await client.send(Draft(fmt="F12", body={}, lang="zh", move=Move(op="suspend")))
    await room.seen("us", sent.verdict.number)
    page = await looked_at(room, "/cases")
    exchanges = page.locator("#exchanges")
    await expect(exchanges).to_contain_text("The other side has suspended exchanges.")
    await expect(exchanges).to_contain_text("Still open: line tests, receipts, coded messages")
    assert await fields(exchanges.get_by_role("button", name="Suspend")) == {"fmt": "F12", "op": "suspend"}
    await expect(page.locator("[data-key='n']")).to_have_count(0)
    await page.goto(f"http://{room.served['us'].entry.host}/cases/{played}")
    await expect(page.locator("#acts")).to_contain_text("While exchanges are suspended")
    await expect(page.locator(".raises button")).to_have_count(3)
    for gone in ("button[value='lower']", "button:has-text('F04')"):
        await expect(page.locator(gone)).to_have_count(0)
    await expect(page.locator("#answers button")).to_have_count(0)
    async with room.desk("cn").working() as client:
        sent = await client.send(Draft(fmt="F12", body={}, lang="zh", move=Move(op="resume")))
    await room.seen("us", sent.verdict.number)
    await expect(page.locator("#acts [data-key='f']")).to_have_count(1)
    assert room.console == []


async def test_of_many_closed_cases_the_newest_stand_first(room):
    """A few closed cases are named at once, the newest first; the others stand on further pages, which open unfolded."""
    numbers = []
    for n in range(CLOSED_A_PAGE + 1):
        number = await opened(room, level="routine", line=f"closed {n}")
        await closing(room, "us", number)
        await moved(room, "cn", number, "concur")
        numbers.append(number)
    page = await looked_at(room, "/cases")
    await page.locator("details summary", has_text="Closed cases").click()
    shown = page.locator("details .item .number")
    assert await shown.all_text_contents() == numbers[:0:-1]
    await page.get_by_role("navigation", name="Further cases").get_by_role("link", name="Earlier").click()
    await expect(page.locator("details[open] .item .number", has_text=numbers[0])).to_be_visible()
    assert room.console == []
