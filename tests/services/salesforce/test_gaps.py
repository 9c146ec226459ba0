"""Fields that are hidden, encrypted, renamed or slow cost what depends on them and nothing else."""

from collections.abc import Mapping

import pytest

from domain.errors import PermanentError, TransientError
from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.errors import CONCURRENT_LIMIT
from sandbox.salesforce.ids import checksum
from sandbox.salesforce.schema import Field
from services.salesforce.queries.lookup import Salesforce
from services.salesforce.records import BatchRecords, CompanyLookup, PersonLookup, RequiredRecords
from services.salesforce.refusals import GRANT, LIMIT_RETRY_SECONDS, refusal
from store.salesforce import connections
from tests.conftest import Clock

ADA = PersonLookup("ada", emails=("ada@initech.com",))
COMPANIES = RequiredRecords(companies=True)
HOUR = 60 * 60


async def find(salesforce: Salesforce, *lookups: PersonLookup, required: RequiredRecords | None = None) -> BatchRecords:
    records = await salesforce.find_people("T1", lookups or [ADA], required or RequiredRecords())
    assert records is not None
    return records


def owner_of_ada(records: BatchRecords) -> str | None:
    contact = records.people["ada"].contact
    return contact.owner.email if contact and contact.owner else None


async def test_accounts_are_found_by_exact_website_beside_thousands_that_contain_it(
    salesforce: Salesforce, org: SalesforceSandbox
) -> None:
    """x.com is part of thousands of addresses, and no limit is shared between companies."""
    for number in range(2_100):
        org.add("Account", Name=f"Site {number}", Website=f"https://www.site-{number}-x.com")
    wanted = {
        domain: org.add("Account", Name="A", Website=f"http://www.{domain}/") for domain in ("x.com", "globex.com")
    }
    lookups = [PersonLookup(domain, current=CompanyLookup(domain=domain)) for domain in wanted]

    records = await find(salesforce, *lookups, required=COMPANIES)

    found = {domain: records.people[domain].current_account for domain in wanted}
    assert {domain: account and account.id for domain, account in found.items()} == wanted


@pytest.mark.parametrize("website", ["globex.com", "www.globex.com", "http://globex.com", "HTTPS://WWW.Globex.com/"])
async def test_a_website_may_be_entered_in_any_usual_form(
    salesforce: Salesforce, org: SalesforceSandbox, website: str
) -> None:
    """With or without scheme, www and slash, in any case."""
    org.add("Account", Name="Globex", Website=website)
    lookup = PersonLookup("a", current=CompanyLookup(domain="globex.com"))

    assert (await find(salesforce, lookup, required=COMPANIES)).people["a"].current_account is not None


