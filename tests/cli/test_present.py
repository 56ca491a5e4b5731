"""References and names on logs of a seeded world: what no running node brings about in a reasonable time."""

from __future__ import annotations

from hashlib import sha256
from types import SimpleNamespace

import pytest

from channel.client.index import Index
from channel.client.present import Names, find, named, speaker
from channel.i18n import Texts
from channel.protocol.verdicts import Signer
from keys.codec import pack
from keys.errors import WrongUse
from tests.world import START, World


def same_beginning(world):
    """The mids of two messages whose payload hashes begin with the same four characters."""
    seen = {}
    while True:
        mid = world.mid()
        ph = sha256(pack(world.message("a", "expert1", mid=mid, ts=START))).hexdigest()
        if ph[:4] in seen:
            return (seen[ph[:4]], (mid, ph))
        seen[ph[:4]] = (mid, ph)


def test_a_beginning_that_two_messages_share_is_ambiguous():
    """Both numbers are told; one character more, or a number, is enough."""
    world = World(mode=2)
    (one, first), (two, second) = same_beginning(world)
    for mid in (one, two):
        world.send("a", "expert1", mid=mid, ts=START)
    fold = world.fold()
    client = SimpleNamespace(index=Index(fold), view=SimpleNamespace(fold=fold))
    with pytest.raises(WrongUse) as caught:
        find(client, first[:4])
    assert caught.value.code == "AMBIGUOUS"
    for lang in ("en", "zh"):
        assert "CN-2026-000001, CN-2026-000002" in Texts(lang).problem(caught.value)[0]
    assert [find(client, ph).ph.hex() for ph in (first, second)] == [first, second]
    assert find(client, "CN-2026-000002").ph.hex() == second
    assert find(client, "last").ph.hex() == second
    with pytest.raises(WrongUse, match="NO_MESSAGE"):
        find(client, first[:3])


def test_a_played_seat_is_marked():
    """In an exercise what control signs for a seat says so, in both languages."""
    signer = Signer(b"k" * 32, "p", "control", "duty", "government", played=True)
    assert (
        speaker(Texts("en"), signer, "Control", "Duty") == "Control, seat Duty, played by control (for the government)"
    )
    assert "由控制人员模拟" in speaker(Texts("zh"), signer, "控制", "值班")


def test_whoever_left_the_roster_keeps_the_id():
    """A name that no roster has any more is shown as the id that was signed."""
    assert named(Texts("en"), {}, "cn-expert-9") == "cn-expert-9"
    world = World(mode=2)
    fold = world.fold()
    names = Names(SimpleNamespace(messages=fold.messages, view=SimpleNamespace(fold=fold)), Texts("zh"))
    assert names.person("a", "nobody") == "nobody"
    assert names.post("b", "duty") == "US duty"
    assert set(names.keys()) == {kid for x in "ab" for kid in fold.party(x).members}
