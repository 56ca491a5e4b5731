"""``send`` and ``reply`` in every format: what each says and shows, and what is refused before anything is sealed."""

from __future__ import annotations

import json
import re

import pytest

from channel.i18n import Texts

CHINESE = re.compile("[\u4e00-\u9fff]")
AT = 1_900_000_000_000  # 2030-03-17 17:46:40 UTC
DAY = "2030-03-17 17:46:40"

# format: what is typed beside the text, the text, the whole body, the signers beside the author
BY_OPTIONS = {
    "F01": (["test=HUM", "text_en=Seven.", "text_zh=七。", "answer=Eight", "path=main", "service=LAT"], "Delay seen.",
            {"test": "HUM", "text_en": "Seven.", "text_zh": "七。", "answer": "Eight", "path": "main", "service": "LAT",
             "text": "Delay seen."}),
    "F03": (["category=CYB", "origin=UNK", "intent=ACD,UNA", f"since={DAY}", "control=K1", "severity=S3", "zone=Y"],
            "Logins.", {"category": "CYB", "origin": "UNK", "intent": ["ACD", "UNA"], "since": AT, "control": "K1",
                        "severity": "S3", "zone": "Y", "line": "Logins."}),
    "F04": (["trend=BET", "measures=One.\\nTwo.", f"next_message={AT}", "own_state=STD"], "Fewer.",
            {"trend": "BET", "measures": "One.\nTwo.", "next_message": AT, "own_state": "STD", "line": "Fewer."}),
    "F05": (["cause=CFG,HUM", "harm=kind=SRV; number=2; text=two hours", "harm=kind=NIL", "public=N"], "Over.",
            {"cause": ["CFG", "HUM"], "harm": [{"kind": "SRV", "number": 2, "text": "two hours"}, {"kind": "NIL"}],
             "public": "N", "outcome": "Over."}),
    "F06": (["questions=ask=Q1", "questions=ask=Does it write?", "certainty=C2", "next_step=NX1", f"reply_until={DAY}"],
            "Seen.", {"questions": [{"ask": "Q1"}, {"ask": "Does it write?"}], "certainty": "C2", "next_step": "NX1",
                      "reply_until": AT, "observed": "Seen."}),
    "F08": (["kind=TRN", f"from_time={DAY} UTC", "until_time=1900000000001", "stop_contact=duty"], "Heavy traffic.",
            {"kind": "TRN", "from_time": AT, "until_time": AT + 1, "stop_contact": "duty",
             "observables": "Heavy traffic."}),
    "F09": (["stance=OWN+TES", "confidence=A", f"valid_until={DAY}"], "The scans.",
            {"stance": "OWN+TES", "confidence": "A", "valid_until": AT, "about": "The scans."}),
    "F10": (["items=kind=NET; value=192.0.2.7; tlp=GREEN", f"items=kind=HSH; value=ab12; last_seen={AT}"], "Two.",
            {"items": [{"kind": "NET", "value": "192.0.2.7", "tlp": "GREEN"},
                       {"kind": "HSH", "value": "ab12", "last_seen": AT}], "text": "Two."}),
    "F11": (["kind=ASK", "actions=BLK,PRE", "limits=Not the hospital.", "liaison=duty"], "Please.",
            {"kind": "ASK", "actions": ["BLK", "PRE"], "limits": "Not the hospital.", "liaison": "duty",
             "text": "Please."}),
    "F13": ([f"slots=time={DAY}"], "MEADOW 01", {"entry": "MEADOW 01", "slots": {"time": AT}}),
}  # fmt: skip
MAIN = {"F03": "line", "F04": "line", "F05": "outcome", "F06": "observed", "F08": "observables", "F09": "about",
        "F13": "entry"}  # fmt: skip
