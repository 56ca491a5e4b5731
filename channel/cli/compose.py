"""``channel send`` and ``reply``: messages of every format, whole from the command line or from a file."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from channel.cli.desk import desk
from channel.cli.entering import field_of, read_body
from channel.cli.group import Context, channel
from channel.cli.sending import cosigners, hand_in, language, readers, sending, with_body
from channel.client.answering import ANSWERS, NEXT, NEXT_MESSAGE, answer_format, check_numbers
from channel.client.client import Client
from channel.client.composing import CODED, ELSEWHERE, FACTS, LEVELS, MAIN, Draft, closing
from channel.client.present import find, find_case, payload_of, worded
from channel.client.typed import moment, sayable, seconds
from channel.protocol.header import Move
from channel.protocol.verdicts import MessageView
from keys.errors import Refused, WrongUse

FORMATS = [f"F{n:02d}" for n in range(1, 15)]


@channel.command(short_help="Send a message of any format / 发送电文")
@click.argument("text", nargs=-1)
@click.option("--format", "fmt", type=click.Choice(FORMATS), help="Default: F03, in a case F04 / 格式")
@click.option("--category", help="A code; default UNX / 事件类别代码")
@click.option("--origin", help="A code; default UNK / 来源代码（非定性）")
@click.option("--intent", multiple=True, help="Codes; default UNK / 意图代码")
@click.option("--since", help="2026-11-24 08:30 (UTC), 30m ago; default now / 起始时间")
@click.option("--control", help="A code; default K9 / 扩散与受控情况代码")
@click.option("--level", help="Of the case to open; default attention / 级别")
@click.option("--case", "case_ref", metavar="REF", help="In this case / 所属事件")
@click.option("--ref", "refs", multiple=True, metavar="REF", help="Messages referred to / 关联电文")
@click.option("--single", is_flag=True, help="F13: emergency release by one person / 应急单人签发")
@click.option("--test", is_flag=True, help="As a test / 作为测试")
@click.option("--to", "to", metavar="SEATS", help="Few readers: us:expert-1,cn:duty / 指定收阅席位")
@click.option("--read-by", metavar="TIME", help="Longer than the level's, 6h / 收阅时限，长于级别所定")
@click.option("--reply-by", metavar="TIME", help="Longer than the level's, 3d / 答复时限，长于级别所定")
@click.option("--fields", is_flag=True, help="List the format's fields and codes, send nothing / 列出字段与代码")
@with_body
@sending
@click.pass_obj
def send(ctx: Context, /, **options: Any) -> None:
    """Send a message. Without --case it opens one; TEXT is its main field; "-" reads lines from standard input.

    Several TEXTs are one message each, from the second on as F04 in the case that the first opened.
    发送电文。未指定 --case 时开启新事件；TEXT 为主要字段；“-”表示从标准输入逐行读取。
    给出多个 TEXT 时每个为一份电文，自第二份起以 F04 记入首份所开的事件。
    """
    seconds(options["within"])
    asyncio.run(_send(ctx, options))


async def _send(ctx: Context, options: dict[str, Any]) -> None:
    lines = [sayable(t) for text in options["text"] for t in (_input_lines() if text == "-" else [text])]
    async with desk(ctx) as client:
        case = None if options["case_ref"] is None else find_case(client, options["case_ref"])
        fmt = options["fmt"] or ("F03" if case is None else "F04")
        if options["fields"]:
            _list_fields(ctx, client, fmt)
            return
        _check_words(fmt, lines, options)
        whole: list[str | None] = [*lines] if lines else [None]
        for line in whole:
            draft = _draft(ctx, client, line, case, options)
            sent = await hand_in(ctx, client, draft, options)
            if sent is not None and case is None and sent.case is not None:
                case = sent
                options = {**options, "fmt": None, "given": (), "file": None, "single": False, **dict.fromkeys(FACTS)}


def _check_words(fmt: str, lines: list[str], options: dict[str, Any]) -> None:
    """``WrongUse`` for a call that says nothing, or what this command can't say."""
    if fmt in ELSEWHERE:
        raise WrongUse("OTHER_COMMAND", fmt=fmt, command=ELSEWHERE[fmt])
    if not lines and not (options["given"] or options["file"] or any(options[name] for name in FACTS)):
        raise WrongUse("NOTHING_TO_SEND")
    if len(lines) > 1 and options["cosign"]:
        raise WrongUse("ONE_TEXT")


