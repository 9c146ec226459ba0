"""Reading the answers of Salesforce's token endpoint, and checking where sessions may be sent. Pure."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from domain.errors import PermanentError, TransientError
from domain.salesforce import SalesforceTokens
from services.settings import is_loopback

# https://help.salesforce.com/s/articleView?id=xcloud.domain_name_app_url_changes.htm
SALESFORCE_DOMAINS = (
    *("salesforce.com", "force.com", "cloudforce.com", "salesforce.mil", "crmforce.mil"),
    *("sfcrmproducts.cn", "sfcrmapps.cn"),  # orgs in China, and their Lightning pages
)

_HOST_NAME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")

# https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_flow_errors.htm
_ADVICE = {
    "invalid_grant": "Connect Salesforce again or, with client credentials, set an active Run As user in the app",
    "invalid_client": "Check SALESFORCE_CLIENT_SECRET against the External Client App's consumer secret",
    "invalid_client_id": "Check SALESFORCE_CLIENT_ID against the External Client App's consumer key",
    "unsupported_grant_type": "Enable this OAuth flow in the settings of the External Client App",
}
# Salesforce answers these with 400 too, although a retry helps.
_TRANSIENT = {"unknown_error", "server_error", "temporarily_unavailable", "rate_limit_exceeded"}

RESTRICTED_RETRY_SECONDS = 15 * 60.0

# Of `invalid_grant`, if the user's profile does not allow a login now or from here. The token stays valid.
_RESTRICTED = re.compile("ip restricted|login hours", re.IGNORECASE)


class LoginRestrictedError(TransientError):
    """The user may not log in at this time or from this address, but the grant is valid."""


class GrantRefusedError(PermanentError):
    """Salesforce refuses this grant for good, so a retry does not help."""


def read_tokens(status: int, body: bytes, login_url: str) -> SalesforceTokens:
    """Parse an answer of the token endpoint. Raises PermanentError, TransientError."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if status >= 500 or status == 429:
        raise TransientError(f"Salesforce returned error {status} instead of a session")
    if not isinstance(answer, dict):
        kind = TransientError if status == 200 else PermanentError
        raise kind(f"{login_url} does not seem to be Salesforce (status {status}). Check SALESFORCE_LOGIN_URL")
    if status != 200 or not isinstance(answer.get("access_token"), str):
        raise _refusal(str(answer.get("error"))[:50], str(answer.get("error_description"))[:200])
    url = answer.get("id")
    match = re.search(r"/id/(00D\w+)/(005\w+)$", url) if isinstance(url, str) else None
    org_id, user_id = (match[1], match[2]) if match else (None, None)
    refresh_token = answer.get("refresh_token")
    return SalesforceTokens(
        access_token=answer["access_token"],
        refresh_token=refresh_token if isinstance(refresh_token, str) else None,
        instance_url=checked_instance_url(answer.get("instance_url"), login_url),
        org_id=org_id,
        user_id=user_id,
    )


def checked_instance_url(url: object, login_url: str) -> str:
    """
    Return scheme and host of a session's instance. Raises PermanentError unless it is Salesforce's, with https.

    A loopback address is accepted if the login URL is one too.
    """
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise PermanentError("Salesforce returned an instance URL that is not valid") from None
    is_here = is_loopback(host) and is_loopback(urlsplit(login_url).hostname) and parts.scheme in {"http", "https"}
    is_host_name = _HOST_NAME.fullmatch(host) is not None  # urlsplit also accepts backslashes and other characters
    is_in_domain = is_host_name and host.endswith(tuple(f".{domain}" for domain in SALESFORCE_DOMAINS))
    is_salesforce = parts.scheme == "https" and port in {None, 443} and is_in_domain
    if "@" in parts.netloc or not (is_here or is_salesforce):
        raise PermanentError("Salesforce returned an instance URL outside its own domains, so nothing was sent there")
    return f"{parts.scheme}://{parts.netloc}"


def _refusal(error: str, description: str) -> PermanentError | TransientError:
    """Return the error. `description` is Salesforce's own text and contains nothing that was sent."""
    text = f"Salesforce refused a session: {error} ({description})"
    if error in _TRANSIENT or "rate exceeded" in description:
        return TransientError(text)
    if error == "invalid_grant" and _RESTRICTED.search(description):
        return LoginRestrictedError(
            f"{text}. Check the login hours and IP ranges in the connected user's profile. The app tries again every"
            " 15 minutes",
            retry_after=RESTRICTED_RETRY_SECONDS,
        )
    advice = _ADVICE.get(error, "Check the External Client App and SALESFORCE_LOGIN_URL")
    kind = GrantRefusedError if error == "invalid_grant" else PermanentError
    return kind(f"{text}. {advice}")