async def test_a_domain_field_comes_before_the_website(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """It is compared exactly, and costs no further call. Without access to it, the website is left."""
    org.org.add_field("Account", Field("Domain__c"))
    by_website = org.add("Account", Name="Old", Website="https://globex.com", Domain__c="old.example")
    by_domain = org.add("Account", Name="Globex", Website="https://about.globex.example/x", Domain__c="Globex.com")
    lookup = PersonLookup("a", current=CompanyLookup(domain="globex.com"))
    required = RequiredRecords(companies=True, domain_field="Domain__c")

    account = (await find(salesforce, lookup, required=required)).people["a"].current_account
    assert account is not None
    assert account.id == by_domain
    assert len(org.calls_of("composite")) == 1

    org.org.hide_field("Account", "Domain__c")
    records = await find(salesforce, lookup, required=required)
    account = records.people["a"].current_account
    assert account is not None
    assert account.id == by_website
    assert records.unreadable == {"account.domain__c": f"Account.Domain__c cannot be read in Salesforce. {GRANT}"}


async def test_accounts_are_searched_in_a_large_org(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """No query reads the whole table."""
    org.org.large_tables.add("Account")
    lookup = PersonLookup("a", current=CompanyLookup(domain="initech.com"))

    records = await find(salesforce, lookup, required=COMPANIES)

    assert records.people["a"].current_account is not None
    assert records.unreadable == {}


async def test_a_slow_account_search_does_not_delay_the_owners(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """It is a call of its own. The note says what was not looked up, for this batch only."""
    lookup = PersonLookup("ada", emails=ADA.emails, current=CompanyLookup(domain="globex.com"))
    org.api.slow_queries.add("FROM Account WHERE Website")

    records = await find(salesforce, lookup, required=COMPANIES)

    assert owner_of_ada(records) == "dana@acme.com"
    text = "accounts by website could not be looked up, because Salesforce took too long"
    assert records.unreadable == {"account.website": text}
    org.api.slow_queries.clear()
    assert (await find(salesforce, lookup, required=COMPANIES)).unreadable == {}


@pytest.mark.parametrize(
    ("sobject", "name"),
    [("Contact", "AccountId"), ("Account", "Website"), ("Contact", "Title"), ("Lead", "Company"), ("Lead", "Email")],
)
async def test_the_owner_is_found_without_any_other_field(
    salesforce: Salesforce, org: SalesforceSandbox, sobject: str, name: str
) -> None:
    """A contact whose account is hidden still has an owner."""
    org.org.hide_field(sobject, name)

    assert owner_of_ada(await find(salesforce)) == "dana@acme.com"


async def test_a_hidden_lookup_costs_only_what_is_read_through_it(
    salesforce: Salesforce, org: SalesforceSandbox
) -> None:
    """Salesforce then does not understand the relationship. Every path through it is left out."""
    org.org.hide_field("Account", "ParentId")

    records = await find(salesforce, required=RequiredRecords(parents=True))

    contact = records.people["ada"].contact
    assert contact is not None
    assert contact.account is not None
    assert (contact.account.name, contact.account.parent) == ("Initech", None)
    assert records.unreadable == {"account.parentid": f"Account.ParentId cannot be read in Salesforce. {GRANT}"}


async def test_several_hidden_fields_are_all_named(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """In the trace, and where admins look. Salesforce itself names one in each answer."""
    hidden = {"Account": ["Website", "ParentId"], "Contact": ["Tier__c"], "User": ["IsActive"]}
    org.org.add_field("Contact", Field("Tier__c"))
    for sobject, names in hidden.items():
        for name in names:
            org.org.hide_field(sobject, name)
    required = RequiredRecords(parents=True, fields={"Contact": frozenset({"Tier__c"})})

    records = await find(salesforce, required=required)

    named = sorted(f"{sobject}.{name}" for sobject, names in hidden.items() for name in names)
    assert owner_of_ada(records) == "dana@acme.com"
    assert sorted(records.unreadable) == sorted(name.lower() for name in named)
    assert (await stored(salesforce)).unreadable == ", ".join(named)


async def test_a_hidden_email_address_leaves_people_with_an_id(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Nobody is found by email then, and the note says so."""
    org.org.hide_field("Contact", "Email")
    contact_id = str(next(org.org.rows(org.org.sobject("Contact")))["Id"])

    records = await find(salesforce, ADA, PersonLookup("id", contact_id=contact_id))

    assert records.people["id"].contact is not None
    assert records.people["ada"].contact is None
    assert "contact.email" in records.unreadable


async def test_an_encrypted_email_address_is_not_searched(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """It can be read, so people with an id are found with their address."""
    org.org.encrypt_field("Contact", "Email")
    contact_id = str(next(org.org.rows(org.org.sobject("Contact")))["Id"])

    records = await find(salesforce, ADA, PersonLookup("id", contact_id=contact_id))

    contact = records.people["id"].contact
    assert contact is not None
    assert contact.email == "Ada@Initech.com"
    assert records.unreadable["contact.email"].startswith("Contact.Email cannot be searched in Salesforce")


@pytest.mark.parametrize("change", ["hidden", "renamed", "encrypted"])
async def test_access_is_noticed_within_the_hour(
    salesforce: Salesforce, org: SalesforceSandbox, clock: Clock, change: str
) -> None:
    """Nobody has to reconnect. Until then the field costs no further call."""
    website = org.org.sobject("Account").field("Website")
    assert website is not None
    if change == "hidden":
        org.org.hide_field("Account", "Website")
    elif change == "renamed":
        org.org.remove_field("Account", "Website")
    else:
        org.org.encrypt_field("Account", "Website")
    required, lookup = COMPANIES, PersonLookup("a", current=CompanyLookup(domain="initech.com"))
    for _ in range(2):
        assert (await find(salesforce, lookup, required=required)).people["a"].current_account is None
    org.calls.clear()
    await find(salesforce, lookup, required=required)
    assert len(org.calls_of("composite")) <= 1

    org.org.show_field("Account", "Website")
    org.org.remove_field("Account", "Website")
    org.org.add_field("Account", website)
    clock.advance(seconds=HOUR)

    records = await find(salesforce, lookup, required=required)
    assert records.people["a"].current_account is not None
    assert records.unreadable == {}
    assert (await stored(salesforce)).unreadable is None


async def test_the_limit_of_calls_at_once_is_not_the_daily_limit(
    salesforce: Salesforce, org: SalesforceSandbox
) -> None:
    """Both have one error code. Only the daily limit needs a quarter of an hour."""
    org.faults.add("composite", error="REQUEST_LIMIT_EXCEEDED", message=CONCURRENT_LIMIT)
    with pytest.raises(TransientError, match="at the same time") as busy:
        await find(salesforce)
    assert busy.value.retry_after is None

    org.faults.add("composite", error="REQUEST_LIMIT_EXCEEDED")
    with pytest.raises(TransientError, match="daily") as used_up:
        await find(salesforce)
    assert used_up.value.retry_after == LIMIT_RETRY_SECONDS


async def test_a_malformed_id_does_not_affect_the_others(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Salesforce would refuse the whole list. An id with a wrong suffix is not sent at all."""
    good = str(next(org.org.rows(org.org.sobject("Contact")))["Id"])
    wrong = [f"003Sb0{number:09}ZZZ" for number in range(199)]
    lookups = [PersonLookup(record_id, contact_id=record_id) for record_id in (*wrong, good)]

    records = await find(salesforce, *lookups)

    assert records.people[good].contact is not None
    assert [call.kind for call in org.calls_of("composite")] == ["composite"]


async def test_an_id_that_salesforce_refuses_is_left_out(salesforce: Salesforce, org: SalesforceSandbox) -> None:
    """Salesforce may be stricter than the app: the list is sent again without the id it names, or in halves."""
    good = str(next(org.org.rows(org.org.sobject("Contact")))["Id"])
    other = f"003Sb0{7:09}"
    org.api.refused_ids.add(other + checksum(other))

    for names_it in (True, False):
        org.api.names_refused_ids = names_it
        records = await find(salesforce, PersonLookup("good", contact_id=good), PersonLookup("other", contact_id=other))
        assert records.people["good"].contact is not None


def test_an_error_keeps_the_sentence_and_no_value() -> None:
    """The sentence names the field; before it there is a part of the query."""
    message = "\nContact WHERE Email = 'ada@initech.com'\n      ^\nERROR at Row:1:Column:30\n{}"
    texts: Mapping[str, str] = {
        "duplicate field selected: Email": "duplicate field selected: Email",
        "No such column 'Tier__c' on entity 'Contact'. If you are attempting": "Contact.Tier__c",
        "Didn't understand relationship 'Parent' in field path. If you are": "Parent",
    }
    for sentence, named in texts.items():
        error = refusal(400, [{"errorCode": "INVALID_FIELD", "message": message.format(sentence)}])
        assert isinstance(error, PermanentError)
        assert named in str(error)
        assert "ada@" not in str(error)


async def stored(salesforce: Salesforce) -> connections.SalesforceConnection:
    found = await salesforce.sessions.database.run(connections.find, salesforce.sessions.cipher, "T1")
    assert found is not None
    return found
