"""Notes of the own side that somebody made wrongly: they break no list, and the good ones stay readable."""

from __future__ import annotations

import io

import pytest

from channel.cli.demo import at_desk, with_seats
from channel.client import drafts
from channel.client.composing import Draft
from channel.node.app import serving
from channel.protocol.draft import seal_own
from channel.protocol.people import SideNote
from keys.envelope import sign
from tests.node.conftest import Pair
from tests.node.parties import CLOCK, Parties

FACTS = {
    "category": "UNX",
    "origin": "UNK",
    "intent": ["UNK"],
    "since": 1_790_000_000_000,
    "control": "K9",
    "line": "x",
}


@pytest.mark.parametrize("did", [2**40, "a text", True, [1], b"nobody's"])
async def test_a_note_about_no_draft_breaks_no_list(tmp_path, need, did):
    """Whatever stands where a draft's id should: drafts are listed, and the comment belongs to none of them."""
    need("embedded-valkey")
    parties, logs = Parties(tmp_path / "trial"), [io.StringIO(), io.StringIO()]
    async with (
        serving(parties.nodes["CN"], CLOCK, out=logs[0]) as cn,
        serving(parties.nodes["US"], CLOCK, out=logs[1]) as us,
    ):
        pair = Pair(parties, (cn, us), logs)
        await pair.until(lambda: pair.a.opened and pair.b.opened)
        async with at_desk(parties.sides[1]) as desk:
            seats = with_seats(desk, "en")
            await desk.sync()
            draft = Draft(fmt="F03", body=FACTS, lang="en", level="serious", cosign=(seats.kid("duty"),))
            waiting = await drafts.propose(desk, draft)
            blank = SideNote(
                chan=desk.view.chan, from_=desk.keys.sign.kid, to=(desk.keys.seal.kid,), suite=desk.keys.seal.public.suite,
                kc=bytes(32), blob=bytes(32), blen=0, ts=desk.clock.now(),
            )  # fmt: skip
            keys = {desk.keys.seal.kid: desk.keys.seal.public}
            note, blob = seal_own(blank, {"text": "odd", "did": did}, keys, parties.mode, desk.random(32))
            await desk.wire.submit("note", sign("note", note, [desk.keys.sign]).encode(), [blob])
            assert [(w.did, w.comments) for w in await drafts.drafts(desk)] == [(waiting.did, [])]
