"""The policy that a channel starts with: the ladder, tables, limits and timers of docs/protocol.md section 4.2.

Data only. Both authorities sign it as version 1, and may replace it together later.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from channel.protocol.charter import ORDER, Level, Limits, Policy, SignTable, Slots, Timers
from keys.shapes import ZERO, Mode

_EXPERT, _OFFICIAL = ("expert",), ("official",)
_ANY = ("expert", "duty", "official")
_LINE: Slots = (("expert", "duty", "official", "operator"),)
_ONE: Slots = (_EXPERT,)
_TWO: Slots = (_EXPERT, _ANY)
_THREE: Slots = (_EXPERT, _EXPERT, _OFFICIAL)
_PRINCIPAL = ("official@principal",)
_H = 3600

# by level: precedence, enter, lower, seconds to read, engaged, informed, reply, update (docs/protocol.md 4.2, ladder)
_LADDER: dict[str, tuple[Any, ...]] = {
    "routine": ("R", (("expert", "duty", "operator"),), _ONE, 24 * _H, UNSET, UNSET, 168 * _H, UNSET),
    "attention": ("P", _ONE, _ONE, 3 * _H, 12 * _H, UNSET, 72 * _H, UNSET),
    "consultation": ("P", _TWO, _ONE, _H, 3 * _H, UNSET, 24 * _H, 12 * _H),
    "serious": ("O", _TWO, _TWO, 1800, _H, 4 * _H, 4 * _H, 4 * _H),
    "crisis": ("Z", _THREE, _THREE, 600, 1200, _H, _H, _H),
    "principals": ("Z", (_EXPERT, _EXPERT, _PRINCIPAL), (_PRINCIPAL,), 300, 600, 1800, 1800, 1800),
}
_CATEGORIES = (
    "LOC", "REP", "IMP", "PWR", "DEC", "COL", "CYB", "BIO", "CHM", "RAD",
    "THF", "MIS", "MIL", "NC2", "SYN", "MAN", "CII", "FIN", "ACC", "UNX",
)  # fmt: skip


def default_policy(mode: Mode, formats_hash: bytes, codes_hash: bytes) -> Policy:
    """Version 1 with the default tables; the hashes are those of the format book and the code book (32 bytes each)."""
    names = ("prec", "enter", "lower", "read", "engaged", "informed", "reply", "update")
    return Policy(
        mode=mode,
        ver=1,
        prev=ZERO,
        fold=1,
        levels=tuple(Level(code=code, **dict(zip(names, _LADDER[code], strict=True))) for code in ORDER),
        sign=SignTable(line=_LINE, person=(_ANY,), expert=_ONE, two=_TWO, official=(_OFFICIAL,)),
        holding=("NOI", "CHK", "NEN", "REF"),
        formats=formats_hash,
        codes=codes_hash,
        limits=Limits(
            max_body=65_536,
            max_to=20,
            kem_grace=1_209_600_000,
            draft_ttl=86_400,
            link_window=262_144,
            confirm_s=900,
            rate_msg=60,
            rate_peer=600,
        ),
        categories=_CATEGORIES,
        cooling=0 if mode == 2 else 86_400_000,
        timers=Timers(hb_s=30, stale_s=90, cosign_s=10, test_s=900, steps=(50, 100, 150, 200)),
        witnesses=(),
        quorum=0,
    )
