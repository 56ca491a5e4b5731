"""Review: exactly what the other side will see, who has to sign, and the button whose words are what it does.

One signature enough: it is sent, once, however often the button is pressed or the page loaded again; the id of the text
gives the id of the message. More signatures: it waits in the side log, and its page is shown. An emergency release by one
person is held for five seconds, in which it can be cancelled.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from aiohttp import web

from channel.client import drafts
from channel.client.composing import compose
from channel.client.present import payload_view, worded
from channel.desk import checking, outgoing, writing
from channel.desk.bar import Bar
from channel.desk.pages.approvals import row_of
from channel.desk.posting import read_post
from channel.desk.showing import DESK, LANG, go, page, texts
from channel.protocol.header import Payload
from channel.protocol.verdicts import MessageView, Signer
from keys.envelope import read_envelope
from keys.errors import Malformed, Refused, Unavailable, Unverified, WrongUse

if TYPE_CHECKING:
    from channel.client.client import Client
    from channel.client.composing import Draft
    from channel.desk.open_desk import OpenDesk
    from channel.desk.writing import Written
    from channel.i18n import Texts
    from keys.errors import Problem

HOLD_SECONDS = 5.0
ID = "{id:[0-9a-f]{16}}"
FAULTS = (Refused, WrongUse, Malformed, Unverified)


def routes() -> list[web.RouteDef]:
    """The addresses of this module."""
    review = Review()
    return [
        web.get(f"/review/{ID}", review.show, name="review"),
        web.get(f"/review/{ID}/send", review.show),  # where a form that failed is looked at again
        web.post(f"/review/{ID}/send", review.send),
        web.get(f"/review/{ID}/hold", review.hold),
    ]


class Review:
    """The pages of one desk. ``_held``: what is held by its id: until when, and what was ticked."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, bool]] = {}

    async def show(self, request: web.Request) -> web.Response:
        """The review. Coming back to it cancels a release that was held."""
        desk, id_ = request.app[DESK], request.match_info["id"]
        if "part" not in request.query and self._held.pop(id_, None) is not None:
            desk.say_next("desk.review.cancelled")
        async with desk.working() as client:
            return await _gone(desk, client, id_) or await _shown(request, client, writing.load(desk, id_))

    async def send(self, request: web.Request) -> web.Response:
        """Do what the button says. What went out before is only shown."""
        form, desk, id_ = await read_post(request), request.app[DESK], request.match_info["id"]
        async with desk.working() as client:
            if (gone := await _gone(desk, client, id_)) is not None:
                return gone
            written = writing.load(desk, id_)
            try:
                _check(client, written, desk)
                outgoing.check_fresh(desk, form)
                draft = writing.to_draft(client, written)
                if draft.cosign:
                    return await _propose(desk, client, written, draft)
                if draft.single and not self._over(desk, id_):
                    self._held.setdefault(id_, (desk.clock.monotonic() + HOLD_SECONDS, "stale_ok" in form))
                    return go(f"/review/{id_}/hold")
                return await _send(desk, client, written, draft)
            except FAULTS as e:
                return await _shown(request, client, written, e)
            finally:
                if self._over(desk, id_):
                    self._held.pop(id_, None)

    def _over(self, desk: OpenDesk, id_: str) -> bool:
        """Whether its five seconds have passed."""
        return id_ in self._held and desk.clock.monotonic() >= self._held[id_][0]

    async def hold(self, request: web.Request) -> web.Response:
        """Five seconds with a large Cancel. Nothing is sent from here before they have passed."""
        desk, id_ = request.app[DESK], request.match_info["id"]
        async with desk.working() as client:
            if (gone := await _gone(desk, client, id_)) is not None:
                return gone
            if id_ not in self._held:
                return go(f"/review/{id_}")
            until, stale_ok = self._held[id_]
            return page(
                request,
                "hold.html",
                title="desk.review.hold_title",
                id=id_,
                left_ms=max(0, int((until - desk.clock.monotonic()) * 1000)),
                stale_ok=stale_ok,
                out=_out(client, writing.load(desk, id_), texts(request[LANG])),
            )


# --- the page ---------------------------------------------------------------------------------------------------------


async def _shown(
    request: web.Request, client: Client, written: Written, problem: Problem | None = None
) -> web.Response:
    desk, said = request.app[DESK], texts(request[LANG])
    values: dict[str, Any] = {"out": None, "before": None, "changes": [], "newer": [], "contacts": []}
    try:
        out = _out(client, written, said)
    except FAULTS as e:
        problem = problem or e
    else:
        before = await outgoing.earlier_draft(client, out.payload)
        down = outgoing.line_down(Bar(desk, said.lang).line.state)
        values = {
            "out": out,
            "before": None if before is None else row_of(desk, client, before, said),
            "changes": [] if before is None else outgoing.changes_since(client, before, out, said.lang),
            "newer": [m.verdict.number for m in checking.newer(client, written)],
            "contacts": outgoing.fall_back(client, said) if down else [],
        }
    return page(
        request,
        "review.html",
        title="desk.review.title",
        written=written,
        stale=outgoing.stale_age(desk, said),
        waits=await _waits(client, written),
        problem=worded(problem, said) if isinstance(problem, Refused) else problem,
        **values,
    )


