"""``channel watch`` with running nodes: who may take, hand over and leave a post, and what stays readable after it."""

from __future__ import annotations

import json
import shutil

import pytest

CRISIS = ("send", "An emergency.", "--level", "crisis", "--cosign", "expert-2,official")


def post(machine, seat="duty"):
    """The own post of US as its status has it."""
    return next(
        item for item in machine.good("us", "watch", "status")
        if item["kind"] == "post" and (item["party"], item["seat"]) == ("US", seat)
    )  # fmt: skip


def read_all(machine):
    """Nothing at crisis or above is left unread by US."""
    for item in machine.good("us", "watch", "status"):
        if item["kind"] == "owed" and item["urgent"]:
            machine.good("us", "ack", item["number"])


def held_by(machine, name):
    """See that one of the two officers holds the post, in whatever state it was."""
    read_all(machine)
    person = "us-" + name.replace(".", "-")
    if post(machine)["person"] == person:
        return
    words = () if post(machine)["person"] is None else ("--with", "official")
    machine.good("us", "--as", name, "watch", "take", *words, "--yes")
    assert post(machine)["person"] == person


def emptied(machine):
    """See that nobody holds the post."""
    held_by(machine, "duty")
    machine.good("us", "watch", "leave", "--yes")
    assert post(machine)["person"] is None


def crisis(machine):
    """A message of CN at crisis that US has not read: its number."""
    did = machine.good("cn", *CRISIS)[0]["draft"]
    machine.good("cn", "--as", "expert-2", "approve", did, "--yes")
    return machine.good("cn", "--as", "official", "approve", did, "--yes")[0]["number"]


@pytest.fixture
def beside(machine):
    """More files in US's desk home, removed again."""
    made = []

    def make(name, content):
        path = machine.desk("us") / name
        kept = path.read_bytes() if path.exists() else None
        made.append((path, kept))
        if isinstance(content, str):
            path.write_text(content, "utf-8")
            path.chmod(0o600)
        else:
            shutil.copy(content, path)
        return path

    yield make
    for path, kept in made:
        path.unlink() if kept is None else path.write_bytes(kept)


def test_only_an_officer_of_a_post_works_there(machine, refuses):
    """A seat that is no post, and one that the home does not hold, take, hand over and leave nothing."""
    held_by(machine, "duty")
    for name in ("expert-1", "official", "operator"):
        for words in (("take",), ("handover", "--to", "duty"), ("leave",)):
            refuses("us", "--as", name, "watch", *words, "--yes", exit_code=4, code="NO_POST", named=("duty",))
    refuses("us", "--as", "nobody", "watch", "take", "--yes", exit_code=2, code="NO_SEAT")


def test_whoever_does_not_hold_the_post_takes_it_with_an_official_or_operator_alone(machine, refuses):
    """The holder takes nothing twice; another officer is told who holds it; the second person has one of two roles."""
    held_by(machine, "duty")
    refuses("us", "watch", "take", "--yes", exit_code=4, code="WATCH_OWN", named=("duty",))
    second = ("us", "--as", "duty.2", "watch")
    refuses(*second, "take", "--yes", exit_code=4, code="POST_HELD", named=("--with", "UTC"))
    for name in ("expert-1", "records", "duty"):
        refuses(*second, "take", "--with", name, "--yes", exit_code=4, code="WATCH_ROLE", named=(name,))
    refuses(*second, "take", "--with", "duty.2", "--yes", exit_code=4, code="WATCH_SAME", named=("duty.2",))
    refuses(*second, "take", "--with", "nobody", "--yes", exit_code=2, code="NO_SEAT")
    for words in (("handover", "--to", "duty"), ("leave",)):
        refuses(*second, *words, "--yes", exit_code=4, code="NOT_HOLDER", named=("duty",))


def test_a_held_post_is_taken_with_an_operator(machine):
    """A forgotten handover: the incoming officer and an operator sign, and the other side sees who holds the post."""
    held_by(machine, "duty")
    done = machine.good("us", "--as", "duty.2", "watch", "take", "--with", "operator", "--yes")[0]
    assert (done["op"], done["on"], done["off"], done["override"]) == ("take", "us-duty-2", "us-operator", False)
    assert post(machine)["person"] == "us-duty-2"
    shown = machine.command("us", "show", done["record"]).stdout
    assert "US Duty Officer: taken over by US Duty Officer 2, US Operator signed too" in shown


