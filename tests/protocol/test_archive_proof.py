"""Form proof (docs/protocol.md 16.3): who signed a message, from the records given and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from typing import Any

import pytest

from channel.protocol.archive import BLOB, PROOF, RECORDS, LogPart, framed, joined, read
from channel.protocol.audit import Report, audit
from channel.protocol.merkle import HASH, inclusion_proof, leaf_hash
from channel.protocol.proof import KEY_TYPES
from channel.protocol.record import read_record, try_read
from keys.codec import pack
from keys.errors import Refused
from tests.archives import archive, blobs, changed, head, outcome, parts, proof, sealed, spans, succeed
from tests.world import Sent, World

RNG = random.Random(20261125)


@cache
def trial() -> tuple[World, list[Sent]]:
    """Keys of every kind in both logs, messages of both sides before and after, an emergency release confirmed."""
    world = World(mode=2, cooling=0)
    sent = [world.send("a", "expert1"), world.send("b", "expert1")]
    world.ack("b", "expert1", sent[0])
    world.ack("b", "duty", sent[0], "engaged")
    world.ack("a", "official", sent[1])
    world.kem("a", "expert2")
    members = [m for m in world.rosters["b"].members if m.seat != "evaluator"]
    world.next_roster("b", members)
    policy = world.next_policy(cooling=0, holding=("NOI",))
    for x in "ab":
        world.put_policy(x, policy)
    world.sync("b")
    world.revoke("a", [world.signer("a", "expert1").kid])
    to = tuple(sorted(world.seal(x, "records").kid for x in "ab"))
    sent.append(world.send("a", "expert1", to=to))  # refused: its key has ended
    sent.append(world.send("a", "expert2", to=to))
    sent.append(world.send("b", "official", "F13", level="attention", single=True, to=to))
    world.confirm("b", "expert2", sent[-1])
    world.ack("b", "expert2", sent[3], "informed")
    world.sync("a")
    assert [world.reason(s) for s in sent] == ["", "", "SIGNER", "", ""]
    return world, sent


def checked(data: bytes) -> Report:
    return audit(data, trial()[0].chan)


def sections(data: bytes) -> list[list[Any]]:
    return [[s.kind, *s.fields] for s in read(data).sections]


def given(letter: str, index: int, raw: bytes | None = None) -> list[Any]:
    """A proof section of any record of the world's logs, its path right."""
    world, _ = trial()
    leaves = [leaf_hash(r) for r in world.logs[letter]]
    raw = world.logs[letter][index] if raw is None else raw
    return [PROOF, letter, 0, index, raw, inclusion_proof(leaves, index, len(leaves))]


def of(*records: Sent | tuple[str, int], without: tuple[Sent | tuple[str, int], ...] = (), keys: bool = True) -> bytes:
    """A proof made by hand of any records, with all records of keys unless some are left out."""
    world, _ = trial()
    types = {"charter", "root", "roster", "policy", "revoke", "kem"} if keys else set()
    places = {(x, i) for x in "ab" for i, raw in enumerate(world.logs[x]) if read_record(raw).t in types}
    places |= {_place(r) for r in records}
    places -= {_place(r) for r in without}
    named = {h for x, i in places for h in read_record(world.logs[x][i]).blobs}
    held = blobs(world)
    return joined(head(world, "proof"), [given(*p) for p in places], parts(world), [held[h] for h in named], [], [])


def _place(of: Sent | tuple[str, int]) -> tuple[str, int]:
    return of if isinstance(of, tuple) else (of.letter, of.index)


def fails(report: Report, code: str, part: str = "proof") -> None:
    assert report.exit_code == 5
    assert report.failure is not None
    assert (report.failure.code, report.failure.part) == (code, part)