def _draft(ctx: Context, client: Client, line: str | None, case: MessageView | None, options: dict[str, Any]) -> Draft:
    fmt = options["fmt"] or ("F03" if case is None else "F04")
    body = read_body(client, fmt, options["given"], options["file"])
    if line is not None:
        body[MAIN[fmt]] = line
    body = _facts(client, fmt, options) | body
    _check_codes(ctx, client, body, options)
    if fmt == "F04" and case is None:
        raise WrongUse("CASE_NEEDED", fmt=fmt)
    refs = tuple(find(client, ref).ph for ref in options["refs"])
    return Draft(
        fmt=_any(fmt),
        body=body,
        lang=language(client, options),
        to=readers(client, options["to"]),
        level=options["level"] or LEVELS.get(fmt, "attention"),
        case=None if case is None else case.ph,
        refs=refs or ((case.ph,) if case is not None and fmt == "F04" else ()),
        status="test" if options["test"] or fmt == "F01" else "message",
        cosign=cosigners(client, options["cosign"]),
        single=options["single"],
        move=_closing(ctx, client, fmt, case),
        tlp=options["tlp"],
        pap=options["pap"],
        ack_by=_length(options["read_by"]),
        reply_by=_length(options["reply_by"]),
    )


def _facts(client: Client, fmt: str, options: dict[str, Any]) -> dict[str, Any]:
    """What the flags say; of what F03 asks at least, "not known" where nothing was said. ``WrongUse`` FIELD."""
    said = {name: options[name] for name in FACTS if options[name]}
    for name in said:
        field_of(client, fmt, name)
    if fmt == "F03":
        said = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": "now", "control": "K9"} | said
    if "intent" in said:
        said["intent"] = list(said["intent"])
    if "since" in said:
        said["since"] = moment(said["since"], client.clock.now())
    return said


def _check_codes(ctx: Context, client: Client, body: dict[str, Any], options: dict[str, Any]) -> None:
    """``WrongUse`` CODE with every code that an option takes, before anything is sealed."""
    book = client.book()
    for name in CODED:
        for given in body.get(name, ()) if name == "intent" else [body[name]] if name in body else []:
            codes = list(book.files.lists[name].codes)
            if name == "category":
                codes = [c for c in codes if c in client.view.fold.policy(client.view.letter).categories]
            if given not in codes:
                told = {code: book.word(name, code, ctx.terminal.lang) for code in codes}
                raise WrongUse("CODE", option=f"--{name}", given=given, codes=_told(ctx, told))
    if options["level"] not in (None, *book.files.levels):
        levels = {code: word.text(ctx.terminal.lang) for code, word in book.files.levels.items()}
        raise WrongUse("CODE", option="--level", given=options["level"], codes=_told(ctx, levels))


def _told(ctx: Context, codes: dict[str, str]) -> str:
    return ("；" if ctx.terminal.lang == "zh" else "; ").join(f"{code} {word}" for code, word in codes.items())


def _closing(ctx: Context, client: Client, fmt: str, case: MessageView | None) -> Move | None:
    try:
        return closing(client.view, fmt, case)
    except Refused as e:
        raise worded(e, ctx.terminal.texts) from e


