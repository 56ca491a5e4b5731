"""A message on one line of a list: what it says in its main field, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channel.client.present import why_invalid
from channel.i18n import Texts
from channel.protocol.book import Format
from channel.protocol.formats import Book
from keys.plain import plain

MAIN = ("line", "outcome", "observed", "about", "readback", "text", "text_en", "text_zh", "observables")
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
    """What a body says, on one line: its main text, the coded message, or its fields, codes in words; "" for an empty one."""
    body = item["body"]
    if "entry" in body:
        said = book.coded_text(str(body["entry"]), body.get("slots", {}), lang)
        return f"{plain(str(body['entry']))}: {said or '?'}"
    for name in MAIN:
        if isinstance(body.get(name), str):
            return " ".join(plain(str(body[name])).split("\n"))
    form = book.files.formats[item["format"]]
    return ("；" if lang == "zh" else "; ").join(_named(book, form, str(name), body[name], lang) for name in body)


def _named(book: Book, form: Format, name: str, value: Any, lang: str) -> str:
    """A field by its label, with the word of its code, or the texts of its rows."""
    rule, colon = book.field(form, name), "：" if lang == "zh" else ": "
    if rule is None:
        return plain(name)
    if rule.type == "code" and rule.list and isinstance(value, str):
        return rule.text(lang) + colon + book.word(rule.list, value, lang)
    rows = value if isinstance(value, list | tuple) else ()
    said = [row["text"] for row in rows if isinstance(row, Mapping) and isinstance(row.get("text"), str)]
    return rule.text(lang) + (colon + plain(" ".join(said)).replace("\n", " ") if said else "")
