"""The level of a case at the command line: who moves it, what each move says, crossing moves, closing, suspension."""

from __future__ import annotations

import pytest

LEVEL = {
    "routine": "○ Routine contact ▮▯▯▯▯▯",
    "attention": "◇ Attention ▮▮▯▯▯▯",
    "consultation": "△ Expert consultation ▮▮▮▯▯▯",
    "serious": "▲ Urgent consultation ▮▮▮▮▯▯",
    "crisis": "■ Crisis management ▮▮▮▮▮▯",
}


def signed(machine, party, *words, seats=()):
    """A message handed in and signed by further seats of its side."""
    line = [*words, *(["--cosign", ",".join(seats)] if seats else [])]
    (item,) = machine.good(party, *line)
    for seat in seats:
        (item,) = machine.good(party, "--as", seat, "approve", item.get("draft", "last"), "--yes")
    return item


def opened(machine, level="attention", seats=()):
    """The number of a fresh case of US at a level, which CN has."""
    sent = signed(machine, "us", "send", "A case.", "--level", level, seats=seats)
    seen(machine, "cn", sent)
    return sent["number"]


def seen(machine, party, sent):
    machine.until(lambda: machine.command(party, "show", sent["number"]).exit_code == 0)


def levels(machine, case):
    """The level of a case as both desks have it."""
    return [machine.good(party, "case", case)[0]["level"] for party in ("us", "cn")]


# --- up -----------------------------------------------------------------------------------------------------------------


def test_a_raise_holds_on_receipt_and_says_why(machine):
    """It may skip levels; both sides read old and new level, the reason, and that it accuses nobody."""
    case = opened(machine)
    words = ["raise", case, "--to", "serious", "A second network.", "--set", "reason=SPR,FAC", "--set", "review=+2h"]
    sent = signed(machine, "cn", *words, seats=["official"])
    assert (sent["move"], sent["level"], sent["body"]["reason"]) == ("raise", "serious", ["SPR", "FAC"])
    seen(machine, "us", sent)
    assert levels(machine, case) == ["serious", "serious"]
    english, chinese = (machine.command("us", "show", sent["number"], lang=lang).stdout for lang in ("en", "zh"))
    assert f"Level change: raise · {LEVEL['attention']} -> {LEVEL['serious']}\n" in english
    assert "Raising the level asks for attention; it implies no accusation.\n" in english
    assert "级别调整：上调 · ◇ 情况关注 ▮▮▯▯▯▯ → ▲ 紧急磋商 ▮▮▮▮▯▯\n" in chinese
    assert "上调级别仅为提请关注，不含指责之意。\n" in chinese
    assert "raise · A second network." in machine.command("us", "inbox").stdout


def test_a_case_is_raised_only_to_a_higher_level(refuses, machine):
    """The level that it has, a lower one, and one that is none are refused with the level as it is always shown."""
    case = opened(machine, "consultation", ["duty"])
    for level in ("attention", "consultation"):
        refuses("us", "raise", case, "--to", level, exit_code=4, code="LEVEL_NOW", named=("△", "▮▮▮▯▯▯"))
    for level in ("routine", "red"):
        refuses("us", "raise", case, "--to", level, exit_code=2, code="USAGE_VALUE", named=("--to", "principals"))
    refuses("us", "raise", case, exit_code=2, code="USAGE_MISSING", named=("--to",))
    refuses("us", "raise", "US-2026-009999", "--to", "serious", exit_code=2, code="NO_MESSAGE")


MAY_RAISE = [
    ("expert-1", "consultation", "", False), ("expert-1", "consultation", "duty", True),
    ("duty", "consultation", "expert-2", True), ("duty", "consultation", "official", False),
    ("official", "serious", "duty", False), ("official", "serious", "expert-1", True),
    ("expert-1", "crisis", "expert-2,duty", False), ("expert-1", "crisis", "expert-2,official", True),
    ("expert-1", "principals", "expert-2,official", False), ("expert-1", "principals", "expert-2,principal", True),
]  # fmt: skip


def test_who_may_raise_to_which_level(machine, refuses):
    """A sample of seats by levels: those that fill the policy's table make a draft, others are told who is needed."""
    case = opened(machine)
    for seat, level, cosign, enough in MAY_RAISE:
        words = ["--as", seat, "raise", case, "--to", level, *(["--cosign", cosign] if cosign else [])]
        if enough:
            (draft,) = machine.good("us", *words)
            machine.good("us", "--as", seat, "withdraw", draft["draft"])
        else:
            refuses("us", *words, exit_code=4, code="SIGNERS_NEEDED", named=("--cosign",))


# --- down ---------------------------------------------------------------------------------------------------------------


