"""Messages, receipts, the watch, exercise control and node records: each reason has a record that has it."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from channel.protocol.effects import year
from channel.protocol.fold import Fold
from channel.protocol.merkle import EMPTY
from channel.protocol.people import Ack
from channel.protocol.record import NOTHING_SEEN
from keys import suites
from keys.codec import pack, unpack
from keys.envelope import Envelope, sign
from keys.errors import Refused, Unavailable, WrongUse
from tests.world import START, World, digest, key


@pytest.fixture
def world() -> World:
    return World()


def items(fold: Fold, kind: str) -> dict[bytes, object]:
    """The values of a kind of item by packed key."""
    found = [unpack(raw) for raw in fold.state_items()]
    return {pack(k): value for name, k, value in found if name == kind}


# --- the opening ------------------------------------------------------------------------------------------------------


def test_an_opening_gives_charter_policy_and_both_parties(world: World) -> None:
    """Eight valid records open the channel; until the eighth is there nothing is judged."""
    fold = Fold(world.chan, world.blobs.get)
    fold.add("a", world.logs["a"])
    fold.add("b", world.logs["b"][:3])
    assert fold.cut == (0, 0)
    assert fold.charter is None
    assert fold.verdict("a", 0).reason == "UNJUDGED"
    assert fold.result() == (0, EMPTY, 0, EMPTY, EMPTY)
    with pytest.raises(Unavailable):
        fold.policy("a")
    fold.add("b", world.logs["b"][3:])
    assert fold.cut == (4, 4)
    assert fold.charter == world.charter
    assert fold.policy("b") == world.policy
    assert fold.policy_payload("b") == world.charter.policy
    assert fold.party("b").code == "US"
    assert {fold.verdict(x, i).reason for x in "ab" for i in range(4)} == {""}
    assert len(items(fold, "key")) == 2 * 14


def rebuilt(change: dict[tuple[str, int], object]) -> World:
    """A world whose opening envelopes are replaced."""
    world = World(opening=False)
    for x in "ab":
        for i, (t, env, names) in enumerate(world.opening[x]):
            made = change.get((x, i), env)
            assert isinstance(made, bytes)
            world.put(x, t, made, seen=NOTHING_SEEN, blobs=names)
    return world


@pytest.mark.parametrize(
    ("place", "doc", "who"),
    [
        (("a", 0), "charter", "charter"),
        (("b", 3), "policy", "policy"),
        (("a", 1), "root", "a"),
        (("b", 2), "roster", "b"),
    ],
)
def test_an_opening_signed_by_too_few_is_refused_whole(place: tuple[str, int], doc: str, who: str) -> None:
    """One document without its threshold, and all eight records and whatever follows are refused with OPEN."""
    plain = World()
    document = {
        "charter": plain.charter,
        "policy": plain.policy,
        "root": plain.roots["a"],
        "roster": plain.rosters["b"],
    }[doc]
    letters = "ab" if who in ("charter", "policy") else who
    env = sign(doc, document, [k for x in letters for k in plain.authority(x)[:1]]).encode()
    places = [(x, place[1]) for x in "ab"] if doc in ("charter", "policy") else [place]
    world = rebuilt(dict.fromkeys(places, env))
    later = world.send("a", "expert1")
    fold = world.fold()
    assert fold.open_fault == "THRESHOLD"
    assert {fold.verdict(x, i).reason for x in "ab" for i in range(4)} == {"OPEN"}
    assert world.reason(later, fold) == "OPEN"
    assert fold.charter is None
    assert fold.state_items() == []


def test_an_opening_with_different_envelopes_or_channel_is_refused() -> None:
    """Charter and policy are the same bytes in both logs, and the charter is the channel's."""
    plain = World()
    again = sign("policy", plain.policy, [k for x in "ab" for k in plain.authority(x)[:2]]).encode()
    assert rebuilt({("a", 3): again}).fold().open_fault == "differ"
    fold = Fold(bytes(32), plain.blobs.get)
    for x in "ab":
        fold.add(x, plain.logs[x])
    assert fold.open_fault == "channel"


def test_a_charter_after_the_opening_is_refused(world: World) -> None:
    """The charter stands in the opening and nowhere else."""
    t, env, names = world.opening["a"][0]
    assert world.reason(world.put("a", t, env, blobs=names)) == "OPEN"


# --- records ----------------------------------------------------------------------------------------------------------


