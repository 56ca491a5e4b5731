"""Line tests as the page shows them: the newest automatic ones as a table and a strip, those by people with their texts.

However long the logs are, the newest records alone are looked at.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channel.client import linetests
from channel.client.present import payload_of
from channel.protocol.record import Echo, Test
from keys.errors import Malformed, Refused, Unverified

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.client.linetests import HumanTest, LineTest
    from channel.protocol.verdicts import MessageView, Verdict

TAIL = 1_000
"""Records of both logs in which automatic tests are looked for."""
SHOWN, STRIP = 24, 48
"""Rows of the table, and parts of the strip."""
PEOPLE = 24
STATES = {"answered": "up", "unanswered": "down", "waiting": "waiting"}


@dataclass(frozen=True, slots=True)
class ByPerson:
    """A line test by a person. ``body``: its texts where this person can open it; ``ours``: whether this side asked."""

    test: HumanTest
    ours: bool
    body: dict[str, Any]


def automatic(client: Client, now: int) -> list[LineTest]:
    """The newest automatic tests of both sides, oldest first."""
    fold = client.view.fold

    def tail() -> tuple[list[Verdict], list[Verdict]]:
        records = [fold.verdict("ab"[e.p], e.i) for e in fold.ordered()[-TAIL:]]
        return [v for v in records if isinstance(v.doc, Test | Echo)], records

    verdicts, records = client.index.once("tail", tail)
    tests = linetests.automatic(verdicts, fold.policy(client.view.letter).timers.test_s, now, records)
    return sorted(tests, key=lambda test: test.t1)


def strip(tests: list[LineTest], letter: str, now: int) -> list[tuple[int, int, str]]:
    """The tests that one side asked as parts of time: each lasts until the next one."""
    own = [test for test in tests if test.letter == letter][-STRIP:]
    ends = [test.t1 for test in own[1:]]
    return [(test.t1, max(end, test.t1), STATES[test.state]) for test, end in zip(own, [*ends, now], strict=False)]


def by_people(client: Client) -> list[ByPerson]:
    """The newest tests by people, newest first."""
    messages = {m.ph: m for m in client.index.newest_messages(PEOPLE, "F01") if not _answers_older(client, m)}
    known = client.view.fold.known()
    for ph in list(messages):
        for entry in known.replies.get(ph, ()) if known is not None else ():
            found = client.view.fold.find(entry.ph)
            if found is not None:
                messages.setdefault(found.ph, found)
    bodies = {m.verdict.number: _body(client, m) for m in messages.values() if payload_of(m).fmt == "F01"}
    kinds = {m.ph: str(bodies.get(m.verdict.number, {}).get("test", "")) for m in messages.values()}
    tests = linetests.human(sorted(messages.values(), key=_ts), kinds)
    return [ByPerson(t, t.letter == client.view.letter, bodies[t.number]) for t in reversed(tests)]


def _answers_older(client: Client, message: MessageView) -> bool:
    """Whether it is an answer to a test: that one brings it along, or is too old to be shown."""
    refs = payload_of(message).refs
    found = [client.view.fold.find(ref) for ref in refs] if isinstance(refs, tuple) else []
    return any(m is not None and payload_of(m).fmt == "F01" for m in found)


def _body(client: Client, message: MessageView) -> dict[str, Any]:
    with suppress(Refused, Unverified, Malformed):
        return dict(client.open(message).body)
    return {}


def _ts(message: MessageView) -> int:
    return message.verdict.record.ts if message.verdict.record is not None else 0
