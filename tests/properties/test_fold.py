"""One fold under any interleaving: whatever the order in which two logs arrive, verdicts and H(state) are the same."""

from __future__ import annotations

import random
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from channel.protocol.charter import ORDER
from channel.protocol.defaults import default_policy
from channel.protocol.fold import Fold
from channel.protocol.verdicts import Verdict
from keys.codec import unpack
from keys.envelope import Envelope, sign
from tests.protocol import ladder_oracle as oracle
from tests.world import Sent, World, digest

REASONS = {
    "", "PARSE", "SEEN", "MODE", "CHAN", "SIGNER", "SIG", "COOLING", "KEM", "DUP", "FMT", "REF", "LEVEL", "SUSP", "CASE",
    "MOVE", "SIGS", "KEYS", "CHAIN", "WATCH", "CLOCK", "STEP", "OPEN",
}  # fmt: skip
AUTHORS = (
    ("expert1",),
    ("expert1", "duty"),
    ("expert1", "expert2", "official"),
    ("official",),
    ("duty",),
    ("operator",),
)


class Story:
    """A random pair of signed logs: people, nodes and faults of both parties, crossing at every size."""

    def __init__(self, seed: int, length: int) -> None:
        self.dice = random.Random(seed)
        self.world = World(2)
        self.seen = {"a": 0, "b": 0}
        self.sent: list[Sent] = []
        for _ in range(length):
            self.step(self.dice.choice("ab"))

    def step(self, x: str) -> None:
        world, dice = self.world, self.dice
        other = "b" if x == "a" else "a"
        self.seen[x] = dice.randint(max(4, self.seen[x]), len(world.logs[other]))
        seen = self.seen[x]
        known = [s for s in self.sent if s.letter == x or s.index < seen]
        who = dice.choice(AUTHORS)
        kind = dice.random()
        if kind < 0.25 or not known:
            level = dice.choice(ORDER)
            self.sent.append(world.send(x, who[0], "F03", who[1:], level=level, seen=seen))
        elif kind < 0.45:
            self.sent.append(world.send(x, who[0], "F04", who[1:], case=dice.choice(known).ph, seen=seen))
        elif kind < 0.75:
            self.move(x, seen, known)
        elif kind < 0.85:
            world.ack(x, who[0], dice.choice(known), dice.choice(("read", "engaged", "informed")), seen=seen)
        else:
            self.fault(x, seen, known)

    def move(self, x: str, seen: int, known: list[Sent]) -> None:
        world, dice = self.world, self.dice
        who = ("expert1", "expert2", "official")
        lowers = [s for s in known if s.letter != x and s.doc.move is not UNSET and s.doc.move.op in ("lower", "close")]
        if lowers and dice.random() < 0.5:
            down = dice.choice(lowers)
            m = down.doc.move
            to = None if m.to is UNSET else m.to
            self.sent.append(
                world.move(x, who, dice.choice(("concur", "object")), down.doc.case, m.from_, to, m.at, seen=seen)
            )
            return
        if dice.random() < 0.15:
            world.move(x, ("official",), dice.choice(("suspend", "resume")), seen=seen)
            return
        case = dice.choice([s for s in known if s.doc.case is UNSET] or known)
        n = dice.randrange(1, 6)
        op = dice.choice(("raise", "lower", "lower", "close"))
        start = case.doc.level if dice.random() < 0.7 else ORDER[n]
        at = (len(world.logs[x]), seen) if x == "a" else (seen, len(world.logs[x]))
        below = ORDER[max(0, ORDER.index(start) - 1)]
        to = {"raise": ORDER[n], "lower": below}.get(op)
        self.sent.append(world.move(x, who, op, case.ph, start, to, None if op == "raise" else at, seen=seen))

    def fault(self, x: str, seen: int, known: list[Sent]) -> None:
        """Records that are refused or ignored, and changes of members."""
        world, dice = self.world, self.dice
        match dice.randrange(8):
            case 0:
                world.raw(x, dice.randbytes(20))
            case 1:
                world.sync(x, seen=(0, dice.choice((seen, 10**6)), bytes(32)))
            case 2:
                world.put(x, "msg", known[0].env or b"", seen=seen)
            case 3:
                world.watch(x, "take", "duty", on="duty", seen=seen)
            case 4:
                world.kem(x, "expert1", f"n{len(world.logs[x])}", seen=seen)
            case 5:
                world.revoke(x, [digest(dice.randbytes(3))], seen=seen)
            case 6:
                world.sync(x, seen=max(0, seen - 1))
            case _:
                world.send(x, "expert1", mid=dice.choice(known).doc.mid, seen=seen)