def test_opaque_records_are_kept_and_ignored(world: World) -> None:
    """What does not decode, or has an unknown type, counts with its predecessor and changes nothing."""
    first = world.send("a", "expert1")
    for raw in (b"no record", world.put("a", "later", b"").raw):
        sent = world.raw("a", raw)
        verdict = world.fold().verdict("a", sent.index)
        assert (verdict.reason, verdict.record) == ("OPAQUE", None)
    assert world.fold().find(first.ph) is not None
    assert len(world.fold().display()) == len(world.logs["a"]) + 4


def test_parse(world: World) -> None:
    """An envelope, a payload, a payload type or a node body that does not decode is PARSE; the record still counts."""
    payload = world.message("a", "expert1")
    other = sign("ack", payload, [world.signer("a", "expert1")])
    broken = [
        world.put("a", "msg", b"x"),
        world.put("a", "msg", other),
        world.put("a", "msg", Envelope("application/vnd.dcx.msg.v1+msgpack", pack({"v": 1}), ())),
        world.node("a", "node.boot", {"impl": "x"}),
        world.node("a", "node.evidence", {"k": "E9"}),
        world.put("a", "node.evidence", pack([1])),
    ]
    assert [world.reason(s) for s in broken] == ["PARSE"] * 6
    sent = world.send("a", "expert1")
    assert world.fold().verdict("a", sent.index).number == "CN-2026-000004"


def test_seen_with_a_wrong_root_or_falling_is_refused_and_counts_as_before(world: World) -> None:
    """A false or falling ``seen``, and a falling ``ts``, is SEEN; the next record goes on from the one before."""
    for _ in range(3):
        world.sync("b")
    world.sync("a", seen=6)
    false = world.sync("a", seen=(0, 7, bytes(32)))
    falling = world.sync("a", seen=5)
    early = world.sync("a", ts=START)
    good = world.sync("a", seen=6)
    fold = world.fold()
    assert [world.reason(s, fold) for s in (false, falling, early, good)] == ["SEEN", "SEEN", "SEEN", ""]
    assert set(items(fold, "evidence")) == {pack(["E5", "a", s.index]) for s in (false, falling)}


def test_a_made_up_size_is_refused_as_soon_as_the_other_log_goes_on(world: World) -> None:
    """A ``seen`` far beyond the other log waits until a record there has seen it, and is false from then on."""
    bogus = world.sync("b", seen=(0, 10**9, bytes(32)))
    number = world.sync("b", seen=4)
    assert world.fold().cut == (4, 4)
    world.sync("a", seen=bogus.index + 1)
    fold = world.fold()
    assert fold.cut == (5, 6)
    assert (world.reason(bogus, fold), world.reason(number, fold)) == ("SEEN", "")


def test_records_wait_for_what_they_have_seen(world: World) -> None:
    """Only the closed cut is judged; the rest follows when the other log arrives."""
    sent = world.send("b", "expert1")
    answer = world.ack("a", "expert1", sent)
    fold = Fold(world.chan, world.blobs.get)
    fold.add("b", world.logs["b"][:4])
    fold.add("a", world.logs["a"])
    assert fold.cut == (4, 4)
    assert fold.held == (5, 4)
    assert fold.verdict("a", answer.index).reason == "UNJUDGED"
    fold.add("b", world.logs["b"][4:])
    assert fold.cut == (5, 5)
    assert fold.verdict("a", answer.index).reason == ""
    with pytest.raises(WrongUse):
        fold.verdict("a", 5)


# --- who signed -------------------------------------------------------------------------------------------------------


def test_mode() -> None:
    """A signature under the other mode's context, and a key of the other mode, is MODE before anything else."""
    world, exercise = World(1), World(2)
    payload = world.message("a", "expert1")
    crossed = world.resign("msg", payload, [world.signer("a", "expert1")], mode=2)
    first = world.put("a", "msg", crossed, blobs=[payload.blob])
    theirs = exercise.signer("a", "expert1")
    foreign = exercise.message("a", "expert1")
    second = world.put("a", "msg", sign("msg", foreign, [theirs]), blobs=[theirs.kid, foreign.blob])
    world.blobs[theirs.kid] = theirs.public.encode()
    same = key("US twin", 1)
    twin = type(same)(2, suites.SIGN, world.signer("a", "expert1").seed())
    third = world.put("a", "msg", sign("msg", replace(payload, from_=twin.kid), [twin]), blobs=[payload.blob])
    assert [world.reason(s) for s in (first, second, third)] == ["MODE"] * 3
    contacts = exercise.revoke("a", [bytes(32)])
    assert contacts.env is not None
    assert world.reason(world.put("a", "revoke", contacts.env)) == "MODE"
    control = World(1).exercise("a", "operator", "real-world")
    assert control.env is not None
    assert world.reason(world.put("a", "exercise", control.env)) == "MODE"


