"""One process with an actual and an exercise channel: apart in everything, and a crossing is seen as one."""

from __future__ import annotations

import asyncio
import io
import shutil

import pytest

from channel.log.journal import Journal
from channel.node.app import serving
from channel.node.station import origins_of
from channel.protocol.record import Alarm, try_read
from keys.codec import unpack
from keys.errors import Refused
from tests.node.parties import CLOCK, Parties


def join(first, second):
    """Let the nodes of the first trial serve the second one's channel too, on the same listeners and in the same files."""
    for code, home in first.nodes.items():
        shutil.copy(second.nodes[code] / "founding.dcm", home / "second.dcm")
        shutil.copy(second.nodes[code] / "keys.dcm", home / "second-keys.dcm")
        other = "US" if code == "CN" else "CN"
        with (home / "node.toml").open("a") as toml:
            toml.write(
                f'\n[[channel]]\nfounding = "second.dcm"\nkeys = "second-keys.dcm"\npeer_cert = "peer-cert.pem"\n'
                f'peer_urls = ["{first.peer_url(other)}"]\n'
            )
        origins = origins_of(second.chan, second.letter(code))
        with Journal.open(home / "journal.sqlite") as journal:
            journal.start(origins.own, "sign")
            journal.start(origins.side, "sign")
            journal.start(origins.peer, "cosign")
    second.nodes, second.ports = first.nodes, first.ports


async def test_exercise_message_is_refused_by_the_actual_channel(tmp_path, need):
    """Both channels work; what was made for the exercise is refused in the actual one, noted once, and vice versa."""
    need("embedded-valkey")
    actual, exercise = Parties(tmp_path / "actual", mode=1), Parties(tmp_path / "exercise", mode=2)
    join(actual, exercise)
    async with (
        serving(actual.nodes["CN"], CLOCK, out=io.StringIO()) as cn,
        serving(actual.nodes["US"], CLOCK, out=io.StringIO()) as us,
    ):
        stations = [*cn.stations.values(), *us.stations.values()]
        async with asyncio.timeout(30):
            while not all(s.opened for s in stations):
                for node in (cn, us):
                    if node.ended.done():
                        node.ended.result()
                await asyncio.sleep(0.05)
        async with actual.desk("US") as real, exercise.desk("US") as drill:
            for own, foreign in ((real, drill), (drill, real)):
                await own.send("in its own channel")
                env, blob, _ = foreign.message("in the wrong one")
                with pytest.raises(Refused) as e:
                    await own.wire.submit("msg", env, [blob])
                assert e.value.code == "MODE"
            await asyncio.sleep(1.0)
            for desk in (real, drill):
                read = [try_read(raw) for raw in await desk.all_records("b")]
                assert [unpack(r.env, Alarm).count for r in read if r.t == "node.alarm"] == [1]
                assert sum(r.t == "msg" for r in read) == 1
