"""Notes are C2SP signed notes: published vectors open, layouts stand byte for byte, broken ones are refused."""

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from channel.protocol import note
from channel.protocol.merkle import EMPTY, leaf_hash
from channel.protocol.note import Line, NotePrivate, NotePublic
from keys.errors import Malformed, Unverified, WrongUse

LOG, COS, OTHER = (NotePrivate(bytes([i]) * 64) for i in (1, 2, 3))
ORIGIN = note.origin(b"\x07" * 32, "a", 0)
COSIGNER = note.cosigner_name(note.origin(b"\x07" * 32, "b", 0))
ROOT = hashlib.sha256(b"root").digest()
NOW = 1_790_000_000

# golang.org/x/mod, sumdb/note/note_test.go
GO_TEXT = b"If you think cryptography is the answer to your problem,\n" + b"then you don't know what your problem is.\n"
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
PETER = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
# C2SP signed-note.md, its example
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
# sunlight, cmd/skylight/testdata: a log's STH line (0x05, unknown here) and a witness's cosignature (0x04)
SUNLIGHT_VKEY = "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"
SUNLIGHT_NOTE = """rome2026h1.example.org
300
lCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=

— rome2026h1.example.org kVB1JgAAAZtxtEwABAMARzBFAiEAi+mTa2xjL1IdWpH82OeciGsGvwRAP+f1WkfKaSZCfFECIHoNPZ/Q3y6UNzvKOO9cuLr6V16vPNfhwhle9f6r5H/Z
— witness.example.org uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo0LXFZq4LGvqKqLX8jWlwLKasxEGTLIqAVusneCBmBw==
"""


def quick() -> note.Note:
    return note.sign_quick(LOG, ORIGIN, 5, ROOT)


def anchor() -> note.Note:
    return note.sign_anchor(LOG, ORIGIN, 5, ROOT, NOW)


def both(kind: str) -> note.Note:
    made = anchor() if kind == "anchor" else quick()
    return note.merge(made, note.cosign(COS, COSIGNER, made, NOW + 1, anchor=kind == "anchor"))


def check(n: note.Note) -> note.Standing:
    return note.check(n, LOG.public, (COSIGNER, COS.public))


def flipped(line: Line, at: int) -> Line:
    sig = bytearray(line.sig)
    sig[at] ^= 1
    return replace(line, sig=bytes(sig))


def test_the_note_in_the_docstring_is_real() -> None:
    """The note that the module shows is what the zero seeds sign over an empty log."""
    made = note.sign_quick(NotePrivate(bytes(64)), note.origin(bytes(32), "a", 0), 0, EMPTY)
    shown = made.encode().decode().rstrip("\n").replace("\n", "\n    ").replace("\n    \n", "\n\n")
    assert note.__doc__ is not None
    assert "    " + shown in note.__doc__


def test_go_golden_note() -> None:
    """The golden note of golang.org/x/mod is made byte for byte and read back."""
    name, kind, raw = note.parse_vkey(GO_PETER)
    key = Ed25519PrivateKey.from_private_bytes(GO_SEED)
    assert (name, kind, raw) == ("PeterNeumann", 1, key.public_key().public_bytes_raw())
    line = Line(name, note.keyid(name, kind, raw), key.sign(GO_TEXT))
    assert line.encode() == PETER
    assert note.parse_signed(GO_TEXT + b"\n" + PETER.encode()) == (GO_TEXT, (line,))


@pytest.mark.parametrize(
    "raw",
    [
        GO_TEXT,
        GO_TEXT + b"\n",
        GO_TEXT + b"\n" + PETER.encode()[:-1],
        b"\x01" + GO_TEXT + b"\n" + PETER.encode(),
        b"\xff" + GO_TEXT + b"\n" + PETER.encode(),
        GO_TEXT + b"\n" + PETER.replace("PeterNeumann", "Bad Name").encode()[:-1],
        GO_TEXT + b"\n" + PETER.replace("PeterNeumann", "Bad Name").encode(),
        GO_TEXT + b"\n" + PETER.replace("PeterNeumann", "Bad+Name").encode(),
        GO_TEXT + b"\n" + PETER.replace("PeterNeumann", "Bad　Name").encode(),
        GO_TEXT + b"\n" + PETER.replace("PeterNeumann", "").encode(),
        GO_TEXT + b"\n" + PETER.encode() + b"Unexpected line.\n",
        GO_TEXT + b"\n" + PETER.encode() + b"\xff\n",
        GO_TEXT + b"\n" + PETER.replace("— ", "- ").encode(),
        GO_TEXT + b"\n" + PETER.replace("JnAM=", "JnAN=").encode(),
        GO_TEXT + b"\n" + PETER.replace("JnAM=", "JnAM").encode(),
        GO_TEXT + b"\n" + "— PeterNeumann x08gow==\n".encode(),
        GO_TEXT + b"\n" + PETER.replace("\n", "\r\n").encode(),
        GO_TEXT + b"\n" + PETER.encode() * 600,
        b"",
    ],
)
def test_malformed_signed_notes(raw: bytes) -> None:
    """The malformed notes of golang.org/x/mod and their like are refused."""
    with pytest.raises(Malformed, match="NOTE"):
        note.parse_signed(raw)


