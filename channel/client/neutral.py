"""The random neutral text of a human line test, the same in both languages (F01, hotlines practice).

It says of itself that it means nothing, and asks for an answer that shows that a person has understood it. The words
stand in ``neutral.toml``; every combination of them is a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from keys.texts import read_texts

PARTS = ("number", "colour", "object", "place")


@dataclass(frozen=True, slots=True)
class Neutral:
    """One sentence in both languages, and what to answer, as the fields of F01."""

    text_en: str
    text_zh: str
    answer: str


def count() -> int:
    """How many different sentences there are."""
    total = 1
    for name in PARTS:
        total *= len(_words()[name])
    return total


def sentence(number: int) -> Neutral:
    """The sentence of a number from 0 to ``count() - 1``."""
    words, chosen = _words(), dict[str, Any]()
    for name in PARTS:
        number, at = divmod(number, len(words[name]))
        chosen[name] = words[name][at]
    said = {
        lang: words["sentence"][lang].format(
            measure=chosen["object"]["measure"], **{name: word[lang] for name, word in chosen.items()}
        )
        for lang in ("en", "zh")
    }
    return Neutral(said["en"], said["zh"], f"{words['answer']['en']} {words['answer']['zh']}")


def draw(random: Callable[[int], bytes]) -> Neutral:
    """A sentence drawn at random."""
    return sentence(int.from_bytes(random(8)) % count())


@cache
def _words() -> dict[str, Any]:
    return read_texts(files("channel.client").joinpath("neutral.toml"))
