"""The way to the own node: one pinned TLS certificate, one session key, signed requests (docs/protocol.md section 15).

The node is trusted for nothing that a signature does not show; TLS is for metadata. An error that the node answers
comes back as the same ``Problem`` that it raised there.
"""

from __future__ import annotations

import json
import ssl
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Self, TypedDict, TypeVar

import aiohttp

from channel.protocol.people import Login
from keys.codec import pack, unpack
from keys.envelope import Envelope, pae, sign
from keys.errors import Malformed, Problem, Refused, SecurityAlarm, Unavailable, Unverified, WrongUse
from keys.identity import PrivateKey
from keys.suites import SESSION

SECONDS = 30.0
MAX_ANSWER = 32 * 1024 * 1024  # bytes; more than any answer of a node
REQUEST_TYPE = "application/vnd.dcx.request.v1"
_KINDS: dict[int, type[Problem]] = {400: Malformed, 401: Unverified, 403: Refused, 413: Refused, 503: Unavailable}
T = TypeVar("T")


class Nonce(TypedDict):
    """The answer to the first half of a login."""

    nonce: bytes


class Placed(TypedDict):
    """Where a node says that a record stands. It is only its word: what counts is the log under a note."""

    log: str
    index: int
    dup: bool


class LogNotes(TypedDict):
    """What a node has of a log's notes: the newest, the newest cosigned one, the cosigned anchors that are kept."""

    newest: bytes
    cosigned: bytes
    anchors: list[bytes]


class Notes(TypedDict):
    """The notes of both logs."""

    a: LogNotes
    b: LogNotes


class LinkState(TypedDict):
    """The line as the own node sees it: ``heard`` in ms, ``address`` the number of the one that answered last.

    ``now``: the node's own time, ms.
    """

    now: int
    state: str
    heard: int
    size: int
    delivered: int
    addresses: int
    address: int


class Carried(TypedDict):
    """What a file carried by hand was: records [first, size) of a log; the answer file, empty for answers."""

    kind: str
    log: str
    first: int
    size: int
    answers: bytes


