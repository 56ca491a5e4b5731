"""Real servers for the tests of the store: each kind is started once, each test has channels of its own."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from channel.log.embedded import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running(home: Path, program: str) -> Iterator[str]:
    """A server on a directory; gives its url."""
    loop = asyncio.new_event_loop()
    server = EmbeddedServer(home, Path(program))
    try:
        loop.run_until_complete(server.start())
        yield server.url
    finally:
        loop.run_until_complete(server.stop())
        loop.close()


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory, need) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("valkey"), need("embedded-valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory, need) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("redis"), need("redis-server")) as url:
        yield url
