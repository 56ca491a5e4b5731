"""Drafts and notes of the own side (docs/protocol.md 11.4 and 11.6): what was sealed opens, each check has its word.

A draft comes from a signer's own desk, and still every byte of it is judged: whoever signs signs what was checked here.
"""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import structs

from channel.protocol.draft import Proposal, open_own, proposal_body, read_proposal, seal_own
from channel.protocol.header import Header
from channel.protocol.message import NONCE, Sealed, content_keys, open_message, seal, wrap_info
from channel.protocol.people import Draft, SideNote
from keys.codec import pack, unpack
from keys.envelope import join, media_type
from keys.errors import Refused, Unverified
from keys.identity import PrivateKey
from keys.shapes import ZERO
from keys.suites import SEAL, SIGN

RNG = random.Random(11)
AUTHOR, SECOND = (PrivateKey(2, SIGN, RNG.randbytes(64)) for _ in range(2))
SIGNERS = sorted((PrivateKey(2, SEAL, RNG.randbytes(32)) for _ in range(2)), key=lambda k: k.kid)
PEER = PrivateKey(2, SEAL, RNG.randbytes(32))
BUCKETS = (512, 2048, 8192, 32_768, 131_072, 524_288, 1_048_576)
CHAN, DID = b"c" * 32, b"d" * 16
CEK, MESSAGE_CEK = bytes(range(32)), bytes(range(1, 33))
TIME = 1_795_478_400_000
BODY = {"text": "Please look at line 3."}
DRAFT = Draft(
    chan=CHAN, from_=AUTHOR.kid, did=DID, to=tuple(k.kid for k in SIGNERS), suite=SEAL, kc=ZERO, blob=ZERO, blen=0,
    ts=TIME,
)  # fmt: skip
NOTE = SideNote(
    chan=CHAN, from_=AUTHOR.kid, to=tuple(k.kid for k in SIGNERS), suite=SEAL, kc=ZERO, blob=ZERO, blen=0, ts=TIME
)
KEYS = {k.kid: k.public for k in (*SIGNERS, PEER)}


def head_hash(document: Draft | SideNote) -> bytes:
    """``hh`` as docs/protocol.md 11.4 writes it."""
    names = {"v": 1, "chan": document.chan, "from": document.from_, "to": list(document.to), "suite": document.suite}
    named = {"did": document.did} if isinstance(document, Draft) else {}
    return hashlib.sha256(b"dcx/v1/hdr\0" + pack(names | {"ts": document.ts} | named)).digest()


def with_blob(document: Any, blob: bytes, **changes: object) -> tuple[Any, bytes]:
    """The document naming another blob."""
    return structs.replace(document, blob=hashlib.sha256(blob).digest(), blen=len(blob), **changes), blob


def hostile(document: Draft | SideNote, plaintext: bytes) -> tuple[Any, bytes]:
    """A draft or note whose author sealed these very bytes, padding and all."""
    hh = head_hash(document)
    kenc, kc = content_keys(hh, CEK)
    wraps = [[kid, KEYS[kid].seal(2, wrap_info(hh, kid), CEK)] for kid in document.to]
    return with_blob(document, pack([AESGCM(kenc).encrypt(NONCE, plaintext, hh), wraps]), kc=kc)


def inner(**changes: object) -> dict[str, object]:
    """What is sealed with a draft's body."""
    plain = {"body": BODY, "chan": CHAN, "from": AUTHOR.kid, "did": DID, "to": list(DRAFT.to)} | changes
    return {name: value for name, value in plain.items() if value is not None}


def filled(packed: bytes, size: int = 512, length: int | None = None) -> bytes:
    """Bytes with their length in front and zeros behind."""
    return ((len(packed) if length is None else length).to_bytes(4, "big") + packed).ljust(size, b"\0")


def why(document: Any, blob: bytes, key: PrivateKey = SIGNERS[0], mode: int = 2) -> str:
    with pytest.raises(Unverified) as caught:
        open_own(document, blob, key, mode)
    assert caught.value.code == "UNOPENED"
    return str(caught.value.values["why"])


