"""What people sign beside messages, in the shared log and in the side log (docs/protocol.md 11.4 to 11.6 and 15).

Shapes only; whether a record counts is the fold's judgement (section 12).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from keys.shapes import Bytes16, Count, Document, Hash, Id, Language, Time

AckStep = Literal["read", "engaged", "informed", "not-engaging", "no-comment", "undecryptable"]
Code = Annotated[str, Meta(pattern=r"\A[A-Za-z][A-Za-z0-9-]{0,31}\Z")]
Wraps = Annotated[tuple[tuple[Hash, bytes], ...], Meta(min_length=1, max_length=20)]


class Ack(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt step by a person's act. ``next`` with not-engaging only, ``why`` with undecryptable only."""

    chan: Hash
    from_: Hash = field(name="from")
    mid: Bytes16
    ph: Hash
    step: AckStep
    next: Time | UnsetType = UNSET
    why: Code | UnsetType = UNSET
    ts: Time


class Confirm(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The second person of an emergency release."""

    chan: Hash
    from_: Hash = field(name="from")
    mid: Bytes16
    ph: Hash
    ts: Time


class Watch(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who keeps the watch in a seat. The envelope carries exactly ``on`` and ``off``."""

    chan: Hash
    seat: Id
    op: Literal["take", "handover", "leave"]
    on: Hash | UnsetType = UNSET
    off: Hash | UnsetType = UNSET
    ts: Time


class Kem(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member's new seal key in place of an old one; ``pop`` = hash of the proof (a blob)."""

    chan: Hash
    from_: Hash = field(name="from")
    kid_old: Hash
    kid_new: Hash
    pop: Hash
    ts: Time


class Exercise(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exercise control, mode 2 only; ``x`` = exercise time in ms. Which fields an op has: ``EXERCISE_FIELDS``."""

    chan: Hash
    from_: Hash = field(name="from")
    op: Literal[
        "startex", "pause", "resume", "rate", "jump", "endex", "open", "inject", "note", "reveal", "shown", "real-world"
    ]
    x: Time
    rate: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
    scenario: Hash | UnsetType = UNSET
    salt: Hash | UnsetType = UNSET
    id: Id | UnsetType = UNSET
    to: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=20)] | UnsetType = UNSET
    suite: int | UnsetType = UNSET
    kc: Hash | UnsetType = UNSET
    blob: Hash | UnsetType = UNSET
    blen: Count | UnsetType = UNSET
    mid: Bytes16 | UnsetType = UNSET
    cek: Hash | UnsetType = UNSET
    list: tuple[Any, ...] | UnsetType = UNSET
    ts: Time


_SEALED = frozenset({"id", "to", "suite", "kc", "blob", "blen"})
EXERCISE_FIELDS: dict[str, frozenset[str]] = {
    "startex": frozenset({"rate", "scenario"}),
    "pause": frozenset(),
    "resume": frozenset(),
    "rate": frozenset({"rate"}),
    "jump": frozenset(),
    "endex": frozenset(),
    "open": frozenset({"salt", "scenario"}),
    "inject": _SEALED,
    "note": _SEALED,
    "reveal": frozenset({"mid", "cek"}),
    "shown": frozenset({"list"}),
    "real-world": frozenset(),
}


class Draft(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Side log: a message sealed to its own-side signers only (11.4)."""

    chan: Hash
    from_: Hash = field(name="from")
    did: Bytes16
    to: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=20)]
    suite: int
    kc: Hash
    blob: Hash
    blen: Count
    ts: Time


class DraftSign(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Side log: a co-signer's signature over the message payload ``ph``; the session key signs the record."""

    chan: Hash
    did: Bytes16
    ph: Hash
    kid: Hash
    sig: bytes


class Withdraw(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Side log: the end of a draft."""

    chan: Hash
    from_: Hash = field(name="from")
    did: Bytes16
    why: Annotated[str, Meta(max_length=200)]


class Shown(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Side log, session key: a desk has shown a record to its person."""

    chan: Hash
    log: Literal["a", "b"]
    index: Count
    lang: Language
    ts: Time


class SideNote(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Side log: a note of an operator, sealed to the own side."""

    chan: Hash
    from_: Hash = field(name="from")
    to: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=20)]
    suite: int
    kc: Hash
    blob: Hash
    blen: Count
    ts: Time


class Reshare(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Side log: a message's content key for another member of the same party."""

    chan: Hash
    from_: Hash = field(name="from")
    mid: Bytes16
    ph: Hash
    wraps: Wraps
    ts: Time


class Use(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Side log: a use of a records key."""

    chan: Hash
    from_: Hash = field(name="from")
    kid: Hash
    why: Annotated[str, Meta(max_length=200)]
    ts: Time


class Login(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed by the person at unlock; the node keeps it as ``session`` in the side log (section 15)."""

    chan: Hash
    from_: Hash = field(name="from")
    cert: Hash
    nonce: Bytes16
    session: Hash
    ts: Time
