"""``channel ack``, ``readback``, ``confirm``, ``correct``: what people sign about messages that stand in the log."""

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
from channel.client.present import as_item, find, payload_of
from channel.client.receipts import CORRECTIONS, correction_about, signed_before, translated, why_unopened
from channel.client.receipts import confirm as sign_confirm
from channel.client.typed import moment, sayable
from channel.protocol.verdicts import MessageView
from keys.errors import Refused, WrongUse


@channel.command()
@click.argument("ref")
@click.option(
    "--step",
    default="read",
    show_default=True,
    type=click.Choice(["read", "engaged", "informed", "not-engaging", "no-comment", "undecryptable"]),
    help="What is signed for / 收悉步骤",
)
@click.option("--next", "next_", metavar="TIME", help="With not-engaging: when again / 下次联系时间")
@click.pass_obj
def ack(ctx: Context, ref: str, step: Any, next_: str | None) -> None:
    """Sign a step of receipt for a message of the other side / 就对方电文签署收悉步骤."""
    asyncio.run(_ack(ctx, ref, step, next_))


async def _ack(ctx: Context, ref: str, step: Any, next_: str | None) -> None:
    if next_ is not None and step != "not-engaging":
        raise WrongUse("NEXT_ALONE")
    async with desk(ctx) as client:
        message = find(client, ref)
        number = message.verdict.number
        if message.verdict.letter == client.view.letter:
            raise Refused("OWN_MESSAGE", number=number)
        at = None if next_ is None else moment(next_, client.clock.now())
        why = why_unopened(client, message, step)
        said = ctx.terminal.texts.say(f"state.{step.replace('-', '_')}")
        if at is None and signed_before(client, message, step):
            ctx.terminal.say("cli.acked_before", number=number, step=said)
        else:
            await client.ack(message, step, why, at)
            message = client.find(message.ph)
            ctx.terminal.say("cli.acked", number=number, step=said)
        ctx.terminal.item(as_item(client, message))


@channel.command(short_help="Say in own words what a message says / 复述核对")
@click.argument("ref")
@click.argument("text", nargs=-1)
@click.option("--match", type=click.Choice(["OK", "DIF"]), help="Of the own message: matches, or differs / 核对结果")
@click.option("--translation", "parts", multiple=True, metavar="FIELD=TEXT", help="A translation of a field / 字段译文")
@click.option("--by", "translator", type=click.Choice(["H", "M", "B"]), help="Person, machine, both / 译者")
@with_body
@sending
@click.pass_obj
def readback(ctx: Context, /, ref: str, text: tuple[str, ...], **options: Any) -> None:
    """Read back a message of the other side in own words; or answer its read-back with --match.

    With --translation: a marked addition that never replaces the text.  复述对方电文；或以 --match 答复对方的复述；--translation 附加译文。
    """
    asyncio.run(_readback(ctx, ref, " ".join(text), options))


async def _readback(ctx: Context, ref: str, text: str, options: dict[str, Any]) -> None:
    async with desk(ctx) as client:
        message = find(client, ref)
        own = message.verdict.letter == client.view.letter
        if own and not options["parts"]:
            raise Refused("OWN_MESSAGE", number=message.verdict.number)
        if options["match"] and payload_of(message).fmt != "F02":
            raise Refused("NO_READBACK", number=message.verdict.number)
        body = read_body(client, "F02", options["given"], options["file"])
        if text:
            body["differs" if options["match"] else "readback"] = sayable(text)
        if options["match"]:
            body["match"] = options["match"]
        if options["parts"]:
            body["translation"] = [_translated(client, message, part) for part in options["parts"]]
            body["translator"] = options["translator"] or "H"
            other = "zh" if payload_of(message).lang == "en" else "en"  # a translation is into the other language
            options = {**options, "text_lang": options["text_lang"] or other}
        if not body:
            raise WrongUse("NOTHING_TO_SEND")
        await _hand_in(ctx, client, "F02", body, (message.ph, message.case), options)


def _translated(client: Client, message: MessageView, part: str) -> dict[str, str]:
    name, equals, text = part.partition("=")
    return translated(client, message, name, text if equals else None)


@channel.command(short_help="Correct or withdraw what was signed / 更正或撤回")
@click.argument("ref")
@click.argument("text", nargs=-1)
@click.option("--code", type=click.Choice(CORRECTIONS), default="COR",
              show_default=True, help="What it is / 更正类型")  # fmt: skip
@with_body
@sending
@click.pass_obj
def correct(ctx: Context, /, ref: str, text: tuple[str, ...], code: str, **options: Any) -> None:
    """Correct, withdraw or warn about a message, an acknowledgement, a handover or a concurrence by F14.

    REF: a message, or a record such as US:12.  以 F14 更正、撤回或通知安全异常；REF 可为电文或记录（如 US:12）。
    """
    asyncio.run(_correct(ctx, ref, " ".join(text), code, options))


async def _correct(ctx: Context, ref: str, text: str, code: str, options: dict[str, Any]) -> None:
    async with desk(ctx) as client:
        body = read_body(client, "F14", options["given"], options["file"])
        if text:
            body["text"] = sayable(text)
        await _hand_in(ctx, client, "F14", body, correction_about(client, ref, code), options, code)


async def _hand_in(
    ctx: Context, client: Client, fmt: Any, body: dict[str, Any], about: tuple[bytes, bytes | None],
    options: dict[str, Any], cor: str | None = None,
) -> None:  # fmt: skip
    """``about``: the payload that the message concerns, and its case."""
    draft = Draft(
        fmt=fmt,
        body=body,
        lang=language(client, options),
        case=about[1],
        refs=(about[0],),
        cor=cor,
        cosign=cosigners(client, options["cosign"]),
        tlp=options["tlp"],
        pap=options["pap"],
    )
    await hand_in(ctx, client, draft, options)


@channel.command(short_help="Second person of an emergency release / 应急签发的第二人签署")
@click.argument("ref")
@click.pass_obj
def confirm(ctx: Context, ref: str) -> None:
    """Sign an own side's coded message that one person released in an emergency / 为本方应急单人签发的电文补签."""
    asyncio.run(_confirm(ctx, ref))


async def _confirm(ctx: Context, ref: str) -> None:
    async with desk(ctx, "expert-2") as client:
        message = await sign_confirm(client, find(client, ref))
        said = ctx.terminal.texts.say(f"code.confirm.{message.confirm}")
        ctx.terminal.say("cli.acked", number=message.verdict.number, step=said)
        ctx.terminal.item(as_item(client, message))
