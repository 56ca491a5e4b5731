"""What is rarely reached: records that can't be read where everything rests on them, limits, and second looks."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest
from msgspec import UNSET, to_builtins
from msgspec.structs import replace

from channel.formats import format_book
from channel.protocol import message, tables
from channel.protocol.archive import PROOF, LogPart, joined, write
from channel.protocol.audit import audit
from channel.protocol.charter import Witness
from channel.protocol.defaults import default_policy
from channel.protocol.fold import Fold
from channel.protocol.formats import Book
from channel.protocol.founding import Founding, FoundingParty, read_founding
from channel.protocol.merkle import EMPTY, Frontier, inclusion_proof, leaf_hash
from channel.protocol.note import _short, merge, origin, sign_anchor
from channel.protocol.proof import PROVED
from channel.protocol.record import MAX_RECORD, Record, try_read
from channel.protocol.sequence import Sequence
from keys.codec import pack, unpack
from keys.envelope import Envelope, read_envelope
from keys.errors import Malformed, Refused, WrongUse
from tests.archives import AT, archive, blobs, head, log_key, note, parts, succeed
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


def test_a_charter_of_another_channel() -> None:
    """The head and every note name another channel than the charter makes: 5, at the head."""
    world = World(2, small=True)
    other = digest(b"another channel")
    made = [replace_part(part, (part.note or b"").replace(_id(world.chan), _id(other))) for part in parts(world)]
    report = audit(write(replace(head(world), chan=other), made, blobs(world).values()), other)
    assert (report.exit_code, report.failure.part, report.failure.code) == (5, "head", "CHAN")  # type: ignore[union-attr]


def replace_part(part: LogPart, text: bytes) -> LogPart:
    return LogPart(part.letter, part.number, part.records, text)


def _id(chan: bytes) -> bytes:
    return origin(chan, "a", 0).split("/")[1].encode()


def test_logs_that_a_fold_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the fold says against the logs is told with the log's place; an audit never ends in a traceback."""
    world = World(2, small=True)
    data = archive(world)

    def add(_fold: Fold, _letter: str, _records: object, _number: int = 0) -> None:
        raise Refused("SUCCEED", number=1, why="final")

    monkeypatch.setattr(Fold, "add", add)
    report = audit(data, world.chan)
    assert (report.exit_code, report.failure.part, report.failure.code) == (5, "records", "SUCCEED")  # type: ignore[union-attr]


def test_a_proof_without_the_first_record_of_a_later_number() -> None:
    """Who holds the keys of log number 1 stands in its record 0: without it the proof proves nothing."""
    world = World(2, small=True, seed="number")
    succeed(world, "a")
    world.sync("a")
    made = parts(world)
    arrays: list[list[Any]] = []
    for part in made:
        hashes = [leaf_hash(raw) for raw in part.records]
        arrays += [
            [PROOF, part.letter, part.number, i, raw, inclusion_proof(hashes, i, len(hashes))]
            for i, raw in enumerate(part.records)
            if (part.number, i) != (1, 0) and try_read(raw).t in PROVED  # type: ignore[union-attr]
        ]
    names = {h for each in arrays for h in try_read(each[4]).blobs}  # type: ignore[union-attr]
    held = blobs(world)
    report = audit(joined(head(world, "proof"), arrays, made, [held[h] for h in names], [], []), world.chan)
    assert report.exit_code == 5


def by_hand(world: World, chosen: set[int]) -> Any:
    """What is said of a proof of log a's records of keys and of some others."""
    arrays: list[list[Any]] = []
    for x in "ab":
        hashes = [leaf_hash(raw) for raw in world.logs[x]]
        arrays += [
            [PROOF, x, 0, i, raw, inclusion_proof(hashes, i, len(hashes))]
            for i, raw in enumerate(world.logs[x])
            if i < 4 or (x == "a" and i in chosen)
        ]
    held = blobs_of_records(world, [each[4] for each in arrays])
    return audit(joined(head(world, "proof"), arrays, parts(world), held, [], []), world.chan)


