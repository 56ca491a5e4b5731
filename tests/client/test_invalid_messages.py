"""A dishonest side signs and seals what no format takes: the other side's desk shows it as not valid, never as a message.

Two real nodes. Of US nothing is checked: its desk seals and signs below the checks, its node writes what it is given.
What the body breaks, only a reader can see: the message counts, and is shown as not valid with the field named. What the
header breaks, both folds refuse: it is listed as not counted with its reason, and is in no desk's inbox.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from functools import partial

import msgspec
import pytest
from click.testing import CliRunner
from msgspec import UNSET

from channel.cli.main import channel
from channel.client.client import Ill
from channel.client.present import as_item, header_view, payload_of
from channel.i18n import Texts, problem_texts
from channel.protocol.header import Header, Move
from channel.protocol.message import seal
from keys.codec import pack
from keys.envelope import join, media_type, pae
from keys.shapes import ZERO
from tests.client.breaches import FILES, MESSAGES, body_breaches, sound
from tests.node.hostile import Entry, write, writer_of
from tests.node.parties import CLOCK

LANGUAGES = ("en", "zh")
TEXTS = {lang: Texts(lang) for lang in LANGUAGES}
PREC = {"routine": "R", "attention": "P", "consultation": "P", "serious": "O"}


@dataclass(frozen=True)
class Made:
    """A message that was sealed and signed; ``name`` says what is wrong with it."""

    name: str
    env: bytes
    blob: bytes
    ph: bytes

    @property
    def entry(self):
        return Entry("msg", self.env, (self.blob,))


class Forger:
    """A desk of US without a check: it seals any body and signs any header. ``case``: what it opened before."""

    def __init__(self, side):
        self.parties, self.station = side.parties, side.b
        self.members = side.parties.keys
        readers = [self.members["CN"]["expert-1"], *(m["records"] for m in self.members.values())]
        self.to = tuple(sorted(m.seal.kid for m in readers))
        self.publics = {m.seal.kid: m.seal.public for party in self.members.values() for m in party.values()}
        self.case = self.request = self.at = UNSET

    def header(self, fmt, **changes):
        """A header that the fold takes for a message of this format."""
        author = self.members["US"]["expert-1"].sign
        opens = fmt in ("F03", "F06", "F13")
        level = changes.get("level", "attention")
        fields = {
            "chan": self.parties.chan, "from_": author.kid, "mid": os.urandom(16), "ts": CLOCK.now(), "prev": ZERO,
            "suite": self.members["US"]["expert-1"].seal.public.suite, "to": self.to, "fmt": fmt, "level": level,
            "prec": PREC[level], "status": "message", "lang": "en", "case": UNSET if opens else self.case,
        }  # fmt: skip
        fields |= {"F13": {"single": True}, "F12": {"move": Move(op="raise", from_="routine", to="attention")},
                   "F05": {"move": Move(op="close", from_="attention", at=self.at)},
                   "F02": {"refs": (self.case,)}, "F14": {"refs": (self.case,), "cor": "COR"},
                   "F07": {"refs": (self.request,)}}.get(fmt, {})  # fmt: skip
        return Header(**fields | changes)

    def seal(self, name, header, body, change=None, signers=("expert-1",)):
        """Sealed and signed. ``change`` gives the payload that is signed from the sound one, both as plain maps."""
        sealed = seal(header, body, self.publics, self.parties.mode, cek=os.urandom(32),
                      salts={n: os.urandom(16) for n in body}, max_body=10**6)  # fmt: skip
        payload = sealed.payload_bytes
        if change is not None:
            payload = pack(change(msgspec.to_builtins(sealed.payload, builtin_types=(bytes,))))
        raw = pae(media_type("msg"), payload)
        keys = [self.members["US"][seat].sign for seat in signers]
        env = join(media_type("msg"), payload, {key.kid: key.sign(raw) for key in keys})
        return Made(name, env.encode(), sealed.blob, env.hash)

    def message(self, name, fmt, body=None, **changes):
        return self.seal(name, self.header(fmt, **changes), sound(fmt) if body is None else body)

    async def open(self, writer):
        """The case and the request that what follows belongs to."""
        opening, request = self.message("", "F03"), self.message("", "F06")
        places = await write(writer, [opening.entry, request.entry])
        self.case, self.request = opening.ph, request.ph
        self.at = (self.station.sizes["a"], max(places) + 1)
        return [opening, request]


async def told(side, count):
    """Wait until both nodes hold this many records of US, cosigned."""
    await side.until(lambda: side.a.sizes["b"] >= count and side.b.delivered >= count, 60)


def command(side, *words, lang="en", code="CN"):
    """A command in a desk's home; it runs in a thread, since the nodes run in this one."""
    home = side.parties.nodes[code].parent / "desk"
    line = ["--home", str(home), "--lang", lang, *map(str, words)]
    run = partial(CliRunner().invoke, channel, line, env={"CHANNEL_HOME": "", "CHANNEL_LANG": ""})
    return asyncio.to_thread(run)


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def shown(client, message, fault, lang):
    """The page of a message, as ``channel show`` makes it."""
    view = header_view(client, message, TEXTS[lang], fault)
    body = fault.opened.body if fault else client.open(message).body
    return client.book().render(payload_of(message).fmt, view, body, lang)


