"""``channel link``: the state of the line, line tests by people and their answers, and carrying by hand, on real nodes."""

from __future__ import annotations

import os
import re

import pytest

from channel.cli.trial import free_port
from channel.client import neutral
from tests.cli.running import Machine

CHINESE = re.compile("[\u4e00-\u9fff]")


def numbers(machine, party):
    return {m["number"] for m in machine.good(party, "inbox")}


@pytest.fixture(scope="module", autouse=True)
def tested(machine):
    """A human line test of US, at CN; before it nobody made one. Nodes that have just started have something to send."""
    before = {}

    def at_rest(lang):
        before[lang] = machine.command("us", "link", "status", lang=lang)
        return re.search("(side: |的记录：)0", before[lang].stdout) and re.search(
            "in operation|运行中", before[lang].stdout
        )

    for lang in ("en", "zh"):
        machine.until(lambda lang=lang: at_rest(lang))
    (sent,) = machine.good("us", "link", "test", "--as", "duty")
    machine.until(lambda: sent["number"] in numbers(machine, "cn"))
    return before, sent


def test_the_state_of_the_line_before_any_test(tested):
    """It works, nothing waits, one address answered; no test yet: each said in the reader's language."""
    before, _ = tested
    for lang, said in (("en", ("in operation", "wait for the other side: 0", "Address 1 of 1", "US: no human line test")),
                       ("zh", ("运行中", "等待送达对方的记录：0", "第 1 个地址", "US：尚无人工线路测试"))):  # fmt: skip
        result = before[lang]
        assert result.exit_code == 0, result.output
        assert [word for word in said if word not in result.stdout] == []
    assert "127.0.0.1" not in before["en"].stdout + before["zh"].stdout


def test_a_human_line_test_is_a_neutral_text_in_both_languages(machine, tested):
    """F01 as a test at routine, with a drawn sentence in both languages, what to answer, and the path; shown to both sides."""
    _, sent = tested
    assert (sent["format"], sent["level"], sent["case"], sent["seat"]) == ("F01", "routine", None, "duty")
    body = sent["body"]
    (drawn,) = [s for s in map(neutral.sentence, range(neutral.count())) if s.text_en == body["text_en"]]
    assert body == {
        "test": "HUM", "text_en": drawn.text_en, "text_zh": drawn.text_zh, "answer": drawn.answer, "path": "1/1",
    }  # fmt: skip
    shown = machine.command("cn", "show", sent["number"], lang="zh")
    assert drawn.text_zh in shown.stdout.replace("\n", "")
    texts = {machine.good("us", "link", "test", "--as", "duty")[0]["body"]["text_en"] for _ in range(4)}
    assert len(texts) > 1


def test_an_answer_is_seen_in_the_status_of_both_sides(machine, tested):
    """The other side's person answers in the own language; both sides show who answered which test after how long."""
    _, sent = tested
    (answer,) = machine.good("cn", "link", "test", "--answer", sent["number"], "数目与颜色见原文", "--as", "duty")
    assert (answer["format"], answer["body"]["test"]) == ("F01", "HUM")
    assert answer["body"]["text_zh"] == "数目与颜色见原文"
    assert answer["body"]["answer"] == sent["body"]["answer"]
    machine.until(lambda: answer["number"] in numbers(machine, "us"))
    for party in ("us", "cn"):
        (status,) = machine.good(party, "link", "status")
        tests = {test["number"]: test for test in status["human"]}
        assert answer["number"] not in tests  # an answer is no test of its own
        assert {test["party"] for test in status["human"]} == {"US"}
    (again,) = machine.good("us", "link", "test", "--kind", "SIT", "--to", "us:duty,cn:expert-2", "--as", "duty")
    machine.until(lambda: again["number"] in numbers(machine, "cn"))
    machine.good(
        "cn", "send", "Something newer of the own side."
    )  # "last" is the other side's newest test all the same
    (reply,) = machine.good("cn", "link", "test", "--answer", "last", "six, grey", "--as", "expert-2")
    assert reply["body"] == {"test": "SIT", "answer": again["body"]["answer"], "text_en": "six, grey", "path": "1/1"}
    machine.until(lambda: reply["number"] in numbers(machine, "us"))
    (status,) = machine.good("us", "link", "status", "--as", "duty")
    (test,) = status["human"]
    assert (test["number"], test["kind"], test["answer"]) == (again["number"], "SIT", reply["number"])
    assert 0 <= test["after_ms"] < 600_000
    for lang, said in (("en", "answered by"), ("zh", "应答")):
        assert said in machine.command("us", "link", "status", lang=lang).stdout


