"""What is rarely reached in ``keys``: files that lie about themselves, texts that are asked for more than they have."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys import keyring, suites
from keys.cli import channel_keys
from keys.codec import pack, unpack
from keys.errors import Malformed, Problem, WrongUse
from keys.identity import PrivateKey
from keys.keyring import DEMO, MAGIC, Cost, Passphrase
from keys.plain import duration, has_control, short, utc
from keys.texts import own_texts, pick_language

WORD = Passphrase("correct horse battery")


def with_seeds(path: Path, seeds: list[bytes]) -> None:
    """The key file with other seeds sealed under the same passphrase: as only its owner could make it."""
    header, _ = unpack(path.read_bytes().removeprefix(MAGIC))
    kdf = header["kdf"]
    key = WORD.derive(Cost(kdf["memory"], kdf["passes"], kdf["lanes"]), kdf["salt"])
    sealed = AESGCM(key).encrypt(header["nonce"], pack(seeds), MAGIC + pack(header))
    path.write_bytes(MAGIC + pack([header, sealed]))


@pytest.mark.parametrize("seeds", [[], [bytes(64), bytes(64)], [os.urandom(64)]])
def test_seeds_that_are_not_the_shown_keys(tmp_path: Path, seeds: list[bytes]) -> None:
    """Too few, too many, or another key's: KEY_FILE, and no key comes out."""
    path = tmp_path / "one.key"
    keyring.write_keys(path, [PrivateKey(2, suites.SIGN, bytes(64))], WORD, "US expert", DEMO)
    assert len(keyring.read_keys(path, WORD)) == 1
    with_seeds(path, seeds)
    with pytest.raises(Malformed) as caught:
        keyring.read_keys(path, WORD)
    assert caught.value.code == "KEY_FILE"


def test_a_cost_that_no_machine_takes(tmp_path: Path) -> None:
    """A file whose derivation can't be run is a broken file, not a crash."""
    path = tmp_path / "one.key"
    keyring.write_keys(path, [PrivateKey(2, suites.SIGN, bytes(64))], WORD, "US expert", DEMO)
    header, sealed = unpack(path.read_bytes().removeprefix(MAGIC))
    header["kdf"] |= {"memory": 64, "lanes": 16}  # less than 8 KiB a lane
    path.write_bytes(MAGIC + pack([header, sealed]))
    with pytest.raises(Malformed):
        keyring.read_keys(path, WORD)


def test_a_file_that_can_not_take_its_name(tmp_path: Path) -> None:
    """Where the last step fails nothing half-written is left."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").touch()
    with pytest.raises(WrongUse):
        keyring.write_file(tmp_path / "taken", b"data", 0o600, over=True)
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_components_of_every_suite() -> None:
    """The raw halves, in order; a session key has one."""
    for suite, lengths in ((suites.SIGN, [1952, 32]), (suites.SEAL, [1184, 32]), (suites.SESSION, [32])):
        public = PrivateKey(2, suite, bytes(suites.SEED_LENGTH[suite])).public
        assert [len(half) for half in public.components()] == lengths
        assert b"".join(public.components()) == public.raw


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_texts_say_what_they_have(lang: str) -> None:
    """Lists are sorted and joined, bytes short, missing values a question mark; an unknown text is a KeyError."""
    texts = own_texts(lang)
    assert "KEY" in texts
    assert "NO_SUCH_TEXT" not in texts
    with pytest.raises(KeyError):
        texts.say("NO_SUCH_TEXT")
    assert "?" in texts.problem(Malformed("SEED"))[0]
    what, do = texts.problem(Problem("NO_SUCH_CODE", names=["b", "a"], raw=b"\1" * 32))
    assert "NO_SUCH_CODE" in what + do
    assert texts.time(0) == "1970-01-01 00:00:00 UTC"
    assert texts._shown("names", ["b", b"\1" * 32, "a"]) == f"{'01' * 8}, a, b"


def test_lengths_of_time_and_times() -> None:
    """The largest unit that is exact; what no calendar holds stays a number."""
    assert [duration(n) for n in (0, 59, 60, 3600, 3 * 86_400, 4 * 86_400)] == [
        (0, "s"), (59, "s"), (1, "min"), (1, "h"), (72, "h"), (4, "d"),
    ]  # fmt: skip
    assert utc(-1) == "-1"
    assert utc(253_402_300_800_000) == "253402300800000"
    assert short(bytes(32)) == "0" * 16
    assert has_control("a\x1b[31m")
    assert not has_control("a\tb\r\nc")


def test_the_language_of_a_wish_and_of_a_locale() -> None:
    """A wish that is neither language is an error, a locale of another one gives English."""
    assert pick_language("zh-Hans", {}) == "zh"
    assert pick_language(None, {"CHANNEL_LANG": "en_GB.UTF-8", "LANG": "zh_CN"}) == "en"
    assert pick_language(None, {"LC_ALL": "zh_CN.UTF-8"}) == "zh"
    assert pick_language(None, {"LANG": "fr_FR"}) == pick_language(None, {}) == "en"
    with pytest.raises(WrongUse):
        pick_language("fr", {})


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The ceremony tool in an empty directory."""
    monkeypatch.chdir(tmp_path)
    keyring.write_secret(Path("pass"), b"correct horse battery")
    return lambda *args: CliRunner().invoke(channel_keys, args, obj=DEMO)


def test_files_that_are_too_big_or_no_document(tool, tmp_path: Path) -> None:
    """More than 16 MiB are not read; a payload without a version is not signed."""
    made = tool("new", "--mode", "exercise", "--kind", "sign", "--out", "one", "--passphrase-file", "pass")
    assert made.exit_code == 0
    with (tmp_path / "big").open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    assert tool("show", "big").exit_code != 0
    (tmp_path / "plain").write_bytes(pack({"v": 2}))
    refused = tool(
        "sign", "contacts", "plain", "--key", "one", "--out", "e", "--mode", "exercise", "--passphrase-file", "pass"
    )
    assert refused.exit_code == Malformed.exit_code
    assert "no document of version 1" in refused.output
    assert not (tmp_path / "e").exists()


def test_what_has_no_fields_is_not_said_in_json(tool) -> None:
    """With --json each line of output is one object."""
    made = tool("new", "--json", "--mode", "exercise", "--kind", "sign", "--out", "one", "--passphrase-file", "pass")
    assert [sorted(json.loads(line)) for line in made.stdout.splitlines()] == [
        ["kid", "kind", "label", "mode", "words"]
    ]


def test_the_program_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """``channel-keys`` by its entry point."""
    from keys.cli import run

    monkeypatch.setattr(sys, "argv", ["channel-keys", "--help"])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 0
    assert "sign" in capsys.readouterr().out
