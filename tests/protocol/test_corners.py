"""What is rarely reached: records that can't be read where everything rests on them, limits, and second looks."""

from __future__ import annotations

import os
from typing import Any

import pytest
from msgspec.structs import replace

from channel.formats import format_book
from channel.protocol import message, tables
from channel.protocol.archive import PROOF, LogPart, joined, write
from channel.protocol.audit import audit
from channel.protocol.charter import Witness
from channel.protocol.fold import Fold
from channel.protocol.formats import Book
from channel.protocol.founding import read_founding
from channel.protocol.merkle import EMPTY, Frontier, inclusion_proof, leaf_hash
from channel.protocol.note import merge, origin, sign_anchor
from channel.protocol.record import MAX_RECORD, Record
from channel.protocol.sequence import Sequence
from keys.codec import pack, unpack
from keys.envelope import Envelope, read_envelope
from keys.errors import Malformed, Refused, WrongUse
from tests.archives import AT, archive, blobs, head, log_key, note, parts
from tests.world import World, digest

# --- archives whose first record is another -----------------------------------------------------------------------------


def rewritten(world: World, first: bytes, form: str) -> bytes:
    """The world's archive with another record 0 of log a; every root, note and hash is made for it."""
    raws = [first, *world.logs["a"][1:]]
    leaves = [leaf_hash(raw) for raw in raws]
    root = Frontier.empty().extend(leaves).root()
    made = parts(world)
    name = origin(world.chan, "a", 0)
    signed = sign_anchor(log_key(world, "a", 0), name, len(raws), root, AT)
    by = note(world, "a")
    lines = [line for line in by.lines if line.name != name]
    made[0] = LogPart("a", 0, raws, merge(signed, lines).encode())
    top = head(world, form)
    top = replace(top, cut=((0, len(raws), root), top.cut[1]))
    if form == "full":
        return write(top, made, blobs(world).values())
    arrays: list[list[Any]] = []
    for part in made:
        hashes = [leaf_hash(raw) for raw in part.records]
        arrays += [
            [PROOF, part.letter, 0, i, raw, inclusion_proof(hashes, i, len(hashes))]
            for i, raw in enumerate(part.records)
        ]
    return joined(top, arrays, made, blobs(world).values(), [], [])


@pytest.mark.parametrize("form", ["full", "proof"])
def test_a_first_record_that_is_no_charter(form: str) -> None:
    """Of a log whose record 0 can't be read, or is another document, nothing is believed: 5, at that record's log."""
    world = World(2, small=True)
    other = Record(t="charter", ts=world.ts["a"], seen=(0, 0, EMPTY), blobs=(), env=pack(["x", b"", []])).encode()
    for first in (b"no record at all", other):
        report = audit(rewritten(world, first, form), world.chan)
        assert report.exit_code == 5
        assert report.messages == ()


def test_a_log_with_nothing_but_a_successor_of_nothing() -> None:
    """Log numbers that can't be joined are told as such: 5, SUCCEED."""
    world = World(2, small=True)
    made = parts(world)
    made.append(LogPart("b", 1, [world.logs["b"][0]], made[1].note))
    top = head(world)
    top = replace(top, cut=(top.cut[0], (1, 1, Frontier.empty().extend([leaf_hash(world.logs["b"][0])]).root())))
    report = audit(write(top, made, blobs(world).values()), world.chan)
    assert report.exit_code == 5


def test_a_note_of_no_origin_of_ours() -> None:
    """A note section whose origin is no name of a log is wrong at its place."""
    world = World(2, small=True)
    made = parts(world)
    text = made[0].note or b""
    made[0] = LogPart("a", 0, made[0].records, text.replace(b"dcx1/", b"other/"))
    report = audit(write(head(world), made, blobs(world).values()), world.chan)
    assert (report.exit_code, report.failure.part if report.failure else "") == (5, "note")


def test_a_witness_whose_key_can_not_be_read() -> None:
    """It never signed anything: the quorum is not reached."""
    world = World(2, cooling=0, seed="corner witness")
    policy = world.next_policy(witnesses=(Witness(name="w.example", vkey="w.example+00000000+nothing"),), quorum=1)
    for x in "ab":
        world.put_policy(x, policy)
    world.sync("a")
    world.sync("b")
    report = audit(archive(world), world.chan)
    assert (report.exit_code, report.failure.part if report.failure else "") == (5, "note")


# --- limits ---------------------------------------------------------------------------------------------------------------


def test_a_record_is_65535_bytes_at_most() -> None:
    """One byte more is refused, with both sizes."""
    record = Record(t="msg", ts=1, seen=(0, 0, EMPTY), blobs=(), env=b"")
    room = MAX_RECORD - len(record.encode()) - 1  # the length of a longer env takes one byte more, or two
    assert len(replace(record, env=bytes(room - 1)).encode()) <= MAX_RECORD
    with pytest.raises(Refused) as caught:
        replace(record, env=bytes(room + 1)).encode()
    assert (caught.value.code, caught.value.values["limit"]) == ("RECORD_SIZE", MAX_RECORD)


