"""Actual and exercise: nothing made for one mode counts in the other, in whatever mixture it comes.

In the fold by mixtures that a search makes; at two real nodes, each with a channel of both modes, at intake and from a peer
that writes what it likes. What is refused as a crossing shows in the log as ``node.alarm`` and as nothing else.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel.client.client import Client, SeatKeys
from channel.client.home import DeskHome
from channel.node.app import serving
from channel.protocol.fold import Fold
from channel.protocol.people import Ack
from channel.protocol.record import Alarm, try_read
from keys import suites
from keys.codec import pack, unpack
from keys.documents import Revoke
from keys.envelope import Envelope, join, media_type, pae, read_envelope, sign
from keys.errors import Problem
from keys.identity import CONTEXT, PrivateKey
from tests.node.hostile import Entry, write, writer_of
from tests.node.parties import Parties, Steered, until
from tests.node.test_two_channels import join as joined
from tests.properties.crossed import SIGNATURES, TYPES, Mixture, crosses, document, ground, put
from tests.world import OTHER, World

MODES = (1, 2)
PEOPLE = [t for t in TYPES if t not in ("roster", "root", "policy")]


@st.composite
def mixtures(draw: st.DrawFn) -> Mixture:
    """A mixture that crosses."""
    t = draw(st.sampled_from(TYPES))
    names = sorted(document(1, t).fields)
    some = st.frozensets(st.sampled_from(names))
    here = draw(st.sampled_from([frozenset(names), frozenset[str]()]) | some | some.map(lambda s: frozenset(names) - s))
    signatures = tuple(draw(st.lists(st.sampled_from(sorted(SIGNATURES)), min_size=1, max_size=4)))
    made = Mixture(t, here, signatures, draw(st.booleans()), draw(st.booleans()))
    return made if crosses(made) else Mixture(t, here, ("other context",), made.named, made.author)


def known(fold: Fold) -> tuple[object, ...]:
    """All that a crossing could change."""
    people = tuple((sorted(p.members), p.roster.ver, p.root.ver) for p in map(fold.party, "ab"))
    return fold.messages(), people, fold.policy("a"), fold.level(), fold.suspended(), fold.recipients()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("t", TYPES)
def test_a_document_of_its_own_mode_counts(t: str, mode: int) -> None:
    """What the mixtures are made from is sound: unmixed it counts; an exercise record does in an exercise alone."""
    world = ground(mode)
    sent = put(world, Mixture(t, frozenset(document(mode, t).fields), ("sound",), named=False, author=False))
    assert world.reason(sent) == ("MODE" if (t, mode) == ("exercise", 1) else "")


@settings(max_examples=100)
@given(st.sampled_from(MODES), mixtures())
def test_no_mixture_of_the_modes_counts(mode: int, mixture: Mixture) -> None:
    """Whatever part is the other mode's, the record is refused, nothing is known through it, and no desk has it to show."""
    world = ground(mode)
    before = known(world.fold())
    sent = put(world, mixture)
    world.sync("b")
    fold = world.fold()
    assert fold.cut == fold.held
    verdict = fold.verdict(sent.letter, sent.index)
    assert verdict.reason
    assert fold.find(sent.ph) is None
    after = known(fold)
    assert [m.ph for m in after[0]] == [m.ph for m in before[0]]  # type: ignore[attr-defined]
    assert after[1:] == before[1:]
    assert not any(m.acks for m in after[0])  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("t", PEOPLE)
@pytest.mark.parametrize("kind", sorted(set(SIGNATURES) - {"sound", "this name, other key"}))
def test_a_crossing_of_people_is_named_as_one(t: str, mode: int, kind: str) -> None:
    """Of a person's record, a key or a context of the other mode has the reason MODE wherever a reader can tell it."""
    for named in (True, False):
        sent_here = frozenset(document(mode, t).fields)
        world = ground(mode)
        reason = world.reason(put(world, Mixture(t, sent_here, (kind,), named=named, author=False)))
        tellable = named or not kind.startswith("other key")
        wanted = {"MODE"} if tellable and kind != "this name, other key, other context" else {"SIGNER", "SIG"}
        assert reason in wanted | ({"MODE"} if (t, mode) == ("exercise", 1) else set())


