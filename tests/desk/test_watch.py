"""The watch page: what waits for whom, live."""

from __future__ import annotations

from playwright.async_api import expect

from channel.client.composing import Draft

FACTS = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": 1_790_000_000_000, "control": "K9"}


async def test_a_message_of_the_other_side_appears_by_itself(room):
    """A page that is looked at shows what has come, with its countdown, without being asked again."""
    page = await room.page("us")
    async with room.desk("cn").working() as client:
        sent = await client.send(Draft(fmt="F03", body=FACTS | {"line": "一句话说明"}, lang="zh"))
    item = page.locator(f"[data-item='{sent.verdict.number}']")
    await expect(item).to_contain_text("一句话说明")
    await expect(item.locator(".countdown").first).to_contain_text("left")
    await expect(page.locator("nav .count").first).to_have_text("1")
    assert room.console == []
