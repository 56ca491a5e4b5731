"""Signed notes: a log's size and root with the lines of those who answer for them (docs/protocol.md section 6).

The format is C2SP signed-note with the text of C2SP tlog-checkpoint, without extension lines. A quick note of an empty
log reads:

    dcx1/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/a/0
    0
    47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=

    — dcx1/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/a/0 EQZ1t1oPZuytOY5IqBl000jv9d7m3hh7JJCBLZ0uCiDpC49RXU6HgqoYzfGSXOSbEtwxiErjxRRUDLum/ssGAAfmdQI=

Types of lines: 0x01 Ed25519 over the text (log); 0x04 Ed25519 with a time (cosigner); 0x06 ML-DSA-44 with a time (log
and cosigner, in anchors). Times are POSIX seconds. ``parse`` raises ``Malformed`` NOTE and nothing else; ``check``
raises ``Unverified`` NOTE_SIG where a line of a known key fails, and ignores the lines of unknown keys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from channel.protocol.merkle import EMPTY
from keys.errors import Malformed, Refused, Unverified, WrongUse
from keys.suites import SESSION, check_public

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES: Final = 65_536
ED25519: Final = 0x01  # over the text
ED25519_TIMED: Final = 0x04  # C2SP cosignature/v1
MLDSA44_TIMED: Final = 0x06  # C2SP subtree/v1
_RAW_LENGTH: Final = {ED25519: 32, ED25519_TIMED: 32, MLDSA44_TIMED: 1312}
_SIG_LENGTH: Final = {ED25519: 64, ED25519_TIMED: 8 + 64, MLDSA44_TIMED: 8 + 2420}
_DASH: Final = "— "  # U+2014 and a space open every line
_NAME: Final = re.compile(r"[^\s+\x00-\x1f]+")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_TEXT: Final = re.compile(r"([^\n\x00-\x1f]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n")
_ORIGIN: Final = re.compile(r"dcx1/([A-Za-z0-9_-]{43})/([ab])/(0|[1-9][0-9]{0,8})(/s)?")


@dataclass(frozen=True, slots=True)
class NotePublic:
    """The public keys of a log or of a cosigner: Ed25519 (32 bytes) and ML-DSA-44 (1,312 bytes), raw."""

    ed: bytes
    ml: bytes

    def __post_init__(self) -> None:
        try:
            check_public(SESSION, self.ed)  # length, and the points under which anything verifies
            _ml_public(self.ml)
        except (Refused, ValueError):
            raise Malformed("NOTE_KEY", ed=self.ed, ml=len(self.ml)) from None


class NotePrivate:
    """The private keys of a log or of a cosigner, from 64 bytes: an Ed25519 seed ‖ an ML-DSA-44 seed."""

    __slots__ = ("_ed", "_ml", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 64:
            raise Malformed("SEED", suite=0x0201, length=len(seed))
        self._ed = Ed25519PrivateKey.from_private_bytes(seed[:32])
        self._ml = MLDSA44PrivateKey.from_seed_bytes(seed[32:])
        self.public = NotePublic(self._ed.public_key().public_bytes_raw(), self._ml.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"NotePrivate(public ed={self.public.ed.hex()[:16]}…)"

    def sign(self, kind: int, message: bytes) -> bytes:
        """The bare signature for a line of type ``kind``; ML-DSA-44 pure with empty context, hedged by the library."""
        return self._ml.sign(message) if kind == MLDSA44_TIMED else self._ed.sign(message)


@dataclass(frozen=True, slots=True)
class Line:
    """A signature line. ``sig`` is all that follows the 4-byte key id: in timed lines u64 seconds ‖ signature."""

    name: str
    keyid: bytes
    sig: bytes

    def encode(self) -> str:
        """The line with its end."""
        return f"{_DASH}{self.name} {_b64(self.keyid + self.sig)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A log's size and root, and the lines under them."""

    origin: str
    size: int
    root: bytes
    lines: tuple[Line, ...] = ()

    @property
    def text(self) -> bytes:
        """The bytes that are signed: three lines."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n".encode()

    @property
    def anchor(self) -> bool:
        """Whether the note has the form of an anchor: a line as long as an ML-DSA-44 one under the log's name.

        ``check`` says whether it is one.
        """
        return any(line.name == self.origin and len(line.sig) == _SIG_LENGTH[MLDSA44_TIMED] for line in self.lines)

    def encode(self) -> bytes:
        """The note's bytes: text, an empty line, the signature lines."""
        return self.text + b"\n" + encode_lines(self.lines)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the known keys say of a note. Times in seconds, of the newest timed line of each side, or None."""

    log: bool
    log_anchor: bool
    cosigned: bool
    cosigned_anchor: bool
    log_at: int | None
    cosigned_at: int | None


def origin(chan: bytes, letter: Literal["a", "b"], log_no: int, *, side: bool = False) -> str:
    """The origin (and log key name) of a party's log number ``log_no``; ``side`` for its side log."""
    made = f"dcx1/{base64.urlsafe_b64encode(chan).decode().rstrip('=')}/{letter}/{log_no}{'/s' if side else ''}"
    if len(chan) != 32 or not _ORIGIN.fullmatch(made):
        raise WrongUse("ORIGIN", origin=made)
    return made


