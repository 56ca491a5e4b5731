"""Where a fault inside the program came from: said to a person without any value that was at hand."""

from __future__ import annotations

import traceback
from pathlib import Path


def place_of(e: BaseException) -> str:
    """The innermost line of this program that an error came through, as ``file.py:12``; never a value."""
    steps = [
        step for step in traceback.extract_tb(e.__traceback__) if {"channel", "keys"} & set(Path(step.filename).parts)
    ]
    return f"{Path(steps[-1].filename).name}:{steps[-1].lineno}" if steps else "?"
