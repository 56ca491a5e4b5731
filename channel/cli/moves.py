"""``channel raise``, ``lower``, ``concur``, ``object``, ``suspend``, ``resume``: the level of a case, and the whole exchange."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from channel.cli.desk import desk
from channel.cli.entering import read_body
from channel.cli.group import Context, channel
from channel.cli.sending import cosigners, hand_in, language, sending, with_body
from channel.client.client import Client
from channel.client.composing import Draft
from channel.client.moves import move_of
from channel.client.present import find_case, worded
from channel.client.typed import sayable
from channel.protocol.charter import ORDER
from channel.protocol.header import Move
from channel.protocol.verdicts import MessageView
from keys.errors import Refused


@channel.command(name="raise", short_help="Raise the level of a case / 上调级别")
@click.argument("case")
@click.argument("text", nargs=-1)
@click.option("--to", "level", type=click.Choice(ORDER[1:]), required=True, help="The new level / 新的级别")
@with_body
@sending
@click.pass_obj
def raise_(ctx: Context, /, case: str, text: tuple[str, ...], level: str, **options: Any) -> None:
    """Raise the level of a case; it holds on receipt / 上调级别，收到即生效."""
    asyncio.run(_move(ctx, case, " ".join(text), "raise", options, level))


@channel.command(short_help="Propose to lower the level by one step / 提议下调一档")
@click.argument("case")
@click.argument("text", nargs=-1)
@with_body
@sending
@click.pass_obj
def lower(ctx: Context, /, case: str, text: tuple[str, ...], **options: Any) -> None:
    """Propose to lower the level of a case by one step; it holds when the other side concurs / 提议下调一档，对方同意后生效."""
    asyncio.run(_move(ctx, case, " ".join(text), "lower", options))


@channel.command(short_help="Agree to a lowering or closing / 同意下调或办结")
@click.argument("case")
@click.argument("text", nargs=-1)
@with_body
@sending
@click.pass_obj
def concur(ctx: Context, /, case: str, text: tuple[str, ...], **options: Any) -> None:
    """Agree to the other side's newest lowering or closing of a case / 同意对方最近一次下调或办结."""
    asyncio.run(_move(ctx, case, " ".join(text), "concur", options))


@channel.command(name="object", short_help="Object to a lowering or closing / 对下调或办结提出异议")
@click.argument("case")
@click.argument("text", nargs=-1)
@with_body
@sending
@click.pass_obj
def object_(ctx: Context, /, case: str, text: tuple[str, ...], **options: Any) -> None:
    """Object to the other side's newest lowering or closing of a case / 对对方最近一次下调或办结提出异议."""
    asyncio.run(_move(ctx, case, " ".join(text), "object", options))


@channel.command(short_help="Suspend exchanges; the core stays open / 暂停业务（核心功能保留）")
@click.argument("text", nargs=-1)
@with_body
@sending
@click.pass_obj
def suspend(ctx: Context, /, text: tuple[str, ...], **options: Any) -> None:
    """Suspend exchanges, by an official; line tests, receipts, coded messages, corrections and raises stay open.

    由授权官员暂停业务；线路测试、收悉、约定代码电文、更正与上调仍然可用。
    """
    asyncio.run(_hold(ctx, " ".join(text), "suspend", options))


@channel.command(short_help="Resume exchanges / 恢复业务")
@click.argument("text", nargs=-1)
@with_body
@sending
@click.pass_obj
def resume(ctx: Context, /, text: tuple[str, ...], **options: Any) -> None:
    """End the own side's suspension, by an official / 由授权官员恢复本方业务."""
    asyncio.run(_hold(ctx, " ".join(text), "resume", options))


async def _move(ctx: Context, ref: str, text: str, op: str, options: dict[str, Any], to: str = "") -> None:
    async with desk(ctx) as client:
        case = find_case(client, ref)
        try:
            move, refs = move_of(client, case, op, to)
        except Refused as e:
            raise worded(e, ctx.terminal.texts) from e
        await _hand_in(ctx, client, text, move, options, case.ph, refs)


async def _hold(ctx: Context, text: str, op: Any, options: dict[str, Any]) -> None:
    async with desk(ctx, "official") as client:
        sent = await _hand_in(ctx, client, text, Move(op=op), options, None, ())
        if op == "suspend" and sent is not None:
            ctx.terminal.say("channel.suspended_open")


async def _hand_in(
    ctx: Context,
    client: Client,
    text: str,
    move: Move,
    options: dict[str, Any],
    case: bytes | None,
    refs: tuple[bytes, ...],
) -> MessageView | None:
    body = read_body(client, "F12", options["given"], options["file"])
    if text:
        body["text"] = sayable(text)
    draft = Draft(
        fmt="F12",
        body=body,
        lang=language(client, options),
        case=case,
        refs=refs,
        move=move,
        cosign=cosigners(client, options["cosign"]),
        tlp=options["tlp"],
        pap=options["pap"],
    )
    return await hand_in(ctx, client, draft, options)
