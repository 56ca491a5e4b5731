"""What the open page is told while it is looked at: server-sent events, with headers alone, also while locked.

    event: state   data: {"version", "now", "locked", "idle", "waiting", "rings": [{"number", "level", "prec", "due"}]}

A page that hears of a new version fetches itself again and puts its live parts in place. ``rings``: messages of the other
side that nobody here has received and read: they sound until somebody has.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from channel.desk.open_desk import WARN_SECONDS, OpenDesk
from channel.desk.ringing import rings

BEAT_SECONDS = 5.0


async def events(request: web.Request, desk: OpenDesk) -> web.StreamResponse:
    """Write the state now and again whenever it changes, until the page goes away."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    version = desk.version
    try:
        while True:
            data = json.dumps(state(desk), separators=(",", ":"))
            await response.write(f"event: state\ndata: {data}\n\n".encode())
            version = await desk.changed(version, BEAT_SECONDS)
    except ConnectionError:
        pass  # the page was closed
    return response


def state(desk: OpenDesk) -> dict[str, Any]:
    """What the page needs to count down, to ring, and to know that it is old. No body, no name of a case."""
    left = None if desk.locked else desk.idle_left()
    ringing = rings(desk)
    return {
        "version": desk.version,
        "now": desk.now(),
        "locked": desk.locked,
        "warn": left is not None and left <= WARN_SECONDS,
        "idle": None if left is None else int(left),
        "waiting": len(ringing),
        "rings": [ring.item() for ring in ringing],
    }
