"""Wrong use against running nodes: one clear error with its code in both languages, nothing on stdout, no trace in the log.

The one trace that there is by rule: a crossing of exercise and actual is added up in a ``node.alarm``.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil

import pytest

from channel.cli.homes import make_homes
from channel.cli.trial import free_ports
from channel.client.client import Client, SeatKeys
from channel.client.home import DeskHome
from channel.client.view import View
from channel.clock import SystemClock
from channel.i18n import Texts
from channel.protocol.fold import Fold
from channel.protocol.record import read_record
from keys.errors import Unverified
from keys.keyring import Passphrase, read_keys
from tests.cli.running import Machine

CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def actual(tmp_path_factory, machine):
    """An actual channel between the same parties, its nodes running beside those of the exercise."""
    actual = Machine(tmp_path_factory.mktemp("actual") / "trial", mode=1)
    try:
        actual.start("us", "cn")
        yield actual
    finally:
        actual.end(*list(actual.running))


@pytest.fixture
def desk(machine, tmp_path):
    """A copy of the US desk's home, to be spoilt."""
    home = tmp_path / "us" / "desk"
    shutil.copytree(machine.desk("us"), home, ignore=shutil.ignore_patterns("desk.sqlite*", "lock"))
    (home / "desk.toml").write_text(f'party = "US"\nnode_home = "{machine.node("us")}"\n')
    return home


@pytest.fixture
def refused(machine):
    """Asks with a command and sees it refused: one text each, nothing else said, nothing added to the log."""

    def ask(*words, exit_code, code, on=machine, party="us"):
        before = on.said("cn"), on.said("us")
        for lang in ("en", "zh"):
            result = on.command(party, *words, lang=lang)
            assert "Traceback" not in result.stderr
            assert (result.exit_code, result.stdout) == (exit_code, "")
            assert f"({code})" in result.stderr
            assert result.stderr.count("\n") == 2
            assert bool(CHINESE.search(result.stderr)) == (lang == "zh")
            assert "?" not in result.stderr.partition("\n")[0]  # a value that the error does not bring
        assert (on.said("cn"), on.said("us")) == before

    return ask


# --- homes ------------------------------------------------------------------------------------------------------------


def test_a_desk_home_that_another_process_holds(machine, refused):
    """While log -f holds the home every other command says so."""
    following = machine.spawn("--home", machine.desk("us"), "log", "-f")
    assert following.stdout.readline()
    result = machine.command("us", "inbox")
    following.terminate()
    following.communicate(timeout=20)
    assert (result.exit_code, result.stdout) == (4, "")
    assert "(HOME_HELD)" in result.stderr
    assert machine.good("us", "log")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_node_that_runs_already(machine, lang):
    """A second node in the same home is refused by the signing journal's lock; the first goes on."""
    second = machine.spawn("--home", machine.node("us"), "--lang", lang, "node", "run")
    out, err = second.communicate(timeout=30)
    assert (second.returncode, out) == (4, "")
    assert "(JOURNAL_BUSY)" in err
    assert "Traceback" not in err
    assert machine.good("us", "inbox") is not None


def test_a_home_of_another_kind(machine, refused, tmp_path):
    """A desk command in a node's home, a node command in a desk's home, either in any folder, either in a file."""
    file = tmp_path / "file"
    file.touch()
    for home in (machine.node("us"), tmp_path, tmp_path / "none", file):
        refused("inbox", "--home", home, exit_code=2, code="NO_DESK_HOME")
    for home in (machine.desk("us"), tmp_path, tmp_path / "none", file):
        for command in ("status", "run"):
            refused("node", command, "--home", home, exit_code=2, code="NO_NODE_HOME")


@pytest.mark.parametrize(
    ("file", "content", "exit_code", "code"),
    [
        ("desk.toml", "party = ", 2, "CONFIG"),
        ("desk.toml", 'party = "US"\nnode_hom = "x"\n', 2, "CONFIG"),
        ("founding.dcm", "no founding", 3, "PARSE"),
        ("founding.dcm", None, 2, "FILE"),
        ("node-cert.pem", None, 2, "FILE"),
        ("node-cert.pem", "no certificate", 2, "CERTIFICATE"),
        ("desk.sqlite", "no database, but long enough to be looked at", 5, "DESK_DAMAGED"),
        ("keys/expert-1.key", "no key", 3, "KEY_FILE"),
    ],
)
def test_a_home_with_a_damaged_file(desk, refused, file, content, exit_code, code):
    """Each file of a home that is gone or changed is named in one error."""
    if content is None:
        (desk / file).unlink()
    else:
        (desk / file).write_text(content)
    refused("inbox", "--home", desk, exit_code=exit_code, code=code)


