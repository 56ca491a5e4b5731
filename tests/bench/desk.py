"""``make bench-desk``: whether a long log makes the desk slow. From "send" on desk A to visible on desk B, and each page.

Two channels run side by side, one with 100 records in its logs and one with 10,000; every figure is taken from both in
turn, so that what else the machine does weighs on both alike. Desk B is a process of its own and its page stands in a
real Chromium; "visible" is the first time that the message stands in the page. Pages are timed from the request to the
last byte, as somebody with the page's cookie.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from playwright.async_api import async_playwright
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from channel.client.composing import Draft
from channel.client.home import DeskHome
from channel.client.unlocking import kept_passphrase
from channel.clock import SystemClock
from channel.desk.app import serving
from channel.desk.open_desk import OpenDesk
from tests.bench.filled import filled
from tests.cli.running import TOP, environment

SHORT, LONG = 100, 10_000
SENDS, LOOKS = 100, 15
AIM = 1.3
SEAT = "expert-1"
ARGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
SEEN = """text => new Promise(done => {
  const look = () => document.querySelector("main").textContent.includes(text)
    && (watcher.disconnect(), done(performance.timeOrigin + performance.now()));
  const watcher = new MutationObserver(look);
  watcher.observe(document.body, { childList: true, subtree: true, characterData: true });
  look();
})"""
"""The moment, ms, at which a text stands in the page."""


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


# --- desk B: a process of its own ---------------------------------------------------------------------------------


async def serve(home_path):
    """Serve a desk until nobody reads any more; says on one line how long opening took, and two links."""
    start = time.perf_counter()
    home = DeskHome(home_path)
    home.set("lang", "zh")
    opened = OpenDesk(home, clock=SystemClock(), random=os.urandom, idle_seconds=86_400.0)
    built = time.perf_counter()
    async with opened as desk, serving(desk) as served:
        await desk.unlock(SEAT, kept_passphrase(home))
        unlocked = time.perf_counter()
        links = [served.entry.link(), served.entry.link()]
        tell({"open": built - start, "unlock": unlocked - built, "links": links})
        await asyncio.to_thread(sys.stdin.read)
    home.close()


@dataclass
class Channel:
    """One channel as it is measured: the open desk A, the page of desk B, a session with desk B, how long opening took."""

    desk: OpenDesk
    page: object
    session: aiohttp.ClientSession
    origin: str
    token: str
    told: dict

    async def send(self, n):
        """Milliseconds from the start of sending until the message stands in the other desk's page.

        It is received and read there afterwards, so that the page stays as it was.
        """
        text = f"What is known now, note {n} of measurement {os.urandom(4).hex()}."
        seen = asyncio.ensure_future(self.page.evaluate(SEEN, text))
        await asyncio.sleep(0.3)
        async with self.desk.working() as client:
            case = client.find(client.index.openings(closed=False)[0])
            start = time.time()
            sent = await client.send(Draft(fmt="F04", body={"line": text}, lang="en", case=case.ph))
        async with asyncio.timeout(120):
            took = await seen - start * 1000
        read = {"token": self.token, "step": "read", "back": "/"}
        path = f"{self.origin}/m/{sent.verdict.number}/ack"
        async with self.session.post(path, data=read, headers={"Origin": self.origin}, allow_redirects=False) as answer:
            assert answer.status == 303
        return took

    async def look(self, path):
        """Milliseconds until a page has answered; None where there is no such page."""
        start = time.perf_counter()
        async with self.session.get(self.origin + path, allow_redirects=False) as answer:
            await answer.read()
            took = (time.perf_counter() - start) * 1000
            return took if answer.status == 200 else None

    def paths(self):
        """Addresses of every page, with messages and cases of this channel: old ones and new ones."""
        index, fold = self.desk.client.index, self.desk.client.view.fold
        first, last = index.openings()[0], index.openings()[-1]
        numbers = [fold.find(ph).verdict.number for ph in (first, last)]
        newest = index.newest_messages(1, by=self.desk.client.view.peer)[0].verdict.number
        return {
            "/": "/", "/compose": "/compose", "/approvals": "/approvals", "/cases": "/cases", "/handover": "/handover",
            "/log": "/log", "/log?party=US": "/log?party=US",
            "/log?kind=uncounted": "/log?kind=uncounted", "/log?ref=OLDEST": f"/log?ref={numbers[0]}", "/link": "/link", "/ladder": "/ladder",
            "/directory": "/directory", "/glossary": "/glossary", "/search": "/search", "/settings": "/settings",
            "/help": "/help", "/real-world": "/real-world", "/start": "/start",
            "/cases/OLDEST": f"/cases/{numbers[0]}", "/cases/NEWEST": f"/cases/{numbers[1]}",
            "/m/OLDEST": f"/m/{numbers[0]}", "/m/NEWEST": f"/m/{newest}", "/r/US:3": "/r/US:3",
        }  # fmt: skip


@asynccontextmanager
async def looked_at(machine, browser):
    """Both desks of a channel."""
    async with AsyncExitStack() as stack:
        home = DeskHome(machine.desk("us"))
        stack.callback(home.close)
        desk = await stack.enter_async_context(
            OpenDesk(home, clock=SystemClock(), random=os.urandom, idle_seconds=86_400.0)
        )
        await desk.unlock(SEAT, kept_passphrase(home))
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.desk", "--serve", str(machine.desk("cn")), cwd=TOP, env=environment(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        stack.push_async_callback(other.wait)
        stack.callback(other.stdin.close)
        told = json.loads(await asyncio.wait_for(other.stdout.readline(), 300))
        page = await (await browser.new_context()).new_page()
        stack.push_async_callback(page.close)
        await page.goto(told["links"][0])
        jar = aiohttp.CookieJar(unsafe=True)  # of an address, not of a name
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
        first = await (await session.get(told["links"][1])).text()
        token = re.search(r'name="token" value="(\w+)"', first)[1]
        yield Channel(desk, page, session, told["links"][1].partition("/enter/")[0], token, told)


async def measure(channels, sends, looks, done):
    """Figures by name, each a list of the channels' values in turn."""
    paths = [c.paths() for c in channels]
    found = {name: [[] for _ in channels] for name in paths[0]}
    for n in range(looks + 1):  # in rounds, so that a busy moment of the machine falls on one look at each page
        for name, values in found.items():
            for at in range(len(channels))[:: 1 if n % 2 else -1]:
                values[at].append(await channels[at].look(paths[at][name]))
        done()
    figures = {
        f"page {name}, ms": [statistics.median(each[1:]) for each in values]
        for name, values in found.items()
        if None not in values[0]
    }
    took = []
    for n in range(sends + 1):
        order = channels[:: 1 if n % 2 else -1]  # what one leaves behind weighs on the next
        took.append([found for _, found in sorted([(channels.index(c), await c.send(n)) for c in order])])
        done()
    for name, q in (("p50", 0.5), ("p95", 0.95)):
        figures[f"send to visible, {name}, ms"] = [quantile(values, q) for values in zip(*took[1:], strict=True)]
    figures["opening the desk, s"] = [c.told["open"] for c in channels]
    figures["unlocking a person, s"] = [c.told["unlock"] for c in channels]
    return figures


