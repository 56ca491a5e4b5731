"""Two parties on this machine: homes as ``channel init`` makes them, and desks that sign, seal and ask."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from hashlib import sha256

from channel.cli.homes import make_homes
from channel.cli.trial import free_port
from channel.client.wire import Wire
from channel.clock import SystemClock
from channel.protocol.header import Header
from channel.protocol.message import seal
from channel.protocol.people import Ack
from channel.protocol.record import try_read
from keys.envelope import join, media_type, pae, sign
from keys.shapes import ZERO

CLOCK = SystemClock()


async def until(true, *nodes, seconds=25.0):
    """Wait until something holds, or a node has ended by an error."""
    async with asyncio.timeout(seconds):
        while not true():
            for node in nodes:
                if node.ended.done():
                    node.ended.result()
            await asyncio.sleep(0.02)


class Steered(SystemClock):
    """The machine's clock, which a test lets run ahead."""

    def __init__(self):
        self.ahead = 0.0

    def now(self):
        return super().now() + int(self.ahead * 1000)

    def monotonic(self):
        return super().monotonic() + self.ahead

    def skip(self, seconds):
        """Run ahead by so many seconds, wall clock and monotonic clock alike."""
        self.ahead += seconds


class Parties:
    """The homes, with everybody's private keys. ``nodes``: folders of node.toml by code."""

    def __init__(self, folder, mode=2, limits=None):
        self.ports = tuple(free_port() for _ in range(4))
        self.trial, sides = make_homes(folder, mode, CLOCK.now(), os.urandom, self.ports, limits)
        self.mode = mode
        self.chan = self.trial.founding.chan
        self.sides = sides
        self.nodes = {side.code: side.node for side in sides}
        self.keys = {party.code: {m.seat: m for m in party.members} for party in self.trial.parties}

    def letter(self, code):
        return "ab"[sorted(self.nodes).index(code)]

    def cert(self, code):
        return (self.nodes[code] / "tls-cert.pem").read_text()

    def url(self, code):
        i = sorted(self.nodes).index(code)
        return f"https://127.0.0.1:{self.ports[2 * i + 1]}"

    def peer_url(self, code):
        return f"https://127.0.0.1:{self.ports[2 * sorted(self.nodes).index(code)]}"

    @asynccontextmanager
    async def desk(self, code, seat="expert-1", *, login=True):
        member = self.keys[code][seat]
        async with Wire(self.url(code), self.cert(code), self.chan) as wire:
            if login:
                await wire.login(member.sign, os.urandom(32), CLOCK.now())
            yield Desk(self, code, member, wire)


class Desk:
    """One person at a desk that believes its node; the checks of a real desk have tests of their own."""

    def __init__(self, parties, code, member, wire):
        self.parties, self.code, self.member, self.wire = parties, code, member, wire

    def message(
        self, text="a line", *, chan=None, key=None, to=None, fmt="F03", mode=None, size=0, extra=None, **fields
    ):
        """(envelope bytes, blob, payload hash) of an F03 that opens a case at attention, or as the fields say."""
        chan, key = chan or self.parties.chan, key or self.member.sign
        members = [m for party in self.parties.keys.values() for m in party.values()]
        readers = [m for m in members if m.seat != "operator"]
        kids = to if to is not None else tuple(sorted(m.seal.kid for m in readers))
        header = Header(
            chan=chan,
            from_=key.kid,
            mid=os.urandom(16),
            ts=CLOCK.now(),
            prev=ZERO,
            suite=members[0].seal.public.suite,
            to=kids,
            fmt=fmt,
            level="attention",
            prec="P",
            status="message",
            lang="en",
            **fields,
        )
        body = {"text": text + "x" * size}
        keys = {m.seal.kid: m.seal.public for m in members} | (extra or {})
        sealed = seal(
            header, body, keys, mode or self.parties.mode,
            cek=os.urandom(32), salts={n: os.urandom(16) for n in body}, max_body=10**6,
        )  # fmt: skip
        raw = pae(media_type("msg"), sealed.payload_bytes)
        env = join(media_type("msg"), sealed.payload_bytes, {key.kid: key.sign(raw)})
        return env.encode(), sealed.blob, env.hash

    async def send(self, text="a line", **more):
        env, blob, ph = self.message(text, **more)
        placed = await self.wire.submit("msg", env, [blob])
        return placed["index"], ph

    def ack(self, mid, ph, step="read"):
        document = Ack(chan=self.parties.chan, from_=self.member.sign.kid, mid=mid, ph=ph, step=step, ts=CLOCK.now())
        return sign("ack", document, [self.member.sign]).encode()

    async def all_records(self, log):
        found = []
        while some := await self.wire.records(log, len(found), len(found) + 256):
            found += some
        return found

    async def types(self, log):
        return [r.t if (r := try_read(raw)) else "?" for raw in await self.all_records(log)]


def digest(raw):
    return sha256(raw).digest()
