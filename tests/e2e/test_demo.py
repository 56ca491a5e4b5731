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


US, CN = 0, 1
ROWS = [  # what each column shows, in its own language
    (US, "signed by Duty Officer"),
    (US, "US-YYYY-000001 F13 Coded Message · delivered (stored by both nodes)"),
    (CN, "我方管辖范围内的一个人工智能系统可能正在贵方管辖的网络内活动"),
    (CN, "US-YYYY-000001 已收阅 (值班员)"),
    (US, "Receipt and Read-back"),
    (CN, "F02 收悉与复述核对 · 一致"),
    (US, "one signature is not enough (SIGS); needed: designated expert + (designated expert or duty officer"),
    (US, "received; not engaging at this time"),
    (US, "level now: △ Expert consultation ▮▮▮▯▯▯"),
    (US, "level now: ▲ Urgent consultation ▮▮▮▮▯▯"),
    (CN, "当前级别：▲ 紧急磋商 ▮▮▮▮▯▯"),
    (US, "level now: closed"),
    (CN, "当前级别：已办结"),
]


def columns(text):
    """The two columns of the demo, each as one text."""
    halves = [line.split("│") for line in text.splitlines() if line.count("│") == 1]
    return ["\n".join(pair[side] for pair in halves) for side in (US, CN)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TOP), "CHANNEL_LANG": "en", "COLUMNS": "160"}


def test_the_script_plays_a_whole_incident_and_ends_by_itself(tmp_path):
    """Same words on both sides, every step to the closing, a changed byte named, a crossing of modes refused."""
    done = subprocess.run(
        [*DEMO, "--script", "--dir", str(tmp_path / "d")],
        env=environment(), capture_output=True, text=True, timeout=90, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = dict(re.findall(r"^(US|CN) computed the channel's words: (.*)$", done.stdout, re.MULTILINE))
    assert said["US"] == said["CN"]
    english, chinese = said["US"].split(" / ")
    assert len(english.split()) == len(chinese.split()) == 8
    steps = [int(n) for n in re.findall(r"^── (\d+)\. ", done.stdout, re.MULTILINE)]
    assert steps == list(range(1, 12))
    both = [" ".join(side.split()) for side in columns(done.stdout)]
    year = time.gmtime().tm_year
    for side, row in ROWS:
        assert row.replace("YYYY", str(year)) in both[side], row
    assert re.search(r"One byte changed .* ends with [35] and names \w+, byte \d+", done.stdout)
    assert "not accepted, MODE" in done.stdout
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
