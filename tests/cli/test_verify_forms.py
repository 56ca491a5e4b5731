"""What ``channel verify`` says of proofs, reveals, ended log numbers and records that do not count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from channel.cli.main import channel
from channel.protocol.reveal import full, redacted
from tests.archives import archive, opened, proof, sealed, succeed
from tests.world import START, YEAR, World

BODY = {"text": "a\x1b[31mcoloured\nline", "state": "EST"}


def verify(folder: Path, data: bytes, *options: str, lang: str = "en") -> Result:
    path = folder / "a.dcx"
    path.write_bytes(data)
    words = ["--lang", lang, *options, "verify", str(path)]
    return CliRunner().invoke(channel, words, env={"CHANNEL_HOME": ""})


@pytest.mark.parametrize(
    ("lang", "word"), [("en", "says nothing about records that it does not hold"), ("zh", "未包含的记录")]
)
def test_a_proof_says_what_it_says_nothing_about(tmp_path: Path, lang: str, word: str):
    """The sentence stands under every proof and under no whole archive."""
    world = World(small=True, seed="cli")
    sent = sealed(world, "a", "expert1", BODY)
    world.ack("b", "expert1", sent)
    world.sync("a")
    told = verify(tmp_path, proof(world, [sent.ph]), lang=lang)
    assert (told.exit_code, word in told.output.replace("\n", " ")) == (6, True)
    assert f"CN:{sent.index}" in told.output
    assert word not in verify(tmp_path, archive(world), lang=lang).output


def test_what_is_shown_of_a_message_is_made_plain(tmp_path: Path):
    """Fields on one line without what a terminal would obey; how many stay hidden; whole in JSON."""
    world = World(mode=2, cooling=0, seed="cli")
    sent = [sealed(world, "a", "expert1", BODY) for _ in range(2)]
    world.sync("b")
    bodies = [
        full(sent[0].doc, "CN", opened(sent[0], BODY).cek, why="report", by="CN:records"),
        redacted(sent[1].doc, "CN", opened(sent[1], BODY), ["state"], why="law", by="US:official"),
    ]
    data = archive(world, reveals=bodies)
    told = verify(tmp_path, data)
    assert told.exit_code == 6
    assert "\x1b" not in told.output
    assert "acoloured line" in told.output.replace("\n", " ")
    assert "state: EST" in told.output
    said = json.loads(verify(tmp_path, data, "--json").stdout)
    assert {reveal["hidden"] for reveal in said["reveals"]} == {0, 1}


def test_what_does_not_count_is_listed(tmp_path: Path):
    """A refused message, an expired key, evidence that proves nothing, a number without an anchor, an emergency release."""
    world = World(mode=2, cooling=0, seed="cli")
    world.watch("a", "take", "duty", "duty")
    refused = world.send("a", "observer-of-nothing", signers=["expert1"])
    world.send("a", "expert1", "F13", level="attention", single=True)
    world.node("a", "node.evidence", {"k": "E1"})
    succeed(world, "a", quick=True)
    late = world.send("a", "expert2", at=START + 3 * YEAR)
    told = verify(tmp_path, archive(world))
    assert told.exit_code == 6
    for line in (
        f"Does not count: CN:{refused.index}",
        f"Noted at CN:{late.index}",
        "Log number CN/0 ended without an anchor",
        "second signature awaited",
    ):
        assert line in told.output
    said = json.loads(verify(tmp_path, archive(world), "--json").stdout)
    assert said["attested"] == ["CN/0"]
    assert ["a", refused.index, "SIGNER"] in said["refused"]
