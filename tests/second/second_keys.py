"""Who may sign: roots, rosters, proofs, seal keys, revocations (docs/protocol.md section 4 and appendix E.4)."""

from __future__ import annotations

from second_bytes import SEAL, SIGN, ZERO, Bad, Envelope, lawful, media, read_key, sha
from second_shapes import read


class No(Exception):
    """A rule is against a document; the argument is the reason."""


class Standing:
    """A party after a record: its root, its roster with later seal keys, and all that it ever admitted."""

    def __init__(self, root, root_hash, first_root, root_keys):
        self.index = 2
        self.root, self.root_hash, self.first_root, self.root_keys = root, root_hash, first_root, root_keys
        self.roster, self.roster_hash = None, ZERO
        self.members = {}  # key id -> member, of both kinds of key
        self.known = {}  # key id -> Key, ever admitted
        self.owners = {}  # raw half -> person@seat, ever
        self.proofs = {}  # address -> proof, ever verified
        self.dropped = frozenset()  # key ids that any roster named in revoked
        self.revoked = {}  # key id -> index of the revoke record
        self.first, self.since = {}, {}
        self.ends = {}  # key id -> index of the record that revoked or dropped it
        self.replaced = {}  # seal key id -> (index, the member's signing key id)

    def copy(self):
        """The same, to be changed."""
        other = Standing.__new__(Standing)
        other.__dict__.update(
            {
                k: dict(v) if isinstance(v, dict) and k != "root" and k != "roster" else v
                for k, v in self.__dict__.items()
            }
        )
        return other

    def ended(self, kid):
        """Whether a key was revoked."""
        return kid in self.revoked or kid in self.dropped

    def signer(self, kid):
        """The member who signs with a key now."""
        m = self.members.get(kid)
        return m if m is not None and m["sig"][0] == kid and not self.ended(kid) else None

    def all(self):
        """The members, each once."""
        return list({m["sig"][0]: m for m in self.members.values()}.values())


def keys_of(kids, blob):
    """Key objects by their ids."""
    return {kid: _key(kid, blob) for kid in kids}


def _key(kid, blob):
    raw = blob(kid)
    if raw is None or sha(raw) != kid:
        raise No("KEYS")
    try:
        return read_key(raw)
    except Bad as e:
        raise No("KEYS") from e


def threshold(env, root, keys):
    """Enough distinct keys of a root signed."""
    if len(env.signers(root["mode"], {k: keys[k] for k in root["keys"] if k in keys})) < root["threshold"]:
        raise No("SIG")


def next_root(env, d, before, before_hash, before_keys, blob):
    """The keys of a root that follows; rule 1."""
    follows = (d["ver"], d["prev"]) == ((before["ver"] + 1, before_hash) if before else (1, ZERO))
    if not follows or (before and (d["mode"], d["party"]) != (before["mode"], before["party"])):
        raise No("CHAIN")
    if d["threshold"] > len(d["keys"]):
        raise No("CHAIN")
    if len(set(d["keys"])) != len(d["keys"]):
        raise No("KEYS")
    keys, halves = keys_of(d["keys"], blob), set()
    for key in keys.values():
        if key.mode != d["mode"] or key.suite != SIGN or not lawful(key.suite, key.raw) or halves & set(key.halves()):
            raise No("KEYS")
        halves |= set(key.halves())
    if before and before["next"] and any(k not in before["next"] for k in d["keys"] if k not in before["keys"]):
        raise No("KEYS")
    if before:
        threshold(env, before, before_keys)
    threshold(env, d, keys)
    return keys


