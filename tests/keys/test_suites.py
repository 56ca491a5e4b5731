"""The algorithms against constructions of their own: by the drafts' text, from the single primitives."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys import suites
from keys.errors import Malformed, Refused
from keys.suites import SEAL, SESSION, SIGN

SEED = bytes(range(64))
CTX, OTHER_CTX = b"dcx/v1/exercise", b"dcx/v1/actual"
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
SMALL = [
    *((y.to_bytes(32, "little")) for y in (0, 1, P - 1, P, P + 1)),
    *((y + 2**255).to_bytes(32, "little") for y in (0, 1, P - 1, P, P + 1)),
    *(
        bytes.fromhex(f"{half}{last}")
        for half, lasts in (
            ("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03", ("7a", "fa")),
            ("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc", ("05", "85")),
        )
        for last in lasts
    ),
]


def refused(suite: int, public: bytes) -> str:
    with pytest.raises(Refused) as caught:
        suites.check_public(suite, public)
    assert caught.value.code == "KEY"
    return str(caught.value.values["why"])


def composite_message(message: bytes, ctx: bytes) -> bytes:
    """M' of draft-ietf-lamps-pq-composite-sigs, written out once more."""
    label = b"COMPSIG-MLDSA65-Ed25519-SHA512"
    return (
        b"CompositeAlgorithmSignatures2025" + label + len(ctx).to_bytes(1, "big") + ctx
        + hashlib.sha512(message).digest()
    )  # fmt: skip


# Composite signatures


def test_a_composite_key_is_its_two_halves():
    """ML-DSA-65 first, Ed25519 last, each from its half of the seed."""
    public = suites.public_of(SIGN, SEED)
    ml = mldsa.MLDSA65PrivateKey.from_seed_bytes(SEED[:32]).public_key().public_bytes_raw()
    ed = ed25519.Ed25519PrivateKey.from_private_bytes(SEED[32:]).public_key().public_bytes_raw()
    assert public == ml + ed
    assert suites.components(SIGN, public) == (ml, ed)
    assert len(public) == 1984


def test_a_signature_made_by_the_drafts_text_verifies_and_ours_verifies_by_it():
    """Both halves over M', the ML-DSA half with the label as its context."""
    public, inner = suites.public_of(SIGN, SEED), composite_message(b"message", CTX)
    ml, ed = mldsa.MLDSA65PrivateKey.from_seed_bytes(SEED[:32]), ed25519.Ed25519PrivateKey.from_private_bytes(SEED[32:])
    by_hand = ml.sign(inner, b"COMPSIG-MLDSA65-Ed25519-SHA512") + ed.sign(inner)
    assert suites.verify(SIGN, public, b"message", by_hand, CTX)
    ours = suites.sign(SIGN, SEED, b"message", CTX)
    assert len(ours) == 3373
    ml.public_key().verify(ours[:3309], inner, b"COMPSIG-MLDSA65-Ed25519-SHA512")
    ed.public_key().verify(ours[3309:], inner)


def test_both_halves_must_verify():
    """One half stripped, swapped, zeroed or from another key is no signature."""
    public = suites.public_of(SIGN, SEED)
    good = suites.sign(SIGN, SEED, b"message", CTX)
    other = suites.sign(SIGN, SEED[::-1], b"message", CTX)
    assert suites.verify(SIGN, public, b"message", good, CTX)
    ml, ed = good[:3309], good[3309:]
    for bad in (
        ml, ed, b"", ed + ml, ml + bytes(64), bytes(3309) + ed, ml + other[3309:], other[:3309] + ed, good + b"\0",
        good[:-1], ml + ed[:63] + bytes([ed[63] ^ 1]), bytes([ml[0] ^ 1]) + good[1:],
    ):  # fmt: skip
        assert not suites.verify(SIGN, public, b"message", bad, CTX)


