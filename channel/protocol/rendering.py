"""Any message as lines of plain text in either language, from its codes and the format book alone.

The renderer translates codes only: free text keeps the sender's language and is marked with it. Texts from the peer
pass ``plain`` (keys/plain.py), so they can neither move a cursor nor hide a character; each line of a longer text
stands behind "| ", so that no text can pass for a header or an END line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channel.protocol.book import CodedText, Field, Files, Format
from channel.protocol.values import coded_fault, value_fault
from keys.plain import duration, plain, short, utc


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderView:
    """What a reader sees of a message's header. Names are resolved by the caller; the rest are codes.

    Codes: role, standing, level, prec, lang, tlp, pap, mode, status. Times in ms UTC, ``ack_by`` and ``reply_by`` in
    seconds from receipt. ``names``: what key ids and payload hashes of the body are called (seats, message numbers).
    """

    number: str
    party: str
    seat: str
    person: str
    role: str
    standing: str
    level: str
    prec: str
    ts: int
    lang: str
    mode: str
    case: str | None = None  # the number of the opening message; None in that message and outside cases
    status: str = "message"
    tlp: str | None = None
    pap: str | None = None
    played: bool = False
    to: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    cosign: tuple[str, ...] = ()
    single: bool = False
    ack_by: int | None = None
    reply_by: int | None = None
    logged: int | None = None
    received: int | None = None
    exercise: str | None = None
    move: str | None = None  # what happens to the level: op, from, to, sizes of both logs
    move_from: str | None = None
    move_to: str | None = None
    move_at: tuple[int, int] | None = None
    ans: str | None = None
    cor: str | None = None
    confirm: str | None = None  # of an emergency release: awaiting, in time, late
    invalid: tuple[str, str] | None = None  # field and why, of a body that the rules refuse
    names: Mapping[bytes, str] = field(default_factory=dict)


def level(files: Files, code: str, lang: str) -> str:
    """A level as shape, word and bars."""
    found = files.levels.get(code)
    if found is None:
        return _unknown(files, code, lang)
    return f"{found.shape} {found.text(lang)} {'▮' * found.bars}{'▯' * (len(files.levels) - found.bars)}"


def word(files: Files, list_: str, code: str, lang: str) -> str:
    """The word of a code of a list, without the code."""
    codes = files.lists[list_].codes
    return codes[code].text(lang) if code in codes else _unknown(files, code, lang)


def coded_text(files: Files, text: CodedText | None, slots: Mapping[str, Any], lang: str) -> str | None:
    """A coded message in words with its values, or None where it has no text or they do not fit."""
    if text is None or coded_fault(files, text, slots) is not None:
        return None
    return text.text(lang, **{name: _slot(files, kind, slots[name], lang) for name, kind in text.slots.items()})


def _slot(files: Files, kind: str, value: Any, lang: str) -> str:
    if kind == "time":
        return utc(value)
    return f"{value} {word(files, 'category', value, lang)}" if kind == "category" else _line(str(value))


def label(files: Files, name: str, lang: str, /, **values: str) -> str:
    """A label of header or trailer."""
    return files.lists["header"].codes[name].text(lang, **values)


def _unknown(files: Files, code: str, lang: str) -> str:
    return f"{_line(code)} ({label(files, 'unknown_code', lang)})"


def _line(text: str) -> str:
    """Untrusted text on one line."""
    return " ".join(plain(text).split("\n"))


@dataclass(frozen=True, slots=True)
class Page:
    """One message being rendered in one language."""

    files: Files
    form: Format
    header: HeaderView
    body: Mapping[str, Any]
    lang: str
    before: Mapping[str, Any]
    coded: Mapping[str, CodedText]

    def lines(self) -> list[str]:
        """Header, sentences, body, sentences, number."""
        return [
            *self._head(),
            *self._opening_sentences(),
            *(line for name in self._order() for line in self._field(name)),
            *self._closing_sentences(),
            self._labelled("end", _line(self.header.number)),
        ]

    def _order(self) -> list[str]:
        """The fields of the body: the form's own, those beside, then what is in no book."""
        known = [*self.form.fields, *self.files.beside]
        told = {"slots"} if self._words() is not None else set()
        return [name for name in known if name in self.body and name not in told] + [
            name for name in self.body if name not in known
        ]

    def _rule(self, name: str) -> Field | None:
        return self.form.fields.get(name) or self.files.beside.get(name)

    # ---- header ----

    def _head(self) -> list[str]:
        h = self.header
        lines = [self._banner()]
        if h.mode == "exercise" and h.exercise is not None:
            lines.append(self._sentence("X12", name=_line(h.exercise)))
        version = label(self.files, "version", self.lang, version=str(self.form.version))
        lines.append(self._aside(f"{self.form.code} {self.form.text(self.lang)}", version))
        rows: list[tuple[str, str | None]] = [
            ("number", _line(h.number)),
            ("precedence", self._word("prec", h.prec)),
            ("from", self._from()),
            ("to", self._several(h.to)),
            ("cosign", self._several(h.cosign)),
            ("composed", utc(h.ts)),
            ("logged", None if h.logged is None else utc(h.logged)),
            ("received", None if h.received is None else utc(h.received)),
            ("case", None if h.case is None else _line(h.case)),
            ("refs", self._several(h.refs)),
            ("level", level(self.files, h.level, self.lang)),
            ("ack_by", self._within(h.ack_by)),
            ("reply_by", self._within(h.reply_by)),
            ("tlp", self._limit("tlp", h.tlp or self.form.defaults.tlp)),
            ("pap", self._limit("pap", h.pap or self.form.defaults.pap)),
            ("lang", self._word("lang", h.lang)),
            ("move", self._move()),
            ("ans", None if h.ans is None else f"{_line(h.ans)} {self._word('answer', h.ans)}"),
            ("cor", None if h.cor is None else f"{_line(h.cor)} {self._word('correction', h.cor)}"),
        ]
        lines += [self._labelled(name, value) for name, value in rows if value]
        if h.single:
            lines.append(label(self.files, "single", self.lang))
        if h.confirm is not None:
            lines.append(self._word("confirm", h.confirm))
        if h.invalid is not None:
            field, why = h.invalid
            lines.append(label(self.files, "invalid", self.lang, field=_line(field), why=_line(why)))
        return lines

    def _move(self) -> str | None:
        h = self.header
        if h.move is None:
            return None
        said = [self._word("move", h.move)]
        if h.move_from is not None and h.move_to is not None:
            before, after = (level(self.files, code, self.lang) for code in (h.move_from, h.move_to))
            said.append(label(self.files, "from_to", self.lang, before=before, after=after))
        if h.move_at is not None:
            said.append(label(self.files, "at", self.lang, a=str(h.move_at[0]), b=str(h.move_at[1])))
        return " · ".join(said)

    def _banner(self) -> str:
        """Mode, and test, in both languages side by side, whatever the reader's language."""
        shown = [("mode", self.header.mode)] + [("status", self.header.status)] * (self.header.status != "message")
        return " · ".join(f"{word(self.files, ls, c, 'en')} / {word(self.files, ls, c, 'zh')}" for ls, c in shown)

    def _from(self) -> str:
        h = self.header
        seat = label(self.files, "played", self.lang, seat=_line(h.seat)) if h.played else _line(h.seat)
        words = (self._word("role", h.role), self._word("standing", h.standing))
        return " · ".join((_line(h.party), _line(h.person), seat, *words))

    def _limit(self, list_: str, code: str) -> str:
        return self._aside(_line(code), self._word(list_, code))

    def _within(self, seconds: int | None) -> str | None:
        if seconds is None:
            return None
        n, unit = duration(seconds)
        length = self.files.lists["unit"].codes[unit].text(self.lang, n=str(n))
        return label(self.files, "within", self.lang, duration=length)

    # ---- sentences ----

    def _opening_sentences(self) -> list[str]:
        caveat: Any = self.body.get("caveat")
        if value_fault(self.files, self.files.beside.get("caveat"), caveat) is not None:
            caveat = self.form.defaults.caveat
        only_minimum = self.form.preliminary and self.body.keys() & self.form.fields.keys() <= set(self.form.minimum)
        shown = ("X4", only_minimum or "PRE" in caveat), ("X3", "WP" in caveat), ("X8", self.header.move == "raise")
        return [*(self._sentence(no) for no, holds in shown if holds), *self._answer_sentences()]

    def _answer_sentences(self) -> list[str]:
        """What the standard sentences say of a receipt or an answer, word for word."""
        said = ["X2"] if self.body.get("step") == "read" else []
        lines = [self._sentence(no) for no in said]
        contact = next((self.body[n] for n in ("next_contact", "rest_by") if type(self.body.get(n)) is int), None)
        no = {"NEN": "X5", "CHK": "X7"}.get(self.header.ans or "")
        if self.body.get("step") == "not-engaging":
            no = "X5"
        if no is not None and contact is not None:
            lines.append(self._sentence(no, time=utc(contact)))
        return lines

    def _closing_sentences(self) -> list[str]:
        lists = self.files.lists
        rules = [rule for name in self.body if (rule := self._rule(name)) is not None]
        rules += [column for rule in rules for column in (rule.columns or {}).values()]
        needed = {lists[rule.list].prints for rule in rules if rule.list is not None}
        return [self._sentence(no) for no in sorted(no for no in needed if no is not None)]

    def _sentence(self, no: str, **values: str) -> str:
        return self.files.sentences[no].text(self.lang, **values)

    # ---- body ----

    def _field(self, name: str) -> list[str]:
        rule = self._rule(name)
        value = self.body[name]
        if rule is None or value_fault(self.files, rule, value) is not None:
            shown = value.hex() if isinstance(value, bytes) else str(value)
            return [
                self._pair(self._aside(f"? {_line(name)}", label(self.files, "unread_field", self.lang)), _line(shown))
            ]
        told = self._told(rule)
        if rule.type == "entry":
            return self._entry(told, value)
        if rule.type == "rows":
            return [
                self._pair(told, "").rstrip(),
                *(f"  {n}. {self._row(rule, row)}" for n, row in enumerate(value, 1)),
            ]
        if rule.type == "text" and not self._is_code(rule, value):
            return self._text(told, rule, value)
        now = self._value(rule, value)
        old = self.before.get(name)
        if old is not None and old != value and value_fault(self.files, rule, old) is None:
            now = label(self.files, "changed", self.lang, before=self._value(rule, old), after=now)
        return [self._pair(told, now)]

    def _told(self, rule: Field) -> str:
        return f"{rule.letter} {rule.text(self.lang)}" if rule.letter else rule.text(self.lang)

    def _entry(self, told: str, value: str) -> list[str]:
        """A coded message: its code words as they are, and the code book's text in the reader's language."""
        shown = self._words() or label(self.files, "no_text", self.lang)
        return [self._pair(told, _line(value)), f"  | {shown}"]

    def _words(self) -> str | None:
        entry = self.body.get("entry") if "entry" in self.form.fields else None
        text = self.coded.get(entry) if isinstance(entry, str) else None
        return coded_text(self.files, text, self.body.get("slots", {}), self.lang)

    def _row(self, rule: Field, row: Mapping[str, Any]) -> str:
        columns = rule.columns or {}
        cells = ((columns[name], row[name]) for name in columns if name in row)
        return " · ".join(self._pair(self._told(column), self._value(column, cell)) for column, cell in cells)

    def _text(self, name: str, rule: Field, value: str) -> list[str]:
        if self.header.lang != self.lang:
            name = f"{name} {label(self.files, 'authentic', self.lang, lang=self._word('lang', self.header.lang))}"
        if not rule.lines:
            return [self._pair(name, _line(value))]
        return [self._pair(name, "").rstrip(), *(f"  | {line}" for line in plain(value).split("\n"))]

    def _value(self, rule: Field, value: Any) -> str:
        match rule.type:
            case "code" | "text":
                return self._coded(rule, value)
            case "codes":
                return ("；" if self.lang == "zh" else "; ").join(self._coded(rule, code) for code in value)
            case "time":
                return utc(value)
            case "count":
                return str(value)
            case "slots":
                return "; ".join(f"{_line(str(name))} = {_line(str(each))}" for name, each in value.items()) or "-"
            case "keys" | "refs":
                return self._several(tuple(self.header.names.get(id_, short(id_)) for id_ in value)) or ""
        return ("；" if self.lang == "zh" else "; ").join(self._material(item) for item in value)

    def _coded(self, rule: Field, code: str) -> str:
        return f"{code} {self._word(rule.list, code)}" if self._is_code(rule, code) and rule.list else _line(code)

    def _is_code(self, rule: Field, value: str) -> bool:
        return rule.list is not None and value in self.files.lists[rule.list].codes

    def _material(self, item: Mapping[str, Any]) -> str:
        return label(
            self.files,
            "material",
            self.lang,
            name=_line(item["name"]),
            size=str(item["size"]),
            sha256=item["sha256"].hex(),
            how=_line(item["how"]),
        )

    # ---- words ----

    def _word(self, list_: str, code: str) -> str:
        return word(self.files, list_, code, self.lang)

    def _several(self, items: tuple[str, ...]) -> str | None:
        return ("、" if self.lang == "zh" else ", ").join(map(_line, items)) or None

    def _labelled(self, name: str, value: str) -> str:
        if name in _LISTS:
            return self._pair(self.files.lists[_LISTS[name]].text(self.lang), value)
        return self._pair(label(self.files, name, self.lang), value)

    def _aside(self, text: str, aside: str) -> str:
        return f"{text}（{aside}）" if self.lang == "zh" else f"{text} ({aside})"

    def _pair(self, label: str, value: str) -> str:
        return f"{label}：{value}" if self.lang == "zh" else f"{label}: {value}"


# Header lines whose label is that of their code list.
_LISTS = {
    "precedence": "prec",
    "tlp": "tlp",
    "pap": "pap",
    "lang": "lang",
    "move": "move",
    "ans": "answer",
    "cor": "correction",
}
