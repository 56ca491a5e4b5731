"""The whole incident, played by two browsers: US in English, CN in Chinese, every seat of both sides, at pages alone.

Once with the mouse, once with the keyboard alone. It is the incident of ``channel demo``; at the end both desks have one
state, and what each person did stands in the log under that person's signature.
"""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.desk.hands import Keyboard, Mouse

pytestmark = pytest.mark.timeout(600)


class Side:
    """One side's page, and the hands at it."""

    def __init__(self, room, party, page, hands):
        self.room, self.party, self.page, self.hands = room, party, page, hands
        self.seat = "expert-1"

    @property
    def client(self):
        return self.room.desk(self.party).client

    async def sit(self, seat):
        """Lock the desk; the next person unlocks it."""
        if seat == self.seat:
            return
        await self.hands.press(self.page.locator("form[action='/lock'] button"))
        await self.hands.choose(self.page.locator("#seat"), seat)
        await self.hands.press(self.page.locator("form[action='/unlock'] button"))
        await expect(self.page.locator("nav")).to_be_visible()
        self.seat = seat

    async def at(self, path):
        await expect(self.page).to_have_url(re.compile(re.escape(path) + r"(\?.*)?$"))

    async def look(self, number):
        """Open a message from its case, or from the watch page where it waits."""
        await self.hands.go("/")
        await self.at("/")
        link = self.page.locator(f"main a[href='/m/{number}']").first
        await self.hands.press(link)
        await self.at(f"/m/{number}")

    async def open_case(self, number):
        await self.hands.go("/cases")
        await self.at("/cases")
        link = self.page.locator(f"main a[href='/cases/{number}']").first
        await expect(link).to_be_attached()
        folded = link.locator("xpath=ancestor::details[not(@open)]")
        if await folded.count():
            await self.hands.unfold(folded.first)
        await self.hands.press(link)
        await self.at(f"/cases/{number}")

    async def act(self, **fields):
        """Press the button that begins a message with these fields."""
        *first, (name, value) = fields.items()
        form = "form[action='/compose/new']" + "".join(f":has(input[name='{n}'][value='{v}'])" for n, v in first)
        pressed = self.page.locator(f"{form} button[name='{name}'][value='{value}']")
        hidden = self.page.locator(f"{form}:has(input[name='{name}'][value='{value}']) button")
        await self.hands.press(pressed.or_(hidden).first)
        await expect(self.page.locator("#writing")).to_be_visible()

    async def begin(self, fmt, case=None):
        """Choose a format, in a case or none."""
        await self.hands.go("/compose")
        await self.at("/compose")
        if case:
            await self.hands.choose(self.page.locator("#case"), case)
        await self.hands.press(self.page.locator(f"button[name='fmt'][value='{fmt}']"))
        await expect(self.page.locator("#writing")).to_be_visible()

    async def fill(self, fields):
        """Each field by its name: a text, a code, or several codes."""
        for name, value in fields.items():
            every = self.page.locator(f"#writing [name='b.{name}']:not([type='hidden'])")
            first = every.first
            folded = first.locator("xpath=ancestor::details[not(@open)]")
            if await folded.count():
                await self.hands.unfold(folded.first)
            kind = await first.evaluate("e => e.type")
            if kind in ("radio", "checkbox"):
                for code in value if isinstance(value, tuple) else (value,):
                    await self.hands.pick(self.page.locator(f"#writing [name='b.{name}'][value='{code}']"))
            elif kind == "select-one":
                await self.hands.choose(first, value)
            else:
                await self.hands.write(first, value)

    async def send(self, fields, *cosign, level=None):
        """Fill, review, send; with co-signers each of them signs on this desk by passphrase. The number of the message."""
        if level:
            await self.hands.pick(self.page.locator(f"#level [value='{level}']"))
        await self.fill(fields)
        for seat in cosign:
            await self.hands.pick(self.page.locator(f"#cosign [value='{seat}']"))
        await self.hands.press(self.page.locator("[data-review]"))
        await expect(self.page).to_have_url(re.compile("/review/"))
        assert "EXERCISE" in await self.page.locator("main").inner_text()
        await self.hands.press(self.page.locator("#send-form button.main"))
        for seat in cosign:
            await expect(self.page).to_have_url(re.compile("/approvals/"))
            await self.hands.choose(self.page.locator("#second-form #seat"), seat)
            await self.hands.press(self.page.locator("#second-form button.main"))
        await expect(self.page).to_have_url(re.compile(r"/m/[A-Z]+-\d+-\d+$"))
        return self.page.url.rsplit("/", 1)[1]

    async def sign(self, number, step):
        """Sign a step of receipt on the message's page."""
        await self.look(number)
        await self.hands.press(self.page.locator(f"#acts button[value='{step}']"))
        await expect(self.page.locator(f"[data-state-name='{step}'].done")).to_be_visible()


