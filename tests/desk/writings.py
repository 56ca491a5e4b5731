"""Texts as a person left them in the form, ready for review: for tests of what comes after the form."""

from __future__ import annotations

import os

from channel.desk import writing
from channel.desk.writing import Written

FACTS = {
    "category": ("UNX",), "origin": ("UNK",), "intent": ("UNK",), "since": ("2026-11-24 08:30",), "control": ("K9",),
    "line": ("one line",),
}  # fmt: skip


async def write(desk, fmt="F03", level="attention", values=None, lang="en", **more):
    """Keep a text of whoever is at a desk; its id."""
    given = FACTS if fmt == "F03" else {}
    typed = given | {name: (said,) for name, said in (values or {}).items()}
    written = Written(
        id=os.urandom(8).hex(), fmt=fmt, lang=lang, level=level, values=typed,
        case_seen=desk.client.view.fold.cut, **more,
    )  # fmt: skip
    async with desk.working():
        await writing.keep(desk, written)
    return written.id


def messages(desk):
    """How many messages a desk knows of."""
    return len(desk.client.messages())


async def close_pages(room):
    """Leave nothing that is looked at to the next test, nor what it complained of."""
    for context in room.browser.contexts:
        await context.close()
    room.console.clear()
