"""Times as people of both sides read them: UTC first, the local times of both sides beside it. No 12-hour clock."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from keys.plain import LAST_TIME


@cache
def zone(name: str) -> ZoneInfo | None:
    """A time zone by its name, or None where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def local_times(ms: int, zones: tuple[str, ...]) -> list[str]:
    """The same moment in each zone: "2026-11-24 08:30 Asia/Shanghai"."""
    if not 0 <= ms < LAST_TIME:
        return []
    at = datetime.fromtimestamp(ms // 1000, UTC)
    known = [(name, found) for name in zones if (found := zone(name)) is not None]
    return [f"{at.astimezone(found):%Y-%m-%d %H:%M} {name}" for name, found in known]
