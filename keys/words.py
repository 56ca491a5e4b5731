"""A 32-byte id as eight words that two people can compare by voice, in English and simplified Chinese side by side.

The words are the first 88 bits of the id, 11 bits each, most significant first, from the BIP-39 lists
(docs/protocol.md section 3). 88 bits are enough against a forger who must hit a given id; they are no secret.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

from mnemonic import Mnemonic

from keys.errors import Malformed

COUNT, BITS = 8, 11
PREFIX = COUNT * BITS // 8  # 11 bytes


@dataclass(frozen=True, slots=True)
class Words:
    """Eight English and eight Chinese words of one id, in the same order."""

    en: tuple[str, ...]
    zh: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' '.join(self.en)} / {' '.join(self.zh)}"


def words(id_: bytes) -> Words:
    """The words of a 32-byte id; ``Malformed`` ID_LENGTH for any other length."""
    if len(id_) != 32:
        raise Malformed("ID_LENGTH", length=len(id_), need=32)
    bits = int.from_bytes(id_[:PREFIX], "big")
    places = [bits >> BITS * (COUNT - 1 - k) & 2047 for k in range(COUNT)]
    return Words(tuple(_words("english")[p] for p in places), tuple(_words("chinese_simplified")[p] for p in places))


def matches(id_: bytes, spoken: str) -> bool:
    """Whether ``spoken`` is the words of ``id_``, in either language; ``Malformed`` WORDS if it is no eight words."""
    return prefix_of_words(spoken) == id_[:PREFIX]


def prefix_of_words(spoken: str) -> bytes:
    """The 11 bytes that eight words say, or ``Malformed`` WORDS.

    Either language, or both as they are printed, then both must say the same. Case, spaces, hyphens and other
    punctuation do not count; Chinese words need no spaces.
    """
    apart = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in unicodedata.normalize("NFKC", spoken))
    zh = [c for c in apart if c in _places("chinese_simplified")]
    en = "".join(" " if c in _places("chinese_simplified") else c for c in apart).casefold().split()
    said = {_prefix(found, language) for found, language in ((en, "english"), (zh, "chinese_simplified")) if found}
    if len(said) != 1:
        raise Malformed("WORDS", count=len(en) + len(zh), word="")
    return said.pop()


def _prefix(found: list[str], language: str) -> bytes:
    places, bits = _places(language), 0
    for word in found:
        if word not in places:
            raise Malformed("WORDS", count=len(found), word=word)
        bits = bits << BITS | places[word]
    if len(found) != COUNT:
        raise Malformed("WORDS", count=len(found), word="")
    return bits.to_bytes(PREFIX, "big")


@cache
def _words(language: str) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFKC", word) for word in Mnemonic(language).wordlist)


@cache
def _places(language: str) -> dict[str, int]:
    return {word: place for place, word in enumerate(_words(language))}
