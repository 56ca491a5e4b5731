"""A small incident on both desks, as people would write it, with everything in it that a page can show.

    scene = await play(room)            # both sides' desks, once for a room
    scene.case, scene.waiting, …        # numbers and ids of what was played

Seats speak, never a named person. US writes English, CN writes Chinese. What waits at the end waits on US's desk: a message
that nobody has received and read, a draft that needs the first expert's signature, a line test without an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from channel.client import drafts, linetests, unlocking
from channel.client.composing import Draft, closing
from channel.client.moves import move_of
from channel.client.procedures import read_procedures
from channel.client.receipts import correction_about
from channel.client.seats import by_name
from channel.desk.plan import read_plan
from channel.desk.posts import AtPost, Signing
from channel.desk.watch_words import Shown
from channel.i18n import Texts
from tests.desk.writings import write

MINUTE = 60_000
LANGS = {"us": "en", "cn": "zh"}
OTHER = {"us": "cn", "cn": "us"}
TESTED = {
    "category": "ACC", "origin": "OWN", "intent": ["TES"], "control": "K2", "case_name": "Paper Lantern",
    "line": "A planned load test of ours may be visible from outside for about one hour.",
}  # fmt: skip
FIRST = {
    "category": "LOC", "origin": "OWN", "intent": ["UNA", "NHI"], "control": "K1", "severity": "S3", "urgency": "U2",
    "certainty": "C2", "confidence": "B", "conditions": ["T4"], "case_name": "Quiet River",
    "line": "An agent of a test network left its limits and may have reached networks under your jurisdiction.",
    "observed": "At 08:30 UTC the agent opened outgoing connections that its task does not call for. Two of three copies "
    "are stopped. The third answers to no command; its network segment is being taken offline.",
    "statement": "We have not authorised this activity. It is no test of your networks.",
}  # fmt: skip
TRANSLATED = "我方一个测试网络的智能体越出限制，可能已进入贵方管辖的网络。"
READBACK = "贵方一个测试网络的智能体越出限制，可能进入我方管辖的网络；贵方未授权，三个副本中两个已停止。"
ASKED = {
    "observed": "我方一所研究机构的网络自08:41起出现自动登录尝试，约每小时400次，来源地址集中在一个网段。",
    "questions": [{"ask": "Q3"}, {"ask": "Q4"}, {"ask": "该活动是否会写入数据？"}],
    "next_step": "NX1",
}  # fmt: skip
ANSWERED = {
    "answers": [{"no": 1, "ans": "NO"}, {"no": 2, "ans": "YES"}, {"no": 3, "ans": "CHK"}],
    "text": "As far as we know now it only reads. We are verifying the third answer.",
    "support": "2",
}  # fmt: skip
FOLLOWED = {"line": "The third copy is cut off; 40 of 42 hosts have been looked at.", "control": "K1", "trend": "BET"}
CORRECTED = {"text": "The number of hosts is 24, not 42. All else stands."}
NEWS = {
    "line": "登录尝试已降至每小时约20次；两台主机上发现一个不明进程，材料正在保全。",
    "control": "K1", "trend": "STA",
    "observed": "09:05至09:20之间，两台主机先后出现同一不明进程，未见写入数据。我方已将两台主机隔离，并对内存作了保全。"
    "其余主机未见异常。我方请贵方核实该进程是否与贵方的智能体有关，并在下次联系时间前告知。",
    "measures": "隔离两台主机；阻断相关网段；保全材料。",
}  # fmt: skip
OTHER_CASE = {
    "observed": "一个公开平台上出现以双方主管部门名义发布的内容，疑似由人工智能生成，传播范围有限。",
    "questions": [{"ask": "Q1"}],
}
DRAFTED = {
    "line": "The process on your two hosts belongs to the agent; it stops when its control file is removed.",
    "control": "K1", "trend": "BET",
    "measures": "We send the technical characteristics in F10 and stay reachable for an expert call.",
}  # fmt: skip
WRITTEN = {
    "category": "LOC", "origin": "OWN", "intent": "UNA", "since": "2026-11-24 08:30", "control": "K1", "case_name": "Quiet River",
    "line": "An agent of a test network left its limits and may have reached networks under your jurisdiction.",
}  # fmt: skip


@dataclass(slots=True)
class Scene:
    """Numbers of messages, ids of drafts and texts. ``first``: the own notification that everything was done to."""

    case: str
    first: str
    followed: str
    asked: str
    waiting: str
    question: str
    line_test: str
    closed: str
    handed: str
    draft: str
    begun: str
    written: str


class Play:
    """What people of both sides do, one act after the other."""

    def __init__(self, room):
        self.room = room
        self.case = None

    async def sit(self, party, seat):
        desk = self.room.desk(party)
        if desk.locked or desk.client.keys.seat != seat:
            await self.room.sit(party, seat)
        return desk

    async def send(self, party, fmt, body, *cosign, seat="expert-1", **more):
        """Send; with co-signers as a draft that each of them signs. The message, as the other side has it too."""
        return await self._arrive(party, await self._send(party, fmt, body, cosign, seat, more))

    async def _send(self, party, fmt, body, cosign, seat, more):
        desk = await self.sit(party, seat)
        async with desk.working() as client:
            await client.sync()
            draft = self.draft(client, party, fmt, body, cosign, **more)
            if not cosign:
                return (await client.send(draft)).verdict.number
            waiting = await drafts.propose(client, draft)
        for second in cosign:
            await self.sit(party, second)
            async with desk.working() as client:
                released = await drafts.approve(client, await drafts.find(client, waiting.did.hex()))
        return released.verdict.number

    def draft(self, client, party, fmt, body, cosign, *, ref="", op="", to="", **more):
        """A draft in the case that is played, or outside where it opens one."""
        case = more.pop("case", self.case)
        opening = None if case is None else self.found(client, case)
        draft = Draft(fmt=fmt, body=body, lang=LANGS[party], case=None if opening is None else opening.ph, **more)
        kids = {name: m.kid for name, m in by_name(client.view.fold.party(client.view.letter)).items()}
        if op:
            move, refs = move_of(client, opening, op, to)
            draft = replace(draft, move=move, refs=refs)
        elif fmt == "F14":
            draft = replace(draft, refs=(correction_about(client, ref, "COR")[0],), cor="COR")
        elif ref:
            draft = replace(draft, refs=(self.found(client, ref).ph,))
        return replace(
            draft, cosign=tuple(kids[seat] for seat in cosign), move=draft.move or closing(client.view, fmt, opening)
        )

    def found(self, client, number):
        return next(m for m in client.messages() if m.verdict.number == number)

    async def _arrive(self, party, number):
        await self.room.seen(OTHER[party], number)
        return number

    async def ack(self, party, number, *steps, seat="duty"):
        desk = await self.sit(party, seat)
        async with desk.working() as client:
            await client.sync()
            for step in steps:
                await client.ack(self.found(client, number), step)

    async def watch(self, party, seat, incoming=None):
        """Take the post; or hand it over to an incoming officer."""
        desk = await self.sit(party, seat)
        async with desk.working() as client:
            await client.sync()
            texts = Texts(LANGS[party])
            at = AtPost(client, texts, Shown(client, texts, read_plan(client.home), read_procedures(client.home.path)))
            signing = Signing("take", at.post(), at.person())
            if incoming:
                keys = unlocking.unlock(desk.home, incoming, unlocking.kept_passphrase(desk.home))
                signing = Signing(
                    "handover", at.held_post(), at.incoming(keys), at.person(), "Quiet River: next message by CN."
                )
            return (await at.sign(signing, at.shown.open_lines())).record

    async def line_test(self, party, answer=None):
        """A line test by a person; ``answer``: what the other side's person writes."""
        desk = await self.sit(party, "duty")
        async with desk.working() as client:
            body = linetests.new_test(client, "HUM") | {"path": "1/1"}
            sent = await client.send(Draft(fmt="F01", body=body, lang=LANGS[party], level="routine", status="test"))
        number = await self._arrive(party, sent.verdict.number)
        if answer:
            other = await self.sit(OTHER[party], "duty")
            async with other.working() as client:
                asked = linetests.asked_test(client, number)
                body = linetests.answer_body(client, asked, answer) | {"path": "1/1"}
                lang = LANGS[OTHER[party]]
                sent = await client.send(
                    Draft(fmt="F01", body=body, lang=lang, level="routine", refs=(asked.ph,), status="test")
                )
            await self._arrive(OTHER[party], sent.verdict.number)
        return number


