"""``make mutants``: seeded single changes of ``keys`` and ``channel/protocol``, and the test that catches each.

    python -m tests.mutation --seed 1 --count 60 [--write]

A change is one comparison, bound, connective or check: ``<`` for ``<=``, a number one more, ``and`` for ``or``, a check
that never refuses. Each is made in a copy of the repository, never here; the tests nearest to the module run first, then
all of both packages. What no test catches SURVIVED. ``--write`` puts the table into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PACKAGES = ("keys", "channel/protocol")
ALL = ("tests/keys", "tests/protocol", "tests/properties/test_fold.py", "tests/vectors")
LEFT_OUT = "tests/protocol/test_archive_small.py"  # every byte of an archive: minutes, and no rule of its own
SECONDS = 300
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
SAID = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not", ast.And: "and", ast.Or: "or",
}  # fmt: skip
NEAREST = {
    "trees": ("archive",), "succession": ("archive_numbers", "archive"), "report": ("audit",), "audit": ("archive", "audit"),
    "proof": ("archive_proof",), "reveal": ("archive_beside", "vectors"), "header": ("message", "fold"),
    "sequence": ("fold",), "tables": ("fold",), "members": ("fold_keys",), "recipients": ("fold",), "effects": ("fold",),
    "judge": ("fold",), "judge_keys": ("fold_keys",), "judge_message": ("fold", "ladder"), "judge_people": ("fold",),
    "opening": ("fold",), "signatures": ("fold",), "state": ("fold",), "procedure": ("fold",), "views": ("fold",),
    "verdicts": ("fold",), "people": ("fold",), "charter": ("fold_keys", "fold"), "book": ("formats",),
    "rendering": ("formats",), "documents": ("roster",), "pop": ("roster",), "shapes": ("roster", "codec"),
    "plain": ("corners",), "texts": ("corners",), "founding": ("corners",), "record": ("fold", "corners"),
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: the file, its line, what stands there and what is put there, and the file's whole new text."""

    file: str
    line: int
    was: str
    becomes: str
    text: str


