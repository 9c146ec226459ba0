"""Routing by ownership rules, end to end: who is notified, with which reason, and what the trace contains."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from domain.audit import AuditEntry
from domain.decision.reasons import ReasonCode
from domain.decision.sentences import candidate_result, for_reader
from domain.job_change.model import JobChange
from domain.people import DEFAULT_KEYS, OwnerLink, OwnerMatching, PersonKey
from sandbox.salesforce.schema import Field, lookup
from services.delivery.worker import Worker, WorkEvents
from services.ownership.rulebook import Rulebook
from services.ownership.rules.rule_set import RuleSet
from services.ownership.simulation import Simulation
from services.ownership.unmatched_owners import LinkResult, UnmatchedOwners
from services.salesforce.refusals import GRANT
from store import audit
from store.database import Database
from store.operations.notify import WorkNotifier
from store.ownership import choice_state, owners
from store.schema import deliveries, job_changes
from tests.world import SCOPES, open_world, sample_job_change

ADMIN = "U_ADMIN"
GLOBEX = {"title": "CRO", "company": {"name": "Globex", "domain": "globex.example"}}


@pytest.fixture
async def channel(world):
    return await world.default_channel()


def rulebook(world):
    return Rulebook(world.database, world.worker.router.decider.schemas, world.clock)


def simulation(world):
    return Simulation(world.database, world.worker.router.decider)


def desk_of(world):
    decider = world.worker.router.decider
    return UnmatchedOwners(world.database, decider.directory, decider.schemas, lambda: None, world.clock)


def rule(name, tell, **parts):
    return {"name": name, "tell": tell, **parts}


def owner_of(record, **parts):
    return {"source": "owner", "of": record, **parts}


async def publish(world, *rules, **parts):
    result = await rulebook(world).publish(
        world.workspace_id, ADMIN, RuleSet.parse({"rules": list(rules), **parts}), None
    )
    assert result.stored, (result.text, result.issues)
    return result


def two_accounts(world):
    """Ada is Dana's contact at Initech, a customer of Kim's; Globex is a target of Omar's, with Sue as its SDR."""
    org = world.salesforce
    org.org.add_field("Account", lookup("SDR__c", "User"))
    dana, kim, omar, sue = (world.add_owner(name) for name in ("Dana Reyes", "Kim Lee", "Omar Diaz", "Sue Park"))
    initech = org.add("Account", Name="Initech", Type="Customer - Direct", OwnerId=kim)
    globex = org.add(
        "Account", Name="Globex Corp", Website="https://www.globex.example/", Type="Target", OwnerId=omar, SDR__c=sue
    )
    contact = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example"}
    org.add("Contact", OwnerId=dana, AccountId=initech, **contact)
    return {"dana": dana, "kim": kim, "omar": omar, "sue": sue, "initech": initech, "globex": globex}


JOINS_TARGET = rule(
    "Joins a target",
    [{"source": "field", "field": "Account.SDR__c"}, owner_of("account")],
    when={"side": "current", "segment": ["target"]},
)
LEAVES_CUSTOMER = rule("Leaves a customer", [owner_of("account")], when={"side": "past", "segment": ["customer"]})


async def test_the_owners_of_both_sides_are_notified(world, channel):
    """The same job change is a risk for one owner and an opportunity for the other."""
    two_accounts(world)
    await publish(world, JOINS_TARGET, LEAVES_CUSTOMER)

    job_change_id = await world.deliver(current=GLOBEX)

    (opportunity,), (risk,) = world.direct_messages("Sue Park"), world.direct_messages("Kim Lee")
    assert "You are the SDR of Globex Corp in Salesforce." in opportunity.text
    assert "Opportunity at Globex" in opportunity.text
    assert "You own Initech in Salesforce." in risk.text
    assert "Risk at Initech" in risk.text
    assert world.direct_messages("Dana Reyes") == world.channel_messages("job-changes") == []
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")


async def test_one_person_on_both_sides_gets_one_message(world, channel):
    """The message has both reasons."""
    org = two_accounts(world)
    world.salesforce.org.update(org["globex"], SDR__c=org["kim"])
    await publish(world, JOINS_TARGET, LEAVES_CUSTOMER)

    await world.deliver(current=GLOBEX)

    (message,) = world.direct_messages("Kim Lee")
    assert message.text.startswith("Ada Smith left Initech and joined Globex as CRO.")
    assert "Risk at Initech, 🌱 Opportunity at Globex" in message.text
    assert "You own Initech in Salesforce. You are the SDR of Globex Corp in Salesforce." in message.text


async def test_the_simplest_rule_sends_one_message(world, channel):
    """The owner gets the job change, and the default channel gets no message that no DRI was found."""
    two_accounts(world)
    await publish(world, rule("Owner", [owner_of("contact")]))

    job_change_id = await world.deliver(current=GLOBEX)

    (message,) = world.direct_messages("Dana Reyes")
    assert world.channel_messages("job-changes") == []
    assert "No DRI found" not in message.text
    decision = (await world.find(job_change_id)).decision
    assert [for_reader(side.reasons) for side in decision.sides] == [
        "You own Ada Smith in Salesforce.",
        "The rule “Owner” notifies Dana Reyes.",
    ]


