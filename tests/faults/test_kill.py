"""SIGKILL at each step of a commit, on each node: no two histories, nothing delivered lost or doubled (protocol 7).

Each node is a process of its own, started again as a service manager would. While they die and come back, a desk on
each side hands in messages until each is accepted; a scribe collects the notes that the desks are shown: a
sample of those let out. One test is one step on one node, five kills each.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

import pytest

from channel.node.station import origins_of
from channel.protocol import merkle
from channel.protocol import note as notes
from channel.protocol.record import try_read
from keys.errors import Problem, Refused, Unavailable
from tests.node.parties import Desk, Parties

TRIES = 5
STEPS = "abcde"
RUN = "import asyncio, sys; from pathlib import Path; from channel.node.app import run_node; asyncio.run(run_node(Path(sys.argv[1])))"


class Service:
    """One node's process, started again whenever it was killed."""

    def __init__(self, home):
        self.home, self.kills, self.process, self._stopped = home, 0, None, False
        self._plain = (home / "node.toml").read_text()

    def kill_next_at(self, step, nth):
        (self.home / "node.toml").write_text(f'{self._plain}\n[testing]\nkill_at = "{step}:{nth}"\n')

    def kill_no_more(self):
        (self.home / "node.toml").write_text(self._plain)

    async def run(self, plan):
        """Run the node with each planned (step, n-th time), then without; a planned run has to end by SIGKILL."""
        for step, nth in plan:
            self.kill_next_at(step, nth)
            assert await self._once() == -signal.SIGKILL
            self.kills += 1
        self.kill_no_more()
        code = await self._once()
        assert self._stopped, f"the node ended by itself with {code}"

    async def _once(self):
        with (self.home / "node.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, str(self.home), stderr=log)
        return await self.process.wait()

    async def stop(self):
        self._stopped = True
        if self.process and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await self.process.wait()


class Scribe:
    """Every note that was ever seen: by desks, and so by the peer that cosigned them."""

    def __init__(self):
        self.notes = {}

    def keep(self, said):
        for letter in "ab":
            for raw in (said[letter]["newest"], said[letter]["cosigned"], *said[letter]["anchors"]):
                if raw:
                    note = notes.parse(raw)
                    self.notes[note.text, note.lines] = note


async def at_desk(parties, code, act):
    """Do something at a desk, again and again until the node is there to do it."""
    while True:
        with suppress(Unavailable, Problem, OSError):
            async with parties.desk(code, "expert-1") as desk:
                return await act(desk)
        await asyncio.sleep(0.1)


async def send_all(parties, code, scribe, sent, service, kills, at_least):
    """Hand in messages, each with the same bytes until it is accepted, until the kills are done."""
    member = parties.keys[code]["expert-1"]
    while service.kills < kills or len(sent) < at_least:
        env, blob, ph = Desk(parties, code, member, None).message(f"line {len(sent)}")

        async def act(desk, env=env, blob=blob):
            placed = await desk.wire.submit("msg", env, [blob])
            scribe.keep(await desk.wire.notes())
            return placed

        try:
            placed = await at_desk(parties, code, act)
        except Refused as e:
            raise AssertionError(e) from e
        sent[ph] = placed["index"]


@pytest.mark.parametrize("code", ["CN", "US"])
@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_each_step(step, code, tmp_path, need):
    """Killed five times at a step, a node comes back by itself; notes agree, nothing accepted is lost or doubled."""
    need("embedded-valkey")
    parties, scribe = Parties(tmp_path / "trial"), Scribe()
    other = "US" if code == "CN" else "CN"
    killed, quiet = Service(parties.nodes[code]), Service(parties.nodes[other])
    plan = [(step, 6 if i == 0 else 1 + i % 3) for i in range(TRIES)]
    sent = {code: {}, other: {}}
    runs = [asyncio.ensure_future(killed.run(plan)), asyncio.ensure_future(quiet.run([]))]
    try:
        sends = [send_all(parties, x, scribe, sent[x], killed, TRIES, 4) for x in (code, other)]
        async with asyncio.timeout(60):
            done, _ = await asyncio.wait(
                [asyncio.ensure_future(asyncio.gather(*sends)), *runs], return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
            await _settled(parties, scribe, sent)
        records = {x: await at_desk(parties, code, lambda d, x=x: d.all_records(x)) for x in "ab"}
        theirs = {x: await at_desk(parties, other, lambda d, x=x: d.all_records(x)) for x in "ab"}
    finally:
        await asyncio.gather(killed.stop(), quiet.stop())
        await asyncio.gather(*runs, return_exceptions=True)
    assert killed.kills == TRIES
    for x in "ab":
        shorter = min(len(records[x]), len(theirs[x]))
        assert records[x][:shorter] == theirs[x][:shorter]
        _check_notes(parties, scribe, x, max(records[x], theirs[x], key=len))
    for party, places in sent.items():
        _check_sent(records[parties.letter(party)], places)


async def _settled(parties, scribe, sent):
    """Wait until each side's log is delivered as far as its accepted messages."""
    for party, places in sent.items():
        x = parties.letter(party)
        while True:
            said = await at_desk(parties, party, lambda d: d.wire.notes())
            scribe.keep(said)
            cosigned = said[x]["cosigned"]
            if cosigned and notes.parse(cosigned).size > max(places.values(), default=0):
                break
            await asyncio.sleep(0.1)


def _check_notes(parties, scribe, letter, records):
    """Every note ever seen of a log is signed by it and has the root of its final records at that size."""
    leaves = [merkle.leaf_hash(raw) for raw in records]
    origin = origins_of(parties.chan, letter).own
    key = parties.trial.founding.read_charter().party(letter).log
    seen = [note for note in scribe.notes.values() if note.origin == origin]
    assert seen
    for note in seen:
        assert notes.check(note, notes.NotePublic(key.ed, key.ml), None).log
        assert note.root == merkle.root_of(leaves[: note.size])


def _check_sent(records, places):
    """Each accepted message stands once, where the node said."""
    from keys.envelope import read_envelope

    read = [try_read(raw) for raw in records]
    found = [read_envelope(r.env).hash if r and r.t == "msg" else b"" for r in read]
    for ph, index in places.items():
        assert found.count(ph) == 1
        assert found[index] == ph


def test_kill_is_refused_in_actual_mode(tmp_path):
    """The testing seam does not exist for a channel in actual mode."""
    parties = Parties(tmp_path / "trial", mode=1)
    home = parties.nodes["US"]
    Service(home).kill_next_at("a", 1)

    async def run():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUN, str(home), stderr=asyncio.subprocess.PIPE
        )
        _, err = await process.communicate()
        return process.returncode, err

    code, err = asyncio.run(run())
    assert code != 0
    assert b"kill_at" in err
