"""The HTTP surface: every route in one list, and the guards in front of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from listeners.http import limits
from listeners.pages import Notice, Pages
from listeners.slack.install import Installing
from listeners.slack.links import CHANNEL_PATH
from listeners.slack.oauth import INSTALL_PATH, REDIRECT_PATH
from listeners.slack.requests import SlackRequests
from store.database import DatabaseUnavailableError

BODY_LIMIT = 1024 * 1024
LONGEST_HEADER, MOST_HEADERS = 8_190, 128
"""Bytes of one line of a request's head, its first included, and how many lines it may have."""

BODY_SECONDS = 20.0
"""How long a client may take to send a body; who is slower holds a connection and no more."""

IDLE_SECONDS = 75.0
"""How long a connection may be without a whole request on it; longer than a usual proxy keeps its own."""

log = logging.getLogger(__name__)


def create_web(
    slack: SlackRequests | None,
    installing: Installing,
    routes: Sequence[web.AbstractRouteDef],
    body_seconds: float = BODY_SECONDS,
) -> web.Application:
    """*slack* None: no Slack credentials yet. *routes*: the other listeners' own."""
    pages = installing.pages
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_explained(pages), limits.pacing(installing.now)])
    app.add_routes(
        [
            web.get("/", installing.landing),
            web.get("/assets/{name}", pages.asset),
            web.get(INSTALL_PATH, installing.begin, allow_head=False),
            web.get(REDIRECT_PATH, installing.finish, allow_head=False),
            web.get(CHANNEL_PATH, installing.show_channels, allow_head=False),
            web.post(CHANNEL_PATH, _timely(installing.choose_channel, body_seconds)),
            *routes,
        ]
    )
    if slack is not None:
        app.add_routes([web.post("/slack/events", _timely(slack.hear, body_seconds))])
    app.on_response_prepare.append(_headers(is_https=installing.public_url.startswith("https://")))
    return app


def create_watched(routes: Sequence[web.AbstractRouteDef]) -> web.Application:
    """What a worker by itself shows to whoever watches it, and nothing else."""
    app = web.Application()
    app.add_routes(routes)
    return app


def create_runner(app: web.Application, idle_seconds: float = IDLE_SECONDS) -> web.AppRunner:
    """Serves it, with limits for clients that connect and then say nothing. Logs no requests: addresses are private."""
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=idle_seconds,
        lingering_time=2.0,
        auto_decompress=False,  # nobody needs it, and a small body could become a large one
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
        max_headers=MOST_HEADERS,
    )


def _timely(handler: Handler, seconds: float) -> Handler:
    """Reads the body, whole and in time, before the handler works with it; there it is at hand."""

    async def timely(request: web.Request) -> web.StreamResponse:
        if (request.content_length or 0) > BODY_LIMIT:
            raise web.HTTPRequestEntityTooLarge(max_size=BODY_LIMIT)
        try:
            async with asyncio.timeout(seconds):
                await request.read()
        except TimeoutError as error:
            raise web.HTTPRequestTimeout from error
        except (HttpProcessingError, web.RequestPayloadError, ConnectionResetError) as error:
            raise web.HTTPBadRequest from error
        return await handler(request)

    return timely


def _explained(pages: Pages) -> Middleware:
    """Turns what goes wrong into an answer that says what to do, and nothing of what is inside."""

    @web.middleware
    async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400 or error.content_type != "text/plain":
                raise  # a redirect, or an error that says all there is to say
            told = {name: error.headers[name] for name in _KEPT if name in error.headers}
            return _failure(pages, request, error.status, told)
        except (HttpProcessingError, web.RequestPayloadError):
            return _failure(pages, request, 400, {})
        except DatabaseUnavailableError as error:
            log.warning("%s %s: %s", request.method, _route(request), error)
            return _failure(pages, request, 503, {"Retry-After": "10"})
        except Exception:  # the last edge: whatever it is, it is logged once, here
            log.exception("%s %s failed", request.method, _route(request))
            return _failure(pages, request, 500, {})

    return explain


def _failure(pages: Pages, request: web.Request, status: int, headers: dict[str, str]) -> web.Response:
    title, text = _TOLD.get(status, _TOLD[400])
    if request.path.startswith(("/v1/", "/slack/events")):
        told = {"error": f"{title}. {text}", "errors": []}
        return web.json_response(told, status=status, headers=headers)
    return pages.notice(Notice(title=title, text=(text,), action="Go to the start", status=status, headers=headers))


_KEPT = ("Allow", "Retry-After", "Connection")
_TOLD = {
    400: ("This request makes no sense", "It is not of the form that is expected here."),
    404: ("There is nothing here", "The address may be mistyped, or the page may have moved."),
    405: ("This cannot be asked for in this way", "The address is right, but the method is not."),
    408: ("That took too long", "The request did not arrive in time. Send it again."),
    413: ("That is too much at once", "A request may be 1 MiB at most. Send it in smaller parts."),
    429: ("That was too often", "Wait a moment, and try again."),
    500: ("Something went wrong on our side", "It has been logged. Try again, and tell whoever runs this server."),
    503: ("Our database does not answer", "Nothing was stored. Try again in a moment."),
}


def _route(request: web.Request) -> str:
    # The pattern, not the path: paths and queries carry ids and sealed links.
    resource = request.match_info.route.resource
    return resource.canonical if resource else "(no route)"


def _headers(*, is_https: bool) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self';"
            " base-uri 'none'; frame-ancestors 'none'"
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
        response.headers.merge(headers)  # what a handler has said itself stands
        response.headers.pop("Server", None)

    return add
