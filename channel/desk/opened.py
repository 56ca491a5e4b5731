"""What the unlocked key has opened since it was unlocked, to be searched. In memory alone: nothing of it is ever written.

    opened = OpenedTexts(client)      # hears of every message that the client opens
    opened.older(200)                 # opens up to 200 more, the newest first
    opened.find(("quiet", "river"))   # messages that say all of it, the newest first

A locked desk has forgotten it. Texts of the second person who signs at this desk are that key's, and not found by the
first one's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channel.client.client import Client
from channel.protocol.book import Field
from channel.protocol.formats import Book
from channel.protocol.header import Payload
from keys.errors import Malformed, Refused, Unverified

if TYPE_CHECKING:
    from channel.protocol.message import Opened
    from channel.protocol.verdicts import MessageView

MORE = 200
AROUND = 60
"""Characters shown on each side of what was found."""
BREAKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Said:
    """One opened message: its number, its place (log, index), the case it stands in, and all its words on one line."""

    number: str
    place: tuple[str, int]
    case: bytes | None
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A message that fits, with the words around the first place that does: (text, whether it was asked for)."""

    said: Said
    around: tuple[tuple[str, bool], ...]


class OpenedTexts:
    """The texts that each key has opened, by payload hash."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._said: dict[bytes, dict[bytes, Said]] = {}
        self._closed: dict[bytes, set[bytes]] = {}
        """What was tried and does not open for that key."""
        client.on_open = self._take

    def forget(self) -> None:
        """Nobody is at the desk any more, or somebody else."""
        self._said.clear()
        self._closed.clear()

    def count(self) -> tuple[int, int, int]:
        """How many messages this key has opened, how many it can't, and how many there are."""
        kid, known = self._client.keys.seal.kid, self._client.view.fold.known()
        total = 0 if known is None else len(known.messages)
        return len(self._said.get(kid, ())), len(self._closed.get(kid, ())), total

    def older(self, count: int = MORE) -> int:
        """Open the newest messages that were not tried yet; how many were tried."""
        client, kid = self._client, self._client.keys.seal.kid
        said, closed = self._said.setdefault(kid, {}), self._closed.setdefault(kid, set())
        tried = 0
        for e in reversed(client.view.fold.ordered()):
            if e.t != "msg" or e.reason or e.ph in said or e.ph in closed:
                continue
            if tried == count:
                break
            tried += 1
            with suppress(Refused, Unverified, Malformed):
                client.open(client.find(e.ph))
            if e.ph not in said:
                closed.add(e.ph)
        return tried

    def find(self, words: Sequence[str]) -> list[Found]:
        """The messages of this key that say every one of the words, the newest first."""
        if not words:
            return []
        mine = self._said.get(self._client.keys.seal.kid, {})
        wanted = [re.compile(re.escape(word), re.IGNORECASE) for word in words]
        either = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))), re.IGNORECASE)
        found = []
        for said in sorted(mine.values(), key=self._order, reverse=True):
            opening = mine.get(said.case) if said.case is not None else None
            whole = said.text if opening in (None, said) else f"{said.text} · {opening.text}"
            if all(each.search(whole) for each in wanted):
                found.append(Found(said, _around(whole, either)))
        return found

    def _order(self, said: Said) -> tuple[int, str, int]:
        letter, index = said.place
        record = self._client.view.fold.verdict(letter, index).record
        return 0 if record is None else record.ts, letter, index

    def _take(self, message: MessageView, opened: Opened) -> None:
        verdict, payload = message.verdict, message.verdict.doc
        if not isinstance(payload, Payload):
            return
        words = dict.fromkeys(_words(self._client.book(message), payload, opened.body))
        text = BREAKS.sub(" ", " · ".join([verdict.number, *words]))
        said = Said(verdict.number, (verdict.letter, verdict.index), message.case, text)
        self._said.setdefault(self._client.keys.seal.kid, {})[message.ph] = said


def _words(book: Book, payload: Payload, body: Mapping[str, Any]) -> Iterator[str]:
    """All that a message says: what people wrote first, and its codes in both languages."""
    form = book.files.formats.get(payload.fmt)
    rules = {name: None if form is None else book.field(form, name) for name in body}
    for name in sorted(body, key=lambda name: (rule := rules[name]) is not None and rule.type != "text"):
        yield from _of_value(book, rules[name], body[name])
    if "entry" in body:
        coded = (book.coded_text(str(body["entry"]), body.get("slots", {}), lang) for lang in ("en", "zh"))
        yield from (said for said in coded if said)
    if form is not None:
        yield from (payload.fmt, form.en, form.zh)
    if (level := book.files.levels.get(payload.level)) is not None:
        yield from (level.en, level.zh)


def _of_value(book: Book, rule: Field | None, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        known = None if rule is None or rule.list is None else book.files.lists[rule.list].codes.get(value)
        yield from (value,) if known is None else (f"{value} {known.en} {known.zh}",)
    elif isinstance(value, Mapping):
        columns = (rule.columns if rule is not None else None) or {}
        for name, inner in value.items():
            yield from _of_value(book, columns.get(str(name)), inner)
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        for inner in value:
            yield from _of_value(book, rule, inner)


def _around(text: str, wanted: re.Pattern[str]) -> tuple[tuple[str, bool], ...]:
    """The piece of a text around the first word that fits, cut where words that fit begin and end."""
    first = wanted.search(text)
    assert first is not None
    start, end = max(0, first.start() - AROUND), min(len(text), first.end() + AROUND)
    parts, at = [("…" if start else "", False)], start
    for hit in wanted.finditer(text, start, end):
        parts += [(text[at : hit.start()], False), (hit[0], True)]
        at = hit.end()
    parts.append((text[at:end] + ("…" if end < len(text) else ""), False))
    return tuple(part for part in parts if part[0])
