"""Lost places of the own side log: kept by their leaf hashes, and said in the log (docs/protocol.md section 9).

Nobody else holds the side log. What the store lost of it and the journal committed stays lost; its places stay, so size,
root and proofs are what was signed. ``node.gap`` names each of them once, also where an earlier start got only half-way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from channel.log.log import MAX_BATCH_RECORDS, Appended
from channel.node.state import Fatal
from channel.node.writer import Pending
from channel.protocol.record import Gap, try_read
from keys.codec import pack, unpack
from keys.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from channel.log.journal import Journal
    from channel.log.log import Log
    from channel.node.writer import Writer

MAX_PLACES = 1024  # hashes of one ``node.gap``


async def keep_places(log: Log, journal: Journal, origin: str, size: int, need: int) -> None:
    """Keep the places [size, need), which the journal has committed and the store lost."""
    while size < need:
        leaves = journal.leaves(origin, size, min(need, size + MAX_BATCH_RECORDS))
        outcome = await log.append_lost(size, leaves)
        if not isinstance(outcome, Appended):
            raise Fatal("LOG_SIZE", log=log.name, found=repr(outcome), need=size)
        size = outcome.size


async def name_places(log: Log, journal: Journal, origin: str, writer: Writer) -> int:
    """Append ``node.gap`` for every lost place that none names yet; the number of places that it named."""
    unnamed = await _unnamed(log, journal.head(origin).size)
    for lo, hi in _runs(unnamed):
        gap = Gap(lo=lo, hi=hi, hashes=tuple(journal.leaves(origin, lo, hi)))
        await writer.append(Pending("node.gap", pack(gap)))
    return len(unnamed)


async def _unnamed(log: Log, size: int) -> list[int]:
    lost: set[int] = set()
    for lo in range(0, size, MAX_BATCH_RECORDS):
        for at, raw in enumerate(await log.records(lo, min(size, lo + MAX_BATCH_RECORDS)), start=lo):
            if not raw:
                lost.add(at)
            elif (record := try_read(raw)) is not None and record.t == "node.gap":
                lost -= _named(record.env)
    return sorted(lost)


def _named(env: bytes) -> set[int]:
    """The places that a ``node.gap`` names; none if it can't be read."""
    try:
        gap = unpack(env, Gap)
    except Malformed:
        return set()
    return set(range(gap.lo, min(gap.hi, gap.lo + len(gap.hashes))))


def _runs(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Unbroken stretches [lo, hi) of sorted places, each of at most ``MAX_PLACES``."""
    start = 0
    for at in range(1, len(places) + 1):
        if at == len(places) or places[at] != places[at - 1] + 1 or at - start == MAX_PLACES:
            yield places[start], places[at - 1] + 1
            start = at
