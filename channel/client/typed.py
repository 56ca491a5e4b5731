"""What people type, read narrowly: times, lengths of time, words that can be seen, and a file's size and hash.

Times as people write them: ``30s``, ``5m``, ``now``, ``2026-11-24 08:30``. All UTC.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import category

from channel.client.seats import by_name
from keys.errors import Refused, WrongUse
from keys.plain import LAST_TIME, has_control

if TYPE_CHECKING:
    from channel.client.client import Client

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(text: str) -> float:
    """A length of time in seconds; a bare number is seconds. ``WrongUse`` DURATION."""
    unit = next((u for u in UNITS if text.endswith(u)), "")
    try:
        found = float(text.removesuffix(unit)) * UNITS.get(unit, 1.0)
    except ValueError as e:
        raise WrongUse("DURATION", text=text) from e
    if not math.isfinite(found) or found < 0:
        raise WrongUse("DURATION", text=text)
    return found


def moment(text: str, now: int) -> int:
    """A point in time in ms: ``now``, a length of time ago or (``+2h``) from now, ms since 1970, or a date (and time). ``WrongUse`` MOMENT.

    ``now`` in ms. A date without a zone is UTC, as everything that the commands print.
    """
    if text == "now":
        return now
    try:
        if text.isascii() and text.isdigit():
            found = int(text) if len(text) > len("2026") else -1
        elif text[:1] == "+":
            found = now + int(seconds(text[1:]) * 1000)
        elif text.removesuffix("ago").strip()[-1:] in "smhd" and text[:1].isdigit():
            found = now - int(seconds(text.removesuffix("ago").strip()) * 1000)
        else:
            at = datetime.fromisoformat(text.removesuffix("UTC").strip())
            found = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError, WrongUse) as e:
        raise WrongUse("MOMENT", text=text) from e
    if not 0 < found < LAST_TIME:
        raise WrongUse("MOMENT", text=text)
    return found


def sayable(text: str) -> str:
    """The text, if it can be seen; ``WrongUse`` CONTROL_CHARACTERS for what only a terminal reads, NOTHING_TO_SEE."""
    if has_control(text):
        raise WrongUse("CONTROL_CHARACTERS")
    if text and not any(category(c)[0] not in "CZ" for c in text):  # spaces, and characters of no width
        raise WrongUse("NOTHING_TO_SEE")
    return text


def material_of(path: Path) -> dict[str, Any]:
    """Name, size in bytes and SHA-256 of a file, read in pieces. ``WrongUse`` NO_FILE."""
    digest, size = sha256(), 0
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
                size += len(piece)
    except OSError as e:
        raise WrongUse("NO_FILE", path=path, why=e.strerror or "?") from e
    return {"name": path.name, "size": size, "sha256": digest.digest()}


def cosigners(client: Client, names: tuple[str, ...]) -> tuple[bytes, ...]:
    """Signing key ids of own seats. ``WrongUse`` NO_SEAT, ``Refused`` SELF_APPROVAL for the own person."""
    party = client.view.fold.party(client.view.letter)
    named = by_name(party)
    own = party.members[client.keys.sign.kid]
    for name in names:
        if name not in named:
            raise WrongUse("NO_SEAT", seat=name, seats=", ".join(named))
        if named[name].person == own.person:
            raise Refused("SELF_APPROVAL", seat=name)
    return tuple(named[name].kid for name in names)
