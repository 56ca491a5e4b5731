"""What the form of a text has brought, as a text; rows that are added and taken away; files that are only looked at.

Fields of the body come as "b.NAME". What does not change while somebody writes (format, case, references) comes along
in hidden fields, so that a locked desk, which can't open what it keeps, still keeps a whole text.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader

from channel.desk import forms
from channel.desk.posting import Form
from channel.desk.showing import ENTRY
from channel.desk.writing import Written
from channel.protocol.charter import ORDER
from channel.protocol.values import MAX_ITEMS
from keys.errors import Malformed, Refused
from keys.plain import plain

if TYPE_CHECKING:
    from aiohttp import web

BODY = "b."
MAX_FIELDS = 2000
PIECE = 1 << 16


def written_of(form: Form, id_: str) -> Written:
    """The text of a form, as typed."""
    return Written(
        id=id_,
        fmt=form.text("fmt"),
        lang="zh" if form.text("lang") == "zh" else "en",
        level=form.text("level") if form.text("level") in ORDER else None,
        case=form.text("case"),
        refs=tuple(forms.listed(form.text("refs"))),
        op=form.text("op"),
        to_level=form.text("to_level") if form.text("to_level") in ORDER else "",
        ans=form.text("ans"),
        cor=form.text("cor"),
        single="single" in form,
        test="test" in form,
        tlp=form.text("tlp"),
        pap=form.text("pap"),
        cosign=form.texts("cosign"),
        readers=form.texts("to") if form.text("few") == "yes" else None,
        ack_by=_minutes(form.text("ack_by")),
        reply_by=_minutes(form.text("reply_by")),
        values={name.removeprefix(BODY): typed for name, typed in form.fields.items() if name.startswith(BODY)},
        case_seen=_pair(form.text("case_seen")),
        did=form.text("did"),
        viewed=form.text("viewed"),
    )


def _minutes(text: str) -> int | None:
    """A length of time in seconds, of minutes; None for what is no whole number."""
    return int(text) * 60 if text.isascii() and text.isdigit() and len(text) < 7 else None


def _pair(text: str) -> tuple[int, int]:
    a, _, b = text.partition(",")
    return (int(a), int(b)) if a.isdecimal() and b.isdecimal() else (0, 0)


def more(written: Written, name: str) -> str:
    """One more empty row of a field; where in the page it is."""
    numbers = forms.row_numbers(name, written.values)
    at = numbers[-1] + 1 if numbers else 1
    if len(numbers) < MAX_ITEMS:
        written.values |= {f"{name}.{n}.": ("",) for n in (at - 1, at) if n not in numbers}
    return f"row-{name}-{at}"


def less(written: Written, which: str) -> str:
    """One row less, such as "material.0"; where in the page the others are."""
    written.values = {name: typed for name, typed in written.values.items() if not name.startswith(f"{which}.")}
    return f"f-{which.partition('.')[0]}"


def add_material(written: Written, found: dict[str, Any]) -> None:
    """What was found out about a file, as one more row."""
    numbers = forms.row_numbers("material", written.values)
    at = numbers[-1] + 1 if numbers else 0
    if len(numbers) < MAX_ITEMS:
        written.values |= {f"material.{at}.{part}": (str(value),) for part, value in found.items()}
        written.values |= {f"material.{at}.how": ("",)}


async def read_upload(request: web.Request) -> tuple[Form, list[dict[str, Any]]]:
    """The fields of a form with files, and name, size and SHA-256 of each file, read in pieces and kept nowhere.

    ``Refused`` DESK_ORIGIN, TOO_BIG, ``Malformed`` REQUEST. The token has to come before any file.
    """
    fields: dict[str, list[str]] = {}
    found, size = [], 0
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise Malformed("REQUEST")
            if part.filename is not None:
                request.app[ENTRY].check_form(request, fields.get("token", [""])[0])
                found += [await _looked_at(part)] if part.filename else []
                continue
            raw = bytes(await part.read())
            size += len(raw)
            if size > request.client_max_size or len(fields) > MAX_FIELDS:
                raise Refused("TOO_BIG", limit=request.client_max_size)
            fields.setdefault(part.name or "", []).append(raw.decode().replace("\r\n", "\n"))
    except (ValueError, LookupError, AssertionError) as e:
        raise Malformed("REQUEST") from e
    request.app[ENTRY].check_form(request, fields.get("token", [""])[0])
    return Form({name: tuple(typed) for name, typed in fields.items()}, {}), found


async def _looked_at(part: BodyPartReader) -> dict[str, Any]:
    digest, size = sha256(), 0
    while piece := await part.read_chunk(PIECE):
        digest.update(piece)
        size += len(piece)
    name = plain(part.filename or "").replace("\n", " ").rpartition("/")[2][:200]
    return {"name": name, "size": size, "sha256": digest.hexdigest()}
