"""``channel link``: the state of the line, line tests by people (F01), and carrying by hand when the line is down.

A human line test is answered with ``channel link test --answer REF TEXT``: an F01 that refers to it. The automatic tests
of the nodes stand beside it and are nobody's message.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from channel.cli.desk import desk
from channel.cli.files import read_file
from channel.cli.group import Context, channel
from channel.cli.sending import hand_in, language, readers
from channel.client import linetests, printed
from channel.client.client import Client
from channel.client.composing import Draft
from channel.client.present import as_item, find, payload_of
from channel.client.typed import sayable, seconds
from channel.i18n import Texts
from channel.protocol.append import MAX_REQUEST, carry_unpack, read_request
from channel.protocol.note import parse
from channel.protocol.verdicts import MessageView
from keys.errors import Malformed, NotDelivered, Refused, Unverified, WrongUse
from keys.keyring import write_file
from keys.plain import utc

KINDS = ["HUM", "ALT", "SIT"]
STATES = {"ACTIVE": "active", "DEGRADED": "limited", "FROZEN_PEER": "frozen", "HALTED": "halted"}
ANSWER = ".answer"
LOOK_SECONDS = 0.2


@channel.group(short_help="The line to the other side / 与对方的线路")
def link() -> None:
    """The line to the other side: its state, line tests, carrying by hand / 与对方的线路：状态、线路测试、人工携带."""


# --- status -----------------------------------------------------------------------------------------------------------


@link.command(short_help="State of the line and newest line tests / 线路状态与最近测试")
@click.pass_obj
def status(ctx: Context) -> None:
    """Show when the other side was heard, what waits for it, and the newest line tests of both sides / 显示线路状态与双方最近的线路测试."""
    asyncio.run(_status(ctx))


async def _status(ctx: Context) -> None:
    async with desk(ctx) as client:
        say, now = ctx.terminal.say, client.clock.now()
        line = await client.wire.link()
        age = client.view.age(now)
        stale, waiting = age > client.view.stale_after(), line["size"] - line["delivered"]
        say(f"channel.{STATES.get(line['state'], 'recovering')}")
        say("channel.stale" if stale else "link.alive", time=utc(now - 1000 * age))
        say("link.waiting", count=waiting)
        say("link.address", number=line["address"], count=line["addresses"])
        tests = linetests.newest(_automatic(client, now))
        people = _human(client)
        _tell_tests(ctx, client, tests)
        for letter in (client.view.letter, client.view.peer):
            _tell_human(ctx, client, letter, next((t for t in reversed(people) if t.letter == letter), None))
        codes = {x: client.view.fold.party(x).code for x in ("a", "b")}
        last = {test.letter: test for test in people}
        ctx.terminal.item({
            "state": line["state"], "alive_ms": now - 1000 * age, "stale": stale, "undelivered": waiting,
            "addresses": line["addresses"], "address": line["address"],
            "tests": [_test_item(codes, test) for test in tests],
            "human": [_human_item(codes, last[letter]) for letter in sorted(last)],
        })  # fmt: skip


def _automatic(client: Client, now: int) -> list[linetests.LineTest]:
    test_s = client.view.fold.policy(client.view.letter).timers.test_s
    return linetests.automatic(client.view.fold.display(), test_s, now)


def _human(client: Client) -> list[linetests.HumanTest]:
    kinds = {}
    messages = client.messages()
    for message in messages:
        if payload_of(message).fmt == "F01":
            with suppress(Refused, Unverified, Malformed):
                kinds[message.ph] = str(client.open(message).body.get("test", ""))
    return linetests.human(messages, kinds)


def _tell_tests(ctx: Context, client: Client, tests: list[linetests.LineTest]) -> None:
    texts = ctx.terminal.texts
    if not tests:
        ctx.terminal.say("link.no_tests")
        return
    heads = [texts.say(f"link.head_{head}") for head in ("asked", "path", "time", "trip", "offset", "state")]
    ctx.terminal.table(heads, [
        (
            client.view.fold.party(test.letter).code, test.path, utc(test.t1).removesuffix(" UTC"),
            "-" if test.round_trip is None else str(test.round_trip),
            "-" if test.offset is None else f"{test.offset:+}",
            _state(texts, test),
        )
        for test in tests
    ])  # fmt: skip


def _state(texts: Texts, test: linetests.LineTest) -> str:
    said = texts.say("link.waiting_echo" if test.state == "waiting" else f"link.{test.state}")
    return f"{said} · {texts.say(f'reason.{test.reason}')}" if test.reason else said


def _tell_human(ctx: Context, client: Client, letter: str, test: linetests.HumanTest | None) -> None:
    code, texts = client.view.fold.party(letter).code, ctx.terminal.texts
    if test is None:
        ctx.terminal.say("link.no_human", party=code)
        return
    if test.answer:
        took = "-" if test.after is None else texts.duration(max(0, test.after) // 1000)
        said = texts.say("link.answered_by", number=test.answer, after=took)
    else:
        said = texts.say("state.read" if test.read else "state.unanswered")
    kind = texts.say(f"code.test.{test.kind}") if test.kind in KINDS else "-"
    ctx.terminal.say("link.human", party=code, number=test.number, kind=kind, time=utc(test.ts), state=said)


def _test_item(codes: dict[str, str], test: linetests.LineTest) -> dict[str, Any]:
    return {
        "party": codes[test.letter], "path": test.path, "t1": test.t1, "state": test.state,
        "round_trip_ms": test.round_trip, "offset_ms": test.offset, "reason": test.reason,
    }  # fmt: skip


def _human_item(codes: dict[str, str], test: linetests.HumanTest) -> dict[str, Any]:
    return {
        "party": codes[test.letter], "number": test.number, "kind": test.kind or None, "ts": test.ts,
        "read": test.read, "answer": test.answer or None, "after_ms": test.after,
    }  # fmt: skip


# --- test -------------------------------------------------------------------------------------------------------------


@link.command(name="test", short_help="Line test by a person (F01), or its answer / 人工线路测试（F01）或应答")
@click.argument("text", nargs=-1)
@click.option("--kind", type=click.Choice(KINDS), default="HUM", show_default=True,
              help="Person, alternate path, alternate seat / 人工、备用路径、备用席位")  # fmt: skip
@click.option("--to", "to", metavar="SEATS", help="Few readers: us:expert-1,cn:duty / 指定收阅席位")
@click.option("--answer", "asked", metavar="REF", help="Answer this test of the other side with TEXT / 应答对方的测试")
@click.option("--wait", type=click.Choice(["logged", "delivered", "anchored", "read", "answered"]), default="delivered",
              show_default=True, help="Until it is / 等待至")  # fmt: skip
@click.option("--timeout", "within", default="30s", show_default=True, help="How long to wait / 等待时间")
@click.pass_obj
def test_(ctx: Context, /, **options: Any) -> None:
    """Send a random neutral text in both languages for a person to answer; or answer one with --answer REF TEXT.

    发送随机的中性双语文本，由对方人员应答；或以 --answer REF TEXT 应答对方的测试。
    """
    seconds(options["within"])
    asyncio.run(_test(ctx, " ".join(options["text"]), options))


async def _test(ctx: Context, text: str, options: dict[str, Any]) -> None:
    if bool(text.strip()) != (options["asked"] is not None):
        raise WrongUse("ANSWER_TEXT")
    async with desk(ctx) as client:
        asked = None if options["asked"] is None else linetests.asked_test(client, options["asked"])
        line = await client.wire.link()
        body = (
            linetests.new_test(client, options["kind"])
            if asked is None
            else linetests.answer_body(client, asked, sayable(text))
        )
        draft = Draft(
            fmt="F01",
            body=body | {"path": f"{line['address']}/{line['addresses']}"},
            lang=language(client, {"text_lang": None}),
            to=readers(client, options["to"]),
            level="routine",
            refs=() if asked is None else (asked.ph,),
            status="test",
        )
        until = options["wait"]
        within = "0s" if until == "answered" else options["within"]
        first = "logged" if until == "answered" else until
        # a line test is for a line that is silent: nobody is asked before it is sealed
        sent = await hand_in(ctx, client, draft, {"within": within, "wait": first, "stale_ok": True})
        said = [f"  {body[name]}" for name in ("text_en", "text_zh") if name in body]
        ctx.terminal.lines(said)
        if until == "answered" and sent is not None:
            await _until_answered(ctx, client, sent, seconds(options["within"]))


async def _until_answered(ctx: Context, client: Client, sent: MessageView, within: float) -> None:
    end = client.clock.monotonic() + within
    number = sent.verdict.number
    while (found := next((t for t in _human(client) if t.number == number), None)) is None or not found.answer:
        if client.clock.monotonic() >= end:
            said = ctx.terminal.texts.say("link.answered")
            raise NotDelivered("NOT_YET", number=number, state=said, seconds=f"{within:g}")
        await asyncio.sleep(LOOK_SECONDS)
        await client.sync()
    _tell_human(ctx, client, client.view.letter, found)
    ctx.terminal.item(as_item(client, find(client, found.answer)))


# --- carried by hand --------------------------------------------------------------------------------------------------


@link.group(short_help="By hand, when the line is down / 线路中断时人工携带")
def carry() -> None:
    """Carry by hand what the line can't: the same records, checks and cosignatures / 线路中断时人工携带，校验与共签不变."""