IN_A_CASE = ("F04", "F05")
SHOWN = {
    "F01": ("A Kind of test: HUM answered by a person", "E 勤务代码：LAT 延迟"),
    "F03": ("M Risk zone: Y yellow", "M 风险区间：Y 黄"),
    "F04": ("C Trend: BET improving", "G 本方状态：STD 本方恢复常态"),
    "F05": ("  1. Kind: SRV service interrupted · Number: 2", "  2. 类别：NIL 未发现损害"),
    "F06": ("  1. Question: Q1 Is this known to you?", "  1. 问题：Q1 贵方是否知情？"),
    "F08": ("A Kind of activity: TRN large training run", "A 活动类型：TRN 大规模训练"),
    "F09": ("B Statement: OWN+TES ours, a planned test", "B 说明内容：OWN+TES 系我方计划内测试"),
    "F10": ("  1. A Kind: NET network · B Value: 192.0.2.7", "  1. A 类型：NET 网络特征 · B 内容：192.0.2.7"),
    "F11": ("B Actions: BLK block; PRE preserve material", "B 措施：BLK 阻断；PRE 保全材料"),
    "F13": ("Since 2030-03-17 17:46:40 UTC, an AI system", "自2030-03-17 17:46:40 UTC起"),
}


@pytest.fixture(scope="module")
def case(machine):
    """The number of a case of US."""
    (sent,) = machine.good("us", "send", "A case.")
    return sent["number"]


@pytest.fixture
def file(tmp_path):
    """Writes a body as a JSON file."""

    def write(body):
        path = tmp_path / "body.json"
        path.write_text(body if isinstance(body, str) else json.dumps(body), "utf-8")
        return path

    return write


def sent_as(machine, party, *words):
    """A message handed in, by a draft that the duty officer approves where it needs two."""
    (item,) = machine.good(party, *words)
    return item if "number" in item else machine.good(party, "--as", "duty", "approve", item["draft"], "--yes")[0]


def both(machine, party, ref):
    """A message as the two languages show it."""
    machine.until(lambda: machine.command(party, "show", ref).exit_code != 2)
    return [machine.command(party, "show", ref, lang=lang).stdout for lang in ("en", "zh")]


# --- every format -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", BY_OPTIONS)
def test_every_format_by_options(machine, case, fmt):
    """Each field that is typed stands in the body with its type, and the other side reads it in both languages."""
    given, text, body = BY_OPTIONS[fmt]
    words = [word for each in given for word in ("--set", each)]
    words += ["--case", case] if fmt in IN_A_CASE else []
    words += ["--cosign", "duty"] if fmt == "F13" else []
    sent = sent_as(machine, "us", "send", "--format", fmt, text, *words)
    assert (sent["format"], sent["body"]) == (fmt, body)
    shown = both(machine, "cn", sent["number"])
    assert [line in text for line, text in zip(SHOWN[fmt], shown, strict=True)] == [True, True]


@pytest.mark.parametrize("fmt", BY_OPTIONS)
def test_every_format_by_a_file(machine, case, file, fmt):
    """The same body from a JSON file is the same message, texts with semicolons and line ends included."""
    body = BY_OPTIONS[fmt][2] | ({"line": "a; b"} if fmt in ("F03", "F04") else {})
    words = ["--case", case] if fmt in IN_A_CASE else []
    words += ["--cosign", "duty"] if fmt == "F13" else []
    sent = sent_as(machine, "us", "send", "--format", fmt, "--body", file(body), *words)
    assert (sent["format"], sent["body"]) == (fmt, body)


def test_an_option_goes_before_the_file_and_the_text_before_both(machine, file):
    """A field given in several ways has the value nearest to the person: text, then option, then file."""
    body = {"observed": "file", "certainty": "C1", "questions": [{"ask": "Q5"}], "next_step": "NX0"}
    words = ["--body", file(body), "--set", "certainty=C2", "--set", "observed=option", "--set", "questions=ask=Q1"]
    (sent,) = machine.good("us", "send", "--format", "F06", "text", *words)
    assert sent["body"] == {
        "observed": "text", "certainty": "C2", "next_step": "NX0", "questions": [{"ask": "Q5"}, {"ask": "Q1"}],
    }  # fmt: skip


