"""A desk believes no node: each lie is said on every page, plainly, and nothing that was known before is lost."""

from __future__ import annotations

import shutil
import signal
import time

import pytest
from playwright.async_api import expect

from channel.desk import open_desk
from channel.protocol import note as notes
from channel.protocol.note import NotePrivate
from keys.codec import pack
from tests.client.liar import changed


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """A desk tries again sooner than it does for people."""
    for name, seconds in (("AGAIN_SECONDS", 0.3), ("LOOK_SECONDS", 1.0), ("NODE_SECONDS", 3.0), ("FEED_SECONDS", 3.0)):
        monkeypatch.setattr(open_desk, name, seconds)


EVERY = ("/", "/settings", "/lock", "/cases", "/log", "/compose", "/directory", "/nowhere")


async def verified(room, count=2):
    """A page of US's desk that holds some messages of the other side."""
    for i in range(count):
        number = await room.send("cn", line=f"line {i}")
    await room.seen("us", number)
    page = await room.page("us")
    await expect(page.locator(f"[data-item='{number}']")).to_be_visible()
    return page


async def said_everywhere(room, page, code):
    """The alarm or fault stands on every page."""
    for path in EVERY:
        await page.goto(room.origin("us") + path)
        await expect(page.locator("#alarms")).to_contain_text(code)


async def truth(room, page):
    """The node lies no more: the page goes on by itself."""
    room.liar.lies = {}
    await page.goto(room.origin("us") + "/")
    await expect(page.locator("#alarms")).not_to_contain_text("Nothing new is coming in.", timeout=40_000)
    number = await room.send("cn", line="after the lie")
    await expect(page.locator(f"[data-item='{number}']")).to_be_visible(timeout=40_000)


async def test_an_older_log_and_withheld_records(lied_room):
    """Less than was verified before is said (NODE_BEHIND); what is here stays here; records kept back are said as well."""
    room = lied_room
    async with room.desk("us").working() as client:
        old = await client.wire.notes()
    page = await verified(room)
    room.liar.lies = {"/notes": changed(lambda _: old)}
    await room.send("cn", line="makes the node tell its notes")
    await expect(page.locator("#alarms")).to_contain_text("NODE_BEHIND", timeout=40_000)
    await expect(page.locator("#owed [data-item]").first).to_be_visible()
    await said_everywhere(room, page, "NODE_BEHIND")
    await truth(room, page)
    room.liar.lies = {"/records": lambda _path, _raw: pack([])}
    await room.send("cn", line="kept back")
    await expect(page.locator("#alarms")).to_contain_text("NODE_BEHIND", timeout=40_000)
    await truth(room, page)


async def test_garbage(lied_room):
    """Answers that are none, of every kind of request, the feed's too: said, and the desk goes on when they are good again."""
    room = lied_room
    page = await verified(room, 1)
    for lie in (
        {"/notes": lambda _path, _raw: b"\xff" * 40}, {"/notes": lambda _path, _raw: pack({"a": 1})},
        {"/records": lambda _path, raw: raw[:-3]}, {"/feed": lambda _path, _raw: b"event: x\ndata: {{{\n\n"},
        {"/feed": lambda _path, _raw: b"\xff\xfe\n" * 10}, {"/feed": lambda _path, _raw: b"x" * 300_000},
        {"/notes": lambda _path, _raw: (500, b"<html>")}, {"/notes": lambda _path, _raw: (403, pack({"code": "NO_SUCH_CODE", "values": {}}))},
    ):  # fmt: skip
        room.liar.lies = lie
        await room.send("cn", line="something new")
        await expect(page.locator("#alarms")).to_contain_text("Nothing new is coming in.", timeout=40_000)
        assert not [task for task in room.desk("us")._tasks if task.done()]
        await truth(room, page)
    room.liar.lies = {"/link": lambda _path, _raw: b"\xff"}
    await page.goto(room.origin("us") + "/")
    room.liar.lies = {}
    assert not [task for task in room.desk("us")._tasks if task.done()]


