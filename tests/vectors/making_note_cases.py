"""Notes: published ones, our quick notes and anchors with every line right and wrong, key ids, origins (section 6)."""

from __future__ import annotations

import base64
from itertools import count
from typing import Any

from making_founding import note_keys
from making_notes import AT, line_of, note_of, origin, text_of
from making_signing import Kept, digest

CHAN = digest(b"vectors: a channel of notes")
ROOT = digest(b"vectors: a root")
LOG, COS = "a0 log", "b0 cos"
NOTES = {
    "Form": "A note in its one form: three lines, an empty one, signature lines",
    "KeyId": "First 4 bytes of SHA-256(name ‖ newline ‖ type ‖ key)",
    "Known": "A line of a known key that does not verify spoils the note",
    "Published": "golang.org/x/mod sumdb/note, C2SP signed-note",
    "Time": "A timed line has a time above 0 and below 2^63",
    "Unknown": "Lines of unknown keys are passed over",
    "Valid": "Notes that stand",
}
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
C2SP = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
VKEYS = {
    "PeterNeumann": "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "EnochRoot": "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
    "example.com/foo": "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
}


def make(stored: dict[str, Any] | None) -> dict[str, Any]:
    """The whole file."""
    kept, number = Kept(stored), count(1)
    log, cos = note_keys(LOG), note_keys(COS)
    groups = [
        ("SignedNote", {}, _published()), ("VerifierKey", {}, _vkeys()), ("Origin", {}, _origins()),
        ("LogNote", {"origin": origin(CHAN, "a", 0), "cosigner": origin(CHAN, "b", 0) + "/c",
                     "logKeys": {k: v.hex() for k, v in log.items()}, "cosignerKeys": {k: v.hex() for k, v in cos.items()}},
         _log_notes(kept)),
    ]  # fmt: skip
    made = [
        {"type": t, **more, "tests": [{"tcId": next(number), **test} for test in tests]} for t, more, tests in groups
    ]
    return {
        "schema": "notes_schema.json", "generatorVersion": "1", "numberOfTests": sum(len(g["tests"]) for g in made),
        "header": [
            "Signed notes (docs/protocol.md section 6; C2SP signed-note, tlog-checkpoint, tlog-cosignature). `note` in base64.",
            ("`stands`: what the keys of the group say of a LogNote: `log` and `logAnchor` by its own lines, `cosigned` and "
            "`cosignedAnchor` by the cosigner's too; newest times in seconds, null without a timed line."),
        ],
        "notes": NOTES, "testGroups": made,
    }  # fmt: skip


def _case(comment: str, flag: str, *, good: bool, **more: Any) -> dict[str, Any]:
    return {"comment": comment, "flags": [flag], **more, **(
        {"result": "valid"} if good else {"result": "invalid", "reason": NOTES[flag]})}  # fmt: skip


def _published() -> list[dict[str, Any]]:
    found = [
        _case("golden note", "Published", good=True, note=_b64(GO_TEXT + "\n" + PETER), vkeys=[VKEYS["PeterNeumann"]]),
        _case("a line more, of a key that is not asked for", "Unknown", good=True, note=_b64(GO_TEXT + "\n" + PETER + ENOCH),
              vkeys=[VKEYS["PeterNeumann"]]),
        _case("example of C2SP signed-note", "Published", good=True, note=_b64(C2SP), vkeys=[VKEYS["example.com/foo"]]),
    ]  # fmt: skip
    for comment, note in (
        ("text changed", GO_TEXT.replace("think", "thunk") + "\n" + PETER),
        ("signature changed", GO_TEXT + "\n" + PETER.replace("x08go/Z", "x08go/Y")),
    ):
        found.append(_case(comment, "Known", good=False, note=_b64(note), vkeys=[VKEYS["PeterNeumann"]]))
    for comment, note in (
        ("no empty line", GO_TEXT + PETER), ("no signature", GO_TEXT + "\n"), ("no text", PETER), ("no last newline", GO_TEXT + "\n" + PETER[:-1]),
        ("a hyphen for the dash", GO_TEXT + "\n" + PETER.replace("—", "-")), ("two spaces", GO_TEXT + "\n" + PETER.replace("— ", "—  ")),
        ("no name", GO_TEXT + "\n" + PETER.replace("PeterNeumann ", "")), ("a plus in the name", GO_TEXT + "\n" + PETER.replace("rN", "r+N")),
        ("no base64", GO_TEXT + "\n" + PETER.replace("=", "!")), ("base64 without padding", GO_TEXT + "\n" + PETER.replace("=", "")),
        ("an empty line more", GO_TEXT + "\n\n" + PETER + "\n"), ("a control character in the text", GO_TEXT.replace("you", "y\tu") + "\n" + PETER),
        ("carriage returns", (GO_TEXT + "\n" + PETER).replace("\n", "\r\n")), ("a key id and no signature", GO_TEXT + "\n— PeterNeumann x08goA==\n"),
    ):  # fmt: skip
        found.append(_case(comment, "Form", good=False, note=_b64(note), vkeys=[VKEYS["PeterNeumann"]]))
    return found


