"""``channel inbox`` and ``show``: what this desk has, each message whole in the reader's language."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import click

from channel.cli.desk import desk
from channel.cli.group import Context, channel
from channel.cli.own_procedures import beside
from channel.cli.present import (
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
    why_invalid,
)
from channel.cli.rendering import find_record, show_record
from channel.cli.sending import tell_suspended
from channel.client.client import Ill
from channel.i18n import Texts
from channel.protocol.formats import Book
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
        messages, by, own = client.messages(), corrected(client), beside(ctx, client)
        for message in messages:
            item = as_item(client, message)
            terminal.item(item)
            who = names.speaker(message.verdict.letter, author(message))
            terminal.block(f"{item['number']}  {item['format']}  {utc(item['ts'])}  ", who)
            terminal.block("    ", status(client, message, terminal.texts, by))
            terminal.block("    ", _told(client.book(message), item, terminal.texts))
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
        ctx.terminal.lines(beside(ctx, client).get(message.ph, ()))
        item = as_item(client, message)
        ctx.terminal.item(item | {"corrections": [m.verdict.number for m in by.get(message.ph, ())]})
        if fault is not None:
            raise Refused("INVALID", number=message.verdict.number, **fault.values)


def _told(book: Book, item: Mapping[str, Any], texts: Texts) -> str:
    """What a listed message says on one line; of one that is not valid, what is wrong with it and nothing else."""
    if "invalid" in item:
        fault = item["invalid"]
        return texts.say("code.header.invalid", field=plain(fault["field"]), why=why_invalid(texts, fault["why"]))
    if item["body"] is None:
        return texts.say("cli.sealed")
    said = [texts.say(f"code.{name}.{item[name]}") for name in ("move", "answer", "correction") if item[name]]
    said += [gist] if (gist := _gist(book, item, texts.lang)) else []
    return " · ".join(said) or "-"


def _gist(book: Book, item: Mapping[str, Any], lang: str) -> str:
    """What a body says, on one line: its main text, the coded message, or which fields it has; "" for an empty one."""
    body = item["body"]
    if "entry" in body:
        said = book.coded_text(str(body["entry"]), body.get("slots", {}), lang)
        return f"{plain(str(body['entry']))}: {said or '?'}"
    for name in MAIN:
        if isinstance(body.get(name), str):
            return " ".join(plain(str(body[name])).split("\n"))
    rules = ((name, book.field(book.files.formats[item["format"]], name)) for name in map(str, body))
    return ("、" if lang == "zh" else ", ").join(
        plain(name) if rule is None else rule.text(lang) for name, rule in rules
    )
