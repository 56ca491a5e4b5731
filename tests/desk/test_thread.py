"""The message page: one message whole in both languages, with proofs; nothing that a peer writes breaks it."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from channel.client import composing
from channel.client.composing import Draft, seal_keys
from channel.desk.proofs import proofs
from keys.words import words

FACTS = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": 1_790_000_000_000, "control": "K9"}
HOSTILE = [
    "first \u202etxet desrever\u202c and \u2066isolated\u2069 \u200bzero\u200b width \ufeff",
    '<script>alert(1)</script><b onmouseover="x">&amp;</b> "quoted" \'quoted\'',
    "```\n| END of message: US-2026-999999\n  | forged\n```\n\n# heading\n{{ 7 * 7 }} {% raw %}",
    "x" * 4000,
    "字" * 3000,
]


async def sends(room, party, draft, to=None):
    """A message of a party, seen by the other desk."""
    if room.desk(party).client.keys.seat != "expert-1":
        await room.sit(party, "expert-1")
    async with room.desk(party).working() as client:
        sent = await client.send(draft)
    await room.seen(to or ("us" if party == "cn" else "cn"), sent.verdict.number)
    return sent


async def unchecked(room, body):
    """An F03 of a desk that signs without checking its body."""
    real, composing.Book.check = composing.Book.check, lambda *_, **__: None
    try:
        async with room.desk("cn").working() as client:
            sent = await client.send(Draft(fmt="F03", body=body, lang="zh"))
    finally:
        composing.Book.check = real
    await room.seen("us", sent.verdict.number)
    return sent


async def opens(room, party, number, seat="expert-1", lang="en", **more):
    page = await room.page(party, seat, lang, **more)
    await page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + f"/m/{number}")
    await expect(page.locator("#head")).to_have_text(number)
    return page


def complaints(room):
    """What pages complained of, but for the answers that a test asked for: a browser tells of every 4xx."""
    found = [said for said in room.console if not re.search("status of 40[0-4]", said)]
    room.console.clear()
    return found


async def width_fits(page):
    return await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


async def test_a_message_is_shown_whole(room):
    """Who speaks and for whom with the key as words, the level, its own language first, its case and its references."""
    first = await sends(room, "cn", Draft(fmt="F03", body=FACTS | {"line": "第一份"}, lang="zh"))
    sent = await sends(
        room,
        "cn",
        Draft(fmt="F04", body={"line": "第二份", "control": "K2"}, lang="zh", case=first.ph, refs=(first.ph,)),
    )
    page = await opens(room, "us", sent.verdict.number)
    main = page.locator("main")
    kid = sent.verdict.signers[0].kid
    for said in (*words(kid).en, *words(kid).zh, "Expert 1", "designated expert", "other side"):
        await expect(main).to_contain_text(said)
    shown = page.locator(".message")
    await expect(shown.nth(0)).to_contain_text("电文编号")
    await expect(shown.nth(1)).to_contain_text("Message number")
    await expect(shown.nth(0)).to_contain_text("K9")  # the old value beside the new one
    await expect(shown.nth(0)).to_contain_text("→")
    await expect(main.locator(f'a[href="/cases/{first.verdict.number}"]').first).to_be_visible()
    await main.locator(f'#related a[href="/m/{first.verdict.number}"]').first.click()
    await expect(page.locator("#head")).to_have_text(first.verdict.number)
    await expect(page.locator("#related")).to_contain_text(sent.verdict.number)
    assert room.console == []


async def test_the_proofs_are_the_clients(room):
    """The numbers of the proofs panel are those of the client: place, hashes, note, key ids."""
    sent = await sends(room, "us", Draft(fmt="F03", body=FACTS | {"line": "proofs"}, lang="en"))
    async with room.desk("us").working() as client:
        await client.wait(sent.ph, "delivered", 30)
        held = proofs(client, client.find(sent.ph).verdict)
        copy = client.view.copies[client.view.letter]
        assert copy.roots[held.note.size].hex() == held.note.root
        assert sent.verdict.index < held.note.size <= max(copy.delivered, copy.anchored)
        doc = sent.verdict.doc
    page = await opens(room, "us", sent.verdict.number)
    await page.locator("#proofs summary").click()
    table = page.locator("#proofs")
    for value in (
        f"US:{sent.verdict.index}",
        sent.ph.hex(),
        doc.blob.hex(),
        doc.kc.hex(),
        sent.verdict.signers[0].kid.hex(),
    ):
        await expect(table).to_contain_text(value)
    async with room.desk("us").working() as client:
        now = proofs(client, client.find(sent.ph).verdict)
    if now.note == held.note:
        await expect(table).to_contain_text(held.note.root)
    assert room.console == []


@pytest.mark.parametrize("text", HOSTILE, ids=["bidi", "html", "fence", "long", "han"])
async def test_what_a_peer_writes_stays_inside(room, text):
    """Markup, invisible characters, fences and words without end: shown as text, the page whole, also at 320 pixels."""
    body = {"observed": text, "questions": [{"ask": text[:200].replace("\n", " ")}]}
    sent = await sends(room, "cn", Draft(fmt="F06", body=body, lang="en"))
    page = await opens(room, "us", sent.verdict.number, viewport={"width": 320, "height": 700})
    await expect(page.locator("#proofs")).to_be_attached()
    await expect(page.locator("#receipts")).to_be_visible()
    assert await page.locator("main script, main b[onmouseover]").count() == 0
    html = await page.content()
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff]", html)
    if "\u202e" in text:
        await expect(page.locator(".message .unseen").first).to_be_visible()
    assert await width_fits(page)
    assert room.console == []


async def test_what_a_hostile_desk_signs_stays_inside(room):
    """60 kB in one field, fields that no book has, their names in markup: marked, shown as text, the page whole."""
    big = (("".join(HOSTILE[:3]) + "y" * 5000) * 12).encode()[:60_000].decode(errors="ignore")
    sent = await unchecked(room, {"line": big, "<i>x</i>\u202e": "<script>alert(2)</script>", "control": "K9\n\nEND"})
    page = await opens(room, "us", sent.verdict.number, viewport={"width": 320, "height": 700})
    await expect(page.locator("main")).to_contain_text("Do not act on it.")
    await expect(page.locator("#proofs")).to_be_attached()
    assert await page.locator("main script, main i, main b[onmouseover]").count() == 0
    assert await width_fits(page)
    assert room.console == []


async def test_a_message_for_others_is_said_plainly(room):
    """What is sealed to a few is shown as not addressed: header and receipts, no body and no act that claims reading."""
    async with room.desk("cn").working() as client:
        members = {m.seat: kid for kid, (code, m) in seal_keys(client.view).items() if code == "US"}
        own = client.keys.seal.kid
    sent = await sends(
        room, "cn", Draft(fmt="F03", body=FACTS | {"line": "只给一席"}, lang="zh", to=(members["official"], own))
    )
    page = await opens(room, "us", sent.verdict.number, "expert-1")
    await expect(page.locator("main")).to_contain_text("not addressed to this seat")
    await expect(page.locator("main")).not_to_contain_text("只给一席")
    await expect(page.locator("#acts")).to_have_count(0)
    page = await opens(room, "us", sent.verdict.number, "official")
    await expect(page.locator(".message").first).to_contain_text("只给一席")
    assert room.console == []


async def test_unknown_references(room):
    """A number or a record that is not here has a page of its own; a record that is a message leads to it."""
    page = await room.page("us")
    base = page.url.rstrip("/")
    for path in ("/m/US-2026-999999", "/m/x", "/r/US:99999", "/r/FR:1", "/r/nothing"):
        answer = await page.goto(base + path)
        assert answer.status == 404, path
        await expect(page.locator("main")).to_contain_text("NOT_FOUND")
    sent = await sends(room, "us", Draft(fmt="F03", body=FACTS | {"line": "here"}, lang="en"))
    await page.goto(f"{base}/r/US:{sent.verdict.index}")
    await expect(page.locator("#head")).to_have_text(sent.verdict.number)
    await page.goto(f"{base}/r/US:0")
    await expect(page.locator("#head")).to_have_text("US:0")
    assert complaints(room) == []


async def test_chinese(room):
    """The page in Chinese says 本方 and 对方, and its own words are Chinese."""
    sent = await sends(room, "us", Draft(fmt="F03", body=FACTS | {"line": "in English"}, lang="en"))
    page = await opens(room, "cn", sent.verdict.number, lang="zh")
    main = page.locator("main")
    for said in ("对方", "收悉进展", "已收阅（不代表同意其内容）", "作准语言：英文", "证明"):
        await expect(main).to_contain_text(said)
    await expect(page.locator(".message").first).to_contain_text("Message number")
    await expect(page.locator(".message").nth(1)).to_contain_text("电文编号")
    assert room.console == []


async def test_print_has_the_sentence_of_the_exercise(room):
    """On paper the banner with X12 stays, buttons and navigation do not."""
    sent = await sends(room, "us", Draft(fmt="F03", body=FACTS | {"line": "paper"}, lang="en"))
    page = await opens(room, "cn", sent.verdict.number)
    await page.emulate_media(media="print")
    await expect(page.locator(".banner").first).to_contain_text("EXERCISE: this message is part of exercise")
    await expect(page.locator("nav")).to_be_hidden()
    await expect(page.locator("#acts button").first).to_be_hidden()
    await expect(page.locator(".message").first).to_be_visible()
    assert room.console == []


async def test_translation(room):
    """A translation is a marked addition under its translator's name: it appears on both desks and replaces nothing."""
    sent = await sends(room, "cn", Draft(fmt="F03", body=FACTS | {"line": "原文在此"}, lang="zh"))
    here = await opens(room, "us", sent.verdict.number)
    there = await opens(room, "cn", sent.verdict.number)
    await here.locator("#translate summary").click()
    await here.locator("#translate textarea").first.fill("the original is here")
    await here.locator("#translate [data-sends]").click()
    await expect(here.locator("#fault-translate")).to_contain_text("Say who translated")
    await expect(here.locator("#translate textarea").first).to_have_value("the original is here")
    await here.locator("#translate input[value='M']").check()
    await here.locator("#translate [data-sends]").click()
    for page in (here, there):
        await expect(page.locator("#translations")).to_contain_text("the original is here")
        await expect(page.locator("#translations")).to_contain_text(
            "Translation for reference only; the Chinese text is authentic."
        )
        await expect(page.locator("#translations")).to_contain_text("M a machine")
        await expect(page.locator(".message").first).to_contain_text("原文在此")
    assert complaints(room) == []


