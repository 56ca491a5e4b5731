"""What the peer's own key signed and what does not fit is kept; two histories freeze the channel for good."""

from __future__ import annotations

import asyncio
import io
import ssl
from contextlib import asynccontextmanager, suppress
from hashlib import sha256

import aiohttp
import pytest

from channel.log.journal import Journal
from channel.node.app import serving
from channel.node.committer import Committer
from channel.node.refusals import MAX_FILES, Refusals, keep_evidence
from channel.node.state import Fatal, State
from channel.node.station import Alarms
from channel.node.tls import peer_client_context
from channel.protocol import append, evidence
from channel.protocol import note as notes
from channel.protocol.note import NotePrivate, NotePublic
from channel.protocol.record import Alarm, try_read
from keys.codec import pack, unpack
from tests.node.channels import Channel
from tests.node.parties import CLOCK, Parties, until


@asynccontextmanager
async def running(parties, code):
    """A node in this process."""
    async with serving(parties.nodes[code], CLOCK, out=io.StringIO()) as node:
        yield node


class Liar:
    """CN's node operator, who has its keys and signs what never was."""

    def __init__(self, parties, us):
        self.parties, self.us = parties, us
        self.key = NotePrivate(parties.trial.parties[0].log)

    async def post(self, note, old, recs=()):
        """(status, code) of an append request, and its bytes."""
        home = self.parties.nodes["CN"]
        context = peer_client_context(
            home / "tls-cert.pem", home / "tls-key.pem", ssl.PEM_cert_to_DER_cert(self.parties.cert("US"))
        )
        body = append.Request(old=old, note=note.encode(), recs=recs).encode()
        async with aiohttp.ClientSession() as http:
            url = f"{self.parties.peer_url('US')}/dcx/v1/append"
            async with http.post(url, data=body, ssl=context) as answer:
                raw = await answer.read()
                code = unpack(raw, dict)["code"] if answer.status not in (200, 409, 424) else ""
                return (answer.status, code), body

    def note(self, size, root):
        return notes.sign_quick(self.key, self.us.station.origins.peer, size, root)

    async def false_root(self, record):
        """A record that does not lead to the root of its note."""
        while True:
            size = self.us.station.sizes["a"]
            said, body = await self.post(self.note(size + 1, sha256(record).digest()), size, (record,))
            if said[0] != 409:
                return said, body

    async def fork(self):
        """Another root at a size that was cosigned."""
        return await self.post(self.note(self.us.station.sizes["a"], bytes(32)), self.us.station.sizes["a"])


@asynccontextmanager
async def opened(parties):
    """Both nodes, opened and quiet; the liar."""
    async with running(parties, "CN") as cn, running(parties, "US") as us:
        await until(
            lambda: all(n.station.opened and n.station.delivered == n.station.sizes[x] > 4
                        for n, x in ((cn, "a"), (us, "b"))), cn, us,
        )  # fmt: skip
        await asyncio.sleep(1.3)
        yield cn, us, Liar(parties, us)


@pytest.fixture
def parties(tmp_path, need):
    """Homes whose nodes are not running."""
    need("embedded-valkey")
    return Parties(tmp_path / "trial")


def kept(parties, suffix):
    """The files of US by name."""
    return {path.name: path for path in (parties.nodes["US"] / "refused").glob(f"*/*.{suffix}")}


async def told(us, t):
    """The bodies of the own records of a type."""
    records = [try_read(raw) for raw in await us.station.own.records(0, await us.station.own.size())]
    return [r.env for r in records if r.t == t]


async def alarms(us):
    return [unpack(env, Alarm) for env in await told(us, "node.alarm")]


async def test_a_request_with_a_false_root_is_kept(parties):
    """422 ROOT: the request's bytes are kept, once, in a private file that the node's alarm names; work goes on."""
    async with opened(parties) as (cn, us, liar):
        said, body = await liar.false_root(b"never logged")
        assert said == (422, "ROOT")
        await liar.false_root(b"never logged")
        digest = sha256(body).digest()
        files = kept(parties, "append")
        assert list(files) == [digest.hex() + ".append"]
        path = files[digest.hex() + ".append"]
        assert path.read_bytes() == body
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        async with asyncio.timeout(20):
            while not (found := await alarms(us)):  # noqa: ASYNC110 - what is waited for is in the log
                await asyncio.sleep(0.05)
        assert [(a.code, a.count, a.ref) for a in found] == [("ROOT", 1, digest)]
        assert us.station.state is not State.FROZEN_PEER
        async with parties.desk("CN") as desk:
            index, _ = await desk.send("the true log goes on")
        await until(lambda: cn.station.delivered > index, cn, us)


async def test_a_flood_of_false_roots_drives_nothing_out(parties):
    """Beyond so many files the first ones stay and the rest is counted."""
    async with opened(parties) as (_, us, liar):
        first = (await liar.false_root(b"the first"))[1]
        for n in range(MAX_FILES + 3):
            assert (await liar.false_root(b"another %d" % n))[0] == (422, "ROOT")
        files = kept(parties, "append")
        assert len(files) == MAX_FILES
        assert sha256(first).hexdigest() + ".append" in files
        counted = us.station.alarms.counts.get("ROOT", 0) + sum(a.count for a in await alarms(us))
        assert counted == MAX_FILES + 4


