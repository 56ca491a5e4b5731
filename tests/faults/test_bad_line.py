"""Two real nodes over a line that drops, repeats, delays, reorders and cuts: they end with equal logs."""

from __future__ import annotations

import asyncio
import io
import json
import random

import pytest

from channel.node.app import serving
from channel.node.state import State
from channel.protocol.record import try_read
from keys.codec import unpack
from keys.envelope import read_envelope
from tests.faults.bad_line import ACTS, BadLine
from tests.faults.notebook import NoteBook
from tests.node.conftest import Pair
from tests.node.parties import CLOCK, Parties

EACH = 12  # messages of each side
ROUNDS = 3


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", range(ROUNDS))
async def test_logs_end_equal_over_a_bad_line(number, tmp_path, need, campaign):
    """Every message arrives once and its acknowledgement comes home; logs, blobs and states end equal; notes agree."""
    need("embedded-valkey")
    for extra in range(campaign.rounds):
        seed = campaign.seed * 1000 + number + ROUNDS * extra
        campaign.report(f"bad line, seed {seed}: {await _over(seed, tmp_path / str(extra))}")


async def _over(seed, folder):
    parties = Parties(folder / "trial")
    book, logs = NoteBook(parties), [io.StringIO(), io.StringIO()]
    async with (
        BadLine(parties, book, random.Random(seed)) as line,
        serving(parties.nodes["CN"], CLOCK, out=logs[0]) as cn,
        serving(parties.nodes["US"], CLOCK, out=logs[1]) as us,
    ):
        pair = Pair(parties, (cn, us), logs)
        async with asyncio.timeout(150):
            sent = await _talk(pair, line)
        said = (seed, line.acts, [log.getvalue()[-2000:] for log in logs])
        await _check_equal(pair, sent, said)
        leaves = {}
        for station in (pair.a, pair.b):
            for log, origin in ((station.own, station.origins.own), (station.side, station.origins.side)):
                leaves[origin] = await log.leaf_hashes(0, await log.size())
        for station in (pair.a, pair.b):  # what each has kept is let out too, sooner or later
            for letter in "ab":
                log = station.log(letter)
                for key in await log.kept_notes():
                    book.add(await log.kept_note(key), "kept")
            for key in await station.side.kept_notes():
                book.add(await station.side.kept_note(key), "kept")
        assert not line.fault.done(), line.fault
        pairs = book.check(leaves)
        book.check_times()
        assert len(line.acts) >= len(ACTS) - 3, line.acts
        bad = sum(line.acts.values()) - line.acts["pass"]
        return f"{2 * EACH} messages, {sum(line.acts.values())} requests, {bad} of them ill-treated, {pairs} pairs of notes"


async def _talk(pair, line):
    """Both sides send and acknowledge while the line is bad, and go on until all is done. The payload hashes by party."""
    await pair.until(lambda: pair.a.opened and pair.b.opened, 60)
    sent = {"CN": [], "US": []}
    done = asyncio.Event()
    answering = [asyncio.ensure_future(_answer(pair, s, done)) for s in (pair.a, pair.b)]
    await asyncio.gather(*(_send(pair.parties, code, mine) for code, mine in sent.items()))
    await line.make_whole()
    stations = (pair.a, pair.b)

    def whole():
        found = [s.fold.find(ph) for s in stations for both in sent.values() for ph in both]
        return all(message is not None and message.acks for message in found)

    await pair.until(whole, 60)
    done.set()
    await asyncio.gather(*answering)
    await pair.until(lambda: _quiet(*stations), 60)
    return sent


def _quiet(a, b):
    return a.sizes == b.sizes and all(s.delivered == s.sizes[s.letter] for s in (a, b))


async def _send(parties, code, mine):
    async with parties.desk(code, "expert-1") as desk:
        for i in range(EACH):
            env, blob, ph = desk.message(f"line {i} of {code}")
            await desk.wire.submit("msg", env, [blob])
            mine.append(ph)
            await asyncio.sleep(0.15)


async def _answer(pair, station, done):
    """Acknowledge each message of the other side as it comes."""
    code = station.own_party.code
    async with pair.parties.desk(code, "expert-2") as desk:
        at = 0
        while not done.is_set():
            while at < station.sizes[station.other]:
                (raw,) = await station.mirror.records(at, at + 1)
                at += 1
                record = try_read(raw)
                if record is not None and record.t == "msg":
                    envelope = read_envelope(record.env)
                    mid = unpack(envelope.payload, dict)["mid"]
                    await desk.wire.submit("ack", desk.ack(mid, envelope.hash))
            await asyncio.sleep(0.05)


async def _check_equal(pair, sent, said):
    for station in (pair.a, pair.b):
        assert station.state in (State.ACTIVE, State.DEGRADED), said
    for letter in "ab":
        one, two = pair.a.log(letter), pair.b.log(letter)
        size = pair.a.sizes[letter]
        records = await one.records(0, size)
        assert len(records) == size == await two.size() == await one.size(), said
        assert records == await two.records(0, size), said
        for record in filter(None, map(try_read, records)):
            for digest in record.blobs:
                assert await one.blob(digest) == await two.blob(digest) is not None, said
        hashes = [read_envelope(r.env).hash for r in map(try_read, records) if r and r.t == "msg"]
        code = "CN" if letter == pair.a.letter else "US"
        assert hashes == sent[code], said  # each once, in the order in which they were handed in
    assert pair.a.fold.result() == pair.b.fold.result(), said
    events = [json.loads(line)["event"] for text in pair.logs for line in text.getvalue().splitlines()]
    assert "peer signature" not in events, said
