"""The fold: docs/protocol.md section 12 and docs/state.md. Two logs in; cut, reasons, items and H(state) out.

fold({"a": [[record …] of each log number], "b": […]}, chan, blobs) -> Fold        ``Stuck`` where it can't be judged
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right

from second_bytes import EMPTY, SEAL, ZERO, Bad, Envelope, leaf_hash, media, pack, pae, prefix_roots, sha
from second_judge import judge
from second_keys import No, Standing, admitted, next_root, next_roster, threshold
from second_level import Ladder, opens
from second_shapes import LEVELS, SHARED, read, read_record

OPENING = ("charter", "root", "roster", "policy")


class Stuck(Exception):
    """The logs can't be judged; the argument is the error's code."""


class Rec:
    """A record where it stands: log p, joined index i, what it counts as having seen, and what became of it."""

    def __init__(self, p, i, number, raw):
        self.p, self.i, self.number, self.raw = p, i, number, raw
        self.seen = self.ts = 0
        self.astray = self.false_seen = False
        self.reason, self.doc, self.env, self.ph, self.hdr = "", None, None, None, None
        self.signers = []
        self.name = ""
        try:
            self.rec = read_record(raw)
            if self.rec["t"] not in SHARED:
                self.rec = None
        except Bad:
            self.rec = None
        self.t = self.rec["t"] if self.rec else ""


class Side:
    """What one log has brought."""

    def __init__(self, code):
        self.code = code
        self.standings = []
        self.named = set()
        self.payloads, self.mids = {}, {}
        self.policies = []  # (index, policy, hash), from version 2 on
        self.contacts = (0, ZERO)
        self.posts = {}  # seat -> [(index, key id or None)]
        self.steps = {}
        self.count = 0

    def at(self, size):
        """The standing on the first ``size`` records."""
        place = bisect_right([s.index for s in self.standings], size - 1)
        return self.standings[max(0, place - 1)]


class Fold:
    """The state of both logs. Filled by ``fold``."""

    def __init__(self, chan, blobs):
        self.chan, self.blobs = chan, blobs
        self.leaves, self.numbers, self.done = ([], []), ([], []), ([], [])
        self.opened = None
        self.opening_failed = False
        self.sides = ()
        self.ladder = Ladder()
        self.messages, self.acks, self.confirms = {}, {}, {}
        self.clock = None
        self.ended_at = None
        self.by_mid = {}

    # --- records in -----------------------------------------------------------------------------------------------------------

    def lay_out(self, p, numbers):
        """Join a party's log numbers to one sequence."""
        for number, raws in enumerate(numbers):
            if number:
                self._end(p, number, raws[0] if raws else b"")
            start = len(self.leaves[p])
            self.leaves[p].extend(Rec(p, start + i, number, raw) for i, raw in enumerate(raws))
            self.numbers[p].append((start, prefix_roots([leaf_hash(raw) for raw in raws])))

    def _end(self, p, number, first):
        start, roots = self.numbers[p][-1]
        try:
            rec = read_record(first)
            if rec["t"] != "succeed":
                raise Stuck("SUCCEED")
            env = Envelope(rec["env"])
            final = read("succeed", env.payload)["final"]
        except Bad as e:
            raise Stuck("SUCCEED") from e
        if env.kind != media("succeed") or final["size"] >= len(roots) or roots[final["size"]] != final["root"]:
            raise Stuck("SUCCEED")
        del self.leaves[p][start + final["size"] :]
        self.numbers[p][-1] = (start, roots[: final["size"] + 1])

    def joined(self, p, seen):
        """(position, right) of what a record of log p says that it has seen; position None: beyond what is held."""
        number, size, root = seen
        other = self.numbers[1 - p]
        if number >= len(other):
            return None, True
        start, roots = other[number]
        if size >= len(roots):
            return (None, True) if number == len(other) - 1 else (0, False)
        return start + size, roots[size] == root

    def place(self, r, before):
        """What a record counts with; False if it has to wait."""
        r.seen, r.ts = (before.seen, before.ts) if before else (0, 0)
        if r.rec is None:
            return True
        position, right = (0, False) if r.false_seen else self.joined(r.p, r.rec["seen"])
        if position is None:
            return False
        r.false_seen = not right or position < r.seen
        r.astray = r.false_seen or r.rec["ts"] < r.ts
        if not r.astray:
            if position > len(self.done[1 - r.p]) and self.opened is not None:
                return False
            r.seen, r.ts = position, r.rec["ts"]
        return True

    # --- judging --------------------------------------------------------------------------------------------------------------

    def run(self):
        """Judge the largest closed cut."""
        if not self._open():
            return
        while self._step(0) or self._step(1) or self._untie():
            pass

    def _head(self, p):
        i = len(self.done[p])
        return self.leaves[p][i] if i < len(self.leaves[p]) else None

    def _step(self, p):
        r = self._head(p)
        if r is None or not self.place(r, self.done[p][-1] if self.done[p] else None):
            return False
        if r.rec is None:
            r.reason = "OPAQUE"
        elif self.opening_failed:
            r.reason = "OPEN"
        else:
            r.reason = judge(self, r)
        self._take(r)
        return True

    def _untie(self):
        """Two records can't have seen each other: where one rightly saw the other, the other's ``seen`` is false."""
        for p in (0, 1):
            r, witness = self._head(p), self._head(1 - p)
            if r is None or witness is None or witness.rec is None or r.rec is None or r.false_seen:
                continue
            position, right = self.joined(1 - p, witness.rec["seen"])
            if position is not None and right and position > r.i:
                r.false_seen = True
                return True
        return False

    def _take(self, r):
        if self.sides:
            side = self.sides[r.p]
            if r.t == "msg":
                side.count += 1
                r.name = f"{side.code}-{year(r.rec['ts'])}-{side.count:06}"
            elif r.rec is not None:
                side.named |= set(r.rec["blobs"])
            if not r.reason and r.ph is not None:
                side.payloads.setdefault(r.ph, r)
        self.done[r.p].append(r)

    def _open(self):
        """The eight opening records, together."""
        if any(len(x) < 4 for x in self.leaves):
            return False
        heads = [x[:4] for x in self.leaves]
        for p in (0, 1):
            before = None
            for r in heads[p]:
                if not self.place(r, before):
                    return False
                before = r
        try:
            if any(r.rec is None or r.astray for x in heads for r in x):
                raise No("OPEN")
            self._judge_opening(heads)
        except (No, Bad):
            self.opening_failed = True
        self.opened = not self.opening_failed
        for x in heads:
            for r in x:
                if self.opening_failed:
                    r.reason = "OPAQUE" if r.rec is None else "OPEN"
                self._take(r)
        return True

    def _judge_opening(self, heads):
        if any(tuple(r.t for r in x) != OPENING for x in heads) or any(
            heads[0][i].rec["env"] != heads[1][i].rec["env"] for i in (0, 3)
        ):
            raise No("OPEN")
        envs = [[Envelope(r.rec["env"]) for r in x] for x in heads]
        for x in envs:
            for env, t in zip(x, OPENING, strict=False):
                if env.kind != media(t):
                    raise No("OPEN")
        charter, policy = read("charter", envs[0][0].payload), read("policy", envs[0][3].payload)
        if sha(b"dcx/v1/channel\0", pae(media("charter"), envs[0][0].payload)) != self.chan or not {1, SEAL} <= set(
            charter["suites"]
        ):
            raise No("OPEN")
        standings = []
        for p in (0, 1):
            env, party, d = envs[p][1], charter["parties"][p], read("root", envs[p][1].payload)
            if env.ph != party["root"] or (d["mode"], d["party"]) != (charter["mode"], party["code"]):
                raise No("OPEN")
            keys = next_root(env, d, None, None, None, self._named(heads[p][:2]))
            standings.append(Standing(d, env.ph, env.ph, keys))
        for s in standings:
            threshold(envs[0][0], s.root, s.root_keys)
            threshold(envs[0][3], s.root, s.root_keys)
        good = envs[0][3].ph == charter["policy"] and (
            policy["ver"],
            policy["prev"],
            policy["mode"],
            policy["fold"],
        ) == (1, ZERO, charter["mode"], 1)
        if not good or not all({policy["formats"], policy["codes"]} <= set(x[3].rec["blobs"]) for x in heads):
            raise No("OPEN")
        for p in (0, 1):
            env, d = envs[p][2], read("roster", envs[p][2].payload)
            if env.ph != charter["parties"][p]["roster"]:
                raise No("OPEN")
            foreign = {h for k, key in standings[0].known.items() if p and k not in _named_in(d) for h in key.halves()}
            new = next_roster(env, d, standings[p], self._named(heads[p][:3]), foreign)
            standings[p] = admitted(new, None, 2)
        self.charter, self.policy = charter, (policy, envs[0][3].ph)
        self.sides = tuple(Side(x["code"]) for x in charter["parties"])
        for side, s in zip(self.sides, standings, strict=False):
            side.standings.append(s)
        self.mode = charter["mode"]

    def _named(self, recs):
        names = {h for r in recs for h in r.rec["blobs"]}
        return lambda h: self._fetch(h) if h in names else None

    def blob_for(self, r):
        """Blobs as a record may look at them: those that it or an earlier record of its log names, but for messages."""
        names = self.sides[r.p].named | set(r.rec["blobs"])
        return lambda h: self._fetch(h) if h in names else None

    def _fetch(self, h):
        if h not in self.blobs:
            raise Stuck("FOLD_BLOB")
        return self.blobs[h]

    # --- what a record stands on ----------------------------------------------------------------------------------------------

    def standings_of(self, r):
        """The own party's standing below a record, and the other's as seen."""
        return self.sides[r.p].at(r.i), self.sides[1 - r.p].at(r.seen)

    def policy_at(self, sizes):
        """The newest policy that both prefixes hold."""
        held = [{h for i, _, h in side.policies if i < size} for side, size in zip(self.sides, sizes, strict=False)]
        for i, policy, h in reversed(self.sides[0].policies):
            if i < sizes[0] and h in held[1]:
                return policy, h
        return self.policy

    def void(self, kid, own, other):
        """Whether both parties have admitted a key."""
        return kid in own.first and kid in other.first

    def receipt(self, p, i, size=None):
        """The first record of the other log (below ``size``) that has seen record i of log p."""
        for r in self.done[1 - p][:size]:
            if r.seen > i:
                return r
        return None

    def waited(self, k, r):
        """Ms since own record k was received, as r knows; -1 if it does not."""
        first = self.receipt(r.p, k, r.seen)
        return -1 if first is None else self.done[1 - r.p][r.seen - 1].ts - first.ts

    # --- the state -------------------------------------------------------------------------------------------------------------

    @property
    def cut(self):
        """The largest closed cut."""
        return len(self.done[0]), len(self.done[1])

    def items(self):
        """The state's items as DCM, sorted."""
        if not self.opened:
            return []
        found = [["policy", [], self._policy_item()]]
        for p, x in enumerate("ab"):
            found += self._keys(p, x) + self._of_side(p, x)
        found += self._cases()
        if self.clock:
            found.append(["exercise", [], {k: self.clock[k] for k in ("state", "rate", "x", "ts")}])
        for (p, kid, mid), hashes in self.by_mid.items():
            if len(hashes) > 1:
                found.append(["evidence", ["E4", "ab"[p], kid, mid], sorted(hashes)])
        return sorted(pack(item) for item in found)

    def _policy_item(self):
        policy, h = self.policy_at(self.cut)
        return [policy["ver"], h]

    def _keys(self, p, x):
        own, other = self.sides[p].standings[-1], self.sides[1 - p].standings[-1]
        found = []
        for kid, at in own.first.items():
            value = {"at": at}
            if kid in other.first:
                value["void"] = other.first[kid]
            if kid in own.revoked or kid in own.ends:
                value["ended"] = own.revoked.get(kid, own.ends.get(kid))
            found.append(["key", [x, kid], value])
        return found

    def _of_side(self, p, x):
        side, found = self.sides[p], []
        if self.ladder.suspended_by(p, self.cut):
            found.append(["suspended", [x], True])
        for r in self.done[p]:
            if r.t == "msg":
                found.append(["msg", [x, r.i], self._message(r)])
            if r.t == "node.evidence" and not r.reason:
                found.append(["evidence", [r.doc["k"], x, r.i], []])
            if r.rec is not None and r.false_seen:
                found.append(["evidence", ["E5", x, r.i], []])
        for seat, posts in side.posts.items():
            if posts[-1][1] is not None:
                found.append(["watch", [x, seat], posts[-1][1]])
        for (of, receipt, step), (i, reason) in side.steps.items():
            found.append(["step", [x, of, receipt, step], [i, reason]])
        return found

    def _message(self, r):
        value = {"no": r.name, "reason": r.reason}
        if r.ph is not None:
            value["ph"] = r.ph
        received = self.receipt(r.p, r.i)
        if received is not None:
            value["receipt"] = received.ts
        if not r.reason:
            acks = [[a.i, a.doc["step"]] for a in self.acks.get(r.ph, [])]
            if acks:
                value["acks"] = acks
            if r.hdr.get("single"):
                value["confirm"] = self.confirmed(r)
        return value

    def confirmed(self, r):
        """What became of an emergency release."""
        c = self.confirms.get(r.ph)
        if c is None:
            return "awaiting"
        limit = self.policy_at((c.i, c.seen) if c.p == 0 else (c.seen, c.i))[0]["limits"]["confirm_s"]
        return "in time" if c.ts <= r.ts + 1000 * limit else "late"

    def _cases(self):
        found = []
        for r in self.ladder.messages:
            if opens(r.hdr):
                n = self.ladder.level(r.ph, self.cut)
                value = {"level": LEVELS[n]} if n >= 0 else {"closed": True}
                found.append(["case", [r.ph], {"by": ["ab"[r.p], r.i], **value}])
        return found

    def state_hash(self):
        """H(state)."""
        return prefix_roots([leaf_hash(item) for item in self.items()])[-1] if self.opened else EMPTY

    def reasons(self):
        """Of every record: its reason, empty for a valid one, UNJUDGED beyond the cut."""
        return {
            x: [r.reason for r in self.done[p]] + ["UNJUDGED"] * (len(self.leaves[p]) - len(self.done[p]))
            for p, x in enumerate("ab")
        }


def year(ms):
    """The UTC year of a time, also beyond what calendars of machines hold: 400 years have 146,097 days."""
    days = ms // 86_400_000
    cycles, rest = divmod(days, 146_097)
    first = dt.date(1970, 1, 1) + dt.timedelta(days=rest)
    return first.year + 400 * cycles


def _named_in(d):
    return {k for m in d["members"] for k in (*m["sig"], *m["kem"])}


def fold(logs, chan, blobs):
    """Both logs folded."""
    made = Fold(chan, blobs)
    for p, x in enumerate("ab"):
        made.lay_out(p, logs[x])
    made.run()
    return made
