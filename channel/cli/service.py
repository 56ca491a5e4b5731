"""``channel node run`` and ``channel node status``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from channel.cli.group import Context, channel
from channel.client.wire import Wire
from channel.clock import SystemClock
from channel.node.app import run_node
from channel.node.config import read_config
from keys.errors import Unavailable, WrongUse

SAID = {"ACTIVE": "active", "DEGRADED": "limited", "FROZEN_PEER": "frozen", "HALTED": "halted"}


@channel.group()
def node() -> None:
    """The party's node / 本方节点."""


@node.command()
@click.pass_obj
def run(ctx: Context) -> None:
    """Run the node of a home until it is told to stop / 运行节点."""
    asyncio.run(run_node(node_home(ctx), SystemClock()))


@node.command()
@click.pass_obj
def status(ctx: Context) -> None:
    """Show what state the node is in / 显示节点状态."""
    home = node_home(ctx)
    path = home / "run.json"
    if not path.exists():
        raise Unavailable("NODE_NOT_RUNNING", home=str(home))
    run_file: dict[str, Any] = json.loads(path.read_text())
    health = asyncio.run(_health(run_file["desk_url"], read_config(home / "node.toml").tls_cert.read_text()))
    state = ctx.terminal.texts.say(f"channel.{SAID.get(health['state'], 'recovering')}")
    ctx.terminal.say("cli.node_state", party=health["party"], state=state, version=health["version"])
    for code, count in sorted(health.get("alarms", {}).items()):
        ctx.terminal.say("alarm.counted", said=ctx.terminal.texts.say(f"alarm.{code}"), count=count)
    ctx.terminal.item({**health, "pid": run_file["pid"]})


def node_home(ctx: Context) -> Path:
    """The home, which has to be a node's: ``WrongUse`` NO_NODE_HOME."""
    if not (ctx.home / "node.toml").exists():
        raise WrongUse("NO_NODE_HOME", path=str(ctx.home))
    return ctx.home


async def _health(url: str, cert: str) -> dict[str, Any]:
    async with Wire(url, cert, b"") as wire:
        return await wire.health()
