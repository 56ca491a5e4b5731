"""Bad input from desks and strangers: one clear problem with its code in both languages, and nothing in the log."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256

import aiohttp
import pytest

from channel.node.requests import PROBLEM_TYPE
from channel.node.tls import make_certificate, peer_client_context
from channel.protocol.record import Alarm, read_record
from keys import suites
from keys.codec import pack, unpack
from keys.envelope import join, read_envelope
from keys.errors import Problem, Refused, Unverified
from keys.identity import PrivateKey
from tests.node.parties import CLOCK, Parties

# Every path of the desk listener that needs a session, with its method.
DESK = [
    ("POST", "/dcx/v1/submit"),
    ("GET", "/dcx/v1/records?log=a&from=0"),
    ("GET", "/dcx/v1/notes"),
    ("GET", f"/dcx/v1/blob/{'00' * 32}"),
    ("GET", "/dcx/v1/proof/a/0"),
    ("GET", "/dcx/v1/feed?from=0.0"),
    ("POST", "/dcx/v1/anchor"),
]
# Malformed questions behind a good session: path, code.
QUERIES = [
    ("/dcx/v1/records?log=c&from=0", "QUERY"),
    ("/dcx/v1/records?log=a&from=-1", "QUERY"),
    ("/dcx/v1/records?log=a", "QUERY"),
    ("/dcx/v1/records?log=a&from=99999999999999999999", "QUERY"),
    ("/dcx/v1/blob/zz", "QUERY"),
    (f"/dcx/v1/blob/{'00' * 32}", "NOT_FOUND"),
    ("/dcx/v1/proof/a/x", "QUERY"),
    ("/dcx/v1/proof/a/99999", "NOT_FOUND"),
    ("/dcx/v1/feed?from=1", "QUERY"),
    ("/dcx/v1/nothing", "NOT_FOUND"),
]


def check_problem(status, raw, content_type=PROBLEM_TYPE):
    """The code of a well-formed problem that speaks both languages."""
    problem = unpack(raw, dict)
    assert content_type == PROBLEM_TYPE
    assert status >= 400
    assert set(problem) == {"code", "values", "en", "zh"}
    for lang in ("en", "zh"):
        assert set(problem[lang]) == {"what", "do"}
        assert all(problem[lang].values())
    return problem["code"]


@asynccontextmanager
async def stranger(pair, code="US"):
    """A bare client that pins the node's certificate."""
    async with aiohttp.ClientSession(base_url=pair.parties.url(code)) as http:
        context = ssl.create_default_context(cadata=pair.parties.cert(code))
        context.check_hostname = False
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT if hasattr(ssl, "VERIFY_X509_STRICT") else -1

        async def ask(method, path, body=b"", **headers):
            async with http.request(method, path, data=body, ssl=context, headers=headers) as answer:
                return check_problem(answer.status, await answer.read(), answer.content_type)

        yield ask


@asynccontextmanager
async def quiet(pair):
    """Inside, nothing may come to stand in the own shared log."""
    await asyncio.sleep(1.3)
    size = pair.b.sizes["b"]
    yield
    assert pair.b.sizes["b"] == size


async def refusal(doing):
    """The code with which something was refused, told in both languages."""
    with pytest.raises(Problem) as e:
        await doing
    return e.value.code


async def test_each_endpoint_needs_a_session(pair):
    """Without, with a malformed, with an unknown and with an oversized session header each endpoint says so."""
    junk = f"{'A' * 43} 1 {'A' * 86}"
    async with quiet(pair), stranger(pair) as ask:
        for method, path in DESK:
            assert await ask(method, path) == "SESSION"
            assert await ask(method, path, b"", **{"DCX-Session": "x y z"}) == "SESSION_HEADER"
            assert await ask(method, path, b"", **{"DCX-Session": junk}) == "SESSION"
        assert await ask("PUT", "/dcx/v1/submit") == "METHOD"
        assert await ask("GET", "/dcx/v1/login") == "QUERY"
        assert await ask("GET", f"/dcx/v1/login?chan={'00' * 32}") == "CHAN"
        for body in (b"", b"\xc1", os.urandom(300), b"x" * 20_000):
            code = await ask("POST", f"/dcx/v1/login?chan={pair.parties.chan.hex()}", body)
            assert code == ("TOO_BIG" if len(body) > 16_384 else "PARSE")


