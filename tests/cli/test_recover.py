"""``channel node recover``: what it says of a stopped node is what is there, and what starting the node then does."""

from __future__ import annotations

import asyncio
import json
import re
import shutil

import pytest
from redis.asyncio import Redis

from channel.log.embedded import EmbeddedServer
from channel.log.journal import Journal
from channel.protocol.note import origin
from tests.cli.running import objects

CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def stopped(machine, tmp_path_factory):
    """US stopped after some messages, with older copies of its store and journal; CN goes on running."""
    older = tmp_path_factory.mktemp("older")
    machine.good("us", "send", "before the copies", "--wait", "anchored")
    machine.end("us")
    shutil.copytree(machine.node("us") / "store", older / "store", ignore=shutil.ignore_patterns("s"))
    shutil.copy(machine.node("us") / "journal.sqlite", older / "journal.sqlite")
    machine.start("us")
    machine.good("us", "send", "after them", "and again", "--wait", "anchored")
    with Journal.open(older / "journal.sqlite") as journal:
        of_cn = journal.head(origin(machine.trial.founding.chan, "a", 0)).size
    machine.until(lambda: len([r for r in machine.good("us", "log") if not is_of_us(r)]) > of_cn)  # CN acknowledges
    end_delivered(machine)
    shutil.copytree(machine.node("us"), older / "whole", ignore=shutil.ignore_patterns("s"))  # tests may start it again
    machine.older = older
    return machine


@pytest.fixture
def home(stopped, tmp_path):
    """A copy of the stopped node's home, to be spoilt."""
    home = tmp_path / "us" / "node"
    shutil.copytree(stopped.older / "whole", home)
    return home


def recover(machine, home, *words):
    """Exit code, the logs by role, and the last object; the text in both languages ends in the same way."""
    result = machine.command("us", "--json", "node", "recover", "--home", home, *words)
    *logs, last = objects(result.stdout)
    for lang in ("en", "zh"):
        told = machine.command("us", "node", "recover", "--home", home, lang=lang)
        assert (told.exit_code, told.stderr) == (last["exit"], "")
        assert "Traceback" not in told.stdout
        assert "?" not in told.stdout
        assert bool(CHINESE.search(told.stdout.splitlines()[-1])) == (lang == "zh")
    assert result.exit_code == last["exit"]
    return result.exit_code, {log["role"]: log for log in logs if "role" in log}, last


def end_delivered(machine):
    """End US with all that it signed at CN: what only a store held that is then lost would be lost for good."""
    while True:
        machine.until(lambda: at_cn(machine) >= signed(machine))
        machine.end("us")
        with Journal.open(machine.node("us") / "journal.sqlite") as journal:
            if journal.head(origin(machine.trial.founding.chan, "b", 0)).size <= at_cn(machine):
                return
        machine.start("us")  # it said one thing more before it ended


def signed(machine):
    """How many records US's desk knows of its own log; endless while its node waits for the other side's next note."""
    result = machine.command("us", "--json", "log")
    if "NODE_BEHIND" in result.stderr:
        return float("inf")
    assert result.exit_code == 0, result.stderr
    return len([r for r in objects(result.stdout) if is_of_us(r)])


def at_cn(machine):
    return len([r for r in machine.good("cn", "log") if is_of_us(r)])


def is_of_us(record):
    return record["record"].startswith("US:")


async def change(home, work):
    """Let ``work`` change the store of a home through its own server."""
    server = EmbeddedServer(home / "store")
    await server.start()
    client = Redis.from_url(server.url, protocol=2)
    try:
        return await work(client)
    finally:
        await client.aclose()
        await server.stop()


def test_of_a_running_node_nothing_is_said(machine):
    """While the node runs its journal is held: 4, in both languages."""
    for lang in ("en", "zh"):
        result = machine.command("cn", "node", "recover", "--home", machine.node("cn"), lang=lang)
        assert (result.exit_code, result.stdout) == (4, "")
        assert "(JOURNAL_BUSY)" in result.stderr


