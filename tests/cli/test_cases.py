"""``case``: both parties' numbers, the level and how it went, severity apart from it, open questions, closing."""

from __future__ import annotations

import pytest

from keys.plain import utc


@pytest.fixture(scope="module")
def case(machine):
    """A case that both sides have given a number and a severity, with a request that is half answered."""
    words = ["--category", "CYB", "--set", "case_name=Quiet River", "--set", "own_number=US-17", "--set", "severity=S3"]
    (first,) = machine.good("us", "send", "Logins in a test network.", *words)
    case = first["number"]
    machine.until(lambda: machine.command("cn", "show", case).exit_code == 0)
    machine.good("cn", "send", "收到。", "--case", case, "--set", "own_number=中-4", "--set", "severity=S2")
    words = ["--set", "questions=ask=Q1", "--set", "questions=ask=Q4", "--set", "questions=ask=Whose?"]
    (asked,) = machine.good("us", "send", "--format", "F06", "Seen.", "--case", case, *words)
    machine.until(lambda: machine.command("cn", "show", asked["number"]).exit_code == 0)
    machine.good("cn", "reply", asked["number"], "--answer", "1=YES", "--answer", "2=CHK")
    (raised,) = machine.good("us", "raise", case, "--to", "consultation", "--cosign", "official")
    machine.good("us", "--as", "official", "approve", raised["draft"], "--yes")
    machine.good("us", "send", "Wider.", "--case", case, "--set", "severity=S1")
    machine.until(lambda: len(machine.good("cn", "case", case)[0]["messages"]) == 6)
    return case


def test_a_case_whole_as_an_object(machine, case):
    """Both desks have the same case: numbers, newest severity of each party, history, what is open, all its messages."""
    (us,), (cn,) = (machine.good(party, "case", case) for party in ("us", "cn"))
    assert {k: us[k] for k in us if k != "questions"} == {k: cn[k] for k in cn if k != "questions"}
    assert (us["case"], us["level"], us["name"]) == (case, "consultation", "Quiet River")
    assert us["numbers"] == {"US": "US-17", "CN": "中-4"}
    assert us["severity"] == {"US": "S1", "CN": "S2"}
    assert [(s["op"], s["level"]) for s in us["history"]] == [("open", "attention"), ("raise", "consultation")]
    assert us["history"][0]["message"] == case
    (question,) = us["questions"]
    assert question["open"] == [2, 3]
    assert question["message"] in us["messages"]
    assert us["closing"] is None


def test_a_case_whole_in_words(machine, case):
    """In the reader's language: level as word, shape and bars; severity by party with the sentence that it rates nothing."""
    english, chinese = (machine.command("cn", "case", case, lang=lang).stdout for lang in ("en", "zh"))
    assert english.startswith(f"{case}  △ Expert consultation ▮▮▮▯▯▯  Quiet River\n")
    for line in ("Number of US: US-17", "Number of CN: 中-4", "Severity as US has it: S1 Extraordinary",
                 "Severity as CN has it: S2 Major", "Messages: 6"):  # fmt: skip
        assert f"{line}\n" in english
    assert "Channel code only; does not replace either party's domestic classification." in english
    assert "CN所报严重程度：S2 重大" in chinese
    assert "仅为本渠道代码，不替代任何一方的国内定级。" in chinese
    assert "△ 专家磋商 ▮▮▮▯▯▯" in chinese
    assert f"  {case}  F03 事件初次通报（初报）" in chinese


def test_severity_moves_no_level(machine):
    """A higher severity leaves the level, and a raise leaves the severity: each stands by itself."""
    (sent,) = machine.good("us", "send", "One.", "--set", "severity=S4")
    machine.good("us", "send", "Two.", "--case", sent["number"], "--set", "severity=S1")
    (before,) = machine.good("us", "case", sent["number"])
    assert (before["level"], before["severity"]) == ("attention", {"US": "S1"})
    (draft,) = machine.good("us", "raise", sent["number"], "--to", "serious", "--cosign", "duty")
    machine.good("us", "--as", "duty", "approve", draft["draft"], "--yes")
    (after,) = machine.good("us", "case", sent["number"])
    assert (after["level"], after["severity"], len(after["history"])) == ("serious", {"US": "S1"}, 2)


