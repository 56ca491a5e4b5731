"""The rules of the house that no other tool holds: sizes, names, floors, locks, and that the papers are true.

Texts and their two languages have tests of their own, in tests/i18n.
"""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parent.parent
MODULES = sorted([*TOP.glob("channel/**/*.py"), *TOP.glob("keys/**/*.py")])
PAPERS = sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md")])
NOT_NAMES = {"manager", "handler", "helper", "helpers", "util", "utils", "common", "base", "misc"}


@cache
def settings() -> dict[str, Any]:
    return tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))


@cache
def ignored(name: str) -> bool:
    """Whether .gitignore names the file or a folder above it; `name` is its path from the top of the project."""
    for line in (TOP / ".gitignore").read_text("utf-8").split():
        folders = name.split("/")[: -1 if line.endswith("/") else None]
        if any(fnmatch(folder, line.strip("/")) for folder in (folders[:1] if line.startswith("/") else folders)):
            return True
    return False


def tracked() -> tuple[Path, ...]:
    """Every file of the project as a reader of a clone would find it: nothing that .gitignore names."""
    kept = [path for path in TOP.iterdir() if path.name != ".git" and not ignored(path.name + "/")]
    files = [file for path in kept for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return tuple(sorted(file for file in files if not ignored(file.relative_to(TOP).as_posix())))


def test_what_a_run_leaves_behind_is_not_a_file_of_the_project() -> None:
    """A file that .gitignore names (coverage's own, once) tells of the machine that ran, not of the project."""
    left = [".coverage", "build/x", "channel/__pycache__/x.pyc", "tests/keys/x.pyc", ".venv/bin/python", "demo/log"]
    assert [name for name in left if not ignored(name)] == []
    assert [name for name in ["channel/cli/demo/x.py", "README.md", ".ci/run"] if ignored(name)] == []


def words_of(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(TOP).as_posix())
def test_a_module_is_at_most_400_lines_opens_with_its_promise_and_has_names_that_say_something(path: Path) -> None:
    """A module longer than 400 lines, without a docstring, or with an empty word as a name, is looked at again."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    named = [
        node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(tree) or not text.strip()
    assert {name: words_of(name) & NOT_NAMES for name in [path.stem, *named] if words_of(name) & NOT_NAMES} == {}


def test_the_floors_in_the_architecture_paper_are_the_linters() -> None:
    """docs/architecture.md shows the same floors, top to bottom, as the contract that import-linter holds."""
    contract = next(each for each in settings()["tool"]["importlinter"]["contracts"] if each["name"] == "floors")
    linter = [{f"channel/{part.strip()}" for part in layer.split("|")} for layer in contract["layers"]]
    paper = (TOP / "docs/architecture.md").read_text("utf-8")
    rows = re.findall(r"^ (\d)  ((?:channel/|keys)\S*(?: \| \S+)*)", paper, re.MULTILINE)
    numbers = [int(number) for number, _ in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert [set(row.split(" | ")) for _, row in rows] == [*linter, {"keys"}]


def test_imports_only_go_down() -> None:
    """import-linter keeps every contract of pyproject.toml."""
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([program, "--no-cache"], cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


LOADED = re.compile("升级|降级|演习|遏制|分裂|联署|甲方|乙方|你方|红线|溯源|归因|拒绝")


def test_the_chinese_readme_avoids_the_words_that_the_glossary_rules_out() -> None:
    """Words that accuse, or that mean something else to one side, stand in no paper that people read first."""
    assert LOADED.findall((TOP / "README.zh.md").read_text("utf-8")) == []


# --- papers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.relative_to(TOP).as_posix())
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    """A relative link in a paper names a file of the project."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def commands_in(paper: Path) -> list[list[str]]:
    """The lines of its terminal sessions, as words, without prompt and comment."""
    blocks = re.findall(r"^```(?:sh|console)?\n(.*?)^```", paper.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    assert lines
    return [shlex.split(line, comments=True) for line in lines]


@cache
def command_group(program: str) -> click.Group:
    """The click group behind a program of pyproject.toml."""
    module = importlib.import_module(settings()["project"]["scripts"][program].split(":")[0])
    beside = [path.stem for path in (TOP / module.__name__.replace(".", "/")).parent.glob("[a-z]*.py")]
    for name in beside if program == "channel" else []:  # each file of commands adds its own to the group
        importlib.import_module(f"{module.__package__}.{name}")
    groups = [value for value in vars(module).values() if isinstance(value, click.Group)]
    nested = {id(command) for group in groups for command in group.commands.values()}
    return next(group for group in groups if id(group) not in nested)


def missing_part(words: list[str]) -> str | None:
    """The first word of a command line that the project does not know, or None."""
    program, rest = Path(words[0]).name, words[1:]
    if program == "make":
        targets = set(re.findall(r"^([\w./-]+):", (TOP / "Makefile").read_text("utf-8"), re.MULTILINE))
        return next((word for word in rest if "=" not in word and word not in targets), None)
    if program not in settings()["project"]["scripts"]:
        return None
    command: click.Command = command_group(program)
    words_left = iter(rest)
    for word in words_left:
        if word.startswith("--"):
            options = {name: parameter for parameter in command.params for name in parameter.opts}
            if word not in options:
                return word
            if not getattr(options[word], "is_flag", False):
                next(words_left)
        elif isinstance(command, click.Group):
            if word not in command.commands:
                return word
            command = command.commands[word]
    return None


@pytest.mark.parametrize("name", ["README.md", "README.zh.md", "deploy/README.md", "CONTRIBUTING.md"])
def test_the_commands_that_the_readme_shows_exist(name: str) -> None:
    """Every command and every option in a README's sessions is known to make or to the command line."""
    assert [(" ".join(line), missing_part(line)) for line in commands_in(TOP / name) if missing_part(line)] == []


def test_the_readme_says_in_its_first_30_lines_how_to_try_to_test_and_to_verify() -> None:
    """Name in both languages, a session with demo, test and verify, and links to the papers, before line 30 ends."""
    top = "\n".join((TOP / "README.md").read_text("utf-8").splitlines()[:30])
    wanted = [
        "人工智能风险沟通与防误判渠道",
        "make demo",
        "make test",
        "channel verify examples/incident.dcx",
        "docs/architecture.md",
    ]
    assert [word for word in wanted if word not in top] == []


def test_papers_stay_short_where_they_promised_to() -> None:
    """CONTRIBUTING at most 80 lines, a decision record at most 60."""
    limits = {TOP / "CONTRIBUTING.md": 80} | dict.fromkeys((TOP / "docs/decisions").glob("0*.md"), 60)
    assert {
        path.name: limit for path, limit in limits.items() if len(path.read_text("utf-8").splitlines()) > limit
    } == {}


# --- parts ------------------------------------------------------------------------------------------------------------


@cache
def pins(lock: str) -> dict[str, tuple[str, str]]:
    """{name: (version, first line)} of a lock file; each pin has at least one hash."""
    found = {}
    for entry in re.split(r"\n(?=[a-z0-9])", (TOP / lock).read_text("utf-8")):
        if match := re.match(r"([a-z0-9][a-z0-9._-]*)==(\S+)", entry):
            assert "--hash=sha256:" in entry, match[1]
            found[canonicalize_name(match[1])] = (match[2], entry.splitlines()[0])
    return found


@pytest.mark.parametrize("lock", ["requirements.lock", "deploy/requirements.lock"])
def test_the_locks_hold_what_the_project_asks_for(lock: str) -> None:
    """Each part that pyproject.toml names is pinned, in a version that it allows; the deployed lock has the same pins."""
    wanted = list(settings()["project"]["dependencies"])
    if lock == "requirements.lock":
        wanted += [*settings()["dependency-groups"]["dev"], *settings()["build-system"]["requires"]]
    unmet = []
    for line in wanted:
        part = Requirement(line)
        version, _ = pins(lock).get(canonicalize_name(part.name), ("0", ""))
        if not part.specifier.contains(version, prereleases=True):
            unmet.append((line, version))
    assert unmet == []
    assert {name for name, (version, _) in pins(lock).items() if pins("requirements.lock")[name][0] != version} == set()


def test_every_part_we_run_on_has_its_reason_written_down() -> None:
    """A dependency stands in a decision record."""
    records = "\n".join(path.read_text("utf-8") for path in (TOP / "docs/decisions").glob("0*.md"))
    named = {canonicalize_name(word) for word in re.findall(r"`([A-Za-z0-9_-]+)`", records)}
    parts = {canonicalize_name(Requirement(line).name) for line in settings()["project"]["dependencies"]}
    assert parts - named == set()


def test_no_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    """Parties install from mirrors of their own: no host of a package registry, no path of whoever made the lock."""
    hosts = [
        "pypi" + ".org",
        "python" + "hosted.org",
        "npm" + "js.org",
        "debian" + ".org",
        "docker" + ".io",
        "crates" + ".io",
        "docs" + ".rs",
    ]
    places = ["/opt/" + "wheels", "/opt/" + "pypi", "/root" + "/", "/home" + "/runner", "/tmp" + "/plan", "/work" + "/"]
    found = []
    for path in tracked():
        raw = path.read_bytes()
        found += [(path.relative_to(TOP).as_posix(), word) for word in hosts + places if word.encode() in raw]
    assert found == []
