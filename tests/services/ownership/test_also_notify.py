"""Rules can inform others in addition to the DRI: once each, without the duty to act."""

from __future__ import annotations

import pytest

from domain.audit import AuditEntry
from domain.decision.sentences import candidate_result
from sandbox.salesforce.schema import Field
from services.ownership.rules.descriptions import describe_rule
from services.ownership.rules.issues import InvalidRulesError
from services.ownership.rules.rule_set import RuleSet
from store.ownership import owners
from tests.services.ownership.test_routing_by_rules import owner_of, publish, rule, rulebook

SLACK_CHANNEL = {"source": "channel_field", "field": "Account.Slack_Channel__c"}


@pytest.fixture
async def deal_room(world):
    """Dana owns Ada's contact, Kim its account Initech, whose field names the channel #initech."""
    await world.default_channel()
    world.slack.add_channel(world.team, "initech")
    world.salesforce.org.add_field("Account", Field("Slack_Channel__c"))
    dana, kim = world.add_owner("Dana Reyes"), world.add_owner("Kim Lee")
    account = world.salesforce.add("Account", Name="Initech", OwnerId=kim, Slack_Channel__c="#Initech ")
    ada = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example"}
    world.salesforce.add("Contact", OwnerId=dana, AccountId=account, **ada)
    return world


async def inform(world, *sources, tell=None, **parts):
    tell = tell or [owner_of("contact")]
    await publish(world, rule("Left a customer", tell, when={"side": "past"}, also_notify=list(sources), **parts))
    return await world.deliver()


async def test_owners_and_the_channel_of_the_account_are_informed_once(deal_room):
    """They read who the DRI is, and have no buttons for what only the DRI may do."""
    job_change_id = await inform(
        deal_room, owner_of("account"), owner_of("account"), SLACK_CHANNEL, owner_of("contact")
    )

    (to_dana,), (to_kim,) = deal_room.direct_messages("Dana Reyes"), deal_room.direct_messages("Kim Lee")
    (in_channel,) = deal_room.channel_messages("initech")
    assert "You own Ada Smith in Salesforce." in to_dana.text
    fyi = "FYI, Dana Reyes is the DRI. The rule “Left a customer” also informs you."
    assert fyi in to_kim.text
    assert fyi in in_channel.text
    assert "delivery_take" in str(to_dana.blocks)
    assert "delivery_take" not in str(to_kim.blocks) + str(in_channel.blocks)
    assert deal_room.channel_messages("job-changes") == []
    assert (await deal_room.outcome(job_change_id))[:2] == ("delivered", "dri")
    decision = (await deal_room.find(job_change_id)).decision
    assert [candidate_result(row) for row in decision.considered][:2] == ["notified (matched by email)", "informed"]


async def test_without_a_dri_they_read_that_there_is_none(deal_room):
    """The default channel still gets the job change to claim."""
    await inform(deal_room, owner_of("account"), tell=[{"source": "sender"}])

    assert "FYI, no DRI was found." in deal_room.direct_messages("Kim Lee")[0].text
    assert "No DRI found" in deal_room.channel_messages("job-changes")[0].text


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("see the wiki, please", "is not the id or name of a Slack channel"),
        (None, "is not set or not visible to the app"),
    ],
)
async def test_a_field_without_a_channel_is_skipped_with_the_reason(deal_room, value, result):
    """The DRI is notified as usual."""
    kim = deal_room.add_owner("Sue Park")
    hooli = deal_room.salesforce.add("Account", Name="Hooli", OwnerId=kim, Slack_Channel__c=value)
    deal_room.salesforce.add("Contact", LastName="Ray", Email="bob@hooli.example", OwnerId=kim, AccountId=hooli)
    await publish(deal_room, rule("All", [owner_of("contact")], when={"side": "past"}, also_notify=[SLACK_CHANNEL]))

    job_change_id = await deal_room.deliver(person={"full_name": "Bob Ray", "emails": ["bob@hooli.example"]})

    assert len(deal_room.direct_messages("Sue Park")) == 1
    results = [candidate_result(row) for row in (await deal_room.find(job_change_id)).decision.considered]
    assert results[-1] == result


async def test_a_channel_that_does_not_exist_costs_only_the_copy(deal_room):
    """Neither the DRI nor the default channel is disturbed."""
    room = next(channel for channel in deal_room.slack.world.channels.values() if channel.name == "initech")
    room.name = "renamed"

    job_change_id = await inform(deal_room, SLACK_CHANNEL)

    assert (await deal_room.outcome(job_change_id))[:2] == ("delivered", "dri")
    assert deal_room.channel_messages("job-changes") == []


async def test_somebody_informed_who_is_not_in_slack_is_no_unmatched_owner(deal_room):
    """They missed nothing: an admin who links them sends no card as if they were the DRI."""
    gone = deal_room.add_owner("Ivan Petrov", in_slack=False)
    account = deal_room.salesforce.add("Account", Name="Hooli", OwnerId=gone)
    deal_room.salesforce.add("Contact", LastName="Ray", Email="bob@hooli.example", OwnerId=gone, AccountId=account)

    await inform(deal_room, owner_of("account"), tell=[{"source": "sender"}])
    await deal_room.database.run(
        owners.link, deal_room.workspace_id, "ivan@acme.example", "U1", AuditEntry(0, "U1", "linked", "")
    )

    assert await deal_room.database.run(owners.unmatched, deal_room.workspace_id) == []


async def test_the_rules_are_checked_and_described(deal_room):
    """Fields must exist, and pools take turns, so that nobody can be informed by one."""
    parsed = RuleSet.parse(
        {"rules": [rule("A", [owner_of("contact")], also_notify=[owner_of("account"), SLACK_CHANNEL])]}
    )
    text = "notify the contact owner, and inform the account owner and the channel in the account's Slack Channel"
    assert describe_rule(parsed.rules[0]).endswith(text)
    wrong = {"source": "channel_field", "field": "Account.Nothing__c"}
    rules = RuleSet.parse({"rules": [rule("A", [owner_of("contact")], also_notify=[wrong])]})
    result = await rulebook(deal_room).publish(deal_room.workspace_id, "U_ADMIN", rules, None)
    assert [issue.path for issue in result.issues] == ["rules.0.also_notify.0.field"]
    with pytest.raises(InvalidRulesError):
        RuleSet.parse({"rules": [rule("A", [owner_of("contact")], also_notify=[{"source": "pool", "pool": "X"}])]})
    assert "also_notify" not in RuleSet.parse({"rules": [rule("A", [owner_of("contact")])]}).to_json()
