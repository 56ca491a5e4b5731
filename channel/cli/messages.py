"""``channel send``, ``inbox``, ``show``, ``ack``, ``log``: what an expert does with messages."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from channel.cli.desk import desk
from channel.cli.group import Context, channel
from channel.cli.present import as_item, find, header_view, payload_of
from channel.client.client import Client, Draft
from channel.protocol.people import Ack
from channel.protocol.verdicts import MessageView
from keys.errors import Malformed, NotDelivered, Refused, Unverified, WrongUse
from keys.plain import plain, utc


@channel.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--category", default="UNX", show_default=True)
@click.option("--origin", default="UNK", show_default=True)
@click.option("--intent", multiple=True, default=("UNK",), show_default=True)
@click.option("--since", help="ms UTC; now / 默认为当前时间", type=int)
@click.option("--control", default="K9", show_default=True)
@click.option("--level", default="attention", show_default=True)
@click.option("--case", "case_ref", help="Continue this case / 续报该事件")
@click.option("--lang-of-text", "text_lang", type=click.Choice(["en", "zh"]), help="Authentic language / 作准语言")
@click.option("--wait", type=click.Choice(["logged", "delivered", "anchored", "read"]), default="delivered")
@click.option("--timeout", "within", default="30s", show_default=True)
@click.option("--stale-ok", is_flag=True, help="Send though the other side was not heard of lately / 仍然发送")
@click.pass_obj
def send(ctx: Context, /, **options: Any) -> None:
    """Open a case with F03; further TEXTs, or lines of standard input after "-", are F04 in it / 初报与续报."""
    asyncio.run(_send(ctx, options))


async def _send(ctx: Context, options: dict[str, Any]) -> None:
    lines = [t for text in options["text"] for t in (_input_lines() if text == "-" else [text])]
    within = _seconds(options["within"])
    async with desk(ctx) as client:
        age = client.view.age(client.clock.now())
        if age > client.view.stale_after() and not options["stale_ok"]:
            _ask_stale(ctx, f"{age} s")
        case = None if options["case_ref"] is None else find(client, options["case_ref"])
        for line in lines:
            sent = await client.send(_draft(client, line, case, options))
            case = case or sent
            message = await _wait(client, sent, options["wait"], within)
            view = header_view(client, message)
            state = client.view.state(message.verdict.letter, message.verdict.index)
            ctx.terminal.say("cli.sent", number=view.number, state=ctx.terminal.texts.say(f"state.{state}"))
            ctx.terminal.item(as_item(client, message))


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
        "since": options["since"] or client.clock.now(),
        "control": options["control"],
        "line": line,
    }
    return Draft(fmt="F03", body=body, lang=lang, level=options["level"])


async def _wait(client: Client, sent: MessageView, state: Any, within: float) -> MessageView:
    try:
        return await client.wait(sent.ph, state, within)
    except NotDelivered:
        if state == "logged":
            raise
        raise NotDelivered("NOT_YET", number=sent.verdict.number, state=state, seconds=int(within)) from None


@channel.command()
@click.pass_obj
def inbox(ctx: Context) -> None:
    """List the messages of both sides, newest last / 收件箱."""
    asyncio.run(_inbox(ctx))


async def _inbox(ctx: Context) -> None:
    async with desk(ctx) as client:
        say = ctx.terminal.texts.say
        rows = []
        for message in client.messages():
            item = as_item(client, message)
            ctx.terminal.item(item)
            acks = ", ".join(say(f"state.{step.replace('-', '_')}") for step in item["acks"])
            state = say(f"state.{item['state']}")
            line = plain(str(item["body"].get("line", ""))) if item["body"] else say("cli.sealed")
            standing = say(f"code.standing.{item['standing']}")
            seat = f"{item['seat']} ({standing})"
            rows.append((item["number"], item["format"], utc(item["ts"]), seat, f"{state} {acks}".strip(), line))
        heads = [say(f"show.{h}") for h in ("number", "format", "time", "seat", "status", "message")]
        ctx.terminal.table(heads, rows)


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
        view = header_view(client, message)
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
@click.option("--next", "next_", type=int, help="ms UTC; with not-engaging / 下次联系时间")
@click.pass_obj
def ack(ctx: Context, ref: str, step: Any, next_: int | None) -> None:
    """Sign a step of receipt for a message of the other side / 收悉."""
    asyncio.run(_ack(ctx, ref, step, next_))


async def _ack(ctx: Context, ref: str, step: Any, next_: int | None) -> None:
    async with desk(ctx) as client:
        message = find(client, ref)
        why = None
        try:
            client.open(message)
        except (Refused, Unverified, Malformed) as e:
            if step != "undecryptable":
                raise
            why = e.code
        if step == "undecryptable" and why is None:
            raise WrongUse("OPENS", number=message.verdict.number)
        await client.ack(message, step, why, next_)
        name = ctx.terminal.texts.say(f"state.{step.replace('-', '_')}")
        ctx.terminal.say("cli.acked", number=message.verdict.number, step=name)
        ctx.terminal.item(as_item(client, client.find(message.ph)))


@channel.command()
@click.pass_obj
def log(ctx: Context) -> None:
    """List the records of both logs with their verdicts / 记录."""
    asyncio.run(_log(ctx))


async def _log(ctx: Context) -> None:
    async with desk(ctx) as client:
        say = ctx.terminal.texts.say
        rows = []
        for v in client.view.fold.display():
            code = client.view.fold.party(v.letter).code
            t, ts = (v.record.t, v.record.ts) if v.record else ("?", 0)
            state = client.view.state(v.letter, v.index)
            who = ", ".join(s.seat for s in v.signers)
            step = v.doc.step if isinstance(v.doc, Ack) else ""
            ctx.terminal.item({"record": f"{code}:{v.index}", "t": t, "ts": ts, "state": state, "reason": v.reason,
                               "number": v.number, "signers": [s.seat for s in v.signers]})  # fmt: skip
            verdict = say("state.refused", reason=say(f"refused.{v.reason}")) if v.reason else say(f"state.{state}")
            rows.append((f"{code}:{v.index}", utc(ts), t, who, f"{v.number} {step}".strip(), verdict))
        heads = [say(f"show.{h}") for h in ("record", "time", "kind", "seat", "number", "status")]
        ctx.terminal.table(heads, rows)


def _ask_stale(ctx: Context, age: str) -> None:
    if not sys.stdin.isatty() or not click.confirm(ctx.terminal.texts.say("channel.stale_ask", age=age)):
        raise Refused("STALE_LINK", age=age)


def _input_lines() -> list[str]:
    return [line.rstrip("\n") for line in sys.stdin if line.strip()]


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    unit = next((u for u in units if text.endswith(u)), "")
    try:
        return float(text.removesuffix(unit)) * units.get(unit, 1.0)
    except ValueError as e:
        raise WrongUse("DURATION", text=text) from e
