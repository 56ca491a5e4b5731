"""Archives with evidence beside their records, true and untrue, and those of a policy that asks for witnesses."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from making_archive_bytes import full
from making_archive_ground import Case, Ground, said
from making_founding import note_keys
from making_notes import AT, line_of, note_of, origin
from making_signing import ZERO, digest
from making_tree import consistency_of, leaf_hash, path_of, root_of
from making_world import World


def evidence(g: Ground) -> Iterator[Case]:
    w, chan = g.w, g.w.chan
    leaves = [leaf_hash(line.raw) for line in w.logs["a"]]

    def fork(size: int, root: bytes, *, quick: bool = False, **more: Any) -> bytes:
        return note_of(w.kept, chan, "a", 0, size, root, quick=quick, cosigner=None, **more)

    def with_(comment: str, exit_: int, body: dict[str, Any], kind: str = "") -> Case:
        says = said(w, evidence=[kind]) if kind else {}
        return Case(comment, "Evidence", exit_, "" if kind else "evidence", full(w, evidence=[body]), chan, says=says)

    here, there = fork(5, root_of(leaves[:5])), fork(5, digest(b"another history"))
    e1 = {"k": "E1", "note1": here, "note2": there, "strength": "anchor"}
    yield with_("E1: two notes of one size", 6, e1, "E1")
    quick = {"k": "E1", "note1": here, "note2": fork(5, digest(b"x"), quick=True), "strength": "quick"}
    yield with_("E1 with a quick note", 6, quick, "E1")
    other = [*leaves[:3], leaf_hash(b"another"), *leaves[4:]]
    e2 = {
        "k": "E2",
        "note1": here,
        "note2": fork(6, root_of(other)),
        "path": consistency_of(other, 5),
        "strength": "anchor",
    }
    yield with_("E2: two sizes that do not fit together", 6, e2, "E2")
    e3 = {"k": "E3", "note1": here, "note2": fork(6, root_of(other)), "index": 3, "leaf1": leaves[3], "leaf2": other[3],
          "path1": path_of(leaves[:5], 3), "path2": path_of(other, 3), "strength": "anchor"}  # fmt: skip
    yield with_("E3: two leaves at one index", 6, e3, "E3")
    power = e2 | {"note1": fork(4, root_of(leaves[:4])), "path": [root_of(other[:4]), *consistency_of(other, 4)]}
    yield with_("E2 from a size that is a power of two: the old root stands first in the path", 6, power, "E2")
    yield with_("the same path without it", 5, power | {"path": consistency_of(other, 4)})
    yield with_("E1: one note twice", 5, e1 | {"note2": here})
    yield with_("E1 that says more than it is", 5, quick | {"strength": "anchor"})
    yield with_("E1 with another's signature", 5, e1 | {"note2": fork(5, digest(b"x"), label="stranger")})
    yield with_(
        "E2 of sizes that fit together", 5, e2 | {"note2": fork(6, root_of(leaves)), "path": consistency_of(leaves, 5)}
    )
    yield with_("E3 with another path", 5, e3 | {"path2": [ZERO, *path_of(other, 3)[1:]]})
    yield with_("evidence of no kind", 5, {"k": "E9"})
    held = World(w.kept, "small")
    held.node("a", "node.evidence", e1 | {"note1": here})
    held.sync("b")
    yield Case("E1 in a record", "Evidence", 6, "", full(held), chan, says=said(held, evidence=["E1"]))
    yield Case("evidence beside a record that holds it", "Evidence", 5, "evidence", full(held, evidence=[e1]), chan)
    held = World(w.kept, "small")
    held.node("a", "node.evidence", {"k": "E7"})
    held.sync("b")
    yield Case("evidence in a record that proves nothing", "Evidence", 0, "", full(held), chan, says=said(held))


def people_and_cosigners(g: Ground) -> Iterator[Case]:
    """E4, E5 and E6."""
    w, chan, kept = g.w, g.w.chan, g.w.kept

    def with_(comment: str, exit_: int, world: World, body: dict[str, Any], kind: str = "") -> Case:
        says = said(world, evidence=[kind]) if kind else {}
        return Case(
            comment, "Evidence", exit_, "" if kind else "evidence", full(world, evidence=[body]), chan, says=says
        )

    me = w.key("a", "expert1")
    one = w.payload("a", "expert1", mid=bytes(16))
    first, second = sorted(kept.envelope("msg", doc, [me]) for doc in (one, one | {"lang": "zh"}))
    e4 = {"k": "E4", "key": me.object, "env1": first, "env2": second, "strength": "anchor"}
    yield with_("E4: two payloads under one id, no reason to freeze", 0, w, e4, "E4")
    yield with_("E4: one payload twice", 5, w, e4 | {"env2": first})
    yield with_("E4: two ids", 5, w, e4 | {"env2": kept.envelope("msg", one | {"mid": bytes(15) + b"1"}, [me])})
    yield with_("E4: another's signature", 5, w, e4 | {"key": w.key("b", "expert1").object})
    at = origin(chan, "b", 0) + "/c"
    leaves = [leaf_hash(line.raw) for line in w.logs["a"]]

    def cosigned(size: int, root: bytes, **more: Any) -> bytes:
        return note_of(kept, chan, "a", 0, size, root, log=False, **more)

    e6 = {
        "k": "E6",
        "name": at,
        "note1": cosigned(5, root_of(leaves[:5])),
        "note2": cosigned(5, digest(b"x")),
        "path": [],
        "strength": "anchor",
    }
    yield with_("E6: two cosignatures over one size", 6, w, e6, "E6")
    grown = [*leaves[:3], leaf_hash(b"another"), *leaves[4:]]
    sizes = e6 | {"note2": cosigned(6, root_of(grown)), "path": consistency_of(grown, 5)}
    yield with_("E6: two cosignatures over sizes that do not fit together", 6, w, sizes, "E6")
    yield with_("E6: one cosignature twice", 5, w, e6 | {"note2": e6["note1"]})
    yield with_("E6: of another cosigner", 5, w, e6 | {"name": origin(chan, "a", 0) + "/c"})
    false = World(kept, "small")
    record = false.sync("b", seen=[0, 4, digest(b"no root")], expect="SEEN")
    false.facts.false_seen(record)
    theirs, ours = [leaf_hash(line.raw) for line in false.logs["b"]], [leaf_hash(line.raw) for line in false.logs["a"]]
    e5 = {
        "k": "E5", "note": note_of(kept, chan, "b", 0, 5, root_of(theirs), cosigner=None), "record": record.raw, "index": 4,
        "path": path_of(theirs, 4), "own": note_of(kept, chan, "a", 0, 4, root_of(ours), cosigner=None), "own_path": [],
        "strength": "anchor",
    }  # fmt: skip
    yield with_("E5: a seen that the other log never had, no reason to freeze", 0, false, e5, "E5")
    yield with_("E5: of a record that is not there", 5, false, e5 | {"index": 3})
    right = World(kept, "small")
    honest = right.sync("b")
    leaf = [leaf_hash(line.raw) for line in right.logs["b"]]
    held = e5 | {
        "note": note_of(kept, chan, "b", 0, 5, root_of(leaf), cosigner=None),
        "record": honest.raw,
        "path": path_of(leaf, 4),
    }
    yield with_("E5: of a seen that is right", 5, right, held)


def witnessed(g: Ground) -> Iterator[Case]:
    """A policy that asks for a witness."""
    kept, name = g.w.kept, "example.org/witness"
    public = note_keys("witness")["ed"]
    keyid = digest(name.encode(), b"\n\x04", public)[:4].hex()
    vkey = f"{name}+{keyid}+" + base64.b64encode(b"\x04" + public).decode()
    w = World(kept, "small", policy={"witnesses": [{"name": "A third party", "vkey": vkey}], "quorum": 1})
    yield Case("a policy that asks for a witness, and none signed", "Note", 5, "note", full(w), w.chan)
    for comment, both, label in (("both anchors with its line", True, "witness"), ("one anchor with its line", False, "witness"),
                                 ("its lines do not verify", True, "stranger")):  # fmt: skip
        arch = full(w)
        for x in "ab" if both else "a":
            section = arch.sections[arch.at(3, x, 0)]
            line = line_of(kept, label, 4, name, origin(w.chan, x, 0), 4, w.root(x, 0, 4), AT)
            head = line.split(b" ")[2]
            if label == "stranger":  # under the witness's own key id
                raw = bytes.fromhex(keyid) + base64.b64decode(head)[4:]
                line = line.replace(head.strip(), base64.b64encode(raw))
            section[3] += line
        good = both and label == "witness"
        yield Case(
            f"a witness is asked for: {comment}",
            "Note",
            0 if good else 5,
            "" if good else "note",
            arch,
            w.chan,
            says=said(w) if good else {},
        )
