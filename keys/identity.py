"""Keys with their mode: the key object, its id, and what may be done with it (docs/protocol.md section 3).

    key object = "dcx/v1/kid\\0" ‖ u8 mode ‖ u16 suite ‖ u32 len(pk) ‖ pk        kid = SHA-256(key object)

Mode 1 is actual, 2 exercise. A key made for one mode verifies nothing in the other: verifiers take the mode from the
charter, never from the key. Key objects are blobs whose address is the kid, so they certify themselves.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from keys import suites
from keys.errors import Malformed, Refused

ACTUAL, EXERCISE = 1, 2
MODE_NAMES = {ACTUAL: "actual", EXERCISE: "exercise"}
CONTEXT = {ACTUAL: b"dcx/v1/actual", EXERCISE: b"dcx/v1/exercise"}
_TAG = b"dcx/v1/kid\0"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key with its mode and suite."""

    mode: int
    suite: int
    raw: bytes

    def encode(self) -> bytes:
        """The key object."""
        return _TAG + bytes([self.mode]) + self.suite.to_bytes(2, "big") + len(self.raw).to_bytes(4, "big") + self.raw

    @property
    def kid(self) -> bytes:
        """The 32-byte key id."""
        return hashlib.sha256(self.encode()).digest()

    def components(self) -> tuple[bytes, ...]:
        """The raw component keys, compared with every roster known."""
        return suites.components(self.suite, self.raw)

    def verify(self, mode: int, message: bytes, signature: bytes) -> bool:
        """Whether this key, in a channel of ``mode``, signed ``message`` (a PAE)."""
        return self.mode == mode and suites.verify(self.suite, self.raw, message, signature, CONTEXT[mode])

    def seal(self, mode: int, info: bytes, plaintext: bytes) -> bytes:
        """``plaintext`` wrapped to this seal key; ``Refused`` MODE for a key of the other mode."""
        if self.suite != suites.SEAL:
            raise Refused("KEY", why="suite", suite=hex(self.suite))
        if self.mode != mode:
            raise Refused("MODE", kid=self.kid)
        return suites.wrap(self.raw, info, plaintext)


def read_key(blob: bytes) -> PublicKey:
    """The key of a key object, or ``Malformed`` KEY_OBJECT. Its bytes are not yet admitted: see ``check_key``."""
    head = len(_TAG)
    if not blob.startswith(_TAG) or len(blob) < head + 7 or blob[head] not in CONTEXT:
        raise Malformed("KEY_OBJECT")
    suite, length = int.from_bytes(blob[head + 1 : head + 3], "big"), int.from_bytes(blob[head + 3 : head + 7], "big")
    if len(blob) != head + 7 + length or suites.PUBLIC_LENGTH.get(suite) != length:
        raise Malformed("KEY_OBJECT")
    return PublicKey(blob[head], suite, blob[head + 7 :])


def check_key(key: PublicKey, mode: int) -> None:
    """Mode, length, small-order and load checks before admission, or ``Refused`` MODE or KEY."""
    if key.mode != mode:
        raise Refused("MODE", kid=key.kid)
    suites.check_public(key.suite, key.raw)


class PrivateKey:
    """A seed with its mode and suite. Its text forms never show the seed."""

    __slots__ = ("_seed", "public")

    def __init__(self, mode: int, suite: int, seed: bytes) -> None:
        self._seed = seed
        self.public = PublicKey(mode, suite, suites.public_of(suite, seed))

    @property
    def kid(self) -> bytes:
        """The id of the public half."""
        return self.public.kid

    @property
    def mode(self) -> int:
        """1 actual, 2 exercise."""
        return self.public.mode

    def sign(self, message: bytes) -> bytes:
        """A signature over ``message`` (a PAE), bound to the key's mode."""
        return suites.sign(self.public.suite, self._seed, message, CONTEXT[self.public.mode])

    def unwrap(self, info: bytes, wrapped: bytes, length: int = 32) -> bytes | None:
        """The ``length`` bytes wrapped to this seal key under ``info``, or None."""
        return suites.unwrap(self._seed, info, wrapped, length)

    def seed(self) -> bytes:
        """The seed, for the keyring alone."""
        return self._seed

    def __repr__(self) -> str:
        return f"<private key {self.kid.hex()[:16]} {MODE_NAMES[self.mode]}>"

    def __reduce__(self) -> str:
        raise TypeError("private keys are not pickled")
