"""Fold histories: two logs in, what the fold says out (docs/protocol.md 12, docs/state.md).

The scenarios stand in the modules ``making_scenes_*``; here they are played and written down.
"""

from __future__ import annotations

import base64
from itertools import count
from typing import Any

import making_scenes_corners  # noqa: F401
import making_scenes_keys  # noqa: F401
import making_scenes_levels  # noqa: F401
import making_scenes_logs  # noqa: F401
import making_scenes_messages  # noqa: F401
import making_scenes_opening  # noqa: F401
import making_scenes_people  # noqa: F401
from making_founding import roster_blobs
from making_scene import SCENES, Scene
from making_signing import Kept, digest, unpack
from making_world import World

HEADER = [
    "Two logs in, the fold's answer out: docs/protocol.md section 12 and docs/state.md.",
    (
        "`logs`: for each letter the log numbers from 0, each a list of records by SHA-256; their bytes, and those of every "
        "blob that may be asked for, stand in `pool` as base64. A blob of the pool may be offered to any test, but for "
        "those that the test names as `withheld`: they are not at hand."
    ),
    (
        "`out.reasons`: of every record, in order of joined positions; empty for a valid one; OPAQUE; UNJUDGED beyond the "
        "closed cut. `out.levels`: each case's level at the cut, or closed, by the payload hash of its opening. `out.flags`: by letter and "
        "position, what is shown and changes nothing. `out.due`: seconds from receipt of some messages, none where none is asked."
    ),
    (
        "`out.items`: the items of docs/state.md in hex, sorted; `out.state`: H(state). `result` is valid where the logs can "
        "be judged and the opening holds; invalid where it does not (all OPEN) or where the logs can't be judged (`error`)."
    ),
    (
        "Reasons, levels and cuts were written by hand, record by record, by whoever wrote the scenario; items and H(state) "
        "were reckoned from these words by a plain program of their own, without the product."
    ),
]
NOTES = {
    "Ack": "Receipt steps signed by a person of the other side (11.5)",
    "Blobs": "Key objects and proofs count only where a record names them (12.2)",
    "CASE": "A case that the record does not stand on",
    "CHAIN": "Version, predecessor or final does not follow",
    "CHAN": "Names another channel or party",
    "CLOCK": "An exercise operation that is not at its time",
    "COOLING": "A signer's key was admitted too short a time ago (12.4)",
    "Close": "Closing of a case by both parties (12.5)",
    "ClosedCut": "What is judged is the largest closed cut (12.1)",
    "Contacts": "The fall-back list",
    "Deadlines": "Seconds from receipt (12.4)",
    "DUP": "One payload or message id twice",
    "E4": "Two payloads under one message id: evidence (10)",
    "E5": "A false `seen`: evidence (10)",
    "Exercise": "Exercise control, mode 2 (11.5)",
    "Flags": "What is shown and changes nothing (12.2)",
    "FMT": "A field is missing, too many, unsorted or not allowed with the others",
    "FOLD_BLOB": "A named blob is not at hand: no judging",
    "KEM": "Recipients",
    "KEYS": "A key or a proof of possession fails",
    "Kem": "A seal key's successor and the grace of the old one (12.4)",
    "LEVEL": "An emergency release above attention",
    "Lower": "Lowering by both parties (12.5)",
    "MODE": "Something of the other mode",
    "MOVE": "A move that does not fit its case",
    "MessageValid": "Messages that count",
    "Node": "The nodes' own records (5.1)",
    "Numbers": "Message numbers",
    "OPAQUE": "Leaves that no reader decodes",
    "OPEN": "The opening does not hold",
    "Object": "The first answer to a lowering counts (12.5)",
    "OpeningValid": "Openings that hold",
    "PARSE": "What does not decode",
    "Policy": "A later policy, by both parties' thresholds",
    "REF": "Names a record that is not there for it",
    "Raise": "Raising a case (12.5)",
    "RaiseCrossesLower": "A raise that crosses a lowering wins (12.5)",
    "Reopen": "A raise opens a closed case again (12.5)",
    "Revoke": "Revocations count by position",
    "Root": "A later root (4)",
    "Roster": "A later roster (4)",
    "SEEN": "`seen` or `ts` is refused (12.1)",
    "SIG": "Signatures are not those that must be there",
    "SIGNER": "Whoever signed may not",
    "SIGS": "Not enough persons, or not those of the table",
    "STEP": "A step that is not as the function says",
    "SUCCEED": "A log number that can't be joined",
    "SUSP": "The channel is suspended",
    "Single": "The emergency release and its confirmation (11.5)",
    "Step": "The no-answer procedure (12.6)",
    "Succession": "Later log numbers (9)",
    "Suspend": "Suspension by either side (12.5)",
    "Void": "A key that both parties admitted (3)",
    "WATCH": "The post is not as the record says",
    "Watch": "Who keeps the watch",
}


