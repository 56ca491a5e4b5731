"""Evidence that stands on its own: a DCM map {k, …, strength} and the check that anyone can run (protocol section 10).

    E1  two log-valid notes of one origin and size with different roots
    E2  two log-valid notes of one origin, m < n, and the path in the second tree that leads to another root at m
    E3  two different leaves at one index under two log-valid notes
    E4  two ``msg`` payloads with one ``from`` and ``mid``, both signed
    E5  a record whose ``seen`` names a root that the other log never had
    E6  two cosignatures of one cosigner over trees that do not fit together

``make_*`` builds a body and checks it, so no evidence is made that does not hold. ``check`` needs the public keys of
the channel and nothing else. ``strength`` is stated in the body and proved with it: "anchor" where Ed25519 and
ML-DSA-44 lines (or a composite signature) carry it, "quick" where only Ed25519 does: that stands until a quantum
computer does. Faults of form are ``Malformed`` EVIDENCE, proofs that fail ``Unverified`` EVIDENCE.

E1, E2, E3 and E6 freeze the channel. E5 is a question to the other side: its answer is the note it saw, or none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from channel.protocol import merkle, note
from channel.protocol.header import Payload
from channel.protocol.merkle import EMPTY
from channel.protocol.note import ED25519, ED25519_TIMED, MLDSA44_TIMED, Note, NotePublic
from channel.protocol.record import read_record
from keys.envelope import read_envelope
from keys.errors import Malformed, Unverified
from keys.identity import read_key
from keys.shapes import Count, Hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keys.envelope import Envelope
    from keys.identity import PublicKey

Strength = Literal["anchor", "quick"]
FREEZES = frozenset({"E1", "E2", "E3", "E6"})
Path = tuple[Hash, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """The public keys of a channel, as its charter and successions name them: by origin, and by cosigner name."""

    chan: bytes
    mode: int
    logs: Mapping[str, NotePublic] = field(default_factory=dict)
    cosigners: Mapping[str, NotePublic] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a piece of evidence proves. ``against``: the origin, cosigner name or key id (hex) that it is about."""

    k: str
    against: str
    strength: Strength
    sizes: tuple[int, int]

    @property
    def freezes(self) -> bool:
        """Whether the channel freezes on it."""
        return self.k in FREEZES


class Tree(NamedTuple):
    """A note and the leaf hashes under it, from index 0; more of them than its size do no harm."""

    note: Note
    leaf_hashes: Sequence[bytes]


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="k"):
    strength: Strength


class _E1(_Body, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="k", tag="E1"):
    note1: bytes
    note2: bytes

    def finding(self, known: Known) -> Finding:
        one, two = _log_notes(self, known)
        _must(one.note.size == two.note.size and one.note.root != two.note.root, "the notes agree")
        return Finding("E1", one.note.origin, _weaker(one, two), (one.note.size, two.note.size))


class _E2(_Body, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="k", tag="E2"):
    note1: bytes
    note2: bytes
    path: Path

    def finding(self, known: Known) -> Finding:
        one, two = _log_notes(self, known)
        _forked(one.note, two.note, self.path)
        return Finding("E2", one.note.origin, _weaker(one, two), (one.note.size, two.note.size))


class _E3(_Body, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="k", tag="E3"):
    note1: bytes
    note2: bytes
    index: Count
    leaf1: Hash
    leaf2: Hash
    path1: Path
    path2: Path

    def finding(self, known: Known) -> Finding:
        one, two = _log_notes(self, known)
        _must(self.leaf1 != self.leaf2, "the leaves agree")
        _included(one.note, self.leaf1, self.index, self.path1)
        _included(two.note, self.leaf2, self.index, self.path2)
        return Finding("E3", one.note.origin, _weaker(one, two), (one.note.size, two.note.size))


class _E4(_Body, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="k", tag="E4"):
    key: bytes
    env1: bytes
    env2: bytes

    def finding(self, known: Known) -> Finding:
        key = read_key(self.key)
        one, two = (read_envelope(raw) for raw in (self.env1, self.env2))
        first, second = one.read("msg", Payload), two.read("msg", Payload)
        _must(first.chan == second.chan == known.chan, "another channel")
        _must(first.from_ == second.from_ == key.kid and first.mid == second.mid, "not one sender and message id")
        _must(one.payload != two.payload, "the payloads agree")
        for env in (one, two):
            _must(key.kid in env.verified(known.mode, {key.kid: key}), "a signature fails")
        return Finding("E4", key.kid.hex(), "anchor", (0, 0))


