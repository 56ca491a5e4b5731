"""``channel log``: the records of both logs with their verdicts, and what comes after them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click

from channel.cli.desk import desk
from channel.cli.group import Context, channel
from channel.client import watch_record
from channel.client.client import Client
from channel.client.machine import detail
from channel.client.present import Names
from channel.client.typed import moment
from channel.protocol.people import Ack
from channel.protocol.verdicts import Verdict
from keys.plain import utc

COLUMNS = ("record", "time", "kind", "seat", "number", "status")


@channel.command()
@click.option("--since", metavar="TIME", help="Only later records: 2026-11-24 08:30 (UTC), or 30m ago / 起始时间")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C / 持续显示")
@click.pass_obj
def log(ctx: Context, since: str | None, follow: bool) -> None:  # noqa: FBT001  click calls it by name
    """List the records of both logs with their verdicts / 列出双方日志的记录及其判定."""
    try:
        asyncio.run(_log(ctx, since, follow=follow))
    except KeyboardInterrupt:
        if not follow:
            raise


async def _log(ctx: Context, since: str | None, *, follow: bool) -> None:
    async with desk(ctx) as client:
        start = 0 if since is None else moment(since, client.clock.now())
        seen = {(v.letter, v.index) for v in client.view.fold.display()}
        shown = [v for v in client.view.fold.display() if v.record is None or v.record.ts >= start]
        rows = [_row(ctx, client, v) for v in shown]
        ctx.terminal.table([ctx.terminal.texts.say(f"show.{h}") for h in COLUMNS], rows)
        _items(ctx, client, shown)
        while follow:
            async for name, _ in client.wire.feed(client.view.sizes()):
                if name not in ("grown", "note"):
                    continue
                await client.sync()
                news = [v for v in client.view.fold.display() if (v.letter, v.index) not in seen]
                seen |= {(v.letter, v.index) for v in news}
                ctx.terminal.rows(_row(ctx, client, v) for v in news)
                _items(ctx, client, news)


def _items(ctx: Context, client: Client, verdicts: Sequence[Verdict]) -> None:
    for v in verdicts:
        ctx.terminal.item({
            "record": f"{client.view.fold.party(v.letter).code}:{v.index}",
            "t": v.record.t if v.record else "",
            "ts": v.record.ts if v.record else 0,
            "state": client.view.state(v.letter, v.index),
            "reason": v.reason,
            "number": v.number,
            "detail": _detail(ctx, client, v),
            "signers": [s.seat for s in v.signers],
        })  # fmt: skip


def _detail(ctx: Context, client: Client, v: Verdict) -> str:
    """What a node's record or a watch record says, on one line."""
    return detail(client, v, ctx.terminal.texts) or watch_record.told(client, v, ctx.terminal.texts)


def _row(ctx: Context, client: Client, v: Verdict) -> tuple[str, ...]:
    say, names = ctx.terminal.texts.say, Names(client, ctx.terminal.texts)
    code = client.view.fold.party(v.letter).code
    t, ts = (v.record.t, v.record.ts) if v.record else ("leaf", 0)
    ack = say(f"state.{v.doc.step.replace('-', '_')}") if isinstance(v.doc, Ack) else ""
    what = v.number or ack or _detail(ctx, client, v)
    state = say(f"state.{client.view.state(v.letter, v.index)}")
    verdict = say("state.refused", reason=say(f"refused.{v.reason}")) if v.reason else state
    who = ", ".join(names.seat(v.letter, s.seat) for s in v.signers)
    kind = say(f"record.{t}") if f"record.{t}" in ctx.terminal.texts else t
    return f"{code}:{v.index}", utc(ts).removesuffix(" UTC") if ts else "", kind, who, what, verdict
