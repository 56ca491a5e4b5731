"""Every page of a desk and how it is come to: for tests that look at all of them.

places = await furnish(room)                     # messages, cases, drafts, on both sides; once for a room
for name, path in places: …
"""

from __future__ import annotations

from channel.client import drafts
from channel.client.composing import Draft
from channel.protocol.ladder import OPENING
from tests.desk.conftest import SINCE
from tests.desk.writings import write

PLAIN = (
    ("watch", "/"), ("compose", "/compose"), ("approvals", "/approvals"), ("cases", "/cases"), ("handover", "/handover"),
    ("leave", "/handover/leave"), ("log", "/log"), ("link", "/link"), ("card", "/link/card"),
    ("ladder", "/ladder"), ("directory", "/directory"), ("glossary", "/glossary"), ("search", "/search"),
    ("settings", "/settings"), ("help", "/help"), ("start", "/start"), ("lock", "/lock"), ("nowhere", "/nowhere"),
)  # fmt: skip
EXERCISE = (("real-world", "/real-world"),)
FACTS = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": SINCE, "control": "K9"}
FORMATS = ("F03", "F04", "F05", "F06", "F08", "F09", "F10", "F11", "F13")


async def furnish(room, party="us"):
    """Fill a room with what its pages show: [(name, path)] of every page of a party's desk."""
    other = "cn" if party == "us" else "us"
    theirs = await room.send(other, lang="zh", line="夜间观察到三次异常访问，来源不明。")
    ours = await room.send(party, line="Three unusual accesses seen at night, origin unknown.")
    await room.seen(party, theirs)
    await room.seen(other, ours)
    desk = room.desk(party)
    async with desk.working() as client:
        case = next(m for m in client.messages() if m.verdict.number == ours)
        official = next(
            kid
            for kid, member in client.view.fold.party(client.view.letter).members.items()
            if member.seat == "official"
        )
        two = Draft(fmt="F03", body=FACTS | {"line": "Two sign."}, lang="en", level="consultation", cosign=(official,))
        waiting = await drafts.propose(client, two)
        record = f"{client.view.fold.party(client.view.letter).code}:{case.verdict.index}"
    written = {fmt: await write(desk, fmt, **({} if fmt in OPENING else {"case": ours})) for fmt in FORMATS}
    single = await write(desk, "F13", values={"entry": "MAPLE 00"}, single=True)
    return [
        *PLAIN, *(EXERCISE if room.mode == 2 else ()),
        ("thread", f"/m/{theirs}"), ("thread-own", f"/m/{ours}"), ("record", f"/r/{record}"), ("case", f"/cases/{ours}"),
        ("approval", f"/approvals/{waiting.did.hex()}"),
        *((f"compose-{fmt}", f"/compose/{id_}") for fmt, id_ in written.items()),
        ("review", f"/review/{written['F03']}"), ("review-single", f"/review/{single}"), ("throw", f"/compose/{written['F03']}/throw"),
    ]  # fmt: skip
