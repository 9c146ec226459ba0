"""What /openapi.json says is well-formed, and true."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from jsonschema import Draft202012Validator

from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from listeners.intake import openapi


@pytest.fixture
async def document() -> dict[str, Any]:
    answer = await openapi.show(make_mocked_request("GET", openapi.PATH))
    assert answer.content_type == "application/json"
    return json.loads(answer.body)


def validator(document: dict[str, Any], name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def refs(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [ref for value in part.values() for ref in refs(value)]
    return [ref for value in part for ref in refs(value)] if isinstance(part, list) else []


def test_every_schema_is_one_and_is_there(document):
    """A generator of clients reads them all."""
    schemas = document["components"]["schemas"]

    for name in schemas:
        validator(document, name)
    assert {ref.removeprefix("#/components/schemas/") for ref in refs(document)} <= schemas.keys()


def test_the_example_is_a_job_change(document):
    """By the schema and by what reads it."""
    example = document["components"]["schemas"]["JobChange"]["examples"][0]

    assert not list(validator(document, "JobChange").iter_errors(example))
    assert JobChange.parse(example).person.name == "Ada Smith"


def test_unknown_fields_are_allowed(document):
    """They are kept under custom."""
    assert not list(validator(document, "JobChange").iter_errors(openapi.EXAMPLE | {"team": "EMEA"}))


def test_what_is_wrong_is_wrong_by_the_schema_too(document):
    """So that it is found before it is sent."""
    assert list(validator(document, "JobChange").iter_errors(openapi.EXAMPLE | {"signal": "rumour"}))
    assert list(validator(document, "Batch").iter_errors({"job_changes": []}))


def test_the_two_routes_and_every_answer(document):
    """Each status that a sender can meet."""
    post = document["paths"]["/v1/workspaces/{workspace_id}/job-changes"]["post"]
    get = document["paths"]["/v1/workspaces/{workspace_id}/job-changes/{id}"]["get"]

    assert post["responses"].keys() >= {"200", "202", "400", "401", "404", "413", "415", "422", "429", "503"}
    assert get["responses"].keys() >= {"200", "400", "401", "404", "408", "413", "415", "429", "503"}


def without(*path: str, **changes: Any) -> dict[str, Any]:
    """The example, changed, and without what stands at this path."""
    made = copy.deepcopy(openapi.EXAMPLE) | changes
    part = made
    for step in path[:-1]:
        part = part[step]
    part.pop(path[-1]) if path else None
    return made


BARE = {"full_name": "Ada Smith"}
CASES = {
    "a full name": (without(), True),
    "first and last name": (without(person={"first_name": "Ada", "last_name": "Smith", "emails": ["a@b.com"]}), True),
    "half a name": (without(person={"first_name": "Ada", "emails": ["a@b.com"]}), False),
    "a blank name": (without(person={"full_name": " ", "emails": ["a@b.com"]}), False),
    "no name at all": (without(person={"full_name": None, "emails": ["a@b.com"]}), False),
    "a key in Salesforce": (without(person=BARE), True),
    "a lead's id": (without(person=BARE, salesforce={"lead_id": "00Q000000000001"}), True),
    "a LinkedIn URL": (without(person=BARE | {"linkedin_url": "linkedin.com/in/ada"}, salesforce={}), True),
    "no key of the person": (without(person=BARE, salesforce={"opportunity_id": "006000000000001"}), False),
    "no key but empty ones": (without(person=BARE | {"emails": [], "linkedin_url": None}, salesforce={}), False),
    "nobody": (without("person"), False),
    "not where to": (without("current"), False),
    "to a company without anything": (without(current={"company": {"name": None}}), False),
    "to a domain": (without(current={"company": {"domain": "globex.com"}}), True),
    "not where from": (without("previous"), True),
    "a departure from nowhere": (without("previous", change_type="departure"), False),
    "a departure": (without("current", change_type="departure"), True),
}


@pytest.mark.parametrize("name", CASES)
def test_what_belongs_together_is_said_and_read_the_same(document, name):
    """A sender learns from the schema what would be refused, and is never kept from what would be taken."""
    job_change, is_one = CASES[name]

    assert is_accepted(job_change) is is_one
    assert validator(document, "JobChange").is_valid(job_change) is is_one


def is_accepted(job_change: dict[str, Any]) -> bool:
    try:
        JobChange.parse(job_change)
    except InvalidJobChangeError:
        return False
    return True
