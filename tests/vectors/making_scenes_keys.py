"""Scenarios of keys: rosters, cooling, seal keys and their grace, revocations, roots, policies, keys of both parties."""

from __future__ import annotations

from making_authority import contacts, kem, next_policy, next_root, next_roster, put_policy, revoke, seal_key
from making_scene import scene
from making_signing import SEAL, ZERO, digest, key
from making_world import DAY, World

E = ["expert1"]


@scene("A new roster: a member comes in and may sign after a day of the other side's clock", "Roster", "COOLING")
def _cooling(w: World) -> None:
    side = w.sides["a"]
    new = side.member("expert3", "expert")
    roster = next_roster(w, "a", [*side.members("main"), new])
    w.msg("a", ["expert3"], expect="COOLING")  # the other side has not seen the roster yet
    got = w.sync("b", seen=roster.index + 1)
    w.msg("a", ["expert3"], expect="COOLING")
    w.msg("a", ["expert1", "expert3"], level="consultation", expect="COOLING")
    w.ack("a", "expert3", got_message(w))  # no cooling for an acknowledgement
    early = w.sync("b", ts=w.logs["b"][got.index].ts + DAY - 1)
    w.msg("a", ["expert3"], expect="COOLING")
    w.sync("b", ts=w.logs["b"][early.index].ts + 1)
    w.msg("a", ["expert3"], seen=early.index + 1, expect="COOLING")  # as far as it has seen
    w.facts.case(w.msg("a", ["expert3"]), "attention")


def got_message(w: World) -> object:
    """A message of party b, so that party a has something to acknowledge; it opens a case."""
    sent = w.msg("b", E, "F06")
    w.facts.case(sent, "attention")
    return sent


@scene(
    "A member leaves: from the roster's position on its key signs nothing; one who returns cools again",
    "Roster",
    "SIGNER",
)
def _leaving(w: World) -> None:
    side = w.sides["a"]
    w.facts.case(w.msg("a", ["expert2"]), "attention")
    rest = [m for m in side.members("main") if m["seat"] != "expert2"]
    next_roster(w, "a", rest)
    w.msg("a", ["expert2"], expect="SIGNER")
    back = next_roster(w, "a", side.members("main"))
    w.sync("b", seen=back.index + 1)
    w.msg("a", ["expert2"], expect="COOLING")
    w.sync("b", ts=w.ts["b"] + DAY)
    w.facts.case(w.msg("a", ["expert2"]), "attention")


@scene(
    "Rosters that do not follow, are not signed as they must be, or admit what they must not", "Roster", "CHAIN", "KEYS"
)
def _rosters(w: World) -> None:
    side, b = w.sides["a"], w.sides["b"]
    rest, new = side.members("main"), side.member("expert3", "expert")
    some = [*rest, new]
    w.sign("a", "roster", side.roster(some, mode=2, ver=2), side.authority(), expect="MODE")
    w.sign("a", "roster", b.roster(b.members("main"), ver=2), b.authority(), expect="CHAN")
    next_roster(w, "a", some, ver=3, expect="CHAIN")
    next_roster(w, "a", some, prev=ZERO, expect="CHAIN")
    next_roster(w, "a", some, root_ver=2, expect="CHAIN")
    next_roster(w, "a", some, signers=side.authority()[:1], expect="SIG")
    next_roster(w, "a", some, signers=[*side.authority()[:1], w.key("a", "expert1")], expect="SIG")
    next_roster(w, "a", some, drop=["revoked"], expect="PARSE")
    next_roster(w, "a", [m for m in some if m["seat"] != "records"], expect="KEYS")  # no records key
    second = side.member("records2", "records", seal=seal_key(w, "a", "records2"))
    next_roster(w, "a", [*rest, second], expect="KEYS")  # two of them
    next_roster(w, "a", [*rest, side.member("expert3", "control")], expect="KEYS")  # exercise only
    next_roster(w, "a", [*rest, new | {"played": True}], expect="KEYS")
    next_roster(w, "a", some, persons=[], expect="KEYS")
    next_roster(w, "a", [*rest, rest[0]], expect="KEYS")
    next_roster(w, "a", [*rest, side.member("expert3", "expert", signer=w.key("a", "expert1"))], expect="KEYS")  # twice
    mixed = key("CN expert3", 1)
    half = w.key("a", "duty").raw[:1952] + mixed.raw[1952:]
    shared = pretend(w, "a", half, rest[0]["pop"][:1])
    next_roster(w, "a", [*rest, shared], expect="KEYS")
    theirs = pretend(w, "a", w.key("b", "expert1").raw[:1952] + mixed.raw[1952:], rest[0]["pop"][:1])
    next_roster(w, "a", [*rest, theirs], expect="KEYS")  # a component of the other party's
    small = pretend(w, "a", mixed.raw[:1952] + b"\1" + bytes(31), rest[0]["pop"][:1])
    next_roster(w, "a", [*rest, small], expect="KEYS")  # a small-order point
    next_roster(w, "a", [*rest, side.member("expert3", "expert", signer=w.key("a", "authority1.0"))], expect="KEYS")
    next_roster(w, "a", [*rest, new | {"pop": []}], expect="KEYS")
    next_roster(w, "a", [*rest, new | {"pop": rest[0]["pop"]}], expect="KEYS")  # another member's proof
    wrong = side.proof(
        w.key("a", "expert3"), w.kid("a", "expert3"), "expert3-person", "expert3", "expert", by=w.key("a", "duty")
    )
    next_roster(w, "a", [*rest, new | {"pop": [wrong]}], expect="KEYS")
    for seat, half in (("expert4", "sig"), ("expert5", "pop")):  # key object or proof named by no record
        fresh = side.member(seat, "expert")
        next_roster(w, "a", [*rest, fresh], blobs=fresh[half], expect="KEYS")
    next_roster(w, "a", some, revoked=[new["sig"][0]], expect="KEYS")
    next_roster(w, "a", some, blobs=[*new["sig"], *new["pop"]])  # the others are known from the first roster