def test_chan(world: World) -> None:
    """A document of another channel, or of the other party's, is CHAN."""
    assert world.reason(world.send("a", "expert1", chan=bytes(32))) == "CHAN"
    other = World().revoke("b", [bytes(32)])
    assert other.env is not None
    assert world.reason(world.put("a", "revoke", other.env)) == "CHAN"


@pytest.mark.parametrize("seat", ["records"])
def test_signer_by_role(world: World, seat: str) -> None:
    """A member whose role signs no messages is SIGNER, as is a stranger and a member of the other party."""
    stranger = key("stranger", 1)
    foreign = world.message(
        "a",
        "expert1",
    )
    sent = [
        world.send("a", seat),
        world.append("a", "msg", replace(foreign, from_=stranger.kid), [stranger]),
        world.append("a", "msg", replace(foreign, from_=world.signer("b", "expert1").kid), [world.signer("b", "expert1")]),
        world.append("a", "msg", foreign, [world.signer("a", "expert1"), stranger]),
    ]  # fmt: skip
    assert [world.reason(s) for s in sent] == ["SIGNER"] * 4


def test_sig(world: World) -> None:
    """A bad signature, one too few and one too many are SIG."""
    payload = world.message("a", "expert1", cosign=("duty",), level="serious")
    whole = sign("msg", payload, [world.signer("a", "expert1"), world.signer("a", "duty")])
    kid, sig = whole.signatures[0]
    bent = Envelope(whole.payload_type, whole.payload, ((kid, sig[:-1] + bytes([sig[-1] ^ 1])), whole.signatures[1]))
    stripped = Envelope(whole.payload_type, whole.payload, whole.signatures[:1])
    sent = [world.put("a", "msg", e, blobs=[payload.blob]) for e in (bent, stripped)]
    sent.append(world.send("a", "expert1", signers=("expert1", "duty")))
    fold = world.fold()
    assert [world.reason(s, fold) for s in sent] == ["SIG"] * 3
    assert fold.verdict("a", sent[0].index).signers == ()


def test_a_stripped_signature_never_shadows_the_whole_record(world: World) -> None:
    """The same payload with a signature less, logged first, is refused; the whole one after it is valid."""
    payload = world.message("a", "expert1", cosign=("duty",), level="serious")
    whole = sign("msg", payload, [world.signer("a", "expert1"), world.signer("a", "duty")])
    for cut in (whole.signatures[:1], whole.signatures[1:]):
        world.put("a", "msg", Envelope(whole.payload_type, whole.payload, cut), blobs=[payload.blob])
    sent = world.put("a", "msg", whole, blobs=[payload.blob])
    fold = world.fold()
    assert world.reason(sent, fold) == ""
    assert fold.case_level(whole.hash) == "serious"
    assert fold.verdict("a", sent.index).number == "CN-2026-000003"


# --- the message ------------------------------------------------------------------------------------------------------


def test_kem(world: World) -> None:
    """A recipient who is nobody's, a signing key, or a missing records key is KEM."""
    good = world.recipients()
    without = tuple(k for k in good if k != world.seal("b", "records").kid)
    strange = (*good, digest(b"x")), (*good, world.signer("b", "expert1").kid), without
    sent = [world.send("a", "expert1", to=tuple(sorted(to))) for to in strange]
    assert [world.reason(s) for s in sent] == ["KEM"] * 3


def test_dup_and_the_evidence_of_two_payloads_with_one_mid(world: World) -> None:
    """A second payload with one ``mid`` is DUP and evidence; the same payload again is DUP alone."""
    first = world.send("a", "expert1")
    assert first.env is not None
    again = world.put("a", "msg", first.env, blobs=[first.doc.blob])
    assert items(world.fold(), "evidence") == {}
    second = world.send("a", "expert1", mid=first.doc.mid, lang="zh")
    fold = world.fold()
    assert [world.reason(s, fold) for s in (first, again, second)] == ["", "DUP", "DUP"]
    evidence = {pack(["E4", "a", first.doc.from_, first.doc.mid]): sorted([first.ph, second.ph])}
    assert items(fold, "evidence") == evidence


