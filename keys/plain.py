"""Values made safe and short to show: text from outside, ids, times and lengths of time. Pure; no texts of its own.

Text from a peer, a file or a person may hold what a terminal obeys or an eye does not see. ``plain`` takes the
first away and shows the second as U+XXXX. The ranges stand here and not in ``unicodedata``, so that every Python
shows the same.

    >>> plain("a\\x1b[31mb\\u202ec")
    'abU+202Ec'
    >>> utc(1_795_478_400_123)
    '2026-11-24 00:00:00 UTC'
    >>> duration(10_800)
    (3, 'h')
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

LAST_TIME = 253_402_300_800_000  # the first ms after year 9999: no time in a message is later

_ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")  # colours, cursor moves: nothing readable is in them
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HALF = re.compile("[\ud800-\udfff]")
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def plain(text: str) -> str:
    """``text`` without control characters (line feeds stay) and with bidi and invisible characters as U+XXXX."""
    text = text.replace("\r\n", "\n").replace("\t", " ")
    return _UNSEEN.sub(lambda m: f"U+{ord(m[0]):04X}", _CONTROL.sub("", _ESCAPE.sub("", text)))


def has_control(text: str) -> bool:
    """Whether ``text`` has what a terminal obeys, or half a character: nothing that a person can mean to say.

    Tabs and line feeds are none of it. What an eye does not see stays allowed: ``plain`` shows it as U+XXXX.
    """
    return bool(_CONTROL.search(text.replace("\r\n", "\n").replace("\t", " ")) or _HALF.search(text))


def short(raw: bytes) -> str:
    """The first 8 bytes in hex."""
    return raw.hex()[:16]


def utc(ms: int) -> str:
    """Milliseconds since 1970 as date and time to the second; a number that no calendar holds stays a number."""
    if not 0 <= ms < LAST_TIME:
        return str(ms)
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: int) -> tuple[int, str]:
    """A length of time in the largest unit that says it exactly: ``s``, ``min``, ``h`` (to 72 h) or ``d``."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds and seconds % size == 0 and (unit != "d" or seconds > 3 * size):
            return seconds // size, unit
    return seconds, "s"