def test_a_question_stays_open_until_it_is_answered(machine, case):
    """The reply is due by the level's time once the request has arrived; a holding answer leaves the question open."""
    (sent,) = machine.good("us", "send", "--format", "F06", "Seen again.", "--set", "questions=ask=Q5")
    number = sent["number"]
    machine.until(lambda: machine.command("cn", "show", number).exit_code == 0)
    machine.good("cn", "ack", number)
    machine.until(lambda: machine.good("us", "case", number)[0]["questions"][0]["due"] is not None)
    (question,) = machine.good("us", "case", number)[0]["questions"]
    logged = next(r["ts"] for r in machine.good("us", "log") if r["number"] == number)
    assert question["due"] >= logged + 72 * 3_600_000
    assert (
        f"Open questions of {number}: 1; reply due: {utc(question['due'])}"
        in machine.command("us", "case", number).stdout
    )
    for holding in ("CHK", "NEN", "NOI", "REF"):
        machine.good("cn", "reply", number, "--ans", holding)
        assert machine.good("cn", "case", number)[0]["questions"][0]["open"] == [1]
    machine.good("cn", "reply", number, "--answer", "1=CNC")
    assert machine.good("cn", "case", number)[0]["questions"] == []


def test_an_answer_to_the_whole_request_answers_all_its_questions(machine):
    """YES to the whole closes every question."""
    (sent,) = machine.good(
        "us", "send", "--format", "F06", "x", "--set", "questions=ask=Q1", "--set", "questions=ask=Q2"
    )
    machine.until(lambda: machine.command("cn", "show", sent["number"]).exit_code == 0)
    machine.good("cn", "reply", sent["number"], "--ans", "CNC")
    assert machine.good("cn", "case", sent["number"])[0]["questions"] == []


def test_a_closing_waits_for_the_other_side(machine):
    """Proposed it says so; agreed to the case leaves the list, stays under --all, and can still be shown."""
    (sent,) = machine.good("us", "send", "Short.", "--level", "routine")
    case = sent["number"]
    (final,) = machine.good("us", "send", "--format", "F05", "--case", case, "Over.")
    machine.until(lambda: machine.command("cn", "show", final["number"]).exit_code == 0)
    assert machine.good("cn", "case", case)[0]["closing"] == final["number"]
    assert f"Proposed to close: {final['number']}; it holds when the other side concurs." in (
        machine.command("cn", "case", case).stdout
    )
    machine.good("cn", "concur", case)
    machine.until(lambda: machine.good("us", "case", case)[0]["level"] is None)
    (closed,) = machine.good("us", "case", case)
    assert (closed["closing"], [s["op"] for s in closed["history"]]) == (None, ["open", "close", "concur"])
    assert f"{case}  closed  Short." in machine.command("us", "case", "--all").stdout
    assert f"{case}  已办结  Short." in machine.command("cn", "case", "--all", lang="zh").stdout
    assert case not in machine.command("us", "case").stdout
    assert case not in [each["case"] for each in machine.good("us", "case")]


def test_the_list_names_each_open_case(machine, case):
    """Number, level and short name, one line each; a case without a name has its first line."""
    (other,) = machine.good("us", "send", "No name given.")
    listed = machine.command("us", "case").stdout
    assert f"{case}  △ Expert consultation ▮▮▮▯▯▯  Quiet River\n" in listed
    assert f"{other['number']}  ◇ Attention ▮▮▯▯▯▯  No name given.\n" in listed


def test_a_case_by_any_of_its_messages(machine, case, refuses):
    """Each message of a case leads to it; one that stands in none says so; a seat that may read nothing sees no name."""
    (test,) = machine.good("us", "send", "--format", "F01", "Seven.")
    for number in machine.good("us", "case", case)[0]["messages"]:
        assert machine.good("us", "case", number)[0]["case"] == case
    (sealed,) = machine.good("us", "--as", "operator", "case", case)
    assert (sealed["name"], sealed["numbers"], sealed["severity"], sealed["level"]) == ("", {}, {}, "consultation")
    refuses("us", "case", test["number"], exit_code=2, code="NO_CASE", named=(test["number"],))
    refuses("us", "case", "US-2026-009999", exit_code=2, code="NO_MESSAGE")