async def test_a_correction_leaves_the_original(room):
    """A correction is named on the page of what it corrects, live, and the original stays readable; one click starts it."""
    sent = await sends(room, "cn", Draft(fmt="F03", body=FACTS | {"line": "第一稿"}, lang="zh"))
    page = await opens(room, "us", sent.verdict.number)
    draft = Draft(fmt="F14", body={"text": "更正"}, lang="zh", case=sent.ph, refs=(sent.ph,), cor="COR")
    corrected = await sends(room, "cn", draft)
    await expect(page.locator("#corrections")).to_contain_text(f"See {corrected.verdict.number}: correction.")
    await expect(page.locator(".message").first).to_contain_text("第一稿")
    own = await opens(room, "cn", sent.verdict.number)
    form = own.locator("form[action='/compose/new']:has(input[name='cor'][value='WDR'])")
    assert await form.locator("input[name='ref']").get_attribute("value") == sent.verdict.number
    await expect(form.locator("button")).to_be_visible()
    assert room.console == []


async def test_an_invalid_message_is_marked(room):
    """A body that the rules refuse is shown with what is wrong, and not to be acted on."""
    sent = await unchecked(room, {"line": "缺字段"})
    page = await opens(room, "us", sent.verdict.number)
    await expect(page.locator("main")).to_contain_text("Do not act on it.")
    await expect(page.locator(".message").first).to_contain_text("缺字段")
    assert await page.locator("#acts button").all_text_contents() == ["Could not be opened"]
    assert room.console == []
