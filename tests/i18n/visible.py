"""Every text that a person can see, found by walking: the books, both text files, the help of both programs, the trial.

A text has an id that stays when its words change: ``F03.category``, ``codes.prec.Z``, ``cli.sent``, ``channel send --case``.
What people type is not here, but for what the demo plays (``said``).
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click

from channel.cli import incident
from channel.cli.founding import PARTIES, SEATS
from channel.cli.main import channel
from channel.formats import code_book, format_book
from keys.cli import channel_keys
from keys.codec import unpack
from keys.texts import flatten, one_language

TOP = Path(__file__).resolve().parents[2]
SESSION = TOP / "tests/e2e/incident.session"
HAN = re.compile("[\u4e00-\u9fff]")
PROGRAMS = {"channel": channel, "channel-keys": channel_keys}


@dataclass(frozen=True, slots=True)
class Text:
    """One text: the file it stands in, its id, and both languages; "" where a person said it in one only."""

    file: str
    id: str
    en: str
    zh: str


def every_text() -> tuple[Text, ...]:
    """All texts with both languages, in the order of their files."""
    return (*_books(), *_locales(), *_ground(), *_helps(), *_trial())


# --- files ------------------------------------------------------------------------------------------------------------


@cache
def books() -> Mapping[str, Any]:
    """File name -> tree, of the format book and the code book."""
    found = unpack(format_book()) | unpack(code_book())
    return {name: tomllib.loads(raw.decode()) for name, raw in sorted(found.items())}


def _books() -> Iterator[Text]:
    for name, tree in books().items():
        yield from _of_tree(f"channel/formats/{name}", name.removesuffix(".toml"), tree)


def _of_tree(file: str, id_: str, tree: Mapping[str, Any]) -> Iterator[Text]:
    if isinstance(tree.get("en"), str) or isinstance(tree.get("zh"), str):
        yield Text(file, id_, tree.get("en", ""), tree.get("zh", ""))
    for name, value in tree.items():
        if isinstance(value, Mapping):
            within = id_ if name in ("fields", "columns", "codes") else f"{id_}.{name}"
            yield from _of_tree(file, within, value)


def _locales() -> Iterator[Text]:
    folder = TOP / "channel/locales"
    en, zh = (flatten(tomllib.loads((folder / name).read_text("utf-8"))) for name in ("en.toml", "zh_Hans.toml"))
    for id_ in en | zh:
        yield Text("channel/locales", id_, en.get(id_, ""), zh.get(id_, ""))
    for file in sorted((folder / "desk").glob("*.toml")):
        yield from _of_tree("channel/locales", f"desk.{file.stem}", tomllib.loads(file.read_text("utf-8")))


def _ground() -> Iterator[Text]:
    tree = tomllib.loads((TOP / "keys/texts.toml").read_text("utf-8"))
    en, zh = one_language(tree, "en"), one_language(tree, "zh")
    for id_ in en | zh:
        yield Text("keys/texts.toml", id_, en.get(id_, ""), zh.get(id_, ""))


# --- the help of commands ---------------------------------------------------------------------------------------------


def commands(program: str) -> Iterator[tuple[str, click.Context]]:
    """Each command of a program by its full name, with a context to ask it in."""

    def walk(name: str, context: click.Context) -> Iterator[tuple[str, click.Context]]:
        yield name, context
        if isinstance(context.command, click.Group):
            for word, command in sorted(context.command.commands.items()):
                yield from walk(f"{name} {word}", click.Context(command, context, info_name=word))

    group = PROGRAMS[program]
    yield from walk(program, click.Context(group, info_name=program, **group.context_settings))


def _helps() -> Iterator[Text]:
    for program in PROGRAMS:
        seen = set()
        for name, context in commands(program):
            told = [(name, context.command.help)]
            if context.command.short_help:
                told.append((f"{name} (short)", context.command.short_help))
            options = [each for each in context.command.get_params(context) if isinstance(each, click.Option)]
            told += [(f"{name} {max(option.opts, key=len)}", option.help) for option in options]
            for id_, text in told:
                same = id_.removeprefix(name), text  # an option that every command takes is told once
                if same not in seen:
                    seen |= {same}
                    yield Text("command line", id_, *apart(text or ""))


def apart(text: str) -> tuple[str, str]:
    """A help text as its English and its Chinese part; "" for one that is not there.

    The languages are kept apart by " / ", or Chinese begins where its first character stands, or ends before English.
    """
    text = " ".join(text.split())
    first = HAN.search(text)
    if first is None:
        return text, ""
    en, slash, zh = text.rpartition(" / ")
    if slash and not HAN.search(en):
        return en, zh.removesuffix(".")
    if not re.search("[A-Za-z]", text[: first.start()]):
        zh, _, en = text.partition("。 ")
        return en, f"{zh}。"
    start = len(text[: first.start()].rstrip("“（《")) if text[first.start() - 1] in "“（《" else first.start()
    return text[:start].rstrip(), text[start:]


# --- the trial, and what the demo says --------------------------------------------------------------------------------


def _trial() -> Iterator[Text]:
    for code, (en, zh, _, _) in PARTIES.items():
        yield Text("trial", f"trial.{code}", en, zh)
    for seat, en, zh, _, _ in SEATS:
        yield Text("trial", f"trial.{seat}", en, zh)


def said() -> Iterator[Text]:
    """What the demo's people write, each in the own language, as texts with the id ``demo.said``."""
    tree = ast.parse(Path(incident.__file__).read_text("utf-8"))
    documents = {id(node.body[0].value) for node in ast.walk(tree) if getattr(node, "body", None) and _documents(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            if HAN.search(node.value):
                yield Text("demo", "demo.said", "", node.value)
            elif " " in node.value.strip():
                yield Text("demo", "demo.said", node.value, "")


def _documents(node: ast.AST) -> bool:
    body = getattr(node, "body", None)
    first = body[0] if isinstance(body, list) and body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


# --- what commands print ----------------------------------------------------------------------------------------------


def printed(side: str) -> Iterator[tuple[str, str]]:
    """Each line that the played incident prints on the side ``us`` (English) or ``cn`` (Chinese), with its command."""
    command = ""
    for line in SESSION.read_text("utf-8").splitlines():
        if line.startswith("$ "):
            command = line[2:]
        elif command.split(" ")[0] == side and not line.startswith(("#", "= ")):
            yield command, line
