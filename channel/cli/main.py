"""The entry point ``channel``: every group of commands, gathered."""

from __future__ import annotations

from channel.cli import demo, messages, proofs, records, recovery, service, trial
from channel.cli.group import channel

GROUPS = (demo, messages, proofs, records, recovery, service, trial)
"""Each registers its commands with ``channel`` when it is imported."""


def run() -> None:
    """Run the command line."""
    channel()
