"""``make bench-quick``: what the core costs, as ratios from one run (docs/performance.md says how to read them).

One after the other, in rounds, on this machine: the cryptography and the disk syncs on the path alone; a bare relay of
two stores; our own path at one and at 32 in flight. The last lines are the ratios that the project holds itself to.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.bench import exchange, floor, relay

RECORD_BYTES = 24_000  # a message with its blob for fourteen readers, as the exchange makes them
WARM_UP = 30


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


async def one_round(folder, count, tell):
    """Figures of one round: milliseconds and rates."""
    tell("floor")
    base = await floor.measure(folder, RECORD_BYTES)
    tell("relay")
    one, _ = await relay.run(folder / "relay-1", os.urandom(RECORD_BYTES), count, 1)
    _, many = await relay.run(folder / "relay-32", os.urandom(RECORD_BYTES), 4 * count, 32)
    tell("exchange")
    async with exchange.running(folder) as (bench, _):
        await bench.run(*bench.prepare(WARM_UP)[:2], 1)
        messages, acks, desk = bench.prepare(count)
        ours, logged, _ = await bench.run(messages, acks, 1)
        messages, acks, _ = bench.prepare(4 * count)
        _, _, rate = await bench.run(messages, acks, 32)
    p50, p99 = statistics.median(ours) * 1000, quantile(ours, 0.99) * 1000
    return {
        "cryptography on the path, ms": base.crypto,
        "disk syncs on the path, ms": base.syncs,
        "relay, one in flight, p50 ms": statistics.median(one) * 1000,
        "relay, 32 in flight, a second": many,
        "ours, logged, p50 ms": statistics.median(logged) * 1000,
        "ours, round trip, p50 ms": p50,
        "ours, round trip, p99 ms": p99,
        "ours, one in flight, a second": 1 / statistics.mean(ours),
        "ours, 32 in flight, a second": rate,
        "desk: seal and sign a message, ms": desk["seal and sign"] * 1000,
        "desk: sign an acknowledgement, ms": desk["acknowledge"] * 1000,
        "ratio: p50 to cryptography and syncs (aim ≤ 2)": p50 / (base.crypto + base.syncs),
        "ratio: p99 to p50 (aim ≤ 3)": p99 / p50,
        "ratio: 32 in flight to one (aim ≥ 4)": rate * statistics.mean(ours),
        "ratio: p50 to the relay's": p50 / (statistics.median(one) * 1000),
    }


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=150, help="round trips at one in flight; four times as many at 32")
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    options = parser.parse_args()
    rounds = []
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=3 * options.rounds)

        def tell(name):
            progress.update(bar, advance=1, description=f"round {len(rounds) + 1}: {name}")

        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory(prefix="channel-bench-") as folder:
                rounds.append(asyncio.run(one_round(Path(folder), options.count, tell)))
    table = Table("", "median", "least", "most", box=None)
    for name in rounds[0]:
        values = [r[name] for r in rounds]
        table.add_row(name, *(f"{v:,.2f}" for v in (statistics.median(values), min(values), max(values))))
    Console().print(table)
    Console().print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {options.rounds} rounds"
    )
    if options.out:
        options.out.write_text(json.dumps(rounds, indent=1))


if __name__ == "__main__":
    main()
