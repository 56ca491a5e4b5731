"""Rosters, seal keys, revocations, roots, policies and successions in the fold: who may sign and be named, and since when."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from channel.protocol.charter import Contact, Contacts
from channel.protocol.fold import Fold
from channel.protocol.people import Watch
from keys import suites
from keys.codec import pack, unpack
from keys.documents import Revoke
from keys.envelope import Envelope, media_type, sign
from keys.errors import Refused
from keys.identity import PrivateKey
from keys.shapes import ZERO
from tests.world import CODES, START, World, digest

DAY = 86_400_000


@pytest.fixture
def world() -> World:
    return World()


def key_items(fold: Fold) -> dict[tuple[str, bytes], dict[str, int]]:
    found = [unpack(raw) for raw in fold.state_items()]
    return {(k[0], k[1]): value for name, k, value in found if name == "key"}


# --- rosters ----------------------------------------------------------------------------------------------------------


def with_new(world: World, letter: str, seat: str = "expert3", role: str = "expert", **keys: PrivateKey):
    return (*world.rosters[letter].members, world.sides[letter].member(seat, role, **keys))


def test_a_new_member_signs_after_the_cooling_in_the_other_partys_clock(world: World) -> None:
    """COOLING until the other log's newest seen record is a day after it received the roster; own time is nothing."""
    world.next_roster("a", with_new(world, "a"))
    unknown = world.send("a", "expert3", at=START + 9 * DAY)
    world.sync("b", ts=START + 5000)
    fresh = world.send("a", "expert3", at=START + 9 * DAY)
    world.sync("b", ts=START + 5000 + DAY - 1)
    almost = world.send("a", "expert3", at=START + 9 * DAY)
    world.sync("b", ts=START + 5000 + DAY)
    cooled = world.send("a", "expert3", at=START + 9 * DAY)
    fold = world.fold()
    assert [world.reason(s, fold) for s in (unknown, fresh, almost, cooled)] == ["COOLING"] * 3 + [""]
    single = world.send("a", "duty", "F13", single=True, at=START + 9 * DAY)
    world.next_roster("a", with_new(world, "a", "expert4"))
    assert world.reason(world.confirm("a", "expert4", single)) == "COOLING"


def test_an_exercise_has_no_cooling() -> None:
    """With cooling 0 a new member signs at once, and acknowledgements never wait."""
    world = World(2)
    world.next_roster("a", with_new(world, "a"))
    assert world.reason(world.send("a", "expert3")) == ""
    actual = World()
    actual.next_roster("a", with_new(actual, "a"))
    assert actual.reason(actual.ack("a", "expert3", actual.send("b", "expert1"))) == ""


def test_a_member_who_left_signs_no_more_and_is_named_no_more(world: World) -> None:
    """A key holds by the newest roster of its own log; for the other party by what a record has seen."""
    gone = world.signer("a", "expert1").kid
    kept = tuple(m for m in world.rosters["a"].members if m.seat != "expert1")
    roster = world.next_roster("a", kept)
    sent = world.send("a", "expert1")
    others = [world.seal(x, s).kid for x, s in (("a", "records"), ("b", "records"))]
    named = tuple(sorted([*others, world.seal("a", "expert1").kid]))
    racing = world.send("b", "expert1", to=named, seen=4)
    knowing = world.send("b", "expert1", to=named)
    fold = world.fold()
    assert [world.reason(s, fold) for s in (roster, sent, racing, knowing)] == ["", "SIGNER", "", "KEM"]
    assert key_items(fold)["a", gone] == {"at": 2, "ended": 4}
    assert fold.member_of(gone, "a", 4).seat == "expert1"  # type: ignore[union-attr]
    assert fold.member_of(gone, "a", 5) is None


