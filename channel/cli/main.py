"""The entry point ``channel``: every group of commands, gathered."""

from __future__ import annotations

from channel.cli import (
    cases,
    compose,
    demo,
    drafting,
    link,
    messages,
    moves,
    page,
    proofs,
    receipts,
    records,
    recovery,
    service,
    submitting,
    trial,
    watch,
)
from channel.cli.group import channel

GROUPS = (
    cases,
    compose,
    demo,
    drafting,
    link,
    messages,
    moves,
    page,
    proofs,
    receipts,
    records,
    recovery,
    service,
    submitting,
    trial,
    watch,
)
"""Each registers its commands with ``channel`` when it is imported."""


def run() -> None:
    """Run the command line."""
    channel()
