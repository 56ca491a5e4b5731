"""What a log and its store promise; ``redis`` and ``memory`` keep it, and one behaviour suite holds both to it.

A store belongs to one channel and gives that channel's logs by name: ``a0`` and ``b0`` are the shared logs number 0 of
parties a and b, ``a0s`` is a side log. Index = position; a log never shrinks and no record ever changes.

The store is trusted for availability and order, never for content: what may be signed stands in the signing journal
(``journal``), and a record that changed is found by its leaf hash.

An error reply of a store means that nothing was written. A lost connection means that nobody knows: the process has to
end and let recovery see what the log says. Nothing here tries again by itself.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from channel.protocol.merkle import leaf_hash
from channel.protocol.record import MAX_RECORD
from keys.errors import Problem, Refused, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from channel.log.notes import NoteKey

MAX_BATCH_RECORDS = 256
MAX_BATCH_BYTES = 4 * 1024 * 1024  # records and blobs together; protocol section 7
MAX_LOG_NAME = 24
LEAF = 32  # bytes of a leaf hash

_NAME = re.compile(r"[ab](0|[1-9][0-9]{0,9})s?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to append: its bytes, its RFC 6962 leaf hash, its idempotency key (empty: none)."""

    record: bytes
    leaf: bytes
    key: bytes = b""

    @classmethod
    def of(cls, record: bytes, key: bytes = b"") -> Entry:
        """The entry of a record, with the leaf hash computed."""
        return cls(record, leaf_hash(record), key)


@dataclass(frozen=True, slots=True)
class Appended:
    """The whole batch is durable; ``size`` is the log's size with it."""

    size: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Nothing was written: the key of the entry at ``position`` of the batch already stands at ``index`` of the log.

    Within one batch ``index`` is where the first of the two would have come to stand.
    """

    position: int
    index: int


@dataclass(frozen=True, slots=True)
class WrongSize:
    """Nothing was written: the log has ``size`` records, not the expected number."""

    size: int


Outcome = Appended | Duplicate | WrongSize


class Fenced(Problem):
    """Another process took this log over. This one must end: whatever it believes about the log may be old."""

    def __init__(self, log: str) -> None:
        super().__init__("FENCED", log=log)


class Log(Protocol):
    """One append-only log with its blobs, its index of idempotency keys and its notes."""

    @property
    def name(self) -> str:
        """The name within the channel, such as ``a0``."""
        ...

    async def size(self) -> int:
        """The number of records."""
        ...

    async def append(self, expected: int, entries: Sequence[Entry], blobs: Mapping[bytes, bytes]) -> Outcome:
        """Append 1 to 256 records and write their blobs (hash: bytes) in one atomic, durable step.

        Either every record and blob is there and on disk when this returns ``Appended``, or nothing was written. Takes
        the log at ``expected`` records only. A blob that is already there stays. ``Fenced`` when another process took
        the log; ``Refused`` BATCH when the batch breaks a limit; ``Problem`` STORE_DAMAGED when the store contradicts
        itself.
        """
        ...

    async def append_lost(self, expected: int, leaves: Sequence[bytes]) -> Outcome:
        """Keep 1 to 256 places whose records no copy holds by their leaf hashes, as one atomic, durable step.

        For the recovery of a side log alone (docs/protocol.md section 9): size and leaf hashes become what the journal
        says. Never ``Duplicate``; errors as ``append``.
        """
        ...

    async def records(self, lo: int, hi: int) -> list[bytes]:
        """The records of [lo, hi), fewer where the log ends before; ``Problem`` STORE_DAMAGED where one is missing.

        An empty one is a lost place (``append_lost``): an opaque leaf, its hash is the stored one.
        """
        ...

    async def leaf_hashes(self, lo: int, hi: int) -> list[bytes]:
        """The stored leaf hashes of [lo, hi), fewer where the log ends before."""
        ...

    async def index_of(self, key: bytes) -> int | None:
        """Where the record with this idempotency key stands."""
        ...

    async def blob(self, digest: bytes) -> bytes | None:
        """The blob of this SHA-256, as stored. It is the reader who checks it."""
        ...

    async def put_blob(self, digest: bytes, blob: bytes) -> None:
        """Put a lost blob back, durably; ``Refused`` BLOB_HASH if it has another hash. A whole one stays as it is."""
        ...

    async def put_note(self, key: NoteKey, raw: bytes, marks: Iterable[str] = (), *, keep: bool = True) -> bool:
        """Store a note; it becomes the newest one unless a later one is there, and stays among the kept ones if asked.

        Whether it is the newest now.

        A note without the mark ``cosigned`` never takes the place of one that has it under the same key. Marks add up.
        """
        ...

    async def newest_note(self) -> bytes | None:
        """The note over the biggest size; of those the anchor, of anchors the latest."""
        ...

    async def kept_notes(self) -> dict[NoteKey, frozenset[str]]:
        """The key and marks of every kept note. ``notes.may_go`` says which of them may be dropped."""
        ...

    async def kept_note(self, key: NoteKey) -> bytes | None:
        """One kept note."""
        ...

    async def mark_note(self, key: NoteKey, mark: str) -> None:
        """Add a mark to a kept note; ``WrongUse`` NO_NOTE if there is none."""
        ...

    async def drop_notes(self, keys: Iterable[NoteKey]) -> None:
        """Let kept notes go, all at once; what is not there is nothing."""
        ...

    async def wait(self, size: int, timeout: float) -> int:  # noqa: ASYNC109 - followers wait in slices by design
        """Return the log's size as soon as it is more than ``size``, at the latest after ``timeout`` seconds."""
        ...


