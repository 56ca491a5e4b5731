"""``channel init``: a charter and all homes for a trial on one machine."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import click

from channel.cli.group import Context, channel
from channel.cli.homes import make_homes
from channel.clock import SystemClock
from keys.words import words


@channel.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--mode", type=click.Choice(["exercise", "actual"]), default="exercise", help="Mode / 模式")
@click.pass_obj
def init(ctx: Context, folder: Path, mode: str) -> None:
    """Make a charter and all homes for a trial / 建立试用渠道约定与全部目录."""
    trial, sides = make_homes(folder, 2 if mode == "exercise" else 1, SystemClock().now(), os.urandom, free_ports())
    said = words(trial.founding.chan)
    ctx.terminal.say("cli.init_done", folder=folder, mode=mode)
    ctx.terminal.say("cli.words", en=" ".join(said.en), zh=" ".join(said.zh))
    for side in sides:
        ctx.terminal.say("cli.init_next", party=side.code, node=side.node, desk=side.desk)
    ctx.terminal.item({"chan": trial.founding.chan, "words": said.en, "words_zh": said.zh, "folder": str(folder)})


PORTS = range(20_000, 30_000)  # below those that systems give to outgoing connections, which would take one any time
_given: set[int] = set()


def free_ports() -> tuple[int, int, int, int]:
    """Four loopback ports that are free now; never one that this process was given before."""
    a, b, c, d = (free_port() for _ in range(4))
    return a, b, c, d


def free_port() -> int:
    """One of them."""
    while True:
        port = PORTS[int.from_bytes(os.urandom(4)) % len(PORTS)]
        with socket.socket() as s, suppress(OSError):
            if port not in _given:
                s.bind(("127.0.0.1", port))
                _given.add(port)
                return port
