"""What was refused and has to be kept (docs/protocol.md sections 8 and 10).

    HOME/refused/CHAN/<sha256>.append     a request whose records do not lead to the root that its log signed
                     /<sha256>.fork       a request with another root than the one that was cosigned
                     /<sha256>.evidence   a proof {k, …}, also one that no record could hold

CHAN: the first 8 bytes of the channel id in hex. Files are 0600 and on disk when ``keep`` returns. Of each kind the first
``MAX_FILES`` stay, so whoever floods drives nothing out; a request is at most 16 MiB.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, Literal

from channel.node.writer import Pending
from channel.protocol.evidence import FREEZES
from keys.codec import pack, unpack
from keys.errors import Malformed, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from channel.node.station import Alarms
    from channel.node.writer import Writer

MAX_FILES = 16
Kind = Literal["append", "fork", "evidence"]


class Refusals:
    """The kept files of one channel, under the node's home."""

    def __init__(self, home: Path, chan: bytes) -> None:
        self._top = home / "refused"
        self.folder = self._top / chan[:8].hex()

    def keep(self, kind: Kind, raw: bytes) -> tuple[bytes, bool]:
        """The hash of ``raw``, and whether it was not kept already. Beyond ``MAX_FILES`` nothing is written."""
        digest = hashlib.sha256(raw).digest()
        path = self.folder / f"{digest.hex()}.{kind}"
        if path.exists():
            return digest, False
        for folder in (self._top, self.folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        if len(list(self.folder.glob(f"*.{kind}"))) < MAX_FILES:
            beside = path.with_suffix(".new")
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            for folder in (self.folder, self._top, self._top.parent):
                _sync(folder)
        return digest, True

    def forked(self) -> bool:
        """Whether a kept file shows two histories of one log: then the channel stays frozen."""
        proofs = (path.read_bytes() for path in self.folder.glob("*.evidence"))
        return any(self.folder.glob("*.fork")) or any(map(freezes, proofs))


def freezes(proof: bytes) -> bool:
    """Whether a ``node.evidence`` body is of a kind that freezes the channel."""
    try:
        return unpack(proof, dict).get("k") in FREEZES
    except Malformed:
        return False


async def keep_evidence(body: Mapping[str, Any], refusals: Refusals, shared: Writer, alarms: Alarms) -> None:
    """Keep a proof as a file and in the own log; one that no record holds is named there by an alarm with its hash."""
    raw = pack(body)
    digest, _ = refusals.keep("evidence", raw)
    try:
        await shared.append(Pending("node.evidence", raw))
    except Refused as e:
        if e.code != "RECORD_SIZE":
            raise
        alarms.add("EVIDENCE_FILE", digest)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
