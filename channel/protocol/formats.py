"""The formats of messages: what a body may say, and one rendering of any message in either language from its codes.

    book = Book.read(format_book, code_book)          # the bytes whose hashes the policy holds
    book.check("F03", body, status="message")         # Refused FMT names the field and why
    book.render("F03", view, body, "zh")              # lines of plain text

Bodies are DCM maps {field name: value}; a field is described in ``book.py``, what values it takes in ``values.py``,
how they are shown in ``rendering.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from channel.protocol.book import CodedText, Field, Files, Format, read_code_book, read_files
from channel.protocol.rendering import HeaderView, Page, coded_text, level, word
from channel.protocol.values import coded_fault, value_fault
from keys.errors import Refused
from keys.plain import plain

__all__ = ["Book", "HeaderView", "plain"]


@dataclass(frozen=True, slots=True)
class Book:
    """A format book with its code book, read."""

    files: Files
    coded: Mapping[str, CodedText]

    @classmethod
    def read(cls, book: bytes, codes: bytes | None = None) -> Book:
        """The books of their DCM bytes, or ``Malformed`` BOOK. Without a code book no coded message can be told."""
        return cls(read_files(book), {} if codes is None else read_code_book(codes))

    def check(
        self,
        fmt: str,
        body: Mapping[str, Any],
        *,
        status: str,
        categories: Collection[str] | None = None,
        to: Collection[bytes] | None = None,
        after: str | None = None,
    ) -> None:
        """``Refused`` FMT {fmt, field, why} unless ``body`` fits the format.

        ``categories``: those that the policy has switched on; ``to``: the header's, of which ``info`` is a part;
        ``after``: the format of the first reference, "" without one.
        """
        form = self._form(fmt)
        if status not in form.status:
            raise Refused("FMT", fmt=fmt, field="status", why="status")
        if missing := [name for name in form.minimum if name not in body]:
            raise Refused("FMT", fmt=fmt, field=missing[0], why="missing")
        for name, value in body.items():
            if (why := self._field_fault(form, name, value)) is not None:
                raise Refused("FMT", fmt=fmt, field=name, why=why)
        if not form.empty and not body.keys() & form.fields.keys():
            raise Refused("FMT", fmt=fmt, field="", why="nothing said")
        if "entry" in form.fields and (fault := coded_fault(self.files, self.coded.get(body["entry"]), _slots(body))):
            raise Refused("FMT", fmt=fmt, field=fault[0], why=fault[1])
        if categories is not None and "category" in body and body["category"] not in categories:
            raise Refused("FMT", fmt=fmt, field="category", why="switched off")
        if to is not None and not set(body.get("info", ())) <= set(to):
            raise Refused("FMT", fmt=fmt, field="info", why="not a recipient")
        if after is not None and (why := _order_fault(form, body, after)) is not None:
            raise Refused("FMT", fmt=fmt, field="refs", why=why)

    def _field_fault(self, form: Format, name: str, value: Any) -> str | None:
        rule = self.field(form, name)
        return "derived" if rule is not None and rule.derived else value_fault(self.files, rule, value)

    def field(self, form: Format, name: str) -> Field | None:
        """The rule of a body field, of the form's own or beside; None for an unknown one."""
        return form.fields.get(name) or self.files.beside.get(name)

    def coded_text(self, entry: str, slots: Mapping[str, Any], lang: str) -> str | None:
        """A coded message in words, or None where the code book has no such message or its values do not fit."""
        return coded_text(self.files, self.coded.get(entry), slots, lang)

    def defaults(self, fmt: str) -> dict[str, Any]:
        """What holds where a message of this format says nothing: {tlp, pap, basis, caveat: list}."""
        defaults = self._form(fmt).defaults
        return {
            "tlp": defaults.tlp,
            "pap": defaults.pap,
            "basis": defaults.basis,
            "caveat": list(defaults.caveat),
        }

    def render(
        self,
        fmt: str,
        header: HeaderView,
        body: Mapping[str, Any],
        lang: str,
        *,
        before: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """The message as lines of text in ``lang``, header first, its number again at the end.

        A body that ``check`` would refuse is shown all the same, with what does not fit marked. ``before``: the values
        that a follow-up stands in place of, shown as old -> new.
        """
        return Page(self.files, self._form(fmt), header, body, lang, before or {}, self.coded).lines()

    def level(self, code: str, lang: str) -> str:
        """A level as shape, word and bars."""
        return level(self.files, code, lang)

    def word(self, list_: str, code: str, lang: str) -> str:
        """The word of a code of a list, without the code."""
        return word(self.files, list_, code, lang)

    def _form(self, fmt: str) -> Format:
        if fmt not in self.files.formats:
            raise Refused("FMT", fmt=fmt, field="fmt", why="no such format")
        return self.files.formats[fmt]


def _slots(body: Mapping[str, Any]) -> Any:
    return body.get("slots", {})


def _order_fault(form: Format, body: Mapping[str, Any], after: str) -> str | None:
    """What a message has to follow and does not: its first reference is a message of format ``after``."""
    bound = form.after and all(body.get(name) == value for name, value in form.after_if.items())
    return "order" if bound and after not in form.after else None
