"""The side log of the own node as a desk reads it: what stands in it never changes, so each part is fetched once."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    async def records(self) -> list[Record]:
        """Drafts, signatures, withdrawals and notes, oldest first, with what came since the last time."""
        while some := await self._wire.records("side", self._at, self._at + AT_ONCE):
            self._at += len(some)
            self._records += [r for raw in some if (r := try_read(raw)) is not None and r.t in READ]
        return self._records

    async def blob(self, address: bytes) -> bytes:
        """A blob that one of them names, as ``Wire.blob`` gives it."""
        if address not in self._blobs:
            self._blobs[address] = await self._wire.blob(address)
        return self._blobs[address]