@pytest.mark.parametrize(("path", "code"), QUERIES)
async def test_malformed_questions(pair, path, code):
    """A malformed question behind a good session gets its code."""
    async with pair.parties.desk("US") as us:
        assert await refusal(us.wire._signed("GET", path)) == code


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_malformed_oversized_and_truncated_submissions(pair):
    """Submissions that can't be read, are too big or end early are refused one by one; none leaves a trace."""
    async with pair.parties.desk("US") as us:
        env, blob, _ = us.message()
        good = pack({"v": 1, "t": "msg", "env": env, "blobs": [blob]})
        async with quiet(pair):
            for body in (b"", b"\x00", good[:-1], good + b"\0", pack({"v": 2}), pack([])):
                assert await refusal(us.wire._signed("POST", "/dcx/v1/submit", body)) == "PARSE"
            assert await refusal(us.wire._signed("POST", "/dcx/v1/submit", bytes(4_000_000))) == "TOO_BIG"
            assert await refusal(us.wire.submit("msg", env[:-1], [blob])) == "PARSE"
            assert await refusal(us.wire.submit("msg", env, [blob[:-1]])) == "BLOB_HASH"
            assert await refusal(us.wire.submit("msg", env, [])) == "BLOB_MISSING"
            assert await refusal(us.wire.submit("node.boot", env, [])) == "TYPE_CLOSED"
        assert (await us.wire.submit("msg", env, [blob]))["dup"] is False


async def test_wrong_key_recipient_body_and_channel(pair):
    """A stranger's key, an unknown recipient, a too large body, another channel's id: one code each."""
    async with pair.parties.desk("US") as us:
        key = PrivateKey(2, suites.SIGN, os.urandom(64))
        seal = PrivateKey(2, suites.SEAL, os.urandom(32))
        known = us.message()
        records = [m["records"].seal.kid for m in pair.parties.keys.values()]
        async with quiet(pair):
            for message, code in [
                (us.message(key=key), "SIGNER"),
                (us.message(to=tuple(sorted([*records, seal.kid])), extra={seal.kid: seal.public}), "KEM"),
                (us.message(to=tuple(sorted(records))[:1]), "KEM"),
                (us.message(size=200_000), "BODY_SIZE"),
                (us.message(chan=os.urandom(32)), "CHAN"),
            ]:
                env, blob, _ = message
                assert await refusal(us.wire.submit("msg", env, [blob])) == code
        env, blob, _ = known
        await us.wire.submit("msg", env, [blob])


async def test_stale_and_replayed_sessions(pair):
    """A counter that does not rise, a changed body and a session of an earlier run are refused as such."""
    async with pair.parties.desk("US") as us:
        headers = us.wire._headers("GET", "/dcx/v1/notes", b"")
        await us.wire._send("GET", "/dcx/v1/notes", b"", headers)
        with pytest.raises(Unverified) as e:
            await us.wire._send("GET", "/dcx/v1/notes", b"", headers)
        assert (e.value.code, e.value.values["why"]) == ("SESSION", "counter")
        headers = us.wire._headers("POST", "/dcx/v1/submit", b"one")
        with pytest.raises(Unverified) as e:
            await us.wire._send("POST", "/dcx/v1/submit", b"two", headers)
        assert e.value.values["why"] == "signature"


async def test_login_of_a_stranger_and_of_the_other_side(pair):
    """Nobody but an own member logs in, and a nonce serves once."""
    async with pair.parties.desk("US", login=False) as us:
        for key in (PrivateKey(2, suites.SIGN, os.urandom(64)), pair.parties.keys["CN"]["expert-1"].sign):
            with pytest.raises(Refused) as e:
                await us.wire.login(key, os.urandom(32), CLOCK.now())
            assert (e.value.code, e.value.values["why"]) == ("LOGIN", "member")


async def test_crossing_of_modes_is_added_up(pair, tmp_path):
    """Records made for the other mode are refused and show in the log as one alarm with their number, never more."""
    actual = Parties(tmp_path / "actual", mode=1)
    key = actual.keys["US"]["expert-1"].sign
    async with pair.parties.desk("US") as us:
        env, _, _ = us.message()
        theirs = read_envelope(env)
        crossed = join(theirs.payload_type, theirs.payload, {key.kid: key.sign(theirs.message())}).encode()
        for _ in range(5):
            assert await refusal(us.wire.submit("msg", crossed, [key.public.encode()])) == "MODE"

        def alarms():
            found = [pair.b.fold.verdict("b", i).record for i in range(pair.b.fold.cut[1])]
            return [unpack(r.env, Alarm) for r in found if r.t == "node.alarm"]

        await pair.until(alarms)
        await asyncio.sleep(1.0)
        assert [a.code for a in alarms()] == ["MODE"]
        assert 1 <= alarms()[0].count <= 5


