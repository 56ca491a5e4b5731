"""The chains of root and roster, each rule with a case that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256

import pytest
from msgspec.structs import replace

from keys import suites
from keys.codec import pack
from keys.documents import Pop, Revoke
from keys.envelope import sign
from keys.errors import Malformed, Refused
from keys.identity import PrivateKey, PublicKey
from keys.pop import make_kem_pop, make_pop
from keys.roster import admit_kem, check_revoke, check_root, check_roster, key_objects
from keys.shapes import ZERO


@contextmanager
def refused(code: str, **values: object):
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.code == code
    assert {k: caught.value.values.get(k) for k in values} == values


def keys_refused(why: str, member: str | None = None) -> AbstractContextManager[None]:
    return refused("KEYS", why=why, **({"member": member} if member else {}))


def after(document):
    return {"ver": document.ver + 1, "prev": sha256(pack(document)).digest()}


# Roots


def test_a_first_root_stands_by_its_own_threshold(party):
    """Two of its three keys sign version 1, and it is read as written."""
    assert check_root(party.sign("root", party.root), party.keys_of(*party.authority)) == party.root


def test_a_root_below_its_threshold_is_refused(party):
    """One signature of two needed."""
    with refused("THRESHOLD", have=1, need=2, version=1):
        check_root(sign("root", party.root, party.authority[:1]), party.keys_of(*party.authority))


def test_the_next_root_needs_the_threshold_of_the_one_before_and_its_own(party):
    """Signed by both it passes; by either alone it is refused."""
    new = [party.key(f"new authority {n}") for n in range(2)]
    root = party.make_root(new, **after(party.root))
    keys, old_keys = party.keys_of(*new), party.keys_of(*party.authority)
    both = sign("root", root, [*party.authority[:2], *new])
    assert check_root(both, keys, party.root, old_keys) == root
    with refused("THRESHOLD", version=1, have=0):
        check_root(sign("root", root, new), keys, party.root, old_keys)
    with refused("THRESHOLD", version=2, have=0):
        check_root(sign("root", root, party.authority), keys, party.root, old_keys)


def test_a_key_of_both_roots_counts_in_each(party):
    """Two kept keys are the threshold of the old root and of the new."""
    root = party.make_root(party.authority[:2], **after(party.root))
    keys = party.keys_of(*party.authority)
    assert check_root(party.sign("root", root), keys, party.root, keys) == root


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ver": 3}, "ver"),
        ({"ver": 1}, "ver"),
        ({"prev": ZERO}, "prev"),
        ({"mode": 1}, "mode"),
        ({"party": "CN"}, "party"),
        ({"threshold": 4}, "threshold"),
    ],
)
def test_a_root_that_does_not_follow_is_refused(party, change, field):
    """Version, hash, mode, party and threshold of the next root."""
    root = replace(party.root, **after(party.root) | change)
    keys = party.keys_of(*party.authority)
    with refused("CHAIN", doc="root", field=field):
        check_root(party.sign("root", root), keys, party.root, keys)


def test_a_first_root_has_version_one_and_no_past(party):
    """A later version, or a past, does not start a chain."""
    keys = party.keys_of(*party.authority)
    for change in ({"ver": 2}, {"prev": bytes(31) + b"\1"}):
        with refused("CHAIN"):
            check_root(party.sign("root", replace(party.root, **change)), keys)


def test_a_threshold_of_one_is_unreadable(party):
    """The shape asks for two at least."""
    with pytest.raises(Malformed):
        check_root(party.sign("root", replace(party.root, threshold=1)), party.keys_of(*party.authority))


def test_new_authority_keys_must_be_announced_where_the_root_before_announced_any(party):
    """A thief of today's keys can't rotate to keys of his own."""
    heir, thief = party.key("heir"), party.key("thief")
    party.root = replace(party.root, next=(sha256(heir.public.encode()).digest(),))
    keys = party.keys_of(*party.authority, heir, thief)
    good = party.make_root([*party.authority[:2], heir], **after(party.root))
    assert check_root(party.sign("root", good), keys, party.root, keys) == good
    bad = party.make_root([*party.authority[:2], thief], **after(party.root))
    with keys_refused("not announced"):
        check_root(party.sign("root", bad), keys, party.root, keys)


def test_one_authority_key_never_counts_twice(party, make_key):
    """A doubled id, and two keys that share one half, are both refused."""
    one, two = party.authority[:2]
    with keys_refused("twice"):
        check_root(party.sign("root", party.make_root([one, one, two])), party.keys_of(one, two))
    half = PrivateKey(2, suites.SIGN, two.seed()[:32] + one.seed()[32:])
    root = party.make_root([one, half])
    with keys_refused("shared"):
        check_root(sign("root", root, [one, half]), party.keys_of(one, half))


def test_authority_keys_are_given_right_and_fit(party, make_key):
    """A missing key, one under another's id, a seal key and a key of the other mode are refused."""
    one, two, three = party.authority
    keys = party.keys_of(*party.authority)
    env = party.sign("root", party.root)
    with keys_refused("missing"):
        check_root(env, party.keys_of(one, two))
    with keys_refused("missing"):
        check_root(env, keys | {three.kid: one.public})
    actual, seal = make_key("US actual", mode=1), make_key("US authority seal", suites.SEAL)
    for wrong, why in ((actual, "mode"), (seal, "suite")):
        root = party.make_root([one, two, wrong])
        with keys_refused(why):
            check_root(party.sign("root", root), party.keys_of(one, two, wrong))


