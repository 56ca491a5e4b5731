"""The commands of an expert against running nodes: what they answer, in both languages and as JSON, and how they end."""

from __future__ import annotations

import re
import shutil
import signal
import stat

import pytest
from rich.cells import cell_len

from channel.protocol.archive import read
from keys.words import words
from tests.cli.running import objects

LINE = "An evaluation run left its sandbox; it is stopped."
CHINESE = re.compile("[\u4e00-\u9fff]")
STEPS = {
    "read": ("received and read", "已收阅"),
    "engaged": ("expert has begun assessment", "专家已着手研判"),
    "informed": ("reported to principal", None),
    "not-engaging": ("not engaging at this time", None),
    "no-comment": ("not in a position to comment", None),
}


@pytest.fixture(scope="module", autouse=True)
def first(machine):
    """A message of US at CN, before everything else."""
    (sent,) = machine.good("us", "send", LINE)
    machine.until(lambda: machine.good("cn", "inbox"))
    return sent


# --- send -------------------------------------------------------------------------------------------------------------


def test_a_text_opens_a_case_with_f03(first):
    """send TEXT is an F03 at attention: seven fields, those not given by their defaults, the text as the line."""
    assert re.fullmatch(r"US-\d{4}-000001", first["number"])
    assert (first["format"], first["level"], first["case"]) == ("F03", "attention", None)
    assert first["state"] in ("delivered", "anchored")
    body = first["body"]
    since = body.pop("since")
    assert body == {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "control": "K9", "line": LINE}
    assert first["ts"] - 60_000 < since <= first["ts"]


def test_the_seven_fields_by_flags(machine):
    """Each field of the first report has a flag; a time can be given as a date in UTC."""
    (sent,) = machine.good(
        "us", "send", "text", "--category", "CYB", "--origin", "THP", "--intent", "ACD", "--intent", "UNA",
        "--since", "2026-01-02 03:04", "--control", "K1", "--level", "routine", "--lang-of-text", "en",
    )  # fmt: skip
    assert sent["level"] == "routine"
    assert sent["body"] == {
        "category": "CYB", "origin": "THP", "intent": ["ACD", "UNA"], "since": 1_767_323_040_000, "control": "K1",
        "line": "text",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("flag", "listed"),
    [
        ("--category", ("CYB", "UNX")),
        ("--origin", ("OWN", "UNK")),
        ("--intent", ("NHI", "UNK")),
        ("--control", ("K0", "K9")),
        ("--level", ("routine", "principals")),
    ],
)
def test_a_wrong_code_is_answered_with_the_codes(machine, flag, listed):
    """A code that is not on its list ends with 2 and the list, in both languages, and nothing is written."""
    before = machine.said("us")
    for lang in ("en", "zh"):
        result = machine.command("us", "send", "text", flag, "ZZ9", lang=lang)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "(CODE)" in result.stderr
        assert all(f"{code} " in result.stderr for code in listed)
        assert bool(CHINESE.search(result.stderr)) == (lang == "zh")
    assert machine.said("us") == before


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        ([""], 4, "FMT"),
        (["  "], 2, "NOTHING_TO_SEE"),
        (["x" * 501], 4, "FMT"),
        (["two\nlines"], 4, "FMT"),
        (["a\x1b[31mb"], 2, "CONTROL_CHARACTERS"),
        (["\u200b\u2060 \ufeff"], 2, "NOTHING_TO_SEE"),
        (["text", "--level", "serious"], 4, "SIGNERS_NEEDED"),
        (["text", "--case", "US-2026-009999"], 2, "NO_MESSAGE"),
        (["text", "--since", "tomorrow"], 2, "MOMENT"),
        (["text", "--as", "operator"], 4, "SIGS"),
        (["text", "--as", "records"], 4, "SIGNER"),
        (["-"], 2, "NOTHING_TO_SEND"),
    ],
    ids=lambda value: str(value)[:24] if isinstance(value, list) else None,
)
def test_what_can_not_be_sent(machine, words, exit_code, code):
    """Empty, too long, several lines, control characters, wrong seats: one error each, nothing written or kept."""
    before = machine.said("us")
    for lang in ("en", "zh"):
        result = machine.command("us", "send", *words, lang=lang, text="")
        assert (result.exit_code, result.stdout) == (exit_code, "")
        assert f"({code})" in result.stderr
        assert result.stderr.count("\n") == 2
        assert bool(CHINESE.search(result.stderr)) == (lang == "zh")
    assert machine.said("us") == before


