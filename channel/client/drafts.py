"""Drafts that wait for signatures: made, read, signed, ended, released (docs/protocol.md 11.4).

The side log of the own node holds them, sealed to the signers. A co-signer's desk opens the very bytes that are to be
signed, checks them as any message, and shows them afresh. The last signer's desk joins the signatures and hands the
message in: a person releases. A draft that is over can't be signed.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from msgspec import UNSET

from channel.client.client import Client
from channel.client.composing import Draft, compose, seal_keys
from channel.client.view import LETTERS
from channel.protocol import people
from channel.protocol.draft import Proposal, open_own, proposal_body, read_proposal, seal_own
from channel.protocol.header import Payload
from channel.protocol.ladder import enough, stays_open
from channel.protocol.people import DraftSign, SideNote, Withdraw
from channel.protocol.record import Record
from channel.protocol.verdicts import MessageView
from keys.documents import Member
from keys.envelope import Envelope, join, media_type, read_envelope, sign
from keys.errors import Malformed, Refused, Unavailable, Unverified, WrongUse
from keys.identity import PublicKey

State = Literal["waiting", "released", "withdrawn", "rejected", "expired", "overtaken", "void"]
REJECTED, WITHDRAWN = "rejected", "withdrawn"
WHOLE = 32
"""Characters of a whole id of a draft."""


@dataclass(slots=True)
class Waiting:
    """One draft as this person's desk sees it. ``said`` is None where it is not sealed to this person."""

    did: bytes
    document: people.Draft
    record: Record
    author: Member
    said: Proposal | None
    signatures: dict[bytes, bytes] = field(default_factory=dict)
    over: str = ""
    """The word of the ``withdraw`` record that ended it."""
    ended_by: str = ""
    comments: list[tuple[str, str]] = field(default_factory=list)
    """(seat, text) of the notes about it, as far as this person may read them."""

    @property
    def signers(self) -> tuple[bytes, ...]:
        """Key ids of everyone who has to sign; the author first."""
        if self.said is None:
            return (self.document.from_,)
        cosign = self.said.payload.cosign
        return (self.document.from_, *(cosign if isinstance(cosign, tuple) else ()))

    @property
    def ph(self) -> bytes | None:
        """The payload hash of the message that it is."""
        return None if self.said is None else _ph(self.said)

    @property
    def missing(self) -> tuple[bytes, ...]:
        """Key ids of those who have not signed."""
        return tuple(kid for kid in self.signers if kid not in self.signatures)


async def propose(client: Client, draft: Draft, did: bytes | None = None) -> Waiting:
    """Seal a message that needs more signers to them, with the author's own signature; nothing goes to the other side.

    ``did``: its id, else a random one.
    """
    own = client.view.fold.party(client.view.letter)
    signers = (client.keys.sign.kid, *draft.cosign)
    composed = compose(
        client.view, client.keys.sign, client.keys.seal.public.suite, draft, client.clock.now(), client.random
    )
    check_signers(client, composed.sealed.payload)
    seal_keys = {own.members[kid].kem[0]: own.keys[own.members[kid].kem[0]] for kid in signers if own.members[kid].kem}
    document = people.Draft(
        chan=client.view.chan,
        from_=client.keys.sign.kid,
        did=client.random(16) if did is None else did,
        to=tuple(sorted(seal_keys)),
        suite=client.keys.seal.public.suite,
        kc=bytes(32),
        blob=bytes(32),
        blen=0,
        ts=client.clock.now(),
    )
    body = proposal_body(composed.sealed.payload_bytes, composed.sealed.blob, composed.cek, client.view.fold.cut)
    document, blob = seal_own(document, body, seal_keys, client.view.charter.mode, client.random(32))
    envelope = sign("draft", document, [client.keys.sign])
    await client.wire.submit("draft", envelope.encode(), [blob])
    waiting = await find(client, document.did.hex())
    await _sign(client, waiting)
    return await find(client, document.did.hex())