def test_key_objects_come_from_blobs_that_are_not_trusted(party):
    """A blob that is another's, cut or not there gives no key."""
    one, two = party.authority[:2]
    assert key_objects([one.kid], party.blobs.get) == {one.kid: one.public}
    with keys_refused("missing"):
        key_objects([one.kid], {one.kid: two.public.encode()}.get)
    with keys_refused("missing"):
        key_objects([one.kid], {}.get)
    with keys_refused("unreadable"):
        key_objects([sha256(b"no key").digest()], lambda _: b"no key")


# Rosters


def test_a_first_roster_is_admitted_with_its_keys(party, first):
    """Each key is found with its member, and the records key is named."""
    expert = first.roster.members[0]
    assert first.members[expert.kid] is expert is first.members[expert.kem[0]]
    assert set(first.keys) == set(first.members) == set(first.known)
    assert first.records_kid == first.roster.members[3].kem[0]
    assert first.hash == sha256(pack(first.roster)).digest()


def test_a_roster_below_the_threshold_is_refused(party, first):
    """One authority key alone admits nobody, nor do a member's keys beside it."""
    member = party.key("expert-1@expert sign")
    env = sign("roster", first.roster, [party.authority[0], member])
    with refused("THRESHOLD", have=1, need=2):
        check_roster(
            env, party.root, party.root_hash, party.keys_of(*party.authority), None, party.blobs.get
        )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ver": 3}, "ver"),
        ({"prev": ZERO}, "prev"),
        ({"mode": 1}, "mode"),
        ({"party": "CN"}, "party"),
        ({"root_ver": 2}, "root_ver"),
    ],
)
def test_a_roster_that_does_not_follow_is_refused(party, first, change, field):
    """Version, hash, mode, party and root version of the next roster."""
    with refused("CHAIN", doc="roster", field=field):
        party.check(replace(first.roster, **after(first.roster) | change), first)


def test_a_first_roster_is_of_its_roots_party_and_mode(party, first):
    """A root admits no members of another party or mode."""
    for change in ({"mode": 1}, {"party": "CN"}):
        with refused("CHAIN", doc="roster", field="party"):
            party.check(replace(first.roster, **change))


def test_unchanged_members_need_no_blobs_again(party, first):
    """The next roster carries only what is new."""
    new = party.member("expert-2", "expert", "expert")
    fresh = {a: b for a, b in party.blobs.items() if a in (new.kid, *new.kem, *new.pop)}
    party.blobs = fresh
    roster = party.make_roster([*first.roster.members, new], **after(first.roster))
    assert party.check(roster, first).members[new.kid] == new


@pytest.mark.parametrize("gone", ["persons", "seats"])
def test_every_member_is_a_listed_person_in_a_listed_seat(party, first, gone):
    """An id that the roster does not name is refused, with the member."""
    with refused("MEMBER", why="not listed", member="expert-1@expert"):
        party.check(replace(first.roster, **{gone: getattr(first.roster, gone)[2:]}))


