"""Messages that several persons sign: the life of a draft, what each signer signs, and what the node holds before."""

from __future__ import annotations

import asyncio
import os
import re
import time
from hashlib import sha256

import pytest
from msgspec.structs import replace

from channel.cli.desk import unlock
from channel.client import drafts
from channel.client.client import Client
from channel.client.home import DeskHome
from channel.client.unlocking import node_url
from channel.clock import SystemClock
from channel.protocol.record import read_record
from keys.documents import Member, Named, Revoke, Roster
from keys.envelope import media_type, pae, read_envelope, sign
from keys.errors import Problem, Refused
from keys.identity import PrivateKey
from keys.pop import Claim, make_kem_pop, make_pop
from keys.suites import SEAL, SIGN
from tests.cli.running import LIMITS, Machine

DRAFT = ["send", "Two have to sign this.", "--level", "serious"]


def proposed(machine, *words, cosign="duty"):
    """A draft of US's first expert, as its author sees it."""
    return machine.good("us", *(words or DRAFT), "--cosign", cosign)[0]


def state(machine, draft, seat="expert-1"):
    """What became of a draft, as a seat of US has it."""
    found = machine.good("us", "--as", seat, "drafts", "--all")
    return next((each["state"] for each in found if each["draft"] == draft["draft"]), None)


def people(machine, party="us"):
    """How many messages a party's own log holds."""
    return len([r for r, t in machine.said(party) if t == "msg" and r.startswith(party.upper())])


def with_client(machine, seat, act):
    """Do something at the desk of a seat of US, below the commands."""

    async def run():
        held = DeskHome(machine.desk("us"))
        try:
            async with Client(
                held, unlock(held, seat, None), node_url(held), clock=SystemClock(), random=os.urandom
            ) as c:
                await c.sync()
                return await act(c)
        finally:
            held.close()

    return asyncio.run(run())


# --- from proposal to release -----------------------------------------------------------------------------------------


def test_a_draft_waits_until_the_last_signer_releases_it(machine):
    """Nothing is logged while signatures are missing; the last one sends it, and everyone sees what became of it."""
    before = people(machine)
    draft = proposed(machine, cosign="duty,official")
    assert (draft["seat"], draft["state"], draft["format"], draft["level"]) == ("expert-1", "waiting", "F03", "serious")
    assert (draft["signed"], sorted(draft["missing"])) == (["expert-1"], ["duty", "official"])
    assert draft["body"]["line"] == "Two have to sign this."
    (half,) = machine.good("us", "--as", "official", "approve", draft["draft"], "--yes")
    assert (sorted(half["signed"]), half["missing"]) == (["expert-1", "official"], ["duty"])
    assert people(machine) == before
    (sent,) = machine.good("us", "--as", "duty", "approve", draft["draft"][:8], "--yes")
    assert (sent["level"], sent["body"]) == ("serious", draft["body"])
    assert people(machine) == before + 1
    assert [state(machine, draft, seat) for seat in ("expert-1", "official", "duty")] == ["released"] * 3
    shown = machine.command("cn", "show", sent["number"], lang="zh").stdout
    assert "会签人：US 值班员、US 官员" in shown or "会签人：US 官员、US 值班员" in shown


@pytest.mark.parametrize(("lang", "words"), [("en", ("waits for signatures", "still to sign: Duty Officer")),
                                              ("zh", ("待会签", "值班员"))])  # fmt: skip
def test_the_drafts_that_wait_are_listed_for_those_who_sign(machine, lang, words):
    """Its author and its signers see format, author, and who is missing; nobody else sees it among the drafts."""
    draft = proposed(machine)
    for seat in ("expert-1", "duty"):
        listed = machine.command("us", "--as", seat, "drafts", lang=lang).stdout
        entry = listed[listed.index(draft["draft"][:8]) :]
        assert re.match(r"[0-9a-f]{8}  F03  \d{4}-.* UTC  ", entry)
        assert [word for word in words if word not in entry] == []
    assert draft["draft"][:8] not in machine.command("us", "--as", "expert-2", "drafts", "--all", lang=lang).stdout
    machine.good("us", "withdraw", draft["draft"])


