"""The log page: every record of both logs with what it is worth, fifty at a time, at a cost that does not grow."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from playwright.async_api import expect

import channel.protocol.fold as folds
from channel.client.composing import Draft
from channel.client.index import Index
from channel.desk.pages.log import SIZE, Asked, cut_of, place, rows
from channel.i18n import Texts
from keys.errors import WrongUse
from tests.world import World

FACTS = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": 1_790_000_000_000, "control": "K9"}


# --- which records a page has -----------------------------------------------------------------------------------------


def asked(**given):
    names = ("party", "kind", "ref", "since", "before", "after", "upto")
    return Asked(**{name: given.get(name, "") for name in names})


def seat_at(world):
    """As much of a desk as the page asks for, over the logs of a world."""
    fold = world.fold()
    view = SimpleNamespace(fold=fold, charter=world.charter, letter="a", state=lambda _letter, _index: "anchored")
    return SimpleNamespace(view=view, index=Index(fold))


@pytest.fixture(scope="module")
def long():
    world = World()
    for _ in range(150):
        world.sync("a")
        world.sync("b")
    return seat_at(world)


def places(client, **given):
    return [place(client, e) for e in cut_of(client, asked(**given), 0).entries]


def test_pages_follow_one_another_without_a_gap(long):
    """From the newest page back to the opening and forward again: every record once, in display order."""
    whole = [place(long, e) for e in long.view.fold.ordered()]
    back, before = [], ""
    while True:
        cut = cut_of(long, asked(before=before), 0)
        assert len(cut.entries) <= SIZE
        back = [place(long, e) for e in cut.entries] + back
        if not cut.older:
            break
        before = cut.older
    assert back == whole
    forth, after = whole[:1], whole[0]
    while after:
        cut = cut_of(long, asked(after=after), 0)
        forth += [place(long, e) for e in cut.entries]
        after = cut.newer
    assert forth == whole


def test_a_record_is_jumped_to_and_a_choice_is_kept(long):
    """The page of a record ends with it and goes on to newer ones; a choice of party shows that log alone."""
    cut = cut_of(long, asked(ref="us:20"), 0)
    assert place(long, cut.entries[-1]) == "US:20"
    assert cut.newer == "US:20"
    assert {where.partition(":")[0] for where in places(long, party="CN")} == {"CN"}
    assert places(long, kind="watch") == []
    assert places(long, kind="people", party="US") == ["US:0", "US:1", "US:2", "US:3"]
    for wrong in (
        {"ref": "US:9999"},
        {"ref": "XX:1"},
        {"ref": "US-2026-000001"},
        {"before": "nonsense"},
        {"since": "soon"},
    ):
        with pytest.raises(WrongUse):
            cut_of(long, asked(**wrong), 0)


def test_since_leaves_out_what_is_older(long):
    """Only records from that time on, however many pages they are."""
    entries = long.view.fold.ordered()
    at = entries[-10].ts
    assert places(long, since=str(at)) == [place(long, e) for e in entries if e.ts >= at]


@pytest.mark.parametrize(
    "given", [{}, {"before": "US:50"}, {"after": "CN:50"}, {"kind": "machine"}, {"kind": "messages"}]
)
def test_ten_times_the_records_are_converted_no_more_often(long, monkeypatch, given):
    """A page converts the records that it shows: as many with 3,000 in the logs as with 300."""
    world = World()
    for _ in range(1_500):
        world.sync("a")
        world.sync("b")
    counted = []
    for client in (long, seat_at(world)):
        calls = []
        as_verdict = folds.as_verdict

        def counting(*args, calls=calls, as_verdict=as_verdict):
            calls.append(args)
            return as_verdict(*args)

        with monkeypatch.context() as patch:
            patch.setattr(folds, "as_verdict", counting)
            rows(client, cut_of(client, asked(**given), 0).entries, Texts("en"))
        counted.append(len(calls))
    assert counted[0] == counted[1] <= SIZE


def test_what_does_not_count_is_shown_with_its_reason_and_nothing_that_it_says():
    """A refused message and a leaf that can't be read stand in their places, marked, with the reason in words."""
    world = World()
    sent = world.send("a", "records")  # the records key signs nothing
    world.raw("b", b"no record")
    client = seat_at(world)
    shown = {row.place: row for row in rows(client, cut_of(client, asked(kind="uncounted"), 0).entries, Texts("en"))}
    refused, opaque = shown[f"CN:{sent.index}"], shown["US:4"]
    assert len(shown) == 2
    assert (refused.state, refused.said, refused.link) == ("refused", "", f"/r/CN:{sent.index}")
    assert refused.why == "a signer's key does not count at this place"
    assert (opaque.kind, opaque.why) == ("unknown", "it can't be read here and is kept as it is")


# --- as people see it -------------------------------------------------------------------------------------------------


async def test_a_record_shows_who_what_and_how_far_it_is_verified(room):
    """A message: its place, kind, person, gist and mark in words, with a link to it; it comes by itself."""
    page = await room.page("us")
    await page.goto(page.url.rstrip("/") + "/log")
    async with room.desk("cn").working() as client:
        sent = await client.send(Draft(fmt="F03", body=FACTS | {"line": "日志一句话"}, lang="zh"))
    row = page.locator("tr[data-item]", has_text=sent.verdict.number)
    await expect(row).to_contain_text("日志一句话")
    await expect(row).to_contain_text("F03")
    await expect(row).to_contain_text("CN Expert 1")
    await expect(row).to_contain_text("anchored")
    await expect(row.locator("a")).to_have_attribute("href", f"/m/{sent.verdict.number}")
    machine = page.locator("tr[data-item]", has_text="node started").first
    await expect(machine).to_contain_text("node of")
    await expect(machine.locator("a")).to_have_attribute("href", "/r/" + await machine.get_attribute("data-item"))
    assert room.console == []


async def test_filters_and_the_jump_work_by_keyboard_and_without_scripts(room):
    """The form is plain: Enter shows what is chosen; what can't be found is said at the form, with what was typed."""
    page = await room.page("us", java_script_enabled=False)
    base = page.url.rstrip("/")
    await page.goto(base + "/log")
    await page.select_option("#kind", "people")
    await page.select_option("#party", "CN")
    await page.locator("#since").press("Enter")
    await expect(page.locator("tbody tr")).to_have_count(4)
    await page.fill("#ref", "us:1")
    await page.locator("#ref").press("Enter")
    await expect(page.locator("tr.here th")).to_contain_text("US:1")
    await page.fill("#ref", "US-2026-999999")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("#fault")).to_contain_text("NO_MESSAGE")
    await expect(page.locator("#ref")).to_have_value("US-2026-999999")
    room.console.clear()  # the browser tells of the answer's status


async def test_the_log_speaks_chinese(room):
    """The same page in the other language, with the words of the glossary."""
    page = await room.page("cn", lang="zh")
    await page.goto(page.url.rstrip("/") + "/log?kind=people")
    await expect(page.locator("h1")).to_have_text("日志")
    await expect(page.locator("tbody tr").first).to_contain_text("已锚定")
    await expect(page.locator("thead")).to_contain_text("签署方")
    assert room.console == []
