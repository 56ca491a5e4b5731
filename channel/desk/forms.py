"""Forms of the formats: what a field of the book looks like in a form, and what a filled form says as a body.

    groups = form_groups(client, "F03", values, texts)        # what a template shows, in order
    body, faults = read_body(client, "F03", values)           # what was typed, field by field

``values`` are the raw fields as typed, by name: "line", "intent" (several), "questions.0.ask" (row, column),
"slots.MEADOW 01.time", "material.0.how". What was not filled in stands in no body. A field that does not fit is a fault at that field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from channel.client.client import Client
from channel.client.composing import MAIN, seal_keys
from channel.client.present import Names, find
from channel.client.seats import by_name
from channel.client.typed import moment, sayable
from channel.client.view import LETTERS
from channel.i18n import LANGUAGES, Texts
from channel.protocol.book import CodedText, Field
from channel.protocol.formats import Book
from channel.protocol.values import MATERIAL, MAX_ITEMS, MAX_REFERENCE
from keys.errors import Malformed, Problem, Refused, WrongUse

Values = Mapping[str, tuple[str, ...]]

GROUPS = {
    "assessment": ("severity", "urgency", "certainty", "confidence", "conditions", "zone", "reversible", "trend"),
    "system": ("place", "jurisdiction", "sector", "system", "deployment", "autonomy"),
    "account": ("observed", "measures", "technical", "statement"),
    "onward": ("request", "own_state", "next_message"),
}
"""Fields that stand together behind one heading; what is in none stands with the format's other fields."""
PARTS = ("name", "size", "sha256", "how")
"""What a message tells of a file."""
DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2})?)?(?: ?UTC)?", re.ASCII)
FEW = 9
"""A format with no more fields than this shows them all at once."""


# --- what was typed -> body -------------------------------------------------------------------------------------------


def fields_of(book: Book, fmt: str) -> dict[str, Field]:
    """What a body of the format may have, its own fields first. ``Refused`` FMT for no format."""
    if fmt not in book.files.formats:
        raise Refused("FMT", fmt=fmt, field="fmt", why="no such format")
    every = {**book.files.formats[fmt].fields, **book.files.beside}
    return {name: rule for name, rule in every.items() if not rule.derived}


def read_body(client: Client, fmt: str, values: Values) -> tuple[dict[str, Any], dict[str, Problem]]:
    """The body as far as it can be read, and what is wrong with each field that can't."""
    body: dict[str, Any] = {}
    faults: dict[str, Problem] = {}
    for name, rule in fields_of(client.book(), fmt).items():
        try:
            value = _READ.get(rule.type, _one)(client, rule, name, values)
        except (WrongUse, Refused, Malformed) as e:
            faults[name] = e
        except ValueError:
            faults[name] = Refused("FMT", fmt=fmt, field=name, why=_WHY.get(rule.type, "unknown code"))
        else:
            if value not in (None, "", [], {}):
                body[name] = value
    return body, faults


def body_of(client: Client, fmt: str, values: Values) -> dict[str, Any]:
    """The whole body; the first fault is raised."""
    body, faults = read_body(client, fmt, values)
    if faults:
        raise next(iter(faults.values()))
    return body


def row_numbers(name: str, values: Values) -> list[int]:
    """The rows of a field that the form has, filled or not."""
    found = (re.match(rf"{re.escape(name)}\.([0-9]{{1,3}})\.", key) for key in values)
    return sorted({int(match[1]) for match in found if match})[:MAX_ITEMS]


def seats(client: Client) -> dict[str, bytes]:
    """Seal key ids of everybody a message can be sealed to, by names such as "us:expert-1"; the own side first."""
    names = {m.kid: name for x in LETTERS for name, m in by_name(client.view.fold.party(x)).items()}
    return {
        f"{code.lower()}:{names[member.kid]}": kid
        for kid, (code, member) in seal_keys(client.view).items()
        if member.kid in names
    }


def seat_words(client: Client, texts: Texts) -> dict[str, str]:
    """What those seats are called: "us:expert-1" to "US Expert 1"."""
    names, found = Names(client, texts), {}
    for letter in LETTERS:
        party = client.view.fold.party(letter)
        for name, member in by_name(party).items():
            found[f"{party.code.lower()}:{name}"] = f"{party.code} {names.place(letter, member)}"
    return found


def moment_of(client: Client, text: str) -> int:
    """A typed date and time, UTC, in ms; ``ValueError`` for none. "in an hour" would mean something else at each look."""
    if not DATE.fullmatch(text):
        raise ValueError(text)
    try:
        return moment(text.replace("T", " "), client.clock.now())
    except WrongUse as e:
        raise ValueError(text) from e


def _text(name: str, values: Values) -> str:
    return values.get(name, ("",))[0].strip()


