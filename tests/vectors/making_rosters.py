"""Rosters for documents.json: the chain, the members, and each check of a key's admission (docs/protocol.md 3 and 4)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from making_founding import Party
from making_signing import SIGN, ZERO, Kept, Key, digest, key_object, pack, unpack

Test = dict[str, Any]


def case(comment: str, reason: str, flag: str, **fields: Any) -> Test:
    """A test in the shape of Wycheproof."""
    result = "invalid" if reason else "valid"
    return {"tcId": 0, "comment": comment, "result": result, "flags": [flag], **fields, "reason": reason}


def rosters(kept: Kept, pool: dict[bytes, bytes]) -> Iterator[Test]:
    side, them = Party(kept, "a", 1, pool), Party(kept, "b", 1, pool)
    """Rosters version 1 and 2 of party a."""
    root, a = side.root(), side.authority()
    members, others = side.members("small"), them.key("expert1")
    fresh = side.key("expert3")
    expert3 = side.member("expert3", "expert")
    first = side.roster(members)
    follow = {"ver": 2, "prev": digest(pack(first))}

    def test(
        comment: str, reason: str, doc: dict[str, Any], signers: list[Key] = a, before: Any = None, **more: Any
    ) -> Test:
        flag = (
            "Valid" if not reason else {"CHAIN": "Chain", "SIG": "Threshold", "KEYS": "Keys", "PARSE": "Form"}[reason]
        )
        fields = {"before": _b64(kept.envelope("roster", before, a))} if before else {}
        fields |= {
            "root": _b64(kept.envelope("root", root, a)),
            "root_hash": digest(pack(root)).hex(),
            "others": [others.kid.hex()],
        }
        return case(comment, reason, flag, env=_b64(kept.envelope("roster", doc, signers)), **fields, **more)

    def with_(*more: dict[str, Any], **other: Any) -> dict[str, Any]:
        return side.roster([*members, *more], **other)

    def raw_key(comment: str, raw: bytes, suite: int = SIGN, mode: int = 1) -> Test:
        blob = key_object(mode, suite, raw)
        pool[digest(blob)] = blob
        return test(
            comment, "KEYS", with_(side.member("expert3", "expert", pop=expert3["pop"]) | {"sig": [digest(blob)]})
        )

    def proof(comment: str, **changed: Any) -> Test:
        by = {"by": changed.pop("by")} if "by" in changed else {}
        kid = changed.pop("kid", fresh.kid)
        pop = side.proof(
            fresh,
            kid,
            *(changed.pop(n, d) for n, d in (("person", "expert3-person"), ("seat", "expert3"), ("role", "expert"))),
            **by,
            **changed,
        )
        return test(comment, "KEYS", with_(expert3 | {"pop": [pop]}))

    yield test("version 1", "", first)
    yield test("version 1 with one more", "", with_(expert3))
    yield test("version 2", "", side.roster([*members, expert3], **follow), before=first)
    yield test(
        "version 2 revokes a key that is no member's",
        "",
        side.roster(members, revoked=[fresh.kid], **follow),
        before=first,
    )
    yield test("one signature of two", "SIG", first, a[:1])
    yield test("signed by members", "SIG", first, [side.key("expert1"), side.key("records")])
    yield test("version 2 as the first", "CHAIN", side.roster(members, ver=2))
    yield test("version 1 again", "CHAIN", side.roster(members), before=first)
    yield test("another predecessor", "CHAIN", side.roster(members, ver=2), before=first)
    yield test("under another root version", "CHAIN", side.roster(members, root_ver=2))
    yield test("the other party's", "CHAIN", side.roster(members, party="US"))
    yield test("the other mode's", "CHAIN", side.roster(members, mode=2))
    yield test("no records key", "KEYS", side.roster(members[:1]))
    yield test("two records keys", "KEYS", with_(side.member("archive", "records", seal=side.key("archive", 0x0101))))
    yield test(
        "a records officer without a seal key beside one who has it", "", with_(side.member("archive", "records"))
    )
    yield test("a member's person is not listed", "KEYS", side.roster(members, persons=[]))
    yield test("a member's seat is not listed", "KEYS", side.roster(members, seats=[]))
    yield test("a person's id twice", "KEYS", first | {"persons": [*first["persons"], first["persons"][0]]})
    yield test("one person in one seat twice", "KEYS", with_(members[0]))
    twice = side.member("expert3", "expert", person="expert1-person", signer=side.key("expert1"))
    yield test("one key for two seats", "KEYS", with_(twice))
    yield test(
        "one person in two seats with two keys", "", with_(side.member("expert3", "expert", person="expert1-person"))
    )
    yield test("a role of exercises", "KEYS", with_(side.member("expert3", "control")))
    yield test("played, in an actual roster", "KEYS", with_(expert3 | {"played": True}))
    yield test("a revoked key of a member", "KEYS", with_(expert3, revoked=[fresh.kid]))
    yield test("a key object that is not at hand", "KEYS", with_(expert3), missing=[fresh.kid.hex()])
    yield test("a proof that is not at hand", "KEYS", with_(expert3), missing=[expert3["pop"][0].hex()])
    yield raw_key("a raw key too short", fresh.raw[:-1])
    yield raw_key("a raw key too long", fresh.raw + b"\0")
    yield raw_key("a reserved suite", fresh.raw, 0x0002)
    yield raw_key("a session key", fresh.raw[1952:], 0x0003)
    yield raw_key("a key object of mode 3", fresh.raw, mode=3)
    yield raw_key("the key object of the other mode", fresh.raw, mode=2)
    yield raw_key("Ed25519: a point of small order", fresh.raw[:1952] + b"\1" + bytes(31))
    yield raw_key("Ed25519: y not below p", fresh.raw[:1952] + b"\xed" + b"\xff" * 30 + b"\x7f")
    yield raw_key("an ML-DSA half of another member", side.key("expert1").raw[:1952] + fresh.raw[1952:])
    yield raw_key("an Ed25519 half of another member", fresh.raw[:1952] + side.key("expert1").raw[1952:])
    yield raw_key("a half of the other party's", others.raw[:1952] + fresh.raw[1952:])
    yield raw_key("an authority key's half", a[0].raw[:1952] + fresh.raw[1952:])
    yield test("an authority key as a member's", "KEYS", with_(side.member("expert3", "expert", signer=a[0])))
    yield test("no proof", "KEYS", with_(expert3 | {"pop": []}))
    yield test("two proofs of one key", "KEYS", with_(expert3 | {"pop": [expert3["pop"][0], expert3["pop"][0]]}))
    yield test("another member's proof", "KEYS", with_(expert3 | {"pop": members[0]["pop"]}))
    yield proof("a proof for another person", person="somebody")
    yield proof("a proof for another seat", seat="expert4")
    yield proof("a proof for another role", role="official")
    yield proof("a proof for another party", party="US")
    yield proof("a proof for another root", root=ZERO)
    yield proof("a proof of the other mode", mode=2)
    yield proof("a proof of another key", kid=digest(b"another"))
    yield proof("a proof that another key signed", by=side.key("expert1"))
    yield proof("a signing key's proof with an opened challenge", opened=ZERO)
    yield proof("a proof that does not decode", more=1)
    records = members[1]
    bare = side.kept.envelope(
        "pop", {k: v for k, v in _pop(pool, records["pop"][1]).items() if k != "opened"}, [side.key("records")]
    )
    pool[digest(bare)] = bare
    yield test(
        "a seal key's proof without the opened challenge",
        "KEYS",
        side.roster([members[0], records | {"pop": [records["pop"][0], digest(bare)]}]),
    )
    spoiled = pool[expert3["pop"][0]]
    spoiled = spoiled[:-50] + bytes([spoiled[-50] ^ 1]) + spoiled[-49:]
    pool[digest(spoiled)] = spoiled
    yield test("a proof with a changed signature", "KEYS", with_(expert3 | {"pop": [digest(spoiled)]}))


def _pop(pool: dict[bytes, bytes], address: bytes) -> dict[str, Any]:
    """The document of a proof."""
    return dict(unpack(unpack(pool[address])[1]))


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
