"""Archives that a dishonest node signed itself, the same archive made twice, and what an audit touches.

Here every root, note and SHA-256 is right, made with the logs' own keys: what is wrong is what a record says. An audit
ends with a report, whatever it reads (docs/protocol.md 16.2), and a record that does not count changes nothing else.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from channel.protocol.archive import PROOF, joined, write
from channel.protocol.audit import audit
from channel.protocol.merkle import inclusion_proof, leaf_hash
from channel.protocol.proof import PROVED
from channel.protocol.record import MAX_RECORD, read_record, try_read
from keys.codec import pack, unpack
from keys.envelope import read_envelope
from keys.errors import Malformed
from tests.archives import archive, blobs, head, parts
from tests.world import World

TOP = Path(__file__).parents[2]


@cache
def trial() -> tuple[World, dict[bytes, bytes]]:
    """Records of many types, and all their blobs."""
    world = World(mode=2, cooling=0, seed="hostile")
    sent = world.send("a", "expert1")
    world.ack("b", "expert1", sent)
    world.kem("a", "expert2")
    world.watch("a", "take", "duty", "duty")
    world.revoke("b", [world.signer("b", "duty").kid])
    world.next_roster("a", world.rosters["a"].members[:-1])
    policy = world.next_policy(holding=("NOI",))
    for x in "ab":
        world.put_policy(x, policy)
    world.confirm("b", "expert1", world.send("b", "official", "F13", single=True))
    world.node("a", "node.evidence", {"k": "E1", "x": 1})
    world.sync("a")
    world.sync("b")
    return world, blobs(world)


def twisted(value: Any, dice: random.Random) -> Any:
    """The value with one thing in it changed: a field gone, added or doubled, a number or text out of form, a bit."""
    match value:
        case dict() if value:
            key = dice.choice(sorted(value))
            rest = {k: v for k, v in value.items() if k != key}
            return dice.choice([rest, value | {"zz": 1}] + 8 * [value | {key: twisted(value[key], dice)}])
        case list() if value:
            i = dice.randrange(len(value))
            before, after = value[:i], value[i + 1 :]
            return dice.choice(
                [before + after, [*before, value[i], *value[i:]]] + 8 * [[*before, twisted(value[i], dice), *after]]
            )
        case bool():
            return not value
        case int():
            return dice.choice([0, 1, value + 1, -1, 2**63, 2**64 - 1])
        case str():
            return dice.choice(["", value + "x", "\x00", value[:-1], "é" * 50])
        case bytes():
            inner = _inner(value)
            if inner is not None and dice.random() < 0.6:
                return pack(twisted(inner, dice))
            i = dice.randrange(len(value) or 1)
            return dice.choice([b"", value[:-1], value + b"x", bytes(len(value)), value[:i] + b"\x81" + value[i + 1 :]])
    return [0]


def _inner(value: bytes) -> Any:
    try:
        plain = unpack(value)
    except Malformed:
        return None
    return plain if isinstance(plain, dict | list) else None


def with_record(letter: str, index: int, raw: bytes) -> World:
    """The trial's logs with another record in one place, signed by their own keys."""
    world = World(mode=2, cooling=0, seed="hostile", opening=False)
    for x in "ab":
        for i, held in enumerate(trial()[0].logs[x]):
            world.raw(x, raw if (x, i) == (letter, index) else held)
    return world


def both_forms(world: World) -> list[bytes]:
    """Of form full, and of form proof with every record that may stand in one."""
    held, made = trial()[1], parts(world)
    names = {h for raws in world.logs.values() for raw in raws if (r := try_read(raw)) for h in r.blobs}
    whole = write(head(world), made, [held.get(h, b"another blob") for h in names])
    arrays = []
    for part in made:
        leaves = [leaf_hash(raw) for raw in part.records]
        for i, raw in enumerate(part.records):
            if (record := try_read(raw)) is not None and record.t in PROVED:
                arrays.append([PROOF, part.letter, 0, i, raw, inclusion_proof(leaves, i, len(leaves))])
    names = {h for each in arrays if (r := try_read(each[4])) for h in r.blobs}
    return [whole, joined(head(world, "proof"), arrays, made, [held.get(h, b"another blob") for h in names], [], [])]


