"""What own desks hand in: judged before it may stand in the log (docs/protocol.md sections 7, 11.1 and 12.2).

A submission is decoded, sized, judged by the fold as if it stood next (a dry run), and queued by precedence. What is
refused leaves nothing in the log, except crossings of the modes: those are added up in a ``node.alarm``. The same
envelope again gives the place where it stands. Rates never stop F13, F14 and acknowledgements.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from channel.node.writer import FLASH, Pending, Placed, check_blobs
from channel.protocol.header import Payload
from channel.protocol.message import BUCKETS
from channel.protocol.people import Draft, Exercise, Kem, SideNote
from channel.protocol.record import MAX_BLOBS, Record, read_record
from keys.codec import unpack
from keys.documents import Root, Roster
from keys.envelope import media_type, read_envelope
from keys.errors import Malformed, Refused
from keys.identity import read_key
from keys.shapes import Document, Hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from channel.node.sessions import Session
    from channel.node.station import Station
    from channel.node.writer import Writer
    from keys.envelope import Envelope

MAX_SUBMISSION = MAX_BLOBS + 128 * 1024
SHARED = frozenset(
    {"msg", "ack", "confirm", "watch", "kem", "revoke", "roster", "root", "policy", "contacts", "exercise"}
)
SIDE = frozenset({"shown", "note", "reshare", "use", "draft", "sign", "withdraw"})
BY_SESSION = frozenset({"shown", "sign", "draft"})  # the session key may sign these (docs/protocol.md 11.4 and 11.6)
BESIDE_BODY = 4096  # names and salts that are sealed with the body; sizes are padded to buckets
TAG = 16
_SEALED: Any = tuple[bytes, tuple[tuple[Hash, bytes], ...]]
_RANKS = {"Z": 0, "O": 1, "P": 2, "R": 3}
_NEVER_BLOCKED = frozenset({"F13", "F14"})


class Submission(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of ``submit``."""

    t: Annotated[str, Meta(max_length=16)]
    env: Annotated[bytes, Meta(max_length=65_535)]
    blobs: Annotated[tuple[bytes, ...], Meta(max_length=512)]


@dataclass(slots=True)
class Rate:
    """So many a minute for each key; times in monotonic seconds."""

    _times: dict[bytes, deque[float]] = field(default_factory=dict)

    def check(self, key: bytes, limit: int, now: float) -> None:
        """Count one, or ``Refused`` RATE with the seconds to wait. ``limit`` 0: none is set."""
        times = self._times.setdefault(key, deque())
        while times and times[0] <= now - 60:
            times.popleft()
        if limit and len(times) >= limit:
            raise Refused("RATE", seconds=int(times[0] + 60 - now) + 1)
        times.append(now)


class Intake:
    """Takes submissions for one channel. ``foreign`` tells the mode of a channel id or key id known elsewhere here."""

    def __init__(
        self, station: Station, shared: Writer, side: Writer, foreign: Callable[[bytes], int | None]
    ) -> None:  # fmt: skip
        self._station, self._shared, self._side, self._foreign = station, shared, side, foreign
        self._rate = Rate()

    async def take(self, raw: bytes, session: Session, now: float) -> tuple[str, Placed]:
        """The log (``a0``, ``a0s``) and the place of a submission. ``Malformed``, ``Refused`` or ``Unavailable``."""
        station = self._station
        station.check_writing()
        submission = unpack(raw, Submission)
        if submission.t in SIDE:
            return station.side.name, await self._take_side(submission, session)
        if submission.t not in SHARED:
            raise Refused("TYPE_CLOSED", t=submission.t)
        envelope = read_envelope(submission.env)
        pending = _pending(submission, envelope)
        if (placed := await self._known(pending, envelope)) is not None:
            return station.own.name, placed
        self._check_crossing(submission, envelope)
        if submission.t != "ack" and not is_urgent(submission.t, submission.env):
            self._rate.check(session.kid, station.policy().limits.rate_msg, now)
        await self._check_blobs_there(pending)
        self._judge(pending)
        return station.own.name, await self._shared.append(pending)

    async def _known(self, pending: Pending, envelope: Envelope) -> Placed | None:
        """Where this payload stands already; other bytes over the same payload are refused while that one counts.

        One that stands but does not count (a signature was stripped on the way) keeps no place: the whole one goes in.
        """
        index = await self._station.own.index_of(pending.key)
        if index is None:
            return None
        (raw,) = await self._station.own.records(index, index + 1)
        if read_record(raw).env == pending.env:
            await self._put_back(read_record(raw), pending)
            return Placed(index, dup=True)
        if not self._station.fold.verdict(self._station.letter, index).reason:
            raise Refused("DUP", hash=envelope.hash)
        pending.key = b""
        return None

    async def _put_back(self, record: Record, pending: Pending) -> None:
        """A blob that the store lost, as long as a desk hands the same message in again, is whole again."""
        for digest in set(record.blobs) & pending.blobs.keys():
            held = await self._station.own.blob(digest)
            if held is None or hashlib.sha256(held).digest() != digest:
                await self._station.own.put_blob(digest, pending.blobs[digest])

    def _check_crossing(self, submission: Submission, envelope: Envelope) -> None:
        """``Refused`` MODE, and one more in the alarm, for what was made in the other mode as far as this node can tell."""
        blobs = {hashlib.sha256(blob).digest(): blob for blob in submission.blobs}
        chan = _named_channel(envelope)
        if is_foreign(envelope, blobs, self._foreign, self._station.mode):
            self._station.alarms.add("MODE")
            self._station.wake()
            raise Refused("MODE")
        if chan not in (None, self._station.chan):
            raise Refused("CHAN")

    def _judge(self, pending: Pending) -> None:
        """The fold's own judgement, as if the record stood next; its reason is the error's code."""
        station = self._station
        record = Record(
            t=pending.t, ts=station.stamps.now(), seen=station.seen(), blobs=pending.named, env=pending.env
        ).encode()
        with station.lending(pending.blobs):
            verdict = station.fold.judge(station.letter, record)
        if verdict.reason == "MODE":
            station.alarms.add("MODE")
            station.wake()
        if verdict.reason:
            raise Refused(verdict.reason if verdict.reason != "OPAQUE" else "PARSE", what=pending.t, why=verdict.reason)
        if isinstance(verdict.doc, Payload):
            self._check_message(verdict.doc, pending)

    def _check_message(self, payload: Payload, pending: Pending) -> None:
        """Limits that are the intake's: the sealed body's size and the records keys of both parties."""
        limit = self._station.policy().limits.max_body
        blob = pending.blobs.get(payload.blob)
        if blob is None or len(blob) != payload.blen:
            raise Refused("BLOB_MISSING", blob=payload.blob)
        ct, wraps = unpack(blob, _SEALED)
        if tuple(kid for kid, _ in wraps) != payload.to:
            raise Refused("RECIPIENTS", count=len(wraps))
        largest = next((b for b in BUCKETS if b >= limit + BESIDE_BODY), BUCKETS[-1])
        if len(ct) - TAG > largest:
            raise Refused("BODY_SIZE", size=len(ct) - TAG, limit=limit)

    async def _check_blobs_there(self, pending: Pending) -> None:
        check_blobs(pending)
        for digest in pending.named:
            if digest not in pending.blobs and await self._station.own.blob(digest) is None:
                raise Refused("BLOB_MISSING", blob=digest)

    async def _take_side(self, submission: Submission, session: Session) -> Placed:
        """A side-log record: signed by the session's person, or by the session key where that is enough."""
        envelope = read_envelope(submission.env)
        if envelope.payload_type != media_type(submission.t):
            raise Malformed("TYPE", found=envelope.payload_type, need=media_type(submission.t))
        document = unpack(envelope.payload, dict)
        if document.get("chan") != self._station.chan:
            raise Refused("CHAN")
        key = self._station.member_key(session.kid)
        allowed = {} if key is None else {session.kid: key}
        if submission.t in BY_SESSION:
            allowed[session.public.kid] = session.public
        if len(envelope.kids) != 1 or not envelope.verified(self._station.mode, allowed):
            raise Refused("SIGNER")
        pending = _pending(submission, envelope)
        check_blobs(pending)
        return await self._side.append(pending)


