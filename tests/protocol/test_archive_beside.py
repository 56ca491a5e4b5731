"""What stands beside the records: reveals (docs/protocol.md 11.7), evidence (10), witnesses, and sections' encoding."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import Any

import pytest

from channel.protocol.archive import BLOB, EVIDENCE, HEAD, NOTE, RECORDS, REVEAL, framed, read, write
from channel.protocol.audit import Report, audit
from channel.protocol.charter import Witness
from channel.protocol.evidence import Known, Tree, make_e1, make_e2, make_e4, make_e6
from channel.protocol.merkle import leaf_hash
from channel.protocol.message import field_digest
from channel.protocol.note import (
    ED25519_TIMED,
    Note,
    cosign,
    cosigner_name,
    merge,
    origin,
    sign_quick,
    vkey,
)
from channel.protocol.reveal import full, redacted
from keys.codec import pack
from keys.envelope import sign
from keys.errors import Malformed, Refused
from tests.archives import AT, archive, blobs, head, log_key, note, opened, parts, proof, sealed
from tests.world import START, YEAR, Sent, World, note_keys

BODY = {"text": "one text", "state": "EST", "time": 1_795_478_400_000}


@cache
def trial() -> tuple[World, list[Sent]]:
    """Two really sealed messages, read."""
    world = World(mode=2, cooling=0, seed="beside")
    sent = [sealed(world, x, "expert1", BODY) for x in "ab"]
    world.ack("b", "expert1", sent[0])
    world.ack("a", "expert1", sent[1])
    world.sync("b")
    return world, sent


def shown(which: int = 0, **changes: Any) -> dict[str, Any]:
    sent = trial()[1][which]
    made = full(sent.doc, "CN" if sent.letter == "a" else "US", opened(sent, BODY).cek, why="review", by="US:official")
    return made | changes


def some(*names: str, **changes: Any) -> dict[str, Any]:
    sent = trial()[1][0]
    return redacted(sent.doc, "CN", opened(sent, BODY), names, why="public", by="CN:records") | changes


def checked(*reveals: dict[str, Any], form: str = "full") -> Report:
    world, sent = trial()
    if form == "full":
        return audit(archive(world, reveals=reveals), world.chan)
    return audit(proof(world, [s.ph for s in sent], reveals=reveals), world.chan)


def fails(report: Report, code: int, part: str, why: str = "") -> None:
    assert report.failure is not None
    assert (report.exit_code, report.failure.part) == (code, part)
    assert why in report.failure.why


# --- reveals --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["full", "proof"])
def test_a_reveal_shows_the_body_or_some_fields_of_it(form: str):
    """With whose message it is, who shows it and why, and how many fields stay hidden; in both forms."""
    report = checked(shown(1), some("text"), form=form)
    assert report.exit_code == 0
    first, second = report.reveals
    assert (first.party, first.full, first.body, first.hidden, first.why, first.by) == (
        "CN", False, {"text": "one text"}, 2, "public", "CN:records",
    )  # fmt: skip
    assert (second.party, second.full, second.body, second.hidden) == ("US", True, BODY, 0)
    assert {first.number, second.number} == {m.number for m in report.messages}
    assert checked(some()).reveals[0].body == {}
    assert checked(some(*BODY)).reveals[0].hidden == 0


WRONG: dict[str, tuple[Any, str]] = {
    "key": (lambda: shown(cek=bytes(32)), "KC"),
    "the other message's key": (lambda: shown(cek=opened(trial()[1][1], BODY).cek), "KC"),
    "no such message": (lambda: shown(mid=bytes(16)), "no message"),
    "the other side's message": (lambda: shown(party="US"), "no message"),
    "no such seat": (lambda: shown(by="US:nobody"), "seat"),
    "the other side's seat alone": (lambda: shown(by="XX:official"), "seat"),
    "a digest too few": (lambda: some("text", digests=some()["digests"][1:]), "BD"),
    "a digest too many": (lambda: some("text", digests=sorted([*some()["digests"], bytes(32)])), "BD"),
    "another value": (lambda: some(fields=[_field(value="another text")]), "FIELD"),
    "another name": (lambda: some(fields=[_field(name="title")]), "FIELD"),
    "another salt": (lambda: some(fields=[_field(salt=bytes(16))]), "FIELD"),
}


def _field(**changes: Any) -> dict[str, Any]:
    return some("text")["fields"][0] | changes


@pytest.mark.parametrize("form", ["full", "proof"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_reveal_that_proves_nothing(wrong: str, form: str):
    """5, at the reveal's own section."""
    made, why = WRONG[wrong]
    report = checked(made(), form=form)
    fails(report, 5, "reveal", why)
    assert report.failure is not None
    world, sent = trial()
    data = archive(world, reveals=[made()]) if form == "full" else proof(world, [s.ph for s in sent], reveals=[made()])
    assert report.failure.offset == read(data).of(REVEAL)[0].offset