def _one(client: Client, rule: Field, name: str, values: Values) -> Any:
    """A single value: of a field, or of a column of a row. None for what was left empty."""
    text = _text(name, values)
    if rule.type == "text" and rule.list is not None:
        code = _text(f"{name}.code", values)
        if text and code:
            raise Refused("FMT", fmt="", field=name, why="twice")
        text = text or code
    if not text:
        return None
    if rule.type == "time":
        return moment_of(client, text)
    return int(text) if rule.type == "count" else sayable(text)


def _codes(_client: Client, _rule: Field, name: str, values: Values) -> list[str]:
    return [sayable(code) for code in values.get(name, ()) if code]


def _refs(client: Client, _rule: Field, name: str, values: Values) -> list[bytes]:
    return [find(client, ref).ph for ref in listed(_text(name, values))]


def listed(text: str) -> list[str]:
    """Several numbers in one field: with commas or blanks between them."""
    return [part for part in re.split(r"[\s,，、;；]+", text) if part]


def _keys(client: Client, _rule: Field, name: str, values: Values) -> list[bytes]:
    known = seats(client)
    chosen = [seat for seat in values.get(name, ()) if seat]
    for seat in chosen:
        if seat not in known:
            raise WrongUse("NO_SEAT", seat=seat, seats=", ".join(known))
    return [known[seat] for seat in chosen]


def _rows(client: Client, rule: Field, name: str, values: Values) -> list[dict[str, Any]]:
    """The rows in which anything was said; the number of a question alone says nothing."""
    rows = []
    for at in row_numbers(name, values):
        cells = {column: _one(client, r, f"{name}.{at}.{column}", values) for column, r in (rule.columns or {}).items()}
        row = {column: cell for column, cell in cells.items() if cell is not None}
        if row.keys() - {"no"}:
            rows.append(row)
    return rows


def _slots(client: Client, _rule: Field, name: str, values: Values) -> dict[str, Any]:
    coded_by = _text("entry", values)
    coded = client.book().coded.get(coded_by)
    kinds: Mapping[str, str] = {} if coded is None else coded.slots
    found: dict[str, Any] = {}
    for slot, kind in kinds.items():
        text = _text(f"{name}.{coded_by}.{slot}", values)
        if text:
            found[slot] = moment_of(client, text) if kind == "time" else int(text) if kind == "count" else sayable(text)
    return found


def _material(_client: Client, _rule: Field, name: str, values: Values) -> list[dict[str, Any]]:
    """What is told of files that come beside the channel; the files themselves are never here."""
    found = []
    for at in row_numbers(name, values):
        said = {part: _text(f"{name}.{at}.{part}", values) for part in PARTS}
        if said["name"]:
            told = {"name": sayable(said["name"]), "how": sayable(said["how"])}
            found.append({**told, "size": int(said["size"]), "sha256": bytes.fromhex(said["sha256"])})
    return found


_READ: Mapping[str, Callable[[Client, Field, str, Values], Any]] = {
    "codes": _codes, "refs": _refs, "keys": _keys, "rows": _rows, "slots": _slots, "material": _material,
}  # fmt: skip
_WHY = {"time": "no time", "count": "no number", "slots": "no values", "rows": "no values", "material": "no material"}


