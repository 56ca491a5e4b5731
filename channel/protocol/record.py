"""The log record: RFC 6962 leaf data (docs/protocol.md section 5).

    record = DCM {v: 1, t, ts, seen: [log_no, size, root], blobs: [hash …], env}       at most 65,535 bytes
    leaf   = SHA-256(0x00 ‖ record); index = position in its log

A record of an unknown or undecodable kind is an opaque leaf: kept, hashed, ignored by the fold.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from channel.protocol.merkle import EMPTY
from keys.codec import pack, unpack
from keys.errors import Malformed, Refused
from keys.shapes import Bytes16, Count, Document, Hash, Shape, Time, check_sorted

MAX_RECORD = 65_535
MAX_BLOBS = 3 * 1024 * 1024
NODE_TYPES = frozenset(f"node.{n}" for n in ("boot", "ack", "gap", "evidence", "pin", "test", "echo", "step", "alarm"))
SHARED_TYPES = NODE_TYPES | frozenset(
    [
        "charter",
        "policy",
        "root",
        "roster",
        "contacts",
        "revoke",
        "kem",
        "msg",
        "ack",
        "confirm",
        "watch",
        "succeed",
        "exercise",
    ]
)
SIDE_TYPES = frozenset(
    ["draft", "sign", "withdraw", "shown", "note", "reshare", "session", "use", "node.ack", "node.gap"]
)

Seen = tuple[Count, Count, Hash]
NOTHING_SEEN: Seen = (0, 0, EMPTY)


class Record(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One record. ``seen`` = the newest peer note that this node had cosigned (log number, size, root)."""

    t: Annotated[str, Meta(pattern=r"\A[a-z]{2,16}(\.[a-z]{2,16})?\Z")]
    ts: Time
    seen: Seen
    blobs: tuple[Hash, ...]
    env: bytes

    def encode(self) -> bytes:
        """The record's bytes, or ``Refused`` RECORD_SIZE."""
        raw = pack(self)
        if len(raw) > MAX_RECORD:
            raise Refused("RECORD_SIZE", size=len(raw), limit=MAX_RECORD)
        return raw


def read_record(raw: bytes) -> Record:
    """The record of its bytes, or ``Malformed`` PARSE."""
    if len(raw) > MAX_RECORD:
        raise Malformed("PARSE", what="Record", why="too long")
    record = unpack(raw, Record)
    check_sorted("Record.blobs", record.blobs)
    return record


def try_read(raw: bytes) -> Record | None:
    """The record, or None for an opaque leaf. The type may still be unknown."""
    try:
        return read_record(raw)
    except Malformed:
        return None


class Boot(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """node.boot: the node began to write, or its clock was jumped or confirmed."""

    impl: Annotated[str, Meta(max_length=64)]
    wall: Time
    why: Literal["start", "jump", "confirmed"]


class NodeAck(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """node.ack: carries ``seen`` alone, once an hour a salted hash of the side log's note, and optionally H(state)."""

    side: Hash | UnsetType = UNSET
    state: Hash | UnsetType = UNSET
    at: tuple[Count, Count] | UnsetType = UNSET


class SideAck(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """node.ack of the side log: keeps the salt and the note that a shared node.ack committed to."""

    salt: Bytes16
    note: bytes


class Gap(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """node.gap: records [lo, hi) that no copy holds; their leaf hashes."""

    lo: Count
    hi: Count
    hashes: tuple[Hash, ...]


class Pin(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """node.pin: a new TLS certificate (its hash; the certificate is a blob), valid from a time."""

    cert: Hash
    from_: Time = field(name="from")


class Test(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """node.test: the automatic line test; ``t1`` in the sender's ms."""

    id: Bytes16
    path: Annotated[str, Meta(max_length=64)]
    t1: Time


class Echo(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """node.echo: the answer (t1 to t3) and the closing echo of the first node (t4 too)."""

    id: Bytes16
    t1: Time
    t2: Time
    t3: Time
    t4: Time | UnsetType = UNSET


class Step(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """node.step: a step of the no-answer procedure for one awaited receipt of one message."""

    of: Hash
    receipt: Literal["stored", "read", "engaged", "informed", "reply"]
    step: Annotated[int, Meta(ge=1, le=4)]
    reason: Literal["LINK", "NEN", "POST", "READ", "UNK"]


class Alarm(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """node.alarm: refusals that must stay visible, added up; no content of what was refused."""

    code: Annotated[str, Meta(pattern=r"\A[A-Z][A-Z0-9_]{1,31}\Z")]
    count: Annotated[int, Meta(ge=1)]
    ref: Hash | UnsetType = UNSET
