"""Founds a trial channel: all keys of both parties made by one person on one machine, for practice and demonstration.

In earnest each authority makes its own keys on its own machine (``channel-keys``); that is why the word "trial" stands
in the title. Documents only: ``channel.cli.homes`` writes the files. Randomness and time are passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from msgspec import structs

from channel.client.seats import seat_of
from channel.protocol.charter import Charter, CharterParty, Limits, NoteKeys
from channel.protocol.defaults import default_policy
from channel.protocol.founding import Founding, FoundingParty
from channel.protocol.note import NotePrivate
from keys import suites
from keys.documents import Member, Named, Root, Roster
from keys.envelope import Envelope, sign
from keys.identity import PrivateKey
from keys.pop import Claim, make_kem_pop, make_pop
from keys.shapes import ZERO, Mode, Role, Standing, TwoNames

Random = Callable[[int], bytes]
PARTIES = {"CN": ("China", "中国", "zh", "中方"), "US": ("United States", "美国", "en", "美方")}
YEAR = 365 * 86_400_000
# name of the key file, English, Chinese, role, standing; two persons sit in the seat "duty", as in shifts
SEATS: tuple[tuple[str, str, str, Role, Standing], ...] = (
    ("expert-1", "Expert 1", "专家一", "expert", "designated expert"),
    ("expert-2", "Expert 2", "专家二", "expert", "designated expert"),
    ("official", "Official", "官员", "official", "government"),
    ("principal", "Principal", "主管负责人", "official", "government"),
    ("duty", "Duty Officer", "值班员", "duty", "government"),
    ("duty.2", "Duty Officer 2", "值班员二", "duty", "government"),
    ("operator", "Operator", "运行管理员", "operator", "government"),
    ("records", "Records Officer", "记录管理员", "records", "government"),
)


@dataclass(frozen=True, slots=True)
class MemberKeys:
    """A person with the private keys. ``seat``: the seat, and a number for a further person in it (``duty.2``)."""

    seat: str
    sign: PrivateKey
    seal: PrivateKey


@dataclass(frozen=True, slots=True)
class PartyKeys:
    """Everything secret of one party: authority, members, and the node's log, side-log and cosigner seeds."""

    code: str
    authority: tuple[PrivateKey, ...]
    members: tuple[MemberKeys, ...]
    log: bytes
    side: bytes
    cos: bytes


@dataclass(frozen=True, slots=True)
class Trial:
    """A founded channel with all its secrets, parties in the charter's order."""

    founding: Founding
    parties: tuple[PartyKeys, PartyKeys]


def found(
    mode: Mode, certs: dict[str, bytes], books: tuple[bytes, bytes], now: int, random: Random,
    limits: Limits | None = None,
) -> Trial:  # fmt: skip
    """A channel between the parties of ``certs`` (code to DER certificate). ``books``: format book and code book.

    ``limits`` in place of the default policy's.
    """
    secrets = [_party_keys(code, mode, random) for code in sorted(certs)]
    blobs = {sha256(blob).digest(): blob for blob in (*certs.values(), *books)}
    policy = default_policy(mode, *(sha256(book).digest() for book in books))
    policy = structs.replace(policy, limits=limits or policy.limits)
    opened = [_authority(party, mode, now, random, blobs) for party in secrets]
    all_keys = [key for party in secrets for key in party.authority]
    policy_env = sign("policy", policy, all_keys)
    title = "practice channel" if mode == 2 else "trial channel"
    charter = Charter(
        mode=mode,
        title=TwoNames(
            en=f"{' - '.join(p.code for p in secrets)} {title}",
            zh=f"{PARTIES[secrets[0].code][1]}—{PARTIES[secrets[1].code][1]}{'演练渠道' if mode == 2 else '试用渠道'}",
        ),
        parties=tuple(
            _charter_party(party, root, roster, certs[party.code])
            for party, (root, roster) in zip(secrets, opened, strict=True)
        ),
        suites=(suites.SIGN, suites.SESSION, suites.SEAL),
        policy=policy_env.hash,
        nonce_a=random(32),
        nonce_b=random(32),
        created=now,
        supersedes=ZERO,
    )
    a, b = (FoundingParty(root=root.encode(), roster=roster.encode()) for root, roster in opened)
    founding = Founding(
        charter=sign("charter", charter, all_keys).encode(),
        a=a,
        b=b,
        policy=policy_env.encode(),
        blobs=tuple(blobs[h] for h in sorted(blobs)),
    )
    return Trial(founding, (secrets[0], secrets[1]))