def test_further_lines_are_f04_in_the_same_case(machine, first):
    """Several texts are one case, F03 then F04; --case continues any case from either side, also by an F04 of it."""
    sent = machine.good("us", "send", "first", "second", "third")
    assert [m["format"] for m in sent] == ["F03", "F04", "F04"]
    assert {m["case"] for m in sent[1:]} == {sent[0]["ph"]}
    machine.until(lambda: machine.good("cn", "inbox")[-1]["number"] == sent[-1]["number"])
    (answer,) = machine.good("cn", "send", "收到，正在核实。", "--case", sent[-1]["number"])
    assert (answer["format"], answer["case"]) == ("F04", sent[0]["ph"])
    (more,) = machine.good("us", "send", "more", "--case", first["ph"][:12])
    assert more["case"] == first["ph"]


def test_standard_input_is_read_line_by_line(machine):
    """send - sends each line that says something; Chinese and bidi characters arrive as they were written."""
    lines = ["核实中：本方网络未见异常。", "with \u202ebidi\u202c and a\u200bspace"]
    sent = machine.good("us", "send", "-", text=f"{lines[0]}\n\n  \n{lines[1]}\r\n")
    assert [m["body"]["line"] for m in sent] == lines
    assert [m["format"] for m in sent] == ["F03", "F04"]
    shown = machine.command("us", "show", sent[1]["number"]).stdout
    assert "with U+202EbidiU+202C and aU+200Bspace" in shown


@pytest.mark.parametrize("state", ["logged", "delivered", "anchored"])
def test_send_waits_as_far_as_it_is_told(machine, state):
    """--wait logged, delivered and anchored return once the message has come so far."""
    order = ["logged", "delivered", "anchored"]
    (sent,) = machine.good("us", "send", "text", "--wait", state, "--timeout", "20s")
    assert order.index(sent["state"]) >= order.index(state)


def test_send_waits_until_a_person_has_read_it(machine):
    """--wait read returns when the other side has signed the step; until then it is 7 after the time given."""
    result = machine.command("us", "send", "read me", "--wait", "read", "--timeout", "300ms")
    assert (result.exit_code, result.stdout) == (7, "")
    assert "accepted on the own side" in result.stderr
    waiting = machine.spawn(
        "--home", machine.desk("us"), "send", "and me", "--wait", "read", "--timeout", "30s", "--json"
    )
    machine.until(lambda: machine.good("cn", "inbox")[-1]["body"]["line"] == "and me")
    machine.good("cn", "ack", "last")
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, err) == (0, "")
    assert objects(out)[0]["acks"] == ["read"]


@pytest.mark.parametrize(("lang", "word"), [("en", "is kept"), ("zh", "已保存")])
def test_a_wait_that_is_interrupted(machine, lang, word):
    """Ctrl-C while send waits ends it with 130 and says that nothing is lost; the message is in the log."""
    waiting = machine.spawn(
        "--home", machine.desk("us"), "--lang", lang, "send", f"wait {lang}", "--wait", "read", "--timeout", "60s"
    )
    machine.until(lambda: machine.good("cn", "inbox")[-1]["body"]["line"] == f"wait {lang}")
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=20)
    assert (waiting.returncode, out) == (130, "")
    assert "(STOPPED)" in err
    assert word in err
    assert machine.good("us", "inbox")[-1]["body"]["line"] == f"wait {lang}"


# --- inbox, show ------------------------------------------------------------------------------------------------------


def test_the_inbox_shows_who_speaks_and_how_far_it_came(machine, first):
    """Number, person, seat and standing in the reader's language, state, and the text where this seat may read it."""
    english, chinese = (machine.command("cn", "inbox", lang=lang).stdout for lang in ("en", "zh"))
    assert f"{first['number']}  F03" in english
    assert "US Expert 1, Expert 1 (as designated expert)" in english
    assert "美方专家一，专家一（指定专家）" in chinese
    assert LINE in english
    assert LINE in chinese
    assert LINE not in machine.command("cn", "inbox", "--as", "operator").stdout
    sealed, opened = (
        next(line for line in machine.good("cn", "inbox", *seat) if line["number"] == first["number"])
        for seat in (("--as", "operator"), ())
    )
    assert (sealed["body"], sealed["unopened"]) == (None, "NOT_ADDRESSED")
    assert opened["body"]["line"] == LINE


