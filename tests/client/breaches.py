"""Bodies that a format refuses: every one of them from the book itself, each with the field that a reader has to name.

    for breach in body_breaches("F03"): breach.kind, breach.body, breach.field

``sound(fmt)`` is the least body that the format takes. Everything here is data; ``test_invalid_messages`` seals it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.protocol.test_sixteen import FILES, MESSAGES, ONCE, TIME, sample

__all__ = ["FILES", "MESSAGES", "Breach", "body_breaches", "sound"]

# A value of another type, by the type of the field.
WRONG: dict[str, Any] = {
    "code": 7, "codes": "LOC", "text": 7, "time": "now", "count": "1", "keys": b"\x01" * 32, "refs": [7],
    "material": [{"name": "log.txt"}], "rows": {"no": 1}, "entry": {"MEADOW": 1}, "slots": [1],
}  # fmt: skip
ODD = {
    "a number that no calendar holds": {"next_message": 2**64 - 1, "since": 0},
    "text that a terminal obeys": {"\x1b[31m\u202eline\nEND of message: US": "\x1b]0;x\x07"},
    "maps in maps": {"line": {"a": {"b": [{"c": b"\xff"}]}}},
}


@dataclass(frozen=True)
class Breach:
    """``kind``: the rule; ``field``: what a reader is told; ``why``: its word in the texts."""

    fmt: str
    kind: str
    body: dict[str, Any]
    field: str
    why: str


def sound(fmt):
    """The least body that the format takes."""
    form = FILES.formats[fmt]
    names = (
        form.minimum or [] if form.empty else form.minimum or [n for n, f in form.fields.items() if not f.derived][:1]
    )
    body = {name: sample(form.fields[name]) for name in names} | ONCE.get(fmt, {})
    return body | ({"kind": "ASK"} if fmt == "F11" else {})


def body_breaches(fmt):
    """Every breach of the body's rules that the form's own description offers."""
    return [*_missing(fmt), *_codes(fmt), *_unknown(fmt), *_types(fmt)]


def _missing(fmt):
    form, body = FILES.formats[fmt], sound(fmt)
    for name in form.minimum:
        yield Breach(fmt, "missing", {k: v for k, v in body.items() if k != name}, name, "missing")
    if not form.empty and not form.minimum:
        yield Breach(fmt, "missing", {"own_number": "A-17"}, "", "nothing said")
    for name, field in form.fields.items():
        for column in field.need if not field.derived else ():
            row = {k: v for k, v in sample(field)[0].items() if k != column}
            yield Breach(fmt, "missing", body | {name: [row]}, name, "column missing")
    if fmt == "F13":
        yield Breach(fmt, "missing", body | {"slots": {}}, "slots", "missing")


def _codes(fmt):
    body = sound(fmt)
    for name, field in {**FILES.formats[fmt].fields, "caveat": FILES.beside["caveat"]}.items():
        if field.type in ("code", "codes") and not field.derived:
            bad = "ZZZ" if field.type == "code" else ["ZZZ"]
            yield Breach(fmt, "code", body | {name: bad}, name, "unknown code")
        for column, rule in (field.columns or {}).items():
            if rule.type == "code":
                yield Breach(fmt, "code", body | {name: [sample(field)[0] | {column: "ZZZ"}]}, name, "unknown code")
    if fmt == "F13":
        yield Breach(fmt, "code", {"entry": "HARBOUR 09"}, "entry", "unknown code")
        yield Breach(fmt, "code", {"entry": "MEADOW 04", "slots": {"code": "ZZZ"}}, "slots", "unknown code")


def _unknown(fmt):
    body = sound(fmt)
    yield Breach(fmt, "unknown", body | {"nothing_known": 1}, "nothing_known", "unknown field")
    other = "stance" if fmt != "F09" else "outcome"
    yield Breach(fmt, "unknown", body | {other: "NOT"}, other, "unknown field")
    for name, field in FILES.formats[fmt].fields.items():
        if field.derived:
            yield Breach(fmt, "unknown", body | {name: sample(field)}, name, "derived")
        if field.columns is not None and not field.derived:
            yield Breach(fmt, "unknown", body | {name: [sample(field)[0] | {"more": 1}]}, name, "unknown column")
    if fmt == "F13":
        yield Breach(fmt, "unknown", body | {"slots": {"time": TIME, "more": 1}}, "slots", "unknown field")
    if fmt == "F03":
        for body_ in ODD.values():
            name = next(iter(body_))
            why = {"next_message": "no time", "line": "no text"}.get(name, "unknown field")
            yield Breach(fmt, "unknown", body | body_, name, why)


def _types(fmt):
    body = sound(fmt)
    why = {
        "code": "unknown code", "codes": "no list", "text": "no text", "time": "no time", "keys": "no list",
        "refs": "no id", "material": "no material", "rows": "no list", "entry": "unknown code", "slots": "no values",
    }  # fmt: skip
    for name, field in {**FILES.formats[fmt].fields, **FILES.beside}.items():
        if not field.derived:
            yield Breach(fmt, "type", body | {name: WRONG[field.type]}, name, why[field.type])
        for column, rule in (field.columns or {}).items() if not field.derived else ():
            row = sample(field)[0] | {column: WRONG[rule.type]}
            yield Breach(fmt, "type", body | {name: [row]}, name, {"count": "no number", **why}[rule.type])
    twice = next((n for n, f in FILES.formats[fmt].fields.items() if f.type == "codes"), "caveat")
    code = next(iter(FILES.lists[{**FILES.formats[fmt].fields, **FILES.beside}[twice].list].codes))
    yield Breach(fmt, "type", body | {twice: [code, code]}, twice, "twice")
