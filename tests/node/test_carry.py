"""Carrying by hand: the line is down, files go between two real nodes, and there is one history when it is back."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from msgspec.structs import replace

from channel.client import printed
from channel.client.linetests import automatic
from channel.log.notes import NoteKey
from channel.node.app import serving
from channel.node.state import State
from channel.protocol import append
from channel.protocol import note as notes
from channel.protocol.append import answer_pack, answer_unpack, carry_pack, carry_unpack
from channel.protocol.merkle import Frontier, leaf_hash
from channel.protocol.record import try_read
from keys.errors import Problem, Refused
from tests.faults.bad_line import BadLine
from tests.faults.notebook import NoteBook
from tests.node.parties import Parties, Steered, until

MOST = append.MAX_REQUEST


class Cut(BadLine):
    """A whole line until it is cut; then nothing passes in either direction."""

    cut = False

    async def _carry(self, target, request):
        if not self.cut:
            return await super()._carry(target, request)
        request.transport.abort()
        return web.Response(status=502)


class Two:
    """Two nodes over a line that can be cut, and what is done with them."""

    def __init__(self, parties, clock, line, nodes):
        self.parties, self.clock, self.line, self.nodes = parties, clock, line, nodes
        self.cn, self.us = (node.station for node in nodes)

    async def until(self, true, seconds=40.0):
        await until(true, *self.nodes, seconds=seconds)

    def skip(self, seconds):
        self.clock.skip(seconds)
        for station in (self.cn, self.us):
            station.wake()

    async def unplug(self):
        self.line.cut = True
        self.skip(31)  # a heartbeat each, which nobody answers
        await self.until(lambda: {self.cn.state, self.us.state} == {State.DEGRADED})

    def delivered(self):
        return all(s.delivered == s.sizes[s.letter] and not s.owes_ack for s in (self.cn, self.us))

    async def out(self, code, most=MOST, seat="duty"):
        async with self.parties.desk(code, seat) as desk:
            return await desk.wire.carry_out(most)

    async def take(self, code, raw, seat="duty", **more):
        async with self.parties.desk(code, seat) as desk:
            return await desk.wire.carry_in(raw, **more)

    def held(self):
        """What each holds of both logs and of the other's signatures; own records and anchors come by themselves."""
        return [(s.sizes[s.other], s.delivered, s.newest[s.other], s.cosigned_peer) for s in (self.cn, self.us)]

    async def refused(self, code, raw, **more):
        """The code that a file is refused with; nothing of it may stay."""
        before = self.held()
        with pytest.raises(Problem) as e:
            await self.take(code, raw, **more)
        assert self.held() == before
        return e.value.code


@asynccontextmanager
async def running(folder):
    parties, clock = Parties(folder), Steered()
    async with (
        Cut(parties, NoteBook(parties), None) as line,
        serving(parties.nodes["CN"], clock, out=io.StringIO()) as cn,
        serving(parties.nodes["US"], clock, out=io.StringIO()) as us,
    ):
        two = Two(parties, clock, line, (cn, us))
        await two.until(lambda: two.cn.opened and two.us.opened and two.delivered())
        yield two


@pytest.fixture
async def two(tmp_path, need):
    """Both nodes, opened and quiet, over a line that is whole."""
    need("embedded-valkey")
    async with running(tmp_path / "trial") as two:
        yield two


async def send(two, code, text="a line"):
    """A message: its index and payload hash."""
    async with two.parties.desk(code) as desk:
        return await desk.send(text)


async def test_an_hour_without_a_line_is_bridged_by_hand(two):
    """Messages of both sides go by hand, their cosignatures come back by hand; when the line is back there is one history."""
    await two.unplug()
    sent = {}
    for n in range(3):
        for code in ("US", "CN"):
            sent[code, n] = await send(two, code)
        two.skip(1200)
    assert two.us.delivered < two.us.sizes["b"]
    for code, other, station in (("US", "CN", two.us), ("CN", "US", two.cn)):
        file = await two.out(code)
        taken = await two.take(other, file)
        assert (taken["kind"], taken["log"], taken["first"]) == ("requests", station.letter, station.delivered)
        assert taken["size"] == append.read_request(carry_unpack(file)[-1]).old + len(
            append.read_request(carry_unpack(file)[-1]).recs
        )
        back = await two.take(code, taken["answers"])
        assert (back["kind"], back["size"], back["answers"]) == ("answers", taken["size"], b"")
        assert station.delivered == taken["size"]
        _, anchors = await station.cosigned_notes(station.letter)
        assert anchors[-1][0].size == taken["size"]
        assert notes.check(notes.parse(anchors[-1][1]), *station.note_keys(station.letter)).cosigned_anchor
    for (code, _), (index, ph) in sent.items():
        station = two.us if code == "US" else two.cn
        assert station.delivered > index
        assert (two.cn if code == "US" else two.us).fold.find(ph).verdict.index == index
    assert two.us.state is State.DEGRADED
    two.line.cut = False
    await two.until(lambda: two.delivered() and two.us.state is two.cn.state is State.ACTIVE)
    for letter in "ab":
        logs = [await s.log(letter).records(0, s.sizes[letter]) for s in (two.cn, two.us)]
        assert logs[0] == logs[1]
    assert (two.cn.fold.cut, two.cn.fold.state_hash()) == (two.us.fold.cut, two.us.fold.state_hash())
    index, _ = await send(two, "US")
    await two.until(lambda: two.us.delivered > index)
    for ph in (ph for _, ph in sent.values()):
        found = [m for m in two.us.fold.messages() if m.ph == ph]
        assert len(found) == 1


