"""Homes in the states that matter, as data: for the tests of what they look like, and for pictures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sin

from domain.day_counts import DAY_MS, DayCount, RecipientCount
from domain.intake_key import ListedKey
from domain.salesforce import WEB_SERVER, SalesforceConnection
from domain.workspace import Workspace
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
        HealthLine(Health.GOOD, "Last answer:", SOMEDAY),
    ),
    last_accepted_at=SOMEDAY,
    last_day={"told_dri": 1_200, "told_channel": 3, "buried": 0, "muted": 1},
    waiting=0,
    waiting_since=None,
    failed=0,
    reported=0,
    silent={},
)


def day(number: int, told_dri: int = 0, told_channel: int = 0, buried: int = 0, muted: int = 0) -> DayCount:
    return DayCount(number, {"told_dri": told_dri, "told_channel": told_channel, "buried": buried, "muted": muted})


QUIET = tuple(day(TODAY - DAYS_COUNTED + 1 + each) for each in range(DAYS_COUNTED))


def busy_month() -> tuple[DayCount, ...]:
    """Quiet at weekends, and a wave in it."""
    return tuple(_busy(TODAY - DAYS_COUNTED + 1 + each) for each in range(DAYS_COUNTED))


def _busy(number: int) -> DayCount:
    weekend = (number + 3) % 7 > 4
    told = 3 if weekend else round(34 + 18 * sin(number / 4))
    return day(number, told, 0 if weekend else 3 + number % 5, 2 if number == TODAY - 11 else 0)


QUIET_OVERVIEW = Overview(STATUS, QUIET, ())
ADMIN = HomeState(ACME, True, 0, SALESFORCE, (), URL, SOMEDAY, overview=QUIET_OVERVIEW)
MEMBER = HomeState(ACME, False, 0, None, (), URL, SOMEDAY)


def admin_state(channel: str, signal_channel: str, people: Sequence[str]) -> HomeState:
    """All is well, and much is told."""
    busiest = tuple(RecipientCount(user, 214 // (place + 1)) for place, user in enumerate(people))
    workspace = replace(
        ACME,
        default_channel_id=channel,
        default_channel_is_public=True,
        signal_channels={"new_hires_promotions": signal_channel},
        retention_days=30,
    )
    key = ListedKey("bearer", SOMEDAY - 20 * DAY_MS, people[0], None)
    overview = Overview(replace(STATUS, reported=3), busy_month(), busiest)
    owned = OwnershipState(3, people[0], has_draft=False, unmatched=2)
    mine = MemberHome(user_id=people[0], known_as=(SalesforceIdentity("alma@acme.example"),), shown_at=SOMEDAY)
    return replace(ADMIN, workspace=workspace, keys=(key,), overview=overview, ownership=owned, mine=mine)


def trouble_state(channel: str, people: Sequence[str]) -> HomeState:
    """Everything that can be wrong at once."""
    workspace = replace(ACME, default_channel_id=channel, default_channel_problem="it is archived")
    status = replace(STATUS, failed=12, silent={"Slack": SOMEDAY - 600_000})
    trouble = replace(SALESFORCE, problem="its login was revoked; connect it again")
    overview = Overview(status, busy_month(), (RecipientCount(people[0], 3),))
    return replace(ADMIN, workspace=workspace, waiting=41, salesforce=trouble, overview=overview)


def empty_state() -> HomeState:
    """As it is right after the installation."""
    return replace(ADMIN, workspace=replace(ACME, default_channel_id=None), salesforce=None)


def member_state(channel: str) -> HomeState:
    return replace(MEMBER, workspace=replace(ACME, default_channel_id=channel))
