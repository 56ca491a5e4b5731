"""What a server must be set to before a log may stand on it, checked at each start (docs/protocol.md section 14).

Each line is a hole that was seen to open: with ``appendfsync everysec`` an acknowledged record is lost, with
``aof-load-truncated yes`` a torn file comes up shorter and says nothing, with snapshots or eviction records go missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from keys.errors import Refused

if TYPE_CHECKING:
    from redis.asyncio import Redis

NEED = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "aof-load-truncated": "no",
    "maxmemory-policy": "noeviction",
    "save": "",
}
NEED_IF_KNOWN = {"aof-load-corrupt-tail-max-size": "0"}  # Redis 8.4 and newer: repairs a torn tail without asking
WAITAOF_SINCE = (7, 2)
OLDEST = (7, 0)


async def check_settings(client: Redis) -> tuple[int, int]:
    """Return the server's version, or ``Refused`` STORE_SETTING with the name, what was found and what is needed."""
    try:
        found = {_text(k or ""): _text(v or "") for k, v in (await client.config_get(*NEED, *NEED_IF_KNOWN)).items()}
    except ResponseError as e:
        raise Refused("STORE_SETTING", name="CONFIG GET", found=str(e), need="permitted") from e
    for name, need in (NEED | {n: v for n, v in NEED_IF_KNOWN.items() if n in found}).items():
        if found.get(name) != need:
            raise Refused("STORE_SETTING", name=name, found=found.get(name, "-") or '""', need=need or '""')
    who = _text(await client.acl_whoami())
    if who == "default":
        raise Refused("STORE_SETTING", name="user", found="default", need="user default off")
    await _check_replay(client)
    info = await client.info("server", "replication")
    for name, need in {"role": "master", "redis_mode": "standalone"}.items():
        if info.get(name, need) != need:
            raise Refused("STORE_SETTING", name=name, found=info[name], need=need)
    version = _version(str(info["redis_version"]))
    if version < OLDEST:
        raise Refused("STORE_SETTING", name="version", found=info["redis_version"], need="7.0")
    return version


async def _check_replay(client: Redis) -> None:
    """Redis 7.0 loads its file in the default user's name: one that is off *and* has no commands drops every append."""
    try:
        said = _text(await client.execute_command("ACL", "DRYRUN", "default", "XADD", "k", "*", "r", "x"))  # type: ignore[no-untyped-call]
    except ResponseError as e:
        raise Refused("STORE_SETTING", name="ACL DRYRUN", found=str(e), need="permitted") from e
    if said != "OK":
        raise Refused("STORE_SETTING", name="user default", found=said, need="user default off ~* &* +@all")


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