def test_no_node_where_the_home_says(machine, desk, refused, tmp_path):
    """No run.json: it does not run. An address where nobody listens: it does not answer."""
    (desk / "desk.toml").write_text(f'party = "US"\nnode_home = "{tmp_path}"\n')
    refused("inbox", "--home", desk, exit_code=4, code="NODE_NOT_RUNNING")
    port = free_ports()[0]
    (desk / "desk.toml").write_text(f'party = "US"\nnode_url = "https://127.0.0.1:{port}"\n')
    refused("send", "text", "--home", desk, exit_code=4, code="NODE_UNREACHABLE")
    refused("node", "status", "--home", stopped_node(tmp_path), exit_code=4, code="NODE_NOT_RUNNING")


def stopped_node(folder):
    _, (side, _) = make_homes(folder / "stopped", 2, SystemClock().now(), os.urandom, free_ports())
    return side.node


def test_another_node_than_the_pinned_one(machine, desk, refused):
    """The other party's node shows another certificate: verification fails before a word is said."""
    (desk / "node-cert.pem").write_bytes((machine.desk("cn") / "node-cert.pem").read_bytes())
    refused("inbox", "--home", desk, exit_code=5, code="NODE_CERT")


# --- passphrases, seats and keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "rights", "exit_code", "code"),
    [
        (b"wrong\n", 0o600, 4, "PASSPHRASE"),
        (b"", 0o600, 2, "PASSPHRASE_EMPTY"),
        (b"\xff\xfe", 0o600, 3, "PASSPHRASE_FILE"),
        (b"any\n", 0o644, 4, "FILE_MODE"),
    ],
)
@pytest.mark.parametrize("beside", [False, True], ids=["option", "beside"])
def test_a_passphrase_that_is_none(machine, desk, refused, tmp_path, content, rights, exit_code, code, beside):
    """Wrong, empty, unreadable, open to others, not there; by option or as the trial home's own file."""
    file = desk / "passphrase" if beside else tmp_path / "passphrase"
    file.unlink(missing_ok=True)
    file.write_bytes(content)
    file.chmod(rights)
    given = [] if beside else ["--passphrase-file", file]
    refused("inbox", "--home", desk, *given, exit_code=exit_code, code=code)
    refused("inbox", "--passphrase-file", tmp_path / "none", exit_code=2, code="FILE")


def test_no_passphrase_and_nobody_to_ask(desk, refused):
    """Without a file and without a terminal there is nobody to type it: one error that says how to give it."""
    (desk / "passphrase").unlink()
    refused("inbox", "--home", desk, exit_code=2, code="NO_PASSPHRASE")


def test_a_seat_that_is_not_here(machine, refused):
    """An unknown seat is answered with those whose keys lie here."""
    refused("send", "text", "--as", "nobody", exit_code=2, code="NO_SEAT")
    refused("send", "text", "--as", "../../cn/desk/keys/expert-1", exit_code=2, code="NO_SEAT")
    assert "expert-1" in machine.command("us", "inbox", "--as", "nobody").stderr


def test_a_key_of_someone_else(machine, desk, actual, refused):
    """Another seat's key, the other party's, the other mode's, and one without a seal key are each refused."""
    key = desk / "keys" / "expert-1.key"

    def replaced_by(path, passphrase):
        key.unlink()
        shutil.copy(path, key)
        shutil.copy(passphrase, desk / "passphrase")

    replaced_by(desk / "keys" / "duty.key", machine.desk("us") / "passphrase")
    refused("inbox", "--home", desk, exit_code=2, code="SEAT_KEY")
    replaced_by(machine.desk("cn") / "keys" / "expert-1.key", machine.desk("cn") / "passphrase")
    refused("inbox", "--home", desk, exit_code=4, code="LOGIN")
    replaced_by(actual.desk("us") / "keys" / "expert-1.key", actual.desk("us") / "passphrase")
    refused("inbox", "--home", desk, exit_code=4, code="MODE")
    replaced_by(machine.desk("us").parent / "authority" / "authority-1.key", machine.desk("us") / "passphrase")
    refused("inbox", "--home", desk, exit_code=2, code="SEAT_KEYS")