@pytest.mark.parametrize("double", ["persons", "seats"])
def test_ids_are_unique(party, first, double):
    """No person or seat is named twice."""
    named = getattr(first.roster, double)
    with refused("MEMBER", why="an id twice"):
        party.check(replace(first.roster, **{double: (*named, named[0])}))


def test_a_member_stands_once(party, first):
    """The same person in the same seat is one member."""
    again = party.member("expert-1", "expert", "expert", label="again")
    with refused("MEMBER", why="twice", member="expert-1@expert"):
        party.check(party.make_roster([*first.roster.members, again]))


def test_a_person_may_hold_two_seats_with_two_keys_but_never_with_one(party, first):
    """One key serves one member, whether the other place has the same person or the same seat."""
    members = first.roster.members
    second = party.member("expert-1", "watch", "duty")
    assert len(party.check(party.make_roster([*members, second])).keys) == 9
    shared = party.prove(replace(members[0], seat="watch"), party.key("expert-1@expert sign"))
    with keys_refused("twice", "expert-1@watch"):
        party.check(party.make_roster([*members, shared]))


def test_a_key_of_a_former_member_is_never_anothers(party, first):
    """Also when the former member has left the roster."""
    left = first.roster.members[1]
    second = party.check(
        party.make_roster([m for m in first.roster.members if m is not left], **after(first.roster)), first
    )
    assert left.kid not in second.keys
    heir = party.prove(replace(left, person="duty-2"), party.key("duty-1@watch sign"))
    with keys_refused("shared", "duty-2@watch"):
        party.check(party.make_roster([*second.roster.members, heir], **after(second.roster)), second)
    back = party.make_roster([*second.roster.members, left], **after(second.roster))
    assert party.check(back, second).members[left.kid] == left


@pytest.mark.parametrize("half", [0, 1])
def test_two_members_never_share_half_a_key(party, first, half):
    """Either half of a signing key in two keys, now or ever, is refused."""
    one, two = party.key("expert-1@expert sign").seed(), party.key("duty-1@watch sign").seed()
    mixed = PrivateKey(2, suites.SIGN, one[:32] + two[32:] if half else two[:32] + one[32:])
    other = party.key("mixed seal", suites.SEAL)
    party.blobs[mixed.kid] = mixed.public.encode()
    member = replace(first.roster.members[0], person="expert-2", sig=(mixed.kid,), kem=(other.kid,))
    member = party.prove(member, mixed)
    with keys_refused("shared", "expert-2@expert"):
        party.check(party.make_roster([*first.roster.members, member]))
    alone = [m for m in first.roster.members if m.seat not in ("expert", "watch")]
    second = party.check(party.make_roster(alone, **after(first.roster)), first)
    with keys_refused("shared", "expert-2@expert"):
        party.check(party.make_roster([*alone, member], **after(second.roster)), second)


def test_an_authority_key_is_nobodys_message_key(party, first):
    """Keys of the root serve no member."""
    authority = party.authority[2]
    member = replace(first.roster.members[0], sig=(authority.kid,))
    member = party.prove(member, authority)
    with keys_refused("shared", "expert-1@expert"):
        party.check(party.make_roster([member, *first.roster.members[1:]]))


def test_keys_known_from_elsewhere_are_refused_where_the_tool_gives_them(party, first, make_party):
    """The other mode's roster with the same raw keys, and the other party's with the same key."""
    actual = make_party(mode=1)
    strangers = [actual.key("duty-1@watch sign").public]
    assert strangers[0].kid not in first.keys
    with keys_refused("shared", "duty-1@watch"):
        party.check(first.roster, others=strangers)
    with keys_refused("shared", "expert-1@expert"):
        party.check(first.roster, others=[party.key("expert-1@expert seal", suites.SEAL).public])
    assert party.check(first.roster, others=[make_party("CN").key("duty-1@watch sign").public])


