"""What a text is looked at for while it is written: hints, which never keep anybody from going on, and faults.

    hints(client, written, texts, silent) # ambiguous words, numbers without units, an old answer, a closed case, …
    faults(client, written, random)       # what the book, the header and the log would refuse, at the field

A fault is what sending would be refused for, found by making the very message, which is then thrown away. From
`serious` on, what has come in the case since the text was begun has to be opened first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channel.client import drafts
from channel.client.composing import compose, header_of
from channel.client.present import find, find_case, need, payload_of, worded
from channel.desk import ambiguous, forms
from channel.desk.writing import Written, draft_with
from channel.protocol.charter import ORDER
from keys.errors import Malformed, Problem, Refused, Unverified, WrongUse

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.i18n import Texts
    from channel.protocol.verdicts import MessageView

OPEN_FIRST = ORDER.index("serious")
BARE_NUMBER = re.compile(
    r"(?<![\w.,:/+-])\d{1,3}(?:[, ]?\d{3})*(?:\.\d+)?(?=\s*(?:$|[.,;:!?)，。；：、！？）]|(?:and|or|to|in|on|at|by|is|was|were)\b))",
    re.MULTILINE,
)
"""A number that nothing follows which could say of what."""
FIELDS = {
    "NO_SEAT": "cosign", "SELF_APPROVAL": "cosign", "SIGNERS_NEEDED": "cosign", "TOO_MANY_READERS": "to",
    "NO_MESSAGE": "refs", "AMBIGUOUS": "refs", "OTHERS_WORDS": "cor", "NOT_CORRECTABLE": "refs",
    "LEVEL_NOW": "to_level", "QUESTION_NUMBER": "answers",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing to look at: a text and its values; ``link``: where."""

    id: str
    values: dict[str, Any]
    link: str = ""


# --- hints ------------------------------------------------------------------------------------------------------------


def hints(client: Client, written: Written, texts: Texts, silent: int) -> list[Hint]:
    """Everything to look at, the graver first. ``silent``: as ``OpenDesk.silent`` has it."""
    return [
        *_of_channel(client, written, texts, silent),
        *_of_case(client, written),
        *_of_references(client, written),
        *_of_words(written, texts),
    ]


def _of_channel(client: Client, written: Written, texts: Texts, silent: int) -> list[Hint]:
    found = []
    if client.view.fold.suspended():
        open_ = texts.say("channel.suspended_open")
        found.append(Hint("desk.compose.hint_suspended", {"open": open_}))
    if silent:
        found.append(Hint("desk.compose.hint_stale", {"age": texts.duration(silent)}))
    if written.did:
        found.append(Hint("desk.compose.hint_draft", {"did": written.did[:8]}, f"/approvals/{written.did}"))
    return found


def _of_case(client: Client, written: Written) -> list[Hint]:
    found = []
    if written.viewed and written.viewed != written.case:
        found.append(Hint("desk.compose.hint_outside", {"number": written.viewed}, f"/cases/{written.viewed}"))
    opening = _opening(client, written)
    if opening is None:
        return found
    if client.view.fold.case_level(opening.ph) is None:
        found.append(Hint("desk.compose.hint_closed", {"number": written.case}, f"/cases/{written.case}"))
    newest = newer(client, written)
    found += [Hint("desk.compose.hint_newer", {"number": m.verdict.number}, f"/m/{m.verdict.number}") for m in newest]
    return found


def _of_references(client: Client, written: Written) -> list[Hint]:
    """What is answered and was corrected or withdrawn; a correction itself may follow another."""
    found = []
    for ref in written.refs if written.fmt != "F14" else ():
        try:
            corrections = client.index.corrections(find(client, ref).ph)
        except WrongUse:
            continue
        for m in corrections:
            code = payload_of(m).cor
            said = {"number": ref, "by": m.verdict.number}
            id_ = "hint_withdrawn" if code == "WDR" else "hint_corrected"
            found.append(Hint(f"desk.compose.{id_}", said, f"/m/{m.verdict.number}"))
    return found


def _of_words(written: Written, texts: Texts) -> list[Hint]:
    said = [text for name, typed in written.values.items() for text in typed if _in_words(name, text)]
    words = {each.word: each for text in said for each in ambiguous.found(text)}
    found = [
        Hint("desk.compose.hint_word", {"word": word, "instead": texts.say(each.instead)})
        for word, each in words.items()
    ]
    bare = list(dict.fromkeys(n for text in said for n in BARE_NUMBER.findall(text) if not _year(n)))
    return found + [Hint("desk.compose.hint_unit", {"number": n}) for n in bare[:5]]