def test_another_channel_at_this_node(machine, desk, refused, tmp_path):
    """A home of another channel, pointed at this node, is told that it is another channel's."""
    _, sides = make_homes(tmp_path / "other", 2, SystemClock().now(), os.urandom, free_ports())
    other = next(side.desk for side in sides if side.code == "US")
    (other / "node-cert.pem").write_bytes((desk / "node-cert.pem").read_bytes())
    (other / "desk.toml").write_text((desk / "desk.toml").read_text())
    refused("inbox", "--home", other, exit_code=4, code="CHAN")


def test_recipients_that_are_not_the_current_ones(machine, refused, monkeypatch):
    """A message without a records key, or to fewer than the header names, is refused by the own desk already."""
    whole = Fold.recipients
    monkeypatch.setattr(Fold, "recipients", lambda self: whole(self)[:1])
    refused("send", "text", exit_code=4, code="KEM")


def test_a_side_that_was_not_heard_of_lately(machine, refused, monkeypatch):
    """STALE: without a person to confirm it nothing is sealed; --stale-ok sends all the same."""
    monkeypatch.setattr(View, "stale_after", lambda self: -1)
    refused("send", "text", exit_code=4, code="STALE_LINK")
    assert machine.good("us", "send", "text", "--stale-ok")[0]["format"] == "F03"


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_a_session_of_a_node_that_was_started_again(machine):
    """A request of an old session is refused with SESSION in both languages; a new login goes on where it was."""
    home = DeskHome(machine.desk("cn"))
    passphrase = Passphrase((home.path / "passphrase").read_text().strip())
    sign, seal = read_keys(home.path / "keys" / "expert-2.key", passphrase)
    url = (
        f"https://127.0.0.1:{re.search('desk_listen = .*:([0-9]+)', (machine.node('cn') / 'node.toml').read_text())[1]}"
    )

    async def ask():
        keys = SeatKeys("expert-2", sign, seal)
        async with Client(home, keys, url, clock=SystemClock(), random=os.urandom) as client:
            await client.sync()
            await asyncio.to_thread(machine.end, "cn")
            await asyncio.to_thread(machine.start, "cn")
            with pytest.raises(Unverified) as caught:
                await client.sync()
            return caught.value

    try:
        problem = asyncio.run(ask())
    finally:
        home.close()
    assert (problem.code, problem.exit_code) == ("SESSION", 5)
    for lang in ("en", "zh"):
        what, do = Texts(lang).problem(problem)
        assert "?" not in what + do
    assert machine.good("cn", "log")


# --- what was kept to be sent, and modes ------------------------------------------------------------------------------


def message_of(machine, party):
    """Envelope, blob and payload hash of the newest message of a desk's own party."""
    (sent,) = machine.good(party, "send", "harmless exercise line")
    home = DeskHome(machine.desk(party))
    letter = "a" if party == "cn" else "b"
    record = read_record(home.records(letter)[int(sent["record"].partition(":")[2])])
    blob = home.blob(record.blobs[0])
    home.close()
    return record.env, blob, bytes.fromhex(sent["ph"])


def kept(machine, party, ph, env, blobs):
    home = DeskHome(machine.desk(party))
    home.queue(ph, "msg", env, blobs)
    home.close()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_was_kept_and_is_refused_is_told_once_and_dropped(machine, tmp_path, lang):
    """An envelope that no node takes any more is told of on stderr, dropped, and stops no command after it."""
    other = Machine(tmp_path / "other")
    other.start("us", "cn")
    try:
        env, blob, ph = message_of(other, "us")
    finally:
        other.end("us", "cn")
    before = machine.said("us")
    kept(machine, "us", ph, env, [blob])
    result = machine.command("us", "inbox", lang=lang)
    assert result.exit_code == 0
    assert "(DROPPED)" in result.stderr
    assert "CHAN" in result.stderr
    assert machine.command("us", "inbox", lang=lang).stderr == ""
    assert machine.said("us") == before


def test_an_exercise_message_never_enters_an_actual_channel(machine, actual):
    """It is refused with MODE at the actual node; the one trace is an alarm, added up over both tries."""
    before = actual.said("us")
    env, blob, ph = message_of(machine, "us")
    sign = read_keys(
        machine.desk("us") / "keys" / "expert-1.key",
        Passphrase((machine.desk("us") / "passphrase").read_text().strip()),
    )[0]
    for lang in ("en", "zh"):
        kept(actual, "us", ph, env, [blob, sign.public.encode()])
        result = actual.command("us", "inbox", lang=lang)
        assert "(DROPPED)" in result.stderr
        assert "MODE" in result.stderr
        assert bool(CHINESE.search(result.stderr)) == (lang == "zh")
    actual.until(lambda: actual.said("us") != before)
    assert [t for _, t in actual.said("us")[len(before) :]] == ["node.alarm"]
