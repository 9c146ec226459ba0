"""With the permission set and nothing else, rules find owners; without a part of it, the trace says what is missing."""

from __future__ import annotations

import pytest

from domain.audit import AuditEntry
from domain.decision.reasons import ReasonCode
from domain.decision.sentences import candidate_result, for_reader
from domain.people import DEFAULT_KEYS, LINKEDIN, PersonKey
from ops.salesforce.__main__ import FILE
from ops.salesforce.permission_set import permission_set
from sandbox.salesforce.errors import CONCURRENT_LIMIT
from sandbox.salesforce.schema import Field, lookup
from services.ownership.rulebook import Rulebook
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import RuleSet
from services.salesforce.health import lines
from services.salesforce.refusals import GRANT
from store.ownership import owners
from store.salesforce import connections

KINDS = {
    "Customer": {"Type": "Customer - Direct"},
    "Target": {"Type": "Prospect"},
    "Open": {},
    "Lost": {},
    "Other": {},
}


@pytest.fixture
async def channel(world):
    return await world.default_channel()


async def publish_presets(world):
    """The preset rules without custom fields, which a new org does not have."""
    book = Rulebook(world.database, world.worker.router.decider.schemas, world.clock)
    result = await book.publish(world.workspace_id, "U_ADMIN", RuleSet(rules=presets(None, None)), None)
    assert result.stored, (result.text, result.issues)


def fill(world, contacts):
    """Owners of ten accounts of every kind, and contacts at them with an owner of their own."""
    org = world.salesforce
    users = [world.add_owner(f"Owner{letter} Person") for letter in "ABCDEFGHIJ"]
    accounts = {}
    for number, owner in enumerate(users):
        for kind, fields in KINDS.items():
            website = f"https://www.{kind}{number}.example".lower()
            account = org.add("Account", Name=f"{kind} {number}", Website=website, OwnerId=owner, **fields)
            accounts[kind, number] = account
            if kind in {"Open", "Lost"}:
                closed = {"IsClosed": kind == "Lost", "IsWon": False}
                deal = {"AccountId": account, "OwnerId": owner, "StageName": "x", "CloseDate": "2026-01-01"}
                org.add("Opportunity", Name="Deal", **deal, **closed)
        team = {"UserId": owner, "TeamMemberRole": "Customer Success Manager"}
        org.add("AccountTeamMember", AccountId=accounts["Customer", number], **team)
    for number in range(contacts):
        kind = list(KINDS)[number % len(KINDS)]
        account = {"AccountId": accounts[kind, number % 10], "OwnerId": users[(number + 1) % 10]}
        keys = {"Email": f"p{number}@old.example", "LinkedIn__c": f"linkedin.com/in/p{number}/"}
        org.add("Contact", FirstName="P", LastName=f"Q{number}", **keys, **account)


