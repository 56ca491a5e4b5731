"""Every text that a person can see, in English and simplified Chinese, read once from the files of the packages.

    t = Texts("zh");  t.say("state.delivered");  what, do = t.problem(problem)

Ids come from five places: errors of the ground floor (``keys/texts.toml``), the pages of the desk
(``channel/locales/desk``, a file a page: ``desk.watch.title``), all other texts (``channel/locales``), and from the
format files the levels (``level.serious``), standard sentences (``X1``) and code lists (``code.prec.Z``, ``list.prec``),
so that a word of the glossary stands in one file only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from keys import texts
from keys.errors import Problem
from keys.texts import LANGUAGES, flatten, one_language, own_entries, pick_language, read_texts

__all__ = ["LANGUAGES", "Texts", "pick_language", "problem_texts"]

_FILES = {"en": "en.toml", "zh": "zh_Hans.toml"}


class Texts(texts.Texts):
    """All texts of one language (``en`` or ``zh``); see ``keys.texts.Texts`` for ``say`` and ``problem``."""

    def __init__(self, lang: str) -> None:
        super().__init__(lang, _entries(lang))

    def level(self, code: str) -> str:
        """A level as shape, word and bars: "▲ Urgent consultation ▮▮▮▮▯▯"."""
        return self.say(f"level.{code}.shown")

    def both(self, id_: str, /, **values: object) -> str:
        """A text in both languages side by side, English first: banners and words to compare."""
        return " / ".join(Texts(lang).say(id_, **values) for lang in LANGUAGES)


def problem_texts(problem: Problem, lang: str) -> tuple[str, str]:
    """What happened and what to do, in one language."""
    return Texts(lang).problem(problem)


@cache
def _entries(lang: str) -> Mapping[str, str]:
    if lang not in LANGUAGES:
        raise KeyError(lang)
    found = dict(own_entries(lang))
    found |= _of_formats(lang)
    for file in sorted(files("channel.locales").joinpath("desk").iterdir(), key=lambda file: file.name):
        page = file.name.removesuffix(".toml")
        found |= {f"desk.{page}.{id_}": text for id_, text in one_language(read_texts(file), lang).items()}
    return found | flatten(read_texts(files("channel.locales").joinpath(_FILES[lang])))


def _of_formats(lang: str) -> dict[str, str]:
    folder = files("channel.formats")
    lists = read_texts(folder.joinpath("codes.toml"))
    levels = read_texts(folder.joinpath("levels.toml"))
    found = one_language(read_texts(folder.joinpath("sentences.toml")), lang)
    found |= {f"list.{name}": codes[lang] for name, codes in lists.items()}
    found |= {
        f"code.{name}.{code}": word[lang] for name, codes in lists.items() for code, word in codes["codes"].items()
    }
    for code, level in levels.items():
        bars = "▮" * level["bars"] + "▯" * (len(levels) - level["bars"])
        found[f"level.{code}"] = level[lang]
        found[f"level.{code}.shown"] = f"{level['shape']} {level[lang]} {bars}"
    return found