async def test_a_job_change_known_by_its_linkedin_address_reaches_the_owner(world, channel):
    """The field is one that an admin named. The trace says by which key the contact was found."""
    two_accounts(world)
    org = world.salesforce.org
    org.add_field("Contact", Field("LinkedIn_URL__c", "url"))
    (ada,) = [row["Id"] for row in org.rows(org.sobject("Contact"))]
    org.update(ada, Email=None, LinkedIn_URL__c="https://uk.linkedin.com/in/ada/?x=1")
    keys = (*DEFAULT_KEYS, PersonKey("Contact", "LinkedIn_URL__c", "linkedin"))
    await world.database.run(owners.find_records_by, world.workspace_id, keys, None, AuditEntry(0, ADMIN, "x", ""))

    person = {"full_name": "Ada Smith", "linkedin_url": "https://www.linkedin.com/in/Ada"}
    job_change_id = await world.deliver(current=GLOBEX, person=person)

    assert len(world.direct_messages("Dana Reyes")) == 1
    note = for_reader((await world.find(job_change_id)).decision.notes)
    assert note == f"The contact Ada Smith at Initech ({ada}) was found by LinkedIn URL in LinkedIn_URL__c."


async def test_the_trace_names_every_contact_with_the_address(world, channel):
    """It also says which of them was used, and why."""
    org = two_accounts(world)
    contact = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example"}
    second = world.salesforce.org.add("Contact", OwnerId=org["sue"], **contact)

    job_change_id = await world.deliver(current=GLOBEX)

    assert len(world.direct_messages("Sue Park")) == 1
    notes = [for_reader([note]) for note in (await world.find(job_change_id)).decision.notes]
    assert notes[0] == f"The contact Ada Smith ({second}) was found by email address."
    assert notes[1].startswith(f"2 contacts match: Ada Smith ({second}); Ada Smith at Initech (003")
    assert notes[2].endswith(f"({second}) is used: it matches by email address and was modified last.")


async def test_the_slack_user_in_salesforce_comes_before_the_email_address(world, channel):
    """An admin names the field of User. An id that Slack does not know leaves the email address."""
    org = two_accounts(world)
    world.salesforce.org.add_field("User", Field("Slack_Id__c"))
    omar = next(user.id for user in world.slack.world.users.values() if user.real_name == "Omar Diaz")
    world.salesforce.org.update(org["dana"], Slack_Id__c=omar)
    world.salesforce.org.update(org["kim"], Slack_Id__c="U0GONE")
    change = AuditEntry(0, ADMIN, "x", "")
    await world.database.run(owners.match_by, world.workspace_id, None, {}, "Slack_Id__c", change)
    await publish(world, LEAVES_CUSTOMER, rule("Contact", [owner_of("contact", side="past")], when={"side": "current"}))

    job_change_id = await world.deliver(current=GLOBEX)

    assert len(world.direct_messages("Omar Diaz")) == len(world.direct_messages("Kim Lee")) == 1
    results = [candidate_result(row) for row in (await world.find(job_change_id)).decision.considered]
    assert results == ["notified (matched by email)", "notified (matched by the Slack user ID in Salesforce)"]


async def test_a_manager_is_matched_by_the_slack_user_in_salesforce(world, channel):
    """Like an owner. Nobody in Slack has the manager's email address."""
    org = two_accounts(world)
    world.salesforce.org.add_field("User", Field("Slack_Id__c"))
    kim = next(user.id for user in world.slack.world.users.values() if user.real_name == "Kim Lee")
    world.salesforce.org.update(org["kim"], Slack_Id__c=kim, Email="kim@elsewhere.example")
    world.salesforce.org.update(org["dana"], ManagerId=org["kim"])
    change = AuditEntry(0, ADMIN, "x", "")
    await world.database.run(owners.match_by, world.workspace_id, None, {}, "Slack_Id__c", change)
    await publish(world, rule("Manager", [{"source": "manager", "of": owner_of("contact")}]))

    await world.deliver(current=GLOBEX)

    assert len(world.direct_messages("Kim Lee")) == 1


@pytest.mark.parametrize(
    ("choice", "name"), [("newest", "Sue Park"), ("largest", "Omar Diaz"), ("next_to_close", "Kim Lee")]
)
async def test_the_owner_of_the_contacts_own_opportunity_is_notified(world, channel, choice, name):
    """It is one in which the contact has a role. The workspace says which of several open ones counts."""
    org = two_accounts(world)
    (ada,) = [row["Id"] for row in world.salesforce.org.rows(world.salesforce.org.sobject("Contact"))]
    for number, (owner, amount, day) in enumerate([("omar", 900, "03"), ("kim", 5, "01"), ("sue", 10, "02")]):
        deal = {"StageName": "x", "CloseDate": f"2027-01-{day}", "Amount": amount, "OwnerId": org[owner]}
        opportunity = world.salesforce.add("Opportunity", Name=f"Deal {number}", **deal)
        world.salesforce.add("OpportunityContactRole", OpportunityId=opportunity, ContactId=ada)
        world.clock.advance(seconds=1)
    closed = {"StageName": "x", "CloseDate": "2026-01-01", "IsClosed": True, "Amount": 10_000, "OwnerId": org["dana"]}
    lost = world.salesforce.add("Opportunity", Name="Lost", **closed)
    world.salesforce.add("OpportunityContactRole", OpportunityId=lost, ContactId=ada)
    when = {"side": "past", "contact_has_open_opportunity": True}
    deals = rule("Deals", [{"source": "opportunity_owner", "of": "contact"}], when=when)
    await publish(world, deals, open_opportunity=choice)

    await world.deliver(current=GLOBEX)

    (message,) = world.direct_messages(name)
    assert "the open opportunity of Ada Smith" in message.text


async def test_a_contact_without_an_open_opportunity_does_not_match(world, channel):
    """The condition can also require that there is none."""
    two_accounts(world)
    has = rule("Has", [owner_of("account")], when={"side": "past", "contact_has_open_opportunity": True})
    lacks = rule("Lacks", [owner_of("contact")], when={"side": "past", "contact_has_open_opportunity": False})
    await publish(world, has, lacks)

    job_change_id = await world.deliver(current=GLOBEX)

    assert (await world.find(job_change_id)).decision.rule == "Lacks"


