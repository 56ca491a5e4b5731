"""The feed of a desk: server-sent events from a cursor (docs/protocol.md section 15).

    event: grown    data: {"log": "a", "size": N}              what the desk has not is announced at once; with
                    "records": ["base64", …] where the desk asked for them and they are few
    event: note     data: {"log": "a", "note": "…"}            the newest note of a log, and again with more lines
    event: link     data: {"state": "ACTIVE", "seen_ms": …}    the other side's last sign of life
    : beat          every 10 seconds

Header data only; the feed of a locked desk goes on without its person. It ends with the session.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from aiohttp import web

from channel.node.station import RECENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from channel.node.station import Station

BEAT_SECONDS = 10.0
WITH_BYTES = 65_536  # of records that an event carries at most; more are asked for


async def follow(
    request: web.Request, station: Station, sizes: dict[str, int], open_still: Callable[[], bool], *, records: bool
) -> web.StreamResponse:
    """Write events until the desk goes away or its session ends. ``records``: with the records themselves."""
    response = web.StreamResponse(headers={"Cache-Control": "no-store", "Content-Type": "text/event-stream"})
    await response.prepare(request)
    noted = {"a": b"", "b": b""}
    link = ""
    try:
        while open_still():
            events = []
            for log in ("a", "b"):
                if station.sizes[log] > sizes[log]:
                    had, sizes[log] = sizes[log], station.sizes[log]
                    more = await _few(station, log, had, sizes[log]) if records else {}
                    events.append(_event("grown", {"log": log, "size": sizes[log], **more}))
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


async def _few(station: Station, log: str, lo: int, hi: int) -> dict[str, list[str]]:
    found = await station.records(log, lo, hi) if hi - lo <= RECENT else []
    if not found or sum(map(len, found)) > WITH_BYTES:
        return {}
    return {"records": [base64.b64encode(raw).decode() for raw in found]}


def _event(name: str, data: dict[str, object]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
