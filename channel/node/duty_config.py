"""The blocks of ``node.toml`` about people on duty: whom to call out, when the line is tested, which posts are held.

    [[callout]]  seat = "duty"                one block a seat, in the order in which seats are called
                 head = false                 true: a head of watch
                 targets = [                  tried in order until one takes the call
                   { command = ["/usr/local/bin/page", "--duty"] },       JSON on standard input, no shell
                   { smtp = "127.0.0.1:25", sender = "node@us.example", to = ["duty@us.example"] },
                                              tls = "none", "starttls" or "tls"; user and password_file
                   { webhook = "https://pager.example/duty" },            POST; token_file for a bearer token
                 ]
    [linetest]   every = 900                  seconds between automatic tests; 0: none
                 alternate = 86400            seconds between tests of each further address; 0: none
                 human = 86400                a human line test is asked for when none was made for so long; 0: never
    [watch]      seats = ["duty"]             posts that are to be held; none: no post is watched
                 gap = 300                    seconds that all of them may be empty before the alarm
    [[watch.shift]]                           the plan: who is next. Shown, never enforced
                 seat = "duty"                one of the seats above
                 person = "us-duty-2"         a person id of the roster
                 from = "2026-11-25T08:00Z"
                 hours = 8
                 every = 24                   hours after which it comes again; 0: once

Passwords and tokens stand in files that only their owner reads (``Refused`` FILE_MODE otherwise) and go over TLS, or
to this machine alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Literal, cast
from urllib.parse import urlsplit

from channel.node.table import YEAR, Address, Table
from keys.keyring import read_secret

Tls = Literal["none", "starttls", "tls"]

_CALLOUT = frozenset({"seat", "head", "targets"})
_COMMAND = frozenset({"command"})
_SMTP = frozenset({"smtp", "sender", "to", "user", "password_file", "tls"})
_WEBHOOK = frozenset({"webhook", "token_file"})
_LINETEST = frozenset({"every", "alternate", "human"})
_WATCH = frozenset({"seats", "gap", "shift"})
_SHIFT = frozenset({"seat", "person", "from", "hours", "every"})
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z")
_VISIBLE = re.compile(r"[!-~]+")
_PRINTED = re.compile(r"[ -~]+")
_HOURS = YEAR // 3600


@dataclass(frozen=True, slots=True)
class CommandTarget:
    """A program with its arguments."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SmtpTarget:
    """A mail relay. ``user`` is "" where it asks for none."""

    server: Address
    sender: str
    to: tuple[str, ...]
    tls: Tls = "none"
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A web endpoint. ``token`` is "" where it asks for none."""

    url: str
    token: str = field(default="", repr=False)


Target = CommandTarget | SmtpTarget | WebhookTarget


@dataclass(frozen=True, slots=True)
class CalloutConfig:
    """How a seat is called out: its targets, tried in order."""

    seat: str
    head: bool
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class LineTestConfig:
    """Seconds between tests of each kind; 0 for none."""

    every: int = 900
    alternate: int = 86_400
    human: int = 86_400


@dataclass(frozen=True, slots=True)
class Shift:
    """A planned shift: ``start`` in ms UTC, ``hours`` long, again after ``every`` hours (0: once)."""

    seat: str
    person: str
    start: int
    hours: int
    every: int


@dataclass(frozen=True, slots=True)
class WatchConfig:
    """Posts that are to be held, seconds that all may be empty, and the plan."""

    seats: tuple[str, ...] = ("duty",)
    gap: int = 300
    shifts: tuple[Shift, ...] = ()


def read_callouts(top: Table) -> tuple[CalloutConfig, ...]:
    """The ``[[callout]]`` blocks of a file, in their order; each seat has one."""
    found: list[CalloutConfig] = []
    for block in top.tables("callout", "[[callout]] blocks"):
        block.only(_CALLOUT)
        seat = _id(block, "seat")
        if seat in {other.seat for other in found}:
            raise block.wrong("seat", "one [[callout]] block for each seat")
        targets = block.tables("targets", "a list of targets")
        if not targets:
            raise block.wrong("targets", "at least one target")
        found.append(CalloutConfig(seat, block.flag("head"), tuple(map(_target, targets))))
    return tuple(found)


def read_linetest(top: Table) -> LineTestConfig:
    """The ``[linetest]`` block of a file."""
    table, usual = top.table("linetest", _LINETEST, optional=True), LineTestConfig()
    return LineTestConfig(
        every=table.whole("every", usual.every, "seconds"),
        alternate=table.whole("alternate", usual.alternate, "seconds"),
        human=table.whole("human", usual.human, "seconds"),
    )


def read_watch(top: Table) -> WatchConfig:
    """The ``[watch]`` block of a file with its shifts."""
    table, usual = top.table("watch", _WATCH, optional=True), WatchConfig()
    seats = table.texts("seats", 'a list of seats such as ["duty"]') if "seats" in table.values else usual.seats
    if len(set(seats)) != len(seats) or not all(map(_ID.fullmatch, seats)):
        raise table.wrong("seats", 'a list of seats such as ["duty"], each once')
    shifts = tuple(_shift(block, seats) for block in table.tables("shift", "[[watch.shift]] blocks"))
    return WatchConfig(seats, table.whole("gap", usual.gap, "seconds", least=1), shifts)


# --- targets


def _target(table: Table) -> Target:
    kinds = [kind for kind in ("command", "smtp", "webhook") if kind in table.values]
    if len(kinds) != 1:
        raise table.wrong("", "one of command, smtp and webhook")
    return {"command": _command, "smtp": _smtp, "webhook": _webhook}[kinds[0]](table)


def _command(table: Table) -> Target:
    table.only(_COMMAND)
    argv = table.texts("command", 'a list of texts such as ["/usr/local/bin/page", "--duty"]')
    if not argv or any("\0" in word for word in argv):
        raise table.wrong("command", 'a list of texts such as ["/usr/local/bin/page", "--duty"]')
    return CommandTarget((str((table.path.parent / argv[0]).absolute()), *argv[1:]))


def _smtp(table: Table) -> Target:
    table.only(_SMTP)
    server, sender = table.address("smtp"), table.text("sender")
    if server.port == 0:
        raise table.wrong("smtp", 'an address such as "127.0.0.1:25"')
    if not _MAIL.fullmatch(sender):
        raise table.wrong("sender", 'a mail address such as "node@us.example"')
    to = table.texts("to", 'a list of mail addresses such as ["duty@us.example"]')
    if not to or not all(map(_MAIL.fullmatch, to)):
        raise table.wrong("to", 'a list of mail addresses such as ["duty@us.example"]')
    tls = table.text("tls") if "tls" in table.values else "none"
    if tls not in ("none", "starttls", "tls"):
        raise table.wrong("tls", '"none", "starttls" or "tls"')
    user = table.text("user", optional=True)
    if bool(user) != ("password_file" in table.values):
        raise table.wrong("user", "user and password_file go together")
    if not user:
        return SmtpTarget(server, sender, to, cast("Tls", tls))
    if not _PRINTED.fullmatch(user):
        raise table.wrong("user", "printable ASCII characters")
    if tls == "none" and not _is_here(server.host):
        raise table.wrong("tls", '"starttls" or "tls": a password goes over TLS, or to this machine')
    return SmtpTarget(server, sender, to, cast("Tls", tls), user, _secret(table, "password_file", _PRINTED))


def _webhook(table: Table) -> Target:
    table.only(_WEBHOOK)
    url = table.text("webhook")
    scheme, host = _web_address(url)
    if scheme not in ("http", "https"):
        raise table.wrong("webhook", 'an address such as "https://pager.example/duty", no password in it')
    if "token_file" not in table.values:
        return WebhookTarget(url)
    if scheme == "http" and not _is_here(host):
        raise table.wrong("webhook", "an https address: a token goes over TLS, or to this machine")
    return WebhookTarget(url, _secret(table, "token_file", _VISIBLE))


def _web_address(url: str) -> tuple[str, str]:
    """Scheme and host; "" and "" for what is no plain web address."""
    try:
        parts = urlsplit(url)
        usual = _VISIBLE.fullmatch(url) and "@" not in parts.netloc and not parts.fragment and parts.port != 0
    except ValueError:
        return "", ""
    return (parts.scheme, parts.hostname) if usual and parts.hostname else ("", "")


def _secret(table: Table, key: str, allowed: re.Pattern[str]) -> str:
    """The first line of a file that only its owner reads: it goes into a header or a login as it is."""
    secret = read_secret(table.file(key)).decode("ascii", "replace").partition("\n")[0].strip()
    if not allowed.fullmatch(secret):
        raise table.wrong(key, "a file whose first line is the secret, in printable ASCII characters")
    return secret


def _is_here(host: str) -> bool:
    """Whether a host is this machine, told by the address alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- the plan


def _shift(table: Table, seats: tuple[str, ...]) -> Shift:
    table.only(_SHIFT)
    seat = _id(table, "seat")
    if seat not in seats:
        raise table.wrong("seat", "one of the seats of [watch]")
    hours = table.whole("hours", None, "hours", least=1, most=_HOURS)
    every = table.whole("every", 0, "hours", most=_HOURS)
    if 0 < every < hours:
        raise table.wrong("every", "0, or at least as many hours as the shift has")
    return Shift(seat, _id(table, "person"), _moment(table, "from"), hours, every)


def _moment(table: Table, key: str) -> int:
    text = table.text(key)
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError(text)
        return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1000
    except ValueError as e:
        raise table.wrong(key, 'a time in UTC such as "2026-11-25T08:00Z"') from e


def _id(table: Table, key: str) -> str:
    found = table.text(key)
    if not _ID.fullmatch(found):
        raise table.wrong(key, 'an id of the roster such as "duty"')
    return found
