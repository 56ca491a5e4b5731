"""The watch as this desk's two logs tell it: who holds which post, what each side still waits for, the fall-back lists.

Nothing here judges anybody: a post is *taken* or *not taken as far as the log shows*, a receipt has been seen or not.
Times are ms UTC. A receipt of an own message falls due in the sender's clock (docs/protocol.md 12.6), one that this side
owes in its own (12.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from channel.client.view import LETTERS
from channel.protocol.charter import ORDER, Contact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from channel.client.client import Client
    from channel.protocol.awaiting import Awaited
    from channel.protocol.tables import Tables
    from channel.protocol.verdicts import MessageView
    from keys.documents import Member

URGENT = ORDER.index("crisis")


@dataclass(frozen=True, slots=True)
class Post:
    """A seat that is held by turns. ``holder`` None: no post is taken, as far as the log shows.

    ``since`` and ``index``: of the record that took or left it, None before the first. ``act`` and ``act_at``: the newest
    signed act of a member in the seat.
    """

    letter: str
    seat: str
    holder: Member | None
    since: int | None
    index: int | None
    act: str
    act_at: int | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt that is still waited for. ``due`` None: it is not counted yet. ``step`` and ``reason``: as logged."""

    name: str
    due: int | None
    step: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Open:
    """A message with the receipts that it still waits for, and the level that people give it now."""

    message: MessageView
    level: str
    receipts: tuple[Receipt, ...]

    @property
    def urgent(self) -> bool:
        """At crisis or above, and not received and read."""
        single = getattr(self.message.verdict.doc, "single", None) is True
        unread = any(r.name == "read" for r in self.receipts)
        return unread and (single or ORDER.index(self.level) >= URGENT)


def posts(client: Client, also: Collection[str] = ()) -> list[Post]:
    """The posts of both parties, the own side first; ``also``: own seats that are to be held, whoever sits in them."""
    fold, found = client.view.fold, list[Post]()
    if fold.known() is None:
        return found
    for letter in (client.view.letter, client.view.peer):
        party = fold.party(letter)
        seats = dict.fromkeys(also if letter == client.view.letter else ())
        seats |= dict.fromkeys(m.seat for m in party.roster.members if m.role == "duty")
        seats |= dict.fromkeys(client.index.posts(letter))
        found += [post(client, letter, seat) for seat in seats if seat in party.seats]
    return found


def post(client: Client, letter: str, seat: str) -> Post:
    """One post."""
    fold = client.view.fold
    turn, act = client.index.turn(letter, seat), client.index.act(letter, seat)
    kid = turn.doc.on if turn is not None and isinstance(turn.doc.on, bytes) else None
    holds = kid is not None and fold.current_signer(letter, kid) is not None
    return Post(
        letter=letter,
        seat=seat,
        holder=fold.party(letter).members.get(kid) if holds and kid is not None else None,
        since=None if turn is None else turn.ts,
        index=None if turn is None else turn.i,
        act="" if act is None else act.t,
        act_at=None if act is None else act.ts,
    )


def awaited(client: Client) -> list[Open]:
    """What own messages still wait for from the other side, oldest message first."""
    return list(client.index.once("awaited", lambda: _awaited(client)))


def _awaited(client: Client) -> list[Open]:
    return [
        Open(message, _level(client, message), tuple(_receipt(known, message, a) for a in waits))
        for known, message, waits in _waiting(client, client.view.letter)
    ]


def owed(client: Client) -> list[Open]:
    """What messages of the other side still wait for from people of this side, oldest message first."""
    return list(client.index.once("owed", lambda: _owed(client)))


def _owed(client: Client) -> list[Open]:
    found = []
    for _, message, waits in _waiting(client, client.view.peer):
        receipts = tuple(Receipt(a.receipt, message.deadlines.get(a.receipt)) for a in waits if a.receipt != "stored")
        if receipts:
            found.append(Open(message, _level(client, message), receipts))
    return found


def _waiting(client: Client, letter: str) -> Iterator[tuple[Tables, MessageView, list[Awaited]]]:
    """The messages of a party that wait for something, with what."""
    known = client.view.fold.known()
    if known is None:
        return
    for ph, waits in groupby(client.index.unmet(letter).now(), key=lambda each: each.of.ph):
        yield known, client.find(ph), list(waits)


def _receipt(known: Tables, message: MessageView, awaited: Awaited) -> Receipt:
    due = message.deadlines.get(awaited.receipt)  # from the receipt time, as the other side counts it
    if awaited.receipt == "stored" or due is None:
        due = None if awaited.since is None else awaited.since + 1000 * awaited.seconds
    steps = known.sides[awaited.of.p].steps
    step = steps.get((awaited.of.ph, awaited.receipt, awaited.written))
    return Receipt(awaited.receipt, due, awaited.written, "" if step is None else step.doc.reason)


def _level(client: Client, message: MessageView) -> str:
    """The level of the message's case now; its own where it is in none, or in a closed one."""
    case = None if message.case is None else client.view.fold.case_level(message.case)
    return case or str(getattr(message.verdict.doc, "level", "routine"))


def contacts(client: Client) -> list[tuple[str, Contact]]:
    """The fall-back lists in force, each line with its party's letter; the own side first."""
    found = list[tuple[str, Contact]]()
    for letter in sorted(LETTERS, key=lambda x: x != client.view.letter):
        newest = client.index.contacts(letter)
        found += [] if newest is None else [(letter, line) for line in newest.list]
    return found
