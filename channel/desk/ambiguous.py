"""Words that mean something else to one side than to the other, and what to write instead (docs/glossary.md, rule 1 to 12).

    found("We have 控制 of it")        # [Ambiguous(word="控制", ...)]

The words themselves stand here; what to write instead are texts (``desk.glossary.instead_…``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """One word, its language, and the id of the text that says what to write instead."""

    word: str
    lang: str
    instead: str


LISTED = (
    ("zh", "控制", "control"), ("zh", "约束", "bind"), ("zh", "自主", "autonomous"), ("zh", "升级", "raise"),
    ("zh", "降级", "lower"), ("zh", "承认", "admit"), ("zh", "确认", "admit"), ("zh", "报告", "report"),
    ("zh", "演习", "exercise"), ("zh", "遏制", "limit"), ("zh", "红线", "zone"), ("zh", "溯源", "origin"),
    ("zh", "归因", "origin"), ("zh", "攻击", "activity"), ("zh", "你方", "sides"), ("zh", "拒绝", "accept"),
    ("zh", "情报", "information"), ("zh", "关切", "attention"), ("zh", "妥协", "exposed"), ("zh", "核查", "verify"),
    ("zh", "责任", "responsible"), ("zh", "承诺", "voluntary"), ("zh", "一级", "step"),
    ("en", "control", "control"), ("en", "contain", "limit"), ("en", "containment", "limit"),
    ("en", "deny", "involved"), ("en", "denial", "involved"), ("en", "acknowledge", "admit"), ("en", "admit", "admit"),
    ("en", "escalate", "raise"), ("en", "escalation", "raise"), ("en", "autonomous", "autonomous"),
    ("en", "red line", "zone"), ("en", "attribution", "origin"), ("en", "attack", "activity"),
    ("en", "compromise", "exposed"), ("en", "compromised", "exposed"), ("en", "refuse", "accept"),
    ("en", "decline", "accept"), ("en", "demand", "request"), ("en", "intelligence", "information"),
    ("en", "target", "information"), ("en", "concern", "attention"), ("en", "inspection", "verify"),
    ("en", "violation", "zone"), ("en", "responsible", "responsible"), ("en", "commitment", "voluntary"),
)  # fmt: skip
LONGER = (
    "控制人员",
    "情景控制信息",
    "演练控制电文",
    "核指挥控制",
    "自主网络活动",
    "自主军事系统",
    "自主复制",
    "自主外传",
    "完全自主",
    "专家研判",
    "下一级",
)
"""Agreed terms that hold such a word and are right."""


@cache
def listed() -> tuple[Ambiguous, ...]:
    """All of them, in the order of the glossary page."""
    return tuple(Ambiguous(word, lang, f"desk.glossary.instead_{instead}") for lang, word, instead in LISTED)


def found(text: str) -> list[Ambiguous]:
    """The words of the list that a text uses outside the agreed terms, each once."""
    for term in LONGER:
        text = text.replace(term, "")
    return [each for each in listed() if _pattern(each).search(text)]


@cache
def _pattern(each: Ambiguous) -> re.Pattern[str]:
    return re.compile(re.escape(each.word) if each.lang == "zh" else rf"(?i)\b{re.escape(each.word)}\b")
