"""``channel desk``: opens the page of a desk home on loopback, for the person who typed it."""

from __future__ import annotations

import asyncio
import os
import signal
import webbrowser

import click

from channel.cli.group import Context, channel
from channel.client.home import DeskHome
from channel.client.unlocking import check_kept, kept_passphrase
from channel.clock import SystemClock
from channel.desk import control
from channel.desk.open_desk import IDLE_SECONDS, OpenDesk
from keys.errors import Refused
from keys.keyring import Passphrase, read_passphrase


@channel.command(short_help="Open the page of this desk / 打开工作台页面")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: one that is free / 端口")
@click.option("--idle", type=click.IntRange(1, 1440), default=int(IDLE_SECONDS / 60), show_default=True,
              help="Minutes until it locks / 自动锁定前的分钟数")  # fmt: skip
@click.option("--no-browser", is_flag=True, help="Only show the link / 仅显示链接")
@click.pass_obj
def desk(ctx: Context, port: int, idle: int, *, no_browser: bool) -> None:
    """Serve the desk's page to this person alone, by a link that opens once; where it runs already, give a new link.

    With --as, and a passphrase from a file or of a trial home, it opens unlocked for that seat.

    仅向本人提供工作台页面，链接仅可打开一次；已在运行时给出新链接。给出 --as 及口令文件（或为试用目录）时，以该席位解锁打开。
    """
    asyncio.run(_desk(ctx, port, idle * 60.0, browser=not no_browser))


async def _desk(ctx: Context, port: int, idle: float, *, browser: bool) -> None:
    try:
        home = DeskHome(ctx.home)
    except Refused as e:
        if e.code != "HOME_HELD":
            raise
        _tell(ctx, await control.ask_link(ctx.home), browser=browser)
        return
    try:
        seat, passphrase = ctx.seat, _passphrase(ctx, home)
        if seat is not None:
            check_kept(home, seat)
        if home.setting("lang") is None:
            home.set("lang", ctx.terminal.lang)
        stop = asyncio.Event()
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(ending, stop.set)
        from channel.desk.app import serving  # noqa: PLC0415  every other command starts without the page's parts

        opening = OpenDesk(home, clock=SystemClock(), random=os.urandom, idle_seconds=idle)
        async with opening as opened, serving(opened, port) as served:
            if seat is not None and passphrase is not None:
                await opened.unlock(seat, passphrase)
            _tell(ctx, served.entry.link(), browser=browser)
            await stop.wait()
    finally:
        home.close()


def _passphrase(ctx: Context, home: DeskHome) -> Passphrase | None:
    """That of the file that was named, or of a trial home; without one the page asks for it."""
    return kept_passphrase(home) if ctx.passphrase_file is None else read_passphrase(ctx.passphrase_file)


def _tell(ctx: Context, link: str, *, browser: bool) -> None:
    ctx.terminal.say("cli.desk_link", link=link)
    ctx.terminal.item({"link": link})
    if browser and ctx.screen:
        webbrowser.open(link)
