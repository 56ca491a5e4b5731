"""What every document and record looks like: appendix E.1 and E.2 of docs/protocol.md, as tables."""

from __future__ import annotations

import itertools
import re
import unicodedata

from second_bytes import Bad, unpack

LEVELS = ("routine", "attention", "consultation", "serious", "crisis", "principals")
SHARED = {
    "charter", "policy", "root", "roster", "contacts", "revoke", "kem", "msg", "ack", "confirm", "watch", "succeed", "exercise",
    *(f"node.{x}" for x in ("boot", "ack", "gap", "evidence", "pin", "test", "echo", "step", "alarm")),
}  # fmt: skip


def text(pattern="", least=0, most=10**9):
    """A text that a pattern matches whole, of so many characters."""
    return lambda v: (
        isinstance(v, str) and least <= len(v) <= most and (not pattern or re.fullmatch(pattern, v, re.ASCII))
    )


def whole(least=0, most=2**64):
    """An int within bounds."""
    return lambda v: type(v) is int and least <= v <= most


def raw(length=None):
    """Bytes, of exactly so many if said."""
    return lambda v: isinstance(v, bytes) and (length is None or len(v) == length)


def one(*values):
    """One of these values, and of their type."""
    return lambda v: any(type(v) is type(x) and v == x for x in values)


def some(item, least=0, most=10**9):
    """An array."""
    return lambda v: isinstance(v, list) and least <= len(v) <= most and all(item(x) for x in v)


def row(*items):
    """An array of exactly these."""
    return lambda v: isinstance(v, list) and len(v) == len(items) and all(f(x) for f, x in zip(items, v, strict=False))


def shape(**fields):
    """A map of exactly these fields; one whose name ends with _ may be left out."""
    need = {k: f for k, f in fields.items() if not k.endswith("_")}
    may = {k.rstrip("_"): f for k, f in fields.items() if k.endswith("_") and not k.endswith("__")}
    need |= {k[:-2]: f for k, f in fields.items() if k.endswith("__")}  # from__: Python keeps the word for itself
    need = {k: f for k, f in need.items() if not k.endswith("_")}

    def fits(v):
        if not isinstance(v, dict) or not need.keys() <= v.keys() or not v.keys() <= need.keys() | may.keys():
            return False
        return all((need.get(k) or may[k])(x) for k, x in v.items())

    return fits


def rising(f):
    """An array of bytes or ints in strictly rising order."""
    return lambda v: f(v) and all(x < y for x, y in itertools.pairwise(v))


def name(v):
    """1 to 200 characters, NFC, nothing of Cc or Cf."""
    good = isinstance(v, str) and 1 <= len(v) <= 200 and unicodedata.is_normalized("NFC", v)
    return good and not any(unicodedata.category(c) in ("Cc", "Cf") for c in v)


def boolean(v):
    """true or false."""
    return isinstance(v, bool)


def doc(**fields):
    """A signed document: v 1 and its fields."""
    return shape(v=one(1), **fields)


