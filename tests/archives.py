"""Archives of a ``tests.world.World``: its logs under anchors, with real keys, as a desk would export them.

    world = World(small=True)
    sent = sealed(world, "a", "expert1", {"text": "…"})     # a message whose body is really sealed
    data = archive(world)                                   # form full;  proof(world, [sent.ph]) the other form

``succeed`` ends a log number under a note, an anchor or a quick one, and goes on with new keys.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256, shake_256
from typing import Any

from msgspec import to_builtins

from channel.protocol.archive import Head, LogPart, Section, read, write
from channel.protocol.audit import audit
from channel.protocol.charter import NoteKeys, Succeed
from channel.protocol.header import Header
from channel.protocol.message import Opened, seal
from channel.protocol.note import (
    Note,
    NotePrivate,
    cosign,
    cosigner_name,
    merge,
    origin,
    parse,
    sign_anchor,
    sign_quick,
)
from channel.protocol.proof import write_proof
from channel.protocol.record import read_record, try_read
from keys.codec import pack, unpack
from keys.envelope import read_envelope
from tests.world import OTHER, START, Sent, World, note_keys

AT = START // 1000 + 3600  # when anchors are cosigned, seconds


def log_key(world: World, letter: str, number: int, use: int = 0) -> NotePrivate:
    """The keys of a log number; ``use`` 0 log, 1 side log, 2 cosigner."""
    return note_keys(f"{world.seed}{letter}{use}" if number == 0 else f"{world.seed}{letter}{number}.{use}")


def note(
    world: World, letter: str, number: int | None = None, size: int | None = None, *, quick: bool = False,
    cosigner: int | None = None, at: int = AT,
) -> Note:  # fmt: skip
    """A note over a log number, whole unless ``size`` says less, with all its lines. ``quick``: Ed25519 alone."""
    number = len(world.starts[letter]) - 1 if number is None else number
    roots, other = world._roots[letter][number], OTHER[letter]
    size = len(roots) - 1 if size is None else size
    cosigner = len(world.starts[other]) - 1 if cosigner is None else cosigner
    name = origin(world.chan, letter, number)
    key = log_key(world, letter, number)
    made = sign_quick(key, name, size, roots[size]) if quick else sign_anchor(key, name, size, roots[size], at)
    by = cosigner_name(origin(world.chan, other, cosigner))
    return merge(made, cosign(log_key(world, other, cosigner, 2), by, made, at, anchor=not quick))


def succeed(world: World, letter: str, final: int | None = None, *, quick: bool = False, **fields: Any) -> Sent:
    """End the current log number at ``final`` under its note, and begin the next with new keys."""
    number = len(world.starts[letter])
    public = [log_key(world, letter, number, use).public for use in range(3)]
    keys = {n: NoteKeys(ed=p.ed, ml=p.ml) for n, p in zip(("log", "side", "cos"), public, strict=True)}
    last = note(world, letter, None, final, quick=quick)
    return world.succeed(letter, final, **{**keys, "note": last.encode(), **fields})


def sealed(world: World, letter: str, author: str, body: Mapping[str, Any], fmt: str = "F03", **fields: Any) -> Sent:
    """A message with a really sealed body; its key and salts are ``opened(world, sent)``."""
    plain = world.message(letter, author, fmt, **fields)
    names = {"kc", "bd", "blob", "blen"}
    said = {k: v for k, v in to_builtins(plain, builtin_types=(bytes,)).items() if k not in names}
    header = Header(**{"from_" if k == "from" else k: v for k, v in said.items() if k != "v"} | {"to": plain.to})
    keys = {world.seal(x, s).kid: world.seal(x, s).public for x in "ab" for s in ("records", "expert1")}
    made = seal(
        header, body, keys, world.mode, cek=_cek(plain.mid), salts=_salts(plain.mid, body), max_body=65_536
    )  # fmt: skip
    world.sides[letter].keep(made.blob)
    return world.append(letter, "msg", made.payload, [author])


def opened(sent: Sent, body: Mapping[str, Any]) -> Opened:
    """What ``sealed`` sealed."""
    return Opened(body, _salts(sent.doc.mid, body), _cek(sent.doc.mid))


def _cek(mid: bytes) -> bytes:
    return shake_256(b"cek" + mid).digest(32)


def _salts(mid: bytes, body: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: shake_256(name.encode() + mid).digest(16) for name in body}


def parts(world: World) -> list[LogPart]:
    """Every log number of both parties with its anchor, where it has one."""
    made = []
    for x in "ab":
        numbers = len(world.starts[x])
        for n in range(numbers):
            if n == numbers - 1:
                last: bytes | None = note(world, x).encode()
            else:
                ended = read_envelope(read_record(world.number(x, n + 1)[0]).env).read("succeed", Succeed).note
                last = ended if ended and parse(ended).anchor else None
            made.append(LogPart(x, n, world.number(x, n), last))
    return made


def head(world: World, form: str = "full") -> Head:
    """The head of an archive of all that stands in both logs."""
    cut = []
    for x in "ab":
        roots = world._roots[x][-1]
        cut.append((len(world.starts[x]) - 1, len(roots) - 1, roots[-1]))
    return Head(form=form, chan=world.chan, cut=tuple(cut))


def blobs(world: World) -> dict[bytes, bytes]:
    """Every blob that a record names; of a message that nobody sealed, the bytes that its hash was made of."""
    named = {}
    for raws in world.logs.values():
        for raw in raws:
            record = try_read(raw)
            for h in () if record is None else record.blobs:
                named[h] = world.blobs.get(h) or b"blob" + _mid(record.env)
    return named


def _mid(env: bytes) -> bytes:
    return unpack(read_envelope(env).payload)["mid"]


def archive(world: World, *, reveals: Iterable[Any] = (), evidence: Iterable[Any] = ()) -> bytes:
    """Form full."""
    return write(head(world), parts(world), blobs(world).values(), reveals=reveals, evidence=evidence)


def proof(
    world: World, messages: Iterable[bytes], *, reveals: Iterable[Any] = (), evidence: Iterable[Any] = ()
) -> bytes:
    """Form proof of these messages."""
    return write_proof(
        head(world, "proof"), parts(world), blobs(world), set(messages), reveals=reveals, evidence=evidence
    )


def spans(data: bytes) -> list[tuple[int, int, Section]]:
    """Each section with where its length begins and where it ends."""
    return [(s.offset - 4, s.offset + len(pack([s.kind, *s.fields])), s) for s in read(data).sections]


def changed(data: bytes, at: int, by: int) -> bytes:
    """``data`` with the byte at a place xored by 1 to 255."""
    return data[:at] + bytes([data[at] ^ by]) + data[at + 1 :]


def outcome(data: bytes, chan: bytes) -> tuple[int, str, int, str]:
    """Exit code, part, offset and code of an audit; part is empty where nothing was found."""
    report = audit(data, chan)
    if report.failure is None:
        return report.exit_code, "", 0, ""
    return report.exit_code, report.failure.part, report.failure.offset, report.failure.code


def change_places(
    data: bytes, chan: bytes, places: Sequence[int], seed: int, *, flip: bool
) -> list[tuple[int, int, str, int, str]]:
    """The outcome of changing each of these places alone: by one seeded bit, or by any seeded value."""
    made = []
    for at in places:
        dice = random.Random(f"{seed} {at}")
        by = 1 << dice.randrange(8) if flip else dice.randrange(1, 256)
        made.append((at, *outcome(changed(data, at, by), chan)))
    return made


def cut_off(data: bytes, chan: bytes, lengths: Sequence[int], seed: int) -> list[tuple[int, int, str, int, str]]:
    """The outcome of the first so many bytes alone; every second one with a right SHA-256 made for it.

    Cut just before its SHA-256, the archive would be whole with one made anew: there the cut stays as it is.
    """
    made = []
    for length in lengths:
        body = data[:length]
        if (length ^ seed) & 1 and length != len(data) - 32:
            body += sha256(body).digest()
        made.append((length, *outcome(body, chan)))
    return made
