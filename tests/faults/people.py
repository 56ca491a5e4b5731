"""The people at both parties' desks while nodes die: they hand in messages, look on, and note down what they were shown."""

from __future__ import annotations

import asyncio

from channel.protocol import note as notes
from channel.protocol.record import try_read
from keys.codec import unpack
from keys.envelope import read_envelope
from keys.errors import Unavailable, Unverified
from tests.node.parties import Desk

GONE = (Unavailable, Unverified, OSError)  # the node is away, or it is back and knows the session no more
MESSAGES_EACH = 4  # before the next login


class People:
    """Everybody of one party. ``service`` is the node that they use; ``shown`` the records as a desk first saw them."""

    def __init__(self, parties, code, service, book):
        self.parties, self.code, self.service, self.book = parties, code, service, book
        self.letter = parties.letter(code)
        self.placed = {}  # payload hash: index that the node gave
        self.handed = {}  # payload hash: life of the node in which it was last handed in without an answer
        self.shown = {"a": [], "b": []}
        self.delivered = {"a": 0, "b": 0}  # sizes of the newest cosigned notes that a desk saw

    async def send(self, seat, going):
        """Hand in messages, each with the same bytes until it is accepted, while ``going()``."""
        waiting, readers = None, self._readers()
        while going() or waiting:
            try:
                async with self.parties.desk(self.code, seat) as desk:
                    for _ in range(MESSAGES_EACH):
                        waiting = waiting or desk.message(f"line {len(self.placed)}", to=readers)
                        await self.hand_in(desk, *waiting)
                        waiting = None
            except GONE:
                await asyncio.sleep(0.05)

    def _readers(self):
        """Experts and records of both parties."""
        both = [m for party in self.parties.keys.values() for m in party.values()]
        return tuple(sorted(m.seal.kid for m in both if m.seat in {"expert-1", "expert-2", "records"}))

    async def hand_in(self, desk, env, blob, ph):
        """The place of a message; a second time it has to be the same one."""
        self.handed[ph] = self.service.kills
        placed = await desk.wire.submit("msg", env, [blob])
        del self.handed[ph]
        assert self.placed.setdefault(ph, placed["index"]) == placed["index"]
        return placed

    async def look_on(self):
        """Follow the feed for ever: keep every note, and every record when it is first shown."""
        while True:
            try:
                async with self.parties.desk(self.code, "duty") as desk:
                    await self.look(desk)
                    async for name, data in desk.wire.feed(tuple(len(self.shown[x]) for x in "ab")):
                        if name == "note":
                            self._keep(data["log"], data["note"].encode(), "feed")
                        elif name == "grown":
                            await self._read(desk, data["log"], data["size"])
            except GONE:
                await asyncio.sleep(0.05)

    async def look(self, desk):
        """What the node says of both logs now: {letter: (size, size that is cosigned)}."""
        said = await desk.wire.notes()
        sizes = {}
        for x in "ab":
            for raw in (said[x]["newest"], said[x]["cosigned"], *said[x]["anchors"]):
                self._keep(x, raw, "desk")
            sizes[x] = tuple(notes.parse(said[x][kind]).size if said[x][kind] else 0 for kind in ("newest", "cosigned"))
            self.delivered[x] = max(self.delivered[x], sizes[x][1])
            await self._read(desk, x, sizes[x][0])
        return sizes

    def in_flight(self, other, life):
        """How many messages were under way on either side when this party's node died in that life."""
        undelivered = sum(at >= p.delivered[p.letter] for p in (self, other) for at in p.placed.values())
        return undelivered + sum(since == life for since in self.handed.values()) + len(other.handed)

    async def _read(self, desk, letter, size):
        shown = self.shown[letter]
        while len(shown) < size:
            at = len(shown)
            found = await desk.wire.records(letter, at, size)
            if len(shown) == at:  # nobody else of this party read on meanwhile
                shown += found

    def _keep(self, letter, raw, where):
        self.book.add(raw, where)
        if raw and self.book.cosigned(note := notes.parse(raw)):
            self.delivered[letter] = max(self.delivered[letter], note.size)


async def at_desk(people, seat, act):
    """Do something at a desk, again and again until the node is there to do it."""
    while True:
        try:
            async with people.parties.desk(people.code, seat) as desk:
                return await act(desk)
        except GONE:
            await asyncio.sleep(0.1)


async def exchange(sender, reader):
    """A message that is accepted, delivered and read by the other party, whose acknowledgement comes home. Its hash."""
    env, blob, ph = Desk(sender.parties, sender.code, sender.parties.keys[sender.code]["expert-1"], None).message(
        "after"
    )
    placed = await at_desk(sender, "expert-1", lambda desk: sender.hand_in(desk, env, blob, ph))
    await _until_delivered(sender, sender.letter, placed["index"])
    there = await _until_delivered(reader, sender.letter, placed["index"])
    assert read_envelope(try_read(there).env).hash == ph
    mid = unpack(read_envelope(env).payload, dict)["mid"]
    acked = {}

    async def acknowledge(desk):
        acked["raw"] = acked.get("raw") or desk.ack(mid, ph)
        return await desk.wire.submit("ack", acked["raw"])

    placed = await at_desk(reader, "expert-1", acknowledge)
    here = await _until_delivered(sender, reader.letter, placed["index"])
    assert try_read(here).env == acked["raw"]
    return ph


async def settle(people):
    """Wait until both nodes hold and have cosigned the same of both logs, and neither has anything more to say."""
    before, since = None, 0.0
    clock = asyncio.get_running_loop().time
    while True:
        sizes = [await at_desk(p, "duty", p.look) for p in people]
        whole = sizes[0] == sizes[1] and all(size == cosigned for size, cosigned in sizes[0].values())
        if not whole or sizes[0] != before:
            before, since = sizes[0] if whole else None, clock()
        elif clock() - since > 2.0:  # a node that owes an acknowledgement gives it within a second
            return sizes[0]
        await asyncio.sleep(0.2)


async def _until_delivered(people, letter, index):
    """The record at an index, once this party's desk is shown it under a cosigned note."""
    while people.delivered[letter] <= index or len(people.shown[letter]) <= index:
        await at_desk(people, "expert-2", people.look)
        await asyncio.sleep(0.05)
    return people.shown[letter][index]
