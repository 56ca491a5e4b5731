"""Running nodes for the tests of commands: started once for a module, ended with it."""

from __future__ import annotations

import re

import pytest

from tests.cli.running import Machine


@pytest.fixture(scope="module")
def machine(tmp_path_factory, need):
    """An exercise channel with both nodes running as processes."""
    need("embedded-valkey")
    machine = Machine(tmp_path_factory.mktemp("exercise") / "trial")
    try:
        machine.start("us", "cn")
        yield machine
    finally:
        machine.end(*list(machine.running))


@pytest.fixture
def refuses(machine):
    """Sees it refused: exit code, code, what is named, nothing said; each code in both languages, then in turn.

    At the end of the test the log of whoever asked has nothing more than before the first of them.
    """
    before = {}

    def said(party):
        return [record for record in machine.said(party) if record[0].startswith(party.upper())]

    def ask(party, *words, exit_code, code, named=(), shown=False, text=None):
        if party not in before:
            before[party] = said(party)
        for lang in machine.languages(code):
            result = machine.command(party, *words, lang=lang, text=text)
            assert "Traceback" not in result.output
            assert (result.exit_code, f"({code})" in result.stderr) == (exit_code, True), result.output
            assert shown or result.stdout == ""
            assert [word for word in named if word not in result.stderr] == []
            assert result.stderr.count("\n") == 2
            assert bool(re.search("[\u4e00-\u9fff]", result.stderr)) == (lang == "zh")

    yield ask
    assert {party: said(party) for party in before} == before


@pytest.fixture(autouse=True)
def _alone(request):
    """After each test nothing that it spawned is left."""
    yield
    if "machine" in request.fixturenames:
        request.getfixturevalue("machine").end_spawned()
