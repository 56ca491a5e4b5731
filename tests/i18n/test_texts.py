"""Every text that a person can see: both languages, the glossary's words, errors told with their values."""

import ast
import re
import string
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel.formats import code_book, format_book
from channel.i18n import LANGUAGES, Texts, _entries, pick_language, problem_texts
from keys.codec import unpack
from keys.errors import Malformed, Problem, Refused, WrongUse
from keys.texts import own_texts

TOP = Path(__file__).resolve().parents[2]
EN, ZH = Texts("en"), Texts("zh")
MODULES = sorted([*TOP.glob("channel/**/*.py"), *TOP.glob("keys/*.py")])
REASONS = [
    "PARSE",
    "SEEN",
    "MODE",
    "CHAN",
    "OPEN",
    "SIGNER",
    "SIG",
    "COOLING",
    "KEM",
    "DUP",
    "FMT",
    "REF",
    "LEVEL",
    "SUSP",
    "CASE",
    "MOVE",
    "SIGS",
    "KEYS",
]


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


# --- parity and words -------------------------------------------------------------------------------------------------


def test_same_ids_and_placeholders():
    """Both languages have the same ids; each text names the same values in both."""
    en, zh = _entries("en"), _entries("zh")
    assert set(en) == set(zh)
    assert {id_ for id_ in en if places(en[id_]) != places(zh[id_])} == set()
    assert {id_ for id_ in en if not en[id_].strip() or not zh[id_].strip()} == set()


BOOKS = unpack(format_book()) | unpack(code_book())


@pytest.mark.parametrize("file", sorted(BOOKS))
def test_both_languages_stand_side_by_side_in_the_books(file):
    """Every table of a book with one language has the other, with the same placeholders and Chinese in the Chinese."""

    def walk(tree):
        if "en" in tree and isinstance(tree["en"], str):
            assert places(tree["en"]) == places(tree["zh"]), tree
            words = re.sub(r"{\w+}|\W", "", tree["en"])
            assert not words or re.search(r"[\u4e00-\u9fff]", tree["zh"]), tree
            assert not re.search(r"[\u4e00-\u9fff]", tree["en"]), tree
        for value in tree.values():
            if isinstance(value, dict):
                walk(value)

    tree = tomllib.loads(BOOKS[file].decode())
    assert tree
    walk(tree)


def test_standard_sentences_are_verbatim():
    """X1 to X13, word for word; a changed sentence is another agreement."""
    assert [id_ for id_ in _entries("en") if re.fullmatch(r"X\d+", id_)] == [f"X{n}" for n in range(1, 14)]
    assert EN.say("X3") == "Without prejudice to any party's position; not an admission of responsibility."
    assert ZH.say("X3") == "不影响各方立场，不构成对责任的承认。"
    assert (EN.say("X1"), ZH.say("X1")) == ("We draw no conclusion from this.", "我方不据此作出任何推断。")
    assert ZH.say("X6", no="US-2026-000001") == (
        "我方尚未收到贵方值班员对US-2026-000001号电文的收阅回执。我方不据此作出任何推断。"
    )
    assert EN.say("X12", name="North Wind") == "EXERCISE: this message is part of exercise North Wind."


def test_precedence_shows_its_time():
    """The minutes stand beside every precedence word, in both languages."""
    assert [EN.say(f"code.prec.{p}") for p in "ZOPR"] == [
        "FLASH (10 min)", "IMMEDIATE (30 min)", "PRIORITY (3 h)", "ROUTINE (next working day)",
    ]  # fmt: skip
    assert [ZH.say(f"code.prec.{p}") for p in "ZOPR"] == [
        "特提（10分钟）", "特急（30分钟）", "加急（3小时）", "平急（下一工作日）",
    ]  # fmt: skip


def test_levels_and_banners():
    """A level is shape, word and bars; a banner is both languages at once."""
    assert EN.level("serious") == "▲ Urgent consultation ▮▮▮▮▯▯"
    assert ZH.level("principals") == "★ 高层沟通 ▮▮▮▮▮▮"
    assert EN.both("banner.exercise") == ZH.both("banner.exercise") == "EXERCISE / 演练"
    assert EN.both("banner.actual") == "ACTUAL / 实际"


def test_lengths_of_time():
    """The largest unit that is exact; hours up to 72."""
    seconds = (1, 90, 600, 1800, 10_800, 86_400, 259_200, 604_800, 0)
    assert [EN.duration(s) for s in seconds] == [
        "1 s", "90 s", "10 min", "30 min", "3 h", "24 h", "72 h", "7 days", "0 s",
    ]  # fmt: skip
    assert ZH.duration(600) == "10分钟"


# --- errors -----------------------------------------------------------------------------------------------------------

ERRORS = {
    "Problem", "WrongUse", "Malformed", "Refused", "Unavailable", "Unverified", "SecurityAlarm", "NotDelivered", "Fatal",
}  # fmt: skip


