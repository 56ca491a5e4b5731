"""The log in memory keeps what every log promises."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from channel.log.memory import MemoryServer

sys.path.insert(0, str(Path(__file__).parent))

from suite import LogSuite


class TestMemoryLog(LogSuite):
    @pytest.fixture
    def server(self):
        return MemoryServer()