def blobs_of_records(world: World, raws: list[bytes]) -> list[bytes]:
    names = {h for raw in raws for h in try_read(raw).blobs}  # type: ignore[union-attr]
    found = {digest(b"blob" + mid): b"blob" + mid for mid in (b"m" * 16,)} | world.blobs
    return [found[h] for h in names]


def test_messages_of_a_proof_are_judged_one_by_one() -> None:
    """Undecodable: PARSE; a message id twice: DUP; a confirmation of what needs none: REF."""
    world = World(2, cooling=0)
    blob = world.sides["a"].keep(b"blob" + b"m" * 16) or digest(b"blob" + b"m" * 16)
    first = world.send("a", "expert1", mid=b"m" * 16, blob=blob)
    twin = world.send("a", "expert1", mid=b"m" * 16, blob=blob, lang="zh")
    confirm = world.confirm("a", "expert2", first)
    broken = Envelope("application/vnd.dcx.msg.v1+msgpack", pack({"v": 1}), ((bytes(32), bytes(3373)),))
    raw = Record(t="msg", ts=world.ts["a"], seen=world.seen("a"), blobs=(), env=broken.encode()).encode()
    unread = world.raw("a", raw)
    world.sync("b")
    report = by_hand(world, {first.index, twin.index, confirm.index, unread.index})
    assert report.exit_code == 0, report.failure
    assert {(i, why) for _, i, why in report.refused} == {
        (twin.index, "DUP"),
        (confirm.index, "REF"),
        (unread.index, "PARSE"),
    }
    assert [m.ph for m in report.messages] == [first.ph]


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
        message.padded(bytes(message.BUCKETS[-1] - 3))
    assert caught.value.code == "BODY_SIZE"
    assert len(message.padded(bytes(message.BUCKETS[-1] - 4))) == message.BUCKETS[-1]


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
    again = world.put("a", "confirm", read_envelope(unpack(sent.raw)["env"]))
    assert world.reason(again) == "DUP"


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
    """It is read back whole; one without a key that it names gives no opening."""
    world = World(2, small=True)
    envs = {x: {t: env for t, env, _ in world.opening[x]} for x in "ab"}
    a, b = (FoundingParty(root=envs[x]["root"], roster=envs[x]["roster"]) for x in "ab")
    founding = Founding(
        charter=envs["a"]["charter"], a=a, b=b, policy=envs["a"]["policy"], blobs=tuple(world.blobs.values())
    )
    assert read_founding(founding.encode()) == founding
    assert [t for t, _, _ in founding.opening("b")] == ["charter", "root", "roster", "policy"]
    with pytest.raises(Malformed) as caught:
        replace(founding, blobs=()).opening("a")
    assert caught.value.code == "FOUNDING"
    charter = founding.read_charter()
    assert [charter.letter(party.code) for party in charter.parties] == ["a", "b"]
    with pytest.raises(KeyError):
        charter.letter("XX")


def test_a_successor_that_can_not_be_read() -> None:
    """SUCCEED, unreadable: the log number is not begun."""
    held = Sequence()
    held.add([b"one"], 0)
    raw = Record(t="succeed", ts=1, seen=(0, 0, EMPTY), blobs=(), env=b"no envelope").encode()
    with pytest.raises(Refused) as caught:
        held.add([raw], 1)
    assert caught.value.values["why"] == "unreadable"


