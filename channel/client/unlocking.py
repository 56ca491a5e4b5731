"""The keys of a seat out of a desk home, and where its own node is: what a desk needs before it opens a session.

A passphrase is given; how it is asked for is not known here. A trial home keeps its own beside the keys.
"""

from __future__ import annotations

import json

from channel.client.client import Client, SeatKeys
from channel.client.home import DeskHome
from keys.documents import Member
from keys.errors import Refused, Unavailable, WrongUse
from keys.keyring import Passphrase, read_keys, read_passphrase
from keys.suites import SEAL, SIGN


def unlock(home: DeskHome, seat: str, passphrase: Passphrase) -> SeatKeys:
    """A seat's keys. ``WrongUse`` NO_SEAT, SEAT_KEYS; ``Refused`` MODE for keys of another mode than the channel's."""
    check_kept(home, seat)
    path = home.path / "keys" / f"{seat}.key"
    by_suite = {key.public.suite: key for key in read_keys(path, passphrase)}
    if set(by_suite) != {SIGN, SEAL}:
        raise WrongUse("SEAT_KEYS", path=path)
    if by_suite[SIGN].mode != home.founding.read_charter().mode:
        raise Refused("MODE")
    return SeatKeys(seat, by_suite[SIGN], by_suite[SEAL])


def check_kept(home: DeskHome, seat: str) -> None:
    """``WrongUse`` NO_SEAT for a seat whose keys this home does not keep: no passphrase need be asked for."""
    if seat not in home.seats():
        raise WrongUse("NO_SEAT", seat=seat, seats=", ".join(home.seats()))


def kept_passphrase(home: DeskHome) -> Passphrase | None:
    """The passphrase that lies beside the keys of a trial home; None in any other home."""
    beside = home.path / "passphrase"
    return read_passphrase(beside) if beside.exists() else None


def passphrase_of(home: DeskHome, seat: str, typed: str = "") -> Passphrase:
    """What was typed; where nothing was, that of a trial home. ``WrongUse`` NO_PASSPHRASE where there is neither."""
    kept = None if typed else kept_passphrase(home)
    if not typed and kept is None:
        raise WrongUse("NO_PASSPHRASE", seat=seat)
    return kept or Passphrase(typed)


def check_seat(client: Client) -> None:
    """``WrongUse`` SEAT_KEY for a key file under another seat's name: it would speak as someone else than was asked."""
    member = client.view.fold.party(client.view.letter).members.get(client.keys.sign.kid)
    if member is not None:
        check_named(client.keys, member)


def check_named(keys: SeatKeys, member: Member) -> None:
    """``WrongUse`` SEAT_KEY where a member's keys lie under another seat's name."""
    if member.seat not in (keys.seat, keys.post):
        raise WrongUse("SEAT_KEY", seat=keys.seat, found=member.seat)


def node_url(home: DeskHome) -> str:
    """Where the own node listens: desk.toml's address, or what a node on this machine wrote when it started."""
    if home.config.node_url:
        return home.config.node_url
    run_file = home.path / home.config.node_home / "run.json"
    try:
        return str(json.loads(run_file.read_text())["desk_url"])
    except (OSError, ValueError, KeyError) as e:
        raise Unavailable("NODE_NOT_RUNNING", home=str(run_file.parent)) from e
