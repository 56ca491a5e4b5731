"""A party's authority, members and documents, and what a channel of the vectors is founded with.

Three kinds of channel: ``main`` (mode 1, seven seats), ``small`` (mode 1, an expert and the records officer) and
``exercise`` (mode 2). Keys come from labels, so the first two share keys, roots and proofs of possession.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import shake_256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from making_signing import SEAL, SESSION, SIGN, ZERO, Kept, Key, digest, key, media, pack, pae

FROM = 1_795_478_400_000
YEAR = 31_536_000_000
CODES = {"a": "CN", "b": "US"}
BOOKS = (pack({"F03.toml": b"formats"}), pack({"codebook.toml": b"codes"}))
SEATS = {
    "main": {
        "expert1": "expert", "expert2": "expert", "official": "official", "principal": "official", "duty": "duty",
        "operator": "operator", "records": "records",
    },
    "small": {"expert1": "expert", "records": "records"},
    "exercise": {"expert1": "expert", "records": "records", "control": "control", "evaluator": "evaluator"},
}  # fmt: skip
SEALED = ("records", "seal1")  # seats that have a seal key besides their signing key


@cache
def note_seed(label: str) -> bytes:
    """Ed25519 seed and ML-DSA-44 seed of a log or cosigner."""
    return shake_256(b"vectors note " + label.encode()).digest(64)


def note_keys(label: str) -> dict[str, bytes]:
    """Their raw public keys as documents name them."""
    seed = note_seed(label)
    ed = ed25519.Ed25519PrivateKey.from_private_bytes(seed[:32]).public_key().public_bytes_raw()
    return {"ed": ed, "ml": mldsa.MLDSA44PrivateKey.from_seed_bytes(seed[32:]).public_key().public_bytes_raw()}


@dataclass
class Party:
    """One side of the ceremony. ``blobs`` takes in key objects and proofs."""

    kept: Kept
    letter: str
    mode: int
    blobs: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """Its name in documents."""
        return CODES[self.letter]

    def key(self, label: str, suite: int = SIGN) -> Key:
        """The key of a label, its key object kept as a blob."""
        made = key(f"{self.code} {label}", self.mode, suite)
        self.blobs[made.kid] = made.object
        return made

    def authority(self, version: int = 1) -> list[Key]:
        """The keys of a version of the root."""
        return [self.key(f"authority{version}.{n}") for n in range(2)]

    def root(self, version: int = 1, **other: Any) -> dict[str, Any]:
        """A root document."""
        return {
            "v": 1, "mode": self.mode, "party": self.code, "ver": version, "prev": ZERO,
            "keys": sorted(k.kid for k in self.authority(version)), "threshold": 2, "next": [],
            "soft_exp": FROM + YEAR, "hard_exp": FROM + 2 * YEAR,
        } | other  # fmt: skip

    def proof(
        self, signer: Key, kid: bytes, person: str, seat: str, role: str, *, by: Key | None = None, **other: Any
    ) -> bytes:
        """Address of the proof of possession of ``kid``; a seal key's carries the opened challenge."""
        doc = {
            "v": 1, "mode": self.mode, "party": self.code, "root": digest(pack(self.root())), "kid": kid,
            "person": person, "seat": seat, "role": role, "nonce": bytes(16),
        } | ({} if kid == signer.kid else {"opened": digest(b"challenge", kid)}) | other  # fmt: skip
        raw = self.kept.envelope("pop", doc, [by or signer])
        self.blobs[digest(raw)] = raw
        return digest(raw)

    def member(
        self,
        seat: str,
        role: str,
        *,
        person: str = "",
        signer: Key | None = None,
        seal: Key | None = None,
        **other: Any,
    ) -> dict[str, Any]:
        """A member with its proofs; the records officer always has a seal key."""
        person, signer = person or f"{seat}-person", signer or self.key(seat)
        seal = seal or (self.key(seat, SEAL) if seat == "records" else None)
        kids = [signer.kid, *([seal.kid] if seal else [])]
        for each in (signer, *([seal] if seal else [])):
            self.blobs[each.kid] = each.object
        pops = [self.proof(signer, kid, person, seat, role) for kid in kids] if "pop" not in other else other["pop"]
        return {
            "person": person, "seat": seat, "role": role, "standing": "government", "sig": [signer.kid],
            "kem": kids[1:], "langs": ["en", "zh"], "pop": pops,
        } | other  # fmt: skip

    def members(self, kind: str) -> list[dict[str, Any]]:
        """All seats of a kind of channel."""
        return [self.member(seat, role) for seat, role in SEATS[kind].items()]

    def roster(self, members: Sequence[dict[str, Any]], **other: Any) -> dict[str, Any]:
        """A roster document."""
        named = lambda what: [{"id": i, "en": i, "zh": i} for i in sorted({m[what] for m in members})]  # noqa: E731
        return {
            "v": 1, "mode": self.mode, "party": self.code, "ver": 1, "prev": ZERO, "root_ver": 1,
            "persons": named("person"), "seats": named("seat"), "members": list(members), "revoked": [],
            "soft_exp": FROM + YEAR, "hard_exp": FROM + 2 * YEAR,
        } | other  # fmt: skip


def roster_blobs(roster: dict[str, Any]) -> list[bytes]:
    """What a roster's record names."""
    return [h for m in roster["members"] for h in (*m["sig"], *m["kem"], *m["pop"])]


