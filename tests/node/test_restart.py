"""A node that is started again goes on where its peer is, however long its log."""

from __future__ import annotations

import io

from channel.node.app import serving
from channel.node.state import State
from tests.cli.running import LIMITS
from tests.node.parties import CLOCK, Parties, until

MESSAGES, BYTES = 76, 60_000  # together more than one batch may hold


async def test_more_than_a_batch_was_delivered_before(tmp_path, need):
    """Older notes are not kept, so nothing but what the peer has not got yet can be sent; and that is what is sent."""
    need("embedded-valkey")
    parties = Parties(tmp_path / "trial", limits=LIMITS)
    for again in (False, True):
        async with (
            serving(parties.nodes["CN"], CLOCK, out=io.StringIO()) as one,
            serving(parties.nodes["US"], CLOCK, out=io.StringIO()) as two,
        ):
            us = next(iter(two.stations.values()))
            await until(lambda us=us: us.opened and us.state is State.ACTIVE, one, two)
            async with parties.desk("US") as desk:
                for _ in range(1 if again else MESSAGES):
                    index, _ = await desk.send(size=BYTES)
                await until(lambda us=us, index=index: us.delivered > index, one, two)
                await desk.wire.anchor()
            await us.drop_old_notes()  # as every heartbeat does, after a while