def test_c2sp_example() -> None:
    """The example of C2SP signed-note verifies under its key."""
    name, _, raw = note.parse_vkey(C2SP_VKEY)
    text, (line,) = note.parse_signed(C2SP_NOTE.encode())
    assert (line.name, line.keyid.hex()) == (name, "530d903a")
    Ed25519PublicKey.from_public_bytes(raw).verify(line.sig, text)


def test_published_cosignature() -> None:
    """A published 0x04 cosignature verifies beside a line of an unknown type, and not with another time."""
    name, kind, raw = note.parse_vkey(SUNLIGHT_VKEY)
    parsed = note.parse(SUNLIGHT_NOTE.encode())
    assert kind == note.ED25519_TIMED
    assert parsed.encode() == SUNLIGHT_NOTE.encode()
    assert (parsed.size, parsed.lines[1].name) == (300, name)
    assert note.verify_line(parsed.lines[1], kind, raw, parsed) == 0x69546780
    with pytest.raises(Unverified, match="NOTE_SIG"):
        note.verify_line(flipped(parsed.lines[1], 7), kind, raw, parsed)


def test_published_mldsa_note() -> None:
    """A published ML-DSA-44 line (torchwood, litewitness testdata) verifies under the key of its published seed."""
    seed = bytes.fromhex("2886adc2b0eabfce67c0472939127998bf886cf256bfee8ba76a253fce1146e0")
    key = NotePrivate(bytes(32) + seed)
    parsed = note.parse((Path(__file__).parent / "vectors" / "mldsa44-note.txt").read_bytes())
    (line,) = parsed.lines
    assert note.vkey(parsed.origin, 6, key.public.ml).startswith("example.com/mldsa-log+b5df45c5+BuhtcL97l3dcitjZ")
    assert line.keyid.hex() == "b5df45c5"
    assert parsed.root == leaf_hash(b"testonly")
    assert note.verify_line(line, note.MLDSA44_TIMED, key.public.ml, parsed) == 0
    with pytest.raises(Unverified, match="NOTE_SIG"):
        note.verify_line(flipped(line, 100), note.MLDSA44_TIMED, key.public.ml, parsed)


@pytest.mark.parametrize("text", [GO_PETER, GO_ENOCH, C2SP_VKEY, SUNLIGHT_VKEY])
def test_vkeys(text: str) -> None:
    """Published verifier keys are written back as they were; every cut and change is refused."""
    assert note.vkey(*note.parse_vkey(text)) == text
    wrongs = [text[i:] for i in range(1, len(text))] + [text[:i] for i in range(len(text))]
    wrongs += [text[:i] + chr(ord(text[i]) + 1) + text[i + 1 :] for i in range(len(text))]
    for wrong in wrongs:
        with pytest.raises(Malformed, match="VKEY"):
            note.parse_vkey(wrong)


def test_vkeys_of_wrong_length_or_type() -> None:
    """Keys with a fitting key id but another length or an unknown type are refused."""
    for wrong in (
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ):
        with pytest.raises(Malformed, match="VKEY"):
            note.parse_vkey(wrong)


def test_layout_of_a_quick_note() -> None:
    """A quick note is the three lines of text and one plain Ed25519 signature over them."""
    made = quick()
    assert made.text == f"{ORIGIN}\n5\n{base64.b64encode(ROOT).decode()}\n".encode()
    (line,) = made.lines
    assert line.keyid == hashlib.sha256(ORIGIN.encode() + b"\x0a\x01" + LOG.public.ed).digest()[:4]
    Ed25519PublicKey.from_public_bytes(LOG.public.ed).verify(line.sig, made.text)
    assert (
        made.encode() == made.text + b"\n" + f"— {ORIGIN} {base64.b64encode(line.keyid + line.sig).decode()}\n".encode()
    )