async def test_peer_listener_refuses_strangers(pair, tmp_path):
    """Another certificate than the pinned one does not get through the handshake of the peer listener."""
    pem, key, _ = make_certificate("stranger", datetime(2020, 1, 1, tzinfo=UTC))
    (tmp_path / "c.pem").write_bytes(pem)
    (tmp_path / "k.pem").write_bytes(key)
    node = ssl.PEM_cert_to_DER_cert(pair.parties.cert("US"))
    context = peer_client_context(tmp_path / "c.pem", tmp_path / "k.pem", node)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientError):
            async with http.get(f"{pair.parties.peer_url('US')}/dcx/v1/status/{'00' * 32}", ssl=context) as answer:
                await answer.read()


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_peer_endpoints_answer_bad_requests(pair):
    """The peer's malformed, oversized and misdirected requests get one problem each and change nothing."""
    home = pair.parties.nodes["CN"]
    node = ssl.PEM_cert_to_DER_cert(pair.parties.cert("US"))
    context = peer_client_context(home / "tls-cert.pem", home / "tls-key.pem", node)
    own = sha256(pair.b.origins.own.encode()).hexdigest()
    peer = sha256(pair.b.origins.peer.encode()).hexdigest()
    side = sha256(pair.b.origins.side.encode()).hexdigest()
    async with quiet(pair), aiohttp.ClientSession(base_url=pair.parties.peer_url("US")) as http:

        async def ask(method, path, body=None):
            async with http.request(method, path, data=body, ssl=context) as answer:
                return answer.status, await answer.read(), answer.content_type

        for body, code in [
            (b"", "PARSE"), (os.urandom(100), "PARSE"), (pack({"v": 1}), "PARSE"), (bytes(17 * 2**20), "TOO_BIG"),
            (pack({"v": 1, "old": 0, "note": b"", "recs": [], "blobs": []}), "NOTE"),
        ]:  # fmt: skip
            assert check_problem(*(await ask("POST", "/dcx/v1/append", body))) == code
        for path, code in [
            (f"/dcx/v1/status/{own}", "NOT_FOUND"),
            (f"/dcx/v1/status/{'00' * 32}", "NOT_FOUND"),
            ("/dcx/v1/status/zz", "QUERY"),
            (f"/dcx/v1/log/{own}/records?from=x&to=2", "QUERY"),
            (f"/dcx/v1/log/{own}/tile/0/zzz", "QUERY"),
            (f"/dcx/v1/log/{own}/tile/0/999", "NOT_FOUND"),
            (f"/dcx/v1/log/{own}/tile/entries/999", "NOT_FOUND"),
            (f"/dcx/v1/log/{side}/records?from=0&to=2", "NOT_FOUND"),
            (f"/dcx/v1/blob/{side}/{'00' * 32}", "NOT_FOUND"),
            (f"/dcx/v1/blob/{own}/{'00' * 32}", "NOT_FOUND"),
        ]:
            assert check_problem(*(await ask("GET", path))) == code, path
        status, raw, _ = await ask("GET", f"/dcx/v1/status/{peer}")
        assert status == 200
        assert set(unpack(raw, dict)) == {"yours", "mine", "ts"}
        status, raw, _ = await ask("GET", f"/dcx/v1/log/{own}/records?from=0&to=4")
        assert [read_record(r).t for r in unpack(raw, list)] == ["charter", "root", "roster", "policy"]
        assert (await ask("GET", f"/dcx/v1/log/{own}/tile/0/000.p/4"))[0] == 200
        assert (await ask("GET", f"/dcx/v1/log/{own}/tile/entries/000.p/4"))[0] == 200
        assert (await ask("GET", f"/dcx/v1/log/{own}/checkpoint"))[1].startswith(pair.b.origins.own.encode())


GARBAGE = [
    b"\x00\x01 no http\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
    b"POST /dcx/v1/submit HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
]


async def test_what_is_no_http_gets_a_problem_too(pair):
    """Bytes that are no request are answered with a problem in both languages, which repeats nothing of them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=pair.parties.cert("US"))
    port = int(pair.parties.url("US").rpartition(":")[2])
    for raw in GARBAGE:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(raw)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert b" 400 " in head.split(b"\r\n")[0]
        assert check_problem(400, body) in {"REQUEST", "SESSION"}
        assert b"aaaa" not in body
    async with pair.parties.desk("US") as us:
        await us.send()
