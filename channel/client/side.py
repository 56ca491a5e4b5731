"""The side log of the own node as a desk reads it: what stands in it never changes, so each part is fetched once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from channel.protocol.record import Record, try_read

if TYPE_CHECKING:
    from channel.client.wire import Wire

AT_ONCE = 256
READ = frozenset({"draft", "sign", "withdraw", "note"})


class SideLog:
    """A copy in memory, for as long as the desk is open."""

    def __init__(self, wire: Wire) -> None:
        self._wire, self._at = wire, 0
        self._records: list[Record] = []
        self._blobs: dict[bytes, bytes] = {}
        self.readings: dict[tuple[bytes, bool], Any] = {}
        """What persons have opened of it, by seal key id and extent (``drafts``): as much of a secret as their keys."""

    @property
    def size(self) -> int:
        """How many of them are here."""
        return len(self._records)

    async def records(self) -> list[Record]:
        """Drafts, signatures, withdrawals and notes, oldest first, with what came since the last time."""
        while some := await self._wire.records("side", self._at, self._at + AT_ONCE):
            self._at += len(some)
            self._records += [r for raw in some if (r := try_read(raw)) is not None and r.t in READ]
        return self._records

    def forget(self, but: bytes = b"") -> None:
        """Forget what persons have opened, but for the one with this seal key."""
        self.readings = {name: reading for name, reading in self.readings.items() if name[0] == but}

    async def blob(self, address: bytes) -> bytes:
        """A blob that one of them names, as ``Wire.blob`` gives it."""
        if address not in self._blobs:
            self._blobs[address] = await self._wire.blob(address)
        return self._blobs[address]
