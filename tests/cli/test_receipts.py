"""What people sign about messages that stand: steps of receipt, read-back, translation, correction, second signature."""

from __future__ import annotations

import re

import pytest

AT = "2030-03-17 17:46:40"
LINE = "An evaluation run left its sandbox; it is stopped."


@pytest.fixture(scope="module")
def shared(machine):
    """A message of US that CN has."""
    return from_us(machine, LINE)


def from_us(machine, *words):
    """The number of a message of US that CN has."""
    (sent,) = machine.good("us", "send", *words)
    seen(machine, "cn", sent["number"])
    return sent["number"]


def seen(machine, party, number):
    machine.until(lambda: machine.command(party, "show", number).exit_code == 0)


def inbox(machine, party, number, lang="en"):
    """What a party's inbox says of one message: its three lines, and what hangs on below."""
    text = machine.command(party, "inbox", lang=lang).stdout
    return re.search(rf"^{number}  .*\n(    .*\n)+", text, re.MULTILINE)[0]


def record_of(machine, party, t):
    """The newest record of a type in a party's own log."""
    return [r for r, kind in machine.said(party) if kind == t and r.startswith(party.upper())][-1]


# --- steps of receipt ---------------------------------------------------------------------------------------------------

STEPS = [
    ("read", "received and read", "已收阅", "Receipt: read received and read by duty officer"),
    ("engaged", "expert has begun assessment", "专家已着手研判", "Receipt: engaged expert has begun assessment"),
    ("informed", "reported to principal", "已报主管负责人", "Receipt: informed reported to principal"),
    ("not-engaging", "not engaging at this time", "现阶段暂不接洽", "Answer: NEN received; not engaging at this time"),
    ("no-comment", "not in a position to comment", "不便置评", "Answer: CNC not in a position to comment"),
]


@pytest.mark.parametrize(("step", "en", "zh", "shown"), STEPS)
def test_each_step_of_receipt(machine, step, en, zh, shown):
    """A person's act, told to both sides in their language, shown as F02 by its record; twice writes nothing new."""
    number = from_us(machine, "Please read.")
    words = ["--next", AT] if step == "not-engaging" else []
    assert zh in machine.command("cn", "--as", "duty", "ack", number, "--step", step, *words, lang="zh").stdout
    machine.until(lambda: machine.good("us", "show", number)[0]["acks"] == [step])
    assert en in inbox(machine, "us", number)
    record = record_of(machine, "cn", "ack")
    page = machine.command("us", "show", record).stdout
    assert page.startswith("EXERCISE / 演练 · system / 系统\nF02 Receipt and Read-back")
    assert f"{shown}\n" in page
    assert f"References: {number}\n" in page
    assert "CN Duty Officer" in page
    assert ("Received and read (no agreement implied).\n" in page) == (step == "read")
    assert (f"Received; not engaging at this time. Next contact: {AT} UTC.\n" in page) == (step == "not-engaging")
    again = machine.command("cn", "--as", "duty", "ack", number, "--step", step)
    assert "nothing new was written" in again.stdout
    assert record_of(machine, "cn", "ack") == record


def test_steps_of_several_persons_stand_beside_each_other(machine):
    """Each step is shown once, in the order in which people signed."""
    number = from_us(machine, "Please assess.")
    for seat, step in (("duty", "read"), ("expert-1", "read"), ("expert-1", "engaged"), ("official", "informed")):
        machine.good("cn", "--as", seat, "ack", number, "--step", step)
    assert machine.good("cn", "show", number)[0]["acks"] == ["read", "engaged", "informed"]


def test_receipts_that_can_not_be_signed(machine, shared, refuses):
    """An own message, a seat that may not, a message that opens, a time with another step, what is no message."""
    refuses("us", "ack", shared, exit_code=4, code="OWN_MESSAGE", named=(shared,))
    refuses("cn", "--as", "operator", "ack", shared, exit_code=4, code="NOT_ADDRESSED")
    refuses("cn", "--as", "records", "ack", shared, exit_code=4, code="SIGNER")
    refuses("cn", "ack", shared, "--step", "undecryptable", exit_code=2, code="OPENS", named=(shared,))
    refuses("cn", "ack", shared, "--next", AT, exit_code=2, code="NEXT_ALONE", named=("--next",))
    refuses(
        "cn", "ack", shared, "--step", "not-engaging", "--next", "soon", exit_code=2, code="MOMENT", named=("soon",)
    )
    refuses("cn", "ack", shared, "--step", "agreed", exit_code=2, code="USAGE_VALUE", named=("--step", "informed"))
    refuses("cn", "ack", "US-2026-009999", exit_code=2, code="NO_MESSAGE")