def next_roster(env, d, own, blob, foreign):
    """The standing with a roster that follows; rule 2. ``foreign``: halves of different keys of the other party."""
    before = own.roster
    follows = (d["ver"], d["prev"]) == ((before["ver"] + 1, own.roster_hash) if before else (1, ZERO))
    if (
        not follows
        or (d["mode"], d["party"]) != (own.root["mode"], own.root["party"])
        or d["root_ver"] != own.root["ver"]
    ):
        raise No("CHAIN")
    threshold(env, own.root, own.root_keys)
    persons, seats = [x["id"] for x in d["persons"]], [x["id"] for x in d["seats"]]
    places = [(m["person"], m["seat"]) for m in d["members"]]
    if any(len(set(x)) != len(x) for x in (persons, seats, places)):
        raise No("KEYS")
    for m in d["members"]:
        if m["person"] not in persons or m["seat"] not in seats or m.get("played") is False:
            raise No("KEYS")
        if d["mode"] == 1 and (m["role"] in ("control", "evaluator") or "played" in m):
            raise No("KEYS")
    if sum(m["role"] == "records" and bool(m["kem"]) for m in d["members"]) != 1:
        raise No("KEYS")
    new = own.copy()
    new.roster, new.roster_hash, new.members = d, env.ph, {}
    new.dropped = own.dropped | set(d["revoked"])
    barred = foreign | {h for k in own.root_keys.values() for h in k.halves()}
    for m in d["members"]:
        admit(new, m, blob, barred)
    return new


def next_kem(d, own, blob, foreign):
    """The standing with a member's seal key replaced; rule 4."""
    m = own.members.get(d["from"])
    if (
        m is None
        or m["sig"][0] != d["from"]
        or m["kem"] != [d["kid_old"]]
        or d["kid_new"] in own.members
        or own.ended(d["kid_new"])
    ):
        raise No("KEYS")
    new = own.copy()
    proofs = [h for h in m["pop"] if own.proofs[h]["kid"] == d["from"]]
    new.members = {k: x for k, x in own.members.items() if x is not m}
    barred = foreign | {h for k in own.root_keys.values() for h in k.halves()}
    admit(new, {**m, "kem": [d["kid_new"]], "pop": [*proofs, d["pop"]]}, blob, barred)
    return new


def admit(new, m, blob, barred):
    """One member's keys and proofs."""
    who, own = f"{m['person']}@{m['seat']}", {}
    for kid, suite in [(m["sig"][0], SIGN), *((k, SEAL) for k in m["kem"])]:
        if kid in new.members or kid in new.dropped:
            raise No("KEYS")
        key = new.known.get(kid) or _key(kid, blob)
        if key.suite != suite or key.mode != new.root["mode"] or not lawful(suite, key.raw):
            raise No("KEYS")
        for half in key.halves():
            if half in barred or new.owners.setdefault(half, who) != who:
                raise No("KEYS")
        own[kid] = key
        new.members[kid] = m
        new.known[kid] = key
    found = []
    for address in m["pop"]:
        proof = new.proofs.get(address) or _proof(address, blob, own[m["sig"][0]])
        said = {
            "mode": new.root["mode"],
            "party": new.root["party"],
            "root": new.first_root,
            "person": m["person"],
            "seat": m["seat"],
            "role": m["role"],
        }
        if (
            any(proof[k] != v for k, v in said.items())
            or proof["kid"] not in own
            or ("opened" in proof) == (proof["kid"] == m["sig"][0])
        ):
            raise No("KEYS")
        new.proofs[address] = proof
        found.append(proof["kid"])
    if sorted(found) != sorted(own):
        raise No("KEYS")


def _proof(address, blob, signer):
    raw = blob(address)
    if raw is None or sha(raw) != address:
        raise No("KEYS")
    try:
        env = Envelope(raw)
        if env.kind != media("pop"):
            raise Bad("another type")
        proof = read("pop", env.payload)
    except Bad as e:
        raise No("KEYS") from e
    if env.kids != [signer.kid] or not env.signers(signer.mode, {signer.kid: signer}):
        raise No("KEYS")
    return proof


def admitted(new, old, index):
    """Note where keys came in, went out and were replaced."""
    new.index = index
    before = old.members if old else {}
    for kid in new.members:
        new.first.setdefault(kid, index)
        if kid not in before:
            new.since[kid] = index
            new.ends.pop(kid, None)
            new.replaced.pop(kid, None)
    for kid, m in before.items():
        if kid not in new.members:
            new.since.pop(kid, None)
            new.ends.setdefault(kid, index)
            if kid in m["kem"] and m["sig"][0] in new.members:
                new.replaced[kid] = (index, m["sig"][0])
    for kid in new.dropped:
        if kid in new.first:
            new.ends.setdefault(kid, index)
    return new
