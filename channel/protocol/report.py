"""What an audit says of an archive: the first failure with its place, or what was found (docs/protocol.md 16.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NoReturn

from channel.protocol.archive import Section
from channel.protocol.reveal import Revealed
from channel.protocol.verdicts import Signer

Letter = Literal["a", "b"]
LETTERS: tuple[Letter, Letter] = ("a", "b")


@dataclass(frozen=True, slots=True)
class Failure:
    """The first thing that does not hold, and where in the file. ``index``: of the section, or of a pinned record."""

    part: str
    index: int
    offset: int
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class AuditedMessage:
    """One message that counts, or in a proof one that is signed as it must be. Times in ms.

    ``number`` is PARTY-YYYY-NNNNNN; a proof can't count, so there it is ``ref``. ``authored`` is its author's time,
    ``logged`` its node's. ``receipt_time``: of the first record given of the other side that has seen it.
    """

    number: str
    ref: str
    """The record as PARTY:position."""
    ph: bytes
    person: str
    seat: str
    role: str
    standing: str
    authored: int
    logged: int
    receipt_time: int | None
    acks: tuple[str, ...]
    signers: tuple[Signer, ...]
    """All who signed, the author among them; ``played``: by control, in an exercise."""
    confirm: str
    """"" where no second signature is asked, else "awaiting", "in time" or "late"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the audit found.

    ``complete_to`` by party code, in joined positions; ``cosigned_at`` in seconds, the older of both anchors. A proof
    says nothing about records that it does not hold, and has no ``state_hash``.
    """

    exit_code: int
    form: str = ""
    """"full" or "proof", once that is known."""
    failure: Failure | None = None
    chan: bytes | None = None
    complete_to: dict[str, int] = field(default_factory=dict)
    cosigned_at: int | None = None
    state_hash: bytes | None = None
    messages: tuple[AuditedMessage, ...] = ()
    persons: dict[str, tuple[str, str]] = field(default_factory=dict)
    """PARTY:person of the newest rosters: names in English and Chinese."""
    seats: dict[str, tuple[str, str]] = field(default_factory=dict)
    """PARTY:seat of the newest rosters: names in English and Chinese."""
    refused: tuple[tuple[str, int, str], ...] = ()
    """Letter, joined position and reason of records that do not count."""
    flags: tuple[tuple[str, int, str], ...] = ()
    """Letter, joined position and flag of records: EXPIRED keys, or a time askew; they change nothing."""
    reveals: tuple[Revealed, ...] = ()
    attested: tuple[str, ...] = ()
    """PARTY/number of ended log numbers whose last note is no anchor: the authority's signatures stand in its place."""
    evidence: tuple[str, ...] = ()
    """Kinds of the evidence that was proved, in the file and in its records."""
    claimed: tuple[str, ...] = ()
    """PARTY:position of evidence records that prove nothing."""
    warnings: tuple[str, ...] = ()


class Failed(Exception):
    """Ends an audit at its first failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


def fail(section: Section, code: str, why: str) -> NoReturn:
    """End at a section."""
    raise Failed(Failure(section.part, section.index, section.offset, code, why))
