"""A person is found by their Salesforce id, and by each of the fields that an admin has named, in that order."""

from __future__ import annotations

import pytest

from domain.people import DEFAULT_KEYS, PersonKey, key_lines, parse_keys
from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.schema import Field
from services.ownership.org_schema import CACHED_MS, OrgSchemas
from services.ownership.person_keys import PersonKeys, proposed_domain_field, proposed_keys
from services.ownership.rules.check import OrgField, OrgSchema
from services.salesforce.queries.describe import SalesforceDescribe
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.records import BatchRecords, PersonLookup, PersonRecords, RequiredRecords
from store import audit
from store.database import Database
from tests.conftest import Clock

LINKEDIN = PersonKey("Contact", "LinkedIn_URL__c", "linkedin")
KEYS = RequiredRecords(person_keys=(*DEFAULT_KEYS, LINKEDIN))


async def find_all(salesforce: Salesforce, *lookups: PersonLookup, required: RequiredRecords = KEYS) -> BatchRecords:
    records = await salesforce.find_people("T1", lookups, required)
    assert records is not None
    return records


async def find(salesforce: Salesforce, required: RequiredRecords = KEYS, **wanted: object) -> PersonRecords:
    lookup = PersonLookup("ada", **wanted)  # type: ignore[arg-type]  # by name
    return (await find_all(salesforce, lookup, required=required)).people["ada"]


def add_contact(org: SalesforceSandbox, name: str = "Ada", **fields: object) -> str:
    return org.add("Contact", LastName=name, **fields)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    "stored",
    [
        "https://www.linkedin.com/in/ada-smith",
        "http://linkedin.com/in/Ada-Smith/",
        "linkedin.com/in/ada-smith",
        "https://uk.linkedin.com/in/ada-smith/?locale=de_DE",
        "www.linkedin.com/in/ada-smith/?trk=public",
    ],
)
async def test_a_linkedin_address_is_compared_in_canonical_form(
    salesforce: Salesforce, org: SalesforceSandbox, stored: str
) -> None:
    """Host, locale, trailing slash and query do not matter, on either side, but another profile is another person."""
    org.org.add_field("Contact", Field("LinkedIn_URL__c", "url"))
    add_contact(org, "Other", LinkedIn_URL__c="https://www.linkedin.com/in/ada-smith-2")
    ada = add_contact(org, LinkedIn_URL__c=stored)

    found = await find(salesforce, linkedin_url="https://de.linkedin.com/in/Ada-Smith?x=1")

    assert found.contact
    assert found.contact.id == ada
    assert found.found_by == "LinkedIn URL in LinkedIn_URL__c"