async def play(room, hands):
    us_page = await room.page("us", "expert-1", "en")
    cn_page = await room.page("cn", "expert-1", "zh", context=await room.context(locale="zh-CN"))
    us, cn = Side(room, "us", us_page, hands(us_page)), Side(room, "cn", cn_page, hands(cn_page))

    # 1 a coded message, by two; the other side's duty officer reads it with one act
    await us.begin("F13")
    case = await us.send({"entry": "MEADOW 02"}, "duty", level="attention")
    await cn.sit("duty")
    await expect(cn.page.locator(f"[data-item='{case}']")).to_contain_text("我方管辖范围内的一个人工智能系统")
    await cn.hands.press(cn.page.locator(f"[data-item='{case}'] button[value='read']"))
    await expect(cn.page.locator(f"[data-item='{case}'] button[value='read']")).to_have_count(0)
    # 2 initial notification; the principal of CN is told, its expert begins
    await us.begin("F03", case)
    first = await us.send({
        "category": "LOC", "origin": "OWN", "intent": ("UNA", "NHI"), "since": "2026-11-24 08:30", "control": "K1",
        "line": "An agent of a US test network left its limits and may have reached further networks.",
    })  # fmt: skip
    await room.seen("cn", first)
    await cn.sit("principal")
    await cn.sign(first, "read")
    await cn.sit("expert-1")
    await cn.sign(first, "engaged")
    # 3 read-back in own words, and its answer
    await cn.hands.unfold(cn.page.locator("#readback"))
    await cn.hands.write(cn.page.locator("#readback-text"), "贵方一个测试网络的智能体越出限制；部分受控。")
    await cn.hands.press(cn.page.locator("#readback button.main"))
    await expect(cn.page.locator("#readbacks .words")).to_contain_text("越出限制")
    await us.hands.press(us.page.locator("#readbacks button[value='OK']"))
    await expect(us.page.locator("#readbacks")).to_contain_text("matches")
    # 4 clarification and its reply
    await cn.open_case(case)
    await cn.act(fmt="F06", case=case)
    asked = await cn.send(
        {"observed": "我方一所机构的网络出现自动登录尝试，约每小时四百次。", "questions.0.ask.code": "Q3"}
    )
    await room.seen("us", asked)
    await us.look(asked)
    await us.hands.press(us.page.locator("[data-key='r']").first)
    await us.send({"answers.0.ans": "NO", "text": "It reads only, as far as we know now."})
    # 5 raise: one signature is not enough, two are; the official of CN is informed
    await us.open_case(case)
    await us.act(fmt="F12", case=case, op="raise", to="serious")
    await us.fill({"reason": ("SPR",), "text": "A second network of ours is affected."})
    await us.hands.press(us.page.locator("[data-review]"))
    await expect(us.page.locator("#wrong")).to_be_visible()
    raised = await us.send({}, "official")
    await room.seen("cn", raised)
    await cn.sit("official")
    await cn.sign(raised, "informed")
    await cn.sit("expert-1")
    # 6 joint work, each side with its second expert
    await us.open_case(case)
    await us.act(fmt="F11", case=case)
    asked = await us.send({"kind": "ASK", "actions": ("BLK", "PRE"), "text": "Addresses follow."}, "expert-2")
    await room.seen("cn", asked)
    await cn.look(asked)
    await cn.hands.press(cn.page.locator("[data-key='r']").first)
    await cn.send(
        {"kind": "ANS", "actions": ("BLK", "PRE"), "accept": "PRT", "text": "先阻断，材料保全需两小时。"}, "expert-2"
    )
    # 7 a question that is received, and not engaged at this time
    await us.open_case(case)
    await us.act(fmt="F06", case=case)
    more = await us.send({"observed": "Attempts from the second network ended.", "questions.0.ask.code": "Q4"})
    await room.seen("cn", more)
    await cn.look(more)
    await cn.hands.unfold(cn.page.locator("#not-engaging"))
    await cn.hands.write(cn.page.locator("#next-contact"), "+12h")
    await cn.hands.press(cn.page.locator("#not-engaging button[value='not-engaging']"))
    await expect(cn.page.locator("[data-state-name='not-engaging'].done")).to_be_visible()
    # 8 a lowering that both agree to, 9 one that crosses a raise
    await lower(us, cn, case, "expert-2")
    await cn.open_case(case)
    await cn.act(fmt="F12", case=case, op="lower")
    await cn.fill({"reason": ("QUI",)})
    await us.open_case(case)
    await us.act(fmt="F12", case=case, op="raise", to="serious")
    await us.fill({"reason": ("FAC",), "text": "One copy is active again."})
    crossing = await cn.send({})
    await us.send({}, "duty")
    await room.seen("us", crossing)
    await us.open_case(case)
    await us.act(fmt="F12", case=case, op="concur")
    await us.send({})
    await level(us, case, "serious")
    # 10 down again, step by step, 11 the closing that both agree to
    await lower(us, cn, case, "duty")
    await lower(cn, us, case)
    await us.open_case(case)
    await us.act(fmt="F05", case=case)
    closing = await us.send({"outcome": "All copies were stopped.", "cause": ("CFG",)})
    await room.seen("cn", closing)
    await cn.open_case(case)
    await cn.act(fmt="F12", case=case, op="concur")
    await cn.send({})
    await level(cn, case, None)
    # the watch: both duty officers of US in turn; operators test the line; the records officers look at the log
    await us.sit("duty")
    await us.hands.go("/handover")
    await us.hands.press(us.page.locator("form[action='/handover/take'] button").last)
    await expect(us.page.locator("main")).to_contain_text("US Duty Officer")
    await us.sit("operator")
    await us.hands.go("/link")
    await us.hands.press(us.page.locator("form[action='/link/test'] button:visible").first)
    for side in (us, cn):
        await side.sit("records")
        await side.hands.go("/log")
        await expect(side.page.locator("main table, main ol").first).to_be_visible()
    return case


