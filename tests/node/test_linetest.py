"""Automatic line tests between two real nodes whose clock the test steers: asked, echoed, closed, and unanswered."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import re
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest

from channel.cli.trial import free_port
from channel.client.linetests import automatic, newest
from channel.node.app import serving
from channel.node.asked import ALARM
from channel.node.courier import Courier
from channel.node.duty_config import LineTestConfig
from channel.node.linetest import ANSWERS, LineTest
from channel.node.writer import Pending, Writer
from channel.protocol import record
from channel.protocol.record import Alarm, Echo, try_read
from keys.codec import pack, unpack
from tests.node import parties as machine
from tests.node.parties import Parties, Steered

EVERY, DAY = 900, 86_400
until = partial(machine.until, seconds=40.0)
TYPES = {"node.test": record.Test, "node.echo": Echo, "node.alarm": Alarm}


@asynccontextmanager
async def running(parties, code, clock, out=None):
    async with serving(parties.nodes[code], clock, out=out or io.StringIO()) as node:
        yield node


def skip(clock, seconds, *nodes):
    """Let the clock of all nodes run ahead; their loops look at once."""
    clock.skip(seconds)
    for node in nodes:
        node.station.wake()


def opened(*nodes):
    return all(n.station.opened and n.station.delivered == n.station.sizes[n.station.letter] > 4 for n in nodes)


def line_tests(node):
    """The history of line tests as this node's fold has it."""
    station = node.station
    return automatic(station.fold.display(), station.policy().timers.test_s, station.stamps.now())


def states(node, letter):
    return [(test.path, test.state) for test in line_tests(node) if test.letter == letter]


async def said(station, letter):
    """Tests, echoes and the alarms about them of a log, in order."""
    records = [try_read(raw) for raw in await station.records(letter, 0, station.sizes[letter])]
    found = [unpack(r.env, TYPES[r.t]) for r in records if r is not None and r.t in TYPES]
    return [x for x in found if not isinstance(x, Alarm) or x.code == ALARM]  # an empty post has alarms of its own


def part(node, kind):
    """The running part of a node that no interface gives out: the writer of its shared log, its courier."""
    own = {Writer: lambda x: x._origin == node.station.origins.own, Courier: lambda x: x._station is node.station}
    (found,) = [x for x in gc.get_objects() if isinstance(x, kind) and own[kind](x)]
    return found


def at_rest(*nodes):
    """Whether each log is delivered, nobody owes a receipt, and no test is in flight."""
    return all(
        n.station.delivered == n.station.sizes[n.station.letter]
        and not n.station.owes_ack
        and "waiting" not in {t.state for t in line_tests(n)}
        for n in nodes
    )


@pytest.fixture
async def pair(tmp_path, need):
    """Both nodes, opened and quiet, with one clock; what they say to their operators."""
    need("embedded-valkey")
    parties, clock = Parties(tmp_path / "trial"), Steered()
    async with running(parties, "CN", clock) as cn, running(parties, "US", clock) as us:
        await until(lambda: opened(cn, us), cn, us)
        yield clock, cn, us


async def test_each_side_asks_and_is_answered(pair):
    """After the time between tests, and not before, each asks once; the four times give round trip and offset."""
    clock, cn, us = pair
    skip(clock, EVERY - 60, cn, us)
    await asyncio.sleep(0.5)
    assert line_tests(us) == []
    skip(clock, 61, cn, us)
    await until(lambda: [t.state for t in line_tests(us)] == ["answered"] * 2 and at_rest(cn, us), cn, us)
    assert [(t.letter, t.path) for t in newest(line_tests(cn))] == [("a", "1"), ("b", "1")]
    for test in line_tests(cn):
        assert 0 <= test.round_trip < 20_000, test
        assert abs(test.offset) < 10_000, test
    test, echo, closing = await _of_test(us.station, "b")
    assert (echo.id, echo.t1, echo.t4 is None) == (test.id, test.t1, False)
    assert not isinstance(echo.t4, int)
    assert test.t1 <= echo.t2 <= echo.t3 <= closing.t4
    assert (closing.id, closing.t1, closing.t2, closing.t3) == (echo.id, echo.t1, echo.t2, echo.t3)
    before = dict(us.station.sizes)
    await asyncio.sleep(1.5)
    assert us.station.sizes == before  # nobody echoes a closing echo
    assert not any(isinstance(x, Alarm) for x in [*await said(cn.station, "a"), *await said(us.station, "b")])


async def _of_test(station, letter):
    """The first own test of a log, its echo in the other log, the closing echo in the own one."""
    own, other = await said(station, letter), await said(station, "a" if letter == "b" else "b")
    test = next(x for x in own if isinstance(x, record.Test))
    echo = next(x for x in other if isinstance(x, Echo) and x.id == test.id)
    closing = next(x for x in own if isinstance(x, Echo) and x.id == test.id)
    return test, echo, closing