def _vkeys() -> list[dict[str, Any]]:
    found = []
    for name, vkey in VKEYS.items():
        raw = base64.b64decode(vkey.split("+", 2)[2])
        found.append(_case(name, "KeyId", good=True, vkey=vkey, name=name, kind=raw[0], raw=raw[1:].hex()))
    own = note_keys(LOG)
    for kind, raw in ((1, own["ed"]), (4, own["ed"]), (6, own["ml"])):
        name = origin(CHAN, "a", 0)
        keyid = digest(name.encode(), b"\n", bytes([kind]), raw)[:4].hex()
        text = f"{name}+{keyid}+{base64.b64encode(bytes([kind]) + raw).decode()}"
        found.append(_case(f"type 0x{kind:02x}", "KeyId", good=True, vkey=text, name=name, kind=kind, raw=raw.hex()))
    peter = VKEYS["PeterNeumann"]
    for comment, text in (
        ("another key id", peter.replace("c74f20a3", "c74f20a4")), ("key id in capitals", peter.replace("c74f20a3", "C74F20A3")),
        ("an unknown type", peter.replace("+AR", "+Bx")), ("no key", "PeterNeumann+c74f20a3+"), ("no key id", "PeterNeumann"),
        ("a key of 31 bytes", peter[:-4] + "10Q="), ("no name", peter.removeprefix("PeterNeumann")),
    ):  # fmt: skip
        found.append(_case(comment, "KeyId", good=False, vkey=text))
    return found


def _origins() -> list[dict[str, Any]]:
    name = origin(CHAN, "a", 0)
    found = [
        _case(f"log {x}, number {n}", "Valid", good=True, chan=CHAN.hex(), letter=x, number=n, side=side, origin=origin(CHAN, x, n) + "/s" * side)
        for x in "ab" for n in (0, 1, 999_999_999) for side in (False, True)
    ]  # fmt: skip
    for comment, text in (
        ("another scheme", name.replace("dcx1", "dcx2")), ("letter c", name.replace("/a/", "/c/")), ("a leading zero", name[:-1] + "00"),
        ("no number", name[:-1]), ("padding", name.replace("/a/", "=/a/")), ("a letter less", name[:9] + name[10:]),
        ("trailing slash", name + "/"), ("a cosigner's name", name + "/c"), ("negative", name[:-1] + "-1"),
    ):  # fmt: skip
        found.append(_case(comment, "Form", good=False, origin=text))
    return found


def _stands(log: int | None, cosigned: int | None, *, anchor: bool = False, by_both: bool = False) -> dict[str, Any]:
    return {"log": True, "logAnchor": anchor, "cosigned": cosigned is not None, "cosignedAnchor": anchor and by_both,
            "logAt": log, "cosignedAt": cosigned}  # fmt: skip


