"""Archives over several log numbers (docs/protocol.md 9, 12.1, 16): each number under its note, each key from its root."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from channel.protocol.archive import NOTE, RECORDS, LogPart, framed, read, write
from channel.protocol.audit import Report, audit
from channel.protocol.charter import NoteKeys
from channel.protocol.merkle import EMPTY, Frontier
from channel.protocol.note import Note, merge, parse, sign_anchor
from channel.protocol.record import read_record
from keys.codec import pack
from tests.archives import archive, blobs, changed, head, log_key, note, outcome, parts, proof, sealed, spans, succeed
from tests.world import World

RNG = random.Random(20261124)


def begun() -> World:
    """One message that was read."""
    world = World(small=True)
    sent = sealed(world, "a", "expert1", {"text": "first"})
    world.ack("b", "expert1", sent)
    world.sync("a")
    return world


def goes_on(world: World) -> World:
    """Another message of each side, both read."""
    for x, y in ("ab", "ba"):
        sent = sealed(world, x, "expert1", {"text": f"later, of {x}"})
        world.ack(y, "expert1", sent)
    world.sync("a")
    world.sync("b")
    return world


def one() -> World:
    world = begun()
    succeed(world, "a")
    return goes_on(world)


def both() -> World:
    world = begun()
    succeed(world, "a")
    world.sync("b")
    succeed(world, "b")
    return goes_on(world)


def twice() -> World:
    world = one()
    succeed(world, "a")
    return goes_on(world)


def lost() -> World:
    """The journal of a is lost: its newest note is a quick one, which its key can never anchor."""
    world = begun()
    succeed(world, "a", quick=True, reason="journal-lost")
    return goes_on(world)


def checked(world: World, data: bytes | None = None) -> Report:
    return audit(archive(world) if data is None else data, world.chan)


def sections(data: bytes) -> list[list[Any]]:
    return [[s.kind, *s.fields] for s in read(data).sections]


def rebuilt(made: list[list[Any]]) -> bytes:
    return framed(pack(section) for section in made)


def fails(report: Report, code: str, part: str = "") -> None:
    assert report.exit_code == 5
    assert report.failure is not None
    assert report.failure.code == code
    assert not part or report.failure.part == part


@pytest.mark.parametrize(
    ("made", "numbers"), [(one, {"a": 2, "b": 1}), (both, {"a": 2, "b": 2}), (twice, {"a": 3, "b": 1})]
)
def test_a_log_that_goes_on_under_new_keys_is_one_log(made: Callable[[], World], numbers: dict[str, int]):
    """Message numbers, positions and acknowledgements run on over all numbers, in both forms; nothing is attested."""
    world = made()
    report = checked(world)
    assert (report.exit_code, report.attested, report.refused) == (0, (), ())
    assert report.complete_to == {"CN": len(world.logs["a"]), "US": len(world.logs["b"])}
    assert report.state_hash == world.fold().state_hash()
    assert {x: len(world.starts[x]) for x in "ab"} == numbers
    of_a = [m for m in report.messages if m.number.startswith("CN")]
    assert [m.number[-6:] for m in of_a] == [f"{n + 1:06d}" for n in range(len(of_a))]
    assert all(m.acks == ("read",) for m in report.messages)
    held = audit(proof(world, [m.ph for m in report.messages]), world.chan)
    assert held.exit_code == 0
    assert {m.ref for m in held.messages} == {m.ref for m in report.messages}
    assert [m.receipt_time for m in held.messages] == [m.receipt_time for m in report.messages]


def test_authority_stands_in_for_an_anchor_that_could_not_be_made():
    """After a lost journal no note of the old number stands in the file; the report says so, in both forms."""
    world = lost()
    data = archive(world)
    report = checked(world, data)
    assert (report.exit_code, report.attested) == (0, ("CN/0",))
    assert [s.key for s in read(data).of(NOTE)] == [("a", 1), ("b", 0)]
    assert audit(proof(world, [report.messages[0].ph]), world.chan).attested == ("CN/0",)


def test_a_note_that_stands_in_no_succession_is_no_anchor():
    """A quick note as a section is refused, and so is an anchor left out, changed for another, or of a log not here."""
    world = lost()
    quick = note(world, "a", 0, quick=True)
    later = [*sections(archive(world)), [NOTE, "a", 0, quick.encode()]]
    later.sort(key=lambda s: (s[0], s[1:3] if s[0] == NOTE else []))
    fails(checked(world, rebuilt(later)), "NOTE", "note")
    world = one()
    whole = sections(archive(world))
    left_out = [s for s in whole if s[:3] != [NOTE, "a", 0]]
    assert len(left_out) == len(whole) - 1
    fails(checked(world, rebuilt(left_out)), "NOTE")
    for other in (note(world, "a", 0, at=1_900_000_000), note(world, "a", 0, quick=True)):
        put = [[*s[:3], other.encode()] if s[:3] == [NOTE, "a", 0] else s for s in whole]
        fails(checked(world, rebuilt(put)), "NOTE", "note")
    added = [*whole, [NOTE, "b", 1, note(world, "b").encode()]]
    added.sort(key=lambda s: (s[0], s[1:3] if s[0] == NOTE else []))
    fails(checked(world, rebuilt(added)), "NOTE_ORIGIN", "note")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda w: {"signers": w.authority("a")[:1]},
        lambda w: {"signers": w.authority("b")},
        lambda w: {"old_origin": "dcx1/another"},
        lambda w: {"log_no": 2},
        lambda w: {"party": "US"},
        lambda w: {"chan": bytes(32)},
        lambda w: {"note": b""},
        lambda w: {"note": note(w, "a", size=5).encode()},
        lambda w: {"note": note(w, "b").encode()},
        lambda w: {"note": replace(note(w, "a"), lines=note(w, "b").lines).encode()},
        lambda w: {"note": replace(note(w, "a"), lines=note(w, "a").lines[2:]).encode()},
        lambda w: {"note": _broken(note(w, "a")).encode()},
    ],
    ids=["one signature", "the other side's", "origin", "number", "party", "channel", "no note", "an older note",
         "another log's note", "another log's lines", "cosigner alone", "a false line"],
)  # fmt: skip
def test_a_succession_that_does_not_hold(wrong: Callable[[World], dict[str, Any]]):
    """Its record is named: number 1, index 0."""
    world = begun()
    fields = wrong(world)
    succeed(world, "a", **fields)
    world.sync("a")
    left_out = [
        replace(p, note=None) if "note" in fields and p.number == 0 and p.letter == "a" else p for p in parts(world)
    ]
    data = write(head(world), left_out, blobs(world).values())
    report = checked(world, data)
    fails(report, "SUCCEED", "record")
    assert report.failure is not None
    assert report.failure.offset > next(s for s in read(data).of(RECORDS) if s.key == ("a", 1, 0)).offset
    assert checked(world).exit_code == 5


def _broken(of: Note) -> Note:
    line = of.lines[0]
    return replace(of, lines=(replace(line, sig=bytes(len(line.sig))), *of.lines[1:]))


def test_the_proof_of_a_refused_succession_fails():
    """A ``succeed`` without the threshold can't be put into a proof unseen: its number's notes would have no keys."""
    world = begun()
    first = world.fold().messages()[0].ph
    succeed(world, "a", signers=world.authority("a")[:1])
    report = audit(proof(world, [first]), world.chan)
    fails(report, "SUCCEED")


def test_no_record_stands_behind_the_end_of_a_number():
    """A record of the old number beyond ``final.size``, and one too few."""
    world = begun()
    beyond = world.sync("a").raw
    succeed(world, "a", len(world.logs["a"]) - 1)
    assert world.cut_off == [beyond]
    goes_on(world)
    assert checked(world).exit_code == 0
    for change in (lambda raws: [*raws, beyond], lambda raws: raws[:-1], lambda raws: [*raws[:-1], beyond]):
        made = [replace(p, records=change(p.records)) if (p.letter, p.number) == ("a", 0) else p for p in parts(world)]
        report = checked(world, write(head(world), made, blobs(world).values()))
        assert report.exit_code == 5
        assert report.failure is not None
        assert report.failure.code in ("RECORDS", "ROOT")
        assert report.failure.part in ("record", "records")


def test_a_number_left_out_is_missed():
    """The records of number 0, of number 1, or both, with the note."""
    world = one()
    for gone in ({0}, {1}, {0, 1}):
        made = [p for p in parts(world) if p.letter == "b" or p.number not in gone]
        assert outcome(write(head(world), made, blobs(world).values()), world.chan)[0] == 5
    cut = (0, *head(world).cut[0][1:])
    data = write(replace_cut(world, cut), parts(world), blobs(world).values())
    fails(checked(world, data), "LOG_NUMBER")
    data = write(replace_cut(world, (1 << 40, *head(world).cut[0][1:])), parts(world), blobs(world).values())
    fails(checked(world, data), "LOG_NUMBER", "head")


def replace_cut(world: World, cut: tuple[int, int, bytes]) -> Any:
    made = head(world)
    return type(made)(form=made.form, chan=made.chan, cut=(cut, made.cut[1]))


def test_a_record_that_looks_back_to_an_ended_number_is_refused_alone():
    """A ``seen`` of the old number after one of the new, and one beyond its end, are listed; the archive holds."""
    world = begun()
    old = world.seen("b")
    size = len(world.logs["a"])
    succeed(world, "a")
    world.sync("b")
    back = world.sync("b", seen=old)
    beyond = world.sync("b", seen=(0, size + 1, bytes(32)))
    world.sync("a")
    report = checked(goes_on(world))
    assert report.exit_code == 0
    assert set(report.refused) == {("b", back.index, "SEEN"), ("b", beyond.index, "SEEN")}


def test_what_was_seen_of_a_number_before_it_ended_counts():
    """A record that has seen the old number alone stands on it, though the new one is there already."""
    world = begun()
    sent = sealed(world, "a", "expert1", {"text": "last of its number"})
    seen = world.seen("b")
    succeed(world, "a")
    ack = world.ack("b", "expert1", sent, seen=seen)
    report = checked(goes_on(world))
    assert (report.exit_code, report.refused) == (0, ())
    message = next(m for m in report.messages if m.ph == sent.ph)
    assert message.receipt_time is not None
    assert message.acks == ("read",)
    assert ack.index < report.complete_to["US"]


def test_keys_of_one_number_say_nothing_of_another():
    """An anchor of the new number by the old key, and one under the other side's retired cosigner key."""
    world = both()
    for wrong in (_by_old_key(world), note(world, "a", cosigner=0)):
        made = [replace(p, note=wrong.encode()) if (p.letter, p.number) == ("a", 1) else p for p in parts(world)]
        fails(checked(world, write(head(world), made, blobs(world).values())), "NOTE_SIG", "note")


