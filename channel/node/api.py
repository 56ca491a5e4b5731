"""What own desks may ask: login, submit, records, notes, proofs, blobs, the feed (docs/protocol.md section 15).

The session fixes the channel. A desk trusts nothing of this: it checks every record, note and proof by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from channel import __version__
from channel.log.notes import EXPORTED
from channel.node import carry
from channel.node.feed import follow
from channel.node.intake import MAX_SUBMISSION, Intake
from channel.node.listener import records_of
from channel.node.requests import answer, answer_raw, hex_bytes, number, read_body
from channel.node.sessions import SESSION_SECONDS, Session, Sessions, read_header
from channel.node.state import Fatal
from channel.node.writer import Pending
from channel.protocol import merkle
from keys.errors import Malformed, Refused, Unavailable, Unverified

if TYPE_CHECKING:
    from channel.clock import Clock
    from channel.log.log import Log
    from channel.node.carry import Carrier
    from channel.node.courier import Courier
    from channel.node.line import Line
    from channel.node.station import Station
    from channel.node.telemetry import Telemetry
    from channel.node.writer import Writer

MAX_LOGIN = 16_384
ANCHOR_SECONDS = 20.0
LOGS = ("a", "b", "side")


@dataclass(frozen=True, slots=True)
class Desk:
    """What serves the desks of one channel."""

    station: Station
    sessions: Sessions
    intake: Intake
    side: Writer
    courier: Courier
    carrier: Carrier
    line: Line


class Api:
    """The desk listener of a node; ``desks`` by channel id."""

    def __init__(
        self, desks: Mapping[bytes, Desk], party: str, clock: Clock, telemetry: Telemetry,
        fatal: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        self._desks, self._party, self._clock, self._telemetry = desks, party, clock, telemetry
        self._fatal = fatal
        self._logins = 0

    def routes(self) -> list[web.RouteDef]:
        """Every path that a desk may ask for."""
        return [
            web.get("/dcx/v1/health", self._health),
            web.get("/dcx/v1/metrics", self._metrics),
            web.get("/dcx/v1/login", self._nonce),
            web.post("/dcx/v1/login", self._login),
            web.post("/dcx/v1/submit", self._signed(self._submit, MAX_SUBMISSION)),
            web.get("/dcx/v1/records", self._signed(self._records)),
            web.get("/dcx/v1/notes", self._signed(self._notes)),
            web.get("/dcx/v1/blob/{hash}", self._signed(self._blob)),
            web.get("/dcx/v1/proof/{log}/{index}", self._signed(self._proof)),
            web.get("/dcx/v1/feed", self._signed(self._feed)),
            web.post("/dcx/v1/anchor", self._signed(self._anchor)),
            web.get("/dcx/v1/link", self._signed(self._link)),
            web.get("/dcx/v1/carry", self._signed(self._carry)),
            web.post("/dcx/v1/carry", self._signed(self._carry, carry.MAX_FILE)),
        ]

    async def _health(self, _request: web.Request) -> web.Response:
        states = [desk.station.state.value for desk in self._desks.values()]
        chans = [chan.hex() for chan in self._desks]
        alarms = sum((Counter(desk.station.own_alarms.counts) for desk in self._desks.values()), Counter())
        said = {"state": states[0], "party": self._party, "chans": chans, "version": __version__}
        return answer(said | {"alarms": dict(alarms)})

    async def _metrics(self, _request: web.Request) -> web.Response:
        return answer_raw(self._telemetry.metrics(), content_type="text/plain")

    async def _nonce(self, request: web.Request) -> web.Response:
        desk = self._of_query(request)
        return answer({"nonce": desk.sessions.give_nonce(secrets.token_bytes(16), self._clock.monotonic())})

    async def _login(self, request: web.Request) -> web.Response:
        desk = self._of_query(request)
        raw = await read_body(request, MAX_LOGIN)
        desk.station.check_writing()
        if not desk.station.opened:
            raise Unavailable("RECOVERING", state="OPENING")
        session = desk.sessions.check_login(raw, self._clock.monotonic())
        await desk.side.append(Pending("session", raw, key=hashlib.sha256(raw).digest()))
        desk.sessions.open(session)
        until = self._clock.now() + int(SESSION_SECONDS * 1000)
        return answer({"letter": desk.station.letter, "until": until})

    def _signed(
        self, handler: Callable[[web.Request, Desk, Session, bytes], Awaitable[web.StreamResponse]], limit: int = 1024
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler behind a session: the header is checked first, then the body read, then the signature."""

        async def checked(request: web.Request) -> web.StreamResponse:
            header = read_header(request.headers.get("DCX-Session"))
            now = self._clock.monotonic()
            desk = next((d for d in self._desks.values() if d.sessions.holder(header.session, now)), None)
            if desk is None:
                raise Unverified("SESSION", why="stale")
            body = await read_body(request, limit)
            session = desk.sessions.admit(header, request.method, request.raw_path, body, now)
            return await handler(request, desk, session, body)

        return checked

    async def _submit(self, _request: web.Request, desk: Desk, session: Session, body: bytes) -> web.Response:
        log, placed = await desk.intake.take(body, session, self._clock.monotonic())
        return answer({"log": log, "index": placed.index, "dup": placed.dup})

    async def _records(self, request: web.Request, desk: Desk, _session: Session, _body: bytes) -> web.Response:
        name = request.query.get("log", "")
        log, size = self._log(desk.station, name)
        read = log.records if name == "side" else partial(desk.station.records, name)
        lo, hi = number(request, "from"), number(request, "to", 2**53)
        return answer(await records_of(read, lo, hi, size))

    async def _notes(self, _request: web.Request, desk: Desk, _session: Session, _body: bytes) -> web.Response:
        pair = await desk.station.newest_pair()
        found: dict[str, object] = {}
        for letter in ("a", "b"):
            cosigned, anchors = await desk.station.cosigned_notes(letter)
            since = pair["ab".index(letter)] if pair else None
            kept = [raw for key, raw in anchors if since is None or key >= since]
            found[letter] = {"newest": desk.station.newest[letter], "cosigned": cosigned, "anchors": kept[-4096:]}
        return answer(found)

    async def _blob(self, request: web.Request, desk: Desk, _session: Session, _body: bytes) -> web.Response:
        digest = hex_bytes(request.match_info["hash"], 32, "hash")
        for log in (desk.station.own, desk.station.mirror, desk.station.side):
            if (blob := await log.blob(digest)) is not None:
                return answer_raw(blob, content_type="application/octet-stream", immutable=True)
        raise Refused("NOT_FOUND")

    async def _proof(self, request: web.Request, desk: Desk, _session: Session, _body: bytes) -> web.Response:
        log, now = self._log(desk.station, request.match_info["log"])
        size = number(request, "size", now)
        text = request.match_info["index"]
        if not text.isascii() or not text.isdigit() or len(text) > 16:
            raise Malformed("QUERY", name="index")
        if not int(text) < size <= now:
            raise Refused("NOT_FOUND")
        path = merkle.inclusion_proof(await log.leaf_hashes(0, size), int(text), size)
        return answer({"path": path, "size": size})

    async def _feed(self, request: web.Request, desk: Desk, session: Session, _body: bytes) -> web.StreamResponse:
        a, dot, b = request.query.get("from", "").partition(".")
        if not dot or not all(x.isascii() and x.isdigit() and len(x) <= 16 for x in (a, b)):
            raise Malformed("QUERY", name="from")

        def open_still() -> bool:
            return desk.sessions.holder(session.public.raw, self._clock.monotonic()) is not None

        records = request.query.get("with") == "records"
        return await follow(request, desk.station, {"a": int(a), "b": int(b)}, open_still, records=records)

    async def _anchor(self, _request: web.Request, desk: Desk, _session: Session, _body: bytes) -> web.Response:
        """Anchors over what both logs hold now, as one closed pair."""
        station = desk.station
        need = dict(station.sizes)
        desk.courier.ask_anchor()
        try:
            async with asyncio.timeout(ANCHOR_SECONDS):
                while True:
                    pair = await station.newest_pair()
                    if pair and all(pair["ab".index(x)].size >= need[x] for x in "ab"):
                        for letter, key in zip("ab", pair, strict=True):  # kept for ever: an export will use them
                            await station.log(letter).mark_note(key, EXPORTED)
                        return answer({})
                    await station.changed(1.0)
        except TimeoutError:
            raise Unavailable("ANCHOR", seconds=int(ANCHOR_SECONDS)) from None

    async def _link(self, _request: web.Request, desk: Desk, _session: Session, _body: bytes) -> web.Response:
        """The line as this node sees it; of addresses their number alone."""
        station, line = desk.station, desk.line
        return answer({
            "now": self._clock.now(), "state": station.state.value, "heard": station.heard_ms,
            "size": station.sizes[station.letter], "delivered": station.delivered,
            "addresses": line.addresses, "address": line.address + 1,
        })  # fmt: skip

    async def _carry(self, request: web.Request, desk: Desk, session: Session, body: bytes) -> web.Response:
        """Out: what the other side lacks, to be carried by hand; in: a file that was."""
        desk.carrier.check_role(session.kid)
        if request.method == "GET":
            return await carry.give(request, desk.carrier)
        try:
            return await carry.take(request, body, desk.carrier)
        except Fatal as e:
            self._fatal(e)
            raise Unavailable("RECOVERING", state=desk.station.state.value) from e

    def _of_query(self, request: web.Request) -> Desk:
        desk = self._desks.get(hex_bytes(request.query.get("chan"), 32, "chan"))
        if desk is None:
            raise Refused("CHAN")
        return desk

    def _log(self, station: Station, name: str) -> tuple[Log, int]:
        """A log by its name here, and its released size."""
        if name == "side":
            return station.side, station.signer.head(station.origins.side).size
        if name not in LOGS:
            raise Malformed("QUERY", name="log")
        return station.log(name), station.sizes[name]
