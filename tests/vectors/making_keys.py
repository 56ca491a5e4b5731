"""Key objects, what may be admitted, ids as words, envelopes (docs/protocol.md sections 3 and 4, appendix A)."""

from __future__ import annotations

import base64
from itertools import count
from typing import Any

from making_signing import CONTEXT, SEAL, SESSION, SIGN, Kept, Key, composite, digest, key, key_object, media, pack, pae
from mnemonic import Mnemonic

SMALL = [
    "01" + "00" * 31, "01" + "00" * 30 + "80", "ec" + "ff" * 30 + "7f", "ec" + "ff" * 31, "00" * 32, "00" * 31 + "80",
    "ed" + "ff" * 30 + "7f", "ed" + "ff" * 31, "ee" + "ff" * 30 + "7f", "ee" + "ff" * 31,
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
]  # fmt: skip
NAMES = {SIGN: "sign", SESSION: "session", SEAL: "seal"}
NOTES = {
    "Context": "The signature's context is that of the channel's mode",
    "Form": "A key object or an envelope in its one form",
    "Half": "Both halves of a composite signature verify",
    "Length": "Exact lengths",
    "Load": "Every half of a key loads",
    "SmallOrder": "The 14 encodings of appendix A, and any y not below p",
    "Suite": "A reserved suite is refused until a charter lists it",
    "Threshold": "Distinct key ids are counted, never signatures",
    "Valid": "Good ones",
    "Words": "The first 88 bits of an id, 11 bits a word, most significant first",
}


