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
    [[callout]], [linetest], [watch]             people on duty: see duty_config.py

Relative paths are relative to the file. Unknown keys are refused: a misspelt one would be a setting that is not set.
The node reads no environment variable; this would be the place.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from channel.node.duty_config import (
    CalloutConfig,
    LineTestConfig,
    WatchConfig,
    read_callouts,
    read_linetest,
    read_watch,
)
from channel.node.table import Address, Table
from keys.errors import WrongUse

__all__ = ["Address", "ChannelConfig", "NodeConfig", "StoreConfig", "read_config"]

_PARTY = re.compile(r"^[A-Z]{2,8}$")
_KILL = re.compile(r"^((writer|side|anchor|cosigner)-)?[a-e](:[1-9][0-9]{0,5})?$")
_NODE = frozenset(
    {"party", "desk_listen", "peer_listen", "journal", "tls_cert", "tls_key", "confirm_clock", "without_peer"}
)
_STORE = frozenset({"embedded", "redis_url", "redis_user", "redis_password_file"})
_CHANNEL = frozenset({"founding", "keys", "peer_urls", "peer_cert", "link_rate"})


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
    callouts: tuple[CalloutConfig, ...]
    linetest: LineTestConfig
    watch: WatchConfig


def read_config(path: Path) -> NodeConfig:
    """The settings of a ``node.toml``, or ``WrongUse`` CONFIG with the file, the key and why."""
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise WrongUse("NO_FILE", path=str(path), why=e.strerror or str(e)) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise WrongUse("CONFIG", path=str(path), key="-", why=str(e)) from e
    top = Table(path, "", plain)
    top.only({"node", "store", "channel", "testing", "callout", "linetest", "watch"})
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
        channels=tuple(_channel(Table(path, f"channel[{i}]", c)) for i, c in enumerate(channels)),
        testing_kill_at=kill_at,
        callouts=read_callouts(top),
        linetest=read_linetest(top),
        watch=read_watch(top),
    )


def _store(table: Table) -> StoreConfig:
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


def _channel(table: Table) -> ChannelConfig:
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