def test_a_proof_says_who_signed_where_and_who_read_it():
    """The same persons, times and acknowledgements as the whole archive; fewer records, no number, no state."""
    world, sent = trial()
    whole = audit(archive(world), world.chan)
    chosen = [s.ph for i, s in enumerate(sent) if i != 2]
    data = proof(world, chosen)
    report = checked(data)
    assert (report.exit_code, report.form, report.state_hash, report.refused) == (0, "proof", None, ())
    assert audit(data).exit_code == 6
    alike = ("ref", "ph", "person", "seat", "role", "standing", "authored", "logged", "acks", "signers", "confirm")
    say = lambda r: sorted([getattr(m, name) for name in alike] for m in r.messages)  # noqa: E731
    assert say(report) == say(whole)
    assert all(m.number == m.ref for m in report.messages)
    assert [m.confirm for m in report.messages] == ["", "", "", "in time"]
    assert [m.confirm for m in checked(of(sent[4])).messages] == ["awaiting"]
    assert report.complete_to == whole.complete_to
    assert report.cosigned_at == whole.cosigned_at
    types = [read_record(s.fields[3]).t for s in read(data).of(PROOF)]
    assert {t for t in types if t.startswith("node.")} == set()
    assert types.count("msg") == 4
    assert {"confirm", "ack", "kem", "revoke", "roster", "policy"} <= set(types)


def test_one_message_alone():
    """Only its own acknowledgements come with it, and only the blobs that the records name."""
    world, sent = trial()
    data = proof(world, [sent[1].ph])
    report = checked(data)
    assert [(m.ph, m.acks) for m in report.messages] == [(sent[1].ph, ("read",))]
    assert len(data) < len(archive(world))
    named = {h for s in read(data).of(PROOF) for h in read_record(s.fields[3]).blobs}
    assert named == {s.key[0] for s in read(data).of(BLOB)}


def test_only_messages_that_count_are_proved():
    """A refused one, an acknowledgement, and what is not there."""
    world, sent = trial()
    for ph in (sent[2].ph, bytes(32), sent[0].doc.mid):
        with pytest.raises(Refused, match="NO_PROOF"):
            proof(world, [ph])


def test_what_a_proof_does_not_hold_it_does_not_say():
    """Without the revocation the message signed after it passes: that is what the sentence under a proof warns of."""
    world, sent = trial()
    with_it = checked(of(sent[2]))
    assert (with_it.exit_code, with_it.refused) == (0, (("a", sent[2].index, "SIGNER"),))
    revoked = next(("a", i) for i, raw in enumerate(world.logs["a"]) if read_record(raw).t == "revoke")
    assert [m.ph for m in checked(of(sent[2], without=(revoked,))).messages] == [sent[2].ph]


def test_every_record_of_the_opening_must_stand():
    """Each of the eight left out; a proof of none; and the opening alone, which proves no message."""
    for x in "ab":
        for i in range(4):
            report = checked(of(trial()[1][0], without=((x, i),)))
            assert report.exit_code == 5
            assert (x, i) == ("a", 0) or (report.failure and report.failure.code) == "OPEN"
    opening = of(*((x, i) for x in "ab" for i in range(4)), keys=False)
    assert (checked(opening).exit_code, checked(opening).messages) == (0, ())
    assert checked(of(keys=False)).exit_code == 5


def test_records_that_do_not_follow_from_those_given():
    """A policy whose twin's chain has a gap, a doubled revocation, a type that no proof holds, and form full's parts."""
    world, sent = trial()
    node = next(i for i, raw in enumerate(world.logs["a"]) if read_record(raw).t == "node.ack")
    fails(checked(of(sent[0], ("a", node))), "TYPE")
    other = sections(of(sent[0]))
    other.insert(1, [RECORDS, "a", 0, 0, world.logs["a"]])
    fails(checked(framed(pack(s) for s in other)), "FORM", "records")
    full = sections(archive(world))
    full.append(given("a", 0))
    full.sort(key=lambda s: s[0])
    fails(checked(framed(pack(s) for s in full)), "FORM")