def raised():
    """(where, code, values) of every error that the source raises with a code of its own."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in ERRORS and isinstance(node.args[0].value, str):
                    yield f"{path.name}:{node.lineno}", node.args[0].value, {k.arg for k in node.keywords}


def test_every_error_is_told_in_full():
    """Every error raised anywhere says what happened and what to do, with all its values or a text without any."""
    without, lacking = [], []
    for where, code, values in raised():
        if f"{code}.what" not in EN or f"{code}.do" not in EN:
            without.append((where, code))
        elif f"{code}.bare" not in EN and None not in values:
            need = places(_entries("en")[f"{code}.what"]) | places(_entries("en")[f"{code}.do"])
            lacking += [(where, code, need - values)] * bool(need - values - {"code"})
    assert without == []
    assert lacking == []


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_a_record_not_counted(reason, lang):
    """Each reason of the fold has a neutral word in the log view, and a full text when a sender meets it."""
    t = Texts(lang)
    assert t.say(f"refused.{reason}")
    what, do = t.problem(Refused(reason))
    assert what
    assert do
    assert "?" not in what + do


def test_a_problem_is_told_with_its_values():
    """Values are filled in: bytes as short hex, lists joined, reasons in words, text from outside made plain."""
    what, do = problem_texts(Refused("FMT", fmt="F03", field="line", why="too long"), "en")
    assert what == 'The message does not fit format F03: field "line": it is too long.'
    assert do
    assert "内容过长" in problem_texts(Refused("FMT", fmt="F03", field="line", why="too long"), "zh")[0]
    said = Texts("en").problem(WrongUse("LANG", found="\x1b[31mxx\u202e"))[0]
    assert said == 'There is no language "xxU+202E".'
    assert EN.say("X12", name=bytes(range(32))) == "EXERCISE: this message is part of exercise 0001020304050607."
    assert EN.say("X12", name=["b", b"\xff"]) == "EXERCISE: this message is part of exercise b, ff."


@given(
    st.text(max_size=20), st.dictionaries(st.sampled_from(["why", "fmt", "code"]), st.text() | st.binary(), max_size=3)
)
def test_telling_a_problem_never_fails(code, values):
    """Any code from any version, with any values, becomes two sentences in both languages."""
    values.pop("code", None)
    for lang in LANGUAGES:
        what, do = problem_texts(Problem(code, **values), lang)
        assert what
        assert do
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", what)


def test_a_code_that_is_the_name_of_another_text():
    """A code from outside that names a sentence of ours is still told as an error without a text."""
    for lang in LANGUAGES:
        assert "demo.refused" in problem_texts(Problem("demo.refused"), lang)[0]


def test_a_missing_text_is_an_error_of_ours():
    """An id or a value that is not there is a KeyError, not an empty line."""
    with pytest.raises(KeyError):
        EN.say("no.such.text")
    with pytest.raises(KeyError):
        EN.say("X7")
    with pytest.raises(KeyError):
        Texts("fr")
    assert "no.such.text" not in EN
    assert "X7" in EN


def test_the_ground_floor_has_its_own():
    """The ceremony tool tells its errors without the channel's files."""
    what, do = own_texts("zh").problem(Malformed("WORDS", count=7, word="abandn"))
    assert "7" in what
    assert "abandn" in what
    assert do
    assert "X1" not in own_texts("en")


def test_ids_that_commands_say_exist():
    """Every text id that a command names is there."""
    said = [
        (path.name, node.args[0].value)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("say", "both")
        if node.args and isinstance(node.args[0], ast.Constant) and "telemetry" not in ast.unparse(node.func)
        if path.parent.name in ("cli", "client", "desk") or path.parts[-2:] == ("keys", "cli.py")
    ]
    assert [each for each in said if each[1] not in EN] == []


# --- the choice of a language -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("explicit", "environ", "lang"),
    [
        (None, {}, "en"),
        ("zh", {"CHANNEL_LANG": "en"}, "zh"),
        ("zh-CN", {}, "zh"),
        ("EN_us", {}, "en"),
        (None, {"CHANNEL_LANG": "zh", "LANG": "en_US.UTF-8"}, "zh"),
        (None, {"CHANNEL_LANG": "", "LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        (None, {"LC_ALL": "", "LC_MESSAGES": "zh_CN", "LANG": "en_US"}, "zh"),
        (None, {"LANG": "fr_FR.UTF-8"}, "en"),
    ],
)
def test_pick_language(explicit, environ, lang):
    """--lang, then CHANNEL_LANG, then the locale's first set variable; other locales read English."""
    assert pick_language(explicit, environ) == lang


@pytest.mark.parametrize(("explicit", "environ"), [("fr", {}), (None, {"CHANNEL_LANG": "de"})])
def test_a_language_that_we_do_not_have(explicit, environ):
    """A wish for another language is a wrong use that says so."""
    with pytest.raises(WrongUse) as e:
        pick_language(explicit, environ)
    assert e.value.code == "LANG"
