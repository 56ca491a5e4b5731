"""Messages as a person sees them: who speaks and for whom, how far it came, what is open. Names in one language.

Names come from the rosters in force now; whoever left them keeps the id that stands in the record.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from msgspec import UNSET

from channel.client.called import Called
from channel.client.client import Client, Ill
from channel.client.drafts import Waiting
from channel.client.index import Index
from channel.client.seats import by_name
from channel.i18n import LANGUAGES, Texts
from channel.protocol.charter import ORDER
from channel.protocol.formats import Book, HeaderView
from channel.protocol.header import Payload
from channel.protocol.people import Ack
from channel.protocol.verdicts import MessageView, PartyView, Signer
from keys.documents import Member
from keys.errors import Malformed, Refused, Unverified, WrongUse
from keys.plain import plain, short

PLACE = re.compile("0|[1-9][0-9]{0,14}")


@dataclass(frozen=True, slots=True)
class Names:
    """What persons, seats, keys and messages are called in the reader's language."""

    client: Client
    texts: Texts

    def person(self, letter: str, id_: str) -> str:
        """A person of a party."""
        return named(self.texts, self._party(letter).persons, id_)

    def seat(self, letter: str, id_: str) -> str:
        """A seat of a party."""
        return named(self.texts, self._party(letter).seats, id_)

    def place(self, letter: str, member: Member) -> str:
        """A member's seat, with a number for a further person in it: "Duty Officer 2"."""
        name = next((name for name, m in by_name(self._party(letter)).items() if m.kid == member.kid), member.seat)
        number = name.removeprefix(member.seat).replace(".", " ")
        return self.seat(letter, member.seat) + number

    def post(self, letter: str, id_: str) -> str:
        """A seat with its party, as one word for "who": "US Expert 1"."""
        return f"{self._party(letter).code} {self.seat(letter, id_)}"

    def speaker(self, letter: str, signer: Signer) -> str:
        """Person, seat and standing of whoever signed."""
        return speaker(self.texts, signer, self.person(letter, signer.person), self.seat(letter, signer.seat))

    def signers(self, kids: Collection[bytes]) -> str:
        """Seats of the own side by key ids, in the roster's order."""
        letter = self.client.view.letter
        found = [self.place(letter, member) for member in by_name(self._party(letter)).values() if member.kid in kids]
        return ("、" if self.texts.lang == "zh" else ", ").join(found) or "-"

    def keys(self) -> dict[bytes, str]:
        """Every current key id, of signing and of sealing, to its seat; parties and seats in the rosters' order."""
        found = {}
        for letter in ("a", "b"):
            party = self._party(letter)
            order = {seat.id: at for at, seat in enumerate(party.roster.seats)}
            for kid, member in sorted(party.members.items(), key=lambda item: order.get(item[1].seat, 0)):
                found[kid] = f"{party.code} {self.place(letter, member)}"
        return found

    def messages(self, more: Mapping[bytes, str] | None = None) -> Mapping[bytes, str]:
        """Every message by its payload hash, and every record that a correction may name; ``more`` names beside them."""
        return Called(self.client.view.fold, more or {})

    def _party(self, letter: str) -> PartyView:
        return self.client.view.fold.party(letter)


def named(texts: Texts, names: Mapping[str, tuple[str, str]], id_: str) -> str:
    """The name of an id in the reader's language; the id itself where no roster names it."""
    return names[id_][LANGUAGES.index(texts.lang)] if id_ in names else id_


def speaker(texts: Texts, signer: Signer, person: str, seat: str) -> str:
    """Who signed and for whom: person, seat, and the standing in the glossary's words."""
    seat = texts.say("show.played", seat=seat) if signer.played else seat
    standing = texts.say(f"code.standing.{signer.standing}")
    return f"{person}，{seat}（{standing}）" if texts.lang == "zh" else f"{person}, {seat} ({standing})"


