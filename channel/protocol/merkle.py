"""The Merkle tree of a log: RFC 6962 hashing with SHA-256, proofs, frontiers and C2SP tiles.

All functions are pure. Leaf hashes go in, hashes come out; proofs that fail raise ``Unverified`` PROOF.
Sources: RFC 6962 section 2.1, RFC 9162 section 2.1 (verification), C2SP tlog-tiles v0.1.0.

    >>> Frontier.empty().extend([leaf_hash(b""), leaf_hash(b"\\x00")]).root().hex()[:8]
    'fac54203'
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.errors import Malformed, Unverified, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HASH = 32
TILE = 256
EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(record: bytes) -> bytes:
    """The hash of a log record: H(0x00 ‖ record)."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees: H(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def hashes_of(raw: bytes) -> list[bytes]:
    """Concatenated 32-byte hashes (the log's ``l0`` string, a frontier, a tile) as a list, or ``Malformed`` HASHES."""
    if len(raw) % HASH:
        raise Malformed("HASHES", length=len(raw))
    return [raw[i : i + HASH] for i in range(0, len(raw), HASH)]


@dataclass(frozen=True, slots=True)
class Frontier:
    """What must be kept of a tree of ``size`` leaves to extend it: the roots of its perfect subtrees, biggest first."""

    size: int
    hashes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        fits = self.size >= 0 and len(self.hashes) == self.size.bit_count()
        if not fits or any(len(h) != HASH for h in self.hashes):
            raise Malformed("HASHES", length=HASH * len(self.hashes))

    @classmethod
    def empty(cls) -> Frontier:
        """The frontier of a tree without leaves."""
        return cls(0, ())

    def append(self, leaf: bytes) -> Frontier:
        """The frontier with one more leaf hash."""
        return self.extend([leaf])

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """The frontier with more leaf hashes, in order."""
        size, hashes = self.size, list(self.hashes)
        for leaf in leaves:
            top, subtrees = leaf, size
            while subtrees & 1:  # a subtree of the same size stands on the left: join
                top = node_hash(hashes.pop(), top)
                subtrees >>= 1
            hashes.append(top)
            size += 1
        return Frontier(size, tuple(hashes))

    def root(self) -> bytes:
        """The root of the tree; ``EMPTY`` without leaves."""
        if not self.hashes:
            return EMPTY
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """The hashes, concatenated."""
        return b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, size: int, raw: bytes) -> Frontier:
        """The reverse of ``to_bytes``, or ``Malformed`` HASHES where the length does not fit the size."""
        return cls(size, tuple(hashes_of(raw)))


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over all leaf hashes."""
    if not leaf_hashes:
        return EMPTY
    level = list(leaf_hashes)
    while len(level) > 1:
        level = _next_level(level)
    return level[0]


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int, size: int) -> list[bytes]:
    """The path from leaf ``index`` to the root of the first ``size`` leaves, lowest sibling first."""
    if not 0 <= index < size <= len(leaf_hashes):
        raise WrongUse("RANGE", lo=index, hi=size, size=len(leaf_hashes))
    path, level = [], list(leaf_hashes[:size])
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        level, index = _next_level(level), index >> 1
    return path


def consistency_proof(leaf_hashes: Sequence[bytes], old: int, new: int) -> list[bytes]:
    """The proof that the first ``old`` leaves start the first ``new``; empty for old = 0 and old = new."""
    if not 0 <= old <= new <= len(leaf_hashes):
        raise WrongUse("RANGE", lo=old, hi=new, size=len(leaf_hashes))
    return [] if old in (0, new) else _subproof(leaf_hashes, 0, old, new, whole=True)


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion path leads to; the caller compares it. ``Unverified`` PROOF if it can't be a path."""
    if not 0 <= index < size:
        raise Unverified("PROOF", lo=index, hi=size)
    inner = (index ^ (size - 1)).bit_length()  # below the point where the path leaves the tree's right edge
    _fits(path, inner + (index >> inner).bit_count(), index, size)
    top = leaf
    for height, sibling in enumerate(path):
        left = height >= inner or index >> height & 1
        top = node_hash(sibling, top) if left else node_hash(top, sibling)
    return top


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Pass if ``path`` proves that the tree (new, new_root) extends (old, old_root); else ``Unverified`` PROOF."""
    if old in (0, new):
        same = old_root == (new_root if old == new else EMPTY) and (new or new_root == EMPTY)
        if path or not same:
            raise Unverified("PROOF", lo=old, hi=new)
        return
    whole = [old_root, *path] if _is_power(old) else path
    if roots_from_consistency(old, new, whole) != (old_root, new_root):
        raise Unverified("PROOF", lo=old, hi=new)


def roots_from_consistency(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The two roots that a consistency path leads to, 0 < old < new.

    Here the first hash always stands in ``path``: where ``old`` is a power of two it is the old root itself, which a
    plain RFC 6962 proof leaves out. Evidence needs both roots computed, not assumed (section 10, E2).
    """
    if not 0 < old < new:
        raise Unverified("PROOF", lo=old, hi=new)
    shift = (old & -old).bit_length() - 1  # the path starts at the lowest perfect subtree of the old tree
    index, last = (old - 1) >> shift, (new - 1) >> shift
    inner = (index ^ last).bit_length()
    _fits(path, 1 + inner + (index >> inner).bit_count(), old, new)
    old_top = new_top = path[0]
    for height, sibling in enumerate(path[1:]):
        if height >= inner or index >> height & 1:
            old_top, new_top = node_hash(sibling, old_top), node_hash(sibling, new_top)
        else:
            new_top = node_hash(new_top, sibling)
    return old_top, new_top


