"""The authorities change the policy, an operator the points of contact: handed in with ``submit``, and both sides see one place.

Documents are signed with the trial's own keys, written to files as a ceremony leaves them, and go through two nodes that
run as processes.
"""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from msgspec.structs import replace

from channel.client.home import DeskHome
from channel.client.view import View
from channel.formats import format_book
from channel.protocol.charter import Contact, Contacts
from keys.codec import pack, unpack
from keys.envelope import sign
from keys.shapes import ZERO

PARTIES = ("us", "cn")


class Ceremony:
    """Whoever holds the keys of both authorities and of all members; its files lie in ``folder``."""

    def __init__(self, machine, folder):
        self.machine, self.folder, self.made = machine, folder, 0
        self.parties = {party.code.lower(): party for party in machine.trial.parties}

    def file(self, raw):
        self.made += 1
        path = self.folder / f"{self.made}.dcm"
        path.write_bytes(raw)
        return path

    def view(self, party):
        """What a desk has verified by now."""
        self.machine.good(party, "log")
        home = DeskHome(self.machine.desk(party))
        try:
            return View(home)
        finally:
            home.close()

    def policy(self, **changes):
        """The next version's document, from what the parties agreed last."""
        fold = self.view("us").fold
        now = fold.policy("a")
        fields = {"ver": now.ver + 1, "prev": fold.policy_payload("a"), "chan": fold.chan}
        return replace(now, **fields | changes)

    def signed(self, policy, us=3, cn=3):
        """With so many authority keys of each side."""
        keys = [*self.parties["us"].authority[:us], *self.parties["cn"].authority[:cn]]
        return self.file(sign("policy", policy, keys).encode())

    def contacts(self, side, *listed, seat="operator", by="", **changes):
        """A party's next list in a file, signed by a seat of that party, or of the one that ``by`` names."""
        fold = self.view(side).fold
        letter = fold.charter.letter(side.upper())
        mine = [v for v in fold.display() if v.letter == letter and isinstance(v.doc, Contacts) and not v.reason]
        newest = (mine[-1].doc.ver, mine[-1].envelope.hash) if mine else (0, ZERO)
        fields = {"mode": 2, "party": side.upper(), "ver": newest[0] + 1, "prev": newest[1], "ts": 1, "list": listed}
        key = next(m.sign for m in self.parties[by or side].members if m.seat == seat)
        return self.file(sign("contacts", Contacts(**fields | changes), [key]).encode())


@pytest.fixture
def ceremony(machine, tmp_path):
    return Ceremony(machine, tmp_path)


def shown(machine, party, place):
    return machine.good(party, "show", place)[0]


def seen_by_both(machine, place):
    """What both sides' ``show`` says of a record once each is in force for both; it has to be the same."""

    def told():
        return [shown(machine, party, place)["in_force"] for party in PARTIES]

    machine.until(lambda: all(None not in each["from"].values() for each in told()))
    us, cn = told()
    assert us == cn
    return us


def page(machine, party, place, lang):
    result = machine.command(party, "show", place, lang=lang)
    assert result.exit_code == 0
    return result.stdout


def test_a_policy_takes_effect_at_the_same_place_for_both(machine, ceremony):
    """Signed by both thresholds: nowhere while one log has it, then from one record of each side on, in both languages."""
    policy = ceremony.policy(categories=("LOC", "UNX", "CYB"))
    file = ceremony.signed(policy, us=2, cn=2)
    (first,) = machine.good("us", "submit", file)
    place = first["record"]
    assert first["in_force"] == {"stands": {"CN": None, "US": place}, "from": {"CN": None, "US": None}}
    machine.until(lambda: place in {r["record"] for r in machine.good("cn", "log")})
    for party in PARTIES:
        assert f"Stands in one log alone: {place}." in page(machine, party, place, "en")
        assert f"目前仅一份日志载有：{place}" in page(machine, party, place, "zh")
        for code in ("US", "CN"):
            assert f"Not yet in force for {code}" in page(machine, party, place, "en")
            assert f"对{code}尚未生效" in page(machine, party, place, "zh")
        assert ceremony.view(party).fold.policy("a").ver == policy.ver - 1
    (second,) = machine.good("cn", "submit", file)
    other = second["record"]
    agreed = seen_by_both(machine, place)
    assert seen_by_both(machine, other) == agreed
    assert agreed["stands"] == {"CN": other, "US": place}
    for party in PARTIES:
        assert ceremony.view(party).fold.policy("a") == policy
        for at in (place, other):
            for code, since in agreed["from"].items():
                assert f"In force for {code} from record {since} on." in page(machine, party, at, "en")
                assert f"自记录{since}起对{code}生效。" in page(machine, party, at, "zh")
            assert f"Stands in both logs: {other} · {place}." in page(machine, party, at, "en")
            assert f"两份日志均已载有：{other} · {place}。" in page(machine, party, at, "zh")
    _first_records(ceremony, policy, agreed)
    for party in PARTIES:
        refused = machine.command(party, "--json", "send", "--category", "FIN", "a category that is off")
        assert (refused.exit_code, json.loads(refused.stderr)["code"]) == (2, "CODE")
        machine.good(party, "send", "--category", "CYB", "a category that is on")


