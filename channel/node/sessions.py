"""Who is asking: a person's login and the session key's signed requests (docs/protocol.md section 15).

``GET login`` gives a nonce (16 bytes, once, 60 s). The person signs {v, chan, from, cert, nonce, session, ts}: cert is
the hash of this node's certificate as the desk sees it, so a login made for another end is worth nothing here. The
session key then signs every request over a counter that only rises. It lives 12 hours at most, ends with the roster,
and with this process: after a restart a desk logs in again. It never counts as the person.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from channel.protocol.people import Login
from keys.envelope import pae, read_envelope
from keys.errors import Malformed, Refused, Unverified
from keys.identity import PublicKey
from keys.suites import SESSION

if TYPE_CHECKING:
    from collections.abc import Callable

NONCE_SECONDS = 60.0
MAX_NONCES = 1024
SESSION_SECONDS = 12 * 3600.0
MAX_SESSIONS = 16  # of one member
REQUEST_TYPE = "application/vnd.dcx.request.v1"


@dataclass(slots=True)
class Session:
    """One desk's session: the member's key id, the session key, its end on the monotonic clock, the last counter."""

    kid: bytes
    public: PublicKey
    until: float
    counter: int = 0


@dataclass(slots=True)
class Sessions:
    """The sessions of one channel. ``key`` gives the signing key of an own member by its id, None if it does not hold."""

    chan: bytes
    mode: int
    cert: bytes
    key: Callable[[bytes], PublicKey | None]
    _nonces: dict[bytes, float] = field(default_factory=dict)
    _open: dict[bytes, Session] = field(default_factory=dict)

    def give_nonce(self, fresh: bytes, now: float) -> bytes:
        """Remember 16 fresh random bytes as a nonce from ``now`` (monotonic seconds) on; ``Refused`` RATE if many wait."""
        self._nonces = {nonce: end for nonce, end in self._nonces.items() if end > now}
        if len(self._nonces) >= MAX_NONCES:
            raise Refused("RATE", seconds=int(NONCE_SECONDS))
        self._nonces[fresh] = now + NONCE_SECONDS
        return fresh

    def check_login(self, raw: bytes, now: float) -> Session:
        """The session that a login envelope asks for; not open yet. ``Malformed``, ``Refused`` or ``Unverified`` LOGIN.

        The nonce is used up whatever comes of it.
        """
        envelope = read_envelope(raw)
        login = envelope.read("login", Login)
        end = self._nonces.pop(login.nonce, 0.0)
        if login.chan != self.chan:
            raise Refused("CHAN")
        if end <= now:
            raise Refused("LOGIN", why="nonce")
        if login.cert != self.cert:
            raise Refused("LOGIN", why="certificate")
        key = self.key(login.from_)
        if envelope.kids != (login.from_,) or key is None:
            raise Refused("LOGIN", why="member")
        if not envelope.verified(self.mode, {login.from_: key}):
            raise Unverified("LOGIN", why="signature")
        if login.session in self._open:
            raise Refused("LOGIN", why="session key")
        return Session(login.from_, PublicKey(self.mode, SESSION, login.session), now + SESSION_SECONDS)

    def open(self, session: Session) -> None:
        """Let the session in; the oldest of its member ends where there are too many."""
        mine = sorted((s for s in self._open.values() if s.kid == session.kid), key=lambda s: s.until)
        for old in mine[: max(0, len(mine) - MAX_SESSIONS + 1)]:
            del self._open[old.public.raw]
        self._open[session.public.raw] = session

    def holder(self, public: bytes, now: float) -> Session | None:
        """The open session of a session key, if it is still good."""
        session = self._open.get(public)
        if session is None:
            return None
        if session.until <= now or self.key(session.kid) is None:
            del self._open[public]
            return None
        return session

    def admit(self, header: Header, method: str, path: str, body: bytes, now: float) -> Session:
        """The session of a request, with its counter moved; ``Unverified`` SESSION when stale, unknown or not signed."""
        session = self.holder(header.session, now)
        if session is None:
            raise Unverified("SESSION", why="stale")
        said = signed_request(method, path, header.counter, body)
        if not session.public.verify(self.mode, said, header.signature):
            raise Unverified("SESSION", why="signature")
        if header.counter <= session.counter:
            raise Unverified("SESSION", why="counter")
        session.counter = header.counter
        return session


@dataclass(frozen=True, slots=True)
class Header:
    """What a ``DCX-Session`` header says."""

    session: bytes
    counter: int
    signature: bytes


def signed_request(method: str, path: str, counter: int, body: bytes) -> bytes:
    """The bytes that a session key signs for a request; ``path`` with its query, as sent."""
    digest = hashlib.sha256(body).digest()
    return pae(REQUEST_TYPE, b"%b\0%b\0%b%b" % (method.encode(), path.encode(), counter.to_bytes(8, "big"), digest))


def read_header(text: str | None) -> Header:
    """The header's three parts; ``Unverified`` SESSION when there is none, ``Malformed`` SESSION_HEADER."""
    if text is None:
        raise Unverified("SESSION", why="none")
    parts = text.split(" ")
    if len(text) > 512 or len(parts) != 3:
        raise Malformed("SESSION_HEADER")
    session, counter, signature = _unb64(parts[0]), parts[1], _unb64(parts[2])
    if len(session) != 32 or len(signature) != 64 or not counter.isascii() or not counter.isdigit():
        raise Malformed("SESSION_HEADER")
    if len(counter) > 19 or str(int(counter)) != counter:
        raise Malformed("SESSION_HEADER")
    return Header(session, int(counter), signature)


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("SESSION_HEADER") from None
