"""The log on real servers: the common suite, then what only a server can do wrong."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from channel.log import embedded
from channel.log.log import Appended, Entry
from channel.log.redis import RedisServer
from channel.log.settings import NEED
from channel.protocol.merkle import leaf_hash
from keys.errors import Problem, Refused, Unavailable, WrongUse
from tests.log.suite import LogSuite, blobs, entries

if TYPE_CHECKING:
    from collections.abc import Sequence


async def full_dump(client: Redis, chan: bytes) -> dict[bytes, object]:
    """Every key of a channel with all that it holds."""
    read = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"stream": client.xrange,
    }
    keys = [key async for key in client.scan_iter(match="{" + chan[:8].hex() + "}*")]
    return {key: await read[await client.type(key)](key) for key in keys}


class OnServer(LogSuite):
    @pytest.fixture
    async def server(self, url):
        server = await RedisServer.connect(url)
        yield server
        await server.close()

    @pytest.fixture
    async def raw(self, url):
        client = Redis.from_url(url, protocol=2)
        yield client
        await client.aclose()

    async def test_layout(self, log, raw, chan):
        """The keys are those of the protocol, so that another program can read them."""
        await log.append(0, entries(b"r0"), blobs(b"one"))
        start = b"{" + chan[:8].hex().encode() + b"}:"
        digest = hashlib.sha256(b"one").hexdigest().encode()
        assert await full_dump(raw, chan) == {
            start + b"log:a0": [(b"1-0", {b"r": b"r0"})],
            start + b"l0:a0": leaf_hash(b"r0"),
            start + b"meta:a0": {b"size": b"1", b"fence": b"1"},
            start + b"idem:a0": {entries(b"r0")[0].key: b"0"},
            start + b"blob:a0:" + digest: b"one",
        }

    async def test_refused_calls_leave_no_trace(self, log, raw, chan):
        """Each call of the function that breaks a rule gets an error and changes no key, whoever calls it."""
        await log.append(0, entries(b"r0"), blobs(b"one"))
        before = await full_dump(raw, chan)
        start = "{" + chan[:8].hex() + "}:"
        keys = [start + k + ":a0" for k in ("log", "l0", "meta", "idem")]
        one, new = (f"{start}blob:a0:{hashlib.sha256(c).hexdigest()}" for c in (b"one", b"new"))
        leaf, big = leaf_hash(b"r"), b"x" * 1_400_000
        fine = [b"r", leaf, b"k"]
        known = entries(b"r0")[0].key
        calls = [
            ("FENCED", keys, ["0", 1, 1, 0, *fine]),
            ("FENCED", keys, ["2", 1, 1, 0, *fine]),
            ("ARGC", keys, [1, "x", 1, 0, *fine]),
            ("ARGC", keys, [1, 1, 0, 0]),
            ("ARGC", keys, [1, 1, 257, 0, *fine * 257]),
            ("ARGC", keys, [1, 1, 2, 0, *fine]),
            ("ARGC", keys, [1, 1, 1, 1, *fine]),
            ("ARGC", [*keys, new], [1, 1, 1, 0, *fine]),
            ("ARGC", [*keys, new], [1, 1, 1, -1, *fine]),
            (b"SIZE", [*keys, new], [1, 0, 1, 1, *fine, b"new"]),
            (b"SIZE", [*keys, new], [1, 2, 1, 1, *fine, b"new"]),
            ("ARG", [*keys, new], [1, 1, 2, 1, *fine, b"", leaf, b"", b"new"]),
            ("ARG", [*keys, new], [1, 1, 2, 1, *fine, b"r", leaf[:31], b"", b"new"]),
            ("ARG", [*keys, new], [1, 1, 2, 1, *fine, b"x" * 65536, leaf, b"", b"new"]),
            (b"DUP", [*keys, new], [1, 1, 2, 1, *fine, b"r", leaf, known, b"new"]),
            (b"DUP", [*keys, new], [1, 1, 2, 1, *fine, *fine, b"new"]),
            ("BLOB 2", [*keys, new, one], [1, 1, 1, 2, *fine, b"new", b"one longer"]),
            ("BLOB 1", [*keys, new], [1, 1, 1, 1, *fine, b""]),
            ("BATCH", [*keys, new, new + "1", new + "2"], [1, 1, 1, 3, *fine, big, big, big]),
        ]
        for said, names, args in calls:
            if isinstance(said, bytes):
                assert (await raw.fcall("dcx_append", len(names), *names, *args))[0] == said
            else:
                with pytest.raises(ResponseError, match=f"^{said}"):
                    await raw.fcall("dcx_append", len(names), *names, *args)
            assert await full_dump(raw, chan) == before, (said, args[:4])

    async def test_refused_lost_places_leave_no_trace(self, log, raw, chan):
        """Each call of the function for lost places that breaks a rule gets an error and changes no key."""
        await log.append(0, entries(b"r0"), {})
        before = await full_dump(raw, chan)
        keys = ["{" + chan[:8].hex() + "}:" + k + ":a0" for k in ("log", "l0", "meta")]
        leaf = leaf_hash(b"r1")
        for said, names, args in [
            ("FENCED", keys, ["0", 1, leaf]),
            ("ARGC", keys, [1, 1]),
            ("ARGC", keys, [1, "x", leaf]),
            ("ARGC", keys, [1, 1, *[leaf] * 257]),
            ("ARGC", [*keys, keys[0]], [1, 1, leaf]),
            ("ARG", keys, [1, 1, leaf, leaf[:31]]),
        ]:
            with pytest.raises(ResponseError, match=f"^{said}"):
                await raw.fcall("dcx_lost", len(names), *names, *args)
        assert (await raw.fcall("dcx_lost", 3, *keys, 1, 0, leaf))[0] == b"SIZE"
        assert await full_dump(raw, chan) == before

    async def test_records_and_blobs_together(self, log, raw, chan):
        """Whoever reads while a batch goes in sees all of it or nothing."""
        batch = [Entry.of(b"%03d" % i) for i in range(200)]
        named = blobs(*(b"blob %d" % i for i in range(50)))
        writing = asyncio.create_task(log.append(0, batch, named))
        seen = set()
        while not writing.done():
            pipe = raw.pipeline(transaction=True)
            pipe.xlen("{" + chan[:8].hex() + "}:log:a0")
            for digest in named:
                pipe.strlen("{" + chan[:8].hex() + "}:blob:a0:" + digest.hex())
            length, *lengths = await pipe.execute()
            seen.add((length, sum(map(bool, lengths))))
        assert await writing == Appended(200)
        assert seen <= {(0, 0), (200, 50)}

    async def test_damage_is_seen(self, log, raw, chan):
        """A store whose parts contradict each other is never written, and reading it says where."""
        await log.append(0, entries(b"r0", b"r1"), {})
        start = "{" + chan[:8].hex() + "}:"
        await raw.xadd(start + "log:a0", {"r": b"stranger"}, id="9-0")
        with pytest.raises(Problem, match="STORE_DAMAGED"):
            await log.append(2, entries(b"r2"), {})
        with pytest.raises(Problem, match="STORE_DAMAGED"):
            await log.records(0, 9)
        await raw.hset(start + "meta:a0", "size", 9)
        with pytest.raises(Problem, match="STORE_DAMAGED"):
            await log.records(0, 2 + 1)

    async def test_half_a_leaf_hash(self, log, raw, chan):
        """Leaf hashes that are not whole stop the append."""
        await log.append(0, entries(b"r0"), {})
        await raw.setrange("{" + chan[:8].hex() + "}:l0:a0", 32, b"x")
        with pytest.raises(Problem, match="STORE_DAMAGED"):
            await log.append(1, entries(b"r1"), {})
        with pytest.raises(Problem, match="STORE_DAMAGED"):
            await log.leaf_hashes(0, 2)

    async def test_user_can_do_little(self, raw, chan):
        """The node's own user can't delete, trim, empty, rewrite settings or run scripts."""
        for command in (
            ("DEL", "x"), ("UNLINK", "x"), ("XTRIM", "x", "MAXLEN", 0), ("XDEL", "x", "1-0"), ("XSETID", "x", "1-0"),
            ("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "SET", "appendfsync", "no"), ("CONFIG", "REWRITE"), ("EVAL", "return 1", 0),
            ("FUNCTION", "FLUSH"), ("FUNCTION", "DELETE", "dcx"), ("SHUTDOWN",), ("REPLICAOF", "NO", "ONE"),
            ("RENAME", "x", "y"), ("RESTORE", "x", 0, b""), ("EXPIRE", "x", 1), ("SWAPDB", 0, 1), ("ACL", "LIST"), ("KEYS", "*"),
            ("BGREWRITEAOF",), ("SAVE",), ("MONITOR",), ("CLIENT", "KILL", "ID", 1), ("MODULE", "LIST"),
        ):  # fmt: skip
            with pytest.raises(NoPermissionError):
                await raw.execute_command(*command)

    async def test_no_stranger(self, url):
        """Without the password, or with a wrong one, the server says nothing."""
        path = url.split("@", 1)[1]
        for other in (f"unix://{path}", f"unix://dcx:wrong@{path}"):
            with pytest.raises(Problem):
                await RedisServer.connect(other)

    async def test_nobody_there(self, tmp_path):
        """A server that is not there, or an address that can't be meant, is told as that."""
        with pytest.raises(Unavailable, match="STORE_GONE"):
            await RedisServer.connect(f"unix://{tmp_path}/none")
        with pytest.raises(WrongUse, match="STORE_URL"):
            await RedisServer.connect("http://127.0.0.1/")