def test_a_test_waits_for_its_answer(machine):
    """--wait answered ends with the answer once a person gave it, and with 7 where nobody did in time."""
    before = numbers(machine, "cn")
    command = machine.spawn(
        "--home",
        machine.desk("us"),
        "--json",
        "link",
        "test",
        "--kind",
        "ALT",
        "--wait",
        "answered",
        "--timeout",
        "60s",
    )
    machine.until(lambda: numbers(machine, "cn") - before)
    (number,) = numbers(machine, "cn") - before
    machine.good("cn", "link", "test", "--answer", number, "五，米色")
    out, err = command.communicate(timeout=60)
    assert (command.returncode, err) == (0, "")
    assert '"五，米色"' in out
    for lang, said in (("en", '"answered" after 0 s'), ("zh", "已应答")):
        result = machine.command("us", "link", "test", "--wait", "answered", "--timeout", "0s", lang=lang)
        assert (result.exit_code, "(NOT_YET)" in result.stderr, said in result.stderr) == (7, True, True), result.stderr


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (["some text"], 2, "ANSWER_TEXT"),
        (["--answer", "last"], 2, "ANSWER_TEXT"),
        (["--answer", "XX-2026-000001", "five"], 2, "NO_MESSAGE"),
        (["--answer", "OWN", "five"], 4, "NO_TEST"),
        (["--to", "us:nobody"], 2, "NO_SEAT"),
        (["--as", "records"], 4, "SIGNER"),
        (["--timeout", "soon"], 2, "DURATION"),
        (["--kind", "AUT"], 2, "USAGE_VALUE"),
    ],
)
def test_what_is_no_line_test(refuses, tested, words, exit_code, code):
    """A text of one's own, an answer to nothing or to oneself, a wrong seat, time or kind: one error, nothing written."""
    _, sent = tested
    words = [sent["number"] if word == "OWN" else word for word in words]
    refuses("us", "link", "test", *words, exit_code=exit_code, code=code)


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unplugged(tmp_path_factory, need):
    """Both nodes of an opened channel, each with an address of the other at which nobody is."""
    need("embedded-valkey")
    machine = Machine(tmp_path_factory.mktemp("unplugged") / "trial")
    try:
        machine.start("us", "cn")
        for party in ("us", "cn"):
            machine.good(party, "inbox")
        machine.end("us", "cn")
        for party in ("us", "cn"):
            config = machine.node(party) / "node.toml"
            text = re.sub("peer_urls = .*", f'peer_urls = ["https://127.0.0.1:{free_port()}"]', config.read_text())
            config.write_text(text.replace("[node]\n", "[node]\nwithout_peer = true\n", 1))
        machine.start("us", "cn")
        yield machine
    finally:
        machine.end(*list(machine.running))


def refused(machine, party, *words, exit_code, code, named=()):
    """One error in each language, and no file written."""
    for lang in ("en", "zh"):
        result = machine.command(party, "link", "carry", *words, lang=lang)
        assert (result.exit_code, f"({code})" in result.stderr, result.stdout) == (exit_code, True, ""), result.output
        assert bool(CHINESE.search(result.stderr)) == (lang == "zh")
        assert [word for word in named if word not in result.stderr] == []


def test_a_device_or_a_pipe_is_no_file(unplugged, tmp_path):
    """What may have no end is refused at once, as a file that is not there."""
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe"):
        refused(unplugged, "cn", "in", path, exit_code=2, code="NO_FILE")


def test_files_carry_messages_both_ways(unplugged, tmp_path):
    """A message and its acknowledgement go by hand; each is delivered where it was written once its answer came back."""
    machine = unplugged
    (sent,) = machine.good("us", "send", "by hand", "--wait", "logged")
    assert sent["state"] == "logged"
    (status,) = machine.good("us", "link", "status")
    assert status["undelivered"] > 0
    file = tmp_path / "to-cn"
    (out,) = machine.good("us", "link", "carry", "out", file)
    assert (out["path"], out["printed"], out["left"]) == (str(file), False, 0)
    assert file.stat().st_mode & 0o777 == 0o600
    refused(machine, "us", "out", file, exit_code=4, code="EXISTS")
    (taken,) = machine.good("cn", "link", "carry", "in", file)
    assert (taken["kind"], taken["party"], taken["answer"]) == ("requests", "US", f"{file}.answer")
    assert sent["number"] in numbers(machine, "cn")
    (back,) = machine.good("us", "link", "carry", "in", f"{file}.answer")
    assert (back["kind"], back["size"]) == ("answers", taken["size"])
    (shown,) = machine.good("us", "show", sent["number"])
    assert shown["state"] == "anchored"
    assert machine.good("us", "link", "status")[0]["undelivered"] == 0
    refused(machine, "us", "out", tmp_path / "more", exit_code=4, code="NOTHING_TO_CARRY")
    assert not (tmp_path / "more").exists()
    machine.good("cn", "ack", sent["number"])
    machine.good("cn", "link", "carry", "out", tmp_path / "to-us")
    machine.good("us", "link", "carry", "in", tmp_path / "to-us")
    machine.good("cn", "link", "carry", "in", tmp_path / "to-us.answer")
    (shown,) = machine.good("us", "show", sent["number"])
    assert shown["acks"] == ["read"]
    for party in ("us", "cn"):
        assert machine.good(party, "link", "status")[0]["state"] == "DEGRADED"