FORM = {
    "prec": {"prec": "Z"},
    "suite": {"suite": 0x0102},
    "unsorted": {"to": None},
    "single outside F13": {"single": True},
    "ans outside F02": {"ans": "YES"},
    "cor outside F14": {"cor": "COR"},
    "ack_by too short": {"ack_by": 60},
    "reply_by too short": {"reply_by": 60},
    "F12 without move": {"fmt": "F12"},
    "blen": {"blen": 4 << 20},
    "not its blob": {"blobs": ()},
}


@pytest.mark.parametrize("name", FORM)
def test_fmt(world: World, name: str) -> None:
    """A header against the rules of its form is FMT."""
    fields = dict(FORM[name])
    if "to" in fields:
        fields["to"] = tuple(reversed(world.recipients()))
    if "blen" in fields:
        payload = replace(world.message("a", "expert1"), **fields)
        assert world.reason(world.append("a", "msg", payload, ["expert1"])) == "FMT"
        return
    assert world.reason(world.send("a", "expert1", **fields)) == "FMT"


def test_longer_deadlines_are_allowed_and_shown(world: World) -> None:
    """``ack_by`` and ``reply_by`` may ask for no less time than the level gives, and then they count."""
    sent = world.send("a", "expert1", ack_by=20_000, reply_by=300_000)
    world.sync("b")
    view = world.fold().find(sent.ph)
    assert view is not None
    received = view.receipt_time
    assert received == START + 1000
    assert view.deadlines["read"] == received + 20_000_000
    assert view.deadlines["reply"] == received + 300_000_000


def test_ref(world: World) -> None:
    """References name valid messages that the record stands on; F02, F07, F14, F04 and F07 have their own demands."""
    case = world.send("a", "expert1")
    query = world.send("b", "expert1", "F06")
    ack = world.ack("b", "expert1", case)
    refused = [
        world.send("a", "expert1", "F08", refs=(digest(b"nothing"),)),
        world.send("a", "expert1", "F04"),
        world.send("a", "expert1", "F02", case=case.ph),
        world.send("a", "expert1", "F14", case=case.ph),
        world.send("a", "expert1", "F07", case=case.ph, refs=(case.ph,)),
        world.send("a", "expert1", "F02", refs=(ack.ph,)),
    ]
    valid = [
        world.send("a", "expert1", "F07", case=query.ph, refs=(query.ph,)),
        world.send("a", "expert1", "F02", refs=(query.ph,), ans="CHK"),
        world.send("a", "expert1", "F14", refs=(ack.ph,), cor="ERR"),
        world.send("a", "expert1", "F04", case=case.ph),
    ]
    fold = world.fold()
    assert [world.reason(s, fold) for s in refused] == ["REF"] * 6
    assert [world.reason(s, fold) for s in valid] == [""] * 4
    blind = world.send("b", "expert1", "F08", refs=(valid[0].ph,), seen=5)
    assert world.reason(blind) == "REF"


def test_level_susp_case_move_sigs(world: World) -> None:
    """Each reason of the ladder, from signed records."""
    case = world.send("a", "expert1")
    reasons = {
        "LEVEL": world.send("a", "duty", "F13", single=True, level="serious"),
        "CASE": world.send("a", "expert1", "F04", case=digest(b"none")),
        "MOVE": world.move("a", ("expert1",), "lower", case.ph, "serious", "consultation"),
        "SIGS": world.move("a", ("expert1",), "raise", case.ph, "attention", "serious"),
    }
    world.move("b", ("official",), "suspend")
    reasons["SUSP"] = world.send("a", "expert1", "F04", case=case.ph)
    fold = world.fold()
    assert {name: world.reason(s, fold) for name, s in reasons.items()} == {name: name for name in reasons}
    assert fold.suspended()
    assert items(fold, "suspended") == {pack(["b"]): True}


def test_levels_of_cases_and_of_the_channel(world: World) -> None:
    """A raise holds at once, a lowering when both logs hold it, and the channel has its highest case's level."""
    case = world.send("a", "expert1")
    other = world.send("b", "expert1", level="routine")
    world.move("b", ("expert1", "duty"), "raise", case.ph, "attention", "serious")
    assert world.fold().case_level(case.ph) == "serious"
    lower = world.move("a", ("expert1", "duty"), "lower", case.ph, "serious", "consultation")
    assert world.fold().level() == "serious"
    at = lower.doc.move.at
    world.move("b", ("expert1", "duty"), "concur", case.ph, "serious", "consultation", at)
    fold = world.fold()
    assert fold.level() == "consultation"
    close = world.move("a", ("expert1",), "close", other.ph, "routine")
    world.move("b", ("expert1",), "concur", other.ph, "routine", at=close.doc.move.at)
    fold = world.fold()
    assert fold.case_level(other.ph) is None
    assert items(fold, "case")[pack([other.ph])] == {"by": ["b", other.index], "closed": True}
    assert fold.case_level(digest(b"none")) is None


