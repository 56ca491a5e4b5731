"""How a log is replicated and cosigned: the rules of ``POST append`` as pure functions (docs/protocol.md section 8).

Bytes go in, their meaning comes out. The receiver's ``receive`` says what a request is; whoever holds the store and the
cosigner key makes ``Accept`` durable, signs, and only then answers. The sender's ``check_answer`` reads that answer.
The same bytes travel by link and, framed by ``carry_pack``, by hand.

    request  DCM {v: 1, old, note, recs, blobs}     at most 16 MiB; no records: a refresh, heartbeat or anchor
    answer   200 signature lines · 409 "<size>\\n" · 424 DCM array of hashes · else a word that says why

Cosigning attests that the log only grew and that its bytes are there, never that a record is valid: an undecodable
record is an opaque leaf like any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from msgspec import Meta

from channel.protocol import evidence, note
from channel.protocol.merkle import Frontier, leaf_hash
from channel.protocol.note import ED25519_TIMED, MLDSA44_TIMED, Line, Note, NotePublic
from channel.protocol.record import try_read
from keys.codec import ITEMS, pack, unpack
from keys.errors import Malformed, Refused, SecurityAlarm, Unverified
from keys.shapes import Count, Document, Hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_REQUEST: Final = 16 * 1024 * 1024
MAX_RECORDS: Final = 256
MAX_BATCH: Final = 4 * 1024 * 1024  # records and blobs together: what one atomic write of the store takes
MAX_RECORD: Final = 65_535
MAX_NOTE: Final = note.MAX_BYTES - 8192  # the receiver's own two lines must still fit under it
SIZE_MEDIA: Final = "text/x.tlog.size"
_CARRY: Final = b"DCXCARRY"


class Request(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One batch of a log, or none: records [old, note.size) and the blobs that the receiver may lack."""

    old: Count
    note: Annotated[bytes, Meta(max_length=MAX_NOTE)]
    recs: Annotated[tuple[Annotated[bytes, Meta(min_length=1, max_length=MAX_RECORD)], ...], Meta(max_length=256)] = ()
    blobs: tuple[Annotated[bytes, Meta(min_length=1)], ...] = ()

    def encode(self) -> bytes:
        """The request's bytes, or ``Refused`` BATCH where no receiver could take them."""
        raw = pack(self)
        if len(self.recs) > MAX_RECORDS or _weight(self) > MAX_BATCH or len(raw) > MAX_REQUEST:
            raise Refused("BATCH", records=len(self.recs), size=_weight(self))
        return raw


