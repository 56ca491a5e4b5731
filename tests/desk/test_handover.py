"""Taking, handing over and leaving a post in the page: who signs, what is refused, what the other side sees."""

from __future__ import annotations

from playwright.async_api import expect

from channel.client import drafts, watch
from channel.client.composing import Draft
from channel.desk.posts import AtPost, Signing
from channel.desk.watch_words import Shown
from channel.i18n import Texts
from channel.node.duty_config import WatchConfig

FACTS = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": 1_790_000_000_000, "control": "K9"}


def holder(room, party):
    """The person who holds the party's post, as its own desk has it."""
    found = watch.post(room.desk(party).client, room.desk(party).client.view.letter, "duty").holder
    return None if found is None else found.person


async def at(room, party, seat, lang="en", path="/handover"):
    page = await room.page(party, seat, lang)
    await page.goto(page.url.rstrip("/") + path)
    return page


def noted(room):
    """The browser has noted that a form was refused (403), and nothing else."""
    assert [said for said in room.console if "403" not in said] == []
    room.console.clear()


async def newest_note(room):
    """What was kept with the newest record."""
    async with room.desk("us").working() as client:
        return (await drafts.notes(client))[-1][2]


async def calm(room, party):
    """See that nothing at crisis is unread: what an earlier test has left would keep anybody from handing over."""
    async with room.desk(party).working() as client:
        for each in watch.owed(client):
            if each.urgent:
                await client.ack(client.find(each.message.ph), "read")


async def held_by(room, party, seat):
    """See that an officer holds the post, whatever held it: by the page."""
    await calm(room, party)
    page = await at(room, party, seat)
    person = f"{party}-" + seat.replace(".", "-")
    if holder(room, party) != person:
        if await page.locator("#with").count():
            await page.select_option("#with", "official")
        await page.locator("button.main[data-sends]").click()
        await expect(page.locator(".notice.done")).to_be_visible()
    assert holder(room, party) == person
    return page


async def emptied(room, party):
    """See that nobody holds the post: whoever does leaves it."""
    await calm(room, party)
    person = holder(room, party)
    if person is None:
        return
    await room.sit(party, "duty.2" if person.endswith("-2") else "duty")
    async with room.desk(party).working() as client:
        said = Texts("en")
        post = AtPost(client, said, Shown(client, said, WatchConfig(), {}))
        await post.sign(Signing("leave", post.held_post(), off=post.person()), [])


async def crisis(room):
    """A message of CN at crisis that three people signed: its number."""
    members = room.desk("cn").client.view.fold.party(room.desk("cn").client.view.letter).roster.members
    kids = {m.seat: m.kid for m in members if m.seat in ("expert-2", "official")}
    await room.sit("cn", "expert-1")
    async with room.desk("cn").working() as client:
        waiting = await drafts.propose(
            client,
            Draft(fmt="F03", body=FACTS | {"line": "一句话"}, lang="zh", level="crisis", cosign=tuple(kids.values())),
        )
    for seat in kids:
        await room.sit("cn", seat)
        async with room.desk("cn").working() as client:
            sent = await drafts.approve(client, await drafts.find(client, waiting.did.hex()))
    await room.seen("us", sent.verdict.number)
    return sent.verdict.number


async def test_an_empty_post_is_taken_by_one_officer(room):
    """One act takes it, the other side sees who is on without asking, and the record can be corrected from the row."""
    await emptied(room, "us")
    other = await at(room, "cn", "duty", "zh")
    page = await at(room, "us", "duty")
    await expect(page.locator("#posts tbody tr").first).to_contain_text("no post is taken")
    await page.fill("#note", "Quiet night.")
    await page.get_by_role("button", name="I have read the list and take over").click()
    await expect(page.locator(".notice.done")).to_contain_text("has taken over")
    row = page.locator("#posts tbody tr").first
    await expect(row).to_contain_text("Duty Officer")
    await expect(row.get_by_role("button", name="Correct or withdraw")).to_be_visible()
    await expect(other.locator("#posts tbody")).to_contain_text("US 值班员")
    await expect(other.locator("#posts tbody tr").nth(1).get_by_role("button")).to_have_count(0)
    note = await newest_note(room)
    assert "Quiet night." in note and "Waiting for this side" in note
    assert holder(room, "us") == "us-duty"
    assert room.console == []


async def test_a_seat_that_is_no_post_signs_nothing_here(room):
    """An expert sees the posts and the list, and no button that signs."""
    page = await at(room, "us", "expert-1", "zh")
    await expect(page.locator("#act-head")).to_contain_text("不是值守岗位")
    await expect(page.locator("[data-sends]")).to_have_count(0)


