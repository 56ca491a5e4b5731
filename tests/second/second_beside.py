"""Reveals (docs/protocol.md 11.2 and 11.7), evidence (10) and proofs (16.3): what stands beside the fold."""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from second_archive import demand
from second_bytes import (
    EMPTY,
    Bad,
    Envelope,
    leaf_hash,
    media,
    pack,
    read_key,
    root_by_path,
    roots_by_path,
    sha,
    unpack,
)
from second_fold import Fold, Rec, Stuck
from second_judge import RECEIVERS, RULES, SENDERS, body, people
from second_keys import No
from second_notes import ED, ML, TIMED, Note
from second_shapes import COUNT, HASH, one, raw, read, read_record, shape, some, text

BUCKETS = (512, 2048, 8192, 32768, 131072, 524288)
KEY_TYPES = ("charter", "root", "roster", "policy", "kem", "revoke", "succeed")
PATH, RAW, STRENGTH = some(HASH), raw(), one("anchor", "quick")
BODIES = {
    "E1": shape(k=one("E1"), strength=STRENGTH, note1=RAW, note2=RAW),
    "E2": shape(k=one("E2"), strength=STRENGTH, note1=RAW, note2=RAW, path=PATH),
    "E3": shape(
        k=one("E3"),
        strength=STRENGTH,
        note1=RAW,
        note2=RAW,
        index=COUNT,
        leaf1=HASH,
        leaf2=HASH,
        path1=PATH,
        path2=PATH,
    ),
    "E4": shape(k=one("E4"), strength=STRENGTH, key=RAW, env1=RAW, env2=RAW),
    "E5": shape(k=one("E5"), strength=STRENGTH, note=RAW, record=RAW, index=COUNT, path=PATH, own=RAW, own_path=PATH),
    "E6": shape(k=one("E6"), strength=STRENGTH, name=text(), note1=RAW, note2=RAW, path=PATH),
}


# --- reveals -------------------------------------------------------------------------------------------------------------------


def revealed(reveal, payload, blob):
    """The fields that a reveal shows of a message, or ``Bad``."""
    if "cek" in reveal:
        return opened(payload, blob, reveal["cek"])
    if sha(*reveal["digests"]) != payload["bd"]:
        raise Bad("BD")
    for x in reveal["fields"]:
        if sha(x["salt"], pack(x["name"]), pack(x["value"])) not in reveal["digests"]:
            raise Bad("FIELD")
    return {x["name"]: x["value"] for x in reveal["fields"]}


def opened(payload, blob, cek):
    """The body of a message by its content key, checked in the order of 11.2."""
    if sha(blob) != payload["blob"] or len(blob) != payload["blen"]:
        raise Bad("BLOB")
    parts = unpack(blob)
    good = isinstance(parts, list) and len(parts) == 2 and isinstance(parts[0], bytes) and isinstance(parts[1], list)
    if not good or not all(
        isinstance(w, list) and len(w) == 2 and all(isinstance(x, bytes) for x in w) and len(w[0]) == 32
        for w in parts[1]
    ):
        raise Bad("BLOB")
    if [kid for kid, _ in parts[1]] != payload["to"]:
        raise Bad("WRAPS")
    hh = sha(b"dcx/v1/hdr\0", pack({k: v for k, v in payload.items() if k not in ("kc", "bd", "blob", "blen")}))
    prk = hmac.digest(hh, cek, "sha256")
    kenc, kc = (HKDFExpand(hashes.SHA256(), 32, info).derive(prk) for info in (b"dcx/v1 enc", b"dcx/v1 commit"))
    if not hmac.compare_digest(kc, payload["kc"]):
        raise Bad("KC")
    try:
        pt = AESGCM(kenc).decrypt(bytes(12), parts[0], hh)
    except InvalidTag as e:
        raise Bad("SEALED") from e
    length = int.from_bytes(pt[:4], "big")
    if (
        len(pt) not in BUCKETS
        or 4 + length > len(pt)
        or any(pt[4 + length :])
        or next(b for b in BUCKETS if 4 + length <= b) != len(pt)
    ):
        raise Bad("PADDING")
    inner = unpack(pt[4 : 4 + length])
    if (
        not isinstance(inner, dict)
        or not isinstance(inner.get("body"), dict)
        or not isinstance(inner.get("salts"), dict)
    ):
        raise Bad("INNER")
    made, salts = inner.pop("body"), inner.pop("salts")
    if inner != {k: payload[k] for k in ("chan", "from", "mid", "to")}:
        raise Bad("NAMES")
    if salts.keys() != made.keys() or not all(isinstance(s, bytes) and len(s) == 16 for s in salts.values()):
        raise Bad("SALTS")
    if sha(*sorted(sha(salts[n], pack(n), pack(v)) for n, v in made.items())) != payload["bd"]:
        raise Bad("BD")
    return made