def pretend(w: World, letter: str, raw: bytes, pops: list[bytes]) -> dict[str, object]:
    """A member whose raw key nobody could have made a proof with."""
    blob = b"dcx/v1/kid\0\1\0\1" + len(raw).to_bytes(4, "big") + raw
    member = w.sides[letter].member("expert3", "expert", pop=pops)
    return member | {"sig": [w.keep(blob)]}


@scene("A seal key's successor: the old one may be named for its grace, in either clock", "Kem", "KEM", "KEYS")
def _kem(w: World) -> None:
    both, new = w.recipients(), seal_key(w, "a", "records new")
    kem(w, "a", "records", new, kid_old=digest(b"x"), expect="KEYS")
    kem(w, "a", "expert1", new, expect="KEYS")  # has none to replace
    kem(w, "a", "records", w.key("a", "records", SEAL), expect="KEYS")  # the same again
    kem(w, "a", "records", w.key("a", "duty"), expect="KEYS")  # a signing key
    kem(w, "a", "records", new, pop=digest(b"no proof"), blobs=[new.kid], expect="KEYS")
    kem(w, "a", "records", new, chan=digest(b"x"), expect="CHAN")
    kem(w, "a", "records", new, by=["duty"], expect="SIG")
    done = kem(w, "a", "records", new)
    w.sign("a", "kem", done.doc, ["records"], blobs=[new.kid, done.doc["pop"]], expect="DUP")
    now = sorted([new.kid, w.kid("b", "records", SEAL)])
    w.facts.case(w.msg("a", E, to=now), "attention")
    w.facts.case(w.msg("b", E, to=both, seen=done.index), "attention")  # has not seen the new one
    w.msg("b", E, to=now, seen=done.index, expect="KEM")
    w.facts.case(w.msg("b", E, to=both), "attention")
    first = w.ts["b"]
    w.facts.case(w.msg("a", E, to=both), "attention")
    w.sync("b", ts=first + 14 * DAY)
    w.facts.case(w.msg("a", E, to=both), "attention")  # the last millisecond of its grace
    w.facts.case(w.msg("b", E, to=both, ts=first + 14 * DAY), "attention")
    w.sync("b", ts=first + 14 * DAY + 1)
    w.msg("a", E, to=both, expect="KEM")
    w.facts.case(w.msg("b", E, to=now), "attention")
    revoke(w, "a", [new.kid], ["operator"])
    w.msg("a", E, to=now, expect="KEM")


