"""``node.toml``: the one file that says where a node's parts are and whom it talks to.

    [node]     party = "US"                      who we are: a party of every charter below
               desk_listen = "127.0.0.1:7102"    own desks; port 0 takes a free one, see run.json
               peer_listen = "127.0.0.1:7101"    the other side's node
               journal = "journal.sqlite"        the signing journal. Trusted: on a device of its own, never in a backup
               tls_cert, tls_key                 own certificate; the charter or a node.pin record names it
               confirm_clock = false             an operator has compared the clock by voice; takes it as it is
               without_peer = false              two people decided to start without the peer's status answer
    [store]    embedded = "store"                a server of our own in this folder, or:
               redis_url = "unix:///..."         trusted for availability and order, not for content
               redis_user, redis_password_file
    [[channel]] founding, keys                   founding.dcm; the seeds of log, side log and cosigner (0600)
               peer_urls = ["https://..."]       tried in order
               peer_cert = "peer-cert.pem"       the other node's whole certificate
               link_rate = 0                     bytes per second that the line carries; 0: not limited
    [testing]  kill_at = ""                      a step of protocol section 7, "c:3" for the third time it is reached;
                                                 "cosigner-c:3" for that part's alone (writer, side, anchor, cosigner);
                                                 refused for a channel in actual mode

Relative paths are relative to the file. Unknown keys are refused: a misspelt one would be a setting that is not set.
The node reads no environment variable; this would be the place.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from keys.errors import WrongUse

_PARTY = re.compile(r"^[A-Z]{2,8}$")
_KILL = re.compile(r"^((writer|side|anchor|cosigner)-)?[a-e](:[1-9][0-9]{0,5})?$")
_NODE = frozenset(
    {"party", "desk_listen", "peer_listen", "journal", "tls_cert", "tls_key", "confirm_clock", "without_peer"}
)
_STORE = frozenset({"embedded", "redis_url", "redis_user", "redis_password_file"})
_CHANNEL = frozenset({"founding", "keys", "peer_urls", "peer_cert", "link_rate"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """An embedded server's folder, or a server's address (with its password in it: never shown)."""

    embedded: Path | None
    url: str

    def __repr__(self) -> str:
        return f"StoreConfig(embedded={self.embedded!s})"


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """One channel of this node. ``link_rate`` in bytes per second, 0 for no limit."""

    founding: Path
    keys: Path
    peer_urls: tuple[str, ...]
    peer_cert: Path
    link_rate: int


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The whole file."""

    path: Path
    party: str
    desk_listen: Address
    peer_listen: Address
    journal: Path
    tls_cert: Path
    tls_key: Path
    confirm_clock: bool
    without_peer: bool
    store: StoreConfig
    channels: tuple[ChannelConfig, ...]
    testing_kill_at: str


def read_config(path: Path) -> NodeConfig:
    """The settings of a ``node.toml``, or ``WrongUse`` CONFIG with the file, the key and why."""
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise WrongUse("NO_FILE", path=str(path), why=e.strerror or str(e)) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise WrongUse("CONFIG", path=str(path), key="-", why=str(e)) from e
    top = _Table(path, "", plain)
    top.only({"node", "store", "channel", "testing"})
    node, store = top.table("node", _NODE), top.table("store", _STORE)
    channels = plain.get("channel")
    if not isinstance(channels, list) or not channels:
        raise top.wrong("channel", "at least one [[channel]] block")
    testing = top.table("testing", {"kill_at"}, optional=True)
    kill_at = testing.text("kill_at", optional=True)
    if kill_at and not _KILL.match(kill_at):
        raise testing.wrong("kill_at", 'a step "a" to "e", of one part or its n-th time: "cosigner-c:3"')
    party = node.text("party")
    if not _PARTY.match(party):
        raise node.wrong("party", "a party's code: 2 to 8 capital letters")
    return NodeConfig(
        path=path,
        party=party,
        desk_listen=node.address("desk_listen"),
        peer_listen=node.address("peer_listen"),
        journal=node.file("journal"),
        tls_cert=node.file("tls_cert"),
        tls_key=node.file("tls_key"),
        confirm_clock=node.flag("confirm_clock"),
        without_peer=node.flag("without_peer"),
        store=_store(store),
        channels=tuple(_channel(_Table(path, f"channel[{i}]", c)) for i, c in enumerate(channels)),
        testing_kill_at=kill_at,
    )


