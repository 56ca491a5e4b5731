"""Log records and their leaves, the nodes' bodies, channel ids and the opening (docs/protocol.md 4.1, 5, 5.1)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from making_rosters import case
from making_signing import ZERO, Kept, digest, media, pack, pae
from making_tree import EMPTY, leaf_hash, root_of
from making_world import START, World

HEADER = [
    "Records as they stand in a log, docs/protocol.md section 5; `leaf` = SHA-256(0x00 ‖ record) of any bytes.",
    "Record: invalid ones are opaque leaves. `logs`: in which logs a record of this type has a meaning (none: opaque there).",
    "NodeBody: the DCM map of a node's record. ChannelId: `chan` of a charter's payload (4.1).",
    "Opening: records 0 to 3 of both logs, their roots at each size from 0, and the channel id.",
]
NOTES = {
    "Valid": "As it must be",
    "Form": "A field is missing, unknown, of another type, length or code",
    "Size": "At most 65,535 bytes",
    "Order": "Blobs are sorted, none twice",
    "Type": "Types of both logs, and unknown ones",
    "DCM": "Another encoding of the same value",
}
SHARED = (
    "charter", "policy", "root", "roster", "contacts", "revoke", "kem", "msg", "ack", "confirm", "watch", "succeed", "exercise",
    "node.boot", "node.ack", "node.gap", "node.evidence", "node.pin", "node.test", "node.echo", "node.step", "node.alarm",
)  # fmt: skip
SIDE = ("draft", "sign", "withdraw", "shown", "note", "reshare", "session", "use", "node.ack", "node.gap")
H = digest(b"a hash")
Test = dict[str, Any]


def make(stored: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    w = World(Kept(stored), "small")
    groups = [
        {"type": "Record", "tests": list(_records())},
        {"type": "NodeBody", "tests": list(_bodies())},
        {"type": "ChannelId", "tests": list(_channels(w))},
        {"type": "Opening", "tests": [_opening(w)]},
    ]
    tests = [test for group in groups for test in group["tests"]]
    for number, test in enumerate(tests, 1):
        test["tcId"] = number
    return {
        "schema": "records_schema.json", "generatorVersion": "1", "numberOfTests": len(tests), "header": HEADER,
        "notes": NOTES, "testGroups": groups,
        "pool": {h.hex(): _b64(w.blobs[h]) for h in sorted(w.blobs)},
    }  # fmt: skip


def _records() -> Iterator[Test]:
    said: dict[str, Any] = {
        "v": 1, "t": "node.ack", "ts": START, "seen": [0, 0, EMPTY], "blobs": [], "env": pack({}),
    }  # fmt: skip

    def test(comment: str, reason: str, flag: str, raw: bytes, t: str = "node.ack") -> Test:
        logs = [name for name, types in (("shared", SHARED), ("side", SIDE)) if not reason and t in types]
        return case(comment, reason, flag, record=_b64(raw), leaf=leaf_hash(raw).hex(), logs=logs)

    def odd(comment: str, reason: str, flag: str, **fields: Any) -> Test:
        return test(comment, reason, flag, pack(said | fields), fields.get("t", "node.ack"))

    yield odd("the smallest record", "", "Valid")
    two = sorted([H, digest(b"another")])
    yield odd("two blobs, sorted", "", "Valid", blobs=two, t="roster")
    yield odd("a time of 0", "", "Valid", ts=0)
    yield odd("the largest time", "", "Valid", ts=2**64 - 1)
    yield odd("a seen beyond 32 bits", "", "Valid", seen=[2**32, 2**63, H])
    for t in sorted({*SHARED, *SIDE}):
        yield odd(f"type {t}", "", "Type", t=t)
    for t in ("poll", "node.poll", "xx", "x" * 16, "node." + "y" * 16):
        yield odd(f"unknown type {t}: decodes, and has no meaning in either log", "", "Type", t=t)
    for t in ("", "x", "x" * 17, "Msg", "node.", "node.Ack", "node.a", "a.b.c", "msg ", "msg\n", "node.ack\n", "nod3"):
        yield odd(f"no type: {t!r}", "PARSE", "Type", t=t)
    least = len(pack(said | {"env": bytes(60_000)})) - 60_000
    yield odd("65,535 bytes", "", "Size", env=bytes(65_535 - least))
    yield odd("65,536 bytes", "PARSE", "Size", env=bytes(65_536 - least))
    for name in said:
        yield test(f"without {name}", "PARSE", "Form", pack({k: v for k, v in said.items() if k != name}))
    for comment, fields in (
        ("another field", {"x": 1}), ("version 2", {"v": 2}), ("version as a bool", {"v": True}), ("a time below 0", {"ts": -1}),
        ("a time as text", {"ts": "0"}), ("an env that is text", {"env": "x"}), ("a seen of two", {"seen": [0, 0]}),
        ("a seen of four", {"seen": [0, 0, EMPTY, 0]}), ("a seen with a root of 31 bytes", {"seen": [0, 0, bytes(31)]}),
        ("a seen below 0", {"seen": [-1, 0, EMPTY]}), ("a blob of 33 bytes", {"blobs": [bytes(33)]}), ("a blob that is text", {"blobs": ["x"]}),
        ("blobs that are no array", {"blobs": H}), ("a nil", {"blobs": None}), ("a float", {"ts": 1.5}),
    ):  # fmt: skip
        yield odd(comment, "PARSE", "Form", **fields)
    yield odd("blobs not sorted", "PARSE", "Order", blobs=two[::-1])
    yield odd("a blob twice", "PARSE", "Order", blobs=[H, H])
    raw = pack(said)
    yield test("a byte after the end", "PARSE", "DCM", raw + b"\0")
    yield test("cut off", "PARSE", "DCM", raw[:-1])
    yield test("nothing", "PARSE", "DCM", b"")
    yield test("an array", "PARSE", "DCM", pack([1, "msg"]))
    yield test("keys in another order", "PARSE", "DCM", b"\x86" + b"".join(pack(k) + pack(said[k]) for k in said))
    yield test("a key twice", "PARSE", "DCM", b"\x87" + raw[1:] + pack("v") + pack(1))
    yield test("a long form of 1", "PARSE", "DCM", raw[:-1] + b"\xcc\x01")
    yield test("a long form of the map's length", "PARSE", "DCM", b"\xde\0\x06" + raw[1:])


def _bodies() -> Iterator[Test]:
    right: dict[str, list[dict[str, Any]]] = {
        "node.boot": [{"impl": "x 1", "wall": START, "why": why} for why in ("start", "jump", "confirmed")],
        "node.ack": [{}, {"side": H}, {"state": H, "at": [4, 4]}, {"state": H}],
        "node.gap": [{"lo": 0, "hi": 1, "hashes": [H]}, {"lo": 3, "hi": 1, "hashes": []}],
        "node.pin": [{"cert": H, "from": 0}],
        "node.test": [{"id": bytes(16), "path": "main", "t1": START}],
        "node.echo": [{"id": bytes(16), "t1": 1, "t2": 2, "t3": 3}, {"id": bytes(16), "t1": 1, "t2": 2, "t3": 3, "t4": 4}],
        "node.step": [
            {"of": H, "receipt": receipt, "step": n, "reason": reason}
            for receipt, n, reason in (("stored", 1, "LINK"), ("read", 2, "NEN"), ("engaged", 3, "POST"), ("informed", 4, "READ"), ("reply", 1, "UNK"))
        ],
        "node.alarm": [{"code": "MODE", "count": 1}, {"code": "ROOT", "count": 9, "ref": H}],
    }  # fmt: skip
    wrong: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "node.boot": [("an unknown why", {"why": "reset"}), ("a name of 65 letters", {"impl": "x" * 65}), ("a wall below 0", {"wall": -1})],
        "node.ack": [("a side of 31 bytes", {"side": bytes(31)}), ("one size", {"state": H, "at": [4]}), ("sizes below 0", {"state": H, "at": [-1, 4]})],
        "node.gap": [("a hash of 31 bytes", {"hashes": [bytes(31)]}), ("lo below 0", {"lo": -1})],
        "node.pin": [("a certificate in place of its hash", {"cert": bytes(400)})],
        "node.test": [("an id of 15 bytes", {"id": bytes(15)}), ("a path of 65 letters", {"path": "x" * 65})],
        "node.echo": [("t4 that is nil", {"t4": None})],
        "node.step": [("step 0", {"step": 0}), ("step 5", {"step": 5}), ("an unknown receipt", {"receipt": "seen"}), ("an unknown reason", {"reason": "WHY"})],
        "node.alarm": [("a code in small letters", {"code": "mode"}), ("a code of one letter", {"code": "M"}), ("a line feed after a code", {"code": "MODE\n"}), ("none", {"count": 0}), ("a ref of 31 bytes", {"ref": bytes(31)})],
    }  # fmt: skip
    for t, bodies in right.items():
        for body in bodies:
            yield case(f"{t} with {', '.join(body) or 'nothing'}", "", "Valid", t=t, body=_b64(pack(body)))
        first = bodies[0]
        for name in first:
            yield case(
                f"{t} without {name}",
                "PARSE",
                "Form",
                t=t,
                body=_b64(pack({k: v for k, v in first.items() if k != name})),
            )
        for comment, fields in [("another field", {"zz": 1}), ("a version", {"v": 1}), *wrong[t]]:
            yield case(f"{t}: {comment}", "PARSE", "Form", t=t, body=_b64(pack(first | fields)))
        yield case(f"{t}: no map", "PARSE", "Form", t=t, body=_b64(pack([])))


def _channels(w: World) -> Iterator[Test]:
    other = {"a charter": w.charter, "another nonce": w.charter | {"nonce_b": ZERO}, "another mode": w.charter | {"mode": 2, "host": "US"},
             "one that supersedes": w.charter | {"supersedes": w.chan}}  # fmt: skip
    for comment, charter in other.items():
        payload = pack(charter)
        chan = digest(b"dcx/v1/channel\0", pae(media("charter"), payload))
        yield case(comment, "", "Valid", payload=_b64(payload), chan=chan.hex())


def _opening(w: World) -> Test:
    logs = {x: [line.raw for line in w.logs[x]] for x in "ab"}
    leaves = {x: [leaf_hash(raw) for raw in logs[x]] for x in "ab"}
    return case(
        "the eight records of an opening", "", "Valid", chan=w.chan.hex(),
        records={x: [_b64(raw) for raw in logs[x]] for x in "ab"},
        leaves={x: [leaf.hex() for leaf in leaves[x]] for x in "ab"},
        roots={x: [root_of(leaves[x][:n]).hex() for n in range(5)] for x in "ab"},
    )  # fmt: skip


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
