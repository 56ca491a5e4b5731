"""``make bench-timers``: what 200 open cases with all their deadlines cost a node (processor time, from one run).

Two hundred cases, levels in turn, four messages in each, none acknowledged: 800 messages with three to five receipts each
wait. The watch is the product's own over a real fold; a look with nothing new, a look after a record of the other side,
and a whole simulated day of looks are measured beside the cost of folding one record.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.watch.days import DAY, Side
from tests.world import World

CASES, LEVELS = 200, ("routine", "attention", "consultation", "serious")
SLICE = 5.0  # seconds between looks of an idle node
LOOKS = 400


def busy(folder: Path) -> Side:
    """A side with all cases open, everything received by the other side and known here."""
    world = World(2, seed="timers", cooling=0)
    side = Side(world, "a", folder / "a.json")
    for n in track(range(CASES), "cases"):
        level = LEVELS[n % len(LEVELS)]
        cosign = ("duty",) if level in ("consultation", "serious") else ()
        first = side.act(lambda seen, c=cosign, v=level: world.send("a", "expert1", "F03", c, seen=seen, level=v))
        for fmt in ("F06", "F04", "F04"):
            side.act(lambda seen, c=first, f=fmt, v=level: world.send(
                "a", "expert1", f, ("duty",), seen=seen, level=v, case=c.ph, reply_by=700_000))  # fmt: skip
    receive(side)
    return side


def receive(side: Side) -> None:
    """One record of the other side that has seen everything."""
    sent = side.world.sync("b")
    side.fold.add("b", [sent.raw])
    side.replica = len(side.world.logs["b"])


async def measure() -> list[tuple[str, float]]:
    """(what, processor ms)."""
    with tempfile.TemporaryDirectory() as folder:
        side = busy(Path(folder))
        await side.look()
        idle = [await timed(side) for _ in track(range(LOOKS), "idle looks")]
        grown, fold = [], []
        for _ in track(range(LOOKS // 4), "looks after a record"):
            start = time.process_time()
            receive(side)
            fold.append((time.process_time() - start) * 1000)
            grown.append(await timed(side))
        open_ = side.watch.waiting()
        start, records = time.process_time(), len(side.world.logs["a"])
        for _ in track(range(24), "a day"):
            for _ in range(12):  # a look every five minutes of the day, and whenever something is due
                side.clock.advance(DAY // 288)
                await side.look()
        day = (time.process_time() - start) * 1000
        steps = len(side.world.logs["a"]) - records
    each = statistics.median(idle)
    return [
        ("receipts that are waited for", open_),
        ("a look with nothing new, ms", each),
        ("share of one processor at a look every 5 s, %", each / SLICE / 10),
        ("a look after one record of the other side, ms", statistics.median(grown)),
        ("folding that record, ms", statistics.median(fold)),
        ("a day's looks with all steps written, ms", day),
        ("steps written in it", steps),
        ("for each step, its folding included, ms", day / max(1, steps)),
    ]


async def timed(side: Side) -> float:
    start = time.process_time()
    await side.look()
    return (time.process_time() - start) * 1000


def main() -> None:
    """Print the table."""
    rows = asyncio.run(measure())
    table = Table("figure", "value", title=f"{CASES} open cases, four messages in each, nothing acknowledged")
    for what, value in rows:
        table.add_row(what, f"{value:,.0f}" if value >= 100 else f"{value:.3g}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