async def test_both_officers_sign_a_handover_and_the_desk_goes_on_as_the_incoming_one(room):
    """The incoming officer's passphrase is asked here; a wrong one signs nothing and loses nothing that was typed."""
    page = await held_by(room, "us", "duty")
    await page.goto(page.url)
    await page.fill("#note", "All quiet; line good.")
    await page.fill("#to_passphrase", "another word")
    await page.get_by_role("button", name="hand over with both").click()
    await expect(page.locator("#problem")).to_contain_text("PASSPHRASE")
    noted(room)
    await expect(page.locator("#note")).to_have_value("All quiet; line good.")
    assert holder(room, "us") == "us-duty"
    await page.fill("#to_passphrase", (room.machine.desk("us") / "passphrase").read_text().strip())
    await page.get_by_role("button", name="hand over with both").click()
    await expect(page.locator(".notice.done")).to_contain_text("handed over by US Duty Officer to US Duty Officer 2")
    await expect(page.locator("#who b")).to_contain_text("Duty Officer 2")
    assert (holder(room, "us"), room.desk("us").client.keys.seat) == ("us-duty-2", "duty.2")
    assert room.console == []


async def test_a_held_post_is_taken_with_an_official_alone(room):
    """Whoever does not hold the post names an official or operator, who signs too."""
    await held_by(room, "us", "duty.2")
    page = await at(room, "us", "duty", "zh")
    assert await page.locator("#with option").all_text_contents() == ["official", "principal", "operator"]
    await page.select_option("#with", "operator")
    await page.locator("button.main[data-sends]").click()
    await expect(page.locator(".notice.done")).to_contain_text("共同签署")
    assert holder(room, "us") == "us-duty"


async def test_leaving_has_a_page_of_its_own_that_says_what_it_means(room):
    """Nothing leaves a post from the first page; the second says what follows, and the post is empty after it."""
    page = await held_by(room, "us", "duty")
    await page.goto(page.url)
    await page.get_by_role("link", name="Leave the post empty").click()
    await expect(page.locator("main")).to_contain_text("waits until somebody reads it")
    await page.get_by_role("button", name="Leave the post with nobody").click()
    await expect(page.locator(".notice.done")).to_contain_text("has left the post")
    assert holder(room, "us") is None
    assert room.console == []


async def test_what_is_unread_at_crisis_is_not_handed_over_unless_an_official_signs(room):
    """The list changes while it is looked at: nothing is signed; then refused by number; then an official signs."""
    page = await held_by(room, "us", "duty")
    await page.goto(page.url)
    token = await page.locator("#act input[name=token]").input_value()
    mark = await page.locator("input[name=mark]").input_value()
    await expect(page.locator("[name=override]")).to_have_count(0)
    number = await crisis(room)
    await room.sit("us", "duty")
    await expect(page.locator("#open")).to_contain_text(number)
    form = {"token": token, "mark": mark, "to": "duty.2", "note": ""}
    origin = room.served["us"].entry.origin
    old = await page.request.post(f"{origin}/handover/hand", form=form, headers={"Origin": origin})
    assert "LIST_CHANGED" in await old.text()
    await page.get_by_role("button", name="hand over with both").click()
    await expect(page.locator("#problem")).to_contain_text(number)
    await expect(page.locator("#problem")).to_contain_text("HANDOVER_CRISIS")
    noted(room)
    leaving = await page.request.post(
        f"{origin}/handover/leave", form=form | {"mark": await page.locator("input[name=mark]").input_value()},
        headers={"Origin": origin},
    )  # fmt: skip
    assert "HANDOVER_CRISIS" in await leaving.text()
    await page.select_option("#official", "official")
    await page.locator("[name=override]").click()
    await expect(page.locator(".notice.done")).to_contain_text("signed too")
    assert holder(room, "us") == "us-duty-2"
    assert number in (await newest_note(room)).split("\n")[2]
    assert room.console == []


async def test_nothing_is_overridden_where_all_is_read(room):
    """An override that nothing asks for is refused, in words of the page."""
    page = await held_by(room, "us", "duty")
    async with room.desk("us").working() as client:
        for each in watch.owed(client):
            await client.ack(each.message, "read")
    await page.goto(page.url)
    origin = room.served["us"].entry.origin
    form = {name: await page.locator(f"input[name={name}]").last.input_value() for name in ("token", "mark")}
    answer = await page.request.post(
        f"{origin}/handover/hand", form=form | {"to": "duty.2", "official": "official", "override": "yes"},
        headers={"Origin": origin},
    )  # fmt: skip
    assert answer.status == 403 and "OVERRIDE_IDLE" in await answer.text()
    assert holder(room, "us") == "us-duty"
