"""What a person is writing, kept in the home, sealed to that person alone: it survives locking, reloading and restarts.

    await keep(desk, written)              # also at a locked desk: sealing needs no secret
    written = load(desk, id_)              # needs the person
    draft = to_draft(client, written)      # what would be sent

Nothing that was typed lies in clear on the disk. It stays until it is sent or thrown away. The sealing is that of the
side log's notes (docs/protocol.md 11.6), with the id inside, so that one text can't be put in another's place.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from channel.client.composing import LEVELS, Draft, closing
from channel.client.moves import move_of
from channel.client.present import find, find_case
from channel.client.receipts import correction_about
from channel.client.typed import cosigners
from channel.desk import forms
from channel.protocol.draft import open_own, seal_own
from channel.protocol.header import Move
from channel.protocol.ladder import OPENING
from channel.protocol.people import SideNote
from keys.codec import pack, unpack
from keys.errors import Malformed, Refused, Unverified, WrongUse

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.desk.open_desk import OpenDesk
    from channel.protocol.verdicts import MessageView
    from keys.identity import PublicKey

HOLDS = ("suspend", "resume")
MOVES = ("raise", "lower", "concur", "object")


@dataclass(slots=True, kw_only=True)
class Written:
    """What somebody is writing, as typed.

    ``case``: the number of its opening message, "" in none; ``refs``: numbers or records; ``op``, ``to_level``: of a
    move; ``readers``: seats such as "us:expert-1", None for all; ``ack_by``, ``reply_by`` in seconds.
    ``case_seen``: what the desk had seen of both logs (a, b) when it was begun; ``did``: the draft in the side log that
    it became; ``viewed``: the case that was being looked at when it was begun.
    """

    id: str
    fmt: str
    lang: str
    level: str | None = None
    case: str = ""
    refs: tuple[str, ...] = ()
    op: str = ""
    to_level: str = ""
    ans: str = ""
    cor: str = ""
    single: bool = False
    test: bool = False
    tlp: str = ""
    pap: str = ""
    cosign: tuple[str, ...] = ()
    readers: tuple[str, ...] | None = None
    ack_by: int | None = None
    reply_by: int | None = None
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    saved: int = 0
    case_seen: tuple[int, int] = (0, 0)
    did: str = ""
    viewed: str = ""

    @property
    def opens(self) -> bool:
        """Whether it opens a case when it is sent."""
        return self.fmt in OPENING and not self.case and not self.test


# --- kept, sealed -----------------------------------------------------------------------------------------------------


async def keep(desk: OpenDesk, written: Written, author: bytes | None = None) -> None:
    """Seal and keep; whoever began it stays its only reader. ``Refused`` LOCKED at a locked desk for one never kept.

    ``author``: the signing key of whoever wrote it, where that is not whoever is at the desk.
    """
    written.saved = desk.now()
    kid = desk.home.autosaver(written.id) or author or desk.client.keys.sign.kid
    key = _seal_key(desk, kid)
    document = SideNote(
        chan=desk.client.view.chan,
        from_=kid,
        to=(key.kid,),
        suite=key.suite,
        kc=bytes(32),
        blob=bytes(32),
        blen=0,
        ts=written.saved,
    )
    body = {"written": msgspec.json.encode(written)}
    note, blob = seal_own(document, body, {key.kid: key}, desk.client.view.charter.mode, desk.random(32))
    desk.home.autosave(written.id, kid, written.saved, pack([pack(note), blob]))


def load(desk: OpenDesk, id_: str) -> Written:
    """One's own text, opened. ``WrongUse`` NO_DRAFT, ``Refused`` LOCKED."""
    found = next((sealed for known, _, sealed in desk.home.autosaved(desk.client.keys.sign.kid) if known == id_), None)
    if found is None:
        raise WrongUse("NO_DRAFT", ref=id_)
    return _opened(desk, id_, found)


def mine(desk: OpenDesk) -> list[Written]:
    """What the person at the desk is writing, oldest first; what does not open any more is left out."""
    found = []
    for id_, _, sealed in desk.home.autosaved(desk.client.keys.sign.kid):
        with suppress(Unverified, Malformed):
            found.append(_opened(desk, id_, sealed))
    return found