class _E5(_Body, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="k", tag="E5"):
    note: bytes  # of the log that holds the record
    record: bytes
    index: Count
    path: Path
    own: bytes  # note of the log that ``seen`` names, at least of that size
    own_path: Path

    def finding(self, known: Known) -> Finding:
        theirs, ours = _log_note(self.note, known), _log_note(self.own, known)
        _included(theirs.note, merkle.leaf_hash(self.record), self.index, self.path)
        log_no, size, root = read_record(self.record).seen
        (their_chan, their_letter, _, their_side), own = (note.origin_parts(x.note.origin) for x in (theirs, ours))
        _must(own == (their_chan, "b" if their_letter == "a" else "a", log_no, False), "not the log that was seen")
        _must(not their_side, "a side log sees nothing of the other side")
        _must(_root_at(ours.note, size, self.own_path) != root, "the log had that root")
        return Finding("E5", theirs.note.origin, _weaker(theirs, ours), (self.index, size))


class _E6(_Body, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="k", tag="E6"):
    name: str
    note1: bytes
    note2: bytes
    path: Path

    def finding(self, known: Known) -> Finding:
        one, two = (_cosigned_note(raw, self.name, known) for raw in (self.note1, self.note2))
        _must(one.note.origin == two.note.origin, "notes of two logs")
        if one.note.size == two.note.size:
            _must(one.note.root != two.note.root and not self.path, "the notes agree")
        else:
            _forked(one.note, two.note, self.path)
        return Finding("E6", self.name, _weaker(one, two), (one.note.size, two.note.size))


_Any: Any = _E1 | _E2 | _E3 | _E4 | _E5 | _E6


def check(body: Mapping[str, Any], known: Known) -> Finding:
    """What this body proves with the keys of the channel, its stated strength included."""
    finding = _prove(body, known)
    _must(body["strength"] == finding.strength, "states another strength")
    return finding


def make_e1(one: Note, two: Note, known: Known) -> dict[str, Any]:
    """E1 from two notes of one size."""
    first, second = sorted((one, two), key=lambda n: n.root)
    return _made({"k": "E1", **_log_pair(first, second, known)}, known)


def make_e2(one: Note, tree: Tree, known: Known) -> dict[str, Any]:
    """E2 from a note and the bigger tree that does not extend it."""
    path = full_path(tree.leaf_hashes, one.size, tree.note.size)
    return _made({"k": "E2", **_log_pair(one, tree.note, known), "path": path}, known)


def make_e3(one: Tree, two: Tree, index: int, known: Known) -> dict[str, Any]:
    """E3 from two trees that differ at ``index``."""
    body = {
        "index": index,
        "leaf1": one.leaf_hashes[index],
        "leaf2": two.leaf_hashes[index],
        "path1": merkle.inclusion_proof(one.leaf_hashes, index, one.note.size),
        "path2": merkle.inclusion_proof(two.leaf_hashes, index, two.note.size),
    }
    return _made({"k": "E3", **_log_pair(one.note, two.note, known), **body}, known)


def make_e4(key: PublicKey, one: Envelope, two: Envelope, known: Known) -> dict[str, Any]:
    """E4 from two message envelopes and the key that signed both."""
    first, second = sorted((one, two), key=lambda e: e.payload)
    return _made({"k": "E4", "key": key.encode(), "env1": first.encode(), "env2": second.encode()}, known)


def make_e5(theirs: Tree, index: int, record: bytes, ours: Tree, known: Known) -> dict[str, Any]:
    """E5 from the record at ``index`` of the other side's tree, and the own tree that it speaks of."""
    body = {
        "note": _log_proof(theirs.note, known),
        "record": record,
        "index": index,
        "path": merkle.inclusion_proof(theirs.leaf_hashes, index, theirs.note.size),
        "own": _log_proof(ours.note, known),
        "own_path": full_path(ours.leaf_hashes, read_record(record).seen[1], ours.note.size),
    }
    return _made({"k": "E5", **body}, known)


def make_e6(name: str, one: Note, tree: Tree, known: Known) -> dict[str, Any]:
    """E6 from a note and a tree, of the same size or bigger, that the cosigner ``name`` both cosigned."""
    body = {"note1": _cosigner_proof(one, name, known), "note2": _cosigner_proof(tree.note, name, known)}
    path = full_path(tree.leaf_hashes, one.size, tree.note.size)
    return _made({"k": "E6", "name": name, **body, "path": path}, known)


def disagreement(of: Note, tree: Tree, known: Known) -> dict[str, Any] | None:
    """E1 or E2 if a note, of at most the tree's size, is not of that tree; None if it is. Both must be log-valid.

    For notes that come outside the order of ``append``: by ``status``, from a desk, from a witness.
    """
    if of.size > tree.note.size or of.root == merkle.root_of(tree.leaf_hashes[: of.size]):
        return None
    return make_e1(of, tree.note, known) if of.size == tree.note.size else make_e2(of, tree, known)


def full_path(leaf_hashes: Sequence[bytes], old: int, new: int) -> list[bytes]:
    """A consistency path whose first hash always stands in it, so that the old root is computed from the path.

    Where ``old`` is a power of two it is that tree's root itself, which RFC 6962 leaves out. Empty for 0 and equality.
    """
    path = merkle.consistency_proof(leaf_hashes, old, new)
    whole = 0 < old < new and old & (old - 1) == 0
    return [merkle.root_of(leaf_hashes[:old]), *path] if whole else path


