"""Carries the own log to the other side: follows it with a cursor, and what comes back is the cosignature.

The cursor is what the peer has cosigned; kill the courier and it goes on from there. Start-up, first sends and retries
are one loop; what was committed just now is at hand, all else is read from the store. It sends each committed batch under its note, at most a second after new records an anchor over them, and
when idle a heartbeat: an anchor over the same size with a new time (docs/protocol.md sections 6 and 8).
"""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp

from channel.node.state import State
from channel.node.tls import fingerprint
from channel.protocol import append
from channel.protocol import note as notes
from channel.protocol.record import try_read
from keys.codec import unpack
from keys.errors import Malformed, Problem, Refused, SecurityAlarm, Unavailable, Unverified

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from channel.clock import Clock
    from channel.node.station import Station
    from channel.node.writer import Released
    from channel.protocol.note import Note

ANCHOR_SECONDS = 0.7  # after the first record that no anchor covers; the rule is one second at most
BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0)
SEND_SECONDS = 30.0
AT_HAND_BYTES = 16 << 20  # records and blobs that are kept in memory for the line
AT_ONCE_BYTES = 1 << 20  # a body below it goes out in one piece with its headers


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return 0.0 if failures == 0 else BACKOFF[min(failures, len(BACKOFF)) - 1]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the peer answered."""

    status: int
    body: bytes


class Line:
    """The way to the peer: its addresses in order, its pinned certificate, and the bytes a second it may carry."""

    def __init__(self, urls: Sequence[str], context: ssl.SSLContext, cert: bytes, rate: int, clock: Clock) -> None:
        self._urls, self._context, self._rate, self._clock = tuple(urls), context, rate, clock
        self._pin = aiohttp.Fingerprint(fingerprint(cert))
        self._http: aiohttp.ClientSession | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> Reply:
        """The first answer of an address; ``Unavailable`` PEER if none answers."""
        if self._http is None:
            # The chain is verified against the pinned certificate alone and the whole certificate compared after it.
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._pin, limit=8),
                timeout=aiohttp.ClientTimeout(total=SEND_SECONDS, connect=5),
                trust_env=False,
            )
        why = ""
        for url in self._urls:
            try:
                data = body if len(body) < AT_ONCE_BYTES else BytesIO(body)
                async with self._http.request(method, url + path, data=data or None, ssl=self._context) as answer:
                    raw = await answer.content.read(append.MAX_REQUEST + 1)
                    while len(raw) <= append.MAX_REQUEST and (more := await answer.content.read(1 << 20)):
                        raw += more
                    if self._rate:
                        await self._clock.sleep((len(body) + len(raw)) / self._rate)
                    return Reply(answer.status, raw)
            except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as e:
                why = type(e).__name__
        raise Unavailable("PEER", why=why)

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()


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

    async def run(self) -> None:
        """Carry for ever. A peer that does not answer makes the channel DEGRADED, its false signature FROZEN_PEER.

        An error of the own signer or store is raised: it ends the node.
        """
        station = self._station
        while True:
            if station.state not in (State.ACTIVE, State.DEGRADED):
                await station.changed(1.0)
                continue
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
                await self._send(anchor, self.cursor, (), ())
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
        await self._send(note, self.cursor, records, tuple(blobs[h] for h in sorted(blobs)))

    async def _send_stored(self) -> None:
        station = self._station
        log, size = station.own, station.sizes[station.letter]
        kept = sorted(key for key in await log.kept_notes() if self.cursor < key.size <= size)
        records = await log.records(self.cursor, min(size, self.cursor + append.MAX_RECORDS))
        named = [record.blobs if (record := try_read(raw)) else () for raw in records]
        blobs: dict[bytes, bytes] = {}
        for digest in {h for some in named for h in some}:
            blobs[digest] = await self._blob(digest)
        weights = [len(raw) + sum(len(blobs[h]) for h in some) for raw, some in zip(records, named, strict=True)]
        most = self.cursor + append.next_batch(weights)
        fits = [key for key in kept if key.size <= most] or kept[:1]
        chosen = max(fits, key=lambda key: (key.anchor, key), default=None)
        raw_note = await log.kept_note(chosen) if chosen else None
        if chosen is None or raw_note is None:
            raise Problem("NO_NOTE", log=log.name, note=size)
        count = chosen.size - self.cursor
        need = {h for some in named[:count] for h in some}
        sent = tuple(blobs[h] for h in sorted(need) if blobs[h])
        await self._send(notes.parse(raw_note), self.cursor, tuple(records[:count]), sent)

    async def _send(self, note: Note, old: int, recs: tuple[bytes, ...], blobs: tuple[bytes, ...]) -> None:
        body = append.Request(old=old, note=note.encode(), recs=recs, blobs=blobs).encode()
        reply = await self._line.ask("POST", "/dcx/v1/append", body)
        match reply.status:
            case 200:
                await self._take(note, reply.body)
            case 409:
                self._resume(append.read_size(reply.body))
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

    def _resume(self, size: int) -> None:
        """The peer is elsewhere: go on from there. More than we have is nothing that we signed."""
        if size > self._station.sizes[self._station.letter]:
            raise Unavailable("PEER_AHEAD", size=size)
        if size == self.cursor:
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