def test_a_message_is_found_by_each_kind_of_reference(machine, first):
    """By number, record, beginning of its id, in either case; last is the newest."""
    refs = [first["number"], first["number"].lower(), first["record"], first["ph"][:4], first["ph"].upper()]
    assert {machine.good("cn", "show", ref)[0]["ph"] for ref in refs} == {first["ph"]}
    assert machine.good("us", "show", "last")[0]["ph"] == machine.good("us", "inbox")[-1]["ph"]


@pytest.mark.parametrize("ref", ["US-2026-999999", "US:99999", "XX:1", "ffff" * 16, "abc", "", ":", "last:"])
def test_a_message_that_is_not_there(machine, first, ref):
    """A reference to nothing, or too short ends with 2, in both languages."""
    for lang, word in (("en", "There is no one message"), ("zh", "没有")):
        result = machine.command("us", "show", ref, lang=lang)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "(NO_MESSAGE)" in result.stderr
        assert word in result.stderr


def test_show_is_the_whole_message_in_either_language(machine, first):
    """Header with names, recipients, deadlines and receipt time; fields by their codes' words; the number at the end."""

    def shown(lang):
        return machine.command("cn", "show", first["number"], lang=lang).stdout

    machine.until(lambda: re.search("^Receipt time", shown("en"), re.MULTILINE))  # its node writes it within seconds
    english, chinese = shown("en"), shown("zh")
    for line in (
        "EXERCISE / 演练",
        "From: US · US Expert 1 · Expert 1 · designated expert · as designated expert",
        "Read by: within 3 h of receipt",
        "Reply by: within 72 h of receipt",
        "A Category: UNX unexplained",
        f"END of message: {first['number']}",
    ):
        assert line in english.splitlines()
    assert re.search("^To: .*CN Duty Officer.*US Records Officer", english, re.MULTILINE)
    assert "发文方：US · 美方专家一 · 专家一 · 指定专家 · 指定专家" in chinese.splitlines()
    assert "收阅时限：接收后3小时内" in chinese.splitlines()
    assert re.search("^主送方：.*CN 值班员", chinese, re.MULTILINE)
    assert f"G 一句话说明 [英文文本，作准]：{LINE}" in chinese.splitlines()


def test_show_of_a_further_report_names_its_case(machine):
    """An F04 says which case it is in and which message it follows, by number."""
    opening, follow = machine.good("us", "send", "opening", "following")
    shown = machine.command("us", "show", follow["number"]).stdout.splitlines()
    assert f"Case: {opening['number']}" in shown
    assert f"References: {opening['number']}" in shown


def test_show_to_a_seat_that_it_is_not_sealed_to(machine, first):
    """The operator is told that the message is not sealed to that seat; nothing of it is shown."""
    result = machine.command("cn", "show", first["number"], "--as", "operator")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "(NOT_ADDRESSED)" in result.stderr


# --- ack --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_receipt_is_signed_once(machine, first, step):
    """Each step is said in both languages; the same step again by the same person writes nothing new."""
    english, chinese = STEPS[step]
    said = machine.command("cn", "ack", first["number"], "--step", step)
    assert (said.exit_code, said.stdout) == (0, f"{first['number']}: {english}\n")
    before = machine.said("cn")
    again = machine.command("cn", "ack", first["number"], "--step", step, lang="zh")
    assert again.exit_code == 0
    assert (chinese or "此前已签署") in again.stdout
    assert machine.said("cn") == before
    assert step in machine.good("cn", "ack", first["number"], "--step", step)[0]["acks"]


def test_the_next_contact_goes_with_not_engaging(machine):
    """--next gives the time with not-engaging, again if it changes; with another step it is a wrong use."""
    (sent,) = machine.good("us", "send", "when")
    machine.until(lambda: machine.good("cn", "inbox")[-1]["number"] == sent["number"])
    for _ in range(2):
        machine.good("cn", "ack", sent["number"], "--step", "not-engaging", "--next", "2030-01-01 00:00")
    assert machine.command("cn", "ack", sent["number"], "--next", "2030-01-01").exit_code == 2


def test_own_messages_and_whole_ones_are_not_acknowledged_so(machine, first):
    """An own message can't be acknowledged, and one that opens can't be said not to open."""
    before = machine.said("us")
    for lang in ("en", "zh"):
        own = machine.command("us", "ack", first["number"], lang=lang)
        assert (own.exit_code, own.stdout) == (4, "")
        assert "(OWN_MESSAGE)" in own.stderr
        opens = machine.command("cn", "ack", first["number"], "--step", "undecryptable", lang=lang)
        assert opens.exit_code == 2
        assert "(OPENS)" in opens.stderr
    assert machine.said("us") == before


