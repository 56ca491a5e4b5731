"""The watch on two real nodes whose clock the test steers: steps on both logs, real call-outs, gaps, restarts."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from contextlib import asynccontextmanager

import pytest

from channel.node.app import serving
from channel.protocol.people import Watch
from channel.protocol.record import Alarm, Step, try_read
from keys.codec import unpack
from keys.envelope import sign
from tests.node.parties import Parties, Steered, until

HOUR, READ = 3600.0, 3 * 3600.0
PAGER = "import json,sys,os\nopen(os.path.join({folder!r},f'{{os.getpid()}}.json'),'w').write(sys.stdin.read())\n"
DUTY = """
[[callout]]
seat = "duty"
targets = [{ command = [PYTHON, "SCRIPT"] }]
[[callout]]
seat = "expert-1"
targets = [{ command = [PYTHON, "SCRIPT"] }]
[[callout]]
seat = "official"
head = true
targets = [{ command = [PYTHON, "SCRIPT"] }]
[linetest]
every = 0
alternate = 0
human = 0
[watch]
seats = ["duty"]
gap = GAP
"""


class Line:
    """Both nodes with their clock, and what each side's pager was given."""

    def __init__(self, folder, gap=10**6):
        self.parties, self.clock, self.gap = Parties(folder), Steered(), gap
        self.pagers = {code: folder / f"pager-{code}" for code in ("CN", "US")}
        self.nodes = {}
        for code, pager in self.pagers.items():
            pager.mkdir()
            script = pager / "page.py"
            script.write_text(PAGER.format(folder=str(pager)))
            toml = self.parties.nodes[code] / "node.toml"
            block = DUTY.replace("PYTHON", json.dumps(sys.executable)).replace("SCRIPT", str(script))
            toml.write_text(toml.read_text() + block.replace("GAP", str(gap)))

    def station(self, code):
        return self.nodes[code].station

    @asynccontextmanager
    async def serving(self, *codes):
        """The nodes of these parties; with both, opened."""
        async with _serving(self, codes):
            if len(codes) == 2:
                await self.until(lambda: all(self.station(c).opened for c in codes))
            yield

    async def until(self, true, seconds=25.0):
        await until(true, *self.nodes.values(), seconds=seconds)

    async def quiet(self):
        """Both have seen all of the other: what is waited for is counted."""
        both = [node.station for node in self.nodes.values()]
        await self.until(lambda: both[0].sizes == both[1].sizes and not any(
            s.owes_ack or s.delivered != s.sizes[s.letter] for s in both))  # fmt: skip
        await asyncio.sleep(0.2)

    def skip(self, seconds):
        self.clock.skip(seconds)
        for node in self.nodes.values():
            node.station.wake()

    def pages(self, code):
        found = [json.loads(path.read_text() or "{}") for path in self.pagers[code].glob("*.json")]
        return [page for page in found if page]

    def steps(self, code, of="CN"):
        """(step, receipt, reason) of every valid ``node.step`` in one side's log about messages of a side."""
        station = self.station(code)
        found = station.fold.known().sides["ab".index(station.letter)].steps.values()
        return [(e.doc.step, e.doc.receipt, e.doc.reason) for e in found
                if station.fold.find(e.doc.of).verdict.letter == self.parties.letter(of)]  # fmt: skip

    async def take(self, code, op="take"):
        member = self.parties.keys[code]["duty"]
        async with self.parties.desk(code, "duty") as desk:
            who = {"on": member.sign.kid} if op == "take" else {"off": member.sign.kid}
            doc = Watch(chan=self.parties.chan, seat="duty", op=op, ts=self.clock.now(), **who)
            await desk.wire.submit("watch", sign("watch", doc, [member.sign]).encode())


@asynccontextmanager
async def _serving(line, codes):
    if not codes:
        yield
        return
    async with serving(line.parties.nodes[codes[0]], line.clock, out=io.StringIO()) as node:
        line.nodes[codes[0]] = node
        try:
            async with _serving(line, codes[1:]):
                yield
        finally:
            del line.nodes[codes[0]]


@pytest.fixture
def line(tmp_path, need):
    need("embedded-valkey")
    return Line(tmp_path / "trial")


async def test_an_unread_message_has_its_steps_on_both_logs_and_people_are_called(line):
    """Four steps at their times with reason POST, a copy of each at the other side; seats are called in order, once."""
    async with line.serving("CN", "US"):
        async with line.parties.desk("CN") as desk:
            await desk.send("anybody there?")
        await line.until(lambda: len(line.pages("US")) == 1)
        (first,) = line.pages("US")
        assert (first["seat"], first["why"], first["level"]) == ("duty", "message", "attention")
        assert first["number"].startswith("CN-")
        assert "anybody" not in json.dumps(first)
        for n, (seats, own) in enumerate([
            (["expert-1"], []), (["duty", "expert-1", "official"], ["duty", "expert-1", "official"]),
            (["official"], ["official"]), ([], []),
        ], 1):  # fmt: skip
            before = {code: len(line.pages(code)) for code in ("CN", "US")}
            await line.quiet()
            line.skip(READ / 2 + 10)
            await line.until(lambda n=n: [s for s, r, _ in line.steps("CN") if r == "read"][-1:] == [n])
            await line.until(lambda n=n: line.steps("US") == line.steps("CN"))
            await line.until(lambda: len(line.pages("US")) == before["US"] + len(seats))  # noqa: B023
            await line.until(lambda: len(line.pages("CN")) == before["CN"] + len(own))  # noqa: B023
        assert {reason for _, _, reason in line.steps("CN")} == {"POST"}
        await asyncio.sleep(0.5)
        assert len([s for s, r, _ in line.steps("CN") if r == "read"]) == 4
        assert line.steps("US", "US") == []


