"""The acts of a message page: each step of receipt seen on the other desk, read-backs both ways, the second signature."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from channel.client import drafts, watch
from channel.client.composing import Draft
from channel.client.present import steps
from channel.client.unlocking import kept_passphrase
from channel.client.watch import Receipt
from channel.desk.referring import differing
from tests.desk.test_thread import FACTS, complaints, opens, sends

STEPS = {"read": "received and read", "engaged": "expert has begun assessment", "informed": "reported to principal",
         "no-comment": "not in a position to comment"}  # fmt: skip


async def at(page, path):
    where = urlsplit(page.url)
    await page.goto(f"{where.scheme}://{where.netloc}{path}")


def acks(room, party, sent):
    return [a.doc.step for a in room.desk(party).client.find(sent.ph).acks]


async def serious(room):
    """A message of CN at serious that two people signed."""
    letter = room.desk("cn").client.view.letter
    second = next(m.kid for m in room.desk("cn").client.view.fold.party(letter).roster.members if m.seat == "expert-2")
    await room.sit("cn", "expert-1")
    async with room.desk("cn").working() as client:
        draft = Draft(fmt="F03", body=FACTS | {"line": "紧急情况"}, lang="zh", level="serious", cosign=(second,))
        waiting = await drafts.propose(client, draft)
    async with room.desk("cn").as_second("expert-2", kept_passphrase(room.desk("cn").home)) as client:
        sent = await drafts.approve(client, await drafts.find(client, waiting.did.hex()))
    await room.seen("us", sent.verdict.number)
    return sent


@pytest.mark.parametrize("step", STEPS)
async def test_each_step_is_seen_by_the_other_side(room, step):
    """One button, one record: the other desk's open page shows it with who and when; a second time nothing is written."""
    sent = await sends(room, "cn", Draft(fmt="F03", body=FACTS | {"line": "步骤"}, lang="zh"))
    there = await opens(room, "cn", sent.verdict.number)
    await expect(there.locator(f"[data-state-name='{step}'].done")).to_have_count(0)
    here = await opens(room, "us", sent.verdict.number)
    button = here.locator(f"#acts button[value='{step}']")
    await button.click()
    await expect(here.locator(".notice.done")).to_contain_text(STEPS[step])
    done = there.locator(f"[data-state-name='{step}'].done")
    await expect(done).to_contain_text("Expert 1")
    await expect(done.locator("time")).to_be_visible()
    await button.click()
    await expect(here.locator(".notice.done")).to_contain_text("nothing new was written")
    assert acks(room, "us", sent) == [step]
    assert room.console == []


async def test_what_is_not_answered_is_said_without_judging(room, monkeypatch):
    """From the third step of the no-answer procedure: the step with its reason, and X6 or X1; no word about why."""
    sent = await sends(room, "us", Draft(fmt="F03", body=FACTS | {"line": "no receipt seen"}, lang="en"))
    late = (Receipt("read", 1_790_000_000_000, 3, "POST"), Receipt("reply", 1_790_000_000_000, 4, "READ"))
    open_ = [watch.Open(room.desk("us").client.find(sent.ph), "attention", late)]
    monkeypatch.setattr(watch, "awaited", lambda client: open_ if client is room.desk("us").client else [])
    page = await opens(room, "us", sent.verdict.number)
    read, reply = (page.locator(f"[data-state-name='{name}']") for name in ("read", "reply"))
    await expect(read).to_contain_text("received by system, not yet read by a person")
    await expect(read).to_contain_text(f"by your duty officer for message {sent.verdict.number}")
    await expect(reply).to_contain_text("no reply seen yet. We draw no conclusion from this.")
    await expect(read.locator(".countdown")).to_have_attribute("data-state", "over")
    assert room.console == []


async def test_received_and_read_by_key(room):
    """``a`` is received and read, with no question asked; the words claim no agreement."""
    sent = await sends(room, "cn", Draft(fmt="F03", body=FACTS | {"line": "按键"}, lang="zh"))
    page = await opens(room, "us", sent.verdict.number)
    await expect(page.locator("[data-state-name='read'] .countdown")).to_contain_text("left")
    await page.keyboard.press("a")
    await expect(page.locator("[data-state-name='read'].done")).to_be_visible()
    assert acks(room, "us", sent) == ["read"]
    assert room.console == []


async def test_not_engaging_with_the_next_contact(room):
    """The time of the next contact is asked for, goes to the other side in UTC, and what was typed is kept."""
    sent = await sends(room, "cn", Draft(fmt="F03", body=FACTS | {"line": "暂不"}, lang="zh"))
    there = await opens(room, "cn", sent.verdict.number)
    here = await opens(room, "us", sent.verdict.number)
    await here.locator("#not-engaging summary").click()
    await here.locator("#next-contact").fill("2030-01-02T03:04")
    await here.locator("#not-engaging button:not([disabled])").click()
    await expect(there.locator("[data-state-name='not-engaging']")).to_contain_text("2030-01-02 03:04")
    assert acks(room, "us", sent) == ["not-engaging"]
    assert room.console == []


