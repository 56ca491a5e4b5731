"""The fold against the histories of tests/vectors: reasons, cuts, levels, items and H(state) of every one."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from channel.protocol.fold import Fold
from channel.protocol.merkle import EMPTY
from keys.errors import Problem

HERE = Path(__file__).parent


@cache
def vectors(name: str) -> dict[str, Any]:
    return json.loads((HERE / f"{name}.json").read_text("utf-8"))


def cases(name: str) -> list[Any]:
    return [
        pytest.param(test, id=str(test["tcId"])) for group in vectors(name)["testGroups"] for test in group["tests"]
    ]


@cache
def pool() -> dict[bytes, bytes]:
    return {bytes.fromhex(h): base64.b64decode(text) for h, text in vectors("histories")["pool"].items()}


def add(fold: Fold, logs: dict[str, list[list[str]]], order: str) -> None:
    for letter in order:
        for number, records in enumerate(logs[letter]):
            fold.add(letter, [pool()[bytes.fromhex(h)] for h in records], number)


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize("test", cases("histories"))
def test_the_fold_says_of_every_history_what_its_writer_said(test: dict[str, Any], order: str) -> None:
    """Each record's reason, the cut, the levels, the items and H(state), whichever log comes first."""
    away = {bytes.fromhex(h) for h in test.get("withheld", [])}
    fold = Fold(bytes.fromhex(test["chan"]), lambda h: None if h in away else pool().get(h))
    if "error" in test:
        with pytest.raises(Problem) as caught:
            add(fold, test["logs"], order)
        assert caught.value.code == test["error"]
        return
    add(fold, test["logs"], order)
    out = test["out"]
    sizes = {letter: sum(map(len, test["logs"][letter])) for letter in "ab"}
    assert {x: [fold.verdict(x, i).reason for i in range(sizes[x])] for x in "ab"} == out["reasons"]
    assert list(fold.cut) == out["cut"]
    assert {ph: fold.case_level(bytes.fromhex(ph)) or "closed" for ph in out["levels"]} == out["levels"]
    flags = {x: {str(i): sorted(fold.verdict(x, i).flags) for i in range(out["cut"][n])} for n, x in enumerate("ab")}
    assert {x: {i: said for i, said in flags[x].items() if said} for x in "ab"} == out["flags"]
    for ph, seconds in out.get("due", {}).items():
        message = fold.find(bytes.fromhex(ph))
        assert message is not None and message.receipt_time is not None
        due = {
            name: None if name not in seconds else message.receipt_time + 1000 * seconds[name]
            for name in message.deadlines
        }
        assert message.deadlines == due
    assert [item.hex() for item in fold.state_items()] == out["items"]
    assert fold.state_hash().hex() == out["state"]
    assert (test["result"] == "valid") == (fold.open_fault == "")
    assert out["items"] or out["state"] == EMPTY.hex()


def test_every_reason_of_the_state_paper_stands_in_a_history() -> None:
    """docs/state.md lists the reasons; none is without a history."""
    paper = (HERE.parents[1] / "docs/state.md").read_text("utf-8").split("## Reasons")[1].split("### By type")[0]
    rows = [line.split("|")[1] for line in paper.splitlines() if line.startswith("| ") and line[2].isupper()]
    named = {word.strip() for row in rows for word in row.split(",")}
    outs = [test.values[0]["out"] for test in cases("histories") if "out" in test.values[0]]
    shown = {reason for out in outs for x in "ab" for reason in out["reasons"][x]}
    assert named - shown == set()
    assert shown - named == {"", "OPAQUE", "UNJUDGED"}
