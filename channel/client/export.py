"""An archive from a desk's own copy: the newest closed pair of cosigned anchors, and everything up to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from channel.client.client import Client
from channel.client.view import LETTERS, blobs_named
from channel.protocol.archive import Head, LogPart, write
from channel.protocol.note import Note, parse
from channel.protocol.record import try_read
from keys.errors import Unavailable, Unverified


async def export(client: Client, reveals: Iterable[Mapping[str, Any]] = ()) -> bytes:
    """The archive's bytes, after the nodes were asked for anchors over what they hold now.

    ``reveals``: what it shows of sealed messages, as ``channel.client.reveals`` makes them.
    """
    await client.wire.anchor()
    await client.sync()
    a, b = _cut(client)
    records = {
        letter: client.view.copies[letter].records[: note.size] for letter, note in zip(LETTERS, (a, b), strict=True)
    }
    blobs = []
    for hash_ in sorted(blobs_named(records["a"]) | blobs_named(records["b"])):
        blob = client.home.blob(hash_)
        if blob is None or sha256(blob).digest() != hash_:
            raise Unverified("BLOB_HASH", hash=hash_)
        blobs.append(blob)
    head = Head(form="full", chan=client.view.chan, cut=((0, a.size, a.root), (0, b.size, b.root)))
    logs = [LogPart(x, 0, records[x], note.encode()) for x, note in zip(LETTERS, (a, b), strict=True)]
    return write(head, logs, blobs, reveals=[dict(each) for each in reveals])


def _cut(client: Client) -> tuple[Note, Note]:
    """The newest two anchors of which each covers what the other's records have seen."""
    notes = {x: [parse(raw) for raw in client.home.notes(x, "anchor")] for x in LETTERS}
    for a in reversed(notes["a"]):
        for b in reversed(notes["b"]):
            if _seen(client, "a", a.size) <= b.size and _seen(client, "b", b.size) <= a.size:
                return a, b
    raise Unavailable("NO_ANCHORS")


def _seen(client: Client, letter: str, size: int) -> int:
    records = client.view.copies["a" if letter == "a" else "b"].records[:size]
    return max((r.seen[1] for raw in records if (r := try_read(raw))), default=0)
