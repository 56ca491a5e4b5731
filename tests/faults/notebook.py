"""Every note that was let out anywhere, and whether they all tell of one and the same history."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from channel.node.station import origins_of
from channel.protocol import merkle
from channel.protocol import note as notes
from channel.protocol.note import NotePublic


@dataclass(frozen=True)
class Named:
    """A log: its keys, and who cosigns it under which name and keys (None: nobody)."""

    key: NotePublic
    cosigner: tuple[str, NotePublic] | None


class NoteBook:
    """Notes by where they were seen. Notes that differ in one line are two."""

    def __init__(self, parties):
        charter, self.logs = parties.trial.founding.read_charter(), {}
        for letter in "ab":
            party, by = charter.party(letter), charter.party("ba"["ab".index(letter)])
            origins = origins_of(parties.chan, letter)
            self.logs[origins.own] = Named(_public(party.log), (origins.peer_cosigner, _public(by.cos)))
            self.logs[origins.side] = Named(_public(party.side), None)
        self.notes, self.met = {}, Counter()

    def add(self, raw, where):
        """A note that was let out; nothing is read of it but its form."""
        if raw:
            self.notes.setdefault(notes.parse(raw), set()).add(where)
            self.met[where] += 1

    def check(self, final):
        """All notes are signed by their logs and fit each other. ``final``: leaf hashes by origin. Pairs that were compared.

        Each note has the root of the final log's first records, and from each size to the next bigger one there is a
        consistency proof, without trust in how the roots were found.
        """
        heads = {origin: set() for origin in self.logs}
        for note in self.notes:
            log = self.logs[note.origin]
            assert notes.check(note, log.key, log.cosigner).log, note
            heads[note.origin].add((note.size, note.root))
        pairs = 0
        for origin, found in heads.items():
            leaves, ordered = final[origin], sorted(found)
            assert ordered, origin
            assert len({size for size, _ in ordered}) == len(ordered), f"two roots of one size: {origin}"
            assert ordered[-1][0] <= len(leaves), f"a note beyond the log: {origin}"
            for size, root in ordered:
                assert root == merkle.root_of(leaves[:size]), f"{origin} {size}"
            for (old, old_root), (new, new_root) in pairwise(ordered):
                path = merkle.consistency_proof(leaves, old, new)
                merkle.check_consistency(old, old_root, new, new_root, path)
            pairs += len(ordered) * (len(ordered) - 1) // 2
        return pairs

    def check_times(self):
        """Nobody went back: a timed line (cosigner's or anchor's) of a later second is never over a smaller size."""
        spans, count = {}, 0
        for note in self.notes:
            log = self.logs[note.origin]
            for name, times in ((note.origin, notes.log_lines(note, log.key)), (log.cosigner, self.cosigned(note))):
                for at in filter(None, times.values()):
                    least, most = spans.setdefault(name, {}).get(at, (note.size, note.size))
                    spans[name][at] = (min(least, note.size), max(most, note.size))
                    count += 1
        for name, by_time in spans.items():
            for one, two in pairwise(sorted(by_time)):
                assert by_time[one][1] <= by_time[two][0], f"{name} {one} {two}"
        return count

    def cosigned(self, note):
        """The kinds of the cosigner's lines under a note, with their times; none for a side log."""
        log = self.logs[note.origin]
        return notes.cosigner_lines(note, *log.cosigner) if log.cosigner else {}


def _public(keys):
    return NotePublic(keys.ed, keys.ml)