def header_view(client: Client, message: MessageView, texts: Texts, fault: Refused | None = None) -> HeaderView:
    """The header with everything named that ids stand for. ``fault``: why the body does not count as its format."""
    payload = payload_of(message)
    signer, letter = author(message), message.verdict.letter
    due = {name: _after(message.receipt_time, at) for name, at in message.deadlines.items()}
    said = None if fault is None else (str(fault.values["field"]), why_invalid(texts, str(fault.values["why"])))
    return replace(
        payload_view(client, payload, signer, letter, message.verdict.number, texts),
        ack_by=due.get("read") or _set(payload.ack_by),
        reply_by=due.get("reply") or _set(payload.reply_by),
        logged=message.verdict.record.ts if message.verdict.record else None,
        received=message.receipt_time,
        confirm=message.confirm or None,
        invalid=said,
    )


def proposal_view(client: Client, waiting: Waiting, texts: Texts) -> HeaderView:
    """The header of a draft, as it will be signed; it has no number yet."""
    assert waiting.said is not None
    member = waiting.author
    signer = Signer(member.kid, member.person, member.role, member.seat, member.standing, played=False)
    number = f"{texts.say('state.draft')} {waiting.did.hex()[:8]}"
    view = payload_view(client, waiting.said.payload, signer, client.view.letter, number, texts)
    return replace(view, status="draft")


def payload_view(
    client: Client, payload: Payload, signer: Signer, letter: str, number: str, texts: Texts
) -> HeaderView:
    """What the signed header alone says."""
    names = Names(client, texts)
    keys, messages = names.keys(), names.messages()
    move = None if payload.move is UNSET else payload.move
    return HeaderView(
        number=number,
        party=client.view.fold.party(letter).code,
        seat=names.seat(letter, signer.seat),
        person=names.person(letter, signer.person),
        role=signer.role,
        standing=signer.standing,
        level=payload.level,
        prec=payload.prec,
        ts=payload.ts,
        lang=payload.lang,
        mode="actual" if client.view.charter.mode == 1 else "exercise",
        case=messages.get(payload.case) if isinstance(payload.case, bytes) else None,
        status=payload.status,
        tlp=None if payload.tlp is UNSET else payload.tlp,
        pap=None if payload.pap is UNSET else payload.pap,
        played=signer.played,
        to=tuple(name for kid, name in keys.items() if kid in payload.to)
        + tuple(short(kid) for kid in payload.to if kid not in keys),
        refs=tuple(messages.get(ref, short(ref)) for ref in _listed(payload.refs)),
        cosign=tuple(name for kid, name in keys.items() if kid in _listed(payload.cosign))
        + tuple(short(kid) for kid in _listed(payload.cosign) if kid not in keys),
        single=payload.single is True,
        ack_by=_set(payload.ack_by),
        reply_by=_set(payload.reply_by),
        names=names.messages(keys),
        move=None if move is None else move.op,
        move_from=None if move is None else _said(move.from_),
        move_to=None if move is None else _said(move.to),
        move_at=None if move is None or move.at is UNSET else move.at,
        ans=_said(payload.ans),
        cor=_said(payload.cor),
    )


def earlier(client: Client, message: MessageView) -> dict[str, Any]:
    """What the fields of a case said before a follow-up of the same party: old values beside the new ones."""
    payload = payload_of(message)
    if payload.fmt != "F04":
        return {}
    before: dict[str, Any] = {}
    for m in client.index.case(message.case):
        if m.ph == message.ph:
            break
        if m.verdict.letter == message.verdict.letter and payload_of(m).fmt in ("F03", "F04"):
            with suppress(Refused, Unverified, Malformed):
                before |= client.open(m).body
    return before


Corrected = Mapping[bytes, list[MessageView]]


class _Corrected(Corrected):
    def __init__(self, index: Index) -> None:
        self._index = index

    def __getitem__(self, ph: bytes) -> list[MessageView]:
        found = self._index.corrections(ph)
        if not found:
            raise KeyError(ph)
        return found

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._index.corrected())

    def __len__(self) -> int:
        return len(self._index.corrected())