# --- at a terminal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lang", "prompt"), [("en", "Passphrase for the seat"), ("zh", "的口令")])
def test_a_passphrase_is_asked_for_at_a_terminal(machine, first, tmp_path, lang, prompt):
    """Without a passphrase file a person is asked, in the own language; what is typed is not shown."""
    home = tmp_path / "desk"
    shutil.copytree(machine.desk("us"), home, ignore=shutil.ignore_patterns("desk.sqlite*", "lock", "passphrase"))
    (home / "desk.toml").write_text(f'party = "US"\nnode_home = "{machine.node("us")}"\n')
    secret = (machine.desk("us") / "passphrase").read_text().strip()
    code, shown = machine.at_terminal(
        "--home", home, "--lang", lang, "show", first["number"], typed=secret, after=prompt
    )
    assert code == 0
    assert first["number"] in shown
    assert secret not in shown
    code, shown = machine.at_terminal("--home", home, "--lang", lang, "inbox", typed="wrong", after=prompt)
    assert code == 4
    assert "(PASSPHRASE)" in shown


def test_long_lines_are_broken_at_a_terminal(machine, first):
    """At 60 columns no line of inbox and log is wider, in Chinese too."""
    (sent,) = machine.good("us", "send", "中文电文很长，" * 20)
    for command in ("inbox", "log"):
        line = ["--home", machine.desk("us"), "--lang", "zh", command]
        code, shown = machine.at_terminal(*line, typed="", after="no such thing", columns=60)
        assert code == 0
        assert sent["number"] in shown
        lines = [text for text in shown.splitlines() if text]
        assert max(map(cell_len, lines)) <= (60 if command == "inbox" else 80)


# --- log --------------------------------------------------------------------------------------------------------------


def test_the_log_shows_every_record_with_its_verdict(machine, first):
    """Both openings, messages with their numbers, receipts; kinds, seats and states in the reader's language."""
    records = machine.good("us", "log")
    assert {f"{p}:{i}" for p in ("US", "CN") for i in range(5)} <= {r["record"] for r in records}
    assert {r["reason"] for r in records} == {""}
    english, chinese = (machine.command("us", "log", lang=lang).stdout for lang in ("en", "zh"))
    assert re.search(rf"^{first['record']} .*message +Expert 1 +{first['number']} +\w+", english, re.MULTILINE)
    assert re.search(rf"^{first['record']} .*电文 +专家一 +{first['number']} +已", chinese, re.MULTILINE)
    assert english.splitlines()[0].split() == ["Record", "Time", "(UTC)", "Kind", "Seat", "Message", "number", "State"]


def test_the_columns_of_a_table_stand_under_each_other(machine, first):
    """In Chinese too, where a character takes two cells: every cell of a column begins at the same place."""
    lines = machine.command("us", "log", lang="zh").stdout.splitlines()
    wide = [
        sum(2 if CHINESE.match(c) or c in "（）、，…" else 1 for c in line.partition("电文编号")[0])
        for line in lines[:1]
    ]
    for line in lines[1:]:
        if first["number"] in line and "电文" in line:
            before = line.partition(first["number"])[0]
            assert sum(2 if CHINESE.match(c) else 1 for c in before) == wide[0]


def test_the_log_since_a_time(machine, first):
    """--since leaves out what is older, by a length of time, a date, or ms."""
    whole = machine.good("us", "log")
    at = sorted(r["ts"] for r in whole)[len(whole) // 2]
    since = machine.good("us", "log", "--since", at)
    assert {r["record"] for r in since} >= {r["record"] for r in whole if r["ts"] >= at}
    assert not [r for r in since if r["ts"] < at]
    assert len(machine.good("us", "log", "--since", "1h")) >= len(whole)
    assert machine.good("us", "log", "--since", "2100-01-01") == []
    assert machine.command("us", "log", "--since", "2100-01-01").stdout.count("\n") == 1
    assert machine.command("us", "log", "--since", "yesterday").exit_code == 2


def followed(machine, *form):
    """A running log -f at CN that has shown what came while it ran."""
    following = machine.spawn("--home", machine.desk("cn"), "log", "-f", *form)
    assert following.stdout.readline()
    (sent,) = machine.good("us", "send", "followed")
    for line in following.stdout:
        if sent["number"] in line:
            return following
    raise AssertionError(following.stderr.read())


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_the_log_is_followed_until_an_interrupt(machine, form):
    """log -f shows what comes as it comes; Ctrl-C ends it with 0 and not a word on stderr."""
    following = followed(machine, *form)
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=20)
    assert (following.returncode, err) == (0, "")


