"""By keyboard alone: every control of every page is reached, seen where it is, and single keys do what the help says."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.desk.conftest import holds
from tests.desk.pages import furnish

pytestmark = pytest.mark.timeout(900)

MARK = """() => {
  let n = 0; const groups = new Set();
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")) {
    if (e.disabled || e.matches(":disabled") || e.tabIndex < 0 || !e.checkVisibility({ checkVisibilityCSS: true })) continue;
    if (e.type === "radio") { const g = e.form?.action + e.name; if (groups.has(g)) continue; groups.add(g); e.dataset.tabGroup = g; }
    e.dataset.tabTest = ++n;
  }
  return n;
}"""
HERE = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const s = getComputedStyle(e);
  const named = e.dataset.tabTest ?? (e.type === "radio" ? [...document.querySelectorAll("[data-tab-group]")].find(o => o.name === e.name && o.form === e.form)?.dataset.tabTest : null);
  const box = e.getBoundingClientRect();
  return { id: named, ring: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2, seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth, what: e.outerHTML.slice(0, 120) };
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(room):
    """The pages of a furnished room."""
    return await furnish(room)


async def test_every_control_is_reached_by_tab_and_shows_that_it_is(room, places):
    """Tab goes through everything that can be pressed or filled, each with a visible ring and inside the window."""
    page = await room.page("us")
    missed = []
    for name, path in places:
        await page.goto(room.origin("us") + path)
        await expect(page.locator("main h1")).to_be_visible()
        count, reached = await page.evaluate(MARK), set()
        for _ in range(2 * count + 20):  # what scrolls is a stop as well
            await page.keyboard.press("Tab")
            at = await page.evaluate(HERE)
            if at is None:
                continue
            if at["id"] not in reached and at["id"] and not (at["ring"] and at["seen"]):
                missed.append((name, "not seen", at["what"]))
            reached.add(at["id"])
            if len(reached - {None}) == count:
                break
        left = [n for n in range(1, count + 1) if str(n) not in reached]
        missed += [(name, await page.evaluate("n => document.querySelector(`[data-tab-test='${n}']`)?.outerHTML.slice(0, 160)", n)) for n in left]  # fmt: skip
    await page.context.close()
    missed = [one for one in missed if one[1] is not None]
    assert not missed, missed


async def pressed(page, *keys):
    """Press keys with nothing focused."""
    await page.evaluate("document.activeElement?.blur()")
    for key in keys:
        await page.keyboard.press(key)


GO = {"g w": "/", "g l": "/log", "g c": "/cases", "g a": "/approvals", "g s": "/settings", "g k": "/link", "g h": "/handover",
      "g d": "/ladder", "g p": "/directory", "g t": "/glossary", "c": "/compose", "?": "/help", "/": "/search"}  # fmt: skip


async def test_keys_lead_to_each_page(room, places):
    """From any page: ``g`` and a letter, ``c``, ``/`` and ``?``."""
    page = await room.page("us")
    for keys, path in GO.items():
        await page.goto(room.origin("us") + ("/ladder" if path != "/ladder" else "/"))
        await expect(page.locator("main h1")).to_be_visible()
        await pressed(page, *keys.split(" "))
        await expect(page).to_have_url(re.compile(re.escape(room.origin("us") + path) + r"(\?.*)?$"))
    await page.context.close()


async def test_j_k_move_and_a_signs_what_is_looked_at(room, places):
    """``j`` and ``k`` go through what waits; ``a`` is received and read for the one that has the focus, and for no other."""
    numbers = [await room.send("cn", line=f"waits {i}") for i in range(3)]
    await room.seen("us", numbers[-1])
    page = await room.page("us")
    await expect(page.locator(f"#owed [data-item='{numbers[-1]}']")).to_be_visible()
    shown = await page.locator("[data-item]:visible").evaluate_all("all => all.map(e => e.dataset.item)")
    for at in (0, 1, 2):
        await page.keyboard.press("j")
        await expect(page.locator(f"[data-item='{shown[at]}']").first).to_be_focused()
    await page.keyboard.press("k")
    await expect(page.locator(f"[data-item='{shown[1]}']").first).to_be_focused()
    wanted = page.locator(f"#owed [data-item='{numbers[1]}']")
    while not await wanted.evaluate("e => e === document.activeElement"):
        before = await page.evaluate("document.activeElement.dataset.item")
        await page.keyboard.press("j")
        assert await page.evaluate("document.activeElement.dataset.item") != before
    await page.keyboard.press("a")
    await expect(page.locator(f"#owed [data-item='{numbers[1]}'] button[value=read]")).to_have_count(0)
    for other in (numbers[0], numbers[2]):
        await expect(page.locator(f"#owed [data-item='{other}'] button[value=read]")).to_have_count(1)
    await page.context.close()


async def test_r_begins_a_reply(room, places):
    """``r`` on a message's page leads to a form that is about it."""
    page = await room.page("us")
    await page.goto(room.origin("us") + dict(places)["thread"])
    await pressed(page, "r")
    await expect(page).to_have_url(re.compile("/compose/"))
    await page.context.close()


async def test_single_keys_are_dead_in_fields_and_while_an_input_method_works(room, places):
    """Letters that are typed are text, and Enter of an input method is the input method's."""
    page = await room.page("us")
    await page.goto(room.origin("us") + "/search")
    field = page.locator("main input[name=q]")
    await field.focus()
    await page.keyboard.type("g l c a j k r / ?")
    await expect(field).to_have_value("g l c a j k r / ?")
    assert page.url.endswith("/search")
    for how in ("isComposing: true", "keyCode: 229"):
        await page.evaluate("document.activeElement.blur()")
        for key in ("c", "Enter", "?"):
            await page.evaluate(
                f"document.body.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', {how}, bubbles: true, cancelable: true }}))"
            )
    held = await page.evaluate(
        """() => { const f = document.querySelector("main input[name=q]"); f.focus();
          f.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: "好" }));
          return f.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode: 13, bubbles: true, cancelable: true })); }"""
    )
    assert held is False, "the Enter that some systems send after a composition"
    assert page.url.endswith("/search")
    await page.context.close()


async def test_single_keys_can_be_switched_off(room, places):
    """WCAG 2.1.4: after that they do nothing; Tab, Enter and Space still do everything. With modifiers nothing is ours."""
    page = await room.page("us")
    for chord in ("Control+c", "Alt+c", "Meta+c"):
        await pressed(page, chord)
    assert page.url == room.origin("us") + "/"
    room.desk("us").home.set("shortcuts", "off")
    try:
        await page.goto(room.origin("us") + "/")
        for keys in GO:
            await pressed(page, *keys.split(" "))
        await pressed(page, "j", "a")
        await holds(page, "document.activeElement === document.body")
        assert page.url == room.origin("us") + "/"
    finally:
        room.desk("us").home.set("shortcuts", "on")
    await page.context.close()


async def test_the_skip_link_comes_first(room, places):
    """The first Tab of every page offers to go to the page itself; Enter does."""
    page = await room.page("us")
    for _, path in places[:6]:
        await page.goto(room.origin("us") + path)
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()
    await page.context.close()
