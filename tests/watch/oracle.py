"""What the no-answer procedure must have written, reckoned from the two logs alone (docs/protocol.md 12.4 and 12.6).

Written from the text of the protocol, over plain lists of records; nothing of channel.protocol.awaiting, procedure or
tables is used. Levels' seconds come from the policy's document.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from msgspec import UNSET

from channel.protocol.record import try_read
from keys.codec import unpack
from keys.envelope import read_envelope

PERCENT = (50, 100, 150, 200)
FULL = {"F03", "F06", "F13"}


class Line:
    """One record as the oracle reads it."""

    def __init__(self, index, raw):
        record = try_read(raw)
        self.i, self.t, self.ts, self.seen = index, record.t, record.ts, record.seen[1]
        if self.t.startswith("node."):
            self.doc, self.ph = unpack(record.env, dict), b""
        else:
            envelope = read_envelope(record.env)
            self.doc, self.ph = unpack(envelope.payload, dict), envelope.hash


def lines(log):
    return [Line(i, raw) for i, raw in enumerate(log)]


def seconds_of(world, doc, level):
    """Seconds for each receipt that a message waits for, none that its level has no time for."""
    pol = world.policy.level(level)
    names = ["stored", "read"]
    if doc["fmt"] in FULL:
        names += ["engaged", "informed", "reply"]
    elif "reply_by" in doc:
        names += ["reply"]
    read = doc.get("ack_by", pol.read)
    times = {"stored": read, "read": read, "engaged": pol.engaged, "informed": pol.informed,
             "reply": doc.get("reply_by", pol.reply)}  # fmt: skip
    return {name: times[name] for name in names if times[name] is not UNSET}


def first_that_saw(log, index):
    """Index of the first record of a log that has seen record ``index`` of the other; None if none has."""
    found = bisect_right(log, index, key=lambda r: r.seen)
    return found if found < len(log) else None


def met_at(name, e, said):
    """Index of the other side's record that meets a receipt; None while nothing does."""
    for r in said:
        if r.t == "ack" and r.doc["ph"] == e.ph:
            step = r.doc["step"]
            ends = {"read": step != "undecryptable", "engaged": step in ("engaged", "informed"),
                    "informed": step == "informed", "reply": step == "no-comment"}  # fmt: skip
            if ends[name]:
                return r.i
        elif name == "reply" and r.t == "msg" and e.ph in r.doc.get("refs", ()):
            return r.i
    return None


def reason_of(e, other, seen):
    """Why, on the first ``seen`` records of the other log."""
    first = first_that_saw(other, e.i)
    if first is None or first >= seen:
        return "LINK"
    held = [r for r in other[first:seen] if r.t == "ack" and r.doc["ph"] == e.ph]
    steps = {r.doc["step"] for r in held}
    if "not-engaging" in steps:
        return "NEN"
    if "read" in steps and not steps & {"engaged", "informed"}:
        return "READ"
    posts = {}
    for r in other[:seen] if not steps else ():
        if r.t == "watch":
            posts[r.doc["seat"]] = r.doc["op"] != "leave"
    return "POST" if not steps and not any(posts.values()) else "UNK"


def first_look(side, run, at=0, knows=-1):
    """The first look of a run, not before ``at``, that knew record ``knows`` of the other log: (time, size known)."""
    lo, hi = side.runs[run], side.runs[run + 1] if run + 1 < len(side.runs) else len(side.looks)
    found = max(bisect_left(side.looks, (at, -1), lo, hi), bisect_right(side.looks, knows, lo, hi, key=lambda x: x[1]))
    return side.looks[found] if found < hi else None


def when_written(side, e, secs, name, receipt, told, met):
    """(time, size known) of the looks at which steps 1, 2, … had to be written, in order."""
    written = []
    for run in range(len(side.runs)):
        since = e.ts
        if name != "stored":
            known = None if receipt is None else first_look(side, run, e.ts, receipt)
            if known is None:
                continue
            # what it knew before a restart is in its log, or forgotten
            was_due = [at - secs * 10 * percent for (at, _), percent in zip(written, PERCENT, strict=False)]
            since = min([known[0], told or known[0], *was_due])
        while len(written) < 4:
            look = first_look(side, run, max(e.ts, since + secs * 10 * PERCENT[len(written)]))
            if look is None or (met is not None and met < look[1]):
                break
            written.append(look)
    return written


def check_side(days, side):
    """The steps of one side's log are those that must be there: each once, in time, with its reason."""
    world = days.world
    own, other = lines(world.logs[side.letter]), lines(world.logs[side.other])
    said = [r for r in other if r.t in ("ack", "msg")]
    wanted = {}
    for e in own:
        if e.t != "msg":
            continue
        receipt = first_that_saw(other, e.i)
        told_at = None if receipt is None else first_that_saw(own, receipt)
        told = None if told_at is None else own[told_at].ts
        for name, secs in seconds_of(world, e.doc, e.doc["level"]).items():
            looks = when_written(
                side, e, secs, name, receipt, told, receipt if name == "stored" else met_at(name, e, said)
            )
            for step, (at, seen) in enumerate(looks, 1):
                wanted[e.ph, name, step] = (at, reason_of(e, other, seen))
    mine = {m.ph for m in own if m.t == "msg"}
    steps = [r for r in own if r.t == "node.step" and r.doc["of"] in mine]
    found = {(r.doc["of"], r.doc["receipt"], r.doc["step"]): (r.ts, r.doc["reason"]) for r in steps}
    assert len(found) == len(steps), "one key twice"
    assert found == wanted
    return [(*key, reason) for key, (_, reason) in found.items()]


def expected_gaps(days, side, after):
    """How often no post was held for longer than ``after`` ms, as this node could tell while it ran."""
    own = lines(days.world.logs[side.letter])
    changes = [(r.ts, r.doc["op"] != "leave") for r in own if r.t == "watch"]
    count, since = 0, own[0].ts
    for ts, held in [*changes, (None, True)]:
        looks = [at for at, _ in side.looks if since is not None and at >= since + after and (ts is None or at < ts)]
        count += bool(looks)
        since = None if held else ts
    return count
