"""The tiles and notes of a running node can be read by plain C2SP rules, by a client that knows nothing else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import ssl
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from channel.protocol import note as notes
from channel.protocol.defaults import default_policy
from channel.protocol.header import Payload
from keys.envelope import read_envelope
from tests.e2e.c2sp_client import COSIGNATURE, ED25519, SUBTREE, Broken, Checkpoint, Follower, number
from tests.node.conftest import Pair
from tests.node.parties import CLOCK, Parties

LIMITS = replace(default_policy(2, bytes(32), bytes(32)).limits, rate_msg=0, rate_peer=0)
SESSIONS = 8


def vkey(name, kind, public):
    raw = bytes([kind]) + public
    keyid = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex()
    return f"{name}+{keyid}+{base64.b64encode(raw).decode()}"


def follower_of(parties, letter, fetch):
    """A follower of log ``letter`` with the keys that the charter names."""
    charter = parties.trial.founding.read_charter()
    own, other = charter.party(letter), charter.party("ab"[letter == "a"])
    origin = notes.origin(parties.chan, letter, 0)
    by = notes.origin(parties.chan, "ab"[letter == "a"], 0) + "/c"
    return Follower(
        fetch, origin,
        [vkey(origin, ED25519, own.log.ed), vkey(origin, SUBTREE, own.log.ml)],
        [vkey(by, COSIGNATURE, other.cos.ed), vkey(by, SUBTREE, other.cos.ml)],
    )  # fmt: skip


class Served:
    """What a node serves of a log to the other party, over TLS with both certificates; keeps the headers of each path."""

    def __init__(self, parties, code, letter):
        other = next(c for c in parties.nodes if c != code)
        self.prefix = f"/dcx/v1/log/{hashlib.sha256(notes.origin(parties.chan, letter, 0).encode()).hexdigest()}/"
        self.at, self.headers = urlsplit(parties.peer_url(code)), {}
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname = False
        self.tls.load_verify_locations(cadata=parties.cert(code))
        self.tls.load_cert_chain(parties.nodes[other] / "tls-cert.pem", parties.nodes[other] / "tls-key.pem")

    def __call__(self, path):
        line = http.client.HTTPSConnection(self.at.hostname, self.at.port, context=self.tls, timeout=10)
        try:
            line.request("GET", self.prefix + path)
            answer = line.getresponse()
            raw = answer.read()
        finally:
            line.close()
        self.headers[path] = answer.status, answer.headers["Content-Type"], answer.headers["Cache-Control"]
        if answer.status != 200:
            raise KeyError(path)
        return raw


@pytest.fixture
async def parties(tmp_path, need):
    need("embedded-valkey")
    return Parties(tmp_path / "trial", limits=LIMITS)


async def add_acks(stack, pair, message, until):
    """US acknowledges one message again and again, until its log has so many records."""
    env, _, ph = message
    mid = read_envelope(env).read("msg", Payload).mid
    desks = [await stack.enter_async_context(pair.parties.desk("US", f"expert-{1 + i % 2}")) for i in range(SESSIONS)]

    async def fill(desk):
        while pair.b.sizes["b"] + SESSIONS <= until:
            await desk.wire.submit("ack", desk.ack(mid, ph))

    await asyncio.gather(*map(fill, desks))
    while pair.b.sizes["b"] < until:
        await desks[0].wire.submit("ack", desks[0].ack(mid, ph))


async def test_a_plain_client_follows_a_log(parties):
    """From the opening over a full tile to a second level; each tree holds the one before, every entry is a leaf."""
    from channel.node.app import serving

    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(serving(parties.nodes[c], CLOCK)) for c in ("CN", "US")]
        pair = Pair(parties, nodes, [])
        await pair.until(lambda: pair.a.opened and pair.b.opened)
        served = Served(parties, "US", "b")
        follower = follower_of(parties, "b", served)
        cn = await stack.enter_async_context(parties.desk("CN"))
        message = cn.message("a line")
        await cn.wire.submit("msg", message[0], [message[1]])
        await pair.until(lambda: pair.a.delivered == pair.a.sizes["a"])
        sizes = []
        for until in (40, 256, 300):
            await add_acks(stack, pair, message, until)
            await pair.until(lambda: pair.b.delivered >= pair.b.sizes["b"])
            size, by_log, by_cosigner = await asyncio.to_thread(follower.follow)
            for _ in range(50):  # the node itself may just have written: its newest note is cosigned a moment later
                if COSIGNATURE in by_cosigner:
                    break
                size, by_log, by_cosigner = await asyncio.to_thread(follower.follow)
            assert ED25519 in by_log
            assert COSIGNATURE in by_cosigner
            assert until <= size <= pair.b.sizes["b"]
            sizes.append(size)
        assert follower.entries == (await pair.b.own.records(0, sizes[-1]))
        mirror = follower_of(parties, "b", Served(parties, "CN", "b"))  # the other side serves its copy alike
        assert (await asyncio.to_thread(mirror.follow))[0] >= sizes[-1]
        assert mirror.entries[: sizes[-1]] == follower.entries
        await cn.wire.anchor()
        _, by_log, by_cosigner = await asyncio.to_thread(follower.follow)
        assert {ED25519, SUBTREE} <= by_log.keys()
        assert {COSIGNATURE, SUBTREE} <= by_cosigner.keys()
        size = follower.checkpoint.size
        await check_paths(served, size)
        await asyncio.to_thread(check_refusals, parties, follower, served)


async def check_paths(served, size):
    """Headers as tlog-tiles says; every partial width of a signed size; nothing empty, beyond the size or out of form."""
    kinds = {path.split("/")[0]: told for path, told in served.headers.items()}
    assert kinds["checkpoint"][1:] == ("text/plain; charset=utf-8", "no-store")
    assert kinds["tile"][1] == "application/octet-stream"
    assert "immutable" in kinds["tile"][2]
    whole = await asyncio.to_thread(served, "tile/0/000")
    for width in (1, 40, 255):
        assert await asyncio.to_thread(served, f"tile/0/000.p/{width}") == whole[: 32 * width]
    assert await asyncio.to_thread(served, "tile/1/000.p/1")
    for path in (
        f"tile/0/{number(1, size % 256 + 1)}", "tile/0/001", "tile/0/002.p/1", "tile/1/000", "tile/1/000.p/2",
        "tile/2/000.p/1", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/007", "tile/0/0", "tile/0/x000/000",
        "tile/0/٠٠٠", "tile/00/000", "tile/64/000", "tile/entries/001", "tile/entries/000.p/01", "tile/entries/x000/000",
        "tile/data/000",
    ):  # fmt: skip
        with pytest.raises(KeyError):
            await asyncio.to_thread(served, path.replace("٠", "%D9%A0"))
        assert served.headers[path.replace("٠", "%D9%A0")][0] in (400, 404), path


def check_refusals(parties, follower, served):
    """The client has eyes: what is changed on the way, taken back, or signed by somebody else is Broken."""

    def changed(path, by):
        def fetch(asked):
            raw = memory[asked] if asked in memory else served(asked)
            return by(raw) if asked.startswith(path) else raw

        return fetch

    def flip(raw):
        return raw[:30] + bytes([raw[30] ^ 1]) + raw[31:]

    note = served("checkpoint")
    memory = {"checkpoint": note}
    for path in ("tile/0/000", "tile/1/", "tile/entries/001", "tile/entries/000"):
        with pytest.raises(Broken):
            follower_of(parties, "b", changed(path, flip)).follow()
    with pytest.raises(Broken, match="does not verify"):
        follower_of(parties, "b", changed("checkpoint", lambda raw: raw.replace(b"/b/0\n", b"/b/1\n", 1))).follow()
    follower.fetch = changed("nothing", flip)
    size = follower.checkpoint.size
    follower.checkpoint = Checkpoint(b"", follower.origin, size, bytes(32), ())
    with pytest.raises(Broken, match="rewritten"):
        follower.follow()
    follower.checkpoint = Checkpoint(b"", follower.origin, size + 10**6, bytes(32), ())
    with pytest.raises(Broken, match="shorter"):
        follower.follow()
    stranger = follower_of(parties, "a", served)
    with pytest.raises(Broken, match="not this log"):
        stranger.follow()
