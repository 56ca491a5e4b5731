"""Exit codes and texts of the commands that need no running node (DESIGN: the commands are a contract)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from channel.cli.main import channel
from channel.cli.trial import free_ports
from channel.i18n import Texts
from channel.protocol.archive import PARTS, read
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
    assert "US Expert 1, Expert 1 (as designated expert)" in run("verify", EXAMPLE).stdout
    assert "美方专家一，专家一（指定专家）" in run("verify", EXAMPLE, lang="zh").stdout
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
    assert len(secret) == 2 * (8 + 3 + 1 + 1 + 1)
    assert {p.stat().st_mode & 0o777 for p in secret} == {0o600}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_one_clear_problem_each(trial, lang):
    """No home, an unknown seat, a node that does not run: its code, what to do, its exit code."""
    desk = trial / "us" / "desk"
    for arguments, code, exit_code in (
        (["inbox"], "NO_HOME", 2),
        (["--home", trial / "nowhere", "inbox"], "NO_DESK_HOME", 2),
        (["--home", trial / "nowhere", "watch", "procedures"], "NO_DESK_HOME", 2),
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


def places_of_failures():
    """Codes that the audit of an archive ends with, as they stand in its modules."""
    found = set()
    for name in ("archive", "audit", "proof", "reveal", "succession", "trees"):
        text = (Path(__file__).parents[2] / "channel" / "protocol" / f"{name}.py").read_text("utf-8")
        found |= set(re.findall(r'(?:fail|Failure|Unproved)\([^\n]*?"([A-Z_]{3,})"', text))
    return found | {"ARCHIVE"}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_failure_of_an_archive_has_words_of_its_own(lang):
    """Each code that an audit ends with, and each part that it names, is told in both languages."""
    texts = Texts(lang)
    codes = places_of_failures()
    assert {"ROOT", "BLOB", "CUT", "AT_LEAST", "SUCCEED", "OPEN"} <= codes
    assert {code for code in codes if f"audit.{code}" not in texts and f"refused.{code}" not in texts} == set()
    assert {part for part in [*PARTS.values(), "magic", "framing", "section", "record", "hash"]
            if f"part.{part}" not in texts} == set()  # fmt: skip


def test_verify_tells_a_failure_as_one_object(tmp_path):
    """With --json the report is one object: exit code, place and code of the failure, what it is complete to."""
    data = EXAMPLE.read_bytes()
    changed = tmp_path / "changed.dcx"
    changed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    failed, good = (json.loads(run("--json", "verify", file).stdout) for file in (changed, EXAMPLE))
    assert failed["exit"] == 5
    assert failed["failure"] == {
        "part": "hash", "index": failed["failure"]["index"], "offset": len(data) - 32, "code": "ARCHIVE_HASH",
        "why": "SHA-256",
    }  # fmt: skip
    assert good["failure"] is None
    assert good["chan"] == CHAN.hex()
    assert good["complete_to"] == {"CN": 7, "US": 7}
    assert [m["number"][:3] for m in good["messages"]] == ["US-", "CN-"]


# --- options ---------------------------------------------------------------------------------------------------------


def commands(group=channel, path=()):
    """(words, command) of every command that does something."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


SHARED = {"--home", "--as", "--json", "--lang", "--passphrase-file"}
MINIMUM = {
    **{name: ["last"] for name in ("show", "ack", "lower", "concur", "object", "approve", "withdraw", "confirm")},
    "send": ["x"], "export": ["--out", "x.dcx"], "raise": ["last", "--to", "crisis"], "reply": ["last", "x"],
    "handover": ["--to", "duty.2"], "in": [str(EXAMPLE)], "out": ["x"],
    "readback": ["last", "x"], "correct": ["last", "x"], "reject": ["last", "--why", "x"], "submit": ["x"],
    "check": ["x", "last"],
}  # fmt: skip


def test_every_command_takes_the_shared_options():
    """Each command, and each group of commands, has all five."""
    for command in (channel, *channel.commands.values(), *(c for _, c in commands())):
        assert {name for p in command.params for name in p.opts} >= SHARED, command.name


WITHOUT_KEYS = ("init", "verify", "demo", "procedures")


@pytest.mark.parametrize("words", [w for w, _ in commands() if w[-1] not in WITHOUT_KEYS], ids=" ".join)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_shared_options_hold_before_a_command_and_after_it(words, first, trial, tmp_path):
    """Home, seat, language, form and passphrase file are taken in both places by every command that works with keys in a home."""
    rest = MINIMUM.get(words[-1], [])

    def told(*options):
        line = [*map(str, options), *words, *rest] if first else [*words, *rest, *map(str, options)]
        result = CliRunner().invoke(channel, line, env={"CHANNEL_HOME": "", "CHANNEL_LANG": "en"})
        assert result.stdout == ""
        return result.exit_code, json.loads(result.stderr)

    node = words[0] == "node"
    wrong = "NO_NODE_HOME" if node else "NO_DESK_HOME"
    exit_code, problem = told("--home", tmp_path, "--lang", "zh", "--json")
    assert (exit_code, problem["code"]) == (2, wrong)
    assert "目录" in problem["what"]
    if not node:
        desk = trial / "us" / "desk"
        assert told("--json", "--home", desk, "--as", "nobody")[1]["code"] == "NO_SEAT"
        assert told("--json", "--home", desk, "--passphrase-file", tmp_path / "none")[1]["code"] == "FILE"


