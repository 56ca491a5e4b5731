"""A carried file as printed lines: read back as typed, and every typing error named by its line."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel.client import printed
from channel.client.printed import from_lines, is_printed, to_lines
from keys.errors import Malformed, Refused

RAW = random.Random(7).randbytes(1_003)
LINES = to_lines(RAW)


def refusal(lines):
    with pytest.raises(Malformed) as e:
        from_lines("\n".join(lines))
    return e.value.code, e.value.values.get("lines", "")


@given(st.binary(min_size=1, max_size=400))
def test_what_is_printed_is_read_back(raw):
    """Any file is read back from its lines, in capitals or not, with other spaces, empty lines and any order of lines."""
    lines = to_lines(raw)
    assert from_lines("\n".join(lines)) == raw
    assert from_lines("\r\n\r\n".join(line.lower().replace(" ", "\t  ") for line in lines)) == raw
    assert from_lines("\n".join([lines[0], *reversed(lines[1:])])) == raw
    squeezed = [lines[0], *(f"{line[:5]}{line[5:].replace(' ', '')}" for line in lines[1:])]
    assert from_lines("\n".join(squeezed)) == raw


def test_a_printed_file_is_known_by_its_first_line():
    """Text is told from the binary file, in whatever case it was typed; an empty file is neither."""
    assert is_printed("\n".join(LINES).encode())
    assert is_printed(f"\n {LINES[0].lower()}".encode())
    assert not is_printed(b"DCXCARRY\0\0\0\1x")
    assert not is_printed(b"")


def test_lines_are_short_and_plain():
    """A line has at most 84 characters of capitals, digits and spaces, numbered from 1."""
    assert max(map(len, LINES)) <= 84
    assert all(set(line) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ") for line in LINES)
    assert [int(line.split()[0]) for line in LINES[1:]] == list(range(1, len(LINES)))


def test_digits_that_look_like_letters_are_read_as_them():
    """0, 1 and 8 stand for O, I and B, which base32 has."""
    swapped = [LINES[0]]
    swapped += [line[:5] + line[5:].translate(str.maketrans("OIB", "018")) for line in LINES[1:]]
    assert swapped != LINES
    assert from_lines("\n".join(swapped)) == RAW


def test_a_wrong_letter_is_named_by_its_line():
    """Each single changed letter of the numbered lines is found, and its line is named."""
    drawn = random.Random(3)
    for at in range(1, len(LINES)):
        place = drawn.choice([i for i, char in enumerate(LINES[at]) if i > 4 and char != " "])
        other = drawn.choice([c for c in "ACDEFGHJKLMNPQRSTUVWXYZ234567" if c != LINES[at][place]])
        changed = LINES[at][:place] + other + LINES[at][place + 1 :]
        assert refusal([*LINES[:at], changed, *LINES[at + 1 :]]) == ("CARRY_LINES", str(at)), (changed, LINES[at])


def test_missing_doubled_and_swapped_lines_are_named():
    """A line that is missing, cut, of another number, or no line at all; all of them at once, in their order."""
    assert refusal([*LINES[:4], *LINES[5:]]) == ("CARRY_LINES", "4")
    assert refusal([*LINES[:4], LINES[4][:30], *LINES[5:]]) == ("CARRY_LINES", "4")
    renumbered = f"0009{LINES[4][4:]}"
    assert refusal([*LINES[:4], renumbered, *LINES[5:]]) == ("CARRY_LINES", "4, 9")
    assert refusal([*LINES[:2], "well then", "0003", *LINES[4:], "9999 AAAA BBBB"]) == (
        "CARRY_LINES", f"2, 3, {len(LINES)}",
    )  # fmt: skip
    assert from_lines("\n".join([*LINES, LINES[3]])) == RAW  # typed twice, and right: no harm


@pytest.mark.parametrize(
    "first", ["", "DCXCARRY 2 26 AAAAAAAA", "DCXCARRY 1 0 AAAAAAAA", "DCXCARRY 1 99999 AAAAAAAA", "DCXCARRY 1 x y"]
)
def test_a_first_line_that_can_not_be_read(first):
    """Another version, no count, a count beyond what is printed: one error."""
    assert refusal([first, *LINES[1:]])[0] == "CARRY_FIRST_LINE"


def test_lines_of_two_files_are_told_by_the_first_line():
    """Good lines of another file pass line by line and fail as a whole."""
    other = to_lines(RAW[:-1] + b"?")
    assert refusal([other[0], *LINES[1:]]) == ("CARRY_FIRST_LINE", "")


def test_what_is_too_long_is_not_printed():
    """Beyond 65,536 bytes there is one error; at the limit there are 1,639 lines."""
    assert len(to_lines(bytes(printed.MAX_BYTES))) == 1_640
    with pytest.raises(Refused, match="CARRY_SIZE"):
        to_lines(bytes(printed.MAX_BYTES + 1))