# --- sealing and opening ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [DRAFT, NOTE], ids=["draft", "note"])
def test_every_recipient_opens_what_was_sealed(document):
    """Each key of ``to`` opens the same body; the document names the blob by its hash and length."""
    made, blob = seal_own(document, BODY, KEYS, 2, CEK)
    assert [open_own(made, blob, key, 2) for key in SIGNERS] == [BODY, BODY]
    assert (made.blob, made.blen) == (hashlib.sha256(blob).digest(), len(blob))
    assert structs.replace(made, kc=ZERO, blob=ZERO, blen=0) == document


@pytest.mark.parametrize(("document", "named"), [(DRAFT, {"did": DID}), (NOTE, {})], ids=["draft", "note"])
def test_the_bytes_are_those_of_the_protocol(document, named):
    """hh, kc, the wraps in order and inner = {body, chan, from, did, to}: no salts; a note has no ``did``."""
    made, blob = seal_own(document, BODY, KEYS, 2, CEK)
    hh = head_hash(document)
    kenc, kc = content_keys(hh, CEK)
    ct, wraps = unpack(blob)
    assert made.kc == kc
    assert [kid for kid, _ in wraps] == list(document.to)
    assert [k.unwrap(wrap_info(hh, k.kid), wrap) for k, (_, wrap) in zip(SIGNERS, wraps, strict=True)] == [CEK, CEK]
    sealed = {"body": BODY, "chan": CHAN, "from": AUTHOR.kid, "to": list(document.to)} | named
    assert AESGCM(kenc).decrypt(NONCE, ct, hh) == filled(pack(sealed))


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_length_shows_only_its_bucket(bucket):
    """What fills a bucket to its last byte opens; the next byte takes the next bucket, and there is none after 1 MiB."""
    room = next(n for n in range(bucket, 0, -1) if len(pack(inner(body={"b": bytes(n)}))) <= bucket - 4)
    made, blob = seal_own(DRAFT, {"b": bytes(room)}, KEYS, 2, CEK)
    assert len(unpack(blob)[0]) - 16 == bucket
    assert open_own(made, blob, SIGNERS[1], 2) == {"b": bytes(room)}
    if bucket == 1_048_576:
        with pytest.raises(Refused) as caught:
            seal_own(DRAFT, {"b": bytes(room + 1)}, KEYS, 2, CEK)
        assert (caught.value.code, caught.value.values["limit"]) == ("BODY_SIZE", bucket)
        return
    _, blob = seal_own(DRAFT, {"b": bytes(room + 1)}, KEYS, 2, CEK)
    assert len(unpack(blob)[0]) - 16 == BUCKETS[BUCKETS.index(bucket) + 1]


@pytest.mark.parametrize(
    "change",
    [{"chan": b"x" * 32}, {"from_": b"x" * 32}, {"did": b"x" * 16}, {"ts": 1}, {"suite": SIGN}],
    ids=lambda change: next(iter(change)),
)
def test_a_body_opens_under_no_other_document(change):
    """The document salts the keys: with any field changed the wrap does not open."""
    made, blob = seal_own(DRAFT, BODY, KEYS, 2, CEK)
    assert why(structs.replace(made, **change), blob) == "WRAP"


def test_a_draft_is_no_note_and_a_note_no_draft():
    """The same names and bytes under the other kind of document do not open."""
    made, blob = seal_own(DRAFT, BODY, KEYS, 2, CEK)
    fields = {name: getattr(made, name) for name in NOTE.__struct_fields__}
    assert why(SideNote(**fields), blob) == "WRAP"
    note, blob = seal_own(NOTE, BODY, KEYS, 2, CEK)
    assert why(Draft(**{name: getattr(note, name) for name in NOTE.__struct_fields__}, did=DID), blob) == "WRAP"


def test_the_document_names_its_blob():
    """BLOB: a changed byte, another length, or bytes of another shape under a right hash."""
    made, blob = seal_own(DRAFT, BODY, KEYS, 2, CEK)
    for place in RNG.sample(range(len(blob)), 50):
        assert why(made, blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]) == "BLOB"
    assert why(structs.replace(made, blen=len(blob) + 1), blob) == "BLOB"
    assert why(*with_blob(made, blob + b"\0")) == "BLOB"
    assert why(*with_blob(made, pack({"ct": b"", "wraps": []}))) == "BLOB"


