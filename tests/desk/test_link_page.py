"""The page of the line: tests by people from desk to desk, carrying by hand through downloads and uploads."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager

from playwright.async_api import expect

from channel.cli.trial import free_port
from channel.client.linetests import LineTest
from channel.desk.line_tests import strip


async def at(room, party, seat="expert-1", lang="en", path="/link"):
    page = await room.page(party, seat, lang)
    await page.goto(f"{room.served[party].entry.origin}{path}")
    return page


async def test_a_line_test_is_asked_on_one_desk_and_answered_on_the_other_seen_live(room):
    """One click sends it; the other side's page shows it by itself, answers it, and the first page shows the answer."""
    asking = await at(room, "us")
    answering = await at(room, "cn", lang="zh")
    await asking.get_by_role("button", name="Send a line test (answered by a person)").click()
    await expect(asking.locator(".notice.done")).to_contain_text("sent")
    number = await asking.locator("#people .number").first.text_content()
    item = answering.locator(f"#people [data-item='{number}']")
    await expect(item.get_by_role("link", name="应答")).to_be_visible()
    assert await item.locator("bdi").first.text_content() in await asking.locator("#people").text_content()
    await item.get_by_role("link", name="应答").click()
    await answering.keyboard.press("Tab")
    await answering.fill("#text", "蓝色信封")
    await answering.press("#text", "Enter")
    await expect(answering.locator("#text")).to_have_value("蓝色信封")
    await answering.locator("#answer button[data-sends]").click()
    await expect(answering.locator(".notice.done")).to_contain_text("应答")
    await expect(asking.locator(f"#people [data-item='{number}'] b")).to_contain_text("answered by CN-")
    await expect(answering.locator(f"#people [data-item='{number}']").get_by_role("link", name="应答")).to_have_count(0)
    assert room.console == []


async def test_an_answer_that_was_sent_twice_stands_once_and_an_empty_one_is_asked_for_again(room):
    """Both windows of a desk may hold the form; the text is kept where something is wrong."""
    asking = await at(room, "us")
    await asking.get_by_role("button", name="Send a line test (alternate path)").click()
    number = await asking.locator("#people .number").first.text_content()
    page = await at(room, "cn")
    await room.seen("cn", number)
    await page.goto(f"{room.served['cn'].entry.origin}/link?answer={number}")
    await page.locator("#answer button[data-sends]").click()
    await expect(page.locator("#problem")).to_contain_text("NOTHING_TO_SEE")
    room.console.clear()  # the browser notes that a form was refused
    origin, token = room.served["cn"].entry.origin, await page.locator("#answer [name=token]").input_value()
    for _ in range(2):
        form = {"token": token, "number": number, "text": "seven"}
        answer = await page.request.post(f"{origin}/link/answer", form=form, headers={"Origin": origin})
        assert answer.ok
    views = room.desk("cn").client.messages()
    asked = next(m for m in views if m.verdict.number == number)
    assert sum(asked.ph in (m.verdict.doc.refs or ()) for m in views) == 1


async def test_the_state_of_the_line_the_words_and_the_card_stand_on_the_page(room):
    """Address, queue, offset, documents with words in both languages; a card to print."""
    page = await at(room, "us", lang="zh")
    await expect(page.locator("#state")).to_contain_text("最近应答")
    await expect(page.locator("#state")).to_contain_text("0 条")
    await expect(page.locator("#documents tbody tr")).to_have_count(8)
    await expect(page.locator("#contacts")).to_contain_text("CN")
    await page.goto(f"{room.served['us'].entry.origin}/link/card")
    await expect(page.locator("main .words-list")).to_have_count(2)
    assert room.console == []


async def test_nothing_to_carry_is_said_on_the_page(room):
    """While everything is delivered there is no file; what can't be read is said, and the lines stay."""
    page = await at(room, "us")
    async with room.desk("us").working() as client:
        for message in client.messages():
            await client.wait(message.ph, "delivered", 20)
    await expect(page.locator("#state")).to_contain_text("wait for the other side: 0")
    await page.goto(f"{room.served['us'].entry.origin}/link/carry/lines")
    await expect(page.locator("main")).to_contain_text("NOTHING_TO_CARRY")
    await page.goto(f"{room.served['us'].entry.origin}/link")
    await page.get_by_role("button", name="Take it").click()
    await expect(page.locator("#problem")).to_contain_text("CARRY_NONE")
    await page.fill("#lines", "DCXCARRY 1 2 AAAAAAAA\n0001 AAAAAAAA AAAA")
    await page.get_by_role("button", name="Take it").click()
    await expect(page.locator("#problem")).to_contain_text("CARRY_LINES")
    await expect(page.locator("#lines")).to_have_value("DCXCARRY 1 2 AAAAAAAA\n0001 AAAAAAAA AAAA")
    room.console.clear()


