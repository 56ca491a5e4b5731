"""A party's own procedures: what its people do at a level. ``procedures.toml`` in the desk home, optional.

    [serious]
    en = "…"
    zh = "…"

It is the party's own text, for its own people: shown beside the time that is left, never sent.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from channel.protocol.charter import ORDER
from keys.errors import WrongUse
from keys.texts import LANGUAGES

FILE = "procedures.toml"
SAMPLE = """\
# This party's own procedures, shown to its own people beside the time that is left. Never sent to the other side.
# One block for each level: routine, attention, consultation, serious, crisis, principals. A level may be left out.
# 本方处置程序，仅供本方人员查看，不发送给对方。每个级别一段，可省略。

[serious]
en = "Call the designated experts together. Read back what was received. (Sample: replace it with your own procedure.)"
zh = "召集指定专家。复述所收内容。（示例，请改为本方程序。）"

[crisis]
en = "Inform the responsible official and the next officer on watch. Sign for receipt first. (Sample: replace it with your own procedure.)"
zh = "告知主管官员和下一班值班员。先签署收悉。（示例，请改为本方程序。）"
"""

Procedures = Mapping[str, Mapping[str, str]]


def read_procedures(home: Path) -> Procedures:
    """Level code to language to text; nothing where there is no file. ``WrongUse`` CONFIG names what is wrong with it."""
    path = home / FILE
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise WrongUse("NO_FILE", path=str(path), why=e.strerror or "?") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise WrongUse("CONFIG", path=str(path), key="-", why=str(e)) from e
    for level, texts in table.items():
        if level not in ORDER:
            raise WrongUse("CONFIG", path=str(path), key=level, why=", ".join(ORDER))
        if not isinstance(texts, dict) or set(texts) != set(LANGUAGES):
            raise WrongUse("CONFIG", path=str(path), key=level, why="en, zh")
        for lang, text in texts.items():
            if not isinstance(text, str) or not text.strip():
                raise WrongUse("CONFIG", path=str(path), key=f"{level}.{lang}", why="a text in quotes")
    return table
