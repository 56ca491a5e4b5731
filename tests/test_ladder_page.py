"""docs/ladder.md and its pictures are what the tables and rules of the code say now."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from tests.scripts.draft_probe import ends
from tests.scripts.draw_ladder import ask
from tests.scripts.ladder_page import PAGE, PICTURES, files
from tests.scripts.picture import Picture, TooWide

SVG = "{http://www.w3.org/2000/svg}"


async def test_the_page_and_its_pictures_are_those_that_the_code_gives(need) -> None:
    """Written once more, page and pictures are the same byte for byte; no other picture lies beside them."""
    need("embedded-valkey")
    made = files(ask(await ends()))
    stale = [path.name for path, text in made.items() if path.read_bytes() != text.encode()]
    assert stale == [], "run: make ladder"
    assert {path for path in made if path != PAGE} == set(PICTURES.iterdir())


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_says_what_it_shows_and_says_it_in_both_languages(path) -> None:
    """Each picture has a title and a description for who can't see it, and words in English and in Chinese."""
    svg = ET.parse(path).getroot()
    title, about = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert svg.get("aria-labelledby") == f"{title.get('id')} {about.get('id')}"
    assert len(about.text) > 60
    words = "".join(text.text for text in svg.iter(f"{SVG}text"))
    assert any(c.isascii() and c.isalpha() for c in words)
    assert any("\u4e00" <= c <= "\u9fff" for c in words)
    assert f"](diagrams/{path.name})" in PAGE.read_text("utf-8")


def test_words_that_would_not_fit_are_an_error() -> None:
    """A text wider than its box, or one that leaves the picture, is not drawn."""
    picture = Picture(300, 200, "x / 字", "x")
    picture.box(10, 50, 120, ["短", "short"])
    with pytest.raises(TooWide):
        picture.box(10, 100, 120, ["a text that is wider than this box"])
    with pytest.raises(TooWide):
        picture.words([200, 60], ["这段文字超出了图的右边界"])
