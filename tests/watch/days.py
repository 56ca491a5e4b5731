"""Days of a channel with people, faults and two watches, played in simulated time on real folds.

    days = Days(seed=1, length_days=30)
    await days.play()
    days.check()              # against an oracle that reads the two logs and nothing of the product

Both sides run the product's own ``Watch`` over a fold of their own; records are really signed. Only the wire and the
store are lists here: a side that is up hands its log over a second after it grew, while the line is up. Faults are drawn
from the seed: line cuts, absent officers, wall-clock jumps, restarts.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from pathlib import Path

from channel.client.linetests import automatic
from channel.clock import ManualClock
from channel.node.duty_config import LineTestConfig, WatchConfig
from channel.node.linetest import LineTest
from channel.node.stamps import Stamps
from channel.node.state import State
from channel.node.station import Alarms
from channel.node.watch import Watch
from channel.node.writer import Placed
from channel.protocol.fold import Fold
from channel.protocol.record import Alarm, NodeAck
from keys.errors import Unavailable
from tests.watch.oracle import check_side, expected_gaps
from tests.world import OTHER, START, World

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
GAP_SECONDS, TEST_EVERY = 300, 900
SETTLE = 30_000  # after a fault both sides need this long to be quiet again
ORDER = ("duty", "expert1", "official")


class Said:
    """What a side's watch told: calls, and lines of telemetry."""

    def __init__(self):
        self.calls, self.lines = [], Counter()

    def seats(self):
        return ORDER

    def heads(self):
        return ("official",)

    async def call(self, seat, call):
        self.calls.append((seat, call))
        return True

    def say(self, event, **_):
        self.lines[event] += 1

    def say_problem(self, event, _problem):
        self.lines[event] += 1


class Side:
    """One node with its people: the station that ``Watch`` asks, over lists."""

    def __init__(self, world, letter, kept: Path, *, line_tests=False):
        self.line_tests = line_tests
        self.world, self.letter, self.other, self.kept = world, letter, OTHER[letter], kept
        self.clock = ManualClock(START + DAY)
        self.fold = Fold(world.chan, world.blobs.get)
        self.replica = 4
        self.fold.add(letter, world.logs[letter])
        self.fold.add(self.other, world.logs[self.other])
        self.told = Said()
        self.telemetry = self.told
        self.alarms = Alarms()
        self.state, self.opened = State.ACTIVE, True
        self.present, self.up = True, True
        self.looks, self.runs = [], []  # (time, size of the other log) of each look; where each run begins among them
        self.owes = False
        self.boot()

    def boot(self):
        """Start again: nothing but the logs, the file of calls and the wall clock is left."""
        floor = self.stamps.last if hasattr(self, "stamps") else 0
        self.stamps = Stamps(self.clock, floor)
        self.alarms = Alarms()
        self.watch = Watch(self, self, WatchConfig(("duty",), GAP_SECONDS, ()), self.told, self.kept)
        dice = random.Random(f"{self.letter} {self.clock.now()}")
        self.lines = LineTest(self, self, self, self, LineTestConfig(TEST_EVERY, 0, 0), self.clock, dice.randbytes,
                              self.nobody)  # fmt: skip
        self.runs.append(len(self.looks))
        self.up = True

    async def nobody(self):
        """No human test is asked for here."""

    @property
    def chan(self):
        return self.world.chan

    def policy(self):
        return self.fold.policy(self.letter)

    # the line: one address, and what it carried went by it

    addresses, delivered = 1, 4

    def prefer(self, _address):
        pass

    def way_of(self, index):
        return 0 if index < self.delivered else None

    def seen(self):
        return (0, self.replica, b"")

    def wake(self):
        pass

    async def append(self, pending):
        """What the writer does: a record that has seen what is held, unless it was meant for less."""
        if pending.seen_size not in (None, self.replica):
            raise Unavailable("BUSY", seconds=0)
        sent = self.world.put(self.letter, pending.t, pending.env, ts=self.stamps.next(), seen=self.replica)
        self.took(sent)
        return Placed(sent.index, dup=False)

    def took(self, sent):
        self.fold.add(self.letter, [sent.raw])
        self.owes = False

    def act(self, act):
        """A person's record, at this node's time."""
        self.world.ts[self.letter] = self.stamps.next() - 1000
        sent = act(self.replica)
        self.took(sent)
        return sent

    async def look(self):
        """Look as the node's loop does, and write the alarms as its speaker does."""
        self.looks.append((self.stamps.now(), self.replica))
        await self.watch.look()
        await self.watch.quiet()
        if self.line_tests:
            await self.lines.look()
        for code, count, _ in self.alarms.take():
            self.took(self.world.node(self.letter, "node.alarm", Alarm(code=code, count=count),
                                      ts=self.stamps.next(), seen=self.replica))  # fmt: skip

    def next_look_capped(self):
        """Milliseconds until something of the watch falls due, by its own reckoning; an hour where nothing will."""
        due = [*self.watch.due_times(), *(self.lines.due_times() if self.line_tests else ())]
        return max(1, min([HOUR, *(at - self.stamps.now() for at in due)]))


