"""A desk home: what one party's experts keep on their own machine.

    desk.toml        where the node is and which certificate it shows
    founding.dcm     the channel's founding documents; the channel id is computed from them
    node-cert.pem    the pinned certificate of the own node
    keys/SEAT.key    a person's keys under a passphrase (0600); SEAT.2.key for a second person in the seat
    procedures.toml  optional: the party's own procedures by level
    desk.sqlite      this desk's own copy of both logs, the notes it has verified, envelopes not yet delivered, notes
                     that prove a log fork, drafts that are being written (sealed to their author), settings of the page

One process holds a home. What stands in the copy was verified before it was written.
"""

from __future__ import annotations

import fcntl
import sqlite3
import ssl
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from channel.protocol.founding import Founding, read_founding
from keys.codec import pack, unpack
from keys.errors import Refused, Unverified, WrongUse

SCHEMA = """
CREATE TABLE IF NOT EXISTS record(letter TEXT NOT NULL, idx INTEGER NOT NULL, raw BLOB NOT NULL,
                                  PRIMARY KEY(letter, idx)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blob(hash BLOB PRIMARY KEY, raw BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note(letter TEXT NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL, raw BLOB NOT NULL,
                                PRIMARY KEY(letter, kind, size)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox(ph BLOB PRIMARY KEY, t TEXT NOT NULL, env BLOB NOT NULL, blobs BLOB NOT NULL)
                                  STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fork(letter TEXT NOT NULL, raw BLOB NOT NULL, PRIMARY KEY(letter, raw)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS autosave(id TEXT PRIMARY KEY, kid BLOB NOT NULL, ts INTEGER NOT NULL, sealed BLOB NOT NULL)
                                  STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
"""


@dataclass(frozen=True, slots=True)
class DeskConfig:
    """desk.toml: ``node_url``, or ``node_home`` of a node on this machine, whose run.json says where it listens."""

    party: str
    node_url: str
    node_home: str


