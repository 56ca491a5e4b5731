"""Seeded archives, good ones and ones tampered with as only the logs' own keys, or the file's maker, could.

    data, chan, how = archive_of(seed)

A seed draws a history of both logs (messages, receipts, moves, keys, watch, exercise, evidence, successions, with records
among them that the rules refuse), a form, and at most one way to tamper. What a node signed itself is signed again: roots,
anchors and the file's hash are right, and only the rules can tell.
"""

from __future__ import annotations

import random
from typing import Any

from channel.protocol.archive import BLOB, NOTE, PROOF, framed, joined, read, write
from channel.protocol.merkle import inclusion_proof, leaf_hash
from channel.protocol.proof import PROVED
from channel.protocol.record import MAX_RECORD, read_record, try_read
from channel.protocol.reveal import full, redacted
from keys.codec import pack
from keys.envelope import Envelope, read_envelope
from keys.errors import Problem
from tests.archives import blobs, head, note, opened, parts, sealed, succeed
from tests.protocol.test_archive_hostile import twisted
from tests.world import OTHER, World

LEVELS = ("routine", "attention", "consultation", "serious", "crisis", "principals")
PEOPLE = ("expert1", "expert2", "official", "duty", "operator", "records", "principal")
BODY = {"text": "a line", "number": 7}


