"""Documents: payloads, envelopes, thresholds, and the chains of root and roster (docs/protocol.md 3 and 4)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from making_founding import Party
from making_payloads import payload_tests
from making_rosters import case, rosters
from making_signing import SIGN, ZERO, Kept, Key, digest, flipped, key, key_object, media, pack, pae
from making_world import World

HEADER = [
    "Payloads of every document, envelopes, and the chains of root and roster: docs/protocol.md sections 2 to 4, 11, 15.",
    "Payload: form alone. Envelope: the envelope decodes, and `verified` are the keys of `keys` that signed it in `mode`.",
    (
        "Root: `env` as the next root after `before` (none: version 1). Roster: `env` as the next after `before`, under the "
        "root `root`; `root_hash` is the payload hash of the party's root version 1, `others` are keys of the other party."
    ),
    "In Root and Roster another party or mode than its predecessor's or root's is CHAIN; in a log MODE and CHAN come first.",
    "Key objects and proofs stand in `pool` by SHA-256; `missing` are not at hand for the test. Big values are base64.",
]
NOTES = {
    "Form": "A field is missing, unknown, of another type, length or code",
    "Valid": "As it must be",
    "Order": "Entries sorted by key id, none twice",
    "Signature": "Which keys signed",
    "Mode": "A key or a signature of the other mode",
    "Threshold": "Distinct keys are counted, by both versions' thresholds",
    "Chain": "Version exactly one more, the predecessor's hash, party and mode",
    "Keys": "Admission: length, mode, points, components, proofs of possession",
}
Test = dict[str, Any]


def make(stored: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    kept = Kept(stored)
    w = World(kept, "small")
    pool = w.blobs
    groups = [
        {"type": "Payload", "tests": list(_payloads(w))},
        {"type": "Envelope", "mode": 1, "tests": list(_envelopes(kept, pool))},
        {"type": "Root", "tests": list(_roots(kept, pool))},
        {"type": "Roster", "tests": list(rosters(kept, pool))},
    ]
    number = 0
    for group in groups:
        for test in group["tests"]:
            number += 1
            test["tcId"] = number
    return {
        "schema": "documents_schema.json", "generatorVersion": "1", "numberOfTests": number, "header": HEADER, "notes": NOTES,
        "testGroups": groups, "pool": {h.hex(): _b64(pool[h]) for h in sorted(pool)},
    }  # fmt: skip


def _payloads(w: World) -> Iterator[Test]:
    for t, comment, reason, raw in payload_tests(w):
        yield case(comment, reason, "Form" if reason else "Valid", t=t, payload=_b64(raw))


def _envelopes(kept: Kept, pool: dict[bytes, bytes]) -> Iterator[Test]:
    one, two, other = key("envelope one", 1), key("envelope two", 1), key("envelope one", 2)
    twin = Key(2, SIGN, one.seed)
    for each in (one, two, other, twin):
        pool[each.kid] = each.object
    payload = pack({"v": 1, "chan": ZERO, "from": one.kid, "mid": bytes(16), "ph": ZERO, "ts": 1})
    kind = media("confirm")
    message = pae(kind, payload)
    s1, s2, s3 = kept.sign(one, message), kept.sign(two, message), kept.sign(other, message)
    foreign = kept.sign(one, pae(media("kem"), payload))
    crossed = kept.sign(one, message, mode=2)
    good = sorted([[one.kid, s1], [two.kid, s2]])

    def test(comment: str, reason: str, flag: str, pairs: Any, verified: list[Key], env: Any = None) -> Test:
        raw = pack([kind, payload, pairs]) if env is None else env
        listed = sorted(k.hex() for k in (one.kid, two.kid, other.kid, twin.kid))
        return case(comment, reason, flag, env=_b64(raw), keys=listed, verified=sorted(k.kid.hex() for k in verified))

    yield test("one signature", "", "Signature", [[one.kid, s1]], [one])
    yield test("two signatures", "", "Signature", good, [one, two])
    yield test("no signature", "", "Signature", [], [])
    yield test("a bit of the payload changed", "", "Signature", None, [], pack([kind, payload[:-1] + b"\2", good]))
    yield test("a bit of the ML-DSA half changed", "", "Signature", [[one.kid, flipped(s1)]], [])
    yield test("a bit of the Ed25519 half changed", "", "Signature", [[one.kid, s1[:-1] + bytes([s1[-1] ^ 1])]], [])
    yield test("the Ed25519 half of another key", "", "Signature", [[one.kid, s1[:3309] + s2[3309:]]], [])
    yield test("the ML-DSA half of another key", "", "Signature", [[one.kid, s2[:3309] + s1[3309:]]], [])
    yield test("the ML-DSA half alone", "", "Signature", [[one.kid, s1[:3309]]], [])
    yield test("a byte too many", "", "Signature", [[one.kid, s1 + b"\0"]], [])
    yield test("an empty signature", "", "Signature", [[one.kid, b""]], [])
    yield test("another key's signature", "", "Signature", [[one.kid, s2]], [])
    yield test(
        "another type of document", "", "Signature", None, [one], pack([media("kem"), payload, [[one.kid, foreign]]])
    )
    yield test("made for another type of document", "", "Signature", [[one.kid, foreign]], [])
    yield test(
        "one key twice under two ids does not count twice",
        "",
        "Signature",
        sorted([[one.kid, s1], [two.kid, s1]]),
        [one],
    )
    yield test("a key of the other mode", "", "Mode", [[other.kid, s3]], [])
    yield test("the other mode's context", "", "Mode", [[one.kid, crossed]], [])
    yield test("the same raw key under the other mode", "", "Mode", [[twin.kid, crossed]], [])
    yield test("the same raw key under the other mode, this mode's context", "", "Mode", [[twin.kid, s1]], [])
    yield test("entries not sorted", "PARSE", "Order", good[::-1], [])
    yield test("one key id twice", "PARSE", "Order", [[one.kid, s1], [one.kid, s1]], [])
    yield test("one key id twice, two signatures", "PARSE", "Order", [[one.kid, s1], [one.kid, s2]], [])
    for comment, value in (
        ("a key id of 31 bytes", [kind, payload, [[one.kid[:31], s1]]]), ("a payload that is text", [kind, "x", [[one.kid, s1]]]),
        ("an entry of three", [kind, payload, [[one.kid, s1, b""]]]), ("two fields", [kind, payload]),
        ("four fields", [kind, payload, [], 1]), ("a type that is bytes", [kind.encode(), payload, []]),
        ("a map", {"payloadType": kind, "payload": payload, "signatures": []}), ("a type of 97 letters", ["x" * 97, payload, []]),
        ("a signature of 5,001 bytes", [kind, payload, [[one.kid, bytes(5001)]]]),
    ):  # fmt: skip
        yield test(comment, "PARSE", "Form", None, [], pack(value))
    whole = pack([kind, payload, [[one.kid, s1]]])
    yield test("a byte after the end", "PARSE", "Form", None, [], whole + b"\0")
    yield test("cut off", "PARSE", "Form", None, [], whole[:-1])
    yield test(
        "the payload's length in a longer form",
        "PARSE",
        "Form",
        None,
        [],
        whole.replace(b"\xc4" + bytes([len(payload)]) + payload, b"\xc5\0" + bytes([len(payload)]) + payload),
    )


def _roots(kept: Kept, pool: dict[bytes, bytes]) -> Iterator[Test]:
    side = Party(kept, "a", 1, pool)
    a, b, c = (side.authority(n) for n in (1, 2, 3))
    ids = lambda *keys: sorted(k.kid for k in keys)  # noqa: E731

    def test(
        comment: str, reason: str, doc: dict[str, Any], signers: list[Key], before: Any = None, **more: Any
    ) -> Test:
        flag = "Valid" if not reason else {"CHAIN": "Chain", "SIG": "Threshold", "KEYS": "Keys"}[reason]
        fields = {"before": _b64(kept.envelope("root", *before))} if before else {}
        return case(comment, reason, flag, env=_b64(kept.envelope("root", doc, signers)), **fields, **more)

    first = side.root()
    yield test("version 1, signed by its two keys", "", first, a)
    yield test("version 1 with a third key beside", "", side.root(keys=ids(*a, c[0])), a)
    yield test("three of three", "", side.root(keys=ids(*a, c[0]), threshold=3), [*a, c[0]])
    yield test("one of two", "SIG", first, a[:1])
    yield test("two, one of them a stranger", "SIG", first, [a[0], c[0]])
    yield test("two of three", "SIG", side.root(keys=ids(*a, c[0]), threshold=3), a)
    yield test("version 2 as the first", "CHAIN", side.root(ver=2), a)
    yield test("a predecessor of the first", "CHAIN", side.root(prev=digest(b"x")), a)
    yield test("a threshold above the number of keys", "CHAIN", side.root(threshold=3), a)
    yield test("one key twice makes no threshold", "KEYS", side.root(keys=[a[0].kid, a[0].kid]), a[:1])
    yield test(
        "a key object that is not at hand",
        "KEYS",
        side.root(keys=ids(a[0], c[0])),
        [a[0], c[0]],
        missing=[c[0].kid.hex()],
    )
    half = Key(1, SIGN, a[0].seed[:32] + c[0].seed[32:])  # shares its ML-DSA part
    pool[half.kid] = half.object
    yield test("two keys that share a component", "KEYS", side.root(keys=ids(a[0], half)), [a[0], half])
    alien = key("CN authority1.0", 2)
    pool[alien.kid] = alien.object
    yield test("a key of the other mode", "KEYS", side.root(keys=ids(*a, alien)), a)
    seal = side.key("records", 0x0101)
    yield test("a seal key", "KEYS", side.root(keys=ids(*a, seal)), a)
    for comment, point in (("a point of small order", b"\1" + bytes(31)), ("y not below p", b"\xee" + b"\xff" * 30 + b"\x7f"),
                           ("the point zero", ZERO)):  # fmt: skip
        blob = key_object(1, SIGN, c[0].raw[:1952] + point)
        pool[digest(blob)] = blob
        yield test(f"Ed25519: {comment}", "KEYS", side.root(keys=sorted([*ids(*a), digest(blob)])), a)
    follow = {"prev": digest(pack(first))}
    yield test("version 2 by both thresholds", "", side.root(2, **follow), [*a, *b], (first, a))
    yield test(
        "version 2 that keeps a key: three signatures are enough",
        "",
        side.root(2, keys=ids(a[0], b[0]), **follow),
        [*a, b[0]],
        (first, a),
    )
    yield test("version 2 without the old threshold", "SIG", side.root(2, **follow), [a[0], *b], (first, a))
    yield test("version 2 without the new threshold", "SIG", side.root(2, **follow), [*a, b[0]], (first, a))
    yield test("version 2 by the new keys alone", "SIG", side.root(2, **follow), b, (first, a))
    yield test("version 3 after version 1", "CHAIN", side.root(3, **follow), [*a, *c], (first, a))
    yield test("another predecessor", "CHAIN", side.root(2), [*a, *b], (first, a))
    yield test("the other party", "CHAIN", side.root(2, party="US", **follow), [*a, *b], (first, a))
    named = side.root(next=ids(*b))
    after = {"prev": digest(pack(named))}
    yield test("announced keys", "", side.root(2, **after), [*a, *b], (named, a))
    yield test(
        "an announced key and an old one", "", side.root(2, keys=ids(a[0], b[0]), **after), [*a, b[0]], (named, a)
    )
    yield test(
        "a key that was not announced",
        "KEYS",
        side.root(2, keys=ids(b[0], c[0]), **after),
        [*a, b[0], c[0]],
        (named, a),
    )


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
