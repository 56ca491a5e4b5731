"""Nodes as processes of this machine, for the demo: started, waited for, and stopped by their own ids."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from keys.errors import Unavailable

START = 20.0
STOP = 10.0


class Nodes:
    """Child processes ``channel node run``; all are stopped when the context ends."""

    def __init__(self) -> None:
        self._running: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._running:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running:
            try:
                await asyncio.wait_for(process.wait(), STOP)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def start(self, homes: Iterable[Path]) -> None:
        """Start a node in each home and return when each has said where it listens."""
        homes = list(homes)
        started = [await self._start(home) for home in homes]
        await asyncio.gather(*(self._ready(home, process) for home, process in zip(homes, started, strict=True)))

    async def _start(self, home: Path) -> asyncio.subprocess.Process:
        with (home / "node.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "from channel.cli.main import run; run()", "--home", str(home), "node", "run",
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._running.append(process)
        return process

    async def _ready(self, home: Path, process: asyncio.subprocess.Process) -> None:
        for _ in range(int(START / 0.05)):
            if process.returncode is not None:
                break
            if (home / "run.json").exists() and json.loads((home / "run.json").read_text())["pid"] == process.pid:
                return
            await asyncio.sleep(0.05)
        raise Unavailable("NODE_NOT_STARTED", home=str(home), log=str(home / "node.log"))