def clean(text):
    """Whether nothing in a text moves a cursor, hides, or turns what is read around."""
    return not any(ord(c) < 32 and c != "\n" or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E for c in text)  # noqa: RUF021


async def test_every_body_that_a_format_refuses_is_shown_as_not_valid(side):
    """Of all formats, each missing field, unknown code, unknown field and wrong type is named in both languages."""
    forger, writer = Forger(side), writer_of(side.b)
    opened = await forger.open(writer)
    good = {fmt: forger.message(fmt, fmt) for fmt in MESSAGES}
    breaches = [b for fmt in MESSAGES for b in body_breaches(fmt)]
    made = [forger.message(f"{b.fmt} {b.kind} {b.field}", b.fmt, b.body) for b in breaches]
    places = await write(writer, [m.entry for m in [*good.values(), *made]])
    await told(side, max(places) + 1)
    async with side.client(code="CN") as cn:
        await cn.sync()
        assert len(cn.messages()) == len(opened) + len(good) + len(made)
        for fmt, sent in good.items():
            message = cn.find(sent.ph)
            assert "invalid" not in as_item(cn, message), fmt
            assert not any("NOT VALID" in line for line in shown(cn, message, None, "en"))
        for breach, sent in zip(breaches, made, strict=True):
            message = cn.find(sent.ph)
            with pytest.raises(Ill) as e:
                cn.open(message)
            fault = e.value
            assert (fault.values["field"], fault.values["why"]) == (breach.field, breach.why), sent.name
            item = as_item(cn, message)
            assert item["invalid"] == {"field": breach.field, "why": breach.why}
            for lang, word in zip(LANGUAGES, ("NOT VALID", "无效"), strict=True):
                page = shown(cn, message, fault, lang)
                (line,) = [line for line in page if word in line and f"why.{breach.why}" in TEXTS[lang]]
                assert TEXTS[lang].say(f"why.{breach.why}") in line
                assert breach.field.isidentifier() <= (breach.field in line)
                assert clean("\n".join(page))
                assert page[-1].endswith(message.verdict.number)
                assert all(map(clean, problem_texts(fault, lang)))
    kinds = {(b.fmt, b.kind) for b in breaches}
    assert {fmt for fmt, _ in kinds} == set(MESSAGES) == {f"F{n:02}" for n in range(1, 15)}
    assert len(breaches) > 350
    await _commands_say_so(side, breaches, made, good)


async def _commands_say_so(side, breaches, made, good):
    """``inbox`` marks each of them, ``show`` ends with 4 and the field; what is sound stands there as it is."""
    listed = objects((await command(side, "--json", "inbox")).stdout)
    by_hash = {item["ph"]: item for item in listed}
    assert sum("invalid" in item for item in listed) == len(made)
    for lang, word in zip(LANGUAGES, ("NOT VALID", "无效"), strict=True):
        answer = await command(side, "inbox", lang=lang)
        assert (answer.exit_code, answer.stdout.count(word)) == (0, len(made))
        assert TEXTS[lang].say("cli.sealed") not in answer.stdout  # an empty body is open too
        assert clean(answer.output)
        for kind in ("missing", "code", "unknown", "type"):
            at = next(i for i, b in enumerate(breaches) if b.kind == kind and b.field.isidentifier())
            number, field = by_hash[made[at].ph.hex()]["number"], breaches[at].field
            answer = await command(side, "show", number, lang=lang)
            assert (answer.exit_code, word in answer.stdout) == (4, True)
            assert "(INVALID)" in answer.stderr
            assert field in answer.stdout
            assert field in answer.stderr
            assert clean(answer.output)
    answer = await command(side, "show", by_hash[good["F10"].ph.hex()]["number"])
    assert (answer.exit_code, "NOT VALID" in answer.stdout) == (0, False)