async def test_the_owner_at_the_top_of_the_hierarchy_is_notified(world, channel):
    """However many levels there are between, as far as a query reaches."""
    org = two_accounts(world)
    above = world.salesforce.add("Account", Name="Globex World", OwnerId=org["dana"])
    for number in range(4):
        above = world.salesforce.add("Account", Name=f"Level {number}", ParentId=above, OwnerId=org["kim"])
    world.salesforce.org.update(org["globex"], ParentId=above)
    await publish(world, rule("Top", [owner_of("ultimate_parent_account")], when={"side": "current"}))

    await world.deliver(current=GLOBEX)

    (message,) = world.direct_messages("Dana Reyes")
    assert "You own Globex World in Salesforce, the ultimate parent of Globex Corp." in message.text


async def test_opportunity_teams_are_read_of_the_chosen_opportunities_only(world, channel):
    """Thousands of members of closed deals do not cut off the one who counts."""
    org = two_accounts(world)
    deal = {"AccountId": org["globex"], "StageName": "x", "CloseDate": "2026-01-01"}
    closed = world.salesforce.add("Opportunity", Name="Old", IsClosed=True, IsWon=True, **deal)
    for _ in range(2_001):
        member = {"OpportunityId": closed, "UserId": org["kim"], "TeamMemberRole": "Sales Rep"}
        world.salesforce.add("OpportunityTeamMember", **member)
    world.salesforce.add("Opportunity", Name="Older", IsClosed=True, IsWon=True, **deal | {"CloseDate": "2027-01-01"})
    open_deal = world.salesforce.add("Opportunity", Name="New", **deal)
    member = {"OpportunityId": open_deal, "UserId": org["sue"], "TeamMemberRole": "Sales Rep"}
    world.salesforce.add("OpportunityTeamMember", **member)
    team = {"source": "team", "of": "opportunity", "role": "Sales Rep"}
    await publish(world, rule("Team", [team], when={"side": "current"}))

    await world.deliver(current=GLOBEX)

    assert len(world.direct_messages("Sue Park")) == 1


async def test_the_channel_gets_one_message_if_nobody_is_found_on_either_side(world, channel):
    """The reason names each problem once."""
    named = {
        side: [{"source": "user", "user": who} for who in ("all@acme.example", f"{side}@acme.example")]
        for side in ("past", "current")
    }
    await publish(world, *(rule(side, chain, when={"side": side}) for side, chain in named.items()))

    job_change_id = await world.deliver(current=GLOBEX)

    (message,) = world.channel_messages("job-changes")
    names = ("all@acme.example", "past@acme.example", "current@acme.example")
    text = f"No DRI found: {'; '.join(f'{who} is not in Slack, or is deactivated there' for who in names)}."
    (delivered,) = (await world.find(job_change_id)).decision.destinations
    assert delivered.side == "both"
    assert for_reader((await world.find(job_change_id)).decision.reasons) == text
    assert text in message.text


@pytest.mark.both_databases
async def test_a_rules_channel_that_was_archived_is_named_in_the_reason(world, channel):
    """The default channel gets the message, and the reason does not mention a person."""
    deals = world.slack.add_channel(world.team, "deals")
    await publish(world, rule("Deals", [], deliver={"to": "channel", "channel": deals.id}))
    deals.is_archived = True

    job_change_id = await world.deliver()

    assert (
        "The rule's channel cannot be posted to: the channel is archived."
        in world.channel_messages("job-changes")[0].text
    )
    assert "could not be notified" not in str((await world.find(job_change_id)).decision)  # nobody was to be


async def test_the_trace_says_which_member_of_a_group_was_not_notified(world, channel):
    """Only the member whose message failed gets another result."""
    people = [world.slack.add_user(world.team, name, f"{name[:3]}@acme.example").id for name in ("Kim Lee", "Lou Ray")]
    group = world.slack.add_usergroup(world.team, "csms", people)
    scopes = [*SCOPES.split(","), "usergroups:read"]
    world.tokens[world.team.id] = world.slack.install(world.team.id, world.admin.id, scopes)
    await publish(world, rule("CSMs", [{"source": "user_group", "group": group.id}]))
    world.slack.faults.add("chat.postMessage", error="user_disabled", undocumented=True, times=1)

    job_change_id = await world.deliver()
    await world.worker.drain()

    found = await world.find(job_change_id)
    results = {each.email: candidate_result(each) for each in found.decision.considered}
    states = {each.destination: each.state for each in found.deliveries if each.destination in people}
    assert sorted(states.values()) == ["delivered", "moved"]
    failed = "could not be notified: the person's account is deactivated"
    assert results == {who: "notified" if state == "delivered" else failed for who, state in states.items()}


async def test_the_catch_all_applies_if_no_rule_matches(world, channel):
    """The contact's owner is notified."""
    org = two_accounts(world)
    await publish(world, JOINS_TARGET)
    world.salesforce.org.update(org["globex"], Type="Partner")

    await world.deliver(current=GLOBEX)

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert world.direct_messages("Sue Park") == []


async def test_messages_and_the_trace_use_the_orgs_field_labels(world, channel):
    """People see the label of a field, not its API name."""
    kim = world.add_owner("Kim Lee")
    field = Field("X7__c", "reference", ("User",), "X7__r", label="Renewals Manager")
    world.salesforce.org.add_field("Account", field)
    world.salesforce.add("Account", Name="Globex", OwnerId=kim, X7__c=kim)
    await publish(world, rule("Renewals", [{"source": "field", "field": "Account.X7__c"}], when={"side": "current"}))

    decision = (await world.find(await world.deliver(current={"company": {"name": "Globex"}}))).decision

    assert "You are the Renewals Manager of Globex in Salesforce." in world.direct_messages("Kim Lee")[0].text
    assert decision.considered[0].source == "Renewals Manager"
    assert "notify the account's Renewals Manager" in decision.sides[0].sentence


