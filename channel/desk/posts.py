"""One person at the posts of the own side: what has to hold before a watch record is signed, and the signing.

Whoever takes a post has been shown what is open; those lines are kept as a sealed note of the own side, with the hash of
the watch record. Who is shown them and says yes is asked elsewhere: nothing here signs by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from msgspec import UNSET

from channel.client import drafts
from channel.client.client import Client, SeatKeys
from channel.client.home import DeskHome
from channel.client.unlocking import check_named
from channel.client.watch import Post
from channel.desk.watch_words import Shown
from channel.i18n import Texts
from channel.protocol.people import Watch
from keys.documents import Member
from keys.envelope import sign
from keys.errors import Refused
from keys.plain import utc

RELIEVERS = ("official", "operator")
"""Roles of the second person where a post is taken without its holder (docs/protocol.md 11.5)."""


@dataclass(frozen=True, slots=True)
class Person:
    """An unlocked member."""

    keys: SeatKeys
    member: Member


@dataclass(frozen=True, slots=True)
class Signing:
    """A watch record that is to be signed. ``unread``: message numbers that an override passes over."""

    op: Literal["take", "handover", "leave"]
    post: Post
    on: Person | None = None
    off: Person | None = None
    note: str = ""
    unread: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The word for it: a take with a second person has its own."""
        return "relieved" if self.op == "take" and self.off is not None else self.op


@dataclass(frozen=True, slots=True)
class Signed:
    """A watch record that stands in the own log: its number, and the hash of its payload."""

    record: str
    payload: bytes


class AtPost:
    """The person at the desk, with the posts of the own side."""

    def __init__(self, client: Client, texts: Texts, shown: Shown) -> None:
        self._client, self._texts, self.shown = client, texts, shown

    @property
    def home(self) -> DeskHome:
        """The home that this desk works from, with the keys of its seats."""
        return self._client.home

    @property
    def own(self) -> Member:
        """The member at this desk. ``Refused`` SIGNER for a key that is no current member's."""
        return self._member(self._client.keys)

    def _member(self, keys: SeatKeys) -> Member:
        member = self._client.view.fold.party(self._client.view.letter).members.get(keys.sign.kid)
        if member is None:
            raise Refused("SIGNER")
        return member

    def person(self) -> Person:
        """Whoever works here."""
        return Person(self._client.keys, self.own)

    def post(self) -> Post:
        """The post of the own seat, or ``Refused`` NO_POST."""
        own = [p for p in self.shown.posts if p.letter == self._client.view.letter]
        found = next((p for p in own if p.seat == self.own.seat), None)
        if found is None:
            raise Refused("NO_POST", seat=self._client.keys.seat, seats=", ".join(p.seat for p in own) or "-")
        return found

    def held_post(self) -> Post:
        """The post that this person holds; ``Refused`` WATCH_EMPTY, NOT_HOLDER."""
        post = self.post()
        if post.holder is None:
            raise Refused("WATCH_EMPTY", seat=post.seat)
        if post.holder.kid != self.own.kid:
            raise Refused("NOT_HOLDER", seat=post.seat, who=self.shown.who(post))
        return post

    def free_post(self, *, relieved: bool) -> Post:
        """The post that this person may take; ``relieved``: with a second person. ``Refused`` WATCH_OWN, POST_HELD."""
        post = self.post()
        if post.holder is not None and post.holder.person == self.own.person:
            raise Refused("WATCH_OWN", seat=post.seat, time=utc(post.since or 0))
        if post.holder is not None and not relieved:
            raise Refused("POST_HELD", seat=post.seat, who=self.shown.who(post), time=utc(post.since or 0))
        return post

    def incoming(self, keys: SeatKeys) -> Person:
        """The officer of the own seat who takes the post over; ``Refused`` WATCH_SAME, WATCH_SEAT for any other."""
        person, seat = self.second(keys, ()), self.own.seat
        if person.member.seat != seat:
            raise Refused("WATCH_SEAT", name=keys.seat, seat=seat)
        return person

    def passed_over(self) -> tuple[str, ...]:
        """What an override passes over; ``Refused`` OVERRIDE_IDLE where there is nothing of the kind."""
        unread = self.unread()
        if not unread:
            raise Refused("OVERRIDE_IDLE")
        return unread

    def overriding(self, keys: SeatKeys, incoming: Person) -> Person:
        """The official who signs in place of the outgoing officer; ``Refused`` WATCH_SAME, WATCH_ROLE."""
        official = self.second(keys, ("official",))
        if official.member.person == incoming.member.person:
            raise Refused("WATCH_SAME", name=keys.seat)
        return official

    def second(self, keys: SeatKeys, roles: Collection[str]) -> Person:
        """Another person of this home; ``Refused`` WATCH_SAME, WATCH_ROLE where it is the same one, or no such role."""
        member = self._member(keys)
        check_named(keys, member)
        if member.person == self.own.person:
            raise Refused("WATCH_SAME", name=keys.seat)
        if roles and member.role not in roles:
            words = " / ".join(self._texts.say(f"code.role.{role}") for role in roles)
            raise Refused("WATCH_ROLE", name=keys.seat, roles=words)
        return Person(keys, member)

    def unread(self) -> tuple[str, ...]:
        """Numbers of what is at crisis or above and not received and read by this side."""
        return tuple(each.message.verdict.number for each in self.shown.owed if each.urgent)

    def check_read(self) -> None:
        """``Refused`` HANDOVER_CRISIS while there is such a message."""
        if numbers := self.unread():
            raise Refused("HANDOVER_CRISIS", numbers=", ".join(numbers))

    async def sign(self, signing: Signing, lines: Sequence[str]) -> Signed:
        """Sign and submit, and keep the lines that were shown as a note."""
        client = self._client
        document = Watch(
            chan=client.view.chan,
            seat=signing.post.seat,
            op=signing.op,
            on=UNSET if signing.on is None else signing.on.member.kid,
            off=UNSET if signing.off is None else signing.off.member.kid,
            ts=client.clock.now(),
        )
        signers = [person.keys.sign for person in (signing.on, signing.off) if person is not None]
        envelope = sign("watch", document, signers)
        await client.submit("watch", envelope, (), ())
        index = next(e.i for e in reversed(client.view.fold.ordered()) if e.ph == envelope.hash)
        record = f"{client.view.fold.party(client.view.letter).code}:{index}"
        await drafts.note(client, self._noted(signing, record, envelope.hash, lines))
        return Signed(record, envelope.hash)

    def _noted(self, signing: Signing, record: str, payload: bytes, lines: Sequence[str]) -> str:
        say = self._texts.say
        head = [self.done(signing, record)]
        head.append(say("watch.note_payload", payload=payload.hex()))
        if signing.unread:
            head.append(say("watch.note_override", numbers=", ".join(signing.unread)))
        if signing.note:
            head.append(say("watch.note_text", text=signing.note))
        return "\n".join([*head, *lines])

    def done(self, signing: Signing, record: str) -> str:
        """What was signed, in one sentence."""
        return self._texts.say(f"watch.done_{signing.kind}", **self.named(signing, record))

    def named(self, signing: Signing, record: str) -> dict[str, str]:
        """The names in that sentence."""
        return {
            "record": record,
            "post": self.shown.post_name(signing.post),
            "on": "-" if signing.on is None else self.shown.person(signing.on.member.person),
            "off": "-" if signing.off is None else self.shown.person(signing.off.member.person),
        }
