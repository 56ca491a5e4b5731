"""SIGKILL at each step of a commit, on both nodes: one history, nothing delivered lost or doubled (protocol section 7).

One test is one step, a to e. In it *both* nodes are killed at that step, each in a seeded order and at a seeded n-th
time, five times as the writer of the own log and five times as the receiver and cosigner of the other's, and some times
as the writer of the side log and (d, e) as the signer of an anchor. A node that was killed is started again as a service
manager would, and nothing else: no hand, no flag. Meanwhile people on each side go on handing in messages, look on at
the feed, and are logged in anew.

What is let out is kept: every note that a desk is shown, that a node sends, answers or says in ``status`` (a recorder
on the line sees all of it, also what the other end did not live to read), and every note that a store was ever told,
replaced ones too. Afterwards all of them agree, both nodes hold the same of both logs, the journals hold what the stores
hold, and what a desk saw at an index is what stands there.

``pytest tests/faults --campaign N --seed S`` kills N times as often, in an order of its own.
"""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest

from channel.node.station import origins_of
from channel.protocol import merkle
from channel.protocol.charter import Limits
from channel.protocol.fold import Fold
from channel.protocol.record import try_read
from keys.envelope import read_envelope
from tests.faults.notebook import NoteBook
from tests.faults.people import People, at_desk, exchange, settle
from tests.faults.recorder import Recorder
from tests.faults.service import Service
from tests.faults.store_history import check_history, check_journal, read_store, told
from tests.node.parties import Parties

STEPS = "abcde"
TRIES = {"writer": 5, "cosigner": 2, "side": 1}
ANCHOR_TRIES = 1
MOST = {"writer": 5, "cosigner": 4, "side": 3, "anchor": 2}  # n-th times: a node's first commit is its node.boot
OPENING = 5  # commits of a first life before anybody may log in: four records and node.boot
FASTEST = Limits(
    max_body=65_536, max_to=20, kem_grace=1_209_600_000, draft_ttl=86_400, link_window=1_048_576, confirm_s=60,
    rate_msg=0, rate_peer=0,
)  # fmt: skip


def plan_of(step, rng, rounds):
    """The kills of one node at a step, in order: (by, step, n-th time in that life)."""
    tries = TRIES | ({"anchor": ANCHOR_TRIES} if step in "de" else {})
    parts = [by for by, count in tries.items() for _ in range(count * rounds)]
    rng.shuffle(parts)
    parts.insert(0, parts.pop(parts.index("writer")))  # in a first life people come in after the opening alone
    plan = [(by, step, rng.randint(1, MOST[by])) for by in parts]
    return [("writer", step, OPENING + plan[0][2]), *plan[1:]]


@pytest.mark.timeout(0)  # bounded below, where the failure can say what was waited for
@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_each_step(step, tmp_path, need, campaign):
    """Killed again and again at a step, both nodes come back by themselves with one history and every message in it."""
    need("embedded-valkey")
    rng = random.Random(f"{campaign.seed} {step}")
    trial = Trial(tmp_path / "trial")
    try:
        await trial.play({code: plan_of(step, rng, campaign.rounds) for code in sorted(trial.parties.nodes)}, campaign)
        figures = await trial.check()
    except BaseException as e:
        e.add_note(f"step {step}, --seed {campaign.seed} --campaign {campaign.rounds}\n{trial.progress()}")
        raise
    campaign.report(f"step {step}: {figures}")