# --- receipts ---------------------------------------------------------------------------------------------------------


def test_acknowledgements(world: World) -> None:
    """One expert, official or duty officer of the other party, for a valid message that the record stands on."""
    sent = world.send("a", "expert1")
    late = world.ack("b", "expert2", sent, seen=4)
    read = world.ack("b", "expert1", sent)
    assert read.env is not None
    wrong = {
        "REF": world.ack("a", "expert1", sent),
        "SIGNER": world.ack("b", "operator", sent),
        "FMT": world.ack("b", "expert1", sent, "read", next=START),
        "DUP": world.put("b", "ack", read.env),
        "CHAN": world.append("b", "ack", replace(read.doc, chan=bytes(32)), ["expert1"]),
        "SIG": world.append("b", "ack", replace(read.doc, ts=1), ["expert1", "duty"]),
    }
    engaged = world.ack("b", "duty", sent, "not-engaging", next=START)
    fold = world.fold()
    assert {name: world.reason(s, fold) for name, s in wrong.items()} == {name: name for name in wrong}
    assert (world.reason(late, fold), world.reason(engaged, fold)) == ("REF", "")
    view = fold.find(sent.ph)
    assert view is not None
    assert [(a.index, a.doc.step, a.signers[0].seat) for a in view.acks] == [
        (read.index, "read", "expert1"), (engaged.index, "not-engaging", "duty"),
    ]  # fmt: skip
    assert fold.find(sent.doc.mid) == view


@pytest.mark.parametrize(("after", "state"), [(900_000, "in time"), (900_001, "late")])
def test_an_emergency_release_is_confirmed_in_time_or_late(world: World, after: int, state: str) -> None:
    """Another person of the party confirms within fifteen minutes by the same log's ts; the first one counts."""
    sent = world.send("a", "duty", "F13", single=True, at=START)
    plain = world.send("a", "expert1", at=START)
    fold = world.fold()
    view = fold.find(sent.ph)
    assert view is not None
    assert view.confirm == "awaiting"
    own = world.confirm("a", "duty", sent, ts=START)
    operator = world.confirm("a", "operator", sent, ts=START)
    other = world.confirm("a", "expert1", plain, ts=START)
    foreign = world.confirm("b", "expert1", sent)
    good = world.confirm("a", "expert1", sent, ts=START + after)
    world.confirm("a", "expert2", sent, ts=START + after + 1)
    fold = world.fold()
    assert [world.reason(s, fold) for s in (own, operator, other, foreign, good)] == ["SIGS", "SIGS", "REF", "REF", ""]
    view = fold.find(sent.ph)
    assert view is not None
    assert view.confirm == state
    assert items(fold, "msg")[pack(["a", sent.index])]["confirm"] == state  # type: ignore[index]
    assert world.fold().find(plain.ph).confirm == ""  # type: ignore[union-attr]


def test_the_watch(world: World) -> None:
    """An empty post is taken alone, a held one with an official or operator; a handover carries both officers."""
    steps = [
        ("", world.watch("a", "take", "duty", on="duty")),
        ("WATCH", world.watch("a", "take", "duty", on="duty", ts=START + 9000)),
        ("WATCH", world.watch("a", "take", "expert1", on="duty")),
        ("REF", world.watch("a", "take", "nowhere", on="duty")),
        ("FMT", world.watch("a", "handover", "duty", on="duty")),
        ("", world.watch("a", "take", "duty", on="duty", off="operator")),
        ("WATCH", world.watch("a", "take", "duty", on="duty", off="expert1")),
        ("WATCH", world.watch("a", "leave", "duty", off="expert1")),
        ("SIGNER", world.watch("a", "take", "records", on="records")),
    ]
    fold = world.fold()
    assert [world.reason(s, fold) for _, s in steps] == [reason for reason, _ in steps]
    assert items(fold, "watch") == {pack(["a", "duty"]): world.signer("a", "duty").kid}
    world.watch("a", "leave", "duty", off="duty")
    assert items(world.fold(), "watch") == {}


# --- exercise ---------------------------------------------------------------------------------------------------------


