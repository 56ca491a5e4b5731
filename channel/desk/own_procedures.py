"""The own party's procedure beside each message that waits for its people (``procedures.toml``)."""

from __future__ import annotations

from channel.client import watch
from channel.client.client import Client
from channel.client.procedures import Procedures, read_procedures
from channel.i18n import Texts
from keys.plain import plain


def procedure_lines(procedures: Procedures, level: str, texts: Texts) -> list[str]:
    """The procedure at a level in the reader's language; nothing where the party has written none."""
    if level not in procedures:
        return []
    said = plain(procedures[level][texts.lang]).strip().split("\n")
    return [texts.say("watch.procedure", level=texts.level(level)), *(f"  {line}" for line in said)]


def beside(client: Client, texts: Texts) -> dict[bytes, list[str]]:
    """Those lines by the payload hash of every message that waits for this side at such a level."""
    procedures = read_procedures(client.home.path)
    waiting = watch.owed(client) if procedures else []
    found = {each.message.ph: procedure_lines(procedures, each.level, texts) for each in waiting}
    return {ph: lines for ph, lines in found.items() if lines}
