"""A follower of a log that knows only C2SP: signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles. Nothing of ours.

    follower = Follower(fetch, origin, [vkey of the log …], [vkey of the cosigner …])
    follower.follow()          # the newest checkpoint, verified, its tree consistent with every one before
    follower.entries           # every entry, bound to the root through level 0, level 1 and above

``fetch`` gives the bytes of a path below the log's prefix, or raises ``KeyError``. Every failed check is ``Broken``.
Rules restated from the C2SP texts: a note is text, an empty line and lines "— name base64(key id ‖ signature)"; a known
key whose line fails spoils the note; tiles hold 256 hashes, a partial one is asked for by its width, entries stand in
bundles of u16 length and bytes.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

WIDTH = 256
ED25519, COSIGNATURE, SUBTREE = 0x01, 0x04, 0x06


class Broken(Exception):
    """The log, or who serves it, did what C2SP does not allow."""


@dataclass(frozen=True)
class Key:
    """A verifier key: ``name+keyid+base64(type ‖ public key)``."""

    name: str
    keyid: bytes
    kind: int
    public: bytes

    @classmethod
    def read(cls, vkey):
        name, keyid, rest = vkey.split("+", 2)
        raw = base64.b64decode(rest, validate=True)
        if hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() != keyid:
            raise Broken("a key id that is not its key's")
        return cls(name, bytes.fromhex(keyid), raw[0], raw[1:])

    def verify(self, checkpoint, signature):
        """The time of a line in seconds, 0 for one without; ``Broken`` if it does not verify."""
        at = 0 if self.kind == ED25519 else int.from_bytes(signature[:8], "big")
        try:
            if self.kind == ED25519:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, checkpoint.text)
            elif self.kind == COSIGNATURE:
                said = b"cosignature/v1\ntime %d\n" % at + checkpoint.text
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature[8:], said)
            else:
                origin, name = checkpoint.origin.encode(), self.name.encode()
                said = (
                    b"subtree/v1\n\0" + bytes([len(name)]) + name + at.to_bytes(8, "big") + bytes([len(origin)])
                    + origin + bytes(8) + checkpoint.size.to_bytes(8, "big") + checkpoint.root
                )  # fmt: skip
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature[8:], said)
        except (InvalidSignature, ValueError) as e:
            raise Broken("a line of a known key does not verify") from e
        return at


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself: its name, how many entries, the root; and the lines under it."""

    text: bytes
    origin: str
    size: int
    root: bytes
    lines: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def read(cls, raw):
        text, gap, rest = raw.rpartition(b"\n\n")
        parts = (text + b"\n").decode().split("\n")
        if not gap or len(parts) < 4 or not rest.endswith(b"\n"):
            raise Broken("no note")
        lines = []
        for line in rest.decode().splitlines():
            dash, name, encoded = line.split(" ")
            signature = base64.b64decode(encoded, validate=True)
            if dash != "—":
                raise Broken("no signature line")
            lines.append((name, signature[:4], signature[4:]))
        if str(int(parts[1])) != parts[1]:
            raise Broken("a size with leading zeros")
        return cls(text + b"\n", parts[0], int(parts[1]), base64.b64decode(parts[2], validate=True), tuple(lines))

    def signed_by(self, keys):
        """The kinds of the keys among ``keys`` that signed it, with their times."""
        known = {(key.name, key.keyid): key for key in keys}
        return {
            known[name, keyid].kind: known[name, keyid].verify(self, sig)
            for name, keyid, sig in self.lines
            if (name, keyid) in known
        }


@dataclass
class Follower:
    """Follows one log by what it serves; keeps every leaf hash and entry that the newest root covers."""

    fetch: object
    origin: str
    log_keys: list[str]
    cosigner_keys: list[str]
    checkpoint: Checkpoint | None = None
    hashes: list[bytes] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)

    def follow(self):
        """Take the newest checkpoint; returns (size, kinds of lines of the log, kinds of lines of the cosigner)."""
        new = Checkpoint.read(self.fetch("checkpoint"))
        by_log = new.signed_by(map(Key.read, self.log_keys))
        by_cosigner = new.signed_by(map(Key.read, self.cosigner_keys))
        if new.origin != self.origin or ED25519 not in by_log:
            raise Broken("not this log's checkpoint")
        old = self.checkpoint
        if old is not None and new.size < old.size:
            raise Broken("the log became shorter")
        hashes = self._tile_row(0, new.size, self.hashes)
        if root(hashes) != new.root:
            raise Broken("the tiles are not the tree of the checkpoint")
        if old is not None and root(hashes[: old.size]) != old.root:
            raise Broken("the log was rewritten")
        self._check_above(hashes, new.size)
        entries = self._entries(new.size)
        if [hashlib.sha256(b"\0" + entry).digest() for entry in entries] != hashes:
            raise Broken("entries that are not the leaves")
        self.checkpoint, self.hashes, self.entries = new, hashes, entries
        return new.size, by_log, by_cosigner

    def _tile_row(self, level, size, had):
        """The hashes of a level up to ``size``; full tiles that were read before are not asked for again."""
        row = list(had[: len(had) // WIDTH * WIDTH])
        while len(row) < size:
            width = min(WIDTH, size - len(row))
            raw = self.fetch(f"tile/{level}/{number(len(row) // WIDTH, width)}")
            if len(raw) != 32 * width:
                raise Broken("a tile of another width")
            row += [raw[i : i + 32] for i in range(0, len(raw), 32)]
        return row

    def _check_above(self, hashes, size):
        """Every tile above level 0 holds the roots of full tiles below it."""
        level, row = 1, hashes
        while size := size // WIDTH:
            row = [root(row[i * WIDTH : (i + 1) * WIDTH]) for i in range(size)]
            if self._tile_row(level, size, []) != row:
                raise Broken("a tile that is not made of those below")
            level += 1

    def _entries(self, size):
        found = self.entries[: len(self.entries) // WIDTH * WIDTH]
        while len(found) < size:
            width = min(WIDTH, size - len(found))
            raw, at, before = self.fetch(f"tile/entries/{number(len(found) // WIDTH, width)}"), 0, len(found)
            while at < len(raw):
                length = int.from_bytes(raw[at : at + 2], "big")
                found.append(raw[at + 2 : at + 2 + length])
                at += 2 + length
            if len(found) != before + width or at != len(raw):
                raise Broken("a bundle of another width")
        return found


def number(n, width):
    """``x001/x234/067`` for 1234067, with ``.p/W`` for a partial tile."""
    groups = [f"{n % 1000:03d}"]
    while n := n // 1000:
        groups.insert(0, f"x{n % 1000:03d}")
    return "/".join(groups) + ("" if width == WIDTH else f".p/{width}")


def root(hashes):
    """RFC 6962 section 2.1 over leaf hashes, or over the roots of full subtrees of one size."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(hashes[:split]) + root(hashes[split:])).digest()
