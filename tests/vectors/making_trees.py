"""RFC 6962: published roots, inclusion and consistency proofs that hold and that do not, tile paths (C2SP tlog-tiles)."""

from __future__ import annotations

from itertools import count
from typing import Any

from making_signing import digest
from making_tree import consistency_of, leaf_hash, path_of, root_of

INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
PUBLISHED = (  # transparency-dev/merkle, testonly: every implementation of RFC 6962 gives them
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
NOTES = {
    "Bound": "An index below the size, an old size not above the new one",
    "Hash": "A hash of the path, the leaf or the root is another",
    "Length": "Exactly as many hashes as the sizes ask for",
    "Published": "Known to every implementation",
    "Valid": "Proofs that hold",
}
SIZES = (1, 2, 3, 5, 8, 13)


def make(_stored: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    number = count(1)
    groups = [("Root", _roots()), ("Inclusion", _inclusion()), ("Consistency", _consistency()), ("TilePath", _paths())]
    made = [{"type": t, "tests": [{"tcId": next(number), **test} for test in tests]} for t, tests in groups]
    header = ["Merkle tree of RFC 6962 section 2 (docs/protocol.md section 5). Hashes and `inputs` (leaf data) in hex."]
    return {
        "schema": "tree_schema.json", "generatorVersion": "1", "numberOfTests": sum(len(g["tests"]) for g in made),
        "header": header, "notes": NOTES, "testGroups": made,
    }  # fmt: skip


def _case(comment: str, flag: str, *, good: bool, **more: Any) -> dict[str, Any]:
    return {"comment": comment, "flags": [flag], **more, **(
        {"result": "valid"} if good else {"result": "invalid", "reason": NOTES[flag]})}  # fmt: skip


def _leaves(n: int) -> list[bytes]:
    return [leaf_hash(bytes([i])) for i in range(n)]


def _roots() -> list[dict[str, Any]]:
    leaves = [leaf_hash(bytes.fromhex(text)) for text in INPUTS]
    assert [root_of(leaves[:n]).hex() for n in range(1, 9)] == list(PUBLISHED)
    found = [_case("empty tree", "Published", good=True, inputs=[], root=root_of([]).hex())]
    found += [
        _case(f"{n} leaves", "Published", good=True, inputs=list(INPUTS[:n]), root=PUBLISHED[n - 1])
        for n in range(1, 9)
    ]
    n = 300
    inputs = [bytes([i % 256, i // 256]).hex() for i in range(n)]
    return [
        *found,
        _case(
            "300 leaves",
            "Valid",
            good=True,
            inputs=inputs,
            root=root_of([leaf_hash(bytes.fromhex(x)) for x in inputs]).hex(),
        ),
    ]


def _inclusion() -> list[dict[str, Any]]:
    found = []

    def add(
        comment: str, flag: str, i: int, n: int, leaf: bytes, path: list[bytes], root: bytes, *, good: bool = False
    ) -> None:
        found.append(
            _case(
                comment,
                flag,
                good=good,
                index=i,
                size=n,
                leaf=leaf.hex(),
                path=[h.hex() for h in path],
                root=root.hex(),
            )
        )

    for n in SIZES:
        leaves = _leaves(n)
        root = root_of(leaves)
        for i in sorted({0, n // 2, n - 1}):
            path = path_of(leaves, i)
            add(f"{i} of {n}", "Valid", i, n, leaves[i], path, root, good=True)
            add(f"{i} of {n}, another leaf", "Hash", i, n, leaf_hash(b"other"), path, root)
            add(f"{i} of {n}, another root", "Hash", i, n, leaves[i], path, digest(b"other"))
            add(f"{i} of {n}, one hash more", "Length", i, n, leaves[i], [*path, bytes(32)], root)
            if path:
                add(f"{i} of {n}, one hash less", "Length", i, n, leaves[i], path[:-1], root)
                add(f"{i} of {n}, a hash changed", "Hash", i, n, leaves[i], [digest(path[0]), *path[1:]], root)
            if len(path) > 1:
                add(f"{i} of {n}, two hashes swapped", "Hash", i, n, leaves[i], [path[1], path[0], *path[2:]], root)
        add(f"index {n} of {n}", "Bound", n, n, leaves[-1], path_of(leaves, n - 1), root)
    leaves = _leaves(13)
    add("the path of 4 for 5", "Hash", 5, 13, leaves[5], path_of(leaves, 4), root_of(leaves))
    add("the path of size 13 for size 12", "Hash", 4, 12, leaves[4], path_of(leaves, 4), root_of(leaves[:12]))
    return found


def _consistency() -> list[dict[str, Any]]:
    found = []

    def add(
        comment: str, flag: str, m: int, n: int, path: list[bytes], old: bytes, new: bytes, *, good: bool = False
    ) -> None:
        found.append(_case(
            comment, flag, good=good, old=m, new=n, path=[h.hex() for h in path], oldRoot=old.hex(), newRoot=new.hex()
        ))  # fmt: skip

    for m, n in ((1, 2), (1, 8), (2, 3), (3, 5), (4, 8), (6, 8), (7, 13), (8, 13), (12, 13)):
        leaves = _leaves(n)
        old, new, path = root_of(leaves[:m]), root_of(leaves), consistency_of(leaves, m)
        add(f"{m} to {n}", "Valid", m, n, path, old, new, good=True)
        add(f"{m} to {n}, another old root", "Hash", m, n, path, digest(old), new)
        add(f"{m} to {n}, another new root", "Hash", m, n, path, old, digest(new))
        add(f"{m} to {n}, one hash more", "Length", m, n, [*path, bytes(32)], old, new)
        add(f"{m} to {n}, one hash less", "Length", m, n, path[:-1], old, new)
        add(f"{m} to {n}, a hash changed", "Hash", m, n, [digest(path[0]), *path[1:]], old, new)
    root = root_of(_leaves(5))
    add("5 to 5", "Valid", 5, 5, [], root, root, good=True)
    add("5 to 5 with another root", "Hash", 5, 5, [], root, digest(root))
    add("5 to 5 with a hash", "Length", 5, 5, [bytes(32)], root, root)
    add("0 to 5", "Valid", 0, 5, [], root_of([]), root, good=True)
    add("0 to 5 with a hash", "Length", 0, 5, [bytes(32)], root_of([]), root)
    add("0 to 5 with a root that is not the empty tree's", "Hash", 0, 5, [], digest(b"x"), root)
    add("5 to 4", "Bound", 5, 4, [], root, root_of(_leaves(4)))
    return found


def _paths() -> list[dict[str, Any]]:
    return [
        _case(f"tile {n} of level {level}, {width} wide", "Valid", good=True, level=level, n=n, width=width, path=path)
        for level, n, width, path in (
            (0, 0, 256, "tile/0/000"), (0, 0, 1, "tile/0/000.p/1"), (0, 67, 256, "tile/0/067"), (1, 999, 255, "tile/1/999.p/255"),
            (0, 1000, 256, "tile/0/x001/000"), (0, 1234067, 256, "tile/0/x001/x234/067"),
            (3, 1234067, 5, "tile/3/x001/x234/067.p/5"), ("entries", 1234067, 256, "tile/entries/x001/x234/067"),
            ("entries", 1, 44, "tile/entries/001.p/44"),
        )
    ]  # fmt: skip
