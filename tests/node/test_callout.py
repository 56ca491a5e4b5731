"""Call-outs to real targets: what they are told, in which order they are tried, and what each way to fail does."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import re
import sys
import tomllib
from contextlib import AsyncExitStack, suppress
from dataclasses import fields
from pathlib import Path

import pytest

from channel.cli.trial import free_port
from channel.clock import ManualClock
from channel.node.callout import ENVIRONMENT, Call, Callouts, ChannelName, tell
from channel.node.duty_config import CalloutConfig, CommandTarget, SmtpTarget, WebhookTarget
from channel.node.station import Alarms
from channel.node.table import Address
from channel.node.telemetry import Telemetry
from tests.node.targets import Endpoint, Pager, Relay, curt, loopback_certificate

NOW = 1_795_478_400_000
CHAN = bytes.fromhex("3f2a9c01d2e4b5a6") + bytes(24)
CHANNEL = ChannelName(CHAN, 2, "Trial channel", "试用渠道")
CALL = Call("message", "serious", "US-2026-000123", NOW + 1_800_000)
EN = """\
EXERCISE / 演练
Channel: Trial channel (3f2a9c01d2e4b5a6)
A message has come and waits to be read.
Level: ▲ Urgent consultation ▮▮▮▮▯▯
Message number: US-2026-000123
Read by: 2026-11-24 00:30:00 UTC
Please open the desk.
EXERCISE / 演练"""
ZH = """\
EXERCISE / 演练
渠道：试用渠道（3f2a9c01d2e4b5a6）
收到一份电文，待收阅。
级别：▲ 紧急磋商 ▮▮▮▮▯▯
电文编号：US-2026-000123
收阅时限：2026-11-24 00:30:00 UTC
请打开工作台。
EXERCISE / 演练"""
TOLD = {
    "why": "message",
    "channel": {"en": "Trial channel", "zh": "试用渠道"},
    "chan": "3f2a9c01d2e4b5a6",
    "mode": "exercise",
    "level": "serious",
    "number": "US-2026-000123",
    "seat": "duty",
    "read_by": NOW + 1_800_000,
    "step": 0,
    "text": {"en": EN, "zh": ZH},
}
PLENTY = 60.0  # seconds that no test waits for
BRIEF = 3.0  # seconds after which what hangs is given up


class Side:
    """A party's call-outs with their alarms and their telemetry. ``seats``: targets of each seat, in order."""

    def __init__(self, seats, *, trust=None, seconds=PLENTY, channel=CHANNEL):
        clock = ManualClock(NOW)
        self.alarms, self.out = Alarms(), io.StringIO()
        config = tuple(CalloutConfig(seat, seat.startswith("head"), tuple(targets)) for seat, targets in seats.items())
        self.callouts = Callouts(
            config, channel, clock, self.alarms, Telemetry(clock, "US", self.out), trust=trust, seconds=seconds
        )

    @property
    def said(self):
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def failures(self):
        """(seat, number of the target) of each failed target that telemetry names."""
        return [(line["seat"], line["target"]) for line in self.said if line["event"] == "call-out failed"]


def mail_to(port, **more):
    return SmtpTarget(Address("127.0.0.1", port), "node@us.example", more.pop("to", ("duty@us.example",)), **more)


def web_at(port, path="duty", scheme="http", **more):
    return WebhookTarget(f"{scheme}://127.0.0.1:{port}/{path}", **more)


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_a_command_is_told_by_json_on_standard_input(tmp_path, monkeypatch):
    """A command gets the JSON and its arguments as they stand, hardly an environment, and no folder of the node's."""
    monkeypatch.setenv("NODE_SECRET", "not for a pager")
    pager = Pager(tmp_path, "--duty", "$HOME; exit 1", "*")
    side = Side({"duty": [CommandTarget(pager.command)]})
    assert await side.callouts.call("duty", CALL)
    [told] = pager.told
    assert json.loads(told["stdin"]) == TOLD
    assert (told["argv"], told["env"], told["cwd"]) == (["--duty", "$HOME; exit 1", "*"], ENVIRONMENT, "/")
    assert (side.alarms.take(), side.failures()) == ([], [])