async def test_enter_sends_nothing(room):
    """Enter in a field of a form does nothing, with and without scripts."""
    sent = await serious(room)
    for scripts in (True, False):
        context = await room.context(java_script_enabled=scripts)
        page = await opens(room, "us", sent.verdict.number, context=context)
        await page.locator("#readback-what").fill("x")
        await page.locator("#readback-what").press("Enter")
        await expect(page.locator("#readback-what")).to_have_value("x")
        assert "readback" not in page.url
    assert room.desk("us").client.find(sent.ph).acks == ()
    assert room.console == []


async def test_read_back_that_differs_then_matches(room):
    """From serious a read-back is asked for; "differs" alarms both sides' pages until a later one matches."""
    sent = await serious(room)
    number = sent.verdict.number
    there = await opens(room, "cn", number)
    here = await opens(room, "us", number)
    await expect(here.locator("#readbacks")).to_contain_text("in own words what was understood")
    await here.locator("#readback-what").fill("an event")
    await here.locator("#readback [data-sends]").click()
    await expect(here.locator("#fault-readback")).to_contain_text("fill all four key points")
    await expect(here.locator("#readback-what")).to_have_value("an event")
    for name in ("where", "when", "action"):
        await here.locator(f"#readback-{name}").fill(f"the {name}")
    await here.locator("#readback [data-sends]").click()
    await expect(here.locator("#readbacks .words")).to_contain_text("Asked action: the action")
    await expect(there.locator("#readbacks .words")).to_contain_text("What: an event")

    await there.get_by_role("link", name="Differs: say in what").click()
    await there.locator("#match button[value='DIF']").click()
    await expect(there.locator("#fault-match")).to_contain_text("Say what differs.")
    await there.locator("#differs-text").fill("the place is another")
    await there.locator("#match button[value='DIF']").click()
    for page in (here, there):
        await expect(page.locator("#differs .alarm")).to_contain_text(f"{number} was understood differently")
        await expect(page.locator("#differs .alarm")).to_contain_text("the place is another")
        await expect(page.locator("[data-state-name='DIF'].done")).to_be_visible()
    for party in ("us", "cn"):
        assert [each.message.ph for each in differing(room.desk(party).client)] == [sent.ph]
    await at(here, "/")
    await expect(here.locator("#differs .alarm")).to_contain_text(number)
    await at(here, f"/m/{number}")

    await here.locator("#readback summary").click()
    await here.locator("#readback-text").fill("so it is")
    await here.locator("#readback [data-sends]").click()
    await expect(there.locator("#readbacks article")).to_have_count(2)
    await there.locator("#readbacks article").nth(1).locator("button[value='OK']").click()
    for page in (here, there):
        await expect(page.locator("[data-state-name='OK'].done")).to_be_visible()
        await expect(page.locator("#differs .alarm")).to_have_count(0)
    assert differing(room.desk("us").client) == []
    assert complaints(room) == []


async def test_a_form_sent_twice_sends_once(room):
    """The same read-back of the same person is one message, however often the form is sent."""
    sent = await serious(room)
    page = await opens(room, "us", sent.verdict.number)
    for told in ("Sent: US-", "was sent before as US-"):
        if await page.locator("#readback:not([open])").count():
            await page.locator("#readback summary").click()
        await page.locator("#readback-text").fill("once")
        await page.locator("#readback [data-sends]").click()
        await expect(page.locator(".notice.done")).to_contain_text(told)
    await expect(page.locator("#readbacks article")).to_have_count(1)
    assert room.console == []


async def test_a_receipt_is_corrected(room):
    """A receipt has a page of its own with the correction one click away; the correction stands beside it, both desks."""
    sent = await sends(room, "cn", Draft(fmt="F03", body=FACTS | {"line": "回执"}, lang="zh"))
    here = await opens(room, "us", sent.verdict.number)
    await here.locator("#acts button[value='engaged']").click()
    await here.locator("[data-state-name='engaged'] a").click()
    await expect(here.locator("main")).to_contain_text("expert has begun assessment")
    form = here.locator("form[action='/compose/new']:has(input[value='WDR'])")
    ref = await form.locator("input[name='ref']").get_attribute("value")
    verdict = room.desk("us").client.find(sent.ph).acks[0]
    assert ref == f"US:{verdict.index}"
    there = await opens(room, "cn", sent.verdict.number)
    await expect(there.locator("[data-state-name='engaged'].done")).to_be_visible()
    await sends(
        room, "us", Draft(fmt="F14", body={}, lang="en", case=sent.ph, refs=(verdict.envelope.hash,), cor="WDR")
    )
    await expect(there.locator("[data-state-name='engaged']")).to_contain_text("withdrawal")
    await expect(here.locator("#corrections")).to_contain_text("withdrawal")
    assert room.console == []


