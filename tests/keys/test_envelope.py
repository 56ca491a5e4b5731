"""DSSE envelopes: what was signed is what is kept, and no signature counts twice."""

from __future__ import annotations

import hashlib

import msgpack
import pytest

from keys import suites
from keys.codec import pack
from keys.documents import Root, Roster
from keys.envelope import Envelope, join, media_type, pae, read_envelope, sign
from keys.errors import Malformed, Refused
from keys.identity import ACTUAL, EXERCISE, PrivateKey, PublicKey


def test_the_signed_bytes_are_those_of_the_dsse_specification():
    """The golden value of DSSE 1.0.2, and lengths in bytes, not letters."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("", b"") == b"DSSEv1 0  0 "
    assert pae("é", b"\xff") == b"DSSEv1 2 \xc3\xa9 1 \xff"


def test_an_envelope_comes_back_byte_for_byte(party):
    """Type, payload, signatures sorted by key id; an independent encoder gives the same bytes."""
    env = sign("root", party.root, party.authority)
    raw = env.encode()
    assert read_envelope(raw) == env
    assert read_envelope(raw).encode() == raw
    assert env.kids == tuple(sorted(k.kid for k in party.authority))
    entries = [[kid, sig] for kid, sig in env.signatures]
    assert raw == msgpack.packb([media_type("root"), pack(party.root), entries])
    assert env.read("root", Root) == party.root
    assert env.hash == hashlib.sha256(pack(party.root)).digest()


def test_every_signer_is_found_and_counted_once(party):
    """Three keys, three kids; only those asked for."""
    env, keys = sign("root", party.root, party.authority), party.keys_of(*party.authority)
    assert env.verified(EXERCISE, keys) == set(keys)
    one = dict(list(keys.items())[:1])
    assert env.verified(EXERCISE, one) == set(one)
    assert env.verified(EXERCISE, {}) == frozenset()
    assert env.verified(ACTUAL, keys) == frozenset()


def entries(*pairs: tuple[bytes, bytes], kind: str = media_type("root"), payload: bytes = b"\x80") -> bytes:
    return msgpack.packb([kind, payload, [list(p) for p in pairs]])


def test_a_key_id_stands_once_and_in_order():
    """A doubled id never reaches the counting; another order is another envelope."""
    a, b = (bytes([n]) * 32 for n in (1, 2))
    assert read_envelope(entries((a, b"x"), (b, b"y"))).kids == (a, b)
    for wrong in (
        ((a, b"x"), (a, b"x")),
        ((a, b"x"), (a, b"y")),
        ((b, b"x"), (a, b"y")),
        ((a, b""), (b, b""), (a, b"")),
    ):
        with pytest.raises(Malformed):
            read_envelope(entries(*wrong))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x80",
        msgpack.packb([media_type("root"), b"\x80"]),
        msgpack.packb([media_type("root"), b"\x80", [], 1]),
        msgpack.packb([media_type("root"), "text", []]),
        msgpack.packb([b"type", b"\x80", []]),
        entries((b"k" * 31, b"s")),
        entries((b"k" * 33, b"s")),
        entries((b"k" * 32, b"s" * 5001)),
        entries((b"k" * 32, b"s"), kind="x" * 97),
        msgpack.packb([media_type("root"), b"\x80", [[b"k" * 32, b"s", b"more"]]]),
        msgpack.packb([media_type("root"), b"\x80", [[b"k" * 32, "text"]]]),
        entries() + b"\0",
    ],
)
def test_other_bytes_are_no_envelope(raw):
    """Wrong fields, types, lengths, and what follows."""
    with pytest.raises(Malformed):
        read_envelope(raw)


def test_a_signature_under_anothers_id_counts_for_nobody(party):
    """The id is a hint: the key itself must give it."""
    one, two = party.authority[:2]
    message = pae(media_type("root"), pack(party.root))
    env = join(media_type("root"), pack(party.root), {two.kid: one.sign(message)})
    assert env.verified(EXERCISE, party.keys_of(one, two)) == frozenset()
    assert env.verified(EXERCISE, {two.kid: one.public}) == frozenset()


def test_the_same_halves_under_two_ids_are_two_keys_only_until_admission(party):
    """Ids differ with the mode, so a threshold of one channel never counts both."""
    one = party.authority[0]
    twin = PrivateKey(ACTUAL, suites.SIGN, one.seed())
    env = sign("root", party.root, [one, twin])
    assert len(env.signatures) == 2
    assert env.verified(EXERCISE, party.keys_of(one, twin)) == {one.kid}


def test_type_and_payload_are_both_signed(party):
    """The same signatures over another payload or under another type are none."""
    env, keys = sign("root", party.root, party.authority), party.keys_of(*party.authority)
    assert not Envelope(media_type("roster"), env.payload, env.signatures).verified(EXERCISE, keys)
    assert not Envelope(env.payload_type, env.payload + b"\0", env.signatures).verified(EXERCISE, keys)


def test_a_document_is_read_only_under_its_own_type(party):
    """Another type, and another document's bytes under this type."""
    env = sign("root", party.root, party.authority)
    with pytest.raises(Malformed) as caught:
        env.read("roster", Roster)
    assert caught.value.code == "TYPE"
    with pytest.raises(Malformed) as caught:
        sign("roster", party.root, party.authority).read("roster", Roster)
    assert caught.value.code == "PARSE"


def test_signatures_made_apart_are_joined(party):
    """Each keyholder signs alone; an envelope without any is none."""
    message, payload = pae(media_type("root"), pack(party.root)), pack(party.root)
    signatures = {k.kid: k.sign(message) for k in reversed(party.authority)}
    env = join(media_type("root"), payload, signatures)
    assert read_envelope(env.encode()).verified(EXERCISE, party.keys_of(*party.authority)) == set(signatures)
    with pytest.raises(Refused):
        join(media_type("root"), payload, {})


def test_a_changed_byte_in_a_signature_takes_only_that_signer(party):
    """The others still count."""
    env, keys = sign("root", party.root, party.authority), party.keys_of(*party.authority)
    (kid, sig), *rest = env.signatures
    bad = Envelope(env.payload_type, env.payload, ((kid, sig[:-1] + bytes([sig[-1] ^ 1])), *rest))
    assert bad.verified(EXERCISE, keys) == {k for k, _ in rest}


def test_a_signature_of_a_key_that_cannot_sign_is_none(make_key, party):
    """A seal key in the place of a signer verifies nothing."""
    seal: PublicKey = make_key("one", suites.SEAL).public
    env = join(media_type("root"), pack(party.root), {seal.kid: bytes(3373)})
    assert env.verified(EXERCISE, {seal.kid: seal}) == frozenset()