def tile(leaf_hashes: Sequence[bytes], level: int, n: int, width: int = TILE) -> bytes:
    """The ``width`` hashes of tile ``n`` at ``level``, concatenated; each covers 256^level leaves, all there."""
    span = TILE**level
    start = n * TILE * span
    end = start + width * span
    if level < 0 or n < 0 or not 0 < width <= TILE or end > len(leaf_hashes):
        raise WrongUse("RANGE", lo=start, hi=end, size=len(leaf_hashes))
    return b"".join(root_of(leaf_hashes[i : i + span]) for i in range(start, end, span))


def tile_path(level: int, n: int, width: int = TILE) -> str:
    """The path of a tile below a log's prefix: ``tile/0/x001/x234/067.p/5``; full tiles without ``.p/…``."""
    return f"tile/{level}/{_number(n, width)}"


def entries_path(n: int, width: int = TILE) -> str:
    """The path of a bundle of records below a log's prefix: ``tile/entries/x001/x234/067``."""
    return f"tile/entries/{_number(n, width)}"


def _number(n: int, width: int) -> str:
    if n < 0 or not 0 < width <= TILE:
        raise WrongUse("RANGE", lo=n, hi=n + 1, size=width)
    groups = [f"{n % 1000:03}"]
    while n := n // 1000:
        groups.insert(0, f"x{n % 1000:03}")
    return "/".join(groups) + (f".p/{width}" if width < TILE else "")


def _next_level(level: Sequence[bytes]) -> list[bytes]:
    """The hashes one level up; an odd last one goes up as it is, which is RFC 6962's split at a power of two."""
    above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return [*above, level[-1]] if len(level) & 1 else above


def _subproof(leaves: Sequence[bytes], start: int, old: int, end: int, *, whole: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2, SUBPROOF: ``old`` and ``end`` are positions, ``whole`` its flag b."""
    if old == end:
        return [] if whole else [root_of(leaves[start:end])]
    middle = start + (1 << (end - start - 1).bit_length() - 1)
    if old <= middle:
        return [*_subproof(leaves, start, old, middle, whole=whole), root_of(leaves[middle:end])]
    return [*_subproof(leaves, middle, old, end, whole=False), root_of(leaves[start:middle])]


def _is_power(n: int) -> bool:
    return n & (n - 1) == 0


def _fits(path: Sequence[bytes], length: int, lo: int, hi: int) -> None:
    if len(path) != length or any(len(h) != HASH for h in path):
        raise Unverified("PROOF", lo=lo, hi=hi)