async def test_a_relay_is_given_one_mail(tmp_path):
    """Every receiver gets both texts, the banner first and last, in the subject too."""
    relay = Relay()
    async with relay.listen() as port:
        side = Side({"duty": [mail_to(port, to=("duty@us.example", "second@us.example"))]})
        assert await side.callouts.call("duty", CALL)
    [(sender, to, mail, _)] = relay.mails
    assert (sender, to) == ("node@us.example", ["duty@us.example", "second@us.example"])
    assert mail.get_content().replace("\r\n", "\n") == f"{EN}\n\n{ZH}\n"
    asked = "Please open the desk (3f2a9c01d2e4b5a6) / 请打开工作台（3f2a9c01d2e4b5a6）"
    assert mail["Subject"] == f"EXERCISE / 演练 · {asked} · EXERCISE / 演练"
    assert (mail["From"], mail["To"]) == ("node@us.example", "duty@us.example, second@us.example")
    assert mail["Date"].datetime.timestamp() * 1000 == NOW
    known = {"Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"}
    assert set(mail.keys()) - known == {
        "Content-Type",
        "Content-Transfer-Encoding",
        "X-Peer",
        "X-MailFrom",
        "X-RcptTo",
    } & set(mail.keys())


async def test_an_endpoint_is_posted_the_same_json(tmp_path):
    """What a web endpoint gets is byte for byte what a command gets."""
    endpoint, pager = Endpoint(), Pager(tmp_path)
    async with endpoint.listen() as port:
        side = Side({"duty": [web_at(port)]})
        assert await side.callouts.call("duty", CALL)
    assert await Side({"duty": [CommandTarget(pager.command)]}).callouts.call("duty", CALL)
    [(path, headers, body)] = endpoint.posted
    assert (path, headers["Content-Type"]) == ("/duty", "application/json; charset=utf-8")
    assert body == pager.told[0]["stdin"]
    assert "Authorization" not in headers


CALLS = [
    CALL,
    Call("message", "crisis", "CN-2027-1000000", 0),
    Call("step", "attention", "CN-2026-000001", None, 2),
    Call("step", "principals", "US-2026-000009", None, 3),
    Call("test", "", "", None),
    Call("test", "routine", "US-2026-000001", NOW),
    Call("due", "", "", None),
    Call("gap", "", "", None),
]


def standard(lang):
    """The sentences of a language's text file that a call may consist of, as patterns."""
    texts = tomllib.loads(Path(f"channel/locales/{'en' if lang == 'en' else 'zh_Hans'}.toml").read_text("utf-8"))
    levels = tomllib.loads(Path("channel/formats/levels.toml").read_text("utf-8"))
    values = {
        "title": re.escape({"en": CHANNEL.en, "zh": CHANNEL.zh}[lang]),
        "chan": "3f2a9c01d2e4b5a6",
        "step": "[0-4]",
        "level": "|".join(f"{v['shape']} {v[lang]} [▮▯]{{6}}" for v in levels.values()),
        "number": "(?:US|CN)-[0-9]{4}-[0-9]{6,7}",
        "time": "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC",
    }
    sentences = {name: text for name, text in texts["callout"].items() if name != "heading"}
    return [re.sub(r"\\{(\w+)\\}", lambda m: f"(?:{values[m[1]]})", re.escape(text)) for text in sentences.values()]


@pytest.mark.parametrize("mode", [1, 2])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.why}-{call.level}")
def test_only_standard_sentences_are_said(call, mode):
    """Every line is a standard sentence in its language, the mode stands first and last, and no further key is there."""
    banner = {1: "ACTUAL / 实际", 2: "EXERCISE / 演练"}[mode]
    told = tell(ChannelName(CHAN, mode, CHANNEL.en, CHANNEL.zh), "duty", call)
    given = json.loads(told.data)
    assert set(given) == set(TOLD)
    assert {name: given[name] for name in ("why", "level", "number", "read_by", "step", "seat")} == {
        "why": call.why, "level": call.level, "number": call.number, "read_by": call.read_by, "step": call.step, "seat": "duty",
    }  # fmt: skip
    for lang in ("en", "zh"):
        first, *lines, last = given["text"][lang].split("\n")
        assert (first, last) == (banner, banner)
        assert [line for line in lines if sum(bool(re.fullmatch(s, line)) for s in standard(lang)) != 1] == []
        assert len(set(lines)) == len(lines) == 3 + bool(call.level) + bool(call.number) + (call.read_by is not None)
    assert told.text == f"{given['text']['en']}\n\n{given['text']['zh']}\n"
    assert told.heading.split(" · ")[0] == told.heading.split(" · ")[2] == banner


