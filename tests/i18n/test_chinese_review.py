"""The page for readers of the Chinese says what the texts say, and claims no more about them than is known."""

from __future__ import annotations

import re

from tests.i18n.visible import TOP, Text, every_text
from tests.scripts.chinese_review import PAGE, page, standing, status

ROW = re.compile(r"^\| .* \| ([VKP]) \| .*\|$", re.MULTILINE)
READMES = {
    "README.md": "No native official of either side has reviewed the Chinese words yet.",
    "README.zh.md": "本项目的中文用语尚未经任何一方的母语官员审阅。",
}


def glossary() -> dict[str, str]:
    """Code of each term of docs/glossary.md -> V, K or P."""
    rows = [line.split(" | ") for line in (TOP / "docs/glossary.md").read_text("utf-8").splitlines() if ROW.match(line)]
    return {row[0].removeprefix("| "): row[3] for row in rows}


def test_the_page_is_what_the_texts_make_of_it():
    """docs/chinese-review.md has every text as it is now; "make review" writes it anew."""
    assert PAGE.read_text("utf-8").splitlines() == page(every_text(), standing()).splitlines(), "make review"


def test_every_term_stands_as_the_glossary_has_it():
    """A term is sourced here if and only if it is in docs/glossary.md, with sources that are listed and all used."""
    terms, sources = standing()["terms"], {int(number) for number in standing()["sources"]}
    assert {code: term["status"] for code, term in terms.items() if glossary().get(code) != term["status"]} == {}
    assert {code for code, letter in glossary().items() if letter == "V"} - set(terms) == set()
    named = [set(term.get("sources", ())) for term in terms.values()]
    assert [code for code, term in terms.items() if bool(term.get("sources")) != (term["status"] == "V")] == []
    assert set().union(*named) == sources


def test_every_term_and_review_names_texts_that_there_are():
    """No id of the standing file leads nowhere."""
    known, texts = standing(), every_text()
    ids = [id_ for term in known["terms"].values() for id_ in term["ids"]]
    ids += [each["id"] for each in known["reviewed"]]
    alone = {id_: {"reviewed": [], "terms": {"one": _term(id_)}} for id_ in ids}
    assert [id_ for id_ in ids if all(status(text, alone[id_]) == "proposed" for text in texts)] == []


def _term(id_: str) -> dict[str, object]:
    return {"status": "K", "ids": [id_]}


def test_a_review_counts_for_the_words_that_were_read():
    """Reviewed is said of a text whose Chinese is the one reviewed; a change of words takes it back to what it was."""
    known = {
        "reviewed": [{"id": "F03", "zh": "初报", "by": "CN records officer", "on": "2026-01-01"}],
        "terms": {"F03": {"status": "V", "sources": [6, 13], "ids": ["F03"]}, "F12": _term("F12*")},
    }
    assert status(Text("f", "F03", "First", "初报"), known) == "reviewed"
    assert status(Text("f", "F03", "First", "首次"), known) == "sourced 6, 13"
    assert status(Text("f", "F12.reason", "Reason", "原因"), known) == "proposed (K)"
    assert status(Text("f", "F03.line", "In one line", "一句话"), known) == "proposed"


def test_the_page_is_sorted_and_keeps_signs_of_tables_out():
    """Files and ids in order; a bar in a text does not end its cell."""
    texts = (Text("b", "y", "a|b", "甲"), Text("b", "x", "<c>", "乙"), Text("a", "z", "d\n e", "丙"))
    made = page(texts, {"reviewed": [], "terms": {}, "sources": {}, "questions": []})
    rows = [line for line in made.splitlines() if line.startswith("| ") and "`" in line]
    assert rows == [
        "| d e | 丙 | `z` | proposed |",
        "| &lt;c> | 乙 | `x` | proposed |",
        "| a\\|b | 甲 | `y` | proposed |",
    ]


def test_both_readmes_say_that_the_words_are_not_reviewed():
    """Who reads either README learns it, with the way to the page, for as long as nothing is reviewed."""
    assert standing()["reviewed"] == []
    for name, words in READMES.items():
        text = " ".join((TOP / name).read_text("utf-8").split())
        assert words in text
        assert "(docs/chinese-review.md)" in text