# --- read-back ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("match", "word"), [("OK", "一致"), ("DIF", "理解有出入")])
def test_a_read_back_and_its_answer(machine, match, word):
    """CN says in own words what it read; US answers that it matches, or what differs; each refers to what came before."""
    number = from_us(machine, LINE)
    (back,) = machine.good("cn", "readback", number, "一次评估运行越出沙箱，\\n已停止。", "--set", "caveat=WP")
    assert (back["format"], back["body"]["readback"]) == ("F02", "一次评估运行越出沙箱，\\n已停止。")
    seen(machine, "us", back["number"])
    words = ["--match", match, *(["It was stopped by us."] if match == "DIF" else [])]
    (answer,) = machine.good("us", "readback", back["number"], *words)
    assert answer["body"] == {"match": match} | ({"differs": "It was stopped by us."} if match == "DIF" else {})
    seen(machine, "cn", answer["number"])
    shown = machine.command("cn", "show", answer["number"], lang="zh").stdout
    assert f"D 复述核对：{match} {word}" in shown
    assert f"关联电文编号：{back['number']}" in shown
    assert f"References: {number}" in machine.command("us", "show", back["number"]).stdout


def test_read_backs_that_can_not_be_made(machine, shared, refuses):
    """An own message, nothing said, an answer to what is no read-back, a field that a read-back does not have."""
    refuses("us", "readback", shared, "x", exit_code=4, code="OWN_MESSAGE", named=(shared,))
    refuses("cn", "readback", shared, exit_code=2, code="NOTHING_TO_SEND")
    refuses("cn", "readback", shared, "--match", "OK", exit_code=4, code="NO_READBACK", named=(shared,))
    refuses("cn", "readback", shared, "--set", "step=read", exit_code=2, code="FIELD", named=("step", "readback"))
    refuses("cn", "readback", shared, "x" * 1501, exit_code=4, code="FMT", named=("readback", "F02"))
    refuses("cn", "readback", shared, "--translation", "line", exit_code=2, code="FIELD", named=("line",))
    refuses("cn", "readback", shared, "--translation", "category=x", "--by", "X", exit_code=2, code="USAGE_VALUE")
    refuses("cn", "readback", shared, "--translation", "colour=x", exit_code=2, code="FIELD", named=("colour", "line"))


# --- translation ------------------------------------------------------------------------------------------------------------


def test_a_translation_stands_beside_the_text_and_never_in_its_place(machine):
    """Marked with language, translator and who signed it; the original stays whole above it, and alone is authentic."""
    number = from_us(machine, LINE)
    before = machine.command("cn", "show", number, lang="zh").stdout
    said = "一次评估运行越出沙箱；已停止。"
    (added,) = machine.good("cn", "readback", number, "--translation", f"line={said}", "--by", "B")
    after = machine.command("cn", "show", number, lang="zh").stdout
    stored = re.compile(r"^(接收时间|收阅时限|答复时限).*\n", re.MULTILINE)  # when the other side's next record came
    assert stored.sub("", after).startswith(stored.sub("", before))
    added_lines = stored.sub("", after)[len(stored.sub("", before)) :].splitlines()
    assert added_lines == [
        "译文（中文，仅供参考），签署人：中方专家一，专家一（指定专家）",
        f"  一句话说明 | {said}",
        "B 机器翻译、人工校对",
        "译文仅供参考，以英文文本为准。",
    ]
    seen(machine, "us", added["number"])
    english = machine.command("us", "show", number).stdout
    assert "Translation into Chinese, for reference only, signed by CN Expert 1, Expert 1" in english
    assert f"  In one line | {said}\n" in english
    assert "Translation for reference only; the English text is authentic.\n" in english
    assert machine.good("us", "show", number)[0]["body"]["line"] == LINE


def test_an_own_message_is_translated_into_the_other_language(machine):
    """Its own side may add one too; without --lang-of-text it is into the language that the message is not in."""
    number = from_us(machine, LINE)
    machine.good("us", "readback", number, "--translation", "line=译文。")
    shown = machine.command("us", "show", number).stdout
    assert "Translation into Chinese, for reference only, signed by US Expert 1" in shown
    assert "H a person\n" in shown


def test_a_translation_shows_nothing_that_only_a_terminal_reads(machine, tmp_path):
    """Control characters in a translated text, or in the name of its field, are shown and never obeyed."""
    number = from_us(machine, LINE)
    body = tmp_path / "body.json"
    body.write_text('{"translation": [{"of": "line\\u202e", "text": "a\\u202eb"}]}')
    machine.good("cn", "readback", number, "--body", body)
    shown = machine.command("cn", "show", number).stdout
    assert "  lineU+202E | aU+202Eb\n" in shown
    assert "\u202e" not in shown