def check_signers(client: Client, payload: Payload) -> None:
    """``Refused`` SIGNERS_NEEDED {need} where those named are not the ones that the policy asks for.

    ``Refused`` SUSP for what can't be said while exchanges are suspended: nobody is asked to sign it.
    """
    if client.view.fold.suspended() and not stays_open(payload):
        raise Refused("SUSP")
    members = client.view.fold.party(client.view.letter).members
    kids = (payload.from_, *(payload.cosign if isinstance(payload.cosign, tuple) else ()))
    slots = client.view.fold.slots(client.view.letter, payload)
    if not enough([members[kid] for kid in kids if kid in members], slots):
        raise Refused("SIGNERS_NEEDED", need=tuple(slots))


async def approve(client: Client, waiting: Waiting) -> MessageView | None:
    """Sign a draft; the message as logged where this was the last signature, None where others are still missing.

    It is looked at afresh before it is signed and before it is released: a person may have thought for a while.
    """
    await client.sync()
    waiting = await find(client, waiting.did.hex())
    check_open(client, waiting)
    if waiting.said is None or client.keys.sign.kid not in waiting.signers:
        raise Refused("NOT_A_SIGNER", did=waiting.did)
    _judge(client, waiting)
    if client.keys.sign.kid not in waiting.signatures:
        await _sign(client, waiting)
        waiting = await find(client, waiting.did.hex())
    elif waiting.missing:
        raise Refused("SIGNED_BEFORE", did=waiting.did)
    if waiting.over:
        check_open(client, waiting)
    return None if waiting.missing else await _release(client, waiting)


async def end(client: Client, waiting: Waiting, why: str, comment: str = "") -> None:
    """Withdraw (its author) or reject (another signer) a draft; the comment is sealed to its signers."""
    check_open(client, waiting)
    if client.keys.sign.kid not in waiting.signers:
        raise Refused("NOT_A_SIGNER", did=waiting.did)
    if comment:
        await note(client, comment, waiting)
    document = Withdraw(chan=client.view.chan, from_=client.keys.sign.kid, did=waiting.did, why=why)
    await client.wire.submit("withdraw", sign("withdraw", document, [client.keys.sign]).encode())


async def note(client: Client, text: str, about: Waiting | None = None) -> None:
    """A note in the own side log, sealed to the own side: to the signers of a draft, or to all who read messages."""
    own = client.view.fold.party(client.view.letter)
    to = about.document.to if about is not None else tuple(k for k in client.view.fold.recipients() if k in own.members)
    document = SideNote(
        chan=client.view.chan,
        from_=client.keys.sign.kid,
        to=to,
        suite=client.keys.seal.public.suite,
        kc=bytes(32),
        blob=bytes(32),
        blen=0,
        ts=client.clock.now(),
    )
    body = {"text": text} | ({"did": about.did} if about is not None else {})
    recipients = {kid: own.keys[kid] for kid in to}
    document, blob = seal_own(document, body, recipients, client.view.charter.mode, client.random(32))
    await client.wire.submit("note", sign("note", document, [client.keys.sign]).encode(), [blob])


async def find(client: Client, ref: str) -> Waiting:
    """The draft whose id begins with ``ref``; ``WrongUse`` NO_DRAFT, AMBIGUOUS.

    "last" is the newest that waits for this person's signature, else the newest that names this person as a signer.
    """
    if len(ref) == WHOLE and (whole := [w for w in await drafts(client, recent=True) if w.did.hex() == ref]):
        return whole[0]
    found = await drafts(client)
    if ref == "last":
        mine = [w for w in found if client.keys.sign.kid in w.signers]
        chosen = ([w for w in mine if client.keys.sign.kid in w.missing and state(client, w) == "waiting"] or mine)[-1:]
    else:
        chosen = [w for w in found if len(ref) >= 4 and w.did.hex().startswith(ref.lower())]
    if not chosen:
        raise WrongUse("NO_DRAFT", ref=ref)
    if len(chosen) > 1:
        raise WrongUse("AMBIGUOUS", ref=ref, numbers=[w.did.hex()[:8] for w in chosen])
    return chosen[0]


async def drafts(client: Client, *, recent: bool = False) -> list[Waiting]:
    """Every draft of the own side, oldest first; what is not signed as it should be is left out.

    ``recent``: without those that were made longer ago than a draft may wait, which can't be signed any more.
    """
    return list((await _read(client, recent=recent)).found.values())