UNREADABLE: dict[str, Any] = {
    "an unknown reason": lambda: shown(why="curiosity"),
    "no reason": lambda: {k: v for k, v in shown().items() if k != "why"},
    "a field too many": lambda: shown(extra=1),
    "both kinds": lambda: shown() | some("text"),
    "a short key": lambda: shown(cek=bytes(31)),
    "digests out of order": lambda: some("text", digests=some()["digests"][::-1]),
    "a digest twice": lambda: some("text", digests=[some()["digests"][0]] * 2),
    "a field twice": lambda: some("text", fields=[_field(), _field()]),
    "no digests": lambda: some(digests=[]),
    "a short name of who": lambda: shown(by="official"),
}


@pytest.mark.parametrize("wrong", UNREADABLE)
def test_a_reveal_that_is_none(wrong: str):
    """3, at the reveal's own section."""
    fails(checked(UNREADABLE[wrong]()), 3, "reveal")


def test_one_reveal_for_a_message():
    """Two of one message are one too many, whatever they show; the writer refuses a field that is not there."""
    for pair in ((shown(), some("text")), (some("text"), some("state"))):
        fails(checked(*pair), 3, "reveal", "out of order")
    with pytest.raises(Refused, match="REVEAL_FIELD"):
        some("title")
    with pytest.raises(Malformed):
        redacted(trial()[1][0].doc, "CN", opened(trial()[1][0], BODY), ["text"], why="idle", by="CN:records")


def test_a_message_that_is_not_in_the_proof_is_not_shown():
    """The reveal of one message beside the proof of another."""
    world, sent = trial()
    fails(audit(proof(world, [sent[1].ph], reveals=[shown(0)]), world.chan), 5, "reveal", "no message")


def test_a_shown_field_is_the_field_that_was_signed():
    """The digest that a reader makes of a shown field is one of those under ``bd``."""
    made = some("text")
    one = made["fields"][0]
    assert field_digest(one["name"], one["value"], one["salt"]) in made["digests"]


# --- evidence -------------------------------------------------------------------------------------------------------------


def known(world: World) -> Known:
    public = lambda x, use: log_key(world, x, 0, use).public  # noqa: E731
    return Known(
        world.chan, world.mode,
        {origin(world.chan, x, 0): public(x, 0) for x in "ab"},
        {cosigner_name(origin(world.chan, x, 0)): public(x, 2) for x in "ab"},
    )  # fmt: skip


def forked(world: World) -> Note:
    """A second history of log a, of the size of the first, by its own key."""
    right = note(world, "a")
    return sign_quick(log_key(world, "a", 0), right.origin, right.size, sha256(b"another history").digest())


def evidences(world: World) -> dict[str, dict[str, Any]]:
    right, wrong, of = note(world, "a"), forked(world), known(world)
    leaves = [leaf_hash(raw) for raw in world.logs["a"]]
    short = sign_quick(log_key(world, "a", 0), right.origin, 3, bytes(32))
    name = cosigner_name(origin(world.chan, "b", 0))
    vouched = merge(wrong, cosign(log_key(world, "b", 0, 2), name, wrong, AT, anchor=False))
    envs = [
        sign("msg", world.message("a", "expert1", mid=bytes(16), lang=x), [world.signer("a", "expert1")])
        for x in ("en", "zh")
    ]
    return {
        "E1": make_e1(right, wrong, of),
        "E2": make_e2(short, Tree(right, leaves), of),
        "E4": make_e4(world.signer("a", "expert1").public, *envs, of),
        "E6": make_e6(name, vouched, Tree(right, leaves), of),
    }


@pytest.mark.parametrize(("kind", "code"), [("E1", 6), ("E2", 6), ("E4", 0), ("E6", 6)])
def test_evidence_beside_the_records(kind: str, code: int):
    """It is proved with the channel's keys and shown; of two histories it is a warning. In both forms."""
    world, sent = trial()
    body = evidences(world)[kind]
    for data in (archive(world, evidence=[body]), proof(world, [sent[0].ph], evidence=[body])):
        report = audit(data, world.chan)
        assert (report.exit_code, report.evidence) == (code, (kind,))
        assert report.warnings == ((kind,) if code else ())


