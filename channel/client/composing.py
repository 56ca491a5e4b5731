"""From what a person wants to say to the bytes that are signed: header, checks against the book, sealing.

Nothing leaves the desk here. What the rules refuse is refused before anything is sealed, with the field named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from channel.client.view import View
from channel.protocol.charter import ORDER, Policy
from channel.protocol.formats import Book
from channel.protocol.header import FormatCode, Header, Move, Payload
from channel.protocol.message import Sealed, seal
from channel.protocol.verdicts import MessageView
from keys.documents import Member
from keys.errors import Refused, Unverified, WrongUse
from keys.identity import PrivateKey
from keys.shapes import ZERO, Language

FACTS = ("category", "origin", "intent", "since", "control")
CODED = ("category", "origin", "intent", "control")
ELSEWHERE = {"F02": "readback", "F07": "reply", "F12": "raise", "F14": "correct"}
"""Formats that commands of their own make; here their fields are listed."""
LEVELS = {"F01": "routine", "F08": "routine"}
"""Of messages that stand in no case and open none; of all others "attention", where none is named."""
MAIN = {
    "F01": "text", "F03": "line", "F04": "line", "F05": "outcome", "F06": "observed", "F07": "text",
    "F08": "observables", "F09": "about", "F10": "text", "F11": "text", "F13": "entry",
}  # fmt: skip
"""The field that the words of the command fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a person wants to say, before it is sealed. ``case`` is the payload hash of the opening message.

    ``cosign``: signing key ids of the other signers. ``level``: of an opening message; all others take their case's.
    ``to``: seal key ids of the readers, None for all who read messages; both records keys are always added.
    """

    fmt: FormatCode
    body: Mapping[str, Any]
    lang: Language
    to: tuple[bytes, ...] | None = None
    level: str = "attention"
    case: bytes | None = None
    refs: tuple[bytes, ...] = ()
    status: str = "message"
    cosign: tuple[bytes, ...] = ()
    single: bool = False
    move: Move | None = None
    ans: str | None = None
    cor: str | None = None
    tlp: str | None = None
    pap: str | None = None
    ack_by: int | None = None
    reply_by: int | None = None


@dataclass(frozen=True, slots=True)
class Composed:
    """A sealed message that nobody has signed yet, with its content key."""

    sealed: Sealed
    cek: bytes


def compose(
    view: View,
    sign: PrivateKey,
    suite: int,
    draft: Draft,
    now: int,
    random: Callable[[int], bytes],
    mid: bytes | None = None,
) -> Composed:
    """Check and seal. ``Refused`` FMT names the field; ``suite`` is that of the seal keys; ``mid`` else a random one."""
    header = header_of(view, sign.kid, suite, draft, now, random(16) if mid is None else mid)
    policy = view.fold.policy(view.letter)
    _check_header(policy, draft, header)
    first = view.fold.find(draft.refs[0]) if draft.refs else None
    after = first.verdict.doc.fmt if first is not None and isinstance(first.verdict.doc, Payload) else ""
    book_of(view).check(
        draft.fmt, draft.body, status=header.status, categories=policy.categories, to=header.to, after=after
    )
    held = {**view.fold.party("a").keys, **view.fold.party("b").keys}
    cek = random(32)
    sealed = seal(
        header,
        draft.body,
        {kid: held[kid] for kid in header.to},
        view.charter.mode,
        cek=cek,
        salts={name: random(16) for name in draft.body},
        max_body=policy.limits.max_body,
    )
    return Composed(sealed, cek)


def _check_header(policy: Policy, draft: Draft, header: Header) -> None:
    """``Refused`` FMT for what a person chose in the header and the log would not take."""
    pace = policy.level("crisis" if draft.single else header.level)
    for name, given, least in (("ack_by", draft.ack_by, pace.read), ("reply_by", draft.reply_by, pace.reply)):
        if given is not None and given < least:
            raise Refused("FMT", fmt=draft.fmt, field=name, why="shorter")
    if draft.single and (draft.fmt != "F13" or draft.cosign):
        raise Refused("FMT", fmt=draft.fmt, field="single", why="one person")


def header_of(view: View, author: bytes, suite: int, draft: Draft, now: int, mid: bytes) -> Header:
    """The header of a draft, as of what this desk has seen."""
    level = level_of(view, draft)
    limits = book_of(view).defaults(draft.fmt)
    return Header(
        chan=view.chan,
        from_=author,
        mid=mid,
        ts=now,
        prev=_previous(view, author),
        suite=suite,
        to=_readers(view, draft),
        fmt=draft.fmt,
        level=level,
        prec=view.fold.policy(view.letter).level(level).prec,
        status=_set(draft.status),
        refs=draft.refs or UNSET,
        lang=draft.lang,
        cosign=tuple(sorted(draft.cosign)) or UNSET,
        single=True if draft.single else UNSET,
        case=UNSET if draft.case is None else draft.case,
        move=UNSET if draft.move is None else draft.move,
        ans=_set(draft.ans),
        cor=_set(draft.cor),
        tlp=_set(draft.tlp or limits["tlp"]),
        pap=_set(draft.pap or limits["pap"]),
        ack_by=_set(draft.ack_by),
        reply_by=_set(draft.reply_by),
    )


def level_of(view: View, draft: Draft) -> Any:
    """The level that a message is written at: what its move says, its case's, or what it opens at."""
    if draft.move is not None:
        named = draft.move.to if draft.move.op == "raise" else draft.move.from_
        return "routine" if named is UNSET else named
    if draft.case is None:
        return draft.level
    return view.fold.case_level(draft.case) or "routine"