def _store(table: _Table) -> StoreConfig:
    embedded, url = table.text("embedded", optional=True), table.text("redis_url", optional=True)
    if bool(embedded) == bool(url):
        raise table.wrong("embedded", "either embedded or redis_url")
    if embedded:
        for key in ("redis_user", "redis_password_file"):
            if key in table.values:
                raise table.wrong(key, "belongs to redis_url")
        return StoreConfig(table.file("embedded"), "")
    parts = urlsplit(url)
    if parts.scheme not in ("unix", "redis", "rediss"):
        raise table.wrong("redis_url", "unix:///path, redis://host:port or rediss://host:port")
    if parts.password:
        raise table.wrong("redis_url", "the password stands in redis_password_file")
    user, where = table.text("redis_user", optional=True), table.text("redis_password_file", optional=True)
    if bool(user) != bool(where):
        raise table.wrong("redis_user", "redis_user and redis_password_file go together")
    if not user:
        return StoreConfig(None, url)
    file = table.file("redis_password_file")
    try:
        password = file.read_text(encoding="utf-8").strip()
    except OSError as e:
        raise WrongUse("NO_FILE", path=str(file), why=e.strerror or str(e)) from e
    host = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"
    return StoreConfig(None, urlunsplit((parts.scheme, host, parts.path, parts.query, "")))


def _channel(table: _Table) -> ChannelConfig:
    table.only(_CHANNEL)
    urls = table.values.get("peer_urls")
    if not isinstance(urls, list) or not urls or not all(isinstance(u, str) and _is_https(u) for u in urls):
        raise table.wrong("peer_urls", 'a list of addresses such as "https://127.0.0.1:7201"')
    rate = table.values.get("link_rate", 0)
    if not isinstance(rate, int) or isinstance(rate, bool) or rate < 0:
        raise table.wrong("link_rate", "bytes per second, 0 or more")
    return ChannelConfig(
        founding=table.file("founding"),
        keys=table.file("keys"),
        peer_urls=tuple(url.rstrip("/") for url in urls),
        peer_cert=table.file("peer_cert"),
        link_rate=rate,
    )


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        return False


class _Table:
    """One table of the file, read key by key; what is wrong names the file and the key."""

    def __init__(self, path: Path, name: str, values: Any) -> None:
        self._path, self._name = path, name
        if not isinstance(values, dict):
            raise self.wrong("", "a table")
        self.values: dict[str, Any] = values

    def wrong(self, key: str, why: str) -> WrongUse:
        """The error for a key; ``why`` says what would be right."""
        return WrongUse("CONFIG", path=str(self._path), key=".".join(k for k in (self._name, key) if k), why=why)

    def only(self, known: frozenset[str] | set[str]) -> None:
        for key in self.values:
            if key not in known:
                raise self.wrong(key, "no such setting")

    def table(self, key: str, known: frozenset[str] | set[str], *, optional: bool = False) -> _Table:
        if key not in self.values and not optional:
            raise self.wrong(key, "is missing")
        table = _Table(self._path, key, self.values.get(key, {}))
        table.only(known)
        return table

    def text(self, key: str, *, optional: bool = False) -> str:
        value = self.values.get(key, "" if optional else None)
        if not isinstance(value, str) or (not value and not optional):
            raise self.wrong(key, "is missing" if value is None else "a text in quotes")
        return value

    def file(self, key: str) -> Path:
        return self._path.parent / self.text(key)

    def flag(self, key: str) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def address(self, key: str) -> Address:
        host, colon, port = self.text(key).rpartition(":")
        if not host or not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise self.wrong(key, 'an address such as "127.0.0.1:7101"')
        return Address(host.removeprefix("[").removesuffix("]"), int(port))
