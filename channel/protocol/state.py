"""The state of a channel as items and one hash (docs/protocol.md section 12.7; docs/state.md is the normative list).

    item = pack([kind, key, value])           H(state) = RFC 6962 root over the items, sorted bytewise

    policy     []                       [ver, payload hash]                     the newest that both logs hold
    key        [letter, kid]            {at, void?, ended?}                     each key ever admitted by a party
    case       [payload hash]           {by: [letter, index], level | closed}   level code, or closed: true
    suspended  [letter]                 true                                    parties that have not resumed
    msg        [letter, index]          {no, reason, ph?, receipt?, acks?, confirm?}
    watch      [letter, seat]           kid
    step       [letter, of, receipt, step]   [index, reason]
    exercise   []                       {state, rate, x, ts}                    once started
    evidence   [k, …]                   …                                       E4, E5 and node.evidence

Each log's letter, positions joined over log numbers, hashes as bytes. A key with "?" is left out where there is none.
"""

from __future__ import annotations

from typing import Any

from channel.protocol.charter import ORDER
from channel.protocol.merkle import leaf_hash, root_of
from channel.protocol.tables import Tables
from channel.protocol.verdicts import LETTERS, Entry
from keys.codec import pack


def state_items(t: Tables, cut: tuple[int, int]) -> list[bytes]:
    """The items at a closed cut that ends where the tables end, sorted bytewise."""
    items = [*_policy(t, cut), *_keys(t, cut), *_cases(t, cut), *_messages(t), *_rest(t)]
    return sorted(pack(item) for item in items)


def state_hash(items: list[bytes]) -> bytes:
    """The RFC 6962 root over sorted items."""
    return root_of([leaf_hash(item) for item in items])


def confirm_state(t: Tables, e: Entry) -> str:
    """Empty where no second signature is asked, else "awaiting", "in time" or "late" (section 11.5)."""
    if e.doc.single is not True:
        return ""
    found = t.confirms.get(e.ph)
    if found is None:
        return "awaiting"
    limit = e.ts + 1000 * t.policy_at(e.at).policy.limits.confirm_s
    return "in time" if found.ts <= limit else "late"


def _policy(t: Tables, cut: tuple[int, int]) -> list[list[Any]]:
    at = t.policy_at(cut)
    return [["policy", [], [at.policy.ver, at.hash]]]


def _keys(t: Tables, cut: tuple[int, int]) -> list[list[Any]]:
    ends = [side.history.before(cut[p]) for p, side in enumerate(t.sides)]
    found = []
    for p, own in enumerate(ends):
        for kid, at in own.first.items():
            value: dict[str, Any] = {"at": max(at, 2)}  # version 1 stands in record 2
            if kid in ends[1 - p].first:
                value["void"] = max(2, ends[1 - p].first[kid])
            if kid in own.revoked:
                value["ended"] = own.revoked[kid]
            elif kid not in own.admitted.members or kid in own.admitted.revoked:
                value["ended"] = _dropped(t, p, kid, cut[p])
            found.append(["key", [LETTERS[p], kid], value])
    return found


def _dropped(t: Tables, p: int, kid: bytes, size: int) -> int:
    """The index of the record from which on a key is no longer a member's."""
    history, index = t.sides[p].history, 2
    standing = history.before(size)
    while standing.index > 2 and not (kid in standing.admitted.members and kid not in standing.admitted.revoked):
        index = standing.index
        standing = history.before(standing.index)
    return index


def _cases(t: Tables, cut: tuple[int, int]) -> list[list[Any]]:
    found: list[list[Any]] = []
    for ph, e in t.ladder.cases.items():
        level = t.ladder.level(ph, cut)
        end: dict[str, Any] = {"closed": True} if level < 0 else {"level": ORDER[level]}
        found.append(["case", [ph], {"by": [LETTERS[e.p], e.i], **end}])
    found += [["suspended", [LETTERS[p]], True] for p, held in enumerate(t.ladder.suspended(cut)) if held]
    return found


def _messages(t: Tables) -> list[list[Any]]:
    records = (e for side in t.sides for e in side.entries if e.t == "msg")
    return [["msg", [LETTERS[e.p], e.i], _message(t, e)] for e in records]


def _message(t: Tables, e: Entry) -> dict[str, Any]:
    value: dict[str, Any] = {"no": e.name, "reason": e.reason}
    receipt = t.receipt_time(e.p, e.i)
    if receipt is not None:
        value["receipt"] = receipt
    if e.envelope is not None:
        value["ph"] = e.ph
    if e.reason == "":
        if acks := t.acks.get(e.ph):
            value["acks"] = [[a.i, a.doc.step] for a in acks]
        if confirm := confirm_state(t, e):
            value["confirm"] = confirm
    return value


def _rest(t: Tables) -> list[list[Any]]:
    found: list[list[Any]] = []
    for p, side in enumerate(t.sides):
        found += [["watch", [LETTERS[p], seat], kid] for seat, kid in side.posts[-1][1].items()]
        found += [["step", [LETTERS[p], *key], [e.i, e.doc.reason]] for key, e in side.steps.items()]
    if t.clock.state:
        c = t.clock
        found.append(["exercise", [], {"state": c.state, "rate": c.rate, "x": c.x, "ts": c.ts}])
    for (p, kid, mid), payloads in t.authored.items():
        if len(payloads) > 1:
            found.append(["evidence", ["E4", LETTERS[p], kid, mid], sorted(payloads)])
    found += [["evidence", [k, *key], value] for k, key, value in t.evidence]
    return found
