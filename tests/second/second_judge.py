"""One record's reason, by type and in order (docs/protocol.md 12.2, docs/state.md), and what a valid one changes."""

from __future__ import annotations

import itertools

from second_bytes import CONTEXT, SEAL, Bad, Envelope, media, read_key, signed_under
from second_keys import No, admitted, next_kem, next_root, next_roster, threshold
from second_level import enough
from second_notes import origin
from second_shapes import OPS, read

SENDERS = ("expert", "official", "duty", "operator")
RECEIVERS = ("expert", "official", "duty")
ALL = ("expert", "official", "duty", "operator", "records", "observer", "control", "evaluator")


def judge(fold, r):
    """The reason of a record, empty if it is valid; a valid one takes effect."""
    try:
        body(r)
    except Bad:
        return "PARSE"
    if r.astray:
        return "SEEN"
    if r.number and fold.leaves[r.p][fold.numbers[r.p][r.number][0]].reason and r.i != fold.numbers[r.p][r.number][0]:
        return "CHAIN"
    try:
        RULES.get(r.t, node)(fold, r)
    except No as e:
        return e.args[0]
    return ""


def body(r):
    """Envelope and document of a record, or the body of a node's."""
    if r.t.startswith("node."):
        r.doc = read(r.t, r.rec["env"])
        return
    r.env = Envelope(r.rec["env"])
    r.ph = r.env.ph
    if r.env.kind != media(r.t):
        raise Bad("another type")
    r.doc = read(r.t, r.env.payload)
    r.hdr = r.doc if r.t == "msg" else None


def demand(holds, reason):
    """A rule."""
    if not holds:
        raise No(reason)


# --- signers ----------------------------------------------------------------------------------------------------------------


def people(fold, r, kids, roles, *, here, mode=None):
    """MODE, CHAN, SIGNER, SIG for the members that have to sign, and exactly they."""
    own, other = fold.standings_of(r)
    good = r.env.signers(fold.mode, own.known)
    demand(mode in (None, fold.mode) and not crossing(fold, r, own, good), "MODE")
    demand(here, "CHAN")
    for kid in {*kids, *r.env.kids}:
        m = own.signer(kid)
        demand(m is not None and not fold.void(kid, own, other) and m["role"] in roles, "SIGNER")
    exact = kids and len(set(kids)) == len(kids) and set(kids) == set(r.env.kids) == good
    demand(exact, "SIG")
    r.signers = [own.members[k] for k in kids]
    demand(len({m["person"] for m in r.signers}) == len(r.signers), "SIG")


def crossing(fold, r, own, good):
    """Whether something of the signatures is of the other mode."""
    twins = {key.twin() for side in fold.sides for key in side.standings[-1].known.values()}
    for kid, sig in r.env.pairs:
        if kid in good:
            continue
        if kid in own.known:
            if signed_under(own.known[kid], CONTEXT[3 - fold.mode], r.env.message, sig):
                return True
        elif kid in twins:
            return True
        elif kid in r.rec["blobs"]:
            try:
                if read_key(fold.blob_for(r)(kid) or b"").mode != fold.mode:
                    return True
            except Bad:
                continue
    return False


def cooled(fold, r, policy):
    """Every signer's key was admitted long enough ago, in the other party's clock."""
    own = fold.standings_of(r)[0]
    for kid in r.env.kids:
        k = own.since.get(kid)
        if k is not None and k != 2 and policy["cooling"] and fold.waited(k, r) < policy["cooling"]:
            raise No("COOLING")


def fresh(fold, r):
    """No earlier valid record of the log has this payload."""
    demand(r.ph not in fold.sides[r.p].payloads, "DUP")


# --- messages ----------------------------------------------------------------------------------------------------------------


def msg(fold, r):
    h = r.hdr
    people(fold, r, [h["from"], *h.get("cosign", [])], SENDERS, here=h["chan"] == fold.chan)
    fold.by_mid.setdefault((r.p, h["from"], h["mid"]), set()).add(r.ph)
    own, other = fold.standings_of(r)
    policy = fold.policy_at((r.i, r.seen) if r.p == 0 else (r.seen, r.i))[0]
    cooled(fold, r, policy)
    recipients(fold, r, own, other, policy)
    fresh(fold, r)
    demand(h["mid"] not in fold.sides[r.p].mids, "DUP")
    demand(header_fits(fold, r, policy), "FMT")
    demand(references(fold, r), "REF")
    if why := fold.ladder.fault(r, policy):
        raise No(why)
    fold.ladder.messages.append(r)
    fold.messages[r.ph] = r
    fold.sides[r.p].mids[h["mid"]] = r


