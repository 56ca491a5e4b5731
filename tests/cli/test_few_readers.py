"""``channel send --to``: a message that few seats may read, so that little has to go over a slow line."""

from __future__ import annotations

import re

from msgspec import structs

from channel.protocol.defaults import default_policy
from tests.cli.running import Machine

CHINESE = re.compile("[\u4e00-\u9fff]")


def test_a_message_goes_to_the_named_seats_and_both_records_officers(machine):
    """Who was named reads it, who was not is told so, and the records officers of both sides always read it."""
    [sent] = machine.good(
        "us", "send", "--format", "F13", "--single", "--set", "entry=MEADOW 02", "--to", "us:expert-1, CN:duty"
    )
    for party, seat in (("us", "expert-1"), ("cn", "duty"), ("us", "records"), ("cn", "records")):
        [shown] = machine.good(party, "show", sent["number"], "--as", seat)
        assert shown["body"] == {"entry": "MEADOW 02"}, (party, seat)
    for party, seat in (("us", "duty"), ("us", "expert-2"), ("cn", "expert-1"), ("cn", "official")):
        result = machine.command(party, "--json", "show", sent["number"], "--as", seat)
        assert (result.exit_code, "NOT_ADDRESSED" in result.stdout + result.stderr) == (4, True), (party, seat)


def test_a_seat_that_no_message_is_sealed_to_by_default_may_be_named(machine):
    """The operator gets no message by default, and gets one that names the seat; its co-signer may sign such a draft."""
    [draft] = machine.good(
        "us", "send", "text", "--level", "serious", "--to", "us:operator,cn:expert-2", "--cosign", "duty"
    )
    [sent] = machine.good("us", "approve", draft["draft"][:8], "--yes", "--as", "duty")
    [shown] = machine.good("us", "show", sent["number"], "--as", "operator")
    assert shown["body"]["line"] == "text"
    assert machine.command("us", "show", sent["number"], "--as", "duty").exit_code == 4


def test_an_unknown_seat_is_one_error_with_the_seats_that_there_are(machine):
    """A seat, a party or a form that is not there: NO_SEAT in both languages, and nothing enters the log."""
    before = machine.said("us")
    for seats, named in (("us:nobody", "us:nobody"), ("xx:duty", "xx:duty"), ("us:duty,duty", "duty"), (",", ",")):
        for lang in ("en", "zh"):
            result = machine.command("us", "send", "text", "--to", seats, lang=lang)
            assert (result.exit_code, result.stdout) == (2, "")
            assert f'"{named}"' in result.stderr.replace("“", '"').replace("”", '"')
            assert "us:expert-1" in result.stderr
            assert "cn:records" in result.stderr
            assert bool(CHINESE.search(result.stderr)) == (lang == "zh")
    assert machine.said("us") == before


def test_more_readers_than_the_policy_allows_are_one_error(tmp_path, need):
    """Named seats and both records officers together are counted against the policy's limit before anything is sealed."""
    need("embedded-valkey")
    limits = structs.replace(default_policy(2, bytes(32), bytes(32)).limits, max_to=4)
    machine = Machine(tmp_path / "trial", limits=limits)
    try:
        machine.start("us", "cn")
        machine.good("us", "send", "text", "--to", "us:expert-1,cn:duty.2,cn:records")
        for lang in ("en", "zh"):
            result = machine.command("us", "send", "text", "--to", "us:expert-1,cn:duty.2,cn:official", lang=lang)
            assert (result.exit_code, result.stdout) == (4, "")
            assert "5" in result.stderr
            assert bool(CHINESE.search(result.stderr)) == (lang == "zh")
    finally:
        machine.end(*list(machine.running))