def test_there_is_no_way_in_for_other_words():
    """A call has five fields, and each takes nothing but a code, a message number or a whole number."""
    assert [field.name for field in fields(Call)] == ["why", "level", "number", "read_by", "step"]
    good = ("message", "serious", "US-2026-000123", NOW, 0)
    assert Call(*good).step == 0
    for at, wrong in enumerate(("a case", "a case name", "US-2026-000123 a name", "a body", "a body")):
        with pytest.raises(ValueError, match="no call"):
            Call(*good[:at], wrong, *good[at + 1 :])
    with pytest.raises(ValueError, match="no call"):
        Call("message", "serious", "US-2026-000123\n", NOW)


# --- order ------------------------------------------------------------------------------------------------------------


async def test_targets_are_tried_in_order_until_one_takes_it(tmp_path):
    """The first that takes the call is the last that is told; each that failed before is one alarm."""
    relay, endpoint, pager, later = Relay(), Endpoint(), Pager(tmp_path), Pager(tmp_path, name="later")
    async with relay.listen() as mail, endpoint.listen() as port:
        side = Side({
            "duty": [web_at(port, "500"), web_at(port, "404"), CommandTarget(pager.command), mail_to(mail)],
            "expert-1": [CommandTarget(later.command), web_at(port)],
        })  # fmt: skip
        assert await side.callouts.call("duty", CALL)
        assert await side.callouts.call("expert-1", CALL)
    assert [path for path, _, _ in endpoint.posted] == ["/500", "/404"]
    assert (len(pager.told), len(later.told), relay.mails) == (1, 1, [])
    assert (side.failures(), side.alarms.take()) == ([("duty", 0), ("duty", 1)], [("CALLOUT", 2, None)])


async def test_seats_stand_in_the_order_of_the_file():
    """Seats and heads of watch come in the order in which they are called."""
    none = CommandTarget(("/none",))
    side = Side({"second": [none], "head-b": [none], "duty": [none], "head-a": [none]})
    assert side.callouts.seats() == ("second", "head-b", "duty", "head-a")
    assert side.callouts.heads() == ("head-b", "head-a")


async def test_nobody_to_call():
    """Every target fails, or the seat has none: the answer is no, telemetry says so, and nothing is raised."""
    side = Side({"duty": [CommandTarget(("/no/such/program",)), web_at(free_port())]})
    assert not await side.callouts.call("duty", CALL)
    assert not await side.callouts.call("records", CALL)
    assert [(line["event"], line["seat"]) for line in side.said] == [
        ("call-out failed", "duty"),
        ("call-out failed", "duty"),
        ("nobody called out", "duty"),
        ("nobody called out", "records"),
    ]
    assert side.alarms.take() == [("CALLOUT", 2, None)]


# --- ways to fail -----------------------------------------------------------------------------------------------------


async def failing_commands(folder, stack):
    script = folder / "ends.py"
    script.write_text(
        "import os, sys\nsys.exit(int(sys.argv[1])) if sys.argv[1] != 'kill' else os.kill(os.getpid(), 9)\n"
    )
    plain = folder / "plain.txt"
    plain.write_text("no program")
    return {
        "missing": CommandTarget((str(folder / "none"),)),
        "no program": CommandTarget((str(plain),)),
        "a folder": CommandTarget((str(folder),)),
        "exit 1": CommandTarget((sys.executable, str(script), "1")),
        "exit 255": CommandTarget((sys.executable, str(script), "255")),
        "killed": CommandTarget((sys.executable, str(script), "kill")),
    }


