"""Golden sessions: commands and what they print, line for line, with times, ids and keys masked.

    python -m tests.e2e.golden            plays tests/e2e/incident.session anew and writes what was printed
    python -m tests.e2e.golden watch      the same with tests/e2e/watch.session

A session file has a line "$ SIDE WORDS…" for each command, as typed in that side's desk home, then its output. Lines
that begin with "#" say what happens; "= N" after a command is its exit code where that is not 0. "$+ SIDE WORDS…" is a
command in the other language than that side's own. "+ FILE TEXT" adds a line to a file of the trial's folder.
"""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
import time
from pathlib import Path

from tests.cli.running import Machine

SESSION = Path(__file__).with_name("incident.session")
LEFT = r"(?:\d+ (?:s|min|h|days)|\d+(?:秒|分钟|小时|天))(?: ?\d+ ?(?:min|h|分钟|小时))?"
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
    (rf"(?<!\d){LEFT}(?= left| ago|（(?:至|TIME))", "LENGTH"),
    (rf"(剩余|时限已过){LEFT}", r"\1LENGTH"),
    (
        r"counted from the system receipt on|自收到系统回执起计时|LENGTH left \(until TIME\)|剩余LENGTH（至 TIME）",
        "DUE",
    ),
    (r"^ +(system receipt: |系统回执：)DUE\n", ""),  # seen or not yet: when the other side's next record came
    (r"\b(US|CN):\d+", r"\1:N"),
    (r"(Payload: |载荷：)[0-9a-f]{64}", r"\1HASH"),
)


def masked(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text


def commands(session: str) -> list[str]:
    """The commands and remarks of a session, without what was printed."""
    return [line for line in session.splitlines() if line.startswith(("$ ", "$+ ", "+ ", "#"))]


def play(machine: Machine, lines: list[str]) -> str:
    """Run every command; the whole session as text."""
    said: list[str] = []
    year = time.gmtime().tm_year
    for line in lines:
        said.append(line)
        if line.startswith("#"):
            continue
        if line.startswith("+ "):
            name, _, text = line[2:].partition(" ")
            with (machine.folder / name).open("a", encoding="utf-8") as file:
                file.write(f"{text}\n")
            continue
        mark, side, *words = shlex.split(line)
        lang = "zh" if (side == "cn") == (mark == "$") else "en"
        result = machine.command(side, *(word.replace("YYYY", str(year)) for word in words), lang=lang)
        said += [f"= {result.exit_code}"] * bool(result.exit_code)
        said += masked(result.output).rstrip("\n").splitlines()
    return "\n".join(said) + "\n"


def main(name: str = "incident") -> None:
    """Write a session anew."""
    session = SESSION.with_name(f"{name}.session")
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder) / "trial")
        machine.start("us", "cn")
        try:
            session.write_text(play(machine, commands(session.read_text("utf-8"))), "utf-8")
        finally:
            machine.end("us", "cn")


if __name__ == "__main__":
    main(*sys.argv[1:2])