def put(**changes):
    """A change of the signed payload: these fields set, or taken out where the value is None."""

    def change(payload):
        found = {**payload, **changes}
        return {name: value for name, value in found.items() if value is not None}

    return change


def ill_headers(forger):
    """(reason, message) of every rule of the header that is broken here; all else about the message is sound."""
    members = forger.members
    header, message, sealing = forger.header, forger.message, forger.seal
    for name in ("v", "chan", "from", "mid", "ts", "prev", "suite", "to", "fmt", "level", "prec", "status", "lang",
                 "kc", "bd", "blob", "blen"):  # fmt: skip
        yield "PARSE", sealing(f"no {name}", header("F03"), sound("F03"), put(**{name: None}))
        yield "PARSE", sealing(f"type of {name}", header("F03"), sound("F03"), put(**{name: [{"x": 1}]}))
    for name in ("fmt", "level", "prec", "status", "lang", "tlp", "pap", "ans", "cor"):
        for value in ("ZZZ", 1):
            yield "PARSE", sealing(f"{name} {value}", header("F03"), sound("F03"), put(**{name: value}))
    for fmt in ("F00", "F15", "A01", "A02"):
        yield "PARSE", sealing(f"format {fmt}", header("F03"), sound("F03"), put(fmt=fmt))
    for move in (
        {"op": "leap"},
        {},
        {"op": "raise", "from": "ZZZ", "to": "serious"},
        {"op": "raise", "more": 1},
        "raise",
    ):
        yield "PARSE", sealing(f"move {move}", header("F12"), {}, put(move=move))
    for fmt in MESSAGES:
        yield "PARSE", sealing(f"{fmt} more", header(fmt), sound(fmt), put(more=1))
        if fmt not in ("F02", "F07"):
            yield "FMT", message(f"{fmt} ans", fmt, ans="YES")
        if fmt != "F14":
            yield "FMT", message(f"{fmt} cor", fmt, cor="COR")
        if fmt != "F13":
            yield "FMT", message(f"{fmt} single", fmt, single=True)
        if fmt not in ("F05", "F12"):
            yield "FMT", message(f"{fmt} move", fmt, move=Move(op="raise", from_="routine", to="attention"))
        else:
            yield "FMT", message(f"{fmt} no move", fmt, move=UNSET)
        yield "FMT", message(f"{fmt} prec", fmt, prec="Z")
        yield "FMT", message(f"{fmt} suite", fmt, suite=0x0102)
        yield "FMT", message(f"{fmt} refs twice", fmt, refs=(forger.case, forger.case))
        yield "REF", message(f"{fmt} unknown ref", fmt, refs=(os.urandom(32),))
        yield "CHAN", message(f"{fmt} chan", fmt, chan=os.urandom(32))
        yield "SIGNER", message(f"{fmt} from", fmt, from_=os.urandom(32))
        yield "SIG", message(f"{fmt} cosign", fmt, cosign=(members["US"]["duty"].sign.kid,), single=UNSET)
        own = members["US"]["expert-1"].seal.kid
        yield "KEM", message(f"{fmt} records", fmt, to=tuple(sorted((own, members["CN"]["expert-1"].seal.kid))))
    yield "FMT", message("ack_by", "F03", ack_by=1)
    yield "FMT", message("F05 op", "F05", move=Move(op="raise", from_="routine", to="attention"))
    yield "FMT", message("F12 op", "F12", move=Move(op="close", from_="attention", at=forger.at))
    yield "MOVE", message("downward", "F12", move=Move(op="raise", from_="serious", to="attention"))
    yield "SIGS", message("crisis alone", "F03", level="serious")
    yield "LEVEL", message("single above", "F13", level="consultation")


def out_of_order(forger):
    """(reason, message) where what has to come before is not there."""
    message, unknown = forger.message, os.urandom(32)
    yield "REF", message("F04 without a case", "F04", case=UNSET)
    yield "MOVE", message("F05 without a case", "F05", case=UNSET)
    yield "MOVE", message("F12 without a case", "F12", case=UNSET)
    for fmt in ("F04", "F05", "F12"):
        yield "CASE", message(f"{fmt} of no case", fmt, case=unknown)
    for refs in (UNSET, (unknown,), (forger.case,)):
        yield "REF", message("F07 without an F06", "F07", refs=refs)
    for op in ("concur", "object"):
        for to in ("routine", UNSET):
            move = Move(op=op, from_="attention", to=to, at=forger.at)
            yield "MOVE", message(f"{op} before lower or close", "F12", move=move)
    for fmt in ("F02", "F14"):
        for refs in (UNSET, (unknown,)):
            yield "REF", message(f"{fmt} about nothing", fmt, refs=refs)


