"""Errors: where a fault inside is said to be."""

from __future__ import annotations

import re

import pytest

from keys.codec import unpack
from keys.errors import place_of


def test_a_fault_is_placed_in_this_program_alone() -> None:
    """The innermost line of ours that it came through; none of ours, no place."""
    with pytest.raises(TypeError) as fault:
        unpack(None)  # type: ignore[arg-type]
    assert re.fullmatch(r"codec\.py:\d+", place_of(fault.value))
    assert place_of(ValueError()) == "?"