def read_request(raw: bytes) -> Request:
    """The request of its bytes, within all limits; else ``Malformed`` PARSE or BATCH."""
    if len(raw) > MAX_REQUEST:
        raise Malformed("BATCH", records=0, size=len(raw))
    request = unpack(raw, Request)
    if _weight(request) > MAX_BATCH:
        raise Malformed("BATCH", records=len(request.recs), size=_weight(request))
    return request


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request is. ``status`` and ``media`` are those of the answer, ``body`` its bytes."""

    status: ClassVar[int]
    media: ClassVar[str] = "text/plain; charset=utf-8"

    def body(self, lines: Iterable[Line] = ()) -> bytes:
        """The answer's bytes; a 200 is the cosigner's ``lines``, which are made once all is durable."""
        del lines
        return b"%s\n" % str(getattr(self, "why", self.status)).encode()


@dataclass(frozen=True, slots=True)
class Accept(Outcome):
    """A batch that extends the log. To do, in this order: persist, move row C to ``frontier``, cosign, answer."""

    status: ClassVar[int] = 200
    note: Note
    records: tuple[bytes, ...]
    leaf_hashes: tuple[bytes, ...]
    frontier: Frontier
    blobs: Mapping[bytes, bytes]  # hash to bytes, those of the request
    anchor: bool

    def body(self, lines: Iterable[Line] = ()) -> bytes:
        """The signature lines."""
        return note.encode_lines(lines)


@dataclass(frozen=True, slots=True)
class Refresh(Outcome):
    """Another note over what is already held: a heartbeat or an anchor. To do: cosign, store, answer."""

    status: ClassVar[int] = 200
    note: Note
    anchor: bool

    def body(self, lines: Iterable[Line] = ()) -> bytes:
        """The signature lines."""
        return note.encode_lines(lines)


@dataclass(frozen=True, slots=True)
class BadRequest400(Outcome):
    """Bytes out of form or beyond a limit."""

    status: ClassVar[int] = 400
    why: str


@dataclass(frozen=True, slots=True)
class Forbidden403(Outcome):
    """A note that its log did not sign, or signed falsely."""

    status: ClassVar[int] = 403
    why: str


@dataclass(frozen=True, slots=True)
class NotFound404(Outcome):
    """A note of another log than the one expected."""

    status: ClassVar[int] = 404
    why: str = "ORIGIN"


@dataclass(frozen=True, slots=True)
class Conflict409(Outcome):
    """The sender is not where the receiver is: it sends again from ``size``."""

    status: ClassVar[int] = 409
    media: ClassVar[str] = SIZE_MEDIA
    size: int

    def body(self, lines: Iterable[Line] = ()) -> bytes:
        """The size that is held, in decimal."""
        del lines
        return b"%d\n" % self.size


@dataclass(frozen=True, slots=True)
class Unprocessable422(Outcome):
    """A log-valid note that does not fit. The request is to be kept; ``freeze``: the channel freezes, on ``evidence``.

    FORK: another root at a size that was cosigned (E1; no ``evidence`` if the note cosigned then is not at hand).
    ROOT: the records do not lead to the root, which may be a fault of the way and proves nothing alone.
    """

    status: ClassVar[int] = 422
    why: str
    evidence: dict[str, Any] | None
    freeze: bool


@dataclass(frozen=True, slots=True)
class Missing424(Outcome):
    """Blobs that the records name and nobody holds here yet; at most 4,096 of them are listed."""

    status: ClassVar[int] = 424
    media: ClassVar[str] = "application/msgpack"
    hashes: tuple[bytes, ...]

    def body(self, lines: Iterable[Line] = ()) -> bytes:
        """A DCM array of the hashes."""
        del lines
        return pack(list(self.hashes))


def receive(
    raw: bytes,
    expected_origin: str,
    log_key: NotePublic,
    frontier: Frontier,
    stored_note: Note | None,
    has_blob: Callable[[bytes], bool],
) -> Outcome:
    """What a request is, for a receiver that cosigned ``frontier`` (row C) last, under ``stored_note``.

    The caller holds the lock of this origin until it has acted. A first request of the next log number is the caller's
    to see (``read_request``, ``note.parse``) before it chooses ``expected_origin``, key and an empty frontier.
    """
    try:
        request = read_request(raw)
        sent = note.parse(request.note)
    except Malformed as e:
        return BadRequest400(e.code)
    if sent.origin != expected_origin:
        return NotFound404()
    try:
        standing = note.check(sent, log_key, None)
    except Unverified as e:
        return Forbidden403(e.code)
    if not standing.log:
        return Forbidden403("NOTE_UNSIGNED")
    # Before "old" is looked at: a note that proves a fork is never waved away as a matter of where to go on.
    if sent.size == frontier.size and sent.root != frontier.root():
        return _fork(sent, stored_note, log_key)
    if request.old != frontier.size or sent.size < frontier.size:
        return Conflict409(frontier.size)
    if len(request.recs) != sent.size - request.old:
        return BadRequest400("COUNT")
    return _batch(request, sent, frontier, has_blob, anchor=standing.log_anchor)


def _batch(
    request: Request, sent: Note, frontier: Frontier, has_blob: Callable[[bytes], bool], *, anchor: bool
) -> Outcome:
    """Steps 3 and 4: the records lead to the note's root, and the blobs they name are there."""
    leaves = tuple(leaf_hash(record) for record in request.recs)
    grown = frontier.extend(leaves)
    if grown.root() != sent.root:
        return Unprocessable422("ROOT", evidence=None, freeze=False)
    named = {h for raw in request.recs if (record := try_read(raw)) for h in record.blobs}
    blobs = {sha256(blob).digest(): blob for blob in request.blobs}
    if not blobs.keys() <= named:
        return BadRequest400("BLOB_UNNAMED")
    missing = sorted(h for h in named - blobs.keys() if not has_blob(h))
    if missing:
        return Missing424(tuple(missing[:ITEMS]))
    if not request.recs:
        return Refresh(sent, anchor)
    return Accept(sent, request.recs, leaves, grown, blobs, anchor)


