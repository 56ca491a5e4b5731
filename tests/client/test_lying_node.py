"""A desk believes no node: each lie has one clear error, and the home keeps what it held (DESIGN 3.9, protocol 13)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from itertools import product

import pytest

from channel.client.composing import Draft
from channel.client.home import DeskHome
from channel.client.wire import Wire
from channel.i18n import problem_texts
from channel.protocol import merkle
from channel.protocol import note as notes
from channel.protocol.note import NotePrivate
from keys.codec import pack
from keys.errors import Malformed, Problem, SecurityAlarm, Unavailable, Unverified
from tests.client.liar import changed
from tests.node.parties import CLOCK


def draft(line="a line"):
    body = {"category": "UNX", "origin": "UNK", "intent": ["UNK"], "since": CLOCK.now(), "control": "K9", "line": line}
    return Draft(fmt="F03", body=body, lang="en")


def held(folder):
    """Everything that a home holds to be true, and what waits there."""
    home = DeskHome(folder)
    try:
        kinds = [(x, kind) for x in "ab" for kind in ("log", "cosigned", "anchor")]
        return (
            [home.records(x) for x in "ab"], {place: home.notes(*place) for place in kinds},
            [ph for ph, *_ in home.queued()], home.forks(),
        )  # fmt: skip
    finally:
        home.close()


async def caught(side, lie, kind=Unverified):
    """The error of a desk that meets a lie; nothing but the truth is in its home, and what it held before still is."""
    before = held(side.folder)
    side.liar.lies = lie
    with pytest.raises(kind) as info:
        async with side.client() as client:
            await client.sync()
    side.liar.lies = {}
    records, noted, queue, forks = held(side.folder)
    for x, had, now in zip("ab", before[0], records, strict=True):
        true = await side.b.log(x).records(0, side.b.sizes[x])
        assert now[: len(had)] == had
        assert now == true[: len(now)]
        for (letter, _), raws in noted.items():
            roots = [
                note.root == merkle.root_of(map(merkle.leaf_hash, true[: note.size])) for note in map(notes.parse, raws)
            ]
            assert letter != x or all(roots)
    assert queue == before[2]
    assert isinstance(info.value, SecurityAlarm) or forks == []
    for lang in ("en", "zh"):
        assert all(problem_texts(info.value, lang))
    return info.value


async def exchanged(side, count=3):
    """Some messages of both sides in the logs, and a desk of US that has verified them."""
    async with side.client() as us, side.client(code="CN") as cn:
        await us.sync()
        await cn.sync()
        for i in range(count):
            await us.wait((await us.send(draft(f"US {i}"))).ph, "delivered", 20)
            await cn.wait((await cn.send(draft(f"CN {i}"))).ph, "delivered", 20)
        await us.sync()


def in_notes(letter, change):
    """A lie about the notes of one log."""
    return {"/notes": changed(lambda said: said[letter].update(change(said[letter])))}


def without(name):
    """Notes without the lines of a signer: how the other party's cosignature is left out or claimed."""

    def change(said):
        return {"cosigned": _strip(said["cosigned"], name), "newest": _strip(said["newest"], name), "anchors": []}

    return change


def _strip(raw, name):
    note = notes.parse(raw)
    return replace(note, lines=tuple(line for line in note.lines if line.name != name)).encode()


async def test_without_the_peers_line_nothing_is_delivered_and_nothing_of_the_peer_is_shown(side):
    """Own records under a note without the other party's line are logged, not delivered; the peer's are not taken."""
    _, (cosigner, _) = side.b.note_keys("b")
    _, (own_cosigner, _) = side.b.note_keys("a")
    async with side.client(code="CN") as cn:
        await cn.sync()
        got = await cn.wait((await cn.send(draft())).ph, "delivered", 20)
    side.liar.lies = {
        "/notes": changed(lambda said: (said["b"].update(without(cosigner)(said["b"])), said["a"].update(without(own_cosigner)(said["a"])), None)[-1])
    }  # fmt: skip
    async with side.client() as us:
        await us.sync()
        assert us.view.sizes()[0] == 0
        assert us.view.sizes()[1] >= 4
        assert us.view.state("b", 0) == "logged"
    side.liar.lies = {}
    async with side.client() as us:
        await us.sync()
        assert us.find(got.ph)
        assert us.view.state("b", 0) in {"delivered", "anchored"}


