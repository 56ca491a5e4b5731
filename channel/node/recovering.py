"""From start to writing: what the journal, the store and the peer say has to fit first (docs/protocol.md section 9).

    R0  fences taken before this            R3  the peer's status; asked again until it answers, or two people decide
    R1  journal opened before this          R4  the wall clock within 60 s of the peer's, or an operator confirms
    R2  leaf hashes of the store's records against the journal's, for own log, side log and the peer's log:
        equal: good · store longer: unsigned tail, goes on at step c · store shorter: fetched from the peer, taken only
        if every leaf hash is the journal's; of the side log, which nobody else has, the places are kept (``gaps``) ·
        different: the store is damaged, nothing is signed

A node that was never used (empty journal and empty store) asks the peer once and then begins: it has nothing that it
could contradict, unless the peer holds a note of this log. No clock is ever set from the peer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from channel.log.log import Appended, Entry
from channel.log.notes import COSIGNED, NoteKey
from channel.node import gaps
from channel.node.intake import SHARED, SIDE
from channel.node.line import backoff
from channel.node.listener import blobs_of
from channel.node.refusals import freezes
from channel.node.state import Fatal, State
from channel.node.writer import Pending
from channel.protocol import merkle
from channel.protocol import note as notes
from channel.protocol.record import try_read
from keys.codec import unpack
from keys.envelope import read_envelope
from keys.errors import Malformed, Problem, Refused, Unavailable, Unverified

if TYPE_CHECKING:
    from channel.clock import Clock
    from channel.log.journal import Journal
    from channel.log.log import Log
    from channel.node.line import Line
    from channel.node.refusals import Refusals
    from channel.node.station import Station
    from channel.node.writer import Writer
    from channel.protocol.founding import Founding

CLOCK_MS = 60_000
AT_ONCE = 256
OPENING = 4
OK, NOT_FOUND = 200, 404


@dataclass(frozen=True, slots=True)
class Status:
    """The peer's answer: its newest note of our log (with its lines), its own newest note, its wall clock."""

    yours: bytes
    mine: bytes
    ts: int


