"""Exit codes and texts of the commands that need no running node (DESIGN: the commands are a contract)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from channel.cli.main import channel
from channel.protocol.archive import read
from keys.words import words

EXAMPLE = Path(__file__).parents[2] / "examples" / "incident.dcx"
CHAN = read(EXAMPLE.read_bytes()).sections[0].fields[0]["chan"]


def run(*arguments: object, lang: str = "en") -> Result:
    return CliRunner().invoke(channel, ["--lang", lang, *map(str, arguments)], env={"CHANNEL_HOME": ""})


@pytest.fixture(scope="module")
def trial(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trial") / "t"
    assert run("init", folder).exit_code == 0
    return folder


def test_verify_says_how_good_an_archive_is(tmp_path):
    """0 where the channel is named by id or by its words in either language, else 6 with the words to compare."""
    said = words(CHAN)
    assert run("verify", EXAMPLE).exit_code == 6
    assert " ".join(said.zh) in run("verify", EXAMPLE).stdout
    for name in (CHAN.hex(), " ".join(said.en), "".join(said.zh)):
        assert run("verify", EXAMPLE, "--channel", name).exit_code == 0
    assert run("verify", EXAMPLE, "--channel", "00" * 32).exit_code == 5


def test_verify_of_what_does_not_hold(tmp_path):
    """A changed byte ends with 5, another file with 3, no file with 2; the texts say so in both languages."""
    data = EXAMPLE.read_bytes()
    changed, other = tmp_path / "changed.dcx", tmp_path / "other.dcx"
    changed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    other.write_bytes(b"no archive")
    for lang, word in (("en", "Verification failed"), ("zh", "校验未通过")):
        result = run("verify", changed, "--channel", CHAN.hex(), lang=lang)
        assert result.exit_code == 5
        assert word in result.stdout
    assert run("verify", other).exit_code == 3
    assert run("verify", tmp_path / "none.dcx").exit_code == 2


def test_init_writes_nothing_over(trial):
    """A second init in the same folder is refused and changes nothing."""
    before = {p: p.stat().st_mtime_ns for p in trial.rglob("*")}
    assert run("init", trial).exit_code == 4
    assert {p: p.stat().st_mtime_ns for p in trial.rglob("*")} == before


def test_secrets_are_for_their_owner_alone(trial):
    """Keys, seeds and passphrases have no right for anybody else."""
    secret = [*trial.rglob("*.key"), *trial.rglob("keys.dcm"), *trial.rglob("tls-key.pem"), *trial.rglob("passphrase")]
    assert len(secret) == 2 * (7 + 3 + 1 + 1 + 1)
    assert {p.stat().st_mode & 0o777 for p in secret} == {0o600}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_one_clear_problem_each(trial, lang):
    """No home, an unknown seat, a node that does not run: its code, what to do, its exit code."""
    desk = trial / "us" / "desk"
    for arguments, code, exit_code in (
        (["inbox"], "NO_HOME", 2),
        (["--home", trial / "nowhere", "inbox"], "NO_DESK_HOME", 2),
        (["--home", desk, "--as", "nobody", "inbox"], "NO_SEAT", 2),
        (["--home", desk, "inbox"], "NODE_NOT_RUNNING", 4),
        (["--home", trial / "us" / "node", "node", "status"], "NODE_NOT_RUNNING", 4),
    ):
        result = run(*arguments, lang=lang)
        assert result.exit_code == exit_code
        assert f"({code})" in result.stderr
        assert "Traceback" not in result.output


def test_problems_are_objects_with_json(trial):
    """With --json a problem is one object on stderr."""
    result = run("--json", "--home", trial / "us" / "desk", "inbox")
    assert json.loads(result.stderr)["code"] == "NODE_NOT_RUNNING"
