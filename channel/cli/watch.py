"""``channel watch``: who is on, what is open, and the signed records by which a post is taken, handed over and left.

Whoever takes a post is shown what is open first and says so; the list is kept as a sealed note of the own side, with the
hash of the watch record. A handover carries both officers' signatures. The machine signs nothing by itself.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from channel.cli.desk import desk, unlock
from channel.cli.group import Context, channel
from channel.client.home import DeskHome
from channel.client.procedures import read_procedures
from channel.client.typed import sayable
from channel.desk.own_procedures import procedure_lines
from channel.desk.plan import read_plan
from channel.desk.posts import RELIEVERS, AtPost, Signing
from channel.desk.watch_words import Shown
from channel.protocol.charter import ORDER
from keys.errors import WrongUse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from channel.client.client import SeatKeys

_yes = click.option("--yes", is_flag=True, help="The list was read; sign without being asked / 已核阅清单，不再询问")
_second = click.option("--second-passphrase-file", "second", type=click.Path(path_type=Path),
                       help="The other person's passphrase / 另一人的口令文件")  # fmt: skip


@channel.group(short_help="Posts: who is on, what is open / 值守：当班人员与待办事项")
def watch() -> None:
    """Who holds the posts of both sides and what is open; take, hand over or leave a post / 值守：查看、接班、交接班、离岗."""


@watch.command(short_help="Who is on, who is next, what is open / 当班人员与待办事项")
@click.pass_obj
def status(ctx: Context) -> None:
    """Show who holds each post, the newest signed act there, who is next, and what each side still waits for.

    显示双方当班人员、最近签署、下一班，以及双方尚待的收悉与答复。
    """
    asyncio.run(_status(ctx))


async def _status(ctx: Context) -> None:
    async with _at_post(ctx, "expert-1") as at:
        ctx.terminal.lines(at.shown.post_lines())
        ctx.terminal.lines(at.shown.open_lines())
        for item in at.shown.items():
            ctx.terminal.item(item)


@watch.command(short_help="This party's own procedures by level / 本方各级别处置程序")
@click.pass_obj
def procedures(ctx: Context) -> None:
    """List the texts of procedures.toml in this home; they are shown beside the time that is left / 列出本方处置程序."""
    home = DeskHome(ctx.home)
    home.close()
    found = read_procedures(home.path)
    for level in ORDER:
        if level in found:
            ctx.terminal.lines(procedure_lines(found, level, ctx.terminal.texts))
            ctx.terminal.item({"level": level, **found[level]})
    if not found:
        ctx.terminal.say("watch.no_procedures", path=ctx.home)


@watch.command(short_help="Take a post / 接班")
@click.option("--with", "with_", metavar="SEAT", help="Official or operator, where it is held / 官员或运行管理员")
@_second
@_yes
@click.pass_obj
def take(ctx: Context, /, with_: str | None, second: Path | None, **options: Any) -> None:
    """Take the own seat's post after reading what is open; where another person holds it, with an official or operator.

    核阅待办事项后接班；由他人当班时，须官员或运行管理员共同签署。
    """
    asyncio.run(_take(ctx, with_, second, yes=options["yes"]))


async def _take(ctx: Context, with_: str | None, second: Path | None, *, yes: bool) -> None:
    async with _at_post(ctx, "duty") as at:
        post = at.free_post(relieved=with_ is not None)
        other = None if with_ is None else at.second(_keys(ctx, at, with_, second), RELIEVERS)
        await _sign(ctx, at, Signing("take", post, on=at.person(), off=other), yes=yes)


@watch.command(short_help="Hand a post over, both sign / 交接班，双方签署")
@click.option("--to", "to", required=True, metavar="SEAT", help="The incoming officer, such as duty.2 / 接班值班员")
@click.option("--note", "text", default="", help="A note for the own side / 交接说明")
@click.option("--override", metavar="SEAT", help="An official signs in place of the outgoing officer / 由官员代签")
@_second
@click.option("--override-passphrase-file", "third", type=click.Path(path_type=Path),
              help="The official's passphrase / 官员的口令文件")  # fmt: skip
@_yes
@click.pass_obj
def handover(ctx: Context, /, **options: Any) -> None:
    """Hand the own post over to another officer of the seat: one record with both signatures, after reading what is open.

    将本岗位交给同席位的另一值班员：核阅待办事项后由双方签署。
    """
    asyncio.run(_handover(ctx, options))


async def _handover(ctx: Context, options: dict[str, Any]) -> None:
    async with _at_post(ctx, "duty") as at:
        post, note = at.held_post(), sayable(options["text"])
        incoming = at.incoming(_keys(ctx, at, options["to"], options["second"]))
        if options["override"] is None:
            at.check_read()
            await _sign(ctx, at, Signing("handover", post, incoming, at.person(), note), yes=options["yes"])
            return
        unread = at.passed_over()
        official = at.overriding(_keys(ctx, at, options["override"], options["third"]), incoming)
        await _sign(ctx, at, Signing("take", post, incoming, official, note, unread), yes=options["yes"])


@watch.command(short_help="Leave a post empty / 离岗")
@click.option("--note", "text", default="", help="A note for the own side / 说明")
@_yes
@click.pass_obj
def leave(ctx: Context, /, text: str, **options: Any) -> None:
    """Leave the own post with nobody to take it; asks first, and says what that means / 无人接班时离岗，先行询问."""
    asyncio.run(_leave(ctx, text, yes=options["yes"]))


async def _leave(ctx: Context, text: str, *, yes: bool) -> None:
    async with _at_post(ctx, "duty") as at:
        post = at.held_post()
        at.check_read()
        await _sign(ctx, at, Signing("leave", post, off=at.person(), note=sayable(text)), yes=yes)


# --- one person at one desk -------------------------------------------------------------------------------------------


def _keys(ctx: Context, at: AtPost, name: str, passphrase_file: Path | None) -> SeatKeys:
    """Another person's keys out of this home; the passphrase lies in a file or is typed."""
    prompt = ctx.terminal.texts.say("cli.passphrase", seat=name)
    return unlock(at.home, name, passphrase_file or ctx.passphrase_file, prompt)


async def _sign(ctx: Context, at: AtPost, signing: Signing, *, yes: bool) -> None:
    """Show what is open, ask, and sign. ``WrongUse`` WATCH_UNSIGNED without a yes."""
    lines = at.shown.open_lines()
    ctx.terminal.lines(lines)
    if signing.op == "leave":
        ctx.terminal.say("watch.leave_means")
    if not yes and not (sys.stdin.isatty() and click.confirm(ctx.terminal.texts.say(f"watch.ask_{signing.op}"))):
        raise WrongUse("WATCH_UNSIGNED")
    signed = await at.sign(signing, lines)
    ctx.terminal.line(at.done(signing, signed.record))
    ctx.terminal.item({
        "record": signed.record, "op": signing.op, "seat": signing.post.seat, "payload": signed.payload,
        "on": None if signing.on is None else signing.on.member.person,
        "off": None if signing.off is None else signing.off.member.person,
        "override": bool(signing.unread),
    })  # fmt: skip


@asynccontextmanager
async def _at_post(ctx: Context, seat: str) -> AsyncIterator[AtPost]:
    async with desk(ctx, seat) as client:
        plan, own = read_plan(client.home), read_procedures(client.home.path)
        yield AtPost(client, ctx.terminal.texts, Shown(client, ctx.terminal.texts, plan, own))
