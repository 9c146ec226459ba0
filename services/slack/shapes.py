"""The parts of Slack's objects that the app uses. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from domain.errors import TransientError

Json = dict[str, Any]


@dataclass(frozen=True)
class Posted:
    """Where a message is. For a direct message, `channel` is its D… id, not the user's id."""

    channel: str
    ts: str


@dataclass(frozen=True)
class Identity:
    """The identity behind a token, from auth.test. `scopes` is empty if Slack did not list them."""

    team_id: str
    team_name: str
    bot_user_id: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class ChannelInfo:
    """https://docs.slack.dev/reference/objects/conversation-object"""

    id: str
    name: str
    is_private: bool
    is_archived: bool
    is_member: bool
    is_ext_shared: bool

    @classmethod
    def of(cls, raw: Json) -> Self:
        """Parse Slack's conversation object. A missing flag counts as false."""
        flags = ("is_private", "is_archived", "is_member", "is_ext_shared")
        return cls(text_of(raw, "id"), text_of(raw, "name"), *(raw.get(flag) is True for flag in flags))


@dataclass(frozen=True)
class SlackUser:
    """
    https://docs.slack.dev/reference/objects/user-object

    `team_ids` has the workspaces and the organization that the user belongs to. `email` is in lower case, None if Slack
    did not include it. `tz` is a time zone name such as "Europe/Oslo".
    """

    id: str
    name: str = field(repr=False)
    email: str | None = field(repr=False)
    team_ids: frozenset[str]
    is_admin: bool
    is_bot: bool
    is_guest: bool
    is_stranger: bool
    deleted: bool
    tz: str | None = None

    @classmethod
    def of(cls, raw: Json) -> Self:
        """Parse Slack's user object. Raises TransientError if it is not one."""
        profile = raw.get("profile")
        profile = profile if isinstance(profile, dict) else {}
        email, tz = profile.get("email"), raw.get("tz")
        return cls(
            id=text_of(raw, "id"),
            name=str(profile.get("real_name") or raw.get("real_name") or raw.get("name") or ""),
            email=email.strip().lower() if isinstance(email, str) and email.strip() else None,
            team_ids=_teams_of(raw),
            is_admin=_is_admin(raw) or _is_admin(_enterprise_user(raw)),
            is_bot=raw.get("is_bot") is True or raw.get("id") == "USLACKBOT",
            is_guest=raw.get("is_restricted") is True or raw.get("is_ultra_restricted") is True,
            is_stranger=raw.get("is_stranger") is True,
            deleted=raw.get("deleted") is True,
            tz=tz if isinstance(tz, str) else None,
        )


def text_of(raw: Json, name: str) -> str:
    """Return a required text field. Raises TransientError if it is missing."""
    value = raw.get(name)
    if not isinstance(value, str):
        raise TransientError(f"Slack's response has no {name}")
    return value


def _is_admin(raw: Json) -> bool:
    return any(raw.get(flag) is True for flag in ("is_admin", "is_owner", "is_primary_owner"))


def _enterprise_user(raw: Json) -> Json:
    """The user in their Enterprise Grid organization, empty if they have none."""
    user = raw.get("enterprise_user")
    return user if isinstance(user, dict) else {}


def _teams_of(raw: Json) -> frozenset[str]:
    user = _enterprise_user(raw)
    teams = user.get("teams")
    ids = [raw.get("team_id"), user.get("enterprise_id"), *(teams if isinstance(teams, list) else [])]
    return frozenset(team for team in ids if isinstance(team, str) and team)
