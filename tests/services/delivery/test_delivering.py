"""The main job, end to end: a job change reaches its DRI, or the default channel with the reason."""

from __future__ import annotations

import pytest
from sqlalchemy import event


@pytest.fixture
async def channel(world):
    return await world.default_channel()


def contact(world, owner, **fields):
    values = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example", "OwnerId": owner} | fields
    return world.salesforce.add("Contact", **values)


async def test_the_owner_of_the_contact_is_notified_by_direct_message(world, channel):
    """The owner is found in Slack by their email address, and the message says why they get it."""
    contact(world, world.add_owner("Dana Reyes"))

    job_change_id = await world.deliver()

    (message,) = world.direct_messages("Dana Reyes")
    assert "Ada Smith joined Globex as CRO" in message.text
    assert "You own Ada Smith in Salesforce." in message.text
    assert world.channel_messages("job-changes") == []
    assert await world.outcome(job_change_id) == ("delivered", "dri", "You own Ada Smith in Salesforce.")


async def test_a_contact_is_found_by_its_id(world, channel):
    """The id that the source sends has priority over the email address."""
    contact_id = contact(world, world.add_owner("Dana Reyes"), Email="other@initech.example")

    await world.deliver(salesforce={"contact_id": contact_id[:15]})

    assert len(world.direct_messages("Dana Reyes")) == 1


@pytest.mark.parametrize("is_contact", [True, False])
async def test_the_decision_links_the_record_that_was_decided_on(world, channel, is_contact):
    """A lead counts, and is linked, only if the person is no contact."""
    dana = world.add_owner("Dana Reyes")
    ada = {"LastName": "Smith", "Email": "ada@initech.example", "OwnerId": dana}
    lead = world.salesforce.add("Lead", Company="Initech", **ada)
    account = world.salesforce.add("Account", Name="Initech", OwnerId=dana)
    found = contact(world, dana, AccountId=account) if is_contact else None

    job_change_id = await world.deliver()

    links = (await world.find(job_change_id)).decision.links
    records = (found, None, account) if found else (None, lead, None)
    assert [links.contact, links.lead, links.account] == [
        f"{world.salesforce.url}/{record}" if record else None for record in records
    ]


async def test_the_owner_of_the_account_is_notified_if_the_contact_owner_cannot_be(world, channel):
    """The next candidate is notified, with a reason of their own."""
    account = world.salesforce.add("Account", Name="Initech", OwnerId=world.add_owner("Kim Lee"))
    contact(world, world.add_owner("Dana Reyes", IsActive=False), AccountId=account)

    await world.deliver()

    (message,) = world.direct_messages("Kim Lee")
    assert "You own Initech in Salesforce, the account of Ada Smith." in message.text
    assert world.direct_messages("Dana Reyes") == []


@pytest.mark.parametrize(
    ("change_type", "sides", "notified", "company"),
    [
        ("new_hire", {"current": "Globex"}, "Kim Lee", "Globex"),
        ("new_hire", {"previous": "Initech", "current": "Globex"}, "Kim Lee", "Globex"),
        ("new_company", {"previous": "Initech", "current": "Globex"}, "Lou Park", "Initech"),
        ("departure", {"previous": "Initech"}, "Lou Park", "Initech"),
    ],
)
async def test_an_unknown_person_goes_to_the_owner_of_the_account_that_the_source_knows(
    world, channel, change_type, sides, notified, company
):
    """No rule is needed. A move goes by the company left, a new hire by the new company."""
    accounts = {
        name: world.salesforce.add("Account", Name=name, OwnerId=world.add_owner(owner))
        for name, owner in {"Globex": "Kim Lee", "Initech": "Lou Park"}.items()
    }
    known = {side: {"company": {"name": name, "salesforce_id": accounts[name]}} for side, name in sides.items()}

    job_change_id = await world.deliver(**{"previous": None, "current": None} | known, change_type=change_type)

    (message,) = world.direct_messages(notified)
    assert f"You own {company} in Salesforce." in message.text
    link = f"{world.salesforce.url}/{accounts['Globex']}" if "current" in sides else None
    assert (await world.find(job_change_id)).decision.links.account == link


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("nobody", "no contact or lead in Salesforce matches this person"),
        ("queue", "the lead's owner, Inbound, is a queue"),
        ("inactive", "the contact's owner, Dana Reyes, is inactive in Salesforce"),
        ("not in slack", "the contact's owner, Dana Reyes, is not in Slack"),
        ("no email", "the contact's owner, Dana Reyes, has no email address in Salesforce"),
        ("deactivated", "the contact's owner, Dana Reyes, is not in Slack"),
    ],
)
async def test_without_a_dri_the_default_channel_gets_the_reason(world, channel, case, why):
    """Each way of not finding a DRI has its own reason."""
    _set_up(world, case)

    job_change_id = await world.deliver()

    (message,) = world.channel_messages("job-changes")
    assert why in message.text
    outcome, sent_to, reason = await world.outcome(job_change_id)
    assert (outcome, sent_to) == ("delivered", "channel")
    assert why in reason


