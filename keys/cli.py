"""``channel-keys``: the ceremony tool. Runs alone on a machine without a network; takes files, gives files.

    new      make a key: FILE (private, under a passphrase) and FILE.pub (the key object)
    show     what a key file or key object is, with its words; needs no passphrase
    sign     sign a document's payload, or add a signature to its envelope
    verify   who signed an envelope
    words    the words of an id

What is signed is read first and shown with its hash and words. Exit codes as everywhere: 0, 2 wrong use, 3 unreadable,
4 refused, 5 a signature does not verify. Only this module of the package talks to a terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from keys import keyring, suites
from keys.codec import unpack
from keys.documents import Pop, Revoke, Root, Roster
from keys.envelope import Envelope, join, media_type, pae, read_envelope
from keys.errors import Malformed, Problem, Refused, Unverified, WrongUse
from keys.identity import ACTUAL, EXERCISE, MODE_NAMES, PrivateKey, PublicKey, read_key
from keys.texts import Texts, own_texts, pick_language
from keys.usage import SpokenGroup, language_asked, wrong_use
from keys.words import words

F = TypeVar("F", bound=Callable[..., Any])
SHAPES: dict[str, type] = {"root": Root, "roster": Roster, "revoke": Revoke, "pop": Pop}
# Their shapes stand a floor above; here their version and mode are read, and people compare the hash.
OTHERS = ("charter", "policy", "contacts", "succeed", "kem")
MODES = {name: mode for mode, name in MODE_NAMES.items()}
KINDS = {"sign": suites.SIGN, "seal": suites.SEAL}
KIND_NAMES = {suites.SIGN: "sign", suites.SEAL: "seal", suites.SESSION: "session"}
MAX_FILE = 16 * 1024 * 1024
INTERRUPTED = 130  # by Ctrl-C, as shells have it
_FILE = click.Path(path_type=Path)


class _Tool(SpokenGroup):
    """A group that tells errors in the user's language and ends with their exit code."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **named: Any) -> Any:
        """The whole call; words that can't be read as one are an error like any other."""
        words = sys.argv[1:] if args is None else list(args)
        try:
            code = super().main(words, *more, **{**named, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as e:
            e.show()
            code = e.exit_code
        except click.UsageError as e:
            code = _tell(_texts_in(language_asked(words)), wrong_use(e))
        except click.Abort:
            code = INTERRUPTED
        sys.exit(code or 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Problem as problem:
            ctx.exit(_tell(_texts(ctx), problem))


def _everywhere(command: F) -> F:
    """``--lang`` and ``--json``, before or after the command's name."""

    def keep(ctx: click.Context, option: click.Parameter, value: Any) -> None:
        if option.name == "lang" and value and ctx.parent:  # before the command's name the group looks at it
            pick_language(value, {})
        if value:
            ctx.meta[f"keys.{option.name}"] = value

    command = click.option("--lang", expose_value=False, callback=keep, help="en or zh. 语言：en 或 zh。")(command)
    return click.option(
        "--json", is_flag=True, expose_value=False, callback=keep, help="One JSON object a line. 每行一个 JSON 对象。"
    )(command)


@click.group(cls=_Tool)
@_everywhere
@click.pass_context
def channel_keys(ctx: click.Context) -> None:
    """密钥与签名工具。 Keys and signatures of a deconfliction channel."""
    pick_language(ctx.meta.get("keys.lang"), os.environ)


@channel_keys.command()
@click.option("--mode", type=click.Choice(list(MODES)), required=True, help="Chosen once: it is in the key. 模式。")
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="To sign, or to be sealed to. 种类。")
@click.option("--out", type=_FILE, required=True, help="FILE, and FILE.pub for the public half. 输出文件。")
@click.option("--label", help="Who it is for; by default the file's name. 标签。")
@click.option("--passphrase-file", type=_FILE, help="Its first line is the passphrase. 口令文件。")
@_everywhere
@click.pass_context
def new(
    ctx: click.Context, *, mode: str, kind: str, out: Path, label: str | None, passphrase_file: Path | None
) -> None:
    """生成密钥。 Make a key."""
    public = out.with_name(f"{out.name}.pub")
    for path in (out, public):  # before anybody types a passphrase
        if path.exists():
            raise Refused("EXISTS", path=path)
    key = keyring.new_key(MODES[mode], KINDS[kind])
    label = label or out.stem
    cost = ctx.obj or keyring.AT_REST  # tests pass a cheaper one in
    keyring.write_keys(out, [key], _passphrase(ctx, out, passphrase_file, twice=True), label, cost)
    keyring.write_file(public, key.public.encode(), 0o644, over=False)
    texts = _texts(ctx)
    said = texts.say(
        "tool.made", kind=texts.say(f"name.{kind}"), mode=texts.say(f"name.{mode}"), path=out, public=public
    )
    _out(ctx, [said], None)
    _show_key(ctx, key.public, label)


@channel_keys.command()
@click.argument("file", type=_FILE)
@_everywhere
@click.pass_context
def show(ctx: click.Context, file: Path) -> None:
    """显示密钥。 What a key file or key object is."""
    label, keys = _publics(file)
    for key in keys:
        _show_key(ctx, key, label)


@channel_keys.command()
@click.argument("doc_type")
@click.argument("payload_file", type=_FILE)
@click.option("--key", "key_files", type=_FILE, multiple=True, required=True, help="A private key file. 私钥文件。")
@click.option("--out", "-o", type=_FILE, required=True, help="The envelope. 输出封装文件。")
@click.option("--mode", type=click.Choice(list(MODES)), help="Only where the document does not name it. 模式。")
@click.option("--passphrase-file", type=_FILE, help="One passphrase for all the keys. 口令文件。")
@_everywhere
@click.pass_context
def sign(
    ctx: click.Context,
    *,
    doc_type: str,
    payload_file: Path,
    key_files: tuple[Path, ...],
    out: Path,
    mode: str | None,
    passphrase_file: Path | None,
) -> None:
    """签署文件。 Sign the payload of a document, or add signatures to its envelope."""
    if doc_type not in (*SHAPES, *OTHERS):
        raise WrongUse("DOC_TYPE", found=doc_type, known=[*SHAPES, *OTHERS])
    payload, signatures = _payload(doc_type, _read(payload_file))
    document = _document(doc_type, payload)
    wanted = _mode_of(document, mode)
    _show_document(ctx, doc_type, document, wanted, payload)
    for path in key_files:
        key = _signing_key(ctx, path, passphrase_file)
        if key.mode != wanted:
            raise Refused("MODE", kid=key.kid)
        signatures[key.kid] = key.sign(pae(media_type(doc_type), payload))
    keyring.write_file(out, join(media_type(doc_type), payload, signatures).encode(), 0o644, over=True)
    said = _texts(ctx).say("tool.signed", path=out, count=len(signatures))
    _out(ctx, [said], {"envelope": str(out), "signatures": sorted(kid.hex() for kid in signatures)})


@channel_keys.command()
@click.argument("envelope_file", type=_FILE)
@click.option("--key", "key_files", type=_FILE, multiple=True, required=True, help="A public key. 公钥文件。")
@click.option("--mode", type=click.Choice(list(MODES)), help="Only where the document does not name it. 模式。")
@_everywhere
@click.pass_context
def verify(ctx: click.Context, envelope_file: Path, key_files: tuple[Path, ...], mode: str | None) -> None:
    """核验签名。 Who of the given keys signed an envelope."""
    env = read_envelope(_read(envelope_file))
    doc_type = next((d for d in (*SHAPES, *OTHERS) if media_type(d) == env.payload_type), None)
    if doc_type is None:
        raise Malformed("TYPE", found=env.payload_type, need=", ".join((*SHAPES, *OTHERS)))
    document = _document(doc_type, env.payload)
    wanted = _mode_of(document, mode)
    keys = {key.kid: key for path in key_files for key in _publics(path)[1]}
    _show_document(ctx, doc_type, document, wanted, env.payload)
    standing = _standing(env, wanted, keys)
    for kid, how in standing.items():
        _out(ctx, [_texts(ctx).say(f"tool.{how}", kid=kid.hex())], {"kid": kid.hex(), "signature": how})
    if "good" not in standing.values() or "bad" in standing.values():
        raise Unverified("SIGNATURES", count=list(standing.values()).count("good"))


@channel_keys.command(name="words")
@click.argument("id_", metavar="ID")
@_everywhere
@click.pass_context
def words_of(ctx: click.Context, id_: str) -> None:
    """标识的核对词。 The words of an id of 64 hex digits, to compare by voice."""
    try:
        raw = bytes.fromhex(id_)
    except ValueError as e:
        raise Malformed("HEX") from e
    said = words(raw)
    _out(ctx, [" ".join(said.en), " ".join(said.zh)], {"id": raw.hex(), "en": list(said.en), "zh": list(said.zh)})


def run() -> None:
    """The program."""
    channel_keys()


# What is read


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as e:
        raise WrongUse("FILE", path=path, why=e.strerror or "?") from e
    if len(data) > MAX_FILE:
        raise Malformed("PARSE", what=str(path), why=f"more than {MAX_FILE} bytes")
    return data


def _publics(path: Path) -> tuple[str, tuple[PublicKey, ...]]:
    """Label and public keys of a key file or a key object."""
    raw = _read(path)
    if raw.startswith(keyring.MAGIC):
        shown = keyring.show_keys(path)
        return shown.label, shown.keys
    return path.stem, (read_key(raw),)


def _payload(doc_type: str, raw: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """A payload, and the signatures that its envelope has already. A payload is a map, an envelope an array."""
    if isinstance(unpack(raw), dict):
        return raw, {}
    env = read_envelope(raw)
    if env.payload_type != media_type(doc_type):
        raise Malformed("TYPE", found=env.payload_type, need=media_type(doc_type))
    return env.payload, dict(env.signatures)


def _document(doc_type: str, payload: bytes) -> dict[str, Any]:
    """The fields of a payload that reads as this document."""
    if doc_type in SHAPES:
        unpack(payload, SHAPES[doc_type])
    plain = unpack(payload)
    if not isinstance(plain, dict) or plain.get("v") != 1:
        raise Malformed("PARSE", what=doc_type, why="no document of version 1")
    return plain


def _mode_of(document: dict[str, Any], asked: str | None) -> int:
    """The document's own mode; the option where it names none. Never a key's."""
    own = document.get("mode")
    if own is None and asked is not None:
        return MODES[asked]
    if own is None:
        raise WrongUse("MODE_NEEDED")
    if own not in (ACTUAL, EXERCISE) or (asked is not None and MODES[asked] != own):
        raise Refused("MODE")
    return int(own)


def _signing_key(ctx: click.Context, path: Path, passphrase_file: Path | None) -> PrivateKey:
    """The one signing key of a file, which may hold a member's seal key beside it."""
    if all(public.suite != suites.SIGN for public in keyring.show_keys(path).keys):
        raise Refused("SIGN_KEY", path=path)
    keys = keyring.read_keys(path, _passphrase(ctx, path, passphrase_file, twice=False))
    return next(key for key in keys if key.public.suite == suites.SIGN)


def _passphrase(ctx: click.Context, path: Path, file: Path | None, *, twice: bool) -> keyring.Passphrase:
    if file is not None:
        return keyring.read_passphrase(file)
    texts = _texts(ctx)
    again = texts.say("tool.again") if twice else False
    typed = click.prompt(texts.say("tool.ask", path=path), hide_input=True, confirmation_prompt=again, err=True)
    return keyring.Passphrase(typed)


def _standing(env: Envelope, mode: int, keys: dict[bytes, PublicKey]) -> dict[bytes, str]:
    """Each signature, and each key given, by kid: good, bad, unknown (no key for it), absent (did not sign)."""
    valid = env.verified(mode, keys)
    signed = {kid: "good" if kid in valid else "bad" if kid in keys else "unknown" for kid in env.kids}
    return signed | {kid: "absent" for kid in keys if kid not in signed}


# What is shown


def _tell(texts: Texts, problem: Problem) -> int:
    """Say what happened and what to do; the exit code."""
    what, do = texts.problem(problem)
    click.echo(f"{what}\n  {do}", err=True)
    return problem.exit_code


def _texts(ctx: click.Context) -> Texts:
    return _texts_in(ctx.meta.get("keys.lang"))


def _texts_in(lang: str | None) -> Texts:
    try:
        return own_texts(pick_language(lang, os.environ))
    except WrongUse:  # the language itself is what is wrong: say so in English
        return own_texts("en")


def _show_key(ctx: click.Context, key: PublicKey, label: str) -> None:
    texts, said, mode, kind = _texts(ctx), words(key.kid), MODE_NAMES[key.mode], KIND_NAMES[key.suite]
    lines = [
        texts.say("tool.key", kind=texts.say(f"name.{kind}"), mode=texts.say(f"name.{mode}"), label=label),
        texts.say("tool.id", kid=key.kid.hex()),
        texts.say("tool.words", en=" ".join(said.en)),
        texts.say("tool.words_zh", zh=" ".join(said.zh)),
    ]
    _out(ctx, lines, {"kid": key.kid.hex(), "kind": kind, "mode": mode, "label": label, "words": str(said)})


def _show_document(ctx: click.Context, doc_type: str, document: dict[str, Any], mode: int, payload: bytes) -> None:
    texts, hash_ = _texts(ctx), Envelope(media_type(doc_type), payload, ()).hash
    said, version = words(hash_), document.get("ver")
    name = f"{doc_type} {document['party']}" if isinstance(document.get("party"), str) else doc_type
    kind = "tool.unversioned" if version is None else "tool.document"
    lines = [
        texts.say(kind, doc=name, mode=texts.say(f"name.{MODE_NAMES[mode]}"), version=version),
        texts.say("tool.hash", hash=hash_.hex()),
        texts.say("tool.words", en=" ".join(said.en)),
        texts.say("tool.words_zh", zh=" ".join(said.zh)),
    ]
    if doc_type in OTHERS:
        lines.append(texts.say("tool.generic"))
    _out(ctx, lines, {"document": doc_type, "mode": MODE_NAMES[mode], "hash": hash_.hex(), "words": str(said)})


def _out(ctx: click.Context, lines: list[str], fields: dict[str, object] | None) -> None:
    if not ctx.meta.get("keys.json"):
        print("\n".join(lines))
    elif fields is not None:
        print(json.dumps(fields, ensure_ascii=False))
    sys.stdout.flush()
