"""``make screenshots``: every page of a desk in each mode and language, looked at by machine, on one contact sheet.

    build/screenshots/MODE-LANG-PAGE.png     1280 px wide, the whole page; five pages at 320 px too (…-320.png)
    build/contact-sheet.png                  all of them, small, with page, mode and language
    docs/pictures/*.png                      the tour of the README

Two channels are founded for it, one exercise and one actual, and the same incident is played on both. It ends with 1 where
a picture is blank, a character has no glyph, a page scrolls sideways or does not show its mode. Replay has no page yet.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import sys
import tempfile
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path

from playwright.async_api import async_playwright, expect

from tests.cli.running import TOP, Machine
from tests.desk.conftest import CHROMIUM, Room
from tests.desk.pages import furnish
from tests.desk.scene import play
from tests.desk.seeing import faults, look
from tests.desk.writings import write

BUILD, PICTURES = TOP / "build", TOP / "docs/pictures"
MODES = {1: "actual", 2: "exercise"}
LANGS = ("en", "zh")
NARROW = ("watch", "compose-F03", "review", "thread-own", "case")
WIDE, HIGH, SLIM, THUMB = 1280, 900, 320, 240
TOUR = {"watch": "watch", "compose": "compose-F03", "review": "review", "message": "thread-own", "case": "case", "handover": "handover"}  # fmt: skip
MOST_BYTES = 150_000


@asynccontextmanager
async def opened(folder, browser, mode):
    """Both desks of a new channel, as the tests have them."""
    machine = await asyncio.to_thread(Machine, folder, mode)
    room = Room(machine, browser, mode)
    try:
        await asyncio.to_thread(machine.start, "us", "cn")
        await room.open("us", "cn")
        for party in ("us", "cn"):
            await room.sit(party, "expert-1")
        yield room
    finally:
        await room.close()
        await asyncio.to_thread(machine.end, *list(machine.running))


async def places(room):
    """{page: address} of every page of US's desk with the incident in it."""
    scene = await play(room)
    every = dict(await furnish(room))
    desk = room.desk("us")
    raising = await write(desk, "F12", case=scene.case, op="raise", to_level="crisis")
    answer = await write(desk, "F07", case=scene.case, refs=(scene.asked,))
    correction = await write(desk, "F14", case=scene.case, refs=(scene.followed,), cor="COR")
    return every | {
        "thread": f"/m/{scene.waiting}", "thread-own": f"/m/{scene.first}", "thread-corrected": f"/m/{scene.followed}",
        "thread-asked": f"/m/{scene.asked}", "record": f"/r/{scene.handed}", "case": f"/cases/{scene.case}",
        "approval": f"/approvals/{scene.draft}", "review": f"/review/{scene.written}",
        "compose-F03": f"/compose/{scene.written}", "compose-empty": f"/compose/{scene.begun}",
        "throw": f"/compose/{scene.written}/throw", "compose-F12": f"/compose/{raising}", "compose-F07": f"/compose/{answer}",
        "compose-F14": f"/compose/{correction}", "link-answer": f"/link?answer={scene.line_test}",
        "aloud": "/directory/aloud/channel", "case-closed": f"/cases/{scene.closed}",
    }  # fmt: skip


async def visit(room, page, path):
    """Go to a page of US's desk; it is there as a whole, and it is no page about a problem."""
    await page.goto(room.origin("us") + path)
    await expect(page.locator("main h1")).to_be_visible()
    problem = page.locator("main .problem")
    assert await problem.count() == (path == "/nowhere"), (path, await problem.all_inner_texts())


async def hold(room, page, path):
    """The five seconds before an emergency release, which then is cancelled."""
    await visit(room, page, path)
    await page.route("**/review/*/send", lambda route: route.continue_())
    await page.locator("#send-form button.main").click()
    await expect(page.locator("#holding")).to_be_visible()
    await page.route("**/review/*/send", lambda route: route.abort())


async def found(room, page, path):
    """What a search has found."""
    await visit(room, page, path)
    await page.locator("#q").fill("agent")
    await page.locator("form[action='/search'] button.main").click()
    await expect(page.locator("#found-head")).to_be_visible()


async def held(room, page, path):
    """What the officer who holds the post can do."""
    await room.sit("us", "duty.2")
    await visit(room, page, path)


async def locked(room, page, path):
    """The desk while nobody is at it."""
    room.desk("us").lock()
    await visit(room, page, path)


ACTS = {
    "hold": (hold, "review-single"),
    "search-found": (found, "search"),
    "handover-held": (held, "handover"),
    "locked": (locked, "watch"),
}
"""Pages that something has to be done for, and where it is begun. The locked one is last."""


