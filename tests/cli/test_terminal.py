"""What is printed stands in its columns, in both languages; nothing that a terminal obeys gets through."""

from __future__ import annotations

import sys

import pytest
from rich.cells import cell_len

from channel.cli.terminal import Terminal, _wrapped

CHINESE = "收到，正在核实本方网络；初步情况为：评估运行越出隔离环境（已停止），未见对外影响。"
ENGLISH = "An AI agent in a US test network acts outside its limits; it is being stopped. No effect outside seen."


@pytest.mark.parametrize("text", [CHINESE, ENGLISH, CHINESE + " " + ENGLISH, "x" * 200, "", "短"])
@pytest.mark.parametrize("width", [20, 21, 33, 80])
def test_lines_fit_and_nothing_is_lost(text, width):
    """No line is wider than the column, where a Chinese character takes two cells, and no character goes away."""
    lines = _wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert not [line for line in lines[1:] if line[:1] and line[:1] in "。，；：）"]
    assert not [line for line in lines[:-1] if line.endswith("（")]


def test_a_table_stands_in_columns(capsys):
    """Every cell of a column begins at the same place; rows that come later go on in the same columns."""
    terminal = Terminal("zh", as_json=False)
    terminal.table(["记录", "席位", "状态"], [["US:1", "专家一", "已锚定"], ["CN:100", "值班员甲", "已记录"]])
    terminal.rows([["US:2", "专家二", "已送达"]])
    lines = capsys.readouterr().out.splitlines()
    starts = {
        cell_len(line[: line.index(word)])
        for line, word in zip(lines, ["状态", "已锚定", "已记录", "已送达"], strict=True)
    }
    assert len(starts) == 1


def test_a_long_last_cell_goes_on_below_itself(capsys, monkeypatch):
    """At a terminal the last column wraps behind its own beginning; into a pipe nothing is cut."""
    terminal = Terminal("en", as_json=False)
    terminal.block("US-1  ", ENGLISH)
    assert capsys.readouterr().out == f"US-1  {ENGLISH}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    terminal.block("US-1  ", ENGLISH)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert {line[:6] for line in lines[1:]} == {"      "}
    assert all(cell_len(line) <= 40 for line in lines)


def test_a_long_start_has_its_text_below(capsys, monkeypatch):
    """Where a narrow terminal leaves no room beside the start of a line, the text stands below it, never cut off."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "50")
    Terminal("zh", as_json=False).block("US-2026-000001  F03  2026-11-24 04:43:22 UTC  ", CHINESE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "US-2026-000001  F03  2026-11-24 04:43:22 UTC"
    assert "".join(line.strip() for line in lines[1:]) == CHINESE
    assert all(cell_len(line) <= 50 for line in lines)


def test_two_columns_for_two_parties(capsys):
    """A row stands on its party's side of the line, whatever its language."""
    terminal = Terminal("en", as_json=False)
    terminal.columns("US", "CN")
    terminal.row("US", ENGLISH)
    terminal.row("CN", CHINESE)
    lines = [line for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert len({cell_len(line.partition("│")[0]) for line in lines}) == 1
    assert "\x1b" not in "".join(lines)


def test_control_characters_do_not_get_through(capsys):
    """Text of another side that would move the cursor is shown without what moves it."""
    terminal = Terminal("en", as_json=False)
    terminal.columns("US", "CN")
    terminal.row("US", "a\x1b[2Jb\x07")
    terminal.table(["x", "y"], [["\x1b[31mred", "\u202eback"]])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "U+202Eback" in out
