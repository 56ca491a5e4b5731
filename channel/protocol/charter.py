"""What both parties agreed: the charter (for ever), the policy (by both authorities), and a party's own contacts.

The channel id is the charter: ``chan = SHA-256("dcx/v1/channel\\0" ‖ PAE(type, payload))`` over the payload, not the
envelope, because signatures are randomised (docs/protocol.md sections 4, 4.1 and 4.2). Shapes and the checks that
need no other document; who signed is judged by ``channel.protocol.opening`` and the fold.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from keys.envelope import media_type, pae
from keys.shapes import (
    Count,
    Document,
    Ed,
    Hash,
    Language,
    MlDsa44,
    Mode,
    Name,
    PartyCode,
    Shape,
    Time,
    TwoNames,
    Version,
    check_name,
)

LevelCode = Literal["routine", "attention", "consultation", "serious", "crisis", "principals"]
ORDER: tuple[LevelCode, ...] = ("routine", "attention", "consultation", "serious", "crisis", "principals")
Precedence = Literal["Z", "O", "P", "R"]
Slot = Annotated[
    tuple[Annotated[str, Meta(pattern=r"\A[a-z]+(@[a-z0-9][a-z0-9._-]{0,63})?\Z")], ...],
    Meta(min_length=1, max_length=8),
]
Slots = Annotated[tuple[Slot, ...], Meta(min_length=1, max_length=4)]
Seconds = Annotated[int, Meta(ge=0, le=2**32 - 1)]
AnswerCode = Literal["YES", "NO", "NOI", "CHK", "NOT", "CNC", "NEN", "REF"]


class NoteKeys(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The raw public keys of a log, side log or cosigner."""

    ed: Ed
    ml: MlDsa44


class CharterParty(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the two: its name, language, first root and roster, the keys of log number 0 and its first TLS pin."""

    code: PartyCode
    name: TwoNames
    lang: Language
    root: Hash
    roster: Hash
    log: NoteKeys
    side: NoteKeys
    cos: NoteKeys
    cert: Hash


class Charter(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The channel's founding document; it never changes."""

    mode: Mode
    title: TwoNames
    parties: Annotated[tuple[CharterParty, ...], Meta(min_length=2, max_length=2)]
    suites: Annotated[tuple[Annotated[int, Meta(ge=1, le=0xFFFF)], ...], Meta(min_length=1, max_length=16)]
    host: PartyCode | UnsetType = UNSET
    policy: Hash
    nonce_a: Hash
    nonce_b: Hash
    created: Time
    supersedes: Hash

    def __post_init__(self) -> None:
        a, b = self.parties
        if a.code >= b.code:
            raise ValueError("parties not sorted by code")
        if any(x >= y for x, y in pairwise(self.suites)):
            raise ValueError("suites not sorted, or one twice")
        if self.host is not UNSET and (self.mode != 2 or self.host not in (a.code, b.code)):
            raise ValueError("a host stands in an exercise charter only and is one of the parties")

    def letter(self, code: str) -> str:
        """The letter, a or b, of a party's code; ``KeyError`` for no party."""
        return {p.code: x for p, x in zip(self.parties, "ab", strict=True)}[code]

    def party(self, letter: str) -> CharterParty:
        """The party of a letter."""
        return self.parties["ab".index(letter)]


def channel_id(charter_payload: bytes) -> bytes:
    """The 32 bytes that name the channel."""
    return sha256(b"dcx/v1/channel\0" + pae(media_type("charter"), charter_payload)).digest()


class Level(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A level: who may enter and lower it, and its deadlines in seconds from receipt time."""

    code: LevelCode
    prec: Precedence
    enter: Slots
    lower: Slots
    read: Seconds
    engaged: Seconds | UnsetType = UNSET
    informed: Seconds | UnsetType = UNSET
    reply: Seconds
    update: Seconds | UnsetType = UNSET


class SignTable(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who must sign what does not enter or lower a level."""

    line: Slots
    person: Slots
    expert: Slots
    two: Slots
    official: Slots


class Limits(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes in bytes, ``kem_grace`` in ms, ``draft_ttl`` and ``confirm_s`` in seconds, rates per minute."""

    max_body: Annotated[int, Meta(ge=1, le=524_288)]
    max_to: Annotated[int, Meta(ge=2, le=20)]
    kem_grace: Count
    draft_ttl: Seconds
    link_window: Count
    confirm_s: Seconds
    rate_msg: Count
    rate_peer: Count


class Timers(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds; ``steps`` in per cent of a deadline."""

    hb_s: Annotated[int, Meta(ge=1)]
    stale_s: Annotated[int, Meta(ge=1)]
    cosign_s: Annotated[int, Meta(ge=1)]
    test_s: Annotated[int, Meta(ge=1)]
    steps: Annotated[tuple[Annotated[int, Meta(ge=1, le=10_000)], ...], Meta(min_length=4, max_length=4)]


class Witness(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A third party that may cosign, by its C2SP vkey."""

    name: Name
    vkey: Annotated[str, Meta(max_length=4096)]


class Policy(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ladder, tables, limits and books: data that both authorities may replace together."""

    mode: Mode
    ver: Version
    prev: Hash
    chan: Hash | UnsetType = UNSET
    fold: Annotated[int, Meta(ge=1)]
    levels: Annotated[tuple[Level, ...], Meta(min_length=6, max_length=6)]
    sign: SignTable
    holding: tuple[AnswerCode, ...]
    formats: Hash
    codes: Hash
    limits: Limits
    categories: tuple[Annotated[str, Meta(pattern=r"\A[A-Z0-9]{2,8}\Z")], ...]
    cooling: Count
    timers: Timers
    witnesses: tuple[Witness, ...]
    quorum: Count

    def __post_init__(self) -> None:
        if tuple(level.code for level in self.levels) != ORDER:
            raise ValueError("levels are not the six in their order")
        if (self.chan is UNSET) != (self.ver == 1):
            raise ValueError("chan stands from version 2 on, and only there")

    def level(self, code: str) -> Level:
        """The level of a code."""
        return next(level for level in self.levels if level.code == code)


class Contact(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the fall-back list."""

    kind: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9-]{0,31}\Z")]
    en: Name
    zh: Name
    addr: Name
    hours: Name | UnsetType = UNSET

    def __post_init__(self) -> None:
        for text in (self.en, self.zh, self.addr, *(() if isinstance(self.hours, UnsetType) else (self.hours,))):
            check_name(text)


class Contacts(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party's fall-back list, in order, signed by one operator of that party."""

    mode: Mode
    party: PartyCode
    ver: Version
    prev: Hash
    list: tuple[Contact, ...]
    ts: Time


class Final(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a retired log ends."""

    size: Count
    root: Hash


class Succeed(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party's log goes on under a new number with new keys; the party's root threshold signs."""

    chan: Hash
    party: PartyCode
    old_origin: Annotated[str, Meta(max_length=80)]
    final: Final
    note: bytes
    log_no: Version
    log: NoteKeys
    side: NoteKeys
    cos: NoteKeys
    reason: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9-]{0,31}\Z")]