def test_material_info_and_references(machine, case, tmp_path):
    """A file beside the channel is named by size and SHA-256, info by seats, a reference by its message number."""
    file = tmp_path / "sample.bin"
    file.write_bytes(b"sample")
    (first,) = machine.good("us", "send", "--format", "F10", "--set", "items=kind=NET; value=x", "--case", case)
    (sent,) = machine.good(
        "us", "send", "See there.", "--case", case, "--set", f"technical={first['number']}",
        "--set", f"material={file}, by courier", "--set", "info=cn:duty",
    )  # fmt: skip
    (material,) = sent["body"]["material"]
    assert (material["name"], material["size"], material["how"]) == ("sample.bin", 6, "by courier")
    shown = both(machine, "cn", sent["number"])
    assert f"E New technical characteristics in: {first['number']}" in shown[0]
    assert "抄送方：CN 值班员" in shown[1]
    assert f"sample.bin, 6 bytes, SHA-256 {material['sha256']}, delivered: by courier" in shown[0]
    machine.good("cn", "material", "check", file, sent["number"])
    file.write_bytes(b"sampLe")
    assert machine.command("cn", "material", "check", file, sent["number"]).exit_code == 5


def test_material_in_a_file_of_fields(machine, case, file):
    """Material that a JSON file names has its SHA-256 in hexadecimal there."""
    item = {"name": "x.bin", "size": 1, "sha256": "ab" * 32, "how": "courier"}
    (sent,) = machine.good("us", "send", "See beside.", "--case", case, "--body", file({"material": [item]}))
    assert sent["body"]["material"] == [item]


def test_the_flags_of_the_first_report_serve_a_follow_up(machine):
    """--category and the like give changed fields in F04; those not given are left out."""
    (first,) = machine.good("us", "send", "A case of its own.")
    words = ["--control", "K2", "--intent", "ACD", "--since", DAY]
    (sent,) = machine.good("us", "send", "--case", first["number"], *words)
    assert (sent["format"], sent["body"]) == ("F04", {"control": "K2", "intent": ["ACD"], "since": AT})
    assert "扩散与受控情况：K9 尚不明确 → K2 已受控" in both(machine, "cn", sent["number"])[1]


def test_what_is_said_once_is_not_said_again_in_further_lines(machine):
    """Of several texts the first alone carries the fields that were given."""
    first, second = machine.good("us", "send", "one", "two", "--category", "LOC", "--set", "severity=S4")
    assert (first["body"]["category"], first["body"]["severity"]) == ("LOC", "S4")
    assert (second["format"], second["body"]) == ("F04", {"line": "two"})


def test_limits_language_and_deadlines(machine):
    """Sharing and action limit, authentic language, and longer deadlines stand in the header."""
    words = ["--tlp", "RED", "--pap", "GREEN", "--lang-of-text", "zh", "--read-by", "6h", "--reply-by", "5d"]
    (sent,) = machine.good("us", "send", "测试", *words)
    machine.good("cn", "ack", sent["number"])
    english = both(machine, "cn", sent["number"])[0]
    for line in ("Sharing limit (TLP): RED", "Action limit (PAP): GREEN", "Authentic language: Chinese"):
        assert line in english
    assert "Read by: within 6 h of receipt" in english
    assert "Reply by: within 5 days of receipt" in english


@pytest.mark.parametrize(("fmt", "level"), [("F01", "routine"), ("F08", "routine"), ("F09", "attention")])
def test_the_level_of_what_opens_no_case(machine, fmt, level):
    """Line tests and advance notices are routine contact; a level that is named holds."""
    given, text, _ = BY_OPTIONS[fmt]
    words = [word for each in given for word in ("--set", each)]
    (sent,) = machine.good("us", "send", "--format", fmt, text, *words)
    (raised,) = machine.good("us", "send", "--format", fmt, text, *words, "--level", "consultation")
    assert (sent["level"], sent["case"], raised["level"]) == (level, None, "consultation")


def test_a_test_opens_no_case(machine):
    """--test marks any message as a test in both languages; no case comes of it."""
    (sent,) = machine.good("us", "send", "Only a test.", "--test")
    assert "EXERCISE / 演练 · TEST / 测试" in both(machine, "cn", sent["number"])[0]
    assert sent["number"] not in [each["case"] for each in machine.good("us", "case", "--all")]


