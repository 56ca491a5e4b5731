"""One own log without a node around it: a writer on a log in memory, with a real signer and journal."""

from __future__ import annotations

import os

from channel.clock import ManualClock
from channel.log.journal import Journal
from channel.log.memory import MemoryServer
from channel.node.signer import Signer
from channel.node.stamps import Stamps
from channel.node.station import origins_of
from channel.node.writer import Pending, Writer
from channel.protocol.record import NOTHING_SEEN


class Counted(Journal):
    """A journal that counts: the size of each transaction, in order."""

    transactions: list[int]

    def extend_all(self, steps):
        self.transactions = [*getattr(self, "transactions", []), len(steps)]
        return super().extend_all(steps)


class Channel:
    """One channel's own log: its writer, on a log in memory and a journal on disk."""

    def __init__(self, journal, committer, steps=None, **more):
        chan = os.urandom(32)
        origins = origins_of(chan, "a")
        for origin, role in ((origins.own, "sign"), (origins.side, "sign"), (origins.peer, "cosign")):
            journal.start(origin, role)
        self.origin, self.steps, self.released = origins.own, [] if steps is None else steps, []
        self.log = MemoryServer().store(chan).log("a0")
        self.log.take_fence()
        self.signer = Signer(journal, committer, origins, *(os.urandom(64) for _ in range(3)))
        self.writer = Writer(
            self.log, self.origin, self.signer, Stamps(ManualClock(1_000)),
            **{
                "seen": lambda: NOTHING_SEEN, "behind": lambda: False, "publish": self.released.append,
                "testing_step": lambda name: self.steps.append((self.origin, name)), **more,
            },
        )  # fmt: skip

    async def append(self, n, **more):
        return await self.writer.append(Pending("node.test", b"%d" % n, **more))