HASH, B16, TIME, COUNT, VER, SEC = raw(32), raw(16), whole(), whole(), whole(1), whole(0, 2**32 - 1)
MODE, PARTY, ID = one(1, 2), text("[A-Z]{2,8}"), text("[a-z0-9][a-z0-9._-]{0,63}")
CODE, WORD, LANG = text("[A-Za-z][A-Za-z0-9-]{0,31}"), text("[a-z][a-z0-9-]{0,31}"), one("en", "zh")
NAMES, NOTEKEYS = shape(en=name, zh=name), shape(ed=raw(32), ml=raw(1312))
ROLE = one("expert", "official", "duty", "operator", "records", "observer", "control", "evaluator")
LEVEL, ANSWER = one(*LEVELS), one("YES", "NO", "NOI", "CHK", "NOT", "CNC", "NEN", "REF")
LISTED = shape(id=ID, en=name, zh=name)
SLOTS = some(some(text(r"[a-z]+(@[a-z0-9][a-z0-9._-]{0,63})?"), 1, 8), 1, 4)
MEMBER = shape(
    person=ID, seat=ID, role=ROLE, standing=one("government", "designated expert", "informal"), sig=some(HASH, 1, 1),
    kem=some(HASH, 0, 1), langs=some(LANG, 1, 2), pop=some(HASH), played_=boolean,
)  # fmt: skip
PARTY_OF = shape(
    code=PARTY, name=NAMES, lang=LANG, root=HASH, roster=HASH, log=NOTEKEYS, side=NOTEKEYS, cos=NOTEKEYS, cert=HASH
)
LEVEL_ROW = shape(
    code=LEVEL,
    prec=one("Z", "O", "P", "R"),
    enter=SLOTS,
    lower=SLOTS,
    read=SEC,
    engaged_=SEC,
    informed_=SEC,
    reply=SEC,
    update_=SEC,
)
LIMITS = shape(
    max_body=whole(1, 524288), max_to=whole(2, 20), kem_grace=COUNT, draft_ttl=SEC, link_window=COUNT, confirm_s=SEC,
    rate_msg=COUNT, rate_peer=COUNT,
)  # fmt: skip
TIMERS = shape(hb_s=VER, stale_s=VER, cosign_s=VER, test_s=VER, steps=some(whole(1, 10000), 4, 4))
MOVE = shape(
    op=one("raise", "lower", "concur", "object", "suspend", "resume", "close"),
    from_=LEVEL,
    to_=LEVEL,
    at_=row(COUNT, COUNT),
)
HEADER = {
    "chan": HASH, "from__": HASH, "mid": B16, "ts": TIME, "prev": HASH, "suite": whole(1, 65535), "to": some(HASH, 1, 20),
    "fmt": one(*(f"F{n:02}" for n in range(1, 15))), "case_": HASH, "level": LEVEL, "prec": one("Z", "O", "P", "R"),
    "status": one("message", "test", "system"), "refs_": some(HASH, 1, 16), "lang": LANG, "ack_by_": SEC, "reply_by_": SEC,
    "tlp_": one("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR"), "pap_": one("RED", "AMBER", "GREEN", "CLEAR"),
    "cosign_": some(HASH, 1, 3), "single_": boolean, "move_": MOVE, "ans_": ANSWER,
    "cor_": one("COR", "WDR", "DUP", "ERR", "MIX", "CMP", "DUR"),
}  # fmt: skip
SEALED = {"id": ID, "to": some(HASH, 1, 20), "suite": whole(-(2**63)), "kc": HASH, "blob": HASH, "blen": COUNT}
RATE = whole(1, 1000)
OPS = {
    "startex": {"rate": RATE, "scenario": HASH}, "pause": {}, "resume": {}, "rate": {"rate": RATE}, "jump": {}, "endex": {},
    "open": {"salt": HASH, "scenario": HASH}, "inject": SEALED, "note": SEALED, "reveal": {"mid": B16, "cek": HASH},
    "shown": {"list": some(lambda v: True)}, "real-world": {},
}  # fmt: skip
_ANY_OP = {k: f for fields in OPS.values() for k, f in fields.items()}
RECORD = doc(
    t=text(r"[a-z]{2,16}(\.[a-z]{2,16})?"), ts=TIME, seen=row(COUNT, COUNT, HASH), blobs=rising(some(HASH)), env=raw()
)
DOCUMENTS = {
    "root": doc(mode=MODE, party=PARTY, ver=VER, prev=HASH, keys=some(HASH), threshold=whole(2), next=some(HASH), soft_exp=TIME, hard_exp=TIME),
    "roster": doc(
        mode=MODE, party=PARTY, ver=VER, prev=HASH, root_ver=VER, persons=some(LISTED), seats=some(LISTED), members=some(MEMBER),
        revoked=some(HASH), soft_exp=TIME, hard_exp=TIME,
    ),
    "pop": doc(mode=MODE, party=PARTY, root=HASH, kid=HASH, person=ID, seat=ID, role=ROLE, nonce=B16, opened_=HASH),
    "contacts": doc(mode=MODE, party=PARTY, ver=VER, prev=HASH, ts=TIME, list=some(shape(kind=WORD, en=name, zh=name, addr=name, hours_=name))),
    "revoke": doc(mode=MODE, party=PARTY, kids=some(HASH, 1), reason=WORD, ts=TIME),
    "charter": doc(
        mode=MODE, title=NAMES, parties=some(PARTY_OF, 2, 2), suites=rising(some(whole(1, 65535), 1, 16)), host_=PARTY, policy=HASH,
        nonce_a=HASH, nonce_b=HASH, created=TIME, supersedes=HASH,
    ),
    "policy": doc(
        mode=MODE, ver=VER, prev=HASH, chan_=HASH, fold=VER, levels=some(LEVEL_ROW, 6, 6),
        sign=shape(line=SLOTS, person=SLOTS, expert=SLOTS, two=SLOTS, official=SLOTS), holding=some(ANSWER), formats=HASH, codes=HASH,
        limits=LIMITS, categories=some(text("[A-Z0-9]{2,8}")), cooling=COUNT, timers=TIMERS,
        witnesses=some(shape(name=text("", 1, 200), vkey=text("", 0, 4096))), quorum=COUNT,
    ),
    "succeed": doc(
        chan=HASH, party=PARTY, old_origin=text("", 0, 80), final=shape(size=COUNT, root=HASH), note=raw(), log_no=VER, log=NOTEKEYS,
        side=NOTEKEYS, cos=NOTEKEYS, reason=WORD,
    ),
    "kem": doc(chan=HASH, from__=HASH, kid_old=HASH, kid_new=HASH, pop=HASH, ts=TIME),
    "msg": doc(**HEADER, kc=HASH, bd=HASH, blob=HASH, blen=VER),
    "ack": doc(
        chan=HASH, from__=HASH, mid=B16, ph=HASH, next_=TIME, why_=CODE, ts=TIME,
        step=one("read", "engaged", "informed", "not-engaging", "no-comment", "undecryptable"),
    ),
    "confirm": doc(chan=HASH, from__=HASH, mid=B16, ph=HASH, ts=TIME),
    "watch": doc(chan=HASH, seat=ID, op=one("take", "handover", "leave"), on_=HASH, off_=HASH, ts=TIME),
    "exercise": doc(chan=HASH, from__=HASH, op=one(*OPS), x=TIME, ts=TIME, **{f"{k}_": f for k, f in _ANY_OP.items()}),
    "node.boot": shape(impl=text("", 0, 64), wall=TIME, why=one("start", "jump", "confirmed")),
    "node.ack": shape(side_=HASH, state_=HASH, at_=row(COUNT, COUNT)),
    "node.gap": shape(lo=COUNT, hi=COUNT, hashes=some(HASH)),
    "node.evidence": lambda v: isinstance(v, dict) and v.get("k") in ("E1", "E2", "E3", "E4", "E5", "E6", "E7"),
    "node.pin": shape(cert=HASH, from__=TIME),
    "node.test": shape(id=B16, path=text("", 0, 64), t1=TIME),
    "node.echo": shape(id=B16, t1=TIME, t2=TIME, t3=TIME, t4_=TIME),
    "node.step": shape(
        of=HASH, receipt=one("stored", "read", "engaged", "informed", "reply"), step=whole(1, 4), reason=one("LINK", "NEN", "POST", "READ", "UNK")
    ),
    "node.alarm": shape(code=text("[A-Z][A-Z0-9_]{1,31}"), count=VER, ref_=HASH),
}  # fmt: skip


def read(t, payload):
    """The document of a type, or ``Bad``."""
    value = unpack(payload)
    if not DOCUMENTS[t](value) or not _hangs_together(t, value):
        raise Bad(f"no {t}")
    return value


def _hangs_together(t, d):
    if t == "charter":
        codes = [p["code"] for p in d["parties"]]
        return codes[0] < codes[1] and ("host" not in d or (d["mode"] == 2 and d["host"] in codes))
    if t == "policy":
        return tuple(x["code"] for x in d["levels"]) == LEVELS and ("chan" in d) == (d["ver"] > 1)
    return True


def read_record(raw_bytes):
    """A record, or ``Bad``: then it is an opaque leaf."""
    if len(raw_bytes) > 65535:
        raise Bad("too long")
    value = unpack(raw_bytes)
    if not RECORD(value):
        raise Bad("no record")
    return value
