"""Who may look at the page: whoever opened the one-time link of this run, from this page's own origin, and nobody else.

    entry = Entry("127.0.0.1:40123", "dcx-2-1a2b3c4d", random)
    entry.link()          # an address that opens the desk once, within ten minutes

Other users of the machine do not have the link; other web pages are kept out by the cookie (SameSite=Strict, HttpOnly),
by the origin of each request and by a token in each form; a name that leads to loopback (DNS rebinding) by the host.
Nothing outside this origin is ever loaded or asked (Content-Security-Policy).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from hmac import compare_digest

from aiohttp import web

from channel.clock import Clock
from keys.errors import Refused

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

LINK_SECONDS = 600.0
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SESSION = web.RequestKey("session", str)


class Entry:
    """The door of one desk. ``host``: address and port as a browser names them; ``cookie``: its name."""

    def __init__(self, host: str, cookie: str, clock: Clock, random: Callable[[int], bytes]) -> None:
        self.host, self.cookie, self._clock, self._random = host, cookie, clock, random
        self._links: dict[str, float] = {}
        self._sessions: set[str] = set()

    @property
    def origin(self) -> str:
        """As a browser writes it."""
        return f"http://{self.host}"

    def link(self) -> str:
        """A fresh one-time link."""
        token = self._random(24).hex()
        self._links[token] = self._clock.monotonic() + LINK_SECONDS
        return f"{self.origin}/enter/{token}"

    async def enter(self, request: web.Request) -> web.Response:
        """Use up a one-time link: the browser is let in, by a cookie. ``Refused`` DESK_LINK for one that is used or old."""
        end = self._links.pop(request.match_info["token"], 0.0)
        if end <= self._clock.monotonic():
            raise Refused("DESK_LINK")
        session = self._random(32).hex()
        self._sessions.add(session)
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(self.cookie, session, httponly=True, samesite="Strict", path="/")
        return response

    @staticmethod
    def token(request: web.Request) -> str:
        """What each form of this session carries."""
        return sha256(b"form\0" + request.get(SESSION, "").encode()).hexdigest()

    def check(self, request: web.Request) -> None:
        """``Refused`` DESK_HOST, DESK_ORIGIN, DESK_LINK for a request that did not come from the page itself."""
        if request.headers.getall("Host", []) != [self.host]:
            raise Refused("DESK_HOST", host=self.host)
        site = request.headers.get("Sec-Fetch-Site", "none")
        entering = request.match_info.route.name == "enter"
        if site not in ("none", "same-origin") and not entering:
            raise Refused("DESK_ORIGIN")
        origin = request.headers.get("Origin")
        if request.method not in ("GET", "HEAD") and origin is None and site != "same-origin":
            raise Refused("DESK_ORIGIN")
        if origin is not None and origin != self.origin:
            raise Refused("DESK_ORIGIN")
        if entering:
            return
        session = request.cookies.get(self.cookie, "")
        if session not in self._sessions:
            raise Refused("DESK_LINK")
        request[SESSION] = session

    def check_form(self, request: web.Request, token: str) -> None:
        """``Refused`` DESK_ORIGIN for a form that this session's page did not make."""
        if not compare_digest(token.encode(errors="replace"), self.token(request).encode()):
            raise Refused("DESK_ORIGIN")


def headed(response: web.StreamResponse) -> None:
    """The headers that every answer has."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
