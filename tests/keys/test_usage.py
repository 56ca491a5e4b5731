"""How the tool speaks of its own use: wrong words are told by code in both languages, help pages speak both."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner, Result

from keys import cli
from keys.usage import Spoken, language_asked, wrong_use

ENGLISH = {"CHANNEL_LANG": None, "LC_ALL": None, "LC_MESSAGES": None, "LANG": None}


def run(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli.channel_keys, words, env=ENGLISH, input=typed)


@pytest.mark.parametrize(
    ("words", "en", "zh"),
    [
        (["new"], "--mode is missing.", "缺少 --mode。"),
        (["show"], "FILE is missing.", "缺少 FILE。"),
        (["show", "--wrong", "x"], "There is no option --wrong here.", "此处没有选项 --wrong。"),
        (["new", "--mode", "other"], "The value given for --mode can't be used.", "--mode 的取值不可用。"),
        (["show", "x", "--json=1"], "The option --json is not given", "选项 --json 的写法不符。"),
        (["nothing"], "The command can't be meant like this", "命令无法这样理解"),
    ],
)
def test_words_that_cannot_be_read_are_told_in_the_language_asked_for(words, en, zh):
    """Exit code 2, one text with what to do, and no word of the parser's."""
    for lang, told in (("en", en), ("zh", zh)):
        for options in (["--lang", lang, *words], [*words, f"--lang={lang}"]):
            result = run(*options)
            assert result.exit_code == 2
            assert told in result.stderr
            assert "--help" in result.stderr
            assert "Error" not in result.output
            assert result.stdout == ""


def test_a_value_that_is_no_choice_is_told_with_the_choices():
    """What would do is named."""
    assert "actual | exercise" in run("new", "--mode", "other").stderr


def test_no_words_at_all_show_the_help(monkeypatch):
    """The bare program shows its page, with headings in both languages."""
    monkeypatch.setattr("sys.argv", ["channel-keys"])
    result = CliRunner().invoke(cli.channel_keys, env=ENGLISH)
    assert result.exit_code == 2
    for head in ("Usage / 用法: ", "Options / 选项:", "Commands / 命令:"):
        assert head in result.stderr


def test_what_is_needed_and_what_holds_unsaid_are_told_in_both_languages():
    """No mark of the parser's own stays on a help page."""
    page = run("new", "--help").stdout
    assert "[required / 必填]" in page
    assert "Show this and end / 显示此说明" in page
    command = Spoken("x", params=[click.Option(["--n"], default=3, show_default=True, required=True)])
    assert "[default / 默认: 3; required / 必填]" in command.get_help(click.Context(command))


def test_a_command_without_help_has_no_line_of_it():
    """Where the option is left out, nothing stands in its place."""
    command = Spoken("x", add_help_option=False)
    assert "--help" not in command.get_help(click.Context(command))


def test_a_stopped_question_ends_the_program(tmp_path):
    """Ctrl-C or the end of input at the passphrase: 130, and no key is made."""
    result = run("new", "--mode", "exercise", "--kind", "sign", "--out", str(tmp_path / "k"), typed="")
    assert result.exit_code == 130
    assert list(tmp_path.iterdir()) == []


def test_an_error_without_its_place_is_still_told():
    """Without a context or an option a question mark stands for what is not known."""
    bare = wrong_use(click.BadParameter("x"))
    assert (bare.code, bare.values["name"], bare.values["need"]) == ("USAGE_VALUE", "?", "?")
    named = wrong_use(click.BadParameter("x", param=click.Argument(["file"], type=int)))
    assert (named.values["name"], named.values["need"]) == ("file", "integer")


@pytest.mark.parametrize(
    ("words", "lang"),
    [([], None), (["--lang"], None), (["--lang", "zh"], "zh"), (["--lang=en", "x", "--lang", "zh"], "zh")],
)
def test_the_language_of_a_call_that_cannot_be_read(words, lang):
    """The last --lang with a value counts."""
    assert language_asked(words) == lang
