"""The watch, played from the terminals of both sides in both languages."""

from __future__ import annotations

from tests.cli.running import Machine
from tests.e2e.golden import SESSION, commands, play

WATCH = SESSION.with_name("watch.session")


def test_the_watch_is_played_from_the_terminals_alone(tmp_path, need):
    """Taking, handing over, an override, an empty post and a forgotten handover print what they printed before."""
    need("embedded-valkey")
    machine = Machine(tmp_path / "trial")
    session = WATCH.read_text("utf-8")
    try:
        machine.start("us", "cn")
        assert play(machine, commands(session)).splitlines() == session.splitlines()
    finally:
        machine.end(*list(machine.running))
