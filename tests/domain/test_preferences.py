"""The table of preferences: it agrees with the database, with the types that hold the values, and with the docs."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from domain.notification_hours import NotificationHours
from domain.preferences import MEMBER_PREFERENCES, POSTS_PER_MINUTE, RETENTION, TELL_DRIS, WORKSPACE_PREFERENCES
from domain.workspace import Workspace
from store.schema import workspaces

EVERY = (*WORKSPACE_PREFERENCES, *MEMBER_PREFERENCES)


@pytest.mark.parametrize("row", WORKSPACE_PREFERENCES, ids=lambda row: row.name)
def test_the_default_is_what_a_new_workspace_has(row):
    """The database stores it."""
    default = workspaces.c[row.name].server_default
    stored = {"true": "True", None: "None"}.get(default and str(default.arg), default and str(default.arg))

    assert row.name in Workspace.__dataclass_fields__
    assert stored == str(row.default)
    assert row.default in row.values


@pytest.mark.parametrize("row", MEMBER_PREFERENCES, ids=lambda row: row.name)
def test_the_default_is_what_a_new_member_has(row):
    """NotificationHours are their preferences."""
    assert {field.name: field.default for field in fields(NotificationHours)}[row.name] == row.default


@pytest.mark.parametrize("row", EVERY, ids=lambda row: row.name)
def test_every_value_can_be_chosen_by_its_text(row):
    """A text that is not offered, as in a forged request, is refused."""
    assert [row.parse(text) for text in row.choices()] == list(row.values)
    with pytest.raises(ValueError, match="everybody"):
        row.parse("everybody")


def test_a_stored_number_that_is_not_offered_any_more_is_shown():
    """It stays until something else is chosen."""
    assert POSTS_PER_MINUTE.choices(77) == {
        "30": "30",
        "60": "60",
        "77": "77",
        "120": "120",
        "300": "300",
        "600": "600",
    }
    assert RETENTION.choices(None) == RETENTION.choices()
    assert TELL_DRIS.choices(True) == TELL_DRIS.choices()


def test_the_documentation_lists_every_preference():
    """`docs/slack.md` has its label, its choices, its default and who changes it."""
    lines = Path("docs/slack.md").read_text().splitlines()

    assert [line_of(row) for row in EVERY if line_of(row) not in lines] == []


def line_of(row) -> str:
    choices = " · ".join(row.choices().values()) or "a time"
    default = "none" if row.default is None and not row.values else row.label_of(row.default)
    changed_by = "admins" if row in WORKSPACE_PREFERENCES else "each member"
    return f"| {row.label} | {choices} | {default} | {changed_by} |"
