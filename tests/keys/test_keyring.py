"""Private keys at rest."""

from __future__ import annotations

import os
import pickle
import traceback
from pathlib import Path

import pytest

from keys import keyring, suites
from keys.errors import Malformed, Refused, WrongUse
from keys.identity import PrivateKey
from keys.keyring import DEMO, NodeKeys, Passphrase

WORD = "correct horse 电池"


@pytest.fixture
def file(tmp_path, make_key) -> Path:
    path = tmp_path / "expert.key"
    keyring.write_keys(path, [make_key("one"), make_key("two", suites.SEAL)], Passphrase(WORD), "US expert", DEMO)
    return path


def test_keys_come_back_under_their_passphrase(file, make_key):
    """The same signing and seal key, in one opening."""
    sign, seal = keyring.read_keys(file, Passphrase(WORD))
    assert (sign.kid, seal.kid) == (make_key("one").kid, make_key("two", suites.SEAL).kid)
    assert sign.seed() == make_key("one").seed()


def test_public_halves_need_no_passphrase(file, make_key):
    """Mode, label and public keys."""
    shown = keyring.show_keys(file)
    assert (shown.mode, shown.label) == (2, "US expert")
    assert shown.keys == (make_key("one").public, make_key("two", suites.SEAL).public)


def test_a_wrong_passphrase_opens_nothing(file):
    """One code for it, and no word of the passphrase in what is raised."""
    wrong = Passphrase(WORD[::-1])
    with pytest.raises(Refused) as caught:
        keyring.read_keys(file, wrong)
    assert caught.value.code == "PASSPHRASE"
    assert WORD[::-1] not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.values)


def test_a_passphrase_may_be_typed_in_any_form_of_its_letters(file):
    """Full-width and composed letters are the same passphrase."""
    assert keyring.read_keys(file, Passphrase("ｃorrect horse 电池"))


def test_every_changed_byte_is_caught(file):
    """No place of the file can be changed so that a key still comes out."""
    raw = file.read_bytes()
    header_end = raw.index(b"label") + 40
    places = [*range(header_end), *range(header_end, len(raw) - 300, 97), *range(len(raw) - 300, len(raw))]
    kdf = raw.index(b"kdf")
    for place in places:
        if kdf <= place < raw.index(b"nonce"):
            continue  # costs stand here: their own test, below
        file.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        with pytest.raises((Malformed, Refused)) as caught:
            keyring.read_keys(file, Passphrase(WORD))
        assert caught.value.code in ("KEY_FILE", "PASSPHRASE")


def test_changed_costs_and_salt_are_caught_and_bounded(file):
    """A cost that the machine can't pay is refused before it is tried."""
    raw = file.read_bytes()
    lanes = raw.index(b"lanes") + 5
    salt = raw.index(b"salt") + 6
    memory = raw.index(b"memory") + 6
    for place, values in ((lanes, (2, 17)), (salt, (raw[salt] ^ 1,)), (memory + 2, (1,))):
        for value in values:
            file.write_bytes(raw[:place] + bytes([value]) + raw[place + 1 :])
            with pytest.raises((Malformed, Refused)):
                keyring.read_keys(file, Passphrase(WORD))
    huge = raw[:memory] + b"\xce\xff\xff\xff\xff" + raw[memory + 3 :]
    file.write_bytes(huge)
    with pytest.raises(Malformed):
        keyring.read_keys(file, Passphrase(WORD))


def test_every_cut_is_caught(file):
    """A file that ends early, or goes on, is no key file."""
    raw = file.read_bytes()
    for changed in (b"", raw[:10], raw[:100], raw[:-1], raw + b"\0", bytes(70_000)):
        file.write_bytes(changed)
        with pytest.raises(Malformed) as caught:
            keyring.read_keys(file, Passphrase(WORD))
        assert caught.value.code == "KEY_FILE"


def test_files_are_the_owners_alone(file, tmp_path):
    """Written 0600 whatever the umask; refused with any right of others, before anything is read from them."""
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
    for mode in (0o640, 0o604, 0o660, 0o601):
        file.chmod(mode)
        with pytest.raises(Refused) as caught:
            keyring.show_keys(file)
        assert caught.value.code == "FILE_MODE"
        assert caught.value.values["mode"] == f"{mode:04o}"
    file.chmod(0o400)
    assert keyring.show_keys(file)


def test_no_key_is_written_over(file, make_key):
    """A second key goes elsewhere."""
    before = file.read_bytes()
    with pytest.raises(Refused) as caught:
        keyring.write_keys(file, [make_key("other")], Passphrase(WORD), "x", DEMO)
    assert caught.value.code == "EXISTS"
    assert file.read_bytes() == before