def recipients(fold, r, own, other, policy):
    """Each named seal key is current, or replaced within the grace; both records keys are named."""
    for kid in r.hdr["to"]:
        demand(
            any(
                seal_holds(fold, r, kid, mine, theirs, same, policy)
                for mine, theirs, same in ((own, other, True), (other, own, False))
            ),
            "KEM",
        )
    for mine in (own, other):
        officers = {m["sig"][0]: m["kem"][0] for m in mine.all() if m["role"] == "records" and m["kem"]}
        named = {*officers.values(), *(kid for kid, (_, signer) in mine.replaced.items() if signer in officers)}
        demand(named & set(r.hdr["to"]), "KEM")


def seal_holds(fold, r, kid, mine, theirs, same, policy):
    """Whether a seal key of one party may be named."""
    if kid not in mine.first or mine.ended(kid) or fold.void(kid, mine, theirs):
        return False
    m = mine.members.get(kid)
    if m is not None:
        return kid in m["kem"] and mine.signer(m["sig"][0]) is not None
    if kid not in mine.replaced:
        return False
    k, signer = mine.replaced[kid]
    return mine.signer(signer) is not None and within_grace(fold, r, k, same, policy)


def within_grace(fold, r, k, same, policy):
    """12.4, kem_ok."""
    grace = policy["limits"]["kem_grace"]
    if same:
        return fold.waited(k, r) <= grace
    if k >= r.seen:
        return True
    first = fold.receipt(1 - r.p, k, r.i)
    return first is None or r.ts - first.ts <= grace


def header_fits(fold, r, policy):
    """The FMT rules of a message."""
    h, limits = r.hdr, policy["limits"]
    level = next(x for x in policy["levels"] if x["code"] == h["level"])
    least = next(x for x in policy["levels"] if x["code"] == "crisis") if h.get("single") else level
    move, single = h.get("move"), h.get("single")
    rules = [
        r.rec["blobs"] == [h["blob"]], h["blen"] <= 3 * 1024 * 1024, h["suite"] == SEAL, len(h["to"]) <= limits["max_to"],
        rising(h["to"]), rising(h.get("cosign", [])), h["from"] not in h.get("cosign", []), h["prec"] == level["prec"],
        len(set(h.get("refs", []))) == len(h.get("refs", [])),
        "single" not in h or (single is True and h["fmt"] == "F13" and "cosign" not in h),
        "ans" not in h or h["fmt"] in ("F02", "F07"), "cor" not in h or h["fmt"] == "F14",
        h.get("ack_by", least["read"]) >= least["read"], h.get("reply_by", least["reply"]) >= least["reply"],
        (move is not None) == (h["fmt"] in ("F05", "F12")),
    ]  # fmt: skip
    if move is not None:
        rules.append((move["op"] == "close") == (h["fmt"] == "F05"))
        if move["op"] == "raise":
            rules.append({"from", "to"} <= move.keys())
        elif move["op"] in ("suspend", "resume"):
            rules.append(h["level"] == "routine")
        else:
            rules.append({"from", "at"} <= move.keys())
    return all(rules)


def rising(values):
    """Strictly."""
    return all(x < y for x, y in itertools.pairwise(values))


def references(fold, r):
    """The REF rules of a message."""
    h, refs = r.hdr, r.hdr.get("refs", [])
    for ph in refs:
        of = fold.messages.get(ph)
        if of is None and h["fmt"] == "F14":
            found = (side.payloads.get(ph) for side in fold.sides)
            of = next((x for x in found if x is not None and x.t in ("ack", "confirm", "watch") and below(r, x)), None)
        if of is None or not below(r, of):
            return False
    if (h["fmt"] in ("F02", "F07", "F14") and not refs) or (h["fmt"] == "F04" and "case" not in h):
        return False
    return h["fmt"] != "F07" or (refs[0] in fold.messages and fold.messages[refs[0]].hdr["fmt"] == "F06")


def below(r, of):
    """Whether ``r`` stands on ``of``."""
    return of.i < (r.i if of.p == r.p else r.seen)


# --- receipts, watch, exercise -----------------------------------------------------------------------------------------------


def ack(fold, r):
    d = r.doc
    people(fold, r, [d["from"]], RECEIVERS, here=d["chan"] == fold.chan)
    fresh(fold, r)
    demand(("next" not in d or d["step"] == "not-engaging") and ("why" not in d or d["step"] == "undecryptable"), "FMT")
    of = fold.messages.get(d["ph"])
    demand(of is not None and of.p != r.p and of.hdr["mid"] == d["mid"] and below(r, of), "REF")
    fold.acks.setdefault(of.ph, []).append(r)


