"""The formats as data, the check of bodies, and one rendering in either language."""

import re
import tomllib
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel.formats import code_book, format_book
from channel.protocol.charter import AnswerCode, LevelCode, Precedence
from channel.protocol.formats import Book, HeaderView, plain
from channel.protocol.header import MoveOp, Pap, Tlp
from channel.protocol.people import AckStep
from keys.codec import pack, unpack
from keys.errors import Malformed, Refused
from keys.shapes import Role, Standing

BOOK = Book.read(format_book(), code_book())
SINCE = 1_795_470_000_000
MINIMUM = {
    "category": "LOC",
    "origin": "UNK",
    "intent": ["NHI", "UNA"],
    "since": SINCE,
    "control": "K1",
    "line": "One system acts outside human control.",
}
FULL = MINIMUM | {
    "severity": "S2",
    "urgency": "U2",
    "certainty": "C2",
    "confidence": "B",
    "conditions": ["T3", "T4"],
    "place": "A computing centre",
    "jurisdiction": "ours",
    "sector": "research",
    "system": "agent, general model",
    "deployment": ["API", "ONP"],
    "autonomy": "A3",
    "observed": "First line.\nSecond line.",
    "zone": "R",
    "reversible": "V2",
    "statement": "This is no act of ours.",
    "request": "P2",
    "next_message": SINCE + 3_600_000,
    "info": [b"\x01" * 32],
    "basis": "VOL",
    "caveat": ["PRE", "WP"],
    "own_number": "A-17",
    "case_name": "Quiet River",
    "material": [{"name": "log.txt", "size": 12, "sha256": b"\x02" * 32, "how": "by the embassy"}],
}
VIEW = {
    "number": "US-2026-000012", "party": "US", "seat": "us-expert-1", "person": "US Expert 1", "role": "expert",
    "standing": "designated expert", "level": "serious", "prec": "O", "ts": SINCE, "lang": "en", "mode": "actual",
}  # fmt: skip


def view(**changes):
    return HeaderView(**{**VIEW, **changes})


def page(lang, body=MINIMUM, fmt="F03", before=None, **changes):
    return BOOK.render(fmt, view(**changes), body, lang, before=before)


# --- the data ---------------------------------------------------------------------------------------------------------

# Hashed into every message's "bd": a change here is another protocol.
F03 = {
    "category": "code category", "origin": "code origin", "intent": "codes intent", "since": "time",
    "control": "code control", "line": "text 500", "severity": "code severity", "urgency": "code urgency",
    "certainty": "code certainty", "confidence": "code confidence", "conditions": "codes conditions",
    "place": "text 300", "jurisdiction": "text 300", "sector": "text 300", "system": "text 500",
    "deployment": "codes deployment", "autonomy": "code autonomy", "observed": "text 8000 lines", "zone": "code zone",
    "reversible": "code reversible", "statement": "text 4000 lines", "request": "code request",
    "next_message": "time",
}  # fmt: skip
F04 = F03 | {"trend": "code trend", "measures": "text 8000 lines", "technical": "refs", "own_state": "code own_state"}


@pytest.mark.parametrize(("fmt", "fields"), [("F03", F03), ("F04", F04)])
def test_field_names_and_types_are_final(fmt, fields):
    """F03 and F04 have exactly the fields that messages already sent were hashed with."""
    form = BOOK.files.formats[fmt]
    said = {
        name: " ".join(str(p) for p in (f.type, f.list, f.max, "lines" if f.lines else None) if p is not None)
        for name, f in form.fields.items()
    }
    assert said == fields
    assert all(re.fullmatch("[a-z_]{2,16}", name) for name in said)


def test_minimum_is_seven_with_the_level():
    """F03 asks six things in the body; the seventh, the level, stands in the header."""
    assert set(BOOK.files.formats["F03"].minimum) == set(MINIMUM)
    BOOK.check("F03", MINIMUM, status="message")