# --- export, verify ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_export_verifies(machine, first, lang, tmp_path):
    """export writes a file that verifies: 6 with the words, 0 where the home or the caller knows the channel."""
    file = tmp_path / "incident.dcx"
    said = machine.command("us", "export", "--out", file, lang=lang)
    assert (said.exit_code, said.stderr) == (0, "")
    assert str(file) in said.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    chan = read(file.read_bytes()).sections[0].fields[0]["chan"]
    known = machine.command("us", "verify", file, lang=lang)
    assert known.exit_code == 0
    assert first["number"] in known.stdout
    assert " ".join(words(chan).zh) in known.stdout
    assert machine.good("us", "verify", file, "--channel", chan.hex())[0]["complete_to"].keys() == {"CN", "US"}
    over = machine.command("us", "export", "--out", file, lang=lang)
    assert (over.exit_code, over.stdout) == (4, "")
    assert "(EXISTS)" in over.stderr
    (item,) = machine.good("us", "export", "--out", tmp_path / "again.dcx")
    assert item == {"path": str(tmp_path / "again.dcx"), "size": (tmp_path / "again.dcx").stat().st_size}


def test_an_export_where_nothing_can_be_written(machine, tmp_path):
    """A folder that is not there: one error, no traceback."""
    result = machine.command("us", "export", "--out", tmp_path / "none" / "x.dcx")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "(FILE)" in result.stderr


# --- a peer that is down, a node that ends -----------------------------------------------------------------------------


def test_accepted_but_not_delivered_in_the_time_given_and_delivered_later(machine):
    """With the peer down send ends with 7 and says what is true; the message is delivered once the peer is back."""
    machine.end("cn")
    try:
        english = machine.command("us", "send", "later", "--timeout", "1s")
        chinese = machine.command("us", "send", "更晚", "--timeout", "1s", lang="zh")
        assert {(r.exit_code, r.stdout) for r in (english, chinese)} == {(7, "")}
        assert "is accepted on the own side" in english.stderr
        assert "(NOT_YET)" in chinese.stderr
        assert "已送达" in chinese.stderr
        assert machine.command("us", "send", "logged", "--wait", "logged").exit_code == 0
        states = [m["state"] for m in machine.good("us", "inbox")[-3:]]
        assert states == ["logged"] * 3
    finally:
        machine.start("cn")
    machine.until(lambda: "logged" not in [m["state"] for m in machine.good("us", "inbox")[-3:]])
    lines = [m["body"]["line"] for m in machine.good("cn", "inbox")[-3:]]
    assert lines == ["later", "更晚", "logged"]


def test_a_node_that_ends_under_a_follower(machine):
    """log -f ends with 4 and one error when its node is gone, and the next command says what to do."""
    following = followed(machine, "--json")
    machine.end("cn", how=signal.SIGKILL)
    try:
        _, err = following.communicate(timeout=30)
        assert following.returncode == 4
        assert [each["code"] for each in objects(err)] == ["NODE_UNREACHABLE"]
        for lang in ("en", "zh"):
            result = machine.command("cn", "inbox", lang=lang)
            assert (result.exit_code, result.stdout) == (4, "")
            assert "(NODE_UNREACHABLE)" in result.stderr
    finally:
        machine.start("cn")
    assert machine.good("cn", "inbox")


def test_the_state_of_a_node(machine):
    """node status says party, state and version, as text in both languages and as one object."""
    line = ["node", "status", "--home", machine.node("us")]
    machine.until(lambda: machine.good("us", *line)[0]["state"] == "ACTIVE")
    (item,) = machine.good("us", *line)
    assert (item["party"], item["pid"]) == ("US", machine.running["us"].pid)
    assert re.fullmatch(r"US: in operation \(version .*\)\n", machine.command("us", *line).stdout)
    assert CHINESE.search(machine.command("us", *line, lang="zh").stdout)


def test_the_entry_point_ends_as_the_commands_do(machine):
    """The program itself, as a process: 0 with an answer on stdout, 4 with a problem on stderr alone."""
    good = machine.spawn("inbox", "--json", CHANNEL_HOME=str(machine.desk("us")))
    out, err = good.communicate(timeout=30)
    assert (good.returncode, err) == (0, "")
    assert objects(out)
    wrong = machine.spawn("--home", machine.desk("us"), "ack", "last", CHANNEL_LANG="zh")
    out, err = wrong.communicate(timeout=30)
    assert (wrong.returncode, out) == (4, "")
    assert CHINESE.search(err)