async def test_the_second_signature_of_an_emergency_release(room):
    """Both sides see AWAITING SECOND SIGNATURE; another person signs with their own passphrase, and both see that."""
    await room.sit("us", "expert-1")
    draft = Draft(fmt="F13", body={"entry": "MAPLE 01"}, lang="en", single=True)
    sent = await sends(room, "us", draft)
    here = await opens(room, "us", sent.verdict.number)
    there = await opens(room, "cn", sent.verdict.number, lang="en")
    for page in (here, there):
        await expect(page.locator("#second")).to_contain_text("AWAITING SECOND SIGNATURE")
        await expect(page.locator("#second .countdown")).to_contain_text("left")
    await here.select_option("#second-seat", "expert-2")
    await here.locator("#second-pass").fill("wrong")
    await here.get_by_role("button", name="Sign as second person").click()
    await expect(here.locator("#fault-confirm")).to_contain_text("PASSPHRASE")
    await here.select_option("#second-seat", "expert-2")
    await here.get_by_role("button", name="Sign as second person").click()
    for page in (here, there):
        await expect(page.locator("#second")).to_contain_text("confirmed in time")
    assert room.desk("us").client.keys.seat == "expert-1"
    assert complaints(room) == []


async def test_without_scripts(room):
    """Reading, received and read, and a read-back work where no script runs."""
    sent = await serious(room)
    context = await room.context(java_script_enabled=False)
    page = await opens(room, "us", sent.verdict.number, context=context)
    await expect(page.locator(".message").first).to_contain_text("紧急情况")
    await page.locator("#acts button[value='read']").click()
    await expect(page.locator("[data-state-name='read'].done")).to_be_visible()
    await page.locator("#readback-text").fill("understood so")
    await page.locator("#readback [data-sends]").click()
    await expect(page.locator("#readbacks .words")).to_contain_text("understood so")
    assert steps(room.desk("us").client.find(sent.ph)) == ["read"]
    assert room.console == []


async def test_own_messages_have_no_receipt_to_sign(room):
    """Nobody signs receipt for an own message: no button, and a forged form is told so."""
    sent = await sends(room, "us", Draft(fmt="F03", body=FACTS | {"line": "own"}, lang="en"))
    page = await opens(room, "us", sent.verdict.number)
    await expect(page.locator("#acts")).to_have_count(0)
    token = await page.locator("input[name='token']").first.get_attribute("value")
    answer = await page.request.post(page.url + "/ack", form={"token": token, "step": "read"}, headers={"Origin": page.url[: page.url.index("/m/")]})  # fmt: skip
    assert answer.status == 400
    assert "OWN_MESSAGE" in await answer.text()
    assert room.desk("us").client.find(sent.ph).acks == ()


async def test_answers_and_corrections_start_a_draft(room):
    """Reply, an answer by a code, a notice, and the correction of a receipt each lead to a draft that is about it."""
    sent = await sends(room, "cn", Draft(fmt="F03", body=FACTS | {"line": "请答复"}, lang="zh"))
    number = sent.verdict.number
    page = await opens(room, "us", number)
    await page.keyboard.press("r")
    await page.wait_for_url("**/compose/*")
    await expect(page.locator("main")).to_contain_text(number)
    await at(page, f"/m/{number}")
    await page.locator("form[action='/compose/new'] button[name='ans'][value='NOI']").click()
    await page.wait_for_url("**/compose/*")
    await expect(page.locator("main")).to_contain_text("no information at present")
    await at(page, f"/m/{number}")
    await page.locator("#acts button[value='read']").click()
    await page.locator("[data-state-name='read'] a").click()
    await page.locator("form[action='/compose/new']:has(input[value='WDR']) button").click()
    await page.wait_for_url("**/compose/*")
    record = f"US:{room.desk('us').client.find(sent.ph).acks[0].index}"
    await expect(page.locator("main")).to_contain_text(record)
    await expect(page.locator("main")).to_contain_text("F14")
    own = await sends(room, "us", Draft(fmt="F03", body=FACTS | {"line": "own"}, lang="en"))
    await at(page, f"/m/{own.verdict.number}")
    await page.locator("form[action='/compose/new']:has(input[value='COR']) button").click()
    await page.wait_for_url("**/compose/*")
    await expect(page.locator("main")).to_contain_text(own.verdict.number)
    assert room.console == []