def _by_old_key(world: World) -> Note:
    right, own = note(world, "a"), log_key(world, "a", 0)
    forged = sign_anchor(own, right.origin, right.size, right.root, 1_795_480_000)
    return merge(forged, [line for line in right.lines if line.name != right.origin])


def test_a_final_that_was_never_a_root_ends_the_audit():
    """The authority signed it, the note says it, and the records and proofs of the number do not lead there."""
    world = begun()
    right = world._roots["a"][0]
    world._roots["a"][0] = [*right[:-1], bytes(32)]
    succeed(world, "a")
    fails(checked(world), "ROOT", "records")
    world = one()
    records = {p.letter: p for p in parts(world) if p.number == 0}
    wrong = [
        replace(p, records=[*p.records[:-1], world.logs["b"][-1]]) if p == records["a"] else p for p in parts(world)
    ]
    report = checked(world, write(head(world), wrong, blobs(world).values()))
    assert report.exit_code == 5
    assert report.failure is not None
    assert report.failure.part in ("record", "records")


def test_at_least_a_note_of_any_number():
    """Covered: each note of each number, at any size. Not: beyond the end, another history, a number to come."""
    world = one()
    data = archive(world)
    for k in (0, 1):
        for size in range(1, len(world.number("a", k)) + 1):
            assert audit(data, world.chan, note(world, "a", k, size, quick=True)).exit_code == 0
    last = note(world, "a", 0)
    after = parse(note(world, "a").text + b"\n" + note(world, "a").encode().split(b"\n\n")[1])
    for other in (
        replace(last, size=last.size + 1),
        replace(last, root=bytes(32)),
        replace(after, size=after.size + 1),
        replace(after, origin=after.origin[:-1] + "2"),
    ):
        fails(audit(data, world.chan, other), "AT_LEAST", "head")
    ends = proof(world, [world.fold().messages()[0].ph])
    assert audit(ends, world.chan, last).exit_code == 0
    assert audit(ends, world.chan, after).exit_code == 0
    fails(audit(ends, world.chan, note(world, "a", 0, 5)), "AT_LEAST")
    fails(audit(ends, world.chan, replace(after, size=after.size + 1)), "AT_LEAST")