class TestValkeyLog(OnServer):
    @pytest.fixture
    def url(self, valkey_url):
        return valkey_url


class TestRedisLog(OnServer):
    @pytest.fixture
    def url(self, redis_url):
        return redis_url


WRONG = {
    "appendonly": "no",
    "appendfsync": "everysec",
    "no-appendfsync-on-rewrite": "yes",
    "aof-load-truncated": "yes",
    "maxmemory-policy": "allkeys-lru",
    "save": "3600 1",
}


@pytest.mark.parametrize("name", NEED)
@pytest.mark.parametrize("part", ["embedded-valkey", "redis-server"])
async def test_each_wrong_setting_is_refused(part, name, need, tmp_path, wrong_server):
    """A server with one setting that could lose records is refused, with the name, what was found and what is needed."""
    url = await wrong_server(need(part), {name: WRONG[name]})
    with pytest.raises(Refused) as caught:
        await RedisServer.connect(url)
    assert caught.value.code == "STORE_SETTING"
    assert caught.value.values["name"] == name
    assert caught.value.values["found"] == WRONG[name]


@pytest.mark.parametrize("part", ["embedded-valkey", "redis-server"])
async def test_default_user_is_refused(part, need, wrong_server):
    """A server that lets everybody in is refused even with the right settings."""
    url = await wrong_server(need(part), {})
    with pytest.raises(Refused, match="STORE_SETTING") as caught:
        await RedisServer.connect(url)
    assert caught.value.values["name"] == "user"


