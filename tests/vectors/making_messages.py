"""Sealed messages: header, content key and salts in; every value on the way out; what must not open (11.2, 11.7)."""

from __future__ import annotations

import base64
import hmac
from itertools import count
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from making_signing import SEAL, SIGN, Kept, Key, digest, key, media, pack, pae

MODE = 2
BUCKETS = (512, 2048, 8192, 32_768, 131_072, 524_288)
ENVELOPE = ("chan", "from", "mid", "to")
NOTES = {
    "BD": "The body is not the one that `bd` commits to",
    "BLOB": "The blob is not the one that the payload names",
    "FIELD": "A disclosed field is not among the digests",
    "INNER": "What was sealed is no map with body and salts",
    "KC": "The content key is not the one that `kc` commits to",
    "NAMES": "The inner names are not the header's",
    "PADDING": "Zeros to the one bucket, and nothing else",
    "PARSE": "A reveal that is out of form",
    "SALTS": "Exactly one salt of 16 bytes for each field",
    "SEALED": "The sealed body does not open under this header",
    "Valid": "Messages that open",
    "WRAP": "The wrap does not give a content key",
    "WRAPS": "The wraps are not those of `to`, in its order",
}
READERS = [key(f"reader {i}", MODE, SEAL) for i in range(3)]
AUTHOR = key("author", MODE, SIGN)
BODY = {"line": "An AI agent acts outside its limits. 智能体越限运行。", "number": 7, "on": True, "raw": b"\0\1"}


