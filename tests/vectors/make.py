"""Makes the vectors anew: ``python tests/vectors/make.py [NAME …]``; what is random is kept where it still holds.

Every file is encoded with msgpack and signed with ``cryptography``; nothing of ``channel`` or ``keys`` is imported.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MODULES = {
    "dcm": "making_dcm",
    "keys": "making_keys",
    "tree": "making_trees",
    "notes": "making_note_cases",
    "messages": "making_messages",
    "documents": "making_documents",
    "records": "making_records",
    "histories": "making_histories",
    "archives": "making_archives",
}


def made(name: str) -> str:
    """The text of a file of vectors, from what is stored of it."""
    path = HERE / f"{name}.json"
    stored: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    return json.dumps(importlib.import_module(MODULES[name]).make(stored), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the named files, or all."""
    for name in sys.argv[1:] or MODULES:
        text = made(name)
        (HERE / f"{name}.json").write_text(text)
        sys.stdout.write(f"{name}.json: {json.loads(text)['numberOfTests']} tests, {len(text):,} bytes\n")


if __name__ == "__main__":
    main()
