"""The demo as a person runs it: real nodes, real stores, one exchange, every proof checked."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

TOP = Path(__file__).parents[2]
DEMO = [sys.executable, "-c", "from channel.cli.main import run; run()", "demo"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TOP), "CHANNEL_LANG": "en", "COLUMNS": "160"}


def test_the_script_plays_one_exchange_and_ends_by_itself(tmp_path):
    """Same words from both sides, delivered and read both ways, a changed byte named, a crossing of modes refused."""
    done = subprocess.run(
        [*DEMO, "--script", "--dir", str(tmp_path / "d")],
        env=environment(), capture_output=True, text=True, timeout=90, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = dict(re.findall(r"^(US|CN) computed the channel's words: (.*)$", done.stdout, re.MULTILINE))
    assert said["US"] == said["CN"]
    english, chinese = said["US"].split(" / ")
    assert len(english.split()) == len(chinese.split()) == 8
    for row in ("US-2026-000001 delivered", "US-2026-000001 received and read", "CN-2026-000001 received and read"):
        assert row.replace("2026", str(time.gmtime().tm_year)) in done.stdout
    assert re.search(r"One byte changed .* ends with [35] and names \w+, byte \d+", done.stdout)
    assert "refused with MODE" in done.stdout
    assert str(tmp_path / "d") in done.stdout.splitlines()[-1]
    assert not list((tmp_path / "d").rglob("run.json"))


def test_a_typed_line_arrives_and_an_interrupt_stops_everything(tmp_path):
    """What is typed as US is seen at CN; SIGINT ends the demo and every process that it started."""
    folder = tmp_path / "d"
    with subprocess.Popen(
        [*DEMO, "--dir", str(folder)], env=environment(), text=True, bufsize=1,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as demo:  # fmt: skip
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if line.startswith("Type a line as US"):
                demo.stdin.write("harmless marker line\n")
                demo.stdin.flush()
            if "harmless marker" in line:
                break
        assert "│" in lines[-1].split("harmless")[0]
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(timeout=30) == 0
    assert str(folder) in rest
    assert not list(folder.rglob("run.json"))


def test_a_closed_terminal_stops_everything(tmp_path):
    """When the terminal goes away, as when an SSH connection breaks, the demo and all that it started end."""
    folder = tmp_path / "d"
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*DEMO, "--dir", str(folder)], env=environment(), stdin=slave, stdout=slave, stderr=slave,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY),  # noqa: PLW1509  no threads here
    ) as demo:  # fmt: skip
        os.close(slave)
        seen = b""
        while b"Type a line as US" not in seen:
            seen += os.read(master, 65536)
        os.close(master)
        demo.wait(timeout=30)
    assert not list(folder.rglob("run.json"))