class Days:
    """The whole play. Times of events are true time; each side's own clock may be off after a jump."""

    def __init__(self, folder, seed, length_days, line_tests=False):
        self.dice, self.length = random.Random(seed), length_days * DAY
        self.world = World(2, seed="days", cooling=0)
        self.sides = {x: Side(self.world, x, folder / f"{x}.json", line_tests=line_tests) for x in "ab"}
        self.now, self.line = 0, True
        self.events, self.order = [], itertools.count()
        self.sent, self.counts = [], Counter()
        self.moving, self.faults = set(), []  # when the line or a node was away, in true time
        self._plan()

    # --- what will happen

    def at(self, when, act):
        heapq.heappush(self.events, (int(when), next(self.order), act))

    def _plan(self):
        dice = self.dice
        for _ in range(max(1, self.length // DAY * 2 // 3)):
            start, length = dice.uniform(0, self.length), dice.uniform(5 * MINUTE, 8 * HOUR)
            self.at(start, self._cut)
            self.at(start + length, self._mend)
        for x in "ab":
            for _ in range(max(1, self.length // DAY // 2)):
                start, length = dice.uniform(0, self.length), dice.uniform(HOUR, 30 * HOUR)
                self.at(start, lambda x=x: self._absent(x))
                self.at(start + length, lambda x=x: self._back(x))
            for _ in range(max(1, self.length // DAY // 2)):
                start, length = dice.uniform(0, self.length), dice.uniform(10_000, 3 * HOUR)
                self.at(start, lambda x=x: self._stop(x))
                self.at(start + length, lambda x=x: self._start(x))
            for _ in range(max(1, self.length // DAY // 4)):
                start = dice.uniform(0, self.length)
                self.at(start, lambda x=x: self._jump(x))
            for when in range(0, int(self.length), 3 * HOUR):
                self.at(when + dice.uniform(0, 3 * HOUR), lambda x=x: self._write(x))
        self.at(0, lambda: [self._post(x, "take") for x in "ab"])

    def _cut(self):
        self._fault(begins=self.line)
        self.line = False
        self.counts["line cuts"] += 1

    def _mend(self):
        self.line = True
        self._fault_ends()
        for x in "ab":
            self._carry(x)

    def _absent(self, x):
        self.sides[x].present = False
        self.counts["absences"] += 1
        self._post(x, "leave")

    def _back(self, x):
        self.sides[x].present = True
        self._post(x, "take")
        for sent in self.sent:
            if sent.letter != x and not self.sides[x].fold.known().acks.get(sent.ph):
                self._arrived(x, sent)

    def _post(self, x, op):
        side = self.sides[x]
        holder = side.fold.known().sides["ab".index(x)].posts[-1][1].get("duty")
        if not side.up or (op == "take") != (holder is None):
            return
        who = {"on": "duty"} if op == "take" else {"off": "duty"}
        side.act(lambda seen: self.world.watch(x, op, "duty", seen=seen, **who))
        self._grew(x)

    def _stop(self, x):
        if self.sides[x].up:
            self._fault(begins=True)
            self.sides[x].up = False
            self.counts["restarts"] += 1

    def _start(self, x):
        side = self.sides[x]
        if not side.up:
            side.clock.jump(START + DAY + self.now - side.clock.now())  # an operator compared the clock
            side.boot()
            self._fault_ends()
            self._grew(x)
            self._carry(OTHER[x])

    def _jump(self, x):
        side = self.sides[x]
        side.clock.jump(self.dice.choice((-DAY, -HOUR, HOUR, DAY)))
        self.counts["clock jumps"] += 1
        assert side.stamps.jumped() or not side.up

    def _write(self, x):
        """A person opens a case, or asks or tells something in one that is open."""
        side, dice, world = self.sides[x], self.dice, self.world
        if not side.up:
            return
        level = dice.choice(("routine", "attention", "attention", "consultation", "serious"))
        cosign = ("duty",) if level in ("consultation", "serious") else ()
        cases = [s for s in self.sent if s.doc.fmt == "F03" and side.fold.find(s.ph) is not None]
        fmt = dice.choice(("F03", "F03", "F06", "F04")) if cases else "F03"
        where = {"level": level}
        if fmt == "F04":
            case = dice.choice(cases)
            where = {
                "case": case.ph,
                "level": side.fold.case_level(case.ph),
                "reply_by": dice.choice((700_000, 900_000)),
            }
            cosign = ("duty",)
        sent = side.act(lambda seen: world.send(x, "expert1", fmt, cosign, seen=seen, **where))
        assert side.fold.verdict(x, sent.index).reason == ""
        self.sent.append(sent)
        self.counts["messages"] += 1
        self._grew(x)

    # --- the wire

    def _grew(self, x):
        if x not in self.moving:
            self.moving.add(x)
            self.at(self.now + 1000, lambda: self._carry(x))

    def _carry(self, x):
        """The log of x to the other side, if the line and both nodes are up."""
        self.moving.discard(x)
        side, other = self.sides[x], self.sides[OTHER[x]]
        log = self.world.logs[x]
        if not (self.line and side.up and other.up) or other.replica == len(log):
            return
        first, other.replica, side.delivered = other.replica, len(log), len(log)
        new = log[first:]
        other.fold.add(x, new)
        for i in range(first, len(log)):
            verdict = other.fold.verdict(x, i)
            other.owes |= verdict.record.t != "node.ack"
            if verdict.record.t == "msg":
                self._arrived(other.letter, next(s for s in self.sent if (s.letter, s.index) == (x, i)))
        if other.owes:
            self.at(self.now + 1000, lambda: self._acknowledge(other))

    def _acknowledge(self, side):
        if side.owes and side.up:
            side.took(self.world.node(side.letter, "node.ack", NodeAck(), ts=side.stamps.next(), seen=side.replica))
            self._grew(side.letter)

    def _fault(self, *, begins):
        if begins and not (self.faults and self.faults[-1][1] is None):
            self.faults.append([self.now, None])

    def _fault_ends(self):
        """Over only when the line is mended and both nodes are up."""
        if self.line and all(side.up for side in self.sides.values()) and self.faults and self.faults[-1][1] is None:
            self.faults[-1][1] = self.now

    # --- people on the other side

    def _arrived(self, x, sent):
        """Somebody is there, or not; reads soon, or late; engages, answers, or says that there will be no engaging."""
        dice = self.dice
        when = self.now + dice.choice((MINUTE, 20 * MINUTE, 2 * HOUR)) * dice.uniform(0.2, 2)
        self.at(when, lambda: self._act(x, sent, "read"))
        if dice.random() < 0.6:
            when += dice.uniform(MINUTE, 20 * HOUR)
            self.at(
                when, lambda: self._act(x, sent, dice.choice(("engaged", "informed", "not-engaging", "no-comment")))
            )
        if dice.random() < 0.5:
            self.at(when + dice.uniform(MINUTE, 100 * HOUR), lambda: self._answer(x, sent))

    def _act(self, x, sent, step):
        side = self.sides[x]
        view = side.fold.find(sent.ph) if side.up and side.present else None
        if view is not None and step not in {a.doc.step for a in view.acks}:
            side.act(lambda seen: self.world.ack(x, "duty", sent, step, seen=seen))
            self.counts["acknowledgements"] += 1
            self._grew(x)

    def _answer(self, x, sent):
        side = self.sides[x]
        if side.up and side.present and side.fold.find(sent.ph) is not None:
            case = sent.doc.case if isinstance(sent.doc.case, bytes) else sent.ph
            level = side.fold.case_level(case)
            reply = side.act(lambda seen: self.world.send(
                x, "expert1", "F04", ("duty",), case=case, refs=(sent.ph,), level=level, seen=seen))  # fmt: skip
            self.sent.append(reply)
            self.counts["replies"] += 1
            self._grew(x)

    # --- playing

    async def play(self):
        """All events in their order; between them both sides look when their own watch says so."""
        looks = dict.fromkeys("ab", 1)
        while True:
            up = {x: looks[x] for x in "ab" if self.sides[x].up}
            when = min([*up.values(), *(e[0] for e in self.events[:1])], default=None)
            if when is None or when > self.length:
                break
            self._advance(when)
            while self.events and self.events[0][0] <= self.now:
                heapq.heappop(self.events)[2]()
            for x, side in self.sides.items():
                if side.up:
                    before = len(self.world.logs[x])
                    await side.look()
                    if len(self.world.logs[x]) > before:
                        self._grew(x)
                    looks[x] = self.now + side.next_look_capped()
        await self._settle()

    async def _settle(self):
        """Everything is mended; what is under way arrives."""
        self.line, self.events = True, []
        for x in "ab":
            self._start(x)
        for _ in range(6):
            for x in "ab":
                self._carry(x)
                self._advance(self.now + 1000)
                await self.sides[x].look()
            while self.events:
                when, _, act = heapq.heappop(self.events)
                self._advance(max(self.now, when))
                act()

    def _advance(self, when):
        for side in self.sides.values():
            side.clock.advance(when - self.now)
        self.now = when

    # --- checking

    def check(self):
        """Everything that must hold, by the oracle; adds to ``counts``."""
        for x, side in self.sides.items():
            other = self.sides[OTHER[x]]
            steps = check_side(self, side)
            self.counts["steps"] += len(steps)
            self.counts.update(f"reason {reason}" for *_, reason in steps)
            copies = [e.doc for e in other.fold.known().sides["ab".index(other.letter)].steps.values()
                      if other.fold.find(e.doc.of).verdict.letter == x]  # fmt: skip
            assert sorted((d.of, d.receipt, d.step, d.reason) for d in copies) == sorted(steps)
            gaps = [r for r in self._records(x, "node.alarm") if r.doc.code == "WATCH_GAP"]
            assert len(gaps) == expected_gaps(self, side, GAP_SECONDS * 1000)
            self.counts["gap alarms"] += len(gaps)
            assert [v.reason for v in side.fold.display() if v.reason] == []
            ringing = [(seat, c) for seat, c in side.told.calls if c.why == "message"]
            assert (
                max(Counter(ringing).values(), default=0) <= 2
            )  # a stage calls a seat once, and the last may be asked again
            self.counts["calls"] += len(side.told.calls)

            if side.line_tests:
                self._check_line_tests(side)

    def _check_line_tests(self, side):
        """Every test whose time lies outside a fault was answered; every other that was not has a reason."""
        fold, test_s = side.fold, side.policy().timers.test_s
        tests = [t for t in automatic(fold.display(), test_s, side.stamps.now()) if t.letter == side.letter]
        assert len({t.t1 for t in tests}) == len(tests)
        outside = 0
        for test in tests:
            start = test.t1 - START - DAY
            end = start + 1000 * test_s
            calm = end <= self.now and not any(
                a - SETTLE <= end and start <= (b or self.now) + SETTLE for a, b in self.faults
            )
            outside += calm
            assert not calm or test.state == "answered", test
            assert (test.state == "unanswered") == (test.reason != ""), test
            if test.state == "answered":
                assert 0 <= test.round_trip < 1000 * test_s
                self.counts["longest round trip, s"] = max(
                    self.counts["longest round trip, s"], test.round_trip // 1000
                )
        alarms = [r for r in self._records(side.letter, "node.alarm") if r.doc.code == "LINE_TEST"]
        missed = [t for t in tests if t.state == "unanswered"]
        assert len(alarms) <= len(missed)
        assert bool(alarms) == bool(missed)
        self.counts["line tests"] += len(tests)
        self.counts["line tests outside a fault, answered"] += outside
        self.counts["line tests unanswered, with a reason"] += len(missed)
        self.counts["line test alarms"] += len(alarms)

    def _records(self, x, t):
        return [v for v in self.sides[x].fold.display() if v.letter == x and v.record.t == t]
