"""One node as a service: a process of its own, started again whenever it was killed, and stopped within a bound."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

STOP_SECONDS = 20.0
SAY = 80  # lines of the node's log that a failure shows

# SIGUSR1 writes every thread's stack, SIGUSR2 every task's: what a process that does not end was waiting for.
RUN = """
import asyncio, faulthandler, signal, sys
from pathlib import Path
from channel.node.app import run_node

def stacks():
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, stacks)
    await run_node(Path(sys.argv[1]))

faulthandler.register(signal.SIGUSR1, all_threads=True)
asyncio.run(main())
"""


class Service:
    """A node's process. ``on_kill(by)`` is called after each death that was planned, before the next start."""

    def __init__(self, code, home, on_kill=lambda _by: None):
        self.code, self.home, self.on_kill = code, home, on_kill
        self.kills, self.process, self._stopped = 0, None, False
        self.plain = (home / "node.toml").read_text()

    def kill_next_at(self, by, step, nth):
        """In the next life, at the n-th time that this part of the node reaches this step."""
        (self.home / "node.toml").write_text(f'{self.plain}\n[testing]\nkill_at = "{by}-{step}:{nth}"\n')

    async def run(self, plan):
        """Run the node once for each planned (by, step, n-th time), which has to end it by SIGKILL; then for good."""
        for by, step, nth in plan:
            self.kill_next_at(by, step, nth)
            code = await self._once()
            assert code == -signal.SIGKILL, f"{self.code} ended with {code} before {by}-{step}:{nth}\n{self.said()}"
            self.kills += 1
            self.on_kill(by)
        (self.home / "node.toml").write_text(self.plain)
        code = await self._once()
        assert self._stopped, f"{self.code} ended by itself with {code}\n{self.said()}"
        assert code == 0, f"{self.code} was stopped and ended with {code}\n{self.said()}"

    async def _once(self):
        with (self.home / "node.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, str(self.home), stderr=log)
        return await self.process.wait()

    async def stop(self):
        """SIGTERM, and a failure with the stacks if that does not end it in time."""
        self._stopped = True
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.process.send_signal(signal.SIGUSR1)
            self.process.send_signal(signal.SIGUSR2)
            await asyncio.sleep(1.0)
            self.process.kill()
            await self.process.wait()
            raise AssertionError(f"{self.code} did not end within {STOP_SECONDS} s\n{self.said(400)}") from None

    def said(self, lines=SAY):
        """The last lines of the node's log."""
        path = self.home / "node.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def states(self):
        """The states that the node went through, over all its lives; a line that is no event is a failure."""
        events = [json.loads(line) for line in (self.home / "node.log").read_text().splitlines()]
        return [event["to"] for event in events if event["event"] == "state"]