@pytest.mark.parametrize("made", [both, lost])
def test_seeded_places_of_an_archive_of_several_numbers(made: Callable[[], World]):
    """Any changed byte of either form is caught in its own section."""
    world = made()
    for data in (archive(world), proof(world, [m.ph for m in world.fold().messages()[:1]])):
        held = spans(data)
        for at in RNG.sample(range(len(data)), 300):
            code, part, offset, _ = outcome(changed(data, at, RNG.randrange(1, 256)), world.chan)
            assert code in (3, 5)
            low, high = next(((low, high) for low, high, _ in held if low <= at < high), (0, 0))
            assert part in ("magic", "hash", "framing") or low <= offset < high + 5, (at, part, offset)


def test_a_number_that_begins_with_something_else():
    """Record 0 of a later number is a readable ``succeed``, under no other name, with keys that can sign notes."""
    for t, env in (("ack", None), ("succeed", b"\x90")):
        world = begun()
        right = succeed(world, "a")
        record = read_record(right.raw)
        wrong = type(record)(t=t, ts=record.ts, seen=record.seen, blobs=(), env=record.env if env is None else env)
        _instead(world, wrong.encode())
        made = [replace(p, note=None) if (p.letter, p.number) == ("a", 0) else p for p in _parts_of(world)]
        fails(checked(world, write(head(world), made, blobs(world).values())), "SUCCEED", "record")
    world = begun()
    small = NoteKeys(ed=b"\x01" + bytes(31), ml=log_key(world, "a", 1).public.ml)
    succeed(world, "a", log=small)
    fails(checked(world), "NOTE_KEY", "record")


def _instead(world: World, raw: bytes) -> None:
    """Another record as the only one of a's newest number."""
    del world.logs["a"][-1]
    world._frontier["a"], world._roots["a"][-1] = Frontier.empty(), [EMPTY]
    world.raw("a", raw)


def _parts_of(world: World) -> list[LogPart]:
    notes = {("a", 1): note(world, "a"), ("b", 0): note(world, "b")}
    places = [("a", 0), ("a", 1), ("b", 0)]
    return [LogPart(x, n, world.number(x, n), notes[x, n].encode() if (x, n) in notes else None) for x, n in places]
