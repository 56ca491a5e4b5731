"""The feed of a desk: server-sent events from a cursor (docs/protocol.md section 15).

    event: grown    data: {"log": "a", "size": N}              what the desk has not is announced at once
    event: note     data: {"log": "a", "note": "…"}            the newest note of a log, and again with more lines
    event: link     data: {"state": "ACTIVE", "seen_ms": …}    the other side's last sign of life
    : beat          every 10 seconds

Header data only; the feed of a locked desk goes on without its person. It ends with the session.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from channel.node.station import Station

BEAT_SECONDS = 10.0


async def follow(
    request: web.Request, station: Station, sizes: dict[str, int], open_still: Callable[[], bool]
) -> web.StreamResponse:
    """Write events until the desk goes away or its session ends."""
    response = web.StreamResponse(headers={"Cache-Control": "no-store", "Content-Type": "text/event-stream"})
    await response.prepare(request)
    noted = {"a": b"", "b": b""}
    link = ""
    try:
        while open_still():
            events = []
            for log in ("a", "b"):
                if station.sizes[log] > sizes[log]:
                    sizes[log] = station.sizes[log]
                    events.append(_event("grown", {"log": log, "size": sizes[log]}))
                if station.newest[log] != noted[log]:
                    noted[log] = station.newest[log]
                    events.append(_event("note", {"log": log, "note": noted[log].decode()}))
            if station.state.value != link:
                link = station.state.value
                events.append(_event("link", {"state": link, "seen_ms": station.heard_ms}))
            await response.write(b"".join(events) or b": beat\n\n")
            if not events or not _news(station, sizes, noted, link):
                await station.changed(BEAT_SECONDS)
    except ConnectionError:
        pass  # the desk went away; its cursor is its own
    return response


def _news(station: Station, sizes: dict[str, int], noted: dict[str, bytes], link: str) -> bool:
    grown = any(station.sizes[log] > size for log, size in sizes.items())
    return grown or station.newest != noted or station.state.value != link


def _event(name: str, data: dict[str, object]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
