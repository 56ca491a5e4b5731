"""``channel watch``: who is on, what is open, and the signed records by which a post is taken, handed over and left.

Whoever takes a post is shown what is open first and says so; the list is kept as a sealed note of the own side, with the
hash of the watch record. A handover carries both officers' signatures. The machine signs nothing by itself.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from msgspec import UNSET

from channel.cli.desk import desk, unlock
from channel.cli.entering import sayable
from channel.cli.group import Context, channel
from channel.cli.own_procedures import procedure_lines
from channel.cli.watch_plan import read_plan
from channel.cli.watch_status import Shown
from channel.client import drafts
from channel.client.client import Client, SeatKeys
from channel.client.home import DeskHome
from channel.client.procedures import read_procedures
from channel.client.watch import Post
from channel.protocol.charter import ORDER
from channel.protocol.people import Watch
from keys.documents import Member
from keys.envelope import sign
from keys.errors import Refused, WrongUse
from keys.plain import utc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RELIEVERS = ("official", "operator")
"""Roles of the second person where a post is taken without its holder (docs/protocol.md 11.5)."""

_yes = click.option("--yes", is_flag=True, help="The list was read; sign without being asked / 已核阅清单，不再询问")
_second = click.option("--second-passphrase-file", "second", type=click.Path(path_type=Path),
                       help="The other person's passphrase / 另一人的口令文件")  # fmt: skip


@channel.group(short_help="Posts: who is on, what is open / 值守：当班人员与待办事项")
def watch() -> None:
    """Who holds the posts of both sides and what is open; take, hand over or leave a post / 值守：查看、接班、交接班、离岗."""


@watch.command(short_help="Who is on, who is next, what is open / 当班人员与待办事项")
@click.pass_obj
def status(ctx: Context) -> None:
    """Show who holds each post, the newest signed act there, who is next, and what each side still waits for.

    显示双方当班人员、最近签署、下一班，以及双方尚待的收悉与答复。
    """
    asyncio.run(_status(ctx))


async def _status(ctx: Context) -> None:
    async with _at_post(ctx, "expert-1") as at:
        ctx.terminal.lines(at.shown.post_lines())
        ctx.terminal.lines(at.shown.open_lines())
        for item in at.shown.items():
            ctx.terminal.item(item)


@watch.command(short_help="This party's own procedures by level / 本方各级别处置程序")
@click.pass_obj
def procedures(ctx: Context) -> None:
    """List the texts of procedures.toml in this home; they are shown beside the time that is left / 列出本方处置程序."""
    home = DeskHome(ctx.home)
    home.close()
    found = read_procedures(home.path)
    for level in ORDER:
        if level in found:
            ctx.terminal.lines(procedure_lines(found, level, ctx.terminal.texts))
            ctx.terminal.item({"level": level, **found[level]})
    if not found:
        ctx.terminal.say("watch.no_procedures", path=ctx.home)


@watch.command(short_help="Take a post / 接班")
@click.option("--with", "with_", metavar="SEAT", help="Official or operator, where it is held / 官员或运行管理员")
@_second
@_yes
@click.pass_obj
def take(ctx: Context, /, with_: str | None, second: Path | None, **options: Any) -> None:
    """Take the own seat's post after reading what is open; where another person holds it, with an official or operator.

    核阅待办事项后接班；由他人当班时，须官员或运行管理员共同签署。
    """
    asyncio.run(_take(ctx, with_, second, yes=options["yes"]))


async def _take(ctx: Context, with_: str | None, second: Path | None, *, yes: bool) -> None:
    async with _at_post(ctx, "duty") as at:
        post = at.post()
        if post.holder is not None and post.holder.person == at.own.person:
            raise Refused("WATCH_OWN", seat=post.seat, time=utc(post.since or 0))
        if post.holder is not None and with_ is None:
            raise Refused("POST_HELD", seat=post.seat, who=at.shown.who(post), time=utc(post.since or 0))
        other = None if with_ is None else at.second(with_, second, RELIEVERS)
        await at.sign(Signing("take", post, on=at.person(), off=other), yes=yes)


@watch.command(short_help="Hand a post over, both sign / 交接班，双方签署")
@click.option("--to", "to", required=True, metavar="SEAT", help="The incoming officer, such as duty.2 / 接班值班员")
@click.option("--note", "text", default="", help="A note for the own side / 交接说明")
@click.option("--override", metavar="SEAT", help="An official signs in place of the outgoing officer / 由官员代签")
@_second
@click.option("--override-passphrase-file", "third", type=click.Path(path_type=Path),
              help="The official's passphrase / 官员的口令文件")  # fmt: skip
@_yes
@click.pass_obj
def handover(ctx: Context, /, **options: Any) -> None:
    """Hand the own post over to another officer of the seat: one record with both signatures, after reading what is open.

    将本岗位交给同席位的另一值班员：核阅待办事项后由双方签署。
    """
    asyncio.run(_handover(ctx, options))


async def _handover(ctx: Context, options: dict[str, Any]) -> None:
    async with _at_post(ctx, "duty") as at:
        post, note = at.held_post(), sayable(options["text"])
        incoming = at.second(options["to"], options["second"], ())
        if incoming.member.seat != post.seat:
            raise Refused("WATCH_SEAT", name=options["to"], seat=post.seat)
        unread = at.unread()
        if options["override"] is None:
            at.check_read()
            await at.sign(Signing("handover", post, incoming, at.person(), note), yes=options["yes"])
            return
        if not unread:
            raise Refused("OVERRIDE_IDLE")
        official = at.second(options["override"], options["third"], ("official",))
        if official.member.person == incoming.member.person:
            raise Refused("WATCH_SAME", name=options["override"])
        await at.sign(Signing("take", post, incoming, official, note, unread), yes=options["yes"])


@watch.command(short_help="Leave a post empty / 离岗")
@click.option("--note", "text", default="", help="A note for the own side / 说明")
@_yes
@click.pass_obj
def leave(ctx: Context, /, text: str, **options: Any) -> None:
    """Leave the own post with nobody to take it; asks first, and says what that means / 无人接班时离岗，先行询问."""
    asyncio.run(_leave(ctx, text, yes=options["yes"]))


async def _leave(ctx: Context, text: str, *, yes: bool) -> None:
    async with _at_post(ctx, "duty") as at:
        post = at.held_post()
        at.check_read()
        await at.sign(Signing("leave", post, off=at.person(), note=sayable(text)), yes=yes)


# --- one person at one desk -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """An unlocked member."""

    keys: SeatKeys
    member: Member


@dataclass(frozen=True, slots=True)
class Signing:
    """A watch record that is to be signed. ``unread``: message numbers that an override passes over."""

    op: Literal["take", "handover", "leave"]
    post: Post
    on: Person | None = None
    off: Person | None = None
    note: str = ""
    unread: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The word for it: a take with a second person has its own."""
        return "relieved" if self.op == "take" and self.off is not None else self.op


