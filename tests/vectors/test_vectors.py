"""The product agrees with the vectors of DCM, keys, envelopes, trees, notes and messages, good and bad, case by case."""

from __future__ import annotations

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest

from channel.protocol import merkle, note
from channel.protocol.header import Payload
from channel.protocol.message import body_digest, field_digest, open_message, open_with_cek
from channel.protocol.reveal import check_reveal, read_reveal
from keys import suites
from keys.codec import pack, unpack
from keys.envelope import pae, read_envelope
from keys.errors import Malformed, Problem, Refused, Unverified
from keys.identity import PrivateKey, read_key
from keys.words import words
from tests.vectors.make import MODULES, made

HERE = Path(__file__).resolve().parent
hexed = bytes.fromhex


def cases(file, *types):
    """(group, test) of the named groups of a file."""
    groups = json.loads((HERE / f"{file}.json").read_text())["testGroups"]
    found = [(g, t) for g in groups if g["type"] in types for t in g["tests"]]
    return [pytest.param(g, t, id=f"{t['tcId']} {t['comment']}") for g, t in found]


def agrees(test, read, *errors):
    """What ``read`` gives for a valid case, or None where an invalid one is refused with one of ``errors``."""
    if test["result"] == "valid":
        return read()
    with pytest.raises(errors or (Malformed,)):
        read()
    return None


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_remake_gives_the_same_file(name):
    """What can be made again is byte for byte what is stored, with another encoder than the product's."""
    assert made(name) == (HERE / f"{name}.json").read_text()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_files_have_the_form_of_wycheproof(name):
    """Numbers rise from 1, every flag is explained, every invalid case has its reason."""
    file = json.loads((HERE / f"{name}.json").read_text())
    tests = [t for g in file["testGroups"] for t in g["tests"]]
    assert [t["tcId"] for t in tests] == list(range(1, file["numberOfTests"] + 1))
    assert {f for t in tests for f in t["flags"]} <= file["notes"].keys()
    assert all(t["result"] in ("valid", "invalid") for t in tests)
    assert all(t["reason"] for t in tests if t["result"] == "invalid")
    assert {"schema", "generatorVersion", "header"} <= file.keys()


def untagged(value):
    ((kind, what),) = ((k, v) for k, v in value.items() if k != "times")
    times = value.get("times", 1)
    match kind:
        case "int":
            return int(what)
        case "str":
            return what * times
        case "bin":
            return hexed(what) * times
        case "bool":
            return what
        case "array":
            return [untagged(each) for each in what] * times
    return {k: untagged(v) for k, v in what}


@pytest.mark.parametrize(("_group", "test"), cases("dcm", "Dcm"))
def test_dcm(_group, test):
    """A value has one byte string, and what is another one of it is refused."""
    raw = hexed(test["dcm"])
    if agrees(test, lambda: unpack(raw)) is not None:
        value = untagged(test["value"])
        assert unpack(raw) == value
        assert pack(value) == raw


@pytest.mark.parametrize(("_group", "test"), cases("keys", "KeyObject"))
def test_key_objects(_group, test):
    """Seed, public key, key object and id belong together; a key object out of form is refused."""
    if agrees(test, lambda: read_key(hexed(test["object"]))):
        private = PrivateKey(test["mode"], test["suite"], hexed(test["seed"]))
        assert private.public.raw.hex() == test["raw"]
        assert private.public.encode().hex() == test["object"]
        assert read_key(hexed(test["object"])) == private.public
        assert private.kid.hex() == test["kid"]


@pytest.mark.parametrize(("_group", "test"), cases("keys", "Admission"))
def test_admission(_group, test):
    """Lengths, loading and the list of small order decide which raw keys may be admitted."""
    agrees(test, lambda: suites.check_public(test["suite"], hexed(test["raw"])), Refused)


