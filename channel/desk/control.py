"""How a second ``channel desk`` finds the running one: a socket in the home, which only its owner may open.

It answers one question, a line "link", with a fresh one-time link.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from keys.errors import Unavailable

if TYPE_CHECKING:
    from channel.desk.entry import Entry

NAME = "desk.sock"
SECONDS = 5.0


@asynccontextmanager
async def listening(home: Path, entry: Entry) -> AsyncIterator[None]:
    """Answer at the home's socket until the end. A home whose path is too long for one goes without."""
    path = home / NAME

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ValueError):
            if await reader.readline() == b"link\n":
                writer.write(f"{entry.link()}\n".encode())
                await writer.drain()
        writer.close()

    path.unlink(missing_ok=True)
    try:
        server = await asyncio.start_unix_server(answer, path)
    except OSError:
        yield
        return
    path.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def ask_link(home: Path) -> str:
    """A one-time link of the desk that runs in a home; ``Unavailable`` DESK_NOT_RUNNING."""
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_unix_connection(home / NAME)
            writer.write(b"link\n")
            line = await reader.readline()
            writer.close()
    except (OSError, TimeoutError) as e:
        raise Unavailable("DESK_NOT_RUNNING", path=str(home)) from e
    return line.decode().strip()