def test_a_chain_with_a_link_missing():
    """Roster 3 without roster 2."""
    world = World(mode=2, cooling=0, seed="chain")
    sent = world.send("a", "expert1")
    middle = world.next_roster("b", world.rosters["b"].members[:-1])
    world.next_roster("b", world.rosters["b"].members[:-1])
    world.sync("a")
    data = proof(world, [sent.ph])
    assert audit(data, world.chan).exit_code == 0
    left = [s for s in sections(data) if s[:4] != [PROOF, "b", 0, middle.index]]
    named = {h for s in left if s[0] == PROOF for h in read_record(s[4]).blobs}
    left = [s for s in left if s[0] != BLOB or sha256(s[1]).digest() in named]
    report = audit(framed(pack(s) for s in left), world.chan)
    assert report.exit_code == 5
    assert report.failure is not None
    assert (report.failure.part, report.failure.code) == ("proof", "CHAIN")


@pytest.mark.parametrize("seen", ["falls", "root"])
def test_a_false_seen_counts_for_nothing(seen: str):
    """A message whose ``seen`` falls, or has another root at the cut, is listed and not counted."""
    world = World(small=True, seed="seen")
    sent = sealed(world, "a", "expert1", {"text": "t"})
    world.ack("b", "expert1", sent)
    world.sync("a")
    at = 3 if seen == "falls" else (0, len(world.logs["a"]), bytes(32))
    wrong = world.send("b", "expert1", seen=at)
    assert world.reason(wrong) == "SEEN"
    leaves = [leaf_hash(raw) for raw in world.logs["b"]]
    made = sections(proof(world, [sent.ph]))
    made.append([PROOF, "b", 0, wrong.index, wrong.raw, inclusion_proof(leaves, wrong.index, len(leaves))])
    made.append([BLOB, blobs(world)[wrong.doc.blob]])
    made.sort(key=lambda s: (s[0], sha256(s[1]).digest() if s[0] == BLOB else s[1:4] if s[0] == PROOF else []))
    report = audit(framed(pack(s) for s in made), world.chan)
    assert (report.exit_code, report.refused) == (0, (("b", wrong.index, "SEEN"),))
    assert [m.ph for m in report.messages] == [sent.ph]


def test_a_record_that_has_seen_more_than_the_cut():
    """The cut must be closed for what is given."""
    world = World(small=True, seed="cut")
    sent = sealed(world, "a", "expert1", {"text": "t"})
    ack = world.ack("b", "expert1", sent)
    size = len(world.logs["a"])
    world.sync("a")
    data = proof(world, [sent.ph])
    assert audit(data, world.chan).exit_code == 0
    world.logs["a"] = world.logs["a"][: size - 1]
    world._roots["a"][0] = world._roots["a"][0][:size]
    leaves = {x: [leaf_hash(raw) for raw in world.logs[x]] for x in "ab"}
    arrays = [
        [PROOF, x, 0, i, raw, inclusion_proof(leaves[x], i, len(leaves[x]))]
        for x in "ab"
        for i, raw in enumerate(world.logs[x])
        if (r := try_read(raw)) and (r.t in KEY_TYPES or (x, i) == (ack.letter, ack.index))
    ]
    named = {h for a in arrays for h in read_record(a[4]).blobs}
    notes = [LogPart(p.letter, p.number, (), p.note) for p in parts(world)]
    made = joined(head(world, "proof"), arrays, notes, [blobs(world)[h] for h in named], [], [])
    fails(audit(made, world.chan), "CUT")


Change = Callable[[list[Any]], None]


def _drop(s: list[Any]) -> None:
    s[5] = s[5][:-1]


def _longer(s: list[Any]) -> None:
    s[5] = [*s[5], bytes(32)]


def _swapped(s: list[Any]) -> None:
    s[5] = [*s[5][1:], s[5][0]]


def _elsewhere(s: list[Any]) -> None:
    s[3] += 1