async def test_the_trace_names_rule_candidates_and_destination(world, channel):
    """The whole decision is stored with the job change."""
    org = two_accounts(world)
    world.salesforce.org.update(org["globex"], SDR__c=None)
    await publish(world, JOINS_TARGET)

    decision = (await world.find(await world.deliver(current=GLOBEX))).decision

    assert decision.rules_version == 1
    assert decision.rule == "Joins a target"
    assert [(row.side, row.source, row.name, candidate_result(row)) for row in decision.considered] == [
        ("current", "SDR", None, "is not set"),
        ("current", "account owner", "Omar Diaz", "notified (matched by email)"),
    ]
    (side,) = decision.sides
    assert "joins" in side.sentence
    assert for_reader(side.reasons) == "You own Globex Corp in Salesforce."
    assert [destination.role for destination in decision.destinations] == ["dri"]


@pytest.mark.parametrize(
    ("current", "found"),
    [
        ({"name": "Something else", "domain": "globex.example"}, True),
        ({"name": "globex corp"}, True),
        ({"name": "Globex"}, False),
        ({"name": "Globex", "domain": "elsewhere.example"}, False),
        ({"name": "Globex", "domain": "lobex.example"}, False),
    ],
)
async def test_the_current_account_is_found_by_domain_or_exact_name(world, channel, current, found):
    """The host of its website counts first, then the exact name."""
    two_accounts(world)
    await publish(world, JOINS_TARGET)

    await world.deliver(current={"title": "CRO", "company": current})

    assert bool(world.direct_messages("Sue Park")) is found


async def test_the_current_accounts_id_takes_precedence(world, channel):
    """The name is ignored if the job change has the account's id."""
    org = two_accounts(world)
    await publish(world, JOINS_TARGET)

    await world.deliver(current={"company": {"name": "Initech", "salesforce_id": org["globex"][:15]}})

    assert len(world.direct_messages("Sue Park")) == 1


async def test_a_hidden_field_is_skipped(world, channel):
    """Field-level security costs one candidate, not the job change."""
    two_accounts(world)
    await publish(world, JOINS_TARGET)
    await world.deliver(current=GLOBEX, source_event_id="before")
    world.salesforce.org.hide_field("Account", "SDR__c")

    decision = (await world.find(await world.deliver(current=GLOBEX, source_event_id="after"))).decision

    assert len(world.direct_messages("Sue Park")) == 1
    assert len(world.direct_messages("Omar Diaz")) == 1
    assert candidate_result(decision.considered[0]) == "cannot be read in Salesforce"
    assert for_reader(decision.notes[:1]) == f"Account.SDR__c cannot be read in Salesforce. {GRANT}"


async def test_hidden_objects_are_skipped(world, channel):
    """Teams that are turned off, and opportunities and websites that are hidden, each have a reason."""
    two_accounts(world)
    hard = [{"source": "opportunity_owner"}, {"source": "team", "of": "account", "role": "Sales Rep"}]
    at_target = {"side": "current", "segment": ["target"]}
    await publish(world, rule("Hard", [*hard, owner_of("account")], when=at_target))
    for sobject in ("Opportunity", "AccountTeamMember"):
        world.salesforce.org.hide_type(sobject)
    world.salesforce.org.hide_field("Account", "Website")

    job_change_id = await world.deliver(current={"company": {"name": "Globex Corp", "domain": "globex.example"}})

    decision = (await world.find(job_change_id)).decision
    assert [candidate_result(row) for row in decision.considered] == ["cannot be read in Salesforce"] * 2 + [
        "notified (matched by email)"
    ]
    assert [for_reader([note]) for note in decision.notes[:-1]] == [
        f"{name} cannot be read in Salesforce. {GRANT}"
        for name in ("Account.Website", "AccountTeamMember", "Opportunity")
    ]
    assert len(world.direct_messages("Omar Diaz")) == 1


def with_opportunities(world, org):
    world.salesforce.org.update(org["globex"], Type="Other")
    deal = {"AccountId": org["globex"], "StageName": "x", "IsClosed": True}
    world.salesforce.add("Opportunity", Name="Old", CloseDate="2025-01-01", IsWon=True, OwnerId=org["dana"], **deal)
    world.salesforce.add("Opportunity", Name="Lost", CloseDate="2026-01-01", OwnerId=org["kim"], **deal)


async def test_the_owner_of_a_lost_opportunity_is_notified(world, channel):
    """Closed lost means that none is open, and the one closed last was lost."""
    org = two_accounts(world)
    with_opportunities(world, org)
    lost = {"side": "current", "segment": ["closed_lost"]}
    await publish(world, rule("Lost", [{"source": "opportunity_owner", "which": "last_lost"}], when=lost))

    await world.deliver(current=GLOBEX)

    (message,) = world.direct_messages("Kim Lee")
    assert "You own Lost in Salesforce, the last lost opportunity of Globex Corp." in message.text


