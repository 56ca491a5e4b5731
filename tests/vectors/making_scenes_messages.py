"""Scenarios of single messages: each check of docs/protocol.md 12.2 in its order, first what passes, then what does not."""

from __future__ import annotations

from making_scene import scene
from making_signing import SEAL, digest, key, pack
from making_world import World

TALK = "a question between the desks"


@scene("Every format where it is valid, with each signature table", "MessageValid")
def _formats(w: World) -> None:
    for operator in ("operator", "duty", "expert1", "official"):
        w.msg("a", [operator], "F01", level="routine", status="test")
    case = w.msg("a", ["expert1"])
    w.facts.case(case, "attention")
    question = w.msg("b", ["expert1"], "F06")
    w.facts.case(question, "attention")
    quiet = w.msg("a", ["duty"], "F03", level="routine")
    w.facts.case(quiet, "routine")
    w.msg("b", ["duty"], "F02", refs=[case.ph])
    w.msg("b", ["expert1"], "F04", case=case.ph)
    w.msg("a", ["official"], "F07", case=question.ph, refs=[question.ph], ans="CHK")
    answer = w.msg("a", ["expert1"], "F07", case=question.ph, refs=[question.ph, case.ph], ans="YES")
    for fmt in ("F08", "F09", "F10", "F11"):
        w.msg("b", ["expert2"], fmt, case=case.ph)
    w.msg(
        "b",
        ["expert2"],
        "F08",
        case=case.ph,
        tlp="AMBER+STRICT",
        pap="CLEAR",
        lang="zh",
        ack_by=10_800,
        reply_by=259_200,
    )
    ack = w.ack("b", "official", answer)
    post = w.watch("b", "take", "duty", "duty")
    w.msg("a", ["expert1"], "F14", refs=[ack.ph, post.ph, case.ph], cor="ERR")
    w.msg("a", ["duty"], "F14", refs=[case.ph], cor="WDR")
    w.msg("a", ["expert1"], "F03", status="system")


@scene("Messages signed by others than they must be", "SIGS", "SIGNER", "SIG")
def _signers(w: World) -> None:
    case = w.msg("a", ["expert1", "expert2"], level="serious")
    w.facts.case(case, "serious")
    w.msg("a", ["expert1"], "F03", level="consultation", expect="SIGS")
    w.msg("a", ["duty"], "F03", expect="SIGS")
    w.msg("a", ["duty", "official"], "F03", level="consultation", expect="SIGS")
    w.msg("a", ["official"], "F08", case=case.ph, expect="SIGS")
    w.msg("b", ["expert1"], "F09", case=case.ph, expect="SIGS")  # a heavy format in a serious case: two
    w.msg("b", ["expert1", "duty"], "F09", case=case.ph)
    w.msg("b", ["expert1"], "F08", case=case.ph)
    w.msg("a", ["operator"], "F02", refs=[case.ph], expect="SIGS")
    w.facts.case(w.msg("a", ["expert1", "expert2", "principal"], level="crisis"), "crisis")
    w.msg("a", ["expert1", "official"], level="crisis", expect="SIGS")
    w.msg("a", ["expert1", "expert2", "official"], level="principals", expect="SIGS")
    head = w.msg("a", ["expert1", "expert2", "principal"], level="principals")
    w.facts.case(head, "principals")
    w.msg("a", ["records"], expect="SIGNER")
    w.msg("a", ["expert1"], doc=w.payload("a", "records"), expect="SIGNER")
    w.msg("a", ["expert1"], doc=w.payload("b", "expert1"), expect="SIGNER")
    doc = w.payload("a", "expert1")
    w.sign("a", "msg", doc, [w.key("b", "expert1")], blobs=[doc["blob"]], expect="SIGNER")
    stranger = key("nobody", 1)
    w.sign("a", "msg", doc | {"from": stranger.kid, "mid": w.mid()}, [stranger], blobs=[doc["blob"]], expect="SIGNER")
    w.msg("a", ["expert1"], spoil="expert1", expect="SIG")
    two = w.payload("a", "expert1", "F03", ["expert2"], level="consultation")
    w.msg("a", ["expert1"], doc=two, expect="SIG")  # stripped of its co-signature
    w.msg("a", ["expert2"], doc=two, expect="SIG")
    w.msg("a", ["expert1", "expert2", "duty"], doc=two, expect="SIG")  # one too many
    w.facts.case(w.msg("a", ["expert1", "expert2"], doc=two), "consultation")  # the whole one counts


