"""``channel send``, ``inbox``, ``show``, ``ack``: what an expert does with messages."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from channel.cli.desk import desk
from channel.cli.group import Context, channel
from channel.cli.present import Names, as_item, author, find, header_view, payload_of, status, steps
from channel.cli.times import moment, seconds
from channel.client.client import Client, Draft
from channel.protocol.verdicts import MessageView
from keys.errors import Malformed, NotDelivered, Refused, Unverified, WrongUse
from keys.plain import has_control, plain, utc

CODED = ("category", "origin", "intent", "control")


@channel.command(short_help="Open a case or continue it / 初报与续报")
@click.argument("text", nargs=-1, required=True)
@click.option("--category", default="UNX", show_default=True, help="A code / 事件类别代码")
@click.option("--origin", default="UNK", show_default=True, help="A code / 来源代码（非定性）")
@click.option("--intent", multiple=True, default=("UNK",), show_default=True, help="Codes / 意图代码")
@click.option("--since", default="now", show_default=True, help="2026-11-24 08:30 (UTC), 30m ago / 起始时间")
@click.option("--control", default="K9", show_default=True, help="A code / 扩散与受控情况代码")
@click.option("--level", default="attention", show_default=True, help="Of the case to open / 级别")
@click.option("--case", "case_ref", metavar="REF", help="Continue this case / 续报该事件")
@click.option("--lang-of-text", "text_lang", type=click.Choice(["en", "zh"]), help="Authentic language / 作准语言")
@click.option(
    "--wait", type=click.Choice(["logged", "delivered", "anchored", "read"]), default="delivered", show_default=True
)
@click.option("--timeout", "within", default="30s", show_default=True, help="How long to wait / 等待时间")
@click.option("--stale-ok", is_flag=True, help="Send though the other side was not heard of lately / 仍然发送")
@click.pass_obj
def send(ctx: Context, /, **options: Any) -> None:
    """Open a case with F03; further TEXTs, or lines of standard input after "-", are F04 in it / 初报与续报."""
    asyncio.run(_send(ctx, options))


async def _send(ctx: Context, options: dict[str, Any]) -> None:
    within = seconds(options["within"])
    lines = [_sayable(t) for text in options["text"] for t in (_input_lines() if text == "-" else [text])]
    if not lines:
        raise WrongUse("NOTHING_TO_SEND")
    async with desk(ctx) as client:
        _check_codes(ctx, client, options)
        age = client.view.age(client.clock.now())
        if age > client.view.stale_after() and not options["stale_ok"]:
            _ask_stale(ctx, age)
        case = None if options["case_ref"] is None else find(client, options["case_ref"])
        for line in lines:
            sent = await client.send(_draft(client, line, case, options))
            case = case or sent
            message = await _wait(ctx, client, sent, options["wait"], within)
            told = status(client, message, ctx.terminal.texts)
            ctx.terminal.say("cli.sent", number=message.verdict.number, state=told)
            ctx.terminal.item(as_item(client, message))


def _sayable(text: str) -> str:
    """The text, if it has nothing that only a terminal reads; ``WrongUse`` CONTROL_CHARACTERS."""
    if has_control(text):
        raise WrongUse("CONTROL_CHARACTERS")
    return text


def _check_codes(ctx: Context, client: Client, options: dict[str, Any]) -> None:
    """``WrongUse`` CODE with every code that an option takes, before anything is sealed."""
    files, lang = client.book().files, ctx.terminal.lang
    lists = {name: {code: word.text(lang) for code, word in files.lists[name].codes.items()} for name in CODED}
    switched_on = client.view.fold.policy(client.view.letter).categories
    lists["category"] = {code: word for code, word in lists["category"].items() if code in switched_on}
    lists["level"] = {code: level.text(lang) for code, level in files.levels.items()}
    for name, codes in lists.items():
        for given in options[name] if name == "intent" else (options[name],):
            if given not in codes:
                raise WrongUse("CODE", option=f"--{name}", given=given, codes=_told(codes, lang))


def _told(codes: dict[str, str], lang: str) -> str:
    return ("；" if lang == "zh" else "; ").join(f"{code} {word}" for code, word in codes.items())


def _draft(client: Client, line: str, case: MessageView | None, options: dict[str, Any]) -> Draft:
    lang = options["text_lang"] or client.view.charter.party(client.view.letter).lang
    if case is not None:
        opening = payload_of(case)
        ph = opening.case if isinstance(opening.case, bytes) else case.ph
        return Draft(fmt="F04", body={"line": line}, lang=lang, case=ph, refs=(case.ph,))
    body = {
        "category": options["category"],
        "origin": options["origin"],
        "intent": list(options["intent"]),
        "since": moment(options["since"], client.clock.now()),
        "control": options["control"],
        "line": line,
    }
    return Draft(fmt="F03", body=body, lang=lang, level=options["level"])


async def _wait(ctx: Context, client: Client, sent: MessageView, state: Any, within: float) -> MessageView:
    try:
        return await client.wait(sent.ph, state, within)
    except NotDelivered:
        said = ctx.terminal.texts.say(f"state.{state}")
        raise NotDelivered("NOT_YET", number=sent.verdict.number, state=said, seconds=f"{within:g}") from None


@channel.command()
@click.pass_obj
def inbox(ctx: Context) -> None:
    """List the messages of both sides, newest last / 收件箱."""
    asyncio.run(_inbox(ctx))


async def _inbox(ctx: Context) -> None:
    async with desk(ctx) as client:
        terminal, names = ctx.terminal, Names(client, ctx.terminal.texts)
        messages = client.messages()
        for message in messages:
            item = as_item(client, message)
            terminal.item(item)
            who = names.speaker(message.verdict.letter, author(message))
            terminal.block(f"{item['number']}  {item['format']}  {utc(item['ts'])}  ", who)
            terminal.block("    ", status(client, message, terminal.texts))
            body = item["body"]
            terminal.block("    ", plain(str(body.get("line", ""))) if body else terminal.texts.say("cli.sealed"))
        if not messages:
            terminal.say("show.empty")


@channel.command()
@click.argument("ref")
@click.pass_obj
def show(ctx: Context, ref: str) -> None:
    """Show one message whole / 显示一份电文."""
    asyncio.run(_show(ctx, ref))


async def _show(ctx: Context, ref: str) -> None:
    async with desk(ctx) as client:
        message = find(client, ref)
        opened = client.open(message)
        view = header_view(client, message, ctx.terminal.texts)
        ctx.terminal.lines(client.book().render(payload_of(message).fmt, view, opened.body, ctx.terminal.lang))
        ctx.terminal.item(as_item(client, message))


@channel.command()
@click.argument("ref")
@click.option(
    "--step",
    default="read",
    show_default=True,
    type=click.Choice(["read", "engaged", "informed", "not-engaging", "no-comment", "undecryptable"]),
)
@click.option("--next", "next_", metavar="TIME", help="With not-engaging: when again / 下次联系时间")
@click.pass_obj
def ack(ctx: Context, ref: str, step: Any, next_: str | None) -> None:
    """Sign a step of receipt for a message of the other side / 收悉."""
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
        why = _why_unopened(client, message, step)
        said = ctx.terminal.texts.say(f"state.{step.replace('-', '_')}")
        if at is None and _signed_before(client, message, step):
            ctx.terminal.say("cli.acked_before", number=number, step=said)
        else:
            await client.ack(message, step, why, at)
            message = client.find(message.ph)
            ctx.terminal.say("cli.acked", number=number, step=said)
        ctx.terminal.item(as_item(client, message))


def _why_unopened(client: Client, message: MessageView, step: str) -> str | None:
    """What the opening fails with where that is what is to be signed; a person acknowledges only what opens."""
    try:
        client.open(message)
    except (Refused, Unverified, Malformed) as e:
        if step != "undecryptable":
            raise
        return str(e.values["why"]) if e.code == "UNOPENED" else e.code
    if step == "undecryptable":
        raise WrongUse("OPENS", number=message.verdict.number)
    return None


def _signed_before(client: Client, message: MessageView, step: str) -> bool:
    mine = (a for a in message.acks if any(s.kid == client.keys.sign.kid for s in a.signers))
    return any(a.doc.step == step for a in mine) and step in steps(message)


def _ask_stale(ctx: Context, age: int) -> None:
    said = ctx.terminal.texts.duration(age)
    if not sys.stdin.isatty() or not click.confirm(ctx.terminal.texts.say("channel.stale_ask", age=said)):
        raise Refused("STALE_LINK", age=f"{age} s")


def _input_lines() -> list[str]:
    return [line.rstrip("\r\n") for line in sys.stdin if line.strip()]
