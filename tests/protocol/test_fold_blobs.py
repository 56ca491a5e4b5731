"""Which blobs a verdict may stand on: those that the record or an earlier one of its log names, messages left out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from channel.protocol.fold import Fold
from channel.protocol.people import Kem
from channel.protocol.record import Record, read_record
from keys.documents import Root
from keys.errors import Unavailable
from keys.identity import PrivateKey
from tests.world import OTHER, Sent, World, digest, roster_blobs

JUNK = b"no key, no proof, no book"


@pytest.fixture
def world() -> World:
    return World()


def new_member(world: World):
    return (*world.rosters["a"].members, world.sides["a"].member("expert3", "expert"))


def new_roster(world: World, names: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> Sent:
    members = new_member(world)
    own = tuple(sorted({*members[-1].sig, *members[-1].kem, *members[-1].pop}))
    return world.next_roster("a", members, blobs=names(own))


def new_root(world: World, names: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> Sent:
    side = world.sides["a"]
    doc: Root = side.root(2, prev=world.charter.party("a").root)
    keys: list[PrivateKey] = [*side.authority(1)[:2], *side.authority(2)[:2]]
    return world.append("a", "root", doc, keys, blobs=names(doc.keys))


def kem_document(world: World) -> Kem:
    """A new seal key for an expert, made beside the log; its blobs are kept."""
    beside = World()
    sent = beside.kem("a", "expert1")
    world.blobs |= beside.blobs
    return sent.doc


def new_kem(world: World, names: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> Sent:
    doc = kem_document(world)
    return world.append("a", "kem", doc, ["expert1"], blobs=names((doc.kid_new, doc.pop)))


def new_policy(world: World, names: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> Sent:
    book = world.sides["a"].keep(b"another book")
    doc = world.next_policy(formats=book)
    keys = [k for x in "ab" for k in world.authority(x)[:2]]
    return world.append("a", "policy", doc, keys, blobs=names((book,)))


DOCUMENTS = {
    "roster": (new_roster, "KEYS"),
    "root": (new_root, "KEYS"),
    "kem": (new_kem, "KEYS"),
    "policy": (new_policy, "FMT"),
}


def cosigned(world: World, without: bytes = b"") -> Callable[[bytes], bytes | None]:
    """The blobs of a reader who holds what cosigning guarantees and not a byte more: named, and not a message's."""
    read = [read_record(raw) for log in world.logs.values() for raw in log]
    named = {h for r in read if r.t != "msg" for h in r.blobs} - {without}
    return lambda h: world.blobs.get(h) if h in named else None


def both(world: World, sent: Sent) -> str:
    """The reason as two readers see it, one who holds every blob there is and one who holds as few as may be."""
    found = []
    for blob in (world.blobs.get, cosigned(world)):
        fold = world.fold(blob)
        assert fold.cut == (len(world.logs["a"]), len(world.logs["b"]))
        found.append((fold.verdict(sent.letter, sent.index).reason, fold.result()))
    assert found[0] == found[1]
    return found[0][0]


def goes_on(world: World) -> None:
    """Messages of both parties are judged after it."""
    assert [both(world, world.send(x, "expert1")) for x in "ab"] == ["", ""]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_record_that_names_all_it_needs_is_valid(world: World, name: str) -> None:
    """The ground of the tests below: with every blob named, each of these documents passes."""
    make, _ = DOCUMENTS[name]
    assert both(world, make(world, lambda own: own)) == ""


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_record_that_does_not_name_a_blob_is_refused_and_the_fold_goes_on(world: World, name: str) -> None:
    """None, or all but one: refused with its reason by who holds the blob all the same and by who does not."""
    make, reason = DOCUMENTS[name]
    assert both(world, make(world, lambda _: ())) == reason
    goes_on(world)
    other = World()
    assert both(other, make(other, lambda own: own[1:])) == reason
    goes_on(other)


@pytest.mark.parametrize("name", ["roster", "root", "kem"])
def test_a_named_blob_that_is_no_key_and_no_proof_is_refused(world: World, name: str) -> None:
    """A document that names bytes which are no key object, or no proof, is refused for its keys; the fold goes on."""
    junk = world.sides["a"].keep(JUNK)
    if name == "root":
        doc = world.sides["a"].root(2, prev=world.charter.party("a").root, keys=tuple(sorted((junk, digest(b"x")))))
        world.blobs[digest(b"x")] = b"x"
        signers = world.authority("a")[:2]
        sent = world.append("a", "root", doc, signers, blobs=doc.keys)
    elif name == "kem":
        doc = replace(kem_document(world), kid_new=junk)
        sent = world.append("a", "kem", doc, ["expert1"], blobs=(junk, doc.pop))
    else:
        *before, new = new_member(world)
        sent = world.next_roster("a", (*before, replace(new, kem=(junk,))))
        assert both(world, sent) == "KEYS"
        world.rosters["a"] = World().rosters["a"]
        sent = world.next_roster("a", (*before, replace(new, pop=(new.pop[0], junk))))
    assert both(world, sent) == "KEYS"
    goes_on(world)


def test_a_blob_that_only_a_message_named_does_not_count(world: World) -> None:
    """Nobody need hold the bodies of messages to judge, so a key object that went as one is a key that is not there."""
    key, *rest = roster_blobs(world.sides["a"].roster(new_member(world)[-1:]))
    world.send("a", "expert1", blob=key)
    sent = world.next_roster("a", new_member(world), blobs=rest)
    assert both(world, sent) == "KEYS"
    goes_on(world)


@pytest.mark.parametrize("name", ["roster", "root", "kem"])
def test_a_named_blob_that_is_not_at_hand_never_changes_a_verdict(world: World, name: str) -> None:
    """Without a key object or a proof the fold waits, whichever it is; with it the record is valid."""
    sent = DOCUMENTS[name][0](world, lambda own: own)
    for missing in read_record(sent.raw).blobs:
        held = dict(world.blobs)
        late = held.pop(missing)
        fold = Fold(world.chan, held.get)
        fold.add("b", world.logs["b"])
        with pytest.raises(Unavailable, match="FOLD_BLOB"):
            fold.add("a", world.logs["a"])
        held[missing] = late
        fold.add("a", [])
        assert world.reason(sent, fold) == ""


@pytest.mark.parametrize("letter", "ab")
@pytest.mark.parametrize("index", [1, 2, 3])
def test_an_opening_that_does_not_name_its_blobs_is_refused_by_all(letter: str, index: int) -> None:
    """Root, roster or policy of the opening without its blobs: OPEN for every reader, nobody waits."""
    world = World(opening=False)
    for x in "ab":
        for i, (t, env, names) in enumerate(world.opening[x]):
            blobs = () if (x, i) == (letter, index) else names
            world.raw(x, Record(t=t, ts=world.ts[x], seen=world.seen(x, 0), blobs=blobs, env=env).encode())
    for blob in (world.blobs.get, cosigned(world)):
        fold = world.fold(blob)
        assert fold.verdict(OTHER[letter], 3).reason == "OPEN"
        assert fold.open_fault


def test_signatures_are_not_asked_for_before_the_keys(world: World) -> None:
    """A roster without its blobs and signed by too few is refused for its signatures: the reasons keep their order."""
    sent = world.next_roster("a", new_member(world), blobs=(), signers=world.authority("a")[:1])
    assert both(world, sent) == "SIG"
    goes_on(world)
