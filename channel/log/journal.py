"""The signing journal: what this node has signed, kept apart from the store (docs/protocol.md section 7, appendix D).

One SQLite file for all channels of a node: WAL, ``synchronous=FULL``, exclusively locked for the life of the process. It
makes "never sign two histories" hold through crashes and restored stores, so it is never part of a backup, never put
back, and its ``-wal`` belongs to it. ``create`` makes it, once, by an explicit command; a file that is not there at a
start means that it was lost, never that this is the first start.

    head   one row per own log (role sign) and per peer log (role cosign): size, root, frontier, ts
    leaf   the leaf hash of every record that was committed
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from channel.protocol.merkle import Frontier
from keys.errors import Problem, Refused, WrongUse

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


class Journal:
    """An open journal. Every call is synchronous and durable when it returns."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._heads = {origin: self._read(origin) for (origin,) in db.execute("SELECT origin FROM head").fetchall()}

    @classmethod
    def create(cls, path: Path) -> Journal:
        """Make the file and open it; ``Refused`` EXISTS if it is there."""
        if path.exists():
            raise Refused("EXISTS", path=path)
        db = _connect(path)
        db.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";"):
            db.execute(statement)
        db.executemany("INSERT INTO meta VALUES (?, ?)", [("id", secrets.token_bytes(16)), ("schema", SCHEMA)])
        db.execute("COMMIT")
        path.chmod(0o600)
        return cls(db)

    def start(self, origin: str, role: Role) -> None:
        """An empty row for an origin, once; ``WrongUse`` HEAD_EXISTS."""
        if origin in self._heads:
            raise WrongUse("HEAD_EXISTS", origin=origin)
        empty = Frontier.empty()
        row = (origin, role, 0, empty.root(), empty.to_bytes(), 0)
        self._db.execute("INSERT INTO head VALUES (?, ?, ?, ?, ?, ?)", row)
        self._heads[origin] = Head(origin, empty, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def open(cls, path: Path) -> Journal:
        """The journal of a file; ``WrongUse`` JOURNAL_LOST, ``Refused`` JOURNAL_BUSY, ``Problem`` JOURNAL_DAMAGED."""
        if not path.exists():
            raise WrongUse("JOURNAL_LOST", path=path)
        try:
            db = _connect(path)
            if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise Problem("JOURNAL_DAMAGED", path=path, why="integrity check")
            if db.execute("SELECT v FROM meta WHERE k = 'schema'").fetchone() != (SCHEMA,):
                raise Problem("JOURNAL_DAMAGED", path=path, why="schema")
            db.execute("BEGIN EXCLUSIVE")  # takes the lock that locking_mode keeps for the life of the process
            db.execute("COMMIT")
            return cls(db)
        except sqlite3.OperationalError as e:
            if "locked" in str(e):
                raise Refused("JOURNAL_BUSY", path=path) from e
            raise Problem("JOURNAL_DAMAGED", path=path, why=str(e)) from e
        except sqlite3.DatabaseError as e:
            raise Problem("JOURNAL_DAMAGED", path=path, why=str(e)) from e

    def head(self, origin: str) -> Head:
        """The head of an origin; ``WrongUse`` NO_HEAD."""
        if origin not in self._heads:
            raise WrongUse("NO_HEAD", origin=origin)
        return self._heads[origin]

    def leaves(self, origin: str, lo: int, hi: int) -> list[bytes]:
        """The committed leaf hashes of [lo, hi)."""
        rows = self._db.execute(
            "SELECT hash FROM leaf WHERE origin = ? AND idx >= ? AND idx < ? ORDER BY idx", (origin, lo, hi)
        )
        return [row[0] for row in rows]

    def extend(self, head: Head, leaves: Sequence[bytes], ts: int) -> Head:
        """Commit leaf hashes after ``head``, which has to be the present one; ``Problem`` JOURNAL_CAS otherwise."""
        grown = Head(head.origin, head.frontier.extend(leaves), max(ts, head.ts))
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT INTO leaf VALUES (?, ?, ?)", [(head.origin, i, h) for i, h in enumerate(leaves, head.size)]
            )
            done = self._db.execute(
                "UPDATE head SET size = ?, root = ?, frontier = ?, ts = ? WHERE origin = ? AND size = ? AND root = ?",
                (grown.size, grown.root, grown.frontier.to_bytes(), grown.ts, head.origin, head.size, head.root),
            )
            if done.rowcount != 1:
                raise Problem("JOURNAL_CAS", origin=head.origin, size=head.size)
            self._db.execute("COMMIT")
        except sqlite3.Error as e:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise Problem("JOURNAL_WRITE", origin=head.origin, why=str(e)) from e
        except Problem:
            self._db.execute("ROLLBACK")
            raise
        self._heads[head.origin] = grown
        return grown

    def close(self) -> None:
        """Close the file and let go of its lock."""
        self._db.close()

    def _read(self, origin: str) -> Head:
        row = self._db.execute("SELECT size, root, frontier, ts FROM head WHERE origin = ?", (origin,)).fetchone()
        frontier = Frontier.from_bytes(row[0], row[2])
        if frontier.root() != row[1]:
            raise Problem("JOURNAL_DAMAGED", path=origin, why="root")
        return Head(origin, frontier, row[3])


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db