def _party_keys(code: str, mode: int, random: Random) -> PartyKeys:
    return PartyKeys(
        code,
        tuple(PrivateKey(mode, suites.SIGN, random(64)) for _ in range(3)),
        tuple(
            MemberKeys(seat, PrivateKey(mode, suites.SIGN, random(64)), PrivateKey(mode, suites.SEAL, random(32)))
            for seat, *_ in SEATS
        ),
        random(64),
        random(64),
        random(64),
    )


def _authority(
    party: PartyKeys, mode: Mode, now: int, random: Random, blobs: dict[bytes, bytes]
) -> tuple[Envelope, Envelope]:
    """The party's root and roster envelopes; their key objects and proofs go into ``blobs``."""

    def keep(blob: bytes) -> bytes:
        blobs[sha256(blob).digest()] = blob
        return sha256(blob).digest()

    root = Root(
        mode=mode,
        party=party.code,
        ver=1,
        prev=ZERO,
        keys=tuple(sorted(keep(key.public.encode()) for key in party.authority)),
        threshold=2,
        next=(),
        soft_exp=now + YEAR,
        hard_exp=now + 2 * YEAR,
    )
    root_env = sign("root", root, party.authority)
    members, persons, seats = [], [], []
    _, _, lang, side_zh = PARTIES[party.code]
    for keys, (name, en, zh, role, standing) in zip(party.members, SEATS, strict=True):
        seat, person = seat_of(name), f"{party.code.lower()}-{name.replace('.', '-')}"
        claim = Claim(party=party.code, root=root_env.hash, person=person, seat=seat, role=role)
        pops = (
            make_pop(claim, keys.sign, random(16)),
            make_kem_pop(claim, keys.sign, keys.seal.kid, random(32), random(16)),
        )
        persons.append(Named(id=person, en=f"{party.code} {en}", zh=f"{side_zh}{zh}"))
        seats += [Named(id=seat, en=en, zh=zh)] if seat == name else []
        members.append(
            Member(
                person=person,
                seat=seat,
                role=role,
                standing=standing,
                sig=(keep(keys.sign.public.encode()),),
                kem=(keep(keys.seal.public.encode()),),
                langs=("zh", "en") if lang == "zh" else ("en", "zh"),
                pop=tuple(sorted(keep(pop.encode()) for pop in pops)),
            )
        )
    roster = Roster(
        mode=mode,
        party=party.code,
        ver=1,
        prev=ZERO,
        root_ver=1,
        persons=tuple(sorted(persons, key=lambda p: p.id)),
        seats=tuple(sorted(seats, key=lambda s: s.id)),
        members=tuple(members),
        revoked=(),
        soft_exp=now + YEAR,
        hard_exp=now + 2 * YEAR,
    )
    return root_env, sign("roster", roster, party.authority)


def _charter_party(party: PartyKeys, root: Envelope, roster: Envelope, cert: bytes) -> CharterParty:
    en, zh, lang, _ = PARTIES[party.code]

    def public(seed: bytes) -> NoteKeys:
        keys = NotePrivate(seed).public
        return NoteKeys(ed=keys.ed, ml=keys.ml)

    return CharterParty(
        code=party.code,
        name=TwoNames(en=en, zh=zh),
        lang="zh" if lang == "zh" else "en",
        root=root.hash,
        roster=roster.hash,
        log=public(party.log),
        side=public(party.side),
        cos=public(party.cos),
        cert=sha256(cert).digest(),
    )