async def lower(first, second, case, cosign=None):
    """A lowering by one step, and the other side's agreement."""
    several = (cosign,) if cosign else ()
    await first.open_case(case)
    await first.act(fmt="F12", case=case, op="lower")
    number = await first.send({"reason": ("CTL",)}, *several)
    await second.room.seen(second.party, number)
    await second.open_case(case)
    await second.act(fmt="F12", case=case, op="concur")
    number = await second.send({}, *several)
    await first.room.seen(first.party, number)


async def level(side, case, expected):
    await side.open_case(case)
    chip = side.page.locator("#facts .level").first
    if expected is None:
        await expect(chip).to_have_count(0)
    else:
        await expect(chip).to_have_class(re.compile(f"level-{expected}"))


@pytest.mark.parametrize("hands", [Mouse, Keyboard], ids=["mouse", "keyboard"])
async def test_the_whole_incident_is_played_at_two_pages(room, hands):
    """Every step from the coded message to the agreed closing, each by the person who has to do it."""
    case = await play(room, hands)
    logs = [room.desk(party).client.view.fold for party in ("us", "cn")]
    opening = next(m for m in logs[0].messages() if m.verdict.number == case)
    assert [fold.case_level(opening.ph) for fold in logs] == [None, None]
    signed = {(v.letter, s.seat) for v in logs[0].display() for s in v.signers}
    seats = {"expert-1", "expert-2", "official"}
    assert {("b", seat) for seat in {*seats, "duty", "operator"}} <= signed
    assert {("a", seat) for seat in {*seats, "duty", "principal"}} <= signed
    assert room.console == []
