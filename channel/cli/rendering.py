"""Records that are no messages, printed as ``channel.client.record_view`` words them."""

from __future__ import annotations

from channel.cli.group import Context
from channel.client.client import Client
from channel.client.record_view import record_item, record_number, rendered, standing, unrendered
from channel.protocol.verdicts import Verdict
from keys.errors import Refused


def show_record(ctx: Context, client: Client, verdict: Verdict) -> None:
    """One record in the reader's language; ``Refused`` NOT_COUNTED after one that the rules refuse."""
    terminal, texts = ctx.terminal, ctx.terminal.texts
    if lines := rendered(client, verdict, texts):
        terminal.lines(lines)
    else:
        terminal.block(*unrendered(client, verdict, texts))
    terminal.lines(standing(client, verdict, texts))
    terminal.item(record_item(client, verdict))
    if verdict.reason not in ("", "OPAQUE"):
        number = record_number(client, verdict)
        raise Refused("NOT_COUNTED", record=number, reason=texts.say(f"refused.{verdict.reason}"))