async def test_what_was_read_is_waited_for_no_longer(line):
    """After "received and read" no step for it comes; the wait for engagement and a reply goes on, with reason READ."""
    async with line.serving("CN", "US"):
        async with line.parties.desk("CN") as desk, line.parties.desk("US") as other:
            _, ph = await desk.send()
            await line.until(lambda: line.station("US").fold.find(ph) is not None)
            view = line.station("US").fold.find(ph)
            await other.wire.submit("ack", other.ack(view.verdict.doc.mid, ph))
            await line.until(lambda: line.station("CN").fold.find(ph).acks)
        await line.quiet()
        line.skip(6 * HOUR + 60)
        await line.until(lambda: line.steps("CN") == [(1, "engaged", "READ")])
        await line.until(lambda: line.steps("US") == line.steps("CN"))


async def test_a_restart_writes_and_calls_nothing_twice(line):
    """What stands in the log, and in the file of calls, is not done again; what fell due meanwhile is done once."""
    async with line.serving("CN", "US"):
        async with line.parties.desk("CN") as desk:
            await desk.send()
        await line.until(lambda: len(line.pages("US")) == 1)
        await line.quiet()
        line.skip(READ / 2 + 10)
        await line.until(lambda: line.steps("US") == [(1, "read", "POST")])
        await line.until(lambda: len(line.pages("US")) == 2)
    line.clock.skip(READ / 2)
    async with line.serving("CN", "US"):
        await line.until(lambda: [s for s, r, _ in line.steps("CN") if r == "read"] == [1, 2])
        await line.until(lambda: line.steps("US") == line.steps("CN"))
        await asyncio.sleep(0.5)
        assert len(line.pages("US")) == 5
        assert len(await _raw_steps(line, "CN")) == 2


async def test_a_seat_that_is_taken_has_its_call_out_tested(line):
    """Taking the watch calls that seat as a test; leaving it calls nobody."""
    async with line.serving("CN", "US"):
        await line.take("US")
        await line.until(lambda: [(p["seat"], p["why"]) for p in line.pages("US")] == [("duty", "test")])
        await line.take("US", "leave")
        await asyncio.sleep(0.5)
        assert len(line.pages("US")) == 1


async def test_an_empty_post_is_one_alarm_and_calls_the_head_of_watch(tmp_path, need):
    """After the time set, once; over a restart too; again only when the post was held in between."""
    need("embedded-valkey")
    line = Line(tmp_path / "trial", gap=300)
    async with line.serving("CN", "US"):
        line.skip(301)
        await line.until(lambda: len(line.pages("US")) == 1)
        assert [(p["seat"], p["why"]) for p in line.pages("US")] == [("official", "gap")]
        await _until_alarms(line, "US", 1)
    async with line.serving("CN", "US"):
        line.skip(301)
        await asyncio.sleep(1)
        assert len(await _alarms(line, "US")) == 1
        await line.take("US")
        await line.until(lambda: len(line.pages("US")) == 2)
        line.skip(301)
        await asyncio.sleep(0.5)
        assert len(await _alarms(line, "US")) == 1
        await line.take("US", "leave")
        line.skip(301)
        await _until_alarms(line, "US", 2)


async def _until_alarms(line, code, count):
    async with asyncio.timeout(25):
        while len(await _alarms(line, code)) < count:
            line.skip(61)  # what is counted is written at most once a minute
            await asyncio.sleep(0.2)


async def _records(line, code, t):
    own = line.station(code).own
    return [r for raw in await own.records(0, await own.size()) if (r := try_read(raw)) and r.t == t]


async def _alarms(line, code):
    return [a for r in await _records(line, code, "node.alarm") if (a := unpack(r.env, Alarm)).code == "WATCH_GAP"]


async def _raw_steps(line, code):
    return [unpack(r.env, Step) for r in await _records(line, code, "node.step")]


async def test_a_call_out_that_fails_is_an_alarm_of_this_side_alone(line):
    """Nobody could be reached: own people are told by the node's state, no log says it, and a minute later it is tried again."""
    for code in ("CN", "US"):
        toml = line.parties.nodes[code] / "node.toml"
        toml.write_text(toml.read_text().replace(json.dumps(sys.executable), '"/nowhere/at-all"'))
    async with line.serving("CN", "US"):
        async with line.parties.desk("CN") as desk:
            await desk.send()
        await line.until(lambda: line.station("US").own_alarms.counts == {"CALLOUT": 1})
        await line.quiet()
        line.skip(61)
        await line.until(lambda: line.station("US").own_alarms.counts == {"CALLOUT": 2})
        async with line.parties.desk("US", login=False) as desk:
            assert (await desk.wire.health())["alarms"] == {"CALLOUT": 2}
        assert [await _records(line, code, "node.alarm") for code in ("CN", "US")] == [[], []]