def make(stored: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    kept, number = Kept(stored), count(1)
    groups = [("Seal", _sealed(kept)), ("Open", _refused(kept)), ("Reveal", _reveals(kept))]
    made = [{"type": t, "tests": [{"tcId": next(number), **test} for test in tests]} for t, tests in groups]
    return {
        "schema": "messages_schema.json", "generatorVersion": "1", "numberOfTests": sum(len(g["tests"]) for g in made),
        "header": [
            ("Sealing and opening (docs/protocol.md 11.2) and reveals (11.7). DCM values in hex; `payload`, `blob`, `envelope` "
            "in base64. `readers`: seal keys by seed. Wraps and signatures are stored as they were made: open and verify them."),
            "Invalid messages have a valid signature; `reason` is the first check that fails, in the order of 11.2.",
        ],
        "notes": NOTES, "mode": MODE, "readers": [{"seed": k.seed.hex(), "kid": k.kid.hex()} for k in READERS],
        "testGroups": made,
    }  # fmt: skip


def header(label: str, to: list[Key], **more: Any) -> dict[str, Any]:
    """A header that the format allows."""
    return {
        "v": 1, "chan": digest(b"vectors: a channel"), "from": AUTHOR.kid, "mid": digest(label.encode())[:16],
        "ts": 1_795_478_400_000, "prev": bytes(32), "suite": SEAL, "to": sorted(k.kid for k in to), "fmt": "F03",
        "level": "attention", "prec": "P", "status": "message", "lang": "en", **more,
    }  # fmt: skip


class Message:
    """One message, each value of 11.2 by its name there. ``spoil`` changes one of them before what follows is made."""

    def __init__(
        self, kept: Kept, label: str, body: dict[str, Any], to: list[Key], hdr: dict[str, Any], **spoil: Any
    ) -> None:
        self.body, self.hdr = body, hdr
        self.cek = digest(b"cek", label.encode())
        self.salts = spoil.get("salts", {name: digest(label.encode(), name.encode())[:16] for name in body})
        self.hh = digest(b"dcx/v1/hdr\0", pack(self.hdr))
        self.prk = hmac.digest(self.hh, self.cek, "sha256")
        self.kenc, self.kc = (
            HKDFExpand(hashes.SHA256(), 32, x).derive(self.prk) for x in (b"dcx/v1 enc", b"dcx/v1 commit")
        )
        self.fd = {n: digest(self.salts.get(n, bytes(16)), pack(n), pack(v)) for n, v in body.items()}
        self.bd = digest(*sorted(self.fd.values()))
        inner = {"body": body, "salts": self.salts, **{n: self.hdr[n] for n in ENVELOPE}} | spoil.get("inner", {})
        self.inner = spoil.get("inner_bytes", pack(inner))
        whole = len(self.inner).to_bytes(4, "big") + self.inner
        self.pt = spoil.get("pt", lambda pt: pt)(whole.ljust(next(b for b in BUCKETS if len(whole) <= b), b"\0"))
        self.ct = spoil.get("ct", lambda ct: ct)(AESGCM(self.kenc).encrypt(bytes(12), self.pt, self.hh))
        by_kid = {k.kid: k for k in to}
        self.wraps = [
            [kid, kept.wrap(by_kid[kid], b"dcx/v1 wrap\0" + self.hh + kid, self.ct, self.cek)] for kid in self.hdr["to"]
        ]
        self.blob = pack([self.ct, spoil.get("wraps", lambda wraps: wraps)(self.wraps)])
        more = {"kc": self.kc, "bd": self.bd, "blob": digest(self.blob), "blen": len(self.blob)} | spoil.get(
            "payload", {}
        )
        self.payload = pack(self.hdr | spoil.get("signed", {}) | more)
        said = pae(media("msg"), self.payload)
        self.envelope = pack([media("msg"), self.payload, [[AUTHOR.kid, kept.sign(AUTHOR, said)]]])

    def outside(self) -> dict[str, str]:
        """What the log holds of it."""
        return {"envelope": _b64(self.envelope), "payload": _b64(self.payload), "blob": _b64(self.blob)}


def _sealed(kept: Kept) -> list[dict[str, Any]]:
    found = []
    for comment, body, to, more in (
        ("one reader", {"line": "x"}, READERS[:1], {}), ("three readers, every kind of value", BODY, READERS, {}),
        ("empty body", {}, READERS[:1], {}), ("the longest body of the first bucket", {"line": "x" * 206}, READERS[:1], {}),
        ("one byte more", {"line": "x" * 207}, READERS[:1], {}), ("a big body", {"line": "字" * 3000}, READERS[:2], {}),
        ("every optional field", {"line": "x"}, READERS[:1], {
            "fmt": "F07", "case": digest(b"case"), "refs": [digest(b"a"), digest(b"b")], "ack_by": 60, "reply_by": 600,
            "tlp": "AMBER+STRICT", "pap": "RED", "cosign": [digest(b"other")], "ans": "NOI"}),
        ("a move", {"line": "x"}, READERS[:1], {"fmt": "F12", "case": digest(b"case"), "level": "serious", "prec": "O",
                                                "move": {"op": "raise", "from": "attention", "to": "serious"}}),
    ):  # fmt: skip
        m = Message(kept, comment, body, to, header(comment, to, **more))
        found.append({
            "comment": comment, "flags": ["Valid"], "header": pack(m.hdr).hex(), "body": pack(body).hex(), "cek": m.cek.hex(),
            "salts": {n: s.hex() for n, s in m.salts.items()}, "hh": m.hh.hex(), "prk": m.prk.hex(), "kenc": m.kenc.hex(),
            "kc": m.kc.hex(), "fd": {n: d.hex() for n, d in m.fd.items()}, "bd": m.bd.hex(), "inner": m.inner.hex(),
            "pt": {"length": len(m.pt), "sha256": digest(m.pt).hex()}, "ct": {"length": len(m.ct), "sha256": digest(m.ct).hex()},
            **m.outside(), "author": _b64(AUTHOR.object), "result": "valid",
        })  # fmt: skip
    return found


def _refused(kept: Kept) -> list[dict[str, Any]]:
    two, found = READERS[:2], []

    def add(comment: str, why: str, blob: bytes | None = None, **spoil: Any) -> None:
        m = Message(kept, "refused", dict(BODY), two, header("refused", two), **spoil)
        more = m.outside() | ({"blob": _b64(blob)} if blob is not None else {})
        found.append(
            {"comment": comment, "flags": [why], **more, "cek": m.cek.hex(), "result": "invalid", "reason": why}
        )

    good = Message(kept, "refused", dict(BODY), two, header("refused", two))
    add("another blob", "BLOB", blob=good.blob[:-1] + bytes([good.blob[-1] ^ 1]))
    add("a length that is not the blob's", "BLOB", payload={"blen": len(good.blob) + 1})
    add("a blob that is no pair", "BLOB", wraps=lambda wraps: b"none")
    add("wraps in another order", "WRAPS", wraps=lambda wraps: wraps[::-1])
    add("a wrap less", "WRAPS", wraps=lambda wraps: wraps[:1])
    add("a wrap twice", "WRAPS", wraps=lambda wraps: [wraps[0], *wraps])
    add("wraps a byte short", "WRAP", wraps=lambda wraps: [[k, w[:-1]] for k, w in wraps])
    add("wraps changed", "WRAP", wraps=lambda wraps: [[k, bytes([w[0] ^ 1]) + w[1:]] for k, w in wraps])
    add("another header", "WRAP", signed={"ts": 1_795_478_400_001})
    add("another commitment", "KC", payload={"kc": digest(good.kc)})
    add("sealed body changed", "SEALED", ct=lambda ct: ct[:-1] + bytes([ct[-1] ^ 1]))
    add("padding that is not zero", "PADDING", pt=lambda pt: pt[:-1] + b"\1")
    add("a bucket too big", "PADDING", pt=lambda pt: pt.ljust(8192, b"\0"))
    add("no bucket at all", "PADDING", pt=lambda pt: pt + b"\0")
    add("a length beyond the end", "PADDING", pt=lambda pt: (1 << 20).to_bytes(4, "big") + pt[4:])
    add("no map inside", "INNER", inner_bytes=pack([1, 2]))
    add("not DCM inside", "INNER", inner_bytes=b"\xc0")
    add("no salts inside", "INNER", inner_bytes=pack({"body": BODY, **{n: good.hdr[n] for n in ENVELOPE}}))
    for name, value in (
        ("chan", digest(b"x")),
        ("from", digest(b"x")),
        ("mid", bytes(16)),
        ("to", [good.hdr["to"][0]]),
    ):
        add(f"inner {name} differs", "NAMES", inner={name: value})
    add("one inner name more", "NAMES", inner={"more": 1})
    add("the body is no map", "NAMES", inner={"body": [1]})
    add("a salt less", "SALTS", inner={"salts": {n: s for n, s in good.salts.items() if n != "on"}})
    add("a salt more", "SALTS", inner={"salts": good.salts | {"extra": bytes(16)}})
    add("a salt of 15 bytes", "SALTS", inner={"salts": good.salts | {"on": bytes(15)}})
    add("another body than bd", "BD", inner={"body": BODY | {"number": 8}})
    add("another salt than bd", "BD", inner={"salts": good.salts | {"on": bytes(16)}})
    return found


def _reveals(kept: Kept) -> list[dict[str, Any]]:
    two, found = READERS[:2], []
    m = Message(kept, "revealed", dict(BODY), two, header("revealed", two))
    base = {"party": "CN", "mid": m.hdr["mid"], "why": "review", "by": "CN:records"}
    fields = [{"name": n, "salt": m.salts[n], "value": m.body[n]} for n in sorted(m.body)]
    part = base | {"digests": sorted(m.fd.values()), "fields": fields[:2]}

    def add(comment: str, why: str, body: dict[str, Any], shown: list[str]) -> None:
        result = {"result": "valid", "shows": shown} if why == "Valid" else {"result": "invalid", "reason": why}
        found.append({"comment": comment, "flags": [why], **m.outside(), "reveal": pack(body).hex(), **result})

    add("full", "Valid", base | {"cek": m.cek}, sorted(m.body))
    add("redacted to two fields", "Valid", part, [f["name"] for f in fields[:2]])
    add("redacted to nothing", "Valid", part | {"fields": []}, [])
    add("redacted to all", "Valid", part | {"fields": fields}, sorted(m.body))
    add("another content key", "KC", base | {"cek": digest(m.cek)}, [])
    add("another value", "FIELD", part | {"fields": [fields[0] | {"value": "other"}]}, [])
    add("another salt", "FIELD", part | {"fields": [fields[0] | {"salt": bytes(16)}]}, [])
    add("another name", "FIELD", part | {"fields": [fields[0] | {"name": "other"}]}, [])
    add("a digest less", "BD", part | {"digests": part["digests"][1:]}, [])
    add("a digest more", "BD", part | {"digests": sorted([*part["digests"], bytes(32)])}, [])
    for comment, change in (
        ("digests not sorted", {"digests": part["digests"][::-1]}), ("a digest twice", {"digests": [part["digests"][0], *part["digests"]]}),
        ("fields not sorted", {"fields": fields[1::-1]}), ("a field twice", {"fields": [fields[0], fields[0]]}),
        ("an unknown why", {"why": "because"}), ("by nobody", {"by": "records"}), ("mid of 15 bytes", {"mid": bytes(15)}),
        ("a field more", {"more": 1}), ("no digests", {"digests": []}),
    ):  # fmt: skip
        add(comment, "PARSE", part | change, [])
    return found


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