def test_two_persons_of_one_seat_hand_over(machine, refuses, beside, tmp_path):
    """The holder itself, a second key file of the same person, another seat and a wrong passphrase hand nothing over."""
    held_by(machine, "duty")
    keys = machine.desk("us") / "keys"
    beside("keys/duty.3.key", keys / "duty.key")
    beside("keys/duty.4.key", keys / "official.key")
    wrong = tmp_path / "wrong"
    wrong.write_text("another word\n")
    wrong.chmod(0o600)
    hand = ("us", "watch", "handover", "--yes", "--to")
    for name in ("duty", "duty.3"):
        refuses(*hand, name, exit_code=4, code="WATCH_SAME", named=(name,))
    refuses(*hand, "duty.4", exit_code=2, code="SEAT_KEY", named=("official",))
    refuses(*hand, "operator", exit_code=4, code="WATCH_SEAT", named=("operator", "duty"))
    refuses(*hand, "duty.2", "--second-passphrase-file", wrong, exit_code=4, code="PASSPHRASE")
    refuses(*hand, "duty.2", "--override", "official", exit_code=4, code="OVERRIDE_IDLE", named=("--override",))


def test_both_officers_sign_a_handover(machine):
    """One record with both signatures; each officer's passphrase may lie in a file of its own."""
    held_by(machine, "duty")
    words = ("--to", "duty.2", "--second-passphrase-file", machine.desk("us") / "passphrase")
    done = machine.good("us", "watch", "handover", *words, "--yes")[0]
    assert (done["op"], done["off"], done["on"], done["override"]) == ("handover", "us-duty", "us-duty-2", False)
    machine.until(lambda: done["record"] in machine.command("cn", "log").stdout)
    record = next(r for r in machine.good("cn", "log") if r["record"] == done["record"])
    assert (record["t"], record["reason"], record["signers"]) == ("watch", "", ["duty", "duty"])
    assert record["detail"] == "US Duty Officer: handed over by US Duty Officer to US Duty Officer 2"


def test_an_empty_post_is_nobodys_to_hand_over(machine, refuses):
    """Where no post is taken, nobody hands it over or leaves it."""
    emptied(machine)
    for words in (("handover", "--to", "duty.2"), ("leave",)):
        refuses("us", "watch", *words, "--yes", exit_code=4, code="WATCH_EMPTY", named=("duty",))


def test_an_empty_post_is_taken_by_one_officer(machine):
    """Both sides see what the log shows of an empty post; one officer takes it alone."""
    emptied(machine)
    machine.until(lambda: "US Duty Officer: no post is taken since" in machine.command("cn", "watch", "status").stdout)
    assert machine.good("us", "--as", "duty.2", "watch", "take", "--yes")[0]["off"] is None
    machine.until(
        lambda: "US Duty Officer: US Duty Officer 2, since" in machine.command("cn", "watch", "status").stdout
    )


def test_nothing_is_signed_without_a_terminal_or_a_yes(machine, refuses):
    """The list is shown, and nothing is signed."""
    emptied(machine)
    refuses("us", "watch", "take", exit_code=2, code="WATCH_UNSIGNED", named=("--yes",), shown=True)


def test_at_a_terminal_a_person_is_asked_after_the_list(machine):
    """A no signs nothing; a yes takes the post."""
    emptied(machine)
    home = ("--home", machine.desk("us"), "--lang", "en", "watch", "take")
    code, shown = machine.at_terminal(*home, typed="n", after="do you take over?")
    assert (code, post(machine)["person"], "WATCH_UNSIGNED" in shown) == (2, None, True)
    code, shown = machine.at_terminal(*home, typed="y", after="do you take over?")
    assert (code, post(machine)["person"]) == (0, "us-duty")
    assert shown.index("Waiting for this side") < shown.index("do you take over?") < shown.index("has taken over")


