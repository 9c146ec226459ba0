"""Members, user groups and channels: lookups, fields and pagination."""

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.state import Json


async def refusal(awaitable) -> Json:
    with pytest.raises(SlackApiError) as error:
        await awaitable
    return error.value.response.data


async def pages_of(method, name: str, **arguments: object) -> list[list[str]]:
    """The ids on each page."""
    pages, cursor = [], ""
    while True:
        page = await method(cursor=cursor, **arguments)
        pages.append([item["id"] if isinstance(item, dict) else item for item in page[name]])
        cursor = page["response_metadata"]["next_cursor"]
        if not cursor:
            return pages


async def test_a_member_is_found_by_email_in_any_case(acme) -> None:
    """The response has the whole member."""
    answer = await acme.client.users_lookupByEmail(email="Dana@ACME.example")
    assert answer["user"]["id"] == acme.dana.id
    assert answer["user"]["profile"]["email"] == "dana@acme.example"
    assert answer["user"]["is_admin"] is True


@pytest.mark.parametrize("email", ["nobody@acme.example", "gone@acme.example", "ada@globex.example"])
async def test_unknown_deactivated_and_foreign_members_are_not_found_by_email(acme, email: str) -> None:
    """https://docs.slack.dev/reference/methods/users.lookupByEmail"""
    acme.slack.add_user(acme.team, "Gone Person", "gone@acme.example", deleted=True)
    acme.slack.add_user(acme.slack.add_team("Globex"), "Ada Smith", "ada@globex.example")
    assert (await refusal(acme.client.users_lookupByEmail(email=email)))["error"] == "users_not_found"


async def test_an_email_requires_its_scope(acme) -> None:
    """Without `users:read.email` a member's profile has no email."""
    acme.slack.world.tokens[acme.token].scopes.discard("users:read.email")
    user = (await acme.client.users_info(user=acme.dana.id))["user"]
    assert "email" not in user["profile"]


async def test_a_deactivated_member_has_no_roles_and_no_time_zone(acme) -> None:
    """An unknown id is `user_not_found`."""
    gone = acme.slack.add_user(acme.team, "Gone Person", "gone@acme.example", deleted=True, is_admin=True)
    user = (await acme.client.users_info(user=gone.id))["user"]
    assert user["deleted"] is True
    assert not {"is_admin", "tz"} & user.keys()
    assert (await refusal(acme.client.users_info(user="U404")))["error"] == "user_not_found"


async def test_guests_and_external_members_are_marked(acme) -> None:
    """A single-channel guest has two flags, a person from another company has `is_stranger`."""
    guest = acme.slack.add_user(acme.team, "A Guest", is_ultra_restricted=True)
    stranger = acme.slack.add_user(acme.team, "A Stranger", is_stranger=True)
    guest_user = (await acme.client.users_info(user=guest.id))["user"]
    assert (guest_user["is_restricted"], guest_user["is_ultra_restricted"]) == (True, True)
    assert (await acme.client.users_info(user=stranger.id))["user"]["is_stranger"] is True


async def test_the_list_of_members_includes_deactivated_members_and_bots(acme) -> None:
    """Callers of `users.list` have to filter them."""
    gone = acme.slack.add_user(acme.team, "Gone Person", deleted=True)
    robot = acme.slack.add_user(acme.team, "Another App", bot_id="B404")
    bot = acme.slack.world.bots[acme.team.id]
    assert await pages_of(acme.client.users_list, "members", limit=2) == [
        [acme.dana.id, bot],
        [gone.id, robot.id],
    ]


async def test_a_large_workspace_requires_a_limit(acme) -> None:
    """Slack does not list all members of a large workspace at once."""
    for number in range(2_000):
        acme.slack.add_user(acme.team, f"Member {number}")
    assert (await refusal(acme.client.users_list()))["error"] == "limit_required"
    assert len((await acme.client.users_list(limit=200))["members"]) == 200


async def test_archived_channels_are_removed_after_the_page_is_cut(acme) -> None:
    """Pages before the last one may be short or empty: https://docs.slack.dev/reference/methods/conversations.list"""
    ids = [acme.slack.add_channel(acme.team, f"c{number}", is_archived=number in (1, 2, 3)).id for number in range(5)]
    pages = await pages_of(acme.client.conversations_list, "channels", limit=2, exclude_archived=True)
    assert pages == [[ids[0]], [], [ids[4]]]


