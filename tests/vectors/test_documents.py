"""Payloads, envelopes and the chains of root and roster against the vectors; what is refused raises only ``Problem``."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from channel.protocol import charter, people
from channel.protocol.header import Payload
from keys import documents
from keys.codec import pack, unpack
from keys.envelope import read_envelope
from keys.errors import Malformed, Problem, Refused
from keys.identity import read_key
from keys.roster import check_root, check_roster, key_objects

HERE = Path(__file__).parent
TYPES: dict[str, Any] = {
    "root": documents.Root, "roster": documents.Roster, "pop": documents.Pop, "revoke": documents.Revoke,
    "contacts": charter.Contacts, "charter": charter.Charter, "policy": charter.Policy, "succeed": charter.Succeed,
    "kem": people.Kem, "msg": Payload, "ack": people.Ack, "confirm": people.Confirm, "watch": people.Watch,
    "exercise": people.Exercise, "draft": people.Draft, "sign": people.DraftSign, "withdraw": people.Withdraw,
    "shown": people.Shown, "note": people.SideNote, "reshare": people.Reshare, "use": people.Use, "login": people.Login,
}  # fmt: skip


@cache
def vectors() -> dict[str, Any]:
    return json.loads((HERE / "documents.json").read_text("utf-8"))


@cache
def pool() -> dict[bytes, bytes]:
    return {bytes.fromhex(h): base64.b64decode(text) for h, text in vectors()["pool"].items()}


def cases(type_: str) -> list[Any]:
    groups = [g for g in vectors()["testGroups"] if g["type"] == type_]
    return [pytest.param(test, id=f"{test['tcId']}") for g in groups for test in g["tests"]]


def raw(test: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(test[name])


def reason(rule: Callable[[], object]) -> str:
    """In the words of docs/state.md, what a rule raises; nothing else than a ``Problem`` may come."""
    try:
        rule()
    except Malformed:
        return "PARSE"
    except Refused as e:
        return {"CHAIN": "CHAIN", "THRESHOLD": "SIG"}.get(e.code, "KEYS")
    except Problem as e:
        return e.code
    return ""


def blobs(test: dict[str, Any]) -> Callable[[bytes], bytes | None]:
    away = {bytes.fromhex(h) for h in test.get("missing", [])}
    return lambda h: None if h in away else pool().get(h)


@pytest.mark.parametrize("test", cases("Payload"))
def test_a_payload_has_its_one_form(test: dict[str, Any]) -> None:
    """A right payload is read and written as the same bytes; any other is Malformed."""
    payload = raw(test, "payload")
    assert reason(lambda: unpack(payload, TYPES[test["t"]])) == test["reason"]
    if test["result"] == "valid":
        assert pack(unpack(payload, TYPES[test["t"]])) == payload


@pytest.mark.parametrize("test", cases("Envelope"))
def test_an_envelope_counts_the_keys_that_signed_it(test: dict[str, Any]) -> None:
    """An envelope is read in its one form, and only signatures that hold in its mode are counted."""
    assert reason(lambda: read_envelope(raw(test, "env"))) == test["reason"]
    if test["result"] == "valid":
        envelope = read_envelope(raw(test, "env"))
        assert envelope.encode() == raw(test, "env")
        keys = {bytes.fromhex(kid): read_key(pool()[bytes.fromhex(kid)]) for kid in test["keys"]}
        assert sorted(kid.hex() for kid in envelope.verified(1, keys)) == test["verified"]


@pytest.mark.parametrize("test", cases("Root"))
def test_a_root_follows_its_predecessor(test: dict[str, Any]) -> None:
    """Both versions' thresholds, version and predecessor, announced keys alone."""

    def rule() -> None:
        env, find = read_envelope(raw(test, "env")), blobs(test)
        keys = key_objects(env.read("root", documents.Root).keys, find)
        if "before" not in test:
            check_root(env, keys)
            return
        before = read_envelope(raw(test, "before")).read("root", documents.Root)
        check_root(env, keys, before, key_objects(before.keys, find))

    assert reason(rule) == test["reason"]


@pytest.mark.parametrize("test", cases("Roster"))
def test_a_roster_admits_only_keys_with_their_proofs(test: dict[str, Any]) -> None:
    """Chain, threshold, members, and each key's admission checks."""
    find = blobs(test)
    root = read_envelope(raw(test, "root")).read("root", documents.Root)
    keys, root_hash = key_objects(root.keys, find), bytes.fromhex(test["root_hash"])
    others = [read_key(pool()[bytes.fromhex(h)]) for h in test["others"]]
    before = None
    if "before" in test:
        before = check_roster(read_envelope(raw(test, "before")), root, root_hash, keys, None, find, others)

    def rule() -> None:
        env = read_envelope(raw(test, "env"))
        admitted = check_roster(env, root, root_hash, keys, before, find, others)
        assert admitted.hash == sha256(env.payload).digest()

    assert reason(rule) == test["reason"]
