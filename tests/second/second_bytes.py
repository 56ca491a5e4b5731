"""Bytes, as docs/protocol.md sections 2, 3, 4, 5 and appendix E.3 say: DCM, keys, envelopes, trees. Bad input: ``Bad``."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgpack
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa, mlkem, x25519

CONTEXT = {1: b"dcx/v1/actual", 2: b"dcx/v1/exercise"}
SIGN, SESSION, SEAL = 0x0001, 0x0003, 0x0101
LENGTH = {SIGN: 1984, SESSION: 32, SEAL: 1216}
LABEL = b"COMPSIG-MLDSA65-Ed25519-SHA512"
ZERO = bytes(32)
EMPTY = hashlib.sha256().digest()
P = 2**255 - 19
SMALL = {
    bytes.fromhex(x)
    for x in (
        "01" + "00" * 31, "01" + "00" * 30 + "80", "ec" + "ff" * 30 + "7f", "ec" + "ff" * 31, "00" * 32, "00" * 31 + "80",
        "ed" + "ff" * 30 + "7f", "ed" + "ff" * 31, "ee" + "ff" * 30 + "7f", "ee" + "ff" * 31,
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    )
}  # fmt: skip


class Bad(Exception):
    """Bytes that the specification does not allow; the argument says why."""


def sha(*parts):
    """SHA-256 of the parts joined."""
    return hashlib.sha256(b"".join(parts)).digest()


# --- DCM ------------------------------------------------------------------------------------------------------------------


def pack(value):
    """The one byte string of a value."""
    return msgpack.packb(_ordered(value), use_bin_type=True)


def _ordered(value):
    if isinstance(value, dict):
        return {k: _ordered(value[k]) for k in sorted(value, key=lambda k: k.encode())}
    return [_ordered(x) for x in value] if isinstance(value, (list, tuple)) else value


def unpack(raw):
    """The value of DCM bytes."""
    try:
        value = msgpack.unpackb(
            raw, raw=False, strict_map_key=False, object_pairs_hook=_no_doubles, use_list=True,
            max_array_len=4096, max_map_len=64,
        )  # fmt: skip
        _check(value, 8)
        if pack(value) != raw:
            raise Bad("not the one form")
    except Bad:
        raise
    except (ValueError, TypeError, RecursionError, OverflowError, msgpack.exceptions.UnpackException) as e:
        raise Bad(str(e)) from e
    return value


def _no_doubles(pairs):
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Bad("a key twice")
    return made


def _check(value, depth):
    if isinstance(value, (bool, int, str, bytes)):
        return
    if not isinstance(value, (dict, list)) or depth == 0 or len(value) > (64 if isinstance(value, dict) else 4096):
        raise Bad("a type, depth or length that DCM does not have")
    if isinstance(value, dict) and not all(isinstance(k, str) for k in value):
        raise Bad("a key that is no text")
    for each in value.values() if isinstance(value, dict) else value:
        _check(each, depth - 1)


# --- keys -----------------------------------------------------------------------------------------------------------------


class Key:
    """A public key of a key object. Its id is the object's hash."""

    def __init__(self, mode, suite, raw):
        self.mode, self.suite, self.raw = mode, suite, raw
        self.kid = sha(key_object(mode, suite, raw))

    def halves(self):
        """The raw component keys."""
        cut = {SIGN: 1952, SEAL: 1184}.get(self.suite, 32)
        return [half for half in (self.raw[:cut], self.raw[cut:]) if half]

    def twin(self):
        """The id that the same raw key has in the other mode."""
        return sha(key_object(3 - self.mode, self.suite, self.raw))

    def signed(self, mode, message, signature):
        """Whether this key signed ``message`` (a PAE) in a channel of ``mode``."""
        return self.mode == mode and signed_under(self, CONTEXT[mode], message, signature)


def key_object(mode, suite, raw):
    """The bytes of a key object."""
    return b"dcx/v1/kid\0" + bytes([mode]) + suite.to_bytes(2, "big") + len(raw).to_bytes(4, "big") + raw


def read_key(blob):
    """The key of a key object."""
    if len(blob) < 18 or blob[:11] != b"dcx/v1/kid\0" or blob[11] not in (1, 2):
        raise Bad("no key object")
    suite, length = int.from_bytes(blob[12:14], "big"), int.from_bytes(blob[14:18], "big")
    if len(blob) != 18 + length or LENGTH.get(suite) != length:
        raise Bad("a key object of another length or suite")
    return Key(blob[11], suite, blob[18:])