def test_the_wraps_are_those_of_the_recipients():
    """WRAPS: recipients added, taken away or in another order; a key that is none of them; a key of the other mode."""
    made, blob = seal_own(DRAFT, BODY, KEYS, 2, CEK)
    ct, wraps = unpack(blob)
    assert why(structs.replace(made, to=(*made.to, PEER.kid)), blob) == "WRAPS"
    assert why(structs.replace(made, to=made.to[:1]), blob) == "WRAPS"
    assert why(*with_blob(made, pack([ct, wraps[::-1]]))) == "WRAPS"
    assert why(made, blob, PEER) == "WRAPS"
    assert why(made, blob, mode=1) == "WRAPS"


@pytest.mark.parametrize("wrap", [b"", bytes(1168), None], ids=["empty", "zeros", "short"])
def test_a_wrap_that_does_not_open(wrap):
    """WRAP: no bytes, other bytes, a byte too few; the other recipient still reads."""
    made, blob = seal_own(DRAFT, BODY, KEYS, 2, CEK)
    ct, wraps = unpack(blob)
    wraps[0][1] = wraps[0][1][:-1] if wrap is None else wrap
    made, blob = with_blob(made, pack([ct, wraps]))
    assert why(made, blob) == "WRAP"
    assert open_own(made, blob, SIGNERS[1], 2) == BODY


def test_two_bodies_for_two_signers_are_seen():
    """KC: a wrap with another content key, or another ``kc`` in the document, before anything is decrypted."""
    made, blob = seal_own(DRAFT, BODY, KEYS, 2, CEK)
    _, other = seal_own(DRAFT, {"text": "Sign."}, KEYS, 2, MESSAGE_CEK)
    ct, wraps = unpack(blob)
    mixed, both = with_blob(made, pack([ct, [wraps[0], unpack(other)[1][1]]]))
    assert open_own(mixed, both, SIGNERS[0], 2) == BODY
    assert why(mixed, both, SIGNERS[1]) == "KC"
    assert why(structs.replace(made, kc=b"x" * 32), blob) == "KC"


def test_a_changed_ciphertext_is_seen():
    """SEALED: the author names a blob whose sealed bytes were changed."""
    made, blob = seal_own(DRAFT, BODY, KEYS, 2, CEK)
    ct, wraps = unpack(blob)
    assert why(*with_blob(made, pack([ct[:-1] + bytes([ct[-1] ^ 1]), wraps]))) == "SEALED"


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"\0\0",
        filled(pack(inner()), length=509),
        filled(pack(inner()), length=0xFFFFFFFF),
        filled(pack(inner()))[:-1] + b"\1",
        filled(pack(inner()), 511),
        filled(pack(inner()), 2048),
        filled(b"x" * 1_048_573, 2_097_152),
    ],
    ids=["nothing", "half a length", "beyond", "far beyond", "not zeros", "no bucket", "a bucket more", "too large"],
)
def test_padding_is_the_one_that_the_length_has(plaintext):
    """PADDING: a length beyond the bytes, anything but zeros behind, a size that is not the body's own bucket."""
    assert why(*hostile(DRAFT, plaintext)) == "PADDING"


@pytest.mark.parametrize(
    "packed", [b"", pack([]), pack(7), pack(inner(body=None)), pack(inner()) + b"\0", b"\xc0"],
    ids=["empty", "a list", "a number", "no body", "a byte more", "nil"],
)  # fmt: skip
def test_what_is_sealed_is_one_map_with_a_body(packed):
    """INNER: bytes that are no DCM, no map, or have no body."""
    assert why(*hostile(DRAFT, filled(packed))) == "INNER"


@pytest.mark.parametrize(
    "changes",
    [
        {"chan": b"x" * 32}, {"from": SECOND.kid}, {"did": b"x" * 16}, {"to": list(DRAFT.to[:1])}, {"did": None},
        {"to": None}, {"salts": {}}, {"body": []}, {"body": b"text"}, {"body": 1},
    ],
)  # fmt: skip
def test_the_names_inside_are_the_documents(changes):
    """NAMES: another channel, author, draft or recipients inside, a name more or fewer, or a body that is no map."""
    assert why(*hostile(DRAFT, filled(pack(inner(**changes))))) == "NAMES"