async def test_teams_managers_mappings_and_parents_find_people(world, channel):
    """Each source has its own reason."""
    org = two_accounts(world)
    world.salesforce.org.update(org["omar"], ManagerId=org["dana"])
    parent = world.salesforce.add("Account", Name="Globex Holding", OwnerId=org["kim"])
    world.salesforce.org.update(org["globex"], ParentId=parent)
    member = {"AccountId": org["globex"], "TeamMemberRole": "Customer Success Manager"}
    world.salesforce.add("AccountTeamMember", UserId=org["sue"], **member)
    at = {"side": "current", "segment": ["target"]}
    for source, name, why in (
        ({"source": "team", "of": "account", "role": "Customer Success Manager"}, "Sue Park", "on the account team of"),
        ({"source": "manager", "of": owner_of("account")}, "Dana Reyes", "You manage Omar Diaz in Salesforce."),
        (
            {"source": "mapped", "table": "AE to SDR", "of": owner_of("account")},
            "Sue Park",
            "has you as the recipient for Omar Diaz",
        ),
        (owner_of("parent_account"), "Kim Lee", "You own Globex Holding in Salesforce, the parent of Globex Corp."),
    ):
        mappings = {"AE to SDR": {"omar.diaz@x.example": "x@x.example", org["omar"]: "sue@acme.example"}}
        await publish(world, rule("One", [source], when=at), mappings=mappings)
        before = len(world.direct_messages(name))
        await world.deliver(current=GLOBEX, source_event_id=why)
        world.clock.advance(seconds=2)
        assert why in world.direct_messages(name)[before].text


async def test_a_batch_costs_a_constant_number_of_calls(world, channel):
    """However many job changes there are, and however many rules."""
    org = two_accounts(world)
    with_opportunities(world, org)
    sources = [
        {"source": "field", "field": "Account.SDR__c"},
        {"source": "opportunity_owner"},
        {"source": "team", "of": "account", "role": "Sales Rep"},
        {"source": "team", "of": "opportunity", "role": "Sales Rep"},
        owner_of("parent_account"),
        {"source": "manager", "of": owner_of("account")},
        {"source": "user", "user": org["kim"]},
    ]
    costs = []
    for serial, (people, rules) in enumerate([(1, 1), (200, 1), (200, 60)]):
        await publish(
            world,
            *(rule(f"{n}", sources, when={"side": "current", "persona": [f"{n}"]}) for n in range(rules - 1)),
            rule("last", sources, when={"segment": ["target", "closed_lost"]}),
        )
        for number in range(people):
            company = {"name": f"Company {number}", "domain": f"company-{number}.example"}
            person = {"full_name": "Some One", "emails": [f"p{number}@initech.example"]}
            await world.accept(current={"company": company}, person=person, source_event_id=f"{serial}/{number}")
        await world.worker.drain()
        world.salesforce.calls.clear()
        world.clock.advance(seconds=60)
        for number in range(people):
            company = {"name": f"Company {number}", "domain": f"company-{number}.example"}
            person = {"full_name": "Some One", "emails": [f"p{number}@initech.example"]}
            await world.accept(current={"company": company}, person=person, source_event_id=f"{serial}/{number}/2")
        await world.worker.drain()
        costs.append(len(world.salesforce.calls_of("composite", "query", "sobjects")))

    assert costs[1] == costs[2]
    assert max(costs) <= 5


async def test_deliveries_go_where_the_rule_says(world, channel):
    """The DRI and a channel, a channel only, or nobody. The last is recorded as an outcome."""
    two_accounts(world)
    sales = world.slack.add_channel(world.team, "sales").id
    cases = {
        "both": {"to": "dri_and_channel", "channel": sales},
        "channel": {"to": "channel", "channel": sales},
        "nobody": {"to": "nobody"},
    }
    await publish(
        world, *(rule(name, [owner_of("account")], deliver=to, when={"persona": [name]}) for name, to in cases.items())
    )

    outcomes = []
    for name in cases:
        job_change_id = await world.deliver(persona=name, change_type="promotion", source_event_id=name)
        outcomes.append(await world.outcome(job_change_id))
        world.clock.advance(seconds=2)

    assert [outcome[:2] for outcome in outcomes] == [("delivered", "dri"), ("delivered", "channel"), ("muted", None)]
    assert outcomes[2][2] == "The rule “nobody” notifies nobody."
    first, second = [message.text for message in world.channel_messages("sales")]
    assert "Kim Lee was notified by direct message." in first
    assert "The rule “channel” notifies this channel. The DRI is Kim Lee." in second
    assert world.channel_messages("job-changes") == []


async def test_a_rules_fallback_comes_before_the_default_channel(world, channel):
    """The message says why nobody was found."""
    world.slack.add_channel(world.team, "sales")
    sales = world.slack.world.channel_by_name(world.team.id, "sales").id
    await publish(world, rule("One", [owner_of("account")], fallback={"source": "channel", "channel": sales}))

    await world.deliver(current=GLOBEX)

    (message,) = world.channel_messages("sales")
    assert "No DRI found: Salesforce has no account for Initech" in message.text
    assert world.channel_messages("job-changes") == []


async def test_guards_skip_people_with_a_reason(world, channel):
    """People can be excluded, out of office, muted or over the daily limit."""
    org = two_accounts(world)
    slack = {user.real_name: user.id for user in world.slack.world.users.values()}
    run, where = world.database.run, world.workspace_id
    await run(choice_state.set_absence, where, slack["Sue Park"], 0, None, slack["Omar Diaz"])
    await run(choice_state.mute, where, slack["Omar Diaz"], "contact_tracking")
    named = [{"source": "user", "user": who} for who in ("sue@acme.example", org["dana"], "kim@acme.example")]
    await publish(world, rule("All", named), guards={"excluded": [org["dana"]], "daily_cap": 1})

    decisions = [(await world.find(await world.deliver(source_event_id=n))).decision for n in ("1", "2")]

    results = [
        [(row.name or row.email, candidate_result(row)) for row in decision.considered] for decision in decisions
    ]
    skipped = [
        ("sue@acme.example", "is out of office"),
        (slack["Omar Diaz"], "has muted this signal"),
        ("Dana Reyes", "is excluded"),
    ]
    assert results[0][:4] == [*skipped, ("kim@acme.example", "notified (matched by email)")]
    assert results[1][:4] == [*skipped, ("kim@acme.example", "has reached the daily limit of 1 job change")]
    assert len(world.direct_messages("Kim Lee")) == 1
    assert "has reached the daily limit" in world.channel_messages("job-changes")[0].text


