"""Times and lengths of time as people write them in options: ``30s``, ``5m``, ``now``, ``2026-11-24 08:30``. All UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from keys.errors import WrongUse
from keys.plain import LAST_TIME

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