class History:
    """A world that a seed fills."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(f"archive {seed}")
        self.small = self.dice.random() < 0.25
        self.world = World(2, cooling=0, small=self.small)
        self.sent: list[Any] = []
        self.sealed: list[Any] = []
        self.kems = 0
        for _ in range(self.dice.randrange(4, 16)):
            self.step()
        for x in "ab":
            self.world.sync(x)

    def step(self) -> None:
        """One record more, or several; one that the world can't make is left out."""
        acts = [self.message, self.message, self.ack, self.sync, self.odd, self.seal]
        if not self.small:
            acts += [
                self.move,
                self.emergency,
                self.watch,
                self.kem,
                self.revoke,
                self.roster,
                self.exercise,
                self.evidence,
                self.policy,
            ]
        try:
            self.dice.choice(acts)()
        except (KeyError, IndexError, StopIteration, Problem):
            self.world.sync(self.side())

    def side(self) -> str:
        return self.dice.choice("ab")

    def who(self) -> str:
        return "expert1" if self.small else self.dice.choice(PEOPLE)

    def message(self) -> None:
        x, case = self.side(), self.dice.choice([None, *self.sent]) if self.sent else None
        fields: dict[str, Any] = {} if case is None else {"case": case.ph}
        fmt = "F03" if case is None else self.dice.choice(["F04", "F03", "F07", "F02", "F14"])
        if fmt in ("F02", "F07", "F14") and case is not None:
            fields["refs"] = (case.ph,)
        cosign = () if self.small or self.dice.random() < 0.6 else (self.who(),)
        made = self.world.send(x, self.who(), fmt, cosign, level=self.dice.choice(LEVELS[:3]), **fields)
        self.sent.append(made)

    def seal(self) -> None:
        made = sealed(self.world, self.side(), "expert1", BODY)
        self.sent.append(made)
        self.sealed.append(made)

    def ack(self) -> None:
        of = self.dice.choice(self.sent)
        step = self.dice.choice(["read", "engaged", "informed", "not-engaging", "no-comment"])
        self.world.ack(self.dice.choice([OTHER[of.letter], OTHER[of.letter], of.letter]), self.who(), of, step)

    def sync(self) -> None:
        self.world.sync(self.side())

    def move(self) -> None:
        case, op = (
            self.dice.choice(self.sent),
            self.dice.choice(["raise", "lower", "concur", "object", "close", "suspend", "resume"]),
        )
        signers = self.dice.sample(["expert1", "expert2", "official", "principal"], self.dice.randrange(1, 4))
        if op in ("suspend", "resume"):
            self.world.move(self.side(), ("official",), op)
        else:
            i = self.dice.randrange(1, 5)
            low, high = LEVELS[i], LEVELS[i + 1]
            pair = {"raise": (low, high), "close": ("attention", None)}.get(op, (high, low))
            self.world.move(self.side(), signers, op, case.ph, *pair)

    def emergency(self) -> None:
        x = self.side()
        made = self.world.send(x, "duty", "F13", single=True)
        self.sent.append(made)
        if self.dice.random() < 0.6:
            self.world.confirm(x, self.who(), made)

    def watch(self) -> None:
        op = self.dice.choice(["take", "handover", "leave"])
        on = "duty" if op != "leave" else None
        self.world.watch(
            self.side(),
            op,
            "duty",
            on,
            "official" if op == "take" and self.dice.random() < 0.3 else "duty" if op == "leave" else None,
        )

    def kem(self) -> None:
        self.kems += 1
        self.world.kem(self.side(), self.dice.choice(["expert1", "expert2", "records"]), f"new {self.kems}")

    def revoke(self) -> None:
        x = self.side()
        self.world.revoke(x, [self.world.signer(x, self.who()).kid], self.dice.choice(["operator", "duty"]))

    def roster(self) -> None:
        x = self.side()
        members = self.world.rosters[x].members
        self.world.next_roster(
            x,
            members[: len(members) - self.dice.randrange(2)],
            ver=self.world.rosters[x].ver + self.dice.choice([1, 1, 1, 2]),
        )

    def exercise(self) -> None:
        op = self.dice.choice(["startex", "pause", "resume", "rate", "jump", "endex", "real-world"])
        fields = {"startex": {"rate": 5, "scenario": bytes(32)}, "rate": {"rate": 9}}.get(op, {})
        self.world.exercise(
            self.dice.choice("aab"), self.dice.choice(["control", "control", "expert1"]), op, 1000, **fields
        )

    def evidence(self) -> None:
        body = self.dice.choice([{"k": "E1", "x": 1}, {"k": "E7"}, {"k": "E9"}])
        self.world.node(self.side(), "node.evidence", body)

    def policy(self) -> None:
        made = self.world.next_policy(holding=("NOI",))
        for x in "ab" if self.dice.random() < 0.7 else "a":
            self.world.put_policy(x, made)

    def odd(self) -> None:
        """Records that the rules refuse: replayed, stripped, crossed, misplaced, or no records at all."""
        x, dice, world = self.side(), self.dice, self.world
        kind = dice.randrange(8)
        if kind == 0:
            world.raw(x, dice.randbytes(40))
        elif kind == 1:
            world.raw(x, dice.choice(world.logs[dice.choice("ab")]))  # a record once more, or the other side's
        elif kind == 2 and self.sent:
            of = dice.choice(self.sent)
            world.put(
                x, "msg", read_envelope(read_record(of.raw).env), blobs=read_record(of.raw).blobs
            )  # a replayed envelope
        elif kind == 3:
            made = world.message(x, "expert1")
            world.put(
                x, "msg", world.resign("msg", made, [world.signer(x, "expert1")], 1), blobs=(made.blob,)
            )  # the other mode
        elif kind == 4:
            made = world.message(x, "expert1", "F03", () if self.small else ("expert2",), level="consultation")
            env = world.resign("msg", made, [world.signer(x, "expert1")], 2)
            world.put(
                x, "msg", Envelope(env.payload_type, env.payload, env.signatures[:1]), blobs=(made.blob,)
            )  # a stripped signature
        elif kind == 5:
            world.sync(x, seen=(0, len(world.logs[OTHER[x]]), dice.randbytes(32)))  # a false root
        elif kind == 6:
            world.next_roster(x, world.rosters[x].members, signers=world.authority(x)[:1])  # one signature for two
            world.rosters[x] = type(world.rosters[x])(
                **{f: getattr(world.rosters[x], f) for f in world.rosters[x].__struct_fields__}
                | {"ver": world.rosters[x].ver - 1}
            )
        else:
            world.sync(x, ts=1)  # a time that falls


def archive_of(seed: int) -> tuple[bytes, bytes, str]:
    """The archive of a seed, its channel, and what was done to it."""
    history = History(seed)
    dice, world = history.dice, history.world
    if dice.random() < 0.2:
        succeed(world, dice.choice("ab"), quick=dice.random() < 0.3)
        for x in "ab":
            world.sync(x)
    how = dice.choice(["good", "good", "record", "order", "drop", "blob", "note", "section", "byte", "double"])
    numbers = len(world.starts["a"]) + len(world.starts["b"])
    if how in ("record", "order", "drop") and numbers == 2:
        world = _resigned(world, dice, how)
    data = _written(world, dice, history)
    if how in ("blob", "note", "section", "byte", "double"):
        data = _tampered(data, dice, how, world)
    return data, world.chan, how


