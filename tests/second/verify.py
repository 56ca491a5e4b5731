"""An offline verifier of ``.dcx`` archives, written from docs/protocol.md and docs/state.md alone.

    python tests/second/verify.py FILE [--channel HEX] [--at-least NOTEFILE] [--json]

Exit codes of section 16.2: 0 good, 3 unreadable, 5 does not hold, 6 good with a warning. It uses no network, no key and
nothing of the product.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from second_archive import EVIDENCE, REVEAL, File, Unreadable, Wrong, demand
from second_beside import Given, proves, revealed
from second_bytes import Bad, leaf_hash, pack, prefix_roots, unpack
from second_fold import Fold, Stuck
from second_notes import Note, origin
from second_shapes import read_record

FREEZES = {"E1", "E2", "E3", "E6"}


def verify(data, chan=None, at_least=None):
    """What a file proves, as a dictionary; ``exit`` is the exit code."""
    try:
        file = File(data)
        return _judged(file, chan, at_least)
    except Unreadable as e:
        return {"exit": 3, "part": e.args[0], "offset": e.args[1]}
    except Wrong as e:
        return {"exit": 5, "part": e.args[0]}


def _judged(file, chan, at_least):
    demand(chan is None or chan == file.chan, "head")
    file.check_anchors()
    made = _folded(file) if file.full else Given(file)
    if not file.full:
        made.run()
    policy, _ = made.policy_at(tuple(file.logs[x][-1].start + file.logs[x][-1].size for x in "ab"))
    file.check_witnesses(policy)
    shown = _reveals(file, made)
    proved = _evidence(file)
    if at_least is not None:
        _covers(file, Note(at_least))
    demand(file.intact, "hash")
    codes = {x: p["code"] for x, p in zip("ab", file.charter["parties"], strict=False)}
    warned = chan is None or FREEZES & set(proved)
    refused = [
        r
        for p in (0, 1)
        for r in (made.done[p] if file.full else made.refused if not p else ())
        if r.reason not in ("", "OPAQUE")
    ]
    return {
        "exit": 6 if warned else 0, "form": file.head["form"], "chan": file.chan.hex(), "part": "",
        "complete_to": {codes[x]: file.logs[x][-1].start + file.logs[x][-1].size for x in "ab"},
        "state_hash": made.state_hash().hex() if file.full else None,
        "messages": [_message(made, r, codes, file) for r in made.messages.values()],
        "refused": sorted(["ab"[r.p], r.i, r.reason] for r in refused), "evidence": sorted(proved), "reveals": shown,
    }  # fmt: skip


def _folded(file):
    fold = Fold(file.chan, file.blobs)
    try:
        for p, x in enumerate("ab"):
            fold.lay_out(p, [list(log.records.values()) for log in file.logs[x]])
        fold.run()
    except Stuck as e:
        raise Wrong("records") from e
    demand(fold.opened, "records")
    for p, x in enumerate("ab"):
        for log in file.logs[x][1:]:
            demand(log.start < len(fold.done[p]) and not fold.done[p][log.start].reason, "record")
    demand(fold.cut == tuple(file.logs[x][-1].start + file.logs[x][-1].size for x in "ab"), "head")
    return fold


def _message(made, r, codes, file):
    received = made.receipt(r.p, r.i)
    return {
        "ref": f"{codes['ab'[r.p]]}:{r.i}", "number": r.name if file.full else f"{codes['ab'[r.p]]}:{r.i}", "ph": r.ph.hex(),
        "acks": [a.doc["step"] for a in made.acks.get(r.ph, [])], "confirm": made.confirmed(r) if r.hdr.get("single") is True else "",
        "receipt_time": received.ts if received else None, "person": r.signers[0]["person"], "seat": r.signers[0]["seat"],
    }  # fmt: skip


def _reveals(file, made):
    by_mid = {(made.sides[r.p].code, r.hdr["mid"]): r for r in made.messages.values()}
    seats = {f"{side.code}:{seat['id']}" for side in made.sides for seat in side.standings[-1].roster["seats"]}
    shown = []
    for _, reveal in file.all(REVEAL):
        r = by_mid.get((reveal["party"], reveal["mid"]))
        demand(r is not None and reveal["by"] in seats, "reveal")
        try:
            fields = revealed(reveal, r.hdr, file.blobs.get(r.hdr["blob"], b""))
        except Bad as e:
            raise Wrong("reveal") from e
        shown.append([f"{reveal['party']}:{reveal['mid'].hex()}", sorted(fields)])
    return shown


def _evidence(file):
    logs, cosigners = file.keys()
    mode, found, held = file.charter["mode"], [], set()
    for x in "ab":
        for log in file.logs[x]:
            for raw in log.records.values():
                try:
                    record = read_record(raw)
                except Bad:
                    continue
                if record["t"] == "node.evidence":
                    held.add(record["env"])
                    found.append(_kind(record["env"], file, mode, logs, cosigners))
    for _, body in file.all(EVIDENCE):
        kind = proves(body, file.chan, mode, logs, cosigners)
        demand(kind and pack(body) not in held, "evidence")
        found.append(kind)
    return [k for k in found if k]


def _kind(raw, file, mode, logs, cosigners):
    try:
        body = unpack(raw)
    except Bad:
        return ""
    return proves(body, file.chan, mode, logs, cosigners) if isinstance(body, dict) else ""


def _covers(file, note):
    for x in "ab":
        for log in file.logs[x]:
            if origin(file.chan, x, log.number) == note.origin:
                demand(note.size <= log.size, "head")
                if not file.full:
                    return demand((note.size, note.root) == (log.size, log.root), "head")
                raws = list(log.records.values())[: note.size]
                return demand(prefix_roots([leaf_hash(raw) for raw in raws])[-1] == note.root, "head")
    return demand(False, "head")


def wrong_use(e):
    """Exit code 2: a file that is not there, a channel or note that can't be read."""
    sys.stderr.write(f"{e}\n")
    return 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--channel")
    parser.add_argument("--at-least", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        chan = bytes.fromhex(options.channel) if options.channel else None
        least = options.at_least.read_bytes() if options.at_least else None
        Note(least) if least is not None else None
        data = options.file.read_bytes()
    except (OSError, ValueError, Bad) as e:
        sys.exit(wrong_use(e))
    found = verify(data, chan, least)
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=None if options.json else 1) + "\n")
    sys.exit(found["exit"])


if __name__ == "__main__":
    main()
