"""A rendered message as a page shows it: the very lines of the book's renderer, each in the language of its words.

The renderer's labels are our own; what follows a label, and every line behind "|", may be anybody's: it is escaped,
isolated in its direction, and keeps its language.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from channel.desk.showing import foreign, language_of, tag

COLON = {"en": ": ", "zh": "："}
QUOTE = "  | "


def as_html(lines: Iterable[str], lang: str) -> Markup:
    """The lines of ``Book.render`` in ``lang`` as one block."""
    parts: list[str] = []
    quoted: list[str] = []
    for line in lines:
        if line.startswith(QUOTE):
            quoted.append(line.removeprefix(QUOTE))
            continue
        parts += [_quote(quoted)] if quoted else []
        quoted = []
        parts.append(_row(line, lang))
    parts += [_quote(quoted)] if quoted else []
    return Markup(f'<div class="message">{"".join(parts)}</div>')  # noqa: S704  every part is escaped below


def _row(line: str, lang: str) -> str:
    label, colon, value = line.strip().partition(COLON[lang])
    if not colon and line.strip().endswith(COLON[lang].strip()):
        label, colon = line.strip()[:-1], COLON[lang]
    if not colon or len(label) > 80:
        return f'<p class="mark" lang="{tag(language_of(line))}">{foreign(line)}</p>'
    return f'<div class="row"><span class="label" lang="{tag(lang)}">{escape(label)}</span> <span>{foreign(value)}</span></div>'


def _quote(lines: list[str]) -> str:
    said = "\n".join(lines)
    return f'<div class="words" lang="{tag(language_of(said))}">{foreign(said)}</div>'
