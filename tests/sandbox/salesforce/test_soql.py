"""SOQL queries on the records of the sandbox org."""

import pytest

from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.ids import checksum, new_id, to_18
from sandbox.salesforce.org import Org
from sandbox.salesforce.soql.parser import parse
from sandbox.salesforce.soql.query import Select


@pytest.fixture
def org() -> Org:
    """Two users, a queue, two accounts, three contacts, a lead owned by the queue, and two opportunities."""
    org = Org(lambda: 1_795_000_000.5)
    dana = org.add("User", FirstName="Dana", LastName="Reyes", Email="dana@example.com")
    sam = org.add("User", FirstName="Sam", LastName="Cole", Email="sam@example.com", IsActive=False)
    queue = org.add("Group", Name="Inbound", Email="inbound@example.com")
    initech = org.add("Account", Name="Initech", Website="https://initech.com", OwnerId=sam)
    org.add("Account", Name="Globex", OwnerId=dana)
    org.add("Contact", LastName="O'Hara", Email="Pat@Initech.com", AccountId=initech, OwnerId=dana, Title="100%_CRO")
    org.add("Contact", FirstName="Ada", LastName="Smith", Email="ada@initech.com", AccountId=initech, OwnerId=sam)
    org.add("Contact", LastName="Nobody", OwnerId=dana)
    org.add("Lead", LastName="Lee", Company="Hooli", OwnerId=queue)
    org.add("Opportunity", Name="Big", StageName="Won", CloseDate="2026-03-01", Amount=9.5, AccountId=initech)
    org.add("Opportunity", Name="Small", StageName="New", CloseDate="2026-05-01", Amount=2, AccountId=initech)
    return org


def rows(org: Org, soql: str) -> list[dict[str, object]]:
    return Select(org, "66.0").rows(parse(soql))


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("Email = 'PAT@initech.com'", ["O'Hara"]),
        ("email != null", ["O'Hara", "Ada Smith"]),
        ("Email = null", ["Nobody"]),
        ("LastName = 'O\\'Hara'", ["O'Hara"]),
        ("Email IN ('ada@initech.com', 'x@example.com')", ["Ada Smith"]),
        ("Email NOT IN ('ada@initech.com')", ["O'Hara", "Nobody"]),
        ("Email LIKE '%@INITECH.com'", ["O'Hara", "Ada Smith"]),
        ("Title LIKE '100\\%\\_%'", ["O'Hara"]),
        ("LastName LIKE '_o%'", ["Nobody"]),
        ("NOT Email LIKE '%initech%'", ["Nobody"]),
        ("Account.Name = 'initech' AND (Owner.IsActive = true OR FirstName = 'Ada')", ["O'Hara", "Ada Smith"]),
        ("Account.Owner.IsActive = false AND Owner.Email = 'dana@example.com'", ["O'Hara"]),
        (
            "CreatedDate >= 2026-11-18T00:00:00Z AND CreatedDate < 2026-11-18T20:00:00+01:00",
            ["O'Hara", "Ada Smith", "Nobody"],
        ),
        ("AccountId IN (SELECT AccountId FROM Opportunity WHERE Amount > 5)", ["O'Hara", "Ada Smith"]),
    ],
)
def test_conditions_match_as_in_salesforce(org: Org, where: str, names: list[str]) -> None:
    """Text comparison ignores case, null is a value, and paths follow relationships."""
    assert [row["Name"] for row in rows(org, f"SELECT Name FROM Contact WHERE {where}")] == names


def test_rows_are_ordered_and_limited(org: Org) -> None:
    """ORDER BY puts nulls first by default; LIMIT and OFFSET apply to the ordered rows."""

    def names(rest: str) -> list[object]:
        return [row["Name"] for row in rows(org, f"select name from contact {rest}")]

    assert names("ORDER BY Email") == ["Nobody", "Ada Smith", "O'Hara"]
    assert names("ORDER BY Email DESC NULLS LAST") == ["O'Hara", "Ada Smith", "Nobody"]
    assert names("ORDER BY Account.Name, Email DESC LIMIT 1 OFFSET 1") == ["O'Hara"]


@pytest.mark.parametrize(
    ("where", "names"),
    [("CloseDate > 2026-04-01", ["Small"]), ("CloseDate <= 2026-03-01", ["Big"]), ("Amount = 2", ["Small"])],
)
def test_dates_and_numbers_are_compared_by_value(org: Org, where: str, names: list[str]) -> None:
    """Date literals have no quotes."""
    assert [row["Name"] for row in rows(org, f"SELECT Name FROM Opportunity WHERE {where}")] == names