@scene("A roster replaces a seal key as a kem does; who left has no grace", "Roster", "KEM")
def _replaced(w: World) -> None:
    side, both = w.sides["a"], w.recipients()
    new = seal_key(w, "a", "records new")
    members = [m for m in side.members("main") if m["seat"] != "records"]
    next_roster(w, "a", [*members, side.member("records", "records", seal=new)])
    now = sorted([new.kid, w.kid("b", "records", SEAL)])
    w.facts.case(w.msg("a", E, to=both), "attention")
    w.facts.case(w.msg("a", E, to=now), "attention")
    third = side.member("archive", "records", seal=seal_key(w, "a", "archive"))
    next_roster(w, "a", [*members, third])
    w.msg("a", E, to=now, expect="KEM")
    w.msg("a", E, to=both, expect="KEM")
    w.facts.case(w.msg("a", E, to=sorted([*third["kem"], w.kid("b", "records", SEAL)])), "attention")


@scene("A revocation counts by its position, and for the other side once it has seen it", "Revoke", "SIGNER")
def _revoke(w: World) -> None:
    gone = w.kid("a", "expert2")
    w.facts.case(w.msg("a", ["expert2"]), "attention")
    revoke(w, "a", [gone], ["expert1"], expect="SIGNER")
    revoke(w, "a", [gone], [w.key("b", "operator")], expect="SIGNER")
    revoke(w, "a", [gone], ["operator", "operator2"], expect="SIGNER")
    revoke(w, "a", [gone], w.sides["a"].authority(), expect="SIG")  # one, not two
    revoke(w, "a", [gone], ["operator"], spoil="operator", expect="SIG")
    revoke(w, "a", [gone], w.sides["a"].authority()[:1], spoil="authority1.0", expect="SIG")
    revoke(w, "a", [gone], ["operator"], party="US", expect="CHAN")
    revoke(w, "a", [gone], w.sides["a"].authority()[:1], party="US", expect="CHAN")
    revoke(w, "a", [gone], ["operator"], mode=2, expect="MODE")
    revoke(w, "a", [gone], w.sides["a"].authority()[:1], mode=2, expect="MODE")
    revoke(w, "a", [gone, gone], ["operator"], expect="FMT")
    revoke(w, "a", [], ["operator"], expect="PARSE")
    revoke(w, "a", [gone], ["operator"], reason="Lost it", expect="PARSE")
    first = revoke(w, "a", [gone, digest(b"a key that nobody has")], ["operator"])
    w.sign("a", "revoke", first.doc, ["operator"], expect="DUP")
    w.msg("a", ["expert2"], expect="SIGNER")
    w.watch("a", "take", "operator", "operator")
    revoke(w, "a", [w.kid("a", "operator")], w.sides["a"].authority()[:1])
    revoke(w, "a", [digest(b"y")], ["operator"], expect="SIGNER")
    w.watch("a", "leave", "operator", "", "operator", expect="SIGNER")
    w.watch("a", "take", "operator", "duty", expect="WATCH")


@scene(
    "A key that both parties admit is void in both, once a record stands on both admissions",
    "Void",
    "SIGNER",
    "KEM",
    policy={"cooling": 0},
)
def _void(w: World) -> None:
    a, b = w.sides["a"], w.sides["b"]
    twice = a.key("expert3")
    b.blobs[twice.kid] = twice.object
    at = next_roster(w, "a", [*a.members("main"), a.member("expert3", "expert")])
    w.facts.case(w.msg("a", ["expert3"]), "attention")
    theirs = next_roster(w, "b", [*b.members("main"), b.member("expert9", "expert", signer=twice)], seen=at.index)
    w.facts.case(w.msg("a", ["expert3"], seen=theirs.index), "attention")
    w.msg("a", ["expert3"], expect="SIGNER")
    w.sign("b", "msg", w.payload("b", "expert1") | {"from": twice.kid}, [twice], blobs=[], expect="SIGNER")
    w.facts.keys["a", twice.kid] = {"at": at.index, "void": theirs.index}
    w.facts.keys["b", twice.kid] = {"at": theirs.index, "void": at.index}


