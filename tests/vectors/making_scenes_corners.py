"""Scenarios where two rules meet: keys and posts, keys of both parties, roots as seen, expiry, deadlines."""

from __future__ import annotations

from making_authority import kem, next_policy, next_root, next_roster, put_policy, revoke, seal_key, succeed
from making_scene import scene
from making_signing import SEAL, digest
from making_world import DAY, START, World

E, TWO = ["expert1"], ["expert1", "expert2"]
YEAR = 31_536_000_000


@scene(
    "Outside a case a level asks for no more than the format does; tests and system messages open none",
    "MessageValid",
    "SIGS",
)
def _outside(w: World) -> None:
    w.msg("a", E, "F03", status="test", level="crisis")
    w.msg("a", E, "F06", status="system", level="serious")
    w.msg(
        "a", ["duty"], "F03", status="test", level="routine", expect="SIGS"
    )  # the table of a case's opening is not meant
    w.msg("a", E, "F13", status="test", expect="SIGS")  # two, opening or not
    w.msg("a", ["expert1", "duty"], "F13", status="test")
    question = w.msg("b", E, "F06")
    w.facts.case(question, "attention")
    w.msg("a", ["duty"], "F07", case=question.ph, refs=[question.ph], ans="YES", expect="SIGS")
    w.msg("a", ["duty"], "F07", case=question.ph, refs=[question.ph], ans="REF")
    w.msg("a", ["duty"], "F07", refs=[question.ph], ans="NEN")
    w.msg("a", ["official"], "F07", refs=[question.ph], expect="SIGS")  # without an answer code: no holding answer


@scene("One person with two seats signs once", "SIG", policy={"cooling": 0})
def _one_person(w: World) -> None:
    side = w.sides["a"]
    again = side.member("expert3", "expert", person="expert1-person")
    next_roster(w, "a", [*side.members("main"), again])
    w.facts.case(w.msg("a", ["expert3"]), "attention")
    w.msg("a", ["expert1", "expert3"], level="consultation", expect="SIG")
    first = w.msg("a", E, "F13", single=True)
    w.facts.case(first, "attention")
    w.confirm("a", "expert3", first, expect="SIGS")
    w.watch("a", "take", "expert1", "expert1", "expert3", expect="SIG")


@scene("A post whose holder's key has ended is empty", "Watch", "Revoke", policy={"cooling": 0})
def _empty_post(w: World) -> None:
    side = w.sides["a"]
    relief = side.member("duty", "duty", person="duty-relief", signer=w.key("a", "relief"))
    next_roster(w, "a", [*side.members("main"), relief])
    w.watch("a", "take", "duty", "duty")
    w.watch("a", "take", "duty", "relief", expect="WATCH")
    revoke(w, "a", [w.kid("a", "duty")], ["operator"])
    w.watch("a", "handover", "duty", "relief", "duty", expect="SIGNER")
    w.watch("a", "take", "duty", "relief")
    w.watch("a", "handover", "duty", "relief", "relief", by=["relief"], expect="SIG")


@scene("A step's reason is POST again when the key of the only post has ended", "Step", "Revoke")
def _post_ended(w: World) -> None:
    sent = w.msg("a", E)
    w.facts.case(sent, "attention")
    w.watch("b", "take", "duty", "duty")
    step = {"of": sent.ph, "receipt": "read", "step": 1, "reason": "UNK"}
    w.node("a", "node.step", step | {"reason": "POST"}, expect="STEP")
    w.node("a", "node.step", step)
    revoke(w, "b", [w.kid("b", "duty")], ["operator"])
    w.node("a", "node.step", step | {"step": 2}, expect="STEP")
    w.node("a", "node.step", step | {"step": 2, "reason": "POST"})


@scene("A seal key that both parties admit is void for both; a revoked owner's seal key is no recipient", "Void", "KEM")
def _void_seal(w: World) -> None:
    a, b, both = w.sides["a"], w.sides["b"], w.recipients()
    shared = w.key("a", "records", SEAL)
    b.blobs[shared.kid] = shared.object
    w.facts.case(w.msg("a", E, to=both), "attention")
    theirs = next_roster(w, "b", [*b.members("main"), b.member("expert9", "expert", seal=shared)])
    w.msg("a", E, to=both, expect="KEM")
    w.facts.keys["a", shared.kid] = {"at": 2, "void": theirs.index}
    w.facts.keys["b", shared.kid] = {"at": theirs.index, "void": 2}
    fresh = seal_key(w, "a", "records new")
    kem(w, "a", "records", fresh)
    now = sorted([fresh.kid, w.kid("b", "records", SEAL)])
    w.facts.case(w.msg("a", E, to=now), "attention")
    revoke(w, "a", [w.kid("a", "records")], ["operator"])
    w.msg("a", E, to=now, expect="KEM")
    kem(w, "a", "records", seal_key(w, "a", "records third"), expect="SIGNER")
    assert a.code == "CN"


@scene("A seal key that has ended does not come back", "Kem", "KEYS")
def _ended_seal(w: World) -> None:
    old, new = w.key("a", "records", SEAL), seal_key(w, "a", "records new")
    revoke(w, "a", [new.kid], ["operator"])
    kem(w, "a", "records", new, expect="KEYS")
    third = seal_key(w, "a", "records third")
    kem(w, "a", "records", third)
    w.facts.case(w.msg("a", E, to=sorted([old.kid, w.kid("b", "records", SEAL)])), "attention")  # its grace
    revoke(w, "a", [old.kid], ["operator"])
    w.facts.keys["a", old.kid]["ended"] = w.size("a") - 1
    w.msg("a", E, to=sorted([old.kid, w.kid("b", "records", SEAL)]), expect="KEM")  # no grace for what was revoked
    w.facts.case(w.msg("a", E, to=sorted([third.kid, w.kid("b", "records", SEAL)])), "attention")


