"""Search: what this key has opened since it was unlocked, in memory alone."""

from __future__ import annotations

from playwright.async_api import expect

from channel.client.composing import Draft
from channel.client.unlocking import kept_passphrase
from keys.errors import Refused

FACTS = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": 1_790_000_000_000, "control": "K9"}


async def send(room, party, line, **more):
    async with room.desk(party).working() as client:
        return await client.send(Draft(fmt="F03", body=FACTS | {"line": line} | more, lang="en"))


async def look(page, words):
    await page.fill("#q", words)
    await page.locator("#q").press("Enter")


async def test_found_are_texts_codes_case_names_and_numbers_in_both_languages(room):
    """Whatever a message says is found, in any case of letters and by any piece of Chinese, with the words marked."""
    sent = await send(room, "us", "The model 正在扩散 in Region <b>Nine</b>", case_name="Quiet River")
    page = await room.page("us")
    await page.goto(page.url.rstrip("/") + "/search")
    async with room.desk("us").working() as client:
        client.open(client.find(sent.ph))
    hit = page.locator(f"[data-item='{sent.verdict.number}']")
    for words in ("REGION nine", "扩散", "quiet river", "unexplained", "原因不明", "UNX", sent.verdict.number):
        await look(page, words)
        await expect(hit).to_be_visible()
        await expect(hit.locator("mark").first).to_be_visible()
    await expect(hit.locator("a")).to_have_attribute("href", f"/m/{sent.verdict.number}")
    assert "?" not in page.url
    await look(page, "<b>nine</b>")
    await expect(hit.locator("mark")).to_have_text("<b>Nine</b>")
    await look(page, "no such words 无此词")
    await expect(page.locator("main")).to_contain_text("Nothing that is open says this")
    assert room.console == []


async def test_older_messages_are_opened_when_asked_and_forgotten_when_locked(room):
    """After unlocking nothing is searched; one button opens what is there; locking drops it all."""
    sent = await send(room, "cn", "about the harbour")
    await room.seen("us", sent.verdict.number)
    page = await room.page("us", java_script_enabled=False)
    desk = room.desk("us")
    desk.lock()
    await room.sit("us", "expert-1")
    assert desk.opened.count()[0] == 0
    await page.goto(page.url.rstrip("/") + "/search")
    await look(page, "harbour")
    await expect(page.locator("main")).to_contain_text("Older messages are not open yet")
    await page.get_by_role("button", name="older messages too").click()
    await expect(page.locator(f"[data-item='{sent.verdict.number}']")).to_contain_text("harbour")
    opened, closed, total = desk.opened.count()
    assert opened + closed == total > 0
    await expect(page.locator("main")).to_contain_text(f"{opened} of {total} messages")
    kept = desk.opened
    desk.lock()
    assert "harbour" not in repr(vars(kept))
    assert "harbour" not in repr(vars(desk.client))
    await room.sit("us", "expert-1")
    assert desk.opened.find(["harbour"]) == []
    room.console.clear()  # pages that were open while the desk was locked tell of it


async def test_what_one_person_opened_another_does_not_find(room):
    """The memory is the key's: the second person who signs here, and whoever unlocks next, start with nothing."""
    sent = await send(room, "us", "only for one lighthouse")
    desk = room.desk("us")
    await room.sit("us", "expert-1")
    async with desk.as_second("expert-2", kept_passphrase(desk.home)) as client:
        client.open(client.find(sent.ph))
        assert [f.said.number for f in desk.opened.find(["lighthouse"])] == [sent.verdict.number]
    assert desk.opened.find(["lighthouse"]) == []
    async with desk.working() as client:
        client.open(client.find(sent.ph))
    assert len(desk.opened.find(["lighthouse"])) == 1
    await room.sit("us", "expert-2")
    assert desk.opened.find(["lighthouse"]) == []


async def test_a_message_is_opened_once_while_its_person_is_here(room):
    """Opened again it is the very same body; after locking nobody gets it, whatever was remembered."""
    sent = await send(room, "us", "once")
    await room.sit("us", "expert-1")
    client = room.desk("us").client
    message = client.find(sent.ph)
    assert client.open(message) is client.open(message)
    client.lock()
    try:
        client.open(message)
        raise AssertionError("a locked desk has opened a message")
    except Refused as e:
        assert e.code == "LOCKED"
    await room.sit("us", "expert-1")


async def test_without_scripts_and_in_chinese(room):
    """The form works as a form; the page speaks the reader's language."""
    page = await room.page("cn", lang="zh", java_script_enabled=False)
    await page.goto(page.url.rstrip("/") + "/search")
    await expect(page.locator("h1")).to_have_text("搜索")
    await look(page, "扩散")
    await expect(page.locator("#found-head")).to_contain_text("符合的电文")


def test_the_words_around_are_cut_and_every_hit_is_marked():
    """A long text is cut on both sides; what was asked for stands alone in its pieces."""
    import re

    from channel.desk.opened import AROUND, _around

    text = "x" * 500 + " River bank river " + "y" * 500
    found = _around(text, re.compile("river", re.IGNORECASE))
    assert [part for part, hit in found if hit] == ["River", "river"]
    assert len("".join(part for part, _ in found)) <= 2 * AROUND + 10
    assert found[0] == ("…", False)
    assert found[-1][0].endswith("…")