def test_evidence_that_proves_nothing_does_not_stand():
    """A changed signature, a stated strength that is not proved, an unknown kind, and one that a record holds too."""
    world, _ = trial()
    body = evidences(world)["E1"]
    for wrong in (
        body | {"note2": body["note1"]},
        body | {"strength": "anchor"},
        body | {"k": "E9"},
        {"k": "E1"},
        {"k": 1},
        {},
    ):
        fails(audit(archive(world, evidence=[wrong]), world.chan), 5, "evidence", "proves nothing")


def test_evidence_in_the_records():
    """A record's evidence warns if it proves two histories; if it proves nothing it is listed. It stands once."""
    world = World(small=True, seed="evidence")
    world.sync("b")
    body = evidences_small(world)
    first = world.node("b", "node.evidence", body)
    idle = world.node("b", "node.evidence", {"k": "E1"})
    report = audit(archive(world), world.chan)
    assert (report.exit_code, report.evidence, report.claimed) == (6, ("E1",), (f"US:{idle.index}",))
    assert report.warnings == ("E1",)
    assert first.index < idle.index
    fails(audit(archive(world, evidence=[body]), world.chan), 5, "evidence", "a record holds it")
    calm = World(small=True, seed="evidence")
    calm.node("b", "node.evidence", {"k": "E1"})
    assert audit(archive(calm), calm.chan).exit_code == 0


def evidences_small(world: World) -> dict[str, Any]:
    return make_e1(note(world, "a"), forked(world), known(world))


# --- witnesses ------------------------------------------------------------------------------------------------------------


def test_the_quorum_of_the_policy_in_force():
    """Each anchor of the cut needs as many of the policy's witnesses as it says, by lines that verify."""
    world = World(mode=2, cooling=0, seed="witness")
    key = note_keys("witness")
    name = "witness.example/w"
    witness = Witness(name=name, vkey=vkey(name, ED25519_TIMED, key.public.ed))
    policy = world.next_policy(witnesses=(witness,), quorum=1)
    for x in "ab":
        world.put_policy(x, policy)
    world.sync("a")
    world.sync("b")
    fails(audit(archive(world), world.chan), 5, "note", "fewer witnesses")

    def seen_by(*letters: str, by: Any = key) -> bytes:
        made = []
        for part in parts(world):
            of = note(world, part.letter)
            lines = cosign(by, name, of, AT, anchor=False) if part.letter in letters else ()
            made.append(replace(part, note=merge(of, lines).encode()))
        return write(head(world), made, blobs(world).values())

    assert audit(seen_by("a", "b"), world.chan).exit_code == 0
    fails(audit(seen_by("a"), world.chan), 5, "note", "fewer witnesses")
    fails(audit(seen_by("a", "b", by=note_keys("another")), world.chan), 5, "note", "fewer witnesses")


# --- what is listed and changes nothing ------------------------------------------------------------------------------------


def test_expired_keys_and_times_askew_are_listed():
    """A record later than its party's papers were meant to stand, received by a clock far behind: good all the same."""
    world = World(small=True, seed="old")
    sent = world.send("a", "expert1", at=START + 3 * YEAR)
    world.ack("b", "expert1", sent)
    report = audit(archive(world), world.chan)
    assert report.exit_code == 0
    assert [flag for flag in report.flags if flag[0] == "a"] == [
        ("a", sent.index, "EXPIRED"),
        ("a", sent.index, "SKEW_AHEAD"),
    ]
    assert {flag for letter, _, flag in report.flags if letter == "b"} == {"SKEW_BEHIND"}  # seen years later
    assert [m.ph for m in report.messages] == [sent.ph]


# --- encoding -------------------------------------------------------------------------------------------------------------


def test_there_is_one_encoding_of_an_archive():
    """``false`` for 0, ``true`` for 1 and the like are no numbers, though a program may take them for such."""
    world, _ = trial()
    data = archive(world, reveals=[shown()], evidence=[evidences(world)["E4"]])
    sections = [[s.kind, *s.fields] for s in read(data).sections]
    for n, section in enumerate(sections):
        for i, field in enumerate(section):
            if type(field) is int and field in (0, 1):
                made = [list(s) for s in sections]
                made[n][i] = bool(field)
                assert audit(framed(pack(s) for s in made), world.chan).exit_code == 3, (n, i)


