"""A slow or missing line: what waits, what never waits, what the peer may ask at once, and blobs that it lacks."""

from __future__ import annotations

import asyncio
import io
import ssl
from contextlib import asynccontextmanager, suppress
from hashlib import sha256

import aiohttp
import pytest
from aiohttp import web
from msgspec.structs import replace
from redis.asyncio import Redis

from channel.log.journal import Journal
from channel.node.app import serving
from channel.node.committer import Committer
from channel.node.listener import CONCURRENT
from channel.node.state import State
from channel.node.tls import peer_client_context, peer_server_context
from channel.protocol import append
from channel.protocol import note as notes
from channel.protocol.defaults import default_policy
from channel.protocol.merkle import Frontier
from channel.protocol.note import NotePrivate
from channel.protocol.record import try_read
from keys.codec import pack, unpack
from keys.errors import Problem, Unavailable
from tests.node.channels import Channel
from tests.node.parties import CLOCK, Parties, Steered, until

LIMITS = default_policy(2, bytes(32), bytes(32)).limits


@asynccontextmanager
async def running(parties, code, clock=CLOCK, out=None, **more):
    """A node in this process."""
    async with serving(parties.nodes[code], clock, out=out or io.StringIO(), **more) as node:
        yield node


def both_delivered(one, two):
    """Whether each has cosigned all of the other."""
    a, b = one.station, two.station
    return a.opened and b.opened and a.delivered == a.sizes[a.letter] > 4 and b.delivered == b.sizes[b.letter] > 4


@asynccontextmanager
async def peer_client(parties, code, other):
    """An HTTP session with a party's own certificate, as the other side's peer listener knows it."""
    home = parties.nodes[code]
    context = peer_client_context(
        home / "tls-cert.pem", home / "tls-key.pem", ssl.PEM_cert_to_DER_cert(parties.cert(other))
    )
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(base_url=parties.peer_url(other), connector=connector) as http:
        yield http


# --- held back while the line is behind -------------------------------------------------------------------------------


async def test_beyond_the_window_messages_wait_and_urgent_ones_do_not(tmp_path, need):
    """Without a peer, messages below FLASH wait beyond ``link_window``; F13, F14, acks and node records go at once."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial", limits=replace(LIMITS, link_window=20_000))
    async with running(parties, "US") as us:
        async with running(parties, "CN") as cn:
            await until(lambda: both_delivered(cn, us), cn, us)
            async with parties.desk("CN") as theirs:
                _, asked = await theirs.send("a question")
                await until(lambda: us.station.fold.find(asked) is not None, cn, us)
        async with parties.desk("US") as desk, parties.desk("US", "duty") as duty:
            await until(lambda: us.station.state is State.DEGRADED, us)
            first, opened = await desk.send("on its way")
            while not us.station.behind():
                await desk.send("on its way too")
            held = asyncio.ensure_future(desk.send("this one waits"))
            await asyncio.sleep(0.3)
            size = us.station.sizes["b"]
            urgent = [await duty.send("an emergency", fmt="F13", single=True)]
            urgent.append(await duty.send("a correction", fmt="F14", refs=(opened,), cor="COR"))
            mid = us.station.fold.find(asked).mid
            placed = await duty.wire.submit("ack", duty.ack(mid, asked))
            us.station.alarms.add("MODE")
            us.station.wake()
            await until(lambda: us.station.sizes["b"] >= size + 4, us)
            assert [index for index, _ in urgent] == [size, size + 1]
            assert placed["index"] == size + 2
            assert try_read((await us.station.own.records(size + 3, size + 4))[0]).t == "node.alarm"
            assert not held.done()
            async with running(parties, "CN") as cn:
                index, ph = await asyncio.wait_for(held, 20)
                assert index >= size + 4
                await until(lambda: us.station.delivered > index, cn, us)
                assert cn.station.fold.find(ph).verdict.index == index
                assert cn.station.fold.verdict("b", first).reason == ""


async def test_a_held_message_is_given_back_in_time(tmp_path):
    """A message that is held too long leaves the queue and its desk is told; later ones and urgent ones are not hurt."""
    line = {"behind": True}
    with Journal.create(tmp_path / "journal.sqlite") as journal:
        channel = Channel(journal, Committer(journal), behind=lambda: line["behind"], held_seconds=0.1)
        loop = asyncio.ensure_future(channel.writer.run())
        with pytest.raises(Unavailable, match="HELD"):
            await channel.append(1, below_flash=True)
        assert (await channel.append(2)).index == 0
        waiting = asyncio.ensure_future(channel.append(3, below_flash=True))
        await asyncio.sleep(0.02)
        line["behind"] = False
        channel.writer.look_again()
        assert (await waiting).index == 1
        assert [len(batch.records) for batch in channel.released] == [1, 1]
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop


async def test_the_window_is_known_after_a_restart(tmp_path, need):
    """What was not delivered before a restart counts with its blobs, so the line is as far behind as it was."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial")
    async with running(parties, "US") as us:
        async with running(parties, "CN") as cn:
            await until(lambda: both_delivered(cn, us), cn, us)
        async with parties.desk("US") as desk:
            for _ in range(2):
                await desk.send("on its way")
        before = dict(us.station._weights)
    async with running(parties, "US", without_peer=True) as us:
        await until(lambda: us.station.opened, us)
        assert {at: w for at, w in us.station._weights.items() if at in before} == before


