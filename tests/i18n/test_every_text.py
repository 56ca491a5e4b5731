"""Every visible text, found by walking: both languages say the same, in words that the glossary allows.

The phrases that are ruled out, and the argued exceptions, stand in tests/ruled_out.toml.
"""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import click
import pytest

from channel.i18n import _entries
from keys.usage import WHOLE
from tests.i18n.visible import HAN, PROGRAMS, TOP, Text, apart, books, commands, every_text, printed, said

RULED_OUT = tomllib.loads((TOP / "tests/ruled_out.toml").read_text("utf-8"))
SCREENS = {"channel/locales", "keys/texts.toml", "command line", "trial"}
QUOTING = {"session", "paper"}  # where our texts stand among what people wrote
SECTIONS = {*(f"1.{n}" for n in range(1, 13)), "2.1", "2.2", "2.3", "3", "neutral"}
MODULES = sorted([*TOP.glob("channel/**/*.py"), *TOP.glob("keys/*.py")])


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def spoken(text: str) -> str:
    """The text without its placeholders."""
    return re.sub(r"{[^}]*}", "", text)


# --- the walk ---------------------------------------------------------------------------------------------------------


def test_the_walk_finds_every_text_of_the_files():
    """As many texts as the files have lines with one, and all that the program itself can say."""
    lines = {path: path.read_text("utf-8") for path in TOP.glob("channel/formats/*.toml")}
    for lang in ("en", "zh"):
        written = sum(len(re.findall(rf'(?m)^{lang} = "|[{{,] {lang} = "', text)) for text in lines.values())
        assert sum(text.file.startswith("channel/formats") for text in every_text()) == written
    said_by_it = {(en, _entries("zh")[id_]) for id_, en in _entries("en").items() if not id_.endswith(".shown")}
    assert said_by_it - {(text.en, text.zh) for text in every_text()} == set()


def test_every_id_stands_once_in_its_file():
    """An id names one text of its file, so a comment on it reaches the right words."""
    ids = [(text.file, text.id) for text in every_text()]
    assert sorted(ids) == sorted(set(ids))


def test_nothing_is_printed_but_texts():
    """What the programs print is a text from a file or a value: no call that prints has a word of its own."""
    own = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and printing(node):
                parts = [part.value for arg in node.args for part in ast.walk(arg) if isinstance(part, ast.Constant)]
                values = {
                    inner.value
                    for arg in node.args
                    for call in ast.walk(arg)
                    if isinstance(call, ast.Call | ast.FormattedValue | ast.Subscript | ast.IfExp)
                    for inner in ast.walk(call)
                    if isinstance(inner, ast.Constant)
                }
                own += [
                    (path.name, node.lineno, part)
                    for part in parts
                    if isinstance(part, str) and part not in values and re.search(r"[A-Za-z]{3}|[\u4e00-\u9fff]", part)
                ]
    assert own == []