def closing(view: View, fmt: str, case: MessageView | None) -> Move | None:
    """F05 asks to close its case at the level that it has, over all that this desk has seen; None for any other format.

    ``WrongUse`` CASE_NEEDED without an open case, ``Refused`` CLOSE_LEVEL where it has to be lowered first.
    """
    if fmt != "F05":
        return None
    level: Any = None if case is None else view.fold.case_level(case.ph)
    if level is None:
        raise WrongUse("CASE_NEEDED", fmt=fmt)
    if ORDER.index(level) > ORDER.index("attention"):
        raise Refused("CLOSE_LEVEL", level=level)
    return Move(op="close", from_=level, at=view.fold.cut)


def book_of(view: View, policy: Policy | None = None) -> Book:
    """The format book and the code book of a policy, by default the one in force; ``Unverified`` BOOK if one is not here."""
    policy = policy or view.fold.policy(view.letter)
    hashes = policy.formats, policy.codes
    if hashes not in view.books:
        formats, codes = map(view.home.blob, hashes)
        if formats is None or codes is None:
            raise Unverified("BOOK")
        view.books[hashes] = Book.read(formats, codes)
    return view.books[hashes]


def seal_keys(view: View) -> dict[bytes, tuple[str, Member]]:
    """Every member that a message can be sealed to now, with the party's code, by seal key id; the own side first."""
    found = {}
    for letter in (view.letter, view.peer):
        party = view.fold.party(letter)
        for member in party.members.values():
            if (kid := view.fold.current_kem(letter, member.kid)) is not None:
                found[kid] = party.code, member
    return found


def _readers(view: View, draft: Draft) -> tuple[bytes, ...]:
    if draft.to is None:
        return view.fold.recipients()
    records = (kid for kid, (_, member) in seal_keys(view).items() if member.role == "records")
    chosen, limit = {*draft.to, *records}, view.fold.policy(view.letter).limits.max_to
    if len(chosen) > limit:
        raise Refused("TOO_MANY_READERS", count=len(chosen), limit=limit)
    return tuple(sorted(chosen))


def _previous(view: View, author: bytes) -> bytes:
    return view.index.previous(author) or ZERO


def _set(value: Any) -> Any:
    return UNSET if value is None else value
