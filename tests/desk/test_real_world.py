"""The break-in of an exercise: one button for everybody, seen on both sides; nothing of the kind on an actual channel."""

from __future__ import annotations

import re
from types import SimpleNamespace

from playwright.async_api import expect

from channel.desk.break_in import _lasting
from channel.protocol.people import Exercise


def record(letter, index, op, seen=0):
    """A judged exercise record, as the index gives it."""
    doc = Exercise(chan=bytes(32), from_=bytes(32), op=op, x=0, ts=1)
    return SimpleNamespace(
        letter=letter, index=index, doc=doc, signers=(SimpleNamespace(kid=b"k"),),
        record=SimpleNamespace(ts=index, seen=(0, seen, bytes(32))),
    )  # fmt: skip


async def test_any_role_says_it_with_one_click_and_the_other_desk_shows_it(room):
    """A seat that sends no messages presses the button; every page of both sides shows it; pressing again adds no record."""
    other = await room.page("cn", "duty", "zh")
    page = await room.page("us", "records")
    await page.locator(".break-in").click()
    await expect(page.locator("main")).to_contain_text("Open the actual desk now")
    await expect(page.locator("main")).to_contain_text("请立即打开实际工作台")
    await expect(page.locator("#alarms")).to_contain_text("REAL WORLD")
    await expect(other.locator("#alarms")).to_contain_text("真实情况")
    await expect(other.locator("#alarms")).to_contain_text("US")
    count = len(room.desk("us").client.index.newest(("exercise",), 9))
    await page.locator(".break-in").click()
    await expect(page.locator("main")).to_contain_text("Open the actual desk now")
    assert len(room.desk("us").client.index.newest(("exercise",), 9)) == count == 1
    assert room.console == []


async def test_a_locked_desk_says_that_somebody_must_unlock(room):
    """The button is there, signs nothing, and the page says what to do all the same."""
    page = await room.page("cn", "expert-1")
    room.desk("cn").lock()
    await expect(page).to_have_url(re.compile("/lock"))
    await page.locator(".break-in").click()
    await expect(page.locator("main")).to_contain_text("somebody has to unlock it")
    await expect(page.locator("#problem")).to_contain_text("LOCKED")
    room.console.clear()  # the browser notes that the form was refused
    assert len(room.desk("us").client.index.newest(("exercise",), 9)) <= 1


async def test_an_actual_channel_has_no_such_button_page_or_record(actual_room):
    """Neither shown nor taken: the address leads nowhere, and nothing is signed."""
    page = await actual_room.page("us", "expert-1")
    await expect(page.locator(".break-in")).to_have_count(0)
    origin = actual_room.served["us"].entry.origin
    token = await page.locator("[name=token]").first.input_value()
    answer = await page.request.post(f"{origin}/real-world", form={"token": token}, headers={"Origin": origin})
    assert answer.status == 404
    assert (await page.goto(f"{origin}/real-world")).status == 404
    assert actual_room.desk("us").client.index.newest(("exercise",), 9) == []


def test_it_lasts_until_control_has_seen_it_and_goes_on():
    """A pause and a resume that had not seen it end nothing; the resume that has seen it does, in either log."""
    first, second = record("a", 5, "real-world"), record("b", 7, "real-world")
    assert [b.index for b in _lasting([first, second])] == [5, 7]
    assert [b.index for b in _lasting([first, second, record("a", 8, "pause", 9)])] == [5, 7]
    assert [b.index for b in _lasting([first, second, record("a", 9, "resume", 7)])] == [7]
    assert _lasting([first, second, record("a", 9, "resume", 8)]) == []
    assert [b.index for b in _lasting([record("a", 4, "startex", 9), first])] == [5]
