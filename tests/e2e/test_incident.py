"""A whole incident, approvals included, from the terminals alone."""

from __future__ import annotations

from tests.cli.running import Machine
from tests.e2e.golden import SESSION, commands, play


def test_the_incident_is_played_from_the_terminals_alone(tmp_path, need):
    """Every command of the session prints what it printed before, on both sides, in both languages."""
    need("embedded-valkey")
    machine = Machine(tmp_path / "trial")
    session = SESSION.read_text("utf-8")
    try:
        machine.start("us", "cn")
        assert play(machine, commands(session)).splitlines() == session.splitlines()
    finally:
        machine.end(*list(machine.running))
