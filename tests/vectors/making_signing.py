"""Keys from labels, and what is random in a vector made once and kept: signatures, wraps, note lines.

ML-DSA signatures and HPKE wraps come out differently each time. ``Kept`` collects them from a stored file of vectors and
gives a stored one again where it still verifies (or opens) for the bytes asked for, so a re-make gives the same file.
Encodes with msgpack and signs with ``cryptography`` alone; nothing of the product is imported.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256, sha512, shake_256
from typing import Any

import msgpack
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa, mlkem, x25519

SIGN, SESSION, SEAL = 0x0001, 0x0003, 0x0101
CONTEXT = {1: b"dcx/v1/actual", 2: b"dcx/v1/exercise"}
ZERO = bytes(32)
_HPKE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_LABEL = b"COMPSIG-MLDSA65-Ed25519-SHA512"


def pack(value: Any) -> bytes:
    """DCM: maps sorted by key, the shortest ints, no nil or float in what is given."""
    return msgpack.packb(_sorted(value), use_bin_type=True)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _sorted(value[k]) for k in sorted(value, key=str.encode)}
    return [_sorted(x) for x in value] if isinstance(value, list | tuple) else value


def unpack(raw: bytes) -> Any:
    """The value, without checks of form."""
    return msgpack.unpackb(raw, raw=False, strict_map_key=False, use_list=True)


def digest(*parts: bytes) -> bytes:
    """SHA-256 of the parts joined."""
    return sha256(b"".join(parts)).digest()


def media(doc: str) -> str:
    """The payload type of a document."""
    return f"application/vnd.dcx.{doc}.v1+msgpack"


def pae(kind: str, payload: bytes) -> bytes:
    """DSSE pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def key_object(mode: int, suite: int, raw: bytes) -> bytes:
    """The bytes whose hash is the key id."""
    return b"dcx/v1/kid\0" + bytes([mode]) + suite.to_bytes(2, "big") + len(raw).to_bytes(4, "big") + raw


@dataclass(frozen=True)
class Key:
    """A private key by its seed."""

    mode: int
    suite: int
    seed: bytes

    @cached_property
    def raw(self) -> bytes:
        """The raw public key."""
        if self.suite == SEAL:
            kem, dh = seal_private(self.seed)
            return kem.public_key().public_bytes_raw() + dh.public_key().public_bytes_raw()
        ed = ed25519.Ed25519PrivateKey.from_private_bytes(self.seed[-32:]).public_key().public_bytes_raw()
        if self.suite == SESSION:
            return ed
        return mldsa.MLDSA65PrivateKey.from_seed_bytes(self.seed[:32]).public_key().public_bytes_raw() + ed

    @cached_property
    def object(self) -> bytes:
        """The key object."""
        return key_object(self.mode, self.suite, self.raw)

    @cached_property
    def kid(self) -> bytes:
        """The key id."""
        return digest(self.object)


@cache
def key(label: str, mode: int, suite: int = SIGN) -> Key:
    """The key of a label: the same in every run."""
    return Key(mode, suite, shake_256(f"vectors {mode} {suite} {label}".encode()).digest(64 if suite == SIGN else 32))


def seal_private(seed: bytes) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
    """Both private halves of an X-Wing seed."""
    wide = shake_256(seed).digest(96)
    return mlkem.MLKEM768PrivateKey.from_seed_bytes(wide[:64]), x25519.X25519PrivateKey.from_private_bytes(wide[64:])


def composite(message: bytes, mode: int) -> bytes:
    """The message that both halves sign."""
    ctx = CONTEXT[mode]
    return b"CompositeAlgorithmSignatures2025" + _LABEL + bytes([len(ctx)]) + ctx + sha512(message).digest()


