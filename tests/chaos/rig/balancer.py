"""A load balancer with health checks and retries, as the samples for Caddy and nginx in docs/install.md describe it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

CHECK_SECONDS = 0.5
RETRY_SECONDS = 10.0


@dataclass
class Balancer:
    """`ports` are those of the processes behind it. It sends requests in turn to those whose `/readyz` answers 200."""

    http: aiohttp.ClientSession
    ports: list[int]
    ready: set[int] = field(default_factory=set)
    _turns: count[int] = field(default_factory=count)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._forward)
        server = TestServer(app)
        await server.start_server()
        checking = asyncio.create_task(self._check())
        yield str(server.make_url("")).rstrip("/")
        checking.cancel()
        await server.close()

    async def _check(self) -> None:
        while True:
            for port in self.ports:
                self.ready.discard(port)
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with self.http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                        if answer.status == 200:
                            self.ready.add(port)
            await asyncio.sleep(CHECK_SECONDS)

    async def _forward(self, request: web.Request) -> web.Response:
        """Try another process only if the connection was refused: nothing has been sent then."""
        body, headers = await request.read(), {"Authorization": request.headers["Authorization"]}
        headers["Content-Type"] = request.content_type
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                while True:
                    ready = sorted(self.ready)
                    if not ready:
                        await asyncio.sleep(CHECK_SECONDS)
                        continue
                    port = ready[next(self._turns) % len(ready)]
                    url = f"http://127.0.0.1:{port}{request.path_qs}"
                    try:
                        async with self.http.request(request.method, url, data=body, headers=headers) as answer:
                            return web.Response(
                                status=answer.status, body=await answer.read(), content_type=answer.content_type
                            )
                    except aiohttp.ClientConnectorError:
                        self.ready.discard(port)
                    except aiohttp.ClientError:
                        return web.Response(status=502)
        return web.Response(status=503)
