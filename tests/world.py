"""Two seeded parties with their authorities, members and logs: the ground that tests of the protocol stand on.

    world = World(mode=2)
    first = world.send("a", "expert1")                      # opens a case at attention, seen by all that follows
    world.ack("b", "expert1", first)
    fold = world.fold()

Everything is really signed; keys and the opening are made once per process. Bodies are not sealed: a message names the
hash of random bytes, which the fold never opens. Seats: expert1, expert2, official, principal, duty, operator, records,
and in mode 2 control and evaluator. ``seen`` is a joined size of the other log; by default all that stands there.
``small=True`` gives the smallest lawful channel: two authority keys, an expert without a seal key, the records officer,
and the least format book that can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256, shake_256
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from channel.protocol.book import NEEDED, NEEDED_LABELS, NEEDED_SENTENCES
from channel.protocol.charter import Charter, CharterParty, Final, NoteKeys, Policy, Succeed
from channel.protocol.defaults import default_policy
from channel.protocol.fold import Fold
from channel.protocol.founding import Founding, FoundingParty
from channel.protocol.header import Header, Move, Payload, payload_of
from channel.protocol.merkle import EMPTY, Frontier, leaf_hash
from channel.protocol.note import NotePrivate, origin
from channel.protocol.people import Ack, Confirm, Exercise, Kem, Watch
from channel.protocol.record import Record
from keys import suites
from keys.codec import pack
from keys.documents import Member, Named, Revoke, Root, Roster
from keys.envelope import Envelope, media_type, pae, sign
from keys.identity import CONTEXT, PrivateKey
from keys.pop import Claim, make_kem_pop, make_pop
from keys.shapes import ZERO, TwoNames

START = 1_795_478_400_000  # 2026-11-24 00:00 UTC
YEAR = 31_536_000_000
CODES = {"a": "CN", "b": "US"}
SEATS = {
    "expert1": "expert",
    "expert2": "expert",
    "official": "official",
    "principal": "official",
    "duty": "duty",
    "operator": "operator",
    "records": "records",
}
EXERCISE_SEATS = {"control": "control", "evaluator": "evaluator"}
BOOKS = (pack({"F03.toml": b"formats"}), pack({"codebook.toml": b"codes"}))
OTHER = {"a": "b", "b": "a"}


@cache
def small_books() -> tuple[bytes, bytes]:
    """The least format book that ``Book.read`` takes, with one format of one text field; and a code book."""
    lists = {name: {"RED"} if name in ("tlp", "pap") else set() for name in NEEDED}
    lists["header"], lists["unit"] = set(NEEDED_LABELS), {"s", "min", "h", "d"}
    codes = [f'[{name}]\nen = "{name}"\nzh = "表"\n[{name}.codes]\n' + "".join(
        f'{code} = {{ en = "{code}", zh = "码" }}\n' for code in sorted(lists[name])) for name in sorted(lists)]  # fmt: skip
    said = "".join(f'[{name}]\nen = "s"\nzh = "句"\n' for name in sorted(NEEDED_SENTENCES))
    form = (
        'code = "F03"\nen = "Note"\nzh = "文"\nversion = 1\nstatus = ["message"]\nminimum = ["text"]\n'
        'preliminary = false\n[defaults]\ntlp = "RED"\npap = "RED"\nbasis = ""\ncaveat = []\n'
        '[fields.text]\nen = "Text"\nzh = "文"\ntype = "text"\nmax = 200\n'
    )
    files = {
        "codes.toml": "\n".join(codes),
        "levels.toml": "",
        "sentences.toml": said,
        "beside.toml": "",
        "F03.toml": form,
    }
    return pack({name: text.encode() for name, text in files.items()}), pack({"codebook.toml": b""})


def digest(data: bytes) -> bytes:
    return sha256(data).digest()


@cache
def key(label: str, mode: int, suite: int = suites.SIGN) -> PrivateKey:
    """The key of a label: always the same in one mode, and other raw bytes in the other."""
    return PrivateKey(mode, suite, shake_256(f"{mode} {suite} {label}".encode()).digest(suites.SEED_LENGTH[suite]))


@cache
def note_keys(label: str) -> NotePrivate:
    seed = shake_256(label.encode()).digest(64)
    return NotePrivate(seed)


@dataclass(frozen=True)
class Sent:
    """A record in a log: where it stands and what it holds."""

    letter: str
    index: int
    raw: bytes
    env: Envelope | None
    doc: Any

    @property
    def ph(self) -> bytes:
        assert self.env is not None
        return self.env.hash


@dataclass(frozen=True)
class Opened:
    """What founding made; shared by all worlds of one kind, never changed."""

    charter: Charter
    policy: Policy
    roots: dict[str, Root]
    rosters: dict[str, Roster]
    records: dict[str, tuple[tuple[str, bytes, tuple[bytes, ...]], ...]]
    blobs: dict[bytes, bytes]
    chan: bytes


class Ceremony:
    """Makes documents of one party and keeps their blobs."""

    def __init__(self, mode: int, letter: str, seed: str, blobs: dict[bytes, bytes], *, small: bool = False) -> None:
        self.mode, self.letter, self.seed, self.blobs, self.small = mode, letter, seed, blobs, small
        self.code = CODES[letter]

    def key(self, label: str, suite: int = suites.SIGN) -> PrivateKey:
        made = key(f"{self.seed} {self.code} {label}", self.mode, suite)
        self.blobs[made.kid] = made.public.encode()
        return made

    def authority(self, version: int = 1) -> list[PrivateKey]:
        return [self.key(f"authority {version}.{n}") for n in range(2 if self.small else 3)]

    def root(self, version: int = 1, **other: Any) -> Root:
        fields: dict[str, Any] = {
            "mode": self.mode, "party": self.code, "ver": version, "prev": ZERO,
            "keys": tuple(sorted(k.kid for k in self.authority(version))), "threshold": 2, "next": (),
            "soft_exp": START + YEAR, "hard_exp": START + 2 * YEAR,
        }  # fmt: skip
        return Root(**fields | other)

    def claim(self, person: str, seat: str, role: Any) -> Claim:
        return Claim(party=self.code, root=digest(pack(self.root())), person=person, seat=seat, role=role)

    def keep(self, blob: bytes) -> bytes:
        self.blobs[digest(blob)] = blob
        return digest(blob)

    def member(
        self, seat: str, role: str, person: str = "", signer: PrivateKey | None = None, seal: PrivateKey | None = None,
        **other: Any,
    ) -> Member:  # fmt: skip
        """A member of that seat, its proofs made. Keys are the seat's unless given."""
        person = person or f"{seat}-person"
        signer = signer or self.key(f"{seat} sign")
        seal = seal or self.key(f"{seat} seal", suites.SEAL)
        for each in (signer, seal):
            self.blobs[each.kid] = each.public.encode()
        claim = self.claim(person, seat, role)
        pops = (make_pop(claim, signer, bytes(16)), make_kem_pop(claim, signer, seal.kid, bytes(32), bytes(16)))
        fields: dict[str, Any] = {
            "person": person, "seat": seat, "role": role, "standing": "government", "sig": (signer.kid,),
            "kem": (seal.kid,), "langs": ("en", "zh"), "pop": tuple(self.keep(p.encode()) for p in pops),
        }  # fmt: skip
        return Member(**fields | other)

    def unsealed(self, seat: str, role: str) -> Member:
        """A member without a seal key."""
        whole = self.member(seat, role)
        return replace(whole, kem=(), pop=whole.pop[:1])

    def members(self) -> tuple[Member, ...]:
        if self.small:
            return (self.unsealed("expert1", "expert"), self.member("records", "records"))
        seats = SEATS | (EXERCISE_SEATS if self.mode == 2 else {})
        return tuple(self.member(seat, role) for seat, role in seats.items())

    def roster(self, members: Sequence[Member], **other: Any) -> Roster:
        named = lambda ids: tuple(Named(id=i, en=i, zh=i) for i in sorted(set(ids)))  # noqa: E731
        fields: dict[str, Any] = {
            "mode": self.mode, "party": self.code, "ver": 1, "prev": ZERO, "root_ver": 1,
            "persons": named(m.person for m in members), "seats": named(m.seat for m in members),
            "members": tuple(members), "revoked": (), "soft_exp": START + YEAR, "hard_exp": START + 2 * YEAR,
        }  # fmt: skip
        return Roster(**fields | other)


