"""The login URLs of Salesforce: production, sandboxes or an org's own domain, and the consent page. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import urlencode, urlsplit

from domain.errors import PermanentError
from services.settings import is_loopback

PRODUCTION = "production"
SANDBOX = "sandbox"
MY_DOMAIN = "domain"

PRODUCTION_LOGIN = "https://login.salesforce.com"
SANDBOX_LOGIN = "https://test.salesforce.com"
SCOPES = "api refresh_token"
SCOPE_NAMES = "“Manage user data via APIs (api)” and “Perform requests at any time (refresh_token, offline_access)”"
"""The names of the scopes in Salesforce Setup."""

# People copy these from the browser's address bar, but the token endpoint is on the other domain:
# https://help.salesforce.com/s/articleView?id=xcloud.domain_name_url_formats.htm
_RELATED_DOMAINS = {
    ".lightning.force.com": ".my.salesforce.com",
    ".my.salesforce-setup.com": ".my.salesforce.com",
    ".lightning.sfcrmapps.cn": ".my.sfcrmproducts.cn",
}
_OWN_DOMAINS = (".my.salesforce.com", ".my.salesforce.mil", ".my.sfcrmproducts.cn", ".my.sfcrmapps.cn")
_NAME = re.compile(r"[a-z0-9]+(?:-{1,2}[a-z0-9]+)*")

_ADVICE = "Enter your org's My Domain, such as acme.my.salesforce.com. Find it in Salesforce under Setup, My Domain."


def login_url_of(choice: str, domain: str, operators: str) -> str:
    """
    Return the login URL for an admin's choice. Raises PermanentError with a text that says what to enter.

    `operators` is SALESFORCE_LOGIN_URL. It is used for production unless it is that of sandboxes; one on this machine
    is used for every choice.
    """
    is_here = is_loopback(urlsplit(operators).hostname)
    if choice == MY_DOMAIN:
        return _own_domain(domain, is_here=is_here)
    if choice not in {PRODUCTION, SANDBOX}:
        raise PermanentError("Choose Production, a sandbox or My Domain.")
    if is_here:
        return operators
    if choice == SANDBOX:
        return SANDBOX_LOGIN
    return PRODUCTION_LOGIN if operators == SANDBOX_LOGIN else operators


def _own_domain(typed: str, *, is_here: bool) -> str:
    text = typed.strip().lower()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise PermanentError(_ADVICE) from None
    if is_here and is_loopback(host) and "@" not in parts.netloc:
        return f"{parts.scheme}://{parts.netloc}"
    for related, login in _RELATED_DOMAINS.items():
        host = host.removesuffix(related) + login if host.endswith(related) else host
    host = host if "." in host else f"{host}.my.salesforce.com"
    suffix = next((domain for domain in _OWN_DOMAINS if host.endswith(domain)), "")
    labels = host.removesuffix(suffix).split(".") if suffix else []
    # The client secret is sent there, so only hosts that Salesforce assigns are allowed.
    if not labels or "@" in parts.netloc or port not in {None, 443} or not all(map(_NAME.fullmatch, labels)):
        raise PermanentError(_ADVICE)
    return f"https://{host}"


def challenge_of(verifier: str) -> str:
    """Return the PKCE challenge (S256). https://www.rfc-editor.org/rfc/rfc7636#section-4.2"""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def authorize_url(login_url: str, *, client_id: str, redirect_uri: str, state: str, code_challenge: str) -> str:
    """
    Return the address of Salesforce's consent page (web server flow, PKCE with S256).

    The page asks for a login even if the browser has a session: admins connect as the integration user, not as
    themselves.
    https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm
    """
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": state,
        "prompt": "login",
        "code_challenge": code_challenge,
        "code_challenge_method": "S256",
    }
    return f"{login_url}/services/oauth2/authorize?{urlencode(query)}"
