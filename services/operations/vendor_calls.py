"""Measuring how long Slack and Salesforce take to respond."""

from __future__ import annotations

import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp

from services.measures import Measures


def trace_config(measures: Measures, slack_api_url: str) -> aiohttp.TraceConfig:
    """Return a trace for an aiohttp session that measures calls to Slack's Web API and Salesforce's login."""

    async def begin(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        context.began = time.perf_counter()

    async def end(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestExceptionParams,
    ) -> None:
        if call := _vendor_and_method(str(params.url), slack_api_url):
            status = params.response.status if isinstance(params, aiohttp.TraceRequestEndParams) else None
            measures.called(*call, status, time.perf_counter() - context.began)

    config = aiohttp.TraceConfig()
    config.on_request_start.append(begin)
    config.on_request_end.append(end)
    config.on_request_exception.append(end)
    return config


def _vendor_and_method(url: str, slack_api_url: str) -> tuple[str, str] | None:
    if url.startswith(slack_api_url):
        return "slack", url[len(slack_api_url) :].partition("?")[0]
    path = urlsplit(url).path
    return ("salesforce", path.rpartition("/")[2]) if path.startswith("/services/oauth2/") else None