def test_a_whole_node(stopped, home):
    """Store and journal hold the same: 0, nothing to do; looking changes nothing that the journal holds."""
    before = (home / "journal.sqlite").read_bytes()
    code, logs, last = recover(stopped, home)
    assert (code, last["does"], last["may_set_aside"]) == (0, "good", False)
    assert list(logs) == ["own", "side", "peer"]
    for log in logs.values():
        assert log["journal"] == log["store"] == log["note"] > 0
        assert (log["differs"], log["lost_parts"], log["lost_places"], log["does"]) == (None, 0, 0, "good")
    assert len((home / "journal.sqlite").read_bytes()) == len(before)
    refused = stopped.command("us", "node", "recover", "--home", home, "--set-aside", "--yes")
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert "(NOTHING_ASIDE)" in refused.stderr


def test_an_older_journal_signs_nothing(stopped, home):
    """5: the other side has cosigned more than the journal knows. What the side log has more waits for its signature."""
    shutil.copy(stopped.older / "journal.sqlite", home / "journal.sqlite")
    code, logs, last = recover(stopped, home)
    assert (code, last["does"], last["may_set_aside"]) == (5, "refuse", False)
    assert logs["own"]["why"] == "JOURNAL_LOST"
    assert logs["own"]["note"] > logs["own"]["journal"]
    assert logs["side"]["does"] == "sign"
    assert logs["side"]["count"] == logs["side"]["store"] - logs["side"]["journal"] > 0


@pytest.mark.parametrize(("file", "code"), [("gone", "JOURNAL_LOST"), ("changed", "JOURNAL_DAMAGED")])
def test_a_journal_that_can_not_be_used(stopped, home, file, code):
    """5 with the journal's own code; the store is looked at all the same and never moved aside."""
    if file == "gone":
        (home / "journal.sqlite").unlink()
    else:
        (home / "journal.sqlite").write_bytes(b"no database at all, and never was one")
    exit_code, logs, last = recover(stopped, home)
    assert (exit_code, last["journal"], last["may_set_aside"]) == (5, code, False)
    assert {(log["journal"], log["why"]) for log in logs.values()} == {(None, code)}
    assert all(log["store"] > 0 for log in logs.values())


def test_keys_that_never_sign_again(stopped, home):
    """5: the journal says that the own log's keys are retired; the other logs are as they were."""
    with Journal.open(home / "journal.sqlite") as journal:
        journal.retire(origin(stopped.trial.founding.chan, "b", 0))
    code, logs, _ = recover(stopped, home)
    assert code == 5
    assert [logs[role]["why"] for role in ("own", "side", "peer")] == ["KEY_RETIRED", "", ""]


@pytest.mark.parametrize("index", [0, 5])
def test_a_record_that_is_not_the_signed_one(stopped, home, index):
    """5 with the first index that differs; the store may be moved aside, after which all comes from the other side."""
    prefix = "{" + stopped.trial.founding.chan[:8].hex() + "}"
    asyncio.run(change(home, lambda client: client.setrange(f"{prefix}:l0:b0", 32 * index + 3, b"!!")))
    code, logs, last = recover(stopped, home)
    assert (code, last["may_set_aside"]) == (5, True)
    assert (logs["own"]["differs"], logs["own"]["why"]) == (index, "STORE_DAMAGED")
    assert logs["peer"]["does"] == "good"
    size = logs["own"]["journal"]
    code, logs, _ = recover(stopped, home, "--set-aside", "--yes")
    assert (code, logs["own"]["does"], logs["own"]["count"]) == (6, "fetch", size)


def test_a_part_that_is_not_whole(stopped, home):
    """6: a sealed part of one message is fetched again by its hash."""

    async def spoil(client):
        async for key in client.scan_iter(match="*:blob:b0:*", count=1000):
            if len(await client.get(key)) > 6000:
                return await client.set(key, b"x")
        raise AssertionError

    asyncio.run(change(home, spoil))
    code, logs, last = recover(stopped, home)
    assert (code, last["does"]) == (6, "fetch")
    assert (logs["own"]["lost_parts"], logs["own"]["count"]) == (1, 1)


