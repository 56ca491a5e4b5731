"""How a text begins: what is filled in before a person types anything, from the message, case or move it is about.

    written = begin(client, Asked(ref="CN-2026-000004", ans="YES"), id_, "zh")

A reply refers to its message and stands in its case; an answer to questions has one block for each; a correction has
text in both languages for what it is. Nothing here chooses a level: a correction alone takes its original's.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channel.client.answering import answer_format
from channel.client.composing import MAIN
from channel.client.present import find, find_case, payload_of
from channel.client.receipts import CORRECTIONS
from channel.client.record_view import find_record
from channel.desk.writing import HOLDS, MOVES, Written
from channel.i18n import Texts
from channel.protocol.charter import ORDER
from keys.errors import Malformed, Refused, Unverified, WrongUse

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.protocol.verdicts import MessageView

WORDS = {"F02": "text", "F12": "text", "F14": "text"}
"""The main field of formats that the command line makes in other ways."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a button or a link asks for; "" where it says nothing. ``to``: a level; ``viewed``: the case looked at."""

    fmt: str = ""
    case: str = ""
    ref: str = ""
    op: str = ""
    to: str = ""
    ans: str = ""
    cor: str = ""
    text: str = ""
    viewed: str = ""


def begin(client: Client, asked: Asked, id_: str) -> Written:
    """A text as it begins. ``WrongUse`` for a message or case that is not there, or what can't be asked of it."""
    message = _message(client, asked)
    fmt = _format(client, asked, message)
    case = _case(client, asked, message)
    written = Written(
        id=id_,
        fmt=fmt,
        lang=client.view.charter.party(client.view.letter).lang,
        case=case,
        refs=(asked.ref,) if asked.ref else (),
        op="" if asked.op == "close" else asked.op,
        to_level=asked.to if asked.to in ORDER else "",
        ans=asked.ans,
        cor=(asked.cor or "COR") if fmt == "F14" else "",
        case_seen=client.view.fold.cut,
        viewed=asked.viewed,
    )
    if fmt == "F14":
        _correct(written, message)
    if message is not None:
        written.values |= _of_message(client, fmt, message)
    if asked.text:
        written.values[MAIN.get(fmt) or WORDS[fmt]] = (asked.text,)
    return written


def _message(client: Client, asked: Asked) -> MessageView | None:
    """The message that it refers to; a record that is none may only be corrected."""
    if not asked.ref or (asked.fmt == "F14" and find_record(client, asked.ref) is not None):
        return None
    return find(client, asked.ref)


def _format(client: Client, asked: Asked, message: MessageView | None) -> str:
    if asked.op:
        if asked.op not in (*MOVES, *HOLDS, "close"):
            raise WrongUse("FIELD", fmt="F12", field=asked.op, fields=", ".join((*MOVES, *HOLDS, "close")))
        return "F05" if asked.op == "close" else "F12"
    if asked.fmt:
        if asked.fmt not in client.book().files.formats or not asked.fmt.startswith("F"):
            raise Refused("FMT", fmt=asked.fmt, field="fmt", why="no such format")
        return asked.fmt
    if asked.cor:
        return "F14"
    if message is None:
        return "F04" if asked.case else "F03"
    return answer_format(payload_of(message).fmt, parts=False, code=bool(asked.ans))


def _case(client: Client, asked: Asked, message: MessageView | None) -> str:
    if asked.op in HOLDS:
        return ""
    if asked.case:
        return find_case(client, asked.case).verdict.number
    return "" if message is None or message.case is None else client.find(message.case).verdict.number


def _of_message(client: Client, fmt: str, message: MessageView) -> dict[str, tuple[str, ...]]:
    """What the answer to a message begins with."""
    asked = payload_of(message).fmt
    body = _body(client, message)
    if fmt == "F07" and asked == "F06":
        return {f"answers.{at}.no": (str(at + 1),) for at in range(len(body.get("questions", ())))}
    if fmt == "F11" and asked == "F11":
        return {"kind": ("ANS",), "actions": tuple(body.get("actions", ()))}
    return {}


def _correct(written: Written, message: MessageView | None) -> None:
    """The text of a correction in both languages, at the level of what it concerns."""
    if written.cor not in CORRECTIONS or not written.refs:
        raise Refused("FMT", fmt="F14", field="refs" if written.cor in CORRECTIONS else "cor", why="missing")
    written.values["text"] = (correction_text(written.cor, written.refs[0]),)
    if message is not None and message.case is None:
        written.level = payload_of(message).level


def correction_text(code: str, ref: str) -> str:
    """What a correction of a message or record says to begin with, in both languages."""
    return "\n".join(Texts(lang).say(f"desk.compose.cor_{code}", number=ref) for lang in ("en", "zh"))


def questions(client: Client, written: Written) -> list[str]:
    """The questions that an F07 answers, as they were asked: a code of the list or the other side's own words."""
    if written.fmt != "F07" or not written.refs:
        return []
    with suppress(WrongUse):
        return [str(row["ask"]) for row in _body(client, find(client, written.refs[0])).get("questions", ())]
    return []


def _body(client: Client, message: MessageView) -> Mapping[str, Any]:
    try:
        return client.open(message).body
    except (Refused, Unverified, Malformed):
        return {}
