"""The settings about people on duty: what a good file gives, and what each wrong one is told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from channel.i18n import LANGUAGES, problem_texts
from channel.node.config import read_config
from channel.node.duty_config import (
    CalloutConfig,
    CommandTarget,
    LineTestConfig,
    Shift,
    SmtpTarget,
    WatchConfig,
    WebhookTarget,
)
from channel.node.table import YEAR, Address
from keys.errors import Problem, Refused, WrongUse
from tests.node.test_parts import GOOD

DUTY = """\
[[callout]]
seat = "duty"
targets = [
  { command = ["bin/page", "--duty"] },
  { smtp = "relay.us.example:587", sender = "node@us.example", to = ["duty@us.example"], tls = "starttls", user = "node", password_file = "mail-password" },
  { webhook = "https://pager.us.example/duty?of=us", token_file = "pager-token" },
]
[[callout]]
seat = "head"
head = true
targets = [
  { smtp = "[::1]:25", sender = "node@us.example", to = ["head@us.example", "second@us.example"] },
  { webhook = "http://pager/head" },
]
[linetest]
every = 600
alternate = 0
[watch]
seats = ["duty", "head"]
gap = 120
[[watch.shift]]
seat = "duty"
person = "us-duty-2"
from = "2026-11-25T08:00Z"
hours = 8
every = 24
[[watch.shift]]
seat = "head"
person = "us-head-1"
from = "2026-11-25T08:00:30Z"
hours = 1
"""
COMMAND = '{ command = ["bin/page", "--duty"] }'
# (what is there, what stands in its place, the key that the error names)
WRONG = [
    ('seat = "duty"\ntargets', "targets", "callout[0].seat"),
    ('seat = "duty"\ntargets', 'seat = "Duty"\ntargets', "callout[0].seat"),
    ('seat = "duty"\ntargets', 'seat = ["duty"]\ntargets', "callout[0].seat"),
    ('seat = "head"\nhead', 'seat = "duty"\nhead', "callout[1].seat"),
    ("head = true", 'head = "yes"', "callout[1].head"),
    ("head = true", "haed = true", "callout[1].haed"),
    (COMMAND, '"/bin/page"', "callout[0].targets[0]"),
    (COMMAND, '{ comand = ["/bin/page"] }', "callout[0].targets[0]"),
    (COMMAND, '{ command = ["/bin/page"], webhook = "https://x" }', "callout[0].targets[0]"),
    (COMMAND, '{ command = ["/bin/page"], tls = "tls" }', "callout[0].targets[0].tls"),
    (COMMAND, '{ command = "/bin/page --duty" }', "callout[0].targets[0].command"),
    (COMMAND, "{ command = [] }", "callout[0].targets[0].command"),
    (COMMAND, '{ command = ["/bin/page", ""] }', "callout[0].targets[0].command"),
    (COMMAND, '{ command = ["/bin/page", "a\\u0000"] }', "callout[0].targets[0].command"),
    (COMMAND, '{ command = ["/bin/page", 1] }', "callout[0].targets[0].command"),
    ("relay.us.example:587", "relay.us.example", "callout[0].targets[1].smtp"),
    ("relay.us.example:587", "relay.us.example:0", "callout[0].targets[1].smtp"),
    ('sender = "node@us.example", to = ["duty', 'to = ["duty', "callout[0].targets[1].sender"),
    ('sender = "node@us.example", to = ["duty', 'sender = "node", to = ["duty', "callout[0].targets[1].sender"),
    ('["duty@us.example"]', '"duty@us.example"', "callout[0].targets[1].to"),
    ('["duty@us.example"]', "[]", "callout[0].targets[1].to"),
    ('["duty@us.example"]', '["Duty <duty@us.example>"]', "callout[0].targets[1].to"),
    ('["duty@us.example"]', '["duty@us.example\\nBcc: a@us.example"]', "callout[0].targets[1].to"),
    ('tls = "starttls"', 'tls = "ssl"', "callout[0].targets[1].tls"),
    ('tls = "starttls"', 'tls = ""', "callout[0].targets[1].tls"),
    ('tls = "starttls"', 'tls = "none"', "callout[0].targets[1].tls"),
    ('tls = "starttls", ', "", "callout[0].targets[1].tls"),
    ('user = "node", ', "", "callout[0].targets[1].user"),
    ('user = "node", ', 'user = "n\\u00f6de", ', "callout[0].targets[1].user"),
    (', password_file = "mail-password"', "", "callout[0].targets[1].user"),
    ("password_file", "password", "callout[0].targets[1].password"),
    ("https://pager.us.example", "http://pager.us.example", "callout[0].targets[2].webhook"),
    ("https://pager.us.example", "ftp://pager.us.example", "callout[0].targets[2].webhook"),
    ("https://pager.us.example", "https://u:p@pager.us.example", "callout[0].targets[2].webhook"),
    ("https://pager.us.example", "https://", "callout[0].targets[2].webhook"),
    ("https://pager.us.example", "https://pager:0", "callout[0].targets[2].webhook"),
    ("https://pager.us.example", "https://pager:port", "callout[0].targets[2].webhook"),
    ("duty?of=us", "a duty", "callout[0].targets[2].webhook"),
    ("duty?of=us", "duty#us", "callout[0].targets[2].webhook"),
    ("token_file", "token", "callout[0].targets[2].token"),
    ('  { webhook = "http://pager/head" },', "  7,", "callout[1].targets[1]"),
    ("[linetest]", "[linetests]", "linetests"),
    ("[linetest]", "[[linetest]]", "linetest"),
    ("every = 600", "every = -1", "linetest.every"),
    ("every = 600", "every = 1.5", "linetest.every"),
    ("every = 600", "every = true", "linetest.every"),
    ("every = 600", f"every = {YEAR + 1}", "linetest.every"),
    ("every = 600", 'human = "never"', "linetest.human"),
    ("alternate = 0", "alternative = 0", "linetest.alternative"),
    ('seats = ["duty", "head"]', 'seats = "duty"', "watch.seats"),
    ('seats = ["duty", "head"]', 'seats = ["duty", "head", "duty"]', "watch.seats"),
    ('seats = ["duty", "head"]', 'seats = ["duty", "head", "the post"]', "watch.seats"),
    ('seats = ["duty", "head"]', 'seats = ["duty"]', "watch.shift[1].seat"),
    ("gap = 120", "gap = 0", "watch.gap"),
    ("gap = 120", "gab = 120", "watch.gab"),
    ('person = "us-duty-2"', "", "watch.shift[0].person"),
    ('person = "us-duty-2"', 'person = "US duty officer"', "watch.shift[0].person"),
    ('"2026-11-25T08:00Z"', '"2026-11-25 08:00"', "watch.shift[0].from"),
    ('"2026-11-25T08:00Z"', '"2026-11-25T08:00+08:00"', "watch.shift[0].from"),
    ('"2026-11-25T08:00Z"', '"2026-02-30T08:00Z"', "watch.shift[0].from"),
    ('"2026-11-25T08:00Z"', "2026-11-25T08:00:00Z", "watch.shift[0].from"),
    ("hours = 8", "", "watch.shift[0].hours"),
    ("hours = 8", "hours = 0", "watch.shift[0].hours"),
    ("every = 24", "every = 7", "watch.shift[0].every"),
    ("every = 24", "untill = 24", "watch.shift[0].untill"),
]


@pytest.fixture
def settings(tmp_path):
    """The path of a good file with its secrets beside it; what stands in place of the duty blocks may be given."""

    def write(duty=DUTY):
        for name, secret in (("mail-password", "pass word\nsecond line\n"), ("pager-token", "t0ken\r\n")):
            (tmp_path / name).write_text(secret)
            (tmp_path / name).chmod(0o600)
        path = tmp_path / "node.toml"
        path.write_text(GOOD.split("[[channel]]")[0] + duty + "[[channel]]" + GOOD.split("[[channel]]")[1])
        return path

    return write


def test_every_setting_is_read(settings, tmp_path):
    """Seats and targets keep their order, paths are relative to the file, secrets come from the first line of their files."""
    config = read_config(settings())
    assert config.callouts == (
        CalloutConfig("duty", False, (
            CommandTarget((str(tmp_path / "bin/page"), "--duty")),
            SmtpTarget(
                Address("relay.us.example", 587), "node@us.example", ("duty@us.example",), "starttls", "node", "pass word"
            ),
            WebhookTarget("https://pager.us.example/duty?of=us", "t0ken"),
        )),
        CalloutConfig("head", True, (
            SmtpTarget(Address("::1", 25), "node@us.example", ("head@us.example", "second@us.example")),
            WebhookTarget("http://pager/head"),
        )),
    )  # fmt: skip
    assert config.linetest == LineTestConfig(every=600, alternate=0, human=86_400)
    assert config.watch == WatchConfig(
        ("duty", "head"),
        120,
        (
            Shift("duty", "us-duty-2", 1_795_593_600_000, 8, 24),
            Shift("head", "us-head-1", 1_795_593_630_000, 1, 0),
        ),
    )


def test_without_the_blocks_nobody_is_called_and_the_usual_times_hold(settings):
    """A file of before these blocks is read as it was."""
    config = read_config(settings(""))
    assert config.callouts == ()
    assert config.linetest == LineTestConfig(900, 86_400, 86_400)
    assert config.watch == WatchConfig(("duty",), 300, ())


@pytest.mark.parametrize(("was", "now", "key"), WRONG)
def test_each_wrong_setting_names_its_file_and_its_key(settings, was, now, key):
    """A wrong, missing or unknown setting is one error with the file, the key and what would be right, in both languages."""
    assert was in DUTY
    path = settings(DUTY.replace(was, now, 1))
    with pytest.raises(WrongUse) as e:
        read_config(path)
    values = e.value.values
    assert (e.value.code, values["path"], values["key"]) == ("CONFIG", str(path), key)
    for lang in LANGUAGES:
        what, _ = problem_texts(e.value, lang)
        assert [said for said in (str(path), key, values["why"]) if said not in what] == []


def test_a_seat_without_a_target_is_refused(settings):
    """A block that calls nobody would look like one that does."""
    for targets in ("", "targets = []\n"):
        with pytest.raises(WrongUse) as e:
            read_config(settings(f'[[callout]]\nseat = "duty"\n{targets}'))
        assert e.value.values["key"] == "callout[0].targets"


@pytest.mark.parametrize("name", ["callout", "watch.shift"])
def test_blocks_of_which_there_may_be_several_have_two_brackets(settings, name):
    """One bracket makes a table where a list is meant, and the error names it."""
    with pytest.raises(WrongUse) as e:
        read_config(settings(f'[{name}]\nseat = "duty"\n'))
    assert (e.value.values["key"], e.value.values["why"]) == (name, f"[[{name}]] blocks")


@pytest.mark.parametrize("secret", ["mail-password", "pager-token"])
def test_a_secret_that_others_can_read_is_refused(settings, tmp_path, secret):
    """Group and others have no right to a password or a token, and the file has to be there."""
    path = settings()
    for mode in (0o640, 0o604, 0o620):
        (tmp_path / secret).chmod(mode)
        with pytest.raises(Refused) as e:
            read_config(path)
        assert (e.value.code, e.value.values["path"]) == ("FILE_MODE", tmp_path / secret)
    (tmp_path / secret).unlink()
    with pytest.raises(WrongUse) as missing:
        read_config(path)
    assert (missing.value.code, missing.value.values["path"]) == ("FILE", tmp_path / secret)


@pytest.mark.parametrize(
    "content", [b"", b"\nsecond line\n", b"w\xc3\xb6rd\n", b"wo\rrd\n", b"wo\x00rd\n", b"\xff\xfe\n"]
)
def test_a_secret_is_one_line_of_printable_characters(settings, tmp_path, content):
    """What would break out of a header or a login is no secret; the error shows none of it."""
    path = settings()
    for file, key in (("mail-password", "targets[1].password_file"), ("pager-token", "targets[2].token_file")):
        kept = (tmp_path / file).read_bytes()
        (tmp_path / file).write_bytes(content)
        with pytest.raises(WrongUse) as e:
            read_config(path)
        assert (e.value.code, e.value.values["key"]) == ("CONFIG", f"callout[0].{key}")
        assert "rd" not in str(e.value).replace("password", "").replace("word", "")
        (tmp_path / file).write_bytes(kept)


def test_a_password_may_go_to_this_machine_without_tls(settings):
    """A relay or a gateway on the own machine needs no TLS; a name that only looks like it does."""
    for host, taken in (("127.0.0.1", True), ("[::1]", True), ("localhost", True), ("127.0.0.1.us.example", False)):
        duty = DUTY.replace("relay.us.example:587", f"{host}:587").replace('tls = "starttls", ', "")
        path = settings(duty.replace("https://pager.us.example", f"http://{host}"))
        if taken:
            assert read_config(path).callouts[0].targets[1].tls == "none"
        else:
            with pytest.raises(Problem):
                read_config(path)


def test_secrets_are_not_shown(settings):
    """Whoever prints the settings prints no password and no token."""
    config = read_config(settings())
    assert [secret for secret in ("pass word", "t0ken") if secret in repr(config)] == []


def test_the_example_can_be_taken_as_it_stands(settings, tmp_path):
    """The blocks of deploy/node.toml that are comments are read once their signs are taken away."""
    example = (Path(__file__).parents[2] / "deploy/node.toml").read_text("utf-8")
    duty = re.sub(r"(?m)^# (?=\[|  \{|\]|[a-z_]+ = )", "", example.partition("# People on duty")[2].partition("\n")[2])
    for secret in ("mail-password", "pager-token"):
        assert f'"{secret}"' in duty
    read = tomllib.loads(duty)
    assert {name: len(read[name]) for name in read} == {"callout": 2, "linetest": 3, "watch": 3}
    config = read_config(settings(duty))
    assert [block.seat for block in config.callouts] == ["duty", "official"]
    assert [type(target) for target in config.callouts[0].targets] == [CommandTarget, SmtpTarget, WebhookTarget]
    assert len(config.watch.shifts) == 1