def test_every_signature_is_over_the_same_bytes(machine):
    """The envelope in the log has the keys of exactly those who signed, each of them valid over the one payload."""
    draft = proposed(machine, *DRAFT[:2], "--level", "crisis", cosign="expert-2,official")
    machine.good("us", "--as", "expert-2", "approve", draft["draft"], "--yes")
    (sent,) = machine.good("us", "--as", "official", "approve", draft["draft"], "--yes")
    index = int(sent["record"].partition(":")[2])
    for party in ("us", "cn"):
        machine.until(lambda party=party: machine.command(party, "show", sent["number"]).exit_code == 0)
        home = DeskHome(machine.desk(party))
        envelope = read_envelope(read_record(home.records("b")[index]).env)
        home.close()
        us = next(p for p in machine.trial.parties if p.code == "US")
        public = {m.sign.kid: m.sign.public for m in us.members if m.seat in ("expert-1", "expert-2", "official")}
        assert set(envelope.kids) == set(public)
        said = pae(media_type("msg"), envelope.payload)
        assert [public[kid].verify(2, said, sig) for kid, sig in envelope.signatures] == [True] * 3


def test_the_node_has_the_message_only_once_it_is_released(machine):
    """Before the last signature the sealed message is neither served by the node nor in any of its files."""
    draft = proposed(machine)
    waiting = with_client(machine, "duty", lambda client: drafts.find(client, draft["draft"]))
    blob = waiting.said.blob

    async def served(client):
        try:
            return await client.wire.blob(waiting.said.payload.blob)
        except Problem as e:
            return e.code

    def on_disk():
        return any(blob[:64] in p.read_bytes() for p in machine.node("us").rglob("*") if p.is_file())

    assert (with_client(machine, "duty", served), on_disk()) == ("NOT_FOUND", False)
    machine.good("us", "--as", "duty", "approve", draft["draft"], "--yes")
    assert (with_client(machine, "duty", served), on_disk()) == (blob, True)


def test_a_signer_sees_what_is_signed_in_the_own_language(machine):
    """approve shows the message as it will stand, marked as a draft, before it asks; without an answer nothing is signed."""
    draft = proposed(machine)
    for lang, words in (("en", "F03 Initial Incident Notification"), ("zh", "F03 事件初次通报（初报）")):
        shown = machine.command("us", "--as", "duty", "approve", draft["draft"], lang=lang)
        assert (shown.exit_code, "(NOT_APPROVED)" in shown.stderr) == (2, True)
        assert shown.stdout.startswith("EXERCISE / 演练 · draft / 草稿\n")
        assert words in shown.stdout
        assert "Two have to sign this." in shown.stdout
    refused = machine.command("us", "--json", "--as", "duty", "approve", draft["draft"])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert state(machine, draft) == "waiting"


@pytest.mark.parametrize(("typed", "exit_code", "became"), [("n", 2, "waiting"), ("y", 0, "released")])
def test_a_signer_is_asked_at_a_terminal(machine, typed, exit_code, became):
    """At a terminal the question is asked after the text; only a yes signs."""
    draft = proposed(machine)
    line = ["--home", machine.desk("us"), "--as", "duty", "approve", draft["draft"]]
    code, shown = machine.at_terminal(*line, typed=typed, after="Sign exactly this?")
    assert (code, state(machine, draft)) == (exit_code, became)
    assert shown.index("Two have to sign this.") < shown.index("Sign exactly this?")


# --- how a draft ends --------------------------------------------------------------------------------------------------


def over(machine, refuses, draft, seat="duty"):
    """A draft that is over can't be signed, sent back or withdrawn, and nothing of it reaches the log."""
    named = (draft["draft"][:8],)
    refuses("us", "--as", seat, "approve", draft["draft"], "--yes", exit_code=4, code="DRAFT_ENDED", named=named)
    refuses("us", "--as", seat, "reject", draft["draft"], "--why", "x", exit_code=4, code="DRAFT_ENDED", named=named)
    refuses("us", "withdraw", draft["draft"], exit_code=4, code="DRAFT_ENDED", named=named)