def test_a_half_that_stands_alone_is_no_signature_of_its_key():
    """What a bare ML-DSA-65 or Ed25519 key signs over the message never passes as a half."""
    public = suites.public_of(SIGN, SEED)
    ml, ed = mldsa.MLDSA65PrivateKey.from_seed_bytes(SEED[:32]), ed25519.Ed25519PrivateKey.from_private_bytes(SEED[32:])
    good = suites.sign(SIGN, SEED, b"message", CTX)
    inner = composite_message(b"message", CTX)
    for bad in (
        good[:3309] + ed.sign(b"message"), ml.sign(b"message") + good[3309:], ml.sign(inner) + good[3309:]
    ):  # fmt: skip
        assert not suites.verify(SIGN, public, b"message", bad, CTX)


def test_a_signature_is_bound_to_message_and_context():
    """Another message, mode or no context at all."""
    public, good = suites.public_of(SIGN, SEED), suites.sign(SIGN, SEED, b"message", CTX)
    for message, ctx in ((b"messagf", CTX), (b"", CTX), (b"message", OTHER_CTX), (b"message", b"")):
        assert not suites.verify(SIGN, public, message, good, ctx)


def test_an_ed25519_half_has_one_form():
    """S + L, which lax libraries accept, is refused."""
    public, good = suites.public_of(SIGN, SEED), suites.sign(SIGN, SEED, b"message", CTX)
    s = int.from_bytes(good[-32:], "little") + L
    assert not suites.verify(SIGN, public, b"message", good[:-32] + s.to_bytes(32, "little"), CTX)


def test_signatures_are_hedged():
    """Two over the same message differ: documents are known by their payload."""
    assert suites.sign(SIGN, SEED, b"m", CTX) != suites.sign(SIGN, SEED, b"m", CTX)


def test_a_session_key_is_plain_ed25519_without_context():
    """64 bytes; a composite's length is not taken for it."""
    public = suites.public_of(SESSION, SEED[:32])
    signature = suites.sign(SESSION, SEED[:32], b"m", CTX)
    ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, b"m")
    assert suites.verify(SESSION, public, b"m", signature, OTHER_CTX)
    assert not suites.verify(SESSION, public, b"n", signature, CTX)
    assert not suites.verify(SESSION, public, b"m", suites.sign(SIGN, SEED, b"m", CTX), CTX)


# Sealing


def hkdf(salt: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), ikm, "sha256")


def open_by_hand(seed: bytes, info: bytes, wrapped: bytes) -> bytes:
    """HPKE base mode (RFC 9180) over X-Wing, KEM 0x647a, from ML-KEM-768, X25519, SHA-3 and HMAC alone."""
    expanded = hashlib.shake_256(seed).digest(96)
    kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    dh = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    kem_ct, dh_ct, sealed = wrapped[:1088], wrapped[1088:1120], wrapped[1120:]
    shared = hashlib.sha3_256(
        kem.decapsulate(kem_ct) + dh.exchange(x25519.X25519PublicKey.from_public_bytes(dh_ct)) + dh_ct
        + dh.public_key().public_bytes_raw() + rb"\.//^" + b"\\"
    ).digest()  # fmt: skip
    suite = b"HPKE" + bytes.fromhex("647a00010002")

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hkdf(salt, b"HPKE-v1" + suite + label + ikm)

    def expand(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
        full = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context + b"\1"
        return hmac.digest(secret, full, "sha256")[:length]

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    key, nonce = expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, sealed, b"")


def test_a_seal_key_is_the_published_x_wing_key_of_its_seed():
    """Seed and public key of draft-connolly-cfrg-xwing-kem, appendix C, first vector."""
    seed = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
    public = suites.public_of(SEAL, seed)
    assert len(public) == 1216
    assert public[1184:].hex() == "859edb06eff389b27dce59844570216223593d4ba32d9abac8cd049040ef6534"
    kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(hashlib.shake_256(seed).digest(96)[:64])
    assert public[:1184] == kem.public_key().public_bytes_raw()
    assert suites.components(SEAL, public) == (public[:1184], public[1184:])