# --- --fields ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", [f"F{n:02d}" for n in range(1, 15)])
def test_the_fields_of_a_format_are_listed_with_their_codes(machine, fmt):
    """--fields lists each field once with type and codes, marks what is needed, in both languages, and sends nothing."""
    items = {item["field"]: item for item in machine.good("us", "send", "--format", fmt, "--fields")}
    needed = {name for name, item in items.items() if item["needed"]}
    assert needed <= set(BY_OPTIONS.get(fmt, ((), "", {}))[2])
    assert set(BY_OPTIONS.get(fmt, ((), "", {}))[2]) <= set(items)
    assert {"info", "basis", "caveat", "own_number", "case_name", "material"} <= set(items)
    lang = ("en", "zh")[int(fmt[1:]) % 2]
    shown = machine.command("us", "send", "--format", fmt, "--fields", lang=lang)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert all(re.search(rf"^[* ] {name} ", shown.stdout, re.MULTILINE) for name in items)
    assert bool(CHINESE.search(shown.stdout)) == (lang == "zh")


def test_listing_fields_sends_nothing(machine):
    """With --fields a text is not sent."""
    before = machine.said("us")
    assert machine.good("us", "send", "text", "--fields")
    assert machine.said("us") == before


def test_the_columns_of_rows_are_listed(machine):
    """Fields of rows say which columns they have and what those take."""
    shown = machine.command("us", "send", "--format", "F10", "--fields").stdout
    assert re.search(r"^\* items \(rows\) +Characteristics +kind \(code\) Kind", shown, re.MULTILINE)


def test_formats_that_other_commands_make(refuses):
    """F02, F07, F12 and F14 are not sent as such: the answer names the commands that make them."""
    for fmt, command in (("F02", "readback"), ("F07", "reply"), ("F12", "raise"), ("F14", "correct")):
        words = ["send", "--format", fmt, "text"]
        refuses("us", *words, exit_code=2, code="OTHER_COMMAND", named=(fmt, f"channel {command}"))


# --- what is refused at the sender --------------------------------------------------------------------------------------

NEEDED = {
    "F03": ["line"], "F05": ["outcome"], "F06": ["observed", "questions"], "F08": ["kind", "from_time", "until_time"],
    "F09": ["about", "stance"], "F10": ["items"], "F11": ["kind", "actions"], "F13": ["entry", "slots"],
}  # fmt: skip


def in_place(fmt, case):
    """What a format asks for beside its body."""
    return ["--case", case] if fmt in IN_A_CASE else ["--cosign", "duty"] if fmt == "F13" else []


@pytest.mark.parametrize("fmt", NEEDED)
def test_a_missing_field_is_named(refuses, case, file, fmt):
    """Each field that a format can't go out without, left out alone."""
    for field in NEEDED[fmt]:
        body = {name: value for name, value in BY_OPTIONS[fmt][2].items() if name != field}
        words = ["send", "--format", fmt, "--body", file(body), *in_place(fmt, case)]
        refuses("us", *words, exit_code=4, code="FMT", named=(f"{field}", fmt))


def test_an_unknown_field_is_answered_with_those_that_there_are(refuses):
    """A field that the format does not have: its name, and the names of all that it has."""
    for fmt, (_, _, body) in BY_OPTIONS.items():
        named = ("colour", *body, "material")
        refuses("us", "send", "--format", fmt, "--set", "colour=red", exit_code=2, code="FIELD", named=named)


CODED = [
    ("F01", "test=ZZ9"), ("F03", "severity=ZZ9"), ("F04", "trend=ZZ9"), ("F05", "cause=CFG,ZZ9"),
    ("F06", "next_step=ask again"), ("F08", "kind=ZZ9"), ("F09", "stance=ZZ9"), ("F10", "items=kind=ZZ9; value=x"),
    ("F11", "actions=ZZ9"), ("F13", "entry=MEADOW 99"), ("F13", "slots=place=x"),
]  # fmt: skip


def test_an_unknown_code_is_named_with_its_field(refuses, case, file):
    """A code that is not on its list is refused with the field, whatever else is in order."""
    for fmt, given in CODED:
        words = ["send", "--format", fmt, "--body", file(BY_OPTIONS[fmt][2]), "--set", given, *in_place(fmt, case)]
        refuses("us", *words, exit_code=4, code="FMT", named=(fmt, given.partition("=")[0]))