def confirm(fold, r):
    d = r.doc
    people(fold, r, [d["from"]], SENDERS, here=d["chan"] == fold.chan)
    policy = fold.policy_at((r.i, r.seen) if r.p == 0 else (r.seen, r.i))[0]
    cooled(fold, r, policy)
    fresh(fold, r)
    of = fold.messages.get(d["ph"])
    good = of is not None and of.p == r.p and of.hdr["mid"] == d["mid"] and of.hdr.get("single") is True
    demand(good, "REF")
    demand(r.signers[0]["person"] != of.signers[0]["person"] and enough(r.signers, policy["sign"]["person"]), "SIGS")
    fold.confirms.setdefault(of.ph, r)


def watch(fold, r):
    d = r.doc
    people(fold, r, [d[x] for x in ("on", "off") if x in d], SENDERS, here=d["chan"] == fold.chan)
    fresh(fold, r)
    has = {x for x in ("on", "off") if x in d}
    demand(("on" in has) if d["op"] == "take" else has == ({"on", "off"} if d["op"] == "handover" else {"off"}), "FMT")
    own = fold.standings_of(r)[0]
    demand(d["seat"] in [s["id"] for s in own.roster["seats"]], "REF")
    side = fold.sides[r.p]
    holder = side.posts[d["seat"]][-1][1] if d["seat"] in side.posts else None
    if holder is not None and (own.signer(holder) is None or fold.void(holder, own, fold.standings_of(r)[1])):
        holder = None
    demand("on" not in d or own.members[d["on"]]["seat"] == d["seat"], "WATCH")
    if d["op"] == "take":
        if holder is not None or "off" in d:
            demand("off" in d and own.members[d["off"]]["role"] in ("official", "operator"), "WATCH")
    else:
        demand(d["off"] == holder, "WATCH")
    side.posts.setdefault(d["seat"], []).append((r.i, d.get("on")))


def exercise(fold, r):
    d = r.doc
    demand(fold.mode == 2, "MODE")
    roles = {"note": ("control", "evaluator"), "reveal": ("control", "records"), "real-world": ALL}.get(
        d["op"], ("control",)
    )
    people(fold, r, [d["from"]], roles, here=d["chan"] == fold.chan)
    fresh(fold, r)
    fields = set(OPS[d["op"]])
    demand(set(d) - {"v", "chan", "from", "op", "x", "ts"} == fields, "FMT")
    named = {"open": "scenario", "inject": "blob", "note": "blob"}.get(d["op"])
    demand(named is None or d[named] in r.rec["blobs"], "FMT")
    clock, host = fold.clock, fold.charter.get("host")
    state = clock["state"] if clock else ""
    if d["op"] in ("startex", "pause", "resume", "rate", "jump", "endex", "open"):
        allowed = {
            "startex": state == "", "pause": state == "running", "resume": state == "paused", "open": state == "ended",
        }.get(d["op"], state in ("running", "paused"))  # fmt: skip
        demand(host == fold.sides[r.p].code and allowed, "CLOCK")
    elif d["op"] in ("reveal", "shown"):
        demand(fold.ended_at is not None and below(r, fold.ended_at), "CLOCK")
    if d["op"] in ("startex", "pause", "resume", "rate", "jump", "endex"):
        after = {"startex": "running", "resume": "running", "pause": "paused", "endex": "ended"}.get(d["op"], state)
        fold.clock = {"state": after, "rate": d.get("rate", clock["rate"] if clock else 0), "x": d["x"], "ts": r.ts}
    if d["op"] == "endex":
        fold.ended_at = r


# --- keys and papers ---------------------------------------------------------------------------------------------------------


def of_party(fold, r):
    """MODE and CHAN of a party's own paper."""
    demand(r.doc["mode"] == fold.mode, "MODE")
    demand(r.doc["party"] == fold.sides[r.p].code, "CHAN")


def root(fold, r):
    of_party(fold, r)
    own = fold.standings_of(r)[0]
    keys = next_root(r.env, r.doc, own.root, own.root_hash, own.root_keys, fold.blob_for(r))
    new = own.copy()
    new.root, new.root_hash, new.root_keys, new.index = r.doc, r.ph, keys, r.i
    fold.sides[r.p].standings.append(new)


def roster(fold, r):
    of_party(fold, r)
    own, other = fold.standings_of(r)
    named = {k for m in r.doc["members"] for k in (*m["sig"], *m["kem"])}
    foreign = {h for k, key in other.known.items() if k not in named for h in key.halves()}
    new = next_roster(r.env, r.doc, own, fold.blob_for(r), foreign)
    fold.sides[r.p].standings.append(admitted(new, own, r.i))


def kem(fold, r):
    d = r.doc
    people(fold, r, [d["from"]], ALL, here=d["chan"] == fold.chan)
    fresh(fold, r)
    own, other = fold.standings_of(r)
    foreign = {h for k, key in other.known.items() if k != d["kid_new"] for h in key.halves()}
    new = next_kem(d, own, fold.blob_for(r), foreign)
    fold.sides[r.p].standings.append(admitted(new, own, r.i))


