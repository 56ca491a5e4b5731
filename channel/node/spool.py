"""Lines on their way to a file that may be full, slow or gone: whoever writes them never waits.

A node's standard error is often a pipe. When nobody reads it, a plain write waits for ever, and with it the event loop:
no record, no signal, no end. Telemetry is not the log; lines beyond ``MAX_LINES`` are counted and left out.
"""

from __future__ import annotations

import os
import queue
import threading

MAX_LINES = 4096


class Spool:
    """A text file for writing on a file descriptor, carried by a thread that ends with the process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lines: queue.Queue[str] = queue.Queue(MAX_LINES)
        self._left_out = 0
        self._part = ""
        threading.Thread(target=self._carry, name="telemetry", daemon=True).start()

    def write(self, text: str) -> int:
        """Take the text, or leave it out when too much waits already. A line goes whole: a kill finds it there or not."""
        line, self._part = self._part + text, ""
        if not line.endswith("\n"):
            self._part = line
            return len(text)
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._left_out += 1
        return len(text)

    def flush(self) -> None:
        """Nothing: what was taken is on its way."""

    def drain(self, seconds: float) -> None:
        """Wait until all that was taken is written, no longer than that."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, seconds)

    def _carry(self) -> None:
        gone = False
        while True:
            raw = self._lines.get().encode()
            left_out, self._left_out = self._left_out, 0
            if left_out:
                raw += b'{"event": "lines left out", "count": %d}\n' % left_out
            try:
                while raw and not gone:
                    raw = raw[os.write(self._fd, raw) :]  # not by sys.stderr, whose lock the interpreter's end needs
            except OSError:
                gone = True  # nobody will ever read it
            self._lines.task_done()