@channel.command(short_help="Answer a message / 答复电文")
@click.argument("ref")
@click.argument("text", nargs=-1)
@click.option("--answer", "answers", multiple=True, metavar="NO=CODE", help="To one question of F06 / 逐题答复")
@click.option("--ans", type=click.Choice(ANSWERS), help="To the message as a whole / 总体答复代码")
@click.option("--next", "next_", metavar="TIME", help="When there will be more, or next contact / 下次联系时间")
@click.option("--support", type=click.Choice(["1", "2", "3"]), help="F07: level of support / 材料层级")
@click.option("--accept", type=click.Choice(["ACC", "PRT", "NAB"]), help="F11: the answer / 是否同意")
@with_body
@sending
@click.pass_obj
def reply(ctx: Context, /, ref: str, text: tuple[str, ...], **options: Any) -> None:
    """Answer: a request by F07, a request for assistance by F11, all else by F04 in its case, or F02 with --ans.

    答复：澄清请求用 F07，协助请求用 F11，其余在本事件内用 F04，仅有 --ans 时用 F02。
    """
    asyncio.run(_reply(ctx, ref, " ".join(text), options))


async def _reply(ctx: Context, ref: str, text: str, options: dict[str, Any]) -> None:
    async with desk(ctx) as client:
        message = find(client, ref)
        if message.verdict.letter == client.view.letter:
            raise Refused("OWN_MESSAGE", number=message.verdict.number)
        parts = any(options[name] for name in ("answers", "support", "accept"))
        fmt = answer_format(payload_of(message).fmt, parts=parts, code=options["ans"] is not None)
        body = read_body(client, fmt, options["given"], options["file"]) | _answered(client, fmt, message, options)
        if text:
            body["line" if fmt == "F04" else "text"] = sayable(text)
        if not body and not options["ans"]:
            raise WrongUse("NOTHING_TO_SEND")
        draft = Draft(
            fmt=fmt,
            body=body,
            lang=language(client, options),
            case=message.case,
            refs=(message.ph,),
            ans=options["ans"],
            cosign=cosigners(client, options["cosign"]),
            tlp=options["tlp"],
            pap=options["pap"],
        )
        await hand_in(ctx, client, draft, options)


def _answered(client: Client, fmt: str, asked: MessageView, options: dict[str, Any]) -> dict[str, Any]:
    """What the options say, in the fields of the answer's format."""
    when = None if options["next_"] is None else moment(options["next_"], client.clock.now())
    body: dict[str, Any] = {}
    if when is not None:
        body[NEXT.get(fmt, NEXT_MESSAGE)] = when
    if options["answers"]:
        body["answers"] = [_one_answer(each) for each in options["answers"]]
        check_numbers(client, asked, [answer["no"] for answer in body["answers"]])
    if options["support"]:
        body["support"] = options["support"]
    if fmt == "F11":
        if options["ans"]:
            raise WrongUse("NO_QUESTION")
        body |= {"kind": "ANS"} | ({"accept": options["accept"]} if options["accept"] else {})
    return body


def _one_answer(given: str) -> dict[str, Any]:
    number, equals, code = (part.strip() for part in given.partition("="))
    if not equals or not (number.isascii() and number.isdigit()) or code not in ANSWERS:
        raise WrongUse("QUESTION_ANSWER", given=given, codes=", ".join(ANSWERS))
    return {"no": int(number), "ans": code}


def _list_fields(ctx: Context, client: Client, fmt: str) -> None:
    """The fields of a format with their types and codes, in the reader's language."""
    book, lang = client.book(), ctx.terminal.lang
    form = book.files.formats[fmt]
    ctx.terminal.line(f"{fmt} {form.text(lang)}")
    for name, rule in (*form.fields.items(), *book.files.beside.items()):
        if rule.derived:
            continue
        codes = {} if rule.list is None else book.files.lists[rule.list].codes
        said = "; ".join(f"{code} {word.text(lang)}" for code, word in codes.items())
        said += "; ".join(f"{column} ({r.type}) {r.text(lang)}" for column, r in (rule.columns or {}).items())
        mark = "*" if name in form.minimum else " "
        ctx.terminal.block(f"{mark} {name} ({rule.type}) ", f"{rule.text(lang)}  {said}")
        ctx.terminal.item({"field": name, "type": rule.type, "needed": name in form.minimum, "codes": list(codes)})


def _length(text: str | None) -> int | None:
    return None if text is None else int(seconds(text))


def _input_lines() -> list[str]:
    return [line.rstrip("\r\n") for line in sys.stdin if line.strip()]


def _any(value: Any) -> Any:
    return value
