"""Payloads of every document: a right one, and what a reader must not take for one (docs/protocol.md 2, 4, 11, 15).

Only form is meant here: fields, their types, lengths and codes. Whether a document counts is another question.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from making_authority import next_policy
from making_founding import note_keys
from making_signing import SEAL, ZERO, Key, digest, pack
from making_world import START, World

Odd = tuple[str, Any]
BIG = 2**64
H31, H33, H = bytes(31), bytes(33), digest(b"a hash")
NAME_FAULTS: list[tuple[str, Any]] = [
    ("not NFC", "e\u0301"), ("a control character", "a\u0007"), ("a format character", "a\u200b"), ("empty", ""),
    ("longer than 200", "x" * 201),
]  # fmt: skip


def documents(w: World) -> dict[str, dict[str, Any]]:
    """One right document of each type."""
    me, ts = w.kid("a", "expert1"), START
    base = {"v": 1, "chan": w.chan, "from": me}
    sealed = {"suite": SEAL, "kc": H, "blob": H, "blen": 600}
    party = {"v": 1, "mode": 1, "party": "CN"}
    keys = {use: note_keys(f"a1 {use}") for use in ("log", "side", "cos")}
    to = w.recipients()
    return {
        "root": w.roots["a"],
        "roster": w.rosters["a"],
        "pop": {**party, "root": H, "kid": H, "person": "p", "seat": "s", "role": "expert", "nonce": bytes(16)},
        "revoke": {**party, "kids": [H], "reason": "compromise", "ts": ts},
        "contacts": {**party, "ver": 1, "prev": ZERO, "ts": ts,
                     "list": [{"kind": "voice", "en": "Desk", "zh": "值班", "addr": "+00 1", "hours": "00-24"}]},
        "charter": w.charter,
        "policy": next_policy(w),
        "succeed": {"v": 1, "chan": w.chan, "party": "CN", "old_origin": "dcx1/x/a/0", "final": {"size": 4, "root": H},
                    "note": b"", "log_no": 1, **keys, "reason": "rehearsal"},
        "kem": {**base, "kid_old": H, "kid_new": ZERO, "pop": H, "ts": ts},
        "msg": w.payload("a", "expert1", mid=bytes(16)),
        "ack": {**base, "mid": bytes(16), "ph": H, "step": "read", "ts": ts},
        "confirm": {**base, "mid": bytes(16), "ph": H, "ts": ts},
        "watch": {"v": 1, "chan": w.chan, "seat": "duty", "op": "take", "on": me, "ts": ts},
        "exercise": {**base, "op": "startex", "x": 0, "rate": 2, "scenario": H, "ts": ts},
        "draft": {**base, "did": bytes(16), "to": to, **sealed, "ts": ts},
        "sign": {"v": 1, "chan": w.chan, "did": bytes(16), "ph": H, "kid": me, "sig": bytes(3373)},
        "withdraw": {**base, "did": bytes(16), "why": "overtaken"},
        "shown": {"v": 1, "chan": w.chan, "log": "a", "index": 4, "lang": "en", "ts": ts},
        "note": {**base, "to": to, **sealed, "ts": ts},
        "reshare": {**base, "mid": bytes(16), "ph": H, "wraps": [[H, bytes(1168)]], "ts": ts},
        "use": {**base, "kid": H, "why": "quarter", "ts": ts},
        "login": {**base, "cert": H, "nonce": bytes(16), "session": ZERO, "ts": ts},
    }  # fmt: skip


MAY_MISS = {"charter": {"host"}, "policy": set(), "watch": {"on", "off"}, "exercise": {"rate", "scenario"}}
"""Fields of the right documents above that may be left out as far as form goes."""

RIGHT: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "pop": [("a seal key's, with the opened challenge", {"opened": H})],
    "root": [("with announced keys", {"next": [H]})],
    "ack": [("not engaging, with a time", {"step": "not-engaging", "next": START}), ("undecryptable, with a code", {"step": "undecryptable", "why": "wrap"})],
    "watch": [("a handover names both", {"op": "handover", "off": H}), ("form alone takes one without either", {"op": "leave"})],
    "msg": [
        ("every optional field", {
            "case": H, "refs": [H], "ack_by": 0, "reply_by": 2**32 - 1, "tlp": "AMBER+STRICT", "pap": "CLEAR", "cosign": [H],
            "single": True, "ans": "NEN", "cor": "DUR", "move": {"op": "lower", "from": "crisis", "to": "serious", "at": [4, 4]},
        }),
        ("the smallest times", {"ts": 0}), ("the largest time", {"ts": BIG - 1}),
    ],
    "exercise": [("real world", {"op": "real-world"})],
}  # fmt: skip

WRONG: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "root": [("a threshold of one", {"threshold": 1}), ("version 0", {"ver": 0}), ("mode 3", {"mode": 3}),
             ("mode as a bool", {"mode": True}), ("party in small letters", {"party": "cn"}), ("party of one letter", {"party": "C"}),
             ("a key id of 31 bytes", {"keys": [H31, H]}), ("prev of 33 bytes", {"prev": H33}), ("a time below 0", {"soft_exp": -1})],
    "pop": [("an unknown role", {"role": "admiral"}), ("an id in capitals", {"person": "P"}), ("a line feed after an id", {"person": "p\n"}), ("a nonce of 15 bytes", {"nonce": bytes(15)}),
            ("opened of 31 bytes", {"opened": H31})],
    "revoke": [("no key", {"kids": []}), ("a reason with a space", {"reason": "lost it"}), ("a reason of 33 letters", {"reason": "x" * 33}), ("a line feed after the reason", {"reason": "compromise\n"}), ("a line feed after the party", {"party": "CN\n"})],
    "contacts": [("a line feed after a kind", {"list": [{"kind": "voice\n", "en": "a", "zh": "a", "addr": "1"}]}), ("a kind in capitals", {"list": [{"kind": "Voice", "en": "a", "zh": "a", "addr": "1"}]}),
                 ("an entry without an address", {"list": [{"kind": "voice", "en": "a", "zh": "a"}]})]
    + [(f"a name that is {why}", {"list": [{"kind": "voice", "en": bad, "zh": "a", "addr": "1"}]}) for why, bad in NAME_FAULTS],
    "succeed": [("log number 0", {"log_no": 0}), ("a line feed after the reason", {"reason": "rehearsal\n"}), ("an Ed25519 key of 31 bytes", {"log": {"ed": H31, "ml": bytes(1312)}}),
                ("an ML-DSA key of 1,311 bytes", {"cos": {"ed": ZERO, "ml": bytes(1311)}}), ("final without a root", {"final": {"size": 4}})],
    "msg": [("an id of 15 bytes", {"mid": bytes(15)}), ("an unknown format", {"fmt": "F15"}), ("a level unknown", {"level": "high"}),
            ("a precedence unknown", {"prec": "M"}), ("no recipient", {"to": []}), ("21 recipients", {"to": [digest(bytes([n])) for n in range(21)]}),
            ("no reference", {"refs": []}), ("17 references", {"refs": [digest(bytes([n])) for n in range(17)]}), ("no co-signer", {"cosign": []}),
            ("4 co-signers", {"cosign": [digest(bytes([n])) for n in range(4)]}), ("a suite above u16", {"suite": 65_536}), ("suite 0", {"suite": 0}),
            ("a language unknown", {"lang": "fr"}), ("seconds below 0", {"ack_by": -1}), ("seconds above u32", {"reply_by": 2**32}),
            ("an unknown move", {"move": {"op": "freeze"}}), ("a move with another field", {"move": {"op": "suspend", "why": "x"}}),
            ("one size in at", {"move": {"op": "close", "from": "routine", "at": [4]}}), ("three sizes in at", {"move": {"op": "close", "from": "routine", "at": [4, 4, 4]}}),
            ("an answer unknown", {"ans": "MAYBE"}), ("a correction unknown", {"cor": "ETC"}), ("a TLP unknown", {"tlp": "WHITE"}),
            ("single as a number", {"single": 1}), ("a body of 0 bytes", {"blen": 0}), ("a time below 0", {"ts": -1})],
    "ack": [("an unknown step", {"step": "seen"}), ("a code with a space", {"step": "undecryptable", "why": "no key"}), ("an empty code", {"why": ""}), ("a line feed after a code", {"step": "undecryptable", "why": "wrap\n"})],
    "watch": [("an unknown operation", {"op": "give"}), ("a seat in capitals", {"seat": "Duty"}), ("a line feed after a seat", {"seat": "duty\n"})],
    "exercise": [("an unknown operation", {"op": "play"}), ("rate 0", {"rate": 0}), ("rate 1,001", {"rate": 1001}), ("x below 0", {"x": -1})],
    "kem": [("a key id of 33 bytes", {"kid_new": H33})],
    "shown": [("a third log", {"log": "c"}), ("an index below 0", {"index": -1})],
    "withdraw": [("a reason of 201 letters", {"why": "x" * 201})],
    "reshare": [("no wrap", {"wraps": []}), ("a wrap to no key", {"wraps": [[b"", b""]]})],
    "login": [("a session key of 31 bytes", {"session": H31})],
    "draft": [("no reader", {"to": []})],
}  # fmt: skip


def _nested(docs: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Faults inside roster, charter and policy: type, what, document."""
    roster, charter, policy = docs["roster"], docs["charter"], docs["policy"]
    first = roster["members"][0]
    for what, odd in (
        ("two signing keys", {"sig": [H, ZERO]}), ("no signing key", {"sig": []}), ("two seal keys", {"kem": [H, ZERO]}),
        ("an unknown role", {"role": "guest"}), ("an unknown standing", {"standing": "friend"}), ("no language", {"langs": []}),
        ("a language unknown", {"langs": ["fr"]}), ("another field", {"note": "x"}), ("played as a number", {"played": 1}),
    ):  # fmt: skip
        yield "roster", f"a member with {what}", roster | {"members": [first | odd, *roster["members"][1:]]}
    for why, bad in NAME_FAULTS:
        yield "roster", f"a name that is {why}", roster | {"persons": [{"id": "p", "en": bad, "zh": "人"}]}
    one, two = charter["parties"]
    for what, parties in (
        ("one party", [one]), ("three parties", [one, two, two]), ("one party twice", [one, one]), ("parties not sorted", [two, one]),
        ("a party without a certificate", [{k: v for k, v in one.items() if k != "cert"}, two]),
        ("a party that speaks French", [one | {"lang": "fr"}, two]),
    ):  # fmt: skip
        yield "charter", what, charter | {"parties": parties}
    for what, odd in (
        ("suites not sorted", {"suites": [3, 1]}), ("a suite twice", {"suites": [1, 1]}), ("no suite", {"suites": []}),
        ("a host in mode 1", {"host": "CN"}), ("a host that is no party", {"mode": 2, "host": "FR"}), ("a title in one language", {"title": {"en": "x"}}),
    ):  # fmt: skip
        yield "charter", what, charter | odd
    levels, low = policy["levels"], policy["levels"][0]
    for what, odd in (
        ("five levels", {"levels": levels[:5]}), ("levels in another order", {"levels": [levels[1], low, *levels[2:]]}),
        ("an empty slot", {"levels": [low | {"enter": [[]]}, *levels[1:]]}), ("no slot", {"levels": [low | {"lower": []}, *levels[1:]]}),
        ("five slots", {"levels": [low | {"lower": [["expert"]] * 5}, *levels[1:]]}), ("a line feed after a slot", {"sign": policy["sign"] | {"line": [["expert\n"]]}}), ("a slot of no role", {"sign": policy["sign"] | {"line": [["Expert"]]}}),
        ("three steps", {"timers": policy["timers"] | {"steps": [50, 100, 150]}}), ("steps of 0 per cent", {"timers": policy["timers"] | {"steps": [0, 1, 2, 3]}}),
        ("one recipient at most", {"limits": policy["limits"] | {"max_to": 1}}), ("21 recipients at most", {"limits": policy["limits"] | {"max_to": 21}}),
        ("a body above 524,288", {"limits": policy["limits"] | {"max_body": 524_289}}), ("chan in version 1", {"ver": 1}),
        ("a category in small letters", {"categories": ["loc"]}), ("a line feed after a category", {"categories": ["LOC\n"]}), ("an unknown holding answer", {"holding": ["ETC"]}), ("fold 0", {"fold": 0}),
    ):  # fmt: skip
        yield "policy", what, policy | odd


