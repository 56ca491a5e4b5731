"""What an archive shows of sealed messages: never wider than their sharing limit, each with its limits and its reason."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from channel.cli.main import channel

LINE, OWN = "An evaluation run left its sandbox; it is stopped.", "US-17"


@pytest.fixture(scope="module", autouse=True)
def sent(machine):
    """Messages of US at CN with limits of their own, by limit; and technical characteristics whose items have their own."""
    numbers = {}
    for tlp in ("RED", "AMBER+STRICT", "GREEN", "CLEAR"):
        (item,) = machine.good("us", "send", LINE, "--tlp", tlp, "--pap", "GREEN", "--set", f"own_number={OWN}")
        numbers[tlp] = item["number"]
    (item,) = machine.good("us", "send", LINE)
    numbers["default"] = item["number"]
    rows = ["--set", "items=kind=HSH; value=ab12; tlp=RED; pap=RED", "--set", "items=kind=NET; value=192.0.2.1"]
    (item,) = machine.good("us", "send", "--format", "F10", "--case", numbers["CLEAR"], "--tlp", "CLEAR", *rows)
    numbers["items"] = item["number"]
    machine.until(lambda: len(machine.good("cn", "inbox")) >= 6)
    return numbers


def verify(path, *options):
    return CliRunner().invoke(channel, [*options, "verify", str(path)], env={"CHANNEL_HOME": ""})


def test_an_archive_shows_what_was_asked_and_no_more(machine, sent, tmp_path):
    """A whole message and one field of another can be read by whoever has the file; all else stays sealed."""
    path = tmp_path / "a.dcx"
    (made,) = machine.good(
        "cn", "export", "--out", path, "--why", "law", "--limit", "GREEN",
        "--reveal", sent["GREEN"], "--reveal", f"{sent['CLEAR']}:line", "--reveal", f"{sent['CLEAR']}:own_number",
    )  # fmt: skip
    assert made["limit"] == "GREEN"
    assert made["revealed"] == [
        {"number": sent["GREEN"], "tlp": "GREEN", "pap": "GREEN"},
        {"number": sent["CLEAR"], "tlp": "CLEAR", "pap": "GREEN"},
    ]
    told = verify(path, "--json")
    assert told.exit_code == 6, told.output
    shown = {reveal["number"]: reveal for reveal in json.loads(told.stdout)["reveals"]}
    assert shown.keys() == {sent["GREEN"], sent["CLEAR"]}
    assert shown[sent["GREEN"]]["hidden"] == 0
    assert shown[sent["CLEAR"]]["body"] == {"line": LINE, "own_number": OWN}
    assert shown[sent["CLEAR"]]["hidden"] == 5
    assert {(r["why"], r["by"], r["tlp"], r["pap"]) for r in shown.values()} == {
        ("law", "CN:expert-1", "GREEN", "GREEN"), ("law", "CN:expert-1", "CLEAR", "GREEN"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("which", "limit"),
    [("RED", "AMBER+STRICT"), ("AMBER+STRICT", "AMBER"), ("GREEN", "CLEAR"), ("default", "GREEN"), ("items", "AMBER")],
)
def test_nothing_is_shown_more_widely_than_its_limit(machine, sent, tmp_path, which, limit):
    """A message, or a row in it, that is limited more narrowly than the file is refused in both languages; no file stays."""
    path = tmp_path / "a.dcx"
    for lang, words in (("en", "may be shared as"), ("zh", "传播范围至多")):
        told = machine.command("cn", "export", "--out", path, "--reveal", sent[which], "--limit", limit, lang=lang)
        assert (told.exit_code, words in told.stderr, "(SHARING)" in told.stderr) == (4, True, True), told.output
        assert sent[which] in told.stderr
    assert not path.exists()


def test_each_limit_allows_what_is_no_narrower(machine, sent, tmp_path):
    """RED is shown in a file for its own receivers; without --limit the file is for AMBER, which the default allows."""
    for which, words in (("RED", ["--limit", "RED"]), ("default", []), ("GREEN", ["--limit", "AMBER"])):
        path = tmp_path / f"{which}.dcx"
        (made,) = machine.good("cn", "export", "--out", path, "--reveal", sent[which], *words)
        assert made["revealed"][0]["number"] == sent[which]
        assert verify(path).exit_code == 6


def test_an_export_says_the_limits_that_go_with_it(machine, sent, tmp_path):
    """Whoever makes the file, and whoever checks it, is told how far it may be shared and acted on, in both languages."""
    for lang, words in (("en", "Share the file no more widely than TLP:RED"), ("zh", "传播范围不超过 TLP:RED")):
        path = tmp_path / f"{lang}.dcx"
        made = machine.command("cn", "export", "--out", path, "--reveal", sent["items"], "--limit", "RED", lang=lang)
        assert made.exit_code == 0
        assert words in made.stdout.replace("\n", " ")
        assert "PAP:RED" in made.stdout
        assert f"{sent['items']}" in verify(path, "--lang", lang).stdout
        assert "TLP:CLEAR" in verify(path, "--lang", lang).stdout


def test_an_export_without_a_reveal_shows_nothing(machine, sent, tmp_path):
    """Bodies stay sealed, so that no limit has to be asked."""
    (made,) = machine.good("cn", "export", "--out", tmp_path / "a.dcx")
    assert made.keys() == {"path", "size"}
    assert json.loads(verify(tmp_path / "a.dcx", "--json").stdout)["reveals"] == []


def test_a_field_that_the_message_lacks_is_named(machine, sent, tmp_path):
    """One clear error, and no file."""
    told = machine.command("cn", "export", "--out", tmp_path / "a.dcx", "--reveal", f"{sent['CLEAR']}:where")
    assert (told.exit_code, "(REVEAL_FIELD)" in told.stderr, "where" in told.stderr) == (4, True, True)
    assert not (tmp_path / "a.dcx").exists()