# --- what the peer may ask --------------------------------------------------------------------------------------------


async def test_the_peer_asks_so_many_things_at_once(tmp_path, need):
    """Eight requests that never end keep the ninth out with BUSY; when they go, work goes on."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial")
    async with running(parties, "CN") as cn, running(parties, "US") as us:
        await until(lambda: both_delivered(cn, us), cn, us)
        home = parties.nodes["CN"]
        context = peer_client_context(
            home / "tls-cert.pem", home / "tls-key.pem", ssl.PEM_cert_to_DER_cert(parties.cert("US"))
        )
        port = int(parties.peer_url("US").rpartition(":")[2])
        slow = [await asyncio.open_connection("127.0.0.1", port, ssl=context) for _ in range(CONCURRENT)]
        for _, writer in slow:
            writer.write(b"POST /dcx/v1/append HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
        oh = sha256(cn.station.origins.own.encode()).hexdigest()
        async with peer_client(parties, "CN", "US") as http:

            async def ask():
                async with http.get(f"/dcx/v1/status/{oh}") as answer:
                    return answer.status, await answer.read()

            async with asyncio.timeout(20):
                while (said := await ask())[0] == 200:  # noqa: ASYNC110 - it is the peer who is asked
                    await asyncio.sleep(0.02)
            assert said[0] == 503
            assert unpack(said[1], dict)["code"] == "BUSY"
            async with parties.desk("US") as desk:  # own people are not touched by it
                await desk.wire.notes()
            for _, writer in slow:
                writer.transport.abort()
            async with asyncio.timeout(20):
                while (said := await ask())[0] != 200:  # noqa: ASYNC110 - it is the peer who is asked
                    await asyncio.sleep(0.02)
        async with parties.desk("CN") as desk:
            index, _ = await desk.send("the line is free again")
        await until(lambda: cn.station.delivered > index, cn, us)


async def test_a_peer_that_sends_too_often_waits_but_not_with_urgent_things(tmp_path, need):
    """Beyond ``rate_peer`` a batch waits for the next minute, unless an acknowledgement is in it."""
    need("embedded-valkey")
    parties, clock = Parties(tmp_path / "trial", limits=replace(LIMITS, rate_peer=12)), Steered()
    async with running(parties, "CN", clock) as cn, running(parties, "US", clock) as us:
        async with asyncio.timeout(25):
            while not both_delivered(cn, us):
                clock.skip(20)
                await asyncio.sleep(0.2)
        clock.skip(61)
        async with parties.desk("US") as ours, parties.desk("CN") as theirs:
            _, asked = await ours.send("a question")
            await until(lambda: cn.station.fold.find(asked) is not None, cn, us)
            index, ph = -1, b""
            async with asyncio.timeout(25):
                while cn.station.delivered > index:
                    index, ph = await theirs.send("and one more")
                    await asyncio.sleep(0.6)
            assert cn.station.state is State.ACTIVE
            assert us.station.fold.find(ph) is None
            await theirs.wire.submit("ack", theirs.ack(cn.station.fold.find(asked).mid, asked))
            await until(lambda: us.station.fold.find(ph) is not None, cn, us)
            assert [v.doc.step for v in us.station.fold.find(asked).acks] == ["read"]
            index, ph = await theirs.send("one that waits")
            await asyncio.sleep(0.5)
            assert cn.station.delivered <= index
            clock.skip(60)
            await until(lambda: cn.station.delivered > index, cn, us)


async def test_a_member_who_sends_too_often_waits_but_not_with_urgent_things(tmp_path, need):
    """Beyond ``rate_msg`` a member's messages are refused with RATE; F13, F14 and acks pass, and so do others' messages."""
    need("embedded-valkey")
    parties, clock = Parties(tmp_path / "trial", limits=replace(LIMITS, rate_msg=2)), Steered()
    async with running(parties, "CN", clock) as cn, running(parties, "US", clock) as us:
        await until(lambda: both_delivered(cn, us), cn, us)
        async with parties.desk("US") as ours, parties.desk("US", "duty") as duty, parties.desk("CN") as theirs:
            _, asked = await theirs.send("a question")
            await until(lambda: us.station.fold.find(asked) is not None, cn, us)
            _, opened = await ours.send("one")
            await ours.send("two")
            with pytest.raises(Problem, match="RATE"):
                await ours.send("three")
            await ours.send("an emergency", fmt="F13", single=True)
            await ours.send("a correction", fmt="F14", refs=(opened,), cor="COR")
            await ours.wire.submit("ack", ours.ack(us.station.fold.find(asked).mid, asked))
            await duty.send("another person", fmt="F13", single=True)
            clock.skip(61)
            await ours.send("three, a minute later")


# --- blobs that the peer lacks ----------------------------------------------------------------------------------------


class Forgetful:
    """A peer of another make: it keeps the protocol's rules and loses, once, two of the blobs that came with a batch."""

    def __init__(self, parties):
        self.parties = parties
        cn = parties.trial.parties[0]
        self.us = parties.trial.founding.read_charter().party("b")
        self.cosigner = NotePrivate(cn.cos)
        self.origin = notes.origin(parties.chan, "b", 0)
        self.frontier, self.blobs, self.asked, self.missing = Frontier.empty(), set(), [], ()

    @asynccontextmanager
    async def serving(self):
        home = self.parties.nodes["CN"]
        us_cert = ssl.PEM_cert_to_DER_cert(self.parties.cert("US"))
        context = peer_server_context(home / "tls-cert.pem", home / "tls-key.pem", [us_cert])
        app = web.Application(client_max_size=append.MAX_REQUEST)
        app.add_routes([web.post("/dcx/v1/append", self.append), web.get("/dcx/v1/status/{oh}", self.status)])
        runner = web.AppRunner(app)
        await runner.setup()
        port = int(self.parties.peer_url("CN").rpartition(":")[2])
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        yield self
        await runner.cleanup()

    async def status(self, _request):
        return web.Response(body=pack({"yours": b"", "mine": b"", "ts": CLOCK.now()}))

    async def append(self, request):
        sent = append.read_request(await request.read())
        key = notes.NotePublic(self.us.log.ed, self.us.log.ml)
        self.asked.append(sent)
        if sent.blobs and not self.missing:
            self.missing = tuple(sorted(sha256(blob).digest() for blob in sent.blobs[:2]))
            sent = replace(sent, blobs=sent.blobs[2:])
        outcome = append.receive(sent.encode(), self.origin, key, self.frontier, None, self.blobs.__contains__)
        lines = ()
        if isinstance(outcome, append.Accept):
            self.frontier = outcome.frontier
            self.blobs |= set(outcome.blobs)
        if outcome.status == 200:
            at = CLOCK.now() // 1000
            name = notes.cosigner_name(notes.origin(self.parties.chan, "a", 0))
            lines = notes.cosign(self.cosigner, name, outcome.note, at, anchor=outcome.anchor)
        return web.Response(status=outcome.status, body=outcome.body(lines), content_type="text/plain")