class DeskHome:
    """The files of a desk home, held by this process until ``close``. ``Unverified`` DESK_DAMAGED for a broken copy."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = _read_config(path / "desk.toml")
        self.founding: Founding = read_founding((path / "founding.dcm").read_bytes())
        self.node_cert = _read_certificate(path / "node-cert.pem")
        self._lock: IO[str] = _hold(path / "lock")
        self._db = sqlite3.connect(path / "desk.sqlite", isolation_level=None)
        try:
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA)
            for hash_, raw in self.founding.blob_map().items():
                self._db.execute("INSERT OR IGNORE INTO blob VALUES(?, ?)", (hash_, raw))
        except sqlite3.DatabaseError as e:
            self.close()
            raise Unverified("DESK_DAMAGED", path=path / "desk.sqlite", why=str(e)) from e

    def close(self) -> None:
        """Let the home go."""
        self._db.close()
        self._lock.close()

    def records(self, letter: str) -> list[bytes]:
        """The copy of a log, in order."""
        rows = self._db.execute("SELECT raw FROM record WHERE letter = ? ORDER BY idx", (letter,))
        return [raw for (raw,) in rows]

    def keep(
        self,
        letter: str,
        first: int,
        records: Iterable[bytes],
        blobs: Iterable[tuple[bytes, bytes]],
        notes: Iterable[tuple[str, int, bytes]],
    ) -> None:
        """Write verified records from index ``first``, their blobs, and notes (kind, size, bytes), all or nothing.

        Kinds: ``log`` the newest log-valid note, ``cosigned`` the newest with the other party's line, ``anchor`` each
        cosigned anchor. Only the newest ``log`` and ``cosigned`` stay.
        """
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.executemany(
                "INSERT INTO record VALUES(?, ?, ?)", ((letter, first + i, raw) for i, raw in enumerate(records))
            )
            self._db.executemany("INSERT OR IGNORE INTO blob VALUES(?, ?)", blobs)
            for kind, size, raw in notes:
                if kind != "anchor":
                    self._db.execute("DELETE FROM note WHERE letter = ? AND kind = ?", (letter, kind))
                self._db.execute("INSERT OR IGNORE INTO note VALUES(?, ?, ?, ?)", (letter, kind, size, raw))

    def notes(self, letter: str, kind: str) -> list[bytes]:
        """Notes of a kind, smallest size first."""
        rows = self._db.execute("SELECT raw FROM note WHERE letter = ? AND kind = ? ORDER BY size", (letter, kind))
        return [raw for (raw,) in rows]

    def note_over(self, letter: str, kind: str, index: int) -> bytes | None:
        """The smallest note of a kind that covers a record; None where there is none."""
        found = "SELECT raw FROM note WHERE letter = ? AND kind = ? AND size > ? ORDER BY size LIMIT 1"
        row = self._db.execute(found, (letter, kind, index)).fetchone()
        return None if row is None else bytes(row[0])

    def blob(self, hash_: bytes) -> bytes | None:
        """A blob of this desk's copy."""
        row = self._db.execute("SELECT raw FROM blob WHERE hash = ?", (hash_,)).fetchone()
        return None if row is None else bytes(row[0])

    def keep_fork(self, letter: str, raw: bytes) -> None:
        """Keep for ever a log-valid note that disagrees with what was verified before."""
        self._db.execute("INSERT OR IGNORE INTO fork VALUES(?, ?)", (letter, raw))

    def forks(self) -> list[tuple[str, bytes]]:
        """Every such note with its log."""
        return list(self._db.execute("SELECT letter, raw FROM fork ORDER BY letter, raw"))

    def queue(self, ph: bytes, t: str, env: bytes, blobs: Iterable[bytes]) -> None:
        """Keep a signed envelope until it is delivered, before anything is sent."""
        self._db.execute("INSERT OR IGNORE INTO outbox VALUES(?, ?, ?, ?)", (ph, t, env, pack(list(blobs))))

    def queued(self) -> list[tuple[bytes, str, bytes, list[bytes]]]:
        """What is not yet delivered: payload hash, type, envelope, blobs."""
        rows = self._db.execute("SELECT ph, t, env, blobs FROM outbox")
        return [(ph, t, env, unpack(blobs, list)) for ph, t, env, blobs in rows]

    def delivered(self, ph: bytes) -> None:
        """Drop an envelope that both nodes hold, or that was refused."""
        self._db.execute("DELETE FROM outbox WHERE ph = ?", (ph,))

    def setting(self, name: str) -> str | None:
        """A setting of the page, None where nobody has set it."""
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set(self, name: str, value: str) -> None:
        """Keep a setting of the page."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES(?, ?)", (name, value))

    def autosave(self, id_: str, kid: bytes, ts: int, sealed: bytes) -> None:
        """Keep what a person is writing, sealed to that person alone; ``ts`` in ms."""
        self._db.execute("INSERT OR REPLACE INTO autosave VALUES(?, ?, ?, ?)", (id_, kid, ts, sealed))

    def autosaved(self, kid: bytes) -> list[tuple[str, int, bytes]]:
        """What a person was writing, oldest first: id, time, sealed bytes."""
        rows = self._db.execute("SELECT id, ts, sealed FROM autosave WHERE kid = ? ORDER BY ts, id", (kid,))
        return [(id_, ts, bytes(sealed)) for id_, ts, sealed in rows]

    def autosaver(self, id_: str) -> bytes | None:
        """Whose text it is, by signing key id; None for one that is not kept."""
        row = self._db.execute("SELECT kid FROM autosave WHERE id = ?", (id_,)).fetchone()
        return None if row is None else bytes(row[0])

    def drop_autosave(self, id_: str) -> None:
        """What was being written went out, or was thrown away."""
        self._db.execute("DELETE FROM autosave WHERE id = ?", (id_,))

    def seats(self) -> list[str]:
        """The seats whose keys this home holds."""
        return sorted(p.stem for p in (self.path / "keys").glob("*.key"))


def _read_config(path: Path) -> DeskConfig:
    try:
        table = tomllib.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError) as e:
        raise WrongUse("NO_DESK_HOME", path=str(path.parent)) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise WrongUse("CONFIG", path=str(path), key="-", why=str(e)) from e
    known = {"party", "node_url", "node_home"}
    if unknown := set(table) - known:
        raise WrongUse("CONFIG", path=str(path), key=min(unknown), why="no such setting")
    if not isinstance(table.get("party"), str):
        raise WrongUse("CONFIG", path=str(path), key="party", why="a party's code in quotes")
    return DeskConfig(table["party"], str(table.get("node_url", "")), str(table.get("node_home", "")))


def _read_certificate(path: Path) -> str:
    try:
        text = path.read_text()
        ssl.PEM_cert_to_DER_cert(text)
    except ValueError as e:
        raise WrongUse("CERTIFICATE", path=path, why=str(e)) from e
    return text


def _hold(path: Path) -> IO[str]:
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        file.close()
        raise Refused("HOME_HELD", path=str(path.parent)) from e
    path.chmod(0o600)
    return file