def is_urgent(t: str, env: bytes) -> bool:
    """Whether a record is a message that no rate and no full line holds back."""
    try:
        return t == "msg" and read_envelope(env).read("msg", Payload).fmt in _NEVER_BLOCKED
    except Malformed:
        return False


def is_foreign(
    envelope: Envelope, blobs: Mapping[bytes, bytes], foreign: Callable[[bytes], int | None], mode: int
) -> bool:
    """Whether a signer's key object among ``blobs``, its key id or the channel named is of the other mode."""
    modes = {_mode_of(blobs[kid]) for kid in envelope.kids if kid in blobs}
    modes |= {foreign(name) for name in (*envelope.kids, _named_channel(envelope)) if name is not None}
    return bool(modes - {None, mode})


def _pending(submission: Submission, envelope: Envelope) -> Pending:
    """The record on its way, with the blobs that its document names."""
    blobs = {hashlib.sha256(blob).digest(): blob for blob in submission.blobs}
    if not all(submission.blobs) or sum(map(len, submission.blobs)) > MAX_BLOBS:
        raise Refused("BLOBS", limit=MAX_BLOBS)
    rank, below_flash = FLASH, False
    named = set(blobs)
    if submission.t == "msg":
        payload = envelope.read("msg", Payload)
        named = {payload.blob}
        urgent = payload.fmt in _NEVER_BLOCKED
        rank = FLASH if urgent else _RANKS[payload.prec]
        below_flash = rank > FLASH
    elif submission.t not in ("ack", "watch", "confirm"):
        named |= _named(submission.t, envelope)
        rank = _RANKS["R"]
    return Pending(submission.t, submission.env, tuple(sorted(named)), blobs, envelope.hash, rank, below_flash)


def _named(t: str, envelope: Envelope) -> set[bytes]:
    """Blob hashes that a document names beyond those that came with it. New key objects have to come."""
    shapes: Mapping[str, tuple[Any, Callable[[Any], set[bytes]]]] = {
        "root": (Root, lambda d: set(d.keys)),
        "roster": (Roster, lambda d: {h for m in d.members for h in (*m.sig, *m.kem, *m.pop)}),
        "kem": (Kem, lambda d: {d.kid_new, d.pop}),
        "draft": (Draft, lambda d: {d.blob}),
        "note": (SideNote, lambda d: {d.blob}),
        "exercise": (Exercise, lambda d: {d.blob} if isinstance(d.blob, bytes) else set()),
    }
    if t not in shapes:
        return set()
    type_, pick = shapes[t]
    return pick(envelope.read(t, type_))


def _named_channel(envelope: Envelope) -> bytes | None:
    """The channel id that the payload names, if any."""
    plain = unpack(envelope.payload)
    chan = plain.get("chan") if isinstance(plain, dict) else None
    return chan if isinstance(chan, bytes) else None


def _mode_of(blob: bytes) -> int | None:
    """The mode of a key object, None for any other blob."""
    try:
        return read_key(blob).mode
    except Malformed:
        return None
