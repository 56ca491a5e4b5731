"""The neutral text of human line tests: every combination of its words, in both languages."""

from __future__ import annotations

import re
import string
import tomllib
from pathlib import Path

from channel.client import neutral

FILE = Path(neutral.__file__).with_name("neutral.toml")
WORDS = tomllib.loads(FILE.read_text("utf-8"))
HAN = re.compile("[\u4e00-\u9fff]")
RULED_OUT_EN = re.compile(
    r"(?i)\b(red|white|black|blue|green|yellow|orange|gold\w*|flags?|maps?|guns?|kni(fe|ves)|swords?|bombs?|arrows?|"
    r"dragons?|eagles?|bears?|pandas?|roosters?|lions?|stars?|suns?|moons?|rain|snow|winds?|clouds?|storms?|clocks?|"
    r"umbrellas?|shoes?|pears?|roses?|tulips?|jasmine|lotus|plums?|books|four|nine|thirteen|china|america\w*)\b"
)
RULED_OUT_ZH = re.compile(
    "红|白|黑|蓝|绿|黄|橙|金|旗|地图|枪|刀|剑|弹|箭|龙|鹰|熊|猫|鸡|狮|星|太阳|月|雨|雪|风|云|钟|伞|鞋|梨|玫瑰|莲|梅|"
    "四|九|十三|国|信封|确认|控制|报告"
)


def every():
    return [neutral.sentence(number) for number in range(neutral.count())]


def test_there_are_many_sentences_and_no_two_are_alike():
    """At least 60 sentences, each different from all others in both languages."""
    said = every()
    assert len(said) >= 60
    assert len({each.text_en for each in said}) == len({each.text_zh for each in said}) == len(said)


def test_both_languages_say_the_same_words():
    """Each sentence has one word of each list, the same ones in English and in Chinese, and nothing of the other language."""
    for each in every():
        tail = each.text_en.split("meaning.")[1]
        for name in neutral.PARTS:
            (en,) = [word for word in WORDS[name] if re.search(rf"\b{word['en']}\b", tail)]
            assert en["zh"] in each.text_zh.split("他意。")[1], (name, each)
        assert not HAN.search(each.text_en)
        assert not re.search("[A-Za-z]", each.text_zh)


def test_every_sentence_says_that_it_is_a_test():
    """A reader of either language is told that the text means nothing and what to answer, within the format's lengths."""
    for each in every():
        assert each.text_en.startswith("Line test.")
        assert each.text_zh.startswith("线路测试。")
        assert "no further meaning" in each.text_en
        assert "并无他意" in each.text_zh
        assert HAN.search(each.answer)
        assert "number and the colour" in each.answer
        assert max(len(each.text_en), len(each.text_zh)) <= 500
        assert len(each.answer) <= 300


def test_no_word_stands_for_anything():
    """No colour, number, animal or thing that one side reads as more than it says; every word has both languages."""
    for name in neutral.PARTS:
        for word in WORDS[name]:
            assert not RULED_OUT_EN.search(word["en"]), word
            assert not RULED_OUT_ZH.search(word["zh"]), word
            assert HAN.search(word["zh"])
            assert "measure" in word or name != "object"
    for each in every():
        assert not RULED_OUT_EN.search(each.text_en)
        assert not RULED_OUT_ZH.search(each.text_zh)
    used = {name for _, name, _, _ in string.Formatter().parse(WORDS["sentence"]["en"]) if name}
    assert used == set(neutral.PARTS)


def test_a_drawn_sentence_is_one_of_them():
    """Whatever the random bytes are, a sentence comes out; other bytes give another one."""
    drawn = {neutral.draw(lambda n, x=x: x.to_bytes(n)) for x in (0, 1, 2**64 - 1)}
    assert len(drawn) == 3
    assert drawn <= set(every())