def test_a_note_names_no_draft_beside_its_body():
    """NAMES: ``did`` of a note stands in its body."""
    assert why(*hostile(NOTE, filled(pack(inner())))) == "NAMES"
    assert open_own(*hostile(NOTE, filled(pack(inner(did=None)))), SIGNERS[0], 2) == BODY


# --- proposals --------------------------------------------------------------------------------------------------------


def finished(to: tuple[PrivateKey, ...] = (PEER, *SIGNERS), body: Any = None, **changes: object) -> Sealed:
    """A message of the author's, with a second signer, sealed and not signed yet."""
    fields: dict[str, object] = {
        "chan": CHAN, "from_": AUTHOR.kid, "mid": b"m" * 16, "ts": TIME, "prev": ZERO, "suite": SEAL,
        "to": tuple(sorted(k.kid for k in to)), "fmt": "F12", "level": "serious", "prec": "O", "status": "message",
        "lang": "en", "cosign": (SECOND.kid,),
    }  # fmt: skip
    body = {"text": "We propose to raise."} if body is None else body
    salts = {name: hashlib.sha256(name.encode()).digest()[:16] for name in body}
    return seal(Header(**fields | changes), body, KEYS, 2, cek=MESSAGE_CEK, salts=salts, max_body=524_288)


def body_of(made: Sealed, **changes: object) -> dict[str, object]:
    """A draft's body; None takes a field away."""
    plain = proposal_body(made.payload_bytes, made.blob, MESSAGE_CEK, (9, 7)) | changes
    return {name: value for name, value in plain.items() if value is not None}


def read(body: dict[str, object], key: PrivateKey = SIGNERS[0]) -> Proposal:
    """What a co-signer's desk makes of a draft with this body: sealed, opened, read."""
    made, blob = seal_own(DRAFT, body, KEYS, 2, CEK)
    return read_proposal(made, open_own(made, blob, key, 2), key, 2)


def refused(body: dict[str, object], key: PrivateKey = SIGNERS[0]) -> str:
    with pytest.raises(Refused) as caught:
        read(body, key)
    assert caught.value.code == "DRAFT"
    return str(caught.value.values["why"])


def unopened(body: dict[str, object], key: PrivateKey = SIGNERS[0]) -> str:
    with pytest.raises(Unverified) as caught:
        read(body, key)
    assert caught.value.code == "UNOPENED"
    return str(caught.value.values["why"])


@pytest.mark.parametrize("to", [(PEER, *SIGNERS), (PEER,)], ids=["recipient", "no recipient"])
def test_a_co_signer_gets_the_very_bytes_that_are_signed(to):
    """Payload, blob, body and sizes as the author had them, whether or not the signer is a recipient of the message."""
    made = finished(to)
    for key in SIGNERS:
        said = read(body_of(made), key)
        assert (said.payload, said.payload_bytes, said.blob) == (made.payload, made.payload_bytes, made.blob)
        assert (said.opened.body, said.cek, said.at) == ({"text": "We propose to raise."}, MESSAGE_CEK, (9, 7))


def test_signatures_over_what_was_said_make_the_message():
    """Both signers sign ``said``; joined, the envelope verifies and the peer opens the blob with no draft at hand."""
    made = finished()
    said = read(body_of(made))
    envelope = join(media_type("msg"), said.payload_bytes, {k.kid: k.sign(said.said) for k in (AUTHOR, SECOND)})
    assert set(envelope.verified(2, {k.kid: k.public for k in (AUTHOR, SECOND)})) == {AUTHOR.kid, SECOND.kid}
    assert open_message(said.payload, said.blob, PEER, 2) == said.opened


def test_a_proposal_does_not_print_what_it_holds():
    """Neither the content key nor the body stands in its text form."""
    text = repr(read(body_of(finished())))
    assert "We propose" not in text
    assert repr(MESSAGE_CEK) not in text