def make(stored: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    kept, number = Kept(stored), count(1)
    groups = [
        ("KeyObject", _objects()), ("Admission", _admission()), ("Words", _words()), ("Pae", _pae()),
        ("EnvelopeForm", _forms(kept)), ("Verified", _verified(kept)),
    ]  # fmt: skip
    made = [{"type": t, "tests": [{"tcId": next(number), **test} for test in tests]} for t, tests in groups]
    return {
        "schema": "keys_schema.json", "generatorVersion": "1", "numberOfTests": sum(len(g["tests"]) for g in made),
        "header": [
            "Key objects and ids, which raw keys may be admitted, ids as words, DSSE envelopes in DCM (sections 3, 4).",
            ("`seed`, `raw`, `object`, `kid` in hex; `envelope` in base64. `good` = the key ids whose signature verifies "
            "in a channel of `mode` under `keys` (key objects, base64)."),
        ],
        "notes": NOTES, "testGroups": made,
    }  # fmt: skip


def _case(comment: str, flag: str, result: str, **more: Any) -> dict[str, Any]:
    return {
        "comment": comment,
        "flags": [flag],
        **more,
        "result": result,
        **({} if result == "valid" else {"reason": NOTES[flag]}),
    }


def _objects() -> list[dict[str, Any]]:
    found = []
    for suite, name in NAMES.items():
        for mode in (1, 2):
            k = key("a key", mode, suite)
            found.append(_case(
                f"{name}, mode {mode}", "Valid", "valid", mode=mode, suite=suite, seed=k.seed.hex(), raw=k.raw.hex(),
                object=k.object.hex(), kid=k.kid.hex(),
            ))  # fmt: skip
    good = key("a key", 1, SESSION).object
    for comment, raw in (
        ("mode 0", good[:11] + b"\0" + good[12:]), ("mode 3", good[:11] + b"\3" + good[12:]),
        ("another tag", b"dcx/v2" + good[6:]), ("the tag's zero missing", good[:10] + good[11:]),
        ("length one more", good[:14] + (33).to_bytes(4, "big") + good[18:]), ("a byte more", good + b"\0"),
        ("a byte less", good[:-1]), ("no key", good[:18]), ("nothing", b""),
    ):  # fmt: skip
        found.append(_case(comment, "Form", "invalid", object=raw.hex()))
    return found


def _admission() -> list[dict[str, Any]]:
    sign, seal = key("a key", 1, SIGN).raw, key("a key", 1, SEAL).raw
    found = [
        _case(f"{NAMES[s]}", "Valid", "valid", suite=s, raw=key("a key", 1, s).raw.hex()) for s in NAMES
    ]  # fmt: skip
    found += [_case(f"session {t[:8]}…{t[-4:]}", "SmallOrder", "invalid", suite=SESSION, raw=t) for t in SMALL]
    found.append(
        _case(
            "composite with a half of small order",
            "SmallOrder",
            "invalid",
            suite=SIGN,
            raw=sign[:1952].hex() + SMALL[0],
        )
    )
    p = 2**255 - 19
    for y in (p, p + 1, p + 2, p + 18):
        raw = y.to_bytes(32, "little").hex()
        found.append(_case(f"y = p + {y - p}", "SmallOrder", "invalid", suite=SESSION, raw=raw))
    for comment, suite, raw in (
        ("composite a byte short", SIGN, sign[:-1]), ("composite a byte long", SIGN, sign + b"\0"), ("a half alone", SIGN, sign[1952:]),
        ("seal a byte short", SEAL, seal[:-1]), ("seal with the parts of a composite", SEAL, sign), ("session of 31 bytes", SESSION, sign[-31:]),
    ):  # fmt: skip
        found.append(_case(comment, "Length", "invalid", suite=suite, raw=raw.hex()))
    found.append(
        _case("ML-KEM half out of range", "Load", "invalid", suite=SEAL, raw=(b"\xff" * 1184 + seal[1184:]).hex())
    )
    found.append(_case("X25519 half of order one", "Load", "invalid", suite=SEAL, raw=(seal[:1184] + bytes(32)).hex()))
    reserved = (0x0000, 0x0002, 0x0010, 0x0102, 0x0201, 0xFFFF)
    return found + [_case(f"suite 0x{s:04x}", "Suite", "invalid", suite=s, raw=sign.hex()) for s in reserved]


def _words() -> list[dict[str, Any]]:
    en, zh = Mnemonic("english").wordlist, Mnemonic("chinese_simplified").wordlist
    found = []
    for comment, id_ in (
        ("zeros", bytes(32)), ("ones", b"\xff" * 32), ("bits beyond 88 do not count", bytes(11) + b"\xff" * 21),
        ("the lowest bit of the first word", b"\0\x20" + bytes(30)), ("bit 88", bytes(10) + b"\1" + bytes(21)),
        *((f"SHA-256 of {n}", digest(bytes([n]))) for n in range(4)),
    ):  # fmt: skip
        bits = int.from_bytes(id_[:11], "big")
        places = [bits >> 11 * (7 - k) & 2047 for k in range(8)]
        found.append(_case(
            comment, "Words", "valid", id=id_.hex(), en=[en[p] for p in places], zh=[zh[p] for p in places]
        ))  # fmt: skip
    return found


def _pae() -> list[dict[str, Any]]:
    return [
        _case(comment, "Valid", "valid", kind=kind, payload=payload.hex(), pae=pae(kind, payload).hex())
        for comment, kind, payload in (
            ("published with DSSE v1", "http://example.com/HelloWorld", b"hello world"),
            ("empty payload", media("msg"), b""), ("empty type", "", b"x"), ("type counted in bytes", "é", b"\0\xff"),
        )
    ]  # fmt: skip


def _forms(kept: Kept) -> list[dict[str, Any]]:
    one, two = sorted((key("one", 2), key("two", 2)), key=lambda k: k.kid)
    kind, payload = media("ack"), pack({"v": 1})
    pairs = [[k.kid, kept.sign(k, pae(kind, payload))] for k in (one, two)]
    raw = pack([kind, payload, pairs])
    found = [
        _case("two signatures in order", "Valid", "valid", envelope=_b64(raw), kids=[one.kid.hex(), two.kid.hex()]),
        _case("no signature: it parses, and proves nothing", "Valid", "valid", envelope=_b64(pack([kind, payload, []])), kids=[]),
    ]  # fmt: skip
    for comment, value in (
        ("not in order", [kind, payload, pairs[::-1]]), ("a key id twice", [kind, payload, [pairs[0], pairs[0]]]),
        ("a key id of 31 bytes", [kind, payload, [[one.kid[:-1], pairs[0][1]]]]), ("payload as text", [kind, "x", pairs]),
        ("type as bin", [kind.encode(), payload, pairs]), ("two items", [kind, payload]), ("four items", [kind, payload, pairs, 1]),
        ("a map", {"payload": payload}), ("an entry of three", [kind, payload, [[*pairs[0], 1]]]),
        ("a signature of 5,001 bytes", [kind, payload, [[one.kid, bytes(5001)]]]),
    ):  # fmt: skip
        found.append(_case(comment, "Form", "invalid", envelope=_b64(pack(value))))
    found.append(_case("a byte more", "Form", "invalid", envelope=_b64(raw + b"\0")))
    return found


def _verified(kept: Kept) -> list[dict[str, Any]]:
    found = []
    for mode in (1, 2):
        one, two = (key(x, mode) for x in ("one", "two"))
        kind, payload = media("ack"), pack({"v": 1, "mode": mode})
        said = pae(kind, payload)
        a, b = kept.sign(one, said), kept.sign(two, said)
        crossed = kept.sign(one, said, mode=3 - mode)
        other = kept.sign(one, pae(media("confirm"), payload))
        cases: list[tuple[str, str, list[tuple[Key, bytes]], list[Key]]] = [
            ("both", "Valid", [(one, a), (two, b)], [one, two]),
            ("made under the other mode's context", "Context", [(one, crossed)], []),
            ("made for another payload type", "Form", [(one, other)], []),
            ("halves of two signatures of one key over different bytes", "Half", [(one, a[:3309] + other[3309:])], []),
            ("Ed25519 half changed", "Half", [(one, a[:-1] + bytes([a[-1] ^ 1]))], []),
            ("ML-DSA half changed", "Half", [(one, bytes([a[0] ^ 1]) + a[1:])], []),
            ("ML-DSA half alone", "Half", [(one, a[:3309])], []),
            ("Ed25519 half alone", "Half", [(one, a[3309:])], []),
            ("a byte more", "Length", [(one, a + b"\0")], []),
            ("another key's signature", "Threshold", [(one, b), (two, b)], [two]),
        ]
        found.append(_case(
            f"mode {mode}: of another type", "Valid", "valid", mode=mode, good=[one.kid.hex()], keys=[_b64(one.object)],
            envelope=_b64(pack([media("confirm"), payload, [[one.kid, other]]])),
            signed=digest(composite(pae(media("confirm"), payload), mode)).hex(),
        ))  # fmt: skip
        for comment, flag, signed, good in cases:
            pairs = sorted([k.kid, sig] for k, sig in signed)
            found.append(_case(
                f"mode {mode}: {comment}", flag, "valid" if len(good) == len(signed) else "invalid", mode=mode,
                envelope=_b64(pack([kind, payload, pairs])), keys=[_b64(one.object), _b64(two.object)],
                good=sorted(k.kid.hex() for k in good), signed=digest(composite(said, mode)).hex(),
            ))  # fmt: skip
        foreign = key("one", 3 - mode)
        pairs = [[foreign.kid, kept.sign(foreign, said, mode=mode)]]
        found.append(_case(
            f"mode {mode}: a key of the other mode that signs under this mode's context", "Context", "invalid", mode=mode,
            envelope=_b64(pack([kind, payload, pairs])), keys=[_b64(foreign.object)], good=[],
            signed=digest(composite(said, mode)).hex(),
        ))  # fmt: skip
    assert CONTEXT[1] != CONTEXT[2]
    assert key_object(1, SIGN, b"") != key_object(2, SIGN, b"")
    return found


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
