"""Faults: where a fault inside is said to be."""

from __future__ import annotations

import re

import pytest

from keys.faults import place_of
from keys.words import words


def test_a_fault_is_placed_in_this_program_alone() -> None:
    """The innermost line of ours that it came through; none of ours, no place."""
    with pytest.raises(TypeError) as fault:
        words(None)  # type: ignore[arg-type]
    assert re.fullmatch(r"words\.py:\d+", place_of(fault.value))
    assert place_of(ValueError()) == "?"
