"""The chains of a party's root and roster, and its revocations: what each next one must fulfil.

Pure rules over bytes (docs/protocol.md sections 3 and 4); the caller gives key objects and blobs and keeps the results.

    root v1      signed by >= threshold of itself         root N+1     by >= threshold of N AND of itself
    roster       by >= threshold of the current root      revoke       by one operator or one authority key

Signatures are counted as distinct verified kids, and no two keys share a component: a doubled key never counts twice.
Each document is judged by its own chain alone, so it is valid in every channel of its party or in none. What stands
elsewhere in one log (revocations, keys of both parties) ends a key there without refusing a document.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from msgspec import UNSET
from msgspec.structs import replace as replace_fields

from keys import suites
from keys.codec import pack
from keys.documents import Member, Pop, Revoke, Root, Roster
from keys.envelope import Envelope
from keys.errors import Malformed, Refused
from keys.identity import EXERCISE, PublicKey, check_key, read_key
from keys.pop import Claim, check_pop, says
from keys.shapes import ZERO

Blobs = Callable[[bytes], bytes | None]
EXERCISE_ROLES = frozenset({"control", "evaluator"})


@dataclass(frozen=True, slots=True)
class Admitted:
    """A roster that passed, with what its chain has admitted up to it. Never changed: the next one is another."""

    roster: Roster
    hash: bytes
    """Payload hash of the roster."""
    root_hash: bytes
    """Payload hash of the party's root version 1, to which all proofs bind."""
    members: Mapping[bytes, Member] = field(repr=False)
    """This roster's members by the id of each of their keys, signing and seal."""
    keys: Mapping[bytes, PublicKey] = field(repr=False)
    """This roster's keys by id."""
    known: Mapping[bytes, PublicKey] = field(repr=False)
    """Every key that the chain ever admitted."""
    owners: Mapping[bytes, str] = field(repr=False)
    """Each raw component key that the chain ever admitted: whose it is, as ``person@seat``."""
    pops: Mapping[bytes, Pop] = field(repr=False)
    """Every proof that the chain ever verified, by blob address."""
    revoked: frozenset[bytes] = field(repr=False)
    """Every key that a roster of the chain named as revoked."""

    @property
    def records_kid(self) -> bytes:
        """The id of the party's records key, its own escrow."""
        return next(m.kem[0] for m in self.roster.members if m.role == "records" and m.kem)


def key_objects(kids: Iterable[bytes], blobs: Blobs) -> dict[bytes, PublicKey]:
    """The keys of ids, from their blobs; ``Refused`` KEYS if one is missing or is another's."""
    return {kid: _read_key(kid, blobs, kid.hex()[:16]) for kid in kids}


def check_root(
    env: Envelope,
    keys: Mapping[bytes, PublicKey],
    before: Root | None = None,
    before_keys: Mapping[bytes, PublicKey] | None = None,
) -> Root:
    """The root in ``env`` as the next after ``before`` (None: version 1), or ``Malformed``, or ``Refused``.

    ``keys`` and ``before_keys`` hold the key objects of the two versions. CHAIN names the field that does not
    follow; KEYS the key and why; THRESHOLD how many of which version signed. That version 1 is the one that the
    charter names, with its mode and party, is the caller's to compare: here the chain begins.
    """
    root = env.read("root", Root)
    _check_follows(root, before, None if before is None else sha256(pack(before)).digest())
    if root.threshold > len(root.keys):
        raise Refused("CHAIN", doc="root", field="threshold")
    _check_authority_keys(root, keys)
    if before is not None:
        if before.next and any(kid not in before.next for kid in root.keys if kid not in before.keys):
            raise Refused("KEYS", member="root", why="not announced")
        check_threshold(env, before, before_keys or {})
    check_threshold(env, root, keys)
    return root


def check_threshold(env: Envelope, root: Root, keys: Mapping[bytes, PublicKey]) -> frozenset[bytes]:
    """The root's keys that signed ``env``; ``Refused`` THRESHOLD if fewer than its threshold."""
    signed = env.verified(root.mode, {kid: keys[kid] for kid in root.keys if kid in keys})
    if len(signed) < root.threshold:
        raise Refused("THRESHOLD", party=root.party, version=root.ver, have=len(signed), need=root.threshold)
    return signed