# --- the book -> what a form shows ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """One choice: its code, its words in the reader's language and in the other."""

    code: str
    word: str
    other: str
    picked: bool
    slots: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a form. ``kind``: code, codes, line, lines, open, time, count, refs, keys, material, rows, entry."""

    name: str
    kind: str
    label: str
    other: str
    value: str = ""
    needed: bool = False
    max: int | None = None
    options: tuple[Option, ...] = ()
    rows: tuple[tuple[int, tuple[Input, ...]], ...] = ()
    prints: str | None = None
    """The standard sentence that goes out with it."""

    @property
    def id(self) -> str:
        """Its id in the page."""
        return "f-" + re.sub("[^A-Za-z0-9_]", "-", self.name)

    @property
    def said(self) -> bool:
        """Whether anything is filled in."""
        rows = any(cell.tells for _, cells in self.rows for cell in cells)
        return bool(self.value) or rows or any(option.picked for option in self.options)

    @property
    def tells(self) -> bool:
        """Whether it says anything; the number of a question alone does not."""
        return self.said and not self.name.endswith(".no")


@dataclass(frozen=True, slots=True)
class Group:
    """Fields behind one heading. ``open``: shown at once."""

    name: str
    inputs: tuple[Input, ...] = field(default=())
    open: bool = False


def form_groups(client: Client, fmt: str, values: Values, texts: Texts) -> list[Group]:
    """The fields of a format as a form shows them: first what it needs, then the rest in groups."""
    book = client.book()
    form, builder = book.files.formats[fmt], _Builder(client, book, values, texts)
    own = {name: rule for name, rule in form.fields.items() if not rule.derived and rule.type != "slots"}
    first = {*form.minimum, MAIN.get(fmt, "")} if len(own) > FEW else set(own)
    inputs = {
        name: builder.input(name, rule, needed=name in form.minimum)
        for name, rule in {**own, **book.files.beside}.items()
    }
    groups = [Group("first", tuple(inputs.pop(name) for name in own if name in first), open=True)]
    for group, names in GROUPS.items():
        groups.append(Group(group, tuple(inputs.pop(name) for name in names if name in inputs and name in own)))
    groups.append(Group("more", tuple(inputs.pop(name) for name in own if name in inputs)))
    groups.append(Group("beside", tuple(inputs.values())))
    return [group for group in groups if group.inputs]


def _blank(said: CodedText, lang: str) -> str:
    """A coded message with the names of its values in brackets, where they are filled in."""
    return said.text(
        lang, **{slot: f"[{own_field(f'slot_{kind}', 'text').text(lang)}]" for slot, kind in said.slots.items()}
    )


class _Builder:
    """Fields of one form, filled with what was typed."""

    def __init__(self, client: Client, book: Book, values: Values, texts: Texts) -> None:
        self._client, self._book, self._values = client, book, values
        self._lang = texts.lang
        self._other = LANGUAGES[1 - LANGUAGES.index(texts.lang)]

    def input(self, name: str, rule: Field, *, needed: bool = False) -> Input:
        made = Input(
            name,
            self._kind(rule),
            rule.text(self._lang),
            rule.text(self._other),
            value=_text(name, self._values),
            needed=needed,
            max=rule.max,
            prints=None if rule.list is None else self._book.files.lists[rule.list].prints,
        )
        match rule.type:
            case "code" | "codes":
                return _with(made, value="", options=self._options(name, rule))
            case "text" if rule.list is not None:
                return _with(made, options=self._options(f"{name}.code", rule))
            case "entry":
                return _with(made, value="", options=self._entries(name))
            case "keys":
                return _with(made, value="", options=self._seats(name))
            case "rows" | "material":
                return _with(made, value="", rows=self._rows(name, rule))
        return made

    def _kind(self, rule: Field) -> str:
        if rule.type != "text":
            return rule.type
        if rule.list is not None:
            return "open"
        return "lines" if rule.lines else "line"

    def _options(self, name: str, rule: Field) -> tuple[Option, ...]:
        picked = self._values.get(name, ())
        codes = dict(self._book.files.lists[rule.list or ""].codes)
        if rule.list == "category":  # those that the policy has switched on
            on = self._client.view.fold.policy(self._client.view.letter).categories
            codes = {code: word for code, word in codes.items() if code in on}
        return tuple(Option(c, w.text(self._lang), w.text(self._other), c in picked) for c, w in codes.items())

    def _seats(self, name: str) -> tuple[Option, ...]:
        picked = self._values.get(name, ())
        words = seat_words(self._client, Texts(self._lang))
        return tuple(Option(seat, words[seat], words[seat], seat in picked) for seat in seats(self._client))

    def _entries(self, name: str) -> tuple[Option, ...]:
        picked = self._values.get(name, ())
        return tuple(
            Option(
                code, _blank(said, self._lang), _blank(said, self._other), code in picked, self._slots(code, said.slots)
            )
            for code, said in self._book.coded.items()
        )

    def _slots(self, entry: str, kinds: Mapping[str, str]) -> tuple[Input, ...]:
        """The values of a coded message."""
        made = []
        for slot, kind in kinds.items():
            type_: Any = {"category": "code", "case": "text"}.get(kind, kind)
            rule = own_field(f"slot_{kind}", type_, list="category" if kind == "category" else None)
            made.append(self.input(f"slots.{entry}.{slot}", rule, needed=True))
        return tuple(made)

    def _rows(self, name: str, rule: Field) -> tuple[tuple[int, tuple[Input, ...]], ...]:
        columns, numbers = rule.columns or {}, row_numbers(name, self._values) or [0]
        if rule.type == "material":
            columns = {part: own_field(f"material_{part}", "text", MATERIAL.get(part, 100)) for part in PARTS}
            numbers = row_numbers(name, self._values)
        needed = () if "no" in columns else rule.need  # a question may stay without an answer
        return tuple(
            (at, tuple(self.input(f"{name}.{at}.{c}", r, needed=c in needed) for c, r in columns.items()))
            for at in numbers
        )


def own_field(id_: str, type_: Any, max_: int = MAX_REFERENCE, **more: Any) -> Field:
    """A field that no format has, in our own words."""
    en, zh = (Texts(lang).say(f"desk.compose.{id_}") for lang in LANGUAGES)
    return Field(en=en, zh=zh, type=type_, max=max_, **more)


def _with(made: Input, **more: Any) -> Input:
    return replace(made, **more)
