"""Fingerprints as words: the same eight words on both sides of a telephone line, in either language."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import Malformed
from keys.words import matches, prefix_of_words, words

ZEROS, ONES = bytes(32), b"\xff" * 32


def test_known_words():
    """The first and last words of the BIP-39 lists stand for eleven zero and eleven one bits."""
    assert words(ZEROS).en == ("abandon",) * 8
    assert words(ZEROS).zh == ("的",) * 8
    assert words(ONES).en == ("zoo",) * 8
    assert words(ONES).zh == ("歇",) * 8


def test_bit_order():
    """The first word is the eleven most significant bits; the eighth ends with bit 88."""
    assert words(b"\x00\x20" + bytes(30)).en == ("ability",) + ("abandon",) * 7
    assert words(bytes(10) + b"\x01" + bytes(21)).en == ("abandon",) * 7 + ("ability",)
    assert words(bytes(11) + b"\xff" * 21).en == ("abandon",) * 8


@given(st.binary(min_size=32, max_size=32))
def test_round_trip(id_):
    """What is printed in either language, or in both, is heard as the first 88 bits."""
    said = words(id_)
    for spoken in (" ".join(said.en), " ".join(said.zh), "".join(said.zh), str(said)):
        assert prefix_of_words(spoken) == id_[:11]
        assert matches(id_, spoken)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 87))
def test_one_bit(id_, bit):
    """One changed bit among the 88 is another set of words."""
    other = bytearray(id_)
    other[bit // 8] ^= 0x80 >> bit % 8
    assert not matches(bytes(other), " ".join(words(id_).en))
    assert not matches(bytes(other), "".join(words(id_).zh))


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_writing_styles(form):
    """Case, hyphens, line breaks, wide letters and wide spaces make no difference."""
    id_ = bytes(range(100, 132))
    en, zh = words(id_).en, words(id_).zh
    wide = "".join(chr(ord(c) + 0xFEE0) for c in en[0])
    for spoken in (
        "-".join(en).upper(), "\n".join(en), "\t ".join(en) + "  ", "‐".join(en), ", ".join(en),
        " ".join((wide, *en[1:])), "\u3000".join(zh), "-".join(zh), "、".join(zh),
    ):  # fmt: skip
        assert matches(id_, unicodedata.normalize(form, spoken))


@pytest.mark.parametrize(
    ("spoken", "count", "word"),
    [
        ("", 0, ""),
        ("abandon " * 7, 7, ""),
        ("abandon " * 9, 9, ""),
        ("的" * 7, 7, ""),
        ("abandon " * 7 + "abandn", 8, "abandn"),
        ("的" * 7 + "\u9f98", 1, "\u9f98"),
        ("abandon " * 4 + "的" * 4, 4, ""),
        ("abandon " * 7 + "7", 8, "7"),
    ],
)
def test_no_words(spoken, count, word):
    """Too few, too many, half and half, or a word of neither list is Malformed WORDS and says which."""
    with pytest.raises(Malformed) as e:
        prefix_of_words(spoken)
    assert (e.value.code, e.value.values) == ("WORDS", {"count": count, "word": word})


def test_both_languages_disagree():
    """Both languages together must say the same id."""
    with pytest.raises(Malformed):
        prefix_of_words(f"{' '.join(words(ZEROS).en)} / {' '.join(words(ONES).zh)}")


@pytest.mark.parametrize("length", [0, 11, 31, 33, 64])
def test_id_length(length):
    """Only a whole 32-byte id has words."""
    with pytest.raises(Malformed, match="ID_LENGTH"):
        words(bytes(length))
