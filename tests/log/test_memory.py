"""The log in memory keeps what every log promises."""

from __future__ import annotations

import pytest

from channel.log.memory import MemoryServer
from tests.log.suite import LogSuite


class TestMemoryLog(LogSuite):
    @pytest.fixture
    def server(self):
        return MemoryServer()
