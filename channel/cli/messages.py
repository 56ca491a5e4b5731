"""``channel inbox`` and ``show``: what this desk has, each message whole in the reader's language."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import click

from channel.cli.desk import desk
from channel.cli.group import Context, channel
from channel.cli.present import (
    Names,
    as_item,
    author,
    corrections,
    earlier,
    find,
    header_view,
    payload_of,
    status,
    translations,
    why_invalid,
)
from channel.cli.rendering import find_record, show_record
from channel.client.client import Client, Ill
from channel.i18n import Texts
from keys.errors import Refused
from keys.plain import plain, utc

MAIN = ("line", "outcome", "observed", "about", "readback", "text", "text_en", "observables")
"""The fields that say most, first one first."""


@channel.command()
@click.pass_obj
def inbox(ctx: Context) -> None:
    """List the messages of both sides, newest last / 列出双方电文，最新的在最后."""
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
            terminal.block("    ", _told(client, item, terminal.texts))
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
        if (verdict := find_record(client, ref)) is not None:
            show_record(ctx, client, verdict)
            return
        message = find(client, ref)
        try:
            body, fault = client.open(message).body, None
        except Ill as e:
            body, fault = e.opened.body, e
        book, lang = client.book(), ctx.terminal.lang
        view = header_view(client, message, ctx.terminal.texts, fault)
        ctx.terminal.lines(book.render(payload_of(message).fmt, view, body, lang, before=earlier(client, message)))
        for line in corrections(client, message, ctx.terminal.texts):
            ctx.terminal.line(line)
        for line in translations(client, message, ctx.terminal.texts):
            ctx.terminal.line(line)
        ctx.terminal.item(as_item(client, message))
        if fault is not None:
            raise Refused("INVALID", number=message.verdict.number, **fault.values)


def _told(client: Client, item: Mapping[str, Any], texts: Texts) -> str:
    """What a listed message says on one line; of one that is not valid, what is wrong with it and nothing else."""
    if "invalid" in item:
        fault = item["invalid"]
        return texts.say("code.header.invalid", field=plain(fault["field"]), why=why_invalid(texts, fault["why"]))
    if item["body"] is None:
        return texts.say("cli.sealed")
    by_header = (texts.say(f"code.{name}.{item[name]}") for name in ("move", "answer", "correction") if item[name])
    return _gist(client, item["body"], texts.lang) or next(by_header, "-")


def _gist(client: Client, body: Mapping[str, Any], lang: str) -> str:
    """What a message says, on one line: its main text, or the coded message in the reader's language."""
    if "entry" in body:
        said = client.book().coded_text(str(body["entry"]), body.get("slots", {}), lang)
        return f"{plain(str(body['entry']))}: {said or '?'}"
    for name in MAIN:
        if isinstance(body.get(name), str):
            return " ".join(plain(str(body[name])).split("\n"))
    return ", ".join(sorted(map(plain, map(str, body))))
