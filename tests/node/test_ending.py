"""A node that is told to stop ends: with open feeds, stalled requests, a silent peer, nobody reading its telemetry."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import signal
import ssl
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from channel.clock import ManualClock
from channel.node.ending import at_end, cancel_for_sure
from channel.node.spool import MAX_LINES, Spool
from channel.node.telemetry import Telemetry
from tests.node.parties import Parties

ENDS = 40.0  # seconds, for a busy machine; an endless end is what these tests are about
RUN = """\
import asyncio, sys
from pathlib import Path
from channel.node.app import run_node
asyncio.run(run_node(Path(sys.argv[1])))
"""
STUBBORN = """\
import asyncio, sys
from pathlib import Path
from channel.node.app import run_node
async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
async def main():
    task = asyncio.ensure_future(stubborn())
    await run_node(Path(sys.argv[1]), end_seconds=3.0)
asyncio.run(main())
"""


@pytest.fixture
def parties(tmp_path, need):
    """Homes whose nodes are not running."""
    need("embedded-valkey")
    return Parties(tmp_path / "trial")


@asynccontextmanager
async def process(parties, code, script=RUN, stderr=None):
    """A node in a process of its own, which has said where it listens; it is gone after the block."""
    home = parties.nodes[code]
    with (home / "node.log").open("ab") as log:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(home), stdout=log, stderr=log if stderr is None else stderr
        )
    try:
        async with asyncio.timeout(ENDS):
            while not (home / "run.json").exists():
                assert running.returncode is None
                await asyncio.sleep(0.05)
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def stop(running):
    """The exit code of a process that is told to stop."""
    running.send_signal(signal.SIGTERM)
    async with asyncio.timeout(ENDS):
        return await running.wait()


async def test_a_node_ends_with_open_feeds_and_stalled_requests(parties):
    """Desks that listen, a request that never ends and a peer that stands still keep no node from its end."""
    async with AsyncExitStack() as stack:
        cn, us = [await stack.enter_async_context(process(parties, code)) for code in ("CN", "US")]
        async with asyncio.timeout(ENDS):
            while True:
                with suppress(Exception):
                    desk = await stack.enter_async_context(parties.desk("US"))
                    break
                await asyncio.sleep(0.2)

        async def listen():
            with suppress(Exception):
                async for _ in desk.wire.feed((0, 0)):
                    pass

        feed = asyncio.ensure_future(listen())
        stack.callback(feed.cancel)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=parties.cert("US"))
        port = int(parties.url("US").rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        stack.callback(writer.transport.abort)
        path = f"/dcx/v1/login?chan={parties.chan.hex()}".encode()
        writer.write(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx" % path)
        await asyncio.sleep(0.3)
        cn.send_signal(signal.SIGSTOP)
        assert await stop(us) == 0
        assert not (parties.nodes["US"] / "run.json").exists()
        cn.send_signal(signal.SIGCONT)
        assert await stop(cn) == 0


async def test_a_node_whose_telemetry_nobody_reads_works_and_ends(parties):
    """A full pipe behind standard error stops neither the start of a node, nor its work, nor its end."""
    reading, writing = os.pipe()
    flags = fcntl.fcntl(writing, fcntl.F_GETFL)
    fcntl.fcntl(writing, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x")
    fcntl.fcntl(writing, fcntl.F_SETFL, flags)
    try:
        async with process(parties, "US", stderr=writing) as us:
            async with parties.desk("US", login=False) as desk:
                assert (await desk.wire.health())["party"] == "US"
            assert await stop(us) == 0
    finally:
        os.close(reading)
        os.close(writing)


async def test_a_node_whose_telemetry_reader_is_gone_works_and_ends(parties):
    """A closed pipe behind standard error is no reason to stop, and none not to."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        async with process(parties, "US", stderr=writing) as us:
            async with parties.desk("US", login=False) as desk:
                assert (await desk.wire.health())["party"] == "US"
            assert await stop(us) == 0
    finally:
        os.close(writing)


def test_a_line_is_written_whole():
    """Text and line end that come apart leave in one write, so that a kill between them tears nothing."""
    reading, writing = os.pipe()
    spool = Spool(writing)
    for part in ("half a ", "line"):
        spool.write(part)
    spool.drain(1.0)
    os.set_blocking(reading, False)
    with pytest.raises(BlockingIOError):
        os.read(reading, 100)
    spool.write("\n")
    spool.drain(5.0)
    assert os.read(reading, 100) == b"half a line\n"


def test_lines_that_nobody_takes_are_counted_and_left_out():
    """Writing to a full pipe returns; once somebody reads, what was kept comes in order, with the number left out."""
    reading, writing = os.pipe()
    spool = Spool(writing)
    lines = [f"{n:08d} {'x' * 90}\n" for n in range(3 * MAX_LINES)]
    for line in lines:
        spool.write(line)
    spool.drain(0.05)
    found, count, whole = b"", 0, []
    while b"lines left out" not in found:
        found += os.read(reading, 1 << 20)
    spool.write("the end\n")  # brings what was not yet counted
    while count < len(lines):
        found += os.read(reading, 1 << 20)
        whole = found.decode().rpartition("\n")[0].splitlines(keepends=True)
        kept = [line for line in whole if line[0].isdigit()]
        count = len(kept) + sum(json.loads(line)["count"] for line in whole if "left out" in line)
    assert count - len(lines) <= ("the end\n" not in whole)  # it is a line like the others: written, or counted
    assert MAX_LINES <= len(kept) < len(lines)
    assert kept == sorted(kept)


async def test_what_will_not_end_is_ended(parties):
    """A part that never stops ends with the process, which says where it stood."""
    async with process(parties, "US", STUBBORN) as us:
        assert await stop(us) == 1
    assert '"part": "stubborn", "event": "did not end"' in (parties.nodes["US"] / "node.log").read_text()


async def test_a_part_that_does_not_close_is_left_behind():
    """The parts after it are closed all the same, in order, and telemetry names it."""
    said, closed, never = io.StringIO(), [], asyncio.get_running_loop().create_future()

    async def close(name):
        closed.append(name)

    async def hang():
        await never

    telemetry = Telemetry(ManualClock(0), "US", said)
    async with AsyncExitStack() as stack:
        at_end(stack, "last", lambda: close("last"), telemetry)
        at_end(stack, "hanging", hang, telemetry, 0.05)
        at_end(stack, "first", lambda: close("first"), telemetry)
    assert closed == ["first", "last"]
    assert '"part": "hanging"' in said.getvalue()


async def test_a_part_that_fails_to_close_is_heard():
    """The error of a part that closes is raised, after the others were closed."""
    closed = []

    async def fail():
        raise OSError("no")

    async def close():
        closed.append(True)

    telemetry = Telemetry(ManualClock(0), "US", io.StringIO())
    with pytest.raises(OSError, match="no"):
        async with AsyncExitStack() as stack:
            at_end(stack, "last", close, telemetry)
            at_end(stack, "failing", fail, telemetry)
    assert closed == [True]


async def test_a_task_is_cancelled_more_than_once_and_not_for_ever():
    """A task that takes one cancellation for its own ends by the next; one that takes them all is given up."""
    left = [1]

    async def deaf():
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if left[0] == 0:
                    raise
                left[0] -= 1

    task = asyncio.ensure_future(deaf())
    await asyncio.sleep(0)
    assert await cancel_for_sure(task)
    left[0] = 3
    task = asyncio.ensure_future(deaf())
    await asyncio.sleep(0)
    assert not await cancel_for_sure(task, 1.0)
    left[0] = 0
    assert await cancel_for_sure(task)
