"""The peer's end of the link: takes its log, cosigns it, and serves both shared logs (docs/protocol.md sections 8, 15).

Receiving goes in one order, under a lock: the pure rules of ``channel.protocol.append`` say what a request is; records
and blobs are made durable in the mirror; row C of the journal moves by compare-and-swap; only then the cosigner signs,
the note is stored and the answer goes out. The answer *is* the cosignature. An unknown outcome ends the process.
``status`` is answered in every state: two recovering nodes would wait for each other otherwise.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from channel.log.log import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, Appended, Entry
from channel.node import requests
from channel.node.intake import Rate, is_foreign, is_urgent
from channel.node.refusals import Refusals, keep_evidence
from channel.node.requests import answer, answer_raw, hex_bytes, number, read_body
from channel.node.state import WRITING, Fatal, State
from channel.node.tls import check_pin
from channel.protocol import append, merkle
from channel.protocol import note as notes
from channel.protocol.record import try_read
from keys.errors import Malformed, Problem, Refused, Unavailable

if TYPE_CHECKING:
    from channel.clock import Clock
    from channel.log.log import Log
    from channel.node.station import Station
    from channel.node.writer import Writer
    from channel.protocol.note import Note

CONCURRENT = 8
SLOWEST = 25  # bytes a second from the pinned peer: a line of 300 bit/s, with what its own layers take


class Receiver:
    """Takes the peer's log for one channel. ``foreign``: as the intake's, the mode of an id known elsewhere here."""

    def __init__(
        self, station: Station, shared: Writer, refusals: Refusals, foreign: Callable[[bytes], int | None],
        testing_step: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._station, self._shared, self._refusals, self._step = station, shared, refusals, testing_step
        self._foreign = foreign
        self._lock = asyncio.Lock()

    async def receive(self, raw: bytes) -> append.Outcome | tuple[append.Outcome, bytes]:
        """What the request is; for an accepted one with the answer's signature lines."""
        station = self._station
        async with self._lock:
            if station.state is State.FROZEN_PEER:
                raise Refused("FROZEN")
            station.check_writing()
            head = station.signer.head(station.origins.peer)
            held = station.newest[station.other]
            outcome = append.receive(
                raw,
                station.origins.peer,
                station.note_keys(station.other)[0],
                head.frontier,
                notes.parse(held) if held else None,
                (await self._stored(raw)).__contains__,
            )
            try:
                match outcome:
                    case append.Accept():
                        return outcome, await self._accept(outcome)
                    case append.Refresh(note, anchor):
                        lines = await self._cosign(note, anchor=anchor)
                        station.wake()
                        return outcome, lines
            except Problem as e:
                raise e if isinstance(e, Fatal) else Fatal("COMMIT", why=e.code, log=station.mirror.name) from e
            if isinstance(outcome, append.Unprocessable422):
                await self._keep(raw, outcome)
            return outcome

    async def _stored(self, raw: bytes) -> frozenset[bytes]:
        """Which of the blobs that the request's records name, and does not bring, are in the mirror."""
        try:
            request = append.read_request(raw)
        except Malformed:
            return frozenset()
        brought = {hashlib.sha256(blob).digest() for blob in request.blobs}
        named = {h for record in map(try_read, request.recs) if record for h in record.blobs}
        return frozenset([h for h in named - brought if await self._station.mirror.blob(h) is not None])

    async def _accept(self, batch: append.Accept) -> bytes:
        station = self._station
        first = batch.note.size - len(batch.records)
        entries = [Entry(raw, leaf) for raw, leaf in zip(batch.records, batch.leaf_hashes, strict=True)]
        self._step("a")
        outcome = await station.mirror.append(first, entries, batch.blobs)
        if not isinstance(outcome, Appended):
            raise Fatal("LOG_SIZE", log=station.mirror.name, found=repr(outcome), need=first)
        self._step("b")
        await station.signer.extend(station.origins.peer, first, batch.leaf_hashes, station.stamps.now())
        self._step("c")
        lines = await self._cosign(batch.note, anchor=batch.anchor)
        blobs = await blobs_of(station.mirror, batch.records, batch.blobs)
        # with what is learned, not before: what an own record has seen, the fold knows
        station.cosigned_peer = (notes.origin_parts(batch.note.origin)[2], batch.note.size, batch.note.root)
        station.learn(station.other, first, batch.records, blobs)
        for at in range(first, batch.note.size):
            if _crosses(station, at, blobs, self._foreign):
                station.alarms.add("MODE")
        self._step("e")
        return lines

    async def _cosign(self, note: Note, *, anchor: bool) -> bytes:
        station = self._station
        lines = station.signer.cosign(note, station.stamps.seconds(), anchor=anchor)
        self._step("d")
        await station.put_note(station.other, notes.merge(note, lines), cosigned=True)
        station.heard_ms = station.stamps.now()
        station.telemetry.cosigned.inc()
        return notes.encode_lines(lines)

    async def _keep(self, raw: bytes, outcome: append.Unprocessable422) -> None:
        """What the peer signed and what does not fit. Two histories: stop cosigning first, then keep the proof."""
        station = self._station
        if outcome.freeze:
            station.move(State.FROZEN_PEER)
        try:
            digest, new = self._refusals.keep("fork" if outcome.freeze else "append", raw)
            if new:
                station.alarms.add(outcome.why, digest)
            if outcome.evidence is not None:
                await keep_evidence(outcome.evidence, self._refusals, self._shared, station.alarms)
        except OSError as e:
            raise Fatal("COMMIT", why=type(e).__name__, log=station.mirror.name) from e
        station.wake()