def test_layout_of_an_anchor() -> None:
    """The 0x06 line signs the subtree text of C2SP tlog-cosignature, here written out byte by byte."""
    made = anchor()
    line = made.lines[1]
    assert line.keyid == hashlib.sha256(ORIGIN.encode() + b"\x0a\x06" + LOG.public.ml).digest()[:4]
    message = b"subtree/v1\n\x00" + bytes([len(ORIGIN)]) + ORIGIN.encode() + NOW.to_bytes(8, "big")
    message += bytes([len(ORIGIN)]) + ORIGIN.encode() + bytes(8) + (5).to_bytes(8, "big") + ROOT
    assert line.sig[:8] == NOW.to_bytes(8, "big")
    assert len(line.sig) == 8 + 2420
    MLDSA44PublicKey.from_public_bytes(LOG.public.ml).verify(line.sig[8:], message)


def test_layout_of_cosignatures() -> None:
    """The 0x04 line signs time and text; the 0x06 line names cosigner and log."""
    made = anchor()
    quick_line, anchor_line = note.cosign(COS, COSIGNER, made, NOW, anchor=True)
    assert quick_line.keyid == hashlib.sha256(COSIGNER.encode() + b"\x0a\x04" + COS.public.ed).digest()[:4]
    assert anchor_line.keyid == hashlib.sha256(COSIGNER.encode() + b"\x0a\x06" + COS.public.ml).digest()[:4]
    text = f"cosignature/v1\ntime {NOW}\n".encode() + made.text
    Ed25519PublicKey.from_public_bytes(COS.public.ed).verify(quick_line.sig[8:], text)
    message = b"subtree/v1\n\x00" + bytes([len(COSIGNER)]) + COSIGNER.encode() + NOW.to_bytes(8, "big")
    message += bytes([len(ORIGIN)]) + ORIGIN.encode() + bytes(8) + (5).to_bytes(8, "big") + ROOT
    MLDSA44PublicKey.from_public_bytes(COS.public.ml).verify(anchor_line.sig[8:], message)


@pytest.mark.parametrize(
    ("made", "standing"),
    [
        (quick(), (True, False, False, False, None, None)),
        (anchor(), (True, True, False, False, NOW, None)),
        (both("quick"), (True, False, True, False, None, NOW + 1)),
        (both("anchor"), (True, True, True, True, NOW, NOW + 1)),
    ],
)
def test_standing(made: note.Note, standing: tuple[object, ...]) -> None:
    """Each kind of note, read back from its bytes, stands as section 6 says."""
    s = check(note.parse(made.encode()))
    assert (s.log, s.log_anchor, s.cosigned, s.cosigned_anchor, s.log_at, s.cosigned_at) == standing


def test_missing_lines() -> None:
    """A note without the log's Ed25519 line stands for nothing, whatever else it carries."""
    full = both("anchor")
    without = replace(full, lines=full.lines[1:])
    s = check(without)
    assert (s.log, s.log_anchor, s.cosigned, s.cosigned_anchor) == (False, False, False, False)
    quickly = replace(full, lines=(full.lines[0], *full.lines[2:3]))
    assert check(quickly).cosigned
    assert not check(quickly).cosigned_anchor


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("at", [0, 9, -1])
def test_a_known_keys_failing_line_makes_the_note_invalid(index: int, at: int) -> None:
    """One flipped bit in any line of a known key refuses the whole note."""
    full = both("anchor")
    lines = list(full.lines)
    lines[index] = flipped(lines[index], at)
    with pytest.raises(Unverified, match="NOTE_SIG"):
        check(replace(full, lines=tuple(lines)))


@pytest.mark.parametrize("index", range(4))
def test_short_line(index: int) -> None:
    """A known key's line of another length refuses the note."""
    full = both("anchor")
    for sig in (full.lines[index].sig[:-1], full.lines[index].sig + b"\0", b"\0"):
        lines = [*full.lines[:index], replace(full.lines[index], sig=sig), *full.lines[index + 1 :]]
        with pytest.raises(Unverified, match="NOTE_SIG"):
            check(replace(full, lines=tuple(lines)))


@pytest.mark.parametrize("field", [{"size": 6}, {"root": EMPTY}])
def test_lines_belong_to_their_text(field: dict[str, object]) -> None:
    """Lines of one note do not stand under another size or root."""
    with pytest.raises(Unverified, match="NOTE_SIG"):
        check(replace(both("anchor"), **field))