@pytest.mark.parametrize("words", [["verify", EXAMPLE], ["init", "DIR"]], ids=["verify", "init"])
def test_shared_options_hold_in_both_places_without_a_home(words, tmp_path):
    """verify and init answer in the form and the language that were asked for before them and after them."""
    for i, at in enumerate((0, len(words))):
        line = [tmp_path / str(i) if word == "DIR" else word for word in words]
        objects = [json.loads(text) for text in run(*line[:at], "--json", *line[at:]).stdout.splitlines()]
        assert len(objects) == 1
        line = [tmp_path / f"{i}zh" if word == "DIR" else word for word in words]
        said = CliRunner().invoke(channel, [*map(str, line[:at]), "--lang", "zh", *map(str, line[at:])])
        assert "渠道核对词" in said.stdout


def test_what_stands_at_the_command_goes_first(trial, tmp_path):
    """An option given twice holds as given last; an option goes before the environment."""
    desk, lang = str(trial / "us" / "desk"), ["--lang", "en"]
    twice = CliRunner().invoke(channel, ["--home", "/nowhere", *lang, "inbox", "--home", desk, "--lang", "zh"])
    assert "没有运行的节点" in twice.stderr
    env = {"CHANNEL_HOME": "/nowhere", "CHANNEL_LANG": "zh"}
    assert "(NODE_NOT_RUNNING)" in CliRunner().invoke(channel, [*lang, "inbox", "--home", desk], env=env).stderr
    assert "(NODE_NOT_RUNNING)" in CliRunner().invoke(channel, ["--home", desk, "inbox", *lang], env=env).stderr
    assert "/nowhere" in CliRunner().invoke(channel, ["inbox"], env=env).stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["nothing"], "USAGE"),
        (["inbox", "more"], "USAGE"),
        (["inbox", "--nothing"], "USAGE_OPTION"),
        (["--nothing"], "USAGE_OPTION"),
        (["show"], "USAGE_MISSING"),
        (["send", "--case"], "USAGE_ALONE"),
        (["send", "x", "--wait", "long"], "USAGE_VALUE"),
        (["init", "x", "--mode", "real"], "USAGE_VALUE"),
        (["send", "x", "--timeout", "5x"], "DURATION"),
        (["send", "x", "--timeout", "nan"], "DURATION"),
        (["send", "x", "--timeout=-1s"], "DURATION"),
        (["ack", "last", "--next", "1h"], "NEXT_ALONE"),
        (["send", "a\x1b[2Jb"], "CONTROL_CHARACTERS"),
        (["send", "half \udce4 a character"], "CONTROL_CHARACTERS"),
    ],
)
def test_a_call_that_can_not_be_meant(line, code):
    """A wrong use ends with 2 and one text in the reader's language, before anything is opened."""
    for lang in ("en", "zh"):
        result = run(*line, lang=lang)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{code}" in result.stderr
        assert bool(re.search("[\u4e00-\u9fff]", result.stderr)) == (lang == "zh")
        assert result.stderr.count("\n") == 2


@pytest.mark.parametrize("place", ["option", "environment"])
def test_a_language_that_we_do_not_have_is_told_in_english(place):
    """--lang fr, or CHANNEL_LANG=fr, is one clear error and no fault of ours."""
    env = {"CHANNEL_LANG": "fr" if place == "environment" else ""}
    result = CliRunner().invoke(channel, ["inbox", *(["--lang", "fr"] if place == "option" else [])], env=env)
    assert result.exit_code == 2
    assert 'There is no language "fr"' in result.stderr


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_has_no_end_is_no_archive(lang):
    """A device is refused before it is read: 2, one text, nothing on stdout."""
    result = CliRunner().invoke(channel, ["verify", "/dev/zero", "--lang", lang])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "(NO_FILE)" in result.stderr


@pytest.mark.parametrize(("lang", "word"), [("en", "inside the program"), ("zh", "程序内部")])
def test_a_fault_of_ours_is_told_by_class_and_place(lang, word, monkeypatch):
    """An error that nobody foresaw ends with 1 and one text; what it held is not shown."""

    def fault(_path):
        raise ValueError("what it held")

    monkeypatch.setattr("channel.cli.proofs._read", fault)
    result = CliRunner().invoke(channel, ["verify", "x", "--lang", lang])
    assert (result.exit_code, result.stdout) == (1, "")
    assert word in result.stderr
    assert "ValueError" in result.stderr
    assert "proofs.py:" in result.stderr
    assert "what it held" not in result.stderr


def test_ports_of_a_trial_are_never_those_of_outgoing_connections():
    """Homes keep their ports for good: none is of the range that systems give to others, and none is given twice."""
    ports = [port for _ in range(50) for port in free_ports()]
    assert len(set(ports)) == 200
    assert all(20_000 <= port < 30_000 for port in ports)
