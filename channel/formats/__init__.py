"""The format book and the code book as bytes: data that both parties' policy pins by hash.

A book is a DCM map {file name: bytes}. The format book holds every format (``F03.toml`` …), the code lists, the levels
and the standard sentences; the code book holds ``codebook.toml``. The same files give the same bytes.
"""

from __future__ import annotations

from importlib.resources import files

from keys.codec import pack

CODE_BOOK = "codebook.toml"


def format_book() -> bytes:
    """The format book of this version; its SHA-256 is the policy's ``formats``."""
    return pack({name: raw for name, raw in _toml_files().items() if name != CODE_BOOK})


def code_book() -> bytes:
    """The code book of this version; its SHA-256 is the policy's ``codes``."""
    return pack({CODE_BOOK: _toml_files()[CODE_BOOK]})


def _toml_files() -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in files(__name__).iterdir() if f.name.endswith(".toml")}