@scene("A policy needs the other party's root as far as its record has seen it", "Policy", "Root", "SIG")
def _roots_seen(w: World) -> None:
    rules = next_policy(w)
    one = {x: w.sides[x].authority(1) for x in "ab"}
    two = w.sides["b"].authority(2)
    root = next_root(w, "b")
    put_policy(w, "a", rules, [*one["a"], *two], seen=root.index, expect="SIG")
    put_policy(w, "a", rules, [*one["a"], *one["b"]], expect="SIG")
    put_policy(w, "a", rules, [*one["a"], *two])
    put_policy(w, "b", rules, [*one["a"], *one["b"]], expect="SIG")
    mine = put_policy(w, "b", rules, [*one["a"], *two])
    w.facts.policy = [2, mine.ph]
    succeed(w, "b", signers=one["b"], expect="SIG")


@scene(
    "A member that control plays counts as any other; a seat of the principal in an exercise",
    "Exercise",
    kind="exercise",
)
def _played(w: World) -> None:
    side = w.sides["a"]
    head = side.member("principal", "official", played=True)
    second = side.member("expert2", "expert", played=True)
    next_roster(w, "a", [*side.members("exercise"), head, second])
    w.facts.case(w.msg("a", ["expert1", "expert2", "principal"], level="principals"), "principals")
    w.msg("a", ["expert1", "control", "principal"], level="principals", expect="SIGNER")
    next_roster(w, "a", [*side.members("exercise"), head | {"played": False}, second], expect="KEYS")


@scene("Expired keys and times askew are flagged and change nothing", "Flags")
def _flags(w: World) -> None:
    end = START + 2 * YEAR
    w.facts.case(w.msg("a", E, ts=end), "attention")  # the last millisecond
    w.sync("b")  # received two years behind: ahead of its receipt
    w.facts.case(w.msg("a", E, ts=end + 1), "attention")
    next_roster(w, "a", w.sides["a"].members("main"), hard_exp=end + YEAR)
    w.facts.case(w.msg("a", E), "attention")  # the root is as old
    w.sync("b", ts=end + 600_000)
    ahead = w.msg("b", E, ts=end + DAY)
    w.facts.case(ahead, "attention")
    edge = w.sync("a", ts=end + DAY - 600_000)
    w.msg("a", E, "F08", ts=end + 2 * DAY)
    w.sync("b", ts=end + 3 * DAY)
    w.sync("b", ts=end + 3 * DAY + 1)
    assert edge.index


@scene("Deadlines: the seconds of the lower of the message's and the case's level", "Deadlines")
def _due(w: World) -> dict[str, object]:
    def due(read: int, reply: int, engaged: int = 0, informed: int = 0, stored: int = 0) -> dict[str, int]:
        named = {"stored": stored or read, "read": read, "engaged": engaged, "informed": informed, "reply": reply}
        return {k: v for k, v in named.items() if v}

    h = 3600
    case = w.msg("a", TWO, level="serious")
    w.facts.case(case, "crisis")
    test = w.msg("a", ["operator"], "F01", level="routine")
    low = w.msg("b", E, "F08", case=case.ph)
    high = w.msg("b", ["expert1", "duty"], "F09", case=case.ph, level="crisis")
    lone = w.msg("a", ["duty"], "F13", single=True)
    w.facts.case(lone, "attention")
    outside = w.msg("b", E, "F08", level="crisis")
    up = w.move("b", ["expert1", "expert2", "official"], "raise", case.ph, frm="serious", to="crisis")
    soft = w.msg("a", E, "F08", case=case.ph, level="crisis", ack_by=900, reply_by=7200)
    w.sync("b")
    w.sync("a")
    return {"due": {
        case.ph: due(1800, 4 * h, h, 4 * h), test.ph: due(900, 900), low.ph: due(3 * h, 72 * h, 12 * h),
        high.ph: due(1800, 4 * h, h, 4 * h), lone.ph: due(600, h, 1200, h), outside.ph: due(24 * h, 168 * h),
        up.ph: due(600, h, 1200, h), soft.ph: due(900, 7200, 1200, h),
    }}  # fmt: skip


@scene("Of a closed case the deadlines are those of routine", "Deadlines", "Close")
def _closed_due(w: World) -> dict[str, object]:
    case = w.msg("a", E)
    w.facts.case(case, "closed")
    w.sync("b")
    at = [w.size("a"), w.size("b")]
    w.move("b", E, "close", case.ph, frm="attention", covers=at)
    w.move("a", E, "concur", case.ph, frm="attention", covers=at)
    after = w.msg("b", E, "F08", case=case.ph)
    w.sync("a")
    return {"due": {after.ph: {"stored": 86_400, "read": 86_400, "reply": 604_800}}}


@scene("An envelope of the other party's key, and one key object for two documents", "SIGNER", "DUP")
def _replayed(w: World) -> None:
    first = w.msg("a", E)
    w.facts.case(first, "attention")
    w.sign("b", "msg", first.doc, [w.key("a", "expert1")], blobs=[first.doc["blob"]], expect="SIGNER")
    w.put("a", "ack", w.kept.envelope("msg", first.doc, [w.key("a", "expert1")]), expect="PARSE")
    w.put("a", "confirm", b"\xc1", expect="PARSE")
    w.put("b", "msg", w.kept.envelope("msg", b"\xc1", [w.key("b", "expert1")]), expect="PARSE", ph=digest(b"\xc1"))
