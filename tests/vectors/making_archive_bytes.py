"""Archives of a world: sections, framing, sealed messages, reveals (docs/protocol.md 11.2, 11.7 and 16.1).

An ``Arch`` is the list of sections before they are framed, so that a test may change, drop, double or re-order them and
still have a right length and SHA-256, or a wrong one where that is meant.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256, shake_256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from making_notes import anchor
from making_signing import SEAL, digest, pack, unpack
from making_tree import leaf_hash, path_of
from making_world import Sent, World

MAGIC = b"DCXARCH1"
KEY_TYPES = ("charter", "root", "roster", "policy", "revoke", "kem", "succeed")
BUCKETS = (512, 2048, 8192, 32_768, 131_072, 524_288)


@dataclass
class Arch:
    """Sections as arrays, in order. ``tail`` replaces the SHA-256, ``raw`` single sections' bytes by position."""

    sections: list[list[Any]]
    tail: bytes | None = None
    raw: dict[int, bytes] | None = None

    def pieces(self) -> list[bytes]:
        """The bytes in pieces that archives share: magic, each section (records one by one), the last 32 bytes."""
        made = [MAGIC]
        for i, array in enumerate(self.sections):
            whole = (self.raw or {}).get(i) or pack(array)
            made += _split(array, len(whole).to_bytes(4, "big") + whole)
        body = b"".join(made)
        return [*made, sha256(body).digest() if self.tail is None else self.tail]

    def bytes(self) -> bytes:
        """The file."""
        return b"".join(self.pieces())

    def copy(self) -> Arch:
        """Another one to change."""
        return Arch([list(s) for s in self.sections])

    def at(self, kind: int, *key: Any) -> int:
        """The position of the first section of a kind whose first fields are ``key``."""
        return next(i for i, s in enumerate(self.sections) if s[0] == kind and list(s[1 : 1 + len(key)]) == list(key))

    def sort(self) -> Arch:
        """The sections in their one order."""
        self.sections.sort(key=lambda s: (s[0], _key(s)))
        return self


def _split(array: list[Any], framed: bytes) -> list[bytes]:
    records = (
        array[4] if array[:1] == [2] and len(array) == 5 else [array[4]] if array[:1] == [5] and len(array) > 4 else []
    )
    made, rest = list[bytes](), framed
    for record in records:
        before, found, rest = rest.partition(record) if len(record) > 100 else (b"", b"", rest)
        made += [x for x in (before, found) if x]
    return [*made, rest] if rest else made


def _key(s: list[Any]) -> tuple[Any, ...]:
    match s[0]:
        case 2 | 5:
            return tuple(s[1:4])
        case 3:
            return tuple(s[1:3])
        case 4:
            return (digest(s[1]),)
        case 6:
            return s[1]["party"], s[1]["mid"]
        case 7:
            return (digest(pack(s[1])),)
    return ()


def numbers(w: World) -> list[tuple[str, int, list[bytes]]]:
    """Every log number with its records."""
    found = []
    for x in "ab":
        ends = [*w.starts[x][1:], w.size(x)]
        found += [
            (x, n, [line.raw for line in w.logs[x][i:j]])
            for n, (i, j) in enumerate(zip(w.starts[x], ends, strict=True))
        ]
    return found


def head(w: World, form: str, **odd: Any) -> list[Any]:
    """The first section."""
    cut = []
    for x in "ab":
        number, size = len(w.starts[x]) - 1, w.size(x) - w.starts[x][-1]
        cut.append([number, size, w.root(x, number, size)])
    return [1, {"v": 1, "form": form, "chan": w.chan, "cut": cut, **odd}]


def notes(w: World) -> list[list[Any]]:
    """The anchors of the cut, and of each ended number the note of its succession where that is an anchor."""
    found: list[list[Any]] = []
    for x, number, records in numbers(w):
        if number == len(w.starts[x]) - 1:
            found.append([3, x, number, anchor(w, x, number, len(records))])
            continue
        note = unpack(unpack(unpack(w.logs[x][w.starts[x][number + 1]].raw)["env"])[1])["note"]
        if note.count(b"\n\xe2\x80\x94 ") > 2:  # four lines, not the two of a quick note
            found.append([3, x, number, note])
    return found


def blobs_named(w: World, records: Iterable[bytes]) -> list[list[Any]]:
    """Exactly the blobs that these records name."""
    bodies = {
        digest(b"blob", line.doc["mid"]): b"blob" + line.doc["mid"]
        for x in "ab"
        for line in w.logs[x]
        if line.t == "msg"
    }
    named = {h for raw in records for h in _names(raw)}
    return [[4, w.blobs.get(h) or bodies[h]] for h in sorted(named)]


