"""The HTTP session for every outgoing call: with the operator's proxy and CAs, and measured."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.helpers import strip_auth_from_url
from yarl import URL

from services.measures import Measures
from services.settings import Network, Settings, SettingsError

CALL_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
"""The timeout of a call to Slack. The lease of a lane is longer."""

MOST_CONNECTIONS = 256
"""More than the messages that a worker sends at once, so that nobody who uses the app in Slack waits for them."""


def open_session(
    settings: Settings, measures: Measures, saw_date: Callable[[str], None] = lambda _header: None
) -> aiohttp.ClientSession:
    """
    Return the session for all calls to Slack, Salesforce and HEARTBEAT_URL. Raises SettingsError.

    `saw_date` is called with the `Date` header of each answer of Slack's Web API.

    aiohttp's own `trust_env` is not used: it would also read passwords from a .netrc file, and the Slack SDK passes the
    proxy of the environment for every address, whatever NO_PROXY says.
    """
    network = settings.network

    class Request(aiohttp.ClientRequest):
        def update_proxy(self, *_: Any) -> None:
            proxy = network.proxy_for(str(self.url))
            address, credentials = strip_auth_from_url(URL(proxy)) if proxy else (None, None)
            super().update_proxy(address, credentials, None)

    return aiohttp.ClientSession(
        timeout=CALL_TIMEOUT,
        trace_configs=[trace_config(measures, settings.slack_api_url, saw_date)],
        request_class=Request,
        connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS, ssl=ssl_context(network) or True),
    )


@cache  # reading the CAs takes some 20 ms and 1 MB
def ssl_context(network: Network) -> ssl.SSLContext | None:
    """Return the context for https with the CAs of SSL_CERT_FILE. None is aiohttp's own, with those of the system."""
    if network.ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=network.ca_file)
    except OSError as error:  # ssl.SSLError is one, too
        raise SettingsError([("SSL_CERT_FILE", f"cannot be used ({error.strerror or type(error).__name__})")]) from None


def trace_config(
    measures: Measures, slack_api_url: str, saw_date: Callable[[str], None] = lambda _header: None
) -> aiohttp.TraceConfig:
    """Return a trace for an aiohttp session that measures calls to Slack's Web API and Salesforce's login."""

    async def begin(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        context.began = time.perf_counter()

    async def end(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestExceptionParams,
    ) -> None:
        if call := _vendor_and_method(str(params.url), slack_api_url):
            response = params.response if isinstance(params, aiohttp.TraceRequestEndParams) else None
            measures.called(*call, response.status if response else None, time.perf_counter() - context.began)
            if response and call[0] == "slack":
                saw_date(response.headers.get("Date", ""))

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