class Camera:
    """Takes pictures and keeps what the machine has seen in them. ``folder`` None keeps no files."""

    def __init__(self, eye, folder=None):
        self.eye, self.folder = eye, folder
        self.taken, self.faults = [], []

    async def take(self, page, name, mode, lang, path=""):
        """One picture of a page as a whole. ``name``: of the page."""
        png = await page.screenshot(full_page=True, animations="disabled")
        seen = await look(self.eye, png, THUMB if self.folder else 0)
        label = f"{MODES[mode]}-{lang}-{name}"
        self.faults += [f"{label} ({path}): {fault}" for fault in await faults(page, seen, mode)]
        self.taken.append(label)
        if self.folder:
            (self.folder / f"{label}.png").write_bytes(png)
            (self.folder / "small" / f"{label}.png").write_bytes(base64.b64decode(seen["small"]))


async def photograph(room, camera, wanted, lang):
    """Every wanted page of US's desk, and some of them narrow."""
    page = await room.page("us", lang=lang)
    for name, path in wanted.items():
        if name in ACTS:
            continue
        await visit(room, page, path)
        await camera.take(page, name, room.mode, lang, path)
        if name in NARROW:
            await page.set_viewport_size({"width": SLIM, "height": HIGH})
            await camera.take(page, f"{name}-320", room.mode, lang, path)
            await page.set_viewport_size({"width": WIDE, "height": HIGH})
    for name, (act, begun) in ACTS.items():
        await act(room, page, wanted[begun])
        await camera.take(page, name, room.mode, lang, wanted[begun])
    await room.sit("us", "expert-1")
    await page.context.close()


def sheet(labels):
    """The contact sheet as a page: a row for a page, its modes and languages beside each other, two pages in a row."""
    names = dict.fromkeys(label.split("-", 2)[2] for label in labels)
    columns = [f"{mode}-{lang}" for mode in MODES.values() for lang in LANGS]

    def cell(column, name):
        label = f"{column}-{name}"
        shown = f'<img src="screenshots/small/{label}.png" alt="">' if label in labels else "–"
        said = escape(f"{name} · {column.replace('-', ' · ')}")
        return f'<figure><figcaption>{said}</figcaption><a href="screenshots/{label}.png">{shown}</a></figure>'

    cells = "".join(cell(column, name) for name in names for column in columns)
    style = (
        f"body {{ margin: 12px; font: 12px sans-serif; background: #ccc; display: grid; gap: 10px; "
        f"grid-template-columns: repeat({2 * len(columns)}, {THUMB}px); align-items: start; }} figure {{ margin: 0; }} "
        f"img {{ display: block; width: {THUMB}px; }}"
    )
    return f'<!doctype html><meta charset="utf-8"><title>Contact sheet</title><style>{style}</style>{cells}'


async def contact_sheet(browser, labels):
    """Write the sheet, as a page and as one picture."""
    (BUILD / "contact-sheet.html").write_text(sheet(labels), "utf-8")
    page = await browser.new_page(viewport={"width": 8 * (THUMB + 10) + 14, "height": HIGH})
    await page.goto((BUILD / "contact-sheet.html").as_uri())
    await page.screenshot(path=BUILD / "contact-sheet.png", full_page=True)
    await page.close()


async def tour(room, wanted):
    """The pictures of the README: in English, and the watch page of the other side in Chinese."""
    PICTURES.mkdir(exist_ok=True)
    small = {"viewport": {"width": 960, "height": 600}}
    page = await room.page("us", **small)
    for name, shown in TOUR.items():
        await (held if name == "handover" else visit)(room, page, wanted[shown])
        await page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")
    await page.context.close()
    await room.sit("us", "expert-1")
    page = await room.page("cn", "duty", lang="zh", **small)
    await page.screenshot(path=PICTURES / "watch-zh.png", animations="disabled")
    await page.context.close()


async def main():
    """All of it; the number of faults."""
    folder = BUILD / "screenshots"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "small").mkdir(parents=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        camera = Camera(await browser.new_page(), folder)
        for mode, word in MODES.items():
            with tempfile.TemporaryDirectory(prefix="screenshots-") as place:
                async with opened(Path(place) / "trial", browser, mode) as room:
                    wanted = await places(room)
                    for lang in LANGS:
                        await photograph(room, camera, wanted, lang)
                        sys.stdout.write(f"{word} {lang}: {len(camera.taken)} pictures so far\n")
                    if mode == 2:
                        await tour(room, wanted)
        await contact_sheet(browser, camera.taken)
        await browser.close()
    heavy = [p.name for p in sorted(PICTURES.glob("*.png")) if p.stat().st_size > MOST_BYTES]
    camera.faults += [f"docs/pictures/{name} has more than {MOST_BYTES} bytes" for name in heavy]
    sys.stdout.writelines(f"{fault}\n" for fault in camera.faults)
    sys.stdout.write(f"{len(camera.taken)} pictures, {len(camera.faults)} faults: {BUILD / 'contact-sheet.png'}\n")
    return len(camera.faults)


if __name__ == "__main__":
    sys.exit(min(1, asyncio.run(main())))
