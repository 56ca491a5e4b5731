"""The signing journal: made once, held by one, never shorter, and never trusted when a part of it is missing."""

from __future__ import annotations

import gc
import hashlib
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from channel.log.journal import Head, Journal, Step
from channel.protocol.merkle import Frontier, leaf_hash, root_of
from keys.errors import Problem, Refused, WrongUse

OWN, SIDE, PEER = "dcx1/x/a/0", "dcx1/x/a/0/s", "dcx1/x/b/0"
TREE = Path(__file__).parents[2]
GROW = """
import sys
from pathlib import Path
from channel.log.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
print("open", flush=True)
while sys.stdin.readline():
    head = journal.head("dcx1/x/a/0")
    head = journal.extend(head, [head.size.to_bytes(32)] * 3, 1)
    print(head.size, head.root.hex(), flush=True)
"""


def leaves(*numbers: int) -> list[bytes]:
    return [leaf_hash(b"%d" % n) for n in numbers]


@pytest.fixture
def path(tmp_path) -> Path:
    with Journal.create(tmp_path / "journal.sqlite") as journal:
        journal.start(OWN, "sign")
        journal.start(SIDE, "sign")
        journal.start(PEER, "cosign")
    return tmp_path / "journal.sqlite"


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


@pytest.fixture
def grown(path):
    """A process that holds the journal and extends it by three for each line it is sent."""
    process = subprocess.Popen(
        [sys.executable, "-c", GROW, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TREE
    )

    def grow() -> tuple[int, str]:
        process.stdin.write("\n")
        process.stdin.flush()
        size, root = process.stdout.readline().split()
        return int(size), root

    assert process.stdout.readline() == "open\n"
    process.grow = grow
    with process:
        yield process
        process.kill()


def test_extend(path):
    """Committed leaf hashes give the root of the tree, also after a close and an open."""
    with Journal.open(path) as journal:
        head = journal.extend(journal.head(OWN), leaves(0, 1), 5)
        head = journal.extend(head, leaves(2), 4)
        assert (head.size, head.root, head.ts) == (3, root_of(leaves(0, 1, 2)), 5)
        assert journal.head(OWN) == head
    with Journal.open(path) as journal:
        assert journal.head(OWN) == head
        assert journal.leaves(OWN, 0, 9) == leaves(0, 1, 2)
        assert journal.leaves(OWN, 1, 2) == leaves(1)
        assert journal.heads()[PEER] == Head(PEER, Frontier.empty(), 0)


def test_made_once(path, tmp_path):
    """A journal is never made over another one or beside a lost one's -wal, and is closed to others."""
    with pytest.raises(Refused, match="EXISTS"):
        Journal.create(path)
    wal(tmp_path / "lost.sqlite").write_bytes(b"x")
    with pytest.raises(Refused, match="EXISTS"):
        Journal.create(tmp_path / "lost.sqlite")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_missing_is_lost(tmp_path):
    """A journal that is not there was lost; looking for it does not make one."""
    with pytest.raises(Refused, match="JOURNAL_LOST"):
        Journal.open(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_rows_start_once(path):
    """A row starts at size 0 once and never again; an unknown origin has no head."""
    with Journal.open(path) as journal:
        with pytest.raises(WrongUse, match="HEAD_EXISTS"):
            journal.start(PEER, "cosign")
        with pytest.raises(WrongUse, match="NO_HEAD"):
            journal.head("dcx1/x/b/1")


def test_compare_and_set(path):
    """A step from a head that is not the present one commits nothing and ends the use of this journal."""
    for wrong in (
        Head(OWN, Frontier.empty(), 0),
        Head(OWN, Frontier.empty().extend(leaves(7)), 0),
        Head(OWN, Frontier.empty().extend(leaves(0, 1)), 0),
    ):
        with Journal.open(path) as journal:
            if not journal.head(OWN).size:
                journal.extend(journal.head(OWN), leaves(0), 1)
            with pytest.raises(Problem, match="JOURNAL_CAS"):
                journal.extend(wrong, leaves(8), 2)
            with pytest.raises(Problem, match="JOURNAL_WRITE"):
                journal.head(OWN)
        with Journal.open(path) as journal:
            assert journal.leaves(OWN, 0, 9) == leaves(0)


def test_all_or_none(path):
    """Steps of several logs commit together; one that can't takes the others with it."""
    with Journal.open(path) as journal:
        done = journal.extend_all([Step(journal.head(OWN), leaves(0), 1), Step(journal.head(PEER), leaves(1, 2), 1)])
        assert [head.size for head in done] == [1, 2]
        stale = Head(PEER, Frontier.empty(), 0)
        with pytest.raises(Problem, match="JOURNAL_CAS"):
            journal.extend_all([Step(journal.head(OWN), leaves(3), 2), Step(stale, leaves(4), 2)])
    with Journal.open(path) as journal:
        assert (journal.head(OWN).size, journal.head(PEER).size) == (1, 2)


def test_one_process(path, grown):
    """While one process holds the journal another one is refused, and copying files around it changes nothing."""
    with pytest.raises(Refused, match="JOURNAL_BUSY"):
        Journal.open(path)
    path.read_bytes()
    with pytest.raises(Refused, match="JOURNAL_BUSY"):
        Journal.open(path)
    assert grown.grow()[0] == 3


def test_one_in_a_process(path):
    """One process can't open it twice either, and can again after a close."""
    journal = Journal.open(path)
    with pytest.raises(Refused, match="JOURNAL_BUSY"):
        Journal.open(path)
    journal.close()
    journal.close()
    Journal.open(path).close()


def test_dropped_unclosed(path):
    """A journal that its holder forgot to close is whole and free afterwards, in the same process and after its end."""
    Journal.open(path)
    gc.collect()
    code = "import sys; from pathlib import Path; from channel.log.journal import Journal; j = Journal.open(Path(sys.argv[1])); "
    for end in (
        "pass",
        "raise SystemExit(3)",
        "j.extend(j.head('dcx1/x/a/0'), [bytes(32)], 1)",
        "import os; os._exit(3)",
    ):
        subprocess.run([sys.executable, "-c", code + end, str(path)], cwd=TREE, check=False)
        with Journal.open(path) as journal:
            size = journal.head(OWN).size
    assert size == 1


def test_survives_kill(path, grown):
    """What was committed before a kill -9 is there afterwards, with the same root."""
    for _ in range(5):
        size, root = grown.grow()
    grown.kill()
    grown.wait()
    with Journal.open(path) as journal:
        head = journal.head(OWN)
        assert (head.size, head.root.hex()) == (size, root) == (15, root_of(journal.leaves(OWN, 0, 15)).hex())


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_lost_wal(path, grown, how):
    """A journal whose process was killed and whose -wal is gone is refused: it may be older than what was signed."""
    grown.grow()
    grown.kill()
    grown.wait()
    wal(path).unlink() if how == "gone" else wal(path).write_bytes(b"")
    for _ in range(2):
        with pytest.raises(Problem, match="JOURNAL_DAMAGED"):
            Journal.open(path)


def test_lost_wal_after_a_clean_time(path, grown):
    """Earlier clean ends do not hide a -wal that was lost later; after a clean end there is none to lose."""
    grown.kill()
    grown.wait()
    Journal.open(path).close()
    assert not wal(path).exists()
    copy = path.with_name("copy.sqlite")
    with Journal.open(path) as journal:
        journal.extend(journal.head(OWN), leaves(0), 1)
        shutil.copy(path, copy)  # as a backup that forgets the -wal would
    with pytest.raises(Problem, match="JOURNAL_DAMAGED"):
        Journal.open(copy)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE leaf SET hash = zeroblob(32) WHERE idx = 0",
        "DELETE FROM leaf WHERE idx = 1",
        "UPDATE leaf SET idx = 7 WHERE idx = 1",
        "UPDATE head SET size = 1 WHERE size = 2",
        "UPDATE head SET root = zeroblob(32) WHERE size = 2",
        "UPDATE head SET frontier = zeroblob(31) WHERE size = 2",
        "UPDATE meta SET v = x'32' WHERE k = 'schema'",
    ],
)
def test_changed_row(path, change):
    """A journal in which one value changed is refused."""
    with Journal.open(path) as journal:
        journal.extend(journal.head(OWN), leaves(0, 1), 1)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(change)
    db.close()
    with pytest.raises(Problem, match="JOURNAL_DAMAGED"):
        Journal.open(path)