def test_a_file_that_the_system_refuses_is_named(tmp_path, make_key):
    """No directory, no file: one error with the path."""
    missing = tmp_path / "none" / "x.key"
    for act in (lambda: keyring.show_keys(missing), lambda: keyring.write_secret(missing, b"x")):
        with pytest.raises(WrongUse) as caught:
            act()
        assert caught.value.code == "FILE"
        assert caught.value.values["path"] == missing


def test_keys_of_two_modes_do_not_share_a_file(tmp_path, make_key):
    """Mode is one for a file."""
    with pytest.raises(WrongUse):
        keyring.write_keys(tmp_path / "x", [make_key("a"), make_key("a", mode=1)], Passphrase(WORD), "x", DEMO)


def test_the_passphrase_and_seeds_are_never_shown(make_key):
    """Neither by repr and str, nor by pickling."""
    key, node = make_key("one"), NodeKeys(b"\x07" * 64, b"\x07" * 64, b"\x07" * 64)
    for thing in (Passphrase(WORD), key, node):
        assert "horse" not in f"{thing!r} {thing}"
        assert "x07" not in f"{thing!r}"
        assert key.seed().hex() not in f"{thing!r} {thing}"
    for thing in (Passphrase(WORD), key):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
    with pytest.raises(WrongUse):
        Passphrase("")


def test_the_same_key_is_never_sealed_the_same_way_twice(tmp_path, make_key):
    """Salt and nonce are fresh for each file, and no seed stands in the clear."""
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        keyring.write_keys(path, [make_key("one")], Passphrase(WORD), "x", DEMO)
        assert make_key("one").seed()[:32] not in path.read_bytes()
        assert make_key("one").seed()[32:] not in path.read_bytes()
    assert paths[0].read_bytes()[-80:] != paths[1].read_bytes()[-80:]


def test_the_cost_at_rest_is_the_documented_one():
    """64 MiB and 3 passes unless a test or a demo asks for less."""
    assert (keyring.AT_REST.memory, keyring.AT_REST.passes) == (65_536, 3)
    assert keyring.write_keys.__defaults__ == (keyring.AT_REST,)


def test_a_passphrase_file_is_the_owners_too(tmp_path):
    """Its first line counts, without the line end; a pipe has no rights to check."""
    path = tmp_path / "pass"
    keyring.write_secret(path, WORD.encode() + b"\r\nnot this\n")
    assert keyring.read_passphrase(path).derive(DEMO, bytes(16)) == Passphrase(WORD).derive(DEMO, bytes(16))
    path.chmod(0o644)
    with pytest.raises(Refused):
        keyring.read_passphrase(path)
    read, write = os.pipe()
    os.write(write, WORD.encode())
    os.close(write)
    assert keyring.read_passphrase(Path(f"/dev/fd/{read}"))
    os.close(read)
    keyring.write_secret(tmp_path / "bad", b"\xff\xfe")
    with pytest.raises(Malformed):
        keyring.read_passphrase(tmp_path / "bad")


def test_node_keys_come_back_without_a_passphrase(tmp_path):
    """Three seeds of 64 bytes, 0600; a personal key file is none."""
    keys = NodeKeys(b"l" * 64, b"s" * 64, b"c" * 64)
    path = tmp_path / "node.keys"
    keyring.write_node_keys(path, keys)
    assert keyring.read_node_keys(path) == keys
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Malformed):
        keyring.read_node_keys(path)
    with pytest.raises(Malformed):
        keyring.show_keys(path)
    path.chmod(0o644)
    with pytest.raises(Refused):
        keyring.read_node_keys(path)


def test_a_file_whose_public_half_is_anothers_is_no_key_file(tmp_path, make_key):
    """The seed decides; a header sealed with a false public key is caught."""
    key = make_key("one")
    false = object.__new__(PrivateKey)
    false._seed, false.public = key.seed(), make_key("two").public
    keyring.write_keys(tmp_path / "x", [false], Passphrase(WORD), "x", DEMO)
    with pytest.raises(Malformed):
        keyring.read_keys(tmp_path / "x", Passphrase(WORD))


def test_a_label_that_could_not_be_read_back_is_not_written(tmp_path, make_key):
    """Empty, too long, or with control characters."""
    for label in ("", "x" * 201, "a\x1b[0mb"):
        with pytest.raises(WrongUse):
            keyring.write_keys(tmp_path / "x", [make_key("one")], Passphrase(WORD), label, DEMO)
    assert not list(tmp_path.iterdir())


def test_new_keys_differ_and_have_their_mode_and_suite():
    """Each from fresh randomness."""
    one, two = keyring.new_key(1, suites.SIGN), keyring.new_key(1, suites.SIGN)
    assert one.kid != two.kid
    assert (one.mode, one.public.suite) == (1, suites.SIGN)
    assert keyring.new_key(2, suites.SEAL).public.suite == suites.SEAL
