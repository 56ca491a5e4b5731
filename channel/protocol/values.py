"""What values the fields of a body take: each fault has one word, which commands and readers tell with the field's name.

code codes text time count keys refs material    plain values, or lists of at most 20, each item once
rows                                             a list of 1 to 20 maps with the columns of the field
entry slots                                      a message of the code book, and its values by slot
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from channel.protocol.book import CodedText, Field, Files
from keys.plain import LAST_TIME

MAX_ITEMS = 20
MATERIAL = {"name": 200, "how": 500}  # texts of a material and their longest length
MAX_COUNT = 1 << 53
MAX_REFERENCE = 100  # characters of what stands in a slot for a case


def value_fault(files: Files, rule: Field | None, value: Any) -> str | None:
    """Why ``value`` does not fit the field, or None."""
    if rule is None:
        return "unknown field"
    if rule.type == "rows":
        return _rows_fault(files, rule, value)
    if rule.type == "text":
        return _text_fault(value, rule.max or 0, lines=rule.lines)
    codes = files.lists[rule.list].codes if rule.list is not None else {}
    if rule.type == "code":
        return None if isinstance(value, str) and value in codes else "unknown code"
    if rule.type == "codes":
        return _items_fault(value, lambda v: isinstance(v, str) and v in codes, "unknown code")
    if rule.type in _ITEMS:
        return _items_fault(value, *_ITEMS[rule.type])
    fits, why = _PLAIN[rule.type]
    return None if fits(value) else why


def _rows_fault(files: Files, rule: Field, value: Any) -> str | None:
    columns = rule.columns or {}
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ITEMS:
        return "no list"
    for row in value:
        if not isinstance(row, dict) or not row.keys() <= columns.keys():
            return "unknown column"
        if not set(rule.need) <= row.keys():
            return "column missing"
        for name, cell in row.items():
            if (why := value_fault(files, columns[name], cell)) is not None:
                return why
    return None


def coded_fault(files: Files, text: CodedText | None, slots: Any) -> tuple[str, str] | None:
    """What is wrong with a coded message, as (field, why), or None. ``text``: its entry in the code book, if it has one."""
    if text is None:
        return "entry", "unknown code"
    if not isinstance(slots, Mapping) or slots.keys() != text.slots.keys():
        return "slots", "missing" if isinstance(
            slots, Mapping
        ) and slots.keys() < text.slots.keys() else "unknown field"
    for name, kind in text.slots.items():
        if (why := slot_fault(files, kind, slots[name])) is not None:
            return "slots", why
    return None


def slot_fault(files: Files, kind: str, value: Any) -> str | None:
    """Why a value does not fit a slot, or None."""
    if kind == "category":
        return None if isinstance(value, str) and value in files.lists[kind].codes else "unknown code"
    if kind == "case":
        return _text_fault(value, MAX_REFERENCE, lines=False)
    fits, why = _PLAIN[kind]
    return None if fits(value) else why


def _items_fault(value: Any, fits: Callable[[Any], bool], why: str) -> str | None:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ITEMS:
        return "no list"
    if not all(fits(item) for item in value):
        return why
    return "twice" if any(item in value[:at] for at, item in enumerate(value)) else None


def _text_fault(value: Any, longest: int, *, lines: bool) -> str | None:
    if not isinstance(value, str):
        return "no text"
    if not value.strip():
        return "empty"
    if len(value) > longest:
        return "too long"
    return "one line" if not lines and ("\n" in value or "\r" in value) else None


def _is_material(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"name", "size", "sha256", "how"}
        and all(_text_fault(value[name], longest, lines=False) is None for name, longest in MATERIAL.items())
        and type(value["size"]) is int
        and 0 <= value["size"] <= MAX_COUNT
        and isinstance(value["sha256"], bytes)
        and len(value["sha256"]) == 32
    )


def _is_id(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == 32


_PLAIN: dict[str, tuple[Callable[[Any], bool], str]] = {
    "time": (lambda v: type(v) is int and 0 < v < LAST_TIME, "no time"),
    "count": (lambda v: type(v) is int and 0 <= v <= MAX_COUNT, "no number"),
    "entry": (lambda v: isinstance(v, str) and 0 < len(v) <= MAX_REFERENCE, "unknown code"),
    "slots": (lambda v: isinstance(v, dict), "no values"),
}
_ITEMS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "keys": (_is_id, "no id"),
    "refs": (_is_id, "no id"),
    "material": (_is_material, "no material"),
}
