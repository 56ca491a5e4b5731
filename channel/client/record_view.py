"""Records that are no messages, as the formats that render them say: F02 receipts, A01 people and keys, A02 exercise.

Lines in one language and one JSON object; nothing is printed here. A record that no format renders has one line.
"""

from __future__ import annotations

from typing import Any

from channel.client import in_force, watch_record
from channel.client.client import Client
from channel.client.present import Names, corrected, corrections
from channel.i18n import Texts
from channel.protocol.charter import Contacts, Policy
from channel.protocol.formats import HeaderView
from channel.protocol.header import Payload
from channel.protocol.people import Ack, Confirm, Exercise, Kem
from channel.protocol.record import Pin
from channel.protocol.verdicts import Verdict
from keys.documents import Revoke, Root, Roster
from keys.errors import WrongUse
from keys.plain import short
from keys.words import words


def find_record(client: Client, ref: str) -> Verdict | None:
    """The record of a REF such as ``US:12`` that is no message; None for any other REF. ``WrongUse`` NO_MESSAGE."""
    code, colon, index = ref.upper().partition(":")
    if not colon:
        return None
    letters = {client.view.fold.party(x).code: x for x in ("a", "b")}
    if code not in letters or not index.isascii() or not index.isdigit():
        raise WrongUse("NO_MESSAGE", ref=ref)
    cut = client.view.fold.cut[0 if letters[code] == "a" else 1]
    if not int(index) < cut:
        raise WrongUse("NO_MESSAGE", ref=ref)
    verdict = client.view.fold.verdict(letters[code], int(index))
    return None if isinstance(verdict.doc, Payload) and not verdict.reason else verdict


def record_number(client: Client, verdict: Verdict) -> str:
    """A record's place: party and index."""
    return f"{client.view.fold.party(verdict.letter).code}:{verdict.index}"


def rendered(client: Client, verdict: Verdict, texts: Texts) -> list[str]:
    """The lines of the format that renders a record; none where no format does."""
    fmt, body = _form(client, verdict)
    return client.book().render(fmt, _header(client, verdict, texts), body, texts.lang) if fmt else []


def unrendered(client: Client, verdict: Verdict, texts: Texts) -> tuple[str, str]:
    """A record that no format renders: its number and kind, and what it says, which may be nothing."""
    t = verdict.record.t if verdict.record else "leaf"
    kind = texts.say(f"record.{t}") if f"record.{t}" in texts else t
    return f"{record_number(client, verdict)}  {kind}  ", watch_record.told(client, verdict, texts)


def standing(client: Client, verdict: Verdict, texts: Texts) -> list[str]:
    """From which records on it counts, where that is asked, and its corrections."""
    said = in_force.lines(texts, verdict, in_force.in_force(client, verdict))
    return [*said, *corrections(corrected(client), _hash(verdict), texts)]


def record_item(client: Client, verdict: Verdict) -> dict[str, Any]:
    """The record as one JSON object."""
    fmt, body = _form(client, verdict)
    counts = in_force.in_force(client, verdict)
    t = verdict.record.t if verdict.record else ""
    item: dict[str, Any] = {"record": record_number(client, verdict), "t": t, "format": fmt or None, "body": body}
    item |= {"reason": verdict.reason, "signers": [s.seat for s in verdict.signers]}
    item |= {"in_force": counts} if counts else {}
    return {**item, "corrections": [m.verdict.number for m in corrected(client).get(_hash(verdict), ())]}


def _hash(verdict: Verdict) -> bytes:
    return verdict.envelope.hash if verdict.envelope else b""


def _header(client: Client, verdict: Verdict, texts: Texts) -> HeaderView:
    names = Names(client, texts)
    _, body = _form(client, verdict)
    signer = verdict.signers[0] if verdict.signers else None
    about = verdict.doc.ph if isinstance(verdict.doc, Ack) else None
    return HeaderView(
        number=record_number(client, verdict),
        party=client.view.fold.party(verdict.letter).code,
        seat=names.seat(verdict.letter, signer.seat) if signer else texts.say("show.authority"),
        person=names.person(verdict.letter, signer.person) if signer else "-",
        role=signer.role if signer else "records",
        standing=signer.standing if signer else "government",
        level="routine",
        prec=client.view.fold.policy(verdict.letter).level("routine").prec,
        ts=verdict.record.ts if verdict.record else 0,
        lang=texts.lang,
        mode="actual" if client.view.charter.mode == 1 else "exercise",
        status="system",
        logged=verdict.record.ts if verdict.record else None,
        refs=() if about is None else (names.messages().get(about, short(about)),),
        ans={"not-engaging": "NEN", "no-comment": "CNC"}.get(str(body.get("step"))),
    )


def _form(client: Client, verdict: Verdict) -> tuple[str, dict[str, Any]]:
    """The format that renders a record, and what it shows; "" for what no format renders."""
    match verdict.doc:
        case Ack(step=step, next=next_, why=why):
            said = {"step": step, "next_contact": next_, "why": why}
            return "F02", {name: value for name, value in said.items() if isinstance(value, str | int)}
        case Confirm():
            return "", {}
        case Exercise(op=op, x=x, rate=rate):
            return "A02", {"op": op, "clock": max(x, 1)} | ({"rate": rate} if isinstance(rate, int) else {})
    body = _people(client, verdict)
    return ("A01", body) if body else ("", {})


def _people(client: Client, verdict: Verdict) -> dict[str, Any]:
    match verdict.doc:
        case Roster(ver=ver, members=members, revoked=revoked):
            ended = "\n".join(short(kid) for kid in revoked)
            rows = [
                {
                    "seat": m.seat,
                    "person": m.person,
                    "role": m.role,
                    "standing": m.standing,
                    "keys": _keys(m.sig + m.kem),
                }
                for m in members[:20]
            ]
            said = {"kind": "roster", "version": ver, "members": rows, "waiting": _waiting(client, verdict)}
            return said | ({"ended": ended} if ended else {}) | _words(verdict)
        case Root(ver=ver, keys=keys):
            return {"kind": "root", "version": ver, "reason": _keys(keys)} | _words(verdict)
        case Revoke(kids=kids, reason=reason):
            return {"kind": "revoke", "ended": "\n".join(map(short, kids)), "reason": reason}
        case Kem(kid_old=old, kid_new=new):
            return {"kind": "kem", "ended": short(old), "words": _spoken(new)}
        case Contacts(ver=ver, list=listed):
            rows = [
                {"name": c.en, "addr": c.addr} | ({"hours": c.hours} if isinstance(c.hours, str) else {})
                for c in listed[:20]
            ]
            return {"kind": "contacts", "version": ver} | ({"contacts": rows} if rows else {})
        case Policy(ver=ver):
            return {"kind": "policy", "version": ver} | _words(verdict)
        case Pin(cert=cert):
            return {"kind": "node pin", "words": _spoken(cert)}
    return {}


def _keys(kids: Any) -> str:
    return ", ".join(short(kid) for kid in kids)


def _words(verdict: Verdict) -> dict[str, str]:
    return {} if verdict.envelope is None else {"words": _spoken(verdict.envelope.hash)}


def _spoken(hash_: bytes) -> str:
    said = words(hash_)
    return f"{' '.join(said.en)} / {' '.join(said.zh)}"


def _waiting(client: Client, verdict: Verdict) -> str:
    return f"{client.view.fold.policy(verdict.letter).cooling // 3_600_000} h"