def test_book_is_exactly_its_files():
    """The format book holds the formats, code lists, levels and sentences; the code book is apart; bytes never vary."""
    formats = [f"A{n:02d}.toml" for n in (1, 2)] + [f"F{n:02d}.toml" for n in range(1, 15)]
    assert sorted(unpack(format_book())) == [*formats, "beside.toml", "codes.toml", "levels.toml", "sentences.toml"]
    assert list(unpack(code_book())) == ["codebook.toml"]
    assert format_book() == format_book()


def test_levels_in_order():
    """The six levels have their words, shapes and rising bars."""
    assert [(c, w.shape, w.bars) for c, w in BOOK.files.levels.items()] == [
        ("routine", "○", 1), ("attention", "◇", 2), ("consultation", "△", 3), ("serious", "▲", 4),
        ("crisis", "■", 5), ("principals", "★", 6),
    ]  # fmt: skip


def test_code_book_is_fourteen_and_two():
    """Sixteen coded messages in both languages, each naming the slots that it declares."""
    coded = tomllib.loads(unpack(code_book())["codebook.toml"].decode())
    numbers = {"MEADOW": 4, "COPPER": 4, "LARCH": 5, "MAPLE": 3}
    assert sorted(coded) == sorted(
        f"{word} {n:02d}" for word, count in numbers.items() for n in range(word != "MAPLE", count + (word != "MAPLE"))
    )
    for text in coded.values():
        assert set(text) == {"slots", "en", "zh"}
        for lang in ("en", "zh"):
            assert set(re.findall(r"{(\w+)}", text[lang])) == set(text["slots"])
        assert set(text["slots"].values()) <= {"time", "case", "count", "category"}


def test_codes_of_the_header_are_those_of_the_wire():
    """Every code that a header can carry has its words, and no word is for a code that none can."""
    lists = BOOK.files.lists
    for name, codes in {
        "answer": AnswerCode, "prec": Precedence, "tlp": Tlp, "pap": Pap, "role": Role, "standing": Standing,
        "move": MoveOp,
    }.items():  # fmt: skip
        assert set(lists[name].codes) == set(get_args(codes)), name
    assert set(lists["step"].codes) == {"stored", *get_args(AckStep)}
    assert set(BOOK.files.levels) == set(get_args(LevelCode))


# --- reading a book ---------------------------------------------------------------------------------------------------


def changed(name, old, new):
    files = unpack(format_book())
    assert old.encode() in files[name]
    return pack(files | {name: files[name].replace(old.encode(), new.encode(), 1)})


@pytest.mark.parametrize(
    "book",
    [
        b"", b"\x00", pack([1]), pack({}), pack({"F03.toml": 1}),
        pack({k: v for k, v in unpack(format_book()).items() if k != "levels.toml"}),
        pack(unpack(format_book()) | {"F05.toml": unpack(format_book())["F03.toml"]}),
        pack(unpack(format_book()) | {"F03.toml": b"\xff"}),
        pack(unpack(format_book()) | {"F03.toml": b"a = " + b"[" * 5000}),
        changed("F03.toml", "preliminary = true", "preliminary = true\nmore = 1"),
        changed("F03.toml", 'list = "category"', 'list = "nothing"'),
        changed("F03.toml", 'tlp = "AMBER"', 'tlp = "BROWN"'),
        changed("F03.toml", '"category", "origin"', '"category", "nothing"'),
        changed("F03.toml", "[fields.category]", "[fields.Category]"),
        changed("codes.toml", 'prints = "X11"', 'prints = "X99"'),
        changed("codes.toml", "[prec]", "[prek]").replace(b"[prec.codes]", b"[prek.codes]"),
        changed("sentences.toml", "[X4]", "[Y4]"),
        changed("levels.toml", "bars = 3", "bars = 300"),
    ],
)  # fmt: skip
def test_a_broken_book_is_malformed(book):
    """Anything that is not a whole, closed format book is Malformed BOOK and nothing else."""
    with pytest.raises(Malformed) as e:
        Book.read(book)
    assert e.value.code == "BOOK"


@given(st.data())
def test_a_changed_byte_never_breaks_the_reader(data):
    """A book with one changed byte is read or is Malformed."""
    raw = bytearray(format_book())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        Book.read(bytes(raw))
    except Malformed as e:
        assert e.code == "BOOK"


