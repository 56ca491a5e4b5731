"""The second program, written from the specification alone, and the product say the same of everything."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from base64 import b64decode
from collections import Counter
from pathlib import Path

import pytest

from channel.protocol.audit import audit
from tests.second.seeded import archive_of

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"
EXAMPLE = HERE.parents[1] / "examples" / "incident.dcx"
SEEDS, EACH = 500, 25
sys.path.insert(0, str(HERE))  # its modules import each other by their bare names: it is a program of its own
import second_bytes  # noqa: E402
import second_fold  # noqa: E402
import verify  # noqa: E402


def groups(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def test_it_imports_nothing_of_the_product():
    """Only itself, the standard library, cryptography and msgpack."""
    own = {path.stem for path in HERE.glob("*.py")}
    allowed = own | {"cryptography", "msgpack"} | set(sys.stdlib_module_names)
    for path in [HERE / "verify.py", *HERE.glob("second_*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, (path, names)


def test_bytes_of_every_vector():
    """DCM, key objects, admission, envelopes and signatures."""
    for group in groups("dcm")["testGroups"]:
        for test in group["tests"]:
            assert reads(second_bytes.unpack, bytes.fromhex(test["dcm"])) == (test["result"] == "valid"), test[
                "comment"
            ]
    for group in groups("keys")["testGroups"]:
        for test in group["tests"]:
            good = test["result"] == "valid"
            if group["type"] == "KeyObject":
                assert reads(second_bytes.read_key, bytes.fromhex(test["object"])) == good, test["comment"]
            elif group["type"] == "Admission":
                assert second_bytes.lawful(test["suite"], bytes.fromhex(test["raw"])) == good, test["comment"]
            elif group["type"] == "EnvelopeForm":
                assert reads(second_bytes.Envelope, b64decode(test["envelope"])) == good, test["comment"]
            elif group["type"] == "Verified":
                keys = {k.kid: k for k in map(second_bytes.read_key, map(b64decode, test["keys"]))}
                found = second_bytes.Envelope(b64decode(test["envelope"])).signers(test["mode"], keys)
                assert sorted(kid.hex() for kid in found) == test["good"], test["comment"]


def reads(read, raw):
    try:
        read(raw)
    except second_bytes.Bad:
        return False
    return True


def test_trees_and_notes_of_every_vector():
    """Paths that hold and that do not; what keys say of notes."""
    from second_notes import ED, ML, TIMED, Note

    for group in groups("tree")["testGroups"]:
        for test in group["tests"]:
            good = test["result"] == "valid"
            if group["type"] == "Inclusion":
                path = [bytes.fromhex(x) for x in test["path"]]
                args = bytes.fromhex(test["leaf"]), test["index"], test["size"], path
                try:
                    found = second_bytes.root_by_path(*args).hex() == test["root"]
                except second_bytes.Bad:
                    found = False
                assert found == good, test["comment"]
    for group in groups("notes")["testGroups"]:
        for test in group["tests"] if group["type"] == "LogNote" else ():
            keys = [{k: bytes.fromhex(v) for k, v in group[x].items()} for x in ("logKeys", "cosignerKeys")]
            try:
                made = Note(b64decode(test["note"]))
                by_log, by = made.of_log(keys[0]), made.of_cosigner(group["cosigner"], keys[1])
            except second_bytes.Bad:
                assert test["result"] == "invalid", test["comment"]
                continue
            assert test["result"] == "valid", test["comment"]
            stands = test["stands"]
            assert (ED in by_log, by_log.get(ML)) == (stands["log"], stands["logAt"]), test["comment"]
            assert (ED in by_log and TIMED in by) == stands["cosigned"], test["comment"]


def test_documents_and_records_of_every_vector():
    """The form of every payload, node body and record."""
    from second_shapes import DOCUMENTS, read, read_record

    seen = Counter()
    for name, key in (("documents", "payload"), ("records", "body")):
        for group in groups(name)["testGroups"]:
            for test in group["tests"]:
                if group["type"] in ("Payload", "NodeBody") and test["t"] in DOCUMENTS:
                    got = reads(lambda raw, t=test: read(t["t"], raw), b64decode(test[key]))
                elif group["type"] == "Record":
                    got = reads(read_record, b64decode(test["record"]))
                else:
                    continue
                seen[group["type"]] += 1
                assert got == (test["result"] == "valid"), (test["tcId"], test["comment"])
    assert seen["Payload"] > 300
    assert seen["Record"] > 50


HISTORIES = groups("histories")
POOL = {bytes.fromhex(h): b64decode(text) for h, text in HISTORIES["pool"].items()}


@pytest.mark.parametrize(
    "test", [pytest.param(t, id=str(t["tcId"])) for g in HISTORIES["testGroups"] for t in g["tests"]]
)
def test_every_history(test):
    """Reasons, cut, items and H(state)."""
    away = {bytes.fromhex(h) for h in test.get("withheld", [])}
    logs = {x: [[POOL[bytes.fromhex(h)] for h in number] for number in test["logs"][x]] for x in "ab"}
    try:
        made = second_fold.fold(logs, bytes.fromhex(test["chan"]), {h: b for h, b in POOL.items() if h not in away})
    except second_fold.Stuck as e:
        assert e.args[0] == test["error"]
        return
    out = test["out"]
    assert made.reasons() == out["reasons"]
    assert list(made.cut) == out["cut"]
    assert [item.hex() for item in made.items()] == out["items"]
    assert made.state_hash().hex() == out["state"]


ARCHIVES = groups("archives")
PIECES = {h: b64decode(text) for h, text in ARCHIVES["pool"].items()}


def piece(text):
    return bytes.fromhex(text[1:]) if text.startswith("=") else PIECES[text]


@pytest.mark.parametrize(
    "test", [pytest.param(t, id=str(t["tcId"])) for g in ARCHIVES["testGroups"] for t in g["tests"]]
)
def test_every_archive(test):
    """Exit code, and of good ones what they are complete to, H(state), what counts, and what is proved."""
    least = test.get("at_least")
    least = None if least is None else PIECES[least] if least in PIECES else b64decode(least)
    chan = bytes.fromhex(test["chan"]) if "chan" in test else None
    found = verify.verify(b"".join(map(piece, test["archive"])), chan, least)
    assert found["exit"] == test["exit"]
    if test["exit"] in (0, 6):
        assert [found["complete_to"][code] for code in sorted(found["complete_to"])] == test["complete"]
        assert found["state_hash"] == test.get("state")
        assert found["refused"] == sorted(test["refused"])
        assert len(found["messages"]) == test["messages"]
        assert found["evidence"] == sorted(test["evidence"])


def said_by_product(data, chan):
    report = audit(data, chan)
    if report.exit_code in (3, 5):
        return {"exit": report.exit_code}
    return {
        "exit": report.exit_code, "complete_to": dict(report.complete_to), "evidence": sorted(report.evidence),
        "state_hash": report.state_hash.hex() if report.state_hash else None, "refused": sorted(map(list, report.refused)),
        "messages": sorted(
            [m.ref, m.number, m.ph.hex(), list(m.acks), m.confirm, m.receipt_time, m.person, m.seat] for m in report.messages
        ),
        "reveals": [[f"{r.party}:{r.mid.hex()}", sorted(r.body)] for r in report.reveals],
    }  # fmt: skip


def said_by_second(data, chan):
    found = verify.verify(data, chan)
    if found["exit"] in (3, 5):
        return {"exit": found["exit"]}
    names = ("ref", "number", "ph", "acks", "confirm", "receipt_time", "person", "seat")
    kept = {k: found[k] for k in ("exit", "complete_to", "evidence", "state_hash", "refused", "reveals")}
    return kept | {"messages": sorted([m[n] for n in names] for m in found["messages"])}


@pytest.mark.parametrize("first", range(0, SEEDS, EACH))
def test_seeded_archives(first, campaign):
    """500 histories, whole or as proofs, good or tampered with: both programs say the same, to the last receipt."""
    ends = Counter()
    for seed in range(first, first + EACH):
        data, chan, how = archive_of(seed)
        product = said_by_product(data, chan)
        assert said_by_second(data, chan) == product, (seed, how)
        ends[how, product["exit"]] += 1
    assert ends["good", 0] + ends["good", 6] + ends["good", 5] >= 1
    campaign.report(
        f"seeds {first} to {first + EACH - 1}: "
        + ", ".join(f"{how} {code}: {n}" for (how, code), n in sorted(ends.items()))
    )


def test_the_example_by_its_command(tmp_path):
    """6 without the channel, 0 with it, 5 with another; a cut file is unreadable; no traceback on anything."""
    chan = verify.verify(EXAMPLE.read_bytes())["chan"]
    cut = tmp_path / "cut.dcx"
    cut.write_bytes(EXAMPLE.read_bytes()[:1000])
    for words, code in (
        ([EXAMPLE], 6),
        ([EXAMPLE, "--channel", chan], 0),
        ([EXAMPLE, "--channel", "00" * 32], 5),
        ([cut], 3),
    ):
        done = subprocess.run(
            [sys.executable, HERE / "verify.py", *words, "--json"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (code, "")
        assert json.loads(done.stdout)["exit"] == code
    for words in ([tmp_path], [tmp_path / "none"], [EXAMPLE, "--channel", "zz"], [EXAMPLE, "--at-least", cut]):
        done = subprocess.run([sys.executable, HERE / "verify.py", *words], capture_output=True, text=True, check=False)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