class Trial:
    """Two nodes, their people, and everything that was seen of them."""

    def __init__(self, folder):
        self.parties = Parties(folder, limits=FASTEST)
        self.book = NoteBook(self.parties)
        self.under_way = {}  # part: how many messages were in flight at each kill
        self.services, self.people = {}, {}
        self.state, self.sizes, self.read, self.carried = {}, {}, [], 0

    async def play(self, plans, campaign):
        """Kill by plan; then one exchange each way, quiet, and a stop."""
        async with Recorder(self.parties, self.book) as recorder:
            for code, home in self.parties.nodes.items():
                self.services[code] = Service(code, home, lambda by, code=code: self._count(code, by))
                self.people[code] = People(self.parties, code, self.services[code], self.book)
            runs = [asyncio.ensure_future(self.services[code].run(plan)) for code, plan in plans.items()]
            beside = [asyncio.ensure_future(p.look_on()) for p in self.people.values()]
            whole = asyncio.ensure_future(self._use(plans, recorder))
            try:
                async with asyncio.timeout(100 + 100 * campaign.rounds):
                    done, _ = await asyncio.wait(
                        [whole, recorder.fault, *runs, *beside], return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        task.result()
                    assert whole in done
            finally:
                for task in (whole, *beside):
                    task.cancel()
                await asyncio.gather(whole, *beside, return_exceptions=True)
                stops = await asyncio.gather(*(s.stop() for s in self.services.values()), return_exceptions=True)
            for e in (*stops, *await asyncio.gather(*runs, return_exceptions=True)):
                if e is not None:
                    raise e
            self.carried = recorder.carried

    async def _use(self, plans, recorder):
        def going():
            return any(service.kills < len(plans[code]) for code, service in self.services.items())

        everybody = list(self.people.values())
        await asyncio.gather(*(p.send(seat, going) for p in everybody for seat in ("expert-1", "expert-2")))
        self.read = [await exchange(*pair) for pair in (everybody, everybody[::-1])]
        self.sizes = await settle(everybody)
        for p in everybody:
            self.state[p.code] = (await at_desk(p, "operator", lambda desk: desk.wire.health()))["state"]
            await recorder.ask_status(p.code)

    def _count(self, code, by):
        other = next(p for p in self.people.values() if p.code != code)
        flying = self.people[code].in_flight(other, self.services[code].kills - 1)
        self.under_way.setdefault((code, by), []).append(flying)

    async def check(self):
        """All that has to hold after the end, and the figures of the trial."""
        chan, logs, blobs = self.parties.chan, {}, {}
        for code, home in self.parties.nodes.items():
            logs[code], found = await read_store(home, chan, self.parties.letter(code))
            blobs |= found
            for log in logs[code].values():
                for raw in log.notes:
                    self.book.add(raw, "store")
            check_history(home, told(home), self.book, origins_of(chan, self.parties.letter(code)).cosigner)
            check_journal(home, logs[code])
            self._check_came_back(code)
        shared = self._same_on_both(logs)
        final = {origin: log.leaves for some in logs.values() for origin, log in some.items()}
        pairs, timed = self.book.check(final), self.book.check_times()
        self._check_people(shared)
        self._check_valid(shared, blobs)
        self._check_in_flight()
        kills = sum(service.kills for service in self.services.values())
        counts = [len(p.placed) for p in self.people.values()]
        return (
            f"{kills} kills ({sum(f > 0 for some in self.under_way.values() for f in some)} with messages in flight), "
            f"{sum(counts)} messages, {len(self.book.notes)} notes seen {sum(self.book.met.values())} times "
            f"({', '.join(f'{where} {n}' for where, n in sorted(self.book.met.items()))}), {pairs} pairs, "
            f"{timed} timed lines, {self.carried} requests carried"
        )

    def _same_on_both(self, logs):
        """Both nodes hold the same records of both shared logs, and all of them are cosigned: {letter: records}."""
        one, two = logs.values()
        shared = {}
        for letter, (size, cosigned) in self.sizes.items():
            origin = next(o for o in one if o in two and f"/{letter}/" in o)
            assert one[origin].records == two[origin].records
            assert len(one[origin].records) == size == cosigned
            assert all(one[origin].records)
            shared[letter] = one[origin].records
        return shared

    def _check_came_back(self, code):
        """The node is ACTIVE, was never FROZEN_PEER or HALTED, and recovered once in a life."""
        states, service = self.services[code].states(), self.services[code]
        assert self.state[code] == "ACTIVE"
        assert set(states) <= {"RECOVERING", "ACTIVE", "DEGRADED"}
        assert 1 < states.count("RECOVERING") <= service.kills + 1  # a killed node may take its last lines with it

    def _check_people(self, shared):
        """Each accepted message stands once, where the node said; what a desk was shown anywhere stands there for ever."""
        for p in self.people.values():
            for letter, records in shared.items():
                shown = p.shown[letter]
                assert shown == records[: len(shown)]
                assert p.delivered[letter] == len(records)
            found = [r and r.t == "msg" and read_envelope(r.env).hash for r in map(try_read, shared[p.letter])]
            assert len(p.placed) > 1
            assert not p.handed
            for ph, index in p.placed.items():
                assert (found.count(ph), found[index]) == (1, ph)

    def _check_valid(self, shared, blobs):
        """Both logs fold, no message or acknowledgement is refused, the last messages are read; times never go back."""
        fold = Fold(self.parties.chan, blobs.get)
        for letter, records in shared.items():
            fold.add(letter, records)
        for letter, records in shared.items():
            read = [try_read(raw) for raw in records]
            assert all(a.ts <= b.ts and a.seen[1] <= b.seen[1] for a, b in pairwise(read))
            assert [fold.verdict(letter, i).reason for i in range(len(records))] == [""] * len(records)
            other = [merkle.leaf_hash(raw) for raw in shared["ba"["ab".index(letter)]]]
            assert all(r.seen[2] == merkle.root_of(other[: r.seen[1]]) for r in read)
        for ph in self.read:
            assert [v.doc.step for v in fold.find(ph).acks] == ["read"]

    def _check_in_flight(self):
        """The kills fell while messages were under way: for each node as writer and as cosigner, and most of them all."""
        assert all(any(self.under_way[code, by]) for code in self.people for by in ("writer", "cosigner"))
        flights = [f for some in self.under_way.values() for f in some]
        assert sum(f > 0 for f in flights) * 2 > len(flights), self.under_way

    def progress(self):
        """How far it came."""
        lines = [f"sizes {self.sizes}, in flight at each kill {self.under_way}"]
        for code, service in self.services.items():
            p = self.people[code]
            lines.append(f"{code}: {service.kills} kills, {len(p.placed)} accepted, delivered {p.delivered}")
            lines.append(service.said())
        return "\n".join(lines)


def test_kill_is_refused_in_actual_mode(tmp_path):
    """The testing seam does not exist for a channel in actual mode."""
    parties = Parties(tmp_path / "trial", mode=1)
    service = Service("US", parties.nodes["US"])
    with pytest.raises(AssertionError, match="kill_at"):
        asyncio.run(service.run([("writer", "a", 1)]))