def policy_of(mode: int, **other: Any) -> dict[str, Any]:
    """Version 1 with the tables of docs/protocol.md 4.2."""
    any_, one, h = ["expert", "duty", "official"], [["expert"]], 3600
    two, three = [["expert"], any_], [["expert"], ["expert"], ["official"]]
    head = [["expert"], ["expert"], ["official@principal"]]
    rows = (
        ("routine", "R", [["expert", "duty", "operator"]], one, {"read": 24 * h, "reply": 168 * h}),
        ("attention", "P", one, one, {"read": 3 * h, "engaged": 12 * h, "reply": 72 * h}),
        ("consultation", "P", two, one, {"read": h, "engaged": 3 * h, "reply": 24 * h, "update": 12 * h}),
        ("serious", "O", two, two, {"read": 1800, "engaged": h, "informed": 4 * h, "reply": 4 * h, "update": 4 * h}),
        ("crisis", "Z", three, three, {"read": 600, "engaged": 1200, "informed": h, "reply": h, "update": h}),
        ("principals", "Z", head, [["official@principal"]],
         {"read": 300, "engaged": 600, "informed": 1800, "reply": 1800, "update": 1800}),
    )  # fmt: skip
    return {
        "v": 1, "mode": mode, "ver": 1, "prev": ZERO, "fold": 1,
        "levels": [{"code": c, "prec": p, "enter": e, "lower": low, **s} for c, p, e, low, s in rows],
        "sign": {"line": [["expert", "duty", "official", "operator"]], "person": [any_], "expert": one, "two": two,
                 "official": [["official"]]},
        "holding": ["NOI", "CHK", "NEN", "REF"], "formats": digest(BOOKS[0]), "codes": digest(BOOKS[1]),
        "limits": {"max_body": 65_536, "max_to": 20, "kem_grace": 1_209_600_000, "draft_ttl": 86_400,
                   "link_window": 262_144, "confirm_s": 900, "rate_msg": 60, "rate_peer": 600},
        "categories": ["LOC", "REP"], "cooling": 0 if mode == 2 else 86_400_000,
        "timers": {"hb_s": 30, "stale_s": 90, "cosign_s": 10, "test_s": 900, "steps": [50, 100, 150, 200]},
        "witnesses": [], "quorum": 0,
    } | other  # fmt: skip


def charter_of(
    mode: int, roots: dict[str, Any], rosters: dict[str, Any], rules: Any, certs: dict[str, bytes], **other: Any
) -> Any:
    """The charter of both parties' documents."""
    parties = [
        {
            "code": CODES[x], "name": {"en": CODES[x], "zh": CODES[x]}, "lang": "zh" if x == "a" else "en",
            "root": digest(pack(roots[x])), "roster": digest(pack(rosters[x])), "log": note_keys(f"{x}0 log"),
            "side": note_keys(f"{x}0 side"), "cos": note_keys(f"{x}0 cos"), "cert": certs[x],
        } for x in "ab"
    ]  # fmt: skip
    return {
        "v": 1, "mode": mode, "title": {"en": "Trial", "zh": "试用"}, "parties": parties,
        "suites": [SIGN, SESSION, SEAL], "policy": digest(pack(rules)), "nonce_a": digest(b"a"), "nonce_b": digest(b"b"),
        "created": FROM, "supersedes": ZERO, **({"host": "CN"} if mode == 2 else {}),
    } | other  # fmt: skip


@dataclass(frozen=True)
class Founded:
    """The opening's documents and records: (type, envelope, names of blobs) of records 0 to 3 of both logs."""

    charter: Any
    policy: Any
    roots: dict[str, Any]
    rosters: dict[str, Any]
    sides: dict[str, Party]
    blobs: dict[bytes, bytes]
    records: dict[str, list[tuple[str, bytes, list[bytes]]]]
    chan: bytes


def found(kept: Kept, kind: str, rules_say: tuple[tuple[str, Any], ...] = (), **changed: Any) -> Founded:
    """What a channel of a kind is founded with. ``changed``: documents of our own in place of the right ones."""
    mode = 2 if kind == "exercise" else 1
    blobs = {digest(b): b for b in BOOKS}
    sides = {x: Party(kept, x, mode, blobs) for x in "ab"}
    certs = {x: digest(b"certificate " + x.encode()) for x in "ab"}
    blobs |= {certs[x]: b"certificate " + x.encode() for x in "ab"}
    roots = {x: side.root() for x, side in sides.items()} | changed.get("roots", {})
    rosters = {x: side.roster(side.members(kind)) for x, side in sides.items()} | changed.get("rosters", {})
    rules = changed.get("policy") or policy_of(mode, **dict(rules_say))
    charter = changed.get("charter") or charter_of(mode, roots, rosters, rules, certs, **changed.get("in_charter", {}))
    everyone = [k for side in sides.values() for k in side.authority()]
    signed = {
        "charter": everyone,
        "policy": everyone,
        **{f"{d} {x}": sides[x].authority() for x in "ab" for d in ("root", "roster")},
    }
    signed |= changed.get("signers", {})
    envelope = kept.envelope
    charter_env, policy_env = (
        envelope("charter", charter, signed["charter"]),
        envelope("policy", rules, signed["policy"]),
    )
    records = {
        x: [
            ("charter", charter_env, list(certs.values())),
            ("root", envelope("root", roots[x], signed[f"root {x}"]), roots[x]["keys"]),
            ("roster", envelope("roster", rosters[x], signed[f"roster {x}"]), roster_blobs(rosters[x])),
            ("policy", policy_env, [rules["formats"], rules["codes"]]),
        ]
        for x in "ab"
    }
    chan = digest(b"dcx/v1/channel\0", pae(media("charter"), pack(charter)))
    return Founded(charter, rules, roots, rosters, sides, blobs, records, chan)