@scene("The other mode's keys and contexts, another channel, another party", "MODE", "CHAN")
def _modes(w: World) -> None:
    w.msg("a", ["expert1"], sign_mode=2, expect="MODE")
    w.msg("a", ["expert1", "expert2"], sign_mode=2, level="consultation", expect="MODE")
    other = key("CN expert1", 2)
    doc = w.payload("a", "expert1")
    blob = w.keep(other.object)
    w.sign("a", "msg", doc | {"from": other.kid}, [other], blobs=[blob, doc["blob"]], expect="MODE")
    twin = type(other)(2, 1, w.key("a", "expert1").seed)  # a member's raw key under the other mode
    w.sign("a", "msg", doc | {"from": twin.kid}, [twin], blobs=[doc["blob"]], expect="MODE")
    w.msg("a", ["expert1"], chan=digest(b"another channel"), expect="CHAN")
    w.msg("a", ["expert1"], chan=digest(b"another channel"), spoil="expert1", expect="CHAN")
    w.msg("a", ["expert1"], chan=digest(b"another channel"), sign_mode=2, expect="MODE")
    w.facts.case(w.msg("a", ["expert1"]), "attention")


@scene("Recipients: both records keys, and nobody who is no member", "KEM")
def _recipients(w: World) -> None:
    both = w.recipients()
    w.msg("a", ["expert1"], to=[w.kid("a", "records", SEAL)], expect="KEM")
    w.msg("a", ["expert1"], to=[w.kid("b", "records", SEAL)], expect="KEM")
    w.msg("a", ["expert1"], to=sorted([*both, w.kid("a", "expert1", SEAL)]), expect="KEM")
    w.msg("a", ["expert1"], to=sorted([*both, w.kid("a", "expert1")]), expect="KEM")  # a signing key
    w.msg("a", ["expert1"], to=sorted([*both, digest(b"nobody")]), expect="KEM")
    w.facts.case(w.msg("a", ["expert1"], to=both), "attention")


@scene("Of records with one message id or payload the first valid one counts", "DUP")
def _doubles(w: World) -> None:
    first = w.msg("a", ["expert1"])
    w.facts.case(first, "attention")
    w.msg("a", ["expert1"], doc=first.doc, expect="DUP")
    w.msg("a", ["expert2"], mid=first.doc["mid"], expect="DUP")
    w.facts.case(w.msg("b", ["expert1"], mid=first.doc["mid"]), "attention")  # the other party may draw the same one
    refused = w.payload("a", "expert1", prec="O")
    w.msg("a", ["expert1"], doc=refused, expect="FMT")
    again = w.msg("a", ["expert1"], mid=refused["mid"])  # a refused one shadows nothing, and proves two payloads
    w.facts.case(again, "attention")
    w.facts.two_payloads(again, digest(pack(refused)))
    of = w.ack("b", "expert1", first)
    w.sign("b", "ack", of.doc, ["expert1"], expect="DUP")