def _set_up(world, case):
    match case:
        case "queue":
            queue = world.salesforce.add("Group", Name="Inbound", Type="Queue")
            lead = {"FirstName": "Ada", "LastName": "Smith", "Company": "Initech", "Email": "ada@initech.example"}
            world.salesforce.add("Lead", OwnerId=queue, **lead)
        case "inactive":
            contact(world, world.add_owner("Dana Reyes", IsActive=False))
        case "not in slack":
            contact(world, world.add_owner("Dana Reyes", in_slack=False))
        case "no email":
            owner = world.add_owner("Dana Reyes", in_slack=False)
            world.salesforce.org.update(owner, Email=None)
            contact(world, owner)
        case "deactivated":
            contact(world, world.add_owner("Dana Reyes"))
            member = next(user for user in world.slack.world.users.values() if user.real_name == "Dana Reyes")
            member.deleted = True


@pytest.mark.both_databases
async def test_a_duplicate_is_delivered_once(world, channel):
    """The same job change sent twice is one row, one delivery and one message."""
    contact(world, world.add_owner("Dana Reyes"))

    first = await world.deliver()
    second = await world.deliver()

    assert first == second
    assert len(world.direct_messages("Dana Reyes")) == 1


async def test_without_a_default_channel_it_waits_and_the_installer_is_notified_once(world):
    """Nothing is lost: the message is sent when a channel is chosen."""
    await world.deliver(source_event_id="1")
    await world.deliver(source_event_id="2")
    notices = [message.text for message in world.direct_messages("Alma Admin")]

    await world.default_channel()
    await world.worker.drain()

    assert len(notices) == 1
    assert "default channel" in notices[0]
    assert len(world.channel_messages("job-changes")) == 1
    assert "2 job changes" in world.channel_messages("job-changes")[0].text


async def test_without_salesforce_the_dri_named_by_the_source_is_notified(world, channel):
    """The source may know the DRI."""
    world.add_owner("Dana Reyes")

    await world.deliver(dri_email="Dana@acme.example")

    (message,) = world.direct_messages("Dana Reyes")
    assert "The source of this job change named you as its DRI." in message.text


async def test_a_workspace_can_post_in_its_channel_only(world, channel):
    """Without direct messages, the channel reads who the DRI would be."""
    contact(world, world.add_owner("Dana Reyes"))
    await world.set_preferences(tell_dris=False)

    await world.deliver()

    assert world.direct_messages("Dana Reyes") == []
    assert "The DRI is Dana Reyes." in world.channel_messages("job-changes")[0].text


async def test_a_workspace_can_copy_everything_to_its_channel(world, channel):
    """The copy says who was notified. The message to the DRI decides the outcome."""
    contact(world, world.add_owner("Dana Reyes"))
    await world.set_preferences(channel_gets="everything")

    job_change_id = await world.deliver()

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert "Dana Reyes was notified by direct message." in world.channel_messages("job-changes")[0].text
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")