class Recovering:
    """Brings one channel from INIT to ACTIVE."""

    def __init__(
        self, station: Station, line: Line, journal: Journal, founding: Founding, shared: Writer, side: Writer,
        refusals: Refusals, clock: Clock, *, confirm_clock: bool, without_peer: bool,
    ) -> None:  # fmt: skip
        self._station, self._line, self._journal, self._founding = station, line, journal, founding
        self._shared, self._side, self._refusals, self._clock = shared, side, refusals, clock
        self._forked = False
        self._confirm_clock, self._without_peer = confirm_clock, without_peer

    async def run(self) -> Literal["start", "confirmed"]:
        """Return once records may be written; the opening stands in the log by then. ``Fatal`` if nothing may be signed."""
        station = self._station
        station.move(State.RECOVERING)
        status = await self._handshake(once=await self._unused())
        if status is not None:
            self._check_own_note(status.yours)
        for origin, log in (
            (station.origins.own, station.own),
            (station.origins.side, station.side),
            (station.origins.peer, station.mirror),
        ):
            await self._agree(origin, log)
        await self._learn(status)
        await self._sign_again()
        confirmed = await self._check_clock(status)
        station.move(State.ACTIVE)
        if self._forked or self._refusals.forked():
            station.move(State.FROZEN_PEER)  # only both authorities end it, and a restart is none of them
        await self._name_lost_places()
        await self._open()
        return "confirmed" if confirmed else "start"

    async def _unused(self) -> bool:
        station = self._station
        heads = [station.signer.head(o).size for o in (station.origins.own, station.origins.side, station.origins.peer)]
        sizes = [await log.size() for log in (station.own, station.side, station.mirror)]
        return not any(heads) and not any(sizes)

    async def _handshake(self, *, once: bool) -> Status | None:
        """R3. None: the peer was not asked or did not answer, and that is allowed."""
        failures = 0
        while True:
            try:
                return await self._ask_status()
            except Problem as e:
                failures += 1
                if failures == 1:
                    self._station.telemetry.say_problem("waiting for the peer's status", e)
                if once or self._without_peer:
                    return None
                await self._clock.sleep(backoff(failures))

    async def _ask_status(self) -> Status:
        raw = await self._get(f"/dcx/v1/status/{_oh(self._station.origins.own)}")
        plain = unpack(raw, dict)
        yours, mine, ts = plain.get("yours"), plain.get("mine"), plain.get("ts")
        if not isinstance(yours, bytes) or not isinstance(mine, bytes) or not isinstance(ts, int):
            raise Malformed("ANSWER", status=200)
        return Status(yours, mine, ts)

    def _check_own_note(self, raw: bytes) -> None:
        """A log-valid note of the own log beyond or beside the journal means that the journal is not the newest one."""
        station = self._station
        if not raw:
            return
        try:
            note = notes.parse(raw)
            standing = notes.check(note, station.note_keys(station.letter)[0], None)
        except (Malformed, Unverified):
            return  # nobody can prove anything with it
        if note.origin != station.origins.own or not standing.log:
            return
        head = station.signer.head(note.origin)
        leaves = self._journal.leaves(note.origin, 0, min(note.size, head.size))
        if note.size > head.size or merkle.root_of(leaves) != note.root:
            self._journal.retire(note.origin)  # at no later start either
            raise Fatal("JOURNAL_LOST", size=note.size, have=head.size)

    async def _agree(self, origin: str, log: Log) -> None:
        """R2 for one log: afterwards store and journal hold the same records."""
        head, size = self._station.signer.head(origin), await log.size()
        for lo in range(0, size, AT_ONCE):
            records = await log.records(lo, min(size, lo + AT_ONCE))
            stored = await log.leaf_hashes(lo, lo + len(records))
            known = self._journal.leaves(origin, lo, min(head.size, lo + len(records)))
            lost_ends = len(known) if origin == self._station.origins.side else 0
            lawful = [bool(raw) or at < lost_ends for at, raw in enumerate(records)]
            found = [merkle.leaf_hash(raw) if raw else leaf for raw, leaf in zip(records, stored, strict=False)]
            if not all(lawful) or found != stored or len(found) < len(records) or found[: len(known)] != known:
                raise Fatal("STORE_DAMAGED", log=log.name, index=lo)
            await self._mend_blobs(origin, log, records)
        if size > head.size:
            tail = await log.leaf_hashes(head.size, size)
            last = try_read((await log.records(size - 1, size))[0])
            await self._station.signer.extend(origin, head.size, tail, last.ts if last else 0)
            self._station.telemetry.say("unsigned tail", log=log.name, records=size - head.size)
        elif size < head.size:
            await self._fetch_tail(origin, log, size, head.size)

    async def _mend_blobs(self, origin: str, log: Log, records: list[bytes]) -> None:
        """Every blob that a record names is there and whole, else fetched by its hash."""
        for record in map(try_read, records):
            for digest in record.blobs if record else ():
                blob = await log.blob(digest)
                if blob is not None and hashlib.sha256(blob).digest() == digest:
                    continue
                if origin == self._station.origins.side:
                    self._station.telemetry.say("a blob of the side log is lost", blob=digest)
                elif (found := await self._fetch_blob(origin, digest)) is not None:
                    await log.put_blob(digest, found)
                elif origin == self._station.origins.own:  # not delivered: the desk that handed it in still has it
                    self._station.telemetry.say("a blob is lost until its desk comes again", blob=digest)
                else:
                    raise Unavailable("PEER", why="404")

    async def _fetch_tail(self, origin: str, log: Log, size: int, need: int) -> None:
        if origin == self._station.origins.side:  # nobody else has it
            self._station.telemetry.say("lost places", log=log.name, have=size, need=need)
            await gaps.keep_places(log, self._journal, origin, size, need)
            return
        self._station.telemetry.say("fetching a lost tail", log=log.name, have=size, need=need)
        while size < need:
            raw = await self._get(f"/dcx/v1/log/{_oh(origin)}/records?from={size}&to={min(need, size + AT_ONCE)}")
            records = [r for r in unpack(raw, list) if isinstance(r, bytes)][: need - size]
            known = list(self._journal.leaves(origin, size, size + len(records)))
            if not records or [merkle.leaf_hash(r) for r in records] != known:
                raise Fatal("TAIL_LOST", log=log.name, size=size, need=need)
            for record in records:  # one at a time: its blobs may be as big as a batch
                size = await self._put_back(origin, log, size, record)

    async def _put_back(self, origin: str, log: Log, size: int, raw: bytes) -> int:
        record = try_read(raw)
        named = record.blobs if record else ()
        blobs = {}
        for digest in named:
            if await log.blob(digest) is None:
                if (found := await self._fetch_blob(origin, digest)) is None:
                    raise Unavailable("PEER", why="404")
                blobs[digest] = found
        key = _key_of(raw) if origin == self._station.origins.own else b""
        if key and await log.index_of(key) is not None:
            key = b""
        outcome = await log.append(size, [Entry.of(raw, key)], blobs)
        if not isinstance(outcome, Appended):
            raise Fatal("LOG_SIZE", log=log.name, found=repr(outcome), need=size)
        return outcome.size

    async def _fetch_blob(self, origin: str, digest: bytes) -> bytes | None:
        """The blob from the peer; None if the peer has not got it."""
        reply = await self._line.ask("GET", f"/dcx/v1/blob/{_oh(origin)}/{digest.hex()}")
        if reply.status == NOT_FOUND:
            return None
        if reply.status != OK:
            raise Unavailable("PEER", why=str(reply.status))
        if hashlib.sha256(reply.body).digest() != digest:
            raise Fatal("BLOB_HASH", blob=digest)
        return reply.body

    async def _get(self, path: str) -> bytes:
        reply = await self._line.ask("GET", path)
        if reply.status != OK:
            raise Unavailable("PEER", why=str(reply.status))
        return reply.body

    async def _learn(self, status: Status | None) -> None:
        """Read both shared logs into the station, and take over what was delivered."""
        station = self._station
        peer = station.signer.head(station.origins.peer)
        station.cosigned_peer = (0, peer.size, peer.root)
        sizes: dict[str, int] = {
            station.letter: station.signer.head(station.origins.own).size,
            station.other: peer.size,
        }
        delivered = [key.size for key, marks in (await station.own.kept_notes()).items() if COSIGNED in marks]
        station.sizes.update(sizes)  # before learning: a record's seen is compared with the other log's size
        for letter in (station.letter, station.other):
            log = station.log(letter)
            for lo in range(0, sizes[letter], AT_ONCE):
                records = await log.records(lo, min(sizes[letter], lo + AT_ONCE))
                for last in filter(None, map(try_read, records if letter == station.letter else [])):
                    station.stamps.raise_floor(last.ts)
                    self._forked = self._forked or (last.t == "node.evidence" and freezes(last.env))
                waits = max(delivered, default=0) if letter == station.letter else sizes[letter]
                needed = [  # bodies of messages only where they still burden the line
                    raw for at, raw in enumerate(records, start=lo)
                    if (r := try_read(raw)) is not None and (r.t != "msg" or at >= waits)
                ]  # fmt: skip
                station.learn(letter, lo, records, await blobs_of(log, needed, {}))
                station.sizes.update(sizes)
            station.newest[letter] = await log.newest_note() or b""
        if status is not None:
            delivered += await self._take_note(status.yours)
            await self._take_peer_note(status.mine)
        station.peer_has(max(delivered, default=0))
        station.stamps.raise_floor(station.signer.head(station.origins.side).ts)

    async def _take_note(self, raw: bytes) -> list[int]:
        """The size of the peer's note of the own log, if its cosigner line stands; the note is kept."""
        station = self._station
        key, cosigner = station.note_keys(station.letter)
        try:
            note = notes.parse(raw)
            if note.origin != station.origins.own or not notes.check(note, key, cosigner).cosigned:
                return []
        except (Malformed, Unverified):
            return []
        await station.put_note(station.letter, note, cosigned=True)
        return [note.size]

    async def _take_peer_note(self, raw: bytes) -> None:
        """Keep the peer's note over what was fetched: desks pinned it, and the copy of an older store has lost it.

        One over more, or beside what the journal knows, is left to the next append, which proves or refuses it.
        """
        station = self._station
        key, cosigner = station.note_keys(station.other)
        head = station.signer.head(station.origins.peer)
        try:
            note = notes.parse(raw)
            standing = notes.check(note, key, cosigner)
        except (Malformed, Unverified):
            return
        if standing.log and (note.origin, note.size, note.root) == (station.origins.peer, head.size, head.root):
            await station.put_note(station.other, note, cosigned=standing.cosigned)

    async def _sign_again(self) -> None:
        """After a crash between steps c and e: the same (size, root) gets its quick note now."""
        station = self._station
        for origin, log in ((station.origins.own, station.own), (station.origins.side, station.side)):
            newest = await log.newest_note()
            head = station.signer.head(origin)
            if head.size and (newest is None or notes.parse(newest).size < head.size):
                note = station.signer.quick(origin)
                station.signer.check_own(note)
                await log.put_note(NoteKey(note.size, anchor=False), note.encode())
        station.newest[station.letter] = await station.own.newest_note() or b""

    async def _check_clock(self, status: Status | None) -> bool:
        """R4: wait until the clock fits, or an operator confirms it. True: it was confirmed."""
        said = False
        while status is not None and abs(self._clock.now() - status.ts) > CLOCK_MS:
            if self._confirm_clock:
                return True
            if not said:
                self._station.telemetry.say("clock differs", by_ms=self._clock.now() - status.ts)
                said = True
            await self._clock.sleep(5.0)
            status = await self._handshake(once=False)
        return self._confirm_clock and status is None

    async def _name_lost_places(self) -> None:
        """Say in the side log what of it is lost, unless it says so already."""
        station = self._station
        if count := await gaps.name_places(station.side, self._journal, station.origins.side, self._side):
            station.telemetry.say("lost places named", log=station.side.name, records=count)

    async def _open(self) -> None:
        """The four opening records of a new log."""
        size = self._station.signer.head(self._station.origins.own).size
        blobs = self._founding.blob_map()
        for t, env, named in self._founding.opening(self._station.letter)[size:OPENING]:
            key = read_envelope(env).hash
            await self._shared.append(Pending(t, env, named, {h: blobs[h] for h in named}, key))


def _key_of(raw: bytes) -> bytes:
    """The idempotency key of a record that a desk handed in: its payload hash; empty for all others."""
    record = try_read(raw)
    if record is None or record.t not in SHARED | SIDE | {"charter"}:
        return b""
    try:
        return read_envelope(record.env).hash
    except (Malformed, Refused):
        return b""


def _oh(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()