def test_a_signer_sends_it_back_with_a_comment(machine, refuses):
    """reject ends it; author and signers read who did and why, others do not, and the comment is not in the clear."""
    draft = proposed(machine)
    (told,) = machine.good("us", "--as", "duty", "reject", draft["draft"], "--why", "Say whose network it is.")
    assert (told["state"], told["ended_by"]) == ("rejected", "duty")
    assert told["comments"] == [["duty", "Say whose network it is."]]
    assert "Duty Officer: Say whose network it is." in machine.command("us", "drafts", "--all").stdout
    assert "值班员: Say whose network it is." in machine.command("us", "drafts", "--all", lang="zh").stdout
    assert "Say whose" not in machine.command("us", "--as", "expert-2", "drafts", "--all").stdout
    assert "Say whose" not in machine.command("us", "--as", "expert-2", "note").stdout
    assert not any(b"Say whose" in p.read_bytes() for p in machine.node("us").rglob("*") if p.is_file())
    over(machine, refuses, draft)


def test_its_author_withdraws_it(machine, refuses):
    """withdraw ends it, with or without a comment."""
    draft = proposed(machine)
    (told,) = machine.good("us", "withdraw", draft["draft"])
    assert (told["state"], told["ended_by"], told["comments"]) == ("withdrawn", "expert-1", [])
    assert draft["draft"][:8] not in machine.command("us", "drafts").stdout
    over(machine, refuses, draft)


def test_it_ends_when_a_newer_message_in_its_case_arrives(machine, refuses):
    """What the other side, or the own, says in the case in the meantime overtakes it; what another case brings does not."""
    (case,) = machine.good("us", "send", "A case.")
    (other,) = machine.good("us", "send", "Another case.")
    words = ["raise", case["number"], "--to", "serious"]
    first = proposed(machine, *words)
    machine.good("cn", "send", "别的事件。", "--case", other["number"])
    assert state(machine, first) == "waiting"
    machine.good("cn", "send", "有新情况。", "--case", case["number"])
    assert [state(machine, first, seat) for seat in ("expert-1", "duty")] == ["overtaken"] * 2
    second = proposed(machine, *words)
    machine.good("us", "--as", "expert-2", "send", "More.", "--case", case["number"])
    assert state(machine, second) == "overtaken"
    over(machine, refuses, first)


def test_it_ends_when_a_key_that_it_names_no_longer_holds(machine, refuses, tmp_path):
    """After the principal's key is revoked neither a draft that needs it nor one that is sealed to it can be signed."""
    signer = proposed(machine, *DRAFT[:2], "--level", "principals", cosign="expert-2,principal")
    reader = proposed(machine)
    us = next(p for p in machine.trial.parties if p.code == "US")
    keys = {m.seat: m for m in us.members}
    document = Revoke(mode=2, party="US", kids=(keys["principal"].sign.kid,), reason="lost", ts=SystemClock().now())
    file = tmp_path / "revoke"
    file.write_bytes(sign("revoke", document, [keys["operator"].sign]).encode())
    machine.good("us", "submit", file)
    assert [state(machine, signer), state(machine, reader)] == ["void", "void"]
    fresh = proposed(machine)
    machine.good("us", "--as", "duty", "approve", fresh["draft"], "--yes")
    over(machine, refuses, signer, seat="expert-2")
    over(machine, refuses, reader)


