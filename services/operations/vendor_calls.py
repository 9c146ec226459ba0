"""How long vendors take: every call over the shared session is measured."""

from __future__ import annotations

import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp

from services.measures import Measures


def traced(measures: Measures, slack_api_url: str) -> aiohttp.TraceConfig:
    """For a session of aiohttp's. Calls to others than Slack and Salesforce's login are not measured."""

    async def begin(_session: aiohttp.ClientSession, context: SimpleNamespace, _told: object) -> None:
        context.began = time.perf_counter()

    async def end(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        told: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestExceptionParams,
    ) -> None:
        if named := _named(str(told.url), slack_api_url):
            status = told.response.status if isinstance(told, aiohttp.TraceRequestEndParams) else None
            measures.called(*named, status, time.perf_counter() - context.began)

    config = aiohttp.TraceConfig()
    config.on_request_start.append(begin)
    config.on_request_end.append(end)
    config.on_request_exception.append(end)
    return config


def _named(url: str, slack_api_url: str) -> tuple[str, str] | None:
    """Vendor and method."""
    if url.startswith(slack_api_url):
        return "slack", url[len(slack_api_url) :].partition("?")[0]
    path = urlsplit(url).path
    return ("salesforce", path.rpartition("/")[2]) if path.startswith("/services/oauth2/") else None