@carry.command(short_help="Write what the other side lacks / 写出对方尚未收存的记录")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--print", "as_lines", is_flag=True, help="As lines to print and type in / 写成可打印、可录入的文本行")
@click.pass_obj
def out(ctx: Context, file: Path, *, as_lines: bool) -> None:
    """Write to FILE what the other side has not stored yet; its "carry in" takes it and writes the answer beside it.

    将对方尚未收存的记录写入 FILE；对方以 carry in 读取，并在其旁写出应答文件。
    """
    asyncio.run(_out(ctx, file, as_lines=as_lines))


async def _out(ctx: Context, file: Path, *, as_lines: bool) -> None:
    _check_free(file)
    async with desk(ctx) as client:
        raw = await client.wire.carry_out(printed.MAX_BYTES if as_lines else MAX_REQUEST)
        _write(file, raw, as_lines=as_lines)
        until = parse(read_request(carry_unpack(raw)[-1]).note).size
        left = (await client.wire.link())["size"] - until
        ctx.terminal.say("link.carried_out", path=file, size=len(raw))
        if left > 0:
            ctx.terminal.say("link.carried_more", count=left)
        ctx.terminal.item({"path": str(file), "size": len(raw), "printed": as_lines, "left": max(0, left)})


@carry.command(name="in", short_help="Take a carried file or its answer / 读取携带文件或其应答")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--again", is_flag=True, help="Of a file taken before, write the answer once more / 重新写出应答文件")
@click.pass_obj
def in_(ctx: Context, file: Path, *, again: bool) -> None:
    """Take FILE from the other side and write its answer to FILE.answer; or take the answer to an own file.

    读取对方的 FILE 并将应答写入 FILE.answer；或读取对方对本方文件的应答。
    """
    asyncio.run(_in(ctx, file, again=again))


