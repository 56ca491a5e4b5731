"""The formats of messages: what a body may say, and one rendering of any message in either language from its codes.

    book = Book.read(book_bytes)                      # the bytes whose hash the policy holds
    book.check("F03", body, status="message")         # Refused FMT names the field and why
    book.render("F03", view, body, "zh")              # lines of plain text

Bodies are DCM maps {field name: value}; what values a field takes is said in ``book.py``, how they are shown in
``rendering.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from channel.protocol.book import Files, Format, read_files, value_fault
from channel.protocol.rendering import HeaderView, Page, level, word
from keys.errors import Refused
from keys.plain import plain

__all__ = ["Book", "HeaderView", "plain"]


@dataclass(frozen=True, slots=True)
class Book:
    """A format book, read."""

    files: Files

    @classmethod
    def read(cls, book: bytes) -> Book:
        """The book of its DCM bytes, or ``Malformed`` BOOK."""
        return cls(read_files(book))

    def check(
        self,
        fmt: str,
        body: Mapping[str, Any],
        *,
        status: str,
        categories: Collection[str] | None = None,
        to: Collection[bytes] | None = None,
    ) -> None:
        """``Refused`` FMT {fmt, field, why} unless ``body`` fits the format.

        ``categories``: those that the policy has switched on; ``to``: the header's, of which ``info`` is a part.
        """
        form = self._form(fmt)
        if status not in form.status:
            raise Refused("FMT", fmt=fmt, field="status", why="status")
        for name in form.minimum:
            if name not in body:
                raise Refused("FMT", fmt=fmt, field=name, why="missing")
        for name, value in body.items():
            if (why := value_fault(self.files, form.fields.get(name), value)) is not None:
                raise Refused("FMT", fmt=fmt, field=name, why=why)
        if all(form.fields[name].beside for name in body):
            raise Refused("FMT", fmt=fmt, field="", why="nothing said")
        if categories is not None and "category" in body and body["category"] not in categories:
            raise Refused("FMT", fmt=fmt, field="category", why="switched off")
        if to is not None and not set(body.get("info", ())) <= set(to):
            raise Refused("FMT", fmt=fmt, field="info", why="not a recipient")

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
        return Page(self.files, self._form(fmt), header, body, lang, before or {}).lines()

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