def test_relationships_are_nested_objects(org: Org) -> None:
    """A parent is an object with attributes; children are a nested result. Either can be null."""
    (row,) = rows(org, "SELECT Id, Account.Owner.Name, Owner.Name FROM Contact WHERE FirstName = 'Ada'")
    assert row["Account"]["Owner"]["Name"] == row["Owner"]["Name"] == "Sam Cole"
    assert row["Owner"]["attributes"]["type"] == "User"
    (nobody,) = rows(org, "SELECT Account.Owner.Name FROM Contact WHERE LastName = 'Nobody'")
    assert nobody["Account"] is None

    initech, globex = rows(org, "SELECT Name, (SELECT Name FROM Opportunities ORDER BY Amount LIMIT 1) FROM Account")
    assert [row["Name"] for row in initech["Opportunities"]["records"]] == ["Small"]
    assert globex["Opportunities"] is None


def test_the_owner_of_a_lead_is_a_name(org: Org) -> None:
    """If an owner can be a queue, only the fields of Name are readable, and a queue has no email there."""
    (row,) = rows(org, "SELECT Owner.Type, Owner.Name, Owner.Email, Owner.IsActive FROM Lead")
    assert row["Owner"]["attributes"]["type"] == "Name"
    assert (row["Owner"]["Type"], row["Owner"]["Name"], row["Owner"]["Email"]) == ("Queue", "Inbound", None)
    with pytest.raises(SalesforceError, match="No such column 'UserType' on entity 'Name'"):
        rows(org, "SELECT Owner.UserType FROM Lead")


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Contact WHERE Email IN ()", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'a' AND Title = 'b' OR Title = 'c'", "MALFORMED_QUERY"),
        ('SELECT Id FROM Contact WHERE Email = "a"', "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'a\\q'", "MALFORMED_QUERY"),
        ("SELECT FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact LIMIT 1.5", "MALFORMED_QUERY"),
        ("SELECT * FROM Contact", "MALFORMED_QUERY"),
        ("DELETE FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE " + "x" * 100_000, "MALFORMED_QUERY"),
        ("SELECT Shoe FROM Contact", "INVALID_FIELD"),
        ("SELECT Owner.Type FROM Contact", "INVALID_FIELD"),
        ("SELECT Shoe.Name FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Email = 5", "INVALID_FIELD"),
        ("SELECT Id FROM User WHERE IsActive = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Shoe", "INVALID_TYPE"),
        ("SELECT Id, (SELECT Id FROM Shoes) FROM Account", "INVALID_TYPE"),
        ("SELECT Id FROM Contact WHERE Id = '003'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Contact WHERE Id LIKE '003%'", "INVALID_QUERY_FILTER_OPERATOR"),
    ],
)
def test_invalid_queries_are_rejected(org: Org, soql: str, code: str) -> None:
    """The error code is that of Salesforce, even if there are no rows."""
    with pytest.raises(SalesforceError) as error:
        rows(org, soql)
    assert (error.value.status, error.value.error_code) == (400, code)


def test_ids_of_15_and_18_characters_are_equivalent(org: Org) -> None:
    """The short form, the long form and the long form without capitals match the same record."""
    (row,) = rows(org, "SELECT Id FROM Contact WHERE FirstName = 'Ada'")
    id18 = str(row["Id"])
    for form in (id18, id18[:15], id18.lower()):
        assert rows(org, f"SELECT Id FROM Contact WHERE Id = '{form}'") == [row]


def test_the_id_checksum_is_that_of_salesforce() -> None:
    """Ids in Salesforce's documentation have the suffix computed here."""
    for id18 in ("001R00000064wdtIAA", "00337000003VbP1AAK", "001xx000003DGb1AAG"):
        assert checksum(id18[:15]) == id18[15:]
        assert to_18(id18[:15]) == id18
    assert to_18("001R00000064wdtIAB") is None
    assert new_id("003", 7).startswith("003")


def test_what_the_integration_user_cannot_see_is_missing(org: Org) -> None:
    """Field-level security makes a field unknown; sharing removes rows without an error."""
    (row,) = rows(org, "SELECT Id FROM Contact WHERE FirstName = 'Ada'")
    org.hide_record(str(row["Id"]))
    org.hide_field("Contact", "Title")
    org.hide_type("Lead")
    assert len(rows(org, "SELECT Id FROM Contact")) == 2
    with pytest.raises(SalesforceError, match="No such column 'Title'"):
        rows(org, "SELECT Title FROM Contact")
    with pytest.raises(SalesforceError, match="'Lead' is not supported"):
        rows(org, "SELECT Id FROM Lead")