# --- evidence -------------------------------------------------------------------------------------------------------------------


def proves(d, chan, mode, logs, cosigners):
    """The kind that a body of evidence proves, or nothing."""
    try:
        k = d.get("k")
        if k not in BODIES or not BODIES[k](d):
            return ""
        return k if _PROOFS[k](d, chan, mode, logs, cosigners) == d["strength"] else ""
    except (Bad, KeyError, ValueError):
        return ""


def _log_note(raw_note, logs):
    note = Note(raw_note)
    said = note.of_log(logs[note.origin])
    if ED not in said:
        raise Bad("not the log's")
    return note, ML in said


def _pair(d, logs):
    (one_, strong1), (two, strong2) = (_log_note(d[x], logs) for x in ("note1", "note2"))
    if one_.origin != two.origin:
        raise Bad("two logs")
    return one_, two, "anchor" if strong1 and strong2 else "quick"


def _forked(one_, two, path):
    first, second = roots_by_path(one_.size, two.size, path)
    if second != two.root or first == one_.root:
        raise Bad("no fork")


def _e1(d, _chan, _mode, logs, _cosigners):
    one_, two, strength = _pair(d, logs)
    return strength if one_.size == two.size and one_.root != two.root else ""


def _e2(d, _chan, _mode, logs, _cosigners):
    one_, two, strength = _pair(d, logs)
    _forked(one_, two, d["path"])
    return strength


def _e3(d, _chan, _mode, logs, _cosigners):
    one_, two, strength = _pair(d, logs)
    for note, x in ((one_, "1"), (two, "2")):
        if root_by_path(d[f"leaf{x}"], d["index"], note.size, d[f"path{x}"]) != note.root:
            raise Bad("not in the tree")
    return strength if d["leaf1"] != d["leaf2"] else ""


def _e4(d, chan, mode, _logs, _cosigners):
    key, payloads = read_key(d["key"]), []
    for x in ("env1", "env2"):
        env = Envelope(d[x])
        if env.kind != media("msg") or key.kid not in env.signers(mode, {key.kid: key}):
            raise Bad("not signed")
        m = read("msg", env.payload)
        if m["chan"] != chan or m["from"] != key.kid:
            raise Bad("not of this channel and key")
        payloads.append((m["mid"], env.payload))
    return "anchor" if payloads[0][0] == payloads[1][0] and payloads[0][1] != payloads[1][1] else ""


def _e5(d, _chan, _mode, logs, _cosigners):
    (theirs, strong1), (own, strong2) = (_log_note(d[x], logs) for x in ("note", "own"))
    if root_by_path(leaf_hash(d["record"]), d["index"], theirs.size, d["path"]) != theirs.root:
        raise Bad("not in the tree")
    number, size, root = read_record(d["record"])["seen"]
    scheme, chan, letter, _ = theirs.origin.split("/")
    if own.origin != f"{scheme}/{chan}/{'b' if letter == 'a' else 'a'}/{number}":
        raise Bad("not the log that was seen")
    if size in (0, own.size):
        if d["own_path"]:
            raise Bad("a path too many")
        had = own.root if size else EMPTY
    else:
        had, new = roots_by_path(size, own.size, d["own_path"])
        if new != own.root:
            raise Bad("not the own tree")
    return ("anchor" if strong1 and strong2 else "quick") if had != root else ""


def _e6(d, _chan, _mode, _logs, cosigners):
    notes = [Note(d[x]) for x in ("note1", "note2")]
    said = [n.of_cosigner(d["name"], cosigners[d["name"]]) for n in notes]
    if not all(TIMED in x for x in said) or notes[0].origin != notes[1].origin:
        raise Bad("not the cosigner's")
    if notes[0].size == notes[1].size:
        if notes[0].root == notes[1].root or d["path"]:
            raise Bad("they agree")
    else:
        _forked(*notes, d["path"])
    return "anchor" if all(ML in x for x in said) else "quick"