def test_a_lowering_holds_when_the_other_side_concurs(machine):
    """lower proposes one step and moves nothing; concur agrees to exactly that; both say so in words."""
    case = opened(machine, "consultation", ["duty"])
    asked = signed(machine, "us", "lower", case, "Nothing new.", "--set", "reason=QUI", "--set", "conditions=Q24")
    seen(machine, "cn", asked)
    assert levels(machine, case) == ["consultation", "consultation"]
    answer = signed(machine, "cn", "concur", case, "同意。")
    seen(machine, "us", answer)
    assert levels(machine, case) == ["attention", "attention"]
    shown = machine.command("us", "show", answer["number"]).stdout
    assert f"Level change: concur · {LEVEL['consultation']} -> {LEVEL['attention']} · covers the logs up to" in shown
    assert f"References: {asked['number']}" in shown
    assert "级别调整：下调（一档）" in machine.command("cn", "show", asked["number"], lang="zh").stdout


def test_an_objection_leaves_the_level(machine, refuses):
    """object answers a lowering for good: no concurrence to it counts after that; a new lowering is a new question."""
    case = opened(machine, "consultation", ["duty"])
    seen(machine, "cn", signed(machine, "us", "lower", case))
    objection = signed(machine, "cn", "object", case, "仍在核实。", "--set", "reason=VER")
    seen(machine, "us", objection)
    assert levels(machine, case) == ["consultation", "consultation"]
    assert "提出异议" in machine.command("us", "show", objection["number"], lang="zh").stdout
    again = signed(machine, "us", "lower", case)
    seen(machine, "cn", again)
    signed(machine, "cn", "concur", case)
    assert levels(machine, case)[1] == "attention"
    refuses("cn", "concur", case, exit_code=4, code="NOTHING_TO_ANSWER", named=(case,))
    refuses("cn", "object", case, exit_code=4, code="NOTHING_TO_ANSWER", named=(case,))


def test_what_can_not_be_lowered_or_answered(machine, refuses):
    """An own lowering has no own answer; nothing asked, nothing answered; below routine there is nothing."""
    case, high = opened(machine, "routine"), opened(machine)
    signed(machine, "us", "lower", high)
    refuses("us", "lower", case, exit_code=4, code="LEVEL_NOW", named=("○", "▮▯▯▯▯▯"))
    for command in ("concur", "object"):
        refuses("cn", command, case, exit_code=4, code="NOTHING_TO_ANSWER", named=(case,))
        refuses("us", command, high, exit_code=4, code="NOTHING_TO_ANSWER", named=(high,))


def test_a_lowering_needs_its_seats(machine, refuses):
    """From serious two have to sign, on both sides; a duty officer alone lowers nothing."""
    case = opened(machine, "serious", ["duty"])
    seen(machine, "cn", signed(machine, "us", "lower", case, seats=["duty"]))
    seen(machine, "us", signed(machine, "cn", "concur", case, seats=["expert-2"]))
    assert levels(machine, case) == ["consultation", "consultation"]
    other = opened(machine, "serious", ["duty"])
    seen(machine, "cn", signed(machine, "us", "lower", other, seats=["official"]))
    refuses("us", "lower", other, exit_code=4, code="SIGNERS_NEEDED", named=("--cosign",))
    refuses("us", "--as", "duty", "lower", other, "--cosign", "official", exit_code=4, code="SIGNERS_NEEDED")
    refuses("cn", "concur", other, exit_code=4, code="SIGNERS_NEEDED", named=("--cosign",))


@pytest.mark.parametrize("first", ["us", "cn"])
def test_a_raise_that_crosses_a_lowering_stands(machine, first):
    """Whoever proposed the lowering: a raise after it wins, though the lowering is agreed to after that."""
    second = "cn" if first == "us" else "us"
    case = opened(machine, "consultation", ["duty"])
    seen(machine, second, signed(machine, first, "lower", case))
    raised = signed(machine, second, "raise", case, "--to", "serious", seats=["duty"])
    seen(machine, first, raised)
    agreed = signed(machine, second, "concur", case)
    seen(machine, first, agreed)
    assert levels(machine, case) == ["serious", "serious"]
    history = machine.good(first, "case", case)[0]["history"]
    assert [(step["op"], step["level"]) for step in history] == [
        ("open", "consultation"), ("lower", "consultation"), ("raise", "serious"), ("concur", "serious"),
    ]  # fmt: skip


# --- closing --------------------------------------------------------------------------------------------------------------


def test_a_closing_is_agreed_too(machine, refuses):
    """F05 proposes, an objection leaves the case open, a concurrence closes it; closed, it can only be raised again."""
    case = opened(machine)
    final = signed(machine, "us", "send", "--format", "F05", "--case", case, "All stopped.", "--set", "cause=CFG")
    assert (final["format"], final["move"]) == ("F05", "close")
    seen(machine, "cn", final)
    assert "Proposed to close" in machine.command("cn", "case", case).stdout
    seen(machine, "us", signed(machine, "cn", "object", case))
    assert levels(machine, case) == ["attention", "attention"]
    seen(machine, "cn", signed(machine, "us", "send", "--format", "F05", "--case", case, "Still stopped."))
    closed = signed(machine, "cn", "concur", case)
    seen(machine, "us", closed)
    assert levels(machine, case) == [None, None]
    assert "级别调整：同意" in machine.command("us", "show", closed["number"], lang="zh").stdout
    assert case not in machine.command("us", "case").stdout
    again = signed(machine, "cn", "raise", case, "--to", "attention", "Once more.")
    seen(machine, "us", again)
    assert levels(machine, case) == ["attention", "attention"]