def test_lines_belong_to_their_log() -> None:
    """Lines carried over to another log number, under fitting key ids, do not stand there."""
    other = note.origin(b"\x07" * 32, "a", 1)
    for line, kind, raw in zip(both("anchor").lines, (1, 6), (LOG.public.ed, LOG.public.ml), strict=False):
        moved = replace(line, name=other, keyid=note.keyid(other, kind, raw))
        with pytest.raises(Unverified, match="NOTE_SIG"):
            check(note.Note(other, 5, ROOT, (moved,)))


def test_unknown_lines_are_ignored() -> None:
    """Lines of unknown names or keys, were they nonsense, change nothing."""
    full = both("anchor")
    more = (
        Line("witness.example/w", b"\1\2\3\4", b"nonsense"),
        Line(ORIGIN, b"\0\0\0\0", b"another key of the log's name"),
        *note.cosign(OTHER, COSIGNER, full, NOW, anchor=True),
        *note.sign_quick(OTHER, ORIGIN, 5, ROOT).lines,
    )
    assert check(note.parse(note.merge(full, more).encode())) == check(full)
    assert check(replace(full, lines=(*more, *full.lines))) == check(full)


def test_duplicate_lines() -> None:
    """A doubled line of a known key counts once; a doubled one that fails refuses the note."""
    full = both("anchor")
    assert check(replace(full, lines=full.lines * 2)) == check(full)
    with pytest.raises(Unverified, match="NOTE_SIG"):
        check(replace(full, lines=(*full.lines, flipped(full.lines[0], 3))))


def test_newest_time_counts() -> None:
    """Of several timed lines of one key the newest time counts."""
    full = both("quick")
    later = note.cosign(COS, COSIGNER, full, NOW + 500, anchor=False)
    assert check(replace(full, lines=(*later, *full.lines))).cosigned_at == NOW + 500


def test_ambiguous_key() -> None:
    """Where two keys of a name have one key id, no line can say whose it is and the note is refused."""
    same = (note.ED25519, LOG.public.ed)  # a collision of two unlike keys takes 2^32 tries; to the code it is the same
    with pytest.raises(Unverified, match="NOTE_SIG"):
        note._times(quick(), ORIGIN, (same, same))


def test_a_cosignature_without_time_is_no_receipt() -> None:
    """Time 0, C2SP's "no claim of freshness", makes neither an anchor nor a cosignature, and is never signed."""
    made = quick()
    message = b"subtree/v1\n\x00" + bytes([len(ORIGIN)]) + ORIGIN.encode() + bytes(8)
    message += bytes([len(ORIGIN)]) + ORIGIN.encode() + bytes(8) + (5).to_bytes(8, "big") + ROOT
    line = Line(ORIGIN, note.keyid(ORIGIN, 6, LOG.public.ml), bytes(8) + LOG.sign(6, message))
    assert note.verify_line(line, 6, LOG.public.ml, made) == 0
    with pytest.raises(Unverified, match="NOTE_SIG"):
        check(note.merge(made, [line]))
    for at in (0, -1, 1 << 63):
        with pytest.raises(WrongUse, match="NOTE_TIME"):
            note.sign_anchor(LOG, ORIGIN, 5, ROOT, at)
        with pytest.raises(WrongUse, match="NOTE_TIME"):
            note.cosign(COS, COSIGNER, made, at, anchor=False)


def test_merge_has_one_order() -> None:
    """However lines come together, the bytes are the same; a newer line replaces the older of its key."""
    made = anchor()
    ours, theirs = note.cosign(COS, COSIGNER, made, NOW, anchor=True)
    assert note.merge(note.merge(made, [theirs]), [ours]) == note.merge(made, [ours, theirs])
    later = note.cosign(COS, COSIGNER, made, NOW + 9, anchor=True)
    merged = note.merge(note.merge(made, [ours, theirs]), later)
    assert merged.lines == (*made.lines, *later)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n5\n", "\n05\n"),
        ("\n5\n", "\n0\n"),
        ("\n5\n", "\n-5\n"),
        ("\n5\n", "\n+5\n"),
        ("\n5\n", "\n５\n"),
        ("\n5\n", "\n\n"),
        ("\n5\n", "\n9223372036854775808\n"),
        ("\n5\n", "\n5\nextra\n"),
        ("=\n\n", "=\nextension\n\n"),
        ("=\n\n", "\n\n"),
        ("dcx1", "\x7fdcx1\x02"),
        ("dcx1", "d" * 256),
        ("dcx1", "\ndcx1"),
    ],
)
def test_malformed_texts(old: str, new: str) -> None:
    """Leading zeros, signs, extension lines and other forms of a size or root are refused."""
    raw = quick().encode().decode().replace(old, new, 1)
    with pytest.raises(Malformed, match="NOTE"):
        note.parse(raw.encode())