class Kept:
    """What was random in a stored file, by what it belongs to."""

    def __init__(self, stored: Any = None) -> None:
        self._found: dict[bytes, list[bytes]] = defaultdict(list)
        for text in _texts(stored):
            self.take(text)

    def take(self, raw: bytes) -> None:
        """Remember every signature, wrap and note line within these bytes."""
        if b"\n\n" in raw and raw.startswith(b"dcx1/"):
            self._take_note(raw)
            return
        for part in (raw, raw[4:]):  # a value, or one with its length before it, as in an archive
            try:
                value = unpack(part)
            except Exception:  # noqa: BLE001  whatever can't be read holds nothing to keep
                continue
            self._walk(value)
            return

    def _walk(self, value: Any) -> None:
        match value:
            case [str(kind), bytes(payload), [*pairs]] if all(_pair(p) for p in pairs):
                for kid, sig in pairs:
                    self._put(digest(pae(kind, payload), kid), sig)
                    if len(sig) == 3373:
                        self._put(
                            digest(pae(kind, payload), kid), flipped(sig)
                        )  # of one that was spoiled, the right one
                self.take(payload)
            case [bytes(ct), [*pairs]] if all(_pair(p) for p in pairs):
                for kid, wrap in pairs:
                    self._put(digest(ct, kid), wrap)
            case list():
                for each in value:
                    self._walk(each)
            case dict():
                for each in value.values():
                    self._walk(each)
            case bytes() if len(value) > 64:
                self.take(value)

    def _take_note(self, raw: bytes) -> None:
        text, _, lines = raw.partition(b"\n\n")
        for line in lines.decode().splitlines():
            _, name, encoded = line.split(" ")
            for place in (
                digest(text + b"\n", name.encode()),
                digest(name.encode()),
            ):  # also one made over another note
                self._put(place, base64.b64decode(encoded))

    def _put(self, at: bytes, what: bytes) -> None:
        if what not in self._found[at]:
            self._found[at].append(what)

    def sign(self, by: Key, message: bytes, mode: int | None = None) -> bytes:
        """A composite signature over ``message`` (a PAE) under the context of ``mode``, by default the key's own."""
        mode = by.mode if mode is None else mode
        whole, place = composite(message, mode), digest(message, by.kid)
        for sig in self._found[place]:
            if verifies(by.raw, whole, sig):
                return sig
        ml, ed = mldsa.MLDSA65PrivateKey.from_seed_bytes(by.seed[:32]), by.seed[32:]
        sig = ml.sign(whole, _LABEL) + ed25519.Ed25519PrivateKey.from_private_bytes(ed).sign(whole)
        self._put(place, sig)
        return sig

    def wrap(self, to: Key, info: bytes, ct: bytes, cek: bytes) -> bytes:
        """A content key wrapped to a seal key, for the sealed body ``ct``."""
        private = hpke.MLKEM768X25519PrivateKey(*seal_private(to.seed))
        place = digest(ct, to.kid)
        for wrap in self._found[place]:
            if _opens(wrap, private, info) == cek:
                return wrap
        public = hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(to.raw[:1184]),
            x25519.X25519PublicKey.from_public_bytes(to.raw[1184:]),
        )
        self._put(place, _HPKE.encrypt(cek, public, info))
        return self._found[place][-1]

    def line(self, text: bytes, name: str, head: bytes, seed: bytes, message: bytes) -> bytes:
        """Key id, time and ML-DSA-44 signature of a note's line; ``head`` = key id and time."""
        private, place = mldsa.MLDSA44PrivateKey.from_seed_bytes(seed), digest(text, name.encode())
        for line in (*self._found[place], *self._found[digest(name.encode())]):
            if (
                line.startswith(head)
                and len(line) == len(head) + 2420
                and _ml_holds(private, line[len(head) :], message)
            ):
                return line
        self._put(place, head + private.sign(message))
        return self._found[place][-1]

    def envelope(self, doc: str, document: Any, signers: list[Key], mode: int | None = None) -> bytes:
        """The envelope of a document (or of payload bytes) signed by these keys."""
        payload = document if isinstance(document, bytes) else pack(document)
        message = pae(media(doc), payload)
        pairs = sorted([k.kid, self.sign(k, message, mode=mode)] for k in signers)
        return pack([media(doc), payload, pairs])


def flipped(sig: bytes) -> bytes:
    """A signature with one bit changed, which spoils it; twice gives the signature again."""
    return sig[:100] + bytes([sig[100] ^ 1]) + sig[101:]


def verifies(raw: bytes, whole: bytes, sig: bytes) -> bool:
    """Whether both halves of a composite signature verify over the composite message."""
    if len(sig) != 3373:
        return False
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(raw[1952:]).verify(sig[3309:], whole)
        mldsa.MLDSA65PublicKey.from_public_bytes(raw[:1952]).verify(sig[:3309], whole, _LABEL)
    except InvalidSignature:
        return False
    return True


def _ml_holds(private: mldsa.MLDSA44PrivateKey, sig: bytes, message: bytes) -> bool:
    try:
        private.public_key().verify(sig, message)
    except InvalidSignature:
        return False
    return True


def _opens(wrap: bytes, private: hpke.MLKEM768X25519PrivateKey, info: bytes) -> bytes:
    try:
        return _HPKE.decrypt(wrap, private, info)
    except Exception:  # noqa: BLE001  another header's wrap
        return b""


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(x, bytes) for x in value)


def _texts(value: Any) -> list[bytes]:
    """Every long base64 text in a stored file."""
    if isinstance(value, dict):
        return [raw for each in value.values() for raw in _texts(each)]
    if isinstance(value, list):
        return [raw for each in value for raw in _texts(each)]
    if isinstance(value, str) and len(value) > 400:
        try:
            return [base64.b64decode(value, validate=True)]
        except ValueError:
            return []
    return []
