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
from channel.cli.present import Names, as_item, find, status
from channel.cli.times import seconds
from channel.client import drafts
from channel.client.client import Client
from channel.client.composing import Draft, header_of, seal_keys
from channel.client.seats import by_name
from channel.client.view import LETTERS
from channel.i18n import Texts
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


def find_case(client: Client, ref: str) -> MessageView:
    """The opening message of the case that a REF stands in; ``WrongUse`` NO_CASE."""
    message = find(client, ref)
    if message.case is None:
        raise WrongUse("NO_CASE", ref=ref)
    return client.find(message.case)


def cosigners(client: Client, seats: str | None) -> tuple[bytes, ...]:
    """Signing key ids of the seats; ``WrongUse`` NO_SEAT with those that there are, SELF_APPROVAL for the own one."""
    if seats is None:
        return ()
    members = client.view.fold.party(client.view.letter).members
    named = by_name(client.view.fold.party(client.view.letter))
    own = members[client.keys.sign.kid]
    kids = []
    for seat in dict.fromkeys(part.strip() for part in seats.split(",") if part.strip()):
        if seat not in named:
            raise WrongUse("NO_SEAT", seat=seat, seats=", ".join(named))
        if named[seat].person == own.person:
            raise Refused("SELF_APPROVAL", seat=seat)
        kids.append(named[seat].kid)
    return tuple(kids)


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
            raise worded(ctx, e) from e
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


def worded(ctx: Context, problem: Refused) -> Refused:
    """The same problem, with the signatures that are needed in words."""
    if problem.code != "SIGNERS_NEEDED":
        return problem
    slots: Any = problem.values["need"]
    return Refused("SIGNERS_NEEDED", need=need(ctx.terminal.texts, slots))


def need(texts: Texts, slots: tuple[tuple[str, ...], ...]) -> str:
    """Who has to sign, in words: one role or several to choose from, for each signature."""
    say, zh = texts.say, texts.lang == "zh"

    def one(slot: tuple[str, ...]) -> str:
        roles = [role.partition("@") for role in slot]
        words = [say(f"code.role.{role}") + (f" ({seat})" if seat else "") for role, _, seat in roles]
        return (" 或 " if zh else " or ").join(words)

    return " + ".join(f"({one(slot)})" if len(slot) > 1 else one(slot) for slot in slots)


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
    ctx.terminal.say("cli.drafted", did=waiting.did.hex()[:8], seats=seats(client, waiting.missing, ctx))
    ctx.terminal.item(draft_item(client, waiting))


def seats(client: Client, kids: tuple[bytes, ...], ctx: Context) -> str:
    """Seats of the own side by key ids, in the roster's order."""
    names = Names(client, ctx.terminal.texts)
    members = by_name(client.view.fold.party(client.view.letter)).values()
    found = [names.place(client.view.letter, member) for member in members if member.kid in kids]
    return ("、" if ctx.terminal.lang == "zh" else ", ").join(found) or "-"


def draft_item(client: Client, waiting: drafts.Waiting) -> dict[str, Any]:
    """A draft as one JSON object."""
    members = client.view.fold.party(client.view.letter).members
    said = waiting.said
    return {
        "draft": waiting.did,
        "seat": waiting.author.seat,
        "state": drafts.state(client, waiting),
        "format": None if said is None else said.payload.fmt,
        "level": None if said is None else said.payload.level,
        "signed": [members[k].seat for k in waiting.signers if k in waiting.signatures and k in members],
        "missing": [members[k].seat for k in waiting.missing if k in members],
        "ended_by": waiting.ended_by or None,
        "comments": waiting.comments,
        "body": None if said is None else said.opened.body,
    }