@pytest.mark.parametrize("mode", MODES)
def test_no_record_of_the_other_channel_counts_as_it_is(mode: int) -> None:
    """Every record of the other channel's logs, byte for byte, is refused in each log of this one."""
    other = ground(3 - mode)
    other.sync("a")
    for letter in "ab":
        for raw in (*other.logs["a"], *other.logs["b"]):
            world = ground(mode)
            before = known(world.fold())
            sent = world.raw(letter, raw)
            for _ in range(4):  # the other log grows beyond whatever the record says it has seen
                world.sync(OTHER[letter], seen=6)
            fold = world.fold()
            assert fold.verdict(letter, sent.index).reason in {"SEEN", "OPEN", "MODE"}
            assert [m.ph for m in fold.messages()] == [m.ph for m in before[0]]  # type: ignore[attr-defined]
            assert known(fold)[1:] == before[1:]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("letters", ["a", "b", "ab"])
@pytest.mark.parametrize("mode", MODES)
def test_no_opening_is_mixed(mode: int, letters: str, place: int) -> None:
    """A charter, root, roster or policy of the other mode in an opening, on one side or both: nothing of it counts."""
    world, other = World(mode), World(3 - mode)
    world.blobs.update(other.blobs)
    for letter in letters:
        world.logs[letter][place] = other.logs[letter][place]
    fold = Fold(world.chan, world.blobs.get)
    for letter in "ab":
        fold.add(letter, world.logs[letter])
    assert (fold.charter, fold.cut) == (None, (4, 4))
    assert fold.open_fault
    assert {fold.verdict(x, i).reason for x in "ab" for i in range(4)} == {"OPEN"}


# --- through real nodes -----------------------------------------------------------------------------------------------


class Two:
    """Two nodes with a channel of each mode, one clock that a test lets run."""

    def __init__(self, actual: Parties, exercise: Parties, nodes: tuple, clock: Steered) -> None:
        self.parties = {1: actual, 2: exercise}
        self.nodes, self.clock = nodes, clock

    def station(self, node: int, mode: int):
        return self.nodes[node].stations[self.parties[mode].chan]

    async def until(self, true, seconds: float = 30) -> None:
        await until(true, *self.nodes, seconds=seconds)

    async def alarms(self, node: int, mode: int) -> list[Alarm]:
        """The alarms that a node has written, once it has had two more minutes for it."""
        station = self.station(node, mode)
        for _ in range(2):
            self.clock.skip(61)
            station.wake()
            await self.until(lambda: not station.alarms.counts)
            await asyncio.sleep(0.2)
        read = [try_read(raw) for raw in await station.own.records(0, await station.own.size())]
        return [unpack(r.env, Alarm) for r in read if r is not None and r.t == "node.alarm"]


@asynccontextmanager
async def running(folder):
    actual, exercise, clock = Parties(folder / "actual", mode=1), Parties(folder / "exercise", mode=2), Steered()
    joined(actual, exercise)
    async with (
        serving(actual.nodes["CN"], clock, out=io.StringIO()) as cn,
        serving(actual.nodes["US"], clock, out=io.StringIO()) as us,
    ):
        two = Two(actual, exercise, (cn, us), clock)
        await two.until(lambda: all(s.opened for node in two.nodes for s in node.stations.values()))
        await asyncio.sleep(1.3)
        yield two


def signed(key: PrivateKey, t: str, payload: bytes, mode: int, kid: bytes | None = None) -> bytes:
    """An envelope by the raw key under the context of ``mode``, in the name of ``kid``."""
    signature = suites.sign(suites.SIGN, key.seed(), pae(media_type(t), payload), CONTEXT[mode])
    return Envelope(media_type(t), payload, ((kid or key.kid, signature),)).encode()


