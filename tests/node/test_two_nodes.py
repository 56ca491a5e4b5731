"""Two real nodes over loopback TLS: what one side hands in is stored, cosigned and anchored by the other."""

from __future__ import annotations

import asyncio

import pytest

from channel.node.courier import Courier
from channel.node.state import Fatal, State
from channel.protocol import note as notes
from channel.protocol.record import read_record
from tests.node.parties import CLOCK


async def test_message_is_delivered_and_anchored(pair):
    """A message that a desk hands in stands in both nodes' copies under a cosigned note and, within moments, an anchor."""
    async with pair.parties.desk("US") as us, pair.parties.desk("CN") as cn:
        index, ph = await us.send("we see two vessels")
        await pair.until(lambda: pair.b.delivered > index)
        assert (await us.all_records("b"))[index] == (await cn.all_records("b"))[index]
        assert pair.a.fold.verdict("b", index).reason == ""
        assert pair.b.fold.find(ph).ph == ph
        await us.wire.anchor()
        said = await us.wire.notes()
        for letter, station in (("a", pair.a), ("b", pair.b)):
            log_key, cosigner = station.note_keys(letter)
            newest = [notes.parse(raw) for raw in said[letter]["anchors"]]
            assert notes.check(newest[-1], log_key, cosigner).cosigned_anchor
        assert newest[-1].size > index


async def test_receipt_comes_by_itself(pair):
    """The other node soon carries a receipt in its own log, and does not answer acknowledgements of machines."""
    async with pair.parties.desk("US") as us:
        _, ph = await us.send()
        await pair.until(lambda: pair.b.fold.find(ph).receipt_time is not None)
        sizes = dict(pair.a.sizes)
        await asyncio.sleep(2.5)
        assert pair.a.sizes == sizes


async def test_acknowledgement_of_a_person(pair):
    """An acknowledgement signed by the other side's person is judged valid by both nodes."""
    async with pair.parties.desk("US") as us, pair.parties.desk("CN") as cn:
        index, ph = await us.send()
        await pair.until(lambda: pair.a.sizes["b"] > index)
        mid = pair.a.fold.find(ph).mid
        placed = await cn.wire.submit("ack", cn.ack(mid, ph))
        await pair.until(lambda: pair.b.sizes["a"] > placed["index"])
        assert [v.doc.step for v in pair.b.fold.find(ph).acks] == ["read"]


async def test_same_envelope_again_gives_its_place(pair):
    """Handing in the same bytes again answers with the place where they stand; nothing is doubled."""
    async with pair.parties.desk("US") as us:
        env, blob, _ = us.message()
        first = await us.wire.submit("msg", env, [blob])
        again = await us.wire.submit("msg", env, [blob])
        assert (again["index"], again["dup"], first["dup"]) == (first["index"], True, False)
        twice = await asyncio.gather(*(us.wire.submit("msg", *_two(us.message())) for _ in range(8)))
        assert len({p["index"] for p in twice}) == 8


async def test_login_stands_in_the_side_log_only(pair):
    """A login is a record of the side log and never of the shared one."""
    async with pair.parties.desk("US") as us:
        assert "session" in await us.types("side")
        assert "session" not in await us.types("b")
        assert await us.types("a")


async def test_records_carry_no_text(pair, tmp_path):
    """What a person wrote is in no file of either node, in no telemetry line, raw, in hex or in base64."""
    import base64

    marker = "marker-of-a-body-7261"
    async with pair.parties.desk("US") as us:
        index, _ = await us.send(marker)
        await pair.until(lambda: pair.b.delivered > index)
    forms = [marker.encode(), marker.encode().hex().encode(), base64.b64encode(marker.encode()).rstrip(b"=")]
    for home in pair.parties.nodes.values():
        for file in home.rglob("*"):
            if file.is_file():
                raw = file.read_bytes()
                assert not any(form in raw for form in forms), file
    for log in pair.logs:
        assert not any(form in log.getvalue().encode() for form in forms)


