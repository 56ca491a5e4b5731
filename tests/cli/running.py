"""Nodes as processes of this machine and the commands of their desks, as a person at a terminal has them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from click.testing import CliRunner
from msgspec.structs import replace

from channel.cli.homes import make_homes
from channel.cli.main import channel
from channel.cli.trial import free_ports
from channel.clock import SystemClock
from channel.protocol.defaults import default_policy

TOP = Path(__file__).resolve().parents[2]
CHANNEL = [sys.executable, "-c", "from channel.cli.main import run; run()"]
LIMITS = replace(default_policy(2, bytes(32), bytes(32)).limits, rate_msg=0, rate_peer=0)
"""The default policy's, without a limit on how many messages a minute: tests type faster than people."""


def environment(**more):
    kept = {
        name: value for name, value in os.environ.items() if name not in ("CHANNEL_HOME", "CHANNEL_LANG", "COLUMNS")
    }
    return {**kept, "PYTHONPATH": str(TOP), **more}


def objects(text):
    """Every line of a --json answer, each as one object."""
    found = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(each, dict) for each in found)
    return found


class Machine:
    """Both parties' homes of one channel, and their nodes while they run."""

    def __init__(self, folder, mode=2, limits=LIMITS):
        self.folder = folder
        self.trial, sides = make_homes(folder, mode, SystemClock().now(), os.urandom, free_ports(), limits)
        self.sides = {side.code.lower(): side for side in sides}
        self.running = {}
        self.spawned = []
        self.told = {}

    def desk(self, party):
        return self.sides[party].desk

    def node(self, party):
        return self.sides[party].node

    def launch(self, party):
        """Start a node; ``ready`` waits for it."""
        home = self.node(party)
        with (home / "node.log").open("ab") as log:
            self.running[party] = subprocess.Popen(
                [*CHANNEL, "--home", str(home), "node", "run"], env=environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def ready(self, party):
        process, run_file = self.running[party], self.node(party) / "run.json"
        while not (run_file.exists() and json.loads(run_file.read_text())["pid"] == process.pid):
            assert process.poll() is None, (self.node(party) / "node.log").read_text()
            time.sleep(0.02)

    def start(self, *parties):
        for party in parties:
            self.launch(party)
        for party in parties:
            self.ready(party)

    def end(self, *parties, how=signal.SIGTERM):
        for party in parties:
            self.running[party].send_signal(how)
        for party in parties:
            self.running.pop(party).wait(timeout=30)

    def command(self, party, *words, lang="en", text=None):
        """A command in a desk's home, in this process."""
        line = ["--home", str(self.desk(party)), "--lang", lang, *map(str, words)]
        return CliRunner().invoke(channel, line, input=text, env={"CHANNEL_HOME": "", "CHANNEL_LANG": ""})

    def good(self, party, *words, **more):
        """The objects that a command answers with --json, which has to end with 0."""
        result = self.command(party, "--json", *words, **more)
        assert (result.exit_code, result.stderr) == (0, ""), result.stderr
        return objects(result.stdout)

    def spawn(self, *words, **more):
        """A command as a process of its own, by the installed entry. The test that started it may leave it running."""
        command = subprocess.Popen(
            [*CHANNEL, *map(str, words)], env=environment(**more), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.spawned.append(command)
        return command

    def end_spawned(self):
        """End what a test that failed left running: it would hold the desk's home against every later test."""
        while self.spawned:
            with self.spawned.pop() as command:
                if command.poll() is None:
                    command.kill()

    def at_terminal(self, *words, typed, after, columns=80):
        """A command at a terminal of its own: type a line once ``after`` is shown. Exit code and all that was shown."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        with subprocess.Popen(
            [*CHANNEL, *map(str, words)], env=environment(), stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY),  # noqa: PLW1509
        ) as command:  # fmt: skip
            os.close(slave)
            shown, asked = b"", False
            while True:
                try:
                    more = os.read(master, 65536)
                except OSError:  # the last one that held the terminal is gone
                    break
                shown += more
                if not asked and after.encode() in shown:
                    os.write(master, f"{typed}\n".encode())
                    asked = True
            os.close(master)
            return command.wait(timeout=30), shown.decode()

    def languages(self, code):
        """Those to ask for a problem in: both for the first time, then one after the other."""
        self.told[code] = self.told.get(code, 0) + 1
        return ("en", "zh") if self.told[code] == 1 else ("en", "zh")[self.told[code] % 2 :][:1]

    def until(self, true, seconds=30):
        """Ask again until it is so."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end
            time.sleep(0.1)

    def said(self, party):
        """Every record of both logs that a person or a crossing made: what a refused thing must not add to."""
        records = self.good(party, "log")
        return [(r["record"], r["t"]) for r in records if not r["t"].startswith("node.") or r["t"] == "node.alarm"]
