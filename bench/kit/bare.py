"""
Baseline of `accept`: an aiohttp handler that reads the body, parses the JSON and answers 202, and stores nothing.

It runs on the event loop of the app.
"""

from __future__ import annotations

import asyncio
import json
import os

import uvloop
from aiohttp import web


async def accept(request: web.Request) -> web.Response:
    json.loads(await request.read())
    return web.json_response({"status": "accepted"}, status=202)


async def serve() -> None:
    app = web.Application()
    app.add_routes([web.post("/v1/workspaces/{workspace_id}/job-changes", accept)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"port": runner.addresses[0][1], "process_id": os.getpid()}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