async def test_every_header_that_the_rules_refuse_is_listed_as_not_counted(side):
    """Headers of any breach stand in the log with the fold's reason and a number, and in no desk as a message."""
    forger, writer = Forger(side), writer_of(side.b)
    opened = await forger.open(writer)
    own = forger.message("own close", "F05")
    lower = Move(op="close", from_="attention", at=forger.at)
    made = [*ill_headers(forger), *out_of_order(forger)]
    first, *places = await write(writer, [own.entry, *(m.entry for _, m in made)])
    (last,) = await write(writer, [forger.message("an answer to oneself", "F12", move=msgspec.structs.replace(
        lower, op="concur")).entry])  # fmt: skip
    await told(side, last + 1)
    async with side.client(code="CN") as cn:
        await cn.sync()
        assert [m.ph for m in cn.messages()] == [m.ph for m in (*opened, own)]
        for (reason, sent), place in zip(made, places, strict=True):
            verdict = cn.view.fold.verdict("b", place)
            assert verdict.reason == reason, sent.name
            assert cn.view.fold.find(sent.ph) is None
            assert side.a.fold.verdict("b", place).reason == side.b.fold.verdict("b", place).reason == reason
        assert cn.view.fold.verdict("b", last).reason == "MOVE"
        assert cn.view.fold.verdict("b", first).reason == ""
        assert cn.view.fold.level() == "attention"
    counted = {reason: sum(r == reason for r, _ in made) for reason, _ in made}
    assert len(made) > 250
    listed = {item["record"]: item for item in objects((await command(side, "--json", "log")).stdout)}
    assert all(listed[f"US:{at}"]["reason"] == reason for (reason, _), at in zip(made, places, strict=True))
    assert len(objects((await command(side, "--json", "inbox")).stdout)) == len(opened) + 1
    for reason in counted:
        at = next(at for (r, _), at in zip(made, places, strict=True) if r == reason)
        for lang in LANGUAGES:
            answer = await command(side, "show", f"US:{at}", lang=lang)
            assert (answer.exit_code, "(NOT_COUNTED)" in answer.stderr) == (4, True)
            assert TEXTS[lang].say(f"refused.{reason}") in answer.stderr


async def test_what_header_and_body_say_together_is_shown_as_not_valid(side):
    """An F11 that answers no F11, a status that the form has not, an info mark for no recipient: each is named."""
    forger, writer = Forger(side), writer_of(side.b)
    await forger.open(writer)
    answer = sound("F11") | {"kind": "ANS", "accept": next(iter(FILES.lists["accept"].codes))}
    request = forger.message("request", "F11")
    await write(writer, [request.entry])
    made = [forger.message("none", "F11", answer), forger.message("F03", "F11", answer, refs=(forger.case,)),
            forger.message("second", "F11", answer, refs=(forger.request, request.ph))]  # fmt: skip
    good = forger.message("good", "F11", answer, refs=(request.ph,))
    other = {
        "status": forger.message("status", "F03", status="system"),
        "info": forger.message("info", "F03", sound("F03") | {"info": [forger.members["US"]["duty"].seal.kid]}),
    }
    places = await write(writer, [m.entry for m in [*made, good, *other.values()]])
    await told(side, max(places) + 1)
    async with side.client(code="CN") as cn:
        await cn.sync()
        for sent in made:
            assert as_item(cn, cn.find(sent.ph))["invalid"] == {"field": "refs", "why": "order"}
        assert "invalid" not in as_item(cn, cn.find(good.ph))
        for field, sent in other.items():
            assert as_item(cn, cn.find(sent.ph))["invalid"]["field"] == field


async def test_two_honest_nodes_carry_what_a_dishonest_desk_sealed(side):
    """A body breach passes both nodes and is told by the reader; a header breach is refused at the own node's intake."""
    forger = Forger(side)
    bad = forger.message("line", "F03", sound("F03") | {"line": 7})
    worse = forger.message("prec", "F03", prec="Z")
    worst = forger.seal("more", forger.header("F03"), sound("F03"), put(more=1))
    async with side.parties.desk("US") as us:
        place = await us.wire.submit("msg", bad.env, [bad.blob])
        for sent, code in ((worse, "FMT"), (worst, "PARSE")):
            with pytest.raises(Exception, match=code):
                await us.wire.submit("msg", sent.env, [sent.blob])
    await told(side, place["index"] + 1)
    answer = await command(side, "--json", "inbox")
    assert [(i["ph"], i["invalid"]["field"]) for i in objects(answer.stdout)] == [(bad.ph.hex(), "line")]