def corrected(client: Client) -> Corrected:
    """The corrections of each message and receipt, by the payload hash of what they concern; looked up when asked for."""
    return _Corrected(client.index)


def corrections(by: Corrected, ph: bytes, texts: Texts) -> list[str]:
    """The corrections of a payload, each by its number and what it is; what is corrected stays as it was."""
    return [texts.say("show.corrected", number=m.verdict.number, cor=_correction(m, texts)) for m in by.get(ph, ())]


def _correction(message: MessageView, texts: Texts) -> str:
    cor = payload_of(message).cor
    return "-" if cor is UNSET else texts.say(f"code.correction.{cor}")


def translations(client: Client, message: MessageView, texts: Texts) -> list[str]:
    """The marked additions to a message: who translated what, and that the original alone is authentic."""
    lines: list[str] = []
    names, own = Names(client, texts), payload_of(message)
    for m in client.index.translations(message.ph):
        with suppress(Refused, Unverified, Malformed):
            body = client.open(m).body
            if "translation" in body:
                who = names.speaker(m.verdict.letter, author(m))
                lang = texts.say(f"code.lang.{payload_of(m).lang}")
                lines.append(texts.say("code.header.translation", lang=lang, who=who))
                lines += [f"  {_label(client.book(message), own.fmt, row['of'], texts.lang)} | {_line(row['text'])}"
                          for row in body["translation"]]  # fmt: skip
                by = body.get("translator", "H")
                lines.append(f"{by} {texts.say(f'code.translator.{by}')}")
                lines.append(texts.say("X9", lang=texts.say(f"code.lang.{own.lang}")))
    return lines


def _label(book: Book, fmt: str, name: str, lang: str) -> str:
    rule = book.field(book.files.formats[fmt], name)
    return _line(name) if rule is None else rule.text(lang)


def _line(text: str) -> str:
    return " ".join(plain(text).split("\n"))


def author(message: MessageView) -> Signer:
    """Whoever the message is from; the others that signed stand in ``cosign``."""
    payload = payload_of(message)
    return next(s for s in message.verdict.signers if s.kid == payload.from_)


def payload_of(message: MessageView) -> Payload:
    """The signed payload of a message."""
    doc = message.verdict.doc
    if not isinstance(doc, Payload):
        raise WrongUse("NO_MESSAGE", ref=message.ph)
    return doc


def steps(message: MessageView) -> list[str]:
    """The steps of receipt that people have signed, each once, in their order."""
    return list(dict.fromkeys(a.doc.step for a in message.acks if isinstance(a.doc, Ack)))


def status(client: Client, message: MessageView, texts: Texts, by: Corrected | None = None) -> str:
    """How far a message came: by machine, then by people. ``by``: ``corrected``, where the caller has it."""
    by = corrected(client) if by is None else by
    state = client.view.state(message.verdict.letter, message.verdict.index)
    said = [texts.say(f"state.{state}"), *(_step(message, step, by, texts) for step in steps(message))]
    said += [texts.say(f"code.confirm.{message.confirm}")] if message.confirm else []
    return ("；" if texts.lang == "zh" else "; ").join(said)


def _step(message: MessageView, step: str, by: Corrected, texts: Texts) -> str:
    """A step of receipt; where all that signed it has a correction, with the newest."""
    word = texts.say(f"state.{step.replace('-', '_')}")
    signed = [a.envelope.hash for a in message.acks if isinstance(a.doc, Ack) and a.doc.step == step and a.envelope]
    if not all(ph in by for ph in signed):
        return word
    newest = by[signed[-1]][-1]
    return texts.say("show.step_corrected", step=word, number=newest.verdict.number, cor=_correction(newest, texts))


