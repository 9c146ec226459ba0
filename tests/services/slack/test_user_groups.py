"""The members of user groups: cached for some minutes, and every reason why they cannot be read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from domain.decision.reasons import ReasonCode
from domain.errors import TransientError
from services.ownership.choice.availability import Group
from services.ownership.user_groups import CACHED_MS, SCOPE, UserGroups
from store.slack import workspaces
from tests.conftest import Clock
from tests.services.slack.slack_world import SlackWorkspace, open_slack_workspace
from tests.world import installed

LIST = "usergroups.users.list"


@pytest.fixture
async def acme(database, clock) -> AsyncIterator[SlackWorkspace]:
    async with open_slack_workspace(database, clock) as acme:
        yield acme


@pytest.fixture
def groups(acme, clock) -> UserGroups:
    return UserGroups(acme.api, acme.database, clock)


async def test_a_group_is_read_again_after_some_minutes(acme: SlackWorkspace, groups: UserGroups, clock: Clock) -> None:
    """While Slack does not answer, the members read before are used, or it is said that nobody knows them."""
    group = acme.sandbox.add_usergroup(acme.team, "sdrs", [acme.dana.id])
    empty = acme.sandbox.add_usergroup(acme.team, "nobody", [])
    known = Group((acme.dana.id,))

    async def calls(expected: Group) -> int:
        before = len(acme.calls_of(LIST))
        assert await groups.find(acme.id, group.id) == expected
        return len(acme.calls_of(LIST)) - before

    assert [await calls(known), await calls(known)] == [1, 0]
    clock.advance(seconds=CACHED_MS / 1000 - 1)
    assert await calls(known) == 0
    clock.advance(seconds=1)
    acme.sandbox.faults.add(LIST, status=503, times=None)
    assert await calls(known) >= 1
    unknown = await groups.find(acme.id, empty.id)
    assert (unknown.user_ids, unknown.problem and unknown.problem.code) == ((), ReasonCode.NOT_LOOKED_UP)
    with pytest.raises(TransientError):
        await groups.fetch(acme.id, group.id)
    acme.sandbox.faults.active.clear()
    clock.advance(seconds=600)
    assert [await calls(known), await calls(known)] == [1, 0]
    assert await groups.find(acme.id, empty.id) == Group()


async def test_a_group_that_cannot_be_read_says_why(acme: SlackWorkspace, groups: UserGroups) -> None:
    """It is unknown to Slack, the permission is missing, or Slack refuses for another reason."""
    assert await groups.find(acme.id, "S0NOGROUP") == Group(problem=ReasonCode.GROUP_NOT_IN_SLACK.of())
    group = acme.sandbox.add_usergroup(acme.team, "sdrs", [acme.dana.id])
    acme.sandbox.faults.add(LIST, error="missing_scope", times=None)
    await acme.database.run(workspaces.install, installed(acme.id, scopes="chat:write"))
    assert await groups.find(acme.id, group.id) == Group(problem=ReasonCode.GROUP_FORBIDDEN.of())
    assert await groups.handles(acme.id) == {group.id: "sdrs"}
    await acme.database.run(workspaces.install, installed(acme.id, scopes=f"chat:write,{SCOPE}"))
    refused = await groups.find(acme.id, group.id)
    assert refused.problem is not None
    assert refused.problem.code is ReasonCode.NOT_LOOKED_UP
    assert not dict(refused.problem.parameters)["error"].endswith(".")
    acme.sandbox.faults.add("usergroups.list", error="missing_scope", times=None)
    assert await groups.handles(acme.id) == {}
