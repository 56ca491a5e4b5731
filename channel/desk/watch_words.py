"""The watch in words: who holds which post, what is open on both sides with the time left, the fall-back lists.

The same lines are shown by ``channel watch status`` and before every watch record, and kept with it as a note.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from channel.client import watch
from channel.client.client import Client
from channel.client.present import Names
from channel.client.procedures import Procedures
from channel.client.view import LETTERS
from channel.client.watch import Open, Post, Receipt
from channel.desk.own_procedures import procedure_lines
from channel.desk.plan import ended, next_one, on_now
from channel.i18n import LANGUAGES, Texts
from channel.node.duty_config import WatchConfig
from channel.protocol.charter import Contact
from keys.plain import plain, utc

UNANSWERED, FALL_BACK = 3, 4
"""Steps of the no-answer procedure from which on "no reply seen yet" and the fall-back lists are shown."""


class Shown:
    """Lines of one desk, in one language, as of one moment."""

    def __init__(self, client: Client, texts: Texts, plan: WatchConfig, procedures: Procedures) -> None:
        self._client, self._texts, self._say = client, texts, texts.say
        self._names = Names(client, texts)
        self._plan, self._procedures = plan, procedures
        self._now = client.clock.now()
        self.posts = watch.posts(client, plan.seats)
        self.awaited, self.owed = watch.awaited(client), watch.owed(client)

    # --- posts

    def post_lines(self) -> list[str]:
        """Every post of both parties."""
        return [line for post in self.posts for line in self._post(post)]

    def _post(self, post: Post) -> list[str]:
        say, where = self._say, self.post_name(post)
        record = f"{self._client.view.fold.party(post.letter).code}:{post.index}"
        if post.holder is not None:
            lines = [say("watch.held", post=where, who=self.who(post), time=utc(post.since or 0), record=record)]
        elif post.since is not None:
            lines = [say("watch.empty_since", post=where, time=utc(post.since), record=record)]
        else:
            lines = [say("watch.empty", post=where)]
        if post.act_at is None:
            lines.append(f"  {say('watch.no_act')}")
        else:
            lines.append(f"  {say('watch.act', act=say(f'record.{post.act}'), time=utc(post.act_at))}")
        return [*lines, *(f"  {line}" for line in self.planned_lines(post))]

    def planned_lines(self, post: Post) -> list[str]:
        """The plan of an own post: who is on by it, and who is next."""
        if post.letter != self._client.view.letter:
            return []  # a plan is each side's own
        lines, plan, now = [], self._plan, self._now
        current, coming = on_now(plan, post.seat, now), next_one(plan, post.seat, now)
        person = None if post.holder is None else post.holder.person
        if person is not None and (current is None or current.person != person):
            over = ended(plan, post.seat, person, now)
            if over is not None:
                lines.append(self._say("watch.shift_over", who=self.person(person), time=utc(over.end)))
        if current is not None and current.person != person:
            lines.append(self._say("watch.planned_now", who=self.person(current.person), time=utc(current.start)))
        if coming is not None:
            lines.append(self._say("watch.planned_next", who=self.person(coming.person), time=utc(coming.start)))
        return lines

    def post_name(self, post: Post) -> str:
        """A post with its party."""
        return self._names.post(post.letter, post.seat)

    def who(self, post: Post) -> str:
        """The person who holds a post."""
        return "-" if post.holder is None else self._names.person(post.letter, post.holder.person)

    def person(self, id_: str) -> str:
        """A person of the own side."""
        return self._names.person(self._client.view.letter, id_)

    # --- what is open

    def open_lines(self) -> list[str]:
        """What each side still waits for; the fall-back lists where a message has come to that step."""
        lines = [self._say("watch.awaited", count=len(self.awaited))]
        for each in self.awaited:
            lines += [*self._open(each), *self._unanswered(each)]
        lines.append(self._say("watch.owed", count=len(self.owed)))
        for each in self.owed:
            lines += [*self._open(each), *(f"    {line}" for line in self.procedure_lines(each))]
        if any(r.step >= FALL_BACK for each in self.awaited for r in each.receipts):
            lines += self.contact_lines()
        return lines

    def _open(self, each: Open) -> list[str]:
        head = f"  {each.message.verdict.number}  {self._texts.level(each.level)}"
        return [head, *(f"    {self._receipt(receipt)}" for receipt in each.receipts)]

    def _receipt(self, receipt: Receipt) -> str:
        named = self._say(f"step.{receipt.name}")
        if receipt.due is None:
            left = self._say("watch.uncounted")
        else:
            seconds = (receipt.due - self._now) // 1000
            said = length(self._texts, abs(seconds))
            left = self._say("watch.left" if seconds >= 0 else "watch.over", length=said, time=utc(receipt.due))
        line = self._say("watch.receipt", receipt=named, left=left)
        if not receipt.step:
            return line
        what, why = self._say(f"step.act_{receipt.step}"), self._say(f"reason.{receipt.reason}")
        return self._say("watch.step", line=line, step=receipt.step, what=what, reason=why)

    def _unanswered(self, each: Open) -> list[str]:
        late = [r for r in each.receipts if r.step >= UNANSWERED]
        if not late:
            return []
        if any(r.name == "read" for r in late):
            return [f"    {self._say('X6', no=each.message.verdict.number)}"]
        return [f"    {self._say('watch.unanswered', state=self._say('state.unanswered'), sentence=self._say('X1'))}"]

    def procedure_lines(self, each: Open) -> list[str]:
        """The own party's procedure for the level of a message that waits for this side."""
        return procedure_lines(self._procedures, each.level, self._texts)

    def contact_lines(self) -> list[str]:
        """The fall-back lists of both parties."""
        listed = watch.contacts(self._client)
        lines = [self._say("watch.fall_back")]
        for letter in sorted(LETTERS, key=lambda x: x != self._client.view.letter):
            code = self._client.view.fold.party(letter).code
            rows = [contact for party, contact in listed if party == letter]
            lines += [f"  {code}  {_contact(contact, self._texts)}" for contact in rows]
            lines += [] if rows else [f"  {self._say('watch.no_contacts', party=code)}"]
        return lines

    # --- for programs

    def items(self) -> list[dict[str, Any]]:
        """Everything as objects: posts, what is awaited, what is owed, and the fall-back lists where they are shown."""
        code: dict[str, str] = {x: self._client.view.fold.party(x).code for x in LETTERS}
        found: list[dict[str, Any]] = [
            {
                "kind": "post", "party": code[p.letter], "seat": p.seat,
                "person": None if p.holder is None else p.holder.person, "since": p.since,
                "record": None if p.index is None else f"{code[p.letter]}:{p.index}",
                "act": p.act or None, "act_at": p.act_at,
                "next": self._turn(p, next_one), "planned": self._turn(p, on_now),
            }
            for p in self.posts
        ]  # fmt: skip
        found += [_item("awaited", each, self._now) for each in self.awaited]
        found += [_item("owed", each, self._now) for each in self.owed]
        if any(r.step >= FALL_BACK for each in self.awaited for r in each.receipts):
            found += [
                {"kind": "contact", "party": code[letter], "en": c.en, "zh": c.zh, "addr": c.addr}
                for letter, c in watch.contacts(self._client)
            ]
        return found

    def _turn(self, post: Post, find: Any) -> dict[str, Any] | None:
        turn = find(self._plan, post.seat, self._now) if post.letter == self._client.view.letter else None
        return None if turn is None else {"person": turn.person, "start": turn.start, "end": turn.end}