def check_roster(
    env: Envelope,
    root: Root,
    root_hash: bytes,
    root_keys: Mapping[bytes, PublicKey],
    before: Admitted | None,
    blobs: Blobs,
    others: Iterable[PublicKey] = (),
) -> Admitted:
    """The roster in ``env`` as the next after ``before`` (None: version 1), or ``Malformed``, or ``Refused``.

    ``root`` is the party's current root, ``root_hash`` the payload hash of its version 1. ``blobs`` gives key objects
    and proofs by address. ``others`` are all keys known besides this chain's (other party, other mode): the ceremony
    tool and intake give them, the fold leaves a key of both parties to its own rule.

    CHAIN, THRESHOLD; MEMBER (names, seats, roles), RECORDS (not exactly one records key), KEYS (a key, and why).
    """
    roster = env.read("roster", Roster)
    _check_follows(roster, before.roster if before else None, before.hash if before else None)
    if (roster.mode, roster.party) != (root.mode, root.party):
        raise Refused("CHAIN", doc="roster", field="party")
    if roster.root_ver != root.ver:
        raise Refused("CHAIN", doc="roster", field="root_ver")
    check_threshold(env, root, root_keys)
    _check_members(roster)
    revoked = (before.revoked if before else frozenset()).union(roster.revoked)
    start = Admitted(
        roster=roster,
        hash=env.hash,
        root_hash=root_hash,
        members={},
        keys={},
        known=before.known if before else {},
        owners=before.owners if before else {},
        pops=before.pops if before else {},
        revoked=revoked,
    )
    foreign = _components(root_keys.values()) | _components(others)
    return _admit(start, roster.members, blobs, foreign)


def admit_kem(
    before: Admitted,
    kid_from: bytes,
    kid_new: bytes,
    pop: bytes,
    blobs: Blobs,
    others: Iterable[PublicKey] = (),
) -> Admitted:
    """``before`` with a member's seal key replaced, as a ``kem`` record asks, or ``Refused`` KEYS.

    ``kid_from`` is the member's signing key, ``pop`` the address of the new key's proof. The roster's own bytes and
    version stay; ``members`` and ``keys`` change, and the old key stays ``known``.
    """
    old = before.members.get(kid_from)
    if old is None or old.kid != kid_from or not old.kem:
        raise Refused("KEYS", member=kid_from.hex()[:16], why="not a member")
    if kid_new in before.keys:
        raise Refused("KEYS", member=_who(old), why="twice")
    own = [h for h in old.pop if before.pops[h].kid == kid_from]
    member = replace_fields(old, kem=(kid_new,), pop=(*own, pop))
    rest = {kid: m for kid, m in before.members.items() if m != old}
    start = replace(before, members=rest, keys={kid: before.keys[kid] for kid in rest})
    return _admit(start, (member,), blobs, _components(others))


def check_revoke(
    env: Envelope,
    admitted: Admitted,
    root: Root,
    root_keys: Mapping[bytes, PublicKey],
    barred: Collection[bytes] = (),
) -> Revoke:
    """The revocation in ``env``, signed by an operator of the roster or a key of the root; else ``Refused``.

    ``barred`` are kids that no longer hold where this one stands (revoked earlier, or void). Kids that are not, or not
    yet, of this party may be named: it only ever ends keys of its own.
    """
    revoke = env.read("revoke", Revoke)
    if (revoke.mode, revoke.party) != (root.mode, root.party):
        raise Refused("CHAIN", doc="revoke", field="party")
    if len(set(revoke.kids)) != len(revoke.kids):
        raise Refused("KEYS", member="revoke", why="twice")
    may = {kid: root_keys[kid] for kid in root.keys if kid in root_keys}
    may |= {m.kid: admitted.keys[m.kid] for m in admitted.roster.members if m.role == "operator"}
    gone = admitted.revoked.union(barred)
    if not env.verified(root.mode, {kid: key for kid, key in may.items() if kid not in gone}):
        raise Refused("REVOKER", party=root.party)
    return revoke


def _check_follows(next_: Root | Roster, before: Root | Roster | None, before_hash: bytes | None) -> None:
    """Version exactly one more, the hash of the one before (zeros for version 1), the same mode and party."""
    doc = "root" if isinstance(next_, Root) else "roster"
    wrong = (
        ("ver", next_.ver != (before.ver + 1 if before else 1)),
        ("prev", next_.prev != (before_hash or ZERO)),
        ("mode", before is not None and next_.mode != before.mode),
        ("party", before is not None and next_.party != before.party),
    )
    for name, fails in wrong:
        if fails:
            raise Refused("CHAIN", doc=doc, field=name)


def _check_authority_keys(root: Root, keys: Mapping[bytes, PublicKey]) -> None:
    if len(set(root.keys)) != len(root.keys):
        raise Refused("KEYS", member="root", why="twice")
    seen: set[bytes] = set()
    for kid in root.keys:
        key = keys.get(kid)
        if key is None or key.kid != kid:
            raise Refused("KEYS", member=kid.hex()[:16], why="missing")
        _check_fit(key, root.mode, suites.SIGN, kid.hex()[:16])
        if not seen.isdisjoint(key.components()):
            raise Refused("KEYS", member=kid.hex()[:16], why="shared")
        seen.update(key.components())