_PROOFS = {"E1": _e1, "E2": _e2, "E3": _e3, "E4": _e4, "E5": _e5, "E6": _e6}


# --- form proof -----------------------------------------------------------------------------------------------------------------


class Given(Fold):
    """The records of a proof, judged as 16.3 says; positions are joined ones, with gaps."""

    def __init__(self, file):
        super().__init__(file.chan, file.blobs)
        self.file, self.refused = file, []
        for p, x in enumerate("ab"):
            for log in file.logs[x]:
                self.numbers[p].append((log.start, None))
                for index in sorted(log.records):
                    self.leaves[p].append(Rec(p, log.start + index, log.number, log.records[index]))
        for p in (0, 1):
            self._lay(p)

    def _lay(self, p):
        before, ts = 0, 0
        for r in self.leaves[p]:
            demand(r.rec is not None and (r.t in KEY_TYPES or r.t in ("msg", "ack", "confirm")), "proof")
            number, size, root = r.rec["seen"]
            logs = self.file.logs["ba"[p]]
            demand(number < len(logs) and (number < len(logs) - 1 or size <= logs[number].size), "proof")
            of = logs[number]
            right = size <= of.size and (size != of.size or root == of.root) and (size or root == EMPTY)
            position = of.start + size
            r.astray = not right or position < before or r.rec["ts"] < ts
            if not r.astray:
                before, ts = position, r.rec["ts"]
            r.seen, r.ts = before, ts

    def run(self):
        """Judge all; a record of keys that is refused is ``Wrong``."""
        heads = [x[:4] for x in self.leaves]
        good = all([r.i for r in x] == [0, 1, 2, 3] and not any(r.astray for r in x) for x in heads)
        demand(good, "proof")
        try:
            self._judge_opening(heads)
        except (No, Bad, Stuck) as e:
            demand(str(e) == "never", "proof")
        self.opened = True
        at = [0, 0]
        while any(at[p] < len(self.leaves[p]) for p in (0, 1)):
            p = next((p for p in (0, 1) if self._ready(at, p)), None)
            demand(p is not None, "proof")
            r = self.leaves[p][at[p]]
            if at[p] >= 4:
                self._one(r)
            self._take(r)
            at[p] += 1

    def _ready(self, at, p):
        if at[p] >= len(self.leaves[p]):
            return False
        rest = self.leaves[1 - p][at[1 - p] :]
        return not rest or rest[0].i >= self.leaves[p][at[p]].seen

    def _one(self, r):
        try:
            body(r)
            if r.astray:
                raise No("SEEN")
            if r.t in KEY_TYPES:
                RULES[r.t](self, r)
            else:
                getattr(self, f"_{r.t}")(r)
        except (Bad, No) as e:
            r.reason = "PARSE" if isinstance(e, Bad) else e.args[0]
            demand(r.t not in KEY_TYPES, "proof")
            self.refused.append(r)

    def _msg(self, r):
        h = r.hdr
        people(self, r, [h["from"], *h.get("cosign", [])], SENDERS, here=h["chan"] == self.chan)
        if any(o.p == r.p and o.hdr["mid"] == h["mid"] for o in self.messages.values()):
            raise No("DUP")
        if r.rec["blobs"] != [h["blob"]]:
            raise No("FMT")
        self.messages[r.ph] = r

    def _ack(self, r):
        people(self, r, [r.doc["from"]], RECEIVERS, here=r.doc["chan"] == self.chan)
        self._of(r, own=False)
        self.acks.setdefault(r.doc["ph"], []).append(r)

    def _confirm(self, r):
        people(self, r, [r.doc["from"]], SENDERS, here=r.doc["chan"] == self.chan)
        of = self._of(r, own=True)
        if of.hdr.get("single") is not True:
            raise No("REF")
        if of.signers[0]["person"] == r.signers[0]["person"]:
            raise No("SIGS")
        self.confirms.setdefault(of.ph, r)

    def _of(self, r, *, own):
        of = self.messages.get(r.doc["ph"])
        if of is None or (of.p == r.p) != own or of.hdr["mid"] != r.doc["mid"] or of.i >= (r.i if own else r.seen):
            raise No("REF")
        return of

    def receipt(self, p, i, size=None):
        """The first record given of the other side that has seen a record."""
        return next((r for r in self.leaves[1 - p] if r.seen > i and not r.astray), None)
