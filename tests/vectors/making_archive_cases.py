"""The archives of archives.json: each with its exit code and the part where the first failure lies, by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from making_archive_beside import blobs, notes, openings, proofs, reveals, successions
from making_archive_bytes import Arch, full, sealed
from making_archive_evidence import evidence, people_and_cosigners, witnessed
from making_archive_ground import BODY, Case, Ground, said
from making_notes import anchor, note_of
from making_signing import ZERO, Kept, digest, flipped, pack, unpack
from making_world import Sent, World


def all_cases(kept: Kept) -> Iterator[Case]:
    """Every case."""
    ground = Ground(kept)
    for part in (_good, _framing, _records, _resigned, notes, blobs, reveals, evidence, proofs):
        yield from part(ground)
    yield from openings(kept)
    yield from successions(kept)
    yield from people_and_cosigners(ground)
    yield from witnessed(ground)


def _good(g: Ground) -> Iterator[Case]:
    w, chan = g.w, g.w.chan
    yield Case("a whole channel", "Good", 0, "", g.arch, chan, says=said(w))
    yield Case("the same, the channel not known", "Warning", 6, "", g.arch, None, says=said(w))
    yield Case("the same, for another channel", "Head", 5, "head", g.arch, digest(b"another"))
    newest, older = anchor(w, "a", 0, w.size("a")), anchor(w, "a", 0, 4)
    yield Case("it covers its own anchor", "AtLeast", 0, "", g.arch, chan, newest, said(w))
    yield Case("it covers an older note", "AtLeast", 0, "", g.arch, chan, older, said(w))
    beyond = note_of(w.kept, chan, "a", 0, w.size("a") + 1, digest(b"r"))
    yield Case("a newer note than the cut", "AtLeast", 5, "head", g.arch, chan, beyond)
    other = note_of(w.kept, chan, "a", 0, 4, digest(b"r"))
    yield Case("a note of another history", "AtLeast", 5, "head", g.arch, chan, other)
    later = note_of(w.kept, chan, "b", 1, 1, digest(b"r"))
    yield Case("a note of a later log number", "AtLeast", 5, "head", g.arch, chan, later)
    drill = Ground(w.kept, "exercise")
    yield Case("a channel of exercises", "Good", 0, "", drill.arch, drill.w.chan, says=said(drill.w))
    many = World(w.kept, "small")
    for _ in range(260):
        many.sync("a")
    many.sync("b")
    yield Case("more than 256 records of a log", "Good", 0, "", full(many), many.chan, says=said(many))
    short = full(many)
    at = short.at(2, "a", 0, 256)
    short.sections[at - 1][4], short.sections[at][3], short.sections[at][4] = (
        short.sections[at - 1][4][:-1], 255, [short.sections[at - 1][4][-1], *short.sections[at][4]],
    )  # fmt: skip
    yield Case("the same records in sections of 255 and the rest", "Records", 5, "records", short, many.chan)


def _framing(g: Ground) -> Iterator[Case]:
    chan, data = g.w.chan, g.arch.bytes()
    body = data[:-32]

    def hashed(raw: bytes) -> bytes:
        return raw + digest(raw)

    for comment, exit_, part, raw in (
        ("no bytes", 3, "magic", b""), ("the magic alone", 3, "framing", data[:8]), ("another version in the magic", 3, "magic", hashed(b"DCXARCH2" + body[8:])),
        ("no section", 3, "framing", hashed(data[:8])), ("cut in the last section", 3, "framing", hashed(body[:-9])),
        ("cut in a length", 3, "framing", hashed(body + b"\0\0")), ("a length beyond the end", 3, "framing", hashed(data[:8] + b"\x01\0\0\0" + body[12:])),
        ("a length above 32 MiB", 3, "framing", hashed(data[:8] + b"\x7f\xff\xff\xff" + body[12:])),
    ):  # fmt: skip
        yield Case(comment, "Framing", exit_, part, raw, chan)
    yield Case("another SHA-256 at the end, nothing else", "Hash", 5, "hash", Arch(g.arch.sections, ZERO), chan)
    for comment, exit_, part, change in _sections(g):
        arch = g.arch
        change(arch)
        yield Case(comment, "Framing" if exit_ == 3 else "Head", exit_, part, arch, chan)


def _sections(g: Ground) -> Iterator[tuple[str, int, str, Callable[[Arch], Any]]]:
    top = g.arch.sections[0][1]

    def head(**odd: Any) -> Callable[[Arch], Any]:
        return lambda a: a.sections.__setitem__(0, [1, top | odd])

    yield "an unknown kind of section", 3, "section", lambda a: a.sections.append([8, b""])
    yield "a section that is no array", 3, "section", lambda a: setattr(a, "raw", {1: pack({"a": 1})})
    yield "a section with a byte too many", 3, "section", lambda a: setattr(a, "raw", {1: pack(a.sections[1]) + b"\0"})
    yield "an empty section", 3, "section", lambda a: setattr(a, "raw", {1: b"\xc0"})
    yield (
        "a long form of a kind",
        3,
        "section",
        lambda a: setattr(a, "raw", {0: b"\x92\xcc\x01" + pack(a.sections[0])[2:]}),
    )
    yield "a records section of a third letter", 3, "records", lambda a: a.sections[1].__setitem__(1, "c")
    yield "a records section without records", 3, "records", lambda a: a.sections.insert(3, [2, "b", 1, 0, []])
    yield "no head", 3, "head", lambda a: a.sections.pop(0)
    yield "two heads", 3, "head", lambda a: a.sections.insert(1, a.sections[0])
    yield "sections in another order", 3, "records", lambda a: a.sections.__setitem__(slice(1, 3), a.sections[2:0:-1])
    yield "a section twice", 3, "note", lambda a: a.sections.insert(a.at(3), a.sections[a.at(3)])
    yield "the head after the records", 3, "head", lambda a: a.sections.insert(2, a.sections.pop(0))
    yield "a form that is none", 3, "head", head(form="half")
    yield "a head of version 2", 3, "head", head(v=2)
    yield "a head with another field", 3, "head", head(made="today")
    yield "a cut of one log", 3, "head", head(cut=top["cut"][:1])
    yield "form proof over records", 5, "records", head(form="proof")
    yield "another channel in the head", 5, "head", head(chan=digest(b"x"))
    a, b = top["cut"]
    yield "another root in the head", 5, "head", head(cut=[[0, a[1], digest(b"x")], b])
    yield "another size in the head", 5, "head", head(cut=[a, [0, b[1] + 1, b[2]]])
    yield "a log number that is not there", 5, "head", head(cut=[[1, a[1], a[2]], b])
    yield "both cuts changed for one another", 5, "head", head(cut=[b, a])


def _records(g: Ground) -> Iterator[Case]:
    chan = g.w.chan

    def changed(comment: str, part: str, change: Callable[[list[bytes]], Any], letter: str = "a") -> Case:
        arch = g.arch
        section = arch.sections[arch.at(2, letter, 0)]
        section[4] = list(section[4])
        change(section[4])
        return Case(comment, "Records", 5, part, arch, chan)

    def spoil(at: int) -> Callable[[list[bytes]], Any]:
        def change(raws: list[bytes]) -> None:
            record = unpack(raws[at])
            kind, payload, pairs = unpack(record["env"])
            raws[at] = pack(record | {"env": pack([kind, payload, [[k, flipped(s)] for k, s in pairs]])})

        return change

    yield changed("a bit of a message's signature", "record", spoil(4))
    yield changed("a bit of the roster's signatures", "record", spoil(2), "b")
    yield changed("a record cut short", "record", lambda r: r.__setitem__(4, r[4][:-1]))
    yield changed(
        "a record's time changed", "records", lambda r: r.__setitem__(4, pack(unpack(r[4]) | {"ts": 1_795_478_400_999}))
    )
    yield changed("the last record dropped", "records", lambda r: r.pop())
    yield changed("a record dropped", "records", lambda r: r.pop(4))
    yield changed("two records in another order", "records", lambda r: r.insert(4, r.pop(5)))
    yield changed("a record twice", "records", lambda r: r.append(r[5]))
    yield changed("a record of the other log added", "records", lambda r: r.append(g.w.logs["b"][4].raw))
    gap = g.arch
    gap.sections[gap.at(2, "b", 0)][3] = 1
    yield Case("a records section that begins at 1", "Records", 5, "records", gap, chan)
    none = g.arch
    none.sections.pop(none.at(2, "b", 0))
    yield Case("a whole log dropped", "Records", 5, "head", none, chan)


def _resigned(g: Ground) -> Iterator[Case]:
    """Whoever holds both nodes' keys: what signatures of persons and the fold still say."""
    kept = g.w.kept
    chan = g.w.chan

    def world() -> tuple[World, Sent]:
        w = World(kept, "small")
        first = sealed(w, "a", "expert1", BODY)
        w.facts.case(first, "attention")
        return w, first

    w, first = world()
    yield Case("an older archive is good", "Resigned", 0, "", full(w), chan, says=said(w))
    yield Case(
        "an older archive passed as newest", "AtLeast", 5, "head", full(w), chan, anchor(g.w, "a", 0, g.w.size("a"))
    )
    w, first = world()
    w.sign("b", "msg", first.doc, [w.key("a", "expert1")], blobs=[first.doc["blob"]], expect="SIGNER")
    yield Case("an envelope replayed into the other log counts nothing", "Resigned", 0, "", full(w), chan, says=said(w))
    w, first = world()
    w.sign("a", "msg", first.doc, ["expert1"], blobs=[first.doc["blob"]], expect="DUP")
    yield Case("an envelope replayed into its own log counts once", "Resigned", 0, "", full(w), chan, says=said(w))
    w, first = world()
    w.msg("a", ["expert1"], spoil="expert1", expect="SIG")
    yield Case("a message with a bad signature is listed", "Resigned", 0, "", full(w), chan, says=said(w))
    w, first = world()
    w.msg("a", ["expert1"], sign_mode=2, expect="MODE")
    yield Case("a message of the other mode is listed", "Resigned", 0, "", full(w), chan, says=said(w))
    w, first = world()
    w.sync("b", seen=[0, 5, digest(b"x")], expect="SEEN")
    w.facts.false_seen(w.facts.last("b"))
    yield Case("a false seen is listed", "Resigned", 0, "", full(w), chan, says=said(w))
    w, first = world()
    w.raw("a", b"\xc1 no record", "OPAQUE")
    w.sync("b")
    yield Case("an opaque leaf is kept", "Resigned", 0, "", full(w), chan, says=said(w))
    w, first = world()
    w.sync("b", seen=[0, 9, digest(b"x")], at=9)
    yield Case("a record that has seen more than the cut", "Resigned", 5, "head", full(w), chan)
    w, first = world()
    w.logs["a"].insert(3, w.logs["a"].pop(2))
    yield Case("the opening in another order", "Opening", 5, "records", full(w), chan)
    w, first = world()
    w.logs["a"].pop(3)
    yield Case("the opening without a policy", "Opening", 5, "records", full(w), chan)