def test_it_ends_after_its_time(small):
    """After draft_ttl of the policy it is over, and a second signature that comes after confirm_s is shown as late."""
    machine = small(draft_ttl=1, confirm_s=1)
    draft = proposed(machine)
    (sent,) = machine.good("us", "send", "--format", "F13", "MEADOW 02", "--single")
    assert sent["confirm"] == "awaiting"
    time.sleep(2.1)
    assert state(machine, draft) == "expired"
    for lang in ("en", "zh"):
        result = machine.command("us", "--as", "duty", "approve", draft["draft"], "--yes", lang=lang)
        assert (result.exit_code, "(DRAFT_ENDED)" in result.stderr) == (4, True)
    assert machine.good("us", "confirm", sent["number"])[0]["confirm"] == "late"
    machine.until(lambda: machine.good("cn", "show", sent["number"])[0]["confirm"] == "late")
    assert "confirmed late" in machine.command("cn", "inbox").stdout
    assert "逾时签署" in machine.command("cn", "show", sent["number"], lang="zh").stdout
    assert machine.command("us", "--as", "duty", "confirm", sent["number"]).exit_code == 4


def test_a_signer_who_thought_for_a_while(machine):
    """What a signer looked at before its author took it back is neither signed nor sent after that."""
    draft = proposed(machine)
    before = people(machine)
    looked_at = with_client(machine, "duty", lambda client: drafts.find(client, draft["draft"]))
    machine.good("us", "withdraw", draft["draft"])
    with pytest.raises(Refused, match="DRAFT_ENDED"):
        with_client(machine, "duty", lambda client: drafts.approve(client, looked_at))
    (ended,) = [d for d in machine.good("us", "drafts", "--all") if d["draft"] == draft["draft"]]
    assert (ended["state"], ended["missing"]) == ("withdrawn", ["duty"])
    assert people(machine) == before


# --- who may ------------------------------------------------------------------------------------------------------------


def test_nobody_signs_alone_or_twice(machine, refuses):
    """Its author can't approve it, nor name the own seat; who has signed can't sign again; a released one is over."""
    draft, released = proposed(machine, cosign="duty,official"), proposed(machine)
    for each in (draft, released):
        machine.good("us", "--as", "duty", "approve", each["draft"], "--yes")
    refuses("us", *DRAFT, "--cosign", "expert-1", exit_code=4, code="SELF_APPROVAL", named=("expert-1",))
    for seat in ("expert-1", "duty"):
        words = ["--as", seat, "approve", draft["draft"], "--yes"]
        named = (draft["draft"][:8],)
        refuses("us", *words, exit_code=4, code="SIGNED_BEFORE", named=named, shown=True)
        refuses("us", "--as", seat, "approve", released["draft"], "--yes", exit_code=4, code="DRAFT_ENDED")
    machine.good("us", "withdraw", draft["draft"])


def test_a_third_person_has_no_part_in_it(machine, refuses):
    """Who is not named can't read, sign, send back or withdraw it."""
    draft = proposed(machine)
    named = (draft["draft"][:8],)
    line = ["us", "--as", "expert-2"]
    refuses(*line, "approve", draft["draft"], "--yes", exit_code=4, code="NOT_A_SIGNER", named=named)
    refuses(*line, "reject", draft["draft"], "--why", "x", exit_code=4, code="NOT_A_SIGNER", named=named)
    refuses(*line, "withdraw", draft["draft"], exit_code=4, code="DRAFT_OTHERS", named=named)
    refuses("us", "--as", "duty", "withdraw", draft["draft"], exit_code=4, code="DRAFT_OTHERS", named=named)
    refuses("us", "reject", draft["draft"], "--why", "x", exit_code=4, code="DRAFT_OWN", named=named)
    refuses("us", "approve", "0123456789", "--yes", exit_code=2, code="NO_DRAFT", named=("0123456789",))
    refuses("cn", "--as", "duty", "approve", draft["draft"], "--yes", exit_code=2, code="NO_DRAFT")
    refuses("us", "--as", "duty", "reject", draft["draft"], exit_code=2, code="USAGE_MISSING", named=("--why",))
    assert state(machine, draft) == "waiting"
    machine.good("us", "withdraw", draft["draft"])


TOGETHER = [
    ("serious", "expert-2", True), ("serious", "official", True), ("serious", "operator", False),
    ("serious", "records", False), ("crisis", "expert-2", False), ("crisis", "duty,official", False),
    ("crisis", "expert-2,official", True), ("principals", "expert-2,official", False),
]  # fmt: skip


