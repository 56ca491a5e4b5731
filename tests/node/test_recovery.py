"""Starting again: lost tails come back from the peer, an old journal never signs, a fork freezes, clocks are compared."""

from __future__ import annotations

import asyncio
import io
import shutil
import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio

from channel.cli.trial import free_port
from channel.clock import SystemClock
from channel.node.app import serving
from channel.node.state import Fatal, State
from channel.node.tls import peer_client_context
from channel.protocol import append, evidence
from channel.protocol import note as notes
from channel.protocol.note import NotePrivate, NotePublic
from channel.protocol.record import Boot, try_read
from keys.codec import unpack
from keys.errors import Problem, Refused
from tests.node.parties import CLOCK, Parties, until


@pytest_asyncio.fixture
async def parties(tmp_path, need):
    """Homes whose nodes are not running."""
    need("embedded-valkey")
    return Parties(tmp_path / "trial")


@asynccontextmanager
async def running(parties, code, clock=CLOCK, **more):
    """A node in this process."""
    async with serving(parties.nodes[code], clock, out=io.StringIO(), **more) as node:
        yield node


def both_delivered(one, two):
    """Whether each has cosigned all of the other."""
    a, b = one.station, two.station
    return a.opened and b.opened and a.delivered == a.sizes[a.letter] > 4 and b.delivered == b.sizes[b.letter] > 4


async def whole(station, letter):
    """A log as this node's store holds it."""
    return await station.log(letter).records(0, station.sizes[letter])


async def meet(parties):
    """Run both nodes until all is delivered; the logs as they were then."""
    async with running(parties, "CN") as cn, running(parties, "US") as us:
        await until(lambda: both_delivered(cn, us), cn, us)
        await asyncio.sleep(1.5)
        await until(lambda: both_delivered(cn, us), cn, us)
        return {x: await whole(us.station, x) for x in "ab"}


async def test_lost_tail_is_fetched_from_the_peer(parties, tmp_path):
    """A store that went back to an older state gets both shared logs' tails back, byte for byte, and signs nothing twice."""
    await meet(parties)
    store = parties.nodes["US"] / "store"
    shutil.copytree(store, tmp_path / "old", ignore=shutil.ignore_patterns("s", "lock"))
    before = await meet(parties)
    shutil.rmtree(store)
    shutil.copytree(tmp_path / "old", store)
    async with running(parties, "CN") as cn, running(parties, "US") as us:
        await until(lambda: us.station.state is State.ACTIVE and both_delivered(cn, us), cn, us)
        after = {x: await whole(us.station, x) for x in "ab"}
        theirs = {x: await whole(cn.station, x) for x in "ab"}
    for x in "ab":
        assert after[x][: len(before[x])] == before[x]
        assert theirs[x][: len(before[x])] == before[x]


async def test_peer_that_is_away_and_comes_back(parties):
    """While the peer is away records are kept and signed, nothing is delivered; when it is back, all is."""
    await meet(parties)
    async with running(parties, "US", without_peer=True) as us:
        await until(lambda: us.station.state is State.DEGRADED, us)
        async with parties.desk("US") as desk:
            index, _ = await desk.send()
        assert us.station.delivered <= index
        async with running(parties, "CN") as cn:
            await until(lambda: us.station.delivered > index and us.station.state is State.ACTIVE, cn, us)
            assert cn.station.fold.verdict("b", index).reason == ""


async def test_nothing_is_signed_before_the_peer_answers(parties):
    """A node that has signed before waits for its peer's status and says so to desks."""
    await meet(parties)
    async with running(parties, "US") as us:
        await asyncio.sleep(1.0)
        assert us.station.state is State.RECOVERING
        async with parties.desk("US", login=False) as desk:
            assert (await desk.wire.health())["state"] == "RECOVERING"
            with pytest.raises(Problem) as e:
                await desk.wire.login(desk.member.sign, bytes(32), CLOCK.now())
            assert e.value.code == "RECOVERING"
        async with running(parties, "CN") as cn:
            await until(lambda: us.station.state is State.ACTIVE, cn, us)


async def test_journal_that_is_missing_or_old_never_signs(parties, tmp_path):
    """A missing journal is no first start, and an older one that the peer's note gives away ends the node for good."""
    await meet(parties)
    home = parties.nodes["US"]
    shutil.copy(home / "journal.sqlite", tmp_path / "old.sqlite")
    await meet(parties)
    (home / "journal.sqlite").rename(tmp_path / "new.sqlite")
    with pytest.raises(Refused) as e:
        async with running(parties, "US"):
            pass
    assert e.value.code == "JOURNAL_LOST"
    shutil.copy(tmp_path / "old.sqlite", home / "journal.sqlite")
    async with running(parties, "CN"), running(parties, "US") as us:
        await asyncio.wait([us.ended], timeout=20)
        assert isinstance(us.ended.exception(), Fatal)
        assert us.ended.exception().code == "JOURNAL_LOST"
        assert us.station.state is State.HALTED


