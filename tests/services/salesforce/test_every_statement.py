"""Every statement that the app can build is one that a real org answers, to a user with the permission set alone."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ops.salesforce.__main__ import FILE
from ops.salesforce.permission_set import permission_set
from ops.salesforce.statements import CUSTOM, every_requirement, every_statement, queries_of, rounds_of
from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.soql.parser import parse
from sandbox.salesforce.soql.query import Select
from services.ownership.choice.required_records import required_records
from services.ownership.rules.presets import presets
from services.ownership.rules.rule_set import RuleSet
from services.salesforce.queries.client import QUERIES_A_CALL
from services.salesforce.queries.statements import url_encoded
from services.salesforce.records import RequiredRecords

LONGEST_URI = 16_384
CUSTOM_FIELDS = [
    *("Contact.LinkedIn__c", "Lead.LinkedIn__c"),
    *(f"{sobject}.{field.name}" for sobject, fields in CUSTOM.items() for field in fields),
]


@pytest.fixture
def org() -> SalesforceSandbox:
    """An org whose integration user has the least privileges and the permission set."""
    sandbox = SalesforceSandbox(now=lambda: 1_795_000_000.0)
    for sobject, fields in CUSTOM.items():
        for field in fields:
            sandbox.org.add_field(sobject, field)
    sandbox.org.restrict_to(permission_set(CUSTOM_FIELDS))
    return sandbox


def test_the_permission_set_is_made_of_the_statements() -> None:
    """After a change of a statement, run `python -m ops.salesforce --write`."""
    assert FILE.read_text() == permission_set()


@pytest.mark.parametrize("people", [1, 200])
def test_a_real_org_answers_every_statement(org: SalesforceSandbox, people: int) -> None:
    """Each field exists, can be read with the permission set, and can be filtered or sorted where it is."""
    select = Select(org.org, "66.0")
    for statement in every_statement(people):
        query = parse(statement)
        assert (select.count(query) if not query.fields else len(select.rows(query))) <= 1
        assert len(url_encoded(statement)) < LONGEST_URI


def test_no_statement_that_routing_waits_for_scans_a_table() -> None:
    """A leading wildcard makes Salesforce read every record. Owners are found without an answer to such a query."""
    patterns = [
        query
        for required in every_requirement()
        for query in queries_of(required, 1)
        if "LIKE" in query.soql and not query.is_extra
    ]
    assert patterns == []


@pytest.mark.parametrize("required", every_requirement())
def test_the_number_of_calls_does_not_depend_on_the_rules(required: RequiredRecords) -> None:
    """Two hundred people take a few calls more than one, since long lists are split, whatever the rules."""
    for people, most in ((1, 10), (200, 16)):
        groups = [
            [query for query in queries if query.is_extra is is_extra]
            for queries in rounds_of(required, people)
            for is_extra in (False, True)
        ]
        assert sum(-(-len(group) // QUERIES_A_CALL) for group in groups) <= most


def test_sixty_rules_need_no_more_than_one() -> None:
    """What rules require is asked for once a batch."""
    rules = presets()
    renamed = [rule.model_copy(update={"name": f"{rule.name} {number}"}) for number in range(6) for rule in rules]
    assert required_records(RuleSet(rules=tuple(renamed))) == required_records(RuleSet(rules=rules))


def test_the_metadata_can_be_deployed() -> None:
    """It is in the layout of an SFDX project, in the package directories that the project lists."""
    root = FILE.parents[4]
    project = json.loads((root / "sfdx-project.json").read_text())
    files = list(root.rglob("*-meta.xml"))
    assert {path.relative_to(root).parts[0] for path in files} == {
        part["path"] for part in project["packageDirectories"]
    }
    assert {path.parent.name for path in files} == {
        *("permissionsets", "externalClientApps", "extlClntAppOauthSettings", "extlClntAppGlobalOauthSets")
    }
    for path in files:
        ET.parse(path)


def test_the_docs_have_the_fields_of_the_permission_set() -> None:
    """For admins who create it click by click."""
    text = (Path(__file__).parents[3] / "docs/salesforce.md").read_text()
    granted = ET.fromstring(FILE.read_text()).iter("{http://soap.sforce.com/2006/04/metadata}field")
    assert "sf project deploy start" in text
    assert [field.text for field in granted if f"`{field.text}`" not in text] == []
