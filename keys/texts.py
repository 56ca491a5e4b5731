"""Texts in both languages: the reader of text files, the choice of a language, and the ground floor's own texts.

A text file is TOML. Each id is the path to a string: ``[SIGS] what = "…"`` has the id ``SIGS.what``, in
``[standing] government = "…"`` it is ``standing.government``. Errors have ``what`` (what happened) and ``do`` (what to
do), and some ``bare``: what is said where the values are not at hand. ``texts.toml`` of this package holds both
languages side by side, ``en`` and ``zh`` last in the path; the channel's
files are one a language.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from keys.errors import Problem, WrongUse
from keys.plain import duration, plain, short, utc

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

LANGUAGES = ("en", "zh")
UNKNOWN = "UNKNOWN_CODE"  # stands in for a code that another version of the program sent


class Texts:
    """The texts of one language. ``entries``: id -> text with {placeholders}."""

    def __init__(self, lang: str, entries: Mapping[str, str]) -> None:
        self.lang = lang
        self._entries = entries

    def __contains__(self, id_: str) -> bool:
        return self._find(id_) is not None

    def say(self, id_: str, /, **values: object) -> str:
        """The text ``id_`` (or ``id_.what``) with its values; ``KeyError`` if there is none or a value is missing.

        Bytes are shown as short hex, strings from anywhere without control characters.
        """
        text = self._find(id_)
        if text is None:
            raise KeyError(id_)
        return text.format_map({name: self._shown(name, value) for name, value in values.items()})

    def problem(self, problem: Problem) -> tuple[str, str]:
        """What happened and what to do. Never fails: this is what people see when all else has."""
        id_ = problem.code if f"{problem.code}.what" in self._entries else UNKNOWN
        values = _Told({name: self._shown(name, value) for name, value in problem.values.items()})
        values["code"] = plain(problem.code)
        told = [(self._find(f"{id_}.{part}") or "").format_map(values) for part in ("what", "do")]
        if values.lacking and f"{id_}.bare" in self:
            told[0] = self.say(f"{id_}.bare")
        return told[0], told[1]

    def duration(self, seconds: int) -> str:
        """A length of time in the largest exact unit: "10 min", "3 h", "7 days"."""
        n, unit = duration(seconds)
        return self.say(f"unit.{unit}", n=n)

    def time(self, ms: int) -> str:
        """A time in UTC, to the second."""
        return utc(ms)

    def _find(self, id_: str) -> str | None:
        return self._entries.get(id_, self._entries.get(f"{id_}.what"))

    def _shown(self, name: str, value: object) -> str:
        if isinstance(value, bytes):
            return short(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return ", ".join(sorted(self._shown(name, v) for v in value))
        if name == "why" and (told := self._find(f"why.{value}")) is not None:
            return told
        return plain(str(value))


class _Told(dict[str, str]):
    """The values of a problem; one that is missing is shown as a question mark, not raised in the place of the news."""

    lacking = False

    def __missing__(self, name: str) -> str:
        self.lacking = True
        return "?"


def flatten(tree: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Id -> text of a read text file."""
    found: dict[str, str] = {}
    for name, value in tree.items():
        found |= flatten(value, f"{path}{name}.") if isinstance(value, Mapping) else {path + name: value}
    return found


def read_texts(file: Traversable) -> dict[str, Any]:
    """The tree of a text file of a package."""
    return tomllib.loads(file.read_text("utf-8"))


@cache
def own_entries(lang: str) -> Mapping[str, str]:
    """Id -> text of the ground floor's own file in one language."""
    return one_language(read_texts(files("keys").joinpath("texts.toml")), lang)


def one_language(tree: Mapping[str, Any], lang: str) -> dict[str, str]:
    """Id -> text of a tree in which each text is ``{en = …, zh = …}``."""
    end = f".{lang}"
    return {id_.removesuffix(end): text for id_, text in flatten(tree).items() if id_.endswith(end)}


def own_texts(lang: str) -> Texts:
    """The texts of ``keys`` alone, for the ceremony tool."""
    return Texts(lang, own_entries(lang))


def pick_language(explicit: str | None, environ: Mapping[str, str]) -> str:
    """``en`` or ``zh``: the one asked for, then CHANNEL_LANG, then LC_ALL, LC_MESSAGES, LANG; ``WrongUse`` LANG.

    A wrong wish is an error; a locale of another language gives English.
    """
    for wish in (explicit, environ.get("CHANNEL_LANG")):
        if wish:
            if (lang := _language(wish)) not in LANGUAGES:
                raise WrongUse("LANG", found=wish)
            return lang
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "en")
    return "zh" if _language(locale) == "zh" else "en"


def _language(tag: str) -> str:
    return tag.replace("_", "-").replace(".", "-").partition("-")[0].lower()
