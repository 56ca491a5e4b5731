"""Opens a desk home for one command: the seat's keys unlocked, the session open, both logs fetched and verified."""

from __future__ import annotations

import getpass
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from channel.cli.group import Context
from channel.client import unlocking
from channel.client.client import Client, SeatKeys
from channel.client.home import DeskHome
from channel.client.unlocking import check_kept, check_seat, kept_passphrase, node_url
from channel.clock import SystemClock
from keys.errors import Unverified, WrongUse
from keys.keyring import Passphrase, read_passphrase


@asynccontextmanager
async def desk(ctx: Context, default_seat: str = "expert-1") -> AsyncIterator[Client]:
    """The client of the home and seat that the options name, after a first ``sync``."""
    home = DeskHome(ctx.home)
    try:
        seat = ctx.seat or default_seat
        keys = unlock(home, seat, ctx.passphrase_file, ctx.terminal.texts.say("cli.passphrase", seat=seat))
        async with Client(home, keys, node_url(home), clock=SystemClock(), random=os.urandom) as client:
            await client.sync()
            check_seat(client)
            for problem in client.dropped:
                ctx.terminal.problem(problem)
            yield client
    except sqlite3.DatabaseError as e:
        raise Unverified("DESK_DAMAGED", path=home.path / "desk.sqlite", why=str(e)) from e
    finally:
        home.close()


def unlock(home: DeskHome, seat: str, passphrase_file: Path | None, prompt: str = "") -> SeatKeys:
    """A seat's keys, with the passphrase of the file, of a trial home's own file, or typed at a terminal."""
    check_kept(home, seat)
    passphrase = kept_passphrase(home) if passphrase_file is None else read_passphrase(passphrase_file)
    if passphrase is None:
        if not sys.stdin.isatty():
            raise WrongUse("NO_PASSPHRASE", seat=seat)
        passphrase = Passphrase(getpass.getpass(prompt))
    return unlocking.unlock(home, seat, passphrase)