@scene(
    "A new root: signed by both thresholds, announced keys alone; what it signs follows it",
    "Root",
    "CHAIN",
    "KEYS",
    "SIG",
)
def _root(w: World) -> None:
    side = w.sides["a"]
    one, two, three = (side.authority(n) for n in (1, 2, 3))
    coming = sorted(k.kid for k in three)
    next_root(w, "a", signers=one, expect="SIG")
    next_root(w, "a", signers=two, expect="SIG")
    next_root(w, "a", signers=[one[0], two[0]], expect="SIG")
    next_root(w, "a", ver=3, keys=sorted(k.kid for k in two), signers=[*one, *two], expect="CHAIN")
    next_root(w, "a", prev=ZERO, expect="CHAIN")
    next_root(w, "a", threshold=3, expect="CHAIN")
    next_root(w, "a", keys=[two[0].kid, two[0].kid], expect="KEYS")
    next_root(w, "a", party="US", expect="CHAN")
    next_root(w, "a", mode=2, expect="MODE")
    next_root(w, "a", threshold=1, expect="PARSE")
    next_root(w, "a", next=coming)
    next_roster(w, "a", side.members("main"), signers=one, expect="SIG")
    next_roster(w, "a", side.members("main"), root_ver=1, expect="CHAIN")
    next_roster(w, "a", side.members("main"))
    next_root(w, "a", keys=sorted([two[0].kid, one[0].kid]), signers=[*two, one[0]], expect="KEYS")  # not announced
    next_root(w, "a")
    revoke(w, "a", [digest(b"k")], two[:1], expect="SIGNER")
    revoke(w, "a", [digest(b"k")], three[:1])


@scene("A new policy is in force where both prefixes hold it", "Policy", "CHAIN", "SIG", "FMT")
def _policy(w: World) -> None:
    rules = next_policy(w)
    rules |= {"sign": rules["sign"] | {"expert": [["expert"], ["expert"]]}}
    everyone = [k for x in "ab" for k in w.sides[x].authority()]
    put_policy(w, "a", rules | {"mode": 2}, expect="MODE")
    put_policy(w, "a", rules | {"chan": digest(b"x")}, expect="CHAN")
    put_policy(w, "a", rules | {"ver": 3}, expect="CHAIN")
    put_policy(w, "a", rules | {"prev": ZERO}, expect="CHAIN")
    put_policy(w, "a", rules, everyone[:3], expect="SIG")
    put_policy(w, "a", rules, everyone[:2], expect="SIG")
    put_policy(w, "a", rules | {"fold": 2}, expect="FMT")
    put_policy(w, "a", rules | {"formats": digest(b"no such book")}, blobs=[], expect="FMT")
    put_policy(w, "a", {k: v for k, v in rules.items() if k != "chan"}, expect="PARSE")
    put_policy(w, "a", rules | {"levels": rules["levels"][::-1]}, expect="PARSE")
    case = w.msg("a", E)
    w.facts.case(case, "attention")
    put_policy(w, "a", rules, blobs=[])  # both books are named by version 1
    put_policy(w, "a", rules, expect="CHAIN")
    w.msg("a", E, "F08", case=case.ph)
    mine = put_policy(w, "b", rules)
    w.msg("b", E, "F08", case=case.ph, expect="SIGS")
    w.msg("a", E, "F08", case=case.ph, seen=mine.index)
    w.msg("a", E, "F08", case=case.ph, expect="SIGS")
    w.msg("a", ["expert1", "expert2"], "F08", case=case.ph)
    w.facts.policy = [2, mine.ph]


@scene("The fall-back list: one operator, in its chain", "Contacts", "CHAIN", "SIGNER")
def _contacts(w: World) -> None:
    contacts(w, "a", ["expert1"], expect="SIGNER")
    contacts(w, "a", ["operator", "expert1"], expect="SIGNER")
    contacts(w, "a", ["operator"], party="US", expect="CHAN")
    contacts(w, "a", ["operator"], mode=2, expect="MODE")
    contacts(w, "a", ["operator"], spoil="operator", expect="SIG")
    contacts(w, "a", ["operator"], 2, expect="CHAIN")
    contacts(w, "a", ["operator"], list=[{"kind": "voice", "en": "a\u200b", "zh": "值", "addr": "+1"}], expect="PARSE")
    first = contacts(w, "a", ["operator"])
    contacts(w, "a", ["operator"], 2, expect="CHAIN")
    contacts(w, "a", ["operator"], 2, first.ph, list=[])
