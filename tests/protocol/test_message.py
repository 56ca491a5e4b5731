"""Sealing and opening (docs/protocol.md 11.2): what was sealed opens, and nothing else does."""

from __future__ import annotations

import hashlib
import random

import msgspec
import pytest

from channel.protocol.header import Header
from channel.protocol.message import Sealed, body_digest, digest_of, field_digest, open_message, open_with_cek, seal
from keys.codec import pack, unpack
from keys.envelope import join, media_type, pae
from keys.errors import Problem, Refused, Unverified
from keys.identity import PrivateKey
from keys.shapes import ZERO
from keys.suites import SEAL, SIGN

RNG = random.Random(7)
AUTHOR = PrivateKey(2, SIGN, RNG.randbytes(64))
READERS = sorted((PrivateKey(2, SEAL, RNG.randbytes(32)) for _ in range(2)), key=lambda k: k.kid)
BODY = {"word": "LARCH 03", "time": 1_795_478_400_000}
CEK = bytes(range(32))


def header(**changes: object) -> Header:
    fields: dict[str, object] = {
        "chan": b"c" * 32, "from_": AUTHOR.kid, "mid": b"m" * 16, "ts": 1_795_478_400_000, "prev": ZERO, "suite": SEAL,
        "to": tuple(k.kid for k in READERS), "fmt": "F13", "level": "attention", "prec": "P", "status": "message",
        "lang": "en",
    }  # fmt: skip
    return Header(**{**fields, **changes})


def sealed(head: Header | None = None, body: dict[str, object] | None = None, cek: bytes = CEK) -> Sealed:
    body = BODY if body is None else body
    keys = {k.kid: k.public for k in READERS}
    salts = {name: hashlib.sha256(name.encode()).digest()[:16] for name in body}
    return seal(head or header(), body, keys, 2, cek=cek, salts=salts, max_body=65_536)


def why(payload, blob, key=READERS[0], mode=2) -> str:
    with pytest.raises(Unverified) as caught:
        open_message(payload, blob, key, mode)
    assert caught.value.code == "UNOPENED"
    return caught.value.values["why"]


def test_every_recipient_reads_the_same_body():
    """Each recipient opens the same fields, salts and content key."""
    made = sealed()
    opened = [open_message(made.payload, made.blob, key, 2) for key in READERS]
    assert opened[0] == opened[1] == open_with_cek(made.payload, made.blob, CEK)
    assert dict(opened[0].body) == BODY


def test_the_layout_has_the_sizes_of_the_protocol():
    """F13 with two wraps: blob 2,945 bytes, payload 503 at most with case and references, one signature about 3.4 kB."""
    made = sealed()
    assert len(made.blob) == 2945
    assert len(sealed(header(case=b"k" * 32, refs=(b"r" * 32,))).payload_bytes) <= 503
    message = pae(media_type("msg"), made.payload_bytes)
    one = len(join(media_type("msg"), made.payload_bytes, {AUTHOR.kid: AUTHOR.sign(message)}).encode())
    assert one - len(made.payload_bytes) - len(media_type("msg")) in range(3373 + 32, 3373 + 32 + 24)


@pytest.mark.parametrize("change", [
    {"chan": b"x" * 32}, {"from_": b"x" * 32}, {"mid": b"x" * 16}, {"ts": 1}, {"level": "crisis"}, {"lang": "zh"},
])  # fmt: skip
def test_a_sealed_body_opens_under_no_other_header(change):
    """The header salts the keys: with any field changed the wrap does not open."""
    made = sealed()
    field = {("from_" if k == "from_" else k): v for k, v in change.items()}
    assert why(msgspec.structs.replace(made.payload, **field), made.blob) == "WRAP"


def test_another_set_of_recipients_is_refused():
    """Recipients added or taken away after sealing are seen."""
    made = sealed()
    assert why(msgspec.structs.replace(made.payload, to=made.payload.to[:1]), made.blob) == "WRAPS"


def test_two_plaintexts_for_two_readers_are_seen():
    """A wrap with another content key fails the commitment before anything is decrypted."""
    made, other = sealed(), sealed(cek=b"o" * 32)
    ct, wraps = unpack(made.blob)
    _, foreign = unpack(other.blob)
    blob = pack([ct, [wraps[0], foreign[1]]])
    payload = msgspec.structs.replace(made.payload, blob=hashlib.sha256(blob).digest(), blen=len(blob))
    assert open_message(payload, blob, READERS[0], 2).cek == CEK
    assert why(payload, blob, READERS[1]) == "KC"


def test_any_changed_byte_of_the_blob_is_seen():
    """The payload names the blob by hash, so a changed byte never reaches decryption."""
    made = sealed()
    for place in RNG.sample(range(len(made.blob)), 200):
        blob = made.blob[:place] + bytes([made.blob[place] ^ 1]) + made.blob[place + 1 :]
        assert why(made.payload, blob) == "BLOB"


def test_a_changed_ciphertext_under_a_new_hash_is_seen():
    """Who signs another blob hash still can't change what was encrypted."""
    made = sealed()
    ct, wraps = unpack(made.blob)
    blob = pack([ct[:-1] + bytes([ct[-1] ^ 1]), wraps])
    assert why(msgspec.structs.replace(made.payload, blob=hashlib.sha256(blob).digest()), blob) == "SEALED"


def test_bd_must_be_the_hash_of_the_fields():
    """A body digest that names other fields is refused."""
    made = sealed()
    assert why(msgspec.structs.replace(made.payload, bd=b"x" * 32), made.blob) == "BD"


def test_bd_can_be_recomputed_from_digests_with_fields_withheld():
    """A redacted reveal gives all digests and only some fields."""
    salts = {name: bytes([i]) * 16 for i, name in enumerate(BODY)}
    digests = [field_digest(name, value, salts[name]) for name, value in BODY.items()]
    assert digest_of(reversed(digests)) == body_digest(BODY, salts)
    assert digest_of(digests[:1]) != body_digest(BODY, salts)


def test_a_key_of_the_other_mode_opens_and_seals_nothing():
    """Mode is checked before any decryption, and at sealing."""
    made = sealed()
    assert why(made.payload, made.blob, mode=1) == "WRAPS"
    actual = {k.kid: PrivateKey(1, SEAL, k.seed()).public for k in READERS}
    with pytest.raises(Refused) as caught:
        seal(header(), BODY, actual, 2, cek=CEK, salts={n: bytes(16) for n in BODY}, max_body=9999)
    assert caught.value.code == "MODE"


@pytest.mark.parametrize("size", [1, 400, 2_000, 30_000])
def test_lengths_show_only_their_bucket(size):
    """The sealed length is one of six, whatever the text's length is."""
    made = sealed(body={"line": "x" * size})
    ct, _ = unpack(made.blob)
    assert len(ct) - 16 in (512, 2048, 8192, 32_768)


def test_a_body_beyond_the_limit_is_refused():
    """A body larger than the policy allows never leaves the desk."""
    with pytest.raises(Problem) as caught:
        sealed(body={"line": "x" * 70_000})
    assert caught.value.code == "BODY_SIZE"