async def test_everyone_in_a_user_group_is_notified(world, channel):
    """Without the scope to read groups, the chain continues."""
    sue, kim = (
        world.slack.add_user(world.team, name, f"{name[:3].lower()}@acme.example") for name in ("Sue Park", "Kim Lee")
    )
    gone = world.slack.add_user(world.team, "Old Hand", "old@acme.example")
    gone.deleted = True
    world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    group = world.slack.add_usergroup(world.team, "sdrs", [sue.id, gone.id, kim.id])
    group_first = [{"source": "user_group", "group": group.id}, {"source": "user", "user": "dana@acme.example"}]
    await publish(world, rule("Group", group_first, when={"side": "current"}))

    job_change_id = await world.deliver(source_event_id="without the scope")
    assert len(world.direct_messages("Dana Reyes")) == 1
    skipped, _ = (await world.find(job_change_id)).decision.considered
    assert "without the optional permission usergroups:read (install the app again" in candidate_result(skipped)
    world.tokens[world.team.id] = world.slack.install(
        world.team.id, world.admin.id, [*SCOPES.split(","), "usergroups:read"]
    )
    job_change_id = await world.deliver(source_event_id="with it")

    assert len(world.direct_messages("Sue Park")) == len(world.direct_messages("Kim Lee")) == 1
    assert "The rule “Group” notifies your user group." in world.direct_messages("Sue Park")[0].text
    assert len(world.direct_messages("Dana Reyes")) == 1
    results = [candidate_result(row) for row in (await world.find(job_change_id)).decision.considered]
    assert results == ["notified", "is deactivated in Slack", "notified"]


async def test_an_unmatched_owner_is_linked_and_gets_what_they_missed(world, channel):
    """An owner with another email address in Slack is listed, linked, and then notified."""
    owner = world.add_owner("Dana Reyes", in_slack=False)
    member = world.slack.add_user(world.team, "Dana Reyes", "d.reyes@elsewhere.example")
    fields = {"LastName": "Smith", "Email": "ada@initech.example"}
    world.salesforce.add("Contact", FirstName="Ada", OwnerId=owner, **fields)
    desk = desk_of(world)
    job_change_id = await world.deliver()
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")

    (listed,) = await desk.page(world.workspace_id)
    linked = await desk.link(world.workspace_id, ADMIN, listed.owner, member.id)
    sent = await desk.send_missed(world.workspace_id, "U_ADMIN", listed.owner)
    await world.worker.drain()

    assert (listed.owner, listed.name, listed.waiting) == ("dana@acme.example", "Dana Reyes", 1)
    assert (linked.stored, linked.waiting, sent) == (True, 1, 1)
    entries = await world.database.run(audit.recent, world.workspace_id)
    sent_entry = ("U_ADMIN", "ownership: sent an owner what they missed", "1 job change")
    assert sent_entry in [(entry.actor, entry.action, entry.detail) for entry in entries]
    assert "You own Ada Smith in Salesforce." in world.direct_messages("Dana Reyes")[0].text
    assert await world.outcome(job_change_id) == ("delivered", "dri", "You own Ada Smith in Salesforce.")
    assert await desk.page(world.workspace_id) == []
    assert await desk.send_missed(world.workspace_id, "U_ADMIN", listed.owner) == 0
    world.clock.advance(seconds=2)
    await world.deliver(source_event_id="next")
    assert sum(len(message.text) > 0 for message in world.direct_messages("Dana Reyes")) == 2
    assert len(world.channel_messages("job-changes")) == 1


@pytest.mark.both_databases
async def test_alias_domains_and_another_email_field_match_all_owners(world, channel):
    """No links are needed."""
    world.salesforce.org.add_field("User", Field("Work_Email__c", "email"))
    first = world.salesforce.add("User", LastName="Old", Email="dana@old.example")
    second = world.salesforce.add("User", LastName="Field", Email="x@nowhere.example", Work_Email__c="kim@acme.example")
    world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    world.slack.add_user(world.team, "Kim Lee", "kim@acme.example")
    for name, owner in (("one", first), ("two", second)):
        world.salesforce.add("Contact", LastName=name, Email=f"{name}@initech.example", OwnerId=owner)
    desk = desk_of(world)

    refused = await desk.match_by(world.workspace_id, ADMIN, "Nonsense__c", {})
    saved = await desk.match_by(world.workspace_id, ADMIN, "Work_Email__c", {"old.example": "acme.example"})
    for name in ("one", "two"):
        await world.deliver(person={"full_name": name, "emails": [f"{name}@initech.example"]})

    assert (refused.stored, saved.stored) == (False, True)
    (change,) = await world.database.run(audit.recent, world.workspace_id)
    assert change.detail == "email field Work_Email__c, 1 alias domain"
    assert len(world.direct_messages("Dana Reyes")) == len(world.direct_messages("Kim Lee")) == 1