def revoke(fold, r):
    d, own = r.doc, fold.standings_of(r)[0]
    if r.env.kids and all(k in own.root["keys"] for k in r.env.kids):
        of_party(fold, r)
        demand(len(r.env.kids) == 1 and r.env.signers(fold.mode, own.root_keys), "SIG")
    else:
        people(fold, r, r.env.kids[:1], ("operator",), here=d["party"] == fold.sides[r.p].code, mode=d["mode"])
    fresh(fold, r)
    demand(len(set(d["kids"])) == len(d["kids"]), "FMT")
    new = own.copy()
    new.index = r.i
    new.revoked = {**dict.fromkeys(d["kids"], r.i), **own.revoked}
    fold.sides[r.p].standings.append(new)


def contacts(fold, r):
    d, side = r.doc, fold.sides[r.p]
    people(fold, r, r.env.kids[:1], ("operator",), here=d["party"] == side.code, mode=d["mode"])
    demand((d["ver"], d["prev"]) == (side.contacts[0] + 1, side.contacts[1]), "CHAIN")
    side.contacts = (d["ver"], r.ph)


def policy(fold, r):
    d, side = r.doc, fold.sides[r.p]
    demand(d["mode"] == fold.mode, "MODE")
    demand(d.get("chan") == fold.chan, "CHAN")
    ver, prev = (side.policies[-1][1]["ver"], side.policies[-1][2]) if side.policies else (1, fold.policy[1])
    demand((d["ver"], d["prev"]) == (ver + 1, prev), "CHAIN")
    for s in fold.standings_of(r):
        threshold(r.env, s.root, s.root_keys)
    demand(d["fold"] == 1 and {d["formats"], d["codes"]} <= set(r.rec["blobs"]) | side.named, "FMT")
    side.policies.append((r.i, d, r.ph))


def succeed(fold, r):
    d, own = r.doc, fold.standings_of(r)[0]
    demand(d["chan"] == fold.chan and d["party"] == fold.sides[r.p].code, "CHAN")
    first = r.number > 0 and r.i == fold.numbers[r.p][r.number][0]
    name = origin(fold.chan, "ab"[r.p], r.number - 1)
    demand(first and d["log_no"] == r.number and d["old_origin"] == name, "CHAIN")
    threshold(r.env, own.root, own.root_keys)


def charter(_fold, _r):
    raise No("OPEN")


# --- the nodes' own ----------------------------------------------------------------------------------------------------------


def node(fold, r):
    d = r.doc
    if r.t == "node.pin":
        demand(d["cert"] in r.rec["blobs"], "FMT")
    elif r.t == "node.gap":
        demand(d["lo"] < d["hi"] <= r.i and len(d["hashes"]) == d["hi"] - d["lo"], "FMT")
    elif r.t == "node.ack":
        demand(("state" in d) == ("at" in d), "FMT")
    elif r.t == "node.step":
        step(fold, r)


def step(fold, r):
    d, side = r.doc, fold.sides[r.p]
    place = (d["of"], d["receipt"], d["step"])
    of = fold.messages.get(d["of"])
    demand(place not in side.steps and of is not None, "STEP")
    if of.p == r.p:
        demand(d["reason"] == reason(fold, r, of), "STEP")
    else:
        copied = fold.sides[of.p].steps.get(place)
        demand(copied is not None and copied[0] < r.seen and copied[1] == d["reason"], "STEP")
    side.steps[place] = (r.i, d["reason"])


def reason(fold, r, of):
    """12.6: why a receipt is awaited."""
    if fold.receipt(of.p, of.i, r.seen) is None:
        return "LINK"
    steps = {a.doc["step"] for a in fold.acks.get(of.ph, []) if a.i < r.seen}
    if "not-engaging" in steps:
        return "NEN"
    if "read" in steps and not steps & {"engaged", "informed"}:
        return "READ"
    return "UNK" if steps or on_watch(fold, 1 - r.p, r.seen) else "POST"


def on_watch(fold, p, size):
    """Whether a valid key of a party holds a seat on a prefix."""
    standing = fold.sides[p].at(size)
    for posts in fold.sides[p].posts.values():
        held = [kid for i, kid in posts if i < size]
        if held and held[-1] is not None and standing.signer(held[-1]) is not None:
            return True
    return False


RULES = {
    "msg": msg, "ack": ack, "confirm": confirm, "watch": watch, "exercise": exercise, "root": root, "roster": roster, "kem": kem,
    "revoke": revoke, "contacts": contacts, "policy": policy, "succeed": succeed, "charter": charter,
}  # fmt: skip
