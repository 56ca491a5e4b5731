"""Drafts that wait for signatures: shown fresh, signed by different persons, sent back, ended; never by Enter."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from channel.client import drafts
from channel.client.composing import Draft
from channel.client.unlocking import kept_passphrase
from tests.desk.writings import close_pages, messages, write


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def closed(room):
    """Each test looks at pages of its own."""
    yield
    await close_pages(room)


def origin(room, party="us"):
    return room.served[party].entry.origin


async def proposed(room, *, cosign=("duty",), level="serious", line="Two have to sign this.", seat="expert-1"):
    """A draft of US, put up by its author's own review; its id."""
    desk = room.desk("us")
    if desk.locked or desk.client.keys.seat != seat:
        await room.sit("us", seat)
    id_ = await write(desk, level=level, cosign=cosign, values={"line": line})
    page = await room.page("us", seat)
    await page.goto(f"{origin(room)}/review/{id_}")
    await page.locator("#send-form button.main").click()
    await expect(page).to_have_url(re.compile(r"/approvals/[0-9a-f]{32}$"))
    return page, page.url.rpartition("/")[2]


async def state(room, did):
    """What became of a draft, and who has signed it."""
    async with room.desk("us").working() as client:
        waiting = await drafts.find(client, did)
        return drafts.state(client, waiting), len(waiting.signatures)


async def take_back(room, did):
    async with room.desk("us").working() as client:
        waiting = await drafts.find(client, did)
        if drafts.state(client, waiting) == "waiting":
            await drafts.end(client, waiting, "withdrawn")


def passphrase(room):
    """The trial home's own, as its person would type it."""
    return (room.desk("us").home.path / "passphrase").read_text().split("\n")[0]


async def test_the_second_person_signs_on_the_same_desk(room):
    """By the own passphrase on the draft's page; the first person stays at the desk, and the last signature sends."""
    before = messages(room.desk("us"))
    page, did = await proposed(room)
    await expect(page.locator(".pair")).to_contain_text("Two have to sign this.")
    await expect(page.locator("#second-form button[data-sends]")).to_contain_text(
        "Sign and send at Urgent consultation (read within 30 min) to CN, EXERCISE 演练"
    )
    await page.locator("#passphrase").fill("surely wrong")
    await page.locator("#second-form button[data-sends]").click()
    await expect(page.locator("#problem")).to_contain_text("PASSPHRASE")
    assert await state(room, did) == ("waiting", 1)
    await page.locator("#passphrase").fill(passphrase(room))
    await page.screenshot(path="/tmp/shots/approval-en.png", full_page=True)
    await page.locator("#second-form button[data-sends]").click()
    await expect(page).to_have_url(re.compile(r"/m/US-"))
    assert room.desk("us").client.keys.seat == "expert-1"
    assert messages(room.desk("us")) == before + 1
    assert await state(room, did) == ("released", 2)
    await room.seen("cn", page.url.rpartition("/")[2])
    assert room.console == []


@pytest.mark.parametrize("scripts", [True, False])
async def test_enter_signs_nothing(room, scripts):
    """Enter in the passphrase field, in the choice of the seat and in the comment does nothing, with and without scripts."""
    author, did = await proposed(room)
    page = author
    if not scripts:
        page = await room.page("us", context=await room.context(java_script_enabled=False))
        await page.goto(f"{origin(room)}/approvals/{did}")
    await page.locator("#passphrase").fill(passphrase(room))
    for field in ("#passphrase", "#seat", "#comment"):
        await page.locator(field).focus()
        await page.keyboard.press("Enter")
        if scripts:
            await page.keyboard.press("Control+Enter")
    assert await page.locator("#passphrase").input_value() == passphrase(room)
    assert await state(room, did) == ("waiting", 1)
    await take_back(room, did)


