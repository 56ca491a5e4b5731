"""Notes and their lines: docs/protocol.md section 6 and appendix E.3."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from second_bytes import EMPTY, Bad, lawful_ed, sha

ED, TIMED, ML = 0x01, 0x04, 0x06
_NAME = re.compile(r"[^\s+\x00-\x1f]+")


def origin(chan, letter, number):
    """The origin of a shared log."""
    return f"dcx1/{base64.urlsafe_b64encode(chan).decode().rstrip('=')}/{letter}/{number}"


def _b64(text):
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as e:
        raise Bad("no base64") from e
    if base64.b64encode(found).decode() != text:
        raise Bad("base64 in another form")
    return found


class Note:
    """Origin, size, root and lines; each line is (name, key id, the rest)."""

    def __init__(self, raw):
        if len(raw) > 65536:
            raise Bad("a note of more than 64 KiB")
        text, gap, tail = raw.rpartition(b"\n\n")
        self.text = text + b"\n"
        try:
            said, lines = self.text.decode(), tail.decode()
        except UnicodeDecodeError as e:
            raise Bad("no UTF-8") from e
        if not gap or not lines.endswith("\n"):
            raise Bad("no note")
        found = re.fullmatch(r"([^\n\x00-\x1f]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n", said)
        if not found or len(found[1].encode()) > 255 or not _NAME.fullmatch(found[1]):
            raise Bad("not three lines of a note")
        self.origin, self.size, self.root = found[1], int(found[2]), _b64(found[3])
        if self.size >= 1 << 63 or (self.size == 0 and self.root != EMPTY):
            raise Bad("a size or root that can't be")
        self.lines = []
        for line in lines[:-1].split("\n"):
            parts = line.split(" ")
            if len(parts) != 3 or parts[0] != "—" or not _NAME.fullmatch(parts[1]):
                raise Bad("no signature line")
            rest = _b64(parts[2])
            if len(rest) < 5:
                raise Bad("a line without a signature")
            self.lines.append((parts[1], rest[:4], rest[4:]))

    def said_by(self, name, keys):
        """{type: newest time} of the lines that these keys ({type: raw}) have under the note; ``Bad`` if one fails."""
        ids = {sha(name.encode(), b"\n", bytes([kind]), raw)[:4]: kind for kind, raw in keys.items()}
        if len(ids) != len(keys):
            raise Bad("two keys with one id")
        found = {}
        for line, keyid, rest in self.lines:
            if line == name and keyid in ids:
                kind = ids[keyid]
                at = self._time(name, kind, keys[kind], rest)
                found[kind] = max(at, found.get(kind, 0))
        return found

    def _time(self, name, kind, raw, rest):
        at = 0 if kind == ED else int.from_bytes(rest[:8], "big")
        signature = rest if kind == ED else rest[8:]
        short = lambda text: bytes([len(text.encode())]) + text.encode()  # noqa: E731
        if kind == ED:
            message = self.text
        elif kind == TIMED:
            message = b"cosignature/v1\ntime %d\n" % at + self.text
        else:
            span = bytes(8) + self.size.to_bytes(8, "big")
            message = b"subtree/v1\n\0" + short(name) + at.to_bytes(8, "big") + short(self.origin) + span + self.root
        if len(signature) != (2420 if kind == ML else 64) or (kind != ED and not 0 < at < 1 << 63):
            raise Bad("a line of another length, or without a time")
        if not _verified(kind, raw, message, signature):
            raise Bad("a line that does not verify")
        return at

    def of_log(self, keys):
        """What the log's keys {ed, ml} say of it."""
        return self.said_by(self.origin, {ED: keys["ed"], ML: keys["ml"]})

    def of_cosigner(self, name, keys):
        """What a cosigner's keys {ed, ml} say of it."""
        return self.said_by(name, {TIMED: keys["ed"], ML: keys["ml"]})


@lru_cache(maxsize=4096)
def _verified(kind, raw, message, signature):
    try:
        if kind == ML:
            mldsa.MLDSA44PublicKey.from_public_bytes(raw).verify(signature, message)
        else:
            ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def lawful_keys(keys):
    """Whether note keys may be keys at all."""
    try:
        mldsa.MLDSA44PublicKey.from_public_bytes(keys["ml"])
    except ValueError:
        return False
    return lawful_ed(keys["ed"])


def witnessed(note, vkey):
    """Whether a witness of a policy has a good timed line under a note."""
    try:
        name, keyid, rest = vkey.split("+", 2)
        raw = _b64(rest)
        kind, public = raw[0], raw[1:]
        if (
            len(public) != {ED: 32, TIMED: 32, ML: 1312}.get(kind)
            or sha(name.encode(), b"\n", raw)[:4].hex() != keyid
            or kind == ED
        ):
            return False
    except (ValueError, IndexError, Bad):
        return False
    for line in note.lines:
        try:
            if line[0] == name and note._time(name, kind, public, line[2]):
                return True
        except Bad:
            continue
    return False