@cache
def story(seed: int) -> Story:
    return Story(seed, 34)


def verdicts(fold: Fold) -> list[Verdict]:
    return [fold.verdict(x, i) for p, x in enumerate("ab") for i in range(fold.cut[p])]


@settings(max_examples=25)
@given(st.integers(0, 11), st.randoms(use_true_random=False))
def test_any_interleaving_gives_the_same_verdicts_and_state(seed: int, dice: random.Random) -> None:
    """Both logs in pieces of any size and order, and with dry runs between, end where both logs at once end."""
    world = story(seed).world
    whole = world.fold()
    pieces = Fold(world.chan, world.blobs.get)
    left = {x: list(world.logs[x]) for x in "ab"}
    while any(left.values()):
        x = dice.choice([x for x in "ab" if left[x]])
        n = dice.choice((1, 1, 2, 5, 30))
        pieces.judge(x, left[x][0])
        pieces.add(x, left[x][:n])
        del left[x][:n]
    assert pieces.result() == whole.result()
    assert verdicts(pieces) == verdicts(whole)
    assert pieces.display() == whole.display()
    assert pieces.messages() == whole.messages()


@settings(max_examples=25)
@given(st.integers(0, 11), st.integers(0, 60), st.integers(0, 60))
def test_a_shorter_cut_is_judged_as_within_the_longer_one(seed: int, a: int, b: int) -> None:
    """What lies within a closed cut is judged for good: more records change no reason, signer or number."""
    world = story(seed).world
    short = Fold(world.chan, world.blobs.get)
    short.add("a", world.logs["a"][:a])
    short.add("b", world.logs["b"][:b])
    whole = world.fold()
    for p, x in enumerate("ab"):
        for i in range(short.cut[p]):
            mine, theirs = short.verdict(x, i), whole.verdict(x, i)
            assert (mine.reason, mine.signers, mine.number) == (theirs.reason, theirs.signers, theirs.number)


@settings(max_examples=40)
@given(st.data())
def test_a_stripped_record_never_shadows_the_whole_one(data: st.DataObject) -> None:
    """However many signatures a payload has and which are stripped, before or after the whole record: the whole counts."""
    who = data.draw(st.sampled_from([("expert1", "duty"), ("expert1", "expert2", "official")]))
    world = World(2)
    payload = world.message("a", who[0], cosign=who[1:], level="serious" if len(who) == 2 else "crisis")
    whole = sign("msg", payload, [world.signer("a", name) for name in who])
    cuts = st.lists(st.sets(st.integers(0, len(who) - 1), min_size=1, max_size=len(who) - 1), max_size=3)

    def put_stripped() -> list[Sent]:
        kept = [tuple(whole.signatures[i] for i in sorted(cut)) for cut in data.draw(cuts)]
        return [
            world.put("a", "msg", Envelope(whole.payload_type, whole.payload, some), blobs=[payload.blob])
            for some in kept
        ]

    before = put_stripped()
    world.sync("b")
    sent = world.put("a", "msg", whole, blobs=[payload.blob])
    after = put_stripped()
    world.sync("b")
    fold = Fold(world.chan, world.blobs.get)
    left = {x: list(world.logs[x]) for x in "ab"}
    while any(left.values()):
        x = data.draw(st.sampled_from([x for x in "ab" if left[x]]))
        fold.add(x, [left[x].pop(0)])
    assert world.reason(sent, fold) == ""
    assert {world.reason(s, fold) for s in before} <= {"SIG"}
    assert {world.reason(s, fold) for s in after} <= {"SIG", "DUP"}
    assert fold.case_level(whole.hash) == payload.level
    assert [m.ph for m in fold.messages()] == [whole.hash]


