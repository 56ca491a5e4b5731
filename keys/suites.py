"""The algorithms behind the suite ids, over raw bytes (docs/protocol.md section 3).

    0x0001 sign     composite MLDSA65-Ed25519-SHA512 (draft-ietf-lamps-pq-composite-sigs): pk 1984, signature 3373
    0x0003 session  Ed25519: pk 32, signature 64; desk sessions only, never a person
    0x0101 seal     HPKE base mode, KEM 0x647a (X25519 + ML-KEM-768), HKDF-SHA256, AES-256-GCM: pk 1216, wrap 1168

Both halves of a composite must verify. Private keys are seeds: 32 B ML-DSA ‖ 32 B Ed25519; 32 B X-Wing; 32 B Ed25519.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa, mlkem, x25519

from keys.errors import Malformed, Refused

SIGN, SESSION, SEAL = 0x0001, 0x0003, 0x0101
PUBLIC_LENGTH = {SIGN: 1984, SESSION: 32, SEAL: 1216}
SEED_LENGTH = {SIGN: 64, SESSION: 32, SEAL: 32}
SIGNATURE_LENGTH = {SIGN: 3373, SESSION: 64}
WRAP_OVERHEAD = 1120 + 16

_PREFIX = b"CompositeAlgorithmSignatures2025"
_LABEL = b"COMPSIG-MLDSA65-Ed25519-SHA512"
_HPKE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_P = 2**255 - 19
# OpenSSL loads all of these and forged signatures verify under them (docs/protocol.md appendix A).
SMALL_ORDER = frozenset(
    bytes.fromhex(h)
    for h in (
        "01" + "00" * 31,
        "01" + "00" * 30 + "80",
        "ec" + "ff" * 30 + "7f",
        "ec" + "ff" * 31,
        "00" * 32,
        "00" * 31 + "80",
        "ed" + "ff" * 30 + "7f",
        "ed" + "ff" * 31,
        "ee" + "ff" * 30 + "7f",
        "ee" + "ff" * 31,
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    )
)


def public_of(suite: int, seed: bytes) -> bytes:
    """The raw public key of a seed."""
    if len(seed) != SEED_LENGTH[suite]:
        raise Malformed("SEED", suite=suite, length=len(seed))
    if suite == SEAL:
        kem, dh = _seal_private(seed)
        return kem.public_key().public_bytes_raw() + dh.public_key().public_bytes_raw()
    ed = ed25519.Ed25519PrivateKey.from_private_bytes(seed[-32:]).public_key().public_bytes_raw()
    if suite == SESSION:
        return ed
    return mldsa.MLDSA65PrivateKey.from_seed_bytes(seed[:32]).public_key().public_bytes_raw() + ed


def sign(suite: int, seed: bytes, message: bytes, context: bytes) -> bytes:
    """A signature over ``message``. A composite is bound to ``context``; a session signature has none."""
    ed = ed25519.Ed25519PrivateKey.from_private_bytes(seed[-32:])
    if suite == SESSION:
        return ed.sign(message)
    whole = _composite_message(message, context)
    return _mldsa_private(seed[:32]).sign(whole, _LABEL) + ed.sign(whole)


def verify(suite: int, public: bytes, message: bytes, signature: bytes, context: bytes) -> bool:
    """Whether the signature, of its exact length, verifies: every half of it."""
    if suite not in SIGNATURE_LENGTH or len(signature) != SIGNATURE_LENGTH[suite]:
        return False
    try:
        if suite == SESSION:
            _ed_public(public).verify(signature, message)
            return True
        whole = _composite_message(message, context)
        _ed_public(public[1952:]).verify(signature[3309:], whole)  # the cheaper half first
        _mldsa_public(public[:1952]).verify(signature[:3309], whole, _LABEL)
    except InvalidSignature:
        return False
    return True


def wrap(public: bytes, info: bytes, plaintext: bytes) -> bytes:
    """HPKE SealBase to a seal key: enc ‖ ciphertext."""
    return _HPKE.encrypt(plaintext, _seal_public(public), info)


def unwrap(seed: bytes, info: bytes, wrapped: bytes, length: int) -> bytes | None:
    """The ``length`` bytes that were wrapped, or None. The exact length is checked before anything is decrypted."""
    if len(wrapped) != WRAP_OVERHEAD + length:
        return None
    try:
        return _HPKE.decrypt(wrapped, hpke.MLKEM768X25519PrivateKey(*_seal_private(seed)), info)
    except (InvalidTag, ValueError):
        return None


def check_public(suite: int, public: bytes) -> None:
    """Length, load and small-order checks of section 3, or ``Refused`` KEY."""
    if suite not in PUBLIC_LENGTH:
        raise Refused("KEY", why="suite", suite=hex(suite))
    if len(public) != PUBLIC_LENGTH[suite]:
        raise Refused("KEY", why="length", suite=hex(suite))
    try:
        if suite == SEAL:
            wrap(public, b"", b"")  # loads both halves and refuses a zero X25519 result
        else:
            _check_ed(public[-32:])
            if suite == SIGN:
                _mldsa_public(public[:1952])
    except (ValueError, UnsupportedAlgorithm) as e:
        raise Refused("KEY", why="load", suite=hex(suite)) from e


def components(suite: int, public: bytes) -> tuple[bytes, ...]:
    """The raw component keys, which no two members may share."""
    if suite == SESSION:
        return (public,)
    cut = 1952 if suite == SIGN else 1184
    return (public[:cut], public[cut:])


def _check_ed(raw: bytes) -> None:
    if raw in SMALL_ORDER or int.from_bytes(raw, "little") & (2**255 - 1) >= _P:
        raise Refused("KEY", why="small order", suite=hex(SIGN))
    _ed_public(raw)


def _composite_message(message: bytes, context: bytes) -> bytes:
    return _PREFIX + _LABEL + bytes([len(context)]) + context + hashlib.sha512(message).digest()


@lru_cache(maxsize=4096)
def _ed_public(raw: bytes) -> ed25519.Ed25519PublicKey:
    return ed25519.Ed25519PublicKey.from_public_bytes(raw)


@lru_cache(maxsize=4096)
def _mldsa_public(raw: bytes) -> mldsa.MLDSA65PublicKey:
    return mldsa.MLDSA65PublicKey.from_public_bytes(raw)


@lru_cache(maxsize=64)
def _mldsa_private(seed: bytes) -> mldsa.MLDSA65PrivateKey:
    return mldsa.MLDSA65PrivateKey.from_seed_bytes(seed)


@lru_cache(maxsize=4096)
def _seal_public(raw: bytes) -> hpke.MLKEM768X25519PublicKey:
    return hpke.MLKEM768X25519PublicKey(
        mlkem.MLKEM768PublicKey.from_public_bytes(raw[:1184]), x25519.X25519PublicKey.from_public_bytes(raw[1184:])
    )


def _seal_private(seed: bytes) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
    expanded = hashlib.shake_256(seed).digest(96)  # X-Wing: d ‖ z ‖ X25519 scalar
    return (
        mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
        x25519.X25519PrivateKey.from_private_bytes(expanded[64:]),
    )
