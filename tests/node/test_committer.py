"""Commits of several logs that are ready at one moment share one transaction of the journal, and all of them can fail."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from channel.log.notes import NoteKey
from channel.node import gaps
from channel.node.committer import Committer
from channel.node.state import Fatal
from channel.protocol.merkle import leaf_hash
from channel.protocol.record import Gap, read_record
from keys.codec import unpack
from keys.errors import Problem
from tests.node.channels import Channel, Counted


@pytest.fixture
def journal(tmp_path):
    with Counted.create(tmp_path / "journal.sqlite") as made:
        yield made


@pytest.fixture
async def run():
    """Start loops beside the test and end them after it."""
    tasks = []
    yield lambda work: tasks.append(asyncio.ensure_future(work)) or tasks[-1]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_busy_channels_share_transactions(journal, run):
    """Four channels that are busy at once take far fewer transactions than commits; each log stands as if alone."""
    committer = Committer(journal)
    channels = [Channel(journal, committer) for _ in range(4)]
    for channel in channels:
        run(channel.writer.run())

    async def busy(channel):
        return [(await channel.append(n)).index for n in range(20)]

    assert await asyncio.gather(*map(busy, channels)) == [list(range(20))] * 4
    commits = sum(len(channel.released) for channel in channels)
    assert commits == 80
    assert sum(journal.transactions) == commits
    assert len(journal.transactions) <= commits // 2
    for channel in channels:
        assert journal.head(channel.origin).size == 20
        assert journal.leaves(channel.origin, 0, 20) == await channel.log.leaf_hashes(0, 20)
        assert [batch.note.size for batch in channel.released] == list(range(1, 21))


async def test_one_channel_alone_waits_for_nobody(journal, run):
    """A record that comes alone is committed alone, at once."""
    channel = Channel(journal, Committer(journal))
    run(channel.writer.run())
    for n in range(3):
        await channel.append(n)
    assert journal.transactions == [1, 1, 1]


async def test_nothing_is_signed_before_its_commit_is_durable(journal, run):
    """Each log's steps come in order b, c, d, e, whatever the others do, and no head moves before its transaction."""
    committer, steps = Committer(journal), []
    channels = [Channel(journal, committer, steps) for _ in range(3)]
    sizes = []
    whole = journal.extend_all

    def watched(each):
        sizes.append([journal.head(s.head.origin).size for s in each])
        return whole(each)

    journal.extend_all = watched
    for channel in channels:
        run(channel.writer.run())
    await asyncio.gather(*(channel.append(n) for channel in channels for n in range(3)))
    for channel in channels:
        mine = [name for origin, name in steps if origin == channel.origin]
        assert "".join(mine) == "abcde" * (len(mine) // 5)
    assert all(size == 0 for size in sizes[0])


async def test_a_failed_transaction_ends_every_writer_that_was_in_it(journal, run):
    """One log that does not follow: none of the logs in that transaction is signed, and each writer ends by ``Fatal``."""
    committer = Committer(journal)
    channels = [Channel(journal, committer) for _ in range(3)]
    loops = [run(channel.writer.run()) for channel in channels]
    await asyncio.gather(*(channel.append(0) for channel in channels))
    journal._db.execute("UPDATE head SET size = 7 WHERE origin = ?", (channels[1].origin,))
    asked = [run(channel.append(1)) for channel in channels]
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(e, Problem) and e.code == "RECOVERING" for e in done)
    ended = await asyncio.gather(*loops, return_exceptions=True)
    assert all(isinstance(e, Fatal) and e.code == "COMMIT" for e in ended)
    for channel in channels:
        assert await channel.log.kept_note(NoteKey(2, anchor=False)) is None
        assert len(channel.released) == 1
    with pytest.raises(Problem, match="JOURNAL_WRITE"):
        journal.head(channels[0].origin)


async def test_an_error_of_any_kind_reaches_who_waits(journal):
    """Leaves that are none make the commit fail for everybody in the transaction; nobody waits for ever."""
    committer = Committer(journal)
    channels = [Channel(journal, committer) for _ in range(2)]
    async with asyncio.timeout(5):
        done = await asyncio.gather(
            channels[0].signer.extend(channels[0].origin, 0, [leaf_hash(b"good")], 1),
            channels[1].signer.extend(channels[1].origin, 0, [None], 1),
            return_exceptions=True,
        )
    assert [type(e) for e in done] == [Fatal, Fatal]
    assert [journal.head(channel.origin).size for channel in channels] == [0, 0]


async def test_many_lost_places_are_named_in_pieces(journal, run):
    """Two stretches of lost places, one longer than a record takes: each place is named once, a second run names none."""
    channel = Channel(journal, Committer(journal))
    run(channel.writer.run())
    leaves = [leaf_hash(b"%d" % n) for n in range(2503)]
    await channel.signer.extend(channel.origin, 0, leaves, 1)
    await gaps.keep_places(channel.log, journal, channel.origin, 0, 2500)
    other = Channel(journal, Committer(journal))
    run(other.writer.run())
    await other.append(0)
    record = (await other.log.records(0, 1))[0]
    channel.log._kept.records.append(record)
    channel.log._kept.leaves.append(leaves[2500])
    await gaps.keep_places(channel.log, journal, channel.origin, 2501, 2503)
    assert await gaps.name_places(channel.log, journal, channel.origin, channel.writer) == 2502
    told = [unpack(read_record(raw).env, Gap) for raw in (await channel.log.records(2503, 3000))]
    assert [(g.lo, g.hi) for g in told] == [(0, 1024), (1024, 2048), (2048, 2500), (2501, 2503)]
    assert all(list(g.hashes) == leaves[g.lo : g.hi] for g in told)
    assert all(a.hi <= b.lo for a, b in pairwise(told))
    assert await gaps.name_places(channel.log, journal, channel.origin, channel.writer) == 0
