"""What stands on every page: which channel and mode, who is at the desk, its level, the line, what waits, what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from channel.client.present import Names
from channel.desk.break_in import exercise_time, lasting
from channel.desk.ringing import Ring, rings
from channel.i18n import Texts
from keys.plain import plain, utc

if TYPE_CHECKING:
    from channel.desk.open_desk import OpenDesk

PAGES = (
    ("watch", "/", "g w"), ("compose", "/compose", "c"), ("approvals", "/approvals", "g a"), ("cases", "/cases", "g c"),
    ("handover", "/handover", "g h"), ("log", "/log", "g l"), ("link", "/link", "g k"), ("ladder", "/ladder", "g d"),
    ("directory", "/directory", "g p"), ("glossary", "/glossary", "g t"), ("search", "/search", "/"),
    ("settings", "/settings", "g s"), ("help", "/help", "?"),
)  # fmt: skip
"""(texts, address, keys) of the pages that can be gone to from anywhere."""
BREAK_INS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """The line to the other side: ``state`` up, limited, alternate, down, frozen or unknown, with its mark and values."""

    state: str
    mark: str
    values: dict[str, Any]


class Bar:
    """One page's frame, in one language."""

    def __init__(self, desk: OpenDesk, lang: str) -> None:
        self._desk, self._lang = desk, lang
        self._view = desk.client.view
        self.pages = PAGES

    @property
    def code(self) -> str:
        """The own party's code."""
        return self._desk.home.config.party

    @property
    def name(self) -> str:
        """The channel's title."""
        return self.title(self._lang)

    def title(self, lang: str) -> str:
        """The channel's title in a language."""
        title = self._view.charter.title
        return title.zh if lang == "zh" else title.en

    @cached_property
    def rings(self) -> list[Ring]:
        """What nobody here has received and read yet."""
        return rings(self._desk)

    @property
    def person(self) -> str:
        """Who is at the desk."""
        member = self._desk.person
        return "" if member is None else self._names.person(self._view.letter, member.person)

    @property
    def seat(self) -> str:
        """In which seat."""
        member = self._desk.person
        return "" if member is None else self._names.place(self._view.letter, member)

    @property
    def _names(self) -> Names:
        return Names(self._desk.client, Texts(self._lang))

    @property
    def level(self) -> str | None:
        """The channel's level."""
        return None if self._view.fold.charter is None else self._view.index.level()

    @property
    def suspended(self) -> bool:
        """Whether exchanges are suspended."""
        return self._view.fold.charter is not None and self._view.fold.suspended()

    @property
    def stale(self) -> str:
        """The newest time that the other side has signed, where it is too old; else ""."""
        if not self._desk.silent():
            return ""
        newest = max(copy.timed for copy in self._view.copies.values())
        return utc(newest * 1000) if newest else "–"

    @property
    def line(self) -> Line:
        """How the line is, as the own node sees it."""
        link = self._desk.link
        if link is None or self._desk.fault is not None:
            return Line("unknown", "◌", {})
        waiting = link["size"] - link["delivered"]
        if link["state"] == "FROZEN_PEER":
            return Line("frozen", "✖", {})
        if link["state"] != "ACTIVE":
            return Line("down", "✖", {"time": utc(link["heard"]) if link["heard"] else "–", "count": waiting})
        if link["address"] > 1:
            return Line("alternate", "◍", {"count": waiting})
        return Line("up", "●", {"time": utc(link["heard"])})

    @property
    def break_ins(self) -> list[dict[str, str]]:
        """Who has said REAL WORLD, newest first, until control goes on: party, person and time. Names are made plain."""
        return [
            {
                "party": self._view.fold.party(each.letter).code,
                "who": plain(self._names.person(each.letter, each.signer.person)),
                "time": utc(each.ts),
            }
            for each in reversed(lasting(self._desk.client))
        ][:BREAK_INS]

    @property
    def exercise_time(self) -> str:
        """Exercise time as "T+00:31", where control has started the clock; else ""."""
        known = self._view.fold.known()
        if known is None or known.mode == 1 or not known.clock.state:
            return ""
        minutes = exercise_time(self._desk.client, self._desk.now()) // 60_000
        return f"T+{minutes // 60:02}:{minutes % 60:02}"