def test_an_audit_ends_with_a_report_whatever_a_node_signed():
    """Seeded twists of records of both logs: 0 with no message that nobody signed, or 5 with a place."""
    dice, world = random.Random(20261126), trial()[0]
    authored = {(m.ph, m.person, m.seat) for m in audit(archive(world), world.chan).messages}
    assert len(authored) == 2
    found = Counter[tuple[str, int]]()
    for _ in range(80):
        letter = dice.choice("ab")
        index = dice.randrange(len(world.logs[letter]))
        raw = twisted(world.logs[letter][index], dice)
        if len(raw) > MAX_RECORD:
            continue
        for form, data in zip(("full", "proof"), both_forms(with_record(letter, index, raw)), strict=True):
            report = audit(data, world.chan)
            found[form, report.exit_code] += 1
            if report.exit_code == 0:
                assert {(m.ph, m.person, m.seat) for m in report.messages} <= authored
            else:
                assert report.failure is not None
                assert 0 < report.failure.offset < len(data)
    assert set(found) == {("full", 0), ("full", 5), ("proof", 0), ("proof", 5)}


def test_an_opening_that_was_refused_proves_nothing():
    """A roster under one authority key alone: both forms end with 5, OPEN."""
    world, _ = trial()
    record = read_record(world.logs["a"][2])
    stripped = replace(env := read_envelope(record.env), signatures=env.signatures[:1])
    raw = type(record)(t="roster", ts=record.ts, seen=record.seen, blobs=record.blobs, env=stripped.encode()).encode()
    for data in both_forms(with_record("a", 2, raw)):
        report = audit(data, world.chan)
        assert (report.exit_code, report.failure and report.failure.code) == (5, "OPEN")


@pytest.mark.parametrize("seen", [(0, 1_000_000), (1, 1), (7, 0)])
def test_a_cut_that_is_not_closed(seen: tuple[int, int]):
    """A record that says to have seen more of the other log than stands there, in this number or a later one."""
    world = World(small=True, seed="open cut")
    world.send("a", "expert1")
    assert audit(archive(world), world.chan).exit_code == 0
    world.sync("b", seen=(*seen, bytes(32)))
    report = audit(archive(world), world.chan)
    assert report.failure is not None
    assert (report.exit_code, report.failure.part, report.failure.code) == (5, "head", "CUT")


def test_the_same_contents_give_the_same_bytes():
    """In whatever order they are given; other signatures under the same roots give the same state and messages."""
    world, held = trial()
    made = parts(world)
    one = write(head(world), made, held.values())
    assert one == write(head(world), made[::-1], [*reversed(held.values()), *held.values()])
    other = archive(world)  # notes are signed anew, and ML-DSA signatures differ each time
    assert other != one
    first, second = audit(one, world.chan), audit(other, world.chan)
    assert (first.exit_code, first.state_hash, first.messages) == (second.exit_code, second.state_hash, second.messages)


@pytest.mark.parametrize("known", [True, False])
def test_verify_touches_nothing_but_the_file(tmp_path: Path, known: bool):
    """No socket is made, no program started, and no file outside the program is opened but the archive itself."""
    world, _ = trial()
    path = tmp_path / "a.dcx"
    path.write_bytes(archive(world))
    code = """
import sys
from channel.cli.main import run
opened = []
def watch(event, values):
    if event.split(".")[0] in ("socket", "subprocess") or event in ("os.system", "os.exec", "os.fork", "os.posix_spawn"):
        sys.stderr.write(f"touched {event}\\n")
        sys.stderr.flush()
    if event == "open" and isinstance(values[0], (str, bytes)):
        opened.append(str(values[0]))
sys.addaudithook(watch)
try:
    run()
finally:
    sys.stderr.write("".join(f"opened {name}\\n" for name in opened))
"""
    words = [sys.executable, "-c", code, "verify", str(path), *(["--channel", world.chan.hex()] if known else [])]
    environ = {"LANG": "C.UTF-8", "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, cwd=TOP, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if known else 6), done.stderr
    assert "touched" not in done.stderr
    names = [line.removeprefix("opened ") for line in done.stderr.splitlines() if line.startswith("opened ")]
    program = (sys.prefix, sys.base_prefix, str(TOP / "channel"), str(TOP / "keys"))
    assert [name for name in names if not name.startswith(program)] == [str(path)]