@pytest.mark.parametrize(
    ("file", "was", "becomes"),
    [
        ("codes.toml", "\nmin = {", "\nminn = {"),
        ("F03.toml", "max = 500\n", ""),
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


# --- what single changes of the sources have shown -----------------------------------------------------------------------


def test_an_audit_tells_how_far_it_is() -> None:
    """Six steps, one after the other, the last one being the end."""
    world = World(2, small=True)
    told: list[tuple[int, int]] = []
    assert audit(archive(world), world.chan, progress=lambda done, of: told.append((done, of))).exit_code == 0
    assert told == [(n, 6) for n in range(1, 7)]


def test_the_default_policy_is_the_specifications() -> None:
    """docs/protocol.md 4.2: limits, timers and the seconds of each level."""
    policy = default_policy(1, bytes(32), bytes(32))
    assert to_builtins(policy.limits) == {
        "max_body": 65_536, "max_to": 20, "kem_grace": 1_209_600_000, "draft_ttl": 86_400, "link_window": 262_144,
        "confirm_s": 900, "rate_msg": 60, "rate_peer": 600,
    }  # fmt: skip
    assert to_builtins(policy.timers) == {
        "hb_s": 30, "stale_s": 90, "cosign_s": 10, "test_s": 900, "steps": (50, 100, 150, 200)
    }  # fmt: skip
    assert (policy.cooling, default_policy(2, bytes(32), bytes(32)).cooling, policy.quorum) == (86_400_000, 0, 0)
    h = 3600
    seconds = {
        x.code: [getattr(x, n) for n in ("read", "engaged", "informed", "reply", "update")] for x in policy.levels
    }
    assert seconds == {
        "routine": [24 * h, UNSET, UNSET, 168 * h, UNSET],
        "attention": [3 * h, 12 * h, UNSET, 72 * h, UNSET],
        "consultation": [h, 3 * h, UNSET, 24 * h, 12 * h],
        "serious": [1800, h, 4 * h, 4 * h, 4 * h],
        "crisis": [600, 1200, h, h, h],
        "principals": [300, 600, 1800, 1800, 1800],
    }


def test_a_name_of_a_note_has_255_bytes_at_most() -> None:
    """The lines of ML-DSA count the name's bytes in one byte."""
    assert _short("n" * 255) == b"\xff" + b"n" * 255
    with pytest.raises(WrongUse):
        _short("n" * 256)


def test_a_founding_of_another_party(monkeypatch: pytest.MonkeyPatch) -> None:
    """A root and roster of a party that the charter does not name: OPEN, however well they are signed."""
    from tests import world as worlds

    for name in ("root", "roster"):
        before = getattr(worlds.Ceremony, name)

        def of_another(self: Any, *args: Any, before: Any = before, **other: Any) -> Any:
            return before(self, *args, **({"party": "XX"} if self.letter == "b" else {}) | other)

        monkeypatch.setattr(worlds.Ceremony, name, of_another)
    claim = worlds.Ceremony.claim
    monkeypatch.setattr(
        worlds.Ceremony,
        "claim",
        lambda self, *a: replace_claim(claim(self, *a), "XX") if self.letter == "b" else claim(self, *a),
    )
    made = worlds.found.__wrapped__(2, "another party", None, small=True)
    fold = Fold(made.chan, made.blobs.get)
    for x in "ab":
        fold.add(x, [Record(t=t, ts=1, seen=(0, 0, EMPTY), blobs=n, env=env).encode() for t, env, n in made.records[x]])
    assert (fold.charter, fold.open_fault) == (None, "root")


def replace_claim(claim: Any, party: str) -> Any:
    return dataclasses.replace(claim, party=party)


def test_only_messages_have_numbers() -> None:
    """An acknowledgement, a key record and an opaque leaf have none; a refused message has one."""
    world = World(2, cooling=0)
    sent = world.send("a", "expert1")
    ack = world.ack("b", "expert1", sent)
    leaf = world.raw("a", b"opaque")
    refused = world.send("a", "records")
    fold = world.fold()
    assert fold.verdict("a", refused.index).reason == "SIGNER"
    numbers = [fold.verdict(s.letter, s.index).number for s in (sent, ack, leaf, refused)]
    assert numbers == ["CN-2026-000001", "", "", "CN-2026-000002"]
    assert fold.verdict("a", 1).number == ""