def test_the_exercise_clock_and_what_comes_after_it() -> None:
    """The host's control starts, stops and ends; reveals wait for the end; the other party's control has no clock."""
    world = World(2)
    blob = digest(b"card")
    sealed = {"id": "i1", "to": (bytes(32),), "suite": 0x0101, "kc": bytes(32), "blob": blob, "blen": 1}
    steps = [
        ("CLOCK", world.exercise("a", "control", "pause")),
        ("", world.exercise("a", "control", "startex", rate=10, scenario=bytes(32))),
        ("CLOCK", world.exercise("a", "control", "startex", rate=10, scenario=bytes(32), x=1)),
        ("CLOCK", world.exercise("b", "control", "pause")),
        ("FMT", world.exercise("a", "control", "rate")),
        ("", world.exercise("a", "control", "pause", 5)),
        ("", world.exercise("a", "control", "resume", 5)),
        ("SIGNER", world.exercise("a", "expert1", "pause", 6)),
        ("", world.exercise("a", "control", "inject", 6, [blob], **sealed)),
        ("FMT", world.exercise("a", "control", "inject", 7, **sealed)),
        ("", world.exercise("a", "evaluator", "note", 7, [blob], **sealed)),
        ("", world.exercise("b", "expert1", "real-world", 7)),
        ("CLOCK", world.exercise("b", "records", "reveal", 8, mid=bytes(16), cek=bytes(32))),
        ("", world.exercise("a", "control", "endex", 9)),
        ("CLOCK", world.exercise("a", "control", "resume", 10)),
        ("", world.exercise("b", "records", "reveal", 9, mid=bytes(16), cek=bytes(32))),
        ("", world.exercise("a", "control", "shown", 9, list=())),
        ("", world.exercise("a", "control", "open", 9, [blob], salt=bytes(32), scenario=blob)),
    ]
    fold = world.fold()
    assert [world.reason(s, fold) for _, s in steps] == [reason for reason, _ in steps]
    clock = items(fold, "exercise")[pack([])]
    assert isinstance(clock, dict)
    assert (clock["state"], clock["rate"], clock["x"]) == ("ended", 10, 9)


# --- node records -----------------------------------------------------------------------------------------------------


def test_node_records_decode_or_are_refused(world: World) -> None:
    """The bodies of ``node.*`` are of their shape, and their few rules hold."""
    cert = digest(b"cert")
    steps = [
        ("", world.node("a", "node.boot", {"impl": "x", "wall": 1, "why": "start"})),
        ("FMT", world.node("a", "node.pin", {"cert": cert, "from": 1})),
        ("", world.node("a", "node.pin", {"cert": cert, "from": 1}, blobs=[cert])),
        ("FMT", world.node("a", "node.gap", {"lo": 1, "hi": 3, "hashes": [cert]})),
        ("", world.node("a", "node.gap", {"lo": 1, "hi": 2, "hashes": [cert]})),
        ("FMT", world.node("a", "node.ack", {"state": cert})),
        ("", world.node("a", "node.ack", {"state": cert, "at": [4, 4]})),
        ("", world.node("a", "node.alarm", {"code": "MODE", "count": 2})),
        ("", world.node("a", "node.evidence", {"k": "E1"})),
    ]
    fold = world.fold()
    assert [world.reason(s, fold) for _, s in steps] == [reason for reason, _ in steps]
    assert list(items(fold, "evidence")) == [pack(["E1", "a", steps[-1][1].index])]


def step(of: bytes, reason: str, receipt: str = "read", number: int = 1) -> dict[str, object]:
    return {"of": of, "receipt": receipt, "step": number, "reason": reason}


def test_the_reason_of_a_step_is_what_the_record_stands_on(world: World) -> None:
    """LINK, POST, UNK, READ and NEN as receipts come in; any other word is refused, as is a second of one key."""
    sent = world.send("a", "expert1")
    steps = [
        ("", world.node("a", "node.step", step(sent.ph, "LINK"))),
        ("STEP", world.node("a", "node.step", step(sent.ph, "LINK"))),
        ("STEP", world.node("a", "node.step", step(sent.ph, "UNK", number=2))),
    ]
    world.sync("b")
    steps += [
        ("", world.node("a", "node.step", step(sent.ph, "POST", number=2))),
        ("STEP", world.node("a", "node.step", step(digest(b"none"), "POST", number=2))),
    ]
    world.watch("b", "take", "duty", on="duty")
    steps.append(("", world.node("a", "node.step", step(sent.ph, "UNK", number=3))))
    world.ack("b", "expert1", sent, "read")
    steps.append(("", world.node("a", "node.step", step(sent.ph, "READ", "engaged"))))
    world.ack("b", "expert1", sent, "engaged")
    steps.append(("", world.node("a", "node.step", step(sent.ph, "UNK", "informed"))))
    world.ack("b", "expert1", sent, "not-engaging")
    steps.append(("", world.node("a", "node.step", step(sent.ph, "NEN", "reply"))))
    copy = world.node("b", "node.step", step(sent.ph, "LINK"))
    twisted = world.node("b", "node.step", step(sent.ph, "UNK", number=2))
    unseen = world.node("b", "node.step", step(sent.ph, "LINK", number=4))
    fold = world.fold()
    assert [world.reason(s, fold) for _, s in steps] == [reason for reason, _ in steps]
    assert [world.reason(s, fold) for s in (copy, twisted, unseen)] == ["", "STEP", "STEP"]
    assert pack(["b", sent.ph, "read", 1]) in items(fold, "step")


