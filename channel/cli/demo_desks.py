"""The end of the demo: both sides' desks open in a browser, a message waiting at one, and lines typed here seen at both.

Each desk is what ``channel desk`` opens, with the first expert unlocked; its link opens once.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from channel.cli.homes import Side
from channel.cli.terminal import Terminal
from channel.client.client import Client
from channel.client.composing import Draft
from channel.client.home import DeskHome
from channel.client.present import Names, author
from channel.client.unlocking import passphrase_of
from channel.clock import SystemClock
from channel.desk.open_desk import OpenDesk
from channel.protocol.verdicts import MessageView
from keys.errors import Problem

if TYPE_CHECKING:
    from channel.desk.app import Served

WAIT = 30.0
LANGUAGES = {"US": "en", "CN": "zh"}
WAITING = "今日上午起，登录服务出现一批来源未明的自动尝试，正在核实。贵方若有相关信息，请告知。"


async def send_waiting(cn: Client) -> MessageView:
    """A message of the CN side that the US side has not read yet: its countdown runs when the desks open."""
    body = {"category": "CYB", "origin": "UNK", "intent": ["UNK"], "since": cn.clock.now() - 1_200_000, "control": "K1"}
    sent = await cn.send(Draft(fmt="F03", body={**body, "line": WAITING}, lang="zh"))
    return await cn.wait(sent.ph, "delivered", WAIT)


async def show_desks(terminal: Terminal, sides: Mapping[str, Side], *, browser: bool) -> None:
    """Open both desks, say their links, then take lines until the input ends."""
    async with AsyncExitStack() as stack:
        desks = {code: await stack.enter_async_context(_opened(side)) for code, side in sides.items()}
        for code, (_, served) in sorted(desks.items(), reverse=True):
            link = served.entry.link()
            terminal.say("demo.desk", party=code, link=link)
            if browser:
                webbrowser.open(link)
        terminal.say("demo.type")
        await _type_lines(terminal, desks["US"][0], desks["CN"][0])


@asynccontextmanager
async def _opened(side: Side) -> AsyncIterator[tuple[OpenDesk, Served]]:
    from channel.desk.app import serving  # noqa: PLC0415  every other command starts without the page's parts

    home = DeskHome(side.desk)
    try:
        home.set("lang", LANGUAGES[side.code])
        async with OpenDesk(home, clock=SystemClock(), random=os.urandom) as desk, serving(desk) as served:
            await desk.unlock("expert-1", passphrase_of(home, "expert-1"))
            yield desk, served
    finally:
        home.close()


async def _type_lines(terminal: Terminal, us: OpenDesk, cn: OpenDesk) -> None:
    """The first line opens a case, the others continue it; whoever is at the desk when a line comes has written it."""
    case: MessageView | None = None
    async for line in _typed():
        if not line.strip():
            continue
        try:
            async with us.working() as client:
                sent = await client.send(_draft(client, line.strip(), case))
                case = case or sent
                sent = await client.wait(sent.ph, "delivered", WAIT)
            state = terminal.texts.say("state.delivered")
            terminal.row("US", f"{sent.verdict.number} {state}")
            terminal.row("CN", await _seen(terminal, cn, sent.ph))
        except Problem as e:
            terminal.problem(e)


async def _seen(terminal: Terminal, desk: OpenDesk, ph: bytes) -> str:
    """Number, who speaks and for whom, and the line, once the desk has it; a locked desk shows the number alone."""
    end = desk.clock.monotonic() + WAIT
    while (message := desk.client.view.fold.find(ph)) is None and desk.clock.monotonic() < end:
        await desk.changed(desk.version, 1.0)
    if message is None or desk.locked:
        return "-" if message is None else message.verdict.number
    who = Names(desk.client, terminal.texts).speaker(message.verdict.letter, author(message))
    colon = "：" if terminal.lang == "zh" else ": "
    return f"{message.verdict.number} {who}{colon}{desk.client.open(message).body['line']}"


def _draft(client: Client, line: str, case: MessageView | None) -> Draft:
    if case is not None:
        return Draft(fmt="F04", body={"line": line}, lang="en", case=case.ph, refs=(case.ph,))
    body = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": client.clock.now(), "control": "K9"}
    return Draft(fmt="F03", body={**body, "line": line}, lang="en")


async def _typed() -> AsyncIterator[str]:
    """Lines of standard input. Read by a thread that nobody waits for, so that Ctrl-C ends the demo at once."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read() -> None:
        with suppress(OSError):  # the terminal is gone: a line that broke ends the demo as an end of input does
            for line in iter(sys.stdin.readline, ""):
                loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    while line := await lines.get():
        yield line
