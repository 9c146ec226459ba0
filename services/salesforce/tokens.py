"""What Salesforce's token endpoint answers, and where we may send the session it gives. Pure."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from domain.errors import PermanentError, TransientError
from domain.salesforce import SalesforceTokens
from services.settings import is_loopback

# https://help.salesforce.com/s/articleView?id=xcloud.domain_name_app_url_changes.htm
SALESFORCE_DOMAINS = ("salesforce.com", "force.com", "cloudforce.com", "salesforce.mil", "crmforce.mil", "sfcrmapps.cn")

# https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_flow_errors.htm
_ADVICE = {
    "invalid_grant": "connect Salesforce again, or with client credentials name an active Run As user in the app",
    "invalid_client": "check the secret (SALESFORCE_CLIENT_SECRET) against the External Client App's consumer secret",
    "invalid_client_id": "check the id (SALESFORCE_CLIENT_ID) against the External Client App's consumer key",
    "unsupported_grant_type": "allow this OAuth flow in the settings of the External Client App",
}
# Salesforce answers these with 400 too, although trying again helps.
_PASSING = {"unknown_error", "server_error", "temporarily_unavailable", "rate_limit_exceeded"}


class GrantRefusedError(PermanentError):
    """Salesforce will not take this grant any more, however often we ask."""


def read_tokens(status: int, body: bytes, login_url: str) -> SalesforceTokens:
    """What an answer of the token endpoint holds. Raises PermanentError, TransientError."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if status >= 500 or status == 429:
        raise TransientError(f"Salesforce answered {status} to the request for a session")
    if not isinstance(told, dict):
        kind = TransientError if status == 200 else PermanentError
        raise kind(f"{login_url} does not answer like Salesforce (status {status}): check SALESFORCE_LOGIN_URL")
    if status != 200 or not isinstance(told.get("access_token"), str):
        raise _refusal(str(told.get("error"))[:50], str(told.get("error_description"))[:200])
    org_id, user_id = _identity(told.get("id"))
    refresh_token = told.get("refresh_token")
    return SalesforceTokens(
        access_token=told["access_token"],
        refresh_token=refresh_token if isinstance(refresh_token, str) else None,
        instance_url=checked_instance_url(told.get("instance_url"), login_url),
        org_id=org_id,
        user_id=user_id,
    )


def checked_instance_url(told: object, login_url: str) -> str:
    """
    Scheme and host of the instance that a session is for. Raises PermanentError unless it is Salesforce's, by https.

    Loopback is accepted from a login URL that is loopback itself.
    """
    try:
        parts = urlsplit(told if isinstance(told, str) else "")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise PermanentError("Salesforce named an instance that is not an address") from None
    is_here = is_loopback(host) and is_loopback(urlsplit(login_url).hostname) and parts.scheme in {"http", "https"}
    is_salesforce = parts.scheme == "https" and port in {None, 443} and is_salesforce_host(host)
    if "@" in parts.netloc or not (is_here or is_salesforce):
        raise PermanentError("Salesforce named an instance that is not one of its own: nothing is sent there")
    return f"{parts.scheme}://{parts.netloc}"


def is_salesforce_host(host: str) -> bool:
    """Whether the host name is under a domain of Salesforce's."""
    return host.lower().endswith(tuple(f".{domain}" for domain in SALESFORCE_DOMAINS))


def _refusal(error: str, description: str) -> PermanentError | TransientError:
    """The description is Salesforce's own, in words of its own, and holds nothing that was sent."""
    said = f"Salesforce gives no session: {error} ({description})"
    if error in _PASSING or "rate exceeded" in description:
        return TransientError(said)
    advice = _ADVICE.get(error, "check the External Client App and SALESFORCE_LOGIN_URL")
    kind = GrantRefusedError if error == "invalid_grant" else PermanentError
    return kind(f"{said}; {advice}")


def _identity(url: object) -> tuple[str | None, str | None]:
    """Org and user of an identity URL, `https://…/id/00D…/005…`."""
    match = re.search(r"/id/(00D\w+)/(005\w+)$", url) if isinstance(url, str) else None
    return (match[1], match[2]) if match else (None, None)
