"""The only place that talks to the terminal.

Answers go to stdout, one object a line with ``--json``; problems go to stderr, saying what happened and what to do, in
the user's language. Text of the other side is made plain before it gets here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from channel.i18n import Texts
from keys.errors import Problem
from keys.plain import plain


class Terminal:
    """Prints in one language, as text or as JSON lines."""

    def __init__(self, lang: str, *, as_json: bool) -> None:
        self.lang, self.as_json = lang, as_json
        self.texts = Texts(lang)
        self._console = Console(highlight=False, soft_wrap=True)
        self._left, self._width = "", 40

    def say(self, id_: str, **values: object) -> None:
        """One sentence of the texts."""
        self.line(self.texts.say(id_, **values))

    def line(self, text: str = "") -> None:
        """One line as it is. Left out with ``--json``."""
        if not self.as_json:
            print(text, flush=True)

    def lines(self, texts: Iterable[str]) -> None:
        """Several lines."""
        for text in texts:
            self.line(text)

    def item(self, value: Mapping[str, Any]) -> None:
        """One object, with ``--json`` only."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False, default=_plain), flush=True)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table. Left out with ``--json``."""
        if self.as_json:
            return
        table = Table(*heads, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self._console.print(table)

    def columns(self, left: str, right: str) -> None:
        """The head of two columns, one for each party; ``row`` fills them."""
        self._left = left
        self._width = max(30, (self._console.width - 3) // 2)
        self.line(f"{left:<{self._width}} │ {right}")
        self.line("─" * self._width + "─┼─" + "─" * self._width)

    def row(self, party: str, text: str) -> None:
        """One thing that a party's desk shows, in its column."""
        for part in _wrapped(plain(text), self._width):
            blank = " " * self._width
            self.line(
                f"{part}{blank[: self._width - cell_len(part)]} │" if party == self._left else f"{blank} │ {part}"
            )

    def problem(self, problem: Problem) -> None:
        """What happened and what to do, on stderr."""
        what, do = self.texts.problem(problem)
        if self.as_json:
            print(json.dumps({"code": problem.code, "what": what, "do": do}, ensure_ascii=False), file=sys.stderr)
        else:
            print(f"{what}\n{do}  ({problem.code})" if do else f"{what}  ({problem.code})", file=sys.stderr)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells; a Chinese character takes two."""
    lines, line = [], ""
    for char in text.replace("\n", " "):
        if cell_len(line + char) > width:
            cut = line.rfind(" ") + 1
            keep, line = (line[:cut], line[cut:]) if cut > width // 2 else (line, "")
            lines.append(keep)
        line += char
    return [*lines, line]


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