def _fork(sent: Note, stored: Note | None, log_key: NotePublic) -> Unprocessable422:
    chan = note.origin_parts(sent.origin)[0]
    known = evidence.Known(chan, 1, {sent.origin: log_key})  # the mode plays no part in evidence of notes
    try:
        body = evidence.make_e1(stored, sent, known) if stored else None
    except (
        Unverified,
        Malformed,
    ):  # the stored note is of another size: row C alone is no proof to others, but it freezes
        body = None
    return Unprocessable422("FORK", evidence=body, freeze=True)


def check_answer(sent: Note, lines: bytes, cosigner: tuple[str, NotePublic]) -> Note:
    """The note with the cosigner's lines, for an anchor both of them.

    ``Malformed`` NOTE or ``Unverified`` NOTE_UNSIGNED: no answer to this request, so it may be sent again.
    ``SecurityAlarm`` NOTE_SIG: the cosigner's own line is false.
    """
    name, key = cosigner
    ids = {note.keyid(name, ED25519_TIMED, key.ed), note.keyid(name, MLDSA44_TIMED, key.ml)}
    answer = tuple(line for line in note.parse_lines(lines) if line.name == name and line.keyid in ids)
    try:
        kinds = note.cosigner_lines(replace(sent, lines=answer), name, key)
    except Unverified as e:
        raise SecurityAlarm(e.code, **e.values) from None
    need = {ED25519_TIMED, MLDSA44_TIMED} if sent.anchor else {ED25519_TIMED}
    if not kinds.keys() >= need:
        raise Unverified("NOTE_UNSIGNED", name=name)
    return note.merge(sent, answer)


def next_batch(weights: Iterable[int]) -> int:
    """How many of the waiting records go into the next batch, at least one.

    ``weights`` in order: bytes of each record and of the blobs that go with it, each at most 3 MiB and 65,535 bytes.
    """
    count = total = 0
    for weight in weights:
        total += weight
        if count == MAX_RECORDS or (count and total > MAX_BATCH):
            break
        count += 1
    return count


def read_size(body: bytes) -> int:
    """The size in a 409 answer, or ``Malformed`` ANSWER."""
    if not re.fullmatch(rb"(0|[1-9][0-9]{0,18})\n", body):
        raise Malformed("ANSWER", status=409)
    return int(body)


def read_missing(body: bytes) -> tuple[bytes, ...]:
    """The hashes in a 424 answer, or ``Malformed`` ANSWER."""
    try:
        hashes: tuple[bytes, ...] = unpack(body, _HASHES)
    except Malformed:
        raise Malformed("ANSWER", status=424) from None
    return hashes


def carry_pack(bodies: Iterable[bytes]) -> bytes:
    """A file to carry by hand: "DCXCARRY" ‖ per body u32 length ‖ body. Answers: each body an ``answer_pack``."""
    return _CARRY + b"".join(len(body).to_bytes(4) + body for body in bodies)


def carry_unpack(raw: bytes) -> list[bytes]:
    """The bodies in a file carried by hand, each within the request's limit; else ``Malformed`` CARRY."""
    if not raw.startswith(_CARRY):
        raise Malformed("CARRY", at=0)
    bodies, at = [], len(_CARRY)
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 4])
        end = at + 4 + length
        if at + 4 > len(raw) or length > MAX_REQUEST or end > len(raw):
            raise Malformed("CARRY", at=at)
        bodies.append(raw[at + 4 : end])
        at = end
    return bodies


def answer_pack(status: int, body: bytes) -> bytes:
    """An answer as it stands in a carried file."""
    return pack([status, body])


def answer_unpack(raw: bytes) -> tuple[int, bytes]:
    """Status and body of a carried answer, or ``Malformed`` CARRY."""
    try:
        answer: tuple[int, bytes] = unpack(raw, _ANSWER)
    except Malformed:
        raise Malformed("CARRY", at=0) from None
    return answer


_HASHES: Any = tuple[Hash, ...]
_ANSWER: Any = tuple[Annotated[int, Meta(ge=100, le=599)], bytes]


def _weight(request: Request) -> int:
    return sum(map(len, request.recs)) + sum(map(len, request.blobs))
