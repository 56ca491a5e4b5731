"""The history of line tests as a pure function of judged records: answered, on its way, unanswered; by machines and people."""

from __future__ import annotations

from types import SimpleNamespace

from channel.client.linetests import LineTest, automatic, newest
from channel.protocol import record
from channel.protocol.record import Echo
from channel.protocol.verdicts import Verdict

T = 1_790_000_000_000
TEST_S = 900


def said(letter, doc, reason="", ts=T, seen=0, index=0):
    record = SimpleNamespace(ts=ts, seen=(0, seen, b""))
    return Verdict(letter, index, b"", record, None, doc, reason, (), frozenset(), "")


def asked(n=1, path="1", t1=T):
    return record.Test(id=bytes([n]) * 16, path=path, t1=t1)


def echo(n=1, t1=T, t2=T + 5_000, t3=T + 5_200, **t4):
    return Echo(id=bytes([n]) * 16, t1=t1, t2=t2, t3=t3, **t4)


def states(*verdicts, now=T + 1_000):
    return [test.state for test in automatic(verdicts, TEST_S, now)]


def test_four_times_give_round_trip_and_offset():
    """Round trip (t4-t1)-(t3-t2), offset ((t2-t1)+(t3-t4))/2: here the other clock is 4.8 s ahead, 300 ms there and back."""
    history = automatic([said("a", asked()), said("b", echo()), said("a", echo(t4=T + 500))], TEST_S, T)
    assert history == [LineTest("a", "1", T, "answered", 300, 4_850)]
    back = automatic([said("b", asked()), said("a", echo(t2=T - 4_850, t3=T - 4_650)),
                      said("b", echo(t2=T - 4_850, t3=T - 4_650, t4=T + 500))], TEST_S, T)  # fmt: skip
    assert back == [LineTest("b", "1", T, "answered", 300, -5_000)]


def test_a_test_is_answered_by_its_closing_echo_alone():
    """Without it a test is on its way for as long as the policy says, to the millisecond, and then unanswered."""
    only, with_echo = [said("a", asked())], [said("a", asked()), said("b", echo())]
    for some in (only, with_echo):
        assert states(*some, now=T + 1000 * TEST_S) == ["waiting"]
        assert states(*some, now=T + 1000 * TEST_S + 1) == ["unanswered"]
    assert states(*with_echo, said("a", echo(t4=T + 9)), now=T + 10**9) == ["answered"]


def test_what_does_not_fit_answers_nothing():
    """An echo of one's own, of other times or another id, a closing echo by the other side or without an echo: no answer."""
    test, good, closing = said("a", asked()), said("b", echo()), said("a", echo(t4=T + 9))
    assert states(test, good, closing) == ["answered"]
    for wrong in (
        [test, closing],
        [test, said("a", echo()), closing],
        [test, said("b", echo(t1=T - 1)), closing],
        [test, said("b", echo(n=2)), closing],
        [test, good, said("b", echo(t4=T + 9))],
        [test, good, said("a", echo(t2=T, t4=T + 9))],
        [test, said("b", echo(), "SEEN"), closing],
        [test, good, said("a", echo(t4=T + 9), "SEEN")],
        [good, closing, test],
    ):
        assert states(*wrong) == ["waiting"], wrong
    assert states(said("a", asked(), "SEEN"), good, closing) == []


def test_the_first_echo_counts_and_an_id_is_one_test():
    """A second echo with other times changes nothing; the same id asked again by one side is not another test."""
    history = automatic(
        [said("a", asked()), said("b", echo()), said("b", echo(t2=T, t3=T)), said("a", asked(path="2")),
         said("a", echo(t4=T + 500)), said("b", asked())],
        TEST_S, T,
    )  # fmt: skip
    assert [(t.letter, t.path, t.state, t.round_trip) for t in history] == [
        ("a", "1", "answered", 300), ("b", "1", "waiting", None),
    ]  # fmt: skip


def test_the_newest_of_each_path():
    """One of each side and path, sides first, paths by their numbers."""
    many = [LineTest(x, path, t, "waiting") for t in range(3) for x in "ba" for path in ("10", "2", "1")]
    assert [(t.letter, t.path, t.t1) for t in newest(many)] == [
        (x, path, 2) for x in "ab" for path in ("1", "2", "10")
    ]  # fmt: skip


def test_an_unanswered_test_says_whether_the_other_side_had_seen_it_in_time():
    """LINK where no record of the other side had seen it by then, in that side's clock; else UNK; an answered one has none."""
    test, until = said("a", asked()), T + 1000 * TEST_S
    for other, reason in (
        ([], "LINK"), ([said("b", None, seen=0, ts=T)], "LINK"), ([said("b", None, seen=1, ts=until + 1)], "LINK"),
        ([said("b", None, seen=1, ts=until)], "UNK"),
        ([said("b", None, seen=1, ts=until), said("b", None, seen=0, ts=until + 5)], "UNK"),
    ):  # fmt: skip
        assert [t.reason for t in automatic([test, *other], TEST_S, until + 1)] == [reason]
    answered = [test, said("b", echo()), said("a", echo(t4=T + 9))]
    assert [t.reason for t in automatic(answered, TEST_S, until + 1)] == [""]
    assert [t.reason for t in automatic([test], TEST_S, until)] == [""]
