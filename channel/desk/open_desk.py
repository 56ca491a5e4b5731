"""A desk home while its page is open: one person unlocked at a time, the feed followed, the rest told what changed.

    desk = OpenDesk(home, url, clock=clock, random=os.urandom)
    async with desk:                        # follows the own node until the end
        await desk.unlock("expert-1", passphrase)
        async with desk.working() as client: …

A locked desk keeps the session of whoever unlocked it last, and with it the feed: headers, countdowns and alarms go on,
bodies and signatures do not (DESIGN 3.9). Times on the page are the node's: ``now`` is the own clock with the node's
offset.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Self

from channel.client import drafts, unlocking
from channel.client.client import Client, SeatKeys
from channel.client.home import DeskHome
from channel.desk.opened import OpenedTexts
from channel.desk.windows import Windows
from keys.errors import Problem, SecurityAlarm, Unavailable, Unverified

if TYPE_CHECKING:
    from channel.client.wire import LinkState
    from channel.clock import Clock
    from keys.documents import Member
    from keys.keyring import Passphrase

LOOK_SECONDS = 10.0
"""How often the node is asked how the line is, and for its time."""
AGAIN_SECONDS = 2.0
FEED_SECONDS = NODE_SECONDS = 10.0
"""How long the node's answers are waited for."""
IDLE_SECONDS = 900.0
WARN_SECONDS = 300.0
SKEW_MS = 2_000
DEFAULTS = {"lang": "en", "sound": "on", "shortcuts": "on", "contrast": "normal", "zone_own": "", "zone_other": ""}
"""Settings of the page; ``lang`` is set from the command line where nobody has chosen."""


