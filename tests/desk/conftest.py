"""Desks as people have them: two running nodes, both desks served, a real browser. All of a module in one loop.

    async def test_x(room):
        page = await room.page("us", "expert-1")            # unlocked, English, 1280 x 900
        other = await room.page("cn", "duty", lang="zh")

Nodes are processes of their own; the desks run in the test's loop, so that a test can look into them (``room.desk("us")``)
and move their clock. Commands of the terminal need another home: one process holds a home (``room.outside``).
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from channel.client.composing import Draft
from channel.client.home import DeskHome
from channel.clock import SystemClock
from channel.desk.app import serving
from channel.desk.open_desk import OpenDesk
from tests.cli.running import Machine
from tests.client.liar import Liar

CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
SINCE = 1_790_000_000_000
expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items):
    """One loop for a module: its browser and its desks live as long."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


async def holds(page, expression, seconds=20.0):
    """Wait until an expression holds in a page; the page's own policy forbids ``wait_for_function``."""
    async with asyncio.timeout(seconds):
        while not await page.evaluate(expression):  # noqa: ASYNC110  another process has no event to wait for
            await asyncio.sleep(0.05)


LIVING = []
"""The browser of this module, while there is one."""


class SteeredClock(SystemClock):
    """The machine's clock, moved forward by tests."""

    def __init__(self):
        self.ahead = 0.0

    def now(self):
        return super().now() + int(self.ahead * 1000)

    def monotonic(self):
        return super().monotonic() + self.ahead


class Room:
    """Both desks of one channel, and the browser that looks at them."""

    def __init__(self, machine, browser, mode=2):
        self.machine, self.browser, self.mode = machine, browser, mode
        self.clock = SteeredClock()
        self.stack = AsyncExitStack()
        self.desks, self.served, self._each = {}, {}, {}
        self.console = []
        """What any page has complained of: script errors and refused loads."""
        self.asked = []
        """Every address that any page has asked for."""

    async def open(self, *parties, idle_seconds=36_000.0):
        for party in parties:
            home = DeskHome(self.machine.desk(party))
            stack = self._each[party] = await self.stack.enter_async_context(AsyncExitStack())
            stack.callback(home.close)
            desk = await stack.enter_async_context(
                OpenDesk(home, clock=self.clock, random=os.urandom, idle_seconds=idle_seconds)
            )
            self.desks[party] = desk
            self.served[party] = await stack.enter_async_context(serving(desk))

    async def restart(self, party, seat="expert-1"):
        """End a desk and open it again on the same home, at another port; unlocked for a seat."""
        await self._each[party].aclose()
        await self.open(party)
        await self.sit(party, seat)

    async def close(self):
        await self.stack.aclose()

    def desk(self, party):
        return self.desks[party]

    async def context(self, **more):
        """A browser of its own: no cookie of another."""
        return await self.browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **more})

    async def page(self, party, seat="expert-1", lang="en", context=None, **more):
        """A page of a desk, opened by a fresh link and unlocked for a seat."""
        desk, context = self.desks[party], context or await self.context(**more)
        desk.home.set("lang", lang)
        page = await context.new_page()
        self.listen(page)
        if desk.locked or desk.client.keys.seat != seat:
            await self.sit(party, seat)
        await page.goto(self.served[party].entry.link())
        await expect(page.locator("main h1")).to_be_visible()
        return page

    def listen(self, page):
        """Note what a page complains of and what it asks for."""
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.console.append(said.text))
        page.on("request", lambda request: self.asked.append(request.url))

    def origin(self, party):
        """Where a desk is served."""
        return self.served[party].entry.origin

    async def send(self, party, fmt="F03", lang="en", level="attention", **body):
        """A message of a desk's person, without the page; its number."""
        facts = {
            "category": "UNX",
            "origin": "UNK",
            "intent": ["UNK"],
            "since": SINCE,
            "control": "K9",
            "line": "one line",
        }
        async with self.desks[party].working() as client:
            sent = await client.send(
                Draft(fmt=fmt, body=(facts if fmt == "F03" else {}) | body, lang=lang, level=level)
            )
        return sent.verdict.number

    async def flash(self, party, entry="MAPLE 00", **body):
        """The emergency release of one person: F13 at the pace of crisis management; its number."""
        said = {"entry": entry} | body
        async with self.desks[party].working() as client:
            sent = await client.send(Draft(fmt="F13", body=said, lang="en", level="attention", single=True))
        return sent.verdict.number

    async def sit(self, party, seat):
        """Unlock for a seat as its person would, without the page."""
        from channel.client.unlocking import kept_passphrase

        await self.desks[party].unlock(seat, kept_passphrase(self.desks[party].home))

    async def seen(self, party, number, seconds=20.0):
        """Wait until a desk has a message."""
        async with asyncio.timeout(seconds):
            while all(m.verdict.number != number for m in self.desks[party].client.messages()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(need):
    path = need("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        LIVING.append(browser)
        yield browser
        LIVING.remove(browser)
        await browser.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def pages_are_closed():
    """What a test opened is closed after it: a page that stays open asks for itself again at every change."""
    before = {browser: set(browser.contexts) for browser in LIVING}
    yield
    for browser in LIVING:
        for context in set(browser.contexts) - before.get(browser, set()):
            await context.close()


class _Sides:
    """What a liar needs to know of a machine."""

    def __init__(self, machine):
        self._machine = machine
        self.nodes = {code: machine.node(code.lower()) for code in ("US", "CN")}

    def cert(self, code):
        return (self.nodes[code] / "tls-cert.pem").read_text()

    def url(self, code):
        return json.loads((self.nodes[code] / "run.json").read_text())["desk_url"]


async def _room(tmp_path_factory, need, browser, mode, *, lying=False):
    need("embedded-valkey")
    machine = await asyncio.to_thread(Machine, tmp_path_factory.mktemp("room") / "trial", mode)
    room = Room(machine, browser, mode)
    try:
        await asyncio.to_thread(machine.start, "us", "cn")
        if lying:
            room.liar = await room.stack.enter_async_context(Liar(_Sides(machine), "US"))
            (machine.desk("us") / "desk.toml").write_text(f'party = "US"\nnode_url = "{room.liar.url}"\n')
        await room.open("us", "cn")
        for party in ("us", "cn"):
            await room.sit(party, "expert-1")
        yield room
    finally:
        await room.close()
        await asyncio.to_thread(machine.end, *list(machine.running))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(tmp_path_factory, need, browser):
    """An exercise channel with both desks open."""
    async for room in _room(tmp_path_factory, need, browser, 2):
        yield room


@pytest_asyncio.fixture(loop_scope="module")
async def lied_room(tmp_path_factory, need, browser):
    """The same as ``room`` for one test, with a liar before US's node: ``room.liar.lies``."""
    async for room in _room(tmp_path_factory, need, browser, 2, lying=True):
        yield room


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def actual_room(tmp_path_factory, need, browser):
    """The same in actual mode."""
    async for room in _room(tmp_path_factory, need, browser, 1):
        yield room
