"""``channel drafts``, ``approve``, ``reject``, ``withdraw``, ``note``: what waits for signatures on the own side.

Whoever approves is shown the very bytes that are to be signed, opened and rendered by the own desk.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from channel.cli.desk import desk
from channel.cli.group import Context, channel
from channel.cli.sending import check_fresh, tell_draft, tell_sent
from channel.client import drafts as waiting_drafts
from channel.client.client import Client
from channel.client.drafts import REJECTED, WITHDRAWN, Waiting
from channel.client.present import Names, proposal_view, worded
from channel.client.typed import sayable, seconds
from keys.errors import Refused, WrongUse
from keys.plain import plain, utc


@channel.command(name="drafts")
@click.option("--all", "ended", is_flag=True, help="Those that are over too / 包括已结束的")
@click.pass_obj
def drafts_(ctx: Context, ended: bool) -> None:  # noqa: FBT001  click calls it by name
    """List the drafts of the own side that wait for signatures / 待会签草稿."""
    asyncio.run(_list(ctx, ended=ended))


async def _list(ctx: Context, *, ended: bool) -> None:
    async with desk(ctx) as client:
        found = await waiting_drafts.drafts(client)
        mine = [w for w in found if w.said is not None]  # what is sealed to others says nothing here
        shown = [w for w in mine if ended or waiting_drafts.state(client, w) == "waiting"]
        for waiting in shown:
            _tell(ctx, client, waiting)
        if not shown:
            ctx.terminal.say("cli.no_drafts")


def _tell(ctx: Context, client: Client, waiting: Waiting) -> None:
    say, names = ctx.terminal.texts.say, Names(client, ctx.terminal.texts)
    state = say(f"draft.{waiting_drafts.state(client, waiting)}")
    fmt = "?" if waiting.said is None else waiting.said.payload.fmt
    seat = names.place(client.view.letter, waiting.author)
    ctx.terminal.line(f"{waiting.did.hex()[:8]}  {fmt}  {utc(waiting.record.ts)}  {seat}  {state}")
    ctx.terminal.block("    ", say("cli.draft_missing", seats=names.signers(waiting.missing)))
    for seat_id, text in waiting.comments:
        ctx.terminal.block(f"    {names.seat(client.view.letter, seat_id)}: ", plain(text).replace("\n", " "))
    ctx.terminal.item(waiting_drafts.draft_item(client, waiting))


@channel.command(short_help="Show a draft and sign it / 核阅并会签草稿")
@click.argument("ref")
@click.option("--yes", is_flag=True, help="Sign without being asked / 不再询问")
@click.option("--wait", type=click.Choice(["logged", "delivered", "anchored", "read"]), default="delivered",
              show_default=True, help="Until it is / 等待至")  # fmt: skip
@click.option("--timeout", "within", default="30s", show_default=True, help="How long to wait / 等待时间")
@click.option("--stale-ok", is_flag=True, help="Send though the other side was not heard of lately / 仍然发送")
@click.pass_obj
def approve(ctx: Context, /, ref: str, **options: Any) -> None:
    """Show a draft as it will be signed, and sign it; the last signature releases it / 核阅并会签，最后签署即签发."""
    asyncio.run(_approve(ctx, ref, options))


async def _approve(ctx: Context, ref: str, options: dict[str, Any]) -> None:
    within = seconds(options["within"])
    async with desk(ctx) as client:
        waiting = await waiting_drafts.find(client, ref)
        waiting_drafts.check_open(client, waiting)
        if waiting.said is None:
            raise Refused("NOT_A_SIGNER", did=waiting.did)
        payload, body = waiting.said.payload, waiting.said.opened.body
        view = proposal_view(client, waiting, ctx.terminal.texts)
        ctx.terminal.lines(client.book().render(payload.fmt, view, body, ctx.terminal.lang))
        check_fresh(ctx, client, stale_ok=options["stale_ok"])
        if not options["yes"] and not _agreed(ctx):
            raise WrongUse("NOT_APPROVED", did=waiting.did)
        try:
            sent = await waiting_drafts.approve(client, waiting)
        except Refused as e:
            raise worded(e, ctx.terminal.texts) from e
        if sent is None:
            tell_draft(ctx, client, await waiting_drafts.find(client, waiting.did.hex()))
        else:
            await tell_sent(ctx, client, sent, options["wait"], within)


def _agreed(ctx: Context) -> bool:
    return sys.stdin.isatty() and click.confirm(ctx.terminal.texts.say("cli.approve_ask"))


@channel.command()
@click.argument("ref")
@click.option("--why", required=True, help="A comment for its signers / 意见")
@click.pass_obj
def reject(ctx: Context, ref: str, why: str) -> None:
    """End a draft that one was asked to sign, with a comment / 退回草稿并附意见."""
    asyncio.run(_end(ctx, ref, why, REJECTED))


@channel.command()
@click.argument("ref")
@click.option("--why", default="", help="A comment for its signers / 意见")
@click.pass_obj
def withdraw(ctx: Context, ref: str, why: str) -> None:
    """End an own draft; a message that was sent is withdrawn by "correct" / 撤下本人的草稿."""
    asyncio.run(_end(ctx, ref, why, WITHDRAWN))


async def _end(ctx: Context, ref: str, comment: str, word: str) -> None:
    async with desk(ctx) as client:
        waiting = await waiting_drafts.find(client, ref)
        own = waiting.document.from_ == client.keys.sign.kid
        if own != (word == WITHDRAWN):
            raise Refused("DRAFT_OTHERS" if word == WITHDRAWN else "DRAFT_OWN", did=waiting.did)
        await waiting_drafts.end(client, waiting, word, sayable(comment))
        _tell(ctx, client, await waiting_drafts.find(client, waiting.did.hex()))


@channel.command(short_help="Keep or list notes of the own side / 保存或列出本方记录")
@click.argument("text", nargs=-1)
@click.pass_obj
def note(ctx: Context, text: tuple[str, ...]) -> None:
    """Keep a note for the own side, sealed; without TEXT list those that this seat may read.

    加密保存本方记录；不给 TEXT 时列出本席位可读的记录。
    """
    asyncio.run(_note(ctx, " ".join(text)))


async def _note(ctx: Context, text: str) -> None:
    async with desk(ctx) as client:
        if text:
            await waiting_drafts.note(client, sayable(text))
            ctx.terminal.say("cli.noted")
            return
        names = Names(client, ctx.terminal.texts)
        found = await waiting_drafts.notes(client)
        for ts, seat, said in found:
            first, *more = plain(said).split("\n")
            ctx.terminal.block(f"{utc(ts)}  {names.seat(client.view.letter, seat)}: ", first)
            ctx.terminal.lines(f"    {line}" for line in more)
            ctx.terminal.item({"ts": ts, "seat": seat, "text": said})
        if not found:
            ctx.terminal.say("cli.no_notes")
