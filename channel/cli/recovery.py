"""``channel node recover``: what a stopped node's journal and store hold, and what starting it will do."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from channel.cli.group import Context
from channel.cli.service import node, node_home
from channel.node.findings import ChannelFound, LogFound, NodeFound, find, put_aside
from keys.errors import Problem, Refused
from keys.words import words

EXIT = {"good": 0, "sign": 0, "places": 6, "fetch": 6, "refuse": 5}
HEADS = ("log", "in_journal", "in_store", "differs", "lost_parts", "newest_note", "starting")


@node.command(short_help="What a stopped node holds / 检查已停止的节点")
@click.option("--set-aside", "aside", is_flag=True, help="Move a torn or damaged store aside / 移开损坏的存储")
@click.option("--yes", is_flag=True, help="Without asking / 不再询问")
@click.pass_obj
def recover(ctx: Context, aside: bool, yes: bool) -> int:  # noqa: FBT001  click calls it by name
    """Say what a stopped node holds and what starting it will do / 检查已停止的节点."""
    home = node_home(ctx)
    found = asyncio.run(find(home))
    if aside:
        if not found.may_set_aside:
            raise Refused("NOTHING_ASIDE")
        _tell(ctx, found)
        if not yes and not (sys.stdin.isatty() and click.confirm(ctx.terminal.texts.say("recover.ask"))):
            raise Refused("NOT_CONFIRMED")
        path = put_aside(home)
        ctx.terminal.say("recover.aside", path=path)
        ctx.terminal.item({"set_aside": str(path)})
        found = asyncio.run(find(home))
    _tell(ctx, found)
    code = EXIT[found.does]
    ctx.terminal.say(f"recover.exit_{code}")
    if found.may_set_aside:
        ctx.terminal.say("recover.may_set_aside")
    ctx.terminal.item({
        "exit": code,
        "does": found.does,
        "journal": found.journal.code if found.journal else None,
        "store": found.store.code if found.store else None,
        "may_set_aside": found.may_set_aside,
    })  # fmt: skip
    return code


def _tell(ctx: Context, found: NodeFound) -> None:
    say, terminal = ctx.terminal.texts.say, ctx.terminal
    for channel in found.channels:
        said = words(channel.chan)
        mode = terminal.texts.both("banner.actual" if channel.mode == 1 else "banner.exercise")
        terminal.say("recover.channel", party=channel.party, mode=mode, en=" ".join(said.en), zh=" ".join(said.zh))
        rows = [_row(ctx, log) for log in channel.logs]
        terminal.table([say(f"recover.{h}") for h in HEADS], rows)
        for log in channel.logs:
            terminal.item(_item(channel, log))
            if log.why and not (found.journal or found.store):
                _tell_problem(ctx, Problem(log.why, log=log.log, index=log.differs, have=log.journal, size=log.note,
                                           origin=log.log))  # fmt: skip
    for problem in (found.journal, found.store):
        if problem is not None:
            _tell_problem(ctx, problem)


def _tell_problem(ctx: Context, problem: Problem) -> None:
    what, do = ctx.terminal.texts.problem(problem)
    ctx.terminal.block("  ", f"{what} ({problem.code})")
    ctx.terminal.block("  ", do)


def _row(ctx: Context, log: LogFound) -> tuple[str, ...]:
    say = ctx.terminal.texts.say

    def number(value: int | None) -> str:
        return "-" if value is None else str(value)

    name = say(f"recover.role_{log.role}")
    parts = f"{log.lost_parts}" + (f" + {log.lost_places}" if log.lost_places else "")
    does = say(f"recover.{log.does}", count=log.count)
    return (
        f"{log.log} {name}",
        number(log.journal),
        number(log.store),
        number(log.differs),
        parts,
        number(log.note),
        does,
    )


def _item(channel: ChannelFound, log: LogFound) -> dict[str, Any]:
    return {
        "chan": channel.chan, "party": channel.party, "mode": "actual" if channel.mode == 1 else "exercise",
        "log": log.log, "role": log.role, "journal": log.journal, "store": log.store, "differs": log.differs,
        "lost_places": log.lost_places, "lost_parts": log.lost_parts, "note": log.note, "does": log.does,
        "count": log.count, "why": log.why,
    }  # fmt: skip