def origin_parts(name: str) -> tuple[bytes, Literal["a", "b"], int, bool]:
    """The reverse of ``origin``: chan, letter, log number, side; or ``Malformed`` ORIGIN."""
    found = _ORIGIN.fullmatch(name)
    chan = base64.urlsafe_b64decode(found[1] + "=") if found else b""
    if not found or base64.urlsafe_b64encode(chan).decode() != found[1] + "=":
        raise Malformed("ORIGIN", origin=name)
    return chan, "a" if found[2] == "a" else "b", int(found[3]), found[4] is not None


def cosigner_name(origin_of_cosigners_own_log: str) -> str:
    """The key name under which the owner of a log cosigns the other side's log."""
    return origin_of_cosigners_own_log + "/c"


def keyid(name: str, kind: int, raw_public: bytes) -> bytes:
    """The 4 bytes that lead a line to its key: the first of H(name ‖ newline ‖ type ‖ public key)."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + raw_public).digest()[:4]


def vkey(name: str, kind: int, raw_public: bytes) -> str:
    """A verifier key as C2SP writes it: ``name+hex key id+base64(type ‖ public key)``."""
    return f"{name}+{keyid(name, kind, raw_public).hex()}+{_b64(bytes([kind]) + raw_public)}"


def parse_vkey(text: str) -> tuple[str, int, bytes]:
    """Name, type and raw public key of a verifier key of a type known here, or ``Malformed`` VKEY."""
    name, _, rest = text.partition("+")
    raw = _unb64(rest.partition("+")[2]) or b"\x00"
    kind, public = raw[0], raw[1:]
    if len(public) != _RAW_LENGTH.get(kind) or not _NAME.fullmatch(name) or vkey(name, kind, public) != text:
        raise Malformed("VKEY", text=text[:80])
    return name, kind, public


def parse(raw: bytes) -> Note:
    """A note from its bytes, at most 64 KiB, in the one form that ``encode`` gives; else ``Malformed`` NOTE."""
    text, lines = parse_signed(raw)
    found = _TEXT.fullmatch(text.decode())
    if found is None or len(found[1].encode()) > 255:
        raise Malformed("NOTE", why="not three lines of origin, size and root")
    note = Note(found[1], int(found[2]), _unb64(found[3]) or b"", lines)
    if note.size >= 1 << 63 or note.text != text or (note.size == 0 and note.root != EMPTY):
        raise Malformed("NOTE", why="size or root out of form")
    return note


def parse_signed(raw: bytes) -> tuple[bytes, tuple[Line, ...]]:
    """The text and the lines of any C2SP signed note, or ``Malformed`` NOTE."""
    if len(raw) > MAX_BYTES:
        raise Malformed("NOTE", why=f"more than {MAX_BYTES} bytes")
    text, gap, tail = raw.rpartition(b"\n\n")
    if not gap:
        raise Malformed("NOTE", why="no empty line before the signatures")
    text += b"\n"
    try:
        clean = _CONTROL.search(text.decode()) is None
    except UnicodeDecodeError:
        clean = False
    if not clean:
        raise Malformed("NOTE", why="text is no clean UTF-8")
    return text, parse_lines(tail)


def parse_lines(raw: bytes) -> tuple[Line, ...]:
    """One or more signature lines (a cosigner's answer is nothing else), or ``Malformed`` NOTE."""
    if len(raw) > MAX_BYTES or not raw.endswith(b"\n"):
        raise Malformed("NOTE", why="no signature lines, or too many, or a last one without its end")
    try:
        return tuple(_parse_line(line) for line in raw.decode().removesuffix("\n").split("\n"))
    except UnicodeDecodeError:
        raise Malformed("NOTE", why="signature line is no UTF-8") from None


def encode_lines(lines: Iterable[Line]) -> bytes:
    """Signature lines as they stand in a note."""
    return "".join(line.encode() for line in lines).encode()


def sign_quick(key: NotePrivate, origin: str, size: int, root: bytes) -> Note:
    """A quick note of an own log: one 0x01 line. The caller has made (size, root) durable before."""
    note = _bare(origin, size, root)
    return replace(note, lines=(_line(key, ED25519, origin, note, 0),))


def sign_anchor(key: NotePrivate, origin: str, size: int, root: bytes, at: int) -> Note:
    """An anchor of an own log: a 0x01 and a 0x06 line, the latter with the time ``at`` (seconds, above 0)."""
    note = _bare(origin, size, root)
    return replace(note, lines=tuple(_line(key, kind, origin, note, at) for kind in (ED25519, MLDSA44_TIMED)))


def cosign(key: NotePrivate, name: str, note: Note, at: int, *, anchor: bool) -> tuple[Line, ...]:
    """The lines by which the cosigner ``name`` says that it holds this note's records: 0x04, in anchors 0x06 too."""
    kinds = (ED25519_TIMED, MLDSA44_TIMED) if anchor else (ED25519_TIMED,)
    return tuple(_line(key, kind, name, note, at) for kind in kinds)


def merge(note: Note, lines: Iterable[Line]) -> Note:
    """The note with more lines: one per name and key id, where an added one replaces, the log's own lines first."""
    kept = {(line.name, line.keyid): line for line in (*note.lines, *lines)}
    order = sorted(kept.values(), key=lambda x: (x.name != note.origin, x.name, len(x.sig), x.keyid, x.sig))
    return replace(note, lines=tuple(order))


def check(note: Note, log_key: NotePublic, cosigner: tuple[str, NotePublic] | None) -> Standing:
    """What the log's key and, if given, the cosigner's say of a note; see ``Standing``.

    The log's name is ``note.origin``: the caller compares it with the origin it expects. A line of one of these keys
    that fails raises ``Unverified`` NOTE_SIG, whatever else the note carries; other lines are not looked at.
    """
    log = log_lines(note, log_key)
    by = cosigner_lines(note, *cosigner) if cosigner else {}
    signed, cosigned = ED25519 in log, ED25519 in log and ED25519_TIMED in by
    anchor = signed and MLDSA44_TIMED in log
    return Standing(
        log=signed,
        log_anchor=anchor,
        cosigned=cosigned,
        cosigned_anchor=anchor and cosigned and MLDSA44_TIMED in by,
        log_at=log.get(MLDSA44_TIMED),
        cosigned_at=max(by.values(), default=None),
    )


def log_lines(note: Note, key: NotePublic) -> dict[int, int]:
    """The types of line that the log's own key has under the note, each with its newest time; else NOTE_SIG."""
    return _times(note, note.origin, ((ED25519, key.ed), (MLDSA44_TIMED, key.ml)))


def cosigner_lines(note: Note, name: str, key: NotePublic) -> dict[int, int]:
    """The types of line that the cosigner ``name`` has under the note, each with its newest time; else NOTE_SIG."""
    return _times(note, name, ((ED25519_TIMED, key.ed), (MLDSA44_TIMED, key.ml)))


def verify_line(line: Line, kind: int, raw_public: bytes, note: Note) -> int:
    """The time in seconds (0 in untimed lines) of a line that this key made over this note; else NOTE_SIG."""
    at = 0 if kind == ED25519 else int.from_bytes(line.sig[:8])
    signature = line.sig if kind == ED25519 else line.sig[8:]
    if (
        len(line.sig) != _SIG_LENGTH[kind]
        or at >= 1 << 63
        or not _holds(kind, raw_public, _message(kind, line.name, note, at), signature)
    ):
        raise Unverified("NOTE_SIG", name=line.name, keyid=line.keyid)
    return at


@lru_cache(maxsize=1024)
def _holds(kind: int, raw_public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature verifies. The newest answers are remembered: a node meets the same line several times."""
    try:
        if kind == MLDSA44_TIMED:
            _ml_public(raw_public).verify(signature, message)
        else:
            Ed25519PublicKey.from_public_bytes(raw_public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=256)
def _ml_public(raw: bytes) -> MLDSA44PublicKey:
    return MLDSA44PublicKey.from_public_bytes(raw)


def _times(note: Note, name: str, keys: tuple[tuple[int, bytes], ...]) -> dict[int, int]:
    """Each type of line that the key has under the note, with the newest of their times."""
    known = {keyid(name, kind, raw): (kind, raw) for kind, raw in keys}
    if len(known) != len(keys):  # two keys with one id: a line can't say whose it is
        raise Unverified("NOTE_SIG", name=name, keyid=next(iter(known)))
    found: dict[int, int] = {}
    for line in note.lines:
        if line.name == name and line.keyid in known:
            kind, raw = known[line.keyid]
            at = verify_line(line, kind, raw, note)
            if at == 0 and kind != ED25519:  # C2SP: no claim of freshness, so neither an anchor nor a receipt
                raise Unverified("NOTE_SIG", name=name, keyid=line.keyid)
            found[kind] = max(at, found.get(kind, 0))
    return found


def _line(key: NotePrivate, kind: int, name: str, note: Note, at: int) -> Line:
    if kind != ED25519 and not 0 < at < 1 << 63:
        raise WrongUse("NOTE_TIME", at=at)
    raw = key.public.ml if kind == MLDSA44_TIMED else key.public.ed
    stamp = b"" if kind == ED25519 else at.to_bytes(8)
    return Line(name, keyid(name, kind, raw), stamp + key.sign(kind, _message(kind, name, note, at)))


def _message(kind: int, name: str, note: Note, at: int) -> bytes:
    """The bytes under a line. Sources: C2SP signed-note, tlog-cosignature v1.1 (0x04 and 0x06)."""
    if kind == ED25519:
        return note.text
    if kind == ED25519_TIMED:
        return b"cosignature/v1\ntime %d\n" % at + note.text
    span = (0).to_bytes(8) + note.size.to_bytes(8)
    return b"subtree/v1\n\x00" + _short(name) + at.to_bytes(8) + _short(note.origin) + span + note.root


def _bare(origin: str, size: int, root: bytes) -> Note:
    if not _NAME.fullmatch(origin) or len(origin.encode()) > 255 or not 0 <= size < 1 << 63 or len(root) != 32:
        raise WrongUse("NOTE", origin=origin, size=size)
    return Note(origin, size, root)


def _short(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 255:
        raise WrongUse("NOTE_NAME", name=text[:80])
    return len(raw).to_bytes(1) + raw


def _parse_line(line: str) -> Line:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _unb64(encoded)
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or raw is None or len(raw) < 5:
        raise Malformed("NOTE", why="a signature line out of form")
    return Line(name, raw[:4], raw[4:])


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unb64(text: str) -> bytes | None:
    """The bytes of standard base64 in its one canonical form, or None."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if _b64(raw) == text else None
