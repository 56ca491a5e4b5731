"""What a form of a page has brought: checked to be this page's own, read once, texts without what nobody can mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from aiohttp.web import FileField

from channel.desk.showing import ENTRY
from keys.errors import Malformed, Refused


@dataclass(frozen=True, slots=True)
class Form:
    """Fields by name. Line ends are those of Unix; a field that was sent more than once has several values."""

    fields: Mapping[str, tuple[str, ...]]
    files: Mapping[str, tuple[FileField, ...]]

    def text(self, name: str) -> str:
        """The first value of a field, without blanks around it; "" where it was not sent."""
        return self.fields.get(name, ("",))[0].strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value of a field that is not empty."""
        return tuple(value.strip() for value in self.fields.get(name, ()) if value.strip())

    def __contains__(self, name: str) -> bool:
        return name in self.fields


def inside(path: str, otherwise: str = "/") -> str:
    """An address of this page that a form names, and of nothing else."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else otherwise


async def read_post(request: web.Request) -> Form:
    """The form of a request. ``Refused`` DESK_ORIGIN for one that this page did not make, TOO_BIG, ``Malformed`` REQUEST."""
    fields: dict[str, list[str]] = {}
    uploads: dict[str, list[FileField]] = {}
    try:
        sent = await request.post()
    except web.HTTPRequestEntityTooLarge:
        raise Refused("TOO_BIG", limit=request.client_max_size) from None
    except (ValueError, LookupError) as e:
        raise Malformed("REQUEST") from e
    for name, value in sent.items():
        if isinstance(value, FileField):
            uploads.setdefault(name, []).append(value)
        else:
            fields.setdefault(name, []).append(str(value).replace("\r\n", "\n"))
    request.app[ENTRY].check_form(request, fields.get("token", [""])[0])
    return Form(
        {name: tuple(values) for name, values in fields.items()},
        {name: tuple(found) for name, found in uploads.items()},
    )
