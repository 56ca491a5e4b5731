"""``channel export`` and ``channel verify``: an archive out of a desk's own copy, and its offline audit."""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import asdict
from pathlib import Path
from string import hexdigits
from typing import Any

import click

from channel.cli.desk import desk
from channel.cli.group import Context, channel
from channel.client.export import export as export_archive
from channel.client.present import find, named, speaker
from channel.client.reveals import PAP, TLP, Shown, reveal, strictest
from channel.i18n import Texts
from channel.protocol.audit import AuditedMessage, Failure, Report, audit
from channel.protocol.founding import read_founding
from channel.protocol.note import parse
from channel.protocol.reveal import Revealed
from keys.errors import Unverified, WrongUse
from keys.keyring import write_file
from keys.plain import plain, utc
from keys.words import matches, words


@channel.command(short_help="Write an archive / 导出归档文件")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write, FILE.dcx / 输出文件")
@click.option("--reveal", "revealed", multiple=True, metavar="REF[:FIELD,…]",
              help="Show this message, or these fields of it, to readers of the file / 披露的电文或字段")  # fmt: skip
@click.option("--why", type=click.Choice(["dispute", "law", "public", "report", "review"]), default="review",
              show_default=True, help="Why it is shown / 披露原因")  # fmt: skip
@click.option("--limit", type=click.Choice(TLP), default="AMBER", show_default=True,
              help="How widely the file will be shared / 归档文件的传播范围")  # fmt: skip
@click.pass_obj
def export(ctx: Context, out: Path, revealed: tuple[str, ...], why: Any, limit: str) -> None:
    """Write everything both sides have anchored to an archive. Bodies stay sealed, but for what --reveal shows.

    A message is shown no more widely than its own sharing limit.
    导出双方均已锚定的全部记录；除 --reveal 所列外，正文仍为密文；披露不超出电文自身的传播范围。
    """
    data, shown = asyncio.run(_export(ctx, revealed, why, limit))
    write_file(out, data, 0o600, over=False)
    ctx.terminal.say("cli.exported", path=out, size=len(data))
    if shown:
        pap = strictest(PAP, [each.pap for each in shown])
        numbers = ("、" if ctx.terminal.lang == "zh" else ", ").join(each.number for each in shown)
        ctx.terminal.say("cli.exported_shown", numbers=numbers, tlp=limit, pap=pap)
    item: dict[str, Any] = {"path": str(out), "size": len(data)}
    limits = [{"number": each.number, "tlp": each.tlp, "pap": each.pap} for each in shown]
    ctx.terminal.item(item | ({"limit": limit, "revealed": limits} if shown else {}))


async def _export(ctx: Context, revealed: tuple[str, ...], why: Any, limit: str) -> tuple[bytes, list[Shown]]:
    async with desk(ctx) as client:
        asked: dict[bytes, set[str] | None] = {}
        for given in revealed:
            ref, _, fields = given.partition(":")
            message, names = find(client, ref), {name.strip() for name in fields.split(",") if name.strip()}
            before = asked.get(message.ph, set())
            asked[message.ph] = None if before is None or not names else before | names
        shown = [reveal(client, client.find(ph), names or (), why, limit) for ph, names in asked.items()]
        return await export_archive(client, [each.body for each in shown]), shown


@channel.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--channel", "channel_name", help="The channel's id or its eight words / 渠道标识或八个词")
@click.option(
    "--at-least", type=click.Path(path_type=Path), help="A note that the archive must cover / 至少覆盖此检查点"
)
@click.pass_obj
def verify(ctx: Context, file: Path, channel_name: str | None, at_least: Path | None) -> int:
    """Check an archive: no network, no store, no private key / 校验归档文件."""
    try:
        data = _read(file)
        newest = None if at_least is None else parse(_read(at_least))
    except OSError as e:
        raise WrongUse("NO_FILE", path=str(e.filename), why=os.strerror(e.errno or 0)) from e
    report = audit(data, None, newest)
    known = _known(ctx, report, channel_name)
    if known and report.exit_code == 6:  # only to be warned about a channel that nobody named: now somebody has
        report = audit(data, report.chan, newest)
    _tell(ctx, report)
    return report.exit_code


def _read(path: Path) -> bytes:
    """A whole file; a device or a pipe may have no end and is refused as the system refuses a directory."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "", str(path))
    return path.read_bytes()


def _known(ctx: Context, report: Report, channel_name: str | None) -> bool:
    """Whether the caller, or the home, names this archive's channel; ``Unverified`` CHANNEL when it names another."""
    if report.chan is None:
        return False
    if channel_name is not None:
        name = channel_name.strip().lower()
        by_id = len(name) == 2 * len(report.chan) and set(name) <= set(hexdigits)
        if not (name == report.chan.hex() if by_id else matches(report.chan, channel_name)):
            raise Unverified("CHANNEL_OTHER", found=report.chan)
        return True
    if ctx.home_option is None:
        return False
    founding = ctx.home_option / "founding.dcm"
    return founding.exists() and read_founding(founding.read_bytes()).chan == report.chan


