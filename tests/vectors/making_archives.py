"""Archives, good and changed in ways that know their structure, with what ``verify`` must say (docs/protocol.md 16)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from making_archive_bytes import Arch
from making_archive_cases import all_cases
from making_archive_ground import Case
from making_signing import Kept, digest

HEADER = [
    "Archives and the exit code of `verify` (docs/protocol.md 16.2): 0 good, 3 unreadable, 5 does not hold, 6 good with a warning.",
    "`archive`: pieces to be joined; a piece that begins with `=` is hex, any other the SHA-256 of one in `pool` (base64).",
    "`chan`: the channel id that is given to verify, absent where none is. `at_least`: a note that the archive must cover.",
    (
        "`part`: where the first failure lies: magic, framing, section, head, records, record, note, blob, proof, reveal, "
        "evidence or hash (the last 32 bytes). `complete`: joined sizes; `refused`: letter, position and reason of records that "
        "do not count; `messages`: how many do; `state`: H(state), form full only; `evidence`: kinds that are proved."
    ),
]
NOTES = {
    "Good": "Nothing is wrong",
    "Warning": "Good, but something must be said",
    "Framing": "Magic, lengths, sections, their order",
    "Hash": "The last 32 bytes",
    "Head": "Form, channel, cut",
    "Records": "Records changed, dropped, added, re-ordered",
    "Resigned": "Records changed and notes signed again over them",
    "Note": "Anchors and their lines",
    "Blob": "Exactly the blobs that the records name",
    "Opening": "Charter, roots, rosters and policy",
    "Succession": "Later log numbers",
    "Reveal": "What a party shows of a message",
    "Evidence": "Evidence beside the records",
    "Proof": "Form proof",
    "AtLeast": "An older archive passed as newest",
}


def make(stored: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    pool: dict[bytes, bytes] = {}
    tests = list(_tests(Kept(stored), pool))
    return {
        "schema": "archives_schema.json", "generatorVersion": "1", "numberOfTests": len(tests), "header": HEADER,
        "notes": NOTES, "testGroups": [{"type": "Archive", "tests": tests}],
        "pool": {h.hex(): base64.b64encode(pool[h]).decode() for h in sorted(pool)},
    }  # fmt: skip


def _tests(kept: Kept, pool: dict[bytes, bytes]) -> Iterator[dict[str, Any]]:
    for number, case in enumerate(all_cases(kept), 1):
        good = case.exit in (0, 6)
        test: dict[str, Any] = {
            "tcId": number,
            "comment": case.comment,
            "result": "valid" if good else "invalid",
            "flags": [case.flag],
        }
        test |= {"exit": case.exit, "part": case.part}
        if not good:
            test["reason"] = f"{'unreadable' if case.exit == 3 else 'does not hold'}: {case.part}"
        if case.chan is not None:
            test["chan"] = case.chan.hex()
        if case.at_least:
            test["at_least"] = base64.b64encode(case.at_least).decode()
        test |= case.says
        pieces = case.arch.pieces() if isinstance(case.arch, Arch) else _pieces(case, pool)
        yield test | {"archive": [_piece(piece, pool) for piece in pieces]}


def _pieces(case: Case, pool: dict[bytes, bytes]) -> list[bytes]:
    """Bytes of no form of their own, in the pieces that are known already, and what lies between."""
    assert isinstance(case.arch, bytes)
    rest, made = case.arch, list[bytes]()
    known = sorted((p for p in pool.values() if p in rest), key=rest.index)
    for piece in known:
        before, found, after = rest.partition(piece)
        if found:
            made, rest = [*made, *([before] if before else []), found], after
    return [*made, rest] if rest else made


def _piece(piece: bytes, pool: dict[bytes, bytes]) -> str:
    if len(piece) < 100:
        return "=" + piece.hex()
    pool[digest(piece)] = piece
    return digest(piece).hex()