async def run(folder, lengths=(SHORT, LONG), sends=SENDS, looks=LOOKS):
    """Figures of channels with so many records each."""
    with Progress(console=Console(stderr=True)) as progress:
        async with AsyncExitStack() as stack:
            machines = []
            for length in reversed(lengths):  # the longest first: nodes write by themselves, and the others stay short
                bar = progress.add_task(f"{length:,} records", total=length)
                machines.insert(0, await stack.enter_async_context(
                    filled(folder / str(length), length, lambda size, bar=bar: progress.update(bar, completed=size))
                ))  # fmt: skip
                progress.update(bar, completed=length)
            playwright = await stack.enter_async_context(async_playwright())
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
            stack.push_async_callback(browser.close)
            channels = [await stack.enter_async_context(looked_at(machine, browser)) for machine in machines]
            bar = progress.add_task("measuring", total=looks + sends + 2)
            sizes = [sum(c.desk.client.view.sizes()) for c in channels]
            figures = await measure(channels, sends, looks, lambda: progress.advance(bar))
    return {"records": sizes, "sends": sends, "figures": figures}


def ratios(figures):
    """The ratio of each figure that the project holds itself to; what opening costs is told, not held."""
    return {name: values[-1] / values[0] for name, values in figures.items() if name.endswith("ms")}


def tell(found):
    """One line of JSON."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def show(found):
    """Print the table, the two ratios that there is an aim for, and everything as one line of JSON."""
    console, told = Console(width=110), ratios(found["figures"])
    table = Table("", *(f"{size:,} records" for size in found["records"]), "ratio", box=None)
    for name, values in found["figures"].items():
        table.add_row(name, *(f"{value:,.2f}" for value in values), f"{values[-1] / values[0]:.2f}")
    console.print(table)
    pages = {name: ratio for name, ratio in told.items() if name.startswith("page")}
    slow = max(pages, key=pages.__getitem__)
    console.print(f"ratio: send to visible, p95 (aim ≤ {AIM})  {told['send to visible, p95, ms']:.2f}")
    console.print(f"ratio: the page that grows most, {slow.removesuffix(', ms')} (aim ≤ {AIM})  {pages[slow]:.2f}")
    tell(found | {"ratios": told})


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.bench.desk")
    parser.add_argument("--serve", type=Path, metavar="HOME", help="the other desk, as this program starts it itself")
    parser.add_argument("--quick", action="store_true", help="1,000 records in place of 10,000, and fewer sends")
    parser.add_argument("--sends", type=int, default=SENDS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    with tempfile.TemporaryDirectory(prefix="channel-bench-") as folder:
        lengths = (SHORT, 1_000) if options.quick else (SHORT, LONG)
        show(asyncio.run(run(Path(folder), lengths, 20 if options.quick else options.sends)))


if __name__ == "__main__":
    main()