async def test_a_person_known_only_by_an_address_is_mentioned(world, channel):
    """A sender named the DRI, whom Salesforce does not know: readers see a name, not an address."""
    kim = world.slack.add_user(world.team, "Kim Lee", "kim.lee@acme.example")
    await world.set_preferences(channel_gets="everything")

    job_change_id = await world.deliver(dri_email="Kim.Lee@acme.example", current={"company": {"name": "a@b.example"}})

    text = world.channel_messages("job-changes")[0].text
    assert f"<@{kim.id}> was notified by direct message." in text
    assert "joined a@b.example" in text
    decision = (await world.find(job_change_id)).decision
    assert decision.nameless_users == {"kim.lee@acme.example": kim.id}


@pytest.mark.parametrize("method", ["users.lookupByEmail", "chat.postMessage"])
async def test_a_rate_limited_call_waits_as_long_as_slack_asked(world, channel, method):
    """Retry-After is respected to the second in the whole workspace, and the message arrives."""
    contact(world, world.add_owner("Dana Reyes"))
    world.slack.faults.add(method, error="ratelimited", status=429, retry_after=30, times=1)
    await world.deliver()
    calls = len(world.slack.calls)

    world.clock.advance(seconds=29)
    await world.worker.drain()
    assert len(world.slack.calls) == calls
    assert world.direct_messages("Dana Reyes") == []
    world.clock.advance(seconds=1.1)
    await world.worker.drain()
    assert len(world.direct_messages("Dana Reyes")) == 1


async def test_messages_for_an_archived_channel_wait(world, channel):
    """The installer is notified once. The next channel gets all of them."""
    world.slack.world.channels[channel].is_archived = True
    await world.deliver(source_event_id="1")
    await world.deliver(source_event_id="2")

    await world.default_channel("rescue")
    await world.worker.drain()

    assert len(world.direct_messages("Alma Admin")) == 1
    assert len(world.channel_messages("rescue")) == 1


async def test_a_direct_message_that_slack_posts_with_a_500_is_sent_once(world, channel):
    """A post in doubt is looked up before it is sent again."""
    contact(world, world.add_owner("Dana Reyes"))
    await world.deliver(source_event_id="warm the conversation up")
    world.clock.advance(seconds=2)
    world.slack.faults.add("chat.postMessage", status=500, perform=True, times=1)
    job_change_id = await world.deliver(source_event_id="in doubt")

    world.clock.advance(seconds=5)
    await world.worker.drain()

    assert len(world.direct_messages("Dana Reyes")) == 2
    assert (await world.outcome(job_change_id))[0] == "delivered"


async def test_during_a_long_salesforce_outage_it_goes_to_the_default_channel(world, channel):
    """After a quarter of an hour, with the reason that the owner could not be looked up."""
    contact(world, world.add_owner("Dana Reyes"))
    world.salesforce.faults.add("*", status=503, times=None)
    job_change_id = await world.deliver()

    for _ in range(20):
        world.clock.advance(seconds=61)
        await world.worker.drain()

    assert "the owner could not be looked up, because Salesforce" in world.channel_messages("job-changes")[0].text
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")


async def test_after_a_short_salesforce_outage_it_goes_to_the_dri(world, channel):
    """The outage delays the message and changes nothing else."""
    contact(world, world.add_owner("Dana Reyes"))
    world.salesforce.faults.add("composite", status=503, times=2)
    await world.deliver()

    for _ in range(5):
        world.clock.advance(seconds=5)
        await world.worker.drain()

    assert len(world.direct_messages("Dana Reyes")) == 1


async def test_a_job_change_is_delivered_with_four_transactions_that_write(world, channel):
    """To claim it, to decide it and count the calls to Salesforce, to claim its lane, and to settle its post."""
    contact(world, world.add_owner("Dana Reyes"))
    await world.deliver()  # fills the caches
    world.clock.advance(seconds=2)
    await world.accept(source_event_id="second")
    engine, commits = world.database.engine, []

    def note_write(connection, _cursor, statement, *_):
        connection.info["writes"] = connection.info.get("writes") or statement.startswith(("INSERT", "UPDATE"))

    event.listen(engine, "before_cursor_execute", note_write)
    event.listen(engine, "commit", lambda connection: commits.append(connection.info.pop("writes", False)))

    await world.worker.drain()

    assert len(world.direct_messages("Dana Reyes")) == 2
    assert sum(commits) == 4
