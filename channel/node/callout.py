"""Call-outs: telling people on duty, by what a party has, that the channel waits for them.

A seat has targets, tried in order until one takes the call: a command, a mail relay, a web endpoint. What is told is
the same everywhere: channel, mode, level, number, time and one standard sentence, in both languages. A ``Call`` has no
place for a body, a case or a person's name. The command and the web endpoint are given it as JSON:

    {"why": "message", "channel": {"en": "…", "zh": "…"}, "chan": "3f2a9c01d2e4b5a6", "mode": "exercise",
     "level": "serious", "number": "US-2026-000123", "seat": "duty", "read_by": 1795478400000, "step": 0,
     "text": {"en": "EXERCISE / 演练\\n…\\nPlease open the desk.\\nEXERCISE / 演练", "zh": "…"}}

``read_by`` is in ms UTC or null; ``level`` and ``number`` are "" and ``step`` is 0 where there is none.

A command took the call when it ends with 0, a relay when it accepts the mail for every receiver, an endpoint when it
answers 2xx. Each target has ten seconds. One that fails is a line of telemetry and an alarm, and the next is tried.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as MAIL_LINES
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

import aiohttp
import aiosmtplib

from channel.i18n import LANGUAGES, Texts
from channel.node.duty_config import CommandTarget, SmtpTarget, WebhookTarget
from channel.protocol.charter import ORDER
from keys.identity import MODE_NAMES
from keys.plain import short

if TYPE_CHECKING:
    from channel.clock import Clock
    from channel.node.duty_config import CalloutConfig, Target
    from channel.node.station import Alarms
    from channel.node.telemetry import Telemetry

ALARM = "CALLOUT"
CALL_SECONDS = 10.0
END_SECONDS = 1.0  # for a killed command to be gone, and for a relay's good-bye
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
Why = Literal["message", "step", "test", "due", "gap"]
_NUMBER = re.compile(r"([A-Z]{2,8}-[0-9]{4,}-[0-9]{6,})?")


@dataclass(frozen=True, slots=True)
class Call:
    """What a person is told. ``ValueError`` for a value that is none of these: no other words get in this way.

    ``why``: a message came; a step of the no-answer procedure; a test; a human line test is due; an empty post.
    ``level`` is a code and ``number`` a message number, each "" where there is none; ``read_by`` in ms UTC.
    """

    why: Why
    level: str
    number: str
    read_by: int | None
    step: int = 0

    def __post_init__(self) -> None:
        words = self.why in get_args(Why) and self.level in ("", *ORDER) and _NUMBER.fullmatch(self.number)
        if not words or not isinstance(self.read_by, int | None) or not isinstance(self.step, int):
            raise ValueError("no call")


@dataclass(frozen=True, slots=True)
class ChannelName:
    """A channel as people on duty know it: its id, its mode and its title in both languages."""

    chan: bytes
    mode: int
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Told:
    """A call made ready for one seat. ``data``: the JSON in UTF-8, one line; ``heading``: a mail's subject."""

    data: bytes
    heading: str
    text: str


class Callouts:
    """Calls out the seats of one channel. ``trust``: whom TLS believes, by default what the machine believes."""

    def __init__(
        self, config: tuple[CalloutConfig, ...], channel: ChannelName, clock: Clock, alarms: Alarms,
        telemetry: Telemetry, *, trust: ssl.SSLContext | None = None, seconds: float = CALL_SECONDS,
    ) -> None:  # fmt: skip
        self._targets = {block.seat: block.targets for block in config}
        self._heads = tuple(block.seat for block in config if block.head)
        self._channel, self._clock, self._alarms, self._telemetry = channel, clock, alarms, telemetry
        self._trust, self._seconds = trust or ssl.create_default_context(), seconds

    def seats(self) -> tuple[str, ...]:
        """All seats that can be called, in the order in which they are."""
        return tuple(self._targets)

    def heads(self) -> tuple[str, ...]:
        """The heads of watch among them."""
        return self._heads

    async def call(self, seat: str, call: Call) -> bool:
        """Whether a target took it. Never raises; each target has its seconds, and calls do not wait for each other."""
        told = tell(self._channel, seat, call)
        for number, target in enumerate(self._targets.get(seat, ())):
            if await self._try(seat, number, target, told):
                return True
        self._telemetry.say("nobody called out", channel=self._channel.chan, seat=seat, why=call.why)
        return False

    async def _try(self, seat: str, number: int, target: Target, told: Told) -> bool:
        """One target; what went wrong is said by numbers and the name of an error, never by its text or an address."""
        ids: dict[str, Any] = {"channel": self._channel.chan, "seat": seat, "target": number}
        try:
            answer = await self._reach(target, told)
        except Exception as e:  # noqa: BLE001  whatever a target does, the next one must be reached
            self._telemetry.say("call-out failed", error=type(e).__name__, **ids)
        else:
            if answer == 0:
                self._telemetry.say("called out", **ids)
                return True
            self._telemetry.say("call-out failed", answer=answer, **ids)
        self._alarms.add(ALARM)
        return False

    async def _reach(self, target: Target, told: Told) -> int:
        """0 when the target took the call; else its exit code, its HTTP status or its SMTP code."""
        if isinstance(target, CommandTarget):
            return await run_command(target, told, self._seconds)
        if isinstance(target, SmtpTarget):
            return await send_mail(target, told, self._seconds, self._trust, self._clock.now())
        return await post(target, told, self._seconds, self._trust)