def test_a_closed_case_takes_no_closing_and_no_lowering(machine, refuses):
    """After the closing there is nothing to lower, to close or to answer."""
    case = opened(machine, "routine")
    seen(machine, "cn", signed(machine, "us", "send", "--format", "F05", "--case", case, "Done."))
    seen(machine, "us", signed(machine, "cn", "concur", case))
    refuses("us", "lower", case, exit_code=4, code="LEVEL_NOW")
    refuses("us", "send", "--format", "F05", "--case", case, "x", exit_code=2, code="CASE_NEEDED", named=("F05",))
    refuses("cn", "concur", case, exit_code=4, code="NOTHING_TO_ANSWER", named=(case,))


# --- suspended ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def suspended(machine):
    """A case, then US's official suspends; after the test both sides are back."""
    case = opened(machine, "consultation", ["duty"])
    machine.good("cn", "send", "问询。", "--format", "F06", "--case", case, "--set", "questions=ask=Q1")
    shown = machine.command("us", "suspend", "Our line is moved.", "--set", "next_contact=+1h")
    assert (shown.exit_code, "Still open: line tests, receipts, coded messages" in shown.stdout) == (0, True)
    machine.until(lambda: machine.good("cn", "inbox")[-1]["move"] == "suspend")
    yield case
    for party in ("us", "cn"):
        machine.command(party, "resume")
    machine.until(lambda: [machine.good(p, "inbox")[-1]["move"] for p in ("us", "cn")] == ["resume", "resume"])


def test_both_sides_see_that_exchanges_are_suspended_and_what_stays_open(machine, suspended):
    """inbox and case say it on both sides in both languages; after both have resumed they say it no more."""
    for party in ("us", "cn"):
        for command in ("inbox", "case"):
            english, chinese = (machine.command(party, command, lang=lang).stdout for lang in ("en", "zh"))
            assert "exchanges suspended, core open" in english
            assert "Still open: line tests" in english
            assert "业务暂停（核心功能保留）" in chinese
    machine.good("cn", "suspend")
    machine.good("us", "resume")
    assert "exchanges suspended" in machine.command("us", "inbox").stdout
    machine.good("cn", "resume")
    machine.until(lambda: "exchanges suspended" not in machine.command("us", "inbox").stdout)


def test_what_stays_open_while_exchanges_are_suspended(machine, suspended):
    """Line test, receipts, read-back, coded message, confirmation, correction, raise and another suspend still go out."""
    machine.good("us", "send", "--format", "F01", "Seven.")
    machine.good("us", "ack", "CN-" + machine.good("us", "case", suspended)[0]["messages"][-1][3:])
    machine.good("cn", "readback", suspended, "本方的理解。")
    (coded,) = machine.good("us", "send", "--format", "F13", "MAPLE 00", "--single")
    assert machine.good("us", "confirm", coded["number"])[0]["confirm"] == "in time"
    machine.good("us", "correct", suspended, "A word.")
    raised = signed(machine, "cn", "raise", suspended, "--to", "serious", seats=["duty"])
    seen(machine, "us", raised)
    assert levels(machine, suspended) == ["serious", "serious"]
    machine.good("cn", "suspend")
    assert machine.command("us", "show", suspended).exit_code == 0


def test_what_is_refused_while_exchanges_are_suspended(machine, suspended, refuses):
    """New reports, follow-ups, requests, replies, lowerings and closings, by one or by several: SUSP on both sides."""
    lines = [
        ["send", "New."], ["send", "New.", "--level", "serious", "--cosign", "duty"], ["send", "x", "--case", suspended],
        ["send", "x", "--format", "F06", "--set", "questions=ask=Q1"], ["lower", suspended],
        ["send", "--format", "F08", "x", "--set", "kind=TRN", "--set", "from_time=+1h", "--set", "until_time=+2h"],
        ["send", "--format", "F11", "x", "--set", "kind=ASK", "--set", "actions=BLK", "--cosign", "expert-2"],
    ]  # fmt: skip
    for party in ("us", "cn"):
        for line in lines:
            refuses(party, *line, exit_code=4, code="SUSP")
    request = next(n for n in machine.good("us", "case", suspended)[0]["messages"] if n.startswith("CN"))
    refuses("us", "reply", request, "x", exit_code=4, code="SUSP")


def test_only_an_official_suspends_and_resumes(machine, refuses):
    """suspend and resume speak for the official's seat; any other seat is refused."""
    for seat in ("expert-1", "duty", "operator"):
        for command in ("suspend", "resume"):
            refuses("us", "--as", seat, command, exit_code=4, code="SIGS")
