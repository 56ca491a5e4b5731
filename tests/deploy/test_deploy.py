"""The deployment examples: what they say is what the program reads, and the store they start is fit and shut."""

from __future__ import annotations

import json
import re
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
import yaml
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.retry import Retry

from channel.log import embedded
from channel.log.log import Entry
from channel.log.redis import RedisServer
from channel.node.config import read_config

TOP = Path(__file__).resolve().parents[2]
DEPLOY = TOP / "deploy"
PARTIES = ("us", "cn")
WORD = "a word for the test"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((TOP / "docker-compose.yml").read_text("utf-8"))


# --- containers -------------------------------------------------------------------------------------------------------


def test_the_compose_file_says_nothing_that_compose_would_not_read(compose: dict[str, Any]) -> None:
    """Every key and value fits the schema, and every network, volume, secret and service that is used is declared."""
    jsonschema.validate(compose, json.loads((Path(__file__).parent / "compose.schema.json").read_text("utf-8")))
    used: dict[str, set[str]] = {"networks": set(), "volumes": set(), "secrets": set(), "services": set()}
    for service in compose["services"].values():
        used["networks"] |= set(service["networks"])
        used["volumes"] |= {v.split(":")[0] for v in service.get("volumes", []) if not v.startswith((".", "/"))}
        used["secrets"] |= set(service.get("secrets", []))
        used["services"] |= set(service.get("depends_on", []))
    assert {name: used[name] for name in ("networks", "volumes", "secrets")} == {
        name: set(compose[name]) for name in ("networks", "volumes", "secrets")
    }
    assert used["services"] <= set(compose["services"])


def test_the_parties_share_the_link_and_nothing_else(compose: dict[str, Any]) -> None:
    """A party's store is reached by its own node alone; only the nodes are on the link; no secret or volume is shared."""
    on: dict[str, set[str]] = {}
    for name, service in compose["services"].items():
        for network in service["networks"]:
            on.setdefault(network, set()).add(name)
    assert on == {
        "us": {"us-store", "us-node"},
        "cn": {"cn-store", "cn-node"},
        "link": {"us-node", "cn-node"},
        "us-desk": {"us-node"},
        "cn-desk": {"cn-node"},
    }
    assert {name for name, network in compose["networks"].items() if network.get("internal")} == {"us", "cn", "link"}
    for kind in ("volumes", "secrets"):
        held = {
            party: {v.split(":")[0] for n, s in compose["services"].items() if n.startswith(party) for v in s[kind]}
            for party in PARTIES
        }
        assert held["us"] & held["cn"] == set()


def test_containers_hold_no_rights_and_publish_on_this_machine_alone(compose: dict[str, Any]) -> None:
    """Each service drops all capabilities and writes nowhere but its volumes; no store publishes a port."""
    for name, service in compose["services"].items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert ("ports" in service) == name.endswith("-node")


def test_the_image_ends_as_a_user_that_is_not_root_and_copies_what_there_is() -> None:
    """Both targets of the Dockerfile end under a user of their own; every COPY names a file of the project."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    stages = {
        match[1]: match[2]
        for match in re.finditer(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM|\Z)", text, re.MULTILINE | re.DOTALL)
    }
    assert set(stages) == {"build", "node", "store"}
    for target in ("node", "store"):
        assert re.findall(r"^USER (\w+)$", stages[target], re.MULTILINE) == [target]
        assert f"--no-create-home {target}" in stages[target]
    sources = [word for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert [source for source in sources if not (TOP / source).exists()] == []
    kept = {line[1:] for line in (TOP / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert {source.split("/")[0] for source in sources} <= kept


# --- nodes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["node.toml", "us/node.toml", "cn/node.toml"])
def test_a_node_reads_the_example(name: str, tmp_path: Path) -> None:
    """Every example is read by the node's own reader; a password file is all that has to be put beside it."""
    text = (DEPLOY / name).read_text("utf-8")
    secret = tmp_path / "secret"
    secret.write_text("word\n", "utf-8")
    (tmp_path / "node.toml").write_text(re.sub(r"/run/secrets/[\w-]+", str(secret), text), "utf-8")
    config = read_config(tmp_path / "node.toml")
    assert config.party == ("CN" if name.startswith("cn/") else "US")
    assert (config.store.embedded is None) == ("/" in name)


def test_the_full_example_names_every_setting_that_the_node_knows() -> None:
    """deploy/node.toml is the manual: each key of the reader stands in it, in use or as a comment."""
    text = (DEPLOY / "node.toml").read_text("utf-8")
    readers = [(TOP / f"channel/node/{name}.py").read_text("utf-8") for name in ("config", "duty_config")]
    known = [found for reader in readers for found in re.findall(r"frozenset\(\s*\{(.*?)\}", reader, re.DOTALL)]
    keys = set(re.findall(r'"(\w+)"', " ".join(known)))
    assert len(keys) > 30
    shown = set(re.findall(r"(?m)^(?:# )?(?:\[\[\w+\.)?(\w+)(?: = |\]\])", text))
    targets = set(re.findall(r"[{,] (\w+) = ", " ".join(re.findall(r"(?m)^#   \{.*$", text))))
    assert keys - shown - targets == set()


