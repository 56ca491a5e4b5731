"""What every log has to do, once for all stores: memory, the embedded Valkey, Debian's Redis."""

from __future__ import annotations

import asyncio
import hashlib
import os

import pytest

from channel.log.log import (
    MAX_BATCH_BYTES,
    MAX_BATCH_RECORDS,
    Appended,
    Duplicate,
    Entry,
    Fenced,
    Log,
    Store,
    WrongSize,
)
from channel.log.notes import COSIGNED, EXPORTED, NoteKey
from channel.protocol.merkle import leaf_hash
from channel.protocol.record import MAX_RECORD
from keys.errors import Refused, WrongUse


def entries(*records: bytes) -> list[Entry]:
    return [Entry.of(record, hashlib.sha256(b"key" + record).digest()) for record in records]


def blobs(*contents: bytes) -> dict[bytes, bytes]:
    return {hashlib.sha256(content).digest(): content for content in contents}


async def dump(log: Log) -> tuple[object, ...]:
    """All that can be read of a log, for the records and blobs that these tests write."""
    kept = await log.kept_notes()
    return (
        await log.size(), await log.records(0, 9999), await log.leaf_hashes(0, 9999), await log.newest_note(), kept,
        [await log.kept_note(key) for key in kept],
        [await log.blob(digest) for digest in blobs(b"one", b"two", b"three")],
        [await log.index_of(entry.key) for entry in entries(b"r0", b"r1", b"r2", b"r3")],
    )  # fmt: skip


QUICK, ANCHOR, LATER = NoteKey(2, anchor=False), NoteKey(2, anchor=True, at=100), NoteKey(2, anchor=True, at=130)


