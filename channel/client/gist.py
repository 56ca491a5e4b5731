"""A message on one line of a list: what it says in its main field, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channel.client.present import why_invalid
from channel.i18n import Texts
from channel.protocol.formats import Book
from keys.plain import plain

MAIN = ("line", "outcome", "observed", "about", "readback", "text", "text_en", "observables")
"""The fields that say most, first one first."""


def told(book: Book, item: Mapping[str, Any], texts: Texts) -> str:
    """What a listed message says on one line; of one that is not valid, what is wrong with it and nothing else."""
    if "invalid" in item:
        fault = item["invalid"]
        return texts.say("code.header.invalid", field=plain(fault["field"]), why=why_invalid(texts, fault["why"]))
    if item["body"] is None:
        return texts.say("cli.sealed")
    said = [texts.say(f"code.{name}.{item[name]}") for name in ("move", "answer", "correction") if item[name]]
    said += [main] if (main := gist(book, item, texts.lang)) else []
    return " · ".join(said) or "-"


def gist(book: Book, item: Mapping[str, Any], lang: str) -> str:
    """What a body says, on one line: its main text, the coded message, or which fields it has; "" for an empty one."""
    body = item["body"]
    if "entry" in body:
        said = book.coded_text(str(body["entry"]), body.get("slots", {}), lang)
        return f"{plain(str(body['entry']))}: {said or '?'}"
    for name in MAIN:
        if isinstance(body.get(name), str):
            return " ".join(plain(str(body[name])).split("\n"))
    rules = ((name, book.field(book.files.formats[item["format"]], name)) for name in map(str, body))
    return ("、" if lang == "zh" else ", ").join(
        plain(name) if rule is None else rule.text(lang) for name, rule in rules
    )
