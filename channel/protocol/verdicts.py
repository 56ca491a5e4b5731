"""What the fold says of records, messages and parties: plain values, frozen, without rules of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channel.protocol.record import Record
from keys.documents import Member, Root, Roster
from keys.envelope import Envelope
from keys.identity import PublicKey

LETTERS = ("a", "b")


@dataclass(frozen=True, slots=True)
class Signer:
    """A person's signature that verified: who, in which seat, as the roster said at that record."""

    kid: bytes
    person: str
    role: str
    seat: str
    standing: str
    played: bool


@dataclass(slots=True)
class Entry:
    """A record as judged. Position ``i`` in log ``p`` (0 = a), ``seen`` = joined size of the other log it stands on.

    A record whose own ``seen`` or ``ts`` was refused counts with its predecessor's (docs/state.md).
    """

    p: int
    i: int
    number: int
    """Log number (succession), not the message number."""
    raw: bytes = field(repr=False)
    record: Record | None = field(repr=False)
    seen: int = 0
    ts: int = 0
    astray: bool = False
    """Its own ``seen`` or ``ts`` is refused."""
    false_seen: bool = False
    """Its ``seen`` is not the other log's, or falls: evidence E5."""
    envelope: Envelope | None = field(default=None, repr=False)
    doc: Any = field(default=None, repr=False)
    reason: str = ""
    signers: tuple[Signer, ...] = ()
    signed: bool = False
    """A ``msg`` whose signatures all verified, whatever came later."""
    name: str = ""
    """The message number PARTY-YYYY-NNNNNN of a ``msg`` record."""
    expired: bool = False

    @property
    def t(self) -> str:
        """The record's type; empty for an opaque leaf."""
        return self.record.t if self.record is not None else ""

    @property
    def ph(self) -> bytes:
        """The payload hash; empty for ``node.*``."""
        return self.envelope.hash if self.envelope is not None else b""

    @property
    def at(self) -> tuple[int, int]:
        """The pair of prefixes (a, b) that the record stands on, itself excluded."""
        return (self.i, self.seen) if self.p == 0 else (self.seen, self.i)

    def below(self, at: tuple[int, int]) -> bool:
        """Whether the record lies within the prefixes ``at``."""
        return self.i < at[self.p]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one record. ``reason``: "" valid, "OPAQUE" a leaf that is kept and ignored, else docs/state.md."""

    letter: str
    index: int
    raw: bytes = field(repr=False)
    record: Record | None = field(repr=False)
    envelope: Envelope | None = field(repr=False)
    doc: Any = field(repr=False)
    reason: str
    signers: tuple[Signer, ...]
    flags: frozenset[str]
    number: str


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message with what came after it. Times in ms; ``deadlines`` in the receiving party's clock, None if not due."""

    verdict: Verdict
    ph: bytes
    mid: bytes
    case: bytes | None
    acks: tuple[Verdict, ...]
    confirm: str
    """"" where none is asked, else "awaiting", "in time" or "late"."""
    receipt_time: int | None
    deadlines: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class PartyView:
    """A party as of the end of the judged cut. ``members`` and ``keys`` by key id, signing and seal keys."""

    letter: str
    code: str
    roster: Roster
    root: Root
    members: Mapping[bytes, Member]
    keys: Mapping[bytes, PublicKey]
    persons: Mapping[str, tuple[str, str]]
    """Person id to (English, Chinese)."""
    seats: Mapping[str, tuple[str, str]]
