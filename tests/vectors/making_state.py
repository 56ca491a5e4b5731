"""What a history comes to, reckoned from its writer's words: items and H(state) by docs/state.md.

The writer of a scenario says of each record whether it counts; of cases, the level they end at; of emergency releases,
how they were confirmed; of keys, where both parties' admissions or a drop make something of them. Receipt times,
message numbers, acknowledgements, posts, steps and the exercise clock follow from these by plain counting, here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from making_signing import digest, pack
from making_tree import EMPTY, leaf_hash, root_of

CLOCK = {"startex": "running", "pause": "paused", "resume": "running", "rate": "", "jump": "", "endex": "ended"}


class Facts:
    """Facts of one world, filled as its records are written."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.policy: list[Any] = [1, digest(pack(world.first_policy))]
        self.keys: dict[tuple[str, bytes], dict[str, int]] = {
            (x, kid): {"at": 2} for x in "ab" for m in world.rosters[x]["members"] for kid in (*m["sig"], *m["kem"])
        }
        self.cases: dict[bytes, tuple[str, int, str]] = {}
        """By payload hash of the opening: letter, index, level code or ``closed``."""
        self.suspended: set[str] = set()
        self.watch: dict[tuple[str, str], bytes] = {}
        self.steps: list[list[Any]] = []
        self.clock: dict[str, Any] = {}
        self.evidence: list[list[Any]] = []
        self.confirms: dict[bytes, str] = {}

    def case(self, opening: Any, level: str) -> None:
        """The level that a case ends at, or ``closed``."""
        self.cases[opening.ph] = (opening.letter, opening.index, level)

    def note(self, sent: Any, line: Any) -> None:
        """Take in a record as its writer sees it."""
        if line.expect or sent.index < 4:
            return
        match line.t, line.doc:
            case "watch", {"seat": seat, "on": on}:
                self.watch[sent.letter, seat] = on
            case "watch", {"seat": seat}:
                self.watch.pop((sent.letter, seat), None)
            case "node.step", d:
                key = [sent.letter, d["of"], d["receipt"], d["step"]]
                self.steps.append(["step", key, [sent.index, d["reason"]]])
            case "exercise", {"op": op, "x": x} as d if op in CLOCK:
                self.clock = {
                    "state": CLOCK[op] or self.clock["state"], "rate": d.get("rate") or self.clock["rate"], "x": x, "ts": line.ts,
                }  # fmt: skip
            case "node.evidence", {"k": k}:
                self.evidence.append(["evidence", [k, sent.letter, sent.index], []])
            case "revoke", {"kids": kids}:
                for kid in kids:
                    if (sent.letter, kid) in self.keys:
                        self.keys[sent.letter, kid].setdefault("ended", sent.index)
            case "kem", {"kid_old": old, "kid_new": new}:
                self.keys[sent.letter, old]["ended"] = sent.index
                self.keys.setdefault((sent.letter, new), {"at": sent.index})
            case "roster", d:
                self._roster(sent, d)

    def _roster(self, sent: Any, d: dict[str, Any]) -> None:
        named = {kid for m in d["members"] for kid in (*m["sig"], *m["kem"])}
        for kid in named:
            self.keys.setdefault((sent.letter, kid), {"at": sent.index}).pop("ended", None)
        for (x, kid), value in self.keys.items():
            if x == sent.letter and (kid not in named or kid in d["revoked"]):
                value.setdefault("ended", sent.index)

    def false_seen(self, sent: Any) -> None:
        """A record whose ``seen`` is false or falls: E5."""
        self.evidence.append(["evidence", ["E5", sent.letter, sent.index], []])

    def last(self, letter: str) -> Any:
        """Where the record written last stands."""
        return SimpleNamespace(letter=letter, index=len(self.world.logs[letter]) - 1)

    def two_payloads(self, sent: Any, *others: bytes) -> None:
        """A message id under which one key has signed more payloads than one: E4."""
        key = ["E4", sent.letter, sent.doc["from"], sent.doc["mid"]]
        self.evidence.append(["evidence", key, sorted([sent.ph, *others])])

    # --- reckoned -----------------------------------------------------------------------------------------------------

    def receipt(self, letter: str, index: int, cut: tuple[int, int]) -> int | None:
        """``ts`` of the first record of the other log that counts as having seen a record."""
        other = "ba"["ab".index(letter)]
        lines = self.world.logs[other][: cut["ab".index(other)]]
        return next((line.ts for line in lines if line.seen > index), None)

    def items(self, cut: tuple[int, int]) -> list[bytes]:
        """The items on a closed cut, sorted; none where the opening does not hold."""
        if cut == (0, 0) or any(line.expect == "OPEN" for line in self.world.logs["a"][:4]):
            return []
        made: list[Any] = [["policy", [], self.policy]]
        made += [["key", list(at), value] for at, value in self.keys.items()]
        for ph, (letter, index, level) in self.cases.items():
            end: dict[str, Any] = {"closed": True} if level == "closed" else {"level": level}
            made.append(["case", [ph], {"by": [letter, index], **end}])
        made += [["suspended", [x], True] for x in self.suspended]
        for x, size in zip("ab", cut, strict=True):
            made += self._messages(x, size, cut)
        made += [["watch", list(at), kid] for at, kid in self.watch.items()]
        made += self.steps + self.evidence
        if self.clock:
            made.append(["exercise", [], self.clock])
        return sorted(pack(item) for item in made)

    def _messages(self, letter: str, size: int, cut: tuple[int, int]) -> list[Any]:
        made, count = [], 0
        for index, line in enumerate(self.world.logs[letter][:size]):
            if line.t != "msg":
                continue
            count += 1
            year = datetime.fromtimestamp(line.own_ts // 1000, UTC).year
            code = self.world.sides[letter].code
            value: dict[str, Any] = {"no": f"{code}-{year}-{count:06d}", "reason": line.expect}
            if (receipt := self.receipt(letter, index, cut)) is not None:
                value["receipt"] = receipt
            if line.ph:
                value["ph"] = line.ph
            if not line.expect:
                value |= self._answers(letter, line)
            made.append(["msg", [letter, index], value])
        return made

    def _answers(self, letter: str, line: Any) -> dict[str, Any]:
        other = self.world.logs["ba"["ab".index(letter)]]
        acks = [
            [i, o.doc["step"]] for i, o in enumerate(other) if o.t == "ack" and not o.expect and o.doc["ph"] == line.ph
        ]  # fmt: skip
        found: dict[str, Any] = {"acks": acks} if acks else {}
        if line.doc.get("single"):
            found["confirm"] = self.confirms.get(line.ph, "awaiting")
        return found

    def flags(self, cut: tuple[int, int]) -> dict[str, dict[str, list[str]]]:
        """By letter and position what is shown of a record without changing anything: expired keys, a time askew."""
        found: dict[str, dict[str, list[str]]] = {"a": {}, "b": {}}
        for x, size in zip("ab", cut, strict=True):
            for index, line in enumerate(self.world.logs[x][:size]):
                receipt = self.receipt(x, index, cut)
                said = ["EXPIRED"] if line.own_ts > line.limit else []
                if receipt is not None and line.own_ts > receipt + 600_000:
                    said.append("SKEW_AHEAD")
                if receipt is not None and line.own_ts < receipt - 86_400_000:
                    said.append("SKEW_BEHIND")
                if said and line.t:
                    found[x][str(index)] = said
        return found

    def state(self, cut: tuple[int, int]) -> bytes:
        """H(state)."""
        items = self.items(cut)
        return root_of([leaf_hash(item) for item in items]) if items else EMPTY