async def _in(ctx: Context, file: Path, *, again: bool) -> None:
    raw, answer = read_file(file, MAX_REQUEST), file.with_name(file.name + ANSWER)
    as_lines = printed.is_printed(raw)
    if as_lines:
        raw = printed.from_lines(raw.decode("utf-8", "replace"))
    _check_free(answer)
    async with desk(ctx) as client:
        taken = await client.wire.carry_in(raw, again=again)
        count = taken["size"] - taken["first"]
        if taken["kind"] == "requests":
            _write(answer, taken["answers"], as_lines=as_lines)
            ctx.terminal.say("link.carried_in", count=count, path=answer)
        else:
            ctx.terminal.say("link.carried_back", count=count)
        await client.sync()
        ctx.terminal.item({
            "kind": taken["kind"], "party": client.view.fold.party(taken["log"]).code, "first": taken["first"],
            "size": taken["size"], "answer": str(answer) if taken["kind"] == "requests" else None,
        })  # fmt: skip


def _write(path: Path, raw: bytes, *, as_lines: bool) -> None:
    data = "".join(f"{line}\n" for line in printed.to_lines(raw)).encode() if as_lines else raw
    write_file(path, data, 0o600, over=False)


def _check_free(path: Path) -> None:
    if path.exists():
        raise Refused("EXISTS", path=path)