@scene("Header rules of 11.1", "FMT")
def _header(w: World) -> None:
    one, case = ["expert1"], w.msg("a", ["expert1"])
    w.facts.case(case, "attention")
    both, extra = w.recipients(), digest(b"x")
    for odd in (
        {"blobs": []}, {"blobs": [digest(b"other")]}, {"blen": 3 * 1024 * 1024 + 1}, {"to": both[::-1]},
        {"to": sorted([*both, both[0]])}, {"suite": 0x0102}, {"prec": "O"}, {"prec": "R"}, {"ack_by": 10_799},
        {"reply_by": 259_199}, {"ans": "YES"}, {"cor": "COR"}, {"single": True}, {"refs": [case.ph, case.ph]},
        {"move": {"op": "raise", "from": "attention", "to": "serious"}},
    ):  # fmt: skip
        w.msg("a", one, **odd, expect="FMT")
    w.msg("a", one, blobs=sorted([extra, digest(b"y")]), blob=extra, expect="FMT")
    kids = [w.kid("a", "expert2"), w.kid("a", "duty")]
    w.msg("a", one, cosign=sorted(kids)[::-1], by=["expert1", "expert2", "duty"], expect="FMT")
    w.msg("a", one, "F13", single=False, level="attention", expect="FMT")
    w.msg("a", ["expert1", "duty"], "F13", single=True, level="attention", expect="FMT")
    w.msg("a", one, "F12", case=case.ph, expect="FMT")
    w.msg("a", one, "F05", case=case.ph, expect="FMT")
    w.move("a", one, "raise", case.ph, frm="attention", expect="FMT", level="attention")
    w.move("a", one, "lower", case.ph, to="routine", level="attention", expect="FMT")
    w.msg("a", one, "F12", case=case.ph, move={"op": "close", "from": "attention", "at": [5, 4]}, expect="FMT")
    w.msg(
        "a",
        one,
        "F05",
        case=case.ph,
        move={"op": "lower", "from": "attention", "to": "routine", "at": [5, 4]},
        expect="FMT",
    )
    w.msg("a", ["official"], "F12", move={"op": "suspend"}, level="attention", expect="FMT")
    w.msg("a", one, "F03", case=case.ph, ack_by=10_800, blen=3 * 1024 * 1024)


@scene("References: only valid records that the message stands on", "REF")
def _references(w: World) -> None:
    one = ["expert1"]
    case = w.msg("a", one)
    w.facts.case(case, "attention")
    bad = w.msg("a", one, prec="R", expect="FMT")
    w.msg("a", one, "F04", expect="REF")
    for fmt in ("F02", "F07", "F14"):
        w.msg("a", one, fmt, expect="REF")
    w.msg("b", one, "F02", refs=[bad.ph], expect="REF")
    w.msg("b", one, "F02", refs=[digest(b"nothing")], expect="REF")
    w.msg("b", one, "F02", refs=[case.ph], seen=4, expect="SEEN")  # falls below what was seen
    w.facts.false_seen(w.facts.last("b"))
    w.msg("b", one, "F07", refs=[case.ph], expect="REF")  # no F06
    ack = w.ack("b", "expert1", case)
    w.msg("a", one, "F02", refs=[ack.ph], expect="REF")
    w.msg("a", one, "F14", refs=[ack.ph])
    later = w.msg("b", one)
    w.facts.case(later, "attention")
    w.msg("a", one, "F02", refs=[later.ph], seen=later.index, expect="REF")
    w.msg("a", one, "F02", refs=[later.ph])


@scene("Bodies and envelopes that do not decode", "PARSE")
def _undecodable(w: World) -> None:
    good = w.payload("a", "expert1")
    for odd in ({"v": 2}, {"more": 1}, {"mid": bytes(15)}, {"fmt": "F15"}, {"level": "high"}, {"lang": "fr"}, {"ack_by": -1},
                {"ack_by": 2**32}, {"status": "note"}, {"to": []}, {"cosign": []}, {"refs": []}, {"tlp": "WHITE"}):  # fmt: skip
        w.msg("a", ["expert1"], **odd, expect="PARSE")
    w.msg("a", ["expert1"], drop=["bd"], expect="PARSE")
    w.put("a", "msg", w.kept.envelope("ack", good, [w.key("a", "expert1")]), expect="PARSE", ph=digest(pack(good)))
    w.put("a", "msg", b"", expect="PARSE")
    w.put("a", "msg", pack(["application/vnd.dcx.msg.v1+msgpack", pack(good)]), expect="PARSE")
    kids = sorted([w.kid("a", "expert1"), w.kid("a", "expert2")])
    for pairs in ([[kids[1], b"s"], [kids[0], b"s"]], [[kids[0], b"s"], [kids[0], b"t"]], [[b"short", b"s"]]):
        w.put("a", "msg", pack(["application/vnd.dcx.msg.v1+msgpack", pack(good), pairs]), expect="PARSE")
    none = pack(["application/vnd.dcx.msg.v1+msgpack", pack(good), []])
    w.put("a", "msg", none, expect="SIG", ph=digest(pack(good)), doc=good, blobs=[good["blob"]])
    w.facts.case(w.msg("a", ["expert1"], doc=good), "attention")