def test_sections_of_other_shapes():
    """An unknown kind, a head twice, a head of another form, sections with a field more or less: 3."""
    world, _ = trial()
    sections = [[s.kind, *s.fields] for s in read(archive(world, reveals=[shown()])).sections]
    top = sections[0]
    for wrong in (
        [[8, {}], *sections],
        [*sections, [8, {}]],
        [top, *sections],
        sections[1:],
        [[HEAD, top[1] | {"form": "half"}], *sections[1:]],
        [[HEAD, top[1] | {"v": 2}], *sections[1:]],
        [[HEAD, top[1] | {"cut": top[1]["cut"][:1]}], *sections[1:]],
        [[HEAD, *top[1:], 0], *sections[1:]],
        [[*s, 0] if s[0] == BLOB else s for s in sections],
        [[BLOB] if s[0] == BLOB else s for s in sections],
        [[REVEAL, {}] if s[0] == REVEAL else s for s in sections],
        [*sections, [EVIDENCE, 1]],
    ):
        assert audit(framed(pack(s) for s in wrong), world.chan).exit_code == 3


def test_records_stand_in_sections_of_256():
    """The same records split elsewhere, begun at another index, or in an empty section more, are another encoding."""
    world, _ = trial()
    sections = [[s.kind, *s.fields] for s in read(archive(world)).sections]
    n = next(i for i, s in enumerate(sections) if s[0] == RECORDS)
    kind, letter, number, _, records = sections[n]
    for wrong in (
        [[kind, letter, number, 0, records[:2]], [kind, letter, number, 2, records[2:]]],
        [[kind, letter, number, 1, records]],
        [[kind, letter, number, 256, records]],
        [[kind, letter, number, 0, records[:2]], [kind, letter, number, 256, records[2:]]],
    ):
        report = audit(framed(pack(s) for s in [*sections[:n], *wrong, *sections[n + 1 :]]), world.chan)
        assert (report.exit_code, report.failure and report.failure.code) == (5, "RECORDS")
    empty = [*sections[: n + 1], [kind, letter, number, 256, []], *sections[n + 1 :]]
    assert audit(framed(pack(s) for s in empty), world.chan).exit_code == 3


@pytest.mark.parametrize("form", ["full", "proof"])
def test_of_head_note_and_records_the_odd_one_is_named(form: str):
    """A changed channel, size or root of the head; a note of another size or root, also one that is rightly signed."""
    world, sent = trial()
    data = archive(world) if form == "full" else proof(world, [sent[0].ph])
    sections = [[s.kind, *s.fields] for s in read(data).sections]
    top, n = sections[0][1], next(i for i, s in enumerate(sections) if s[0] == NOTE)
    (number, size, root), other = top["cut"]
    heads = [
        {"chan": bytes(32)},
        {"cut": [[number, size + 1, root], other]},
        {"cut": [[number, size, bytes(32)], other]},
    ]
    for change in heads:
        report = audit(framed(pack(s) for s in [[HEAD, top | change], *sections[1:]]), world.chan)
        fails(report, 5, "head")
    of = note(world, "a")
    older = note(world, "a", size=of.size - 1)  # a true anchor, but not of this cut
    for changed in (replace(of, size=of.size + 1), replace(of, root=bytes(32)), older):
        put = [*sections[:n], [*sections[n][:3], changed.encode()], *sections[n + 1 :]]
        fails(audit(framed(pack(s) for s in put), world.chan), 5, "note")


def test_a_log_of_several_sections():
    """More than 256 records: the record that was changed is named in whichever section, at its own byte."""
    world = World(small=True, seed="long")
    for _ in range(520):
        world.sync("a")
    data = archive(world)
    assert audit(data, world.chan).exit_code == 0
    held = [s for s in read(data).of(RECORDS) if s.fields[0] == "a"]
    assert [len(s.fields[3]) for s in held] == [256, 256, 12]
    for section in held:
        for i in {0, 1, 15, 16, 20, len(section.fields[3]) - 1} & set(range(len(section.fields[3]))):
            index, raw = section.fields[2] + i, section.fields[3][i]
            start = data.index(pack(raw), section.offset)
            broken = bytearray(data)
            broken[start + len(pack(raw)) - len(raw)] ^= 0x40  # what begins its map
            report = audit(bytes(broken), world.chan)
            assert report.failure is not None
            assert (report.failure.part, report.failure.index, report.failure.offset) == ("record", index, start)
    for i, j in ((0, 1), (1, 2)):  # the last of a section for the first of the next
        made = [[s.kind, *s.fields] for s in read(data).sections]
        places = [n for n, s in enumerate(made) if s[:2] == [RECORDS, "a"]]
        one, two = (list(made[places[n]][4]) for n in (i, j))
        one[-1], two[0] = two[0], one[-1]
        made[places[i]][4], made[places[j]][4] = one, two
        fails(audit(framed(pack(s) for s in made), world.chan), 5, "records")
