"""Ownership rules at work, end to end: who reads a job change, with which words, and what is kept of the choice."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from domain.audit import AuditEntry
from domain.job_change.model import JobChange
from domain.people import OwnerLink, OwnerMatching
from sandbox.salesforce.schema import Field, lookup
from services.delivery.worker import Worker, WorkEvents
from services.ownership.ownership_pages import OwnershipPages
from services.ownership.rulebook import Rulebook
from services.ownership.rules.rule_set import RuleSet
from services.ownership.simulation import Simulation
from services.ownership.unmatched_owners import UnmatchedOwners
from store import audit
from store.database import Database
from store.notify import WorkNotifier
from store.ownership import choice_state
from store.schema import deliveries, job_changes
from tests.world import SCOPES, open_world, sample_job_change

ADMIN = "U_ADMIN"
GLOBEX = {"title": "CRO", "company": {"name": "Globex", "domain": "globex.example"}}


@pytest.fixture
async def channel(world):
    return await world.default_channel()


def rulebook(world):
    return Rulebook(world.database, world.worker.router.deciding.shapes, world.clock)


def simulation(world):
    return Simulation(world.database, world.worker.router.deciding)


def rule(name, tell, **parts):
    return {"name": name, "tell": tell, **parts}


def owner_of(record, **parts):
    return {"source": "owner", "of": record, **parts}


async def publish(world, *rules, **parts):
    kept = await rulebook(world).publish(
        world.workspace_id, ADMIN, RuleSet.parse({"rules": list(rules), **parts}), None
    )
    assert kept.stored, (kept.text, kept.faults)
    return kept


def two_accounts(world):
    """Ada is Dana's contact at Initech, a customer of Kim's; Globex is a target of Omar's, with Sue as its SDR."""
    org = world.salesforce
    org.org.add_field("Account", lookup("SDR__c", "User"))
    dana, kim, omar, sue = (world.add_owner(name) for name in ("Dana Reyes", "Kim Lee", "Omar Diaz", "Sue Park"))
    initech = org.add("Account", Name="Initech", Type="Customer - Direct", OwnerId=kim)
    globex = org.add(
        "Account", Name="Globex Corp", Website="https://www.globex.example/en", Type="Target", OwnerId=omar, SDR__c=sue
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


async def test_each_side_tells_its_own_owner_in_its_own_words(world, channel):
    """One job change has two people: a risk for whom it is left from, an opening for whom it goes to."""
    two_accounts(world)
    await publish(world, JOINS_TARGET, LEAVES_CUSTOMER)

    job_change_id = await world.deliver(current=GLOBEX)

    (opening,), (risk,) = world.direct_messages("Sue Park"), world.direct_messages("Kim Lee")
    assert "You are the SDR of Globex Corp in Salesforce." in opening.text
    assert "Opening at Globex" in opening.text
    assert "You own Initech in Salesforce." in risk.text
    assert "Risk at Initech" in risk.text
    assert world.direct_messages("Dana Reyes") == world.channel_messages("job-changes") == []
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")


async def test_one_person_on_both_sides_gets_one_message(world, channel):
    """With both reasons in it."""
    org = two_accounts(world)
    world.salesforce.org.update(org["globex"], SDR__c=org["kim"])
    await publish(world, JOINS_TARGET, LEAVES_CUSTOMER)

    await world.deliver(current=GLOBEX)

    (message,) = world.direct_messages("Kim Lee")
    assert message.text.startswith("Ada Smith left Initech and joined Globex as CRO.")
    assert "Risk at Initech, 🌱 Opening at Globex" in message.text
    assert "You own Initech in Salesforce. You are the SDR of Globex Corp in Salesforce." in message.text


async def test_where_both_sides_find_nobody_the_channel_reads_it_once(world, channel):
    """One message, and one sentence with all that was in the way, nothing of it twice."""
    named = {
        side: [{"source": "user", "user": who} for who in ("all@acme.example", f"{side}@acme.example")]
        for side in ("past", "current")
    }
    await publish(world, *(rule(side, chain, when={"side": side}) for side, chain in named.items()))

    job_change_id = await world.deliver(current=GLOBEX)

    (message,) = world.channel_messages("job-changes")
    names = ("all@acme.example", "past@acme.example", "current@acme.example")
    text = f"No DRI found: {'; '.join(f'{who} is not in Slack, or is deactivated there' for who in names)}."
    (delivered,) = (await world.find(job_change_id)).decision["destinations"]
    assert delivered["side"] == "both"
    assert (await world.find(job_change_id)).decision["reason"] == text
    assert text in message.text


@pytest.mark.both_databases
async def test_a_rules_channel_that_is_gone_is_not_called_a_dri(world, channel):
    """Else whoever reads it looks for a person who could not be told."""
    deals = world.slack.add_channel(world.team, "deals")
    await publish(world, rule("Deals", [], deliver={"to": "channel", "channel": deals.id}))
    deals.is_archived = True

    job_change_id = await world.deliver()

    assert (
        "The rule's channel cannot be posted to: the channel is archived."
        in world.channel_messages("job-changes")[0].text
    )
    assert "could not be notified" not in str((await world.find(job_change_id)).decision)  # nobody was to be


async def test_of_a_group_only_the_one_whose_message_failed_is_said_not_to_be_told(world, channel):
    """Whoever asks why reads who was told, and who was not and why."""
    people = [world.slack.add_user(world.team, name, f"{name[:3]}@acme.example").id for name in ("Kim Lee", "Lou Ray")]
    group = world.slack.add_usergroup(world.team, "csms", people)
    scopes = [*SCOPES.split(","), "usergroups:read"]
    world.tokens[world.team.id] = world.slack.install(world.team.id, world.admin.id, scopes)
    await publish(world, rule("CSMs", [{"source": "user_group", "group": group.id}]))
    world.slack.faults.add("chat.postMessage", error="user_disabled", times=1)

    job_change_id = await world.deliver()
    await world.worker.drain()

    found = await world.find(job_change_id)
    results = {each["email"]: each["result"] for each in found.decision["considered"]}
    states = {each.destination: each.state for each in found.deliveries if each.destination in people}
    assert sorted(states.values()) == ["delivered", "moved"]
    failed = "could not be notified: the person's account is deactivated"
    assert results == {who: "told" if state == "delivered" else failed for who, state in states.items()}


async def test_what_no_rule_takes_the_catch_all_does(world, channel):
    """And only that: a rule that took one side leaves nothing to it."""
    org = two_accounts(world)
    await publish(world, JOINS_TARGET)
    world.salesforce.org.update(org["globex"], Type="Partner")

    await world.deliver(current=GLOBEX)

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert world.direct_messages("Sue Park") == []


async def test_messages_and_the_trace_call_fields_as_the_org_does(world, channel):
    """Its label, which people know, and not the name that developers gave it."""
    kim = world.add_owner("Kim Lee")
    field = Field("X7__c", "reference", ("User",), "X7__r", label="Renewals Manager")
    world.salesforce.org.add_field("Account", field)
    world.salesforce.add("Account", Name="Globex", OwnerId=kim, X7__c=kim)
    await publish(world, rule("Renewals", [{"source": "field", "field": "Account.X7__c"}], when={"side": "current"}))

    decision = (await world.find(await world.deliver(current={"company": {"name": "Globex"}}))).decision

    assert "You are the Renewals Manager of Globex in Salesforce." in world.direct_messages("Kim Lee")[0].text
    assert decision["considered"][0]["source"] == "Renewals Manager"
    assert "tell the account's Renewals Manager" in decision["sides"][0]["sentence"]


async def test_the_trace_names_rule_candidates_and_destination(world, channel):
    """All that led there is kept with the job change."""
    org = two_accounts(world)
    world.salesforce.org.update(org["globex"], SDR__c=None)
    await publish(world, JOINS_TARGET)

    decision = (await world.find(await world.deliver(current=GLOBEX))).decision

    assert decision["rules_version"] == 1
    assert decision["rule"] == "Joins a target"
    assert [(one["side"], one["source"], one["name"], one["result"]) for one in decision["considered"]] == [
        ("current", "SDR", None, "is not set"),
        ("current", "account owner", "Omar Diaz", "told"),
    ]
    (side,) = decision["sides"]
    assert "joins" in side["sentence"]
    assert side["reason"] == "You own Globex Corp in Salesforce."
    assert [one["role"] for one in decision["destinations"]] == ["dri"]


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
    """Its website's host, else its name to the letter; a part of either is not enough."""
    two_accounts(world)
    await publish(world, JOINS_TARGET)

    await world.deliver(current={"title": "CRO", "company": current})

    assert bool(world.direct_messages("Sue Park")) is found


async def test_the_current_accounts_id_decides(world, channel):
    """Whatever the name says."""
    org = two_accounts(world)
    await publish(world, JOINS_TARGET)

    await world.deliver(current={"company": {"name": "Initech", "salesforce_id": org["globex"][:15]}})

    assert len(world.direct_messages("Sue Park")) == 1


async def test_a_field_that_was_hidden_is_passed_over_and_routing_goes_on(world, channel):
    """Field-level security takes away one candidate, not the job change."""
    two_accounts(world)
    await publish(world, JOINS_TARGET)
    await world.deliver(current=GLOBEX, source_event_id="before")
    world.salesforce.org.hide_field("Account", "SDR__c")

    decision = (await world.find(await world.deliver(current=GLOBEX, source_event_id="after"))).decision

    assert len(world.direct_messages("Sue Park")) == 1
    assert len(world.direct_messages("Omar Diaz")) == 1
    assert decision["considered"][0]["result"] == "cannot be read in Salesforce"
    assert decision["notes"] == ["account.sdr__c cannot be read in Salesforce"]


async def test_kinds_of_records_that_are_hidden_are_passed_over_too(world, channel):
    """Teams that are switched off, opportunities that we may not read, websites: each with its reason."""
    two_accounts(world)
    hard = [{"source": "opportunity_owner"}, {"source": "team", "of": "account", "role": "Sales Rep"}]
    at_target = {"side": "current", "segment": ["target"]}
    await publish(world, rule("Hard", [*hard, owner_of("account")], when=at_target))
    for sobject in ("Opportunity", "AccountTeamMember"):
        world.salesforce.org.hide_type(sobject)
    world.salesforce.org.hide_field("Account", "Website")

    job_change_id = await world.deliver(current={"company": {"name": "Globex Corp", "domain": "globex.example"}})

    decision = (await world.find(job_change_id)).decision
    assert [one["result"] for one in decision["considered"]] == ["cannot be read in Salesforce"] * 2 + ["told"]
    assert decision["notes"] == [
        f"{name} cannot be read in Salesforce" for name in ("account.website", "accountteammember", "opportunity")
    ]
    assert len(world.direct_messages("Omar Diaz")) == 1


def with_opportunities(world, org):
    world.salesforce.org.update(org["globex"], Type="Other")
    deal = {"AccountId": org["globex"], "StageName": "x", "IsClosed": True}
    world.salesforce.add("Opportunity", Name="Old", CloseDate="2025-01-01", IsWon=True, OwnerId=org["dana"], **deal)
    world.salesforce.add("Opportunity", Name="Lost", CloseDate="2026-01-01", OwnerId=org["kim"], **deal)


async def test_the_owner_of_a_lost_opportunity_is_told(world, channel):
    """Closed lost: none open, and the one closed last was lost."""
    org = two_accounts(world)
    with_opportunities(world, org)
    lost = {"side": "current", "segment": ["closed_lost"]}
    await publish(world, rule("Lost", [{"source": "opportunity_owner", "which": "last_lost"}], when=lost))

    await world.deliver(current=GLOBEX)

    (message,) = world.direct_messages("Kim Lee")
    assert "You own Lost in Salesforce, the last lost opportunity of Globex Corp." in message.text


async def test_teams_managers_mappings_and_parents_find_people(world, channel):
    """Each names its reason; all of them in one batch cost a handful of calls."""
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
            "names you beside Omar Diaz",
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
    """DRI and a channel, a channel only, or nobody, which is recorded."""
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
    assert outcomes[2][2] == "The rule “nobody” tells nobody."
    first, second = [message.text for message in world.channel_messages("sales")]
    assert "Kim Lee was told in person." in first
    assert "The rule “channel” tells this channel. The DRI is Kim Lee." in second
    assert world.channel_messages("job-changes") == []


async def test_a_rules_fallback_comes_before_the_default_channel(world, channel):
    """With the reasons why it was nobody."""
    world.slack.add_channel(world.team, "sales")
    sales = world.slack.world.channel_by_name(world.team.id, "sales").id
    await publish(world, rule("One", [owner_of("account")], fallback={"source": "channel", "channel": sales}))

    await world.deliver(current=GLOBEX)

    (message,) = world.channel_messages("sales")
    assert "No DRI found: no account of Initech is in Salesforce" in message.text
    assert world.channel_messages("job-changes") == []


async def test_guards_pass_people_over_each_with_its_reason(world, channel):
    """Excluded, out of office with a delegate, over the cap, muted: the next one is told."""
    org = two_accounts(world)
    slack = {user.real_name: user.id for user in world.slack.world.users.values()}
    run, where = world.database.run, world.workspace_id
    await run(choice_state.set_absence, where, slack["Sue Park"], 0, None, slack["Omar Diaz"])
    await run(choice_state.mute, where, slack["Omar Diaz"], "contact_tracking")
    named = [{"source": "user", "user": who} for who in ("sue@acme.example", org["dana"], "kim@acme.example")]
    await publish(world, rule("All", named), guards={"excluded": [org["dana"]], "daily_cap": 1})

    decisions = [(await world.find(await world.deliver(source_event_id=n))).decision for n in ("1", "2")]

    results = [[(one["name"] or one["email"], one["result"]) for one in each["considered"]] for each in decisions]
    passed = [
        ("sue@acme.example", "is out of office"),
        (slack["Omar Diaz"], "has muted this signal"),
        ("Dana Reyes", "is excluded"),
    ]
    assert results[0][:4] == [*passed, ("kim@acme.example", "told")]
    assert results[1][:4] == [*passed, ("kim@acme.example", "has had 1 job change in 24 hours, which is the cap")]
    assert len(world.direct_messages("Kim Lee")) == 1
    assert "has had 1 job change in" in world.channel_messages("job-changes")[0].text


async def test_everybody_in_a_user_group_is_told(world, channel):
    """Those who can be; without the scope to read groups, the next in the chain."""
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
    passed_over, _ = (await world.find(job_change_id)).decision["considered"]
    assert "without the optional permission usergroups:read (install the app again" in passed_over["result"]
    world.tokens[world.team.id] = world.slack.install(
        world.team.id, world.admin.id, [*SCOPES.split(","), "usergroups:read"]
    )
    job_change_id = await world.deliver(source_event_id="with it")

    assert len(world.direct_messages("Sue Park")) == len(world.direct_messages("Kim Lee")) == 1
    assert "The rule “Group” names your user group." in world.direct_messages("Sue Park")[0].text
    assert len(world.direct_messages("Dana Reyes")) == 1
    results = [one["result"] for one in (await world.find(job_change_id)).decision["considered"]]
    assert results == ["told", "is deactivated in Slack", "told"]


async def test_an_unmatched_owner_is_linked_and_reads_what_was_missed(world, channel):
    """Who has another address in Slack is listed, linked by hand, and told after all."""
    owner = world.add_owner("Dana Reyes", in_slack=False)
    member = world.slack.add_user(world.team, "Dana Reyes", "d.reyes@elsewhere.example")
    fields = {"LastName": "Smith", "Email": "ada@initech.example"}
    world.salesforce.add("Contact", FirstName="Ada", OwnerId=owner, **fields)
    desk = UnmatchedOwners(
        world.database,
        world.worker.router.deciding.directory,
        world.worker.router.deciding.shapes,
        lambda: None,
        world.clock,
    )
    job_change_id = await world.deliver()
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")

    (listed,) = await desk.page(world.workspace_id)
    linked = await desk.link(world.workspace_id, ADMIN, listed.owner, member.id)
    told = await desk.tell_after_all(world.workspace_id, "U_ADMIN", listed.owner)
    await world.worker.drain()

    assert (listed.owner, listed.name, listed.waiting) == ("dana@acme.example", "Dana Reyes", 1)
    assert (linked.stored, linked.waiting, told) == (True, 1, 1)
    done = await world.database.run(audit.recent, world.workspace_id)
    assert ("U_ADMIN", "1 job changes") in [(change.actor, change.detail) for change in done]
    assert "You own Ada Smith in Salesforce." in world.direct_messages("Dana Reyes")[0].text
    assert await world.outcome(job_change_id) == ("delivered", "dri", "You own Ada Smith in Salesforce.")
    assert await desk.page(world.workspace_id) == []
    assert await desk.tell_after_all(world.workspace_id, "U_ADMIN", listed.owner) == 0
    world.clock.advance(seconds=2)
    await world.deliver(source_event_id="next")
    assert sum(len(message.text) > 0 for message in world.direct_messages("Dana Reyes")) == 2
    assert len(world.channel_messages("job-changes")) == 1


@pytest.mark.both_databases
async def test_alias_domains_and_another_email_field_match_everybody(world, channel):
    """For all owners at once, without a link for each."""
    world.salesforce.org.add_field("User", Field("Work_Email__c", "email"))
    first = world.salesforce.add("User", LastName="Old", Email="dana@old.example")
    second = world.salesforce.add("User", LastName="Field", Email="x@nowhere.example", Work_Email__c="kim@acme.example")
    world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    world.slack.add_user(world.team, "Kim Lee", "kim@acme.example")
    for name, owner in (("one", first), ("two", second)):
        world.salesforce.add("Contact", LastName=name, Email=f"{name}@initech.example", OwnerId=owner)
    desk = UnmatchedOwners(
        world.database,
        world.worker.router.deciding.directory,
        world.worker.router.deciding.shapes,
        lambda: None,
        world.clock,
    )

    refused = await desk.match_by(world.workspace_id, ADMIN, "Nonsense__c", {})
    saved = await desk.match_by(world.workspace_id, ADMIN, "Work_Email__c", {"old.example": "acme.example"})
    for name in ("one", "two"):
        await world.deliver(person={"full_name": name, "emails": [f"{name}@initech.example"]})

    assert (refused.stored, saved.stored) == (False, True)
    assert len(world.direct_messages("Dana Reyes")) == len(world.direct_messages("Kim Lee")) == 1


async def test_simulating_tells_nobody(world, channel):
    """Who would be told, and why, without a trace of it anywhere."""
    two_accounts(world)
    pools = {"P": {"members": [{"user": "sue@acme.example"}, {"user": "kim@acme.example"}]}}
    draft = RuleSet.parse({"rules": [rule("Pool", [{"source": "pool", "pool": "P"}])], "pools": pools})

    simulated = await simulation(world).simulate(
        world.workspace_id, [JobChange.parse(sample_job_change(source_event_id=str(n))) for n in range(2)], draft
    )
    (catch_all,) = await simulation(world).simulate(world.workspace_id, [JobChange.parse(sample_job_change())])

    reasons = [one.deliveries[0].reason for one in simulated]
    assert reasons[0].startswith("It is your turn in the pool P.")
    assert catch_all.deliveries[0].reason == "You own Ada Smith in Salesforce."
    await world.worker.drain()
    assert (
        world.direct_messages("Sue Park")
        == world.direct_messages("Kim Lee")
        == world.direct_messages("Dana Reyes")
        == world.channel_messages("job-changes")
        == []
    )
    assert (
        await world.database.run(choice_state.state, world.workspace_id, world.clock(), count_told=True)
    ).pools == {}


async def test_a_terminal_reads_names_in_place_of_slack_ids(world, channel):
    """Where Slack tells them; the rest of the line, and what only looks like an id, stays."""
    dana = world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    lines = [f"tells {dana.id} (dri)", f"tell {channel}, else UNKNOWN0001, a CUSTOMERSUCCESS"]

    told = await simulation(world).named(world.workspace_id, lines)
    world.slack.faults.add("users.info", status=503, times=None)
    untold = await simulation(world).named(world.workspace_id, lines[:1])

    assert told == ["tells Dana Reyes (dri)", "tell #job-changes, else UNKNOWN0001, a CUSTOMERSUCCESS"]
    assert untold == lines[:1]


@pytest.mark.both_databases
async def test_replaying_against_a_draft_shows_what_would_change(world, channel):
    """Of the latest job changes, those that somebody else would read."""
    two_accounts(world)
    await world.deliver(source_event_id="same", current={"company": {"name": "Hooli"}})
    changed = await world.deliver(source_event_id="other", current=GLOBEX)

    replayed = await simulation(world).replay(world.workspace_id, RuleSet.parse({"rules": [JOINS_TARGET]}))

    assert replayed.tried == 2
    (difference,) = replayed.differences
    assert difference.before.key == changed
    assert difference.before.trace["chosen"] == "Dana Reyes"
    assert difference.after.trace["chosen"] == "Sue Park"


async def test_broken_published_rules_leave_the_catch_all(world, channel):
    """Rules of another version of the software hold up nobody."""
    from store.ownership import rule_sets  # noqa: PLC0415

    two_accounts(world)
    change = AuditEntry(world.clock(), ADMIN, "ownership: published", "")
    await world.database.run(rule_sets.publish, world.workspace_id, '{"rules": 7}', None, change)

    await world.deliver()

    assert len(world.direct_messages("Dana Reyes")) == 1


async def test_a_pool_is_fair_and_sticky_across_replicas(postgresql_url, clock):
    """Two workers share the turns through the database: to one each, and an account stays where it is."""
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
                replace(router, database=database, deciding=replace(router.deciding, database=database)),
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
            sum(next(iter(one)) == f"{name}@acme.example" for one in by_company.values())
            for name in ("dana", "kim", "sue")
        ]
        assert counts == [10, 5, 5]
        told = await databases[0].run(lambda connection: connection.execute(select(deliveries.c.id)).all())
        assert len(told) == 40
    for database in databases:
        await database.close()


def replace_worker(world, database, router):
    """Another process's worker on the same database."""
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
async def test_links_may_be_taken_back(world, channel):
    """Then the owner is matched by address again."""
    member = world.slack.add_user(world.team, "Dana Reyes", "dana@acme.example")
    deciding = world.worker.router.deciding
    desk = UnmatchedOwners(world.database, deciding.directory, deciding.shapes, lambda: None, world.clock)

    assert not (await desk.link(world.workspace_id, ADMIN, "nonsense", member.id)).stored
    assert not (await desk.link(world.workspace_id, ADMIN, "x@y.example", "U0NOBODY")).stored
    assert (await desk.link(world.workspace_id, ADMIN, "X@y.example", member.id)).stored
    (link,) = await OwnershipPages(world.database).links(world.workspace_id)
    assert link == (OwnerLink("x@y.example", member.id, world.clock(), ADMIN), 0)
    assert await desk.unlink(world.workspace_id, ADMIN, "x@y.example")
    assert not await desk.unlink(world.workspace_id, ADMIN, "x@y.example")
    assert (await desk.how_matched(world.workspace_id)) == OwnerMatching()
