"""How both programs speak of their own use: help pages headed in both languages, wrong words told as our own errors.

The parser of commands has English texts; none of them reaches a person from here.
"""

from __future__ import annotations

import click

from keys.errors import WrongUse

WHOLE = 200  # characters: a short help is not cut before its second language
BOTH = {"[required]": "[required / 必填]", "; required]": "; required / 必填]", "[default: ": "[default / 默认: "}


class Spoken(click.Command):
    """A command whose help page speaks both languages."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """``--help``, told in both languages."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = "Show this and end / 显示此说明"
        return option

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The line that shows how the command is called."""
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix="Usage / 用法: ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, with what is needed and what holds if nothing is given in both languages."""
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        rows = [row for option in options if (row := option.get_help_record(ctx)) is not None]
        if rows:
            with formatter.section("Options / 选项"):
                formatter.write_dl([(name, _both(told)) for name, told in rows])


class SpokenGroup(Spoken, click.Group):
    """A group of such commands."""

    command_class = Spoken

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, then the commands."""
        super().format_options(ctx, formatter)
        rows = [(name, command.get_short_help_str(WHOLE)) for name, command in sorted(self.commands.items())]
        with formatter.section("Commands / 命令"):
            formatter.write_dl(rows)


def wrong_use(error: click.UsageError) -> WrongUse:
    """What is wrong with the words of a call, as a problem with a text in both languages."""
    command = error.ctx.command_path if error.ctx else "channel"
    match error:
        case click.NoSuchOption():
            return WrongUse("USAGE_OPTION", name=error.option_name, command=command)
        case click.MissingParameter():
            return WrongUse("USAGE_MISSING", name=_name(error), command=command)
        case click.BadParameter():
            return WrongUse("USAGE_VALUE", name=_name(error), need=_need(error), command=command)
        case click.BadOptionUsage():
            return WrongUse("USAGE_ALONE", name=error.option_name, command=command)
    return WrongUse("USAGE", command=command)


def language_asked(words: list[str]) -> str | None:
    """The value of the last ``--lang`` among the words of a call that could not be read."""
    apart = [part for word in words for part in (word.split("=", 1) if word.startswith("--lang=") else [word])]
    asked = [word for before, word in zip(["", *apart], apart, strict=False) if before == "--lang"]
    return asked[-1] if asked else None


def _both(told: str) -> str:
    for english, both in BOTH.items():
        told = told.replace(english, both)
    return told


def _name(error: click.BadParameter) -> str:
    option = error.param
    if isinstance(option, click.Argument):
        return option.make_metavar(error.ctx) if error.ctx else str(option.name)
    return max(option.opts, key=len) if option else "?"


def _need(error: click.BadParameter) -> str:
    kind = error.param.type if error.param else None
    return " | ".join(map(str, kind.choices)) if isinstance(kind, click.Choice) else kind.name if kind else "?"
