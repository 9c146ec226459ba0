"""The operator's settings from the environment, read once and checked as a whole. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

VERSION = "0.3.0"
"""This is the version in pyproject.toml."""

_WORKSPACE_ID = re.compile(r"[TE][A-Z0-9]{2,20}")
"""The id of a workspace, or of an organization that installed the app for all of its workspaces."""

SLACK_CREDENTIALS = ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET")


class SettingsError(Exception):
    """Settings are missing or invalid. `faults` has one line for each, with its name and what to do."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        self.faults = [f"{name} {advice}" for name, advice in faults]
        self.names = {name for name, _ in faults}
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True)
class Network:
    """How calls leave this machine: the proxy for https, hosts that are called directly, and a file of CAs to trust."""

    https_proxy: str | None = field(default=None, repr=False)  # may hold a password
    no_proxy: tuple[str, ...] = ()
    ca_file: str | None = None

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy for a URL, or None if it is called directly, as this machine always is."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if parts.scheme not in {"https", "wss"} or is_loopback(host):
            return None
        port = parts.port or 443
        return None if any(_matches(entry, host, port) for entry in self.no_proxy) else self.https_proxy


DIRECT = Network()


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY covers a host: a name and its subdomains, an address, a network, or `*`."""
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:  # one of them is a name
        name, _, only_port = entry.partition(":")
        if only_port and only_port != str(port):
            return False
        name = name.removeprefix("*").removeprefix(".")
        return name in {"", host} or host.endswith(f".{name}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Slack's credentials may be empty for commands that do not serve."""

    slack_client_id: str
    slack_client_secret: str = field(repr=False)
    slack_signing_secret: str = field(repr=False)
    slack_app_token: str | None = field(repr=False)
    slack_api_url: str
    slack_authorize_url: str
    salesforce_login_url: str
    salesforce_client_id: str | None
    salesforce_client_secret: str | None = field(repr=False)
    salesforce_workspaces: frozenset[str]  # empty: the one that was installed first
    public_url: str
    host: str
    port: int
    database_url: str = field(repr=False)  # may hold a password
    database_direct_url: str | None = field(repr=False)  # of PostgreSQL itself, if database_url is a pooler's
    encryption_keys: tuple[str, ...] = field(repr=False)  # empty on SQLite: made beside the database file
    log_level: str
    log_format: str
    metrics_token: str | None = field(repr=False)
    heartbeat_url: str | None = field(repr=False)  # secret: anyone who knows it can report that the app is healthy
    worker_port: int | None  # None: a worker process serves no HTTP
    retention_days: int
    purge_days: int
    job_change_kib: int
    message_layout: str  # "usual", or "cards" for Slack's card and table blocks
    https_proxy: str | None = field(repr=False)  # may hold a password
    no_proxy: tuple[str, ...]
    ssl_cert_file: str | None
    otel_exporter_otlp_endpoint: str | None  # OpenTelemetry reads this one and the next itself, and others
    otel_exporter_otlp_traces_endpoint: str | None

    @property
    def network(self) -> Network:
        return Network(self.https_proxy, self.no_proxy, self.ssl_cert_file)

    @property
    def has_slack_credentials(self) -> bool:
        return all((self.slack_client_id, self.slack_client_secret, self.slack_signing_secret))

    @property
    def has_collector(self) -> bool:
        """Whether traces are sent anywhere."""
        return bool(self.otel_exporter_otlp_endpoint or self.otel_exporter_otlp_traces_endpoint)

    @property
    def can_redirect(self) -> bool:
        """Whether Slack can redirect a browser to this server, so that the app can be installed by OAuth."""
        return redirect_fault(self.public_url, self.slack_api_url) is None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, serving: bool = False) -> Settings:
        """
        Read and check all settings. Raises SettingsError.

        With `serving`, Slack's credentials are required.
        """
        read = _Reader(environ)
        settings = cls._read(read)
        if serving:
            advice = "is missing; copy it from Basic Information of your app at https://api.slack.com/apps"
            for name in SLACK_CREDENTIALS:
                read.check(name, bool(read.text(name, "")), advice)
        if serving and not settings.slack_app_token:
            fault = redirect_fault(settings.public_url, settings.slack_api_url)
            read.check("PUBLIC_URL", fault is None, fault or "")
        if read.faults:
            raise SettingsError(read.faults)
        return settings

    @classmethod
    def _read(cls, read: _Reader) -> Settings:
        """Read every variable. One that is invalid has any value, and its fault is in `read`."""
        port = read.number("PORT", 3000, 0, 65535)
        database_url = read.checked("DATABASE_URL", "sqlite:///./usergems.db", database_fault)
        salesforce_id, salesforce_secret = read.pair("SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET")
        return cls(
            slack_client_id=read.text("SLACK_CLIENT_ID", ""),
            slack_client_secret=read.text("SLACK_CLIENT_SECRET", ""),
            slack_signing_secret=read.text("SLACK_SIGNING_SECRET", ""),
            slack_app_token=read.text("SLACK_APP_TOKEN", "") or None,
            slack_api_url=read.outside_url("SLACK_API_URL", "https://slack.com/api/").rstrip("/") + "/",
            slack_authorize_url=read.outside_url("SLACK_AUTHORIZE_URL", "https://slack.com/oauth/v2/authorize"),
            salesforce_login_url=read.outside_url("SALESFORCE_LOGIN_URL", "https://login.salesforce.com").rstrip("/"),
            salesforce_client_id=salesforce_id,
            salesforce_client_secret=salesforce_secret,
            salesforce_workspaces=read.workspace_ids("SALESFORCE_WORKSPACES"),
            public_url=read.outside_url("PUBLIC_URL", f"http://localhost:{port}").rstrip("/"),
            host=read.text("HOST", "127.0.0.1"),
            port=port,
            database_url=database_url,
            database_direct_url=read.checked("DATABASE_DIRECT_URL", "", _direct_fault) or None,
            encryption_keys=read.encryption_keys(required=not database_url.startswith("sqlite")),
            log_level=read.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
            log_format=read.choice("LOG_FORMAT", "text", ("text", "json")),
            metrics_token=read.text("METRICS_TOKEN", "") or None,
            heartbeat_url=read.outside_url("HEARTBEAT_URL", "") if read.text("HEARTBEAT_URL", "") else None,
            worker_port=read.number("WORKER_PORT", 0, 0, 65535) or None,
            retention_days=read.number("RETENTION_DAYS", 90, 1, 36_500),
            purge_days=read.number("PURGE_DAYS", 275, 1, 36_500),
            job_change_kib=read.number("JOB_CHANGE_KIB", 64, 1, 1024),
            message_layout=read.choice("MESSAGE_LAYOUT", "usual", ("usual", "cards")),
            https_proxy=read.proxy("HTTPS_PROXY"),
            no_proxy=tuple(read.text("NO_PROXY", read.text("no_proxy", "")).lower().replace(",", " ").split()),
            ssl_cert_file=read.text("SSL_CERT_FILE", "") or None,
            otel_exporter_otlp_endpoint=read.text("OTEL_EXPORTER_OTLP_ENDPOINT", "") or None,
            otel_exporter_otlp_traces_endpoint=read.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "") or None,
        )


