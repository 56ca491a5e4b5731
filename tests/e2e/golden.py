"""Golden sessions: commands and what they print, line for line, with times, ids and keys masked.

    python -m tests.e2e.golden            plays tests/e2e/incident.session anew and writes what was printed

A session file has a line "$ SIDE WORDS…" for each command, as typed in that side's desk home, then its output. Lines
that begin with "#" say what happens; "= N" after a command is its exit code where that is not 0.
"""

from __future__ import annotations

import re
import shlex
import tempfile
import time
from pathlib import Path

from tests.cli.running import Machine

SESSION = Path(__file__).with_name("incident.session")
MASKS = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME"),
    (r"(draft |Draft |草稿 ?)[0-9a-f]{8,16}", r"\1DRAFT"),
    (
        r"^(Receipt time|接收时间|Read by|收阅时限|Reply by|答复时限)[:：].*\n",
        "",
    ),  # when the other side's next record came
    (r"(reply due: |答复时限：).*", r"\1DUE"),
    (r"已送达（双方节点均已存储）|已锚定|delivered \(stored by both nodes\)|anchored", "STORED"),
    (r"(up to |至)\d+( and |与)\d+", r"\1SIZE\2SIZE"),
    (r"^[0-9a-f]{8}(?=  F\d\d)", "DRAFT"),
    (r"(US|CN)-\d{4}-", r"\1-YYYY-"),
)


def masked(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text


def commands(session: str) -> list[str]:
    """The commands and remarks of a session, without what was printed."""
    return [line for line in session.splitlines() if line.startswith(("$ ", "#"))]


def play(machine: Machine, lines: list[str]) -> str:
    """Run every command; the whole session as text."""
    said: list[str] = []
    year = time.gmtime().tm_year
    for line in lines:
        said.append(line)
        if line.startswith("#"):
            continue
        side, *words = shlex.split(line[2:])
        lang = "zh" if side == "cn" else "en"
        result = machine.command(side, *(word.replace("YYYY", str(year)) for word in words), lang=lang)
        said += [f"= {result.exit_code}"] * bool(result.exit_code)
        said += masked(result.output).rstrip("\n").splitlines()
    return "\n".join(said) + "\n"


def main() -> None:
    """Write the session anew."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder) / "trial")
        machine.start("us", "cn")
        try:
            SESSION.write_text(play(machine, commands(SESSION.read_text("utf-8"))), "utf-8")
        finally:
            machine.end("us", "cn")


if __name__ == "__main__":
    main()