async def notes(client: Client) -> list[tuple[int, str, str]]:
    """The notes that this person may read: (time in ms, seat, text)."""
    return list((await _read(client, recent=False)).notes)


async def to_sign(client: Client) -> int:
    """How many drafts wait for this person's signature."""
    own = client.keys.sign.kid
    return sum(own in w.missing and state(client, w) == "waiting" for w in await drafts(client, recent=True))


@dataclass(slots=True)
class _Reading:
    """What one person has read of the side log: the first ``at`` records, judged under the own side's current keys."""

    at: int
    oldest: int
    """The earliest time, ms, of a draft that is read: the node may not bring an older one back."""
    signers: frozenset[bytes]
    found: dict[bytes, Waiting] = field(default_factory=dict)
    notes: list[tuple[int, str, str]] = field(default_factory=list)


async def _read(client: Client, *, recent: bool) -> _Reading:
    """Go on where this person's last reading ended; from the start where a key of the own side began or ceased to count."""
    records = await client.side.records()
    letter = client.view.letter
    signers = frozenset(k for k in client.view.fold.party(letter).members if _key(client, k) is not None)
    readings, name = client.side.readings, (client.keys.seal.kid, recent)
    reading: _Reading | None = readings.get(name)
    if reading is None or reading.signers != signers:
        oldest = client.clock.now() - client.view.fold.policy(letter).limits.draft_ttl * 1000 if recent else 0
        reading = readings[name] = _Reading(bisect_left(records, oldest, key=lambda r: r.ts), oldest, signers)
    while reading.at < len(records):
        record = records[reading.at]
        try:
            await _take(client, reading, record, read_envelope(record.env))
        except Unavailable:
            raise  # the node did not answer: the next reading goes on here
        except (Malformed, Unverified, Refused):
            pass  # a record of the side log that its own node should not have taken: it does not count
        reading.at += 1
    return reading


def state(client: Client, waiting: Waiting) -> State:
    """What became of a draft."""
    view, said = client.view, waiting.said
    if said is not None and view.fold.find(_ph(said)) is not None:
        return "released"
    if waiting.over:
        return "rejected" if waiting.over == REJECTED else "withdrawn"
    if client.clock.now() > waiting.record.ts + view.fold.policy(view.letter).limits.draft_ttl * 1000:
        return "expired"
    if said is not None and said.payload.case is not UNSET and _overtaken(client, said):
        return "overtaken"
    if any(view.fold.current_signer(view.letter, kid) is None for kid in waiting.signers):
        return "void"
    if said is not None and set(said.payload.to) - seal_keys(view).keys():
        return "void"
    return "waiting"


def check_open(client: Client, waiting: Waiting) -> None:
    """``Refused`` DRAFT_ENDED unless the draft still waits."""
    if (now := state(client, waiting)) != "waiting":
        raise Refused("DRAFT_ENDED", did=waiting.did, why=now)


def _overtaken(client: Client, said: Proposal) -> bool:
    """Whether a message of its case stands in a log at or after what its author had seen."""
    fold = client.view.fold
    newer = (
        fold.verdict(letter, i)
        for letter, seen, end in zip(LETTERS, said.at, fold.held, strict=True)
        for i in range(seen, end)
    )
    return any(not v.reason and isinstance(v.doc, Payload) and v.doc.case == said.payload.case for v in newer)


def _judge(client: Client, waiting: Waiting) -> None:
    """What readers and the log would say of the whole message, before it is signed: body, order, signers."""
    assert waiting.said is not None
    payload = waiting.said.payload
    first = client.view.fold.find(payload.refs[0]) if isinstance(payload.refs, tuple) else None
    after = first.verdict.doc.fmt if first is not None and isinstance(first.verdict.doc, Payload) else ""
    client.book().check(payload.fmt, waiting.said.opened.body, status=payload.status, to=payload.to, after=after)
    check_signers(client, payload)


async def _sign(client: Client, waiting: Waiting) -> None:
    assert waiting.said is not None
    document = DraftSign(
        chan=client.view.chan,
        did=waiting.did,
        ph=_ph(waiting.said),
        kid=client.keys.sign.kid,
        sig=client.keys.sign.sign(waiting.said.said),
    )
    await client.wire.submit("sign", client.wire.by_session("sign", document).encode())


