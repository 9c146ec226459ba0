"""People and channels: who is found, what is told of them, and how long lists are paged."""

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.state import Json


async def refusal(awaitable) -> Json:
    with pytest.raises(SlackApiError) as refused:
        await awaitable
    return refused.value.response.data


async def pages_of(method, name: str, **arguments: object) -> list[list[str]]:
    """The ids on each page, until there is no next cursor."""
    pages, cursor = [], ""
    while True:
        page = await method(cursor=cursor, **arguments)
        pages.append([item["id"] if isinstance(item, dict) else item for item in page[name]])
        cursor = page["response_metadata"]["next_cursor"]
        if not cursor:
            return pages


async def test_a_member_is_found_by_e_mail_whatever_its_case(office) -> None:
    """Slack's look-up ignores case and answers with the whole member."""
    found = await office.client.users_lookupByEmail(email="Dana@ACME.example")
    assert found["user"]["id"] == office.dana.id
    assert found["user"]["profile"]["email"] == "dana@acme.example"
    assert found["user"]["is_admin"] is True


@pytest.mark.parametrize("email", ["nobody@acme.example", "gone@acme.example", "ada@globex.example"])
async def test_who_is_unknown_deactivated_or_elsewhere_is_not_found_by_e_mail(office, email: str) -> None:
    """https://docs.slack.dev/reference/methods/users.lookupByEmail"""
    office.slack.add_user(office.team, "Gone Person", "gone@acme.example", deleted=True)
    office.slack.add_user(office.slack.add_team("Globex"), "Ada Smith", "ada@globex.example")
    assert (await refusal(office.client.users_lookupByEmail(email=email)))["error"] == "users_not_found"


async def test_an_e_mail_is_told_only_to_who_may_read_it(office) -> None:
    """Without `users:read.email` a member's profile has no address."""
    office.slack.world.tokens[office.token].scopes.discard("users:read.email")
    user = (await office.client.users_info(user=office.dana.id))["user"]
    assert "email" not in user["profile"]


async def test_a_deactivated_member_has_lost_roles_and_time_zone(office) -> None:
    """Slack sends neither for a deleted member, and `user_not_found` for one who never was."""
    gone = office.slack.add_user(office.team, "Gone Person", "gone@acme.example", deleted=True, is_admin=True)
    user = (await office.client.users_info(user=gone.id))["user"]
    assert user["deleted"] is True
    assert not {"is_admin", "tz"} & user.keys()
    assert (await refusal(office.client.users_info(user="U404")))["error"] == "user_not_found"


async def test_guests_and_strangers_say_so(office) -> None:
    """A single-channel guest is marked twice, a person of another company as a stranger."""
    guest = office.slack.add_user(office.team, "A Guest", is_ultra_restricted=True)
    stranger = office.slack.add_user(office.team, "A Stranger", is_stranger=True)
    guest_user = (await office.client.users_info(user=guest.id))["user"]
    assert (guest_user["is_restricted"], guest_user["is_ultra_restricted"]) == (True, True)
    assert (await office.client.users_info(user=stranger.id))["user"]["is_stranger"] is True


async def test_the_list_of_members_has_the_deactivated_and_the_bots_in_it(office) -> None:
    """`users.list` leaves nobody out: whoever reads it has to sort them out."""
    gone = office.slack.add_user(office.team, "Gone Person", deleted=True)
    robot = office.slack.add_user(office.team, "Another App", bot_id="B404")
    bot = office.slack.world.bots[office.team.id]
    assert await pages_of(office.client.users_list, "members", limit=2) == [[office.dana.id, bot], [gone.id, robot.id]]


async def test_a_large_workspace_lists_its_members_only_by_the_page(office) -> None:
    """Slack refuses to list everybody at once where there are too many."""
    for number in range(2_000):
        office.slack.add_user(office.team, f"Member {number}")
    assert (await refusal(office.client.users_list()))["error"] == "limit_required"
    assert len((await office.client.users_list(limit=200))["members"]) == 200


async def test_archived_channels_are_left_out_after_the_page_is_cut(office) -> None:
    """Pages may be short or empty with more to come: https://docs.slack.dev/reference/methods/conversations.list"""
    ids = [
        office.slack.add_channel(office.team, f"c{number}", is_archived=number in (1, 2, 3)).id for number in range(5)
    ]
    pages = await pages_of(office.client.conversations_list, "channels", limit=2, exclude_archived=True)
    assert pages == [[ids[0]], [], [ids[4]]]


async def test_private_channels_are_listed_only_where_the_bot_is_a_member(office) -> None:
    """A private channel is invisible to a bot that nobody invited."""
    public = office.slack.add_channel(office.team, "general")
    mine = office.slack.add_channel(office.team, "deals", is_private=True, is_member=True)
    office.slack.add_channel(office.team, "board", is_private=True)

    listed = await office.client.conversations_list(types="public_channel,private_channel")
    assert [channel["id"] for channel in listed["channels"]] == [public.id, mine.id]
    assert [(c["is_private"], c["is_member"]) for c in listed["channels"]] == [(False, False), (True, True)]

    joined = await office.client.users_conversations(types="public_channel,private_channel")
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
async def test_a_list_refuses_what_it_does_not_understand(office, arguments: dict[str, object], error: str) -> None:
    """A page too large, a cursor or a kind that never was: Slack names the argument."""
    call = office.client.api_call("conversations.list", params=arguments)
    assert (await refusal(call))["error"] == error


