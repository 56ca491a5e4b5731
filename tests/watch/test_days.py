"""Thirty simulated days with cut lines, absent officers, wrong clocks and restarts: no step is missed, none comes twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.watch.days import Days


@pytest.mark.parametrize("seed", [1])
@pytest.mark.timeout(300)
async def test_thirty_days(tmp_path, seed, campaign):
    """Each missed receipt has each of its steps once, in time, with its reason, on both logs; gaps have one alarm each."""
    days = Days(tmp_path, seed * campaign.seed, 30 * campaign.rounds, line_tests=True)
    await days.play()
    days.check()
    campaign.report(f"30 days, seed {seed}: " + ", ".join(f"{n} {what}" for what, n in sorted(days.counts.items())))
    reasons = {name for name in days.counts if name.startswith("reason ")}
    assert reasons == {"reason LINK", "reason NEN", "reason POST", "reason READ", "reason UNK"}
    assert min(days.counts[n] for n in ("line cuts", "absences", "restarts", "clock jumps", "gap alarms", "calls")) > 3


@settings(max_examples=12)
@given(seed=st.integers(100, 2**32))
async def test_any_two_days(tmp_path_factory, seed):
    """The same for any two days."""
    days = Days(tmp_path_factory.mktemp("days"), seed, 2, line_tests=True)
    await days.play()
    days.check()