def payload_tests(w: World) -> Iterator[tuple[str, str, str, bytes]]:
    """Type, comment, reason ("" right) and payload bytes of each test."""
    docs = documents(w)
    for t, doc in docs.items():
        yield t, f"{t}: a right one", "", pack(doc)
        for what, more in RIGHT.get(t, []):
            yield t, f"{t}: {what}", "", pack(_without(doc, t, more) | more)
        for name in doc:
            if t in ("charter", "policy", "roster") and name in (
                "title",
                "categories",
                "quorum",
                "soft_exp",
                "created",
            ):
                continue  # enough of the long ones
            if name not in MAY_MISS.get(t, set()):
                yield t, f"{t}: without {name}", "PARSE", pack({k: v for k, v in doc.items() if k != name})
        for what, odd in (("another field", {"zz": 1}), ("version 2", {"v": 2}), ("version 0", {"v": 0})):
            yield t, f"{t}: {what}", "PARSE", pack(doc | odd)
        for what, odd in WRONG.get(t, []):
            yield t, f"{t}: {what}", "PARSE", pack(doc | odd)
    for t, what, doc in _nested(docs):
        yield t, f"{t}: {what}", "PARSE", pack(doc)
    kem = pack(docs["kem"])
    yield "kem", "kem: a byte after the end", "PARSE", kem + b"\0"
    yield "kem", "kem: cut off", "PARSE", kem[:-1]
    yield "kem", "kem: no map", "PARSE", pack([1])
    yield "kem", "kem: a field that is nil", "PARSE", pack(docs["kem"] | {"pop": None})
    yield (
        "kem",
        "kem: keys not sorted",
        "PARSE",
        b"\x87" + b"".join(pack(k) + pack(docs["kem"][k]) for k in sorted(docs["kem"], reverse=True)),
    )
    yield "kem", "kem: a key twice", "PARSE", b"\x88" + kem[1:] + pack("v") + pack(1)
    yield "kem", "kem: a long form of 1", "PARSE", kem[:-1] + b"\xcc\x01"


def _without(doc: dict[str, Any], t: str, more: dict[str, Any]) -> dict[str, Any]:
    drop = {"exercise": {"rate", "scenario"}, "watch": {"on"} if more == {"op": "leave"} else set()}.get(t, set())
    return {k: v for k, v in doc.items() if k not in drop}


__all__ = ["Key", "documents", "payload_tests"]
