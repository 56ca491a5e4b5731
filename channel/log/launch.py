"""Start one program that ends with the process that asked for it. Run as a script; imports only the standard library.

    python -I launch.py PARENT_PID PROGRAM ARGUMENT…

On Linux the kernel is asked to send SIGTERM when the parent ends, and then this process *becomes* the program, so its
pid is the program's. Elsewhere (or with ``--watch`` as the first word) this process stays and looks after the program:
it ends it as soon as the parent is gone.

Linux means the *thread* that started this: a node runs its loop in its main thread.

SIGTERM and not SIGKILL: a store that is killed inside a write leaves a torn file, and refuses to start on it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
LOOK_EVERY = 0.2  # seconds


def become(parent: int, words: list[str]) -> None:
    """Turn into the program; Linux only."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:  # else it ended before the line above
        os.execv(words[0], words)  # noqa: S606 - no shell is wanted


def look_after(parent: int, words: list[str]) -> int:
    """Run the program until it ends or the parent is gone; returns its exit code."""
    child = subprocess.Popen(words, close_fds=False)  # noqa: S603 - the words come from embedded.py
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while child.poll() is None:
        if os.getppid() != parent:
            child.terminate()
        time.sleep(LOOK_EVERY)
    return child.returncode


if __name__ == "__main__":
    watch = sys.argv[1] == "--watch"
    parent_pid, *program = sys.argv[2 if watch else 1 :]
    if sys.platform == "linux" and not watch:
        become(int(parent_pid), program)
        sys.exit(1)
    sys.exit(look_after(int(parent_pid), program))