def _resigned(world: World, dice: random.Random, how: str) -> World:
    """The same logs with one record changed, moved or left out, under roots and anchors made anew."""
    logs = {x: list(world.logs[x]) for x in "ab"}
    x = dice.choice("ab")
    i = dice.randrange(len(logs[x]))
    if how == "record":
        raw = twisted(logs[x][i], dice)
        logs[x][i] = raw if len(raw) <= MAX_RECORD else logs[x][i]
    elif how == "order":
        j = dice.randrange(len(logs[x]))
        logs[x][i], logs[x][j] = logs[x][j], logs[x][i]
    else:
        del logs[x][i]
    made = World(2, cooling=0, small=world.small, opening=False)
    made.blobs.update(world.blobs)
    for letter in "ab":
        for raw in logs[letter]:
            made.raw(letter, raw)
    return made


def _held(world: World, raws: list[bytes]) -> list[bytes]:
    """The blobs that records name, as far as anybody has them."""
    names = {h for raw in raws if (r := try_read(raw)) for h in r.blobs}
    try:
        known = blobs(world)
    except (Problem, KeyError, TypeError):
        known = dict(world.blobs)
    return [known.get(h, b"another blob") for h in sorted(names)]


def _written(world: World, dice: random.Random, history: History) -> bytes:
    """The file, in one of both forms; of a good history now and then with a reveal."""
    made = parts(world)
    reveals = []
    if history.sealed and dice.random() < 0.5:
        of = dice.choice(history.sealed)
        code = {"a": "CN", "b": "US"}[of.letter]
        by = f"{code}:{dice.choice(['records', 'expert1', 'nobody'])}"
        reveals = [
            full(of.doc, code, opened(of, BODY).cek, why="review", by=by) if dice.random() < 0.5
            else redacted(of.doc, code, opened(of, BODY), ["text"], why="dispute", by=by)
        ]  # fmt: skip
    if dice.random() < 0.6:
        return write(head(world), made, _held(world, [raw for x in "ab" for raw in world.logs[x]]), reveals=reveals)
    arrays = []
    for part in made:
        leaves = [leaf_hash(raw) for raw in part.records]
        for i, raw in enumerate(part.records):
            record = try_read(raw)
            if (
                record is not None
                and record.t in PROVED
                and (record.t not in ("msg", "ack", "confirm") or dice.random() < 0.8)
            ):
                arrays.append([PROOF, part.letter, part.number, i, raw, inclusion_proof(leaves, i, len(leaves))])
    return joined(head(world, "proof"), arrays, made, _held(world, [each[4] for each in arrays]), reveals, [])


def _tampered(data: bytes, dice: random.Random, how: str, world: World) -> bytes:
    """The file with its sections changed; its last 32 bytes are right again, but for a changed byte."""
    if how == "byte":
        at = dice.randrange(len(data))
        return data[:at] + bytes([data[at] ^ dice.randrange(1, 256)]) + data[at + 1 :]
    arrays = [[s.kind, *s.fields] for s in read(data).sections]
    if how == "section":
        del arrays[dice.randrange(len(arrays))]
    elif how == "double":
        at = dice.randrange(len(arrays))
        arrays.insert(at, arrays[at])
    elif how == "blob":
        at = dice.choice([i for i, a in enumerate(arrays) if a[0] == BLOB])
        arrays[at] = [BLOB, dice.choice([arrays[at][1] + b"x", b"", world.chan])]
    else:
        at = dice.choice([i for i, a in enumerate(arrays) if a[0] == NOTE])
        _, letter, number, _ = arrays[at]
        size = len(world.number(letter, number))
        other = dice.choice([
            note(world, letter, number, max(0, size - 1)).encode(), note(world, letter, number, quick=True).encode(),
            note(world, OTHER[letter]).encode(), note(world, letter, number, at=1_795_500_000).encode(),
        ])  # fmt: skip
        arrays[at] = [NOTE, letter, number, other]
    return framed(pack(a) for a in arrays)
