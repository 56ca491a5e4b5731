"""What every request to a node goes through: one clear problem for each thing that can be wrong, never a traceback.

A problem is answered as DCM {code, values, en: {what, do}, zh: {what, do}} with the type ``PROBLEM_TYPE``. The status
says whose turn it is: 400 unreadable, 401 not proved, 403 against a rule, 404 nothing there, 413 too big, 429 too many,
500 our fault, 503 not ready. Bodies are read whole within ``BODY_SECONDS``, the peer's for as long as it goes
on sending, and never beyond their limit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

from channel.i18n import problem_texts
from keys.codec import pack
from keys.errors import Malformed, Problem, Refused, Unavailable, Unverified, WrongUse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from channel.node.telemetry import Telemetry

    Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

PROBLEM_TYPE = "application/vnd.dcx.problem.v1+msgpack"
DCM_TYPE = "application/msgpack"
BODY_SECONDS = 30.0
_STATUS: tuple[tuple[type[Problem], int], ...] = (
    (Malformed, 400), (Unverified, 401), (Unavailable, 503), (Refused, 403), (WrongUse, 400),
)  # fmt: skip
_BY_CODE = {"TOO_BIG": 413, "RATE": 429, "NOT_FOUND": 404, "SLOW": 408, "METHOD": 405}


def problem_response(problem: Problem) -> web.Response:
    """The answer for a problem."""
    status = _BY_CODE.get(problem.code) or next((s for kind, s in _STATUS if isinstance(problem, kind)), 500)
    values = {k: v if isinstance(v, (int, str)) else v.hex() if isinstance(v, bytes) else str(v)
              for k, v in problem.values.items()}  # fmt: skip
    body = {"code": problem.code, "values": values}
    for lang, key in (("en", "en"), ("zh", "zh")):
        what, do = problem_texts(problem, lang)
        body[key] = {"what": what, "do": do}
    return answer_raw(pack(body), status=status, content_type=PROBLEM_TYPE)


def answer(value: object) -> web.Response:
    """A DCM answer that no cache keeps."""
    return answer_raw(pack(value))


def answer_raw(
    body: bytes, *, status: int = 200, content_type: str = DCM_TYPE, charset: str | None = None, immutable: bool = False
) -> web.Response:
    """Bytes as an answer; ``immutable`` for what can never be another (full tiles, blobs)."""
    keep = "max-age=31536000, immutable" if immutable else "no-store"
    headers = {"Cache-Control": keep}
    return web.Response(body=body, status=status, content_type=content_type, charset=charset, headers=headers)


async def read_body(request: web.Request, limit: int, *, floor: int = 0, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body, or ``Refused`` TOO_BIG beyond ``limit`` bytes, ``Refused`` SLOW, ``Malformed`` BODY.

    ``floor``: bytes a second that are enough beyond the first ``seconds``, for a slow line whose other end is known.
    """
    if request.content_length is not None and request.content_length > limit:
        raise Refused("TOO_BIG", limit=limit)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds) as patience:
            end = patience.when() or 0.0
            async for chunk in request.content.iter_chunked(65_536):
                body += chunk
                if floor:
                    patience.reschedule(end + len(body) / floor)
                if len(body) > limit:
                    raise Refused("TOO_BIG", limit=limit)
    except TimeoutError:
        raise Refused("SLOW", seconds=int(seconds)) from None
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as e:
        raise Malformed("BODY", why=type(e).__name__) from e
    return bytes(body)


def number(request: web.Request, name: str, default: int | None = None, limit: int = 2**53) -> int:
    """A whole number of the query, or ``Malformed`` QUERY."""
    text = request.query.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > limit:
        raise Malformed("QUERY", name=name)
    return int(text)


def hex_bytes(text: str | None, length: int, name: str) -> bytes:
    """Lower-case hex of exactly ``length`` bytes, or ``Malformed`` QUERY."""
    try:
        raw = bytes.fromhex(text or "")
    except ValueError:
        raise Malformed("QUERY", name=name) from None
    if len(raw) != length or raw.hex() != text:
        raise Malformed("QUERY", name=name)
    return raw


def problems_answered(telemetry: Telemetry) -> Middleware:
    """A middleware that turns every error into its answer."""

    @web.middleware
    async def middleware(request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            return await handler(request)
        except Problem as e:
            problem = e
        except web.HTTPNotFound:
            problem = Refused("NOT_FOUND")
        except web.HTTPMethodNotAllowed:
            problem = Refused("METHOD")
        except web.HTTPException:
            problem = Malformed("REQUEST")
        except ConnectionError:
            raise
        except Exception as e:  # noqa: BLE001  the last wall: told to the operator by its class, to the caller as a code
            telemetry.say_problem("request failed", e)
            problem = Problem("INTERNAL")
        telemetry.refused.labels(problem.code).inc()
        return problem_response(problem)

    return middleware


class Connection(web.RequestHandler):
    """One connection. What is no HTTP at all gets a problem as well, and nothing of it is written anywhere."""

    def __init__(self, *args: Any, telemetry: Telemetry, **more: Any) -> None:
        super().__init__(
            *args, keepalive_timeout=75, max_line_size=4096, max_field_size=4096, lingering_time=1.0, **more
        )  # fmt: skip
        self._telemetry = telemetry

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer when no handler could make one."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError
        problem = Problem("INTERNAL") if status >= 500 else Malformed("REQUEST")
        if status >= 500 and exc is not None:
            self._telemetry.say_problem("request failed", exc)
        self._telemetry.refused.labels(problem.code).inc()
        response = problem_response(problem)
        response.force_close()
        return response
