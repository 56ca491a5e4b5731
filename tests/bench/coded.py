"""``make bench-coded``: a coded message between two real nodes, its bytes on the line and how soon it is read.

Bytes: a proxy counts what both nodes' sockets say (with TLS), a recorder behind it holds both parties' keys and counts
what stands inside (bodies of requests and answers). Times at slow rates are reckoned from the bytes, eight bits each.
How soon it is read on a fast line: from the start of the command ``channel send`` to the reader's own-language text.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from channel.cli.demo import at_desk
from channel.cli.desk import unlock
from channel.cli.sending import cosigners, readers
from channel.cli.trial import free_port
from channel.client import drafts
from channel.client.client import Client
from channel.client.composing import Draft
from channel.client.home import DeskHome
from channel.client.present import header_view
from channel.i18n import Texts
from channel.node.app import serving
from channel.protocol import append
from channel.protocol import note as notes
from channel.protocol.header import Payload
from channel.protocol.message import read_blob
from channel.protocol.record import read_record
from keys.envelope import read_envelope
from tests.bench.exchange import running
from tests.faults.notebook import NoteBook
from tests.faults.recorder import Recorder
from tests.node.conftest import Pair
from tests.node.parties import CLOCK, Parties

RATES = (300, 2_400, 9_600)  # bits a second
QUIET = 2.5  # seconds without a word on the line: anchors and acknowledgements of nodes are over
ENTRY = {"entry": "MEADOW 02"}
CASES = {  # name: (readers, co-signers); both records officers are always added
    "four wraps, one signature": ("us:expert-1,cn:expert-1", None),
    "five wraps, two signatures": ("us:expert-1,us:official,cn:expert-1", "official"),
}
LIMITS = {"four wraps, one signature": 10 * 1024, "five wraps, two signatures": 16 * 1024}  # DESIGN 6
COMMAND = (sys.executable, "-c", "from channel.cli.main import run; run()")


@dataclass(frozen=True)
class Said:
    """One request and its answer: bytes of both bodies."""

    target: str
    path: str
    asked: bytes
    answered: bytes

    @property
    def size(self):
        """Bytes of both bodies."""
        return len(self.asked) + len(self.answered)


@dataclass(frozen=True)
class Measured:
    """What one coded message cost on the line, in bytes. ``parts``: of the request and answer that carried it."""

    parts: dict[str, int]
    with_tls: int
    handshake: int
    after: int
    after_with_tls: int

    @property
    def carried(self):
        """Request and answer, without TLS."""
        return sum(self.parts.values())


class Meter(Recorder):
    """Keeps what nodes say to each other, and counts the bytes of their sockets; ``socket`` by target."""

    def __init__(self, parties, book):
        super().__init__(parties, book)
        self.said, self.last = [], time.monotonic()
        self.socket, self._open = dict.fromkeys(parties.nodes, 0), set()

    async def __aenter__(self):
        await super().__aenter__()
        for target, caller in zip(self.socket, reversed(self.socket), strict=True):
            config = self._parties.nodes[caller] / "node.toml"
            text = config.read_text()
            [line] = [line for line in text.splitlines() if line.startswith("peer_urls")]
            behind, port = int(line.rpartition(":")[2].strip('"]')), free_port()
            server = await asyncio.start_server(partial(self._pass_on, target, behind), "127.0.0.1", port)
            self._servers = [*getattr(self, "_servers", []), server]
            config.write_text(text.replace(line, f'peer_urls = ["https://127.0.0.1:{port}"]'))
        return self

    async def __aexit__(self, *exc):
        self.break_connections()
        for server in self._servers:
            server.close()
        await super().__aexit__(*exc)

    def break_connections(self):
        """Close every connection between the nodes: the next word needs a new handshake."""
        for writer in self._open:
            writer.transport.abort()

    async def quiet(self):
        """Wait until nothing was said for a while."""
        while time.monotonic() - self.last < QUIET:  # noqa: ASYNC110  the line has no event for silence
            await asyncio.sleep(0.05)

    async def _ask(self, target, method, path, body=b""):
        self.last = time.monotonic()
        status, raw = await super()._ask(target, method, path, body)
        self.said.append(Said(target, path, body, raw))
        self.last = time.monotonic()
        return status, raw

    async def _pass_on(self, target, port, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        self._open |= {writer, far_writer}

        async def one_way(source, sink):
            try:
                while some := await source.read(65_536):
                    self.socket[target] += len(some)
                    sink.write(some)
                    await sink.drain()
            except OSError:
                pass
            finally:
                sink.close()

        await asyncio.gather(one_way(reader, far_writer), one_way(far_reader, writer))
        self._open -= {writer, far_writer}


@asynccontextmanager
async def metered(folder):
    """Two nodes, opened, with a meter between them; US's desk."""
    parties = Parties(folder / "trial")
    async with AsyncExitStack() as stack:
        meter = await stack.enter_async_context(Meter(parties, NoteBook(parties)))
        nodes = [
            await stack.enter_async_context(serving(parties.nodes[code], CLOCK, out=io.StringIO()))
            for code in ("CN", "US")
        ]
        pair = Pair(parties, nodes, [])
        await pair.until(lambda: pair.a.opened and pair.b.opened)
        home = DeskHome(next(side.desk for side in parties.sides if side.code == "US"))
        stack.callback(home.close)
        desk = Client(home, unlock(home, "expert-1", None), parties.url("US"), clock=CLOCK, random=os.urandom)
        yield meter, await stack.enter_async_context(desk)


