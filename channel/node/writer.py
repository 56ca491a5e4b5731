"""The single writer of one own log, and the only place where a record comes to be (docs/protocol.md section 7).

    a  validate records and blob hashes                     crash here: nothing happened, the desk asks again
    b  append: one atomic call, durable when it returns     crash here: an unsigned tail, signed by recovery
    c  journal: leaf hashes and head, compare-and-swap      crash here: the same (size, root) is signed again
    d  sign the quick note over what was just committed
    e  verify the own signature, store the note, publish it

There is no other order. An error in b to e ends the process: its outcome is unknown, and only recovery may look.
A batch is what came while the last one was committed: no timer, so one record alone waits for nobody. It ends before it
would pass 256 records or 4 MiB of records and blobs. Precedence orders the queue, never the log.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from channel.log.log import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, Appended, Duplicate, Entry
from channel.log.notes import NoteKey
from channel.node.state import Fatal
from channel.protocol.record import MAX_BLOBS, Record
from keys.errors import Problem, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from channel.log.log import Log
    from channel.node.signer import Signer
    from channel.node.stamps import Stamps
    from channel.protocol.note import Note
    from channel.protocol.record import Seen

FLASH = 0  # rank of what waits for one batch at most: FLASH messages, F13, F14, acknowledgements, node.*
HELD_SECONDS = 20.0  # how long a held-back message waits for the line before its desk is told to ask again
OVERHEAD = 512  # bytes of a record beside its envelope and blob hashes, more than enough
MAX_QUEUE = 4096


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a record stands. ``dup``: it stood there before."""

    index: int
    dup: bool


@dataclass(slots=True)
class Pending:
    """A record on its way: ``blobs`` are those that come with it, ``named`` all that it depends on.

    ``key``: the payload hash, or empty for ``node.*``. ``rank`` 0 to 3 as precedence Z to R; ``below_flash`` may be held
    back while the line is behind. ``seen_size``: what it says holds for a record that has seen just so much of the other
    log; where the line brought more meanwhile it is given back (BUSY).
    """

    t: str
    env: bytes
    named: tuple[bytes, ...] = ()
    blobs: Mapping[bytes, bytes] = field(default_factory=dict)
    key: bytes = b""
    rank: int = FLASH
    below_flash: bool = False
    seen_size: int | None = None
    order: int = 0
    done: asyncio.Future[Placed] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def weight(self) -> int:
        """Bytes that it adds to a batch, at most."""
        return len(self.env) + OVERHEAD + 34 * len(self.named) + sum(map(len, self.blobs.values()))


@dataclass(frozen=True, slots=True)
class Released:
    """A committed batch: its first index, its records and blobs, and the note that covers them."""

    first: int
    records: tuple[bytes, ...]
    blobs: Mapping[bytes, bytes]
    note: Note