async def test_old_notes_are_stale_even_where_the_node_tells_an_old_time(lied_room):
    """A node that stands still in everything, its clock included, can't hide it from a desk with a clock of its own."""
    room = lied_room
    page = await verified(room, 1)
    async with room.desk("us").working() as client:
        old, link = await client.wire.notes(), await client.wire.link()
    room.liar.lies = {"/notes": changed(lambda _: old), "/link": changed(lambda _: link)}
    room.clock.ahead = room.desk("us").client.view.stale_after() + 60.0
    await page.goto(room.origin("us") + "/")
    await expect(page.locator("#alarms")).to_contain_text("STALE")
    await said_everywhere(room, page, "STALE")


def forged(room, letter, size):
    """A note with the true signatures of both parties over another history."""
    place = "ab".index(letter)
    mine, other = room.machine.trial.parties[place], room.machine.trial.parties[1 - place]
    chan = room.desk("us").client.view.chan
    note = notes.sign_quick(NotePrivate(mine.log), notes.origin(chan, letter, 0), size, b"\x07" * 32)
    name = notes.cosigner_name(notes.origin(chan, "ba"[place], 0))
    return notes.merge(note, notes.cosign(NotePrivate(other.cos), name, note, int(time.time()), anchor=False)).encode()


async def test_two_histories(lied_room):
    """LOG_FORK stands on every page for good, after a restart too; all can still be read, and nothing can be sent."""
    room = lied_room
    page = await verified(room)
    view = room.desk("us").client.view
    raw = forged(room, view.peer, len(view.copies[view.peer].records))
    room.liar.lies = {
        "/notes": changed(lambda said: said[view.peer].update(anchors=[*said[view.peer]["anchors"], raw]))
    }
    await room.send("cn", line="makes the node tell its notes")
    await expect(page.locator("#alarms [role=alert]")).to_contain_text("LOG_FORK", timeout=40_000)
    await said_everywhere(room, page, "LOG_FORK")
    room.liar.lies = {}
    await page.goto(room.origin("us") + "/")
    before = len(room.desk("us").home.queued())
    await page.locator("#owed button[name=step][value=read]").first.click()
    await expect(page.locator("main")).to_contain_text("LOG_FORK")
    assert len(room.desk("us").home.queued()) == before
    assert not [asked for asked in room.liar.asked if "/submit" in asked[1]]
    room.desk("us").lock()
    await expect(page.locator("body")).to_have_attribute("data-locked", "yes")
    await expect(page.locator("#alarms")).to_contain_text("LOG_FORK")


async def test_another_certificate(lied_room):
    """A node that shows another certificate than the home's is an alarm; nothing is said to it."""
    room = lied_room
    await verified(room, 1)
    shutil.copy(room.machine.node("cn") / "tls-cert.pem", room.machine.desk("us") / "node-cert.pem")
    opened = [asked for asked in room.liar.asked if "/login" in asked[1]]
    await room.restart("us")
    page = await room.page("us")
    assert [asked for asked in room.liar.asked if "/login" in asked[1]] == opened
    await expect(page.locator("#alarms [role=alert]")).to_contain_text("NODE_CERT", timeout=40_000)
    await said_everywhere(room, page, "NODE_CERT")
    await expect(page.locator("#alarms")).to_contain_text("Stop, and ask your operator by voice")


async def test_a_node_that_hangs_holds_up_no_page(lied_room):
    """A node that takes requests and does not answer: the page says so, and every page is still there at once."""
    room = lied_room
    page = await verified(room, 1)
    process = room.machine.running["us"]
    process.send_signal(signal.SIGSTOP)
    try:
        await expect(page.locator("#alarms")).to_contain_text("Nothing new is coming in.", timeout=60_000)
        for path in EVERY:
            begun = time.monotonic()
            await page.goto(room.origin("us") + path)
            assert time.monotonic() - begun < 5, path
    finally:
        process.send_signal(signal.SIGCONT)
    await truth(room, page)


async def test_a_fork_outlives_the_process(lied_room):
    """A desk that is opened on a home with proof of two histories says so from the first page on."""
    room = lied_room
    await verified(room, 1)
    room.desk("cn").home.keep_fork("a", forged(room, "a", 1))
    await room.restart("cn")
    page = await room.page("cn")
    await expect(page.locator("#alarms [role=alert]")).to_contain_text("LOG_FORK")
