"""``channel``: one command for experts and operators. Options, exit codes and the one way out of an error.

Everywhere, before a command or after it: ``--home DIR`` or CHANNEL_HOME, ``--as SEAT``, ``--json``, ``--lang en|zh`` or
CHANNEL_LANG, then the locale, ``--passphrase-file FILE``. Where one is given twice, the later one holds.
Exit codes: 0 good, 1 internal fault, 2 wrong use, 3 unreadable, 4 refused by a rule, 5 verification failed,
6 good with warnings, 7 accepted on the own side but not delivered in the time given.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from channel import __version__
from channel.cli.terminal import Terminal
from channel.i18n import pick_language
from keys.errors import Problem, WrongUse
from keys.faults import place_of
from keys.usage import Spoken, SpokenGroup, language_asked, wrong_use

INTERRUPTED = 130  # by Ctrl-C, as shells have it
GIVEN = "channel.given"
"""Where click keeps, for one call of the program, what the shared options said."""


@dataclass(frozen=True)
class Context:
    """What every command is given. ``given``: the shared options as read so far, by parameter name."""

    given: Mapping[str, Any]

    @cached_property
    def terminal(self) -> Terminal:
        """Where the answers go; ``WrongUse`` LANG for a language that we do not have."""
        return Terminal(pick_language(self.given.get("lang"), os.environ), as_json=self.given.get("as_json", False))

    @property
    def home(self) -> Path:
        """The home to work in, or ``WrongUse`` NO_HOME."""
        if self.home_option is None:
            raise WrongUse("NO_HOME")
        return self.home_option

    @property
    def home_option(self) -> Path | None:
        """The home that was named, if one was."""
        return self.given.get("home")

    @property
    def seat(self) -> str | None:
        """The seat to speak from, if one was named."""
        return self.given.get("seat")

    @property
    def screen(self) -> bool:
        """Whether this person has a screen that a browser could open on."""
        return sys.platform in ("darwin", "win32") or bool(
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        )

    @property
    def passphrase_file(self) -> Path | None:
        """The file that holds the passphrase, if one was named."""
        return self.given.get("passphrase_file")


def _keep(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    """Remember a shared option: what is written at a command goes before what stood before it or in the environment."""
    given = ctx.meta.setdefault(GIVEN, {})
    source = ctx.get_parameter_source(option.name or "")
    if source is ParameterSource.COMMANDLINE:
        given[option.name] = value
    elif source is ParameterSource.ENVIRONMENT:
        given.setdefault(option.name, value)


def _shared() -> list[click.Parameter]:
    a_path = click.Path(path_type=Path)
    kept: dict[str, Any] = {"callback": _keep, "expose_value": False}
    return [
        click.Option(["--home"], type=a_path, envvar="CHANNEL_HOME", help="The home to work in / 工作目录", **kept),
        click.Option(["--as", "seat"], help="The seat to speak from / 席位", **kept),
        click.Option(["--json", "as_json"], is_flag=True, help="One object a line / 每行一个对象", **kept),
        click.Option(["--lang"], metavar="[en|zh]", help="Language / 语言", **kept),
        click.Option(["--passphrase-file"], type=a_path, help="Read the passphrase here / 口令文件", **kept),
    ]


class Shared(Spoken):
    """Takes the shared options as well as its own."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params += _shared()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; a call that can't be read is told as far as possible in the way that it asks for."""
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as e:
            e.ctx = e.ctx or ctx
            given = ctx.meta.setdefault(GIVEN, {})
            given["as_json"] = given.get("as_json", False) or "--json" in words
            given["lang"] = language_asked(words) or given.get("lang")
            raise


class Command(Shared):
    """A command that does something."""


class Commands(Shared, SpokenGroup):
    """A group of commands, where a problem becomes one text on stderr and an exit code."""

    command_class = Command
    group_class = type

    def main(self, *args: Any, **more: Any) -> Any:
        """The whole call. A command's number, if it returns one, is the exit code; Ctrl-C ends with 130."""
        try:
            code = super().main(*args, **{**more, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as e:
            e.show()
            code = e.exit_code
        except click.UsageError as e:
            code = _tell(e.ctx.meta.get(GIVEN, {}) if e.ctx else {}, wrong_use(e))
        except click.Abort:
            code = INTERRUPTED
        sys.exit(code or 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a problem is told in the language and form that were asked for."""
        try:
            return super().invoke(ctx)
        except Problem as e:
            return _tell(ctx.meta.get(GIVEN, {}), e)
        except (KeyboardInterrupt, click.Abort):
            _tell(ctx.meta.get(GIVEN, {}), WrongUse("STOPPED"))
            return INTERRUPTED
        except click.exceptions.ClickException:
            raise
        except click.exceptions.Exit:
            raise
        except Exception as e:
            if isinstance(e, BrokenPipeError):
                raise
            if not isinstance(e, OSError) or e.filename is None:
                return _tell(ctx.meta.get(GIVEN, {}), Problem("FAULT", kind=type(e).__name__, where=place_of(e)))
            return _tell(ctx.meta.get(GIVEN, {}), WrongUse("FILE", path=str(e.filename), why=e.strerror or "?"))


def _tell(given: Mapping[str, Any], problem: Problem) -> int:
    try:
        terminal = Context(given).terminal
    except WrongUse as e:  # of all things the language is wrong: whoever wished for another one reads English
        problem, terminal = e, Terminal("en", as_json=given.get("as_json", False))
    terminal.problem(problem)
    return problem.exit_code


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="channel", help="Show the version and end / 显示版本")
@click.pass_context
def channel(ctx: click.Context) -> None:
    """AI Deconfliction Channel / 人工智能风险沟通与防误判渠道."""
    ctx.obj = Context(ctx.meta.setdefault(GIVEN, {}))