async def release(desk, name):
    """Send the coded message as its people do; the payload hash."""
    to, cosign = CASES[name]
    await desk.switch(unlock(desk.home, "expert-1", None))
    await desk.sync()
    draft = Draft(
        fmt="F13", body=ENTRY, lang="en", to=readers(desk, to), cosign=cosigners(desk, cosign), single=cosign is None
    )
    if cosign is None:
        return (await desk.send(draft)).ph
    waiting = await drafts.propose(desk, draft)
    await desk.switch(unlock(desk.home, cosign, None))
    return (await drafts.approve(desk, await drafts.find(desk, waiting.did.hex()))).ph


async def measure(meter, desk, name):
    """The bytes of one coded message that went under a quick note, as nearly all do."""
    while True:
        await meter.quiet()
        before, first = dict(meter.socket), len(meter.said)
        ph = await release(desk, name)
        await desk.wait(ph, "delivered", 30)
        await asyncio.sleep(0.1)
        warm = meter.socket["CN"] - before["CN"]
        await meter.quiet()
        [carrier] = [said for said in meter.said[first:] if said.path.endswith("/append") and holds(said.asked, ph)]
        if not notes.parse(append.read_request(carrier.asked).note).anchor:  # no heartbeat came along
            break
    after = sum(said.size for said in meter.said[first:]) - carrier.size
    after_with_tls = sum(meter.socket.values()) - sum(before.values()) - warm
    meter.break_connections()
    await asyncio.sleep(0.1)
    cold = meter.socket["CN"]
    await desk.wait(await release(desk, name), "delivered", 30)
    await asyncio.sleep(0.1)
    return Measured(parts_of(carrier, ph), warm, meter.socket["CN"] - cold - warm, after, after_with_tls)


def holds(request, ph):
    """Whether an append request carries the message."""
    found = [read_record(raw) for raw in append.read_request(request).recs]
    return any(record.t == "msg" and read_envelope(record.env).hash == ph for record in found)


def parts_of(said, ph):
    """Where the bytes of the request and answer are."""
    request = append.read_request(said.asked)
    [record] = [r for r in map(read_record, request.recs) if r.t == "msg" and read_envelope(r.env).hash == ph]
    payload = read_envelope(record.env).read("msg", Payload)
    [blob] = [b for b in request.blobs if len(b) == payload.blen]
    text, wraps = read_blob(payload.blob, payload.blen, blob)
    signatures = sum(len(sig) for _, sig in read_envelope(record.env).signatures)
    parts = {
        "signatures of people": signatures,
        "wraps": sum(len(wrap) for _, wrap in wraps),
        "header and commitments": len(read_envelope(record.env).payload),
        "sealed text": len(text),
        "note": len(request.note),
    }
    return {**parts, "all else of the request": len(said.asked) - sum(parts.values()), "answer": len(said.answered)}