async def test_two_people_one_after_the_other(room):
    """The signer unlocks, finds it in the list with the count beside, reads it in Chinese, and signs by Space, not Enter."""
    before = messages(room.desk("us"))
    _, did = await proposed(room, line="Read by two.")
    page = await room.page("us", "duty", lang="zh")
    await expect(page.locator("nav a[href='/approvals'] .count")).to_have_text("1")
    await page.goto(f"{origin(room)}/approvals")
    item = page.locator(f"[data-item='{did}']")
    await expect(item).to_contain_text("待您签署")
    await expect(item).to_contain_text("专家")
    await page.screenshot(path="/tmp/shots/approvals-zh.png", full_page=True)
    await item.locator("a").click()
    button = page.locator("#sign-form button[data-sends]")
    await expect(button).to_contain_text("签署并以“紧急磋商”签发（30分钟内收阅）至 CN，EXERCISE 演练")
    await page.screenshot(path="/tmp/shots/approval-zh.png", full_page=True)
    await button.focus()
    await page.keyboard.press("Enter")
    assert await state(room, did) == ("waiting", 1)
    await page.keyboard.press("Space")
    await expect(page).to_have_url(re.compile(r"/m/US-"))
    assert messages(room.desk("us")) == before + 1
    await page.goto(f"{origin(room)}/approvals/{did}")
    await expect(page.locator("#state a[href^='/m/US-']")).to_be_visible()
    await expect(page.locator("#sign-form, #second-form, #end-form")).to_have_count(0)
    await expect(page.locator("nav a[href='/approvals'] .count")).to_have_count(0)
    assert room.console == []


async def test_crisis_needs_three(room):
    """Author, another expert and an official: after the second signature it still waits, the third one sends."""
    before = messages(room.desk("us"))
    page, did = await proposed(room, cosign=("expert-2", "official"), level="crisis", line="Three sign.")
    options = await page.locator("#seat option").evaluate_all("all => all.map((each) => each.value)")
    assert sorted(options) == ["expert-2", "official"]
    await page.locator("#seat").select_option("official")
    await expect(page.locator("#second-form button[data-sends]")).to_have_text("Sign it as this person")
    await page.locator("#second-form button[data-sends]").click()
    await expect(page.locator(".notice.done")).to_contain_text("Others still have to sign")
    assert await state(room, did) == ("waiting", 2)
    assert messages(room.desk("us")) == before
    await page.locator("#second-form button[data-sends]").click()
    await expect(page).to_have_url(re.compile(r"/m/US-"))
    assert messages(room.desk("us")) == before + 1
    assert room.console == []


async def test_nobody_signs_twice(room):
    """The author sees no button to sign; a form made up for the own seat, or one already signed, is refused on the page."""
    page, did = await proposed(room, cosign=("expert-2", "official"), level="crisis")
    await expect(page.locator("#sign-form")).to_have_count(0)
    token = await page.locator("#second-form [name=token]").get_attribute("value")
    for act, form, code in (
        ("second", {"seat": "expert-1"}, "SELF_APPROVAL"),
        ("sign", {}, "SIGNED_BEFORE"),
        ("second", {"seat": "duty"}, "NOT_A_SIGNER"),
        ("second", {"seat": "nobody"}, "NO_SEAT"),
    ):
        answer = await page.request.post(
            f"{origin(room)}/approvals/{did}/{act}", form={"token": token, **form}, headers={"Origin": origin(room)}
        )
        assert code in await answer.text()
    assert await state(room, did) == ("waiting", 1)
    await take_back(room, did)


async def test_sent_back_with_a_comment(room):
    """A comment is needed and kept; the author reads it, changes the text, and the new draft shows what has changed."""
    _, did = await proposed(room, line="The old words.")
    signer = await room.page("us", "duty")
    await signer.goto(f"{origin(room)}/approvals/{did}")
    await signer.locator("#comment").evaluate("field => field.required = false")
    await signer.locator("#end-form button[data-sends]").click()
    await expect(signer.locator("#problem")).to_contain_text("COMMENT_NEEDED")
    await signer.locator("#comment").fill("Say whose network it is.\n请写明。")
    await signer.locator("#end-form button[data-sends]").click()
    await expect(signer.locator("#state")).to_contain_text("sent back with a comment")
    await expect(signer.locator("#sign-form, #second-form, #end-form")).to_have_count(0)
    author = await room.page("us")
    await author.goto(f"{origin(room)}/approvals")
    await author.locator("#ended summary").click()
    await expect(author.locator("#ended")).to_contain_text("Say whose network it is.")
    await author.goto(f"{origin(room)}/approvals/{did}")
    await expect(author.locator("main a[href^='/compose/']")).to_be_visible()
    newer_page, newer = await proposed(room, line="The new words.")
    differing = newer_page.locator("#differing")
    await expect(differing).to_contain_text("The old words.")
    await expect(differing).to_contain_text("The new words.")
    await expect(differing).to_contain_text("Say whose network it is.")
    await newer_page.screenshot(path="/tmp/shots/approval-differing.png", full_page=True)
    await take_back(room, newer)
    assert room.console == []