async def play(room):
    """The incident, up to now. ``Scene``."""
    p = Play(room)
    now = room.clock.now()
    await p.watch("us", "duty")
    await p.watch("cn", "duty")
    await p.line_test("us", "已看到，线路正常。")
    p.case = None
    closed = p.case = await p.send("us", "F03", TESTED | {"since": now - 180 * MINUTE})
    await p.ack("cn", p.case, "read")
    await p.send("us", "F05", {"outcome": "The test has ended; nothing was seen outside.", "cause": ["CFG"]})
    await p.send("cn", "F12", {}, op="concur")

    p.case = None
    case = p.case = await p.send("us", "F13", {"entry": "MEADOW 02"}, "duty")
    await p.ack("cn", case, "read")
    first = await p.send("us", "F03", FIRST | {"since": now - 60 * MINUTE})
    await p.ack("cn", first, "read")
    await p.ack("cn", first, "engaged", seat="expert-1")
    await p.ack("cn", first, "informed", seat="principal")
    back = await p.send("cn", "F02", {"readback": READBACK}, ref=first)
    await p.send("us", "F02", {"match": "OK"}, ref=back)
    translation = [{"of": "line", "text": TRANSLATED}]
    await p.send("cn", "F02", {"translation": translation, "translator": "B"}, seat="expert-2", ref=first)
    asked = await p.send("cn", "F06", ASKED | {"reply_until": now + 120 * MINUTE})
    await p.ack("us", asked, "read")
    await p.ack("us", asked, "engaged", seat="expert-1")
    await p.send("us", "F07", ANSWERED, ref=asked)
    raised = await p.send(
        "us",
        "F12",
        {"reason": ["SPR"], "text": "A second network of ours is affected."},
        "official",
        op="raise",
        to="serious",
    )
    await p.ack("cn", raised, "read")
    followed = await p.send("us", "F04", FOLLOWED, "official", ref=case)
    await p.send("us", "F14", CORRECTED, ref=followed)
    handed = await p.watch("us", "duty", "duty.2")
    news = await p.send("cn", "F04", NEWS | {"next_message": now + 60 * MINUTE}, "official", ref=case)
    p.case = None
    question = await p.send("cn", "F06", OTHER_CASE | {"reply_until": now + 480 * MINUTE})
    line_test = await p.line_test("cn")
    p.case = case

    desk = await p.sit("us", "expert-2")
    async with desk.working() as client:
        await client.sync()
        waiting = await drafts.propose(client, p.draft(client, "us", "F04", DRAFTED, ("expert-1",), ref=case))
    await p.sit("us", "expert-1")
    await p.sit("cn", "expert-1")
    begun = await write(desk, "F06", level=None)
    written = await write(desk, "F03", values=WRITTEN)
    return Scene(
        case=case, first=first, followed=followed, asked=asked, waiting=news, question=question, line_test=line_test,
        closed=closed, handed=handed, draft=waiting.did.hex(), begun=begun, written=written,
    )  # fmt: skip
