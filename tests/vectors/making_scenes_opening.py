"""Scenarios of the opening: good, incomplete, and wrong in each way. All eight records hold, or none of both logs."""

from __future__ import annotations

from typing import Any

from making_founding import Founded, found, policy_of, roster_blobs
from making_scene import scene
from making_signing import SIGN, ZERO, digest, key
from making_tree import EMPTY
from making_world import START, World

OPEN = {"kind": "small", "opening": False}


def write(w: World, made: Founded, expect: str = "OPEN", **odd: Any) -> None:
    """The eight records of a founding. ``odd``: changes by letter and type: ``a_root={"blobs": []}``."""
    w.chan = made.chan
    w.blobs.update(made.blobs)
    for x in "ab":
        for t, env, names in made.records[x]:
            change = odd.get(f"{x}_{t}", {}) | odd.get(t, {})
            fields = {"env": env, "blobs": names, "ts": START, "seen": (0, 0, EMPTY), "t": t} | change
            w.put(x, fields.pop("t"), fields.pop("env"), expect=fields.pop("expect", expect), **fields)


@scene("Nothing but the opening", "OpeningValid", kind="small")
def _alone(w: World) -> None:
    del w


@scene("Two empty logs", "OpeningValid", **OPEN)
def _empty(w: World) -> None:
    del w


@scene("One log only: nothing is judged, the cut is empty", "ClosedCut", **OPEN)
def _one_log(w: World) -> dict[str, Any]:
    for t, env, names in w.founding["a"]:
        w.put("a", t, env, blobs=names, ts=START, seen=(0, 0, EMPTY), expect="UNJUDGED")
    return {"cut": [0, 0]}


@scene("The opening's records may have seen each other", "OpeningValid", **OPEN)
def _seen(w: World) -> None:
    for t, env, names in w.founding["a"]:
        w.put("a", t, env, blobs=names, ts=START, seen=(0, 0, EMPTY))
    for t, env, names in w.founding["b"]:
        w.put("b", t, env, blobs=names, ts=START, seen=4)


@scene("What follows a refused opening is refused with it", "OPEN", **OPEN)
def _after(w: World) -> dict[str, Any]:
    write(w, found(w.kept, "small"), a_root={"t": "roster"})
    w.msg("a", ["expert1"], expect="OPEN")
    w.sync("b", expect="OPEN")
    w.raw("b", b"\xc1", "OPAQUE")
    return {"why": "types"}


def _case(comment: str, why: str, change: Any, **odd: Any) -> None:
    """One way to be wrong: ``change`` of a founding, or of its records."""

    def play(w: World) -> dict[str, Any]:
        write(w, found(w.kept, "small", **change(w)), **(odd.get("odd", lambda _: {})(w)))
        return {"why": why}

    scene(comment, "OPEN", **OPEN)(play)


def _same(_: World) -> dict[str, Any]:
    return {}


def _roster(w: World, letter: str = "a", **fields: Any) -> dict[str, Any]:
    side = w.sides[letter]
    return {"rosters": {letter: side.roster(side.members("small"), **fields)}}


def _half(w: World) -> dict[str, Any]:
    """An expert of a, whose key shares its ML-DSA part with b's expert, and the proof that both halves can make."""
    side, theirs = w.sides["a"], w.key("b", "expert1")
    mixed = key("CN half", 1)
    joined = type(mixed)(1, SIGN, theirs.seed[:32] + mixed.seed[32:])
    members = [side.member("expert1", "expert", signer=joined), side.member("records", "records")]
    return {"rosters": {"a": side.roster(members)}}


def _other_mode(w: World) -> dict[str, Any]:
    side, other = w.sides["a"], key("CN expert1", 2)
    members = [side.member("expert1", "expert", signer=other), side.member("records", "records")]
    return {"rosters": {"a": side.roster(members)}}


def _pops(w: World, pops: list[bytes]) -> dict[str, Any]:
    side = w.sides["a"]
    return {
        "rosters": {"a": side.roster([side.member("expert1", "expert", pop=pops), side.member("records", "records")])}
    }


def _one_key(name: str) -> Any:
    def change(w: World) -> dict[str, Any]:
        keys = {"charter": w.sides["a"].authority() + w.sides["b"].authority(), "policy": None}
        keys["policy"] = keys["charter"]
        short = keys["charter"][:3] if name in keys else w.sides["a"].authority()[:1]
        return {"signers": {name: short}}

    return change