WRONG_TYPES = [
    ("F03", {"since": "tomorrow"}, "since"), ("F03", {"since": True}, "since"), ("F03", {"since": 1.5}, "since"),
    ("F03", {"line": None}, "line"), ("F03", {"line": ["a"]}, "line"), ("F03", {"line": 7}, "line"),
    ("F03", {"severity": None}, "severity"), ("F03", {"intent": {"ACD": 1}}, "intent"), ("F03", {"intent": 3}, "intent"),
    ("F06", {"questions": "Q1 and Q2"}, "questions"), ("F06", {"questions": ["Q1"]}, "questions"),
    ("F06", {"questions": {"ask": "Q1"}}, "questions"), ("F05", {"harm": [{"kind": "SRV", "number": "two"}]}, "number"),
    ("F10", {"items": [{"kind": "NET", "value": 4}]}, "value"), ("F13", {"slots": {"time": "soon"}}, "slots"),
    ("F13", {"slots": ["time"]}, "slots"), ("F13", {"entry": 1}, "entry"), ("F03", {"material": "x.bin"}, "material"),
    ("F03", {"material": [{"name": "x"}]}, "material"), ("F03", {"material": [{"sha256": "zz"}]}, "material"),
    ("F03", {"info": 7}, "info"),
]  # fmt: skip


def test_a_value_of_a_wrong_type_is_named_with_its_field(refuses, case, file):
    """What does not fit a field's type is never made to fit: it is refused with the field and where to look."""
    for fmt, wrong, field in WRONG_TYPES:
        words = ["send", "--format", fmt, "--body", file(BY_OPTIONS[fmt][2] | wrong), *in_place(fmt, case)]
        refuses("us", *words, exit_code=2, code="VALUE", named=(field, fmt))


UNREADABLE = [
    ("F04", "severity", "SET", ("severity",)),
    ("F05", "harm=kind=NIL; size=3", "COLUMN", ("size", "kind", "number")),
    ("F05", "harm=NIL", "VALUE", ("harm",)),
    ("F04", "technical=US-2026-009999", "NO_MESSAGE", ("US-2026-009999",)),
    ("F04", "info=cn:nobody", "NO_SEAT", ("nobody",)),
    ("F04", "material=/nowhere/x.bin, courier", "NO_FILE", ("/nowhere/x.bin",)),
    ("F04", "line=a\x1bb", "CONTROL_CHARACTERS", ()),
]


def test_fields_that_can_not_be_read(refuses, case):
    """No equals sign, a column, a message, a seat, a file that is not there, control characters: one error each."""
    for fmt, given, code, named in UNREADABLE:
        words = ["send", "--format", fmt, "--case", case, "--set", given]
        refuses("us", *words, exit_code=2, code=code, named=named)


def test_a_file_that_is_no_body(refuses, file):
    """Anything but one JSON object of texts that can be sent is refused."""
    for body in ("", "[1]", "{", '"text"', "[" * 5000):
        refuses("us", "send", "--body", file(body), exit_code=2, code="BODY_FILE", named=("body.json",))
    refuses("us", "send", "--body", file('{"line": "\\ud800"}'), exit_code=2, code="CONTROL_CHARACTERS")
    refuses("us", "send", "--body", "/nowhere.json", exit_code=2, code="NO_FILE", named=("/nowhere.json",))


def test_what_must_come_first(machine, refuses, case):
    """F04 and F05 need a case, F05 an open one that can be closed, an F11 answer its request, F07 an F06."""
    high = sent_as(machine, "us", "send", "text", "--level", "consultation", "--cosign", "duty")
    for fmt in ("F04", "F05"):
        refuses("us", "send", "--format", fmt, "text", exit_code=2, code="CASE_NEEDED", named=(fmt, "--case"))
    words = ["send", "--format", "F11", "--set", "kind=ANS", "--set", "actions=BLK"]
    refuses("us", *words, exit_code=4, code="FMT", named=("F11", "refs"))
    refuses("us", *words, "--ref", case, exit_code=4, code="FMT", named=("F11", "refs"))
    refuses("us", "send", "--format", "F05", "x", "--case", high["number"], exit_code=4, code="CLOSE_LEVEL",
            named=("△", "channel lower"))  # fmt: skip