def as_item(client: Client, message: MessageView) -> dict[str, Any]:
    """A message as one JSON object, ids and codes as they are signed; its text where this person may read it."""
    signer, payload = author(message), payload_of(message)
    code = client.view.fold.party(message.verdict.letter).code
    item: dict[str, Any] = {
        "number": message.verdict.number,
        "record": f"{code}:{message.verdict.index}",
        "person": signer.person,
        "seat": signer.seat,
        "standing": signer.standing,
        "format": payload.fmt,
        "level": payload.level,
        "ts": payload.ts,
        "case": payload.case if isinstance(payload.case, bytes) else None,
        "state": client.view.state(message.verdict.letter, message.verdict.index),
        "acks": steps(message),
        "answer": _said(payload.ans),
        "correction": _said(payload.cor),
        "move": None if payload.move is UNSET else payload.move.op,
        "confirm": message.confirm or None,
        "ph": message.ph,
    }
    try:
        item["body"] = client.open(message).body
    except Ill as e:
        item["body"], item["invalid"] = e.opened.body, {name: e.values[name] for name in ("field", "why")}
    except (Refused, Unverified, Malformed) as e:
        item["body"], item["unopened"] = None, e.code
    return item


def find(client: Client, ref: str) -> MessageView:
    """The message of a REF: ``last``, a number, a record (``US:12``), or the beginning of its payload hash.

    ``WrongUse`` NO_MESSAGE where there is none, AMBIGUOUS where several begin so.
    """
    index = client.index
    if ref == "last":
        chosen = index.newest_messages(1)
    elif ":" in ref:
        code, _, at = ref.upper().partition(":")
        letters = {client.view.fold.party(x).code: x for x in ("a", "b")}
        found = index.at(letters[code], int(at)) if code in letters and PLACE.fullmatch(at) else None
        chosen = [] if found is None else [found]
    else:
        found = index.numbered(ref.upper())
        chosen = index.beginning(ref) if found is None else [found]
    if not chosen:
        raise WrongUse("NO_MESSAGE", ref=ref)
    if len(chosen) > 1:
        raise WrongUse("AMBIGUOUS", ref=ref, numbers=[m.verdict.number for m in chosen])
    return chosen[0]


def find_case(client: Client, ref: str) -> MessageView:
    """The opening message of the case that a REF stands in; ``WrongUse`` NO_CASE."""
    message = find(client, ref)
    if message.case is None:
        raise WrongUse("NO_CASE", ref=ref)
    return client.find(message.case)


def _after(receipt: int | None, at: int | None) -> int | None:
    return None if receipt is None or at is None else (at - receipt) // 1000


def _listed(value: Any) -> tuple[bytes, ...]:
    return () if value is UNSET else tuple(value)


def why_invalid(texts: Texts, word: str) -> str:
    """Why a field of a body does not fit, in words."""
    return texts.say(f"why.{word}") if f"why.{word}" in texts else word


def need(texts: Texts, slots: tuple[tuple[str, ...], ...]) -> str:
    """Who has to sign, in words: one role or several to choose from, for each signature."""
    say, zh = texts.say, texts.lang == "zh"
    named, seats = "（{}）" if zh else " ({})", {"principal": say("show.principal")}

    def one(slot: tuple[str, ...]) -> str:
        roles = [role.partition("@") for role in slot]
        words = [
            say(f"code.role.{role}") + (named.format(seats.get(seat, seat)) if seat else "") for role, _, seat in roles
        ]
        return (" 或 " if zh else " or ").join(words)

    return " + ".join(f"({one(slot)})" if len(slot) > 1 < len(slots) else one(slot) for slot in slots)


def worded(problem: Refused, texts: Texts) -> Refused:
    """The same problem in words: the signatures that are needed, a level as it is always shown."""
    values: Mapping[str, Any] = problem.values
    if problem.code == "SIGNERS_NEEDED":
        return Refused(problem.code, need=need(texts, values["need"]))
    if problem.code in ("LEVEL_NOW", "CLOSE_LEVEL"):
        level = str(values["level"])
        return Refused(problem.code, level=texts.level(level) if level in ORDER else texts.say("case.closed"))
    return problem


def _said(value: Any) -> str | None:
    return None if value is UNSET else str(value)


def _set(value: Any) -> int | None:
    return None if value is UNSET else int(value)