async def test_two_histories_freeze_for_good(parties):
    """422 FORK: the request and the proof are kept, the proof is in the log, and the next start is frozen as well."""
    async with opened(parties) as (_, us, liar):
        said, body = await liar.fork()
        assert said == (422, "FORK")
        assert us.station.state is State.FROZEN_PEER
        assert list(kept(parties, "fork")) == [sha256(body).hexdigest() + ".fork"]
        (proof,) = await told(us, "node.evidence")
        (path,) = kept(parties, "evidence").values()
        assert path.read_bytes() == proof
        known = evidence.Known(
            parties.chan, 2, {us.station.origins.peer: NotePublic(liar.key.public.ed, liar.key.public.ml)}
        )
        assert evidence.check(unpack(proof, dict), known).k == "E1"
        cosigned = us.station.sizes["a"]
    async with running(parties, "CN") as cn, running(parties, "US") as us:
        await until(lambda: us.station.state is State.FROZEN_PEER and cn.station.opened, us, cn)
        await until(lambda: cn.station.state in (State.ACTIVE, State.DEGRADED), us, cn)
        async with parties.desk("CN") as desk:
            await desk.send("not cosigned any more")
        await asyncio.sleep(0.5)
        assert us.station.sizes["a"] == cosigned
        assert (await Liar(parties, us).fork())[0] == (403, "FROZEN")


@pytest.mark.parametrize("leave", ["log", "fork", "evidence"])
async def test_each_trace_of_two_histories_keeps_the_channel_frozen(parties, leave):
    """The proof in the log, the request's file or the proof's file alone: each is enough at the next start."""
    async with opened(parties) as (_, us, liar):
        if leave == "log":
            await liar.fork()
            for suffix in ("fork", "evidence"):
                for path in kept(parties, suffix).values():
                    path.unlink()
        else:
            raw = pack({"k": "E1"}) if leave == "evidence" else b"a request"
            Refusals(parties.nodes["US"], parties.chan).keep(leave, raw)
        assert us.station.opened
    async with running(parties, "CN") as cn, running(parties, "US") as us:
        await until(lambda: us.station.state is State.FROZEN_PEER, us, cn)


async def test_what_cannot_be_kept_ends_the_node(parties):
    """Where the disk does not take a request that shows two histories, nothing more is cosigned and the node ends."""
    (parties.nodes["US"] / "refused").write_text("no folder")
    async with opened(parties) as (_, us, liar):
        assert (await liar.fork())[0] == (503, "RECOVERING")
        async with asyncio.timeout(20):
            with pytest.raises(Fatal, match="COMMIT"):
                await us.ended
        assert us.station.state is State.HALTED


async def test_requests_that_race_with_a_fork_are_not_cosigned(parties):
    """What waits while a fork is being judged is refused: nothing is cosigned after the proof."""
    async with opened(parties) as (_, us, liar):
        size, root = us.station.sizes["a"], us.station.cosigned_peer[2]
        forked = liar.post(liar.note(size, bytes(32)), size)
        same = [liar.post(liar.note(size, root), size) for _ in range(4)]
        found = [said for said, _ in await asyncio.gather(forked, *same)]
        assert (422, "FORK") in found
        assert (await liar.post(liar.note(size, root), size))[0] == (403, "FROZEN")


async def test_evidence_that_fits_no_record_is_kept_beside(tmp_path):
    """A proof beyond a record's size is a file, and the alarm names it; one that fits is a file and a record."""
    refusals, counts = Refusals(tmp_path, bytes(32)), Alarms()
    with Journal.create(tmp_path / "journal.sqlite") as journal:
        channel = Channel(journal, Committer(journal))
        loop = asyncio.ensure_future(channel.writer.run())
        small, big = {"k": "E5", "record": b"x" * 1000}, {"k": "E5", "record": b"x" * 65_500}
        for body in (small, big):
            await keep_evidence(body, refusals, channel.writer, counts)
        (raw,) = await channel.log.records(0, 9)
        assert try_read(raw).env == pack(small)
        for body in (small, big):
            name = sha256(pack(body)).hexdigest() + ".evidence"
            assert (refusals.folder / name).read_bytes() == pack(body)
        assert counts.counts == {"EVIDENCE_FILE": 1}
        assert counts.refs == {"EVIDENCE_FILE": sha256(pack(big)).digest()}
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop


def test_a_kept_file_is_whole_or_not_there(tmp_path):
    """A file that a crash left half-written has another name and is no trace; the same bytes again change nothing."""
    refusals = Refusals(tmp_path, bytes(32))
    refusals.keep("fork", b"one")
    (refusals.folder / "half.new").write_bytes(b"on")
    assert refusals.keep("fork", b"one") == (sha256(b"one").digest(), False)
    assert refusals.keep("append", b"one") == (sha256(b"one").digest(), True)
    assert sorted(path.suffix for path in refusals.folder.iterdir()) == [".append", ".fork", ".new"]
    assert refusals.forked()