class LogSuite:
    """Needs a fixture ``server`` with ``store(chan)``: a new store on the same place each time."""

    @pytest.fixture
    def chan(self) -> bytes:
        return os.urandom(32)

    @pytest.fixture
    def store(self, server, chan) -> Store:
        return server.store(chan)

    @pytest.fixture
    async def log(self, store) -> Log:
        await store.take_fence(["a0"])
        return store.log("a0")

    async def test_append_read(self, log):
        """A batch is there as a whole: records, leaf hashes, blobs and keys, in order."""
        assert await log.size() == 0
        assert await log.append(0, entries(b"r0", b"r1"), blobs(b"one", b"two")) == Appended(2)
        assert await log.append(2, entries(b"r2"), {}) == Appended(3)
        assert await log.records(0, 3) == [b"r0", b"r1", b"r2"]
        assert await log.records(1, 2) == [b"r1"]
        assert await log.records(2, 50) == [b"r2"]
        assert await log.records(3, 50) == await log.records(2, 2) == []
        assert await log.leaf_hashes(0, 9) == [leaf_hash(r) for r in (b"r0", b"r1", b"r2")]
        assert [await log.blob(h) for h in blobs(b"one", b"two", b"three")] == [b"one", b"two", None]
        assert [await log.index_of(e.key) for e in entries(b"r0", b"r2", b"r3")] == [0, 2, None]

    async def test_same_object(self, store):
        """A store gives the same log for a name each time, and none for a name that is not one."""
        assert store.log("b12") is store.log("b12")
        for name in ("", "c0", "a", "a00", "a0x", "a0 ", "a0\n", "a-1"):
            with pytest.raises(WrongUse):
                store.log(name)

    async def test_logs_apart(self, store, log, server):
        """Logs of one channel, and channels of one server, do not see each other's records or blobs."""
        await log.append(0, entries(b"r0"), blobs(b"one"))
        other = server.store(os.urandom(32)).log("a0")
        for elsewhere in (store.log("a0s"), store.log("b0"), other):
            assert await elsewhere.size() == 0
            assert await elsewhere.blob(hashlib.sha256(b"one").digest()) is None

    async def test_full_batch(self, log):
        """256 records of which the biggest is 65,535 bytes go in at once; reading crosses the page size."""
        first = [Entry.of(b"%d" % i) for i in range(MAX_BATCH_RECORDS - 1)] + [Entry.of(b"x" * MAX_RECORD)]
        assert await log.append(0, first, {}) == Appended(256)
        assert await log.append(256, first, {}) == Appended(512)
        assert await log.append(512, first, {}) == Appended(768)
        assert [len(r) for r in await log.records(500, 768)] == [len(e.record) for e in (first * 3)[500:768]]

    async def test_wrong_size(self, log):
        """An append at another size than the log's says the size and writes nothing."""
        await log.append(0, entries(b"r0"), {})
        before = await dump(log)
        for expected in (0, 2, 1000):
            assert await log.append(expected, entries(b"r1"), blobs(b"one")) == WrongSize(1)
        assert await dump(log) == before

    async def test_duplicates(self, log):
        """A key that the log has, or that comes twice in a batch, is answered with its index and writes nothing."""
        await log.append(0, entries(b"r0", b"r1"), {})
        before = await dump(log)
        assert await log.append(2, entries(b"r2", b"r1"), blobs(b"one")) == Duplicate(1, 1)
        assert await log.append(2, entries(b"r2", b"r3", b"r2"), blobs(b"one")) == Duplicate(2, 2)
        assert await dump(log) == before
        assert await log.append(2, [Entry.of(b"r0"), Entry.of(b"r0")], {}) == Appended(4), "empty keys are no keys"

    async def test_refused_batches(self, log):
        """Each batch that breaks a rule is refused and leaves no trace."""
        await log.append(0, entries(b"r0"), blobs(b"two"))
        before = await dump(log)
        third = MAX_BATCH_BYTES // 3
        bad = [
            ([], {}),
            ([Entry.of(b"x")] * (MAX_BATCH_RECORDS + 1), {}),
            ([Entry.of(b"")], {}),
            ([Entry.of(b"x" * (MAX_RECORD + 1))], {}),
            ([Entry(b"r1", leaf_hash(b"other"))], blobs(b"one")),
            ([Entry(b"r1", leaf_hash(b"r1")[:31])], {}),
            (entries(b"r1"), {hashlib.sha256(b"one").digest(): b"two"}),
            (entries(b"r1"), {hashlib.sha256(b"").digest(): b""}),
            (entries(b"r1"), blobs(*(bytes([i]) * third for i in range(3)))),
        ]
        for batch, named in bad:
            with pytest.raises(Refused):
                await log.append(1, batch, named)
        assert await dump(log) == before

    async def test_lost_places(self, log):
        """A place whose record is lost has its leaf hash and an empty record; appends go on after it."""
        await log.append(0, entries(b"r0"), {})
        lost = [leaf_hash(b"r1"), leaf_hash(b"r2")]
        assert await log.append_lost(1, lost) == Appended(3)
        assert await log.append(3, entries(b"r3"), blobs(b"one")) == Appended(4)
        assert await log.records(0, 9) == [b"r0", b"", b"", b"r3"]
        assert await log.leaf_hashes(0, 9) == [leaf_hash(r) for r in (b"r0", b"r1", b"r2", b"r3")]
        assert [await log.index_of(e.key) for e in entries(b"r1", b"r3")] == [None, 3]

    async def test_refused_lost_places(self, log, server, chan):
        """Places at another size, none, too many, no leaf hashes, and of a process that was replaced: nothing changes."""
        await log.append(0, entries(b"r0"), {})
        before = await dump(log)
        leaf = leaf_hash(b"r1")
        assert await log.append_lost(0, [leaf]) == await log.append_lost(2, [leaf]) == WrongSize(1)
        for leaves in ([], [leaf] * (MAX_BATCH_RECORDS + 1), [leaf, leaf[:31]]):
            with pytest.raises(Refused):
                await log.append_lost(1, leaves)
        await server.store(chan).take_fence(["a0"])
        with pytest.raises(Fenced):
            await log.append_lost(1, [leaf])
        assert await dump(log) == before

    async def test_blob_stays(self, log):
        """A blob that a second record names too is kept as it is."""
        await log.append(0, entries(b"r0"), blobs(b"one"))
        assert await log.append(1, entries(b"r1"), blobs(b"one", b"three")) == Appended(2)
        assert await log.blob(hashlib.sha256(b"three").digest()) == b"three"

    async def test_put_blob(self, log):
        """A lost blob can be put back, one with another hash can't."""
        digest = hashlib.sha256(b"one").digest()
        with pytest.raises(Refused):
            await log.put_blob(digest, b"other")
        assert await log.blob(digest) is None
        await log.put_blob(digest, b"one")
        await log.put_blob(digest, b"one")
        assert await log.blob(digest) == b"one"

    async def test_no_fence(self, store):
        """Nothing is written to a log before its fence was taken."""
        with pytest.raises(WrongUse):
            await store.log("a0").append(0, entries(b"r0"), {})
        with pytest.raises(WrongUse):
            await store.log("a0").put_note(QUICK, b"q")
        assert await store.log("a0").size() == 0

    async def test_fence(self, log, server, chan):
        """After another process took a log, the earlier one can't write anything to it, and can read."""
        await log.append(0, entries(b"r0"), {})
        after = server.store(chan)
        await after.take_fence(["a0"])
        digest = hashlib.sha256(b"one").digest()
        for write in (
            lambda: log.append(1, entries(b"r1"), blobs(b"one")),
            lambda: log.put_blob(digest, b"one"),
            lambda: log.put_note(QUICK, b"q"),
            lambda: log.drop_notes([QUICK]),
        ):
            with pytest.raises(Fenced):
                await write()
        assert await log.records(0, 9) == [b"r0"]
        assert await log.blob(digest) is None
        assert await after.log("a0").append(1, entries(b"r1"), {}) == Appended(2)
        assert await log.size() == 2

    async def test_fence_of_one_log(self, log, store, server, chan):
        """Taking one log leaves the others to whom they belong."""
        await store.take_fence(["b0"])
        await server.store(chan).take_fence(["b0"])
        assert await log.append(0, entries(b"r0"), {}) == Appended(1)

    async def test_racing_writers(self, log):
        """Of many appends at one size exactly one gets in."""
        outcomes = await asyncio.gather(*(log.append(0, entries(b"r%d" % i), {}) for i in range(8)))
        assert sorted(type(o).__name__ for o in outcomes) == ["Appended"] + ["WrongSize"] * 7
        assert await log.size() == 1

    async def test_quick_and_anchor(self, log):
        """A quick note and the anchors of one size stand side by side; the newest is the latest anchor."""
        for key, raw in ((LATER, b"later"), (QUICK, b"quick"), (ANCHOR, b"anchor")):
            await log.put_note(key, raw)
        assert await log.newest_note() == b"later"
        assert [await log.kept_note(k) for k in (QUICK, ANCHOR, LATER)] == [b"quick", b"anchor", b"later"]
        await log.put_note(NoteKey(3, anchor=False), b"three", keep=False)
        assert await log.newest_note() == b"three"
        assert set(await log.kept_notes()) == {QUICK, ANCHOR, LATER}

    async def test_cosigned_note_stays(self, log):
        """A note signed again after a crash never takes the place of its cosigned self."""
        await log.put_note(QUICK, b"bare")
        await log.put_note(QUICK, b"cosigned", [COSIGNED])
        await log.put_note(QUICK, b"bare")
        assert await log.kept_note(QUICK) == await log.newest_note() == b"cosigned"
        await log.put_note(QUICK, b"cosigned later", [COSIGNED])
        assert await log.kept_note(QUICK) == await log.newest_note() == b"cosigned later"
        assert await log.kept_notes() == {QUICK: frozenset({COSIGNED})}

    async def test_marks(self, log):
        """Marks add up, only known ones, only on a note that is there, and go with it."""
        await log.put_note(ANCHOR, b"anchor", [COSIGNED])
        await log.mark_note(ANCHOR, EXPORTED)
        assert await log.kept_notes() == {ANCHOR: frozenset({COSIGNED, EXPORTED})}
        with pytest.raises(WrongUse):
            await log.mark_note(ANCHOR, "pretty")
        with pytest.raises(WrongUse):
            await log.mark_note(QUICK, EXPORTED)
        await log.drop_notes([ANCHOR])
        await log.drop_notes([ANCHOR])
        assert await log.kept_notes() == {}
        assert await log.kept_note(ANCHOR) is None
        assert await log.newest_note() == b"anchor"

    async def test_notes_beside_appends(self, log):
        """Notes and records written at the same time do not disturb each other."""

        async def append() -> None:
            for i in range(8):
                assert await log.append(i, [Entry.of(b"%d" % i)], {}) == Appended(i + 1)

        async def sign() -> None:
            for i in range(8):
                await log.put_note(NoteKey(i, anchor=False), b"note %d" % i)

        await asyncio.gather(append(), sign())
        assert len(await log.kept_notes()) == await log.size() == 8

    async def test_wait(self, log, server, chan):
        """A follower wakes when the log grows, in the writer's process and in another; else it gets the size."""
        elsewhere = server.store(chan).log("a0")
        waiting = [asyncio.create_task(one.wait(0, 20)) for one in (log, elsewhere)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)
        await log.append(0, entries(b"r0"), {})
        assert await asyncio.gather(*waiting) == [1, 1]
        assert [await one.wait(0, 20) for one in (log, elsewhere)] == [1, 1]
        assert [await one.wait(1, 0.01) for one in (log, elsewhere)] == [1, 1]
