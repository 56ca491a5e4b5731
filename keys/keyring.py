"""Private keys at rest: files that only their owner reads, under a passphrase where a person holds them.

    key file   "dcx/v1/keyfile\\0" ‖ DCM [header, sealed]
               header {v, mode, label, keys:[{suite, pk}…], kdf:{memory KiB, passes, lanes, salt 16}, nonce 12}
               sealed = AES-256-GCM(Argon2id(passphrase), nonce, pack([seed…]), aad = magic ‖ pack(header))
    node keys  "dcx/v1/nodekeys\\0" ‖ DCM {v, log, side, cosigner}: 64 B each, 32 Ed25519 ‖ 32 ML-DSA-44

A node restarts alone, so its file has no passphrase. Files are written whole or not at all, mode 0600, and refused
when anyone else may read them. Mode, suites and public keys can be read without the passphrase, and are bound to it.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msgspec import Meta

from keys import suites
from keys.codec import pack, unpack
from keys.errors import Malformed, Refused, WrongUse
from keys.identity import PrivateKey, PublicKey
from keys.shapes import Bytes16, Document, Mode, Name, Shape, check_name

MAGIC, NODE_MAGIC = b"dcx/v1/keyfile\0", b"dcx/v1/nodekeys\0"
MAX_FILE = 65_536

T = TypeVar("T")
_Seed64 = Annotated[bytes, Meta(min_length=64, max_length=64)]


class Passphrase:
    """A passphrase, in one form for each way to type it. Its text forms never show it."""

    __slots__ = ("_raw",)

    def __init__(self, text: str) -> None:
        self._raw = unicodedata.normalize("NFKC", text).encode()
        if not self._raw:
            raise WrongUse("PASSPHRASE_EMPTY")

    def derive(self, cost: Cost, salt: bytes) -> bytes:
        """The 32-byte file key."""
        kdf = Argon2id(
            salt=salt, length=32, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory
        )  # fmt: skip
        return kdf.derive(self._raw)

    def __repr__(self) -> str:
        return "<passphrase>"

    def __reduce__(self) -> str:
        raise TypeError("passphrases are not pickled")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one try of a passphrase costs: memory in KiB, passes, lanes."""

    memory: int = 65_536
    passes: int = 3
    lanes: int = 4


AT_REST = Cost()
DEMO = Cost(memory=1_024, passes=1, lanes=1)  # tests, and demo homes, whose passphrase lies beside the key


