"""Carries the own log to the other side: follows it with a cursor, and what comes back is the cosignature.

The cursor is what the peer has cosigned; kill the courier and it goes on from there. Start-up, first sends and retries
are one loop; what was committed just now is at hand, all else is read from the store. It sends each committed batch under its note, at most a second after new records an anchor over them, and
when idle a heartbeat: an anchor over the same size with a new time (docs/protocol.md sections 6 and 8).
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from channel.node.line import backoff
from channel.node.state import State
from channel.protocol import append
from channel.protocol import note as notes
from channel.protocol.record import try_read
from keys.codec import unpack
from keys.errors import Malformed, Problem, Refused, SecurityAlarm, Unavailable, Unverified

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from channel.clock import Clock
    from channel.node.line import Line, Reply
    from channel.node.station import Station
    from channel.node.writer import Released
    from channel.protocol.note import Note

ANCHOR_SECONDS = 0.7  # after the first record that no anchor covers; the rule is one second at most
AT_HAND_BYTES = 16 << 20  # records and blobs that are kept in memory for the line
WAYS = 256  # deliveries of which it is remembered how they went


class Courier:
    """Follows the own shared log of one channel. ``make_anchor`` signs and stores an anchor over what is committed."""

    def __init__(
        self, station: Station, line: Line, clock: Clock,
        make_anchor: Callable[[], Awaitable[Note]], moved: Callable[[], None],
    ) -> None:  # fmt: skip
        self._station, self._line, self._clock = station, line, clock
        self._make_anchor, self._moved = make_anchor, moved
        self.cursor = station.delivered
        self._anchored = -1  # size of the last cosigned anchor
        self._anchor_due: float | None = None
        self._last_timed = clock.monotonic() - 1e9
        self._failures = 0
        self._at_hand: list[Released] = []
        self._anchor: Note | None = None
        self._ways: deque[tuple[int, int, int | None]] = deque(maxlen=WAYS)

    async def run(self) -> None:
        """Carry for ever. A peer that does not answer makes the channel DEGRADED, its false signature FROZEN_PEER.

        An error of the own signer or store is raised: it ends the node.
        """
        station, begun = self._station, False
        while True:
            if station.state not in (State.ACTIVE, State.DEGRADED):
                await station.changed(1.0)
                continue
            if not begun:  # what was delivered before is known once the channel is recovered
                self.cursor, begun = max(self.cursor, station.delivered), True
            try:
                busy = await self._step()
                self._failures = 0
                station.telemetry.link_up.set(1)
                if busy is not None and station.state is State.DEGRADED:
                    station.move(State.ACTIVE)
            except SecurityAlarm as e:
                station.telemetry.say_problem("peer signature", e)
                station.alarms.add(e.code)
                station.move(State.FROZEN_PEER)
                continue
            except (Refused, Malformed, Unverified) as e:  # the line and the peer; what is wrong here ends the node
                self._fail(e)
                await self._clock.sleep(backoff(self._failures))
                continue
            if not busy:
                await station.changed(self._pause())

    def ask_anchor(self) -> None:
        """Anchor at once what no anchor covers, and otherwise send a heartbeat."""
        self._anchor_due = self._clock.monotonic()
        self._station.wake()

    def offer(self, batch: Released) -> None:
        """A batch that was released just now; while it is the next to go, it need not be read again.

        While the line is down the oldest go first: they are read from the store when it is back.
        """
        self._at_hand = [kept for kept in (*self._at_hand, batch) if kept.note.size > self.cursor]
        while sum(map(_weight, self._at_hand)) > AT_HAND_BYTES:
            del self._at_hand[0]

    def way_of(self, index: int) -> int | None:
        """The address by which a delivered record went; None if it went by hand, or nobody knows any more."""
        for first, size, address in self._ways:
            if first <= index < size:
                return address
        return 0 if self._line.addresses == 1 else None

    async def pack(self, most: int) -> list[bytes]:
        """What the other side has not cosigned, as whole requests of together at most ``most`` bytes, to carry by hand.

        Below the limit of one request quick notes go alone: little is to be printed. ``Refused`` NOTHING_TO_CARRY, or
        CARRY_SIZE where not even the first fits. The cursor stays: the answers move it.
        """
        station, whole = self._station, most >= append.MAX_REQUEST
        if station.delivered >= station.sizes[station.letter]:
            raise Refused("NOTHING_TO_CARRY")
        end = (await self._make_anchor()).size if whole else station.sizes[station.letter]
        at, bodies = max(self.cursor, station.delivered), list[bytes]()
        while at < end or not bodies:
            note, recs, blobs = await self._stored(at, most, quick=not whole)
            body = append.Request(old=at, note=note.encode(), recs=recs, blobs=blobs).encode()
            if sum(map(len, bodies)) + len(body) > most - 8 - 4 * (len(bodies) + 1):
                break
            bodies.append(body)
            at = note.size
        if not bodies:
            raise Refused("CARRY_SIZE", size=len(body), limit=most)
        return bodies

    async def take_carried(self, note: Note) -> None:
        """The peer's lines under an own note, brought by hand; what is wrong with them says ``append.check_answer``."""
        _, (name, _) = self._station.note_keys(self._station.letter)
        lines = [line for line in note.lines if line.name == name]
        bare = replace(note, lines=tuple(line for line in note.lines if line.name != name))
        first = self._station.delivered
        await self._take(bare, notes.encode_lines(lines))
        self._ways.append((first, note.size, None))

    async def _step(self) -> bool | None:
        """Send what is next: True if something was sent, None if nothing was due."""
        now = self._clock.monotonic()
        size = self._station.sizes[self._station.letter]
        if self._anchored < size and self._anchor_due is None:
            self._anchor_due = now + ANCHOR_SECONDS
        heartbeat = now - self._last_timed >= self._station.policy().timers.hb_s
        if size and (heartbeat or (self._anchor_due is not None and now >= self._anchor_due)):
            self._anchor_due = None
            self._anchor = anchor = await self._make_anchor()
            if anchor.size == self.cursor:
                await self._send(anchor, (), (), old=self.cursor)
                return True
        if self.cursor < self._station.sizes[self._station.letter]:  # a new anchor goes with its records
            await self._send_batch()
            return True
        return None

    async def _send_batch(self) -> None:
        """The records from the cursor to the furthest note that still is one batch, an anchor before a quick one."""
        if self._at_hand and self._at_hand[0].first == self.cursor:
            await self._send_at_hand()
        else:
            await self._send_stored()

    async def _send_at_hand(self) -> None:
        """The batches from the cursor on that were released just now, as far as they are one batch together."""
        batches = self._at_hand
        weights = [_weight(batch) for batch in batches]
        fits = 1
        while (
            fits < len(batches)
            and sum(weights[: fits + 1]) <= append.MAX_BATCH
            and batches[fits].note.size - self.cursor <= append.MAX_RECORDS
        ):
            fits += 1
        note = batches[fits - 1].note
        if self._anchor is not None and self._anchor.size == note.size:
            note = self._anchor
        blobs = {h: blob for b in batches[:fits] for h, blob in b.blobs.items()}
        records = tuple(raw for b in batches[:fits] for raw in b.records)
        await self._send(note, records, tuple(blobs[h] for h in sorted(blobs)), old=self.cursor)

    async def _send_stored(self) -> None:
        at = self.cursor
        await self._send(*(await self._stored(at)), old=at)

    async def _stored(
        self, at: int, most: int = append.MAX_BATCH, *, quick: bool = False
    ) -> tuple[Note, tuple[bytes, ...], tuple[bytes, ...]]:
        """One batch from ``at`` on, as the store has it: its note, its records, the blobs that they name."""
        station = self._station
        log, size = station.own, station.sizes[station.letter]
        if at == size:  # the peer has it all and its answer was lost
            return notes.parse(station.newest[station.letter]), (), ()
        kept = sorted(k for k in await log.kept_notes() if at < k.size <= size and not (quick and k.anchor))
        records = await log.records(at, min(size, at + append.MAX_RECORDS))
        named = [record.blobs if (record := try_read(raw)) else () for raw in records]
        blobs: dict[bytes, bytes] = {}
        for digest in {h for some in named for h in some}:
            blobs[digest] = await self._blob(digest)
        weights = [len(raw) + sum(len(blobs[h]) for h in some) for raw, some in zip(records, named, strict=True)]
        last = at + _fitting(weights, most)
        fits = [key for key in kept if key.size <= last] or kept[:1]
        chosen = max(fits, key=lambda key: (key.anchor, key), default=None)
        raw_note = await log.kept_note(chosen) if chosen else None
        if chosen is None or raw_note is None:
            raise Problem("NO_NOTE", log=log.name, note=size)
        count = chosen.size - at
        need = {h for some in named[:count] for h in some}
        sent = tuple(blobs[h] for h in sorted(need) if blobs[h])
        return notes.parse(raw_note), tuple(records[:count]), sent

    async def _send(self, note: Note, recs: tuple[bytes, ...], blobs: tuple[bytes, ...], *, old: int) -> None:
        body = append.Request(old=old, note=note.encode(), recs=recs, blobs=blobs).encode()
        reply = await self._line.ask("POST", "/dcx/v1/append", body)
        match reply.status:
            case 200:
                await self._take(note, reply.body)
                self._ways.append((old, note.size, reply.address))
            case 409:
                self._resume(append.read_size(reply.body), old)
            case 424:
                await self._send_missing(note, old, recs, blobs, append.read_missing(reply.body))
            case _:
                raise _peer_problem(reply)

    async def _blob(self, digest: bytes) -> bytes:
        """A blob of the own log; empty if it is lost or damaged: then the peer asks for it, and its desk may bring it."""
        blob = await self._station.own.blob(digest)
        return blob if blob is not None and hashlib.sha256(blob).digest() == digest else b""

    async def _send_missing(
        self, note: Note, old: int, recs: tuple[bytes, ...], blobs: tuple[bytes, ...], missing: Sequence[bytes]
    ) -> None:
        """The same batch again with what is missing: the peer has kept nothing of the first try."""
        had = {hashlib.sha256(blob).digest(): blob for blob in blobs}
        had |= {h: blob for h in missing if (blob := await self._blob(h))}
        body = append.Request(old=old, note=note.encode(), recs=recs, blobs=tuple(had.values())).encode()
        reply = await self._line.ask("POST", "/dcx/v1/append", body)
        if reply.status != 200:
            raise _peer_problem(reply)
        await self._take(note, reply.body)
        self._ways.append((old, note.size, reply.address))

    async def _take(self, note: Note, lines: bytes) -> None:
        """Verify the peer's lines and store the note: delivered, and for an anchor anchored."""
        station = self._station
        key, cosigner = station.note_keys(station.letter)
        merged = append.check_answer(note, lines, cosigner)
        await station.put_note(station.letter, merged, cosigned=True)
        if notes.check(merged, key, cosigner).cosigned_anchor:
            self._anchored = note.size
            self._last_timed = self._clock.monotonic()
        self.cursor = max(self.cursor, note.size)
        self._at_hand = [batch for batch in self._at_hand if batch.first >= self.cursor]
        station.heard_ms = station.stamps.now()
        station.peer_has(note.size)
        self._moved()

    def _resume(self, size: int, old: int) -> None:
        """The peer is elsewhere: go on from there. More than we have is nothing that we signed."""
        if size > self._station.sizes[self._station.letter]:
            raise Unavailable("PEER_AHEAD", size=size)
        if size == old:
            raise Unavailable("PEER", why="409")
        self.cursor = size

    def _fail(self, e: Problem) -> None:
        station = self._station
        self._failures += 1
        station.telemetry.say_problem("link", e)
        if e.values.get("why") == "RATE":
            return  # the peer answers, only not that often
        station.telemetry.link_up.set(0)
        if station.state is State.ACTIVE:
            station.move(State.DEGRADED)

    def _pause(self) -> float:
        now = self._clock.monotonic()
        due = [self._last_timed + self._station.policy().timers.hb_s]
        if self._anchor_due is not None:
            due.append(self._anchor_due)
        return max(0.01, min(due) - now)


def _fitting(weights: Sequence[int], most: int) -> int:
    """How many of the records go into one batch of at most ``most`` bytes; at least one."""
    count = append.next_batch(weights)
    while count > 1 and sum(weights[:count]) > most:
        count -= 1
    return count


def _weight(batch: Released) -> int:
    return sum(map(len, batch.records)) + sum(map(len, batch.blobs.values()))


def _peer_problem(reply: Reply) -> Problem:
    """The peer's refusal: its code, if it has one."""
    try:
        code = str(unpack(reply.body, dict)["code"])
    except (Malformed, KeyError):
        code = ""
    if reply.status >= 500 or reply.status == 429:
        return Unavailable("PEER", why=code or str(reply.status))
    return Refused("PEER_REFUSED", status=reply.status, why=code)