async def test_its_author_takes_it_back(room):
    """Without a comment too; it stands among those that ended, and can't be signed any more."""
    page, did = await proposed(room)
    signer_token = await page.locator("#end-form [name=token]").get_attribute("value")
    await page.locator("#end-form button[data-sends]").click()
    await expect(page.locator("#state")).to_contain_text("withdrawn by its author")
    answer = await page.request.post(
        f"{origin(room)}/approvals/{did}/second", form={"token": signer_token, "seat": "duty"},
        headers={"Origin": origin(room)},
    )  # fmt: skip
    assert "DRAFT_ENDED" in await answer.text()
    assert room.console == []


async def test_a_newer_message_in_its_case_ends_it(room):
    """What comes in the case meanwhile is seen live on the page of the draft; signing is refused with the reason."""
    number = await room.send("us")
    await room.seen("cn", number)
    async with room.desk("us").working() as client:
        opening = next(m for m in client.messages() if m.verdict.number == number)
        kid = next(m.kid for m in client.view.fold.party("b").members.values() if m.seat == "duty")
        body = {"line": "more", "category": "UNX"}
        waiting = await drafts.propose(
            client, Draft(fmt="F04", body=body, lang="en", case=opening.ph, refs=(opening.ph,), cosign=(kid,))
        )
    did = waiting.did.hex()
    page = await room.page("us", "duty")
    await page.goto(f"{origin(room)}/approvals/{did}")
    await expect(page.locator("#sign-form")).to_be_visible()
    async with room.desk("cn").working() as client:
        await client.send(Draft(fmt="F04", body={"line": "新情况"}, lang="zh", case=opening.ph, refs=(opening.ph,)))
    await expect(page.locator("#state")).to_contain_text("a newer message in its case has come")
    await page.locator("#sign-form button[data-sends]").click()
    await expect(page.locator("#problem")).to_contain_text("DRAFT_ENDED")
    assert room.console == []


async def test_a_draft_for_others_is_not_shown(room):
    """Who is not named neither sees it in the list nor opens it by its address."""
    _, did = await proposed(room)
    page = await room.page("us", "expert-2")
    await page.goto(f"{origin(room)}/approvals")
    await expect(page.locator("main h1")).to_be_visible()
    await expect(page.locator(f"[data-item='{did}']")).to_have_count(0)
    answer = await page.goto(f"{origin(room)}/approvals/{did}")
    assert answer.status == 403
    await expect(page.locator("main")).not_to_contain_text("Two have to sign this.")
    await room.sit("us", "expert-1")
    await take_back(room, did)


async def test_a_page_with_many_ended_drafts_judges_each_once(room):
    """What ended is read once: looking again verifies nothing anew and asks the node for one answer."""
    await room.sit("us", "expert-1")
    desk = room.desk("us")
    async with desk.working() as client:
        await drafts.drafts(client)
        reading = client.side.readings[client.keys.seal.kid, False]
        at, found = reading.at, dict(reading.found)
        await drafts.drafts(client)
        assert client.side.readings[client.keys.seal.kid, False] is reading
        assert (reading.at, reading.found) == (at, found)
        assert at == client.side.size
    desk.lock()
    assert desk.client.side.readings == {}
    await desk.unlock("expert-1", kept_passphrase(desk.home))
