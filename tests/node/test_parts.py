"""The node's parts alone: its settings, its clock, sessions, certificates, retry times."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from channel.clock import ManualClock
from channel.node.config import read_config
from channel.node.intake import Rate
from channel.node.line import backoff
from channel.node.sessions import NONCE_SECONDS, SESSION_SECONDS, Sessions, read_header
from channel.node.stamps import Stamps
from channel.node.state import MOVES, State
from channel.node.tls import check_pin, make_certificate, read_certificate
from channel.protocol.people import Login
from keys import suites
from keys.envelope import sign
from keys.errors import Malformed, Refused, Unverified, WrongUse
from keys.identity import PrivateKey

GOOD = """\
[node]
party = "US"
desk_listen = "127.0.0.1:7102"
peer_listen = "[::1]:7101"
journal = "journal.sqlite"
tls_cert = "tls-cert.pem"
tls_key = "tls-key.pem"
[store]
embedded = "store"
[[channel]]
founding = "founding.dcm"
keys = "keys.dcm"
peer_urls = ["https://127.0.0.1:7201"]
peer_cert = "peer-cert.pem"
"""
# (what is there, what stands in its place, the key that the error names)
WRONG = [
    ('party = "US"', 'party = "us"', "node.party"),
    ('party = "US"', "", "node.party"),
    ('party = "US"', 'party = "US"\nparti = 1', "node.parti"),
    ('"127.0.0.1:7102"', '"127.0.0.1"', "node.desk_listen"),
    ('"127.0.0.1:7102"', '"127.0.0.1:99999"', "node.desk_listen"),
    ('"127.0.0.1:7102"', "7102", "node.desk_listen"),
    ('embedded = "store"', "", "store.embedded"),
    ('embedded = "store"', 'embedded = "store"\nredis_url = "redis://x"', "store.embedded"),
    ('embedded = "store"', 'redis_url = "http://x"', "store.redis_url"),
    ('embedded = "store"', 'redis_url = "redis://u:p@x"', "store.redis_url"),
    ('embedded = "store"', 'redis_url = "redis://x"\nredis_user = "u"', "store.redis_user"),
    ('["https://127.0.0.1:7201"]', '["http://127.0.0.1:7201"]', "channel[0].peer_urls"),
    ('["https://127.0.0.1:7201"]', "[]", "channel[0].peer_urls"),
    ('peer_cert = "peer-cert.pem"', 'peer_cert = "p"\nlink_rate = -1', "channel[0].link_rate"),
    ('peer_cert = "peer-cert.pem"', 'peer_cert = "p"\nmore = 1', "channel[0].more"),
    ("[[channel]]", "[channel]", "channel"),
    ("[store]", "[shop]", "shop"),
    ("[store]", '[testing]\nkill_at = "f"\n[store]', "testing.kill_at"),
    ("[store]", '[testing]\nkill_at = "reader-c:1"\n[store]', "testing.kill_at"),
    ("[store]", "confirm_clock = 1\n[store]", "node.confirm_clock"),
    ("[node]", "[node", "-"),
]


def test_settings(tmp_path):
    """A good file gives every part; paths are relative to the file."""
    path = tmp_path / "node.toml"
    path.write_text(GOOD)
    config = read_config(path)
    assert (config.desk_listen.port, config.peer_listen.host) == (7102, "::1")
    assert config.journal == tmp_path / "journal.sqlite"
    assert config.channels[0].peer_urls == ("https://127.0.0.1:7201",)
    assert (config.testing_kill_at, config.without_peer) == ("", False)


@pytest.mark.parametrize(("was", "now", "key"), WRONG)
def test_each_wrong_setting_names_its_key(tmp_path, was, now, key):
    """A wrong, missing or unknown setting is one error that names the file and the key."""
    assert was in GOOD
    path = tmp_path / "node.toml"
    path.write_text(GOOD.replace(was, now, 1))
    with pytest.raises(WrongUse) as e:
        read_config(path)
    assert (e.value.code, e.value.values["key"]) == ("CONFIG", key)


def test_password_is_read_and_never_shown(tmp_path):
    """The store's password comes from its file into the address and into no text."""
    (tmp_path / "pw").write_text("s3cret/word\n")
    path = tmp_path / "node.toml"
    more = 'redis_url = "unix:///run/s"\nredis_user = "dcx"\nredis_password_file = "pw"'
    path.write_text(GOOD.replace('embedded = "store"', more))
    config = read_config(path)
    assert config.store.url == "unix://dcx:s3cret%2Fword@/run/s"
    assert "s3cret" not in repr(config)


