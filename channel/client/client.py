"""What one person does at the own desk: read, send, acknowledge, export (docs/architecture.md, one message).

    async with Client(home, seat_keys, clock=clock, random=os.urandom) as client:
        await client.sync()
        sent = await client.send(draft)            # sealed, signed, kept, handed to the node
        await client.wait(sent.ph, "delivered", 30)

An envelope is kept in the home before it is sent and dropped when both nodes hold it; the same bytes are submitted
again after any interruption, and the log takes them once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from msgspec import UNSET

from channel.client.composing import Draft, book_of, compose
from channel.client.home import DeskHome
from channel.client.index import Index
from channel.client.seats import seat_of
from channel.client.side import SideLog
from channel.client.view import LETTERS, View, blobs_named
from channel.client.wire import SECONDS, Wire
from channel.clock import Clock
from channel.protocol.formats import Book
from channel.protocol.header import Payload
from channel.protocol.message import Opened, open_message
from channel.protocol.note import parse
from channel.protocol.people import Ack, AckStep
from channel.protocol.record import NOTHING_SEEN, Record
from channel.protocol.verdicts import MessageView
from keys.envelope import Envelope, join, media_type, pae, sign
from keys.errors import NotDelivered, Problem, Refused, Unavailable, Unverified, WrongUse
from keys.identity import PrivateKey

START_S = 10.0
ORDER = ("logged", "delivered", "anchored")
REMEMBERED = 512
"""Opened messages that are kept in memory while their person is at the desk."""
State = Literal["logged", "delivered", "anchored", "read"]


@dataclass(frozen=True, slots=True)
class SeatKeys:
    """An unlocked person in a seat. ``seat``: as people type it, with a number for a further person (``duty.2``)."""

    seat: str
    sign: PrivateKey
    seal: PrivateKey

    @property
    def post(self) -> str:
        """The seat itself."""
        return seat_of(self.seat)


class Ill(Refused):
    """A message that opens and whose body the rules refuse: shown as invalid, with what it says."""

    def __init__(self, opened: Opened, why: Refused) -> None:
        super().__init__(why.code, **why.values)
        self.opened = opened


class Client:
    """One person's desk. ``keys`` None: a locked desk shows headers of the home's copy until somebody takes it over."""

    def __init__(
        self,
        home: DeskHome,
        keys: SeatKeys | None,
        url: str,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        seconds: float = SECONDS,
    ) -> None:
        self.home, self.clock, self.random = home, clock, random
        self._keys = keys
        self.view = View(home)
        self.wire = Wire(url, home.node_cert, self.view.chan, seconds)
        self.side = SideLog(self.wire)
        self.dropped: list[Problem] = []
        """What was kept to be sent, and then was refused: it will never be sent, and a person has to be told."""
        self.on_open: Callable[[MessageView, Opened], None] = lambda _message, _opened: None
        """Told of each message that was opened."""
        self._opened: OrderedDict[bytes, Opened | Ill] = OrderedDict()

    async def __aenter__(self) -> Self:
        await self.wire.__aenter__()
        try:
            if self.unlocked:
                await self._login()
        except BaseException:
            await self.wire.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.wire.__aexit__()

    @property
    def unlocked(self) -> bool:
        """Whether a person's keys are here."""
        return self._keys is not None

    @property
    def keys(self) -> SeatKeys:
        """Those of the person at the desk; ``Refused`` LOCKED without one."""
        if self._keys is None:
            raise Refused("LOCKED")
        return self._keys

    def lock(self) -> None:
        """Forget the keys and what they opened; the session stays, for headers alone."""
        self._keys = None
        self._opened.clear()
        self.side.forget()

    async def _login(self) -> None:
        """Log in; a node that has just started opens the channel within seconds."""
        end = self.clock.monotonic() + START_S
        while True:
            try:
                return await self.wire.login(self.keys.sign, self.random(32), self.clock.now())
            except Unavailable as e:
                if e.code != "RECOVERING" or self.clock.monotonic() > end:
                    raise
            await asyncio.sleep(0.1)

    async def sync(self) -> None:
        """Fetch, verify and fold what the node has new; send again what is not yet delivered."""
        notes = await self.wire.notes()
        for letter in LETTERS:
            copy = self.view.copies[letter]
            until = _newest(notes[letter])
            records: list[bytes] = []
            while len(copy.records) + len(records) < until:
                more = await self.wire.records(letter, len(copy.records) + len(records), until)
                if not more:
                    raise Unavailable("NODE_BEHIND", log=letter, have=len(copy.records) + len(records))
                records += more
            blobs = {h: await self.wire.blob(h) for h in sorted(blobs_named(records)) if self.home.blob(h) is None}
            self.view.absorb(letter, records, blobs, notes[letter])
        for ph, t, env, blobs_kept in self.home.queued():
            await self._again(ph, t, env, blobs_kept)

    async def send(self, draft: Draft, mid: bytes | None = None) -> MessageView:
        """Seal, sign, keep and submit a message; returns it as logged. ``Refused`` says which rule is against it.

        With the same ``mid`` a message is sent once, however often somebody tries.
        """
        suite, now = self.keys.seal.public.suite, self.clock.now()
        composed = compose(self.view, self.keys.sign, suite, draft, now, self.random, mid)
        sealed = composed.sealed
        message = pae(media_type("msg"), sealed.payload_bytes)
        envelope = join(media_type("msg"), sealed.payload_bytes, {self.keys.sign.kid: self.keys.sign.sign(message)})
        await self.submit("msg", envelope, (sealed.payload.blob,), (sealed.blob,))
        return self.find(envelope.hash)

    async def ack(self, message: MessageView, step: AckStep, why: str | None = None, next_: int | None = None) -> None:
        """Sign one step of receipt for a message of the other party."""
        document = Ack(
            chan=self.view.chan,
            from_=self.keys.sign.kid,
            mid=message.mid,
            ph=message.ph,
            step=step,
            why=UNSET if why is None else why,
            next=UNSET if next_ is None else next_,
            ts=self.clock.now(),
        )
        await self.submit("ack", sign("ack", document, [self.keys.sign]), (), ())

    def take(self, keys: SeatKeys) -> None:
        """Sign and open as this person from now on; nothing that another one opened is kept."""
        self._keys = keys
        self._opened.clear()
        self.side.forget(keys.seal.kid)

    async def switch(self, keys: SeatKeys) -> None:
        """Go on as another seat of this home, in a session of its own."""
        self.take(keys)
        await self._login()

    async def wait(self, ph: bytes, state: State, within: float) -> MessageView:
        """The message once it has come so far, or ``NotDelivered`` after ``within`` seconds."""
        end = self.clock.monotonic() + within
        while True:
            await self.sync()
            message = self.find(ph)
            if self.reached(message, state):
                return message
            if self.clock.monotonic() >= end:
                raise NotDelivered("NOT_YET", number=message.verdict.number, state=state, seconds=int(within))
            await asyncio.sleep(0.05)

    def reached(self, message: MessageView, state: State) -> bool:
        """Whether a message has come as far as ``state``."""
        if state == "read":
            return any(isinstance(a.doc, Ack) and a.doc.step != "undecryptable" for a in message.acks)
        now = self.view.state(message.verdict.letter, message.verdict.index)
        return ORDER.index(now) >= ORDER.index(state)

    def messages(self) -> list[MessageView]:
        """All messages that this desk may show, in display order."""
        return self.view.fold.messages()

    @property
    def index(self) -> Index:
        """What is looked up in both logs."""
        return self.view.index

    def find(self, ph: bytes) -> MessageView:
        """The message of a payload hash, or ``WrongUse`` NO_MESSAGE."""
        message = self.view.fold.find(ph)
        if message is None:
            raise WrongUse("NO_MESSAGE", ref=ph)
        return message

    def open(self, message: MessageView) -> Opened:
        """The body of a message that is sealed to this person, checked in the order of protocol 11.2.

        The newest are remembered while the person is at the desk. A body that the rules refuse raises ``Ill``.
        """
        _ = self.keys
        found = self._opened.get(message.ph)
        if found is None:
            found = self._open(message)
            self._opened[message.ph] = found
            while len(self._opened) > REMEMBERED:
                self._opened.popitem(last=False)
            self.on_open(message, found.opened if isinstance(found, Ill) else found)
        if isinstance(found, Ill):
            raise Ill(found.opened, found)
        return found

    def _open(self, message: MessageView) -> Opened | Ill:
        payload, blob = message.verdict.doc, self.home.blob(_payload(message).blob)
        if not isinstance(payload, Payload) or blob is None:
            raise Unverified("UNOPENED", why="BLOB")
        if self.keys.seal.kid not in payload.to:
            raise Refused("NOT_ADDRESSED", seat=self.keys.seat)
        opened = open_message(payload, blob, self.keys.seal, self.view.charter.mode)
        first = self.view.fold.find(payload.refs[0]) if isinstance(payload.refs, tuple) else None
        after = _payload(first).fmt if first is not None else ""
        try:
            self.book(message).check(payload.fmt, opened.body, status=payload.status, to=payload.to, after=after)
        except Refused as e:
            return Ill(opened, e)
        return opened

    def book(self, message: MessageView | None = None) -> Book:
        """The books that hold for a message, those of the policy in force when it was written; without one, those of now."""
        if message is None:
            return book_of(self.view)
        return book_of(self.view, self.view.fold.policy_of(message.verdict.letter, message.verdict.index))

    async def submit(self, t: str, envelope: Envelope, names: tuple[bytes, ...], blobs: tuple[bytes, ...]) -> None:
        """Judge a shared record here first, keep it, hand it in, and see it in the log under a note.

        ``Unavailable`` NOT_LOGGED when the node took it and does not show it: it stays kept and goes again.
        """
        self.view.check_no_fork()
        raw = envelope.encode()
        verdict = self.view.fold.judge(self.view.letter, self._as_record(t, raw, names).encode())
        if verdict.reason:
            raise Refused(verdict.reason)
        self.home.queue(envelope.hash, t, raw, blobs)
        try:
            await self.wire.submit(t, raw, blobs)
        except Refused as e:
            if not isinstance(e, Unavailable):
                self.home.delivered(envelope.hash)
            raise
        await self.sync()
        index = self._index_of(envelope.hash)
        if index is None:
            raise Unavailable("NOT_LOGGED", ph=envelope.hash)
        if reason := self.view.fold.verdict(self.view.letter, index).reason:  # another record came in between
            raise Refused(reason)

    def _as_record(self, t: str, env: bytes, names: tuple[bytes, ...]) -> Record:
        """The record that the node would write now, as far as the desk can know it."""
        peer = self.view.copies[self.view.peer]
        size = self.view.fold.cut[0 if self.view.peer == "a" else 1]
        last = self.view.index.last_ts(self.view.letter)
        seen = (0, size, peer.roots[size]) if size else NOTHING_SEEN
        return Record(t=t, ts=max(last, self.clock.now()), seen=seen, blobs=tuple(sorted(names)), env=env)

    def _index_of(self, ph: bytes) -> int | None:
        """Where a payload stands in the own log, as far as this desk has verified it."""
        return self.view.index.place(self.view.letter, ph)

    async def _again(self, ph: bytes, t: str, env: bytes, blobs: list[bytes]) -> None:
        copy = self.view.copies[self.view.letter]
        at = self._index_of(ph)
        if at is None:
            try:
                await self.wire.submit(t, env, blobs)
            except Refused as e:
                if isinstance(e, Unavailable):
                    raise
                self.home.delivered(ph)
                self.dropped.append(Refused("DROPPED", ph=ph, t=t, reason=e.code))
        elif at < copy.delivered:
            self.home.delivered(ph)


def _payload(message: MessageView) -> Payload:
    doc = message.verdict.doc
    if not isinstance(doc, Payload):
        raise WrongUse("NO_MESSAGE", ref=message.ph)
    return doc


def _newest(notes: Mapping[str, Any]) -> int:
    return max((parse(raw).size for raw in (notes["newest"], notes["cosigned"]) if raw), default=0)