def test_roles_and_played_seats_of_exercises_stay_there(make_party):
    """Control, evaluators and played seats are refused in an actual roster."""
    for mode, fails in ((2, False), (1, True)):
        party = make_party(mode=mode)
        for extra in (
            party.member("control-1", "control", "control"),
            party.member("evaluator-1", "evaluation", "evaluator"),
            party.member("control-1", "principal", "official", played=True),
        ):
            roster = party.make_roster([*party.members(), extra])
            if fails:
                with refused("MEMBER", why="exercise only"):
                    party.check(roster)
            else:
                assert extra.kid in party.check(roster).keys


def test_played_is_said_only_where_it_is_so(party):
    """``played: false`` is a second way to say nothing, so it is refused."""
    extra = party.member("expert-2", "expert", "expert", played=False)
    with refused("MEMBER", why="exercise only"):
        party.check(party.make_roster([*party.members(), extra]))


def test_there_is_exactly_one_records_key(party):
    """None is refused and two are; a second records officer without a seal key is not."""
    people = party.members()
    for members, count in (
        (people[:3], 0),
        ([*people[:3], party.member("records-1", "records", "records", kem=False)], 0),
        ([*people, party.member("records-2", "records", "records")], 2),
    ):
        with refused("RECORDS", count=count):
            party.check(party.make_roster(members))
    assert party.check(party.make_roster([*people, party.member("records-2", "records", "records", kem=False)]))


def test_revoked_keys_are_never_readmitted(party, first):
    """Not in the roster that revokes them, and not in a later one that is silent about it."""
    members, left = first.roster.members[1:], first.roster.members[0]
    with keys_refused("revoked", "expert-1@expert"):
        party.check(party.make_roster(list(first.roster.members), revoked=(left.kem[0],)))
    second = party.check(party.make_roster(list(members), revoked=(left.kid,), **after(first.roster)), first)
    third = party.check(party.make_roster(list(members), **after(second.roster)), second)
    assert left.kid in third.revoked
    with keys_refused("revoked", "expert-1@expert"):
        party.check(party.make_roster([left, *members], **after(third.roster)), third)


# Keys and proofs


def changed(party, first, change: Callable[..., object]):
    member = change(first.roster.members[0])
    return party.make_roster([member, *first.roster.members[1:]])


def test_a_key_object_and_every_proof_must_be_there(party, first):
    """Each of the blobs missing, or another's in its place."""
    expert, duty = first.roster.members[:2]
    for address in (expert.kid, *expert.kem, *expert.pop):
        whole = dict(party.blobs)
        del party.blobs[address]
        with keys_refused("missing", "expert-1@expert"):
            party.check(first.roster)
        party.blobs = whole | {address: whole[duty.kid]}
        with keys_refused("missing", "expert-1@expert"):
            party.check(first.roster)
        party.blobs = whole


def test_a_key_without_its_proof_is_refused(party, first):
    """None, one of two, one twice, and one too many."""
    expert = first.roster.members[0]
    sig, kem = expert.pop
    again = party.prove(expert, party.key("expert-1@expert sign")).pop[1]
    assert again != kem
    for pop in ((), (sig,), (kem,), (sig, sig), (sig, kem, sig), (kem, again), (sig, kem, again)):
        with keys_refused("without proof", "expert-1@expert"):
            party.check(changed(party, first, lambda m, pop=pop: replace(m, pop=pop)))
    assert party.check(changed(party, first, lambda m: replace(m, pop=(kem, sig))))


@pytest.mark.parametrize(
    "change", [{"person": "other"}, {"seat": "other"}, {"role": "duty"}, {"party": "CN"}, {"root": ZERO}]
)
@pytest.mark.parametrize("which", [0, 1])
def test_a_proof_is_for_this_member_of_this_party(party, first, change, which):
    """Another person, seat, role, party or root in the proof is refused."""
    expert, signer = first.roster.members[0], party.key("expert-1@expert sign")
    claim = party.claim(expert)
    claim = type(claim)(**{f: getattr(claim, f) for f in claim.__dataclass_fields__} | change)
    made = [make_pop(claim, signer, bytes(16)), make_kem_pop(claim, signer, expert.kem[0], bytes(32), bytes(16))]
    pop = list(expert.pop)
    pop[which] = party.keep(made[which])
    with keys_refused("not for this member", "expert-1@expert"):
        party.check(changed(party, first, lambda m: replace(m, pop=tuple(pop))))


