"""The HTTP server: every route in one list, and the limits and error pages around them."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from secrets import token_hex

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from listeners.http import limits
from listeners.http.bodies import BODY_SECONDS, FORM_LIMIT, BodyReader
from listeners.http.logs import REQUEST_ID
from listeners.pages import Notice, Pages
from listeners.slack.install import Installing
from listeners.slack.links import CHANNEL_PATH, MORE_CHANNELS_PATH
from listeners.slack.oauth import INSTALL_PATH, REDIRECT_PATH
from listeners.slack.requests import SlackRequests
from services.operations.readiness import Readiness
from store.database import DatabaseUnavailableError

BODY_LIMIT = 1024 * 1024
LONGEST_HEADER, MOST_HEADERS = 8_190, 128
"""Limits of a request's head: bytes per line, including the request line, and number of headers."""

READ_BUFFER = 16 * 1024
"""Bytes of a body that are kept for each connection before anything reads them."""

IDLE_SECONDS = 75.0
"""
How long a connection may be idle, or a client may accept nothing of an answer.

Longer than common proxies keep idle connections to us.
"""

REQUEST_ID_HEADER = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = logging.getLogger(__name__)


def create_web(
    slack: SlackRequests | None,
    installing: Installing,
    routes: Sequence[web.AbstractRouteDef],
    body_seconds: float = BODY_SECONDS,
) -> web.Application:
    """`slack` is None if there are no Slack credentials yet. `routes` are those of the other listeners."""
    pages, reader = installing.pages, BodyReader(body_seconds)
    app = web.Application(
        client_max_size=BODY_LIMIT,
        middlewares=[_with_request_id, _error_pages(pages), limits.rate_limits(installing.now)],
    )
    app.add_routes(
        [
            web.get("/", installing.landing),
            web.get("/assets/{name}", pages.asset),
            web.get(INSTALL_PATH, installing.begin, allow_head=False),
            web.get(REDIRECT_PATH, installing.finish, allow_head=False),
            web.get(CHANNEL_PATH, installing.show_channels, allow_head=False),
            web.get(MORE_CHANNELS_PATH, installing.more_channels, allow_head=False),
            web.post(CHANNEL_PATH, reader.wrap(installing.choose_channel, FORM_LIMIT)),
            *routes,
        ]
    )
    if slack is not None:
        app.add_routes([web.post("/slack/events", reader.wrap(slack.handle, BODY_LIMIT, slack.looks_signed))])
    app.on_response_prepare.append(_security_headers(is_https=installing.public_url.startswith("https://")))
    return app


def create_monitoring(routes: Sequence[web.AbstractRouteDef]) -> web.Application:
    """The app of a process that only runs the worker: health and metrics."""
    app = web.Application()
    app.add_routes(routes)
    return app


def create_runner(
    app: web.Application, readiness: Readiness | None = None, idle_seconds: float = IDLE_SECONDS
) -> web.AppRunner:
    """
    Limits slow and idle clients. Requests are not logged, since IP addresses are personal data.

    Once the process `is_stopping`, connections are closed after their next answer, so that none is cut off.
    """

    async def limit_connection(request: web.Request, response: web.StreamResponse) -> None:
        _limit_slow_reader(request, idle_seconds)
        if readiness and readiness.is_stopping:
            response.headers["Connection"] = "close"
            response.force_close()

    app.on_response_prepare.append(limit_connection)
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=idle_seconds,
        lingering_time=2.0,
        read_bufsize=READ_BUFFER,
        auto_decompress=False,  # no client needs it, and a small body could expand to a large one
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
        max_headers=MOST_HEADERS,
    )


def _limit_slow_reader(request: web.Request, seconds: float) -> None:
    """Have the system drop a connection whose client accepts nothing of an answer: aiohttp would wait forever."""
    connection = request.transport.get_extra_info("socket") if request.transport else None
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):  # not on macOS
        with suppress(OSError):  # the client is gone
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(seconds * 1_000))


@web.middleware
async def _with_request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give each request the id that a proxy or a sender gave it, or a new one, and return it with the answer."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    request_id = given if _REQUEST_ID.fullmatch(given) else token_hex(16)
    token = REQUEST_ID.set(request_id)
    try:
        response = await handler(request)
    finally:
        REQUEST_ID.reset(token)
    response.headers[REQUEST_ID_HEADER] = request_id
    return response


def _error_pages(pages: Pages) -> Middleware:
    """Turn every error into a response that says what to do and reveals no internals."""

    @web.middleware
    async def handle_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400 or error.content_type != "text/plain":
                raise  # a redirect, or an error that already has a readable body
            kept = {name: error.headers[name] for name in _KEPT_HEADERS if name in error.headers}
            return _error_response(pages, request, error.status, kept)
        except (HttpProcessingError, web.RequestPayloadError):
            return _error_response(pages, request, 400, {})
        except DatabaseUnavailableError:  # logged once, when it begins
            return _error_response(pages, request, 503, {"Retry-After": "10"})
        except Exception:  # the outermost handler: any bug is logged once, here
            # The pattern, not the path: paths and query strings contain ids and sealed links.
            resource = request.match_info.route.resource
            log.exception("%s %s failed", request.method, resource.canonical if resource else "(no route)")
            return _error_response(pages, request, 500, {})

    return handle_errors


def _error_response(pages: Pages, request: web.Request, status: int, headers: dict[str, str]) -> web.Response:
    title, text = _ERRORS.get(status, _ERRORS[400])
    if request.path.startswith(("/v1/", "/slack/events")):
        body = {"error": f"{title}. {text}", "errors": []}
        return web.json_response(body, status=status, headers=headers)
    return pages.notice(Notice(title=title, text=(text,), action="Go to the home page", status=status, headers=headers))


_KEPT_HEADERS = ("Allow", "Retry-After", "Connection")
_ERRORS = {
    400: ("Bad request", "The server could not understand this request."),
    404: ("Page not found", "The address may be mistyped, or the page may have moved."),
    405: ("Method not allowed", "This address does not support the request method."),
    408: ("Request timeout", "The request took too long to arrive. Send it again."),
    413: ("Request too large", "A request can be up to 1 MiB. Split it into smaller requests."),
    429: ("Too many requests", "Wait a moment, then try again."),
    500: (
        "Something went wrong",
        "The error was logged. Try again. If it keeps happening, contact your administrator.",
    ),
    503: (
        "Service unavailable",
        "The server is busy, or its database is not responding. Nothing was saved. Try again.",
    ),
}


def _security_headers(*, is_https: bool) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
            " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000"

    async def add(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers.merge(headers)  # adds only what the handler has not set
        response.headers.pop("Server", None)

    return add