class _Kdf(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    # The upper bounds keep a changed file from taking the machine's memory before its check can fail.
    memory: Annotated[int, Meta(ge=8, le=1_048_576)]
    passes: Annotated[int, Meta(ge=1, le=64)]
    lanes: Annotated[int, Meta(ge=1, le=16)]
    salt: Bytes16


class _Public(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    suite: Annotated[int, Meta(ge=0, le=0xFFFF)]
    pk: bytes


class _Header(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    mode: Mode
    label: Name
    keys: Annotated[tuple[_Public, ...], Meta(min_length=1, max_length=8)]
    kdf: _Kdf
    nonce: Annotated[bytes, Meta(min_length=12, max_length=12)]

    def __post_init__(self) -> None:
        check_name(self.label)


class _NodeFile(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    log: _Seed64
    side: _Seed64
    cosigner: _Seed64


@dataclass(frozen=True, slots=True)
class Shown:
    """What a key file says without its passphrase. Not checked until the file is opened."""

    mode: int
    label: str
    keys: tuple[PublicKey, ...]


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The seeds of a node's note keys: 32 B Ed25519 ‖ 32 B ML-DSA-44 each. Never shown."""

    log: bytes = field(repr=False)
    side: bytes = field(repr=False)
    cosigner: bytes = field(repr=False)


def new_key(mode: int, suite: int) -> PrivateKey:
    """A fresh key from the system's randomness."""
    return PrivateKey(mode, suite, os.urandom(suites.SEED_LENGTH[suite]))


def write_keys(
    path: Path, keys: Sequence[PrivateKey], passphrase: Passphrase, label: str, cost: Cost = AT_REST
) -> None:
    """One file with a key, or with a member's keys, all of one mode. ``Refused`` EXISTS: no key is written over."""
    modes = {key.mode for key in keys}
    if len(modes) != 1:
        raise WrongUse("KEYS_OF_ONE_MODE")
    _check_label(label)
    header = _Header(
        mode=1 if modes == {1} else 2,
        label=label,
        keys=tuple(_Public(suite=key.public.suite, pk=key.public.raw) for key in keys),
        kdf=_Kdf(memory=cost.memory, passes=cost.passes, lanes=cost.lanes, salt=os.urandom(16)),
        nonce=os.urandom(12),
    )
    seeds = pack([key.seed() for key in keys])
    sealed = AESGCM(passphrase.derive(cost, header.kdf.salt)).encrypt(header.nonce, seeds, MAGIC + pack(header))
    write_secret(path, MAGIC + pack([header, sealed]))


def read_keys(path: Path, passphrase: Passphrase) -> tuple[PrivateKey, ...]:
    """The keys of a file. ``Refused`` PASSPHRASE: the wrong one, or a changed file; ``Malformed`` KEY_FILE: no key file."""
    header, sealed = _read_file(path)
    kdf = header.kdf
    try:
        file_key = passphrase.derive(Cost(kdf.memory, kdf.passes, kdf.lanes), kdf.salt)
        opened = AESGCM(file_key).decrypt(header.nonce, sealed, MAGIC + pack(header))
    except InvalidTag:
        raise Refused("PASSPHRASE", path=path) from None
    except ValueError as e:
        raise Malformed("KEY_FILE", path=path) from e
    seeds = unpack(opened, tuple[bytes, ...])
    if len(seeds) != len(header.keys):
        raise Malformed("KEY_FILE", path=path)
    keys = tuple(PrivateKey(header.mode, p.suite, seed) for p, seed in zip(header.keys, seeds, strict=True))
    if any(key.public.raw != p.pk for key, p in zip(keys, header.keys, strict=True)):
        raise Malformed("KEY_FILE", path=path)
    return keys


def show_keys(path: Path) -> Shown:
    """Mode, label and public keys of a key file; needs no passphrase."""
    header, _ = _read_file(path)
    return Shown(header.mode, header.label, tuple(PublicKey(header.mode, p.suite, p.pk) for p in header.keys))


def write_node_keys(path: Path, keys: NodeKeys) -> None:
    """A node's note keys, without a passphrase. ``Refused`` EXISTS."""
    write_secret(path, NODE_MAGIC + pack(_NodeFile(log=keys.log, side=keys.side, cosigner=keys.cosigner)))


def read_node_keys(path: Path) -> NodeKeys:
    """A node's note keys, or ``Malformed`` KEY_FILE."""
    file = _unpack_after(NODE_MAGIC, read_secret(path), _NodeFile, path)
    return NodeKeys(file.log, file.side, file.cosigner)


def read_passphrase(path: Path) -> Passphrase:
    """The first line of a file that only its owner reads."""
    try:
        return Passphrase(read_secret(path).decode().partition("\n")[0].rstrip("\r"))
    except UnicodeDecodeError:
        raise Malformed("PASSPHRASE_FILE", path=path) from None


def write_secret(path: Path, data: bytes) -> None:
    """``data`` in a new file of mode 0600, on disk when this returns. ``Refused`` EXISTS; also for a TLS key."""
    write_file(path, data, 0o600, over=False)


def write_file(path: Path, data: bytes, mode: int, *, over: bool) -> None:
    """A whole file or none: written beside, synced, renamed. ``WrongUse`` FILE when the system refuses."""
    beside = path.with_name(f".{path.name}.{sha256(os.urandom(16)).hexdigest()[:8]}")
    try:
        if not over and path.exists():
            raise Refused("EXISTS", path=path)
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)
    except OSError as e:
        raise WrongUse("FILE", path=path, why=e.strerror or "?") from e


def read_secret(path: Path) -> bytes:
    """A file of at most 64 KiB; ``Refused`` FILE_MODE when group or others have any right to it."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            # a pipe has no rights to check: it is how another program hands a passphrase over
            if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
                raise Refused("FILE_MODE", path=path, mode=f"{stat.S_IMODE(status.st_mode):04o}")
            data = file.read(MAX_FILE + 1)
    except OSError as e:
        raise WrongUse("FILE", path=path, why=e.strerror or "?") from e
    if len(data) > MAX_FILE:
        raise Malformed("KEY_FILE", path=path)
    return data


def _check_label(label: str) -> None:
    try:
        check_name(label)
    except ValueError as e:
        raise WrongUse("LABEL") from e
    if not 1 <= len(label) <= 200:
        raise WrongUse("LABEL")


def _read_file(path: Path) -> tuple[_Header, bytes]:
    found: tuple[_Header, bytes] = _unpack_after(MAGIC, read_secret(path), tuple[_Header, bytes], path)
    return found


def _unpack_after(magic: bytes, raw: bytes, type_: type[T], path: Path) -> T:
    try:
        if raw.startswith(magic):
            return unpack(raw[len(magic) :], type_)
    except Malformed as e:
        raise Malformed("KEY_FILE", path=path) from e
    raise Malformed("KEY_FILE", path=path)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
