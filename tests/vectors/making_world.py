"""Two seeded parties whose logs a scenario writes, record by record, saying of each what it must become.

    world = World(kept)
    first = world.msg("a", ["expert1"])                    # valid: nothing said
    world.msg("b", ["duty"], case=first.ph, expect="SIGS")  # refused, and why

Every record carries the reason that its writer expects ("" valid). What follows from these words (receipt times,
numbers, acknowledgements, items, H(state)) is reckoned by ``making_state`` from docs/state.md; the product has no part
in it. Documents are plain maps; ``drop`` and extra fields make wrong ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from making_founding import Party, found
from making_signing import SEAL, ZERO, Kept, Key, digest, flipped, pack, unpack
from making_state import Facts
from making_tree import EMPTY, leaf_hash, root_of

START = 1_795_478_400_000  # 2026-11-24 00:00 UTC
DAY = 86_400_000
OTHER = {"a": "b", "b": "a"}


@dataclass(frozen=True)
class Sent:
    """A record in a log."""

    letter: str
    index: int
    raw: bytes
    doc: Any = None
    ph: bytes = b""


@dataclass
class Line:
    """A record with what its writer says of it."""

    raw: bytes
    t: str
    ts: int
    seen: int
    expect: str
    doc: Any = None
    ph: bytes = b""
    signers: tuple[str, ...] = ()
    own_ts: int = 0
    limit: int = 0
    """When root or roster in force may no longer stand."""


@dataclass
class World:
    """Both logs in the making. ``kind``: main, small or exercise; ``opening`` replaces the founding records."""

    kept: Kept
    kind: str = "main"
    opening: bool = True
    policy: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mode = 2 if self.kind == "exercise" else 1
        made = found(self.kept, self.kind, tuple(sorted(self.policy.items())))
        self.sides: dict[str, Party] = made.sides
        self.blobs: dict[bytes, bytes] = made.blobs
        self.charter, self.chan, self.founding = made.charter, made.chan, made.records
        self.first_policy = made.policy
        self.newest_policy = made.policy
        self.rosters = dict(made.rosters)
        self.roots = dict(made.roots)
        self.logs: dict[str, list[Line]] = {"a": [], "b": []}
        self.starts: dict[str, list[int]] = {"a": [0], "b": [0]}
        self.facts = Facts(self)
        self.ts = {"a": START, "b": START}
        self._mids = 0
        if self.opening:
            for x in "ab":
                for t, env, names in self.founding[x]:
                    self.put(x, t, env, blobs=names, ts=START, seen=(0, 0, EMPTY))

    # --- records ------------------------------------------------------------------------------------------------------

    def key(self, letter: str, label: str, suite: int = 1) -> Key:
        """A party's key by label, ``expert1`` or ``authority1.0``; ``SEAL`` for its seal key."""
        return self.sides[letter].key(label, suite)

    def kid(self, letter: str, label: str, suite: int = 1) -> bytes:
        """Its id."""
        return self.key(letter, label, suite).kid

    def keep(self, blob: bytes) -> bytes:
        """The address of a blob that a record may name."""
        self.blobs[digest(blob)] = blob
        return digest(blob)

    def size(self, letter: str) -> int:
        """Joined size of a log."""
        return len(self.logs[letter])

    def root(self, letter: str, number: int, size: int) -> bytes:
        """The root of a log number at a size of its own."""
        start = self.starts[letter][number]
        return root_of([leaf_hash(line.raw) for line in self.logs[letter][start : start + size]])

    def seen(self, letter: str, size: int | None = None) -> list[Any]:
        """What a record of ``letter`` says when it stands on ``size`` records of the other log (None: all)."""
        other = OTHER[letter]
        size = self.size(other) if size is None else size
        number = max(n for n, start in enumerate(self.starts[other]) if start <= size)
        size -= self.starts[other][number]
        return [number, size, self.root(other, number, size)]

    def put(
        self, letter: str, t: str, env: bytes, *, expect: str = "", blobs: Iterable[bytes] = (), ts: int | None = None,
        seen: Any = None, at: int | None = None, doc: Any = None, ph: bytes = b"", signers: Sequence[str] = (),
        astray: bool = False, **odd: Any,
    ) -> Sent:  # fmt: skip
        """The next record. ``seen``: a joined size, the three values, or None for all; ``at``: joined size that they say.

        One that is refused for its ``seen`` or ``ts`` (SEEN; ``astray`` where another reason comes first) counts with
        its predecessor's, as docs/state.md says.
        """
        own = self.ts[letter] + 1000 if ts is None else ts
        said = list(seen) if isinstance(seen, list | tuple) else self.seen(letter, seen)
        number = said[0] if said[0] < len(self.starts[OTHER[letter]]) else 0
        covers = at if at is not None else self.starts[OTHER[letter]][number] + said[1]
        record = {"v": 1, "t": t, "ts": own, "seen": said, "blobs": sorted(set(blobs)), "env": env, **odd}
        return self.raw(letter, pack(record), expect, t, own, covers, doc, ph, tuple(signers), astray=astray)

    def raw(
        self, letter: str, raw: bytes, expect: str, t: str = "", own: int = 0, covers: int = 0, doc: Any = None,
        ph: bytes = b"", signers: tuple[str, ...] = (), *, astray: bool = False,
    ) -> Sent:  # fmt: skip
        """These bytes as the next record; ``t`` empty for an opaque leaf."""
        log = self.logs[letter]
        t = "" if expect == "OPAQUE" else t
        astray = astray or expect == "SEEN" or not t
        seen, ts = (covers, own) if not astray else (log[-1].seen, log[-1].ts) if log else (0, 0)
        self.ts[letter] = max(self.ts[letter], ts)
        limit = min(self.roots[letter]["hard_exp"], self.rosters[letter]["hard_exp"])
        log.append(Line(raw, t, ts, seen, expect, doc, ph, signers, own, limit))
        sent = Sent(letter, len(log) - 1, raw, doc, ph)
        self.facts.note(sent, log[-1])
        return sent

    def wait(self, letter: str, ms: int) -> None:
        """Let time pass on a node's clock."""
        self.ts[letter] += ms

    def sync(self, letter: str, **where: Any) -> Sent:
        """A ``node.ack``: nothing but what it has seen."""
        return self.node(letter, "node.ack", {}, **where)

    def node(self, letter: str, t: str, body: Any, **where: Any) -> Sent:
        """A node's record."""
        return self.put(letter, t, body if isinstance(body, bytes) else pack(body), doc=body, **where)

    def sign(
        self, letter: str, t: str, doc: Any, signers: Sequence[str | Key], *, mode: int | None = None,
        drop: Sequence[str] = (), spoil: str = "", **where: Any,
    ) -> Sent:  # fmt: skip
        """A signed document. ``mode`` other than the channel's: signed under that context; ``spoil``: whose signature
        has a bit changed; ``drop``: fields left out."""
        doc = {k: v for k, v in doc.items() if k not in drop}
        keys = [self.key(letter, s) if isinstance(s, str) else s for s in signers]
        payload = pack(doc)
        env = self.kept.envelope(t, payload, keys, mode)
        if spoil:
            env = spoiled(env, self.kid(letter, spoil))
        names = tuple(s if isinstance(s, str) else "" for s in signers)
        return self.put(letter, t, env, doc=doc, ph=digest(payload), signers=names, **where)

    # --- people -------------------------------------------------------------------------------------------------------

    def mid(self) -> bytes:
        """The next message id."""
        self._mids += 1
        return digest(b"mid %d" % self._mids)[:16]

    def recipients(self) -> list[bytes]:
        """The least: both records keys."""
        return sorted(self.kid(x, "records", SEAL) for x in "ab")

    def payload(self, letter: str, author: str, fmt: str = "F03", others: Sequence[str] = (), **fields: Any) -> Any:
        """A message's payload over a blob that nobody opens; level attention unless given."""
        mid = fields.pop("mid", None) or self.mid()
        level = fields.get("level", "attention")
        prec = {"routine": "R", "attention": "P", "consultation": "P", "serious": "O"}.get(level, "Z")
        doc = {
            "v": 1, "chan": self.chan, "from": self.kid(letter, author), "mid": mid, "ts": self.ts[letter],
            "prev": ZERO, "suite": SEAL, "to": self.recipients(), "fmt": fmt, "level": level, "prec": prec,
            "status": "message", "lang": "en", "kc": digest(b"kc", mid), "bd": digest(b"bd", mid),
            "blob": digest(b"blob", mid), "blen": 512,
        }  # fmt: skip
        if others:
            doc["cosign"] = sorted(self.kid(letter, seat) for seat in others)
        return {**doc, **fields}

    def msg(self, letter: str, signers: Sequence[str], fmt: str = "F03", **fields: Any) -> Sent:
        """A message by the first of ``signers``, co-signed by the others."""
        where = _split(fields, "expect", "seen", "at", "ts", "blobs", "spoil", "sign_mode", "drop", "by")
        if "sign_mode" in where:
            where["mode"] = where.pop("sign_mode")
        doc = fields.pop("doc", None) or self.payload(letter, signers[0], fmt, signers[1:], **fields)
        where.setdefault("blobs", [doc["blob"]])
        return self.sign(letter, "msg", doc, where.pop("by", signers), **where)

    def move(self, letter: str, signers: Sequence[str], op: str, case: bytes = b"", **fields: Any) -> Sent:
        """An F12, or for ``close`` an F05. ``frm``, ``to``, ``covers`` are the move's from, to and at."""
        if op in ("lower", "close") and "covers" not in fields:
            fields["covers"] = [self.size("a"), self.size("b")]
        names = {"frm": "from", "to": "to", "covers": "at"}
        move = {"op": op} | {names[k]: fields.pop(k) for k in tuple(fields) if k in names}
        level = {"raise": move.get("to"), "suspend": "routine", "resume": "routine"}.get(op, move.get("from"))
        where = {"level": level, "move": move} | ({"case": case} if case else {})
        return self.msg(letter, signers, "F05" if op == "close" else "F12", **where | fields)

    def ack(self, letter: str, seat: str, of: Sent, step: str = "read", **fields: Any) -> Sent:
        """An acknowledgement."""
        where = _split(fields, "expect", "seen", "by", "spoil", "drop")
        doc = {
            "v": 1, "chan": self.chan, "from": self.kid(letter, seat), "mid": of.doc["mid"], "ph": of.ph, "step": step,
            "ts": self.ts[letter], **fields,
        }  # fmt: skip
        return self.sign(letter, "ack", doc, where.pop("by", [seat]), **where)

    def confirm(self, letter: str, seat: str, of: Sent, **fields: Any) -> Sent:
        """The second person of an emergency release."""
        where = _split(fields, "expect", "seen", "ts", "by")
        doc = {
            "v": 1, "chan": self.chan, "from": self.kid(letter, seat), "mid": of.doc["mid"], "ph": of.ph,
            "ts": self.ts[letter], **fields,
        }  # fmt: skip
        return self.sign(letter, "confirm", doc, where.pop("by", [seat]), **where)

    def watch(self, letter: str, op: str, seat: str, on: str = "", off: str = "", **fields: Any) -> Sent:
        """Taking, handing over or leaving a post."""
        where = _split(fields, "expect", "seen", "by")
        doc = {"v": 1, "chan": self.chan, "seat": seat, "op": op, "ts": self.ts[letter], **fields}
        doc |= {name: self.kid(letter, who) for name, who in (("on", on), ("off", off)) if who}
        return self.sign(letter, "watch", doc, where.pop("by", [s for s in (on, off) if s]), **where)

    def exercise(self, letter: str, seat: str, op: str, x: int = 0, **fields: Any) -> Sent:
        """Exercise control."""
        where = _split(fields, "expect", "blobs", "seen")
        doc = {"v": 1, "chan": self.chan, "from": self.kid(letter, seat), "op": op, "x": x, "ts": self.ts[letter]}
        if "sign_mode" in fields:
            where["mode"] = fields.pop("sign_mode")
        return self.sign(letter, "exercise", doc | fields, [seat], **where)


def spoiled(env: bytes, kid: bytes) -> bytes:
    """The envelope with one bit changed in the signature under ``kid``."""
    kind, payload, pairs = unpack(env)
    return pack([kind, payload, [[k, flipped(sig) if k == kid else sig] for k, sig in pairs]])


def _split(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: fields.pop(name) for name in names if name in fields}
