"""The signing journal: what this node has signed, kept apart from the store (docs/protocol.md section 7, appendix D).

One SQLite file for all channels of a node: WAL, ``synchronous=FULL``, exclusively locked for the life of the process. It
makes "never sign two histories" hold through crashes and restored stores, so it is never part of a backup, never put
back, and its ``-wal`` belongs to it. ``create`` makes it, once, by an explicit command; a file that is not there at a
start means that it was lost, never that this is the first start.

    head   one row per own log (role sign) and per peer log (role cosign): size, root, frontier, ts
    leaf   the leaf hash of every record that was committed
    meta   id, schema; ``open``: 1 while a process works on it, so that a missing ``-wal`` is seen;
           ``retired/<origin>``: this log's keys never sign again

SQLite itself opens a file whose ``-wal`` was taken away as if nothing had happened, some commits shorter. That is the one
thing that must not happen here: ``open`` refuses it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import weakref
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from channel.protocol.merkle import Frontier
from keys.errors import Malformed, Problem, Refused, WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_TABLES = """
CREATE TABLE head(origin TEXT PRIMARY KEY, role TEXT NOT NULL CHECK(role IN ('sign','cosign')), size INTEGER NOT NULL,
                  root BLOB NOT NULL, frontier BLOB NOT NULL, ts INTEGER NOT NULL) STRICT;
CREATE TABLE leaf(origin TEXT NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(origin, idx)) STRICT,
                  WITHOUT ROWID;