# --- correction ---------------------------------------------------------------------------------------------------------------


CODES = [("COR", "correction", "更正"), ("WDR", "withdrawal", "撤回")]


@pytest.mark.parametrize(("code", "en", "zh"), CODES)
def test_a_message_is_corrected_beside_itself(machine, code, en, zh):
    """The corrected text stays as it was, in inbox and show, and says where its correction is; the other side sees both."""
    number = from_us(machine, LINE)
    words = ["It is stopped since noon.", "--set", "actions=VFY"]
    (sent,) = machine.good("us", "correct", number, "--code", code, *words)
    assert (sent["format"], sent["correction"]) == ("F14", code)
    seen(machine, "cn", sent["number"])
    assert machine.command("us", "show", number).stdout.endswith(
        f"END of message: {number}\nSee {sent['number']}: {en}.\n"
    )
    chinese = machine.command("cn", "show", number, lang="zh").stdout
    assert LINE in chinese
    assert chinese.endswith(f"见{sent['number']}：{zh}。\n")
    listed = inbox(machine, "cn", number)
    assert LINE in listed
    assert f"    See {sent['number']}: {en}.\n" in listed
    assert machine.good("cn", "show", number)[0]["corrections"] == [sent["number"]]
    own = machine.command("cn", "show", sent["number"]).stdout
    assert f"References: {number}\n" in own
    assert "  | It is stopped since noon.\n" in own
    assert "D What we ask: VFY verify again" in own


def test_an_acknowledgement_is_corrected_beside_itself(machine):
    """Its record says so, and wherever its step is told it is told with the correction; the case has it too."""
    number = from_us(machine, LINE)
    machine.good("cn", "--as", "duty", "ack", number, "--step", "informed")
    record = record_of(machine, "cn", "ack")
    (sent,) = machine.good("cn", "--as", "duty", "correct", record, "尚未上报。", "--code", "ERR", "--tlp", "RED")
    assert sent["case"] == machine.good("cn", "show", number)[0]["ph"]
    seen(machine, "us", sent["number"])
    page = machine.command("us", "show", record).stdout
    assert "Receipt: informed reported to principal\n" in page
    assert page.endswith(f"See {sent['number']}: sent in error.\n")
    assert machine.command("cn", "show", record, lang="zh").stdout.endswith(f"见{sent['number']}：误发。\n")
    assert machine.good("us", "show", record)[0]["corrections"] == [sent["number"]]
    assert f"reported to principal (see {sent['number']}: sent in error)" in inbox(machine, "us", number)
    assert f"已报主管负责人（见{sent['number']}：误发）" in inbox(machine, "cn", number, "zh")
    own = machine.command("us", "show", sent["number"]).stdout
    assert f"References: {record}\n" in own
    assert "Sharing limit (TLP): RED" in own
    machine.good("cn", "--as", "expert-1", "ack", number, "--step", "informed")
    machine.until(lambda: "; reported to principal\n" in inbox(machine, "us", number))


def test_a_concurrence_is_corrected_beside_itself_and_moves_no_level(machine):
    """The correction of a concurrence is words: the level stays where both logs have it, and the concurrence readable."""
    number = from_us(machine, LINE)
    machine.good("us", "lower", number)
    machine.until(lambda: len(machine.good("cn", "case", number)[0]["history"]) == 2)
    (agreed,) = machine.good("cn", "concur", number)
    (sent,) = machine.good("cn", "correct", agreed["number"], "误发。", "--code", "ERR")
    seen(machine, "us", sent["number"])
    shown = machine.command("us", "show", agreed["number"]).stdout
    assert "Level change: concur" in shown
    assert shown.endswith(f"See {sent['number']}: sent in error.\n")
    assert [machine.good(p, "case", number)[0]["level"] for p in ("us", "cn")] == ["routine", "routine"]


def test_a_confirmation_is_corrected_by_its_record(machine):
    """The record of a second signature can be named too, and says that it has a correction."""
    (coded,) = machine.good("us", "send", "--format", "F13", "MAPLE 00", "--single")
    machine.good("us", "confirm", coded["number"])
    record = record_of(machine, "us", "confirm")
    (sent,) = machine.good("us", "correct", record, "Confirmed in error.", "--code", "WDR")
    assert machine.command("us", "show", record).stdout.endswith(f"See {sent['number']}: withdrawal.\n")