async def test_200_people_cost_a_constant_number_of_calls(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Also if some are found by their LinkedIn address only, and some not at all."""
    org.org.add_field("Contact", Field("LinkedIn_URL__c", "url"))
    for number in range(60):
        add_contact(org, f"P{number}", LinkedIn_URL__c=f"https://ca.linkedin.com/in/person-{number}/")
    lookups = [
        PersonLookup(str(number), linkedin_url=f"https://www.linkedin.com/in/person-{number}") for number in range(200)
    ]
    calls = []
    for most in (1, 200):
        org.calls.clear()
        records = await find_all(salesforce, *lookups[-most:])
        calls.append(len(org.calls_of("composite")))

    assert sum(found.contact is not None for found in records.people.values()) == 60
    assert calls[1] <= 5
    assert calls[0] == 2


async def test_a_large_org_is_searched_for_the_usual_forms_only(
    salesforce: Salesforce, org: SalesforceSandbox, clock: Clock
) -> None:
    """Searching for other forms takes too long there. The trace says so, and it is tried again an hour later."""
    org.org.add_field("Contact", Field("LinkedIn_URL__c", "url"))
    org.org.large_tables.add("Contact")
    ada = add_contact(org, LinkedIn_URL__c="https://www.linkedin.com/in/ada")
    lookups = [PersonLookup(name, linkedin_url=f"https://www.linkedin.com/in/{name}") for name in ("ada", "bo")]

    records = await find_all(salesforce, *lookups)

    contact = records.people["ada"].contact
    assert contact
    assert contact.id == ada
    assert "contacts by LinkedIn_URL__c in unusual forms could not be looked up" in str(records.unreadable)
    org.calls.clear()
    await find_all(salesforce, *lookups)
    assert len(org.calls_of("composite")) == 1
    clock.advance(seconds=3_601)
    await find_all(salesforce, *lookups)
    assert len(org.calls_of("composite")) == 3


async def test_the_admins_order_decides(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """A field listed first wins over the email address, and further email fields and senders' ids can be listed."""
    for name in ("Private_Email__c", "Vendor_Id__c"):
        org.org.add_field("Contact", Field(name))
    by_mail = add_contact(org, "Mail", Email="a@x.example")
    private = add_contact(org, "Private", Private_Email__c="A@Home.example")
    vendor = add_contact(org, "Vendor", Vendor_Id__c="p-1")
    keys = (
        PersonKey("Contact", "Vendor_Id__c", "custom.person_id"),
        *DEFAULT_KEYS,
        PersonKey("Contact", "Private_Email__c", "email"),
    )
    required = RequiredRecords(person_keys=keys)
    emails = ("a@x.example", "a@home.example")

    first = await find(salesforce, required, emails=emails, custom={"custom.person_id": "P-1"})
    second = await find(salesforce, required, emails=emails)
    third = await find(salesforce, required, emails=("a@home.example",))

    found = [(records.contact and records.contact.id, records.found_by) for records in (first, second, third)]
    assert found == [
        (vendor, "person_id in Vendor_Id__c"),
        (by_mail, "email address"),
        (private, "email address in Private_Email__c"),
    ]
    assert [contact.id for contact in first.contacts] == [vendor, by_mail, private]


async def test_a_key_that_cannot_be_read_costs_only_itself(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """The person is still found by email, and what is missing is listed."""
    org.org.add_field("Contact", Field("LinkedIn_URL__c", "url"))
    org.org.hide_field("Contact", "LinkedIn_URL__c")
    lookup = PersonLookup("ada", emails=("ada@initech.com",), linkedin_url="https://www.linkedin.com/in/ada")

    records = await find_all(salesforce, lookup)

    assert records.people["ada"].contact is not None
    assert "contact.linkedin_url__c" in records.unreadable


async def test_a_merged_contact_is_followed(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Senders keep the id of a contact that was merged into another one, and that one may have been merged, too."""
    first, second, third = (add_contact(org, name) for name in ("First", "Second", "Third"))
    org.org.merge(second, first)
    org.org.merge(third, second)

    found = await find(salesforce, contact_id=first)

    assert found.contact
    assert found.contact.id == third
    assert found.found_by == "Salesforce id of a record that was merged into it"


async def test_a_deleted_contact_is_nobody(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Neither by its id nor by its email address."""
    gone = add_contact(org, Email="gone@x.example")
    org.org.delete(gone)
    assert (await find(salesforce, contact_id=gone, emails=("gone@x.example",))).contact is None


@pytest.mark.parametrize("by", [{"lead_id": True}, {"emails": ("lee@old.example",)}])
async def test_a_converted_lead_is_followed_to_its_contact(
    salesforce: Salesforce, org: SalesforceSandbox, by: dict[str, object]
) -> None:
    """The contact may have another email address by now."""
    lead = org.add("Lead", LastName="Lee", Company="Hooli", Email="lee@old.example")
    contact = add_contact(org, "Lee", Email="lee@new.example")
    org.org.convert(lead, contact)

    found = await find(salesforce, **{name: lead if value is True else value for name, value in by.items()})

    assert found.contact
    assert found.contact.id == contact
    assert "of a lead that was converted into it" in str(found.found_by)


async def test_the_past_contact_is_looked_up(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """A sender may name both the new record and the one at the company left."""
    new, old = add_contact(org, "New"), add_contact(org, "Old")
    found = await find(salesforce, contact_id=new, past_contact_id=old)
    assert found.contact
    assert found.contact.id == new
    assert found.past_contact
    assert found.past_contact.id == old


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Contact.LinkedIn__c = linkedin\nLead.LinkedIn__c=linkedin", None),
        ("Contact.Vendor_Id__c = custom.person id", None),
        ("Account.Name = email", "Line 1"),
        ("Contact.Email = email\nContact.X__c = phone", "Line 2"),
        ("Contact.Email = linkedin", "holds an email address"),
        ("Contact.Email = email\nContact.Email = email", "listed twice"),
        ("Contact.A__c OR Name = email", "Line 1"),
    ],
)
def test_keys_are_entered_one_per_line(text: str, problem: str | None) -> None:
    """What is stored reads as it was entered, and nothing but field names gets into a query."""
    keys = parse_keys(text)
    if problem is None:
        assert not isinstance(keys, str)
        assert parse_keys(key_lines(keys)) == keys
    else:
        assert isinstance(keys, str)
        assert problem in keys


def field(name: str, kind: str = "string", label: str = "") -> OrgField:
    return OrgField(name, label, type=kind)


def test_fields_are_proposed_that_hold_an_address_of_a_person_or_a_domain() -> None:
    """By name or label, of contacts and leads, without those of companies, tokens, ids and standard fields."""
    fields = (
        field("Lead.LinkedIn__c", "url"),
        field("Contact.Profile__c", "url", "LinkedIn profile"),
        field("Contact.Private__c", "email"),
        field("Contact.Company_LinkedIn__c", "url"),
        field("Contact.A__c", "url", "LinkedIn of the account"),
        field("Contact.LinkedIn_Token__c"),
        field("Contact.LinkedIn_Id__c"),
        field("Contact.Email", "email"),
        field("Contact.Notes__c"),
        field("Account.LinkedIn__c", "url"),
    )
    domains = (
        field("Account.Domain"),
        field("Contact.Domain__c"),
        field("Account.Domains__c", "double"),
        field("Account.Web__c", "url", "Web domain"),
        field("Account.Z_Domain__c"),
    )
    org = OrgSchema(fields={field.name.lower(): field for field in (*fields, *domains)})
    assert list(map(str, proposed_keys(org))) == [
        "Contact.Private__c = email",
        "Contact.Profile__c = linkedin",
        "Lead.LinkedIn__c = linkedin",
    ]
    assert proposed_domain_field(org) == "Web__c"
    assert proposed_domain_field(OrgSchema(fields={field.name.lower(): field for field in fields})) is None


async def test_keys_are_saved_once_they_exist_in_the_org(
    org: SalesforceSandbox, salesforce: Salesforce, database: Database, clock: Clock
) -> None:
    """What is wrong is returned for its input, and nothing is saved. What is in use is not proposed any more."""
    schemas = OrgSchemas(SalesforceDescribe(salesforce), clock)
    keys = PersonKeys(database, schemas, clock)
    org.org.add_field("Contact", Field("LI__c", "url", label="LinkedIn"))
    org.org.add_field("Account", Field("Host__c", label="Domain"))

    proposed = [await keys.proposed("T1")]
    refused = await keys.save("T1", "U1", "nonsense", None)
    missing = await keys.save("T1", "U1", "Contact.A__c = email\nContact.B__c = email", "C__c")
    saved = [
        await keys.save("T1", "U1", "Contact.LI__c = linkedin\nLead.Email = email", "Host__c"),
    ]
    proposed.append(await keys.proposed("T1"))
    saved.append(await keys.save("T1", "U2", "", None))

    more = ["Contact.LinkedIn__c = linkedin", "Lead.LinkedIn__c = linkedin"]
    assert [(list(map(str, found.keys)), found.domain_field) for found in proposed] == [
        (["Contact.LI__c = linkedin", *more], "Host__c"),
        (more, None),
    ]
    assert refused == {"person_keys": parse_keys("nonsense")}
    unknown = "does not exist in Salesforce, or the app may not read it."
    assert missing == {"person_keys": f"Contact.A__c {unknown}", "domain_field": f"Account.C__c {unknown}"}
    assert saved == [{}, {}]
    assert [(entry.actor, entry.action, entry.detail) for entry in await database.run(audit.recent, "T1")] == [
        ("U2", "ownership: finding people changed", "Contact.Email = email; Lead.Email = email"),
        (
            "U1",
            "ownership: finding people changed",
            "Contact.LI__c = linkedin; Lead.Email = email; Account.Host__c = domain",
        ),
    ]
    assert (await keys.read("T1")).keys == DEFAULT_KEYS


async def test_an_object_is_described_once_an_hour(
    org: SalesforceSandbox, salesforce: Salesforce, clock: Clock
) -> None:
    """Before rules are saved, everything is described again."""
    schemas = OrgSchemas(SalesforceDescribe(salesforce), clock)

    async def describes() -> int:
        org.calls.clear()
        readable = await schemas.readable("T1", ["Contact"])
        assert "email" in readable["Contact"]
        return sum(call.path.endswith("/describe") for call in org.calls)

    counts = [await describes(), await describes()]
    clock.advance(seconds=CACHED_MS / 1000 - 1)
    counts.append(await describes())
    clock.advance(seconds=1)
    counts.append(await describes())
    await schemas.fetch("T1", fresh=True)
    org.org.add_field("Contact", Field("New__c"))
    cached, fresh = await schemas.fetch("T1"), await schemas.fetch("T1", fresh=True)

    assert counts == [1, 0, 0, 1]
    assert cached is not None
    assert fresh is not None
    assert fresh.fields.keys() - cached.fields.keys() == {"contact.new__c"}
