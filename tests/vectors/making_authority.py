"""What a party's authority and operators write after the opening: rosters, roots, policies, revocations, successions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from making_founding import BOOKS, CODES, note_keys, roster_blobs
from making_notes import anchor, origin
from making_signing import SEAL, Key, digest, pack
from making_world import Sent, World


def next_roster(world: World, letter: str, members: Sequence[Any], **fields: Any) -> Sent:
    """The next roster version with these members. ``where``: seen, blobs, expect; ``signers``: others than the root's."""
    before = world.rosters[letter]
    where = {name: fields.pop(name) for name in ("seen", "blobs", "expect", "spoil", "mode", "drop") if name in fields}
    if "sign_mode" in fields:
        where["mode"] = fields.pop("sign_mode")
    version = world.roots[letter]["ver"]
    signers = fields.pop("signers", world.sides[letter].authority(version))
    said = {"ver": before["ver"] + 1, "prev": digest(pack(before)), "root_ver": version, **fields}
    roster = world.sides[letter].roster(members, **said)
    where.setdefault("blobs", roster_blobs(roster))
    sent = world.sign(letter, "roster", roster, signers, **where)
    if not where.get("expect"):
        world.rosters[letter] = roster
    return sent


def next_root(
    world: World, letter: str, *, signers: Sequence[Key] | None = None, expect: str = "", **fields: Any
) -> Sent:
    """The next root version, signed by both versions' keys."""
    before, side = world.roots[letter], world.sides[letter]
    version = fields.get("ver", before["ver"] + 1)
    made = side.root(version, prev=digest(pack(before)))
    root = made | fields
    keys = [*side.authority(before["ver"]), *side.authority(version)] if signers is None else signers
    sent = world.sign(letter, "root", root, list({k.kid: k for k in keys}.values()), blobs=root["keys"], expect=expect)
    if not expect:
        world.roots[letter] = root
    return sent


def revoke(world: World, letter: str, kids: Iterable[bytes], by: Sequence[str | Key], **fields: Any) -> Sent:
    """A revocation."""
    where = {name: fields.pop(name) for name in ("expect", "seen", "spoil") if name in fields}
    if "sign_mode" in fields:
        where["mode"] = fields.pop("sign_mode")
    doc = {
        "v": 1, "mode": world.mode, "party": CODES[letter], "kids": list(kids), "reason": "compromise",
        "ts": world.ts[letter],
    } | fields  # fmt: skip
    return world.sign(letter, "revoke", doc, by, **where)


def kem(world: World, letter: str, seat: str, new: Key, **fields: Any) -> Sent:
    """A new seal key in place of a member's."""
    where = {name: fields.pop(name) for name in ("expect", "seen", "blobs", "by") if name in fields}
    member = next(m for m in world.rosters[letter]["members"] if m["seat"] == seat)
    side, signer = world.sides[letter], world.key(letter, seat)
    side.blobs[new.kid] = new.object
    pop = side.proof(signer, new.kid, member["person"], seat, member["role"])
    doc = {
        "v": 1, "chan": world.chan, "from": signer.kid, "kid_old": (member["kem"] or [bytes(32)])[0],
        "kid_new": new.kid, "pop": pop, "ts": world.ts[letter],
    } | fields  # fmt: skip
    where.setdefault("blobs", [new.kid, doc["pop"]])
    return world.sign(letter, "kem", doc, where.pop("by", [seat]), **where)


def seal_key(world: World, letter: str, label: str) -> Key:
    """A seal key that is no member's yet."""
    return world.key(letter, label, SEAL)


def contacts(
    world: World, letter: str, by: Sequence[str], ver: int = 1, prev: bytes = bytes(32), **fields: Any
) -> Sent:
    """A fall-back list."""
    where = {name: fields.pop(name) for name in ("expect", "spoil") if name in fields}
    doc = {
        "v": 1, "mode": world.mode, "party": CODES[letter], "ver": ver, "prev": prev,
        "list": [{"kind": "voice", "en": "Desk", "zh": "值班", "addr": "+00 1", "hours": "00-24"}], "ts": world.ts[letter],
    } | fields  # fmt: skip
    return world.sign(letter, "contacts", doc, by, **where)


def next_policy(world: World, before: Any = None, **fields: Any) -> Any:
    """The document of the next policy."""
    before = before or world.newest_policy
    return before | {"ver": before["ver"] + 1, "prev": digest(pack(before)), "chan": world.chan} | fields


def put_policy(world: World, letter: str, policy: Any, signers: Sequence[Key] | None = None, **where: Any) -> Sent:
    """A policy as a record of one log."""
    if signers is None:
        signers = [k for x in "ab" for k in world.sides[x].authority(world.roots[x]["ver"])]
    where.setdefault("blobs", [policy["formats"], policy["codes"]])
    return world.sign(letter, "policy", policy, signers, **where)


def books(world: World) -> list[bytes]:
    """Addresses of both books of version 1."""
    return [world.keep(b) for b in BOOKS]


def succeed(world: World, letter: str, final: int | None = None, *, quick: bool = False, **fields: Any) -> Sent:
    """End the current log number at ``final`` (its own size) under its note; begin the next with new keys."""
    number, start = len(world.starts[letter]) - 1, world.starts[letter][-1]
    size = world.size(letter) - start if final is None else final
    root = world.root(letter, number, size)
    where = {name: fields.pop(name) for name in ("expect", "seen", "spoil") if name in fields}
    signers = fields.pop("signers", world.sides[letter].authority(world.roots[letter]["ver"]))
    keys = {use: note_keys(f"{letter}{number + 1} {use}") for use in ("log", "side", "cos")}
    doc = {
        "v": 1, "chan": world.chan, "party": CODES[letter], "old_origin": origin(world.chan, letter, number),
        "final": {"size": size, "root": root}, "note": anchor(world, letter, number, size, quick=quick),
        "log_no": number + 1, **keys, "reason": "rehearsal",
    } | fields  # fmt: skip
    del world.logs[letter][start + size :]
    world.starts[letter].append(start + size)
    return world.sign(letter, "succeed", doc, signers, **where)
