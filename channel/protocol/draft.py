"""What a party seals to its own side: drafts that wait for signatures, and notes (docs/protocol.md 11.4 and 11.6).

    hh    = SHA-256("dcx/v1/hdr\\0" ‖ DCM of the document without kc, blob, blen)
    inner = {body, chan, from, to}, with the draft's ``did`` where it has one;   no salts and no ``bd``
    blob, kc, wraps and padding as of a message (11.2), with one bucket more

A draft's body is {payload, blob, cek} of the finished message and {at}, the logs that its author had seen, so that a
co-signer opens, checks and renders exactly the bytes that are signed. Randomness is passed in.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import structs

from channel.protocol.header import Payload, header_hash
from channel.protocol.message import (
    BUCKETS,
    NONCE,
    Opened,
    content_keys,
    open_message,
    open_with_cek,
    padded,
    read_blob,
    wrap_info,
)
from channel.protocol.people import Draft, SideNote
from keys.codec import pack, unpack
from keys.envelope import media_type, pae
from keys.errors import Malformed, Refused, Unverified
from keys.identity import PrivateKey, PublicKey
from keys.shapes import Count, Hash, Shape

OWN_BUCKETS = (*BUCKETS, 1_048_576)
_LATER = ("kc", "blob", "blen")
S = TypeVar("S", Draft, SideNote)


class _Body(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    payload: bytes
    blob: bytes
    cek: Hash
    at: tuple[Count, Count]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A finished message as its co-signer holds it: the bytes to sign, the sealed body, and what it says."""

    payload: Payload
    payload_bytes: bytes
    blob: bytes
    cek: bytes = field(repr=False)
    opened: Opened = field(repr=False)
    at: tuple[int, int]
    """Sizes of logs a and b that the author had seen."""

    @property
    def said(self) -> bytes:
        """What every signer signs."""
        return pae(media_type("msg"), self.payload_bytes)


def seal_own(
    document: S, body: Mapping[str, Any], recipients: Mapping[bytes, PublicKey], mode: int, cek: bytes
) -> tuple[S, bytes]:
    """The document with its ``kc``, ``blob`` and ``blen``, and the blob. ``recipients``: seal keys of ``document.to``."""
    hh = header_hash(pack(_head(document)))
    kenc, kc = content_keys(hh, cek)
    ct = AESGCM(kenc).encrypt(NONCE, padded(pack({"body": dict(body)} | _names(document)), OWN_BUCKETS), hh)
    blob = pack([ct, [[kid, recipients[kid].seal(mode, wrap_info(hh, kid), cek)] for kid in document.to]])
    return structs.replace(document, kc=kc, blob=sha256(blob).digest(), blen=len(blob)), blob


def open_own(document: Draft | SideNote, blob: bytes, key: PrivateKey, mode: int) -> dict[str, Any]:
    """The body, opened with a recipient's seal key; ``Unverified`` UNOPENED with the first check that fails."""
    ct, wraps = read_blob(document.blob, document.blen, blob)
    if tuple(kid for kid, _ in wraps) != document.to or key.mode != mode or key.kid not in document.to:
        raise Unverified("UNOPENED", why="WRAPS")
    hh = header_hash(pack(_head(document)))
    cek = key.unwrap(wrap_info(hh, key.kid), dict(wraps)[key.kid])
    if cek is None:
        raise Unverified("UNOPENED", why="WRAP")
    kenc, kc = content_keys(hh, cek)
    if not hmac.compare_digest(kc, document.kc):
        raise Unverified("UNOPENED", why="KC")
    try:
        pt = AESGCM(kenc).decrypt(NONCE, ct, hh)
    except InvalidTag:
        raise Unverified("UNOPENED", why="SEALED") from None
    length = int.from_bytes(pt[:4], "big")
    if len(pt) not in OWN_BUCKETS or padded(pt[4 : 4 + length], OWN_BUCKETS) != pt:
        raise Unverified("UNOPENED", why="PADDING")
    try:
        inner = unpack(pt[4 : 4 + length], dict)
        body = inner.pop("body")
    except (Malformed, KeyError) as e:
        raise Unverified("UNOPENED", why="INNER") from e
    if inner != _names(document) or not isinstance(body, dict):
        raise Unverified("UNOPENED", why="NAMES")
    return body


def proposal_body(payload_bytes: bytes, blob: bytes, cek: bytes, at: tuple[int, int]) -> dict[str, Any]:
    """What a draft carries."""
    return {"payload": payload_bytes, "blob": blob, "cek": cek, "at": list(at)}


def read_proposal(draft: Draft, body: Mapping[str, Any], key: PrivateKey, mode: int) -> Proposal:
    """The message of a draft, checked as a co-signer has to before signing (11.4).

    ``Unverified`` UNOPENED where the sealed body is not what the payload commits to; ``Refused`` DRAFT {why} where the
    draft and its message do not belong together.
    """
    try:
        held = unpack(pack(dict(body)), _Body)
        payload = unpack(held.payload, Payload)
    except Malformed as e:
        raise Refused("DRAFT", why="PARSE") from e
    if payload.chan != draft.chan or payload.from_ != draft.from_ or not isinstance(payload.cosign, tuple):
        raise Refused("DRAFT", why="NAMES")
    opened = open_with_cek(payload, held.blob, held.cek)
    if key.kid in payload.to:
        open_message(payload, held.blob, key, mode)  # its own wrap holds the same key: ``kc`` has no second one
    return Proposal(payload, held.payload, held.blob, held.cek, opened, held.at)


def _head(document: Draft | SideNote) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(document, builtin_types=(bytes,))
    return {name: value for name, value in plain.items() if name not in _LATER}


def _names(document: Draft | SideNote) -> dict[str, Any]:
    """The names of the document that are sealed with its body."""
    head: dict[str, Any] = unpack(pack(_head(document)), dict)  # lists, as they are read back
    return {name: head[name] for name in ("chan", "from", "did", "to") if name in head}
