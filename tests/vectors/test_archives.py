"""The audit of archives against the vectors: exit code, the part of the first failure, and what is said of good ones."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from channel.protocol.audit import audit
from channel.protocol.note import parse

HERE = Path(__file__).parent


@cache
def vectors() -> dict[str, Any]:
    return json.loads((HERE / "archives.json").read_text("utf-8"))


@cache
def pool() -> dict[str, bytes]:
    return {h: base64.b64decode(text) for h, text in vectors()["pool"].items()}


def cases() -> list[Any]:
    return [pytest.param(test, id=str(test["tcId"])) for group in vectors()["testGroups"] for test in group["tests"]]


@pytest.mark.parametrize("test", cases())
def test_verify_says_of_every_archive_what_it_must(test: dict[str, Any]) -> None:
    """Exit code and part; of a good one its sizes, state, messages, refused records and evidence."""
    data = b"".join(bytes.fromhex(p[1:]) if p.startswith("=") else pool()[p] for p in test["archive"])
    chan = bytes.fromhex(test["chan"]) if "chan" in test else None
    at_least = parse(base64.b64decode(test["at_least"])) if "at_least" in test else None
    report = audit(data, chan, at_least)
    assert (report.exit_code, report.failure.part if report.failure else "") == (test["exit"], test["part"])
    assert (test["result"] == "valid") == (test["exit"] in (0, 6))
    if test["result"] == "valid":
        said = {
            "complete": list(report.complete_to.values()),
            "refused": [list(each) for each in report.refused],
            "messages": len(report.messages),
            "evidence": list(report.evidence),
        }
        said |= {"state": report.state_hash.hex()} if report.state_hash else {}
        assert said == {name: test[name] for name in said}
        assert ("state" in said) == ("state" in test)