class Store(Protocol):
    """The logs of one channel."""

    async def take_fence(self, names: Iterable[str]) -> None:
        """Become the only writer of these logs: from now on every earlier writer gets ``Fenced``.

        Nothing can be written to a log before this was called for it.
        """
        ...

    def log(self, name: str) -> Log:
        """The log of this name: the same object each time."""
        ...

    async def close(self) -> None:
        """Let go of the store. Logs of a closed store can't be used."""
        ...


def check_name(name: str) -> str:
    """The name, if it is one of a log (``a0``, ``b3``, ``a0s``)."""
    if not _NAME.fullmatch(name):
        raise WrongUse("LOG_NAME", name=name[:MAX_LOG_NAME])
    return name


def check_batch(entries: Sequence[Entry], blobs: Mapping[bytes, bytes]) -> None:
    """Raise ``Refused`` BATCH for what the server can't see: leaf hashes and blob hashes that are not of these bytes.

    Limits are judged here too, so that a batch that is too big never crosses to the server.
    """
    if not 1 <= len(entries) <= MAX_BATCH_RECORDS:
        raise Refused("BATCH", why="records", found=len(entries))
    total = sum(len(e.record) for e in entries) + sum(map(len, blobs.values()))
    if total > MAX_BATCH_BYTES:
        raise Refused("BATCH", why="bytes", found=total)
    for position, entry in enumerate(entries):
        if not 1 <= len(entry.record) <= MAX_RECORD:
            raise Refused("BATCH", why="record size", found=position)
        if leaf_hash(entry.record) != entry.leaf:
            raise Refused("BATCH", why="leaf hash", found=position)
    for position, (digest, blob) in enumerate(blobs.items()):
        if not blob or hashlib.sha256(blob).digest() != digest:
            raise Refused("BATCH", why="blob hash", found=position)


def check_lost(leaves: Sequence[bytes]) -> None:
    """Raise ``Refused`` BATCH unless these are 1 to 256 leaf hashes."""
    if not 1 <= len(leaves) <= MAX_BATCH_RECORDS:
        raise Refused("BATCH", why="records", found=len(leaves))
    for position, leaf in enumerate(leaves):
        if len(leaf) != LEAF:
            raise Refused("BATCH", why="leaf hash", found=position)


def check_blob(digest: bytes, blob: bytes) -> None:
    """Raise ``Refused`` BLOB_HASH unless the bytes have this hash."""
    if not blob or hashlib.sha256(blob).digest() != digest:
        raise Refused("BLOB_HASH", blob=digest)
