"""Where a limit of the ceremony tool lies: the last value that passes it, and the first that does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from keys.cli import channel_keys
from keys.errors import Malformed
from keys.usage import language_asked


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_file_is_read_up_to_16_mib(beyond: int, tmp_path: Path) -> None:
    """A byte more is told as the size it may have; up to there the bytes are read and told as no key."""
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(16 * 1024 * 1024 + beyond)
    told = CliRunner().invoke(channel_keys, ["show", str(big), "--lang", "en"])
    assert told.exit_code == Malformed.exit_code
    assert ("more than 16777216 bytes" in told.output) == bool(beyond)


def test_what_stands_after_the_first_equals_sign_is_the_language() -> None:
    """A value with one more is no language, and is not cut to one."""
    assert language_asked(["--lang=zh=x"]) == "zh=x"