async def test_the_line_comes_back_before_the_answer(two):
    """A file is taken, its answer never carried: the line goes on from what the other side holds, and delivers each once."""
    await two.unplug()
    index, ph = await send(two, "US")
    await two.take("CN", await two.out("US"))
    later, _ = await send(two, "US")
    two.line.cut = False
    await two.until(lambda: two.us.delivered > later and two.delivered())
    assert two.cn.fold.find(ph).verdict.index == index
    assert not two.line.fault.done()


async def test_a_lost_answer_is_asked_for_again(two):
    """A file that was taken before is refused, and with ``again`` gives a cosignature that delivers at home."""
    await two.unplug()
    await send(two, "US")
    file = await two.out("US")
    await two.take("CN", file)
    assert await two.refused("CN", file) == "CARRY_TWICE"
    again = await two.take("CN", file, again=True)
    back = await two.take("US", again["answers"])
    assert two.us.delivered == back["size"] == again["size"]
    assert await two.refused("US", again["answers"]) == "CARRY_KNOWN"
    two.skip(0)
    with pytest.raises(Refused, match="NOTHING_TO_CARRY"):
        await two.out("US")


async def test_wrong_files_are_one_error_each_and_leave_nothing(two, tmp_path):
    """Another channel, the own side, damage in any place, an older one, one too early: a code each, and nothing is taken."""
    await two.unplug()
    await send(two, "US", "first")
    early = await two.out("US")
    await send(two, "US", "second")
    file = await two.out("US")
    assert await two.refused("US", file) == "CARRY_SIDE"
    for raw in (b"", b"no such file", file[:-1], b"DCXCARRY", file + b"x", b"DCXCARRX" + file[8:]):
        assert await two.refused("CN", raw) in ("CARRY", "CARRY_DAMAGED")
    for at in range(12, len(file), max(1, len(file) // 40)):
        changed = file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :]
        assert await two.refused("CN", changed) in ("CARRY_DAMAGED", "CARRY_CHANNEL"), at
    async with running(tmp_path / "other") as other:
        await other.unplug()
        await send(other, "US")
        foreign = await other.out("US")
    assert await two.refused("CN", foreign) == "CARRY_CHANNEL"
    taken = await two.take("CN", early)
    assert await two.refused("CN", file) == "CARRY_OLDER"
    assert await two.refused("CN", taken["answers"]) == "CARRY_SIDE"
    answers = taken["answers"]
    for at in range(12, len(answers), max(1, len(answers) // 30)):
        changed = answers[:at] + bytes([answers[at] ^ 1]) + answers[at + 1 :]
        assert await two.refused("US", changed) in ("CARRY_DAMAGED", "CARRY_CHANNEL", "CARRY_ANSWERED"), at
    status, body = answer_unpack(carry_unpack(answers)[0])
    assert status == 200
    assert await two.refused("US", carry_pack([answer_pack(409, b"3\n")])) == "CARRY_ANSWERED"
    bare = notes.parse(body)
    own_lines = tuple(line for line in bare.lines if line.name == two.us.origins.own)
    unsigned = notes.Note(bare.origin, bare.size, bare.root, own_lines).encode()
    assert await two.refused("US", carry_pack([answer_pack(200, unsigned)])) == "CARRY_DAMAGED"
    assert two.us.state is State.DEGRADED
    await two.take("US", answers)
    await two.take("CN", await two.out("US"))
    assert two.us.alarms.counts == {} == two.cn.alarms.counts


async def each_commit(station, first):
    """What the other side lacks from ``first`` on, as one request for each commit."""
    found, sizes = [], sorted(key.size for key in await station.own.kept_notes() if not key.anchor and key.size > first)
    for lo, hi in zip([first, *sizes], sizes, strict=False):
        recs = await station.own.records(lo, hi)
        named = {h for r in map(try_read, recs) for h in r.blobs}
        blobs = [await station.own.blob(h) for h in sorted(named)]
        note = await station.own.kept_note(NoteKey(hi, anchor=False))
        found.append(append.Request(old=lo, note=note, recs=tuple(recs), blobs=tuple(blobs)).encode())
    return found


async def test_a_file_of_several_parts_is_taken_whole_or_not_at_all(two):
    """A part too many or too few, out of order or damaged: nothing of the file is taken; whole, each part is answered."""
    await two.unplug()
    for n in range(3):
        await send(two, "US", f"number {n}")
    first, second, *more = parts = await each_commit(two.us, two.cn.sizes["b"])
    assert more
    assert await two.refused("CN", carry_pack([second, *more])) == "CARRY_GAP"
    assert await two.refused("CN", carry_pack([first, *more])) == "CARRY_DAMAGED"
    assert await two.refused("CN", carry_pack([second, first, *more])) == "CARRY_GAP"
    request = append.read_request(more[-1])
    changed = replace(request, recs=(*request.recs[:-1], request.recs[-1][:-1] + b"x"), blobs=()).encode()
    assert await two.refused("CN", carry_pack([*parts[:-1], changed])) == "CARRY_DAMAGED"
    without = replace(request, blobs=()).encode()
    assert await two.refused("CN", carry_pack([*parts[:-1], without])) == "CARRY_MISSING"
    taken = await two.take("CN", carry_pack(parts))
    answers = [answer_unpack(raw) for raw in carry_unpack(taken["answers"])]
    assert [(status, notes.parse(body).size) for status, body in answers] == [
        (200, notes.parse(append.read_request(raw).note).size) for raw in parts
    ]
    await two.take("US", taken["answers"])
    assert two.us.delivered == taken["size"] == two.us.sizes["b"]


async def test_who_may_carry(two):
    """Operators, duty officers and experts carry; a records officer or an official is told so."""
    await two.unplug()
    await send(two, "US")
    for seat in ("operator", "duty", "expert-1"):
        assert (await two.out("US", seat=seat)).startswith(b"DCXCARRY")
    for seat in ("records", "official"):
        with pytest.raises(Problem) as e:
            await two.out("US", seat=seat)
        assert e.value.code == "CARRY_ROLE"
        with pytest.raises(Problem) as e:
            await two.take("US", b"DCXCARRY", seat=seat)
        assert e.value.code == "CARRY_ROLE"


async def test_two_histories_by_hand_freeze_as_on_the_line(two):
    """A carried note that another root was cosigned for freezes the channel and is kept as proof, as on the line."""
    await two.unplug()
    await send(two, "US", "one")
    await send(two, "US", "two")
    head = two.us.signer.head(two.us.origins.own)
    first = two.cn.sizes["b"]
    own = await two.us.own.records(first, head.size)
    blobs = [b for r in map(try_read, own) if r for h in r.blobs if (b := await two.us.own.blob(h))]
    good = append.Request(old=first, note=two.us.signer.quick(two.us.origins.own).encode(), recs=tuple(own),
                          blobs=tuple(blobs))  # fmt: skip
    other = [*own[:-1], own[0]]
    leaves = await two.us.own.leaf_hashes(0, first)
    forked = Frontier.empty().extend([*leaves, *map(leaf_hash, other)])
    note = notes.sign_quick(two.us.signer._keys[two.us.origins.own], two.us.origins.own, forked.size, forked.root())
    bad = append.Request(old=first, note=note.encode(), recs=tuple(other), blobs=())
    await two.take("CN", carry_pack([good.encode()]))
    with pytest.raises(Problem) as e:
        await two.take("CN", carry_pack([bad.encode()]))
    assert e.value.code == "FROZEN"
    assert two.cn.state is State.FROZEN_PEER
    assert two.cn.sizes["b"] == head.size
    await two.until(lambda: any(v.record and v.record.t == "node.evidence" for v in two.cn.fold.display()))


async def test_what_goes_by_hand_is_no_answered_line_test(two):
    """A line test that was carried by hand, and its echo too, stays unanswered: it says nothing of the line."""
    await two.unplug()
    two.skip(901)
    await two.until(lambda: _asked(two.us))
    await two.take("US", (await two.take("CN", await two.out("US")))["answers"])
    await two.until(lambda: _echoed(two.cn))
    await two.take("CN", (await two.take("US", await two.out("CN")))["answers"])
    await asyncio.sleep(0.5)
    assert _states(two.us) == {"waiting"}


def _asked(station):
    return any(v.letter == "b" and v.record and v.record.t == "node.test" for v in station.fold.display())


def _echoed(station):
    return any(v.letter == "a" and v.record and v.record.t == "node.echo" for v in station.fold.display())


def _states(station):
    tests = automatic(station.fold.display(), station.policy().timers.test_s, station.stamps.now())
    return {test.state for test in tests if test.letter == "b"}


async def test_a_printed_file_is_small_and_delivers_too(two):
    """Printed and typed in again in lower case, file and answer deliver; a file that is too long says so."""
    await two.unplug()
    index, _ = await send(two, "US")
    file = await two.out("US", printed.MAX_BYTES)
    typed = "\n".join(printed.to_lines(file)).lower()
    taken = await two.take("CN", printed.from_lines(typed))
    answers = printed.to_lines(taken["answers"])
    assert len(answers) < 60
    await two.take("US", printed.from_lines("\n".join(answers)))
    assert two.us.delivered > index
    await send(two, "US", "x" * 20_000)
    with pytest.raises(Refused, match="CARRY_SIZE"):
        await two.out("US", 8_192)
