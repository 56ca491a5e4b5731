"""The store that comes along: private, alone on its directory, gone with its parent, and never repaired in silence."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channel.log import embedded
from channel.log.embedded import EmbeddedServer, find_server, set_aside
from channel.log.log import Appended
from channel.log.redis import RedisServer
from keys.errors import Refused
from tests.log.suite import blobs, entries

CHAN = bytes(32)
CHILD = """
import asyncio, sys
from pathlib import Path
from channel.log.embedded import EmbeddedServer
async def main():
    server = EmbeddedServer(Path(sys.argv[1]), testing_watch=sys.argv[2] == "watch")
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture(params=["embedded-valkey", "redis-server"])
def program(request, need) -> Path:
    return Path(need(request.param))


@asynccontextmanager
async def up(home: Path, program: Path | None = None):
    """A started server and the log a0 on it."""
    server = EmbeddedServer(home, program)
    await server.start()
    try:
        redis = await RedisServer.connect(server.url)
        try:
            store = redis.store(CHAN)
            await store.take_fence(["a0"])
            yield server, store.log("a0")
        finally:
            await redis.close()
    finally:
        await server.stop()


async def until_gone(pid: int) -> None:
    """Return when a process has ended (a zombie that nobody waited for counts as ended)."""

    def ended() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    for _ in range(500):
        if ended():
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{pid} is still there")


def newest_part(home: Path) -> Path:
    return max(home.glob("appendonlydir/*.incr.aof"), key=lambda p: p.stat().st_mtime)


async def test_data_stays(tmp_path, program):
    """What was appended is there after a stop and a start, and after a kill -9."""
    async with up(tmp_path, program) as (_, log):
        assert await log.append(0, entries(b"r0"), blobs(b"one")) == Appended(1)
    async with up(tmp_path, program) as (server, log):
        assert await log.append(1, entries(b"r1"), {}) == Appended(2)
        os.kill(server.pid, 9)
        await server.wait()
    async with up(tmp_path, program) as (_, log):
        assert await log.records(0, 9) == [b"r0", b"r1"]
        assert await log.index_of(entries(b"r1")[0].key) == 1


async def test_only_for_this_user(tmp_path):
    """Directory, password, settings and socket are closed to others, and the password stands in no command line."""
    async with up(tmp_path / "store") as (server, _):
        mode = lambda name: stat.S_IMODE((tmp_path / "store" / name).stat().st_mode)  # noqa: E731
        assert mode(".") == 0o700
        assert {mode(name) for name in ("password", "store.conf")} == {0o600}
        assert mode("s") == 0o700
        password = (tmp_path / "store" / "password").read_text()
        assert password not in (Path("/proc") / str(server.pid) / "cmdline").read_text()
        assert password not in (tmp_path / "store" / "store.conf").read_text()


async def test_torn_file_refuses_to_start(tmp_path, program):
    """A file that ends inside a write keeps the server down; set aside, a new empty store starts."""
    async with up(tmp_path, program) as (_, log):
        for i in range(3):
            await log.append(i, entries(b"r%d" % i), {})
    part = newest_part(tmp_path)
    part.write_bytes(part.read_bytes()[:-7])
    with pytest.raises(Refused, match="STORE_TORN"):
        await EmbeddedServer(tmp_path, program).start()
    aside = set_aside(tmp_path)
    assert aside is not None
    assert (aside / part.name).exists()
    async with up(tmp_path, program) as (_, log):
        assert await log.size() == 0
    assert set_aside(tmp_path) not in {None, aside}


@pytest.mark.parametrize("cut", [1, 20, 60, 100])
async def test_torn_anywhere_in_the_last_write(tmp_path, cut):
    """Wherever inside the last append the file ends, the server does not come up shorter than it was."""
    async with up(tmp_path) as (_, log):
        await log.append(0, entries(b"r0"), {})
        before = newest_part(tmp_path).stat().st_size
        await log.append(1, entries(b"r1"), blobs(b"one"))
    part = newest_part(tmp_path)
    raw = part.read_bytes()
    assert before < len(raw) - cut
    part.write_bytes(raw[:-cut])
    with pytest.raises(Refused, match="STORE_TORN"):
        await EmbeddedServer(tmp_path).start()


async def test_one_server_on_a_directory(tmp_path, monkeypatch):
    """A second server on one directory is refused while the first one lives, also for setting its data aside."""
    monkeypatch.setattr(embedded, "LOCK_WAIT", 0.3)
    async with up(tmp_path) as (_, log):
        with pytest.raises(Refused, match="STORE_BUSY"):
            await EmbeddedServer(tmp_path).start()
        with pytest.raises(Refused, match="STORE_BUSY"):
            set_aside(tmp_path)
        assert await log.append(0, entries(b"r0"), {}) == Appended(1), "the first one is not disturbed"


@pytest.mark.parametrize("way", ["kernel", "watch"])
async def test_ends_with_its_parent(tmp_path, way):
    """When the process that started it is killed the server ends, and the next one starts on the same directory."""
    home = tmp_path / "store"
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, str(home), way, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    async with up(home) as (_, log):  # waits for the orphan's lock
        await until_gone(pid)
        assert await log.size() == 0


async def test_end_is_noticed(tmp_path):
    """A server that ends by itself is seen at once by whoever waits for it."""
    server = EmbeddedServer(tmp_path)
    await server.start()
    waiting = asyncio.create_task(server.wait())
    os.kill(server.pid, 9)
    assert await waiting != 0
    await server.stop()
    await server.stop()


async def test_long_path(tmp_path):
    """A directory whose path is too long for a socket works all the same, and leaves no socket behind at a restart."""
    home = tmp_path / ("long " * 30).strip()
    async with up(home) as (_, log):
        first = Path((home / "socket-path").read_text())
        assert len(os.fsencode(first)) <= embedded.LONGEST_SOCKET_PATH
        assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
        assert await log.append(0, entries(b"r0"), {}) == Appended(1)
    async with up(home) as (_, log):
        assert await log.size() == 1
        assert not first.parent.exists()
        second = Path((home / "socket-path").read_text())
    second.parent.rmdir()


async def test_odd_path(tmp_path):
    """A directory with spaces, quotes, percent signs and Chinese in its name works."""
    async with up(tmp_path / 'a "b" c%20d\'e 节点') as (_, log):
        assert await log.append(0, entries(b"r0"), {}) == Appended(1)


async def test_stale_socket(tmp_path):
    """A file left where the socket goes does not keep the server from starting."""
    (tmp_path / "s").write_text("")
    async with up(tmp_path) as (_, log):
        assert await log.size() == 0


async def test_what_it_said_is_told(tmp_path):
    """A server that can't start for another reason says where its log is."""
    (tmp_path / "appendonlydir").write_text("not a directory")
    with pytest.raises(Refused, match="STORE_START") as caught:
        await EmbeddedServer(tmp_path).start()
    assert caught.value.values["log"] == tmp_path / "store.log"


def test_finds_the_wheels_server(need):
    """The server of the wheel comes before any on PATH."""
    assert str(find_server()) == need("embedded-valkey")