def test_a_roster_that_does_not_follow_or_is_signed_by_too_few_is_refused(world: World) -> None:
    """CHAIN, SIG, MODE and CHAN of rosters; the one before stays in force."""
    members = world.rosters["a"].members
    before = world.rosters["a"]
    refused = []
    for reason, other in (
        ("CHAIN", {"ver": 3}),
        ("CHAIN", {"prev": ZERO}),
        ("CHAIN", {"root_ver": 2}),
        ("SIG", {"signers": world.authority("a")[:1]}),
        ("SIG", {"signers": world.authority("b")[:2]}),
        ("MODE", {"mode": 2}),
        ("CHAN", {"party": CODES["b"]}),
    ):
        refused.append((reason, world.next_roster("a", members, **other)))
        world.rosters["a"] = before
    fold = world.fold()
    assert [world.reason(s, fold) for _, s in refused] == [reason for reason, _ in refused]
    assert fold.party("a").roster == before


def test_a_roster_with_one_bad_key_is_refused_whole(world: World) -> None:
    """KEYS: no key object, no proof, a component of another member's or the other party's, two records keys."""
    before = world.rosters["a"]
    side = world.sides["a"]
    shared = PrivateKey(1, suites.SIGN, side.key("fresh").seed()[:32] + world.signer("a", "expert1").seed()[32:])
    theirs = PrivateKey(1, suites.SIGN, side.key("other").seed()[:32] + world.signer("b", "expert1").seed()[32:])
    new = with_new(world, "a")
    unproven = (*before.members, replace(new[-1], pop=new[-1].pop[:1]))
    cases = {
        "without key object": (new, tuple(sorted(new[-1].pop))),
        "without proof": (unproven, None),
        "shared with a member": (with_new(world, "a", signer=shared), None),
        "shared with the other party": (with_new(world, "a", signer=theirs), None),
        "a member's key again": (with_new(world, "a", signer=world.signer("a", "duty")), None),
        "two records keys": (with_new(world, "a", "records2", "records"), None),
        "exercise role": (with_new(world, "a", "control", "control"), None),
    }
    for name, (members, blobs) in cases.items():
        sent = world.next_roster("a", members, blobs)
        world.rosters["a"] = before
        assert world.reason(sent) == "KEYS", name
    assert world.reason(world.next_roster("a", new)) == ""


def test_blobs_named_earlier_in_the_log_count(world: World) -> None:
    """A roster need not carry again what an earlier record of its log named, though that record was refused."""
    new = with_new(world, "a")
    refused = world.next_roster("a", new, signers=world.authority("a")[:1])
    world.rosters["a"] = World().rosters["a"]
    sent = world.next_roster("a", new, blobs=())
    fold = world.fold()
    assert (world.reason(refused, fold), world.reason(sent, fold)) == ("SIG", "")


def test_a_key_of_both_parties_is_void_in_both_from_where_both_admissions_are_covered(world: World) -> None:
    """For a record of a: own index and ``seen`` behind both admissions; as signer SIGNER, as recipient KEM."""
    both, seal = world.signer("a", "expert1"), world.seal("a", "expert1")
    before = world.send("a", "expert1")
    world.next_roster("b", with_new(world, "b", signer=both, seal=seal))
    unaware = world.send("a", "expert1", seen=4)
    aware = world.send("a", "expert1", to=world.recipients())
    theirs = world.append("b", "msg", replace(world.message("b", "expert2"), from_=both.kid), [both])
    to_void = world.send("a", "expert2")
    records = tuple(sorted(world.seal(x, "records").kid for x in "ab"))
    fine = world.send("a", "expert2", to=records)
    fold = world.fold()
    reasons = [world.reason(s, fold) for s in (before, unaware, aware, theirs, to_void, fine)]
    assert reasons == ["", "", "SIGNER", "SIGNER", "KEM", ""]
    items = key_items(fold)
    assert items["a", both.kid] == {"at": 2, "void": 4}
    assert items["b", both.kid] == {"at": 4, "void": 2}
    assert seal.kid not in fold.recipients()


# --- revocations ------------------------------------------------------------------------------------------------------


