"""The only place that talks to the terminal.

Answers go to stdout, one object a line with ``--json``; problems go to stderr, saying what happened and what to do, in
the user's language. Text of the other side is made plain before it gets here.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from channel.i18n import Texts
from keys.errors import Problem
from keys.plain import plain

LEAST = 20  # cells of a column that text is wrapped in
OPENING = "（《「『“‘"
CLOSING = "。，；：、？！）》」』”’%"


class Terminal:
    """Prints in one language, as text or as JSON lines."""

    def __init__(self, lang: str, *, as_json: bool) -> None:
        self.lang, self.as_json = lang, as_json
        self.texts = Texts(lang)
        self._left, self._width = "", 40
        self._cells: list[int] = []

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

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table; a last column that is too long for the terminal goes on below itself. Left out with ``--json``."""
        self._cells = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
        self.rows([heads])
        self.rows(rows)

    def rows(self, rows: Iterable[Sequence[str]]) -> None:
        """Further rows of the table before."""
        for row in rows:
            cells = [_filled(plain(cell), width) for cell, width in zip(row, self._cells, strict=True)]
            self.block("  ".join([*cells[:-1], ""]), plain(row[-1]))

    def block(self, start: str, text: str) -> None:
        """A line that begins with ``start``; what is too long for the terminal goes on below, behind as many blanks.

        Where too little is left beside ``start`` all of the text goes below it.
        """
        indent, width = cell_len(start), _width()
        if cell_len(text) > width - indent < LEAST:
            self.line(start.rstrip())
            start, indent = " " * 4, 4
        for i, part in enumerate(_wrapped(text, max(LEAST, width - indent))):
            self.line(((" " * indent if i else start) + part).rstrip())

    def columns(self, left: str, right: str) -> None:
        """The head of two columns, one for each party; ``row`` fills them."""
        self._left = left
        self._width = max(30, (shutil.get_terminal_size().columns - 3) // 2)
        self.line(f"{left:<{self._width}} │ {right}")
        self.line("─" * self._width + "─┼─" + "─" * self._width)

    def row(self, party: str, text: str) -> None:
        """One thing that a party's desk shows, in its column."""
        for part in _wrapped(plain(text), self._width):
            blank = " " * self._width
            self.line(f"{_filled(part, self._width)} │" if party == self._left else f"{blank} │ {part}")

    def problem(self, problem: Problem) -> None:
        """What happened and what to do, on stderr."""
        what, do = self.texts.problem(problem)
        if self.as_json:
            print(json.dumps({"code": problem.code, "what": what, "do": do}, ensure_ascii=False), file=sys.stderr)
        else:
            print(f"{what}\n{do}  ({problem.code})" if do else f"{what}  ({problem.code})", file=sys.stderr)


def _width() -> int:
    """The terminal's width in cells; without a terminal (a pipe, a file) nothing is cut into lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 1_000_000


def _filled(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells; a Chinese character takes two."""
    text = text.replace("\n", " ")
    if cell_len(text) <= width:
        return [text]
    lines, line = [], ""
    for char in text:
        if cell_len(line + char) > width:
            cut = line.rfind(" ") + 1
            if (
                cut <= width // 2
            ):  # no space to break at: anywhere, but for signs that belong to what follows or precedes
                cut = len(line) - (len(line) > 1 and (char in CLOSING or line[-1] in OPENING))
            lines.append(line[:cut].rstrip())
            line = line[cut:]
        line += char
    return [*lines, line]


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
