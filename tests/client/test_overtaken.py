"""Two officers of one seat at once: the record that came second is told to its own author as not counted."""

from __future__ import annotations

import asyncio
import io
import shutil
from dataclasses import replace

from channel.cli.demo import at_desk
from channel.cli.desk import unlock
from channel.node.app import serving
from channel.protocol.people import Watch
from keys.envelope import sign
from keys.errors import Refused
from tests.node.conftest import Pair
from tests.node.parties import CLOCK, Parties


async def test_what_another_record_overtook_is_told_as_refused(tmp_path, need):
    """Both take one empty post at the same moment: exactly one has it, and the other is told so, whatever stands in the log."""
    need("embedded-valkey")
    parties, logs = Parties(tmp_path / "trial"), [io.StringIO(), io.StringIO()]
    first = parties.sides[1]
    second = replace(first, desk=tmp_path / "second" / "desk")
    async with (
        serving(parties.nodes["CN"], CLOCK, out=logs[0]) as cn,
        serving(parties.nodes["US"], CLOCK, out=logs[1]) as us,
    ):
        pair = Pair(parties, (cn, us), logs)
        await pair.until(lambda: pair.a.opened and pair.b.opened)
        shutil.copytree(first.desk, second.desk)
        (second.desk / "desk.toml").write_text(f'party = "US"\nnode_url = "{us.desk_url}"\n')
        async with at_desk(first) as one, at_desk(second) as two:
            await one.switch(unlock(one.home, "duty", None))
            await two.switch(unlock(two.home, "duty.2", None))
            await asyncio.gather(one.sync(), two.sync())

            async def take(client):
                kid = client.keys.sign.kid
                doc = Watch(chan=client.view.chan, seat="duty", op="take", on=kid, ts=client.clock.now())
                await client.submit("watch", sign("watch", doc, [client.keys.sign]), (), ())

            done = await asyncio.gather(take(one), take(two), return_exceptions=True)
            assert sorted(isinstance(each, Refused) for each in done) == [False, True]
            (told,) = [each for each in done if each is not None]
            assert told.code == "WATCH"
            await asyncio.gather(one.sync(), two.sync())
            (holder,) = [c.keys.sign.kid for c, each in zip((one, two), done, strict=True) if each is None]
            assert pair.b.fold.known().sides[1].posts[-1][1] == {"duty": holder}