async def test_listing_private_channels_needs_its_own_scope(office) -> None:
    """Asking for private channels takes `groups:read`; public ones alone do not."""
    office.slack.world.tokens[office.token].scopes.discard("groups:read")
    error = await refusal(office.client.conversations_list(types="public_channel,private_channel"))
    assert (error["error"], error["needed"]) == ("missing_scope", "groups:read")
    assert (await office.client.conversations_list())["ok"]


async def test_a_channel_is_described_unless_it_is_hidden_from_the_bot(office) -> None:
    """`conversations.info` says whether a channel is archived, shared or joined, and does not know hidden ones."""
    shared = office.slack.add_channel(office.team, "with-globex", is_ext_shared=True, is_archived=True)
    hidden = office.slack.add_channel(office.team, "board", is_private=True)
    channel = (await office.client.conversations_info(channel=shared.id))["channel"]
    assert (channel["is_ext_shared"], channel["is_archived"], channel["is_member"]) == (True, True, False)
    for missing in (hidden.id, "C404"):
        assert (await refusal(office.client.conversations_info(channel=missing)))["error"] == "channel_not_found"


async def test_the_bot_joins_public_channels_alone(office) -> None:
    """A private or archived channel cannot be joined by the bot itself."""
    public = office.slack.add_channel(office.team, "general", members=[office.dana.id])
    archived = office.slack.add_channel(office.team, "old", is_archived=True)
    private = office.slack.add_channel(office.team, "deals", is_private=True, is_member=True)
    bot = office.slack.world.bots[office.team.id]

    assert (await office.client.conversations_join(channel=public.id))["channel"]["is_member"]
    assert await pages_of(office.client.conversations_members, "members", channel=public.id, limit=1) == [
        [office.dana.id],
        [bot],
    ]
    assert (await refusal(office.client.conversations_join(channel=archived.id)))["error"] == "is_archived"
    error = await refusal(office.client.conversations_join(channel=private.id))
    assert error["error"] == "method_not_supported_for_channel_type"


async def test_a_direct_message_is_opened_with_a_living_person_only(office) -> None:
    """Deactivated people, bots and unknown ids each have their own error."""
    gone = office.slack.add_user(office.team, "Gone Person", deleted=True)
    bot = office.slack.world.bots[office.team.id]
    opened = await office.client.conversations_open(users=office.dana.id)
    posted = await office.client.chat_postMessage(channel=office.dana.id, text="hello")
    assert posted["channel"] == opened["channel"]["id"]
    full = await office.client.conversations_open(channel=opened["channel"]["id"], return_im=True)
    assert full["channel"]["user"] == office.dana.id
    for user, error in ((gone.id, "user_disabled"), (bot, "cannot_dm_bot"), ("U404", "user_not_found")):
        assert (await refusal(office.client.conversations_open(users=user)))["error"] == error
    assert (await refusal(office.client.conversations_open(users="")))["error"] == "users_list_not_supplied"


async def test_a_user_group_names_its_members(office) -> None:
    """A disabled group is not listed and has no members to tell."""
    group = office.slack.add_usergroup(office.team, "sales", [office.dana.id])
    asleep = office.slack.add_usergroup(office.team, "asleep")
    asleep.disabled = True
    listed = (await office.client.usergroups_list(include_users=True))["usergroups"]
    assert [(shown["handle"], shown["users"]) for shown in listed] == [("sales", [office.dana.id])]
    assert (await office.client.usergroups_users_list(usergroup=group.id))["users"] == [office.dana.id]
    error = await refusal(office.client.usergroups_users_list(usergroup=asleep.id))
    assert error["error"] == "no_such_subteam"


async def test_the_workspace_and_the_bot_describe_themselves(office) -> None:
    """`team.info` and `bots.info` need no argument to answer about the caller."""
    assert (await office.client.team_info())["team"]["domain"] == "acme"
    assert (await office.client.bots_info())["bot"]["user_id"] == office.slack.world.bots[office.team.id]


async def test_an_organisations_token_says_which_workspace_it_means(office) -> None:
    """https://docs.slack.dev/reference/methods/users.list: team_id is "required if org token is used"."""
    slack = office.slack
    west = slack.add_team("Globex West", enterprise_id="E1", enterprise_name="Globex")
    east = slack.add_team("Globex East", enterprise_id="E1", enterprise_name="Globex")
    ada, ben = slack.add_user(west, "Ada Smith"), slack.add_user(east, "Ben Jones")
    client = office.as_bot(slack.install(west.id, ada.id, org_wide=True))

    assert (await refusal(client.users_list(limit=10)))["error"] == "missing_argument"
    assert ben.id in {user["id"] for user in (await client.users_list(limit=10, team_id=east.id))["members"]}
    assert (await refusal(client.users_list(limit=10, team_id=office.team.id)))["error"] == "team_not_found"
    assert (await client.chat_postMessage(channel=ben.id, text="hello"))["message"]["team"] == east.id
    assert (await client.auth_test())["is_enterprise_install"] is True