class AtPost:
    """The person at the desk, with the posts of the own side."""

    def __init__(self, ctx: Context, client: Client, shown: Shown) -> None:
        self._ctx, self._client, self.shown = ctx, client, shown

    @property
    def own(self) -> Member:
        """The member at this desk. ``Refused`` SIGNER for a key that is no current member's."""
        return self._member(self._client.keys)

    def _member(self, keys: SeatKeys) -> Member:
        member = self._client.view.fold.party(self._client.view.letter).members.get(keys.sign.kid)
        if member is None:
            raise Refused("SIGNER")
        return member

    def person(self) -> Person:
        """Whoever works here."""
        return Person(self._client.keys, self.own)

    def post(self) -> Post:
        """The post of the own seat, or ``Refused`` NO_POST."""
        own = [p for p in self.shown.posts if p.letter == self._client.view.letter]
        found = next((p for p in own if p.seat == self.own.seat), None)
        if found is None:
            raise Refused("NO_POST", seat=self._client.keys.seat, seats=", ".join(p.seat for p in own) or "-")
        return found

    def held_post(self) -> Post:
        """The post that this person holds; ``Refused`` WATCH_EMPTY, NOT_HOLDER."""
        post = self.post()
        if post.holder is None:
            raise Refused("WATCH_EMPTY", seat=post.seat)
        if post.holder.kid != self.own.kid:
            raise Refused("NOT_HOLDER", seat=post.seat, who=self.shown.who(post))
        return post

    def second(self, name: str, passphrase_file: Path | None, roles: tuple[str, ...]) -> Person:
        """Another person of this home; ``Refused`` WATCH_SAME, WATCH_ROLE where it is the same one, or no such role."""
        prompt = self._ctx.terminal.texts.say("cli.passphrase", seat=name)
        keys = unlock(self._client.home, name, passphrase_file or self._ctx.passphrase_file, prompt)
        if keys.sign.mode != self._client.keys.sign.mode:
            raise Refused("MODE")
        member = self._member(keys)
        if member.seat not in (keys.seat, keys.post):
            raise WrongUse("SEAT_KEY", seat=keys.seat, found=member.seat)
        if member.person == self.own.person:
            raise Refused("WATCH_SAME", name=name)
        if roles and member.role not in roles:
            texts = self._ctx.terminal.texts
            words = " / ".join(texts.say(f"code.role.{role}") for role in roles)
            raise Refused("WATCH_ROLE", name=name, roles=words)
        return Person(keys, member)

    def unread(self) -> tuple[str, ...]:
        """Numbers of what is at crisis or above and not received and read by this side."""
        return tuple(each.message.verdict.number for each in self.shown.owed if each.urgent)

    def check_read(self) -> None:
        """``Refused`` HANDOVER_CRISIS while there is such a message."""
        if numbers := self.unread():
            raise Refused("HANDOVER_CRISIS", numbers=", ".join(numbers))

    async def sign(self, signing: Signing, *, yes: bool) -> None:
        """Show what is open, ask, sign, and keep the list as a note. ``WrongUse`` WATCH_UNSIGNED without a yes."""
        ctx, client = self._ctx, self._client
        lines = self.shown.open_lines()
        ctx.terminal.lines(lines)
        if signing.op == "leave":
            ctx.terminal.say("watch.leave_means")
        if not yes and not (sys.stdin.isatty() and click.confirm(ctx.terminal.texts.say(f"watch.ask_{signing.op}"))):
            raise WrongUse("WATCH_UNSIGNED")
        document = Watch(
            chan=client.view.chan,
            seat=signing.post.seat,
            op=signing.op,
            on=UNSET if signing.on is None else signing.on.member.kid,
            off=UNSET if signing.off is None else signing.off.member.kid,
            ts=client.clock.now(),
        )
        signers = [person.keys.sign for person in (signing.on, signing.off) if person is not None]
        envelope = sign("watch", document, signers)
        await client.submit("watch", envelope, (), ())
        index = next(v.index for v in client.view.fold.display() if v.envelope and v.envelope.hash == envelope.hash)
        record = f"{client.view.fold.party(client.view.letter).code}:{index}"
        await drafts.note(client, self._noted(signing, record, envelope.hash, lines))
        ctx.terminal.say(f"watch.done_{signing.kind}", record=record, **self._named(signing))
        ctx.terminal.item({
            "record": record, "op": signing.op, "seat": signing.post.seat, "payload": envelope.hash,
            "on": None if signing.on is None else signing.on.member.person,
            "off": None if signing.off is None else signing.off.member.person,
            "override": bool(signing.unread),
        })  # fmt: skip

    def _noted(self, signing: Signing, record: str, payload: bytes, lines: list[str]) -> str:
        say = self._ctx.terminal.texts.say
        head = [say(f"watch.done_{signing.kind}", record=record, **self._named(signing))]
        head.append(say("watch.note_payload", payload=payload.hex()))
        if signing.unread:
            head.append(say("watch.note_override", numbers=", ".join(signing.unread)))
        if signing.note:
            head.append(say("watch.note_text", text=signing.note))
        return "\n".join([*head, *lines])

    def _named(self, signing: Signing) -> dict[str, str]:
        return {
            "post": self.shown.post_name(signing.post),
            "on": "-" if signing.on is None else self.shown.person(signing.on.member.person),
            "off": "-" if signing.off is None else self.shown.person(signing.off.member.person),
        }


@asynccontextmanager
async def _at_post(ctx: Context, seat: str) -> AsyncIterator[AtPost]:
    async with desk(ctx, seat) as client:
        plan, own = read_plan(client.home), read_procedures(client.home.path)
        yield AtPost(ctx, client, Shown(ctx, client, plan, own))
