"""A desk that sends one message and is killed on the way: ``python -m tests.client.sender DESK URL STEP``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from channel.cli.desk import unlock
from channel.client.client import Client
from channel.client.composing import Draft
from channel.client.home import DeskHome
from channel.clock import SystemClock

BODY = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "control": "K9", "line": "sent once"}


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def killed(obj, name, *, after):
    """Let a method end this process, before it begins or when it has done its work."""
    real = getattr(obj, name)
    if asyncio.iscoroutinefunction(real):

        async def method(*args):
            if not after:
                die()
            done = await real(*args)
            die()
            return done
    else:

        def method(*args):
            if not after:
                die()
            done = real(*args)
            die()
            return done

    setattr(obj, name, method)


async def main(folder, url, step):
    home = DeskHome(Path(folder))
    async with Client(home, unlock(home, "expert-1", None), url, clock=SystemClock(), random=os.urandom) as client:
        await client.sync()
        match step:
            case "before it is kept":
                killed(home, "queue", after=False)
            case "kept":
                killed(home, "queue", after=True)
            case "answered":
                killed(client.wire, "submit", after=True)
            case "in the log":
                killed(client, "sync", after=True)
            case "before it is let go":
                killed(home, "delivered", after=False)
            case "let go":
                killed(home, "delivered", after=True)
        sent = await client.send(Draft(fmt="F03", body={**BODY, "since": client.clock.now()}, lang="en"))
        await client.wait(sent.ph, "delivered", 20)
        await client.sync()
    raise SystemExit("was to be killed")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