def printing(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name in ("line", "lines", "block", "row") and "terminal" in ast.unparse(call.func):
        return True
    return name in ("print", "echo", "prompt", "confirm")


# --- both languages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted({text.file for text in every_text()}))
def test_both_languages_are_there_and_are_two(file):
    """Each text has both languages, Chinese with a Chinese character and English without, and the same placeholders."""
    wrong = []
    for text in every_text():
        if text.file == file:
            words = re.search(r"\w", spoken(text.en)) is not None
            same = text.en == text.zh and (words or text.en == "")
            chinese = not words or HAN.search(text.zh) is not None
            if same or not chinese or HAN.search(text.en) or places(text.en) != places(text.zh):
                wrong.append(text)
    assert wrong == []


def latin(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]*[a-z]{2}[A-Za-z]*", spoken(text)))


def test_a_chinese_text_has_no_english_words_of_its_own():
    """What stands in Latin letters in Chinese (a command, an option, a file) stands in the English beside it too."""
    own = {text.id: latin(text.zh) - latin(text.en) for text in every_text()}
    assert {id_: words for id_, words in own.items() if words} == {}


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_a_help_page_speaks_both_languages(program):
    """Each page has both languages in its headings, and no line of it is the English of the parts we stand on."""
    for name, context in commands(program):
        page = context.command.get_help(context)
        shown = context.command.commands.values() if isinstance(context.command, click.Group) else ()
        lines = [command.get_short_help_str(WHOLE) for command in shown]
        assert [line for line in lines if "" in apart(line)] == [], name
        heads = re.findall(r"(?m)^\S.*?:(?: |$)", page)
        assert heads
        assert [head for head in heads if not HAN.search(head)] == [], name
        assert re.findall(r"Show this message and exit|\[required\]|\[default: ", page) == [], name


def test_help_is_taken_apart():
    """A help text is told apart whichever language comes first."""
    assert apart("Fields as a JSON file / JSON 字段文件.") == ("Fields as a JSON file", "JSON 字段文件")
    assert apart("密钥与签名工具。 Keys and signatures.") == ("Keys and signatures.", "密钥与签名工具。")
    assert apart("en or zh. 语言：en 或 zh。") == ("en or zh.", "语言：en 或 zh。")
    assert apart("Say so.\n\n    “说明”在此。\n") == ("Say so.", "“说明”在此。")
    assert apart("FILE.dcx") == ("FILE.dcx", "")


# --- words that are ruled out -----------------------------------------------------------------------------------------


def pattern(kind: str, entry: Mapping[str, Any]) -> re.Pattern[str]:
    if "pattern" in entry:
        return re.compile(entry["pattern"])
    either = "|".join(map(re.escape, entry["words"]))
    return re.compile(
        {"zh": either, "en": rf"(?i)\b(?:{either})\b", "code": rf"(?<![A-Za-z0-9])(?:{either})(?![A-Za-z0-9])"}[kind]
    )


def phrases(kind: str, entry: Mapping[str, Any], text: Text) -> list[str]:
    """The ruled out phrases of one entry that stand in a text."""
    if entry.get("on") == "screens" and text.file not in SCREENS:
        return []
    where = {"zh": text.zh, "en": text.en, "code": f"{text.en} {text.zh} {text.id}"}[kind]
    quoted = agreed(tuple(entry.get("except", ()))) if text.file in QUOTING else ()
    for longer in (*entry.get("within", ()), *quoted):
        where = where.replace(longer, "")
    return [found[0] for found in pattern(kind, entry).finditer(where)]


@cache
def agreed(ids: tuple[str, ...]) -> tuple[str, ...]:
    """The texts with these ids, in pieces between their placeholders, as they stand where a value is filled in."""
    words = [words for text in every_text() if text.id in ids for words in (text.en, text.zh)]
    return tuple(piece for whole in words for piece in re.split(r"{[^}]*}", whole) if len(piece) >= 8)


@cache
def seen() -> tuple[Text, ...]:
    """Every text, and all that the played incident printed: each line as a text of its side's language."""
    us = [Text("session", f"$ {command}", line, "") for command, line in printed("us")]
    cn = [Text("session", f"$ {command}", "", line) for command, line in printed("cn")]
    front = TOP / "README.zh.md"
    paper = [Text("paper", front.name, "", line) for line in front.read_text("utf-8").splitlines()]
    return (*every_text(), *said(), *us, *cn, *paper)


ENTRIES = [(kind, number) for kind in ("zh", "en", "code") for number in range(len(RULED_OUT[kind]))]


@pytest.mark.parametrize(("kind", "number"), ENTRIES, ids=str)
def test_no_text_uses_a_phrase_that_is_ruled_out(kind, number):
    """A phrase stands in no text but those that are argued, and each argued exception is one that is needed."""
    entry = RULED_OUT[kind][number]
    allowed = entry.get("except", {})
    found = {text.id: phrases(kind, entry, text) for text in seen() if phrases(kind, entry, text)}
    assert {id_: words for id_, words in found.items() if id_ not in allowed} == {}
    assert set(allowed) - set(found) == set()


def test_each_entry_says_which_rule_it_is_and_what_to_write():
    """A section of the glossary, words to use, and one sentence for each exception; every rule that words can show is held."""
    entries = [entry for kind in RULED_OUT for entry in RULED_OUT[kind]]
    assert {entry["section"] for entry in entries} <= SECTIONS
    assert SECTIONS - {entry["section"] for entry in entries} == {
        "1.11"
    }  # X11 is printed: tests/protocol/test_sixteen.py
    assert [entry for entry in entries if not entry["use"]] == []
    reasons = [why for entry in entries for why in entry.get("except", {}).values()]
    assert reasons
    assert [why for why in reasons if not re.fullmatch(r"[A-Z].{20,}\.", why)] == []


def test_each_longer_word_is_the_glossarys_and_is_used():
    """A word that may hold a phrase stands in docs/glossary.md, and some text has it."""
    glossary = (TOP / "docs/glossary.md").read_text("utf-8")
    longer = {word for kind in ("zh", "en", "code") for entry in RULED_OUT[kind] for word in entry.get("within", ())}
    assert {word for word in longer if word not in glossary} == set()
    assert {word for word in longer if not any(word in text.en + text.zh for text in every_text())} == set()


@pytest.mark.parametrize(("kind", "number"), ENTRIES, ids=str)
def test_a_phrase_is_found_in_the_middle_of_a_text(kind, number):
    """Each word of the list is found where it stands among others, so the list can fail."""
    entry = RULED_OUT[kind][number]
    around = {"zh": "某{}件", "en": "That {} here", "code": "{} 01"}[kind]
    for word in entry.get("words", ()):
        texts = dict.fromkeys(("en", "zh"), "") | {"zh" if kind == "zh" else "en": around.format(word)}
        assert phrases(kind, entry, Text("channel/locales", "some.id", **texts)) == [word]


@pytest.mark.parametrize("number", range(len(RULED_OUT["pair"])))
def test_what_one_language_says_the_other_says_too(number):
    """Acknowledge, verify and confirm stay three things; level, exercise and notification have one word each."""
    rule = RULED_OUT["pair"][number]
    allowed, found = rule.get("except", {}), {}
    for text in every_text():
        one, other = (text.en, text.zh) if "en" in rule else (text.zh, text.en)
        if re.search(rule.get("en", rule.get("zh")), spoken(one)):
            fits = "must" not in rule or re.search(rule["must"], other)
            if not fits or ("never" in rule and re.search(rule["never"], other)):
                found[text.id] = (text.en, text.zh)
    assert {id_: both for id_, both in found.items() if id_ not in allowed} == {}
    assert set(allowed) - set(found) == set()


# --- the code book ----------------------------------------------------------------------------------------------------

CODED = {
    "MEADOW 01": (
        "Since {time}, an AI system under our jurisdiction has been operating outside human control. We are taking measures to bring it under control. We have no hostile intent.",
        "自{time}起，我方管辖范围内的一个人工智能系统处于不受人类控制的状态。我方正采取措施使其恢复受控。我方无敌对意图。",
    ),
    "MEADOW 02": (
        "An AI system under our jurisdiction may be active in networks under your jurisdiction. We have not authorised this activity. Technical characteristics will follow.",
        "我方管辖范围内的一个人工智能系统可能正在贵方管辖的网络内活动。我方未授权该活动。技术特征随后提供。",
    ),
    "MEADOW 03": (
        "In networks under our jurisdiction we observe activity that appears to be AI-driven. Its origin is not established. We would appreciate learning by {time} what you know of it, including whether it is connected with any authorised activity of yours.",
        "我方在管辖的网络内观察到疑似由人工智能驱动的活动，来源尚未确定。请贵方于{time}前告知所掌握的情况，包括是否与贵方经授权的活动有关，谨致谢意。",
    ),
    "MEADOW 04": (
        "The weights of an AI model with potentially dangerous capabilities are no longer solely in our possession. Category: {code}.",
        "我方管辖范围内一个可能具有危险能力的人工智能模型，其权重已不再由我方独家掌控。类别：{code}。",
    ),
    "COPPER 01": (
        "We have information that a non-state actor may be attempting to use AI to cause large-scale harm. Category: {code}. We suggest that each side verify and inform the other.",
        "我方获悉，有非国家行为体可能企图利用人工智能造成大规模危害。类别：{code}。建议双方各自核实并相互通报。",
    ),
    "COPPER 02": (
        "An autonomous military system of ours is behaving abnormally. We did not order its present behaviour. We are recalling or disabling it. We have no hostile intent.",
        "我方一个自主军事系统行为异常。其当前行为并非我方下令。我方正将其召回或停用。我方无敌对意图。",
    ),
    "COPPER 03": (
        "An alert from our systems that refers to your side is assessed as probably false. We are verifying it and, while doing so, take no action on the basis of this alert. Next message by {time}.",
        "我方系统发出的一条涉及贵方的告警，经初步研判很可能为误报。我方正在核实，核实期间不据此告警采取行动。将于{time}前再次通报。",
    ),
    "COPPER 04": (
        "Content circulating in the name of our authorities is AI-generated or AI-altered and false. We did not issue it.",
        "以我方主管部门名义传播的有关内容系人工智能生成或篡改，并不属实，非我方发布。",
    ),
    "LARCH 01": (
        "The activity you have observed is a planned test or exercise of ours (reference {case}). We have no hostile intent.",
        "贵方观察到的活动系我方计划内的测试或演练（编号{case}）。我方无敌对意图。",
    ),
    "LARCH 02": (
        "We have checked. To our knowledge at {time}, this activity was neither carried out nor authorised by us.",
        "我方已核实。据我方截至{time}掌握的情况，该活动非我方开展，也未经我方授权。",
    ),
    "LARCH 03": (
        "Received. The matter has been reported to our responsible officials. We expect to give a substantive reply by {time}.",
        "已收悉。有关情况已报我方主管负责人。预计于{time}前作出实质性答复。",
    ),
    "LARCH 04": (
        "On our side, incident {case} is under control and no further spread is observed. We propose lowering the level by one step.",
        "在我方一侧，事件{case}已受控，未见进一步扩散。我方建议将级别下调一档。",
    ),
    "LARCH 05": (
        "Received; not engaging at this time; next contact at {time}.",
        "已收悉，现阶段暂不接洽，下次联系时间{time}。",
    ),
    "MAPLE 00": ("Test. Please reply on receipt.", "测试。收到请回复。"),
    "MAPLE 01": (
        "The security of this channel may be impaired. Please change to the agreed alternate channel and verify identity there.",
        "本渠道的安全性可能已受影响。请改用约定的备用渠道，并在该渠道核验身份。",
    ),
    "MAPLE 02": (
        "Our last coded message was sent in error; disregard it.",
        "我方上一条代码电文系误发，请勿据此行动。",
    ),
}


def test_the_coded_messages_are_the_glossarys_word_for_word():
    """Fourteen messages and two, in both languages; a changed word is another agreement."""
    assert {name: (entry["en"], entry["zh"]) for name, entry in books()["codebook.toml"].items()} == CODED


def test_every_placeholder_of_a_coded_message_has_its_kind():
    """What is filled in is declared, of a kind that F13 has, and stands in both languages."""
    for name, entry in books()["codebook.toml"].items():
        assert places(entry["en"]) == places(entry["zh"]) == set(entry["slots"]), name
        assert set(entry["slots"].values()) <= {"time", "case", "count", "category"}, name


def barred(names: Iterator[str] | list[str]) -> set[str]:
    """The code words among the names of a code book that the glossary has barred."""
    out = {word for entry in RULED_OUT["code"] if entry.get("code_words") for word in entry["words"]}
    return {name for name in names if name.split(" ")[0].upper() in out}


def test_no_code_word_is_a_barred_one():
    """No code word of the book is barred, and a barred one would be found; until the draw the book says what its words are."""
    names = list(books()["codebook.toml"])
    assert barred(names) == set()
    assert barred(["CEDAR 03", "Birch 01", *names]) == {"CEDAR 03", "Birch 01"}
    assert {name.split(" ")[0] for name in names} == {"MEADOW", "COPPER", "LARCH", "MAPLE"}
    remark = (TOP / "channel/formats/codebook.toml").read_text("utf-8").partition("[")[0].replace("\n# ", " ")
    assert "The four code words stand in until the screened draw." in remark


# --- what commands print ----------------------------------------------------------------------------------------------

MARKED = re.compile(r"\[(英文文本，作准|Chinese text, authentic)\]")
BANNERS = re.compile(r"(ACTUAL|EXERCISE|TEST|REPLAY|REAL WORLD|draft) / (实际|演练|测试|回放|真实情况|草稿)")


def own_words(side: str) -> Iterator[tuple[str, str]]:
    """What the program itself printed on a side: without banners, and without what is marked as the other language's."""
    marked = False
    for command, line in printed(side):
        within = line.startswith("  |")
        if within and marked:
            continue
        found = MARKED.search(line)
        marked = found is not None
        yield command, BANNERS.sub("", line[: found.start()] if found else line)


def test_the_chinese_side_prints_no_english():
    """No line of the Chinese side has an English word, but for codes, ids and what the other side wrote and is marked."""
    names = {"Quiet River"}  # the case's short name, as its author wrote it
    assert any("专家" in line for _, line in own_words("cn"))
    english = [line for _, line in own_words("cn") if re.search(r"[a-z]{2}", re.sub("|".join(names), "", line))]
    assert english == []


def test_the_english_side_prints_no_chinese():
    """No line of the English side has a Chinese character, but for banners and what the other side wrote and is marked."""
    assert any("Expert" in line for _, line in own_words("us"))
    assert [line for _, line in own_words("us") if HAN.search(line)] == []