def length(texts: Texts, seconds: int) -> str:
    """A length of time in at most two units: "45 s", "12 min", "30 h 20 min", "2 days 5 h"."""
    steps = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    at = next((i for i, (size, unit) in enumerate(steps) if seconds >= size * (1 + (unit == "d"))), len(steps) - 1)
    parts = list[str]()
    for size, unit in steps[at : at + (1 if steps[at][1] in ("min", "s") else 2)]:
        n, seconds = divmod(seconds, size)
        parts += [texts.say(f"unit.{unit}", n=n)] if n or not parts else []
    return ("" if texts.lang == "zh" else " ").join(parts)


def _item(kind: str, each: Open, now: int) -> dict[str, Any]:
    return {
        "kind": kind, "number": each.message.verdict.number, "level": each.level, "urgent": each.urgent,
        "receipts": [
            {
                "receipt": r.name, "due": r.due, "left_ms": None if r.due is None else r.due - now,
                "step": r.step, "reason": r.reason or None,
            }
            for r in each.receipts
        ],
    }  # fmt: skip


def _contact(contact: Contact, texts: Texts) -> str:
    name = (contact.en, contact.zh)[LANGUAGES.index(texts.lang)]
    hours = "" if contact.hours is UNSET else f"  ({plain(str(contact.hours))})"
    return f"{plain(name)}  {plain(contact.addr)}{hours}"