async def all_bytes(folder):
    """What each case costs."""
    async with metered(folder) as (meter, desk):
        return {name: await measure(meter, desk, name) for name in CASES}


# --- how soon it is read ----------------------------------------------------------------------------------------------


async def read_by(reader, known):
    """The next coded message at a desk that is open, in its own language: (number, time, lines)."""
    while True:
        await reader.sync()
        for message in reader.messages():
            if message.ph not in known and message.verdict.letter != reader.view.letter:
                known.add(message.ph)
                texts = Texts("zh")
                body = reader.open(message).body
                shown = reader.book().render("F13", header_view(reader, message, texts), body, "zh")
                return message.verdict.number, time.perf_counter(), shown
        async for name, _ in reader.wire.feed(reader.view.sizes()):
            if name == "grown":
                break


async def soon(folder, times):
    """Seconds from the start of the command at US to the Chinese text at CN's open desk, and to the command's end."""
    read, ended = [], []
    async with running(folder) as (bench, _):
        sides = {side.code: side for side in bench.parties.sides}
        async with at_desk(sides["CN"]) as reader:
            await reader.switch(unlock(reader.home, "expert-1", None))
            known = set()
            words = (
                "send",
                "--format",
                "F13",
                "--single",
                "--set",
                "entry=MEADOW 02",
                "--to",
                "us:expert-1,cn:expert-1",
            )
            for _ in track(range(times), "sending", console=Console(stderr=True)):
                waiting = asyncio.ensure_future(read_by(reader, known))
                start = time.perf_counter()
                command = await asyncio.create_subprocess_exec(
                    *COMMAND, "--home", str(sides["US"].desk), *words,
                    stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                )  # fmt: skip
                _, at, shown = await asyncio.wait_for(waiting, 30)
                assert "我方管辖范围内的一个人工智能系统" in "\n".join(map(str, shown))
                read.append(at - start)
                assert await command.wait() == 0
                ended.append(time.perf_counter() - start)
    return read, ended


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.bench.coded")
    parser.add_argument("--times", type=int, default=20, help="how often the way from command to reader is timed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="channel-bench-") as folder:
        found = asyncio.run(all_bytes(Path(folder)))
        read, ended = asyncio.run(soon(Path(folder) / "soon", options.times))
    table = Table("bytes", *found, box=None)
    for part in next(iter(found.values())).parts:
        table.add_row(part, *(f"{m.parts[part]:,}" for m in found.values()))
    rows = {
        "request and answer": lambda m: m.carried,
        "the same with HTTP and TLS": lambda m: m.with_tls,
        "a new TLS connection, if none is open": lambda m: m.handshake,
        "what follows (anchors, the other node's word)": lambda m: m.after,
        "what follows, with HTTP and TLS": lambda m: m.after_with_tls,
    }
    for row, value in rows.items():
        table.add_row(row, *(f"{value(m):,}" for m in found.values()))
    table.add_row("limit", *(f"{LIMITS[name]:,}" for name in found))
    Console().print(table)
    times = Table("request and answer at", *found, box=None)
    for rate in RATES:
        times.add_row(f"{rate:,} bit/s", *(_minutes(m.carried, rate) for m in found.values()))
        times.add_row(f"{rate:,} bit/s, with HTTP and TLS", *(_minutes(m.with_tls, rate) for m in found.values()))
    Console().print(times)
    for name, values in (("Chinese text at the other desk", read), ("end of the command, delivered", ended)):
        Console().print(
            f"from channel send to {name}: p50 {statistics.median(values):.2f} s, most {max(values):.2f} s ({len(values)} times)"
        )


def _minutes(size, rate):
    seconds = size * 8 / rate
    return f"{seconds:,.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    main()