class Writer:
    """The writer of one log. ``run`` commits; ``append`` waits until a record is released (after step e)."""

    def __init__(
        self,
        log: Log,
        origin: str,
        signer: Signer,
        stamps: Stamps,
        *,
        seen: Callable[[], Seen],
        behind: Callable[[], bool],
        publish: Callable[[Released], None],
        testing_step: Callable[[str], None],
        held_seconds: float = HELD_SECONDS,
    ) -> None:
        self._log, self._origin, self._signer, self._stamps = log, origin, signer, stamps
        self._seen, self._behind, self._publish, self._step = seen, behind, publish, testing_step
        self._held_seconds = held_seconds
        self._queue: list[Pending] = []
        self._order = 0
        self._wake = asyncio.Event()

    async def append(self, pending: Pending) -> Placed:
        """Put a record into the queue and return once its note is released.

        ``Refused`` RECORD_SIZE, BLOBS or BLOB_HASH; ``Unavailable`` BUSY, or HELD while the line is behind.
        """
        check_blobs(pending)
        if len(self._queue) >= MAX_QUEUE:
            raise Unavailable("BUSY", seconds=1)
        self._order += 1
        pending.order = self._order
        self._queue.append(pending)
        self._wake.set()
        if not pending.below_flash:
            return await pending.done
        while True:
            done, _ = await asyncio.wait([pending.done], timeout=self._held_seconds)
            if done:
                return pending.done.result()
            if pending in self._queue and self._behind():
                self._queue.remove(pending)
                raise Unavailable("HELD", seconds=int(self._held_seconds))

    def look_again(self) -> None:
        """The line moved: what was held back may go."""
        self._wake.set()

    async def run(self) -> None:
        """Commit batches for ever; raises ``Fatal`` when a commit's outcome is unknown."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._take():
                await self._commit(batch)

    def _take(self) -> list[Pending]:
        """The next batch, in order of rank, then of coming."""
        held = self._behind()
        batch: list[Pending] = []
        keys: set[bytes] = set()
        weight = 0
        for pending in sorted(self._queue, key=lambda p: (p.rank, p.order)):
            if held and pending.below_flash or pending.key in keys:  # noqa: RUF021  a twin goes into the next batch
                continue
            weight += pending.weight()
            if len(batch) == MAX_BATCH_RECORDS or (batch and weight > MAX_BATCH_BYTES):
                break
            batch.append(pending)
            keys |= {pending.key} - {b""}
        for pending in batch:
            self._queue.remove(pending)
        return batch

    async def _commit(self, batch: list[Pending]) -> None:
        head = self._signer.head(self._origin)
        made = self._make(batch)  # a
        self._step("a")
        try:
            while made:
                entries = [Entry.of(raw, pending.key) for pending, raw in made]
                blobs = {h: b for pending, _ in made for h, b in pending.blobs.items()}
                match await self._log.append(head.size, entries, blobs):  # b
                    case Duplicate(position, index):
                        made.pop(position)[0].done.set_result(Placed(index, dup=True))
                    case Appended():
                        self._step("b")
                        await self._release(head.size, made, entries, blobs)
                        return
                    case other:
                        raise Fatal("LOG_SIZE", log=self._log.name, found=other.size, need=head.size)
        except Problem as e:
            for pending, _ in made:
                if not pending.done.done():
                    pending.done.set_exception(Unavailable("RECOVERING"))
            raise e if isinstance(e, Fatal) else Fatal("COMMIT", why=e.code, log=self._log.name) from e

    async def _release(
        self, first: int, made: Sequence[tuple[Pending, bytes]], entries: Sequence[Entry], blobs: Mapping[bytes, bytes]
    ) -> None:
        await self._signer.extend(self._origin, first, [e.leaf for e in entries], self._stamps.last)  # c
        self._step("c")
        note = self._signer.quick(self._origin)  # d
        self._step("d")
        self._signer.check_own(note)  # e
        await self._log.put_note(NoteKey(note.size, anchor=False), note.encode())
        self._publish(Released(first, tuple(raw for _, raw in made), blobs, note))
        self._step("e")
        for at, (pending, _) in enumerate(made, start=first):
            if not pending.done.done():
                pending.done.set_result(Placed(at, dup=False))

    def _make(self, batch: list[Pending]) -> list[tuple[Pending, bytes]]:
        """Step a: the records' bytes. A record that can't be is refused alone."""
        ts, seen = self._stamps.next(), self._seen()
        made = []
        for pending in batch:
            if pending.seen_size not in (None, seen[1]):
                pending.done.set_exception(Unavailable("BUSY", seconds=0))
                continue
            try:
                record = Record(t=pending.t, ts=ts, seen=seen, blobs=pending.named, env=pending.env)
                made.append((pending, record.encode()))
            except Refused as e:
                pending.done.set_exception(e)
        return made


def check_blobs(pending: Pending) -> None:
    """The blobs that came are those that the record names, whole and not too many; else ``Refused``."""
    if sum(map(len, pending.blobs.values())) > MAX_BLOBS:
        raise Refused("BLOBS", limit=MAX_BLOBS)
    for digest, blob in pending.blobs.items():
        if digest not in pending.named or hashlib.sha256(blob).digest() != digest:
            raise Refused("BLOB_HASH", blob=digest)
