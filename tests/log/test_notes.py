"""Which notes must stay for ever, rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel.log.notes import COSIGNED, DAY, EVERY, EXPORTED, NoteKey, may_go
from keys.errors import Malformed, WrongUse


def quick(size):
    return NoteKey(size, anchor=False)


def anchor(size, at):
    return NoteKey(size, anchor=True, at=at)


def kept(*keys, cosigned=True):
    return {key: frozenset({COSIGNED} if cosigned else ()) for key in keys}


def test_newer_than_the_peers():
    """Nothing above the peer's last cosigned size may go, of either kind."""
    notes = kept(quick(5), anchor(5, 9), quick(6), quick(7), anchor(7, 10), cosigned=False)
    assert may_go(notes, 5, None) == {quick(5), anchor(5, 9)}


def test_last_anchor_of_each_day():
    """Of each UTC day the last anchor stays."""
    days = [
        anchor(size, day * DAY + second) for size, (day, second) in enumerate([(1, 0), (1, 5), (2, 0), (3, 0), (3, 9)])
    ]
    notes = kept(*days) | kept(quick(900))
    assert may_go(notes, 900, days[-1]) == {days[0], days[3]}


def test_each_65536_records():
    """For each multiple of 65,536 the first anchor of at least that size stays, and no anchor below the first one."""
    same_day = [
        anchor(EVERY - 1, 1),
        anchor(EVERY, 2),
        anchor(EVERY + 1, 3),
        anchor(3 * EVERY + 7, 4),
        anchor(3 * EVERY + 8, 5),
    ]
    last = anchor(3 * EVERY + 9, 6)
    assert may_go(kept(*same_day, last), 10**9, last) == {same_day[0], same_day[2], same_day[4]}


def test_exported():
    """An anchor that an export used stays."""
    notes = kept(anchor(1, 1), anchor(2, 2), anchor(3, 3))
    notes[anchor(1, 1)] |= {EXPORTED}
    assert may_go(notes, 9, anchor(3, 3)) == {anchor(2, 2)}


def test_closed_pair():
    """From the own half of the newest closed pair on, every cosigned anchor stays; without a pair all do."""
    notes = kept(*(anchor(n, n) for n in range(1, 6)))
    assert may_go(notes, 9, anchor(3, 3)) == {anchor(1, 1), anchor(2, 2)}
    assert may_go(notes, 9, None) == set()


def test_newest_of_each_kind():
    """The newest note stays, and beside it the newest cosigned quick note and anchor."""
    notes = kept(quick(1), quick(2), anchor(2, 2), anchor(3, 3)) | kept(quick(4), quick(5), cosigned=False)
    assert may_go(notes, 9, anchor(3, 3)) == {quick(1), anchor(2, 2), quick(4)}
    assert may_go({}, 0, None) == set()


KEYS = st.one_of(
    st.builds(quick, st.integers(0, 300_000)),
    st.builds(anchor, st.integers(0, 300_000), st.integers(1, 5 * DAY)),
)


@given(
    st.dictionaries(KEYS, st.frozensets(st.sampled_from([COSIGNED, EXPORTED])), max_size=30), st.integers(0, 300_000)
)
def test_dropping_once_is_enough(notes, peer):
    """What stays after one round stays in the next, and the newest note is never among what goes."""
    gone = may_go(notes, peer, None)
    left = {key: marks for key, marks in notes.items() if key not in gone}
    assert may_go(left, peer, None) == set()
    assert not notes or max(notes) in left


@given(KEYS)
def test_key_of_a_field(key):
    """A key is read back from the store as it was."""
    assert NoteKey.read(key.field()) == key


@pytest.mark.parametrize(
    "field",
    ["", "1", "01/quick/0", "1/quick/1", "1/anchor/0", "1/other/0", "-1/quick/0", "1/quick/0/cosigned", "1/quick/0\n"],
)
def test_other_fields(field):
    """Anything else in the store is no note."""
    with pytest.raises(Malformed):
        NoteKey.read(field)


def test_impossible_keys():
    """A quick note has no time, an anchor has one."""
    for size, is_anchor, at in ((1, False, 5), (1, True, 0), (-1, False, 0), (1, True, -1)):
        with pytest.raises(WrongUse):
            NoteKey(size, anchor=is_anchor, at=at)
