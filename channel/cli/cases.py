"""``channel case``: the cases with both parties' numbers, level and its history, severity apart, questions still open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import click

from channel.cli.desk import desk
from channel.cli.group import Context, channel
from channel.cli.sending import tell_suspended
from channel.client.cases import Case, cases, read_case
from channel.client.client import Client
from channel.client.present import Names, author, find_case, payload_of
from keys.plain import plain, utc


@channel.command()
@click.argument("ref", required=False)
@click.option("--all", "closed", is_flag=True, help="Closed ones too / 包括已办结的")
@click.pass_obj
def case(ctx: Context, ref: str | None, closed: bool) -> None:  # noqa: FBT001  click calls it by name
    """List the open cases, or show one whole / 事件列表或详情."""
    asyncio.run(_case(ctx, ref, closed=closed))


async def _case(ctx: Context, ref: str | None, *, closed: bool) -> None:
    async with desk(ctx) as client:
        if ref is not None:
            _show(ctx, client, read_case(client, find_case(client, ref)))
            return
        found = [each for each in cases(client) if closed or each.level is not None]
        for each in found:
            _line(ctx, each)
            ctx.terminal.item(_item(each))
        if not found:
            ctx.terminal.say("cli.no_cases")
        tell_suspended(ctx, client)


def _level(ctx: Context, level: str | None) -> str:
    return ctx.terminal.texts.say("case.closed") if level is None else ctx.terminal.texts.level(level)


def _line(ctx: Context, case: Case) -> None:
    name = plain(case.name).replace("\n", " ")
    ctx.terminal.block(f"{case.number}  {_level(ctx, case.level)}  ", name or "-")


def _show(ctx: Context, client: Client, case: Case) -> None:
    say, names = ctx.terminal.texts.say, Names(client, ctx.terminal.texts)
    lang = ctx.terminal.lang
    _line(ctx, case)
    for code, number in case.numbers.items():
        ctx.terminal.say("case.own_number", party=code, number=plain(number))
    for code, severity in case.severity.items():
        ctx.terminal.say(
            "case.severity", party=code, word=client.book().word("severity", severity, lang), code=severity
        )
    if case.severity:
        ctx.terminal.say("X11")
    ctx.terminal.say("case.history")
    for step in case.history:
        who = names.speaker(step.message.verdict.letter, author(step.message))
        op = say(f"code.move.{step.op}") if step.op != "open" else say("case.opened")
        ts = step.message.verdict.record.ts if step.message.verdict.record else 0
        ctx.terminal.block(f"  {utc(ts)}  {step.message.verdict.number}  {op}  {_level(ctx, step.level)}  ", who)
    for question in case.questions:
        due = say("case.no_time") if question.due is None else utc(question.due)
        numbers = ", ".join(map(str, question.open)) or "-"
        ctx.terminal.say("case.question", number=question.message.verdict.number, numbers=numbers, due=due)
    if case.closing is not None:
        ctx.terminal.say("case.closing", number=case.closing.verdict.number)
    ctx.terminal.say("case.messages", count=len(case.messages))
    for message in case.messages:
        fmt = payload_of(message).fmt
        form = client.book(message).files.formats[fmt].text(lang)
        ctx.terminal.line(f"  {message.verdict.number}  {fmt} {form}")
    ctx.terminal.item(_item(case))


def _item(case: Case) -> Mapping[str, Any]:
    return {
        "case": case.number,
        "ph": case.opening.ph,
        "level": case.level,
        "name": case.name,
        "numbers": case.numbers,
        "severity": case.severity,
        "history": [{"message": s.message.verdict.number, "op": s.op, "level": s.level} for s in case.history],
        "questions": [
            {"message": q.message.verdict.number, "open": list(q.open), "due": q.due} for q in case.questions
        ],
        "closing": None if case.closing is None else case.closing.verdict.number,
        "messages": [m.verdict.number for m in case.messages],
    }