async def test_private_channels_are_listed_only_if_the_bot_is_a_member(acme) -> None:
    """Other private channels are invisible to the bot."""
    public = acme.slack.add_channel(acme.team, "general")
    mine = acme.slack.add_channel(acme.team, "deals", is_private=True, is_member=True)
    acme.slack.add_channel(acme.team, "board", is_private=True)

    listed = await acme.client.conversations_list(types="public_channel,private_channel")
    assert [channel["id"] for channel in listed["channels"]] == [public.id, mine.id]
    assert [(c["is_private"], c["is_member"]) for c in listed["channels"]] == [(False, False), (True, True)]

    joined = await acme.client.users_conversations(types="public_channel,private_channel")
    assert [channel["id"] for channel in joined["channels"]] == [mine.id]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"limit": 1000}, "invalid_limit"),
        ({"limit": "many"}, "invalid_limit"),
        ({"cursor": "nonsense"}, "invalid_cursor"),
        ({"cursor": "bmV4dDo5OTk5"}, "invalid_cursor"),
        ({"types": "secret_channel"}, "invalid_types"),
    ],
)
async def test_invalid_arguments_of_a_list_are_rejected(acme, arguments: dict[str, object], error: str) -> None:
    """The error names the argument."""
    call = acme.client.api_call("conversations.list", params=arguments)
    assert (await refusal(call))["error"] == error


async def test_listing_private_channels_requires_its_own_scope(acme) -> None:
    """Private channels require `groups:read`; public ones do not."""
    acme.slack.world.tokens[acme.token].scopes.discard("groups:read")
    error = await refusal(acme.client.conversations_list(types="public_channel,private_channel"))
    assert (error["error"], error["needed"]) == ("missing_scope", "groups:read")
    assert (await acme.client.conversations_list())["ok"]


async def test_a_channel_that_the_bot_can_see_is_described(acme) -> None:
    """`conversations.info` returns its flags; a hidden channel is `channel_not_found`."""
    shared = acme.slack.add_channel(acme.team, "with-globex", is_ext_shared=True, is_archived=True)
    hidden = acme.slack.add_channel(acme.team, "board", is_private=True)
    channel = (await acme.client.conversations_info(channel=shared.id))["channel"]
    assert (channel["is_ext_shared"], channel["is_archived"], channel["is_member"]) == (True, True, False)
    for missing in (hidden.id, "C404"):
        assert (await refusal(acme.client.conversations_info(channel=missing)))["error"] == "channel_not_found"


async def test_the_bot_can_join_public_channels_only(acme) -> None:
    """It cannot join private or archived channels."""
    public = acme.slack.add_channel(acme.team, "general", members=[acme.dana.id])
    archived = acme.slack.add_channel(acme.team, "old", is_archived=True)
    private = acme.slack.add_channel(acme.team, "deals", is_private=True, is_member=True)
    bot = acme.slack.world.bots[acme.team.id]

    assert (await acme.client.conversations_join(channel=public.id))["channel"]["is_member"]
    assert await pages_of(acme.client.conversations_members, "members", channel=public.id, limit=1) == [
        [acme.dana.id],
        [bot],
    ]
    assert (await refusal(acme.client.conversations_join(channel=archived.id)))["error"] == "is_archived"
    error = await refusal(acme.client.conversations_join(channel=private.id))
    assert error["error"] == "method_not_supported_for_channel_type"


async def test_a_direct_message_can_be_opened_with_an_active_person_only(acme) -> None:
    """Deactivated people, bots and unknown ids have their own errors."""
    gone = acme.slack.add_user(acme.team, "Gone Person", deleted=True)
    bot = acme.slack.world.bots[acme.team.id]
    opened = await acme.client.conversations_open(users=acme.dana.id)
    posted = await acme.client.chat_postMessage(channel=acme.dana.id, text="hello")
    assert posted["channel"] == opened["channel"]["id"]
    full = await acme.client.conversations_open(channel=opened["channel"]["id"], return_im=True)
    assert full["channel"]["user"] == acme.dana.id
    for user, error in ((gone.id, "user_disabled"), (bot, "cannot_dm_bot"), ("U404", "user_not_found")):
        assert (await refusal(acme.client.conversations_open(users=user)))["error"] == error
    assert (await refusal(acme.client.conversations_open(users="")))["error"] == "users_list_not_supplied"


async def test_a_user_group_lists_its_members(acme) -> None:
    """A disabled group is not listed, and its members are not returned."""
    sales = acme.slack.add_usergroup(acme.team, "sales", [acme.dana.id])
    disabled = acme.slack.add_usergroup(acme.team, "disabled")
    disabled.disabled = True
    listed = (await acme.client.usergroups_list(include_users=True))["usergroups"]
    assert [(group["handle"], group["users"]) for group in listed] == [("sales", [acme.dana.id])]
    assert (await acme.client.usergroups_users_list(usergroup=sales.id))["users"] == [acme.dana.id]
    error = await refusal(acme.client.usergroups_users_list(usergroup=disabled.id))
    assert error["error"] == "no_such_subteam"


async def test_team_info_and_bots_info_describe_the_caller(acme) -> None:
    """They need no arguments for that."""
    assert (await acme.client.team_info())["team"]["domain"] == "acme"
    assert (await acme.client.bots_info())["bot"]["user_id"] == acme.slack.world.bots[acme.team.id]