async def test_blobs_that_the_peer_lacks_are_sent_again(tmp_path, need):
    """A 424 with missing hashes is answered at once by the same batch with these blobs in it, and it is delivered."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial")
    said = io.StringIO()
    async with Forgetful(parties).serving() as peer, running(parties, "US", out=said) as us:
        await until(lambda: us.station.delivered >= 4, us)
        first, second = peer.asked[:2]
        assert len(peer.missing) == 2
        assert (second.old, second.note, second.recs) == (first.old, first.note, first.recs)
        assert {sha256(blob).digest() for blob in second.blobs} >= set(peer.missing)
        assert "PEER_REFUSED" not in said.getvalue()


@pytest.mark.parametrize("left", [b"", b"other bytes"])
async def test_a_blob_that_was_lost_before_delivery_comes_back_from_the_desk(tmp_path, need, left):
    """The peer asks for a blob that the store lost or changed; the desk hands it in again, and both nodes have it."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial")
    said = io.StringIO()
    async with running(parties, "US") as us:
        async with running(parties, "CN") as cn:
            await until(lambda: both_delivered(cn, us), cn, us)
        async with parties.desk("US") as desk:
            env, blob, ph = desk.message("on its way")
            placed = await desk.wire.submit("msg", env, [blob])
            await lose_blob(parties, "US", sha256(blob).digest(), left)
    async with running(parties, "CN") as cn, running(parties, "US", out=said) as us:
        async with asyncio.timeout(25):
            while '"status": 424' not in said.getvalue():  # noqa: ASYNC110 - telemetry
                await asyncio.sleep(0.05)
        assert us.station.delivered <= placed["index"]
        async with parties.desk("US") as desk:
            again = await desk.wire.submit("msg", env, [blob])
        assert (again["index"], again["dup"]) == (placed["index"], True)
        await until(lambda: us.station.delivered > placed["index"], cn, us)
        assert await cn.station.mirror.blob(sha256(blob).digest()) == blob
        assert cn.station.fold.find(ph).verdict.reason == ""


