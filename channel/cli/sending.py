"""How every message leaves a desk: options that all such commands share, and the one way out.

With ``--cosign`` the message becomes a draft that waits for those seats; else it goes, and the command waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from channel.cli.group import Context
from channel.client import drafts, typed
from channel.client.client import Client
from channel.client.composing import Draft, header_of, seal_keys
from channel.client.present import Names, as_item, need, status, worded
from channel.client.seats import by_name
from channel.client.typed import seconds
from channel.client.view import LETTERS
from channel.protocol.verdicts import MessageView
from keys.errors import NotDelivered, Refused, WrongUse

F = TypeVar("F", bound=Callable[..., Any])
_LIMITS = ["RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR"]

_OPTIONS = (
    click.option("--cosign", metavar="SEATS", help="Further signers, with commas / 会签席位，以逗号分隔"),
    click.option("--lang-of-text", "text_lang", type=click.Choice(["en", "zh"]), help="Authentic language / 作准语言"),
    click.option("--tlp", type=click.Choice(_LIMITS), help="Sharing limit / 传播范围"),
    click.option("--pap", type=click.Choice([x for x in _LIMITS if "+" not in x]), help="Action limit / 使用限制"),
    click.option(
        "--wait",
        type=click.Choice(["logged", "delivered", "anchored", "read"]),
        default="delivered",
        show_default=True,
        help="Until it is / 等待至",
    ),
    click.option("--timeout", "within", default="30s", show_default=True, help="How long to wait / 等待时间"),
    click.option("--stale-ok", is_flag=True, help="Send though the other side was not heard of lately / 仍然发送"),
)
_BODY = (
    click.option("--set", "given", multiple=True, metavar="FIELD=VALUE", help="A field of the format / 格式字段"),
    click.option("--body", "file", type=click.Path(path_type=Path), help="Fields as a JSON file / JSON 字段文件"),
)


def sending(command: F) -> F:
    """The options of a command that sends."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_body(command: F) -> F:
    """The options that fill a body."""
    for option in reversed(_BODY):
        command = option(command)
    return command


def language(client: Client, options: dict[str, Any]) -> Any:
    """The authentic language: as asked, else the party's."""
    return options["text_lang"] or client.view.charter.party(client.view.letter).lang


def cosigners(client: Client, seats: str | None) -> tuple[bytes, ...]:
    """Signing key ids of the seats; ``WrongUse`` NO_SEAT with those that there are, SELF_APPROVAL for the own one."""
    if seats is None:
        return ()
    return typed.cosigners(client, tuple(dict.fromkeys(part.strip() for part in seats.split(",") if part.strip())))


def readers(client: Client, seats: str | None) -> tuple[bytes, ...] | None:
    """Seal key ids of seats such as "us:expert-1,cn:duty"; None where nobody was named. ``WrongUse`` NO_SEAT.

    A seat stands for all who sit in it, one with a number ("cn:duty.2") for that person alone.
    """
    if seats is None:
        return None
    names = {m.kid: name for x in LETTERS for name, m in by_name(client.view.fold.party(x)).items()}
    seated: dict[str, set[bytes]] = {}
    for kid, (code, member) in seal_keys(client.view).items():
        for name in (member.seat, names[member.kid]):
            seated.setdefault(f"{code.lower()}:{name}", set()).add(kid)
    named = [part.strip().lower() for part in seats.split(",") if part.strip()]
    for seat in named or [seats.strip()]:
        if seat not in seated:
            raise WrongUse("NO_SEAT", seat=seat, seats=", ".join(seated))
    return tuple(set[bytes]().union(*(seated[seat] for seat in named)))


async def hand_in(ctx: Context, client: Client, draft: Draft, options: dict[str, Any]) -> MessageView | None:
    """Send a message and wait as asked; with co-signers it becomes a draft, and None is returned."""
    within = seconds(options["within"])
    check_fresh(ctx, client, stale_ok=options["stale_ok"])
    if draft.cosign:
        try:
            waiting = await drafts.propose(client, draft)
        except Refused as e:
            raise worded(e, ctx.terminal.texts) from e
        tell_draft(ctx, client, waiting)
        return None
    header = header_of(client.view, client.keys.sign.kid, client.keys.seal.public.suite, draft, 0, bytes(16))
    slots = client.view.fold.slots(client.view.letter, header)
    if len(slots) > 1:
        raise Refused("SIGNERS_NEEDED", need=need(ctx.terminal.texts, slots))
    sent = await client.send(draft)
    return await tell_sent(ctx, client, sent, options["wait"], within)


def check_fresh(ctx: Context, client: Client, *, stale_ok: bool) -> None:
    """Ask before sealing where the other side's newest signed time is old."""
    age = client.view.age(client.clock.now())
    if age <= client.view.stale_after() or stale_ok:
        return
    said = ctx.terminal.texts.duration(age)
    if not sys.stdin.isatty() or not click.confirm(ctx.terminal.texts.say("channel.stale_ask", age=said)):
        raise Refused("STALE_LINK", age=f"{age} s")


def tell_suspended(ctx: Context, client: Client) -> None:
    """While exchanges are suspended: that they are, and what stays open."""
    if client.view.fold.suspended():
        ctx.terminal.say("channel.suspended")
        ctx.terminal.say("channel.suspended_open")


async def tell_sent(ctx: Context, client: Client, sent: MessageView, state: Any, within: float) -> MessageView:
    """Wait until the message came so far, and say so; ``NotDelivered`` NOT_YET after ``within`` seconds."""
    try:
        message = await client.wait(sent.ph, state, within)
    except NotDelivered:
        said = ctx.terminal.texts.say(f"state.{state}")
        raise NotDelivered("NOT_YET", number=sent.verdict.number, state=said, seconds=f"{within:g}") from None
    ctx.terminal.say("cli.sent", number=message.verdict.number, state=status(client, message, ctx.terminal.texts))
    ctx.terminal.item(as_item(client, message))
    return message


def tell_draft(ctx: Context, client: Client, waiting: drafts.Waiting) -> None:
    """A draft's id and who still has to sign."""
    ctx.terminal.say(
        "cli.drafted", did=waiting.did.hex()[:8], seats=Names(client, ctx.terminal.texts).signers(waiting.missing)
    )
    ctx.terminal.item(drafts.draft_item(client, waiting))