async def test_a_signature_that_does_not_hold(side):
    """A bad line of a known key makes the whole note worthless."""
    await exchanged(side, 1)

    def bend(said, part):
        note = notes.parse(said["cosigned"])
        mine = [line for line in note.lines if (line.name == note.origin) == (part == "log")]
        bad = replace(mine[0], sig=mine[0].sig[:-1] + bytes([mine[0].sig[-1] ^ 1]))
        return {
            "cosigned": replace(note, lines=tuple(bad if line is mine[0] else line for line in note.lines)).encode()
        }

    for letter, part in product("ab", ("log", "cosigner")):
        error = await caught(side, in_notes(letter, partial(bend, part=part)))
        assert error.code == "NOTE_SIG"


def forged(side, letter, size, root):
    """A note of a log that its own key signed and the other party's cosigner did too, over any root."""
    place = "ab".index(letter)
    mine, other = side.parties.trial.parties[place], side.parties.trial.parties[1 - place]
    origin = notes.origin(side.parties.chan, letter, 0)
    note = notes.sign_quick(NotePrivate(mine.log), origin, size, root)
    name = notes.cosigner_name(notes.origin(side.parties.chan, "ba"[place], 0))
    return notes.merge(
        note, notes.cosign(NotePrivate(other.cos), name, note, CLOCK.now() // 1000, anchor=False)
    ).encode()


async def test_two_histories_are_an_alarm_for_ever(side):
    """A signed note with another root is a log fork: kept, told again at each sending, and never forgotten."""
    await exchanged(side)
    for letter, below in product("ab", (0, 2)):
        (side.folder / "desk.sqlite").unlink()
        async with side.client() as us:
            await us.sync()
        size = side.b.sizes[letter] - below
        raw = forged(side, letter, size, b"\x07" * 32)
        lie = in_notes(letter, lambda said, raw=raw: {"anchors": [*said["anchors"], raw]})
        error = await caught(side, lie, SecurityAlarm)
        assert (error.code, error.values["size"]) == ("LOG_FORK", size)
        assert held(side.folder)[3] == [(letter, raw)]
        for _ in range(2):
            async with side.client() as us:
                await us.sync()
                asked = len(side.liar.asked)
                with pytest.raises(SecurityAlarm, match="LOG_FORK"):
                    await us.send(draft())
                assert len(side.liar.asked) == asked


async def test_two_new_notes_of_one_size_that_disagree(side):
    """Notes that come together and tell of two histories are a fork, though nothing was verified before."""
    raw = forged(side, "b", 10_000, b"\x07" * 32), forged(side, "b", 10_000, b"\x08" * 32)
    error = await caught(side, in_notes("b", lambda said: {"anchors": [*said["anchors"], *raw]}), SecurityAlarm)
    assert error.code == "LOG_FORK"


async def test_an_older_state_of_the_log(side):
    """A node that shows less than was verified before is behind; nothing is lost and nothing is believed."""
    old = {}
    async with side.client() as us:
        await us.sync()
    old["/notes"] = changed(lambda _: said)
    async with side.client() as us:
        said = await us.wire.notes()
        await us.wait((await us.send(draft())).ph, "delivered", 20)
    error = await caught(side, old, Unavailable)
    assert error.code == "NODE_BEHIND"


RECORDS = {
    "altered": lambda some: [some[0], some[1][:-1] + bytes([some[1][-1] ^ 1]), *some[2:]],
    "dropped": lambda some: [some[0], *some[2:], some[-1]],
    "swapped": lambda some: [some[1], some[0], *some[2:]],
    "doubled": lambda some: [some[0], some[0], *some[1:-1]],
    "empty": lambda some: [b"", *some[1:]],
}


async def test_other_records_than_the_notes_cover(side):
    """Records that were altered, dropped, swapped or doubled are not taken, not one of them."""
    await exchanged(side, 1)
    for letter, (name, change) in product("ab", RECORDS.items()):
        (side.folder / "desk.sqlite").unlink(missing_ok=True)  # a new machine: everything is fetched again
        error = await caught(side, {f"/records?log={letter}": changed(change)})
        assert error.code == "NODE_RECORDS", name


async def test_records_of_the_other_log(side):
    """The other log's records, under its own notes, are not taken for this one's."""
    await exchanged(side, 1)
    (side.folder / "desk.sqlite").unlink()
    error = await caught(side, {"/notes": changed(lambda said: {"a": said["b"], "b": said["a"]})})
    assert error.code == "NOTE_ORIGIN"


async def test_a_blob_that_is_another(side):
    """A blob that does not have its hash is not taken."""
    await exchanged(side, 1)
    (side.folder / "desk.sqlite").unlink()
    error = await caught(side, {"/blob/": lambda _path, raw: raw[:-1] + bytes([raw[-1] ^ 1])})
    assert error.code == "BLOB_HASH"


async def test_answers_that_are_cut(side):
    """Half an answer is none."""
    for path, cut in product(("/notes", "/records"), (0, 1, 40)):
        error = await caught(side, {path: lambda _path, raw, cut=cut: raw[: cut and -cut]}, Problem)
        assert error.code == "NODE_ANSWER"


async def test_answers_of_another_shape(side):
    """An answer that is whole and not what was asked for is told as such."""
    for said in ({}, {"a": 1}, [], "notes", [1], {"a": {"newest": b""}, "b": {"newest": b""}}):
        for path in ("/notes", "/login", "/records") if said != [] else ("/notes", "/login"):
            error = await caught(side, {path: lambda _path, _raw, said=said: pack(said)}, Problem)
            assert error.code == "NODE_ANSWER"


async def test_no_note_at_all(side):
    """Bytes that are no note are malformed, and nothing comes of them."""
    error = await caught(side, in_notes("b", lambda _said: {"newest": b"no note"}), Malformed)
    assert error.code


async def test_an_endless_answer(side, monkeypatch):
    """An answer beyond every honest size is not read to its end."""
    monkeypatch.setattr("channel.client.wire.MAX_ANSWER", 100_000)
    error = await caught(side, {"/notes": lambda _path, _raw: bytes(200_000)}, Unavailable)
    assert error.code == "NODE_ANSWER"


async def test_an_answer_that_does_not_come(side):
    """A node that does not answer is waited for so long and no longer."""
    gate = asyncio.Event()

    async def never(_path, raw):
        await gate.wait()
        return raw

    side.liar.lies = {"/health": never}
    try:
        async with Wire(side.liar.url, side.parties.cert("US"), side.parties.chan, seconds=0.3) as wire:
            with pytest.raises(Unavailable, match="NODE_UNREACHABLE"):
                await wire.health()
    finally:
        gate.set()


async def test_another_certificate(side):
    """A node that shows another certificate than the home's is an alarm before anything is said to it."""
    async with Wire(side.liar.url, side.parties.cert("CN"), side.parties.chan) as wire:
        with pytest.raises(SecurityAlarm, match="NODE_CERT"):
            await wire.health()


async def test_a_record_that_was_taken_and_is_not_shown(side):
    """A node that says yes and logs nothing: the envelope stays and the same bytes go again."""
    async with side.client() as us:
        await us.sync()
        side.liar.lies = {"/submit": lambda _path, _raw: pack({"log": "b0", "index": 0, "dup": True})}
        frozen = await us.wire.notes()
        side.liar.lies["/notes"] = changed(lambda _: frozen)
        with pytest.raises(Unavailable, match="NOT_LOGGED"):
            await us.send(draft("kept"))
        (kept,) = us.home.queued()
    side.liar.lies = {}
    async with side.client() as us:
        await us.sync()
        sent = [body for _, path, body in side.liar.asked if "submit" in path]
        assert kept[2] in sent[-1]
        assert us.find(kept[0])
        await us.wait(kept[0], "delivered", 20)
        await us.sync()
        assert us.home.queued() == []
