"""``channel``: one command for experts and operators. Options, exit codes and the one way out of an error.

Everywhere: ``--home DIR`` or CHANNEL_HOME, ``--as SEAT``, ``--json``, ``--lang en|zh`` or CHANNEL_LANG, then the locale.
Exit codes: 0 good, 1 internal fault, 2 wrong use, 3 unreadable, 4 refused by a rule, 5 verification failed,
6 good with warnings, 7 accepted on the own side but not delivered in the time given.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from channel import __version__
from channel.cli.terminal import Terminal
from channel.i18n import pick_language
from keys.errors import Problem, WrongUse


@dataclass(frozen=True, slots=True)
class Context:
    """What every command is given."""

    terminal: Terminal
    home_option: Path | None
    seat: str | None
    passphrase_file: Path | None

    @property
    def home(self) -> Path:
        """The home to work in, or ``WrongUse`` NO_HOME."""
        if self.home_option is None:
            raise WrongUse("NO_HOME")
        return self.home_option


class Commands(click.Group):
    """The group: a problem of any command becomes one text on stderr and its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; its number, if it returns one, is the exit code."""
        try:
            code = super().invoke(ctx)
        except Problem as e:
            terminal = ctx.obj.terminal if ctx.obj else Terminal(pick_language(None, os.environ), as_json=False)
            terminal.problem(e)
            code = e.exit_code
        ctx.exit(code or 0)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="channel")
@click.option("--home", type=click.Path(path_type=Path), envvar="CHANNEL_HOME", help="The home to work in / 工作目录")
@click.option("--as", "seat", help="The seat to speak from / 席位")
@click.option("--json", "as_json", is_flag=True, help="One object a line / 每行一个对象")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language / 语言")
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="Read the passphrase here / 口令文件")
@click.pass_context
def channel(
    ctx: click.Context,
    home: Path | None,
    seat: str | None,
    as_json: bool,  # noqa: FBT001  click calls it by name
    lang: str | None,
    passphrase_file: Path | None,
) -> None:
    """AI Deconfliction Channel / 人工智能风险沟通与防误判渠道."""
    ctx.obj = Context(Terminal(pick_language(lang, os.environ), as_json=as_json), home, seat, passphrase_file)