def attempts(two: Two, here, foreign):
    """(what, entry) of what an own desk or a peer may try in the channel of ``here``; ``foreign`` is the other one's desk."""
    mode, other = here.parties.mode, foreign.parties.mode
    own, theirs = here.member.sign, foreign.member.sign
    env, blob, ph = here.message()
    payload = read_envelope(env).payload
    twin = PrivateKey(other, suites.SIGN, own.seed())
    ack = Ack(chan=here.parties.chan, from_=own.kid, mid=bytes(16), ph=ph, step="read", ts=two.clock.now())
    revoke = Revoke(mode=other, party=here.code, kids=(os.urandom(32),), reason="lost", ts=two.clock.now())
    operator = here.parties.keys[here.code]["operator"].sign
    strange, strange_blob, _ = foreign.message()
    yield "other context", Entry("msg", signed(own, "msg", payload, other), (blob,))
    yield "key object of the other mode", Entry("msg", signed(own, "msg", payload, mode, twin.kid), (blob,))
    yield "ack, other context", Entry("ack", signed(own, "ack", pack(ack), other))
    yield "document of the other mode", Entry("revoke", sign("revoke", revoke, [operator]).encode())
    yield "with its key", Entry("ack", signed(theirs, "ack", pack(ack), other), (theirs.public.encode(),))
    yield "key known elsewhere", Entry("msg", signed(theirs, "msg", payload, other), (blob,))
    yield "replayed", Entry("msg", strange, (strange_blob,))
    again = unpack(read_envelope(strange).payload) | {"chan": here.parties.chan}
    raw = pack(again)
    resigned = join(media_type("msg"), raw, {theirs.kid: theirs.sign(pae(media_type("msg"), raw))})
    yield "with this channel's id", Entry("msg", resigned.encode(), (strange_blob,))


@pytest.mark.parametrize("mode", MODES)
async def test_intake_refuses_every_crossing_and_adds_them_up(tmp_path, need, mode):
    """What a desk hands in for the other mode is refused as MODE; the log has only the alarms, at most one a minute."""
    need("embedded-valkey")
    async with running(tmp_path) as two:
        here, foreign = two.parties[mode], two.parties[3 - mode]
        async with here.desk("US") as own, foreign.desk("US") as other:
            tried = list(attempts(two, own, other))
            for what, entry in tried * 2:
                with pytest.raises(Problem) as e:
                    await own.wire.submit(entry.t, entry.env, list(entry.blobs))
                assert e.value.code == "MODE", what
            alarms = await two.alarms(1, mode)
            assert {a.code for a in alarms} == {"MODE"}
            assert sum(a.count for a in alarms) == 2 * len(tried)
            assert len(alarms) <= 3
            assert not {"msg", "ack", "revoke"} & set(await own.types("b"))
            assert "node.alarm" not in await other.types("b")


@pytest.mark.parametrize("mode", MODES)
async def test_a_peer_that_writes_crossings_gets_nothing_counted(tmp_path, need, mode):
    """Each crossing in the peer's log is one in the own alarm; no fold counts it and no desk shows it."""
    need("embedded-valkey")
    async with running(tmp_path) as two:
        here, foreign = two.parties[mode], two.parties[3 - mode]
        async with here.desk("US") as own, foreign.desk("US") as other:
            tried = list(attempts(two, own, other))
            junk = [
                Entry(t, signed(own.member.sign, t, b"\xc1", 3 - mode)) for t in ("charter", "ack", "msg", "policy")
            ]
            places = await write(writer_of(two.station(1, mode)), [*(entry for _, entry in tried), *junk])
            cn = two.station(0, mode)
            await two.until(lambda: cn.sizes["b"] > max(places))
            reasons = {
                what: cn.fold.verdict("b", at).reason for (what, _), at in zip(tried, places[: len(tried)], strict=True)
            }
            crossing = [what for what, reason in reasons.items() if reason == "MODE"]
            assert {what for what, reason in reasons.items() if not reason} == set()
            assert set(crossing) >= {what for what, _ in tried[:5]}
            alarms = await two.alarms(0, mode)
            assert [(a.code, a.count) for a in alarms] == [("MODE", len(tried))]
            assert not cn.fold.messages()
        folder = here.sides[0].desk
        shutil.copy(here.nodes["CN"] / "tls-cert.pem", folder / "node-cert.pem")  # one node serves both channels
        home = DeskHome(folder)
        try:
            keys = here.keys["CN"]["expert-1"]
            seat = SeatKeys("expert-1", keys.sign, keys.seal)
            async with Client(home, seat, two.nodes[0].desk_url, clock=two.clock, random=os.urandom) as desk:
                await desk.sync()
                assert desk.messages() == []
                assert {desk.view.fold.verdict("b", at).reason for at in places} == {*reasons.values(), "OPEN", "PARSE"}
        finally:
            home.close()
