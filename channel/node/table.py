"""One table of ``node.toml``, read key by key; what is wrong names the file, the key and what would be right."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keys.errors import WrongUse

YEAR = 31_622_400  # seconds: no time in the file is longer


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port."""

    host: str
    port: int


class Table:
    """The values of one table. Each reader gives the value or raises ``WrongUse`` CONFIG."""

    def __init__(self, path: Path, name: str, values: Any) -> None:
        self.path, self._name = path, name
        if not isinstance(values, dict):
            raise self.wrong("", "a table")
        self.values: dict[str, Any] = values

    def wrong(self, key: str, why: str) -> WrongUse:
        """The error for a key; ``why`` says what would be right."""
        return WrongUse("CONFIG", path=str(self.path), key=".".join(k for k in (self._name, key) if k), why=why)

    def only(self, known: AbstractSet[str]) -> None:
        """Refuse every key that is not known."""
        for key in self.values:
            if key not in known:
                raise self.wrong(key, "no such setting")

    def table(self, key: str, known: AbstractSet[str], *, optional: bool = False) -> Table:
        """A table inside this one; an empty one where it is optional and missing."""
        if key not in self.values and not optional:
            raise self.wrong(key, "is missing")
        table = Table(self.path, self._within(key), self.values.get(key, {}))
        table.only(known)
        return table

    def tables(self, key: str, why: str) -> tuple[Table, ...]:
        """A list of tables; none where it is missing."""
        values = self.values.get(key, [])
        if not isinstance(values, list):
            raise self.wrong(key, why)
        return tuple(Table(self.path, f"{self._within(key)}[{i}]", value) for i, value in enumerate(values))

    def text(self, key: str, *, optional: bool = False) -> str:
        """A text that is not empty; "" where it is optional and missing."""
        value = self.values.get(key, "" if optional else None)
        if not isinstance(value, str) or (not value and not optional):
            raise self.wrong(key, "is missing" if value is None else "a text in quotes")
        return value

    def texts(self, key: str, why: str) -> tuple[str, ...]:
        """A list of texts, none of them empty."""
        values = self.values.get(key)
        if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
            raise self.wrong(key, "is missing" if values is None else why)
        return tuple(values)

    def file(self, key: str) -> Path:
        """A path, relative to the file's folder."""
        return self.path.parent / self.text(key)

    def flag(self, key: str) -> bool:
        """True or false; false where it is missing."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def whole(self, key: str, default: int | None, why: str, *, least: int = 0, most: int = YEAR) -> int:
        """A whole number from ``least`` to ``most``; without a default it may not be missing."""
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(key, "is missing" if value is None else f"{why}, {least} to {most}")
        return value

    def address(self, key: str) -> Address:
        """A host and a port, ``host:port`` or ``[host]:port``."""
        host, colon, port = self.text(key).rpartition(":")
        if not host or not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise self.wrong(key, 'an address such as "127.0.0.1:7101"')
        return Address(host.removeprefix("[").removesuffix("]"), int(port))

    def _within(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key
