"""No body can be read at a node: not in its store, its journal, its telemetry, or anything else in its home."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

from channel.cli.demo import LINES

TOP = Path(__file__).parents[2]


def forms(text: str) -> set[bytes]:
    """A text as it may stand in a file: raw, hex, and base64 in each of its three alignments."""
    raw = text.encode()
    hexes = {raw.hex().encode(), raw.hex().upper().encode()}
    return {raw} | hexes | {b64encode(raw[k : k + (len(raw) - k) // 3 * 3]) for k in range(3)}


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
    for text in LINES.values():
        words = [text, text[:24], text[-24:]]
        found = [path for path, raw in files.items() for w in words for form in forms(w) if form in raw]
        assert found == []
