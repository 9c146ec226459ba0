"""Cards show the fields of records that the admins chose: formatted, for the side of the reader, without empty ones."""

from __future__ import annotations

import pytest

from domain.decision.record import ContextValue, Decision
from domain.decision.sentences import for_reader
from sandbox.salesforce.schema import Field
from services.messages.wording import field_text
from services.ownership.choice.context_fields import CURRENCY
from services.ownership.rules.issues import InvalidRulesError
from services.ownership.rules.rule_set import RuleSet
from tests.services.ownership.test_routing_by_rules import owner_of, publish, rule, rulebook

FIELDS = ["Account.ARR__c", "Opportunity.Amount", "Opportunity.CloseDate", "Contact.Tier__c"]


@pytest.fixture
async def owned(world):
    """Ada's contact at Initech is Dana's; Initech has an open opportunity, and Globex belongs to Kim."""
    await world.default_channel()
    org, dana, kim = world.salesforce, world.add_owner("Dana Reyes"), world.add_owner("Kim Lee")
    org.org.add_field("Account", Field("ARR__c", "currency", label="ARR"))
    org.org.add_field("Contact", Field("Tier__c", label="Tier"))
    initech = org.add("Account", Name="Initech", OwnerId=dana, ARR__c=120_000)
    org.add("Account", Name="Globex", Website="globex.example", OwnerId=kim, ARR__c=5)
    deal = {"StageName": "Open", "IsClosed": False, "CloseDate": "2027-03-31", "Amount": 48_000.5}
    org.add("Opportunity", Name="Renewal", AccountId=initech, OwnerId=dana, **deal)
    ada = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example"}
    org.add("Contact", OwnerId=dana, AccountId=initech, Tier__c="Gold *", **ada)
    return world


async def send(world, fields, **changes):
    sides = [rule(side, [owner_of("account")], when={"side": side}) for side in ("past", "current")]
    await publish(world, *sides, context_fields=fields)
    globex = {"title": "CRO", "company": {"name": "Globex", "domain": "globex.example"}}
    return await world.deliver(current=globex, **changes)


async def test_a_card_shows_the_fields_that_the_admins_chose(owned):
    """Each side shows its own account, and the open opportunity; what is empty there is left out."""
    job_change_id = await send(owned, FIELDS)

    (to_dana,), (to_kim,) = owned.direct_messages("Dana Reyes"), owned.direct_messages("Kim Lee")
    assert "ARR: 120,000, Amount: 48,000.50, Close Date: 31 Mar 2027, Tier: Gold" in to_dana.text
    assert "ARR: 120,000 · Amount: 48,000.50 · Close Date: 31 Mar 2027 · Tier: Gold" in str(to_dana.blocks)
    assert "ARR: 5." in to_kim.text
    assert "Amount" not in to_kim.text
    decision = (await owned.find(job_change_id)).decision
    assert [value.label for value in decision.context_of("past")] == ["ARR", "Amount", "Close Date", "Tier"]


async def test_amounts_have_the_currency_of_their_record(owned):
    """In orgs with several currencies, which have a field for it."""
    owned.salesforce.org.add_field("Account", Field(CURRENCY, "picklist"))
    mo = owned.add_owner("Mo Chen")
    hooli = owned.salesforce.add("Account", Name="Hooli", OwnerId=mo, ARR__c=7_000, CurrencyIsoCode="EUR")
    owned.salesforce.add("Contact", LastName="Ray", Email="bob@hooli.example", OwnerId=mo, AccountId=hooli)

    await publish(owned, context_fields=["Account.ARR__c"])
    await owned.deliver(person={"full_name": "Bob Ray", "emails": ["bob@hooli.example"]})

    assert "ARR: 7,000 EUR." in owned.direct_messages("Mo Chen")[0].text


async def test_a_field_that_the_app_may_not_read_is_left_out(owned):
    """The card is sent without it, and the trace says what is missing."""
    await publish(owned, context_fields=FIELDS)
    owned.salesforce.org.hide_field("Account", "ARR__c")
    owned.clock.advance(seconds=7_200)

    job_change_id = await owned.deliver()

    text = owned.direct_messages("Dana Reyes")[0].text
    assert "ARR" not in text
    assert "Tier: Gold" in text
    notes = for_reader((await owned.find(job_change_id)).decision.notes)
    assert "account.arr__c cannot be read in salesforce." in notes.lower()


async def test_fields_without_a_value_to_show_are_refused(owned):
    """Lookups, fields that do not exist, other objects, and more than four."""
    book = rulebook(owned)
    for name in ("Account.OwnerId", "Account.Nothing__c"):
        result = await book.publish(owned.workspace_id, "U_ADMIN", RuleSet.parse({"context_fields": [name]}), None)
        assert [issue.path for issue in result.issues] == ["context_fields.0"]
    for wrong in (["Lead.Status"], [], ["Account.Name"] * 5):
        with pytest.raises(InvalidRulesError):
            RuleSet.parse({"context_fields": wrong})
    assert "context_fields" not in RuleSet().to_json()  # so that the version before can read the rules


@pytest.mark.parametrize(
    ("value", "kind", "currency", "text"),
    [
        (1_234_567.0, "currency", "USD", "1,234,567 USD"),
        (0.5, "currency", None, "0.50"),
        (12.5, "percent", None, "12.50%"),
        (3, "int", None, "3"),
        (True, "boolean", None, "Yes"),
        ("2026-11-01T08:00:00.000+0000", "datetime", None, "1 Nov 2026"),
        ("soon", "date", None, "soon"),
        ("A;B", "multipicklist", None, "A, B"),
        ("<!channel>", "string", None, "&lt;!channel&gt;"),
    ],
)
def test_values_are_formatted_by_their_type(value, kind, currency, text):
    """And stay so when they are stored."""
    field = ContextValue(label="X", value=value, kind=kind, currency=currency)
    stored = ContextValue.model_validate_json(field.model_dump_json())

    assert field_text(stored) == f"X: {text}"
    assert Decision.from_stored(None).context_of("past") == ()
