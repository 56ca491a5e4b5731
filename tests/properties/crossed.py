"""Records made for one mode and put into a channel of the other, in every mixture of keys, contexts, channels and bytes.

    world = ground(1)                       # an actual channel with a case and an emergency release
    sent = put(world, mixture)              # a record of log a that came, in part, from an exercise

A mixture says which fields the document takes from this channel and how each signature was made; at least one part is the
other mode's, so the record may never count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from channel.protocol.charter import Contacts
from keys import suites
from keys.codec import pack, unpack
from keys.envelope import Envelope, media_type, pae
from keys.identity import CONTEXT, PrivateKey
from keys.shapes import ZERO
from tests.world import CODES, Sent, World, digest

# How a signature is made: (whose key object names it, whose bytes sign, under which context); h here, o the other mode.
SIGNATURES = {
    "sound": ("here", "here", "h"),
    "other context": ("here", "here", "o"),
    "other key": ("other", "other", "o"),
    "other key, this context": ("other", "other", "h"),
    "key object of the other mode": ("twin", "here", "o"),
    "key object of the other mode, this context": ("twin", "here", "h"),
    "this name, other key": ("here", "other", "h"),
    "this name, other key, other context": ("here", "other", "o"),
}
TYPES = ("msg", "ack", "confirm", "watch", "kem", "revoke", "contacts", "roster", "root", "policy", "exercise")


@dataclass(frozen=True)
class Document:
    """A document as a map, who signs it (seats, or authority keys by party and number), and its blobs."""

    fields: dict[str, object]
    signers: tuple[str, ...]
    blobs: tuple[bytes, ...]


@dataclass(frozen=True)
class Mixture:
    """``here``: fields taken from this channel's document. ``signatures``: one word of SIGNATURES for each signer in turn.

    ``named``: the key objects of the signers are blobs of the record; ``author``: ``from`` is the key that signs.
    """

    t: str
    here: frozenset[str]
    signatures: tuple[str, ...]
    named: bool
    author: bool


def crosses(mixture: Mixture) -> bool:
    """Whether a part of it that has to be this mode's is the other's."""
    sound = document(1, mixture.t)
    fields, made = set(sound.fields), mixture.signatures
    used = {made[n % len(made)] for n in range(len(sound.signers))}
    needed = fields & {"chan", "mode", "from", "to", "kid_new", "pop", "members", "keys", "on", "ph"}
    needed -= {"from"} if mixture.author else set()  # it is set to the key that signs
    return bool(needed - mixture.here) or used != {"sound"}


@cache
def first_world(mode: int) -> tuple[World, Sent, Sent]:
    """A channel of one mode with a case of b and an emergency release of a."""
    world = World(mode)
    opening, single = world.send("b", "expert1"), world.send("a", "expert1", "F13", single=True)
    world.sync("b")
    return world, opening, single


def ground(mode: int) -> World:
    """That channel again, to be written on; its blobs are those of the other one too."""
    first, world = first_world(mode)[0], World(mode)
    for letter in "bab":  # in the order in which they have seen each other
        world.raw(letter, first.logs[letter][len(world.logs[letter])])
    world.ts = dict(first.ts)
    world.blobs.update(first_world(3 - mode)[0].blobs)
    return world


@cache
def document(mode: int, t: str) -> Document:
    """A sound next document of that type in log a of the channel of that mode."""
    world, (base, first, single) = ground(mode), first_world(mode)
    authority = ("a1", "a2")
    match t:
        case "msg":
            sent, who = world.send("a", "expert1"), ("expert1",)
        case "ack":
            sent, who = world.ack("a", "expert1", first), ("expert1",)
        case "confirm":
            sent, who = world.confirm("a", "expert2", single), ("expert2",)
        case "watch":
            sent, who = world.watch("a", "take", "duty", on="duty"), ("duty",)
        case "kem":
            sent, who = world.kem("a", "expert1"), ("expert1",)
        case "revoke":
            sent, who = world.revoke("a", [world.signer("a", "expert2").kid]), ("operator",)
        case "contacts":
            doc = Contacts(mode=mode, party=CODES["a"], ver=1, prev=ZERO, list=(), ts=world.ts["a"])
            sent, who = world.append("a", "contacts", doc, ["operator"]), ("operator",)
        case "roster":
            more = world.sides["a"].member("expert3", "expert")
            sent, who = world.next_roster("a", (*world.rosters["a"].members, more)), authority
        case "root":
            side = world.sides["a"]
            root = side.root(2, ver=2, prev=digest(pack(world.roots["a"])), keys=world.roots["a"].keys)
            sent, who = world.append("a", "root", root, world.authority("a")[:2], blobs=root.keys), authority
        case "policy":
            sent, who = world.put_policy("a", world.next_policy()), ("a1", "a2", "b1", "b2")
        case _:
            seat = "control" if mode == 2 else "official"
            sent, who = world.exercise("a", seat, "startex", rate=1, scenario=bytes(32)), (seat,)
    base.blobs.update(world.blobs)
    return Document(unpack(sent.env.payload), who, tuple(unpack(sent.raw)["blobs"]))


def signer(mode: int, name: str) -> PrivateKey:
    """A seat's key of party a, or an authority key such as "b2"."""
    world = first_world(mode)[0]
    if name[1:].isdigit() and name[0] in "ab":
        return world.authority(name[0])[int(name[1:]) - 1]
    return world.sides["a"].key(f"{name} sign")


def put(world: World, mixture: Mixture) -> Sent:
    """The mixture as the next record of log a of ``world``."""
    mode, other = world.mode, 3 - world.mode
    mine, theirs = document(mode, mixture.t), document(other, mixture.t)
    for each in (mode, other):
        world.blobs.update(first_world(each)[0].blobs)
    fields = theirs.fields | {name: value for name, value in mine.fields.items() if name in mixture.here}
    made = []
    for n, name in enumerate(mine.signers):
        whose, by, ctx = SIGNATURES[mixture.signatures[n % len(mixture.signatures)]]
        here, there = signer(mode, name), signer(other, name if mixture.t != "exercise" else theirs.signers[0])
        twin = PrivateKey(other, suites.SIGN, here.seed())
        key = {"here": here, "other": there, "twin": twin}[whose]
        world.blobs[key.kid] = key.public.encode()
        made.append((key, here if by == "here" else there, CONTEXT[mode if ctx == "h" else other]))
    if mixture.author and "from" in fields:
        fields["from"] = made[0][0].kid
    payload = pack(fields)
    message = pae(media_type(mixture.t), payload)
    signatures = {key.kid: suites.sign(suites.SIGN, by.seed(), message, ctx) for key, by, ctx in made}
    env = Envelope(media_type(mixture.t), payload, tuple(sorted(signatures.items())))
    blobs = {fields["blob"]} if mixture.t == "msg" else {*mine.blobs, *theirs.blobs}
    named = {key.kid for key, _, _ in made} if mixture.named else set()
    return world.put("a", mixture.t, env, blobs=blobs | named)