async def failing_relays(folder, stack):
    tls, _ = loopback_certificate(folder)
    two = ("duty@us.example", "second@us.example")
    refuses = await stack.enter_async_context(Relay({"duty@us.example": "550 no such mailbox"}).listen())
    at_data = await stack.enter_async_context(Relay({"DATA": "554 not wanted"}).listen())
    login = Relay()
    plain = await stack.enter_async_context(login.listen())
    asks = await stack.enter_async_context(login.listen(authenticator=login.login, auth_require_tls=False))
    needs = await stack.enter_async_context(login.listen(authenticator=login.login, auth_required=True))
    starttls = await stack.enter_async_context(Relay().listen(tls_context=tls))
    closes = await stack.enter_async_context(curt(closes=True))
    greets = await stack.enter_async_context(curt(b"220 relay\r\n", closes=True))
    busy = await stack.enter_async_context(curt(b"554 not today\r\n", closes=True))
    other = await stack.enter_async_context(curt(b"HTTP/1.1 400 Bad Request\r\n\r\n", closes=True))
    return {
        "refused connection": mail_to(free_port()),
        "550 for the receiver": mail_to(refuses),
        "550 for one of two": mail_to(refuses, to=two),
        "554 for the mail": mail_to(at_data),
        "wrong password": mail_to(asks, user="node", password="wrong word"),
        "no password": mail_to(needs),
        "a certificate that nobody vouches for": mail_to(starttls, tls="starttls"),
        "no TLS where TLS is asked for": mail_to(starttls, tls="tls"),
        "no STARTTLS where it is asked for": mail_to(plain, tls="starttls"),
        "closes at once": mail_to(closes),
        "closes after its greeting": mail_to(greets),
        "554 as its greeting": mail_to(busy),
        "another protocol": mail_to(other),
    }


async def failing_endpoints(folder, stack):
    tls, _ = loopback_certificate(folder)
    plain = await stack.enter_async_context(Endpoint().listen())
    secret = await stack.enter_async_context(Endpoint().listen(tls))
    closes = await stack.enter_async_context(curt(closes=True))
    other = await stack.enter_async_context(curt(b"220 relay\r\n", closes=True))
    return {
        "refused connection": web_at(free_port()),
        "400": web_at(plain, "400"),
        "404": web_at(plain, "404"),
        "500": web_at(plain, "500"),
        "503": web_at(plain, "503"),
        "redirect": web_at(plain, "moved"),
        "a certificate that nobody vouches for": web_at(secret, scheme="https"),
        "no TLS where TLS is asked for": web_at(plain, scheme="https"),
        "closes at once": web_at(closes),
        "another protocol": web_at(other),
    }


@pytest.mark.parametrize("failing", [failing_commands, failing_relays, failing_endpoints])
async def test_each_way_to_fail_is_one_alarm_and_the_next_target_is_called(tmp_path, failing):
    """Whatever a target does, it costs one alarm and one line of telemetry, and the target after it takes the call."""
    endpoint = Endpoint()
    async with AsyncExitStack() as stack, endpoint.listen() as port:
        wrong = await failing(tmp_path, stack)
        for way, target in wrong.items():
            side = Side({"duty": [target, web_at(port, "taken")]})
            assert await side.callouts.call("duty", CALL), way
            assert (side.failures(), side.alarms.take()) == ([("duty", 0)], [("CALLOUT", 1, None)]), way
    assert [path for path, _, _ in endpoint.posted] == ["/taken"] * len(wrong)


async def test_a_redirect_is_not_followed():
    """What an endpoint points to is never asked."""
    endpoint = Endpoint()
    async with endpoint.listen() as port:
        side = Side({"duty": [web_at(port, "moved", token="word")]})
        assert not await side.callouts.call("duty", CALL)
    assert [path for path, _, _ in endpoint.posted] == ["/moved"]