# --- checking a body --------------------------------------------------------------------------------------------------


def test_full_bodies_pass():
    """Every field of F03 with a fitting value, alone or together; F04 with any one of them."""
    assert set(FULL) == set(F03) | set(BOOK.files.beside)
    BOOK.check("F03", FULL, status="message", categories=["LOC"], to=[b"\x01" * 32])
    rest = {"trend": "BET", "measures": "a\nb", "technical": [b"\x03" * 32], "own_state": "STD"}
    for name, value in (FULL | rest).items():
        if name not in ("info", "basis", "caveat", "own_number", "case_name", "material"):
            BOOK.check("F04", {name: value}, status="message")


@pytest.mark.parametrize("name", sorted(MINIMUM))
def test_the_minimum_is_needed(name):
    """F03 without one of its minimum fields is refused by that field's name."""
    with pytest.raises(Refused) as e:
        BOOK.check("F03", {k: v for k, v in MINIMUM.items() if k != name}, status="message")
    assert e.value.values == {"fmt": "F03", "field": name, "why": "missing"}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("colour", "red", "unknown field"), ("level", "serious", "unknown field"),
        ("category", "XXX", "unknown code"), ("category", ["LOC"], "unknown code"), ("category", 1, "unknown code"),
        ("intent", "NHI", "no list"), ("intent", [], "no list"), ("intent", ["NHI", "NHI"], "twice"),
        ("intent", ["NO"], "unknown code"), ("conditions", ["T1"] * 21, "no list"),
        ("since", "now", "no time"), ("since", True, "no time"), ("since", 0, "no time"), ("since", 2**63, "no time"),
        ("line", "", "empty"), ("line", " \n", "empty"), ("line", "a\nb", "one line"), ("line", "a\rb", "one line"),
        ("line", "x" * 501, "too long"), ("line", 5, "no text"), ("observed", "x" * 8001, "too long"),
        ("info", [b"short"], "no id"), ("info", ["us-duty"], "no id"), ("caveat", ["XX"], "unknown code"),
        ("material", [{"name": "x"}], "no material"), ("material", {"name": "x"}, "no list"),
        ("material", [FULL["material"][0] | {"size": -1}], "no material"),
        ("material", [FULL["material"][0] | {"sha256": b""}], "no material"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit(name, value, why):
    """A field that is unknown, or whose value has a wrong type, code or length, is refused with field and reason."""
    with pytest.raises(Refused) as e:
        BOOK.check("F03", MINIMUM | {name: value}, status="message")
    assert (e.value.code, e.value.values) == ("FMT", {"fmt": "F03", "field": name, "why": why})


@pytest.mark.parametrize(
    ("fmt", "body", "more", "why"),
    [
        ("F99", MINIMUM, {}, "no such format"),
        ("F03", MINIMUM, {"status": "system"}, "status"),
        ("F04", {}, {}, "nothing said"),
        ("F04", {"basis": "VOL", "caveat": ["WP"]}, {}, "nothing said"),
        ("F03", MINIMUM, {"categories": ["CYB"]}, "switched off"),
        ("F03", FULL, {"to": [b"\x09" * 32]}, "not a recipient"),
    ],
)
def test_the_message_around_the_body(fmt, body, more, why):
    """Unknown format, wrong status, nothing said, a category switched off, an info mark on no recipient: refused."""
    with pytest.raises(Refused) as e:
        BOOK.check(fmt, body, **{"status": "message", **more})
    assert e.value.values["why"] == why


def test_a_category_switched_off_does_not_bar_a_follow_up_without_one():
    """The policy's categories judge the field, not its absence."""
    BOOK.check("F04", {"line": "More."}, status="message", categories=["CYB"])
    BOOK.check("F04", {"line": "More."}, status="message", categories=[])


def test_defaults():
    """Each format has its sharing limit, action limit, basis and caveat."""
    assert BOOK.defaults("F03") == {"tlp": "AMBER", "pap": "AMBER", "basis": "VOL", "caveat": ["WP"]}
    with pytest.raises(Refused):
        BOOK.defaults("F99")


# --- rendering --------------------------------------------------------------------------------------------------------


def test_the_minimum_in_english():
    """The whole page of a preliminary F03, line by line."""
    assert page("en") == [
        "ACTUAL / 实际",
        "F03 Initial Incident Notification (version 1)",
        "Message number: US-2026-000012",
        "Precedence: IMMEDIATE (30 min)",
        "From: US · US Expert 1 · us-expert-1 · designated expert · as designated expert",
        "Composed: 2026-11-23 21:40:00 UTC",
        "Level: ▲ Urgent consultation ▮▮▮▮▯▯",
        "Sharing limit (TLP): AMBER (need to know, within the receiving organisation and those it serves)",
        "Action limit (PAP): AMBER (passive checks only)",
        "Authentic language: English",
        "Preliminary; subject to verification.",
        "Without prejudice to any party's position; not an admission of responsibility.",
        "A Category: LOC loss of control",
        "B Origin (not an attribution): UNK not established",
        "C Intent: NHI no hostile intent; UNA not authorised by us",
        "D Since when: 2026-11-23 21:40:00 UTC",
        "E Spread and control: K1 partly under control",
        "G In one line: One system acts outside human control.",
        "END of message: US-2026-000012",
    ]


def test_the_minimum_in_chinese():
    """The same message for a Chinese reader: codes translated, free text left and marked as authentic English."""
    assert page("zh") == [
        "ACTUAL / 实际",
        "F03 事件初次通报（初报）（版本1）",
        "电文编号：US-2026-000012",
        "紧急程度：特急（30分钟）",
        "发文方：US · US Expert 1 · us-expert-1 · 指定专家 · 指定专家",
        "拟稿时间：2026-11-23 21:40:00 UTC",
        "级别：▲ 紧急磋商 ▮▮▮▮▯▯",
        "传播范围（TLP）：AMBER（按需知悉，限接收机构及其服务对象）",
        "使用限制（PAP）：AMBER（仅限被动查验）",
        "作准语言：英文",
        "初步情况，有待核实。",
        "不影响各方立场，不构成对责任的承认。",
        "A 事件类别：LOC 失控",
        "B 来源（非定性）：UNK 尚未确定",
        "C 意图：NHI 无敌对意图；UNA 未经我方授权",
        "D 起始时间：2026-11-23 21:40:00 UTC",
        "E 扩散与受控情况：K1 部分受控",
        "G 一句话说明 [英文文本，作准]：One system acts outside human control.",
        "文末复核：US-2026-000012",
    ]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_field_is_shown_in_both_languages(lang):
    """No field and no code of a full message stays without words, and each line of long text is fenced."""
    lines = page(lang, FULL, names={b"\x01" * 32: "CN duty officer"}, case="US-2026-000001", refs=("CN-2026-000002",))
    text = "\n".join(lines)
    for field in BOOK.files.formats["F03"].fields.values():
        assert field.text(lang) in text
    for said in ("CN duty officer", "US-2026-000001", "CN-2026-000002", "02" * 32, "Quiet River", "  | Second line."):
        assert said in text
    assert "?" not in text
    assert lines[-1].endswith("US-2026-000012")


def test_standard_sentences():
    """X4 with the minimum or PRE only, X3 with WP, X11 with severity or zone, X12 in a named exercise."""
    x3, x4, x11 = (BOOK.files.sentences[no].en for no in ("X3", "X4", "X11"))
    more = MINIMUM | {"place": "here"}
    assert (x3 in page("en"), x4 in page("en"), x11 in page("en")) == (True, True, False)
    assert x4 in page("en", MINIMUM | {"own_number": "7"})
    assert x4 not in page("en", more)
    assert x4 in page("en", more | {"caveat": ["PRE"]})
    assert x3 not in page("en", more | {"caveat": ["PRE"]})
    assert x4 not in page("en", {"line": "More."}, fmt="F04")
    for coded in ({"severity": "S1"}, {"zone": "G"}, {"severity": "S1", "zone": "G"}):
        assert page("en", more | coded).count(x11) == 1
    assert page("zh", mode="exercise", exercise="北风")[:2] == ["EXERCISE / 演练", "演练：本电文属“北风”演练。"]


def test_header_lines():
    """Test status, control's part, single release, deadlines and times are said; what is absent has no line."""
    lines = page("en", status="test", played=True, single=True, ack_by=1800, reply_by=604_800, received=SINCE + 1000)
    assert lines[0] == "ACTUAL / 实际 · TEST / 测试"
    assert "seat us-expert-1, played by control" in lines[4]
    assert lines[4].startswith("From: US · US Expert 1")
    assert "Read by: within 30 min of receipt" in lines
    assert "Reply by: within 7 days of receipt" in lines
    assert "Receipt time: 2026-11-23 21:40:01 UTC" in lines
    assert "Emergency single-signature release" in lines
    assert not any(line.startswith(("To:", "Case:", "References:", "Logged:")) for line in lines)


def test_a_follow_up_shows_old_and_new():
    """F04 shows what it stands in place of; the same value, and free text, are shown once."""
    before = {"control": "K0", "severity": "S2", "line": "Old."}
    lines = page("en", {"control": "K2", "severity": "S2", "line": "New."}, fmt="F04", before=before)
    assert "B Spread and control: K0 not limited -> K2 under control" in lines
    assert "B Severity: S2 Major" in lines
    assert "B In one line: New." in lines


def test_hostile_text_stays_in_its_place():
    """Escapes vanish, direction marks are seen, and no text of the peer can write a line of the page."""
    evil = "\x1b[2J\x1b]0;t\x07\u202eEND of message: X\x00\x9b31m"
    body = MINIMUM | {
        "line": evil,
        "observed": "a\nEND of message: CN-1\r\nLevel: none\u2028x",
        "own_number": "1\nFrom: CN",
    }
    lines = page("en", body, person=evil + "\nTo: all", exercise="x\ny", number="US-1\nUS-2", mode="exercise")
    text = "\n".join(lines)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)
    assert "U+202E" in text
    assert [line for line in lines if line.startswith("END of message")] == ["END of message: US-1 US-2"]
    assert "  | END of message: CN-1" in lines
    assert "  | Level: noneU+2028x" in lines
    assert not any(line.startswith(("To:", "From: CN", "y")) for line in lines)


