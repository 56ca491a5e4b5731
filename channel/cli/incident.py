"""The incident that the demo plays: every step of both sides, from a coded message to the final notification.

Each step is what a person would do at the own desk, by the same calls as the commands. The US side writes English, the CN
side Chinese; each column shows what that side's desk shows, in its own language.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from channel.cli.terminal import Terminal
from channel.client import drafts
from channel.client.client import Client, SeatKeys
from channel.client.composing import Draft
from channel.client.moves import move_of
from channel.client.present import Names, author, need, payload_of
from channel.i18n import Texts
from channel.protocol.header import Move
from channel.protocol.verdicts import MessageView
from keys.errors import Problem, Refused

WAIT = 30.0
MINUTE = 60_000


@dataclass(slots=True)
class Desk:
    """One side's desk, with the keys of every seat that takes part."""

    client: Client
    seats: Mapping[str, SeatKeys]
    lang: Any
    texts: Texts = field(init=False)

    def __post_init__(self) -> None:
        self.texts = Texts(self.lang)

    @property
    def code(self) -> str:
        """The party's code."""
        return self.client.home.config.party

    def kid(self, seat: str) -> bytes:
        """The signing key of a seat."""
        return self.seats[seat].sign.kid

    async def sit(self, seat: str) -> None:
        """Go on as another seat."""
        if self.client.keys.seat != seat:
            await self.client.switch(self.seats[seat])


