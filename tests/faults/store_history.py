"""What a stopped node's store and journal hold, and everything that the store was ever told, in order.

The server writes each change into its append-only file before it answers, and never writes that file anew below 64 MB:
so a note that was replaced or dropped later stands there still.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

from channel.log.embedded import EmbeddedServer
from channel.log.journal import Journal
from channel.log.redis import RedisServer
from channel.node.station import origins_of
from channel.protocol import merkle
from channel.protocol import note as notes
from channel.protocol.record import try_read

ED25519_BYTES = 64
WRITES = {"SELECT", "MULTI", "EXEC", "FUNCTION", "HINCRBY", "HSET", "HDEL", "SET", "SETRANGE", "XADD"}


@dataclass(frozen=True)
class Stored:
    """One log of one store."""

    records: list
    leaves: list
    notes: list


@asynccontextmanager
async def _opened(home, chan):
    server = EmbeddedServer(home / "store")
    await server.start()
    client = None
    try:
        client = await RedisServer.connect(server.url)
        yield client.store(chan)
    finally:
        if client is not None:
            await client.close()
        await server.stop()


async def read_store(home, chan, letter):
    """(logs by origin, blobs by hash) of a stopped node."""
    other = "ba"["ab".index(letter)]
    origins = origins_of(chan, letter)
    names = {origins.own: f"{letter}0", origins.side: f"{letter}0s", origins.peer: f"{other}0"}
    found, blobs = {}, {}
    async with _opened(home, chan) as store:
        for origin, name in names.items():
            log = store.log(name)
            size = await log.size()
            records, leaves = await log.records(0, size + 1), await log.leaf_hashes(0, size + 1)
            assert len(records) == len(leaves) == size
            kept = [await log.kept_note(key) for key in await log.kept_notes()]
            found[origin] = Stored(records, leaves, [raw for raw in (*kept, await log.newest_note()) if raw])
            for digest in {h for record in map(try_read, records) if record for h in record.blobs}:
                blobs[digest] = await log.blob(digest)
                assert sha256(blobs[digest]).digest() == digest
    return found, blobs


def check_journal(home, logs):
    """The journal's heads and leaf table are those of the records, for every log of the node."""
    with Journal.open(home / "journal.sqlite") as journal:
        assert journal.heads().keys() == logs.keys()
        for origin, log in logs.items():
            head = journal.head(origin)
            assert head.size == len(log.records), origin
            assert journal.leaves(origin, 0, head.size) == log.leaves == [merkle.leaf_hash(r) for r in log.records]
            assert head.root == merkle.root_of(log.leaves)


def told(home):
    """Every command that the store of a stopped node kept, from the first one on."""
    data = home / "store" / "appendonlydir"
    assert [path.name for path in data.glob("*.base.*")] in ([], ["appendonly.aof.1.base.rdb"])  # never written anew
    files = sorted(data.glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[2]))
    return [words for path in files for words in _commands(path.read_bytes())]


def check_history(home, commands, book, cosigner):
    """Nothing was ever taken back: records go in one after the other, and neither log nor cosigner went to a smaller size.

    No note, own or cosigned, was written before all records under it; each call of the store is durable by itself. Each
    note that was ever written goes into the book, also one that another replaced. The cosigner is this node's. An anchor
    is made beside the commits and may be stored after the next note: its order is that of its times (notebook).
    """
    assert {words[0].decode().upper() for words in commands} <= WRITES
    ends, sizes, seen = {}, {}, set()
    for words in commands:
        command, name = words[0].decode().upper(), words[1:] and words[1].rpartition(b":")[2]  # the log of a key
        assert command != "HDEL" or b":notes:" in words[1]  # notes alone may go
        if command == "XADD":
            at = int(words[2].removesuffix(b"-0"))
            assert at == ends.get(name, 0) + 1, f"{home}: {name} {at}"
            ends[name] = at
        for raw in words[2:] if command in {"SET", "HSET"} else ():
            if raw.startswith(b"dcx1/") and b"\n\n" in raw:
                book.add(raw, "store")
                note = notes.parse(raw)
                assert note.size <= ends.get(name, 0), (
                    f"{home}: a note of {name} over {note.size}, records {ends.get(name)}"
                )
                for line in note.lines:
                    timed = len(line.sig) > ED25519_BYTES  # the time tells the order in which anchors were signed
                    if line not in seen and (line.name == cosigner or not timed):
                        seen.add(line)
                        sizes.setdefault(line.name, []).append(note.size)
    own = cosigner.removesuffix("/c")
    for name in (own, f"{own}/s", cosigner):
        assert sizes[name], name
        assert all(a <= b for a, b in pairwise(sizes[name])), f"{name} went back: {sizes[name]}"


def _commands(raw):
    """The commands of an append-only file: arrays of byte strings."""
    at, found = 0, []
    while at < len(raw):
        count, at = _number(raw, at, b"*")
        words = []
        for _ in range(count):
            length, at = _number(raw, at, b"$")
            words.append(raw[at : at + length])
            assert raw[at + length : at + length + 2] == b"\r\n"
            at += length + 2
        found.append(words)
    return found


def _number(raw, at, sign):
    end = raw.index(b"\r\n", at)
    assert raw[at : at + 1] == sign
    return int(raw[at + 1 : end]), end + 2
