"""Replication: every request has one meaning, every answer is checked, the same bytes travel by hand."""

import hashlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel.protocol import append, evidence, note
from channel.protocol.append import Accept, Refresh, Request
from channel.protocol.merkle import Frontier, leaf_hash
from channel.protocol.note import NotePrivate
from channel.protocol.record import NOTHING_SEEN, Record
from keys.codec import pack, unpack
from keys.errors import Malformed, Refused, SecurityAlarm, Unverified

LOG, COS = NotePrivate(b"\1" * 64), NotePrivate(b"\2" * 64)
ORIGIN = note.origin(b"\7" * 32, "a", 0)
NAME = note.cosigner_name(note.origin(b"\7" * 32, "b", 0))
NOW = 1_790_000_000
NAMED = b"a sealed message"


def h(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def record(i: int, *blobs: bytes) -> bytes:
    return Record(
        t="node.ack", ts=i, seen=NOTHING_SEEN, blobs=tuple(sorted(h(b) for b in blobs)), env=pack({})
    ).encode()


HELD = [record(i) for i in range(3)]
NEW = [record(3, NAMED), b"\xc1 no record at all", record(5)]
BASE = Frontier.empty().extend(map(leaf_hash, HELD))
FULL = BASE.extend(map(leaf_hash, NEW))
STORED = note.sign_quick(LOG, ORIGIN, 3, BASE.root())


def signed(frontier: Frontier, *, anchor: bool = False) -> note.Note:
    if anchor:
        return note.sign_anchor(LOG, ORIGIN, frontier.size, frontier.root(), NOW)
    return note.sign_quick(LOG, ORIGIN, frontier.size, frontier.root())


def request(frontier: Frontier = FULL, *, anchor: bool = False, **changes: object) -> bytes:
    fields = {"old": 3, "note": signed(frontier, anchor=anchor).encode(), "recs": NEW, "blobs": [NAMED]}
    return pack({"v": 1, **fields, **changes})


def receive(raw: bytes, stored: note.Note | None = STORED, held: frozenset[bytes] = frozenset()) -> append.Outcome:
    return append.receive(raw, ORIGIN, LOG.public, BASE, stored, held.__contains__)


@pytest.mark.parametrize("anchor", [False, True])
def test_a_batch_is_accepted(anchor: bool) -> None:
    """A batch that leads to the note's root is accepted, an undecodable record in it as an opaque leaf."""
    out = receive(request(anchor=anchor))
    assert out == Accept(
        signed(FULL) if not anchor else out.note,
        tuple(NEW),
        tuple(map(leaf_hash, NEW)),
        FULL,
        {h(NAMED): NAMED},
        anchor,
    )
    lines = note.cosign(COS, NAME, out.note, NOW, anchor=anchor)
    assert out.status == 200
    merged = append.check_answer(signed(FULL) if not anchor else out.note, out.body(lines), (NAME, COS.public))
    standing = note.check(merged, LOG.public, (NAME, COS.public))
    assert (standing.cosigned, standing.cosigned_anchor) == (True, anchor)


def test_the_struct_makes_the_same_bytes() -> None:
    """A request from its struct is the DCM map that other programs would send."""
    made = Request(old=3, note=signed(FULL).encode(), recs=tuple(NEW), blobs=(NAMED,)).encode()
    assert made == request()
    assert append.read_request(made).old == 3


def test_refresh() -> None:
    """A note over what is already held is a refresh, quick or anchor."""
    for anchor in (False, True):
        out = receive(request(BASE, anchor=anchor, recs=[], blobs=[]))
        assert isinstance(out, Refresh)
        assert (out.anchor, out.status, out.note.size) == (anchor, 200, 3)
        lines = note.cosign(COS, NAME, out.note, NOW, anchor=anchor)
        assert append.check_answer(out.note, out.body(lines), (NAME, COS.public)).lines[-len(lines) :] == lines


def test_blobs_may_be_held_already() -> None:
    """A blob that was stored before need not be sent again."""
    out = receive(request(blobs=[]), held=frozenset({h(NAMED)}))
    assert isinstance(out, Accept)
    assert out.blobs == {}


def test_424_lists_what_is_missing() -> None:
    """A named blob that is nowhere is asked for by hash; another blob in its place is refused."""
    out = receive(request(blobs=[]))
    assert (out.status, append.read_missing(out.body())) == (424, (h(NAMED),))
    assert unpack(out.body()) == [h(NAMED)]
    assert receive(request(blobs=[NAMED + b"!"])).body() == b"BLOB_UNNAMED\n"


def test_409_says_where_to_go_on() -> None:
    """A sender that is elsewhere, or sends an older note, is told the size that is held."""
    older = Frontier.empty().extend(map(leaf_hash, HELD[:2]))
    for raw in (
        request(old=2, recs=[HELD[2], *NEW]),
        request(old=4, recs=NEW[1:]),
        request(older, recs=[], blobs=[]),
        request(BASE, old=0, recs=HELD, blobs=[]),
    ):
        out = receive(raw)
        assert (out.status, out.media, out.body()) == (409, "text/x.tlog.size", b"3\n")
        assert append.read_size(out.body()) == 3


def test_404_another_log() -> None:
    """A note of another log number, party or side log is not expected here."""
    for other in (note.origin(b"\7" * 32, "a", 1), note.origin(b"\7" * 32, "b", 0), ORIGIN + "/s"):
        made = note.sign_quick(LOG, other, 6, FULL.root())
        assert receive(request(note=made.encode())).status == 404


def test_403_unsigned_or_falsely_signed() -> None:
    """A note without the log's line, or with any failing line of the log, is forbidden."""
    other = note.sign_quick(COS, ORIGIN, 6, FULL.root())
    assert receive(request(note=other.encode())).body() == b"NOTE_UNSIGNED\n"
    good = signed(FULL, anchor=True)
    for i in (0, 1):
        lines = list(good.lines)
        lines[i] = replace(lines[i], sig=lines[i].sig[:-1] + bytes([lines[i].sig[-1] ^ 1]))
        out = receive(request(note=replace(good, lines=tuple(lines)).encode()))
        assert (out.status, out.body()) == (403, b"NOTE_SIG\n")


@pytest.mark.parametrize("old", [0, 3, 9])
def test_422_a_fork_freezes_with_evidence(old: int) -> None:
    """Another root at the size that was cosigned is E1, whatever the sender says of where it stands."""
    forked = Frontier.empty().extend(map(leaf_hash, [*HELD[:2], b"other"]))
    out = receive(request(forked, old=old, recs=[], blobs=[]))
    assert (out.status, out.freeze, out.body()) == (422, True, b"FORK\n")
    found = evidence.check(unpack(pack(out.evidence)), evidence.Known(b"\7" * 32, 1, {ORIGIN: LOG.public}))
    assert (found.k, found.against, found.sizes) == ("E1", ORIGIN, (3, 3))
    for stored in (None, signed(FULL)):
        without = receive(request(forked, old=old, recs=[], blobs=[]), stored=stored)
        assert (without.status, without.freeze, without.evidence) == (422, True, None)


def test_422_records_that_lead_elsewhere() -> None:
    """Records that do not lead to the signed root are kept as they came, and nothing is frozen."""
    for recs in ([*NEW[:2], b"other"], NEW[::-1]):
        out = receive(request(recs=recs))
        assert (out.status, out.why, out.freeze, out.evidence) == (422, "ROOT", False, None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"recs": NEW[:2]}, b"COUNT\n"),
        ({"recs": []}, b"COUNT\n"),
        ({"blobs": [NAMED, b"nobody's"]}, b"BLOB_UNNAMED\n"),
        ({"blobs": [b"", NAMED]}, b"PARSE\n"),
        ({"recs": [b"", *NEW[1:]]}, b"PARSE\n"),
        ({"recs": [bytes(65_536), *NEW[1:]]}, b"PARSE\n"),
        ({"recs": [b"x"] * 257}, b"PARSE\n"),
        ({"old": -1}, b"PARSE\n"),
        ({"v": 2}, b"PARSE\n"),
        ({"extra": 1}, b"PARSE\n"),
        ({"note": b"no note"}, b"NOTE\n"),
        ({"note": b"n" * 57_345}, b"PARSE\n"),
        ({"blobs": [bytes(4 * 1024 * 1024)]}, b"BATCH\n"),
    ],
)
def test_400(changes: dict[str, object], why: bytes) -> None:
    """What is out of form or beyond a limit is a bad request that says why."""
    out = receive(request(**changes))
    assert (out.status, out.body()) == (400, why)