def _first_records(ceremony, policy, agreed):
    """The records named are the first whose own prefix and ``seen`` have the policy (docs/protocol.md 4.2)."""
    fold = ceremony.view("us").fold
    stands = {code: int(place.split(":")[1]) for code, place in agreed["stands"].items()}
    for code, other in (("CN", "US"), ("US", "CN")):
        letter = fold.charter.letter(code)
        log = [fold.verdict(letter, i) for i in range(fold.cut["ab".index(letter)])]
        first = next((v.index for v in log if v.index > stands[code] and v.record.seen[1] > stands[other]), len(log))
        assert agreed["from"][code] == f"{code}:{first}"
        assert log[stands[code]].doc == policy


def with_new_book(ceremony):
    """A policy with a format book that no record has named yet: its file, and the book's."""
    files = unpack(format_book())
    newer = files["F03.toml"].replace(b"Initial Incident Notification", b"Newer Notification")
    assert newer != files["F03.toml"]
    levels = files["levels.toml"] + b"\n# another one\n" * (ceremony.policy().ver + 1)
    book = pack({**files, "levels.toml": levels, "F03.toml": newer})
    return ceremony.signed(ceremony.policy(formats=sha256(book).digest())), ceremony.file(book)


def test_a_policy_with_new_books_brings_them(machine, ceremony):
    """New books are blobs of the record: with them both sides write by the new ones from one place on, and read each
    message by those that held for it."""
    ((older,),) = ([item["number"] for item in machine.good("us", "send", "by the old book")],)
    file, book = with_new_book(ceremony)
    places = [machine.good(party, "submit", file, "--blob", book)[0]["record"] for party in PARTIES]
    agreed = seen_by_both(machine, places[0])
    assert agreed["stands"] == {"US": places[0], "CN": places[1]}
    for party in PARTIES:
        view = ceremony.view(party)
        assert view.fold.policy("a").formats == sha256(book.read_bytes()).digest()
        (sent,) = machine.good(party, "send", "by the new book")
        for reader in PARTIES:
            machine.until(lambda r=reader, n=sent["number"]: n in machine.command(r, "inbox").output)
            for number, told in ((sent["number"], "Newer Notification"), (older, "Initial Incident Notification")):
                assert told in machine.command(reader, "show", number).output


def test_a_policy_without_its_books_is_refused(machine, ceremony, refuses):
    """A book that neither comes along nor stands in that log: refused on either side."""
    file, _ = with_new_book(ceremony)
    for party in PARTIES:
        refuses(party, "submit", file, exit_code=4, code="FMT")
        refuses(party, "submit", file, "--blob", ceremony.file(b"another book"), exit_code=4, code="FMT")


@pytest.mark.parametrize(
    ("signers", "changes", "code"),
    [
        ({"us": 3, "cn": 0}, {}, "SIG"),
        ({"us": 0, "cn": 3}, {}, "SIG"),
        ({"us": 3, "cn": 1}, {}, "SIG"),
        ({}, {"prev": bytes(32)}, "CHAIN"),
        ({}, {"ver": 99}, "CHAIN"),
        ({}, {"mode": 1}, "MODE"),
        ({}, {"chan": bytes(32)}, "CHAN"),
        ({}, {"fold": 2}, "FMT"),
    ],
    ids=["US alone", "CN alone", "one of CN", "prev", "version", "mode", "channel", "fold"],
)
def test_a_policy_that_is_not_both_sides_next_one_is_refused(machine, ceremony, refuses, signers, changes, code):
    """One threshold alone, another predecessor, version, mode, channel or fold: refused on either side, nothing logged."""
    file = ceremony.signed(ceremony.policy(**changes), **signers)
    for party in PARTIES:
        refuses(party, "submit", file, exit_code=4, code=code)


def test_points_of_contact_count_for_both_from_the_same_places(machine, ceremony):
    """An operator's list counts in its own log at once, and for the other side from its first record that has seen it."""
    for party, code in (("us", "US"), ("cn", "CN")):
        line = Contact(kind="embassy", en="Duty officer", zh="值班员", addr="by telephone", hours="24 h")
        (first,) = machine.good(party, "submit", ceremony.contacts(party, line))
        place = first["record"]
        assert first["in_force"]["stands"] == {c: place if c == code else None for c in ("CN", "US")}
        agreed = seen_by_both(machine, place)
        assert int(agreed["from"][code].split(":")[1]) > int(place.split(":")[1])
        for reader in PARTIES:
            for each, since in agreed["from"].items():
                assert f"In force for {each} from record {since} on." in page(machine, reader, place, "en")
                assert f"自记录{since}起对{each}生效。" in page(machine, reader, place, "zh")
            assert "by telephone" in page(machine, reader, place, "en")


def test_points_of_contact_that_are_not_an_operators_next_list_are_refused(machine, ceremony, refuses):
    """An expert's signature, the other side's operator, a wrong version or predecessor: refused, nothing logged."""
    for made, code in (
        (ceremony.contacts("us", seat="expert-1"), "SIGNER"),
        (ceremony.contacts("us", seat="duty"), "SIGNER"),
        (ceremony.contacts("us", by="cn"), "SIGNER"),
        (ceremony.contacts("us", party="CN"), "CHAN"),
        (ceremony.contacts("us", mode=1), "MODE"),
        (ceremony.contacts("us", ver=7), "CHAIN"),
        (ceremony.contacts("us", prev=b"\x01" * 32), "CHAIN"),
    ):
        refuses("us", "submit", made, exit_code=4, code=code)