def make(stored: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file; stored signatures are taken again where the bytes under them are the same."""
    kept, pool, number = Kept(stored), dict[bytes, bytes](), count(1)
    groups = []
    for type_, scenes in _by_module():
        tests = [_test(next(number), scene, kept, pool) for scene in scenes]
        groups.append({"type": "Fold", "about": type_, "tests": tests})
    return {
        "schema": "histories_schema.json",
        "generatorVersion": "1",
        "numberOfTests": sum(len(g["tests"]) for g in groups),
        "header": HEADER,
        "notes": {flag: NOTES[flag] for flag in sorted({f for g in groups for t in g["tests"] for f in t["flags"]})},
        "testGroups": groups,
        "pool": {address.hex(): _b64(pool[address]) for address in sorted(pool)},
    }


def _by_module() -> list[tuple[str, list[Scene]]]:
    order = ("opening", "messages", "levels", "people", "keys", "logs", "corners")
    return [(about, [each for each in SCENES if each.about == about]) for about in order]


def _test(number: int, scene: Scene, kept: Kept, pool: dict[bytes, bytes]) -> dict[str, Any]:
    w, said = scene.play(kept)
    for line in (*w.logs["a"], *w.logs["b"]):
        pool[digest(line.raw)] = line.raw
        beside = roster_blobs(line.doc) if line.t == "roster" and line.doc else []  # held, though no record names it
        for address in (*_named(line.raw), *beside):
            if address in w.blobs:
                pool[address] = w.blobs[address]
    test: dict[str, Any] = {"tcId": number, "comment": scene.comment, "flags": list(scene.flags), "chan": w.chan.hex()}
    test |= {"logs": {x: _numbers(w, x) for x in "ab"}}
    if "withheld" in said:
        test["withheld"] = [address.hex() for address in said["withheld"]]
    if "error" in said:
        return test | {"result": "invalid", "reason": said["error"], "error": said["error"]}
    refused = any(line.expect == "OPEN" for line in w.logs["a"][:4])
    verdict = {"result": "invalid", "reason": f"OPEN: {said.get('why', '')}"} if refused else {"result": "valid"}
    return test | verdict | {"out": _out(w, said)}


def _out(w: World, said: dict[str, Any]) -> dict[str, Any]:
    cut = tuple(said.get("cut", (w.size("a"), w.size("b"))))
    return {
        "cut": list(cut),
        "reasons": {x: [line.expect for line in w.logs[x]] for x in "ab"},
        "flags": w.facts.flags(cut) if w.facts.items(cut) else {"a": {}, "b": {}},
        "levels": {ph.hex(): level for ph, (_, _, level) in w.facts.cases.items()},
        "items": [item.hex() for item in w.facts.items(cut)],
        "state": w.facts.state(cut).hex(),
    } | ({"due": {ph.hex(): due for ph, due in said["due"].items()}} if "due" in said else {})


def _named(raw: bytes) -> list[bytes]:
    """The blobs that a record names; none of what can't be read."""
    try:
        value = unpack(raw)
    except Exception:  # noqa: BLE001  an opaque leaf
        return []
    return [h for h in value.get("blobs", []) if isinstance(h, bytes)] if isinstance(value, dict) else []


def _numbers(w: World, letter: str) -> list[list[str]]:
    ends = [*w.starts[letter][1:], w.size(letter)]
    return [
        [digest(line.raw).hex() for line in w.logs[letter][i:j]] for i, j in zip(w.starts[letter], ends, strict=True)
    ]


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