def test_wrong_files_and_where_they_go(unplugged, tmp_path):
    """The own file, a damaged one, one that was taken, one that is none: one error each in both languages, no answer."""
    machine = unplugged
    machine.good("us", "send", "carried", "--wait", "logged")
    file = tmp_path / "file"
    machine.good("us", "link", "carry", "out", file)
    raw = file.read_bytes()
    refused(machine, "us", "in", file, exit_code=4, code="CARRY_SIDE", named=("US",))
    (tmp_path / "damaged").write_bytes(raw[:300] + bytes([raw[300] ^ 1]) + raw[301:])
    refused(machine, "cn", "in", tmp_path / "damaged", exit_code=5, code="CARRY_DAMAGED")
    (tmp_path / "cut").write_bytes(raw[:-10])
    refused(machine, "cn", "in", tmp_path / "cut", exit_code=3, code="CARRY")
    (tmp_path / "other").write_bytes(b"a letter")
    refused(machine, "cn", "in", tmp_path / "other", exit_code=3, code="CARRY")
    refused(machine, "cn", "in", tmp_path / "absent", exit_code=2, code="NO_FILE")
    refused(machine, "cn", "in", file, "--as", "records", exit_code=4, code="CARRY_ROLE")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut", "damaged", "file", "other"]
    machine.good("cn", "link", "carry", "in", file)
    (tmp_path / "file.answer").rename(tmp_path / "lost")
    refused(machine, "cn", "in", file, exit_code=4, code="CARRY_TWICE")
    assert not (tmp_path / "file.answer").exists()
    machine.good("cn", "link", "carry", "in", file, "--again")
    machine.good("us", "link", "carry", "in", f"{file}.answer")
    refused(machine, "us", "in", tmp_path / "lost", exit_code=4, code="CARRY_KNOWN")
    refused(machine, "cn", "in", tmp_path / "lost", exit_code=4, code="CARRY_SIDE", named=("US",))


def test_a_printed_file_is_typed_in_again(unplugged, tmp_path):
    """Lines of text go and come; a typing error is named by its line in both languages, and then nothing is taken."""
    machine = unplugged
    (sent,) = machine.good(
        "us", "send", "--format", "F13", "--single", "--set", "entry=MEADOW 02", "--to", "us:expert-1,cn:duty",
        "--wait", "logged",
    )  # fmt: skip
    file = tmp_path / "printed"
    machine.good("us", "link", "carry", "out", file, "--print")
    lines = file.read_text("ascii").splitlines()
    assert re.fullmatch(r"DCXCARRY 1 \d+ [A-Z2-7]{8}", lines[0])
    wrong = list(lines)
    for at in (3, 17):
        wrong[at] = wrong[at][:10] + ("A" if wrong[at][10] != "A" else "C") + wrong[at][11:]
    (tmp_path / "typed").write_text("\n".join(wrong))
    refused(machine, "cn", "in", tmp_path / "typed", exit_code=3, code="CARRY_LINES", named=("3, 17",))
    (tmp_path / "typed").write_text("\n".join(["DCXCARRY 1 5 AAAA", *lines[1:]]))
    refused(machine, "cn", "in", tmp_path / "typed", exit_code=3, code="CARRY_FIRST_LINE")
    (tmp_path / "typed").write_text("\n".join(lines).lower())
    machine.good("cn", "link", "carry", "in", tmp_path / "typed", "--as", "duty")
    answer = (tmp_path / "typed.answer").read_text("ascii").splitlines()
    assert len(answer) < 40
    machine.good("us", "link", "carry", "in", tmp_path / "typed.answer")
    (shown,) = machine.good("us", "show", sent["number"])
    assert shown["state"] == "delivered"


def test_what_does_not_fit_on_paper_comes_in_turns(unplugged, tmp_path):
    """Of more than is printed at once the beginning is written, and how much waits is said; in turns all is delivered."""
    machine = unplugged
    sent = machine.good("us", "send", *(["x" * 400] * 6), "--wait", "logged")
    for turn in range(9):
        file = tmp_path / str(turn)
        (out,) = machine.good("us", "link", "carry", "out", file, "--print")
        assert file.stat().st_size < 160_000
        machine.good("cn", "link", "carry", "in", file)
        machine.good("us", "link", "carry", "in", f"{file}.answer")
        if out["left"] == 0:
            break
    assert 0 < turn < 8
    inbox = [m["number"] for m in machine.good("cn", "inbox")]
    assert [number for number in inbox if number in {m["number"] for m in sent}] == [m["number"] for m in sent]
    assert {m["state"] for m in machine.good("us", "inbox") if m["number"] in inbox} <= {"delivered", "anchored"}