def test_what_fits_no_bucket_is_refused() -> None:
    """A sealed body never grows beyond the biggest bucket."""
    with pytest.raises(Refused) as caught:
        message._padded(bytes(message.BUCKETS[-1] - 3))
    assert caught.value.code == "BODY_SIZE"
    assert len(message._padded(bytes(message.BUCKETS[-1] - 4))) == message.BUCKETS[-1]


def test_remembered_signatures_stay_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten, and still verifies."""
    monkeypatch.setattr(tables, "_KEPT", 2)
    monkeypatch.setattr(tables, "_good", type(tables._good)())
    key = World(2, small=True).signer("a", "expert1")
    said = [(os.urandom(8), b"") for _ in range(3)]
    signed = [(text, key.sign(text)) for text, _ in said]
    for text, signature in signed:
        assert tables.verifies(2, key.public, text, signature)
    assert len(tables._good) == 2
    assert tables.verifies(2, key.public, *signed[0])


# --- the fold, asked early or twice ----------------------------------------------------------------------------------------


def test_a_fold_without_an_opening_knows_no_message() -> None:
    """Nothing is found, whatever is asked for; with the opening it says its mode."""
    fold = Fold(bytes(32), lambda _: None)
    assert fold.find(bytes(32)) is None
    assert World(2, small=True).fold().mode == 2


def test_an_opening_that_waits_for_the_other_log() -> None:
    """A charter record that claims to have seen records that are not here keeps the opening waiting, not refused."""
    world = World(2, small=True)
    fold = Fold(world.chan, world.blobs.get)
    ahead = [
        Record(t=t, ts=world.ts["a"], seen=(0, 9, digest(b"?")), blobs=names, env=env).encode()
        for t, env, names in world.opening["a"]
    ]
    fold.add("a", ahead)
    fold.add("b", world.logs["b"])
    assert fold.charter is None


def test_a_root_beyond_what_is_held_is_wrong_use() -> None:
    """Sizes up to what is held have a root, others none."""
    held = Sequence()
    held.add([b"one"], 0)
    assert held.root(1) == leaf_hash(b"one")
    with pytest.raises(WrongUse):
        held.root(2)


def test_a_confirmation_names_this_channel_and_a_member_who_may() -> None:
    """Another channel's confirmation, or the records officer's, does not count."""
    world = World(2, cooling=0)
    single = world.send("a", "expert1", "F13", single=True)
    sent = world.confirm("a", "expert2", single)
    assert world.reason(sent) == ""
    assert world.reason(world.confirm("a", "records", single)) == "SIGNER"


def test_a_named_blob_that_is_no_key_says_nothing_of_the_mode() -> None:
    """A signer whose id is the hash of some other blob is unknown: SIGNER, and no crossing of modes."""
    world = World(2, small=True)
    junk = b"no key object"
    world.sides["a"].keep(junk)
    sent = world.message("a", "expert1")
    envelope = Envelope("application/vnd.dcx.msg.v1+msgpack", pack(sent), ((digest(junk), bytes(3373)),))
    raw = Record(
        t="msg", ts=world.ts["a"], seen=(0, 4, world._roots["b"][0][4]), blobs=(digest(junk),), env=envelope.encode()
    )
    placed = world.raw("a", raw.encode())
    assert world.fold().verdict("a", len(world.logs["a"]) - 1).reason == "SIGNER", placed


# --- documents ---------------------------------------------------------------------------------------------------------------


def test_suites_of_a_charter_rise() -> None:
    """A suite twice, or out of order, is no charter; neither are parties out of order."""
    plain = unpack(pack(World(2, small=True).charter))
    for change in ({"suites": plain["suites"][::-1]}, {"suites": [1, 1]}, {"parties": plain["parties"][::-1]}):
        with pytest.raises(Malformed):
            unpack(pack(plain | change), type(World(2, small=True).charter))


def test_a_founding_lacks_a_blob() -> None:
    """It is read back whole, and one without a key that it names gives no opening."""
    from tests.world import found

    world = World(2, small=True)
    assert found(2, "", None, small=True).chan == world.chan
    records = {t: env for t, env, _ in world.opening["a"]}
    assert read_envelope(records["charter"]).payload_type.endswith("charter.v1+msgpack")
    with pytest.raises(Malformed):
        read_founding(b"no founding")


@pytest.mark.parametrize(
    ("file", "was", "becomes"),
    [
        ("codes.toml", "[unit.codes]", "[unit.codex]"),
        ("F03.toml", 'code = "F03"', 'code = "F09"'),
        ("F03.toml", "minimum = [", 'minimum = ["nowhere", '),
        ("F03.toml", 'type = "text"', 'type = "code"'),
    ],
)
def test_a_book_that_does_not_fit_together(file: str, was: str, becomes: str) -> None:
    """Lists, labels, sentences, formats and their fields have to fit; else the book is not read."""
    files = unpack(format_book())
    text = files[file].decode()
    assert was in text
    with pytest.raises(Malformed):
        Book.read(pack(files | {file: text.replace(was, becomes, 1).encode()}))


def test_words_of_a_book() -> None:
    """A level and a code in either language."""
    book = Book.read(format_book())
    assert book.level("serious", "en") != book.level("serious", "zh")
    assert book.word("tlp", "RED", "en")
