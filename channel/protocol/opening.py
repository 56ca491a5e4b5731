"""The eight opening records, judged together (docs/protocol.md sections 4, 5 and 12.2, reason OPEN).

Records 0 to 3 of both logs: charter, root v1, roster v1, policy v1. Charter and policy are the same envelopes in both
logs, signed by the thresholds of both first roots; roots and rosters are the ones that the charter names by hash, and
every key has its proof of possession.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from channel.protocol.charter import Charter, Policy, channel_id
from channel.protocol.members import Standing
from channel.protocol.record import Record
from keys import suites
from keys.codec import pack
from keys.documents import Root
from keys.envelope import Envelope, read_envelope
from keys.errors import Malformed, Refused
from keys.identity import PublicKey
from keys.roster import check_root, check_roster, check_threshold, key_objects
from keys.shapes import ZERO

OPENING = ("charter", "root", "roster", "policy")
Blobs = Callable[[bytes], bytes | None]


@dataclass(frozen=True, slots=True)
class Opening:
    """What the opening gave."""

    charter: Charter
    policy: Policy
    policy_hash: bytes
    parties: tuple[Standing, Standing]
    root_hashes: tuple[bytes, bytes]
    """Payload hashes of both first roots."""


def judge_opening(chan: bytes, logs: Sequence[Sequence[Record]], blob: Blobs) -> Opening:
    """The opening of records 0 to 3 of logs a and b, or ``Refused`` OPEN, which says why in one word.

    ``blob`` is asked only for blobs that these records name.
    """
    try:
        return _judge(chan, logs, blob)
    except Malformed as e:
        raise Refused("OPEN", why=e.code) from e
    except Refused as e:
        if e.exit_code == Refused.exit_code and e.__class__ is Refused:
            raise Refused("OPEN", why=e.values.get("why", e.code)) from e
        raise


def _judge(chan: bytes, logs: Sequence[Sequence[Record]], blob: Blobs) -> Opening:
    for log in logs:
        _demand(tuple(r.t for r in log) == OPENING, "types")
    first, second = logs
    _demand(first[0].env == second[0].env and first[3].env == second[3].env, "differ")
    charter_env, policy_env = read_envelope(first[0].env), read_envelope(first[3].env)
    charter, policy = charter_env.read("charter", Charter), policy_env.read("policy", Policy)
    _demand(channel_id(charter_env.payload) == chan, "channel")
    _demand({suites.SIGN, suites.SEAL} <= set(charter.suites), "suites")
    roots = [_root(charter, i, log[1], _named(log, 1, blob)) for i, log in enumerate(logs)]
    for root, keys, _ in roots:
        check_threshold(charter_env, root, keys)
        check_threshold(policy_env, root, keys)
    _demand(policy_env.hash == charter.policy and policy.ver == 1 and policy.prev == ZERO, "policy")
    _demand(policy.mode == charter.mode and policy.fold == 1, "policy")
    _demand(all({policy.formats, policy.codes} <= set(log[3].blobs) for log in logs), "books")
    parties: list[Standing] = []
    for i, log in enumerate(logs):
        env = read_envelope(log[2].env)
        _demand(env.hash == charter.parties[i].roster, "roster")
        root, keys, root_hash = roots[i]
        others = [key for s in parties for key in foreign(s, env)]
        admitted = check_roster(env, root, root_hash, keys, None, _named(log, 2, blob), others)
        parties.append(Standing.start(root, keys, admitted))
    return Opening(charter, policy, policy_env.hash, (parties[0], parties[1]), (roots[0][2], roots[1][2]))


def foreign(other: Standing, env: Envelope) -> list[PublicKey]:
    """The other party's keys that a roster may share no part with. A whole key of both stays to the void rule."""
    return [key for kid, key in other.admitted.known.items() if kid not in env.payload]


def _root(charter: Charter, i: int, record: Record, blob: Blobs) -> tuple[Root, dict[bytes, PublicKey], bytes]:
    env, party = read_envelope(record.env), charter.parties[i]
    _demand(env.hash == party.root, "root")
    root = env.read("root", Root)
    _demand(root.mode == charter.mode and root.party == party.code, "root")
    keys = key_objects(root.keys, blob)
    check_root(env, keys)
    return root, keys, sha256(pack(root)).digest()


def _named(log: Sequence[Record], upto: int, blob: Blobs) -> Blobs:
    names = {h for record in log[: upto + 1] for h in record.blobs}
    return lambda h: blob(h) if h in names else None


def _demand(holds: bool, why: str) -> None:  # noqa: FBT001
    if not holds:
        raise Refused("OPEN", why=why)