def test_a_correction_that_several_sign(machine):
    """With --cosign a correction waits as a draft like any other message."""
    number = from_us(machine, LINE)
    (draft,) = machine.good("us", "correct", number, "Signed by two.", "--cosign", "duty")
    assert draft["format"] == "F14"
    (sent,) = machine.good("us", "--as", "duty", "approve", draft["draft"], "--yes")
    assert machine.good("us", "show", number)[0]["corrections"] == [sent["number"]]


def test_notices_concern_either_side_and_corrections_the_own(machine, shared, refuses):
    """A mix-up or an exposed key can be told about any message; words are corrected and withdrawn by who said them."""
    for code in ("MIX", "CMP", "DUR"):
        (sent,) = machine.good("cn", "correct", shared, "请核实。", "--code", code)
        assert sent["correction"] == code
    machine.good("cn", "ack", shared)
    record = record_of(machine, "cn", "ack")
    for code in ("COR", "WDR", "DUP", "ERR"):
        refuses("cn", "correct", shared, "x", "--code", code, exit_code=4, code="OTHERS_WORDS", named=(shared, "MIX"))
    machine.until(lambda: machine.command("us", "show", record).exit_code == 0)
    refuses("us", "correct", record, "x", exit_code=4, code="OTHERS_WORDS", named=(record,))


def test_what_can_not_be_corrected(refuses, machine):
    """Records of other kinds, places that are empty, codes that are none, seats that may not."""
    number = from_us(machine, LINE)
    refuses("us", "correct", "US:2", "x", exit_code=4, code="NOT_CORRECTABLE", named=("US:2",))
    refuses("us", "correct", "US:4", "x", exit_code=4, code="NOT_CORRECTABLE", named=("US:4",))
    refuses("us", "correct", "US:99999", "x", exit_code=2, code="NO_MESSAGE", named=("US:99999",))
    refuses("us", "correct", "XX:1", "x", exit_code=2, code="NO_MESSAGE")
    refuses("us", "correct", number, "x", "--code", "NIL", exit_code=2, code="USAGE_VALUE", named=("--code", "COR"))
    refuses("us", "--as", "operator", "correct", number, "x", exit_code=4, code="SIGS")


# --- emergency release ----------------------------------------------------------------------------------------------------------


def test_an_emergency_release_awaits_its_second_signature(machine):
    """One person releases a coded message; both sides see that it awaits a second one, until another person confirms."""
    (sent,) = machine.good("us", "send", "--format", "F13", "COPPER 02", "--single")
    number = sent["number"]
    assert (sent["confirm"], sent["level"]) == ("awaiting", "attention")
    seen(machine, "cn", number)
    for party, lang, words in (("us", "en", "AWAITING SECOND SIGNATURE"), ("cn", "zh", "待第二人签署")):
        assert words in inbox(machine, party, number, lang)
        assert f"{words}\n" in machine.command(party, "show", number, lang=lang).stdout
    assert "Emergency single-signature release" in machine.command("cn", "show", number).stdout
    (confirmed,) = machine.good("us", "confirm", number)
    assert confirmed["confirm"] == "in time"
    machine.until(lambda: machine.good("cn", "show", number)[0]["confirm"] == "in time")
    for party in ("us", "cn"):
        assert "confirmed in time" in inbox(machine, party, number)
        assert "待第二人签署" not in machine.command(party, "show", number, lang="zh").stdout


@pytest.mark.parametrize("seat", ["duty", "official"])
def test_another_person_of_the_same_side_confirms(machine, seat):
    """Beside an expert a duty officer or an official may sign second."""
    (sent,) = machine.good("us", "send", "--format", "F13", "MAPLE 00", "--single")
    assert machine.good("us", "--as", seat, "confirm", sent["number"])[0]["confirm"] == "in time"


def test_who_can_not_confirm(machine, refuses, shared):
    """The same person, the other side, a second time, a message that awaits nothing, a seat that may not."""
    (sent,) = machine.good("us", "send", "--format", "F13", "MAPLE 00", "--single")
    (done,) = machine.good("us", "send", "--format", "F13", "MAPLE 00", "--single")
    machine.good("us", "confirm", done["number"])
    seen(machine, "cn", sent["number"])
    line = ["confirm", sent["number"]]
    refuses("us", "--as", "expert-1", *line, exit_code=4, code="SELF_APPROVAL", named=("expert-1",))
    refuses("us", "--as", "records", *line, exit_code=4, code="SIGNER")
    refuses("cn", *line, exit_code=4, code="NOTHING_TO_CONFIRM", named=(sent["number"],))
    refuses("us", "confirm", shared, exit_code=4, code="NOTHING_TO_CONFIRM", named=(shared,))
    for seat in ("expert-2", "duty"):
        refuses("us", "--as", seat, "confirm", done["number"], exit_code=4, code="CONFIRMED", named=(done["number"],))