def test_a_new_role_needs_a_new_proof(party, first):
    """A known key stays; its proof was for the old role."""
    expert = first.roster.members[0]
    silent = replace(expert, role="official")
    with keys_refused("not for this member"):
        party.check(party.make_roster([silent, *first.roster.members[1:]], **after(first.roster)), first)
    proven = party.prove(silent, party.key("expert-1@expert sign"))
    roster = party.make_roster([proven, *first.roster.members[1:]], **after(first.roster))
    assert party.check(roster, first).members[expert.kid].role == "official"


def test_a_proof_is_signed_with_the_members_own_key_alone(party, first):
    """Another signer, a signer beside the member, and a changed proof are refused."""
    expert, other = first.roster.members[0], party.key("duty-1@watch sign")
    signer, claim = party.key("expert-1@expert sign"), party.claim(expert)
    document = make_pop(claim, signer, bytes(16)).read("pop", Pop)
    for envelope in (sign("pop", document, [other]), sign("pop", document, [signer, other])):
        pop = (party.keep(envelope), expert.pop[1])
        with keys_refused("signature", "expert-1@expert"):
            party.check(changed(party, first, lambda m, pop=pop: replace(m, pop=pop)))
    good = party.blobs[expert.pop[0]]
    bad = good[:-1] + bytes([good[-1] ^ 1])
    party.blobs[sha256(bad).digest()] = bad
    with keys_refused("signature", "expert-1@expert"):
        party.check(changed(party, first, lambda m: replace(m, pop=(sha256(bad).digest(), expert.pop[1]))))


def test_a_proof_that_cannot_be_read_is_refused_with_its_member(party, first):
    """Bytes that are no proof are the roster's fault, not the reader's."""
    party.blobs[sha256(b"x").digest()] = b"x"
    with keys_refused("unreadable", "expert-1@expert"):
        party.check(changed(party, first, lambda m: replace(m, pop=(sha256(b"x").digest(), m.pop[1]))))


def test_only_the_proof_of_a_seal_key_carries_an_opened_challenge(party, first):
    """A seal key's proof without it, and a signing key's with it, are refused."""
    expert, signer = first.roster.members[0], party.key("expert-1@expert sign")
    claim = party.claim(expert)
    with_opened = make_kem_pop(claim, signer, signer.kid, bytes(32), bytes(16))
    document = make_pop(claim, signer, bytes(16)).read("pop", Pop)
    without = sign("pop", replace(document, kid=expert.kem[0]), [signer])
    for pop in ((party.keep(with_opened), expert.pop[1]), (expert.pop[0], party.keep(without))):
        with keys_refused("not for this member"):
            party.check(changed(party, first, lambda m, pop=pop: replace(m, pop=pop)))


def test_a_key_that_must_not_be_admitted_is_refused_with_its_member(party, first, make_key):
    """The other mode, another suite, and a small-order half."""
    expert, signer = first.roster.members[0], party.key("expert-1@expert sign")
    seal = party.key("expert-1@expert seal", suites.SEAL)
    small = PublicKey(2, suites.SIGN, signer.public.raw[:1952] + bytes(32))
    cases = [
        ({"sig": (PublicKey(1, suites.SIGN, signer.public.raw),)}, "mode"),
        ({"kem": (PublicKey(1, suites.SEAL, seal.public.raw),)}, "mode"),
        ({"sig": (seal.public,), "kem": ()}, "suite"),
        ({"kem": (signer.public,), "sig": (seal.public,)}, "suite"),
        ({"sig": (PublicKey(2, suites.SESSION, signer.public.raw[1952:]),)}, "suite"),
        ({"sig": (small,)}, "small order"),
        ({"kem": (PublicKey(2, suites.SEAL, b"\xff" * 1216),)}, "load"),
    ]
    for change, why in cases:
        for made in change.values():
            party.blobs |= {k.kid: k.encode() for k in made}
        kids = {name: tuple(k.kid for k in made) for name, made in change.items()}
        with keys_refused(why, "expert-1@expert"):
            party.check(changed(party, first, lambda m, kids=kids: replace(m, **kids)))
    assert expert.kid in party.check(first.roster).keys


