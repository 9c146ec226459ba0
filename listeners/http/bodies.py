"""Reading the bodies of requests, within limits of size, time and memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

FORM_LIMIT = 16 * 1024

BODY_SECONDS = 20.0
"""How long a client may take to send a body."""

MOST_BYTES_IN_FLIGHT = 32 * 1024 * 1024
"""The total size of what has arrived of bodies that are not complete."""


class TooManyBytesError(Exception):
    """The bodies that are arriving already take too much memory."""


class BodyTooLargeError(Exception):
    """The body is larger than it may be."""


@dataclass
class BytesInFlight:
    """
    Bounds the memory for bodies that are arriving.

    What counts is what has arrived, not what was announced: else a few clients that send nothing could take it all.
    """

    most: int = MOST_BYTES_IN_FLIGHT
    held: int = field(default=0, init=False)

    async def read(self, content: StreamReader, limit: int) -> bytes:
        """Return a body of at most `limit` bytes. Raises BodyTooLargeError, TooManyBytesError."""
        body = bytearray()
        try:
            async for chunk in content.iter_any():
                if len(body) + len(chunk) > limit:
                    raise BodyTooLargeError
                if self.held + len(chunk) > self.most:
                    raise TooManyBytesError
                body += chunk
                self.held += len(chunk)
            return bytes(body)
        finally:
            self.held -= len(body)


@dataclass(frozen=True)
class BodyReader:
    """Reads whole bodies before their handlers run."""

    seconds: float = BODY_SECONDS
    bytes_in_flight: BytesInFlight = field(default_factory=BytesInFlight)

    def wrap(
        self,
        handler: Callable[[web.Request, bytes], Awaitable[web.StreamResponse]],
        limit: int,
        is_plausible: Callable[[Mapping[str, str]], bool] | None = None,
    ) -> Handler:
        """`is_plausible` checks the headers. If it returns False, the handler gets an empty body."""

        async def handle_with_body(request: web.Request) -> web.StreamResponse:
            is_read = is_plausible is None or is_plausible(request.headers)
            return await handler(request, await self._read(request, limit) if is_read else b"")

        return handle_with_body

    async def _read(self, request: web.Request, limit: int) -> bytes:
        if (request.content_length or 0) > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit)
        try:
            async with asyncio.timeout(self.seconds):
                return await self.bytes_in_flight.read(request.content, limit)
        except BodyTooLargeError as error:
            raise web.HTTPRequestEntityTooLarge(max_size=limit) from error
        except TooManyBytesError as error:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "1", "Connection": "close"}) from error
        except TimeoutError as error:
            raise web.HTTPRequestTimeout from error
        except (HttpProcessingError, web.RequestPayloadError, ConnectionResetError) as error:
            raise web.HTTPBadRequest from error
