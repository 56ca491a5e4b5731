"""Scenarios of logs: what a record has seen, its time, opaque leaves, blobs, successions, closed cuts."""

from __future__ import annotations

from making_authority import next_roster, succeed
from making_founding import note_keys
from making_scene import scene
from making_signing import ZERO, digest, pack
from making_tree import EMPTY
from making_world import World

E = ["expert1"]


@scene("A false `seen`, one that falls, a `ts` that falls: refused, and counted with the predecessor's", "SEEN", "E5")
def _seen(w: World) -> None:
    sent = w.msg("a", E)
    w.facts.case(sent, "attention")
    w.sync("b", seen=[0, 5, digest(b"no root")], expect="SEEN")
    w.facts.false_seen(w.facts.last("b"))
    w.sync("b", seen=[0, 0, digest(b"no root")], expect="SEEN")
    w.facts.false_seen(w.facts.last("b"))
    w.msg("b", E, seen=[0, 5, digest(b"no root")], expect="SEEN")
    w.facts.false_seen(w.facts.last("b"))
    w.ack("b", "expert1", sent, seen=4, expect="REF")
    w.ack("b", "expert1", sent)
    w.ack("b", "expert1", sent, "engaged", seen=3, expect="SEEN")
    w.facts.false_seen(w.facts.last("b"))
    w.sync("a", ts=w.ts["a"] - 1, expect="SEEN")
    w.msg("a", E, ts=w.ts["a"] - 1, expect="SEEN")
    w.sync("a", ts=w.ts["a"])
    w.node("a", "node.ack", {"at": 1}, ts=w.ts["a"] - 1, expect="PARSE", astray=True)
    w.sync("a", seen=4, expect="SEEN")
    w.facts.false_seen(w.facts.last("a"))


@scene("Two records can't have seen each other: the claim on what was not yet written is false", "SEEN", "E5")
def _each_other(w: World) -> None:
    real = w.sync("a")
    w.sync("b", seen=real.index + 1)
    w.sync("a", seen=[0, 6, digest(b"to come")], expect="SEEN")  # the other's record 5 is about to see this one
    w.facts.false_seen(w.facts.last("a"))
    w.sync("b")
    w.facts.case(w.msg("a", E), "attention")


@scene("Records that have seen more than is held are not judged: the cut ends before them", "ClosedCut")
def _beyond(w: World) -> dict[str, object]:
    w.facts.case(w.msg("a", E), "attention")
    w.sync("b")
    w.sync("b", seen=[0, 9, digest(b"not here")], at=9, expect="UNJUDGED")
    w.sync("b", expect="UNJUDGED")
    w.sync("a", seen=5)
    w.sync("a", seen=[0, 20, digest(b"not here either")], at=20, expect="UNJUDGED")
    w.sync("a", seen=5, expect="UNJUDGED")
    return {"cut": [6, 5]}


@scene("Opaque leaves: of unknown types, or of no form at all", "OPAQUE")
def _opaque(w: World) -> None:
    case = w.msg("a", E)
    w.facts.case(case, "attention")
    w.sync("b")
    said = {"v": 1, "t": "node.ack", "ts": w.ts["a"] + 1, "seen": w.seen("a"), "blobs": [], "env": pack({})}
    for odd in ({"t": "poll"}, {"t": "draft"}, {"t": "Msg"}, {"v": 2}, {"extra": 1}, {"ts": -1}, {"ts": 1 << 64 - 1, "t": "x.y.z"},
                {"seen": [0, 4]}, {"seen": [0, 4, b"short"]}, {"blobs": sorted([digest(b"b"), digest(b"a")])[::-1]}, {"blobs": [ZERO, ZERO]},
                {"env": "text"}):  # fmt: skip
        w.raw("a", pack(said | odd), "OPAQUE")
    w.raw("a", pack({k: v for k, v in said.items() if k != "env"}), "OPAQUE")
    w.raw("a", pack(said) + b"\0", "OPAQUE")
    w.raw("a", b"", "OPAQUE")
    w.raw("a", b"\xc1", "OPAQUE")
    w.raw("a", pack(said | {"env": bytes(65_535)}), "OPAQUE")
    w.raw("a", b"\x86" + b"".join(pack(k) + pack(said[k]) for k in ("v", "t", "ts", "seen", "blobs", "env")), "OPAQUE")
    w.ack("b", "expert1", case)
    w.facts.case(w.msg("a", E), "attention")


@scene("A key is there only if this record or an earlier one of the log, no message, names it", "Blobs", "KEYS")
def _blobs(w: World) -> None:
    side = w.sides["a"]
    new = side.member("expert3", "expert")
    some = [*side.members("main"), new]
    next_roster(w, "a", some, blobs=new["pop"], expect="KEYS")  # the key object lies in the pool all the same
    w.msg("a", E, blobs=[*new["sig"], digest(b"z")], expect="FMT")  # a message's names do not count
    next_roster(w, "a", some, blobs=new["pop"], expect="KEYS")
    w.sync("b", blobs=new["sig"])  # nor the other log's
    next_roster(w, "a", some, blobs=new["pop"], expect="KEYS")
    w.node("a", "node.ack", {"state": ZERO}, blobs=new["sig"], expect="FMT")  # any other decodable one, valid or not
    next_roster(w, "a", some, blobs=new["pop"])


