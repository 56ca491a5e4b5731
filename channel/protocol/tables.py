"""Everything the fold remembers of the records judged so far, and what a record may look up in it.

A lookup takes the record or the prefixes it stands on and never sees beyond them, so the order in which two logs are
read makes no difference (docs/protocol.md 12.1). Judging reads; only ``channel.protocol.effects`` writes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from channel.protocol.charter import Policy
from channel.protocol.ladder import Ladder
from channel.protocol.members import History, Standing, void
from channel.protocol.opening import Opening
from channel.protocol.verdicts import LETTERS, Entry
from keys.errors import Unavailable
from keys.identity import PublicKey

Blobs = Callable[[bytes], bytes | None]
StepKey = tuple[bytes, str, int]
_KEPT = 65_536
_good: OrderedDict[bytes, None] = OrderedDict()


def verifies(mode: int, key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether a signature verifies. Good ones are remembered by hash, so a record judged twice costs once."""
    known = sha256(bytes([mode]) + key.kid + sha256(message).digest() + sha256(signature).digest()).digest()
    if known in _good:
        return True
    if not key.verify(mode, message, signature):
        return False
    _good[known] = None
    if len(_good) > _KEPT:
        _good.popitem(last=False)
    return True


@dataclass(frozen=True, slots=True)
class PolicyAt:
    """A policy with the position of its record."""

    index: int
    hash: bytes
    policy: Policy


@dataclass(slots=True)
class Side:
    """What one party's log has brought."""

    history: History
    entries: list[Entry] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    """What each record counts with; never falls."""
    named: set[bytes] = field(default_factory=set)
    """Blobs that its records name, those of messages left out."""
    policies: list[PolicyAt] = field(default_factory=list)
    contacts: tuple[int, bytes] = (0, bytes(32))
    """Version and payload hash of the newest fall-back list."""
    mids: dict[bytes, Entry] = field(default_factory=dict)
    payloads: set[bytes] = field(default_factory=set)
    messages: int = 0
    """``msg`` records so far, refused ones too."""
    posts: list[tuple[int, dict[str, bytes]]] = field(default_factory=lambda: [(-1, {})])
    """Index of a watch record, and who holds which seat after it."""
    steps: dict[StepKey, Entry] = field(default_factory=dict)
    ended: int | None = None
    """Index in this log of the exercise's ``endex``."""
    closed_numbers: set[int] = field(default_factory=set)
    """Log numbers whose ``succeed`` was refused."""

    def posts_at(self, size: int) -> dict[str, bytes]:
        """Who holds which seat on the first ``size`` records."""
        return self.posts[bisect_right(self.posts, size - 1, key=lambda p: p[0]) - 1][1]


@dataclass(slots=True)
class Clock:
    """The exercise clock, as the host's records set it."""

    state: str = ""
    """"" before the start, then running, paused, ended."""
    rate: int = 1
    x: int = 0
    """Exercise time of the last clock record, ms."""
    ts: int = 0
    """Time of that record, ms."""