class Wire:
    """Requests of one person's session to the own node. Use as an async context. ``seconds``: the longest wait."""

    def __init__(self, url: str, cert_pem: str, chan: bytes, seconds: float = SECONDS) -> None:
        self.url, self._chan = url, chan
        self._timeout = aiohttp.ClientTimeout(total=seconds, connect=min(5.0, seconds))
        self._cert = ssl.PEM_cert_to_DER_cert(cert_pem)
        self._tls = pinned_context(cert_pem)
        self._http: aiohttp.ClientSession | None = None
        self._session: PrivateKey | None = None
        self._counter = 0

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            timeout=self._timeout, connector=aiohttp.TCPConnector(ssl=self._tls), trust_env=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def login(self, person: PrivateKey, session_seed: bytes, now: int) -> None:
        """Open a session: the person signs, once, that this session key may ask for it."""
        path = f"/dcx/v1/login?chan={self._chan.hex()}"
        nonce = _read(await self._send("GET", path, b""), Nonce)["nonce"]
        session = PrivateKey(person.mode, SESSION, session_seed)
        document = Login(
            chan=self._chan,
            from_=person.kid,
            cert=sha256(self._cert).digest(),
            nonce=nonce,
            session=session.public.raw,
            ts=now,
        )
        await self._send("POST", path, sign("login", document, [person]).encode())
        self._session, self._counter = session, 0

    @property
    def has_session(self) -> bool:
        """Whether a person has logged in and the node has not said that it is over."""
        return self._session is not None

    def forget_session(self) -> None:
        """The node said that the session is over."""
        self._session = None

    def by_session(self, t: str, document: Any) -> Envelope:
        """A side-log document signed by the session key, which never counts as the person."""
        if self._session is None:
            raise WrongUse("NO_SESSION")
        return sign(t, document, [self._session])

    async def submit(self, t: str, env: bytes, blobs: Sequence[bytes] = ()) -> Placed:
        """Hand a signed record to the node."""
        body = pack({"v": 1, "t": t, "env": env, "blobs": list(blobs)})
        return _read(await self._signed("POST", "/dcx/v1/submit", body), Placed)

    async def records(self, log: str, lo: int, hi: int) -> list[bytes]:
        """Some of the records [lo, hi) of log a, b or side, from ``lo`` on."""
        return _read(await self._signed("GET", f"/dcx/v1/records?log={log}&from={lo}&to={hi}"), list[bytes])

    async def notes(self) -> Notes:
        """What the node has of both logs' notes."""
        return _read(await self._signed("GET", "/dcx/v1/notes"), Notes)

    async def blob(self, hash_: bytes) -> bytes:
        """The blob of a hash, checked."""
        blob = await self._signed("GET", f"/dcx/v1/blob/{hash_.hex()}")
        if sha256(blob).digest() != hash_:
            raise Unverified("BLOB_HASH", hash=hash_)
        return blob

    async def anchor(self) -> None:
        """Ask for anchors over what both logs hold now."""
        await self._signed("POST", "/dcx/v1/anchor")

    async def link(self) -> LinkState:
        """How the line is, as the own node sees it."""
        return _read(await self._signed("GET", "/dcx/v1/link"), LinkState)

    async def carry_out(self, most: int) -> bytes:
        """A file for the other side of what it has not cosigned, of at most ``most`` bytes."""
        return await self._signed("GET", f"/dcx/v1/carry?most={most}")

    async def carry_in(self, raw: bytes, *, again: bool = False) -> Carried:
        """Hand in a file that was carried; ``again``: for the answer to one that was taken before."""
        return _read(await self._signed("POST", "/dcx/v1/carry" + ("?again=1" if again else ""), raw), Carried)

    async def health(self) -> dict[str, Any]:
        """The node's state, without a session."""
        return unpack(await self._send("GET", "/dcx/v1/health", b""), dict)

    async def feed(self, sizes: tuple[int, int], *, records: bool = False) -> AsyncIterator[tuple[str, Any]]:
        """Events (name, data) from a cursor on, until the connection ends; ``records``: with the records, where few."""
        path = f"/dcx/v1/feed?from={sizes[0]}.{sizes[1]}" + ("&with=records" if records else "")
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        try:
            async with self._client().get(
                self.url + path, headers=self._headers("GET", path, b""), timeout=timeout
            ) as answer:
                if answer.status != 200:
                    raise _problem(answer.status, await answer.read())
                name = ""
                async for line in answer.content:
                    text = line.decode().rstrip("\n")
                    if text.startswith("event: "):
                        name = text[7:]
                    elif text.startswith("data: "):
                        yield name, json.loads(text[6:])
        except ValueError as e:
            raise Unavailable("NODE_ANSWER", status=200) from e
        except (aiohttp.ClientError, TimeoutError) as e:
            raise Unavailable("NODE_UNREACHABLE", url=self.url, why=e.__class__.__name__) from e

    async def _signed(self, method: str, path: str, body: bytes = b"") -> bytes:
        return await self._send(method, path, body, self._headers(method, path, body))

    def _headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        if self._session is None:
            raise WrongUse("NO_SESSION")
        self._counter += 1
        said = b"\0".join((method.encode(), path.encode(), self._counter.to_bytes(8, "big") + sha256(body).digest()))
        sig = self._session.sign(pae(REQUEST_TYPE, said))
        return {"DCX-Session": f"{_b64(self._session.public.raw)} {self._counter} {_b64(sig)}"}

    async def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        try:
            async with self._client().request(method, self.url + path, data=body, headers=headers) as answer:
                raw = bytearray()
                async for some in answer.content.iter_any():
                    raw += some
                    if len(raw) > MAX_ANSWER:
                        raise Unavailable("NODE_ANSWER", status=answer.status)
                if answer.status != 200:
                    raise _problem(answer.status, bytes(raw))
                return bytes(raw)
        except aiohttp.ClientConnectorCertificateError as e:
            raise SecurityAlarm("NODE_CERT", url=self.url) from e
        except (TimeoutError, aiohttp.ClientError) as e:
            raise Unavailable("NODE_UNREACHABLE", url=self.url, why=e.__class__.__name__) from e

    def _client(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise WrongUse("NO_SESSION")
        return self._http


def pinned_context(cert_pem: str) -> ssl.SSLContext:
    """TLS 1.3 to exactly one self-signed certificate: it is the only anchor, so no name needs to match."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(cadata=cert_pem)
    return context


def _read(raw: bytes, shape: type[T]) -> T:
    """An answer of a shape, or ``Unavailable`` NODE_ANSWER."""
    try:
        return unpack(raw, shape)
    except Malformed as e:
        raise Unavailable("NODE_ANSWER", status=200) from e


def _problem(status: int, raw: bytes) -> Problem:
    kind = _KINDS.get(status, Refused if status < 500 else Unavailable)
    try:
        answer = unpack(raw, dict)
        return kind(str(answer["code"]), **{str(k): v for k, v in answer["values"].items()})
    except (Malformed, KeyError, AttributeError, TypeError):
        return Unavailable("NODE_ANSWER", status=status)


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
