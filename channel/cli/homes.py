"""Writes the homes of a trial channel: DIR/us/node, DIR/us/desk, DIR/cn/node, DIR/cn/desk, and each side's authority.

A trial desk home holds the keys of all seats of its side under one passphrase, which lies beside them: for practice.
Nothing is ever written over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from channel.cli.founding import PartyKeys, Trial, found
from channel.client.procedures import FILE, SAMPLE
from channel.formats import code_book, format_book
from channel.log.journal import Journal
from channel.node.tls import make_certificate
from channel.protocol.charter import Limits
from channel.protocol.note import origin
from keys.errors import Refused
from keys.identity import ACTUAL
from keys.keyring import DEMO, NodeKeys, Passphrase, write_file, write_keys, write_node_keys, write_secret
from keys.shapes import Mode

NODE_TOML = """\
# A trial node of {party}. Every option: deploy/node.toml
[node]
party = "{party}"
desk_listen = "127.0.0.1:{desk_port}"
peer_listen = "127.0.0.1:{peer_port}"
journal = "journal.sqlite"
tls_cert = "tls-cert.pem"
tls_key = "tls-key.pem"

[store]
embedded = "store"

[[channel]]
founding = "founding.dcm"
keys = "keys.dcm"
peer_urls = ["https://127.0.0.1:{other_port}"]
peer_cert = "peer-cert.pem"
"""
DESK_TOML = """\
# The trial desk of {party}. The keys of all its seats lie in keys/, their passphrase in the file "passphrase".
party = "{party}"
node_home = "../node"
"""


Letter = Literal["a", "b"]
LETTERS: tuple[Letter, Letter] = ("a", "b")


@dataclass(frozen=True, slots=True)
class Side:
    """The homes of one party."""

    code: str
    node: Path
    desk: Path


def make_homes(
    folder: Path, mode: Mode, now: int, random: Callable[[int], bytes], ports: tuple[int, int, int, int],
    limits: Limits | None = None,
) -> tuple[Trial, tuple[Side, Side]]:  # fmt: skip
    """Found a channel and write all homes. ``ports``: peer and desk of the first party, then of the second."""
    if folder.exists() and any(folder.iterdir()):
        raise Refused("EXISTS", path=str(folder))
    at = datetime.fromtimestamp(now / 1000 - 86_400, UTC)
    certs = {code: make_certificate(f"{code} trial node", at) for code in ("CN", "US")}
    trial = found(mode, {c: der for c, (_, _, der) in certs.items()}, (format_book(), code_book()), now, random, limits)
    sides = []
    for i, party in enumerate(trial.parties):
        side = Side(party.code, folder / party.code.lower() / "node", folder / party.code.lower() / "desk")
        other = trial.parties[1 - i].code
        pem, key_pem, _ = certs[party.code]
        _write_node(side.node, LETTERS[i], party, trial, (pem, key_pem, certs[other][0]))
        values = {"party": party.code, "peer_port": ports[2 * i], "desk_port": ports[2 * i + 1]}
        _text(side.node / "node.toml", NODE_TOML.format(other_port=ports[2 - 2 * i], **values))
        _write_desk(side.desk, party, trial, pem, mode)
        sides.append(side)
    return trial, (sides[0], sides[1])


def _write_node(home: Path, own: Letter, party: PartyKeys, trial: Trial, pems: tuple[bytes, bytes, bytes]) -> None:
    home.mkdir(parents=True, mode=0o700)
    write_file(home / "tls-cert.pem", pems[0], 0o644, over=False)
    write_secret(home / "tls-key.pem", pems[1])
    write_file(home / "peer-cert.pem", pems[2], 0o644, over=False)
    write_file(home / "founding.dcm", trial.founding.encode(), 0o644, over=False)
    write_node_keys(home / "keys.dcm", NodeKeys(party.log, party.side, party.cos))
    peer: Letter = "b" if own == "a" else "a"
    chan = trial.founding.chan
    with Journal.create(home / "journal.sqlite") as journal:
        journal.start(origin(chan, own, 0), "sign")
        journal.start(origin(chan, own, 0, side=True), "sign")
        journal.start(origin(chan, peer, 0), "cosign")


def _write_desk(home: Path, party: PartyKeys, trial: Trial, node_pem: bytes, mode: Mode) -> None:
    (home / "keys").mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    _text(home / "desk.toml", DESK_TOML.format(party=party.code))
    _text(home / FILE, SAMPLE)
    write_file(home / "node-cert.pem", node_pem, 0o644, over=False)
    write_file(home / "founding.dcm", trial.founding.encode(), 0o644, over=False)
    word = trial.founding.chan.hex()[:12] if mode != ACTUAL else trial.founding.chan.hex()[12:24]
    write_secret(home / "passphrase", f"trial-{word}\n".encode())
    passphrase = Passphrase(f"trial-{word}")
    for member in party.members:
        write_keys(home / "keys" / f"{member.seat}.key", [member.sign, member.seal], passphrase, member.seat, DEMO)
    authority = home.parent / "authority"
    authority.mkdir(mode=0o700)
    for i, key in enumerate(party.authority, 1):
        write_keys(authority / f"authority-{i}.key", [key], passphrase, f"{party.code} authority {i}", DEMO)


def _text(path: Path, text: str) -> None:
    write_file(path, text.encode(), 0o644, over=False)