def test_400_size() -> None:
    """Bytes beyond the limit are not even read."""
    assert receive(bytes(append.MAX_REQUEST + 1)).body() == b"BATCH\n"
    assert receive(b"").body() == b"PARSE\n"
    assert receive(request(BASE, recs=[], blobs=[NAMED])).body() == b"BLOB_UNNAMED\n"


def test_the_senders_limits() -> None:
    """No request is made that a receiver could not take."""
    made = Request(old=0, note=signed(FULL).encode(), blobs=(bytes(4 * 1024 * 1024), b"1"))
    with pytest.raises(Refused, match="BATCH"):
        made.encode()
    with pytest.raises(Refused, match="BATCH"):
        msgspec.structs.replace(made, recs=(b"x",) * 257, blobs=()).encode()


def test_a_false_answer_is_an_alarm() -> None:
    """The cosigner's own failing line is an alarm; an answer of other lines only is not an answer."""
    sent = signed(FULL, anchor=True)
    lines = note.cosign(COS, NAME, sent, NOW, anchor=True)
    other = note.cosign(COS, NAME, signed(BASE, anchor=True), NOW, anchor=True)
    cosigner = (NAME, COS.public)
    with pytest.raises(SecurityAlarm, match="NOTE_SIG"):
        append.check_answer(sent, note.encode_lines(other), cosigner)
    with pytest.raises(SecurityAlarm, match="NOTE_SIG"):
        append.check_answer(sent, note.encode_lines((lines[0], other[1])), cosigner)
    for few in (lines[:1], lines[1:], note.cosign(LOG, NAME, sent, NOW, anchor=True), sent.lines):
        with pytest.raises(Unverified, match="NOTE_UNSIGNED") as e:
            append.check_answer(sent, note.encode_lines(few), cosigner)
        assert not isinstance(e.value, SecurityAlarm)
    for raw in (b"", b"busy\n"):
        with pytest.raises(Malformed, match="NOTE"):
            append.check_answer(sent, raw, cosigner)


