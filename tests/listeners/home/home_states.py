"""Sample states of Home, for the tests of its view and for the pictures in the docs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sin

from domain.day_counts import (
    DAY_MS,
    FAILED,
    MUTED,
    SENT_TO_CHANNEL,
    SENT_TO_DRI,
    DayCount,
)
from domain.errors import Outage, Vendor
from domain.messages.notices import ALL_STEPS, SetupSteps
from domain.salesforce import WEB_SERVER, SalesforceConnection
from domain.workspace import ListedKey, Workspace
from services.home.home_state import (
    HomeState,
    MemberHome,
    Overview,
    OwnershipState,
    SalesforceIdentity,
    WorkspaceStatus,
)
from services.operations.day_counts import DAYS_COUNTED
from services.salesforce.health import Health, HealthLine
from tests.conftest import SOMEDAY

URL = "https://usergems.example.com/v1/workspaces/T1/job-changes"
TODAY = SOMEDAY // DAY_MS

ACME = Workspace(
    id="T1",
    enterprise_id=None,
    is_enterprise_install=False,
    name="Acme",
    state="active",
    installer_user_id="U1",
    bot_user_id="U2",
    scopes=frozenset(),
    installed_at=SOMEDAY,
    gone_at=None,
    version=7,
    default_channel_id="C1",
    default_channel_name="job-changes",
    default_channel_problem=None,
    channel_gets="unmatched",
    tell_dris=True,
    posts_per_minute=300,
    salesforce_patience_minutes=15,
)
SALESFORCE = SalesforceConnection(
    workspace_id="T1",
    flow=WEB_SERVER,
    login_url="https://login.salesforce.com",
    connected_at=SOMEDAY,
    org_name="Acme & Sons",
    user_name="integration@acme.example",
    last_success_at=SOMEDAY,
)
STATUS = WorkspaceStatus(
    at=SOMEDAY,
    workspace_id="T1",
    workspace_name="Acme",
    is_active=True,
    default_channel_id="C1",
    default_channel_name="job-changes",
    default_channel_problem=None,
    salesforce=(
        HealthLine(Health.GOOD, "Connected to Salesforce: Acme Sales"),
        HealthLine(Health.GOOD, "Last synced:", SOMEDAY),
    ),
    last_accepted_at=SOMEDAY,
    last_day={SENT_TO_DRI: 1_200, SENT_TO_CHANNEL: 3, FAILED: 0, MUTED: 1},
    waiting=0,
    waiting_since=None,
    failed=0,
    reported=0,
)


def day(number: int, to_dri: int = 0, to_channel: int = 0, failed: int = 0, muted: int = 0) -> DayCount:
    return DayCount(number, {SENT_TO_DRI: to_dri, SENT_TO_CHANNEL: to_channel, FAILED: failed, MUTED: muted})


QUIET_DAYS = tuple(day(TODAY - DAYS_COUNTED + 1 + ahead) for ahead in range(DAYS_COUNTED))


def busy_days() -> tuple[DayCount, ...]:
    """Few at weekends, and rising and falling in between."""
    return tuple(_busy_day(TODAY - DAYS_COUNTED + 1 + ahead) for ahead in range(DAYS_COUNTED))


def _busy_day(number: int) -> DayCount:
    weekend = (number + 3) % 7 > 4
    to_dri = 3 if weekend else round(34 + 18 * sin(number / 4))
    return day(number, to_dri, 0 if weekend else 3 + number % 5, 2 if number == TODAY - 11 else 0)


NOTHING_DONE = SetupSteps(0)
QUIET_OVERVIEW = Overview(STATUS, QUIET_DAYS, ALL_STEPS)
ADMIN = HomeState(ACME, True, 0, SALESFORCE, (), URL, SOMEDAY, overview=QUIET_OVERVIEW)
MEMBER = HomeState(ACME, False, 0, None, (), URL, SOMEDAY)


def admin_state(channel: str, signal_channel: str, people: Sequence[str]) -> HomeState:
    """Everything works, and many job changes are delivered."""
    workspace = replace(
        ACME,
        default_channel_id=channel,
        default_channel_is_public=True,
        signal_channels={"new_hires_promotions": signal_channel},
        retention_days=30,
    )
    key = ListedKey("bearer", SOMEDAY - 20 * DAY_MS, people[0], None)
    overview = Overview(replace(STATUS, reported=3), busy_days(), ALL_STEPS)
    ownership = OwnershipState(3, people[0], has_draft=False, unmatched=2)
    member = MemberHome(user_id=people[0], identities=(SalesforceIdentity("alma@acme.example"),), shown_at=SOMEDAY)
    return replace(ADMIN, workspace=workspace, keys=(key,), overview=overview, ownership=ownership, member=member)


def outage(vendor: Vendor = Vendor.SLACK) -> Outage:
    return Outage("T1", vendor, SOMEDAY - 600_000, "HTTP 503 <busy>", 7)


def trouble_state(channel: str, people: Sequence[str]) -> HomeState:
    """Every problem at once."""
    workspace = replace(ACME, default_channel_id=channel, default_channel_problem="it is archived")
    status = replace(STATUS, failed=12)
    broken = replace(SALESFORCE, problem="its login was revoked; connect it again")
    overview = Overview(status, busy_days(), ALL_STEPS)
    return replace(ADMIN, workspace=workspace, waiting=41, salesforce=broken, overview=overview, outages=(outage(),))


def member_state(channel: str) -> HomeState:
    return replace(MEMBER, workspace=replace(ACME, default_channel_id=channel))


def new_state() -> HomeState:
    """Right after the installation: nothing is set up, and one job change already waits."""
    overview = Overview(replace(STATUS, salesforce=()), QUIET_DAYS, NOTHING_DONE)
    workspace = replace(ACME, default_channel_id=None, default_channel_name=None)
    member = MemberHome(user_id="U1", shown_at=SOMEDAY)
    return replace(ADMIN, workspace=workspace, salesforce=None, waiting=1, overview=overview, member=member)
