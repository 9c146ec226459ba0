"""The parts of Slack's objects that the app uses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from domain.errors import TransientError
from domain.workspace import SlackTeam

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Posted:
    """Where a message is. For a direct message, `channel` is its D… id, not the user's id."""

    channel: str
    ts: str

    @classmethod
    def of(cls, answer: Json) -> Self:
        """Parse Slack's response to a write. Raises TransientError in doubt, because the write was performed."""
        channel, ts = answer.get("channel"), answer.get("ts")
        if not (isinstance(channel, str) and channel and isinstance(ts, str) and ts):
            raise TransientError("Slack did not return the message's channel and timestamp", in_doubt=True)
        return cls(channel, ts)


@dataclass(frozen=True)
class Identity:
    """The identity behind a token, from auth.test. `scopes` is empty if Slack did not list them."""

    team_id: str
    team_name: str
    bot_user_id: str
    scopes: frozenset[str]

    @classmethod
    def of(cls, answer: Json, granted: str) -> Self:
        """Read the answer of auth.test. `granted` has the scopes, separated by commas."""
        scopes = frozenset(scope.strip() for scope in granted.split(",") if scope.strip())
        team_id = str(answer.get("team_id") or answer.get("enterprise_id") or "")
        return cls(team_id, str(answer.get("team") or ""), str(answer.get("user_id") or ""), scopes)


@dataclass(frozen=True)
class ChannelInfo:
    """
    https://docs.slack.dev/reference/objects/conversation-object

    `team_id` is the workspace that the channel is seen from, None if Slack did not include it.
    """

    id: str
    name: str
    is_private: bool
    is_archived: bool
    is_member: bool
    is_ext_shared: bool
    team_id: str | None = None

    @classmethod
    def of(cls, raw: Json) -> Self:
        """Parse Slack's conversation object. A missing flag counts as false."""
        team_id = raw.get("context_team_id")
        return cls(
            id=text_of(raw, "id"),
            name=text_of(raw, "name"),
            is_private=raw.get("is_private") is True,
            is_archived=raw.get("is_archived") is True,
            is_member=raw.get("is_member") is True,
            is_ext_shared=raw.get("is_ext_shared") is True,
            team_id=team_id if isinstance(team_id, str) else None,
        )


@dataclass(frozen=True)
class SlackUser:
    """
    A user as seen from one of our workspaces: https://docs.slack.dev/reference/objects/user-object

    `is_admin` is for admins and owners of that workspace or of its organization. `is_outsider` is for people of other
    companies, whom Slack shows because of a shared channel, and of other workspaces. `email` is in lower case, None if
    Slack did not include it. `tz` is a time zone name such as "Europe/Oslo".
    """

    id: str
    name: str = field(repr=False)
    email: str | None = field(repr=False)
    is_admin: bool
    is_bot: bool
    is_guest: bool
    is_outsider: bool
    deleted: bool
    tz: str | None = None

    @classmethod
    def of(cls, raw: Json, team: SlackTeam) -> Self:
        """Parse Slack's user object. Raises TransientError if it is not one. `team` is our workspace."""
        profile, tz = part_of(raw, "profile"), raw.get("tz")
        email = profile.get("email")
        # The roles of a user are about one workspace: with the token of a workspace, that one; with the token of an
        # organization, the one in `team_id`.
        is_about_team = raw.get("team_id") == team.id if team.is_org_wide else _is_member(raw, team)
        return cls(
            id=text_of(raw, "id"),
            name=str(profile.get("real_name") or raw.get("real_name") or raw.get("name") or ""),
            email=email.strip().lower() if isinstance(email, str) and email.strip() else None,
            is_admin=_has_role(_org_user(raw, team)) or (is_about_team and _has_role(raw)),
            is_bot=raw.get("is_bot") is True or raw.get("id") == "USLACKBOT",
            is_guest=raw.get("is_restricted") is True or raw.get("is_ultra_restricted") is True,
            is_outsider=raw.get("is_stranger") is True or not _is_member(raw, team),
            deleted=raw.get("deleted") is True,
            tz=tz if isinstance(tz, str) else None,
        )


def text_of(raw: Json, name: str) -> str:
    """Return a required text field. Raises TransientError if it is missing."""
    value = raw.get(name)
    if not isinstance(value, str):
        raise TransientError(f"Slack's response has no {name}")
    return value


def part_of(raw: Mapping[str, Any], *path: str) -> Json:
    """Return the object at this path, or an empty one if there is none."""
    part: object = raw
    for name in path:
        part = part.get(name) if isinstance(part, dict) else None
    return part if isinstance(part, dict) else {}


def items_of(raw: Json, name: str, kind: type[T]) -> list[T]:
    """Return the items of this type in a list; none if the list is missing."""
    value = raw.get(name)
    return [item for item in value if isinstance(item, kind)] if isinstance(value, list) else []


def page_of(answer: Json, method: str, name: str, kind: type[T]) -> list[T]:
    """Return the items of a page. Raises TransientError if they are not a list of this type."""
    page = answer.get(name)
    if not isinstance(page, list) or not all(isinstance(item, kind) for item in page):
        raise TransientError(f"Slack sent an invalid response to {method}")
    return page


def next_cursor(answer: Json) -> str:
    """Return the cursor of the next page, empty after the last one."""
    return str(part_of(answer, "response_metadata").get("next_cursor") or "")


def post_id_of(message: Json) -> object:
    """Return the id of the post that sent this message, from its metadata."""
    return part_of(message, "metadata", "event_payload").get("post_id")


def are_after(messages: list[Json], moment: int) -> bool:
    """Whether even the oldest of these messages, which are newest first, was sent after this time (milliseconds)."""
    return bool(messages) and float(text_of(messages[-1], "ts")) * 1000 > moment


def _has_role(raw: Json) -> bool:
    return any(raw.get(flag) is True for flag in ("is_admin", "is_owner", "is_primary_owner"))


def _is_member(raw: Json, team: SlackTeam) -> bool:
    """Whether the user belongs to the workspace, or to its organization if only that is known."""
    org_user = _org_user(raw, team)
    if team.id is None:
        return bool(org_user)
    teams = org_user.get("teams")
    return raw.get("team_id") == team.id or (isinstance(teams, list) and team.id in teams)


def _org_user(raw: Json, team: SlackTeam) -> Json:
    """The user in the organization of the workspace, empty if they are not in it."""
    user = raw.get("enterprise_user")
    if not isinstance(user, dict) or not isinstance(user.get("enterprise_id"), str):
        return {}
    # A workspace that joined an organization after it installed the app is stored without it.
    is_same = user["enterprise_id"] == team.enterprise_id or (not team.enterprise_id and not team.is_org_wide)
    return user if is_same else {}


def object_of(answer: Json, name: str) -> Json:
    value = answer.get(name)
    if not isinstance(value, dict):
        raise TransientError(f"Slack's response has no {name}")
    return value
