"""DSSE envelopes as DCM arrays: the bytes that were signed are the bytes that are kept (docs/protocol.md section 4).

envelope = DCM [payloadType, payload, [[kid, signature] …]]     entries sorted by kid, no kid twice
signed   = PAE(payloadType, payload) = "DSSEv1" SP len SP type SP len SP payload
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from msgspec import Meta

from keys.codec import pack, unpack
from keys.errors import Malformed, Refused
from keys.identity import PrivateKey, PublicKey

T = TypeVar("T")
_RAW: Any = tuple[
    Annotated[str, Meta(max_length=96)],
    bytes,
    tuple[tuple[Annotated[bytes, Meta(min_length=32, max_length=32)], Annotated[bytes, Meta(max_length=5000)]], ...],
]


def media_type(doc: str) -> str:
    """The payload type of a document."""
    return f"application/vnd.dcx.{doc}.v1+msgpack"


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE v1 pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload with its signatures, as received."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[bytes, bytes], ...]

    @property
    def hash(self) -> bytes:
        """The payload hash, by which a document is known. Signatures are not part of it: they are randomised."""
        return sha256(self.payload).digest()

    @property
    def kids(self) -> tuple[bytes, ...]:
        """The ids under which signatures stand: unverified hints."""
        return tuple(kid for kid, _ in self.signatures)

    def message(self) -> bytes:
        """The bytes that are signed."""
        return pae(self.payload_type, self.payload)

    def encode(self) -> bytes:
        """The envelope's bytes."""
        return pack([self.payload_type, self.payload, [list(s) for s in self.signatures]])

    def verified(self, mode: int, keys: Mapping[bytes, PublicKey]) -> frozenset[bytes]:
        """The kids whose signature verifies under ``keys`` in a channel of ``mode``. A set: no key counts twice."""
        message = self.message()
        return frozenset(
            kid for kid, sig in self.signatures if kid in keys and keys[kid].kid == kid
            and keys[kid].verify(mode, message, sig)
        )  # fmt: skip

    def read(self, doc: str, type_: type[T]) -> T:
        """The document in the payload, or ``Malformed`` TYPE or PARSE. Says nothing about signatures."""
        if self.payload_type != media_type(doc):
            raise Malformed("TYPE", found=self.payload_type, need=media_type(doc))
        return unpack(self.payload, type_)


def read_envelope(raw: bytes) -> Envelope:
    """The envelope of its bytes, or ``Malformed`` PARSE."""
    kind, payload, signatures = unpack(raw, _RAW)
    kids = [kid for kid, _ in signatures]
    if any(a >= b for a, b in pairwise(kids)):
        raise Malformed("PARSE", what="Envelope", why="signatures not sorted by key id, or one twice")
    return Envelope(kind, payload, signatures)


def sign(doc: str, document: object, keys: Iterable[PrivateKey]) -> Envelope:
    """A document in an envelope with a signature of each key."""
    payload = pack(document)
    return join(media_type(doc), payload, {k.kid: k.sign(pae(media_type(doc), payload)) for k in keys})


def join(payload_type: str, payload: bytes, signatures: Mapping[bytes, bytes]) -> Envelope:
    """An envelope of signatures made apart, over the same payload."""
    if not signatures:
        raise Refused("SIGS")
    return Envelope(payload_type, payload, tuple(sorted(signatures.items())))