# --- what is told


def tell(channel: ChannelName, seat: str, call: Call) -> Told:
    """The words of a call, from standard sentences alone. The mode stands first and last, in both languages."""
    titles = {"en": channel.en, "zh": channel.zh}
    mode, chan = MODE_NAMES[channel.mode], short(channel.chan)
    banner = Texts("en").both(f"banner.{mode}")
    text = {lang: "\n".join((banner, *_lines(Texts(lang), titles[lang], chan, call), banner)) for lang in LANGUAGES}
    fields = {
        "why": call.why,
        "channel": titles,
        "chan": chan,
        "mode": mode,
        "level": call.level,
        "number": call.number,
        "seat": seat,
        "read_by": call.read_by,
        "step": call.step,
        "text": text,
    }
    asked = Texts("en").both("callout.heading", chan=chan)
    return Told(
        json.dumps(fields, ensure_ascii=False).encode() + b"\n",
        f"{banner} · {asked} · {banner}",
        "\n\n".join(text[lang] for lang in LANGUAGES) + "\n",
    )


def _lines(texts: Texts, title: str, chan: str, call: Call) -> list[str]:
    lines = [texts.say("callout.channel", title=title, chan=chan), texts.say(f"callout.{call.why}", step=call.step)]
    if call.level:
        lines.append(texts.say("callout.level", level=texts.level(call.level)))
    if call.number:
        lines.append(texts.say("callout.number", number=call.number))
    if call.read_by is not None:
        lines.append(texts.say("callout.read_by", time=texts.time(call.read_by)))
    return [*lines, texts.say("callout.open")]


# --- the three kinds of target


async def run_command(target: CommandTarget, told: Told, seconds: float) -> int:
    """The exit code of a command that was given the JSON. No shell, hardly an environment, and its output goes nowhere.

    A command that does not end in time is killed with all that it started.
    """
    null = asyncio.subprocess.DEVNULL
    async with asyncio.timeout(seconds):
        command = await asyncio.create_subprocess_exec(
            *target.argv, stdin=asyncio.subprocess.PIPE, stdout=null, stderr=null,
            env=ENVIRONMENT, cwd="/", start_new_session=True,
        )  # fmt: skip
        try:
            await command.communicate(told.data)
            return await command.wait()
        finally:
            if command.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(command.pid, signal.SIGKILL)
                with suppress(TimeoutError):
                    async with asyncio.timeout(END_SECONDS):
                        await command.wait()


async def send_mail(target: SmtpTarget, told: Told, seconds: float, trust: ssl.SSLContext, now: int) -> int:
    """0 when the relay took the mail for everybody, else the code by which it did not take it for one."""
    client = aiosmtplib.SMTP(
        hostname=target.server.host, port=target.server.port, local_hostname=target.sender.rpartition("@")[2],
        username=target.user or None, password=target.password or None, timeout=seconds,
        use_tls=target.tls == "tls", start_tls=target.tls == "starttls",
        tls_context=None if target.tls == "none" else trust,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            await client.connect()
            mail = _mail(target, told, now)
            missed, _ = await client.send_message(mail, sender=target.sender, recipients=list(target.to))
        with suppress(aiosmtplib.SMTPException, OSError):  # the mail is taken; a good-bye that fails takes nothing back
            await client.quit(timeout=END_SECONDS)
    finally:
        client.close()
    return next((response.code for response in missed.values()), 0)


async def post(target: WebhookTarget, told: Told, seconds: float, trust: ssl.SSLContext) -> int:
    """0 when the endpoint answered 2xx, else its status. Its answer is not read, and no redirect is followed."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if target.token:
        headers["Authorization"] = f"Bearer {target.token}"
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust), timeout=aiohttp.ClientTimeout(total=seconds), trust_env=False
        ) as session,
        session.post(target.url, data=told.data, headers=headers, allow_redirects=False) as answer,
    ):
        return 0 if 200 <= answer.status < 300 else answer.status


def _mail(target: SmtpTarget, told: Told, now: int) -> EmailMessage:
    mail = EmailMessage(policy=MAIL_LINES)
    mail["Subject"] = told.heading
    mail["From"], mail["To"] = target.sender, ", ".join(target.to)
    mail["Date"] = format_datetime(datetime.fromtimestamp(now // 1000, UTC))
    name = hashlib.sha256(told.data + now.to_bytes(8, "big")).hexdigest()[:32]
    mail["Message-ID"] = f"<{name}@{target.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # no absence notice comes back
    mail.set_content(told.text, cte="base64")
    return mail