class Tables:
    """The fold's memory."""

    def __init__(self, chan: bytes, opening: Opening, blob: Blobs) -> None:
        self.chan, self.opening, self._blob = chan, opening, blob
        self.mode: int = opening.charter.mode
        self.codes = tuple(p.code for p in opening.charter.parties)
        self.sides = (Side(History(opening.parties[0])), Side(History(opening.parties[1])))
        self.ladder = Ladder()
        self.messages: dict[bytes, Entry] = {}
        """Valid messages by payload hash, of both parties."""
        self.receipts: dict[bytes, Entry] = {}
        """Valid ``ack``, ``confirm`` and ``watch`` records by payload hash."""
        self.acks: dict[bytes, list[Entry]] = {}
        self.confirms: dict[bytes, Entry] = {}
        self.replies: dict[bytes, list[Entry]] = {}
        """Valid messages that have a message in ``refs``."""
        self.authored: dict[tuple[int, bytes, bytes], set[bytes]] = {}
        """(party, from, mid) to the payloads that were validly signed: two are evidence E4."""
        self.evidence: list[tuple[str, list[Any], Any]] = []
        self.clock = Clock()
        self.twins = {
            PublicKey(3 - self.mode, key.suite, key.raw).kid
            for standing in opening.parties
            for key in standing.admitted.known.values()
        }

    def standings(self, e: Entry) -> tuple[Standing, Standing]:
        """Own and other party's members on the prefixes that a record stands on."""
        return self.sides[e.p].history.before(e.i), self.sides[1 - e.p].history.before(e.seen)

    def stands_on(self, e: Entry, earlier: Entry) -> bool:
        """Whether ``earlier`` lies within the prefixes that ``e`` stands on."""
        return earlier.below(e.at)

    def policy_at(self, at: tuple[int, int]) -> PolicyAt:
        """The newest policy whose record stands in both prefixes."""
        best = PolicyAt(-1, self.opening.policy_hash, self.opening.policy)
        for mine in self.sides[0].policies:
            if mine.index < at[0] and any(o.hash == mine.hash and o.index < at[1] for o in self.sides[1].policies):
                best = mine
        return best

    def receipt_index(self, p: int, i: int) -> int | None:
        """Index of the first record of the other log whose ``seen`` covers record ``i`` of log ``p``."""
        other = self.sides[1 - p]
        found = bisect_right(other.seen, i)
        return found if found < len(other.seen) else None

    def receipt_time(self, p: int, i: int, limit: int | None = None) -> int | None:
        """Receipt time of record ``i`` of log ``p``, within the first ``limit`` records of the other log; ms."""
        found = self.receipt_index(p, i)
        if found is None or (limit is not None and found >= limit):
            return None
        return self.sides[1 - p].entries[found].ts

    def waited(self, k: int, e: Entry) -> int:
        """Milliseconds since the receipt time of own record ``k``, as known to ``e``; -1 before it."""
        t = self.receipt_time(e.p, k, e.seen)
        return -1 if t is None else self.sides[1 - e.p].entries[e.seen - 1].ts - t

    def cooled(self, k: int, e: Entry, policy: Policy) -> bool:
        """Whether a key that record ``k`` of the own log admitted may sign; -1 = the charter's own roster."""
        return k < 0 or policy.cooling == 0 or self.waited(k, e) >= policy.cooling

    def kem_ok(self, k: int, p: int, e: Entry, policy: Policy) -> bool:
        """Whether a seal key that record ``k`` of log ``p`` replaced may still be named by ``e``."""
        if p == e.p:
            return self.waited(k, e) <= policy.limits.kem_grace
        t = self.receipt_time(p, k, e.i) if k < e.seen else None
        return t is None or e.ts - t <= policy.limits.kem_grace

    def on_watch(self, p: int, size: int) -> bool:
        """Whether, on the first ``size`` records of log ``p``, a valid key holds a seat."""
        standing = self.sides[p].history.before(size)
        return any(standing.signer(kid) is not None for kid in self.sides[p].posts_at(size).values())

    def is_void(self, e: Entry, kid: bytes) -> bool:
        """Whether both parties have admitted a key, as far as ``e`` stands on it."""
        return void(kid, *self.standings(e))

    def blobs_of(self, e: Entry) -> Blobs:
        """Blobs that the record, or an earlier one of its log that is no message, names; None for any other.

        ``Unavailable`` FOLD_BLOB if one that is named is not here.
        """
        names = set(e.record.blobs) if e.record is not None else set()

        def find(address: bytes) -> bytes | None:
            if address not in names and address not in self.sides[e.p].named:
                return None
            return fetch(self._blob, address)

        return find

    def letter(self, e: Entry) -> str:
        """The letter of a record's log."""
        return LETTERS[e.p]


def fetch(blob: Blobs, address: bytes) -> bytes:
    """A blob that a record names, or ``Unavailable`` FOLD_BLOB: without it there is no judging."""
    found = blob(address)
    if found is None:
        raise Unavailable("FOLD_BLOB", hash=address)
    return found