@pytest.mark.parametrize("change", [_drop, _longer, _swapped, _elsewhere])
def test_every_path_must_lead_to_the_anchor(change: Change):
    """A shorter, longer or reordered path and another index, of every record, with the SHA-256 made anew."""
    world, sent = trial()
    data = proof(world, [sent[0].ph])
    for n, section in enumerate(sections(data)):
        if section[0] == PROOF:
            made = sections(data)
            change(made[n])
            code, part, offset, _ = outcome(framed(pack(s) for s in made), world.chan)
            assert code in (3, 5)
            assert part == "proof"
            assert any(abs(offset - read(data).sections[i].offset) <= 4 + HASH for i in (n, n + 1))


def test_no_section_dropped_doubled_or_swapped():
    """Each proof, note and blob. A record after the opening that brought no blob may be left out: that says less."""
    world, sent = trial()
    data = proof(world, [sent[0].ph])
    made = sections(data)
    for n, section in enumerate(made):
        free = section[0] == PROOF and section[3] >= 4
        less = [s for i, s in enumerate(made) if i != n]
        code = outcome(framed(pack(s) for s in less), world.chan)[0]
        assert code in (3, 5) or free
        assert outcome(framed(pack(s) for s in [*made[: n + 1], *made[n:]]), world.chan)[0] == 3 or section[0] == BLOB
        if n:
            swapped = [*made[: n - 1], made[n], made[n - 1], *made[n + 1 :]]
            assert outcome(framed(pack(s) for s in swapped), world.chan)[0] in (3, 5)


def test_seeded_places_of_a_proof():
    """Any changed byte is caught, in the section that it stands in."""
    world, sent = trial()
    data = proof(world, [sent[0].ph, sent[3].ph])
    held = spans(data)
    for at in RNG.sample(range(len(data)), 800):
        code, part, offset, _ = outcome(changed(data, at, RNG.randrange(1, 256)), world.chan)
        assert code in (3, 5)
        low, high = next(((low, high) for low, high, _ in held if low <= at < high), (0, 0))
        assert part in ("magic", "hash", "framing") or low <= offset < high + 5, (at, part, offset)


def test_a_proof_after_a_succession():
    """A message of the old number leads to its final, one of the new to the cut's anchor."""
    world = World(small=True, seed="after")
    first = sealed(world, "a", "expert1", {"text": "t"})
    world.ack("b", "expert1", first)
    succeed(world, "a")
    second = sealed(world, "a", "expert1", {"text": "u"})
    world.ack("b", "expert1", second)
    world.sync("a")
    data = proof(world, [first.ph, second.ph])
    report = audit(data, world.chan)
    assert (report.exit_code, [m.ref for m in report.messages]) == (0, [f"CN:{first.index}", f"CN:{second.index}"])
    without = [s for s in sections(data) if s[:4] != [PROOF, "a", 1, 0]]
    fails(audit(framed(pack(s) for s in without), world.chan), "SUCCEED", "head")


def test_two_records_that_have_seen_each_other():
    """No order can be found for them, and where their roots can't be compared neither can be preferred."""
    world = World(small=True, seed="each")
    sizes = {x: len(world.logs[x]) for x in "ab"}
    first = sealed(world, "a", "expert1", {"text": "t"})
    for x, y in ("ab", "ba"):
        revoked = world.revoke(x, [bytes(32)], world.authority(x)[0], seen=(0, sizes[y] + 2, bytes(32)))
        assert revoked.index < sizes[x] + 2
    for x in "abab":
        world.sync(x, seen=0)
    leaves = {x: [leaf_hash(raw) for raw in world.logs[x]] for x in "ab"}
    arrays = [
        [PROOF, x, 0, i, raw, inclusion_proof(leaves[x], i, len(leaves[x]))]
        for x in "ab"
        for i, raw in enumerate(world.logs[x])
        if read_record(raw).t in KEY_TYPES
    ]
    named = {h for a in arrays for h in read_record(a[4]).blobs}
    made = joined(head(world, "proof"), arrays, parts(world), [blobs(world)[h] for h in named], [], [])
    report = audit(made, world.chan)
    fails(report, "SEEN")
    assert report.failure is not None
    assert report.failure.why == "two records that have seen each other"
    assert first.index == sizes["a"]
