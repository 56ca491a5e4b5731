"""One journal transaction for all logs that are ready (docs/protocol.md section 7).

A commit that comes while the process has nothing else to do goes at once. What becomes ready in the same turn of the
event loop, which is all that came while the last sync of the disk ran, shares its transaction: no timer, no thread. The
sync blocks the loop for the time of one disk sync; measured with a thread beside, it was slower for one channel and no
faster for eight.

All or none: after a failed transaction every step in it fails, and the journal refuses all further use.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from channel.node.state import Fatal
from keys.errors import Problem

if TYPE_CHECKING:
    from channel.log.journal import Head, Journal, Step


class Committer:
    """Stands before the journal of a node. Each log has one writer, so a transaction has at most one step of a log."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._ready: list[tuple[Step, asyncio.Future[Head]]] = []

    async def extend(self, step: Step) -> Head:
        """The new head, once it is durable. ``Fatal`` COMMIT: nobody knows what is, and the process has to end."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Head] = loop.create_future()
        self._ready.append((step, done))
        if len(self._ready) == 1:
            loop.call_soon(self._commit)
        return await done

    def _commit(self) -> None:
        ready, self._ready = self._ready, []
        try:
            heads = self._journal.extend_all([step for step, _ in ready])
        except Exception as e:  # noqa: BLE001  told to everybody who waits: nobody may wait for ever
            why = e.code if isinstance(e, Problem) else type(e).__name__
            for step, done in ready:
                if not done.done():
                    done.set_exception(Fatal("COMMIT", why=why, log=step.head.origin))
            return
        for head, (_, done) in zip(heads, ready, strict=True):
            if not done.done():  # who waited may have been cancelled; the commit stands
                done.set_result(head)
