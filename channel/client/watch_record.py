"""A watch record in words: which post, who took it, handed it over or left it."""

from __future__ import annotations

from channel.client.client import Client
from channel.client.present import Names
from channel.i18n import Texts
from channel.protocol.people import Watch
from channel.protocol.verdicts import Verdict


def told(client: Client, verdict: Verdict, texts: Texts) -> str:
    """One line; "" for any other record, and for one whose signatures do not hold."""
    doc = verdict.doc
    if not isinstance(doc, Watch) or not verdict.signers:
        return ""
    names = Names(client, texts)
    who = {s.kid: names.person(verdict.letter, s.person) for s in verdict.signers}
    on, off = (who.get(kid, "-") if isinstance(kid, bytes) else "-" for kid in (doc.on, doc.off))
    op = "relieved" if doc.op == "take" and isinstance(doc.off, bytes) else doc.op
    return texts.say(f"watch.line_{op}", seat=names.post(verdict.letter, doc.seat), on=on, off=off)
