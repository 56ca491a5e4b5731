"""Members by the name that people type: their seat, and a number where several persons sit in one, as in shifts.

duty      the first member of the seat, in the roster's order
duty.2    the second
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from channel.protocol.verdicts import PartyView
    from keys.documents import Member


def seat_of(name: str) -> str:
    """The seat of such a name: what stands before the number."""
    numbered = re.fullmatch(r"(.+)\.[0-9]+", name)
    return name if numbered is None else numbered[1]


def by_name(party: PartyView) -> dict[str, Member]:
    """Every member of a party by name, in the roster's order."""
    taken: Counter[str] = Counter()
    found: dict[str, Member] = {}
    for member in party.roster.members:
        taken[member.seat] += 1
        number = taken[member.seat]
        found[member.seat if number == 1 else f"{member.seat}.{number}"] = party.members.get(member.kid, member)
    return found