async def test_feed_tells_what_the_desk_has_not(pair):
    """A feed from an old cursor announces both logs at once, with notes and the state of the link."""
    async with pair.parties.desk("US") as us:
        seen = set()
        async with asyncio.timeout(10):
            async for name, data in us.wire.feed((0, 0)):
                seen.add((name, data.get("log")))
                if {("grown", "a"), ("grown", "b"), ("note", "a"), ("note", "b"), ("link", None)} <= seen:
                    break


async def test_feed_brings_few_records_and_announces_many(pair, monkeypatch):
    """Asked for, an event carries the records that it announces, as they stand; where they are many, their size alone."""
    from base64 import b64decode

    from channel.node import feed

    async with pair.parties.desk("US") as us:
        stood = await us.all_records("b")

        async def first_event():
            async with asyncio.timeout(10):
                async for name, data in us.wire.feed((0, len(stood) - 1), records=True):
                    if (name, data.get("log")) == ("grown", "b"):
                        return data
            raise AssertionError

        told = await first_event()
        assert [b64decode(raw) for raw in told["records"]][:1] == stood[-1:]
        monkeypatch.setattr(feed, "WITH_BYTES", 10)
        assert "records" not in await first_event()


async def test_proof_leads_to_the_note(pair):
    """The proof of a record leads from its leaf hash to the root of a stored note."""
    from channel.protocol.merkle import leaf_hash, root_from_inclusion
    from keys.codec import unpack

    async with pair.parties.desk("US") as us:
        index, _ = await us.send()
        note = notes.parse((await us.wire.notes())["b"]["newest"])
        raw = (await us.all_records("b"))[index]
        answer = unpack(await us.wire._signed("GET", f"/dcx/v1/proof/b/{index}?size={note.size}"), dict)
        assert root_from_inclusion(leaf_hash(raw), index, note.size, answer["path"]) == note.root


async def test_heartbeat_after_silence_is_a_cosigned_anchor(pair):
    """An anchor that is asked for without new records is signed again with a newer time and cosigned."""
    courier = pair.b
    await pair.until(lambda: courier.delivered == courier.sizes["b"])
    async with pair.parties.desk("US") as us:
        await us.wire.anchor()
        await asyncio.sleep(1.1)
        await us.wire.anchor()
        await pair.until(lambda: True)
        said = await us.wire.notes()
    times = [notes.check(notes.parse(raw), *pair.b.note_keys("b")).log_at for raw in said["b"]["anchors"]]
    assert times == sorted(times)


async def test_record_says_what_its_node_had_cosigned(pair):
    """A record's ``seen`` is a note of the other log that this node had cosigned by then."""
    async with pair.parties.desk("US") as us:
        index, _ = await us.send()
        record = read_record((await us.all_records("b"))[index])
        assert record.seen[1] <= pair.b.sizes["a"]
        assert record.seen[2] == pair.b.fold.roots("a", record.seen[1])


async def test_a_commit_of_unknown_outcome_ends_the_receiver(pair):
    """Where the journal does not follow what the store took, nothing is cosigned and the node ends; recovery may look."""
    us = pair.nodes[1]
    pair.b.signer._journal._db.execute("UPDATE head SET size = 999 WHERE origin = ?", (pair.b.origins.peer,))
    async with pair.parties.desk("CN") as cn:
        index, _ = await cn.send()
        async with asyncio.timeout(20):
            with pytest.raises(Fatal, match="COMMIT"):
                await us.ended
    assert pair.b.state is State.HALTED
    assert pair.a.delivered <= index


async def test_an_own_fault_ends_the_courier(pair):
    """An error of the own signer is no matter of the line: the courier raises it and does not try again."""

    async def make_anchor():
        raise Fatal("OWN_SIGNATURE", origin=pair.b.origins.own, size=pair.b.sizes["b"])

    courier = Courier(pair.b, None, CLOCK, make_anchor, lambda: None)
    courier.cursor = pair.b.sizes["b"]
    async with asyncio.timeout(20):
        with pytest.raises(Fatal, match="OWN_SIGNATURE"):
            await courier.run()
    assert pair.b.state is State.ACTIVE


def _two(message):
    env, blob, _ = message
    return env, [blob]
