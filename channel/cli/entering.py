"""Bodies as people enter them: ``--set FIELD=VALUE`` at a prompt, or a JSON file; told by the format book alone.

code codes   the code, several with commas       time    2026-11-24 08:30 (UTC), +2h, 30m ago
text         as it is                            rows    COLUMN=VALUE; COLUMN=VALUE, one --set for each row
refs         REFs with commas                    keys    seats (PARTY:SEAT) with commas
material     FILE, how it is delivered           slots   NAME=VALUE; NAME=VALUE
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from channel.client.client import Client
from channel.client.composing import seal_keys
from channel.client.present import find
from channel.client.seats import by_name
from channel.client.typed import material_of, moment, sayable
from channel.protocol.book import Field
from keys.errors import WrongUse

MAX_FILE = 1 << 20


def read_body(client: Client, fmt: str, given: Iterable[str], file: Path | None) -> dict[str, Any]:
    """The body of the options. ``WrongUse`` FIELD for a name the format does not have, VALUE for what does not fit it."""
    body: dict[str, Any] = {}
    for name, value in [*_of_file(file), *map(_split, given)]:
        rule = field_of(client, fmt, name)
        read = _value(client, fmt, rule, name, value)
        body[name] = [*body[name], *read] if rule.type in ("rows", "material") and name in body else read
    return body


def field_of(client: Client, fmt: str, name: str) -> Field:
    """The rule of a field, or ``WrongUse`` FIELD with the names that the format has."""
    book = client.book()
    form = book.files.formats[fmt]
    rule = book.field(form, name)
    if rule is None or rule.derived:
        names = [n for n, r in (*form.fields.items(), *book.files.beside.items()) if not r.derived]
        raise WrongUse("FIELD", fmt=fmt, field=name, fields=", ".join(names))
    return rule


def _of_file(file: Path | None) -> list[tuple[str, Any]]:
    if file is None:
        return []
    try:
        if file.stat().st_size > MAX_FILE:
            raise WrongUse("BODY_FILE", path=file)
        found = json.loads(file.read_text("utf-8"))
    except OSError as e:
        raise WrongUse("NO_FILE", path=file, why=e.strerror or "?") from e
    except (ValueError, RecursionError) as e:
        raise WrongUse("BODY_FILE", path=file) from e
    if not isinstance(found, dict):
        raise WrongUse("BODY_FILE", path=file)
    return list(found.items())


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise WrongUse("SET", given=text)
    return name.strip(), value.strip()


def _value(client: Client, fmt: str, rule: Field, name: str, value: Any) -> Any:
    try:
        return _read(client, fmt, rule, value)
    except (TypeError, ValueError, AttributeError, KeyError) as e:
        raise WrongUse("VALUE", fmt=fmt, field=name, type=rule.type, given=_shown(value)) from e


def _read(client: Client, fmt: str, rule: Field, value: Any) -> Any:
    """A value of the field's type; numbers, lists and maps of a JSON file stand as they are where they fit."""
    match rule.type:
        case "text":
            return sayable(_text(value).replace("\\n", "\n") if rule.lines else _text(value))
        case "time":
            return value if type(value) is int else _moment(client, _text(value))
        case "count":
            return value if type(value) is int else int(_text(value))
        case "codes":
            return value if isinstance(value, list) else _listed(value)
        case "refs":
            return [find(client, ref).ph for ref in _names(value)]
        case "keys":
            return [_seal_key(client, seat) for seat in _names(value)]
        case "rows":
            rows = value if isinstance(value, list) else [_pairs(value)]
            return [_row(client, fmt, rule, row) for row in rows]
        case "slots":
            pairs = value if isinstance(value, dict) else _pairs(value)
            return {name: _slot(client, name, each) for name, each in pairs.items()}
        case "material":
            return [_material(item) for item in (value if isinstance(value, list) else [_text(value)])]
    return sayable(_text(value))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(value: Any) -> str:
    """A text as it is; ``TypeError`` for what is none, which is never made one."""
    if not isinstance(value, str):
        raise TypeError
    return value


def _moment(client: Client, text: str) -> int:
    try:
        return moment(text, client.clock.now())
    except WrongUse as e:
        raise ValueError(text) from e


def _pairs(value: Any) -> dict[str, str]:
    """NAME=VALUE; NAME=VALUE, of a row or of the values of a coded message; ``ValueError`` for what is none."""
    parts = [part.partition("=") for part in _text(value).split(";") if part.strip()]
    if not all(equals for _, equals, _ in parts):
        raise ValueError(value)
    return {name.strip(): each.strip() for name, _, each in parts}


def _names(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else _listed(value)


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _row(client: Client, fmt: str, rule: Field, row: Mapping[str, Any]) -> dict[str, Any]:
    columns = rule.columns or {}
    if missing := row.keys() - columns.keys():
        raise WrongUse("COLUMN", fmt=fmt, given=min(missing), columns=", ".join(columns))
    return {name: _value(client, fmt, columns[name], name, cell) for name, cell in row.items()}


def _slot(client: Client, name: str, value: Any) -> Any:
    """A value of a coded message: what its name says, as the code book has it (time, count, else a word)."""
    if type(value) is int:
        return value
    if name == "time":
        return _moment(client, _text(value))
    return int(_text(value)) if name == "count" else sayable(_text(value))


def _seal_key(client: Client, seat: str) -> bytes:
    code, colon, name = seat.partition(":")
    for letter in ("a", "b"):
        party = client.view.fold.party(letter)
        member = by_name(party).get(name if colon else seat)
        if (not colon or party.code == code.upper()) and member is not None and member.kem:
            return member.kem[0]
    seats = (f"{code.lower()}:{member.seat}" for code, member in seal_keys(client.view).values())
    raise WrongUse("NO_SEAT", seat=seat, seats=", ".join(seats))


def _material(item: Any) -> dict[str, Any]:
    """FILE, how it is delivered; or in a JSON file the material itself with its SHA-256 in hexadecimal."""
    if isinstance(item, dict):
        return {**item, "sha256": bytes.fromhex(item["sha256"])}
    path, comma, how = _text(item).partition(",")
    if not comma:
        raise ValueError(item)
    return material_of(Path(path.strip())) | {"how": sayable(how.strip())}