@pytest.mark.parametrize(("_group", "test"), cases("keys", "Words"))
def test_words(_group, test):
    """Ids are read as the same words, in both languages."""
    said = words(hexed(test["id"]))
    assert (list(said.en), list(said.zh)) == (test["en"], test["zh"])


@pytest.mark.parametrize(("_group", "test"), cases("keys", "Pae"))
def test_pae(_group, test):
    """The bytes that are signed."""
    assert pae(test["kind"], hexed(test["payload"])).hex() == test["pae"]


@pytest.mark.parametrize(("_group", "test"), cases("keys", "EnvelopeForm"))
def test_envelopes(_group, test):
    """An envelope has one form."""
    raw = b64decode(test["envelope"])
    if envelope := agrees(test, lambda: read_envelope(raw)):
        assert [kid.hex() for kid in envelope.kids] == test["kids"]
        assert envelope.encode() == raw


@pytest.mark.parametrize(("_group", "test"), cases("keys", "Verified"))
def test_signatures(_group, test):
    """Exactly the named keys have signed, in this mode."""
    keys = {k.kid: k for k in (read_key(b64decode(raw)) for raw in test["keys"])}
    found = read_envelope(b64decode(test["envelope"])).verified(test["mode"], keys)
    assert sorted(kid.hex() for kid in found) == test["good"]


@pytest.mark.parametrize(("_group", "test"), cases("tree", "Root"))
def test_roots(_group, test):
    """Published roots, and a bigger one."""
    assert merkle.root_of([merkle.leaf_hash(hexed(x)) for x in test["inputs"]]).hex() == test["root"]


@pytest.mark.parametrize(("_group", "test"), cases("tree", "Inclusion"))
def test_inclusion(_group, test):
    """A path leads to the root, or it proves nothing."""

    def check():
        path = [hexed(h) for h in test["path"]]
        if merkle.root_from_inclusion(hexed(test["leaf"]), test["index"], test["size"], path).hex() != test["root"]:
            raise Unverified("ROOT")

    agrees(test, check, Problem)


@pytest.mark.parametrize(("_group", "test"), cases("tree", "Consistency"))
def test_consistency(_group, test):
    """Two roots are of one history, or it is not proved."""
    path = [hexed(h) for h in test["path"]]
    old, new = (hexed(test[x]) for x in ("oldRoot", "newRoot"))
    agrees(test, lambda: merkle.check_consistency(test["old"], old, test["new"], new, path), Problem)


@pytest.mark.parametrize(("_group", "test"), cases("tree", "TilePath"))
def test_tile_paths(_group, test):
    """Where a tile or a bundle of entries stands."""
    entries = test["level"] == "entries"
    given = (
        merkle.entries_path(test["n"], test["width"])
        if entries
        else merkle.tile_path(test["level"], test["n"], test["width"])
    )
    assert given == test["path"]


@pytest.mark.parametrize(("_group", "test"), cases("notes", "SignedNote"))
def test_published_notes(_group, test):
    """Notes of others open with their keys, and broken ones do not."""

    def check():
        text, lines = note.parse_signed(b64decode(test["note"]))
        for name, kind, raw in map(note.parse_vkey, test["vkeys"]):
            own = [x for x in lines if (x.name, x.keyid) == (name, note.keyid(name, kind, raw))]
            assert own
            for line in own:
                if not note._holds(kind, raw, text, line.sig):
                    raise Unverified("NOTE_SIG")

    agrees(test, check, Problem)


@pytest.mark.parametrize(("_group", "test"), cases("notes", "VerifierKey"))
def test_verifier_keys(_group, test):
    """Name, type and key of a verifier key; its key id has to be right."""
    if found := agrees(test, lambda: note.parse_vkey(test["vkey"])):
        assert found == (test["name"], test["kind"], hexed(test["raw"]))
        assert note.vkey(*found) == test["vkey"]


