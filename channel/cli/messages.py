"""``channel inbox`` and ``show``: what this desk has, each message whole in the reader's language."""

from __future__ import annotations

import asyncio

import click

from channel.cli.desk import desk
from channel.cli.group import Context, channel
from channel.cli.rendering import show_record
from channel.cli.sending import tell_suspended
from channel.client.client import Ill
from channel.client.gist import told
from channel.client.present import (
    Names,
    as_item,
    author,
    corrected,
    corrections,
    earlier,
    find,
    header_view,
    payload_of,
    status,
    translations,
)
from channel.client.record_view import find_record
from channel.desk.own_procedures import beside
from keys.errors import Refused
from keys.plain import utc


@channel.command()
@click.pass_obj
def inbox(ctx: Context) -> None:
    """List the messages of both sides, newest last / 列出双方电文，最新的在最后."""
    asyncio.run(_inbox(ctx))


async def _inbox(ctx: Context) -> None:
    async with desk(ctx) as client:
        terminal, names = ctx.terminal, Names(client, ctx.terminal.texts)
        messages, by, own = client.messages(), corrected(client), beside(client, ctx.terminal.texts)
        for message in messages:
            item = as_item(client, message)
            terminal.item(item)
            who = names.speaker(message.verdict.letter, author(message))
            terminal.block(f"{item['number']}  {item['format']}  {utc(item['ts'])}  ", who)
            terminal.block("    ", status(client, message, terminal.texts, by))
            terminal.block("    ", told(client.book(message), item, terminal.texts))
            for line in [*corrections(by, message.ph, terminal.texts), *own.get(message.ph, ())]:
                terminal.block("    ", line)
        if not messages:
            terminal.say("show.empty")
        tell_suspended(ctx, client)


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
        book, lang = client.book(message), ctx.terminal.lang
        view = header_view(client, message, ctx.terminal.texts, fault)
        ctx.terminal.lines(book.render(payload_of(message).fmt, view, body, lang, before=earlier(client, message)))
        by = corrected(client)
        for line in corrections(by, message.ph, ctx.terminal.texts):
            ctx.terminal.line(line)
        for line in translations(client, message, ctx.terminal.texts):
            ctx.terminal.line(line)
        ctx.terminal.lines(beside(client, ctx.terminal.texts).get(message.ph, ()))
        item = as_item(client, message)
        ctx.terminal.item(item | {"corrections": [m.verdict.number for m in by.get(message.ph, ())]})
        if fault is not None:
            raise Refused("INVALID", number=message.verdict.number, **fault.values)
