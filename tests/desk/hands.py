"""How a person at a page presses, writes and chooses: with the mouse, or with the keyboard alone.

Nobody types an address: a page is gone to by what stands on it. With the keyboard nothing is clicked or focused by the
test; whatever can't be reached with Tab, arrows and Space can't be used.
"""

from __future__ import annotations

from playwright.async_api import expect

TABS = 600


class Mouse:
    """Points and clicks."""

    def __init__(self, page):
        self.page = page

    async def press(self, at):
        await at.click()

    async def pick(self, at):
        if not await at.is_checked():
            await at.click()

    async def choose(self, at, value):
        await at.select_option(value)

    async def write(self, at, text):
        await at.click()
        await at.fill("")
        await self.page.keyboard.insert_text(text)

    async def unfold(self, at):
        if await at.get_attribute("open") is None:
            await at.locator("summary").first.click()

    async def go(self, href):
        await self.page.locator(f"nav a[href='{href}']").first.click()


class Keyboard(Mouse):
    """Tab, arrows, Space, and letters."""

    async def _focused(self, at):
        return await at.evaluate("e => e === document.activeElement")

    async def reach(self, at):
        await expect(at).to_be_visible()
        for _ in range(TABS):
            if await self._focused(at):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"not reached with Tab: {at}")

    async def press(self, at):
        await self.reach(at)
        link = await at.evaluate("e => e.tagName === 'A'")
        await self.page.keyboard.press("Enter" if link else "Space")

    async def pick(self, at):
        if await at.is_checked():
            return
        if await at.get_attribute("type") == "checkbox":
            await self.reach(at)
            await self.page.keyboard.press("Space")
            return
        name = await at.get_attribute("name")
        for _ in range(TABS):
            if await self.page.evaluate("name => document.activeElement.name === name", name):
                break
            await self.page.keyboard.press("Tab")
        for _ in range(60):
            if await self._focused(at):
                break
            await self.page.keyboard.press("ArrowDown")
        await self.page.keyboard.press("Space")
        assert await at.is_checked()

    async def choose(self, at, value):
        await self.reach(at)
        wanted = await at.evaluate("(e, v) => [...e.options].findIndex(o => o.value === v)", value)
        assert wanted >= 0, value
        while (now := await at.evaluate("e => e.selectedIndex")) != wanted:
            await self.page.keyboard.press("ArrowDown" if now < wanted else "ArrowUp")

    async def write(self, at, text):
        await self.reach(at)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.press("Delete")
        await self.page.keyboard.insert_text(text)

    async def unfold(self, at):
        if await at.get_attribute("open") is None:
            await self.reach(at.locator("summary").first)
            await self.page.keyboard.press("Enter")

    async def go(self, href):
        keys = await self.page.locator(f"nav a[href='{href}']").first.get_attribute("data-key")
        for _ in range(10):  # a page that has just come may not listen yet
            await self.page.evaluate("document.activeElement.blur()")
            for key in keys.split(" "):
                await self.page.keyboard.press(key)
            try:
                await expect(self.page.locator(f"nav a[href='{href}'][aria-current]")).to_be_attached(timeout=2_000)
                return
            except AssertionError:
                continue