APART = [
    (["text", "--read-by", "1m"], 4, "FMT", ("ack_by",)),
    (["text", "--reply-by", "1h"], 4, "FMT", ("reply_by",)),
    (["text", "--level", "crisis", "--reply-by", "1h", "--cosign", "expert-2"], 4, "SIGNERS_NEEDED", ("--cosign",)),
    (["text", "--level", "serious", "--read-by", "1m", "--cosign", "duty"], 4, "FMT", ("ack_by",)),
    (["text", "--single"], 4, "FMT", ("single",)),
    (["--format", "F13", "MEADOW 02", "--single", "--cosign", "duty"], 4, "FMT", ("single",)),
    (["--format", "F13", "MEADOW 02", "--single", "--level", "serious"], 4, "LEVEL", ()),
    (["--format", "F13", "MEADOW 02"], 4, "SIGNERS_NEEDED", ("--cosign",)),
    (["text", "--level", "serious"], 4, "SIGNERS_NEEDED", ("--cosign",)),
    (["text", "--cosign", "nobody"], 2, "NO_SEAT", ("nobody",)),
    (["text", "--cosign", "expert-1"], 4, "SELF_APPROVAL", ("expert-1",)),
    (["one", "two", "--cosign", "duty"], 2, "ONE_TEXT", ("--cosign",)),
    (["text", "--format", "F06", "--category", "LOC"], 2, "FIELD", ("category", "questions")),
    (["text", "--format", "F08", "--since", "1h"], 2, "FIELD", ("since", "kind")),
    (["text", "--ref", "US-2026-009999"], 2, "NO_MESSAGE", ("US-2026-009999",)),
    (["--format", "F15", "text"], 2, "USAGE_VALUE", ("F13",)),
    (["text", "--tlp", "WHITE"], 2, "USAGE_VALUE", ("AMBER+STRICT",)),
    (["text", "--timeout", "soon"], 2, "DURATION", ("soon",)),
]


def test_options_that_do_not_go_together(refuses):
    """Deadlines below the level's, an emergency release that is none, signers, limits: refused with what is meant."""
    for words, exit_code, code, named in APART:
        refuses("us", "send", *words, exit_code=exit_code, code=code, named=named)


# --- reply ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(machine, case):
    """The number of a request of US with two questions."""
    words = ["--set", "questions=ask=Q1", "--set", "questions=ask=Q4"]
    (sent,) = machine.good("us", "send", "--format", "F06", "Seen.", "--case", case, *words)
    machine.until(lambda: sent["number"] in [m["number"] for m in machine.good("cn", "inbox")])
    return sent["number"]


def test_a_request_is_answered_question_by_question(machine, asked):
    """F07: an answer code for each question, words, support, and when the rest comes; it refers to the request."""
    words = ["--answer", "1=YES", "--answer", "2=CHK", "--support", "2", "--next", DAY, "--set", "caveat=PRE"]
    (sent,) = machine.good("cn", "reply", asked, "部分答复", *words)
    assert (sent["format"], sent["answer"]) == ("F07", None)
    assert sent["body"] == {
        "answers": [{"no": 1, "ans": "YES"}, {"no": 2, "ans": "CHK"}], "support": "2", "rest_by": AT, "text": "部分答复",
        "caveat": ["PRE"],
    }  # fmt: skip
    english = both(machine, "us", sent["number"])[0]
    assert f"References: {asked}" in english
    assert "  2. Question: 2 · Answer: CHK verifying" in english


def test_every_answer_code_to_a_request_and_to_a_report(machine, asked, case):
    """The code stands alone in the header: F07 to a request, F02 to a message that asks nothing; no words are needed."""
    sent = {}
    for at, ans in enumerate(("YES", "NO", "NOI", "CHK", "NOT", "CNC", "NEN", "REF")):
        (sent[ans],) = machine.good("cn", "reply", (asked, case)[at % 2], "--ans", ans)
        assert sent[ans]["format"] == ("F07", "F02")[at % 2]
        assert (sent[ans]["answer"], sent[ans]["body"]) == (ans, {})
    (f02,) = machine.good("cn", "reply", case, "--ans", "NEN")
    english, chinese = both(machine, "us", f02["number"])
    assert "Answer: NEN received; not engaging at this time\n" in english
    assert "答复代码：NEN 已收悉，现阶段暂不接洽\n" in chinese
    for lang in ("en", "zh"):
        inbox = machine.command("us", "inbox", lang=lang).stdout
        for ans, message in sent.items():
            word = re.escape(Texts(lang).say(f"code.answer.{ans}"))
            assert re.search(rf"{message['number']}.*\n.*\n    {word}\n", inbox)


