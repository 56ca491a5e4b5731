"""Sealing and opening a message's body, and the commitments in its payload (docs/protocol.md section 11.2).

    hh    = SHA-256("dcx/v1/hdr\\0" ‖ header)
    prk   = HMAC-SHA256(key=hh, cek)      kenc = Expand(prk, "dcx/v1 enc")      kc = Expand(prk, "dcx/v1 commit")
    bd    = SHA-256(sorted SHA-256(salt16 ‖ name ‖ value) of the body's fields)
    inner = {body, salts, chan, from, mid, to};   pt = u32 length ‖ inner ‖ zeros to a bucket
    ct    = AES-256-GCM(kenc, zero nonce, pt, aad=hh);   wrap_i = HPKE(pk_i, "dcx/v1 wrap\\0" ‖ hh ‖ kid_i, cek)
    blob  = [ct, [[kid_i, wrap_i] …]] in the order of ``to``

The content key is fresh for every seal and never reused: the nonce is constant. Randomness is passed in. The signature
over the payload is a signature over the plaintext, because ``kc`` and the header fix exactly one.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Never

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from channel.protocol.header import Header, Payload, header_hash, payload_of
from keys.codec import pack, unpack
from keys.errors import Malformed, Refused, Unverified
from keys.identity import PrivateKey, PublicKey
from keys.shapes import Hash

BUCKETS = (512, 2048, 8192, 32_768, 131_072, 524_288)
NONCE = bytes(12)
_BLOB: Any = tuple[bytes, tuple[tuple[Hash, bytes], ...]]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A payload ready to be signed, and its blob."""

    payload: Payload
    payload_bytes: bytes
    blob: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened body; the salts and the content key serve for reveals and resharing."""

    body: Mapping[str, Any]
    salts: Mapping[str, bytes] = field(repr=False)
    cek: bytes = field(repr=False)


def seal(
    header: Header,
    body: Mapping[str, Any],
    recipients: Mapping[bytes, PublicKey],
    mode: int,
    *,
    cek: bytes,
    salts: Mapping[str, bytes],
    max_body: int,
) -> Sealed:
    """Seal ``body`` to the keys of ``header.to``. ``Refused`` BODY_SIZE beyond ``max_body`` bytes of DCM."""
    packed = pack(dict(body))
    if len(packed) > max_body:
        raise Refused("BODY_SIZE", size=len(packed), limit=max_body)
    hh = header_hash(pack(header))
    kenc, kc = content_keys(hh, cek)
    inner = pack(
        {
            "body": dict(body),
            "salts": dict(salts),
            "chan": header.chan,
            "from": header.from_,
            "mid": header.mid,
            "to": list(header.to),
        }
    )
    ct = AESGCM(kenc).encrypt(NONCE, padded(inner), hh)
    wraps = [[kid, recipients[kid].seal(mode, wrap_info(hh, kid), cek)] for kid in header.to]
    blob = pack([ct, wraps])
    payload = payload_of(header, kc=kc, bd=body_digest(body, salts), blob=sha256(blob).digest(), blen=len(blob))
    return Sealed(payload, pack(payload), blob)


def open_message(payload: Payload, blob: bytes, key: PrivateKey, mode: int) -> Opened:
    """The body, opened with a recipient's seal key; ``Unverified`` UNOPENED with the first check that fails."""
    ct, wraps = read_blob(payload.blob, payload.blen, blob)
    if tuple(kid for kid, _ in wraps) != payload.to or key.mode != mode or key.kid not in payload.to:
        _fail("WRAPS")
    hh = payload.header_hash()
    cek = key.unwrap(wrap_info(hh, key.kid), dict(wraps)[key.kid])
    if cek is None:
        _fail("WRAP")
    return _open(payload, ct, hh, cek)


def open_with_cek(payload: Payload, blob: bytes, cek: bytes) -> Opened:
    """The body, opened with its content key alone, as in a reveal."""
    ct, wraps = read_blob(payload.blob, payload.blen, blob)
    if tuple(kid for kid, _ in wraps) != payload.to:
        _fail("WRAPS")
    return _open(payload, ct, payload.header_hash(), cek)


def field_digest(name: str, value: Any, salt: bytes) -> bytes:
    """SHA-256(salt ‖ DCM(name) ‖ DCM(value)): self-delimiting."""
    return sha256(salt + pack(name) + pack(value)).digest()


def body_digest(body: Mapping[str, Any], salts: Mapping[str, bytes]) -> bytes:
    """``bd``: SHA-256 over the sorted field digests."""
    return digest_of(field_digest(name, value, salts[name]) for name, value in body.items())


def digest_of(digests: Any) -> bytes:
    """``bd`` of field digests, as a redacted reveal gives them."""
    return sha256(b"".join(sorted(digests))).digest()


def _open(payload: Payload, ct: bytes, hh: bytes, cek: bytes) -> Opened:
    kenc, kc = content_keys(hh, cek)
    if not hmac.compare_digest(kc, payload.kc):
        _fail("KC")
    try:
        pt = AESGCM(kenc).decrypt(NONCE, ct, hh)
    except InvalidTag:
        _fail("SEALED")
    length = int.from_bytes(pt[:4], "big")
    if (
        len(pt) not in BUCKETS
        or 4 + length > len(pt)
        or any(pt[4 + length :])
        or len(padded(pt[4 : 4 + length])) != len(pt)
    ):
        _fail("PADDING")
    try:
        inner = unpack(pt[4 : 4 + length], dict)
        body, salts = inner.pop("body"), inner.pop("salts")
    except (Malformed, KeyError) as e:
        raise Unverified("UNOPENED", why="INNER") from e
    names = {"chan": payload.chan, "from": payload.from_, "mid": payload.mid, "to": list(payload.to)}
    if inner != names or not isinstance(body, dict) or not isinstance(salts, dict):
        _fail("NAMES")
    if salts.keys() != body.keys() or any(not isinstance(s, bytes) or len(s) != 16 for s in salts.values()):
        _fail("SALTS")
    if body_digest(body, salts) != payload.bd:
        _fail("BD")
    return Opened(body, salts, cek)


def read_blob(hash_: bytes, length: int, blob: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    """Sealed bytes and wraps of a blob that its document names; ``Unverified`` UNOPENED."""
    if sha256(blob).digest() != hash_ or len(blob) != length:
        _fail("BLOB")
    try:
        ct, wraps = unpack(blob, _BLOB)
    except Malformed as e:
        raise Unverified("UNOPENED", why="BLOB") from e
    return ct, wraps


def content_keys(hh: bytes, cek: bytes) -> tuple[bytes, bytes]:
    """(kenc, kc) of a content key under a header's hash."""
    prk = hmac.digest(hh, cek, "sha256")
    enc, commit = (HKDFExpand(hashes.SHA256(), 32, info).derive(prk) for info in (b"dcx/v1 enc", b"dcx/v1 commit"))
    return enc, commit


def padded(inner: bytes, buckets: tuple[int, ...] = BUCKETS) -> bytes:
    """``inner`` with its length, filled with zeros to the next bucket; ``Refused`` BODY_SIZE beyond the last."""
    whole = len(inner).to_bytes(4, "big") + inner
    bucket = next((b for b in buckets if len(whole) <= b), None)
    if bucket is None:
        raise Refused("BODY_SIZE", size=len(whole), limit=buckets[-1])
    return whole.ljust(bucket, b"\0")


def wrap_info(hh: bytes, kid: bytes) -> bytes:
    """The context of one wrap."""
    return b"dcx/v1 wrap\0" + hh + kid


def _fail(why: str) -> Never:
    raise Unverified("UNOPENED", why=why)