class OpenDesk:
    """The desk of one home. ``fault``: why nothing new comes in at the moment; ``alarm``: a security alarm, for good."""

    def __init__(
        self, home: DeskHome, *, clock: Clock, random: Callable[[int], bytes], idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self.home, self.clock, self.random = home, clock, random
        self.client = Client(home, None, "", clock=clock, random=random, seconds=NODE_SECONDS)
        self.opened = OpenedTexts(self.client)
        self.windows = Windows(clock)
        self.idle_seconds = idle_seconds
        self.version = 0
        self.fault: Problem | None = None
        self.alarm: SecurityAlarm | None = None
        self.link: LinkState | None = None
        self.last_seat = ""
        """Who was at the desk before it was locked."""
        self.to_sign = 0
        """Drafts that wait for the signature of the person at the desk."""
        self.offset = 0
        """The node's clock minus the own one, ms."""
        self._flash: list[tuple[str, dict[str, object]]] = []
        self._touched = clock.monotonic()
        self._busy = asyncio.Lock()
        self._waiting: set[asyncio.Future[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        try:
            self.client.view.check_no_fork()
        except SecurityAlarm as e:
            self.alarm = e
        self._tasks = [asyncio.create_task(task()) for task in (self._follow, self._watch_line, self._watch_idle)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.lock()
        await self.client.__aexit__()

    # --- people -------------------------------------------------------------------------------------------------------

    @property
    def locked(self) -> bool:
        """Whether nobody's keys are held."""
        return not self.client.unlocked

    @property
    def person(self) -> Member | None:
        """The member whose keys are unlocked; None for a locked desk or a key that no roster has admitted."""
        if self.locked or self.client.view.fold.charter is None:
            return None
        return self.client.view.fold.party(self.client.view.letter).members.get(self.client.keys.sign.kid)

    async def unlock(self, seat: str, passphrase: Passphrase) -> None:
        """Let a person work here. ``WrongUse`` PASSPHRASE, NO_SEAT; a node that can't be reached does not keep them out."""
        keys = await asyncio.to_thread(unlocking.unlock, self.home, seat, passphrase)
        async with self._busy:
            self.opened.forget()
            try:
                await self._sit(keys)
                await self.client.sync()
                await self._ask_line()
                self.fault = None
            except SecurityAlarm as e:
                self.alarm = e
            except Unavailable as e:
                self.fault = e
        self.touch()
        self.tell()

    async def _sit(self, keys: SeatKeys) -> None:
        """Go on as this person; the keys are here even where the node can't be reached."""
        self.client.take(keys)
        self.client.wire.url = unlocking.node_url(self.home)
        await self.client.switch(keys)

    def lock(self) -> None:
        """Forget the keys and what they opened; the session and its feed stay."""
        self._flash = []
        self.windows.forget()
        self.opened.forget()
        if self.client.unlocked:
            self.last_seat = self.client.keys.seat
        self.client.lock()
        self.tell()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Client]:
        """The client for one thing at a time, for an unlocked person. ``Refused`` LOCKED.

        After a security alarm everything can still be read; the client itself sends nothing any more.
        """
        async with self._busy:
            _ = self.client.keys
            before = self.client.view.sizes()
            yield self.client
        if self.client.view.sizes() != before:  # looking at a page changes nothing: it must not ask for another look
            self.tell()

    @asynccontextmanager
    async def as_second(self, seat: str, passphrase: Passphrase) -> AsyncIterator[Client]:
        """The client as another person of this home, for one act; then the first person goes on."""
        keys = await asyncio.to_thread(unlocking.unlock, self.home, seat, passphrase)
        async with self.working() as client:
            first: SeatKeys = client.keys
            try:
                await self._sit(keys)
                yield client
            finally:
                await self._back(first)

    async def _back(self, first: SeatKeys) -> None:
        """The first person again; without the node their session is opened at the next chance."""
        try:
            await self._sit(first)
        except Unavailable as e:
            self.fault = e

    # --- time ---------------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """The node's time, ms UTC."""
        return self.clock.now() + self.offset

    def silent(self) -> int:
        """How old the newest signed time of the other side is, in seconds, where that is too old to seal unasked; else 0.

        By the later of both clocks: a node that shows old notes may well tell an old time.
        """
        view = self.client.view
        if view.fold.charter is None:
            return 0
        age = view.age(max(self.now(), self.clock.now()))
        return age if age > view.stale_after() else 0

    @property
    def skewed(self) -> bool:
        """Whether this machine's clock is too far from the node's to be believed."""
        return abs(self.offset) > SKEW_MS

    def touch(self) -> None:
        """A person did something."""
        self._touched = self.clock.monotonic()

    def idle_left(self) -> float:
        """Seconds until the desk locks by itself."""
        return max(0.0, self.idle_seconds - (self.clock.monotonic() - self._touched))

    # --- settings and notices -----------------------------------------------------------------------------------------

    def setting(self, name: str) -> str:
        """A setting of this desk, or its default."""
        kept = self.home.setting(name)
        return DEFAULTS.get(name, "") if kept is None else kept

    def say_next(self, id_: str, /, **values: object) -> None:
        """A notice for the next page that is shown: what a form has done."""
        self._flash.append((id_, values))

    def take_flash(self) -> list[tuple[str, dict[str, object]]]:
        """The notices, each once."""
        found, self._flash = self._flash, []
        return found

    # --- what changed -------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """Something that a page shows may have changed."""
        self.version += 1
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    async def changed(self, since: int, seconds: float) -> int:
        """The version, as soon as it is another than ``since``, or after ``seconds``."""
        if self.version == since:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            with suppress(TimeoutError):
                await asyncio.wait_for(waiter, seconds)
            self._waiting.discard(waiter)
        return self.version

    async def _follow(self) -> None:
        """Take in what the node has, from its feed; a security alarm ends it, anything else is tried again."""
        while True:
            try:
                await self._feed()
            except SecurityAlarm as e:
                self.alarm = e
                self.tell()
                return
            except Problem as e:
                self._note(e)
            except Exception as e:  # noqa: BLE001  what a node can do to a desk: it is told, and tried again
                self._note(Unavailable("NODE_ANSWER", status=type(e).__name__))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _feed(self) -> None:
        if not self.client.wire.has_session:
            if self.locked:
                await self.changed(self.version, AGAIN_SECONDS)
                return
            async with self._busy:
                await self._sit(self.client.keys)
        elif self.fault is not None:  # out of turn: a node that hangs holds nobody up but this task
            self.client.wire.url = unlocking.node_url(self.home)
            await self.client.wire.health()
        await self._take()
        events = self.client.wire.feed(self.client.view.sizes())
        async with self._busy, asyncio.timeout(FEED_SECONDS):  # its request is in its place; it answers at once
            await anext(events)
        await self._take()
        async for _ in events:
            await self._take()

    async def _take(self) -> None:
        async with self._busy:
            await self.client.sync()
        self.fault = None
        self.tell()

    def _note(self, e: Problem) -> None:
        """What keeps new records away; a session that has ended locks the desk, and says so."""
        if isinstance(e, Unverified) and e.code == "SESSION":
            self.client.wire.forget_session()
            if not self.locked:
                return
            e = Unavailable("SESSION_OVER")
        if self.fault is None or self.fault.code != e.code:
            self.fault = e
            self.tell()

    async def _watch_line(self) -> None:
        """Ask how the line is, again and again: a node that hangs in the middle of its feed is found out by that."""
        slow: Problem | None = None
        while True:
            try:
                if slow is not None:
                    await self.client.wire.health()  # out of turn
                async with self._busy:  # requests of a session have an order
                    if self.client.wire.has_session:
                        await self._ask_line()
                if slow is not None and self.fault is slow:
                    self.fault = None
                    self.tell()
                slow = None
            except SecurityAlarm:
                return  # the feed meets it too, and keeps it
            except Problem as e:
                self._note(e)
                slow = self.fault
            await asyncio.sleep(LOOK_SECONDS if slow is None else AGAIN_SECONDS)

    async def _ask_line(self) -> None:
        before, asked = self.clock.now(), self.clock.monotonic()
        link = await self.client.wire.link()
        half = int((self.clock.monotonic() - asked) * 500)
        self.offset = link["now"] - before - half
        if self.link is None or (link | {"now": 0}) != (self.link | {"now": 0}):
            self.link = link
            self.tell()
        await self.count_to_sign()

    async def count_to_sign(self) -> None:
        """Count the drafts that wait for whoever is at the desk, with what came to the side log; inside ``working``."""
        if self.locked or self.client.view.fold.charter is None:
            return
        before = self.to_sign, self.client.side.size
        self.to_sign = await drafts.to_sign(self.client)
        if (self.to_sign, self.client.side.size) != before:
            self.tell()

    async def _watch_idle(self) -> None:
        while True:
            if not self.locked and self.idle_left() <= 0:
                self.lock()
            await asyncio.sleep(0.5)