def _check_members(roster: Roster) -> None:
    """Names, seats, roles, and exactly one records key."""
    persons, seats = {p.id for p in roster.persons}, {s.id for s in roster.seats}
    if len(persons) != len(roster.persons) or len(seats) != len(roster.seats):
        raise Refused("MEMBER", member="roster", why="an id twice")
    places: set[str] = set()
    for m in roster.members:
        who = _who(m)
        if m.person not in persons or m.seat not in seats:
            raise Refused("MEMBER", member=who, why="not listed")
        if who in places:
            raise Refused("MEMBER", member=who, why="twice")
        places.add(who)
        exercise_only = m.role in EXERCISE_ROLES or m.played is not UNSET
        if (exercise_only and roster.mode != EXERCISE) or m.played is False:
            raise Refused("MEMBER", member=who, why="exercise only")
    if (count := sum(m.role == "records" and bool(m.kem) for m in roster.members)) != 1:
        raise Refused("RECORDS", count=count)


def _admit(start: Admitted, members: Iterable[Member], blobs: Blobs, foreign: Collection[bytes]) -> Admitted:
    """``start`` with these members and their keys and proofs, each of them checked."""
    by_kid, keys = dict(start.members), dict(start.keys)
    known, owners, pops = dict(start.known), dict(start.owners), dict(start.pops)
    for member in members:
        who, own = _who(member), dict[bytes, PublicKey]()
        for kid in (*member.sig, *member.kem):
            if kid in by_kid:
                raise Refused("KEYS", member=who, why="twice")
            if kid in start.revoked:
                raise Refused("KEYS", member=who, why="revoked")
            key = own[kid] = known.get(kid) or _read_key(kid, blobs, who)
            _check_fit(key, start.roster.mode, suites.SIGN if kid in member.sig else suites.SEAL, who)
            for part in key.components():
                if part in foreign or owners.setdefault(part, who) != who:
                    raise Refused("KEYS", member=who, why="shared")
            by_kid[kid] = member
        keys.update(own)
        known.update(own)
        pops.update(_proofs(start, member, own, blobs))
    return replace(start, members=by_kid, keys=keys, known=known, owners=owners, pops=pops)


def _proofs(start: Admitted, member: Member, keys: Mapping[bytes, PublicKey], blobs: Blobs) -> dict[bytes, Pop]:
    """The member's proofs by address: one for each of its keys, new ones verified, old ones compared."""
    claim = Claim(
        party=start.roster.party, root=start.root_hash, person=member.person, seat=member.seat, role=member.role
    )
    signer, found = keys[member.kid], dict[bytes, Pop]()
    for address in member.pop:
        pop = start.pops.get(address)
        if pop is None:
            raw = _blob(address, blobs, _who(member))  # not within the try: a source that has to wait is no refusal
            try:
                pop = check_pop(raw, claim, keys, signer)
            except Refused as e:
                raise Refused("KEYS", member=_who(member), why=e.values.get("why", e.code)) from e
        elif not says(pop, claim, keys, signer):
            raise Refused("KEYS", member=_who(member), why="not for this member")
        found[address] = pop
    if sorted(p.kid for p in found.values()) != sorted(keys) or len(member.pop) != len(keys):
        raise Refused("KEYS", member=_who(member), why="without proof")
    return found


def _read_key(kid: bytes, blobs: Blobs, who: str) -> PublicKey:
    try:
        return read_key(_blob(kid, blobs, who))
    except Malformed as e:
        raise Refused("KEYS", member=who, why="unreadable") from e


def _blob(address: bytes, blobs: Blobs, who: str) -> bytes:
    """A blob whose hash is its address: the source is not trusted."""
    blob = blobs(address)
    if blob is None or sha256(blob).digest() != address:
        raise Refused("KEYS", member=who, why="missing")
    return blob


def _check_fit(key: PublicKey, mode: int, suite: int, who: str) -> None:
    """The admission checks of one key, for the suite that its place asks for."""
    if key.suite != suite:
        raise Refused("KEYS", member=who, why="suite")
    try:
        check_key(key, mode)
    except Refused as e:
        raise Refused("KEYS", member=who, why=e.values.get("why", "mode")) from e


def _components(keys: Iterable[PublicKey]) -> frozenset[bytes]:
    return frozenset(part for key in keys for part in key.components())


def _who(member: Member) -> str:
    return f"{member.person}@{member.seat}"
