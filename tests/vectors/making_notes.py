"""Signed notes of the vectors: text and lines by C2SP signed-note and tlog-cosignature, as docs/protocol.md 6 names them."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from making_founding import note_keys, note_seed
from making_signing import Kept, digest

AT = 1_795_478_400 + 3600
OTHER = {"a": "b", "b": "a"}


def origin(chan: bytes, letter: str, number: int) -> str:
    """The origin of a log."""
    return f"dcx1/{base64.urlsafe_b64encode(chan).decode().rstrip('=')}/{letter}/{number}"


def text_of(name: str, size: int, root: bytes) -> bytes:
    """The three lines that are signed."""
    return f"{name}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def line_of(kept: Kept, label: str, kind: int, name: str, of: str, size: int, root: bytes, at: int) -> bytes:
    """A signature line of a type by the keys of a label, over the note of origin ``of``."""
    seed, public, text = note_seed(label), note_keys(label), text_of(of, size, root)
    raw = public["ml"] if kind == 6 else public["ed"]
    head = digest(name.encode(), b"\n", bytes([kind]), raw)[:4] + (b"" if kind == 1 else at.to_bytes(8, "big"))
    if kind == 6:
        short = lambda s: bytes([len(s)]) + s.encode()  # noqa: E731
        span = (0).to_bytes(8, "big") + size.to_bytes(8, "big")
        message = b"subtree/v1\n\0" + short(name) + at.to_bytes(8, "big") + short(of) + span + root
        body = kept.line(text, name, head, seed[32:], message)
    else:
        message = text if kind == 1 else b"cosignature/v1\ntime %d\n" % at + text
        body = head + ed25519.Ed25519PrivateKey.from_private_bytes(seed[:32]).sign(message)
    return f"— {name} {base64.b64encode(body).decode()}\n".encode()


def note_of(
    kept: Kept, chan: bytes, letter: str, number: int, size: int, root: bytes, *, quick: bool = False, at: int = AT,
    cosigner: int | None = 0, log: bool = True, kinds: tuple[int, ...] = (), label: str = "",
) -> bytes:  # fmt: skip
    """A note with the log's lines and, unless ``cosigner`` is None, the other party's. ``kinds``: only these types."""
    name, other = origin(chan, letter, number), OTHER[letter]
    use = kinds or ((1, 4) if quick else (1, 6, 4, 7))  # 7 here: the cosigner's ML-DSA line
    made = text_of(name, size, root) + b"\n"
    for kind in use:
        if kind in (1, 6) and log:
            made += line_of(kept, label or f"{letter}{number} log", kind, name, name, size, root, at)
        if kind in (4, 7) and cosigner is not None:
            by = origin(chan, other, cosigner) + "/c"
            made += line_of(kept, f"{other}{cosigner} cos", 4 if kind == 4 else 6, by, name, size, root, at)
    return made


def anchor(world: Any, letter: str, number: int, size: int, *, quick: bool = False, **other: Any) -> bytes:
    """The note over a size of a log of a world, as things stand."""
    other.setdefault("cosigner", len(world.starts[OTHER[letter]]) - 1)
    return note_of(world.kept, world.chan, letter, number, size, world.root(letter, number, size), quick=quick, **other)