async def test_a_simulation_sends_and_stores_nothing(world, channel):
    """It returns who would be notified, and why."""
    two_accounts(world)
    pools = {"P": {"members": [{"user": "sue@acme.example"}, {"user": "kim@acme.example"}]}}
    draft = RuleSet.parse({"rules": [rule("Pool", [{"source": "pool", "pool": "P"}])], "pools": pools})

    simulated = await simulation(world).simulate(
        world.workspace_id, [JobChange.parse(sample_job_change(source_event_id=str(n))) for n in range(2)], draft
    )
    (catch_all,) = await simulation(world).simulate(world.workspace_id, [JobChange.parse(sample_job_change())])

    reasons = [for_reader(result.deliveries[0].reasons) for result in simulated]
    assert reasons[0].startswith("It is your turn in the pool P.")
    assert for_reader(catch_all.deliveries[0].reasons) == "You own Ada Smith in Salesforce."
    await world.worker.drain()
    assert (
        world.direct_messages("Sue Park")
        == world.direct_messages("Kim Lee")
        == world.direct_messages("Dana Reyes")
        == world.channel_messages("job-changes")
        == []
    )
    assert (
        await world.database.run(choice_state.load, world.workspace_id, world.clock(), count_recent=True)
    ).pools == {}


async def test_slack_ids_are_replaced_with_names(world, channel):
    """Everything else stays: other text, what only looks like an id, and ids that Slack does not resolve."""
    dana = world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    lines = [f"notifies {dana.id} (dri)", f"notify {channel}, else UNKNOWN0001, a CUSTOMERSUCCESS"]

    named = await simulation(world).with_display_names(world.workspace_id, lines)
    world.slack.faults.add("users.info", status=503, times=None)
    unnamed = await simulation(world).with_display_names(world.workspace_id, lines[:1])

    assert named == ["notifies Dana Reyes (dri)", "notify #job-changes, else UNKNOWN0001, a CUSTOMERSUCCESS"]
    assert unnamed == lines[:1]


@pytest.mark.both_databases
async def test_comparing_with_a_draft_shows_what_would_change(world, channel):
    """Only job changes with other recipients are listed."""
    two_accounts(world)
    await world.deliver(source_event_id="same", current={"company": {"name": "Hooli"}})
    changed = await world.deliver(source_event_id="other", current=GLOBEX)

    report = await simulation(world).compare(world.workspace_id, RuleSet.parse({"rules": [JOINS_TARGET]}))

    assert report.tried == 2
    (difference,) = report.differences
    assert difference.before.key == changed
    assert difference.before.decision.chosen == "Dana Reyes"
    assert difference.after.decision.chosen == "Sue Park"


async def test_broken_published_rules_leave_the_catch_all(world, channel):
    """Rules that this version of the software cannot read do not stop routing."""
    from store.ownership import rule_sets  # noqa: PLC0415

    two_accounts(world)
    change = AuditEntry(world.clock(), ADMIN, "ownership: published", "")
    await world.database.run(rule_sets.publish, world.workspace_id, '{"rules": 7}', None, change)

    await world.deliver()

    assert len(world.direct_messages("Dana Reyes")) == 1


async def test_a_pool_is_fair_and_sticky_across_replicas(postgresql_url, clock):
    """Two workers share the turns through the database."""
    databases = [Database(postgresql_url) for _ in range(2)]
    async with open_world(databases[0], clock) as world:
        await world.default_channel()
        for name in ("Dana Reyes", "Kim Lee", "Sue Park"):
            world.add_owner(name)
        members = [{"user": f"{name}@acme.example"} for name in ("dana", "kim", "sue")]
        members[0]["weight"] = 2
        await publish(
            world,
            rule("Pool", [{"source": "pool", "pool": "P"}], when={"side": "current"}),
            pools={"P": {"members": members}},
        )
        router = world.worker.router
        workers = [
            replace_worker(
                world,
                database,
                replace(router, database=database, decider=replace(router.decider, database=database)),
            )
            for database in databases
        ]
        for serial in range(40):
            await world.accept(source_event_id=str(serial), current={"company": {"name": f"Company {serial % 20}"}})
            if serial % 5 == 4:
                await asyncio.gather(*(worker.drain() for worker in workers))
                clock.advance(seconds=2)

        rows = await databases[0].run(
            lambda connection: connection.execute(select(job_changes.c.payload, job_changes.c.decision)).all()
        )
        by_company = {}
        for payload, decision in rows:
            company = json.loads(payload)["current"]["company"]["name"]
            by_company.setdefault(company, set()).add(json.loads(decision)["chosen"])
        assert {len(chosen) for chosen in by_company.values()} == {1}
        counts = [
            sum(next(iter(chosen)) == f"{name}@acme.example" for chosen in by_company.values())
            for name in ("dana", "kim", "sue")
        ]
        assert counts == [10, 5, 5]
        rows = await databases[0].run(lambda connection: connection.execute(select(deliveries.c.id)).all())
        assert len(rows) == 40
    for database in databases:
        await database.close()


def replace_worker(world, database, router):
    """The worker of another process on the same database."""
    worker = world.worker
    return Worker(
        database,
        router,
        replace(worker.courier, database=database),
        WorkEvents(),
        WorkNotifier(database),
        worker.housekeeping,
        world.clock,
    )