@settings(max_examples=12)
@given(st.integers(0, 11))
def test_the_fold_and_the_written_ladder_agree_on_every_message(seed: int) -> None:
    """Each signed message that passes the checks before the ladder has the reason that the code of 12.5 gives it."""
    fold = story(seed).world.fold()
    pol, plain = oracle.Pol(default_policy(2, bytes(32), bytes(32))), []
    reasons = {"", "LEVEL", "SUSP", "CASE", "MOVE", "SIGS"}
    for v in fold.display():
        if v.record is None or v.record.t != "msg" or v.reason not in reasons or v.index < 4:
            continue
        entry = next(e for e in fold._entries["ab".index(v.letter)] if e.i == v.index)
        r = oracle.rec(entry)
        assert (oracle.check_level(r, plain, pol) or "") == v.reason
        if not v.reason:
            plain.append(r)
    ends = fold.cut
    for message in fold.messages():
        if oracle.opens(oracle.rec(next(e for e in plain_entries(fold) if e.ph == message.ph)).hdr):
            rank = oracle.level(message.ph, ends, plain)
            assert fold.case_level(message.ph) == (None if rank < 0 else ORDER[rank])


def plain_entries(fold: Fold):
    return [e for log in fold._entries for e in log if e.t == "msg" and not e.reason]


ODD = st.one_of(
    st.integers(0, 2**64 - 1), st.binary(max_size=40), st.booleans(), st.sampled_from(["", "lower", "crisis", "F12", "CN"]),
    st.binary(min_size=32, max_size=32), st.lists(st.binary(min_size=32, max_size=32), max_size=3), st.just({}),
)  # fmt: skip


def plain_documents() -> dict[str, tuple[dict[str, object], list[object], tuple[bytes, ...]]]:
    """One good document of each signed type, as a map, with its signers' keys and blobs."""
    world = World(2)
    first = world.send("b", "expert1")
    members = (*world.rosters["a"].members, world.sides["a"].member("expert3", "expert"))
    everyone = [k for x in "ab" for k in world.authority(x)[:2]]
    policy = world.next_policy()
    made = [
        (world.send("a", "expert1"), ["expert1"]),
        (world.move("a", ("expert1", "duty"), "raise", first.ph, "attention", "serious"), ["expert1", "duty"]),
        (world.ack("a", "expert1", first), ["expert1"]),
        (world.confirm("a", "expert1", first), ["expert1"]),
        (world.watch("a", "take", "duty", on="duty"), ["duty"]),
        (world.exercise("a", "control", "startex", rate=1, scenario=bytes(32)), ["control"]),
        (world.kem("a", "expert1"), ["expert1"]),
        (world.revoke("a", [bytes(32)]), ["operator"]),
        (world.next_roster("a", members), world.authority("a")[:2]),
        (world.put_policy("a", policy), everyone),
        (world.succeed("a"), world.authority("a")[:2]),
    ]
    found = {}
    for n, (sent, who) in enumerate(made):
        record = unpack(sent.raw)
        keys = [world.signer("a", k) if isinstance(k, str) else k for k in who]
        found[f"{n} {record['t']}"] = (unpack(sent.env.payload), keys, tuple(record["blobs"]))  # type: ignore[union-attr]
    BLOBS.update(world.blobs)
    return found


BLOBS: dict[bytes, bytes] = {}
DOCUMENTS = plain_documents()


@settings(max_examples=100)
@given(st.sampled_from(sorted(DOCUMENTS)), st.data())
def test_no_signed_document_stops_the_fold(name: str, data: st.DataObject) -> None:
    """A document of any type with fields changed, added or dropped, rightly signed, gets a verdict and no exception."""
    fields, keys, blobs = DOCUMENTS[name]
    changed = dict(fields)
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.sampled_from([*fields, "more"]))
        if data.draw(st.booleans()):
            changed.pop(at, None)
        else:
            changed[at] = data.draw(ODD)
    world = World(2)
    world.blobs.update(BLOBS)
    world.send("b", "expert1")
    world.sync("a")
    t = name.split()[1]
    sent = world.put("a", t, sign(t, changed, keys), blobs=blobs)
    fold = world.fold()
    assert fold.cut == fold.held
    assert fold.verdict("a", sent.index).reason in REASONS
    assert fold.state_hash()


def test_the_stories_reach_most_reasons() -> None:
    """The random logs are worth folding: moves, answers, suspensions and many kinds of refusal are among them."""
    found = {v.reason for seed in range(12) for v in verdicts(story(seed).world.fold())}
    assert {"", "OPAQUE", "SEEN", "SIGNER", "DUP", "MOVE", "SIGS", "SUSP", "CASE", "REF"} <= found