_KEYS_HINT = (
    "create a key with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
)


@dataclass
class _Reader:
    """Reads variables and collects the faults."""

    environ: Mapping[str, str]
    faults: list[tuple[str, str]] = field(default_factory=list)

    def text(self, name: str, default: str) -> str:
        # An empty variable counts as unset, since compose files and .env.example leave variables empty.
        return self.environ.get(name, "").strip() or default

    def check(self, name: str, holds: bool, advice: str) -> None:
        if not holds:
            self.faults.append((name, advice))

    def checked(self, name: str, default: str, fault: Callable[[str], str | None]) -> str:
        value = self.text(name, default)
        if text := fault(value):
            self.faults.append((name, text))
        return value

    def outside_url(self, name: str, default: str) -> str:
        return self.checked(name, default, _outside_url_fault)

    def proxy(self, name: str) -> str | None:
        """Like most programs, also read the variable's name in lower case."""
        value = self.text(name, self.text(name.lower(), ""))
        scheme, _, rest = value.partition("://")
        self.check(name, not value or (scheme in {"http", "https"} and bool(rest)), "must be like http://proxy:3128")
        return value or None

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name, str(default))
        if value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most:
            return int(value)
        self.faults.append((name, f"must be a whole number from {least} to {most}"))
        return default

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default)
        match = next((choice for choice in choices if choice.lower() == value.lower()), None)
        self.check(name, match is not None, f"must be one of {', '.join(choices)}")
        return match or default

    def encryption_keys(self, *, required: bool) -> tuple[str, ...]:
        name, text = "ENCRYPTION_KEYS", self.text("ENCRYPTION_KEYS", "")
        keys = tuple(key.strip() for key in text.split(",") if key.strip())
        try:
            for key in keys:
                Fernet(key)
        except ValueError:
            self.faults.append((name, f"contains a value that is not a Fernet key; {_KEYS_HINT}"))
        self.check(name, bool(keys) or not required, f"is required with PostgreSQL; {_KEYS_HINT}")
        return keys

    def workspace_ids(self, name: str) -> frozenset[str]:
        ids = frozenset(filter(None, (part.strip() for part in self.text(name, "").split(","))))
        invalid = sorted(part for part in ids if not _WORKSPACE_ID.fullmatch(part))
        advice = f"must have workspace ids such as T0123456789, separated by commas; not {', '.join(invalid)[:80]}"
        self.check(name, not invalid, advice)
        return ids

    def pair(self, first: str, second: str) -> tuple[str | None, str | None]:
        values = self.text(first, ""), self.text(second, "")
        self.check(first, bool(values[0]) or not values[1], f"is missing, but {second} is set; set both or neither")
        self.check(second, bool(values[1]) or not values[0], f"is missing, but {first} is set; set both or neither")
        return values[0] or None, values[1] or None


def is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:  # a host name, such as 127.example.com
        return False


def redirect_fault(public_url: str, slack_api_url: str) -> str | None:
    """
    Return why Slack does not redirect a browser to this address after an installation, or None.

    Plain http works only with a sandbox of Slack on this machine.
    https://docs.slack.dev/authentication/installing-with-oauth
    """
    try:
        is_sandbox = is_loopback(urlsplit(slack_api_url).hostname)
    except ValueError:
        is_sandbox = False
    if public_url.startswith("https://") or is_sandbox:
        return None
    return (
        "must start with https://, because Slack redirects only to https addresses after an installation. Without a"
        " public address, use Socket Mode (docs/operating.md)"
    )


def _outside_url_fault(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - raises ValueError for a malformed port
    except ValueError:
        return "is not a valid URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "must be a URL that starts with https://"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return "must start with https://; plain http is accepted for this machine (localhost) only"
    return None


def database_fault(value: str) -> str | None:
    """Return what is wrong with a database URL, or None."""
    if not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
        return "must start with sqlite:/// or postgresql://"
    try:
        urlsplit(value).port  # noqa: B018 - raises ValueError for a malformed port
    except ValueError:
        return "is not a valid URL such as postgresql://user:password@host:5432/database"
    return None


def _direct_fault(value: str) -> str | None:
    if value.startswith("sqlite"):
        return "must start with postgresql://"
    return database_fault(value) if value else None