@pytest.mark.parametrize(("_group", "test"), cases("notes", "Origin"))
def test_origins(_group, test):
    """An origin names channel, party, log number and kind of log."""
    if found := agrees(test, lambda: note.origin_parts(test["origin"])):
        assert found == (hexed(test["chan"]), test["letter"], test["number"], test["side"])
        assert note.origin(*found[:3], side=found[3]) == test["origin"]


@pytest.mark.parametrize(("group", "test"), cases("notes", "LogNote"))
def test_log_notes(group, test):
    """What the log's and the cosigner's keys say of a note."""
    log, by = (note.NotePublic(*(hexed(group[x][y]) for y in ("ed", "ml"))) for x in ("logKeys", "cosignerKeys"))
    raw = b64decode(test["note"])
    found = agrees(test, lambda: note.check(note.parse(raw), log, (group["cosigner"], by)), Malformed, Unverified)
    if found:
        said = (found.log, found.log_anchor, found.cosigned, found.cosigned_anchor, found.log_at, found.cosigned_at)
        assert said == tuple(
            test["stands"][x] for x in ("log", "logAnchor", "cosigned", "cosignedAnchor", "logAt", "cosignedAt")
        )
        assert note.parse(raw).origin == group["origin"]


FILE = json.loads((HERE / "messages.json").read_text())
READERS = [PrivateKey(FILE["mode"], suites.SEAL, hexed(each["seed"])) for each in FILE["readers"]]


@pytest.mark.parametrize(("_group", "test"), cases("messages", "Seal"))
def test_messages_open(_group, test):
    """Every value on the way is the stored one; each reader opens the message, the author signed it."""
    envelope = read_envelope(b64decode(test["envelope"]))
    author = read_key(b64decode(test["author"]))
    assert envelope.verified(FILE["mode"], {author.kid: author}) == {author.kid}
    assert envelope.payload == b64decode(test["payload"])
    payload, blob = envelope.read("msg", Payload), b64decode(test["blob"])
    assert payload.header_bytes().hex() == test["header"]
    assert payload.header_hash().hex() == test["hh"]
    body = unpack(hexed(test["body"]))
    salts = {n: hexed(s) for n, s in test["salts"].items()}
    assert {n: field_digest(n, v, salts[n]).hex() for n, v in body.items()} == test["fd"]
    assert body_digest(body, salts) == payload.bd == hexed(test["bd"])
    assert payload.kc.hex() == test["kc"]
    assert sha256(unpack(blob)[0]).hexdigest() == test["ct"]["sha256"]
    for reader in READERS[: len(payload.to)]:
        opened = open_message(payload, blob, reader, FILE["mode"])
        assert (opened.body, opened.salts, opened.cek.hex()) == (body, salts, test["cek"])


@pytest.mark.parametrize(("_group", "test"), cases("messages", "Open"))
def test_messages_that_do_not_open(_group, test):
    """The first check that fails is the vector's; nothing is opened."""
    payload = unpack(b64decode(test["payload"]), Payload)
    blob = b64decode(test["blob"])
    for reader in READERS[:2]:
        with pytest.raises(Unverified) as e:
            open_message(payload, blob, reader, FILE["mode"])
        assert e.value.values["why"] == test["reason"]
    if test["reason"] != "WRAP":
        with pytest.raises(Unverified) as e:
            open_with_cek(payload, blob, hexed(test["cek"]))
        assert e.value.values["why"] == test["reason"]


@pytest.mark.parametrize(("_group", "test"), cases("messages", "Reveal"))
def test_reveals(_group, test):
    """A reveal shows what the signed payload commits to, or nothing."""
    payload = unpack(b64decode(test["payload"]), Payload)

    def check():
        return check_reveal(
            read_reveal(unpack(hexed(test["reveal"]))), payload, b64decode(test["blob"]), "CN-2026-000001"
        )

    if test["result"] == "valid":
        assert sorted(check().body) == test["shows"]
    else:
        with pytest.raises(Problem) as e:
            check()
        assert test["reason"] in (e.value.code, e.value.values.get("why"))