def test_the_largest_message_fits_into_a_draft():
    """A body that fills the last bucket of messages, sealed to 20 keys, is a draft of 1 MiB."""
    readers = tuple(PrivateKey(2, SEAL, RNG.randbytes(32)) for _ in range(20))
    KEYS.update({k.kid: k.public for k in readers})
    made = finished(readers, {"b": bytes(523_288)})
    assert len(unpack(made.blob)[0]) - 16 == 524_288
    sealed, blob = seal_own(DRAFT, body_of(made), KEYS, 2, CEK)
    assert len(unpack(blob)[0]) - 16 == 1_048_576
    assert read_proposal(sealed, open_own(sealed, blob, SIGNERS[0], 2), SIGNERS[0], 2).blob == made.blob


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": None}, {"blob": None}, {"cek": None}, {"at": None}, {"more": 1},
        {"payload": 1 << 40}, {"blob": 1 << 62}, {"cek": 32}, {"payload": [1, 2]}, {"payload": "text"}, {"cek": {}},
        {"payload": b""}, {"payload": pack({})}, {"payload": finished().payload_bytes + b"\0"},
        {"payload": pack(unpack(finished().payload_bytes) | {"more": 1})},
        {"payload": pack(unpack(finished().payload_bytes) | {"cosign": []})},
        {"cek": MESSAGE_CEK[:31]}, {"cek": MESSAGE_CEK + b"\0"},
        {"at": []}, {"at": [1]}, {"at": [1, 2, 3]}, {"at": [-1, 2]}, {"at": [1, True]}, {"at": ["1", 2]}, {"at": 3},
        {"at": "12"}, {"at": b"12"}, {"at": {"a": 1, "b": 2}},
    ],
)  # fmt: skip
def test_a_body_that_is_no_proposal(changes):
    """PARSE: a field missing, more, or of another shape; numbers in the place of bytes take no memory."""
    assert refused(body_of(finished(), **changes)) == "PARSE"


@pytest.mark.parametrize(
    "changes", [{"chan": b"x" * 32}, {"from_": SECOND.kid, "cosign": (AUTHOR.kid,)}], ids=["channel", "author"]
)
def test_a_message_of_another_channel_or_author(changes):
    """NAMES: the message is of the draft's channel and author, however well it opens."""
    assert refused(body_of(finished(**changes))) == "NAMES"


def test_a_message_that_asks_for_no_second_signature():
    """NAMES: a message with one signer is no draft."""
    made = finished()
    plain = {name: value for name, value in unpack(made.payload_bytes).items() if name != "cosign"}
    assert refused(body_of(made, payload=pack(plain))) == "NAMES"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"blob": b"x" * 32}, "BLOB"),
        ({"blen": 1}, "BLOB"),
        ({"kc": b"x" * 32}, "KC"),
        ({"bd": b"x" * 32}, "BD"),
        ({"level": "crisis"}, "KC"),
        ({"mid": b"x" * 16}, "KC"),
        ({"to": list(DRAFT.to)}, "WRAPS"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_payload_that_commits_to_something_else(changes, said):
    """Another blob, ``kc``, ``bd``, header or recipients in the payload than was sealed: the first check that fails."""
    made = finished()
    assert unopened(body_of(made, payload=pack(unpack(made.payload_bytes) | changes))) == said


def test_another_messages_blob_or_key():
    """BLOB for another message's sealed bytes, KC for another message's content key."""
    made = finished()
    other = finished(body={"text": "Routine."}, mid=b"o" * 16)
    assert unopened(body_of(made, blob=other.blob)) == "BLOB"
    assert unopened(body_of(made, cek=b"o" * 32)) == "KC"


@pytest.mark.parametrize(("wrapped", "said"), [(b"o" * 32, "KC"), (None, "WRAP")], ids=["another key", "no key"])
def test_the_signers_own_wrap_holds_the_same_key(wrapped, said):
    """A signer who is a recipient opens by the own wrap, too: one with another key, or that does not open, is refused."""
    made = finished()
    ct, wraps = unpack(made.blob)
    own = SIGNERS[0]
    at = list(made.payload.to).index(own.kid)
    hh = made.payload.header_hash()
    wraps[at][1] = bytes(1168) if wrapped is None else own.public.seal(2, wrap_info(hh, own.kid), wrapped)
    blob = pack([ct, wraps])
    payload = pack(structs.replace(made.payload, blob=hashlib.sha256(blob).digest(), blen=len(blob)))
    assert unopened(body_of(made, payload=payload, blob=blob)) == said
    assert read(body_of(made, payload=payload, blob=blob), SIGNERS[1]).opened.body == {"text": "We propose to raise."}