@asynccontextmanager
async def unplugged(room):
    """The line is down: each node runs, and looks for the other where nobody listens."""
    await asyncio.to_thread(room.machine.end, "us", "cn")
    kept = {party: (room.machine.node(party) / "node.toml").read_text() for party in ("us", "cn")}
    for party, text in kept.items():
        apart = re.sub("peer_urls = .*", f'peer_urls = ["https://127.0.0.1:{free_port()}"]', text)
        (room.machine.node(party) / "node.toml").write_text(
            apart.replace("[node]\n", "[node]\nwithout_peer = true\n", 1)
        )
    await restarted(room)
    yield
    await asyncio.to_thread(room.machine.end, "us", "cn")
    for party, text in kept.items():
        (room.machine.node(party) / "node.toml").write_text(text)
    await restarted(room)


async def restarted(room):
    await asyncio.to_thread(room.machine.start, "us", "cn")
    for party in ("us", "cn"):
        await room.sit(party, "expert-1")


async def test_what_the_line_can_not_bring_is_carried_through_the_pages(room, tmp_path):
    """A file out of one desk, taken in at the other, its answer carried back; and the same file typed as lines."""
    us, cn = await at(room, "us"), await at(room, "cn", lang="zh")
    async with unplugged(room):
        await us.reload()
        await us.get_by_role("button", name="Send a line test (alternate seat)").click()
        await expect(us.locator(".notice.done")).to_be_visible()
        number = await us.locator("#people .number").first.text_content()
        async with us.expect_download() as download:
            await us.get_by_role("link", name="File for the other side").click()
        await (await download.value).save_as(tmp_path / "out")
        await us.goto(f"{room.served['us'].entry.origin}/link/carry/lines")
        lines = await us.locator("#lines").text_content()
        await cn.reload()
        await cn.set_input_files("#file", tmp_path / "out")
        await cn.get_by_role("button", name="读取").click()
        await expect(cn.locator("#taken")).to_contain_text("已收存 US 的记录")
        async with cn.expect_download() as download:
            await cn.get_by_role("link", name="待带回的应答文件").click()
        await (await download.value).save_as(tmp_path / "answer")
        await room.seen("cn", number)
        await cn.goto(f"{room.served['cn'].entry.origin}/link")
        await cn.fill("#lines", lines)
        await cn.get_by_role("button", name="读取").click()
        await expect(cn.locator("#problem")).to_contain_text("CARRY_TWICE")
        await cn.check("[name=again]")
        await cn.get_by_role("button", name="读取").click()
        await expect(cn.locator("#lines")).to_contain_text("DCXCARRY 1")
        await us.goto(f"{room.served['us'].entry.origin}/link")
        await us.set_input_files("#file", tmp_path / "answer")
        await us.get_by_role("button", name="Take it").click()
        await expect(us.locator("#taken")).to_contain_text("now delivered")
    room.console.clear()  # what could not be reached meanwhile, and the form that was refused


async def test_automatic_tests_stand_as_a_strip_and_a_table(room, monkeypatch):
    """Newest first, with round trip, offset and reason; a clock too far off is marked; nothing depends on colour."""
    now, own = room.desk("us").now(), room.desk("us").client.view.letter
    tests = [
        LineTest(own, "1/1", now - 3_600_000, "answered", 41, -7), LineTest("a", "1/1", now - 2_900_000, "waiting"),
        LineTest(own, "1/1", now - 2_700_000, "unanswered", reason="LINK"),
        LineTest(own, "1/1", now - 1_800_000, "answered", 44, 2_345),
    ]  # fmt: skip
    monkeypatch.setattr("channel.desk.line_tests.automatic", lambda client, now: tests)
    page = await at(room, "us")
    await expect(page.locator("#tests tbody tr")).to_have_count(4)
    await expect(page.locator("#tests tbody tr").first).to_contain_text("2345 ◷")
    await expect(page.locator("#tests tbody tr").nth(1)).to_contain_text("no system receipt seen yet")
    await expect(page.locator("#tests svg g[data-state=down]")).to_have_count(1)
    await expect(page.locator("#state")).to_contain_text("2345 ms")
    assert room.console == []


def test_the_strip_lasts_from_test_to_test():
    """Each own test stands for the time until the next; the last until now."""
    tests = [
        LineTest("a", "1/1", 1_000, "answered"), LineTest("b", "1/1", 1_500, "answered"),
        LineTest("a", "1/1", 2_000, "unanswered"), LineTest("a", "1/1", 3_000, "waiting"),
    ]  # fmt: skip
    assert strip(tests, "a", 3_500) == [(1_000, 2_000, "up"), (2_000, 3_000, "down"), (3_000, 3_500, "waiting")]
    assert strip([], "a", 5) == []