def test_stamps_do_not_follow_the_wall_clock():
    """A wall clock that is set while the node runs moves no ``ts`` and is told once; time never falls."""
    clock = ManualClock(1_000_000)
    stamps = Stamps(clock, floor=1_000_500)
    assert stamps.next() == 1_000_500
    clock.advance(2_000)
    assert stamps.next() == 1_002_000
    clock.jump(-86_400_000)
    assert stamps.jumped() == -86_400_000
    assert stamps.jumped() == 0
    clock.advance(1)
    assert stamps.next() == 1_002_001
    clock.jump(86_400_000)
    assert stamps.jumped() == 86_400_000


def login(person, chan, cert, nonce, session):
    document = Login(chan=chan, from_=person.kid, cert=cert, nonce=nonce, session=session.public.raw, ts=1)
    return sign("login", document, [person]).encode()


def test_login_is_bound_to_channel_node_and_nonce():
    """A login counts once, for this channel and certificate, within the nonce's minute, and ends with the roster."""
    person, session = PrivateKey(2, suites.SIGN, os.urandom(64)), PrivateKey(2, suites.SESSION, os.urandom(32))
    roster = {person.kid: person.public}
    sessions = Sessions(b"c" * 32, 2, b"t" * 32, roster.get)

    def attempt(now=0.0, chan=b"c" * 32, cert=b"t" * 32):
        nonce = sessions.give_nonce(os.urandom(16), 0.0)
        return sessions.check_login(login(person, chan, cert, nonce, session), now)

    for wrong, code in (
        ({"chan": b"x" * 32}, "CHAN"),
        ({"cert": b"x" * 32}, "LOGIN"),
        ({"now": NONCE_SECONDS}, "LOGIN"),
    ):
        with pytest.raises(Refused) as e:
            attempt(**wrong)
        assert e.value.code == code
    raw = login(person, b"c" * 32, b"t" * 32, sessions.give_nonce(bytes(16), 0.0), session)
    sessions.open(sessions.check_login(raw, 1.0))
    with pytest.raises(Refused):
        sessions.check_login(raw, 1.0)
    assert sessions.holder(session.public.raw, 1.0)
    assert sessions.holder(session.public.raw, SESSION_SECONDS + 2) is None
    sessions.open(attempt())
    roster.clear()
    assert sessions.holder(session.public.raw, 1.0) is None


@pytest.mark.parametrize(
    "text", ["", "a b", "a b c", f"{'A' * 43} 01 {'A' * 86}", f"{'A' * 43} -1 {'A' * 86}", "x" * 600]
)
def test_session_header_is_read_narrowly(text):
    """A header that is not exactly session key, counter and signature can't be read."""
    with pytest.raises(Malformed):
        read_header(text)


def test_certificates(tmp_path):
    """A made certificate never ends, is read back byte for byte, and only itself passes its pin."""
    pem, _, der = make_certificate("US trial node", datetime(2026, 1, 1, tzinfo=UTC))
    (tmp_path / "c.pem").write_bytes(pem)
    assert read_certificate(tmp_path / "c.pem") == der
    assert check_pin(der, [der]) == der
    for other in (None, der + b"\0", make_certificate("US trial node", datetime(2026, 1, 1, tzinfo=UTC))[2]):
        with pytest.raises(Unverified):
            check_pin(other, [der])


def test_rate_counts_each_member_by_the_minute():
    """A member who asks too often waits; others do not, and a minute later nobody does."""
    rate = Rate()
    for _ in range(3):
        rate.check(b"a", 3, 0.0)
    with pytest.raises(Refused) as e:
        rate.check(b"a", 3, 1.0)
    assert e.value.values["seconds"] == 60
    rate.check(b"b", 3, 1.0)
    rate.check(b"a", 3, 61.0)


def test_retry_times_rise_and_stay_short():
    """The waits between tries rise and never pass five seconds: an outage ends with the line, not with a timer."""
    waits = [backoff(n) for n in range(12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.0, 5.0)


def test_states_lead_only_where_the_protocol_says():
    """Nothing leads out of HALTED, and a frozen channel never comes back by itself."""
    assert MOVES[State.HALTED] == frozenset()
    assert MOVES[State.FROZEN_PEER] == {State.HALTED}
    assert set(MOVES) == set(State)