# A new seal key between rosters


def test_a_members_seal_key_is_replaced_with_a_proof(party, first):
    """The new key stands in the member's place, the old one stays known, the roster's bytes stay."""
    expert, signer = first.roster.members[0], party.key("expert-1@expert sign")
    new = party.key("expert-1 next quarter", suites.SEAL)
    pop = party.keep(make_kem_pop(party.claim(expert), signer, new.kid, bytes(32), bytes(16)))
    then = admit_kem(first, expert.kid, new.kid, pop, party.blobs.get)
    assert then.members[new.kid] is then.members[expert.kid]
    assert expert.kem[0] not in then.members
    assert expert.kem[0] in then.known
    assert then.roster is first.roster
    assert admit_kem(then, expert.kid, *_next_kem(party, expert), party.blobs.get)
    with keys_refused("twice", "expert-1@expert"):
        admit_kem(then, expert.kid, new.kid, pop, party.blobs.get)
    with keys_refused("shared", "expert-1@expert"):
        admit_kem(first, expert.kid, new.kid, pop, party.blobs.get, others=[new.public])


def _next_kem(party, member):
    key = party.key("expert-1 the quarter after", suites.SEAL)
    signer = party.key("expert-1@expert sign")
    return key.kid, party.keep(make_kem_pop(party.claim(member), signer, key.kid, bytes(32), bytes(16)))


def test_a_seal_key_of_another_member_or_without_proof_does_not_replace_one(party, first):
    """Nor does anybody replace the key of a member who has none, or of nobody."""
    expert, duty, operator = first.roster.members[:3]
    new = party.key("expert-1 next quarter", suites.SEAL)
    signer = party.key("expert-1@expert sign")
    with keys_refused("twice"):
        admit_kem(first, expert.kid, duty.kem[0], expert.pop[1], party.blobs.get)
    with keys_refused("not for this member"):
        admit_kem(first, expert.kid, new.kid, expert.pop[1], party.blobs.get)
    for nobody in (operator.kid, expert.kem[0], ZERO):
        pop = party.keep(make_kem_pop(party.claim(expert), signer, new.kid, bytes(32), bytes(16)))
        with keys_refused("not a member"):
            admit_kem(first, nobody, new.kid, pop, party.blobs.get)


# Revocations


def revocation(first, **change) -> Revoke:
    fields = {"mode": 2, "party": "US", "kids": (first.roster.members[0].kid,), "reason": "lost", "ts": 5}
    return Revoke(**fields | change)


def test_an_operator_or_an_authority_key_revokes_alone(party, first):
    """Revoking is cheaper than admitting."""
    revoke = revocation(first)
    keys = party.keys_of(*party.authority)
    for signer in (party.key("operator-1@operations sign"), party.authority[2]):
        assert check_revoke(sign("revoke", revoke, [signer]), first, party.root, keys) == revoke


def test_nobody_else_revokes(party, first, make_party):
    """Not an expert, not the other party, not an operator whose own key has ended."""
    revoke, keys = revocation(first), party.keys_of(*party.authority)
    operator = party.key("operator-1@operations sign")
    for signer in (party.key("expert-1@expert sign"), make_party("CN").authority[0]):
        with refused("REVOKER"):
            check_revoke(sign("revoke", revoke, [signer]), first, party.root, keys)
    with refused("REVOKER"):
        check_revoke(sign("revoke", revoke, [operator]), first, party.root, keys, barred={operator.kid})


def test_a_revocation_is_of_this_party_and_mode_and_names_each_key_once(party, first):
    """Another party's or mode's document ends no key here."""
    keys, operator = party.keys_of(*party.authority), party.key("operator-1@operations sign")
    for change in ({"mode": 1}, {"party": "CN"}):
        with refused("CHAIN", doc="revoke", field="party"):
            check_revoke(sign("revoke", revocation(first, **change), [operator]), first, party.root, keys)
    double = revocation(first, kids=(ZERO, ZERO))
    with keys_refused("twice"):
        check_revoke(sign("revoke", double, [operator]), first, party.root, keys)