def test_a_holding_answer_says_when(machine, asked, case):
    """CHK and NEN with a time print the standard sentences X7 and X5."""
    (later,) = machine.good("cn", "reply", case, "--ans", "CHK", "--next", DAY)
    (never,) = machine.good("cn", "reply", asked, "--ans", "NEN", "--next", DAY)
    assert f"We are verifying. Next message by {DAY} UTC." in both(machine, "us", later["number"])[0]
    assert f"已收悉，现阶段暂不接洽。下次联系时间：{DAY} UTC。" in both(machine, "us", never["number"])[1]


def test_all_else_is_answered_in_words_in_its_case(machine, case):
    """A reply in words to a report is an F04 in its case that refers to it."""
    (sent,) = machine.good("cn", "reply", case, "收到。", "--next", DAY)
    assert (sent["format"], sent["body"]) == ("F04", {"line": "收到。", "next_message": AT})
    assert sent["case"] == machine.good("cn", "case", case)[0]["ph"]


def test_a_request_for_assistance_is_answered_by_f11(machine, case):
    """--accept and a reason answer an F11; the answer refers to it and names the actions."""
    (asked,) = machine.good(
        "us", "send", "--format", "F11", "Please.", "--case", case, "--set", "kind=ASK", "--set", "actions=BLK"
    )
    words = ["--accept", "NAB", "--set", "actions=BLK", "--set", "reason=LAW", "--next", DAY]
    (sent,) = machine.good("cn", "reply", asked["number"], *words)
    assert sent["body"] == {"kind": "ANS", "accept": "NAB", "actions": ["BLK"], "reason": "LAW", "done": AT}
    assert "E Answer: NAB not able to accept" in both(machine, "us", sent["number"])[0]


def test_replies_that_can_not_be_made(refuses, asked, case):
    """An own message, an empty reply, codes that are none, answers to what asks nothing, questions that nobody asked."""
    refuses("us", "reply", asked, "x", exit_code=4, code="OWN_MESSAGE", named=(asked,))
    refuses("cn", "reply", asked, exit_code=2, code="NOTHING_TO_SEND")
    refuses("cn", "reply", case, exit_code=2, code="NOTHING_TO_SEND")
    refuses("cn", "reply", case, "--answer", "1=YES", exit_code=2, code="NO_QUESTION")
    refuses("cn", "reply", case, "x", "--accept", "ACC", exit_code=2, code="NO_QUESTION")
    refuses("cn", "reply", asked, "--ans", "MAYBE", exit_code=2, code="USAGE_VALUE", named=("NEN",))
    for given in ("1", "1=MAYBE", "one=YES", "=YES"):
        refuses("cn", "reply", asked, "--answer", given, exit_code=2, code="QUESTION_ANSWER", named=(given, "NEN"))
    for given in (["3=YES"], ["0=YES"], ["1=YES", "--answer", "1=NO"]):
        refuses("cn", "reply", asked, "--answer", *given, exit_code=2, code="QUESTION_NUMBER", named=(asked,))
    refuses("cn", "reply", asked, "x", "--next", "soon", exit_code=2, code="MOMENT", named=("soon",))
    refuses("cn", "reply", asked, "x", "--set", "line=x", exit_code=2, code="FIELD", named=("line", "support"))
    refuses("cn", "reply", "CN-2026-009999", "x", exit_code=2, code="NO_MESSAGE")


def test_an_assistance_answer_needs_its_actions(machine, refuses, case):
    """An F11 answer without actions, or with an answer code of another format, is refused with what it lacks."""
    (asked,) = machine.good(
        "us", "send", "--format", "F11", "Please.", "--case", case, "--set", "kind=OFR", "--set", "actions=EXP"
    )
    refuses("cn", "reply", asked["number"], "--accept", "ACC", exit_code=4, code="FMT", named=("F11", "actions"))
    refuses("cn", "reply", asked["number"], "--ans", "YES", exit_code=2, code="NO_QUESTION")
