"""The log in memory: the twin of ``redis`` with the same promises, except that it ends with the process.

For tests, exercises without a disk, and for reading an archive as if it were a store. A ``MemoryServer`` stands for the
server: two stores on one server see each other as two processes on one Redis do.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from channel.log.log import (
    Appended,
    Duplicate,
    Fenced,
    Outcome,
    WrongSize,
    check_batch,
    check_blob,
    check_lost,
    check_name,
)
from channel.log.notes import COSIGNED, NoteKey, check_marks
from keys.errors import Refused, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from channel.log.log import Entry


@dataclass(slots=True)
class _Kept:
    """What the server holds of one log."""

    fence: int = 0
    records: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    index: dict[bytes, int] = field(default_factory=dict)
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    notes: dict[NoteKey, tuple[bytes, frozenset[str]]] = field(default_factory=dict)
    newest: tuple[str, bytes] | None = None
    grown: asyncio.Event = field(default_factory=asyncio.Event)


class MemoryServer:
    """The place that stores share."""

    def __init__(self) -> None:
        self._kept: dict[tuple[bytes, str], _Kept] = {}

    def store(self, chan: bytes) -> MemoryStore:
        """The store of a channel id."""
        return MemoryStore(self, chan)

    def kept(self, chan: bytes, name: str) -> _Kept:
        """What is held of one log; tests look here."""
        return self._kept.setdefault((chan[:8], name), _Kept())

    async def close(self) -> None:
        """Nothing to close: what was held stays held."""


class MemoryStore:
    """``Store`` on a ``MemoryServer``."""

    def __init__(self, server: MemoryServer, chan: bytes) -> None:
        self._server = server
        self._chan = chan
        self._logs: dict[str, MemoryLog] = {}

    async def take_fence(self, names: Iterable[str]) -> None:
        for name in names:
            self.log(name).take_fence()

    def log(self, name: str) -> MemoryLog:
        if name not in self._logs:
            self._logs[name] = MemoryLog(self._server.kept(self._chan, check_name(name)), name)
        return self._logs[name]

    async def close(self) -> None:
        self._logs.clear()


class MemoryLog:
    """``Log`` on lists and dictionaries. No method yields between its checks and its writes."""

    def __init__(self, kept: _Kept, name: str) -> None:
        self.name = name
        self._kept = kept
        self._fence: int | None = None

    def take_fence(self) -> None:
        """Become the only writer."""
        self._kept.fence += 1
        self._fence = self._kept.fence

    async def size(self) -> int:
        return len(self._kept.records)

    async def append(self, expected: int, entries: Sequence[Entry], blobs: Mapping[bytes, bytes]) -> Outcome:
        check_batch(entries, blobs)
        self._check_fence()
        kept, size = self._kept, len(self._kept.records)
        if size != expected:
            return WrongSize(size)
        seen: dict[bytes, int] = {}
        for position, entry in enumerate(entries):
            if entry.key and (found := kept.index.get(entry.key, seen.get(entry.key))) is not None:
                return Duplicate(position, found)
            seen[entry.key] = size + position
        for position, (digest, blob) in enumerate(blobs.items(), start=1):
            if len(kept.blobs.get(digest, blob)) != len(blob):
                raise Refused("BATCH", why=f"BLOB {position}", found=self.name)
        kept.blobs = dict(blobs) | kept.blobs
        kept.records += [e.record for e in entries]
        kept.leaves += [e.leaf for e in entries]
        kept.index |= {key: at for key, at in seen.items() if key}
        self.wake()
        return Appended(len(kept.records))

    async def append_lost(self, expected: int, leaves: Sequence[bytes]) -> Outcome:
        check_lost(leaves)
        self._check_fence()
        if (size := len(self._kept.records)) != expected:
            return WrongSize(size)
        self._kept.records += [b""] * len(leaves)
        self._kept.leaves += leaves
        self.wake()
        return Appended(len(self._kept.records))

    async def records(self, lo: int, hi: int) -> list[bytes]:
        return self._kept.records[lo:hi]

    async def leaf_hashes(self, lo: int, hi: int) -> list[bytes]:
        return self._kept.leaves[lo:hi]

    async def index_of(self, key: bytes) -> int | None:
        return self._kept.index.get(key)

    async def blob(self, digest: bytes) -> bytes | None:
        return self._kept.blobs.get(digest)

    async def put_blob(self, digest: bytes, blob: bytes) -> None:
        check_blob(digest, blob)
        self._check_fence()
        self._kept.blobs[digest] = blob

    async def put_note(self, key: NoteKey, raw: bytes, marks: Iterable[str] = (), *, keep: bool = True) -> bool:
        marks = check_marks(frozenset(marks))
        self._check_fence()
        kept, cosigned = self._kept, COSIGNED in marks
        newest = key.may_follow(kept.newest and kept.newest[0].encode(), cosigned=cosigned)
        if newest:
            kept.newest = (key.as_newest(cosigned=cosigned), raw)
        if keep:
            old, had = kept.notes.get(key, (raw, frozenset[str]()))
            kept.notes[key] = (raw if cosigned or COSIGNED not in had else old, had | marks)
        return newest

    async def newest_note(self) -> bytes | None:
        return self._kept.newest and self._kept.newest[1]

    async def kept_notes(self) -> dict[NoteKey, frozenset[str]]:
        return {key: marks for key, (_, marks) in self._kept.notes.items()}

    async def kept_note(self, key: NoteKey) -> bytes | None:
        return self._kept.notes[key][0] if key in self._kept.notes else None

    async def mark_note(self, key: NoteKey, mark: str) -> None:
        check_marks(frozenset({mark}))
        self._check_fence()
        if key not in self._kept.notes:
            raise WrongUse("NO_NOTE", log=self.name, note=key.field())
        raw, had = self._kept.notes[key]
        self._kept.notes[key] = (raw, had | {mark})

    async def drop_notes(self, keys: Iterable[NoteKey]) -> None:
        self._check_fence()
        for key in keys:
            self._kept.notes.pop(key, None)

    async def wait(self, size: int, timeout: float) -> int:  # noqa: ASYNC109
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while (left := until - loop.time()) > 0 and len(self._kept.records) <= size:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._kept.grown.wait(), left)
        return len(self._kept.records)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._kept.grown.set()
        self._kept.grown = asyncio.Event()

    def _check_fence(self) -> None:
        if self._fence is None:
            raise WrongUse("NO_FENCE", log=self.name)
        if self._fence != self._kept.fence:
            raise Fenced(self.name)
