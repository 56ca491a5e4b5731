"""The fold: what two logs mean (docs/protocol.md section 12). Pure: the same records give the same answers anywhere.

Records go in as bytes, in order, in any mixture of the two logs. Each is judged once, as soon as all that it stands on
has been judged: its own log below it and the prefix of the other that it has seen. What is judged is always the largest
closed cut of what was given. Reasons, items and H(state) are those of docs/state.md.

    fold = Fold(chan, blobs.get); fold.add("a", records_a); fold.add("b", records_b); fold.state_hash()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from channel.protocol import state
from channel.protocol.charter import ORDER, Charter, Policy, Slots
from channel.protocol.effects import apply, number_of
from channel.protocol.header import Header
from channel.protocol.judge import judge, read_body
from channel.protocol.members import void
from channel.protocol.merkle import EMPTY
from channel.protocol.opening import Opening, judge_opening
from channel.protocol.recipients import default_recipients, party_view, seal_key
from channel.protocol.sequence import Leaf, Sequence, read_leaf
from channel.protocol.tables import Tables, fetch
from channel.protocol.verdicts import LETTERS, Entry, MessageView, PartyView, Verdict
from channel.protocol.views import Display, as_verdict, message_view
from keys.documents import Member
from keys.errors import Refused, Unavailable, WrongUse
from keys.identity import PublicKey

OPENING_SIZE = 4
Blobs = Callable[[bytes], bytes | None]


class Fold:
    """The fold of one channel. ``blob`` gives a blob of either log by its hash; bodies of messages are not asked for."""

    def __init__(self, chan: bytes, blob: Blobs) -> None:
        self.chan, self._blob = chan, blob
        self._logs = (Sequence(), Sequence())
        self._forget()

    def _forget(self) -> None:
        """Before the first record was judged."""
        self._tables: Tables | None = None
        self._failed = ""
        self._entries: tuple[list[Entry], list[Entry]] = ([], [])
        self._display = Display(self._entries)
        self._impossible: set[tuple[int, int]] = set()

    # --- records in ---------------------------------------------------------------------------------------------------

    def add(self, letter: str, records: Iterable[bytes], log_no: int = 0) -> None:
        """The next records of a party's log; judges all that can be judged.

        ``WrongUse`` LOG_NUMBER, ``Refused`` SUCCEED for records that do not continue the log. ``Unavailable`` FOLD_BLOB
        when a key, proof or book is not here yet: the records are held, and the next ``add`` tries again.
        """
        cut = self._logs[_p(letter)].add(records, log_no)
        if cut is not None and cut < len(self._entries[_p(letter)]):
            self._forget()  # records beyond a log's final size were judged: they never stood there
        self._advance()

    def judge(self, letter: str, raw: bytes, log_no: int | None = None) -> Verdict:
        """What would become of ``raw`` as the next record of that log. Changes nothing."""
        p = _p(letter)
        i = len(self._entries[p])
        leaf = read_leaf(raw, len(self._logs[p].numbers) - 1 if log_no is None else log_no)
        e = self._place(p, i, leaf) or self._entry(p, i, leaf, astray=True)
        if self._tables is None:
            e.reason = "OPEN"
        elif e.record is not None:
            e.seen = min(e.seen, len(self._entries[1 - p]))
            e.reason = judge(self._tables, e)
            e.name = number_of(self._tables, e)
        return as_verdict(self._tables, e)

    def _advance(self) -> None:
        if self._tables is None and not self._failed and not self._open():
            return
        going = True
        while going:
            going = any([self._judge_next(0), self._judge_next(1)]) or self._untie()

    def _judge_next(self, p: int) -> bool:
        """Judge records of one log as far as the other allows; whether there were any."""
        start = len(self._entries[p])
        while (e := self._next(p)) is not None and e.seen <= len(self._entries[1 - p]):
            self._take(e)
        return len(self._entries[p]) > start

    def _take(self, e: Entry) -> None:
        if e.record is None:
            e.reason = "OPAQUE"
        elif self._tables is None:
            e.reason = "OPEN"
        else:
            e.reason = judge(self._tables, e)
        if self._tables is not None:
            apply(self._tables, e)
        self._entries[e.p].append(e)

    def _next(self, p: int) -> Entry | None:
        """The next record of a log with what it counts with; None if there is none or what it has seen is not here."""
        i, leaves = len(self._entries[p]), self._logs[p].leaves
        return self._place(p, i, leaves[i]) if i < len(leaves) else None

    def _place(self, p: int, i: int, leaf: Leaf, before: Entry | None = None) -> Entry | None:
        if before is None and i:
            before = self._entries[p][i - 1]
        seen, ts = (before.seen, before.ts) if before else (0, 0)
        if leaf.record is None:
            return self._entry(p, i, leaf, seen, ts)
        position, right = self._logs[1 - p].joined(leaf.record.seen)
        if (p, i) in self._impossible:
            position, right = 0, False
        if position is None:
            return None
        false = not right or position < seen
        if false or leaf.record.ts < ts:
            return self._entry(p, i, leaf, seen, ts, astray=True, false_seen=false)
        return self._entry(p, i, leaf, position, leaf.record.ts)

    @staticmethod
    def _entry(
        p: int, i: int, leaf: Leaf, seen: int = 0, ts: int = 0, *, astray: bool = False, false_seen: bool = False
    ) -> Entry:
        return Entry(p, i, leaf.number, leaf.raw, leaf.record, seen, ts, astray, false_seen)

    def _untie(self) -> bool:
        """Two records can't have seen each other: where one rightly saw the other, the other's ``seen`` is false.

        A record waits here only because what it says it has seen is not judged, or not held; all else was judged.
        """
        for p in (0, 1):
            i = len(self._entries[p])
            waiting = i < len(self._logs[p].leaves) and (p, i) not in self._impossible
            witness = self._next(1 - p)
            if waiting and witness is not None and witness.seen > i:
                self._impossible.add((p, i))
                return True
        return False

    def _open(self) -> bool:
        """Judge the opening, once all eight records are held; whether they are."""
        if any(len(log.leaves) < OPENING_SIZE for log in self._logs):
            return False
        placed: tuple[list[Entry], list[Entry]] = ([], [])
        for p in (0, 1):
            for i, leaf in enumerate(self._logs[p].leaves[:OPENING_SIZE]):
                e = self._place(p, i, leaf, placed[p][-1] if placed[p] else None)
                if e is None:
                    return False
                placed[p].append(e)
        try:
            self._tables = Tables(self.chan, self._judge_opening(placed), self._blob)
        except Unavailable:
            raise
        except Refused as refusal:
            self._failed = str(refusal.values.get("why", refusal.code))
        for e in (*placed[0], *placed[1]):
            e.reason = "OPEN" if self._failed else ""
            if self._tables is not None:
                read_body(e)
                apply(self._tables, e)
            self._entries[e.p].append(e)
        return True

    def _judge_opening(self, placed: tuple[list[Entry], list[Entry]]) -> Opening:
        if any(e.astray for log in placed for e in log):
            raise Refused("OPEN", why="seen")
        logs = [[e.record for e in log if e.record is not None] for log in placed]
        return judge_opening(self.chan, logs, lambda address: fetch(self._blob, address))

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def held(self) -> tuple[int, int]:
        """Joined sizes given."""
        return len(self._logs[0].leaves), len(self._logs[1].leaves)

    @property
    def cut(self) -> tuple[int, int]:
        """The largest closed cut judged."""
        sizes = len(self._entries[0]), len(self._entries[1])
        closed = all(not mine or mine[-1].seen <= sizes[1 - p] for p, mine in enumerate(self._entries))
        return sizes if closed else (0, 0)  # only an opening can wait for more of the other log

    @property
    def open_fault(self) -> str:
        """Why the opening was refused, in one word; "" if it was not."""
        return self._failed

    @property
    def charter(self) -> Charter | None:
        """The charter, once the opening has been judged."""
        return self._tables.opening.charter if self._tables else None

    @property
    def mode(self) -> int:
        """1 actual, 2 exercise."""
        return self._known.mode

    def known(self) -> Tables | None:
        """The fold's memory, for those who follow it record by record; None before the opening is judged. Read only."""
        return self._tables

    @property
    def _known(self) -> Tables:
        if self._tables is None:
            raise Unavailable("OPENING", why=self._failed or "incomplete")
        return self._tables

    def roots(self, letter: str, size: int) -> bytes:
        """The root of the log number that holds a joined size."""
        return self._logs[_p(letter)].root(size)

    def policy(self, letter: str) -> Policy:
        """The policy in force for the next record of that log, if it has seen all that is judged of the other."""
        del letter  # both parties' next records stand on the same pair
        return self._known.policy_at(self._ends).policy

    def policy_of(self, letter: str, index: int) -> Policy:
        """The policy that holds for a judged record: what it stands on, whatever came later (docs/protocol.md 4.2)."""
        return self._known.policy_at(self._entries[_p(letter)][index].at).policy

    def policy_payload(self, letter: str) -> bytes:
        """The payload hash of that policy."""
        del letter
        return self._known.policy_at(self._ends).hash

    def in_force(self, payload: bytes) -> tuple[tuple[int | None, int | None], tuple[int | None, int | None]]:
        """For logs a and b: where a valid document stands, and the first record, maybe the next one, that stands on it.

        A policy is in force once it stands in both logs (version 1 from the opening on), any other document once it
        stands in its own.
        """
        found = [next((e.i for e in log if not e.reason and e.ph == payload), None) for log in self._entries]
        at = (found[0], found[1])
        if payload == self._known.opening.policy_hash:
            return at, (OPENING_SIZE, OPENING_SIZE)
        shared = any(p.hash == payload for side in self._known.sides for p in side.policies)
        if at == (None, None) or (shared and None in at):
            return at, (None, None)
        need = [0 if i is None else i + 1 for i in at]
        first = [self._first(p, need[p], need[1 - p]) for p in (0, 1)]
        return at, (first[0], first[1])

    def _first(self, p: int, own: int, other: int) -> int | None:
        """The first index of a log with ``own`` records below it and ``other`` of the other log seen, the next included."""
        log = self._entries[p]
        found = next((e.i for e in log if e.i >= own and e.seen >= other), None)
        return len(log) if found is None and log[-1].seen >= other else found

    @property
    def _ends(self) -> tuple[int, int]:
        return len(self._entries[0]), len(self._entries[1])

    def party(self, letter: str) -> PartyView:
        """A party at the end of what is judged."""
        return party_view(self._known, _p(letter), self._ends[_p(letter)])

    def current_signer(self, letter: str, kid: bytes) -> PublicKey | None:
        """The signing key ``kid`` of a party's member, if it holds now: not ended, and not void."""
        p = _p(letter)
        own, other = (self._known.sides[x].history.before(self._ends[x]) for x in (p, 1 - p))
        member = own.signer(kid)
        return None if member is None or void(kid, own, other) else own.admitted.keys.get(kid)

    def current_kem(self, letter: str, kid: bytes) -> bytes | None:
        """The seal key now of the member with signing key ``kid``."""
        return seal_key(self._known, _p(letter), kid, self._ends)

    def recipients(self) -> tuple[bytes, ...]:
        """The seal keys that a message goes to unless its author says otherwise, sorted; both records keys always."""
        return default_recipients(self._known, self._ends)

    def member_of(self, kid: bytes, letter: str, index: int) -> Member | None:
        """The member of that party who held a key just before a record, whether the key still held or not."""
        return self._known.sides[_p(letter)].history.before(index).admitted.members.get(kid)

    def verdict(self, letter: str, index: int) -> Verdict:
        """What became of a record. One that is held and can't be judged yet has the reason UNJUDGED."""
        p = _p(letter)
        if index < len(self._entries[p]):
            return as_verdict(self._tables, self._entries[p][index])
        if not 0 <= index < len(self._logs[p].leaves):
            raise WrongUse("RANGE", lo=index, hi=index + 1, size=len(self._logs[p].leaves))
        return replace(as_verdict(None, self._entry(p, index, self._logs[p].leaves[index])), reason="UNJUDGED")

    def display(self, start: int = 0, end: int | None = None) -> list[Verdict]:
        """All judged records in display order, or a slice of them: topological, ties by (ts, letter)."""
        return [as_verdict(self._tables, e) for e in self.ordered()[start:end]]

    def ordered(self) -> list[Entry]:
        """The same records as ``display``, as they were judged: whoever shows some asks for their verdicts. Read only."""
        return self._display.entries()

    def place(self, letter: str, index: int) -> int:
        """Where a judged record stands in display order."""
        return self._display.place(_p(letter), index)

    def _valid_messages(self) -> Iterator[Entry]:
        return (e for e in self.ordered() if e.t == "msg" and not e.reason)

    def messages(self) -> list[MessageView]:
        """The valid messages in display order."""
        return [message_view(self._known, e) for e in self._valid_messages()]

    def find(self, ref: bytes) -> MessageView | None:
        """The valid message with this payload hash (32 bytes) or ``mid`` (16); of several mids, the first shown."""
        if self._tables is None:
            return None
        found = self._tables.messages.get(ref)
        if found is None and len(ref) == 16:
            found = next((e for e in self._valid_messages() if e.doc.mid == ref), None)
        return message_view(self._tables, found) if found else None

    def level(self) -> str:
        """The channel's level: the highest of its open cases, else routine."""
        known = self._known.ladder
        return ORDER[max([0, *(known.level(ph, self._ends) for ph in known.cases)])]

    def case_level(self, ph: bytes) -> str | None:
        """The level of a case by its opening's payload hash; None if it is closed or there is none."""
        rank = self._known.ladder.level(ph, self._ends)
        return None if rank < 0 else ORDER[rank]

    def slots(self, letter: str, header: Header) -> Slots:
        """Which signers the policy asks for under a message of that party that stood next: one role list each."""
        p = _p(letter)
        e = Entry(p, len(self._entries[p]), 0, b"", None, seen=len(self._entries[1 - p]), doc=header)
        return self._known.ladder.need(e, self._known.policy_at(e.at).policy)

    def level_at(self, ph: bytes, at: tuple[int, int]) -> str | None:
        """The level of a case on the first (a, b) records; None if it is not open there."""
        rank = self._known.ladder.level(ph, at)
        return None if rank < 0 else ORDER[rank]

    def suspended(self) -> bool:
        """Whether a party has suspended and not resumed."""
        return any(self._known.ladder.suspended(self._ends))

    def state_items(self) -> list[bytes]:
        """The items of docs/state.md, sorted; none without a valid opening."""
        if self._tables is None or self.cut == (0, 0):
            return []
        return state.state_items(self._tables, self._ends)

    def state_hash(self) -> bytes:
        """H(state)."""
        items = self.state_items()
        return state.state_hash(items) if items else EMPTY

    def result(self) -> tuple[int, bytes, int, bytes, bytes]:
        """(size a, root a, size b, root b, H(state)) at the judged cut."""
        a, b = self.cut
        return a, self.roots("a", a), b, self.roots("b", b), self.state_hash()


def _p(letter: str) -> int:
    if letter not in LETTERS:
        raise WrongUse("LETTER", letter=letter)
    return LETTERS.index(letter)