def test_bytes_changed(path):
    """A journal of which a page was overwritten, or that is no database, is refused and not opened as a new one."""
    raw = bytearray(path.read_bytes())
    for spoiled in (raw[:4096] + hashlib.sha256(b"").digest() * 128 + raw[8192:], b"", b"not a database at all" * 300):
        path.write_bytes(spoiled)
        with pytest.raises(Problem, match="JOURNAL_DAMAGED"):
            Journal.open(path)


def test_retired(path):
    """A log whose keys were retired is never a head to sign again, also after a restart; other logs go on."""
    with Journal.open(path) as journal:
        journal.extend(journal.head(OWN), leaves(0), 1)
        journal.retire(OWN)
        with pytest.raises(Refused, match="KEY_RETIRED"):
            journal.head(OWN)
    with Journal.open(path) as journal:
        with pytest.raises(Refused, match="KEY_RETIRED"):
            journal.head(OWN)
        with pytest.raises(Refused, match="KEY_RETIRED"):
            journal.extend(journal.heads()[OWN], leaves(1), 2)
        assert journal.extend(journal.head(PEER), leaves(0), 1).size == 1


def test_no_room(path):
    """A write that fails commits nothing, says so, and nothing can be signed afterwards."""
    with Journal.open(path) as journal:
        before = journal.extend(journal.head(OWN), leaves(0), 1)
        pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
        journal._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(Problem, match="JOURNAL_WRITE"):
            journal.extend(before, [leaf_hash(b"%d" % i) for i in range(2000)], 2)
        with pytest.raises(Problem, match="JOURNAL_WRITE"):
            journal.head(OWN)
    with Journal.open(path) as journal:
        assert journal.head(OWN) == before