def moves(number):
    """Person `number` joins another account, known by its domain only. Three of ten have only a LinkedIn address."""
    kind = list(KINDS)[(number // 5) % len(KINDS)]
    linkedin, email = (
        {"linkedin_url": f"https://uk.linkedin.com/in/P{number}?x=1"},
        {"emails": [f"p{number}@old.example"]},
    )
    return {
        "person": {"full_name": f"P Q{number}"} | (linkedin if number % 10 > 6 else email),
        "previous": {"company": {"name": "Old"}},
        "current": {"title": "CRO", "company": {"name": "New", "domain": f"{kind.lower()}{(number + 3) % 10}.example"}},
        "source_event_id": str(number),
    }


async def test_two_hundred_job_changes_find_their_owners_with_the_permission_set_alone(world, channel):
    """Every preset rule works for a user with the least privileges. 60 people are known by their LinkedIn URL only."""
    fill(world, contacts=200)
    world.salesforce.org.restrict_to(permission_set(["Contact.LinkedIn__c"]))
    keys = (*DEFAULT_KEYS, PersonKey("Contact", "LinkedIn__c", LINKEDIN))
    entry = AuditEntry(world.clock(), "U_ADMIN", "test", "")
    await world.database.run(owners.find_records_by, world.workspace_id, keys, None, entry)
    await publish_presets(world)
    world.salesforce.calls.clear()

    ids = [await world.accept(**moves(number)) for number in range(200)]
    for _ in range(10):
        await world.worker.drain()
        world.clock.advance(seconds=2)

    job_changes = [await world.find(job_change_id) for job_change_id in ids]
    assert {job_change.sent_to for job_change in job_changes} == {"dri"}
    notes = [note for job_change in job_changes for note in job_change.decision.notes]
    assert {note.code for note in notes} == {ReasonCode.CONTACT_FOUND}
    assert sum("LinkedIn" in for_reader([note]) for note in notes) == 60
    rules = {side.rule for job_change in job_changes for side in job_change.decision.sides}
    assert len(rules) >= 6
    assert len(world.salesforce.calls_of("composite", "query")) <= 8


async def test_the_same_job_changes_find_nobody_without_the_permission_set(world, channel):
    """The sandbox is as strict as a real org, so that the test above means something."""
    fill(world, contacts=1)
    empty = '<PermissionSet xmlns="http://soap.sforce.com/2006/04/metadata"></PermissionSet>'
    world.salesforce.org.restrict_to(empty)
    await world.set_preferences(salesforce_patience_minutes=0)

    assert (await world.outcome(await world.deliver(**moves(0))))[1] == "channel"


CUSTOM = {
    "Account": [lookup("SDR__c", "User"), Field("Domain__c")],
    "User": [Field("Slack_Id__c")],
}
HIDDEN = ("Account.ParentId", "Account.SDR__c", "Account.Website", "Contact.AccountId", "Contact.LinkedIn__c")
RENAMED, DELETED = "Account.Domain__c", "User.Slack_Id__c"
CHAIN = [
    {"source": "field", "field": "Account.SDR__c"},
    {"source": "owner", "of": "parent_account"},
    {"source": "owner", "of": "contact"},
]


async def test_fields_that_are_hidden_renamed_or_deleted_are_named_and_used_again_within_the_hour(world, channel):
    """Seven at once. Routing goes on with what can be read; the trace, Home and the doctor name each of them."""
    org = world.salesforce.org
    for sobject, fields in CUSTOM.items():
        for field in fields:
            org.add_field(sobject, field)
    fill(world, contacts=3)
    custom = [f"{sobject}.{field.name}" for sobject in CUSTOM for field in CUSTOM[sobject]]
    org.restrict_to(permission_set(["Contact.LinkedIn__c", *custom]))
    await use_custom_fields(world)
    assert await missing_fields(world, 0) == set()

    for name in HIDDEN:
        org.hide_field(*name.split("."))
    for name in (RENAMED, DELETED):
        org.remove_field(*name.split("."))
    world.clock.advance(seconds=6 * 60)

    assert await missing_fields(world, 1) == {*HIDDEN, RENAMED, DELETED}

    for name in HIDDEN:
        org.show_field(*name.split("."))
    org.add_field("Account", CUSTOM["Account"][1])
    org.add_field("User", CUSTOM["User"][0])
    world.clock.advance(seconds=60 * 60)

    assert await missing_fields(world, 2) == set()


async def use_custom_fields(world):
    entry = AuditEntry(world.clock(), "U_ADMIN", "test", "")
    keys = (*DEFAULT_KEYS, PersonKey("Contact", "LinkedIn__c", LINKEDIN))
    await world.database.run(owners.find_records_by, world.workspace_id, keys, "Domain__c", entry)
    await world.database.run(owners.match_by, world.workspace_id, None, {}, "Slack_Id__c", entry)
    book = Rulebook(world.database, world.worker.router.decider.schemas, world.clock)
    rules = RuleSet.parse({"rules": [{"name": "All", "tell": CHAIN}]})
    result = await book.publish(world.workspace_id, "U_ADMIN", rules, None)
    assert result.stored, (result.text, result.issues)


async def missing_fields(world, number):
    """Route a job change to its DRI, and return the fields that the trace, Home and the doctor agree on as missing."""
    job_change = await world.find(await world.deliver(**moves(number)))
    assert job_change.sent_to == "dri"
    trace = for_reader(note for note in job_change.decision.notes if note.code is ReasonCode.LEFT_OUT)
    status = await world.database.run(connections.status_of, world.workspace_id)
    home = " ".join(line.text for line in lines(status, 5_000, world.clock()))
    decider = world.worker.router.decider
    required = (await decider.rules_in_force(world.workspace_id)).required
    doctor = " ".join((await decider.salesforce.find_gaps(world.workspace_id, required)).values())
    everything = {*HIDDEN, RENAMED, DELETED}
    named = [{name for name in everything if name in text} for text in (trace, home, doctor)]
    assert named[0] == named[1] == named[2]
    assert (GRANT in trace) is (GRANT in home) is (GRANT in doctor) is bool(named[0])
    return named[0]


async def test_an_account_search_that_is_too_slow_decides_nothing_wrongly(world, channel):
    """A company that was not looked up is not taken for one that is not in Salesforce."""
    fill(world, contacts=1)
    await publish_presets(world)
    world.salesforce.api.slow_queries.add("FROM Account WHERE")

    job_change = await world.find(await world.deliver(**moves(0)))

    assert job_change.sent_to == "dri"
    assert "accounts by website could not be looked up, because Salesforce took too long" in for_reader(
        job_change.decision.notes
    )
    assert "not in Salesforce" not in str([side.rule for side in job_change.decision.sides])


async def test_too_many_calls_at_once_cost_seconds(world, channel):
    """The job change waits for the next try, not for a quarter of an hour."""
    fill(world, contacts=1)
    world.salesforce.faults.add("composite", error="REQUEST_LIMIT_EXCEEDED", message=CONCURRENT_LIMIT)
    job_change_id = await world.accept(**moves(0))
    await world.worker.drain()
    world.clock.advance(seconds=30)
    await world.worker.drain()

    assert (await world.outcome(job_change_id))[1] == "dri"


async def test_the_contact_of_a_person_account_finds_its_owner(world, channel):
    """A person account is an account and a contact of the same person."""
    world.salesforce.org.enable_person_accounts()
    owner = world.add_owner("Dana Reyes")
    world.salesforce.org.add_person_account(
        FirstName="Ada", LastName="Smith", PersonEmail="p0@old.example", OwnerId=owner
    )
    world.salesforce.org.restrict_to(FILE.read_text())

    await world.deliver(**moves(0))

    assert len(world.direct_messages("Dana Reyes")) == 1


async def test_a_hidden_address_field_is_the_reason_why_nobody_was_found(world, channel):
    """Contacts were not searched by address, so it is not known that no contact matches."""
    fill(world, contacts=1)
    world.salesforce.org.restrict_to(permission_set([]))
    world.salesforce.org.hide_field("Contact", "Email")

    job_change = await world.find(await world.deliver(**moves(0)))

    reason = "No DRI found: Contact.Email cannot be read in Salesforce."
    assert for_reader(job_change.reasons) == reason
    assert candidate_result(job_change.decision.considered[0]) == "Contact.Email cannot be read in Salesforce"
