"""docs/chinese-review.md: every text in both languages with its id and where its Chinese comes from, for native readers.

    python -m tests.scripts.chinese_review       writes the page anew (make review)

The texts are walked (tests/i18n/visible.py); their standing is in chinese_review.toml beside this file.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from tests.i18n.visible import TOP, Text, every_text

PAGE = TOP / "docs/chinese-review.md"
STANDING = Path(__file__).with_suffix(".toml")

INTRODUCTION = """\
# For readers of the Chinese · 中文审阅稿

<!-- Written by "make review"; change the texts or tests/scripts/chinese_review.toml, not this page. -->

**No native official of either side has reviewed these words yet.** They are proposals. This page has every text that a
person can see, in both languages, with its id and where its Chinese comes from. It is for people who know how such
things are said in an office: which word is too strong, which means something else, which is never written like that.

- *sourced* and a number: the wording was read in that public source (list at the end), mostly in copies or press
  reports. *proposed*: our wording; (P) coined by us, (K) usage known to us but not confirmed in a source. *reviewed*: a
  native official has read exactly these words.
- A comment is the id, your words, and why; in either language, in a change or in a letter. Two wordings and the
  difference between them help more than one.
- What stands in braces, `{time}`, is filled in by the program and has the same name in both languages. Commands,
  options, file names and codes stay as they are.
- Rules for all words: [glossary](glossary.md). Phrases that no text uses: [tests/ruled_out.toml](../tests/ruled_out.toml).

**双方尚无母语官员审阅过这些用语。** 以下均为建议稿。本页列出使用者可见的全部文本，中英文并列，附编号及中文用语的来源，
供熟悉公务用语的人士审阅：哪些词过重，哪些词另有含义，哪些说法在公文中从不使用。

- *sourced*（有来源）及数字：该用语见于所列公开来源（见文末），多为转载或报道。*proposed*（建议稿）：由我们拟定；（P）为自拟，
  （K）为我们所知的惯用说法，未经来源证实。*reviewed*（已审阅）：母语官员已审阅且文字未再改动。
- 提意见时请写明编号、建议用语和理由，中英文均可，可直接修改文件，也可来函。如能给出两种说法并说明区别，则更有帮助。
- 花括号内的内容（如 `{time}`）由程序填入，两种语言名称相同。命令、选项、文件名和代码保持原样。
- 用语总则见[术语表](glossary.md)；不使用的词语见 [tests/ruled_out.toml](../tests/ruled_out.toml)。
"""


@cache
def standing() -> dict[str, Any]:
    """The read file of terms, sources, reviews and questions."""
    return tomllib.loads(STANDING.read_text("utf-8"))


def status(text: Text, known: dict[str, Any]) -> str:
    """``reviewed``, ``sourced`` with the numbers of its sources, or ``proposed``; a review counts for the words it read."""
    if any((each["id"], each["zh"]) == (text.id, text.zh) for each in known["reviewed"]):
        return "reviewed"
    for term in known["terms"].values():
        if any(fnmatchcase(text.id, id_) for id_ in term["ids"]):
            if term["status"] == "V":
                return f"sourced {', '.join(map(str, term['sources']))}"
            return f"proposed ({term['status']})"
    return "proposed"


def page(texts: tuple[Text, ...], known: dict[str, Any]) -> str:
    """The whole page."""
    return "\n".join(_lines(texts, known)) + "\n"


def _lines(texts: tuple[Text, ...], known: dict[str, Any]) -> Iterator[str]:
    count = Counter(status(text, known).split(" ")[0] for text in texts)
    yield INTRODUCTION
    yield "| status | texts |"
    yield "|---|---|"
    yield from (f"| {name} | {count[name]} |" for name in ("reviewed", "sourced", "proposed"))
    yield "\n## What we would ask first · 首先请教的问题\n"
    yield from (f"- {each['zh']} {each['en']}" for each in known["questions"])
    for file in sorted({text.file for text in texts}):
        yield f"\n## {file}\n"
        yield "| English | 简体中文 | id | status |"
        yield "|---|---|---|---|"
        for text in sorted((text for text in texts if text.file == file), key=lambda text: text.id):
            yield f"| {_cell(text.en)} | {_cell(text.zh)} | `{text.id}` | {status(text, known)} |"
    yield "\n## Sources · 来源\n"
    yield from (f"- **{number}** {words}" for number, words in _numbered(known["sources"]))


def _numbered(sources: dict[str, str]) -> list[tuple[int, str]]:
    return sorted((int(number), words) for number, words in sources.items())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(page(every_text(), standing()), "utf-8")


if __name__ == "__main__":
    main()