def test_a_torn_store_is_set_aside_only_when_somebody_says_so(stopped, home):
    """5 and the offer; without --yes and without a terminal nothing moves; with it the data lies aside, whole."""
    part = max(home.glob("store/appendonlydir/*.incr.aof"), key=lambda p: p.stat().st_mtime)
    part.write_bytes(part.read_bytes()[:-7])
    code, logs, last = recover(stopped, home)
    assert (code, last["store"], last["may_set_aside"]) == (5, "STORE_TORN", True)
    assert {log["store"] for log in logs.values()} == {None}
    for lang in ("en", "zh"):
        asked = stopped.command("us", "node", "recover", "--home", home, "--set-aside", lang=lang)
        assert asked.exit_code == 4
        assert "(NOT_CONFIRMED)" in asked.stderr
    assert not list((home / "store").glob("set-aside.*"))
    torn = part.read_bytes()
    code, logs, _ = recover(stopped, home, "--set-aside", "--yes")
    assert code == 6
    assert {log["store"] for log in logs.values()} == {0}
    assert (home / "store" / "set-aside.1" / part.name).read_bytes() == torn


@pytest.mark.parametrize(("answer", "code"), [("n", 4), ("y", 6)])
def test_setting_aside_is_asked_for_at_a_terminal(stopped, home, answer, code):
    """A person at a terminal is asked, with what it means; only "y" moves anything."""
    part = max(home.glob("store/appendonlydir/*.incr.aof"), key=lambda p: p.stat().st_mtime)
    part.write_bytes(part.read_bytes()[:-7])
    line = ["node", "recover", "--home", home, "--set-aside", "--lang", "zh"]
    exit_code, shown = stopped.at_terminal(*line, typed=answer, after="是否移开")
    assert exit_code == code
    assert bool(list((home / "store").glob("set-aside.*"))) == (answer == "y")
    assert ("(NOT_CONFIRMED)" in shown) == (answer == "n")


def test_an_older_store_is_filled_from_the_other_side(stopped, tmp_path):
    """6: how many records are fetched, and how many places of the side log stay empty; a start says the same."""
    home = tmp_path / "us" / "node"
    shutil.copytree(stopped.node("us"), home, ignore=shutil.ignore_patterns("s"))
    shutil.rmtree(home / "store")
    shutil.copytree(stopped.older / "store", home / "store")
    code, logs, last = recover(stopped, home)
    assert (code, last["does"]) == (6, "fetch")
    assert [logs[role]["does"] for role in ("own", "side", "peer")] == ["fetch", "places", "fetch"]
    for log in logs.values():
        assert log["count"] == log["journal"] - log["store"] > 0
    node = stopped.node("us")
    shutil.rmtree(node)
    shutil.copytree(home, node, ignore=shutil.ignore_patterns("s", "node.log"))
    stopped.start("us")
    stopped.until(lambda: '"ACTIVE"' in (node / "node.log").read_text())
    end_delivered(stopped)
    said = [json.loads(line) for line in (node / "node.log").read_text().splitlines()]
    fetched = {(e["log"], e["need"] - e["have"]) for e in said if e["event"] in ("fetching a lost tail", "lost places")}
    assert fetched == {(log["log"], log["count"]) for log in logs.values()}
    places = logs["side"]["count"]
    code, logs, _ = recover(stopped, node)
    assert (code, logs["side"]["lost_places"]) == (0, places)


def test_after_setting_aside_the_node_has_everything_back(stopped, home):
    """The stopped node itself: torn, set aside, started; every record is back and its desk reads every message."""
    before = stopped.good("cn", "inbox")
    store = stopped.node("us") / "store"
    part = max(store.glob("appendonlydir/*.incr.aof"), key=lambda p: p.stat().st_mtime)
    part.write_bytes(part.read_bytes()[:-7])
    code, _, _ = recover(stopped, stopped.node("us"), "--set-aside", "--yes")
    assert code == 6
    stopped.start("us")
    stopped.until(lambda: signed(stopped) < float("inf"))
    lines = [m["body"]["line"] for m in stopped.good("us", "inbox")]
    assert lines == [m["body"]["line"] for m in before] == ["before the copies", "after them", "and again"]
    end_delivered(stopped)
    assert recover(stopped, stopped.node("us"))[0] == 0
