"""The log on Redis 7.0 or newer, or Valkey (docs/protocol.md section 14 has the layout).

    {chan8}:log:<log>   stream, id ``index+1``-0, field r    {chan8}:note:<log>   newest note
    {chan8}:l0:<log>    leaf hashes, 32 bytes each           {chan8}:notes:<log>  hash: kept notes, their marks, "newest"
    {chan8}:meta:<log>  hash {size, fence}                   {chan8}:blob:<log>:<hex hash>
    {chan8}:idem:<log>  hash: idempotency key to index

``append.lua`` is the only way in for a record, or for the place of a lost one (r empty): one function call that checks
all before it writes anything. With
``appendfsync always`` the reply leaves the server only after the file is synced; where the server has WAITAOF (7.2) it
is asked to say so too. A note goes in by a function of its own; blobs that are put back and marks of notes are written in a
transaction that watches the fence.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from importlib import resources
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
    WatchError,
)
from redis.exceptions import ConnectionError as Gone
from redis.exceptions import TimeoutError as Late

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
from channel.log.notes import COSIGNED, MARKS, NoteKey, check_marks
from channel.log.settings import WAITAOF_SINCE, check_settings
from keys.errors import Problem, Refused, Unavailable, WrongUse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from redis.asyncio.client import Pipeline

    from channel.log.log import Entry

REPLY_TIMEOUT = 30.0  # seconds; a disk that takes longer to sync is a broken disk
SYNC_TIMEOUT_MS = 500
SLICE = 5.0  # seconds that one XREAD of a follower blocks at most
READ_AT_ONCE = 512  # records


class RedisServer:
    """A server that was reached and found fit; it gives the store of each channel."""

    def __init__(self, client: Redis, *, waitaof: bool) -> None:
        self._client = client
        self._waitaof = waitaof

    @classmethod
    async def connect(cls, url: str) -> RedisServer:
        """Connect to ``unix://user:password@/path``, ``redis://…`` or ``rediss://…``, check settings, load the function.

        ``Unavailable`` STORE_GONE if nothing answers, ``Refused`` STORE_ACCESS or STORE_SETTING if it is not fit.
        """
        try:
            # No retries: after a lost reply nobody knows what was written, and only recovery may find out.
            client = Redis.from_url(
                url, retry=Retry(NoBackoff(), 0), socket_timeout=REPLY_TIMEOUT, socket_connect_timeout=5, protocol=2
            )
        except ValueError as e:
            raise WrongUse("STORE_URL", why=str(e)) from e
        try:
            version = await check_settings(client)
            await client.function_load((resources.files(__package__) / "append.lua").read_text(), replace=True)
        except (AuthenticationError, NoPermissionError) as e:
            await client.aclose()
            raise Refused("STORE_ACCESS", why=str(e)) from e
        except (Gone, Late, OSError) as e:
            await client.aclose()
            raise Unavailable("STORE_GONE", why=str(e)) from e
        except BaseException:
            await client.aclose()
            raise
        return cls(client, waitaof=version >= WAITAOF_SINCE)

    def store(self, chan: bytes) -> RedisStore:
        """The store of a channel id."""
        return RedisStore(self._client, chan, waitaof=self._waitaof)

    async def close(self) -> None:
        """Close every connection, of all stores too."""
        await self._client.aclose()


class RedisStore:
    """``Store`` on a server that others may share."""

    def __init__(self, client: Redis, chan: bytes, *, waitaof: bool) -> None:
        self._client = client
        self._prefix = "{" + chan[:8].hex() + "}:"
        self._waitaof = waitaof
        self._logs: dict[str, RedisLog] = {}

    async def take_fence(self, names: Iterable[str]) -> None:
        for name in names:
            await self.log(name).take_fence()

    def log(self, name: str) -> RedisLog:
        if name not in self._logs:
            self._logs[name] = RedisLog(self._client, self._prefix, check_name(name), waitaof=self._waitaof)
        return self._logs[name]

    async def close(self) -> None:
        self._logs.clear()


class RedisLog:
    """``Log`` on a stream and the keys beside it."""

    def __init__(self, client: Redis, prefix: str, name: str, *, waitaof: bool) -> None:
        self.name = name
        self._client = client
        self._waitaof = waitaof
        self._log, self._l0, self._meta, self._idem, self._note, self._notes, self._blob = (
            f"{prefix}{key}:{name}" for key in ("log", "l0", "meta", "idem", "note", "notes", "blob")
        )
        self._fence: bytes | None = None
        self._kept: dict[NoteKey, frozenset[str]] | None = None
        self._newest = b""  # which note that is, as the store remembers it
        self._grown = asyncio.Event()

    async def take_fence(self) -> None:
        """Become the only writer."""
        async with self._talking():
            self._fence = b"%d" % await self._client.hincrby(self._meta, "fence", 1)
        self._kept = None

    async def size(self) -> int:
        async with self._talking():
            return int(await self._client.hget(self._meta, "size") or 0)

    async def append(self, expected: int, entries: Sequence[Entry], blobs: Mapping[bytes, bytes]) -> Outcome:
        check_batch(entries, blobs)
        keys = [self._log, self._l0, self._meta, self._idem, *map(self._blob_key, blobs)]
        flat = chain.from_iterable((e.record, e.leaf, e.key) for e in entries)
        args = [self._held(), expected, len(entries), len(blobs), *flat, *blobs.values()]
        return await self._append("dcx_append", keys, args)

    async def append_lost(self, expected: int, leaves: Sequence[bytes]) -> Outcome:
        check_lost(leaves)
        return await self._append("dcx_lost", [self._log, self._l0, self._meta], [self._held(), expected, *leaves])

    async def _append(self, function: str, keys: list[str], args: list[Any]) -> Outcome:
        async with self._talking():
            pipe = self._client.pipeline(transaction=False)
            pipe.fcall(function, len(keys), *keys, *args)
            if self._waitaof:  # of this connection's writes, so it has to follow on the same one
                pipe.execute_command("WAITAOF", 1, 0, SYNC_TIMEOUT_MS)
            reply, *synced = await pipe.execute(raise_on_error=False)
        if isinstance(reply, RedisError):
            raise self._problem(reply)
        outcome = _outcome(reply)
        if isinstance(outcome, Appended):
            self._check_synced(synced)
            self.wake()
        return outcome

    async def records(self, lo: int, hi: int) -> list[bytes]:
        found: list[bytes] = []
        while lo < hi:
            to = min(hi, lo + READ_AT_ONCE)
            async with self._talking():
                pipe = self._client.pipeline(transaction=False)  # the size first: a record below it has to be there
                pipe.hget(self._meta, "size")
                pipe.xrange(self._log, f"{lo + 1}-0", f"{to}-0")
                size, rows = await pipe.execute()
            for at, (row, fields) in enumerate(rows, start=lo):
                if row != b"%d-0" % (at + 1) or set(fields) != {b"r"}:
                    raise Problem("STORE_DAMAGED", log=self.name, index=at)
                found.append(fields[b"r"])
            if lo + len(rows) < min(to, int(size or 0)):
                raise Problem("STORE_DAMAGED", log=self.name, index=lo + len(rows))
            if lo + len(rows) < to:
                break
            lo = to
        return found

    async def leaf_hashes(self, lo: int, hi: int) -> list[bytes]:
        if lo >= hi:
            return []
        async with self._talking():
            raw = cast("bytes", await self._client.getrange(self._l0, 32 * lo, 32 * hi - 1))
        if len(raw) % 32:
            raise Problem("STORE_DAMAGED", log=self.name, index=lo + len(raw) // 32)
        return [raw[i : i + 32] for i in range(0, len(raw), 32)]

    async def index_of(self, key: bytes) -> int | None:
        async with self._talking():
            at = await self._client.hget(self._idem, key)
        return None if at is None else int(at)

    async def blob(self, digest: bytes) -> bytes | None:
        async with self._talking():
            return cast("bytes | None", await self._client.get(self._blob_key(digest)))

    async def put_blob(self, digest: bytes, blob: bytes) -> None:
        check_blob(digest, blob)

        async def change(pipe: Pipeline) -> None:
            if await pipe.get(self._blob_key(digest)) != blob:
                pipe.multi()  # type: ignore[no-untyped-call]
                pipe.set(self._blob_key(digest), blob)

        await self._fenced(change)

    async def put_note(self, key: NoteKey, raw: bytes, marks: Iterable[str] = (), *, keep: bool = True) -> bool:
        marks = check_marks(frozenset(marks))
        kept = await self._kept_notes()
        while True:
            follows = key.may_follow(self._newest or None, cosigned=COSIGNED in marks)
            becomes = key.as_newest(cosigned=COSIGNED in marks) if follows else ""
            args = [self._held(), self._newest, becomes, key.field() if keep else "", raw, *sorted(marks)]
            async with self._talking():
                try:
                    reply = await self._client.fcall("dcx_note", 3, self._meta, self._note, self._notes, *args)
                except ResponseError as e:
                    raise self._problem(e) from e
            if reply[0] == b"OK":
                break
            self._newest = reply[1]  # another note came in between: whether this one follows it is asked again
        self._newest = becomes.encode() or self._newest
        if keep:
            kept[key] = kept.get(key, frozenset()) | marks
        return follows

    async def newest_note(self) -> bytes | None:
        async with self._talking():
            return cast("bytes | None", await self._client.get(self._note))

    async def kept_notes(self) -> dict[NoteKey, frozenset[str]]:
        return dict(await self._kept_notes())

    async def _kept_notes(self) -> dict[NoteKey, frozenset[str]]:
        """What is kept. The holder of the fence reads it once: nobody else writes."""
        if self._fence is not None and self._kept is not None:
            return self._kept
        async with self._talking():
            fields = cast("list[bytes]", await self._client.hkeys(self._notes))
            self._newest = cast("bytes | None", await self._client.hget(self._notes, "newest")) or b""
        kept: dict[NoteKey, set[str]] = {}
        for field in sorted(f.decode() for f in fields if f != b"newest"):  # a note sorts before its marks
            key, mark = field.rsplit("/", 1) if field.count("/") == 3 else (field, None)
            kept.setdefault(NoteKey.read(key), set()).update({mark} if mark else ())
        self._kept = {key: frozenset(marks) for key, marks in kept.items()}
        return self._kept

    async def kept_note(self, key: NoteKey) -> bytes | None:
        async with self._talking():
            found: bytes | None = await self._client.hget(self._notes, key.field())  # type: ignore[assignment]
        return found

    async def mark_note(self, key: NoteKey, mark: str) -> None:
        check_marks(frozenset({mark}))
        kept = await self._kept_notes()
        if key not in kept:
            raise WrongUse("NO_NOTE", log=self.name, note=key.field())

        async def change(pipe: Pipeline) -> None:
            pipe.multi()  # type: ignore[no-untyped-call]
            pipe.hset(self._notes, f"{key.field()}/{mark}", b"1")

        await self._fenced(change)
        kept[key] |= {mark}

    async def drop_notes(self, keys: Iterable[NoteKey]) -> None:
        keys = list(keys)
        kept = await self._kept_notes()

        async def change(pipe: Pipeline) -> None:
            pipe.multi()  # type: ignore[no-untyped-call]
            for key in keys:
                pipe.hdel(self._notes, key.field(), *(f"{key.field()}/{mark}" for mark in MARKS))

        if keys:
            await self._fenced(change)
        for key in keys:
            kept.pop(key, None)

    async def wait(self, size: int, timeout: float) -> int:  # noqa: ASYNC109
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while True:
            grown = self._grown  # before the look, so that nothing slips in between
            found = await self.size()
            left = until - loop.time()
            if found > size or left <= 0:
                return found
            if self._fence is not None:  # nobody but this process writes
                with suppress(TimeoutError):
                    await asyncio.wait_for(grown.wait(), left)
            else:
                async with self._talking():
                    await self._client.xread(
                        {self._log: f"{size}-0"}, count=1, block=max(1, int(min(left, SLICE) * 1000))
                    )

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._grown.set()
        self._grown = asyncio.Event()

    async def _fenced(self, change: Callable[[Pipeline], Awaitable[None]]) -> None:
        """Run a change as one transaction under the own fence; again if the keys moved meanwhile."""
        held = self._held()
        while True:
            async with self._talking(), self._client.pipeline(transaction=True) as pipe:
                await pipe.watch(self._meta)
                if await pipe.hget(self._meta, "fence") != held:
                    raise Fenced(self.name)
                await change(pipe)
                with suppress(WatchError):
                    await pipe.execute()
                    return

    def _held(self) -> bytes:
        if self._fence is None:
            raise WrongUse("NO_FENCE", log=self.name)
        return self._fence

    def _blob_key(self, digest: bytes) -> str:
        return f"{self._blob}:{digest.hex()}"

    def _check_synced(self, replies: list[Any]) -> None:
        for reply in replies:
            if isinstance(reply, RedisError) or reply[0] < 1:
                raise Problem("STORE_NOT_SYNCED", log=self.name, ms=SYNC_TIMEOUT_MS)

    def _problem(self, e: RedisError) -> Problem:
        word = str(e).split(" ")[0]
        if word == "FENCED":
            return Fenced(self.name)
        if word in {"L0LEN", "XLEN"}:
            return Problem("STORE_DAMAGED", log=self.name, index=word)
        if word in {"ARG", "ARGC", "BLOB", "BATCH"}:
            return Refused("BATCH", why=str(e), found=self.name)
        return _translate(e)

    @asynccontextmanager
    async def _talking(self) -> AsyncIterator[None]:
        try:
            yield
        except (RedisError, OSError) as e:
            raise _translate(e) from e


def _translate(e: Exception) -> Problem:
    if isinstance(e, ResponseError):
        return Problem("STORE_REFUSED", why=str(e))
    return Problem("STORE_LOST", why=str(e) or type(e).__name__)


def _outcome(reply: list[Any]) -> Outcome:
    match reply:
        case [b"OK", size]:
            return Appended(size)
        case [b"DUP", position, index]:
            return Duplicate(position, index)
        case [b"SIZE", size]:
            return WrongSize(size)
    raise Problem("STORE_REFUSED", why=repr(reply)[:80])
