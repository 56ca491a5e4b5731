"""The example files, checked by the program as their readers check them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
EXAMPLE = TOP / "examples/incident.dcx"
WHOLE = TOP / "examples/whole-incident.dcx"
PAPER = (TOP / "examples/README.md").read_text("utf-8")


def verify(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """``channel verify`` as a person calls it, without a home."""
    environ = {name: value for name, value in os.environ.items() if name != "CHANNEL_HOME"} | {"LANG": "C.UTF-8"}
    code = "from channel.cli.main import run; run()"
    words = [sys.executable, "-c", code, "verify", str(path), *options]
    return subprocess.run(words, cwd=TOP, env=environ, capture_output=True, text=True, check=False)


def test_the_example_verifies_and_asks_which_channel_it_is() -> None:
    """Without a known channel the best result is 6, with the words that the paper names."""
    done = verify(EXAMPLE)
    words = re.search(r"`((?:[a-z]+ ){7}[a-z]+)`", PAPER)
    assert done.returncode == 6, done.stdout + done.stderr
    assert words
    assert words[1] in done.stdout
    assert "says nothing about later" in done.stdout


def test_the_example_is_good_with_the_channel_that_its_paper_names() -> None:
    """With the channel id the result is 0; with another one 5."""
    named = re.search(r"--channel ([0-9a-f]{64})", PAPER)
    assert named
    done = verify(EXAMPLE, "--channel", named[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert verify(EXAMPLE, "--channel", named[1][::-1]).returncode == 5


@pytest.mark.parametrize("place", [0.0, 0.1, 0.37, 0.5, 0.83, 1.0])
def test_a_changed_byte_of_the_example_is_found(place: float, tmp_path: Path) -> None:
    """One changed byte anywhere ends in 3 or 5."""
    raw = bytearray(EXAMPLE.read_bytes())
    raw[round(place * (len(raw) - 1))] ^= 0x01
    changed = tmp_path / "changed.dcx"
    changed.write_bytes(raw)
    assert verify(changed).returncode in {3, 5}


def test_the_whole_incident_verifies_and_names_what_it_holds() -> None:
    """22 messages of both sides, with 0 where the channel is named, and 6 with its words where it is not."""
    named = re.search(r"belongs to the channel `([0-9a-f]{64})`, with the words\n`([a-z ]+)`", PAPER)
    assert named
    done = verify(WHOLE, "--channel", named[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^  (?:US|CN)-2026-\d{6}  ", done.stdout, re.MULTILINE)) == 22
    asked = verify(WHOLE)
    assert (asked.returncode, named[2] in " ".join(asked.stdout.split())) == (6, True)