def test_one_false_line_among_true_ones() -> None:
    """A false line of the cosigner before a true one of the same key is still an alarm."""
    sent = signed(FULL)
    (line,) = note.cosign(COS, NAME, sent, NOW, anchor=False)
    with pytest.raises(SecurityAlarm, match="NOTE_SIG"):
        append.check_answer(sent, note.encode_lines((replace(line, sig=bytes(72)), line)), (NAME, COS.public))


def test_an_answer_adds_only_the_cosigners_lines() -> None:
    """Lines of others in an answer are not stored with the note."""
    sent = signed(FULL)
    lines = note.cosign(COS, NAME, sent, NOW, anchor=False)
    answer = note.encode_lines(
        (
            *lines,
            note.Line("other", b"1234", b"x" * 9),
            note.Line(NAME, b"1234", b"x"),
            replace(sent.lines[0], sig=bytes(64)),
        )
    )
    assert append.check_answer(sent, answer, (NAME, COS.public)).lines == (*sent.lines, *lines)


@given(st.lists(st.integers(1, 3 * 1024 * 1024 + 65_535), max_size=600) | st.integers(0, 600).map(lambda n: [100] * n))
def test_batches(weights: list[int]) -> None:
    """Batches hold the limits, take what fits, and take everything in the end."""
    sent = 0
    while sent < len(weights):
        n = append.next_batch(weights[sent:])
        assert 1 <= n <= 256
        assert sum(weights[sent : sent + n]) <= append.MAX_BATCH
        full = n == 256 or sent + n == len(weights) or sum(weights[sent : sent + n + 1]) > append.MAX_BATCH
        assert full
        sent += n
    assert append.next_batch([]) == 0


@given(st.lists(st.binary(max_size=200), max_size=5), st.data())
def test_carry(bodies: list[bytes], data: st.DataObject) -> None:
    """Bodies carried by hand come back as they were; a cut file is refused."""
    raw = append.carry_pack(bodies)
    assert append.carry_unpack(raw) == bodies
    cut = data.draw(st.integers(0, len(raw) - 1))
    whole = {8 + sum(4 + len(b) for b in bodies[:i]) for i in range(len(bodies))}
    if cut not in whole:
        with pytest.raises(Malformed, match="CARRY"):
            append.carry_unpack(raw[:cut])


def test_carry_layout() -> None:
    """The file's layout, byte for byte, for requests and answers; a length beyond the limit is refused."""
    assert append.carry_pack([b"ab", b""]) == b"DCXCARRY" + b"\0\0\0\2ab" + b"\0\0\0\0"
    answer = append.answer_pack(409, b"3\n")
    assert answer == pack([409, b"3\n"])
    assert append.answer_unpack(answer) == (409, b"3\n")
    for wrong in (b"DCXCARRX", b"DCXCARRY\xff\xff\xff\xff"):
        with pytest.raises(Malformed, match="CARRY"):
            append.carry_unpack(wrong)
    for wrong in (b"", pack([409]), pack([1000, b""])):
        with pytest.raises(Malformed, match="CARRY"):
            append.answer_unpack(wrong)


def test_broken_answers() -> None:
    """Sizes and hashes in other forms are refused."""
    for body in (b"", b"3", b"03\n", b"-1\n", b"3\n\n", b" 3\n"):
        with pytest.raises(Malformed, match="ANSWER"):
            append.read_size(body)
    for body in (b"", pack([b"short"]), pack("x")):
        with pytest.raises(Malformed, match="ANSWER"):
            append.read_missing(body)
