"""The code of docs/protocol.md section 12.5, copied word for word: slow, over plain headers, and the judge of ``ladder``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import msgspec

from channel.protocol.charter import Policy
from channel.protocol.verdicts import Entry

ORDER = ("routine", "attention", "consultation", "serious", "crisis", "principals")
CORE = {"F01", "F02", "F13", "F14"}


@dataclass(frozen=True)
class Rec:
    p: int
    i: int
    seen: int
    hdr: dict[str, Any]
    ph: bytes
    signers: tuple[Any, ...]


def rec(e: Entry) -> Rec:
    return Rec(e.p, e.i, e.seen, msgspec.to_builtins(e.doc, builtin_types=(bytes,)), e.ph, e.signers)


class Pol:
    def __init__(self, policy: Policy) -> None:
        self.enter = {level.code: level.enter for level in policy.levels}
        self.lower = {level.code: level.lower for level in policy.levels}
        self.line, self.person, self.expert = policy.sign.line, policy.sign.person, policy.sign.expert
        self.two, self.official, self.holding = policy.sign.two, policy.sign.official, policy.holding


def rank(level):            return ORDER.index(level)  # fmt: skip
def opens(h):               return h["fmt"] in ("F03", "F06", "F13") and "case" not in h and h["status"] == "message"  # fmt: skip
def case_of(r):             return r.ph if opens(r.hdr) else r.hdr.get("case")  # fmt: skip
def op(r):                  return r.hdr.get("move", {}).get("op")  # fmt: skip
def key(r):                 m = r.hdr["move"]; return (r.hdr["case"], m["from"], m.get("to"), tuple(m["at"]))  # fmt: skip  # noqa: E702
def at_of(r):               return (r.i, r.seen) if r.p == 0 else (r.seen, r.i)  # fmt: skip
def within(r, P):           return r.i < P[r.p]  # fmt: skip  # noqa: N803


def enough(signers, need):
    if len({s.person for s in signers}) < len(signers): return False  # fmt: skip  # noqa: E701
    fits = lambda s, slot: s.role in slot or f"{s.role}@{s.seat}" in slot  # noqa: E731
    return any(all(map(fits, some, need)) for some in permutations(signers, len(need)))


def need(r, F, pol):  # noqa: N803
    h, m = r.hdr, r.hdr.get("move")
    if m:
        if m["op"] == "raise":                   return pol.enter[m["to"]]  # fmt: skip  # noqa: E701
        if m["op"] in ("lower", "concur"):       return pol.lower[m["from"]]  # fmt: skip  # noqa: E701
        if m["op"] in ("object", "close"):       return pol.expert  # fmt: skip  # noqa: E701
        return pol.official
    if h["fmt"] == "F13":
        if h.get("single"):                      return pol.person  # fmt: skip  # noqa: E701
        e = pol.enter[h["level"]] if opens(h) else ()
        return e if len(e) > 1 else pol.two
    if opens(h):                                 return pol.enter[h["level"]]  # fmt: skip  # noqa: E701
    if h["fmt"] == "F01":                        return pol.line  # fmt: skip  # noqa: E701
    if h["fmt"] in ("F02", "F14") or h["fmt"] == "F07" and h.get("ans") in pol.holding: return pol.person  # fmt: skip  # noqa: E701, RUF021
    if h["fmt"] in ("F03", "F04", "F09", "F11") and level(case_of(r), at_of(r), F) >= rank("serious"): return pol.two  # fmt: skip  # noqa: E701
    return pol.expert


def level(case, P, F):  # noqa: N803
    down = [d for d in F if op(d) in ("lower", "close") and d.hdr["case"] == case and agreed(d, P, F)]
    best = -1
    for r in F:
        if case_of(r) != case or not within(r, P) or not (opens(r.hdr) or op(r) == "raise"): continue  # fmt: skip  # noqa: E701
        n = rank(r.hdr["level"])
        for d in down:
            if r.i < d.hdr["move"]["at"][r.p]:
                n = min(n, rank(d.hdr["move"]["to"]) if op(d) == "lower" else -1)
        best = max(best, n)
    return best


def agreed(d, P, F):  # noqa: N803
    if not within(d, P): return False  # fmt: skip  # noqa: E701
    for r in sorted((r for r in F if r.p != d.p), key=lambda r: r.i):
        if op(r) in ("concur", "object") and r.seen > d.i and key(r) == key(d):
            return op(r) == "concur" and within(r, P)
    return False


def move_ok(r, F):  # noqa: N803
    h, m, here = r.hdr, r.hdr["move"], at_of(r)
    if m["op"] in ("suspend", "resume"): return None if not {"from", "to", "at"} & m.keys() and "case" not in h else "MOVE"  # fmt: skip  # noqa: E701
    if "case" not in h: return "MOVE"  # fmt: skip  # noqa: E701
    if m["op"] == "raise":
        return None if "at" not in m and rank(m["to"]) > rank(m["from"]) and h["level"] == m["to"] else "MOVE"
    if h["level"] != m["from"]: return "MOVE"  # fmt: skip  # noqa: E701
    if m["op"] in ("concur", "object"):
        return None if any(op(d) in ("lower", "close") and d.p != r.p and d.i < r.seen and key(d) == key(r) for d in F) else "MOVE"
    at = tuple(m["at"])
    if at[0] > here[0] or at[1] > here[1] or level(h["case"], at, F) != rank(m["from"]): return "MOVE"  # fmt: skip  # noqa: E701
    if m["op"] == "lower": return None if m.get("to") in ORDER and rank(m["to"]) == rank(m["from"]) - 1 else "MOVE"  # fmt: skip  # noqa: E701
    return None if "to" not in m and rank(m["from"]) <= rank("attention") else "MOVE"


def suspended(P, F):  # noqa: N803
    last = lambda p: max((r for r in F if r.p == p and within(r, P) and op(r) in ("suspend", "resume")), key=lambda r: r.i, default=None)  # noqa: E731
    return any(x is not None and op(x) == "suspend" for x in (last(0), last(1)))


def check_level(r, F, pol):  # noqa: N803
    h = r.hdr
    if opens(h) and h["fmt"] == "F13" and h.get("single") and rank(h["level"]) > rank("attention"): return "LEVEL"  # fmt: skip  # noqa: E701
    if suspended(at_of(r), F) and h["fmt"] not in CORE and op(r) not in ("raise", "suspend", "resume"): return "SUSP"  # fmt: skip  # noqa: E701
    if "case" in h and not any(opens(x.hdr) and x.ph == h["case"] and within(x, at_of(r)) for x in F): return "CASE"  # fmt: skip  # noqa: E701
    if "move" in h and (why := move_ok(r, F)): return why  # fmt: skip  # noqa: E701
    return None if enough(r.signers, need(r, F, pol)) else "SIGS"