def _in_words(name: str, typed: str) -> bool:
    """Whether a field takes words: not codes, times, counts, seats and numbers of messages."""
    last = name.rpartition(".")[2]
    return not forms.DATE.fullmatch(typed) and last not in (
        "no",
        "number",
        "size",
        "sha256",
        "time",
        "count",
        "code",
        "tlp",
        "pap",
        "own_number",
    )


def _year(number: str) -> bool:
    return len(number) == 4 and number[:2] in ("19", "20")


# --- the case since then ----------------------------------------------------------------------------------------------


def newer(client: Client, written: Written) -> list[MessageView]:
    """What has come in the case since the text was begun, by whomever."""
    opening = _opening(client, written)
    if opening is None:
        return []
    cut = written.case_seen
    return [m for m in client.index.case(opening.ph) if m.verdict.index >= cut["ab".index(m.verdict.letter)]]


def to_open_first(client: Client, written: Written) -> list[MessageView]:
    """Those of them that have to be opened before a review, where the case is at `serious` or above."""
    opening = _opening(client, written)
    level: Any = None if opening is None else client.view.fold.case_level(opening.ph)
    return newer(client, written) if level is not None and ORDER.index(level) >= OPEN_FIRST else []


def _opening(client: Client, written: Written) -> MessageView | None:
    if not written.case:
        return None
    try:
        return find_case(client, written.case)
    except WrongUse:
        return None


# --- faults -----------------------------------------------------------------------------------------------------------


def faults(client: Client, written: Written, random: Callable[[int], bytes]) -> dict[str, Problem]:
    """What is wrong, by field ("" where it is none's); empty for what can be reviewed."""
    body, found = forms.read_body(client, written.fmt, written.values)
    if found:
        return found
    try:
        draft = draft_with(client, written, body)
        _check_reason(client, written, body)
        keys = client.keys
        made = compose(client.view, keys.sign, keys.seal.public.suite, draft, client.clock.now(), random)
        drafts.check_signers(client, made.sealed.payload)
    except (Refused, WrongUse, Malformed, Unverified) as e:
        return {field_of(e): e}
    return {}


def field_of(problem: Problem) -> str:
    """The field that a problem is about."""
    if problem.code == "FMT":
        return str(problem.values.get("field", ""))
    return FIELDS.get(problem.code, "")


def _check_reason(client: Client, written: Written, body: dict[str, Any]) -> None:
    """A raise of more than one step says why."""
    if steps_up(client, written) > 1 and not ({"reason", "text"} & body.keys()):
        raise Refused("FMT", fmt=written.fmt, field="reason", why="missing")


def steps_up(client: Client, written: Written) -> int:
    """By how many steps a raise goes up; 0 for all else."""
    opening = _opening(client, written)
    if written.op != "raise" or not written.to_level or opening is None:
        return 0
    now: Any = client.view.fold.case_level(opening.ph) or ORDER[0]
    to: Any = written.to_level
    return ORDER.index(to) - ORDER.index(now)


def in_words(problem: Problem, texts: Texts) -> tuple[str, str]:
    """What is wrong and what to do, short enough to stand at its field."""
    if problem.code == "FMT":
        why = str(problem.values["why"])
        own = f"desk.compose.why_{why.replace(' ', '_')}"
        return texts.say(own) if own in texts else texts.say(f"why.{why}") if f"why.{why}" in texts else why, ""
    own = f"desk.compose.fault_{problem.code}"
    told = worded(problem, texts) if isinstance(problem, Refused) else problem
    return (texts.say(own, **told.values), "") if own in texts else texts.problem(told)


def signers_needed(client: Client, written: Written, texts: Texts) -> str:
    """Who has to sign, in words; "" while the level is not chosen."""
    try:
        draft = draft_with(client, Written(**{**_fields(written), "cosign": ()}), {})
        header = header_of(client.view, client.keys.sign.kid, client.keys.seal.public.suite, draft, 0, bytes(16))
    except (Refused, WrongUse):
        return ""
    return need(texts, client.view.fold.slots(client.view.letter, header))


def _fields(written: Written) -> dict[str, Any]:
    return {name: getattr(written, name) for name in written.__slots__}