class _Judged(NamedTuple):
    """A note with lines that verify, and how strong they are."""

    note: Note
    strength: Strength


def _made(body: dict[str, Any], known: Known) -> dict[str, Any]:
    """The body with its strength, proved as a reader would."""
    return {**body, "strength": _prove({**body, "strength": "quick"}, known).strength}


def _prove(body: Mapping[str, Any], known: Known) -> Finding:
    """The finding of a body, whatever strength it states."""
    try:
        evidence: _E1 | _E2 | _E3 | _E4 | _E5 | _E6 = msgspec.convert(dict(body), _Any)
    except (msgspec.ValidationError, TypeError, ValueError) as e:
        raise Malformed("EVIDENCE", why=str(e)) from None
    try:
        return evidence.finding(known)
    except Unverified as e:
        raise Unverified("EVIDENCE", why=e.values.get("why", str(e))) from None
    except Malformed as e:
        raise Malformed("EVIDENCE", why=str(e)) from None


def _must(holds: bool, why: str) -> None:  # noqa: FBT001  reads as a sentence
    if not holds:
        raise Unverified("EVIDENCE", why=why)


def _log_note(raw: bytes, known: Known) -> _Judged:
    """A log-valid note of a log of this channel."""
    read = note.parse(raw)
    standing = note.check(read, _log_key(read, known), None)
    _must(standing.log, "a note without its log's line")
    return _Judged(read, "anchor" if standing.log_anchor else "quick")


def _log_notes(pair: _E1 | _E2 | _E3, known: Known) -> tuple[_Judged, _Judged]:
    one, two = _log_note(pair.note1, known), _log_note(pair.note2, known)
    _must(one.note.origin == two.note.origin, "notes of two logs")
    return one, two


def _cosigned_note(raw: bytes, name: str, known: Known) -> _Judged:
    """A note that the cosigner signed. Whether its log did does not matter: the cosigner vouched for it."""
    read = note.parse(raw)
    kinds = note.cosigner_lines(read, name, _cosigner_key(name, known))
    _must(ED25519_TIMED in kinds, "a note without the cosigner's line")
    return _Judged(read, "anchor" if MLDSA44_TIMED in kinds else "quick")


def _log_key(of: Note, known: Known) -> NotePublic:
    if of.origin not in known.logs:
        raise Unverified("EVIDENCE", why="a log that this channel does not have")
    return known.logs[of.origin]


def _cosigner_key(name: str, known: Known) -> NotePublic:
    if name not in known.cosigners:
        raise Unverified("EVIDENCE", why="a cosigner that this channel does not have")
    return known.cosigners[name]


def _weaker(one: _Judged, two: _Judged) -> Strength:
    return "anchor" if one.strength == two.strength == "anchor" else "quick"


def _included(tree: Note, leaf: bytes, index: int, path: Path) -> None:
    _must(merkle.root_from_inclusion(leaf, index, tree.size, path) == tree.root, "a leaf is not in its tree")


def _forked(one: Note, two: Note, path: Path) -> None:
    """The path holds in the bigger tree and leads to another root than the smaller note's."""
    first, second = merkle.roots_from_consistency(one.size, two.size, path)
    _must(second == two.root, "the path is not of the bigger tree")
    _must(first != one.root, "the notes agree")


def _root_at(tree: Note, size: int, path: Path) -> bytes:
    """The root that a tree had at an earlier size."""
    if size in (0, tree.size):
        _must(not path, "a path too many")
        return EMPTY if size == 0 else tree.root
    first, second = merkle.roots_from_consistency(size, tree.size, path)
    _must(second == tree.root, "the path is not of the own tree")
    return first


def _log_pair(one: Note, two: Note, known: Known) -> dict[str, Any]:
    return {"note1": _log_proof(one, known), "note2": _log_proof(two, known)}


def _log_proof(of: Note, known: Known) -> bytes:
    key = _log_key(of, known)
    return _essential(of, of.origin, ((ED25519, key.ed), (MLDSA44_TIMED, key.ml)))


def _cosigner_proof(of: Note, name: str, known: Known) -> bytes:
    key = _cosigner_key(name, known)
    return _essential(of, name, ((ED25519_TIMED, key.ed), (MLDSA44_TIMED, key.ml)))


def _essential(of: Note, name: str, keys: tuple[tuple[int, bytes], ...]) -> bytes:
    """The note with the lines of these keys only: what the proof needs, and it fits into a record."""
    ids = {note.keyid(name, kind, raw) for kind, raw in keys}
    return replace(of, lines=tuple(x for x in of.lines if x.name == name and x.keyid in ids)).encode()