def roster_blobs(roster: Roster) -> tuple[bytes, ...]:
    return tuple(sorted({h for m in roster.members for h in (*m.sig, *m.kem, *m.pop)}))


@cache
def found(mode: int, seed: str = "", cooling: int | None = None, *, small: bool = False) -> Opened:
    """The opening documents of a channel."""
    books = small_books() if small else BOOKS
    blobs: dict[bytes, bytes] = {digest(book): book for book in books}
    sides = {x: Ceremony(mode, x, seed, blobs, small=small) for x in "ab"}
    roots = {x: c.root() for x, c in sides.items()}
    rosters = {x: c.roster(c.members()) for x, c in sides.items()}
    policy = default_policy(1 if mode == 1 else 2, *(digest(b) for b in books))
    if cooling is not None:
        policy = replace(policy, cooling=cooling)
    everyone = [k for c in sides.values() for k in c.authority()[:2]]
    policy_env = sign("policy", policy, everyone)
    parties = []
    for x, c in sides.items():
        cert = c.keep(f"{seed} certificate {x}".encode())
        public = [NoteKeys(ed=n.public.ed, ml=n.public.ml) for n in (note_keys(f"{seed}{x}{i}") for i in range(3))]
        parties.append(
            CharterParty(
                code=c.code, name=TwoNames(en=c.code, zh=c.code), lang="zh" if x == "a" else "en",
                root=digest(pack(roots[x])), roster=digest(pack(rosters[x])),
                log=public[0], side=public[1], cos=public[2], cert=cert,
            )
        )  # fmt: skip
    charter = Charter(
        mode=policy.mode, title=TwoNames(en="Trial", zh="试用"), parties=tuple(parties),
        suites=(suites.SIGN, suites.SESSION, suites.SEAL), host=UNSET if mode == 1 else CODES["a"],
        policy=policy_env.hash, nonce_a=digest(b"a"), nonce_b=digest(b"b"), created=START, supersedes=ZERO,
    )  # fmt: skip
    charter_env = sign("charter", charter, everyone)
    a, b = (
        FoundingParty(root=sign("root", roots[x], keys).encode(), roster=sign("roster", rosters[x], keys).encode())
        for x, keys in ((x, c.authority()[:2]) for x, c in sides.items())
    )
    founding = Founding(
        charter=charter_env.encode(), a=a, b=b, policy=policy_env.encode(), blobs=tuple(blobs.values())
    )  # fmt: skip
    records = {x: tuple(founding.opening(x)) for x in sides}
    return Opened(charter, policy, roots, rosters, records, blobs, founding.chan)