class Incident:
    """Plays the incident on two desks and shows each step in its side's column."""

    def __init__(self, terminal: Terminal, us: Desk, cn: Desk) -> None:
        self._terminal, self._us, self._cn = terminal, us, cn
        self._case: MessageView | None = None
        self._step = 0

    async def play(self) -> MessageView:
        """The whole incident; the opening message of its case."""
        us, cn = self._us, self._cn
        now = us.client.clock.now()
        self._head("coded")
        case = await self._say(us, Draft(fmt="F13", body={"entry": "MEADOW 02"}, lang="en"), "duty")
        self._case = case
        await self._ack(cn, case, "read", "duty")
        self._head("initial")
        first = await self._say(us, self._in_case("F03", "en", FIRST | {"since": now - 20 * MINUTE}))
        await self._ack(cn, first, "engaged")
        self._head("readback")
        back = await self._say(cn, self._in_case("F02", "zh", {"readback": READBACK}, (first.ph,)))
        await self._say(us, self._in_case("F02", "en", {"match": "OK"}, (back.ph,)))
        self._head("clarification")
        asked = await self._say(cn, self._in_case("F06", "zh", ASKED | {"reply_until": now + 60 * MINUTE}))
        await self._say(us, self._in_case("F07", "en", ANSWERED, (asked.ph,)))
        self._head("raise")
        raising = self._move(us, case, "raise", "serious", SPREAD)
        await self._refused(us, raising)
        serious = await self._say(us, raising, "official")
        await self._ack(cn, serious, "informed", "official")
        self._head("joint")
        ask = await self._say(us, self._in_case("F11", "en", HELP), "expert-2")
        await self._say(cn, self._in_case("F11", "zh", HELPED, (ask.ph,)), "expert-2")
        self._head("not_engaging")
        more = await self._say(us, self._in_case("F06", "en", ASKED_BACK))
        later = {"next_contact": now + 12 * 60 * MINUTE}
        await self._say(cn, self._in_case("F02", "zh", later, (more.ph,), ans="NEN"))
        self._head("lowering")
        await self._lower(us, cn, case, "expert-2")
        self._head("crossing")
        await self._cross(case)
        self._head("down")
        await self._lower(us, cn, case, "duty")
        await self._lower(cn, us, case, None)
        self._head("final")
        await self._close(case)
        return case

    # ---- what both sides do ----

    def _in_case(
        self, fmt: Any, lang: Any, body: Mapping[str, Any], refs: tuple[bytes, ...] = (), **more: Any
    ) -> Draft:
        assert self._case is not None
        return Draft(fmt=fmt, body=body, lang=lang, case=self._case.ph, refs=refs, **more)

    def _move(self, desk: Desk, case: MessageView, op: str, to: str, body: Mapping[str, Any]) -> Draft:
        move, refs = move_of(desk.client, case, op, to)
        return Draft(fmt="F12", body=body, lang=desk.lang, case=case.ph, refs=refs, move=move)

    async def _say(self, desk: Desk, draft: Draft, *cosign: str | None) -> MessageView:
        """Send as the first expert; with co-signers as a draft that each of them approves, the last one releasing it."""
        sent = await self._send(desk, draft, *cosign)
        other = self._cn if desk is self._us else self._us
        await self._seen(other, sent)
        self._row(desk, f"{sent.verdict.number} {self._what(desk, sent)} · {desk.texts.say('state.delivered')}")
        said = self._gist(other, sent)
        who = Names(other.client, other.texts).speaker(sent.verdict.letter, author(sent))
        self._row(other, f"{sent.verdict.number} {who} · {self._what(other, sent)}{said}")
        return sent

    async def _send(self, desk: Desk, draft: Draft, *cosign: str | None) -> MessageView:
        await desk.sit("expert-1")
        await desk.client.sync()
        seats = [seat for seat in cosign if seat]
        if not seats:
            sent = await desk.client.send(draft)
            return await desk.client.wait(sent.ph, "delivered", WAIT)
        kids = tuple(desk.kid(seat) for seat in seats)
        waiting = await drafts.propose(desk.client, replace(draft, cosign=kids))
        names = Names(desk.client, desk.texts)
        for seat in seats:
            await desk.sit(seat)
            mine = await drafts.find(desk.client, waiting.did.hex())
            seat_name = names.seat(desk.client.view.letter, seat)
            self._row(desk, desk.texts.say("demo.approved", draft=waiting.did.hex()[:8], seat=seat_name))
            released = await drafts.approve(desk.client, mine)
        if released is None:
            raise Problem("INTERNAL")
        return await desk.client.wait(released.ph, "delivered", WAIT)

    async def _refused(self, desk: Desk, draft: Draft) -> None:
        """What one signature is not enough for is refused, with the signatures that it needs."""
        try:
            await desk.client.send(draft)
        except Refused as e:
            slots = desk.client.view.fold.policy(desk.client.view.letter).level("serious").enter
            said = need(desk.texts, slots)
            self._row(desk, desk.texts.say("demo.one_signature", code=e.code, need=said))
            return
        raise Problem("INTERNAL")

    async def _ack(self, desk: Desk, message: MessageView, step: Any, seat: str = "expert-1") -> None:
        await desk.sit(seat)
        await desk.client.sync()
        await desk.client.ack(desk.client.find(message.ph), step)
        word = desk.texts.say(f"state.{step.replace('-', '_')}")
        seat_name = Names(desk.client, desk.texts).seat(desk.client.view.letter, seat)
        self._row(desk, f"{message.verdict.number} {word} ({seat_name})")

    async def _lower(self, first: Desk, second: Desk, case: MessageView, cosign: str | None) -> None:
        """A lowering by one step that the other side agrees to."""
        await first.client.sync()
        await self._say(first, self._move(first, case, "lower", "", {"reason": ["CTL"]}), cosign)
        await second.client.sync()
        await self._say(second, self._move(second, case, "concur", "", {}), cosign)
        self._level(case)

    async def _cross(self, case: MessageView) -> None:
        """A lowering and a raise that cross: the lowering is agreed, and the raise still stands."""
        us, cn = self._us, self._cn
        lowering = self._move(cn, case, "lower", "", {"reason": ["QUI"]})
        raising = self._move(us, case, "raise", "serious", AGAIN)
        await self._say(cn, lowering)
        await self._say(us, raising, "duty")
        await us.client.sync()
        await us.sit("expert-1")
        await self._say(us, self._move(us, case, "concur", "", {}))
        self._level(case)

    async def _close(self, case: MessageView) -> None:
        us, cn = self._us, self._cn
        await us.client.sync()
        level: Any = us.client.view.fold.case_level(case.ph)
        closing = Move(op="close", from_=level, at=us.client.view.fold.cut)
        await self._say(us, self._in_case("F05", "en", FINAL, move=closing))
        await cn.client.sync()
        await self._say(cn, self._move(cn, case, "concur", "", {}))
        self._level(case)

    async def _seen(self, desk: Desk, sent: MessageView) -> None:
        end = desk.client.clock.monotonic() + WAIT
        while True:
            await desk.client.sync()
            if desk.client.view.fold.find(sent.ph) is not None:
                return
            if desk.client.clock.monotonic() > end:
                raise Refused("DEMO_SLOW", seconds=int(WAIT))
            await asyncio.sleep(0.02)

    # ---- how it is shown ----

    def _head(self, step: str) -> None:
        self._step += 1
        self._terminal.line(f"── {self._step}. {self._terminal.texts.say(f'demo.step_{step}')}")

    def _row(self, desk: Desk, text: str) -> None:
        self._terminal.row(desk.code, text)

    def _what(self, desk: Desk, message: MessageView) -> str:
        fmt = payload_of(message).fmt
        return f"{fmt} {desk.client.book(message).files.formats[fmt].text(desk.lang)}"

    def _gist(self, desk: Desk, message: MessageView) -> str:
        """What the message says: coded parts in the reader's language, free text as it was written."""
        book, body, payload = desk.client.book(message), desk.client.open(message).body, payload_of(message)
        parts = []
        if payload.move is not None and isinstance(payload.move, Move):
            parts.append(book.word("move", payload.move.op, desk.lang))
            to = payload.move.to
            parts += [book.level(to, desk.lang)] if isinstance(to, str) else []
        if isinstance(payload.ans, str):
            parts.append(book.word("answer", payload.ans, desk.lang))
        if "entry" in body:
            parts.append(book.coded_text(str(body["entry"]), body.get("slots", {}), desk.lang) or "")
        parts += [book.word(n, body[n], desk.lang) for n in ("match", "accept") if n in body]
        parts += [book.word("action", code, desk.lang) for code in body.get("actions", ())]
        parts += [str(body[n]).split("\n")[0] for n in ("line", "readback", "observed", "outcome", "text") if n in body]
        return "".join(f" · {part}" for part in parts)

    def _level(self, case: MessageView) -> None:
        """The level on both sides, each from its own fold of both logs."""
        for desk in (self._us, self._cn):
            level = desk.client.view.fold.case_level(case.ph)
            shown = desk.texts.say("case.closed") if level is None else desk.texts.level(level)
            self._row(desk, desk.texts.say("demo.level", level=shown))


