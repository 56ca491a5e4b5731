"""Archives whose notes, blobs or reveals are changed; those of form proof; openings and successions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from making_archive_bytes import Arch, full, opened, proof, redacted
from making_archive_ground import BODY, Case, Ground, said
from making_authority import kem, next_roster, seal_key, succeed
from making_notes import AT, anchor, line_of, note_of, origin
from making_signing import ZERO, Kept, digest
from making_tree import leaf_hash, path_of
from making_world import Sent, World


def notes(g: Ground) -> Iterator[Case]:
    w, chan = g.w, g.w.chan
    size = w.size("a")

    def with_(comment: str, note: bytes, exit_: int = 5, **more: Any) -> Case:
        arch = g.arch
        arch.sections[arch.at(3, "a", 0)][3] = note
        return Case(comment, "Note", exit_, "note" if exit_ == 5 else "", arch, chan, says=more)

    whole = anchor(w, "a", 0, size)
    text, lines = whole.split(b"\n\n")[0] + b"\n\n", whole.split(b"\n\n")[1].splitlines(keepends=True)
    for i, name in enumerate(("log's Ed25519", "log's ML-DSA", "cosigner's Ed25519", "cosigner's ML-DSA")):
        yield with_(f"an anchor without the {name} line", text + b"".join(lines[:i] + lines[i + 1 :]))
        bad = lines[i][:-20] + (b"A" if lines[i][-20:-19] != b"A" else b"B") + lines[i][-19:]
        yield with_(f"an anchor whose {name} line does not verify", text + b"".join([*lines[:i], bad, *lines[i + 1 :]]))
    yield with_("a quick note in place of an anchor", anchor(w, "a", 0, size, quick=True))
    yield with_("no lines", text[:-1])
    yield with_("lines in another order", text + b"".join(lines[::-1]), 0, **said(w))
    extra = line_of(w.kept, "witness", 4, "example.org/witness", origin(chan, "a", 0), size, w.root("a", 0, size), AT)
    yield with_("a line of a witness that nobody asked for", whole + extra, 0, **said(w))
    yield with_(
        "an anchor signed with another log's key",
        note_of(w.kept, chan, "a", 0, size, w.root("a", 0, size), label="stranger"),
    )
    yield with_("signed again over another root", note_of(w.kept, chan, "a", 0, size, digest(b"x")))
    yield with_("signed again over another size", note_of(w.kept, chan, "a", 0, size - 1, w.root("a", 0, size - 1)))
    yield with_("the other log's anchor", anchor(w, "b", 0, w.size("b")))
    yield with_("another channel's anchor", note_of(w.kept, digest(b"x"), "a", 0, size, w.root("a", 0, size)))
    yield with_("a line of time 0", note_of(w.kept, chan, "a", 0, size, w.root("a", 0, size), at=0))
    none = g.arch
    none.sections.pop(none.at(3, "b", 0))
    yield Case("no anchor of one log", "Note", 5, "head", none, chan)


def blobs(g: Ground) -> Iterator[Case]:
    chan = g.w.chan

    def changed(comment: str, change: Callable[[Arch], Any]) -> Case:
        arch = g.arch
        change(arch)
        return Case(comment, "Blob", 5, "blob", arch, chan)

    yield changed("a blob dropped", lambda a: a.sections.pop(a.at(4)))
    yield changed("a blob that no record names", lambda a: (a.sections.append([4, b"another blob"]), a.sort()))
    yield changed("two blobs in another order", lambda a: a.sections.insert(a.at(4), a.sections.pop(a.at(4) + 1)))
    yield changed("a blob twice", lambda a: a.sections.insert(a.at(4), a.sections[a.at(4)]))
    yield changed("a bit of a blob", lambda a: a.sections[a.at(4)].__setitem__(1, a.sections[a.at(4)][1][:-1] + b"?"))
    sealed_body = g.w.blobs[g.first.doc["blob"]]
    yield changed(
        "a sealed body in place of another",
        lambda a: a.sections.__setitem__(a.at(4, sealed_body), [4, g.w.blobs[g.second.doc["blob"]]]),
    )


def reveals(g: Ground) -> Iterator[Case]:
    w, chan, first = g.w, g.w.chan, g.first

    def with_(comment: str, exit_: int, *reveals: Any) -> Case:
        arch = full(w, reveals)
        return Case(
            comment, "Reveal", exit_, "" if exit_ == 0 else "reveal", arch, chan, says=said(w) if exit_ == 0 else {}
        )

    some = redacted(first, "CN", BODY, ["text"])
    yield with_("a whole message revealed", 0, opened(first, "CN"))
    yield with_(
        "both messages revealed, by either side",
        0,
        opened(first, "CN", by="US:expert1", why="dispute"),
        opened(g.second, "US"),
    )
    yield with_("one field revealed", 0, some)
    yield with_("no field revealed", 0, redacted(first, "CN", BODY, []))
    yield with_("every field revealed", 0, redacted(first, "CN", BODY, BODY))
    yield with_("another content key", 5, opened(first, "CN", cek=ZERO))
    yield with_("of the other party", 5, opened(first, "US"))
    yield with_("of a message that is not there", 5, opened(first, "CN", mid=bytes(16)))
    yield with_("of a message that is refused", 5, opened(g.odd, "CN"))
    yield with_("by a seat that no roster has", 5, opened(first, "CN", by="CN:bridge"))
    yield with_("a digest left out", 5, some | {"digests": some["digests"][1:]})
    yield with_("a value changed", 5, some | {"fields": [some["fields"][0] | {"value": "Another."}]})
    yield with_("a field under another name", 5, some | {"fields": [some["fields"][0] | {"name": "unit"}]})
    yield with_("another salt", 5, some | {"fields": [some["fields"][0] | {"salt": bytes(16)}]})
    yield with_("digests not sorted", 3, some | {"digests": some["digests"][::-1]})
    yield with_("fields not sorted", 3, some | {"fields": redacted(first, "CN", BODY, BODY)["fields"][::-1]})
    yield with_("an unknown why", 3, opened(first, "CN", why="fun"))
    yield with_("a line feed after the seat", 3, opened(first, "CN", by="CN:records\n"))
    yield with_("neither form", 3, {k: v for k, v in opened(first, "CN").items() if k != "cek"})
    yield with_("both forms", 3, some | {"cek": ZERO})


def proofs(g: Ground) -> Iterator[Case]:
    w, chan = g.w, g.w.chan
    cut = {"complete": [w.size("a"), w.size("b")], "refused": [], "messages": 1, "evidence": []}

    def changed(comment: str, part: str, change: Callable[[Arch], Any]) -> Case:
        arch = proof(w, [g.first])
        change(arch)
        return Case(comment, "Proof", 5, part, arch, chan)

    yield Case("a message with its acknowledgement", "Proof", 0, "", proof(w, [g.first]), chan, says=cut)
    yield Case(
        "two messages, the channel not known",
        "Proof",
        6,
        "",
        proof(w, [g.first, g.second]),
        None,
        says=cut | {"messages": 2},
    )
    yield Case("no message", "Proof", 0, "", proof(w, []), chan, says=cut | {"messages": 0})
    yield Case("a message revealed", "Proof", 0, "", proof(w, [g.first], [opened(g.first, "CN")]), chan, says=cut)
    yield Case(
        "a reveal of a message that is not given",
        "Proof",
        5,
        "reveal",
        proof(w, [g.first], [opened(g.second, "US")]),
        chan,
    )
    yield changed(
        "a hash of a path",
        "proof",
        lambda a: a.sections[a.at(5, "a", 0, 4)].__setitem__(5, [ZERO, *a.sections[a.at(5, "a", 0, 4)][5][1:]]),
    )
    yield changed("a path too short", "proof", lambda a: a.sections[a.at(5, "a", 0, 4)][5].pop())
    yield changed("another index", "proof", lambda a: a.sections[a.at(5, "a", 0, 4)].__setitem__(3, 5))
    yield changed(
        "a record changed",
        "proof",
        lambda a: a.sections[a.at(5, "b", 0, 4)].__setitem__(4, a.sections[a.at(5, "b", 0, 4)][4][:-1] + b"\2"),
    )
    yield changed("a record of the opening dropped", "blob", lambda a: a.sections.pop(a.at(5, "b", 0, 2)))
    yield changed(
        "records of form full in it",
        "records",
        lambda a: (a.sections.append([2, "a", 0, 0, [w.logs["a"][0].raw]]), a.sort()),
    )
    other = proof(w, [g.first])
    line = w.logs["b"][6]
    leaves = [leaf_hash(each.raw) for each in w.logs["b"]]
    other.sections.append([5, "b", 0, 6, line.raw, path_of(leaves, 6)])
    yield Case("a record of another type", "Proof", 5, "proof", other.sort(), chan)
    odd = World(w.kept, "small")
    bad = odd.msg("a", ["expert1"], spoil="expert1", expect="SIG")
    odd.logs["a"][-1].expect = ""  # so that it is chosen
    arch = proof(odd, [bad])
    says = {"complete": [5, 4], "refused": [["a", 4, "SIG"]], "messages": 0, "evidence": []}
    yield Case("a message with a bad signature is listed", "Proof", 0, "", arch, chan, says=says)


def openings(kept: Kept) -> Iterator[Case]:
    """Whole archives over an opening that does not hold."""
    from making_founding import found
    from making_scenes_opening import write

    def broken(comment: str, **changed: Any) -> Case:
        w = World(kept, "small", opening=False)
        write(w, found(kept, "small", **changed))
        return Case(comment, "Opening", 5, "records", full(w), w.chan)

    w = World(kept, "small")
    a = w.sides["a"].authority()
    yield broken("a charter that one party's threshold signed alone", signers={"charter": a})
    yield broken("a root with one signature", signers={"root b": w.sides["b"].authority()[:1]})
    yield broken("a charter of mode 2 over keys of mode 1", charter=w.charter | {"mode": 2})
    yield broken("another policy than the charter names", in_charter={"policy": ZERO})


def successions(kept: Kept) -> Iterator[Case]:
    def world(**how: Any) -> World:
        w = World(kept, "small")
        w.facts.case(w.msg("a", ["expert1"]), "attention")
        w.sync("b")
        succeed(w, "a", **how)
        w.facts.case(w.msg("a", ["expert1"]), "attention")
        w.sync("b")
        return w

    w = world()
    yield Case("a second log number under an anchored end", "Succession", 0, "", full(w), w.chan, says=said(w))
    number = full(w)
    number.sections.pop(number.at(3, "a", 0))
    yield Case("without the anchor of the ended number", "Succession", 5, "head", number, w.chan)
    number = full(w)
    number.sections[number.at(3, "a", 0)][3] = anchor(w, "a", 0, 5, cosigner=0, at=AT + 1)
    yield Case("another anchor of the ended number than the succession's", "Succession", 5, "note", number, w.chan)
    number = full(w)
    number.sections[number.at(2, "a", 0)][4] = number.sections[number.at(2, "a", 0)][4][:-1]
    yield Case("a record of the ended number dropped", "Succession", 5, "records", number, w.chan)
    q = world(quick=True)
    yield Case(
        "an end that the authority attests, without an anchor", "Succession", 0, "", full(q), q.chan, says=said(q)
    )
    one = world(signers=w.sides["a"].authority()[:1], expect="SIG")
    yield Case("a succession that one key signed", "Succession", 5, "record", full(one), one.chan)
    party = world(party="US", expect="CHAN")
    yield Case("a succession of the other party", "Succession", 5, "record", full(party), party.chan)
    note = world(note=note_of(kept, w.chan, "a", 0, 4, w.root("a", 0, 4)))
    yield Case("a succession whose note is of another size", "Succession", 5, "note", full(note), note.chan)
    first = next(line for line in w.logs["a"] if line.t == "msg")
    sent = Sent("a", 4, first.raw, first.doc, first.ph)
    yield Case("a proof below the end of a number", "Succession", 0, "", proof(w, [sent]), w.chan,
               says={"complete": [7, 6], "refused": [], "messages": 1, "evidence": []})  # fmt: skip
    grown = World(kept, "small")
    kem(grown, "a", "records", seal_key(grown, "a", "records new"))
    next_roster(grown, "b", [*grown.sides["b"].members("small"), grown.sides["b"].member("expert2", "expert")])
    grown.sync("a")
    yield Case("a new seal key and a new roster", "Good", 0, "", full(grown), grown.chan, says=said(grown))
    proved = proof(grown, [])
    yield Case(
        "the same as a proof",
        "Proof",
        0,
        "",
        proved,
        grown.chan,
        says={"complete": [6, 5], "refused": [], "messages": 0, "evidence": []},
    )
