"""What a channel is founded with, as one file: both parties' opening documents and the blobs that they name.

The file is a convenience of the ceremony, no document of its own: nothing in it is believed because it stands there.
The charter names everything else by hash, and the opening is judged from the logs (docs/protocol.md 5 and 12.2).
"""

from __future__ import annotations

from hashlib import sha256

from channel.protocol.charter import Charter, Policy, channel_id
from keys.codec import pack, unpack
from keys.documents import Root, Roster
from keys.envelope import read_envelope
from keys.errors import Malformed
from keys.shapes import Document, Shape


class FoundingParty(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The envelopes of one party's first root and roster."""

    root: bytes
    roster: bytes


class Founding(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Envelopes and blobs of the eight opening records."""

    charter: bytes
    a: FoundingParty
    b: FoundingParty
    policy: bytes
    blobs: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The file's bytes."""
        return pack(self)

    @property
    def chan(self) -> bytes:
        """The channel id."""
        return channel_id(read_envelope(self.charter).payload)

    def read_charter(self) -> Charter:
        """The charter, unverified."""
        return read_envelope(self.charter).read("charter", Charter)

    def blob_map(self) -> dict[bytes, bytes]:
        """The blobs by their hashes."""
        return {sha256(blob).digest(): blob for blob in self.blobs}

    def opening(self, letter: str) -> list[tuple[str, bytes, tuple[bytes, ...]]]:
        """Type, envelope and blob hashes of records 0 to 3 of a party's log, or ``Malformed`` when a blob is missing."""
        party = self.a if letter == "a" else self.b
        charter = self.read_charter()
        root = read_envelope(party.root).read("root", Root)
        roster = read_envelope(party.roster).read("roster", Roster)
        policy = read_envelope(self.policy).read("policy", Policy)
        named: list[tuple[str, bytes, set[bytes]]] = [
            ("charter", self.charter, {p.cert for p in charter.parties}),
            ("root", party.root, set(root.keys)),
            ("roster", party.roster, {h for m in roster.members for h in (*m.sig, *m.kem, *m.pop)}),
            ("policy", self.policy, {policy.formats, policy.codes}),
        ]
        have = self.blob_map()
        for t, _, hashes in named:
            if missing := sorted(h for h in hashes if h not in have):
                raise Malformed("FOUNDING", what=t, missing=missing[0])
        return [(t, env, tuple(sorted(hashes))) for t, env, hashes in named]


def read_founding(raw: bytes) -> Founding:
    """The founding of its bytes, or ``Malformed``."""
    return unpack(raw, Founding)