FIRST = {
    "category": "LOC",
    "origin": "OWN",
    "intent": ["UNA", "NHI"],
    "control": "K1",
    "line": "An agent of a US test network left its limits and may have reached further networks.",
    "severity": "S3",
    "urgency": "U2",
    "certainty": "C2",
    "conditions": ["T4"],
    "case_name": "Quiet River",
    "own_number": "US-17",
}
READBACK = "贵方一个测试网络的智能体越出限制，可能进入我方管辖的网络；贵方未授权，部分受控。"
ASKED = {
    "observed": "我方一所机构的网络出现自动登录尝试，约每小时四百次。",
    "questions": [{"ask": "Q3"}, {"ask": "Q4"}, {"ask": "该活动是否会写入数据？"}],
    "next_step": "NX1",
}
ANSWERED = {
    "answers": [{"no": 1, "ans": "NO"}, {"no": 2, "ans": "YES"}, {"no": 3, "ans": "CHK"}],
    "text": "It reads only, as far as we know now. The rest follows.",
    "support": "2",
}
SPREAD = {"reason": ["SPR"], "text": "A second network of ours is affected."}
AGAIN = {"reason": ["FAC"], "text": "One copy is active again."}
HELP = {"kind": "ASK", "actions": ["BLK", "PRE"], "text": "Addresses follow in F10.", "limits": "No probing in return."}
HELPED = {
    "kind": "ANS",
    "actions": ["BLK", "PRE"],
    "accept": "PRT",
    "reason": "TIM",
    "text": "先阻断，材料保全需两小时。",
}
ASKED_BACK = {"observed": "Attempts from the second network ended.", "questions": [{"ask": "Q4"}]}
FINAL = {
    "outcome": "All copies were stopped; no data was written outside the test network.",
    "cause": ["CFG"],
    "harm": [{"kind": "NIL"}],
    "changes": "Test networks have no outside path any more.",
}
