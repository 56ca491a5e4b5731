"""Answers: which format answers which, the field for "when there will be more", and the numbers of questions."""

from __future__ import annotations

from collections.abc import Sequence

from channel.client.client import Client
from channel.protocol.header import FormatCode
from channel.protocol.verdicts import MessageView
from keys.errors import WrongUse

ANSWERS = ["YES", "NO", "NOI", "CHK", "NOT", "CNC", "NEN", "REF"]
NEXT, NEXT_MESSAGE = {"F07": "rest_by", "F02": "next_contact", "F11": "done"}, "next_message"
"""The field that says when there will be more, by the answer's format; of all others ``NEXT_MESSAGE``."""


def answer_format(asked: str, *, parts: bool, code: bool) -> FormatCode:
    """The format that answers one. ``parts``: to questions, with support, accepting; ``code``: to the message as a whole.

    ``WrongUse`` NO_QUESTION for parts of an answer where nothing was asked.
    """
    if asked in ("F06", "F11"):
        return "F07" if asked == "F06" else "F11"
    if parts:
        raise WrongUse("NO_QUESTION")
    return "F02" if code else "F04"


def check_numbers(client: Client, asked: MessageView, numbers: Sequence[int]) -> None:
    """``WrongUse`` QUESTION_NUMBER for the number of a question that is not asked, or answered twice."""
    questions = range(1, len(client.open(asked).body.get("questions", ())) + 1)
    for number in numbers:
        if number not in questions or numbers.count(number) > 1:
            raise WrongUse("QUESTION_NUMBER", number=asked.verdict.number, no=number, count=len(questions))