async def test_whatever_hangs_is_given_up_after_its_seconds(tmp_path):
    """A command, a relay or an endpoint that never answers, at whichever step, is left for the next target."""
    endpoint, never = Endpoint(), asyncio.Event()
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(endpoint.listen())
        deaf = await stack.enter_async_context(curt(closes=False))
        greets = await stack.enter_async_context(curt(b"220 relay\r\n", closes=False))
        at_data = await stack.enter_async_context(Relay(hang=never).listen())
        slow = await stack.enter_async_context(Relay(slow=BRIEF * 0.6).listen())
        halves = await stack.enter_async_context(curt(b"HTTP/1.1 200 OK\r\nX-Part", closes=False))
        hanging = {
            "command": CommandTarget(("/bin/sh", "-c", "trap '' TERM HUP INT; while :; do sleep 600; done")),
            "mail, no greeting": mail_to(deaf),
            "mail, no answer": mail_to(greets),
            "mail, no end": mail_to(at_data),
            "mail, slow at every step": mail_to(slow),
            "mail, no handshake": mail_to(deaf, tls="tls"),
            "web, no answer": web_at(port, "hang"),
            "web, half an answer": web_at(halves),
            "web, no handshake": web_at(deaf, scheme="https"),
        }
        seats = {f"seat-{n}": [target, web_at(port, "taken")] for n, target in enumerate(hanging.values())}
        side = Side(seats, seconds=BRIEF)
        taken = await asyncio.gather(*(side.callouts.call(seat, CALL) for seat in seats))
        never.set()
    assert dict(zip(hanging, taken, strict=True)) == dict.fromkeys(hanging, True)
    assert sorted(side.failures()) == [(seat, 0) for seat in seats]
    assert side.alarms.take() == [("CALLOUT", len(hanging), None)]


async def test_a_hanging_target_keeps_nobody_else_waiting(tmp_path):
    """While one seat's target hangs, other seats and the same seat are called, and take the call."""
    endpoint = Endpoint()
    async with endpoint.listen() as port:
        side = Side({"duty": [web_at(port, "hang")], "expert-1": [web_at(port)]})
        hangs = asyncio.ensure_future(side.callouts.call("duty", CALL))
        await endpoint.asked.wait()
        assert await side.callouts.call("expert-1", CALL)
        assert not hangs.done()
        endpoint.hang.set()
        assert await hangs


class Fifo:
    """A pipe that a command and all that it starts hold open: when it ends, they are gone."""

    def __init__(self, folder):
        self.path = folder / "alive"
        os.mkfifo(self.path)
        self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    def close(self):
        os.close(self._fd)

    async def read(self):
        """What somebody wrote, or b"" when nobody is left that holds it."""
        while True:
            try:
                return os.read(self._fd, 100)
            except BlockingIOError as e:
                assert e.errno == errno.EAGAIN
                await asyncio.sleep(0.02)


LONG = 'exec 3>"$1"; trap "" TERM; sleep 600 & (sleep 600; :) & echo up >&3; wait; sleep 600'


@pytest.mark.parametrize("how", ["its seconds", "the node ends"])
async def test_a_command_that_does_not_end_is_killed_with_all_that_it_started(tmp_path, how):
    """After its seconds, or when the node ends meanwhile, neither the command nor a child of it is left."""
    fifo = Fifo(tmp_path)
    try:
        command = CommandTarget(("/bin/sh", "-c", LONG, "page", str(fifo.path)))
        side = Side({"duty": [command]}, seconds=BRIEF if how == "its seconds" else PLENTY)
        calling = asyncio.ensure_future(side.callouts.call("duty", CALL))
        while await fifo.read() != b"up\n":
            assert not calling.done()
            await asyncio.sleep(0.02)
        if how == "its seconds":
            assert not await calling
            assert side.failures() == [("duty", 0)]
        else:
            calling.cancel()
            with suppress(asyncio.CancelledError):
                await calling
            assert calling.cancelled()
        assert await fifo.read() == b""
    finally:
        fifo.close()


FLOOD = """\
import os, sys
for out in (sys.stdout, sys.stderr):
    out.write("x" * 20_000_000)
sys.exit(not all(os.path.samestat(os.fstat(fd), os.stat(os.devnull)) for fd in (1, 2)))
"""


