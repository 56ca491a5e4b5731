"""What a stopped node's journal and store hold, and what starting it will do; nothing is repaired or signed here.

The comparison is the one of a start (``recovering``, step R2 of docs/protocol.md section 9): leaf hashes of the store's
records against the journal's, for own log, side log and the peer's log. What only the peer can say, a start asks it:
a note of ours that is newer than the journal is found here only if it lies in the own store.

    good     store and journal hold the same          fetch    N records or parts come from the peer
    sign     N records wait for their signature       places   N records of the side log are lost, their places stay
    refuse   nothing would be signed; ``why`` is the code of the reason
"""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from channel.log.embedded import EmbeddedServer, set_aside
from channel.log.journal import Head, Journal
from channel.log.notes import COSIGNED
from channel.log.redis import RedisServer
from channel.node.config import read_config
from channel.node.station import Letter, origins_of
from channel.protocol import note as notes
from channel.protocol.founding import Founding, read_founding
from channel.protocol.merkle import leaf_hash, root_of
from channel.protocol.note import NotePublic
from channel.protocol.record import try_read
from keys.errors import Malformed, Problem, Refused, Unverified

if TYPE_CHECKING:
    from pathlib import Path

    from channel.log.log import Log, Store
    from channel.node.config import NodeConfig

AT_ONCE = 256
Role = Literal["own", "side", "peer"]
Does = Literal["good", "sign", "fetch", "places", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFound:
    """One log. Sizes in records; None where journal or store could not be looked at."""

    log: str
    role: Role
    journal: int | None
    store: int | None
    differs: int | None = None
    """The first index at which the store is not what the journal signed, or can't be read."""
    lost_places: int = 0
    lost_parts: int = 0
    """Blobs that a record names and that are not there or not whole."""
    note: int | None = None
    """Size of the newest note of this log in the store."""
    does: Does
    count: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFound:
    """One channel of the node, its logs: own, side, peer's."""

    chan: bytes
    party: str
    mode: int
    logs: tuple[LogFound, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFound:
    """The whole node. ``journal`` and ``store``: why one of them could not be opened."""

    channels: tuple[ChannelFound, ...]
    journal: Problem | None
    store: Problem | None
    may_set_aside: bool

    @property
    def does(self) -> Does:
        """The most serious of what starting the node will do."""
        ranks: tuple[Does, ...] = ("good", "sign", "places", "fetch", "refuse")
        return max((log.does for channel in self.channels for log in channel.logs), key=ranks.index)


async def find(home: Path) -> NodeFound:
    """Look at the node of ``home``. ``Refused`` JOURNAL_BUSY while it runs; ``WrongUse`` for settings that can't be used."""
    config = read_config(home / "node.toml")
    foundings = [read_founding(block.founding.read_bytes()) for block in config.channels]
    async with AsyncExitStack() as stack:
        journal = _open_journal(config, stack)
        server = await _open_store(config, stack)
        channels = [await _channel(config.party, each, journal, server) for each in foundings]
    torn = isinstance(server, Problem) and server.code == "STORE_TORN"
    differs = any(log.why == "STORE_DAMAGED" for channel in channels for log in channel.logs)
    return NodeFound(
        channels=tuple(channels),
        journal=journal if isinstance(journal, Problem) else None,
        store=server if isinstance(server, Problem) else None,
        may_set_aside=config.store.embedded is not None and not isinstance(journal, Problem) and (torn or differs),
    )


def put_aside(home: Path) -> Path:
    """Move the embedded store's data aside, under the journal's lock; where it is now. ``Refused`` NOTHING_ASIDE."""
    config = read_config(home / "node.toml")
    with Journal.open(config.journal):
        path = None if config.store.embedded is None else set_aside(config.store.embedded)
    if path is None:
        raise Refused("NOTHING_ASIDE")
    return path


def _open_journal(config: NodeConfig, stack: AsyncExitStack) -> Journal | Problem:
    try:
        journal = Journal.open(config.journal)
    except Problem as e:
        if e.code == "JOURNAL_BUSY":
            raise
        return e
    stack.callback(journal.close)
    return journal


async def _open_store(config: NodeConfig, stack: AsyncExitStack) -> RedisServer | Problem:
    url = config.store.url
    try:
        if config.store.embedded is not None:
            embedded = EmbeddedServer(config.store.embedded)
            await embedded.start()
            stack.push_async_callback(embedded.stop)
            url = embedded.url
        server = await RedisServer.connect(url)
    except Problem as e:
        return e
    stack.push_async_callback(server.close)
    return server


async def _channel(
    party: str, founding: Founding, journal: Journal | Problem, server: RedisServer | Problem
) -> ChannelFound:
    charter = founding.read_charter()
    letter: Letter = "a" if charter.letter(party) == "a" else "b"
    other: Letter = "b" if letter == "a" else "a"
    origins = origins_of(founding.chan, letter)
    store = None if isinstance(server, Problem) else server.store(founding.chan)
    logs: list[LogFound] = []
    roles: tuple[tuple[Role, str, str], ...] = (
        ("own", f"{letter}0", origins.own), ("side", f"{letter}0s", origins.side), ("peer", f"{other}0", origins.peer),
    )  # fmt: skip
    for role, name, origin in roles:
        head = _head(journal, origin)
        if store is None or isinstance(head, Problem):
            why = server if isinstance(server, Problem) else head
            logs.append(LogFound(
                log=name, role=role, journal=head.size if isinstance(head, Head) else None, store=await _size(store, name),
                does="refuse", why=why.code if isinstance(why, Problem) else "",
            ))  # fmt: skip
            continue
        assert isinstance(journal, Journal)
        found = await _look(store.log(name), role, journal, head)
        if role == "own" and await _released_beyond(store.log(name), founding, letter, journal):
            found = replace(found, does="refuse", count=0, why=found.why or "JOURNAL_LOST")
        logs.append(found)
    return ChannelFound(chan=founding.chan, party=party, mode=charter.mode, logs=tuple(logs))


def _head(journal: Journal | Problem, origin: str) -> Head | Problem:
    if isinstance(journal, Problem):
        return journal
    try:
        return journal.head(origin)
    except Problem as e:  # no such log, or its keys never sign again
        return e


async def _size(store: Store | None, name: str) -> int | None:
    return None if store is None else await store.log(name).size()


async def _look(log: Log, role: Role, journal: Journal, head: Head) -> LogFound:
    size = await log.size()
    note = await log.newest_note()
    differs, lost_places, lost_parts = await _compare(log, role, journal, head, size)
    does, count, why = _verdict(role, head.size, size, differs, lost_parts)
    return LogFound(
        log=log.name, role=role, journal=head.size, store=size, differs=differs, lost_places=lost_places,
        lost_parts=lost_parts, note=None if note is None else notes.parse(note).size,
        does=does, count=count, why=why,
    )  # fmt: skip


async def _compare(log: Log, role: Role, journal: Journal, head: Head, size: int) -> tuple[int | None, int, int]:
    """First index that differs, lost places before it, and blobs that are missing."""
    places = parts = 0
    for lo in range(0, size, AT_ONCE):
        hi = min(size, lo + AT_ONCE)
        try:
            records, stored = await log.records(lo, hi), await log.leaf_hashes(lo, hi)
        except Problem as e:
            return int(str(e.values.get("index", lo))), places, parts
        known = journal.leaves(head.origin, lo, min(head.size, hi))
        for at in range(hi - lo):
            if at >= len(records) or at >= len(stored):
                return lo + at, places, parts
            raw, leaf = records[at], stored[at]
            lost = not raw and role == "side" and at < len(known)
            if (not lost and leaf_hash(raw) != leaf) or (at < len(known) and known[at] != leaf):
                return lo + at, places, parts
            places += lost
            parts += await _lost_parts(log, raw)
    return None, places, parts


async def _lost_parts(log: Log, raw: bytes) -> int:
    record, lost = try_read(raw), 0
    for digest in record.blobs if record else ():
        blob = await log.blob(digest)
        lost += blob is None or hashlib.sha256(blob).digest() != digest
    return lost


def _verdict(role: Role, journal: int, store: int, differs: int | None, parts: int) -> tuple[Does, int, str]:
    if differs is not None:
        return "refuse", 0, "STORE_DAMAGED"
    if store < journal:
        return ("places" if role == "side" else "fetch"), journal - store, ""
    if parts and role != "side":
        return "fetch", parts, ""
    return ("sign", store - journal, "") if store > journal else ("good", 0, "")


async def _released_beyond(log: Log, founding: Founding, letter: Letter, journal: Journal) -> bool:
    """Whether the peer has cosigned a note of the own log that the journal does not know, or knows otherwise."""
    cosigned = [key for key, marks in (await log.kept_notes()).items() if COSIGNED in marks]
    raw = await log.kept_note(max(cosigned)) if cosigned else None
    if raw is None:
        return False
    charter, origins = founding.read_charter(), origins_of(founding.chan, letter)
    own, cos = charter.party(letter).log, charter.party("b" if letter == "a" else "a").cos
    cosigner = (origins.peer_cosigner, NotePublic(cos.ed, cos.ml))
    try:
        note = notes.parse(raw)
        if note.origin != origins.own or not notes.check(note, NotePublic(own.ed, own.ml), cosigner).cosigned:
            return False
    except (Malformed, Unverified):
        return False  # nobody can prove anything with it
    head = journal.head(note.origin)
    return note.size > head.size or root_of(journal.leaves(note.origin, 0, note.size)) != note.root
