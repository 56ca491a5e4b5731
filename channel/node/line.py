"""The way to the peer: its addresses, tried in order, each with the one pinned certificate (docs/protocol.md 4.3).

An answer says by which address it came. A line test asks for one address; everything else goes by the one that answered
last, and by the others in their order when it does not answer.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp

from channel.node.tls import fingerprint
from channel.protocol import append
from keys.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from channel.clock import Clock

BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0)
SEND_SECONDS = 30.0  # for a request with its answer, beside the time that a slow line needs to carry them
ANSWER_BYTES = 8192  # an answer with both lines of an anchor, and what HTTP and TLS add
AT_ONCE_BYTES = 1 << 20  # a body below it goes out in one piece with its headers


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return 0.0 if failures == 0 else BACKOFF[min(failures, len(BACKOFF)) - 1]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the peer answered, and which of its addresses it was (0 the first)."""

    status: int
    body: bytes
    address: int = 0


class Line:
    """The way to the peer: its addresses in order, its pinned certificate, and the bytes a second it may carry.

    The address that answered last is asked first, then the others in their order. ``rate``: a request is given the time
    that its bytes take, twice over, and the next one begins when the line is free again; 0: not limited.
    """

    def __init__(
        self, urls: Sequence[str], context: ssl.SSLContext, cert: bytes, rate: int, clock: Clock,
        seconds: float = SEND_SECONDS,
    ) -> None:  # fmt: skip
        self._urls, self._context, self._rate, self._clock = tuple(urls), context, rate, clock
        self._seconds = seconds
        self._free = clock.monotonic()
        self._pin = aiohttp.Fingerprint(fingerprint(cert))
        self._http: aiohttp.ClientSession | None = None
        self._preferred: int | None = None
        self.address = 0
        """The one that answered last; an earlier one takes its place again when it is preferred and answers."""

    @property
    def addresses(self) -> int:
        """How many there are."""
        return len(self._urls)

    def prefer(self, address: int | None) -> None:
        """Ask this one before all others from the next request on; None: as usual."""
        self._preferred = address

    def _order(self) -> list[int]:
        first = [self.address] if self._preferred is None else [self._preferred, self.address]
        return list(dict.fromkeys([*first, *range(len(self._urls))]))

    async def ask(self, method: str, path: str, body: bytes = b"") -> Reply:
        """The first answer of an address; ``Unavailable`` PEER if none answers."""
        if self._http is None:
            # The chain is verified against the pinned certificate alone and the whole certificate compared after it.
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._pin, limit=8),
                timeout=aiohttp.ClientTimeout(connect=5),
                trust_env=False,
            )
        if (wait := self._free - self._clock.monotonic()) > 0:
            await self._clock.sleep(wait)
        why, started = "", self._clock.monotonic()
        limit = aiohttp.ClientTimeout(total=self.patience(len(body)), connect=5)
        preferred = self._preferred
        for address in self._order():
            try:
                data = body if len(body) < AT_ONCE_BYTES else BytesIO(body)
                async with self._http.request(
                    method, self._urls[address] + path, data=data or None, ssl=self._context, timeout=limit
                ) as answer:
                    raw = await answer.content.read(append.MAX_REQUEST + 1)
                    while len(raw) <= append.MAX_REQUEST and (more := await answer.content.read(1 << 20)):
                        raw += more
                    if self._rate:
                        self._free = started + (len(body) + len(raw)) / self._rate
                    if address != preferred or address < self.address:
                        self.address = address
                    return Reply(answer.status, raw, address)
            except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as e:
                why = type(e).__name__
        raise Unavailable("PEER", why=why)

    def patience(self, size: int) -> float:
        """Seconds for a request of ``size`` bytes with its answer."""
        return self._seconds + (2 * (size + ANSWER_BYTES) / self._rate if self._rate else 0.0)

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()
