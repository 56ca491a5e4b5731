"""What a node tells its operator: one JSON line per event, and a few counters. Ids, sizes, codes; never a text.

No body, case name, file content or key can reach a line: values are numbers, flags, short codes and the first bytes of
hashes, and anything else is refused here, not left to the care of callers.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from channel.node.spool import Spool
from keys.errors import Problem

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from channel.clock import Clock

DRAIN_SECONDS = 1.0
_WORD = re.compile(r"^[\w .:/@+-]{0,160}$", re.ASCII)
Value = int | float | bool | bytes | str


class Telemetry:
    """Events and counters of one node process."""

    def __init__(self, clock: Clock, party: str, out: TextIO | None = None) -> None:
        self._clock = clock
        self._spool = _standard_error() if out is None else None
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(cast("TextIO", out or self._spool)),
            processors=[self._stamp, structlog.processors.JSONRenderer(ensure_ascii=True)],
        ).bind(party=party)
        self.registry = CollectorRegistry()
        self.records = Counter("dcx_records", "records appended", ["log"], registry=self.registry)
        self.commits = Counter("dcx_commits", "batches committed", ["log"], registry=self.registry)
        self.cosigned = Counter("dcx_cosigned", "notes cosigned for the other side", registry=self.registry)
        self.delivered = Gauge("dcx_delivered_size", "own log size cosigned by the other side", registry=self.registry)
        self.refused = Counter("dcx_refused", "requests refused", ["code"], registry=self.registry)
        self.link_up = Gauge("dcx_link_up", "1 while the other side answers", registry=self.registry)

    def say(self, event: str, **values: Value) -> None:
        """Write one event."""
        self._log.msg(event, **{name: _plain(value) for name, value in values.items()})

    def say_problem(self, event: str, problem: BaseException) -> None:
        """Write an error: a ``Problem`` by its code and number values, anything else by the name of its class."""
        if isinstance(problem, Problem):
            numbers = {k: v for k, v in problem.values.items() if isinstance(v, (int, bytes)) and k != "event"}
            self.say(event, code=problem.code, **numbers)
        else:
            self.say(event, error=type(problem).__name__)

    def drain(self) -> None:
        """Wait a moment until what was said is written; at the end of the process."""
        if self._spool is not None:
            self._spool.drain(DRAIN_SECONDS)

    def metrics(self) -> bytes:
        """The counters as text for Prometheus."""
        return generate_latest(self.registry)

    def _stamp(self, _logger: object, _name: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        event["ts"] = self._clock.now()
        return event


def _standard_error() -> Spool:
    """Standard error; nowhere for a process that was started without one."""
    return Spool(sys.stderr.fileno() if sys.stderr is not None else os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))


def _plain(value: Value) -> int | float | bool | str:
    if isinstance(value, bytes):
        return value.hex()[:16]
    if isinstance(value, str) and not _WORD.match(value):
        return "(not shown)"
    return value