@pytest.mark.parametrize("part", ["embedded-valkey", "redis-server"])
async def test_default_user_without_commands_is_refused(part, need, wrong_server):
    """Redis 7.0 would drop every append while it loads its file, so a server set like that is refused at the start."""
    users = [f"dcx on nopass ~* &* {embedded.MAY}", "default off"]
    url = await wrong_server(need(part), {}, users=users)
    with pytest.raises(Refused, match="STORE_SETTING") as caught:
        await RedisServer.connect(url.replace("unix://", "unix://dcx:any@"))
    assert caught.value.values["name"] == "user default"


@pytest.fixture
async def wrong_server(tmp_path):
    """Start a plain server on a socket with the needed settings, some of them changed, and the default user on."""
    started = []

    async def start(program: str, changed: dict[str, str], users: Sequence[str] = ()) -> str:
        socket = tmp_path / "w"
        words = [word for name, value in (NEED | changed).items() for word in (f"--{name}", value)]
        words += [word for user in users for word in ("--user", *user.split())]
        process = await asyncio.create_subprocess_exec(
            program, "--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path), *words,
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        while not socket.exists():
            assert process.returncode is None
            await asyncio.sleep(0.01)
        return f"unix://{socket}"

    yield start
    for process in started:
        process.terminate()
        await process.wait()