async def test_clocks_that_differ_show_as_an_offset(tmp_path, need):
    """A node whose clock is 40 seconds ahead is told so by the history of both sides, with opposite signs."""
    need("embedded-valkey")
    parties, early, late = Parties(tmp_path / "trial"), Steered(), Steered()
    late.skip(40)
    async with running(parties, "CN", late) as cn, running(parties, "US", early) as us:
        await until(lambda: opened(cn, us), cn, us)
        for clock, node in ((early, us), (late, cn)):
            skip(clock, EVERY + 1, node)
        await until(lambda: [t.state for t in line_tests(us)] == ["answered"] * 2, cn, us)
        offsets = {t.letter: t.offset for t in line_tests(us)}
    assert 35_000 < offsets["b"] < 45_000
    assert -45_000 < offsets["a"] < -35_000


async def test_an_outage_is_one_alarm_and_ends_with_an_answer(tmp_path, need):
    """While the other side is away every test counts as unanswered, with one line each and one alarm; then it is over."""
    need("embedded-valkey")
    parties, clock, out = Parties(tmp_path / "trial"), Steered(), io.StringIO()
    async with running(parties, "US", clock, out) as us:
        async with running(parties, "CN", clock) as cn:
            await until(lambda: opened(cn, us), cn, us)
        for n in range(1, 4):
            skip(clock, EVERY + 1, us)
            await until(lambda n=n: len(states(us, "b")) == n, us)
        assert states(us, "b") == [("1", "unanswered")] * 2 + [("1", "waiting")]
        await until(lambda: out.getvalue().count("line test unanswered") == 2, us)
        async with running(parties, "CN", clock) as cn:
            await until(lambda: states(us, "b")[-1] == ("1", "answered") and at_rest(cn, us), cn, us)
            assert states(cn, "b") == [("1", "unanswered")] * 2 + [("1", "answered")]
            own = await said(us.station, "b")
            assert [(x.code, x.count) for x in own if isinstance(x, Alarm)] == [("LINE_TEST", 1)]
            echoed = [x.id for x in await said(us.station, "a") if isinstance(x, Echo) and not isinstance(x.t4, int)]
            asked = [x.id for x in own if isinstance(x, record.Test)]
            assert echoed == asked[-1:]  # of one path the newest test alone has an echo
            skip(clock, 61, us, cn)
        async with running(parties, "CN", clock) as cn:
            await until(lambda: opened(cn, us), cn, us)
        skip(clock, EVERY + 1, us)
        await until(lambda: len(states(us, "b")) == 4, us)
        skip(clock, EVERY + 1, us)
        await until(lambda: out.getvalue().count("line test unanswered") == 3, us)

        async def alarms():
            return [x.count for x in await said(us.station, "b") if isinstance(x, Alarm)]

        async with asyncio.timeout(20):
            while await alarms() != [1, 1]:  # noqa: ASYNC110 - what is waited for is in the store
                await asyncio.sleep(0.05)  # the next outage is another alarm


async def test_a_restart_asks_and_answers_nothing_twice(tmp_path, need):
    """Both nodes are stopped between test and echo and started again: one echo, one closing echo, one test."""
    need("embedded-valkey")
    parties, clock = Parties(tmp_path / "trial"), Steered()
    async with running(parties, "US", clock) as us:
        async with running(parties, "CN", clock) as cn:
            await until(lambda: opened(cn, us), cn, us)
        skip(clock, EVERY + 1, us)
        await until(lambda: len(states(us, "b")) == 1, us)
    for _ in range(2):
        async with running(parties, "CN", clock) as cn, running(parties, "US", clock) as us:
            await until(lambda: states(us, "b") == [("1", "answered")] and at_rest(cn, us), cn, us)
            await asyncio.sleep(0.5)
            own, other = await said(us.station, "b"), await said(us.station, "a")
            (test,) = [x for x in own if isinstance(x, record.Test)]
            assert [isinstance(x.t4, int) for x in own if isinstance(x, Echo) and x.id == test.id] == [True]
            assert [isinstance(x.t4, int) for x in other if isinstance(x, Echo) and x.id == test.id] == [False]


