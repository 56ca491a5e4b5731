"""The tree gives RFC 6962's published roots, its proofs hold and fail as they must, tiles stand where C2SP says."""

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from channel.protocol import merkle
from channel.protocol.merkle import EMPTY, Frontier
from keys.errors import Malformed, Unverified, WrongUse

# The leaf inputs and roots that every implementation of RFC 6962 publishes (transparency-dev/merkle, testonly).
INPUTS = [
    bytes.fromhex(x)
    for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [merkle.leaf_hash(x) for x in INPUTS]


def h(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word by word."""
    if not leaves:
        return h()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return h(b"\x01", naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, word by word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def some_leaves(n: int, salt: int = 0) -> list[bytes]:
    return [merkle.leaf_hash(b"%d %d" % (salt, i)) for i in range(n)]


def test_empty_tree() -> None:
    """The root of nothing is SHA-256 of nothing."""
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Frontier.empty().root() == merkle.root_of([]) == EMPTY


@pytest.mark.parametrize("size", range(1, 9))
def test_published_roots(size: int) -> None:
    """Roots 1 to 8 of the published inputs come out of both ways to compute them."""
    assert merkle.root_of(LEAVES[:size]).hex() == ROOTS[size - 1]
    assert Frontier.empty().extend(LEAVES[:size]).root().hex() == ROOTS[size - 1]


def test_rfc_6962_example_paths() -> None:
    """The seven-leaf tree of RFC 6962 section 2.1.3 gives the paths that the text names."""
    d = some_leaves(7)
    n = merkle.node_hash
    g, hh, i, j = n(d[0], d[1]), n(d[2], d[3]), n(d[4], d[5]), d[6]
    k, el = n(g, hh), n(i, j)
    assert merkle.inclusion_proof(d, 0, 7) == [d[1], hh, el]
    assert merkle.inclusion_proof(d, 3, 7) == [d[2], g, el]
    assert merkle.inclusion_proof(d, 4, 7) == [d[5], j, k]
    assert merkle.inclusion_proof(d, 6, 7) == [i, k]
    assert merkle.consistency_proof(d, 3, 7) == [d[2], d[3], g, el]
    assert merkle.consistency_proof(d, 4, 7) == [el]
    assert merkle.consistency_proof(d, 6, 7) == [i, j, k]


@given(st.integers(0, 200), st.integers(0, 200))
def test_frontier_equals_naive_tree(first: int, more: int) -> None:
    """A frontier, stored and extended, has the root of the whole tree."""
    leaves = some_leaves(first + more)
    frontier = Frontier.empty().extend(leaves[:first])
    again = Frontier.from_bytes(first, frontier.to_bytes())
    assert again == frontier
    assert again.root() == naive_root(leaves[:first])
    assert again.extend(leaves[first:]).root() == naive_root(leaves) == merkle.root_of(leaves)


@given(st.integers(1, 120), st.data())
def test_inclusion_equals_naive_tree(size: int, data: st.DataObject) -> None:
    """Every path is RFC 6962's and leads to the root."""
    leaves = some_leaves(size + data.draw(st.integers(0, 5)))
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_proof(leaves, index, size)
    assert path == naive_path(index, leaves[:size])
    assert merkle.root_from_inclusion(leaves[index], index, size, path) == naive_root(leaves[:size])


@given(st.integers(1, 60), st.data())
def test_tampered_inclusion_fails(size: int, data: st.DataObject) -> None:
    """Another leaf, index, size or path gives another root or no root at all."""
    leaves = some_leaves(size)
    index = data.draw(st.integers(0, size - 1))
    path, root = merkle.inclusion_proof(leaves, index, size), merkle.root_of(leaves)

    def proves(leaf: bytes, index: int, path: list[bytes]) -> bool:
        try:
            return merkle.root_from_inclusion(leaf, index, size, path) == root
        except Unverified as e:
            assert e.code == "PROOF"
            return False

    assert proves(leaves[index], index, path)
    assert not proves(merkle.leaf_hash(b"other"), index, path)
    assert not proves(leaves[index], data.draw(st.integers(-3, size + 3).filter(lambda i: i != index)), path)
    assert not proves(leaves[index], index, [*path, EMPTY])
    assert not proves(leaves[index], index, [EMPTY, *path])
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        assert not proves(leaves[index], index, path[:at] + path[at + 1 :])
        assert not proves(leaves[index], index, [*path[:at], EMPTY, *path[at + 1 :]])
        assert not proves(leaves[index], index, [*path[:at], path[at][:31], *path[at + 1 :]])


@given(st.integers(0, 120), st.integers(0, 120))
def test_consistency(a: int, b: int) -> None:
    """The proof between any two sizes of one tree holds, and between two trees it does not."""
    old, new = sorted((a, b))
    leaves = some_leaves(new)
    path = merkle.consistency_proof(leaves, old, new)
    old_root, new_root = naive_root(leaves[:old]), naive_root(leaves)
    merkle.check_consistency(old, old_root, new, new_root, path)
    other = naive_root(some_leaves(old, salt=1))
    assume(old > 0)
    for wrong in ((old, other, new, new_root), (old, old_root, new, other), (old, new_root, new, other)):
        with pytest.raises(Unverified, match="PROOF"):
            merkle.check_consistency(*wrong, path)


@given(st.integers(1, 80), st.integers(1, 80), st.data())
def test_tampered_consistency_fails(a: int, b: int, data: st.DataObject) -> None:
    """A hash more, less or other in the path breaks it."""
    old, new = sorted((a, b))
    leaves = some_leaves(new)
    roots = (old, merkle.root_of(leaves[:old]), new, merkle.root_of(leaves))
    path = merkle.consistency_proof(leaves, old, new)
    wrongs = [[*path, EMPTY], [EMPTY, *path]]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        wrongs += [path[:at] + path[at + 1 :], [*path[:at], EMPTY, *path[at + 1 :]]]
    for wrong in wrongs:
        with pytest.raises(Unverified, match="PROOF"):
            merkle.check_consistency(*roots, wrong)


@given(st.integers(1, 60), st.integers(1, 60))
def test_both_roots_come_out_of_a_consistency_path(a: int, b: int) -> None:
    """With its first hash written out, the path of one tree rebuilds both of that tree's roots."""
    assume(a != b)
    old, new = sorted((a, b))
    leaves = some_leaves(new)
    path = merkle.consistency_proof(leaves, old, new)
    if old & (old - 1) == 0:
        path = [merkle.root_of(leaves[:old]), *path]
    assert merkle.roots_from_consistency(old, new, path) == (merkle.root_of(leaves[:old]), merkle.root_of(leaves))


def test_consistency_edges() -> None:
    """Nothing grows into anything; equal sizes need equal roots; a tree never shrinks."""
    one, two = some_leaves(1)[0], merkle.root_of(some_leaves(2))
    merkle.check_consistency(0, EMPTY, 2, two, [])
    merkle.check_consistency(0, EMPTY, 0, EMPTY, [])
    merkle.check_consistency(1, one, 1, one, [])
    for wrong in ((0, one, 2, two), (0, one, 0, one), (1, one, 1, two), (2, two, 1, one), (-1, one, 1, one)):
        with pytest.raises(Unverified, match="PROOF"):
            merkle.check_consistency(*wrong, [])
    with pytest.raises(Unverified, match="PROOF"):
        merkle.check_consistency(0, EMPTY, 2, two, [one])
    for old, new in ((0, 1), (1, 1), (2, 1)):
        with pytest.raises(Unverified, match="PROOF"):
            merkle.roots_from_consistency(old, new, [])


def test_wrong_ranges() -> None:
    """Asking for a proof or tile of leaves that are not there is wrong use, not a false proof."""
    for ask in (
        lambda: merkle.inclusion_proof(LEAVES, 8, 8),
        lambda: merkle.inclusion_proof(LEAVES, 0, 9),
        lambda: merkle.inclusion_proof(LEAVES, -1, 8),
        lambda: merkle.consistency_proof(LEAVES, 5, 9),
        lambda: merkle.consistency_proof(LEAVES, 6, 5),
        lambda: merkle.tile(LEAVES, 0, 0, 9),
        lambda: merkle.tile(LEAVES, 0, 0, 0),
        lambda: merkle.tile_path(0, -1),
        lambda: merkle.entries_path(0, 257),
    ):
        with pytest.raises(WrongUse, match="RANGE"):
            ask()


def test_malformed_frontier() -> None:
    """A frontier whose hashes do not fit its size is refused."""
    for size, raw in ((3, LEAVES[0]), (4, LEAVES[0] * 2), (0, LEAVES[0]), (1, b""), (1, LEAVES[0][:31]), (-1, b"")):
        with pytest.raises(Malformed, match="HASHES"):
            Frontier.from_bytes(size, raw)


def test_tiles_of_300_leaves() -> None:
    """300 leaves give one full tile, one of width 44 and a tile of one hash above it, which rebuild the root."""
    leaves = some_leaves(300)
    full, part, above = merkle.tile(leaves, 0, 0), merkle.tile(leaves, 0, 1, 44), merkle.tile(leaves, 1, 0, 1)
    assert merkle.hashes_of(full + part) == leaves
    assert above == naive_root(leaves[:256])
    assert merkle.node_hash(above, naive_root(merkle.hashes_of(part))) == naive_root(leaves)


@pytest.mark.parametrize(
    ("level", "n", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 0, 255, "tile/0/000.p/255"),
        (1, 0, 1, "tile/1/000.p/1"),
        (0, 1, 44, "tile/0/001.p/44"),
        (0, 999, 256, "tile/0/999"),
        (0, 1000, 256, "tile/0/x001/000"),
        (15, 455667, 256, "tile/15/x455/667"),
        (3, 1234067, 5, "tile/3/x001/x234/067.p/5"),
        (3, 123456789, 256, "tile/3/x123/x456/789"),
    ],
)
def test_tile_paths(level: int, n: int, width: int, path: str) -> None:
    """Tile paths are those of C2SP tlog-tiles, the examples of its text among them."""
    assert merkle.tile_path(level, n, width) == path


def test_entries_paths() -> None:
    """Bundles of records stand under their own name instead of a level."""
    assert merkle.entries_path(1234067) == "tile/entries/x001/x234/067"
    assert merkle.entries_path(1, 44) == "tile/entries/001.p/44"
