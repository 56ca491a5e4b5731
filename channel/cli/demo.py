"""``channel demo``: both parties on this machine, one exchange played through with every proof checked.

Each side is what it is in earnest: a node of its own with its own store and journal, a desk home with its own keys, TLS
between them. The demo only starts the nodes, types for both experts, and shows both desks side by side.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path

import click

from channel.cli.demo_desks import send_waiting, show_desks
from channel.cli.desk import unlock
from channel.cli.group import Context, channel
from channel.cli.homes import Side, make_homes
from channel.cli.incident import Desk, Incident
from channel.cli.processes import Nodes
from channel.cli.terminal import Terminal
from channel.cli.trial import free_ports
from channel.client.client import Client
from channel.client.export import export
from channel.client.home import DeskHome
from channel.client.unlocking import node_url
from channel.client.wire import Wire
from channel.clock import Clock, SystemClock
from channel.protocol.audit import audit
from channel.protocol.verdicts import MessageView
from keys.errors import Problem, Refused
from keys.words import words

WAIT = 30.0


@channel.command()
@click.option("--script", is_flag=True, help="Without a person; ends by itself / 无需人工操作，自动结束")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Where to keep the data / 数据目录")
@click.pass_obj
def demo(ctx: Context, script: bool, folder: Path | None) -> None:  # noqa: FBT001  click calls it by name
    """Show the whole channel on this machine / 在本机演示整个渠道."""
    place = folder or Path(tempfile.mkdtemp(prefix="channel-demo-"))
    try:
        asyncio.run(_demo(ctx.terminal, place, script=script, browser=ctx.screen))
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass
    finally:
        with suppress(OSError):  # nobody may be there to read it
            ctx.terminal.say("demo.data", folder=place)


async def _demo(terminal: Terminal, place: Path, *, script: bool, browser: bool) -> None:
    whole = asyncio.current_task()
    for ending in (signal.SIGHUP, signal.SIGTERM):  # a terminal that is closed, a machine that stops: as Ctrl-C
        asyncio.get_running_loop().add_signal_handler(ending, whole.cancel if whole else sys.exit)
    async with AsyncExitStack() as stack:
        now = SystemClock().now()
        _, sides = make_homes(place / "exercise", 2, now, os.urandom, free_ports())
        _, actual = make_homes(place / "actual", 1, now, os.urandom, free_ports())
        nodes = await stack.enter_async_context(Nodes())
        await nodes.start([side.node for side in (*sides, *actual)])
        async with at_desk(sides[0]) as cn, at_desk(sides[1]) as us:
            _show_words(terminal, us, cn)
            incident = Incident(terminal, with_seats(us, "en"), with_seats(cn, "zh"))
            case = await incident.play()
            await _changed_byte(terminal, us, place)
            await _crossing(terminal, us, case, actual[1])
            if not script:
                await send_waiting(cn)
        if not script:
            await show_desks(terminal, {side.code: side for side in sides}, browser=browser)


@asynccontextmanager
async def at_desk(side: Side) -> AsyncIterator[Client]:
    """The first expert at a side's desk, once its channel is open."""
    home = DeskHome(side.desk)
    try:
        keys = unlock(home, "expert-1", None)
        await _until(SystemClock(), lambda: _in_operation(home))
        async with Client(home, keys, node_url(home), clock=SystemClock(), random=os.urandom) as client:
            await _until(client.clock, lambda: _open(client))
            yield client
    finally:
        home.close()


async def _in_operation(home: DeskHome) -> bool:
    async with Wire(node_url(home), home.node_cert, home.founding.chan) as wire:
        return (await wire.health())["state"] in {"ACTIVE", "DEGRADED"}


async def _open(client: Client) -> bool:
    await client.sync()
    return client.view.fold.charter is not None


async def _until(clock: Clock, done: Callable[[], Awaitable[bool]]) -> None:
    end = clock.monotonic() + WAIT
    while not await done():
        if clock.monotonic() > end:
            raise Refused("DEMO_SLOW", seconds=int(WAIT))
        await asyncio.sleep(0.05)


def _show_words(terminal: Terminal, us: Client, cn: Client) -> None:
    for client in (us, cn):
        said = words(client.view.chan)
        code = client.home.config.party
        terminal.say("demo.words", party=code, en=" ".join(said.en), zh=" ".join(said.zh))
    terminal.line(terminal.texts.both("banner.exercise"))
    terminal.columns("US", "CN")


def with_seats(client: Client, lang: str) -> Desk:
    """The desk with the keys of all its seats, which a trial home keeps under one passphrase."""
    return Desk(client, {seat: unlock(client.home, seat, None) for seat in client.home.seats()}, lang)


async def _changed_byte(terminal: Terminal, us: Client, place: Path) -> None:
    """An archive verifies; with one byte changed it does not, and the place is named."""
    data = await export(us)
    (place / "exchange.dcx").write_bytes(data)
    good = audit(data, us.view.chan)
    terminal.say(
        "demo.verified", path=place / "exchange.dcx", sha256=sha256(data).hexdigest()[:16], code=good.exit_code
    )
    at = len(data) // 2
    bad = audit(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], us.view.chan)
    failure = bad.failure
    if bad.exit_code not in (3, 5) or failure is None:
        raise Problem("INTERNAL")
    terminal.say("demo.changed", at=at, code=bad.exit_code, part=failure.part, offset=failure.offset)


async def _crossing(terminal: Terminal, us: Client, case: MessageView, actual: Side) -> None:
    """The exercise message, handed to the actual channel's node by a person who may log in there."""
    envelope = case.verdict.envelope
    blob = us.home.blob(case.verdict.record.blobs[0]) if case.verdict.record else None
    if envelope is None or blob is None:
        raise Problem("INTERNAL")
    async with at_desk(actual) as client:
        try:
            await client.wire.submit("msg", envelope.encode(), [blob, us.keys.sign.public.encode()])
        except Refused as e:
            terminal.say("demo.refused", code=e.code, why=terminal.texts.problem(e)[0])
            return
    raise Problem("INTERNAL")
