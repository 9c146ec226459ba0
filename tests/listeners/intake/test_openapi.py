"""The document at /openapi.json is well-formed, and agrees with the model that validates job changes."""

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


def test_every_schema_is_valid_and_every_reference_resolves(document):
    """Client generators read them all."""
    schemas = document["components"]["schemas"]

    for name in schemas:
        validator(document, name)
    assert {ref.removeprefix("#/components/schemas/") for ref in refs(document)} <= schemas.keys()


def test_the_example_is_a_valid_job_change(document):
    """Both the schema and the model accept it."""
    example = document["components"]["schemas"]["JobChange"]["examples"][0]

    assert not list(validator(document, "JobChange").iter_errors(example))
    assert JobChange.parse(example).person.name == "Ada Smith"


def test_unknown_fields_are_allowed(document):
    """They are kept under `custom`."""
    assert not list(validator(document, "JobChange").iter_errors(openapi.EXAMPLE | {"team": "EMEA"}))


def test_the_schema_rejects_invalid_job_changes(document):
    """Senders can find errors before they send."""
    assert list(validator(document, "JobChange").iter_errors(openapi.EXAMPLE | {"signal": "rumour"}))
    assert list(validator(document, "Batch").iter_errors({"job_changes": []}))


def test_both_routes_list_every_status(document):
    """Senders can rely on the list."""
    post = document["paths"]["/v1/workspaces/{workspace_id}/job-changes"]["post"]
    get = document["paths"]["/v1/workspaces/{workspace_id}/job-changes/{id}"]["get"]

    assert post["responses"].keys() >= {"200", "202", "400", "401", "404", "413", "415", "422", "429", "503"}
    assert get["responses"].keys() >= {"200", "400", "401", "404", "408", "413", "415", "429", "503"}


def without(*path: str, **changes: Any) -> dict[str, Any]:
    """Return the example with `changes`, without the value at this path."""
    example = copy.deepcopy(openapi.EXAMPLE) | changes
    part = example
    for step in path[:-1]:
        part = part[step]
    part.pop(path[-1]) if path else None
    return example


BARE = {"full_name": "Ada Smith"}
CASES = {
    "a full name": (without(), True),
    "first and last name": (without(person={"first_name": "Ada", "last_name": "Smith", "emails": ["a@b.com"]}), True),
    "only a first name": (without(person={"first_name": "Ada", "emails": ["a@b.com"]}), False),
    "a blank name": (without(person={"full_name": " ", "emails": ["a@b.com"]}), False),
    "no name at all": (without(person={"full_name": None, "emails": ["a@b.com"]}), False),
    "a Salesforce contact id": (without(person=BARE), True),
    "a lead's id": (without(person=BARE, salesforce={"lead_id": "00Q000000000001"}), True),
    "a LinkedIn URL": (without(person=BARE | {"linkedin_url": "linkedin.com/in/ada"}, salesforce={}), True),
    "no identifier of the person": (without(person=BARE, salesforce={"opportunity_id": "006000000000001"}), False),
    "only empty identifiers": (without(person=BARE | {"emails": [], "linkedin_url": None}, salesforce={}), False),
    "no person": (without("person"), False),
    "no current company": (without("current"), False),
    "an empty current company": (without(current={"company": {"name": None}}), False),
    "a current company with only a domain": (without(current={"company": {"domain": "globex.com"}}), True),
    "no previous company": (without("previous"), True),
    "a departure without a previous company": (without("previous", change_type="departure"), False),
    "a departure": (without("current", change_type="departure"), True),
}


@pytest.mark.parametrize("name", CASES)
def test_schema_and_model_agree_on_rules_about_several_fields(document, name):
    """The schema accepts a job change if and only if the model does."""
    job_change, is_valid = CASES[name]

    assert is_accepted(job_change) is is_valid
    assert validator(document, "JobChange").is_valid(job_change) is is_valid


def is_accepted(job_change: dict[str, Any]) -> bool:
    try:
        JobChange.parse(job_change)
    except InvalidJobChangeError:
        return False
    return True