def test_the_list_of_what_was_open_is_kept_with_the_record(machine):
    """The sealed note of a handover names its record, its payload, what the officers wrote, and each open message."""
    held_by(machine, "duty")
    number = machine.good("cn", "send", "kept open")[0]["number"]
    done = machine.good("us", "watch", "handover", "--to", "duty.2", "--note", "See the question.", "--yes")[0]
    text = machine.good("us", "--as", "duty.2", "note")[-1]["text"]
    assert [
        part for part in (done["record"], done["payload"], "Note: See the question.", number) if part not in text
    ] == []
    assert "override" not in text
    assert machine.good("us", "--as", "operator", "note") == []


def test_crisis_that_is_not_read_stays_with_the_holder(machine, refuses):
    """A handover and leaving wait for the receipt; nobody but an official signs in the holder's place."""
    held_by(machine, "duty")
    number = crisis(machine)
    machine.until(lambda: number in machine.command("us", "watch", "status").stdout)
    hand = ("us", "watch", "handover", "--to", "duty.2", "--yes")
    refuses(*hand, exit_code=4, code="HANDOVER_CRISIS", named=(number, "--override"))
    refuses("us", "watch", "leave", "--yes", exit_code=4, code="HANDOVER_CRISIS", named=(number,))
    for name in ("expert-1", "operator", "duty"):
        code = "WATCH_SAME" if name == "duty" else "WATCH_ROLE"
        refuses(*hand, "--override", name, exit_code=4, code=code, named=(name,))


def test_an_official_may_sign_for_the_outgoing_officer(machine):
    """The incoming officer takes with the official, and the note says why; after the receipt officers hand over again."""
    held_by(machine, "duty")
    number = crisis(machine)
    machine.until(lambda: number in machine.command("us", "watch", "status").stdout)
    done = machine.good("us", "watch", "handover", "--to", "duty.2", "--override", "principal", "--yes")[0]
    assert (done["op"], done["on"], done["off"], done["override"]) == ("take", "us-duty-2", "us-principal", True)
    text = machine.good("us", "note")[-1]["text"]
    (said,) = [line for line in text.split("\n") if "(override)" in line]
    assert number in said
    read_all(machine)
    assert machine.good("us", "--as", "duty.2", "watch", "handover", "--to", "duty", "--yes")[0]["op"] == "handover"


def test_a_watch_record_is_corrected_and_stays_readable(machine):
    """F14 names a handover by its place; beside the correction the record says what it said, on both sides."""
    held_by(machine, "duty")
    done = machine.good("us", "watch", "handover", "--to", "duty.2", "--yes")[0]
    sent = machine.good("us", "--as", "duty.2", "correct", done["record"], "The shift began an hour earlier.")[0]
    assert (sent["format"], sent["correction"]) == ("F14", "COR")
    machine.until(lambda: machine.good("cn", "show", done["record"])[0]["corrections"] == [sent["number"]])
    for side, lang, said in (
        ("us", "en", "US Duty Officer: handed over by US Duty Officer to US Duty Officer 2"),
        ("cn", "zh", "US 值班员：美方值班员与美方值班员二交接班"),
    ):
        shown = machine.command(side, "show", done["record"], lang=lang).stdout
        assert [part for part in (done["record"], said, sent["number"]) if part not in shown] == []
        assert done["record"] in machine.command(side, "show", sent["number"], lang=lang).stdout
    assert post(machine)["person"] == "us-duty-2"
    theirs = machine.command("cn", "correct", done["record"], "Not ours.")
    assert (theirs.exit_code, "(OTHERS_WORDS)" in theirs.stderr) == (4, True)


