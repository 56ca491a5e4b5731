"""The byte budget of coded messages: what the line has to carry until one is delivered, whatever its words."""

from __future__ import annotations

from channel.cli.sending import readers
from channel.client.composing import Draft, compose
from tests.bench.coded import CASES, LIMITS, all_bytes, metered
from tests.node.parties import CLOCK

VALUES = {"time": 1_795_593_600_000, "category": "CII", "case": "US-2026-000001"}


async def test_a_coded_message_stays_within_its_budget_of_bytes(tmp_path, need):
    """Request and answer with a quick note: 10 KiB for four wraps and one signature, 16 KiB for five and two."""
    need("embedded-valkey")
    found = await all_bytes(tmp_path)
    assert {name: m.parts["signatures of people"] // 3_373 for name, m in found.items()} == dict(
        zip(LIMITS, (1, 2), strict=True)
    )
    assert {name: m.parts["wraps"] // 1_168 for name, m in found.items()} == dict(zip(LIMITS, (4, 5), strict=True))
    over = {name: m.carried for name, m in found.items() if m.carried > LIMITS[name]}
    assert over == {}


async def test_every_entry_of_the_code_book_is_sealed_to_equally_many_bytes(tmp_path, need):
    """No entry, with its values filled in, is longer on the line than another: its length tells nothing."""
    need("embedded-valkey")
    async with metered(tmp_path) as (_, desk):
        await desk.sync()
        for name, (to, _) in CASES.items():
            sizes = {}
            for entry, text in desk.book().coded.items():
                slots = {slot: VALUES[kind] for slot, kind in text.slots.items()}
                body = {"entry": entry} | ({"slots": slots} if slots else {})
                draft = Draft(fmt="F13", body=body, lang="zh", single=True, to=readers(desk, to))
                sealed = compose(desk.view, desk.keys.sign, 0x0101, draft, CLOCK.now(), desk.random).sealed
                sizes[entry] = len(sealed.blob)
            assert len(sizes) == 16
            assert len(set(sizes.values())) == 1, (name, sizes)