_case("A charter without the threshold of one party", "THRESHOLD", _one_key("charter"))
_case("A policy without the threshold of one party", "THRESHOLD", _one_key("policy"))
_case("A root with one signature of two", "THRESHOLD", _one_key("root a"))
_case("A roster with one signature of two", "THRESHOLD", _one_key("roster a"))
_case("A charter that does not list the seal suite", "suites", lambda _: {"in_charter": {"suites": [1, 3]}})
_case("A charter that does not list the signing suite", "suites", lambda _: {"in_charter": {"suites": [3, 0x0101]}})
_case("A charter of an unknown version", "PARSE", lambda _: {"in_charter": {"v": 2}})
_case("Parties not sorted by code", "PARSE", lambda w: {"charter": w.charter | {"parties": w.charter["parties"][::-1]}})
_case("A host in an actual charter", "PARSE", lambda _: {"in_charter": {"host": "CN"}})
_case("The charter names another policy", "policy", lambda _: {"in_charter": {"policy": digest(b"another")}})
_case(
    "The charter names another root",
    "root",
    lambda w: {"charter": w.charter | {"parties": [w.charter["parties"][0] | {"root": ZERO}, w.charter["parties"][1]]}},
)
_case(
    "The charter names another roster",
    "roster",
    lambda w: {
        "charter": w.charter | {"parties": [w.charter["parties"][0], w.charter["parties"][1] | {"roster": ZERO}]}
    },
)
_case("A policy of another fold", "policy", lambda _: {"policy": policy_of(1, fold=2)})
_case("A policy of the other mode", "policy", lambda _: {"policy": policy_of(2)})
_case("A first policy with a predecessor", "policy", lambda _: {"policy": policy_of(1, prev=digest(b"x"))})
_case("A second policy as the first", "PARSE", lambda _: {"policy": policy_of(1, ver=2)})
_case(
    "A policy record that does not name its books",
    "books",
    _same,
    odd=lambda w: {"b_policy": {"blobs": [w.first_policy["codes"]]}},
)
_case("A root of the other mode", "root", lambda w: {"roots": {"a": w.roots["a"] | {"mode": 2}}})
_case("A root of version 2", "ver", lambda w: {"roots": {"a": w.roots["a"] | {"ver": 2}}})
_case("A threshold higher than the keys", "threshold", lambda w: {"roots": {"a": w.roots["a"] | {"threshold": 3}}})
_case(
    "A root's key object is not named", "missing", _same, odd=lambda w: {"a_root": {"blobs": w.roots["a"]["keys"][:1]}}
)
_case("A roster that rests on another root", "root_ver", lambda w: _roster(w, root_ver=2))
_case(
    "A roster without a records key",
    "records",
    lambda w: {"rosters": {"a": w.sides["a"].roster(w.sides["a"].members("small")[:1])}},
)
_case("A member that is not listed among the persons", "not listed", lambda w: _roster(w, persons=[]))
_case(
    "A member's proof is not named",
    "missing",
    _same,
    odd=lambda w: {
        "a_roster": {"blobs": [h for h in roster_blobs(w.rosters["a"]) if h != w.rosters["a"]["members"][0]["pop"][0]]}
    },
)
_case("A member without a proof", "without proof", lambda w: _pops(w, []))
_case("Another member's proof", "not for this member", lambda w: _pops(w, w.rosters["a"]["members"][1]["pop"][:1]))
_case(
    "A proof for another root",
    "not for this member",
    lambda w: _pops(
        w,
        [
            w.sides["a"].proof(
                w.key("a", "expert1"), w.kid("a", "expert1"), "expert1-person", "expert1", "expert", root=ZERO
            )
        ],
    ),
)
_case(
    "A proof that another key signed",
    "signature",
    lambda w: _pops(
        w,
        [
            w.sides["a"].proof(
                w.key("a", "expert1"),
                w.kid("a", "expert1"),
                "expert1-person",
                "expert1",
                "expert",
                by=w.key("a", "records"),
            )
        ],
    ),
)
_case("A signing key of the other mode", "mode", _other_mode)
_case("A component shared with another key of the other party", "shared", _half)
_case(
    "Charters that differ in their signatures alone",
    "differ",
    _same,
    odd=lambda w: {"b_charter": {"env": w.kept.envelope("charter", w.charter, w.sides["a"].authority())}},
)
_case(
    "Policies that differ",
    "differ",
    _same,
    odd=lambda w: {"b_policy": {"env": w.kept.envelope("policy", w.first_policy, w.sides["a"].authority())}},
)
_case(
    "The order is charter, root, roster, policy",
    "types",
    _same,
    odd=lambda _: {"a_root": {"t": "roster"}, "a_roster": {"t": "root"}},
)
_case("A false `seen` in the opening", "seen", _same, odd=lambda _: {"b_policy": {"seen": [0, 4, digest(b"x")]}})
_case("A `ts` that falls in the opening", "seen", _same, odd=lambda _: {"b_policy": {"ts": START - 1}})
_case("An opaque leaf in the opening", "types", _same, odd=lambda _: {"b_roster": {"t": "poll", "expect": "OPAQUE"}})


@scene("The records of another channel", "OPEN", **OPEN)
def _channel(w: World) -> dict[str, Any]:
    write(w, found(w.kept, "small"))
    w.chan = digest(b"another channel")
    return {"why": "channel"}


@scene("A whole key of both parties in the opening: no fault of it, and void in both", "Void", **OPEN)
def _void(w: World) -> None:
    a, b = w.sides["a"], w.sides["b"]
    one = a.key("expert1")
    members = [b.member("expert1", "expert", signer=one), b.member("records", "records")]
    made = found(w.kept, "small", rosters={"b": b.roster(members)})
    w.rosters = made.rosters
    write(w, made, "")
    w.facts = type(w.facts)(w)
    for x in "ab":
        w.facts.keys[x, one.kid]["void"] = 2
    w.msg("a", ["expert1"], expect="SIGNER")
