"""A peer that asks by ever new paths: what is held of its tests stays small."""

from __future__ import annotations

from channel.node import asked
from channel.protocol import record
from tests.watch.days import Side
from tests.world import World


async def test_of_many_paths_the_newest_are_held(tmp_path):
    """Forty tests by forty paths: sixteen wait for an echo, those that were asked last."""
    world = World(2, seed="paths", cooling=0)
    side = Side(world, "a", tmp_path / "a.json")
    sent = [world.node("b", "node.test", record.Test(id=bytes([n]) * 16, path=f"way {n}", t1=1)) for n in range(40)]
    side.fold.add("b", [each.raw for each in sent])
    read = asked.TestsRead(side)
    await read.follow()
    assert list(read.open) == [f"way {n}" for n in range(40 - asked.PATHS, 40)]
