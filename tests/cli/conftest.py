"""Running nodes for the tests of commands: started once for a module, ended with it."""

from __future__ import annotations

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


@pytest.fixture(autouse=True)
def _alone(request):
    """After each test nothing that it spawned is left."""
    yield
    if "machine" in request.fixturenames:
        request.getfixturevalue("machine").end_spawned()
