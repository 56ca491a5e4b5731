"""A desk that is killed while it sends: what was kept goes again with the same bytes, and stands in the log once."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from channel.client.home import DeskHome
from channel.protocol.record import try_read
from keys.envelope import read_envelope
from keys.errors import Problem, Refused

TOP = Path(__file__).parents[2]
STEPS = ["before it is kept", "kept", "taken", "answered", "in the log", "before it is let go", "let go"]


async def killed_at(side, step):
    """Run a sending desk until it is dead; at ``taken`` the node has the record and the answer never leaves it."""
    gate = asyncio.Event()

    async def never(_path, raw):
        process.kill()
        await gate.wait()
        return raw

    if step == "taken":
        side.liar.lies = {"/submit": never}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.client.sender", str(side.folder), side.liar.url, step,
        cwd=TOP, env={**os.environ, "PYTHONPATH": str(TOP)}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    gate.set()
    side.liar.lies = {}
    assert process.returncode == -signal.SIGKILL, said.decode()


async def in_the_log(side):
    """The envelopes of US's messages, as its node holds them."""
    records = await side.b.own.records(0, side.b.sizes["b"])
    return [r.env for r in map(try_read, records) if r is not None and r.t == "msg"]


async def test_killed_at_each_step_of_sending(side):
    """Whatever the step: the next command sends what was kept, unchanged, and the log holds it exactly once."""
    count = 0
    for step in STEPS:
        await killed_at(side, step)
        home = DeskHome(side.folder)
        kept = [env for _, _, env, _ in home.queued()]
        home.close()
        if step != "in the log":  # by then the other node may have it too, and it is let go
            assert len(kept) == (step not in {"before it is kept", "let go"}), step
        count += step != "before it is kept"
        async with side.client() as us:
            await us.sync()
            for env in kept:
                await us.wait(read_envelope(env).hash, "delivered", 20)
            await us.sync()
            assert us.home.queued() == []
        found = await in_the_log(side)
        assert len(found) == len(set(found)) == count, step
        assert set(kept) <= set(found), step


async def test_a_home_is_for_one_process(side):
    """A home that another process holds is refused at once, and stays as it is."""
    async with side.client() as us:
        with pytest.raises(Refused, match="HOME_HELD"):
            DeskHome(side.folder)
        await us.sync()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in side.folder.iterdir() if path.name.startswith("desk.sqlite")]
    assert modes
    assert all(mode & 0o077 == 0 for mode in modes) or stat.S_IMODE(side.folder.stat().st_mode) == 0o700


async def test_a_damaged_file_of_a_home_is_told(side):
    """Each file of a home, cut or with a bit flipped: one error that is told, or work goes on as if nothing were."""
    async with side.client() as us:
        await us.sync()
    names = ["desk.toml", "founding.dcm", "node-cert.pem", "desk.sqlite"]
    whole = {name: (side.folder / name).read_bytes() for name in names}
    for name, raw in whole.items():
        for bad in (
            b"",
            raw[: len(raw) // 2],
            bytes([raw[0] ^ 1]) + raw[1:],
            raw[:100] + bytes([raw[100] ^ 0x80]) + raw[101:],
        ):
            (side.folder / name).write_bytes(bad)
            try:
                async with side.client() as us:
                    await us.sync()
                    assert us.view.chan == side.parties.chan  # the damage changed nothing that is believed
            except Problem as e:
                assert e.code
            except OSError as e:
                raise AssertionError((name, len(bad))) from e
            (side.folder / name).write_bytes(raw)
    async with side.client() as us:
        await us.sync()
