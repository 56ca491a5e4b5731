"""The history of line tests, as pure functions of what the fold has judged (docs/protocol.md 5.1); bodies of human ones.

    for test in automatic(fold.display(), test_s, now): …      node.test and its two echoes
    for test in human(fold.messages()): …                      F01 by people, and what answered it

A test is answered once its closing echo stands. Times in ms; ``t1`` is the asking side's clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from channel.client import neutral
from channel.client.client import Client
from channel.client.present import find, payload_of
from channel.protocol.header import Payload
from channel.protocol.record import Echo, Test
from channel.protocol.verdicts import MessageView, Verdict
from keys.errors import Refused


@dataclass(frozen=True, slots=True)
class LineTest:
    """One automatic test. ``offset``: how far the answering node's clock is ahead of the asking one's."""

    letter: str
    """The log of the side that asked."""
    path: str
    t1: int
    state: Literal["answered", "waiting", "unanswered"]
    round_trip: int | None = None
    offset: int | None = None
    reason: Literal["", "LINK", "UNK"] = ""
    """Why it is unanswered: the other side had no sight of it in time, or it had."""


@dataclass(frozen=True, slots=True)
class HumanTest:
    """One line test by a person. ``answer``: the number of the first message of the other side that refers to it."""

    letter: str
    number: str
    kind: str
    """The code of the body's field, where this desk can open it."""
    ts: int
    read: bool
    answer: str = ""
    after: int | None = None
    """From receipt to answer, both in the answering side's clock."""


def automatic(
    verdicts: Iterable[Verdict], test_s: int, now: int, seen: Sequence[Verdict] | None = None
) -> list[LineTest]:
    """Every automatic test of both sides, in the order of ``verdicts`` (each echo after what it answers).

    ``seen``: all records of that time, where ``verdicts`` are the tests and echoes alone.
    """
    found: dict[tuple[str, bytes], LineTest] = {}
    echoes: dict[tuple[str, bytes], Echo] = {}
    verdicts = list(verdicts)
    sights = _Sights(verdicts if seen is None else seen)
    for v in verdicts:
        if v.reason:
            continue
        match v.doc:
            case Test(id=id_, path=path, t1=t1) if now <= t1 + 1000 * test_s:
                found.setdefault((v.letter, id_), LineTest(v.letter, path, t1, "waiting"))
            case Test(id=id_, path=path, t1=t1):
                why: Literal["LINK", "UNK"] = "UNK" if sights.before(v, t1 + 1000 * test_s) else "LINK"
                found.setdefault((v.letter, id_), LineTest(v.letter, path, t1, "unanswered", reason=why))
            case Echo(id=id_, t1=t1, t2=t2, t3=t3, t4=int(t4)):
                echo, test = echoes.get((v.letter, id_)), found.get((v.letter, id_))
                if test is not None and echo is not None and (echo.t1, echo.t2, echo.t3) == (t1, t2, t3):
                    trip, offset = (t4 - t1) - (t3 - t2), ((t2 - t1) + (t3 - t4)) // 2
                    found[v.letter, id_] = replace(test, state="answered", round_trip=trip, offset=offset, reason="")
            case Echo(id=id_, t1=t1):
                asker = "b" if v.letter == "a" else "a"
                if (test := found.get((asker, id_))) is not None and test.t1 == t1:
                    echoes.setdefault((asker, id_), v.doc)
    return list(found.values())


class _Sights:
    """When each side had seen how much of the other's log, by the ``ts`` of its own records."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self._verdicts = verdicts
        self._seen: dict[str, list[int]] = {}
        self._ts: dict[str, list[int]] = {}

    def _read(self) -> None:
        self._seen, self._ts = {"a": [], "b": []}, {"a": [], "b": []}
        for v in self._verdicts:
            if v.record is not None:
                self._seen[v.letter].append(max([v.record.seen[1], *self._seen[v.letter][-1:]]))
                self._ts[v.letter].append(v.record.ts)

    def before(self, test: Verdict, until: int) -> bool:
        """Whether the other side had seen a record by then, in its own clock."""
        if not self._seen:  # most tests were answered, and nobody asks
            self._read()
        other = "b" if test.letter == "a" else "a"
        first = bisect_right(self._seen[other], test.index)
        return first < len(self._ts[other]) and self._ts[other][first] <= until


def newest(tests: Iterable[LineTest]) -> list[LineTest]:
    """The newest of each side and path, sides and paths in order."""
    last = {(test.letter, test.path): test for test in tests}
    return [last[key] for key in sorted(last, key=lambda k: (k[0], len(k[1]), k[1]))]


def human(messages: Sequence[MessageView], kinds: dict[bytes, str]) -> list[HumanTest]:
    """Every F01 that starts a test, oldest first; one that refers to an F01 is an answer. ``kinds``: by payload hash."""
    tests = {m.ph: m for m in messages if _payload(m).fmt == "F01"}
    found = []
    for m in tests.values():
        if any(ref in tests for ref in _refs(m)):
            continue
        answers = [a for a in messages if a.verdict.letter != m.verdict.letter and m.ph in _refs(a)]
        read = any(a.doc.step != "undecryptable" for a in m.acks)
        made = HumanTest(m.verdict.letter, m.verdict.number, kinds.get(m.ph, ""), _ts(m), read)
        if answers:
            after = None if m.receipt_time is None else _ts(answers[0]) - m.receipt_time
            made = replace(made, read=True, answer=answers[0].verdict.number, after=after)
        found.append(made)
    return found


def _payload(message: MessageView) -> Payload:
    doc: Payload = message.verdict.doc
    return doc


def _refs(message: MessageView) -> tuple[bytes, ...]:
    refs = _payload(message).refs
    return refs if isinstance(refs, tuple) else ()


def _ts(message: MessageView) -> int:
    return message.verdict.record.ts if message.verdict.record is not None else 0


def new_test(client: Client, kind: str) -> dict[str, Any]:
    """The body of a test by a person: a neutral text drawn at random, and what to answer."""
    drawn = neutral.draw(client.random)
    return {"test": kind, "text_en": drawn.text_en, "text_zh": drawn.text_zh, "answer": drawn.answer}


def asked_test(client: Client, ref: str) -> MessageView:
    """The other side's test that a REF names, or ``Refused`` NO_TEST; ``last`` is the newest of that side's tests."""
    theirs = client.index.newest_messages(1, "F01", client.view.peer) if ref == "last" else []
    message = theirs[0] if theirs else find(client, ref)
    if payload_of(message).fmt != "F01" or message.verdict.letter == client.view.letter:
        raise Refused("NO_TEST", number=message.verdict.number)
    return message


def answer_body(client: Client, asked: MessageView, text: str) -> dict[str, Any]:
    """The answer in the language it is written in, beside the kind of the test and what it expects."""
    body = client.open(asked).body
    own = "text_zh" if any("\u4e00" <= char <= "\u9fff" for char in text) else "text_en"
    return {name: body[name] for name in ("test", "answer") if name in body} | {own: text}