def test_a_revoked_key_ends_at_its_position(world: World) -> None:
    """One operator or one authority key ends keys of its own party, from the next record on."""
    kid = world.signer("a", "expert2").kid
    before = world.send("a", "expert2")
    by_expert = world.revoke("a", [kid], "expert1")
    twice = world.revoke("a", [kid, kid])
    revoke = world.revoke("a", [kid])
    after = world.send("a", "expert2")
    authority = world.revoke("a", [world.signer("a", "duty").kid], world.authority("a")[0])
    line = world.send("a", "duty", "F01")
    stranger = world.append("a", "revoke", replace(revoke.doc, ts=1), world.authority("a")[:2])
    fold = world.fold()
    sent = (before, by_expert, twice, revoke, after, authority, line, stranger)
    assert [world.reason(s, fold) for s in sent] == ["", "SIGNER", "FMT", "", "SIGNER", "", "SIGNER", "SIG"]
    assert key_items(fold)["a", kid] == {"at": 2, "ended": revoke.index}


def test_nothing_is_valid_without_a_signature(world: World) -> None:
    """An envelope without any signature is SIG, whatever it says and whoever it names."""
    operator = world.signer("a", "operator")
    line = Contact(kind="phone", en="Duty line", zh="值班电话", addr="+00")
    documents = [
        ("revoke", Revoke(mode=1, party="CN", kids=(operator.kid,), reason="lost", ts=START)),
        ("contacts", Contacts(mode=1, party="CN", ver=1, prev=ZERO, list=(line,), ts=START)),
        ("watch", Watch(chan=world.chan, seat="duty", op="leave", ts=START)),
        ("msg", world.message("a", "expert1")),
        ("policy", world.next_policy()),
        ("roster", replace(world.rosters["a"], ver=2, prev=digest(pack(world.rosters["a"])))),
        ("kem", World().kem("a", "expert1").doc),
    ]
    sent = [world.put("a", t, Envelope(media_type(t), pack(doc), ())) for t, doc in documents]
    fold = world.fold()
    assert [world.reason(s, fold) for s in sent] == ["SIG"] * len(sent)


def test_a_revoked_seal_key_is_named_no_more_by_who_has_seen_it(world: World) -> None:
    """The other party may name it until it has seen the revocation."""
    world.revoke("a", [world.seal("a", "expert1").kid])
    racing, knowing = world.send("b", "expert1", seen=4), world.send("b", "expert1")
    fold = world.fold()
    assert [world.reason(s, fold) for s in (racing, knowing)] == ["", "KEM"]


# --- seal keys --------------------------------------------------------------------------------------------------------


def test_a_replaced_seal_key_may_be_named_until_its_grace_ends_at_home(world: World) -> None:
    """Of one's own key: counted in the other party's clock from its receipt time."""
    grace = world.policy.limits.kem_grace
    kem = world.kem("a", "expert1")
    unreceived = world.send("a", "expert2")
    world.sync("b", ts=START + 9000)
    world.sync("b", ts=START + 9000 + grace)
    last = world.send("a", "expert2")
    world.sync("b", ts=START + 9000 + grace + 1)
    over = world.send("a", "expert2")
    fold = world.fold()
    assert [world.reason(s, fold) for s in (kem, unreceived, last, over)] == ["", "", "", "KEM"]
    assert fold.current_kem("a", world.signer("a", "expert1").kid) == kem.doc.kid_new


def test_a_replaced_seal_key_of_the_other_party_counts_in_the_own_clock(world: World) -> None:
    """From the first own record that has seen the replacement."""
    grace = world.policy.limits.kem_grace
    world.kem("b", "expert1")
    unaware = world.send("a", "expert2", seen=4, at=START + 2 * grace)
    received = world.sync("a", ts=START + 2 * grace)
    last = world.send("a", "expert2", at=START + 3 * grace)
    over = world.send("a", "expert2", at=START + 3 * grace + 1)
    fold = world.fold()
    assert [world.reason(s, fold) for s in (unaware, received, last, over)] == ["", "", "", "KEM"]


