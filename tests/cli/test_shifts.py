"""Two officers in one seat, as in shifts: each with a key of their own, told apart by a number."""

from __future__ import annotations

import shutil

from channel.client.seats import seat_of


def test_a_message_goes_to_every_officer_of_a_seat_unless_one_is_named(machine):
    """Both officers of a seat are among the default readers; ``duty`` names both as readers, ``duty.2`` the second."""
    to = {"all": (), "seat": ("--to", "cn:duty"), "second": ("--to", "cn:duty.2")}
    sent = {machine.good("us", "send", f"to {who}", *options)[0]["number"]: who for who, options in to.items()}
    read = {
        name: [
            sent[m["number"]] for m in machine.good("cn", "--as", name, "inbox") if m["body"] and m["number"] in sent
        ]
        for name in ("duty", "duty.2", "expert-1")
    }
    assert read == {"duty": ["all", "seat"], "duty.2": ["all", "seat", "second"], "expert-1": ["all"]}


def test_each_officer_of_a_seat_signs_as_a_person_of_their_own(machine):
    """What the second officer signs names that person and the shared seat; the first may sign beside them."""
    number = machine.good("us", "send", "line one")[0]["number"]
    assert machine.good("cn", "--as", "duty.2", "ack", number)[0]["acks"] == ["read"]
    assert [r["signers"] for r in machine.good("cn", "log") if r["t"] == "ack"][-1:] == [["duty"]]
    sent = machine.good("cn", "--as", "duty.2", "readback", number, "第一行")[0]
    assert (sent["person"], sent["seat"]) == ("cn-duty-2", "duty")
    refused = machine.command("us", "--as", "duty", "send", "--format", "F13", "MEADOW 02", "--cosign", "duty")
    assert (refused.exit_code, "(SELF_APPROVAL)" in refused.stderr) == (4, True)
    draft = machine.good("us", "send", "--format", "F13", "MEADOW 02", "--cosign", "duty.2")[0]
    approved = machine.good("us", "--as", "duty.2", "approve", draft["draft"], "--yes")[0]
    assert (approved["format"], approved["seat"]) == ("F13", "expert-1")


def test_a_key_file_of_another_seat_is_told_and_one_of_the_same_seat_is_the_persons_own(machine):
    """A number after the seat's name only tells key files apart; the key says whose it is."""
    keys = machine.desk("us") / "keys"
    shutil.copy(keys / "official.key", keys / "duty.3.key")
    shutil.copy(keys / "duty.2.key", keys / "duty.4.key")
    try:
        wrong = machine.command("us", "--as", "duty.3", "inbox")
        assert (wrong.exit_code, "(SEAT_KEY)" in wrong.stderr, "official" in wrong.stderr) == (2, True, True)
        assert machine.command("us", "--as", "duty.4", "inbox").exit_code == 0
    finally:
        (keys / "duty.3.key").unlink()
        (keys / "duty.4.key").unlink()


def test_the_number_is_no_part_of_the_seat():
    """A name is a seat, or a seat, a dot and a number."""
    assert [seat_of(name) for name in ("duty", "duty.2", "expert-1", "a.b", "a.b.12")] == [
        "duty", "duty", "expert-1", "a.b", "a.b",
    ]  # fmt: skip