class Listener:
    """The peer listener of a node; ``receivers`` by channel id, ``pins`` gives the certificates (DER) of each."""

    def __init__(
        self, stations: Mapping[bytes, Station], receivers: Mapping[bytes, Receiver], pins: Mapping[bytes, bytes],
        clock: Clock, fatal: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        self._stations, self._receivers, self._pins = stations, receivers, pins
        self._clock, self._fatal = clock, fatal
        self._running: dict[bytes, int] = {}
        self._rate = Rate()
        self._by_origin = {
            hashlib.sha256(origin.encode()).digest(): (station, letter)
            for station in stations.values()
            for origin, letter in ((station.origins.own, station.letter), (station.origins.peer, station.other))
        }

    def routes(self) -> list[web.RouteDef]:
        """Every path that the peer may ask for."""
        return [
            web.post("/dcx/v1/append", self._append),
            web.get("/dcx/v1/status/{oh}", self._for_peer(self._status)),
            web.get("/dcx/v1/log/{oh}/checkpoint", self._for_peer(self._checkpoint)),
            web.get("/dcx/v1/log/{oh}/tile/entries/{path:.+}", self._for_peer(self._entries)),
            web.get("/dcx/v1/log/{oh}/tile/{level:[1-9]?[0-9]}/{path:.+}", self._for_peer(self._tile)),
            web.get("/dcx/v1/log/{oh}/records", self._for_peer(self._records)),
            web.get("/dcx/v1/blob/{oh}/{hash}", self._for_peer(self._blob)),
        ]

    async def _append(self, request: web.Request) -> web.Response:
        pin = self._caller(request)
        with self._one_of(pin, CONCURRENT):
            raw = await read_body(request, append.MAX_REQUEST, floor=SLOWEST)
            sent = append.read_request(raw)
            origin = notes.parse(sent.note).origin
            found = self._by_origin.get(hashlib.sha256(origin.encode()).digest())
            if found is None or found[1] == found[0].letter or self._pins[found[0].chan] != pin:
                raise Refused("NOT_FOUND")
            station = found[0]
            if station.state in WRITING and not _urgent(sent.recs):
                self._rate.check(pin, station.policy().limits.rate_peer, self._clock.monotonic())
            try:
                result = await self._receivers[station.chan].receive(raw)
            except Fatal as e:
                self._fatal(e)
                raise Unavailable("RECOVERING") from e
        if isinstance(result, tuple):
            return answer_raw(result[1], content_type="text/plain")
        return _outcome_answer(result)

    def _for_peer(
        self, handler: Callable[[web.Request, Station, str], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The handler with the station and the log's letter that the origin hash in the path names."""

        async def checked(request: web.Request) -> web.Response:
            pin = self._caller(request)
            found = self._by_origin.get(hex_bytes(request.match_info["oh"], 32, "oh"))
            if found is None or self._pins[found[0].chan] != pin:
                raise Refused("NOT_FOUND")
            with self._one_of(pin, CONCURRENT):
                return await handler(request, *found)

        return checked

    async def _status(self, _request: web.Request, station: Station, letter: str) -> web.Response:
        """``yours``: what is held of the caller's log; ``mine``: the newest own note."""
        if letter == station.letter:
            raise Refused("NOT_FOUND")
        newest = [await station.log(x).newest_note() or b"" for x in (station.other, station.letter)]
        return answer({"yours": newest[0], "mine": newest[1], "ts": self._clock.now()})

    async def _checkpoint(self, _request: web.Request, station: Station, letter: str) -> web.Response:
        note = await station.log(letter).newest_note()
        if note is None:
            raise Refused("NOT_FOUND")
        return answer_raw(note, content_type="text/plain", charset="utf-8")

    async def _records(self, request: web.Request, station: Station, letter: str) -> web.Response:
        lo, hi = number(request, "from"), number(request, "to", 2**53)
        size = station.signer.head(_origin(station, letter)).size  # also while the station has not learned them
        return answer(await records_of(partial(station.records, letter), lo, hi, size))

    async def _blob(self, request: web.Request, station: Station, letter: str) -> web.Response:
        digest = hex_bytes(request.match_info["hash"], 32, "hash")
        blob = await station.log(letter).blob(digest)
        if blob is None:
            raise Refused("NOT_FOUND")
        return answer_raw(blob, content_type="application/octet-stream", immutable=True)

    async def _tile(self, request: web.Request, station: Station, letter: str) -> web.Response:
        n, width = _tile_place(request.match_info["path"])
        level = int(request.match_info["level"])
        size = station.signer.head(_origin(station, letter)).size
        span = 256**level
        if (n * 256 + width) * span > size:
            raise Refused("NOT_FOUND")
        leaves = await station.log(letter).leaf_hashes(0, (n * 256 + width) * span)
        body = merkle.tile(leaves, level, n, width)
        return answer_raw(body, content_type="application/octet-stream", immutable=True)

    async def _entries(self, request: web.Request, station: Station, letter: str) -> web.Response:
        """An entries bundle: u16 length and bytes of each record (C2SP tlog-tiles)."""
        n, width = _tile_place(request.match_info["path"])
        if n * 256 + width > station.signer.head(_origin(station, letter)).size:
            raise Refused("NOT_FOUND")
        found = await station.log(letter).records(n * 256, n * 256 + width)
        body = b"".join(len(raw).to_bytes(2) + raw for raw in found)
        return answer_raw(body, content_type="application/octet-stream", immutable=True)

    def _caller(self, request: web.Request) -> bytes:
        tls = request.transport.get_extra_info("ssl_object") if request.transport else None
        return check_pin(tls.getpeercert(binary_form=True) if tls else None, self._pins.values())

    @contextmanager
    def _one_of(self, pin: bytes, limit: int) -> Iterator[None]:
        if self._running.get(pin, 0) >= limit:
            raise Unavailable("BUSY", seconds=1)
        self._running[pin] = self._running.get(pin, 0) + 1
        try:
            yield
        finally:
            self._running[pin] -= 1


async def records_of(read: Callable[[int, int], Awaitable[list[bytes]]], lo: int, hi: int, size: int) -> list[bytes]:
    """Records [lo, hi) below ``size``: at most 256 and 4 MiB of them, from ``lo`` on."""
    found: list[bytes] = []
    total = 0
    for raw in await read(lo, min(hi, size, lo + MAX_BATCH_RECORDS)) if lo < min(hi, size) else []:
        total += len(raw)
        if found and total > MAX_BATCH_BYTES:
            break
        found.append(raw)
    return found


async def blobs_of(
    log: Log, records: tuple[bytes, ...] | list[bytes], had: Mapping[bytes, bytes]
) -> dict[bytes, bytes]:
    """The blobs that the records name: from ``had``, else from the log."""
    blobs = dict(had)
    for record in map(try_read, records):
        for digest in record.blobs if record else ():
            if digest not in blobs and (blob := await log.blob(digest)) is not None:
                blobs[digest] = blob
    return blobs


def _outcome_answer(outcome: append.Outcome) -> web.Response:
    """409 and 424 have bodies of their own (docs/protocol.md section 8); all else is a problem with its texts."""
    if isinstance(outcome, (append.Conflict409, append.Missing424)):
        return answer_raw(outcome.body(), status=outcome.status, content_type=outcome.media)
    response = requests.problem_response(Refused(getattr(outcome, "why", "REFUSED")))
    response.set_status(outcome.status)
    return response


def _crosses(
    station: Station, index: int, blobs: Mapping[bytes, bytes], foreign: Callable[[bytes], int | None]
) -> bool:
    """Whether a peer record that the fold could judge already is refused, and was made for the other mode."""
    if index >= station.fold.cut["ab".index(station.other)]:
        return False
    verdict = station.fold.verdict(station.other, index)
    if verdict.reason in ("", "MODE") or verdict.envelope is None:
        return verdict.reason == "MODE"
    try:
        return is_foreign(verdict.envelope, blobs, foreign, station.mode)
    except Malformed:  # a payload that can't be read says nothing of a mode
        return False


def _urgent(records: tuple[bytes, ...]) -> bool:
    """Whether a rate may not stop this batch: it holds an acknowledgement, F13 or F14."""
    return any(r is not None and (r.t == "ack" or is_urgent(r.t, r.env)) for r in map(try_read, records))


def _origin(station: Station, letter: str) -> str:
    return station.origins.own if letter == station.letter else station.origins.peer


def _tile_place(path: str) -> tuple[int, int]:
    """Number and width of a tile path such as ``x001/x234/067.p/5``, in its one form; ``Malformed`` QUERY."""
    whole, dot, width = path.partition(".p/")
    digits = whole.replace("/", "").replace("x", "")
    if not (digits + width).isascii() or not digits.isdigit() or len(digits) > 18 or (dot and not width.isdigit()):
        raise Malformed("QUERY", name="tile")
    place = int(digits), int(width) if dot else merkle.TILE
    if not 0 < place[1] <= merkle.TILE or merkle.entries_path(*place) != f"tile/entries/{path}":
        raise Malformed("QUERY", name="tile")
    return place