def mutants_of(file: Path) -> list[Mutant]:
    """Every single change of a file that this draws from."""
    text = file.read_text()
    tree = ast.parse(text)
    name = str(file.relative_to(TOP))
    skipped = {id(n) for node in ast.walk(tree) if _said_only(node) for n in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        if id(node) not in skipped:
            found += [Mutant(name, node.lineno, was, becomes, new) for was, becomes, new in _changes(text, node)]  # type: ignore[attr-defined]
    return found


def _said_only(node: ast.AST) -> bool:
    """Annotations, and conditions of types: no rule of the protocol."""
    return isinstance(node, ast.AnnAssign) or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")


def _changes(text: str, node: ast.AST) -> list[tuple[str, str, str]]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in SWAPS:
            return [_between(text, left, right, op, SWAPS[type(op)]())]
        case ast.BoolOp(op=op, values=[left, right]):
            return [_between(text, left, right, op, SWAPS[type(op)]())]
        case ast.Constant(value=int(value)) if not isinstance(value, bool) and 0 < value < 2**31:
            return [(str(value), str(value + 1), _put(text, node, str(value + 1)))]
        case ast.If(test=test, body=[ast.Raise() | ast.Return(), *_], orelse=[]):
            was = ast.unparse(test)
            return [(f"if {was}", "if False", _put(text, test, "False"))]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return [(ast.unparse(node), ast.unparse(operand), _put(text, node, f"({ast.unparse(operand)})"))]
    return []


def _place(text: str, line: int, column: int) -> int:
    lines = text.encode().splitlines(keepends=True)
    return sum(map(len, lines[: line - 1])) + column


def _put(text: str, node: ast.AST, new: str) -> str:
    raw = text.encode()
    start, end = _place(text, node.lineno, node.col_offset), _place(text, node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
    return (raw[:start] + new.encode() + raw[end:]).decode()


def _between(text: str, left: ast.expr, right: ast.expr, op: ast.AST, new: ast.AST) -> tuple[str, str, str]:
    raw = text.encode()
    start = _place(text, left.end_lineno or 0, left.end_col_offset or 0)
    end = _place(text, right.lineno, right.col_offset)
    said, put = SAID[type(op)], SAID[type(new)]
    gap = re.sub(
        rf"(?<!\w){re.escape(said)}(?!\w)" if said[0].isalpha() else re.escape(said),
        put,
        raw[start:end].decode(),
        count=1,
    )
    was = f"{ast.unparse(left)} {said} {ast.unparse(right)}"
    return was, f"… {put} …", (raw[:start] + gap.encode() + raw[end:]).decode()


def drawn(seed: int, count: int) -> list[Mutant]:
    """So many changes, spread over the modules: each in turn gives one of its own."""
    dice = random.Random(seed)
    files = sorted(p for package in PACKAGES for p in (TOP / package).glob("*.py") if p.name != "__init__.py")
    left = {file: mutants_of(file) for file in files}
    for some in left.values():
        dice.shuffle(some)
    chosen: list[Mutant] = []
    while len(chosen) < count and any(left.values()):
        order = [file for file in files if left[file]]
        dice.shuffle(order)
        chosen += [left[file].pop() for file in order[: count - len(chosen)]]
    return chosen


def nearest(file: str) -> list[str]:
    """The test files that speak of a module, in order."""
    stem = Path(file).stem
    words = (stem, *NEAREST.get(stem, ()), "corners")
    tests = "tests/keys" if file.startswith("keys") else "tests/protocol"
    files = sorted(str(p.relative_to(TOP)) for p in (TOP / tests).glob("test_*.py"))
    near = [f for word in words for f in files if Path(f).stem.startswith(f"test_{word}") and f != LEFT_OUT]
    return list(dict.fromkeys(near))


def caught_by(copy: Path, mutant: Mutant) -> str:
    """The first test that fails with the change, or nothing."""
    target = copy / mutant.file
    before = target.read_text()
    target.write_text(mutant.text)
    try:
        for tests in filter(None, (nearest(mutant.file), list(ALL))):
            caught = _run(copy, tests)
            if caught:
                return caught
        return ""
    finally:
        target.write_text(before)


def _run(copy: Path, tests: list[str]) -> str:
    line = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--no-header",
            f"--ignore={LEFT_OUT}", *tests]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(line, cwd=copy, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "it never ends"
    if done.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    return found[1].split("[")[0] if found else "the tests can't begin"


def table(rows: list[tuple[Mutant, str]]) -> str:
    """The mutants as a table of docs/reliability.md."""
    lines = ["| place | was | becomes | caught by |", "|---|---|---|---|"]
    for m, caught in rows:
        was, becomes = (text.replace("|", "\\|").replace("\n", " ")[:90] for text in (m.was, m.becomes))
        lines.append(f"| {m.file}:{m.line} | `{was}` | `{becomes}` | {caught or '**SURVIVED**'} |")
    return "\n".join(lines)


def main() -> None:
    """Draw, try, tell; ends with 1 if one survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--write", action="store_true", help="the table into docs/reliability.md")
    parser.add_argument("--only", help="a file alone")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="channel-mutants-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(TOP, copy, ignore=shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__"))
        if caught := _run(copy, list(ALL)):
            sys.exit(f"the tests fail without any change: {caught}")
        chosen = [m for m in drawn(options.seed, options.count) if not options.only or m.file == options.only]
        for at, mutant in enumerate(chosen, start=1):
            caught = caught_by(copy, mutant)
            rows.append((mutant, caught))
            said = f"{at:3}/{len(chosen)} {mutant.file}:{mutant.line}  {mutant.was} -> {mutant.becomes}: {caught or 'SURVIVED'}"
            sys.stdout.write(said + "\n")
            sys.stdout.flush()
    survived = sum(not caught for _, caught in rows)
    sys.stdout.write(f"{len(rows)} mutants, {len(rows) - survived} caught, {survived} survived\n")
    if options.write:
        page = TOP / "docs" / "reliability.md"
        begin, end = "<!-- mutants -->\n", "<!-- end of mutants -->"
        text = page.read_text()
        head, rest = text.split(begin)
        page.write_text(f"{head}{begin}\n{table(rows)}\n\n{end}{rest.split(end)[1]}")
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
