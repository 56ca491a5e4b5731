"""Evidence holds offline for anyone with the channel's keys, and nothing that proves nothing passes."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel.protocol import evidence, merkle, note
from channel.protocol.evidence import Known, Tree
from channel.protocol.header import Header, payload_of
from channel.protocol.merkle import leaf_hash
from channel.protocol.note import NotePrivate
from channel.protocol.record import NOTHING_SEEN, Record
from keys.codec import pack, unpack
from keys.envelope import Envelope, sign
from keys.errors import Malformed, Unverified
from keys.identity import PrivateKey
from keys.suites import SIGN

CHAN = b"\7" * 32
LOG_A, LOG_B, COS_B = NotePrivate(b"\1" * 64), NotePrivate(b"\2" * 64), NotePrivate(b"\3" * 64)
A, B = note.origin(CHAN, "a", 0), note.origin(CHAN, "b", 0)
NAME = note.cosigner_name(B)
KNOWN = Known(CHAN, 1, {A: LOG_A.public, B: LOG_B.public}, {NAME: COS_B.public})
NOW = 1_790_000_000
ZERO = bytes(32)


def tree(*records: bytes, anchor: bool = True, key: NotePrivate = LOG_A, origin: str = A) -> Tree:
    leaves = [leaf_hash(r) for r in records]
    root = merkle.root_of(leaves)
    made = (
        note.sign_anchor(key, origin, len(leaves), root, NOW)
        if anchor
        else note.sign_quick(key, origin, len(leaves), root)
    )
    return Tree(made, leaves)


def numbered(n: int, word: str = "record") -> list[bytes]:
    return [f"{word} {i}".encode() for i in range(n)]


def cosigned(t: Tree, *, anchor: bool = True) -> Tree:
    return Tree(note.merge(t.note, note.cosign(COS_B, NAME, t.note, NOW, anchor=anchor)), t.leaf_hashes)


def check(body: dict[str, Any]) -> evidence.Finding:
    """As a reader gets it: through its bytes."""
    return evidence.check(unpack(pack(body)), KNOWN)


def message(mid: bytes, key: PrivateKey, blob: bytes, chan: bytes = CHAN) -> Envelope:
    header = Header(
        chan=chan, from_=key.kid, mid=mid, ts=1, prev=ZERO, suite=0x0101, to=(ZERO,), fmt="F13",
        level="attention", prec="P", status="message", lang="en",
    )  # fmt: skip
    return sign("msg", payload_of(header, kc=ZERO, bd=ZERO, blob=hashlib.sha256(blob).digest(), blen=1), [key])


AUTHOR = PrivateKey(1, SIGN, b"\5" * 64)


def all_six() -> dict[str, dict[str, Any]]:
    short, long, other = numbered(5), numbered(9), [*numbered(4), b"other", *numbered(4, "more")]
    seen = Record(t="node.ack", ts=1, seen=(0, 5, ZERO), blobs=(), env=pack({})).encode()
    return {
        "E1": evidence.make_e1(tree(*short).note, tree(*other[:5]).note, KNOWN),
        "E2": evidence.make_e2(tree(*short).note, tree(*other), KNOWN),
        "E3": evidence.make_e3(tree(*short), tree(*other), 4, KNOWN),
        "E4": evidence.make_e4(
            AUTHOR.public, message(b"m" * 16, AUTHOR, b"1"), message(b"m" * 16, AUTHOR, b"2"), KNOWN
        ),
        "E5": evidence.make_e5(tree(b"x", seen, key=LOG_B, origin=B), 1, seen, tree(*long), KNOWN),
        "E6": evidence.make_e6(NAME, cosigned(tree(*short)).note, cosigned(tree(*other)), KNOWN),
    }


SIX = all_six()


@pytest.mark.parametrize("k", SIX)
def test_each_kind_holds(k: str) -> None:
    """Each kind is a DCM map of one meaning that a reader with the keys can check alone."""
    found = check(SIX[k])
    assert (found.k, found.strength) == (k, "anchor")
    assert found.freezes == (k not in {"E4", "E5"})
    assert found.against == {"E4": AUTHOR.kid.hex(), "E5": B, "E6": NAME}.get(k, A)


@pytest.mark.parametrize("k", SIX)
def test_it_fits_into_a_record(k: str) -> None:
    """The body of each kind fits into a node.evidence record."""
    record = Record(t="node.evidence", ts=1, seen=NOTHING_SEEN, blobs=(), env=pack(SIX[k])).encode()
    assert len(record) < 65_535


@pytest.mark.parametrize("k", SIX)
def test_strength_is_part_of_the_proof(k: str) -> None:
    """A body that states another strength than it has is refused."""
    with pytest.raises(Unverified, match="another strength"):
        check({**SIX[k], "strength": "quick"})


@pytest.mark.parametrize("k", SIX)
def test_every_field_counts(k: str) -> None:
    """A field changed, dropped or added makes the body no evidence."""
    body = SIX[k]
    for name, value in body.items():
        wrongs: list[Any] = [None]
        if isinstance(value, bytes):
            wrongs = [value[:-1], value[:-9] + bytes([value[-9] ^ 1]) + value[-8:], b""]
        elif isinstance(value, list):
            wrongs = [[*value, ZERO], value[:-1] or [ZERO], [*value[:-1], b"short"]]
        elif isinstance(value, int):
            wrongs = [value + 1, -1]
        for wrong in wrongs:
            with pytest.raises((Malformed, Unverified), match="EVIDENCE"):
                evidence.check({**body, name: wrong}, KNOWN)
        with pytest.raises(Malformed, match="EVIDENCE"):
            evidence.check({n: v for n, v in body.items() if n != name}, KNOWN)
    with pytest.raises(Malformed, match="EVIDENCE"):
        evidence.check({**body, "more": 1}, KNOWN)


@pytest.mark.parametrize("k", SIX)
def test_other_keys_prove_nothing(k: str) -> None:
    """Under the keys of another channel, party or mode no kind holds."""
    swapped = Known(b"\6" * 32, 2, {A: LOG_B.public, B: LOG_A.public}, {NAME: LOG_A.public})
    for known in (swapped, Known(b"\6" * 32, 1)):
        with pytest.raises(Unverified, match="EVIDENCE"):
            evidence.check(SIX[k], known)


def test_quick_notes_give_quick_evidence() -> None:
    """One quick note among the two makes the evidence quick, and it says so."""
    one, two = tree(*numbered(3), anchor=False), tree(*numbered(3, "other"))
    for pair in ((one, two), (two, one)):
        body = evidence.make_e1(pair[0].note, pair[1].note, KNOWN)
        assert check(body).strength == body["strength"] == "quick"
        assert body == evidence.make_e1(pair[1].note, pair[0].note, KNOWN)
    mixed = evidence.make_e6(NAME, cosigned(one, anchor=False).note, cosigned(two), KNOWN)
    assert (check(mixed).k, mixed["strength"], mixed["path"]) == ("E6", "quick", [])


def test_foreign_lines_are_left_out() -> None:
    """Notes full of witness lines still give evidence that fits into a record."""
    many = tuple(note.Line(f"witness{i}", b"1234", b"x" * 3000) for i in range(10))
    one, two = (note.merge(tree(*numbered(3, w)).note, many) for w in ("a", "b"))
    body = evidence.make_e1(one, two, KNOWN)
    assert len(pack(body)) < 8000
    assert check(body).k == "E1"


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_forks_of_every_shape(a: int, b: int, data: st.DataObject) -> None:
    """Two trees that part at any point give E1 or E2, and E3 there; one tree that grows gives nothing."""
    m, n = sorted((a, b))
    at = data.draw(st.integers(0, m - 1))
    honest, forked = numbered(n), numbered(n)
    forked[at] = b"another"
    small, grown, other = (tree(*records, anchor=False) for records in (honest[:m], honest, forked))
    if m < n:
        assert check(evidence.make_e2(small.note, other, KNOWN)).sizes == (m, n)
        with pytest.raises(Unverified, match="the notes agree"):
            evidence.make_e2(small.note, grown, KNOWN)
    else:
        assert check(evidence.make_e1(small.note, other.note, KNOWN)).sizes == (m, n)
        with pytest.raises(Unverified, match="the notes agree"):
            evidence.make_e1(small.note, grown.note, KNOWN)
    assert check(evidence.make_e3(small, other, at, KNOWN)).k == "E3"
    with pytest.raises(Unverified, match="the leaves agree"):
        evidence.make_e3(small, grown, at, KNOWN)


def test_a_note_from_elsewhere() -> None:
    """A note of any earlier or equal size that is not of the tree gives E1 or E2; one of the tree gives nothing."""
    own = tree(*numbered(9))
    for size in range(1, 10):
        assert evidence.disagreement(tree(*numbered(size)).note, own, KNOWN) is None
        body = evidence.disagreement(tree(*numbered(size - 1), b"other").note, own, KNOWN)
        assert body is not None
        assert check(body).k == ("E1" if size == 9 else "E2")
    assert evidence.disagreement(tree(*numbered(10)).note, own, KNOWN) is None


def test_what_is_no_double_message() -> None:
    """The same payload, another id, another author or another channel is no E4."""
    one = message(b"m" * 16, AUTHOR, b"1")
    stranger = PrivateKey(1, SIGN, b"\6" * 64)
    for two in (
        one,
        message(b"n" * 16, AUTHOR, b"2"),
        message(b"m" * 16, stranger, b"2"),
        message(b"m" * 16, AUTHOR, b"2", chan=ZERO),
        replace(message(b"m" * 16, AUTHOR, b"2"), signatures=one.signatures),
    ):
        with pytest.raises(Unverified, match="EVIDENCE"):
            evidence.make_e4(AUTHOR.public, one, two, KNOWN)


def test_a_true_seen_is_no_e5() -> None:
    """A record whose ``seen`` names a root that the log had, at any size, or a size that it never had, is no E5."""
    own = tree(*numbered(9))
    for size in (0, 1, 4, 5, 9):
        root = merkle.root_of(own.leaf_hashes[:size])
        for seen, fits in (
            ((0, size, root), "had that root"),
            ((1, size, ZERO), "not the log"),
            ((0, size, ZERO), None),
        ):
            record = Record(t="node.ack", ts=1, seen=seen, blobs=(), env=pack({})).encode()
            theirs = tree(record, key=LOG_B, origin=B)
            if fits is None:
                assert check(evidence.make_e5(theirs, 0, record, own, KNOWN)).k == "E5"
            else:
                with pytest.raises(Unverified, match=fits):
                    evidence.make_e5(theirs, 0, record, own, KNOWN)


def test_unknown_kinds() -> None:
    """A kind that is not known here is not judged."""
    for body in ({}, {"k": "E7", "strength": "quick"}, {"k": 1}):
        with pytest.raises(Malformed, match="EVIDENCE"):
            evidence.check(body, KNOWN)