async def test_how_much_a_target_says_does_not_matter(tmp_path):
    """A command that floods its output or never reads, and an endpoint that never stops answering, took the call."""
    flood = tmp_path / "flood.py"
    flood.write_text(FLOOD)
    endpoint = Endpoint()
    async with endpoint.listen() as port:
        side = Side({
            "duty": [CommandTarget((sys.executable, str(flood)))],
            "expert-1": [CommandTarget(("/bin/sh", "-c", "exit 0"))],
            "official": [web_at(port, "endless")],
        })  # fmt: skip
        assert [await side.callouts.call(seat, CALL) for seat in side.callouts.seats()] == [True, True, True]
    assert side.alarms.take() == []


# --- secrets and TLS --------------------------------------------------------------------------------------------------


async def test_a_password_goes_over_tls_to_a_relay_that_somebody_vouches_for(tmp_path):
    """Both kinds of TLS take mail and password with them."""
    tls, trust = loopback_certificate(tmp_path)
    relay = Relay()
    secret = {"user": "node", "password": "right word"}
    starttls = {"tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": relay.login}
    plain = {"auth_require_tls": False, "authenticator": relay.login}  # it does not know that it stands behind TLS
    async with relay.listen(**starttls) as one, relay.listen(tls, **plain) as two:
        side = Side(
            {"duty": [mail_to(one, tls="starttls", **secret)], "head": [mail_to(two, tls="tls", **secret)]}, trust=trust
        )
        assert await side.callouts.call("duty", CALL)
        assert await side.callouts.call("head", CALL)
    assert relay.logins == [(b"node", b"right word", True)] * 2
    assert [over_tls for *_, over_tls in relay.mails] == [True, True]


async def test_without_tls_a_relay_is_taken_as_it_is(tmp_path):
    """Where the settings ask for no TLS, a relay that offers it with a certificate of its own still gets the mail."""
    tls, _ = loopback_certificate(tmp_path)
    relay = Relay()
    async with relay.listen(tls_context=tls) as port:
        assert await Side({"duty": [mail_to(port)]}).callouts.call("duty", CALL)
    assert [over_tls for *_, over_tls in relay.mails] == [False]


async def test_a_token_goes_to_its_endpoint(tmp_path):
    """The token is a bearer token over TLS, and its endpoint's certificate is checked."""
    tls, trust = loopback_certificate(tmp_path)
    endpoint = Endpoint()
    async with endpoint.listen(tls) as port:
        side = Side({"duty": [web_at(port, scheme="https", token="a-token")]}, trust=trust)
        assert await side.callouts.call("duty", CALL)
    assert endpoint.posted[0][1]["Authorization"] == "Bearer a-token"


async def test_telemetry_has_neither_secrets_nor_addresses(tmp_path):
    """Lines about targets that failed hold ids, numbers and names of errors, and nothing of where or with what."""
    relay = Relay({"duty-officer@us.example": "550 duty-officer@us.example has no mailbox"})
    async with relay.listen() as port:
        targets = [
            mail_to(port, to=("duty-officer@us.example",), user="node-user", password="pass-word"),
            mail_to(port, to=("duty-officer@us.example",)),
            web_at(free_port(), "hidden-path", token="hidden-token"),
            CommandTarget((str(tmp_path / "hidden-program"), "hidden-argument")),
        ]
        side = Side({"duty": targets})
        assert not await side.callouts.call("duty", CALL)
    hidden = (
        "example",
        "127.0.0.1",
        str(port),
        "node-user",
        "pass-word",
        "hidden",
        "Trial",
        "试用",
        "serious",
        "000123",
    )
    assert [word for word in hidden if word in side.out.getvalue()] == []
    assert [set(line) - {"error", "answer", "why"} for line in side.said] == [
        *[{"event", "party", "channel", "seat", "target", "ts"}] * 4, {"event", "party", "channel", "seat", "ts"},
    ]  # fmt: skip
    assert not any(secret in repr(targets) for secret in ("pass-word", "hidden-token"))
