"""``channel submit`` and ``material check``: documents that authorities and operators signed, and what came beside.

A roster, root or policy is signed in a ceremony (``channel-keys sign``) and handed in by an operator; a policy counts
once both parties' logs hold it.
"""

from __future__ import annotations

import asyncio
import hmac
from hashlib import sha256
from pathlib import Path

import click

from channel.cli.desk import desk
from channel.cli.files import read_file
from channel.cli.group import Context, channel
from channel.cli.rendering import show_record
from channel.client.present import find
from channel.client.typed import material_of
from keys.envelope import media_type, read_envelope
from keys.errors import Unverified, WrongUse

SUBMITTED = ("roster", "root", "policy", "revoke", "contacts", "kem")
MAX_FILE = 4 << 20


@channel.command(short_help="Hand in a signed document / 提交已签署文件")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--blob", "blobs", multiple=True, type=click.Path(path_type=Path),
              help="A key, proof or book that it names / 文件所引用的密钥、证明或汇编")  # fmt: skip
@click.pass_obj
def submit(ctx: Context, file: Path, blobs: tuple[Path, ...]) -> None:
    """Hand in a signed roster, root, policy, revocation, contacts or new seal key / 提交已签署的名册、根密钥、规则、吊销、联络点或新密钥."""
    asyncio.run(_submit(ctx, file, blobs))


async def _submit(ctx: Context, file: Path, blobs: tuple[Path, ...]) -> None:
    kinds = {media_type(t): t for t in SUBMITTED}
    async with desk(ctx, "operator") as client:
        envelope = read_envelope(read_file(file, MAX_FILE))
        if envelope.payload_type not in kinds:
            raise WrongUse("NOT_SUBMITTED", path=file, kinds=", ".join(SUBMITTED))
        raw = [read_file(path, MAX_FILE) for path in blobs]
        t = kinds[envelope.payload_type]
        lent = {sha256(blob).digest(): blob for blob in raw}
        with client.view.lending(lent):
            await client.submit(t, envelope, tuple(sorted(lent)), tuple(lent.values()))
        for verdict in client.view.fold.display():
            if verdict.letter == client.view.letter and verdict.envelope and verdict.envelope.hash == envelope.hash:
                show_record(ctx, client, verdict)
                return


@channel.group()
def material() -> None:
    """What was delivered beside the channel / 渠道外交付的材料."""


@material.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("ref")
@click.pass_obj
def check(ctx: Context, file: Path, ref: str) -> None:
    """Compare a file with the material that a message names / 核对文件与电文所列材料."""
    asyncio.run(_check(ctx, file, ref))


async def _check(ctx: Context, file: Path, ref: str) -> None:
    async with desk(ctx) as client:
        found = material_of(file)
        message = find(client, ref)
        named = client.open(message).body.get("material", [])
        if not named:
            raise WrongUse("NO_MATERIAL", number=message.verdict.number)
        for item in named:
            if item["size"] == found["size"] and hmac.compare_digest(item["sha256"], found["sha256"]):
                ctx.terminal.say("cli.material_same", path=file, name=item["name"], number=message.verdict.number)
                ctx.terminal.item({"path": str(file), "same": True, "name": item["name"], "sha256": found["sha256"]})
                return
        raise Unverified("MATERIAL", path=file, number=message.verdict.number, sha256=found["sha256"].hex())
