"""The states of a node's channel (docs/protocol.md section 13) and which of them lead where.

INIT -> RECOVERING -> ACTIVE <-> DEGRADED        FROZEN_PEER: evidence; only both authorities end it
any -> HALTED: an own invariant is broken, the process ends and recovery looks
"""

from __future__ import annotations

from enum import StrEnum

from keys.errors import Problem


class State(StrEnum):
    """Where a channel stands at this node."""

    INIT = "INIT"
    RECOVERING = "RECOVERING"
    ACTIVE = "ACTIVE"
    DEGRADED = "DEGRADED"
    FROZEN_PEER = "FROZEN_PEER"
    HALTED = "HALTED"


WRITING = frozenset({State.ACTIVE, State.DEGRADED, State.FROZEN_PEER})
MOVES: dict[State, frozenset[State]] = {
    State.INIT: frozenset({State.RECOVERING, State.HALTED}),
    State.RECOVERING: frozenset({State.ACTIVE, State.HALTED}),
    State.ACTIVE: frozenset({State.DEGRADED, State.FROZEN_PEER, State.HALTED}),
    State.DEGRADED: frozenset({State.ACTIVE, State.FROZEN_PEER, State.HALTED}),
    State.FROZEN_PEER: frozenset({State.HALTED}),
    State.HALTED: frozenset(),
}


class Fatal(Problem):
    """The process has to end and start through recovery: what it believes about its log may be wrong."""