def _out(client: Client, written: Written, said: Texts) -> outgoing.Outgoing:
    """The message as it would be sealed now, checked as it will be when it is sent."""
    draft, keys = writing.to_draft(client, written), client.keys
    made = compose(
        client.view,
        keys.sign,
        keys.seal.public.suite,
        draft,
        client.clock.now(),
        client.random,
        _mid(client, written.id),
    )
    payload, letter = made.sealed.payload, client.view.letter
    member = client.view.fold.party(letter).members.get(keys.sign.kid)
    if member is None:
        raise Refused("SIGNER")
    signer = Signer(member.kid, member.person, member.role, member.seat, member.standing, played=False)

    def view_of(texts_: Texts) -> Any:
        return payload_view(client, payload, signer, letter, texts_.say("desk.review.number_later"), texts_)

    return outgoing.outgoing(client, payload, draft.body, view_of, said.lang)


def _check(client: Client, written: Written, desk: OpenDesk) -> None:
    """What the form would not let through is not sent from here either; what is new in a grave case is opened first."""
    found = checking.faults(client, written, desk.random)
    if found:
        raise next(iter(found.values()))
    if newest := checking.to_open_first(client, written):
        raise Refused("OPEN_FIRST", numbers=[m.verdict.number for m in newest])


async def _waits(client: Client, written: Written) -> str:
    """The id of the draft that this text has become and that still waits for signatures; else ""."""
    found = await drafts.drafts(client, recent=True) if written.did else []
    return next((w.did.hex() for w in found if w.did.hex() == written.did and drafts.state(client, w) == "waiting"), "")


# --- sending, once ----------------------------------------------------------------------------------------------------


def _mid(client: Client, id_: str) -> bytes:
    """The id of the message that a text becomes: the same each time somebody tries to send it."""
    return sha256(b"desk/mid\0" + client.view.chan + client.keys.sign.kid + id_.encode()).digest()[:16]


async def _send(desk: OpenDesk, client: Client, written: Written, draft: Draft) -> web.Response:
    mid = _mid(client, written.id)
    sent = await _of_queue(client, mid) or await client.send(draft, mid)
    writing.drop(desk, written.id)
    desk.say_next("desk.review.sent", number=sent.verdict.number)
    return go(f"/m/{sent.verdict.number}")


async def _of_queue(client: Client, mid: bytes) -> MessageView | None:
    """The message where it was kept before and the node did not answer: it goes as it was signed, not a second time."""
    kept = [ph for ph, t, env, _ in client.home.queued() if t == "msg" and _read_mid(env) == mid]
    if not kept:
        return None
    await client.sync()
    sent = _logged(client, mid)
    if sent is None and any(ph in kept for ph, *_ in client.home.queued()):
        raise Unavailable("NOT_LOGGED", ph=kept[0])
    return sent


def _read_mid(env: bytes) -> bytes:
    return read_envelope(env).read("msg", Payload).mid


def _logged(client: Client, mid: bytes) -> MessageView | None:
    """The own side's message of an id, where the log has it."""
    known, letter = client.view.fold.known(), client.view.letter
    entry = None if known is None else known.sides["ab".index(letter)].mids.get(mid)
    return None if entry is None else client.view.fold.find(entry.ph)


async def _gone(desk: OpenDesk, client: Client, id_: str) -> web.Response | None:
    """Where to look instead: the message that this text has become already, or the draft that waits for signatures."""
    sent = _logged(client, _mid(client, id_))
    if sent is None:
        return None
    writing.drop(desk, id_)
    return go(f"/m/{sent.verdict.number}")


async def _propose(desk: OpenDesk, client: Client, written: Written, draft: Draft) -> web.Response:
    """Put it up for signature, once; after it ended, a further press puts up the text as it is then."""
    if waits := await _waits(client, written):
        return go(f"/approvals/{waits}")
    did = sha256(b"desk/did\0" + client.keys.sign.kid + f"{written.id} {written.did}".encode()).digest()[:16]
    if all(w.did != did for w in await drafts.drafts(client, recent=True)):
        await drafts.propose(client, draft, did)
    written.did = did.hex()
    await writing.keep(desk, written)
    desk.tell()
    desk.say_next("desk.review.proposed")
    return go(f"/approvals/{did.hex()}")
