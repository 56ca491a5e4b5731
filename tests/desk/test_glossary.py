"""The glossary and the help page: every agreed word, out of the files that hold it; every key that a page has."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import expect

from channel.client import drafts
from channel.desk.ambiguous import found, listed
from channel.desk.bar import PAGES
from channel.desk.pages.glossary import LEFT_OUT, sections
from channel.desk.pages.help import KEYS
from channel.formats import code_book, format_book
from channel.i18n import Texts
from channel.protocol.formats import Book

TEMPLATES = Path(__file__).resolve().parents[2] / "channel/desk/templates"
BOOK = Book.read(format_book(), code_book())


def test_every_word_of_the_books_stands_on_the_page():
    """Levels, sentences, formats, coded messages and every code of every list, in both languages, as the books have them."""
    pairs = {(term.code, term.en, term.zh) for section in sections(BOOK) for term in section.terms}
    for group in (BOOK.files.levels, BOOK.files.sentences, BOOK.files.formats, BOOK.coded):
        assert {(code, each.en, each.zh) for code, each in group.items()} <= pairs
    for name, codes in BOOK.files.lists.items():
        if name not in LEFT_OUT:
            assert {(code, each.en, each.zh) for code, each in codes.codes.items()} <= pairs
    assert {f"X{n}" for n in range(1, 14)} <= {code for code, _, _ in pairs}


def test_ambiguous_words_are_found_outside_agreed_terms_and_have_another_word():
    """A hint for a word alone, none for an agreed term that holds it; what to write instead is there in both languages."""
    assert [each.word for each in found("我们已经控制了模型")] == ["控制"]
    assert found("自主网络活动；演练控制电文；under consultation") == []
    assert {each.word for each in found("We CONTAIN it and deny that; container")} == {"contain", "deny"}
    for each in listed():
        assert Texts("en").say(each.instead) != Texts("zh").say(each.instead)
    for word in ("控制", "约束", "自主", "升级", "承认", "control", "contain", "deny"):
        assert word in {each.word for each in listed()}


def test_every_key_of_a_page_is_told():
    """Whatever a template gives a key has that key on the help page."""
    used = {
        key
        for path in TEMPLATES.glob("*.html")
        for key in re.findall(r"""data-key=["']([^"'{}]+)["']|key=["']([^"'{}]+)["']""", path.read_text("utf-8"))
        for key in key
        if key
    }
    assert used - {key for _, _, key in PAGES} - set(KEYS) == set()


async def test_a_word_is_looked_up_in_either_language(room):
    """?q= leaves what says it: by code, by English in any case, by Chinese."""
    page = await room.page("us")
    base = page.url.rstrip("/")
    await page.goto(base + "/glossary")
    await expect(page.locator("#instead")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("100万")
    await page.fill("#q", "紧急磋商")
    await page.locator("#q").press("Enter")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text("Urgent consultation")
    await page.goto(base + "/glossary?q=URGENT%20CONSULTATION")
    await expect(page.locator("tbody tr").first).to_contain_text("紧急磋商")
    await page.goto(base + "/glossary?q=zzz")
    await expect(page.locator("main")).to_contain_text("No agreed word fits")
    assert room.console == []


async def test_a_proposal_is_a_note_of_the_own_side(room):
    """It is kept sealed to the own side; an empty one is not, and nothing typed is lost."""
    page = await room.page("us", java_script_enabled=False)
    await page.goto(page.url.rstrip("/") + "/glossary")
    await page.fill("#why", "shorter <b>")
    await page.get_by_role("button", name="Keep the proposal").click()
    await expect(page.locator("main [role=alert]")).to_contain_text("NOTHING_TO_SEE")
    await expect(page.locator("#why")).to_have_value("shorter <b>")
    await page.fill("#zh", "沟通渠道")
    await page.get_by_role("button", name="Keep the proposal").click()
    await expect(page.locator(".notice.done")).to_contain_text("note of the own side")
    async with room.desk("us").working() as client:
        said = [text for _, _, text in await drafts.notes(client)]
    assert any("沟通渠道" in text and "shorter <b>" in text for text in said)
    room.console.clear()  # the browser tells of the answer's status


async def test_the_pages_speak_chinese(room):
    """Glossary and help in Chinese, with both languages of each term side by side."""
    page = await room.page("cn", lang="zh")
    base = page.url.rstrip("/")
    await page.goto(base + "/glossary")
    await expect(page.locator("h1")).to_have_text("术语表")
    await expect(page.locator("#levels")).to_contain_text("级别")
    await page.goto(base + "/help")
    await expect(page.locator("main")).to_contain_text("线路中断")
    await expect(page.locator("kbd", has_text="Ctrl+Enter")).to_be_visible()
    assert room.console == []
