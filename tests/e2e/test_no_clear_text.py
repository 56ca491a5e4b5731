"""No body can be read at a node or between nodes: not in a store, a home, telemetry, or the link's bytes inside TLS."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest

from channel.cli import incident
from channel.cli.demo import at_desk, with_seats
from channel.cli.terminal import Terminal
from channel.client import drafts
from channel.client.composing import Draft
from channel.node.app import serving
from tests.faults.bad_line import BadLine
from tests.faults.notebook import NoteBook
from tests.node.conftest import Pair
from tests.node.parties import CLOCK, Parties

TOP = Path(__file__).parents[2]
COMMENT, NOTE, NEVER = "too early, ask again at noon", "a note for the own side 本方的记录", "a draft that nobody sends"


def texts_of(value):
    """Every free text of a body, however deep."""
    if isinstance(value, str):
        return [value] if len(value) > 9 else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    return [text for each in inner for text in texts_of(each)]


SAID = texts_of([
    incident.FIRST, incident.READBACK, incident.ASKED, incident.ANSWERED, incident.HELP, incident.HELPED,
    incident.ASKED_BACK, incident.FINAL, incident.SPREAD, incident.AGAIN,
])  # fmt: skip
"""Names of cases, read-backs, drafts, requests and answers of the incident that the demo plays."""


def forms(text: str | bytes) -> set[bytes]:
    """A text as it may stand in a file: raw, hex, and base64 of both alphabets in each of their three alignments."""
    raw = text if isinstance(text, bytes) else text.encode()
    hexes = {raw.hex().encode(), raw.hex().upper().encode()}
    inner = [raw[k : k + (len(raw) - k) // 3 * 3] for k in range(3)]
    return {raw} | hexes | {encode(some) for some in inner for encode in (b64encode, urlsafe_b64encode)}


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("kind", ["raw", "hex", "HEX", "base64", "urlsafe"])
def test_the_search_finds_what_is_there(kind, before):
    """A text is found in each form, wherever in its surroundings it begins."""
    text = "收到，正在核实 marker?>"
    raw = b"x" * before + text.encode() + b"yy"
    planted = {
        "raw": raw, "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(),
        "base64": b64encode(raw), "urlsafe": urlsafe_b64encode(raw),
    }[kind]  # fmt: skip
    assert any(form in planted for form in forms(text))
    assert not any(form in planted for form in forms("收到，正在核实 Marker?>"))


def test_bodies_are_nowhere_in_clear_at_the_nodes(tmp_path):
    """After an exchange no file of any node holds a body's words; what is not secret is found by the same search."""
    folder = tmp_path / "d"
    subprocess.run(
        [sys.executable, "-c", "from channel.cli.main import run; run()", "demo", "--script", "--dir", str(folder)],
        env={**os.environ, "PYTHONPATH": str(TOP)}, check=True, capture_output=True, timeout=90,
    )  # fmt: skip
    files = {path: path.read_bytes() for path in folder.glob("*/*/node/**/*") if path.is_file()}
    for side in ("us", "cn"):
        held = b"".join(raw for path, raw in files.items() if path.is_relative_to(folder / "exercise" / side))
        assert b"F03" in held
        assert b"attention" in held
    assert len(SAID) > 12
    for text in SAID:
        words = [text, text[:24], text[-24:]]
        found = [path for path, raw in files.items() for w in words for form in forms(w) if form in raw]
        assert found == []


async def test_bodies_are_nowhere_in_clear_between_the_nodes(tmp_path, need):
    """A whole incident, drafts, comments and notes: their words are in no store, no home, no telemetry, and not in the link's bytes."""
    need("embedded-valkey")
    parties, logs = Parties(tmp_path / "trial"), [io.StringIO(), io.StringIO()]
    words = {code: [f"harmless marker {i} of {code} 无害的标记{i}" for i in range(3)] for code in ("CN", "US")}
    hashes = []
    async with (
        BadLine(parties, NoteBook(parties), None) as line,
        serving(parties.nodes["CN"], CLOCK, out=logs[0]) as cn,
        serving(parties.nodes["US"], CLOCK, out=logs[1]) as us,
    ):
        pair = Pair(parties, (cn, us), logs)
        await pair.until(lambda: pair.a.opened and pair.b.opened)
        for code, reader in (("CN", "US"), ("US", "CN")):
            async with parties.desk(code) as desk, parties.desk(reader) as other:
                for text in words[code]:
                    _, ph = await desk.send(text)
                    await pair.until(lambda ph=ph: all(s.fold.find(ph) for s in (pair.a, pair.b)))
                    view = (pair.a if reader == "CN" else pair.b).fold.find(ph)
                    await other.wire.submit("ack", other.ack(view.verdict.doc.mid, ph))
                    await pair.until(lambda ph=ph: all(s.fold.find(ph).acks for s in (pair.a, pair.b)))
                    hashes.append(ph)
        async with at_desk(parties.sides[0]) as cn_desk, at_desk(parties.sides[1]) as us_desk:
            us_side, cn_side = with_seats(us_desk, "en"), with_seats(cn_desk, "zh")
            terminal = Terminal("en", as_json=True)
            case = await incident.Incident(terminal, us_side, cn_side).play()
            await us_side.sit("expert-1")
            asked = Draft(fmt="F04", body={"line": NEVER}, lang="en", case=case.ph, cosign=(us_side.kid("duty"),))
            waiting = await drafts.propose(us_desk, asked)
            await us_side.sit("duty")
            await drafts.end(us_desk, await drafts.find(us_desk, waiting.did.hex()), drafts.REJECTED, COMMENT)
            await drafts.note(us_desk, NOTE)
            assert [text for _, _, text in await drafts.notes(us_desk)] == [COMMENT, NOTE]
        places = {"link": b"".join(line.bytes)}
        for station in (pair.a, pair.b):
            code = station.own_party.code
            places[f"store of {code}"] = await _everything(station.own._client)
            places[f"metrics of {code}"] = station.telemetry.metrics()
    for code, log in zip(("CN", "US"), logs, strict=True):
        places[f"telemetry of {code}"] = log.getvalue().encode()
        files = [path for path in parties.nodes[code].rglob("*") if path.is_file()]
        places[f"home of {code}"] = b"".join(path.read_bytes() for path in files)
    assert {name for name, raw in places.items() if not raw} == set()
    for name, raw in places.items():
        for texts in (*words.values(), SAID, [COMMENT, NOTE, NEVER]):
            assert [text for text in texts for form in forms(text[:30]) | forms(text[-30:]) if form in raw] == [], name
        if name.startswith(("link", "store", "home")):  # what may be seen there is found by the same search
            assert all(any(form in raw for form in forms(ph)) for ph in hashes), name
            assert b"attention" in raw, name


async def _everything(client):
    """Each key of a store with all that it holds."""
    found = []
    async for key in client.scan_iter():
        match await client.type(key):
            case b"string":
                found += [key, await client.get(key)]
            case b"hash":
                held = await client.hgetall(key)
                found += [key, *held.keys(), *held.values()]
            case b"stream":
                found += [key, *(value for _, fields in await client.xrange(key) for value in fields.values())]
            case other:
                raise AssertionError(other)
    return b"\0".join(found)
