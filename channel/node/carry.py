"""What is carried by hand when the line is down (docs/protocol.md section 8): the same requests, checks and locks as on it.

    out    what the other side has not cosigned, as one file of whole requests
    take   such a file of the other side: judged whole first, then taken request by request; the answer file comes back
           or the answer file to an own one: marks as delivered what its cosignatures cover

Each thing that can be wrong with a file has one error, and then nothing of it was taken.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from channel.node.requests import answer, answer_raw, number
from channel.protocol import append
from channel.protocol import note as notes
from channel.protocol.note import Note
from channel.protocol.record import try_read
from keys.errors import Malformed, Refused, Unverified

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from channel.node.courier import Courier
    from channel.node.listener import Receiver
    from channel.node.station import Station

MAX_FILE = append.MAX_REQUEST
ROLES = frozenset({"operator", "duty", "expert"})


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file was: of which log, records [first, size); the answer file, if it is to be carried back."""

    kind: Literal["requests", "answers"]
    log: str
    first: int
    size: int
    answers: bytes = b""


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a file: its bytes, itself, its note."""

    raw: bytes
    request: append.Request
    note: Note


class Carrier:
    """Carries one channel by hand."""

    def __init__(self, station: Station, courier: Courier, receiver: Receiver) -> None:
        self._station, self._courier, self._receiver = station, courier, receiver

    async def out(self, most: int) -> bytes:
        """The file for the other side, of at most ``most`` bytes. ``Refused`` NOTHING_TO_CARRY, CARRY_SIZE."""
        self._station.check_writing()
        return append.carry_pack(await self._courier.pack(min(most, MAX_FILE)))

    async def take(self, raw: bytes, *, again: bool = False) -> Taken:
        """Take a carried file; ``again``: of one that was taken before, the answer alone.

        ``Malformed`` CARRY, ``Unverified`` CARRY_DAMAGED, ``Refused`` CARRY_*, FROZEN.
        """
        self._station.check_writing()
        bodies = append.carry_unpack(raw)
        if not bodies:
            raise Malformed("CARRY", at=0)
        try:
            answers = [append.answer_unpack(body) for body in bodies]
        except Malformed:
            return await self._take_requests(bodies, again=again)
        return await self._take_answers(answers)

    def check_role(self, kid: bytes) -> None:
        """``Refused`` CARRY_ROLE for a member whose role does not carry."""
        member = self._station.fold.party(self._station.letter).members.get(kid)
        if member is None or member.role not in ROLES:
            raise Refused("CARRY_ROLE")

    # --- the other side's file

    async def _take_requests(self, bodies: Sequence[bytes], *, again: bool) -> Taken:
        station = self._station
        parts = [self._read(body, at) for at, body in enumerate(bodies, start=1)]
        head = station.signer.head(station.origins.peer)
        held = head.size
        for part in parts:
            if part.note.size == held and part.note.root != head.root:
                await self._receiver.receive(part.raw)  # two histories: it freezes, and keeps the proof
                raise Refused("FROZEN")
        ahead = [part for part in parts if part.note.size > held or part.request.old == held]
        if not ahead:
            if not again:
                raise Refused("CARRY_TWICE", size=held)
            return Taken("requests", station.other, held, held, await self._answers(parts, {}))
        if (first := ahead[0].request.old) != held:
            raise Refused("CARRY_GAP" if first > held else "CARRY_OLDER", first=first, size=held)
        await self._judge(ahead, len(parts) - len(ahead))
        taken: dict[bytes, Note] = {}
        for part in ahead:
            result = await self._receiver.receive(part.raw)
            if isinstance(result, tuple):
                taken[part.raw] = notes.merge(part.note, notes.parse_lines(result[1]))
        station.telemetry.say("carried in", channel=station.chan, requests=len(taken), size=parts[-1].note.size)
        return Taken("requests", station.other, held, ahead[-1].note.size, await self._answers(parts, taken))

    async def _answers(self, parts: Sequence[Part], taken: Mapping[bytes, Note]) -> bytes:
        """The answer file: the note of each part with our lines; the newest cosigned one for what was held before."""
        newest = (await self._station.cosigned_notes(self._station.other))[0]
        bodies = (taken[part.raw].encode() if part.raw in taken else newest for part in parts)
        return append.carry_pack(append.answer_pack(200, body) for body in bodies)

    def _read(self, body: bytes, at: int) -> Part:
        """One request, of this channel's other side, under a note that its log signed."""
        station = self._station
        try:
            request = append.read_request(body)
            note = notes.parse(request.note)
            self._check_origin(note, station.other)
            if not notes.check(note, station.note_keys(station.other)[0], None).log:
                raise Unverified("CARRY_DAMAGED", part=at)
        except (Malformed, Unverified) as e:
            raise Unverified("CARRY_DAMAGED", part=at) from e
        return Part(body, request, note)

    def _check_origin(self, note: Note, letter: str) -> None:
        """``Refused`` CARRY_CHANNEL or CARRY_SIDE unless the note is of that party's shared log of this channel."""
        chan, of, log_no, side = notes.origin_parts(note.origin)
        if chan != self._station.chan or log_no or side:
            raise Refused("CARRY_CHANNEL", chan=chan)
        if of != letter:
            raise Refused("CARRY_SIDE", party=self._station.charter.party(of).code)

    async def _judge(self, parts: Sequence[Part], before: int) -> None:
        """All of them as the link would judge them one after the other, before any is taken."""
        station = self._station
        frontier = station.signer.head(station.origins.peer).frontier
        held = station.newest[station.other]
        stored = notes.parse(held) if held else None
        there = await self._stored(parts)
        for at, part in enumerate(parts, start=before + 1):
            outcome = append.receive(
                part.raw,
                station.origins.peer,
                station.note_keys(station.other)[0],
                frontier,
                stored,
                there.__contains__,
            )
            match outcome:
                case append.Accept(frontier=grown):
                    frontier, stored = grown, part.note
                case append.Refresh():
                    stored = part.note
                case append.Missing424(hashes=hashes):
                    raise Refused("CARRY_MISSING", count=len(hashes))
                case _:
                    raise Unverified("CARRY_DAMAGED", part=at)

    async def _stored(self, parts: Sequence[Part]) -> set[bytes]:
        """Blobs that the file brings or the mirror has, of those that its records name."""
        brought = {hashlib.sha256(blob).digest() for part in parts for blob in part.request.blobs}
        named = {h for part in parts for r in map(try_read, part.request.recs) if r for h in r.blobs}
        return brought | {h for h in named - brought if await self._station.mirror.blob(h) is not None}

    # --- the answer to an own file

    async def _take_answers(self, answers: Sequence[tuple[int, bytes]]) -> Taken:
        station, found = self._station, list[Note]()
        key, cosigner = station.note_keys(station.letter)
        for at, (status, body) in enumerate(answers, start=1):
            if status != 200:
                raise Refused("CARRY_ANSWERED", status=status)
            try:
                note = notes.parse(body)
                self._check_origin(note, station.letter)
                standing = notes.check(note, key, cosigner)
            except (Malformed, Unverified) as e:
                raise Unverified("CARRY_DAMAGED", part=at) from e
            good = standing.cosigned_anchor if note.anchor else standing.cosigned
            ours = note.size <= station.sizes[station.letter]
            if not (good and ours and station.fold.roots(station.letter, note.size) == note.root):
                raise Unverified("CARRY_DAMAGED", part=at)
            found.append(note)
        first = station.delivered
        if all(note.size <= first for note in found):
            raise Refused("CARRY_KNOWN", size=first)
        for note in found:
            if note.size > first:
                await self._courier.take_carried(note)
        station.telemetry.say("carried answer in", channel=station.chan, size=station.delivered)
        return Taken("answers", station.letter, first, station.delivered)


async def give(request: web.Request, carrier: Carrier) -> web.Response:
    """``GET carry``: the file."""
    raw = await carrier.out(number(request, "most", MAX_FILE, MAX_FILE))
    return answer_raw(raw, content_type="application/octet-stream")


async def take(request: web.Request, body: bytes, carrier: Carrier) -> web.Response:
    """``POST carry``: what the file was, and what is to be carried back."""
    taken = await carrier.take(body, again=request.query.get("again") == "1")
    said = {"kind": taken.kind, "log": taken.log, "first": taken.first, "size": taken.size, "answers": taken.answers}
    return answer(said)