def _names(raw: bytes) -> list[bytes]:
    try:
        return list(unpack(raw)["blobs"])
    except Exception:  # noqa: BLE001  an opaque leaf names nothing
        return []


def full(w: World, reveals: Iterable[Any] = (), evidence: Iterable[Any] = ()) -> Arch:
    """Form full of all that stands in both logs."""
    logs = numbers(w)
    sections = [head(w, "full")]
    sections += [[2, x, n, i, raws[i : i + 256]] for x, n, raws in logs for i in range(0, len(raws), 256)]
    sections += notes(w) + blobs_named(w, [raw for _, _, raws in logs for raw in raws])
    sections += [[6, r] for r in reveals] + [[7, e] for e in evidence]
    return Arch(sections).sort()


def proof(w: World, messages: Iterable[Sent], reveals: Iterable[Any] = ()) -> Arch:
    """Form proof of these messages: records of keys, the messages, what answers them."""
    chosen = {(m.letter, m.index) for m in messages}
    hashes_ = {m.ph for m in messages}
    sections, held = [head(w, "proof")], []
    for x, number, raws in numbers(w):
        start, leaves = w.starts[x][number], [leaf_hash(raw) for raw in raws]
        for i, raw in enumerate(raws):
            line = w.logs[x][start + i]
            answers = line.t in ("ack", "confirm") and line.doc["ph"] in hashes_
            if not line.expect and (line.t in KEY_TYPES or (x, start + i) in chosen or answers):
                sections.append([5, x, number, i, raw, path_of(leaves, i)])
                held.append(raw)
    sections += notes(w) + blobs_named(w, held) + [[6, r] for r in reveals]
    return Arch(sections).sort()


# --- sealed messages and reveals ------------------------------------------------------------------------------------------


def sealed(w: World, letter: str, author: str, body: dict[str, Any], **fields: Any) -> Sent:
    """A message whose body is really sealed to its recipients; content key and salts come from its id."""
    doc = w.payload(letter, author, **fields)
    header = {k: v for k, v in doc.items() if k not in ("kc", "bd", "blob", "blen")}
    cek, salts = cek_of(doc["mid"]), salts_of(doc["mid"], body)
    hh = digest(b"dcx/v1/hdr\0", pack(header))
    prk = hmac.digest(hh, cek, "sha256")
    kenc, kc = (HKDFExpand(hashes.SHA256(), 32, info).derive(prk) for info in (b"dcx/v1 enc", b"dcx/v1 commit"))
    inner = pack(
        {"body": body, "salts": salts, "chan": doc["chan"], "from": doc["from"], "mid": doc["mid"], "to": doc["to"]}
    )
    whole = len(inner).to_bytes(4, "big") + inner
    ct = AESGCM(kenc).encrypt(bytes(12), whole.ljust(next(b for b in BUCKETS if len(whole) <= b), b"\0"), hh)
    keys = {w.kid(x, "records", SEAL): w.key(x, "records", SEAL) for x in "ab"}
    blob = pack([ct, [[kid, w.kept.wrap(keys[kid], b"dcx/v1 wrap\0" + hh + kid, ct, cek)] for kid in doc["to"]]])
    bd = digest(b"".join(sorted(digests(doc["mid"], body).values())))
    return w.msg(letter, [author], doc=doc | {"kc": kc, "bd": bd, "blob": w.keep(blob), "blen": len(blob)})


def cek_of(mid: bytes) -> bytes:
    """The content key of a message of the vectors."""
    return shake_256(b"vectors cek" + mid).digest(32)


def salts_of(mid: bytes, body: dict[str, Any]) -> dict[str, bytes]:
    """The salt of each field."""
    return {name: shake_256(b"vectors salt" + name.encode() + mid).digest(16) for name in body}


def digests(mid: bytes, body: dict[str, Any]) -> dict[str, bytes]:
    """The digest of each field."""
    salts = salts_of(mid, body)
    return {name: digest(salts[name], pack(name), pack(value)) for name, value in body.items()}


def opened(sent: Sent, party: str, **odd: Any) -> dict[str, Any]:
    """A full reveal."""
    mid = sent.doc["mid"]
    return {"party": party, "mid": mid, "cek": cek_of(mid), "why": "review", "by": f"{party}:records", **odd}


def redacted(sent: Sent, party: str, body: dict[str, Any], names: Iterable[str], **odd: Any) -> dict[str, Any]:
    """A reveal of some fields."""
    mid = sent.doc["mid"]
    salts, all_ = salts_of(mid, body), digests(mid, body)
    shown = [{"name": n, "salt": salts[n], "value": body[n]} for n in sorted(names)]
    return {"party": party, "mid": mid, "digests": sorted(all_.values()), "fields": shown, "why": "public",
            "by": f"{party}:records", **odd}  # fmt: skip
