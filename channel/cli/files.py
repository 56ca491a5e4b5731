"""Files that a person names on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.errors import WrongUse

if TYPE_CHECKING:
    from pathlib import Path


def read_file(path: Path, limit: int) -> bytes:
    """A whole file of at most ``limit`` bytes; ``WrongUse`` FILE_SIZE, or NO_FILE, also for what may have no end."""
    try:
        if path.exists() and not path.is_file():  # a device or a pipe
            raise WrongUse("NO_FILE", path=path, why="-")
        if path.stat().st_size > limit:
            raise WrongUse("FILE_SIZE", path=path, limit=limit)
        return path.read_bytes()
    except OSError as e:
        raise WrongUse("NO_FILE", path=path, why=e.strerror or "?") from e