# --- what the fold shows ----------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_the_record_would_become_and_changes_nothing(world: World) -> None:
    """``judge`` and ``add`` agree, and the state is the same before and after a dry run."""
    sent = world.send("a", "expert1")
    fold = world.fold()
    before = fold.result()
    more = [world.send("a", "expert1"), world.send("a", "records"), world.ack("b", "expert1", sent, seen=5)]
    for each in more:
        dry = fold.judge(each.letter, each.raw)
        real = world.fold().verdict(each.letter, each.index)
        assert (dry.reason, dry.signers) == (real.reason, real.signers)
    assert fold.judge("a", b"x").reason == "OPAQUE"
    assert fold.result() == before
    assert Fold(world.chan, world.blobs.get).judge("a", sent.raw).reason == "OPEN"


def test_display_puts_first_what_was_seen_then_time_then_letter(world: World) -> None:
    """An answer stands after what it answers though its clock is slower; else the earlier ts, then a before b."""
    first = world.send("b", "expert1", at=START + 60_000)
    answer = world.send("a", "expert1", at=START + 1000)
    world.sync("b", seen=4, ts=START + 61_000)
    order = [(v.letter, v.index) for v in world.fold().display()]
    assert order[:8] == [("a", i) for i in range(4)] + [("b", i) for i in range(4)]
    assert order[8:] == [("b", first.index), ("a", answer.index), ("b", first.index + 1)]
    assert [m.ph for m in world.fold().messages()] == [first.ph, answer.ph]
    assert [("ab"[e.p], e.i) for e in world.fold().ordered()] == order


def test_flags_of_time_are_shown_and_change_nothing(world: World) -> None:
    """A ts far from the receipt time, or after the roster's end, is flagged; the record stays valid."""
    ahead = world.send("a", "expert1", at=START + 700_000)
    behind = world.send("b", "expert1", at=START + 1000)
    world.sync("b", ts=START + 2000)
    world.sync("a", ts=START + 90_000_000)
    late = world.send("a", "expert1", at=START + 3 * 31_536_000_000)
    fold = world.fold()
    assert fold.verdict("a", ahead.index).flags == {"SKEW_AHEAD"}
    assert fold.verdict("b", behind.index).flags == {"SKEW_BEHIND"}
    assert fold.verdict("a", late.index).flags == {"EXPIRED"}
    assert {world.reason(s, fold) for s in (ahead, behind, late)} == {""}


def test_default_recipients_are_current_readers_and_both_records_keys(world: World) -> None:
    """Experts, officials, duty officers and records of both parties, sorted; a revoked member is not among them."""
    fold = world.fold()
    assert len(fold.recipients()) == 12
    assert list(fold.recipients()) == sorted(fold.recipients())
    assert world.seal("a", "operator").kid not in fold.recipients()
    world.revoke("b", [world.signer("b", "duty").kid])
    fold = world.fold()
    assert world.seal("b", "duty").kid not in fold.recipients()
    assert len(fold.recipients()) == 11
    assert fold.current_kem("b", world.signer("b", "duty").kid) is None
    assert fold.current_kem("b", world.signer("b", "expert1").kid) == world.seal("b", "expert1").kid
    assert world.reason(world.send("a", "expert1", to=fold.recipients())) == ""


def test_numbers_count_refused_messages_and_take_the_year_of_the_record(world: World) -> None:
    """1 + earlier ``msg`` records; the year is UTC of ``ts``; never reset."""
    world.send("a", "records")
    sent = world.send("a", "expert1", at=1_798_761_599_999)
    next_year = world.send("a", "expert1", at=1_798_761_600_000)
    fold = world.fold()
    assert [fold.verdict("a", s.index).number for s in (sent, next_year)] == ["CN-2026-000002", "CN-2027-000003"]