async def test_two_histories_freeze_the_channel(parties):
    """A second root of the peer's log at a cosigned size: refused, proved in the own log, and cosigning ends."""
    async with running(parties, "CN") as cn, running(parties, "US") as us:
        await until(lambda: both_delivered(cn, us), cn, us)
        size = us.station.sizes["a"]
        key = NotePrivate(parties.trial.parties[0].log)
        forked = notes.sign_quick(key, us.station.origins.peer, size, bytes(32))
        home = parties.nodes["CN"]
        context = peer_client_context(
            home / "tls-cert.pem", home / "tls-key.pem", ssl.PEM_cert_to_DER_cert(parties.cert("US"))
        )
        body = append.Request(old=size, note=forked.encode()).encode()
        async with aiohttp.ClientSession() as http:
            url = f"{parties.peer_url('US')}/dcx/v1/append"
            async with http.post(url, data=body, ssl=context) as answer:
                if answer.status == 409:
                    pytest.fail("the log grew meanwhile")
                assert answer.status == 422
                assert unpack(await answer.read(), dict)["code"] == "FORK"
        assert us.station.state is State.FROZEN_PEER
        records = [try_read(raw) for raw in await us.station.own.records(0, await us.station.own.size())]
        proofs = [unpack(r.env, dict) for r in records if r.t == "node.evidence"]
        known = evidence.Known(parties.chan, 2, {us.station.origins.peer: NotePublic(key.public.ed, key.public.ml)})
        assert evidence.check(proofs[0], known).k == "E1"


class Wrong(SystemClock):
    """A wall clock two minutes ahead."""

    def now(self):
        return super().now() + 120_000


async def test_clock_is_compared_and_confirmed(parties):
    """A node whose clock is two minutes off does not write until an operator has confirmed it."""
    async with running(parties, "CN") as cn:
        await until(lambda: cn.station.state in (State.ACTIVE, State.DEGRADED), cn)
        async with running(parties, "US", Wrong()) as us:
            await asyncio.sleep(1.0)
            assert us.station.state is State.RECOVERING
            assert await us.station.own.size() == 0
        async with running(parties, "US", Wrong(), confirm_clock=True) as us:
            await until(lambda: us.station.sizes["b"] > 4, cn, us)
            boots = [
                unpack(r.env, Boot) for raw in await whole(us.station, "b") if (r := try_read(raw)).t == "node.boot"
            ]
            assert [b.why for b in boots] == ["confirmed"]


class BadLine:
    """A line that carries bytes and breaks off again and again, each time later, first at the request, then the answer."""

    def __init__(self, port, target):
        self.port, self._target, self._count, self._writers = port, target, 0, []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.sleep(0.05)

    async def _carry(self, reader, writer):
        self._count += 1
        there, back = 60_000 * self._count, 1_500 * self._count * self._count
        try:
            up, out = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        self._writers += [writer, out]
        ways = [
            asyncio.ensure_future(self._copy(reader, out, there)),
            asyncio.ensure_future(self._copy(up, writer, back)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, out):
            end.close()

    async def _copy(self, reader, writer, budget):
        try:
            while budget > 0 and (some := await reader.read(min(budget, 4096))):
                writer.write(some)
                await writer.drain()
                budget -= len(some)
        except ConnectionError:
            pass


async def test_line_that_breaks_off_ends_with_equal_logs(parties):
    """Over a line that breaks in the middle of requests and answers every record arrives once and in order."""
    lines = []
    for code, other in (("CN", "US"), ("US", "CN")):
        toml = parties.nodes[code] / "node.toml"
        target = int(parties.peer_url(other).rpartition(":")[2])
        lines.append(BadLine(free_port(), target))
        toml.write_text(toml.read_text().replace(parties.peer_url(other), f"https://127.0.0.1:{lines[-1].port}"))
    async with lines[0], lines[1], running(parties, "CN") as cn, running(parties, "US") as us:
        await until(lambda: cn.station.opened and us.station.opened, cn, us, seconds=60)
        async with parties.desk("US") as desk:
            sent = [await desk.send() for _ in range(5)]
        await until(lambda: us.station.delivered > sent[-1][0], cn, us, seconds=60)
        for x in "ab":
            mine, theirs = await whole(us.station, x), await whole(cn.station, x)
            size = min(len(mine), len(theirs))
            assert mine[:size] == theirs[:size]
        found = [cn.station.fold.verdict("b", index).reason for index, _ in sent]
        assert found == [""] * 5