def test_kem_records_against_the_rules(world: World) -> None:
    """The old key is the member's own, the new one proves itself, and a payload counts once."""
    wrong_old = world.kem("a", "expert1", "x", old=world.seal("a", "expert2").kid)
    good = world.kem("a", "expert1")
    assert good.env is not None
    again = world.put("a", "kem", good.env, blobs=[])
    unproven = world.append("a", "kem", replace(good.doc, kid_old=good.doc.kid_new, ts=5), ["expert1"])
    unnamed = world.append("a", "kem", replace(good.doc, from_=world.signer("a", "duty").kid), ["duty"])
    fold = world.fold()
    sent = (wrong_old, good, again, unproven, unnamed)
    assert [world.reason(s, fold) for s in sent] == ["KEYS", "", "DUP", "KEYS", "KEYS"]


# --- roots, contacts, policy ------------------------------------------------------------------------------------------


def next_root(world: World, letter: str, signers: list[PrivateKey], **other):
    root = world.sides[letter].root(2, **{"prev": digest(pack(world.roots[letter])), **other})
    return world.append(letter, "root", root, signers, blobs=root.keys)


def test_a_new_root_needs_both_thresholds_and_then_signs_rosters(world: World) -> None:
    """N+1 signed by N alone is SIG; after it the old keys sign nothing."""
    old, new = world.authority("a"), world.authority("a", 2)
    alone = next_root(world, "a", old[:2])
    wrong = next_root(world, "a", [*old[:2], *new[:2]], prev=ZERO)
    party = next_root(world, "a", [*old[:2], *new[:2]], party="US")
    good = next_root(world, "a", [*old[:2], *new[:2]])
    members = world.rosters["a"].members
    before = world.rosters["a"]
    stale = world.next_roster("a", members)
    world.rosters["a"] = before
    fresh = world.next_roster("a", members, root_ver=2, signers=new[:2])
    fold = world.fold()
    sent = (alone, wrong, party, good, stale, fresh)
    assert [world.reason(s, fold) for s in sent] == ["SIG", "CHAIN", "CHAN", "", "CHAIN", ""]
    assert fold.party("a").root.ver == 2


def test_contacts_follow_each_other(world: World) -> None:
    """One operator; version and ``prev`` as a chain that begins with zeros."""
    line = Contact(kind="phone", en="Duty line", zh="值班电话", addr="+00")
    first = Contacts(mode=1, party="CN", ver=1, prev=ZERO, list=(line,), ts=START)
    second = replace(first, ver=2, prev=digest(pack(first)))
    sent = [
        ("SIGNER", world.append("a", "contacts", first, ["expert1"])),
        ("", world.append("a", "contacts", first, ["operator"])),
        ("CHAIN", world.append("a", "contacts", first, ["operator"])),
        ("CHAIN", world.append("a", "contacts", replace(second, prev=ZERO), ["operator"])),
        ("", world.append("a", "contacts", second, ["operator"])),
        ("CHAN", world.append("a", "contacts", replace(second, party="US"), ["operator"])),
        ("MODE", world.append("a", "contacts", replace(second, mode=2), ["operator"])),
        ("SIGNER", world.put("a", "contacts", sign("contacts", second, [world.signer("b", "operator")]))),
    ]
    fold = world.fold()
    assert [world.reason(s, fold) for _, s in sent] == [reason for reason, _ in sent]


def test_a_policy_is_in_force_where_both_logs_hold_it(world: World) -> None:
    """For each record: its own log below it and the other's as it has seen."""
    limits = replace(world.policy.limits, max_to=3)
    policy = world.next_policy(limits=limits)
    own = world.put_policy("a", policy)
    half = world.send("a", "expert1")
    other = world.put_policy("b", policy)
    unseen = world.send("a", "expert1", seen=4)
    bound = world.send("a", "expert1")
    theirs = world.send("b", "expert1")
    fold = world.fold()
    sent = (own, half, other, unseen, bound, theirs)
    assert [world.reason(s, fold) for s in sent] == ["", "", "", "", "FMT", "FMT"]
    assert fold.policy("a") == policy
    assert fold.policy_payload("a") == digest(pack(policy))


