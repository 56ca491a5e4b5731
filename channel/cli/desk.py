"""Opens a desk home for one command: the seat's keys unlocked, the session open, both logs fetched and verified."""

from __future__ import annotations

import getpass
import json
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from channel.cli.group import Context
from channel.client.client import Client, SeatKeys
from channel.client.home import DeskHome
from channel.clock import SystemClock
from keys.errors import Refused, Unavailable, Unverified, WrongUse
from keys.keyring import Passphrase, read_keys, read_passphrase
from keys.suites import SEAL, SIGN


@asynccontextmanager
async def desk(ctx: Context, default_seat: str = "expert-1") -> AsyncIterator[Client]:
    """The client of the home and seat that the options name, after a first ``sync``."""
    home = DeskHome(ctx.home)
    try:
        seat = ctx.seat or default_seat
        keys = unlock(home, seat, ctx.passphrase_file, ctx.terminal.texts.say("cli.passphrase", seat=seat))
        if keys.sign.mode != home.founding.read_charter().mode:
            raise Refused("MODE")
        async with Client(home, keys, node_url(home), clock=SystemClock(), random=os.urandom) as client:
            await client.sync()
            _check_seat(client)
            for problem in client.dropped:
                ctx.terminal.problem(problem)
            yield client
    except sqlite3.DatabaseError as e:
        raise Unverified("DESK_DAMAGED", path=home.path / "desk.sqlite", why=str(e)) from e
    finally:
        home.close()


def _check_seat(client: Client) -> None:
    """``WrongUse`` SEAT_KEY for a key file under another seat's name: it would speak as someone else than was asked."""
    member = client.view.fold.party(client.view.letter).members.get(client.keys.sign.kid)
    if member is not None and member.seat not in (client.keys.seat, client.keys.post):
        raise WrongUse("SEAT_KEY", seat=client.keys.seat, found=member.seat)


def unlock(home: DeskHome, seat: str, passphrase_file: Path | None, prompt: str = "") -> SeatKeys:
    """A seat's keys, with the passphrase of the file, of a trial home's own file, or typed at a terminal."""
    path = home.path / "keys" / f"{seat}.key"
    if seat not in home.seats():
        raise WrongUse("NO_SEAT", seat=seat, seats=", ".join(home.seats()))
    beside = home.path / "passphrase"
    if passphrase_file is not None:
        passphrase = read_passphrase(passphrase_file)
    elif beside.exists():
        passphrase = read_passphrase(beside)
    elif sys.stdin.isatty():
        passphrase = Passphrase(getpass.getpass(prompt))
    else:
        raise WrongUse("NO_PASSPHRASE", seat=seat)
    by_suite = {key.public.suite: key for key in read_keys(path, passphrase)}
    if set(by_suite) != {SIGN, SEAL}:
        raise WrongUse("SEAT_KEYS", path=path)
    return SeatKeys(seat, by_suite[SIGN], by_suite[SEAL])


def node_url(home: DeskHome) -> str:
    """Where the own node listens: desk.toml's address, or what a node on this machine wrote when it started."""
    if home.config.node_url:
        return home.config.node_url
    run_file = home.path / home.config.node_home / "run.json"
    try:
        return str(json.loads(run_file.read_text())["desk_url"])
    except (OSError, ValueError, KeyError) as e:
        raise Unavailable("NODE_NOT_RUNNING", home=str(run_file.parent)) from e