class World:
    """Both parties' logs in the making. ``opening=False`` leaves them empty."""

    def __init__(
        self, mode: int = 1, seed: str = "", cooling: int | None = None, *, opening: bool = True, small: bool = False
    ) -> None:
        made = found(mode, seed, cooling, small=small)
        self.mode, self.seed, self.small = mode, seed, small
        self.chan, self.charter, self.policy = made.chan, made.charter, made.policy
        self.roots, self.rosters = dict(made.roots), dict(made.rosters)
        self.opening = made.records
        self.blobs = dict(made.blobs)
        self.sides = {x: Ceremony(mode, x, seed, self.blobs, small=small) for x in "ab"}
        self.logs: dict[str, list[bytes]] = {"a": [], "b": []}
        self.ts = {"a": START, "b": START}
        self.starts = {"a": [0], "b": [0]}
        self._roots = {x: [[EMPTY]] for x in "ab"}
        self._frontier = {x: Frontier.empty() for x in "ab"}
        self._mids = 0
        if opening:
            for x in "ab":
                for t, env, names in self.opening[x]:
                    self.raw(x, Record(t=t, ts=self.ts[x], seen=(0, 0, EMPTY), blobs=names, env=env).encode())

    # --- keys ---------------------------------------------------------------------------------------------------------

    def signer(self, letter: str, seat: str) -> PrivateKey:
        return self.sides[letter].key(f"{seat} sign")

    def seal(self, letter: str, seat: str) -> PrivateKey:
        return self.sides[letter].key(f"{seat} seal", suites.SEAL)

    def authority(self, letter: str, version: int = 1) -> list[PrivateKey]:
        return self.sides[letter].authority(version)

    def recipients(self) -> tuple[bytes, ...]:
        """Both records keys and, where they have one, both first experts'."""
        seats = ("records",) if self.small else ("records", "expert1")
        return tuple(sorted(self.seal(x, seat).kid for x in "ab" for seat in seats))

    # --- records ------------------------------------------------------------------------------------------------------

    def raw(self, letter: str, raw: bytes) -> Sent:
        """These bytes as the next record."""
        self._frontier[letter] = self._frontier[letter].append(leaf_hash(raw))
        self._roots[letter][-1].append(self._frontier[letter].root())
        self.logs[letter].append(raw)
        return Sent(letter, len(self.logs[letter]) - 1, raw, None, None)

    def seen(self, letter: str, size: int | None = None) -> tuple[int, int, bytes]:
        """What a record of ``letter`` says when it has seen ``size`` records of the other log (all of them: None)."""
        other = OTHER[letter]
        size = len(self.logs[other]) if size is None else size
        number = max(n for n, start in enumerate(self.starts[other]) if start <= size)
        size -= self.starts[other][number]
        return (number, size, self._roots[other][number][size])

    def tick(self, letter: str, ts: int | None = None) -> int:
        """The next time of a log: one second on, or as given."""
        self.ts[letter] = self.ts[letter] + 1000 if ts is None else max(ts, self.ts[letter])
        return self.ts[letter] if ts is None else ts

    def put(
        self, letter: str, t: str, env: Envelope | bytes, *, ts: int | None = None, seen: Any = None,
        blobs: Iterable[bytes] = (), doc: Any = None,
    ) -> Sent:  # fmt: skip
        """A record of this envelope (or node body). ``seen``: a size, the three values themselves, or None for all."""
        raw_env = env.encode() if isinstance(env, Envelope) else env
        at = seen if isinstance(seen, tuple) else self.seen(letter, seen)
        record = Record(t=t, ts=self.tick(letter, ts), seen=at, blobs=tuple(sorted(set(blobs))), env=raw_env)
        sent = self.raw(letter, record.encode())
        return Sent(letter, sent.index, sent.raw, env if isinstance(env, Envelope) else None, doc)

    def append(self, letter: str, t: str, doc: Any, signers: Iterable[str | PrivateKey], **where: Any) -> Sent:
        """A signed document as the next record; signers by seat of that party, or keys."""
        keys = [self.signer(letter, s) if isinstance(s, str) else s for s in signers]
        if t == "msg" and "blobs" not in where:
            where["blobs"] = (doc.blob,)
        return self.put(letter, t, sign(t, doc, keys), doc=doc, **where)

    def node(self, letter: str, t: str, body: Any, **where: Any) -> Sent:
        """A ``node.*`` record."""
        return self.put(letter, t, pack(body), doc=body, **where)

    def sync(self, letter: str, **where: Any) -> Sent:
        """A ``node.ack``: nothing but what it has seen."""
        return self.node(letter, "node.ack", {}, **where)

    # --- people's documents -------------------------------------------------------------------------------------------

    def mid(self) -> bytes:
        self._mids += 1
        return digest(b"mid %d" % self._mids)[:16]

    def message(self, letter: str, author: str, fmt: str = "F03", cosign: Iterable[str] = (), **fields: Any) -> Payload:
        """A message's payload over a blob that nobody opens. Level attention and its precedence, unless given."""
        level = fields.pop("level", "attention")
        mid = fields.pop("mid", None) or self.mid()
        blob = fields.pop("blob", None) or digest(b"blob" + mid)
        others = tuple(sorted(self.signer(letter, seat).kid for seat in cosign))
        plain: dict[str, Any] = {
            "chan": self.chan, "from_": self.signer(letter, author).kid, "mid": mid, "ts": self.ts[letter],
            "prev": ZERO, "suite": suites.SEAL, "to": self.recipients(), "fmt": fmt, "level": level,
            "prec": self.policy.level(level).prec, "status": "message", "lang": "en", "cosign": others or UNSET,
        }  # fmt: skip
        return payload_of(Header(**plain | fields), kc=digest(b"kc" + mid), bd=digest(b"bd" + mid), blob=blob, blen=512)

    def send(self, letter: str, author: str, fmt: str = "F03", cosign: Iterable[str] = (), **fields: Any) -> Sent:
        """A signed message as the next record; ``at`` (the record's ts), ``seen`` and ``signers`` say where and who instead."""
        seats = tuple(cosign)
        where = {name: fields.pop(name) for name in ("seen", "blobs") if name in fields}
        if "at" in fields:
            where["ts"] = fields.pop("at")
        signers = fields.pop("signers", (author, *seats))
        return self.append(letter, "msg", self.message(letter, author, fmt, seats, **fields), signers, **where)

    def move(
        self, letter: str, signers: Sequence[str], op: str, case: bytes | None = None, from_: str | None = None,
        to: str | None = None, at: tuple[int, int] | None = None, **fields: Any,
    ) -> Sent:  # fmt: skip
        """An F12, or for ``close`` an F05. ``at`` of a lowering defaults to all that stands in both logs."""
        if op in ("lower", "close") and at is None:
            at = (len(self.logs["a"]), len(self.logs["b"]))
        made = {"from_": from_, "to": to, "at": at}
        move = Move(op=op, **{name: UNSET if value is None else value for name, value in made.items()})
        level = {"raise": to, "suspend": "routine", "resume": "routine"}.get(op, from_)
        fields = {"level": level, "case": case or UNSET, "move": move} | fields
        return self.send(letter, signers[0], "F05" if op == "close" else "F12", signers[1:], **fields)

    def ack(self, letter: str, seat: str, sent: Sent, step: str = "read", **fields: Any) -> Sent:
        where = {name: fields.pop(name) for name in ("seen",) if name in fields}
        doc = Ack(
            chan=self.chan, from_=self.signer(letter, seat).kid, mid=sent.doc.mid, ph=sent.ph, step=step,
            **{"ts": self.ts[letter], **fields},
        )  # fmt: skip
        return self.append(letter, "ack", doc, [seat], **where)

    def confirm(self, letter: str, seat: str, sent: Sent, **where: Any) -> Sent:
        doc = Confirm(
            chan=self.chan, from_=self.signer(letter, seat).kid, mid=sent.doc.mid, ph=sent.ph, ts=self.ts[letter]
        )
        return self.append(letter, "confirm", doc, [seat], **where)

    def watch(
        self, letter: str, op: str, seat: str, on: str | None = None, off: str | None = None, **where: Any
    ) -> Sent:
        kids = {n: self.signer(letter, s).kid for n, s in (("on", on), ("off", off)) if s}
        doc = Watch(chan=self.chan, seat=seat, op=op, ts=self.ts[letter], **kids)
        return self.append(letter, "watch", doc, [s for s in (on, off) if s], **where)

    def exercise(self, letter: str, seat: str, op: str, x: int = 0, blobs: Iterable[bytes] = (), **fields: Any) -> Sent:
        doc = Exercise(
            chan=self.chan, from_=self.signer(letter, seat).kid, op=op, x=x, ts=self.ts[letter], **fields
        )  # fmt: skip
        return self.append(letter, "exercise", doc, [seat], blobs=blobs)

    # --- the authorities' documents -----------------------------------------------------------------------------------

    def next_roster(
        self, letter: str, members: Sequence[Member], blobs: Iterable[bytes] | None = None, **other: Any
    ) -> Sent:
        """The next roster version with these members, signed by two authority keys."""
        before = self.rosters[letter]
        fields = {"ver": before.ver + 1, "prev": digest(pack(before)), **other}
        signers = fields.pop("signers", self.authority(letter)[:2])
        where = {"seen": fields.pop("seen")} if "seen" in fields else {}
        roster = self.sides[letter].roster(members, **fields)
        named = roster_blobs(roster) if blobs is None else blobs
        sent = self.append(letter, "roster", roster, signers, blobs=named, **where)
        self.rosters[letter] = roster
        return sent

    def revoke(self, letter: str, kids: Iterable[bytes], signer: str | PrivateKey = "operator", **where: Any) -> Sent:
        doc = Revoke(
            mode=self.charter.mode, party=CODES[letter], kids=tuple(kids), reason="compromise", ts=self.ts[letter]
        )
        return self.append(letter, "revoke", doc, [signer], **where)

    def kem(self, letter: str, seat: str, label: str = "new", **where: Any) -> Sent:
        """A new seal key for a member."""
        side, signer = self.sides[letter], self.signer(letter, seat)
        new = side.key(f"{seat} seal {label}", suites.SEAL)
        member = next(m for m in self.rosters[letter].members if m.seat == seat)
        claim = side.claim(member.person, seat, member.role)
        pop = side.keep(make_kem_pop(claim, signer, new.kid, bytes(32), bytes(16)).encode())
        doc = Kem(
            chan=self.chan, from_=signer.kid, kid_old=where.pop("old", member.kem[0]), kid_new=new.kid, pop=pop,
            ts=self.ts[letter],
        )  # fmt: skip
        return self.append(letter, "kem", doc, [seat], blobs=(new.kid, pop), **where)

    def next_policy(self, **changes: Any) -> Policy:
        """The next policy's document; append it to both logs."""
        fields = {"ver": self.policy.ver + 1, "prev": digest(pack(self.policy)), "chan": self.chan, **changes}
        return replace(self.policy, **fields)

    def put_policy(
        self, letter: str, policy: Policy, signers: Iterable[PrivateKey] | None = None, **where: Any
    ) -> Sent:
        keys = [k for x in "ab" for k in self.authority(x)[:2]] if signers is None else signers
        return self.append(letter, "policy", policy, keys, blobs=[policy.formats, policy.codes], **where)

    def succeed(self, letter: str, final: int | None = None, **fields: Any) -> Sent:
        """End the current log number at ``final`` and begin the next with its ``succeed``."""
        signers = fields.pop("signers", self.authority(letter)[:2])
        number, start = len(self.starts[letter]) - 1, self.starts[letter][-1]
        roots = self._roots[letter][-1]
        size = len(roots) - 1 if final is None else final
        party = self.charter.party(letter)
        doc = Succeed(**{
            "chan": self.chan, "party": CODES[letter], "old_origin": origin(self.chan, letter, number),
            "final": Final(size=size, root=roots[size]), "note": b"", "log_no": number + 1,
            "log": party.log, "side": party.side, "cos": party.cos, "reason": "rehearsal",
        } | fields)  # fmt: skip
        self.cut_off = self.logs[letter][start + size :]
        del self.logs[letter][start + size :]
        self._roots[letter].append([EMPTY])
        self._frontier[letter] = Frontier.empty()
        self.starts[letter].append(start + size)
        return self.append(letter, "succeed", doc, signers)

    # --- the fold -----------------------------------------------------------------------------------------------------

    def number(self, letter: str, log_no: int) -> list[bytes]:
        """The records of one log number."""
        starts = [*self.starts[letter], len(self.logs[letter])]
        return self.logs[letter][starts[log_no] : starts[log_no + 1]]

    def fold(self, blob: Callable[[bytes], bytes | None] | None = None) -> Fold:
        """A fold of all that stands in both logs."""
        made = Fold(self.chan, blob or self.blobs.get)
        for letter in "ab":
            for log_no in range(len(self.starts[letter])):
                made.add(letter, self.number(letter, log_no), log_no)
        return made

    def reason(self, sent: Sent, fold: Fold | None = None) -> str:
        """Why a record was refused; "" if it is valid."""
        return (fold or self.fold()).verdict(sent.letter, sent.index).reason

    def resign(self, doc: str, document: object, keys: Iterable[PrivateKey], mode: int) -> Envelope:
        """An envelope whose signatures are made under the context of ``mode``."""
        payload = pack(document)
        message = pae(media_type(doc), payload)
        made = {k.kid: suites.sign(suites.SIGN, k.seed(), message, CONTEXT[mode]) for k in keys}
        return Envelope(media_type(doc), payload, tuple(sorted(made.items())))