@lru_cache(maxsize=4096)
def lawful(suite, raw):
    """Whether a raw key passes section 3's checks: length, small-order list, y below p, every half loads."""
    try:
        if len(raw) != LENGTH.get(suite):
            return False
        if suite == SEAL:
            public = hpke.MLKEM768X25519PublicKey(
                mlkem.MLKEM768PublicKey.from_public_bytes(raw[:1184]),
                x25519.X25519PublicKey.from_public_bytes(raw[1184:]),
            )
            hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM).encrypt(b"", public, b"")
            return True
        if suite == SIGN:
            mldsa.MLDSA65PublicKey.from_public_bytes(raw[:1952])
        return lawful_ed(raw[-32:])
    except (ValueError, UnsupportedAlgorithm):
        return False


def lawful_ed(raw):
    """Whether an Ed25519 key loads and is none of appendix A."""
    if len(raw) != 32 or raw in SMALL or int.from_bytes(raw, "little") & (2**255 - 1) >= P:
        return False
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=65536)
def _both(raw, whole, signature):
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(raw[1952:]).verify(signature[3309:], whole)
        mldsa.MLDSA65PublicKey.from_public_bytes(raw[:1952]).verify(signature[:3309], whole, LABEL)
    except (InvalidSignature, ValueError):
        return False
    return True


def signed_under(key, context, message, signature):
    """Whether both halves of a composite signature verify under a context."""
    if key.suite != SIGN or len(signature) != 3373:
        return False
    hashed = hashlib.sha512(message).digest()
    return _both(
        key.raw, b"CompositeAlgorithmSignatures2025" + LABEL + bytes([len(context)]) + context + hashed, signature
    )


# --- envelopes --------------------------------------------------------------------------------------------------------------


def media(t):
    """The payload type of a document."""
    return f"application/vnd.dcx.{t}.v1+msgpack"


def pae(kind, payload):
    """DSSE pre-authentication encoding."""
    kind = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


class Envelope:
    """[payload type, payload, [[key id, signature] …]]."""

    def __init__(self, raw):
        value = unpack(raw)
        if not (isinstance(value, list) and len(value) == 3):
            raise Bad("no envelope")
        self.kind, self.payload, pairs = value
        if (
            not isinstance(self.kind, str)
            or len(self.kind) > 96
            or not isinstance(self.payload, bytes)
            or not isinstance(pairs, list)
        ):
            raise Bad("no envelope")
        for pair in pairs:
            good = isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, bytes) for x in pair)
            if not good or len(pair[0]) != 32 or len(pair[1]) > 5000:
                raise Bad("no signature of an envelope")
        self.pairs = [(kid, sig) for kid, sig in pairs]
        self.kids = [kid for kid, _ in self.pairs]
        if any(x >= y for x, y in zip(self.kids, self.kids[1:], strict=False)):
            raise Bad("signatures out of order")
        self.ph = sha(self.payload)
        self.message = pae(self.kind, self.payload)

    def signers(self, mode, keys):
        """The key ids among ``keys`` (id to Key) whose signature verifies."""
        return {kid for kid, sig in self.pairs if kid in keys and keys[kid].signed(mode, self.message, sig)}


# --- trees ----------------------------------------------------------------------------------------------------------------------


def leaf_hash(raw):
    """H(0 ‖ record)."""
    return sha(b"\0", raw)


def prefix_roots(leaves):
    """The roots of the first 0, 1, 2 … leaves."""
    roots, stack = [EMPTY], []
    for i, leaf in enumerate(leaves):
        stack.append(leaf)
        carry = i
        while carry & 1:
            right = stack.pop()
            stack.append(sha(b"\1", stack.pop(), right))
            carry >>= 1
        root = stack[-1]
        for left in reversed(stack[:-1]):
            root = sha(b"\1", left, root)
        roots.append(root)
    return roots


def root_by_path(leaf, index, size, path):
    """The root that an inclusion path leads to (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        raise Bad("an index beyond the size")
    fn, sn, root = index, size - 1, leaf
    for step in path:
        if sn == 0:
            raise Bad("a path too long")
        if fn & 1 or fn == sn:
            root = sha(b"\1", step, root)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = sha(b"\1", root, step)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Bad("a path too short")
    return root


def roots_by_path(old, new, path):
    """The two roots that a consistency path with its first hash leads to (RFC 9162 2.1.4.2)."""
    if not 0 < old < new or not path:
        raise Bad("no path")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for step in path[1:]:
        if sn == 0:
            raise Bad("a path too long")
        if fn & 1 or fn == sn:
            first, second = sha(b"\1", step, first), sha(b"\1", step, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = sha(b"\1", second, step)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Bad("a path too short")
    return first, second
