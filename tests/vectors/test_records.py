"""Log records, the nodes' bodies, channel ids and an opening against the vectors."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from channel.protocol import record
from channel.protocol.charter import channel_id
from channel.protocol.fold import Fold
from channel.protocol.merkle import leaf_hash
from channel.protocol.record import SHARED_TYPES, SIDE_TYPES, read_record, try_read
from keys.codec import unpack
from keys.errors import Malformed

HERE = Path(__file__).parent
BODIES: dict[str, Any] = {
    "node.boot": record.Boot, "node.ack": record.NodeAck, "node.gap": record.Gap, "node.pin": record.Pin,
    "node.test": record.Test, "node.echo": record.Echo, "node.step": record.Step, "node.alarm": record.Alarm,
}  # fmt: skip


@cache
def vectors() -> dict[str, Any]:
    return json.loads((HERE / "records.json").read_text("utf-8"))


def cases(type_: str) -> list[Any]:
    groups = [g for g in vectors()["testGroups"] if g["type"] == type_]
    return [pytest.param(test, id=f"{test['tcId']}") for g in groups for test in g["tests"]]


@pytest.mark.parametrize("test", cases("Record"))
def test_a_record_is_read_in_its_one_form(test: dict[str, Any]) -> None:
    """Any bytes have a leaf hash; only right ones are a record, and only of a known type have they a meaning."""
    raw = base64.b64decode(test["record"])
    assert leaf_hash(raw).hex() == test["leaf"]
    if test["result"] == "invalid":
        with pytest.raises(Malformed):
            read_record(raw)
        assert try_read(raw) is None
        return
    read = read_record(raw)
    assert read.encode() == raw
    assert [n for n, types in (("shared", SHARED_TYPES), ("side", SIDE_TYPES)) if read.t in types] == test["logs"]


@pytest.mark.parametrize("test", cases("NodeBody"))
def test_a_nodes_body_has_exactly_its_fields(test: dict[str, Any]) -> None:
    """Right bodies are read, all others are Malformed."""
    raw = base64.b64decode(test["body"])
    if test["result"] == "valid":
        unpack(raw, BODIES[test["t"]])
        return
    with pytest.raises(Malformed):
        unpack(raw, BODIES[test["t"]])


@pytest.mark.parametrize("test", cases("ChannelId"))
def test_a_charters_payload_is_the_channels_name(test: dict[str, Any]) -> None:
    """The id is a hash over type and payload."""
    assert channel_id(base64.b64decode(test["payload"])).hex() == test["chan"]


@pytest.mark.parametrize("test", cases("Opening"))
def test_an_opening_is_judged_together(test: dict[str, Any]) -> None:
    """Eight records, their leaves, and the roots at every size."""
    pool = {bytes.fromhex(h): base64.b64decode(text) for h, text in vectors()["pool"].items()}
    fold = Fold(bytes.fromhex(test["chan"]), pool.get)
    for letter in "ab":
        raws = [base64.b64decode(text) for text in test["records"][letter]]
        assert [leaf_hash(raw).hex() for raw in raws] == test["leaves"][letter]
        fold.add(letter, raws)
        assert [fold.roots(letter, n).hex() for n in range(5)] == test["roots"][letter]
    assert (fold.cut, fold.open_fault) == ((4, 4), "")
