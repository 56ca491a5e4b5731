"""A node: one process, one journal, one store, one or more channels (DESIGN sections 2 and 3).

``run_node`` opens what ``channel init`` made, brings every channel through recovery, and serves until it is told to
stop. An error whose outcome is unknown ends it with ``Fatal``: a service manager starts it again and recovery looks.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import ssl
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from aiohttp import web

from channel.clock import Clock, SystemClock
from channel.log.embedded import EmbeddedServer
from channel.log.journal import Journal
from channel.log.redis import RedisServer
from channel.node import tls
from channel.node.api import Api, Desk
from channel.node.callout import Call, Callouts, ChannelName
from channel.node.carry import Carrier
from channel.node.committer import Committer
from channel.node.config import Address, ChannelConfig, NodeConfig, read_config
from channel.node.courier import Courier
from channel.node.ending import END_SECONDS, STORE_SECONDS, at_end, cancel_for_sure, end_for_sure
from channel.node.intake import Intake
from channel.node.line import Line
from channel.node.linetest import LineTest
from channel.node.listener import Listener, Receiver
from channel.node.recovering import Recovering
from channel.node.refusals import Refusals
from channel.node.requests import Connection, problems_answered
from channel.node.sessions import Sessions
from channel.node.signer import Signer
from channel.node.speaker import Speaker
from channel.node.stamps import Stamps
from channel.node.state import WRITING, Fatal, State
from channel.node.station import Letter, Station, origins_of
from channel.node.telemetry import Telemetry
from channel.node.watch import Watch
from channel.node.writer import Released, Writer
from channel.protocol.charter import Policy
from channel.protocol.founding import Founding, read_founding
from channel.protocol.note import NotePublic
from keys.envelope import read_envelope
from keys.errors import Refused, WrongUse
from keys.identity import ACTUAL
from keys.keyring import read_node_keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from channel.log.log import Store
    from channel.protocol.charter import CharterParty

HEADER_SECONDS = 15.0
RETENTION_SECONDS = 10.0


@dataclass(slots=True)
class Running:
    """A running node: its addresses and its channels. Tests hold one; a process waits for its end."""

    telemetry: Telemetry
    desk_url: str = ""
    peer_url: str = ""
    stations: dict[bytes, Station] = field(default_factory=dict)
    ended: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def station(self) -> Station:
        """The one channel of a node that has one."""
        (station,) = self.stations.values()
        return station

    def fail(self, e: BaseException) -> None:
        """End the node because of an error."""
        for station in self.stations.values():
            if station.state is not State.HALTED:
                station.move(State.HALTED)
        if not self.ended.done():
            self.ended.set_exception(e)


async def run_node(
    home: Path, clock: Clock | None = None, *, confirm_clock: bool = False, without_peer: bool = False,
    out: TextIO | None = None, end_seconds: float = END_SECONDS,
) -> None:  # fmt: skip
    """Run the node of ``home`` (the folder of node.toml) until SIGTERM or SIGINT, or until a ``Problem`` ends it.

    For a process of its own: ``end_seconds`` after it was told to stop it is gone, whatever a part of it waits for.
    """
    async with serving(
        home, clock or SystemClock(), confirm_clock=confirm_clock, without_peer=without_peer, out=out
    ) as node:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if not node.ended.done():
                node.ended.set_result(None)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        try:
            await node.ended
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            end_for_sure(loop, node.telemetry, end_seconds)


@asynccontextmanager
async def serving(
    home: Path, clock: Clock, *, confirm_clock: bool = False, without_peer: bool = False, out: TextIO | None = None
) -> AsyncIterator[Running]:
    """A node that serves inside the block. Everything it started is stopped when the block ends."""
    config = read_config(home / "node.toml")
    telemetry = Telemetry(clock, config.party, out)
    node = Running(telemetry)
    async with AsyncExitStack() as stack:
        stack.callback(telemetry.drain)
        journal = Journal.open(config.journal)
        stack.callback(journal.close)
        server = await _open_server(config, stack, node, telemetry)
        certificate = tls.read_certificate(config.tls_cert)
        committer = Committer(journal)
        parts = [
            await _open_channel(config, block, journal, committer, server.store, certificate, clock, telemetry, stack)
            for block in config.channels
        ]
        for part in parts:
            node.stations[part.station.chan] = part.station
        for part in parts:
            part.meet(parts)
        pins = {part.station.chan: part.peer_cert for part in parts}
        listener = Listener(
            node.stations, {p.station.chan: p.receiver for p in parts}, pins, clock, node.fail
        )  # fmt: skip
        api = Api({p.station.chan: p.desk for p in parts}, config.party, clock, telemetry, node.fail)
        peer_tls = tls.peer_server_context(config.tls_cert, config.tls_key, set(pins.values()))
        node.peer_url = await _listen(stack, listener.routes(), config.peer_listen, peer_tls, telemetry)
        desk_tls = tls.desk_context(config.tls_cert, config.tls_key)
        node.desk_url = await _listen(stack, api.routes(), config.desk_listen, desk_tls, telemetry)
        _write_run(home / "run.json", node, stack)
        for part in parts:
            recovering = Recovering(
                part.station, part.line, journal, part.founding, part.shared, part.side, part.refusals, clock,
                confirm_clock=confirm_clock or config.confirm_clock, without_peer=without_peer or config.without_peer,
            )  # fmt: skip
            for loop in part.loops(recovering):
                _start(stack, loop, node, telemetry)
        telemetry.say("serving", channels=len(parts))
        yield node
        telemetry.say("stopping")


@dataclass(slots=True)
class Part:
    """Everything of one channel, wired."""

    station: Station
    founding: Founding
    peer_cert: bytes
    shared: Writer
    side: Writer
    receiver: Receiver
    line: Line
    courier: Courier
    speaker: Speaker
    linetest: LineTest
    watch: Watch
    refusals: Refusals
    desk: Desk
    known: dict[bytes, int]
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def meet(self, parts: list[Part]) -> None:
        """Learn the ids of the other channels here and of their members, to tell a crossing of modes."""
        for part in parts:
            if part is not self:
                self.known[part.station.chan] = part.station.mode
                self.known.update(dict.fromkeys(part.founding.blob_map(), part.station.mode))

    def loops(self, recovering: Recovering) -> list[Coroutine[Any, Any, None]]:
        """Everything that runs for this channel; what follows the logs begins once they may be written."""
        followers = (self.courier.run, self.speaker.run, self.linetest.run, self.watch.run, self._retain)
        return [self.shared.run(), self.side.run(), self._recover(recovering), *map(self._once_ready, followers)]

    async def _recover(self, recovering: Recovering) -> None:
        await self.speaker.boot(await recovering.run())
        self.ready.set()

    async def _once_ready(self, follow: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await self.ready.wait()
        await follow()

    async def _retain(self) -> None:
        while True:
            await asyncio.sleep(RETENTION_SECONDS)
            if self.station.state in WRITING:
                await self.station.drop_old_notes()


async def _open_server(config: NodeConfig, stack: AsyncExitStack, node: Running, telemetry: Telemetry) -> RedisServer:
    url = config.store.url
    if config.store.embedded is not None:
        embedded = EmbeddedServer(config.store.embedded)
        await embedded.start()
        at_end(stack, "store", embedded.stop, telemetry, STORE_SECONDS)
        url = embedded.url

        async def watch() -> None:
            await embedded.wait()
            raise Fatal("STORE_ENDED")

        _start(stack, watch(), node, telemetry)
    server = await RedisServer.connect(url)
    at_end(stack, "store connections", server.close, telemetry)
    return server


async def _open_channel(  # noqa: PLR0915  one channel's parts are wired in one place
    config: NodeConfig, block: ChannelConfig, journal: Journal, committer: Committer,
    store_of: Callable[[bytes], Store], certificate: bytes, clock: Clock, telemetry: Telemetry, stack: AsyncExitStack,
) -> Part:  # fmt: skip
    founding = _read_founding(block.founding)
    charter = founding.read_charter()
    if config.party not in (p.code for p in charter.parties):
        raise WrongUse("CONFIG", path=str(config.path), key="node.party", why="is no party of the charter")
    letter: Letter = "a" if charter.letter(config.party) == "a" else "b"
    other: Letter = "b" if letter == "a" else "a"
    if charter.mode == ACTUAL and config.testing_kill_at:
        raise WrongUse("CONFIG", path=str(config.path), key="testing.kill_at", why="not for a channel in actual mode")
    keys = read_node_keys(block.keys)
    origins = origins_of(founding.chan, letter)
    signer = Signer(journal, committer, origins, keys.log, keys.side, keys.cosigner)
    _check_keys(signer, charter.party(letter), block)
    if tls.fingerprint(certificate) != charter.party(letter).cert:
        telemetry.say("own certificate differs from the charter's", channel=founding.chan)
    store = store_of(founding.chan)
    at_end(stack, "store", store.close, telemetry)
    names = (f"{letter}0", f"{letter}0s", f"{other}0")
    await store.take_fence(names)
    own, side, mirror = map(store.log, names)
    stamps = Stamps(clock)
    station = Station(
        charter, founding.chan, letter,
        own=own, side=side, mirror=mirror, signer=signer, stamps=stamps, telemetry=telemetry,
        policy=read_envelope(founding.policy).read("policy", Policy),
    )  # fmt: skip
    step = _kill_step(config.testing_kill_at)

    def publish_shared(batch: Released) -> None:
        station.newest[letter] = batch.note.encode()
        courier.offer(batch)
        station.learn(letter, batch.first, batch.records, batch.blobs)
        telemetry.records.labels("shared").inc(len(batch.records))
        telemetry.commits.labels("shared").inc()

    def publish_side(batch: Released) -> None:
        telemetry.records.labels("side").inc(len(batch.records))

    shared = Writer(
        own, origins.own, signer, stamps,
        seen=station.seen, behind=station.behind, publish=publish_shared, testing_step=partial(step, "writer"),
    )  # fmt: skip
    side_writer = Writer(
        side, origins.side, signer, stamps,
        seen=lambda: (0, signer.head(origins.own).size, signer.head(origins.own).root),
        behind=lambda: False, publish=publish_side, testing_step=partial(step, "side"),
    )  # fmt: skip

    async def make_anchor() -> Any:
        note = signer.anchor(origins.own, stamps.seconds())
        step("anchor", "d")
        signer.check_own(note)
        await station.put_note(letter, note, cosigned=False)
        station.wake()
        step("anchor", "e")
        return note

    peer_cert = tls.read_certificate(block.peer_cert)
    if tls.fingerprint(peer_cert) != charter.party(other).cert:
        telemetry.say("the peer's certificate differs from the charter's", channel=founding.chan)
    context = tls.peer_client_context(config.tls_cert, config.tls_key, peer_cert)
    line = Line(block.peer_urls, context, peer_cert, block.link_rate, clock)
    at_end(stack, "line", line.close, telemetry)
    courier = Courier(station, line, clock, make_anchor, shared.look_again)
    refusals, known = Refusals(config.path.parent, founding.chan), dict[bytes, int]()
    intake = Intake(station, shared, side_writer, known.get)
    sessions = Sessions(founding.chan, charter.mode, tls.fingerprint(certificate), station.member_key)
    receiver = Receiver(station, shared, refusals, known.get, partial(step, "cosigner"))

    title = ChannelName(founding.chan, charter.mode, charter.title.en, charter.title.zh)
    callouts = Callouts(config.callouts, title, clock, station.own_alarms, telemetry)
    called = config.path.parent / f"called-{founding.chan.hex()[:16]}.json"
    watch = Watch(station, shared, config.watch, callouts, called)

    async def ask() -> None:
        telemetry.say("a human line test is due", channel=founding.chan)
        watch.call(callouts.seats()[:1], Call("due", "", "", None))

    return Part(
        station, founding, peer_cert, shared, side_writer, receiver,
        line, courier, Speaker(station, shared, side_writer, clock, secrets.token_bytes),
        LineTest(station, shared, courier, line, config.linetest, clock, secrets.token_bytes, ask), watch, refusals,
        Desk(station, sessions, intake, side_writer, courier, Carrier(station, courier, receiver), line), known,
    )  # fmt: skip


def _read_founding(path: Path) -> Founding:
    try:
        return read_founding(path.read_bytes())
    except OSError as e:
        raise WrongUse("NO_FILE", path=str(path), why=e.strerror or str(e)) from e


def _check_keys(signer: Signer, party: CharterParty, block: ChannelConfig) -> None:
    """The seeds are those of the charter; a node with other keys would sign what nobody accepts."""
    need = tuple(NotePublic(k.ed, k.ml) for k in (party.log, party.side, party.cos))
    if signer.publics() != need:
        raise Refused("NODE_KEYS", path=str(block.keys))


def _kill_step(kill_at: str) -> Callable[[str, str], None]:
    """The testing seam: end this process, as ``kill -9`` does, the n-th time that a step of a commit is reached."""
    if not kill_at:
        return lambda _by, _step: None
    want, _, times = kill_at.partition(":")
    only, _, at = want.rpartition("-")
    left = [int(times or 1)]

    def step(by: str, name: str) -> None:
        if name == at and only in ("", by):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return step


async def _listen(
    stack: AsyncExitStack, routes: list[web.RouteDef], address: Address, context: ssl.SSLContext, telemetry: Telemetry
) -> str:
    """Serve routes at an address; the URL that it got."""
    app = web.Application(middlewares=[problems_answered(telemetry)], client_max_size=0)
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=1.0, handle_signals=False)
    await runner.setup()
    at_end(stack, "listener", runner.cleanup, telemetry)
    loop = asyncio.get_running_loop()
    connection = partial(Connection, runner.server, loop=loop, telemetry=telemetry)
    try:
        server = await loop.create_server(connection, address.host, address.port, ssl=context, backlog=64)
    except OSError as e:
        raise Refused("LISTEN", address=f"{address.host}:{address.port}", why=e.strerror or str(e)) from e
    stack.callback(server.close)
    host, port = server.sockets[0].getsockname()[:2]
    return f"https://{host}:{port}" if ":" not in host else f"https://[{host}]:{port}"


def _write_run(path: Path, node: Running, stack: AsyncExitStack) -> None:
    """Say where the node listens, for desks and tools on this machine."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({"pid": os.getpid(), "desk_url": node.desk_url, "peer_url": node.peer_url}))
    beside.replace(path)
    stack.callback(path.unlink, missing_ok=True)


def _start(stack: AsyncExitStack, work: Coroutine[Any, Any, None], node: Running, telemetry: Telemetry) -> None:
    """Run work beside; its end ends the node."""
    task = asyncio.ensure_future(work)

    def done(task: asyncio.Future[None]) -> None:
        if not task.cancelled() and (e := task.exception()) is not None:
            node.fail(e)

    async def stop() -> None:
        if not await cancel_for_sure(task):
            telemetry.say("did not stop", part="task")

    task.add_done_callback(done)
    stack.push_async_callback(stop)
