"""``channel-keys`` as a keyholder uses it, in both languages."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from keys import cli, keyring
from keys.codec import pack
from keys.envelope import read_envelope, sign
from keys.words import words

WORD = "two hands on the wheel"


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The program in an empty directory, with a passphrase file ``pass`` and no locale of its own."""
    monkeypatch.chdir(tmp_path)
    keyring.write_secret(Path("pass"), WORD.encode())
    env = {"CHANNEL_LANG": None, "LC_ALL": None, "LC_MESSAGES": None, "LANG": None}

    def run(*args: str, typed: str = "", lang: str | None = None, **more: str) -> Result:
        result = CliRunner().invoke(
            cli.channel_keys, args, input=typed, env=env | {"CHANNEL_LANG": lang} | more, obj=keyring.DEMO
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def made(tool):
    """Two exercise signing keys, ``one`` and ``two``."""
    for name in ("one", "two"):
        done = tool("new", "--mode", "exercise", "--kind", "sign", "--out", name, "--passphrase-file", "pass")
        assert done.exit_code == 0, done.output
    return [keyring.show_keys(Path(name)).keys[0] for name in ("one", "two")]


@pytest.fixture
def payload(made, party) -> Path:
    """A root of the two keys, to be signed."""
    root = replace(party.root, keys=tuple(key.kid for key in made))
    Path("root.payload").write_bytes(pack(root))
    return Path("root.payload")


def test_a_key_is_made_and_shown_with_its_words(tool):
    """Private file, public file; kind, mode and words in both languages; nothing of the passphrase."""
    done = tool(
        "new", "--mode", "actual", "--kind", "seal", "--out", "us.key", "--label", "US records",
        typed=f"{WORD}\n{WORD}\n",
    )  # fmt: skip
    assert done.exit_code == 0
    key = keyring.show_keys(Path("us.key")).keys[0]
    assert Path("us.key").stat().st_mode & 0o777 == 0o600
    assert Path("us.key.pub").read_bytes() == key.encode()
    for result in (done, tool("show", "us.key")):
        assert "seal key · actual · US records" in result.output
        assert key.kid.hex() in result.output
        assert " ".join(words(key.kid).en) in result.output
        assert " ".join(words(key.kid).zh) in result.output
        assert WORD not in result.output
    assert key.kid.hex() in tool("show", "us.key.pub").output


def test_it_speaks_chinese_when_asked_in_any_way(tool, made):
    """By option before or after the command, by CHANNEL_LANG, by the locale; errors too."""
    for result in (
        tool("--lang", "zh", "show", "one"),
        tool("show", "one", "--lang", "zh"),
        tool("show", "one", lang="zh"),
        tool("show", "one", LANG="zh_CN.UTF-8"),
    ):
        assert "签名密钥 · 演练" in result.output
    assert "signing key · EXERCISE" in tool("show", "one", "--lang", "en", lang="zh").output
    missing = tool("show", "none", lang="zh")
    assert missing.exit_code == 2
    assert "文件 none 无法使用" in missing.stderr


@pytest.mark.parametrize("args", [["--lang", "xx", "show", "one"], ["show", "one", "--lang", "xx"]])
def test_an_unknown_language_is_wrong_use(tool, made, args):
    """Said, not ignored; as option and in the environment."""
    for result in (tool(*args), tool("show", "one", lang="xx")):
        assert result.exit_code == 2
        assert 'no language "xx"' in result.stderr


def test_a_file_that_exists_is_not_written_over(tool, made):
    """Neither the private nor the public one, and nobody is asked for a passphrase first."""
    before = Path("one").read_bytes()
    Path("three.pub").write_bytes(b"")
    for name in ("one", "three"):
        done = tool("new", "--mode", "exercise", "--kind", "sign", "--out", name)
        assert done.exit_code == 4
        assert "exists" in done.stderr
    assert Path("one").read_bytes() == before
    assert not Path("three").exists()


def test_two_keyholders_sign_one_after_the_other(tool, made, payload):
    """The second adds to the first's envelope; what is signed is shown with its hash; verify names both."""
    first = tool("sign", "root", str(payload), "--key", "one", "-o", "root.env", typed=f"{WORD}\n")
    assert first.exit_code == 0
    assert "root US · EXERCISE · version 1" in first.output
    assert read_envelope(Path("root.env").read_bytes()).hash.hex() in first.output
    half = tool("verify", "root.env", "--key", "one.pub", "--key", "two.pub")
    assert half.exit_code == 0
    assert f"did not sign  {made[1].kid.hex()}" in half.output
    second = tool("sign", "root", "root.env", "--key", "two", "-o", "root.env", "--passphrase-file", "pass")
    assert second.exit_code == 0
    assert "2 signatures" in second.output
    env = read_envelope(Path("root.env").read_bytes())
    assert env.payload == payload.read_bytes()
    assert env.verified(2, {key.kid: key for key in made}) == {key.kid for key in made}
    both = tool("verify", "root.env", "--key", "one.pub", "--key", "two")
    assert both.exit_code == 0
    assert both.output.count("valid") == 2
    assert f"not asked  {made[0].kid.hex()}" in tool("verify", "root.env", "--key", "two.pub").output


def test_what_is_published_is_read_by_all_and_written_by_its_owner(tool, made, payload):
    """Public key and envelope are 0644 and the private file 0600, with the widest umask."""
    before = os.umask(0)
    try:
        tool("new", "--mode", "exercise", "--kind", "sign", "--out", "three", "--passphrase-file", "pass")
        signed = tool("sign", "root", str(payload), "--key", "one", "-o", "root.env", "--passphrase-file", "pass")
    finally:
        os.umask(before)
    assert signed.exit_code == 0
    modes = {name: Path(name).stat().st_mode & 0o777 for name in ("root.env", "three.pub", "three")}
    assert modes == {"root.env": 0o644, "three.pub": 0o644, "three": 0o600}


def test_a_signature_that_does_not_hold_ends_with_five(tool, made, payload):
    """A changed signature, a changed payload, and an envelope that none of the keys signed."""
    tool("sign", "root", str(payload), "--key", "one", "--key", "two", "-o", "e", "--passphrase-file", "pass")
    raw = Path("e").read_bytes()
    for changed in (raw[:-1] + bytes([raw[-1] ^ 1]), raw.replace(b"soft_exp\x01", b"soft_exp\x00")):
        assert changed != raw
        Path("changed").write_bytes(changed)
        done = tool("verify", "changed", "--key", "one.pub", "--key", "two.pub")
        assert done.exit_code == 5
        assert "NOT VALID" in done.output
    tool("sign", "root", str(payload), "--key", "one", "-o", "only-one", "--passphrase-file", "pass")
    assert tool("verify", "only-one", "--key", "two.pub").exit_code == 5


def test_json_is_one_object_a_line(tool, made, payload):
    """Each command's answer can be read by a program."""
    tool("sign", "root", str(payload), "--key", "one", "-o", "e", "--passphrase-file", "pass")
    lines = [json.loads(line) for line in tool("verify", "e", "--key", "one.pub", "--json").output.splitlines()]
    assert lines[0]["document"] == "root"
    assert lines[1] == {"kid": made[0].kid.hex(), "signature": "good"}
    assert json.loads(tool("--json", "show", "one").output)["kind"] == "sign"
    said = json.loads(tool("words", "00" * 32, "--json").output)
    assert said["en"] == ["abandon"] * 8
    assert said["zh"] == ["的"] * 8


def test_nothing_is_signed_that_does_not_read_as_its_document(tool, made, payload, party):
    """Another document's payload, an unknown type, a broken file, an envelope of another type: no file is made."""
    Path("junk").write_bytes(b"\xc1")
    Path("long").write_bytes(payload.read_bytes() + b"\0")
    Path("pop.env").write_bytes(sign("pop", party.root, party.authority).encode())
    for doc, file, code in (
        ("roster", str(payload), 3), ("root", "junk", 3), ("root", "long", 3), ("root", "pop.env", 3),
        ("letter", str(payload), 2), ("root", "none", 2),
    ):  # fmt: skip
        done = tool("sign", doc, file, "--key", "one", "-o", "out", "--passphrase-file", "pass")
        assert done.exit_code == code, done.output
        assert done.stderr
        assert not Path("out").exists()


def test_a_key_signs_only_in_its_own_mode(tool, made, payload, party, make_party):
    """An actual document and an exercise key do not meet; where a document names no mode, the option does."""
    Path("actual").write_bytes(pack(make_party(mode=1).root))
    done = tool("sign", "root", "actual", "--key", "one", "-o", "out", "--passphrase-file", "pass")
    assert (done.exit_code, Path("out").exists()) == (4, False)
    assert tool("sign", "root", str(payload), "--key", "one", "-o", "out", "--mode", "actual").exit_code == 4
    Path("plain").write_bytes(pack({"v": 1, "ts": 5}))
    args = ["sign", "succeed", "plain", "--key", "one", "-o", "out", "--passphrase-file", "pass"]
    assert tool(*args).exit_code == 2
    assert tool(*args, "--mode", "actual").exit_code == 4
    good = tool(*args, "--mode", "exercise")
    assert good.exit_code == 0
    assert "compare the hash" in good.output
    assert tool("verify", "out", "--key", "one.pub", "--mode", "exercise").exit_code == 0
    assert tool("verify", "out", "--key", "one.pub", "--mode", "actual").exit_code == 5


def test_a_wrong_passphrase_and_a_seal_key_sign_nothing(tool, made, payload):
    """Refused with 4 and told; the passphrase is in no output."""
    tool("new", "--mode", "exercise", "--kind", "seal", "--out", "seal", "--passphrase-file", "pass")
    wrong = tool("sign", "root", str(payload), "--key", "one", "-o", "out", typed="something else\n")
    assert (wrong.exit_code, "passphrase is wrong" in wrong.stderr) == (4, True)
    assert "something" not in wrong.output
    seal = tool("sign", "root", str(payload), "--key", "seal", "-o", "out", "--passphrase-file", "pass")
    assert (seal.exit_code, "no signing key" in seal.stderr) == (4, True)
    assert not Path("out").exists()


def test_other_bytes_are_no_key_and_no_envelope(tool, made, payload, party):
    """Show and verify end with 3; so does an id that is none."""
    Path("junk").write_bytes(b"junk")
    Path("letter").write_bytes(sign("letter", party.root, party.authority).encode())
    for args in (
        ["show", "junk"], ["verify", "junk", "--key", "one.pub"], ["verify", "letter", "--key", "one.pub"],
        ["words", "zz"], ["words", "00"],
    ):  # fmt: skip
        done = tool(*args)
        assert done.exit_code == 3, args
        assert done.stderr


def test_words_of_an_id(tool):
    """Both languages, one a line."""
    said = words(b"\x5a" * 32)
    assert tool("words", "5a" * 32).output.splitlines() == [" ".join(said.en), " ".join(said.zh)]