@pytest.mark.parametrize(
    ("ts", "found"),
    [
        (0, 1970),
        (951_782_400_000, 2000),
        (4_102_444_799_999, 2099),
        (4_102_444_800_000, 2100),
        (2**64 - 1, 584_556_019),
    ],
)
def test_years_of_any_time(ts: int, found: int) -> None:
    """Any u64 of milliseconds has a year."""
    assert year(ts) == found


def test_a_named_key_that_is_not_at_hand_stops_the_fold_until_it_is(world: World) -> None:
    """FOLD_BLOB instead of another verdict; with the blob the same records are judged."""
    blobs = dict(world.blobs)
    kid = world.signer("a", "expert1").kid
    key_object = blobs.pop(kid)
    fold = Fold(world.chan, blobs.get)
    fold.add("a", world.logs["a"])
    with pytest.raises(Unavailable) as caught:
        fold.add("b", world.logs["b"])
    assert caught.value.code == "FOLD_BLOB"
    blobs[kid] = key_object
    fold.add("b", [])
    assert fold.cut == (4, 4)


def test_wrong_letters_and_log_numbers(world: World) -> None:
    """Only a and b, only the current log number or the next, which begins with a ``succeed`` that fits."""
    fold = world.fold()
    with pytest.raises(WrongUse):
        fold.add("c", [])
    with pytest.raises(WrongUse):
        fold.add("a", [b"x"], 2)
    with pytest.raises(Refused) as caught:
        fold.add("a", [b"x"], 1)
    assert caught.value.code == "SUCCEED"


def test_an_ack_of_a_message_can_be_asked_for_by_its_shape() -> None:
    """The shapes of people's records keep absent fields out of the bytes."""
    ack = Ack(chan=bytes(32), from_=bytes(32), mid=bytes(16), ph=bytes(32), step="read", ts=1)
    assert ack.next is UNSET
    assert set(unpack(pack(ack))) == {"v", "chan", "from", "mid", "ph", "step", "ts"}


def test_a_message_has_the_deadlines_of_the_lower_of_its_own_and_its_cases_level(world: World) -> None:
    """An opening its own, a raise where it goes, F01 the test's, ``single`` crisis', outside a case routine."""
    opening = world.send("a", "expert1", "F03", ("duty",), level="serious")
    inside = world.send("a", "expert1", "F08", case=opening.ph, level="attention")
    higher = world.send("a", "expert1", "F08", case=opening.ph, level="crisis", prec="Z")
    raised = world.move("a", ("expert1", "expert2", "official"), "raise", opening.ph, "serious", "crisis")
    outside = world.send("a", "expert1", "F08", level="crisis", prec="Z")
    line = world.send("a", "operator", "F01", level="routine")
    single = world.send("a", "duty", "F13", single=True, level="routine")
    small = world.send("a", "expert1", level="routine")
    close = world.move("a", ("expert1",), "close", small.ph, "routine")
    world.move("b", ("expert1",), "concur", small.ph, "routine", at=close.doc.move.at)
    closed = world.send("a", "expert1", "F08", case=small.ph, level="crisis", prec="Z")
    world.sync("b")
    fold = world.fold()
    hours = {"routine": 86_400, "attention": 10_800, "serious": 1800, "crisis": 600, "test": 900}
    wanted = [
        (opening, "serious"), (inside, "attention"), (higher, "serious"), (raised, "crisis"), (outside, "routine"),
        (line, "test"), (single, "crisis"), (closed, "routine"),
    ]  # fmt: skip
    for n, (sent, name) in enumerate(wanted):
        view = fold.find(sent.ph)
        assert view is not None, (n, world.reason(sent, fold))
        assert view.receipt_time is not None
        assert view.deadlines["read"] == view.receipt_time + 1000 * hours[name], (n, name)
    assert fold.find(single.ph).deadlines["engaged"] is not None  # type: ignore[union-attr]
    assert fold.find(line.ph).deadlines["engaged"] is None  # type: ignore[union-attr]


def test_before_its_receipt_nothing_is_due(world: World) -> None:
    """Without a record of the other log that has seen it, a message has no receipt time and no deadline."""
    world.send("a", "expert1")
    view = world.fold().messages()[0]
    assert (view.receipt_time, set(view.deadlines.values())) == (None, {None})
