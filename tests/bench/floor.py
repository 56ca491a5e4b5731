"""What no program could save: the signatures and the disk syncs that one round trip waits for, measured alone.

A round trip is: the node of A takes a message in, B's node cosigns it, B's desk sees it, the acknowledgement goes the
same way home. Counted are the operations that stand one after the other on this way; what runs beside it (A's storing
of the cosignature, B's own copy of the state) is left out, so the floor is low rather than high.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from redis.asyncio import Redis

from channel.log.embedded import EmbeddedServer
from keys.identity import PrivateKey
from keys.suites import SIGN

# operations on the way of one record that a desk hands in, until the other side's desk is told; twice that, less the
# bigger records, is a round trip
PER_RECORD = {
    "Ed25519 sign": 2,  # A's quick note, B's cosignature
    "Ed25519 verify": 4,  # A's desk request, A's own note, its line at B, B's own cosignature
    "composite verify": 2,  # the person's signature, once at each node
    "store sync, small": 2,  # the note at A, the cosigned note at B
    "journal sync": 2,  # one at each node
}
MESSAGE = {"store sync, message": 2}  # the record with its blob, at A and at B
ACKNOWLEDGEMENT = {"store sync, small": 2}  # the record, at B and at A


SMALL_BYTES = 4_000  # an acknowledgement, or a note


@dataclass(frozen=True)
class Floor:
    """Milliseconds of each operation, medians, and of the whole way of a message and its acknowledgement."""

    each: dict[str, float]

    def _sum(self, word):
        parts = (PER_RECORD, PER_RECORD, MESSAGE, ACKNOWLEDGEMENT)
        return sum(n * self.each[name] for part in parts for name, n in part.items() if ("sync" in name) == word)

    @property
    def crypto(self):
        """All signatures and verifications, ms."""
        return self._sum(word=False)

    @property
    def syncs(self):
        """All waits for a disk, ms."""
        return self._sum(word=True)


def timed(act, times):
    """Median milliseconds of one call."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


async def measure(folder, record_bytes, times=300):
    """The floor on this machine now. ``record_bytes``: what one append writes (record and blob)."""
    message = os.urandom(600)
    ed, person = Ed25519PrivateKey.generate(), PrivateKey(2, SIGN, os.urandom(64))
    ed_sig, sig, public = ed.sign(message), person.sign(message), person.public
    each = {
        "Ed25519 sign": timed(lambda: ed.sign(message), times),
        "Ed25519 verify": timed(lambda: ed.public_key().verify(ed_sig, message), times),
        "composite verify": timed(lambda: public.verify(2, message, sig), times),
    }
    each["journal sync"] = _journal(folder / "floor.sqlite", times)
    each["store sync, message"] = await _store(folder / "floor-1", os.urandom(record_bytes), times)
    each["store sync, small"] = await _store(folder / "floor-2", os.urandom(SMALL_BYTES), times)
    return Floor(each)


def _journal(path, times):
    db = sqlite3.connect(path, isolation_level=None)
    for line in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE t(h BLOB)"):
        db.execute(line)
    taken = timed(lambda: db.execute("INSERT INTO t VALUES (?)", (os.urandom(32),)), times)
    db.close()
    return taken


async def _store(folder, value, times):
    """One write of the record's bytes to the store, answered after its sync: socket and server included."""
    server = EmbeddedServer(folder)
    await server.start()
    client = Redis.from_url(server.url, protocol=2)
    taken = []
    try:
        for _ in range(times):
            start = time.perf_counter()
            await client.xadd("s", {"r": value})
            taken.append((time.perf_counter() - start) * 1000)
    finally:
        await client.aclose()
        await server.stop()
    return statistics.median(taken)