def test_the_compose_nodes_find_each_other_and_their_own_store(compose: dict[str, Any]) -> None:
    """The names in a node's settings are services on its networks; its desk port is the published one."""
    for party, other in zip(PARTIES, reversed(PARTIES), strict=True):
        settings = tomllib.loads((DEPLOY / party / "node.toml").read_text("utf-8"))
        node = compose["services"][f"{party}-node"]
        peer_port = tomllib.loads((DEPLOY / other / "node.toml").read_text("utf-8"))["node"]["peer_listen"].split(":")[
            1
        ]
        assert settings["store"]["redis_url"] == f"redis://{party}-store:6379"
        assert settings["store"]["redis_password_file"] == f"/run/secrets/{node['secrets'][0]}"
        assert settings["channel"][0]["peer_urls"] == [f"https://{other}-node:{peer_port}"]
        assert {port.split(":")[2] for port in node["ports"]} == {settings["node"]["desk_listen"].split(":")[1]}


@pytest.mark.parametrize("name", ["dcx-node@.service", "dcx-store@.service"])
def test_a_unit_runs_a_file_that_exists_as_a_user_of_its_own(name: str) -> None:
    """A systemd unit has its three sections, no root, and calls the program or the store's start."""
    text = (DEPLOY / name).read_text("utf-8")
    assert re.findall(r"^\[(\w+)\]$", text, re.MULTILINE) == ["Unit", "Service", "Install"]
    assert re.findall(r"^User=(.*)$", text, re.MULTILINE) == ["dcx-%i"]
    assert [line for line in text.splitlines() if line and not re.match(r"#|\[|[A-Z]\w+=", line)] == []
    program = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE)
    assert program
    assert program[1] in {"/opt/deconfliction-channel/bin/channel", "/opt/deconfliction-channel/deploy/store.sh"}


# --- the store --------------------------------------------------------------------------------------------------------


@contextmanager
def started(program: str, home: Path) -> Iterator[Path]:
    """A store as store.sh starts it, on a unix socket; gives the socket's path."""
    data, secret, socket = home / "data", home / "secret", home / "s"
    data.mkdir(exist_ok=True)
    secret.write_text(WORD + "\n", "utf-8")
    options = ["--port", "0", "--unixsocket", str(socket), "--logfile", str(home / "log")]
    process = subprocess.Popen(
        [DEPLOY / "store.sh", secret, data, *options], env={"PATH": "/usr/bin:/bin", "STORE_SERVER": program}
    )
    try:
        for _ in range(500):
            assert process.poll() is None, (home / "log").read_text("utf-8")
            if socket.exists():
                break
            time.sleep(0.02)
        yield socket
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=["redis-server", "embedded-valkey"])
def program(request: pytest.FixtureRequest, need: Any) -> str:
    return need(request.param)


@pytest.fixture
def store(program: str, tmp_path: Path) -> Iterator[Path]:
    with started(program, tmp_path) as socket:
        yield socket


def client_of(socket: Path, user: str | None = "dcx", word: str | None = WORD) -> Redis:
    return Redis(unix_socket_path=str(socket), username=user, password=word, retry=Retry(NoBackoff(), 0))


async def test_what_was_written_is_there_after_a_restart(program: str, tmp_path: Path) -> None:
    """The server reads its own file back whole: the appends of the log's function too."""
    for size in range(3):
        with started(program, tmp_path) as socket:
            server = await RedisServer.connect(f"unix://dcx:{quote(WORD)}@{socket}")
            log = server.store(bytes(32)).log("a0")
            await log.take_fence()
            assert await log.size() == size
            await log.append(size, [Entry.of(b"record")], {})
            assert await log.records(0, 9) == [b"record"] * (size + 1)
            await server.close()


async def test_the_store_is_fit_for_a_log(store: Path) -> None:
    """What store.sh starts passes the node's own check of a server's settings."""
    server = await RedisServer.connect(f"unix://dcx:{quote(WORD)}@{store}")
    await server.close()


def test_the_store_lets_nobody_in_without_the_word(store: Path) -> None:
    """There is no default user, and another password does not open it."""
    for user, password in ((None, None), ("dcx", "another"), ("default", "")):
        client = client_of(store, user, password)
        with pytest.raises((AuthenticationError, NoPermissionError)):
            client.ping()
        client.close()


FORBIDDEN = [
    "FLUSHALL",
    "DEL k",
    "XTRIM k MAXLEN 0",
    "XDEL k 1-0",
    "XSETID k 1-0",
    "CONFIG SET appendfsync no",
    "EVAL x 0",
]
FORBIDDEN += ["DEBUG SLEEP 0", "SHUTDOWN", "REPLICAOF NO ONE", "RENAME a b", "EXPIRE k 1", "RESTORE k 0 x", "ACL LIST"]


def test_the_nodes_user_can_take_nothing_away(store: Path) -> None:
    """The one user may append and read; what deletes, trims, renames or changes settings is refused."""
    client = client_of(store)
    allowed = []
    for command in FORBIDDEN:
        try:
            client.execute_command(*command.split())
        except NoPermissionError:
            continue
        except RedisError as e:
            if "not allowed" not in str(e):  # DEBUG is shut for everybody, by enable-debug-command
                allowed.append((command, str(e)))
        else:
            allowed.append((command, "done"))
    client.close()
    assert allowed == []


def test_the_stores_user_has_the_rights_of_the_embedded_ones() -> None:
    """Both kinds of store give the node the same rights, so that what runs on one runs on the other."""
    rights = re.search(
        r"^user dcx on #PASSWORD_SHA256 ~\* &\* (.*)$", (DEPLOY / "users.acl").read_text("utf-8"), re.MULTILINE
    )
    assert rights
    newer = re.search(r'newer=" (.+)"', (DEPLOY / "store.sh").read_text("utf-8"))
    assert newer
    assert (rights[1], newer[1]) == (embedded.MAY, embedded.MAY_SINCE_7_2)