CREATE TABLE meta(k TEXT PRIMARY KEY, v BLOB NOT NULL) STRICT;
"""
SCHEMA = b"1"
Role = Literal["sign", "cosign"]


@dataclass(frozen=True, slots=True)
class Head:
    """What was last committed for one origin."""

    origin: str
    frontier: Frontier
    ts: int

    @property
    def size(self) -> int:
        """The number of records."""
        return self.frontier.size

    @property
    def root(self) -> bytes:
        """The root over them."""
        return self.frontier.root()


@dataclass(frozen=True, slots=True)
class Step:
    """Leaf hashes to commit after ``head``; ``ts`` in ms."""

    head: Head
    leaves: Sequence[bytes]
    ts: int


class Journal:
    """An open journal. Every call is synchronous and durable when it returns.

    After a failed write nobody knows what the disk holds: the object refuses all further use and the process has to end.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path, self._db = path, db
        self._failed = False
        self._finish: Callable[[], object] = db.close
        rows = db.execute("SELECT origin, size, root, frontier, ts FROM head").fetchall()
        self._heads = {row[0]: self._checked(*row) for row in rows}
        retired = db.execute("SELECT k FROM meta WHERE k LIKE 'retired/%'").fetchall()
        self._retired = {k.removeprefix("retired/") for (k,) in retired}

    @classmethod
    def create(cls, path: Path) -> Journal:
        """Make the file (0600) and open it; ``Refused`` EXISTS if it, or a ``-wal`` beside it, is there."""
        if path.exists() or _wal(path).exists():
            raise Refused("EXISTS", path=path)
        lock = _take_lock(path)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with closing(_connect(path)) as db:
                db.execute("BEGIN IMMEDIATE")
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                meta = [("id", secrets.token_bytes(16)), ("schema", SCHEMA), ("open", b"0")]
                db.executemany("INSERT INTO meta VALUES (?, ?)", meta)
                db.execute("COMMIT")
        finally:
            os.close(lock)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Journal:
        """The journal of a file, checked whole: every leaf hash is read and every root computed again.

        ``Refused`` JOURNAL_LOST if the file is not there, JOURNAL_BUSY if another process holds it; ``Problem``
        JOURNAL_DAMAGED if it can't be trusted, also when its ``-wal`` was lost.
        """
        if not path.exists():
            raise Refused("JOURNAL_LOST", path=path)
        lock = _take_lock(path)
        db = None
        try:
            _check_wal(path)
            db = _connect(path)
            if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise Problem("JOURNAL_DAMAGED", path=path, why="integrity check")
            if db.execute("SELECT v FROM meta WHERE k = 'schema'").fetchone() != (SCHEMA,):
                raise Problem("JOURNAL_DAMAGED", path=path, why="schema")
            journal = cls(path, db)
            _set_open(db, b"1")
            db.execute("PRAGMA wal_checkpoint(FULL)")  # into the file itself, where it is seen without the -wal
            _sync_folder(path)
            # An object that is dropped unclosed closes too: else SQLite would take the -wal away and leave "open" behind.
            journal._finish = weakref.finalize(journal, _finish, path, db, lock)
            return journal
        except sqlite3.Error as e:
            _close(db, lock)
            if "locked" in str(e):
                raise Refused("JOURNAL_BUSY", path=path) from e
            raise Problem("JOURNAL_DAMAGED", path=path, why=str(e)) from e
        except BaseException:
            _close(db, lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let go of its lock; once more does nothing."""
        self._finish()

    def start(self, origin: str, role: Role) -> None:
        """An empty row for an origin, once; ``WrongUse`` HEAD_EXISTS. Only for keys that never signed anything."""
        if origin in self._heads:
            raise WrongUse("HEAD_EXISTS", origin=origin)
        empty = Frontier.empty()
        self._write(origin, "INSERT INTO head VALUES (?, ?, 0, ?, ?, 0)", origin, role, empty.root(), empty.to_bytes())
        self._heads[origin] = Head(origin, empty, 0)

    def retire(self, origin: str) -> None:
        """The journal was found not to be the newest one for this log: its keys never sign again, at any later start."""
        self._write(origin, "INSERT OR REPLACE INTO meta VALUES (?, ?)", f"retired/{origin}", b"1")
        self._retired.add(origin)

    def heads(self) -> dict[str, Head]:
        """Every head by origin, of retired logs too; for looking, not for signing."""
        return dict(self._heads)

    def head(self, origin: str) -> Head:
        """The head of an origin, for signing it or going on from it; ``WrongUse`` NO_HEAD, ``Refused`` KEY_RETIRED."""
        if origin not in self._heads:
            raise WrongUse("NO_HEAD", origin=origin)
        if origin in self._retired:
            raise Refused("KEY_RETIRED", origin=origin)
        if self._failed:
            raise Problem("JOURNAL_WRITE", origin=origin, why="after a failed write")
        return self._heads[origin]

    def leaves(self, origin: str, lo: int, hi: int) -> list[bytes]:
        """The committed leaf hashes of [lo, hi)."""
        rows = self._db.execute(
            "SELECT hash FROM leaf WHERE origin = ? AND idx >= ? AND idx < ? ORDER BY idx", (origin, lo, hi)
        )
        return [row[0] for row in rows]

    def extend(self, head: Head, leaves: Sequence[bytes], ts: int) -> Head:
        """Commit leaf hashes after ``head``, which has to be the present one; ``Problem`` JOURNAL_CAS otherwise."""
        return self.extend_all([Step(head, leaves, ts)])[0]

    def extend_all(self, steps: Sequence[Step]) -> list[Head]:
        """Commit the steps of several logs in one transaction: all or none; at most one step for each log."""
        for step in steps:
            self.head(step.head.origin)
        grown = [Head(s.head.origin, s.head.frontier.extend(s.leaves), max(s.ts, s.head.ts)) for s in steps]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for step, new in zip(steps, grown, strict=True):
                self._advance(step, new)
            self._db.execute("COMMIT")
        except (sqlite3.Error, Problem) as e:
            self._failed = True
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            if isinstance(e, Problem):
                raise
            raise Problem("JOURNAL_WRITE", origin=steps[0].head.origin, why=str(e)) from e
        self._heads |= {head.origin: head for head in grown}
        return grown

    def _advance(self, step: Step, new: Head) -> None:
        head = step.head
        done = self._db.execute(
            "UPDATE head SET size = ?, root = ?, frontier = ?, ts = ? WHERE origin = ? AND size = ? AND root = ?",
            (new.size, new.root, new.frontier.to_bytes(), new.ts, head.origin, head.size, head.root),
        )
        if done.rowcount != 1:
            raise Problem("JOURNAL_CAS", origin=head.origin, size=head.size)
        self._db.executemany(
            "INSERT INTO leaf VALUES (?, ?, ?)", [(head.origin, i, h) for i, h in enumerate(step.leaves, head.size)]
        )

    def _write(self, origin: str, statement: str, *values: object) -> None:
        try:
            self._db.execute(statement, values)
        except sqlite3.Error as e:
            self._failed = True
            raise Problem("JOURNAL_WRITE", origin=origin, why=str(e)) from e

    def _checked(self, origin: str, size: int, root: bytes, frontier: bytes, ts: int) -> Head:
        """The head of a row, if the leaf hashes give the same size, frontier and root."""
        count, last = self._db.execute("SELECT count(*), max(idx) FROM leaf WHERE origin = ?", (origin,)).fetchone()
        leaves = self._db.execute("SELECT hash FROM leaf WHERE origin = ? ORDER BY idx", (origin,))
        try:
            grown = Frontier.empty().extend(leaf for (leaf,) in leaves)
            whole = (count, grown.root(), grown) == (size, root, Frontier.from_bytes(size, frontier))
            if whole and last == (size - 1 if size else None):
                return Head(origin, grown, ts)
        except Malformed:
            pass  # told below, as the journal's damage and not as a parser's
        raise Problem("JOURNAL_DAMAGED", path=self._path, why=f"root of {origin}")


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _check_wal(path: Path) -> None:
    """Refuse a file that a process was working on when it ended and whose ``-wal`` is gone."""
    wal = _wal(path)
    if wal.exists() and wal.stat().st_size > 0:
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        if db.execute("SELECT v FROM meta WHERE k = 'open'").fetchone() != (b"0",):
            raise Problem("JOURNAL_DAMAGED", path=path, why="its -wal file is gone")


def _set_open(db: sqlite3.Connection, value: bytes) -> None:
    db.execute("UPDATE meta SET v = ? WHERE k = 'open'", (value,))


def _take_lock(path: Path) -> int:
    """A lock of our own beside SQLite's: that one is lost when anybody in this process closes the file."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(lock)
        raise Refused("JOURNAL_BUSY", path=path) from e
    return lock


def _finish(path: Path, db: sqlite3.Connection, lock: int) -> None:
    """Say that nobody works on the file any more, then close it."""
    try:
        try:
            _set_open(db, b"0")
        except sqlite3.Error:  # no room: closing may move the -wal's content into the file and free its space
            db.close()
            if not _wal(path).exists():
                with closing(_connect(path)) as again:
                    _set_open(again, b"0")
    finally:
        _close(db, lock)


def _close(db: sqlite3.Connection | None, lock: int) -> None:
    if db is not None:
        db.close()
    os.close(lock)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db
