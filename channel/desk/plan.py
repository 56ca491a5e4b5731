"""The plan of shifts, where the own node's ``node.toml`` is on this machine: who is next. Shown, never enforced."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from channel.client.home import DeskHome
from channel.node.duty_config import Shift, WatchConfig, read_watch
from channel.node.table import Table
from keys.errors import WrongUse

HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Turn:
    """One planned shift: a person from ``start`` to ``end``, ms UTC."""

    person: str
    start: int
    end: int


def read_plan(home: DeskHome) -> WatchConfig:
    """The ``[watch]`` block; the defaults where no node's file can be read here. ``WrongUse`` CONFIG for a broken one."""
    path = home.path / home.config.node_home / "node.toml"
    if not home.config.node_home:
        return WatchConfig()
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError:
        return WatchConfig()  # another person's file on this machine, or none: then there is no plan to show
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise WrongUse("CONFIG", path=str(path), key="-", why=str(e)) from e
    return read_watch(Table(path, "", table))


def turns(plan: WatchConfig, seat: str, now: int) -> Iterator[Turn]:
    """Of each planned shift of a seat the newest turn that has begun, and the next one."""
    for shift in plan.shifts:
        if shift.seat == seat:
            yield from _around(shift, now)


def _around(shift: Shift, now: int) -> Iterator[Turn]:
    every = shift.every * HOUR
    count = max(0, (now - shift.start) // every) if every else 0
    for k in (count, count + 1) if every else (0,):
        start = shift.start + k * every
        yield Turn(shift.person, start, start + shift.hours * HOUR)


def on_now(plan: WatchConfig, seat: str, now: int) -> Turn | None:
    """Who is planned now."""
    return max((t for t in turns(plan, seat, now) if t.start <= now < t.end), key=lambda t: t.start, default=None)


def next_one(plan: WatchConfig, seat: str, now: int) -> Turn | None:
    """Who is planned next."""
    return min((t for t in turns(plan, seat, now) if t.start > now), key=lambda t: t.start, default=None)


def ended(plan: WatchConfig, seat: str, person: str, now: int) -> Turn | None:
    """The newest planned shift of a person, where it is over and no other one of that person has begun."""
    begun = [t for t in turns(plan, seat, now) if t.person == person and t.start <= now]
    newest = max(begun, key=lambda t: t.end, default=None)
    return newest if newest is not None and newest.end <= now else None