def test_the_plan_is_shown_and_never_enforced(machine):
    """Who is next stands in the own node's file; status shows it to the own side, and a take asks nothing of it."""
    file = machine.node("us") / "node.toml"
    before = file.read_text("utf-8")
    held_by(machine, "duty")
    try:
        shift = '\n[[watch.shift]]\nseat = "duty"\nperson = "us-duty-2"\nfrom = "2020-01-01T00:00Z"\nhours = 24\nevery = 24\n'
        file.write_text(before + shift, "utf-8")
        found = post(machine)
        assert (found["person"], found["planned"]["person"], found["next"]["person"]) == (
            "us-duty",
            "us-duty-2",
            "us-duty-2",
        )
        assert "planned now: US Duty Officer 2" in machine.command("us", "watch", "status").stdout
        assert "planned" not in machine.command("cn", "watch", "status").stdout
        machine.good("us", "watch", "leave", "--yes")
        machine.good("us", "watch", "take", "--yes")
        file.write_text(before + shift.replace("us-duty-2", "US DUTY"), "utf-8")
        broken = machine.command("us", "watch", "status")
        assert (broken.exit_code, "(CONFIG)" in broken.stderr, "person" in broken.stderr) == (2, True, True)
    finally:
        file.write_text(before, "utf-8")


def test_the_own_procedure_stands_beside_what_waits(machine, beside):
    """A message that waits for this side is shown with the party's own text for its level; once answered, without it."""
    beside("procedures.toml", '[attention]\nen = "Call the second expert.\\nThen read back."\nzh = "请第二位专家。"\n')
    sent = machine.good("cn", "send", "waits for us")[0]
    number = sent["number"]
    for words in (("show", number), ("watch", "status")):
        assert "Call the second expert.\n" in machine.command("us", *words).stdout
        assert "请第二位专家。" in machine.command("us", *words, lang="zh").stdout
    assert "Then read back." in machine.command("us", "inbox").stdout
    assert "second expert" not in machine.command("cn", "show", number).stdout
    machine.good("us", "--as", "duty", "ack", number)
    machine.good("us", "ack", number, "--step", "engaged")
    machine.good("us", "readback", number, "Read back.")
    waits = [item for item in machine.good("us", "watch", "status") if item.get("number") == number]
    assert ("second expert" in machine.command("us", "show", number).stdout) == bool(waits)


@pytest.mark.parametrize(("text", "named"), [
    ('[red]\nen = "x"\nzh = "x"\n', "red"), ('[serious]\nen = "x"\n', "serious"),
    ('[serious]\nen = 5\nzh = "x"\n', "serious.en"), ('[serious]\nen = " "\nzh = "x"\n', "serious.en"),
    ("serious = 5\n", "serious"), ("[serious", "-"),
])  # fmt: skip
def test_procedures_that_can_not_be_read_are_told_with_file_and_key(machine, beside, text, named):
    """A wrong level, a missing language, no text: one clear error, and nothing else of the file is shown."""
    path = beside("procedures.toml", text)
    for words in (("watch", "procedures"), ("watch", "status"), ("inbox",)):
        for lang in ("en", "zh"):
            result = machine.command("us", *words, lang=lang)
            assert (result.exit_code, "(CONFIG)" in result.stderr) == (2, True), result.output
            assert [part for part in (str(path), named) if part not in result.stderr] == []


def test_a_party_without_procedures_is_told_so(machine, beside):
    """Where the file is gone, nothing is shown beside messages, and the list says where it would be."""
    path = beside("procedures.toml", "")
    path.unlink()
    assert "procedures.toml" in machine.command("us", "watch", "procedures").stdout
    assert machine.command("us", "watch", "status").exit_code == 0
    path.write_text("")


def test_status_tells_programs_what_people_see(machine):
    """Each post, each awaited and each owed message is one object, with times in ms and the receipts by code."""
    held_by(machine, "duty")
    ours = machine.good("us", "send", "ours")[0]["number"]
    theirs = machine.good("cn", "send", "theirs")[0]["number"]
    items = machine.good("us", "watch", "status")
    found = {item["number"]: item for item in items if item["kind"] in ("awaited", "owed")}
    assert (found[ours]["kind"], found[theirs]["kind"]) == ("awaited", "owed")
    assert [r["receipt"] for r in found[theirs]["receipts"]][:2] == ["read", "engaged"]
    assert {r["step"] for r in found[ours]["receipts"]} == {0}
    held = post(machine)
    assert (held["person"], held["act"]) == ("us-duty", "watch")
    assert json.dumps(held["since"]).isdigit()
