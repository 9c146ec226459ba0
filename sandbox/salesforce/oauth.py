"""OAuth without HTTP: authorization codes, sessions and refresh tokens.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_flows.htm
"""

import base64
import hashlib
import hmac
import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.salesforce.errors import OAuthError
from sandbox.salesforce.ids import to_18
from sandbox.salesforce.org import Org

CODE_LIFE = 15 * 60  # seconds; remoteaccess_oauth_web_server_flow: the code expires after 15 minutes
SESSION_LIFE = 2 * 60 * 60  # the default session time-out of an org


@dataclass
class Session:
    """The session of an access token. `family` links tokens of one login; `expires_at` is in epoch seconds."""

    user_id: str
    family: int
    scope: str
    expires_at: float


@dataclass
class Code:
    user_id: str
    redirect_uri: str
    challenge: str | None
    scope: str
    expires_at: float
    is_used: bool = False


@dataclass
class RefreshToken:
    user_id: str
    family: int
    scope: str
    is_used: bool = False


@dataclass
class OAuth:
    """The External Client App of this org. `run_as` is the user of the client credentials flow.

    `redirect_uris` None accepts every URI. With `rotates`, a refresh token can be used once. `restriction` is the
    description with which every login is refused, such as "ip restricted" or "invalid login hours".
    """

    org: Org
    client_id: str
    client_secret: str
    url: Callable[[], str]
    run_as: str | None = None
    redirect_uris: frozenset[str] | None = None
    rotates: bool = True
    requires_pkce: bool = True
    session_life: float = SESSION_LIFE
    restriction: str | None = None
    sessions: dict[str, Session] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    _families: "itertools.count[int]" = field(default_factory=itertools.count)

    def session(self, token: str) -> Session | None:
        """The session of an access token; None if it is unknown or expired.

        Use extends it: it expires after a time without activity, which is noted in its second half.
        https://help.salesforce.com/s/articleView?id=xcloud.security_overview_sessions.htm
        """
        session, now = self.sessions.get(token), self.org.now()
        if session is None or now >= session.expires_at:
            return None
        if session.expires_at - now < self.session_life / 2:
            session.expires_at = now + self.session_life
        return session

    def expire_sessions(self) -> None:
        self.sessions.clear()

    def check_request(self, params: Mapping[str, str]) -> None:
        """Raise the OAuthErrors that are shown in the browser and not sent to the callback."""
        if params.get("client_id") != self.client_id:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        redirect_uri = params.get("redirect_uri")
        if not redirect_uri or (self.redirect_uris is not None and redirect_uri not in self.redirect_uris):
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        if params.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "response type not supported")

    def allow(self, params: Mapping[str, str], user_id: str) -> str:
        """A new code for the user who allowed access. Raises OAuthError, which is sent to the callback."""
        challenge = params.get("code_challenge")
        if self.requires_pkce and not challenge:
            raise OAuthError("invalid_request", "missing required code challenge")
        if not self._is_active(user_id):
            raise OAuthError("access_denied", "end-user denied authorization")
        code = f"aPrx{secrets.token_urlsafe(24)}"
        scope = params.get("scope") or "api id refresh_token"
        self.codes[code] = Code(user_id, params["redirect_uri"], challenge, scope, self.org.now() + CODE_LIFE)
        return code

    def token(self, params: Mapping[str, str]) -> dict[str, str]:
        """The response of the token endpoint. Raises OAuthError."""
        grants = {
            "client_credentials": self._client_credentials,
            "authorization_code": self._authorization_code,
            "refresh_token": self._refresh,
        }
        grant = grants.get(params.get("grant_type", ""))
        if grant is None:
            raise OAuthError("unsupported_grant_type", "grant type not supported")
        if params.get("client_id") != self.client_id:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(params.get("client_secret", "").encode(), self.client_secret.encode()):
            raise OAuthError("invalid_client", "invalid client credentials")
        if self.restriction:  # the user's login hours or IP ranges; tokens stay valid
            raise OAuthError("invalid_grant", self.restriction)
        return grant(params)

    def revoke(self, token: str) -> None:
        """Revoke a token; a refresh token ends its sessions too. Raises OAuthError if the token is unknown.

        https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_revoke_token.htm
        """
        refresh_token = self.refresh_tokens.get(token)
        if refresh_token is not None and not refresh_token.is_used:
            self._end_family(refresh_token.family)
        elif self.sessions.pop(token, None) is None:
            raise OAuthError("invalid_token", "invalid token")

    def identity(self, user_id: str) -> dict[str, object]:
        """https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_using_openid.htm"""
        user = self.org.stored(user_id) or {}
        return {
            "id": f"{self.url()}/id/{self.org.id}/{user_id}",
            "user_id": user_id,
            "organization_id": self.org.id,
            "username": user.get("Username"),
            "display_name": user.get("Name"),
            "email": user.get("Email"),
            "active": user.get("IsActive"),
            "urls": {"rest": f"{self.url()}/services/data/v{{version}}/"},
        }

    def _is_active(self, user_id: str) -> bool:
        user = self.org.stored(user_id) if user_id.startswith("005") else None
        return user is not None and user["IsActive"] is True

    def _client_credentials(self, _: Mapping[str, str]) -> dict[str, str]:
        """https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm"""
        if self.run_as is None or not self._is_active(self.run_as):
            raise OAuthError("invalid_grant", "no client credentials user enabled")
        return self._token_response(self.run_as, next(self._families), "api")

    def _authorization_code(self, params: Mapping[str, str]) -> dict[str, str]:
        """https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm"""
        code = self.codes.get(params.get("code", ""))
        if code is None:
            raise OAuthError("invalid_grant", "invalid authorization code")
        if code.is_used or self.org.now() >= code.expires_at:
            raise OAuthError("invalid_grant", "expired authorization code")
        if params.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        if code.challenge is not None:  # PKCE with S256, the only method that Salesforce supports: RFC 7636
            verifier = params.get("code_verifier", "")
            digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
            if not (43 <= len(verifier) <= 128 and hmac.compare_digest(digest, code.challenge.encode())):
                raise OAuthError("invalid_grant", "invalid code verifier")
        code.is_used = True
        family = next(self._families)
        return self._token_response(code.user_id, family, code.scope) | self._new_refresh_token(
            code.user_id, family, code.scope
        )

    def _refresh(self, params: Mapping[str, str]) -> dict[str, str]:
        """Using a refresh token a second time ends all tokens of its family.

        https://help.salesforce.com/s/articleView?id=005316711 (refresh token rotation)
        """
        token = self.refresh_tokens.get(params.get("refresh_token", ""))
        if token is None or token.is_used:
            if token is not None:
                self._end_family(token.family)
            raise OAuthError("invalid_grant", "expired access/refresh token")
        if not self._is_active(token.user_id):
            raise OAuthError("invalid_grant", "inactive user")
        response = self._token_response(token.user_id, token.family, token.scope)
        if self.rotates:
            token.is_used = True
            response |= self._new_refresh_token(token.user_id, token.family, token.scope)
        return response

    def _end_family(self, family: int) -> None:
        for token in self.refresh_tokens.values():
            token.is_used = token.is_used or token.family == family
        self.sessions = {name: session for name, session in self.sessions.items() if session.family != family}

    def _new_refresh_token(self, user_id: str, family: int, scope: str) -> dict[str, str]:
        if "refresh_token" not in scope.split() and "offline_access" not in scope.split():
            return {}
        token = f"5Aep{secrets.token_urlsafe(40)}"
        self.refresh_tokens[token] = RefreshToken(user_id, family, scope)
        return {"refresh_token": token}

    def _token_response(self, user_id: str, family: int, scope: str) -> dict[str, str]:
        """Start a session and return the token response; `issued_at` is in milliseconds."""
        token = f"{self.org.id[:15]}!AQE{secrets.token_urlsafe(48)}"
        self.sessions[token] = Session(user_id, family, scope, self.org.now() + self.session_life)
        identity, issued_at = f"{self.url()}/id/{self.org.id}/{to_18(user_id)}", str(int(self.org.now() * 1000))
        signed = hmac.digest(self.client_secret.encode(), f"{identity}{issued_at}".encode(), "sha256")
        return {
            "access_token": token,
            "signature": base64.b64encode(signed).decode(),
            "scope": scope,
            "instance_url": self.url(),
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued_at,
        }