@scene("A blob that is named and not at hand stops the judging", "Blobs", "FOLD_BLOB")
def _withheld(w: World) -> dict[str, object]:
    side = w.sides["a"]
    new = side.member("expert3", "expert")
    next_roster(w, "a", [*side.members("main"), new])
    return {"withheld": new["sig"], "error": "FOLD_BLOB"}


@scene("Succession to log number 1: positions go on, records beyond the final size never stood", "Succession")
def _succession(w: World) -> None:
    first = w.msg("a", E)
    w.facts.case(first, "attention")
    w.ack("b", "expert1", first)
    w.sync("a")
    w.sync("a")
    succeed(w, "a", 6)
    w.facts.case(w.msg("b", E), "attention")
    second = w.msg("a", E)
    w.facts.case(second, "attention")
    w.ack("b", "expert1", second)
    w.msg("b", E, "F08", refs=[first.ph, second.ph])
    w.sync("b", seen=[0, 6, w.root("a", 0, 6)], at=6, expect="SEEN")
    w.facts.false_seen(w.facts.last("b"))
    w.sync("b", seen=[0, 7, digest(b"beyond the end of number 0")], expect="SEEN")
    w.facts.false_seen(w.facts.last("b"))
    succeed(w, "b")
    succeed(w, "b")
    w.sync("a")


@scene("A succession that the fold refuses: all records of its number are refused", "Succession", "CHAIN", "SIG")
def _refused_succession(w: World) -> None:
    w.facts.case(w.msg("a", E), "attention")
    w.sync("b")
    succeed(w, "a", signers=w.sides["a"].authority()[:1], expect="SIG")
    w.msg("a", E, expect="CHAIN")
    w.sync("a", expect="CHAIN")
    w.node("a", "node.ack", {"at": 1}, expect="PARSE")
    w.sync("b")
    w.sync("a", seen=4, expect="SEEN")
    w.facts.false_seen(w.facts.last("a"))


@scene(
    "Successions with a wrong number, origin, party or channel; and one in the middle of a log",
    "Succession",
    "CHAIN",
    "CHAN",
)
def _wrong_succession(w: World) -> None:
    succeed(w, "a", log_no=2, expect="CHAIN")
    w.sync("a", expect="CHAIN")
    succeed(w, "b", party="CN", expect="CHAN")
    keys = {use: note_keys(f"b9 {use}") for use in ("log", "side", "cos")}
    doc = {"v": 1, "chan": w.chan, "party": "CN", "old_origin": "x", "final": {"size": 0, "root": EMPTY}, "note": b"",
           "log_no": 1, **keys, "reason": "rehearsal"}  # fmt: skip
    w.sign("b", "succeed", doc, w.sides["b"].authority(), expect="CHAIN")


@scene("The origin of another number", "Succession", "CHAIN")
def _wrong_origin(w: World) -> None:
    succeed(w, "a", old_origin="dcx1/x/a/0", expect="CHAIN")
    w.sync("b")
    succeed(w, "b", chan=digest(b"x"), expect="CHAN")


@scene("A succeed in the middle of a log number is no succession", "Succession", "CHAIN")
def _middle(w: World) -> None:
    keys = {use: note_keys(f"a1 {use}") for use in ("log", "side", "cos")}
    doc = {"v": 1, "chan": w.chan, "party": "CN", "old_origin": "x", "final": {"size": 4, "root": w.root("a", 0, 4)},
           "note": b"", "log_no": 1, **keys, "reason": "rehearsal"}  # fmt: skip
    w.sign("a", "succeed", doc, w.sides["a"].authority(), expect="CHAIN")
    w.facts.case(w.msg("a", E), "attention")
    w.put("a", "charter", w.founding["a"][0][1], blobs=w.founding["a"][0][2], expect="OPEN")
    w.put("a", "charter", b"\xc1", expect="PARSE")


@scene("A number that does not continue the log can't be joined: another root", "Succession", "SUCCEED")
def _no_join(w: World) -> dict[str, object]:
    w.sync("a")
    succeed(w, "a")
    line = w.logs["a"].pop()  # again, with a final root that the log never had
    doc = line.doc | {"final": line.doc["final"] | {"root": digest(b"another")}}
    w.sign("a", "succeed", doc, w.sides["a"].authority())
    return {"error": "SUCCEED"}


@scene("A number that begins with another record than a succeed can't be joined", "Succession", "SUCCEED")
def _no_succeed(w: World) -> dict[str, object]:
    w.starts["a"].append(w.size("a"))
    w.sync("a")
    return {"error": "SUCCEED"}


@scene("The year of a number is that of the record's own ts; the count goes on", "Numbers")
def _numbers(w: World) -> None:
    w.facts.case(w.msg("a", E), "attention")
    w.msg("a", E, prec="Z", expect="FMT")
    end = 1_798_761_600_000  # 2027-01-01 00:00 UTC
    w.facts.case(w.msg("a", E, ts=end - 1), "attention")
    w.facts.case(w.msg("a", E, ts=end), "attention")
    w.msg("a", E, ts=end - 1, expect="SEEN")
    w.sync("b")