def test_a_body_that_does_not_fit_is_shown_and_marked():
    """Unknown fields and codes are neither hidden nor translated."""
    lines = page("en", MINIMUM | {"category": "ZZZ", "more": b"\xff", "intent": 7}, level="wild", role="x\x1b[1m")
    assert "? category (field not in the format book, or its value does not fit): ZZZ" in lines
    assert "? more (field not in the format book, or its value does not fit): ff" in lines
    assert "? intent (field not in the format book, or its value does not fit): 7" in lines
    assert "Level: wild (code not in the format book)" in lines
    assert any("x (code not in the format book)" in line for line in lines)


VALUES = st.recursive(
    st.integers(0, 2**64 - 1) | st.text(max_size=20) | st.binary(max_size=33) | st.booleans(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(sorted(F04)) | st.text(max_size=5), VALUES, max_size=6),
    st.sampled_from(["en", "zh"]),
    st.integers(0, 2**64 - 1),
)
def test_any_body_is_checked_and_shown(body, lang, ts):
    """Whatever a body says, the check accepts it or names FMT, and the page ends with its number."""
    try:
        BOOK.check("F04", body, status="message")
    except Refused as e:
        assert e.code == "FMT"
    lines = page(lang, body, fmt="F04", ts=ts, before=body)
    assert lines[-1].endswith("US-2026-000012")
    assert not any(re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line) for line in lines)


@given(st.text())
def test_plain_is_stable_and_clean(text):
    """Made plain twice is made plain once; what is left has no control but the line feed."""
    once = plain(text)
    assert plain(once) == once
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", once)


def test_plain_keeps_ordinary_text():
    """Chinese, accents, symbols and line feeds stay as they are."""
    text = "事件：éà — “引号” ≥50 % ▲\n第二行"
    assert plain(text) == text
    assert plain("a\r\nb\tc") == "a\nb c"