def _log_notes(kept: Kept) -> list[dict[str, Any]]:
    name, by = origin(CHAN, "a", 0), origin(CHAN, "b", 0) + "/c"
    size = 5

    def line(kind: int, *, label: str = "", of: str = name, n: int = size, root: bytes = ROOT, at: int = AT) -> bytes:
        """A line under this note, made over another one where said. Kind 7 is the cosigner's 0x06."""
        if kind in (1, 6):
            return line_of(kept, label or LOG, kind, name, of, n, root, at)
        return line_of(kept, label or COS, 6 if kind == 7 else 4, by, of, n, root, at)

    def note(*lines: bytes, text: bytes = b"") -> str:
        return base64.b64encode((text or text_of(name, size, ROOT)) + b"\n" + b"".join(lines)).decode()

    def cut(raw: bytes, n: int) -> bytes:
        head, name_, encoded = raw.decode().split(" ")
        return f"{head} {name_} {base64.b64encode(base64.b64decode(encoded)[:-n]).decode()}\n".encode()

    quick, anchor = note_of(kept, CHAN, "a", 0, size, ROOT, quick=True), note_of(kept, CHAN, "a", 0, size, ROOT)
    found = [
        _case("quick note, cosigned", "Valid", good=True, note=_raw(quick), stands=_stands(None, AT)),
        _case("anchor, cosigned by both kinds", "Valid", good=True, note=_raw(anchor), stands=_stands(AT, AT, anchor=True, by_both=True)),
        _case("quick note, not cosigned", "Valid", good=True, note=note(line(1)), stands=_stands(None, None)),
        _case("anchor, not cosigned", "Valid", good=True, note=note(line(1), line(6)), stands=_stands(AT, None, anchor=True)),
        _case("anchor with the cosigner's 0x04 line alone", "Valid", good=True, note=note(line(1), line(6), line(4)),
              stands=_stands(AT, AT, anchor=True)),
        _case("lines in another order", "Valid", good=True, note=note(line(4), line(1)), stands=_stands(None, AT)),
        _case("an unknown key's line", "Unknown", good=True, note=note(line(1), line(1, label="b0 log")), stands=_stands(None, None)),
        _case("two cosignatures: the newest time", "Valid", good=True, note=note(line(1), line(4, at=AT + 9), line(4)),
              stands=_stands(None, AT + 9)),
        _case("cosigner's line without the log's", "Valid", good=True, note=note(line(4)),
              stands=_stands(None, None) | {"log": False, "cosignedAt": AT}),
        _case("empty tree", "Valid", good=True, note=note(line(1, n=0, root=digest()), text=text_of(name, 0, digest())), stands=_stands(None, None)),
    ]  # fmt: skip
    for comment, flag, lines in (
        ("0x01 over another size", "Known", [line(1, n=6)]), ("0x01 over another root", "Known", [line(1, root=digest(ROOT))]),
        ("0x06 over another size", "Known", [line(1), line(6, n=6)]), ("0x04 over another root", "Known", [line(1), line(4, root=digest(ROOT))]),
        ("0x06 of the cosigner over another size", "Known", [line(1), line(6), line(4), line(7, n=6)]),
        ("0x01 cut", "Known", [cut(line(1), 1)]), ("0x06 cut", "Known", [line(1), cut(line(6), 1)]),
        ("0x04 with time 0", "Time", [line(1), line(4, at=0)]), ("0x06 with time 0", "Time", [line(1), line(6, at=0)]),
        ("0x04 with time 2^63", "Time", [line(1), line(4, at=1 << 63)]),
    ):  # fmt: skip
        found.append(_case(comment, flag, good=False, note=note(*lines)))
    text = text_of(name, size, ROOT)
    for comment, changed in (
        ("leading zero in the size", text.replace(b"\n5\n", b"\n05\n")), ("a sign before the size", text.replace(b"\n5\n", b"\n+5\n")),
        ("size 2^63", text.replace(b"\n5\n", b"\n9223372036854775808\n")), ("root of 31 bytes", text_of(name, size, ROOT[:31])),
        ("an extension line", text + b"more\n"), ("two lines", text_of(name, size, ROOT).rsplit(b"\n", 2)[0] + b"\n"),
        ("empty tree with another root", text.replace(b"\n5\n", b"\n0\n")), ("root in base64url", text.replace(b"/", b"_").replace(b"dcx1_", b"dcx1/")
         .replace(b"_a_0", b"/a/0").replace(b"+", b"-") if b"/" in base64.b64encode(ROOT) or b"+" in base64.b64encode(ROOT) else text[:-2] + b"-\n"),
    ):  # fmt: skip
        found.append(_case(comment, "Form", good=False, note=note(line(1), text=changed)))
    return found


def _raw(note: bytes) -> str:
    return base64.b64encode(note).decode()


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
