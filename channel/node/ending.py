"""How a node ends: every wait on the way out has an end (it must never be the reason why a node can't be started again).

A part that does not stop in its time is said and left behind. What then still keeps the event loop, ``end_for_sure`` ends
with the process: a store, a journal and a log are made for that.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    from channel.node.telemetry import Telemetry

PART_SECONDS = 5.0  # a part that closes: connections, handlers, a task that is cancelled
STORE_SECONDS = 30.0  # the embedded store: its own wait, then it is killed
END_SECONDS = 60.0  # from the word to stop until the process is gone, whatever happens


def at_end(
    stack: AsyncExitStack, part: str, close: Callable[[], Awaitable[Any]], telemetry: Telemetry,
    seconds: float = PART_SECONDS,
) -> None:  # fmt: skip
    """Close a part when the stack unwinds, and wait for it no longer than ``seconds``; its errors are raised."""

    async def bounded() -> None:
        closing = asyncio.ensure_future(close())
        done, _ = await asyncio.wait([closing], timeout=seconds)
        if not done:
            closing.cancel()
            telemetry.say("did not stop", part=part)
            return
        await closing

    stack.push_async_callback(bounded)


async def cancel_for_sure(task: asyncio.Future[None], seconds: float = PART_SECONDS) -> bool:
    """Cancel a task until it ends, at most so long; whether it did."""
    for _ in range(
        max(1, int(seconds))
    ):  # more than once: a part that waits may have taken the first for its own timeout
        if task.done():
            break
        task.cancel()
        await asyncio.wait([task], timeout=1.0)
    return task.done()


def end_for_sure(loop: asyncio.AbstractEventLoop, telemetry: Telemetry, seconds: float = END_SECONDS) -> None:
    """End the process, and say what was still at work, if the loop is not closed after ``seconds``."""

    def end() -> None:
        if not loop.is_closed():
            for task in asyncio.all_tasks(loop):
                name = getattr(task.get_coro(), "__qualname__", "task")
                telemetry.say("did not end", part=name.replace(".<locals>", ""))
            telemetry.drain()
            os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
