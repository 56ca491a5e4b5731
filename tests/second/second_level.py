"""The ladder: the rules of docs/protocol.md 12.5 over records that have ``p, i, seen, hdr, ph, signers``."""

from __future__ import annotations

from itertools import permutations

from second_shapes import LEVELS

CORE = ("F01", "F02", "F13", "F14")


def rank(code):
    """The place of a level."""
    return LEVELS.index(code)


def opens(h):
    """Whether a message opens a case."""
    return h["fmt"] in ("F03", "F06", "F13") and "case" not in h and h["status"] == "message"


def case_of(r):
    """The case that a message belongs to."""
    return r.ph if opens(r.hdr) else r.hdr.get("case")


def op(r):
    """What a message moves."""
    return r.hdr.get("move", {}).get("op")


def key(r):
    """What a lowering and its answers have in common."""
    m = r.hdr["move"]
    return r.hdr.get("case"), m.get("from"), m.get("to"), tuple(m.get("at", ()))


def stands_on(r):
    """The sizes of logs a and b below a record."""
    return (r.i, r.seen) if r.p == 0 else (r.seen, r.i)


def within(r, sizes):
    """Whether a record lies in a pair of prefixes."""
    return r.i < sizes[r.p]


def enough(signers, slots):
    """Whether different persons fill the slots."""
    if len({s["person"] for s in signers}) < len(signers):
        return False
    fits = lambda s, slot: s["role"] in slot or f"{s['role']}@{s['seat']}" in slot  # noqa: E731
    return any(all(map(fits, some, slots)) for some in permutations(signers, len(slots)))


class Ladder:
    """The valid messages so far, and what they mean for cases."""

    def __init__(self):
        self.messages = []

    def need(self, r, policy):
        """The slots that a message's signers have to fill."""
        h, m, sign = r.hdr, r.hdr.get("move"), policy["sign"]
        enter = {x["code"]: x["enter"] for x in policy["levels"]}
        if m:
            if m["op"] == "raise":
                return enter[m["to"]]
            if m["op"] in ("lower", "concur"):
                return next(x["lower"] for x in policy["levels"] if x["code"] == m["from"])
            return sign["expert"] if m["op"] in ("object", "close") else sign["official"]
        if h["fmt"] == "F13":
            if h.get("single"):
                return sign["person"]
            first = enter[h["level"]] if opens(h) else []
            return first if len(first) > 1 else sign["two"]
        if opens(h):
            return enter[h["level"]]
        if h["fmt"] == "F01":
            return sign["line"]
        if h["fmt"] in ("F02", "F14") or (h["fmt"] == "F07" and h.get("ans") in policy["holding"]):
            return sign["person"]
        if h["fmt"] in ("F03", "F04", "F09", "F11") and self.level(case_of(r), stands_on(r)) >= rank("serious"):
            return sign["two"]
        return sign["expert"]

    def level(self, case, sizes):
        """The rank of a case on two prefixes, -1 where it is not open."""
        down = [
            d for d in self.messages if op(d) in ("lower", "close") and d.hdr["case"] == case and self.agreed(d, sizes)
        ]
        best = -1
        for r in self.messages:
            if case_of(r) != case or not within(r, sizes) or not (opens(r.hdr) or op(r) == "raise"):
                continue
            n = rank(r.hdr["level"])
            for d in down:
                if r.i < d.hdr["move"]["at"][r.p]:
                    n = min(n, rank(d.hdr["move"]["to"]) if op(d) == "lower" else -1)
            best = max(best, n)
        return best

    def agreed(self, d, sizes):
        """Whether the first answer of the other party concurs."""
        if not within(d, sizes):
            return False
        for r in sorted((r for r in self.messages if r.p != d.p), key=lambda r: r.i):
            if op(r) in ("concur", "object") and r.seen > d.i and key(r) == key(d):
                return op(r) == "concur" and within(r, sizes)
        return False

    def move_fault(self, r):
        """Whether a move does not fit its case."""
        h, m, here = r.hdr, r.hdr["move"], stands_on(r)
        if m["op"] in ("suspend", "resume"):
            return bool({"from", "to", "at"} & m.keys()) or "case" in h
        if "case" not in h:
            return True
        if m["op"] == "raise":
            return not ("at" not in m and rank(m["to"]) > rank(m["from"]) and h["level"] == m["to"])
        if h["level"] != m["from"]:
            return True
        if m["op"] in ("concur", "object"):
            lowered = (d for d in self.messages if op(d) in ("lower", "close") and d.p != r.p and d.i < r.seen)
            return not any(key(d) == key(r) for d in lowered)
        at = tuple(m["at"])
        if at[0] > here[0] or at[1] > here[1] or self.level(h["case"], at) != rank(m["from"]):
            return True
        if m["op"] == "lower":
            return not ("to" in m and rank(m["to"]) == rank(m["from"]) - 1)
        return not ("to" not in m and rank(m["from"]) <= rank("attention"))

    def suspended_by(self, p, sizes):
        """Whether a party's last word on suspension is to suspend."""
        said = [r for r in self.messages if r.p == p and within(r, sizes) and op(r) in ("suspend", "resume")]
        return bool(said) and op(max(said, key=lambda r: r.i)) == "suspend"

    def fault(self, r, policy):
        """The level part of a message's validity; empty where it stands."""
        h, here = r.hdr, stands_on(r)
        if opens(h) and h["fmt"] == "F13" and h.get("single") and rank(h["level"]) > rank("attention"):
            return "LEVEL"
        if (
            any(self.suspended_by(p, here) for p in (0, 1))
            and h["fmt"] not in CORE
            and op(r) not in ("raise", "suspend", "resume")
        ):
            return "SUSP"
        if "case" in h and not any(opens(x.hdr) and x.ph == h["case"] and within(x, here) for x in self.messages):
            return "CASE"
        if "move" in h and self.move_fault(r):
            return "MOVE"
        return "" if enough(r.signers, self.need(r, policy)) else "SIGS"