async def _release(client: Client, waiting: Waiting) -> MessageView:
    assert waiting.said is not None
    envelope = join(media_type("msg"), waiting.said.payload_bytes, waiting.signatures)
    await client.submit("msg", envelope, (waiting.said.payload.blob,), (waiting.said.blob,))
    return client.find(envelope.hash)


async def _take(client: Client, reading: _Reading, record: Record, envelope: Envelope) -> None:
    members, found = client.view.fold.party(client.view.letter).members, reading.found
    if record.t == "draft":
        document = envelope.read("draft", people.Draft)
        author = members.get(document.from_)
        if author is None or document.did in found or document.ts < reading.oldest:
            return
        if not _signed(client, envelope, document.from_):
            return
        said = await _opened(client, document)
        found[document.did] = Waiting(document.did, document, record, author, said)
    elif record.t == "sign":
        signature = envelope.read("sign", DraftSign)
        waiting, key = found.get(signature.did), _key(client, signature.kid)
        if waiting is None or waiting.said is None or key is None or signature.kid not in waiting.signers:
            return
        if signature.ph == _ph(waiting.said) and key.verify(key.mode, waiting.said.said, signature.sig):
            waiting.signatures.setdefault(signature.kid, signature.sig)
    elif record.t == "withdraw":
        end_ = envelope.read("withdraw", Withdraw)
        waiting = found.get(end_.did)
        if waiting is not None and end_.from_ in waiting.signers and _signed(client, envelope, end_.from_):
            waiting.over = waiting.over or end_.why or WITHDRAWN
            waiting.ended_by = waiting.ended_by or members[end_.from_].seat
    elif record.t == "note":
        _take_note(reading, record.ts, await _note(client, envelope))


def _take_note(reading: _Reading, ts: int, read: tuple[str, dict[str, Any]] | None) -> None:
    if read is None:
        return
    seat, text, did = read[0], str(read[1].get("text", "")), read[1].get("did")
    reading.notes.append((ts, seat, text))
    about = reading.found.get(did) if isinstance(did, bytes) else None
    if about is not None:
        about.comments.append((seat, text))


async def _opened(client: Client, document: people.Draft) -> Proposal | None:
    if client.keys.seal.kid not in document.to:
        return None
    mode = client.view.charter.mode
    body = open_own(document, await client.side.blob(document.blob), client.keys.seal, mode)
    return read_proposal(document, body, client.keys.seal, mode)


async def _note(client: Client, envelope: Envelope) -> tuple[str, dict[str, Any]] | None:
    document = envelope.read("note", SideNote)
    member = client.view.fold.party(client.view.letter).members.get(document.from_)
    if member is None or client.keys.seal.kid not in document.to or not _signed(client, envelope, document.from_):
        return None
    blob = await client.side.blob(document.blob)
    return member.seat, open_own(document, blob, client.keys.seal, client.view.charter.mode)


def _signed(client: Client, envelope: Envelope, kid: bytes) -> bool:
    key = _key(client, kid)
    return key is not None and envelope.kids == (kid,) and bool(envelope.verified(key.mode, {kid: key}))


def _key(client: Client, kid: bytes) -> PublicKey | None:
    return client.view.fold.current_signer(client.view.letter, kid)


def _ph(said: Proposal) -> bytes:
    return sha256(said.payload_bytes).digest()


def draft_item(client: Client, waiting: Waiting) -> dict[str, Any]:
    """A draft as one JSON object."""
    members = client.view.fold.party(client.view.letter).members
    said = waiting.said
    return {
        "draft": waiting.did,
        "seat": waiting.author.seat,
        "state": state(client, waiting),
        "format": None if said is None else said.payload.fmt,
        "level": None if said is None else said.payload.level,
        "signed": [members[k].seat for k in waiting.signers if k in waiting.signatures and k in members],
        "missing": [members[k].seat for k in waiting.missing if k in members],
        "ended_by": waiting.ended_by or None,
        "comments": waiting.comments,
        "body": None if said is None else said.opened.body,
    }
