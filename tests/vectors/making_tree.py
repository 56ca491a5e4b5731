"""RFC 6962 over leaf hashes, by its recursive definition."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

EMPTY = sha256(b"").digest()


@lru_cache(maxsize=65_536)
def leaf_hash(raw: bytes) -> bytes:
    """SHA-256(0x00 ‖ data)."""
    return sha256(b"\0" + raw).digest()


def _split(n: int) -> int:
    return 1 << (n - 1).bit_length() - 1


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY
    k = _split(len(leaves))
    return sha256(b"\1" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def path_of(leaves: Sequence[bytes], i: int) -> list[bytes]:
    """The inclusion path of leaf ``i``."""
    if len(leaves) < 2:
        return []
    k = _split(len(leaves))
    if i < k:
        return [*path_of(leaves[:k], i), root_of(leaves[k:])]
    return [*path_of(leaves[k:], i - k), root_of(leaves[:k])]


def consistency_of(leaves: Sequence[bytes], m: int, *, whole: bool = True) -> list[bytes]:
    """The consistency path from size ``m`` to all of them."""
    if m == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = _split(len(leaves))
    if m <= k:
        return [*consistency_of(leaves[:k], m, whole=whole), root_of(leaves[k:])]
    return [*consistency_of(leaves[k:], m - k, whole=False), root_of(leaves[:k])]