def _tell(ctx: Context, report: Report) -> None:
    say = ctx.terminal.say
    if report.failure is not None:
        _tell_failure(ctx, report.failure)
    else:
        sizes = ", ".join(f"{code}:{size}" for code, size in report.complete_to.items())
        at = utc((report.cosigned_at or 0) * 1000)
        say("cli.proof" if report.form == "proof" else "cli.complete", sizes=sizes, at=at)
        for log in report.attested:
            say("cli.attested", log=log)
        for message in report.messages:
            _tell_message(ctx, report, message)
        for shown in report.reveals:
            _tell_reveal(ctx, shown)
        for kind in report.evidence:
            say("cli.evidence", kind=kind)
        for record in report.claimed:
            say("cli.claimed", record=record)
        codes = dict(zip("ab", report.complete_to, strict=True))
        for letter, index, reason in report.refused:
            say("cli.not_counted", record=f"{codes[letter]}:{index}", reason=_told(ctx.terminal.texts, reason))
        for letter, index, flag in report.flags:
            say("cli.flagged", record=f"{codes[letter]}:{index}", flag=ctx.terminal.texts.say(f"flag.{flag}"))
    if report.chan is not None:
        said = words(report.chan)
        say("cli.words", en=" ".join(said.en), zh=" ".join(said.zh))
    named = report.exit_code == 6 and "CHANNEL_UNKNOWN" not in report.warnings
    say("cli.verify_warned" if named else f"cli.verify_{report.exit_code}")
    ctx.terminal.item(_as_item(report))


def _tell_message(ctx: Context, report: Report, message: AuditedMessage) -> None:
    """Number, each signer with seat and standing, and whether a second signature was asked for."""
    texts, code = ctx.terminal.texts, message.ref.partition(":")[0]
    persons, seats = ({id_.partition(":")[2]: both for id_, both in names.items() if id_.startswith(f"{code}:")}
                      for names in (report.persons, report.seats))  # fmt: skip
    people = [
        speaker(texts, signer, named(texts, persons, signer.person), named(texts, seats, signer.seat))
        for signer in message.signers
    ]
    people += [texts.say(f"cli.confirm_{message.confirm.replace(' ', '_')}")] if message.confirm else []
    ctx.terminal.block(f"  {message.number}  ", plain(("；" if texts.lang == "zh" else "; ").join(people)))


def _tell_reveal(ctx: Context, shown: Revealed) -> None:
    """What is shown of a sealed message, by whom and why, and how far it may be shared and acted on."""
    fields = plain("; ".join(f"{name}: {value}" for name, value in shown.body.items())).replace("\n", " ")
    say, names = ctx.terminal.say, {"number": shown.number, "by": shown.by, "why": shown.why}
    say("cli.revealed", **names, hidden=shown.hidden, fields=fields)
    if shown.tlp or shown.pap:
        say("cli.revealed_limits", number=shown.number, tlp=shown.tlp or "-", pap=shown.pap or "-")


def _tell_failure(ctx: Context, f: Failure) -> None:
    texts = ctx.terminal.texts
    part = texts.say(f"part.{f.part}") if f"part.{f.part}" in texts else f.part
    ctx.terminal.say("cli.verify_failed", part=part, index=f.index, offset=f.offset, code=f.code)
    ctx.terminal.line(f"  {_told(texts, f.code)}")


def _told(texts: Texts, code: str) -> str:
    """What a failure's code means: a check of the archive, or a reason of the fold."""
    found = next((id_ for id_ in (f"audit.{code}", f"refused.{code}") if id_ in texts), None)
    return texts.say(found) if found else texts.problem(Unverified(code))[0]


def _as_item(report: Report) -> dict[str, Any]:
    """The report as one JSON object, in codes."""
    return {
        "exit": report.exit_code,
        "form": report.form,
        "chan": report.chan,
        "failure": None if report.failure is None else asdict(report.failure),
        "complete_to": report.complete_to,
        "cosigned_at": report.cosigned_at,
        "messages": [asdict(message) for message in report.messages],
        "refused": report.refused,
        "flags": report.flags,
        "reveals": [asdict(reveal) for reveal in report.reveals],
        "evidence": report.evidence,
        "claimed": report.claimed,
        "attested": report.attested,
        "warnings": report.warnings,
    }
