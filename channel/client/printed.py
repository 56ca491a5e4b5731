"""A carried file as lines of text to print and to type in again (docs/protocol.md section 8).

    DCXCARRY 1 <lines> <check of all>
    <number> <eight groups of eight letters> <check>

Base32 has letters and the digits 2 to 7 alone. Each line checks itself, so a typing error is named by its line; the
first line checks the whole. Pure functions; typed text may differ in case and spacing, and have 0, 1, 8 for O, I, B.
"""

from __future__ import annotations

import base64
import binascii
import re
from hashlib import sha256

from keys.errors import Malformed, Refused

MAX_BYTES = 65_536
HEAD = "DCXCARRY"
_LINE = 40  # bytes in a line
_GROUP = 8
NAMED = 20  # lines that an error names
_CHECK, _CHECK_ALL = 4, 8  # letters
_ALPHABET = re.compile(r"[A-Z2-7]*")
_MISREAD = str.maketrans("018", "OIB")
_FIRST = re.compile(rf"{HEAD}\s+1\s+([0-9]{{1,6}})\s+(\S{{{_CHECK_ALL}}})")


def is_printed(raw: bytes) -> bool:
    """Whether a file begins as a printed one; the binary file has no space there."""
    return raw.lstrip()[: len(HEAD) + 1].upper() in (f"{HEAD} ".encode(), f"{HEAD}\t".encode())


def to_lines(raw: bytes) -> list[str]:
    """The lines of a file, or ``Refused`` CARRY_SIZE."""
    if len(raw) > MAX_BYTES:
        raise Refused("CARRY_SIZE", size=len(raw), limit=MAX_BYTES)
    pieces = [raw[at : at + _LINE] for at in range(0, len(raw), _LINE)]
    lines = [f"{HEAD} 1 {len(pieces)} {_check(0, raw, _CHECK_ALL)}"]
    for number, piece in enumerate(pieces, start=1):
        text = base64.b32encode(piece).decode().rstrip("=")
        groups = [text[at : at + _GROUP] for at in range(0, len(text), _GROUP)]
        lines.append(" ".join([f"{number:04}", *groups, _check(number, piece, _CHECK)]))
    return lines


def from_lines(text: str) -> bytes:
    """The file of its lines, in any order of the numbered ones.

    ``Malformed`` CARRY_LINES names every line that is wrong or missing, CARRY_FIRST_LINE the first one.
    """
    typed = [line.strip() for line in text.splitlines() if line.strip()]
    first = _FIRST.fullmatch(typed[0].upper()) if typed else None
    if first is None or not 0 < int(first[1]) <= -(-MAX_BYTES // _LINE):
        raise Malformed("CARRY_FIRST_LINE")
    count = int(first[1])
    pieces: dict[int, bytes] = {}
    wrong: set[int] = set()
    for place, line in enumerate(typed[1:], start=1):
        number, piece = _read(line)
        if piece is not None and 0 < number <= count and pieces.setdefault(number, piece) == piece:
            continue
        wrong.add(number if 0 < number <= count else place)
    wrong |= set(range(1, count + 1)) - pieces.keys()
    if wrong:
        raise Malformed("CARRY_LINES", lines=", ".join(map(str, sorted(wrong)[:NAMED])), count=len(wrong))
    raw = b"".join(pieces[number] for number in sorted(pieces))
    if _check(0, raw, _CHECK_ALL) != first[2].translate(_MISREAD):
        raise Malformed("CARRY_FIRST_LINE")
    return raw


def _read(line: str) -> tuple[int, bytes | None]:
    """Number and bytes of a typed line; no bytes where it does not check, number 0 where it has none."""
    number, *rest = line.upper().split()
    if not (number.isascii() and number.isdigit() and len(number) <= 6):
        return 0, None
    text = "".join(rest).translate(_MISREAD)
    data, check = text[:-_CHECK], text[-_CHECK:]
    if not data or not _ALPHABET.fullmatch(data) or len(data) > 2 * _LINE:
        return int(number), None
    try:
        piece = base64.b32decode(data + "=" * (-len(data) % 8))
    except binascii.Error:
        return int(number), None
    return int(number), piece if _check(int(number), piece, _CHECK) == check else None


def _check(number: int, raw: bytes, letters: int) -> str:
    digest = sha256(b"dcx/v1/line\0" + number.to_bytes(4) + raw).digest()
    return base64.b32encode(digest[:5]).decode()[:letters]
