"""What a desk looks up in both logs, kept as they grow: no question goes through a log again (``client.index``).

    index.case(ph)            # the messages of a case, in display order
    index.numbered("US-2026-000012"), index.beginning("9f3a"), index.newest_messages(1)
    index.corrections(ph), index.translations(ph)
    index.newest(("node.test",), 200)     # the newest records of some types

Follows the fold record by record, each once; begins anew where a succession began the fold anew. Valid messages only,
unless something else is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from msgspec import UNSET

from channel.client.unmet import Unmet
from channel.protocol.charter import ORDER
from channel.protocol.ladder import case_of, op, opens
from channel.protocol.people import Watch
from channel.protocol.verdicts import LETTERS, Entry, MessageView, Verdict
from channel.protocol.views import as_verdict, message_view

if TYPE_CHECKING:
    from channel.protocol.charter import Contacts
    from channel.protocol.fold import Fold
    from channel.protocol.tables import Tables

SHORT = 2
"""Bytes of a payload hash by which messages are kept: the four characters that a person has to give at least."""
ACTS = frozenset({"msg", "ack", "confirm", "watch"})
"""What only a person signs: the newest is a sign of life of a seat."""
T = TypeVar("T")


class Index:
    """The index of one fold."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._known: Tables | None = None
        self._unmet = {letter: Unmet(fold, letter) for letter in LETTERS}
        self._begin()

    def _begin(self) -> None:
        self._at = [0, 0]
        self._cases: dict[bytes | None, list[Entry]] = {}
        self._openings: dict[bytes, Entry] = {}
        self._open: dict[bytes, str] = {}
        """The level of each case that is open."""
        self._numbers: dict[str, Entry] = {}
        self._chosen: dict[str, tuple[list[Entry], list[Entry]]] = {}
        self._chosen_at: dict[str, list[int]] = {}
        self._short: dict[bytes, list[Entry]] = {}
        self._authored: dict[bytes, Entry] = {}
        self._corrections: dict[bytes, list[Entry]] = {}
        self._translations: dict[bytes, list[Entry]] = {}
        self._places: tuple[dict[bytes, int], dict[bytes, int]] = ({}, {})
        self._types: tuple[dict[str, list[Entry]], dict[str, list[Entry]]] = ({}, {})
        self._ts = [0, 0]
        self._turns: dict[tuple[str, str], Entry] = {}
        self._acts: dict[tuple[str, str], Entry] = {}
        self._posts: tuple[dict[str, None], dict[str, None]] = ({}, {})
        self._contacts: list[Entry | None] = [None, None]
        self._kept: dict[str, object] = {}

    def _learn(self) -> Tables | None:
        """Take in what was judged since; the fold's memory, once there is one."""
        t = self._fold.known()
        if t is not self._known:
            self._known = t
            self._begin()
        if t is None or self._at == [len(side.entries) for side in t.sides]:
            return t
        self._kept.clear()
        moved = set[bytes]()
        for p, side in enumerate(t.sides):
            for e in side.entries[self._at[p] :]:
                self._take(e)
                if e.t == "msg" and not e.reason:
                    moved |= self._message(e)
            self._at[p] = len(side.entries)
        for ph in moved:
            level = self._fold.case_level(ph)
            if level is None:
                self._open.pop(ph, None)
            else:
                self._open[ph] = level
        return t

    def _take(self, e: Entry) -> None:
        self._ts[e.p] = max(self._ts[e.p], e.record.ts if e.record is not None else 0)
        if e.envelope is not None:
            self._places[e.p].setdefault(e.ph, e.i)
        if e.name:
            self._numbers[e.name] = e
        if e.reason:
            return
        self._types[e.p].setdefault(e.t, []).append(e)
        if e.t == "contacts":
            self._contacts[e.p] = e
        if e.t in ACTS:
            for signer in e.signers:
                self._acts[LETTERS[e.p], signer.seat] = e
        if isinstance(e.doc, Watch):
            self._turns[LETTERS[e.p], e.doc.seat] = e
            if isinstance(e.doc.on, bytes):
                self._posts[e.p].setdefault(e.doc.seat)

    def _message(self, e: Entry) -> set[bytes]:
        """Take a message in; the case whose level it may have changed."""
        header, case = e.doc, case_of(e)
        self._cases.setdefault(case, []).append(e)
        self._short.setdefault(e.ph[:SHORT], []).append(e)
        self._types[e.p].setdefault(header.fmt, []).append(e)
        self._authored[header.from_] = e
        refs = () if header.refs is UNSET else header.refs
        if header.fmt == "F14":
            for ph in refs:
                self._corrections.setdefault(ph, []).append(e)
        if header.fmt == "F02" and refs:
            self._translations.setdefault(refs[0], []).append(e)
        if opens(header):
            self._openings[e.ph] = e
        return {case} if case is not None and (op(e) or opens(header)) else set()

    # --- messages -----------------------------------------------------------------------------------------------------

    def case(self, ph: bytes | None) -> list[MessageView]:
        """The messages of a case by its opening's payload hash, in display order; None: those that stand in no case."""
        return self._views(self.entries(ph))

    def entries(self, ph: bytes | None) -> Sequence[Entry]:
        """The same as they were judged, in the order in which they came."""
        self._learn()
        return self._cases.get(ph, ())

    def openings(self, *, closed: bool | None = None) -> list[bytes]:
        """The payload hashes of cases, in display order of their openings: of all, of the closed or of the open ones."""
        return list(self.once(f"openings {closed}", lambda: self._opened(closed=closed)))

    def _opened(self, *, closed: bool | None) -> list[bytes]:
        cases = self._open if closed is False else self._openings.keys()
        found = sorted(cases, key=lambda ph: self._place(self._openings[ph]))
        return [ph for ph in found if not (closed and ph in self._open)]

    def level(self) -> str:
        """The channel's level: the highest of its open cases, else routine."""
        self._learn()
        return max(self._open.values(), key=ORDER.index, default=ORDER[0])

    def numbered(self, number: str) -> MessageView | None:
        """The message of a number."""
        found, t = self.named(number), self._known
        return None if t is None or found is None or found.reason else message_view(t, found)

    def at(self, letter: str, index: int) -> MessageView | None:
        """The message at a place of a log."""
        t = self._learn()
        entries = [] if t is None else t.sides[LETTERS.index(letter)].entries
        e = entries[index] if index < len(entries) else None
        return None if t is None or e is None or e.t != "msg" or e.reason else message_view(t, e)

    def beginning(self, digits: str) -> list[MessageView]:
        """The messages whose payload hash begins with these four or more hexadecimal digits, in display order."""
        self._learn()
        try:
            start = bytes.fromhex(digits[: 2 * SHORT])
        except ValueError:
            return []
        found = self._short.get(start, ()) if len(digits) >= 2 * SHORT else ()
        return self._views(e for e in found if e.ph.hex().startswith(digits.lower()))

    def newest_messages(self, count: int, fmt: str = "msg", by: str = "ab") -> list[MessageView]:
        """The newest messages, or those of a format, in display order; ``by``: the letters of those who wrote them."""
        t = self._learn()
        return [] if t is None else [message_view(t, e) for e in self._newest((fmt,), count, by)]

    def previous(self, author: bytes) -> bytes | None:
        """The payload hash of the newest message that a signing key has written."""
        self._learn()
        found = self._authored.get(author)
        return None if found is None else found.ph

    def corrections(self, ph: bytes) -> list[MessageView]:
        """The corrections (F14) of a payload, in display order."""
        self._learn()
        return self._views(self._corrections.get(ph, ()))

    def corrected(self) -> list[bytes]:
        """Every payload that has a correction."""
        self._learn()
        return list(self._corrections)

    def translations(self, ph: bytes) -> list[MessageView]:
        """The answers (F02) to a message, in display order: translations and read-backs are among them."""
        self._learn()
        return self._views(self._translations.get(ph, ()))

    # --- records ------------------------------------------------------------------------------------------------------

    def place(self, letter: str, ph: bytes) -> int | None:
        """Where a payload first stands in a log, whatever became of it."""
        self._learn()
        return self._places[LETTERS.index(letter)].get(ph)

    def named(self, number: str) -> Entry | None:
        """The record that has a message number, whatever became of it."""
        self._learn()
        return self._numbers.get(number)

    def chosen(self, name: str, wanted: Callable[[Entry], bool]) -> tuple[Sequence[Entry], Sequence[Entry]]:
        """Of each log, in its order, the records that are wanted; ``name`` always stands for the same choice."""
        t = self._learn()
        found = self._chosen.setdefault(name, ([], []))
        at = self._chosen_at.setdefault(name, [0, 0])
        for p, side in enumerate(() if t is None else t.sides):
            found[p].extend(e for e in side.entries[at[p] :] if wanted(e))
            at[p] = len(side.entries)
        return found

    def newest(self, types: Iterable[str], count: int) -> list[Verdict]:
        """The newest valid records of some types, in display order."""
        t = self._learn()
        return [as_verdict(t, e) for e in self._newest(types, count)]

    def last_ts(self, letter: str) -> int:
        """The highest time that a record of a log gives, ms; 0 for none."""
        self._learn()
        return self._ts[LETTERS.index(letter)]

    def turn(self, letter: str, seat: str) -> Entry | None:
        """The newest watch record of a seat."""
        self._learn()
        return self._turns.get((letter, seat))

    def act(self, letter: str, seat: str) -> Entry | None:
        """The newest record that a member in a seat has signed."""
        self._learn()
        return self._acts.get((letter, seat))

    def posts(self, letter: str) -> list[str]:
        """The seats that ever were taken, in the order of their first taking."""
        self._learn()
        return list(self._posts[LETTERS.index(letter)])

    def contacts(self, letter: str) -> Contacts | None:
        """The newest fall-back list of a party."""
        self._learn()
        found = self._contacts[LETTERS.index(letter)]
        return None if found is None else found.doc

    # --- what follows from them ---------------------------------------------------------------------------------------

    def unmet(self, letter: str) -> Unmet:
        """What messages of a party still wait for."""
        return self._unmet[letter]

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What ``make`` gives, kept until a log has grown: for what follows from both logs alone."""
        self._learn()
        if name not in self._kept:
            self._kept[name] = make()
        found: T = self._kept[name]  # type: ignore[assignment]  # a name always stands for the same thing
        return found

    def _newest(self, types: Iterable[str], count: int, by: str = "ab") -> list[Entry]:
        sides = [self._types[LETTERS.index(letter)] for letter in by]
        lists = [reversed(side[t]) for t in types for side in sides if t in side]
        newest = islice(merge(*lists, key=self._place, reverse=True), count)
        return list(newest)[::-1]

    def _views(self, found: Iterable[Entry]) -> list[MessageView]:
        t = self._known
        return [] if t is None else [message_view(t, e) for e in sorted(found, key=self._place)]

    def _place(self, e: Entry) -> int:
        return self._fold.place(LETTERS[e.p], e.i)