def test_a_policy_against_the_rules_is_refused(world: World) -> None:
    """Both thresholds, the next version, this channel and mode, fold 1, its books at hand."""
    policy = world.next_policy()
    one_side = world.authority("a")[:2]
    sent = [
        ("SIG", world.put_policy("a", policy, one_side)),
        ("CHAIN", world.put_policy("a", world.next_policy(ver=3))),
        ("CHAIN", world.put_policy("a", world.next_policy(prev=ZERO))),
        ("CHAN", world.put_policy("a", world.next_policy(chan=bytes(32)))),
        ("MODE", world.put_policy("a", world.next_policy(mode=2))),
        ("FMT", world.put_policy("a", world.next_policy(fold=2))),
        ("FMT", world.append("a", "policy", world.next_policy(codes=digest(b"book")),
                             [k for x in "ab" for k in world.authority(x)[:2]])),
        ("", world.put_policy("a", policy)),
    ]  # fmt: skip
    fold = world.fold()
    assert [world.reason(s, fold) for _, s in sent] == [reason for reason, _ in sent]
    assert fold.policy("a").ver == 1


# --- successions ------------------------------------------------------------------------------------------------------


def test_log_numbers_are_joined(world: World) -> None:
    """Positions, numbers and ``seen`` go on after a succession; the other log may name either number."""
    first = world.send("a", "expert1")
    early = world.sync("b")
    succeed = world.succeed("a")
    second = world.send("a", "expert1")
    answer = world.ack("b", "expert1", second)
    assert unpack(answer.raw)["seen"][:2] == [1, 2]
    fold = world.fold()
    assert [world.reason(s, fold) for s in (first, early, succeed, second, answer)] == [""] * 5
    assert (second.index, fold.verdict("a", second.index).number) == (6, "CN-2026-000002")
    assert fold.cut == (7, 6)
    assert fold.roots("a", 7) == unpack(answer.raw)["seen"][2]


def test_records_beyond_the_final_size_never_stood_in_the_log(world: World) -> None:
    """A log number is cut at ``final``, also where later records had been judged already; the rest is judged anew."""
    kept = world.send("a", "expert1")
    lost = world.send("a", "expert1")
    early = world.fold()
    assert early.find(lost.ph) is not None
    old = list(world.logs["a"])
    world.succeed("a", final=5)
    again = world.send("a", "expert1")
    early.add("a", world.number("a", 1), 1)
    whole = world.fold()
    assert early.find(lost.ph) is None
    assert early.result() == whole.result()
    assert early.find(kept.ph) is not None
    assert early.verdict("a", again.index).number == "CN-2026-000002"
    assert old[5] == world.cut_off[0]


def test_a_succession_against_the_rules(world: World) -> None:
    """A false final can't be joined; one without its threshold is joined, and all of its number is refused."""
    with pytest.raises(Refused) as caught:
        false = World()
        false.succeed("a", final=4)
        base = World()
        base.send("a", "expert1")
        fold = Fold(base.chan, base.blobs.get)
        fold.add("a", [*base.logs["a"][:3], b"other"])
        fold.add("a", false.number("a", 1), 1)
    assert caught.value.code == "SUCCEED"
    changes = (
        ({"old_origin": "dcx1/x"}, "CHAIN"),
        ({"chan": bytes(32)}, "CHAN"),
        ({"signers": world.authority("a")[:1]}, "SIG"),
    )
    for change, reason in changes:
        wrong = World()
        bad = wrong.succeed("a", **change)
        after = wrong.send("a", "expert1")
        assert [wrong.reason(s) for s in (bad, after)] == [reason, "CHAIN"]
    misplaced = world.append("a", "succeed", false.succeed("a").doc, world.authority("a")[:2])
    assert world.reason(misplaced) == "CHAIN"


# --- who holds a key now ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("small", [False, True])
def test_a_revoked_key_holds_no_more_with_or_without_a_seal_key(small: bool) -> None:
    """``current_signer`` gives the key of a member until a roster or a revocation ended it; unknown ids give None."""
    world = World(2, small=small)
    kid = world.signer("a", "expert1").kid
    fold = world.fold()
    assert fold.current_signer("a", kid) is not None
    assert fold.current_signer("b", kid) is None
    assert fold.current_signer("a", bytes(32)) is None
    world.revoke("a", [kid], world.authority("a")[0])
    assert world.fold().current_signer("a", kid) is None
