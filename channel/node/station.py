"""One channel at this node: its logs, its fold, its state, and what followers wait for.

Nobody above the log is called back: courier, speaker and desk feeds hold a cursor each and wait on ``changed``.
Sizes here are released sizes: own records under a note, the peer's records under a cosigned note.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

from msgspec import UNSET

from channel.log.notes import COSIGNED, NoteKey, may_go
from channel.node.signer import Origins, Signer
from channel.node.state import MOVES, WRITING, State
from channel.protocol import note as notes
from channel.protocol.fold import Fold
from channel.protocol.note import Note, NotePublic
from channel.protocol.record import NOTHING_SEEN, NodeAck, Record, Seen, try_read
from keys.codec import unpack
from keys.errors import Malformed, Problem, Unavailable

if TYPE_CHECKING:
    from channel.log.log import Log
    from channel.node.stamps import Stamps
    from channel.node.telemetry import Telemetry
    from channel.protocol.charter import Charter, CharterParty, Policy
    from keys.identity import PublicKey

Letter = Literal["a", "b"]
RECENT = 256  # records of each log that are at hand for desks and for the peer
HOUR_MS = 3_600_000


@dataclass(slots=True)
class Alarms:
    """Refusals that must stay visible, added up by code until the speaker writes them down."""

    counts: dict[str, int] = field(default_factory=dict)
    refs: dict[str, bytes] = field(default_factory=dict)
    """The hash of what the newest of a code is about, where something is kept of it."""

    def add(self, code: str, ref: bytes | None = None) -> None:
        """One more; ``ref`` is the hash of the file that is kept of it."""
        self.counts[code] = self.counts.get(code, 0) + 1
        if ref is not None:
            self.refs[code] = ref

    def take(self) -> list[tuple[str, int, bytes | None]]:
        """Code, count and ref of each, sorted; it starts again from nothing."""
        taken = [(code, count, self.refs.get(code)) for code, count in sorted(self.counts.items())]
        self.counts, self.refs = {}, {}
        return taken


class Station:
    """What the parts of a node share about one channel."""

    def __init__(
        self, charter: Charter, chan: bytes, letter: Letter, *,
        own: Log, side: Log, mirror: Log, signer: Signer, stamps: Stamps, telemetry: Telemetry, policy: Policy,
    ) -> None:  # fmt: skip
        self._first_policy = policy
        self.charter, self.chan, self.letter = charter, chan, letter
        self.other: Letter = "b" if letter == "a" else "a"
        self.mode = charter.mode
        self.origins = origins_of(chan, letter)
        self.own, self.side, self.mirror = own, side, mirror
        self.signer, self.stamps, self.telemetry = signer, stamps, telemetry
        self.state = State.INIT
        self.alarms = Alarms()
        self.own_alarms = Alarms()
        """What is this party's own affair and stands in no log, as a call-out that failed: ``channel node status``."""
        self.sizes: dict[str, int] = {"a": 0, "b": 0}
        self.newest: dict[str, bytes] = {"a": b"", "b": b""}
        self.delivered = 0  # size of the own log that the peer has cosigned
        self.undelivered_bytes = 0
        self.heard_ms = 0  # stamp of the peer's last sign of life
        self._owed = 0  # size of the peer's log at its newest record other than node.ack
        self._told = 0  # size of the peer's log that an own record has seen
        self._hourly_ms = 0  # ts of the newest hourly ack, or of the first own record
        self.cosigned_peer: Seen = NOTHING_SEEN
        self.side_committed = 0  # size of the side log in the newest hourly commitment
        self._blobs: dict[bytes, bytes] = {}
        self._lent: Mapping[bytes, bytes] = {}
        self._seen_at: dict[str, list[int]] = {"a": [], "b": []}
        self._weights: dict[int, int] = {}
        self._recent: dict[str, list[bytes]] = {"a": [], "b": []}
        self._event = asyncio.Event()
        self.fold = Fold(chan, self._blob)

    # --- who is who

    @property
    def own_party(self) -> CharterParty:
        """Our entry in the charter."""
        return self.charter.party(self.letter)

    @property
    def peer_party(self) -> CharterParty:
        """The other side's entry in the charter."""
        return self.charter.party(self.other)

    def log(self, letter: str) -> Log:
        """The shared log of a party as held here."""
        return self.own if letter == self.letter else self.mirror

    def note_keys(self, letter: str) -> tuple[NotePublic, tuple[str, NotePublic]]:
        """The key of a party's log, and the cosigner of that log with its key."""
        party, by = self.charter.party(letter), self.charter.party("b" if letter == "a" else "a")
        name = self.origins.peer_cosigner if letter == self.letter else self.origins.cosigner
        return NotePublic(party.log.ed, party.log.ml), (name, NotePublic(by.cos.ed, by.cos.ml))

    def policy(self) -> Policy:
        """The policy in force for the next own record; the charter's own until the opening is judged."""
        return self.fold.policy(self.letter) if self.opened else self._first_policy

    @property
    def opened(self) -> bool:
        """Whether the opening of both logs is here and judged."""
        return self.fold.charter is not None

    def member_key(self, kid: bytes) -> PublicKey | None:
        """The signing key of an own member whose key id this is, if it holds now; none before the opening is judged."""
        return self.fold.current_signer(self.letter, kid) if self.opened else None

    async def records(self, letter: str, lo: int, hi: int) -> list[bytes]:
        """Released records [lo, hi) of a shared log; the newest are at hand."""
        kept = self._recent[letter]
        first = self.sizes[letter] - len(kept)
        if first <= lo <= hi <= self.sizes[letter]:
            return kept[lo - first : hi - first]
        return await self.log(letter).records(lo, hi)

    # --- states

    def move(self, to: State) -> None:
        """Change the state as ``MOVES`` allows; the same state again is nothing."""
        if to == self.state:
            return
        if to not in MOVES[self.state]:
            raise Problem("STATE", now=self.state.value, to=to.value)
        self.telemetry.say("state", channel=self.chan, now=self.state.value, to=to.value)
        self.state = to
        self.wake()

    def check_writing(self) -> None:
        """``Unavailable`` RECOVERING unless records are taken now."""
        if self.state not in WRITING:
            raise Unavailable("RECOVERING", state=self.state.value)

    # --- followers

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._event.set()
        self._event = asyncio.Event()

    async def changed(self, timeout: float) -> None:  # noqa: ASYNC109  a slice, not an error
        """Return at the next change, at the latest after ``timeout`` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):  # not wait_for: in 3.11 it may swallow a cancellation
                await self._event.wait()

    # --- what was seen and learned

    def seen(self) -> Seen:
        """The newest peer note that this node has cosigned."""
        return self.cosigned_peer

    def behind(self) -> bool:
        """Whether the line carries more undelivered bytes than ``link_window``."""
        return bool(self._weights) and sum(self._weights.values()) > self.policy().limits.link_window

    def learn(self, letter: Letter, first: int, records: Iterable[bytes], blobs: Mapping[bytes, bytes]) -> None:
        """Records that were released: into the fold, the cursors and the sums that others read."""
        records = list(records)
        for at, raw in enumerate(records, start=first):
            record = try_read(raw)
            known = self._seen_at[letter]
            last = known[-1] if known else 0
            known.append(
                last if record is None or record.seen[1] > self.sizes[_other(letter)] else max(last, record.seen[1])
            )
            if record is not None and record.t != "msg":
                self._blobs.update({h: blobs[h] for h in record.blobs if h in blobs})
            if letter == self.letter:
                weight = sum(len(blobs[h]) for h in record.blobs if h in blobs) if record else 0
                self._weights[at] = len(raw) + weight
                if record is not None:
                    self._told = max(self._told, record.seen[1])
                    if not self._hourly_ms or _is_hourly(record):
                        self._hourly_ms = record.ts
            elif record is None or record.t != "node.ack":
                self._owed = at + 1
        self._recent[letter] = [*self._recent[letter], *records][-RECENT:]
        self.sizes[letter] = first + len(records)
        try:
            self.fold.add(letter, records)
        except Unavailable as e:  # a key or book is not here yet: the fold holds the records and tries again
            self.telemetry.say_problem("fold waits", e)
        self.wake()

    @property
    def owes_ack(self) -> bool:
        """Whether the peer has records other than ``node.ack`` that no own record has seen."""
        return self._owed > self._told

    def hourly_due(self) -> int:
        """When the next hourly ack is due, ms; also where the node was started again meanwhile."""
        return (self._hourly_ms or self.stamps.now()) + HOUR_MS

    def peer_has(self, size: int) -> None:
        """The peer has cosigned the own log up to ``size``."""
        if size > self.delivered:
            self.delivered = size
            self._weights = {at: w for at, w in self._weights.items() if at >= size}
            self.telemetry.delivered.set(size)
        self.wake()

    def closed(self, size_a: int, size_b: int) -> bool:
        """Whether no record below one size has seen more than the other size."""
        sizes = {"a": size_a, "b": size_b}
        return all(not n or self._seen_at[x][n - 1] <= sizes[_other(x)] for x, n in sizes.items())

    def _blob(self, digest: bytes) -> bytes | None:
        return self._blobs.get(digest) or self._lent.get(digest)

    @contextmanager
    def lending(self, blobs: Mapping[bytes, bytes]) -> Iterator[None]:
        """Let the fold see blobs that are not in a log yet, for a dry run."""
        self._lent = blobs
        try:
            yield
        finally:
            self._lent = {}

    # --- notes

    async def put_note(self, letter: str, note: Note, *, cosigned: bool) -> None:
        """Store a note of a shared log and keep it as newest; the caller tells those who wait."""
        anchor, at = note_kind(note, self.note_keys(letter)[0])
        marks = {COSIGNED} if cosigned else set()
        log = self.log(letter)
        raw = note.encode()
        if await log.put_note(NoteKey(note.size, anchor=anchor, at=at), raw, marks):
            self.newest[letter] = raw

    async def anchor_side(self) -> Note:
        """An anchor over what is committed of the side log, stored. The side log must not be empty."""
        at = self.stamps.seconds()
        note = self.signer.anchor(self.origins.side, at)
        self.signer.check_own(note)
        await self.side.put_note(NoteKey(note.size, anchor=True, at=at), note.encode())
        return note

    async def cosigned_notes(self, letter: str) -> tuple[bytes, list[tuple[NoteKey, bytes]]]:
        """The newest note with the other party's line, and every kept cosigned anchor, oldest first."""
        log = self.log(letter)
        kept = sorted(key for key, marks in (await log.kept_notes()).items() if COSIGNED in marks)
        newest = await log.kept_note(kept[-1]) if kept else None
        anchors = [(key, await log.kept_note(key)) for key in kept if key.anchor]
        return newest or b"", [(key, raw) for key, raw in anchors if raw is not None]

    async def newest_pair(self) -> tuple[NoteKey, NoteKey] | None:
        """The newest closed pair of cosigned anchors of logs a and b."""
        kept = [await self.log(x).kept_notes() for x in ("a", "b")]
        a, b = [sorted(k for k, marks in some.items() if k.anchor and COSIGNED in marks) for some in kept]
        pairs = ((x, y) for x in reversed(a) for y in reversed(b) if self.closed(x.size, y.size))
        return max(islice(pairs, 4096), key=lambda p: (p[0].size + p[1].size, p[0].at + p[1].at), default=None)

    async def drop_old_notes(self) -> None:
        """Drop the notes of all three logs that no rule keeps (protocol section 6)."""
        pair = await self.newest_pair()
        for letter, size in ((self.letter, self.delivered), (self.other, self.cosigned_peer[1])):
            log = self.log(letter)
            half = pair["ab".index(letter)] if pair else None
            await log.drop_notes(may_go(await log.kept_notes(), size, half))
        await self.side.drop_notes(may_go(await self.side.kept_notes(), self.side_committed, None))


def note_kind(note: Note, key: NotePublic) -> tuple[bool, int]:
    """Whether a note is an anchor, and the time of its log line (0 for a quick note)."""
    at = notes.log_lines(note, key).get(notes.MLDSA44_TIMED, 0)
    return at > 0, at


def origins_of(chan: bytes, letter: Letter) -> Origins:
    """The origins of log number 0 as one party's node sees them."""
    other: Letter = "b" if letter == "a" else "a"
    return Origins(
        notes.origin(chan, letter, 0), notes.origin(chan, letter, 0, side=True), notes.origin(chan, other, 0)
    )


def _is_hourly(record: Record) -> bool:
    """Whether it is a ``node.ack`` of the hourly kind: with the side log's hash or the state's."""
    if record.t != "node.ack":
        return False
    try:
        body = unpack(record.env, NodeAck)
    except Malformed:
        return False
    return body.side is not UNSET or body.state is not UNSET


def _other(letter: str) -> str:
    return "b" if letter == "a" else "a"