@pytest.mark.both_databases
async def test_an_owner_can_be_linked_and_unlinked(world, channel):
    """Owners are email addresses or Salesforce user ids; anything else is refused."""
    member = world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    desk, where = desk_of(world), world.workspace_id
    no_owner = LinkResult(False, "An owner is an email address or the id of a Salesforce user.")
    not_saved = LinkResult(False, "Slack did not answer, so nothing was saved. Try again in a minute.")

    assert await desk.link(where, ADMIN, "nonsense", member.id) == no_owner
    assert await desk.link(where, ADMIN, member.id, member.id) == no_owner
    assert await desk.link(where, ADMIN, "x@y.example", "dana@acme.example") == no_owner
    gone = await desk.link(where, ADMIN, "x@y.example", "U0NOBODY")
    assert gone == LinkResult(False, "<@U0NOBODY> is not in Slack, or is deactivated there.")
    world.slack.faults.add("users.info", status=503, times=None)
    assert await desk.link(where, ADMIN, "x@y.example", member.id) == not_saved
    world.slack.faults.active.clear()
    world.clock.advance(seconds=600)
    assert await desk.links(where) == []
    saved = LinkResult(True, f"Saved. New job changes of this owner go to <@{member.id}>.", 0)
    assert await desk.link(where, ADMIN, " X@y.example ", member.id) == saved
    assert await desk.link(where, ADMIN, "005000000000001", member.id) == saved
    assert sorted(await desk.links(where), key=str) == [
        (OwnerLink("005000000000001AAA", member.id, ADMIN), 0),
        (OwnerLink("x@y.example", member.id, ADMIN), 0),
    ]
    assert await desk.unlink(where, ADMIN, "005000000000001")
    assert await desk.unlink(where, ADMIN, "X@y.example")
    assert not await desk.unlink(where, ADMIN, "x@y.example")
    assert (await desk.matching(where)) == OwnerMatching()
    assert sorted((entry.action, entry.detail) for entry in await world.database.run(audit.recent, where)) == [
        *[("ownership: linked an owner", f"with {member.id}")] * 2,
        *[("ownership: unlinked an owner", "")] * 2,
    ]


async def test_how_owners_are_matched_is_checked_before_it_is_saved(world, channel):
    """The input that is wrong is named. The history says what was chosen."""
    desk, where = desk_of(world), world.workspace_id
    world.salesforce.org.add_field("User", Field("Slack__c"))

    async def match(email: str | None, domains: dict[str, str], slack: str | None = None) -> LinkResult:
        return await desk.match_by(where, ADMIN, email, domains, slack)

    domains = "Not a domain: acme, b c."
    assert await match(None, {"acme": "b c", "a.example": "b.example"}) == LinkResult(
        False, domains, field="alias_domains"
    )
    name = LinkResult(False, "2nd mail is not the name of a field.", field="email_field")
    assert await match("2nd mail", {}, "Slack__c") == name
    missing = "User.No__c does not exist in Salesforce, or the app may not read it."
    assert await match("Slack__c", {}, "No__c") == LinkResult(False, missing, field="slack_id_field")
    assert await match(None, {" Old.example": "NEW.example "}, "slack__c") == LinkResult(True, "Saved.")
    stored = await desk.matching(where)
    assert (stored.email_field, stored.slack_id_field) == (None, "slack__c")
    assert stored.alias_domains == {"old.example": "new.example"}
    assert await match(None, {}) == LinkResult(True, "Saved.")
    assert [(entry.action, entry.detail) for entry in await world.database.run(audit.recent, where)] == [
        ("ownership: matching changed", "email field Email, 0 alias domains"),
        ("ownership: matching changed", "email field Email, 1 alias domain, Slack user ID in slack__c"),
    ]


async def test_what_an_owner_missed_is_dismissed(world, channel):
    """It is in the history, once, and the owner is not listed any more."""
    owner = world.add_owner("Dana Reyes", in_slack=False)
    world.salesforce.add("Contact", LastName="Smith", Email="ada@initech.example", OwnerId=owner)
    await world.deliver()
    desk, where = desk_of(world), world.workspace_id

    dismissed = [await desk.dismiss(where, ADMIN, "DANA@acme.example") for _ in range(2)]

    assert dismissed == [1, 0]
    assert await desk.page(where) == []
    (entry,) = await world.database.run(audit.recent, where)
    assert (entry.actor, entry.action, entry.detail) == (
        ADMIN,
        "ownership: dismissed what an owner missed",
        "1 job change",
    )


async def test_turns_and_accounts_of_a_pool_are_kept_from_batch_to_batch(world, channel):
    """A company stays with its member, and another member gets the next company."""
    for name in ("Dana Reyes", "Kim Lee"):
        world.add_owner(name)
    pools = {"P": {"members": [{"user": "dana@acme.example"}, {"user": "kim@acme.example"}]}}
    await publish(world, rule("Pool", [{"source": "pool", "pool": "P"}], when={"side": "current"}), pools=pools)

    async def chosen(company: str, number: int) -> str | None:
        current = {"company": {"name": company}}
        job_change_id = await world.deliver(source_event_id=str(number), current=current)
        world.clock.advance(seconds=2)
        return (await world.find(job_change_id)).decision.chosen

    companies = ("A", "A", "B", "A", "C", "B")
    dana, kim = "dana@acme.example", "kim@acme.example"
    assert [await chosen(company, number) for number, company in enumerate(companies)] == [
        *(dana, dana, kim, dana, kim, kim)
    ]


async def test_a_simulation_says_what_could_not_be_read(world, channel):
    """And what would be decided without it."""
    two_accounts(world)
    world.salesforce.org.hide_field("Account", "SDR__c")
    draft = RuleSet.parse({"rules": [JOINS_TARGET]})
    changes = [JobChange.parse(sample_job_change(current=GLOBEX))]

    (simulated,) = await simulation(world).simulate(world.workspace_id, changes, draft)

    assert [delivery.role for delivery in simulated.deliveries] == ["dri"]
    assert simulated.decision.rules_version == -1
    left_out, *how_found = simulated.decision.notes
    assert left_out == ReasonCode.LEFT_OUT.of(error=f"Account.SDR__c cannot be read in Salesforce. {GRANT}")
    assert [reason.code for reason in how_found] == [ReasonCode.CONTACT_FOUND]
