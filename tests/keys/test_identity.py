"""Key objects, their ids, and keys that know their mode."""

from __future__ import annotations

import hashlib
import pickle

import pytest

from keys import suites
from keys.errors import Malformed, Refused, Unverified, WrongUse
from keys.identity import ACTUAL, EXERCISE, PrivateKey, PublicKey, check_key, read_key
from keys.pop import challenge, open_challenge

SUITES = [suites.SIGN, suites.SESSION, suites.SEAL]


@pytest.mark.parametrize("suite", SUITES)
def test_a_key_object_is_its_bytes_and_its_id_their_hash(make_key, suite):
    """The layout of the protocol, written out once more."""
    key = make_key("one", suite).public
    raw = b"dcx/v1/kid\0\2" + suite.to_bytes(2, "big") + len(key.raw).to_bytes(4, "big") + key.raw
    assert key.encode() == raw
    assert key.kid == hashlib.sha256(raw).digest()
    assert read_key(raw) == key


@pytest.mark.parametrize("suite", SUITES)
def test_bytes_that_are_no_key_object_are_refused(make_key, suite):
    """Another tag, mode, suite or length; cut and longer."""
    raw = make_key("one", suite).public.encode()
    tag, mode, number, length, rest = raw[:11], raw[11:12], raw[12:14], raw[14:18], raw[18:]
    for wrong in (
        b"", tag, raw[:17], raw[:-1], raw + b"\0", b"dcx/v2/kid\0" + raw[11:], tag + b"\0" + raw[12:],
        tag + b"\3" + raw[12:], tag + mode + b"\0\2" + length + rest, tag + mode + b"\x01\x02" + length + rest,
        tag + mode + number + b"\0\0\0\0", tag + mode + number + b"\0\0\0\5" + b"short",
    ):  # fmt: skip
        with pytest.raises(Malformed) as caught:
            read_key(wrong)
        assert caught.value.code == "KEY_OBJECT"


def test_the_mode_is_in_the_id_and_in_every_signature(make_key):
    """The same seed in both modes: two ids, and neither verifies what the other signed."""
    exercise = make_key("one")
    actual = PrivateKey(ACTUAL, suites.SIGN, exercise.seed())
    assert actual.public.raw == exercise.public.raw
    assert actual.kid != exercise.kid
    signature = exercise.sign(b"m")
    assert exercise.public.verify(EXERCISE, b"m", signature)
    assert not exercise.public.verify(ACTUAL, b"m", signature)
    for mode in (ACTUAL, EXERCISE):
        assert not actual.public.verify(mode, b"m", signature)


def test_a_key_of_the_other_mode_is_not_admitted_and_nothing_is_sealed_to_it(make_key):
    """Refused MODE, before anything else."""
    key = make_key("one", suites.SEAL).public
    check_key(key, EXERCISE)
    assert key.seal(EXERCISE, b"", b"x")
    for act in (lambda: check_key(key, ACTUAL), lambda: key.seal(ACTUAL, b"", b"x")):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.code == "MODE"


def test_only_a_seal_key_is_sealed_to_and_only_a_signing_key_verifies(make_key):
    """A key does what its suite is for."""
    sign, seal = make_key("one"), make_key("one", suites.SEAL)
    with pytest.raises(Refused):
        sign.public.seal(EXERCISE, b"", b"x")
    assert not seal.public.verify(EXERCISE, b"m", sign.sign(b"m"))


def test_what_is_sealed_opens_with_the_key_and_its_info(make_key):
    """And with nothing else."""
    key = make_key("one", suites.SEAL)
    wrapped = key.public.seal(EXERCISE, b"info", b"k" * 32)
    assert key.unwrap(b"info", wrapped) == b"k" * 32
    assert key.unwrap(b"other", wrapped) is None
    assert make_key("two", suites.SEAL).unwrap(b"info", wrapped) is None


def test_admission_looks_into_the_key(make_key):
    """A small-order half is refused by ``check_key`` too."""
    raw = make_key("one").public.raw
    with pytest.raises(Refused):
        check_key(PublicKey(EXERCISE, suites.SIGN, raw[:1952] + bytes(32)), EXERCISE)


def test_a_private_key_never_shows_its_seed(make_key):
    """Not as text, not pickled."""
    key = make_key("one")
    assert repr(key) == f"<private key {key.kid.hex()[:16]} exercise>"
    for form in (repr(key), str(key), f"{key}"):
        assert key.seed().hex()[:16] not in form
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_a_challenge_is_opened_by_its_key_alone(make_key):
    """Another key, another secret's length, and a changed byte."""
    key, other = make_key("one", suites.SEAL), make_key("two", suites.SEAL)
    sealed = challenge(key.public, b"c" * 32)
    assert open_challenge(key, sealed) == b"c" * 32
    for wrong_key, wrong in ((other, sealed), (key, sealed[:-1]), (key, sealed[:-1] + bytes([sealed[-1] ^ 1]))):
        with pytest.raises(Unverified) as caught:
            open_challenge(wrong_key, wrong)
        assert caught.value.code == "CHALLENGE"
    with pytest.raises(WrongUse):
        challenge(key.public, b"short")