def test_signers_who_are_not_enough_are_not_asked(machine, refuses):
    """Which seats can sign together is the policy's; the answer says in words which signatures are needed."""
    for level, cosign, enough in TOGETHER:
        words = ["send", "text", "--level", level]
        if enough:
            machine.good("us", "withdraw", proposed(machine, *words, cosign=cosign)["draft"])
        else:
            refuses("us", *words, "--cosign", cosign, exit_code=4, code="SIGNERS_NEEDED", named=("--cosign",))


@pytest.fixture
def small(tmp_path, need):
    """Starts a channel of a test's own."""
    need("embedded-valkey")
    started = []

    def start(**limits):
        started.append(Machine(tmp_path / "small", limits=replace(LIMITS, **limits)))
        started[0].start("us", "cn")
        return started[0]

    yield start
    for machine in started:
        machine.end(*list(machine.running))


def test_one_person_in_two_seats_is_one_signer(small, tmp_path):
    """A person whom a new roster gives a second seat can't sign with both, as author and signer or as two signers."""
    machine = small()
    us = next(p for p in machine.trial.parties if p.code == "US")
    before = read_envelope(machine.trial.founding.b.roster)
    roster = before.read("roster", Roster)
    keys = PrivateKey(2, SIGN, os.urandom(64)), PrivateKey(2, SEAL, os.urandom(32))
    root = read_envelope(machine.trial.founding.b.root).hash
    claim = Claim(party="US", root=root, person="us-expert-1", seat="adviser", role="official")
    pops = (
        make_pop(claim, keys[0], os.urandom(16)),
        make_kem_pop(claim, keys[0], keys[1].kid, os.urandom(32), os.urandom(16)),
    )
    blobs = [*(key.public.encode() for key in keys), *(pop.encode() for pop in pops)]
    member = Member(
        person="us-expert-1", seat="adviser", role="official", standing="government", sig=(keys[0].kid,),
        kem=(keys[1].kid,), langs=("en",), pop=tuple(sorted(sha256(pop.encode()).digest() for pop in pops)),
    )  # fmt: skip
    seats = (Named(id="adviser", en="Adviser", zh="顾问"), *roster.seats)
    new = replace(roster, ver=2, prev=before.hash, members=(*roster.members, member), seats=seats)
    file = tmp_path / "roster"
    file.write_bytes(sign("roster", new, us.authority).encode())
    words = []
    for at, blob in enumerate(blobs):
        (tmp_path / f"blob-{at}").write_bytes(blob)
        words += ["--blob", tmp_path / f"blob-{at}"]
    (told,) = machine.good("us", "submit", file, *words)
    assert (told["t"], told["reason"]) == ("roster", "")
    line = ["send", "text", "--level", "serious"]
    for lang in ("en", "zh"):
        alone = machine.command("us", *line, "--cosign", "adviser", lang=lang)
        assert (alone.exit_code, "(SELF_APPROVAL)" in alone.stderr) == (4, True)
        both = machine.command("us", "--as", "expert-2", *line, "--cosign", "expert-1,adviser", lang=lang)
        assert (both.exit_code, "(SIGNERS_NEEDED)" in both.stderr) == (4, True)
    assert machine.good("us", "--as", "expert-2", *line, "--cosign", "adviser")[0]["missing"] == ["adviser"]
    assert people(machine) == 0


def test_notes_of_the_own_side(machine):
    """note keeps a text sealed to the own side; its readers list it, the other side and the operator do not."""
    machine.good("us", "note", "Handed over", "at noon.")
    assert ["expert-1", "Handed over at noon."] in [[n["seat"], n["text"]] for n in machine.good("us", "note")]
    assert "Expert 1: Handed over at noon." in machine.command("us", "--as", "duty", "note").stdout
    for party, seat in (("us", "operator"), ("cn", "expert-1")):
        assert "Handed over" not in machine.command(party, "--as", seat, "note").stdout
    assert not any(b"Handed over" in p.read_bytes() for p in machine.node("us").rglob("*") if p.is_file())