def test_non_canonical_root() -> None:
    """A root whose base64 has stray bits at its end is refused."""
    text = base64.b64encode(ROOT).decode()
    twisted = text[:-2] + chr(ord(text[-2]) + 1) + "="
    assert base64.b64decode(twisted) == ROOT
    with pytest.raises(Malformed, match="NOTE"):
        note.parse(quick().encode().replace(text.encode(), twisted.encode(), 1))


@settings(max_examples=300)
@given(st.data())
def test_parse_only_malformed(data: st.DataObject) -> None:
    """Any bytes are a note of one form or Malformed."""
    raw = bytearray(both("quick").encode())
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = note.parse(bytes(raw))
    except Malformed as e:
        assert e.code == "NOTE"
    else:
        assert parsed.encode() == raw


def test_a_note_without_lines() -> None:
    """Unsigned texts are no notes."""
    for tail in (b"", b"\n", b"\n\n"):
        with pytest.raises(Malformed, match="NOTE"):
            note.parse(quick().text + tail)


@pytest.mark.parametrize(
    ("letter", "log_no", "side", "tail"),
    [("a", 0, False, "/a/0"), ("b", 0, False, "/b/0"), ("a", 12, True, "/a/12/s")],
)
def test_origins(letter: str, log_no: int, *, side: bool, tail: str) -> None:
    """Origins name channel, party and log number and are read back."""
    chan = hashlib.sha256(b"chan").digest()
    made = note.origin(chan, letter, log_no, side=side)
    assert made == "dcx1/" + base64.urlsafe_b64encode(chan).decode().rstrip("=") + tail
    assert len(made) < 64
    assert note.origin_parts(made) == (chan, letter, log_no, side)
    assert note.cosigner_name(made) == made + "/c"


def test_wrong_origins() -> None:
    """Only the one form of an origin is read or made."""
    good = note.origin(bytes(32), "a", 0)
    for wrong in ("", good + "/c", good + "\n", good[:-1] + "00", good[:-1] + "-1", good.replace("/a/", "/c/")):
        with pytest.raises(Malformed, match="ORIGIN"):
            note.origin_parts(wrong)
    with pytest.raises(Malformed, match="ORIGIN"):
        note.origin_parts(good.replace("AA/a", "AB/a"))
    for chan, letter, log_no in ((bytes(31), "a", 0), (bytes(32), "c", 0), (bytes(32), "a", -1)):
        with pytest.raises(WrongUse, match="ORIGIN"):
            note.origin(chan, letter, log_no)


def test_seeds_are_never_shown() -> None:
    """A private key's text carries no byte of its seeds."""
    seed = hashlib.sha512(b"seed").digest()
    shown = repr(NotePrivate(seed)) + str(NotePrivate(seed))
    assert seed[:32].hex()[:8] not in shown
    assert seed[32:].hex()[:8] not in shown
    assert not hasattr(NotePrivate(seed), "__dict__")


def test_keys_that_are_none() -> None:
    """Keys of another length, or under which anything verifies, are refused."""
    with pytest.raises(Malformed, match="SEED"):
        NotePrivate(bytes(63))
    for ed, ml in ((LOG.public.ed[1:], LOG.public.ml), (LOG.public.ed, LOG.public.ml[1:]), (bytes(32), LOG.public.ml)):
        with pytest.raises(Malformed, match="NOTE_KEY"):
            NotePublic(ed, ml)


def test_unsignable() -> None:
    """No note is signed over a root or size that is none."""
    for origin, size, root in (
        (ORIGIN, -1, ROOT),
        (ORIGIN, 1 << 63, ROOT),
        (ORIGIN, 1, b""),
        ("a b", 1, ROOT),
        ("", 1, ROOT),
    ):
        with pytest.raises(WrongUse, match="NOTE"):
            note.sign_quick(LOG, origin, size, root)
    with pytest.raises(WrongUse, match="NOTE_NAME"):
        note.cosign(COS, "c" * 256, quick(), NOW, anchor=True)