def drop(desk: OpenDesk, id_: str) -> None:
    """It went out, or was thrown away."""
    desk.home.drop_autosave(id_)


def _opened(desk: OpenDesk, id_: str, sealed: bytes) -> Written:
    note, blob = unpack(sealed, tuple[bytes, bytes])
    body = open_own(unpack(note, SideNote), blob, desk.client.keys.seal, desk.client.view.charter.mode)
    try:
        written = msgspec.json.decode(body.get("written", b""), type=Written)
    except (msgspec.MsgspecError, TypeError) as e:
        raise Malformed("PARSE") from e
    if written.id != id_:
        raise Unverified("UNOPENED", why="NAMES")
    return written


def _seal_key(desk: OpenDesk, kid: bytes) -> PublicKey:
    """The seal key of whoever writes: of the person at the desk, else as the roster has it."""
    if not desk.locked and desk.client.keys.sign.kid == kid:
        return desk.client.keys.seal.public
    view = desk.client.view
    seal_kid = view.fold.current_kem(view.letter, kid)
    if seal_kid is None:
        raise Refused("LOCKED")
    return view.fold.party(view.letter).keys[seal_kid]


# --- what would be sent -----------------------------------------------------------------------------------------------


def to_draft(client: Client, written: Written) -> Draft:
    """What is written as a message to be sealed. ``Refused`` FMT and ``WrongUse`` name the field that does not fit."""
    body = forms.body_of(client, written.fmt, written.values)
    return draft_with(client, written, body)


def draft_with(client: Client, written: Written, body: dict[str, Any]) -> Draft:
    """The same with a body that was read before."""
    opening = find_case(client, written.case) if written.case else None
    case, move, refs = _bound(client, written, opening)
    if written.fmt == "F04" and opening is None:
        raise WrongUse("CASE_NEEDED", fmt=written.fmt)
    if written.opens and not written.level:
        raise Refused("FMT", fmt=written.fmt, field="level", why="missing")
    return Draft(
        fmt=_any(written.fmt),
        body=body,
        lang=_any(written.lang),
        to=_readers(client, written),
        level=written.level or LEVELS.get(written.fmt, "attention"),
        case=case,
        refs=refs,
        status="test" if written.test or written.fmt == "F01" else "message",
        cosign=cosigners(client, written.cosign),
        single=written.single,
        move=move,
        ans=written.ans or None,
        cor=written.cor or None,
        tlp=written.tlp or None,
        pap=written.pap or None,
        ack_by=written.ack_by,
        reply_by=written.reply_by,
    )


def _bound(
    client: Client, written: Written, opening: MessageView | None
) -> tuple[bytes | None, Move | None, tuple[bytes, ...]]:
    """Where a text belongs: its case, what it does to the level, what it refers to."""
    case = None if opening is None else opening.ph
    if written.fmt == "F14":
        if not written.refs:
            raise Refused("FMT", fmt="F14", field="refs", why="missing")
        concerned, about = correction_about(client, written.refs[0], written.cor)
        return about, None, (concerned,)
    if written.op in HOLDS:
        return None, Move(op=_any(written.op)), ()
    if written.op in MOVES:
        if opening is None:
            raise WrongUse("CASE_NEEDED", fmt=written.fmt)
        if written.op == "raise" and not written.to_level:
            raise Refused("FMT", fmt=written.fmt, field="to_level", why="missing")
        move, answered = move_of(client, opening, written.op, written.to_level)
        return case, move, answered
    found = [find(client, ref) for ref in written.refs]
    refs = tuple(message.ph for message in found)
    if written.fmt == "F04" and not refs and case is not None:
        refs = (case,)
    return case, closing(client.view, written.fmt, opening), refs


def _readers(client: Client, written: Written) -> tuple[bytes, ...] | None:
    if written.readers is None:
        return None
    known = forms.seats(client)
    for seat in written.readers:
        if seat not in known:
            raise WrongUse("NO_SEAT", seat=seat, seats=", ".join(known))
    return tuple(known[seat] for seat in written.readers)


def _any(value: Any) -> Any:
    return value