async def test_each_further_address_is_tested_by_itself(tmp_path, need):
    """Of two addresses one is dead: its own test stays unanswered though the line works, the other's is answered."""
    need("embedded-valkey")
    parties, clock = Parties(tmp_path / "trial"), Steered()
    live = parties.peer_url("CN")
    config = parties.nodes["US"] / "node.toml"
    text, dead = config.read_text(), f"https://127.0.0.1:{free_port()}"
    assert f'peer_urls = ["{live}"]' in text
    for urls, good, bad in (([dead, live], "2", "1"), ([live, dead], "1", "2")):
        config.write_text(re.sub("peer_urls = .*", f'peer_urls = ["{urls[0]}", "{urls[1]}"]', text))
        async with running(parties, "CN", clock) as cn, running(parties, "US", clock) as us:
            await until(lambda: opened(cn, us), cn, us)
            count = len(states(us, "b"))
            skip(clock, DAY + 1, cn, us)
            await until(lambda: len(states(us, "b")) == count + 2 and opened(cn, us), cn, us)  # noqa: B023
            await until(lambda: "waiting" in {s for p, s in states(us, "b")[count:] if p == bad}, cn, us)  # noqa: B023
            await until(lambda: (good, "answered") in states(us, "b")[count:], cn, us)  # noqa: B023
            skip(clock, EVERY - 60, cn, us)
            await asyncio.sleep(0.3)
            assert (bad, "waiting") in states(us, "b")[count:]  # its echo is here and is not closed
            skip(clock, 62, cn, us)
            await until(lambda: (bad, "unanswered") in states(us, "b")[count:], cn, us)  # noqa: B023
            index, _ = await _send(parties)
            await until(lambda: us.station.delivered > index, cn, us)  # noqa: B023


async def _send(parties):
    async with parties.desk("US") as desk:
        return await desk.send("a line")


async def test_a_peer_that_asks_without_end_gets_so_many_echoes(pair):
    """However many paths the other side asks on, at most 60 echoes a minute are written; the rest come later."""
    clock, cn, us = pair
    for n in range(ANSWERS + 5):
        test = record.Test(id=n.to_bytes(16), path=f"path {n}", t1=us.station.stamps.now())
        await part(us, Writer).append(Pending("node.test", pack(test)))

    async def echoes():
        return [x for x in await said(cn.station, "a") if isinstance(x, Echo)]

    await until(lambda: cn.station.sizes["b"] == us.station.sizes["b"], cn, us)
    async with asyncio.timeout(20):
        while len(await echoes()) < ANSWERS:  # noqa: ASYNC110 - what is waited for is in the store
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    assert len(await echoes()) == ANSWERS
    skip(clock, 61, cn, us)
    async with asyncio.timeout(20):
        while len(await echoes()) < ANSWERS + 5:  # noqa: ASYNC110 - what is waited for is in the store
            await asyncio.sleep(0.05)
    assert sorted(x.id for x in await echoes()) == [n.to_bytes(16) for n in range(ANSWERS + 5)]


async def test_people_are_called_out_for_a_human_test(tmp_path, need):
    """Once in each window in which the own side made no human test; never in the first minute; a test starts it anew."""
    need("embedded-valkey")
    parties, clock, calls = Parties(tmp_path / "trial"), Steered(), []
    async with running(parties, "CN", clock) as cn, running(parties, "US", clock) as us:
        await until(lambda: opened(cn, us), cn, us)

        async def ask():
            calls.append(us.station.stamps.now())

        async def after(seconds):
            skip(clock, seconds, cn, us)
            await asyncio.sleep(0.3)
            return len(calls)

        courier = part(us, Courier)
        schedule = LineTestConfig(every=0, alternate=0, human=3600)
        test = LineTest(
            us.station, part(us, Writer), courier, courier._line, schedule, clock, os.urandom, ask
        )  # fmt: skip
        task = asyncio.ensure_future(test.run())
        try:
            assert [await after(n) for n in (3500, 50, 60, 600, 2900, 200)] == [0, 0, 1, 1, 1, 2]
            async with parties.desk("US", "duty") as desk:
                index, _ = await desk.send("a test", fmt="F01")
            await until(lambda: us.station.sizes["b"] > index, us)
            assert us.station.fold.verdict("b", index).reason == ""
            assert [await after(n) for n in (3500, 200)] == [2, 3]
            assert not task.done()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_no_call_out_before_a_node_has_run_for_a_minute(tmp_path, need):
    """A node that starts when a human test is long due waits a minute, so one that ends and starts again calls nobody."""
    need("embedded-valkey")
    parties, clock, calls = Parties(tmp_path / "trial"), Steered(), []
    async with running(parties, "CN", clock) as cn, running(parties, "US", clock) as us:
        await until(lambda: opened(cn, us), cn, us)
        skip(clock, 7200, cn, us)

        async def ask():
            calls.append(1)

        courier = part(us, Courier)
        schedule = LineTestConfig(every=0, alternate=0, human=3600)
        test = LineTest(
            us.station, part(us, Writer), courier, courier._line, schedule, clock, os.urandom, ask
        )  # fmt: skip
        task = asyncio.ensure_future(test.run())
        try:
            await asyncio.sleep(0.3)
            assert calls == []
            skip(clock, 61, cn, us)
            await asyncio.sleep(0.3)
            assert calls == [1]
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
