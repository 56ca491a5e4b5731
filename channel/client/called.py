"""What payload hashes are called: messages by number, records that a correction may name by place. Looked up, not copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from channel.protocol.fold import Fold


class Called(Mapping[bytes, str]):
    """The names in a fold, beside those of ``more``: of keys, where a text names both."""

    def __init__(self, fold: Fold, more: Mapping[bytes, str]) -> None:
        self._fold, self._more = fold, more

    def __getitem__(self, ph: bytes) -> str:
        known = self._fold.known()
        if known is not None and ph in known.messages:
            return known.messages[ph].name
        if known is not None and ph in known.receipts:
            e = known.receipts[ph]
            return f"{known.codes[e.p]}:{e.i}"
        return self._more[ph]

    def __iter__(self) -> Iterator[bytes]:
        known = self._fold.known()
        yield from dict.fromkeys((*(() if known is None else (*known.messages, *known.receipts)), *self._more))

    def __len__(self) -> int:
        return sum(1 for _ in self)
