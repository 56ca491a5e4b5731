"""The errors of the whole project: one tree, each error with a code that the texts translate.

An error carries a ``code`` and the values that its text names. Texts stand in ``texts.toml`` (keys) and
``channel/locales`` (all else), in both languages: what happened and what to do. The class says whose turn it is;
``exit_code`` is the contract of DESIGN section 9.

    Problem                 1  internal fault
    ├── WrongUse            2  the caller asked for something that can't be meant
    ├── Malformed           3  bytes that can't be read
    ├── Refused             4  readable, against a rule
    │   └── Unavailable     4  the other end does not answer, or is not ready yet
    ├── Unverified          5  a signature, hash, proof or completeness check failed
    │   └── SecurityAlarm   5  proof of two histories or a false signature: never retried, never swallowed
    └── NotDelivered        7  accepted on the own side, not delivered in the time given
"""

from __future__ import annotations


class Problem(Exception):
    """An error that a person can be told about. ``code`` is upper case with underscores; ``values`` fill its text."""

    exit_code = 1

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values

    def __str__(self) -> str:
        named = ", ".join(f"{name}={_short(value)}" for name, value in self.values.items())
        return f"{self.code} ({named})" if named else self.code


class WrongUse(Problem):
    """The call or command can't be meant so."""

    exit_code = 2


class Malformed(Problem):
    """Bytes that can't be read. Parsers raise nothing else."""

    exit_code = 3


class Refused(Problem):
    """Readable, but against a rule."""

    exit_code = 4


class Unavailable(Refused):
    """The other end does not answer, or is not ready yet; trying again later is right."""


class Unverified(Problem):
    """A signature, hash, proof or completeness check failed."""

    exit_code = 5


class SecurityAlarm(Unverified):
    """Proof of two histories or of a false signature. Never retried, never swallowed."""


class NotDelivered(Problem):
    """Accepted on the own side, not delivered in the time given."""

    exit_code = 7


def _short(value: object) -> str:
    return value.hex()[:16] if isinstance(value, bytes) else str(value)