def test_what_is_wrapped_opens_by_the_texts_of_rfc_9180_and_x_wing():
    """1,168 bytes for 32; opened here from the single primitives, and by us."""
    seed, secret = SEED[:32], b"s" * 32
    wrapped = suites.wrap(suites.public_of(SEAL, seed), b"info", secret)
    assert len(wrapped) == 1168
    assert open_by_hand(seed, b"info", wrapped) == secret
    assert suites.unwrap(seed, b"info", wrapped, 32) == secret


def test_a_wrap_opens_only_whole_with_its_key_info_and_length():
    """Another key, other info, a changed byte anywhere, a cut, and a longer secret under a shorter name."""
    seed = SEED[:32]
    wrapped = suites.wrap(suites.public_of(SEAL, seed), b"info", b"s" * 32)
    assert suites.unwrap(SEED[32:], b"info", wrapped, 32) is None
    assert suites.unwrap(seed, b"infn", wrapped, 32) is None
    for place in (0, 500, 1087, 1088, 1119, 1120, 1151, 1152, 1167):
        changed = wrapped[:place] + bytes([wrapped[place] ^ 1]) + wrapped[place + 1 :]
        assert suites.unwrap(seed, b"info", changed, 32) is None
    for wrong in (b"", wrapped[:-1], wrapped + b"\0", wrapped[:1136]):
        assert suites.unwrap(seed, b"info", wrong, 32) is None
    assert suites.unwrap(seed, b"info", wrapped, 31) is None
    zero_point = wrapped[:1088] + bytes(32) + wrapped[1120:]
    assert suites.unwrap(seed, b"info", zero_point, 32) is None


# Keys that must not be admitted


def test_the_list_of_small_order_points_is_complete():
    """The fourteen encodings of the protocol's appendix A, made here from their numbers."""
    assert set(SMALL) == suites.SMALL_ORDER
    assert len(set(SMALL)) == 14


@pytest.mark.parametrize("point", SMALL, ids=bytes.hex)
def test_a_small_order_point_is_never_a_key(point):
    """Neither as a half of a composite nor as a session key."""
    assert refused(SIGN, suites.public_of(SIGN, SEED)[:1952] + point) == "small order"
    assert refused(SESSION, point) == "small order"


@pytest.mark.parametrize("y", [P + 2, P + 9, 2**255 - 1])
def test_an_unreduced_point_is_never_a_key(y):
    """y >= p has a second form, with either sign."""
    for sign in (0, 2**255):
        assert refused(SESSION, (y + sign).to_bytes(32, "little")) == "small order"


def test_a_forged_signature_shows_why_small_order_points_are_refused():
    """Under the identity as key, S = 0 and R = the identity verifies over anything in the library below."""
    identity = (1).to_bytes(32, "little")
    assert suites.verify(SESSION, identity, b"anything at all", identity + bytes(32), b"")
    assert refused(SESSION, identity)


@pytest.mark.parametrize("u", [0, 1, P - 1, P, P + 1])
def test_a_seal_key_with_a_worthless_x25519_half_is_refused(u):
    """A shared secret of zeros would be nobody's secret."""
    kem = suites.public_of(SEAL, SEED[:32])[:1184]
    assert refused(SEAL, kem + u.to_bytes(32, "little")) == "load"


def test_keys_of_wrong_length_suite_or_content_are_refused():
    """One byte less or more, a reserved suite, ML-KEM numbers that are not reduced."""
    for suite, seed in ((SIGN, SEED), (SESSION, SEED[:32]), (SEAL, SEED[:32])):
        public = suites.public_of(suite, seed)
        suites.check_public(suite, public)
        for wrong in (public[:-1], public + b"\0", b""):
            assert refused(suite, wrong) == "length"
    for reserved in (0x0002, 0x0010, 0x0102, 0x0000):
        assert refused(reserved, bytes(1984)) == "suite"
    assert refused(SEAL, b"\xff" * 1184 + suites.public_of(SEAL, SEED[:32])[1184:]) == "load"


def test_a_seed_has_its_suites_length():
    """Cut or of another suite."""
    for suite, length in ((SIGN, 32), (SEAL, 64), (SESSION, 31), (SIGN, 65)):
        with pytest.raises(Malformed):
            suites.public_of(suite, bytes(length))