async def test_what_was_committed_just_now_is_sent_from_memory(tmp_path, need):
    """A batch at hand goes out whole although the store has lost a blob of it; the rest follows in order."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial")
    async with running(parties, "US") as us:
        async with running(parties, "CN") as cn:
            await until(lambda: both_delivered(cn, us), cn, us)
        async with parties.desk("US") as desk:
            sent = [desk.message(f"line {i}") for i in range(3)]
            placed = [await desk.wire.submit("msg", env, [blob]) for env, blob, _ in sent]
        await lose_blob(parties, "US", sha256(sent[1][1]).digest())
        async with running(parties, "CN") as cn:
            await until(lambda: us.station.delivered > placed[-1]["index"], cn, us)
            for _, blob, ph in sent:
                assert await cn.station.mirror.blob(sha256(blob).digest()) == blob
                assert cn.station.fold.find(ph).verdict.reason == ""


async def test_what_no_longer_fits_into_memory_is_read_from_the_store(tmp_path, need, monkeypatch):
    """While the line is down only the newest batches stay at hand; all are delivered, in order, when it is back."""
    need("embedded-valkey")
    monkeypatch.setattr("channel.node.courier.AT_HAND_BYTES", 20_000)
    parties = Parties(tmp_path / "trial")
    async with running(parties, "US") as us:
        async with running(parties, "CN") as cn:
            await until(lambda: both_delivered(cn, us), cn, us)
        async with parties.desk("US") as desk:
            placed = [(await desk.send(f"line {i}"))[0] for i in range(6)]
        async with running(parties, "CN") as cn:
            await until(lambda: us.station.delivered > placed[-1], cn, us)
            assert await cn.station.mirror.records(0, placed[-1] + 1) == await us.station.own.records(0, placed[-1] + 1)


async def test_a_start_without_a_blob_that_nobody_has(tmp_path, need):
    """A lost blob of an own record that was not delivered keeps no node from starting: its desk still has it."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial")
    async with running(parties, "US") as us:
        async with running(parties, "CN") as cn:
            await until(lambda: both_delivered(cn, us), cn, us)
        async with parties.desk("US") as desk:
            env, blob, _ = desk.message("on its way")
            placed = await desk.wire.submit("msg", env, [blob])
        await lose_blob(parties, "US", sha256(blob).digest())
    async with running(parties, "CN") as cn, running(parties, "US") as us:
        await until(lambda: us.station.state in (State.ACTIVE, State.DEGRADED), cn, us)
        async with parties.desk("US") as desk:
            assert (await desk.wire.submit("msg", env, [blob]))["dup"]
            await until(lambda: us.station.delivered > placed["index"], cn, us)


async def lose_blob(parties, code, digest, left=b""):
    """Take a blob of the own shared log away, in the store of a running node; other bytes may be left in its place."""
    store = parties.nodes[code] / "store"
    elsewhere = store / "socket-path"
    socket = elsewhere.read_text() if elsewhere.exists() else str(store / "s")
    client = Redis(unix_socket_path=socket, username="dcx", password=(store / "password").read_text(), protocol=2)
    name = "{" + parties.chan[:8].hex() + "}:blob:" + parties.letter(code) + "0:" + digest.hex()
    assert await client.get(name)
    await client.set(name, left)
    await client.aclose()
