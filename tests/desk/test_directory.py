"""The directory: both rosters with the words of their keys, and whether words that were heard are the same."""

from __future__ import annotations

from playwright.async_api import expect

from keys.words import words


async def at(room, party, lang="en", path="/directory"):
    page = await room.page(party, "expert-1", lang)
    await page.goto(f"{room.served[party].entry.origin}{path}")
    return page


def key(room, party, seat, name="sig"):
    client = room.desk(party).client
    member = next(m for m in client.view.fold.party(client.view.letter).roster.members if m.seat == seat)
    return getattr(member, name)[0]


async def test_both_sides_see_the_same_words_for_each_key(room):
    """Signing and seal keys of every member of both sides, in both languages, on both desks."""
    kids = [
        key(room, party, seat, name)
        for party in ("us", "cn")
        for seat in ("official", "duty")
        for name in ("sig", "kem")
    ]
    for party, lang in (("us", "en"), ("cn", "zh")):
        page = await at(room, party, lang)
        await expect(page.locator("#rosters tbody tr")).to_have_count(16)
        text = await page.locator("#rosters").text_content()
        for kid in kids:
            assert " ".join(words(kid).en) in text and " ".join(words(kid).zh) in text
        await expect(page.locator("#documents tbody tr")).to_have_count(8)
    assert room.console == []


async def test_words_that_were_heard_are_the_same_or_not(room):
    """Either language; other words; and what is no eight words is asked for again with what was typed."""
    page = await at(room, "us")
    kid = key(room, "cn", "official")
    for heard, said in ((" ".join(words(kid).zh), "Same"), (" ".join(words(kid).en).upper(), "Same"),
                        (" ".join(words(key(room, "cn", "duty")).en), "Different")):  # fmt: skip
        await page.select_option("#key", kid.hex())
        await page.fill("#heard", heard)
        await page.press("#heard", "Enter")
        await expect(page.locator("#compared")).to_contain_text(said)
        await expect(page.locator("#compared")).to_contain_text("CN Official")
    await page.fill("#heard", "only three words")
    await page.get_by_role("button", name="Compare", exact=True).click()
    await expect(page.locator("#problem")).to_contain_text("Eight words")
    await expect(page.locator("#heard")).to_have_value("only three words")
    await expect(page.locator("#key")).to_have_value(kid.hex())
    room.console.clear()  # the browser notes that the form was answered with 400


async def test_words_are_read_aloud_one_a_cell(room):
    """Eight rows, a word of each language in each; of the channel and of a key; nothing under another address."""
    chan = room.desk("us").client.view.chan
    page = await at(room, "us", "zh", "/directory/aloud/channel")
    await expect(page.locator("td[lang=en]")).to_have_text(list(words(chan).en))
    await expect(page.locator("td[lang=zh-Hans]")).to_have_text(list(words(chan).zh))
    await page.goto(f"{room.served['us'].entry.origin}/directory/aloud/{key(room, 'us', 'records').hex()}")
    await expect(page.locator("main")).to_contain_text("US 记录管理员")
    answer = await page.goto(f"{room.served['us'].entry.origin}/directory/aloud/00")
    assert answer.status == 404
    room.console.clear()  # and 404
